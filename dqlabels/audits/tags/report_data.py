"""What the report of several labels per row shows, as plain values whose size does not grow with the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dqlabels.frames.columns import Frame
from dqlabels.noise.probability import wrong_at
from dqlabels.report.data import made_with, quality_histogram
from dqlabels.report.explanations import shown_class
from dqlabels.report.listed_rows import MAX_SAVED_ROWS, MAX_VALUES, ListedRow, Saved, Values, row_values, saved_rows
from dqlabels.report.reading import Lead, ReviewCurve, curve_of, lead_of, reading_words
from dqlabels.report.sections import How, Section, section_of
from dqlabels.statistics.arrays import BoolArray, IntArray

if TYPE_CHECKING:
    from dqlabels.audits.tags.result import TagEvidence

# Tags are asked of every row, so what is left out may be wrong too.
ANSWERS = "labels, given or left out,"
METHOD = (
    "A row is listed if a label that it has is likely wrong, or one that it lacks is likely missing. Quality is the "
    "probability that all labels of the row are right, and each label has the probability that the models which did "
    "not see the row give it."
)
NONE = "(none)"
# Values in the line of a row, beside what was found.
MAX_VALUE_CHIPS = 2
COLUMNS: list[tuple[str, str, How]] = [
    ("label", "Label", "head"),
    ("rows", "Rows that have it", "count"),
    ("wrong", "Flagged as wrong", "count"),
    ("missing", "Flagged as missing", "count"),
    ("flagged_share", "Flagged share", "bar"),
    ("noise_rate", "Estimated noise", "rate"),
]


def tag_facts(
    summary: Mapping[str, Any], evidence: TagEvidence, table: Frame, *, flags: str, rows: int
) -> dict[str, Any]:
    """The summary with what a page draws: what to do, histogram, worst rows, the table of labels, origin.

    Args:
        summary: As ``MultilabelAudit.to_dict`` gives it.
        evidence: What is known of the n rows.
        table: The n rows, without what the audit added.
        flags: How many answers are flagged and likely wrong, as a sentence.
        rows: How many of the worst rows to list.
    """
    verdict, order = evidence.verdict, worst_rows(evidence)
    known = evidence.tags.known & ~np.isnan(verdict.row_quality)
    probable = bool(verdict.calibrations)
    curve = reading_curve(evidence) if probable else curve_of(np.empty(0), 0)
    return {
        **summary,
        "histogram": quality_histogram(verdict.row_quality[known].clip(0, 1), verdict.row_flagged[known]),
        "review_curve": curve,
        "lead": _lead(summary, curve, flags),
        "listable": summary["flagged"],
        "shown": listed_rows(evidence, table, order[:rows]),
        "saved": _saved(evidence, table, order[:MAX_SAVED_ROWS]),
        "sections": [_tags(summary)],
        "quality_meaning": "the probability that all labels of a row are right" if probable else "a score of the row",
        "method": METHOD,
        "notes": list(summary["warnings"]),
        "made": made_with(table),
    }


def reading_curve(evidence: TagEvidence) -> ReviewCurve:
    """Rows to read, worst first, and how many of them to expect to be wrong, by the intervals of the tags' rates."""
    verdict = evidence.verdict
    known = evidence.tags.known & ~np.isnan(verdict.row_quality)
    right = [np.ones(int(known.sum())), np.ones(int(known.sum()))]
    rates = [one.rate if one is not None else None for one in verdict.calibrations]
    for rate, quality in zip(rates, verdict.quality[known].T, strict=True):
        asked = ~np.isnan(quality)
        if rate is not None and asked.any():
            for end, share in zip(right, (rate.low, rate.high), strict=True):
                end[asked] *= 1 - wrong_at(1 - quality[asked], share)
    wrong, (low, high) = 1 - verdict.row_quality[known], (1 - end for end in right)
    ends = np.minimum(low, wrong), np.maximum(high, wrong)
    return curve_of(wrong, int(verdict.row_flagged.sum()), ends)


