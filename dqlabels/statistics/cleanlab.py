"""cleanlab 2.9's numbers where they depart from the paper, so that people who move over can compare.

Departures: if several classes are confident, the likeliest of *all* classes counts; the joint is rounded to whole
numbers with a diagonal of at least 1; a class with one row is never pruned; sums are floating point. Rows that tie at
a cutoff are all flagged here; cleanlab picks among them by an unstable sort.

Source: cleanlab 2.9, ``count.py``, ``filter.py`` and ``rank.py``, read and written anew.
"""

from __future__ import annotations

import numpy as np

from dqlabels.statistics.arrays import BoolArray, FloatArray, IntArray, RealArray
from dqlabels.statistics.classes import Flags, strongest_rival, take
from dqlabels.statistics.scores import MIN_CONFIDENCE, weighted_entropy

TOLERANCE = 1e-6
THRESHOLD_OF_ABSENT = 2.0
MIN_THRESHOLD = 2 * TOLERANCE
MIN_ROWS = 1


def flag_like_cleanlab(codes: IntArray, probs: RealArray, filter_by: str) -> Flags:
    """Flag rows by one of ``FILTERS``, as ``cleanlab.filter.find_label_issues`` does."""
    k = probs.shape[1]
    given, top = take(probs, codes), strongest_rival(codes, probs)
    label_counts = np.bincount(codes, minlength=k)
    thresholds = class_thresholds(codes, given, k)
    confident = confident_class(codes, probs, thresholds)
    counted = confident >= 0
    raw = np.bincount(codes[counted] * k + confident[counted], minlength=k * k).reshape(k, k)
    counts = raw.copy()
    np.fill_diagonal(counts, np.maximum(np.diagonal(raw), 1))
    calibrated = calibrate(counts, label_counts)
    off = counted & (confident != codes)
    flagged = _flagged(filter_by, codes, probs, given, top, calibrated, off, _agrees(codes, probs, given, top))
    return Flags(flagged, label_counts, thresholds, counts, calibrated / max(calibrated.sum(), 1e-100))


def _agrees(codes: IntArray, probs: RealArray, given: RealArray, top: RealArray) -> BoolArray:
    """True (n,) where the given label is the likeliest class once its probability is raised by the tolerance."""
    nudged = given + TOLERANCE
    agrees = nudged > top
    tied = np.flatnonzero(nudged == top)
    if tied.size:  # the lower class wins
        others = probs[tied].copy()
        others[np.arange(tied.size), codes[tied]] = -1
        agrees[tied] = codes[tied] < others.argmax(axis=1)
    return np.asarray(agrees)


def class_thresholds(codes: IntArray, given: RealArray, n_classes: int) -> FloatArray:
    """Mean self-confidence of each class (K,), summed as in cleanlab; 2 for a class without rows."""
    means = [given[codes == k].mean() if (codes == k).any() else THRESHOLD_OF_ABSENT for k in range(n_classes)]
    return np.asarray(np.maximum(np.array(means), MIN_THRESHOLD))


def confident_class(codes: IntArray, probs: RealArray, thresholds: FloatArray) -> IntArray:
    """Confident class (n,), the likeliest of all classes where several are confident, -1 where none is."""
    reached = probs >= thresholds - TOLERANCE
    number = reached.sum(axis=1)
    confident = np.where(number > 1, probs.argmax(axis=1), reached.argmax(axis=1))
    return np.where(number > 0, confident, -1)


def calibrate(counts: IntArray, label_counts: IntArray) -> IntArray:
    """Rescale the joint (K, K) to the label counts, and round it so that each row keeps its sum."""
    # Stored by column, as in cleanlab, because its floating-point sum runs in the order of the memory.
    counts = np.asfortranarray(counts)
    scaled = (counts.T / np.maximum(counts.sum(axis=1), 1e-100) * label_counts).T
    scaled = scaled / max(scaled.sum(), 1e-100) * label_counts.sum()
    return round_rows(scaled)


def round_rows(values: FloatArray) -> IntArray:
    """Round to whole numbers that keep each row's sum: the largest remainders are rounded the other way."""
    # Along the same axis as cleanlab: the memory layout decides which of equal remainders its sort takes.
    return np.apply_along_axis(_round_row, 1, values).astype(np.int64)


