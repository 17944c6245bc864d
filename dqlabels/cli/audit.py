"""``dqlabels audit``: audit one label column of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dqlabels.cli.app import interruptible, working
from dqlabels.cli.command import command
from dqlabels.cli.files import STANDARD, check_folder, check_output
from dqlabels.cli.limits import gate_of
from dqlabels.cli.options import (
    WRITABLE,
    AsJson,
    AuditedTable,
    Auditor,
    BothFormats,
    CommandOptions,
    File,
    OutputFormat,
    Overwrite,
    Quiet,
    Reviewed,
    Spreadsheet,
)
from dqlabels.cli.show import files_written, finish
from dqlabels.cli.sources import Source, read_table
from dqlabels.cli.tables import audit_by_saved, audit_table, open_table, reading, with_answers, write_result
from dqlabels.cli.verbatim import Written
from dqlabels.errors import OptionError

if TYPE_CHECKING:
    import polars as pl

    from dqlabels.audits.base import Audit

# Labels that several people gave have a command of their own.
OPTIONS = tuple(name for name in WRITABLE if name not in ("annotator", "item", "consensus"))
LIMITS = (
    "max_noise_rate", "max_increase", "max_segment_noise_rate", "max_drift", "max_unseen_share", "by", "reference",
    "max_flagged_share", "decide", "on_inconclusive", "min_judged",
)  # fmt: skip


@command("audit", OPTIONS, LIMITS, reads=True)
def audit_command(
    options: CommandOptions,
    file: File,
    label: Annotated[str | None, typer.Option("--label", "-y", help="The column that holds the labels.")] = None,
    output: AuditedTable = None,
    input_format: BothFormats = None,
    output_format: OutputFormat = None,
    spreadsheet: Spreadsheet = False,
    overwrite: Overwrite = False,
    reviewed: Reviewed = None,
    auditor: Auditor = None,
    as_json: AsJson = False,
    html: Annotated[str | None, typer.Option(help="Write the report as one HTML file.")] = None,
    quiet: Quiet = False,
    worst: Annotated[int, typer.Option(help="How many suspicious rows to print.")] = 10,
) -> None:
    """Audit one label column of FILE."""
    output_format = output_format or (input_format if output == STANDARD else None)
    whole = _needs_memory(options) or any(value is not None for value in (html, reviewed, auditor))
    whole = whole or "by" in options.written
    source = Source.of(file, input_format, options.reading)
    table = source.read() if whole else open_table(source, options.sizes.large_rows)
    if output is not None:
        check_output(table.head(1).lazy().collect(), output, output_format)
    if html is not None:
        check_folder(html)
    answers = None if reviewed is None else read_table(reviewed)
    limits = options.limits()
    by = str(limits["by"]) if "by" in limits else None
    with working(), reading(file):
        result = (
            audit_by_saved(auditor, table, label, options, overwrite=overwrite)
            if auditor
            else _by_training(table, label, options, overwrite=overwrite)
        )
        result = result if answers is None else with_answers(result, answers, Written.of(source, table))
        gate = gate_of(result, limits) if options.has_limit else None
        segments = None if by is None else result.segments(by).to_list()
    if html is not None:
        result.to_html(html, gate=gate, by=by)
    if output is not None:
        with interruptible():
            labels = {result.options.names[1]: result.label_columns}
            write_result(
                result.frame,
                output,
                output_format,
                Written.of(source, table, result.names),
                labels,
                spreadsheet=spreadsheet,
            )
    wrote = files_written(result, file, output, html)
    to_stderr = output == STANDARD
    finish(result, gate, worst, segments=segments, wrote=wrote, as_json=as_json, quiet=quiet, to_stderr=to_stderr)


def _needs_memory(options: CommandOptions) -> bool:
    from dqlabels.audits.streaming import IN_MEMORY_ONLY

    return not options.written.keys().isdisjoint({*IN_MEMORY_ONLY, "classes"})


def _by_training(
    table: pl.DataFrame | pl.LazyFrame, label: str | None, options: CommandOptions, *, overwrite: bool
) -> Audit:
    if label is None:
        raise OptionError("--label is needed: the column that holds the labels.")
    return audit_table(table, label, options.options(), overwrite=overwrite)
