"""Options that several commands take, as they are written on a command line."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dqlabels.errors import OptionError

if TYPE_CHECKING:
    from dqlabels.audits.base import Audit

File = Annotated[str, typer.Argument(help="CSV, Parquet, Arrow IPC or NDJSON file; - for standard input.")]
Label = Annotated[str, typer.Option("--label", "-y", help="The column that holds the labels.")]
Task = Annotated[str | None, typer.Option(help="'classes', 'ordinal' or 'regression'; default by the column.")]
Fdr = Annotated[float | None, typer.Option(help="Of numbers: share of right values among the flagged, as in 0.1.")]
MaxFlaggedShare = Annotated[float | None, typer.Option(help="Of numbers: exit with 1 above this share, as in 0.01.")]
Labels = Annotated[
    list[str],
    typer.Option("--label", "-y", help="The column that holds the labels; one an annotator or a tag (may repeat)."),
]
AnyTask = Annotated[
    str | None,
    typer.Option(help="'classes', 'ordinal', 'regression', 'annotators' or 'multilabel'; default by the columns."),
]
Annotator = Annotated[str | None, typer.Option(help="Of a row a label: the column of who gave it.")]
Item = Annotated[str | None, typer.Option(help="Of a row a label: the column of what it was given to.")]
Consensus = Annotated[str | None, typer.Option(help="Of annotators: crowdlab, ibcc, dawid_skene or majority.")]
InputFormat = Annotated[str | None, typer.Option(help="csv, parquet, ipc or ndjson; of FILE.")]
Features = Annotated[str | None, typer.Option(help="Columns to judge by, with commas between.")]
Exclude = Annotated[str | None, typer.Option(help="Columns not to judge by, with commas between.")]
PredProbs = Annotated[str | None, typer.Option(help="Probability columns of your own model.")]
Classes = Annotated[str | None, typer.Option(help="The class of each probability column.")]
Cv = Annotated[str | None, typer.Option(help="Cross-validate: a number of folds, or 'time'.")]
Groups = Annotated[str | None, typer.Option(help="Column whose groups stay together.")]
Embed = Annotated[
    list[str] | None,
    typer.Option(help="COLUMN=image, or COLUMN=package.module:function, which runs that code of yours (may repeat)."),
]
FilterBy = Annotated[str, typer.Option(help="The rule that flags rows.")]
Score = Annotated[str, typer.Option(help="The label quality.")]
Adjust = Annotated[bool, typer.Option("--adjust", help="Score relative to each class's mean.")]
Compat = Annotated[str | None, typer.Option(help="'cleanlab' for cleanlab 2.9's numbers.")]
SampleRows = Annotated[int | None, typer.Option(help="Of more than 200,000 rows: how many to fit on.")]
RandomState = Annotated[int, typer.Option(help="Seed.")]
NJobs = Annotated[int | None, typer.Option(help="Threads.")]
MaxNoiseRate = Annotated[float | None, typer.Option(help="Exit with 1 above this share, as in 0.05.")]
Decide = Annotated[str, typer.Option(help="Hold 'estimate' or the 'confident' interval against it.")]
OnInconclusive = Annotated[str, typer.Option(help="'warn', 'fail' or 'pass'.")]
Reviewed = Annotated[
    str | None, typer.Option(help="What 'dqlabels review-sample' wrote, with its reviewed_label filled in.")
]


def audit_options(
    *,
    features: str | None,
    exclude: str | None,
    pred_probs: str | None,
    cv: str | None,
    groups: str | None,
    filter_by: str,
    score: str,
    adjust: bool,
    compat: str | None,
    embed: Sequence[str] | None = None,
    random_state: int,
    n_jobs: int | None,
) -> dict[str, Any]:
    """The options of :func:`dqlabels.audit` from those of a command on classes."""
    options: dict[str, Any] = {
        "task": "classes",
        "filter_by": filter_by,
        "score": score,
        "adjust": adjust,
        "compat": compat,
    }
    options |= {"features": split(features), "exclude": split(exclude) or (), "groups": groups}
    options |= {"random_state": random_state, "n_jobs": n_jobs, "cv": folds(cv), "pred_probs": split(pred_probs)}
    options |= {"embed": embeddings(embed)}
    return options


def with_answers(result: Audit, reviewed: str | None) -> Audit:
    """The audit with the noise rate that the answers in a file give, where one is named."""
    if reviewed is None:
        return result
    from dqlabels.cli.files import read_table

    return result.with_review(read_table(reviewed))


def embeddings(written: Sequence[str] | None) -> dict[str, Any] | None:
    """What ``embed=`` takes, of ``COLUMN=image`` and ``COLUMN=package.module:function``.

    The module is imported, and so its code runs: it is looked for where Python looks, and then in the working folder.

    Raises:
        OptionError: Not written like that, or there is no such module or function.
    """
    if not written:
        return None
    found: dict[str, Any] = {}
    for text in written:
        column, _, how = text.rpartition("=")
        if not column or not how:
            raise OptionError(f"--embed {text}: write COLUMN=image or COLUMN=package.module:function.")
        found[column] = how if how == "image" else _imported(text, how)
    return found


def _imported(text: str, how: str) -> Any:
    """The callable ``package.module:function``, or ``:object.method``."""
    name, _, path = how.partition(":")
    if not name or not path:
        raise OptionError(f"--embed {text}: {how!r} is neither image nor package.module:function.")
    if os.getcwd() not in sys.path:
        # Last, so that a file there hides no installed module.
        sys.path.append(os.getcwd())
    try:
        value: Any = importlib.import_module(name)
    except ImportError as error:
        raise OptionError(
            f"--embed {text}: {name} cannot be imported ({error}). Install it, or run from the folder that holds it."
        ) from error
    for part in path.split("."):
        if not hasattr(value, part):
            raise OptionError(f"--embed {text}: {name} has no {path}.")
        value = getattr(value, part)
    if not callable(value):
        raise OptionError(f"--embed {text}: {name}:{path} is of type {type(value).__name__}, which cannot be called.")
    return value


def split(listed: str | None) -> list[str] | None:
    """Names with commas between."""
    return None if listed is None else [name.strip() for name in listed.split(",") if name.strip()]


def folds(cv: str | None) -> Any:
    """A number of folds, or the name of a way to split."""
    return int(cv) if cv is not None and cv.isdecimal() else cv


def as_labels(table: Any, label: str | Sequence[str], classes: list[str]) -> list[Any]:
    """The classes as the label column holds them, or the columns, found by how they are written."""
    written: dict[str, Any] = {}
    for name in [label] if isinstance(label, str) else label:
        if name in table.columns:
            column = table[name].explode() if table[name].dtype.is_nested() else table[name]
            written |= {str(value): value for value in column.unique().to_list()}
    return [written.get(name, name) for name in classes]
