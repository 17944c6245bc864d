"""How many replicates a noise rate is drawn with, and the interval they give."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

REPLICATES = 200
MIN_REPLICATES = 20
# Replicates x classes^2, in numbers held in memory at a time: many classes take fewer replicates.
REPLICATE_BUDGET = 20_000_000


def n_replicates(n_classes: int) -> int:
    """How many noise matrices of ``n_classes`` classes to draw."""
    return int(min(REPLICATES, max(MIN_REPLICATES, REPLICATE_BUDGET // n_classes**2)))


def percentile_interval(drawn: FloatArray, estimate: float, confidence: float) -> tuple[float, float]:
    """Low and high quantile of the drawn rates (B,), widened where need be to hold the ``estimate``."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return float(min(low, estimate)), float(max(high, estimate))
