"""The history of a monitor: a file of JSON lines, one for each batch, after a first line that says what it is about."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from dqlabels.errors import OptionError
from dqlabels.frames.atomic import locked, replacing
from dqlabels.noise.increase import DoubtSums, Zero

FORMAT = 1
# Seconds for which a monitor waits for another that writes to the same history, which takes much less.
MAX_WAIT = 60.0
# Larger counts are no rows of a table, and sums of them leave 64 bits.
MAX_COUNT = 2**53


class Head(TypedDict):
    """The first line of a history: whose labels, measured from which zero."""

    dqlabels_monitor: int
    label: str
    classes: list[str]
    zero_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """What a history keeps of one batch: counts and sums, none of its rows.

    ``increase`` is that over the trusted rows, ``error`` its standard error by chance, and ``drifted`` names what else
    moved. ``class_rows`` and ``class_doubt`` have an entry for each class; ``pairs`` are given class, likelier class
    and rows; ``segments`` are value, measured rows, and their doubt beyond the trusted rows'.
    """

    batch_id: str
    checked_at: str
    rows: int
    judged: int
    increase: float
    error: float
    verdict: str
    message: str
    class_rows: Sequence[int]
    class_doubt: Sequence[float]
    pairs: Sequence[Sequence[int]]
    segments: Sequence[Sequence[Any]]
    drifted: Sequence[str]

    @property
    def measured(self) -> int:
        """How many rows the increase is of."""
        return sum(self.class_rows)

    def sums(self) -> DoubtSums:
        """The doubt of its rows."""
        k = len(self.class_rows)
        pairs = np.zeros((k, k), dtype=np.int64)
        for given, likely, rows in self.pairs:
            pairs[given, likely] = rows
        return DoubtSums(np.array(self.class_rows, dtype=np.int64), np.array(self.class_doubt, dtype=np.float64), pairs)


def pairs_of(sums: DoubtSums) -> list[list[int]]:
    """Return the pairs of classes that occur: given, likelier, rows."""
    given, likely = np.nonzero(sums.pairs)
    rows = sums.pairs[given, likely]
    return [[int(g), int(k), int(n)] for g, k, n in zip(given, likely, rows, strict=True)]


def head_of(label: str, classes: Sequence[object], zero: Zero) -> Head:
    """Return the first line of a history of batches that are measured from this zero."""
    content = json.dumps(zero.to_dict(), sort_keys=True).encode()
    return {
        "dqlabels_monitor": FORMAT,
        "label": label,
        "classes": [str(value) for value in classes],
        "zero_sha256": hashlib.sha256(content).hexdigest(),
    }


class History:
    """The batches in a file that other programs may write to meanwhile, in the order in which they first came.

    Raises:
        OptionError: The file is no history, of another auditor, or has a line that cannot be read.
        OSError: The file cannot be read or written.
    """

    def __init__(self, path: str | Path, head: Head) -> None:
        self.path, self.head = Path(path), head
        self.nights()

    def nights(self) -> list[Night]:
        """Read all batches."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return []
        lines = content.decode("utf-8", "replace").splitlines()
        if not lines:
            return []
        self._check(lines[0])
        nights = []
        for number, line in enumerate(lines[1:], start=2):
            try:
                nights.append(_night(json.loads(line), len(self.head["classes"])))
            except (KeyError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
                raise OptionError(
                    f"{self.path}, line {number}, is not the line of a batch ({error}). Another program changed the "
                    "file; repair or remove the line."
                ) from error
        return nights

    @contextmanager
    def exclusive(self) -> Iterator[list[Night]]:
        """Yield the batches for this program alone, to change in place; they are written whole, or not at all."""
        real = Path(os.path.realpath(self.path))  # two links to one history share its lock
        lock = os.open(real.with_name(f".{real.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            with locked(lock, self.path, max_wait=MAX_WAIT):
                nights = self.nights()
                yield nights
                lines = [self.head, *(asdict(night) for night in nights)]
                with replacing(self.path) as file:
                    file.writelines(json.dumps(line, allow_nan=False).encode("ascii") + b"\n" for line in lines)
        finally:
            os.close(lock)

    def _check(self, line: str) -> None:
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, Mapping) or type(found.get("dqlabels_monitor")) is not int:
            raise OptionError(f"{self.path} is not the history of a monitor. Choose another file for history=.")
        if found["dqlabels_monitor"] > FORMAT:
            raise OptionError(
                f"{self.path} was written by a newer dqlabels (format {found['dqlabels_monitor']}). Upgrade dqlabels."
            )
        for key, wanted in self.head.items():
            if found.get(key) != wanted:
                raise OptionError(
                    f"{self.path} is the history of another auditor ({key.partition('_')[0]} differs), so its batches "
                    "were measured from another zero. After fitting again, begin a new history: name another file."
                )


def _night(saved: object, n_classes: int) -> Night:
    """A line, checked so that nothing in it can turn the chart into nonsense.

    Raises:
        ValueError: A value that no monitor writes.
    """
    if not isinstance(saved, dict):
        raise ValueError("it is no object")
    night = Night(**{field.name: saved[field.name] for field in fields(Night)})
    counts = [night.rows, night.judged, *night.class_rows, *(number for pair in night.pairs for number in pair)]
    if len(night.class_rows) != n_classes or len(night.class_doubt) != n_classes:
        raise ValueError(f"it has {len(night.class_rows)} classes")
    if any(type(count) is not int or not 0 <= count <= MAX_COUNT for count in counts) or not sum(night.class_rows):
        raise ValueError("it has a count that is no whole number of at least 0, or none that is more")
    if any(len(pair) != 3 or max(pair[:2]) >= n_classes for pair in night.pairs):
        raise ValueError("it has a pair of classes that there are not")
    numbers = [night.increase, night.error, *night.class_doubt]
    if not all(map(_is_number, numbers)) or night.error <= 0:
        raise ValueError("it has a number that is not finite, or an error that is not above 0")
    if not all(0 <= doubt <= rows for doubt, rows in zip(night.class_doubt, night.class_rows, strict=True)):
        raise ValueError("it has more doubt than rows, or less than none")
    for value, rows, beyond in night.segments:
        if not isinstance(value, str) or type(rows) is not int or not 1 <= rows <= MAX_COUNT or not _is_number(beyond):
            raise ValueError("it has a segment that cannot be read")
    texts = (night.batch_id, night.checked_at, night.verdict, night.message, *night.drifted)
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("it has a text that is none")
    return night


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= MAX_COUNT
