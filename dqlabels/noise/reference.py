"""The noise rate compared with trusted data: its saved profile, and the change since."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

from dqlabels.errors import OptionError
from dqlabels.frames.archive import is_archive, read_header
from dqlabels.noise.rate import ASSUMPTIONS, NoiseRate, check_confidence

# Format number of a profile; later versions read older ones.
PROFILE_FORMAT = 1
# If the trusted error is near chance, a change in it says almost nothing.
MIN_SCALE = 0.2


def read_profile(reference: object) -> Mapping[str, Any]:
    """Read a profile from an audit or auditor, from a JSON file or a saved auditor, or from a profile itself.

    Raises:
        OptionError: ``reference`` is none of these, or a profile that this version cannot read.
        AuditorFileError: A saved auditor that is damaged or of a newer version.

    >>> import dqlabels, polars as pl
    >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
    >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
    >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
    >>> read_profile(audit)["classes"]
    ['ham', 'spam']
    """
    if hasattr(reference, "profile"):
        return dict(reference.profile())
    if isinstance(reference, (str, Path)) and is_archive(reference):
        reference = read_header(reference).get("profile")
    elif isinstance(reference, (str, Path)):
        try:
            reference = json.loads(Path(reference).read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            raise OptionError(f"{reference} does not hold a profile as JSON ({error}).") from error
    if not isinstance(reference, Mapping) or "format" not in reference:
        wrong = "is needed here" if reference is None else "is not the profile of an audit"
        raise OptionError(
            f"reference= {wrong}. Pass an audit of trusted data, its profile(), or the path of a "
            "JSON file that holds one."
        )
    if reference["format"] != PROFILE_FORMAT:
        raise OptionError(
            f"The reference has format {reference['format']!r}; this version of dqlabels reads {PROFILE_FORMAT}."
        )
    return reference


def reference_noise(
    error: float, rows: int, profile: Mapping[str, Any], base: NoiseRate, *, confidence: float = 0.90
) -> NoiseRate:
    """Estimate how much the noise rate rose since a trusted profile, from the change in the out-of-sample error.

    If a share r of the labels becomes wrong and spreads evenly over the other classes, the error rises from e to
    e + r (1 - e K / (K - 1)). ``estimate``, ``low`` and ``high`` are r, which may be negative.

    Args:
        error: Share of this table's labels that are not the model's likeliest class.
        rows: Audited rows of this table.
        profile: ``LabelAudit.profile()`` of the trusted data.
        base: Noise rate from which the noise matrix is taken.
        confidence: Confidence of the interval, in (0, 1).

    Raises:
        OptionError: The profile lacks what is needed, or ``confidence`` is outside (0, 1).

    >>> import dqlabels, polars as pl
    >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
    >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
    >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
    >>> change = reference_noise(0.25, 4, audit.profile(), audit.noise_rate)
    >>> change.estimate, change.method  # the same share of labels disagrees with the model
    (0.0, 'reference')
    """
    check_confidence(confidence)
    try:
        trusted, trusted_rows, k = float(profile["model_error"]), int(profile["rows"]), len(profile["classes"])
    except (KeyError, TypeError, ValueError) as problem:
        raise OptionError(
            "reference= is not the profile of an audit. Pass audit.profile() of trusted data."
        ) from problem
    scale = max(1 - trusted * k / (k - 1), MIN_SCALE)
    spread = (error * (1 - error) / rows + trusted * (1 - trusted) / trusted_rows) ** 0.5 / scale
    estimate = (error - trusted) / scale
    half = NormalDist().inv_cdf(0.5 + confidence / 2) * spread
    n_classes, caution = base.matrix.shape[0], ""
    if 1 - trusted * k / (k - 1) < MIN_SCALE:
        caution = (
            f"This table cannot support an estimate: the model disagrees with {trusted:.0%} of the trusted labels, "
            "so a change in that says almost nothing. Review a sample of rows."
        )
    # The error of the whole table does not tell what changed in a class, so its interval is [0, 1].
    return replace(
        base, estimate=estimate, low=estimate - half, high=estimate + half, confidence=confidence, method="reference",
        assumption=ASSUMPTIONS["reference"], rows=rows, class_low=np.zeros(n_classes), class_high=np.ones(n_classes),
        supported=not caution, caution=caution,
    )  # fmt: skip


def reference_level(change: NoiseRate, profile: Mapping[str, Any]) -> NoiseRate:
    """Add the change since to the noise rate of the trusted data.

    The trusted rate is the one that a review gave; without a review the trusted labels count as right.

    >>> import dqlabels, polars as pl
    >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
    >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
    >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
    >>> change = reference_noise(0.25, 4, audit.profile(), audit.noise_rate)
    >>> reference_level(change, audit.profile()).estimate
    0.0
    """
    trusted = profile.get("noise_rate") or {}
    reviewed = trusted.get("method") == "reviewed"
    base, low, high = (float(trusted[key]) if reviewed else 0.0 for key in ("estimate", "low", "high"))
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
