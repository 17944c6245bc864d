"""How much a row counts when a model is fitted again: as much as its label is likely right."""

from __future__ import annotations

import numpy as np

from dqlabels.statistics.arrays import FloatArray, IntArray
from dqlabels.statistics.classes import in_cache

# Least weight of a row in the second round.
MIN_WEIGHT = 0.02
# Weights are rounded to this, so that the last bits of a probability choose no split.
RESOLUTION = 1 / 1024


def right_weights(logs: FloatArray, codes: IntArray) -> FloatArray:
    """Return how much each row counts in the next round, (n,): 1 where its label is the likeliest class, else less.

    Args:
        logs: Logarithms of probabilities (n, K).
        codes: (n,) class positions; rows of -1 count 1, since nothing is fitted on them.

    >>> right_weights(np.log([[0.9, 0.1], [0.9, 0.1]]), np.array([0, 1])).round(3).tolist()
    [1.0, 0.2]
    """
    weights = np.ones(codes.size)
    for part in in_cache(logs):  # copied part by part, since there may be many classes
        known = part.start + np.flatnonzero(codes[part] >= 0)
        own, others = logs[known, codes[known]], logs[known]
        others[np.arange(known.size), codes[known]] = -np.inf
        odds = np.exp(np.minimum(others.max(axis=1) - own, 50.0))
        weights[known] = np.rint(np.clip(2 / (1 + odds), MIN_WEIGHT, 1.0) / RESOLUTION) * RESOLUTION
    return weights
