"""Symmetric trees: all nodes of a level ask the same question, so rows descend side by side and not one by one.

A row's leaf is the number that its answers spell, first question first. No branch depends on a row, which makes a
tree ten times as quick to ask as one whose nodes differ (docs/benchmarks.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from dqlabels.statistics.arrays import FloatArray, IntArray, Matrix, RealArray

# Share of the varying features among which a level chooses its question; more of them cost time in proportion.
COLUMNS_SHARE, MAX_COLUMNS = 0.5, 64
# Features that are examined together: more take more memory, fewer more time.
TOGETHER = 16
# Added to the rows of a side when questions are compared, so that small sides do not win by chance.
SIDE_RIDGE = 20.0
# The last quantiles hold so many rows, twice as many, and so on, up to a full one; so many edges at most at each end.
MIN_END_ROWS, MAX_END_EDGES = 8, 12


@dataclass(frozen=True, slots=True)
class Question:
    """Is the ``feature`` above (else: at most) the ``threshold``? A missing value answers no; ``bin`` is its place."""

    feature: int
    threshold: float
    above: bool
    bin: int


@dataclass(frozen=True, slots=True, eq=False)
class Bins:
    """A matrix (n, d) as quantiles: ``places`` (d, n) in bytes; the last place of a feature is for missing values.

    ``edges`` are d ascending arrays: the values at most ``edges[f][b]`` lie in the places up to b. ``missing`` (d,)
    says which features lack values, ``varying`` which of them can be asked for.
    """

    places: NDArray[np.uint8]
    edges: tuple[Matrix, ...]
    missing: NDArray[np.bool_]
    varying: IntArray

    @classmethod
    def of(cls, matrix: Matrix, bins: int) -> Bins:
        """Sort the values of a matrix (n, d), NaN where missing, into quantiles."""
        n, width = matrix.shape
        places = np.empty((width, n), dtype=np.uint8)
        edges, missing = [], np.zeros(width, dtype=bool)
        for feature in range(width):
            column = np.ascontiguousarray(matrix[:, feature])
            absent = np.isnan(column)
            edges.append(_edges(column[~absent], bins))
            missing[feature] = absent.any() and not absent.all()
            places[feature] = np.searchsorted(edges[-1], column)
            places[feature][absent] = edges[-1].size + 1
        varying = np.array([at for at in range(width) if edges[at].size or missing[at]], dtype=np.int64)
        return cls(places, tuple(edges), missing, varying)

    def answers(self, question: Question, places: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return the answers (m,) of rows in these places (m,) of the feature."""
        if not question.above:
            return np.asarray(places <= question.bin)
        return np.asarray((places > question.bin) & (places <= self.edges[question.feature].size))

    def leaves(self, tree: list[Question]) -> IntArray:
        """Return the leaf (n,) of every row."""
        leaf = np.zeros(self.places.shape[1], dtype=np.int64)
        for question in tree:
            leaf = 2 * leaf + self.answers(question, self.places[question.feature])
        return leaf


