"""Bring values that a caller passes beside a frame into the order of its rows: by index, or by position.

A pandas object says by its index which row each value belongs to. Taken by position in silence, one in another order
would judge every row by the values of another.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
from narwhals.dependencies import is_pandas_like_dataframe, is_pandas_like_series
from numpy.typing import NDArray

from dqlabels.errors import OptionError, ProbabilityError
from dqlabels.frames.columns import Column, Frame, floats


@dataclass(frozen=True, slots=True, eq=False)
class NamedColumns:
    """Numbers (n, K) by row of the frame, and the names (K,) of their columns."""

    values: NDArray[Any]
    names: tuple[Hashable, ...]

    def __len__(self) -> int:
        return len(self.values)

    def at(self, rows: NDArray[np.int64]) -> NamedColumns:
        """The same of these rows (m,)."""
        return NamedColumns(self.values[rows], self.names)


def in_row_order(values: Any, table: Frame, role: str) -> tuple[Any, str | None]:
    """Return the values in the order of the frame's rows, and a note where an index put them there.

    Args:
        values: What the caller passed: a pandas object, or anything else, which comes back as it is.
        table: n rows.
        role: The option, for messages.

    Raises:
        OptionError: The index of a pandas object does not say which rows its values belong to.

    >>> import pandas as pd
    >>> table = nw.from_native(pd.DataFrame({"y": ["a", "b"]}, index=["first", "second"]))
    >>> in_row_order(pd.Series([2, 1], index=["second", "first"]), table, "groups")[0].tolist()
    [1, 2]
    """
    if not (is_pandas_like_series(values) or is_pandas_like_dataframe(values)):
        return values, None
    if len(values) != len(table):
        return values, None  # refused with the number of rows, by whoever takes them
    own = values.index
    index = table.to_native().index if table.implementation.is_pandas_like() else None
    if index is not None and own.equals(index):
        return values, None
    places = _places(own, index)
    if places is not None:
        note = f"{role}= holds the keys of the frame's index in another order, and was aligned by them."
        return values.iloc[places], note
    if is_counted(own):
        return values, None
    raise OptionError(_refusal(own, index, role))


def is_counted(index: Any) -> bool:
    """Whether a pandas index says no more than the position: 0, 1, 2 and so on."""
    kind = getattr(index.dtype, "kind", "")
    return kind in "iu" and bool((np.asarray(index) == np.arange(len(index))).all())


def _places(own: Any, index: Any) -> NDArray[np.int64] | None:
    """Where the value of each row (n,) stands in an index that holds the frame's keys; None where it does not."""
    if index is None or not (own.is_unique and index.is_unique):
        return None
    places = np.asarray(own.get_indexer(index))
    return None if (places < 0).any() else places


def _refusal(own: Any, index: Any, role: str) -> str:
    ways = (
        f"Pass {role}=values.to_numpy() if the values are in the order of the rows; else give them the frame's index."
    )
    if index is None:
        start = ", ".join(repr(key) for key in own[:3].tolist())
        return f"{role}= has an index of its own ({start}, ...), but the frame has none to align it by. {ways}"
    for whose, keys in ((f"{role}=", own), ("the frame", index)):
        if not keys.is_unique:
            key = keys[keys.duplicated()][0]
            return f"{role}= cannot be aligned with the frame: the index of {whose} repeats {key!r}. {ways}"
    absent = index[~index.isin(own)]
    return (
        f"{role}= cannot be aligned with the frame: its index lacks {len(absent):,} of the {len(index):,} keys of the "
        f"frame's index, such as {absent[0]!r}. {ways}"
    )


def named_columns(values: Any, role: str) -> NamedColumns | None:
    """Return the numbers of a frame of any library with the names of its columns; None for anything else.

    Raises:
        ProbabilityError: A column holds no numbers, or two have one name.
    """
    try:
        frame = nw.from_native(values, eager_only=True)
    except TypeError:
        return None
    except nw.exceptions.DuplicateError as error:
        raise ProbabilityError(
            f"{role}= is a frame in which column names repeat: {list(values.columns)[:20]!r}. Give each column the "
            "name of its class."
        ) from error
    return _together(list(frame.iter_columns()), frame.columns, role)


def columns_of(table: Frame, names: Sequence[Any], role: str) -> NamedColumns:
    """Return the numbers of these columns (K,), NaN where one is missing.

    Raises:
        ProbabilityError: A column holds no numbers.
    """
    return _together([table[name] for name in names], names, role)


def _together(columns: Sequence[Column], names: Sequence[Any], role: str) -> NamedColumns:
    values = [_numbers(column, role) for column in columns]
    return NamedColumns(np.column_stack(values) if values else np.empty((0, 0)), tuple(names))


def _numbers(column: Column, role: str) -> NDArray[Any]:
    try:
        if column.dtype.is_numeric():
            numbers = column.to_numpy()
            return numbers if numbers.dtype in (np.float32, np.float64) else floats(column)
        if column.dtype == nw.Object:
            return np.asarray(column.to_list(), dtype=np.float64)
    except (TypeError, ValueError):
        pass  # a value that is no number
    raise ProbabilityError(
        f"Column {column.name!r} of {role}= holds {column.dtype}. Pass numbers in [0, 1]; a list of vectors, one for "
        "each token of a sentence, is for task='tokens'."
    )
