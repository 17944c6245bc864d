"""The chart of a monitor: how soon it alarms, and how seldom it does for nothing."""

from __future__ import annotations

import numpy as np
import pytest

from dqlabels.noise.sequential import Plan, alarm_limit, chart, nights_to_find

ERROR, ZERO_ERROR = 0.01, 0.0045


def nights(seed: int, number: int, error: float = ERROR, zero_error: float = ZERO_ERROR) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return zero_error * rng.standard_normal() + error * rng.standard_normal(number)


def alarms(increases: np.ndarray, error: float = ERROR, plan: Plan | None = None) -> np.ndarray:
    return chart(increases, np.full(increases.size, error), ZERO_ERROR, 0.0, plan or Plan()).alarms


def test_a_year_of_clean_nights_has_at_most_one_false_alarm_on_average():
    begun = 0
    for seed in range(40):
        found = alarms(nights(seed, 365))
        begun += int(found[0]) + int((found[1:] & ~found[:-1]).sum())
    assert begun <= 40


@pytest.mark.parametrize(("rise", "at_most"), [(0.03, 5), (0.10, 2), (0.40, 1)])
def test_a_rise_is_found_soon(rise, at_most):
    delays = []
    for seed in range(20):
        increases = nights(seed, 60)
        increases[20:] += rise
        delays.append(int(np.flatnonzero(alarms(increases)[20:])[0]) + 1)
    assert np.median(delays) <= at_most


def test_a_slow_rise_is_found_before_it_is_three_points():
    found = []
    for seed in range(20):
        ramp = 0.07 / 30 * np.arange(1, 41)
        increases = np.concatenate([nights(seed, 20), nights(seed, 60)[20:] + ramp])
        found.append(ramp[np.flatnonzero(alarms(increases)[20:])[0]])
    assert np.median(found) < 0.03


def test_a_fall_is_no_alarm():
    increases = nights(0, 60)
    increases[20:] -= 0.05
    assert not alarms(increases).any()


def test_clean_nights_end_an_alarm():
    increases = nights(1, 60)
    increases[20:30] += 0.05
    found = alarms(increases)
    assert found[29]
    assert not found[40:].any()


def test_the_first_nights_correct_a_zero_that_reads_too_low():
    found = chart(np.full(60, 0.008), np.full(60, 0.003), 0.006, 0.0, Plan())
    assert found.zeros[-1] == pytest.approx(0.008, abs=0.001)
    assert not found.alarms.any()


def test_one_night_far_off_does_not_hide_itself():
    increases = nights(2, 8)
    increases[7] = 0.30
    assert alarms(increases)[7]


def test_nights_that_vary_more_than_chance_give_fewer_alarms_than_chance_alone_would():
    rng = np.random.default_rng(0)
    wild = 0.02 * rng.standard_normal(365)  # twice the stated error
    spread = chart(wild, np.full(365, ERROR), ZERO_ERROR, 0.0, Plan()).spread
    assert spread == pytest.approx(1.7, abs=0.2)
    found = alarms(wild)
    assert int(found[0]) + int((found[1:] & ~found[:-1]).sum()) <= 8  # 27 where chance alone is allowed for


def test_batches_of_different_sizes_count_by_what_they_say():
    increases, errors = np.zeros(30), np.full(30, ERROR)
    increases[20] = 0.05
    errors[20] = 0.10  # few rows
    assert not chart(increases, errors, ZERO_ERROR, 0.0, Plan()).alarms.any()


def test_fewer_false_alarms_ask_for_more_evidence():
    errors = np.full(10, ERROR)
    seldom, often = (alarm_limit(errors, ZERO_ERROR, 0.0, Plan(false_alarms_per_year=number)) for number in (0.2, 4))
    assert seldom > often


def test_the_same_nights_give_the_same_chart():
    one, other = (chart(nights(3, 50), np.full(50, ERROR), ZERO_ERROR, 0.3, Plan()) for _ in range(2))
    assert np.array_equal(one.sums, other.sums)
    assert one.limit == other.limit


def test_the_run_that_alarms_begins_where_the_rise_did():
    increases = np.zeros(40)
    increases[30:] = 0.04
    assert chart(increases, np.full(40, ERROR), ZERO_ERROR, 0.0, Plan()).starts[34] == 30


def test_a_rise_that_is_too_small_is_never_found():
    assert nights_to_find(0.05, 0.02, 6.0, 0.01, Plan()) == np.inf
