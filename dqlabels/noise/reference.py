"""The noise rate compared with trusted data: its saved profile, and the change since."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dqlabels.errors import OptionError
from dqlabels.frames.archive import is_archive, read_header
from dqlabels.noise.increase import MIN_ROWS, Increase
from dqlabels.noise.rate import ASSUMPTIONS, NoiseRate, check_confidence, noise_rate
from dqlabels.noise.shares import difference_interval
from dqlabels.statistics.arrays import FloatArray, IntArray

# Format number of a profile; later versions read older ones.
PROFILE_FORMAT = 1
# If the trusted error is near chance, a change in it says almost nothing.
MIN_SCALE = 0.2
# A smaller rate of a batch's own rows counts as this where its noise matrix is scaled.
MIN_RATE = 1e-4
# Models of tables whose sizes differ by more than this factor are not compared: one of them knows more.
MAX_TIMES_AS_MANY = 1.25
# How the model of given probabilities is named, whose size is the caller's affair.
GIVEN = "your probabilities"
# How the name of the default judge ends; which learners it lists depends on the table.
DEFAULT_JUDGE = "out of sample, in two rounds"
# Characters of a value that a message shows.
MAX_SHOWN = 60


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
        return _checked(dict(reference.profile()))
    if isinstance(reference, (str, Path)) and is_archive(reference):
        reference = read_header(reference).get("profile")
    elif isinstance(reference, (str, Path)):
        try:
            reference = json.loads(Path(reference).read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            raise OptionError(f"{reference} does not hold a profile as JSON ({error}).") from error
    return checked_profile(reference)


def checked_profile(reference: object) -> Mapping[str, Any]:
    """Return a profile that is one; unlike :func:`read_profile` it opens no file, whatever it is passed.

    Raises:
        OptionError: ``reference`` is not a profile, or one that this version cannot read.
    """
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
    return _checked(reference)


def _checked(profile: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the profile where every number in it can be compared with; a gate would pass on one that cannot.

    Raises:
        OptionError: Naming the field, its value and what it may be.
    """
    rows, classes, class_rows = (profile.get(name) for name in ("rows", "classes", "class_rows"))
    if not _is_count(rows) or rows == 0:
        raise _unusable("rows", rows, "a whole number of at least 1")
    if not isinstance(classes, (list, tuple)) or len(classes) < 2 or len({*map(str, classes)}) < len(classes):
        raise _unusable("classes", classes, "a list of two or more different classes")
    if not isinstance(class_rows, (list, tuple)) or len(class_rows) != len(classes):
        raise _unusable("class_rows", class_rows, f"a list of {len(classes)} numbers, one for each class")
    if not all(map(_is_count, class_rows)) or sum(class_rows) != rows:
        raise _unusable("class_rows", class_rows, f"whole numbers of at least 0 that add up to rows={rows}")
    if not _is_share(profile.get("model_error")):
        raise _unusable("model_error", profile.get("model_error"), "a share in [0, 1]")
    _check_rate(profile.get("noise_rate"))
    return profile


def _check_rate(rate: object) -> None:
    if rate is None:  # a profile of few keys, as a hand may write it
        return
    if not isinstance(rate, Mapping):
        raise _unusable("noise_rate", rate, "a noise rate with its interval")
    ends = [rate.get(name) for name in ("low", "estimate", "high")]
    if not all(map(_is_share, ends)) or ends != sorted(ends):  # type: ignore[type-var]
        raise _unusable("noise_rate", ends, "low, estimate and high as shares in [0, 1], in this order")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _is_share(value: object) -> bool:
    # Not a number is in no range, so it is refused too.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1


def _unusable(name: str, value: object, what: str) -> OptionError:
    shown = repr(value) if len(repr(value)) <= MAX_SHOWN else f"{repr(value)[:MAX_SHOWN]}…"
    return OptionError(
        f"reference= holds {name}={shown}, which is not {what}, so nothing can be compared with it. Write the profile "
        "of trusted data again: audit.profile(), or dqlabels profile."
    )


def reference_noise(
    error: float, rows: int, profile: Mapping[str, Any], base: NoiseRate, *, confidence: float = 0.90
) -> NoiseRate:
    """Estimate how much the noise rate rose since a trusted profile, from the change in the out-of-sample error.

    If a share r of the labels becomes wrong and spreads evenly over the other classes, the error rises from e to
    e + r (1 - e K / (K - 1)). ``estimate``, ``low`` and ``high`` are r, in [-1, 1]; the interval is that of the
    difference of two shares, over that scale.

    Args:
        error: Share of this table's labels that are not the model's likeliest class.
        rows: Audited rows of this table.
        profile: The trusted data's, as :func:`read_profile` returns it.
        base: Noise rate from which the noise matrix is taken.
        confidence: Confidence of the interval, in (0, 1).

    Raises:
        OptionError: ``confidence`` is outside (0, 1).

    >>> import dqlabels, polars as pl
    >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
    >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
    >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
    >>> change = reference_noise(0.25, 4, audit.profile(), audit.noise_rate)
    >>> change.estimate, change.method  # the same share of labels disagrees with the model
    (0.0, 'reference')
    """
    check_confidence(confidence)
    trusted, trusted_rows, k = float(profile["model_error"]), int(profile["rows"]), len(profile["classes"])
    scale = change_scale(profile)
    ends = difference_interval(error, rows, trusted, trusted_rows, confidence)
    low, estimate, high = (min(max(change / scale, -1.0), 1.0) for change in (ends[0], error - trusted, ends[1]))
    n_classes, caution = base.matrix.shape[0], ""
    if 1 - trusted * k / (k - 1) < MIN_SCALE:
        caution = (
            f"This table cannot support an estimate: the model disagrees with {trusted:.0%} of the trusted labels, "
            "so a change in that says almost nothing. Review a sample of rows."
        )
    # The error of the whole table does not tell what changed in a class, so its interval is [0, 1].
    return replace(
        base, estimate=estimate, low=low, high=high, confidence=confidence, method="reference",
        assumption=ASSUMPTIONS["reference"], rows=rows, class_low=np.zeros(n_classes), class_high=np.ones(n_classes),
        supported=not caution, caution=caution,
    )  # fmt: skip