def _round_row(row: FloatArray) -> IntArray:
    whole = row.round()
    wanted = row.sum().round()
    while abs(whole.sum().round() - wanted) > TOLERANCE:
        lacking = np.round(wanted - whole.sum().round())
        step = -1 if lacking < 0 else 1
        order = np.argsort(row - whole)[::-step][: min(int(abs(lacking)), row.size)]
        whole[order] += step
    return np.asarray(whole.astype(np.int64))


def prune_counts(calibrated: IntArray) -> IntArray:
    """Rows to prune by likely and given class (K, K); at least one row of each class is left."""
    matrix = calibrated.T
    diagonal = np.diagonal(matrix)
    remaining = np.maximum(diagonal, MIN_ROWS)
    spread = np.maximum(np.count_nonzero(matrix, axis=0) - 1.0, 1.0)
    reduced = np.maximum(matrix - (remaining - diagonal) / spread, 0)
    np.fill_diagonal(reduced, remaining)
    return round_rows(reduced.astype(np.int64).astype(float))


def _flagged(
    filter_by: str,
    codes: IntArray,
    probs: RealArray,
    given: RealArray,
    top: RealArray,
    calibrated: IntArray,
    off: BoolArray,
    agrees: BoolArray,
) -> BoolArray:
    if filter_by.startswith("low_"):
        scores = (given - top + 1) / 2 if filter_by == "low_normalized_margin" else given
        return _lowest(scores, int((off & ~agrees).sum()))
    if filter_by == "predicted_neq_given":
        return np.asarray((probs.argmax(axis=1) != codes) & ~agrees)
    if filter_by == "confident_learning":
        return off & ~agrees
    prune = prune_counts(calibrated)
    flagged = ~agrees
    if filter_by in ("prune_by_class", "both"):
        flagged = flagged & _by_class(codes, given, prune)
    if filter_by in ("prune_by_noise_rate", "both"):
        flagged = flagged & _by_noise_rate(codes, probs, prune)
    return flagged


def _lowest(scores: RealArray, number: int) -> BoolArray:
    if number < 1:
        return np.zeros(scores.size, dtype=bool)
    number = min(number, scores.size)
    return np.asarray(scores <= np.partition(scores, number - 1)[number - 1])


def _by_class(codes: IntArray, given: RealArray, prune: IntArray) -> BoolArray:
    flagged = np.zeros(codes.size, dtype=bool)
    for k in range(prune.shape[0]):
        rows = np.flatnonzero(codes == k)
        if rows.size > MIN_ROWS:
            flagged[rows] = _lowest(given[rows], int(rows.size - prune[k, k]))
    return flagged


def _by_noise_rate(codes: IntArray, probs: RealArray, prune: IntArray) -> BoolArray:
    flagged = np.zeros(codes.size, dtype=bool)
    for k in range(prune.shape[0]):
        rows = np.flatnonzero(codes == k)
        if rows.size <= MIN_ROWS:
            continue
        mine = probs[rows]
        for j in np.flatnonzero(prune[:, k] > 0):
            if j != k:
                flagged[rows] |= _lowest(mine[:, k] - mine[:, j], int(prune[j, k]))
    return flagged


def adjust_probs(probs: RealArray, thresholds: FloatArray) -> FloatArray:
    """Subtract the thresholds from the probabilities and add the highest one (2 if a class has no rows)."""
    adjusted: FloatArray = probs - thresholds
    adjusted += thresholds.max()
    adjusted /= adjusted.sum(axis=1, keepdims=True)
    return adjusted


def label_quality(codes: IntArray, probs: RealArray, score: str, *, adjust: bool) -> FloatArray:
    """Label quality (n,) as cleanlab gives it, whose confidence-weighted entropy is 0 at probability 1.

    Args:
        codes: (n,) given labels as class positions.
        probs: (n, K) out-of-sample probabilities.
        score: One of ``dqlabels.SCORES``.
        adjust: Whether to subtract each class's mean confidence first.
    """
    if adjust:
        probs = adjust_probs(probs, class_thresholds(codes, take(probs, codes), probs.shape[1]))
    given = take(probs, codes)
    if score == "self_confidence":
        return given.astype(np.float64)
    if score == "confidence_weighted_entropy":
        weighted = weighted_entropy(probs, given)
        return np.log(weighted + 1) / np.maximum(weighted, MIN_CONFIDENCE)
    others = probs.copy()
    others[np.arange(codes.size), codes] = -np.inf
    return np.asarray(((given - others.max(axis=1, initial=-np.inf) + 1) / 2).astype(np.float64))
