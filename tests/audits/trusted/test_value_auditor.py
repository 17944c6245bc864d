"""Auditors of numbers: a batch is judged by the trees and the null of a trusted table, and a file keeps both."""

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
from dqlabels.audits.trusted import saved
from dqlabels.errors import AuditorFileError, FeatureError, LabelColumnError, OptionError

WRONG = [7, 150]  # rows
ADDED = ("label_quality", "suggested_label", "is_label_issue")


def homes(seed: int = 0, rows: int = 400, wrong: bool = False) -> dict[str, list]:
    """Prices that size and floor tell to about 5; where asked, two of them are far off."""
    rng = np.random.default_rng(seed)
    size, floor = rng.uniform(20, 120, rows), rng.integers(0, 6, rows)
    price = 3 * size + 10 * floor + rng.normal(0, 5, rows)
    if wrong:
        price[WRONG] *= 10
    return {"size": size.tolist(), "floor": floor.tolist(), "price": price.tolist()}


@pytest.fixture(scope="module")
def auditor() -> LabelAuditor:
    return LabelAuditor("price", task="regression").fit(pl.DataFrame(homes(rows=1_000)))


def test_wrong_numbers_of_a_batch_are_flagged(auditor, make_frame):
    flags = column(auditor.audit(make_frame(homes(5, wrong=True))).frame, "is_label_issue")
    assert all(flags[row] for row in WRONG)
    assert sum(flags) <= 6


def test_the_suggestion_is_near_the_right_number(auditor, make_frame):
    suggested = column(auditor.audit(make_frame(homes(5, wrong=True))).frame, "suggested_label")
    right = homes(5)["price"]
    assert all(abs(suggested[row] - right[row]) < 40 for row in WRONG)


def test_a_batch_comes_back_as_it_was_with_three_more_columns(auditor, make_frame):
    frame = make_frame(homes(5))
    audited = auditor.audit(frame).frame
    assert type(audited) is type(frame)
    assert eager(audited).columns == [*homes(), *ADDED]
    assert {name: column(audited, name) for name in homes()} == homes(5)


def test_a_batch_of_one_row_is_judged_by_the_trusted_rows(auditor):
    batch = pl.DataFrame(homes(5, wrong=True))
    alone = [auditor.audit(batch[row : row + 1]).flagged for row in range(20)]
    assert [row for row, flagged in enumerate(alone) if flagged] == [WRONG[0]]


@pytest.mark.filterwarnings("ignore:The values moved:dqlabels.errors.LabelWarning")
def test_a_gate_limits_the_flagged_share(auditor):
    assert auditor.audit(pl.DataFrame(homes(5))).gate(max_flagged_share=0.02).passed
    rows = homes(5)
    rows["price"] = [price * 10 if row % 5 == 0 else price for row, price in enumerate(rows["price"])]
    assert auditor.audit(pl.DataFrame(rows)).gate(max_flagged_share=0.02).verdict == "fail"


def test_missing_numbers_get_a_suggestion_and_no_quality(auditor, make_frame):
    rows = homes(5)
    rows["price"][3] = None
    audited = auditor.audit(make_frame(rows)).frame
    quality, suggested = column(audited, "label_quality")[3], column(audited, "suggested_label")[3]
    assert quality is None or np.isnan(quality)
    assert abs(suggested - homes(5)["price"][3]) < 60


def test_a_saved_auditor_judges_as_the_one_in_memory(auditor, make_frame, tmp_path):
    auditor.save(tmp_path / "price.dqlabels")
    batch = make_frame(homes(5, wrong=True))
    found, expected = (one.audit(batch).frame for one in (dqlabels.load(tmp_path / "price.dqlabels"), auditor))
    for name in ADDED:
        assert column(found, name) == column(expected, name)


