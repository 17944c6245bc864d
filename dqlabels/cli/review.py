"""``dqlabels review``: decide on suspicious rows, or on a sample, in a page of this machine's browser."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

import typer

from dqlabels.cli.app import working
from dqlabels.cli.command import command
from dqlabels.cli.files import STANDARD, check_folder
from dqlabels.cli.options import CommandOptions, InputFormat, Label
from dqlabels.cli.sources import read_table
from dqlabels.cli.tables import audit_table
from dqlabels.errors import OptionError

OPTIONS = ("task", "features", "exclude", "pred_probs", "classes", "fdr", "random_state")


@command("review", OPTIONS)
def review_command(
    options: CommandOptions,
    file: Annotated[str, typer.Argument(help="CSV, Parquet, Arrow IPC or NDJSON file.")],
    label: Label,
    decisions: Annotated[
        str | None,
        typer.Option("--decisions", "-d", help="Where decisions are saved; by default FILE.LABEL.review.jsonl."),
    ] = None,
    sample: Annotated[int | None, typer.Option(help="Review a random sample of so many rows.")] = None,
    max_noise_rate: Annotated[
        float | None,
        typer.Option(help="With --sample: say when enough rows are read to tell the noise rate from this limit."),
    ] = None,
    input_format: InputFormat = None,
    port: Annotated[int, typer.Option(help="Port on this machine; 0 takes a free one.")] = 0,
    browser: Annotated[bool, typer.Option(help="Open the page in the default browser.")] = True,
) -> None:
    """Review suspicious rows of FILE in a local page; every decision is saved as it is made."""
    from dqlabels.review.server import require_server

    if file == STANDARD:
        raise OptionError("A review needs a file: decisions belong to its rows. Save standard input first.")
    path = decisions or f"{file}.{''.join(c if c.isalnum() else '_' for c in label)}.review.jsonl"
    require_server()
    check_folder(path)
    chosen, table = options.options(), read_table(file, input_format)
    with working():
        result = audit_table(table, label, chosen)
        session = result.review(path, sample=sample, max_noise_rate=max_noise_rate, port=port, start=False)
    known = len(session.decisions.standing)
    typer.echo(f"{len(session.queue):,} rows to review, {known:,} decided. Decisions are kept in {path}.")
    typer.echo(f"Open {session.url}")
    typer.echo("Ctrl-C ends the review.")
    if browser:
        session.open_browser()
    with suppress(KeyboardInterrupt):  # which the server raises again when it has stopped
        session.serve()
    session.stop()
    made = len(session.decisions.standing)
    if sample is not None:
        typer.echo(session.conclusion())
    typer.echo(f"{made:,} rows decided. Put them into a copy: dqlabels apply {file} --decisions {path} -o OUT")
