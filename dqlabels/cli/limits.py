"""Limits as they are written on a command line, read for the gate of whatever kind of label was audited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dqlabels.cli.options import split
from dqlabels.errors import OptionError

KINDS = {
    "ValueAudit": "numbers",
    "AnnotatorAudit": "several annotators",
    "MultilabelAudit": "several labels a row",
}


def gate_options(result: Any, given: Mapping[str, Any], written: Mapping[str, Sequence[str] | None]) -> dict[str, Any]:
    """What was given of the options of the result's gate.

    Args:
        result: An audit.
        given: Options by name, None where not given.
        written: Limits by class, pair, tag or annotator, as they were written.

    Raises:
        OptionError: An option that this kind of label does not have, or one that is not written as it should be.
    """
    kind = KINDS.get(type(result).__name__, "classes")
    known = list(result.limits)
    asked = [name for name, value in {**given, **written}.items() if value is not None]
    strange = [name for name in asked if name not in known]
    if strange:
        limits = [name for name in known if name.startswith(("max_", "min_"))]
        raise OptionError(
            f"{_listed(strange)}: a gate on {kind} has no such option; its limits are {_listed(limits)}. Column "
            f"{result.label!r} was audited as {kind}; say --task where it should be another."
        )
    options = {name: given[name] for name in asked if name in given}
    for name in asked:
        if name in written:
            reader = pair_limits if name == "max_pair_share" else named_limits
            options[name] = reader(_names(result), f"--{name.replace('_', '-')}", written[name])
    return options


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"--{name.replace('_', '-')}" for name in names)


def _names(result: Any) -> Sequence[Any]:
    """Classes, tags or annotators, whatever may have a limit of its own."""
    names: Sequence[Any]
    if hasattr(result, "findings"):
        names = result.findings.reading.annotators
    elif hasattr(result.evidence, "tags"):
        names = result.evidence.tags.values
    else:
        names = result.evidence.classes
    return names


def named_limits(known: Sequence[Any], option: str, given: Sequence[str] | None) -> Any:
    """One limit (``0.1``), or limits by name (``bad=0.1``), found by how the names are written.

    Raises:
        OptionError: Not written like that.

    >>> named_limits([1, 2], "--max-class-noise-rate", ["2=0.1"])
    {2: 0.1}
    """
    found = _limits(option, given, "NAME=0.1")
    if not isinstance(found, dict):
        return found
    return dict(zip(_as_known(known, list(found)), found.values(), strict=True))


def pair_limits(known: Sequence[Any], option: str, given: Sequence[str] | None) -> Any:
    """One limit (``0.1``), or limits by given and suggested class (``good,bad=0.1``).

    Raises:
        OptionError: Not written like that.
    """
    found = _limits(option, given, "GIVEN,SUGGESTED=0.1")
    if not isinstance(found, dict):
        return found
    pairs = {}
    for name, limit in found.items():
        pair = _as_known(known, split(name) or [])
        if len(pair) != 2:
            raise OptionError(f"{option} {name}={limit}: a pair is GIVEN,SUGGESTED, as in {option} good,bad=0.1.")
        pairs[tuple(pair)] = limit
    return pairs


def _as_known(known: Sequence[Any], names: Sequence[str]) -> list[Any]:
    written = {str(value): value for value in known}
    return [written.get(name, name) for name in names]


def _limits(option: str, given: Sequence[str] | None, form: str) -> Any:
    if not given:
        return None
    written = dict(text.rpartition("=")[::2] for text in given)
    try:
        limits = {name: float(limit) for name, limit in written.items()}
    except ValueError as error:
        raise OptionError(f"{option} {' '.join(given)}: a limit is a number, as in 0.1 or {form}.") from error
    if "" not in limits:
        return limits
    if len(limits) > 1 or len(given) > 1:
        raise OptionError(f"{option} {' '.join(given)}: give one limit for all, or one for each as {form}.")
    return limits[""]