def increase_rate(increase: Increase, base: NoiseRate, *, is_telling: bool, confidence: float = 0.90) -> NoiseRate:
    """Return an increase over the rows that an auditor was fitted on as a noise rate of method ``"reference"``.

    Args:
        increase: As the auditor measured it.
        base: Noise rate from which the noise matrix is taken.
        is_telling: Whether the auditor's model tells wrong labels from right ones at all.
        confidence: Confidence of the interval, in (0, 1).

    Raises:
        OptionError: ``confidence`` is outside (0, 1).
    """
    check_confidence(confidence)
    low, high = increase.interval(confidence)
    n_classes, caution = base.matrix.shape[0], ""
    if not is_telling:
        caution = (
            "The auditor's model hardly tells the trusted labels from others drawn at random, so it cannot measure an "
            "increase. Fit it on columns that say more about the label, or review a sample of rows."
        )
    elif increase.rows < MIN_ROWS:
        caution = (
            f"{increase.rows:,} judged row{'' if increase.rows == 1 else 's'} cannot tell an increase: at least "
            f"{MIN_ROWS} are needed. Audit several batches as one, or use dqlabels.LabelMonitor, which adds them up."
        )
    return replace(
        base, estimate=increase.estimate, low=low, high=high, confidence=confidence, method="reference",
        assumption=ASSUMPTIONS["reference"], rows=increase.rows, class_low=np.zeros(n_classes),
        class_high=np.ones(n_classes), supported=not caution, caution=caution,
    )  # fmt: skip


def rate_since(own: NoiseRate, class_rows: IntArray, trusted: Mapping[str, Any], increase: Increase) -> NoiseRate:
    """Return the noise rate of a batch by method ``"trusted"``: that of the trusted rows, and the increase since.

    What a model says of a few rows alone is mostly what the method expects of any table. The increase is measured
    against many rows that the same model judged.

    Args:
        own: The batch's by its own rows, from which the noise matrix is taken.
        class_rows: (K,) rows of the batch that carry each label.
        trusted: The noise rate of the trusted rows, as plain values.
        increase: The batch's.
    """
    low, high = increase.interval(own.confidence)
    before = float(trusted["estimate"])
    estimate = min(max(before + increase.estimate, 0.0), 1.0)
    below = np.hypot(before - float(trusted["low"]), increase.estimate - low)
    above = np.hypot(float(trusted["high"]) - before, high - increase.estimate)
    interval = (estimate, max(estimate - float(below), 0.0), min(estimate + float(above), 1.0))
    times = estimate / max(own.estimate, MIN_RATE)
    matrix, inverse = _times_as_wrong(own.matrix, times), _times_as_wrong(own.inverse, times)
    rate = noise_rate(interval, own.confidence, "trusted", class_rows, matrix, inverse)
    supported = bool(trusted.get("supported", True))
    return replace(rate, supported=supported, caution=str(trusted.get("caution", "")) if not supported else "")


def _times_as_wrong(shares: FloatArray, times: float) -> FloatArray:
    """A matrix (K, K) of shares by row with so many times as much off its diagonal, as far as a row allows."""
    off = shares * times
    np.fill_diagonal(off, 0.0)
    total = off.sum(axis=1, keepdims=True)
    off *= np.minimum(1.0, 1.0 / np.maximum(total, 1e-12))
    np.fill_diagonal(off, 1 - off.sum(axis=1))
    return off


def comparison_caution(profile: Mapping[str, Any], model: str, rows: int) -> str:
    """Say why the model's errors on two tables cannot be compared, or nothing where they can.

    A model that learned from fewer rows is wrong more often, on labels as right as before.

    Args:
        profile: Of the trusted data.
        model: What judged this table, in words.
        rows: Its audited rows.

    >>> given = "your probabilities (2 classes)"
    >>> comparison_caution({"rows": 1000, "model": given}, given, 9)
    ''
    """
    before = profile.get("model")
    if not isinstance(before, str):  # a profile of few keys, as a hand may write it
        return ""
    out = "Fit a dqlabels.LabelAuditor on the trusted data, and let it judge both."
    if _family(before) != _family(model):
        return f"The reference was judged by another model ({before}; here {model}), so their errors differ. {out}"
    if model.startswith(GIVEN) or max(rows, profile["rows"]) <= MAX_TIMES_AS_MANY * min(rows, profile["rows"]):
        return ""
    knows, errs = ("less", "more") if rows < profile["rows"] else ("more", "less")
    return (
        f"The reference was judged by a model of {profile['rows']:,} rows, this table by one of {rows:,}, which knows "
        f"{knows} and errs {errs} often on labels that are as right. {out}"
    )


def _family(model: str) -> str:
    """What a model is, in words, whatever its size and however its learners share the judging."""
    return DEFAULT_JUDGE if model.endswith(DEFAULT_JUDGE) else re.sub("[0-9,]+", "", model)


def change_scale(profile: Mapping[str, Any]) -> float:
    """Return by how much the share of labels that disagree with the model rises for each share that becomes wrong.

    >>> change_scale({"model_error": 0.25, "classes": ["ham", "spam"]})
    0.5
    """
    k = len(profile["classes"])
    return max(1 - float(profile["model_error"]) * k / (k - 1), MIN_SCALE)


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
