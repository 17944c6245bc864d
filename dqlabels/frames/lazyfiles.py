"""Tables in files that may be larger than memory: scanned, and written as they come, whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from dqlabels.errors import OptionError
from dqlabels.frames.files import READING, STANDARD, opened, table_format

if TYPE_CHECKING:
    import polars as pl


def scan_table(path: str, given_format: str | None = None) -> pl.LazyFrame | None:
    """A file as a lazy frame; None where it cannot be read in passes, as standard input or before Polars 1.34.

    Raises:
        OptionError: Not a table of its format.
        OSError: The file cannot be read.
    """
    import polars as pl

    kind = table_format(path, given_format)
    if path == STANDARD or not hasattr(pl.LazyFrame, "collect_batches"):
        return None

    def scan() -> pl.LazyFrame:
        frame: pl.LazyFrame = getattr(pl, f"scan_{kind}")(path, **READING[kind])
        frame.collect_schema()
        return frame

    return opened(path, kind, scan)


def write_lazily(frame: pl.LazyFrame, path: str, given_format: str | None = None) -> None:
    """Write a lazy frame under a temporary name beside ``path`` and rename it: a former file stays until then.

    Raises:
        OSError: The disk is full, or the folder cannot be written.
        OptionError: The rows could not be read to the end.
    """
    import polars as pl

    kind, target = table_format(path, given_format), Path(path)
    _clear_abandoned(target)
    descriptor, name = tempfile.mkstemp(dir=target.parent or ".", prefix=f".{target.name}.", suffix=".part")
    _lock(descriptor)
    try:
        getattr(frame, f"sink_{kind}")(name)
        with Path(name).open("rb") as file:
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~umask)
        Path(name).replace(target)
    except pl.exceptions.PolarsError as error:
        raise OptionError(f"{path} was not written: {str(error).splitlines()[0]}") from error
    finally:
        Path(name).unlink(missing_ok=True)
        os.close(descriptor)


def _clear_abandoned(target: Path) -> None:
    """Remove what a killed run left beside its target: no process holds its lock any more."""
    for part in target.parent.glob(f".{target.name}.*.part"):
        with part.open("rb") as file:
            if _lock(file.fileno()):
                part.unlink(missing_ok=True)


def _lock(descriptor: int) -> bool:
    """Lock a file until it is closed; false where another process holds it, or there are no locks."""
    try:
        import fcntl
    except ImportError:  # Windows
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
