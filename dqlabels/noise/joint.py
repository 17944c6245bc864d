"""The noise rate by the confident joint: the share of its mass off the diagonal."""

from __future__ import annotations

import numpy as np

from dqlabels.noise.rate import NoiseMatrices, NoiseRate, check_confidence, noise_rate, normalise_rows
from dqlabels.noise.resampling import n_replicates, percentile_interval
from dqlabels.statistics.arrays import IntArray


def confident_noise(
    counts: IntArray, label_counts: IntArray, *, confidence: float = 0.90, random_state: int = 0
) -> NoiseRate:
    """Estimate the noise rate as the share of the confident joint that is off its diagonal.

    Args:
        counts: (K, K) confident joint before calibration, given x likely.
        label_counts: (K,) rows carrying each label.
        confidence: Confidence of the interval, in (0, 1).
        random_state: Seed of the bootstrap over rows.

    Raises:
        OptionError: ``confidence`` is outside (0, 1).

    Source: Northcutt, Jiang & Chuang (2021), JAIR 70:1373-1411, equation 3.

    >>> round(confident_noise(np.array([[9, 1], [0, 10]]), np.array([10, 10])).estimate, 3)
    0.05
    """
    check_confidence(confidence)
    rows, n_classes = int(label_counts.sum()), label_counts.size
    found, given = confident_matrices(counts, label_counts), label_counts / rows
    rng = np.random.default_rng(random_state)
    replicates = n_replicates(n_classes)
    confident = counts.sum(axis=1)
    agreeing = rng.binomial(confident, np.diagonal(found.inverse), size=(replicates, n_classes))
    right = np.where(confident > 0, agreeing / np.maximum(confident, 1), 1.0)
    resampled = rng.multinomial(rows, given, size=replicates) / rows
    low, high = percentile_interval(1.0 - (resampled * right).sum(axis=1), found.estimate, confidence)
    interval = (found.estimate, low, high)
    return noise_rate(interval, confidence, "confident", label_counts, found.matrix, found.inverse)


def confident_matrices(counts: IntArray, label_counts: IntArray) -> NoiseMatrices:
    """Return the estimate without its interval, for a joint (K, K) and the rows (K,) carrying each label."""
    likely_given = normalise_rows(counts.astype(np.float64))
    given = label_counts / int(label_counts.sum())
    estimate = float(1.0 - given @ np.diagonal(likely_given))
    return NoiseMatrices(estimate, normalise_rows((given[:, None] * likely_given).T), likely_given)
