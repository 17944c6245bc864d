"""The noise rate of each segment of a table, drawn towards the table's as far as chance explains that they differ.

A segment's mean P(wrong) is too near the table's: each P(wrong) was found under the table's rate. If the mean of
P(wrong) is a among right labels and b among wrong ones, a segment with the rate r has the mean a + r (b - a), which
gives r. That is unbiased and, on few rows, far off; an empirical Bayes estimate takes back what chance alone explains.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from dqlabels.noise.rate import NoiseRate, check_confidence
from dqlabels.statistics.arrays import BoolArray, FloatArray, IntArray

# Variances between segments, none more likely than another beforehand; that of shares is at most 0.25.
VARIANCES = np.geomspace(1e-8, 0.25, 200)
# P(wrong) that hardly tells wrong labels from right ones tells segments apart no better; the rate is then the table's.
MIN_RESOLUTION = 0.02
TINY = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class SegmentRates:
    """Noise rates of S segments: all arrays are (S,), in the order of the segments.

    ``low`` to ``high`` is each one's interval at ``confidence``. ``all_low`` to ``all_high`` holds for all of them
    together, and ``beyond`` is its low end as chance alone would have it, without the error of the table's own rate.
    ``expected``, ``expected_low`` and ``expected_high`` are the wrong labels to expect among the ``flagged``.
    """

    rows: IntArray
    estimate: FloatArray
    low: FloatArray
    high: FloatArray
    all_low: FloatArray
    all_high: FloatArray
    beyond: FloatArray
    flagged: IntArray
    expected: FloatArray
    expected_low: FloatArray
    expected_high: FloatArray
    confidence: float


def segment_rates(
    codes: IntArray,
    wrong: FloatArray,
    flagged: BoolArray,
    rate: NoiseRate,
    *,
    resolution: float | None = None,
    effect: float = 1.0,
) -> SegmentRates:
    """Estimate the noise rate of each segment.

    Args:
        codes: (n,) which of the S segments each row is in, from 0; every segment has a row.
        wrong: (n,) P(wrong) of each row's label, or the mean of it over the row's labels.
        flagged: (n,) whether the row is flagged.
        rate: The noise rate of the table, whose confidence the intervals take.
        resolution: By how much the mean P(wrong) of wrong labels exceeds that of right ones; by default as it follows
            from ``wrong``, where these are the probabilities of single labels.
        effect: The factor by which labels that are wrong together widen the variance of a mean, at least 1.

    Source: Saerens, Latinne & Decaestecker (2002), Neural Computation 14:21-41, for a rate from probabilities that were
    found under another; Morris & Tang (2011), Statistical Science 26:271-287, for the shrinkage under a flat prior on
    the variance between segments, here by quadrature. Bonferroni's bound over the segments.

    >>> from dqlabels.noise.mixture import mixture_noise
    >>> codes, probs = np.arange(400) % 2, np.where(np.eye(2)[np.arange(400) % 2] == 1, 0.9, 0.1)
    >>> rate = mixture_noise(codes, probs)
    >>> found = segment_rates(np.arange(400) % 4, np.full(400, rate.estimate), np.zeros(400, bool), rate)
    >>> found.rows.tolist(), bool(np.ptp(found.estimate) < 1e-9)
    ([100, 100, 100, 100], True)
    """
    check_confidence(rate.confidence)
    rows: IntArray = np.bincount(codes).astype(np.int64)
    table = float(wrong.mean())
    resolution = told_apart(wrong) if resolution is None else resolution
    mean, spread = np.bincount(codes, weights=wrong) / rows, float(wrong.var())
    if resolution < MIN_RESOLUTION or spread < TINY:
        raw, error = np.full(rows.size, table), np.full(rows.size, table * (1 - table) + TINY) / rows
    else:
        raw, error = table + (mean - table) / resolution, spread / rows / resolution**2
    shrunk, variance = _shrunk(raw, effect * error, table)
    # What the segments differ by is added to the rate that the table has by its own method.
    estimate = np.clip(shrunk + rate.estimate - table, 0, 1)
    one, together = (NormalDist().inv_cdf(0.5 + level / 2) for level in (rate.confidence, _family(rate, rows.size)))
    below, above = rate.estimate - rate.low, rate.high - rate.estimate
    half, half_all = one * np.sqrt(variance), together * np.sqrt(variance)
    flags = np.bincount(codes, weights=flagged).astype(np.int64)
    return SegmentRates(
        rows, estimate,
        np.clip(estimate - np.hypot(half, below), 0, 1), np.clip(estimate + np.hypot(half, above), 0, 1),
        np.clip(estimate - np.hypot(half_all, below), 0, 1), np.clip(estimate + np.hypot(half_all, above), 0, 1),
        np.clip(estimate - half_all, 0, 1), flags, *_expected(codes, wrong * flagged, flags, rate), rate.confidence,
    )  # fmt: skip


def told_apart(wrong: FloatArray) -> float:
    """Return by how much the mean P(wrong) of wrong labels exceeds that of right ones, where each P(wrong) (n,) holds.

    >>> told_apart(np.array([0.0, 0.0, 1.0, 0.0])), told_apart(np.array([0.1, 0.1]))
    (1.0, 0.0)
    """
    table = float(wrong.mean())
    return float(wrong.var()) / max(table * (1 - table), TINY)


def _family(rate: NoiseRate, segments: int) -> float:
    return 1 - (1 - rate.confidence) / max(segments, 1)


def _shrunk(raw: FloatArray, error: FloatArray, table: float) -> tuple[FloatArray, FloatArray]:
    """Rates (S,) drawn towards the table's, and the variance of each, over all variances between segments (V,)."""
    total = VARIANCES[:, None] + error
    fit = -0.5 * (np.log(total) + (raw - table) ** 2 / total).sum(axis=1) + np.log(VARIANCES)
    weights = np.exp(fit - fit.max())
    weights /= weights.sum()
    pull = error / total
    means = raw - pull * (raw - table)
    shrunk = weights @ means
    return shrunk, weights @ (error * (1 - pull) + (means - shrunk) ** 2)


def _expected(
    codes: IntArray, wrong: FloatArray, flags: IntArray, rate: NoiseRate
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Wrong labels to expect among the flagged rows of each segment, with the rate's error and that of chance."""
    expected = np.bincount(codes, weights=wrong).astype(np.float64)
    chance = np.bincount(codes, weights=wrong * (1 - wrong))
    z = NormalDist().inv_cdf(0.5 + rate.confidence / 2)
    scale = max(rate.estimate, TINY)
    low, high = (
        np.hypot(expected * abs(end - rate.estimate) / scale, z * np.sqrt(chance)) for end in (rate.low, rate.high)
    )
    return expected, np.clip(expected - low, 0, flags), np.clip(expected + high, 0, flags)
