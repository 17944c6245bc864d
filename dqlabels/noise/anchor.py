"""The noise rate by anchor regions: which labels the rows carry where the model is surest of a class."""

from __future__ import annotations

import numpy as np

from dqlabels.noise.rate import NoiseMatrices, NoiseRate, check_confidence, noise_rate, normalise_rows
from dqlabels.noise.resampling import n_replicates, percentile_interval
from dqlabels.statistics.arrays import FloatArray, IntArray, RealArray

# Rows, and share of a class, that a region must hold at least; in smaller ones chance decides.
MIN_REGION_ROWS = 20
MIN_REGION_SHARE = 0.05
# Of a small class half the rows are enough: a region larger than the class would hold other classes.
MAX_REGION_SHARE = 0.5
# One standard error: with two, large regions that mix classes would be preferred.
WILSON_Z = 1.0
# A class that no row carries counts as labelled right this many times.
SURE_ROWS = 1e6
EM_STEPS = 500
# A replicate starts from the estimate, so it needs only a few steps.
EM_STEPS_RESAMPLED = 50
EM_TOLERANCE = 1e-9


def anchor_noise(
    codes: IntArray,
    probs: RealArray,
    *,
    confidence: float = 0.90,
    random_state: int = 0,
) -> NoiseRate:
    """Estimate the noise rate from the region of each class where the fewest rows carry another label.

    For class k the rows are sorted by their out-of-sample p_k. Of the sizes m from max(20, 5% of n_k), or half of n_k
    if that is less, to n_k, the one with the lowest Wilson upper bound (z = 1) on the share of rows not labelled k is
    the anchor region; its label shares are row k of the noise matrix. The shares of the true classes follow by EM on
    p(given) = shares x matrix.

    Args:
        codes: (n,) class positions of the given labels, none missing.
        probs: (n, K) out-of-sample probabilities.
        confidence: Confidence of the interval, in (0, 1).
        random_state: Seed of the bootstrap, which resamples counts and fits no model.

    Raises:
        OptionError: ``confidence`` is outside (0, 1).

    Source: the anchor points of Patrini et al. (2017, arXiv 1609.03683), widened to a region chosen by
    Wilson's (1927) interval.

    >>> codes = np.repeat([0, 1], 50)
    >>> round(anchor_noise(codes, np.eye(2)[codes]).estimate, 3)
    0.0
    """
    check_confidence(confidence)
    label_counts = np.bincount(codes, minlength=probs.shape[1])
    return _rate_from_matrix(_regions(codes, probs), label_counts, confidence, random_state)


def anchor_matrices(codes: IntArray, probs: RealArray) -> NoiseMatrices:
    """Return the estimate without its interval, which takes most of the time."""
    regions, label_counts = _regions(codes, probs), np.bincount(codes, minlength=probs.shape[1])
    return _fitted(regions, label_counts)[0]


def _regions(codes: IntArray, probs: RealArray) -> IntArray:
    """Label counts (K, K) in the anchor region of each class."""
    label_counts = np.bincount(codes, minlength=probs.shape[1])
    return np.stack([_region(codes, probs[:, k], k, label_counts) for k in range(probs.shape[1])])


def _region(codes: IntArray, scores: RealArray, k: int, label_counts: IntArray) -> IntArray:
    """Label counts (K,) in the anchor region of class k; rows that tie enter it together."""
    labelled = int(label_counts[k])
    counts = np.zeros(label_counts.size, dtype=np.int64)
    if labelled == 0:
        return counts
    enough = max(MIN_REGION_ROWS, int(np.ceil(MIN_REGION_SHARE * labelled)))
    smallest = min(enough, int(np.ceil(MAX_REGION_SHARE * labelled)))
    bar = np.partition(scores, codes.size - labelled)[codes.size - labelled]
    rows = np.flatnonzero(scores >= bar)
    order = np.argsort(-scores[rows], kind="stable")
    ranked, labels = scores[rows][order], codes[rows][order]
    ends = np.append(np.flatnonzero(np.diff(ranked)), ranked.size - 1)  # a region never parts rows that tie
    sizes = ends + 1
    allowed = sizes >= smallest
    sizes = sizes[allowed]
    others = np.cumsum(labels != k)[ends[allowed]]
    best = int(sizes[np.argmin(_wilson_upper(others, sizes))])
    return np.bincount(labels[:best], minlength=label_counts.size)


