"""Confident learning over arrays: the paper's definitions row by row, and laws that hold whatever the blocks."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dqlabels.engines.memory import Pairs, flag, judge
from dqlabels.statistics.classes import (
    PRUNE_RULES,
    ClassTally,
    JointTally,
    calibrate,
    prune_counts,
    strongest_rival,
)
from dqlabels.statistics.scores import SCORES
from dqlabels.statistics.selection import Selection


@st.composite
def labelled_probabilities(draw, most_rows=80, most_classes=30):
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n, k = draw(st.integers(2, most_rows)), draw(st.integers(2, most_classes))
    codes = rng.integers(0, draw(st.integers(1, k)), n)
    probs = rng.dirichlet(np.full(k, draw(st.sampled_from([0.1, 0.5, 2.0]))), n)
    if draw(st.booleans()):  # a tree model ties whole leaves
        probs = np.round(probs * 4) + 1
        probs /= probs.sum(axis=1, keepdims=True)
    return codes, probs.astype(draw(st.sampled_from([np.float32, np.float64])))


def paper(codes, probs):
    """Thresholds, confident joint and prune-by-noise-rate mask, written from the paper with loops."""
    n, k = probs.shape
    q = np.rint(probs.astype(np.float64) * 2**24).astype(int)
    bars = [
        -(-int(q[codes == j, j].sum()) // int((codes == j).sum())) if (codes == j).any() else 2**30 for j in range(k)
    ]
    counts = np.zeros((k, k), dtype=int)
    for i in range(n):
        sure = [j for j in range(k) if q[i, j] >= bars[j]]
        if sure:
            counts[codes[i], max(sure, key=lambda j: (probs[i, j], -j))] += 1
    flagged = np.zeros(n, dtype=bool)
    prune = prune_counts(counts, np.bincount(codes, minlength=k))
    given = probs[np.arange(n), codes]
    for i in range(k):
        rows = np.flatnonzero(codes == i)
        for j in range(k):
            number = min(int(prune[i, j]), rows.size)
            if i != j and number:
                margin = q[rows, j] - q[rows, i]
                flagged[rows[margin >= max(np.sort(margin)[-number], 1)]] = True
    others = probs.copy()
    others[np.arange(n), codes] = -1
    return counts, flagged & (others.max(axis=1) > given)


def same(a, b):
    names = ("quality", "flagged", "suggested", "likely", "thresholds", "confident_joint", "joint")
    return all(np.array_equal(getattr(a, name), getattr(b, name), equal_nan=True) for name in names)


@settings(max_examples=150, deadline=None)
@given(labelled_probabilities())
def test_the_joint_and_the_flags_are_the_papers(rows):
    codes, probs = rows
    counts, flagged = paper(codes, probs)
    found = judge(codes, probs, block_rows=16)
    assert np.array_equal(found.confident_joint, counts)
    assert np.array_equal(found.flagged, flagged)


@pytest.mark.parametrize("classes", [2, 3, 12, 25])
def test_the_flags_of_a_larger_table_are_the_papers(classes):
    rng = np.random.default_rng(classes)
    truth = rng.integers(0, classes, 4000)
    strengths = rng.standard_gamma(0.3, (4000, classes))
    strengths[np.arange(4000), truth] += rng.gamma(3.0, 0.3, 4000)
    probs = strengths / strengths.sum(axis=1, keepdims=True)
    codes = np.where(rng.random(4000) < 0.3, rng.integers(0, classes, 4000), truth)
    counts, flagged = paper(codes, probs)
    found = judge(codes, probs, n_threads=2, block_rows=700)
    assert flagged.sum() > 100
    assert np.array_equal(found.confident_joint, counts)
    assert np.array_equal(found.flagged, flagged)


@settings(max_examples=60, deadline=None)
@given(
    labelled_probabilities(), st.sampled_from(PRUNE_RULES), st.sampled_from(["by column", "every other row", "cut out"])
)
def test_the_layout_in_memory_changes_nothing(rows, rule, layout):
    codes, probs = rows
    if layout == "by column":
        other = np.asfortranarray(probs)
    elif layout == "every other row":
        other = np.repeat(probs, 2, axis=0)[::2]
    else:
        other = np.pad(probs, ((0, 0), (1, 2)))[:, 1:-2]
    assert same(judge(codes, probs, filter_by=rule), judge(codes, other, filter_by=rule))


@pytest.mark.parametrize("classes", [2, 5, 20])
def test_minus_zero_is_zero(classes):
    probs = np.eye(classes)[np.arange(60) % classes]
    codes = np.arange(60) * 7 % classes
    assert same(judge(codes, probs), judge(codes, np.where(probs == 0, -0.0, probs)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_two_classes_take_at_most_a_quarter_of_the_matrix_more(dtype):
    rng = np.random.default_rng(0)
    second = rng.beta(0.5, 0.5, 1_000_000)
    probs = np.column_stack([1 - second, second]).astype(dtype)
    codes = (rng.random(1_000_000) < 0.7 * second + 0.15).astype(np.int64)
    flag(codes[:1000], probs[:1000])  # what is imported on the first call is no memory of the rows
    tracemalloc.start()
    found = flag(codes, probs)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.flagged.any()
    assert peak <= probs.nbytes / 4


def test_a_rare_class_that_the_model_never_finds_draws_no_flags():
    rng = np.random.default_rng(0)
    first = rng.beta(0.5, 0.5, 1000) * 0.99
    probs = np.column_stack([first, 0.99 - first, np.full(1000, 0.01)])
    codes = (rng.uniform(0, 0.99, 1000) > first).astype(int)  # overlap: the model is right about how sure it is
    without = judge(codes, probs).flagged.sum()
    codes[[150, 160]] = 2  # its threshold is 0.01, which every row reaches
    assert judge(codes, probs).flagged.sum() <= without + 2


@settings(max_examples=60, deadline=None)
@given(
    labelled_probabilities(),
    st.sampled_from(PRUNE_RULES),
    st.sampled_from(SCORES),
    st.integers(1, 90),
    st.integers(1, 4),
)
def test_blocks_and_threads_change_nothing(rows, rule, score, block, threads):
    codes, probs = rows
    whole = judge(codes, probs, filter_by=rule, score=score, n_threads=1)
    assert same(whole, judge(codes, probs, filter_by=rule, score=score, n_threads=threads, block_rows=block))


@settings(max_examples=60, deadline=None)
@given(labelled_probabilities(), st.sampled_from(PRUNE_RULES), st.randoms())
def test_row_order_changes_nothing(rows, rule, random):
    codes, probs = rows
    order = np.array(random.sample(range(len(codes)), len(codes)))
    flags = judge(codes, probs, filter_by=rule).flagged
    assert np.array_equal(judge(codes[order], probs[order], filter_by=rule).flagged, flags[order])


@settings(max_examples=60, deadline=None)
@given(labelled_probabilities(), st.sampled_from(PRUNE_RULES), st.booleans())
def test_a_row_is_flagged_exactly_where_another_class_is_suggested(rows, rule, adjust):
    codes, probs = rows
    found = judge(codes, probs, filter_by=rule, adjust=adjust)
    assert np.array_equal(found.flagged, found.suggested != codes)


@settings(max_examples=60, deadline=None)
@given(labelled_probabilities(), st.sampled_from(SCORES), st.booleans())
def test_quality_lies_between_0_and_1(rows, score, adjust):
    quality = judge(*rows, score=score, adjust=adjust).quality
    assert np.isfinite(quality).all()
    assert ((quality >= 0) & (quality <= 1)).all()


@settings(max_examples=60, deadline=None)
@given(labelled_probabilities(), st.integers(0, 80))
def test_parts_of_a_tally_add_up_to_the_whole(rows, cut):
    codes, probs = rows
    own = probs[np.arange(len(codes)), codes]
    whole, first, second = (ClassTally.empty(probs.shape[1]) for _ in range(3))
    whole.update(codes, own)
    first.update(codes[:cut], own[:cut])
    second.update(codes[cut:], own[cut:])
    second.merge(first)
    assert np.array_equal(second.confidence, whole.confidence)
    assert np.array_equal(second.bars(), whole.bars())


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(-5, 5)), min_size=1),
    st.integers(0, 40),
    st.sampled_from([1, 3, 1000]),
)
def test_parts_of_a_selection_add_up_to_the_whole(values, cut, settle_at):
    cells = np.array([cell for cell, _ in values])
    scores = np.array([score for _, score in values], dtype=float)
    limits, rows = np.array([2, 0, 5]), np.arange(len(values))
    first, second = (Selection.empty(limits, settle_at=settle_at) for _ in range(2))
    first.update(rows[:cut], cells[:cut], scores[:cut])
    second.update(rows[cut:], cells[cut:], scores[cut:])
    second.merge(first)
    full = second.settle()
    expected = set()
    for cell, limit in enumerate(limits):
        of_cell = np.sort(scores[cells == cell])[::-1]
        assert full[cell] == (of_cell.size >= limit)
        if limit and of_cell.size:
            expected |= set(rows[(cells == cell) & (scores >= of_cell[:limit][-1])].tolist())
    assert set(second.selected(limits > 0).tolist()) == expected


def test_every_row_that_ties_at_a_cut_is_flagged():
    codes = np.array([0] * 20 + [1] * 20)
    probs = np.tile([0.9, 0.1], (40, 1))
    probs[20:] = [0.1, 0.9]
    probs[[3, 7, 11]] = [0.1, 0.9]
    assert np.flatnonzero(judge(codes, probs).flagged).tolist() == [3, 7, 11]


def test_certainty_has_the_best_confidence_weighted_entropy():
    probs = np.array([[1.0, 0.0], [0.0, 1.0], [0.7, 0.3], [1.0, 0.0]])
    quality = judge(np.array([0, 1, 0, 1]), probs, score="confidence_weighted_entropy").quality
    assert quality[:2].tolist() == [1.0, 1.0]
    assert 0 < quality[2] < 1
    assert quality[3] == 0  # as sure, but of another class


def test_classes_without_rows_are_legal():
    probs = np.tile([0.5, 0.2, 0.3], (4, 1))
    assert np.isnan(judge(np.array([0, 0, 2, 2]), probs).thresholds).tolist() == [False, True, False]


def test_no_rows_are_legal():
    assert judge(np.empty(0, dtype=np.int64), np.empty((0, 3))).flagged.shape == (0,)


def test_frozen_classes_are_never_flagged():
    probs = np.tile([0.1, 0.9], (10, 1))
    codes = np.array([0] + [1] * 9)
    frozen = judge(codes, probs, filter_by="predicted_neq_given", frozen_classes=np.array([True, False]))
    assert not frozen.flagged.any()


def test_the_arrays_of_a_judgement_are_read_only():
    found = judge(np.array([0, 1]), np.eye(2))
    with pytest.raises(ValueError, match="read-only"):
        found.quality[0] = 0


def test_the_joint_is_rescaled_to_the_label_counts():
    assert calibrate(np.array([[3, 1], [1, 1]]), np.array([8, 4])).tolist() == [[6, 2], [2, 2]]


def test_rows_without_a_confident_class_count_nowhere():
    joint = JointTally.empty(2)
    joint.update(np.array([0, 1, 1]), np.array([0, -1, 0]))
    assert joint.finish().tolist() == [[1, 0], [1, 0]]


@settings(max_examples=60, deadline=None)
@given(labelled_probabilities(), st.sampled_from(["none", "cleanlab"]), st.integers(1, 90))
def test_the_label_and_its_rival_are_found_on_the_way(rows, compat, block):
    codes, probs = rows
    pairs = Pairs.to_fill(probs)
    judge(codes, probs, pairs=pairs, block_rows=block, compat=None if compat == "none" else compat)
    others = probs.copy()
    others[np.arange(codes.size), codes] = -1
    assert (pairs.own == probs[np.arange(codes.size), codes]).all()
    assert (pairs.rival == others.max(axis=1)).all()
    assert (strongest_rival(codes, probs) == others.max(axis=1)).all()
