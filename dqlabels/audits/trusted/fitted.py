"""What a fitted auditor keeps of the trusted table, and how it judges a batch by it without training."""

from __future__ import annotations

import datetime
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from dqlabels.audits.classes.grades import GradeBars
from dqlabels.audits.classes.pipeline import Labelled, add_columns, audit_of
from dqlabels.audits.classes.result import LabelAudit
from dqlabels.audits.classes.spelling import Spelling
from dqlabels.audits.classes.verdict import judge_classes
from dqlabels.audits.options import Options
from dqlabels.audits.probabilities import MIN_ROWS_PER_CLASS
from dqlabels.audits.request import Request
from dqlabels.audits.trusted.drift import Baseline, Drift, label_shifts
from dqlabels.audits.verdict import Correction
from dqlabels.errors import LabelColumnError
from dqlabels.frames.columns import Column, Frame, Labels, encode
from dqlabels.frames.features import Encoded, FeatureEncoder
from dqlabels.frames.hashing import hash_matrix, hash_words
from dqlabels.frames.look_alikes import class_look_alikes, new_class_notes
from dqlabels.frames.media import Embedding, embed_columns
from dqlabels.frames.outputs import palette
from dqlabels.models.forest import FittedModel
from dqlabels.models.halves import HalvesModel
from dqlabels.models.out_of_sample import OutOfSample
from dqlabels.noise.increase import MIN_ROWS, DoubtSums, Measured, Zero
from dqlabels.noise.probability import WrongProbability
from dqlabels.noise.reference import rate_since
from dqlabels.statistics.arrays import FloatArray, IntArray, RealArray
from dqlabels.statistics.classes import ClassTally, model_error, take

GradedTask = Literal["classes", "ordinal"]
MOST_NAMED = 10
# More rows of a batch tell little more about its noise rate than so many.
MEASURED_ROWS = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class FittedRows:
    """Out-of-sample answers for the rows a model was fitted on, so that no copy of one is judged in sample.

    ``keys`` (m,) are ascending hashes of their features, and where ``by_label`` of their label as well;
    ``probs`` (m, K) are the answers of models that had not seen them. Both are empty where a model itself knows which
    rows it saw.
    """

    keys: NDArray[np.uint64]
    probs: FloatArray
    by_label: bool

    @classmethod
    def of(cls, matrix: NDArray[np.float32], codes: IntArray, probs: FloatArray, by_label: bool) -> FittedRows:
        """The answers for fitted rows; rows alike share the mean of theirs.

        Args:
            matrix: (m, d) features of the fitted rows.
            codes: (m,) their labels.
            probs: (m, K) what models that had not seen them said.
            by_label: Whether rows alike have their label in common too. On coarse tables they judge each other, each
                without itself.
        """
        if not len(matrix):
            return cls(np.empty(0, dtype=np.uint64), np.empty((0, probs.shape[1])), by_label)
        keys = _keys(matrix, codes if by_label else None)
        order = np.argsort(keys, kind="stable")
        keys, probs = keys[order], probs[order]
        starts = np.flatnonzero(np.diff(keys, prepend=keys[0] + np.uint64(1)) != 0)
        sums = np.add.reduceat(probs, starts, axis=0)
        mean = sums / np.diff(starts, append=keys.size)[:, None]
        # Where all are the same the mean is that, to the last bit.
        same = np.maximum.reduceat(probs, starts, axis=0) == np.minimum.reduceat(probs, starts, axis=0)
        return cls(keys[starts], np.where(same, probs[starts], mean), by_label)

    def answers(self, matrix: NDArray[np.float32], codes: IntArray) -> tuple[NDArray[np.bool_], IntArray]:
        """(n,) which rows were fitted on, and the place of each of these among ``keys``."""
        keys = _keys(matrix, codes if self.by_label else None)
        at = np.minimum(np.searchsorted(self.keys, keys), self.keys.size - 1)
        known = self.keys[at] == keys
        return known, at[known]


def _keys(matrix: NDArray[np.float32], codes: IntArray | None) -> NDArray[np.uint64]:
    hashes = hash_matrix(matrix)
    if codes is None:
        return hashes
    halves = hashes.view(np.uint32).reshape(-1, 2)
    return hash_words(np.column_stack([halves, codes.astype(np.uint32)]))


