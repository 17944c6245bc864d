"""Columns of lists -> tokens: labels, probabilities and whatever else has one entry for each token of a sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from dqlabels.errors import DQLabelsError, FeatureError, LabelColumnError
from dqlabels.frames.columns import Column, Frame, Labels, read_labels, require
from dqlabels.frames.outputs import table_of
from dqlabels.frames.values import entries_of, is_missing
from dqlabels.statistics.arrays import BoolArray, IntArray

# Rows and tokens that a message names.
MAX_NAMED = 3
# What Transformers gives tokens to leave out.
IGNORED = -100


@dataclass(frozen=True, slots=True, eq=False)
class Sentences:
    """n sentences and their t tokens, one after the other.

    ``lists`` (n,) holds the labels of each sentence, None where it has none; ``lengths`` (n,) is its number of tokens,
    which is 0 where nothing tells it. ``labels`` has the t tokens, -1 where a token or its sentence has no label.
    """

    lists: list[list[Any] | None]
    lengths: IntArray
    labels: Labels

    @property
    def rows(self) -> IntArray:
        """(t,) the sentence of each token."""
        return np.repeat(np.arange(self.lengths.size), self.lengths)

    @property
    def starts(self) -> IntArray:
        """(n,) the first token of each sentence."""
        return np.asarray(np.cumsum(self.lengths) - self.lengths)

    @property
    def positions(self) -> IntArray:
        """(t,) the place of each token in its sentence, from 0."""
        return np.arange(int(self.lengths.sum())) - np.repeat(self.starts, self.lengths)

    @property
    def labelled(self) -> BoolArray:
        """(n,) true for sentences with a list of labels, be it empty."""
        return np.array([labels is not None for labels in self.lists], dtype=bool)

    def folded(self, values: Sequence[Any]) -> list[list[Any] | None]:
        """Return the values (t,) of the tokens as one list per sentence, None for sentences without labels."""
        ends = (self.starts + self.lengths).tolist()
        pairs = zip(self.starts.tolist(), ends, self.lists, strict=True)
        return [None if labels is None else list(values[start:end]) for start, end, labels in pairs]

    def name(self, token: int) -> str:
        """Name a token in a message."""
        row = int(np.searchsorted(np.cumsum(self.lengths), token, side="right"))
        return f"row {row}, token {token - int(self.starts[row])}"

    def names(self, tokens: IntArray) -> str:
        """Name the first of several tokens in a message."""
        more = "; …" if tokens.size > MAX_NAMED else ""
        return "; ".join(map(self.name, tokens[:MAX_NAMED].tolist())) + more


def read_sentences(table: Frame, label: str, others: Callable[[int], int | None] = lambda row: None) -> Sentences:
    """Read a column of lists of labels.

    Args:
        table: n rows.
        label: The label column.
        others: The number of tokens of a sentence without labels, by its row, where something else tells it.

    Raises:
        LabelColumnError: Not lists, nothing to audit, or labels that cannot be audited as classes.

    >>> import polars as pl
    >>> tagged = nw.from_native(pl.DataFrame({"tags": [["O", "B"], None, [], ["O", None]]}))
    >>> read_sentences(tagged, "tags").labels.codes.tolist()
    [1, 0, 1, -1]
    """
    require(table, [label], "label")
    column = table[label]
    lists = [as_list(value, label, row) for row, value in enumerate(column.to_list())]
    lengths = [(others(row) or 0) if labels is None else len(labels) for row, labels in enumerate(lists)]
    tokens = [value for labels, n in zip(lists, lengths, strict=True) for value in labels or [None] * n]
    known = np.array([not is_missing(value) for value in tokens], dtype=bool)
    if not known.any():
        raise LabelColumnError(_nothing(label, lists))
    present = [value for value, there in zip(tokens, known.tolist(), strict=True) if there]
    read = read_labels(_one_column(column, label, present), label)
    if IGNORED in read.classes:
        raise LabelColumnError(
            f"Column {label!r} holds the label {IGNORED}, by which Transformers marks tokens to leave out. Make it "
            "null."
        )
    codes = np.full(known.size, -1, dtype=np.int64)
    codes[known] = read.codes
    return Sentences(
        lists, np.array(lengths, dtype=np.int64), Labels(read.column, codes, read.classes, read.first_rows)
    )


def as_list(value: object, label: str, row: int) -> list[Any] | None:
    """Return a value of a column of lists as a list, None where it is missing.

    Raises:
        LabelColumnError: It is something else.
    """
    if is_missing(value):
        return None
    if (labels := entries_of(value)) is not None:
        return labels
    raise LabelColumnError(
        f"Column {label!r} row {row} holds {str(value)[:60]!r}, which is no list of labels. For task='tokens' each row "
        "is a sentence with a list of labels, one for each token."
    )


def _nothing(label: str, lists: Sequence[list[Any] | None]) -> str:
    if not lists:
        return f"The frame has no rows, so column {label!r} has no labels to audit."
    if all(labels is None for labels in lists):
        return f"Column {label!r}: all {len(lists):,} sentences are missing. Nothing can be audited."
    return f"Column {label!r}: no sentence holds a labelled token. Nothing can be audited."


def _one_column(like: Column, name: str, values: list[Any]) -> Frame:
    """A table of one column with these values, in the dtype of the lists' entries where it is known."""
    dtype = like.dtype.inner if isinstance(like.dtype, (nw.List, nw.Array)) else None
    backend = like.implementation
    return table_of({name: nw.new_series(name, values, dtype, backend=backend)}, backend)


