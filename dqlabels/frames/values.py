"""Values of any dtype: codes of the different ones in a column, and single ones as Python has them."""

from __future__ import annotations

import math
from typing import Any

import narwhals as nw
import numpy as np

from dqlabels.frames.arrays import IntArray
from dqlabels.frames.columns import Column, floats, missing_rows, string_codes

# What pandas puts where there is no value.
MISSING_TYPES = ("NaTType", "NAType")


def value_codes(column: Column) -> IntArray:
    """Number (n,) of the value in each row among the different values of the column, -1 where missing.

    >>> import polars as pl
    >>> value_codes(nw.from_native(pl.Series([[1, 2], None, [1, 2]]), series_only=True)).tolist()
    [0, -1, 0]
    """
    dtype = column.dtype
    if dtype.is_numeric() or dtype == nw.Boolean:
        values = floats(column)
        known = ~np.isnan(values)
        codes = np.full(values.size, -1, dtype=np.int64)
        codes[known] = np.unique(values[known], return_inverse=True)[1]
        return codes
    if dtype == nw.String and (coded := string_codes(column)) is not None:
        return coded[0]
    places: dict[Any, int] = {}
    missing = missing_rows(column).tolist()
    rows = zip(column.to_list(), missing, strict=True)
    numbers = (-1 if absent else places.setdefault(_key(value), len(places)) for value, absent in rows)
    return np.fromiter(numbers, dtype=np.int64, count=len(missing))


def _key(value: Any) -> Any:
    """Return the value, or the text of a list, an array or a record, which cannot be hashed."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    return value if getattr(type(value), "__hash__", None) else str(value)


def python_value(value: Any) -> Any:
    """Return a value of a cell as Python itself has it, whatever the library; None where it is missing.

    A pandas Timestamp, a NumPy datetime64 and a PyArrow scalar of one moment are the same datetime. What Python has no
    type for, such as a pandas Period, comes back as it is.

    >>> python_value(np.timedelta64(90, "s")), python_value(np.datetime64("NaT")), python_value(np.float32(0.5))
    (datetime.timedelta(seconds=90), None, 0.5)
    """
    if hasattr(value, "as_py"):  # PyArrow
        value = value.as_py()
    if isinstance(value, (np.datetime64, np.timedelta64)):
        value = _to_microseconds(value)
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and not value.ndim):
        value = value.item()
    if type(value).__name__ in MISSING_TYPES:
        return None
    try:
        if hasattr(value, "to_pydatetime"):
            return value.to_pydatetime(warn=False)
        return value.to_pytimedelta() if hasattr(value, "to_pytimedelta") else value
    except (ValueError, OverflowError):
        return value  # beyond the years that Python has


def is_missing(value: object) -> bool:
    """Whether a single value is None, NaN, NaT or pandas' NA.

    >>> [is_missing(value) for value in (None, float("nan"), 0, "", ["a"])]
    [True, True, False, False, False]
    """
    return value is None or (isinstance(value, float) and math.isnan(value)) or type(value).__name__ in MISSING_TYPES


def entries_of(value: object) -> list[Any] | None:
    """Return the entries of a cell that holds a list, a tuple or a NumPy array of one dimension; None for any other.

    >>> entries_of(("a", "b")), entries_of(np.array([1, 2])), entries_of("ab")
    (['a', 'b'], [1, 2], None)
    """
    if isinstance(value, np.ndarray):
        return value.tolist() if value.ndim == 1 else None
    return list(value) if isinstance(value, (list, tuple)) else None


def _to_microseconds(value: np.datetime64 | np.timedelta64) -> Any:
    """Return the value in the finest unit that Python has a type for."""
    unit, _ = np.datetime_data(value.dtype)
    return value.astype(f"{value.dtype.kind}8[us]") if unit in ("ns", "ps", "fs", "as") else value
