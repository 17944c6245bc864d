"""An auditor of numbers: the trees, the scale and the null of a trusted table, which judge each batch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from dqlabels.audits.options import Options
from dqlabels.audits.request import Request
from dqlabels.audits.streaming import IN_MEMORY_ONLY
from dqlabels.audits.trusted.drift import Baseline, ColumnSpread, Drift, Shift
from dqlabels.audits.trusted.fitted import batch_notes, drawn_to_measure
from dqlabels.audits.values.columns import ValueJudge
from dqlabels.audits.values.pipeline import audit_of, learn_by_sample
from dqlabels.audits.values.result import ValueAudit
from dqlabels.audits.values.task import check_values, judge_by_trees, kinds_of, poor_notes, residuals_of
from dqlabels.errors import LabelColumnError, OptionError
from dqlabels.frames.columns import Column, require
from dqlabels.frames.features import FeatureEncoder
from dqlabels.frames.outputs import check_outputs
from dqlabels.frames.targets import AmountTally, Targets, amounts, read_targets
from dqlabels.models.value_forest import ValueForest
from dqlabels.noise.increase import Zero
from dqlabels.statistics.arrays import BoolArray, FloatArray
from dqlabels.statistics.residuals import ResidualTally, SizeCounts, Tail, Usual, ValueRule
from dqlabels.statistics.scores import SCORE_UNIT
from dqlabels.statistics.value_scale import ValueScale

# Values of other rows that stand for wrong ones: the middles of so many parts of equal size, so that neither the order
# of the rows nor chance shows.
OTHER_VALUES = 16
# A score of no more than this share of what is usual is as good as any.
LEAST_SIZE = 2.0**-10


@dataclass(frozen=True, slots=True, eq=False)
class TrustedValues:
    """What batches of numbers are compared with.

    ``zero`` is what increases of the share of wrong values are measured from, ``spread`` how the values lay on their
    scale, and ``baseline`` how the features were spread.
    """

    zero: Zero
    spread: ColumnSpread
    baseline: Baseline


@dataclass(frozen=True, slots=True, eq=False)
class FittedValues:
    """All that judging a batch of numbers needs.

    ``trees`` with their ``encoder`` predict values on the ``scale``; ``coarse`` where rows alike are no copies. What is
    ``usual`` for a row, the ``tail`` of right values and the ``sizes`` of the scores are those of the trusted rows, and
    ``trusted`` is what batches are compared with; files of earlier versions lack it.
    ``rows`` were fitted, with values from ``least`` to ``largest`` of the ``family`` number, moment or duration, and
    lay ``error`` as far from their prediction as from the median.
    """

    label: str
    family: str
    encoder: FeatureEncoder
    trees: ValueForest
    coarse: bool
    scale: ValueScale
    usual: Usual
    tail: Tail
    sizes: SizeCounts
    rows: int
    least: float
    largest: float
    error: float
    fdr: float
    random_state: int
    names: tuple[str, str, str]
    trusted: TrustedValues | None = None

    class_names: ClassVar[tuple[str, ...]] = ("values",)

    @property
    def zero(self) -> Zero | None:
        """What increases of the share of wrong values are measured from; None in files of earlier versions."""
        return None if self.trusted is None else self.trusted.zero

    def judge(self, values: FloatArray, outputs: FloatArray) -> ValueJudge:
        """Return what judges a batch: its scores beside those of the trusted rows, by the tail of these.

        Args:
            values: (m,) its values.
            outputs: (m, 2) mean and spread of the trees.
        """
        sizes = SizeCounts(self.sizes.counts.copy())
        sizes.update(np.abs(self.usual.scores(residuals_of(self.scale, values, outputs), outputs[:, 1])))
        return ValueJudge(self.scale, ValueRule(self.usual, sizes.finish(self.fdr, self.tail)))


def fit_values(request: Request) -> tuple[FittedValues, tuple[str, ...]]:
    """Learn from a trusted table, and return what a reader should know of it.

    Raises:
        OptionError: An option that an auditor of numbers does not have.
        DQLabelsError: As an audit of the same table.
    """
    table, label, options = request.table, request.column, request.options
    require(table, [label], "label")
    check_values(table[label], options)
    if others := options.not_default(IN_MEMORY_ONLY):
        raise OptionError(
            f"{', '.join(f'{name}=' for name in others)}: an auditor of numbers judges by its own trees. Leave it out, "
            f"or audit each batch by dqlabels.audit(batch, {label!r}, task='regression')."
        )
    targets = read_targets(table, label)
    check_outputs(table, label, options.names)
    learned = learn_by_sample(table, label, targets.values, options)
    fitted, rule, known = learned.fitted, learned.rule, targets.known
    found, outputs, sizes = rule.judge.rule, learned.outputs[known].astype(np.float64), SizeCounts.empty()
    values, usual = fitted.scale.apply(targets.values[known]), found.usual
    sizes.update(np.abs(usual.scores(values - outputs[:, 0], outputs[:, 1])))
    middles = np.quantile(values, (np.arange(OTHER_VALUES) + 0.5) / OTHER_VALUES)
    elsewhere = [score_units(usual, other - outputs[:, 0], outputs[:, 1]) for other in middles.tolist()]
    trusted = TrustedValues(
        Zero.of_values(score_units(usual, values - outputs[:, 0], outputs[:, 1]), np.column_stack(elsewhere)),
        ColumnSpread.of_numbers(values.astype(np.float32)),
        Baseline.of(fitted.encoder.transform(table), fitted.encoder),
    )
    kept = FittedValues(
        label, family_of(table[label]), fitted.encoder, fitted.trees, fitted.coarse, fitted.scale, found.usual,
        found.sizes.tail, sizes, int(known.sum()), targets.least, targets.largest, rule.error, options.fdr,
        options.random_state, options.names, trusted,
    )  # fmt: skip
    return kept, (*request.notes, *fitted.notes, *rule.notes)


def score_units(usual: Usual, residuals: FloatArray, spread: FloatArray) -> FloatArray:
    """Scores (n,) in whole units, low is suspicious: how many factors of two a value is nearer than is usual.

    Args:
        usual: What is usual for a row.
        residuals: (n,) value less prediction, on the value scale.
        spread: (n,) spread of the trees.
    """
    sizes = np.maximum(np.abs(usual.scores(residuals, spread)), LEAST_SIZE)
    return np.asarray(np.rint(-np.log2(sizes) * SCORE_UNIT))


def family_of(column: Column) -> str:
    """Return whether a column holds numbers, moments or durations, whose amounts cannot be compared.

    >>> import polars as pl
    >>> family_of(nw.from_native(pl.Series([1.5]), series_only=True))
    'number'
    """
    if column.dtype == nw.Duration:
        return "duration"
    return "moment" if column.dtype.is_temporal() else "number"


def value_options(fitted: FittedValues, n_jobs: int | None) -> Options:
    """Return the options of a batch's audit: those of the fit, with the number of threads asked for now."""
    return Options(
        task="regression", names=fitted.names, fdr=fitted.fdr, random_state=fitted.random_state, n_jobs=n_jobs
    )


