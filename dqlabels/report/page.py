"""The report as one HTML file that asks the network for nothing; everything that came from data is escaped."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from dqlabels.errors import MissingExtraError
from dqlabels.report.draw import noise_scale, quality_bars, value_cloud

MAX_HEAD_LENGTH = 28
VERDICTS = {
    "pass": "The gate passed",
    "fail": "The gate failed",
    "inconclusive": "The gate is inconclusive",
    None: "No limit was set",
}


def page(facts: Mapping[str, Any], gate: Mapping[str, Any] | None = None) -> str:
    """The whole page.

    Args:
        facts: As ``LabelAudit.report_facts`` gives them.
        gate: As ``GateResult.to_dict`` gives it: its verdict comes first, its first limit joins the scale.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    limit = gate["limit"] if gate and gate["checks"][0]["what"] == "the label-noise rate" else None
    drawn = {"scale": noise_scale(facts["noise_rate"], limit), "bars": quality_bars(facts["histogram"])}
    return _rendered("report.html", facts, gate, drawn)


def value_page(facts: Mapping[str, Any], gate: Mapping[str, Any] | None = None) -> str:
    """The whole page of an audit of numbers.

    Args:
        facts: As ``ValueAudit.report_facts`` gives them.
        gate: As ``ValueGate.to_dict`` gives it: its verdict comes first.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    drawn = {"cloud": value_cloud(facts["cloud"]), "bars": quality_bars(facts["histogram"])}
    return _rendered("values.html", facts, gate, drawn)


def tables_page(
    label: str,
    summary: str,
    sections: Sequence[tuple[str, Sequence[str], Sequence[Mapping[str, Any]]]],
    notes: Sequence[str],
    gate: Mapping[str, Any] | None = None,
) -> str:
    """The whole page of an audit that is told in tables.

    Args:
        label: The label column.
        summary: The audit in lines of text, without the notes.
        sections: The title, the columns and the rows of each table.
        notes: What a reader should know of the data.
        gate: As ``GateResult.to_dict`` gives it: its verdict comes first.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    from dqlabels.version import __version__

    tables = [{"title": title, "columns": list(columns), "rows": list(rows)} for title, columns, rows in sections]
    shown = {"label": label, "lines": summary.splitlines(), "tables": tables, "notes": notes, "version": __version__}
    return _rendered("tables.html", shown, gate, {})


def _rendered(template: str, facts: Mapping[str, Any], gate: Mapping[str, Any] | None, drawn: Mapping[str, str]) -> str:
    """A template filled in; ``drawn`` are drawings that need no escaping any more."""
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
        from markupsafe import Markup
    except ImportError as error:
        raise MissingExtraError('The HTML report needs jinja2: pip install "dqlabels[report]"') from error
    # Escaped whatever the template is called; what is not, is marked here by hand: our style, script and drawings.
    environment = Environment(
        loader=PackageLoader("dqlabels.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(cell=_cell, percent=_percent, count=_count, ratio=_ratio, clean=_clean, brief=_brief)
    script = _asset("report.js")
    return environment.get_template(template).render(
        facts=facts,
        gate=gate,
        verdict=VERDICTS[gate["verdict"] if gate else None],
        style=Markup(_asset("report.css")),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        **{name: Markup(drawing) for name, drawing in drawn.items()},  # noqa: S704 - of numbers, or escaped
    )


def _cell(value: object) -> str:
    """A value of a table: fractions to three places, what is missing as a dash."""
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
    """How many times: of a value that is rarer, as in ÷3."""
    sign, times = ("×", ratio) if ratio >= 1 else ("÷", 1 / ratio)
    return f"{sign}{times:.1f}" if times < 10 else f"{sign}{times:.0f}"


def _brief(value: str) -> str:
    """A name that heads a narrow column."""
    return value if len(value) <= MAX_HEAD_LENGTH else value[: MAX_HEAD_LENGTH - 1] + "…"


def _clean(value: object) -> str:
    """Text without the control characters that HTML forbids."""
    return "".join(letter if letter.isprintable() or letter in " \n\t" else "�" for letter in str(value))
