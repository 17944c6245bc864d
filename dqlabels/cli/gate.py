"""``dqlabels gate`` and ``dqlabels profile``: stop a job on its labels, and what a later job compares itself with."""

from __future__ import annotations

import json
import sys
import warnings
from typing import Annotated, Any

import typer

from dqlabels.cli import options as given
from dqlabels.cli.app import FAILED, app, interruptible
from dqlabels.cli.files import STANDARD, check_folder, read_table
from dqlabels.cli.limits import gate_options
from dqlabels.errors import DQLabelsError, LabelWarning, OptionError
from dqlabels.frames.atomic import replacing
from dqlabels.report import gate as report

FORMATS = ("text", "json", "github", "junit")


@app.command("gate")
def gate_command(
    file: given.File,
    label: given.Labels,
    task: given.AnyTask = None,
    max_noise_rate: Annotated[float | None, typer.Option(help="Of the table, as in 0.05.")] = None,
    max_class_noise_rate: Annotated[
        list[str] | None, typer.Option(help="Of each class or tag: 0.1, or bad=0.1 (may repeat).")
    ] = None,
    max_pair_share: Annotated[
        list[str] | None, typer.Option(help="Of a class flagged as another: 0.1, or good,bad=0.1 (may repeat).")
    ] = None,
    max_increase: Annotated[float | None, typer.Option(help="Of the noise rate, since --reference.")] = None,
    reference: Annotated[str | None, typer.Option(help="What 'dqlabels profile' wrote on trusted data.")] = None,
    max_flagged_share: Annotated[float | None, typer.Option(help="Of numbers: of the values, as in 0.01.")] = None,
    fdr: given.Fdr = None,
    min_agreement: Annotated[float | None, typer.Option(help="Of annotators: the least Krippendorff's alpha.")] = None,
    max_annotator_noise_rate: Annotated[
        list[str] | None, typer.Option(help="Of each annotator's labels: 0.1, or core=0.1 (may repeat).")
    ] = None,
    annotator: given.Annotator = None,
    item: given.Item = None,
    consensus: given.Consensus = None,
    reviewed: given.Reviewed = None,
    method: Annotated[str | None, typer.Option(help="Of the noise rate.")] = None,
    decide: given.Decide = "estimate",
    on_inconclusive: given.OnInconclusive = "warn",
    output_format: Annotated[str, typer.Option("--format", help="text, json, github or junit.")] = "text",
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    output: Annotated[str | None, typer.Option("--output", "-o", help="Write the answer there.")] = None,
    input_format: given.InputFormat = None,
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
    compat: given.Compat = None,
    random_state: given.RandomState = 0,
    n_jobs: given.NJobs = None,
) -> None:
    """Hold the labels of FILE against limits: exit with 0 where they pass, with 1 where they fail."""
    output_format = "json" if as_json else output_format
    if output_format not in FORMATS:
        raise OptionError(f"--format {output_format!r} is none of {', '.join(FORMATS)}.")
    if output not in (None, STANDARD):
        check_folder(str(output))
    options = given.audit_options(
        features=features, exclude=exclude, pred_probs=pred_probs, cv=cv, groups=groups, filter_by=filter_by,
        score=score, adjust=adjust, compat=compat, embed=embed, random_state=random_state, n_jobs=n_jobs,
    )  # fmt: skip
    more = {"fdr": fdr, "annotator": annotator, "item": item, "consensus": consensus}
    options |= {"task": task} | {name: value for name, value in more.items() if value is not None}
    limits = {"max_noise_rate": max_noise_rate, "max_increase": max_increase, "max_flagged_share": max_flagged_share}
    limits |= {"min_agreement": min_agreement}
    written = {"max_class_noise_rate": max_class_noise_rate, "max_pair_share": max_pair_share}
    written |= {"max_annotator_noise_rate": max_annotator_noise_rate}
    ways = {"reference": reference, "method": method, "decide": decide, "on_inconclusive": on_inconclusive}
    try:
        if all(value is None for value in (*limits.values(), *written.values())):
            raise OptionError("The gate has no limit. Set --max-noise-rate 0.05 or another --max- option.")
        result = _audited(file, label, input_format, options, classes, reviewed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LabelWarning)  # told by the verdict
            gate = result.gate(**gate_options(result, {**limits, **ways}, written))
    except (DQLabelsError, OSError) as error:
        _write_error(error, file, ", ".join(label), output_format, output)
        raise
    facts = {"file": file, "label": result.label, **gate.to_dict(), "warnings": list(result.warnings)}
    texts = {
        "text": "\n".join([gate.message, *(f"Note: {note}" for note in result.warnings)]) + "\n",
        "json": json.dumps(facts, ensure_ascii=False, allow_nan=False) + "\n",
        "github": report.github_annotations(file, result.label, gate),
        "junit": report.junit_xml(file, result.label, gate),
    }
    _write(texts[output_format], output)
    told = output in (None, STANDARD) and output_format in ("text", "github")
    if gate.verdict != "pass" and not told:
        typer.echo(gate.message, err=True)
    if not gate.passed:
        raise typer.Exit(FAILED)


