"""An audit of numbers as text, as a notebook view and as a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from dqlabels.audits.values.drawing import value_cloud
from dqlabels.report.draw import quality_bars
from dqlabels.report.html import escape_data, notebook_view
from dqlabels.report.page import drawings, render
from dqlabels.report.text import worst_lines

if TYPE_CHECKING:
    from dqlabels.audits.gate import GateResult
    from dqlabels.report.data import Drawn


def summary(audit: Mapping[str, Any]) -> str:
    """Return an audit of numbers in a dozen lines: how many are flagged, at which rate of false flags, which rows."""
    missing = f", {audit['missing']:,} without a value" if audit["missing"] else ""
    lines = [
        f"Values in {audit['label']!r}: {audit['audited']:,} rows audited{missing}, {audit['flagged']:,} flagged "
        f"({audit['flagged_share']:.1%}) at a false-discovery rate of {audit['fdr']:.0%}.",
        audit["assumption"],
        f"Judged by {audit['model']}; the values lie {audit['model_error']:.0%} as far from their prediction as from "
        "the column's median.",
    ]
    lines += worst_lines(audit["worst"])
    lines += [f"Note: {note}" for note in audit["warnings"]]
    return "\n".join(lines)


def fragment(report: Mapping[str, Any]) -> str:
    """Return an audit of numbers in short: what to do, worst rows and pictures."""
    return notebook_view(
        f"Values in {escape_data(report['label'])}",
        report["lead"],
        rows=report["shown"],
        drawings=[value_cloud(report["cloud"]), quality_bars(report["histogram"])],
        notes=report["warnings"],
    )


def page(report: Mapping[str, Any], gate: GateResult | None = None) -> str:
    """Return the whole page of an audit of numbers.

    Args:
        report: What the page shows.
        gate: A verdict to begin with.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    drawn = {**drawings(cast("Drawn", report), None, gate), "cloud": value_cloud(report["cloud"])}
    return render("values.html", report, gate, drawn, "dqlabels.audits.values")
