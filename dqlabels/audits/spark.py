"""Audits of Spark DataFrames: the three steps of a kind of label, each fed by the workers."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dqlabels.audits.audit import module_of, run_audit
from dqlabels.audits.kinds import KINDS, LabelLook, Resolved, holds_numbers, kind_of_look, max_fractional_classes
from dqlabels.audits.options import SETTLED, Options
from dqlabels.audits.trusted.fitted import (
    Fitted,
    batch_options,
    check_known,
    foreign_notes,
    read_batch_labels,
    refuse_foreign,
)
from dqlabels.audits.trusted.label_auditor import load
from dqlabels.errors import MissingExtraError, OptionError, OutputColumnError, needing, warn_all
from dqlabels.frames.columns import LabelSet, check_columns, require_names
from dqlabels.models import large

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructType

    from dqlabels.audits.trusted.label_auditor import LabelAuditor


def audit_on_spark(frame: DataFrame, label: str, options: Options) -> DataFrame:
    """The frame with three more columns; see :func:`dqlabels.spark.audit`.

    Raises:
        MissingExtraError: PySpark 4 or PyArrow is not installed.
        DQLabelsError: As :func:`dqlabels.audit`.
    """
    _check_frame(frame)
    _check_task(options)
    _check_columns(frame, label, options.names)
    columns = large.sampled_columns(frame.columns, label, options.features, options.exclude)
    kind, notes = _kind_of(frame, label, options)
    chosen = options.changed(task=kind.name)
    task, rows = module_of(kind).spark_task(frame, label, columns, chosen)
    if rows <= options.sizes.large_rows:
        return _in_memory(frame, label, options)
    return _on_workers(frame, task, options.names, notes)


def _kind_of(frame: DataFrame, label: str, options: Options) -> Resolved:
    """The kind of label, by the rule that holds for every frame."""
    from pyspark.sql import functions as f

    from dqlabels.engines.spark import column_of_none, quoted

    def look() -> LabelLook:
        dtype = column_of_none(frame, label).dtype
        if not holds_numbers(dtype):
            return LabelLook(label, dtype)
        value = frame[quoted(label)].cast("double")
        finite = value.isNotNull() & ~f.isnan(value) & (f.abs(value) != float("inf"))
        values = frame.where(finite).select(value.alias("value"))
        number, least, largest, fractional = values.select(
            f.count("value"), f.min("value"), f.max("value"), f.max(f.col("value") != f.rint("value"))
        ).first()  # type: ignore[misc]
        if not number:
            return LabelLook(label, dtype)
        most = max_fractional_classes(number) if fractional else number // 2
        distinct = values.distinct().limit(most + 1).count()
        return LabelLook(label, dtype, number, number, distinct, least, largest, bool(fractional))

    return kind_of_look(look, options)


def audit_by_auditor_on_spark(
    frame: DataFrame, label: str | None, auditor: str | Path | LabelAuditor, options: Options
) -> DataFrame:
    """The frame with three more columns, by an auditor or the file of one; see :func:`dqlabels.spark.audit`.

    Args:
        frame: The batch.
        label: The label column; by default the auditor's.
        auditor: A fitted auditor, or the path of a saved one.
        options: What else the caller asks for; nothing that was settled by the fit.

    Raises:
        OptionError: Options that were settled when the auditor was fitted, or another label column.
        DQLabelsError: As :meth:`dqlabels.LabelAuditor.audit`.
    """
    if found := options.not_default(SETTLED):
        raise OptionError(
            f"{', '.join(f'{name}=' for name in found)} together with auditor=: settled when the auditor was fitted. "
            "Give it to dqlabels.LabelAuditor, or leave auditor= out."
        )
    judging = load(auditor) if isinstance(auditor, (str, Path)) else auditor
    fitted = judging.fitted_classes("spark_batch", "A Spark batch by an auditor")
    if label not in (None, fitted.label):
        raise OptionError(f"label={label!r} is not the column that the auditor judges, which is {fitted.label!r}.")
    return audit_batch_on_spark(frame, fitted)


def audit_batch_on_spark(frame: DataFrame, fitted: Fitted, *, keep_new_classes: bool = True) -> DataFrame:
    """The frame with three more columns, judged by an auditor on the workers; nothing is trained.

    Args:
        frame: A Spark DataFrame.
        fitted: What the auditor learned.
        keep_new_classes: Whether rows of classes that the auditor does not know are kept, unjudged, or refused.

    Raises:
        MissingExtraError: PySpark 4 or PyArrow is not installed.
        DQLabelsError: As :meth:`dqlabels.LabelAuditor.audit`.
    """
    from dqlabels.audits.classes.streamed import spark_label_counts
    from dqlabels.audits.trusted.passes import BatchTask, FittedBatch

    _check_frame(frame)
    if "spark_batch" in KINDS[fitted.task].cannot:
        KINDS[fitted.task].refuse("spark_batch", "A Spark batch by an auditor")
    _check_columns(frame, fitted.label, fitted.names)
    fitted.encoder.check(frame.columns)
    seen = LabelSet.of_batch(*spark_label_counts(frame, fitted.label))
    labels = read_batch_labels(seen.values[seen.places.tolist()], fitted.classes, fitted.label_dtype)
    check_known(fitted, labels)
    if not keep_new_classes:
        refuse_foreign(fitted, labels)
    rows = np.zeros(len(labels.values), dtype=np.int64)
    rows[labels.foreign[labels.foreign >= 0]] = seen.rows[labels.foreign >= 0]
    notes = foreign_notes(fitted, labels.values, rows)
    task = BatchTask.of(seen, labels, len(fitted.classes))
    judge = FittedBatch(fitted, labels.column, task.known_rows, batch_options(fitted, Options()))
    return _judged_on_workers(frame, task, judge, fitted.names, notes)


def _on_workers(frame: DataFrame, task: Any, names: Sequence[str], notes: Sequence[str]) -> DataFrame:
    """The three steps of a task, each fed by the workers."""
    from dqlabels.engines.spark import draw_sample

    fitted = task.learn(draw_sample(frame, task) if task.quotas.any() else None, None)
    return _judged_on_workers(frame, task, fitted, names, (*notes, *fitted.notes))


def _judged_on_workers(
    frame: DataFrame, task: Any, fitted: Any, names: Sequence[str], notes: Sequence[str]
) -> DataFrame:
    """The steps of a task that was learned."""
    from pyspark import StorageLevel

    from dqlabels.engines.spark import SparkBlocks, add_columns, judge_rows

    rows = judge_rows(frame, task, fitted).persist(StorageLevel.DISK_ONLY)
    try:
        blocks = SparkBlocks(rows, task.layout)
        rule = fitted.rule(blocks, blocks.reduce(fitted.first, fitted.observe))
    except BaseException:
        _let_go(rows)
        raise
    warn_all((*notes, *rule.notes), stacklevel=6)
    result: DataFrame = add_columns(rows, _schema(frame, task.label, names), task.layout, rule)
    weakref.finalize(result, _let_go, rows).atexit = False
    return result


def _let_go(judged: DataFrame) -> None:
    """Free what is stored between the passes; it also goes when its session ends."""
    with contextlib.suppress(Exception):
        judged.unpersist()


def _check_task(options: Options) -> None:
    if options.task is not None and "spark" in KINDS[options.task].cannot:
        KINDS[options.task].refuse("spark", f"task={options.task!r} on Spark")


def _in_memory(frame: DataFrame, label: str, options: Options) -> DataFrame:
    """A table that is no larger than the sample would be: audited on the driver, by the rule for such tables."""
    audit = run_audit(frame.toArrow(), label, options)
    warn_all(audit.warnings, stacklevel=5)
    schema = _schema(frame, label, options.names)
    audited: DataFrame = frame.sparkSession.createDataFrame(audit.frame, schema=schema)
    return audited


def _check_frame(frame: object) -> None:
    with needing('Spark is not installed: pip install "dqlabels[spark]"'):
        import pyarrow  # noqa: F401
        import pyspark
        from pyspark.sql import DataFrame
    if int(pyspark.__version__.split(".")[0]) < 4:
        raise MissingExtraError(f'PySpark {pyspark.__version__} is too old: pip install "pyspark>=4.0"')
    if not isinstance(frame, DataFrame):
        raise OptionError(
            f"frame is a {type(frame).__module__}.{type(frame).__qualname__}; pass a Spark DataFrame, or use "
            "dqlabels.audit for frames in memory."
        )
    if frame.isStreaming:
        raise OptionError(
            "frame is a stream, and an audit reads all rows several times. Judge batch by batch with a saved auditor: "
            "stream.writeStream.foreachBatch(lambda batch, number: auditor.audit(batch).write.parquet(...))."
        )


def _check_columns(frame: DataFrame, label: str, names: Sequence[str]) -> None:
    check_columns(frame.columns)
    require_names(frame.columns, [label], "label")
    there = [name for name in names if name in frame.columns]
    if there:
        raise OutputColumnError(
            f"Columns {', '.join(map(repr, there))} are already in the frame, and would be overwritten by the audit of "
            f"{label!r}. Drop them, or choose others with names=(quality, suggestion, flag)."
        )


def _schema(frame: DataFrame, label: str, names: Sequence[str]) -> StructType:
    from pyspark.sql.types import BooleanType, DoubleType, StructField, StructType

    added = [
        StructField(names[0], DoubleType()),
        StructField(names[1], frame.schema[label].dataType),
        StructField(names[2], BooleanType()),
    ]
    return StructType([*frame.schema.fields, *added])
