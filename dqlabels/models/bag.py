"""Bagged extra-trees, each judging the rows that it did not see."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from dqlabels.errors import ModelError
from dqlabels.models.forest import UNIT, GrownTree
from dqlabels.models.sizes import MAX_TREES
from dqlabels.models.units import FittingRows, class_places
from dqlabels.progress import Progress, ProgressOption
from dqlabels.statistics.arrays import FloatArray, IntArray, Matrix
from dqlabels.threads import thread_count

if TYPE_CHECKING:
    from sklearn.tree import BaseDecisionTree

Seed = tuple[int, int]

MIN_LEAF_ROWS = 3
# A node chooses among half of the features, up to so many; the square root of wide tables' is more.
MAX_HALF = 16
# With more classes than this a tree is grown on so many random numbers that stand for each class, and its leaves hold
# only the classes that are in them: what scikit-learn does for a node grows with the number of classes.
MAX_DENSE_CLASSES, CODE_NUMBERS = 200, 32


@dataclass(frozen=True, slots=True, eq=False)
class Bag:
    """Trees grown on draws from the ``fitted`` rows (m,).

    Where ``grown`` is a dict, every tree is put into it by its seed.
    """

    rows: FittingRows
    fitted: IntArray
    rows_per_tree: int
    grown: dict[Seed, GrownTree] | None

    @property
    def left_out(self) -> float:
        """The share of the trees that do not see a fitted row, in (0, 1)."""
        units = np.unique(self.rows.units[self.fitted]).size
        return float((1 - 1 / max(units, 2)) ** self._draws(units))

    def _draws(self, units: int) -> int:
        return max(1, round(self.rows_per_tree * units / len(self.fitted)))

    def judge(self, seed: int, trees: int, n_jobs: int | None, progress: ProgressOption) -> FloatArray:
        """Return the mean class shares (n, K) of the trees that did not see each row.

        Args:
            seed: Seeds every tree.
            trees: How many; more are grown where a row was in all of them.
            n_jobs: Threads; the answer does not depend on them.
            progress: As for :func:`dqlabels.audit`.

        Raises:
            ModelError: Rows that no tree can be grown without.
        """
        n_rows = len(self.rows.codes)
        sums, votes = np.zeros((n_rows, self.rows.n_classes), dtype=np.int64), np.zeros(n_rows, dtype=np.int64)
        self._add(sums, votes, [(seed, tree) for tree in range(trees)], n_jobs, progress)
        for extra in range(0, MAX_TREES, 2):
            if not (missed := np.flatnonzero(votes == 0)).size:
                break
            # Every tree saw these rows, so further trees leave their units out.
            for half in range(2):
                part = np.unique(self.rows.units[missed])[half::2]
                self._add(sums, votes, [(seed, trees + extra + half)], n_jobs, False, leave_out=part)
        if (votes == 0).any():
            raise ModelError(unjudged_rows(int((votes == 0).sum())))
        return np.asarray(sums / sums.sum(axis=1, keepdims=True))

    def _add(
        self,
        sums: IntArray,
        votes: IntArray,
        seeds: list[Seed],
        n_jobs: int | None,
        progress: ProgressOption,
        leave_out: IntArray | None = None,
    ) -> None:
        """Grow a tree per seed and add its leaves' class shares to the rows it did not see."""
        threads = thread_count(n_jobs)
        with warnings.catch_warnings(), ThreadPoolExecutor(threads) as pool:
            # Many classes in few rows were allowed when the labels were read; scikit-learn would warn of them per tree.
            warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
            # No more trees are in flight than threads, so that what each found is held only briefly.
            waiting = iter(seeds)

            def submit(number: int) -> set[Future[Votes]]:
                return {pool.submit(self._grow, seed, leave_out) for seed in islice(waiting, number)}

            for found in Progress(progress).follow(_as_completed(submit, threads + 1), len(seeds)):
                # Sums of whole numbers do not depend on the order in which trees finish.
                found.add_to(sums)
                votes[found.rows] += 1

    def _draw(
        self, seed: Seed, leave_out: IntArray | None
    ) -> tuple[np.random.Generator, IntArray, FloatArray, IntArray]:
        """Draw a tree's generator, the rows (m,) it sees with their weights (m,), and the rows it does not see."""
        rng = np.random.default_rng(seed)
        unit_of_fitted = self.rows.units[self.fitted]
        present = np.unique(unit_of_fitted)
        present = present if leave_out is None else np.setdiff1d(present, leave_out)
        draws = self._draws(present.size)
        drawn = np.zeros(self.rows.n_units, dtype=np.int64)
        if present.size:
            drawn[present] = np.bincount(rng.integers(0, present.size, draws), minlength=present.size)
        times = drawn[unit_of_fitted]
        weight = times[times > 0].astype(np.float64)
        inside = self.fitted[times > 0]
        weight = weight if self.rows.weights is None else weight * self.rows.weights[inside]
        return rng, inside, weight, np.flatnonzero(drawn[self.rows.units] == 0)

    def _grow(self, seed: Seed, leave_out: IntArray | None) -> Votes:
        """Grow the tree of this seed."""
        rng, inside, weight, rows = self._draw(seed, leave_out)
        k = self.rows.n_classes
        if not weight.any():
            return DenseVotes(rows[:0], rows[:0], np.zeros((1, k), dtype=np.int64))
        matrix, random_state = self.rows.matrix, int(rng.integers(2**31))
        codes, seen = self.rows.codes[inside], matrix[inside]
        if k > MAX_DENSE_CLASSES:
            place = class_places(self.rows.codes[self.fitted], self.rows.units[self.fitted])
            tree = _tree_of_places(seen, place[codes], weight, k, random_state)
            grown = GrownTree.of_rows(tree.tree_, tree.tree_.apply(seen), codes, weight, k)
            if self.grown is not None:
                self.grown[seed] = grown
            return SparseVotes(rows, tree.tree_.apply(matrix[rows]), grown)
        grow = _tree_of_two if k == 2 else _tree_of_many
        tree, values = grow(seen, codes, weight, k, random_state)
        shares = np.rint(values * UNIT).astype(np.int64)
        if self.grown is not None:
            self.grown[seed] = GrownTree.of(tree.tree_, shares)
        return DenseVotes(rows, tree.tree_.apply(matrix[rows]), shares)


