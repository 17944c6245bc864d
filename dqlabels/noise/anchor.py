"""The noise rate by anchor regions: where the model is surest of a class, which labels do the rows carry."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dqlabels.noise.rate import NoiseRate, check_confidence, noise_rate, normalise_rows
from dqlabels.noise.resampling import n_replicates, percentile_interval

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# The fewest rows, and the smallest share of a class, that a region is read from; below it chance decides.
MIN_REGION_ROWS = 20
MIN_REGION_SHARE = 0.05
# The anchor region is chosen by a one-standard-error bound: two would prefer large regions that mix classes.
WILSON_Z = 1.0
# Pseudo-rows by which a class that nobody labelled is taken to be labelled right.
SURE_ROWS = 1e6
EM_STEPS = 500
# A replicate starts from the estimate, from where a few steps reach its own answer.
EM_STEPS_RESAMPLED = 50
EM_TOLERANCE = 1e-9


def anchor_noise(
    codes: IntArray, probs: NDArray[np.floating], *, confidence: float = 0.90, random_state: int = 0
) -> NoiseRate:
    """Noise rate from the region of each class where the fewest rows carry another label.

    For class k rows are sorted by their out-of-sample p_k. Over sizes m from max(20, 5% of n_k) to n_k, the
    m whose Wilson upper bound (z = 1) on the share of rows not labelled k is least is kept: the labels in it
    are row k of the noise matrix. The clean class shares follow by EM on p(given) = shares x matrix.

    Args:
        codes: (n,) class positions, all known.
        probs: (n, K) out-of-sample probabilities.
        confidence: Of the interval, in (0, 1).
        random_state: Seeds the bootstrap, which resamples counts and refits nothing.

    Raises:
        OptionError: ``confidence`` is outside (0, 1).

    Source: the anchor points of Patrini et al. (2017, arXiv 1609.03683), widened to a region chosen by
    Wilson's (1927) interval.

    >>> codes = np.repeat([0, 1], 50)
    >>> round(anchor_noise(codes, np.eye(2)[codes]).estimate, 3)
    0.0
    """
    check_confidence(confidence)
    n_classes = probs.shape[1]
    label_counts = np.bincount(codes, minlength=n_classes)
    region_counts = np.stack([_region(codes, probs[:, k], k, label_counts) for k in range(n_classes)])
    return _rate_from_matrix(region_counts, label_counts, confidence, random_state)


def _region(codes: IntArray, scores: NDArray[np.floating], k: int, label_counts: IntArray) -> IntArray:
    """Label counts (K,) of the rows that are surest to be class k; tied rows enter together."""
    labelled = int(label_counts[k])
    counts = np.zeros(label_counts.size, dtype=np.int64)
    if labelled == 0:
        return counts
    smallest = min(max(MIN_REGION_ROWS, int(np.ceil(MIN_REGION_SHARE * labelled))), codes.size)
    largest = min(max(smallest, labelled), codes.size)
    bar = np.partition(scores, codes.size - largest)[codes.size - largest]
    rows = np.flatnonzero(scores >= bar)
    order = np.argsort(-scores[rows], kind="stable")
    ranked, labels = scores[rows][order], codes[rows][order]
    ends = np.append(np.flatnonzero(np.diff(ranked)), ranked.size - 1)  # a cut never parts tied rows
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
    upper: FloatArray = (centre + spread) / (1 + z2 / trials)
    return upper


def _rate_from_matrix(regions: IntArray, label_counts: IntArray, confidence: float, seed: int) -> NoiseRate:
    rows, n_classes = int(label_counts.sum()), label_counts.size
    given = label_counts / rows
    matrix = normalise_rows(regions.astype(np.float64))
    shares = _clean_shares(given[None], matrix[None], given[None], EM_STEPS)[0]
    rng = np.random.default_rng(seed)
    replicates = n_replicates(n_classes)
    # A posterior rather than resampled counts: a region of 50 right labels does not say that none is wrong.
    matrices = np.stack([rng.dirichlet(row, size=replicates) for row in _seen_or_prior(regions)], axis=1)
    resampled = rng.multinomial(rows, given, size=replicates) / rows
    start = np.broadcast_to(shares, resampled.shape)
    drawn = _noise(_clean_shares(resampled, matrices, start, EM_STEPS_RESAMPLED), matrices)
    estimate = float(_noise(shares[None], matrix[None])[0])
    low, high = percentile_interval(drawn, estimate, confidence)
    joint = shares[:, None] * matrix
    inverse = normalise_rows(joint.T)
    return noise_rate((estimate, low, high), confidence, "anchor", label_counts, matrix, inverse)


def _seen_or_prior(counts: IntArray) -> FloatArray:
    """Counts with one more row spread evenly over the classes; a class without rows stays sure of itself."""
    prior: FloatArray = counts + 1.0 / counts.shape[1]
    empty = np.flatnonzero(counts.sum(axis=1) == 0)
    prior[empty, empty] = SURE_ROWS
    return prior


def _clean_shares(given: FloatArray, matrices: FloatArray, start: FloatArray, steps: int) -> FloatArray:
    """Class shares (B, K) whose noisy image is nearest ``given`` (B, K) in likelihood, by EM from ``start``."""
    shares = start.copy()
    for _ in range(steps):
        expected = np.einsum("bk,bkj->bj", shares, matrices)
        weights = np.divide(given, expected, out=np.zeros_like(given), where=expected > 0)
        updated = shares * np.einsum("bkj,bj->bk", matrices, weights)
        # A replicate that gives none of the labels seen any chance stays where it is.
        total = updated.sum(axis=1, keepdims=True)
        updated = np.divide(updated, total, out=shares.copy(), where=total > 0)
        moved = float(np.abs(updated - shares).max())
        shares = updated
        if moved < EM_TOLERANCE:
            break
    return np.asarray(shares)


def _noise(shares: FloatArray, matrices: FloatArray) -> FloatArray:
    kept = (shares * np.diagonal(matrices, axis1=1, axis2=2)).sum(axis=1)
    return np.asarray(np.clip(1.0 - kept, 0.0, 1.0))
