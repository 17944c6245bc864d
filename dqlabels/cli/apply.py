"""``dqlabels apply``: a copy of a file with the reviewed labels and, beside them, the original ones."""

from __future__ import annotations

from typing import Annotated

import typer

from dqlabels.cli.app import app
from dqlabels.cli.files import STANDARD, check_output
from dqlabels.cli.options import BothFormats, OutputFormat, Spreadsheet
from dqlabels.cli.sources import Source
from dqlabels.cli.tables import write_result
from dqlabels.cli.verbatim import Written
from dqlabels.errors import OptionError


@app.command("apply")
def apply_command(
    file: Annotated[str, typer.Argument(help="The file that was reviewed.")],
    decisions: Annotated[str, typer.Option("--decisions", "-d", help="What `dqlabels review` saved.")],
    output: Annotated[str, typer.Option("--output", "-o", help="The copy to write.")],
    original: Annotated[
        str | None, typer.Option(help="Column for the original labels; by default the label's name with _original.")
    ] = None,
    input_format: BothFormats = None,
    output_format: OutputFormat = None,
    spreadsheet: Spreadsheet = False,
) -> None:
    """Write a copy of FILE with reviewed labels; the original ones stay in another column."""
    from pathlib import Path

    from dqlabels.review.apply import apply_decisions
    from dqlabels.review.decisions import read_head

    if output != STANDARD and Path(output).exists() and Path(output).samefile(file):
        raise OptionError(f"{output} is the reviewed file itself, whose decisions belong to its labels. Name a copy.")
    source = Source.of(file, input_format)
    table = source.read()
    output_format = output_format or (input_format if output == STANDARD else None)
    check_output(table, output, output_format)
    applied = apply_decisions(table, decisions, original=original)
    label = read_head(decisions)["label"]
    kept = original or f"{label}_original"
    write_result(
        applied,
        output,
        output_format,
        Written.of(source, table),
        {label: [label], kept: [label]},
        spreadsheet=spreadsheet,
    )
    before = applied[kept]
    changed = int((applied[label] != before).sum())
    where = "" if output == STANDARD else f" Wrote {output}."
    typer.echo(
        f"{changed:,} of {applied.height:,} labels of {label} changed. {kept} has all as they were.{where}",
        err=output == STANDARD,
    )
