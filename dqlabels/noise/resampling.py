"""Replicates of a noise rate: how many to draw, and the interval they give."""

from __future__ import annotations

import numpy as np

from dqlabels.statistics.arrays import FloatArray

REPLICATES = 200
MIN_REPLICATES = 20
# Replicates x classes^2 in memory at a time: with many classes fewer replicates are drawn.
REPLICATE_BUDGET = 20_000_000


def n_replicates(n_classes: int) -> int:
    """Return how many noise matrices of ``n_classes`` classes to draw."""
    return int(min(REPLICATES, max(MIN_REPLICATES, REPLICATE_BUDGET // n_classes**2)))


def percentile_interval(drawn: FloatArray, estimate: float, confidence: float) -> tuple[float, float]:
    """Return the low and high quantile of the drawn rates (B,), widened if necessary to include the ``estimate``."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return float(min(low, estimate)), float(max(high, estimate))
