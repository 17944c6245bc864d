"""An audit as a short HTML fragment for notebooks; everything that came from data is escaped.

It needs no extra and no script, and follows the theme of the notebook.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from dqlabels.report.data import Histogram
from dqlabels.report.draw import noise_scale, quality_bars
from dqlabels.report.summary import ClassSummary
from dqlabels.report.text import likely_wrong, quality_meaning

MAX_ROWS = 10
SHARES = ("share", "flagged_share", "noise_rate")
BARRED = ("share", "flagged_share")
STYLE = """
.dqlabels { max-width: 60rem; line-height: 1.45; }
.dqlabels table { border-collapse: collapse; margin: .5em 0; font-variant-numeric: tabular-nums; }
.dqlabels th, .dqlabels td { text-align: left; padding: .2em .7em; border-top: 1px solid rgb(128 128 128 / .4); }
.dqlabels td.n { text-align: right; }
.dqlabels .soft { opacity: .8; font-size: .9em; }
.dqlabels svg.drawn { width: 100%; max-width: 34rem; height: auto; display: block; }
.dqlabels svg.drawn text { fill: currentColor; font-size: 13px; }
.dqlabels .axis { stroke: currentColor; } .dqlabels .interval, .dqlabels rect.kept { fill: #6f8fb5; }
.dqlabels .estimate { fill: #2f79c2; }
.dqlabels path.kept { fill: #6f8fb5; } .dqlabels path.flagged { fill: #cc5f1e; }
.dqlabels rect.flagged, .dqlabels .bar span { fill: #cc5f1e; background: #cc5f1e; }
.dqlabels .limit { stroke: #cc5f1e; stroke-width: 2; stroke-dasharray: 5 3; }
.dqlabels .bar { display: inline-block; width: 6em; height: .6em; margin-left: .5em; }
.dqlabels .bar { border: 1px solid rgb(128 128 128 / .5); }
.dqlabels .bar span { display: block; height: 100%; }
"""


def fragment(audit: ClassSummary, histogram: Histogram) -> str:
    """Return an audit of classes in short: noise rate, classes, common confusions, quality and worst rows."""
    rate = audit["noise_rate"]
    classes = sorted(audit["classes"], key=lambda one: -one["flagged_share"])
    parts = [
        f"<h4>Labels in {escape_data(audit['label'])}</h4>",
        f"<p>An estimated <b>{rate['estimate']:.1%}</b> of the labels are wrong ({rate['confidence']:.0%} interval "
        f"{rate['low']:.1%} to {rate['high']:.1%}). <b>{audit['flagged']:,}</b> of {audit['audited']:,} are flagged "
        f"({audit['flagged_share']:.1%}){likely_wrong(audit['flagged'], audit['expected_wrong'])}.</p>",
        noise_scale(rate),
        f"<p class='soft'>{escape_text(rate['assumption'])} (Method {escape_text(rate['method'])}.)</p>",
        table(("class", "rows", "flagged", "flagged_share", "noise_rate"), classes),
        table(("given", "suggested", "rows", "share"), audit["confusions"]),
        f"<p class='soft'>Rows by label quality, {escape_text(quality_meaning(audit['settings']))}; flagged ones below "
        "the line:</p>",
        quality_bars(histogram),
        table(("row", "given", "suggested", "quality", "kind"), audit["worst"]),
    ]
    return notebook_view(parts, audit["warnings"])


def notebook_view(parts: Iterable[str], notes: Iterable[str]) -> str:
    """Return the parts of a notebook view, with our style, the notes, and how to get the whole report.

    >>> notebook_view(["<p>1 of 9 flagged</p>"], ["few rows"]).count("<p")
    3
    """
    shown = [f"<style>{STYLE}</style>", *parts]
    shown += [f"<p class='soft'>Note: {escape_data(note)}</p>" for note in notes]
    shown.append("<p class='soft'><code>audit.to_html(\"report.html\")</code> writes the whole report.</p>")
    return "<div class='dqlabels'>" + "".join(shown) + "</div>"


def table(columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> str:
    """Return the first rows as an HTML table, or nothing if there are none.

    >>> table(["row"], [{"row": 3}]).count("<td")
    1
    """
    if not rows:
        return ""
    head = "".join(f"<th scope='col'>{escape_text(name.replace('_', ' '))}</th>" for name in columns)
    largest = {name: max(_share(row[name]) for row in rows[:MAX_ROWS]) for name in columns if name in BARRED}
    body = "".join("<tr>" + "".join(_cells(columns, row, largest)) + "</tr>" for row in rows[:MAX_ROWS])
    more = f"<p class='soft'>… and {len(rows) - MAX_ROWS:,} more</p>" if len(rows) > MAX_ROWS else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _cells(columns: Iterable[str], row: Mapping[str, object], largest: Mapping[str, float]) -> Iterable[str]:
    for name in columns:
        value = row[name]
        if name in BARRED:
            width = 100 * _share(value) / largest[name] if largest[name] else 0
            yield f"<td>{_share(value):.1%}<span class='bar'><span style='width:{width:.1f}%'></span></span></td>"
        elif name in SHARES:
            yield f"<td class='n'>{'not known' if value is None else f'{_share(value):.1%}'}</td>"
        elif isinstance(value, (int, float)) and name not in ("class", "given", "suggested", "low", "high"):
            yield f"<td class='n'>{f'{value:.3f}' if isinstance(value, float) else f'{value}'}</td>"
        else:
            yield f"<td>{escape_data(value)}</td>"


def _share(value: object) -> float:
    return value if isinstance(value, (int, float)) else 0.0


def escape_data(value: object) -> str:
    """Return a value that came from data as HTML that keeps its own writing direction.

    >>> escape_data("<b>")
    "<bdi dir='auto'>&lt;b&gt;</bdi>"
    """
    text = "".join(letter if letter.isprintable() or letter.isspace() else "�" for letter in str(value))
    return f"<bdi dir='auto'>{escape_text(text)}</bdi>"


def escape_text(value: object) -> str:
    """Return a value as escaped HTML.

    >>> escape_text("<b>")
    '&lt;b&gt;'
    """
    return escape(str(value), quote=True)
