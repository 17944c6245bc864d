"""Whether a table supports an estimate of its noise rate: not where the model hardly knows the labels itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np

from dqlabels.noise.mixture import RateBasis
from dqlabels.noise.rate import NoiseRate
from dqlabels.statistics.arrays import FloatArray

# Of what features could tell about the labels, the model must tell at least this share, even at the lower end of an
# interval. The answers of surveys on which the model knew less were read as 10 to 20% noise (docs/benchmarks.md).
MIN_EXPLAINED = 0.05
EXPLAINED_CONFIDENCE = 0.90
# Noise leaves features less to tell. Never less than this share of it, or an estimate that takes every rare label for
# noise would leave nothing to tell and so support itself.
MIN_LEFT = 0.25
# If more of the model error than this is unexplained, overlap and noise cannot be told apart.
MAX_UNEXPLAINED = 0.25
# Parts of the model in a mixture with the class shares. The best of them counts: a model that is too sure of itself
# still knows something. Never all of it, so that no label has probability zero.
BLENDS = (0.05, 0.2, 0.4, 0.6, 0.8, 0.9, 0.99)


@dataclass(frozen=True, slots=True)
class Explained:
    """Share of what features could tell about the labels that the model tells, out of sample, and its interval's ends.

    0 is a model that knows no more than how common each class is, 1 one that knows every true class.
    """

    share: float
    low: float
    high: float


def explained(basis: RateBasis, rate: NoiseRate) -> Explained:
    """Return how much more the model knows about the labels than the class shares do.

    What a row gains is the logarithm of what the model says of its label over the share of its class. The mean gain is
    divided by what the true class tells about the label, if the noise rate is right; the interval follows from the
    spread over the rows that are independent of each other.

    Args:
        basis: What the noise rate is read from.
        rate: The noise rate.

    Source: McFadden's (1974) share of explained log loss, here out of sample and less what noise makes unknowable.

    >>> from dqlabels.noise.mixture import mixture_rate
    >>> codes = np.repeat([0, 1], 200)
    >>> knowing = RateBasis.of(codes, np.where(np.eye(2)[codes] == 1, 0.9, 0.1))
    >>> guessing = RateBasis.of(codes, np.full((400, 2), 0.5))
    >>> rate = mixture_rate(knowing, method="variational", confidence=0.90)
    >>> round(explained(knowing, rate).share, 2), explained(guessing, rate).share
    (0.89, 0.0)
    """
    shares = basis.class_rows / basis.class_rows.sum()
    left = max(_entropy(shares) - float((shares @ rate.inverse) @ _entropies(rate.matrix)), MIN_LEFT * _entropy(shares))
    if left <= 0:
        return Explained(0.0, 0.0, 0.0)
    ratio = basis.probs[np.arange(basis.codes.size), basis.codes] / shares[basis.codes]
    gains = np.log1p(np.outer(BLENDS, ratio - 1))
    best = gains[int(gains.mean(axis=1).argmax())]
    mean = float(best.mean())
    z = NormalDist().inv_cdf(0.5 + EXPLAINED_CONFIDENCE / 2)
    half = z * float(best.std()) / max(basis.independent * basis.codes.size, 1.0) ** 0.5
    return Explained(mean / left, (mean - half) / left, (mean + half) / left)


def _entropies(matrix: FloatArray) -> FloatArray:
    """Entropy (K,) of each row of a matrix (K, K) of shares, in nats."""
    return -np.asarray((matrix * np.log(np.where(matrix > 0, matrix, 1.0))).sum(axis=1))


def _entropy(shares: FloatArray) -> float:
    return float(_entropies(shares[None])[0])


def with_support(rate: NoiseRate, basis: RateBasis) -> NoiseRate:
    """Mark a default rate as not supported if the model explains too little, or leaves too many errors unexplained."""
    caution = _too_little_explained(rate, basis) or rate.caution or _too_much_unexplained(rate, basis)
    return replace(rate, supported=False, caution=caution) if caution else rate


def with_support_of(default: NoiseRate, rate: NoiseRate) -> NoiseRate:
    """Mark the rate of another method as not supported where the default rate of the same table is not."""
    return rate if default.supported else replace(rate, supported=False, caution=default.caution)


def _too_little_explained(rate: NoiseRate, basis: RateBasis) -> str:
    """Say that the model hardly knows the labels; empty if it does know them."""
    found = explained(basis, rate)
    if found.low >= MIN_EXPLAINED:
        return ""
    knows = (
        "predicts the labels no better than the share of each class does"
        if found.low <= 0
        else f"knows {found.share:.0%} of what features could tell about the labels, and may know as little as "
        f"{found.low:.0%}"
    )
    return (
        f"This table cannot support an estimate: the model {knows}, so it cannot tell rows that are hard from labels "
        "that are wrong. Review a sample of rows, or add features that tell the classes apart."
    )


def _too_much_unexplained(rate: NoiseRate, basis: RateBasis) -> str:
    """Say that most of the model's errors are no noise; empty if they are few."""
    if basis.model_error - rate.estimate <= MAX_UNEXPLAINED:
        return ""
    return (
        f"This table cannot support an estimate: the model disagrees with {basis.model_error:.0%} of the labels, and "
        "cannot tell classes that overlap from labels that are wrong. Review a sample of rows, or compare with trusted "
        "data."
    )
