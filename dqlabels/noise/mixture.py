"""Noise rate as a mixture: which true classes, through which noise matrix, explain the labels best.

A row's label is drawn from the noise matrix' row of its true class. What the model says of the row is taken as
the distribution of the true class once it is sharpened by an exponent: out-of-sample probabilities of bagged
trees are blurred, by the noise among other things. Exponent and matrix are fitted together; all exponents are
kept, weighed by how well each explains the labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dqlabels.frames.hashing import hash_words
from dqlabels.noise.anchor import anchor_noise
from dqlabels.noise.joint import confident_noise
from dqlabels.noise.rate import NoiseRate, check_confidence, noise_rate, normalise_rows, with_support
from dqlabels.statistics.classes import model_error

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Exponents of the model's probabilities; 1 takes them as they are.
SHARPNESS = (1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.0)
# How much a row's evidence for an exponent counts. Rows are less independent than the model takes them to be, so
# at 1 a single exponent takes all the weight on any but the smallest tables (docs/benchmarks.md).
TEMPER = 0.3
# More rows sharpen the estimate less than they cost; they are chosen by content, whatever the order.
MAX_ROWS = 4000
MAX_VALUES = 500_000
STEPS = 30
CONVERGED = 1e-5
MIN_PROBABILITY = 1e-6
MIN_COUNT = 1e-9


@dataclass(frozen=True, slots=True)
class NoisePrior:
    """What is thought of a noise matrix before a label is seen.

    Each of its rows is Dirichlet with ``class_rows`` pseudo-rows around the level of the whole table, which the
    labels themselves teach; that level is held by ``table_rows`` pseudo-rows of which the share ``level`` is wrong.
    """

    class_rows: float
    table_rows: float
    level: float

    def dirichlet(self, counts: FloatArray) -> FloatArray:
        """Parameters (K, K) of the matrix' rows, given the true x given counts (K, K) so far."""
        k, rows = len(counts), float(counts.sum())
        wrong = (rows - float(np.trace(counts)) + self.level * self.table_rows) / (rows + self.table_rows)
        prior = np.full((k, k), self.class_rows * wrong / (k - 1))
        np.fill_diagonal(prior, self.class_rows * (1 - wrong))
        return prior


# Chosen over 33 tables of known noise, with the figures of tables left out of the choice in docs/benchmarks.md.
PRIOR = NoisePrior(class_rows=60.0, table_rows=300.0, level=0.06)
# The joint reads high and the anchor region low: where they are this near and both above the mixture, with this
# many rows in the smallest class, the joint is right.
NARROW_GAP = 0.04
MIN_ROWS_A_CLASS = 100
# How far the truth lay from the estimate, 5% and 95% quantile over the same tables: a constant, and a share of the
# model's error that the estimate leaves unexplained.
METHOD_ERROR = {"variational": ((0.032, 0.17), (0.022, 0.33)), "em": ((0.018, 1.27), (0.024, 0.28))}
METHOD_ERROR_CONFIDENCE = 0.90


@dataclass(frozen=True, slots=True, eq=False)
class Mixture:
    """``matrix`` (K, K) is P(given | true), ``shares`` (K,) of the true classes."""

    matrix: FloatArray
    shares: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    counts: FloatArray  # true x given (K, K), expected
    posterior: FloatArray  # Dirichlet parameters (K, K) of the matrix' rows
    shares: FloatArray
    evidence: float