def test_the_same_auditor_gives_the_same_bytes(auditor, tmp_path):
    auditor.save(tmp_path / "one")
    dqlabels.load(tmp_path / "one").save(tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_dates_are_amounts_too():
    day = np.datetime64("2020-01-01")
    rows = homes(rows=600)
    dated = [(day + int(price)).item() for price in rows["price"]]
    trusted = pl.DataFrame({**rows, "price": dated})
    auditor = LabelAuditor("price", task="regression").fit(trusted)
    batch = trusted[:50].with_columns(price=pl.when(pl.col("price").is_first_distinct()).then(pl.col("price")))
    assert auditor.audit(batch).frame["suggested_label"].dtype == pl.Date


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda frame: frame.drop(columns="size"), FeatureError, "lacks 1 of the 2 columns"),
        (lambda frame: frame.assign(price=np.nan), LabelColumnError, "no value in the 400 rows"),
        (lambda frame: frame.assign(price=np.inf), LabelColumnError, "400 infinite values"),
        (lambda frame: frame.assign(price=pd.Timestamp("2020-01-01")), LabelColumnError, "holds a moment"),
    ],
)
def test_a_batch_that_cannot_be_judged_says_why(auditor, change, error, message):
    with pytest.raises(error, match=message):
        auditor.audit(change(pd.DataFrame(homes(5))))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cv": 5}, "cv= belong to audits of classes"),
        ({"groups": "floor"}, "groups=: an auditor of numbers judges by its own trees"),
    ],
)
def test_what_an_auditor_of_numbers_has_not_is_refused(options, message):
    with pytest.raises(OptionError, match=message):
        LabelAuditor("price", task="regression", **options).fit(pl.DataFrame(homes()))


def test_classes_have_no_rate_of_false_discoveries():
    with pytest.raises(OptionError, match="fdr=0.2 is an option of numbers"):
        LabelAuditor("price", fdr=0.2)


def test_numbers_have_no_classes_to_ask_for(auditor):
    with pytest.raises(OptionError, match="shares of classes, and numbers have neither"):
        _ = auditor.classes


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("rule", lambda array: array * np.nan),
        ("rule", lambda array: array[:-1]),
        ("sizes.cells", lambda array: array[::-1]),
        ("sizes.cells", lambda array: array + 10**6),
        ("sizes.rows", lambda array: -array),
        ("trees.values", lambda array: array + 2**60),
        ("trees.values", lambda array: array[:-1]),
        ("trees.grown", lambda array: array[:-1]),
        ("trees.left", lambda array: array * 0),
    ],
)
def test_an_altered_file_is_refused(auditor, tmp_path, monkeypatch, name, changed):
    read = saved.read_archive

    def altered(path):
        archive = read(path)
        return replace(archive, arrays={**archive.arrays, name: np.ascontiguousarray(changed(archive.arrays[name]))})

    monkeypatch.setattr(saved, "read_archive", altered)
    auditor.save(tmp_path / "price.dqlabels")
    with pytest.raises(AuditorFileError):
        dqlabels.load(tmp_path / "price.dqlabels")


def test_the_header_says_that_it_judges_numbers(auditor, tmp_path):
    auditor.save(tmp_path / "price.dqlabels")
    with zipfile.ZipFile(tmp_path / "price.dqlabels") as file:
        assert json.loads(file.read("header.json"))["kind"] == "value auditor"


def test_the_command_fits_numbers_and_gates_by_them(tmp_path):
    pl.DataFrame(homes(rows=1_000)).write_csv(tmp_path / "trusted.csv")
    pl.DataFrame(homes(5)).write_csv(tmp_path / "batch.csv")
    path = str(tmp_path / "price.dqlabels")
    fitted = run("fit", tmp_path / "trusted.csv", "--label", "price", "--task", "regression", "-o", path)
    assert (fitted.returncode, b"judges 'price' (numbers)" in fitted.stdout) == (0, True), fitted.stderr
    done = run("gate", tmp_path / "batch.csv", "--auditor", path, "--max-flagged-share", "0.02")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_check_on_classes_says_that_the_file_judges_numbers(auditor, tmp_path):
    from dqlabels.integrations.sharing import audit_by_auditor

    auditor.save(tmp_path / "price.dqlabels")
    with pytest.raises(AuditorFileError, match="an auditor of classes is needed"):
        audit_by_auditor(pl.DataFrame(homes()), "price", {"auditor": str(tmp_path / "price.dqlabels")})
