"""An audit of one class per row as a terminal shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dqlabels.audits.base import Overview, Tone
from dqlabels.report.text import likely_wrong

if TYPE_CHECKING:
    from dqlabels.report.summary import ClassSummary

MAX_CLASSES, MAX_PAIRS = 12, 5


def class_overview(summary: ClassSummary) -> Overview:
    """Return what is flagged, the noise rate and what it assumes, the worst classes, confusions and rows."""
    rate = summary["noise_rate"]
    missing = f", {summary['missing']:,} without a label" if summary["missing"] else ""
    headline = (
        f"{summary['label']}: {summary['flagged']:,} of {summary['audited']:,} labels flagged "
        f"({summary['flagged_share']:.1%}){missing}{likely_wrong(summary['flagged'], summary['expected_wrong'])}"
    )
    estimate = (
        f"Estimated noise rate {rate['estimate']:.1%} ({rate['confidence']:.0%} interval {rate['low']:.1%} to "
        f"{rate['high']:.1%}, method {rate['method']}), model error {summary['model_error']:.1%} ({summary['model']})."
    )
    lines: list[tuple[Tone, str]] = [("headline", headline), ("plain", estimate)]
    lines += [("caution", rate["caution"])] if rate["caution"] else []
    lines += [("assumption", rate["assumption"])]
    classes = [
        {
            "class": row["class"],
            "rows": row["rows"],
            "flagged": row["flagged"],
            "flagged_share": row["flagged_share"],
            "noise_rate": row["noise_rate"],
        }
        for row in sorted(summary["classes"], key=lambda row: -row["flagged_share"])[:MAX_CLASSES]
    ]
    flagged = summary["flagged"] > 0
    pairs = {"Commonest confusions": summary["confusions"][:MAX_PAIRS]} if flagged else {}
    return Overview(tuple(lines), {"Classes": classes, **pairs}, flagged, tuple(summary["warnings"]))
