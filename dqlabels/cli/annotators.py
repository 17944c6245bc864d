"""``dqlabels annotators``: audit what several annotators, systems or extracts said of the same rows."""

from __future__ import annotations

from typing import Annotated

import typer

from dqlabels.cli.app import working
from dqlabels.cli.command import command
from dqlabels.cli.files import STANDARD, check_output
from dqlabels.cli.limits import gate_of
from dqlabels.cli.options import AsJson, AuditedTable, BothFormats, CommandOptions, File, Overwrite, Quiet
from dqlabels.cli.parsing import split
from dqlabels.cli.show import files_written, finish
from dqlabels.cli.sources import Source
from dqlabels.cli.tables import audit_table, write_result
from dqlabels.cli.verbatim import Written

OPTIONS = ("annotator", "item", "consensus", "features", "exclude", "random_state", "n_jobs")
LIMITS = ("max_noise_rate", "min_agreement", "decide", "on_inconclusive", "min_judged")


@command("annotators", OPTIONS, LIMITS, reads=True)
def annotators_command(
    options: CommandOptions,
    file: File,
    label: Annotated[
        str,
        typer.Option(
            "--label", "-y", help="The label columns, separated by commas; or one, with --annotator and --item."
        ),
    ],
    output: AuditedTable = None,
    input_format: BothFormats = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Audit the labels that several annotators gave to the rows of FILE."""
    source = Source.of(file, input_format, options.reading)
    table = source.read()
    output_format = input_format if output == STANDARD else None
    if output is not None:
        check_output(table, output, output_format)
    chosen = options.options().changed(task="annotators")
    long = chosen.annotator is not None or chosen.item is not None
    limits = options.limits()
    with working():
        result = audit_table(table, label if long else split(label), chosen, overwrite=overwrite)
        gate = gate_of(result, limits) if options.has_limit else None
    if output is not None:
        labels = {result.options.names[1]: result.label_columns}
        write_result(result.frame, output, output_format, Written.of(source, table, result.names), labels)
    wrote = files_written(result, file, output)
    finish(result, gate, wrote=wrote, as_json=as_json, quiet=quiet, to_stderr=output == STANDARD)
