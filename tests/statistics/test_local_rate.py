"""How likely a value is right, by the size of its score."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dqlabels.statistics.local_rate import right_probability
from dqlabels.statistics.plausibility import robust_spread
from dqlabels.statistics.residuals import judge_values

rows_and_expected = st.lists(st.tuples(st.integers(1, 50), st.floats(0, 50)), min_size=1, max_size=30)


@given(rows_and_expected)
def test_a_larger_score_is_always_less_likely_right(pairs):
    counts, expected = np.array([rows for rows, _ in pairs]), np.array([right for _, right in pairs])
    sizes = 1.5 ** np.arange(counts.size)
    right = right_probability(sizes, counts, expected).of(np.append(sizes, sizes[-1] * 9))
    assert ((right >= 0) & (right <= 1)).all()
    assert (np.diff(right) < 0).all()


@given(rows_and_expected)
def test_right_rows_add_up_to_those_expected(pairs):
    counts = np.array([rows for rows, _ in pairs])
    expected = np.minimum(np.array([right for _, right in pairs]), counts)
    sizes = 1.01 ** np.arange(counts.size)
    right = right_probability(sizes, counts, expected).of(sizes)
    assert abs((counts * right).sum() - expected.sum()) < 0.001 * counts.sum()


def test_a_value_predicted_exactly_is_right():
    verdict = judge_values(np.append(np.zeros(50), np.linspace(-1, 1, 50)), np.zeros(100), 0.1)[1]
    assert (verdict.right[:50] == 1).all()


def test_the_wrong_values_that_show_are_counted():
    rng = np.random.default_rng(0)
    found = []
    for _ in range(20):
        residuals = rng.normal(size=1000) + np.where(np.arange(1000) < 50, 9, 0)
        found.append((1 - judge_values(residuals, np.zeros(1000), 0.1)[1].right).sum())
    assert 45 < np.mean(found) < 60


def test_without_a_score_every_value_is_right():
    nothing = right_probability(np.empty(0), np.empty(0, dtype=np.int64), np.empty(0))
    assert nothing.of(np.array([0.0, 9.0])).tolist() == [1.0, 1.0]


def test_the_spread_of_residuals_that_are_all_exact_is_1():
    assert robust_spread(np.zeros(5)) == 1.0
