"""``dqlabels annotators``, and ``dqlabels audit`` of a column of lists."""

from __future__ import annotations

import json

import polars as pl
import pytest
from support.frames import ROOT
from typer.testing import CliRunner

from dqlabels.cli.app import app

RATINGS = str(ROOT / "examples/data/anaesthetists.csv")
LONG = ["--label", "rating", "--annotator", "anaesthetist", "--item", "patient"]


def run(*arguments: str):
    import dqlabels.cli  # noqa: F401 - registers the commands

    return CliRunner().invoke(app, list(arguments))


@pytest.fixture
def side_by_side(tmp_path):
    path = tmp_path / "votes.csv"
    pl.DataFrame({"crm": ["a", "b"] * 20, "billing": ["a", "b"] * 18 + ["b", "b", "a", "a"]}).write_csv(path)
    return str(path)


def test_columns_side_by_side_are_audited_and_written(side_by_side, tmp_path):
    done = run("annotators", side_by_side, "--label", "crm,billing", "-o", str(tmp_path / "out.csv"))
    assert done.exit_code == 0, done.output
    assert "Krippendorff's alpha" in done.output
    written = pl.read_csv(tmp_path / "out.csv")
    assert written["is_label_issue"].sum() == 2


def test_a_row_a_label_is_audited():
    done = run("annotators", RATINGS, *LONG)
    assert done.exit_code == 0, done.output
    assert "315 of 45 items by 5 annotators" in done.output


def test_json_holds_the_gate():
    done = run("annotators", RATINGS, *LONG, "--json", "--min-agreement", "0.3")
    facts = json.loads(done.stdout)
    assert (facts["gate"]["verdict"], facts["items"]) == ("pass", 45)


def test_too_little_agreement_exits_with_1():
    done = run("annotators", RATINGS, *LONG, "--quiet", "--min-agreement", "0.9")
    assert done.exit_code == 1
    assert "falls short of the minimum of 0.900" in done.output


def test_a_control_character_is_not_sent_to_the_terminal(tmp_path):
    path = tmp_path / "votes.csv"
    pl.DataFrame({"a\x1b[31m": ["x", "y"] * 20, "b": ["x", "y"] * 20}).write_csv(path)
    assert "\x1b" not in run("annotators", str(path), "--label", "a\x1b[31m,b").output


def test_a_column_of_lists_is_summed_up(tmp_path):
    path = tmp_path / "tags.parquet"
    tags = [["low"] if at < 30 else ["high", "late"] for at in range(60)]
    pl.DataFrame({"x": [at / 10 for at in range(60)], "tags": tags}).write_parquet(path)
    done = run("audit", str(path), "--label", "tags")
    assert done.exit_code == 0, done.output
    assert "3 labels" in done.output
