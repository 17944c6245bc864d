"""The one metric behind every expectation: an audit of the batch, made once however many expectations ask."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from great_expectations.core.metric_domain_types import MetricDomainTypes
from great_expectations.execution_engine import (
    PandasExecutionEngine,
    SparkDFExecutionEngine,
    SqlAlchemyExecutionEngine,
)
from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider

from dqlabels.auditor import audit
from dqlabels.errors import DQLabelsError, LabelWarning, OptionError
from dqlabels.frames.columns import AUDIT_COLUMNS
from dqlabels.integrations.sharing import as_classes
from dqlabels.result import LabelAudit

METRIC_NAME = "dqlabels.label_audit"
# Fields of an expectation that change the audit. Limits are no part of it: expectations that differ in their
# limits alone share one audit.
AUDIT_KEYS = (
    "column",
    "features",
    "exclude",
    "pred_probs",
    "classes",
    "groups",
    "sample_weight",
    "cv",
    "filter_by",
    "score",
    "adjust",
    "compat",
    "random_state",
)
# For a batch that has columns of an earlier audit already.
SPARE_COLUMNS = ("dqlabels_quality", "dqlabels_suggestion", "dqlabels_flag")


@dataclass(frozen=True, slots=True, eq=False)
class AuditOutcome:
    """An audit, or the error that stood in its way.

    A metric that raised would be computed three times more, its healthy siblings with it; so it returns this,
    and each expectation raises.
    """

    made: LabelAudit | None = None
    error: DQLabelsError | None = None
    origin: TracebackType | None = None

    @property
    def audit(self) -> LabelAudit:
        """The audit.

        Raises:
            DQLabelsError: What stood in its way.
        """
        if self.made is None:
            error = self.error or OptionError("The batch was not audited.")
            raise error.with_traceback(self.origin)
        return self.made


class LabelAuditMetric(TableMetricProvider):
    """Registers the metric for each engine; what an engine cannot do is an outcome too."""

    metric_name = METRIC_NAME
    domain_keys = ("batch_id", "table", "row_condition", "condition_parser")
    value_keys = AUDIT_KEYS

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
        return audit_outcome(frame, metric_value_kwargs)

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


def audit_outcome(frame: Any, options: Mapping[str, Any]) -> AuditOutcome:
    """The audit of a frame under the fields of an expectation, or the error that stood in its way."""
    given = {key: value for key, value in options.items() if key in AUDIT_KEYS and value is not None}
    label = given.pop("column")
    taken = {str(name) for name in frame.columns}
    names = SPARE_COLUMNS if taken & set(AUDIT_COLUMNS) else AUDIT_COLUMNS
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LabelWarning)  # the result carries them as notes
            return AuditOutcome(audit(frame, label, names=names, progress=False, **as_classes(given)))
    except DQLabelsError as error:
        return AuditOutcome(error=error, origin=error.__traceback__)


def _refused(what: str, cure: str) -> AuditOutcome:
    return AuditOutcome(
        error=OptionError(
            f"The labels of {what} are not audited in flight. {cure}, or let dqlabels write its columns to the table "
            "and gate those with materialised_suite(), which runs on every engine."
        )
    )
