"""Where the commands read a table: a file, a folder, a pattern of files, an object store, or a query of a database."""

from __future__ import annotations

import inspect
import io
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from dqlabels.cli.databases import query_to_file, without_password
from dqlabels.cli.files import STANDARD, TEXTS, table_format
from dqlabels.cli.texts import check_columns_apart, decimal_comma, joined, plain_bytes, separator_of
from dqlabels.cli.workbooks import WORKBOOKS, read_sheet
from dqlabels.errors import OptionError

if TYPE_CHECKING:
    import polars as pl

# What makes a name a pattern of names to Polars.
PATTERN = re.compile(r"[*?\[\]{}]")
# Addresses that Polars reads, and what it takes its credentials from.
CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION (a profile of AWS needs pip install boto3; another "
    "endpoint is AWS_ENDPOINT_URL, and AWS_ALLOW_HTTP=true where it is http)",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS, the path of a key file",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY (a login of az needs pip install azure-identity)",
}
STORES = re.compile(r"(s3|gs|az)a?://|(?P<azure>abfss?)://")
# Options with which Polars reads or scans each format.
OPTIONS: dict[str, dict[str, Any]] = {
    "csv": {"infer_schema_length": None, "try_parse_dates": True},
    "tsv": {"infer_schema_length": None, "try_parse_dates": True, "separator": "\t"},
    "parquet": {},
    "ipc": {},
    "ndjson": {"infer_schema_length": None},
}
# The formats that an option has a meaning for.
MEANT_FOR = {"separator": TEXTS, "decimal_comma": TEXTS, "encoding": TEXTS, "sheet": ("excel",)}

Opened = TypeVar("Opened")


def _option(default: Any, meaning: str) -> Any:
    return field(default=default, metadata={"meaning": meaning})


@dataclass(frozen=True, slots=True)
class Reading:
    """How FILE is read where its name does not say it; each field is an option of the commands that read tables."""

    glob: bool = _option(False, "FILE is a pattern, as in 'loans/*.csv': all files of such names are one table.")
    separator: str | None = _option(None, "What separates the columns of a CSV, as in ';' or '|'.")
    decimal_comma: bool = _option(False, "Numbers of a CSV are written as in 3,5; its columns need another separator.")
    encoding: str | None = _option(None, "How a CSV is written, as in cp1252 or latin-1; by default UTF-8.")
    sheet: str | None = _option(None, "The sheet of a workbook that has several.")
    query: str | None = _option(None, "Read what a query selects from --database, or by DuckDB from files it names.")
    database: str | None = _option(None, "A DuckDB or SQLite file, or an address such as postgresql://host/name.")

    def named(self, file: str | None) -> str:
        """What messages call the table: FILE, or the database without its password.

        Raises:
            OptionError: Nothing says what to read, or two things do.
        """
        if self.database is not None and (self.query is None or file is not None):
            more = "Write the query, as in --query 'select * from loans'" if self.query is None else "Leave FILE out"
            raise OptionError(f"--database is read by a --query alone, without a FILE. {more}.")
        if file is not None and self.query is not None:
            raise OptionError(f"--query and {file} both say what to read. Give a database by --database {file}.")
        if file is None and self.query is None:
            raise OptionError("FILE is missing: name the table to read, or write a --query.")
        return file or without_password(self.database or "the query")

    def check(self, kind: str) -> None:
        """Raise where an option has no meaning for a format.

        Raises:
            OptionError: Naming it.
        """
        for name, kinds in MEANT_FOR.items():
            if getattr(self, name) and kind not in kinds:
                flag = name.replace("_", "-")
                raise OptionError(f"--{flag} is for {' and '.join(kinds)}, and this is read as {kind}.")


