"""The default judge: learners pooled by what they are worth, in two rounds, none of them judging what it saw."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from dqlabels.models.linear import judge_by_lines
from dqlabels.models.out_of_sample import out_of_sample
from dqlabels.models.pool import pool_weights, pooled
from dqlabels.models.rounds import judge_in_rounds
from dqlabels.models.sizes import Sizes
from dqlabels.models.units import FittingRows, content_units
from dqlabels.models.weights import right_weights


def fitting_rows(matrix, codes, n_classes, groups=None, weights=None):
    units, order, _, _ = content_units(matrix, codes, groups)
    return FittingRows(matrix, codes, n_classes, units, order, weights)


def trend(rows=300, seed=0):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(rows, 5)).astype(np.float32)
    return matrix, (matrix.sum(axis=1) + rng.normal(size=rows) > 0).astype(np.int64)


def test_a_learner_that_knows_nothing_gets_no_weight():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2, 500)
    right = np.log(np.where(np.eye(2)[codes] == 1, 0.8, 0.2))
    weights = pool_weights([right, np.log(rng.dirichlet([1, 1], 500))], codes)
    assert weights[1] < 0.05 * weights[0]


def test_one_sure_and_wrong_label_softens_nobody():
    codes = np.repeat([0, 1], 100)
    logs = np.log(np.where(np.eye(2)[codes] == 1, 0.9999, 0.0001))
    noisy = codes.copy()
    noisy[0] = 1
    assert pool_weights([logs], noisy)[0] >= 0.9


def test_pooled_probabilities_sum_to_1():
    logs = [np.log(np.random.default_rng(seed).dirichlet(np.ones(4), 20)) for seed in range(3)]
    assert pooled(logs, [0.2, 1.5, 0.0]).sum(axis=1) == pytest.approx(np.ones(20))


def test_a_row_counts_less_the_likelier_another_class_is():
    logs = np.log(np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.999, 0.001]]))
    assert right_weights(logs, np.array([0, 0, 0, 1])) == pytest.approx([1.0, 0.8, 0.4, 0.02], abs=1e-3)


def test_a_linear_judge_learns_a_trend():
    matrix, codes = trend()
    probs = judge_by_lines(fitting_rows(matrix, codes, 2), np.ones(300), 0, 1)
    assert (probs.argmax(axis=1) == codes).mean() > 0.8


def test_a_linear_judge_takes_missing_values_and_constant_columns():
    matrix, codes = trend()
    matrix[::5, 0], matrix[:, 1] = np.nan, 7
    assert np.isfinite(judge_by_lines(fitting_rows(matrix, codes, 2), np.ones(300), 0, 1)).all()


def test_random_labels_are_guessed_by_nobody():
    rng = np.random.default_rng(0)
    matrix, codes = rng.normal(size=(600, 4)).astype(np.float32), rng.integers(0, 2, 600)
    assert 0.42 < out_of_sample(np.tile(matrix, (3, 1)), np.tile(codes, 3), 2).error < 0.58


def test_members_of_a_group_do_not_judge_each_other():
    rng = np.random.default_rng(1)
    group = np.arange(400) // 8
    label = rng.integers(0, 2, 50)[group]
    matrix = (rng.normal(size=(50, 3))[group] + 0.01 * rng.normal(size=(400, 3))).astype(np.float32)
    assert out_of_sample(matrix, label, 2).error < 0.2
    assert out_of_sample(matrix, label, 2, groups=group).error > 0.35


def test_rows_alike_get_the_same_answer_on_a_coarse_table():
    rng = np.random.default_rng(2)
    matrix, codes = rng.integers(0, 2, (300, 1)).astype(np.float32), rng.integers(0, 2, 300)
    probs = out_of_sample(matrix, codes, 2).probs
    kinds = {(float(x), int(y)): probs[at].tolist() for at, (x, y) in enumerate(zip(matrix[:, 0], codes, strict=True))}
    assert all(kinds[float(matrix[at, 0]), int(codes[at])] == probs[at].tolist() for at in range(300))


@pytest.mark.parametrize("rows", [1_000, 9_000, 12_000])
def test_wrong_labels_of_a_rare_class_far_away_are_found_however_large_the_others(rows):
    rng = np.random.default_rng(0)
    matrix = np.r_[rng.normal(size=(rows, 3)), rng.normal(size=(30, 3)) + 12].astype(np.float32)
    codes = np.r_[(matrix[:rows, 0] > 0).astype(np.int64), np.full(30, 2)]
    codes[rows : rows + 3] = [0, 1, 0]
    assert (out_of_sample(matrix, codes, 3).probs[rows : rows + 3].argmax(axis=1) == 2).all()


def test_many_classes_tell_their_progress_tree_by_tree():
    rng = np.random.default_rng(0)
    codes = np.repeat(np.arange(210), 4)
    matrix = rng.normal(size=(codes.size, 3)).astype(np.float32)
    rows = FittingRows(matrix, codes, 210, np.arange(codes.size), np.arange(codes.size), None)
    told: list[tuple[int, int]] = []
    judge_in_rounds(rows, Sizes(), 0, 1, lambda done, total: told.append((done, total)))
    steps = told[-1][1]
    assert told == [(done, steps) for done in range(1, steps + 1)]
    assert steps > 20


def test_threads_leave_the_callers_warnings_filters_as_they_were():
    matrix, codes = trend()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = list(warnings.filters)
        for _ in range(5):
            judge_by_lines(fitting_rows(matrix, codes, 2), np.ones(300), 0, 5)
        assert warnings.filters == before
