"""How much of a label column is wrong: estimators that say what they assume, each with an interval."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dqlabels.errors import OptionError
from dqlabels.mixture import fit_mixture

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# The fewest rows, and the least share of a class, that a region is read from; below it chance decides.
SMALLEST_REGION = 20
SMALLEST_REGION_SHARE = 0.05
# The anchor region is chosen by a one-standard-error bound: two would prefer large regions that mix classes.
WILSON_Z = 1.0
# Pseudo-rows by which a class that nobody labelled is taken to be labelled right.
SURE_ROWS = 1e6
# Where the trusted error is near chance a change of it says next to nothing.
LEAST_SCALE = 0.2
EM_STEPS = 500
# A replicate starts from the estimate, from where a few steps reach its own answer.
EM_STEPS_RESAMPLED = 50
EM_TOLERANCE = 1e-9
REPLICATES = 200
# Replicates x classes^2, in numbers held at once: many classes take fewer replicates.
REPLICATE_BUDGET = 20_000_000

ASSUMPTIONS = {
    "variational": (
        "Assumes that wrong labels fall on a class alike wherever its rows lie, that the sharpened model is right "
        "about how sure one can be of a row's true class, and that a few percent wrong is the rule. Noise that "
        "hides in ambiguous rows is missed in part. The interval allows for how far the method was off on tables "
        "of known noise."
    ),
    "em": (
        "Assumes that wrong labels fall on a class alike wherever its rows lie, and that the sharpened model is "
        "right about how sure one can be of a row's true class. Small tables can be read as far too noisy."
    ),
    "reference": (
        "The change against a trusted profile. Assumes that the model would be right as often on this table's true "
        "labels as it was on the trusted ones; a change in the rows themselves reads as noise."
    ),
    "anchor": (
        "Assumes each class has a region where the model is right about the true class, and that labels there "
        "are wrong as often as elsewhere in the class. Noise that hides in ambiguous rows is missed."
    ),
    "confident": (
        "Assumes a row the model confidently puts in another class is mislabelled. Where classes truly overlap, "
        "the overlap is counted as noise, so this reads high on hard tables."
    ),
}
# Of what an audit keeps of trusted data; later versions read older ones.
PROFILE_FORMAT = 1
# Those that need no further input.
METHODS = ("variational", "em", "anchor", "confident")
# A mixture's matrix has K x K unknowns: with more classes the anchor region is the default.
MOST_CLASSES_OF_A_MIXTURE = 60
# Pseudo-rows of each row of the noise matrix, and the share of them that is wrong: the prior of ``variational``.
PRIOR_ROWS = 20.0
PRIOR_NOISE = 0.05
# Error of the method itself, measured on tables of known noise (docs/benchmarks.md): a share of the model's
# error that the estimate leaves unexplained, and a constant.
UNEXPLAINED_SHARE = 0.3
METHOD_ERROR = 0.01


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

    def class_intervals(self, class_rows: IntArray) -> tuple[FloatArray, FloatArray]:
        """(K,) low and (K,) high of ``by_given_class``, for classes of that many rows (K,).

        The table's interval scaled to the class, widened by the sampling error of the class.
        """
        shares = self.by_given_class
        z = NormalDist().inv_cdf(0.5 + self.confidence / 2)
        sampling = z**2 * np.clip(shares * (1 - shares), 0.25 / (class_rows + 1), None) / np.maximum(class_rows, 1)
        scale = np.maximum(shares, self.estimate) / max(self.estimate, 1e-9)
        low = shares - np.sqrt(sampling + (scale * (self.estimate - self.low)) ** 2)
        high = shares + np.sqrt(sampling + (scale * (self.high - self.estimate)) ** 2)
        return np.clip(low, 0, 1), np.clip(high, 0, 1)

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


def share_interval(share: float, rows: float, confidence: float) -> tuple[float, float]:
    """Wilson's interval of a share of ``rows``."""
    z2 = NormalDist().inv_cdf(0.5 + confidence / 2) ** 2
    centre = (share + z2 / (2 * rows)) / (1 + z2 / rows)
    half = float(np.sqrt(z2 * (share * (1 - share) / rows + z2 / (4 * rows**2)))) / (1 + z2 / rows)
    return centre - half, centre + half


