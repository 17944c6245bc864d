"""The result of an audit of numbers: frozen, complete, and every number in it a table in the caller's frame library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from dqlabels.errors import OptionError
from dqlabels.evidence import index_values, plain
from dqlabels.findings import issue_rows
from dqlabels.frames.columns import Frame
from dqlabels.frames.targets import Targets
from dqlabels.gate import Answer, Decide, GateCheck, Measured, OnInconclusive, conclusion, hold
from dqlabels.rate import share_interval
from dqlabels.report import html, text

MOST_ROWS_IN_DICT = 10
INTERVAL = 0.90  # confidence of the flagged share's interval
# The features predict so little beyond this model error that only gross errors can be told.
POOR = 0.9

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


@dataclass(frozen=True, slots=True, eq=False)
class ValueEvidence:
    """What the tables of a :class:`ValueAudit` are made from; arrays are over the m audited rows.

    ``positions`` (m,) row numbers in the frame, ``predicted`` (m,) amounts that the label's dtype holds, ``scores``
    (m,) residuals over what is usual for the row, signed, ``quality`` (m,) p-values in [0, 1], ``flagged`` (m,).
    """

    targets: Targets
    positions: NDArray[np.int64]
    predicted: NDArray[np.float64]
    scores: NDArray[np.float64]
    quality: NDArray[np.float64]
    flagged: NDArray[np.bool_]

    def worst(self) -> tuple[NDArray[np.int64], list[str]]:
        """Audited positions of the flagged rows, worst first, and whether each is too ``high`` or too ``low``."""
        found = np.flatnonzero(self.flagged)
        # The p-values of the very worst may all be 0; their scores still tell them apart.
        order = found[np.lexsort((-np.abs(self.scores[found]), self.quality[found]))]
        return order, ["high" if score > 0 else "low" for score in self.scores[order]]


@dataclass(frozen=True, slots=True)
class ValueGate(Answer):
    """A verdict on one column of numbers; ``confidence`` is that of the interval of the share."""

    confidence: float = INTERVAL

    @property
    def check(self) -> GateCheck:
        """The one limit."""
        return self.checks[0]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ValueAudit:
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

    @property
    def flagged_share(self) -> float:
        """Flagged rows over audited rows, in [0, 1]; about ``fdr`` of them are expected to be right."""
        return self.flagged / self.audited if self.audited else 0.0

    @property
    def issues(self) -> Any:
        """Flagged rows, worst first: row number, label, suggestion, quality, kind, then the other columns.

        ``kind`` is ``high`` or ``low``: on which side of the prediction the value lies.
        """
        order, kinds = self.evidence.worst()
        return issue_rows(self.table, self.label, self.names, self.evidence.positions[order], kinds)

    @property
    def predictions(self) -> Any:
        """A row per audited row: its number, the out-of-sample prediction in the label's dtype, and the score.

        The score is the residual over what is usual for the row, with its sign: above 0 where the value is high.
        """
        evidence, backend = self.evidence, self.table.implementation
        written = evidence.targets.replaced(evidence.positions, evidence.predicted)[evidence.positions.tolist()]
        if backend.is_pandas_like():
            written = nw.from_native(written.to_native().reset_index(drop=True), series_only=True)
        table = nw.from_dict({"row": evidence.positions, "score": evidence.scores}, backend=backend)
        return table.with_columns(written.alias("prediction")).select("row", "prediction", "score").to_native()

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

    def gate(
        self,
        *,
        max_flagged_share: float | None = None,
        max_noise_rate: float | None = None,
        decide: Decide = "estimate",
        on_inconclusive: OnInconclusive = "warn",
    ) -> ValueGate:
        """Hold the flagged share against a limit; see :func:`dqlabels.gate.decide_gate`.

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
        evidence, index = self.evidence, index_values(self.table)
        order, kinds = evidence.worst()
        order = order[:MOST_ROWS_IN_DICT]
        shown = self.table[evidence.positions[order].tolist()]
        given, suggested = shown[self.label].to_list(), shown[self.names[1]].to_list()
        return [
            {
                "row": int(evidence.positions[at]),
                **({} if index is None else {"index": plain(index[int(evidence.positions[at])])}),
                "given": plain(given[place]),
                "suggested": plain(suggested[place]),
                "quality": float(evidence.quality[at]),
                "kind": kinds[place],
            }
            for place, at in enumerate(order)
        ]

    def __repr__(self) -> str:
        found = f"{self.flagged:,} of {self.audited:,} values flagged"
        return f"<ValueAudit of {self.label!r}: {found} at a false-discovery rate of {self.fdr:.0%}>"

    def __str__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return html.value_fragment(self.to_dict())