def mixture_noise(
    codes: IntArray,
    probs: NDArray[Any],
    *,
    method: str = "variational",
    counts: IntArray | None = None,
    confidence: float = 0.90,
    random_state: int = 0,
) -> NoiseRate:
    """Noise rate from the noise matrix that best explains the labels, given what the model says of each row.

    Args:
        codes: (n,) class positions, all known.
        probs: (n, K) out-of-sample probabilities.
        method: ``"variational"`` with a prior on the matrix, or ``"em"`` without one.
        counts: (K, K) raw confident joint, given x likely; default it is counted here.
        confidence: Of the interval, in (0, 1).
        random_state: Seeds what the joint and the anchor region draw, where these are asked.

    Raises:
        OptionError: ``confidence`` is outside (0, 1).

    Source: see :func:`fit_mixture`.

    >>> codes = np.repeat([0, 1], 200)
    >>> probs = np.where(np.eye(2)[codes] == 1, 0.9, 0.1)
    >>> codes[:20] = 1
    >>> 0.02 < mixture_noise(codes, probs).estimate < 0.06
    True
    """
    check_confidence(confidence)
    found = fit_mixture(codes, probs, PRIOR if method == "variational" else None)
    estimate = float(np.clip(1 - (found.shares * np.diagonal(found.matrix)).sum(), 0, 1))
    matrix, inverse = found.matrix, normalise_rows((found.shares[:, None] * found.matrix).T)
    label_counts = np.bincount(codes, minlength=probs.shape[1])
    error = model_error(codes, probs.argmax(axis=1))
    if method == "variational":
        joint = _agreed_joint(codes, probs, counts, estimate, random_state)
        if joint is not None and joint.estimate <= error:
            estimate, matrix, inverse = joint.estimate, joint.matrix, joint.inverse
    interval = _with_method_error(estimate, error, codes.size, method, confidence)
    rate = noise_rate((estimate, *interval), confidence, method, label_counts, matrix, inverse)
    return with_support(rate, error, rate) if method == "variational" else rate


def _agreed_joint(
    codes: IntArray, probs: NDArray[Any], counts: IntArray | None, mixture: float, seed: int
) -> NoiseRate | None:
    """The rate of the confident joint where the anchor region agrees with it that the mixture reads too little."""
    label_counts = np.bincount(codes, minlength=probs.shape[1])
    if label_counts.min() < MIN_ROWS_A_CLASS:
        return None
    if counts is None:
        from dqlabels.engines.memory import flag

        counts = flag(codes, probs).counts
    joint = confident_noise(counts, label_counts, random_state=seed)
    anchor = anchor_noise(codes, probs, random_state=seed).estimate
    return joint if abs(joint.estimate - anchor) <= NARROW_GAP and min(anchor, joint.estimate) > mixture else None


def _with_method_error(estimate: float, error: float, rows: int, method: str, confidence: float) -> tuple[float, float]:
    """Low and high: how far the method was off on tables of known noise, and the sampling error of a share."""
    unexplained = max(error - estimate, 0.0)
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    scale = z / NormalDist().inv_cdf(0.5 + METHOD_ERROR_CONFIDENCE / 2)
    sampling = z * (max(estimate * (1 - estimate), 0.25 / (rows + 1)) / rows) ** 0.5
    below, above = (
        float(np.hypot(scale * (constant + share * unexplained), sampling)) for constant, share in METHOD_ERROR[method]
    )
    return max(estimate - below, 0.0), min(estimate + above, 1.0)


def fit_mixture(codes: IntArray, probs: NDArray[Any], prior: NoisePrior | None) -> Mixture:
    """Fit exponent and matrix, by variational inference under a ``prior``, or by EM without one.

    Args:
        codes: (n,) class positions.
        probs: (n, K) out-of-sample probabilities.
        prior: Of the matrix; None for maximum likelihood.

    Source: EM for a mixture with known component weights per row (Dempster, Laird & Rubin 1977); mean field
    with a Dirichlet prior as in Bishop (2006), section 10.2, whose level is learned from all classes together
    (empirical Bayes). Tempered evidence: Grünwald & van Ommen (2017), Bayesian Analysis 12:1069-1103.
    Sharpening is ours: docs/noise-rate.md.
    """
    codes, probs = _some_rows(codes, probs)
    logs, fits = np.log(np.ascontiguousarray(probs.T)), list[_Fit]()  # rows are short: class by class is quicker
    for sharpness in SHARPNESS:
        fits.append(_fit(codes, logs, sharpness, prior, fits[-1].counts if fits else None))
    evidence = TEMPER * np.array([fit.evidence for fit in fits])
    weights = np.exp(evidence - evidence.max())
    weights /= weights.sum()
    matrices = [fit.posterior / fit.posterior.sum(axis=1, keepdims=True) for fit in fits]
    shares = np.einsum("f,fk->k", weights, [fit.shares for fit in fits])
    joint = np.einsum("f,fk,fkj->kj", weights, [fit.shares for fit in fits], matrices)
    matrix = np.where(shares[:, None] > 0, joint / np.where(shares > 0, shares, 1)[:, None], np.eye(len(joint)))
    return Mixture(matrix, shares)


