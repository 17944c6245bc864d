"""An audit of numbers as text, as a notebook view and as a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dqlabels.audits.values.drawing import Cloud, value_cloud
from dqlabels.report.data import Histogram
from dqlabels.report.draw import quality_bars
from dqlabels.report.html import escape_data, escape_text, notebook_view, table
from dqlabels.report.page import render
from dqlabels.report.text import worst_lines

if TYPE_CHECKING:
    from dqlabels.audits.gate import GateResult


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


def fragment(audit: Mapping[str, Any], histogram: Histogram, cloud: Cloud) -> str:
    """Return an audit of numbers in short: headline, assumption, pictures and worst rows."""
    parts = [
        f"<h4>Values in {escape_data(audit['label'])}</h4>",
        f"<p><b>{audit['flagged']:,}</b> of {audit['audited']:,} values are flagged ({audit['flagged_share']:.1%}) "
        f"at a false-discovery rate of {audit['fdr']:.0%}.</p>",
        f"<p class='soft'>{escape_text(audit['assumption'])}</p>",
        "<p class='soft'>Given values by what the other rows predict:</p>",
        value_cloud(cloud),
        "<p class='soft'>Rows by label quality, flagged ones below the line:</p>",
        quality_bars(histogram),
        table(("row", "given", "suggested", "low", "high", "quality", "kind"), audit["worst"]),
    ]
    return notebook_view(parts, audit["warnings"])


def page(report: Mapping[str, Any], gate: GateResult | None = None) -> str:
    """Return the whole page of an audit of numbers.

    Args:
        report: What the page shows.
        gate: A verdict to begin with.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    drawings = {"cloud": value_cloud(report["cloud"]), "bars": quality_bars(report["histogram"])}
    return render("values.html", report, gate, drawings, "dqlabels.audits.values")
