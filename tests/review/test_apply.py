"""Decisions applied to a copy: other labels change, nothing else."""

from __future__ import annotations

import narwhals as nw
import pytest
from support.frames import column, eager
from support.review import DATA, HEAD

from dqlabels import DQLabelsError
from dqlabels.frames.columns import read_labels
from dqlabels.review.apply import apply_decisions
from dqlabels.review.decisions import DecisionFile, head_of


@pytest.fixture
def decided(tmp_path):
    file = DecisionFile(tmp_path / "d", HEAD)
    file.record(7, "accept", 1)  # no, wrong by construction
    file.record(1, "keep", 1)
    file.record(2, "unclear", -1)
    return file.path


def test_only_other_labels_change(make_frame, decided):
    frame = make_frame(DATA)
    applied = apply_decisions(frame, decided)
    changed = [at for at, (a, b) in enumerate(zip(column(applied, "label"), DATA["label"], strict=True)) if a != b]
    assert (type(applied), changed) == (type(frame), [7])
    assert column(applied, "label_original") == DATA["label"]
    assert eager(frame).columns == ["x", "z", "label"]


def test_dtype_missing_labels_and_index_stay(tmp_path):
    import pandas as pd

    values = pd.Categorical(["b", "a", None, "a"] * 10, categories=["b", "a", "never"])
    frame = pd.DataFrame({"x": range(40), "y": values}, index=range(100, 140))
    kept = DecisionFile(tmp_path / "d", head_of(read_labels(nw.from_native(frame, eager_only=True), "y")))
    kept.record(0, "choose", kept.head["classes"].index("a"))
    applied = apply_decisions(frame, tmp_path / "d", original="was")
    assert (applied["y"].iloc[0], applied["y"].dtype, list(applied.index)) == ("a", frame["y"].dtype, list(frame.index))
    assert applied["y"].isna().equals(frame["y"].isna())
    assert applied["was"].equals(frame["y"].rename("was"))


def test_decisions_on_other_labels_are_not_applied(make_frame, decided):
    frame = make_frame({**DATA, "label": DATA["label"][::-1]})
    with pytest.raises(DQLabelsError, match="other labels"):
        apply_decisions(frame, decided)


def test_a_column_that_exists_is_not_overwritten(make_frame, decided):
    with pytest.raises(DQLabelsError, match="already in the frame"):
        apply_decisions(make_frame(DATA), decided, original="x")