@dataclass(frozen=True)
class Source:
    """A table to read: what it is called, its format, and where Polars finds it, or the ``content`` that was read."""

    path: str
    kind: str
    content: bytes | None = None
    scanned: Mapping[str, Any] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    sheet: str | None = None

    @classmethod
    def of(cls, path: str, file_format: str | None = None, reading: Reading | None = None) -> Source:
        """Settle the format, and read what is not a file of it: standard input, queries, text in other encodings.

        Args:
            path: What the user named, or the name of the database.
            file_format: The format asked for.
            reading: How it is read.

        Raises:
            OptionError: The extension, the format or an option is unknown, or nothing is there to read.
            OSError: A file cannot be read.
        """
        reading = reading or Reading()
        if reading.query is not None:
            reading.check("a query")
            file = query_to_file(reading.query, reading.database)
            return cls(path, "parquet", scanned={"source": file, "glob": False})
        workbook = file_format == "excel" or (file_format is None and Path(path).suffix.lower() in WORKBOOKS)
        kind = "excel" if workbook else table_format(path, file_format)
        reading.check(kind)
        options = {**OPTIONS.get(kind, {}), **separator_of(reading.separator)}
        if reading.decimal_comma:
            options = {**options, **decimal_comma(options)}
        source = cls(path, kind, options=options, sheet=reading.sheet)
        if path == STANDARD:
            return replace(source, content=plain_bytes(path, reading.encoding, sys.stdin.buffer.read()))
        if STORES.match(path):
            return replace(source, scanned=_in_store(path, kind, reading))
        files = _matching(path) if reading.glob else [path]
        if kind in TEXTS and (reading.glob or reading.encoding is not None):
            separator = options.get("separator", ",")
            return replace(source, content=joined(files, reading.encoding, separator))
        if reading.glob:
            return replace(source, scanned=_several(files, kind))
        if not Path(path).is_dir():
            with Path(path).open("rb"):
                pass  # a missing or unreadable file raises the system's own error
        return source if kind == "excel" else replace(source, scanned=_literal(path, kind))

    def read(self) -> pl.DataFrame:
        """Read the table.

        Raises:
            OptionError: The file does not hold a table of its format.
            OSError: The file cannot be read.
        """
        table: pl.DataFrame = opened(self.path, self.kind, self._read, self.scanned)
        if self.kind in TEXTS:
            check_columns_apart(self.path, table.columns)
        return table

    def _read(self) -> pl.DataFrame:
        if self.scanned is not None:
            table: pl.DataFrame = _polars("scan", self.kind)(**self.scanned, **self.options).collect()
            return table
        # Through an open file: Polars would take a name such as d[1].ndjson for a pattern of names.
        with io.BytesIO(self.content) if self.content is not None else Path(self.path).open("rb") as file:
            if self.kind == "excel":
                return read_sheet(self.path, file, self.sheet)
            table = _polars("read", self.kind)(file, **self.options)
            return table

    def scan(self) -> pl.LazyFrame | None:
        """Scan the table as a lazy frame; None if it cannot be read in passes, like standard input.

        Raises:
            OptionError: The file does not hold a table of its format.
            OSError: The file cannot be read.
        """
        import polars as pl

        if self.scanned is None or not hasattr(pl.LazyFrame, "collect_batches"):
            return None
        scanned = self.scanned

        def scan() -> pl.LazyFrame:
            frame: pl.LazyFrame = _polars("scan", self.kind)(**scanned, **self.options)
            names = frame.collect_schema().names()
            if self.kind in TEXTS:
                check_columns_apart(self.path, names)
            return frame

        return opened(self.path, self.kind, scan, scanned)

    def texts(self) -> pl.LazyFrame | None:
        """The columns as the file writes them; None where it is no text file that can be read so."""
        import polars as pl

        if self.kind not in TEXTS:
            return None
        separator = self.options.get("separator", ",")
        if self.content is not None:
            return pl.scan_csv(io.BytesIO(self.content), infer_schema_length=0, separator=separator)
        return pl.scan_csv(**self.scanned or {}, infer_schema_length=0, separator=separator)


def _polars(verb: str, kind: str) -> Callable[..., Any]:
    """Polars' function that reads or scans a format."""
    import polars as pl

    function: Callable[..., Any] = getattr(pl, f"{verb}_{'csv' if kind in TEXTS else kind}")
    return function


def _globs(kind: str) -> bool:
    """Whether Polars can be told that a name of this format is no pattern."""
    return "glob" in inspect.signature(_polars("scan", kind)).parameters


def _literal(path: str, kind: str) -> dict[str, Any] | None:
    """Arguments that make Polars scan this very file; None where it would take the name for a pattern or an address."""
    # An absolute path: one like s3:/x or ~x is an address to Polars.
    source = {"source": str(Path(path).absolute())}
    if Path(path).is_dir():
        if kind != "parquet" or PATTERN.search(source["source"]):
            raise OptionError(
                f"{path} is a folder; one of Parquet files is read, under a name without any of *?[]{{}}. Files of "
                f"another format are read by a pattern, as in --glob '{path.rstrip('/')}/*.csv'."
            )
        return {"source": f"{source['source']}/**/*.parquet", "hive_partitioning": True}
    if _globs(kind):
        return {**source, "glob": False}
    return None if PATTERN.search(source["source"]) else source


