"""Bad input: an error that names the column, what was seen and the way out, or a stated rule with a warning."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from support.frames import WIDE_NUMBERS, column, eager, two_classes

import dqlabels
from dqlabels.errors import (
    DQLabelsError,
    FeatureError,
    LabelColumnError,
    LabelWarning,
    OptionError,
    OutputColumnError,
    ProbabilityError,
)


def audit(make_frame, options=None, **changes):
    data = {**two_classes(), **changes}
    return dqlabels.audit(make_frame(data), "label", **(options or {}))


def test_every_error_is_a_value_error():
    assert issubclass(DQLabelsError, ValueError)


def test_a_misspelt_label_names_its_neighbours(make_frame):
    with pytest.raises(LabelColumnError, match=r"no column 'lable' .* Did you mean 'label'\?"):
        dqlabels.audit(make_frame(two_classes()), "lable")


def test_a_constant_label_is_refused(make_frame):
    with pytest.raises(LabelColumnError, match=r"'label': all 120 labels are 'x'. At least two classes"):
        audit(make_frame, label=["x"] * 120)


def test_an_all_missing_label_is_refused(make_frame):
    with pytest.raises(LabelColumnError, match=r"all 120 labels are missing"):
        audit(make_frame, label=[None] * 120)


def test_a_continuous_label_points_to_regression(make_frame):
    with pytest.raises(LabelColumnError, match=r"looks continuous: 120 different numbers .* task='regression'"):
        audit(make_frame, {"task": "classes"}, label=[0.5 + i / 7 for i in range(120)])


def test_whole_numbers_that_hardly_repeat_point_to_regression(make_frame):
    with pytest.raises(LabelColumnError, match=r"120 different values in 120 rows.* pass task='regression'"):
        audit(make_frame, label=list(range(120)))


def test_a_label_unique_per_row_is_refused(make_frame):
    with pytest.raises(LabelColumnError, match=r"120 different values in 120 rows, so it names rows"):
        audit(make_frame, label=[f"id{i}" for i in range(120)])


def test_an_empty_frame_is_refused():
    with pytest.raises(LabelColumnError, match="The frame has no rows"):
        dqlabels.audit(pl.DataFrame({"x": [], "label": []}), "label")


def test_a_list_label_is_refused_as_one_class_a_row():
    with pytest.raises(LabelColumnError, match="each row needs one label"):
        dqlabels.audit(pl.DataFrame({"x": [1, 2], "label": [["a"], ["b"]]}), "label", task="classes")


def test_a_list_of_fractions_is_refused_as_a_label():
    with pytest.raises(LabelColumnError, match="each row needs one label"):
        dqlabels.audit(pl.DataFrame({"x": [1, 2], "label": [[0.5], [0.2]]}), "label")


def test_a_class_of_one_row_is_kept_named_and_never_flagged(make_frame):
    data = two_classes()
    data["label"][0] = "rare"
    with pytest.warns(LabelWarning, match="single row cannot be judged and are never flagged: 'rare'"):
        result = dqlabels.audit(make_frame(data), "label")
    assert column(result.frame, "is_label_issue")[0] is False


def test_repeated_column_names_are_refused():
    frame = pd.DataFrame(np.zeros((4, 3)), columns=["a", "a", "label"])
    with pytest.raises(FeatureError, match="Column names repeat: 'a'"):
        dqlabels.audit(frame, "label")


def test_an_output_column_is_never_overwritten(make_frame):
    with pytest.raises(OutputColumnError, match=r"'label_quality' already in the frame.*names="):
        audit(make_frame, label_quality=[1.0] * 120)


def test_a_missing_feature_is_named(make_frame):
    with pytest.raises(FeatureError, match=r"no column 'xx' \(given as feature\)"):
        audit(make_frame, {"features": ["xx"]})


def test_the_label_is_no_feature(make_frame):
    with pytest.raises(FeatureError, match="is the label, so it cannot be a feature"):
        audit(make_frame, {"features": ["x", "label"]})


def test_no_feature_left_is_an_error(make_frame):
    with pytest.raises(FeatureError, match=r"No feature column is left .* \(identifier: 'id'\)"):
        dqlabels.audit(make_frame({"id": list(range(40)), "label": ["a", "b"] * 20}), "label")


@pytest.mark.parametrize("values", [list(range(120)), [f"u{i}" for i in range(120)]], ids=["integers", "strings"])
def test_identifiers_are_left_out_by_name(make_frame, values):
    with pytest.warns(LabelWarning, match="Columns 'key' identify rows"):
        with_key = audit(make_frame, key=values)
    without = audit(make_frame)
    assert column(with_key.frame, "label_quality") == column(without.frame, "label_quality")


def test_an_identifier_asked_for_is_used(make_frame):
    assert audit(make_frame, {"features": ["x", "key"]}, key=list(range(120))).warnings == ()


def test_a_copy_of_the_label_is_left_out_by_name(make_frame):
    copy = ["N" if value == "no" else "Y" for value in two_classes()["label"]]
    with pytest.warns(LabelWarning, match="Columns 'copy' copy the label"):
        with_copy = audit(make_frame, copy=copy)
    assert column(with_copy.frame, "label_quality") == column(audit(make_frame).frame, "label_quality")


def test_a_column_that_determines_the_label_is_named(make_frame):
    leak = [f"{value}{i % 3}" for i, value in enumerate(two_classes()["label"])]
    with pytest.warns(LabelWarning, match=r"Columns 'leak' alone determine the label 'label' \(leakage\)"):
        audit(make_frame, leak=leak)


def test_an_all_null_column_is_left_out_by_name(make_frame):
    with pytest.warns(LabelWarning, match="Columns 'void' hold no values"):
        audit(make_frame, void=[None] * 120)


def test_infinite_values_count_as_missing_and_are_named(make_frame):
    values = [float("inf") if i == 5 else 1.0 * (i % 9) for i in range(120)]
    with pytest.warns(LabelWarning, match="Column 'far': infinite in 1 rows, treated as missing"):
        audit(make_frame, far=values)


def test_lists_of_different_lengths_are_refused():
    frame = pl.DataFrame({**two_classes(), "v": [[1.0] * (1 + i % 2) for i in range(120)]})
    with pytest.raises(FeatureError, match=r"'v' holds lists of different lengths \(1 to 2\)"):
        dqlabels.audit(frame, "label")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"filter_by": "magic"}, "filter_by='magic' is none of 'expected_f1'"),
        ({"score": "luck"}, "score='luck' is none of 'logit_margin'"),
        ({"compat": "other"}, "compat='other' is none of"),
        ({"names": ("a", "a", "b")}, "must be three different names"),
        ({"cv": 1}, "pass at least 2 folds"),
        ({"sample_weight": np.full(120, -1.0)}, "one finite number of at least 0"),
        ({"classes": ["a"]}, "names the columns of pred_probs="),
        ({"groups": np.zeros(3)}, "one value for each of the 120 rows"),
    ],
)
def test_an_impossible_option_is_refused(options, message):
    with pytest.raises(OptionError, match=message):
        dqlabels.audit(pl.DataFrame(two_classes()), "label", **options)


def test_something_that_is_no_frame_is_refused():
    with pytest.raises(OptionError, match=r"frame is a list; pass a pandas or Polars frame"):
        dqlabels.audit([1, 2], "label")


@pytest.mark.parametrize("limit", [-0.1, 5, True])
def test_a_limit_that_is_no_share_is_refused(limit):
    with pytest.raises(OptionError, match="for 5% pass 0.05"):
        dqlabels.audit(pl.DataFrame(two_classes()), "label").gate(max_noise_rate=limit)


def with_probs(change=None, rows=60) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    truth = np.arange(rows) % 2
    p = np.clip(np.where(truth == 1, 0.8, 0.2) + rng.uniform(-0.15, 0.15, rows), 0, 1)
    probs = np.column_stack([1 - p, p])
    if change is not None:
        change(probs)
    return pl.DataFrame({"y": [("no", "yes")[k] for k in truth], "p_no": probs[:, 0], "p_yes": probs[:, 1]})


def put(row, values):
    return lambda probs: probs.__setitem__(row, values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([np.nan, 0.5], r"1 of the 60 rows .* hold NaN or infinity \(row 7: nan, 0.5"),
        ([np.inf, 0.5], "hold NaN or infinity"),
        ([-0.2, 1.2], r"hold negative values \(row 7: -0.2, 1.2"),
        ([0.0, 40.0], "hold values above 1"),
        ([0.6, 0.6], r"do not sum to 1 \(row 7: 0.6, 0.6; sum 1.2\). Pass probabilities, not scores"),
    ],
)
def test_values_that_are_no_probabilities_are_refused(values, message):
    with pytest.raises(ProbabilityError, match=message):
        dqlabels.audit(with_probs(put(7, values)), "y", pred_probs=["p_no", "p_yes"])


def test_probability_columns_find_their_class_by_name():
    straight = dqlabels.audit(with_probs(), "y", pred_probs=["p_no", "p_yes"]).frame
    assert dqlabels.audit(with_probs(), "y", pred_probs=["p_yes", "p_no"]).frame.equals(straight)


def test_an_array_needs_its_classes_named():
    probs = with_probs().select("p_no", "p_yes").to_numpy()
    with pytest.raises(
        ProbabilityError, match=r"Name the classes in the order of the columns, as in classes=\['no', 'yes'\]"
    ):
        dqlabels.audit(with_probs(), "y", pred_probs=probs)


def test_columns_in_a_wrong_order_are_caught():
    probs = with_probs().select("p_no", "p_yes").to_numpy()
    with pytest.raises(ProbabilityError, match="look out of order: they agree with 'y' in 0% of the rows"):
        dqlabels.audit(with_probs(), "y", pred_probs=probs, classes=["yes", "no"])


@pytest.mark.filterwarnings("ignore:Classes with a single row")
@pytest.mark.parametrize(("rows", "classes"), [(20, 10), (45, 20), (60, 20)])
def test_right_columns_of_a_weak_model_are_not_called_out_of_order(rows, classes):
    rng = np.random.default_rng(0)
    for _ in range(20):
        codes = np.append(np.arange(classes), rng.integers(0, classes, rows - classes))
        probs = rng.dirichlet(np.ones(classes), rows)
        names = [f"class {k:02}" for k in range(classes)]
        frame = pl.DataFrame({"y": [names[code] for code in codes]})
        dqlabels.audit(frame, "y", pred_probs=probs, classes=names)


@pytest.mark.parametrize(("rows", "classes"), [(40, 2), (60, 3), (100, 10), (100, 20)])
def test_columns_moved_by_one_are_caught_with_few_rows_and_many_classes(rows, classes):
    codes = np.arange(rows) % classes
    probs = np.full((rows, classes), 0.1 / (classes - 1))
    probs[np.arange(rows), (codes + 1) % classes] = 0.9
    names = [f"class {k:02}" for k in range(classes)]
    with pytest.raises(ProbabilityError, match="look out of order"):
        dqlabels.audit(pl.DataFrame({"y": [names[code] for code in codes]}), "y", pred_probs=probs, classes=names)


def test_a_class_without_a_column_is_named():
    frame = with_probs().with_columns(y=pl.when(pl.int_range(pl.len()) < 5).then(pl.lit("maybe")).otherwise("y"))
    with pytest.raises(ProbabilityError, match="No probability column for 'maybe'"):
        dqlabels.audit(frame, "y", pred_probs=["p_no", "p_yes"], classes=["no", "yes"])


def test_a_wrong_number_of_rows_is_named():
    with pytest.raises(ProbabilityError, match=r"shape \(3, 2\); one row for each of the 60 rows"):
        dqlabels.audit(with_probs(), "y", pred_probs=np.full((3, 2), 0.5), classes=["no", "yes"])


def test_given_probabilities_train_no_model():
    result = dqlabels.audit(with_probs(), "y", pred_probs=["p_no", "p_yes"])
    assert result.model == "your probabilities (2 classes)"


def test_embeddings_are_features():
    data = two_classes()
    vectors = [[x, -x, 0.0] for x in data["x"]]
    frame = pl.DataFrame({"v": vectors, "label": data["label"]})
    assert dqlabels.audit(frame, "label").model_error < 0.2


def test_text_is_a_feature(make_frame):
    words = {"no": "rain and grey cloud", "yes": "sun with blue sky"}
    truth = ["no", "yes"] * 60
    text = [f"{words[value]} report {i}" for i, value in enumerate(truth)]
    result = dqlabels.audit(make_frame({"text": text, "label": truth}), "label")
    assert result.model_error < 0.2


def test_many_categories_are_a_feature(make_frame):
    codes = [i % 24 for i in range(240)]
    data = {"c": [f"c{k}" for k in codes], "z": [float(i % 7) for i in range(240)]}
    data["label"] = ["no" if k < 12 else "yes" for k in codes]
    with pytest.warns(LabelWarning, match="'c' alone determine"):
        result = dqlabels.audit(make_frame(data), "label")
    assert eager(result.frame).columns[:3] == ["c", "z", "label"]


def test_an_infinite_label_is_refused(make_frame):
    with pytest.raises(LabelColumnError, match=r"holds infinity in 1 rows, which is not a class"):
        audit(make_frame, label=[float("inf")] + [1.0, 2.0] * 59 + [1.0])


def test_no_features_at_all_are_refused(make_frame):
    with pytest.raises(FeatureError, match=r"features=\[\] names no column"):
        audit(make_frame, {"features": []})


@pytest.mark.parametrize("seed", [-1, None, "x", True])
def test_a_seed_that_is_none_is_refused(make_frame, seed):
    with pytest.raises(OptionError, match=r"random_state=.* is not a whole number of at least 0"):
        audit(make_frame, {"random_state": seed})


def test_weights_that_are_all_0_are_refused(make_frame):
    with pytest.raises(OptionError, match="sample_weight is 0 in every row"):
        audit(make_frame, {"sample_weight": np.zeros(120)})


@pytest.mark.parametrize("bad", [[np.nan, 1.0], [5.0, -4.0]])
def test_probabilities_of_rows_without_a_label_are_checked_too(make_frame, bad):
    probs = np.tile([0.7, 0.3], (120, 1))
    probs[5] = bad
    labels = ["a", "b"] * 60
    labels[5] = None
    with pytest.raises(ProbabilityError, match="pred_probs: 1 of the 1 rows"):
        audit(make_frame, {"pred_probs": probs, "classes": ["a", "b"]}, label=labels)


def test_an_earlier_audit_is_no_feature(make_frame):
    first = dqlabels.audit(make_frame(two_classes()), "label").frame
    with pytest.warns(LabelWarning, match="were added by an earlier audit and were left out"):
        again = dqlabels.audit(first, "label", names=("quality", "suggestion", "flag"))
    assert column(again.frame, "flag") == column(first, "is_label_issue")


def test_many_classes_in_few_rows_warn_of_nothing_but_themselves(make_frame):
    labels = [f"c{i % 55}" for i in range(120)]
    audit(make_frame, label=labels)


def test_a_model_class_in_place_of_a_model_is_named(make_frame):
    from sklearn.linear_model import LogisticRegression

    with pytest.raises(DQLabelsError, match=r"model=LogisticRegression is a class.*LogisticRegression\(\)"):
        audit(make_frame, {"model": LogisticRegression})


def test_numbers_beyond_single_precision_are_judged_without_a_warning(make_frame):
    sizes = (np.random.default_rng(0).normal(size=120) * 1e300).tolist()
    assert column(audit(make_frame, z=sizes).frame, "z") == sizes


def test_labels_of_128_bits_keep_their_type():
    frame = pl.DataFrame(two_classes()).with_columns(label=(pl.col("label") == "yes").cast(pl.Int128))
    assert dqlabels.audit(frame, "label").frame["suggested_label"].dtype == pl.Int128


@WIDE_NUMBERS
def test_labels_that_64_bits_do_not_hold_are_refused():
    frame = pl.DataFrame(two_classes()).with_columns(label=(pl.col("label") == "yes").cast(pl.Int128) * 10**25)
    with pytest.raises(LabelColumnError, match="more than 64 bits"):
        dqlabels.audit(frame, "label")


def test_a_class_with_fewer_rows_than_folds_is_named(make_frame):
    rare = two_classes()["label"][:-3] + ["rare"] * 3
    with pytest.warns(LabelWarning, match=r"fewer rows than the 5 folds.*'rare' \(3\)"):
        audit(make_frame, {"cv": 5}, label=rare)