def read_profile(reference: Any) -> Mapping[str, Any]:
    """A profile from itself, from an audit, or from the path of a JSON file that holds it.

    Raises:
        OptionError: None was given, or not one that this version reads.
    """
    if hasattr(reference, "profile"):
        return dict(reference.profile())
    if isinstance(reference, (str, Path)):
        try:
            reference = json.loads(Path(reference).read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            raise OptionError(f"{reference}: not the JSON of a profile ({error}).") from error
    if not isinstance(reference, Mapping) or "format" not in reference:
        raise OptionError(
            "reference= is needed, and is no profile of an audit: pass an audit of trusted data, its profile(), or the "
            "path of a JSON file that holds one."
        )
    if reference["format"] != PROFILE_FORMAT:
        raise OptionError(
            f"The reference has format {reference['format']!r}; this version of dqlabels reads {PROFILE_FORMAT}."
        )
    return reference


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


def mixture_noise(
    codes: IntArray,
    probs: NDArray[Any],
    *,
    method: str = "variational",
    confidence: float = 0.90,
    random_state: int = 0,
) -> NoiseRate:
    """Noise rate from the noise matrix that best explains the labels, given what the model says of each row.

    Args:
        codes: (n,) class positions, all known.
        probs: (n, K) out-of-sample probabilities.
        method: ``"variational"`` with a Dirichlet prior on the matrix' rows, or ``"em"`` without one.
        confidence: Of the interval, in (0, 1).
        random_state: Seeds the posterior draws.

    Raises:
        OptionError: ``confidence`` is outside (0, 1).

    Source: see :func:`dqlabels.mixture.fit_mixture`.

    >>> codes = np.repeat([0, 1], 200)
    >>> probs = np.where(np.eye(2)[codes] == 1, 0.9, 0.1)
    >>> codes[:20] = 1
    >>> 0.02 < mixture_noise(codes, probs).estimate < 0.06
    True
    """
    _check_confidence(confidence)
    k = probs.shape[1]
    prior = None
    if method == "variational":
        prior = np.full((k, k), PRIOR_ROWS * PRIOR_NOISE / (k - 1))
        np.fill_diagonal(prior, PRIOR_ROWS * (1 - PRIOR_NOISE))
    found = fit_mixture(codes, probs, prior, random_state)
    estimate = float(np.clip(1 - (found.shares * np.diagonal(found.matrix)).sum(), 0, 1))
    low, high = _interval(found.drawn, estimate, confidence)
    unexplained = max(float((probs.argmax(axis=1) != codes).mean()) - estimate, 0.0)
    spare = METHOD_ERROR + UNEXPLAINED_SHARE * unexplained
    low, high = max(low - spare, 0.0), min(high + spare, 1.0)
    inverse = _normalise_rows((found.shares[:, None] * found.matrix).T)
    return _noise_rate(estimate, low, high, confidence, method, codes.size, found.matrix, inverse)


def default_noise(
    codes: IntArray, probs: NDArray[Any], *, confidence: float = 0.90, random_state: int = 0
) -> NoiseRate:
    """The noise rate by the method that did best in the benchmark: ``variational``, or ``anchor`` for many classes."""
    estimate = mixture_noise if probs.shape[1] <= MOST_CLASSES_OF_A_MIXTURE else anchor_noise
    return estimate(codes, probs, confidence=confidence, random_state=random_state)


def reference_noise(
    error: float, rows: int, profile: Mapping[str, Any], base: NoiseRate, *, confidence: float = 0.90
) -> NoiseRate:
    """The change of the noise rate against a trusted profile, from the change of the out-of-sample error.

    Labels of which a share r is wrong raise the error from e to e + r (1 - e K / (K - 1)) where wrong labels
    fall on the other classes alike; ``estimate``, ``low`` and ``high`` are r, which may be negative.

    Args:
        error: Share of this table's labels that are not the model's likeliest class.
        rows: Audited rows of this table.
        profile: What ``LabelAudit.profile()`` gave on trusted data.
        base: Gives the noise matrix.
        confidence: Of the interval, in (0, 1).

    Raises:
        OptionError: The profile lacks what is needed, or ``confidence`` is outside (0, 1).
    """
    _check_confidence(confidence)
    try:
        trusted, trusted_rows, k = float(profile["model_error"]), int(profile["rows"]), len(profile["classes"])
    except (KeyError, TypeError, ValueError) as problem:
        raise OptionError("reference= is no profile of an audit: pass audit.profile() of trusted data.") from problem
    scale = max(1 - trusted * k / (k - 1), LEAST_SCALE)
    spread = (error * (1 - error) / rows + trusted * (1 - trusted) / trusted_rows) ** 0.5 / scale
    estimate = (error - trusted) / scale
    half = NormalDist().inv_cdf(0.5 + confidence / 2) * spread
    return _noise_rate(
        estimate,
        estimate - half,
        estimate + half,
        confidence,
        "reference",
        rows,
        base.matrix.copy(),
        base.inverse.copy(),
    )


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
