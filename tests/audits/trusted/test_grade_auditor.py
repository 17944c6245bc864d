"""Auditors of grades: distance counts, a batch is judged by the trusted thresholds, and a file keeps it all."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest
from support.command import run
from support.frames import column, eager

import dqlabels
from dqlabels import LabelAuditor
from dqlabels.audits.classes.grades import GradeBars, judge_grades
from dqlabels.audits.trusted import saved
from dqlabels.errors import AuditorFileError, LabelColumnError

GRADES = ["poor", "fair", "good", "best"]
GROSS, SLIP = 10, 41  # rows
pytestmark = pytest.mark.filterwarnings("ignore:.*the auditor was fitted on:dqlabels.errors.LabelWarning")
DRIFT = "ignore:.*(shares of the classes moved|trusted table):dqlabels.errors.LabelWarning"


def reviews(seed: int = 0, rows: int = 160, wrong: bool = False) -> dict[str, list]:
    """Four grades told apart by ``x``; where asked, row GROSS is poor but called best, SLIP good but called fair."""
    rng = np.random.default_rng(seed)
    stars = np.repeat(np.arange(4), rows // 4)[rng.permutation(rows)]
    x = stars * 10 + rng.uniform(-3, 3, size=rows)
    if wrong:
        x[[GROSS, SLIP]], stars[[GROSS, SLIP]] = [0.0, 20.0], [3, 1]
    return {"x": x.tolist(), "stars": stars.tolist()}


@pytest.fixture(scope="module")
def auditor() -> LabelAuditor:
    return LabelAuditor("stars", task="ordinal").fit(pl.DataFrame(reviews(rows=400)))


def test_planted_errors_of_a_batch_are_found_and_told_apart(auditor, make_frame):
    issues = eager(auditor.audit(make_frame(reviews(5, wrong=True))).issues)
    kinds = dict(zip(issues["row"].to_list(), issues["kind"].to_list(), strict=True))
    assert (kinds[GROSS], kinds[SLIP]) == ("gross", "slip")


def test_the_suggestion_is_the_right_grade(auditor, make_frame):
    suggested = column(auditor.audit(make_frame(reviews(5, wrong=True))).frame, "suggested_label")
    assert (suggested[GROSS], suggested[SLIP]) == (0, 2)


def test_a_gate_on_the_increase_compares_with_the_trusted_grades(auditor):
    assert auditor.audit(pl.DataFrame(reviews(5))).gate(max_increase=0.1).passed


@pytest.mark.filterwarnings(DRIFT)
def test_a_batch_that_lacks_a_grade_is_judged(auditor):
    batch = pl.DataFrame(reviews(5)).filter(pl.col("stars") != 3)
    assert auditor.audit(batch).flagged <= 3


@pytest.mark.parametrize("options", [{}, {"filter_by": "both"}])
def test_the_trusted_rows_get_the_flags_of_the_audit_that_trains(options):
    trusted = pl.DataFrame(reviews(wrong=True))
    auditor = LabelAuditor("stars", task="ordinal", **options).fit(trusted)
    expected = dqlabels.audit(trusted, "stars", task="ordinal", **options).frame
    assert auditor.audit(trusted).frame["is_label_issue"].equals(expected["is_label_issue"])


def test_trusted_thresholds_are_those_of_the_same_rows():
    rng = np.random.default_rng(0)
    codes, probs = rng.integers(0, 4, 200), rng.dirichlet(np.ones(4), 200)
    own = judge_grades(codes, probs)
    trusted = judge_grades(codes, probs, trusted=GradeBars.of(codes, probs))
    assert np.array_equal(own.flagged, trusted.flagged)
    assert np.array_equal(own.joint, trusted.joint)


def test_a_saved_auditor_judges_as_the_one_in_memory(auditor, make_frame, tmp_path):
    auditor.save(tmp_path / "stars.dqlabels")
    batch = make_frame(reviews(5, wrong=True))
    found, expected = (one.audit(batch).frame for one in (dqlabels.load(tmp_path / "stars.dqlabels"), auditor))
    for name in ("label_quality", "suggested_label", "is_label_issue"):
        assert column(found, name) == column(expected, name)


def test_the_order_of_an_enum_is_kept_for_batches_of_strings(tmp_path):
    def named(frame: dict[str, list]) -> pl.DataFrame:
        return pl.DataFrame(frame).with_columns(stars=pl.Series([GRADES[at] for at in frame["stars"]]))

    trusted = named(reviews(rows=400)).with_columns(pl.col("stars").cast(pl.Enum(GRADES)))
    LabelAuditor("stars", task="ordinal").fit(trusted).save(tmp_path / "stars.dqlabels")
    loaded = dqlabels.load(tmp_path / "stars.dqlabels")
    assert loaded.classes == tuple(GRADES)
    assert loaded.audit(named(reviews(5, wrong=True))).frame["suggested_label"][GROSS] == "poor"


def test_strings_say_no_order_to_fit_on():
    frame = pd.DataFrame(reviews()).astype({"stars": str})
    with pytest.raises(LabelColumnError, match="whose order is not known"):
        LabelAuditor("stars", task="ordinal").fit(frame)


@pytest.mark.parametrize("name", ["grades.rows", "grades.nearness", "cuts.rows", "cuts.confidence"])
def test_a_file_without_one_of_its_arrays_is_refused(auditor, tmp_path, name, monkeypatch):
    monkeypatch.setattr(saved, "read_archive", without(saved.read_archive, name))
    auditor.save(tmp_path / "stars.dqlabels")
    with pytest.raises(AuditorFileError, match="cannot be used"):
        dqlabels.load(tmp_path / "stars.dqlabels")


def without(read, name):
    def reads(path):
        archive = read(path)
        return replace(archive, arrays={key: array for key, array in archive.arrays.items() if key != name})

    return reads


def test_a_file_whose_cuts_are_not_its_grades_is_refused(auditor, tmp_path, monkeypatch):
    def reads(path, read=saved.read_archive):
        archive = read(path)
        return replace(archive, arrays={**archive.arrays, "cuts.rows": archive.arrays["cuts.rows"][:-1]})

    monkeypatch.setattr(saved, "read_archive", reads)
    auditor.save(tmp_path / "stars.dqlabels")
    with pytest.raises(AuditorFileError, match=r"cuts of shape \(2, 2\) and \(3, 2\) between 4 grades"):
        dqlabels.load(tmp_path / "stars.dqlabels")


def test_the_header_says_that_it_judges_grades(auditor, tmp_path):
    auditor.save(tmp_path / "stars.dqlabels")
    with zipfile.ZipFile(tmp_path / "stars.dqlabels") as file:
        assert json.loads(file.read("header.json"))["kind"] == "grade auditor"


def test_the_command_fits_grades_and_judges_by_them(tmp_path):
    pl.DataFrame(reviews(rows=400)).write_csv(tmp_path / "trusted.csv")
    pl.DataFrame(reviews(5)).write_csv(tmp_path / "batch.csv")
    path = str(tmp_path / "stars.dqlabels")
    assert run("fit", tmp_path / "trusted.csv", "--label", "stars", "--task", "ordinal", "-o", path).returncode == 0
    done = run("gate", tmp_path / "batch.csv", "--auditor", path, "--max-increase", "0.1")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_check_judges_grades_by_their_auditor(auditor, tmp_path):
    pa = pytest.importorskip("pandera.pandas")
    from dqlabels.integrations.pandera import label_noise_increase_at_most

    auditor.save(tmp_path / "stars.dqlabels")
    check = label_noise_increase_at_most("stars", 0.1, auditor=str(tmp_path / "stars.dqlabels"))
    assert len(pa.DataFrameSchema(checks=[check]).validate(pd.DataFrame(reviews(5)))) == 160
