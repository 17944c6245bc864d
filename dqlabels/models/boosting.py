"""Boosted trees in folds: each fold is judged by the model of the others."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dqlabels.models.boosted import BoostedTrees, softmax
from dqlabels.models.folds import judge_in_folds
from dqlabels.models.sizes import Sizes
from dqlabels.models.units import FittingRows
from dqlabels.statistics.arrays import FloatArray, IntArray, Matrix

# The time of boosting grows with the columns, that of extra-trees with their square root.
MAX_COLUMNS = 100
# Many classes with few rows each: there a bag finds more.
MAX_CLASSES = 20
# Rows predicted at a time: they stay in the cache.
BLOCK_ROWS = 32_768


def is_worth_boosting(rows: int, columns: int, n_classes: int, rows_per_class: int) -> bool:
    """Return whether boosted trees alone judge other rows better than a bag, in less time.

    Args:
        rows: Labelled rows.
        columns: Features.
        n_classes: K.
        rows_per_class: Rows that make a table large enough.

    >>> is_worth_boosting(19_020, 10, 2, 5_000), is_worth_boosting(20_000, 16, 26, 5_000)
    (True, False)
    """
    return rows >= rows_per_class * n_classes and columns <= MAX_COLUMNS


def is_worth_asking(rows: int, columns: int, n_classes: int, rows_per_class: int) -> bool:
    """Return whether boosted trees beside a bag find more than the bag alone.

    Args:
        rows: Labelled rows.
        columns: Features.
        n_classes: K.
        rows_per_class: Rows that make many classes worth it.

    >>> is_worth_asking(1_000, 20, 2, 5_000), is_worth_asking(20_000, 16, 26, 5_000)
    (True, False)
    """
    few_classes = n_classes <= MAX_CLASSES and columns <= MAX_COLUMNS
    return few_classes or is_worth_boosting(rows, columns, n_classes, rows_per_class)


def judge_by_boosting(
    rows: FittingRows,
    weights: FloatArray,
    *,
    sizes: Sizes,
    seed: int,
    n_threads: int,
    on_tree: Callable[[], None] = lambda: None,
) -> FloatArray | None:
    """Return probabilities (n, K) of every row by models that did not see it; None where a fold has a single class.

    Args:
        rows: The table.
        weights: (n,) how much each row counts.
        sizes: Sizes of the models; beyond ``max_boosted_rows`` they are fitted on a sample.
        seed: Seeds the folds and the models.
        n_threads: With two or more folds are fitted side by side; the answer does not depend on it.
        on_tree: Called after each tree, from any thread.
    """
    fitted = rows.sample(sizes.max_boosted_rows, seed)
    chosen = sizes.boosting_of(fitted.size)

    def judge(fold: int, train: IntArray, tests: IntArray) -> Matrix:
        model = BoostedTrees.fit(
            rows.matrix[train], rows.codes[train], rows.n_classes, weights[train], seed + fold, on_tree, chosen.sizes
        )
        blocks = [tests[at : at + BLOCK_ROWS] for at in range(0, tests.size, BLOCK_ROWS)]
        return np.concatenate([softmax(model.scores(rows.matrix[block])) for block in blocks])

    return judge_in_folds(rows, fitted, weights, n_folds=chosen.folds, seed=seed, n_threads=n_threads, judge=judge)
