"""The methods that need only labels and probabilities, and the default among them."""

from __future__ import annotations

from dqlabels.noise.mixture import RateBasis, mixture_rate
from dqlabels.noise.rate import NoiseRate
from dqlabels.noise.support import with_support
from dqlabels.noise.symmetric import symmetric_rate
from dqlabels.statistics.arrays import IntArray, RealArray

METHODS = ("variational", "em", "anchor", "confident")
# The mixture has K x K unknowns; with more classes than this one rate for all classes is the default.
MAX_CLASSES_OF_A_MIXTURE = 60


def default_noise(
    codes: IntArray,
    probs: RealArray,
    counts: IntArray | None = None,
    *,
    confidence: float = 0.90,
) -> NoiseRate:
    """Estimate the noise rate by the best method of the benchmark: ``variational``, or ``symmetric`` for many classes.

    Args:
        codes: (n,) class positions of the given labels, none missing.
        probs: (n, K) out-of-sample probabilities.
        counts: (K, K) confident joint before calibration, given x likely; counted here if it is left out.
        confidence: Confidence of the interval, in (0, 1).

    Raises:
        OptionError: ``confidence`` is outside (0, 1).

    >>> import numpy as np
    >>> codes = np.repeat([0, 1], 200)
    >>> probs = np.where(np.eye(2)[codes] == 1, 0.9, 0.1)
    >>> codes[:20] = 1
    >>> default_noise(codes, probs).method
    'variational'
    """
    basis = RateBasis.of(codes, probs, counts)
    return default_rate(basis, confidence=confidence)


def default_rate(basis: RateBasis, *, confidence: float = 0.90) -> NoiseRate:
    """Estimate the same from the basis of a table, wherever its rows are."""
    if basis.class_rows.size <= MAX_CLASSES_OF_A_MIXTURE:
        return with_support(mixture_rate(basis, method="variational", confidence=confidence), basis)
    return with_support(symmetric_rate(basis, confidence=confidence), basis)
