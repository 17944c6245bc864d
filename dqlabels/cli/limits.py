"""The gate of an audit, from limits as they are written on a command line."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from dqlabels.audits.gate import LIMIT_NAMES
from dqlabels.cli.options import flag_of
from dqlabels.errors import LabelWarning, OptionError

if TYPE_CHECKING:
    from dqlabels.audits.base import Audit
    from dqlabels.audits.gate import GateResult


def gate_of(audit: Audit, limits: Mapping[str, object]) -> GateResult:
    """Hold an audit against limits, those of classes, tags or people found by how these are written.

    Args:
        audit: An audit.
        limits: Limits by the name of their option.

    Raises:
        OptionError: A limit that this kind of label does not have, or an unknown class, tag or annotator.
    """
    strange = [name for name in limits if name not in audit.limits]
    if strange:
        known = [name for name in audit.limits if name in LIMIT_NAMES]
        raise OptionError(
            f"{_listed(strange)}: a gate on {audit.audited_as} has no such option; its limits are {_listed(known)}. "
            f"Column {audit.label!r} was audited as {audit.audited_as}; say --task where it should be another."
        )
    values = {str(value): value for value in audit.parts}
    segments = {}
    if isinstance(limits.get("max_segment_noise_rate"), dict) and "by" in limits:
        segments = {str(value): value for value in audit.segments(str(limits["by"])).values}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LabelWarning)  # the verdict says it
        return audit.gate(
            **{
                name: _with_values(limit, segments if name == "max_segment_noise_rate" else values)
                for name, limit in limits.items()
            }
        )


def _with_values(limit: object, values: Mapping[str, object]) -> object:
    """Return a limit by name as a limit by value; any other as it is."""
    if not isinstance(limit, dict):
        return limit
    return {
        tuple(values.get(one, one) for one in name) if isinstance(name, tuple) else values.get(name, name): share
        for name, share in limit.items()
    }


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(flag_of, names))
