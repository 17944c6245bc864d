"""``dqlabels audit``: audit one label column of a file."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from dqlabels.cli import options as given
from dqlabels.cli.app import FAILED, app, interruptible
from dqlabels.cli.files import STANDARD, check_folder, check_output
from dqlabels.cli.fit import audit_by_saved
from dqlabels.cli.tables import open_table, reading, write_result
from dqlabels.cli.values import held, print_result
from dqlabels.errors import LabelWarning, OptionError

if TYPE_CHECKING:
    from dqlabels.audits.base import Audit


@app.command("audit")
def audit_command(
    context: typer.Context,
    file: given.File,
    label: Annotated[str | None, typer.Option("--label", "-y", help="The column that holds the labels.")] = None,
    output: Annotated[
        str | None, typer.Option("--output", "-o", help="Write the table with three more columns.")
    ] = None,
    input_format: Annotated[
        str | None, typer.Option("--format", help="csv, parquet, ipc or ndjson; of FILE, and of -o - as well.")
    ] = None,
    output_format: Annotated[str | None, typer.Option(help="The format of -o, where it is another.")] = None,
    task: given.Task = None,
    features: given.Features = None,
    exclude: given.Exclude = None,
    pred_probs: given.PredProbs = None,
    classes: given.Classes = None,
    cv: given.Cv = None,
    groups: given.Groups = None,
    embed: given.Embed = None,
    filter_by: given.FilterBy = "prune_by_noise_rate",
    score: given.Score = "normalized_margin",
    adjust: given.Adjust = False,
    fdr: given.Fdr = None,
    names: Annotated[str | None, typer.Option(help="Names of the three columns.")] = None,
    compat: given.Compat = None,
    sample_rows: given.SampleRows = None,
    random_state: given.RandomState = 0,
    n_jobs: given.NJobs = None,
    reviewed: given.Reviewed = None,
    auditor: Annotated[str | None, typer.Option(help="Judge by what dqlabels fit saved; nothing is trained.")] = None,
    max_noise_rate: given.MaxNoiseRate = None,
    max_increase: Annotated[float | None, typer.Option(help="The same of the increase over --reference.")] = None,
    reference: Annotated[
        str | None, typer.Option(help="A saved auditor or profile; default what --auditor was fitted on.")
    ] = None,
    max_flagged_share: given.MaxFlaggedShare = None,
    decide: given.Decide = "estimate",
    on_inconclusive: given.OnInconclusive = "warn",
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    html: Annotated[str | None, typer.Option(help="Write the report as one HTML file.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no summary.")] = False,
    worst: Annotated[int, typer.Option(help="How many suspicious rows to print.")] = 10,
) -> None:
    """Audit one label column of FILE."""
    output_format = output_format or (input_format if output == STANDARD else None)
    options = given.audit_options(
        features=features, exclude=exclude, pred_probs=pred_probs, cv=cv, groups=groups, filter_by=filter_by,
        score=score, adjust=adjust, compat=compat, embed=embed, random_state=random_state, n_jobs=n_jobs,
    )  # fmt: skip
    options |= {"task": task, "sample_rows": sample_rows} | ({} if fdr is None else {"fdr": fdr})
    if names is not None:
        options["names"] = tuple(given.split(names) or ())
    whole = any(
        value is not None for value in (pred_probs, classes, cv, groups, embed, compat, html, reviewed, auditor)
    )
    table = open_table(file, input_format, in_memory=whole)
    if output is not None:
        check_output(table.head(1).lazy().collect(), output, output_format)
    if html is not None:
        check_folder(html)
    if classes is not None:
        options["classes"] = given.as_labels(table, str(label), given.split(classes) or [])
    with interruptible(), reading(file), warnings.catch_warnings():
        warnings.simplefilter("ignore", LabelWarning)  # the summary prints them as notes
        result = given.with_answers(_audited(table, label, options, auditor, context), reviewed)
        limits = {"max_noise_rate": max_noise_rate, "max_increase": max_increase}
        gate = held(result, limits, max_flagged_share, decide, on_inconclusive, reference)
    if html is not None:
        result.to_html(html, gate=gate)
    if output is not None:
        with interruptible():
            write_result(result.frame, output, output_format)
    _tell(result, gate, worst, as_json=as_json, quiet=quiet, to_stderr=output == STANDARD)
    if gate is not None and not gate.passed:
        raise typer.Exit(FAILED)


def _tell(result: Any, gate: Any, worst: int, *, as_json: bool, quiet: bool, to_stderr: bool) -> None:
    """Print the result as JSON or as text, or nothing of it; a gate that did not pass is always told."""
    if as_json:
        facts = result.to_dict() | ({"gate": gate.to_dict()} if gate else {})
        typer.echo(json.dumps(facts, ensure_ascii=False, allow_nan=False), err=to_stderr)
    elif not quiet:
        print_result(result, gate, worst, Console(stderr=to_stderr))
    if gate is not None and gate.verdict != "pass" and (quiet or as_json):
        typer.echo(gate.message, err=True)


def _audited(
    table: Any, label: str | None, options: dict[str, Any], auditor: str | None, context: typer.Context
) -> Audit:
    """The audit by a saved auditor where there is one, else by training."""
    from dqlabels.audits.audit import audit

    if auditor is not None:
        return audit_by_saved(auditor, table, label, options["n_jobs"], context)
    if label is None:
        raise OptionError("--label is needed: the column that holds the labels.")
    return audit(table, label, **options)
