"""Columns stored in ways that not every library reads: plain ones during an audit, given back as they were.

Byte-swapped, sparse, half and extended floats, run-end encoded, view and wide decimal columns hold the same numbers and
texts as plain ones. PyArrow keeps the moments of pandas whose zone narwhals does not know, such as America/New_York.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

import narwhals as nw
import numpy as np
from narwhals.dependencies import get_pandas, is_pandas_dataframe, is_pyarrow_table

from dqlabels.frames.arrays import BoolArray
from dqlabels.frames.zones import fixed_offset, zone_name

# Columns as they were, each alone in a frame, by name.
Stored = Mapping[str, Any]


def with_plain_storage(frame: Any) -> tuple[Any, dict[str, Any]]:
    """Return a pandas frame or PyArrow table whose columns every library reads, and what was stored otherwise, by name.

    Any other frame comes back as it is.

    >>> import numpy as np, pandas as pd
    >>> plain, stored = with_plain_storage(pd.DataFrame({"x": np.arange(3, dtype=">i4"), "y": [1.5, 2, 3]}))
    >>> [str(dtype) for dtype in plain.dtypes], list(stored)
    (['int32', 'float64'], ['x'])
    """
    if is_pandas_dataframe(frame):
        found = {at: plain for at in range(frame.shape[1]) if (plain := _plain_series(frame.iloc[:, at])) is not None}
        if not found:
            return frame, {}
        stored = {frame.columns[at]: frame.iloc[:, at].to_frame() for at in found}
        frame = frame.copy(deep=False)
        for at, plain in found.items():
            frame.isetitem(at, plain)
        return frame, stored
    stored = {}
    if is_pyarrow_table(frame):
        for at, (name, column) in enumerate(zip(frame.column_names, frame.columns, strict=True)):
            plain = _plain_arrow(column)
            if plain is not None:
                stored[name] = frame.select([at])
                frame = frame.set_column(at, name, plain)
    return frame, stored


def with_own_storage(frame: Any, stored: Stored) -> Any:
    """Return a frame of the caller's rows with the columns that were stored otherwise; of other rows, as it is."""
    if not stored or len(next(iter(stored.values()))) != len(frame):
        return frame
    if is_pyarrow_table(frame):
        for name, one in stored.items():
            frame = frame.set_column(frame.column_names.index(name), one.schema.field(0).with_name(name), one.column(0))
        return frame
    frame = frame.copy(deep=False)
    for name, one in stored.items():
        frame.isetitem(frame.columns.get_loc(name), one.iloc[:, 0].array)
    return frame


def differing(table: Any, frame: Any) -> dict[str, Any]:
    """Return the columns of a frame that a table, which was read from it, holds in another dtype."""
    if is_pyarrow_table(frame):
        pairs = zip(table.schema, frame.schema, strict=False)
        return {plain.name: frame.select([at]) for at, (plain, own) in enumerate(pairs) if plain.type != own.type}
    if not is_pandas_dataframe(frame):
        return {}
    dtypes = enumerate(zip(table.dtypes, frame.dtypes, strict=False))
    return {table.columns[at]: frame.iloc[:, at].to_frame() for at, (plain, own) in dtypes if plain != own}


def in_storage_of(one: Any, values: Any, changed: BoolArray) -> Any:
    """Return a column, alone in a frame, with other values where these ``changed`` (n,), stored as it is.

    Args:
        one: A column as the caller had it, alone in a frame.
        values: (n,) a plain column of the same library.
        changed: (n,) rows that take them.
    """
    if is_pyarrow_table(one):
        import pyarrow as pa

        return pa.table({"": _arrow_changed(one.column(0), values, changed)})
    pd, own = get_pandas(), one.iloc[:, 0]
    if _is_arrow(own.dtype):
        written = _arrow_changed(own.array.__arrow_array__(), values.array.__arrow_array__(), changed)
        return pd.DataFrame({"": pd.arrays.ArrowExtensionArray(written)}, index=own.index)
    # pandas takes no rows of byte-swapped numbers.
    native = own.dtype.newbyteorder("=") if isinstance(own.dtype, np.dtype) else own.dtype
    rows, source = np.flatnonzero(changed), np.arange(len(own))
    source[rows] = source.size + np.arange(rows.size)
    both = pd.concat([own.astype(native), values.iloc[rows].astype(native)], ignore_index=True)
    return both.iloc[source].astype(own.dtype).to_frame("")


def _plain_series(series: Any) -> Any:
    """Return a pandas column in plain storage; None where it is already."""
    dtype = series.dtype
    if isinstance(dtype, np.dtype):
        plain = _plain_dtype(dtype)
        return None if plain == dtype else series.astype(plain)
    if hasattr(series, "sparse"):
        dense = series.sparse.to_dense()
        plain = _plain_series(dense)
        return dense if plain is None else plain
    if getattr(dtype, "tz", None) is not None:
        return _known_zone(series)
    if not _is_arrow(dtype):
        return None
    plain = _plain_arrow(series.array.__arrow_array__())
    if plain is None:
        return None
    pd = get_pandas()
    return pd.Series(pd.arrays.ArrowExtensionArray(plain), index=series.index, name=series.name)


