"""Outputs appear whole or not at all, whatever stands at their path."""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import polars as pl
import pytest
from support.frames import ROOT, two_classes

import dqlabels
from dqlabels.frames.atomic import clear_abandoned, replacing, replacing_path

WRITERS = (replacing, replacing_path)


def write(writer, path: Path, content: bytes) -> None:
    with writer(path) as part:
        if isinstance(part, Path):
            part.write_bytes(content)
        else:
            part.write(content)


@pytest.mark.parametrize("writer", WRITERS)
def test_a_link_stays_and_what_it_leads_to_is_replaced(writer, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/real").write_bytes(b"former")
    (tmp_path / "first").symlink_to("data/real")
    (tmp_path / "link").symlink_to("first")
    write(writer, tmp_path / "link", b"new")
    assert (tmp_path / "link").readlink() == Path("first")
    assert (tmp_path / "data/real").read_bytes() == b"new"
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["real"]


@pytest.mark.parametrize("writer", WRITERS)
def test_a_link_that_leads_nowhere_yet_stays(writer, tmp_path):
    (tmp_path / "link").symlink_to("later")
    write(writer, tmp_path / "link", b"new")
    assert (tmp_path / "later").read_bytes() == b"new"
    assert (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("writer", WRITERS)
def test_a_pipe_is_written_to_and_stays(writer, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_bytes()), daemon=True)
    reader.start()
    write(writer, tmp_path / "pipe", b"new")
    reader.join(20)
    assert read == [b"new"]
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


@pytest.mark.parametrize("writer", WRITERS)
def test_a_device_is_written_to_and_stays(writer, tmp_path):
    (tmp_path / "null").symlink_to(os.devnull)  # a mistake replaces this link, not the machine's device
    write(writer, tmp_path / "null", b"new")
    assert stat.S_ISCHR((tmp_path / "null").stat().st_mode)


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1"])
def test_what_standard_output_was_sent_to_is_added_to(name, tmp_path):
    code = (
        "print('before', flush=True)\n"
        "from dqlabels.frames.atomic import replacing\n"
        f"with replacing({name!r}) as file: file.write(b'new')"
    )
    with (tmp_path / "out").open("ab") as out:
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=out, check=True)
    assert (tmp_path / "out").read_bytes() == b"before\nnew"


@pytest.mark.parametrize("name", ["out.csv", "d[1].csv", "all*.csv", "a?.csv", "-", "ü" * 100, "x" * 250])
def test_leftovers_are_cleared_whatever_the_name(name, tmp_path):
    target = tmp_path / name
    with replacing_path(target) as part:
        left = part.name
    target.unlink()
    (tmp_path / left).touch()  # as a killed run leaves it
    write(replacing, target, b"new")
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    "name",
    [".out.csv.b.abcdefgh.part", ".out.csv.notes.part", ".outxcsv.abcdefgh.part", "out.csv.part", ".all.abcdefgh.part"],
)
def test_other_files_are_no_leftovers(name, tmp_path):
    (tmp_path / name).touch()
    write(replacing, tmp_path / "out.csv", b"new")
    write(replacing, tmp_path / "*", b"new")
    assert (tmp_path / name).exists()


def test_the_file_of_a_live_writer_is_no_leftover(tmp_path):
    with replacing_path(tmp_path / "out") as part:
        clear_abandoned(tmp_path / "out")
        write(replacing, tmp_path / "out", b"other")
        assert part.exists()
        part.write_bytes(b"new")
    assert (tmp_path / "out").read_bytes() == b"new"


def test_a_leftover_that_is_a_pipe_or_a_link_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / ".out.abcdefgh.part")
    (tmp_path / ".out.abcdefgi.part").symlink_to(tmp_path / ".out.abcdefgh.part")
    write(replacing, tmp_path / "out", b"new")
    assert len(list(tmp_path.iterdir())) == 3


def test_a_file_taken_for_abandoned_before_it_was_locked_is_made_anew(tmp_path, monkeypatch):
    def removed(descriptor: int, how: int) -> None:
        parts = list(tmp_path.iterdir())
        if not taken:
            taken.extend(parts)
            parts[0].unlink()

    taken: list[Path] = []
    monkeypatch.setattr(fcntl, "flock", removed)
    write(replacing, tmp_path / "out", b"new")
    assert len(taken) == 1
    assert (tmp_path / "out").read_bytes() == b"new"


def test_every_verb_that_writes_leaves_links(tmp_path):
    table = pl.DataFrame(two_classes() | {"p": [0.5] * 120})
    names = ("auditor", "page")
    for name in names:
        (tmp_path / name).symlink_to(tmp_path / f"real-{name}")
    dqlabels.LabelAuditor("label").fit(table).save(tmp_path / "auditor")
    dqlabels.audit(table, "label").to_html(tmp_path / "page")
    assert all((tmp_path / name).is_symlink() and (tmp_path / f"real-{name}").stat().st_size for name in names)
