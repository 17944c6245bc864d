"""A review sample that came back from a spreadsheet: blank answers are none, and rows that are no numbers are named."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from support.frames import two_classes

import dqlabels
from dqlabels.errors import OptionError

DATA = two_classes()
PROBS = np.where(np.array(DATA["label"])[:, None] == ["no", "yes"], 0.9, 0.1)


def audit(make: object) -> object:
    return dqlabels.audit(make(DATA), "label", pred_probs=PROBS, classes=["no", "yes"])


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
@pytest.mark.parametrize("blank", ["", "  ", None, float("nan")])
def test_a_blank_answer_is_no_answer(make, blank):
    done = audit(make)
    sample = pd.DataFrame({name: list(done.review_sample(60)[name]) for name in ("row", "label", "reviewed_label")})
    sample["reviewed_label"] = sample["label"].astype(object)
    left_out = sample.drop(index=[3, 9])
    sample.loc[[3, 9], "reviewed_label"] = blank
    tables = [sample, left_out] if make is pd.DataFrame else [pl.from_pandas(one) for one in (sample, left_out)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rates = [done.with_review(one).noise_rate for one in tables]
    assert (rates[0].estimate, rates[0].low, rates[0].high) == (rates[1].estimate, rates[1].low, rates[1].high)


@pytest.mark.parametrize("row", [None, "seven", 7.5, float("inf"), True, "7"])
def test_a_row_that_is_no_number_is_named(row):
    done = audit(pd.DataFrame)
    sample = done.review_sample(60)
    sample["reviewed_label"] = sample["label"]
    sample["row"] = sample["row"].astype(object)
    sample.loc[4, "row"] = row
    with pytest.raises(OptionError, match="in place of a row number"):
        done.with_review(sample)


def test_rows_that_became_fractions_still_count():
    done = audit(pd.DataFrame)
    sample = done.review_sample(60)
    sample["reviewed_label"] = sample["label"]
    straight = done.with_review(sample).noise_rate.estimate
    assert done.with_review(sample.astype({"row": float})).noise_rate.estimate == straight
