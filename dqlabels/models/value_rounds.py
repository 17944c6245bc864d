"""The judge of numbers: trees, boosted trees and ridge regressions as one, in two rounds, each row out of sample.

The first round learns from values some of which are wrong. In the second each value counts by how plausible it was
after the first, on the scale on which distances from the prediction vary least.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dqlabels.models.sizes import MAX_FITTED_ROWS
from dqlabels.models.units import GroupNames, content_units, fitting_sample, row_weights
from dqlabels.models.value_folds import MAX_COLUMNS, Design, ValueFolds
from dqlabels.models.value_forest import MAX_TARGET, ForestSizes, judge_out_of_bag
from dqlabels.models.value_pool import pool_weights
from dqlabels.progress import Progress, ProgressOption
from dqlabels.statistics.arrays import FloatArray, IntArray, Matrix
from dqlabels.statistics.plausibility import likeliest_scale, plausible_weights, pulled_in
from dqlabels.statistics.value_scale import ValueScale
from dqlabels.threads import one_blas_thread

ROUNDS = 2
# A learner with less than this share of the pool is not named.
MIN_SHARE = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class ValuePredictions:
    """Predictions of n rows on the ``scale``: ``mean`` (n,), and ``spread`` (n,), the standard deviation of the trees.

    ``distinct_rows`` and ``coarse`` as in :class:`dqlabels.models.out_of_sample.OutOfSample`.
    """

    scale: ValueScale
    mean: FloatArray
    spread: FloatArray
    model: str
    distinct_rows: int
    coarse: bool


def predict_in_rounds(
    matrix: Matrix,
    values: FloatArray,
    *,
    groups: GroupNames | None = None,
    sample_weight: FloatArray | None = None,
    random_state: int = 0,
    n_jobs: int | None = None,
    progress: ProgressOption = None,
) -> ValuePredictions:
    """Predict every row's value from models that saw neither it nor a row identical to it.

    Args:
        matrix: (n, d) float32, NaN where missing.
        values: (n,) NaN where missing: never fitted.
        groups: (n,) values; rows of one group are never on both sides.
        sample_weight: (n,) weights, not negative.
        random_state: Seeds every draw.
        n_jobs: Threads; the answer does not depend on them, nor on the order of the rows.
        progress: As in :func:`dqlabels.audit`.

    Raises:
        ModelError: Rows that no tree can be grown without.
        OptionError: ``sample_weight`` cannot be used.

    >>> matrix = np.concatenate([np.linspace(0, 1, 30), np.linspace(2, 3, 30)]).astype(np.float32)[:, None]
    >>> found = predict_in_rounds(matrix, np.repeat([0.0, 10.0], 30))
    >>> found.scale.undo(found.mean).round(-1).tolist() == [0.0] * 30 + [10.0] * 30
    True
    """
    known = ~np.isnan(values)
    ranks = np.full(len(values), -1, dtype=np.int64)
    ranks[known] = np.unique(values[known], return_inverse=True)[1]
    weights = row_weights(sample_weight, len(values))
    units, order, distinct, coarse = content_units(matrix, ranks, groups)
    table = _Table.of(
        np.ascontiguousarray(matrix[order]), values[order], units[order],
        np.ones(order.size) if weights is None else weights[order], random_state,
    )  # fmt: skip
    with one_blas_thread:
        scale, mean, spread, model = _judged(table, ValueScale.of(values[known]), n_jobs, progress)
    back = np.empty(order.size, dtype=np.int64)
    back[order] = np.arange(order.size)
    return ValuePredictions(scale, mean[back], spread[back], model, distinct, coarse)


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """A table in the order of its content; ``known`` (k,) are the rows with a value, ``fitted`` those trees may see."""

    matrix: Matrix
    values: FloatArray
    units: IntArray
    weights: FloatArray
    known: IntArray
    fitted: IntArray
    folds: ValueFolds | None
    seed: int

    @classmethod
    def of(cls, matrix: Matrix, values: FloatArray, units: IntArray, weights: FloatArray, seed: int) -> _Table:
        known = np.flatnonzero(~np.isnan(values))
        # There are no classes to keep in proportion, so all rows count as one.
        fitted = fitting_sample(known, np.zeros(values.size, dtype=np.int64), units, seed, MAX_FITTED_ROWS)
        folds = ValueFolds.of(matrix, known[weights[known] > 0], units, seed)
        return cls(matrix, values, units, weights, known, fitted, folds, seed)

    def at_known(self, found: FloatArray) -> FloatArray:
        """As many numbers as rows (n,), of which those of the rows without a value are 0."""
        everywhere = np.zeros(self.values.size)
        everywhere[self.known] = found
        return everywhere


def _judged(
    table: _Table, first: ValueScale, n_jobs: int | None, progress: ProgressOption
) -> tuple[ValueScale, FloatArray, FloatArray, str]:
    """The scale, mean (n,) and spread (n,) of the second round, and the judge in words."""
    known, sizes = table.known, ForestSizes.in_memory(table.fitted.size)
    on_tree = Progress(progress).counter(ROUNDS * sizes.trees)
    values = table.values[known]
    judge = _Judge(table, sizes, n_jobs, on_tree)
    scaled = np.clip(first.apply(values), -MAX_TARGET, MAX_TARGET)
    mean, *_ = judge.judge(table.at_known(scaled), table.weights, 0)
    predicted = first.undo(mean[known])
    scale = likeliest_scale(values, predicted, first)
    expected = scale.apply(predicted)
    residuals = scale.apply(values) - expected
    targets = table.at_known(expected + pulled_in(residuals))
    plausible = table.weights * table.at_known(plausible_weights(residuals))
    return scale, *judge.judge(targets, plausible, 1)


@dataclass(slots=True, eq=False)
class _Judge:
    """The learners of one table; the curve of the first round keeps its width in the second."""

    table: _Table
    sizes: ForestSizes
    n_jobs: int | None
    on_tree: Callable[[], None]
    _curves: tuple[Design, ...] = ()

    def judge(self, targets: FloatArray, weights: FloatArray, turn: int) -> tuple[FloatArray, FloatArray, str]:
        """Mean (n,) of the pool, spread (n,) of the trees, and the pool in words."""
        table = self.table
        mean, spread = judge_out_of_bag(
            table.matrix, targets, table.fitted, table.units, weights,
            sizes=self.sizes, seed=table.seed + 1000 * turn, n_jobs=self.n_jobs, on_tree=self.on_tree,
        )  # fmt: skip
        answers = {"extra-trees": mean, **self._in_folds(targets, weights, turn)}
        rows = table.known if table.folds is None else table.folds.fitted
        predictions = np.column_stack(list(answers.values()))
        shares = pool_weights(predictions[rows], targets[rows], weights[rows])
        named = [
            f"{name} {share:.0%}" for name, share in zip(answers, shares.tolist(), strict=True) if share >= MIN_SHARE
        ]
        return predictions @ shares, spread, f"{', '.join(named)}, out of sample, in two rounds"

    def _in_folds(self, targets: FloatArray, weights: FloatArray, turn: int) -> dict[str, FloatArray]:
        """What the learners of folds predict; the boosted trees, which learn wrong values first, come second."""
        folds, matrix, answers = self.table.folds, self.table.matrix, {}
        if folds is None:
            return {}
        if matrix.shape[1] <= MAX_COLUMNS:
            line = Design.straight(matrix[folds.fitted])
            answers["straight regression"] = folds.line(targets, weights, line)
            self._curves = self._curves or line.curved(matrix[folds.fitted], self.table.seed)
            answers["curved regression"], curve = folds.curve(targets, weights, self._curves)
            self._curves = (curve,)
        if turn > 0:
            answers["boosted trees"] = folds.boosted(targets, weights, self.n_jobs)
        return answers
