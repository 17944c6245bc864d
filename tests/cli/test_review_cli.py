"""``dqlabels review-sample`` and the way its answers come back."""

from __future__ import annotations

import json

import polars as pl
import pytest
from support.command import run
from support.frames import two_classes


@pytest.fixture(autouse=True)
def inside(folder, monkeypatch):
    """Files are named as a user in their folder names them."""
    monkeypatch.chdir(folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("review")
    pl.DataFrame(two_classes(200)).write_csv(path / "table.csv")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        done = run("review-sample", "table.csv", "-y", "label", "-n", "60", "-o", "sample.csv")
    assert done.returncode == 0, done.stderr
    sample = pl.read_csv(path / "sample.csv")
    right = pl.Series([("no", "yes")[row % 2] for row in sample["row"]])
    sample.with_columns(reviewed_label=right).write_csv(path / "answered.csv")
    sample.with_columns(row=pl.col("row") + 1, reviewed_label=right).write_csv(path / "moved.csv")
    (path / "said.txt").write_text(done.stderr.decode(), encoding="utf-8")
    return path


def test_the_sample_has_as_many_rows_as_asked_and_an_empty_column(folder):
    sample = pl.read_csv(folder / "sample.csv")
    assert (len(sample), sample["reviewed_label"].null_count()) == (60, 60)


def test_what_to_do_next_is_said(folder):
    said = (folder / "said.txt").read_text(encoding="utf-8")
    assert "dqlabels audit table.csv --label label --reviewed sample.csv" in said


def test_the_sample_goes_to_standard_output_as_csv(folder):
    done = run("review-sample", "table.csv", "-y", "label", "-n", "10")
    assert done.stdout.decode().splitlines()[0] == "row,label,reviewed_label,x,z"
    assert len(done.stdout.decode().splitlines()) == 11


def test_answers_decide_a_gate(folder):
    limits = ("--max-noise-rate", "0.25", "--decide", "confident")
    done = run("audit", "table.csv", "-y", "label", "--reviewed", "answered.csv", *limits, "--json")
    facts = json.loads(done.stdout)
    assert facts["noise_rate"]["method"] == "reviewed"
    assert facts["gate"]["verdict"] == "pass"


def test_a_sample_that_was_mixed_up_is_a_usage_error(folder):
    done = run("audit", "table.csv", "-y", "label", "--reviewed", "moved.csv")
    assert done.returncode == 2
    assert "change only the answers in it" in done.stderr.decode()


def test_an_unanswered_sample_is_a_usage_error(folder):
    done = run("audit", "table.csv", "-y", "label", "--reviewed", "sample.csv")
    assert done.returncode == 2
    assert "has no answer in 3 of the 3 strata" in done.stderr.decode()


def test_a_sample_of_no_rows_is_a_usage_error(folder):
    done = run("review-sample", "table.csv", "-y", "label", "-n", "0")
    assert (done.returncode, done.stdout) == (2, b"")
    assert "pass a whole number of at least 1" in done.stderr.decode()


def test_a_review_of_standard_input_is_refused():
    done = run("review", "-", "-y", "label")
    assert done.returncode == 2
    assert b"A review needs a file" in done.stderr
