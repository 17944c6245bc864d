"""``dqlabels``: audit a file from the shell.

Exit status 0 done, 1 a gate failed, 2 a usage or data error, 70 a fault of the program, 130 interrupted.
"""

from __future__ import annotations

import json
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dqlabels.errors import DQLabelsError, LabelWarning
from dqlabels.files import STANDARD, check_output, read_table, write_table
from dqlabels.version import __version__

if TYPE_CHECKING:
    from dqlabels.gate import GateResult
    from dqlabels.result import LabelAudit

FAILED, UNUSABLE, CRASHED, INTERRUPTED = 1, 2, 70, 130
MOST_VALUES = 3
MOST_PAIRS = 5
MOST_CLASSES = 12
LONGEST_VALUE = 32
DEMO_FLIPPED_SHARE = 0.03

app = typer.Typer(
    name="dqlabels",
    help="Find wrong labels in a table, estimate how many there are, and gate a pipeline on it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def run() -> None:
    """Run the command line; every known error becomes one message and an exit status."""
    try:
        app()
    except DQLabelsError as error:
        _leave(str(error), UNUSABLE)
    except OSError as error:
        _leave(f"{error.filename or 'output'}: {error.strerror or error}", UNUSABLE)
    except Exception:  # noqa: BLE001 - Python's own status of a traceback is 1, which means a failed gate here
        traceback.print_exc()
        raise SystemExit(CRASHED) from None


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C said in words, before typer says "Aborted!"."""
    try:
        yield
    except KeyboardInterrupt:
        _leave("interrupted; nothing was written", INTERRUPTED)


def _leave(message: str, status: int) -> None:
    sys.stderr.write(f"dqlabels: {message}\n")
    raise SystemExit(status)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dqlabels {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Find wrong labels in a table, estimate how many there are, and gate a pipeline on it."""


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
    options |= {"features": _split(features), "exclude": _split(exclude) or (), "groups": groups}
    options |= {"random_state": random_state, "n_jobs": n_jobs, "cv": _folds(cv), "pred_probs": _split(pred_probs)}
    if names is not None:
        options["names"] = tuple(_split(names) or ())
    table = read_table(file, input_format)
    if output is not None:
        check_output(table, output, output_format)
    if classes is not None:
        options["classes"] = _as_labels(table, label, _split(classes) or [])
    with _interruptible(), warnings.catch_warnings():
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
        _print_summary(result, gate, worst, Console(stderr=output == STANDARD))
    if gate is not None and gate.verdict != "pass" and (quiet or as_json):
        typer.echo(gate.message, err=True)
    if gate is not None and not gate.passed:
        raise typer.Exit(FAILED)


@app.command("demo")
def demo_command() -> None:
    """Audit handwritten digits with 3% of the labels flipped, and say how many of those were found."""
    import numpy as np
    import polars as pl
    from sklearn.datasets import load_digits

    from dqlabels.auditor import audit

    digits = load_digits()
    rng = np.random.default_rng(0)
    labels = digits.target.copy()
    flipped = rng.choice(labels.size, round(DEMO_FLIPPED_SHARE * labels.size), replace=False)
    labels[flipped] = (labels[flipped] + rng.integers(1, 10, flipped.size)) % 10
    table = pl.DataFrame(digits.data, schema=[f"pixel_{at}" for at in range(64)]).with_columns(digit=labels)
    result = audit(table, "digit")
    _print_summary(result, None, 10, Console())
    flags = result.frame["is_label_issue"].to_numpy()
    typer.echo(
        f"\n{flipped.size} of {labels.size:,} labels were flipped on purpose. {int(flags[flipped].sum())} of them are "
        f"among the {int(flags.sum())} flagged."
    )


def _split(listed: str | None) -> list[str] | None:
    return None if listed is None else [name.strip() for name in listed.split(",") if name.strip()]


def _folds(cv: str | None) -> Any:
    return int(cv) if cv is not None and cv.isdecimal() else cv


def _as_labels(table: Any, label: str, classes: list[str]) -> list[Any]:
    """The classes as the label column holds them, found by how they are written."""
    if label not in table.columns:
        return list(classes)
    written = {str(value): value for value in table[label].unique().to_list()}
    return [written.get(name, name) for name in classes]


def _print_summary(result: LabelAudit, gate: GateResult | None, worst: int, console: Console) -> None:
    """Everything that came from data is printed as it is: no markup of it is obeyed, no control character sent."""
    facts = result.to_dict()
    rate = facts["noise_rate"]
    missing = f", {facts['missing']:,} without a label" if facts["missing"] else ""
    console.print(
        _text(
            f"{facts['label']}: {facts['flagged']:,} of {facts['audited']:,} labels flagged "
            f"({facts['flagged_share']:.1%}){missing}"
        ),
        style="bold",
    )
    console.print(
        f"Estimated noise rate {rate['estimate']:.1%} ({rate['confidence']:.0%} interval {rate['low']:.1%} to "
        f"{rate['high']:.1%}, method {rate['method']}), model error {facts['model_error']:.1%} ({facts['model']})."
    )
    console.print(_text(rate["assumption"]), style="dim")
    heads = ("class", "rows", "flagged", "flagged_share", "noise_rate")
    ranked = sorted(facts["classes"], key=lambda row: -row["flagged_share"])
    console.print(_grid("Classes", heads, [[row[head] for head in heads] for row in ranked[:MOST_CLASSES]]))
    if facts["flagged"]:
        columns = ("given", "suggested", "rows", "share")
        pairs = [[pair[head] for head in columns] for pair in facts["confusions"][:MOST_PAIRS]]
        console.print(_grid("Commonest confusions", columns, pairs))
        issues = result.issues.head(worst)
        shown = issues.columns[: 5 + MOST_VALUES]
        console.print(_grid("Most suspicious rows", shown, issues.select(shown).rows()))
    for note in facts["warnings"]:
        console.print(_text(f"Note: {note}"))
    if gate is not None:
        style = {"pass": "green", "fail": "red", "inconclusive": "yellow"}[gate.verdict]
        console.print(_text(gate.message.splitlines()[0]), style=style)


def _grid(title: str, heads: Any, rows: Any) -> Table:
    grid = Table(title=title, title_justify="left", header_style="bold")
    for head in heads:
        grid.add_column(_text(str(head).replace("_", " ")), no_wrap=True)
    for row in rows:
        grid.add_row(*(_text(_shown(head, value)) for head, value in zip(heads, row, strict=True)))
    return grid


def _shown(head: str, value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.1%}" if head in ("flagged_share", "noise_rate", "share") else f"{value:.4g}"
    return f"{value:,}" if type(value) is int and head != "row" else str(value)


def _text(value: str) -> Text:
    clean = "".join(letter if letter.isprintable() else "�" for letter in value)
    return Text(clean if len(clean) <= LONGEST_VALUE or " " in clean else clean[: LONGEST_VALUE - 1] + "…")
