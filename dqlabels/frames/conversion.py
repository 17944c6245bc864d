"""Convert a column of a later batch to what it was when its encoder was fitted, without loss, or raise."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Sized
from typing import Any, NoReturn, TypeGuard, cast

import narwhals as nw
import numpy as np
from numpy.typing import ArrayLike

from dqlabels.errors import FeatureError
from dqlabels.frames.arrays import BoolArray, FloatArray, FloatMatrix
from dqlabels.frames.columns import Column, floats, missing_rows

NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|inf|nan)\s*", re.IGNORECASE)
MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?)?")
TRUTH = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0}


def as_floats(column: Column, expected: str) -> FloatArray:
    """Convert to numbers (n,), NaN where missing; booleans and strings that hold numbers are converted too.

    Args:
        column: A column of any dtype.
        expected: Dtype it had when the encoder was fitted, for the message.

    Raises:
        FeatureError: A value is not a number.

    >>> import polars as pl
    >>> as_floats(nw.from_native(pl.Series("x", ["1.5", None]), series_only=True), "Float64").tolist()
    [1.5, nan]
    """
    dtype = column.dtype
    if dtype.is_numeric() or dtype == nw.Boolean:
        return floats(column)
    if not _may_hold_strings(column):
        refuse(column, expected, "a number is needed")
    missing = missing_rows(column)
    return np.array(
        [np.nan if absent else _number(value, column, expected) for value, absent in _rows(column, missing)],
        dtype=np.float64,
    )


def as_truth(column: Column, expected: str) -> FloatArray:
    """Convert to 1 for true, 0 for false and NaN where missing, shape (n,); "true", "0" and the like are converted too.

    Raises:
        FeatureError: A value is neither.
    """
    if column.dtype == nw.Boolean:
        return floats(column)
    if column.dtype.is_numeric():
        values = floats(column)
    elif _may_hold_strings(column):
        missing = missing_rows(column)
        words = ["" if absent else str(value).strip().lower() for value, absent in _rows(column, missing)]
        values = np.array([TRUTH.get(word, 2.0) if word else np.nan for word in words], dtype=np.float64)
        values[~missing & np.isnan(values)] = 2.0
    else:
        refuse(column, expected, "true or false is needed")
    odd = np.flatnonzero(~np.isnan(values) & (values != 0) & (values != 1))
    if odd.size:
        refuse(column, expected, f"{_shown(column[int(odd[0])])} in row {odd[0]:,} is neither true nor false")
    return values


def as_texts(column: Column, expected: str) -> tuple[list[Any], BoolArray]:
    """Convert to strings (n,), and tell which are missing (n,); the string of a missing value means nothing.

    Whole numbers become their digits, so that codes which a CSV reader took for numbers are recognised.

    Raises:
        FeatureError: The dtype does not hold names.
    """
    dtype, missing = column.dtype, missing_rows(column)
    if dtype == nw.String:
        return column.to_list(), missing
    if _may_hold_strings(column) or dtype.is_integer() or dtype == nw.Boolean:
        return [None if absent else str(value) for value, absent in _rows(column, missing)], missing
    if not dtype.is_float():
        refuse(column, expected, "strings are needed")
    values = floats(column)
    fractional = np.flatnonzero(~missing & (values != np.trunc(values)))
    if fractional.size:
        first = int(fractional[0])
        refuse(column, expected, f"{float(values[first])!r} in row {first:,} is not a whole number")
    rows = zip(values.tolist(), missing.tolist(), strict=True)
    return [None if absent else str(int(value)) for value, absent in rows], missing


def as_moments(column: Column, expected: str, zone: str | None) -> Column:
    """Convert to a Date or Datetime column, with a time zone if ``zone`` is one; ISO 8601 strings are converted too.

    Raises:
        FeatureError: A value is not a date, or has a time zone where there was none or the reverse.
    """
    if _may_hold_strings(column):
        column = _parsed_moments(column, expected)
    if column.dtype not in (nw.Date, nw.Datetime):
        refuse(column, expected, "a date is needed")
    current = getattr(column.dtype, "time_zone", None) if column.dtype == nw.Datetime else None
    if (current is None) != (zone is None):
        what = "it has a time zone now" if zone is None else f"it has no time zone now, and was in {zone}"
        refuse(column, expected, what)
    return column


def _parsed_moments(column: Column, expected: str) -> Column:
    missing = missing_rows(column)
    values = [None if absent else value for value, absent in _rows(column, missing)]
    for row, value in enumerate(values):
        if isinstance(value, str) and not MOMENT.fullmatch(value.strip()):
            refuse(column, expected, f"{value!r} in row {row:,} is not a date like 2024-01-31 or 2024-01-31 18:30:00")
        if value is not None and not isinstance(value, (str, datetime.date)):
            refuse(column, expected, f"{_shown(value)} in row {row:,} is not a date")
    stamps = [value.strip() if isinstance(value, str) else _without_zone(value) for value in values]
    try:
        moments = np.array(stamps, dtype="datetime64[us]")
    except ValueError as error:
        refuse(column, expected, f"a date does not exist ({error})")
    if all(type(value) is datetime.date for value in values if value is not None):
        days = nw.new_series(column.name, moments, backend=column.implementation)
        return days if column.implementation.is_pandas_like() else days.cast(nw.Date)
    return nw.new_series(column.name, moments, backend=column.implementation)


def _without_zone(value: Any) -> Any:
    """Return a moment as UTC has it, since NumPy holds no zone; any other value as it is."""
    if getattr(value, "tzinfo", None) is None:
        return value
    return value.astimezone(datetime.timezone.utc).replace(tzinfo=None)


def as_vectors(column: Column, size: int, expected: str) -> FloatMatrix:
    """Convert lists of numbers to a matrix (n, size), whose rows are NaN where a list is missing.

    Raises:
        FeatureError: A list has another length, or does not hold numbers.
    """
    rows = column.to_list()
    there: dict[int, FloatMatrix] = {}
    for position, row in enumerate(rows):
        if is_vector(row):
            there[position] = as_vector(row, column.name)
            length = there[position].size
            if length != size:
                refuse(column, expected, f"row {position:,} holds a list of {length:,} instead of {size:,} numbers")
        elif row is not None and not (isinstance(row, float) and np.isnan(row)):
            refuse(column, expected, f"{_shown(row)} in row {position:,} is not a list of numbers")
    # Made only now: a file may claim vectors of any size.
    matrix = np.full((len(rows), size), np.nan, dtype=np.float32)
    for position, vector in there.items():
        matrix[position] = vector
    return matrix


def is_vector(value: object) -> TypeGuard[Sized]:
    """Whether a value is a list or an array."""
    if value is None or isinstance(value, (float, str)) or not hasattr(value, "__len__"):
        return False
    return getattr(value, "ndim", 1) > 0


def _may_hold_strings(column: Column) -> bool:
    return isinstance(column.dtype, (nw.String, nw.Categorical, nw.Enum, nw.Object))


def refuse(column: Column, expected: str, what: str) -> NoReturn:
    """Raise because the column is not what it was when the encoders were fitted.

    Raises:
        FeatureError: Always.
    """
    raise FeatureError(
        f"Column {column.name!r} was {expected} when the encoders were fitted and is {column.dtype} now: {what}. "
        "Convert it to what it was, or fit again."
    )


def _rows(column: Column, missing: BoolArray) -> Iterator[tuple[Any, bool]]:
    """Yield each value, and whether it is missing."""
    return zip(column.to_list(), missing.tolist(), strict=True)


def _number(value: Any, column: Column, expected: str) -> float:
    if isinstance(value, str) and not NUMBER.fullmatch(value):
        refuse(column, expected, f"{_shown(value)} is not a number")
    try:
        return float(value)
    except (TypeError, ValueError):
        refuse(column, expected, f"{_shown(value)} is not a number")


def as_vector(row: object, name: str) -> FloatMatrix:
    """Convert a list of numbers, or an array of any shape, to an array (size,).

    Raises:
        FeatureError: It holds something else.
    """
    try:
        return np.asarray(cast("ArrayLike", row), dtype=np.float32).ravel()
    except (TypeError, ValueError) as error:
        raise FeatureError(
            f"Column {name!r} holds lists of something else than numbers (such as {str(row)[:40]}). "
            "Leave it out with exclude=, or turn it into numbers or a string."
        ) from error


def _shown(value: object) -> str:
    return repr(value)[:60]
