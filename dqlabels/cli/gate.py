"""``dqlabels gate`` and ``dqlabels profile``: stop a job on its labels, and what a later job compares itself with."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from dqlabels.cli.app import FAILED, working
from dqlabels.cli.command import command
from dqlabels.cli.files import STANDARD, check_folder
from dqlabels.cli.limits import gate_of
from dqlabels.cli.options import LIMITS, WRITABLE, Auditor, CommandOptions, File, Label, Reviewed, TableFormat
from dqlabels.cli.show import as_json as json_text
from dqlabels.cli.sources import Source, read_table
from dqlabels.cli.tables import audit_by_saved, audit_table, with_answers
from dqlabels.cli.verbatim import Written
from dqlabels.errors import DQLabelsError, OptionError
from dqlabels.frames.atomic import replacing
from dqlabels.report import gate as report

if TYPE_CHECKING:
    import polars as pl

    from dqlabels.audits.base import Audit
    from dqlabels.audits.gate import GateResult

FORMATS = ("text", "json", "github", "junit")
# A gate writes no table, and is of rows that are read at once.
GATE_OPTIONS = tuple(name for name in WRITABLE if name not in ("names", "sample_rows"))
PROFILE_OPTIONS = tuple(name for name in GATE_OPTIONS if name not in ("task", "annotator", "item", "consensus", "fdr"))


@dataclass(frozen=True, slots=True)
class Answer:
    """Where the answer of a gate goes, in which format, and what it is about."""

    file: str
    label: str
    format: str
    output: str | None

    @property
    def read_by_people(self) -> bool:
        """Whether somebody who reads the log finds the message in it."""
        return self.output in (None, STANDARD) and self.format in ("text", "github")

    def write(self, audit: Audit, gate: GateResult, facts: Mapping[str, object] | None = None) -> None:
        """Write the verdict on an audit; ``facts`` are what JSON tells of it, by default the gate's."""
        told = gate.to_dict() if facts is None else facts
        content = {"file": self.file, "label": audit.label, **told, "warnings": list(audit.warnings)}
        texts = {
            "text": "\n".join([gate.message, *(f"Note: {note}" for note in audit.warnings)]) + "\n",
            "json": json_text(content) + "\n",
            "github": report.github_annotations(self.file, audit.label, gate),
            "junit": report.junit_xml(self.file, audit.label, gate),
        }
        write_text(texts[self.format], self.output)

    def write_error(self, message: str) -> None:
        """Say that the gate did not run, so that no former file there is taken for its answer."""
        content = {"file": self.file, "label": self.label, "verdict": "error", "passed": False, "message": message}
        texts = {
            "text": f"ERROR: {message}\n" if self.output is not None else "",
            "json": json_text(content) + "\n",
            "github": report.github_error(self.file, self.label, message),
            "junit": report.junit_error(self.file, self.label, message),
        }
        write_text(texts[self.format], self.output)


@command("gate", GATE_OPTIONS, LIMITS, reads=True)
def gate_command(
    options: CommandOptions,
    file: File,
    label: Annotated[
        list[str] | None,
        typer.Option(
            "--label",
            "-y",
            help="The column that holds the labels; repeat it for one per annotator or per tag. An --auditor knows it.",
        ),
    ] = None,
    auditor: Auditor = None,
    reviewed: Reviewed = None,
    answer_format: Annotated[str, typer.Option("--format", help="text, json, github or junit.")] = "text",
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    output: Annotated[str | None, typer.Option("--output", "-o", help="Write the answer there.")] = None,
    input_format: TableFormat = None,
) -> None:
    """Hold the labels of FILE against limits: exit with 0 where they pass, with 1 where they fail."""
    labels = label or []
    answer = Answer(file, ", ".join(labels), "json" if as_json else answer_format, output)
    if answer.format not in FORMATS:
        raise OptionError(f"--format {answer.format!r} is none of {', '.join(FORMATS)}.")
    if output not in (None, STANDARD):
        check_folder(str(output))
    try:
        if not options.has_limit:
            raise OptionError("The gate has no limit. Set --max-noise-rate 0.05 or another --max- option.")
        limits, source = options.limits(), Source.of(file, input_format, options.reading)
        table = source.read()
        answers = None if reviewed is None else read_table(reviewed)
        with working():
            result = _judged(table, labels, auditor, options)
            result = result if answers is None else with_answers(result, answers, Written.of(source, table))
            gate = gate_of(result, limits)
    except (DQLabelsError, OSError) as error:
        answer.write_error(str(error))
        raise
    answer.write(result, gate)
    if gate.verdict != "pass" and not answer.read_by_people:
        typer.echo(gate.message, err=True)
    if not gate.passed:
        raise typer.Exit(FAILED)


def _judged(table: pl.DataFrame, labels: list[str], auditor: str | None, options: CommandOptions) -> Audit:
    """Audit a table by a saved auditor where there is one, else by training.

    Raises:
        OptionError: No label, or several with an auditor.
    """
    one = labels[0] if len(labels) == 1 else None
    if auditor is not None:
        if len(labels) > 1:
            raise OptionError(f"--label: an auditor judges one column, and {len(labels)} are named.")
        return audit_by_saved(auditor, table, one, options)
    if not labels:
        raise OptionError("--label is needed: the column that holds the labels. Only an --auditor knows its own.")
    return audit_table(table, labels if one is None else one, options.options())


@command("profile", PROFILE_OPTIONS, reads=True)
def profile_command(
    options: CommandOptions,
    file: File,
    label: Label,
    output: Annotated[str | None, typer.Option("--output", "-o", help="Write it there, as JSON.")] = None,
    input_format: TableFormat = None,
) -> None:
    """Write what later gates of the same label compare themselves with: run it on data you trust."""
    if output not in (None, STANDARD):
        check_folder(str(output))
    chosen, table = options.options().changed(task="classes"), read_table(file, input_format, options.reading)
    with working():
        result = audit_table(table, label, chosen)
        profile = result.profile()
    write_text(json_text(profile, indent=1) + "\n", output)
    for note in result.warnings:
        typer.echo(f"Note: {note}", err=True)


def write_text(text: str, output: str | None) -> None:
    """Write to a file, whole or not at all, or to standard output."""
    if output is None or output == STANDARD:
        sys.stdout.buffer.write(text.encode("utf-8", "replace"))
        sys.stdout.buffer.flush()
        return
    with replacing(output) as file:
        file.write(text.encode("utf-8", "replace"))
