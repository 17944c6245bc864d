"""Expectations on one class a row. Great Expectations stores them by class name, which is never to change."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from typing import Any, ClassVar

from great_expectations.compatibility import pydantic
from great_expectations.core.suite_parameters import is_suite_parameter

from dqlabels.audits.base import AuditedRows
from dqlabels.audits.classes.result import LabelAudit
from dqlabels.audits.gate import GateResult
from dqlabels.errors import OptionError
from dqlabels.integrations.great_expectations.base import (
    Fields,
    GateExpectation,
    Parameter,
    RuleExpectation,
    Verdict,
    checked_limits,
    checked_share,
    limits_of,
)
from dqlabels.integrations.great_expectations.metric import METRIC_NAME
from dqlabels.integrations.great_expectations.rendering import Sentence, limits_sentence, number, percent
from dqlabels.noise.methods import METHODS


class LabelExpectation(RuleExpectation, ABC):
    """Fields of the expectations on one class a row."""

    column: pydantic.StrictStr = pydantic.Field(min_length=1, description="The column that holds the labels.")
    task: str | Parameter = pydantic.Field(
        default="classes", description='"classes", or "ordinal" for grades, where distance counts.'
    )

    fixed: ClassVar[tuple[str, ...]] = ("task",)
    estimators: ClassVar[tuple[str, ...]] = ("default", *METHODS)
    metric_dependencies: ClassVar[tuple[str, ...]] = (METRIC_NAME,)


class ExpectLabelNoiseRateToBeAtMost(LabelExpectation, GateExpectation):
    """Expect the share of wrong labels in a column to be at most a limit.

    The batch is audited by a model that does not see the row it judges; the estimated share of wrong labels is
    held against the limit. Expectations that differ in their limits alone share one audit.

    Args:
        column: The column that holds the labels.
        max_value: The most that may be wrong, a share of the rows with a label in [0, 1]: 0.05 for 5%.

    Options:
        - features, exclude, pred_probs, classes, groups, sample_weight, cv, filter_by, score, adjust, compat and
          random_state: As in ``dqlabels.audit``; columns are given by name.
        - task: ``"classes"``, or ``"ordinal"`` for grades.
        - method: The estimator of the rate and its version, as in ``"variational/1"``; ``"default/1"`` unless given.
        - decide: ``"estimate"``, or ``"confident"``: fail only when the whole interval exceeds the limit.
        - on_inconclusive: What an undecided ``"confident"`` does: ``"warn"`` and pass, ``"fail"`` or ``"pass"``.
        - row_condition: Rows to audit, as ``Column("split") == "train"``.
    """

    max_value: float | Parameter = pydantic.Field(
        description="The most labels that may be wrong, as a share of the rows with a label: 0.05 for 5%."
    )

    args_keys = ("column", "max_value")
    open_tables: ClassVar[tuple[str, ...]] = ("classes", "confusions", "rows")

    class Config:
        """Of the forms that Great Expectations builds."""

        title = "Expect label noise rate to be at most"

    @pydantic.validator("max_value", pre=True)
    def _limit(cls, value: Any) -> Any:
        return checked_share("max_value", value)

    def _gate(self, audit: LabelAudit, options: Fields) -> GateResult:
        limit: Any = self.max_value
        return audit.gate(max_noise_rate=limit, **options)

    @classmethod
    def _sentence(cls, kwargs: Mapping[str, Any]) -> Sentence:
        return Sentence("at most $limit of the labels may be wrong", {"limit": percent(kwargs.get("max_value"))})


class ExpectClassLabelNoiseRatesToBeAtMost(LabelExpectation, GateExpectation):
    """Expect the share of wrong labels among the rows given each class to be at most a limit.

    Args:
        column: The column that holds the labels.
        max_value: The most that may be wrong of the rows given any class, a share in [0, 1]; or limits by class,
            as ``{"fraud": 0.02, "other": 0.1}``, where classes that are not named have none.

    Options:
        As in ``ExpectLabelNoiseRateToBeAtMost``.
    """

    max_value: float | Parameter = pydantic.Field(
        description="The most labels of any class that may be wrong, as a share of its rows; or a share by class."
    )

    args_keys = ("column", "max_value")
    open_tables: ClassVar[tuple[str, ...]] = ("classes",)

    class Config:
        """Of the forms that Great Expectations builds."""

        title = "Expect class label noise rates to be at most"

    @pydantic.validator("max_value", pre=True)
    def _limits(cls, value: Any) -> Any:
        return checked_limits("max_value", value, "class")

    def _gate(self, audit: LabelAudit, options: Fields) -> GateResult:
        return audit.gate(max_class_noise_rate=limits_of(self.max_value, audit.evidence.classes), **options)

    @classmethod
    def _sentence(cls, kwargs: Mapping[str, Any]) -> Sentence:
        return limits_sentence(
            kwargs.get("max_value"), "at most $limit of the labels of any class may be wrong",
            "at most $limits may be wrong", "of those labelled",
        )  # fmt: skip


class ExpectLabelNoiseIncreaseToBeAtMost(LabelExpectation, GateExpectation):
    """Expect the share of wrong labels to exceed that of trusted data by at most a limit.

    The bias of an estimate from one label a row cancels in the difference, so this is steadier than a limit on
    the rate itself where data to be trusted exist.

    Args:
        column: The column that holds the labels.
        reference: Path of what was kept of the trusted data: the JSON of ``audit.profile()``. A relative path
            is taken from the directory where the validation runs.
        max_value: The most that the rate may lie above, a share in [0, 1]: 0.02 for two percentage points.

    Options:
        As in ``ExpectLabelNoiseRateToBeAtMost``; the estimator is always ``"reference"``.
    """

    reference: str | Parameter = pydantic.Field(description="Path of the profile of trusted data.")
    max_value: float | Parameter = pydantic.Field(
        description="The most that the noise rate may lie above that of the trusted data: 0.02 for two points."
    )

    args_keys = ("column", "reference", "max_value")
    open_tables: ClassVar[tuple[str, ...]] = ("confusions",)

    class Config:
        """Of the forms that Great Expectations builds."""

        title = "Expect label noise increase to be at most"

    @pydantic.validator("max_value", pre=True)
    def _limit(cls, value: Any) -> Any:
        return checked_share("max_value", value)

    def _gate(self, audit: LabelAudit, options: Fields) -> GateResult:
        limit: Any = self.max_value
        try:
            # By that estimator the message has the assumption that matters here.
            return audit.gate(max_increase=limit, reference=self.reference, **(options | {"method": "reference"}))
        except OSError as error:
            raise OptionError(
                f"reference={self.reference!r} cannot be read: {error.strerror or error}. Pass the path of the JSON "
                "of audit.profile() of trusted data; a relative path is taken from the working directory."
            ) from error

    @classmethod
    def _sentence(cls, kwargs: Mapping[str, Any]) -> Sentence:
        reference = kwargs.get("reference")
        named = f"${reference['$PARAMETER']}" if is_suite_parameter(reference) else str(reference)
        return Sentence(
            "the share of wrong labels may lie at most $limit above that of $reference",
            {"limit": percent(kwargs.get("max_value"), "percentage points"), "reference": named},
        )


class ExpectLabelQualityToBeAtLeast(LabelExpectation):
    """Expect the quality of each label to be at least a limit.

    Args:
        column: The column that holds the labels.
        min_value: The least quality that a label may have, in [0, 1]; 0 is suspicious.
        mostly: The share of the rows with a label that must reach it, in [0, 1].

    Options:
        As in ``ExpectLabelNoiseRateToBeAtMost``, but for ``decide`` and ``on_inconclusive``.
    """

    min_value: float | Parameter = pydantic.Field(description="The least quality a label may have, in [0, 1].")
    mostly: float | Parameter = pydantic.Field(
        default=1.0, description="The share of the rows with a label that must reach it."
    )

    fixed: ClassVar[tuple[str, ...]] = ("mostly",)
    args_keys = ("column", "min_value", "mostly")
    open_tables: ClassVar[tuple[str, ...]] = ("rows",)

    class Config:
        """Of the forms that Great Expectations builds."""

        title = "Expect label quality to be at least"

    @pydantic.validator("min_value", "mostly", pre=True)
    def _shares(cls, value: Any, field: Any) -> Any:
        return checked_share(field.name, value)

    def _judge(self, audit: LabelAudit, rows: AuditedRows, method: str | None) -> Verdict:
        least, mostly = float(self.min_value), float(self.mostly)  # type: ignore[arg-type]
        below = rows.quality < least
        count = int(below.sum())
        reached = 1 - count / audit.audited
        # As in the core's map expectations: a share that equals ``mostly`` is enough.
        success = (audit.audited - count) / audit.audited >= mostly
        message = (
            f"{'PASS' if success else 'FAIL'}: {reached:.1%} of {audit.audited:,} labels have a quality of at least "
            f"{least:g}, and {mostly:.1%} {'were' if success else 'are'} needed."
        )
        facts = {
            "headline": message,
            "message": message,
            "verdict": "pass" if success else "fail",
            "observed": f"{reached:.1%} of the labels",
            "min_value": least,
            "mostly": mostly,
        }
        return Verdict(success, None, facts, below, f"have a quality below {least:g}")

    @classmethod
    def _sentence(cls, kwargs: Mapping[str, Any]) -> Sentence:
        mostly = kwargs.get("mostly", 1.0)
        params = {"least": number(kwargs.get("min_value"))}
        if mostly == 1.0:
            return Sentence("every label must have a quality of at least $least", params)
        return Sentence(
            "at least $mostly of the labels must have a quality of at least $least",
            {**params, "mostly": percent(mostly)},
        )
