"""Column names that are no strings are audited and come back as they were; labels in place of a name are refused."""

from __future__ import annotations

import copy
import datetime as dt
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import dqlabels
from dqlabels.errors import FeatureError, LabelColumnError

ROWS = 120
RNG = np.random.default_rng(0)
TRUTH = np.arange(ROWS) % 2
LABELS = np.where(np.arange(ROWS) % 20 == 7, 1 - TRUTH, TRUTH)
X = TRUTH[:, None] * 4 + RNG.normal(size=(ROWS, 3))
ADDED = ["label_quality", "suggested_label", "is_label_issue"]


def frame(*names: object, label: object = "y") -> pd.DataFrame:
    table = pd.DataFrame(X, columns=list(names) or None)
    table[label] = LABELS
    return table


@pytest.mark.parametrize(
    ("names", "label"),
    [((), "y"), ((), 3), ((1.5, None, True), "y"), ((dt.date(2024, 1, 1), pd.Timestamp("2024"), "c"), "y")],
)
def test_names_of_any_type_come_back_as_they_were(names, label):
    table = frame(*names, label=label)
    before = table.copy()
    audit = dqlabels.audit(table, label)
    plain = dqlabels.audit(frame("a", "b", "c"), "y")
    assert audit.frame.columns.tolist() == [*before.columns.tolist(), *ADDED]
    assert [type(name) for name in audit.frame.columns] == [type(name) for name in [*before.columns, *ADDED]]
    assert audit.frame["is_label_issue"].tolist() == plain.frame["is_label_issue"].tolist()
    pd.testing.assert_frame_equal(table, before)
    pd.testing.assert_frame_equal(audit.frame[before.columns.tolist()], before, check_column_type=False)


def test_every_verb_knows_such_names(tmp_path):
    table = frame()
    audit = dqlabels.audit(table, "y", features=[0, 1, 2], exclude=[])
    assert audit._repr_html_()
    assert audit.report_facts(rows=3)
    assert audit.review_sample(20).columns.tolist() == ["row", "y", "reviewed_label", 0, 1, 2]
    assert table.labels.audit("y").columns[:4].tolist() == [0, 1, 2, "y"]
    assert dqlabels.checkup(table, "y", checks="duplicates").frame.columns[:4].tolist() == [0, 1, 2, "y"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        auditor = dqlabels.LabelAuditor("y").fit(table)
        auditor.save(tmp_path / "y.dqlabels")
        again = dqlabels.load(tmp_path / "y.dqlabels").audit(table)
    assert again.frame.columns.tolist() == [0, 1, 2, "y", *ADDED]
    assert copy.deepcopy(audit).frame.columns.tolist() == [0, 1, 2, "y", *ADDED]


def test_two_names_of_one_text_are_refused():
    with pytest.raises(FeatureError, match="Columns 0 and '0' have the same name as text"):
        dqlabels.audit(frame(0, "0", "c"), "y")


def test_names_of_several_levels_are_refused():
    table = pd.concat({"left": frame("a", "b", "c")}, axis=1)
    with pytest.raises(FeatureError, match="not strings"):
        dqlabels.audit(table, "y")


@pytest.mark.parametrize(
    "labels",
    [
        pd.Series(LABELS, name="y"), pl.Series(LABELS), LABELS, pa.array(LABELS), pd.DataFrame({"y": LABELS}), None,
        {"y": 1}, (name for name in "ab"), [["y"]], [None], True, pa.chunked_array([LABELS]),
    ],
)  # fmt: skip
def test_labels_in_place_of_a_name_are_refused(labels):
    for call in (
        lambda: dqlabels.audit(X, labels),
        lambda: dqlabels.audit(frame("a", "b", "c"), labels),
        lambda: frame("a", "b", "c").labels.audit(labels),
        lambda: pl.LazyFrame({"y": [1, 2]}).labels.audit(labels),
        lambda: dqlabels.checkup(frame("a", "b", "c"), labels),
        lambda: dqlabels.LabelAuditor(labels),
    ):
        with pytest.raises(LabelColumnError, match="label= is the name of a column"):
            call()


def test_a_list_of_labels_in_place_of_a_name_is_refused():
    words = ["cat" if label else "dog" for label in LABELS]
    with pytest.raises(LabelColumnError, match="120 values were passed, as many as the frame has rows"):
        dqlabels.audit(frame("a", "b", "c"), words)


def test_the_columns_of_a_frame_name_several_labels():
    table = pd.DataFrame({"a": LABELS, "b": TRUTH, "c": TRUTH})
    assert dqlabels.audit(table, table.columns).annotators is not None
