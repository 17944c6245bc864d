"""Scan and write tables in files that may be larger than memory; an output appears whole or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dqlabels.cli.files import READING, STANDARD, opened, table_format
from dqlabels.errors import OptionError
from dqlabels.frames.atomic import clear_abandoned, replacing_path

if TYPE_CHECKING:
    import polars as pl


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

    def scan() -> pl.LazyFrame:
        frame: pl.LazyFrame = getattr(pl, f"scan_{kind}")(path, **READING[kind])
        frame.collect_schema()
        return frame

    return opened(path, kind, scan)


def write_lazily(frame: pl.LazyFrame, path: str, file_format: str | None = None) -> None:
    """Write a lazy frame under a temporary name beside ``path`` and rename it: a former file stays until then.

    Raises:
        OSError: The disk is full, or the folder cannot be written.
        OptionError: The rows could not be read to the end.
    """
    import polars as pl

    kind = table_format(path, file_format)
    clear_abandoned(path)
    with replacing_path(path) as part:
        try:
            getattr(frame, f"sink_{kind}")(part)
        except pl.exceptions.PolarsError as error:
            raise OptionError(f"{path} was not written: {str(error).splitlines()[0]}") from error
