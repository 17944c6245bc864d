"""Rows that must stay together when models are fitted: copies of one another, and members of one group."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dqlabels.errors import OptionError
from dqlabels.frames.hashing import hash_matrix
from dqlabels.statistics.arrays import FloatArray, IntArray, Matrix, RealArray

# Values of any type that name each row's group.
GroupNames = NDArray[np.generic]

# Where more rows than this share each combination of features, identical rows are not copies of one another but a cell
# of a coarse table, and the best judges of each other.
COARSE = 20
# Groups that identical rows tie together, as a share of all groups, beyond which these rows are no copies.
MAX_TIED = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class FittingRows:
    """The n rows of a table that models are fitted on.

    ``matrix`` (n, d) is NaN where a value is missing, ``codes`` (n,) are class positions, -1 where the label is
    missing. Rows of one of the ``units`` (n,) stay together; ``order`` (n,) is that of their content.
    """

    matrix: Matrix
    codes: IntArray
    n_classes: int
    units: IntArray
    order: IntArray
    weights: FloatArray | None

    @property
    def labelled(self) -> IntArray:
        """Positions (m,) of the rows with a label, in the order of their content."""
        return self.order[self.codes[self.order] >= 0]

    @property
    def n_units(self) -> int:
        """Number of units."""
        return int(self.units.max()) + 1

    def sample(self, max_rows: int, seed: int) -> IntArray:
        """Return the labelled rows to fit on: all, or of a large table whole units, by class alike."""
        return fitting_sample(self.labelled, self.codes, self.units, seed, max_rows)


def row_weights(weights: ArrayLike | None, n_rows: int) -> FloatArray | None:
    """Return the weights (n,) as numbers.

    Raises:
        OptionError: Not one finite number of at least 0 for each row, or all are 0.
    """
    if weights is None:
        return None
    try:
        values = np.asarray(weights, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise OptionError(f"sample_weight must hold one number for each row ({error}).") from error
    if values.shape != (n_rows,) or not np.isfinite(values).all() or (values < 0).any():
        raise OptionError("sample_weight must hold one finite number of at least 0 for each row.")
    if not values.any():
        raise OptionError("sample_weight is 0 in every row, so nothing can be fitted. Give some rows weight.")
    return values


def content_units(matrix: Matrix, codes: IntArray, groups: GroupNames | None) -> tuple[IntArray, IntArray, int, bool]:
    """Return which rows stay together, numbered by content, and the order of the rows by content.

    Returns:
        The units (n,), the order (n,), the number of kinds of row, and whether these are so few (a coarse table) that
        each row is a unit of its own.
    """
    hashes = hash_matrix(matrix)
    order = np.lexsort((codes, hashes))
    keys = hashes
    if groups is not None:
        # A group is known by the rows it holds: its least hash, whatever the group is called.
        names = np.unique(groups.astype(str), return_inverse=True)[1]
        keys = _group_keys(names, hashes)
    units = np.unique(keys, return_inverse=True)[1].astype(np.int64)
    distinct = int(units.max()) + 1
    coarse = groups is None and distinct * COARSE < len(codes)
    if coarse:
        units[order] = np.arange(len(codes))
    return units, order, distinct, coarse


def _group_keys(names: IntArray, hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Key (n,) of the rows that stay together: groups, and groups that hold identical rows.

    Where common rows, such as the words of sentences, tie more than half of all groups together, they are no copies of
    one another, and each group stays by itself.
    """
    n_groups = int(names.max()) + 1
    least = np.full(n_groups, np.iinfo(np.uint64).max, dtype=np.uint64)
    np.minimum.at(least, names, hashes)
    joined = _joined(names, hashes, least)
    by_group = np.empty(n_groups, dtype=np.uint64)
    by_group[names] = joined
    if np.unique(by_group, return_counts=True)[1].max() <= max(n_groups * MAX_TIED, 1):
        return joined
    total = np.zeros(n_groups, dtype=np.uint64)
    np.add.at(total, names, hashes)  # whatever the order of the rows
    return total[names]


