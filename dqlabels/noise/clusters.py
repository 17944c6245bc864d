"""The noise rate of labels that come in clusters, such as the tokens of a sentence, which are wrong together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from dqlabels.noise.rate import NoiseRate
from dqlabels.statistics.arrays import BoolArray, FloatArray, IntArray

TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Clusters:
    """How far the errors of a model come in clusters.

    ``beyond`` is the variance of their share, times the number of labels, that independent errors do not explain;
    ``largest`` is the design effect of clusters that are wrong as a whole.
    """

    beyond: float
    largest: float

    @classmethod
    def of(cls, errors: BoolArray, clusters: IntArray) -> Clusters:
        """Read it off the errors.

        Args:
            errors: (m,) true where the model differs from the label.
            clusters: (m,) the cluster of each, numbered from 0.

        Source: Kish (1965), Survey Sampling; the variance of a ratio of cluster sums (Cochran 1977, section 2.11).
        """
        rows = np.bincount(clusters)
        rows = rows[rows > 0]
        if rows.size < 2:
            return cls(0.0, 1.0)
        share = float(errors.mean())
        sums = np.bincount(clusters, weights=errors - share)
        variance = float((sums**2).sum()) / errors.size * rows.size / (rows.size - 1)
        return cls(max(variance - share * (1 - share), 0.0), float((rows**2).sum() / rows.sum()))

    def effect(self, share: float) -> float:
        """Return by how much clusters widen the variance of a share of wrong labels, at least 1.

        All that errors cluster is put down to the labels, none to the model.

        >>> errors, alone, fours = np.arange(40) < 4, np.arange(40), np.arange(40) // 4
        >>> [round(Clusters.of(errors, clusters).effect(0.1), 1) for clusters in (alone, fours)]
        [1.0, 4.0]
        """
        return float(np.clip(1 + self.beyond / max(share * (1 - share), TINY), 1.0, self.largest))


def within_clusters(rate: NoiseRate, effect: float, class_rows: IntArray, clustered: str) -> NoiseRate:
    """Return the rate with the intervals that labels in clusters leave.

    Args:
        rate: As if each label were independent of the others.
        effect: The design effect, at least 1.
        class_rows: (K,) labels of each class.
        clustered: What is wrong together, for the assumption: a plural.

    >>> from dqlabels.noise.mixture import mixture_noise
    >>> codes = np.arange(400) % 2
    >>> rate = mixture_noise(codes, np.where(np.eye(2)[codes] == 1, 0.9, 0.1))
    >>> wider = within_clusters(rate, 4.0, np.array([200, 200]), "Tokens of one sentence")
    >>> wider.high > rate.high, wider.estimate == rate.estimate, wider.assumption[-65:]
    (True, True, 'Tokens of one sentence are wrong together: 400 count as 100 here.')
    """
    further = _Further(NormalDist().inv_cdf(0.5 + rate.confidence / 2), effect)
    few = f"{clustered} are wrong together no more than by chance."
    if effect > 1:
        few = f"{clustered} are wrong together: {rate.rows:,} count as {rate.rows / effect:,.0f} here."
    return replace(
        rate,
        assumption=f"{rate.assumption} {few}",
        low=float(further(rate.estimate, rate.low, rate.rows, -1)),
        high=float(further(rate.estimate, rate.high, rate.rows, 1)),
        class_low=further(rate.by_given_class, rate.class_low, class_rows, -1),
        class_high=further(rate.by_given_class, rate.class_high, class_rows, 1),
    )


@dataclass(frozen=True, slots=True)
class _Further:
    """Moves ends of intervals away from shares by what chance does more than to independent labels."""

    z: float
    effect: float

    def __call__(self, share: ArrayLike, end: ArrayLike, rows: ArrayLike, side: int) -> FloatArray:
        share, rows = np.asarray(share, dtype=np.float64), np.asarray(rows)
        spread = np.maximum(share * (1 - share), 0.25 / (rows + 1)) / np.maximum(rows, 1)
        distance = np.hypot(np.asarray(end) - share, self.z * np.sqrt((self.effect - 1) * spread))
        return np.asarray(np.clip(share + side * distance, 0.0, 1.0))