class KeptModel(Protocol):
    """A model that a trusted table left, with what is known of its rows: that of an auditor, or of one of its tags."""

    @property
    def model(self) -> FittedModel:
        """What judges rows."""

    @property
    def fitted_rows(self) -> FittedRows:
        """Out-of-sample answers for the rows it was fitted on."""

    @property
    def zero(self) -> Zero | None:
        """What increases of the noise rate are measured from; None in files of earlier versions."""

    @property
    def noise_rate(self) -> Mapping[str, Any]:
        """That of the trusted rows, as plain values."""


class Encoding(Protocol):
    """How the rows of a batch become features."""

    @property
    def encoder(self) -> FeatureEncoder:
        """What encodes columns."""

    @property
    def embed(self) -> Mapping[str, Embedding]:
        """The columns that are turned into vectors first, and how."""


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """All that judging a batch needs; K classes, d features.

    ``tally`` holds the trusted rows and self-confidence of each class, so its thresholds; ``profile`` is what
    ``LabelAudit.profile()`` gave; ``baseline`` how the features were spread; ``embed`` the columns that are turned into
    vectors first, and how; ``wrong`` is P(wrong) by score of the trusted rows, and ``zero`` what increases of the
    noise rate are measured from; files of earlier versions lack both. ``bars`` are those of grades.
    """

    label: str
    classes: tuple[Hashable, ...]
    label_dtype: str
    encoder: FeatureEncoder
    model: FittedModel
    tally: ClassTally
    fitted_rows: FittedRows
    profile: Mapping[str, Any]
    baseline: Baseline
    settings: Mapping[str, Any]
    names: tuple[str, str, str]
    embed: Mapping[str, Embedding]
    wrong: WrongProbability | None = None
    zero: Zero | None = None
    bars: GradeBars | None = None

    @property
    def task(self) -> GradedTask:
        """Whether the classes are grades."""
        return "classes" if self.bars is None else "ordinal"

    @property
    def noise_rate(self) -> Mapping[str, Any]:
        """That of the trusted rows, as plain values."""
        rate: Mapping[str, Any] = self.profile["noise_rate"]
        return rate

    @property
    def class_names(self) -> tuple[str, ...]:
        """What the classes are called in messages."""
        return tuple(map(str, self.classes))

    @property
    def error(self) -> float:
        """The share of the trusted labels that models which had not seen them disagree with."""
        if self.zero is None:
            return float(self.profile["model_error"])
        return self.zero.sums.error


@dataclass(frozen=True, slots=True, eq=False)
class BatchLabels:
    """A batch's label column by the classes of an auditor.

    ``codes`` (n,) are -1 where the label is missing or of no known class; ``foreign`` (n,) is the place of a
    class not known among ``values`` (K + U, the known classes first), -1 elsewhere; ``column`` holds those
    values in the batch's own dtype.
    """

    codes: IntArray
    foreign: IntArray
    values: tuple[Hashable, ...]
    column: Column


def trusted_zero(codes: IntArray, answer: OutOfSample, matrix: NDArray[np.float32]) -> Zero:
    """Measure the trusted rows (n,), each by the models that had not seen it.

    Args:
        codes: (n,) their class positions, -1 where missing.
        answer: What the model said of them.
        matrix: (n, d) their features.
    """
    probs, model = answer.probs.astype(np.float64), answer.fitted
    rest = np.setdiff1d(np.flatnonzero(codes >= 0), answer.seen)
    if rest.size and model is not None:
        probs[rest] = model.cross_fitted(matrix[rest])
    known = codes >= 0
    return Zero.of(codes[known], probs[known])


def trusted_tally(codes: IntArray, probs: RealArray, n_classes: int) -> ClassTally:
    """Rows and self-confidence of each class, of rows (n,) that have a label."""
    tally = ClassTally.empty(n_classes)
    tally.update(codes, take(probs, codes))
    return tally


def read_batch_labels(column: Column, classes: tuple[Hashable, ...], expected: str) -> BatchLabels:
    """A batch's labels by value; numbers written as strings, or strings that are numbers, count as such.

    Raises:
        LabelColumnError: No rows or labels, or a dtype that cannot hold the classes.
    """
    if len(column) == 0:
        raise LabelColumnError(f"The batch has no rows, so column {column.name!r} has no labels to audit.")
    present_codes, present = encode(column)
    if not present:
        raise LabelColumnError(f"Column {column.name!r}: all {len(column):,} labels of the batch are missing.")
    known = _as_written(classes, present, column, expected)
    place = {value: at for at, value in enumerate(known)}
    values = [*known, *(value for value in present if value not in place)]
    place = {value: at for at, value in enumerate(values)}
    at = np.array([*(place[value] for value in present), -1], dtype=np.int64)[present_codes]
    foreign = at >= len(classes)
    codes = np.where(foreign, -1, at)
    return BatchLabels(codes, np.where(foreign, at, -1), tuple(values), palette(column, values))


