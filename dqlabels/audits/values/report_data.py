"""What the report of numbers shows, as one plain dict whose size does not grow with the table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dqlabels.audits.values.columns import ValueJudge
from dqlabels.audits.values.drawing import Cloud
from dqlabels.audits.values.evidence import ValueEvidence
from dqlabels.audits.values.picture import QUALITY_BINS, SIDE, Picture
from dqlabels.frames.columns import Frame
from dqlabels.frames.targets import Targets
from dqlabels.report.data import Histogram, made_with
from dqlabels.report.evidence import index_values, plain
from dqlabels.report.explanations import shown_value
from dqlabels.report.listed_rows import MAX_SAVED_ROWS, MAX_VALUES, Saved, row_values, saved_rows
from dqlabels.report.reading import Lead, ReviewCurve, curve_of, reading_words
from dqlabels.report.text import first_sentence
from dqlabels.statistics.arrays import IntArray
from dqlabels.statistics.residuals import COMMON

AMOUNTS = ("given", "suggested", "low", "high")
TICKS = 5
# Columns in the line of a row, beside what was expected of it.
MAX_CHIPS = 2
METHOD = (
    "The models that did not see a row predict its value. The spread of the trees among them, and how far the values "
    f"of this table usually lie from their prediction, say between which amounts {COMMON:.0%} of right values of such "
    "a row are expected. The score is the distance from the prediction over what is usual for the row."
)


def value_facts(
    summary: Mapping[str, Any], evidence: ValueEvidence, picture: Picture, worst: Frame, order: IntArray, rows: int
) -> dict[str, Any]:
    """The summary with what a page draws: qualities, given against predicted values, worst rows, origin.

    Args:
        summary: As ``ValueAudit.to_dict`` gives it.
        evidence: What is known of the audited rows.
        picture: Counts of all of them.
        worst: The frame's rows at ``order``, with whatever columns are to be shown.
        order: (s,) places among the audited rows, worst first.
        rows: How many of these to list; all of them are there to be saved.
    """
    label = summary["label"]
    curve = curve_of(1 - evidence.quality[evidence.worst()[0]], summary["flagged"])
    return {
        **summary,
        "review_curve": curve,
        "lead": _lead(summary, curve),
        "saved": _saved(evidence, worst, order, label),
        "listable": summary["flagged"],
        "sections": [],
        "histogram": histogram(picture, evidence.judge),
        "cloud": cloud(picture, evidence.targets, evidence.judge),
        "shown": _shown_rows(evidence, worst, order[:rows], label),
        "method": METHOD,
        "expected": COMMON,
        "notes": list(summary["warnings"]),
        "made": made_with(worst),
    }


def histogram(picture: Picture, judge: ValueJudge) -> Histogram:
    """Rows by quality in 40 equal steps of [0, 1], flagged and not, and the quality at which flags begin."""
    cut = judge.rule.sizes.cutoff
    return {
        "edges": np.linspace(0, 1, QUALITY_BINS + 1).tolist(),
        "kept": picture.quality[0].tolist(),
        "flagged": picture.quality[1].tolist(),
        "cut": float(judge.rule.sizes.right.of(np.array([cut]))[0]) if np.isfinite(cut) else None,
    }


def cloud(picture: Picture, targets: Targets, judge: ValueJudge) -> Cloud:
    """Rows by predicted and given value on a grid of ``side`` x ``side``: each filled cell's place and rows.

    ``ticks`` are amounts at equal steps along both axes, which are alike.
    """
    steps = np.linspace(picture.axis.low, picture.axis.high, TICKS)
    amounts = targets.written(targets.possible(judge.scale.undo(steps))).to_list()
    kept, flagged = (
        np.column_stack([*np.nonzero(cells), cells[np.nonzero(cells)]]).tolist() for cells in picture.values
    )
    return {"side": SIDE, "ticks": [shown_amount(each, 4) for each in amounts], "kept": kept, "flagged": flagged}


def _lead(summary: Mapping[str, Any], curve: ReviewCurve) -> Lead:
    """What the page says first; numbers have no noise rate."""
    share, flagged = summary["flagged_share"], summary["flagged"]
    found = f"{flagged:,} of {summary['audited']:,} values are flagged ({share:.{2 if share < 0.01 else 1}%})"
    likely = f"{found}; about {summary['fdr']:.0%} of them are expected to be right."
    assumption, more = first_sentence(summary["assumption"])
    return {
        "verdict": likely if flagged else f"None of {summary['audited']:,} values is flagged.",
        "advice": "Judge the column by the flagged share: numbers have no noise rate, since errors within the scatter "
        "of right values cannot be counted.",
        "read": reading_words(curve, flagged, what="values"),
        "assumption": assumption,
        "more": more,
    }


def _saved(evidence: ValueEvidence, worst: Frame, order: IntArray, label: str) -> Saved:
    """The worst flagged rows as CSV."""
    answers = [
        (row["row"], row["given"], row["suggested"], row["low"], row["high"], f"{row['quality']:.6g}", row["kind"])
        for row in row_facts(evidence, order[:MAX_SAVED_ROWS])
    ]
    heads = ("row", label, "suggested_label", "expected_low", "expected_high", "label_quality", "kind")
    return saved_rows(heads, answers, worst, np.arange(len(answers)), [label])


def _shown_rows(evidence: ValueEvidence, worst: Frame, order: IntArray, label: str) -> list[dict[str, object]]:
    """The worst rows with what was expected of them and their values."""
    listed = row_values(worst, np.arange(order.size), [label])
    more = max(len(worst.columns) - 1 - MAX_VALUES, 0)
    return [
        {
            **(row := shown_row(found)),
            "score": float(evidence.scores[order[at]]),
            "chips": [("expected", f"{row['low']} to {row['high']}"), *listed[at][:MAX_CHIPS]],
            "says": f"Given {row['given']}. The models that did not see this row predict {row['suggested']}, and "
            f"{COMMON:.0%} of right values of such a row are expected from {row['low']} to {row['high']}.",
            "values": listed[at],
            "more_values": more,
        }
        for at, found in enumerate(row_facts(evidence, order))
    ]


def row_facts(evidence: ValueEvidence, order: IntArray, table: Frame | None = None) -> list[dict[str, object]]:
    """Flagged rows (s,) as plain values: given and predicted amount, between which a right one is expected, quality."""
    targets, outputs, index = evidence.targets, evidence.outputs[order], index_values(table)
    bounds = evidence.judge.interval(targets, outputs[:, 0], outputs[:, 1])
    given = targets.column[evidence.places[order].tolist()].to_list()
    suggested, low, high = (targets.written(each).to_list() for each in (evidence.predicted[order], *bounds))
    return [
        {
            "row": int(evidence.positions[at]),
            **({} if index is None else {"index": plain(index[int(evidence.positions[at])])}),
            "given": plain(given[place]),
            "suggested": plain(suggested[place]),
            "low": plain(low[place]),
            "high": plain(high[place]),
            "quality": float(evidence.quality[at]),
            "kind": "high" if evidence.scores[at] > 0 else "low",
        }
        for place, at in enumerate(order.tolist())
    ]


def shown_amount(value: object, digits: int = 6) -> str:
    """An amount as a person reads it: so many digits of a fraction, all of a whole number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return shown_value(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.{digits}g}"


def shown_row(row: Mapping[str, object]) -> dict[str, object]:
    """A row of :func:`row_facts` with its amounts as a person reads them."""
    return {key: shown_amount(value) if key in AMOUNTS else value for key, value in row.items()}
