"""The expectation on numbers. Great Expectations stores it by class name, which is never to change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from great_expectations.compatibility import pydantic
from great_expectations.core.suite_parameters import is_suite_parameter

from dqlabels.audits.gate import GateResult
from dqlabels.audits.values.result import ValueAudit
from dqlabels.integrations.great_expectations.base import Fields, GateExpectation, Parameter, checked_share
from dqlabels.integrations.great_expectations.metric import ValueAuditMetric
from dqlabels.integrations.great_expectations.rendering import Sentence, percent
from dqlabels.statistics.residuals import FDR


class ExpectFlaggedValueShareToBeAtMost(GateExpectation):
    """Expect the share of values that are flagged as wrong to be at most a limit.

    Each number, date or duration is held against what the other columns predict of it, by a model that did not see
    it; those too far off are flagged at a false-discovery rate. No noise rate of numbers can be told, so it is the
    flagged share that is limited.

    Args:
        column: The column of numbers, dates or durations.
        max_value: The most that may be flagged, a share of the rows with a value in [0, 1]: 0.02 for 2%.
        fdr: The share of right values that is expected among the flagged, in (0, 1).

    Options:
        - features, exclude, groups, sample_weight and random_state: As in ``dqlabels.audit``.
        - method: The version of the way to flag, ``"default/1"``.
        - decide, on_inconclusive and row_condition: As in ``ExpectLabelNoiseRateToBeAtMost``; the interval is that of
          a table that is one of many alike.
    """

    column: pydantic.StrictStr = pydantic.Field(min_length=1, description="The column of numbers, dates or durations.")
    fdr: float | Parameter = pydantic.Field(
        default=FDR, description="The false-discovery rate: the share of right values expected among the flagged."
    )
    max_value: float | Parameter = pydantic.Field(
        description="The most values that may be flagged, as a share of the rows with a value: 0.02 for 2%."
    )

    fixed: ClassVar[tuple[str, ...]] = ("fdr",)
    metric_dependencies: ClassVar[tuple[str, ...]] = (ValueAuditMetric.metric_name,)
    args_keys = ("column", "max_value")
    open_tables: ClassVar[tuple[str, ...]] = ("rows",)

    class Config:
        """Of the forms that Great Expectations builds."""

        title = "Expect flagged value share to be at most"

    @pydantic.validator("max_value", pre=True)
    def _limit(cls, value: Any) -> Any:
        return checked_share("max_value", value)

    @pydantic.validator("fdr", pre=True)
    def _rate(cls, value: Any) -> Any:
        if is_suite_parameter(value):
            return value
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1:
            raise ValueError(f"fdr={value!r} is not between 0 and 1; for 10% pass 0.1.")
        return float(value)

    def _gate(self, audit: ValueAudit, options: Fields) -> GateResult:
        limit: Any = self.max_value
        return audit.gate(max_flagged_share=limit, **options)

    @classmethod
    def _sentence(cls, kwargs: Mapping[str, Any]) -> Sentence:
        params = {"limit": percent(kwargs.get("max_value")), "fdr": percent(kwargs.get("fdr", FDR))}
        return Sentence("at most $limit of the values may be flagged at a false-discovery rate of $fdr", params)
