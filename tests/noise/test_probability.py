"""P(wrong) by score: it falls, adds up to the rate, is right where its assumption holds, and merges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dqlabels.audits.verdict import PlainScore, in_turn
from dqlabels.noise.methods import default_noise
from dqlabels.noise.probability import (
    Calibration,
    doubtful_cutoff,
    largest_f1,
    precise_cutoff,
    wrong_probability,
)
from dqlabels.statistics.scores import SCORES, ScoreTally, logit_margin


def noisy(rows=4_000, classes=3, share=0.1, seed=0, spread=0.4):
    """Labels of which ``share`` are wrong, with the true probabilities of the classes, and which are wrong."""
    rng = np.random.default_rng(seed)
    probs = rng.dirichlet(np.full(classes, spread), rows)
    true = (probs.cumsum(axis=1) > rng.random(rows)[:, None]).argmax(axis=1)
    wrong = rng.random(rows) < share
    codes = np.where(wrong, (true + rng.integers(1, classes, rows)) % classes, true)
    return codes, probs, wrong


def calibrated(codes, probs, share=None):
    units, tally = logit_margin(codes, probs), ScoreTally.empty()
    tally.update(units)
    rate = default_noise(codes, probs)
    probability = wrong_probability(
        tally,
        codes,
        probs,
        rate.matrix,
        rate.estimate if share is None else share,
        PlainScore("logit_margin", np.empty(0)),
    )
    return units, tally, probability, rate


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 5), st.integers(20, 400), st.floats(0.01, 0.4))
def test_the_probabilities_add_up_to_the_rate(seed, classes, rows, share):
    codes, probs, _ = noisy(rows, classes, share, seed)
    units, _, probability, rate = calibrated(codes, probs)
    assert probability.wrong(units).sum() == pytest.approx(max(rate.estimate * rows, 0.5), rel=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 5), st.integers(20, 400))
def test_quality_rises_strictly_with_the_score(seed, classes, rows):
    codes, probs, _ = noisy(rows, classes, 0.1, seed)
    units, _, probability, _ = calibrated(codes, probs)
    scores = np.unique(units)
    assert (np.diff(probability.quality(scores)) > 0).all()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_the_order_of_the_rows_changes_no_bit(seed):
    codes, probs, _ = noisy(300, 3, 0.1, seed)
    order = np.random.default_rng(seed).permutation(codes.size)
    units, _, probability, _ = calibrated(codes, probs)
    mixed, _, other, _ = calibrated(codes[order], probs[order])
    assert np.array_equal(units[order], mixed)
    assert np.allclose(probability.quality(units)[order], other.quality(mixed), atol=1e-12)


@pytest.mark.parametrize("classes", [2, 3, 6])
def test_as_many_of_the_worst_rows_are_wrong_as_expected_where_the_assumption_holds(classes):
    codes, probs, wrong = noisy(20_000, classes)
    units, _, probability, _ = calibrated(codes, probs, share=wrong.mean())
    worst = np.argsort(units)[:2_000]
    assert probability.wrong(units)[worst].mean() == pytest.approx(wrong[worst].mean(), abs=0.05)


def test_the_number_to_expect_among_the_flagged_holds_the_truth():
    codes, probs, wrong = noisy(10_000)
    units, tally, probability, rate = calibrated(codes, probs)
    flagged = units < largest_f1(probability, tally)
    counted = ScoreTally.empty()
    counted.update(units[flagged])
    expected = Calibration(probability, tally, counted, rate).expected_wrong()
    assert expected.low <= wrong[flagged].sum() <= expected.high


def test_the_review_curve_ends_with_all_rows_and_the_rate():
    codes, probs, _ = noisy(500)
    _units, tally, probability, rate = calibrated(codes, probs)
    curve = Calibration(probability, tally, tally, rate).review_curve()
    assert curve["rows"][-1] == 500
    assert curve["wrong"][-1] == pytest.approx(500 * rate.estimate, rel=1e-6)
    assert (np.diff(curve["share"]) <= 1e-9).all()


def test_a_flag_is_never_on_a_row_that_speaks_for_its_label():
    codes, probs, _ = noisy(share=0.3)
    _units, tally, probability, _ = calibrated(codes, probs)
    assert largest_f1(probability, tally) <= 0


@pytest.mark.parametrize("precision", [0.5, 0.8])
def test_what_is_flagged_is_as_likely_wrong_as_asked(precision):
    codes, probs, _ = noisy(share=0.2)
    units, tally, probability, _ = calibrated(codes, probs)
    flagged = units < precise_cutoff(probability, tally, precision)
    assert flagged.any()
    assert probability.wrong(units)[flagged].mean() >= precision


def test_below_the_doubtful_cutoff_labels_are_wrong_with_at_least_a_tenth():
    codes, probs, _ = noisy(share=0.2)
    units, _, probability, _ = calibrated(codes, probs)
    doubtful = units < doubtful_cutoff(probability)
    assert probability.wrong(units)[doubtful].min() >= 0.1 > probability.wrong(units)[~doubtful].max() - 0.01


def test_a_precision_that_no_row_reaches_flags_none():
    codes, probs, _ = noisy(share=0.01)
    _units, tally, probability, _ = calibrated(codes, probs, share=0.001)
    assert precise_cutoff(probability, tally, 0.999) == -np.inf


def test_answers_that_find_every_label_right_lower_what_is_expected():
    codes, probs, _ = noisy(1_000)
    units, tally, probability, rate = calibrated(codes, probs)
    calibration = Calibration(probability, tally, tally, rate)
    read = np.argsort(units)[:200]
    from dataclasses import replace

    none = replace(rate, estimate=0.01, low=0.0, high=0.02)
    after = calibration.reviewed(units[read], np.zeros(200, dtype=bool), np.ones(200), none)
    assert after.probability.wrong(units).sum() == pytest.approx(10, rel=1e-6)


def test_answers_that_follow_the_probabilities_leave_them():
    codes, probs, wrong = noisy(20_000)
    units, tally, probability, rate = calibrated(codes, probs, share=wrong.mean())
    read = np.random.default_rng(0).choice(units.size, 4_000, replace=False)
    after = Calibration(probability, tally, tally, rate).reviewed(units[read], wrong[read], np.ones(4_000), rate)
    moved = after.probability.at_rate(wrong.mean(), tally).wrong(units) - probability.wrong(units)
    assert np.abs(moved).mean() < 0.02


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 40), st.integers(1, 60), st.booleans(), st.sampled_from(SCORES))
def test_every_class_scored_at_once_is_every_class_in_turn(seed, classes, rows, ties, name):
    rng = np.random.default_rng(seed)
    probs = rng.dirichlet(np.full(classes, 0.3), rows)
    probs = np.where(probs == probs.max(axis=1, keepdims=True), 0.5, 0.5 / classes) if ties else probs
    score = PlainScore(name, np.empty(0))
    assert (score.of_every_class(probs) == in_turn(score, probs)).all()


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.floats(1e-6, 0.999999))
def test_the_shift_of_the_log_odds_keeps_the_rate(seed, rate):
    units, tally, probability, _ = calibrated(*noisy(rows=500, seed=seed)[:2])
    moved = probability.at_rate(rate, tally)
    assert moved.wrong(units).sum() == pytest.approx(max(rate * 500, 0.5), rel=1e-6)
