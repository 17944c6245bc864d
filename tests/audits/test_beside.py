"""What is passed beside a frame finds its rows by index and its classes by name, and nothing is swapped in silence."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dqlabels
from dqlabels.errors import OptionError, ProbabilityError

ROWS = 120
RNG = np.random.default_rng(0)
IS_DOG = RNG.random(ROWS) < 0.5
SURE = np.clip(np.where(IS_DOG, 0.9, 0.1) + RNG.uniform(-0.08, 0.08, ROWS), 0, 1)
LABELS = np.where(np.arange(ROWS) % 20 == 7, ~IS_DOG, IS_DOG)
NAMES = np.array(["cat", "dog"])[LABELS.astype(int)]


def frame(index: object = None) -> pd.DataFrame:
    return pd.DataFrame({"x": SURE + RNG.normal(scale=0.1, size=ROWS), "y": NAMES}, index=index)


def probs(index: object = None) -> pd.DataFrame:
    return pd.DataFrame({"dog": SURE, "cat": 1 - SURE}, index=index)


def flags(audit: object) -> list[int]:
    return sorted(audit.issues["row"].tolist())


EXPECTED = flags(dqlabels.audit(frame(), "y", pred_probs=probs().to_numpy(), classes=["dog", "cat"]))
SHUFFLED = np.random.default_rng(1).permutation(ROWS)
KEYS = [f"key {at}" for at in range(ROWS)]


@pytest.mark.parametrize("index", [range(ROWS), KEYS, pd.MultiIndex.from_product([range(2), range(60)])])
def test_probabilities_in_another_order_are_aligned_by_the_index_and_it_is_said(index):
    audit = _quiet(frame(index), pred_probs=probs(index).iloc[SHUFFLED])
    assert flags(audit) == EXPECTED
    assert any("pred_probs= holds the keys of the frame's index in another order" in one for one in audit.warnings)


@pytest.mark.parametrize("index", [KEYS, [5] * ROWS, range(1000, 1000 + ROWS)])
def test_equal_indexes_and_a_plain_index_go_by_position(index):
    for own in (index, None):
        audit = dqlabels.audit(frame(index), "y", pred_probs=probs(own))
        assert (flags(audit), audit.warnings) == (EXPECTED, ())


@pytest.mark.parametrize(
    ("index", "own", "message"),
    [
        (
            KEYS,
            [f"other {at}" for at in range(ROWS)],
            r"lacks 120 of the 120 keys of the frame's index, such as 'key 0'",
        ),
        (KEYS, [*KEYS[1:], KEYS[1]], "the index of pred_probs= repeats 'key 1'"),
        ([*KEYS[1:], KEYS[1]], KEYS, "the index of the frame repeats 'key 1'"),
        (KEYS, range(1, ROWS + 1), "its index lacks"),
    ],
)
def test_an_index_that_does_not_say_the_rows_is_refused(index, own, message):
    with pytest.raises(OptionError, match=message):
        dqlabels.audit(frame(index), "y", pred_probs=probs(own))


@pytest.mark.parametrize("make", [pl.from_pandas, lambda one: pa.Table.from_pandas(one, preserve_index=False)])
def test_a_frame_without_an_index_takes_a_plain_one_by_position_and_refuses_others(make):
    assert dqlabels.audit(make(frame()), "y", pred_probs=probs()).flagged == len(EXPECTED)
    with pytest.raises(OptionError, match="the frame has none to align it by"):
        dqlabels.audit(make(frame()), "y", pred_probs=probs().iloc[SHUFFLED])


@settings(deadline=None, max_examples=4)
@given(st.permutations(range(ROWS)), st.sampled_from(["groups", "sample_weight"]))
def test_the_order_of_a_series_beside_the_frame_does_not_matter(order, option):
    values = pd.Series(np.arange(ROWS) % 40 + 1.0, index=KEYS)
    straight = _quiet(frame_of_ranks(), **{option: values}).frame["label_quality"]
    moved = _quiet(frame_of_ranks(), **{option: values.iloc[list(order)]}).frame["label_quality"]
    assert straight.equals(moved)


def frame_of_ranks() -> pd.DataFrame:
    return pd.DataFrame({"x": SURE, "y": NAMES}, index=KEYS)


def test_an_auditor_aligns_what_it_is_fitted_with():
    weight = pd.Series(np.arange(ROWS) % 7 + 1.0, index=KEYS)
    fitted = [_fitted(weight), _fitted(weight.iloc[SHUFFLED])]
    assert fitted[0].equals(fitted[1])


def _fitted(weight: pd.Series) -> pd.Series:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        auditor = dqlabels.LabelAuditor("y", sample_weight=weight).fit(frame_of_ranks())
        return auditor.audit(frame_of_ranks()).frame["label_quality"]


def _quiet(table: pd.DataFrame, label: object = "y", **options: object) -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return dqlabels.audit(table, label, **options)


@pytest.mark.parametrize(
    "make",
    [
        lambda one: one,
        pl.from_pandas,
        lambda one: pa.Table.from_pandas(one, preserve_index=False),
        lambda one: one.astype("Float64"),
        lambda one: one.astype(object),
        lambda one: one.add_prefix("p_"),
    ],
)
def test_classes_are_read_off_the_columns_of_a_frame_of_probabilities(make):
    assert flags(dqlabels.audit(frame(), "y", pred_probs=make(probs()))) == EXPECTED


def test_classes_that_contradict_the_names_of_the_columns_are_refused():
    with pytest.raises(ProbabilityError, match="says that the probability column 'dog' is of the class 'cat'"):
        dqlabels.audit(frame(), "y", pred_probs=probs(), classes=["cat", "dog"])


def test_columns_without_the_name_of_a_class_get_no_order_to_copy():
    named = probs().set_axis(["first", "second"], axis=1)
    with pytest.raises(ProbabilityError, match="are named 'first', 'second', the classes are 'cat', 'dog'") as caught:
        dqlabels.audit(frame(), "y", pred_probs=named)
    assert "classes=['cat'" not in str(caught.value)


def test_columns_that_only_count_say_nothing_of_the_classes():
    counted = pd.DataFrame(probs().to_numpy())
    assert flags(dqlabels.audit(frame(), "y", pred_probs=counted, classes=["dog", "cat"])) == EXPECTED
    with pytest.raises(ProbabilityError, match="It is not known which class"):
        dqlabels.audit(frame(), "y", pred_probs=counted)


@pytest.mark.parametrize("values", [[[b"a", b"b"]] * ROWS, [[{}, {}]] * ROWS])
def test_values_that_are_no_numbers_are_refused(values):
    with pytest.raises(ProbabilityError, match="number"):
        dqlabels.audit(frame(), "y", pred_probs=values, classes=["dog", "cat"])
    with pytest.raises(ProbabilityError, match="Column 'dog' of pred_probs= holds"):
        dqlabels.audit(frame(), "y", pred_probs=pd.DataFrame(values, columns=["dog", "cat"]))


def test_several_labels_per_row_read_the_tags_off_the_columns():
    table = pd.DataFrame({"x": SURE, "cat": ~LABELS, "dog": LABELS}, index=KEYS)
    straight = dqlabels.audit(table, ["cat", "dog"], task="multilabel", pred_probs=probs()[["cat", "dog"]].to_numpy())
    named = _quiet(table, ["cat", "dog"], task="multilabel", pred_probs=probs(KEYS).iloc[SHUFFLED])
    assert named.frame["label_quality"].equals(straight.frame["label_quality"])


def test_annotators_align_the_probabilities_too():
    table = pd.DataFrame({"a": NAMES, "b": NAMES, "c": NAMES}, index=KEYS)
    straight = dqlabels.audit(table, ["a", "b", "c"], pred_probs=probs())
    moved = _quiet(table, ["a", "b", "c"], pred_probs=probs(KEYS).iloc[SHUFFLED])
    assert moved.frame["label_quality"].equals(straight.frame["label_quality"])


def test_a_class_named_by_two_columns_of_probabilities_is_refused():
    twice = probs().set_axis(["cat", "cat"], axis=1)
    with pytest.raises(ProbabilityError, match="column names repeat: .* Give each column the name of its class"):
        dqlabels.audit(frame(), "y", pred_probs=twice)


def test_groups_of_another_number_of_rows_are_refused():
    with pytest.raises(OptionError, match="119"):
        dqlabels.audit(frame(), "y", groups=pd.Series(np.arange(ROWS - 1)))
