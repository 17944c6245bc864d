"""Audits of frames whose rows may have several labels, or none."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from support.frames import MAKERS, column, eager

import dqlabels
from dqlabels.audits.tags.verdict import judge_tags, worst_first
from dqlabels.errors import FeatureError, LabelColumnError, LabelWarning, OptionError, ProbabilityError

TAGS = ["cat", "dog", "owl"]
LAWS = settings(max_examples=40, deadline=None)


def planted(rows: int = 150) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True tags (n, 3), given ones with 4% of the answers flipped, and features that tell the tags."""
    rng = np.random.default_rng(0)
    true = rng.random((rows, 3)) < [0.3, 0.5, 0.4]
    flipped = rng.random((rows, 3)) < 0.04
    flipped[0] = False
    features = true @ (3 * np.eye(3)) + rng.normal(0, 0.5, (rows, 3))
    return true, true ^ flipped, features


def listed(rows: int = 150) -> dict[str, list]:
    _, tags, features = planted(rows)
    data = {f"x{j}": features[:, j].tolist() for j in range(3)}
    return data | {"tags": [[name for name, has in zip(TAGS, row, strict=True) if has] for row in tags]}


def ticked(rows: int = 150) -> dict[str, list]:
    _, tags, features = planted(rows)
    data = {f"x{j}": features[:, j].tolist() for j in range(3)}
    return data | {name: tags[:, j].tolist() for j, name in enumerate(TAGS)}


@cache
def audited(library: str = "polars"):
    """The audit, which no test changes."""
    return dqlabels.audit(MAKERS[library](listed()), "tags")


def test_a_list_column_is_audited_label_by_label(library):
    true, tags, _ = planted()
    issues = eager(audited(library).issues)
    found = {
        (row, TAGS.index(tag)) for row, tag in zip(issues["row"].to_list(), issues["label"].to_list(), strict=True)
    }
    wrong = set(zip(*np.nonzero(true != tags), strict=True))
    assert len(found & wrong) > 0.7 * len(wrong)
    assert len(found & wrong) > 0.7 * len(found)


def test_an_issue_says_whether_the_label_is_missing_or_wrong(library):
    _, tags, _ = planted()
    issues = eager(audited(library).issues)
    for row, tag, kind in zip(*(issues[name].to_list() for name in ("row", "label", "kind")), strict=True):
        assert kind == ("wrong" if tags[row, TAGS.index(tag)] else "missing")
    assert set(issues["kind"].to_list()) == {"missing", "wrong"}


def test_the_suggestion_is_the_given_list_put_right(library):
    data, audit = listed(), audited(library)
    issues, suggested = eager(audit.issues), column(audit.frame, "suggested_label")
    expected = [set(row) for row in data["tags"]]
    for row, tag in zip(issues["row"].to_list(), issues["label"].to_list(), strict=True):
        expected[row] ^= {tag}
    assert [set(row) for row in suggested] == expected


def test_a_row_is_flagged_exactly_where_the_suggestion_differs(library):
    data, answer = listed(), audited(library).frame
    pairs = zip(data["tags"], column(answer, "suggested_label"), strict=True)
    differs = [set(given_list) != set(should) for given_list, should in pairs]
    assert column(answer, "is_label_issue") == differs


def test_yes_no_columns_give_the_same_audit_as_lists(library):
    lists = audited(library).frame
    ticks = dqlabels.audit(MAKERS[library](ticked()), TAGS, task="multilabel").frame
    assert column(lists, "label_quality") == column(ticks, "label_quality")
    assert [set(row) for row in column(lists, "suggested_label")] == [
        set(row) for row in column(ticks, "suggested_label")
    ]


def test_the_list_dtype_stays():
    frame = audited().frame
    assert frame["suggested_label"].dtype == frame["tags"].dtype


def test_numbers_can_be_labels():
    data = listed() | {"tags": [[TAGS.index(tag) for tag in row] for row in listed()["tags"]]}
    assert dqlabels.audit(pl.DataFrame(data), "tags").classes["label"].to_list() != []


