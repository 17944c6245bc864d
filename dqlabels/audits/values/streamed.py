"""The report of numbers in a lazy frame larger than memory: made from counts and the worst rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from dqlabels.audits.classes.streamed import MOST_WORST, NOT_HERE, Lowest, issues_of, report_lazily, streamed_lazily
from dqlabels.audits.streaming import Streamed, blocks_when_asked, schema_column
from dqlabels.audits.values.evidence import ValueEvidence
from dqlabels.audits.values.picture import Axis, Picture
from dqlabels.audits.values.result import ValueAudit
from dqlabels.errors import OptionError
from dqlabels.frames.targets import Targets

if TYPE_CHECKING:
    import polars as pl

    from dqlabels.audits.classes.result import LabelAudit

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class StreamedValueAudit(ValueAudit):
    """A :class:`~dqlabels.ValueAudit` whose rows stay where they are.

    ``frame`` is lazy; ``issues`` are the 1,000 worst rows (all of them: ``audit.frame.filter("is_label_issue")``).
    """

    streamed: Streamed | None = None

    @property
    def issues(self) -> Any:
        """The worst 1,000 flagged rows, worst first, as in memory; their columns are read from the source again."""
        order, kinds = self.evidence.worst()
        return issues_of(self.frame, self.label, self.names, self.evidence.positions[order], kinds)

    @property
    def predictions(self) -> Any:
        """Not kept of a table this large.

        Raises:
            OptionError: Always.
        """
        raise OptionError(f"predictions {NOT_HERE}")

    def _shown_table(self, places: IntArray) -> Any:
        rows = nw.from_native(self.issues, eager_only=True)
        order, _ = self.evidence.worst()
        place = {at: number for number, at in enumerate(order.tolist())}
        asked = rows[[place[at] for at in places.tolist()]]
        return asked.select(name for name in self.table_columns if name in asked.columns)

    @property
    def table_columns(self) -> list[str]:
        """The columns of the source."""
        return [name for name in self.frame.collect_schema().names() if name not in self.names]


def report_values_lazily(frame: pl.LazyFrame, label: str, **options: Any) -> StreamedValueAudit | None:
    """The audit of a lazy frame of more than 200,000 rows; None of a smaller one, which belongs in memory.

    Raises:
        DQLabelsError: As :func:`dqlabels.audit`.
    """
    streamed = streamed_lazily(frame, label, options)
    return None if streamed is None else _report(streamed)


def report_task_lazily(frame: pl.LazyFrame, label: str, *, task: str, **options: Any) -> LabelAudit | None:
    """The report of the task that is named: of classes, or its sibling of numbers; None of a smaller frame.

    Raises:
        DQLabelsError: As :func:`dqlabels.audit`.
    """
    values: Any = report_values_lazily if task == "regression" else report_lazily
    found: LabelAudit | None = values(frame, label, task=task, **options)
    return found


def _report(streamed: Streamed) -> StreamedValueAudit:
    plan, rule = streamed.plan, streamed.rule
    evidence, picture = _tally(streamed)
    fdr = float(plan.ruling["fdr"])
    return StreamedValueAudit(
        label=plan.label,
        frame=blocks_when_asked(plan, streamed.blocks),
        rows=streamed.spill.rows,
        audited=rule.task.seen.known,
        flagged=picture.flagged,
        fdr=fdr,
        model=streamed.learnt.model,
        model_error=rule.error,
        warnings=streamed.notes,
        names=plan.names,
        settings={"task": "regression", "fdr": fdr, "random_state": plan.random_state},
        evidence=evidence,
        table=nw.from_native(evidence.targets.column.to_frame().to_native(), eager_only=True),
        picture=picture,
        features=tuple(streamed.learnt.columns),
        streamed=streamed,
    )


def _tally(streamed: Streamed) -> tuple[ValueEvidence, Picture]:
    """One more pass over the spill: the worst rows, and the counts that a page draws."""
    rule, spill, plan = streamed.rule, streamed.spill, streamed.plan
    none = schema_column(plan.frame, plan.label)
    picture = Picture.empty(Axis.of(rule.judge, rule.targets(none, np.empty(0))))
    worst, start = Lowest.empty(MOST_WORST), 0
    for at, size in enumerate(spill.sizes):
        given, said = spill.block(at)
        found = rule.judged(none, given, said)
        picture.update(rule.judge, rule.targets(none, given), found)
        rows = np.flatnonzero(found.flagged)
        facts = {"row": rows + start, "given": given[rows], "predicted": found.predicted[rows]}
        facts |= {"quality": found.quality[rows], "score": found.scores[rows]}
        facts |= {"mean": said[rows, 0], "spread": said[rows, 1]}
        worst.offer(-np.abs(found.scores[rows]), facts)
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
