"""Write files that appear whole or not at all."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(path: str | Path) -> Iterator[BinaryIO]:
    """Open a file to write; it takes the place of ``path`` only once the block has ended without an error.

    Raises:
        OSError: The disk is full, or the folder cannot be written.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(Path(folder) / "labels.csv") as file:
    ...         _ = file.write(b"y")
    ...     [path.name for path in Path(folder).iterdir()]
    ['labels.csv']
    """
    with replacing_path(path) as part, part.open("wb") as file:
        yield file


@contextmanager
def replacing_path(path: str | Path) -> Iterator[Path]:
    """Path of an empty file beside ``path`` for a library to write; :func:`replacing` opens it for you.

    It is locked until the block ends, so that :func:`clear_abandoned` can tell it from what a killed run left.

    Raises:
        OSError: The disk is full, or the folder cannot be written.
    """
    target = Path(path)
    descriptor, name = tempfile.mkstemp(dir=target.parent or ".", prefix=f".{target.name}.", suffix=".part")
    part, locked = Path(name), _lock(descriptor)
    if not locked:
        os.close(descriptor)  # Windows has no such locks, and renames no open file
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        part.chmod(target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~umask)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
        if locked:
            os.close(descriptor)


def clear_abandoned(path: str | Path) -> None:
    """Remove what killed runs left beside ``path``: temporary files that no process locks any more."""
    target = Path(path)
    for part in target.parent.glob(f".{target.name}.*.part"):
        with part.open("rb") as file:
            if _lock(file.fileno()):
                part.unlink(missing_ok=True)


@contextmanager
def locked(descriptor: int) -> Iterator[None]:
    """Hold a file for this program alone; others that want it wait."""
    if sys.platform == "win32":
        import msvcrt

        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)
        try:
            yield
        finally:
            os.lseek(descriptor, 0, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)


def _lock(descriptor: int) -> bool:
    """Lock a file until it is closed; false where another process holds the lock, or there are no locks."""
    try:
        import fcntl
    except ImportError:  # Windows
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
