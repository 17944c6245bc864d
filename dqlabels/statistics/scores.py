"""Label quality scores: how far the probabilities of a row speak for its label."""

from __future__ import annotations

import numpy as np

from dqlabels.statistics.arrays import FloatArray, IntArray, RealArray
from dqlabels.statistics.classes import strongest_rival, take

SCORES = ("normalized_margin", "self_confidence", "confidence_weighted_entropy")
# A smaller self-confidence counts as this in the entropy score (cleanlab's constant).
MIN_CONFIDENCE = 1e-6


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
    return np.clip((given.astype(np.float64) - strongest_rival(codes, probs) + 1) / 2, 0.0, 1.0)
