"""What the commands print on a terminal. Nothing that comes from data is obeyed as markup or as a control character."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dqlabels.cli.app import FAILED
from dqlabels.cli.files import STANDARD

if TYPE_CHECKING:
    import polars as pl

    from dqlabels.audits.base import Audit
    from dqlabels.audits.gate import GateResult

# A suspicious row's number, label, suggestion, quality and how sure it is are shown, and some of its values.
FIRST_COLUMNS, MAX_VALUES = 5, 3
MAX_WIDTH = 10_000
MAX_SEGMENTS = 30
MAX_VALUE_LENGTH = 32
STYLES = {"headline": "bold", "caution": "yellow", "assumption": "dim"}
VERDICT_STYLES = {"pass": "green", "fail": "red", "inconclusive": "yellow"}
SHARES = ("flagged_share", "noise_rate", "share")


def finish(
    result: Audit,
    gate: GateResult | None,
    worst: int = 10,
    *,
    segments: Sequence[Mapping[str, object]] | None = None,
    wrote: Sequence[str] = (),
    as_json: bool,
    quiet: bool,
    to_stderr: bool,
) -> None:
    """Print an audit, and exit with 1 where its gate failed.

    Args:
        result: The audit.
        gate: Its verdict, which is always printed unless it is a pass.
        worst: How many suspicious rows to print.
        segments: The figures of each segment, where they were asked for.
        wrote: What was written, a sentence a file.
        as_json: Whether to print JSON in place of the summary.
        quiet: Whether to print no summary.
        to_stderr: Whether standard output holds the table.
    """
    if as_json:
        content = result.to_dict() | ({"segments": segments} if segments else {})
        echo_json(content | ({"gate": gate.to_dict()} if gate else {}), to_stderr=to_stderr)
    elif not quiet:
        print_audit(result, gate, worst, Console(stderr=to_stderr), segments or (), wrote)
    if gate is not None and gate.verdict != "pass" and (quiet or as_json):
        typer.echo(gate.message, err=True)
    if gate is not None and not gate.passed:
        raise typer.Exit(FAILED)


def print_audit(
    audit: Audit,
    gate: GateResult | None,
    worst: int,
    console: Console,
    segments: Sequence[Mapping[str, object]] = (),
    wrote: Sequence[str] = (),
) -> None:
    """Print what was found, with so many of the worst rows, and the verdict.

    Args:
        audit: What was found.
        gate: The verdict, or None.
        worst: How many of the most suspicious rows to print.
        console: Where to print.
        segments: The figures of each segment.
        wrote: What was written, a sentence a file.
    """
    overview = audit.overview()
    for tone, line in overview.lines:
        console.print(printable(line), style=STYLES.get(tone))
    for title, rows in overview.tables.items():
        heads = list(rows[0]) if rows else []
        console.print(_grid(title, heads, [list(row.values()) for row in rows]))
    if segments:
        heads = [name for name in segments[0] if not name.endswith(("_low", "_high"))]
        shown = [[row[name] for name in heads] for row in segments[:MAX_SEGMENTS]]
        console.print(_grid("Segments", heads, shown))
    if overview.lists_issues:
        console.print(as_wide_as_fits("Most suspicious rows", audit.issues.head(worst), console))
    print_notes(overview.notes, console)
    for line in wrote:
        console.print(printable(line))
    if gate is not None:
        console.print(printable(gate.message.splitlines()[0]), style=VERDICT_STYLES[gate.verdict])


def files_written(result: Audit, file: str, output: str | None, html: str | None = None) -> list[str]:
    """What was written where, a sentence a file, standard output left out.

    Args:
        result: The audit.
        file: The input.
        output: Where its rows went with the columns of the audit.
        html: Where the report went.
    """
    wrote = []
    if output not in (None, STANDARD):
        *first, last = result.names
        wrote.append(f"Wrote {output}: the rows of {file} as they were, with {', '.join(first)} and {last}.")
    if html is not None:
        wrote.append(f"Wrote {html}: the report.")
    return wrote


def print_notes(notes: Iterable[str], console: Console) -> None:
    """Print what the library warned of."""
    for note in notes:
        console.print(printable(f"Note: {note}"))


def echo_json(content: Mapping[str, object], *, to_stderr: bool = False) -> None:
    """Print one line of JSON."""
    typer.echo(as_json(content), err=to_stderr)


def as_json(content: Mapping[str, object], *, indent: int | None = None) -> str:
    """Return JSON in which NaN and infinity are refused."""
    return json.dumps(content, ensure_ascii=False, allow_nan=False, indent=indent)


def as_wide_as_fits(title: str, issues: pl.DataFrame, console: Console) -> Table:
    """Return a table of suspicious rows with as many of their values as the terminal has room for."""
    for values in range(MAX_VALUES, -2, -1):  # at last without how sure the finding is
        shown = issues.columns[: FIRST_COLUMNS + values]
        grid = _grid(title, shown, issues.select(shown).rows())
        if grid.__rich_measure__(console, console.options.update(width=MAX_WIDTH)).maximum <= console.width:
            break
    return grid


def _grid(title: str, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    grid = Table(title=title, title_justify="left", header_style="bold")
    for head in heads:
        grid.add_column(printable(head.replace("_", " ")), no_wrap=True)
    for row in rows:
        grid.add_row(*(printable(_shown(head, value)) for head, value in zip(heads, row, strict=True)))
    return grid


def _shown(head: str, value: object) -> str:
    if isinstance(value, float):
        return f"{value:.1%}" if head in SHARES else f"{value:.4g}"
    if value is None:
        return "–"
    return f"{value:,}" if type(value) is int and head != "row" else str(value)


def printable(value: str) -> Text:
    """Return text without control characters; a long word is cut."""
    clean = "".join(letter if letter.isprintable() else "�" for letter in value)
    return Text(clean if len(clean) <= MAX_VALUE_LENGTH or " " in clean else clean[: MAX_VALUE_LENGTH - 1] + "…")
