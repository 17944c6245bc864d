"""What the expectations share: the fields, the audit they read, and how a verdict becomes a result."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, get_args

import numpy as np
from great_expectations.compatibility import pydantic
from great_expectations.core.suite_parameters import is_suite_parameter
from great_expectations.execution_engine import ExecutionEngine
from great_expectations.expectations.expectation import BatchExpectation
from great_expectations.expectations.model_field_types import ConditionParser
from great_expectations.expectations.row_conditions import RowConditionType
from numpy.typing import NDArray

from dqlabels.audits.base import AuditedRows
from dqlabels.audits.gate import DECIDE, ON_INCONCLUSIVE, GateCheck, GateResult
from dqlabels.errors import OptionError
from dqlabels.integrations.great_expectations.metric import AuditOutcome
from dqlabels.integrations.great_expectations.rendering import AuditRenderers
from dqlabels.integrations.great_expectations.results import audit_facts, format_result
from dqlabels.integrations.sharing import ClassTask
from dqlabels.statistics.classes import FILTERS, SCORES
from dqlabels.statistics.consensus import METHODS as CONSENSUS

# ``dict`` is a method of every expectation, so it is no name for a type inside one.
Fields = dict[str, Any]
# A value that is given when the suite is run: ``{"$PARAMETER": "max_noise"}``.
Parameter = dict[str, Any]

# Of the default model, the rules and the estimators together. A change to any that moves an estimate takes the
# next number, so that a stored suite either means what it meant or is refused by name.
METHOD_VERSION = 1
CHOICES: Fields = {
    "filter_by": FILTERS,
    "score": SCORES,
    "compat": (None, "cleanlab"),
    "decide": DECIDE,
    "on_inconclusive": ON_INCONCLUSIVE,
    "task": get_args(ClassTask),
    "consensus": (None, *CONSENSUS),
}
MOST_CHECKS = 20


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """What an expectation makes of an audit.

    ``observed`` a number, or None where rows are judged one by one; ``facts`` plain values for the details, among them
    ``observed`` in words; ``rows`` (m,) bool, the audited rows to list (None: those suspected), described by
    ``counted``.
    """

    success: bool
    observed: float | None
    facts: Fields
    rows: NDArray[np.bool_] | None = None
    counted: str | None = None


class AuditExpectation(AuditRenderers, ABC):
    """Fields and validation of every expectation that audits, whatever the kind of label."""

    features: list[str] | Parameter | None = pydantic.Field(
        default=None, description="Columns to judge by; all others where empty."
    )
    exclude: list[str] | Parameter | None = pydantic.Field(default=None, description="Columns not to judge by.")
    groups: str | Parameter | None = pydantic.Field(
        default=None, description="Column whose rows of one value are never on both sides of a split."
    )
    sample_weight: str | Parameter | None = pydantic.Field(default=None, description="Column of weights.")
    random_state: int | Parameter = pydantic.Field(default=0, description="Seeds every random choice.")
    method: str | Parameter = pydantic.Field(
        default=f"default/{METHOD_VERSION}", description="The estimator of the noise rate, and its version."
    )
    row_condition: RowConditionType = pydantic.Field(default=None, description="The rows to audit; all where empty.")
    condition_parser: ConditionParser | None = None

    # Great Expectations stores what differs from the default and nothing else. What a class names here is stored
    # always, so that a suite keeps its meaning when a default changes.
    fixed: ClassVar[tuple[str, ...]] = ("random_state", "method")
    stored_keys: ClassVar[tuple[str, ...]] = fixed
    estimators: ClassVar[tuple[str, ...]] = ("default",)
    domain_keys: ClassVar[tuple[str, ...]] = ("batch_id", "column", "row_condition", "condition_parser")
    library_metadata: ClassVar[Fields] = {
        "maturity": "beta",
        "tags": ["label quality", "label noise"],
        "contributors": ["The dqlabels developers"],
        "requirements": ["dqlabels"],
    }

    def __init_subclass__(cls, **options: Any) -> None:
        """Name the fields: one that ``success_keys`` lacks reaches neither the metric nor the result, in silence."""
        super().__init_subclass__(**options)
        own = [name for name in cls.__fields__ if name not in BatchExpectation.__fields__]
        cls.success_keys = tuple(name for name in own if name not in cls.domain_keys)
        cls.stored_keys = tuple(name for kind in reversed(cls.__mro__) for name in kind.__dict__.get("fixed", ()))

    @pydantic.validator("features", "exclude", pre=True)
    def _sorted_names(cls, value: Any) -> Any:
        """One order, so that expectations which name the same columns share an audit."""
        if isinstance(value, str):
            value = [value]
        return sorted(set(value)) if isinstance(value, (list, tuple, set)) else value

    @pydantic.validator(*CHOICES, pre=True, check_fields=False)
    def _chosen(cls, value: Any, field: Any) -> Any:
        if not is_suite_parameter(value) and value not in CHOICES[field.name]:
            others = " Other kinds of label have expectations of their own." if field.name == "task" else ""
            raise ValueError(f"{field.name}={value!r} is none of {', '.join(map(repr, CHOICES[field.name]))}.{others}")
        return value

    @pydantic.validator("method", pre=True)
    def _versioned(cls, value: Any) -> Any:
        """An estimator named without a version is stored with the present one."""
        if not isinstance(value, str):
            return value
        name, _, version = value.partition("/")
        if name not in cls.estimators:
            raise ValueError(f"method={value!r} is none of {', '.join(map(repr, cls.estimators))}.")
        return value if version else f"{name}/{METHOD_VERSION}"

    @pydantic.validator("random_state", pre=True)
    def _seed(cls, value: Any) -> Any:
        if not is_suite_parameter(value) and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
            raise ValueError(f"random_state={value!r} is not a whole number of at least 0.")
        return value

    def dict(self, **options: Any) -> Fields:
        """The fields, those that fix the meaning of the expectation even where they are at their defaults."""
        fields: Fields = super().dict(**options)
        if options.get("exclude_defaults"):
            for key in self.stored_keys:
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
    def _judge(self, audit: Any, rows: AuditedRows, method: str | None) -> Verdict:
        """The verdict on an audit and its rows, by an estimator."""

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
        verdict = self._judge(audit, rows, self.estimator())
        details = verdict.facts | {"counted": verdict.counted or self.counted, "method": self.method}
        details |= audit_facts(audit)
        chosen = rows.suspect if verdict.rows is None else verdict.rows
        wanted = (runtime_configuration or {}).get("result_format") or "SUMMARY"
        result = format_result(audit, rows, chosen, verdict.observed, details, wanted)
        return {"success": bool(verdict.success), "result": result}


class ModelExpectation(AuditExpectation, ABC):
    """Fields of those where probabilities of one's own may judge."""

    pred_probs: list[str] | Parameter | None = pydantic.Field(
        default=None, description="Columns of out-of-sample probabilities, one a class; then no model is trained."
    )
    classes: list[Any] | Parameter | None = pydantic.Field(
        default=None, description="The class of each column of pred_probs, in their order."
    )
    cv: int | str | Parameter | None = pydantic.Field(default=None, description='Number of folds, or "time".')
    compat: str | Parameter | None = pydantic.Field(default=None, description='"cleanlab" for its numbers.')


