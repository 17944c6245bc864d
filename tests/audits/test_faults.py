"""Real faults while a large file is audited: said in words, the former output kept, nothing left lying about."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
from support import command
from support.frames import ROOT
from support.large_tables import table

from dqlabels.models.sizes import BoostingSizes, Sizes

pytestmark = pytest.mark.skipif(
    not hasattr(pl.LazyFrame, "collect_batches"), reason="Polars before 1.34 hands out no batches, so nothing streams"
)
SMALL_IS_LARGE = """
from dqlabels.cli import run
from dqlabels.models.sizes import BoostingSizes, Sizes
SMALL = Sizes(large_rows=1_000, read_rows=512, halves=BoostingSizes(trees=4))
"""
SLOW = (
    SMALL_IS_LARGE
    + """
import time, pathlib, sys
from dqlabels.engines import passes
judge = passes.ClassJudge.judge
def slow(*a):
    pathlib.Path(sys.argv[-1] + ".begun").touch()
    time.sleep(60)
    return judge(*a)
passes.ClassJudge.judge = slow
"""
)


def process(code: str, source: Path, target: Path) -> list[str]:
    return [sys.executable, "-c", code + "run(SMALL)", "audit", str(source), "-y", "label", "-q", "-o", str(target)]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.parquet"
    table(30_000).write_parquet(path, row_group_size=4_000, compression="uncompressed")
    return path


def audit(source: Path, target: Path) -> command.Done:
    small = Sizes(large_rows=1_000, read_rows=512, halves=BoostingSizes(trees=4))
    return command.run("audit", source, "-y", "label", "-q", "-o", target, sizes=small)


def on_full_disk(size: str, mounted: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script where ``mounted`` is a file system of this size, seen by nobody else."""
    inner = f"mount -t tmpfs -o size={size} tmpfs {mounted} && {script}"
    return subprocess.run(["unshare", "-rm", "sh", "-c", inner], capture_output=True, text=True, check=False, cwd=ROOT)


def can_mount(folder: Path) -> bool:
    try:
        return on_full_disk("64k", folder, "true").returncode == 0
    except FileNotFoundError:
        return False


def test_a_full_disk_leaves_the_former_output(source, tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    if not can_mount(folder):
        pytest.skip("no right to mount a small file system")
    run = " ".join(f"'{part}'" for part in process(SMALL_IS_LARGE, source, folder / "out.parquet"))
    script = f"echo former > {folder}/out.parquet; {run}; echo $?; cat {folder}/out.parquet; ls -A {folder}"
    done = on_full_disk("150k", folder, script)
    assert "No space left on device" in done.stderr
    assert done.stdout.splitlines() == ["2", "former", "out.parquet"]


def test_a_full_folder_for_the_passes_is_named(source, tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    if not can_mount(folder):
        pytest.skip("no right to mount a small file system")
    run = " ".join(f"'{part}'" for part in process(SMALL_IS_LARGE, source, tmp_path / "out.parquet"))
    done = on_full_disk("100k", folder, f"TMPDIR={folder} {run}; ls -A {folder}")
    assert "set TMPDIR to a folder with more room" in done.stderr
    assert str(folder) in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "out.parquet").exists()


def test_a_truncated_file_is_refused(source, tmp_path):
    whole = source.read_bytes()
    source.write_bytes(whole[: len(whole) * 2 // 3])
    done = audit(source, tmp_path / "out.parquet")
    assert done.returncode == 2
    assert b"in.parquet cannot be read as parquet" in done.stderr
    assert b"Traceback" not in done.stderr
    assert not (tmp_path / "out.parquet").exists()


def test_a_corrupt_row_group_is_reported_and_the_former_output_kept(source, tmp_path):
    target = tmp_path / "out.parquet"
    target.write_text("former")
    whole = bytearray(source.read_bytes())
    middle = len(whole) // 2
    whole[middle : middle + 60_000] = b"\xff" * 60_000
    source.write_bytes(bytes(whole))
    done = audit(source, target)
    assert done.returncode == 2, done.stderr
    assert b"Traceback" not in done.stderr
    assert target.read_text() == "former"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.parquet", "out.parquet"]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_run_leaves_the_former_output_and_the_next_one_clears_up(source, tmp_path, how):
    target, begun = tmp_path / "out.parquet", tmp_path / "out.parquet.begun"
    target.write_text("former")
    running = subprocess.Popen(process(SLOW, source, target), cwd=ROOT, stderr=subprocess.PIPE)
    while not begun.exists():
        assert running.poll() is None, running.stderr.read().decode()
        time.sleep(0.05)
    running.send_signal(how)
    running.communicate(timeout=120)
    assert running.returncode in (-how, 130)
    assert target.read_text() == "former"
    begun.unlink()
    if how == signal.SIGKILL:
        (tmp_path / ".out.parquet.abcdefg_.part").touch()  # as a run killed while it wrote leaves one
    done = audit(source, target)
    assert done.returncode == 0, done.stderr
    assert pl.read_parquet(target).height == 30_000
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.parquet", "out.parquet"]