def test_a_row_without_a_list_stays_and_gets_the_models_answer(make_frame):
    data = listed()
    should, data["tags"][0] = set(data["tags"][0]), None
    audit = dqlabels.audit(make_frame(data), "tags")
    answer = eager(audit.frame)
    assert audit.audited == 149
    assert answer["label_quality"].is_null()[0]
    assert answer["is_label_issue"].is_null()[0]
    assert set(column(audit.frame, "suggested_label")[0]) == should


def test_an_answer_that_is_not_known_is_not_judged():
    data = ticked()
    data["cat"][0] = None
    audit = dqlabels.audit(pl.DataFrame(data), TAGS, task="multilabel")
    assert np.isnan(audit.qualities["cat"][0])
    assert audit.frame["label_quality"].null_count() == 0


def test_an_empty_list_says_that_there_is_no_label():
    data = listed()
    data["tags"][1] = []
    audit = dqlabels.audit(pl.DataFrame({name: values[:60] for name, values in data.items()}), "tags")
    assert audit.audited == 60
    assert audit.qualities["cat"].is_nan().sum() == 0


def test_the_order_of_rows_does_not_show():
    frame = pl.DataFrame(listed())
    order = np.random.default_rng(1).permutation(150).tolist()
    here, there = audited().frame[order], dqlabels.audit(frame[order], "tags").frame
    assert here.equals(there)


def test_the_table_of_labels_adds_up():
    audit = audited()
    assert audit.classes["wrong"].sum() + audit.classes["missing"].sum() == len(audit.issues)
    assert audit.classes["noise_rate"].is_between(0, 1).all()
    assert audit.classes["flagged_share"].is_sorted(descending=True)


def test_the_noise_rate_is_near_the_planted_one():
    true, tags, _ = planted(400)
    rate = dqlabels.audit(pl.DataFrame(listed(400)), "tags").noise_rate
    assert rate.low <= (true != tags).mean() <= rate.high
    assert rate.rows == 1200


def test_your_own_probabilities_need_not_sum_to_1():
    true, tags, _ = planted()
    probs = np.where(true, 0.9, 0.1)
    audit = dqlabels.audit(pl.DataFrame(ticked()), TAGS, task="multilabel", pred_probs=probs)
    assert len(audit.issues) == (true != tags).sum()


def test_columns_of_probabilities_are_named_by_classes():
    true, _, _ = planted()
    frame = pl.DataFrame(listed() | {f"p_{name}": np.where(true[:, j], 0.9, 0.1) for j, name in enumerate(TAGS)})
    straight = dqlabels.audit(frame, "tags", pred_probs=[f"p_{name}" for name in TAGS], classes=TAGS)
    turned = dqlabels.audit(frame, "tags", pred_probs=[f"p_{name}" for name in TAGS[::-1]], classes=TAGS[::-1])
    assert straight.issues.equals(turned.issues)


def test_any_classifier_can_judge():
    from sklearn.linear_model import LogisticRegression

    audit = dqlabels.audit(pl.DataFrame(listed()), "tags", model=LogisticRegression(), cv=3)
    assert "LogisticRegression, 3 folds, a model per tag" in audit.model


def test_a_gate_holds_the_table_and_each_label():
    audit = audited()
    assert audit.gate(max_noise_rate=0.5, max_class_noise_rate=0.5).verdict == "pass"
    assert audit.gate(max_class_noise_rate={"cat": 0.0}).verdict == "fail"
    with pytest.raises(OptionError, match="'cow' is no label"):
        audit.gate(max_class_noise_rate={"cow": 0.1})


def test_the_audit_is_ready_for_json_text_and_a_notebook():
    data = listed()
    data["tags"] = [["<i>" if tag == "cat" else tag for tag in row] for row in data["tags"]]
    audit = dqlabels.audit(pl.DataFrame(data), "tags")
    assert json.loads(json.dumps(audit.to_dict(), allow_nan=False))["flagged"] == audit.flagged
    assert "labels wrong" in str(audit)
    assert "<i>" not in audit._repr_html_()


def test_the_accessor_takes_lists():
    assert "suggested_label" in pd.DataFrame(listed()).labels.audit("tags").columns


