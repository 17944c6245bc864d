"""``dqlabels review``: decide on suspicious rows, or on a sample, in a page of this machine's browser."""

from __future__ import annotations

import warnings
import webbrowser
from contextlib import suppress
from typing import Annotated, Any

import typer

from dqlabels.cli.app import app, interruptible
from dqlabels.cli.files import STANDARD, check_folder, read_table
from dqlabels.cli.options import as_labels, split
from dqlabels.errors import LabelWarning, OptionError


@app.command("review")
def review_command(
    file: Annotated[str, typer.Argument(help="CSV, Parquet, Arrow IPC or NDJSON file.")],
    label: Annotated[str, typer.Option("--label", "-y", help="The column that holds the labels.")],
    decisions: Annotated[
        str | None, typer.Option("--decisions", "-d", help="Where decisions are kept; default FILE.LABEL.review.jsonl.")
    ] = None,
    sample: Annotated[int | None, typer.Option(help="Review a random sample of so many rows.")] = None,
    input_format: Annotated[str | None, typer.Option("--format", help="csv, parquet, ipc or ndjson.")] = None,
    features: Annotated[str | None, typer.Option(help="Columns to judge by, with commas between.")] = None,
    exclude: Annotated[str | None, typer.Option(help="Columns not to judge by, with commas between.")] = None,
    pred_probs: Annotated[str | None, typer.Option(help="Probability columns of your own model.")] = None,
    classes: Annotated[str | None, typer.Option(help="The class of each probability column.")] = None,
    random_state: Annotated[int, typer.Option(help="Seed of the audit and of the sample.")] = 0,
    port: Annotated[int, typer.Option(help="Of this machine; 0 takes a free one.")] = 0,
    browser: Annotated[bool, typer.Option(help="Open the page in the default browser.")] = True,
) -> None:
    """Review suspicious rows of FILE in a local page; every decision is kept as it is made."""
    from dqlabels.audits.audit import audit
    from dqlabels.review.server import require_server

    if file == STANDARD:
        raise OptionError("A review needs a file: decisions belong to its rows. Save standard input first.")
    path = decisions or f"{file}.{''.join(c if c.isalnum() else '_' for c in label)}.review.jsonl"
    require_server()
    check_folder(path)
    table = read_table(file, input_format)
    options: dict[str, Any] = {"features": split(features), "exclude": split(exclude) or ()}
    options |= {"random_state": random_state, "pred_probs": split(pred_probs)}
    if classes is not None:
        options["classes"] = as_labels(table, label, split(classes) or [])
    with interruptible(), warnings.catch_warnings():
        warnings.simplefilter("ignore", LabelWarning)
        result = audit(table, label, **options)
        session = result.review(path, sample=sample, port=port, start=False)
    known = len(session.decisions.standing)
    typer.echo(f"{len(session.queue):,} rows to review, {known:,} decided. Decisions are kept in {path}.")
    typer.echo(f"Open {session.url}")
    typer.echo("Ctrl-C ends the review.")
    if browser:
        webbrowser.open(session.url)
    with suppress(KeyboardInterrupt):  # which the server raises again when it has stopped
        session.serve()
    made = len(session.decisions.standing)
    typer.echo(f"{made:,} rows decided. Put them into a copy: dqlabels apply {file} --decisions {path} -o OUT")
