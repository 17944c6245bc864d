"""Scores of labels: whole numbers that rank as the probabilities do and add up in any order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dqlabels.statistics.scores import (
    N_BINS,
    OFFSET_BITS,
    SCORE_UNIT,
    SCORES,
    ScoreTally,
    bins_of,
    block_quality,
    logit_margin,
    score_units,
)


@st.composite
def labelled(draw):
    k, n, seed = draw(st.integers(2, 6)), draw(st.integers(1, 60)), draw(st.integers(0, 2**32))
    rng = np.random.default_rng(seed)
    return rng.integers(0, k, n), rng.dirichlet(np.full(k, 0.5), size=n)


def test_the_logit_margin_is_the_logarithm_of_the_odds_against_the_likeliest_other_class():
    units = logit_margin(np.array([0, 2]), np.array([[0.5, 0.25, 0.25], [0.8, 0.1, 0.1]]))
    assert units / SCORE_UNIT == pytest.approx([1.0, -3.0])


def test_no_probability_counts_as_one_unit():
    units = logit_margin(np.array([0, 0]), np.array([[0.0, 1.0], [1.0, 0.0]]))
    assert units.tolist() == [-24 * SCORE_UNIT, 24 * SCORE_UNIT]


@settings(max_examples=50, deadline=None)
@given(labelled(), st.sampled_from(SCORES))
def test_units_rank_as_the_score_does(rows, score):
    codes, probs = rows
    units, quality = score_units(codes, probs, score), block_quality(codes, probs, score)
    order = np.argsort(quality)
    apart = np.diff(quality[order]) > 1e-5
    assert (np.diff(units[order])[apart] > 0).all()


@settings(max_examples=50, deadline=None)
@given(labelled(), st.integers(0, 60))
def test_parts_add_up_to_the_whole(rows, cut):
    units = logit_margin(*rows)
    whole, first, second = ScoreTally.empty(), ScoreTally.empty(), ScoreTally.empty()
    whole.update(units)
    first.update(units[:cut])
    second.update(units[cut:])
    first.merge(second)
    assert np.array_equal(first.sums(), whole.sums())


@settings(max_examples=50, deadline=None)
@given(labelled())
def test_bins_and_offsets_give_the_units_back(rows):
    units = logit_margin(*rows)
    places, offsets = bins_of(units)
    assert np.array_equal(((places - N_BINS // 2) << OFFSET_BITS) + offsets, units.astype(np.int64))
