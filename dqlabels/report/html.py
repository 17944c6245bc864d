"""An audit as a short HTML fragment for notebooks; every value that came from data is escaped.

It needs no extra and no script, and takes its colours from the notebook's own theme.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from dqlabels.report.draw import noise_scale, quality_bars, value_cloud

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


def fragment(facts: Mapping[str, Any], histogram: Mapping[str, Any]) -> str:
    """The report in short: noise rate with its assumption, classes, commonest confusions, qualities, worst rows."""
    rate = facts["noise_rate"]
    classes = sorted(facts["classes"], key=lambda one: -one["flagged_share"])
    parts = [
        f"<style>{STYLE}</style>",
        f"<h4>Labels in {_data(facts['label'])}</h4>",
        f"<p>An estimated <b>{rate['estimate']:.1%}</b> of the labels are wrong ({rate['confidence']:.0%} interval "
        f"{rate['low']:.1%} to {rate['high']:.1%}). <b>{facts['flagged']:,}</b> of {facts['audited']:,} are flagged "
        f"({facts['flagged_share']:.1%}).</p>",
        noise_scale(rate),
        f"<p class='soft'>{_text(rate['assumption'])} (Method {_text(rate['method'])}.)</p>",
        table(("class", "rows", "flagged", "flagged_share", "noise_rate"), classes),
        table(("given", "suggested", "rows", "share"), facts["confusions"]),
        "<p class='soft'>Rows by label quality, flagged ones below the line:</p>",
        quality_bars(histogram),
        table(("row", "given", "suggested", "quality", "kind"), facts["worst"]),
    ]
    parts += [f"<p class='soft'>Note: {_data(note)}</p>" for note in facts["warnings"]]
    parts.append("<p class='soft'><code>audit.to_html(\"report.html\")</code> writes the whole report.</p>")
    return "<div class='dqlabels'>" + "".join(parts) + "</div>"


def value_fragment(facts: Mapping[str, Any], histogram: Mapping[str, Any], cloud: Mapping[str, Any]) -> str:
    """Of an audit of numbers: headline, what the false-discovery rate rests on, pictures, and worst rows."""
    parts = [
        f"<style>{STYLE}</style>",
        f"<h4>Values in {_data(facts['label'])}</h4>",
        f"<p><b>{facts['flagged']:,}</b> of {facts['audited']:,} values are flagged ({facts['flagged_share']:.1%}) "
        f"at a false-discovery rate of {facts['fdr']:.0%}.</p>",
        f"<p class='soft'>{_text(facts['assumption'])}</p>",
        "<p class='soft'>Given values by what the other rows predict:</p>",
        value_cloud(cloud),
        "<p class='soft'>Rows by label quality, flagged ones below the line:</p>",
        quality_bars(histogram),
        table(("row", "given", "suggested", "low", "high", "quality", "kind"), facts["worst"]),
    ]
    parts += [f"<p class='soft'>Note: {_data(note)}</p>" for note in facts["warnings"]]
    parts.append("<p class='soft'><code>audit.to_html(\"report.html\")</code> writes the whole report.</p>")
    return "<div class='dqlabels'>" + "".join(parts) + "</div>"


def table(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """The first rows as an HTML table, or nothing where there are none."""
    if not rows:
        return ""
    head = "".join(f"<th scope='col'>{_text(name.replace('_', ' '))}</th>" for name in columns)
    most = {name: max(row[name] or 0 for row in rows[:MAX_ROWS]) for name in columns if name in BARRED}
    body = "".join("<tr>" + "".join(_cells(columns, row, most)) + "</tr>" for row in rows[:MAX_ROWS])
    more = f"<p class='soft'>… and {len(rows) - MAX_ROWS:,} more</p>" if len(rows) > MAX_ROWS else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _cells(columns: Iterable[str], row: Mapping[str, Any], most: Mapping[str, float]) -> Iterable[str]:
    for name in columns:
        value = row[name]
        if name in BARRED:
            width = 100 * value / most[name] if most[name] else 0
            yield f"<td>{value:.1%}<span class='bar'><span style='width:{width:.1f}%'></span></span></td>"
        elif name in SHARES:
            yield f"<td class='n'>{'not known' if value is None else f'{value:.1%}'}</td>"
        elif isinstance(value, (int, float)) and name not in ("class", "given", "suggested", "low", "high"):
            yield f"<td class='n'>{f'{value:.3f}' if isinstance(value, float) else f'{value}'}</td>"
        else:
            yield f"<td>{_data(value)}</td>"


def _data(value: object) -> str:
    text = "".join(letter if letter.isprintable() or letter.isspace() else "�" for letter in str(value))
    return f"<bdi dir='auto'>{_text(text)}</bdi>"


def _text(value: object) -> str:
    return escape(str(value), quote=True)
