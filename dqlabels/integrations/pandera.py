"""Label quality as pandera checks: for a ``DataFrameSchema`` on pandas or Polars, or a ``DataFrameModel``'s ``Config``.

Importing this module registers the checks with pandera, and makes a Polars schema that holds one of them refuse a
LazyFrame whose data pandera would not have looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dqlabels.errors import MissingExtraError
from dqlabels.gate import Decide, OnInconclusive

try:
    from pandera.api.checks import Check
except ModuleNotFoundError as error:
    raise MissingExtraError(
        f'pandera is not installed ({error}): pip install "dqlabels[pandera]", with pandas or Polars.'
    ) from error

from dqlabels.integrations.pandera_check import GateCheck, QualityCheck, as_listed, check_share
from dqlabels.integrations.pandera_run import guard_lazy_frames, validate

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from dqlabels.integrations.pandera_check import CheckOptions

__all__ = [
    "class_label_noise_at_most",
    "label_noise_at_most",
    "label_noise_increase_at_most",
    "label_pair_share_at_most",
    "label_quality_at_least",
    "validate",
]


def label_noise_at_most(
    label: str,
    max_value: float,
    *,
    method: str | None = None,
    decide: Decide = "estimate",
    on_inconclusive: OnInconclusive = "warn",
    **options: Unpack[CheckOptions],
) -> Check:
    """A check that the noise rate of a label column is at most ``max_value``.

    Args:
        label: The column that holds the labels.
        max_value: Share of rows, in [0, 1].
        method: Of the noise rate; default that of ``LabelAudit.noise_rate``.
        decide: Hold the ``"estimate"`` against the limit, or, with ``"confident"``, its interval.
        on_inconclusive: ``"warn"``, ``"fail"`` or ``"pass"`` where the interval holds the limit.
        options: Of :func:`dqlabels.audit`, by name, and pandera's own ``name``, ``error`` (in place of the gate's
            message), ``title``, ``description``, ``raise_warning`` and ``n_failure_cases``. Checks with the same
            options of the audit share one audit of a frame.

    Returns:
        A check of the whole frame. Its failure cases are the flagged rows with given label, suggestion and quality.

    Raises:
        OptionError: A limit outside [0, 1], an unknown choice or an unknown option.

    >>> import pandas as pd, pandera.pandas as pa
    >>> schema = pa.DataFrameSchema(checks=[label_noise_at_most("y", 0.05)])
    >>> labels = ["low"] * 50 + ["high"] * 50
    >>> schema.validate(pd.DataFrame({"x": range(100), "y": labels}).astype({"x": float})).shape
    (100, 2)
    """
    limits = {"max_noise_rate": check_share("max_value", max_value)}
    gate = {"method": method, "decide": decide, "on_inconclusive": on_inconclusive}
    return GateCheck(label_noise_at_most, label, max_value, limits, gate, options)


def class_label_noise_at_most(
    label: str,
    max_value: float | Mapping[Any, float] | list[tuple[Any, float]],
    *,
    method: str | None = None,
    decide: Decide = "estimate",
    on_inconclusive: OnInconclusive = "warn",
    **options: Unpack[CheckOptions],
) -> Check:
    """A check that the noise rate of each class is at most ``max_value``: one limit for all, or a limit by class.

    Limits by class are a mapping or a list of ``(class, limit)``; the list is how YAML and JSON hold them. The failure
    cases are the flagged rows of the classes beyond their limit. All else is as in :func:`label_noise_at_most`.

    Raises:
        OptionError: As there.
    """
    listed = as_listed(max_value, 2)
    limits = {"max_class_noise_rate": dict(listed) if isinstance(listed, list) else listed}
    gate = {"method": method, "decide": decide, "on_inconclusive": on_inconclusive}
    return GateCheck(class_label_noise_at_most, label, listed, limits, gate, options)


def label_pair_share_at_most(
    label: str,
    max_value: float | Mapping[tuple[Any, Any], float] | list[tuple[Any, Any, float]],
    *,
    decide: Decide = "estimate",
    on_inconclusive: OnInconclusive = "warn",
    **options: Unpack[CheckOptions],
) -> Check:
    """A check that at most ``max_value`` of the rows of a class are flagged as one other class.

    Limits by pair are a mapping from ``(given, suggested)`` or a list of ``(given, suggested, limit)``; the list is
    how YAML and JSON hold them. The failure cases are the flagged rows of the pairs beyond their limit. All else is as
    in :func:`label_noise_at_most`.

    Raises:
        OptionError: As there.
    """
    listed = as_listed(max_value, 3)
    pairs = {(given, suggested): limit for given, suggested, limit in listed} if isinstance(listed, list) else listed
    gate = {"decide": decide, "on_inconclusive": on_inconclusive}
    return GateCheck(label_pair_share_at_most, label, listed, {"max_pair_share": pairs}, gate, options)


def label_noise_increase_at_most(
    label: str,
    max_value: float,
    *,
    reference: Any,
    decide: Decide = "estimate",
    on_inconclusive: OnInconclusive = "warn",
    **options: Unpack[CheckOptions],
) -> Check:
    """A check that the noise rate has risen by at most ``max_value`` since ``reference``.

    Args:
        label: The column that holds the labels.
        max_value: Of the increase, in [0, 1].
        reference: An audit of trusted data, its ``profile()``, or the path of the JSON file that holds one; the file is
            read when the check runs.
        decide: As in :func:`label_noise_at_most`.
        on_inconclusive: As there.
        options: As there.

    Raises:
        OptionError: As there.
    """
    if hasattr(reference, "profile"):
        reference = reference.profile()
    elif isinstance(reference, Path):
        reference = str(reference)
    limits = {"max_increase": check_share("max_value", max_value)}
    gate = {"reference": reference, "decide": decide, "on_inconclusive": on_inconclusive}
    return GateCheck(label_noise_increase_at_most, label, max_value, limits, gate, options)


def label_quality_at_least(
    label: str,
    min_value: float,
    *,
    mostly: float = 1.0,
    **options: Unpack[CheckOptions],
) -> Check:
    """A check that the labels of at least the share ``mostly`` of the rows have a quality of at least ``min_value``.

    Args:
        label: The column that holds the labels; rows without one are not counted.
        min_value: Of the label quality, in [0, 1].
        mostly: Share of the audited rows, in [0, 1].
        options: As in :func:`label_noise_at_most`.

    Returns:
        A check of the whole frame. Its failure cases are the rows of lower quality, flagged or not.

    Raises:
        OptionError: As there.
    """
    limits = {"min_value": check_share("min_value", min_value)}
    gate = {"mostly": check_share("mostly", mostly)}
    return QualityCheck(label_quality_at_least, label, min_value, limits, gate, options)


# Not by register_check_method: the checks it makes answer with a Boolean, and have no room for the gate's message.
Check.REGISTERED_CUSTOM_CHECKS.update(
    {
        made.__name__: made
        for made in (
            label_noise_at_most,
            class_label_noise_at_most,
            label_pair_share_at_most,
            label_noise_increase_at_most,
            label_quality_at_least,
        )
    }
)
guard_lazy_frames()