def _joined(names: IntArray, hashes: NDArray[np.uint64], least: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Least hash among connected groups and identical rows, so that neither is split."""
    keys = least[names]
    rows = np.unique(hashes, return_inverse=True)[1]
    while True:
        by_row = np.full(int(rows.max()) + 1, np.iinfo(np.uint64).max, dtype=np.uint64)
        np.minimum.at(by_row, rows, keys)
        by_group = np.full(least.size, np.iinfo(np.uint64).max, dtype=np.uint64)
        np.minimum.at(by_group, names, by_row[rows])
        joined = by_group[names]
        if np.array_equal(joined, keys):
            return keys
        keys = joined


def fitting_sample(labelled: IntArray, codes: IntArray, units: IntArray, seed: int, max_rows: int) -> IntArray:
    """Return the rows to fit on: all, or of a large table whole units drawn by content, by class alike.

    Args:
        labelled: (m,) positions to choose from.
        codes: (n,) class positions.
        units: (n,) which rows stay together.
        seed: Seeds the draw.
        max_rows: About how many rows to draw; of each class at least 50, where it has so many.
    """
    if labelled.size <= max_rows:
        return labelled
    n_units = int(units.max()) + 1
    ranks = np.random.default_rng([seed, 0xF17]).permutation(n_units)[units[labelled]]
    share = max_rows / labelled.size
    chosen = np.zeros(n_units, dtype=bool)
    for k in np.unique(codes[labelled]):
        of_class = codes[labelled] == k
        wanted = max(int(np.ceil(share * of_class.sum())), min(int(of_class.sum()), 50))
        bar = np.partition(ranks[of_class], wanted - 1)[wanted - 1]
        chosen[units[labelled][of_class & (ranks <= bar)]] = True
    return labelled[chosen[units[labelled]]]


def class_places(codes: IntArray, units: IntArray) -> IntArray:
    """Return the place (K,) of each class in an order that its name plays no part in: that of its first unit.

    Args:
        codes: (m,) class positions.
        units: (m,) units, numbered by content.

    >>> class_places(np.array([2, 0, 1]), np.array([0, 1, 2])).tolist()
    [1, 2, 0]
    """
    first = np.full(int(codes.max()) + 1, int(units.max()) + 1)
    np.minimum.at(first, codes, units)
    return np.argsort(np.argsort(first, kind="stable"), kind="stable")


def folds_of_rows(fitted: IntArray, codes: IntArray, units: IntArray, n_folds: int, seed: int) -> IntArray:
    """Return the fold (n,) of every row, units held together; -1 where no row of a unit is fitted.

    Args:
        fitted: (m,) rows to fit on; the other arguments are those of :func:`content_folds`.
        codes: (n,) class positions.
        units: (n,) which rows stay together.
        n_folds: How many folds.
        seed: Seeds the order.
    """
    fold_of_unit = np.full(int(units.max()) + 1, -1, dtype=np.int64)
    fold_of_unit[units[fitted]] = content_folds(fitted, codes, units, n_folds, seed)
    return fold_of_unit[units]


def mean_of_folds(
    folds: IntArray, n_folds: int, n_threads: int, judge: Callable[[int, IntArray], RealArray], width: int
) -> FloatArray:
    """Return what models say of every row (n, width) that they did not see: of rows without a fold, all on average.

    Args:
        folds: (n,) the fold of each row, -1 for none.
        n_folds: How many models there are.
        n_threads: With two or more the folds are judged side by side; the answer does not depend on it.
        judge: Takes the number of a fold and the rows (b,) that its model did not see; returns (b, width).
        width: Columns of an answer.
    """
    tests = [np.flatnonzero((folds == fold) | (folds < 0)) for fold in range(n_folds)]
    asked = [fold for fold in range(n_folds) if tests[fold].size]
    sums, votes = np.zeros((len(folds), width)), np.zeros(len(folds))
    with ThreadPoolExecutor(min(n_folds, n_threads)) as pool:
        for fold, said in zip(asked, pool.map(lambda fold: judge(fold, tests[fold]), asked), strict=True):
            sums[tests[fold]] += said
            votes[tests[fold]] += 1
    return np.asarray(sums / votes[:, None])


def content_folds(labelled: IntArray, codes: IntArray, units: IntArray, n_folds: int, seed: int) -> IntArray:
    """Return the fold (m,) of each labelled row: units dealt out class by class, in an order drawn by content.

    Args:
        labelled: (m,) positions of the rows.
        codes: (n,) class positions.
        units: (n,) which rows stay together.
        n_folds: How many folds.
        seed: Seeds the order.
    """
    unit = units[labelled]
    n_units = int(units.max()) + 1
    rank = np.random.default_rng([seed, 0xF01D]).permutation(n_units)
    place = class_places(codes[labelled], unit)  # a unit of mixed labels is dealt out with the first of its classes
    lowest = np.full(n_units, np.iinfo(np.int64).max)
    np.minimum.at(lowest, unit, place[codes[labelled]])
    present = np.unique(unit)
    order = present[np.lexsort((rank[present], lowest[present]))]
    dealt = np.zeros(n_units, dtype=np.int64)
    dealt[order] = np.arange(order.size) % n_folds
    return dealt[unit]
