"""A noise rate: never without its interval, its assumption, and whether the table can support it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dqlabels.errors import OptionError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# A class is scaled to the table's rate, but to no rate below this.
MIN_SCALED_RATE = 0.01
# With more of the model's error unexplained no estimate was of use: overlap and noise cannot be told apart.
MAX_UNEXPLAINED = 0.25

ASSUMPTIONS = {
    "variational": (
        "Assumes that wrong labels fall on a class alike wherever its rows lie, that the sharpened model is right "
        "about how sure one can be of a row's true class, and that a few percent wrong is the rule. Noise that "
        "hides in ambiguous rows is missed in part. The interval allows for how far the method was off on tables "
        "of known noise."
    ),
    "em": (
        "Assumes that wrong labels fall on a class alike wherever its rows lie, and that the sharpened model is "
        "right about how sure one can be of a row's true class. Small tables can be read as far too noisy."
    ),
    "reference": (
        "The change against a trusted profile. Assumes that the model would be right as often on this table's true "
        "labels as it was on the trusted ones; a change in the rows themselves reads as noise."
    ),
    "anchor": (
        "Assumes each class has a region where the model is right about the true class, and that labels there "
        "are wrong as often as elsewhere in the class. Noise that hides in ambiguous rows is missed."
    ),
    "annotators": (
        "Assumes that annotators (or columns) err independently of each other once the true class is known, and are "
        "right more often than wrong. Where they copy from each other, or all fail on the same hard items, more is "
        "wrong than this says."
    ),
    "confident": (
        "Assumes a row the model confidently puts in another class is mislabelled. Where classes truly overlap, "
        "the overlap is counted as noise, so this reads high on hard tables."
    ),
}


@dataclass(frozen=True, slots=True, eq=False)
class NoiseRate:
    """An estimated share of wrong labels, never without its interval and its assumption.

    ``estimate``, ``low`` and ``high`` are shares of the audited rows, in [0, 1]; the interval stands at
    ``confidence`` under ``assumption``. ``matrix`` is (K, K), row k = P(given label | true class k); ``inverse`` is
    (K, K), row j = P(true class | given label j). ``by_given_class`` (K,) is the share of the rows carrying each
    label whose true class is another, ``class_low`` and ``class_high`` (K,) its interval, [0, 1] where nothing is
    known of the class. All are in the order of the classes. ``supported`` is false where the table cannot support
    an estimate; then ``caution`` says why, and a gate on it is inconclusive.
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

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and lists, ready for JSON."""
        return {
            "estimate": self.estimate,
            "low": self.low,
            "high": self.high,
            "confidence": self.confidence,
            "method": self.method,
            "assumption": self.assumption,
            "rows": self.rows,
            "supported": self.supported,
            "caution": self.caution,
        }


def share_interval(share: float, rows: float, confidence: float) -> tuple[float, float]:
    """Wilson's interval of a share of ``rows``."""
    z2 = NormalDist().inv_cdf(0.5 + confidence / 2) ** 2
    centre = (share + z2 / (2 * rows)) / (1 + z2 / rows)
    half = float(np.sqrt(z2 * (share * (1 - share) / rows + z2 / (4 * rows**2)))) / (1 + z2 / rows)
    return centre - half, centre + half


def with_support(rate: NoiseRate, error: float, default: NoiseRate) -> NoiseRate:
    """The rate, marked where ``default`` leaves so much of the model's ``error`` unexplained that none is of use."""
    if error - default.estimate <= MAX_UNEXPLAINED:
        return rate
    caution = (
        f"This table cannot support an estimate: the model disagrees with {error:.0%} of the labels, and cannot tell "
        "classes that overlap from labels that are wrong. Review a sample of rows, or compare with trusted data."
    )
    return replace(rate, supported=False, caution=caution)


def noise_rate(
    interval: tuple[float, float, float],
    confidence: float,
    method: str,
    label_counts: IntArray,
    matrix: FloatArray,
    inverse: FloatArray,
) -> NoiseRate:
    """A rate from its estimate, low and high, with the rates of the classes that ``inverse`` gives."""
    by_class = _class_rates(interval, confidence, label_counts, inverse)
    for array in (matrix, inverse, *by_class):
        array.setflags(write=False)
    rows = int(label_counts.sum())
    return NoiseRate(*interval, confidence, method, ASSUMPTIONS[method], rows, matrix, inverse, *by_class)


def normalise_rows(counts: NDArray[Any]) -> FloatArray:
    """Rows to shares; a class without rows is taken to be labelled right, the only answer that adds no noise."""
    totals = counts.sum(axis=1, keepdims=True)
    empty = totals[:, 0] == 0
    shares: FloatArray = counts / np.where(totals == 0, 1, totals)
    shares[empty, empty] = 1.0
    return shares


def _class_rates(
    interval: tuple[float, float, float], confidence: float, class_rows: IntArray, inverse: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(K,) rates, lows and highs: the table's interval scaled to the class, and the sampling error of the class."""
    estimate, low, high = interval
    shares = 1.0 - np.diagonal(inverse)
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    sampling = z**2 * np.clip(shares * (1 - shares), 0.25 / (class_rows + 1), None) / np.maximum(class_rows, 1)
    scale = np.maximum(shares, estimate) / max(estimate, MIN_SCALED_RATE)
    below = np.sqrt(sampling + (scale * (estimate - low)) ** 2)
    above = np.sqrt(sampling + (scale * (high - estimate)) ** 2)
    return shares, np.clip(shares - below, 0, 1), np.clip(shares + above, 0, 1)


def check_confidence(confidence: float) -> None:
    """Refuse a confidence that is none.

    Raises:
        OptionError: It is outside (0, 1).
    """
    if not 0 < confidence < 1:
        raise OptionError(f"confidence={confidence!r} is not between 0 and 1; for a 90% interval pass 0.90.")
