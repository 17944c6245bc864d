"""The options of the commands: those of an audit and its gate are made from the fields that Python has them in."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Annotated, Any, get_args

import typer

from dqlabels.audits.gate import LIMIT_NAMES, Limits
from dqlabels.audits.options import OPTION_NAMES, Options
from dqlabels.cli.parsing import embeddings, folds, named_limits, split
from dqlabels.cli.sources import Reading
from dqlabels.errors import OptionError
from dqlabels.models.sizes import Sizes

TABLE_FORMATS = "csv, tsv, parquet, ipc, ndjson or excel"
ARGUMENT = typer.Argument(
    help="File of CSV, Parquet, Arrow IPC, NDJSON or Excel, folder of Parquet, or address (s3://, gs://, az://); - for "
    "standard input."
)
File = Annotated[str, ARGUMENT]
# Of commands that read a query as well.
FileOrQuery = Annotated[str | None, ARGUMENT]
Label = Annotated[str, typer.Option("--label", "-y", help="The column that holds the labels.")]
InputFormat = Annotated[str | None, typer.Option("--format", help=f"Format of FILE: {TABLE_FORMATS}.")]
TableFormat = Annotated[str | None, typer.Option("--input-format", help=f"Format of FILE: {TABLE_FORMATS}.")]
BothFormats = Annotated[
    str | None, typer.Option("--format", help="Format of FILE, and of -o -: csv, parquet, ipc or ndjson.")
]
OutputFormat = Annotated[str | None, typer.Option(help="Format of the output; by default its extension says it.")]
AuditedTable = Annotated[str | None, typer.Option("--output", "-o", help="Write the table with three more columns.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print no summary.")]
Auditor = Annotated[
    str | None,
    typer.Option(
        help="Judge by the auditor that 'dqlabels fit' saved; nothing is trained, and --max-increase compares with "
        "what it was fitted on."
    ),
]
Spreadsheet = Annotated[
    bool, typer.Option("--spreadsheet", help="In a CSV, put ' before text that a spreadsheet would run as a formula.")
]
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Replace columns of FILE that have the names of those to add. What a former audit of the same label added "
        "goes without it.",
    ),
]
Reviewed = Annotated[
    str | None, typer.Option(help="What 'dqlabels review-sample' wrote, with its reviewed_label filled in.")
]

# A model, a weight for each row and a callable cannot be written on a command line.
WRITABLE = tuple(name for name in OPTION_NAMES if name not in ("model", "sample_weight", "progress"))
LIMITS = tuple(one.name for one in fields(Limits))
# What stands for the value in --help where the type does not say it.
METAVARS = {
    "cv": "FOLDS|time",
    "embed": "COLUMN=HOW",
    "groups": "COLUMN",
    "annotator": "COLUMN",
    "item": "COLUMN",
    "by": "COLUMN",
    "reference": "FILE",
    "max_pair_share": "[GIVEN,SUGGESTED=]SHARE",
}
# Instead of Python's meaning, where that speaks of values which a command line cannot hold.
MEANINGS = {
    "embed": "Columns to turn into vectors first: COLUMN=image for bytes or paths of images, or "
    "COLUMN=package.module:function, which imports and runs that code.",
    "pred_probs": "Columns with your own out-of-sample probabilities, one for each class; no model is trained then.",
    "cv": "Cross-validate instead of judging out of bag: a number of folds, or 'time'.",
    "groups": "Column of groups; rows of one group are never on both sides of a split.",
    "filter_by": "The rule that flags rows.",
    "score": "What ranks the labels; label_quality is the probability of being right that follows from it.",
    "reference": "Trusted data to compare with: what 'dqlabels profile' or 'dqlabels fit' wrote.",
    "method": "The method of estimating the noise rate; by default that of the audit.",
    "by": "The column whose values are segments: their figures, and what --max-segment-noise-rate limits.",
    "max_pair_share": "The largest share of a class's rows that may be flagged as one other class.",
}
READING_PANEL = "How FILE is read"
AUDIT_PANEL, GATE_PANEL = "How the labels are audited", "Limits: the exit status is 1 where one is not kept"


@dataclass(frozen=True, slots=True)
class Form:
    """How a value is written: its type for typer, what stands for it in --help, and what reads it."""

    type: object
    metavar: str | None = None
    read: Callable[[Any], object] = lambda value: value


def form_of(one: Field[Any]) -> Form:
    """Return how the value of a field is written on a command line, by the type it has in Python.

    >>> features = next(one for one in fields(Options) if one.name == "features")
    >>> form_of(features).read("age, income")
    ['age', 'income']
    """
    written, metavar = str(one.type), METAVARS.get(one.name)
    if one.name == "cv":
        return Form(str | None, metavar, folds)
    if written.startswith("Mapping"):
        return Form(list[str] | None, metavar, embeddings)
    if "Mapping" in written:
        flag, pairs = flag_of(one.name), "tuple" in written
        return Form(list[str] | None, metavar or "[NAME=]SHARE", lambda value: named_limits(flag, value, pairs=pairs))
    if written.startswith(("Sequence", "Iterable", "tuple")):
        return Form(str | None, metavar or "NAME,NAME", split)
    plain = {"bool": bool, "int": int, "int | None": int | None, "float": float, "float | None": float | None}
    return Form(plain.get(written, str | None), metavar)


def flag_of(name: str) -> str:
    """Return an option as it is written.

    >>> flag_of("pred_probs")
    '--pred-probs'
    """
    return f"--{name.replace('_', '-')}"


def parameter(one: Field[Any], panel: str) -> inspect.Parameter:
    """Return a field of :class:`Options` or :class:`Limits` as a parameter from which typer makes an option."""
    form = form_of(one)
    shown = typer.Option(flag_of(one.name), help=_help(one), metavar=form.metavar, rich_help_panel=panel)
    default = one.default if isinstance(one.default, (str, int, float)) else None
    return inspect.Parameter(
        one.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[form.type, shown]
    )


def parameters(names: Iterable[str], limits: Iterable[str]) -> list[inspect.Parameter]:
    """Return the parameters of a command for options of an audit and limits of its gate, in the order of the fields."""
    options, held = set(names), set(limits)
    return [
        *(parameter(one, GATE_PANEL) for one in fields(Limits) if one.name in held),
        *(parameter(one, AUDIT_PANEL) for one in fields(Options) if one.name in options),
    ]


def _help(one: Field[Any]) -> str:
    """Return the meaning that Python's help has, and the choices where it does not name them."""
    meaning: str = MEANINGS.get(one.name, one.metadata["meaning"])
    alias = str(one.type).removesuffix(" | None")
    modules = (vars(sys.modules[record.__module__]) for record in (Options, Limits))
    choices = next((get_args(module[alias]) for module in modules if alias in module), ())
    unnamed = [choice for choice in choices if f"'{choice}'" not in meaning]
    listed = f"One of {', '.join(choices)}." if unnamed else ""
    repeated = "May be repeated." if "Mapping" in str(one.type) else ""
    return " ".join(filter(None, (meaning, listed, repeated)))


