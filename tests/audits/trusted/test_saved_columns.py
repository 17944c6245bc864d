"""What an auditor was fitted on and saved with, it is loaded with: no column makes a file that load() calls altered."""

from __future__ import annotations

import datetime as dt
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest

import dqlabels
from dqlabels.errors import FeatureError

ROWS = 120
TRUTH = np.arange(ROWS) % 2
COLUMNS = {
    "empty lists": [[]] * ROWS,
    "empty lists and nulls": [[], None] * (ROWS // 2),
    "lists of one": [[1.0]] * ROWS,
    "one number": [5] * ROWS,
    "empty texts": [""] * ROWS,
    "blanks": [" "] * ROWS,
    "one text": ["a"] * ROWS,
    "one date": [dt.date(2024, 1, 1)] * ROWS,
    "one moment": [dt.datetime(2024, 1, 1)] * ROWS,
    "one duration": [dt.timedelta(1)] * ROWS,
    "true": [True] * ROWS,
    "null": [None] * ROWS,
    "nan": [float("nan")] * ROWS,
    "infinity": [float("inf")] * ROWS,
    "texts of words": [f"word{at} the end" for at in range(ROWS)],
    "texts without words": ["! ? " * (at + 1) for at in range(ROWS)],
}


def frame(make: object, name: str) -> object:
    x = TRUTH * 4 + np.random.default_rng(0).normal(size=ROWS)
    return make({"x": x.tolist(), "c": COLUMNS[name], "y": TRUTH.tolist()})


@pytest.mark.parametrize("name", list(COLUMNS))
@pytest.mark.parametrize("make", [pl.DataFrame, pd.DataFrame])
def test_an_auditor_is_loaded_with_the_columns_it_was_saved_with(make, name, tmp_path):
    table = frame(make, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        auditor = dqlabels.LabelAuditor("y").fit(table)
        auditor.save(tmp_path / "y.dqlabels")
        again = dqlabels.load(tmp_path / "y.dqlabels")
        assert again.features == auditor.features
        assert list(again.audit(table).frame["is_label_issue"]) == list(auditor.audit(table).frame["is_label_issue"])


@pytest.mark.parametrize("make", [pl.DataFrame, pd.DataFrame])
@pytest.mark.parametrize("name", ["empty lists", "empty lists and nulls"])
def test_lists_without_a_number_hold_nothing_and_are_left_out(make, name):
    with pytest.warns(dqlabels.LabelWarning, match="'c' hold no values and were left out"):
        audit = dqlabels.audit(frame(make, name), "y")
    assert audit.features == ("x",)
    with pytest.raises(FeatureError, match="empty: 'c'"):
        dqlabels.audit(frame(make, name), "y", features=["c"])
