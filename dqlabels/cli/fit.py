"""``dqlabels fit``: train an auditor on a file you trust, for ``dqlabels audit --auditor`` to judge batches by."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from dqlabels.cli.app import app, interruptible
from dqlabels.cli.files import read_table
from dqlabels.cli.options import embeddings, folds, split
from dqlabels.errors import LabelWarning, OptionError

if TYPE_CHECKING:
    from dqlabels.audits.classes.result import LabelAudit

# What a saved auditor has settled: `dqlabels audit --auditor` takes none of these.
SETTLED = (
    "features", "exclude", "pred_probs", "classes", "cv", "groups", "embed", "filter_by", "score", "adjust", "names",
    "compat", "sample_rows", "random_state",
)  # fmt: skip


@app.command("fit")
def fit_command(
    file: Annotated[str, typer.Argument(help="CSV, Parquet, Arrow IPC or NDJSON file; - for standard input.")],
    label: Annotated[str, typer.Option("--label", "-y", help="The column that holds the labels.")],
    output: Annotated[str, typer.Option("--output", "-o", help="Where to save the auditor, as in income.dqlabels.")],
    input_format: Annotated[str | None, typer.Option("--format", help="csv, parquet, ipc or ndjson.")] = None,
    features: Annotated[str | None, typer.Option(help="Columns to judge by, with commas between.")] = None,
    exclude: Annotated[str | None, typer.Option(help="Columns not to judge by, with commas between.")] = None,
    cv: Annotated[str | None, typer.Option(help="Cross-validate: a number of folds, or 'time'.")] = None,
    groups: Annotated[str | None, typer.Option(help="Column whose groups stay together.")] = None,
    embed: Annotated[list[str] | None, typer.Option(help="COLUMN=image: files to read (may repeat).")] = None,
    filter_by: Annotated[str, typer.Option(help="The rule that flags rows.")] = "prune_by_noise_rate",
    score: Annotated[str, typer.Option(help="The label quality.")] = "normalized_margin",
    adjust: Annotated[bool, typer.Option("--adjust", help="Score relative to each class's mean.")] = False,
    names: Annotated[str | None, typer.Option(help="Names of the three columns.")] = None,
    random_state: Annotated[int, typer.Option(help="Seed.")] = 0,
    n_jobs: Annotated[int | None, typer.Option(help="Threads.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing.")] = False,
) -> None:
    """Train an auditor on FILE and save it, for `dqlabels audit BATCH --auditor`."""
    from dqlabels.audits.trusted.label_auditor import LabelAuditor

    folder = Path(output).absolute().parent
    if not folder.is_dir():
        raise OptionError(f"{output} cannot be written: the folder {folder} does not exist.")
    options: dict[str, Any] = {"filter_by": filter_by, "score": score, "adjust": adjust, "groups": groups}
    options |= {"features": split(features), "exclude": split(exclude) or (), "cv": folds(cv)}
    options |= {"random_state": random_state, "n_jobs": n_jobs, "embed": saved_embeddings(embed)}
    if names is not None:
        options["names"] = tuple(split(names) or ())
    table = read_table(file, input_format)
    auditor = LabelAuditor(label, **options)
    with interruptible(), warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("always", LabelWarning)
        auditor.fit(table)
    auditor.save(output)
    if not quiet:
        profile = auditor.profile()
        rate = profile["noise_rate"]
        console = Console(markup=False, highlight=False)
        console.print(
            f"{output}: judges {label!r} ({len(auditor.classes)} classes) by {len(auditor.features)} columns, learned "
            f"from {profile['rows']:,} rows. Their noise rate {rate['estimate']:.1%} (interval {rate['low']:.1%} to "
            f"{rate['high']:.1%}), model error {profile['model_error']:.1%}."
        )
        for note in noted:
            console.print(f"Note: {note.message}")


def saved_embeddings(embed: list[str] | None) -> dict[str, Any] | None:
    """``embed=`` of a saved auditor.

    Raises:
        OptionError: A callable, which no file can hold without code.
    """
    called = [text for text in embed or () if not text.endswith("=image")]
    if called:
        raise OptionError(
            f"--embed {called[0]}: an auditor that is saved takes COLUMN=image alone, since a file holds no code. "
            "Write the vectors into the file first, or audit without --auditor."
        )
    return embeddings(embed)


def audit_by_saved(path: str, table: Any, label: str | None, n_jobs: int | None, given: typer.Context) -> LabelAudit:
    """The audit of a batch by a saved auditor.

    Raises:
        OptionError: An option that was settled when the auditor was fitted, or another label column.
    """
    from dqlabels.audits.trusted.label_auditor import load

    sources = {name: given.get_parameter_source(name) for name in SETTLED}
    settled = [name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"]
    if settled:
        listed = ", ".join("--" + name.replace("_", "-") for name in settled)
        raise OptionError(f"{listed}: settled when the auditor was fitted. Give it to dqlabels fit, or drop --auditor.")
    auditor = load(path, n_jobs=n_jobs)
    if label not in (None, auditor.label):
        raise OptionError(f"--label {label!r} is not the column that {path} audits, which is {auditor.label!r}.")
    return auditor.audit(table)
