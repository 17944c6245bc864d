"""An audit as a short HTML fragment for notebooks; everything that came from data is escaped.

It needs no extra and no script, and follows the theme of the notebook.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from dqlabels.noise.rate import RateData
from dqlabels.report.data import ranked_classes
from dqlabels.report.draw import noise_scale
from dqlabels.report.listed_rows import ListedRow
from dqlabels.report.reading import Lead
from dqlabels.report.sections import How, Section, SectionColumn, section_of
from dqlabels.report.summary import ClassSummary

# Rows of a table, and values in the line of a row.
MAX_ROWS, MAX_PAIRS = 10, 5
CLASS_COLUMNS: list[tuple[str, str, How]] = [
    ("class", "class", "head"),
    ("rows", "rows", "count"),
    ("flagged", "flagged", "count"),
    ("flagged_share", "flagged share", "bar"),
    ("noise_rate", "noise rate", "rate"),
]
PAIR_COLUMNS: list[tuple[str, str, How]] = [
    ("given", "given", "text"),
    ("suggested", "suggested", "text"),
    ("rows", "rows", "count"),
    ("share", "share of the given class", "bar"),
]
STYLE = """
.dqlabels { max-width: 60rem; line-height: 1.45; }
.dqlabels table { border-collapse: collapse; margin: .5em 0; font-variant-numeric: tabular-nums; }
.dqlabels th, .dqlabels td { text-align: left; vertical-align: top; padding: .2em .7em; }
.dqlabels th, .dqlabels td { border-top: 1px solid rgb(128 128 128 / .4); }
.dqlabels td.n { text-align: right; } .dqlabels td.values { min-width: 18em; }
.dqlabels .soft { opacity: .8; font-size: .9em; }
.dqlabels svg.drawn { width: 100%; max-width: 34rem; height: auto; display: block; }
.dqlabels svg.drawn text { fill: currentColor; font-size: 13px; }
.dqlabels .wide { overflow-x: auto; } .dqlabels caption { text-align: left; opacity: .8; font-size: .9em; }
.dqlabels .grid { stroke: rgb(128 128 128 / .4); }
.dqlabels .axis { stroke: currentColor; } .dqlabels .interval, .dqlabels rect.kept { fill: #6f8fb5; }
.dqlabels .estimate { fill: #2f79c2; }
.dqlabels path.kept { fill: #6f8fb5; } .dqlabels path.flagged { fill: #cc5f1e; }
.dqlabels rect.flagged, .dqlabels .bar span { fill: #cc5f1e; background: #cc5f1e; }
.dqlabels .limit { stroke: #cc5f1e; stroke-width: 2; stroke-dasharray: 5 3; }
.dqlabels .bar { display: inline-block; width: 6em; height: .6em; margin-left: .5em; }
.dqlabels .bar { border: 1px solid rgb(128 128 128 / .5); }
.dqlabels .bar span { display: block; height: 100%; }
"""


def notebook_view(
    heading: str,
    lead: Lead,
    *,
    rows: Sequence[ListedRow] = (),
    sections: Sequence[Section] = (),
    rate: RateData | None = None,
    drawings: Iterable[str] = (),
    notes: Iterable[str] = (),
    report: bool = True,
) -> str:
    """Return an audit in short: what to do, the worst rows with values, tables and drawings.

    Args:
        heading: What was audited, escaped already.
        lead: What to say first.
        rows: The worst rows.
        sections: Tables of parts.
        rate: The noise rate, drawn where the table supports it.
        drawings: SVG, in which everything from data is escaped already.
        notes: What a reader should know about the data.
        report: Whether there is a whole report to write.
    """
    more = f"<details class='soft'><summary>More</summary>{escape_text(lead['more'])}</details>" if lead["more"] else ""
    shown = [
        f"<style>{STYLE}</style><h4>{heading}</h4>",
        f"<p><b>{escape_text(lead['verdict'])}</b> {escape_text(lead['advice'])}</p><p>{escape_text(lead['read'])}</p>",
        f"<p class='soft'>{escape_text(lead['assumption'])}</p>{more}",
        noise_scale(rate) if rate is not None and rate["supported"] else "",
        rows_view(rows),
        *(section_view(section) for section in sections),
        *drawings,
        *(f"<p class='soft'>Note: {escape_data(note)}</p>" for note in notes),
    ]
    if report:
        shown.append("<p class='soft'><code>audit.to_html(\"report.html\")</code> writes the whole report.</p>")
    return "<div class='dqlabels'>" + "".join(shown) + "</div>"


def class_sections(audit: ClassSummary) -> list[Section]:
    """Return the tables of classes and, of more than two classes, of given and suggested label.

    >>> class_sections({"classes": [], "confusions": []})[0]["title"]
    'Classes'
    """
    classes = ranked_classes(audit)
    found = [section_of("classes", "Classes", CLASS_COLUMNS, classes, most=MAX_ROWS)]
    if len(classes) > 2 and audit["confusions"]:
        found.append(section_of("pairs", "Commonest pairs", PAIR_COLUMNS, audit["confusions"], most=MAX_ROWS))
    return found


def rows_view(rows: Sequence[ListedRow]) -> str:
    """Return the first rows as an HTML table, each with the values that speak, or nothing if there are none.

    >>> row = {"row": 3, "given": "a", "suggested": "b", "quality": 0.1, "kind": "likely wrong", "chips": [("x", "7")]}
    >>> rows_view([row | {"says": "", "values": [], "more_values": 0}]).count("<td")
    6
    """
    if not rows:
        return ""
    heads = ("row", "given", "suggested", "quality", "finding", "values")
    head = "".join(f"<th scope='col'>{name}</th>" for name in heads)
    body = "".join(
        f"<tr><td class='n'>{row['row']}</td><td>{escape_data(row['given'])}</td><td>{escape_data(row['suggested'])}"
        f"</td><td class='n'>{row['quality']:.3f}</td><td>{escape_text(row['kind'])}</td>"
        f"<td class='values'>{_values(row)}</td></tr>"
        for row in rows[:MAX_ROWS]
    )
    return f"<div class='wide'><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def section_view(section: Section) -> str:
    """Return a section as an HTML table, or nothing if it is empty.

    >>> section_view(section_of("x", "Parts", [("part", "Part", "head")], [{"part": "<b>"}])).count("&lt;b&gt;")
    1
    """
    if not section["rows"]:
        return ""
    head = "".join(f"<th scope='col'>{escape_text(column['head'])}</th>" for column in section["columns"])
    shown = section["rows"][: section["most"]]
    body = "".join(
        "<tr>" + "".join(_cell(row, column, section["full"]) for column in section["columns"]) + "</tr>"
        for row in shown
    )
    hidden = len(section["rows"]) - len(shown)
    more = f"<p class='soft'>… and {hidden:,} more</p>" if hidden else ""
    caption = f"<caption>{escape_data(section['title'])}. {escape_data(section['caption'])}</caption>"
    return f"<div class='wide'><table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}</div>"


def _values(row: ListedRow) -> str:
    pairs = [*row["chips"], *(pair for pair in row["values"] if pair not in row["chips"])][:MAX_PAIRS]
    return " · ".join(f"<span class='soft'>{escape_data(name)}</span> {escape_data(value)}" for name, value in pairs)


def _cell(row: Mapping[str, object], column: SectionColumn, full: float) -> str:
    value, how = row[column["name"]], column["how"]
    if how in ("head", "text"):
        return f"<td>{'–' if value is None else escape_data(value)}</td>"
    if not isinstance(value, (int, float)):
        return "<td class='n'>not known</td>"
    if how == "bar":
        bar = f"<span class='bar'><span style='width:{100 * value / full:.1f}%'></span></span>"
        return f"<td>{value:.1%}{bar}</td>"
    shown = {"count": f"{value:,}", "number": f"{value:.1f}"}.get(how, f"{value:.1%}")
    return f"<td class='n'>{shown}</td>"


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
