"""Columns -> votes: label columns side by side, or one row per label with its annotator and item."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from dqlabels.audits.base import fresh_rows
from dqlabels.errors import LabelColumnError, OptionError
from dqlabels.frames.columns import Column, Frame, Labels, encode, read_labels, require
from dqlabels.statistics.arrays import IntArray
from dqlabels.statistics.votes import Votes, repeated

MOST_NAMED = 10


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """Votes, and where they stand in the frame.

    ``labels`` are all label values as codes; ``annotators`` are J names; ``item_of_row`` (n,) the item of each row;
    ``first_row`` (N,) a row of each item; ``given`` (n,) is the label in a row of a long frame, None for a wide one;
    ``names`` are the columns that hold labels, annotators or items, and judge nothing.
    """

    votes: Votes
    labels: Labels
    annotators: tuple[Hashable, ...]
    item_of_row: IntArray
    first_row: IntArray
    given: IntArray | None
    items: tuple[Hashable, ...] | None
    names: tuple[str, ...]
    title: str
    notes: tuple[str, ...]

    @property
    def class_rows(self) -> IntArray:
        """(K,) labels of each class that annotators gave."""
        return np.bincount(self.votes.code, minlength=len(self.labels.classes))


def read_wide(table: Frame, columns: Sequence[str]) -> Reading:
    """Read two or more columns, each with the labels of one annotator; a missing label was not given.

    Raises:
        LabelColumnError: A column that is missing, labels of different types, or nothing to compare.
        OptionError: Fewer than two columns, or one named twice.
    """
    columns = list(columns)
    if len(columns) < 2 or len(set(columns)) != len(columns):
        raise OptionError(
            f"label={columns!r} must name two or more different columns, one an annotator. A single column is audited "
            "by its name alone, as in label='y'; labels with the annotator in a column of its own by annotator= and "
            "item=."
        )
    require(table, columns, "label")
    title = ", ".join(columns)
    stacked = _stacked(table, columns, title)
    labels = read_labels(nw.from_native(stacked.to_frame().to_native(), eager_only=True), title)
    codes = labels.codes.reshape(len(columns), len(table)).T
    votes = Votes.of_columns(codes, len(labels.classes))
    _check_overlap(votes, title, f"audit one column alone, as in label={columns[0]!r}")
    rows = np.arange(len(table))
    notes = _notes(votes, tuple(columns))
    return Reading(votes, labels, tuple(columns), rows, rows, None, None, tuple(columns), title, notes)


def _stacked(table: Frame, columns: Sequence[str], title: str) -> Column:
    """The columns one below the other, in one dtype."""
    parts = [table[name] for name in columns]
    dtypes = {part.dtype for part in parts}
    if len(dtypes) > 1:
        if all(dtype.is_numeric() for dtype in dtypes):
            parts = [part.cast(nw.Float64) for part in parts]
        elif all(dtype in (nw.String, nw.Categorical) or isinstance(dtype, nw.Enum) for dtype in dtypes):
            parts = [_as_text(part) for part in parts]
        else:
            types = ", ".join(f"{name!r} {table[name].dtype}" for name in columns)
            raise LabelColumnError(
                f"Label columns hold different types ({types}), so their values cannot be compared. Cast them to one."
            )
    elif any(_native_dtype(part) != _native_dtype(parts[0]) for part in parts):  # categories of their own
        parts = [_as_text(part) for part in parts]
    frames = [part.alias(title).to_frame() for part in parts]
    return nw.concat(frames, how="vertical")[title]


def _as_text(column: Column) -> Column:
    """Return the values as text, with missing ones missing: pandas 2 turns those of a categorical into words."""
    missing = column.is_null().to_list()
    texts = [None if gone else str(value) for value, gone in zip(column.to_list(), missing, strict=True)]
    return nw.new_series(column.name, texts, nw.String, backend=column.implementation)


def _native_dtype(column: Column) -> object:
    return getattr(column.to_native(), "dtype", None)


def read_long(table: Frame, label: str, annotator: str | None, item: str | None) -> Reading:
    """Read one label per row, with the columns that name who gave it and what was labelled.

    Args:
        table: n rows.
        label: The column of the labels.
        annotator: The column that says who gave each label.
        item: The column that says what each label was given to.

    Raises:
        LabelColumnError: A column that is missing or holds nulls, or nothing to compare.
        OptionError: ``annotator`` or ``item`` is not given, or a column is named twice.
    """
    if annotator is None or item is None:
        named, other = ("annotator", "item") if item is None else ("item", "annotator")
        raise OptionError(
            f"{named}= was given without {other}=. One row per label needs both: annotator= names the column of "
            "who gave the label, item= the column of what was labelled."
        )
    if len({label, annotator, item}) < 3:
        raise OptionError(f"label={label!r}, annotator={annotator!r} and item={item!r} must be three columns.")
    require(table, [label, annotator, item], "label")
    labels = read_labels(table, label)
    who, annotators = _whole(table[annotator], "annotator")
    items, names = _whole(table[item], "item")
    known = labels.known
    votes = Votes.of(
        items[known], who[known], labels.codes[known],
        n_items=len(names), n_annotators=len(annotators), n_classes=len(labels.classes),
    )  # fmt: skip
    _check_overlap(votes, label, f"audit the labels alone, as in audit(frame, {label!r})")
    _, first = np.unique(items, return_index=True)
    notes = _notes(votes, annotators)
    return Reading(votes, labels, annotators, items, first, labels.codes, names, (label, annotator, item), label, notes)


def _whole(column: Column, role: str) -> tuple[IntArray, tuple[Hashable, ...]]:
    codes, values = encode(column)
    missing = int((codes < 0).sum())
    if missing:
        raise LabelColumnError(
            f"Column {column.name!r} ({role}) is missing in {missing:,} of {len(column):,} rows, so whose labels these "
            f"are is not known. Fill it in, or leave those rows out."
        )
    return codes, values


def _check_overlap(votes: Votes, title: str, otherwise: str) -> None:
    together = votes.labels_an_item() > 1
    if votes.n_annotators < 2 or not together.any():
        raise LabelColumnError(
            f"Labels {title!r}: no item has labels of two annotators ({votes.n_annotators} annotators, "
            f"{votes.n_items:,} items, {votes.item.size:,} labels), so they cannot be compared. Get second labels for "
            f"some items, or {otherwise}."
        )


def _notes(votes: Votes, annotators: Sequence[object]) -> tuple[str, ...]:
    notes = []
    labels = votes.labels_an_annotator
    for few, words in ((0, "gave no label and is left out of every estimate"), (1, "gave a single label")):
        named = [repr(annotators[j]) for j in np.flatnonzero(labels == few).tolist()]
        if named:
            more = f" and {len(named) - MOST_NAMED:,} more" if len(named) > MOST_NAMED else ""
            notes.append(f"Annotator {', '.join(named[:MOST_NAMED])}{more} {words}.")
    unlabelled = int((votes.labels_an_item()[votes.pattern] == 0).sum())
    if unlabelled:
        notes.append(f"{unlabelled:,} items have no label: they get the model's answer where there is one.")
    twice = repeated(votes)
    if twice:
        notes.append(f"{twice:,} labels repeat one by the same annotator on the same item; each counts.")
    counts = votes.class_counts()
    if not ((counts > 1).any(axis=1)).any():
        notes.append("Annotators agree on no item at all. Check that the columns hold the same fact.")
    return tuple(notes)


def rows_with_items(reading: Reading, table: Frame) -> tuple[Frame, list[str], NDArray[np.int64]]:
    """One row per item for the model to see, the columns whose values differ within an item, and the rows taken."""
    if reading.given is None:
        return table, [], reading.first_row
    first = reading.first_row
    whole = fresh_rows(table[first.tolist()])
    differing = [
        name for name in table.columns if name not in reading.names and _differs(table[name], reading.item_of_row)
    ]
    return whole, differing, first


def _differs(column: Column, items: IntArray) -> bool:
    if isinstance(column.dtype, (nw.List, nw.Array, nw.Struct)) or column.dtype == nw.Object:
        values = np.unique(np.array([str(value) for value in column.to_list()]), return_inverse=True)[1]
    elif column.dtype.is_float():
        values = np.unique(column.to_numpy(), return_inverse=True)[1]
    else:
        values = encode(column)[0]
    pairs = np.unique(items * (int(values.max()) + 2) + values + 1)
    return bool(pairs.size > np.unique(items).size)
