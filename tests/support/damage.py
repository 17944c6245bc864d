"""Damaged copies of files: bytes changed by chance, or values changed by one who knows the format."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sklearn.linear_model import LogisticRegression

import dqlabels
from dqlabels import DQLabelsError, LabelAuditor, LabelMonitor, apply_decisions
from dqlabels.audits.trusted.saved_parts import ESTIMATOR
from dqlabels.errors import AuditorFileError, OptionError
from dqlabels.frames.archive import HEADER, SUMMED
from dqlabels.review.decisions import DecisionFile
from support.frames import two_classes
from support.review import DATA, HEAD

ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 3, 2**31, 2**63, -(2**63), 10**400, 0.5, -0.5, 1e308, float("nan"), float("inf"), "",
    "x", "yes", "\ud800", "\x00", "0x1p99999", "1" * 5000, "/dev/zero", [], [[]], [1], [None], ["a", "b"], {}, {"a": 1},
    [["int", "1"], ["int", "2"]],
)  # fmt: skip
ODD_BYTES = (b"", b"\x00", b"\xff\xff\xff\xff", b"\n", b"\n\n", b"{", b"[" * 3000, b"\xed\xa0\x80", b"PK\x05\x06")


@dataclass(frozen=True)
class Subject:
    """A kind of file: a sound one, how it may be altered, how it is used, and the error that it owes."""

    content: bytes
    alter: Callable[[bytes, np.random.Generator], bytes]
    use: Callable[[Path], object]
    owed: type[Exception]


def with_bytes_changed(content: bytes, rng: np.random.Generator) -> bytes:
    """Return the content with one to three places overwritten, cut out, repeated or filled."""
    damaged = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        at, length = int(rng.integers(0, len(damaged) + 1)), int(rng.integers(1, 40))
        how = rng.integers(0, 6)
        if how == 0 and damaged:
            damaged[at % len(damaged)] ^= int(rng.integers(1, 256))
        elif how == 1:
            damaged[at : at + length] = rng.bytes(length)
        elif how == 2:
            del damaged[at : at + length]
        elif how == 3:
            damaged[at:at] = damaged[at : at + length]
        elif how == 4:
            damaged[at:at] = ODD_BYTES[rng.integers(0, len(ODD_BYTES))]
        elif len(damaged) > 1:
            del damaged[at:]
    return bytes(damaged)


def with_value_changed(value: Any, rng: np.random.Generator) -> Any:
    """Return plain values of which one to three were replaced, taken out, or put in another's place."""
    changed = copy.deepcopy(value)
    for _ in range(int(rng.integers(1, 4))):
        places = list(_places(changed))
        if not places:
            return ODD[rng.integers(0, len(ODD))]
        inner, key = places[rng.integers(0, len(places))]
        how = rng.integers(0, 5)
        if how == 0:
            del inner[key]
        elif how == 1:
            other, at = places[rng.integers(0, len(places))]
            inner[key] = copy.deepcopy(other[at])
        elif how == 2 and isinstance(inner[key], (int, float)):
            inner[key] = inner[key] * 2 + 1
        else:
            inner[key] = copy.deepcopy(ODD[rng.integers(0, len(ODD))])
    return changed


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place of a nested value, so that each level has as good a chance as the one below."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for at, (key, one) in enumerate(inner):
        if at < 30:
            yield value, key
            yield from _places(one)


def with_json_changed(content: bytes, rng: np.random.Generator) -> bytes:
    """Change values of a JSON file."""
    return json.dumps(with_value_changed(json.loads(content), rng)).encode()


def with_line_changed(content: bytes, rng: np.random.Generator) -> bytes:
    """Change values of one line of JSON lines, or repeat, swap or take out lines."""
    lines = content.splitlines(keepends=True)
    at, how = int(rng.integers(0, len(lines))), rng.integers(0, 5)
    if how == 0:
        lines.insert(int(rng.integers(0, len(lines))), lines[at])
    elif how == 1:
        del lines[at]
    else:
        lines[at] = with_json_changed(lines[at], rng) + b"\n"
    return b"".join(lines)


def with_entry_changed(content: bytes, rng: np.random.Generator) -> bytes:
    """Change the header, an array or a model inside a saved auditor; its checksums fit again."""
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        entries = {name: file.read(name) for name in file.namelist()}
    header = json.loads(entries.pop(HEADER))
    name = list(entries)[rng.integers(0, len(entries))]
    if rng.integers(0, 3):
        listed = header.pop("entries")
        header = with_value_changed(header, rng)
        header = header if isinstance(header, dict) else {}
        header["entries"] = listed
        if not rng.integers(0, 5):
            header["entries"] = with_value_changed(listed, rng)
    else:
        entries[name] = _same_length(entries[name], rng)
        header["entries"][name]["sha256"] = hashlib.sha256(entries[name]).hexdigest()
    return packed(header, entries)