def _as_written(
    classes: tuple[Hashable, ...], present: tuple[Hashable, ...], column: Column, expected: str
) -> tuple[Hashable, ...]:
    """The classes as this batch writes them: themselves, or what they are in the type of its values."""
    kinds = {type(value) for value in present}
    if kinds & {type(value) for value in classes}:
        return classes
    kind = type(present[0])
    try:
        written = tuple(_as_kind(value, kind) for value in classes)
    except (TypeError, ValueError, KeyError, ArithmeticError) as error:
        raise LabelColumnError(
            f"Column {column.name!r} was {expected} in the trusted table and is {column.dtype} now, whose values "
            f"(such as {present[0]!r}) cannot be classes like {classes[0]!r}. Read it as it was read then."
        ) from error
    return written


def _as_kind(value: Any, kind: type) -> Any:
    """The same value in another type; numbers may be written out as strings, with no decimals if whole."""
    if kind is str:
        return str(int(value)) if isinstance(value, float) and value == int(value) else str(value)
    if kind is bool:
        return {"true": True, "1": True, "false": False, "0": False}[str(value).strip().lower()]
    if isinstance(value, datetime.date) and issubclass(kind, datetime.date):
        return _as_moment(value, kind)
    if isinstance(value, datetime.timedelta) and issubclass(kind, datetime.timedelta):
        return kind(days=value.days, seconds=value.seconds, microseconds=value.microseconds)
    converted = kind(value)
    if not isinstance(value, str) and converted != value:
        raise ValueError(f"{value!r} is no {kind.__name__}")
    return converted


def _as_moment(value: datetime.date, kind: type[datetime.date]) -> datetime.date:
    """The same day or moment in another type, such as the one that pandas has."""
    if not issubclass(kind, datetime.datetime):
        if isinstance(value, datetime.datetime) and value.time() != datetime.time():
            raise ValueError(f"{value!r} holds a time of day")
        return kind(value.year, value.month, value.day)
    if not isinstance(value, datetime.datetime):
        return kind(value.year, value.month, value.day)
    return kind.combine(value.date(), value.timetz())


def batch_options(fitted: Fitted, options: Options) -> Options:
    """Return the options of a batch's audit: those of the fit, with the number of threads asked for now."""
    return Options(task=fitted.task, names=fitted.names, n_jobs=options.n_jobs, **fitted.settings)


def judge_batch(fitted: Fitted, request: Request, labels: BatchLabels) -> LabelAudit:
    """The audit of a batch's n rows by what was fitted; nothing is trained."""
    table, options = request.table, request.options
    encoded = batch_matrix(fitted, table)
    probs, copies = batch_probs(fitted, encoded.matrix, labels.codes, options.n_jobs)
    notes = [*_foreign_notes(fitted, labels), *batch_notes(encoded, copies)]
    positions = np.flatnonzero(labels.codes >= 0)
    check_known(fitted, labels)
    everyone = positions.size == len(table)
    codes, known = (labels.codes, probs) if everyone else (labels.codes[positions], probs[positions])
    rare = fitted.tally.rows < MIN_ROWS_PER_CLASS
    measured = measured_batch(fitted, encoded.matrix, labels.codes, options.n_jobs)
    sums = None if measured is None else measured.sums
    verdict = judge_classes(
        codes, known, options, frozen_classes=rare if rare.any() else None, trusted=fitted.tally, bars=fitted.bars,
        shape=fitted.wrong,
        corrected=correction(fitted, sums, np.bincount(codes, minlength=rare.size)),
    )  # fmt: skip
    spelling = fitted_spelling(fitted, options)
    verdict = spelling.with_meant(verdict, codes)
    found = verdict.judgement
    own = Labels(labels.column, labels.codes, fitted.classes, np.arange(len(labels.values)))
    unjudged, missing = labels.foreign.copy(), (labels.codes < 0) & (labels.foreign < 0)
    unjudged[missing] = spelling.meant[probs[missing].argmax(axis=1)]
    whole = add_columns(table, fitted.names, found, positions, unjudged, own.values)
    error = model_error(codes, found.likely) if measured is None else measured.sums.error
    shifts = label_shifts(fitted.profile, fitted.classes, found.class_counts, fitted.error, error)
    features = fitted.baseline.shifts(encoded.matrix, fitted.encoder)
    drift = Drift(fitted.profile, (*shifts, *features), fitted.zero, measured)
    audit = audit_of(
        request, Labelled(own, positions, codes, known), verdict, whole,
        model=f"{fitted.model.name} on {fitted.profile['rows']:,} trusted rows", features=fitted.encoder.names,
        notes=(*notes, *drift.notes()),
    )  # fmt: skip
    return replace(audit, moved=drift, unseen=int((labels.foreign >= 0).sum()))


