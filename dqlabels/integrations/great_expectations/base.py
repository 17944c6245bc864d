"""What the expectations share: the fields of an audit and a gate, and how an answer becomes a result."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from great_expectations.compatibility import pydantic
from great_expectations.execution_engine import ExecutionEngine
from great_expectations.expectations.expectation import BatchExpectation
from great_expectations.expectations.model_field_types import ConditionParser
from great_expectations.expectations.row_conditions import RowConditionType

from dqlabels.audits.gate import DECIDING
from dqlabels.audits.options import OPTION_NAMES, SETTLED, refuse_unknown
from dqlabels.errors import OptionError
from dqlabels.integrations.great_expectations.fields import (
    OptionFields,
    Parameter,
    checked_limit,
    checked_option,
    limits_by_part,
)
from dqlabels.integrations.great_expectations.metric import AuditOutcome, metric_name
from dqlabels.integrations.great_expectations.rendering import AuditRenderers
from dqlabels.integrations.great_expectations.results import Fields, audit_facts, format_result

if TYPE_CHECKING:
    from dqlabels.audits.base import Audit, AuditedRows, Mask
    from dqlabels.audits.gate import GateCheck, GateResult

# The version of default model, rules and estimators together. A change to any that moves an estimate takes the next
# number, so that a stored suite either means what it meant or is refused by name. In version 1 the quality was a
# margin, and bagged trees alone judged small tables.
METHOD_VERSION = 2
MAX_CHECKS = 20


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What an expectation makes of an audit.

    ``observed`` is a number, or None where rows are judged one by one; ``facts`` are plain values for the details,
    among them ``observed`` in words; ``rows`` (m,) bool are the audited rows to list (None: those suspected), described
    by ``counted``.
    """

    success: bool
    observed: float | None
    facts: Fields
    rows: Mask | None = None
    counted: str | None = None


class AuditExpectation(AuditRenderers, ABC, metaclass=OptionFields):
    """Fields and validation of every expectation that audits, whatever the kind of label.

    A subclass is ``about`` a key of ``SUBJECTS``, which gives it the fields of that audit's options.
    """

    method: str | Parameter = pydantic.Field(
        default=f"default/{METHOD_VERSION}", description="The estimator of the noise rate, and its version."
    )
    row_condition: RowConditionType = pydantic.Field(default=None, description="The rows to audit; by default all.")
    condition_parser: ConditionParser | None = None

    option_names: ClassVar[tuple[str, ...]] = ()
    stored_keys: ClassVar[tuple[str, ...]] = ()
    estimators: ClassVar[tuple[str, ...]] = ("default",)
    domain_keys: ClassVar[tuple[str, ...]] = ("batch_id", "column_list", "column", "row_condition", "condition_parser")
    library_metadata: ClassVar[Fields] = {
        "maturity": "beta",
        "tags": ["label quality", "label noise"],
        "contributors": ["The dqlabels developers"],
        "requirements": ["dqlabels"],
    }

    def __init_subclass__(cls) -> None:
        """Name the metric and the fields: one that ``success_keys`` lacks reaches neither metric nor result."""
        super().__init_subclass__()
        own = [name for name in cls.__fields__ if name not in BatchExpectation.__fields__]
        cls.option_names = tuple(own)
        cls.success_keys = tuple(name for name in own if name not in cls.domain_keys)
        # Great Expectations stores what differs from the default and nothing else. Options whose default is a value
        # are stored always, so that a suite keeps its meaning when the default changes.
        cls.stored_keys = tuple(name for name in own if cls.__fields__[name].default is not None)
        words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in cls.__name__)
        cls.__config__.title = words.strip().capitalize()
        if about := getattr(cls, "about", ""):
            cls.metric_dependencies = (metric_name(about),)

    @classmethod
    def is_abstract(cls) -> bool:
        """Whether this is a base class, which Great Expectations is not to register."""
        return not cls.__name__.startswith("Expect")

    @pydantic.root_validator(pre=True)
    def _known(cls, values: Fields) -> Fields:
        unknown = [name for name in values if name not in cls.__fields__]
        refuse_unknown(unknown, cls.option_names, cls.__name__)  # type: ignore[attr-defined]
        return values

    @pydantic.validator(*OPTION_NAMES, "auditor", *DECIDING, pre=True, check_fields=False)
    def _option(cls, value: object, field: pydantic.fields.ModelField) -> object:
        return checked_option(field.name, value)

    @pydantic.validator("max_value", "min_value", "mostly", pre=True, check_fields=False)
    def _limit(cls, value: object, field: pydantic.fields.ModelField) -> object:
        return checked_limit(field.name, value, cls.part)

    @pydantic.validator("method", pre=True)
    def _versioned(cls, value: object) -> object:
        """An estimator named without a version is stored with the present one."""
        if not isinstance(value, str):
            return value
        name, _, version = value.partition("/")
        if name not in cls.estimators:
            raise ValueError(f"method={value!r} is none of {', '.join(map(repr, cls.estimators))}.")
        return value if version else f"{name}/{METHOD_VERSION}"

    def dict(self, **options: Any) -> Fields:
        """The fields, those that fix the meaning of the expectation even where they are at their defaults."""
        fields: Fields = super().dict(**options)
        if options.get("exclude_defaults"):
            # What an auditor settled when it was fitted is not stored beside it.
            settled = SETTLED if getattr(self, "auditor", None) is not None else ()
            for key in self.stored_keys:
                if key not in settled:
                    fields.setdefault(key, getattr(self, key))
        return fields

    def estimator(self) -> str | None:
        """The estimator of the rate, None for the default of an audit.

        Raises:
            OptionError: The suite was written for a version that this dqlabels does not compute.
        """
        name, _, version = str(self.method).partition("/")
        if version != str(METHOD_VERSION):
            raise OptionError(
                f"method={self.method!r}: this dqlabels estimates by version {METHOD_VERSION}, and another version can "
                "give another rate. Install the dqlabels that the suite was written with, or set method="
                f"{name + '/' + str(METHOD_VERSION)!r} and look at the limits again."
            )
        return None if name == "default" else name

    @abstractmethod
    def _judge(self, audit: Audit, rows: AuditedRows, method: str | None) -> Answer:
        """The answer for an audit and its rows, by an estimator."""

    def _validate(
        self,
        metrics: Fields,
        runtime_configuration: Fields | None = None,
        execution_engine: ExecutionEngine[Any] | None = None,
    ) -> Fields:
        (metric,) = self.metric_dependencies
        outcome: AuditOutcome = metrics[metric]
        audit = outcome.audit
        rows = audit.audited_rows()
        answer = self._judge(audit, rows, self.estimator())
        details = answer.facts | {"counted": answer.counted or self.counted, "method": self.method}
        details |= audit_facts(audit)
        chosen = rows.suspect if answer.rows is None else answer.rows
        wanted = (runtime_configuration or {}).get("result_format") or "SUMMARY"
        result = format_result(audit, rows, chosen, answer.observed, details, wanted)
        return {"success": bool(answer.success), "result": result}


