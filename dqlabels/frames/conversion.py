"""A column of a later batch as what the column was when its encoder was fitted: without loss, or refused by name."""

from __future__ import annotations

import datetime
import re
from typing import Any, NoReturn

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from dqlabels.errors import FeatureError
from dqlabels.frames.columns import Column

FloatArray = NDArray[np.float64]

NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|inf|nan)\s*", re.IGNORECASE)
MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?)?")
TRUTH = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0}
STRINGS = (nw.String, nw.Categorical)


def missing_rows(column: Column) -> NDArray[np.bool_]:
    """(n,) true where there is no value: null, or NaN in a column of floats."""
    missing = column.is_null().to_numpy().astype(bool)
    if column.dtype.is_float():
        missing |= np.isnan(column.cast(nw.Float64).to_numpy().astype(np.float64))
    return missing


def as_floats(column: Column, expected: str) -> FloatArray:
    """(n,) numbers, NaN where missing; strings and booleans that are numbers count as such.

    Args:
        column: Of any dtype.
        expected: The dtype it had when the encoder was fitted, for the message.

    Raises:
        FeatureError: A value that is no number.

    >>> import polars as pl
    >>> as_floats(nw.from_native(pl.Series("x", ["1.5", None]), series_only=True), "Float64").tolist()
    [1.5, nan]
    """
    dtype = column.dtype
    if dtype.is_numeric() or dtype == nw.Boolean:
        return _floats(column)
    if dtype != nw.Object and not is_string(column):
        refuse(column, expected, "a number is needed")
    missing = missing_rows(column)
    return np.array(
        [np.nan if gone else _number(value, column, expected) for value, gone in _rows(column, missing)],
        dtype=np.float64,
    )


def as_truth(column: Column, expected: str) -> FloatArray:
    """(n,) 1 for true, 0 for false, NaN where missing; numbers 0 and 1 and the words count as such.

    Raises:
        FeatureError: A value that is neither.
    """
    if column.dtype == nw.Boolean:
        return _floats(column)
    if column.dtype.is_numeric():
        values = _floats(column)
    elif column.dtype == nw.Object or is_string(column):
        missing = missing_rows(column)
        words = ["" if gone else str(value).strip().lower() for value, gone in _rows(column, missing)]
        values = np.array([TRUTH.get(word, 2.0) if word else np.nan for word in words], dtype=np.float64)
        values[~missing & np.isnan(values)] = 2.0
    else:
        refuse(column, expected, "true or false is needed")
    odd = np.flatnonzero(~np.isnan(values) & (values != 0) & (values != 1))
    if odd.size:
        refuse(column, expected, f"{_shown(column[int(odd[0])])} in row {odd[0]:,} is neither true nor false")
    return values


def as_texts(column: Column, expected: str) -> tuple[list[Any], NDArray[np.bool_]]:
    """The values (n,) as strings, and (n,) which are missing (theirs is not to be read).

    Whole numbers become their digits, so that codes read as numbers from a CSV file are found again.

    Raises:
        FeatureError: A dtype whose values are no names.
    """
    dtype, missing = column.dtype, missing_rows(column)
    if dtype == nw.String:
        return column.to_list(), missing
    if dtype == nw.Object or is_string(column) or dtype.is_integer() or dtype == nw.Boolean:
        return [None if gone else str(value) for value, gone in _rows(column, missing)], missing
    if not dtype.is_float():
        refuse(column, expected, "strings are needed")
    values = _floats(column)
    broken = np.flatnonzero(~missing & (values != np.trunc(values)))
    if broken.size:
        refuse(column, expected, f"{float(values[broken[0]])!r} in row {broken[0]:,} is no whole number")
    whole = [None if gone else str(int(value)) for value, gone in zip(values.tolist(), missing.tolist(), strict=True)]
    return whole, missing


