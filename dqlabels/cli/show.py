"""What the commands print on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from dqlabels.audits.base import Audit
    from dqlabels.audits.gate import GateResult

# Of a suspicious row: its number, label, suggestion, quality and kind, and then some of its values.
FIRST_COLUMNS, MOST_VALUES = 5, 3
WIDEST = 10_000
MOST_PAIRS = 5
MOST_CLASSES = 12
LONGEST_VALUE = 32


def print_summary(result: Audit, gate: GateResult | None, worst: int, console: Console) -> None:
    """Everything that came from data is printed as it is: no markup of it is obeyed, no control character sent."""
    facts = result.to_dict()
    if "confusions" not in facts:  # several labels a row: it sums itself up
        for line in [*result.summary().splitlines(), *(gate.message.splitlines()[:1] if gate else [])]:
            console.print(printable(line))
        return
    rate = facts["noise_rate"]
    missing = f", {facts['missing']:,} without a label" if facts["missing"] else ""
    console.print(
        printable(
            f"{facts['label']}: {facts['flagged']:,} of {facts['audited']:,} labels flagged "
            f"({facts['flagged_share']:.1%}){missing}"
        ),
        style="bold",
    )
    console.print(
        f"Estimated noise rate {rate['estimate']:.1%} ({rate['confidence']:.0%} interval {rate['low']:.1%} to "
        f"{rate['high']:.1%}, method {rate['method']}), model error {facts['model_error']:.1%} ({facts['model']})."
    )
    if rate["caution"]:
        console.print(printable(rate["caution"]), style="yellow")
    console.print(printable(rate["assumption"]), style="dim")
    heads = ("class", "rows", "flagged", "flagged_share", "noise_rate")
    ranked = sorted(facts["classes"], key=lambda row: -row["flagged_share"])
    console.print(_grid("Classes", heads, [[row[head] for head in heads] for row in ranked[:MOST_CLASSES]]))
    if facts["flagged"]:
        columns = ("given", "suggested", "rows", "share")
        pairs = [[pair[head] for head in columns] for pair in facts["confusions"][:MOST_PAIRS]]
        console.print(_grid("Commonest confusions", columns, pairs))
        issues = result.issues.head(worst)
        console.print(as_wide_as_fits("Most suspicious rows", issues, console))
    print_notes(facts["warnings"], gate, console)


def print_notes(notes: Sequence[str], gate: GateResult | GateResult | None, console: Console) -> None:
    """The notes of an audit, and the verdict."""
    for note in notes:
        console.print(printable(f"Note: {note}"))
    if gate is not None:
        style = {"pass": "green", "fail": "red", "inconclusive": "yellow"}[gate.verdict]
        console.print(printable(gate.message.splitlines()[0]), style=style)


def as_wide_as_fits(title: str, issues: Any, console: Console) -> Table:
    """A table of suspicious rows with as many of their values as the terminal has room for."""
    for values in range(MOST_VALUES, -1, -1):
        shown = issues.columns[: FIRST_COLUMNS + values]
        grid = _grid(title, shown, issues.select(shown).rows())
        if grid.__rich_measure__(console, console.options.update(width=WIDEST)).maximum <= console.width:
            break
    return grid


def _grid(title: str, heads: Any, rows: Any) -> Table:
    grid = Table(title=title, title_justify="left", header_style="bold")
    for head in heads:
        grid.add_column(printable(str(head).replace("_", " ")), no_wrap=True)
    for row in rows:
        grid.add_row(*(printable(_shown(head, value)) for head, value in zip(heads, row, strict=True)))
    return grid


def _shown(head: str, value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.1%}" if head in ("flagged_share", "noise_rate", "share") else f"{value:.4g}"
    return f"{value:,}" if type(value) is int and head != "row" else str(value)


def printable(value: str) -> Text:
    """Text as it is, without control characters."""
    clean = "".join(letter if letter.isprintable() else "�" for letter in value)
    return Text(clean if len(clean) <= LONGEST_VALUE or " " in clean else clean[: LONGEST_VALUE - 1] + "…")