@dataclass(frozen=True, slots=True)
class CommandOptions:
    """The options of an audit and the limits of its gate that were written on the command line, by name."""

    written: Mapping[str, object]
    sizes: Sizes
    reading: Reading = field(default_factory=Reading)

    def options(self) -> Options:
        """Return the options of the audit, checked as in Python.

        Raises:
            OptionError: A value that means nothing here.
        """
        return Options(**self.keywords(), sizes=self.sizes)

    def limits(self) -> dict[str, object]:
        """Return what was written of limits, checked as in Python; classes, tags and people's names are still text.

        Raises:
            OptionError: A limit that is not a share, or an unknown choice.
        """
        limits = self._read(Limits, LIMITS)
        Limits(**limits)
        return limits

    def keywords(self) -> dict[str, Any]:
        """Return what was written of the options of the audit, as Python takes it."""
        return self._read(Options, WRITABLE)

    @property
    def has_limit(self) -> bool:
        """Whether there is anything for a gate to decide."""
        return not self.written.keys().isdisjoint(LIMIT_NAMES)

    def refuse(self, names: Iterable[str], why: str) -> None:
        """Refuse options that mean nothing here.

        Raises:
            OptionError: Naming those that were written.
        """
        found = [flag_of(name) for name in names if name in self.written]
        if found:
            raise OptionError(f"{', '.join(found)}: {why}")

    def _read(self, record: type[Options | Limits], names: Iterable[str]) -> dict[str, Any]:
        taken = {one.name: one for one in fields(record) if one.name in names and one.name in self.written}
        return {name: form_of(one).read(self.written[name]) for name, one in taken.items()}