def _some_rows(codes: IntArray, probs: NDArray[Any]) -> tuple[IntArray, FloatArray]:
    """Rows chosen and ordered by a hash of their content, so that neither their order nor that of the classes shows.

    Copies of a row are numbered, so that a table of few kinds of row gives some of each kind.
    """
    most = min(MAX_ROWS, max(1, MAX_VALUES // probs.shape[1]))
    units = np.rint(probs * 2**24)
    exact = hash_words(np.column_stack([codes, units]).astype(np.uint32))
    order = np.argsort(exact, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(exact[order]) != 0])
    copy = np.empty(codes.size, dtype=np.int64)
    copy[order] = np.arange(codes.size) - np.repeat(starts, np.diff(np.r_[starts, codes.size]))
    own = units[np.arange(codes.size), codes]
    alike = hash_words(np.column_stack([own, np.sort(units, axis=1), copy]).astype(np.uint32))
    if codes.size > most:
        chosen = np.flatnonzero(alike <= np.partition(alike, most - 1)[most - 1])
    else:
        chosen = np.arange(codes.size)
    chosen = chosen[np.lexsort((exact[chosen], alike[chosen]))]
    return codes[chosen], np.maximum(probs[chosen].astype(np.float64), MIN_PROBABILITY)


def _fit(
    codes: IntArray, logs: FloatArray, sharpness: float, prior: NoisePrior | None, start: FloatArray | None
) -> _Fit:
    k, n = logs.shape
    sharp = np.exp(sharpness * (logs - logs.max(axis=0)))
    sharp /= sharp.sum(axis=0)
    labels = np.zeros((n, k))
    labels[np.arange(n), codes] = 1
    counts = np.full((k, k), 0.1 * n / k**2) + 0.9 * n / k * np.eye(k) if start is None else start
    for _ in range(STEPS):
        believed = None if prior is None else prior.dirichlet(counts)
        shared = sharp * _row_weights(counts, believed).take(codes, axis=1)
        total = np.maximum(shared.sum(axis=0), 1e-300)
        shared /= total
        updated = shared @ labels
        moved = float(np.abs(updated - counts).max()) / n
        counts = updated
        if moved < CONVERGED:
            break
    evidence = float(np.log(total).sum())
    if believed is None:
        return _Fit(counts, counts + MIN_COUNT, shared.mean(axis=1), evidence)
    posterior = counts + believed
    return _Fit(counts, posterior, shared.mean(axis=1), evidence - _divergence(posterior, believed))


def _row_weights(counts: FloatArray, prior: FloatArray | None) -> FloatArray:
    """P(given | true) (K, K), or under a prior the exponential of its mean logarithm."""
    if prior is None:
        counts = counts + MIN_COUNT
        return np.asarray(counts / counts.sum(axis=1, keepdims=True))
    from scipy.special import digamma

    posterior = counts + prior
    return np.asarray(np.exp(digamma(posterior) - digamma(posterior.sum(axis=1, keepdims=True))))


def _divergence(posterior: FloatArray, prior: FloatArray) -> float:
    """Kullback-Leibler divergence of the rows' posterior from their prior, summed."""
    from scipy.special import digamma, gammaln

    moved = (posterior - prior) * (digamma(posterior) - digamma(posterior.sum(axis=1, keepdims=True)))
    norms = gammaln(posterior.sum(axis=1)) - gammaln(prior.sum(axis=1))
    return float((norms - (gammaln(posterior) - gammaln(prior)).sum(axis=1) + moved.sum(axis=1)).sum())
