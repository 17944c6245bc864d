"""Rates of segments from P(wrong): in bounds, whatever the order of the rows, and apart where they truly are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqlabels.noise.mixture import mixture_noise
from dqlabels.noise.rate import NoiseRate
from dqlabels.noise.segments import SegmentRates, segment_rates, told_apart


def rate_of(rows: int = 1000) -> NoiseRate:
    codes = np.arange(rows) % 2
    probs = np.where(np.eye(2)[codes] == 1, 0.9, 0.1)
    codes[:50] = 1 - codes[:50]
    return mixture_noise(codes, probs)


RATE = rate_of()
ROWS = st.lists(st.tuples(st.integers(0, 6), st.floats(0, 1)), min_size=1, max_size=60)


def found(codes: np.ndarray, wrong: np.ndarray) -> SegmentRates:
    places = np.unique(codes, return_inverse=True)[1]
    return segment_rates(places, wrong, wrong > 0.5, RATE)


@given(ROWS)
def test_rates_and_their_intervals_are_shares_in_order(rows):
    codes, wrong = (np.array(part) for part in zip(*rows, strict=True))
    rates = found(codes, wrong.astype(float))
    rising = (rates.all_low, rates.low, rates.estimate, rates.high, rates.all_high)
    assert (np.diff(np.stack(rising), axis=0) >= 0).all()
    assert ((rates.all_low >= 0) & (rates.all_high <= 1)).all()
    assert ((rates.all_low <= rates.beyond) & (rates.beyond <= rates.estimate)).all()
    assert (rates.expected <= rates.flagged).all()


@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(rows, random):
    shuffled = random.sample(rows, len(rows))
    one, other = (
        found(*(np.array(part, dtype=float) for part in zip(*some, strict=True))) for some in (rows, shuffled)
    )
    assert one.estimate == pytest.approx(other.estimate, abs=1e-9)


def test_segments_that_chance_tells_apart_no_further_are_drawn_to_the_table():
    rng = np.random.default_rng(0)
    wrong, codes = (rng.random(2000) < 0.05).astype(float), rng.integers(0, 20, 2000)
    plain = np.bincount(codes, weights=wrong) / np.bincount(codes)
    assert found(codes, wrong).estimate.std() < plain.std() / 2


def test_segments_that_truly_differ_stay_apart():
    codes = np.repeat(np.arange(5), 1000)
    wrong = (np.arange(5000) % 100 < np.repeat([2, 4, 8, 16, 32], 1000)).astype(float)
    rate = replace(RATE, estimate=wrong.mean(), low=wrong.mean() - 0.02, high=wrong.mean() + 0.02)
    rates = segment_rates(codes, wrong, wrong > 0.5, rate)
    apart = np.diff(rates.estimate)
    assert apart == pytest.approx([0.02, 0.04, 0.08, 0.16], rel=0.05)


def test_a_probability_that_tells_nothing_gives_every_segment_the_rate_of_the_table():
    rates = found(np.arange(100) % 5, np.full(100, 0.1))
    assert rates.estimate == pytest.approx(np.full(5, RATE.estimate))


def test_a_segments_rate_is_not_blurred_by_how_surely_labels_are_judged():
    rng = np.random.default_rng(1)
    codes = np.repeat(np.arange(6), 2000)
    truly = rng.random(12_000) < np.where(codes == 0, 0.3, 0.05)
    # Wrong labels are seen half of the time, and otherwise look like right ones.
    seen = truly & (rng.random(12_000) < 0.5)
    share = (truly & ~seen).sum() / (~seen).sum()
    rates = found(codes, np.where(seen, 1.0, share))
    spread = rates.estimate[0] - rates.estimate[1:].mean()
    assert spread == pytest.approx(0.25, abs=0.04)


def test_sure_probabilities_tell_labels_apart_wholly():
    assert told_apart(np.array([0.0, 1.0, 0.0, 1.0])) == 1.0
