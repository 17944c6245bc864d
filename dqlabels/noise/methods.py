"""How much of a label column is wrong: estimators that say what they assume, each with an interval."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dqlabels.errors import OptionError
from dqlabels.frames.archive import is_archive, read_facts
from dqlabels.noise.mixture import NoisePrior, fit_mixture
from dqlabels.noise.rate import ASSUMPTIONS, NoiseRate, check_confidence, noise_rate, share_interval, with_support

__all__ = [
    "METHODS",
    "PROFILE_FORMAT",
    "NoiseRate",
    "anchor_noise",
    "confident_noise",
    "default_noise",
    "mixture_noise",
    "read_profile",
    "reference_level",
    "reference_noise",
    "share_interval",
]

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

# Of what an audit keeps of trusted data; later versions read older ones.
PROFILE_FORMAT = 1
# Where the trusted error is near chance a change of it says next to nothing.
LEAST_SCALE = 0.2
# Those that need no further input.
METHODS = ("variational", "em", "anchor", "confident")
# A mixture's matrix has K x K unknowns: with more classes the anchor region is the default.
MOST_CLASSES_OF_A_MIXTURE = 60
# Chosen over 33 tables of known noise, with the figures of tables left out of the choice in docs/benchmarks.md.
PRIOR = NoisePrior(class_rows=60.0, table_rows=300.0, level=0.06)
# The joint reads high and the anchor region low: where they are this near and both above the mixture, with this
# many rows in the smallest class, the joint is right.
NARROW_GAP = 0.04
FEWEST_ROWS_A_CLASS = 100
# How far the truth lay from the estimate, 5% and 95% quantile over the same tables: a constant, and a share of the
# model's error that the estimate leaves unexplained.
METHOD_ERROR = {"variational": ((0.032, 0.17), (0.022, 0.33)), "em": ((0.018, 1.27), (0.024, 0.28))}
METHOD_ERROR_CONFIDENCE = 0.90


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
    check_confidence(confidence)
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
    return noise_rate((estimate, low, high), confidence, "anchor", label_counts, matrix, inverse)


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
    check_confidence(confidence)
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
    return noise_rate((estimate, low, high), confidence, "confident", label_counts, matrix, inverse)


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

    Source: see :func:`dqlabels.noise.mixture.fit_mixture`.

    >>> codes = np.repeat([0, 1], 200)
    >>> probs = np.where(np.eye(2)[codes] == 1, 0.9, 0.1)
    >>> codes[:20] = 1
    >>> 0.02 < mixture_noise(codes, probs).estimate < 0.06
    True
    """
    check_confidence(confidence)
    found = fit_mixture(codes, probs, PRIOR if method == "variational" else None)
    estimate = float(np.clip(1 - (found.shares * np.diagonal(found.matrix)).sum(), 0, 1))
    matrix, inverse = found.matrix, _normalise_rows((found.shares[:, None] * found.matrix).T)
    label_counts = np.bincount(codes, minlength=probs.shape[1])
    error = float((probs.argmax(axis=1) != codes).mean())
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
    if label_counts.min() < FEWEST_ROWS_A_CLASS:
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


def default_noise(
    codes: IntArray,
    probs: NDArray[Any],
    counts: IntArray | None = None,
    *,
    confidence: float = 0.90,
    random_state: int = 0,
) -> NoiseRate:
    """The noise rate by the method that did best in the benchmark: ``variational``, or ``anchor`` for many classes."""
    options: Any = {"confidence": confidence, "random_state": random_state}
    if probs.shape[1] <= MOST_CLASSES_OF_A_MIXTURE:
        return mixture_noise(codes, probs, counts=counts, **options)
    rate = anchor_noise(codes, probs, **options)
    return with_support(rate, float((probs.argmax(axis=1) != codes).mean()), rate)


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


def read_profile(reference: Any) -> Mapping[str, Any]:
    """A profile from itself, from an audit or auditor, or from the path of a file that holds it.

    The file is JSON, or a saved auditor.

    Raises:
        OptionError: None was given, or not one that this version reads.
        AuditorFileError: A saved auditor that is damaged or of a newer version.
    """
    if hasattr(reference, "profile"):
        return dict(reference.profile())
    if isinstance(reference, (str, Path)) and is_archive(reference):
        reference = read_facts(reference).get("profile")
    elif isinstance(reference, (str, Path)):
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
    check_confidence(confidence)
    try:
        trusted, trusted_rows, k = float(profile["model_error"]), int(profile["rows"]), len(profile["classes"])
    except (KeyError, TypeError, ValueError) as problem:
        raise OptionError("reference= is no profile of an audit: pass audit.profile() of trusted data.") from problem
    scale = max(1 - trusted * k / (k - 1), LEAST_SCALE)
    spread = (error * (1 - error) / rows + trusted * (1 - trusted) / trusted_rows) ** 0.5 / scale
    estimate = (error - trusted) / scale
    half = NormalDist().inv_cdf(0.5 + confidence / 2) * spread
    shown: dict[str, Any] = {
        "estimate": estimate,
        "low": estimate - half,
        "high": estimate + half,
        "confidence": confidence,
    }
    # What changed in a class is not known from the error of the whole table.
    shown |= {"class_low": np.zeros(base.matrix.shape[0]), "class_high": np.ones(base.matrix.shape[0])}
    caution = ""
    if 1 - trusted * k / (k - 1) < LEAST_SCALE:
        caution = (
            f"This table cannot support an estimate: the model disagrees with {trusted:.0%} of the trusted labels, "
            "so a change of that says next to nothing. Review a sample of rows."
        )
    return replace(
        base, **shown, method="reference", assumption=ASSUMPTIONS["reference"], rows=rows,
        supported=not caution, caution=caution,
    )  # fmt: skip


def reference_level(change: NoiseRate, profile: Mapping[str, Any]) -> NoiseRate:
    """The noise rate itself: that of the trusted data and the change since.

    The rate of the trusted data is the one a review of them gave; without a review they are taken to be right.
    """
    known = profile.get("noise_rate") or {}
    reviewed = known.get("method") == "reviewed"
    base, low, high = (float(known[key]) if reviewed else 0.0 for key in ("estimate", "low", "high"))
    estimate = min(max(base + change.estimate, 0.0), 1.0)
    below = float(np.hypot(base - low, change.estimate - change.low))
    above = float(np.hypot(high - base, change.high - change.estimate))
    words = "as noisy as their review found" if reviewed else "right"
    return replace(
        change,
        estimate=estimate,
        low=min(max(base + change.estimate - below, 0.0), estimate),
        high=max(min(base + change.estimate + above, 1.0), estimate),
        assumption=f"{change.assumption} The trusted labels are taken to be {words}.",
    )
