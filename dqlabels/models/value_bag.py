"""Out-of-bag predictions of numbers, and how far the trees behind each lie apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dqlabels.models.out_of_sample import (
    FEWEST_TREES,
    MOST_FITTED_ROWS,
    MOST_ROWS_A_TREE,
    SMALLEST_LEAF,
    TREE_ROWS,
    Bag,
    Drawn,
    FloatArray,
    IntArray,
    content_units,
    fit_tree,
    fitting_sample,
    row_weights,
)
from dqlabels.progress import ProgressOption

# Each tree sees half of the rows, which leaves twice as many trees to judge a row as a draw with repetition would have
# of the same work: these find as much as 200 such (docs/benchmarks.md).
TREES, ROWS_SHARE = 140, 0.5
# Leaf values become whole numbers, so that neither trees nor threads show their order in the sums: their squares over
# 400 trees still fit 63 bits up to the largest target.
UNIT = 2**21
LARGEST_TARGET = 64.0


@dataclass(frozen=True, slots=True, eq=False)
class ValuePredictions:
    """Of n rows: ``mean`` (n,) and ``spread`` (n,), the standard deviation of the trees that did not see the row.

    ``trained_rows``, ``distinct_rows`` and ``coarse`` as in :class:`dqlabels.models.out_of_sample.OutOfSample`.
    """

    mean: FloatArray
    spread: FloatArray
    model: str
    trained_rows: int
    distinct_rows: int
    coarse: bool


def predict_out_of_bag(
    matrix: NDArray[np.float32],
    targets: FloatArray,
    *,
    groups: NDArray[Any] | None = None,
    sample_weight: NDArray[Any] | None = None,
    random_state: int = 0,
    n_jobs: int | None = None,
    progress: ProgressOption = None,
) -> ValuePredictions:
    """Predict every row's target from bagged extra-trees that saw neither it nor a row identical to it.

    Args:
        matrix: (n, d) float32, NaN where missing.
        targets: (n,) on a scale of about 1, clipped to 64 either way; NaN where missing: never fitted, judged by
            every tree.
        groups: (n,) values; rows of one group are never on both sides.
        sample_weight: (n,) weights, not negative.
        random_state: Seeds every draw.
        n_jobs: Threads; the answer does not depend on them, nor on the order of the rows, bit for bit.
        progress: As in :func:`dqlabels.audit`.

    Raises:
        ModelError: Rows that no tree can be grown without.
        OptionError: ``sample_weight`` cannot be used.

    Source: Geurts, Ernst & Wehenkel (2006), Machine Learning 63:3-42, for the trees; Breiman (1996), Out-of-bag
    estimation, for the judging.

    >>> matrix = np.concatenate([np.linspace(0, 1, 30), np.linspace(2, 3, 30)]).astype(np.float32)[:, None]
    >>> found = predict_out_of_bag(matrix, np.repeat([0.0, 1.0], 30))
    >>> found.mean.round().tolist() == [0.0] * 30 + [1.0] * 30
    True
    """
    targets = np.clip(targets, -LARGEST_TARGET, LARGEST_TARGET)
    known = ~np.isnan(targets)
    ranks = np.full(len(targets), -1, dtype=np.int64)
    ranks[known] = np.unique(targets[known], return_inverse=True)[1]
    weights = row_weights(sample_weight, len(targets))
    units, order, distinct, coarse = content_units(matrix, ranks, groups)
    # All rows alike to the sample: there are no classes to keep in proportion.
    fitted = fitting_sample(order[known[order]], np.zeros_like(ranks), units, random_state, MOST_FITTED_ROWS)
    trees = int(np.clip(TREE_ROWS // max(len(fitted), 1), FEWEST_TREES, TREES))
    bag = ValueBag(
        matrix=matrix, codes=ranks, n_classes=2, units=units, fitted=fitted, weights=weights,
        rows_a_tree=min(len(fitted), MOST_ROWS_A_TREE), kept=None, targets=targets,
    )  # fmt: skip
    sums, votes = bag.judge(random_state, trees, n_jobs, progress)
    mean, square = (sums / votes[:, None]).T
    mean = mean / UNIT
    spread = np.sqrt(np.maximum(square / UNIT**2 - mean**2, 0.0))
    name = f"extra-trees, {trees} trees, out of bag"
    return ValuePredictions(mean, spread, name, len(fitted), distinct, coarse)


@dataclass(frozen=True, slots=True, eq=False)
class ValueBag(Bag):
    """A bag whose leaves say their mean target, and its square."""

    targets: FloatArray

    def draw(self, seed: tuple[int, int], leave_out: IntArray | None) -> Drawn:
        """As in :class:`~dqlabels.models.out_of_sample.Bag`, but half of the units, each once."""
        rng = np.random.default_rng(seed)
        unit_of_fitted = self.units[self.fitted]
        present = np.unique(unit_of_fitted)
        share = min(ROWS_SHARE, self.rows_a_tree / max(len(self.fitted), 1))
        wanted = max(1, round(share * present.size))
        present = present if leave_out is None else np.setdiff1d(present, leave_out)
        drawn = np.zeros(int(self.units.max()) + 1, dtype=bool)
        drawn[rng.permutation(present)[:wanted]] = True
        inside = self.fitted[drawn[unit_of_fitted]]
        weight = np.ones(inside.size) if self.weights is None else self.weights[inside]
        return rng, inside, weight, np.flatnonzero(~drawn[self.units])

    def grow(self, seed: tuple[int, int], leave_out: IntArray | None) -> tuple[IntArray, IntArray, IntArray]:
        """As in :class:`~dqlabels.models.out_of_sample.Bag`; of each leaf the mean in ``UNIT`` and its square."""
        from sklearn.tree import ExtraTreeRegressor

        rng, inside, weight, rows = self.draw(seed, leave_out)
        if not weight.any():
            return rows[:0], rows[:0], np.zeros((1, 2), dtype=np.int64)
        tree = ExtraTreeRegressor(min_samples_leaf=SMALLEST_LEAF, random_state=int(rng.integers(2**31)))
        fit_tree(tree, self.matrix[inside], self.targets[inside], weight)
        means = np.rint(tree.tree_.value[:, 0, 0] * UNIT).astype(np.int64)
        return rows, tree.tree_.apply(self.matrix[rows]), np.column_stack([means, means * means])
