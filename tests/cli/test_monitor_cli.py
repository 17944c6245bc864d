"""``dqlabels monitor``, run as users run it."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from support.command import run
from support.frames import two_classes

from dqlabels import LabelAuditor


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("nights")
    LabelAuditor("label", n_jobs=1).fit(pl.DataFrame(two_classes(400))).save(folder / "label.dqlabels")
    pl.DataFrame(two_classes(seed=5)).write_csv(folder / "monday.csv")
    noisy = [
        ("no" if value == "yes" else "yes") if at % 3 == 0 else value for at, value in enumerate(two_classes()["label"])
    ]
    pl.DataFrame(two_classes(seed=5) | {"label": noisy}).write_parquet(folder / "tuesday.parquet")
    return folder


def monitor(folder: Path, file: str, history: Path, *options: str):
    auditor = str(folder / "label.dqlabels")
    return run("monitor", str(folder / file), "--auditor", auditor, "--history", str(history), *options)


def test_a_clean_batch_exits_with_0(folder, tmp_path):
    done = monitor(folder, "monday.csv", tmp_path / "h.jsonl")
    assert (done.returncode, done.stdout[:5]) == (0, b"PASS:")


def test_a_noisy_batch_exits_with_1_and_says_why(folder, tmp_path):
    done = monitor(folder, "tuesday.parquet", tmp_path / "h.jsonl", "--json", "--batch-id", "tuesday")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["verdict"], answer["batch_id"]) == (1, "fail", "tuesday")
    assert b"have become noisier" in done.stderr


def test_the_history_grows_by_a_line_a_batch(folder, tmp_path):
    history = tmp_path / "h.jsonl"
    for name in ("a", "b", "a"):
        monitor(folder, "monday.csv", history, "--batch-id", name)
    assert [json.loads(line).get("batch_id") for line in history.read_text().splitlines()] == [None, "a", "b"]


def test_a_page_is_written_beside_the_answer(folder, tmp_path):
    done = monitor(folder, "monday.csv", tmp_path / "h.jsonl", "--html", str(tmp_path / "nights.html"))
    assert done.returncode == 0
    assert "Batch by batch" in (tmp_path / "nights.html").read_text()


def test_junit_reports_the_failure(folder, tmp_path):
    done = monitor(folder, "tuesday.parquet", tmp_path / "h.jsonl", "--format", "junit")
    assert b'failures="1"' in done.stdout


def test_a_check_that_could_not_run_exits_with_2(folder, tmp_path):
    (tmp_path / "h.jsonl").write_text("not a history\n")
    done = monitor(folder, "monday.csv", tmp_path / "h.jsonl", "-o", str(tmp_path / "answer.json"), "--json")
    assert done.returncode == 2
    assert json.loads((tmp_path / "answer.json").read_text())["verdict"] == "error"


def test_an_unknown_auditor_is_named(folder, tmp_path):
    done = run("monitor", str(folder / "monday.csv"), "--auditor", "none.dqlabels", "--history", str(tmp_path / "h"))
    assert done.returncode == 2
    assert b"none.dqlabels" in done.stderr
