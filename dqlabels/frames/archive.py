"""Read and write plain values and arrays in one file, which is checked before use and never runs code.

It is a ZIP file. ``header.json`` holds the format number, plain values and, for every other entry, its type, shape and
SHA-256; the ZIP comment holds the SHA-256 of the header. Arrays are raw little-endian numbers. Nothing in it is a
pickle, and nothing is unpacked beyond its declared size. docs/auditor-format.md describes the format.
"""

from __future__ import annotations

import hashlib
import io
import json
import lzma
import math
import stat
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypedDict

import numpy as np
from numpy.typing import NDArray

from dqlabels.errors import AuditorFileError
from dqlabels.frames.atomic import replacing

# Later versions of dqlabels write higher numbers; files with lower ones are read.
FORMAT = 2
HEADER = "header.json"
MAGIC = b"PK"
SUMMED = b"dqlabels sha256:"
DTYPES = {"f4": "<f4", "f8": "<f8", "i4": "<i4", "i8": "<i8", "u1": "|u1", "u4": "<u4", "u8": "<u8", "bytes": "|u1"}
# Trees and sparse probabilities are packed 5 to 60 times smaller; a file that claims far more is an attack.
MAX_UNPACKED_RATIO = 400
ALWAYS_ALLOWED_BYTES = 64 * 2**20
# Plain values take up to 30 times their text in memory, so much less of it is read: a small file's header has at most
# the first, a larger one's at most the second times the size of the file.
ALWAYS_ALLOWED_HEADER_BYTES = 2**20
MAX_HEADER_RATIO = 32
# Those of which no more is unpacked than is asked for.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# What readers of other libraries raise on bytes that are not what they should be.
UNREADABLE = (
    ValueError, TypeError, LookupError, AttributeError, ArithmeticError, AssertionError, BufferError, EOFError,
    ImportError, MemoryError, OSError, RuntimeError, SyntaxError, lzma.LZMAError, struct.error, tokenize.TokenError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip
# A fixed date, so that the same auditor always gives the same bytes.
DATE = (1980, 1, 1, 0, 0, 0)
DAMAGED = "Save the auditor again; a damaged or altered file is not read even in part."


@dataclass(frozen=True, slots=True, eq=False)
class Archive:
    """Content of a file: a ``header`` of plain values ready for JSON, and ``arrays`` and ``blobs`` by name."""

    header: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]
    blobs: Mapping[str, bytes]


def write_archive(path: str | Path, archive: Archive) -> None:
    """Write the file whole or not at all; a former file stays until then.

    Raises:
        OSError: The disk is full, or the folder cannot be written.
    """
    with replacing(path) as file:
        _write(file, archive)


def _write(file: BinaryIO, archive: Archive) -> None:
    entries: dict[str, bytes] = {}
    listed: dict[str, _Entry] = {}
    for name, array in archive.arrays.items():
        kind = array.dtype.str[1:]
        entries[name] = np.ascontiguousarray(array, dtype=DTYPES[kind]).tobytes()
        listed[name] = _entry(entries[name], kind, array.shape)
    for name, blob in archive.blobs.items():
        entries[name], listed[name] = blob, _entry(blob, "bytes", (len(blob),))
    whole = {"format": FORMAT, **archive.header, "entries": listed}
    header = json.dumps(whole, allow_nan=False, sort_keys=True).encode("ascii")
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        packed.comment = SUMMED + hashlib.sha256(header).hexdigest().encode("ascii")
        for name, content in {HEADER: header, **entries}.items():
            info = zipfile.ZipInfo(name, DATE)
            info.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(info, content)


class _Entry(TypedDict):
    """What the header says about another entry of the file."""

    type: str
    shape: list[int]
    sha256: str


def _entry(content: bytes, kind: str, shape: tuple[int, ...]) -> _Entry:
    return {"type": kind, "shape": list(shape), "sha256": hashlib.sha256(content).hexdigest()}


