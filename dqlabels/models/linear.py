"""Logistic regression in folds: the learner that finds most where classes differ by a trend and rows are few."""

from __future__ import annotations

import warnings

import numpy as np

from dqlabels.models.folds import judge_in_folds
from dqlabels.models.units import FittingRows
from dqlabels.statistics.arrays import FloatArray, IntArray, Matrix

FOLDS = 5
# Inverse strength of the penalty, chosen on tables that no benchmark reports.
INVERSE_PENALTY = 0.05
MAX_STEPS = 100
# Values further from the mean than this many standard deviations count as this far.
MAX_DEVIATION = 5.0
# Beyond these it costs more than it finds: trees have enough rows there.
MAX_ROWS, MAX_CLASSES, MAX_COLUMNS = 10_000, 20, 1_000


def is_worth_a_line(rows: int, columns: int, n_classes: int) -> bool:
    """Return whether a linear model may find what trees do not, in little time.

    >>> is_worth_a_line(1_000, 20, 2), is_worth_a_line(20_000, 16, 26)
    (True, False)
    """
    return rows <= MAX_ROWS and columns <= MAX_COLUMNS and n_classes <= MAX_CLASSES


def judge_by_lines(rows: FittingRows, weights: FloatArray, seed: int, n_threads: int) -> FloatArray | None:
    """Return probabilities (n, K) by logistic regressions that did not see the row; None where a fold has one class.

    Args:
        rows: The table.
        weights: (n,) how much each row counts.
        seed: Seeds the folds.
        n_threads: With two or more folds are fitted side by side; the answer does not depend on it.
    """
    from sklearn.exceptions import ConvergenceWarning

    labelled = rows.labelled[weights[rows.labelled] > 0]

    def judge(_fold: int, train: IntArray, tests: IntArray) -> FloatArray:
        return _fit_and_judge(rows, train, tests, weights)

    # Around all threads: filters that each of them saves and restores by itself would not be the caller's at the end.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # near enough to the best line to rank rows
        return judge_in_folds(rows, labelled, weights, n_folds=FOLDS, seed=seed, n_threads=n_threads, judge=judge)


def _fit_and_judge(rows: FittingRows, train: IntArray, tests: IntArray, weights: FloatArray) -> FloatArray:
    from sklearn.linear_model import LogisticRegression

    centre, spread = _centre_and_spread(rows.matrix[train])
    model = LogisticRegression(C=INVERSE_PENALTY, max_iter=MAX_STEPS)
    model.fit(_standardised(rows.matrix[train], centre, spread), rows.codes[train], weights[train])
    probs = np.zeros((tests.size, rows.n_classes))
    probs[:, model.classes_] = model.predict_proba(_standardised(rows.matrix[tests], centre, spread))
    return probs


def _centre_and_spread(matrix: Matrix) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation (d,) of the values that are there; 0 and 1 where a column says nothing."""
    there = ~np.isnan(matrix)
    number = np.maximum(there.sum(axis=0), 1)
    values = np.where(there, matrix, 0).astype(np.float64)
    centre = values.sum(axis=0) / number
    spread = np.sqrt((np.where(there, values - centre, 0) ** 2).sum(axis=0) / number)
    return centre, np.where(spread > 0, spread, 1)


def _standardised(matrix: Matrix, centre: FloatArray, spread: FloatArray) -> FloatArray:
    """Values in standard deviations from the mean, missing ones at the mean."""
    values = (matrix - centre) / spread
    return np.clip(np.nan_to_num(values, nan=0.0), -MAX_DEVIATION, MAX_DEVIATION)
