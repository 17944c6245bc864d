"""Add columns to a frame in its own library, with its own index and missing values."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from dqlabels.errors import LabelColumnError, OutputColumnError
from dqlabels.frames.arrays import BoolArray, FloatArray
from dqlabels.frames.columns import Column, Frame
from dqlabels.frames.names import Form, dressed, with_original_names
from dqlabels.frames.storage import with_own_storage

if TYPE_CHECKING:
    from narwhals.typing import EagerAllowed, IntoDType


def to_callers_kind(table: Frame, form: Form) -> Any:
    """The table in the caller's own library, with the names and storage it had, and as lazy as it was.

    A pandas frame is of the caller's class, with its ``attrs`` and flags.

    >>> import polars as pl
    >>> type(to_callers_kind(nw.from_native(pl.DataFrame({"y": [1]})), Form(lazy=True))).__name__
    'LazyFrame'
    """
    if form.lazy:
        return table.lazy().to_native()
    native = with_own_storage(table.to_native(), form.stored)
    return dressed(with_original_names(native, form.names), form.like)


def table_of(columns: Mapping[str, Any], backend: EagerAllowed) -> Frame:
    """Return a table of these columns, each a sequence of values or a narwhals series of that library.

    Where a library is named, ``narwhals.from_dict`` hands its own series on, which Polars reads only by PyArrow.

    >>> import polars as pl
    >>> numbers = nw.new_series("n", [1, 2], nw.Int64, backend="polars")
    >>> table_of({"n": numbers, "s": ["a", "b"]}, nw.Implementation.POLARS).rows()
    [(1, 'a'), (2, 'b')]
    """
    native = {name: one.to_native() if isinstance(one, nw.Series) else one for name, one in columns.items()}
    return nw.from_dict(native, backend=backend)


def check_outputs(table: Frame, label: str, names: Sequence[str]) -> None:
    """Raise if the audit would overwrite a column.

    Raises:
        OutputColumnError: Some of ``names`` exist already.
    """
    existing = [name for name in names if name in table.columns]
    if existing:
        raise OutputColumnError(
            f"Column{'s' if len(existing) > 1 else ''} {', '.join(map(repr, existing))} already in the frame, and the "
            f"audit of {label!r} would overwrite {'them' if len(existing) > 1 else 'it'}. Drop what an earlier audit "
            "added, or choose other names with names=(quality, suggestion, flag); columns of an earlier audit are "
            "never used as features."
        )


def with_columns(
    table: Frame,
    names: tuple[str, str, str],
    quality: FloatArray,
    suggested: Column,
    flag: BoolArray,
    judged: BoolArray,
) -> Frame:
    """Add the three columns of an audit.

    Args:
        table: n rows.
        names: Names of the columns for quality, suggestion and flag.
        quality: (n,) in [0, 1].
        suggested: (n,) labels.
        flag: (n,) true where another label is suggested.
        judged: (n,) false where quality and flag shall be null.
    """
    return table.with_columns(
        _nullable(names[0], quality, judged, table),
        aligned(suggested.alias(names[1]), table),
        _nullable(names[2], flag, judged, table),
    )


def with_quality(table: Frame, name: str, quality: FloatArray) -> Frame:
    """Return the table with other qualities (n,), null where they are NaN."""
    return table.with_columns(_nullable(name, quality, ~np.isnan(quality), table))


def new_column(table: Frame, name: str, values: NDArray[np.generic], dtype: IntoDType) -> Column:
    """Make a column of these values (n,), null where they are None, under the index of the frame.

    Args:
        table: The frame whose library and index the column gets.
        name: The name of the column.
        values: (n,) values, None where there is none.
        dtype: Its dtype.

    >>> import polars as pl
    >>> table = nw.from_native(pl.DataFrame({"y": ["a", "b"]}))
    >>> new_column(table, "row", np.array([1, None], dtype=object), nw.Int64).to_list()
    [1, None]
    """
    if values.dtype != object:
        return aligned(nw.new_series(name, values, dtype, backend=table.implementation), table)
    if table.implementation.is_pandas_like() and dtype == nw.Int64:
        native = table.implementation.to_native_namespace()
        return aligned(
            nw.from_native(native.Series(values.tolist(), name=name, dtype="Int64"), series_only=True), table
        )
    return aligned(nw.new_series(name, values.tolist(), dtype, backend=table.implementation), table)


def _nullable(name: str, values: NDArray[np.generic], known: BoolArray, table: Frame) -> Column:
    """Make a column of these values (n,), null where they are not ``known`` (n,)."""
    backend = table.implementation
    if known.all():
        return aligned(nw.new_series(name, values, backend=backend), table)
    if backend.is_pandas_like():
        native = table.implementation.to_native_namespace()
        if values.dtype == bool:
            values = native.array(values, dtype="boolean")
            values[~known] = native.NA
        return aligned(nw.from_native(native.Series(values, name=name), series_only=True), table)
    dtype = nw.Boolean if values.dtype == bool else nw.Float64
    column = nw.new_series(name, values, dtype, backend=backend)
    nulls = nw.new_series(name, [None] * known.size, dtype, backend=backend)
    return column.zip_with(nw.new_series("known", known, nw.Boolean, backend=backend), nulls)


def aligned(column: Column, table: Frame) -> Column:
    """Return the column with the index of the frame, if its library has one; the order of the values stays."""
    if not table.implementation.is_pandas_like():
        return column
    native = column.to_native().set_axis(table.to_native().index)
    return nw.from_native(native, series_only=True)


def dtype_of_lists(given: nw.dtypes.DType, values: Sequence[Hashable]) -> IntoDType | None:
    """Return the dtype of the given lists where it can hold all values; None leaves lists what they are in Python.

    A batch in which all lists are empty does not say what they would hold, and its categories may be fewer.
    """
    if not isinstance(given, nw.List) or given.inner == nw.Unknown:
        return None
    if isinstance(given.inner, nw.Enum):
        there = given.inner.categories
        return nw.List(nw.Enum([*there, *(str(value) for value in values if value not in there)]))
    return given


def palette(column: Column, values: Sequence[Any]) -> Column:
    """Make a column of these values (K,) in the dtype of ``column``, to which missing categories are added.

    Raises:
        LabelColumnError: The dtype cannot hold one of the values.

    >>> import polars as pl
    >>> status = nw.from_native(pl.Series("status", ["open"], dtype=pl.Enum(["open"])), series_only=True)
    >>> palette(status, ["open", "closed"]).dtype
    Enum(categories=['open', 'closed'])
    """
    native, library = column.to_native(), column.implementation.to_native_namespace()
    try:
        if column.implementation.is_pandas_like():
            made = library.Series(list(values), name=column.name, dtype=_pandas_dtype(native, values))
            return nw.from_native(made, series_only=True)
        if isinstance(dtype := column.dtype, nw.Enum):
            dtype = nw.Enum([*dtype.categories, *(value for value in values if value not in dtype.categories)])
            return nw.new_series(column.name, list(values), dtype, backend=column.implementation)
        if column.implementation.is_pyarrow():
            made = library.chunked_array([library.array(list(values), type=native.type)])
        else:
            made = library.Series(column.name, list(values), dtype=native.dtype)
        made_column: Column = nw.from_native(made, series_only=True).alias(column.name)
        return made_column
    except (TypeError, ValueError, OverflowError) as error:
        raise LabelColumnError(
            f"Column {column.name!r} is {column.dtype}, which cannot hold the classes the auditor knows "
            f"({', '.join(map(repr, values[:10]))}): {error}. Read the column as it was read for the trusted table."
        ) from error


def _pandas_dtype(native: Any, values: Sequence[object]) -> Any:
    """Dtype of a pandas Series, with the categories that it lacks."""
    categories = getattr(native.dtype, "categories", None)
    if categories is None:
        return native.dtype
    added = [value for value in values if value not in set(categories)]
    return type(native.dtype)([*categories, *added], ordered=native.dtype.ordered) if added else native.dtype
