"""On the command line no silence stands for labels that were not judged; and limits by segment."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from support.command import run
from support.frames import ROOT

import dqlabels


def credit() -> pl.DataFrame:
    frame = pl.read_csv(ROOT / "examples/data/german_credit.csv")
    return frame.with_columns(region=pl.Series([f"r{row % 4}" for row in range(len(frame))]))


@pytest.fixture(scope="module")
def auditor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("auditor") / "risk.dqlabels"
    dqlabels.LabelAuditor("risk", n_jobs=1).fit(credit().drop("region")[:600]).save(path)
    return path


@pytest.fixture
def constant(tmp_path: Path) -> Path:
    path = tmp_path / "constant.csv"
    credit()[600:].with_columns(risk=pl.lit("good")).write_csv(path)
    return path


def test_a_batch_of_one_class_exits_with_1_and_a_message_however_quiet(constant, auditor):
    done = run("audit", constant, "--auditor", auditor, "--max-increase", "0.02", "--quiet")
    assert done.returncode == 1
    assert "all 400 labels are 'good'" in done.stderr.decode()


def test_a_file_of_which_few_rows_have_a_label_exits_with_1(tmp_path):
    path = tmp_path / "few.parquet"
    frame = credit().with_row_index("at")
    frame.with_columns(risk=pl.when(pl.col("at") % 10 == 0).then("risk")).drop("at").write_parquet(path)
    done = run("gate", path, "--label", "risk", "--max-noise-rate", "0.9", "--json")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["verdict"], answer["passed"]) == (1, "inconclusive", False)
    assert run("gate", path, "--label", "risk", "--max-noise-rate", "0.9", "--min-judged", "0.05").returncode == 0


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "credit.csv"
    credit().write_csv(path)
    return path


def test_segments_are_limited_by_name(table):
    limits = ["--by", "region", "--max-segment-noise-rate", "r1=0.9"]
    done = run("gate", table, "--label", "risk", "--exclude", "region", *limits, "--json")
    assert done.returncode == 0, done.stderr
    assert [check["what"] for check in json.loads(done.stdout)["checks"]] == ["the noise rate where 'region' is 'r1'"]


def test_the_segments_are_shown_where_they_are_asked_for(table):
    done = run("audit", table, "--label", "risk", "--by", "region")
    assert done.returncode == 0, done.stderr
    assert "Segments" in done.stdout.decode()
    shown = json.loads(run("audit", table, "--label", "risk", "--by", "region", "--json").stdout)
    assert sorted(row["region"] for row in shown["segments"]) == ["r0", "r1", "r2", "r3"]


def test_segments_of_a_kind_that_has_none_are_refused(table):
    done = run("audit", table, "--label", "credit_amount", "--task", "regression", "--by", "region")
    assert done.returncode == 2
    assert b"was audited as numbers" in done.stderr
