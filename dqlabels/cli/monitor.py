"""``dqlabels monitor``: has the noise risen since the labels were trusted, asked of every batch."""

from __future__ import annotations

from typing import Annotated

import typer

from dqlabels.cli.app import FAILED, working
from dqlabels.cli.command import command
from dqlabels.cli.files import STANDARD, check_folder
from dqlabels.cli.gate import FORMATS, Answer
from dqlabels.cli.options import CommandOptions, File, TableFormat
from dqlabels.cli.sources import read_table
from dqlabels.errors import DQLabelsError, OptionError


@command("monitor", reads=True)
def monitor_command(
    options: CommandOptions,
    file: File,
    auditor: Annotated[str, typer.Option(help="The auditor that `dqlabels fit` saved.")],
    history: Annotated[str, typer.Option(help="The file of JSON lines that keeps the batches; made with the first.")],
    batch_id: Annotated[
        str | None,
        typer.Option(help="Name of the batch, such as its date: checked again it takes its former place."),
    ] = None,
    by: Annotated[str | None, typer.Option(help="A column whose segments an alarm may name.")] = None,
    false_alarms_per_year: Annotated[float, typer.Option(help="Alarms to expect in a year without a change.")] = 1.0,
    batches_per_year: Annotated[float, typer.Option(help="How often it is asked.")] = 365.0,
    rise: Annotated[float, typer.Option(help="The increase of the noise rate worth knowing.")] = 0.02,
    min_judged: Annotated[float, typer.Option(help="The least share of the rows that must be judged.")] = 0.8,
    on_inconclusive: Annotated[str, typer.Option(help="fail, warn or pass.")] = "fail",
    html: Annotated[str | None, typer.Option(help="Write a page with the chart of the batches there.")] = None,
    answer_format: Annotated[str, typer.Option("--format", help="text, json, github or junit.")] = "text",
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    output: Annotated[str | None, typer.Option("--output", "-o", help="Write the answer there.")] = None,
    input_format: TableFormat = None,
) -> None:
    """Check FILE as the next batch of a history: exit with 1 where its labels have become noisier, else with 0."""
    from dqlabels.audits.trusted.monitor import LabelMonitor

    answer = Answer(file, "", "json" if as_json else answer_format, output)
    if answer.format not in FORMATS:
        raise OptionError(f"--format {answer.format!r} is none of {', '.join(FORMATS)}.")
    for path in (output, html, history):
        if path not in (None, STANDARD):
            check_folder(str(path))
    try:
        table = read_table(file, input_format, options.reading)
        monitor = LabelMonitor(
            auditor, history=history, false_alarms_per_year=false_alarms_per_year, batches_per_year=batches_per_year,
            rise=rise, min_judged=min_judged, by=by, on_inconclusive=on_inconclusive,  # type: ignore[arg-type]
        )  # fmt: skip
        with working():
            result = monitor.check(table, batch_id=batch_id)
            if html is not None:
                monitor.to_html(html)
    except (DQLabelsError, OSError) as error:
        answer.write_error(str(error))
        raise
    answer.write(result.audit, result.gate, result.to_dict())
    if result.verdict != "pass" and not answer.read_by_people:
        typer.echo(result.message, err=True)
    if not result.passed:
        raise typer.Exit(FAILED)
