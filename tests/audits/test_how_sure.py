"""How sure each finding is said to be: as sure as its probability, for every kind of label and every engine."""

from __future__ import annotations

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pytest
from support.frames import MAKERS, column, eager
from support.other_labels import ANNOTATORS, TAG_PROBS, prices, rated, tagged
from support.sized import Sized

import dqlabels
from dqlabels.errors import OptionError
from dqlabels.models.sizes import BoostingSizes, Sizes

WORDS = {True: "likely wrong", False: "could be either"}


def given(n: int = 60) -> pl.DataFrame:
    """Probabilities and labels of which some surely, and some hardly, look wrong."""
    spam = np.tile([0.05, 0.1, 0.2, 0.4, 0.45, 0.6, 0.9, 0.95, 0.98, 0.99], n // 10)
    label = np.where((spam > 0.5) ^ (np.arange(n) % 7 == 0), "spam", "ham")
    return pl.DataFrame({"ham": 1 - spam, "spam": spam, "label": label})


def audit(frame, **options):
    return dqlabels.audit(frame, "label", pred_probs=["ham", "spam"], **options)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_the_words_follow_from_the_probability(make):
    issues = audit(make(given().to_dict(as_series=False))).issues
    said, quality = column(issues, "how_sure"), column(issues, "label_quality")
    assert said == [WORDS[one < 0.5] for one in quality]
    assert said


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_they_are_a_column_of_the_frame_on_request(make):
    found = audit(make(given().to_dict(as_series=False)))
    words = nw.from_native(found.how_sure, series_only=True).to_list()
    assert [words[row] for row in column(found.issues, "row")] == column(found.issues, "how_sure")
    assert [isinstance(one, str) for one in words] == column(found.frame, "is_label_issue")


def test_the_column_has_the_index_of_the_frame():
    frame = given().to_pandas().set_index(pd.Index(range(100, 160)))
    assert audit(frame).how_sure.index.equals(frame.index)


def test_scores_of_another_library_claim_no_probability():
    found = audit(given(), compat="cleanlab")
    assert set(found.issues["how_sure"]) == {"model disagrees"}
    with pytest.raises(OptionError, match="scores, which are no probabilities"):
        _ = found.how_sure


OTHERS = {
    "numbers": lambda: dqlabels.audit(pl.DataFrame(prices(0.04)), "price", task="regression"),
    "tags": lambda: dqlabels.audit(pl.DataFrame(tagged(0.1)), "tags", **TAG_PROBS),
    "annotators": lambda: dqlabels.audit(pl.DataFrame(rated(0.1)), ANNOTATORS),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_every_kind_of_label_says_it(kind):
    issues = eager(OTHERS[kind]().issues)
    quality = issues["quality" if kind == "tags" else "label_quality"]
    assert list(issues["how_sure"]) == [WORDS[one < 0.5] for one in quality]


@pytest.mark.skipif(not hasattr(pl.LazyFrame, "collect_batches"), reason="Polars before 1.34 hands out no batches")
def test_streamed_rows_are_called_as_in_memory():
    small = Sized(Sizes(large_rows=300, halves=BoostingSizes(trees=4, depth=3)))
    frame = given(600).with_columns(x=pl.col("spam").round(1))
    whole = small.audit(frame, "label", pred_probs=["ham", "spam"])
    streamed = small.audit(frame.lazy(), "label", pred_probs=["ham", "spam"])
    worst = whole.issues.head(len(streamed.issues))
    assert streamed.issues["how_sure"].to_list() == worst["how_sure"].to_list()
    with pytest.raises(OptionError, match=r"how_sure is a column of a frame in memory.*pl.when"):
        _ = streamed.how_sure


def test_the_summary_claims_no_more():
    text = audit(given()).summary()
    assert "likely wrong" in text
    assert ", error" not in text