def _matching(pattern: str) -> list[str]:
    """The files whose names a pattern has, in the order of their names.

    Raises:
        OptionError: There is none.
        OSError: One cannot be read.
    """
    files = sorted(path for path in glob(pattern, recursive=True) if Path(path).is_file())
    if not files:
        raise OptionError(f"{pattern} matches no file. Put the pattern between quotes, so that no shell reads it.")
    for path in files:
        with Path(path).open("rb"):
            pass
    return files


def _several(files: list[str], kind: str) -> dict[str, Any]:
    """Arguments that make Polars scan these very files.

    Raises:
        OptionError: It would take one of the names for a pattern.
    """
    each = [_literal(path, kind) for path in files] if kind != "excel" else []
    if not each or None in each:
        raise OptionError(f"--glob does not read {kind} files of such names. Read them one by one.")
    return {**each[0], "source": [one["source"] for one in each if one]}  # type: ignore[dict-item]


def _in_store(path: str, kind: str, reading: Reading) -> dict[str, Any]:
    """Arguments that make Polars scan an object, those of a pattern, or all Parquet files below an address.

    Raises:
        OptionError: This format or encoding is not read from there.
    """
    if kind == "excel" or reading.encoding is not None:
        raise OptionError(f"{path}: workbooks and other encodings are read from files. Copy the object first.")
    if path.endswith("/"):
        return {"source": f"{path}**/*.parquet", "hive_partitioning": True}
    return {"source": path, "glob": reading.glob} if _globs(kind) else {"source": path}


def read_table(path: str, file_format: str | None = None, reading: Reading | None = None) -> pl.DataFrame:
    """Read a table, from standard input if ``path`` is ``-``.

    Args:
        path: What the user named.
        file_format: Its format, where the extension does not say it.
        reading: How it is read.

    Raises:
        OptionError: The file does not hold a table of its format.
        OSError: The file cannot be read.
    """
    return Source.of(path, file_format, reading).read()


def opened(path: str, kind: str, reading: Callable[[], Opened], scanned: Mapping[str, Any] | None = None) -> Opened:
    """Call ``reading``, and turn its errors into those of dqlabels.

    Args:
        path: What the user named.
        kind: Its format.
        reading: Reads it.
        scanned: What Polars reads it from, where that is known.

    Raises:
        OptionError: The file does not hold a table of its format.
        OSError: The file cannot be read.
    """
    import polars as pl

    try:
        return reading()
    except pl.exceptions.PanicException as error:  # a fault of Polars' own reader, not seen in current versions
        raise OptionError(f"Polars {pl.__version__} fails on {path}: {error}. A newer Polars may read it.") from error
    except pl.exceptions.PolarsError as error:
        raise OptionError(why_unread(path, kind, error, scanned)) from error
    except OSError as error:
        if error.filename is not None:
            raise
        raise OptionError(why_unread(path, kind, error, scanned)) from error  # packed and damaged, or an object store


def why_unread(path: str, kind: str, error: Exception, scanned: Mapping[str, Any] | None = None) -> str:
    """Say why a table could not be read, in which of its files, and what to do.

    Args:
        path: What the user named.
        kind: Its format.
        error: What Polars said.
        scanned: What Polars reads it from.
    """
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if (store := STORES.match(path)) is not None:
        known = CREDENTIALS["az" if store["azure"] else store[1]]
        return f"{path} cannot be read: {reason}. Credentials are taken from {known}."
    if (damaged := _damaged(kind, scanned or {})) is not None:
        return f"{path} cannot be read as {kind}, since {damaged} cannot: {reason}."
    if isinstance(error, OSError):
        return f"{path} cannot be read to its end: {reason}."
    if kind in TEXTS and re.search("utf-?8", reason, flags=re.IGNORECASE):
        return f"{path} is not written in UTF-8: {reason}. Say how it is, as in --encoding cp1252."
    return f"{path} cannot be read as {kind}: {reason}. Name its format with --format."


def _damaged(kind: str, scanned: Mapping[str, Any]) -> str | None:
    """The first of several files that is not a table of this format; None where each is one, or there is only one."""
    import polars as pl

    source = scanned.get("source", "")
    files = source if isinstance(source, list) else sorted(glob(source, recursive=True)) if "**" in source else []
    for file in files:
        try:
            _polars("scan", kind)(**_literal(file, kind) or {"source": file}).collect_schema()
        except (pl.exceptions.PolarsError, OSError):
            return str(file)
    return None
