"""An audit's dict as an HTML fragment for notebooks; every value that came from data is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

MOST_ROWS = 10


def fragment(facts: Mapping[str, Any]) -> str:
    """Headline, noise rate with its assumption, classes, commonest confusions and worst rows."""
    rate = facts["noise_rate"]
    parts = [
        f"<h4>Labels in <code>{_text(facts['label'])}</code></h4>",
        f"<p><b>{facts['flagged']:,}</b> of {facts['audited']:,} labels flagged ({facts['flagged_share']:.1%}). "
        f"Estimated noise rate <b>{rate['estimate']:.1%}</b> ({rate['confidence']:.0%} interval "
        f"{rate['low']:.1%} to {rate['high']:.1%}, method {_text(rate['method'])}).</p>",
        f"<p><small>{_text(rate['assumption'])}</small></p>",
        table(("class", "rows", "flagged", "flagged_share", "noise_rate"), facts["classes"]),
        table(("given", "suggested", "rows", "share"), facts["confusions"]),
        table(("row", "given", "suggested", "quality", "kind"), facts["worst"]),
    ]
    parts += [f"<p><small>Note: {_text(note)}</small></p>" for note in facts["warnings"]]
    return "<div class='dqlabels'>" + "".join(parts) + "</div>"


def table(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """The first rows as an HTML table, or nothing where there are none."""
    if not rows:
        return ""
    head = "".join(f"<th>{_text(name.replace('_', ' '))}</th>" for name in columns)
    body = "".join("<tr>" + "".join(_cells(columns, row)) + "</tr>" for row in rows[:MOST_ROWS])
    more = f"<p><small>… and {len(rows) - MOST_ROWS:,} more</small></p>" if len(rows) > MOST_ROWS else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _cells(columns: Iterable[str], row: Mapping[str, Any]) -> Iterable[str]:
    for name in columns:
        value = row[name]
        if name in ("share", "flagged_share", "noise_rate") and value is not None:
            yield f"<td>{value:.1%}</td>"
        else:
            yield f"<td>{_text(f'{value:.3f}' if isinstance(value, float) else value)}</td>"


def _text(value: object) -> str:
    return escape(str(value), quote=True)