class RuleExpectation(ModelExpectation, ABC):
    """Fields of those that flag by a rule and score."""

    filter_by: str | Parameter = pydantic.Field(default=FILTERS[0], description="The rule that flags rows.")
    score: str | Parameter = pydantic.Field(default=SCORES[0], description="The label quality.")
    adjust: bool | Parameter = pydantic.Field(default=False, description="Score relative to each class's mean.")

    fixed: ClassVar[tuple[str, ...]] = ("filter_by", "score", "adjust")


class GateExpectation(AuditExpectation, ABC):
    """An expectation that holds a rate against a limit, with the three answers of a gate."""

    decide: str | Parameter = pydantic.Field(
        default="estimate", description='"estimate", or "confident": the whole interval must exceed the limit to fail.'
    )
    on_inconclusive: str | Parameter = pydantic.Field(
        default="warn", description='"warn" and pass, "fail" or "pass" where "confident" cannot decide.'
    )

    fixed: ClassVar[tuple[str, ...]] = ("decide", "on_inconclusive")

    @abstractmethod
    def _gate(self, audit: Any, options: Fields) -> GateResult:
        """The gate on an audit; ``options`` are what the fields of every gate say."""

    def _judge(self, audit: Any, rows: AuditedRows, method: str | None) -> Verdict:
        options: Fields = {"decide": self.decide, "on_inconclusive": self.on_inconclusive}
        gate = self._gate(audit, options | ({} if method is None else {"method": method}))
        check = _nearest(gate)
        return Verdict(gate.passed, check.estimate, gate_facts(gate, check))


def _nearest(gate: GateResult) -> GateCheck:
    """Of the limits that decided the verdict, the one that its estimate exceeds most, or comes nearest to."""
    return max((check for check in gate.checks if check.verdict == gate.verdict), key=lambda check: check.excess)


def checked_share(name: str, value: Any) -> Any:
    """The value, where it is a share of rows or a parameter that will be one.

    Raises:
        ValueError: It is neither.
    """
    if is_suite_parameter(value):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ValueError(f"{name}={value!r} is not a share between 0 and 1; for 5% pass 0.05.")
    return float(value)


def checked_limits(name: str, value: Any, of: str) -> Any:
    """One limit for all, or a limit by name as JSON will have it, so that a stored suite means what it meant before.

    Raises:
        ValueError: Neither; ``of`` is what has the names.
    """
    if not isinstance(value, dict) or is_suite_parameter(value):
        return checked_share(name, value)
    if not value:
        raise ValueError(f"{name}={{}} names no {of}; pass one limit for all, or a limit by {of}.")
    return {str(key): checked_share(f"{name}[{key!r}]", limit) for key, limit in value.items()}


def limits_of(limits: Any, known: Iterable[Any]) -> Any:
    """Limits by the names that an audit knows, found by how they are written."""
    if not isinstance(limits, dict):
        return limits
    written = {str(value): value for value in known}
    return {written.get(name, name): limit for name, limit in limits.items()}


def gate_facts(gate: GateResult, check: GateCheck) -> Fields:
    """A gate as plain values for the details of a result, with one of its checks before the others."""
    method = gate.noise_rate.method if gate.noise_rate is not None else None
    estimated = check.measure == "share"  # an agreement is counted, by no method and under no assumption
    interval = f"{gate.confidence:.0%} interval {check.written(check.low)} to {check.written(check.high)}"
    return {
        "headline": f"{gate.verdict.upper()}: {check}.",
        "message": gate.message,
        "verdict": gate.verdict,
        "decide": gate.decide,
        "what": check.what,
        "observed": f"{check.written(check.estimate)} ({interval})",
        "estimate": check.estimate,
        "low": check.low,
        "high": check.high,
        "limit": check.limit,
        "confidence": gate.confidence,
        "estimator": method if estimated else None,
        "assumption": gate.assumption if estimated else None,
        "rows_to_review": check.rows_to_review,
        "checks": [each.to_dict() for each in gate.checks[:MOST_CHECKS]],
    }
