"""What people pass first where something else is needed: the error says what to type."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

import dqlabels
from dqlabels.errors import LabelColumnError, OptionError, ProbabilityError

ROWS = 60
FRAME = pd.DataFrame({"x": np.arange(ROWS) / 10, "ward": ["a", "b"] * (ROWS // 2), "sick": [True, False] * (ROWS // 2)})
ONE_HOT = FRAME[["x"]].assign(sick=FRAME["sick"], well=~FRAME["sick"])


@pytest.mark.parametrize(
    ("given", "advice"),
    [
        ("loans.csv", r"polars.read_csv\('loans.csv'\), or run: dqlabels audit loans.csv --label NAME"),
        (Path("loans.parquet"), "Read the file"),
        (FRAME.groupby("ward"), r"Audit the whole frame, .*audit.by\(column\)"),
        (pl.from_pandas(FRAME).group_by("ward"), "Audit the whole frame"),
        (FRAME.to_numpy(), r"pandas.DataFrame\(X\).assign\(label=y\)"),
        (FRAME.to_dict(), "Make a frame of it"),
        (FRAME.to_dict("records"), "Make a frame of it"),
        (FRAME["sick"], "pass the frame, and the name of the column"),
        (pl.Series("sick", [True, False]), "pass the frame, and the name of the column"),
        (None, "inplace=True return None"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
def test_what_is_no_frame_is_answered_by_what_to_type(given, advice):
    with pytest.raises(OptionError, match=advice):
        dqlabels.audit(given, "sick")


def test_a_bunch_of_scikit_learn_is_answered_by_its_frame():
    from sklearn.datasets import load_iris

    with pytest.raises(OptionError, match=r"as_frame=True and pass its .frame"):
        dqlabels.audit(load_iris(), "target")


@pytest.mark.parametrize("dtype", [bool, int, float])
@pytest.mark.parametrize("make", [pd.DataFrame, pl.from_pandas], ids=["pandas", "polars"])
def test_one_hot_columns_are_answered_by_one_column(make, dtype):
    frame = make(ONE_HOT.astype({"sick": dtype, "well": dtype}))
    with pytest.raises(OptionError, match="exactly one of 'sick', 'well' is true.*one-hot"):
        dqlabels.audit(frame, ["sick", "well"])


def test_one_hot_columns_are_tags_where_the_caller_says_so():
    audit = dqlabels.audit(ONE_HOT, ["sick", "well"], task="multilabel")
    assert audit.label_columns == ("sick", "well")


def test_two_people_who_agree_once_are_two_people():
    votes = pd.DataFrame({"ann": [0, 1] * 30, "bob": [0, 0, 1, 1] * 15})
    assert isinstance(dqlabels.audit(votes, ["ann", "bob"]), dqlabels.AnnotatorAudit)


def test_probabilities_with_a_row_for_each_class_are_answered_by_their_transpose():
    probs = np.full((2, ROWS), 0.5)
    with pytest.raises(ProbabilityError, match=r"Pass pred_probs.T"):
        dqlabels.audit(FRAME, "sick", pred_probs=probs, classes=[False, True])


@pytest.mark.parametrize("make", [pl.DataFrame, lambda data: pl.DataFrame(data).lazy(), pd.DataFrame])
def test_lists_that_repeat_a_label_are_answered_by_the_task_of_tokens(make):
    sentences = make({"x": range(40), "tags": [["O", "O", "PER"], ["PER", "O"]] * 10 + [["O", "LOC", "O"]] * 20})
    with pytest.raises(LabelColumnError, match=r"30 of 40 lists .*\['O', 'O', 'PER'\]. Say task='tokens'"):
        dqlabels.audit(sentences, "tags")


def test_a_tag_that_is_there_twice_by_mistake_is_one():
    rng = np.random.default_rng(0)
    tags = [["a"], ["a", "b"], ["b"], []] * 20
    tagged = pl.DataFrame({"x": rng.normal(size=80), "tags": [["a", "a"], *tags[1:]]})
    assert dqlabels.audit(tagged, "tags").kind.name == "multilabel"
