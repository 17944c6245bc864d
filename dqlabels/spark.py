"""Label audits of Spark DataFrames: ``dqlabels.spark.audit(frame, "label")``.

The rows stay on the workers; a sample of about 200,000 of them, drawn by content, comes to the driver to fit the
model on. The answer is that of :func:`dqlabels.audit` on the same rows, whatever the partitions.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import warnings
import weakref
from collections.abc import Iterable, Sequence
from typing import Any

import narwhals as nw
import numpy as np

from dqlabels.audits.classes.task import class_task
from dqlabels.audits.values.task import ValueTask, check_values
from dqlabels.errors import LabelColumnError, LabelWarning, MissingExtraError, OptionError, OutputColumnError
from dqlabels.frames.columns import AUDIT_COLUMNS, LabelSet, check_columns, require_names
from dqlabels.frames.targets import AmountTally, amounts
from dqlabels.models import large
from dqlabels.statistics.residuals import FDR, check_fdr

# A label with more values than this is no class, and its values are not collected.
MOST_CLASSES = 50_000


def audit(
    frame: Any,
    label: str,
    *,
    task: str = "classes",
    features: Sequence[str] | None = None,
    exclude: Iterable[str] = (),
    filter_by: str = "prune_by_noise_rate",
    score: str = "normalized_margin",
    adjust: bool = False,
    fdr: float = FDR,
    names: tuple[str, str, str] = AUDIT_COLUMNS,
    sample_rows: int | None = None,
    random_state: int = 0,
) -> Any:
    """Add ``label_quality``, ``suggested_label`` and ``is_label_issue`` to a Spark DataFrame.

    The model is fitted and the cuts are found at once; the columns are computed where the result is used. What
    the model said of each row is kept on the workers' disks until the result is let go of.

    Args:
        frame: A Spark DataFrame, n rows, of a classic session or of Spark Connect.
        label: The column that holds the given labels; rows where it is missing are kept, not estimated from.
        task: ``"classes"``, or ``"regression"`` for numbers, dates and durations.
        features: Columns to judge by; default all others.
        exclude: Columns not to judge by.
        filter_by: The rule that flags rows, one of ``dqlabels.statistics.classes.FILTERS``.
        score: The label quality, one of ``dqlabels.statistics.classes.SCORES``.
        adjust: Subtract each class's mean confidence before scoring.
        fdr: Of numbers: the expected share of right values among the flagged, in (0, 1).
        names: The three columns to add: quality, suggestion, flag.
        sample_rows: Of classes in more than 200,000 rows: how many of them come to the driver and are fitted on, by
            default 200,000.
        random_state: Seeds every random choice.

    Raises:
        MissingExtraError: PySpark 4 or PyArrow is not installed.
        DQLabelsError: As :func:`dqlabels.audit`.
    """
    _check_frame(frame)
    from dqlabels.audits.audit import check_options

    check_options(filter_by, score, None, names, random_state)
    large.check_sample_rows(sample_rows)
    _check_task(task)
    _check_columns(frame, label, names)
    excluded = [exclude] if isinstance(exclude, str) else list(exclude)
    columns = large.sampled_columns(frame.columns, label, features, excluded)
    options: dict[str, Any] = {"features": features, "exclude": excluded, "random_state": random_state}
    ruled: dict[str, Any] = {"filter_by": filter_by, "score": score, "adjust": adjust}
    if task == "regression":
        check_fdr(fdr)
        found: Any = _value_task(frame, label, columns, names, options, fdr, {**ruled, "sample_rows": sample_rows})
        rows, ruled = found.seen.rows, {"task": task, "fdr": fdr}
    else:
        labels = _labels(frame, label)
        found = class_task(labels, columns, names, {**options, "sample_rows": sample_rows}, ruled)
        rows = int(labels.rows.sum()) + labels.missing
    if rows <= large.LARGE_ROWS:
        return _in_memory(frame, label, names, {**options, **ruled})
    return _on_workers(frame, found, names)


def _on_workers(frame: Any, task: Any, names: Sequence[str]) -> Any:
    """The three steps of a task, each fed by the workers."""
    from pyspark import StorageLevel

    from dqlabels.engines.spark import SparkBlocks, add_columns, draw_sample, judge_rows

    learnt = task.learn(draw_sample(frame, task), None)
    judged = judge_rows(frame, task, learnt).persist(StorageLevel.DISK_ONLY)
    try:
        blocks = SparkBlocks(judged, task.kept)
        rule = learnt.rule(blocks, blocks.reduce(learnt.first, learnt.observe))
    except BaseException:
        _let_go(judged)
        raise
    for note in (*learnt.notes, *rule.notes):
        warnings.warn(note, LabelWarning, stacklevel=3)
    result = add_columns(judged, _schema(frame, task.label, names), task.kept, rule)
    weakref.finalize(result, _let_go, judged).atexit = False
    return result


def _let_go(judged: Any) -> None:
    """Free what is kept between the passes; with its session it is gone by itself."""
    with contextlib.suppress(Exception):
        judged.unpersist()


def _check_task(task: str) -> None:
    if task not in ("classes", "regression"):
        raise OptionError(
            f"task={task!r} does not run on Spark, where labels are 'classes' or, with task='regression', numbers. "
            "Collect the frame and use dqlabels.audit for other kinds of label."
        )


def _value_task(
    frame: Any,
    label: str,
    columns: list[str],
    names: tuple[str, str, str],
    learning: dict[str, Any],
    fdr: float,
    ruled: dict[str, Any],
) -> ValueTask:
    from dqlabels.engines.spark import column_of_none, tally_column

    first = column_of_none(frame, label)
    check_values(first, ruled)
    seen = tally_column(frame, label, AmountTally, lambda state, column: state.update(amounts(column)[0]))
    seen.check(label)
    return ValueTask(label, columns, names, seen, amounts(first)[1], learning, fdr)


def _in_memory(frame: Any, label: str, names: tuple[str, str, str], options: dict[str, Any]) -> Any:
    """A table that is no larger than the sample would be: audited on the driver, by the rule for such tables."""
    from dqlabels.audits.audit import audit as audit_in_memory

    found = audit_in_memory(frame.toArrow(), label, names=names, **options).frame
    return frame.sparkSession.createDataFrame(found, schema=_schema(frame, label, names))


def _check_frame(frame: Any) -> None:
    try:
        import pyarrow  # noqa: F401
        import pyspark
        from pyspark.sql import DataFrame
    except ImportError as error:
        raise MissingExtraError('Spark is not installed: pip install "dqlabels[spark]"') from error
    if int(pyspark.__version__.split(".")[0]) < 4:
        raise MissingExtraError(f'PySpark {pyspark.__version__} is too old: pip install "pyspark>=4.0"')
    if not isinstance(frame, DataFrame):
        raise OptionError(
            f"frame is a {type(frame).__module__}.{type(frame).__qualname__}; pass a Spark DataFrame, or use "
            "dqlabels.audit for frames in memory."
        )


def _check_columns(frame: Any, label: str, names: Sequence[str]) -> None:
    check_columns(frame.columns)
    require_names(frame.columns, [label], "label")
    there = [name for name in names if name in frame.columns]
    if there:
        raise OutputColumnError(
            f"Columns {', '.join(map(repr, there))} are already in the frame, and would be overwritten by the audit of "
            f"{label!r}. Drop them, or choose others with names=(quality, suggestion, flag)."
        )


def _labels(frame: Any, label: str) -> LabelSet:
    from dqlabels.engines.spark import quoted

    counted = frame.groupBy(frame[quoted(label)].alias(label)).count().limit(MOST_CLASSES + 1).toArrow()
    if len(counted) > MOST_CLASSES:
        raise LabelColumnError(
            f"Column {label!r} has more than {MOST_CLASSES:,} different values, so it names rows rather than classes "
            "(or is a continuous number). Choose the column that holds the class, or group its values."
        )
    table = nw.from_native(counted, eager_only=True)
    return LabelSet.of(table[label], table["count"].to_numpy().astype(np.int64))


def _schema(frame: Any, label: str, names: Sequence[str]) -> Any:
    from pyspark.sql.types import BooleanType, DoubleType, StructField, StructType

    added = [
        StructField(names[0], DoubleType()),
        StructField(names[1], frame.schema[label].dataType),
        StructField(names[2], BooleanType()),
    ]
    return StructType([*frame.schema.fields, *added])


def local_session(cores: int = 2, **settings: str) -> Any:
    """A Spark session on this machine alone, for trying things out and for tests.

    Args:
        cores: Tasks that run at a time; one that fails is tried 4 times, as on a cluster.
        **settings: Spark's own, with ``__`` for each dot: ``spark__sql__shuffle__partitions="8"``.

    Raises:
        MissingExtraError: PySpark or Java is not installed.
    """
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise MissingExtraError('Spark is not installed: pip install "dqlabels[spark]"') from error
    home = os.environ.get("JAVA_HOME")
    if shutil.which("java") is None and not (home and os.path.exists(os.path.join(home, "bin", "java"))):
        raise MissingExtraError(
            "Spark needs Java 17 or later, and there is none on this machine. Install it (Debian and Ubuntu: "
            "apt-get install openjdk-17-jre-headless), or set JAVA_HOME to where it is."
        )
    builder = SparkSession.builder.master(f"local[{cores},4]").appName("dqlabels").config("spark.ui.enabled", "false")
    for name, value in settings.items():
        builder = builder.config(name.replace("__", "."), value)
    return builder.getOrCreate()
