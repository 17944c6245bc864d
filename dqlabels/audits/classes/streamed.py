"""The report of a lazy frame larger than memory: the same tables and gates, made from counts instead of rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from dqlabels.audits.base import AuditedRows, NativeFrame, detached
from dqlabels.audits.classes.given import task_of
from dqlabels.audits.classes.grades import check_grades
from dqlabels.audits.classes.result import ClassAudit
from dqlabels.audits.classes.task import ClassTask
from dqlabels.audits.options import Options
from dqlabels.audits.segments import RowDoubt
from dqlabels.audits.streaming import (
    IN_THE_QUERY,
    MAX_WORST,
    NO_CHECKUP,
    NOT_HERE,
    Lowest,
    Plan,
    Streamed,
    blocks_when_asked,
    issues_of,
    lazily,
)
from dqlabels.errors import LabelColumnError
from dqlabels.frames.columns import Column, Labels, LabelSet
from dqlabels.frames.hashing import hash_words
from dqlabels.noise.sample import MAX_ROWS
from dqlabels.report.evidence import Evidence, how_sure
from dqlabels.statistics.arrays import IntArray
from dqlabels.statistics.scores import ScoreTally
from dqlabels.statistics.selection import UNIT

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from typing_extensions import Self


# Rows, and rows x classes, from which the noise rate is read; drawn by content.
NOISE_ROWS = 50_000
NOISE_VALUES = 4_000_000
# A label with more values than this names rows, not classes, and Spark does not collect its values.
MAX_CLASSES = 50_000
# Verbs that read the probabilities of every row.
NEED_ROWS = (
    "audited_rows",
    "by",
    "drift",
    "planted_recall",
    "plot",
    "probabilities",
    "review",
    "review_sample",
    "with_review",
)


@dataclass(frozen=True, slots=True, eq=False)
class Tallied(Evidence):
    """Evidence as counts, with a sample of the rows for the noise rate and the worst rows.

    ``codes`` and ``probs`` are of the sample; ``positions``, ``quality`` and ``suggested`` of the worst rows, worst
    first, whose labels are ``codes_of_worst``; ``rows`` and ``quality_units`` (K,) are by class, ``pair_counts`` (K, K)
    of flagged rows by given and suggested class.
    """

    codes_of_worst: IntArray
    rows: IntArray
    quality_units: IntArray
    pair_counts: IntArray

    @property
    def class_rows(self) -> IntArray:
        """(K,) audited rows that carry each label."""
        return self.rows

    def worst(self) -> tuple[IntArray, list[str]]:
        """Places of the worst rows among the worst, so in order, and how sure each finding is."""
        return np.arange(self.positions.size), how_sure(self.quality)

    @property
    def class_flags(self) -> IntArray:
        """(K,) flagged rows that carry each label."""
        return np.asarray(self.pair_counts.sum(axis=1))

    @property
    def class_quality(self) -> NDArray[np.float64]:
        """(K,) sum of the qualities of the rows that carry each label."""
        return self.quality_units / UNIT

    @property
    def worst_codes(self) -> IntArray:
        """Labels of the worst rows."""
        return self.codes_of_worst

    def _flagged_cells(self) -> tuple[IntArray, IntArray]:
        cells = np.flatnonzero(self.pair_counts)
        return cells, self.pair_counts.ravel()[cells]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class StreamedAudit(ClassAudit):
    """The audit of one class per row in a lazy frame whose rows stay where they are.

    ``frame`` is lazy; ``issues`` are the 1,000 worst rows (all of them: ``audit.frame.filter("is_label_issue")``);
    what needs the probabilities of all rows at once, such as ``plot`` and ``to_html``, is refused by name, and the
    message says how to audit a sample in memory.

    Example::

        audit = dqlabels.audit(pl.scan_parquet("loans.parquet"), "risk")  # more than 200,000 rows
        audit.gate(max_noise_rate=0.05).raise_if_failed()
        audit.frame.sink_parquet("loans.audited.parquet")
    """

    evidence: Tallied
    streamed: Streamed | None

    needs_rows: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(NEED_ROWS, NOT_HERE),
        "to_html": f"{NOT_HERE} summary() and to_dict() are made from counts, and work here.",
        "checkup": NO_CHECKUP,
        "how_sure": IN_THE_QUERY,
    }

    @property
    def issues(self) -> NativeFrame:
        """The worst 1,000 flagged rows, worst first, as in memory; their columns are read from the source again."""
        order, sure = self.evidence.worst()
        steps = self.evidence.steps(order)
        said = {"how_sure": sure} if steps is None else {"how_sure": sure, "kind": steps}
        return issues_of(lazily(self.streamed), self.label, self.names, self.evidence.positions, said)

    def audited_rows(self) -> AuditedRows:
        """Refused, since only the worst rows are in memory; ``issues`` lists them."""
        self._refuse("audited_rows")

    def _doubt(self) -> RowDoubt:
        self._refuse("by")

    def without_frame(self) -> Self:
        """The audit with its counts alone."""
        column: Any = None
        labels = replace(self.evidence.labels, column=column)
        return detached(self, table=column, streamed=None, evidence=replace(self.evidence, labels=labels))


def check_schema(column: Column, options: Options) -> None:
    """Refuse a column whose type cannot hold classes: every type can, but grades need an order."""
    if options.task == "ordinal":
        check_grades(column, options)


def stream_task(plan: Plan) -> ClassTask:
    """The three steps of the engines out of memory, from a count of the labels."""
    from dqlabels.engines.polars import label_counts

    values, rows = label_counts(plan.frame, plan.label)
    labels = LabelSet.of(nw.from_native(values, series_only=True), rows)
    return task_of(labels, plan.columns, plan.options, list(plan.source))


def spark_task(frame: DataFrame, label: str, columns: list[str], options: Options) -> tuple[ClassTask, int]:
    """The three steps of the engines out of memory, from Spark's count of the labels, and the rows of the table.

    Args:
        frame: A Spark DataFrame.
        label: The label column.
        columns: The columns that may be features.
        options: What the caller asks for.

    Raises:
        LabelColumnError: Too many different values for classes.
    """
    labels = LabelSet.of(*spark_label_counts(frame, label))
    check_schema(labels.values, options)
    return task_of(labels, columns, options, frame.columns), int(labels.rows.sum()) + labels.missing


def spark_label_counts(frame: DataFrame, label: str) -> tuple[Column, IntArray]:
    """Return the different labels (m,) of a Spark DataFrame, missing included, and the rows (m,) of each.

    Raises:
        LabelColumnError: Too many different values for classes.
    """
    from dqlabels.engines.spark import quoted

    counted = frame.groupBy(frame[quoted(label)].alias(label)).count().limit(MAX_CLASSES + 1).toArrow()
    if len(counted) > MAX_CLASSES:
        raise LabelColumnError(
            f"Column {label!r} has more than {MAX_CLASSES:,} different values, so it names rows rather than classes "
            "(or is a continuous number). Choose the column that holds the class, or group its values."
        )
    table = nw.from_native(counted, eager_only=True)
    return table[label], table["count"].to_numpy().astype(np.int64)


def streamed_audit(streamed: Streamed) -> StreamedAudit:
    """The audit that the passes over the rows give."""
    plan, found, labels = streamed.plan, streamed.rule, streamed.task.labels
    rule = found.rule
    evidence, errors, flagged = _tally(streamed)
    rows = int(rule.class_counts.sum())
    return StreamedAudit(
        label=plan.label,
        frame=blocks_when_asked(plan, streamed.blocks),
        rows=streamed.spill.rows,
        audited=rows,
        flagged=int(evidence.pair_counts.sum()),
        model=streamed.fitted.model,
        model_error=errors / rows,
        warnings=streamed.notes,
        options=plan.options,
        evidence=evidence,
        calibration=found.scores.calibration(found.tally, flagged),
        modelled=found.scores.rate,
        table=nw.from_native(labels.values.to_frame().to_native(), eager_only=True),
        streamed=streamed,
        seconds=streamed.seconds,
    )


def _tally(streamed: Streamed) -> tuple[Tallied, int, ScoreTally]:
    """One more pass over the spill: counts by class and pair, the worst rows, and a sample for the noise rate."""
    labels = streamed.task.labels
    found, spill, k = streamed.rule, streamed.spill, len(labels.classes)
    rule, scores = found.rule, ScoreTally.empty()
    units, pairs, errors, start = np.zeros(k, dtype=np.int64), np.zeros(k * k, dtype=np.int64), 0, 0
    worst = Lowest.empty(MAX_WORST)
    drawn = Lowest.empty(max(min(NOISE_ROWS, NOISE_VALUES // k), min(MAX_ROWS, NOISE_VALUES // k)))
    for at in range(len(spill.sizes)):
        codes, probs = spill.block(at)
        rows = np.flatnonzero(codes >= 0)
        codes, probs = codes[rows], probs[rows]
        scored, quality, flagged, suggested = found.judge(codes, probs)
        scores.update(scored[flagged])
        units += np.bincount(codes, weights=np.rint(quality * UNIT), minlength=k).astype(np.int64)
        pairs += np.bincount(codes[flagged] * k + suggested[flagged], minlength=k * k)
        errors += int((rule.likely(probs) != codes).sum())
        places = np.flatnonzero(flagged)
        columns = {"row": rows[places] + start, "code": codes[places], "suggested": suggested[places]}
        worst.offer(quality[places], columns)
        words = np.column_stack([codes, np.rint(probs * 2**24)]).astype(np.uint32)
        drawn.offer(hash_words(words), {"code": codes, "probs": probs})
        start += spill.sizes[at]
    last, some = worst.finish(), drawn.finish()
    evidence = Tallied(
        Labels(labels.values, np.empty(0, dtype=np.int64), labels.classes, labels.places),
        last["row"], some["code"], some["probs"], last["suggested"], last["key"],
        np.ones(last["row"].size, dtype=bool), rule.thresholds, rule.counts, rule.joint, last["key"],
        last["code"], rule.class_counts, units, pairs.reshape(k, k), ordered=streamed.plan.options.task == "ordinal",
    )  # fmt: skip
    return evidence, errors, scores
