"""Classes in an order, where two grades off is worse than one: distances, quality and joint from probabilities."""

from __future__ import annotations

import numpy as np

from dqlabels.statistics.arrays import FloatArray, IntArray, RealArray
from dqlabels.statistics.classes import ClassTally
from dqlabels.statistics.selection import UNIT

GRADE_SCORES = ("logit_margin", "normalized_margin", "self_confidence")


def expected_distances(probs: RealArray) -> FloatArray:
    """Expected distance of each grade from the true one, in grades, shape (n, K).

    Args:
        probs: (n, K) probabilities, grades in order.

    >>> expected_distances(np.array([[0.5, 0.25, 0.25]])).tolist()
    [[0.75, 0.75, 1.25]]
    """
    # Cumulative sums only: a matrix product may round a row differently depending on the rows beside it.
    at_most = np.cumsum(probs[:, :-1], axis=1, dtype=np.float64)
    distances = np.zeros(probs.shape)
    distances[:, 1:] = np.cumsum(at_most, axis=1)
    distances[:, :-1] += np.cumsum((1 - at_most)[:, ::-1], axis=1)[:, ::-1]
    return distances


def grade_quality(codes: IntArray, distances: FloatArray, score: str) -> FloatArray:
    """Label quality (n,) in [0, 1], low is suspicious; with two grades it equals the score for two classes.

    ``self_confidence`` is 1 minus the expected distance of the given grade. The margins, which are the same for grades,
    are how much further off the best other grade is expected to be. Distances are divided by the largest one, K - 1.

    >>> grade_quality(np.array([0, 2]), expected_distances(np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])),
    ...     "normalized_margin").tolist()
    [0.0, 0.25]
    """
    rows, largest = np.arange(codes.size), distances.shape[1] - 1
    given = distances[rows, codes]
    if score == "self_confidence":
        return np.asarray(np.clip(1 - given / largest, 0.0, 1.0))
    others = distances.copy()
    others[rows, codes] = np.inf
    return np.asarray(np.clip((others.min(axis=1) - given) / largest / 2 + 0.5, 0.0, 1.0))


def nearness_tally(codes: IntArray, distances: FloatArray) -> ClassTally:
    """Rows (K,) of each grade, and how near they are to it in total (K,).

    Args:
        codes: (n,) grades.
        distances: (n, K) expected distances.
    """
    k = distances.shape[1]
    own = np.zeros(k, dtype=np.int64)
    np.add.at(own, codes, _nearness(distances)[np.arange(codes.size), codes])
    return ClassTally(np.bincount(codes, minlength=k).astype(np.int64), own)


def _nearness(distances: FloatArray) -> IntArray:
    # Whole numbers, so that their sum does not depend on the order of the rows.
    return np.asarray(np.rint((1 - distances / (distances.shape[1] - 1)) * UNIT).astype(np.int64))


def nearness_joint(codes: IntArray, distances: FloatArray, trusted: ClassTally | None = None) -> IntArray:
    """Confident joint (K, K) of grades: 1 minus the expected distance takes the place of the probability.

    A row counts for the nearest of those grades to which it is at least as near as their own rows are on average.

    Args:
        codes: (n,) grades.
        distances: (n, K) expected distances.
        trusted: Rows that say how near a grade's own are; by default these do.
    """
    k = distances.shape[1]
    nearest = nearest_grade(distances, nearness_tally(codes, distances) if trusted is None else trusted)
    sure = nearest >= 0
    cells = codes[sure] * k + nearest[sure]
    return np.bincount(cells, minlength=k * k).reshape(k, k).astype(np.int64)


def nearest_grade(distances: FloatArray, own: ClassTally) -> IntArray:
    """The nearest grade (n,) to which a row is at least as near as the grade's own rows on average; -1 for none.

    Args:
        distances: (n, K) expected distances.
        own: How near the rows of each grade are to it.
    """
    nearness = _nearness(distances)
    reached = np.where((nearness * own.rows >= own.confidence) & (own.rows > 0), nearness, -1)
    return np.where(reached.max(axis=1) >= 0, reached.argmax(axis=1), -1)