@pytest.mark.parametrize(
    ("change", "options", "error", "said"),
    [
        ({"tags": [[]] * 150}, {}, LabelColumnError, "all 150 lists are empty"),
        ({"tags": [None] * 150}, {"task": "multilabel"}, LabelColumnError, "all 150 rows are missing"),
        ({"tags": [[None, "cat"]] * 150}, {}, LabelColumnError, "holds a missing label"),
        ({"tags": [[f"t{row}"] for row in range(150)]}, {}, LabelColumnError, "name rows rather"),
        ({"tags": ["cat"] * 150}, {"task": "multilabel"}, LabelColumnError, "holds 'cat'|says yes or no"),
        ({}, {"task": "annotators"}, (OptionError, LabelColumnError), "two or more different columns|without"),
        ({}, {"consensus": "ibcc"}, OptionError, "for several annotators"),
        ({}, {"pred_probs": np.zeros((150, 2))}, ProbabilityError, "each of the 3 labels"),
        ({}, {"pred_probs": np.full((150, 3), 0.5)}, ProbabilityError, "Say it in their order"),
        ({}, {"pred_probs": np.full((150, 3), 1.5), "classes": TAGS}, ProbabilityError, "no probabilities"),
        ({}, {"classes": TAGS}, OptionError, "not given"),
        ({}, {"filter_by": "mean"}, OptionError, "is none of"),
    ],
)
def test_what_cannot_be_audited_is_refused(change, options, error, said):
    with pytest.raises(error, match=said):
        dqlabels.audit(pd.DataFrame(listed() | change), "tags", **options)


def test_a_number_is_no_yes_or_no():
    frame = pl.DataFrame(ticked() | {"cat": [0, 1, 0, 2] + [1] * 146})
    with pytest.raises(LabelColumnError, match=r"'cat' row 3 holds 2"):
        dqlabels.audit(frame, TAGS, task="multilabel")


def test_a_label_on_every_row_is_named_and_never_flagged():
    data = listed()
    data["tags"] = [[*row, "all"] for row in data["tags"]]
    with pytest.warns(LabelWarning, match="'all': every row has them"):
        audit = dqlabels.audit(pl.DataFrame(data), "tags")
    assert "all" not in audit.issues["label"].to_list()


def test_a_copy_of_a_label_is_left_out():
    data = listed() | {"is_cat": ["cat" in row for row in listed()["tags"]]}
    with pytest.warns(LabelWarning, match="'is_cat' copy a tag"):
        audit = dqlabels.audit(pl.DataFrame(data), "tags")
    assert len(audit.issues) > 0
    with pytest.raises(FeatureError, match="copy of a tag"):
        dqlabels.audit(pl.DataFrame(data), "tags", features=["is_cat"])


@LAWS
@given(arrays(np.float64, st.tuples(st.integers(1, 8), st.integers(1, 5)), elements=st.floats(0, 1)))
def test_a_rows_quality_lies_between_its_worst_and_its_best(quality):
    found = worst_first(quality)
    assert (found >= quality.min(axis=1) - 1e-12).all()
    assert (found <= quality.max(axis=1) + 1e-12).all()


@LAWS
@given(st.integers(0, 10**6))
def test_labels_are_judged_the_same_in_any_order(seed):
    rng = np.random.default_rng(seed)
    codes, probs = rng.integers(-1, 2, (40, 3)), rng.random((40, 3))
    here, there = judge_tags(codes, probs), judge_tags(codes[:, ::-1], probs[:, ::-1])
    assert (here.flagged == there.flagged[:, ::-1]).all()
    assert np.array_equal(here.row_quality, there.row_quality, equal_nan=True)


def test_nothing_known_is_nothing_flagged():
    verdict = judge_tags(np.full((5, 2), -1), np.full((5, 2), 0.5))
    assert not verdict.flagged.any()
    assert np.isnan(verdict.row_quality).all()


def test_a_frame_without_rows_has_nothing_to_audit():
    with pytest.raises(LabelColumnError, match="has no rows, so 'tags' has no labels"):
        dqlabels.audit(pl.DataFrame(listed()).clear(), "tags", task="multilabel")


def test_a_column_named_twice_is_refused():
    with pytest.raises(OptionError, match="names a column twice"):
        dqlabels.audit(pl.DataFrame(ticked()), ["cat", "dog", "cat"], task="multilabel")