class GateExpectation(AuditExpectation, ABC):
    """An expectation that holds the audit against the gate's ``limit``, with the three answers of a gate."""

    settings: ClassVar[tuple[str, ...]] = DECIDING
    limit: ClassVar[str]

    def _gate(self, audit: Audit, options: Fields) -> GateResult:
        """The gate on an audit; ``options`` are what the fields of every gate say."""
        limit = limits_by_part(getattr(self, self.value_name()), audit.parts)
        return audit.gate(**{self.limit: limit}, **options)

    def _judge(self, audit: Audit, rows: AuditedRows, method: str | None) -> Answer:
        options: Fields = {name: getattr(self, name) for name in self.settings}
        gate = self._gate(audit, options | ({} if method is None else {"method": method}))
        check = _nearest(gate)
        facts = gate_facts(gate, check)
        return Answer(gate.passed, facts["estimate"], facts)


def _nearest(gate: GateResult) -> GateCheck:
    """The limit that its estimate exceeds most, or comes nearest to, among those that decided the verdict."""
    return max((check for check in gate.checks if check.verdict == gate.verdict), key=lambda check: check.excess)


def gate_facts(gate: GateResult, check: GateCheck) -> Fields:
    """A gate as plain values for the details of a result, with one of its checks before the others."""
    method = gate.noise_rate.method if gate.noise_rate is not None else None
    estimated = check.measure == "share"  # an agreement is counted, by no method and under no assumption
    numbers = check.to_dict()
    return {
        "headline": f"{gate.verdict.upper()}: {check}.",
        "message": gate.message,
        "verdict": gate.verdict,
        "decide": gate.decide,
        "what": check.what,
        "observed": check.observed.replace("(interval", f"({gate.confidence:.0%} interval"),
        **{name: numbers[name] for name in ("estimate", "low", "high", "limit", "reason", "rows_needed")},
        "confidence": gate.confidence,
        "estimator": method if estimated else None,
        "assumption": gate.assumption if estimated else None,
        "rows_to_review": check.rows_to_review,
        "checks": [each.to_dict() for each in gate.checks[:MAX_CHECKS]],
    }
