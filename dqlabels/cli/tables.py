"""Tables of the commands, from file to audit and back: small files in memory, large ones in passes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dqlabels.audits.options import SETTLED
from dqlabels.cli.files import STANDARD, TEXTS, table_format, write_lazily, write_table
from dqlabels.cli.sources import Source
from dqlabels.cli.spreadsheet import with_formulas, without_formulas
from dqlabels.errors import OptionError

if TYPE_CHECKING:
    import polars as pl

    from dqlabels.audits.base import Audit
    from dqlabels.audits.options import Options
    from dqlabels.cli.options import CommandOptions
    from dqlabels.cli.verbatim import Written


@contextmanager
def reading(path: str) -> Iterator[None]:
    """Name the file when Polars finds a part of it that it cannot read.

    Raises:
        OptionError: Naming the file.
    """
    import polars as pl

    try:
        yield
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise OptionError(f"{path} cannot be read to its end: {reason}. Nothing was written.") from error
    except OSError as error:
        if error.filename is not None or error.errno is not None:
            raise
        # of an object store, by Polars
        raise OptionError(f"{path} cannot be read to its end: {error}. Nothing was written.") from error


def open_table(source: Source, large_rows: int) -> pl.DataFrame | pl.LazyFrame:
    """Open a file: as a lazy frame where it has more than ``large_rows`` rows, else as a frame.

    Raises:
        OptionError: Not a table of its format.
        OSError: The file cannot be read.
    """
    lazy = source.scan()
    if lazy is None:
        return source.read()
    import polars as pl

    from dqlabels.engines.polars import collect

    rows: int = collect(lazy.select(pl.len())).item()
    return lazy if rows > large_rows else source.read()


def audit_table(
    table: pl.DataFrame | pl.LazyFrame,
    label: str | Sequence[str],
    options: Options,
    *,
    overwrite: bool = False,
    more: Sequence[str] = (),
) -> Audit:
    """Audit a table; ``classes``, which are text, are found in the label columns by how they are written there.

    Args:
        table: n rows; the columns that a former run of the command added are left out.
        label: The label column, or columns.
        options: What the caller asks for.
        overwrite: Whether columns of the names that are added are left out whatever they hold.
        more: Columns that the command adds beside the three of the audit.

    Raises:
        DQLabelsError: As :func:`dqlabels.audit`.
    """
    from dqlabels.audits.audit import run_audit

    table = without_former(table, label, (*options.names, *more), overwrite=overwrite)
    if options.classes is not None:
        options = options.changed(classes=_as_labels(table.lazy().collect(), label, options.classes))
    return run_audit(table, label, options)


def without_former(
    table: pl.DataFrame | pl.LazyFrame, label: str | Sequence[str], names: Sequence[str], *, overwrite: bool
) -> pl.DataFrame | pl.LazyFrame:
    """The table without the columns that a former run of the same command added, so that running it again is safe.

    Args:
        table: n rows.
        label: The label column, or columns.
        names: The columns to add: quality, suggestion, flag and perhaps more.
        overwrite: Whether columns of these names go whatever they hold.
    """
    present = [name for name in names if name in table.lazy().collect_schema().names()]
    if not present or not (overwrite or (isinstance(label, str) and _is_former(table, label, names))):
        return table
    return table.drop(present)


def _is_former(table: pl.DataFrame | pl.LazyFrame, label: str, names: Sequence[str]) -> bool:
    """Whether an audit of this label added these columns: the flag is true exactly where another label is suggested."""
    import polars as pl

    from dqlabels.engines.polars import collect

    schema, (quality, suggested, flag) = table.lazy().collect_schema(), names[:3]
    if not {label, *names[:3]} <= {*schema.names()}:
        return False
    if not schema[quality].is_float() or schema[flag] != pl.Boolean or schema[suggested] != schema[label]:
        return False
    differs = (pl.col(suggested) != pl.col(label)) != pl.col(flag)
    return not collect(table.lazy().select(differs.any())).item()


def with_answers(result: Audit, answers: pl.DataFrame, written: Written | None) -> Audit:
    """The audit with a reviewed sample, whose answers may be written as the input file writes its labels.

    Raises:
        DQLabelsError: As :meth:`dqlabels.LabelAudit.with_review`.
    """
    answers = with_formulas(answers)
    (label, *others), name = result.label_columns, "reviewed_label"
    if written is not None and not others and name in answers.columns:
        answers = answers.with_columns(written.values(label, answers[name]))
    return result.with_review(answers)


def audit_by_saved(
    path: str,
    table: pl.DataFrame | pl.LazyFrame,
    label: str | None,
    options: CommandOptions,
    *,
    overwrite: bool = False,
) -> Audit:
    """Audit a batch by a saved auditor.

    Args:
        path: The file of the auditor.
        table: The batch.
        label: The label column, where the command names it.
        options: What was written on the command line.
        overwrite: Whether columns of the names that are added are left out whatever they hold.

    Raises:
        OptionError: An option that was settled when the auditor was fitted, or another label column.
    """
    from dqlabels.audits.trusted.label_auditor import load

    options.refuse(SETTLED, "settled when the auditor was fitted. Give it to dqlabels fit, or drop --auditor.")
    auditor = load(path, n_jobs=options.options().n_jobs)
    if label not in (None, auditor.label):
        raise OptionError(f"--label {label!r} is not the column that {path} audits, which is {auditor.label!r}.")
    fresh = without_former(table, auditor.label, auditor.options.names, overwrite=overwrite)
    judged: Audit = auditor.audit(fresh)
    return judged


def _as_labels(table: pl.DataFrame, label: str | Sequence[str], classes: Sequence[str]) -> list[object]:
    written: dict[str, object] = {}
    for name in [label] if isinstance(label, str) else label:
        if name in table.columns:
            column = table[name].explode() if table[name].dtype.is_nested() else table[name]
            written |= {str(value): value for value in column.unique().to_list()}
    return [written.get(name, name) for name in classes]


def write_result(
    frame: pl.DataFrame | pl.LazyFrame,
    path: str,
    file_format: str | None,
    written: Written | None,
    labels: Mapping[str, Sequence[str]],
    *,
    spreadsheet: bool = False,
) -> None:
    """Write an audited table, whole or not at all, the columns of a text file as the file has them.

    Args:
        frame: The rows of the input in its order, with further columns.
        path: The output.
        file_format: Its format, where the extension does not say it.
        written: How the input writes its columns, if it is a text file.
        labels: For each column of labels that was added, the input columns whose labels it may hold.
        spreadsheet: Mark what a spreadsheet would run as a formula, where the format is CSV.

    Raises:
        OSError: The disk is full, or the folder cannot be written.
    """
    import polars as pl

    if written is not None:
        frame = written.restore(frame, labels, table_format(path, file_format))
    if spreadsheet and table_format(path, file_format) in TEXTS:
        frame = without_formulas(frame)
    if isinstance(frame, pl.DataFrame):
        write_table(frame, path, file_format)
    elif path == STANDARD:
        write_table(frame.collect(), path, file_format)
    else:
        write_lazily(frame, path, file_format)
