"""The three columns an audit adds, in the frame's own library, under its own index, with its own missing value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from dqlabels.errors import LabelColumnError, OutputColumnError
from dqlabels.frames.columns import Column, Frame


def to_callers_kind(table: Frame, *, lazy: bool) -> Any:
    """The table in the caller's own library, as a lazy frame where the caller passed one.

    >>> import polars as pl
    >>> type(to_callers_kind(nw.from_native(pl.DataFrame({"y": [1]})), lazy=True)).__name__
    'LazyFrame'
    """
    return table.lazy().to_native() if lazy else table.to_native()


def check_outputs(table: Frame, label: str, names: Sequence[str]) -> None:
    """Refuse to overwrite a column.

    Raises:
        OutputColumnError: Naming those that exist.
    """
    there = [name for name in names if name in table.columns]
    if there:
        raise OutputColumnError(
            f"Column{'s' if len(there) > 1 else ''} {', '.join(map(repr, there))} already in the frame, and would be "
            f"overwritten by the audit of {label!r}. Drop them, or choose others with names=(quality, suggestion, "
            "flag); columns of an earlier audit are then no features."
        )


def with_columns(
    table: Frame,
    names: tuple[str, str, str],
    quality: NDArray[np.float64],
    suggested: Column,
    flag: NDArray[np.bool_],
    judged: NDArray[np.bool_],
) -> Frame:
    """The frame with three more columns (n,); quality and flag are null where a row is not ``judged`` (n,)."""
    return table.with_columns(
        _nullable(names[0], quality, judged, table),
        _aligned(suggested.alias(names[1]), table),
        _nullable(names[2], flag, judged, table),
    )


def new_column(table: Frame, name: str, values: NDArray[Any], dtype: Any) -> Column:
    """A column of these values (n,), null where they are None, under the index of the frame."""
    if values.dtype != object:
        return _aligned(nw.new_series(name, values, dtype, backend=table.implementation), table)
    if table.implementation.is_pandas_like() and dtype == nw.Int64:
        native = table.implementation.to_native_namespace()
        return _aligned(
            nw.from_native(native.Series(values.tolist(), name=name, dtype="Int64"), series_only=True), table
        )
    return _aligned(nw.new_series(name, values.tolist(), dtype, backend=table.implementation), table)


def _nullable(name: str, values: NDArray[Any], known: NDArray[np.bool_], table: Frame) -> nw.Series[Any]:
    backend = table.implementation
    if known.all():
        return _aligned(nw.new_series(name, values, backend=backend), table)
    if backend.is_pandas_like():
        native = table.implementation.to_native_namespace()
        if values.dtype == bool:
            values = native.array(values, dtype="boolean")
            values[~known] = native.NA
        return _aligned(nw.from_native(native.Series(values, name=name), series_only=True), table)
    dtype = nw.Boolean if values.dtype == bool else nw.Float64
    given = nw.new_series(name, values, dtype, backend=backend)
    nothing = nw.new_series(name, [None] * known.size, dtype, backend=backend)
    return given.zip_with(nw.new_series("known", known, nw.Boolean, backend=backend), nothing)


def _aligned(column: nw.Series[Any], table: Frame) -> nw.Series[Any]:
    """The values in their order, under the index of the frame where its library has one."""
    if not table.implementation.is_pandas_like():
        return column
    native = column.to_native().set_axis(table.to_native().index)
    return nw.from_native(native, series_only=True)


def palette(column: Column, values: Sequence[Any]) -> Column:
    """A column of these values (K,) in the dtype of ``column``; categories it lacks are added to a categorical's.

    Raises:
        LabelColumnError: A value that the dtype cannot hold.
    """
    native, library = column.to_native(), column.implementation.to_native_namespace()
    try:
        if column.implementation.is_pandas_like():
            return nw.from_native(library.Series(list(values), dtype=_pandas_dtype(native, values)), series_only=True)
        dtype = column.dtype
        if isinstance(dtype, nw.Enum):
            dtype = nw.Enum([*dtype.categories, *(value for value in values if value not in dtype.categories)])
        return nw.new_series(column.name, list(values), dtype, backend=column.implementation)
    except (TypeError, ValueError, OverflowError) as error:
        raise LabelColumnError(
            f"Column {column.name!r} is {column.dtype}, which cannot hold the classes the auditor knows "
            f"({', '.join(map(repr, values[:10]))}): {error}. Read it as it was read for the trusted table."
        ) from error


def _pandas_dtype(native: Any, values: Sequence[Any]) -> Any:
    categories = getattr(native.dtype, "categories", None)
    if categories is None:
        return native.dtype
    added = [value for value in values if value not in set(categories)]
    return type(native.dtype)([*categories, *added], ordered=native.dtype.ordered) if added else native.dtype
