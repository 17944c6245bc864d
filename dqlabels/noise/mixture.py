"""Noise rate as a mixture: which true classes, through which noise matrix, explain the labels best.

A row's label is drawn from the noise matrix' row of its true class. What the model says of the row is taken as
the distribution of the true class once it is sharpened by an exponent: out-of-sample probabilities of bagged
trees are blurred, by the noise among other things. Exponent and matrix are fitted together; all exponents are
kept, weighed by how well each explains the labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Exponents of the model's probabilities; 1 takes them as they are.
SHARPNESS = (1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.0)
# How much a row's evidence for an exponent counts. Rows are less independent than the model takes them to be, so
# at 1 a single exponent takes all the weight on any but the smallest tables (docs/benchmarks.md).
TEMPER = 0.3
# More rows sharpen the estimate less than they cost; they are chosen by content, whatever the order.
MOST_ROWS = 4000
MOST_VALUES = 500_000
STEPS = 30
CONVERGED = 1e-5
LEAST_PROBABILITY = 1e-6
LEAST_COUNT = 1e-9


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
    from dqlabels.models.out_of_sample import hash_rows

    most = min(MOST_ROWS, max(1, MOST_VALUES // probs.shape[1]))
    units = np.rint(probs * 2**24)
    exact = hash_rows(np.column_stack([codes, units]).astype(np.uint32))
    order = np.argsort(exact, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(exact[order]) != 0])
    copy = np.empty(codes.size, dtype=np.int64)
    copy[order] = np.arange(codes.size) - np.repeat(starts, np.diff(np.r_[starts, codes.size]))
    own = units[np.arange(codes.size), codes]
    alike = hash_rows(np.column_stack([own, np.sort(units, axis=1), copy]).astype(np.uint32))
    if codes.size > most:
        chosen = np.flatnonzero(alike <= np.partition(alike, most - 1)[most - 1])
    else:
        chosen = np.arange(codes.size)
    chosen = chosen[np.lexsort((exact[chosen], alike[chosen]))]
    return codes[chosen], np.maximum(probs[chosen].astype(np.float64), LEAST_PROBABILITY)


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
        return _Fit(counts, counts + LEAST_COUNT, shared.mean(axis=1), evidence)
    posterior = counts + believed
    return _Fit(counts, posterior, shared.mean(axis=1), evidence - _divergence(posterior, believed))


def _row_weights(counts: FloatArray, prior: FloatArray | None) -> FloatArray:
    """P(given | true) (K, K), or under a prior the exponential of its mean logarithm."""
    if prior is None:
        counts = counts + LEAST_COUNT
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