def _wilson_upper(hits: IntArray, trials: IntArray) -> FloatArray:
    share, z2 = hits / trials, WILSON_Z**2
    centre = share + z2 / (2 * trials)
    spread = WILSON_Z * np.sqrt(share * (1 - share) / trials + z2 / (4 * trials**2))
    return np.asarray((centre + spread) / (1 + z2 / trials))


def _rate_from_matrix(regions: IntArray, label_counts: IntArray, confidence: float, seed: int) -> NoiseRate:
    rows, n_classes = int(label_counts.sum()), label_counts.size
    found, shares = _fitted(regions, label_counts)
    rng = np.random.default_rng(seed)
    replicates = n_replicates(n_classes)
    # Drawn from a posterior, not by resampling counts: 50 right labels in a region do not prove that none is wrong.
    matrices = np.stack([rng.dirichlet(row, size=replicates) for row in _dirichlet_counts(regions)], axis=1)
    resampled = rng.multinomial(rows, label_counts / rows, size=replicates) / rows
    start = np.broadcast_to(shares, resampled.shape)
    drawn = _noise(_clean_shares(resampled, matrices, start, EM_STEPS_RESAMPLED), matrices)
    interval = (found.estimate, *percentile_interval(drawn, found.estimate, confidence))
    return noise_rate(interval, confidence, "anchor", label_counts, found.matrix, found.inverse)


def _fitted(regions: IntArray, label_counts: IntArray) -> tuple[NoiseMatrices, FloatArray]:
    """The noise matrix that the regions show, with the shares (K,) of the true classes."""
    given, matrix = label_counts / int(label_counts.sum()), normalise_rows(regions.astype(np.float64))
    shares = _clean_shares(given[None], matrix[None], given[None], EM_STEPS)[0]
    estimate = float(_noise(shares[None], matrix[None])[0])
    return NoiseMatrices(estimate, matrix, normalise_rows((shares[:, None] * matrix).T)), shares


def _dirichlet_counts(counts: IntArray) -> FloatArray:
    """Add one row spread evenly over the classes; a class without rows counts as labelled right."""
    prior: FloatArray = counts + 1.0 / counts.shape[1]
    empty = np.flatnonzero(counts.sum(axis=1) == 0)
    prior[empty, empty] = SURE_ROWS
    return prior


def _clean_shares(given: FloatArray, matrices: FloatArray, start: FloatArray, steps: int) -> FloatArray:
    """Fit true class shares (B, K) to the shares of the ``given`` labels (B, K) by EM from ``start``."""
    shares = start.copy()
    for _ in range(steps):
        expected = np.einsum("bk,bkj->bj", shares, matrices)
        weights = np.divide(given, expected, out=np.zeros_like(given), where=expected > 0)
        updated = shares * np.einsum("bkj,bj->bk", matrices, weights)
        # A replicate under which the labels have no probability at all stays where it is.
        total = updated.sum(axis=1, keepdims=True)
        updated = np.divide(updated, total, out=shares.copy(), where=total > 0)
        moved = float(np.abs(updated - shares).max())
        shares = updated
        if moved < EM_TOLERANCE:
            break
    return np.asarray(shares)


def _noise(shares: FloatArray, matrices: FloatArray) -> FloatArray:
    """Noise rate (B,) of true class shares (B, K) and noise matrices (B, K, K)."""
    right = (shares * np.diagonal(matrices, axis1=1, axis2=2)).sum(axis=1)
    return np.asarray(np.clip(1.0 - right, 0.0, 1.0))
