"""Expectations on several labels a row. Great Expectations stores them by class name, which is never to change."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from typing import Any, ClassVar

from great_expectations.compatibility import pydantic

from dqlabels.audits.gate import GateResult
from dqlabels.audits.tags.result import MultilabelAudit
from dqlabels.integrations.great_expectations.base import (
    Fields,
    GateExpectation,
    Parameter,
    RuleExpectation,
    checked_limits,
    checked_share,
    limits_of,
)
from dqlabels.integrations.great_expectations.metric import TagAuditMetric
from dqlabels.integrations.great_expectations.rendering import Sentence, limits_sentence, percent


class TagExpectation(RuleExpectation, GateExpectation, ABC):
    """Fields of the expectations on labels of which a row may have several, or none."""

    column: pydantic.StrictStr | None = pydantic.Field(
        default=None, min_length=1, description="The column that holds a list of labels a row."
    )
    column_list: list[pydantic.StrictStr] | None = pydantic.Field(
        default=None, description="Or the yes/no columns, one a label."
    )

    metric_dependencies: ClassVar[tuple[str, ...]] = (TagAuditMetric.metric_name,)
    domain_keys: ClassVar[tuple[str, ...]] = ("batch_id", "column_list", "column", "row_condition", "condition_parser")
    open_tables: ClassVar[tuple[str, ...]] = ("tags", "rows")
    counted: ClassVar[str] = "hold a label that is wrong, or lack one"

    @pydantic.root_validator(skip_on_failure=True)
    def _one_form(cls, values: Fields) -> Fields:
        columns = values.get("column_list")
        if (columns is None) == (values.get("column") is None):
            raise ValueError("Name the column of lists in column, or the yes/no columns in column_list: one of both.")
        if columns is not None and len(set(columns)) < max(len(columns), 2):
            raise ValueError(f"column_list={columns!r} must name two or more different columns, one a label.")
        return values


class ExpectTagNoiseRateToBeAtMost(TagExpectation):
    """Expect the share of wrong answers to "has the row this label?" to be at most a limit.

    Args:
        column: The column that holds a list of labels a row.
        column_list: Or the yes/no columns, one a label.
        max_value: The most that may be wrong, a share of the answers over all rows and labels in [0, 1].

    Options:
        As in ``ExpectLabelNoiseRateToBeAtMost``, but for ``task``; ``method`` is always ``"default/1"``.
    """

    max_value: float | Parameter = pydantic.Field(
        description="The most answers that may be wrong, as a share over all rows and labels: 0.02 for 2%."
    )

    args_keys = ("column", "max_value")

    class Config:
        """Of the forms that Great Expectations builds."""

        title = "Expect tag noise rate to be at most"

    @pydantic.validator("max_value", pre=True)
    def _limit(cls, value: Any) -> Any:
        return checked_share("max_value", value)

    def _gate(self, audit: MultilabelAudit, options: Fields) -> GateResult:
        limit: Any = self.max_value
        return audit.gate(max_noise_rate=limit, **options)

    @classmethod
    def _sentence(cls, kwargs: Mapping[str, Any]) -> Sentence:
        limit = {"limit": percent(kwargs.get("max_value"))}
        return Sentence("at most $limit of the labels, over all rows, may be wrong or missing", limit)


class ExpectEachTagNoiseRateToBeAtMost(TagExpectation):
    """Expect the share of rows where a label is wrong or missing to be at most a limit, label by label.

    Args:
        column: The column that holds a list of labels a row.
        column_list: Or the yes/no columns, one a label.
        max_value: The most that may be wrong of any label's answers, a share of the rows in [0, 1]; or limits by
            label, as ``{"billing": 0.02}``, where labels that are not named have none.

    Options:
        As in ``ExpectTagNoiseRateToBeAtMost``.
    """

    max_value: float | Parameter = pydantic.Field(
        description="The most rows where a label may be wrong or missing, as a share; or a share by label."
    )

    args_keys = ("column", "max_value")

    class Config:
        """Of the forms that Great Expectations builds."""

        title = "Expect each tag noise rate to be at most"

    @pydantic.validator("max_value", pre=True)
    def _limits(cls, value: Any) -> Any:
        return checked_limits("max_value", value, "label")

    def _gate(self, audit: MultilabelAudit, options: Fields) -> GateResult:
        return audit.gate(max_class_noise_rate=limits_of(self.max_value, audit.evidence.tags.values), **options)

    @classmethod
    def _sentence(cls, kwargs: Mapping[str, Any]) -> Sentence:
        return limits_sentence(
            kwargs.get("max_value"), "any label may be wrong or missing in at most $limit of the rows",
            "at most $limits may be wrong or missing", "of the answers to",
        )  # fmt: skip
