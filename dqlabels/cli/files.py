"""Read and write tables in files, by extension; an output appears whole or not at all."""

from __future__ import annotations

import inspect
import io
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

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
# Text that Polars unpacks as it reads.
PACKED = (".gz", ".zst")
TEXTS = ("csv", "tsv")
# What makes a name a pattern of names to Polars.
PATTERN = re.compile(r"[*?\[\]{}]")
# Options with which Polars reads or scans each format.
READING: dict[str, dict[str, Any]] = {
    "csv": {"infer_schema_length": None, "try_parse_dates": True},
    "tsv": {"infer_schema_length": None, "try_parse_dates": True, "separator": "\t"},
    "parquet": {},
    "ipc": {},
    "ndjson": {"infer_schema_length": None},
}

Opened = TypeVar("Opened")


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
    if Path(path).is_dir():
        return "parquet"
    suffixes = [suffix.lower() for suffix in Path(path).suffixes]
    packed = bool(suffixes) and suffixes[-1] in PACKED
    suffix = "".join(suffixes[-1 - packed :][:1])
    if packed and FORMATS.get(suffix) not in TEXTS:
        raise OptionError(f"{path}: of packed files only {' and '.join(TEXTS)} are read, as in loans.csv.gz.")
    if suffix not in FORMATS:
        raise OptionError(f"{path}: the extension {suffix!r} is unknown. Use one of {', '.join(FORMATS)}, or --format.")
    return FORMATS[suffix]


@dataclass(frozen=True)
class Source:
    """A file that holds a table, or what came from standard input: its path, its format, and the ``content`` read."""

    path: str
    kind: str
    content: bytes | None = None

    @classmethod
    def of(cls, path: str, file_format: str | None = None) -> Source:
        """Settle the format, and read standard input where ``path`` is ``-``.

        Raises:
            OptionError: The extension or the format asked for is unknown.
        """
        kind = table_format(path, file_format)
        return cls(path, kind, sys.stdin.buffer.read() if path == STANDARD else None)

    def read(self) -> pl.DataFrame:
        """Read the table.

        Raises:
            OptionError: The file does not hold a table of its format.
            OSError: The file cannot be read.
        """
        if self.content is None:
            return opened(self.path, self.kind, self._read_file)
        content = io.BytesIO(self.content)
        table: pl.DataFrame = opened(
            self.path, self.kind, lambda: _polars("read", self.kind)(content, **READING[self.kind])
        )
        return table

    def _read_file(self) -> pl.DataFrame:

        if (literal := _literal(self.path, self.kind)) is not None:
            table: pl.DataFrame = _polars("scan", self.kind)(**literal, **READING[self.kind]).collect()
            return table
        # Through an open file: Polars would take a name such as d[1].ndjson for a pattern of names.
        with Path(self.path).open("rb") as file:
            table = _polars("read", self.kind)(file, **READING[self.kind])
            return table

    def texts(self) -> pl.LazyFrame | None:
        """The columns as the file writes them; None where it is no text file that can be read so."""
        import polars as pl

        if self.kind not in TEXTS:
            return None
        separator = READING[self.kind].get("separator", ",")
        if self.content is not None:
            return pl.scan_csv(io.BytesIO(self.content), infer_schema_length=0, separator=separator)
        return pl.scan_csv(**_literal(self.path, "csv") or {}, infer_schema_length=0, separator=separator)


def _polars(verb: str, kind: str) -> Callable[..., Any]:
    """Polars' function that reads or scans a format."""
    import polars as pl

    function: Callable[..., Any] = getattr(pl, f"{verb}_{'csv' if kind in TEXTS else kind}")
    return function


def _literal(path: str, kind: str) -> dict[str, Any] | None:
    """Arguments that make Polars scan this very file; None where it would take the name for a pattern or an address."""
    # An absolute path: one like s3:/x or ~x is an address to Polars.
    source = {"source": str(Path(path).absolute())}
    if Path(path).is_dir():
        if kind != "parquet" or PATTERN.search(source["source"]):
            raise OptionError(
                f"{path} is a folder; one of Parquet files is read, under a name without any of *?[]{{}}."
            )
        return {"source": f"{source['source']}/**/*.parquet", "hive_partitioning": True}
    if "glob" in inspect.signature(_polars("scan", kind)).parameters:
        return {**source, "glob": False}
    return None if PATTERN.search(source["source"]) else source


def read_table(path: str, file_format: str | None = None) -> pl.DataFrame:
    """Read a table from a file, or from standard input if ``path`` is ``-``.

    Raises:
        OptionError: The file does not hold a table of its format.
        OSError: The file cannot be read.
    """
    return Source.of(path, file_format).read()


def opened(path: str, kind: str, reading: Callable[[], Opened]) -> Opened:
    """Call ``reading``, and turn its errors into those of dqlabels.

    Raises:
        OptionError: The file does not hold a table of its format.
        OSError: The file cannot be read.
    """
    import polars as pl

    if path != STANDARD and not Path(path).is_dir():
        with Path(path).open("rb"):
            pass  # a missing or unreadable file raises the system's own error
    try:
        return reading()
    except pl.exceptions.PanicException as error:  # a fault of Polars' own reader, not seen in current versions
        raise OptionError(f"Polars {pl.__version__} fails on {path}: {error}. A newer Polars may read it.") from error
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise OptionError(f"{path} cannot be read as {kind}: {reason}. Name its format with --format.") from error
    except OSError as error:
        if error.filename is not None:
            raise
        raise OptionError(f"{path} cannot be read to its end: {error}.") from error  # a packed file that is damaged


def scan_table(path: str, file_format: str | None = None) -> pl.LazyFrame | None:
    """Scan a file as a lazy frame; None if it cannot be read in passes, like standard input, or before Polars 1.34.

    Raises:
        OptionError: The file does not hold a table of its format.
        OSError: The file cannot be read.
    """
    import polars as pl

    kind = table_format(path, file_format)
    if path == STANDARD or not hasattr(pl.LazyFrame, "collect_batches"):
        return None
    if (literal := _literal(path, kind)) is None:
        return None

    def scan() -> pl.LazyFrame:
        frame: pl.LazyFrame = _polars("scan", kind)(**literal, **READING[kind])
        frame.collect_schema()
        return frame

    return opened(path, kind, scan)


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