def judge_values_batch(fitted: FittedValues, request: Request) -> ValueAudit:
    """The audit of a batch's n rows by the trusted null; nothing is trained."""
    table, options = request.table, request.options
    require(table, [fitted.label], "label")
    check_outputs(table, fitted.label, fitted.names)
    targets = _batch_targets(fitted, table[fitted.label])
    fitted.encoder.check(table.columns)
    encoded = fitted.encoder.encode(table)
    hashes = kinds_of(encoded.matrix, targets.values, coarse=fitted.coarse)
    outputs = judge_by_trees(fitted.trees, encoded.matrix, hashes, options.n_jobs).astype(np.float64)
    known, tally = targets.known, ResidualTally()
    values = targets.values[known]
    judge = fitted.judge(values, outputs[known])
    tally.update(residuals_of(judge.scale, values, outputs[known]), judge.scale.apply(values))
    moved = _drift(fitted, encoded.matrix, values, (known, outputs), tally.error())
    audit = audit_of(
        request, targets, judge, outputs, model=f"extra-trees on {fitted.rows:,} trusted rows", error=tally.error(),
        features=fitted.encoder.names, notes=(*batch_notes(encoded, 0), *poor_notes(fitted.error), *moved.notes()),
    )  # fmt: skip
    return replace(audit, moved=moved)


def _drift(
    fitted: FittedValues,
    matrix: NDArray[np.float32],
    values: FloatArray,
    judged: tuple[BoolArray, FloatArray],
    error: float,
) -> Drift:
    """How far a batch moved from the trusted rows.

    Args:
        fitted: What was learned.
        matrix: (n, d) features of the batch.
        values: (m,) its values that are not missing.
        judged: Which of its rows (n,) these are, and the outputs (n, 2) of the trees.
        error: How far the values lie from their prediction.
    """
    level = Shift("model error", "", fitted.error, error, error - fitted.error, None, None, drifted=False)
    trusted, (known, outputs) = fitted.trusted, judged
    if trusted is None:
        return Drift({}, (level,))
    rows = np.flatnonzero(known)
    drawn = drawn_to_measure(matrix[rows], rows.size)
    rows, scaled = rows[drawn], fitted.scale.apply(values)
    units = score_units(fitted.usual, scaled[drawn] - outputs[rows, 0], outputs[rows, 1])
    shifts = (
        level,
        trusted.spread.shift("values", "", scaled.astype(np.float32)),
        *trusted.baseline.shifts(matrix, fitted.encoder),
    )
    return Drift({}, shifts, trusted.zero, trusted.zero.measure_values(units, rows))


def _batch_targets(fitted: FittedValues, column: Column) -> Targets:
    """The values of a batch, however few.

    Raises:
        LabelColumnError: No values, infinite ones, or amounts of another family.
    """
    values, step = amounts(column)
    if (family := family_of(column)) != fitted.family:
        raise LabelColumnError(
            f"Column {fitted.label!r} held a {fitted.family} in each row of the trusted table, and holds a {family} "
            f"({column.dtype}) now. Read it as it was read then."
        )
    tally = AmountTally()
    tally.update(values)
    if not tally.known or tally.infinite:
        what = f"{tally.infinite:,} infinite values" if tally.infinite else "no value"
        raise LabelColumnError(
            f"Column {fitted.label!r}: {what} in the {tally.rows:,} rows of the batch. Make infinite values null, and "
            "skip batches without any value."
        )
    return Targets(column, values, step, fitted.least, fitted.largest)
