"""``dqlabels audit``: audit one label column of a file."""

from __future__ import annotations

import json
import warnings
from typing import Annotated, Any

import typer
from rich.console import Console

from dqlabels.cli.app import FAILED, app, interruptible
from dqlabels.cli.options import as_labels, folds, split
from dqlabels.cli.show import print_summary
from dqlabels.errors import LabelWarning
from dqlabels.files import STANDARD, check_output, read_table, write_table


@app.command("audit")
def audit_command(
    file: Annotated[str, typer.Argument(help="CSV, Parquet, Arrow IPC or NDJSON file; - for standard input.")],
    label: Annotated[str, typer.Option("--label", "-y", help="The column that holds the labels.")],
    output: Annotated[
        str | None, typer.Option("--output", "-o", help="Write the table with three more columns.")
    ] = None,
    input_format: Annotated[
        str | None, typer.Option("--format", help="csv, parquet, ipc or ndjson; of FILE, and of -o - as well.")
    ] = None,
    output_format: Annotated[str | None, typer.Option(help="The format of -o, where it is another.")] = None,
    features: Annotated[str | None, typer.Option(help="Columns to judge by, with commas between.")] = None,
    exclude: Annotated[str | None, typer.Option(help="Columns not to judge by, with commas between.")] = None,
    pred_probs: Annotated[str | None, typer.Option(help="Probability columns of your own model.")] = None,
    classes: Annotated[str | None, typer.Option(help="The class of each probability column.")] = None,
    cv: Annotated[str | None, typer.Option(help="Cross-validate: a number of folds, or 'time'.")] = None,
    groups: Annotated[str | None, typer.Option(help="Column whose groups stay together.")] = None,
    filter_by: Annotated[str, typer.Option(help="The rule that flags rows.")] = "prune_by_noise_rate",
    score: Annotated[str, typer.Option(help="The label quality.")] = "normalized_margin",
    adjust: Annotated[bool, typer.Option("--adjust", help="Score relative to each class's mean.")] = False,
    names: Annotated[str | None, typer.Option(help="Names of the three columns.")] = None,
    compat: Annotated[str | None, typer.Option(help="'cleanlab' for cleanlab 2.9's numbers.")] = None,
    random_state: Annotated[int, typer.Option(help="Seed.")] = 0,
    n_jobs: Annotated[int | None, typer.Option(help="Threads.")] = None,
    max_noise_rate: Annotated[float | None, typer.Option(help="Exit with 1 above this share, as in 0.05.")] = None,
    decide: Annotated[str, typer.Option(help="Hold 'estimate' or the 'confident' interval against it.")] = "estimate",
    on_inconclusive: Annotated[str, typer.Option(help="'warn', 'fail' or 'pass'.")] = "warn",
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no summary.")] = False,
    worst: Annotated[int, typer.Option(help="How many suspicious rows to print.")] = 10,
) -> None:
    """Audit one label column of FILE."""
    from dqlabels.auditor import audit

    output_format = output_format or (input_format if output == STANDARD else None)
    options: dict[str, Any] = {"filter_by": filter_by, "score": score, "adjust": adjust, "compat": compat}
    options |= {"features": split(features), "exclude": split(exclude) or (), "groups": groups}
    options |= {"random_state": random_state, "n_jobs": n_jobs, "cv": folds(cv), "pred_probs": split(pred_probs)}
    if names is not None:
        options["names"] = tuple(split(names) or ())
    table = read_table(file, input_format)
    if output is not None:
        check_output(table, output, output_format)
    if classes is not None:
        options["classes"] = as_labels(table, label, split(classes) or [])
    with interruptible(), warnings.catch_warnings():
        warnings.simplefilter("ignore", LabelWarning)  # the summary prints them as notes
        result = audit(table, label, **options)
        gate = None
        if max_noise_rate is not None:
            choice: Any = {"decide": decide, "on_inconclusive": on_inconclusive}
            gate = result.gate(max_noise_rate=max_noise_rate, **choice)
    if output is not None:
        write_table(result.frame, output, output_format)
    if as_json:
        facts = result.to_dict() | ({"gate": gate.to_dict()} if gate else {})
        typer.echo(json.dumps(facts, ensure_ascii=False, allow_nan=False), err=output == STANDARD)
    elif not quiet:
        print_summary(result, gate, worst, Console(stderr=output == STANDARD))
    if gate is not None and gate.verdict != "pass" and (quiet or as_json):
        typer.echo(gate.message, err=True)
    if gate is not None and not gate.passed:
        raise typer.Exit(FAILED)
