"""``dqlabels annotators``: audit what several annotators, systems or extracts said of the same rows."""

from __future__ import annotations

import json
import warnings
from typing import Annotated, Any

import typer

from dqlabels.cli.app import FAILED, app, interruptible
from dqlabels.cli.files import STANDARD, check_output, read_table, write_table
from dqlabels.cli.options import split
from dqlabels.errors import LabelWarning


@app.command("annotators")
def annotators_command(
    file: Annotated[str, typer.Argument(help="CSV, Parquet, Arrow IPC or NDJSON file; - for standard input.")],
    label: Annotated[
        str, typer.Option("--label", "-y", help="The label columns, with commas between; or one, with the next two.")
    ],
    annotator: Annotated[str | None, typer.Option(help="Of a row a label: the column of who gave it.")] = None,
    item: Annotated[str | None, typer.Option(help="Of a row a label: the column of what it was given to.")] = None,
    output: Annotated[
        str | None, typer.Option("--output", "-o", help="Write the table with three more columns.")
    ] = None,
    input_format: Annotated[
        str | None, typer.Option("--format", help="csv, parquet, ipc or ndjson; of FILE, and of -o - as well.")
    ] = None,
    consensus: Annotated[str | None, typer.Option(help="crowdlab, ibcc, dawid_skene or majority.")] = None,
    features: Annotated[str | None, typer.Option(help="Columns to judge by, with commas between.")] = None,
    exclude: Annotated[str | None, typer.Option(help="Columns not to judge by, with commas between.")] = None,
    random_state: Annotated[int, typer.Option(help="Seed.")] = 0,
    n_jobs: Annotated[int | None, typer.Option(help="Threads.")] = None,
    max_noise_rate: Annotated[float | None, typer.Option(help="Exit with 1 above this share of wrong labels.")] = None,
    min_agreement: Annotated[float | None, typer.Option(help="Exit with 1 below this Krippendorff's alpha.")] = None,
    decide: Annotated[str, typer.Option(help="Hold 'estimate' or the 'confident' interval against it.")] = "estimate",
    on_inconclusive: Annotated[str, typer.Option(help="'warn', 'fail' or 'pass'.")] = "warn",
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no summary.")] = False,
) -> None:
    """Audit the labels that several annotators gave to the rows of FILE."""
    from dqlabels.audits.audit import audit

    table = read_table(file, input_format)
    if output is not None:
        check_output(table, output, input_format if output == STANDARD else None)
    columns = split(label) or []
    long = annotator is not None or item is not None
    options: dict[str, Any] = {"annotator": annotator, "item": item, "consensus": consensus, "n_jobs": n_jobs}
    options |= {"features": split(features), "exclude": split(exclude) or (), "random_state": random_state}
    with interruptible(), warnings.catch_warnings():
        warnings.simplefilter("ignore", LabelWarning)  # the summary prints them as notes
        result: Any = audit(table, label if long else columns, task="annotators", **options)
        gate = None
        if max_noise_rate is not None or min_agreement is not None:
            choice: Any = {"decide": decide, "on_inconclusive": on_inconclusive}
            gate = result.gate(max_noise_rate=max_noise_rate, min_agreement=min_agreement, **choice)
    if output is not None:
        write_table(result.frame, output, input_format if output == STANDARD else None)
    to_error = output == STANDARD
    if as_json:
        facts = result.to_dict() | ({"gate": gate.to_dict()} if gate else {})
        typer.echo(json.dumps(facts, ensure_ascii=False, allow_nan=False), err=to_error)
    elif not quiet:
        typer.echo(printable(result.summary()), err=to_error)
    if gate is not None and (gate.verdict != "pass" or not (quiet or as_json)):
        typer.echo(printable(gate.message), err=to_error or gate.verdict != "pass")
    if gate is not None and not gate.passed:
        raise typer.Exit(FAILED)


def printable(text: str) -> str:
    r"""Text without the control characters that a value may hold, but for its line ends.

    >>> printable("a\x1b[31m")
    'a?[31m'
    """
    return "".join(letter if letter == "\n" or letter.isprintable() else "?" for letter in text)
