"""Boosted trees fitted on two halves of a table, each judging the other half."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from dqlabels.models.boosted import BoostedTrees, softened, softmax
from dqlabels.models.sizes import BoostingSizes
from dqlabels.models.units import FittingRows
from dqlabels.statistics.arrays import FloatArray, IntArray, Matrix

# The time of boosting grows with the columns, that of extra-trees with their square root.
MAX_COLUMNS = 100
# Rows predicted at a time: they stay in the cache.
BLOCK_ROWS = 32_768


def is_worth_boosting(rows: int, columns: int, n_classes: int, rows_per_class: int) -> bool:
    """Return whether a mixture with boosting finds more wrong labels than bagged trees alone, in about the same time.

    Args:
        rows: Labelled rows.
        columns: Features.
        n_classes: K.
        rows_per_class: Rows that make a table large enough.

    >>> is_worth_boosting(19_020, 10, 2, 5_000), is_worth_boosting(20_000, 16, 26, 5_000)
    (True, False)
    """
    return rows >= rows_per_class * n_classes and columns <= MAX_COLUMNS


def judge_by_halves(
    rows: FittingRows,
    *,
    fitted: IntArray,
    halves: IntArray,
    seed: int,
    n_threads: int,
    sizes: BoostingSizes,
) -> FloatArray | None:
    """Return probabilities (n, K) of every row by the half it is not in; None where a half holds a single class.

    Args:
        rows: The table.
        fitted: Rows that are fitted, in the order of their content, each in its half.
        halves: (n,) the half that a row, or a row it must not straddle with, is fitted in; -1 for neither, where
            the mean of both judges.
        seed: Seeds the model.
        n_threads: With two or more the halves are fitted side by side; the answer does not depend on it.
        sizes: Sizes of the models.
    """
    parts = [fitted[halves[fitted] == half] for half in (0, 1)]
    if rows.weights is not None:
        parts = [part[rows.weights[part] > 0] for part in parts]
    if any(np.unique(rows.codes[part]).size < 2 for part in parts):
        return None

    def judge(half: int) -> tuple[IntArray, Matrix]:
        part = parts[half]
        weights = np.ones(part.size) if rows.weights is None else rows.weights[part]
        model = BoostedTrees.fit(rows.matrix[part], rows.codes[part], rows.n_classes, weights, seed + half, sizes=sizes)
        others = np.flatnonzero(halves != half)
        blocks = [others[at : at + BLOCK_ROWS] for at in range(0, others.size, BLOCK_ROWS)]
        return others, np.concatenate([softened(softmax(model.scores(rows.matrix[block]))) for block in blocks])

    sums, votes = np.zeros((len(rows.codes), rows.n_classes)), np.zeros(len(rows.codes))
    with ThreadPoolExecutor(min(2, n_threads)) as pool:
        for others, probs in pool.map(judge, (0, 1)):
            sums[others] += probs
            votes[others] += 1
    return np.asarray(sums / votes[:, None])
