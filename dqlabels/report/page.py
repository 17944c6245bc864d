"""The report as one HTML file that loads nothing from the network; everything that came from data is escaped."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import TYPE_CHECKING

from dqlabels.errors import needing
from dqlabels.report.data import ReportData
from dqlabels.report.draw import noise_scale, quality_bars, review_curve

if TYPE_CHECKING:
    from dqlabels.audits.gate import GateResult

MAX_HEAD_LENGTH = 28
VERDICTS = {
    "pass": "The gate passed",
    "fail": "The gate failed",
    "inconclusive": "The gate is inconclusive",
    None: "No limit was set",
}


def page(data: ReportData, gate: GateResult | None = None) -> str:
    """Return the whole page of an audit of classes.

    Args:
        data: What the page shows.
        gate: A verdict to begin with; its first limit is drawn on the scale.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    limit = gate.limit if gate and gate.check.what == "the label-noise rate" else None
    drawn = {
        "scale": noise_scale(data["noise_rate"], limit),
        "bars": quality_bars(data["histogram"]),
        "curve": review_curve(data["review_curve"], data["flagged"]),
    }
    return render("report.html", data, gate, drawn)


def tables_page(
    label: str,
    summary: str,
    sections: Sequence[tuple[str, Sequence[str], Sequence[Mapping[str, object]]]],
    notes: Sequence[str],
    gate: GateResult | None = None,
) -> str:
    """Return the whole page of an audit that is shown as tables.

    Args:
        label: The label column.
        summary: The audit in lines of text, without the notes.
        sections: The title, the columns and the rows of each table.
        notes: What a reader should know about the data.
        gate: A verdict to begin with.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    from dqlabels.version import __version__

    tables = [{"title": title, "columns": list(columns), "rows": list(rows)} for title, columns, rows in sections]
    shown = {"label": label, "lines": summary.splitlines(), "tables": tables, "notes": notes, "version": __version__}
    return render("tables.html", shown, gate, {})


def render(
    template: str,
    report: Mapping[str, object],
    gate: GateResult | None,
    drawings: Mapping[str, str],
    package: str = "dqlabels.report",
) -> str:
    """Fill in a template.

    Args:
        template: Its file name.
        report: What the page shows; everything in it is escaped.
        gate: A verdict to begin with.
        drawings: SVG by name, in which everything from data is escaped already.
        package: The package whose ``templates`` hold the template; it may extend those of the report.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    with needing('The HTML report needs jinja2: pip install "dqlabels[report]"'):
        from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
        from markupsafe import Markup
    # Everything is escaped except what is marked below: our own style, script and drawings.
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("dqlabels.report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(cell=_cell, percent=_percent, count=_count, ratio=_ratio, clean=_clean, brief=_brief)
    script = _asset("report.js")
    return environment.get_template(template).render(
        report=report,
        gate=gate,
        verdict=VERDICTS[gate.verdict if gate else None],
        style=Markup(_asset("report.css")),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        **{name: Markup(drawing) for name, drawing in drawings.items()},  # noqa: S704 - numbers only, or escaped
    )


def _cell(value: object) -> str:
    """A value of a table: fractions with three decimals, and a dash if it is missing."""
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else _clean(value)


def _asset(name: str) -> str:
    return resources.files("dqlabels.report").joinpath("templates").joinpath(name).read_text(encoding="utf-8")


def _percent(share: float, digits: int = 1) -> str:
    return f"{share:.{digits}%}"


def _count(number: int) -> str:
    return f"{number:,}"


def _ratio(ratio: float) -> str:
    """How many times more common, or ÷ how many times less common."""
    sign, times = ("×", ratio) if ratio >= 1 else ("÷", 1 / ratio)
    return f"{sign}{times:.1f}" if times < 10 else f"{sign}{times:.0f}"


def _brief(value: str) -> str:
    """A name that fits the head of a narrow column."""
    return value if len(value) <= MAX_HEAD_LENGTH else value[: MAX_HEAD_LENGTH - 1] + "…"


def _clean(value: object) -> str:
    """Text without the control characters that HTML forbids."""
    return "".join(letter if letter.isprintable() or letter in " \n\t" else "�" for letter in str(value))
