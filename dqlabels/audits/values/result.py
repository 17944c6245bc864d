"""The result of an audit of numbers: frozen, complete, and every number in it a table in the caller's frame library."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from dqlabels.audits.base import Flagging, issue_rows
from dqlabels.audits.gate import Answer, Decide, GateCheck, Measured, OnInconclusive, conclusion, hold
from dqlabels.audits.values.evidence import ValueEvidence
from dqlabels.audits.values.facts import EXPECTED, cloud, histogram, row_facts, shown_row, value_facts
from dqlabels.audits.values.picture import Picture
from dqlabels.audits.values.task import POOR
from dqlabels.errors import OptionError
from dqlabels.frames.atomic import replacing
from dqlabels.frames.columns import Frame
from dqlabels.noise.rate import share_interval
from dqlabels.report import html, text
from dqlabels.report.data import check_rows

MOST_ROWS_IN_DICT = 10
INTERVAL = 0.90  # confidence of the flagged share's interval

ASSUMPTION = (
    "The rate of false flags holds where right values stray from what the other columns predict as the middle nine "
    "tenths of this column do, on both sides alike: a heavier tail (a capped column, a second kind of row) is flagged "
    "as wrong, and errors smaller than the scatter of right values are not flagged at all."
)

UNDECIDED = (
    "The interval is that of the share over tables like this one: more rows, or the limit held against the estimate, "
    "would decide it."
)
BLIND = (
    "The features hardly predict this column, so all but gross errors go unseen, and that few are flagged does not say "
    "that few are wrong. Add features that say more of it."
)


@dataclass(frozen=True, slots=True)
class ValueGate(Answer):
    """A verdict on one column of numbers; ``confidence`` is that of the interval of the share."""

    confidence: float = INTERVAL

    @property
    def check(self) -> GateCheck:
        """The one limit."""
        return self.checks[0]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ValueAudit(Flagging):
    """What was found in one column of numbers, dates or durations.

    ``frame`` is the caller's frame with three more columns; ``rows`` counts all its rows, ``audited`` those with a
    value, ``flagged`` those suspected at the false-discovery rate ``fdr``; ``model_error`` is the mean distance of the
    values from their prediction, over that from their median: 0 predicts every value, 1 none.
    """

    label: str
    frame: Any
    rows: int
    audited: int
    flagged: int
    fdr: float
    model: str
    model_error: float
    warnings: tuple[str, ...]
    names: tuple[str, str, str]
    settings: dict[str, Any]
    evidence: ValueEvidence
    table: Frame
    picture: Picture
    features: tuple[str, ...] = ()

    @property
    def issues(self) -> Any:
        """Flagged rows, worst first: row number, label, suggestion, quality, kind, then the other columns.

        ``kind`` is ``high`` or ``low``: on which side of the prediction the value lies.
        """
        order, kinds = self.evidence.worst()
        return issue_rows(self.table, self.label, self.names, self.evidence.positions[order], kinds)

    @property
    def predictions(self) -> Any:
        """A row per audited row: its number, the out-of-sample prediction, an interval around it, and the score.

        Of right values 90% are expected between ``low`` and ``high``. The score is the residual over what is usual
        for the row, with its sign: above 0 where the value is high.
        """
        evidence, backend = self.evidence, self.table.implementation
        targets, said = evidence.targets, evidence.said
        low, high = evidence.judge.interval(targets, said[:, 0], said[:, 1], EXPECTED)
        amounts = {"prediction": evidence.predicted, "low": low, "high": high}
        table = nw.from_dict({"row": evidence.positions, "score": evidence.scores}, backend=backend)
        columns = [targets.written(values).alias(name) for name, values in amounts.items()]
        return table.with_columns(*columns).select("row", *amounts, "score").to_native()

    @property
    def noise_rate(self) -> Any:
        """Not told for numbers: no share of wrong values can be had from one value a row.

        Raises:
            OptionError: Always, with what there is instead.
        """
        raise OptionError(
            f"Column {self.label!r} was audited as numbers, which have no noise rate: errors within the scatter of "
            "right values cannot be counted. Use flagged_share and gate(max_flagged_share=0.01), or audit classes."
        )

    def review_sample(self, *_: Any, **__: Any) -> Any:
        """Not drawn of numbers.

        Raises:
            OptionError: Always, with what there is instead.
        """
        raise OptionError(f"review_sample() {self._no_review}")

    def with_review(self, *_: Any, **__: Any) -> Any:
        """Not counted of numbers.

        Raises:
            OptionError: Always, with what there is instead.
        """
        raise OptionError(f"with_review() {self._no_review}")

    def review(self, *_: Any, **__: Any) -> Any:
        """Not offered of numbers.

        Raises:
            OptionError: Always, with what there is instead.
        """
        raise OptionError(f"review() {self._no_review}")

    @property
    def _no_review(self) -> str:
        return (
            f"is for classes, and {self.label!r} was audited as numbers. Look at audit.issues, audit.predictions or "
            'audit.to_html("report.html"), and correct the values in the table.'
        )

    def gate(
        self,
        *,
        max_flagged_share: float | None = None,
        max_noise_rate: float | None = None,
        decide: Decide = "estimate",
        on_inconclusive: OnInconclusive = "warn",
    ) -> ValueGate:
        """Hold the flagged share against a limit; see :func:`dqlabels.audits.gate.decide_gate`.

        Where the features hardly predict the column, a share that keeps the limit is inconclusive.

        Args:
            max_flagged_share: Of the audited rows, in [0, 1].
            max_noise_rate: Of audits of classes alone.
            decide: ``"estimate"`` is the share of this table; ``"confident"`` its Wilson interval, as that of one
                of many tables alike.
            on_inconclusive: ``"warn"``, ``"fail"`` or ``"pass"``.

        Raises:
            OptionError: No limit, one outside [0, 1], one of the noise rate, or an unknown choice.
        """
        if max_noise_rate is not None:
            _ = self.noise_rate
        if max_flagged_share is None:
            raise OptionError("The gate has no limit. Set max_flagged_share=0.01 or another share of the rows.")
        share = self.flagged_share
        low, high = share_interval(share, self.audited, INTERVAL)
        what = f"the share of flagged values at a false-discovery rate of {self.fdr:.0%}"
        seeing = self.model_error <= POOR
        numbers = (share, max(low, 0.0), min(high, 1.0), max_flagged_share)
        measured = Measured("max_flagged_share", what, *numbers, supported=seeing or share > max_flagged_share)
        checks = hold([measured], decide=decide, on_inconclusive=on_inconclusive, confidence=INTERVAL)
        verdict = checks[0].verdict
        lines = [f"{verdict.upper()}: {checks[0]} (column {self.label!r}, {self.audited:,} rows)."]
        lines += [UNDECIDED if seeing else BLIND] if verdict == "inconclusive" else []
        message = "\n".join([*lines, ASSUMPTION, *text.worst_lines(self._worst_facts())])
        return ValueGate(*conclusion(checks, on_inconclusive, message, stacklevel=3), message, decide, checks)

    def summary(self) -> str:
        """The audit in about a dozen lines of text."""
        return text.value_summary(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON: the counts, the assumption and the worst rows."""
        from dqlabels.version import __version__

        keys = ("rows", "audited", "flagged", "flagged_share", "fdr", "model", "model_error")
        return {
            "label": str(self.label),
            "task": "regression",
            **{key: getattr(self, key) for key in keys},
            "missing": self.rows - self.audited,
            "assumption": ASSUMPTION,
            "worst": self._worst_facts(),
            "warnings": list(self.warnings),
            "settings": dict(self.settings),
            "version": __version__,
        }

    def _worst_facts(self) -> list[dict[str, Any]]:
        order, _ = self.evidence.worst()
        return row_facts(self.evidence, order[:MOST_ROWS_IN_DICT], self.table)

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
        """
        check_rows(rows)
        order = self.evidence.worst()[0][:rows]
        facts = value_facts(self.to_dict(), self.evidence, self.picture, self._shown_table(order), order)
        return {**facts, "features": list(self.features)}

    def to_html(self, path: str | Path | None = None, *, gate: ValueGate | None = None, rows: int = 60) -> str:
        """The report as one HTML file that asks the network for nothing; needs the extra ``report``.

        Args:
            path: Written whole or not at all; default not written.
            gate: A verdict to begin with.
            rows: How many of the worst rows to show, 1 to 1000; each takes about 2 kB.

        Returns:
            The page.

        Raises:
            MissingExtraError: jinja2 is not installed.
            OptionError: ``rows`` is out of bounds.
            OSError: The file cannot be written; a former one is as it was.
        """
        from dqlabels.report.page import value_page

        made = value_page(self.report_facts(rows=rows), gate.to_dict() if gate else None)
        if path is not None:
            with replacing(path) as file:
                file.write(made.encode("utf-8", "replace"))
        return made

    def __repr__(self) -> str:
        found = f"{self.flagged:,} of {self.audited:,} values flagged"
        return f"<ValueAudit of {self.label!r}: {found} at a false-discovery rate of {self.fdr:.0%}>"

    def _repr_html_(self) -> str:
        judge = self.evidence.judge
        drawn = cloud(self.picture, self.evidence.targets, judge)
        facts = self.to_dict()
        facts["worst"] = [shown_row(row) for row in facts["worst"]]
        return html.value_fragment(facts, histogram(self.picture, judge), drawn)
