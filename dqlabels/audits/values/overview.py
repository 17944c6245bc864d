"""An audit of numbers as a terminal shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dqlabels.audits.base import Overview


def value_overview(summary: Mapping[str, Any]) -> Overview:
    """Return how many values were flagged at which rate of false flags, what that assumes, and the worst rows."""
    missing = f", {summary['missing']:,} without a value" if summary["missing"] else ""
    headline = (
        f"{summary['label']}: {summary['flagged']:,} of {summary['audited']:,} values flagged "
        f"({summary['flagged_share']:.1%}) at a false-discovery rate of {summary['fdr']:.0%}{missing}"
    )
    error = (
        f"The values lie {summary['model_error']:.0%} as far from their prediction as from the median "
        f"({summary['model']})."
    )
    return Overview(
        (("headline", headline), ("plain", error), ("assumption", summary["assumption"])),
        lists_issues=summary["flagged"] > 0,
        notes=tuple(summary["warnings"]),
    )