def _edges(present: Matrix, bins: int) -> Matrix:
    """Ascending quantiles of the values (m,), finer towards both ends, the last below the largest value.

    A few rows far away from all others are apart from them in their ends, however many the others are.
    """
    ordered = np.sort(present)
    if not ordered.size:
        return ordered
    size, first = ordered.size, MIN_END_ROWS
    ends = [first << step for step in range(MAX_END_EDGES) if first << step < size // bins]
    places = [*(np.arange(1, bins) * size // bins), *(end - 1 for end in ends), *(size - 1 - end for end in ends)]
    found = np.unique(ordered[np.array(places, dtype=np.int64)])
    return np.asarray(found[found < ordered[-1]])


def grow(
    bins: Bins,
    rows: IntArray,
    targets: FloatArray,
    weights: FloatArray,
    rng: np.random.Generator,
    depth: int,
) -> list[Question]:
    """Grow the tree whose leaves differ most in their targets, question by question.

    Args:
        bins: All rows.
        rows: (m,) those to grow on.
        targets: (S, m) the targets, times the weight.
        weights: (m,) positive.
        rng: Draws the features that a level chooses among.
        depth: How many questions.

    Returns:
        ``depth`` questions; none where no feature varies.
    """
    if not bins.varying.size:
        return []
    n_columns = min(MAX_COLUMNS, int(np.ceil(COLUMNS_SHARE * bins.varying.size)))
    ridge = min(SIDE_RIDGE, float(weights.sum()) / 100)
    tree: list[Question] = []
    leaf, places = np.zeros(rows.size, dtype=np.int32), bins.places.take(rows, axis=1)
    values = np.concatenate([weights[None], targets]).T.copy()
    for level in range(depth):
        drawn = np.sort(rng.choice(bins.varying, n_columns, replace=False))
        parts = np.split(drawn, range(TOGETHER, drawn.size, TOGETHER))
        tables = ((part, _tables(bins, part, places, leaf, 2**level, values)) for part in parts)
        found = (_best(bins, part, table, ridge) for part, table in tables)
        tree.append(max(found, key=itemgetter(0))[1])
        leaf = 2 * leaf + bins.answers(tree[-1], places[tree[-1].feature])
    return tree


def _tables(
    bins: Bins,
    features: IntArray,
    places: NDArray[np.uint8],
    leaf: NDArray[np.int32],
    n_leaves: int,
    values: FloatArray,
) -> FloatArray:
    """Sums (1 + S, F, places, leaves) of values (m, 1 + S) by place of each feature (F,) and by leaf (m,).

    All features have as many places as that with most; a place that a feature lacks holds nothing.
    """
    width = 2 + max(bins.edges[feature].size for feature in features.tolist())
    cells = np.multiply(places[features], np.int32(n_leaves), dtype=np.int32)
    cells += leaf
    cells += (np.arange(features.size, dtype=np.int32) * np.int32(width * n_leaves))[:, None]
    sums = sums_by_cell(cells, values, features.size * width * n_leaves)
    return np.ascontiguousarray(sums.T).reshape(-1, features.size, width, n_leaves)


def sums_by_cell(
    cells: NDArray[np.int32], values: RealArray, n_cells: int, weights: FloatArray | None = None
) -> FloatArray:
    """Return weighted sums (n_cells, S) of the values (m, S) of the rows in each cell; each row is in several (c, m).

    As ``numpy.bincount`` adds them, row by row, but all columns at once, and other threads can work meanwhile.

    Args:
        cells: (c, m) the c cells that each row lies in.
        values: (m, S) what to add up.
        n_cells: How many cells there are.
        weights: (m,) weights of the rows, by default 1.
    """
    from scipy.sparse import csc_matrix

    at_once, m = cells.shape
    ends = np.arange(0, cells.size + 1, at_once, dtype=np.int32)
    factors = np.ones(cells.size) if weights is None else np.repeat(weights, at_once)
    return np.asarray(csc_matrix((factors, cells.T.reshape(-1), ends), shape=(n_cells, m)) @ values)


def _best(bins: Bins, features: IntArray, tables: FloatArray, ridge: float) -> tuple[float, Question]:
    """Gain of the best question about these features (F,), and the question, by sums (1 + S, F, places, leaves)."""
    at, edges = np.arange(features.size), np.array([bins.edges[feature].size for feature in features.tolist()])
    place, total = np.arange(tables.shape[2]), tables.sum(axis=2, keepdims=True)
    below, absent = tables.cumsum(axis=2), tables[:, at, edges + 1][:, :, None]
    gains = np.full((features.size, 2, place.size), -np.inf)
    # Missing values on the upper side, where there are any; above the last place there are only they.
    lacking = np.flatnonzero(bins.missing[features])
    if lacking.size:
        worth = _gain(below[:, lacking], total[:, lacking], ridge)
        gains[lacking, 0] = np.where(place <= edges[lacking, None], worth, -np.inf)
    # Missing values on the lower side; above the last place there is nothing.
    below += absent
    gains[:, 1] = np.where(place < edges[:, None], _gain(below, total, ridge), -np.inf)
    # Rounded, so that of questions that are equally good the first is chosen, whatever order the classes are in.
    which, above, where = map(int, np.unravel_index(gains.astype(np.float32).argmax(), gains.shape))
    feature = int(features[which])
    # At most the largest number there is: the question whether there is a value.
    threshold = bins.edges[feature][where] if where < edges[which] else np.finfo(np.float32).max
    return float(gains[which, above, where]), Question(feature, float(threshold), bool(above), where)


def _gain(below: FloatArray, total: FloatArray, ridge: float) -> FloatArray:
    """How far apart the targets are on the two sides of each place (F, places), added up over the leaves."""
    above = total - below
    np.maximum(above[0], 0, out=above[0])  # beyond a feature's own places
    worth = (below[1:] ** 2).sum(axis=0) / (below[0] + ridge) + (above[1:] ** 2).sum(axis=0) / (above[0] + ridge)
    return np.asarray(worth.sum(axis=-1))


def leaves(columns: Matrix, features: IntArray, thresholds: Matrix, above: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the leaf (b,) of each row in a tree of these questions (D,), from the features as rows (d, b).

    Args:
        columns: (d, b) the features.
        features: (D,) the feature of each question.
        thresholds: (D,) what it is compared with.
        above: (D,) 1 where the question is whether the feature is above the threshold.
    """
    leaf, answer = np.empty((2, columns.shape[1]), dtype=np.uint8)
    asked = zip(features.tolist(), thresholds, above.tolist(), strict=True)
    for at, (feature, threshold, asks_above) in enumerate(asked):
        into = answer if at else leaf
        # Missing values are neither above nor at most anything.
        (np.greater if asks_above else np.less_equal)(columns[feature], threshold, out=into.view(np.bool_))
        if at:
            np.add(leaf, leaf, out=leaf)
            np.add(leaf, answer, out=leaf)
    return leaf