class Votes(Protocol):
    """What a tree says of the ``rows`` (m,) that it did not see."""

    @property
    def rows(self) -> IntArray:
        """Their places."""

    def add_to(self, sums: IntArray) -> None:
        """Add the class shares of their leaves to ``sums`` (n, K), in UNIT."""


@dataclass(frozen=True, slots=True, eq=False)
class DenseVotes:
    """The ``leaves`` (m,) that the ``rows`` (m,) fall in, and the class ``shares`` (nodes, K)."""

    rows: IntArray
    leaves: IntArray
    shares: IntArray

    def add_to(self, sums: IntArray) -> None:
        """Add whole rows of shares."""
        sums[self.rows] += self.shares[self.leaves]


@dataclass(frozen=True, slots=True, eq=False)
class SparseVotes:
    """The same of a tree with many classes, of which a leaf holds few."""

    rows: IntArray
    leaves: IntArray
    tree: GrownTree

    def add_to(self, sums: IntArray) -> None:
        """Add the shares of the classes that the leaves hold; no cell occurs twice."""
        sizes = self.tree.leaf_sizes[self.leaves]
        starts = self.tree.leaf_sizes.cumsum()[self.leaves] - sizes
        entries = np.repeat(starts - (sizes.cumsum() - sizes), sizes) + np.arange(sizes.sum())
        cells = np.repeat(self.rows, sizes), self.tree.leaf_classes[entries]
        sums[cells] += self.tree.leaf_shares[entries]


