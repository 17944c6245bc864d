"""A class that has a probability column and no row is one that nobody was given: nothing else changes."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from support.frames import column

import dqlabels

ROWS = 400
RNG = np.random.default_rng(0)
TRUTH = RNG.integers(0, 3, ROWS)
CODES = np.where(RNG.random(ROWS) < 0.1, (TRUTH + 1) % 3, TRUTH)
PROBS = 0.3 * RNG.dirichlet(np.ones(4), ROWS) + 0.7 * np.eye(4)[TRUTH]
PROBS /= PROBS.sum(axis=1, keepdims=True)
# The class without a row stands first, in the middle and last in the order of the classes.
NAMES = {"first": ["b", "c", "d", "a"], "middle": ["a", "b", "d", "c"], "last": ["a", "b", "c", "d"]}


def quiet(*arguments: object, **options: object) -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return dqlabels.audit(*arguments, **options)


@pytest.mark.parametrize("rule", dqlabels.FILTERS)
@pytest.mark.parametrize("place", list(NAMES))
def test_flags_under_compat_are_cleanlabs(rule, place):
    find_label_issues = pytest.importorskip("cleanlab.filter", reason="cleanlab is not installed").find_label_issues

    if rule == "expected_f1":
        rule = "prune_by_noise_rate"
    names = NAMES[place]
    order = np.argsort(names)
    codes = np.argsort(order)[CODES]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of small classes
        theirs = find_label_issues(codes, PROBS[:, order], filter_by=rule, n_jobs=1)
    frame = pl.DataFrame({"y": [names[code] for code in CODES]})
    audit = quiet(frame, "y", pred_probs=PROBS, classes=names, compat="cleanlab", filter_by=rule)
    assert column(audit.frame, "is_label_issue") == theirs.tolist()


@pytest.mark.parametrize("place", list(NAMES))
def test_every_view_knows_the_class_nobody_was_given(place, make_frame):
    names = NAMES[place]
    frame = make_frame({"x": CODES.tolist(), "y": [names[code] for code in CODES]})
    audit = quiet(frame, "y", pred_probs=PROBS, classes=names)
    assert any(f"No row of 'y' carries {names[3]!r}" in note for note in audit.warnings)
    assert not any("single row" in note for note in audit.warnings)
    assert list(audit.parts) == ["a", "b", "c", "d"]
    json.dumps(audit.to_dict(), allow_nan=False)
    json.dumps(audit.profile(), allow_nan=False)
    assert audit._repr_html_()
    assert audit.report_facts()
    assert audit.summary()
    assert 0 <= audit.noise_rate.low <= audit.noise_rate.estimate <= audit.noise_rate.high <= 1
    assert len(audit.noise_rates()) > 0
    assert column(audit.classes, "class") == ["a", "b", "c", "d"]
    assert audit.gate(max_noise_rate=0.5).verdict == "pass"
    assert audit.plot.classes() is not None


def test_the_unused_class_may_be_suggested_in_the_dtype_of_the_label():
    probs = PROBS.copy()
    probs[5] = [0.01, 0.01, 0.01, 0.97]
    kinds = {
        "whole": (np.array([3, 5, 7])[CODES], [3, 5, 7, 9]),
        "category": (pd.Categorical(np.array(["a", "b", "c"])[CODES]), list("abcd")),
        "text": (np.array(["a", "b", "c"])[CODES], list("abcd")),
    }
    for values, classes in kinds.values():
        frame = pd.DataFrame({"y": values})
        audit = quiet(frame, "y", pred_probs=probs, classes=classes, filter_by="predicted_neq_given")
        assert audit.frame["suggested_label"][5] == classes[3]
        changed = [str(a) != str(b) for a, b in zip(audit.frame["y"], audit.frame["suggested_label"], strict=True)]
        assert audit.frame["is_label_issue"].tolist() == changed


def test_a_frame_of_probabilities_names_it():
    named = pd.DataFrame(PROBS, columns=["a", "b", "c", "zz"])
    frame = pd.DataFrame({"y": np.array(["a", "b", "c"])[CODES]})
    straight = quiet(frame, "y", pred_probs=PROBS, classes=["a", "b", "c", "zz"])
    assert quiet(frame, "y", pred_probs=named).frame.equals(straight.frame)


def test_grades_without_a_row_keep_their_place():
    grades = np.array([1, 2, 4])[CODES]
    audit = quiet(pd.DataFrame({"y": grades}), "y", task="ordinal", pred_probs=PROBS, classes=[1, 2, 4, 3])
    assert list(audit.parts) == [1, 2, 3, 4]


def test_a_tag_that_no_list_holds_is_not_judged_and_changes_nothing():
    has = RNG.random((ROWS, 2)) < 0.5
    lists = [
        [word for word, there in zip("ab", row, strict=True) if there] for row in has ^ (RNG.random((ROWS, 2)) < 0.05)
    ]
    probs = np.where(has, 0.95, 0.05)
    frame = pl.DataFrame({"tags": lists})
    straight = quiet(frame, "tags", pred_probs=probs, classes=["a", "b"])
    more = quiet(frame, "tags", pred_probs=np.column_stack([probs, np.full(ROWS, 0.01)]), classes=["a", "b", "z"])
    assert column(more.frame, "is_label_issue") == column(straight.frame, "is_label_issue")
    assert any("'z'" in note and "no row" in note for note in more.warnings)
