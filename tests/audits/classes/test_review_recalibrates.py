"""A review recalibrates the qualities: they add up to the reviewed rate, and the flags stay."""

from __future__ import annotations

import numpy as np
import pytest
from support.frames import column

import dqlabels


def reviewed(make_frame, answer):
    """A table of 400 rows, 40 of them wrong, with a reviewed sample of 120 answered by ``answer(given, true)``."""
    rng = np.random.default_rng(0)
    true = np.repeat([0, 1], 200)
    x = true * 2 + rng.normal(0, 0.8, 400)
    given = true.copy()
    wrong = rng.choice(400, 40, replace=False)
    given[wrong] = 1 - given[wrong]
    audit = dqlabels.audit(make_frame({"x": x.tolist(), "y": given.tolist()}), "y", progress=False)
    rows = column(audit.review_sample(120), "row")
    answers = {"row": rows, "reviewed_label": [str(answer(given[at], true[at])) for at in rows]}
    return audit, audit.with_review(make_frame(answers))


@pytest.fixture
def eager_frame():
    import polars as pl

    return pl.DataFrame


def test_the_qualities_add_up_to_the_reviewed_rate(eager_frame):
    _, after = reviewed(eager_frame, lambda given, true: true)
    quality = np.array(column(after.frame, "label_quality"))
    assert (1 - quality).sum() == pytest.approx(400 * after.noise_rate.estimate, rel=1e-6)


def test_answers_that_find_nothing_wrong_raise_the_qualities(eager_frame):
    before, after = reviewed(eager_frame, lambda given, true: given)
    assert after.expected_wrong.estimate < before.expected_wrong.estimate


def test_the_flags_and_the_ranks_stay(eager_frame):
    before, after = reviewed(eager_frame, lambda given, true: true)
    assert column(before.frame, "is_label_issue") == column(after.frame, "is_label_issue")
    ranks = [np.argsort(column(one.frame, "label_quality"), kind="stable") for one in (before, after)]
    assert np.array_equal(*ranks)


def test_the_frame_of_the_first_audit_is_left_alone(eager_frame):
    before, after = reviewed(eager_frame, lambda given, true: given)
    assert column(before.frame, "label_quality") != column(after.frame, "label_quality")