def correction(fitted: KeptModel, sums: DoubtSums | None, class_rows: IntArray) -> Correction | None:
    """Return what the trusted rows make of a batch's noise rate: theirs and the increase, which few rows tell better.

    None where no increase can be told.

    Args:
        fitted: What was learned.
        sums: The doubt of the batch, where it is measured.
        class_rows: (K,) rows of the batch that carry each class.
    """
    zero = fitted.zero
    if zero is None or sums is None or not zero.is_telling or int(sums.rows.sum()) < MIN_ROWS:
        return None
    increase = zero.increase(sums)
    return lambda own: rate_since(own, class_rows, fitted.noise_rate, increase)


def measured_batch(
    fitted: KeptModel, matrix: NDArray[np.float32], codes: IntArray, n_jobs: int | None
) -> Measured | None:
    """Measure the labels of a batch as the trusted ones were measured; None for a file of an earlier version.

    Of a large batch about ``MEASURED_ROWS`` rows are, drawn by what they hold.

    Args:
        fitted: What was learned.
        matrix: (n, d) features.
        codes: (n,) class positions, -1 where there is none.
        n_jobs: Threads.
    """
    if fitted.zero is None:
        return None
    rows = np.flatnonzero(codes >= 0)
    rows = rows[drawn_to_measure(matrix[rows], rows.size)]
    return fitted.zero.measure(codes[rows], cross_fitted(fitted, matrix[rows], codes[rows], n_jobs), rows)