def is_archive(path: str | Path) -> bool:
    """Whether a file begins like an archive.

    Raises:
        OSError: The file cannot be read.
    """
    refuse_endless(path)
    with Path(path).open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def refuse_endless(path: str | Path) -> None:
    """Raise where a path leads to a device or a pipe, which may never end.

    Raises:
        AuditorFileError: It does.
        OSError: There is no such file.
    """
    mode = Path(path).stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise AuditorFileError(f"{path} is a device or a pipe, which may never end. Pass a file.")


def read_header(path: str | Path) -> Mapping[str, Any]:
    """Read only the plain values of a file.

    Raises:
        AuditorFileError: The file is not an archive, damaged, or of a newer version.
        OSError: The file cannot be read.
    """
    return _Reader(path).header


def read_archive(path: str | Path, *, always_allowed_bytes: int = ALWAYS_ALLOWED_BYTES) -> Archive:
    """Read a file whole, and check every size and checksum.

    Args:
        path: The file.
        always_allowed_bytes: So much a file may unpack to, however small it is.

    Raises:
        AuditorFileError: The file is not an archive, damaged, or of a newer version.
        OSError: The file cannot be read.
    """
    reader = _Reader(path, always_allowed_bytes)
    arrays, blobs = {}, {}
    for name, entry in reader.header["entries"].items():
        content = reader.entry(name, entry)
        if entry["type"] == "bytes":
            blobs[name] = content
            continue
        values = np.frombuffer(content, dtype=DTYPES[entry["type"]]).reshape(entry["shape"])
        arrays[name] = values.astype(values.dtype.newbyteorder("="), copy=False)
    return Archive(reader.header, arrays, blobs)


class _Reader:
    """An archive read whole, whose header has been checked."""

    def __init__(self, path: str | Path, always_allowed_bytes: int = ALWAYS_ALLOWED_BYTES) -> None:
        self.path = Path(path)
        refuse_endless(self.path)
        # Read at once: a file that changes meanwhile would be checked in one state and used in another.
        content = self.path.read_bytes()
        self.budget = always_allowed_bytes + MAX_UNPACKED_RATIO * len(content)
        try:
            self.packed = zipfile.ZipFile(io.BytesIO(content))
        except UNREADABLE as error:
            raise self._damaged(f"it is not a saved auditor, or not complete ({error})") from error
        if any(info.compress_type not in METHODS for info in self.packed.infolist()):
            raise self._damaged("it is packed in another way than saved auditors are")
        self.header = self._header(max_bytes=min(self.budget, header_limit(len(content))))

    def _damaged(self, what: str) -> AuditorFileError:
        return AuditorFileError(f"{self.path} cannot be read: {what}. {DAMAGED}")

    def _header(self, *, max_bytes: int) -> Mapping[str, Any]:
        raw = self._unpack(HEADER, max_bytes)
        summed = self.packed.comment
        if summed != SUMMED + hashlib.sha256(raw).hexdigest().encode("ascii"):
            raise self._damaged("the checksum of its header is wrong")
        try:
            header: dict[str, Any] = json.loads(raw)
            json.dumps(header, ensure_ascii=False).encode()  # no half of a character in it
        except (UnicodeDecodeError, ValueError, RecursionError) as error:
            raise self._damaged(f"its header is not JSON ({error})") from error
        number = header.get("format") if isinstance(header, dict) else None
        if type(number) is not int or number < 1:
            raise self._damaged(f"its format is {number!r}")
        if number > FORMAT:
            raise AuditorFileError(
                f"{self.path} has format {number}; this version of dqlabels reads up to {FORMAT}. Upgrade dqlabels "
                f"(it was written by version {header.get('version')!r}), or save the auditor with this version."
            )
        self._check_entries(header.get("entries"))
        return header

    def _check_entries(self, entries: object) -> None:
        if not isinstance(entries, dict):
            raise self._damaged("its header lists no entries")
        names = [HEADER, *entries]
        if sorted(self.packed.namelist()) != sorted(names):
            raise self._damaged("it does not hold the entries its header lists")
        declared = 0
        for name, entry in entries.items():
            shape = entry.get("shape") if isinstance(entry, dict) else None
            if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape):
                raise self._damaged(f"the shape of {name!r} is {shape!r}")
            if not isinstance(entry.get("type"), str) or entry["type"] not in DTYPES or len(shape) > 2:
                raise self._damaged(f"{name!r} is of type {entry.get('type')!r}, which is unknown")
            declared += self._size(entry)
        if declared > self.budget:
            raise self._damaged(
                f"it would unpack to {declared / 2**20:,.0f} MiB, more than {MAX_UNPACKED_RATIO} times its size"
            )

    def _size(self, entry: _Entry) -> int:
        cells: int = math.prod(entry["shape"])
        return cells * np.dtype(DTYPES[entry["type"]]).itemsize

    def entry(self, name: str, entry: _Entry) -> bytes:
        """Return the checked content of an entry that the header lists."""
        size = self._size(entry)
        content = self._unpack(name, size)
        if len(content) != size:
            raise self._damaged(f"{name!r} holds {len(content):,} bytes instead of {size:,}")
        if hashlib.sha256(content).hexdigest() != entry.get("sha256"):
            raise self._damaged(f"the checksum of {name!r} is wrong")
        return content

    def _unpack(self, name: str, max_bytes: int) -> bytes:
        try:
            with self.packed.open(name) as file:
                content = file.read(max_bytes + 1)
        except UNREADABLE as error:
            raise self._damaged(f"{name!r} cannot be unpacked ({error})") from error
        if len(content) > max_bytes:
            raise self._damaged(f"{name!r} unpacks to more than its {max_bytes:,} bytes")
        return content


