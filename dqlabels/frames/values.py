"""Turn columns of any dtype into codes of their different values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import narwhals as nw
import numpy as np

from dqlabels.frames.arrays import IntArray
from dqlabels.frames.columns import Column, Frame, string_codes
from dqlabels.frames.conversion import as_floats, missing_rows


def value_codes(column: Column) -> IntArray:
    """Number (n,) of the value in each row among the different values of the column, -1 where missing.

    >>> import polars as pl
    >>> value_codes(nw.from_native(pl.Series([[1, 2], None, [1, 2]]), series_only=True)).tolist()
    [0, -1, 0]
    """
    dtype = column.dtype
    if dtype.is_numeric() or dtype == nw.Boolean:
        values = as_floats(column, str(dtype))
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


def codes_of(table: Frame, names: Iterable[str]) -> dict[str, IntArray]:
    """Value codes (n,) of each of these columns."""
    return {name: value_codes(table[name]) for name in names}
