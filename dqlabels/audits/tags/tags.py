"""Columns -> tags: a list of labels per row, or one yes/no column per label."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dqlabels.errors import LabelColumnError, OptionError
from dqlabels.frames.columns import Column, Frame, require
from dqlabels.frames.look_alikes import class_look_alikes
from dqlabels.frames.values import entries_of, is_missing
from dqlabels.statistics.arrays import IntArray

# A tag for every other row names rows, not kinds of row.
MOST_TAGS_PER_ROW = 0.5
FEWEST_ROWS_TO_JUDGE = 20
# Tags that a message names.
MOST_NAMED = 10


@dataclass(frozen=True, slots=True, eq=False)
class Tags:
    """n rows and L tags: ``codes`` (n, L) is 1 where the row has the tag, 0 where not, -1 where that is not known.

    ``values`` are the tags in order; ``columns`` the label columns of the frame; ``lists`` (n,) what a list column
    holds, None for yes/no columns.
    """

    codes: IntArray
    values: tuple[Hashable, ...]
    columns: tuple[str, ...]
    title: str
    lists: list[Any] | None

    @property
    def known(self) -> NDArray[np.bool_]:
        """(n,) true where anything is known of the row's tags."""
        return np.asarray((self.codes >= 0).any(axis=1))

    @property
    def rows(self) -> IntArray:
        """(L,) rows that have each tag."""
        return np.asarray((self.codes == 1).sum(axis=0))

    @property
    def like(self) -> dict[int, int]:
        """The tag that a tag looks like, where it looks like one of more rows."""
        return class_look_alikes(self.values, self.rows)


def read_tags(table: Frame, label: str | Sequence[str]) -> Tags:
    """Tags from a list column, or from yes/no columns.

    Raises:
        LabelColumnError: Missing, empty, not lists, not yes/no, or nothing to tell apart.
        OptionError: A column named twice, or fewer than two columns.

    >>> import narwhals as nw
    >>> import polars as pl
    >>> tags = read_tags(nw.from_native(pl.DataFrame({"tags": [["a"], [], ["b", "a"], None]})), "tags")
    >>> tags.values, tags.codes.tolist()
    (('a', 'b'), [[1, 0], [0, 0], [1, 1], [-1, -1]])
    """
    columns = [label] if isinstance(label, str) else list(label)
    require(table, columns, "label")
    if not len(table):
        raise LabelColumnError(f"The frame has no rows, so {', '.join(map(repr, columns))} has no labels to audit.")
    tags = _from_lists(table, columns[0]) if len(columns) == 1 else _from_flags(table, columns)
    if not tags.known.any():
        raise LabelColumnError(f"Labels {tags.title!r}: all {len(table):,} rows are missing. Nothing can be audited.")
    return tags


def read_batch_tags(table: Frame, label: str, known: Sequence[Hashable]) -> Tags:
    """Return the tags of a batch: those that are known, in their order, then any others that its lists hold.

    Args:
        table: n rows.
        label: A column of lists; all of them may be empty.
        known: The tags that an auditor judges.

    Raises:
        LabelColumnError: No rows, not lists, nothing but missing ones, or none of the known tags among those listed.

    >>> import narwhals as nw
    >>> import polars as pl
    >>> tags = read_batch_tags(nw.from_native(pl.DataFrame({"tags": [["c"], ["b"], []]})), "tags", ["a", "b"])
    >>> tags.values, tags.codes.tolist()
    (('a', 'b', 'c'), [[0, 0, 1], [0, 1, 0], [0, 0, 0]])
    """
    require(table, [label], "label")
    if not len(table):
        raise LabelColumnError(f"The batch has no rows, so column {label!r} has no labels to audit.")
    listed = _Listed.of(table, label)
    if not listed.known.any():
        raise LabelColumnError(f"Column {label!r}: all {len(table):,} rows of the batch are missing.")
    other = listed.different - set(known)
    if other and other == listed.different:
        raise LabelColumnError(
            f"Column {label!r}: no label of the batch is one of the {len(known):,} that the auditor knows "
            f"({', '.join(map(repr, known[:MOST_NAMED]))}), but {_in_order(other)[0]!r}. Check which column it is, or "
            "fit again."
        )
    return listed.tags(label, (*known, *_in_order(other)))


