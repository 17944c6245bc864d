"""Grades as labels: how far off a label is counts, and a slip is told from a gross error."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.frames import column, eager

import dqlabels
from dqlabels.audits.classes.grades import grade_units, judge_grades
from dqlabels.engines.memory import judge
from dqlabels.errors import LabelColumnError, OptionError
from dqlabels.statistics.ordinal import expected_distances
from dqlabels.statistics.scores import score_units

GRADES = ["poor", "fair", "good", "best"]
GROSS, SLIP = 10, 41  # rows
# Units by which the scores of two ways of computing one probability may differ: it is a multiple of 2**-24.
RESOLUTION = 2**20 / 50


def reviews() -> dict[str, list]:
    """Four grades told apart by ``x``; row GROSS is poor but called best, row SLIP good but called fair."""
    stars = np.repeat(np.arange(4), 40)[np.random.default_rng(3).permutation(160)]
    rng = np.random.default_rng(0)
    x = stars * 10 + rng.uniform(-1, 1, size=160)
    x[[GROSS, SLIP]] = [0.0, 20.0]
    stars[[GROSS, SLIP]] = [3, 1]
    return {"x": x.tolist(), "stars": stars.tolist()}


def audit(frame, label="stars", **options):
    return dqlabels.audit(frame, label, task="ordinal", **options)


@st.composite
def graded(draw, most=5):
    k = draw(st.integers(2, most))
    n = draw(st.integers(k, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    codes = rng.permutation(np.concatenate([np.arange(k), rng.integers(0, k, n - k)]))
    return codes, rng.dirichlet(np.full(k, 0.5), size=n)


def test_planted_errors_are_found_and_told_apart(make_frame):
    issues = eager(audit(make_frame(reviews())).issues)
    assert list(zip(issues["row"].to_list(), issues["kind"].to_list(), strict=True)) == [
        (GROSS, "gross"),
        (SLIP, "slip"),
    ]


def test_the_suggestion_is_the_right_grade(make_frame):
    suggested = column(audit(make_frame(reviews())).frame, "suggested_label")
    assert (suggested[GROSS], suggested[SLIP]) == (0, 2)


def test_the_same_doubt_further_off_is_worse():
    codes = np.array([0, 0, 0, 0, 1, 2, 3])
    probs = np.eye(4)[[0, 1, 2, 3, 1, 2, 3]] * 0.96 + 0.01
    quality = grade_units(codes, probs, "logit_margin")
    assert quality[0] > quality[1] > quality[2] > quality[3]


@settings(max_examples=40, deadline=None)
@given(graded())
def test_distance_is_the_expected_one(rows):
    _, probs = rows
    k = probs.shape[1]
    away = np.abs(np.subtract.outer(np.arange(k), np.arange(k)))
    assert np.allclose(expected_distances(probs), probs @ away)


@settings(max_examples=40, deadline=None)
@given(graded(most=2), st.sampled_from(["normalized_margin", "self_confidence"]))
def test_two_grades_are_two_classes(rows, score):
    codes, probs = rows
    grades, classes = judge_grades(codes, probs), judge(codes, probs)
    assert np.allclose(grade_units(codes, probs, score), score_units(codes, probs, score), atol=RESOLUTION)
    assert (grades.flagged == classes.flagged).all()


@settings(max_examples=40, deadline=None)
@given(graded())
def test_upside_down_the_same_rows_are_flagged(rows):
    codes, probs = rows
    k = probs.shape[1]
    turned = k - 1 - codes, np.ascontiguousarray(probs[:, ::-1])
    up, down = judge_grades(codes, probs), judge_grades(*turned)
    scores = [grade_units(*rows, "logit_margin") for rows in ((codes, probs), turned)]
    assert np.allclose(*scores, atol=RESOLUTION)
    assert (up.flagged == down.flagged).all()


@settings(max_examples=40, deadline=None)
@given(graded())
def test_row_order_does_not_show(rows):
    codes, probs = rows
    order = np.random.default_rng(0).permutation(codes.size)
    plain, mixed = judge_grades(codes, probs), judge_grades(codes[order], probs[order])
    scores = grade_units(codes, probs, "logit_margin")
    assert (scores[order] == grade_units(codes[order], probs[order], "logit_margin")).all()
    assert (plain.flagged[order] == mixed.flagged).all()
    assert (plain.joint == mixed.joint).all()


@settings(max_examples=40, deadline=None)
@given(graded())
def test_a_flagged_row_has_another_suggestion(rows):
    codes, probs = rows
    found = judge_grades(codes, probs)
    assert (found.flagged == (found.suggested != codes)).all()


def test_the_joint_counts_a_row_that_is_sure_and_not_one_that_is_torn():
    codes = np.array([0, 0, 0, 0, 1, 1, 2, 2])
    probs = np.eye(3)[codes] * 0.94 + 0.02
    probs[0], probs[1] = [0.0, 0.02, 0.98], [0.4, 0.0, 0.6]
    assert judge_grades(codes, probs).confident_joint[0].tolist() == [2, 0, 1]


def ordered(values, library):
    names = [GRADES[value] for value in values]
    if library == "pandas":
        return pd.Categorical(names, GRADES, ordered=True)
    return pl.Series(names, dtype=pl.Enum(GRADES))


@pytest.mark.parametrize(("library", "make"), [("pandas", pd.DataFrame), ("polars", pl.DataFrame)])
def test_ordered_categories_are_taken_in_their_order(library, make):
    data = reviews()
    found = audit(make({"x": data["x"], "stars": ordered(data["stars"], library)}))
    assert eager(found.issues)["kind"].to_list() == ["gross", "slip"]
    assert found.frame["suggested_label"].dtype == found.frame["stars"].dtype


def test_an_ordered_pandas_categorical_is_ordinal_and_a_note_says_so():
    data = reviews()
    frame = pd.DataFrame({"x": data["x"], "stars": ordered(data["stars"], "pandas")})
    with pytest.warns(dqlabels.LabelWarning, match="'stars' is an ordered categorical .* task='classes'"):
        found = dqlabels.audit(frame, "stars")
    assert found.settings["task"] == "ordinal"


def test_an_enum_is_ordinal_only_where_said():
    data = reviews()
    frame = pl.DataFrame({"x": data["x"], "stars": ordered(data["stars"], "polars")})
    assert dqlabels.audit(frame, "stars").settings["task"] == "classes"


@pytest.mark.parametrize("dtype", [pl.String, pl.Categorical])
def test_names_without_an_order_are_refused(dtype):
    data = reviews()
    frame = pl.DataFrame({"x": data["x"], "stars": pl.Series([GRADES[v] for v in data["stars"]], dtype=dtype)})
    with pytest.raises(LabelColumnError, match=r"'best', 'fair', 'good', 'poor'\), whose order is not known"):
        audit(frame)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"score": "confidence_weighted_entropy"}, "knows no order of classes"),
        ({"adjust": True}, "adjust=True has no form"),
        ({"compat": "cleanlab"}, "compat='cleanlab' has no form"),
    ],
)
def test_what_knows_no_order_is_refused(options, message):
    with pytest.raises(OptionError, match=message):
        audit(pl.DataFrame(reviews()), **options)


def test_own_probabilities_are_judged_as_grades():
    codes = np.array(reviews()["stars"])
    probs = np.eye(4)[np.rint(np.array(reviews()["x"]) / 10).astype(int)] * 0.92 + 0.02
    found = audit(pl.DataFrame({"stars": codes}), pred_probs=probs)
    assert eager(found.issues)["kind"].to_list() == ["gross", "slip"]


def test_gross_errors_rank_above_those_of_plain_classes():
    # Grades that overlap with their neighbours, and 5% of labels two or more grades off.
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 5, size=1500)
    x = truth + 0.7 * rng.normal(size=1500)
    wrong = rng.random(1500) < 0.05
    stars = np.where(wrong, (truth + rng.integers(2, 4, size=1500)) % 5, truth)
    wrong &= np.abs(stars - truth) >= 2
    frame = pl.DataFrame({"x": x, "stars": stars})
    found = {
        task: np.array(dqlabels.audit(frame, "stars", task=task).frame["label_quality"])
        for task in ("ordinal", "classes")
    }
    top = int(wrong.sum())
    hits = {task: wrong[np.argsort(quality)[:top]].mean() for task, quality in found.items()}
    assert hits["ordinal"] > hits["classes"]
