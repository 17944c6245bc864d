"""Symmetric trees: all nodes of a level ask the same question, so rows descend side by side and not one by one.

A row's leaf is the number that its answers spell, first question first. No branch depends on a row, which makes a
tree ten times as quick to ask as one whose nodes differ (docs/benchmarks.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Matrix = NDArray[np.float32]

# Questions of a tree: 2**6 leaves. At most 8, since a leaf's number is kept in a byte.
DEPTH = 6
# Values of a feature are told apart by this many quantiles while a tree is grown; at most 254.
BINS = 32
# Of the features that vary, those a level chooses its question among; more of them cost time in proportion.
COLUMNS_SHARE, MOST_COLUMNS = 0.5, 64
# Added to the rows of a side when questions are compared, so that small sides do not win by chance.
SIDE_RIDGE = 20.0


@dataclass(frozen=True, slots=True)
class Question:
    """Is the ``feature`` above (else: at most) the ``threshold``? A missing value answers no; ``bin`` is its place."""

    feature: int
    threshold: float
    above: bool
    bin: int


@dataclass(frozen=True, slots=True, eq=False)
class Bins:
    """A matrix (n, d) as quantiles: ``places`` (d, n) of bytes, the last place of a feature being for missing values.

    ``edges`` are d ascending arrays: the values at most ``edges[f][b]`` lie in the places up to b. ``missing`` (d,)
    says which features lack values, ``varying`` which of them can be asked for.
    """

    places: NDArray[np.uint8]
    edges: tuple[Matrix, ...]
    missing: NDArray[np.bool_]
    varying: IntArray

    @classmethod
    def of(cls, matrix: Matrix) -> Bins:
        """From a matrix (n, d), NaN where missing."""
        n, width = matrix.shape
        places = np.empty((width, n), dtype=np.uint8)
        edges, missing = [], np.zeros(width, dtype=bool)
        for feature in range(width):
            column = np.ascontiguousarray(matrix[:, feature])
            absent = np.isnan(column)
            edges.append(_edges(column[~absent]))
            missing[feature] = absent.any() and not absent.all()
            places[feature] = np.searchsorted(edges[-1], column)
            places[feature][absent] = edges[-1].size + 1
        varying = np.array([at for at in range(width) if edges[at].size or missing[at]], dtype=np.int64)
        return cls(places, tuple(edges), missing, varying)

    def answers(self, question: Question, places: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """(m,) what rows in these places (m,) of the feature answer."""
        if not question.above:
            return np.asarray(places <= question.bin)
        return np.asarray((places > question.bin) & (places <= self.edges[question.feature].size))

    def leaves(self, tree: list[Question]) -> IntArray:
        """(n,) the leaf of every row."""
        leaf = np.zeros(self.places.shape[1], dtype=np.int64)
        for question in tree:
            leaf = 2 * leaf + self.answers(question, self.places[question.feature])
        return leaf


def _edges(present: Matrix) -> Matrix:
    """Ascending quantiles of the values (m,); above the last of them there is a value."""
    ordered = np.sort(present)
    if not ordered.size:
        return ordered
    found = np.unique(ordered[np.arange(1, BINS) * ordered.size // BINS])
    return np.asarray(found[found < ordered[-1]])


def grow(
    bins: Bins, rows: IntArray, targets: FloatArray, weights: FloatArray, rng: np.random.Generator
) -> list[Question]:
    """The tree whose leaves differ most in their targets, question by question.

    Args:
        bins: All rows.
        rows: (m,) those to grow on.
        targets: (S, m) what is to be told apart, times the weight.
        weights: (m,) positive.
        rng: Draws the features that a level chooses among.

    Returns:
        ``DEPTH`` questions; none where no feature varies.
    """
    if not bins.varying.size:
        return []
    n_columns = min(MOST_COLUMNS, int(np.ceil(COLUMNS_SHARE * bins.varying.size)))
    ridge = min(SIDE_RIDGE, float(weights.sum()) / 100)
    tree: list[Question] = []
    leaf, places = np.zeros(rows.size, dtype=np.int64), bins.places.take(rows, axis=1)
    for level in range(DEPTH):
        drawn = np.sort(rng.choice(bins.varying, n_columns, replace=False)).tolist()
        tables = ((feature, _tables(bins, feature, places, leaf, 2**level, targets, weights)) for feature in drawn)
        found = (one for feature, table in tables for one in _candidates(bins, feature, table, ridge))
        tree.append(max(found, key=itemgetter(0))[1])
        leaf = 2 * leaf + bins.answers(tree[-1], places[tree[-1].feature])
    return tree


def _tables(
    bins: Bins,
    feature: int,
    places: NDArray[np.uint8],
    leaf: IntArray,
    n_leaves: int,
    targets: FloatArray,
    weights: FloatArray,
) -> FloatArray:
    """(1 + S, leaves, places) the sums of weights (m,) and targets (S, m) by leaf (m,) and place of a feature."""
    width = bins.edges[feature].size + 2
    cells = leaf * width
    cells += places[feature]
    sums = [np.bincount(cells, values, n_leaves * width) for values in (weights, *targets)]
    return np.array(sums, dtype=np.float64).reshape(-1, n_leaves, width)


def _candidates(bins: Bins, feature: int, tables: FloatArray, ridge: float) -> Iterator[tuple[float, Question]]:
    """What the best question about a feature is worth, missing values on the upper side, and on the lower."""
    edges, total = bins.edges[feature], tables.sum(axis=2, keepdims=True)
    below = tables[:, :, :-1].cumsum(axis=2)
    sides = []
    if bins.missing[feature]:
        sides.append((_gain(below, total, ridge), False))
    if edges.size:
        # No value lies beyond the last place but that of the missing ones.
        sides.append((_gain(below[:, :, :-1] + tables[:, :, -1:], total, ridge), True))
    for gains, above in sides:
        place = int(gains.argmax())
        # At most the largest number there is: the question whether there is a value.
        threshold = edges[place] if place < edges.size else np.finfo(np.float32).max
        yield float(gains[place]), Question(feature, float(threshold), above, place)


def _gain(below: FloatArray, total: FloatArray, ridge: float) -> FloatArray:
    above = total - below
    worth = (below[1:] ** 2).sum(axis=0) / (below[0] + ridge) + (above[1:] ** 2).sum(axis=0) / (above[0] + ridge)
    return np.asarray(worth.sum(axis=0))


def leaves(columns: Matrix, features: IntArray, thresholds: Matrix, above: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(b,) the leaf of each row in a tree of these questions (D,), from the features as rows (d, b)."""
    leaf, answer = np.zeros(columns.shape[1], dtype=np.uint8), np.empty(columns.shape[1], dtype=np.uint8)
    yes = answer.view(np.bool_)
    for feature, threshold, asks_above in zip(features.tolist(), thresholds, above.tolist(), strict=True):
        np.add(leaf, leaf, out=leaf)
        # Missing values are neither above nor at most anything.
        (np.greater if asks_above else np.less_equal)(columns[feature], threshold, out=yes)
        np.add(leaf, answer, out=leaf)
    return leaf
