"""Plain values and arrays in one file that is checked before it is believed; reading it never runs code.

A ZIP file. ``header.json`` holds the format number, plain values and, for every other entry, its type, shape,
size and SHA-256; the ZIP comment holds the SHA-256 of the header. Arrays are raw little-endian numbers. Nothing
in it is a pickle, and nothing is unpacked beyond the size it is declared to have. docs/auditor-format.md
describes it.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from dqlabels.errors import AuditorFileError
from dqlabels.frames.atomic import replacing

# Files of a higher number were written by a later dqlabels; lower ones are read.
FORMAT = 2
HEADER = "header.json"
MAGIC = b"PK"
SUMMED = b"dqlabels sha256:"
DTYPES = {"f4": "<f4", "f8": "<f8", "i4": "<i4", "i8": "<i8", "u1": "|u1", "u4": "<u4", "u8": "<u8", "bytes": "|u1"}
# Trees and sparse probabilities pack 5 to 60 times; what claims to unpack far beyond that is a trap.
MAX_UNPACKED_RATIO = 400
ALWAYS_ALLOWED_BYTES = 64 * 2**20
MAX_HEADER_BYTES = 256 * 2**20
# Of a fixed date, so that the same auditor gives the same bytes.
DATE = (1980, 1, 1, 0, 0, 0)
DAMAGED = "Save it again from the auditor it was saved from; a damaged or altered file is not read in part."


@dataclass(frozen=True, slots=True, eq=False)
class Archive:
    """What a file holds: plain values ready for JSON, arrays by name, and blobs of bytes by name."""

    facts: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]
    blobs: Mapping[str, bytes]


def write_archive(path: str | Path, archive: Archive) -> None:
    """Write the file whole or not at all; a former one stays until then.

    Raises:
        OSError: The disk is full, or the folder cannot be written.
    """
    with replacing(path) as file:
        _write(file, archive)


def _write(file: BinaryIO, archive: Archive) -> None:
    entries: dict[str, bytes] = {}
    listed: dict[str, Any] = {}
    for name, array in archive.arrays.items():
        kind = array.dtype.str[1:]
        entries[name] = np.ascontiguousarray(array, dtype=DTYPES[kind]).tobytes()
        listed[name] = _entry(entries[name], kind, array.shape)
    for name, blob in archive.blobs.items():
        entries[name], listed[name] = blob, _entry(blob, "bytes", (len(blob),))
    whole = {"format": FORMAT, **archive.facts, "entries": listed}
    header = json.dumps(whole, allow_nan=False, sort_keys=True).encode("ascii")
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        packed.comment = SUMMED + hashlib.sha256(header).hexdigest().encode("ascii")
        for name, content in {HEADER: header, **entries}.items():
            info = zipfile.ZipInfo(name, DATE)
            info.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(info, content)


def _entry(content: bytes, kind: str, shape: tuple[int, ...]) -> dict[str, Any]:
    return {"type": kind, "shape": list(shape), "sha256": hashlib.sha256(content).hexdigest()}


def is_archive(path: str | Path) -> bool:
    """Whether a file begins as an archive does.

    Raises:
        OSError: The file cannot be read.
    """
    with Path(path).open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def read_facts(path: str | Path) -> dict[str, Any]:
    """The plain values of a file alone.

    Raises:
        AuditorFileError: Not an archive, of a newer version, or damaged.
        OSError: The file cannot be read.
    """
    with _Reader(path) as reader:
        return reader.header


def read_archive(path: str | Path, *, always_allowed_bytes: int = ALWAYS_ALLOWED_BYTES) -> Archive:
    """All that a file holds, once every checksum and size has been found right.

    Args:
        path: The file.
        always_allowed_bytes: So much a file may unpack to, however small it is.

    Raises:
        AuditorFileError: Not an archive, of a newer version, or damaged.
        OSError: The file cannot be read.
    """
    with _Reader(path, always_allowed_bytes) as reader:
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
    """An archive whose header has been found right."""

    def __init__(self, path: str | Path, always_allowed_bytes: int = ALWAYS_ALLOWED_BYTES) -> None:
        self.path = Path(path)
        # As a whole: a file that changes while it is read would be checked in one state and used in another.
        content = self.path.read_bytes()
        self.budget = always_allowed_bytes + MAX_UNPACKED_RATIO * len(content)
        try:
            self.packed = zipfile.ZipFile(io.BytesIO(content))
        except (zipfile.BadZipFile, struct.error, ValueError) as error:
            raise self._damaged(f"it is no saved auditor, or not all of it ({error})") from error
        self.header = self._header()

    def __enter__(self) -> _Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.packed.close()

    def _damaged(self, what: str) -> AuditorFileError:
        return AuditorFileError(f"{self.path} cannot be read: {what}. {DAMAGED}")

    def _header(self) -> dict[str, Any]:
        raw = self._unpack(HEADER, min(self.budget, MAX_HEADER_BYTES))
        summed = self.packed.comment
        if summed != SUMMED + hashlib.sha256(raw).hexdigest().encode("ascii"):
            raise self._damaged("the checksum of its header is wrong")
        try:
            header: dict[str, Any] = json.loads(raw)
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

    def _check_entries(self, entries: Any) -> None:
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
            if entry.get("type") not in DTYPES or len(shape) > 2:
                raise self._damaged(f"{name!r} is of type {entry.get('type')!r}, which no array here has")
            declared += self._size(entry)
        if declared > self.budget:
            raise self._damaged(
                f"it would unpack to {declared / 2**20:,.0f} MiB, more than {MAX_UNPACKED_RATIO} times what it holds"
            )

    def _size(self, entry: Mapping[str, Any]) -> int:
        cells: int = math.prod(entry["shape"])
        return cells * np.dtype(DTYPES[entry["type"]]).itemsize

    def entry(self, name: str, entry: Mapping[str, Any]) -> bytes:
        """The content of an entry that the header lists."""
        size = self._size(entry)
        content = self._unpack(name, size)
        if len(content) != size:
            raise self._damaged(f"{name!r} holds {len(content):,} bytes instead of {size:,}")
        if hashlib.sha256(content).hexdigest() != entry.get("sha256"):
            raise self._damaged(f"the checksum of {name!r} is wrong")
        return content

    def _unpack(self, name: str, most: int) -> bytes:
        try:
            with self.packed.open(name) as file:
                content = file.read(most + 1)
        except (KeyError, RuntimeError, NotImplementedError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise self._damaged(f"{name!r} cannot be unpacked ({error})") from error
        if len(content) > most:
            raise self._damaged(f"{name!r} unpacks to more than its {most:,} bytes")
        return content
