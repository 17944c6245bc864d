"""How much of a label column is wrong: estimators that say what they assume, each with an interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dqlabels.errors import OptionError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# The fewest rows, and the least share of a class, that a region is read from; below it chance decides.
SMALLEST_REGION = 20
SMALLEST_REGION_SHARE = 0.05
# The anchor region is chosen by a one-standard-error bound: two would prefer large regions that mix classes.
WILSON_Z = 1.0
# Pseudo-rows by which a class that nobody labelled is taken to be labelled right.
SURE_ROWS = 1e6
EM_STEPS = 500
# A replicate starts from the estimate, from where a few steps reach its own answer.
EM_STEPS_RESAMPLED = 50
EM_TOLERANCE = 1e-9
REPLICATES = 200
# Replicates x classes^2, in numbers held at once: many classes take fewer replicates.
REPLICATE_BUDGET = 20_000_000

ASSUMPTIONS = {
    "anchor": (
        "Assumes each class has a region where the model is right about the true class, and that labels there "
        "are wrong as often as elsewhere in the class. Noise that hides in ambiguous rows is missed."
    ),
    "confident": (
        "Assumes a row the model confidently puts in another class is mislabelled. Where classes truly overlap, "
        "the overlap is counted as noise, so this reads high on hard tables."
    ),
}
METHODS = tuple(ASSUMPTIONS)


@dataclass(frozen=True, slots=True, eq=False)
class NoiseRate:
    """An estimated share of wrong labels, never without its interval and its assumption.

    ``estimate``, ``low`` and ``high`` are shares of the audited rows, in [0, 1]; the interval holds the
    sampling error at ``confidence`` under ``assumption``, not the error of the assumption itself.
    ``matrix`` is (K, K), row k = P(given label | true class k); ``inverse`` is (K, K), row j =
    P(true class | given label j); both in the order of the classes.
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

    def __str__(self) -> str:
        return (
            f"{self.estimate:.1%} ({self.confidence:.0%} interval {self.low:.1%} to {self.high:.1%}, "
            f"method {self.method!r}, {self.rows:,} rows)"
        )

    def __repr__(self) -> str:
        return (
            f"NoiseRate(estimate={self.estimate:.4f}, low={self.low:.4f}, high={self.high:.4f}, "
            f"confidence={self.confidence}, method={self.method!r}, rows={self.rows})"
        )

    @property
    def by_given_class(self) -> FloatArray:
        """(K,) share of the rows carrying each label whose true class is another."""
        return 1.0 - np.diagonal(self.inverse)

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
        }


def anchor_noise(codes: IntArray, probs: NDArray[Any], *, confidence: float = 0.90, random_state: int = 0) -> NoiseRate:
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
    _check_confidence(confidence)
    n_classes = probs.shape[1]
    label_counts = np.bincount(codes, minlength=n_classes)
    region_counts = np.stack([_region(codes, probs[:, k], k, label_counts) for k in range(n_classes)])
    return _rate_from_matrix(region_counts, label_counts, confidence, random_state)


def _region(codes: IntArray, scores: NDArray[Any], k: int, label_counts: IntArray) -> IntArray:
    """Label counts (K,) of the rows that are surest to be class k; tied rows enter together."""
    labelled = int(label_counts[k])
    counts = np.zeros(label_counts.size, dtype=np.int64)
    if labelled == 0:
        return counts
    smallest = min(max(SMALLEST_REGION, int(np.ceil(SMALLEST_REGION_SHARE * labelled))), codes.size)
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
    matrix = _normalise_rows(regions.astype(np.float64))
    shares = _clean_shares(given[None], matrix[None], given[None], EM_STEPS)[0]
    rng = np.random.default_rng(seed)
    replicates = int(min(REPLICATES, max(20, REPLICATE_BUDGET // n_classes**2)))
    # A posterior rather than resampled counts: a region of 50 right labels does not say that none is wrong.
    matrices = np.stack([rng.dirichlet(row, size=replicates) for row in _seen_or_prior(regions)], axis=1)
    resampled = rng.multinomial(rows, given, size=replicates) / rows
    start = np.broadcast_to(shares, resampled.shape)
    drawn = _noise(_clean_shares(resampled, matrices, start, EM_STEPS_RESAMPLED), matrices)
    estimate = float(_noise(shares[None], matrix[None])[0])
    low, high = _interval(drawn, estimate, confidence)
    joint = shares[:, None] * matrix
    inverse = _normalise_rows(joint.T)
    method = "anchor"
    return _noise_rate(estimate, low, high, confidence, method, rows, matrix, inverse)


def confident_noise(
    counts: IntArray, label_counts: IntArray, *, confidence: float = 0.90, random_state: int = 0
) -> NoiseRate:
    """Noise rate from the confident joint: the share of its mass off the diagonal.

    Args:
        counts: (K, K) raw confident joint, given x likely.
        label_counts: (K,) rows carrying each label.
        confidence: Of the interval, in (0, 1).
        random_state: Seeds the bootstrap over rows.

    Raises:
        OptionError: ``confidence`` is outside (0, 1).

    Source: Northcutt, Jiang & Chuang (2021), JAIR 70:1373-1411, equation 3.

    >>> round(confident_noise(np.array([[9, 1], [0, 10]]), np.array([10, 10])).estimate, 3)
    0.05
    """
    _check_confidence(confidence)
    rows, n_classes = int(label_counts.sum()), label_counts.size
    likely_given = _normalise_rows(counts.astype(np.float64))
    given = label_counts / rows
    estimate = float(1.0 - given @ np.diagonal(likely_given))
    rng = np.random.default_rng(random_state)
    replicates = int(min(REPLICATES, max(20, REPLICATE_BUDGET // n_classes**2)))
    confident = counts.sum(axis=1)
    kept = rng.binomial(confident, np.diagonal(likely_given), size=(replicates, n_classes))
    right = np.where(confident > 0, kept / np.maximum(confident, 1), 1.0)
    resampled = rng.multinomial(rows, given, size=replicates) / rows
    low, high = _interval(1.0 - (resampled * right).sum(axis=1), estimate, confidence)
    joint = given[:, None] * likely_given
    matrix, inverse = _normalise_rows(joint.T), likely_given
    return _noise_rate(estimate, low, high, confidence, "confident", rows, matrix, inverse)


def _noise_rate(
    estimate: float,
    low: float,
    high: float,
    confidence: float,
    method: str,
    rows: int,
    matrix: FloatArray,
    inverse: FloatArray,
) -> NoiseRate:
    matrix.setflags(write=False)
    inverse.setflags(write=False)
    return NoiseRate(estimate, low, high, confidence, method, ASSUMPTIONS[method], rows, matrix, inverse)


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise OptionError(f"confidence={confidence!r} is not between 0 and 1; for a 90% interval pass 0.90.")


def _normalise_rows(counts: NDArray[Any]) -> FloatArray:
    """Rows to shares; a class without rows is taken to be labelled right, the only answer that adds no noise."""
    totals = counts.sum(axis=1, keepdims=True)
    empty = totals[:, 0] == 0
    shares: FloatArray = counts / np.where(totals == 0, 1, totals)
    shares[empty, empty] = 1.0
    return shares


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


def _interval(drawn: FloatArray, estimate: float, confidence: float) -> tuple[float, float]:
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return float(min(low, estimate)), float(max(high, estimate))
