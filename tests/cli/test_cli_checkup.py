"""``dqlabels checkup``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from dqlabels.cli.app import app


def run(*arguments: str):
    import dqlabels.cli  # noqa: F401 - registers the commands

    return CliRunner().invoke(app, list(arguments))


@pytest.fixture
def spoilt(tmp_path: Path) -> str:
    """120 rows, of which the first is there twice with two labels, and a column of one value."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 2))
    labels = np.where(x[:, 0] > 0, "yes", "no")
    frame = pl.DataFrame({"x": x[:, 0], "z": x[:, 1], "one": 1, "y": labels})
    twice = frame[:1].with_columns(y=pl.when(pl.col("y") == "yes").then(pl.lit("no")).otherwise(pl.lit("yes")))
    path = tmp_path / "spoilt.csv"
    pl.concat([frame, twice]).write_csv(path)
    return str(path)


def test_what_was_found_is_printed_and_written(spoilt: str, tmp_path: Path):
    done = run("checkup", spoilt, "--label", "y", "-o", str(tmp_path / "out.csv"))
    assert done.exit_code == 0, done.output
    assert "features (found)" in done.output
    assert "duplicates (found)" in done.output
    written = pl.read_csv(tmp_path / "out.csv")
    assert np.flatnonzero(written["is_conflicting_duplicate"]).tolist() == [0, 120]
    assert {"outlier_score", "failing_group", "label_quality"} <= set(written.columns)


def test_json_holds_the_checks_that_were_asked_for(spoilt: str):
    done = run("checkup", spoilt, "--label", "y", "--checks", "features,classes", "--json")
    facts = json.loads(done.output)
    assert [(one["check"], one["verdict"]) for one in facts["findings"]] == [
        ("features", "found"),
        ("classes", "clear"),
    ]


@pytest.mark.parametrize(("check", "status"), [("duplicates", 1), ("classes", 0)])
def test_a_job_fails_on_the_checks_it_names(spoilt: str, check: str, status: int):
    assert run("checkup", spoilt, "--label", "y", "--fail-on", check, "--quiet").exit_code == status


def test_a_check_that_did_not_run_is_no_pass(spoilt: str):
    done = run("checkup", spoilt, "--label", "y", "--most-rows", "50", "--fail-on", "outliers")
    assert done.exit_code != 0
    assert "not among the checks that ran" in str(done.exception)


def test_only_the_columns_that_were_asked_for_are_written(spoilt: str, tmp_path: Path):
    out = str(tmp_path / "out.parquet")
    run("checkup", spoilt, "--label", "y", "--checks", "duplicates", "--columns", "duplicate_group", "-o", out)
    assert pl.read_parquet(out).columns[-2:] == ["is_label_issue", "duplicate_group"]
