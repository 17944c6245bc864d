"""What each check is about, what it limits and which options it takes; its signature and help are made from these."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import TypeVar

from pandera.api.checks import Check

from dqlabels.audits.gate import DECIDING, Deciding, Limits
from dqlabels.audits.options import AuditOptions, Options, documented_fields, option
from dqlabels.errors import OptionError
from dqlabels.integrations.sharing import CLASS_CHECK_OPTIONS, SUBJECTS, ClassCheckOptions, Subject, checked_share

Maker = TypeVar("Maker", bound="Callable[..., Check]")
# One limit; or limits by class, pair of classes, annotator or tag, as YAML and JSON hold them: names, then the share.
Limit = float | list[list[object]]


@dataclass(frozen=True, kw_only=True, slots=True)
class PanderaOptions:
    """The options that every pandera check has."""

    name: str | None = option(None, "The check's name in reports; by default that of this function.")
    error: str | None = option(None, "The message where the check fails, in place of the gate's.")
    title: str | None = option(None, "A title, kept with the check.")
    description: str | None = option(None, "A description, kept with the check.")
    raise_warning: bool = option(False, "Whether a failing check warns instead of failing the schema.")
    n_failure_cases: int | None = option(None, "How many failing rows to report; by default all.")


PANDERA_OPTIONS: tuple[str, ...] = tuple(PanderaOptions.__dataclass_fields__)


class CheckOptions(AuditOptions, Deciding, total=False):
    """The options of the checks, for editors and type checkers; each check's own help says which it takes."""

    auditor: str | None
    method: str | None
    name: str | None
    error: str | None
    title: str | None
    description: str | None
    raise_warning: bool
    n_failure_cases: int | None


@dataclass(frozen=True, slots=True)
class CheckForm:
    """What a check is about, a key of ``SUBJECTS``, and which limit it holds the audit against; decorates its function.

    ``settings`` are the fields of :class:`Limits` that a caller may set beside the limit. ``names`` says by how many
    names a limit may be set: none where there is one limit, 1 for a class, annotator or tag, 2 for a pair of classes.
    """

    about: str
    limit: str
    settings: tuple[str, ...] = DECIDING
    names: int = 0

    @property
    def subject(self) -> Subject:
        """The kind of label."""
        return SUBJECTS[self.about]

    @property
    def value_name(self) -> str:
        """The parameter that holds the limit."""
        return "min_value" if self.limit.startswith("min_") else "max_value"

    @property
    def options(self) -> tuple[str, ...]:
        """Every option by keyword."""
        return (*self.settings, *self.subject.options, *PANDERA_OPTIONS)

    def defaults(self) -> dict[str, object]:
        """The settings where a caller says nothing."""
        return {one.name: one.default for one in fields(Limits) if one.name in self.settings}

    def checked_limit(self, value: object) -> Limit:
        """Return the limit, or limits one by one as YAML and JSON can hold them.

        Raises:
            OptionError: Neither, or a limit outside [0, 1].
        """
        if isinstance(value, Mapping) and self.names:
            value = [[*(keys if self.names > 1 else [keys]), limit] for keys, limit in value.items()]
        if not isinstance(value, (list, tuple)) or not self.names:
            return checked_share(self.value_name, value)
        listed = [list(entry) if isinstance(entry, (list, tuple)) else [entry] for entry in value]
        if not listed or any(len(entry) != self.names + 1 for entry in listed):
            form = "(given, suggested, limit)" if self.names > 1 else "(class, limit)"
            raise OptionError(f"{self.value_name}={value!r} is neither a limit nor a mapping or list of {form}.")
        return [[*names, checked_share(self.value_name, limit)] for *names, limit in listed]

    def gate_limit(self, value: Limit) -> object:
        """Return the limit, or limits one by one, as a gate takes them."""
        if not isinstance(value, list):
            return value
        return {tuple(names) if self.names > 1 else names[0]: limit for *names, limit in value}

    def __call__(self, function: Maker) -> Maker:
        """Register a function that makes such checks, and give it the signature and the help of its options.

        In the docstring ``{settings}``, ``{options}`` and ``{pandera}`` stand for those of the gate, the audit and
        pandera.
        """
        named = set(inspect.signature(function).parameters)
        made = documented_fields(Limits, set(self.settings) - named, "{settings}")(function)
        made = documented_fields(Options, self.subject.kind.options, "{options}")(made)
        if self.subject.of_classes:
            made = documented_fields(ClassCheckOptions, CLASS_CHECK_OPTIONS, "{task}")(made)
        made = documented_fields(PanderaOptions, PANDERA_OPTIONS, "{pandera}")(made)
        FORMS[made.__name__] = self
        # Not by register_check_method: the checks it makes answer with a Boolean, and have no room for the message.
        Check.REGISTERED_CUSTOM_CHECKS[made.__name__] = made
        return made


# By the name of the function that makes the check.
FORMS: dict[str, CheckForm] = {}
