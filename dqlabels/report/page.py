"""The report as one HTML file that loads nothing from the network; everything that came from data is escaped."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from importlib import resources
from typing import TYPE_CHECKING, Any, cast

from dqlabels.errors import needing
from dqlabels.report.data import Drawn, ReportData, ratio_words
from dqlabels.report.draw import noise_scale, quality_bars, reading_marks, review_curve
from dqlabels.report.sections import Section, full_bar

if TYPE_CHECKING:
    from dqlabels.audits.gate import GateResult
    from dqlabels.noise.rate import RateData

MAX_HEAD_LENGTH = 28
MIN_QUALITY_SHOWN = 0.001
# A curve of fewer points says no more than the sentence above it.
MIN_POINTS = 3
# What a gate calls a noise rate of the whole table.
OF_THE_TABLE = ("the label-noise rate", "the share of wrong labels")
VERDICTS = {
    "pass": "The gate passed",
    "fail": "The gate failed",
    "inconclusive": "The gate is inconclusive",
    None: "",
}


def page(data: ReportData, gate: GateResult | None = None, segments: Section | None = None) -> str:
    """Return the whole page of an audit of classes.

    Args:
        data: What the page shows.
        gate: A verdict to begin with; its first limit is drawn on the scale.
        segments: A table of segments to show.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    shares = [one["flagged_share"] for one in data["classes"]] + [pair["share"] for pair in data["pairs"]]
    shown = {
        **data,
        "full_bar": full_bar(shares),
        "listable": data["flagged"],
        "sections": [] if segments is None else [segments],
    }
    return render("report.html", shown, gate, drawings(data, data["noise_rate"], gate))


def labels_page(shown: Mapping[str, Any], gate: GateResult | None = None, segments: Section | None = None) -> str:
    """Return the whole page of several labels or several annotators.

    Args:
        shown: What the page shows.
        gate: A verdict to begin with.
        segments: A table of segments to show after the first section.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    first, *rest = shown["sections"]
    sections = [first, *([] if segments is None else [segments]), *rest]
    drawn = drawings(cast("Drawn", shown), shown["noise_rate"], gate)
    return render("labels.html", {**shown, "sections": sections}, gate, drawn)


def drawings(shown: Drawn, rate: RateData | None, gate: GateResult | None) -> dict[str, str]:
    """Return what every page draws, by name.

    Args:
        shown: The histogram, the review curve and how many rows are flagged.
        rate: The noise rate, None where there is none.
        gate: A verdict whose first limit is drawn on the scale.
    """
    limit = gate.limit if gate and gate.check.what in OF_THE_TABLE else None
    curve, flagged = shown["review_curve"], shown["flagged"]
    return {
        "scale": noise_scale(rate, limit) if rate is not None and rate["supported"] else "",
        "bars": quality_bars(shown["histogram"]),
        "curve": review_curve(curve, reading_marks(curve, flagged)) if len(curve["rows"]) >= MIN_POINTS else "",
    }


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
    environment.filters.update(
        cell=_cell, percent=_percent, count=_count, ratio=ratio_words, clean=_clean, brief=_brief
    )
    environment.filters["quality"] = _quality
    script = _asset("report.js")
    return environment.get_template(template).render(
        report=report,
        gate=gate,
        verdict=VERDICTS[gate.verdict if gate else None],
        says_rate=gate is not None and gate.check.what in OF_THE_TABLE,
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


def _quality(quality: float) -> str:
    return f"{quality:.3f}" if quality >= MIN_QUALITY_SHOWN else f"< {MIN_QUALITY_SHOWN:g}"


def _brief(value: str) -> str:
    """A name that fits the head of a narrow column."""
    return value if len(value) <= MAX_HEAD_LENGTH else value[: MAX_HEAD_LENGTH - 1] + "…"


def _clean(value: object) -> str:
    """Text without the control characters that HTML forbids."""
    return "".join(letter if letter.isprintable() or letter in " \n\t" else "�" for letter in str(value))
