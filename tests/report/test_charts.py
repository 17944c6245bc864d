"""Charts of an audit, each with the table that it draws."""

from __future__ import annotations

import sys

import narwhals as nw
import numpy as np
import polars as pl
import pytest
from support.frames import two_classes
from support.reports import HOSTILE, many_classes

import dqlabels

CHARTS = ("quality", "review", "confusions", "classes", "noise")


@pytest.fixture(scope="module")
def audit():
    return dqlabels.audit(pl.DataFrame(two_classes()), "label")


def drawn(chart) -> dict:
    return nw.from_native(chart.data, eager_only=True).to_dict(as_series=False)


@pytest.mark.parametrize("name", CHARTS)
def test_the_table_is_of_the_callers_library(make_frame, name):
    found = dqlabels.audit(make_frame(two_classes()), "label")
    assert type(getattr(found.plot, name)().data) is type(found.classes)


def test_qualities_count_every_row(audit):
    table = drawn(audit.plot.quality())
    flagged = [rows for rows, flag in zip(table["rows"], table["flagged"], strict=True) if flag]
    assert (sum(table["rows"]), sum(flagged)) == (audit.audited, audit.flagged)


def test_the_review_chart_draws_the_review_curve(audit):
    table = drawn(audit.plot.review())
    assert {name: table[name] for name in audit.review_curve.columns} == audit.review_curve.to_dict(as_series=False)


def test_the_review_chart_marks_the_flagged_rows(audit):
    table = drawn(audit.plot.review())
    marked = [rows for rows, flagged in zip(table["rows"], table["flagged"], strict=True) if flagged]
    assert marked == [audit.flagged]


def test_confusions_are_the_flagged_pairs(audit):
    table, pairs = drawn(audit.plot.confusions()), audit.confusions
    made = sorted(zip(table["given"], table["suggested"], table["rows"], table["share"], strict=True))
    assert made == sorted(pairs.select("given", "suggested", "rows", "share").rows())


def test_classes_are_the_worst_first(audit):
    shares = drawn(audit.plot.classes())["flagged_share"]
    assert shares == sorted(audit.classes["flagged_share"], reverse=True)


def test_the_rate_used_is_marked(audit):
    table = drawn(audit.plot.noise())
    at = table["used"].index(True)
    assert (table["method"][at], table["estimate"][at]) == (audit.noise_rate.method, audit.noise_rate.estimate)


def test_a_reviewed_rate_joins_the_others(audit):
    sample = audit.review_sample(60).with_columns(reviewed_label=pl.col("label"))
    table = drawn(audit.with_review(sample).plot.noise())
    assert (table["method"][0], table["used"][0]) == ("reviewed", True)


def test_of_many_classes_the_worst_are_drawn():
    chart = many_classes().plot.classes()
    assert len(drawn(chart)["class"]) == 40
    assert "the worst 40 of 1,000 classes" in chart.title


@pytest.mark.parametrize("name", CHARTS)
@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_a_chart_is_saved_with_hostile_names(tmp_path, name, suffix):
    data = two_classes()
    data["label"] = [HOSTILE if value == "no" else "a.b[c]" for value in data["label"]]
    path = tmp_path / f"chart.{suffix}"
    getattr(dqlabels.audit(pl.DataFrame(data), "label").plot, name)().save(path)
    content = path.read_bytes()
    assert content.startswith(b"<svg" if suffix == "svg" else b"\x89PNG")
    assert b"<img" not in content


def test_names_cut_alike_stay_apart():
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"x": rng.normal(size=60), "y": ["n" * 90 + "ab"[k % 2] for k in range(60)]})
    probs = rng.dirichlet([1, 1], 60)
    found = dqlabels.audit(frame, "y", pred_probs=probs, classes=["n" * 90 + "a", "n" * 90 + "b"])
    assert len(set(drawn(found.plot.classes())["class"])) == 2


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "altair", None)
    frame = pl.DataFrame({"x": range(60), "y": ["a"] * 30 + ["b"] * 30})
    with pytest.raises(dqlabels.DQLabelsError, match=r'Charts need altair: pip install "dqlabels\[report\]"'):
        dqlabels.audit(frame, "y", features=["x"]).plot.quality()