def read_batch_flags(table: Frame, known: Sequence[Hashable]) -> Tags:
    """Return the tags of a batch whose yes/no columns an auditor knows.

    Args:
        table: n rows.
        known: The columns.

    Raises:
        LabelColumnError: No rows, a column that is not there or not yes/no, or nothing but missing answers.
    """
    columns = [str(name) for name in known]
    require(table, columns, "label")
    tags = _from_flags(table, columns)
    if not tags.known.any():
        raise LabelColumnError(f"Columns {tags.title!r}: all {len(table):,} rows of the batch are missing.")
    return tags


def _from_lists(table: Frame, label: str) -> Tags:
    listed = _Listed.of(table, label)
    values, rows = _in_order(listed.different), int(listed.known.sum())
    if not values and rows:
        raise LabelColumnError(f"Column {label!r}: all {rows:,} lists are empty, so there is no label.")
    if len(table) >= FEWEST_ROWS_TO_JUDGE and len(values) > MOST_TAGS_PER_ROW * rows:
        raise LabelColumnError(
            f"Column {label!r} has {len(values):,} different labels in {rows:,} rows, so they name rows "
            "rather than kinds of row. Group them, or keep the common ones."
        )
    return listed.tags(label, values)


@dataclass(frozen=True, slots=True, eq=False)
class _Listed:
    """The lists of n rows, None where missing, and each label in them with the place of its row."""

    lists: list[Any]
    row_of: list[int]
    labels: list[Any]

    @classmethod
    def of(cls, table: Frame, label: str) -> _Listed:
        row_of, listed = list[int](), list[Any]()
        lists: list[Any] = []
        for at, row in enumerate(table[label].to_list()):
            labels = _as_list(row, label, at)
            lists.append(labels)
            if labels is not None:
                row_of += [at] * len(labels)
                listed += labels
        if any(is_missing(value) for value in listed):
            where = next(at for at, value in zip(row_of, listed, strict=True) if is_missing(value))
            raise LabelColumnError(f"Column {label!r}: the list in row {where} holds a missing label. Take it out.")
        return cls(lists, row_of, listed)

    @property
    def known(self) -> NDArray[np.bool_]:
        """(n,) true where there is a list."""
        return np.array([labels is not None for labels in self.lists])

    @property
    def different(self) -> set[Any]:
        """The labels that the lists hold."""
        return set(self.labels)

    def tags(self, label: str, values: tuple[Hashable, ...]) -> Tags:
        """The lists as codes of these values, which all of their labels are among."""
        lookup = {value: position for position, value in enumerate(values)}
        codes = np.where(self.known[:, None], 0, -1) * np.ones((1, len(values)), dtype=np.int64)
        codes[self.row_of, [lookup[value] for value in self.labels]] = 1
        return Tags(codes, values, (label,), label, self.lists)


def _as_list(row: object, label: str, at: int) -> list[Any] | None:
    if is_missing(row):
        return None
    labels = sorted(row, key=str) if isinstance(row, (set, frozenset)) else entries_of(row)
    if labels is not None:
        return labels
    raise LabelColumnError(
        f"Column {label!r} row {at} holds {row!r}, which is no list of labels. For task='multilabel' pass a column of "
        "lists, or name one yes/no column a label."
    )


def _in_order(values: set[Any]) -> tuple[Hashable, ...]:
    try:
        return tuple(sorted(values))
    except TypeError:
        return tuple(sorted(values, key=lambda value: (type(value).__name__, str(value))))


def _from_flags(table: Frame, columns: Sequence[str]) -> Tags:
    if len(set(columns)) != len(columns):
        raise OptionError(f"label={list(columns)!r} names a column twice.")
    codes = np.column_stack([_yes_no(table[name]) for name in columns])
    return Tags(codes, tuple(columns), tuple(columns), ", ".join(columns), None)


def _yes_no(column: Column) -> IntArray:
    values = column.to_list()
    codes = np.full(len(values), -1, dtype=np.int64)
    for at, value in enumerate(values):
        if is_missing(value):
            continue
        if value not in (0, 1):
            raise LabelColumnError(
                f"Column {column.name!r} row {at} holds {value!r}: a column of task='multilabel' says yes or no (True "
                "and False, or 1 and 0). Leave task= out if the columns are what several people said of one label."
            )
        codes[at] = int(value)
    return codes
