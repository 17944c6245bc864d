"""The fields of expectations, made from the options of audits and gates: types, defaults, descriptions and checks."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from functools import reduce
from operator import or_
from typing import Any, TypeGuard

from great_expectations.compatibility import pydantic
from great_expectations.core.suite_parameters import is_suite_parameter
from great_expectations.expectations.expectation import MetaExpectation

from dqlabels.audits.gate import DECIDING, Limits
from dqlabels.audits.options import OPTION_NAMES, Options, checked_field
from dqlabels.errors import OptionError
from dqlabels.frames.values import python_value
from dqlabels.integrations.sharing import CLASS_CHECK_OPTIONS, SUBJECTS, ClassCheckOptions, checked_share

# A value that is given when the suite is run: ``{"$PARAMETER": "max_noise"}``.
Parameter = dict[str, Any]
# A suite is JSON and holds no model or function, nor does it say what changes no answer.
NOT_STORED = frozenset({"embed", "model", "names", "n_jobs", "progress"})
# How JSON holds what an option may be, by its annotation; arrays it does not hold, and choices are texts.
JSON_TYPES: dict[str, object] = {
    "Any": int | str,
    "Iterable[str]": list[str],
    "Sequence[Any]": list[Any],
    "Sequence[str]": list[str],
    "bool": bool,
    "float": float,
    "int": int,
}
NOT_IN_JSON = ("NDArray[Any]", "None")
CHECKED_BY: dict[str, type[object]] = {
    **dict.fromkeys(OPTION_NAMES, Options),
    **dict.fromkeys(CLASS_CHECK_OPTIONS, ClassCheckOptions),
    **dict.fromkeys(DECIDING, Limits),
}


def stored_options(about: str) -> tuple[str, ...]:
    """The options of an audit that an expectation has fields for."""
    return tuple(name for name in SUBJECTS[about].options if name not in NOT_STORED)


class OptionFields(MetaExpectation):
    """Give an expectation a field for each option of what it is ``about``, and of the gate's ``settings``."""

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> OptionFields:
        """Add the fields before Great Expectations collects them."""
        options = stored_options(namespace["about"]) if "about" in namespace else ()
        for option in (*options, *namespace.get("settings", ())):
            (one,) = (each for each in dataclasses.fields(CHECKED_BY[option]) if each.name == option)  # type: ignore[arg-type]
            namespace.setdefault("__annotations__", {})[option] = _json_type(str(one.type))
            default = None if one.default == () else one.default
            namespace[option] = pydantic.Field(default=default, description=one.metadata["meaning"])
        made: OptionFields = super().__new__(mcs, name, bases, namespace)  # type: ignore[no-untyped-call]
        return made


def _json_type(annotation: str) -> object:
    parts = [JSON_TYPES.get(part, str) for part in annotation.split(" | ") if part not in NOT_IN_JSON]
    return reduce(or_, [*parts, Parameter, None])


def is_parameter(value: object) -> TypeGuard[Mapping[str, str]]:
    """Whether a value is given when the suite is run."""
    return bool(is_suite_parameter(value))


def checked_option(name: str, value: object) -> object:
    """Return an option as a suite holds it; columns in one order, so that expectations on the same share an audit.

    Raises:
        OptionError: A value that means nothing there.
    """
    if is_parameter(value) or (value is None and name == "exclude"):
        return value
    checked: object = checked_field(CHECKED_BY[name], name, value)
    if name == "classes" and isinstance(checked, tuple):
        _refuse_unwritable(checked)
    return sorted(set(checked)) if name in ("features", "exclude") and isinstance(checked, tuple) else checked


def _refuse_unwritable(classes: Iterable[object]) -> None:
    """Refuse classes that a suite, which is JSON, would hold as something else.

    Raises:
        OptionError: Naming the first, and the way out.
    """
    for value in classes:
        if not isinstance(python_value(value), (bool, int, float, str)):
            raise OptionError(
                f"classes= names {value!r} ({type(value).__name__}), which a suite cannot store. Name the probability "
                f"columns after the classes, as in {str(value)!r}, and leave classes= out."
            )


def checked_limit(name: str, value: object, part: str = "") -> object:
    """Return one limit for all, or limits by name as JSON will have them, or a parameter that will be one.

    Args:
        name: Name of the field.
        value: What was given.
        part: What may have a limit of its own, as in ``"class"``; empty where there is one limit.

    Raises:
        OptionError: Not a limit.
        ValueError: Limits by name that name nothing.
    """
    if is_parameter(value):
        return value
    if not part or not isinstance(value, dict):
        return checked_share(name, value)
    if not value:
        raise ValueError(f"{name}={{}} names no {part}; pass one limit for all, or a limit by {part}.")
    return {str(key): checked_share(f"{name}[{key!r}]", limit) for key, limit in value.items()}


def limits_by_part(limits: object, parts: Iterable[object]) -> object:
    """Limits under the names that an audit knows, found by how they are written."""
    if not isinstance(limits, dict):
        return limits
    written = {str(part): part for part in parts}
    return {written.get(name, name): limit for name, limit in limits.items()}
