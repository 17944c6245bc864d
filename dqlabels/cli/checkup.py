"""``dqlabels checkup``: what is odd in a file beside single labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from dqlabels.checks.pipeline import ALPHA, MAX_ROWS
from dqlabels.cli.app import FAILED, working
from dqlabels.cli.command import command
from dqlabels.cli.files import STANDARD, check_output
from dqlabels.cli.options import (
    AsJson,
    CommandOptions,
    File,
    InputFormat,
    Label,
    OutputFormat,
    Overwrite,
    Quiet,
    Spreadsheet,
)
from dqlabels.cli.parsing import split
from dqlabels.cli.show import echo_json, print_notes, printable
from dqlabels.cli.sources import Source
from dqlabels.cli.tables import audit_table, write_result
from dqlabels.cli.verbatim import Written
from dqlabels.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dqlabels.checks.result import Checkup

OPTIONS = ("features", "exclude", "pred_probs", "classes", "cv", "groups", "random_state", "n_jobs")


@command("checkup", OPTIONS, reads=True)
def checkup_command(
    options: CommandOptions,
    file: File,
    label: Label,
    output: Annotated[
        str | None, typer.Option("--output", "-o", help="Write the table with the columns of audit and check-up.")
    ] = None,
    input_format: InputFormat = None,
    output_format: OutputFormat = None,
    spreadsheet: Spreadsheet = False,
    overwrite: Overwrite = False,
    checks: Annotated[str | None, typer.Option(help="Which checks, separated by commas; by default all.")] = None,
    columns: Annotated[
        str | None, typer.Option(help="Which columns to write, as in is_outlier,failing_group; by default all.")
    ] = None,
    time: Annotated[
        str | None, typer.Option(help="The column that orders the rows; by default the order they are in.")
    ] = None,
    alpha: Annotated[float, typer.Option(help="How often a test may be wrong where there is nothing to find.")] = ALPHA,
    most_rows: Annotated[int, typer.Option(help="The most rows to compare with each other.")] = MAX_ROWS,
    fail_on: Annotated[str | None, typer.Option(help="Exit with 1 if one of these checks finds something.")] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Look for copies, outliers, rare classes, failing groups, drift and empty columns in FILE."""
    from dqlabels.checks.result import COLUMNS, check_options

    chosen, wanted = options.options(), None if checks is None else split(checks)
    added = [] if columns is None else split(columns)
    check_options(wanted, added, alpha, most_rows)
    source = Source.of(file, input_format, options.reading)
    table = source.read()
    output_format = output_format or (input_format if output == STANDARD else None)
    if output is not None:
        check_output(table, output, output_format)
    with working() as notes:
        audit = audit_table(table, label, chosen, overwrite=overwrite, more=tuple(COLUMNS))
        result = audit.checkup(wanted, time=time, columns=added, alpha=alpha, most_rows=most_rows, n_jobs=chosen.n_jobs)
    failing = _failing(result, [] if fail_on is None else split(fail_on))
    if output is not None:
        whole = result if columns is not None else result.with_columns(result.available)
        labels = {audit.options.names[1]: audit.label_columns}
        write_result(
            whole.frame,
            output,
            output_format,
            Written.of(source, table, (*audit.names, *COLUMNS)),
            labels,
            spreadsheet=spreadsheet,
        )
    if as_json:
        echo_json(result.to_dict(), to_stderr=output == STANDARD)
    elif not quiet:
        print_checkup(result, [*audit.warnings, *notes], Console(stderr=output == STANDARD))
        if output not in (None, STANDARD):
            typer.echo(
                f"Wrote {output}: the rows of {file} as they were, with the columns of the audit and of the checks."
            )
    if failing:
        if quiet or as_json:
            typer.echo(f"Found by {', '.join(failing)}.", err=True)
        raise typer.Exit(FAILED)


def _failing(result: Checkup, fail_on: Sequence[str]) -> list[str]:
    """Return the checks that were to find nothing and did.

    Raises:
        OptionError: A check did not run: it would never fail.
    """
    ran = [one.check for one in result.all_findings if one.verdict != "not run"]
    if idle := [name for name in fail_on if name not in ran]:
        raise OptionError(f"--fail-on {','.join(idle)}: not among the checks that ran, which are {', '.join(ran)}.")
    return [name for name in result.found if name in fail_on]


def print_checkup(result: Checkup, notes: Iterable[str], console: Console) -> None:
    """Print one line per check, those that found something first."""
    for at, line in enumerate(result.summary().splitlines()):
        console.print(printable(line), style="bold" if at == 0 else None)
    print_notes(notes, console)
