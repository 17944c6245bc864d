"""The noise rate by a mixture: which true classes and which noise matrix explain the labels best.

The label of a row is drawn from the row of the noise matrix that belongs to its true class. The model's probabilities,
sharpened by an exponent, are taken as the distribution of the true class: out-of-sample probabilities of bagged trees
are blurred, by the noise among other things. A matrix is fitted for each exponent, and the matrices are averaged by how
well each explains the labels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from statistics import NormalDist

import numpy as np

from dqlabels.noise.anchor import anchor_matrices
from dqlabels.noise.joint import confident_matrices
from dqlabels.noise.rate import NoiseMatrices, NoiseRate, check_confidence, noise_rate, normalise_rows
from dqlabels.noise.sample import RowSample
from dqlabels.statistics.arrays import FloatArray, IntArray, RealArray
from dqlabels.statistics.classes import likeliest, model_error

# Exponents of the model's probabilities; 1 leaves them as they are.
SHARPNESS = (1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.0)
# Weight of a row's evidence for an exponent. Rows are less independent than the mixture assumes: at 1 a single exponent
# would get all the weight on all but the smallest tables (docs/benchmarks.md).
TEMPER = 0.3
STEPS = 30
CONVERGED = 1e-5
MIN_PROBABILITY = 1e-6
MIN_COUNT = 1e-9


@dataclass(frozen=True, slots=True)
class NoisePrior:
    """Prior of a noise matrix.

    Each row of the matrix is Dirichlet with ``class_rows`` pseudo-rows around the noise rate of the whole table. That
    rate is learned from the labels together with ``table_rows`` pseudo-rows, of which the share ``level`` is wrong.
    """

    class_rows: float
    table_rows: float
    level: float

    def pull(self, rows: int) -> float:
        """Return the part of an estimate from so many rows that comes from the prior, in [0, 1]."""
        return self.level * self.table_rows / (rows + self.table_rows)

    def dirichlet(self, counts: FloatArray) -> FloatArray:
        """Dirichlet parameters (K, K) of the rows of the matrix, for expected counts (K, K) by true and given class."""
        k, rows = len(counts), float(counts.sum())
        wrong = (rows - float(np.trace(counts)) + self.level * self.table_rows) / (rows + self.table_rows)
        prior = np.full((k, k), self.class_rows * wrong / (k - 1))
        np.fill_diagonal(prior, self.class_rows * (1 - wrong))
        return prior


# Chosen on 33 tables with known noise; docs/benchmarks.md has figures for tables left out of the choice.
PRIOR = NoisePrior(class_rows=60.0, table_rows=300.0, level=0.06)
# The surest rows carry other labels nearly as often as all rows, if they do at this share of the model error.
ALIKE_EVERYWHERE = 0.75
# 5% and 95% quantile of the distance from the estimate to the truth over the same tables: a constant, plus a share of
# the model error that the estimate leaves unexplained.
METHOD_ERROR = {"variational": ((0.032, 0.17), (0.022, 0.33)), "em": ((0.018, 1.27), (0.024, 0.28))}
METHOD_ERROR["symmetric"] = METHOD_ERROR["variational"]  # wider than its errors on ten tables of 104 classes
METHOD_ERROR["confident"] = METHOD_ERROR["variational"]  # where it is the default; wider than its errors there
METHOD_ERROR_CONFIDENCE = 0.90


@dataclass(frozen=True, slots=True, eq=False)
class Mixture:
    """Fitted noise matrix P(given | true), ``matrix`` (K, K), and ``shares`` (K,) of the true classes."""

    matrix: FloatArray
    shares: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    counts: FloatArray  # true x given (K, K), expected
    posterior: FloatArray  # Dirichlet parameters (K, K) of the matrix' rows
    shares: FloatArray
    evidence: float


@dataclass(frozen=True, eq=False)  # without slots, which would leave no room for what is cached
class RateBasis:
    """What the noise rate of a table is read from: numbers of the whole table, and a sample of its rows.

    ``codes`` (m,) and ``probs`` (m, K) are the sample; ``class_rows`` (K,) are the rows of the table that carry each
    label, ``counts`` (K, K) is its confident joint before calibration, given x likely, and ``model_error`` the share of
    its rows whose likeliest class is another. Of rows that repeat or belong together only so many as there are groups
    count as ``independent``, a share of all rows in (0, 1].
    """

    codes: IntArray
    probs: FloatArray
    class_rows: IntArray
    counts: IntArray
    model_error: float
    independent: float = 1.0

    @cached_property
    def joint(self) -> NoiseMatrices:
        """The rate of the confident joint, without its interval."""
        return confident_matrices(self.counts, self.class_rows)

    @cached_property
    def anchor(self) -> float:
        """The rate of the anchor regions."""
        return anchor_matrices(self.codes, self.probs).estimate

    @classmethod
    def of(cls, codes: IntArray, probs: RealArray, counts: IntArray | None = None) -> RateBasis:
        """Return the basis of a table in memory: labels (n,), none missing, and probabilities (n, K)."""
        if counts is None:
            from dqlabels.engines.memory import flag

            counts = flag(codes, probs).counts
        class_rows = np.bincount(codes, minlength=probs.shape[1])
        drawn, its_probs = RowSample.of(codes, probs).finish()
        return cls(drawn, its_probs, class_rows, counts, model_error(codes, likeliest(probs)[0]))


def mixture_noise(
    codes: IntArray,
    probs: RealArray,
    *,
    method: str = "variational",
    counts: IntArray | None = None,
    confidence: float = 0.90,
) -> NoiseRate:
    """Estimate the noise rate from the noise matrix that best explains the labels, given the model's probabilities.

    Args:
        codes: (n,) class positions of the given labels, none missing.
        probs: (n, K) out-of-sample probabilities.
        method: ``"variational"`` with a prior on the matrix, or ``"em"`` without one.
        counts: (K, K) confident joint before calibration, given x likely; counted here if it is left out.
        confidence: Confidence of the interval, in (0, 1).

    Raises:
        OptionError: ``confidence`` is outside (0, 1).

    Source: see :func:`fit_mixture`.

    >>> codes = np.repeat([0, 1], 200)
    >>> probs = np.where(np.eye(2)[codes] == 1, 0.9, 0.1)
    >>> codes[:20] = 1
    >>> 0.02 < mixture_noise(codes, probs).estimate < 0.06
    True
    """
    basis = RateBasis.of(codes, probs, counts)
    return mixture_rate(basis, method=method, confidence=confidence)


def mixture_rate(basis: RateBasis, *, method: str, confidence: float) -> NoiseRate:
    """Estimate the same from the basis of a table, wherever its rows are.

    Args:
        basis: What the rate is read from.
        method: ``"variational"`` or ``"em"``.
        confidence: Confidence of the interval, in (0, 1).
    """
    check_confidence(confidence)
    mixture = fit_mixture(basis.codes, basis.probs, PRIOR if method == "variational" else None)
    estimate = float(np.clip(1 - (mixture.shares * np.diagonal(mixture.matrix)).sum(), 0, 1))
    matrix, inverse = mixture.matrix, normalise_rows((mixture.shares[:, None] * mixture.matrix).T)
    pull = PRIOR.pull(basis.codes.size) if method == "variational" else 0.0
    low, high = with_method_error(estimate, basis, method, confidence, pull=pull)
    others = _higher_estimates(basis, high) if method == "variational" else ()
    interval = (estimate, low, max((high, *others)))
    rate = noise_rate(interval, confidence, method, basis.class_rows, matrix, inverse)
    if not others:
        return rate
    caution = (
        f"This table cannot support an estimate, since methods disagree: 'variational' reads {estimate:.1%}, 'anchor' "
        f"{others[0]:.1%} and 'confident' {others[1]:.1%}. Either the classes overlap everywhere, or many rows of a "
        "class are labelled as one other class and the model has learned that. Review a sample of rows."
    )
    return replace(rate, supported=False, caution=caution)


def _higher_estimates(basis: RateBasis, high: float) -> tuple[float, ...]:
    """Noise rates of the anchor region and the confident joint where both are above ``high``, else nothing.

    The mixture takes a model that has learned wrong labels, and so is unsure everywhere, for one of classes that
    overlap. The two others are often too high. Both of them, and rows that carry other labels nearly as often as
    anywhere where the model is surest, mean that nobody can tell.
    """
    if basis.joint.estimate <= high or basis.anchor <= max(high, ALIKE_EVERYWHERE * basis.model_error):
        return ()
    return basis.anchor, basis.joint.estimate


def with_method_error(
    estimate: float, basis: RateBasis, method: str, confidence: float, *, pull: float
) -> tuple[float, float]:
    """Return the interval from the method's errors on tables with known noise and the sampling error of a share.

    Args:
        estimate: The noise rate.
        basis: What the rate was read from.
        method: What estimated the rate.
        confidence: Confidence of the interval, in (0, 1).
        pull: The part of the estimate that the prior gave, in [0, 1]; it widens the interval downwards, since
            estimates from a few hundred clean rows were higher than from all rows of the same table.
    """
    rows, unexplained = int(basis.class_rows.sum()), max(basis.model_error - estimate, 0.0)
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    scale = z / NormalDist().inv_cdf(0.5 + METHOD_ERROR_CONFIDENCE / 2)
    sampling = z * (max(estimate * (1 - estimate), 0.25 / (rows + 1)) / rows) ** 0.5
    below, above = (
        float(np.hypot(scale * (constant + share * unexplained), sampling)) for constant, share in METHOD_ERROR[method]
    )
    return max(estimate - float(np.hypot(below, pull)), 0.0), min(estimate + above, 1.0)


def fit_mixture(codes: IntArray, probs: RealArray, prior: NoisePrior | None) -> Mixture:
    """Fit the noise matrix by variational inference under a ``prior``, or by EM without one.

    Args:
        codes: (m,) class positions of the given labels of a sample of the rows.
        probs: (m, K) its out-of-sample probabilities.
        prior: Prior of the matrix; None for maximum likelihood.

    Source: EM for a mixture with known component weights per row (Dempster, Laird & Rubin 1977); mean field
    with a Dirichlet prior as in Bishop (2006), section 10.2, whose level is learned from all classes together
    (empirical Bayes). Tempered evidence: Grünwald & van Ommen (2017), Bayesian Analysis 12:1069-1103.
    Sharpening is ours: docs/noise-rate.md.
    """
    order = np.argsort(codes, kind="stable")
    bounded = np.maximum(probs.take(order, axis=0).astype(np.float64), MIN_PROBABILITY)
    logs, fits = np.log(np.ascontiguousarray(bounded.T)), list[_Fit]()  # rows are short, so class by class is faster
    logs -= logs.max(axis=0)
    ends = np.bincount(codes, minlength=probs.shape[1]).cumsum().tolist()
    parts = [slice(start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True)]
    for sharpness in SHARPNESS:
        fits.append(_fit(parts, logs, sharpness, prior, fits[-1].counts if fits else None))
    evidence = TEMPER * np.array([fit.evidence for fit in fits])
    weights = np.exp(evidence - evidence.max())
    weights /= weights.sum()
    matrices = [fit.posterior / fit.posterior.sum(axis=1, keepdims=True) for fit in fits]
    shares = np.einsum("f,fk->k", weights, [fit.shares for fit in fits])
    joint = np.einsum("f,fk,fkj->kj", weights, [fit.shares for fit in fits], matrices)
    matrix = np.where(shares[:, None] > 0, joint / np.where(shares > 0, shares, 1)[:, None], np.eye(len(joint)))
    return Mixture(matrix, shares)


def _fit(
    parts: list[slice], logs: FloatArray, sharpness: float, prior: NoisePrior | None, start: FloatArray | None
) -> _Fit:
    """Fit the matrix to rows in the order of their labels: those of class k are ``parts[k]``."""
    k, n = logs.shape
    sharp = np.exp(sharpness * logs)
    sharp /= sharp.sum(axis=0)
    groups = [np.ascontiguousarray(sharp[:, part].T) for part in parts]
    counts = np.full((k, k), 0.1 * n / k**2) + 0.9 * n / k * np.eye(k) if start is None else start
    for _ in range(STEPS):
        believed = None if prior is None else prior.dirichlet(counts)
        updated, total = _expected_counts(groups, parts, _row_weights(counts, believed))
        moved = float(np.abs(updated - counts).max()) / n
        counts = updated
        if moved < CONVERGED:
            break
    evidence, shares = float(np.log(total).sum()), counts.sum(axis=1) / n
    if believed is None:
        return _Fit(counts, counts + MIN_COUNT, shares, evidence)
    posterior = counts + believed
    return _Fit(counts, posterior, shares, evidence - _divergence(posterior, believed))


def _expected_counts(
    groups: list[FloatArray], parts: list[slice], weights: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Rows expected by true and given class (K, K), and the probability of each row's label (n,).

    Group j holds the probabilities (n_j, K) of the rows labelled j; ``weights`` (K, K) are P(given | true). The rows of
    a group share a column of the matrix, so two products of a matrix and a vector are all that it takes.
    """
    columns, counts, total = np.ascontiguousarray(weights.T), np.empty(weights.shape), np.empty(parts[-1].stop)
    for group, column, part in zip(groups, columns, parts, strict=True):
        group.dot(column, out=total[part])
    np.maximum(total, 1e-300, out=total)
    inverse = 1 / total
    for group, row, part in zip(groups, counts, parts, strict=True):
        inverse[part].dot(group, out=row)
    counts *= columns
    return counts.T, total


def _row_weights(counts: FloatArray, prior: FloatArray | None) -> FloatArray:
    """P(given | true), shape (K, K), or under a prior the exponential of its mean logarithm."""
    if prior is None:
        counts = counts + MIN_COUNT
        return np.asarray(counts / counts.sum(axis=1, keepdims=True))
    from scipy.special import digamma

    posterior = counts + prior
    return np.asarray(np.exp(digamma(posterior) - digamma(posterior.sum(axis=1, keepdims=True))))


def _divergence(posterior: FloatArray, prior: FloatArray) -> float:
    """Sum over the rows of the Kullback-Leibler divergence of the posterior from the prior."""
    from scipy.special import digamma, gammaln

    moved = (posterior - prior) * (digamma(posterior) - digamma(posterior.sum(axis=1, keepdims=True)))
    norms = gammaln(posterior.sum(axis=1)) - gammaln(prior.sum(axis=1))
    return float((norms - (gammaln(posterior) - gammaln(prior)).sum(axis=1) + moved.sum(axis=1)).sum())
