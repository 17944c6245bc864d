"""``dqlabels review-sample``: rows of a file to review by hand, from whose answers the noise rate follows."""

from __future__ import annotations

import warnings
from typing import Annotated, Any

import typer

from dqlabels.cli.app import app, interruptible
from dqlabels.cli.files import STANDARD, read_table, write_table
from dqlabels.cli.options import Embed, as_labels, embeddings, folds, split
from dqlabels.errors import LabelWarning


@app.command("review-sample")
def review_sample_command(
    file: Annotated[str, typer.Argument(help="CSV, Parquet, Arrow IPC or NDJSON file; - for standard input.")],
    label: Annotated[str, typer.Option("--label", "-y", help="The column that holds the labels.")],
    rows: Annotated[int, typer.Option("--rows", "-n", help="How many rows to review.")] = 100,
    output: Annotated[str, typer.Option("--output", "-o", help="Write the rows there.")] = STANDARD,
    input_format: Annotated[str | None, typer.Option("--format", help="csv, parquet, ipc or ndjson; of FILE.")] = None,
    output_format: Annotated[str | None, typer.Option(help="The format of -o; default by its name, else CSV.")] = None,
    features: Annotated[str | None, typer.Option(help="Columns to judge by, with commas between.")] = None,
    exclude: Annotated[str | None, typer.Option(help="Columns not to judge by, with commas between.")] = None,
    pred_probs: Annotated[str | None, typer.Option(help="Probability columns of your own model.")] = None,
    classes: Annotated[str | None, typer.Option(help="The class of each probability column.")] = None,
    cv: Annotated[str | None, typer.Option(help="Cross-validate: a number of folds, or 'time'.")] = None,
    groups: Annotated[str | None, typer.Option(help="Column whose groups stay together.")] = None,
    embed: Embed = None,
    random_state: Annotated[int, typer.Option(help="Seed.")] = 0,
    n_jobs: Annotated[int | None, typer.Option(help="Threads.")] = None,
) -> None:
    """Draw rows of FILE to review by hand. Fill in reviewed_label; hand the file to 'dqlabels audit --reviewed'.

    Audit with the same options then: the rows are drawn by how well their labels fit.
    """
    from dqlabels.audits.audit import audit

    table = read_table(file, input_format)
    options: dict[str, Any] = {"features": split(features), "exclude": split(exclude) or (), "groups": groups}
    options |= {"random_state": random_state, "n_jobs": n_jobs, "cv": folds(cv), "pred_probs": split(pred_probs)}
    options["embed"] = embeddings(embed)
    if classes is not None:
        options["classes"] = as_labels(table, label, split(classes) or [])
    with interruptible(), warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always", LabelWarning)
        result = audit(table, label, **options)
        sample = result.review_sample(rows)
    kind = output_format or ("csv" if output == STANDARD else None)
    write_table(sample, output, kind)
    for note in notes:
        typer.echo(f"Note: {note.message}", err=True)
    where = "standard output" if output == STANDARD else output
    typer.echo(
        f"Wrote {len(sample):,} of {result.audited:,} rows to {where}. Write the right label, or 'unclear', into "
        f"reviewed_label, then: dqlabels audit {file} --label {label} --reviewed {output}",
        err=True,
    )