def as_moments(column: Column, expected: str, zone: str | None) -> Column:
    """A Date or Datetime column, in the time zone ``zone`` if any; ISO 8601 strings count as such.

    Raises:
        FeatureError: A value that is no moment, or with a time zone where there was none or the reverse.
    """
    if column.dtype == nw.Object or is_string(column):
        column = _parsed_moments(column, expected)
    if column.dtype not in (nw.Date, nw.Datetime):
        refuse(column, expected, "a date is needed")
    given = getattr(column.dtype, "time_zone", None) if column.dtype == nw.Datetime else None
    if (given is None) != (zone is None):
        what = "it has a time zone, which it had not" if zone is None else f"it has no time zone; it was in {zone}"
        refuse(column, expected, what)
    return column if given == zone or zone is None else column.dt.convert_time_zone(zone)


def _parsed_moments(column: Column, expected: str) -> Column:
    missing = missing_rows(column)
    values = [None if gone else value for value, gone in _rows(column, missing)]
    for row, value in enumerate(values):
        if isinstance(value, str) and not MOMENT.fullmatch(value.strip()):
            refuse(column, expected, f"{value!r} in row {row:,} is no date as in 2024-01-31 or 2024-01-31 18:30:00")
        if value is not None and not isinstance(value, (str, datetime.date)):
            refuse(column, expected, f"{_shown(value)} in row {row:,} is no date")
    stamps = [value.strip() if isinstance(value, str) else value for value in values]
    try:
        moments = np.array(stamps, dtype="datetime64[us]")
    except ValueError as error:
        refuse(column, expected, f"a date does not exist ({error})")
    if all(type(value) is datetime.date for value in values if value is not None):
        days = nw.new_series(column.name, moments, backend=column.implementation)
        return days if column.implementation.is_pandas_like() else days.cast(nw.Date)
    return nw.new_series(column.name, moments, backend=column.implementation)


def as_vectors(column: Column, size: int, expected: str) -> NDArray[np.float32]:
    """(n, size) float32 of lists of numbers, NaN rows where missing.

    Raises:
        FeatureError: A list of another length, or of something else than numbers.
    """
    rows = column.to_list()
    matrix = np.full((len(rows), size), np.nan, dtype=np.float32)
    for position, row in enumerate(rows):
        if is_vector(row):
            if len(row) != size:
                refuse(column, expected, f"row {position:,} holds a list of {len(row):,} instead of {size:,} numbers")
            matrix[position] = _vector(row, column.name)
        elif row is not None and not (isinstance(row, float) and np.isnan(row)):
            refuse(column, expected, f"{_shown(row)} in row {position:,} is no list of numbers")
    return matrix


def is_vector(row: Any) -> bool:
    """Whether a value is a list or array."""
    return row is not None and not isinstance(row, (float, str)) and hasattr(row, "__len__")


def is_string(column: Column) -> bool:
    """Whether a column holds strings, as such or as categories."""
    return column.dtype in STRINGS or isinstance(column.dtype, nw.Enum)


def refuse(column: Column, expected: str, what: str) -> NoReturn:
    """Raise: the column is not what it was.

    Raises:
        FeatureError: Always.
    """
    raise FeatureError(
        f"Column {column.name!r} was {expected} when the encoders were fitted and is {column.dtype} now: {what}. "
        "Convert it as it was then, or fit again on the new form."
    )


def _floats(column: Column) -> FloatArray:
    return np.asarray(column.cast(nw.Float64).to_numpy(), dtype=np.float64)


def _rows(column: Column, missing: NDArray[np.bool_]) -> Any:
    return zip(column.to_list(), missing.tolist(), strict=True)


def _number(value: Any, column: Column, expected: str) -> float:
    if isinstance(value, str) and not NUMBER.fullmatch(value):
        refuse(column, expected, f"{_shown(value)} is no number")
    try:
        return float(value)
    except (TypeError, ValueError):
        refuse(column, expected, f"{_shown(value)} is no number")


def _vector(row: Any, name: str) -> NDArray[np.float32]:
    try:
        return np.asarray(row, dtype=np.float32).ravel()
    except (TypeError, ValueError) as error:
        raise FeatureError(
            f"Column {name!r} holds lists that are not numbers (such as {str(row)[:40]}). "
            "Leave it out with exclude=, or turn it into numbers or a string."
        ) from error


def _shown(value: Any) -> str:
    return repr(value)[:60]
