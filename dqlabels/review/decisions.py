"""The file of review decisions: one line per key press, only ever appended to.

The first line says which labels the decisions are about; each later line is a decision or takes one back. Nothing is
overwritten, so a crash loses nothing, and several windows and servers can append to one file.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import sys
import threading
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, NamedTuple, TypedDict, cast, get_args

from dqlabels.errors import OptionError
from dqlabels.frames.atomic import locked
from dqlabels.frames.columns import Column, Labels
from dqlabels.review.answers import FreeAnswers

# Files on classes are of format 1, those on other labels, whose answers are text, of format 2.
FORMAT, TEXT_FORMAT = 1, 2
# Seconds for which a program holds the file are far fewer, unless it is stopped.
MAX_WAIT = 5.0
Verdict = Literal["accept", "keep", "choose", "unclear"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
UNCLEAR_CODE = -1
MAX_NOTE_LENGTH = 2_000
FIRST = b'{"dqlabels_review"'


class Head(TypedDict):
    """The first line of a file of decisions: what tells these labels from those of another table."""

    dqlabels_review: int
    label: str
    rows: int
    classes: list[str]
    labels_sha256: str


class TextHead(Head):
    """The same where the labels are no classes: of which family the answers are, and which amounts they may be."""

    answers: str
    step: float


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision: the number of the row in the frame, and the position of the right class, -1 if unclear."""

    id: int
    row: int
    verdict: str
    code: int
    label: str
    window: str
    at: str
    note: str = ""

    def entry(self) -> dict[str, object]:
        """Return the line of the file; one without a note is as files had it before there were notes."""
        return {name: value for name, value in asdict(self).items() if name != "note" or value}


class NewDecision(NamedTuple):
    """A decision to make: on which row, the position of the right class, and what stood when the reviewer looked.

    Where the labels are no classes the position is 0, and ``answer`` is the right label as text.
    """

    row: int
    verdict: str
    code: int
    seen: int | None = None
    note: str = ""
    answer: str = ""


class ConflictError(Exception):
    """Another window decided on the row after this one looked; ``decision`` is the one that stands, or None."""

    def __init__(self, decision: Decision | None) -> None:
        super().__init__("another window has decided on this row in the meantime")
        self.decision = decision


def head_of(labels: Labels) -> Head:
    """Return the first line of a file of decisions on these labels."""
    classes = [str(value) for value in labels.classes]
    digest = hashlib.sha256(json.dumps(classes).encode())
    digest.update(labels.codes.astype("<i8").tobytes())
    return {
        "dqlabels_review": FORMAT,
        "label": labels.column.name,
        "rows": int(labels.codes.size),
        "classes": classes,
        "labels_sha256": digest.hexdigest(),
    }


def text_head_of(column: Column, answers: FreeAnswers) -> TextHead:
    """Return the first line of a file of decisions on labels that are no classes.

    Args:
        column: The labels (n,).
        answers: What a reviewer may answer.
    """
    digest = hashlib.sha256(json.dumps([answers.text(value) for value in column.to_list()]).encode())
    return {
        "dqlabels_review": TEXT_FORMAT,
        "label": column.name,
        "rows": len(column),
        "classes": list(answers.tags),
        "labels_sha256": digest.hexdigest(),
        "answers": answers.family,
        "step": answers.step,
    }


