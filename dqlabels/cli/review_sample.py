"""``dqlabels review-sample``: rows of a file to review by hand, from whose answers the noise rate follows."""

from __future__ import annotations

from typing import Annotated

import typer

from dqlabels.cli.app import working
from dqlabels.cli.command import command
from dqlabels.cli.files import STANDARD
from dqlabels.cli.options import CommandOptions, File, InputFormat, Label
from dqlabels.cli.sources import Reading, Source
from dqlabels.cli.tables import audit_table, write_result
from dqlabels.cli.verbatim import Written

OPTIONS = ("features", "exclude", "pred_probs", "classes", "cv", "groups", "embed", "random_state", "n_jobs")


@command("review-sample", OPTIONS, reads=True)
def review_sample_command(
    options: CommandOptions,
    file: File,
    label: Label,
    rows: Annotated[int, typer.Option("--rows", "-n", help="How many rows to review.")] = 100,
    output: Annotated[str, typer.Option("--output", "-o", help="Write the rows there.")] = STANDARD,
    input_format: InputFormat = None,
    output_format: Annotated[
        str | None, typer.Option(help="Format of the output; by default its extension says it, else CSV.")
    ] = None,
    spreadsheet: Annotated[
        bool, typer.Option(help="In a CSV, put ' before text that a spreadsheet would run as a formula.")
    ] = True,
) -> None:
    """Draw rows of FILE to review by hand. Fill in reviewed_label; hand the file to 'dqlabels audit --reviewed'.

    Audit with the same options then: the rows are drawn by how well their labels fit.
    """
    chosen, source = options.options(), Source.of(file, input_format, options.reading)
    table = source.read()
    with working():
        result = audit_table(table, label, chosen)
        sample = result.review_sample(rows)
    output_format = output_format or ("csv" if output == STANDARD else None)
    if (written := Written.of(source, table)) is not None:
        written = written.at(sample[sample.columns[0]].to_list())
    write_result(sample, output, output_format, written, {}, spreadsheet=spreadsheet)
    for note in result.warnings:
        typer.echo(f"Note: {note}", err=True)
    where = "standard output" if output == STANDARD else output
    table_read = file if options.reading == Reading() else "with the same table and options"
    typer.echo(
        f"Wrote {len(sample):,} of {result.audited:,} rows to {where}. Write the right label, or 'unclear', into "
        f"reviewed_label, then: dqlabels audit {table_read} --label {label} --reviewed {output}",
        err=True,
    )
