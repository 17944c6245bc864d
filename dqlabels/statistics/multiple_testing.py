"""Corrections for many tests: Benjamini and Hochberg's false-discovery rate and Holm's family-wise error."""

from __future__ import annotations

import numpy as np

from dqlabels.statistics.arrays import BoolArray, FloatArray, IntArray


def first_flagged(p: FloatArray, beyond: IntArray, fdr: float) -> int:
    """Index of the first flagged value, where p-values fall from left to right; m if none is flagged.

    The share of right values among the flagged is then expected to be at most ``fdr``.

    Args:
        p: (m,) p-values in descending order. Those of right values must be uniform or larger, and independent or
            positively dependent.
        beyond: (m,) rows with this p-value or a lower one, so ``beyond[0]`` counts all rows.
        fdr: In (0, 1).

    Source: Benjamini & Hochberg (1995), J. R. Statist. Soc. B 57:289-300.

    >>> first_flagged(np.array([0.9, 0.3, 0.04, 0.01]), np.array([4, 3, 2, 1]), 0.1)
    2
    """
    if not p.size:
        return 0
    reached = np.flatnonzero((p <= fdr * beyond / beyond[0]) & (p < 1))
    return int(reached[0]) if reached.size else p.size


def benjamini_hochberg(p: FloatArray, fdr: float) -> BoolArray:
    """Flag rows (n,) so that the expected share of right values among the flagged is at most ``fdr``.

    Args:
        p: (n,) p-values, as in :func:`first_flagged` but in any order.
        fdr: In (0, 1).

    >>> benjamini_hochberg(np.array([0.01, 0.9, 0.04, 0.3]), 0.1).tolist()
    [True, False, True, False]
    """
    values, rows = np.unique(p, return_counts=True)
    first = first_flagged(values[::-1], rows.cumsum()[::-1], fdr)
    if first == values.size:
        return np.zeros(p.size, dtype=bool)
    return np.asarray(p <= values[::-1][first])


def holm(p: FloatArray, alpha: float) -> BoolArray:
    """Reject tests (m,) so that the probability of any false rejection is at most ``alpha``.

    Source: Holm (1979), Scandinavian Journal of Statistics 6:65-70.

    >>> holm(np.array([0.02, 0.005, 0.9]), 0.05).tolist()
    [True, True, False]
    """
    order = np.argsort(p, kind="stable")
    rejected = np.zeros(p.size, dtype=bool)
    rejected[order] = np.cumprod(p[order] <= alpha / np.arange(p.size, 0, -1)).astype(bool)
    return rejected
