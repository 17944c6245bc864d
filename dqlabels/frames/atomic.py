"""Write files that appear whole or not at all."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

SUFFIX = ".part"
# The rest of the 255 that a file system allows is for the name of a temporary file.
MAX_NAME_BYTES = 200
# As many as Linux follows.
MAX_LINKS = 40
# Files that a process has open, as /dev/stdout leads to.
DESCRIPTOR = re.compile(r"/(proc/[^/]+|dev)/fd/")


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
    """Path of an empty file for a library to write; :func:`replacing` opens it for you.

    It lies beside ``path``, or where that is a link beside what the link leads to, so that the link stays. It is locked
    until the block ends: what a killed run left is not, and is removed here. A device, a pipe or an open file, as in
    ``/dev/null`` or ``/dev/stdout``, is written to and not replaced.

    Raises:
        OSError: The disk is full, or the folder cannot be written.
    """
    if _is_written_to(Path(path)):
        with tempfile.TemporaryDirectory() as folder:
            part = Path(folder) / Path(path).name
            part.touch()
            yield part
            with part.open("rb") as whole, Path(path).open("ab") as file:
                shutil.copyfileobj(whole, file)
        return
    target = Path(os.path.realpath(path))
    clear_abandoned(target)
    descriptor, part = _new_part(target)
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
        if descriptor is not None:
            os.close(descriptor)


def _is_written_to(path: Path) -> bool:
    """Whether a path leads to a device, a pipe, a socket, or a file that this process has open."""
    for _ in range(MAX_LINKS):
        if DESCRIPTOR.match(str(path)):
            return True
        if not path.is_symlink():
            break
        path = path.parent / path.readlink()
    if not path.exists():
        return False
    mode = path.stat().st_mode
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _new_part(target: Path) -> tuple[int | None, Path]:
    """Make an empty file beside ``target``; return the descriptor that locks it, None where there are no locks."""
    while True:
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=_prefix(target), suffix=SUFFIX)
        if not _lock(descriptor):
            os.close(descriptor)  # Windows has no such locks, and renames no open file
            return None, Path(name)
        if os.fstat(descriptor).st_nlink:
            return descriptor, Path(name)
        os.close(descriptor)  # another run took it for abandoned before it was locked


def _prefix(target: Path) -> str:
    long = len(os.fsencode(target.name)) > MAX_NAME_BYTES
    return f".{hashlib.sha256(os.fsencode(target.name)).hexdigest() if long else target.name}."


def clear_abandoned(path: str | Path) -> None:
    """Remove what killed runs left beside ``path``: temporary files of ours that no process locks any more."""
    target = Path(path)
    ours = re.compile(re.escape(_prefix(target)) + "[a-z0-9_]{8}" + re.escape(SUFFIX))
    for part in target.parent.iterdir():
        if ours.fullmatch(part.name) and stat.S_ISREG(part.lstat().st_mode):
            with suppress(OSError), part.open("rb") as file:  # another account's, or another run was quicker
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
