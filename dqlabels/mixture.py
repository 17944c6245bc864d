"""Noise rate as a mixture: which true classes, through which noise matrix, explain the labels best.

A row's label is drawn from the noise matrix' row of its true class. What the model says of the row is taken as
the distribution of the true class once it is sharpened by a temperature: out-of-sample probabilities of
bagged trees are blurred, by the noise among other things. Temperature and matrix are fitted together; several
temperatures are kept, weighed by how well each explains the labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Exponents of the model's probabilities; 1 takes them as they are.
SHARPNESS = (1.0, 1.5, 2.0, 3.0, 4.5, 7.0)
# More rows sharpen the interval less than they cost; they are chosen by content, whatever the order.
MOST_ROWS = 5000
MOST_VALUES = 500_000
STEPS = 40
CONVERGED = 1e-5
LEAST_PROBABILITY = 1e-6
DRAWS = 400


@dataclass(frozen=True, slots=True, eq=False)
class Mixture:
    """``matrix`` (K, K) is P(given | true), ``shares`` (K,) of the true classes, ``drawn`` (R,) noise rates."""

    matrix: FloatArray
    shares: FloatArray
    drawn: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    counts: FloatArray  # Dirichlet parameters (K, K) of the matrix' rows
    shares: FloatArray
    evidence: float


def fit_mixture(codes: IntArray, probs: NDArray[Any], prior: FloatArray | None, random_state: int) -> Mixture:
    """Fit temperature and matrix, by variational inference under a Dirichlet ``prior`` (K, K), or by EM without one.

    Args:
        codes: (n,) class positions.
        probs: (n, K) out-of-sample probabilities.
        prior: Dirichlet parameters of each row of the matrix; None for maximum likelihood.
        random_state: Seeds the draws of the interval.

    Source: EM for a mixture with known component weights per row (Dempster, Laird & Rubin 1977); mean field
    with a Dirichlet prior as in Bishop (2006), section 10.2. Sharpening is ours: docs/noise-rate.md.
    """
    codes, probs = _some_rows(codes, probs)
    fits, counts = [], None
    for sharpness in SHARPNESS:
        fits.append(_fit(codes, probs, sharpness, prior, counts))
        counts = fits[-1].counts - (0 if prior is None else prior)
    evidence = np.array([fit.evidence for fit in fits])
    weights = np.exp(evidence - evidence.max())
    weights /= weights.sum()
    matrices = [fit.counts / fit.counts.sum(axis=1, keepdims=True) for fit in fits]
    shares = np.einsum("f,fk->k", weights, [fit.shares for fit in fits])
    joint = np.einsum("f,fk,fkj->kj", weights, [fit.shares for fit in fits], matrices)
    rng = np.random.default_rng(random_state)
    drawn = [_draw(fit, round(DRAWS * weight), len(codes), rng) for fit, weight in zip(fits, weights, strict=True)]
    return Mixture(joint / shares[:, None], shares, np.concatenate(drawn))


def _some_rows(codes: IntArray, probs: NDArray[Any]) -> tuple[IntArray, FloatArray]:
    """Rows chosen and ordered by a hash of their content, so that their order in the table does not show."""
    from dqlabels.models import hash_rows

    most = min(MOST_ROWS, max(1, MOST_VALUES // probs.shape[1]))
    words = np.column_stack([codes, np.rint(probs * 2**24)]).astype(np.uint32)
    chosen = np.argsort(hash_rows(words), kind="stable")[:most]
    return codes[chosen], np.maximum(probs[chosen].astype(np.float64), LEAST_PROBABILITY)


def _fit(
    codes: IntArray, probs: FloatArray, sharpness: float, prior: FloatArray | None, start: FloatArray | None
) -> _Fit:
    n, k = probs.shape
    sharp = probs**sharpness
    sharp /= sharp.sum(axis=1, keepdims=True)
    labels = np.zeros((n, k))
    labels[np.arange(n), codes] = 1
    counts = np.full((k, k), 0.1 * n / k**2) + 0.9 * n / k * np.eye(k) if start is None else start
    for _ in range(STEPS):
        weights = _row_weights(counts, prior)
        shared = sharp * weights[:, codes].T
        total = shared.sum(axis=1, keepdims=True)
        shared /= np.maximum(total, 1e-300)
        updated = shared.T @ labels
        moved = float(np.abs(updated - counts).max()) / n
        counts = updated
        if moved < CONVERGED:
            break
    evidence = float(np.log(np.maximum(total, 1e-300)).sum())
    if prior is None:
        return _Fit(counts + 1e-9, shared.mean(axis=0), evidence)
    return _Fit(counts + prior, shared.mean(axis=0), evidence - _divergence(counts + prior, prior))


def _row_weights(counts: FloatArray, prior: FloatArray | None) -> FloatArray:
    """P(given | true) (K, K), or under a prior the exponential of its mean logarithm."""
    if prior is None:
        counts = counts + 1e-9
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


def _draw(fit: _Fit, draws: int, rows: int, rng: np.random.Generator) -> FloatArray:
    """(draws,) noise rates from the posterior of one temperature."""
    if not draws:
        return np.empty(0)
    kept = np.stack([rng.dirichlet(row, draws)[:, k] for k, row in enumerate(fit.counts)], axis=1)
    shares = rng.dirichlet(fit.shares * rows + 1e-6, draws)
    return np.asarray(1 - (shares * kept).sum(axis=1))
