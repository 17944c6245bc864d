"""Learners of numbers that are fitted in folds: boosted trees, and ridge regressions, straight and curved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter

import numpy as np

from dqlabels.models.bag import fit_tree
from dqlabels.models.units import fitting_sample, folds_of_rows, mean_of_folds
from dqlabels.statistics.arrays import FloatArray, IntArray, Matrix
from dqlabels.threads import thread_count

FOLDS = 5
# With fewer units than this a fold holds too few rows to tell what a model is worth.
MIN_UNITS = 4 * FOLDS
# Beyond this many rows a sample is fitted; the rest are judged by the models of all folds.
MAX_ROWS = 20_000
BLOCK_ROWS = 8_192
# Boosted trees, by average precision per second on tables that no benchmark reports: few and shallow, at thresholds
# drawn at random, since others learn the wrong values.
TREES, DEPTH, RATE, MIN_LEAF_ROWS = 40, 5, 0.2, 5
# Values further from the mean than this many standard deviations count as this far.
MAX_DEVIATION = 5.0
# A straight line in more columns takes long, and says little.
MAX_COLUMNS = 300
# A curve is a sum of bumps around so many rows, but at most a third of them.
LANDMARKS = 200
# How wide the bumps are, as multiples of the median squared distance, and how much steep curves are penalised.
BUMP_WIDTHS, PENALTIES = (0.5, 2.0, 8.0), (0.03, 0.3, 3.0)
LINE_PENALTY = 1.0
# How much more a curve may bend than its line may rise, before the penalty.
BEND = 3.0
# Directions in which bumps differ less than this share of the most are left out.
FLAT = 1e-6
# Losses count up to this many times the median.
MAX_LOSS = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class ValueFolds:
    """A table in the order of its content, and which rows are fitted together.

    ``matrix`` (n, d) is NaN where a value is missing; ``fitted`` (m,) are the rows with a value that learners see;
    ``folds`` (n,) hold units together, -1 where no unit is fitted.
    """

    matrix: Matrix
    fitted: IntArray
    folds: IntArray
    seed: int

    @classmethod
    def of(cls, matrix: Matrix, known: IntArray, units: IntArray, seed: int) -> ValueFolds | None:
        """Deal out the rows with a value, by unit; None where there are too few units.

        Args:
            matrix: (n, d) in the order of the content.
            known: (k,) rows with a value that counts.
            units: (n,) which rows stay together.
            seed: Seeds the draws.
        """
        if np.unique(units[known]).size < MIN_UNITS:
            return None
        alike = np.zeros(len(matrix), dtype=np.int64)
        fitted = fitting_sample(known, alike, units, seed, MAX_ROWS)
        return cls(matrix, fitted, folds_of_rows(fitted, alike, units, FOLDS, seed), seed)

    def boosted(self, targets: FloatArray, weights: FloatArray, n_jobs: int | None) -> FloatArray:
        """Predict all rows (n,) by boosted trees that did not see them.

        Args:
            targets: (n,) on the value scale; those of the fitted rows count.
            weights: (n,) not negative.
            n_jobs: Threads; the answer does not depend on them.

        Source: stochastic gradient boosting (Friedman 2001) of extremely randomized trees (Geurts et al. 2006).
        """

        def judge(fold: int, tests: IntArray) -> FloatArray:
            train = self.fitted[self.folds[self.fitted] != fold]
            seeds = np.random.default_rng([self.seed, 0xB0, fold]).integers(2**31, size=TREES)
            return _boost(self.matrix, train, tests, targets[train], weights[train], seeds.tolist())[:, None]

        return mean_of_folds(self.folds, FOLDS, thread_count(n_jobs), judge, 1)[:, 0]

    def line(self, targets: FloatArray, weights: FloatArray, design: Design) -> FloatArray:
        """Predict all rows (n,) by ridge regressions on a design that did not see them; arguments as for boosting."""
        [(_, solved)] = _solutions(self, design, targets, weights, (LINE_PENALTY,))
        return self._judged(design, solved)

    def curve(self, targets: FloatArray, weights: FloatArray, designs: tuple[Design, ...]) -> tuple[FloatArray, Design]:
        """Predict all rows (n,) by the design and penalty that lose least out of sample; the design is returned too."""
        tried = [
            (loss, design, solved)
            for design in designs
            for loss, solved in _solutions(self, design, targets, weights, PENALTIES)
        ]
        _, best, solved = min(tried, key=itemgetter(0))
        return self._judged(best, solved), best

    def _judged(self, design: Design, solved: list[FloatArray]) -> FloatArray:
        predicted = np.empty(len(self.matrix))
        for start in range(0, len(self.matrix), BLOCK_ROWS):
            rows = np.arange(start, min(start + BLOCK_ROWS, len(self.matrix)))
            each = design(self.matrix[rows]) @ np.column_stack(solved)
            own = self.folds[rows]
            predicted[rows] = np.where(own < 0, each.mean(axis=1), each[np.arange(rows.size), own])
        return predicted


def _boost(
    matrix: Matrix, train: IntArray, tests: IntArray, targets: FloatArray, weights: FloatArray, seeds: list[int]
) -> FloatArray:
    """Predictions (t,) of the tests by boosted trees fitted to the rows of ``train`` (m,)."""
    from sklearn.tree import ExtraTreeRegressor

    prior = float(np.average(targets, weights=weights))
    left, predicted = targets - prior, np.full(tests.size, prior)
    inside, outside = matrix[train], matrix[tests]
    for seed in seeds:
        tree = ExtraTreeRegressor(max_depth=DEPTH, min_samples_leaf=MIN_LEAF_ROWS, random_state=seed)
        fit_tree(tree, inside, left, weights)
        steps = RATE * tree.tree_.value[:, 0, 0]
        left = left - steps[tree.tree_.apply(inside)]
        predicted += steps[tree.tree_.apply(outside)]
    return predicted


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """What a ridge regression sees of rows: their standardised features, and bumps around landmarks if it may curve.

    ``center`` and ``spread`` (d,) standardise; ``landmarks`` (l, d) are standardised rows, ``bump`` the squared
    distance at which a bump has fallen by e, and ``mixed`` (l, k) turns the l bumps into k features.
    """

    center: FloatArray
    spread: FloatArray
    landmarks: FloatArray | None = None
    bump: float = 1.0
    mixed: FloatArray | None = None

    @classmethod
    def straight(cls, matrix: Matrix) -> Design:
        """Features alone, standardised by these rows (m, d)."""
        there = ~np.isnan(matrix)
        number = np.maximum(there.sum(axis=0), 1)
        values = np.where(there, matrix, 0).astype(np.float64)
        center = values.sum(axis=0) / number
        spread = np.sqrt((np.where(there, values - center, 0) ** 2).sum(axis=0) / number)
        return cls(center, np.where(spread > 0, spread, 1.0))

    def curved(self, matrix: Matrix, seed: int) -> tuple[Design, ...]:
        """The same with bumps around some of these rows (m, d), one design a width.

        Source: Williams & Seeger (2001), Using the Nyström method to speed up kernel machines.
        """
        drawn = np.random.default_rng([seed, 0x1A]).permutation(len(matrix))[: min(LANDMARKS, len(matrix) // 3)]
        landmarks = self._standardised(matrix[np.sort(drawn)])
        apart = _squared_distances(landmarks, landmarks)
        typical = float(np.median(apart[apart > FLAT])) if (apart > FLAT).any() else 1.0
        designs = []
        for width in BUMP_WIDTHS:
            strength, directions = np.linalg.eigh(np.exp(-apart / (width * typical)))
            steep = strength > FLAT * strength.max()
            mixed = directions[:, steep] * np.sqrt(BEND / strength[steep])
            designs.append(Design(self.center, self.spread, landmarks, width * typical, mixed))
        return tuple(designs)

    def __call__(self, matrix: Matrix) -> FloatArray:
        """Columns (m, k) of rows (m, d), the last of ones."""
        features, one = self._standardised(matrix), np.ones((len(matrix), 1))
        if self.landmarks is None:
            return np.hstack([features, one])
        bumps = np.exp(-_squared_distances(features, self.landmarks) / self.bump) @ self.mixed
        return np.hstack([bumps, features / np.sqrt(features.shape[1]), one])

    def _standardised(self, matrix: Matrix) -> FloatArray:
        """Values in standard deviations from the mean, missing ones at the mean."""
        values = (matrix - self.center) / self.spread
        return np.clip(np.nan_to_num(values, nan=0.0), -MAX_DEVIATION, MAX_DEVIATION)


def _squared_distances(left: FloatArray, right: FloatArray) -> FloatArray:
    apart = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1) - 2 * left @ right.T
    return np.asarray(np.maximum(apart, 0.0))


def _solutions(
    table: ValueFolds, design: Design, targets: FloatArray, weights: FloatArray, penalties: tuple[float, ...]
) -> Iterator[tuple[float, list[FloatArray]]]:
    """For each penalty the out-of-sample loss, and the coefficients (k,) fitted without each fold."""
    rows, values = table.fitted, targets[table.fitted]
    columns, folds = design(table.matrix[rows]), table.folds[rows]
    weighted = columns * weights[rows, None]
    parts = [(weighted[folds == at].T @ columns[folds == at], weighted[folds == at].T @ values[folds == at])
             for at in range(FOLDS)]  # fmt: skip
    gram, moment = sum(part[0] for part in parts), sum(part[1] for part in parts)
    for penalty in penalties:
        ridge = np.diag(np.append(np.full(columns.shape[1] - 1, penalty), 1e-6))
        solved = [np.linalg.solve(gram - part[0] + ridge, moment - part[1]) for part in parts]
        predicted = (columns @ np.column_stack(solved))[np.arange(rows.size), folds]
        sizes = np.abs(values - predicted)
        yield float(np.minimum(sizes, MAX_LOSS * np.median(sizes)).mean()), solved