@app.command("profile")
def profile_command(
    file: given.File,
    label: given.Label,
    output: Annotated[str | None, typer.Option("--output", "-o", help="Write it there, as JSON.")] = None,
    input_format: given.InputFormat = None,
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
    compat: given.Compat = None,
    random_state: given.RandomState = 0,
    n_jobs: given.NJobs = None,
) -> None:
    """Write what later gates of the same label compare themselves with: run it on data you trust."""
    if output not in (None, STANDARD):
        check_folder(str(output))
    options = given.audit_options(
        features=features, exclude=exclude, pred_probs=pred_probs, cv=cv, groups=groups, filter_by=filter_by,
        score=score, adjust=adjust, compat=compat, embed=embed, random_state=random_state, n_jobs=n_jobs,
    )  # fmt: skip
    result = _audited(file, [label], input_format, options, classes)
    _write(json.dumps(result.profile(), ensure_ascii=False, allow_nan=False, indent=1) + "\n", output)
    for note in result.warnings:
        typer.echo(f"Note: {note}", err=True)


def _audited(
    file: str,
    labels: list[str],
    input_format: str | None,
    options: dict[str, Any],
    classes: str | None,
    reviewed: str | None = None,
) -> Any:
    """The audit, with the noise rate that reviewed rows give, where there are any."""
    from dqlabels.audits.audit import audit
    from dqlabels.audits.classes.result import LabelAudit

    table = read_table(file, input_format)
    label: Any = labels[0] if len(labels) == 1 else labels
    if classes is not None:
        options["classes"] = given.as_labels(table, labels, given.split(classes) or [])
    with interruptible(), warnings.catch_warnings():
        warnings.simplefilter("ignore", LabelWarning)  # told as notes, and by the verdict
        result: Any = audit(table, label, **options)
        if reviewed is not None and not isinstance(result, LabelAudit):
            raise OptionError("--reviewed is for one class a row; other kinds of label have no review sample.")
        return given.with_answers(result, reviewed)


def _write(text: str, output: str | None) -> None:
    if output in (None, STANDARD):
        sys.stdout.buffer.write(text.encode("utf-8", "replace"))
        sys.stdout.buffer.flush()
        return
    with replacing(str(output)) as file:
        file.write(text.encode("utf-8", "replace"))


def _write_error(error: Exception, file: str, label: str, output_format: str, output: str | None) -> None:
    """Say in the format asked for that the gate did not run, so that no former file there is taken for its answer."""
    message = str(error)
    facts = {"file": file, "label": label, "verdict": "error", "passed": False, "message": message}
    texts = {
        "text": f"ERROR: {message}\n" if output is not None else "",
        "json": json.dumps(facts, ensure_ascii=False) + "\n",
        "github": report.github_error(file, label, message),
        "junit": report.junit_error(file, label, message),
    }
    _write(texts[output_format], output)
