"""The methods that need nothing but labels and probabilities, and which of them is the default."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dqlabels.noise.anchor import anchor_noise
from dqlabels.noise.mixture import mixture_noise
from dqlabels.noise.rate import NoiseRate, with_support
from dqlabels.statistics.classes import model_error

IntArray = NDArray[np.int64]

METHODS = ("variational", "em", "anchor", "confident")
# A mixture's matrix has K x K unknowns: with more classes the anchor region is the default.
MAX_CLASSES_OF_A_MIXTURE = 60


def default_noise(
    codes: IntArray,
    probs: NDArray[Any],
    counts: IntArray | None = None,
    *,
    confidence: float = 0.90,
    random_state: int = 0,
) -> NoiseRate:
    """The noise rate by the method that did best in the benchmark: ``variational``, or ``anchor`` for many classes."""
    options: Any = {"confidence": confidence, "random_state": random_state}
    if probs.shape[1] <= MAX_CLASSES_OF_A_MIXTURE:
        return mixture_noise(codes, probs, counts=counts, **options)
    rate = anchor_noise(codes, probs, **options)
    return with_support(rate, model_error(codes, probs.argmax(axis=1)), rate)
