"""Corrections for many tests."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dqlabels.statistics.multiple_testing import benjamini_hochberg, holm


@given(st.lists(st.floats(0, 1), max_size=60), st.floats(0.01, 0.99))
def test_flags_begin_where_benjamini_and_hochberg_say(p, fdr):
    ranked = sorted(p)
    bar = max((p_k for k, p_k in enumerate(ranked, 1) if p_k <= fdr * k / len(p) and p_k < 1), default=-1.0)
    assert benjamini_hochberg(np.array(p), fdr).tolist() == [value <= bar for value in p]


def test_holm_stops_at_the_first_test_that_holds():
    assert holm(np.array([0.001, 0.04, 0.03]), 0.05).tolist() == [True, False, False]
