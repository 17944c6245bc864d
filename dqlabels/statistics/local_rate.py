"""How likely a value is right, from the size of its score alone.

The right values' scores have a known distribution, all values' scores are counted, and the share of right ones among
the scores about a size is the local false-discovery rate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dqlabels.statistics.arrays import FloatArray, IntArray

# No share of right values is taken for more or less than these: the counts say no more.
MIN_RIGHT, MAX_RIGHT = 1e-9, 1 - 1e-4
# The log-odds of being right fall at least so much per factor of two, so that no two sizes are judged alike, and beyond
# the outermost groups of rows they go on falling by the second.
LEAST_SLOPE, END_SLOPE = 1e-3, 0.25


@dataclass(frozen=True, slots=True)
class RightProbability:
    """P(right) by the size of the score: ``log_odds`` (k,) fall between ``places`` (k,), logarithms of sizes, base 2.

    Without a place every value is right.
    """

    places: tuple[float, ...]
    log_odds: tuple[float, ...]

    def of(self, sizes: FloatArray) -> FloatArray:
        """Return P(right) of values with these absolute scores (n,), in [0, 1], strictly falling; 1 for 0."""
        right = np.ones(sizes.size)
        if not self.places:
            return right
        inexact = sizes > 0
        at = np.log2(sizes[inexact])
        odds = np.interp(at, self.places, self.log_odds)
        odds += END_SLOPE * (np.maximum(self.places[0] - at, 0.0) - np.maximum(at - self.places[-1], 0.0))
        right[inexact] = 1 / (1 + np.exp(-odds))
        return right


def right_probability(sizes: FloatArray, counts: IntArray, expected: FloatArray) -> RightProbability:
    """Find P(right) by size, falling.

    Args:
        sizes: (m,) absolute scores in ascending order, above 0.
        counts: (m,) rows of each size.
        expected: (m,) right rows to expect of each size.

    Source: the local false-discovery rate of the two-groups model (Efron 2004, JASA 99:96-104), monotone by pooling
    adjacent violators as in Strimmer (2008), BMC Bioinformatics 9:303, which is ours to interpolate.

    >>> found = right_probability(np.array([1.0, 2.0, 8.0]), np.array([90, 8, 2]), np.array([90.0, 6.0, 0.02]))
    >>> found.of(np.array([2.0, 8.0])).round(2).tolist()
    [0.75, 0.01]
    """
    if not sizes.size:
        return RightProbability((), ())
    firsts, right = _pool_violators(counts.astype(np.float64), expected)
    lasts = np.append(firsts[1:], sizes.size) - 1
    # All of a group is alike, and from one group to the next the log-odds go straight.
    ends = np.unique(np.concatenate([firsts, lasts]))
    right = right[np.searchsorted(firsts, ends, side="right") - 1].clip(MIN_RIGHT, MAX_RIGHT)
    places = np.log2(sizes[ends])
    odds = np.log(right) - np.log1p(-right) - LEAST_SLOPE * (places - places[0])
    return RightProbability(tuple(places.tolist()), tuple(odds.tolist()))


def _pool_violators(counts: FloatArray, expected: FloatArray) -> tuple[IntArray, FloatArray]:
    """First member of each group, and its share of right rows, once neighbours are pooled until the shares fall."""
    groups: list[tuple[float, float, int]] = []  # rows, right rows, first member
    for at, group in enumerate(zip(counts.tolist(), expected.tolist(), strict=True)):
        groups.append((*group, at))
        while len(groups) > 1 and groups[-1][1] * groups[-2][0] >= groups[-2][1] * groups[-1][0]:
            last, before = groups.pop(), groups.pop()
            groups.append((last[0] + before[0], last[1] + before[1], before[2]))
    rows, right, firsts = zip(*groups, strict=True)
    return np.array(firsts), np.array(right) / np.array(rows)
