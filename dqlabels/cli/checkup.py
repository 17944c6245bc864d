"""``dqlabels checkup``: what is odd in a file beside single labels."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from dqlabels.cli import options as given
from dqlabels.cli.app import FAILED, app, interruptible
from dqlabels.cli.files import STANDARD, check_output, read_table, write_table
from dqlabels.cli.show import printable
from dqlabels.errors import LabelWarning, OptionError

if TYPE_CHECKING:
    from dqlabels.checks.result import Checkup


@app.command("checkup")
def checkup_command(
    file: given.File,
    label: given.Label,
    output: Annotated[
        str | None, typer.Option("--output", "-o", help="Write the table with the audit's columns and those below.")
    ] = None,
    input_format: given.InputFormat = None,
    output_format: Annotated[str | None, typer.Option(help="The format of -o; default by its name.")] = None,
    checks: Annotated[str | None, typer.Option(help="Which checks, with commas between; default all.")] = None,
    columns: Annotated[
        str | None, typer.Option(help="Which columns to write, as in is_outlier,failing_group; default all.")
    ] = None,
    time: Annotated[str | None, typer.Option(help="The column that orders the rows; default their order.")] = None,
    alpha: Annotated[float, typer.Option(help="How often a test may be wrong where nothing is to be found.")] = 0.01,
    most_rows: Annotated[int, typer.Option(help="The most rows to compare with each other.")] = 50_000,
    features: given.Features = None,
    exclude: given.Exclude = None,
    pred_probs: given.PredProbs = None,
    classes: given.Classes = None,
    cv: given.Cv = None,
    groups: given.Groups = None,
    random_state: given.RandomState = 0,
    n_jobs: given.NJobs = None,
    fail_on: Annotated[str | None, typer.Option(help="Exit with 1 where one of these checks finds something.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no summary.")] = False,
) -> None:
    """Look for copies, outliers, rare classes, failing groups, drift and empty columns in FILE."""
    from dqlabels.audits.checkup import checkup

    table = read_table(file, input_format)
    output_format = output_format or (input_format if output == STANDARD else None)
    if output is not None:
        check_output(table, output, output_format)
    options: dict[str, Any] = {"features": given.split(features), "exclude": given.split(exclude) or ()}
    options |= {"groups": groups, "cv": given.folds(cv), "pred_probs": given.split(pred_probs)}
    options |= {"random_state": random_state, "n_jobs": n_jobs}
    if classes is not None:
        options["classes"] = given.as_labels(table, label, given.split(classes) or [])
    chosen: dict[str, Any] = {"checks": given.split(checks), "time": time, "alpha": alpha, "most_rows": most_rows}
    chosen["columns"] = given.split(columns) or ()
    with interruptible(), warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always", LabelWarning)
        result = checkup(table, label, **chosen, **options)
    failing = _failing(result, given.split(fail_on))
    if output is not None:
        whole = result if columns is not None else result.with_columns(result.available)
        write_table(whole.frame, output, output_format)
    if as_json:
        typer.echo(json.dumps(result.to_dict(), ensure_ascii=False, allow_nan=False), err=output == STANDARD)
    elif not quiet:
        print_checkup(result, [str(note.message) for note in notes], Console(stderr=output == STANDARD))
    if failing:
        if quiet or as_json:
            typer.echo(f"Found by {', '.join(failing)}.", err=True)
        raise typer.Exit(FAILED)


def _failing(result: Checkup, fail_on: list[str] | None) -> list[str]:
    """The checks that were to find nothing and did.

    Raises:
        OptionError: One that did not run: it would never fail.
    """
    ran = [one.check for one in result.all_findings if one.verdict != "not run"]
    if idle := [name for name in fail_on or [] if name not in ran]:
        raise OptionError(f"--fail-on {','.join(idle)}: not among the checks that ran, which are {', '.join(ran)}.")
    return [name for name in result.found if name in (fail_on or [])]


def print_checkup(result: Checkup, notes: list[str], console: Console) -> None:
    """A line a check, those that found something first; nothing that came from data is obeyed."""
    for at, line in enumerate(result.summary().splitlines()):
        console.print(printable(line), style="bold" if at == 0 else None)
    for note in notes:
        console.print(printable(f"Note: {note}"))
