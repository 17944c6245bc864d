"""Boosted trees fitted on two halves of a table, each judging the other: what bagged trees miss in large tables."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Measured over real tables (docs/benchmarks.md): with about 10,000 rows a class a mixture with boosting finds more
# than bagged trees alone, with under 3,000 no more or less, and of 26 classes with 770 rows each far less.
ROWS_A_CLASS = 5_000
# The time of boosting grows with the columns, that of extra-trees with their square root.
MOST_COLUMNS = 100
# Beyond this many rows the halves are of a sample; both judge the rest.
MOST_ROWS = 100_000
# Few, large steps of large trees: in a mixture more of them gain less than they cost.
ITERATIONS, LEARNING_RATE, LEAVES = 12, 0.35, 47
# Judged at a time, so that only so many rows are held in double precision.
ROWS_AT_ONCE = 65_536


def is_worth_boosting(rows: int, columns: int, n_classes: int) -> bool:
    """Whether a mixture with boosting finds more wrong labels than bagged trees alone, for about the same time.

    >>> is_worth_boosting(19_020, 10, 2), is_worth_boosting(20_000, 16, 26)
    (True, False)
    """
    return rows >= ROWS_A_CLASS * n_classes and columns <= MOST_COLUMNS


def judge_by_halves(
    matrix: NDArray[np.float32],
    codes: IntArray,
    n_classes: int,
    *,
    fitted: IntArray,
    halves: IntArray,
    order: IntArray,
    weights: FloatArray | None,
    seed: int,
    n_threads: int,
) -> FloatArray | None:
    """Probabilities (n, K) of every row by the half it does not belong to; None where a half holds a single class.

    Args:
        matrix: (n, d) float32, NaN where missing.
        codes: (n,) class positions.
        n_classes: K.
        fitted: Rows that are fitted, in the order of their content, each in its half.
        halves: (n,) the half that a row, or a row it must not straddle with, is fitted in; -1 for neither, where
            the mean of both judges.
        order: (n,) the rows in the order of their content.
        weights: (n,) not negative.
        seed: Seeds the model.
        n_threads: Threads; the answer does not depend on it.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    sums, votes = np.zeros((len(codes), n_classes)), np.zeros(len(codes))
    with threadpool_limits(limits=n_threads, user_api="openmp"):
        for half in (0, 1):
            train = fitted[halves[fitted] == half]
            if weights is not None:
                train = train[weights[train] > 0]
            if np.unique(codes[train]).size < 2:
                return None
            model = HistGradientBoostingClassifier(
                max_iter=ITERATIONS,
                learning_rate=LEARNING_RATE,
                max_leaf_nodes=LEAVES,
                early_stopping=False,
                random_state=seed,
            ).fit(matrix[train], codes[train], sample_weight=None if weights is None else weights[train])
            judged = order[halves[order] != half]
            for start in range(0, judged.size, ROWS_AT_ONCE):
                rows = judged[start : start + ROWS_AT_ONCE]
                sums[np.ix_(rows, model.classes_)] += model.predict_proba(matrix[rows])
                votes[rows] += 1
    return np.asarray(sums / votes[:, None])