class DecisionFile:
    """The decisions in a file, which other programs may append to meanwhile.

    ``max_wait`` is how many seconds it waits for a program that holds the file.

    Raises:
        OptionError: The file holds decisions on other labels, or no decisions.
        OSError: The file cannot be read or written.
    """

    def __init__(self, path: str | Path, head: Head, *, max_wait: float = MAX_WAIT) -> None:
        self.path, self.head, self._max_wait = Path(path), head, max_wait
        self.answers = FreeAnswers.in_head(head)
        self._codes = len(head["classes"]) if self.answers is None else 1
        self.decisions: dict[int, Decision] = {}
        self.last = 0
        self._of_row: dict[int, list[int]] = {}  # ids of the decisions that stand, oldest first
        self._touched: list[tuple[int, int]] = []  # id and row of each line, in order
        self._read = 0  # bytes
        self._lines = 0
        self._here = threading.Lock()
        with self._exclusive() as descriptor:
            if not self._lines:
                self._add(descriptor, head)
        _sync_folder(self.path)

    @property
    def standing(self) -> dict[int, Decision]:
        """The decision that stands for each row, by row number."""
        with self._here:
            return {row: self.decisions[ids[-1]] for row, ids in self._of_row.items() if ids}

    def changes(self, since: int) -> tuple[int, dict[int, Decision | None]]:
        """Return the id of the last line, and what stands for each row that changed after the line ``since``."""
        with self._here:
            first = bisect_right(self._touched, (since, sys.maxsize))
            rows = dict.fromkeys(row for _, row in self._touched[first:])
            return self.last, {row: self.decisions[ids[-1]] if (ids := self._of_row[row]) else None for row in rows}

    def refresh(self) -> None:
        """Read what others appended."""
        with self._exclusive():
            pass

    def record(
        self,
        row: int,
        verdict: str,
        code: int,
        *,
        window: str = "",
        seen: int | None = None,
        note: str = "",
        answer: str = "",
    ) -> Decision:
        """Append a decision; it is on the disk when this returns.

        Args:
            row: Number of the row in the frame.
            verdict: One of ``VERDICTS``.
            code: Position of the right class, -1 if unclear.
            window: The window whose undo takes it back.
            seen: Id of the decision that stood when the reviewer looked, 0 for none; None skips this check.
            note: What the reviewer says of it.
            answer: The right label as text, where the labels are no classes.

        Raises:
            ConflictError: Another decision stands than the one seen.
            OptionError: There is no such row, class or verdict.
        """
        made, passed_over = self.record_all([NewDecision(row, verdict, code, seen, note, answer)], window=window)
        if passed_over:
            raise ConflictError(self.standing.get(row))
        return made[0]

    def record_all(self, wanted: Sequence[NewDecision], *, window: str = "") -> tuple[list[Decision], list[int]]:
        """Append several decisions; all of them are on the disk when this returns, or none.

        Args:
            wanted: What to decide, each row once.
            window: The window whose undo takes them back.

        Returns:
            The decisions, and the rows passed over since another decision stands there than the one seen.

        Raises:
            OptionError: There is no such row, class or verdict, or a row repeats; then nothing is written.
        """
        labels = [self._label_of(one) for one in wanted]
        if len({one.row for one in wanted}) < len(wanted):
            raise OptionError("A row can be decided once at a time.")
        now = _now()
        made: list[Decision] = []
        passed_over: list[int] = []
        with self._exclusive() as descriptor:
            for (row, verdict, code, seen, note, _), label in zip(wanted, labels, strict=True):
                standing = self._of_row.get(row) or [0]
                if seen is not None and seen != standing[-1]:
                    passed_over.append(row)
                    continue
                number = self.last + 1 + len(made)
                made.append(Decision(number, row, verdict, code, label, window, now, note[:MAX_NOTE_LENGTH]))
            self._add(descriptor, *(decision.entry() for decision in made))
        return made, passed_over

    def _label_of(self, one: NewDecision) -> str:
        """The label that a decision gives its row, as text.

        Raises:
            OptionError: There is no such row, class or verdict, or the answer is none.
        """
        rows = self.head["rows"]
        if one.verdict not in VERDICTS or not 0 <= one.row < rows or not UNCLEAR_CODE <= one.code < self._codes:
            raise OptionError(
                f"There is no decision with row {one.row}, verdict {one.verdict!r} and class {one.code} here."
            )
        if (one.verdict == "unclear") != (one.code == UNCLEAR_CODE):
            raise OptionError(f"Verdict {one.verdict!r} does not go with class {one.code}.")
        if one.code == UNCLEAR_CODE:
            return "unclear"
        if self.answers is None:
            return self.head["classes"][one.code]
        try:
            return self.answers.read(one.answer)
        except ValueError as error:
            raise OptionError(f"No answer: {error}.") from error

    def undo(self, window: str) -> Decision | None:
        """Take back and return the last decision of this window that still stands; None if there is none."""
        taken = self.undo_last(window, 1)
        return taken[0] if taken else None

    def undo_last(self, window: str, count: int) -> list[Decision]:
        """Take back and return the last decisions of this window that still stand, as many as there are."""
        with self._exclusive() as descriptor:
            mine = [ids[-1] for ids in self._of_row.values() if ids and self.decisions[ids[-1]].window == window]
            last, now = sorted(mine, reverse=True)[:count], _now()
            lines = [
                {"id": self.last + 1 + at, "undo": number, "window": window, "at": now}
                for at, number in enumerate(last)
            ]
            self._add(descriptor, *lines)
            return [self.decisions[number] for number in last]

    @contextmanager
    def _exclusive(self) -> Iterator[int]:
        """Open the file for this program alone, read its new lines, and cut off a last line that is incomplete."""
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        descriptor = os.open(self.path, flags, 0o600)
        try:
            # The file first, which keeps threads apart too: what was read already can be looked at while one waits.
            with locked(descriptor, self.path, max_wait=self._max_wait), self._here:
                self._read_on(descriptor)
                yield descriptor
        finally:
            os.close(descriptor)

    def _read_on(self, descriptor: int) -> None:
        size = os.fstat(descriptor).st_size
        if size < self._read:
            raise OptionError(f"{self.path} became shorter while in use. Stop the other programs that write to it.")
        os.lseek(descriptor, self._read, os.SEEK_SET)
        new = bytearray()
        while part := os.read(descriptor, 1 << 20):
            new += part
        whole = new.rfind(b"\n") + 1
        for line in bytes(new[:whole]).splitlines():
            self._take(line)
        self._read += whole
        if whole < len(new):  # a writer was killed within a line, before anyone was told that it is saved
            if not self._lines and new[: len(FIRST)] != FIRST[: len(new)]:
                raise OptionError(f"{self.path} is not a file of review decisions. Choose another name.")
            if _is_whole(new[whole:]):  # an editor took the last line end away
                os.write(descriptor, b"\n")
                self._take(bytes(new[whole:]))
                self._read += len(new) - whole + 1
            else:
                os.ftruncate(descriptor, self._read)

    def _take(self, line: bytes) -> None:
        self._lines += 1
        if self._lines == 1:
            self._check(line)
            return
        try:
            found = json.loads(line)
            number = found["id"]
            if type(number) is not int or not self.last < number < 2**53:
                raise ValueError(f"its id {number!r} does not follow {self.last}")
            if "undo" in found:
                row = self.decisions[found["undo"]].row
                self._of_row[row].remove(found["undo"])
            else:
                known = {key: found[key] for key in Decision.__slots__ if key != "note"}
                made = Decision(**known, note=found.get("note", ""))
                self._check_decision(made)
                self.decisions[number], row = made, made.row
                self._of_row.setdefault(row, []).append(number)
            self.last = number
            self._touched.append((number, row))
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise OptionError(
                f"{self.path}, line {self._lines}, is not a review decision ({error or type(error).__name__}). Another "
                "program changed the file; repair the line or choose another file."
            ) from error

    def _check_decision(self, made: Decision) -> None:
        """Raise unless the decision is one that :meth:`record` writes.

        Raises:
            ValueError: It is not.
        """
        if type(made.row) is not int or not 0 <= made.row < self.head["rows"]:
            raise ValueError(f"there is no row {made.row!r}")
        if type(made.code) is not int or not UNCLEAR_CODE <= made.code < self._codes or made.verdict not in VERDICTS:
            raise ValueError(f"there is no verdict {made.verdict!r} with class {made.code!r}")
        label = "unclear"
        if made.code >= 0:
            label = self.head["classes"][made.code] if self.answers is None else self.answers.read(str(made.label))
        if (made.verdict == "unclear") != (made.code == UNCLEAR_CODE) or made.label != label:
            raise ValueError(f"verdict {made.verdict!r} and label {made.label!r} do not go with class {made.code}")
        if not all(isinstance(text, str) for text in (made.window, made.at, made.note)):
            raise ValueError("its window, its time or its note is no text")

    def _check(self, line: bytes) -> None:
        found = _head_in(line)
        if found is None:
            raise OptionError(f"{self.path} is not a file of review decisions. Choose another name.")
        if found["dqlabels_review"] > TEXT_FORMAT:
            raise OptionError(
                f"{self.path} was written by a newer dqlabels (format {found['dqlabels_review']}). Upgrade dqlabels."
            )
        for key, wanted in self.head.items():
            if key != "dqlabels_review" and found.get(key) != wanted:
                value = str(found.get(key))[:60]
                what = "labels or their order are" if key == "labels_sha256" else f"{key} ({value}) is"
                raise OptionError(
                    f"{self.path} holds decisions on other labels: its {what} not this table's. Use the table it was "
                    "made with, in the same order, or name another file with --decisions."
                )

    def _add(self, descriptor: int, *entries: Mapping[str, object]) -> None:
        lines = [json.dumps(entry, ensure_ascii=True).encode() + b"\n" for entry in entries]
        whole = b"".join(lines)
        if os.write(descriptor, whole) != len(whole):
            os.ftruncate(descriptor, self._read)
            raise OSError(28, "No space left on device", str(self.path))
        os.fsync(descriptor)
        self._read += len(whole)
        for line in lines:
            self._take(line[:-1])


def read_head(path: str | Path) -> Head:
    """Read the first line of a file of decisions.

    Raises:
        OptionError: The file holds no decisions.
        OSError: The file cannot be read.
    """
    with Path(path).open("rb") as file:
        head = _head_in(file.readline(1 << 26))
    if head is None:
        raise OptionError(f"{path} is not a file of review decisions, as `dqlabels review` writes them.")
    return head


def _is_whole(line: bytes | bytearray) -> bool:
    """Whether a line without its end is complete: each is one JSON object, and no part of one is."""
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _head_in(line: bytes) -> Head | None:
    """The first line of a file of decisions, None if it is none."""
    try:
        head = json.loads(line)
    except (ValueError, RecursionError):  # not JSON, or not even text
        return None
    known = isinstance(head, dict) and type(head.get("dqlabels_review")) is int and isinstance(head.get("label"), str)
    return cast("Head", head) if known else None


def _sync_folder(path: Path) -> None:
    """Write the folder of a new file to the disk; only then is its name there."""
    if sys.platform != "win32":
        folder = os.open(path.absolute().parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")
