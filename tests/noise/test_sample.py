"""The rows that the noise rate is read from are the same in any blocks and any order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dqlabels.noise.sample import RowSample


def rows(seed=0, n=300, k=3, kinds=None):
    rng = np.random.default_rng(seed)
    probs = rng.dirichlet(np.ones(k), n if kinds is None else kinds)
    return rng.integers(0, k, n), probs if kinds is None else probs[rng.integers(0, kinds, n)]


def drawn(parts, limit):
    samples = []
    for codes, probs in parts:
        samples.append(RowSample(limit))
        samples[-1].update(codes, probs)
    for other in samples[1:]:
        samples[0].merge(other)
    return samples[0].finish()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 299), st.integers(5, 400), st.sampled_from([None, 7]))
def test_parts_in_any_order_draw_the_same_rows(seed, cut, limit, kinds):
    codes, probs = rows(seed, kinds=kinds)
    order = np.random.default_rng(seed).permutation(codes.size)
    mixed, shuffled = codes[order], probs[order]
    whole = drawn([(codes, probs)], limit)
    parts = drawn([(mixed[:cut], shuffled[:cut]), (mixed[cut:], shuffled[cut:])], limit)
    assert all(np.array_equal(one, other) for one, other in zip(whole, parts, strict=True))


def test_a_small_table_is_drawn_whole():
    codes, probs = rows()
    assert drawn([(codes, probs)], 1_000)[0].size == 300


def test_no_more_rows_are_drawn_than_the_limit():
    codes, probs = rows(n=5_000)
    assert drawn([(codes, probs)], 100)[0].size == 100


def test_rows_that_repeat_are_drawn_by_their_share():
    codes = np.array([0] * 900 + [1] * 100)
    probs = np.tile([[0.7, 0.3]], (1_000, 1))
    assert np.bincount(drawn([(codes, probs)], 100)[0]).tolist() == [90, 10]


def test_the_names_of_the_classes_choose_no_rows():
    codes, probs = rows(n=2_000)
    own = np.sort(drawn([(codes, probs)], 50)[1].max(axis=1))
    turned = np.sort(drawn([(2 - codes, np.ascontiguousarray(probs[:, ::-1]))], 50)[1].max(axis=1))
    assert own == pytest.approx(turned)
