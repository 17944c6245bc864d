"""Scores of labels: how far the probabilities of a row speak for its label, as numbers that can be counted exactly.

A score is a whole number of units, so that counts and sums of it do not depend on the order of the rows or the number
of blocks. What it means for the label to be right is for :mod:`dqlabels.noise.probability` to say.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dqlabels.statistics.arrays import FloatArray, IntArray, RealArray
from dqlabels.statistics.classes import in_units, likeliest, strongest_rival, take
from dqlabels.statistics.selection import UNIT

SCORES = ("logit_margin", "normalized_margin", "self_confidence", "confidence_weighted_entropy")
# A smaller self-confidence counts as this in the entropy score (cleanlab's constant).
MIN_CONFIDENCE = 1e-6

# A unit is 2**-20 of a factor of two between two probabilities; neither counts as less than 2**-24.
SCORE_UNIT = 2**20
# A bin of the counts is 2**12 units wide.
OFFSET_BITS = 12
MAX_BIN = 24 * SCORE_UNIT >> OFFSET_BITS
N_BINS = 2 * MAX_BIN + 1


def logarithm_units(probs: RealArray) -> FloatArray:
    """Logarithms to the base 2 of probabilities, shape as given, in whole units.

    >>> logarithm_units(np.array([1.0, 0.5, 0.0])).tolist()
    [0.0, -1048576.0, -25165824.0]
    """
    return _logarithms(np.rint(probs * np.float64(UNIT)))


def _logarithms(units: RealArray) -> FloatArray:
    """The same of probabilities that are in whole units of 2**-24 already."""
    logs = np.maximum(units, 1.0, dtype=np.float64)
    np.log2(logs, out=logs)
    logs -= 24
    logs *= SCORE_UNIT
    return np.asarray(np.rint(logs, out=logs))


def logit_margin(codes: IntArray, probs: RealArray) -> FloatArray:
    """Logarithm of the given label's probability over that of the likeliest other class, shape (m,), in whole units.

    >>> (logit_margin(np.array([0, 0]), np.array([[0.8, 0.2], [0.25, 0.75]])) / SCORE_UNIT).round(3).tolist()
    [2.0, -1.585]
    """
    return margin_of(*own_and_rival(codes, probs))


def own_and_rival(codes: IntArray, probs: RealArray) -> tuple[RealArray, RealArray]:
    """Probability (m,) of the given label, and of the likeliest other class (m,), in whole units of 2**-24."""
    return in_units(take(probs, codes)), in_units(strongest_rival(codes, probs))


def margin_of(own: RealArray, rival: RealArray) -> FloatArray:
    """Return the ``logit_margin`` (m,) of labels by what :func:`own_and_rival` gives.

    >>> codes, probs = np.array([0, 0]), np.array([[0.8, 0.2], [0.25, 0.75]])
    >>> (margin_of(*own_and_rival(codes, probs)) == logit_margin(codes, probs)).tolist()
    [True, True]
    """
    margin = _logarithms(own)
    margin -= _logarithms(rival)
    return margin


def every_logit_margin(probs: RealArray) -> FloatArray:
    """Return the ``logit_margin`` (m, K) that each class would have as the label.

    >>> (every_logit_margin(np.array([[0.5, 0.25, 0.25]])) / SCORE_UNIT).tolist()
    [[1.0, -1.0, -1.0]]
    """
    likely, top = likeliest(probs)
    logs = logarithm_units(probs)
    margins = logs - logarithm_units(top)[:, None]
    rows = np.arange(likely.size)
    margins[rows, likely] = logs[rows, likely] - logarithm_units(strongest_rival(likely, probs))
    return np.asarray(margins)


def logit_units(quality: FloatArray) -> FloatArray:
    """Log-odds to the base 2 of numbers (m,) in [0, 1], in whole units.

    >>> logit_units(np.array([0.8, 0.2])).tolist() == [2.0 * SCORE_UNIT, -2.0 * SCORE_UNIT]
    True
    """
    return logarithm_units(quality) - logarithm_units(1 - quality)


def score_units(codes: IntArray, probs: RealArray, score: str) -> FloatArray:
    """Score (m,) of the labels of a block by one of ``SCORES``, in whole units, low is suspicious."""
    if score == "logit_margin":
        return logit_margin(codes, probs)
    return logit_units(block_quality(codes, probs, score))


@dataclass(slots=True, eq=False)
class ScoreTally:
    """Rows by score: ``counts`` in each bin, and ``offsets``, the sum of their units from the lower edge of the bin."""

    counts: IntArray
    offsets: IntArray

    @classmethod
    def empty(cls) -> ScoreTally:
        """Return a state without rows."""
        return cls(np.zeros(N_BINS, dtype=np.int64), np.zeros(N_BINS, dtype=np.int64))

    def update(self, units: FloatArray) -> None:
        """Add rows with these scores (m,)."""
        places, offsets = bins_of(units)
        self.counts += np.bincount(places, minlength=N_BINS)
        self.offsets += np.bincount(places, weights=offsets, minlength=N_BINS).astype(np.int64)

    def merge(self, other: ScoreTally) -> None:
        """Add the rows of another state."""
        self.counts += other.counts
        self.offsets += other.offsets

    def sums(self) -> IntArray:
        """Return integers that can be added to those of other parts of the table."""
        return np.asarray(np.concatenate([self.counts, self.offsets]))

    def add_sums(self, sums: IntArray) -> None:
        """Add the ``sums`` of other parts of the table."""
        counts, offsets = np.split(sums, 2)
        self.counts += counts
        self.offsets += offsets


def bins_of(units: FloatArray) -> tuple[IntArray, IntArray]:
    """Bin (m,) of each score, and its units (m,) from the lower edge of the bin."""
    places = _shifted(units)
    offsets = places & ((1 << OFFSET_BITS) - 1)
    places >>= OFFSET_BITS
    return places, offsets


def places_of(units: FloatArray) -> IntArray:
    """Bin of each score, in the shape of ``units``."""
    places = _shifted(units)
    places >>= OFFSET_BITS
    return places


def _shifted(units: FloatArray) -> IntArray:
    """Units from the lower edge of the first bin."""
    whole = units.astype(np.int64)
    whole += MAX_BIN << OFFSET_BITS
    return whole


def adjust_probs(probs: RealArray, thresholds: FloatArray) -> FloatArray:
    """Subtract each class's threshold from the probabilities (m, K), shift them to stay positive, and rescale to 1.

    Source: Northcutt et al. (2021), section 4.3; the shift is cleanlab's.
    """
    highest = np.nanmax(thresholds)
    # A class without rows has no threshold; with the highest one its probability stays as it is.
    shift = highest - np.where(np.isnan(thresholds), highest, thresholds)
    adjusted: FloatArray = probs + shift
    adjusted /= adjusted.sum(axis=1, keepdims=True)
    return adjusted


def entropy_quality(probs: RealArray, given: RealArray) -> FloatArray:
    """Confidence-weighted entropy, shape (m,), in [0, 1]: log(1 + e) / e with e = normalized entropy / p_given.

    As e goes to 0 the score goes to 1, the quality of a label with probability 1. A row that is sure of another
    class has no entropy either, but its quality is 0.

    Source: Kuan & Mueller (2022), "Model-agnostic label quality scoring".

    >>> entropy_quality(np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([1.0, 0.5])).round(3).tolist()
    [1.0, 0.549]
    """
    weighted = weighted_entropy(probs, given)
    sure = (np.asarray(given) > 0).astype(np.float64)
    return np.divide(np.log1p(weighted), weighted, out=sure, where=weighted > 0)


def weighted_entropy(probs: RealArray, given: RealArray) -> FloatArray:
    """Entropy over log K, divided by the self-confidence, shape (m,)."""
    p = probs.astype(np.float64)
    logs = np.log(p, out=np.zeros_like(p), where=p > 0)
    entropy = np.maximum(-(p * logs).sum(axis=1) / np.log(probs.shape[1]), 0.0)
    weighted: FloatArray = entropy / np.maximum(given, MIN_CONFIDENCE)
    return weighted


def block_quality(codes: IntArray, probs: RealArray, score: str) -> FloatArray:
    """Label quality (m,) of a block by one of ``SCORES``."""
    given = take(probs, codes)
    if score == "self_confidence":
        return np.clip(given.astype(np.float64), 0.0, 1.0)
    if score == "confidence_weighted_entropy":
        return entropy_quality(probs, given)
    if score == "logit_margin":
        both = given.astype(np.float64) + strongest_rival(codes, probs)
        return np.asarray(np.clip(np.divide(given, both, out=np.full(given.size, 0.5), where=both > 0), 0.0, 1.0))
    return np.clip((given.astype(np.float64) - strongest_rival(codes, probs) + 1) / 2, 0.0, 1.0)