def is_nested(column: Column) -> bool:
    """Whether a column holds lists."""
    if isinstance(column.dtype, (nw.List, nw.Array)):
        return True
    if column.dtype != nw.Object:
        return False
    present = column.drop_nulls()
    return bool(len(present)) and isinstance(present[0], (list, tuple, np.ndarray))


def holds_single_values(column: Column) -> bool:
    """Whether the lists of a column hold single values, such as words, and no vectors or structs."""
    if isinstance(column.dtype, nw.List):
        return not column.dtype.inner.is_nested()
    first = next((value[0] for value in column.drop_nulls().to_list() if length(value)), None)
    return not isinstance(first, (list, tuple, dict, np.ndarray))


def length(value: Any) -> int | None:
    """The number of entries of a list, None for what is none."""
    return len(value) if isinstance(value, (list, tuple, np.ndarray)) else None


def check_lengths(
    sentences: Sentences, lengths: Sequence[int | None], name: str, what: str, error: type[DQLabelsError]
) -> None:
    """Refuse lists that have not one entry for each label.

    Args:
        sentences: n sentences.
        lengths: (n,) of the lists, None where there is none.
        name: What holds them, for the message.
        what: What they hold, in the plural.
        error: What to raise.

    Raises:
        DQLabelsError: Naming the first such row.
    """
    wrong = unequal_rows(sentences, lengths)
    if not wrong:
        return
    row = wrong[0]
    has = f"{lengths[row]} {what}" if lengths[row] is not None else f"no {what}"
    more = f", and so on in {len(wrong):,} rows" if len(wrong) > 1 else ""
    raise error(
        f"Row {row} has {sentences.lengths[row]} labels and {has} in {name}{more}. Each token needs one of both: make "
        "the lists of a row equally long."
    )


def unequal_rows(sentences: Sentences, lengths: Sequence[int | None]) -> list[int]:
    """The labelled sentences with lists of other lengths than their labels."""
    found = zip(sentences.lists, lengths, strict=True)
    return [row for row, (labels, n) in enumerate(found) if labels is not None and len(labels) != (n or 0)]


def list_lengths(column: Column) -> list[int | None]:
    """The number of entries (n,) of each list of a column, None where there is none."""
    if isinstance(column.dtype, nw.List) and not column.implementation.is_pandas_like():
        return [None if n is None else int(n) for n in column.list.len().to_list()]
    return [length(value) for value in column.to_list()]


def exploded(column: Column, sentences: Sentences) -> Column:
    """Entries (t,) of a column of lists, one for each token; null where a list has another length."""
    filled = sentences.lengths > 0
    if isinstance(column.dtype, nw.List) and not column.implementation.is_pandas_like():
        part = column.filter(filled.tolist())
        if list_lengths(part) == sentences.lengths[filled].tolist():
            return _flattened(part)
    values: list[Any] = []
    for value, n in zip(column.to_list(), sentences.lengths.tolist(), strict=True):
        values += list(value) if length(value) == n else [None] * n
    dtype = column.dtype.inner if isinstance(column.dtype, nw.List) else None
    return nw.new_series(column.name, values, dtype, backend=column.implementation)


def _flattened(column: Column) -> Column:
    """The entries of lists, none of which is empty or missing, without a Python object for each."""
    native: Any = column.to_native()
    flat = native.combine_chunks().flatten() if column.implementation.is_pyarrow() else native.explode()
    if column.implementation.is_pyarrow():
        flat = column.implementation.to_native_namespace().chunked_array([flat])
    entries: Column = nw.from_native(flat, series_only=True)
    return entries.alias(column.name)


def listed_beside(
    table: Frame, label: str, sentences: Sentences, names: Iterable[str], *, must: bool = False
) -> list[str]:
    """Return those of the columns whose lists have one entry for each token.

    Args:
        table: n rows.
        label: The label column.
        sentences: The n sentences.
        names: The columns to look at.
        must: Whether lists of other lengths are an error.

    Raises:
        FeatureError: Naming the first row where they are.
    """
    found: list[str] = []
    for name in names:
        if name == label or not is_nested(table[name]):
            continue
        lengths = list_lengths(table[name])
        if must:
            check_lengths(sentences, lengths, f"column {name!r}", "entries", FeatureError)
        if must or not unequal_rows(sentences, lengths):
            found.append(name)
    return found


def former_suggestions(table: Frame, sentences: Sentences) -> list[str]:
    """Return the columns of suggestions that an earlier audit of these labels added, whatever they are called.

    Between a quality and a flag, they differ from the labels exactly where the flag is true.
    """
    names = table.columns
    found = []
    for quality, suggested, flag in zip(names, names[1:], names[2:], strict=False):
        kinds = table[quality].dtype.is_float() and table[flag].dtype == nw.Boolean
        if not kinds or not is_nested(table[suggested]):
            continue
        rows = zip(table[suggested].to_list(), table[flag].to_list(), sentences.lists, strict=True)
        if all(
            (list(other) != given) == flagged for other, flagged, given in rows if given and not is_missing(flagged)
        ):
            found.append(suggested)
    return found


def repeated(values: NDArray[Any] | None, sentences: Sentences) -> NDArray[Any] | None:
    """A value of each sentence (n,) for each of its tokens (t,)."""
    return None if values is None else values[sentences.rows]
