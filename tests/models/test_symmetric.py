"""Symmetric trees, and the boosted models made of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqlabels.models import boosted, symmetric
from dqlabels.models.boosted import BoostedTrees, softmax
from dqlabels.models.sizes import BoostingSizes
from dqlabels.models.symmetric import Bins, Question, grow, leaves, sums_by_cell

FEW = BoostingSizes(trees=16)


def by_hand(row, tree):
    """The leaf of one row, one question after the other."""
    leaf = 0
    for question in tree:
        value = row[question.feature]
        yes = False
        if not np.isnan(value):
            yes = value > question.threshold if question.above else value <= question.threshold
        leaf = 2 * leaf + int(yes)
    return leaf


@given(
    st.lists(st.sampled_from([-1.0, 0.0, 0.5, 2.0, np.nan]), min_size=3, max_size=3),
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from([-1.0, 0.25, 0.5]), st.booleans()), min_size=1, max_size=8),
)
def test_a_row_is_in_the_leaf_that_its_answers_spell(row, asked):
    tree = [Question(feature, threshold, above, 0) for feature, threshold, above in asked]
    columns = np.array(row, dtype=np.float32)[:, None]
    questions = (
        np.array([question.feature for question in tree]),
        np.array([question.threshold for question in tree], dtype=np.float32),
        np.array([question.above for question in tree], dtype=np.uint8),
    )
    assert leaves(columns, *questions).tolist() == [by_hand(np.array(row, dtype=np.float32), tree)]


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_binned_rows_and_rows_as_numbers_fall_into_the_same_leaves(missing):
    rng = np.random.default_rng(3)
    matrix = rng.normal(size=(2_000, 5)).astype(np.float32).round(1)
    matrix[rng.random(matrix.shape) < missing] = np.nan
    bins, targets = Bins.of(matrix, 32), rng.normal(size=(2, 2_000)) + (matrix[:, 0] > 0.3)
    tree = grow(bins, np.arange(2_000), targets, np.ones(2_000), rng, 6)
    assert len(tree) == 6
    assert bins.leaves(tree).tolist() == [by_hand(row, tree) for row in matrix]


def test_the_first_question_is_the_one_that_tells_most():
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(3_000, 2)).astype(np.float32)
    target = np.where(matrix[:, 1] > 0.5, 1.0, -1.0)[None]
    matrix = np.repeat(matrix, [1, 3], axis=1)  # half of the columns are drawn, so one of these three always is
    first = grow(Bins.of(matrix, 32), np.arange(3_000), target, np.ones(3_000), rng, 1)[0]
    assert first.feature > 0
    assert abs(first.threshold - 0.5) < 0.1


@pytest.mark.parametrize("missing_class", [0, 1])
def test_missing_values_go_to_the_side_they_are_like(missing_class):
    x = np.linspace(-1, 1, 4_000, dtype=np.float32)
    codes = (x > 0).astype(np.int64)
    x, codes = np.r_[x, np.full(2_000, np.nan, np.float32)], np.r_[codes, np.full(2_000, missing_class)]
    model = BoostedTrees.fit(x[:, None], codes, 2, np.ones(len(codes)), 0, sizes=FEW)
    likely = softmax(model.scores(np.array([[-0.5], [0.5], [np.nan]], dtype=np.float32))).argmax(axis=1)
    assert likely.tolist() == [0, 1, missing_class]


def test_a_feature_that_is_there_or_not_can_be_asked_for():
    there = np.arange(4_000) % 2 == 0
    x = np.where(there, np.float32(7), np.float32(np.nan))
    model = BoostedTrees.fit(x[:, None], there.astype(np.int64), 2, np.ones(4_000), 0, sizes=FEW)
    assert softmax(model.scores(np.array([[7], [np.nan]], dtype=np.float32))).argmax(axis=1).tolist() == [1, 0]


def test_without_a_feature_that_varies_the_shares_of_the_classes_are_all_there_is():
    model = BoostedTrees.fit(np.zeros((40, 2), np.float32), np.repeat([0, 1], [10, 30]), 2, np.ones(40), 0, sizes=FEW)
    assert np.allclose(softmax(model.scores(np.zeros((1, 2), np.float32))), [[0.25, 0.75]], atol=1e-5)


def test_a_weight_counts_as_so_many_rows():
    one = BoostingSizes(trees=1)
    matrix = np.repeat(np.array([[0], [1]], np.float32), 50, axis=0)
    codes = np.tile([0, 1], 50)
    weights = np.where(codes == 1, 3.0, 1.0)
    weighed = BoostedTrees.fit(matrix, codes, 2, weights, 0, sizes=one)
    repeated = weights.astype(int)
    rows = BoostedTrees.fit(
        np.repeat(matrix, repeated, axis=0), np.repeat(codes, repeated), 2, np.ones(200), 0, sizes=one
    )
    assert np.allclose(weighed.scores(matrix), rows.scores(matrix), atol=1e-5)


@pytest.mark.parametrize("n_classes", [2, 3, 8])
def test_gradients_that_trees_are_grown_on_keep_their_distances(n_classes):
    rng = np.random.default_rng(1)
    slopes = rng.normal(size=(20, n_classes)).astype(np.float32)
    slopes -= slopes.mean(axis=1, keepdims=True)
    turned = boosted._sketch(slopes, rng)
    assert np.allclose(turned @ turned.T, slopes @ slopes.T, atol=1e-4)


@pytest.mark.parametrize("weighted", [False, True])
def test_sums_by_cell_are_those_of_bincount_bit_for_bit(weighted):
    rng = np.random.default_rng(2)
    cells, values = rng.integers(0, 7, (3, 500)).astype(np.int32), rng.normal(size=(500, 2))
    weights = rng.random(500) if weighted else np.ones(500)
    found = sums_by_cell(cells, values, 7, weights if weighted else None)
    repeated = np.repeat(weights[:, None] * values, 3, axis=0)  # row by row, each in its three cells
    expected = [np.bincount(cells.T.ravel(), column, 7) for column in repeated.T]
    assert np.array_equal(found, np.array(expected).T)


@pytest.mark.parametrize("seed", range(6))
def test_the_question_asked_is_the_best_of_all(seed):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(400, 4)).astype(np.float32)
    matrix[:, 1], matrix[:, 2] = matrix[:, 1] > 0, np.round(matrix[:, 2])  # of 2 and of few places
    matrix[rng.random(400) < 0.2, 2] = np.nan
    matrix[rng.random(400) < 0.1, 3] = np.nan
    leaf, target = rng.integers(0, 2, 400), rng.normal(size=400) + np.isnan(matrix[:, 2]) * (seed % 2)
    bins, features = Bins.of(matrix, 32), np.arange(4)
    values = np.column_stack([np.ones(400), target])
    gain, asked = symmetric._best(
        bins, features, symmetric._tables(bins, features, bins.places, leaf.astype(np.int32), 2, values), 3.0
    )

    def worth(yes: np.ndarray) -> float:
        sides = [target[(yes == side) & (leaf == at)] for side in (False, True) for at in (0, 1)]
        return sum(side.sum() ** 2 / (side.size + 3.0) for side in sides)

    possible = [
        (matrix[:, at] > edge) if above else (matrix[:, at] <= edge)
        for at in range(4)
        for above in (True, False)
        for edge in (*bins.edges[at], np.finfo(np.float32).max)
    ]
    there = matrix[:, asked.feature]
    chosen = there > asked.threshold if asked.above else there <= asked.threshold
    assert np.isclose(gain, worth(chosen))
    assert np.isclose(gain, max(map(worth, possible)))


@pytest.mark.parametrize("n_classes", [2, 3, 4, 6, 9, 12])
def test_scores_are_the_odds_to_the_last_class_summed_over_the_trees(n_classes):
    rng = np.random.default_rng(3)
    matrix = rng.normal(size=(300, 3)).astype(np.float32)
    codes = np.digitize(matrix[:, 0], np.linspace(-1, 1, n_classes - 1))
    model = BoostedTrees.fit(matrix, codes, n_classes, np.ones(300), 0, sizes=FEW)
    whole = np.tile(model.prior.astype(float), (300, 1))
    for features, thresholds, above, steps in zip(
        model.features, model.thresholds, model.above, model.steps, strict=True
    ):
        whole += steps[leaves(np.ascontiguousarray(matrix.T), features, thresholds, above)]
    assert np.allclose(model.scores(matrix), whole - whole[:, -1:], atol=1e-4)


def test_many_classes_are_judged_on_several_threads_alike():
    rng = np.random.default_rng(4)
    matrix, codes = rng.normal(size=(4_000, 3)).astype(np.float32), rng.integers(0, boosted.MIN_THREADED_CLASSES, 4_000)
    sizes = BoostingSizes(trees=3)
    halves = boosted.Halves.fit(matrix, codes, boosted.MIN_THREADED_CLASSES, np.ones(4_000), coarse=False, sizes=sizes)
    one, many = (halves.judge(matrix, n_jobs)[0] for n_jobs in (1, 3))
    assert np.array_equal(one, many)