def worst_rows(evidence: TagEvidence) -> IntArray:
    """Return the numbers of the flagged rows, the worst first."""
    flagged = np.flatnonzero(evidence.verdict.row_flagged)
    return flagged[np.argsort(evidence.verdict.row_quality[flagged], kind="stable")]


def listed_rows(evidence: TagEvidence, table: Frame, order: IntArray) -> list[ListedRow]:
    """Return rows (s,) of the table as a page lists them."""
    suggested, has = evidence.suggested(), evidence.tags.codes == 1
    listed = row_values(table, order, evidence.tags.columns)
    more = max(len(table.columns) - len(evidence.tags.columns) - MAX_VALUES, 0)
    return [
        {
            "row": row,
            "given": _names(evidence, has[row]),
            "suggested": _names(evidence, suggested[row]),
            "quality": float(evidence.verdict.row_quality[row]),
            "kind": _kind(evidence, row),
            "chips": [*_found(evidence, row), *listed[at][:MAX_VALUE_CHIPS]],
            "says": "",
            "values": listed[at],
            "more_values": more,
        }
        for at, row in enumerate(order.tolist())
    ]


def _lead(summary: Mapping[str, Any], curve: ReviewCurve, flags: str) -> Lead:
    others = [f"the {summary['model_error']:.1%} on which the model disagrees"]
    if summary["flagged"]:
        others.insert(0, f"the {summary['flagged_share']:.1%} of rows that are flagged")
    read = reading_words(curve, summary["flagged"], wrong="have a wrong label")
    return lead_of(summary["noise_rate"], others, f"{read} {flags}" if summary["flagged"] else read, ANSWERS)


def _tags(summary: Mapping[str, Any]) -> Section:
    rows = [
        {**one, "noise_rate_low": one["noise_low"], "noise_rate_high": one["noise_high"]} for one in summary["classes"]
    ]
    return section_of("labels", "Which labels", COLUMNS, rows, caption="Labels with the largest flagged share first.")


def _saved(evidence: TagEvidence, table: Frame, order: IntArray) -> Saved:
    suggested, has = evidence.suggested(), evidence.tags.codes == 1
    answers = [
        (
            row, _names(evidence, has[row]), _names(evidence, suggested[row]),
            f"{evidence.verdict.row_quality[row]:.6f}", _kind(evidence, row),
        )
        for row in order.tolist()
    ]  # fmt: skip
    heads = ("row", evidence.tags.title, "suggested_label", "label_quality", "kind")
    return saved_rows(heads, answers, table, order, evidence.tags.columns)


def _names(evidence: TagEvidence, has: BoolArray) -> str:
    names: Sequence[str] = [shown_class(evidence.tags.values[tag]) for tag in np.flatnonzero(has)]
    return ", ".join(names) or NONE


def _flagged_tags(evidence: TagEvidence, row: int) -> list[int]:
    """The flagged tags of a row, the worst first."""
    tags = np.flatnonzero(evidence.verdict.flagged[row])
    worst: list[int] = tags[np.argsort(evidence.verdict.quality[row, tags], kind="stable")].tolist()
    return worst


def _kind(evidence: TagEvidence, row: int) -> str:
    kinds = {"wrong" if evidence.tags.codes[row, tag] == 1 else "missing" for tag in _flagged_tags(evidence, row)}
    return " and ".join(sorted(kinds))


def _found(evidence: TagEvidence, row: int) -> Values:
    """What is wrong with a row: each flagged label, and how likely it is by the model."""
    return [
        (
            shown_class(evidence.tags.values[tag]),
            f"{'wrong' if evidence.tags.codes[row, tag] == 1 else 'missing'}, {evidence.probs[row, tag]:.1%} likely",
        )
        for tag in _flagged_tags(evidence, row)
    ]
