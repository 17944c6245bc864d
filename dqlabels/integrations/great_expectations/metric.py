"""The metrics behind the expectations, one for each kind of label: an audit, made once for all expectations on it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, ClassVar, TypeAlias

from great_expectations.core.metric_domain_types import MetricDomainTypes
from great_expectations.execution_engine import (
    PandasExecutionEngine,
    SparkDFExecutionEngine,
    SqlAlchemyExecutionEngine,
)
from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider

from dqlabels.audits.audit import audit
from dqlabels.audits.base import Audit, NativeFrame
from dqlabels.errors import DQLabelsError, LabelWarning, OptionError
from dqlabels.frames.columns import AUDIT_COLUMNS
from dqlabels.integrations.great_expectations.fields import stored_options
from dqlabels.integrations.sharing import SUBJECTS, audit_by_auditor, task_options

# For a batch that has columns of an earlier audit already.
SPARE_COLUMNS = ("dqlabels_quality", "dqlabels_suggestion", "dqlabels_flag")
# So many rows of a SQL table or query are read into memory to be audited.
MAX_ROWS = 1_000_000
# What Great Expectations hands to a metric.
Given: TypeAlias = dict[str, Any]


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
    """An audit on each engine; what an engine cannot do is an outcome too."""

    domain_keys = ("batch_id", "table", "row_condition", "condition_parser")
    about: ClassVar[str]

    @metric_value(engine=PandasExecutionEngine)
    def _pandas(
        cls,
        execution_engine: PandasExecutionEngine,
        metric_domain_kwargs: Given,
        metric_value_kwargs: Given,
        **_: object,
    ) -> AuditOutcome:
        frame, _, _ = execution_engine.get_compute_domain(metric_domain_kwargs, MetricDomainTypes.TABLE)
        return audit_outcome(frame, cls.about, metric_value_kwargs)

    @metric_value(engine=SqlAlchemyExecutionEngine)
    def _sql(
        cls,
        execution_engine: SqlAlchemyExecutionEngine,
        metric_domain_kwargs: Given,
        metric_value_kwargs: Given,
        **_: object,
    ) -> AuditOutcome:
        selectable, _, _ = execution_engine.get_compute_domain(metric_domain_kwargs, MetricDomainTypes.TABLE)
        with execution_engine.get_connection() as connection:
            return outcome_in_database(connection, selectable, cls.about, metric_value_kwargs)

    @metric_value(engine=SparkDFExecutionEngine)
    def _spark(cls, **_: object) -> AuditOutcome:
        return _refused("a Spark frame", "Validate frame.toPandas() as a pandas dataframe asset where it fits")


def metric_name(about: str) -> str:
    """Name of the metric for a key of ``SUBJECTS``."""
    return f"dqlabels.{about}_audit"


def metric_keys(about: str) -> tuple[str, ...]:
    """The fields of an expectation that change the audit.

    Limits are no part of it: expectations that differ in their limits alone share one audit.
    """
    columns = ("column_list", "column") if SUBJECTS[about].kind.several else ("column",)
    return (*columns, *stored_options(about))


# Great Expectations registers a metric when its class is made.
METRICS: dict[str, type[AuditMetric]] = {
    about: type(
        f"{about.title()}AuditMetric",
        (AuditMetric,),
        {"metric_name": metric_name(about), "value_keys": metric_keys(about), "about": about},
    )
    for about in SUBJECTS
}


def audit_outcome(frame: NativeFrame, about: str, options: Mapping[str, Any]) -> AuditOutcome:
    """Return the audit of a frame under the fields of an expectation, or the error that stood in its way."""
    asked = task_options(about, {key: value for key, value in options.items() if value is not None})
    columns, column = asked.pop("column_list", None), asked.pop("column", None)
    label: Any = column if columns is None else columns
    taken = {str(name) for name in frame.columns}
    names = SPARE_COLUMNS if taken & set(AUDIT_COLUMNS) else AUDIT_COLUMNS
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LabelWarning)  # the result carries them as notes
            if asked.get("auditor") is not None:
                SUBJECTS[about].check(asked)
                return AuditOutcome(audit_by_auditor(frame, label, asked, names))
            asked |= {"names": names, "progress": False}
            return AuditOutcome(audit(frame, label, **asked))  # type: ignore[arg-type]
    except DQLabelsError as error:
        return AuditOutcome(error=error, origin=error.__traceback__)


def outcome_in_database(
    connection: Any, selectable: Any, about: str, options: Mapping[str, Any], max_rows: int = MAX_ROWS
) -> AuditOutcome:
    """Return the audit of a table or a query in a database, whose rows are read into memory.

    Args:
        connection: A connection of SQLAlchemy.
        selectable: What is read.
        about: A key of ``SUBJECTS``.
        options: The fields of an expectation.
        max_rows: More rows than this are refused.
    """
    import pandas as pd
    import sqlalchemy as sa

    source = selectable.subquery() if isinstance(selectable, sa.Select) else selectable
    try:
        answer = connection.execute(sa.select(sa.text("*")).select_from(source).limit(max_rows + 1))
        columns, rows = list(answer.keys()), [tuple(row) for row in answer]
    except sa.exc.SQLAlchemyError as error:
        return AuditOutcome(error=OptionError(f"The database could not read the batch: {str(error).splitlines()[0]}"))
    if len(rows) > max_rows:
        return _refused(
            f"more than {max_rows:,} rows in a database",
            "Validate a query asset that selects fewer, audit them beside the suite by dqlabels.audit, which takes "
            "DuckDB relations and Ibis tables of any size",
        )
    return audit_outcome(pd.DataFrame.from_records(rows, columns=columns), about, options)


def _refused(what: str, cure: str) -> AuditOutcome:
    return AuditOutcome(
        error=OptionError(
            f"The labels of {what} are not audited in flight. {cure}, or let dqlabels write its columns to the table "
            "and gate those with materialised_suite(), which runs on every engine."
        )
    )
