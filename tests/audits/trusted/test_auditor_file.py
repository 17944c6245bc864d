"""A saved auditor: the same answers, and nothing damaged, altered, newer or hostile is believed."""

from __future__ import annotations

import datetime
import decimal
import hashlib
import json
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from support.frames import ROOT, column, planted, two_classes
from support.sized import Sized

import dqlabels
from dqlabels import LabelAuditor, LabelWarning
from dqlabels.errors import AuditorFileError, LabelColumnError, MissingExtraError
from dqlabels.frames.archive import HEADER, SUMMED, read_archive
from dqlabels.models.sizes import BoostingSizes, Sizes

OLD = ROOT / "tests/data/auditor-1.dqlabels"
HALVES = ROOT / "tests/data/auditor-2.dqlabels"
BATCH = two_classes(seed=5)


class Unfitted(LogisticRegression):
    """A model that nobody asks."""

    def fit(self, *_: object) -> None:
        raise AssertionError("fitted before its labels were looked at")


def table(seed: int) -> pl.DataFrame:
    days = [datetime.date(2024, 1, 1 + at // 2 % 28) for at in range(120)]
    return pl.DataFrame(two_classes(seed=seed) | {"c": ["a", "a", "b", "b", None, None] * 20, "d": days})


def halves_table(seed: int) -> pl.DataFrame:
    """Two classes 400 rows wide; every twentieth label is wrong."""
    rng = np.random.default_rng(seed)
    kind, wrong = rng.integers(0, 2, 400), np.arange(400) % 20 == 0
    x, z = kind + rng.normal(0, 0.15, 400), rng.normal(size=400)
    return pl.DataFrame({"x": x, "z": z, "label": [("no", "yes")[k] for k in kind ^ wrong]})


@pytest.fixture
def halves_file(tmp_path) -> Path:
    """An auditor whose table counts as one of many rows a class."""
    small = Sized(Sizes(rows_per_class=100, halves=BoostingSizes(trees=8, depth=3)))
    small.auditor("label").fit(halves_table(0)).save(tmp_path / "h.dqlabels")
    return tmp_path / "h.dqlabels"


@pytest.fixture(scope="module")
def auditor() -> LabelAuditor:
    return LabelAuditor("label").fit(table(0))


@pytest.fixture(scope="module")
def batch() -> pl.DataFrame:
    return table(5)


@pytest.fixture(scope="module")
def saved(auditor, tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("saved") / "a.dqlabels"
    auditor.save(path)
    return path.read_bytes()


@pytest.fixture
def path(saved, tmp_path) -> Path:
    path = tmp_path / "a.dqlabels"
    path.write_bytes(saved)
    return path


def repack(path: Path, change) -> None:
    """Alter a file as one who knows the format would: checksums fit again."""
    with zipfile.ZipFile(path) as packed:
        entries = {name: packed.read(name) for name in packed.namelist()}
    header = json.loads(entries.pop(HEADER))
    change(header, entries)
    for name, content in entries.items():
        if name in header["entries"]:
            header["entries"][name]["sha256"] = hashlib.sha256(content).hexdigest()
    raw = json.dumps(header).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.comment = SUMMED + hashlib.sha256(raw).hexdigest().encode()
        for name, content in {HEADER: raw, **entries}.items():
            packed.writestr(name, content)


def test_a_loaded_auditor_gives_the_same_audit(auditor, path, batch):
    before, after = auditor.audit(batch), dqlabels.load(path).audit(batch)
    assert after.frame.equals(before.frame)
    assert after.drift.equals(before.drift)
    assert after.to_dict() == before.to_dict()


@pytest.mark.filterwarnings("ignore:.*copy rows the auditor was fitted on:dqlabels.errors.LabelWarning")
def test_a_loaded_auditor_still_judges_trusted_rows_out_of_bag(tmp_path):
    trusted = pl.DataFrame(two_classes())
    LabelAuditor("label").fit(trusted).save(tmp_path / "a")
    loaded = dqlabels.load(tmp_path / "a")
    assert loaded.audit(trusted).model_error == loaded.profile()["model_error"] > 0


def test_saving_twice_gives_the_same_bytes(auditor, saved, tmp_path):
    auditor.save(tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == saved


def test_saving_what_was_loaded_gives_the_same_bytes(path, saved, tmp_path):
    dqlabels.load(path).save(tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == saved


@pytest.mark.parametrize(
    "kinds",
    [
        ["no", "yes"],
        [-(2**62), 2**62],
        [False, True],
        [0.1, 3e300],
        [datetime.date(2020, 1, 1), datetime.date(2021, 1, 1)],
        [datetime.datetime(2020, 1, 1, 5, 6, 7), datetime.datetime(2021, 1, 1)],
        [decimal.Decimal("1.50"), decimal.Decimal("2.50")],
        ["\x00\U0001f600", "</script>"],
        [b"\x00", b"\xff"],
        [datetime.time(1), datetime.time(2, 30, 0, 5)],
        [datetime.timedelta(-1), datetime.timedelta(0, 1, 1)],
        [datetime.datetime(2020, month, 1, tzinfo=ZoneInfo("America/New_York")) for month in (1, 7)],
    ],
    ids=str,
)
def test_classes_come_back_as_they_were(tmp_path, kinds):
    data = two_classes(rows=60)
    frame = pl.DataFrame(data | {"label": [kinds[value == "yes"] for value in data["label"]]})
    auditor = LabelAuditor("label").fit(frame)
    auditor.save(tmp_path / "a")
    loaded = dqlabels.load(tmp_path / "a").classes
    assert (loaded, list(map(type, loaded))) == (auditor.classes, list(map(type, auditor.classes)))


PANDAS_CLASSES = {
    "moment": [pd.Timestamp("2024-01-01", tz="America/New_York"), pd.Timestamp("2024-07-01", tz="America/New_York")],
    "offset": [pd.Timestamp("2024-01-01", tz="+05:30"), pd.Timestamp("2024-07-01", tz="+05:30")],
    "nanosecond": [pd.Timestamp(1), pd.Timestamp(2)],
    "zoned nanosecond": [pd.Timestamp(1, tz="Europe/Berlin"), pd.Timestamp(2, tz="Europe/Berlin")],
    "short duration": [pd.Timedelta(1), pd.Timedelta(2)],
    "duration": [pd.Timedelta(days=1), pd.Timedelta(days=2)],
    "period": [pd.Period("2024-01"), pd.Period("2024-02")],
    "interval": [pd.Interval(0, 1.5), pd.Interval(1.5, 3)],
    "interval of days": [pd.Interval(pd.Timestamp(0), pd.Timestamp(1)), pd.Interval(pd.Timestamp(1), pd.Timestamp(2))],
}


@pytest.mark.filterwarnings("ignore::dqlabels.LabelWarning")
@pytest.mark.parametrize("kinds", PANDAS_CLASSES.values(), ids=PANDAS_CLASSES)
def test_a_loaded_auditor_knows_the_classes_of_pandas(tmp_path, kinds):
    data = two_classes(rows=60)
    frame = pd.DataFrame(data | {"label": [kinds[value == "yes"] for value in data["label"]]})
    LabelAuditor("label").fit(frame).save(tmp_path / "a")
    loaded = dqlabels.load(tmp_path / "a")
    assert loaded.classes == tuple(kinds)
    assert loaded.audit(frame[frame["label"] == kinds[0]]).unseen == 0


@pytest.mark.filterwarnings("ignore::dqlabels.LabelWarning")
@pytest.mark.parametrize("zone", ["America/New_York", "UTC", "Etc/GMT-2"])
def test_moments_are_known_in_a_batch_of_any_library(tmp_path, zone):
    """A batch may hold one class alone, and its library may have another type for a moment."""
    data = two_classes(rows=60)
    winter, summer = (pd.Timestamp(f"2024-{month}-01", tz=zone) for month in ("01", "07"))
    frame = pd.DataFrame(data | {"label": [summer if value == "yes" else winter for value in data["label"]]})
    python = data | {"label": [moment.to_pydatetime().astimezone(ZoneInfo(zone)) for moment in frame["label"]]}
    batches = [frame, pl.DataFrame(python), pa.table(pa.Table.from_pandas(frame, preserve_index=False))]
    for trusted in batches[:2]:
        LabelAuditor("label").fit(trusted).save(tmp_path / "a")
        loaded = dqlabels.load(tmp_path / "a")
        for batch in batches:
            assert loaded.audit(batch).unseen == 0
            assert loaded.audit(batch[:1] if not isinstance(batch, pa.Table) else batch.slice(0, 1)).unseen == 0


def test_a_file_of_format_1_is_read():
    """Written when the format was new: two_classes(), fitted as is."""
    audit = dqlabels.load(OLD).audit(pl.DataFrame(BATCH))
    found = [flag for flag, wrong in zip(column(audit.frame, "is_label_issue"), planted(), strict=True) if wrong]
    assert sum(found) >= 5  # of 6


def test_a_file_of_format_2_with_halves_is_read():
    """Written when that format was new: halves_table(0), fitted with 8 trees of 3 questions."""
    audit = dqlabels.load(HALVES).audit(halves_table(1))
    flags = audit.frame["is_label_issue"].to_numpy()
    assert flags[::20].sum() >= 18  # of 20
    assert flags.sum() <= 30


def test_a_newer_format_is_refused_by_number(path):
    repack(path, lambda header, entries: header.update(format=3, version="9.9"))
    with pytest.raises(AuditorFileError, match=r"has format 3; this version .* reads up to 2\. Upgrade .* '9.9'"):
        dqlabels.load(path)


@pytest.mark.parametrize("number", [0, -1, "1", None, True])
def test_a_format_that_is_none_is_refused(path, number):
    repack(path, lambda header, entries: header.update(format=number))
    with pytest.raises(AuditorFileError, match="its format is"):
        dqlabels.load(path)


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(path, saved, share):
    path.write_bytes(saved[: int(share * len(saved))])
    with pytest.raises(AuditorFileError, match="cannot be read"):
        dqlabels.load(path)


def test_any_flipped_byte_is_noticed_or_without_effect(path, saved, batch, auditor):
    expected = auditor.audit(batch).frame
    rng = np.random.default_rng(0)
    noticed = 0
    for at in rng.integers(0, len(saved), 150):
        damaged = bytearray(saved)
        damaged[at] ^= int(rng.integers(1, 256))
        path.write_bytes(bytes(damaged))
        try:
            loaded = dqlabels.load(path)
        except AuditorFileError:
            noticed += 1
            continue
        # A date or attribute of the ZIP folder that nobody reads.
        assert loaded.audit(batch).frame.equals(expected)
    assert noticed > 120


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"a,b\n1,2\n", b"\x80\x04K\x01."], ids=["empty", "magic", "csv", "pickle"]
)
def test_what_is_no_auditor_is_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(AuditorFileError, match="not a saved auditor"):
        dqlabels.load(path)


def test_another_zip_is_refused(path):
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("readme", "hello")
    with pytest.raises(AuditorFileError, match=r"'header\.json' cannot be unpacked"):
        dqlabels.load(path)


def set_number(name: str, at: int, value: float, dtype: str):
    def change(header, entries):
        array = np.frombuffer(entries[name], dtype).copy()
        array[at] = value
        entries[name] = array.tobytes()

    return change


def drop(*keys):
    def change(header, entries):
        inner = header
        for key in keys[:-1]:
            inner = inner[key]
        del inner[keys[-1]]

    return change


def put(value, *keys):
    def change(header, entries):
        inner = header
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = value

    return change


def forget_the_fitted_rows(header, entries):
    for name, shape in (("seen.keys", [0]), ("seen.probs", [0, 2])):
        header["entries"][name]["shape"], entries[name] = shape, b""


def remove(name: str):
    def change(header, entries):
        del header["entries"][name]
        del entries[name]

    return change


@pytest.mark.parametrize(
    "change",
    [
        set_number("forest.left", 0, 10**6, "<i4"),
        set_number("forest.right", 0, 0, "<i4"),
        set_number("forest.feature", 0, 99, "<i4"),
        set_number("forest.threshold", 0, np.nan, "<f4"),
        set_number("forest.leaf_starts", 3, 2**60, "<i8"),
        set_number("forest.leaf_classes", 0, -1, "<i4"),
        set_number("seen.keys", 0, 2**64 - 1, "<u8"),
        set_number("seen.probs", 0, np.nan, "<f8"),
        set_number("seen.probs", 0, 7.0, "<f8"),
        set_number("tally.rows", 0, -1, "<i8"),
        drop("encoder"),
        drop("profile", "model_error"),
        drop("profile", "noise_rate", "estimate"),
        drop("label", "classes"),
        drop("settings", "score"),
        put("guess", "settings", "score"),
        put("cleanlab", "settings", "compat"),
        put(-1, "settings", "random_state"),
        put([["str", "no"]], "label", "classes"),
        put([["str", "no"], ["str", "no"]], "label", "classes"),
        put([["str", "no"], ["code", "print(1)"]], "label", "classes"),
        put([["str", "no"], ["int", "one"]], "label", "classes"),
        put([["str", "no"], ["str", "yes"], ["str", "more"]], "label", "classes"),
        put(["q", "q", "f"], "names"),
        put("sql", "model", "type"),
        put("something else", "kind"),
        put([], "encoder", "columns"),
        put({"x": {"edges": [1.0], "rows": [1]}}, "baseline"),
        put({"unknown": {"edges": [1.0], "rows": [1, 1, 1]}}, "baseline"),
        put([1, 2], "baseline"),
        put(9, "profile", "format"),
        put({}, "entries"),
        put([1 << 40], "entries", "forest.left", "shape"),
        put([1, 2], "entries", "tally.rows", "shape"),
        forget_the_fitted_rows,
        put({"type": "halves"}, "model"),
        put({"type": "folds", "whole": {}, "parts": [{}], "shares": [0.5]}, "model"),
        put([-1], "entries", "forest.left", "shape"),
        put([1, 1, 1], "entries", "forest.left", "shape"),
        put("O", "entries", "forest.left", "type"),
        put("f4", "entries", "forest.left", "type"),
    ],
)
def test_an_altered_file_whose_checksums_fit_is_refused(path, change):
    repack(path, change)
    with pytest.raises(AuditorFileError):
        dqlabels.load(path)


@pytest.mark.parametrize(
    "change",
    [
        set_number("halves.0.features", 0, 2, "<i4"),
        set_number("halves.1.features", 0, -1, "<i4"),
        set_number("halves.0.thresholds", 0, np.nan, "<f4"),
        set_number("halves.0.steps", 0, np.inf, "<f4"),
        set_number("halves.0.prior", 0, np.nan, "<f4"),
        set_number("halves.0.above", 0, 2, "u1"),
        set_number("halves.seen", 0, 2**64 - 1, "<u8"),
        put([12, 2], "entries", "halves.0.features", "shape"),
        put([24], "entries", "halves.0.features", "shape"),
        put([128, 1], "entries", "halves.0.steps", "shape"),
        put([1], "entries", "halves.0.prior", "shape"),
        put("i4", "entries", "halves.0.thresholds", "type"),
        put("forest", "model", "type"),
        remove("halves.0.prior"),
        remove("halves.1.steps"),
        remove("halves.seen"),
    ],
)
def test_altered_halves_whose_checksums_fit_are_refused(halves_file, change):
    repack(halves_file, change)
    with pytest.raises(AuditorFileError):
        dqlabels.load(halves_file)


def test_loaded_halves_give_the_same_audit_and_bytes(halves_file, tmp_path):
    loaded = dqlabels.load(halves_file)
    loaded.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == halves_file.read_bytes()
    assert loaded.audit(halves_table(1)).frame.equals(dqlabels.load(tmp_path / "again").audit(halves_table(1)).frame)


def test_an_entry_beside_those_listed_is_refused(path):
    repack(path, lambda header, entries: entries.update({"../evil.py": b"print(1)"}))
    with pytest.raises(AuditorFileError, match="does not hold the entries its header lists"):
        dqlabels.load(path)


def test_a_header_whose_checksum_is_wrong_is_refused(path):
    with zipfile.ZipFile(path, "a") as packed:
        packed.comment = SUMMED + b"0" * 64
    with pytest.raises(AuditorFileError, match="the checksum of its header is wrong"):
        dqlabels.load(path)


def test_an_entry_that_unpacks_beyond_its_size_is_stopped(path):
    repack(path, lambda header, entries: entries.update({"forest.left": bytes(50_000_000)}))
    with pytest.raises(AuditorFileError, match="'forest.left' unpacks to more than its"):
        dqlabels.load(path)


def test_a_bomb_is_refused_before_it_is_unpacked(path):
    def change(header, entries):
        entries["forest.left"] = bytes(80_000_000)
        header["entries"]["forest.left"]["shape"] = [20_000_000]

    repack(path, change)
    with pytest.raises(AuditorFileError, match="would unpack to .* MiB, more than 400 times its size"):
        read_archive(path, always_allowed_bytes=1000)


def test_a_header_of_deep_nesting_is_refused(path):
    raw = b"[" * 200_000
    with zipfile.ZipFile(path, "w") as packed:
        packed.comment = SUMMED + hashlib.sha256(raw).hexdigest().encode()
        packed.writestr(HEADER, raw)
    with pytest.raises(AuditorFileError, match="its header is not JSON"):
        dqlabels.load(path)


def test_a_missing_file_is_the_systems_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        dqlabels.load(tmp_path / "none")


def test_a_saved_auditor_is_a_reference(path):
    batch = pl.DataFrame(BATCH).with_columns(c=pl.lit(None), d=pl.lit(None))
    with pytest.warns(LabelWarning, match="spread over other values"):
        audit = dqlabels.load(path).audit(batch)
    assert audit.gate(max_increase=0.2, reference=path).to_dict() == audit.gate(max_increase=0.2).to_dict()
    assert audit.gate(max_increase=0.2, reference=str(path)).to_dict() == audit.gate(max_increase=0.2).to_dict()


def test_what_a_loaded_auditor_measures_is_what_the_fitted_one_does(path, saved, tmp_path):
    batch = pl.DataFrame(BATCH)
    fitted = LabelAuditor("label").fit(pl.DataFrame(two_classes()))
    fitted.save(tmp_path / "again")
    loaded = dqlabels.load(tmp_path / "again").audit(batch).estimate_noise("reference")
    assert loaded.to_dict() == fitted.audit(batch).estimate_noise("reference").to_dict()


def test_a_damaged_reference_is_refused(path, saved):
    path.write_bytes(saved[:-100])
    with pytest.raises(AuditorFileError):
        dqlabels.audit(pl.DataFrame(BATCH), "label").gate(max_increase=0.2, reference=path)


def own(model) -> LabelAuditor:
    return LabelAuditor("label", model=model).fit(pl.DataFrame(two_classes()))


def test_scikit_learns_forests_are_kept_as_arrays(tmp_path):
    auditor = own(ExtraTreesClassifier(10))
    auditor.save(tmp_path / "a")
    assert not read_archive(tmp_path / "a").blobs
    assert (
        dqlabels.load(tmp_path / "a").audit(pl.DataFrame(BATCH)).frame.equals(auditor.audit(pl.DataFrame(BATCH)).frame)
    )


def test_a_model_of_your_own_is_kept_by_skops(tmp_path):
    pytest.importorskip("skops", reason="the extra skops is not installed")
    auditor = own(LogisticRegression())
    auditor.save(tmp_path / "a")
    assert (
        dqlabels.load(tmp_path / "a").audit(pl.DataFrame(BATCH)).frame.equals(auditor.audit(pl.DataFrame(BATCH)).frame)
    )


def test_types_that_are_not_trusted_are_named_and_not_loaded(tmp_path):
    pytest.importorskip("skops", reason="the extra skops is not installed")
    own(HistGradientBoostingClassifier(max_iter=3)).save(tmp_path / "a")
    with pytest.raises(
        AuditorFileError, match=r"types that are not trusted: .*TreePredictor.*pass trusted_types="
    ) as caught:
        dqlabels.load(tmp_path / "a")
    named = str(caught.value).split("not trusted: ")[1].split(". If")[0].split(", ")
    assert dqlabels.load(tmp_path / "a", trusted_types=named).classes == ("no", "yes")


def test_a_model_that_cannot_be_kept_without_code_is_refused(tmp_path):
    pytest.importorskip("skops", reason="the extra skops is not installed")

    class Local(LogisticRegression):
        def __reduce__(self):
            raise TypeError("cannot be pickled")

        __getstate__ = __reduce__

    auditor = own(LogisticRegression())
    object.__setattr__(auditor.fitted.model.whole, "estimator", Local())
    with pytest.raises(AuditorFileError, match="Local cannot be saved without code"):
        auditor.save(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_without_skops_the_message_is_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "skops", None)
    with pytest.raises(MissingExtraError, match=r'pip install "dqlabels\[skops\]"'):
        own(LogisticRegression()).save(tmp_path / "a")


def test_a_full_disk_leaves_the_former_file(auditor, saved, small_disk):
    target = small_disk / "a.dqlabels"
    target.write_bytes(b"former")
    with pytest.raises(OSError, match="No space left"):
        auditor.save(target)
    assert [(file.name, file.read_bytes()) for file in small_disk.iterdir()] == [("a.dqlabels", b"former")]


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 16 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {done.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


SLOW_SAVE = """
import sys, time
from dqlabels import load
from dqlabels.frames import archive
auditor = load(sys.argv[1])
write = archive._write
def slowly(file, content):
    write(file, content)
    file.flush()
    print("written", flush=True)
    time.sleep(60)
archive._write = slowly
auditor.save(sys.argv[1])
"""


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_killed_save_leaves_the_former_file(path, saved):
    process = subprocess.Popen([sys.executable, "-c", SLOW_SAVE, str(path)], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"written\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert path.read_bytes() == saved
    assert dqlabels.load(path).classes == ("no", "yes")


@pytest.mark.parametrize("task", ["classes", "multilabel"])
def test_classes_that_no_file_can_hold_are_refused_before_anything_is_fitted(task):
    kinds = ((1, 2), (3, 4))
    data = two_classes(rows=60)
    labels = [kinds[value == "yes"] for value in data["label"]]
    frame = pd.DataFrame(data | {"label": labels if task == "classes" else [[value] for value in labels]})
    with pytest.raises(LabelColumnError, match=r"\(1, 2\) is a tuple, which a saved auditor cannot hold"):
        LabelAuditor("label", task=task, features=["x"], model=Unfitted()).fit(frame)
