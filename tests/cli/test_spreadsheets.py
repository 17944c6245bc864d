"""No text that a spreadsheet would run leaves a review sample, and answers to it come back as they are meant."""

from __future__ import annotations

import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.command import run
from support.frames import two_classes

from dqlabels.cli.spreadsheet import with_formulas, without_formulas

RUN = ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", " =1", "\n=1", "＝1", "-", "=", "+49 30 1"]
HARMLESS = ["a", "a=b", "1-2", "-1", "+1.5", "-1e5", "-.5", "", "'quoted'", "2024-01-01", "no@mail", " x"]


@pytest.mark.parametrize("text", RUN)
def test_text_that_a_spreadsheet_would_run_is_marked(text):
    marked = without_formulas(pl.DataFrame({text: [text]}))
    assert (marked.columns, marked.rows()) == ([f"'{text}"], [(f"'{text}",)])


@pytest.mark.parametrize("text", HARMLESS)
def test_other_text_stays(text):
    marked = without_formulas(pl.DataFrame({text: [text]}))
    assert (marked.columns, marked.rows()) == ([text], [(text,)])


@given(st.lists(st.one_of(st.sampled_from(RUN + HARMLESS), st.text("=+-@ \t\n1a"), st.none())))
def test_marks_come_off_as_they_went_on(texts):
    frame = pl.DataFrame({"x": pl.Series(texts, dtype=pl.String), "n": range(len(texts))})
    assert with_formulas(without_formulas(frame)).equals(frame)


def test_categories_are_text_and_missing_values_stay_missing():
    frame = pl.DataFrame({"x": pl.Series(["=1", None], dtype=pl.Categorical)})
    assert without_formulas(frame)["x"].to_list() == ["'=1", None]


@pytest.fixture
def table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = two_classes(200)
    data["=label"] = [f"={value}" for value in data.pop("label")]
    data["note"] = ["=HYPERLINK(1)", "fine"] * 100
    pl.DataFrame(data).write_csv("t.csv")
    return "t.csv"


def test_a_sample_and_its_answers_go_through_a_spreadsheet(table):
    done = run("review-sample", table, "-y", "=label", "-n", "60", "-o", "sample.csv", "--exclude", "note")
    assert done.returncode == 0, done.stderr
    sample = pl.read_csv("sample.csv")
    texts = [*sample.columns, *sample["note"].to_list(), *sample["'=label"].to_list()]
    assert not [text for text in texts if text.startswith("=")]
    sample.with_columns(reviewed_label=pl.col("'=label")).write_csv("answered.csv")
    arguments = ("audit", table, "-y", "=label", "--exclude", "note", "--reviewed", "answered.csv", "--json")
    rate = json.loads(run(*arguments).stdout)["noise_rate"]
    assert (rate["method"], rate["estimate"]) == ("reviewed", 0.0)


@pytest.mark.parametrize("option", ["--spreadsheet", None])
def test_an_audit_is_marked_only_where_asked(table, option):
    options = [] if option is None else [option]
    done = run("audit", table, "-y", "=label", "--exclude", "note", "-o", "out.csv", "-q", *options)
    assert done.returncode == 0, done.stderr
    out = pl.read_csv("out.csv")
    mark = "" if option is None else "'"
    assert out["note"].to_list() == [f"{mark}=HYPERLINK(1)", "fine"] * 100
    assert set(out["suggested_label"]) == {f"{mark}=no", f"{mark}=yes"}


def test_other_formats_hold_values_and_are_not_marked(table):
    run("review-sample", table, "-y", "=label", "-n", "20", "-o", "sample.parquet", "--exclude", "note")
    assert set(pl.read_parquet("sample.parquet")["=label"]) == {"=no", "=yes"}