def _tree_of_two(
    matrix: Matrix, codes: IntArray, weight: FloatArray, n_classes: int, random_state: int
) -> tuple[BaseDecisionTree, FloatArray]:
    """Grow a tree of two classes, and return it with the shares (nodes, 2) of the classes.

    As a regression on 0 and 1 it asks the same questions, since the variance is half of Gini's impurity, and growing it
    takes scikit-learn two thirds of the time.
    """
    from sklearn.tree import ExtraTreeRegressor

    tree = ExtraTreeRegressor(
        min_samples_leaf=MIN_LEAF_ROWS, max_features=columns_asked(matrix.shape[1]), random_state=random_state
    )
    fit_tree(tree, matrix, codes.astype(np.float64), weight)
    second = tree.tree_.value[:, 0, 0].clip(0, 1)
    return tree, np.column_stack([1 - second, second])


def _tree_of_many(
    matrix: Matrix, codes: IntArray, weight: FloatArray, n_classes: int, random_state: int
) -> tuple[BaseDecisionTree, FloatArray]:
    """Grow a tree of any number of classes, and return it with the shares (nodes, K) of the classes."""
    from sklearn.tree import ExtraTreeClassifier

    tree = ExtraTreeClassifier(
        min_samples_leaf=MIN_LEAF_ROWS, max_features=columns_asked(matrix.shape[1]), random_state=random_state
    )
    fit_tree(tree, matrix, codes, weight)
    values = tree.tree_.value[:, 0, :]
    total = values.sum(axis=1, keepdims=True)
    shares = np.zeros((len(values), n_classes))
    shares[:, tree.classes_] = values / np.where(total == 0, 1, total)
    return tree, shares


def _tree_of_places(
    matrix: Matrix, places: IntArray, weight: FloatArray, n_classes: int, random_state: int
) -> BaseDecisionTree:
    """Grow a tree of many classes, each at a place (m,) of its own, as a regression on random numbers for each.

    The sum of their variances within a node is Gini's impurity in expectation, times a constant.

    Source: random projection of the classes, Joly, Geurts & Wehenkel (2014), Random forests with random projections of
    the output space for high dimensional multi-label classification, ECML.
    """
    from sklearn.tree import ExtraTreeRegressor

    numbers = np.random.default_rng(0).choice([-1.0, 1.0], size=(n_classes, CODE_NUMBERS))
    tree = ExtraTreeRegressor(
        min_samples_leaf=MIN_LEAF_ROWS, max_features=columns_asked(matrix.shape[1]), random_state=random_state
    )
    fit_tree(tree, matrix, numbers[places], weight)
    return tree


def columns_asked(width: int) -> int:
    """Return how many of the features a node chooses among: half of few, the square root of many.

    >>> columns_asked(8), columns_asked(60), columns_asked(900)
    (4, 16, 30)
    """
    return int(max(min(width / 2, MAX_HALF), width**0.5, 1))


def unjudged_rows(n_rows: int) -> str:
    """Say why a bag could not judge so many rows."""
    return (
        f"{n_rows:,} rows could not be left out of any tree: all rows look alike, or belong to one group. Add "
        "features, or pass your own pred_probs=."
    )


def fit_tree(tree: BaseDecisionTree, matrix: Matrix, targets: NDArray[np.generic], weight: FloatArray) -> None:
    """Fit a tree of scikit-learn on rows that were checked once for all trees.

    Checking them again takes longer than growing a tree of a few hundred rows. Where values are missing, the check
    tells the tree which.

    Args:
        tree: Not fitted yet.
        matrix: (m, d), NaN where missing.
        targets: (m,) class positions or numbers.
        weight: (m,) not negative.
    """
    from sklearn import config_context

    with config_context(skip_parameter_validation=True, assume_finite=True):
        tree.fit(matrix, targets, sample_weight=weight, check_input=bool(np.isnan(matrix).any()))


def _as_completed(submit: Callable[[int], set[Future[Votes]]], in_flight: int) -> Iterator[Votes]:
    """Yield results as they come, and begin another tree for each."""
    running = submit(in_flight)
    while running:
        finished, running = wait(running, return_when=FIRST_COMPLETED)
        running |= submit(len(finished))
        for done in finished:
            yield done.result()
