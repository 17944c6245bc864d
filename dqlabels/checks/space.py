"""Rows as points whose distance says how much they differ, with their nearest neighbours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dqlabels.frames.columns import ColumnKind, Frame
from dqlabels.frames.encoders import MAX_ONE_HOT, CategoryEncoder
from dqlabels.frames.features import FeatureEncoder
from dqlabels.statistics.arrays import FloatArray, IntArray
from dqlabels.statistics.value_scale import ValueScale

# Neighbours of each point, as in cleanlab's Datalab.
NEIGHBOURS = 10
# With fewer distinct rows there is no usual distance.
MIN_POINTS = 50
# Distance of two rows that differ in one column, whatever its kind: asinh(1), the interquartile range of a number.
STEP = float(np.arcsinh(1.0))
# Each value of a category with many values becomes this many random numbers, which put any two about equally apart.
PROJECTED = 12
# A tree of points is faster than comparing all pairs up to about this many dimensions (20,000 rows, scikit-learn 1.9).
MAX_TREE_DIMENSIONS = 6
# The dimension is estimated at these quantiles, and the lower answer used, so that uneven density raises no alarm.
MIDDLE, LOWER = 0.50, 0.25
CHUNK = 4_000_000  # numbers per step


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """n rows as u distinct points of d numbers, with the k nearest neighbours of each point.

    ``points`` (u, d) are in an order that does not depend on that of the rows; ``point`` (n,) is the point of each row;
    ``neighbours`` (u, k) are points and ``distances`` (u, k) theirs, nearest first; ``blocks`` says which of the d
    numbers belong to which column.
    """

    points: FloatArray
    point: IntArray
    neighbours: IntArray
    distances: FloatArray
    blocks: Mapping[str, slice]

    def apart(self, points: IntArray) -> FloatArray:
        """Return the share (m, columns) of each column in the distances from these points (m,) to their neighbours.

        Distances are squared, and rows sum to 1.
        """
        off = self.points[self.neighbours[points]] - self.points[points][:, None, :]
        squared = (off**2).mean(axis=1)
        parts = np.column_stack([squared[:, block].sum(axis=1) for block in self.blocks.values()])
        return np.asarray(parts / np.maximum(parts.sum(axis=1, keepdims=True), np.finfo(float).tiny))


def as_points(table: Frame, kinds: Mapping[str, ColumnKind]) -> tuple[FloatArray, dict[str, slice]]:
    """Return rows (n, d) as numbers that can be compared, and which of the d numbers belong to which column.

    Numbers and dates become ``asinh((value - median) / interquartile range)``, so that an extreme value is far away and
    yet does not drown the other columns. Categories are one step apart, texts and vectors about one step. A missing
    number becomes the median, one step from all that are not missing. Constant columns take no part.
    """
    parts: list[FloatArray] = []
    blocks: dict[str, slice] = {}
    start = 0
    for name, kind in kinds.items():
        encoder, encoded = FeatureEncoder.fit_encode(table.select(name), {name: kind})
        part = _scaled(encoded.matrix.astype(np.float64), kind, encoder.encoders[name])
        if not part.shape[1]:
            continue
        blocks[name] = slice(start, start + part.shape[1])
        start += part.shape[1]
        parts.append(part)
    return (np.hstack(parts) if parts else np.zeros((len(table), 0))), blocks


def _scaled(part: FloatArray, kind: ColumnKind, encoder: object) -> FloatArray:
    if kind in ("text", "vector"):
        return _whole(part)
    if isinstance(encoder, CategoryEncoder):
        return _categories(part, encoder)
    return _numbers(part[:, 0])  # only the days of a date, since month and weekday follow from them


def _numbers(values: FloatArray) -> FloatArray:
    known = ~np.isnan(values)
    if not known.any():
        return np.zeros((values.size, 0))
    scaled = ValueScale.of(values[known]).apply(np.where(known, values, np.median(values[known])))
    columns = [scaled] if np.ptp(scaled) > 0 else []
    if not known.all():
        columns.append(np.where(known, 0.0, STEP))
    return np.column_stack(columns) if columns else np.zeros((values.size, 0))


def _categories(part: FloatArray, encoder: CategoryEncoder) -> FloatArray:
    if len(encoder.values) + int(encoder.missing > 0) <= MAX_ONE_HOT:
        scale = STEP if part.shape[1] == 1 else STEP / np.sqrt(2)
        return part * scale if part.shape[1] and np.ptp(part, axis=0).any() else part[:, :0]
    places = part[:, 0].astype(np.int64)
    drawn = np.random.default_rng(0xD91).normal(size=(len(encoder.values) + 1, PROJECTED))
    return np.asarray(drawn[places] * (STEP / np.sqrt(2 * PROJECTED)))


def _whole(part: FloatArray) -> FloatArray:
    """Scale texts and vectors so that two rows are one step apart in the root mean square."""
    part = part[:, ~np.isnan(part).all(axis=0)]
    ordered = np.sort(part, axis=0)  # so that the sums do not depend on the order of the rows
    filled = np.where(np.isnan(part), np.nanmean(ordered, axis=0, keepdims=True), part)
    spread = float(np.nanvar(ordered, axis=0).sum())
    return filled * (STEP / np.sqrt(2 * spread)) if spread > 0 else filled[:, :0]


def find_neighbours(points: FloatArray, blocks: Mapping[str, slice], n_jobs: int | None = None) -> Space | None:
    """Return the neighbour graph of rows (n, d), or None if too few of them differ.

    Rows at the same point count once, so that copies do not vouch for each other.
    """
    from sklearn.neighbors import NearestNeighbors

    if not points.shape[1]:
        return None
    distinct, point = _distinct(points)
    if len(distinct) < MIN_POINTS:
        return None
    kind = "kd_tree" if points.shape[1] <= MAX_TREE_DIMENSIONS else "brute"
    index = NearestNeighbors(n_neighbors=NEIGHBOURS, algorithm=kind, n_jobs=n_jobs).fit(distinct)
    near = index.kneighbors(return_distance=False).astype(np.int64)
    return Space(distinct, point, *_by_distance(distinct, near), dict(blocks))


def _distinct(points: FloatArray) -> tuple[FloatArray, IntArray]:
    """The distinct rows (u, d) in the order of their bytes, and which of them each row is."""
    rows = np.ascontiguousarray(points + 0.0)
    keys = rows.view(np.dtype((np.void, rows.shape[1] * rows.itemsize))).ravel()
    _, first, point = np.unique(keys, return_index=True, return_inverse=True)
    return rows[first], point.astype(np.int64).ravel()


def _by_distance(points: FloatArray, near: IntArray) -> tuple[IntArray, FloatArray]:
    """Neighbours (u, k) and their exact distances (u, k); a matrix product would lose those of close points."""
    distances = np.empty(near.shape)
    step = max(1, CHUNK // (near.shape[1] * points.shape[1]))
    for start in range(0, len(points), step):
        rows = slice(start, start + step)
        distances[rows] = np.sqrt(((points[near[rows]] - points[rows, None, :]) ** 2).sum(axis=2))
    order = np.lexsort((near, distances), axis=1)
    return np.take_along_axis(near, order, axis=1), np.take_along_axis(distances, order, axis=1)


def log_ratios(space: Space) -> FloatArray:
    """Return the logarithms (u, k) of the distances to the neighbours over that to the farthest neighbour."""
    tiny = np.finfo(float).tiny
    return np.asarray(np.log(np.maximum(space.distances / np.maximum(space.distances[:, -1:], tiny), tiny)))


def dimension(space: Space) -> float:
    """Estimate the dimension in which points lie around each other, whatever the number of columns.

    Source: The distances to neighbours in a Poisson process, as in Levina & Bickel (2004), NeurIPS 17; estimated at two
    quantiles instead of the mean, which near copies would distort.

    >>> points = np.random.default_rng(0).normal(size=(900, 2)) @ np.ones((2, 5))
    >>> points[:, 0] += np.random.default_rng(1).normal(size=900)
    >>> round(dimension(find_neighbours(points, {"x": slice(0, 5)})))
    2
    """
    ratios = log_ratios(space)[:, 0]
    found = []
    for quantile in (MIDDLE, LOWER):
        wanted = np.log(-np.expm1(np.log1p(-quantile) / (NEIGHBOURS - 1)))
        got = float(np.quantile(ratios, quantile))
        found.append(wanted / got if got < 0 else np.inf)
    return float(min(*found, 1e3))
