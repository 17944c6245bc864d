"""The formats of files, by extension, and writing them: an output appears whole or not at all."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from dqlabels.errors import OptionError
from dqlabels.frames.atomic import replacing, replacing_path

if TYPE_CHECKING:
    import polars as pl

FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "ipc",
    ".ipc": "ipc",
    ".feather": "ipc",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
}
STANDARD = "-"
# Text that is unpacked as it is read.
PACKED = (".gz", ".zst")
TEXTS = ("csv", "tsv")


def table_format(path: str, file_format: str | None) -> str:
    """Return the format of a file: the one asked for, else by its extension, or CSV on standard input and output.

    Raises:
        OptionError: The extension or the format asked for is unknown.

    >>> table_format("loans.pq", None)
    'parquet'
    """
    if file_format is not None:
        if file_format not in FORMATS.values():
            raise OptionError(f"--format {file_format!r} is none of {', '.join(sorted(set(FORMATS.values())))}.")
        return file_format
    if path == STANDARD:
        return "csv"
    if Path(path).is_dir() or ("://" in path and path.endswith("/")):
        return "parquet"
    suffixes = [suffix.lower() for suffix in Path(path).suffixes]
    packed = bool(suffixes) and suffixes[-1] in PACKED
    suffix = "".join(suffixes[-1 - packed :][:1])
    if packed and FORMATS.get(suffix) not in TEXTS:
        raise OptionError(f"{path}: of packed files only {' and '.join(TEXTS)} are read, as in loans.csv.gz.")
    if suffix not in FORMATS:
        raise OptionError(f"{path}: the extension {suffix!r} is unknown. Use one of {', '.join(FORMATS)}, or --format.")
    return FORMATS[suffix]


def check_output(table: pl.DataFrame, path: str, file_format: str | None = None) -> None:
    """Raise before any work if the output could not be written after it.

    Raises:
        OptionError: The format is unknown or cannot hold a column, or the folder does not exist.
    """
    import polars as pl

    kind = table_format(path, file_format)
    if path != STANDARD:
        check_folder(path)
        if Path(path).is_dir() or Path(path).suffix.lower() in PACKED:
            raise OptionError(
                f"{path} is a folder or a packed file, which are read and not written. Name a plain file."
            )
    try:
        _write(table.head(1), io.BytesIO(), kind)
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise OptionError(
            f"{path} cannot be written as {kind}: {reason}. Write Parquet, which holds every column."
        ) from error


def check_folder(path: str) -> None:
    """Raise before any work if the folder of a file does not exist.

    Raises:
        OptionError: The folder does not exist.
    """
    if not Path(path).absolute().parent.is_dir():
        raise OptionError(f"{path} cannot be written: the folder {Path(path).absolute().parent} does not exist.")


def write_table(table: pl.DataFrame, path: str, file_format: str | None = None) -> None:
    """Write a table under a temporary name beside ``path`` and rename it: a former file stays until then.

    Raises:
        OSError: The disk is full, or the folder cannot be written.
    """
    kind = table_format(path, file_format)
    if path == STANDARD:
        _write(table, sys.stdout.buffer, kind)
        sys.stdout.buffer.flush()
        return
    with replacing(path) as file:
        _write(table, file, kind)


def write_lazily(frame: pl.LazyFrame, path: str, file_format: str | None = None) -> None:
    """Write a lazy frame under a temporary name beside ``path`` and rename it: a former file stays until then.

    Raises:
        OSError: The disk is full, or the folder cannot be written.
        OptionError: The rows could not be read to the end.
    """
    import polars as pl

    kind = table_format(path, file_format)
    with replacing_path(path) as part:
        try:
            _writing(frame, "sink", kind)(part)
        except pl.exceptions.PolarsError as error:
            raise OptionError(f"{path} was not written: {str(error).splitlines()[0]}") from error


def _write(table: pl.DataFrame, file: BinaryIO, kind: str) -> None:
    # Into memory first: Polars turns a full disk into an error of its own, Python into the system's.
    buffer = io.BytesIO()
    _writing(table, "write", kind)(buffer)
    file.write(buffer.getbuffer())


def _writing(frame: Any, verb: str, kind: str) -> Callable[..., Any]:
    """The frame's method that writes a format."""
    if kind == "tsv":
        return partial(getattr(frame, f"{verb}_csv"), separator="\t")
    method: Callable[..., Any] = getattr(frame, f"{verb}_{kind}")
    return method
