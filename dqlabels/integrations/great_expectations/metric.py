"""The metric behind the expectations, one a kind of label: an audit, made once however many expectations ask."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, ClassVar

from great_expectations.core.metric_domain_types import MetricDomainTypes
from great_expectations.execution_engine import (
    PandasExecutionEngine,
    SparkDFExecutionEngine,
    SqlAlchemyExecutionEngine,
)
from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider

from dqlabels.audits.audit import audit
from dqlabels.audits.base import Audit
from dqlabels.errors import DQLabelsError, LabelWarning, OptionError
from dqlabels.frames.columns import AUDIT_COLUMNS

METRIC_NAME = "dqlabels.label_audit"
# Fields of an expectation that change the audit. Limits are no part of it: expectations that differ in their
# limits alone share one audit.
COMMON = ("column", "features", "exclude", "groups", "sample_weight", "random_state")
MODEL = ("pred_probs", "classes", "cv", "compat")
RULES = ("filter_by", "score", "adjust")
AUDIT_KEYS = (*COMMON, *MODEL, *RULES, "task")
# For a batch that has columns of an earlier audit already.
SPARE_COLUMNS = ("dqlabels_quality", "dqlabels_suggestion", "dqlabels_flag")


@dataclass(frozen=True, slots=True, eq=False)
class AuditOutcome:
    """An audit, or the error that stood in its way.

    A metric that raised would be computed three times more, its healthy siblings with it; so it returns this,
    and each expectation raises.
    """

    made: Audit | None = None
    error: DQLabelsError | None = None
    origin: TracebackType | None = None

    @property
    def audit(self) -> Audit:
        """The audit.

        Raises:
            DQLabelsError: What stood in its way.
        """
        if self.made is None:
            error = self.error or OptionError("The batch was not audited.")
            raise error.with_traceback(self.origin)
        return self.made


class AuditMetric(TableMetricProvider):
    """An audit on each engine; what an engine cannot do is an outcome too. Its subclasses are the kinds of label."""

    domain_keys = ("batch_id", "table", "row_condition", "condition_parser")
    task: ClassVar[str]

    @metric_value(engine=PandasExecutionEngine)
    def _pandas(
        cls,
        execution_engine: PandasExecutionEngine,
        metric_domain_kwargs: dict[str, Any],
        metric_value_kwargs: dict[str, Any],
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any],
    ) -> AuditOutcome:
        frame, _, _ = execution_engine.get_compute_domain(metric_domain_kwargs, MetricDomainTypes.TABLE)
        return audit_outcome(frame, cls.task, metric_value_kwargs)

    @metric_value(engine=SqlAlchemyExecutionEngine)
    def _sql(
        cls,
        execution_engine: SqlAlchemyExecutionEngine,
        metric_domain_kwargs: dict[str, Any],
        metric_value_kwargs: dict[str, Any],
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any],
    ) -> AuditOutcome:
        return _refused("a SQL table", "Read it into pandas and validate it as a dataframe asset")

    @metric_value(engine=SparkDFExecutionEngine)
    def _spark(
        cls,
        execution_engine: SparkDFExecutionEngine,
        metric_domain_kwargs: dict[str, Any],
        metric_value_kwargs: dict[str, Any],
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any],
    ) -> AuditOutcome:
        return _refused("a Spark frame", "Validate frame.toPandas() as a pandas dataframe asset where it fits")


class LabelAuditMetric(AuditMetric):
    """Of one class a row; grades where ``task`` is among the values."""

    metric_name = METRIC_NAME
    value_keys = AUDIT_KEYS
    task = "classes"


class ValueAuditMetric(AuditMetric):
    """Of numbers."""

    metric_name = "dqlabels.value_audit"
    value_keys = (*COMMON, "fdr")
    task = "regression"


class AnnotatorAuditMetric(AuditMetric):
    """Of several annotators."""

    metric_name = "dqlabels.annotator_audit"
    value_keys = ("column_list", *COMMON, *MODEL, "annotator", "item", "consensus")
    task = "annotators"


class TagAuditMetric(AuditMetric):
    """Of several labels a row."""

    metric_name = "dqlabels.tag_audit"
    value_keys = ("column_list", *COMMON, *MODEL, *RULES)
    task = "multilabel"


def audit_outcome(frame: Any, task: str, options: Mapping[str, Any]) -> AuditOutcome:
    """The audit of a frame under the fields of an expectation, or the error that stood in its way."""
    given = {"task": task} | {key: value for key, value in options.items() if value is not None}
    columns, column = given.pop("column_list", None), given.pop("column", None)
    label = column if columns is None else columns
    taken = {str(name) for name in frame.columns}
    names = SPARE_COLUMNS if taken & set(AUDIT_COLUMNS) else AUDIT_COLUMNS
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LabelWarning)  # the result carries them as notes
            return AuditOutcome(audit(frame, label, names=names, progress=False, **given))
    except DQLabelsError as error:
        return AuditOutcome(error=error, origin=error.__traceback__)


def _refused(what: str, cure: str) -> AuditOutcome:
    return AuditOutcome(
        error=OptionError(
            f"The labels of {what} are not audited in flight. {cure}, or let dqlabels write its columns to the table "
            "and gate those with materialised_suite(), which runs on every engine."
        )
    )
