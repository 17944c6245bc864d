"""Probabilities of every token: as the caller has them in lists of vectors, or by a model trained on other columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from dqlabels.audits.base import fresh_index
from dqlabels.audits.beside import are_names
from dqlabels.audits.options import Options
from dqlabels.audits.probabilities import (
    ClassProbabilities,
    Training,
    given_probabilities,
    trained_probabilities,
)
from dqlabels.audits.tokens.sentences import (
    Sentences,
    check_lengths,
    exploded,
    former_suggestions,
    list_lengths,
    listed_beside,
    read_sentences,
    repeated,
)
from dqlabels.errors import FeatureError, OptionError, ProbabilityError
from dqlabels.frames.beside import NamedColumns
from dqlabels.frames.columns import Column, Frame, require, row_values
from dqlabels.frames.outputs import table_of
from dqlabels.frames.values import is_missing
from dqlabels.models.folds import FOLDS, Fold, Splitter
from dqlabels.statistics.arrays import FloatArray, IntArray
from dqlabels.statistics.classes import fault_of, shown_probs

ONE_COLUMN = (
    "pred_probs= of task='tokens' is the name of a column of lists, each with one vector of probabilities for each "
    "token (or a struct with a field per class); or one (tokens, K) array for each row."
)


@dataclass(frozen=True, slots=True, eq=False)
class Vectors:
    """The probabilities that a caller has of each sentence: ``rows`` (n,) of shape (tokens, K), None where missing.

    ``names`` are the fields of structs, empty where they are vectors; ``source`` names where they are, for messages.
    """

    rows: list[FloatArray | None]
    names: tuple[str, ...]
    source: str

    @classmethod
    def of(cls, table: Frame, pred_probs: Any) -> Vectors:
        """Read them from a column, or from one array for each row.

        Raises:
            ProbabilityError: Something else, or vectors of different lengths.
            FeatureError: The column does not exist.
        """
        if isinstance(pred_probs, NamedColumns) or (are_names(pred_probs) and len(pred_probs) != 1):
            raise ProbabilityError(ONE_COLUMN)
        if are_names(pred_probs):
            require(table, pred_probs, "pred_probs")
            source, column = f"column {pred_probs[0]!r}", table[pred_probs[0]]
            if (quick := _by_arrow(column, source)) is not None:
                return quick
            values = column.to_list()
        else:
            source, values = "pred_probs=", list(pred_probs)
            if len(values) != len(table):
                raise ProbabilityError(
                    f"pred_probs= holds {len(values):,} arrays for {len(table):,} rows. {ONE_COLUMN}"
                )
        read = [_matrix(value, source, row) for row, value in enumerate(values)]
        names = next((one[1] for one in read if one is not None and one[1]), ())
        return cls(_of_one_width([None if one is None else one[0] for one in read], source), names, source)

    def tokens(self, row: int) -> int | None:
        """The number of tokens of a sentence."""
        vectors = self.rows[row]
        return None if vectors is None else len(vectors)

    def of_tokens(self, sentences: Sentences) -> FloatArray:
        """Return the probabilities (t, K) of the tokens; a token without label and vector has the same for each class.

        Raises:
            ProbabilityError: Not one vector for each label, or no probabilities.
        """
        lengths = [None if one is None else len(one) for one in self.rows]
        check_lengths(sentences, lengths, self.source, "vectors of probabilities", ProbabilityError)
        probs = np.concatenate([one for one in self.rows if one is not None and len(one)])
        if probs.shape[1] < 2:
            raise ProbabilityError(f"{self.source} has one probability for each token; one for each class is needed.")
        left_out = (sentences.labels.codes < 0) & np.isnan(probs).all(axis=1)
        probs[left_out] = 1 / max(probs.shape[1], 1)
        bad, fault, advice = fault_of(probs)
        if bad.any():
            first = int(np.argmax(bad))
            raise ProbabilityError(
                f"{self.source}: the probabilities of {int(bad.sum()):,} of {len(probs):,} tokens {fault} "
                f"({sentences.name(first)}: {shown_probs(probs[first])}). {advice}"
            )
        return probs


def _by_arrow(column: Column, source: str) -> Vectors | None:
    """The same from a column of nested lists, without a Python object for each number; None where it cannot be.

    That is so without PyArrow, and where a vector is missing or of another length, which is said elsewhere.
    """
    dtype = column.dtype
    inner_type = dtype.inner if isinstance(dtype, nw.List) else None
    if not isinstance(inner_type, (nw.List, nw.Array, nw.Struct)):
        return None
    try:
        array: Any = column.to_arrow()
    except ModuleNotFoundError:
        return None
    array = array.combine_chunks() if hasattr(array, "combine_chunks") else array
    inner, lengths = array.flatten(), array.value_lengths().fill_null(-1).to_numpy(zero_copy_only=False)
    names = tuple(one.name for one in inner_type.fields) if isinstance(inner_type, nw.Struct) else ()
    parts = [inner.field(name) for name in names] if names else [inner.flatten()]
    if not len(inner) or inner.null_count or any(part.null_count or hasattr(part, "flatten") for part in parts):
        return None
    width = len(names) or len(parts[0]) // len(inner)
    if isinstance(inner_type, nw.List) and (inner.value_lengths().to_numpy(zero_copy_only=False) != width).any():
        return None
    numbers = [part.to_numpy(zero_copy_only=False).astype(np.float64) for part in parts]
    matrix = np.column_stack(numbers) if names else numbers[0].reshape(len(inner), width)
    ends = np.cumsum(np.maximum(lengths, 0))
    rows = zip(lengths.tolist(), ends.tolist(), strict=True)
    return Vectors([None if n < 0 else matrix[end - n : end] for n, end in rows], names, source)


def _matrix(value: Any, source: str, row: int) -> tuple[FloatArray, tuple[str, ...]] | None:
    """The vectors of a sentence as (tokens, K), and the names of their fields; None where there are none."""
    if isinstance(value, np.ndarray) and value.ndim == 2 and value.dtype.kind in "fiu":
        return value.astype(np.float64), ()
    if is_missing(value):
        return None
    try:
        entries = list(value)
        first = next((entry for entry in entries if not is_missing(entry)), ())
        fields = tuple(first) if isinstance(first, dict) else ()
        width = len(first)
        vectors = [[np.nan] * width if is_missing(entry) else _vector(entry, fields) for entry in entries]
        matrix = np.asarray(vectors, dtype=np.float64)
        if matrix.size != len(entries) * width or matrix.ndim > 2:
            raise ValueError("vectors of vectors")
        return matrix.reshape(len(entries), width), fields
    except (TypeError, ValueError, KeyError) as error:
        raise ProbabilityError(
            f"Row {row} of {source} holds {str(value)[:60]!r}, which is no list of vectors of equal length. "
            f"{ONE_COLUMN}"
        ) from error


def _vector(entry: Any, fields: tuple[str, ...]) -> Any:
    return [entry[name] for name in fields] if fields else entry


def _of_one_width(rows: Sequence[FloatArray | None], source: str) -> list[FloatArray | None]:
    """The vectors of the sentences, NaN where all of one are missing, unless they differ in length."""
    widths = {one.shape[1]: row for row, one in reversed(list(enumerate(rows))) if one is not None and one.size}
    if len(widths) > 1:
        (first, row), (second, other) = sorted(widths.items(), key=lambda one: one[1])[:2]
        raise ProbabilityError(
            f"Row {row} of {source} has vectors of {first} probabilities, row {other} of {second}. Each needs one "
            "number for each class, in the same order."
        )
    width = next(iter(widths), 0)
    return [one if one is None or one.size else np.full((len(one), width), np.nan) for one in rows]


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """The n sentences, and what a model or the caller says of their t tokens."""

    sentences: Sentences
    answers: ClassProbabilities


def token_probabilities(table: Frame, label: str, options: Options) -> Judged:
    """Read the sentences, and judge their tokens as the options ask for it.

    Args:
        table: n rows.
        label: A column of lists of labels.
        options: What the caller asks for.

    Raises:
        DQLabelsError: One of its subclasses, by what is wrong.
    """
    if options.pred_probs is None:
        if options.classes is not None:
            raise OptionError("classes= names the columns of pred_probs=, which was not given.")
        return _trained(table, label, options)
    vectors = Vectors.of(table, options.pred_probs)
    sentences = read_sentences(table, label, vectors.tokens)
    probs = vectors.of_tokens(sentences)
    _check_known(sentences, label, options.classes if options.classes is not None else vectors.names)
    given = NamedColumns(probs, vectors.names) if vectors.names else probs
    flat = table_of({label: sentences.labels.codes}, table.implementation)
    answers = given_probabilities(flat, sentences.labels, label, given, options.classes)
    return Judged(sentences, answers)


def _check_known(sentences: Sentences, label: str, classes: Sequence[object]) -> None:
    """Name the first token whose label is none of the classes that are listed."""
    absent = [code for code, value in enumerate(sentences.labels.classes) if value not in classes]
    if not len(classes) or not absent:
        return
    tokens = np.flatnonzero(np.isin(sentences.labels.codes, absent))
    value = sentences.labels.classes[sentences.labels.codes[tokens[0]]]
    raise ProbabilityError(
        f"Column {label!r}, {sentences.name(int(tokens[0]))}: {value!r} is none of the {len(classes)} classes that "
        f"there are probabilities of ({', '.join(map(repr, classes[:20]))}); so are {tokens.size:,} labels in all. Add "
        "a probability of it, or make labels of tokens to leave out null."
    )


def _trained(table: Frame, label: str, options: Options) -> Judged:
    """Judge the tokens by a model that saw no token of their sentence."""
    sentences, features = _read_features(table, label, options)
    flat = _token_table(table, label, sentences, features)
    groups = row_values(table, options.groups, "groups")
    own = np.arange(len(table)) if groups is None else groups
    weights = repeated(row_values(table, options.sample_weight, "sample_weight"), sentences)
    whole = options.changed(groups=repeated(own, sentences), sample_weight=weights, exclude=())
    if options.cv is not None and not isinstance(options.cv, int):
        labelled = sentences.rows[sentences.labels.codes >= 0]
        whole = whole.changed(cv=WholeSentences(options.cv, labelled))
    found = trained_probabilities(Training.of(flat, label, whole), sentences.labels)
    return Judged(sentences, replace(found, notes=(*features.notes, *found.notes)))


@dataclass(frozen=True, slots=True, eq=False)
class _Features:
    """The columns to judge by: ``lists`` with one entry for each token, and those of ``whole`` sentences."""

    lists: Sequence[str]
    whole: Sequence[str]
    notes: Sequence[str]


def _read_features(table: Frame, label: str, options: Options) -> tuple[Sentences, _Features]:
    """The sentences and what to judge them by: by default all columns with one entry for each token.

    Raises:
        FeatureError: There is none, or one that was named is not there or of other lengths.
    """
    named, sentences = options.features, read_sentences(table, label)
    require(table, [*options.exclude, *(named or ())], "feature")
    if named is not None and label in named:
        raise FeatureError(f"Column {label!r} is the label, so it cannot be a feature. Remove it from features=.")
    beside = [one for one in (options.groups, options.sample_weight) if isinstance(one, str)]
    apart = {label, *options.exclude, *beside, *(former_suggestions(table, sentences) if named is None else ())}
    chosen = [name for name in (table.columns if named is None else named) if name not in apart]
    lists = listed_beside(table, label, sentences, chosen, must=named is not None)
    others = [name for name in chosen if name not in lists]
    if not lists and (named is None or not others):
        raise FeatureError(
            f"No column has lists with one entry for each token of {label!r}, to judge them by. Pass pred_probs=, the "
            "name of a column of lists of probabilities; or put an embedding of each token into a column of lists of "
            "vectors; or name columns of whole sentences in features=."
        )
    lengths = [list_lengths(table[name]) for name in lists]
    read = read_sentences(table, label, lambda row: _common(lengths, row))
    if named is not None:
        return read, _Features(lists, others, ())
    words = f"Columns {', '.join(map(repr, others))} have not one entry for each token and were left out as features."
    return read, _Features(lists, (), (words,) if others else ())


def _common(lengths: Sequence[list[int | None]], row: int) -> int | None:
    """The number of tokens that all columns have in a row; None where they differ."""
    found = {one[row] for one in lengths}
    return found.pop() if len(found) == 1 else None


def _token_table(table: Frame, label: str, sentences: Sentences, features: _Features) -> Frame:
    """The features as a table with a row for each token."""
    columns: dict[str, Any] = {label: sentences.labels.codes}
    columns |= {name: exploded(table[name], sentences) for name in features.lists}
    places = sentences.rows.tolist()
    columns |= {name: fresh_index(table[name][places]) for name in features.whole}
    return table_of(columns, table.implementation)


@dataclass(frozen=True, slots=True, eq=False)
class WholeSentences:
    """A splitter that holds the tokens of a sentence together; ``sentences`` (m,) are those of the labelled tokens.

    ``cv`` is ``"time"`` or a splitter with scikit-learn's interface, which must keep groups together.
    """

    cv: str | Splitter
    sentences: IntArray

    def split(self, X: FloatArray, y: IntArray, groups: IntArray | None = None) -> Iterator[Fold]:
        """Positions of the tokens to train on and of those to judge, fold by fold.

        Raises:
            OptionError: A sentence is on both sides.
        """
        if isinstance(self.cv, str):
            yield from self._by_time()
            return
        for train, test in self.cv.split(X, y, groups):
            if np.isin(self.sentences[test], self.sentences[train]).any():
                raise OptionError(
                    f"cv={type(self.cv).__name__} puts tokens of one sentence on both sides of a split, where they "
                    "vouch for each other. Pass a number of folds, or a splitter that keeps groups, such as GroupKFold."
                )
            yield train, test

    def _by_time(self) -> Iterator[Fold]:
        """Each block of sentences by those before it, the first by those after it."""
        blocks = np.array_split(np.unique(self.sentences), FOLDS + 1)
        places: list[NDArray[np.int64]] = [np.flatnonzero(np.isin(self.sentences, block)) for block in blocks]
        yield np.concatenate(places[1:]), places[0]
        for at in range(1, len(places)):
            yield np.concatenate(places[:at]), places[at]
