"""Tables that hand out an Arrow stream: DuckDB relations, Ibis tables, readers and datasets; read once, given back."""

from __future__ import annotations

import atexit
import contextlib
import importlib
import itertools
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from narwhals.dependencies import is_into_dataframe

from dqlabels.errors import MissingExtraError, OptionError

if TYPE_CHECKING:
    import pyarrow as pa

# Libraries whose frames are read as they are, or refused with the way to go.
KNOWN = ("pandas", "polars", "modin", "cudf", "pyspark", "dask", "numpy", "builtins")
# A stream is written to disk in row groups of so many rows, which a scan reads slice by slice.
GROUP_ROWS = 131_072


@dataclass(frozen=True, slots=True, eq=False)
class ArrowSource:
    """A table that can be read as a stream, and how a table, or a Parquet file, becomes one of its kind again."""

    frame: Any
    of_table: Callable[[pa.Table], Any]
    of_file: Callable[[str], Any]

    def reader(self) -> pa.RecordBatchReader:
        """Begin to read the rows.

        Raises:
            MissingExtraError: PyArrow is not installed.
            OptionError: The source cannot be read, in its own words.
        """
        try:
            import pyarrow as pa
        except ImportError as error:
            raise MissingExtraError(f"{_name(self.frame)} is read through PyArrow: pip install pyarrow") from error
        with _in_words(self.frame):
            if hasattr(self.frame, "scanner"):  # a dataset of PyArrow
                return self.frame.scanner().to_reader()
            if hasattr(self.frame, "to_reader"):  # a scanner or a batch reader of it
                return self.frame.to_reader()
            if hasattr(self.frame, "__arrow_c_stream__"):
                return pa.RecordBatchReader.from_stream(self.frame)
            return pa.Table.from_batches([pa.record_batch(self.frame)]).to_reader()


@contextlib.contextmanager
def _in_words(frame: Any) -> Iterator[None]:
    """Turn what a source raises while it is read into an error of dqlabels that names it."""
    try:
        yield
    except (MissingExtraError, MemoryError):
        raise
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise OptionError(f"{_name(frame)} could not be read to its end: {lines[0]}") from error


def arrow_source(frame: Any) -> ArrowSource | None:
    """The frame as a source of an Arrow stream; None for a frame that is audited as it is, and for what is none.

    >>> import polars as pl
    >>> arrow_source(pl.DataFrame({"a": [1]})) is None
    True
    """
    if is_into_dataframe(frame):
        return None
    module = type(frame).__module__.partition(".")[0]
    if module in KNOWN or (module == "pyarrow" and type(frame).__name__ in ("Table", "Array", "ChunkedArray")):
        return None
    if module in ("duckdb", "_duckdb"):
        return ArrowSource(frame, _call("duckdb", "from_arrow"), _call("duckdb", "read_parquet"))
    if module == "ibis":
        return ArrowSource(frame, _call("ibis", "memtable"), _call("ibis", "read_parquet"))
    if any(hasattr(frame, how) for how in ("__arrow_c_stream__", "__arrow_c_array__")) or _is_of_pyarrow(frame):
        return ArrowSource(frame, lambda table: table.to_reader(), reader_of_file)
    return None


def _is_of_pyarrow(frame: Any) -> bool:
    """Whether this is a dataset or a scanner of PyArrow, which hand out readers without saying so by the protocol."""
    return type(frame).__module__.startswith("pyarrow") and (hasattr(frame, "scanner") or hasattr(frame, "to_reader"))


def _call(library: str, function: str) -> Callable[[Any], Any]:
    """A function of a library, which is imported when it is called."""

    def called(given: Any) -> Any:
        return getattr(importlib.import_module(library), function)(given)

    return called


def reader_of_file(path: str) -> pa.RecordBatchReader:
    """A reader of a scratch file from its first row; the file goes when the reader does, or has come to the end."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    def batches(file: Any) -> Iterator[pa.RecordBatch]:
        yield from file.iter_batches()

    file = pq.ParquetFile(path)
    weakref.finalize(file, remove, path)
    return pa.RecordBatchReader.from_batches(file.schema_arrow, batches(file))


def remove(*paths: str) -> None:
    """Remove scratch files; one that is gone, or in use where that holds it, is left to the end of the process."""
    for path in paths:
        with contextlib.suppress(OSError):
            Path(path).unlink()


def _name(frame: Any) -> str:
    return f"A {type(frame).__module__.partition('.')[0].lstrip('_')} {type(frame).__name__}"


def read_up_to(source: ArrowSource, rows: int) -> tuple[pa.Table, Iterator[pa.RecordBatch]]:
    """The rows of a source, if it has no more than so many, as a table; else the first of them, and the rest to come.

    Args:
        source: What is read, once.
        rows: How many rows to hold in memory.
    """
    import pyarrow as pa

    reader = source.reader()
    batches, held = [], 0

    coming = _batches(reader, source.frame)
    for batch in coming:
        batches.append(batch)
        held += batch.num_rows
        if held > rows:
            break
    return pa.Table.from_batches(batches, reader.schema), coming


def _batches(reader: pa.RecordBatchReader, frame: Any) -> Iterator[pa.RecordBatch]:
    while True:
        with _in_words(frame):
            batch = next(reader, None)
        if batch is None:
            return
        yield batch


def write(path: str, schema: pa.Schema, *parts: Iterable[pa.Table | pa.RecordBatch]) -> None:
    """Write rows into a Parquet file, in groups of much the same size; nothing is left of it where they fail.

    Args:
        path: The file.
        schema: The columns of the parts.
        parts: Tables or batches in order.

    Raises:
        OptionError: A column is of a type that Parquet cannot hold.
        OSError: The disk is full.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            waiting: list[pa.RecordBatch] = []
            for part in itertools.chain.from_iterable(parts):
                waiting += part.to_batches() if isinstance(part, pa.Table) else [part]
                if sum(batch.num_rows for batch in waiting) >= GROUP_ROWS:
                    writer.write_table(pa.Table.from_batches(waiting, schema), row_group_size=GROUP_ROWS)
                    waiting = []
            writer.write_table(pa.Table.from_batches(waiting, schema), row_group_size=GROUP_ROWS)
    except pa.ArrowException as error:
        remove(path)
        raise OptionError(f"The stream cannot be written to disk between the passes: {error}") from error
    except BaseException:
        remove(path)
        raise


def scratch_file() -> str:
    """The name of a new file in the folder of this process, which is removed when it ends."""
    return str(Path(_folder()) / f"{next(_NUMBERS)}.parquet")


_NUMBERS = itertools.count()
_FOLDERS: list[str] = []


def _folder() -> str:
    """A folder of this process, removed when it ends."""
    if not _FOLDERS:
        _FOLDERS.append(tempfile.mkdtemp(prefix="dqlabels-"))
        atexit.register(shutil.rmtree, _FOLDERS[0], ignore_errors=True)
    return _FOLDERS[0]
