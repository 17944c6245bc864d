"""The methods that need only labels and probabilities, and the default among them."""

from __future__ import annotations

from dqlabels.noise.mixture import RateBasis, mixture_rate, with_method_error
from dqlabels.noise.rate import NoiseRate, noise_rate
from dqlabels.noise.support import with_support
from dqlabels.noise.symmetric import symmetric_rate
from dqlabels.statistics.arrays import IntArray, RealArray

METHODS = ("variational", "em", "anchor", "confident")
# The mixture has K x K unknowns; with more classes than this one rate for all classes is the default.
MAX_CLASSES_OF_A_MIXTURE = 60
# The joint tends to be too high and the anchor region too low. The joint is right where both are above the mixture and
# this near each other, where classes hardly overlap, so that few of the model's errors are left over (as a share of the
# joint), and where the smallest class has this many rows.
NARROW_GAP = 0.04
MAX_OVERLAP = 0.3
MIN_ROWS_A_CLASS = 100


def default_noise(
    codes: IntArray,
    probs: RealArray,
    counts: IntArray | None = None,
    *,
    confidence: float = 0.90,
) -> NoiseRate:
    """Estimate the noise rate by the method that the benchmark found best, which the result names.

    That is ``variational``, or ``symmetric`` for many classes; where classes hardly overlap and ``anchor`` agrees that
    the estimate is too low, ``confident``.

    Args:
        codes: (n,) class positions of the given labels, none missing.
        probs: (n, K) out-of-sample probabilities.
        counts: (K, K) confident joint before calibration, given x likely; counted here if it is left out.
        confidence: Confidence of the interval, in (0, 1).

    Raises:
        OptionError: ``confidence`` is outside (0, 1).

    >>> import numpy as np
    >>> codes = np.repeat([0, 1], 200)
    >>> sure = np.tile(np.linspace(0.3, 0.99, 200), 2)[:, None]
    >>> probs = np.where(np.eye(2)[codes] == 1, sure, 1 - sure)
    >>> codes[:20] = 1
    >>> default_noise(codes, probs).method
    'variational'
    """
    basis = RateBasis.of(codes, probs, counts)
    return default_rate(basis, confidence=confidence)


def default_rate(basis: RateBasis, *, confidence: float = 0.90) -> NoiseRate:
    """Estimate the same from the basis of a table, wherever its rows are."""
    if basis.class_rows.size > MAX_CLASSES_OF_A_MIXTURE:
        return with_support(symmetric_rate(basis, confidence=confidence), basis)
    mixture = mixture_rate(basis, method="variational", confidence=confidence)
    return with_support(_agreed_joint(basis, mixture) or mixture, basis)


def _agreed_joint(basis: RateBasis, mixture: NoiseRate) -> NoiseRate | None:
    """The rate of the joint, if classes hardly overlap and the anchor region agrees that the mixture's is too low."""
    joint = basis.joint
    overlap = basis.model_error - joint.estimate
    if joint.estimate <= mixture.estimate or not 0 <= overlap <= MAX_OVERLAP * joint.estimate:
        return None
    if basis.class_rows.min() < MIN_ROWS_A_CLASS:
        return None
    if basis.anchor <= mixture.estimate or abs(joint.estimate - basis.anchor) > NARROW_GAP:
        return None
    interval = with_method_error(joint.estimate, basis, "confident", mixture.confidence, pull=0.0)
    found = (joint.estimate, *interval)
    return noise_rate(found, mixture.confidence, "confident", basis.class_rows, joint.matrix, joint.inverse)
