"""What an audit of numbers, dates or durations gives: its tables, its gate, its report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from dqlabels.audits.base import (
    Audit,
    AuditedRows,
    CheckDetails,
    Mask,
    NativeFrame,
    Overview,
    column_values,
    detached,
    issue_rows,
)
from dqlabels.audits.gate import DECIDING, Deciding, GateResult, Grounds, Limits
from dqlabels.audits.measured import Measured
from dqlabels.audits.options import documented_fields
from dqlabels.audits.values import wording
from dqlabels.audits.values.charts import ValueCharts
from dqlabels.audits.values.evidence import ValueEvidence
from dqlabels.audits.values.overview import value_overview
from dqlabels.audits.values.picture import SIDE, Picture
from dqlabels.audits.values.report_data import row_facts, value_facts
from dqlabels.audits.values.task import POOR
from dqlabels.frames.columns import Frame
from dqlabels.noise.rate import share_interval
from dqlabels.report import text
from dqlabels.report.data import check_rows
from dqlabels.report.evidence import how_sure
from dqlabels.report.listed_rows import MAX_SAVED_ROWS
from dqlabels.report.marks import Marks

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from dqlabels.audits.segments import Segments
    from dqlabels.checks.result import Checkup
    from dqlabels.review.decisions import Head
    from dqlabels.review.queue import ReviewQueue

MAX_ROWS_IN_DICT = 10
INTERVAL = 0.90  # confidence of the flagged share's interval

ASSUMPTION = (
    "Assumes that right values scatter evenly around their prediction, with few of them far out. The rate of false "
    "flags, and label_quality as the probability of being right, hold where that scatter is Student's t, in every row "
    "as is usual for it. A heavier tail (a capped column, a second kind of row) is flagged as wrong, and errors within "
    "the scatter of right values are not flagged at all."
)

UNDECIDED = (
    "The interval is that of the share over tables like this one: more rows would decide it, and so would "
    "decide='estimate'."
)
BLIND = (
    "The features hardly predict this column, so all but gross errors go unseen, and that few are flagged does not say "
    "that few are wrong. Add features that say more about it."
)


LIMITS = ("max_flagged_share", *DECIDING)


class AmountLimits(Deciding, total=False):
    """The limits of numbers, for editors and type checkers."""

    max_flagged_share: float | None


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class AmountAudit(Audit):
    """What an audit of numbers, dates or durations knows, wherever its rows are.

    ``flagged`` counts the rows suspected at the false-discovery rate ``fdr``; ``model_error`` is the mean distance of
    the values from their prediction, over that from their median: 0 predicts every value, 1 none.
    """

    model: str
    model_error: float
    evidence: ValueEvidence
    picture: Picture

    audited_as: ClassVar[str] = "numbers"
    limits: ClassVar[tuple[str, ...]] = LIMITS
    settled: ClassVar[tuple[str, ...]] = ("task", "fdr", "random_state")

    @property
    def fdr(self) -> float:
        """The expected share of right values among the flagged, in (0, 1)."""
        return self.options.fdr

    @property
    def predictions(self) -> NativeFrame:
        """A row per audited row: its number, the out-of-sample prediction, an interval around it, and the score."""
        self._refuse("predictions")

    @documented_fields(Limits, LIMITS)
    def gate(self, **limits: Unpack[AmountLimits]) -> GateResult:
        """Hold the flagged share against a limit.

        Where the features hardly predict the column, a share within the limit is inconclusive. With
        ``decide="confident"`` the limit is compared with the share's Wilson interval, as if the table were one of many
        like it.

        Args:
            {options}

        Raises:
            OptionError: No limit, one outside [0, 1], or one that numbers do not have.

        >>> import dqlabels, polars as pl
        >>> prices = [3.0 * at for at in range(100)]
        >>> prices[50] = 1500.0  # one zero too many
        >>> homes = pl.DataFrame({"size": [at / 10 for at in range(100)], "price": prices})
        >>> audit = dqlabels.audit(homes, "price", task="regression")
        >>> audit.gate(max_flagged_share=0.02).verdict
        'pass'
        """
        return self._gate(limits)

    def _measured(self, limits: Limits) -> tuple[Grounds, list[Measured]]:
        limit: Any = limits.max_flagged_share
        share = self.flagged_share
        low, high = share_interval(share, self.audited, INTERVAL)
        what = f"the share of flagged values at a false-discovery rate of {self.fdr:.0%}"
        seeing = self.model_error <= POOR
        numbers = (share, low, high, limit)
        measured = Measured("max_flagged_share", what, *numbers, supported=seeing or share > limit)
        where = f"column {self.label!r}, {self.audited:,} rows"
        return Grounds(where, INTERVAL, ASSUMPTION, undecided=UNDECIDED if seeing else BLIND), [measured]

    def _gate_details(self) -> list[str]:
        return text.worst_lines(self._worst_rows())

    def summary(self) -> str:
        """The audit in about a dozen lines of text.

        >>> import dqlabels, polars as pl
        >>> prices = [3.0 * at for at in range(100)]
        >>> prices[50] = 1500.0  # one zero too many
        >>> homes = pl.DataFrame({"size": [at / 10 for at in range(100)], "price": prices})
        >>> audit = dqlabels.audit(homes, "price", task="regression")
        >>> audit.summary().splitlines()[0]
        "Values in 'price': 100 rows audited, 1 flagged (1.0%) at a false-discovery rate of 10%."
        """
        return wording.summary(self.to_dict())

    def overview(self) -> Overview:
        """The audit as a terminal shows it."""
        return value_overview(self.to_dict())

    def _own_values(self) -> dict[str, object]:
        return {"task": "regression", "fdr": self.fdr, "assumption": ASSUMPTION, "worst": self._worst_rows()}

    def _worst_rows(self) -> list[dict[str, object]]:
        order, _ = self.evidence.worst()
        return row_facts(self.evidence, order[:MAX_ROWS_IN_DICT], self.table)

    def _shown_table(self, order: NDArray[np.int64]) -> Frame:
        """The frame's rows at these audited places (s,), without what the audit added."""
        table: Frame = self.table.drop(*self.names)[self.evidence.positions[order].tolist()]
        return table

    def report_facts(self, *, rows: int = 60) -> dict[str, Any]:
        """What the HTML report shows, as plain values: ``to_dict()`` with histogram, cloud and worst rows.

        Args:
            rows: How many of the worst rows, at least 1.

        Raises:
            OptionError: ``rows`` is not a whole number from 1 to 1000.

        >>> import dqlabels, polars as pl
        >>> prices = [3.0 * at for at in range(100)]
        >>> prices[50] = 1500.0  # one zero too many
        >>> homes = pl.DataFrame({"size": [at / 10 for at in range(100)], "price": prices})
        >>> audit = dqlabels.audit(homes, "price", task="regression")
        >>> audit.report_facts(rows=5)["features"]
        ['size']
        """
        check_rows(rows)
        order = self.evidence.worst()[0][: max(rows, MAX_SAVED_ROWS)]
        data = value_facts(self.to_dict(), self.evidence, self.picture, self._shown_table(order), order, rows)
        return {**data, "features": list(self.features)}

    def _page(self, rows: int, gate: GateResult | None, checkup: Checkup | None, segments: Segments | None) -> str:
        return wording.page(self.report_facts(rows=rows), gate)

    @property
    def plot(self) -> ValueCharts:
        """Charts as altair objects: ``plot.quality()`` and ``plot.values()``."""
        judge, targets, axis = self.evidence.judge, self.evidence.targets, self.picture.axis
        middles = axis.low + (np.arange(SIDE) + 0.5) * (axis.high - axis.low) / SIDE
        amounts = targets.possible(judge.scale.undo(middles)).tolist()
        return ValueCharts(Marks(str(self.label), self.table.implementation), self.picture, amounts)

    def check_details(self) -> CheckDetails:
        """How far the values lie from their prediction, and the false-discovery rate of the flags."""
        far = f"the values lie {self.model_error:.0%} as far from their prediction as from the median"
        return CheckDetails("values", f"Judged by {self.model}; {far}", facts={"fdr": self.fdr})

    def audited_rows(self) -> AuditedRows:
        """The rows that were judged, for those who list or count rows."""
        evidence = self.evidence
        # Rounding may give neighbours one probability; their scores still tell them apart.
        order = np.lexsort((-np.abs(evidence.scores), evidence.quality))
        rank = np.empty(order.size, dtype=np.int64)
        rank[order] = np.arange(order.size)

        def concerning(parts: Iterable[object]) -> Mask:
            return evidence.flagged

        return AuditedRows(
            evidence.positions, evidence.quality, rank, evidence.flagged,
            column_values(self.table, self.label, evidence.positions),
            column_values(self.table, self.names[1], evidence.positions), concerning,
        )  # fmt: skip

    def __repr__(self) -> str:
        shown = f"{self.flagged:,} of {self.audited:,} values flagged"
        return f"<{type(self).__name__} of {self.label!r}: {shown} at a false-discovery rate of {self.fdr:.0%}>"

    def _repr_html_(self) -> str:
        return wording.fragment(self.report_facts(rows=MAX_ROWS_IN_DICT))


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class ValueAudit(AmountAudit):
    """What was found in one column of numbers, dates or durations of a table in memory.

    ``frame`` is the caller's frame with three more columns; ``rows`` counts all its rows, ``audited`` those with a
    value, ``flagged`` those suspected at the false-discovery rate ``fdr``; ``model_error`` is the mean distance of the
    values from their prediction, over that from their median: 0 predicts every value, 1 none.

    >>> import dqlabels, polars as pl
    >>> prices = [3.0 * at for at in range(100)]
    >>> prices[50] = 1500.0  # one zero too many
    >>> homes = pl.DataFrame({"size": [at / 10 for at in range(100)], "price": prices})
    >>> audit = dqlabels.audit(homes, "price", task="regression")
    >>> audit.issues[["row", "price", "kind"]].rows(), audit.fdr
    ([(50, 1500.0, 'high')], 0.1)
    >>> audit.predictions.columns
    ['row', 'prediction', 'low', 'high', 'score']
    """

    @property
    def issues(self) -> NativeFrame:
        """Flagged rows, worst first: row number, label, suggestion, quality, kind, then the other columns.

        ``kind`` is ``high`` or ``low``: on which side of the prediction the value lies.
        """
        order, kinds = self.evidence.worst()
        said = {"kind": kinds, "how_sure": how_sure(self.evidence.quality[order])}
        return issue_rows(self.table, self.label, self.names, self.evidence.positions[order], said)

    @property
    def predictions(self) -> NativeFrame:
        """A row per audited row: its number, the out-of-sample prediction, an interval around it, and the score.

        90% of right values are expected between ``low`` and ``high``. The score is the residual over what is usual
        for the row, with its sign: above 0 where the value is high.
        """
        evidence, targets, outputs = self.evidence, self.evidence.targets, self.evidence.outputs
        low, high = evidence.judge.interval(targets, outputs[:, 0], outputs[:, 1])
        amounts = {"prediction": evidence.predicted, "low": low, "high": high}
        columns = {name: targets.written(values) for name, values in amounts.items()}
        return self._listing({"row": evidence.positions, **columns, "score": evidence.scores})

    def _review_queue(self, sample: int | None, limit: float | None) -> tuple[ReviewQueue, Head]:
        if sample is not None:
            self._refuse("review_sample")
        from dqlabels.review.answers import FreeAnswers
        from dqlabels.review.decisions import text_head_of
        from dqlabels.review.queue import text_queue

        evidence, table = self.evidence, self.table.drop(*self.names)
        order, kinds = evidence.worst()
        positions, answers = evidence.positions[order], FreeAnswers.of(table[self.label])
        targets, outputs = evidence.targets, evidence.outputs[order]
        ends = [
            targets.written(end).to_list() for end in evidence.judge.interval(targets, outputs[:, 0], outputs[:, 1])
        ]
        said = [
            f"The value is {kind}: of rows like this 90% of right values lie between {answers.text(low)} and "
            f"{answers.text(high)}."
            for kind, low, high in zip(kinds, *ends, strict=True)
        ]
        suggested = self.table[self.names[1]][positions.tolist()].to_list()
        queue = text_queue(table, self.label, answers, positions, suggested, evidence.quality[order], said)
        return queue, text_head_of(table[self.label], answers)

    def without_frame(self) -> Self:
        """The audit with what its gate and its rows are made from, and nothing else, to be cached."""
        return detached(self, table=self.table.select(self.label, *self.names))
