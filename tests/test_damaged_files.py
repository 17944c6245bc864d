"""Every kind of file that dqlabels reads, damaged: always its own error, memory bounded, no other file opened."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from support.damage import Subject, faults, outcomes, packed, subjects
from support.frames import two_classes

import dqlabels
from dqlabels import LabelAuditor
from dqlabels.audits.trusted.saved_parts import ESTIMATOR
from dqlabels.errors import AuditorFileError, OptionError
from dqlabels.frames.archive import HEADER, unpacked_copy
from dqlabels.noise.reference import checked_profile, read_profile

KINDS = ("auditor", "tags", "skops", "profile", "decisions", "history")
RUNS = 60


@pytest.fixture(scope="module")
def sound() -> dict[str, Subject]:
    return subjects()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore")
def test_a_damaged_file_is_read_or_refused_by_its_own_error(sound, kind, tmp_path):
    counted = outcomes(sound[kind], RUNS, 1, tmp_path)
    assert faults(counted) == []
    assert counted["refused"] > RUNS / 3


def header_of(content: bytes) -> tuple[dict, dict[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        entries = {name: file.read(name) for name in file.namelist()}
    return json.loads(entries.pop(HEADER)), entries


@pytest.mark.parametrize(
    "place", [("profile",), ("baseline",), ("encoder",), ("zero",), ("label", "classes"), ("model",)]
)
def test_a_path_in_a_file_is_never_opened(sound, place, tmp_path):
    os.mkfifo(tmp_path / "pipe")  # whoever opens it waits for ever
    header, entries = header_of(sound["auditor"].content)
    inner = header
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = str(tmp_path / "pipe")
    (tmp_path / "a").write_bytes(packed(header, entries))
    refused: list[Exception] = []

    def load() -> None:
        with pytest.raises(AuditorFileError) as caught:
            dqlabels.load(tmp_path / "a")
        refused.append(caught.value)

    thread = threading.Thread(target=load, daemon=True)
    thread.start()
    thread.join(20)
    assert refused


def test_only_what_the_caller_passes_is_a_path_of_a_profile(tmp_path):
    (tmp_path / "p").write_text("{}")
    with pytest.raises(OptionError, match="is not the profile of an audit"):
        checked_profile(str(tmp_path / "p"))


@pytest.mark.parametrize("read", [dqlabels.load, read_profile])
def test_a_device_or_pipe_is_refused_before_it_is_opened(read, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(AuditorFileError, match="is a device or a pipe"):
            read(path)


def peak_megabytes(path: Path) -> float:
    """Memory that loading a file takes beyond what the imports take, in a process of its own."""
    code = (
        "import resource, sys, dqlabels, skops.io, sklearn.linear_model\n"
        "usage = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024\n"
        "before = usage()\n"
        "try: dqlabels.load(sys.argv[1])\n"
        "except dqlabels.DQLabelsError: pass\n"
        "else: raise SystemExit('it loaded')\n"
        "print(usage() - before)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


def test_a_small_file_with_a_large_header_takes_little_memory(sound, tmp_path):
    header, entries = header_of(sound["auditor"].content)
    header["more"] = [[]] * 4_000_000
    (tmp_path / "a").write_bytes(packed(header, entries))
    assert (tmp_path / "a").stat().st_size < 300_000
    assert peak_megabytes(tmp_path / "a") < 150


def test_a_model_entry_that_holds_more_than_it_declares_takes_little_memory(sound, tmp_path):
    header, entries = header_of(sound["skops"].content)
    with zipfile.ZipFile(io.BytesIO(entries[ESTIMATOR])) as file:
        inner = {name: file.read(name) for name in file.namelist()}
    name = next(name for name in inner if name.endswith(".npy"))
    inner[name] = bytes(250_000_000)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for one, content in inner.items():
            file.writestr(one, content)
    honest, claimed = (250_000_000).to_bytes(4, "little"), (100).to_bytes(4, "little")
    entries[ESTIMATOR] = out.getvalue().replace(honest, claimed)
    header["entries"][ESTIMATOR]["shape"] = [len(entries[ESTIMATOR])]
    header["entries"][ESTIMATOR]["sha256"] = hashlib.sha256(entries[ESTIMATOR]).hexdigest()
    (tmp_path / "a").write_bytes(packed(header, entries))
    assert peak_megabytes(tmp_path / "a") < 150


def saved_array(shape: tuple[int, ...]) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return out.getvalue() + bytes(80)


def zipped(name: str, content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr(name, content)
    return out.getvalue()


@pytest.mark.parametrize("wrap", [lambda array: array, lambda array: zipped("data.npy", array)], ids=["npy", "npz"])
def test_an_array_that_claims_more_than_there_is_of_it_is_refused(wrap):
    unpacked_copy(zipped("x", wrap(saved_array((10,)))), "schema.json")
    with pytest.raises(AuditorFileError, match=r"An array of shape \(1000000000000,\) is not there whole"):
        unpacked_copy(zipped("x", wrap(saved_array((10**12,)))), "schema.json")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_method_of_packing_whose_memory_has_no_bound_is_refused(sound, method, tmp_path):
    with (
        zipfile.ZipFile(io.BytesIO(sound["auditor"].content)) as file,
        zipfile.ZipFile(tmp_path / "a", "w", method) as a,
    ):
        a.comment = file.comment
        for name in file.namelist():
            a.writestr(name, file.read(name))
    with pytest.raises(AuditorFileError, match="packed in another way"):
        dqlabels.load(tmp_path / "a")


def test_a_batch_is_refused_before_room_is_made_for_vectors_that_a_file_claims(tmp_path):
    rows = two_classes() | {"v": [[float(at), 1.0] for at in range(120)]}
    LabelAuditor("label").fit(pl.DataFrame(rows)).save(tmp_path / "a")
    header, entries = header_of((tmp_path / "a").read_bytes())
    for column in header["encoder"]["columns"]:
        if column["name"] == "v":
            column["size"] = 1 << 23  # 4 GB for the rows of this batch
    (tmp_path / "a").write_bytes(packed(header, entries))
    loaded = dqlabels.load(tmp_path / "a")
    with pytest.raises(dqlabels.DQLabelsError, match=r"holds a list of 2 instead of 8,388,608 numbers"):
        loaded.audit(pl.DataFrame(rows))
