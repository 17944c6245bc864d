"""What the report of several annotators shows, as plain values whose size does not grow with the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dqlabels.audits.annotators.findings import Findings
from dqlabels.audits.annotators.wording import agreement_line, rate_words
from dqlabels.frames.columns import Frame
from dqlabels.noise.annotators import annotators_noise
from dqlabels.noise.probability import wrong_at
from dqlabels.report.data import made_with, quality_histogram
from dqlabels.report.explanations import shown_class, shown_value
from dqlabels.report.listed_rows import MAX_SAVED_ROWS, MAX_VALUES, ListedRow, Saved, Values, row_values, saved_rows
from dqlabels.report.reading import Lead, ReviewCurve, curve_of, reading_words
from dqlabels.report.sections import How, Section, section_of
from dqlabels.report.text import first_sentence, rate_verdict
from dqlabels.statistics.arrays import IntArray

# Items to label next, and labels of an item, that are shown.
MAX_NEXT, MAX_LABELS = 20, 12
METHOD = (
    "A row is listed if its label is not the consensus of its item or, with one column per annotator, if at least half "
    "of its labels are not. Quality is the probability that the label (or the consensus) is right, given all labels "
    "and how often each annotator errs."
)
NOBODY = "(none)"
ANNOTATORS: list[tuple[str, str, How]] = [
    ("annotator", "Annotator", "head"),
    ("labels", "Labels", "count"),
    ("noise_rate", "Wrong labels", "rate"),
    ("disagreement", "Not the consensus", "bar"),
    ("worst_class", "Least trusted class", "text"),
]
NEXT: list[tuple[str, str, How]] = [
    ("item", "Item", "head"),
    ("consensus", "Consensus", "text"),
    ("labels", "Labels", "count"),
    ("agreeing", "Agreeing", "share"),
    ("quality", "Probability right", "share"),
]


def annotator_facts(
    summary: Mapping[str, Any], findings: Findings, table: Frame, to_label: Sequence[Mapping[str, Any]], *, rows: int
) -> dict[str, Any]:
    """The summary with what a page draws: what to do, histogram, worst rows, annotators, what to label next, origin.

    Args:
        summary: As ``AnnotatorAudit.to_dict`` gives it.
        findings: What was found.
        table: The n rows, without what the audit added.
        to_label: The items to label next, as plain values.
        rows: How many of the worst rows to list.
    """
    quality, _, flagged, judged = findings.row_facts()
    order = worst_rows(findings)
    curve = reading_curve(findings)
    return {
        **summary,
        "histogram": quality_histogram(quality[judged].clip(0, 1), flagged[judged]),
        "review_curve": curve,
        "lead": _lead(summary, findings, curve),
        "listable": summary["flagged"],
        "shown": listed_rows(findings, table, order[:rows]),
        "saved": _saved(findings, table, order[:MAX_SAVED_ROWS]),
        "sections": [_annotators(summary), _next(to_label)],
        "quality_meaning": "the probability that the label (with one column per annotator: the consensus) is right",
        "method": METHOD,
        "notes": list(summary["warnings"]),
        "made": made_with(table),
    }


def reading_curve(findings: Findings) -> ReviewCurve:
    """The rows to read, worst first, and how many of them to expect to be wrong, by the interval of their rate.

    A row of a wide frame is wrong where its consensus is, a row of a long one where its label is.
    """
    quality, _, flagged, judged = findings.row_facts()
    wrong = 1 - quality[judged]
    rate = annotators_noise(findings.draws, of="consensus" if findings.reading.given is None else "labels")
    mean = float(wrong.mean()) if wrong.size else 0.0
    ends = [wrong_at(wrong, one) for one in (min(rate.low, mean), max(rate.high, mean))]
    return curve_of(wrong, int(flagged.sum()), (ends[0], ends[1]), rate.confidence)


def worst_rows(findings: Findings) -> IntArray:
    """Return the numbers of the flagged rows, the worst first."""
    quality, _, flagged, _ = findings.row_facts()
    rows = np.flatnonzero(flagged)
    return rows[np.argsort(quality[rows], kind="stable")]


def listed_rows(findings: Findings, table: Frame, order: IntArray) -> list[ListedRow]:
    """Return rows (s,) of the table as a page lists them."""
    reading, (quality, suggested, _, _) = findings.reading, findings.row_facts()
    listed = row_values(table, order, reading.names)
    labels = _labels_of(findings, reading.item_of_row[order])
    return [
        {
            "row": row,
            "given": _given(findings, row, labels[at]),
            "suggested": _class(findings, int(suggested[row])),
            "quality": float(quality[row]),
            "kind": "",
            "chips": [*_who(findings, row), *labels[at][:MAX_LABELS]],
            "says": "",
            "values": listed[at],
            "more_values": max(len(table.columns) - len(reading.names) - MAX_VALUES, 0),
        }
        for at, row in enumerate(order.tolist())
    ]


def _lead(summary: Mapping[str, Any], findings: Findings, curve: ReviewCurve) -> Lead:
    rate, wide = summary["noise_rate"], findings.reading.given is None
    consensus = summary["consensus_noise_rate"]["estimate"]
    advice = f"Judge the annotators by this rate, and the consensus by its own: about {consensus:.1%} of it is wrong."
    if summary["flagged"]:
        advice += f" The {summary['flagged_share']:.1%} of rows that are flagged are for reading."
    assumption, more = first_sentence(rate["assumption"])
    words = "have a wrong consensus" if wide else "are wrong"
    return {
        "verdict": rate_verdict(rate) if rate["supported"] else f"{rate_words(rate)}.",
        "advice": f"{advice} {rate['caution']}".strip(),
        "read": reading_words(curve, summary["flagged"], wrong=words),
        "assumption": assumption,
        "more": more,
    }


def _annotators(summary: Mapping[str, Any]) -> Section:
    rows = [
        {
            **one,
            "noise_rate_low": one["noise_low"],
            "noise_rate_high": one["noise_high"],
            "disagreement": None if one["agreement_with_consensus"] is None else 1 - one["agreement_with_consensus"],
        }
        for one in summary["annotators"]
    ]
    return section_of("annotators", "Which annotators", ANNOTATORS, rows, caption=agreement_line(summary))


def _next(to_label: Sequence[Mapping[str, Any]]) -> Section:
    caption = "Items whose consensus one more label would change most."
    return section_of("next", "What to label next", NEXT, to_label, caption=caption, most=MAX_NEXT)


def _saved(findings: Findings, table: Frame, order: IntArray) -> Saved:
    quality, suggested, _, _ = findings.row_facts()
    answers = [(row, _class(findings, int(suggested[row])), f"{quality[row]:.6f}") for row in order.tolist()]
    return saved_rows(("row", "suggested_label", "label_quality"), answers, table, order, ())


def _class(findings: Findings, code: int) -> str:
    return shown_class(findings.reading.labels.classes[code]) if code >= 0 else NOBODY


def _labels_of(findings: Findings, items: IntArray) -> list[Values]:
    """Who gave which label to each of the items (s,)."""
    votes, names = findings.reading.votes, findings.reading.annotators
    found: dict[int, Values] = {item: [] for item in items.tolist()}
    for vote in np.flatnonzero(np.isin(votes.item, items)).tolist():
        label = (shown_value(names[votes.who[vote]]), _class(findings, int(votes.code[vote])))
        found[int(votes.item[vote])].append(label)
    return [found[item] for item in items.tolist()]


def _given(findings: Findings, row: int, labels: Values) -> str:
    """The label of a row, or all different ones where it holds several."""
    given = findings.reading.given
    return (
        _class(findings, int(given[row])) if given is not None else ", ".join(dict.fromkeys(name for _, name in labels))
    )


def _who(findings: Findings, row: int) -> Values:
    """Whose label a row of a long frame holds, and of which item."""
    reading = findings.reading
    if reading.given is None:
        return []
    vote = np.count_nonzero(reading.given[: row + 1] >= 0) - 1  # votes are in the order of the rows
    item = int(reading.item_of_row[row])
    shown = item if reading.items is None else reading.items[item]
    return [("given by", shown_value(reading.annotators[reading.votes.who[vote]])), ("item", shown_value(shown))]
