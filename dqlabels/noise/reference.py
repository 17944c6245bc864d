"""The noise rate against trusted data: reading what was kept of it, and the change since."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

from dqlabels.errors import OptionError
from dqlabels.frames.archive import is_archive, read_facts
from dqlabels.noise.rate import ASSUMPTIONS, NoiseRate, check_confidence

# Format number of a profile; later versions read older ones.
PROFILE_FORMAT = 1
# Where the trusted error is near chance a change of it says next to nothing.
MIN_SCALE = 0.2


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
    scale = max(1 - trusted * k / (k - 1), MIN_SCALE)
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
    if 1 - trusted * k / (k - 1) < MIN_SCALE:
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
