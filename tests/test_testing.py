"""Wrong labels planted for tests: so many, of that kind, in any frame, and said."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dqlabels
from dqlabels.errors import DQLabelsError, LabelColumnError, OptionError
from dqlabels.noise.corrupt import wrong_labels
from dqlabels.testing import corrupt_labels, label_columns

KINDS = ("symmetric", "class", "border", "annotator")
ROWS = 300


def three_classes() -> pl.DataFrame:
    """Three classes along one feature, with rows between them."""
    x = np.linspace(0, 3, ROWS, endpoint=False)
    return pl.DataFrame({"x": x, "z": x % 1, "y": np.array(["a", "b", "c"])[x.astype(int)]})


@pytest.mark.parametrize("kind", KINDS)
def test_the_share_is_changed_and_said(kind):
    frame = three_classes()
    noisy, wrong = corrupt_labels(frame, "y", 0.1, kind)
    assert wrong.sum() == 30
    assert ((noisy["y"] != frame["y"]).to_numpy() == wrong).all()


MAKERS = {
    "pandas": lambda frame: frame.to_pandas().set_index(pd.Index(range(7, ROWS + 7))),
    "polars": lambda frame: frame,
    "lazy": lambda frame: frame.lazy(),
    "arrow": lambda frame: frame.to_arrow(),
}


@pytest.mark.parametrize("library", MAKERS)
def test_the_frame_comes_back_as_its_own_kind_with_the_same_errors(library):
    frame = MAKERS[library](three_classes())
    noisy, wrong = corrupt_labels(frame, "y", 0.1, "class")
    expected, planted = corrupt_labels(three_classes(), "y", 0.1, "class")
    assert type(noisy) is type(frame)
    assert (wrong == planted).all()
    if library == "pandas":
        assert noisy.index.equals(frame.index)
    values = noisy.collect()["y"] if library == "lazy" else noisy["y"]
    assert list(map(str, values.to_pylist() if isinstance(values, pa.ChunkedArray) else values)) == list(expected["y"])


@settings(max_examples=40, deadline=None)
@given(label_columns(min_size=4), st.sampled_from(["symmetric", "class", "annotator"]), st.booleans())
def test_labels_of_any_type_keep_it_and_missing_ones_stay(values, kind, as_pandas):
    frame = pl.DataFrame({"y": values}, strict=False)
    frame = frame.to_pandas() if as_pandas else frame
    try:
        noisy, wrong = corrupt_labels(frame, "y", 0.3, kind)
    except (LabelColumnError, OptionError):  # nearly unique labels, or fewer than two known rows to change
        return
    assert noisy["y"].dtype == frame["y"].dtype
    before, after = pd.Series(list(frame["y"]), dtype=object), pd.Series(list(noisy["y"]), dtype=object)
    assert (before.isna() == after.isna()).all()
    assert not wrong[before.isna().to_numpy()].any()
    assert set(after.dropna()) <= set(before.dropna())


def test_the_callers_frame_is_left_alone():
    frame = three_classes().to_pandas()
    before = frame.copy()
    corrupt_labels(frame, "y", 0.5)
    pd.testing.assert_frame_equal(frame, before)


def test_a_seed_gives_the_same_errors_and_another_seed_others():
    first, again, other = (corrupt_labels(three_classes(), "y", 0.1, random_state=seed)[1] for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_symmetric_errors_go_to_every_other_class_alike():
    codes = np.repeat(np.arange(4), 5000)
    noisy, wrong = wrong_labels(codes, 4, 0.3, "symmetric", np.random.default_rng(0))
    went = np.bincount(4 * codes[wrong] + noisy[wrong], minlength=16).reshape(4, 4)
    assert (np.diag(went) == 0).all()
    assert (np.abs(went[~np.eye(4, dtype=bool)] - 500) < 100).all()


def test_each_class_is_taken_for_one_other():
    codes = np.repeat(np.arange(4), 500)
    noisy, wrong = wrong_labels(codes, 4, 0.3, "class", np.random.default_rng(0))
    assert all(np.unique(noisy[wrong & (codes == one)]).size == 1 for one in range(4))


def test_errors_at_the_border_are_near_it():
    frame = three_classes().drop("z")
    _, wrong = corrupt_labels(frame, "y", 0.1, "border")
    distance = np.minimum(np.abs(frame["x"].to_numpy() - 1), np.abs(frame["x"].to_numpy() - 2))
    assert distance[wrong].mean() < 0.7 * distance.mean()


def test_some_annotators_err_far_more_often_than_others():
    codes = np.zeros(20_000, dtype=np.int64)
    _, wrong = wrong_labels(codes, 2, 0.2, "annotator", np.random.default_rng(0))
    who = np.random.default_rng(0).integers(5, size=codes.size)
    rates = np.array([wrong[who == one].mean() for one in range(5)])
    assert rates.max() > 4 * rates.min()


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, float("nan"), True, "0.1", None])
def test_a_share_that_means_nothing_is_refused(share):
    with pytest.raises(OptionError, match="is not a share of the labels to change"):
        corrupt_labels(three_classes(), "y", share)


def test_a_share_of_less_than_one_label_is_refused():
    with pytest.raises(OptionError, match="of 300 labels is less than one"):
        corrupt_labels(three_classes(), "y", 0.001)


def test_an_unknown_kind_is_refused():
    with pytest.raises(OptionError, match="'boarder' is none of 'symmetric', 'class', 'border', 'annotator'"):
        corrupt_labels(three_classes(), "y", 0.1, "boarder")


@pytest.mark.parametrize(
    "values",
    [["a"] * 99, [None] * 99, [at / 7 for at in range(99)], [["a"], ["b"], ["a", "b"]] * 33, list(map(str, range(99)))],
    ids=["constant", "missing", "continuous", "lists", "unique"],
)
def test_what_is_no_column_of_classes_is_refused(values):
    with pytest.raises(LabelColumnError):
        corrupt_labels(pl.DataFrame({"y": values}), "y", 0.3)


def test_the_border_needs_features():
    with pytest.raises(DQLabelsError, match="feature"):
        corrupt_labels(three_classes().select("y"), "y", 0.1, "border")


def test_the_border_needs_rows_of_each_class():
    frame = pl.DataFrame({"x": np.arange(40.0), "y": ["a"] * 20 + ["b"] * 18 + ["c"] * 2})
    with pytest.raises(OptionError, match="needs 3 rows of each class; 'c' has 2"):
        corrupt_labels(frame, "y", 0.1, "border")


def test_a_seed_that_is_none_is_refused():
    with pytest.raises(OptionError, match="random_state=-1"):
        corrupt_labels(three_classes(), "y", 0.1, random_state=-1)


def test_what_is_planted_is_found():
    frame = three_classes()
    noisy, wrong = corrupt_labels(frame, "y", 0.05)
    flagged = dqlabels.audit(noisy, "y").frame["is_label_issue"].to_numpy()
    assert flagged[wrong].mean() > 0.8


@pytest.mark.parametrize("sizes", [{"min_size": 1}, {"min_size": 9, "max_size": 8}])
def test_sizes_without_room_for_two_classes_are_refused(sizes):
    with pytest.raises(OptionError, match="must be in order, and at least 2"):
        label_columns(**sizes)
