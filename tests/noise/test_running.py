"""The interval of a review that is not finished: it holds at every look, and an unfinished sample gives it."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from support.frames import MAKERS, column, eager, two_classes

import dqlabels
from dqlabels.noise.reviewed import ReviewAnswers, draw_sample, reviewed_noise, side_of_limit, strata
from dqlabels.noise.running import AnswersInOrder, running_interval

QUALITY = np.linspace(0, 1, 1000)
OF_ROW = strata(QUALITY)
SIZES = np.bincount(OF_ROW)
LIBRARIES = list(MAKERS)


def wrong_labels(seed: int) -> np.ndarray:
    """Wrong labels (1000,), most of them where quality is low."""
    return np.random.default_rng(seed).random(1000) < np.array([0.4, 0.05, 0.01])[OF_ROW]


def looked_at(wrong: np.ndarray, sample: np.ndarray, answered: int) -> tuple[float, float]:
    drawn = sample[:answered]
    waiting = np.bincount(OF_ROW[sample[answered:]], minlength=3)
    return running_interval(AnswersInOrder.of(OF_ROW[drawn], wrong[drawn], waiting, SIZES, sample.size), 0.90)


def test_the_interval_holds_at_all_looks():
    wrong = wrong_labels(0)
    held = []
    for seed in range(200):
        ends = [looked_at(wrong, draw_sample(QUALITY, 100, seed), answered) for answered in (20, 50, 80, 100)]
        held.append(all(low <= wrong.mean() <= high for low, high in ends))
    assert np.mean(held) >= 0.90


def test_an_end_of_the_interval_never_moves_back():
    wrong, sample = wrong_labels(1), draw_sample(QUALITY, 120, 1)
    lows, highs = zip(*(looked_at(wrong, sample, answered) for answered in range(1, 121)), strict=True)
    assert np.diff(lows).min() > -1e-3
    assert np.diff(highs).max() < 1e-3


def test_the_last_row_of_the_table_leaves_nothing_open():
    wrong = wrong_labels(2)
    low, high = looked_at(wrong, draw_sample(QUALITY, 1000, 2), 1000)
    assert low == pytest.approx(wrong.mean())
    assert high == pytest.approx(wrong.mean())


def test_the_interval_is_of_a_sensible_width():
    wrong = wrong_labels(3)
    ratios = []
    for seed in range(20):
        sample = draw_sample(QUALITY, 200, seed)
        low, high = looked_at(wrong, sample, 200)
        given = np.zeros(1000, dtype=np.int64)
        rate = reviewed_noise(QUALITY, given, 2, ReviewAnswers(sample, wrong[sample].astype(np.int64)))
        ratios.append((high - low) / (rate.high - rate.low))
    assert 1.0 < np.mean(ratios) < 1.7


def test_where_a_stratum_cannot_be_drawn_nothing_is_claimed():
    worst = np.flatnonzero(OF_ROW == 0)
    low, high = looked_at(np.zeros(1000, dtype=bool), worst[:50], 50)
    assert (low, high) == (0.0, 0.95)


def test_the_interval_of_a_class_holds_at_all_looks():
    wrong = wrong_labels(4)
    member = np.random.default_rng(4).random(1000) < 0.3
    sizes = np.bincount(OF_ROW[member], minlength=3)
    held = []
    for seed in range(150):
        sample = draw_sample(QUALITY, 200, seed)
        whole = AnswersInOrder.of(OF_ROW[sample], wrong[sample], np.zeros(3, dtype=np.int64), SIZES, 200)
        low, high = running_interval(whole.within(member[sample], sizes), 0.90)
        held.append(low <= wrong[member].mean() <= high)
    assert np.mean(held) >= 0.90


def test_what_was_told_once_stays_told():
    wrong, sample = wrong_labels(5), draw_sample(QUALITY, 150, 5)
    given, codes = np.zeros(1000, dtype=np.int64), wrong[sample].astype(np.int64)
    told = []
    for answered in range(60, 151, 5):
        answers = ReviewAnswers(sample[:answered], codes[:answered], waiting=sample[answered:])
        rate = reviewed_noise(QUALITY, given, 2, answers)
        told.append(side_of_limit(QUALITY, given, answers, rate.to_dict(), 0.20))
    first = told.index("below")
    assert set(told[first:]) == {"below"}


@pytest.fixture(scope="module")
def made() -> dict[str, dqlabels.LabelAudit]:
    return {name: dqlabels.audit(make(two_classes(400)), "label") for name, make in MAKERS.items()}


def answered_until(sample: object, answered: int) -> object:
    """The sample with the right label in its first rows."""
    import narwhals as nw

    frame = eager(sample)
    right = [("no", "yes")[row % 2] for row in column(sample, "row")]
    answers = [label if at < answered else None for at, label in enumerate(right)]
    backend = frame.implementation
    return frame.with_columns(nw.new_series("reviewed_label", answers, nw.String, backend=backend)).to_native()


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_review_that_is_not_finished_says_that_one_may_look(made, library):
    audit = made[library]
    rate = audit.with_review(answered_until(audit.review_sample(100), 60)).noise_rate
    assert "however often" in rate.assumption


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_finished_review_has_the_narrower_interval_of_a_fixed_sample(made, library):
    audit = made[library]
    sample = audit.review_sample(100)
    early, late = (audit.with_review(answered_until(sample, number)).noise_rate for number in (99, 100))
    assert late.high - late.low < early.high - early.low
    assert "however often" not in late.assumption


def test_rows_passed_over_are_left_out_of_the_order(made):
    audit = made["polars"]
    frame = answered_until(audit.review_sample(100), 60)
    passed = frame["row"] % 7 == 0
    emptied = frame.with_columns(reviewed_label=pl.when(passed).then(None).otherwise("reviewed_label"))
    without = frame.filter(~passed | frame["reviewed_label"].is_null())
    rates = [audit.with_review(review).noise_rate for review in (emptied, without)]
    assert (rates[0].low, rates[0].high) == (rates[1].low, rates[1].high)
