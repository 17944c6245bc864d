"""A noise rate with its interval, its assumption, and whether the table supports it."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TypedDict, cast

import numpy as np

from dqlabels.errors import OptionError
from dqlabels.statistics.arrays import FloatArray, IntArray, RealArray

# The interval of a class is scaled as if the rate of the table were at least this.
MIN_SCALED_RATE = 0.01

ASSUMPTIONS = {
    "variational": (
        "Assumes that every row of a class is equally likely to be mislabelled, and that the model's confidence is "
        "about right. The confidence is sharpened first, and a few percent of wrong labels are taken to be usual. "
        "Noise that hides in ambiguous rows is missed in part. The interval allows for the method's errors on tables "
        "with known noise."
    ),
    "em": (
        "Assumes that every row of a class is equally likely to be mislabelled, and that the model's confidence is "
        "about right once it is sharpened. On small tables the estimate can be far too high."
    ),
    "reference": (
        "The change since a trusted profile. Assumes that the model would be right about this table's true labels as "
        "often as about the trusted ones; a change in the rows themselves counts as noise."
    ),
    "anchor": (
        "Assumes that each class has a region where the model is right about the true class, and that labels there are "
        "wrong as often as elsewhere in the class. Noise that hides in ambiguous rows is missed."
    ),
    "symmetric": (
        "Assumes that every label is equally likely to be wrong, whatever its class, and that the model's confidence "
        "is about right. A wrong label is taken to be any other class, the confidence is sharpened first, and a few "
        "percent of wrong labels are taken to be usual. Noise that mistakes a class for one other, or hides in "
        "ambiguous rows, is missed in part. The interval allows for the method's errors on tables with known noise."
    ),
    "trusted": (
        "The noise rate of the trusted rows plus the increase since, which the same model measured. Assumes what the "
        "trusted rate does, and that the model would be right about this batch's true labels as often as about the "
        "trusted ones; a change in the rows themselves counts as noise."
    ),
    "confident": (
        "Assumes that a row which the model confidently puts in another class is mislabelled. Where classes truly "
        "overlap, the overlap counts as noise, so the estimate is too high on hard tables."
    ),
}


class RateData(TypedDict):
    """A :class:`NoiseRate` as plain values; shares are in [0, 1]."""

    estimate: float
    low: float
    high: float
    confidence: float
    method: str
    assumption: str
    rows: int
    supported: bool
    caution: str


@dataclass(frozen=True, slots=True, eq=False)
class NoiseRate:
    """An estimated share of wrong labels, with its interval and its assumption.

    ``estimate``, ``low`` and ``high`` are shares of the audited rows, in [0, 1]; the interval holds at ``confidence``
    under ``assumption``. Row k of ``matrix`` (K, K) is P(given label | true class k), row j of ``inverse`` (K, K) is
    P(true class | given label j). ``by_given_class`` (K,) is the share of the rows carrying each label whose true class
    is another, with the interval ``class_low`` to ``class_high`` (K,), [0, 1] if nothing is known about the class. All
    are in the order of the classes. ``supported`` is false if the table cannot support an estimate; ``caution`` then
    says why, and a gate on the rate is inconclusive.

    >>> import dqlabels, polars as pl
    >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
    >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
    >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
    >>> rate = audit.noise_rate
    >>> rate.low <= rate.estimate <= rate.high, rate.method, rate.rows, rate.supported
    (True, 'variational', 4, False)
    """

    estimate: float
    low: float
    high: float
    confidence: float
    method: str
    assumption: str
    rows: int
    matrix: FloatArray
    inverse: FloatArray
    by_given_class: FloatArray
    class_low: FloatArray
    class_high: FloatArray
    supported: bool = True
    caution: str = ""

    def __post_init__(self) -> None:
        for array in (self.matrix, self.inverse, self.by_given_class, self.class_low, self.class_high):
            array.setflags(write=False)

    def __str__(self) -> str:
        return (
            f"{self.estimate:.1%} ({self.confidence:.0%} interval {self.low:.1%} to {self.high:.1%}, "
            f"method {self.method!r}, {self.rows:,} rows)" + (f". {self.caution}" if self.caution else "")
        )

    def __repr__(self) -> str:
        return (
            f"NoiseRate(estimate={self.estimate:.4f}, low={self.low:.4f}, high={self.high:.4f}, "
            f"confidence={self.confidence}, method={self.method!r}, rows={self.rows})"
        )

    def to_dict(self) -> RateData:
        """Plain numbers and strings, ready for JSON.

        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
        >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
        >>> audit.noise_rate.to_dict()["rows"]
        4
        """
        return cast("RateData", {name: getattr(self, name) for name in RateData.__annotations__})


@dataclass(frozen=True, slots=True, eq=False)
class NoiseMatrices:
    """An ``estimate`` of the noise rate without an interval, and the ``matrix`` and ``inverse`` (K, K) of a rate."""

    estimate: float
    matrix: FloatArray
    inverse: FloatArray


def share_interval(share: float, rows: float, confidence: float) -> tuple[float, float]:
    """Wilson's interval of a ``share`` of ``rows``.

    >>> low, high = share_interval(0.1, 100, 0.90)
    >>> round(low, 3), round(high, 3)
    (0.061, 0.16)
    """
    z2 = NormalDist().inv_cdf(0.5 + confidence / 2) ** 2
    centre = (share + z2 / (2 * rows)) / (1 + z2 / rows)
    half = float(np.sqrt(z2 * (share * (1 - share) / rows + z2 / (4 * rows**2)))) / (1 + z2 / rows)
    # Where none or all of the rows count, an end lies beyond by the last bit.
    return max(centre - half, 0.0), min(centre + half, 1.0)


def noise_rate(
    interval: tuple[float, float, float],
    confidence: float,
    method: str,
    label_counts: IntArray,
    matrix: FloatArray,
    inverse: FloatArray,
    assumption: str | None = None,
) -> NoiseRate:
    """Build a noise rate, with the rates of the classes that follow from ``inverse``.

    Args:
        interval: Estimate, low and high.
        confidence: Confidence of the interval, in (0, 1).
        method: One of ``ASSUMPTIONS``, or another with its ``assumption``.
        label_counts: (K,) rows carrying each label.
        matrix: (K, K) P(given label | true class).
        inverse: (K, K) P(true class | given label).
        assumption: What the method assumes, where ``ASSUMPTIONS`` does not say it.
    """
    by_class = _class_rates(interval, confidence, label_counts, inverse)
    rows = int(label_counts.sum())
    assumed = ASSUMPTIONS[method] if assumption is None else assumption
    return NoiseRate(*interval, confidence, method, assumed, rows, matrix, inverse, *by_class)


def normalise_rows(counts: RealArray | IntArray) -> FloatArray:
    """Divide rows by their sums; a class without rows counts as labelled right, which adds no noise."""
    totals = counts.sum(axis=1, keepdims=True)
    empty = totals[:, 0] == 0
    shares: FloatArray = counts / np.where(totals == 0, 1, totals)
    shares[empty, empty] = 1.0
    return shares


def _class_rates(
    interval: tuple[float, float, float], confidence: float, class_rows: IntArray, inverse: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Rates, lows and highs (K,) from the interval of the table, scaled to each class, and the sampling error."""
    estimate, low, high = interval
    shares = 1.0 - np.diagonal(inverse)
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    sampling = z**2 * np.clip(shares * (1 - shares), 0.25 / (class_rows + 1), None) / np.maximum(class_rows, 1)
    scale = np.maximum(shares, estimate) / max(estimate, MIN_SCALED_RATE)
    below = np.sqrt(sampling + (scale * (estimate - low)) ** 2)
    above = np.sqrt(sampling + (scale * (high - estimate)) ** 2)
    return shares, np.clip(shares - below, 0, 1), np.clip(shares + above, 0, 1)


def check_confidence(confidence: float) -> None:
    """Raise unless ``confidence`` is between 0 and 1.

    Raises:
        OptionError: It is outside (0, 1).
    """
    if not 0 < confidence < 1:
        raise OptionError(f"confidence={confidence!r} is not between 0 and 1; for a 90% interval pass 0.90.")
