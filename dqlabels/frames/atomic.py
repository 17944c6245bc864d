"""Write files that appear whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

# Seconds between two looks at a lock.
WAIT = 0.01
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
def locked(descriptor: int, path: Path, *, max_wait: float) -> Iterator[None]:
    """Hold a file for this program alone; others that want it wait.

    Args:
        descriptor: The open file.
        path: How an error names it.
        max_wait: Seconds to wait for others to let it go.

    Raises:
        TimeoutError: Another program held it all that time.
    """
    until = time.monotonic() + max_wait
    while not _hold(descriptor):
        if time.monotonic() > until:
            held = f"another program has held this file for {max_wait:g} s; end that program, or try again"
            raise TimeoutError(errno.ETIMEDOUT, held, str(path))
        time.sleep(WAIT)
    try:
        yield
    finally:
        _let_go(descriptor)


def _hold(descriptor: int) -> bool:
    """Lock a file; false where another holds it."""
    if sys.platform == "win32":
        import msvcrt

        os.lseek(descriptor, 0, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _let_go(descriptor: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
    else:
        import fcntl

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