def with_model_changed(content: bytes, rng: np.random.Generator) -> bytes:
    """Change the bytes or the schema of the skops model inside a saved auditor; its checksums fit again."""
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        entries = {name: file.read(name) for name in file.namelist()}
    header = json.loads(entries.pop(HEADER))
    name = next(name for name in entries if name.endswith(ESTIMATOR))
    if rng.integers(0, 3):
        with zipfile.ZipFile(io.BytesIO(entries[name])) as file:
            inner = {one: file.read(one) for one in file.namelist()}
        inner["schema.json"] = with_json_changed(inner["schema.json"], rng)
        inner = {one: part if rng.integers(0, 4) else with_bytes_changed(part, rng) for one, part in inner.items()}
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
            for one, part in inner.items():
                file.writestr(one, part)
        entries[name] = out.getvalue()
    else:
        entries[name] = with_bytes_changed(entries[name], rng)
    header["entries"][name] |= {
        "shape": [len(entries[name])], "sha256": hashlib.sha256(entries[name]).hexdigest()
    }  # fmt: skip
    return packed(header, entries)


def _same_length(content: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.integers(0, max(len(content), 1))) // 8 * 8
        word = (rng.bytes(8), b"\xff" * 8, bytes(8), np.float64("nan").tobytes(), np.int64(2**40).tobytes())
        changed[at : at + 8] = word[rng.integers(0, len(word))]
    return bytes(changed[: len(content)])


def packed(header: dict[str, Any], entries: dict[str, bytes]) -> bytes:
    """Return a saved auditor of this header and these entries, whose header has the right checksum."""
    raw, out = json.dumps(header).encode(), io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.comment = SUMMED + hashlib.sha256(raw).hexdigest().encode()
        for name, content in {HEADER: raw, **entries}.items():
            file.writestr(name, content)
    return out.getvalue()


def outcomes(subject: Subject, runs: int, seed: int, folder: Path) -> Counter[str]:
    """Damage a file by turns in both ways, use it, and count what came of it.

    ``read`` means that the damage had no effect or could not be known; ``refused`` the error that the file owes. Any
    other outcome is a fault, named by its error.
    """
    counted: Counter[str] = Counter()
    for run in range(runs):
        rng = np.random.default_rng([seed, run])
        change = subject.alter if run % 3 else with_bytes_changed
        path = folder / "damaged"
        path.write_bytes(change(subject.content, rng))
        try:
            subject.use(path)
        except subject.owed:
            counted["refused"] += 1
        except Exception as error:  # noqa: BLE001 - which one is what is counted
            counted[f"{type(error).__name__}: {str(error)[:90]} (run {run})"] += 1
        else:
            counted["read"] += 1
    return counted


def faults(counted: Counter[str]) -> list[str]:
    """The outcomes that are neither a file read nor its error."""
    return sorted(set(counted) - {"read", "refused"})


def judging(batch: pl.DataFrame) -> Callable[[Path], None]:
    """Return what loads an auditor and judges the batch by it."""

    def judge(path: Path) -> None:
        try:
            dqlabels.load(path).audit(batch).to_dict()
        except AuditorFileError:
            raise
        except DQLabelsError:  # the batch has not what the file asks for
            pass

    return judge


def subjects() -> dict[str, Subject]:
    """A sound file of each kind that dqlabels reads."""
    rng = np.random.default_rng(0)
    kind = rng.choice(["a", "b", "c"], 120).tolist()
    text = [" ".join(rng.choice(["red", "green", "blue", "of"], 6)) + f" {at}" for at in range(120)]
    trusted = pl.DataFrame(two_classes() | {"kind": kind, "text": text})
    batch = trusted[::7]
    audited = dqlabels.audit(trusted, "label")
    auditor = LabelAuditor("label", n_jobs=1).fit(trusted)
    own = LabelAuditor("label", model=LogisticRegression(), features=["x", "z"]).fit(trusted)

    several = [[name for name, has in zip("ab", row, strict=True) if has] for row in rng.random((120, 2)) < 0.5]
    tagged = trusted.drop("label").with_columns(tags=pl.Series(several))
    tags = LabelAuditor("tags", task="multilabel", n_jobs=1).fit(tagged)

    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        auditor.save(here / "a")
        own.save(here / "own")
        tags.save(here / "t")
        (here / "p").write_text(json.dumps(dict(auditor.profile())))
        decisions = DecisionFile(here / "d", HEAD)
        for row, code in enumerate([0, 1, 1, 0]):
            decisions.record(row * 5, "choose", code, window=f"w{row % 2}")
        decisions.undo("w1")
        decisions.record(7, "unclear", -1, window="w0")
        monitor = LabelMonitor(auditor, history=here / "h", false_alarms_per_year=1)
        for night in range(3):
            monitor.check(pl.DataFrame(two_classes(seed=night + 9) | {"kind": kind, "text": text}))
        read = {name: (here / name).read_bytes() for name in ("a", "t", "own", "p", "d", "h")}

    def check(path: Path) -> None:
        LabelMonitor(auditor, history=path, false_alarms_per_year=1).check(trusted)

    def compare(path: Path) -> None:
        audited.gate(max_increase=0.2, reference=path)

    def decide(path: Path) -> None:
        apply_decisions(pl.DataFrame(DATA), path)
        DecisionFile(path, HEAD).record(3, "choose", 1)

    return {
        "auditor": Subject(read["a"], with_entry_changed, judging(batch), AuditorFileError),
        "tags": Subject(read["t"], with_entry_changed, judging(tagged[::7]), AuditorFileError),
        "skops": Subject(read["own"], with_model_changed, judging(batch), AuditorFileError),
        "profile": Subject(read["p"], with_json_changed, compare, DQLabelsError),
        "decisions": Subject(read["d"], with_line_changed, decide, DQLabelsError),
        "history": Subject(read["h"], with_line_changed, check, OptionError),
    }
