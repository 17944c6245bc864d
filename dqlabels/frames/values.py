"""Turn columns of any dtype into codes of their different values."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import numpy as np

from dqlabels.frames.arrays import IntArray
from dqlabels.frames.columns import Column, floats, missing_rows, string_codes


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