def drawn_to_measure(matrix: NDArray[np.float32], n_rows: int) -> NDArray[np.bool_]:
    """Return which rows (b,) of a batch are measured, by what they hold.

    Args:
        matrix: (b, d) features of rows that carry a known class.
        n_rows: How many such rows the batch has.
    """
    if n_rows <= MEASURED_ROWS:
        return np.ones(len(matrix), dtype=bool)
    drawn = hash_matrix(matrix) >> np.uint64(32)
    return np.asarray(drawn < np.uint64(MEASURED_ROWS * 2**32 // n_rows))


def cross_fitted(fitted: KeptModel, matrix: NDArray[np.float32], codes: IntArray, n_jobs: int | None) -> FloatArray:
    """Return probabilities (b, K) by as much of the model as judged the trusted rows.

    Args:
        fitted: What was learned.
        matrix: (b, d) features.
        codes: (b,) class positions.
        n_jobs: Threads.
    """
    probs = fitted.model.cross_fitted(matrix, n_threads=n_jobs)
    if fitted.fitted_rows.keys.size:
        known, at = fitted.fitted_rows.answers(matrix, codes)
        probs[known] = fitted.fitted_rows.probs[at]
    return probs


def embedded_columns(table: Frame, seen: Frame, embed: Mapping[str, Embedding]) -> dict[str, Embedding]:
    """Return the columns that were turned into vectors, and how: as asked, or because their bytes are images.

    Args:
        table: n rows.
        seen: The same with its media as vectors.
        embed: What was asked for.
    """
    turned = [name for name in table.columns if name in embed or _kind_of(seen[name]) != _kind_of(table[name])]
    return {name: embed.get(name, "image") for name in turned}


def _kind_of(column: Column) -> object:
    """Its dtype, and of Python objects the type of the first there is."""
    if column.dtype != nw.Object:
        return column.dtype
    present = column.drop_nulls()
    return type(present[0]) if len(present) else None


def batch_matrix(fitted: Encoding, table: Frame) -> Encoded:
    """Encode the rows (n,) of a batch as the trusted ones were.

    Raises:
        FeatureError: Columns that are not there or not what they were.
    """
    fitted.encoder.check(table.columns)
    others = [name for name in table.columns if name not in fitted.embed]
    return fitted.encoder.encode(embed_columns(table, fitted.embed, others))


def check_known(fitted: Fitted, labels: BatchLabels) -> None:
    """Refuse a batch that holds no known class.

    Raises:
        LabelColumnError: Naming the classes that are known, and one of the batch.
    """
    if not (labels.codes >= 0).any():
        raise LabelColumnError(
            f"Column {fitted.label!r}: no label of the batch is one of the {len(fitted.classes)} classes the auditor "
            f"knows ({', '.join(map(repr, fitted.classes[:MOST_NAMED]))}), but {labels.values[len(fitted.classes)]!r}. "
            "Check which column it is, or fit again."
        )


def refuse_foreign(fitted: Fitted, labels: BatchLabels) -> None:
    """Refuse a batch that holds classes which are not known.

    Raises:
        LabelColumnError: Naming them.
    """
    foreign = labels.values[len(fitted.classes) :]
    if foreign:
        raise LabelColumnError(
            f"Column {fitted.label!r} holds {', '.join(map(repr, foreign[:10]))}, which the auditor was not fitted "
            f"on; it knows {', '.join(map(repr, fitted.classes[:20]))}. Fit again on data that holds them, or pass "
            "new_classes='keep' to leave their rows unjudged."
        )


def batch_probs(
    fitted: KeptModel, matrix: NDArray[np.float32], codes: IntArray, n_jobs: int | None
) -> tuple[FloatArray, int]:
    """Return probabilities (n, K), and how many rows are copies of fitted ones, judged as those were: out of sample.

    Args:
        fitted: What was learned.
        matrix: (n, d) features.
        codes: (n,) class positions, -1 where there is none.
        n_jobs: Threads.
    """
    if isinstance(fitted.model, HalvesModel):
        return fitted.model.judge(matrix, n_jobs)
    known, at = fitted.fitted_rows.answers(matrix, codes)
    copies = int(known.sum())
    if not copies:
        return fitted.model.predict_proba(matrix, n_threads=n_jobs), 0
    probs: FloatArray = np.empty((len(matrix), fitted.model.n_classes))
    probs[known] = fitted.fitted_rows.probs[at]
    if copies < len(matrix):
        probs[~known] = fitted.model.predict_proba(matrix[~known], n_threads=n_jobs)
    return probs, copies


def _foreign_notes(fitted: Fitted, labels: BatchLabels) -> list[str]:
    foreign = labels.foreign[labels.foreign >= 0]
    if not foreign.size:
        return []
    rows = np.bincount(foreign, minlength=len(labels.values))
    return foreign_notes(fitted, labels.values, rows)


def batch_notes(encoded: Encoded, copies: int) -> list[str]:
    """Return what a reader should know of the features of a batch.

    Args:
        encoded: Its rows.
        copies: How many of them copy rows that the auditor was fitted on.
    """
    notes = []
    for name, rows_of in encoded.unseen.items():
        notes.append(f"Column {name!r}: {_rows(rows_of)} with a value that the trusted table did not hold.")
    for name, rows_of in encoded.infinite.items():
        notes.append(f"Column {name!r}: infinite in {_rows(rows_of)}, treated as missing.")
    if copies:
        notes.append(
            f"{_rows(copies)} of the batch copy rows the auditor was fitted on, and were judged by the trees, folds or "
            "half that had not seen those."
        )
    return notes


def foreign_notes(fitted: Fitted, values: Sequence[Hashable], rows: IntArray) -> list[str]:
    """Return what a reader should know of classes that are not known, and which of them look like one that is.

    Args:
        fitted: What was learned of K classes.
        values: Classes (K + U,), the known ones first.
        rows: How many rows of the batch carry each, 0 for those that are known.
    """
    if not rows.any():
        return []
    k = len(fitted.classes)
    return [
        f"Classes the auditor was not fitted on: {rows_of_each(values, rows)}. Their rows are kept, with quality and "
        "flag null and the label as the suggestion, and are estimated nothing from. Fit again on data that holds them.",
        *new_class_notes(fitted.classes, fitted.tally.rows, values[k:], rows[k:]),
    ]


def fitted_spelling(fitted: Fitted, options: Options) -> Spelling:
    """What is suggested in place of classes that look like another by the names and rows of the trusted table."""
    rows = fitted.tally.rows
    return Spelling.of(class_look_alikes(fitted.classes, rows), rows, MIN_ROWS_PER_CLASS, options)


def rows_of_each(values: Sequence[object], rows: IntArray) -> str:
    """Return those of the values (U,) that have any rows (U,), with how many."""
    named = [f"{value!r} ({_rows(n)})" for value, n in zip(values, rows.tolist(), strict=True) if n]
    return ", ".join(named[:MOST_NAMED]) + (", …" if len(named) > MOST_NAMED else "")


def _rows(number: int) -> str:
    return f"{number:,} row{'' if number == 1 else 's'}"
