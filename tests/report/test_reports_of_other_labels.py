"""The report and the notebook view of numbers, several labels per row and several annotators."""

from __future__ import annotations

import csv

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pytest
from support.frames import eager
from support.other_labels import ANNOTATORS, TAG_PROBS, prices, rated, rated_long, tagged

import dqlabels

MAKE = [pl.DataFrame, pd.DataFrame]


def rows_in(native) -> list[int]:
    return nw.from_native(native, eager_only=True)["row"].to_list()


def disputed(rows: int = 120) -> dict[str, list]:
    """Three annotators who agree on few items: most have as many labels as classes."""
    given = rated(0.2, rows)
    other = ["fair" if row % 3 == 0 else value for row, value in enumerate(given["warehouse"])]
    return {**given, "warehouse": other}


KINDS = {
    "numbers": lambda make: dqlabels.audit(make(prices(0.03)), "price", task="regression"),
    "tags": lambda make: dqlabels.audit(make(tagged(0.2)), "tags", **TAG_PROBS),
    "long": lambda make: dqlabels.audit(make(rated_long(0.2)), "said", annotator="who", item="item"),
    "wide": lambda make: dqlabels.audit(make(disputed()), ANNOTATORS),
}


@pytest.fixture(scope="module", params=[(kind, make) for kind in KINDS for make in MAKE], ids=lambda p: p[0])
def audit(request):
    kind, make = request.param
    return KINDS[kind](make)


def test_the_flagged_rows_are_listed_and_saved(audit):
    facts = audit.report_facts(rows=1000)
    listed = [row["row"] for row in facts["shown"]]
    saved = [int(row["row"]) for row in csv.DictReader(facts["saved"]["text"].splitlines())]
    assert listed == saved
    assert set(listed) == set(rows_in(audit.issues))
    assert len(listed) == audit.flagged == facts["saved"]["rows"]


def test_worst_rows_come_first_and_the_histogram_counts_every_row(audit):
    facts = audit.report_facts()
    qualities = [row["quality"] for row in facts["shown"]]
    assert qualities == sorted(qualities)
    assert sum(facts["histogram"]["kept"]) + sum(facts["histogram"]["flagged"]) == audit.audited


def test_page_and_notebook_begin_with_the_verdict_and_list_the_worst_row(audit):
    lead, worst = audit.report_facts()["lead"], audit.report_facts()["shown"][0]
    for shown in (audit.to_html(), audit._repr_html_()):
        assert shown.index(lead["verdict"]) < shown.index(f">{worst['row']}</td>")


@pytest.mark.parametrize("make", MAKE)
def test_a_row_of_a_long_frame_says_who_labelled_which_item(make):
    data = rated_long(0.2)
    for row in KINDS["long"](make).report_facts()["shown"]:
        at = row["row"]
        assert row["chips"][:2] == [("given by", data["who"][at]), ("item", str(data["item"][at]))]
        assert dict(row["chips"][2:])[data["who"][at]] == row["given"] == data["said"][at]


def test_a_row_of_a_wide_frame_has_the_labels_of_all():
    data = disputed()
    for row in KINDS["wide"](pl.DataFrame).report_facts()["shown"]:
        assert row["chips"] == [(name, data[name][row["row"]]) for name in ANNOTATORS]


def test_a_row_of_tags_says_which_are_wrong_or_missing():
    found = KINDS["tags"](pl.DataFrame)
    kinds = {(row, tag): kind for row, tag, kind in found.issues[["row", "label", "kind"]].rows()}
    for row in found.report_facts(rows=1000)["shown"]:
        said = {tag: text.split(",")[0] for tag, text in row["chips"] if (row["row"], tag) in kinds}
        assert said == {tag: kind for (at, tag), kind in kinds.items() if at == row["row"]}


@pytest.mark.parametrize("kind", ["tags", "wide", "long"])
def test_the_rows_to_read_have_an_interval_around_what_is_expected(kind, make_frame):
    makers = {
        "tags": lambda: dqlabels.audit(make_frame(tagged(0.1)), "tags", **TAG_PROBS),
        "wide": lambda: dqlabels.audit(make_frame(rated(0.3)), ANNOTATORS),
        "long": lambda: dqlabels.audit(make_frame(rated_long(0.3)), "said", annotator="who", item="item"),
    }
    audit = makers[kind]()
    curve = eager(audit.review_curve)
    rows, low, wrong, high = (np.array(curve[name].to_list()) for name in ("rows", "low", "wrong", "high"))
    assert ((low >= 0) & (low <= wrong) & (wrong <= high) & (high <= rows)).all()
    assert rows[-1] == audit.audited
    assert all((np.diff(one) >= 0).all() for one in (wrong, high))
    shown = audit.report_facts()["review_curve"]
    assert (shown["low"], shown["high"]) == (low.tolist(), high.tolist())


def test_the_wrong_labels_of_rows_lie_in_their_interval():
    tags = dqlabels.audit(pl.DataFrame(tagged(0.1)), "tags", **TAG_PROBS)
    right, given = tagged(0.0)["tags"], tagged(0.1)["tags"]
    wrong = sum(sorted(one) != sorted(other) for one, other in zip(right, given, strict=True))
    long = dqlabels.audit(pl.DataFrame(rated_long(0.3)), "said", annotator="who", item="item")
    slips = sum(one != other for one, other in zip(rated_long(0.0)["said"], rated_long(0.3)["said"], strict=True))
    for audit, planted in ((tags, wrong), (long, slips)):
        last = audit.review_curve.row(-1, named=True)
        assert last["low"] <= planted <= last["high"]
