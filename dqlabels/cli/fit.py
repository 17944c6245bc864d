"""``dqlabels fit``: train an auditor on a file you trust, for ``dqlabels audit --auditor`` to judge batches by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

import typer
from rich.console import Console

from dqlabels.audits.options import FITTING
from dqlabels.cli.app import working
from dqlabels.cli.command import command
from dqlabels.cli.files import check_folder
from dqlabels.cli.options import WRITABLE, CommandOptions, File, InputFormat, Label
from dqlabels.cli.show import print_notes
from dqlabels.cli.sources import read_table
from dqlabels.errors import OptionError

if TYPE_CHECKING:
    from dqlabels.audits.options import FittingOptions

# cleanlab's numbers are those of one whole table.
OPTIONS = tuple(name for name in WRITABLE if name in (*FITTING, "task", "fdr") and name != "compat")


@command("fit", OPTIONS, reads=True)
def fit_command(
    options: CommandOptions,
    file: File,
    label: Label,
    output: Annotated[str, typer.Option("--output", "-o", help="Where to save the auditor, as in income.dqlabels.")],
    input_format: InputFormat = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing.")] = False,
) -> None:
    """Train an auditor on FILE and save it, for `dqlabels audit BATCH --auditor`."""
    from dqlabels.audits.trusted.label_auditor import LabelAuditor

    check_folder(output)
    check_embeddings(options.written.get("embed"))
    auditor = LabelAuditor(label, **cast("FittingOptions", options.keywords()))
    table = read_table(file, input_format, options.reading)
    with working() as notes:
        auditor.fit(table)
    auditor.save(output)
    if quiet:
        return
    console = Console(markup=False, highlight=False)
    console.print(f"{output}: {auditor.summary()}")
    print_notes(notes, console)


def check_embeddings(written: object) -> None:
    """Refuse an embedding that calls a function.

    Raises:
        OptionError: A callable, which no file can hold without code.
    """
    called = [text for text in written if not text.endswith("=image")] if isinstance(written, list) else []
    if called:
        raise OptionError(
            f"--embed {called[0]}: an auditor that is saved takes COLUMN=image alone, since a file holds no code. "
            "Write the vectors into the file first, or audit without --auditor."
        )
