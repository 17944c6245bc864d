"""The noise rate of many classes: one rate for all, found by how likely the model holds each row's label.

A noise matrix of K x K unknowns cannot be fitted where classes have few rows. Here a label is wrong with one
probability, whatever the class, and a wrong label is any other class. As in :mod:`dqlabels.noise.mixture` the model's
probabilities are sharpened by an exponent, and the exponents are averaged by how well each explains the labels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from dqlabels.noise.mixture import MIN_PROBABILITY, PRIOR, SHARPNESS, TEMPER, RateBasis, with_method_error
from dqlabels.noise.rate import NoiseRate, check_confidence, noise_rate, normalise_rows
from dqlabels.statistics.arrays import FloatArray, IntArray, RealArray
from dqlabels.statistics.classes import in_cache

# Pseudo-rows that hold the rate; one rate is easier to learn than a matrix, so fewer do.
TABLE_ROWS = 100.0
MAX_STEPS = 100
CONVERGED = 1e-7


def symmetric_rate(basis: RateBasis, *, confidence: float = 0.90) -> NoiseRate:
    """Estimate the noise rate of a table with many classes.

    Args:
        basis: What the noise rate is read from.
        confidence: Confidence of the interval, in (0, 1).

    Raises:
        OptionError: ``confidence`` is outside (0, 1).

    Source: EM for a mixture of two known densities (Dempster, Laird & Rubin 1977), here p(given) for right labels and
    what is left, spread over the other classes, for wrong ones; the prior is that of the whole table in the mixture.

    >>> codes = np.repeat(np.arange(100), 10)
    >>> probs = np.where(np.eye(100)[codes] == 1, 0.901, 0.001)
    >>> codes[::20] = (codes[::20] + 1) % 100
    >>> basis = RateBasis.of(codes, probs)
    >>> round(symmetric_rate(basis).estimate, 2)
    0.05
    """
    check_confidence(confidence)
    fits, n_classes, rate = list[tuple[float, float, FloatArray]](), basis.probs.shape[1], PRIOR.level
    for own in _sharpened(basis.codes, basis.probs):
        fits.append(_fit(own, n_classes, rate))
        rate = fits[-1][1]
    evidence, rates = np.array([fit[:2] for fit in fits]).T
    weights = np.exp(TEMPER * (evidence - evidence.max()))
    weights /= weights.sum()
    estimate, by_row = float(weights @ rates), np.einsum("f,fm->m", weights, [fit[2] for fit in fits])
    matrix, inverse = _matrices(estimate, by_row, basis.codes, basis.class_rows)
    pull = replace(PRIOR, table_rows=TABLE_ROWS).pull(basis.codes.size)
    interval = with_method_error(estimate, basis, "symmetric", confidence, pull=pull)
    return noise_rate((estimate, *interval), confidence, "symmetric", basis.class_rows, matrix, inverse)


def _sharpened(codes: IntArray, probs: RealArray) -> Iterator[FloatArray]:
    """Yield p(given) of each row (m,) under each of the exponents."""
    own = np.empty((len(SHARPNESS), codes.size))
    for part in in_cache(probs):
        scaled = np.maximum(probs[part], MIN_PROBABILITY)
        scaled /= scaled.max(axis=1, keepdims=True)
        rows = np.arange(len(scaled))
        for at, power in enumerate(_powers(scaled)):
            own[at, part] = power[rows, codes[part]] / np.einsum("ij->i", power)
    yield from own


def _powers(values: FloatArray) -> Iterator[FloatArray]:
    """Yield the powers of ``SHARPNESS``, by products and roots, which are faster than a logarithm for each."""
    root = np.sqrt(values)
    square = values * values
    fourth = square * square
    cube = square * values
    yield from (values, values * np.sqrt(root), values * root, square, square * root, cube)
    yield from (fourth, fourth * values, fourth * cube)


def _fit(own: FloatArray, n_classes: int, rate: float) -> tuple[float, float, FloatArray]:
    """Evidence, noise rate, and P(wrong) of each row (m,), for the probabilities (m,) of the labels."""
    other, rows = (1 - own) / (n_classes - 1), own.size
    for _ in range(MAX_STEPS):
        wrong = other * rate
        likelihood = own * (1 - rate)
        likelihood += wrong
        wrong /= likelihood
        before, rate = rate, (float(wrong.sum()) + PRIOR.level * TABLE_ROWS) / (rows + TABLE_ROWS)
        if abs(rate - before) <= CONVERGED:
            break
    prior = TABLE_ROWS * (PRIOR.level * np.log(rate) + (1 - PRIOR.level) * np.log(1 - rate))
    return float(np.log(likelihood).sum() + prior), rate, wrong


def _matrices(
    estimate: float, wrong: FloatArray, codes: IntArray, class_rows: IntArray
) -> tuple[FloatArray, FloatArray]:
    """P(given | true) and P(true | given), both (K, K), by the share of wrong labels among the rows of each class."""
    k, given = class_rows.size, class_rows / class_rows.sum()
    drawn = np.bincount(codes, minlength=k)
    by_class = np.bincount(codes, weights=wrong, minlength=k) + estimate * PRIOR.class_rows
    by_class /= drawn + PRIOR.class_rows
    by_class = np.minimum(by_class * (estimate / float(given @ by_class)), 1.0)
    inverse = np.repeat(by_class[:, None] / (k - 1), k, axis=1)
    np.fill_diagonal(inverse, 1 - by_class)
    return normalise_rows((given[:, None] * inverse).T), inverse
