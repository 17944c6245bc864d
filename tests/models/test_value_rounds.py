"""The judge of numbers: out of sample, in two rounds, whatever the order of the rows."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import make_friedman2
from sklearn.metrics import average_precision_score

from dqlabels.models.value_folds import Design, ValueFolds
from dqlabels.models.value_rounds import predict_in_rounds


def table(rows=120, seed=0):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(rows, 3)).astype(np.float32)
    return matrix, matrix[:, 0] + np.sin(matrix[:, 1]) + 0.1 * rng.normal(size=rows)


def predictions(folds, targets, learner):
    weights, line = np.ones(targets.size), Design.straight(folds.matrix)
    if learner == "boosted":
        return folds.boosted(targets, weights, 1)
    if learner == "line":
        return folds.line(targets, weights, line)
    # Of several curves the one that loses least is chosen, and all values decide that together.
    return folds.curve(targets, weights, line.curved(folds.matrix, 0)[:1])[0]


@pytest.mark.parametrize("learner", ["boosted", "line"])
def test_a_value_says_nothing_about_itself_nor_its_unit(learner):
    matrix, values = table()
    units = np.arange(120) // 2
    folds = ValueFolds.of(matrix, np.arange(120), units, 0)
    other = values.copy()
    other[7] += 50
    plain, changed = predictions(folds, values, learner), predictions(folds, other, learner)
    assert np.allclose(plain[[6, 7]], changed[[6, 7]], atol=1e-9)
    assert not np.allclose(plain, changed)


@pytest.mark.parametrize("learner", ["boosted", "line", "curve"])
def test_rows_without_a_value_are_judged(learner):
    matrix, values = table()
    folds = ValueFolds.of(matrix, np.arange(100), np.arange(120), 0)
    found = predictions(folds, np.where(np.arange(120) < 100, values, 0), learner)
    assert np.corrcoef(found[100:], values[100:])[0, 1] > 0.7


def test_few_units_are_left_to_the_trees():
    matrix, _ = table()
    assert ValueFolds.of(matrix, np.arange(120), np.arange(120) // 10, 0) is None


def test_a_weight_of_nothing_is_as_if_the_row_were_not_there():
    matrix, values = table()
    wild = values.copy()
    wild[:10] += 100
    weights = (np.arange(120) >= 10).astype(float)
    found = predict_in_rounds(matrix, wild, sample_weight=weights)
    missing = predict_in_rounds(matrix, np.where(weights > 0, values, np.nan))
    rows = slice(10, 120)
    assert np.corrcoef(found.mean[rows], missing.mean[rows])[0, 1] > 0.95


def test_errors_in_a_smooth_relation_rank_first():
    matrix, right = make_friedman2(500, noise=20, random_state=3)
    wrong = np.arange(500) % 20 == 3
    given = right + wrong * right.std() * np.where(np.arange(500) % 40 == 3, 1.2, -1.2)
    found = predict_in_rounds(matrix.astype(np.float32), given)
    sizes = np.abs(found.scale.apply(given) - found.mean)
    assert average_precision_score(wrong, sizes) > 0.95
