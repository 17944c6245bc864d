"""Intervals of shares and of their differences, which are to hold on few rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqlabels.noise.rate import share_interval
from dqlabels.noise.shares import difference_interval, fewest_rows

COUNTS = st.integers(1, 400).flatmap(lambda rows: st.tuples(st.integers(0, rows), st.just(rows)))


# By hand, from (x + 1) / (n + 2): 57/72 less 49/82, 2/3 less 51/202, 1/12 less 1/22.
@pytest.mark.parametrize(
    ("some", "rows", "before", "rows_before", "low", "high"),
    [
        (56, 70, 48, 80, 0.0525, 0.3358),
        (1, 1, 50, 200, -0.1226, 0.9510),
        (0, 10, 0, 20, -0.1410, 0.2168),
    ],
)
def test_the_interval_of_a_difference_adds_two_rows_to_each_group(some, rows, before, rows_before, low, high):
    found = difference_interval(some / rows, rows, before / rows_before, rows_before, 0.95)
    assert found == pytest.approx((low, high), abs=5e-4)


@given(COUNTS, COUNTS, st.floats(0.5, 0.99))
def test_a_difference_lies_in_its_interval_and_that_between_minus_one_and_one(one, other, confidence):
    (some, rows), (before, rows_before) = one, other
    low, high = difference_interval(some / rows, rows, before / rows_before, rows_before, confidence)
    assert -1 <= low <= some / rows - before / rows_before <= high <= 1


@given(COUNTS)
def test_the_interval_of_a_share_lies_between_nought_and_one(counted):
    some, rows = counted
    low, high = share_interval(some / rows, rows, 0.90)
    assert 0 <= low <= high <= 1


@pytest.mark.parametrize("rows", [1, 2, 10, 60, 300])
def test_the_interval_of_a_difference_covers_it_as_often_as_it_says(rows):
    rng = np.random.default_rng(0)
    held = []
    for _ in range(600):
        some, before = rng.binomial(rows, 0.25), rng.binomial(800, 0.25)
        low, high = difference_interval(some / rows, rows, before / 800, 800, 0.90)
        held.append(low <= 0 <= high)
    assert np.mean(held) >= 0.86


@pytest.mark.parametrize("limit", [0.01, 0.02, 0.05, 0.2, 0.5, 1.0])
def test_on_the_fewest_rows_the_interval_of_no_wrong_label_ends_at_the_limit(limit):
    rows = fewest_rows(limit, 0.90)
    assert share_interval(0.0, rows, 0.90)[1] <= limit
    assert rows == 1 or share_interval(0.0, rows - 1, 0.90)[1] > limit


def test_no_number_of_rows_shows_that_no_label_is_wrong():
    assert fewest_rows(0.0, 0.90) is None