def header_limit(size: int) -> int:
    """Return how many bytes of JSON a file of this size in bytes may hold."""
    return ALWAYS_ALLOWED_HEADER_BYTES + MAX_HEADER_RATIO * size


def unpacked_copy(content: bytes, header: str) -> bytes:
    """Return a ZIP file that another library wrote with its entries stored, none of which held more than it declares.

    Args:
        content: The file.
        header: The entry that holds JSON.

    Raises:
        AuditorFileError: Damaged, or an entry or array would unpack to more than it should.
    """
    try:
        return _unpacked_copy(content, header, MAX_UNPACKED_RATIO * len(content))
    except AuditorFileError:
        raise
    except UNREADABLE as error:
        raise AuditorFileError(f"It cannot be read ({error or type(error).__name__}).") from error


def _unpacked_copy(content: bytes, header: str, budget: int) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as packed, zipfile.ZipFile(whole, "w") as copy:
        for info in packed.infolist():
            budget -= info.file_size
            most = header_limit(len(content)) if info.filename == header else info.file_size
            if budget < 0 or info.file_size > most or info.compress_type not in METHODS:
                raise AuditorFileError(f"It would unpack to more than {MAX_UNPACKED_RATIO} times its size.")
            with packed.open(info) as file:
                entry = file.read(info.file_size + 1)
            if entry.startswith(MAGIC):  # a sparse matrix of SciPy is a ZIP of arrays
                entry = _unpacked_copy(entry, header, budget)
            _check_array(entry)
            copy.writestr(info.filename, entry)
    return whole.getvalue()


def _check_array(content: bytes) -> None:
    """Raise where an array of NumPy's format claims more than there is of it, since NumPy would make room for it.

    Raises:
        AuditorFileError: It does, or is of a version that is not known.
    """
    if not content.startswith(np.lib.format.MAGIC_PREFIX):
        return
    file = io.BytesIO(content)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    shape, _, dtype = readers[np.lib.format.read_magic(file)](file)
    if math.prod(shape) * max(dtype.itemsize, 1) > len(content) - file.tell():
        raise AuditorFileError(f"An array of shape {shape} is not there whole.")
