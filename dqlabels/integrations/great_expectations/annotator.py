"""Expectations on the labels of several annotators. Great Expectations stores them by class name: never rename."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from typing import Any, ClassVar

from great_expectations.compatibility import pydantic

from dqlabels.audits.annotators.result import AnnotatorAudit
from dqlabels.audits.gate import GateResult
from dqlabels.integrations.great_expectations.base import (
    Fields,
    GateExpectation,
    ModelExpectation,
    Parameter,
    checked_limits,
    checked_share,
    limits_of,
)
from dqlabels.integrations.great_expectations.metric import AnnotatorAuditMetric
from dqlabels.integrations.great_expectations.rendering import Sentence, limits_sentence, number, percent


class AnnotatorExpectation(ModelExpectation, GateExpectation, ABC):
    """Fields of the expectations on what several annotators, systems or extracts said of the same rows."""

    column_list: list[pydantic.StrictStr] | None = pydantic.Field(
        default=None, description="The label columns, one an annotator."
    )
    column: pydantic.StrictStr | None = pydantic.Field(
        default=None, min_length=1, description="Of a table with a row a label: the column that holds the labels."
    )
    annotator: str | Parameter | None = pydantic.Field(
        default=None, description="Of such a table, the column that says who gave the label."
    )
    item: str | Parameter | None = pydantic.Field(
        default=None, description="Of such a table, the column that says what it was given to."
    )
    consensus: str | Parameter | None = pydantic.Field(
        default=None, description='"crowdlab", "ibcc", "dawid_skene" or "majority"; by the table where empty.'
    )

    metric_dependencies: ClassVar[tuple[str, ...]] = (AnnotatorAuditMetric.metric_name,)
    domain_keys: ClassVar[tuple[str, ...]] = ("batch_id", "column_list", "column", "row_condition", "condition_parser")
    open_tables: ClassVar[tuple[str, ...]] = ("annotators", "rows")
    counted: ClassVar[str] = "hold a label that is not the consensus"

    @pydantic.root_validator(skip_on_failure=True)
    def _one_form(cls, values: Fields) -> Fields:
        columns, column = values.get("column_list"), values.get("column")
        long = [name for name in ("annotator", "item") if values.get(name) is not None]
        if columns is None and column is None:
            raise ValueError("Name the label columns, one an annotator, in column_list; or column, annotator and item.")
        if columns is not None and (column is not None or long):
            raise ValueError(
                f"column_list names a column an annotator, and {(long or ['column'])[0]} one label a row. Give one or "
                "the other."
            )
        if columns is not None and len(set(columns)) < max(len(columns), 2):
            raise ValueError(f"column_list={columns!r} must name two or more different columns, one an annotator.")
        if columns is None and len(long) < 2:
            raise ValueError(
                f"column={column!r} holds a label a row: annotator and item must name who gave it to what."
            )
        return values


class ExpectAnnotatorAgreementToBeAtLeast(AnnotatorExpectation):
    """Expect several annotators, systems or extracts to agree: Krippendorff's alpha of at least a limit.

    Args:
        column_list: The label columns, one an annotator.
        min_value: The least alpha, in [0, 1]: 1 where all agree, 0 where they agree as often as chance would.

    Options:
        - column, annotator, item: In place of column_list, of a table with a row a label: the columns of the label, of
          who gave it, and of what it was given to.
        - consensus: ``"crowdlab"``, ``"ibcc"``, ``"dawid_skene"`` or ``"majority"``.
        - features, exclude, pred_probs, classes, groups, sample_weight, cv, compat and random_state: As in
          ``dqlabels.audit``; columns are given by name.
        - method: The version of the estimates, ``"default/1"``.
        - decide, on_inconclusive and row_condition: As in ``ExpectLabelNoiseRateToBeAtMost``.
    """

    min_value: float | Parameter = pydantic.Field(description="The least Krippendorff's alpha, in [0, 1].")

    args_keys = ("column_list", "min_value")
    beyond: ClassVar[str] = "below"

    class Config:
        """Of the forms that Great Expectations builds."""

        title = "Expect annotator agreement to be at least"

    @pydantic.validator("min_value", pre=True)
    def _limit(cls, value: Any) -> Any:
        return checked_share("min_value", value)

    def _gate(self, audit: AnnotatorAudit, options: Fields) -> GateResult:
        limit: Any = self.min_value
        return audit.gate(min_agreement=limit, **options)

    @classmethod
    def _sentence(cls, kwargs: Mapping[str, Any]) -> Sentence:
        least = {"least": number(kwargs.get("min_value"))}
        return Sentence("the annotators must agree with a Krippendorff's alpha of at least $least", least)


class ExpectAnnotatorNoiseRateToBeAtMost(AnnotatorExpectation):
    """Expect the share of wrong labels, of all that several annotators gave, to be at most a limit.

    Args:
        column_list: The label columns, one an annotator.
        max_value: The most that may be wrong, a share of the labels in [0, 1]: 0.05 for 5%.

    Options:
        As in ``ExpectAnnotatorAgreementToBeAtLeast``.
    """

    max_value: float | Parameter = pydantic.Field(
        description="The most labels that may be wrong, as a share of all labels given: 0.05 for 5%."
    )

    args_keys = ("column_list", "max_value")

    class Config:
        """Of the forms that Great Expectations builds."""

        title = "Expect annotator noise rate to be at most"

    @pydantic.validator("max_value", pre=True)
    def _limit(cls, value: Any) -> Any:
        return checked_share("max_value", value)

    def _gate(self, audit: AnnotatorAudit, options: Fields) -> GateResult:
        limit: Any = self.max_value
        return audit.gate(max_noise_rate=limit, **options)

    @classmethod
    def _sentence(cls, kwargs: Mapping[str, Any]) -> Sentence:
        limit = {"limit": percent(kwargs.get("max_value"))}
        return Sentence("at most $limit of the annotators' labels may be wrong", limit)


class ExpectEachAnnotatorNoiseRateToBeAtMost(AnnotatorExpectation):
    """Expect the share of wrong labels of each annotator to be at most a limit.

    Args:
        column_list: The label columns, one an annotator.
        max_value: The most that may be wrong of any annotator's labels, a share in [0, 1]; or limits by annotator, as
            ``{"agency": 0.1}``, where annotators that are not named have none.

    Options:
        As in ``ExpectAnnotatorAgreementToBeAtLeast``.
    """

    max_value: float | Parameter = pydantic.Field(
        description="The most labels of any annotator that may be wrong, as a share; or a share by annotator."
    )

    args_keys = ("column_list", "max_value")

    class Config:
        """Of the forms that Great Expectations builds."""

        title = "Expect each annotator noise rate to be at most"

    @pydantic.validator("max_value", pre=True)
    def _limits(cls, value: Any) -> Any:
        return checked_limits("max_value", value, "annotator")

    def _gate(self, audit: AnnotatorAudit, options: Fields) -> GateResult:
        limits = limits_of(self.max_value, audit.findings.reading.annotators)
        return audit.gate(max_annotator_noise_rate=limits, **options)

    @classmethod
    def _sentence(cls, kwargs: Mapping[str, Any]) -> Sentence:
        return limits_sentence(
            kwargs.get("max_value"), "at most $limit of the labels of any annotator may be wrong",
            "at most $limits may be wrong", "of the labels of",
        )  # fmt: skip