def _is_arrow(dtype: Any) -> bool:
    """Whether a pandas dtype is PyArrow's."""
    return hasattr(dtype, "pyarrow_dtype")


def _plain_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    if dtype.kind == "f" and dtype.itemsize not in (4, 8):
        return np.dtype(np.float32 if dtype.itemsize < 4 else np.float64)
    return dtype.newbyteorder("=") if dtype.kind in "iuf" else dtype


def _known_zone(series: Any) -> Any:
    """Return pandas moments in a zone that narwhals knows, with PyArrow in their own; None where they are already."""
    name = zone_name(series.dtype.tz)
    read = getattr(nw.from_native(series.iloc[:0], series_only=True).dtype, "time_zone", None)
    if read is not None and (read == name or fixed_offset(read) is not None):
        return None
    offset = fixed_offset(name)
    if offset is not None:
        return series.dt.tz_convert(datetime.timezone(offset))
    try:
        import pyarrow as pa
    except ModuleNotFoundError:
        return series.dt.tz_convert("UTC")
    moved = series.astype(get_pandas().ArrowDtype(pa.timestamp(series.dtype.unit, tz=name)))
    # Older versions of narwhals take these for times of day.
    return (
        moved if nw.from_native(moved.iloc[:0], series_only=True).dtype == nw.Datetime else series.dt.tz_convert("UTC")
    )


def _plain_arrow(array: Any) -> Any:
    """Return an Arrow column in plain storage, in chunks; None where it is already."""
    import pyarrow as pa

    own = array.type
    chunks = array.chunks if isinstance(array, pa.ChunkedArray) else [array]
    if _is(own, "run_end_encoded"):
        from pyarrow import compute

        array = pa.chunked_array([compute.run_end_decode(chunk) for chunk in chunks], own.value_type)
    elif isinstance(own, pa.BaseExtensionType):
        return None
    plain = _plain_arrow_type(array.type)
    if plain is not None:
        return _as_decimal(array, plain) if pa.types.is_decimal(plain) else _cast(array, plain)
    return None if array.type == own else array


def _is(dtype: Any, *names: str) -> bool:
    """Whether an Arrow type is one of these, which older versions of PyArrow may not have."""
    import pyarrow as pa

    return any(getattr(pa.types, f"is_{name}", lambda _: False)(dtype) for name in names)


def _plain_arrow_type(own: Any) -> Any:
    """Return the plain type that holds the same values; None for a plain one."""
    import pyarrow as pa

    if _is(own, "decimal32", "decimal64", "decimal256") or (_is(own, "decimal") and own.scale < 0):
        return pa.decimal128(38, max(own.scale, 0))
    if _is(own, "list_view", "large_list_view"):
        return (pa.list_ if _is(own, "list_view") else pa.large_list)(own.value_field)
    found = (
        (("string_view",), pa.large_string()),
        (("large_binary", "fixed_size_binary", "binary_view"), pa.binary()),
        (("float16",), pa.float32()),
        (("date64",), pa.date32()),
    )
    return next((plain for names, plain in found if _is(own, *names)), None)


def _cast(array: Any, dtype: Any) -> Any:
    """Cast an Arrow column, by way of Python where this version of PyArrow cannot."""
    import pyarrow as pa

    try:
        return array.cast(dtype)
    except pa.ArrowNotImplementedError:
        return pa.chunked_array([pa.array(array.to_pylist(), dtype)])


def _as_decimal(array: Any, plain: Any) -> Any:
    """Cast decimals to narrower ones, or to floats where one has more digits than these hold."""
    import pyarrow as pa

    try:
        return array.cast(plain)
    except pa.ArrowInvalid:
        return array.cast(pa.float64())


def _arrow_changed(own: Any, values: Any, changed: BoolArray) -> Any:
    """Return an Arrow column with other values (n,) where they ``changed`` (n,), in its own type."""
    import pyarrow as pa
    from pyarrow import compute

    if not changed.any():
        return own
    if _is(own.type, "run_end_encoded"):
        plain = values.cast(own.type.value_type)
        chunks = plain.chunks if isinstance(plain, pa.ChunkedArray) else [plain]
        ends = own.type.run_end_type
        return pa.chunked_array([compute.run_end_encode(chunk, run_end_type=ends) for chunk in chunks], own.type)
    written = _cast(values, own.type)
    try:
        return compute.if_else(pa.array(changed), written, own).cast(own.type)  # it widens decimals
    except pa.ArrowNotImplementedError:  # views, which hold the very values
        return written
