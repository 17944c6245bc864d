"""The report of numbers in a lazy frame larger than memory: made from counts and the worst rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import narwhals as nw
import numpy as np

from dqlabels.audits.base import AuditedRows, NativeFrame, detached
from dqlabels.audits.options import Options
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
from dqlabels.audits.values.evidence import ValueEvidence
from dqlabels.audits.values.picture import Axis, Picture
from dqlabels.audits.values.result import AmountAudit
from dqlabels.audits.values.task import ValueTask, check_values
from dqlabels.frames.columns import Frame
from dqlabels.frames.targets import AmountTally, Targets, amounts
from dqlabels.report.evidence import how_sure
from dqlabels.statistics.arrays import IntArray

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from typing_extensions import Self


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class StreamedValueAudit(AmountAudit):
    """The audit of numbers in a lazy frame whose rows stay where they are.

    ``frame`` is lazy; ``issues`` are the 1,000 worst rows (all of them: ``audit.frame.filter("is_label_issue")``).

    Example::

        audit = dqlabels.audit(pl.scan_parquet("homes.parquet"), "price")  # more than 200,000 rows
        audit.gate(max_flagged_share=0.01).raise_if_failed()
        audit.frame.sink_parquet("homes.audited.parquet")
    """

    streamed: Streamed | None

    needs_rows: ClassVar[Mapping[str, str]] = {
        "audited_rows": NOT_HERE,
        "drift": NOT_HERE,
        "predictions": NOT_HERE,
        "review": NOT_HERE,
        "checkup": NO_CHECKUP,
        "how_sure": IN_THE_QUERY,
    }

    @property
    def issues(self) -> NativeFrame:
        """The worst 1,000 flagged rows, worst first, as in memory; their columns are read from the source again."""
        order, kinds = self.evidence.worst()
        said = {"kind": kinds, "how_sure": how_sure(self.evidence.quality[order])}
        return issues_of(lazily(self.streamed), self.label, self.names, self.evidence.positions[order], said)

    def _shown_table(self, places: IntArray) -> Frame:
        rows = nw.from_native(self.issues, eager_only=True)
        order, _ = self.evidence.worst()
        place = {at: number for number, at in enumerate(order.tolist())}
        shown: Frame = rows[[place[at] for at in places.tolist()]]
        return shown.select(name for name in self._table_columns if name in shown.columns)

    def audited_rows(self) -> AuditedRows:
        """Refused, since only the worst rows are in memory; ``issues`` lists them."""
        self._refuse("audited_rows")

    def without_frame(self) -> Self:
        """The audit with its counts and worst rows alone."""
        return detached(self, streamed=None)

    @property
    def _table_columns(self) -> list[str]:
        """The columns of the source."""
        return [name for name in lazily(self.streamed).collect_schema().names() if name not in self.names]


def stream_task(plan: Plan) -> ValueTask:
    """The three steps of the engines out of memory, from a first look at the amounts."""
    blocks = (nw.from_native(block[plan.label], series_only=True) for block in plan.blocks([plan.label]))
    return ValueTask.of(plan.label, blocks, plan.columns, plan.options)


def spark_task(frame: DataFrame, label: str, columns: list[str], options: Options) -> tuple[ValueTask, int]:
    """The three steps of the engines out of memory, from Spark's first look at the amounts, and the rows of the table.

    Args:
        frame: A Spark DataFrame.
        label: The label column.
        columns: The columns that may be features.
        options: What the caller asks for.

    Raises:
        LabelColumnError: A column that cannot be audited as amounts.
        OptionError: An option that only classes have.
    """
    from dqlabels.engines.spark import column_of_none, tally_column

    first = column_of_none(frame, label)
    check_values(first, options)
    seen = tally_column(frame, label, AmountTally, lambda state, column: state.update(amounts(column)[0]))
    seen.check(label)
    return ValueTask(label, columns, seen, amounts(first)[1], options), seen.rows


def streamed_audit(streamed: Streamed) -> StreamedValueAudit:
    """The audit that the passes over the rows give."""
    plan, rule = streamed.plan, streamed.rule
    evidence, picture = _tally(streamed)
    return StreamedValueAudit(
        label=plan.label,
        frame=blocks_when_asked(plan, streamed.blocks),
        rows=streamed.spill.rows,
        audited=rule.task.seen.known,
        flagged=picture.flagged,
        model=streamed.fitted.model,
        model_error=rule.error,
        warnings=streamed.notes,
        options=plan.options,
        evidence=evidence,
        table=nw.from_native(evidence.targets.column.to_frame().to_native(), eager_only=True),
        picture=picture,
        features=tuple(streamed.fitted.columns),
        streamed=streamed,
        seconds=streamed.seconds,
    )


def _tally(streamed: Streamed) -> tuple[ValueEvidence, Picture]:
    """One more pass over the spill: the worst rows, and the counts that a page draws."""
    rule, spill, plan = streamed.rule, streamed.spill, streamed.plan
    none = plan.label_of_no_rows
    picture = Picture.empty(Axis.of(rule.judge, rule.targets(none, np.empty(0))))
    worst, start = Lowest.empty(MAX_WORST), 0
    for at, size in enumerate(spill.sizes):
        given, outputs = spill.block(at)
        judgement = rule.judged(none, given, outputs)
        picture.update(rule.judge, rule.targets(none, given), judgement)
        rows = np.flatnonzero(judgement.flagged)
        columns = {"row": rows + start, "given": given[rows], "predicted": judgement.predicted[rows]}
        columns |= {"quality": judgement.quality[rows], "score": judgement.scores[rows]}
        columns |= {"mean": outputs[rows, 0], "spread": outputs[rows, 1]}
        worst.offer(-np.abs(judgement.scores[rows]), columns)
        start += size
    last = worst.finish()
    column = rule.targets(none, np.empty(0)).written(last["given"])
    targets = Targets(column, last["given"], rule.task.step, rule.task.seen.least, rule.task.seen.largest)
    mean_and_spread = np.column_stack([last["mean"], last["spread"]]).astype(np.float64)
    evidence = ValueEvidence(
        targets, last["row"], last["predicted"], last["score"], last["quality"], np.ones(last["row"].size, dtype=bool),
        rule.judge, mean_and_spread, np.arange(last["row"].size),
    )  # fmt: skip
    return evidence, picture
