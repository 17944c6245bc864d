"""Out-of-sample probabilities: nobody judges a row it has seen."""

from __future__ import annotations

import re
import sys
from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import KFold, LeaveOneGroupOut, ShuffleSplit
from sklearn.tree import DecisionTreeClassifier

from dqlabels.errors import ModelError, OptionError
from dqlabels.models.out_of_sample import out_of_sample
from dqlabels.models.sizes import BoostingSizes, FoldSizes, Sizes
from dqlabels.models.units import content_units

BOOSTED = Sizes(boosting=(FoldSizes(None, 2, BoostingSizes(trees=24)),))


def table(rows=150, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    codes = np.arange(rows) % classes
    matrix = (rng.normal(size=(rows, 3)) + codes[:, None]).astype(np.float32)
    return matrix, codes


class Recorder(ClassifierMixin, BaseEstimator):
    """Remembers, in a list shared by its clones, which rows it was fitted on and asked about."""

    log: list = []  # noqa: RUF012

    def fit(self, X, y, sample_weight=None):
        self.classes_ = np.unique(y)
        self.seen_ = {row.tobytes() for row in X}
        return self

    def predict_proba(self, X):
        Recorder.log.append(self.seen_ & {row.tobytes() for row in X})
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))


@pytest.fixture(autouse=True)
def empty_log():
    Recorder.log = []


@pytest.mark.parametrize("options", [{}, {"model": DecisionTreeClassifier()}], ids=["out of bag", "folds"])
def test_random_labels_cannot_be_known(options):
    rng = np.random.default_rng(0)
    answer = out_of_sample(rng.normal(size=(600, 4)).astype(np.float32), rng.integers(0, 2, 600), 2, **options)
    assert 0.42 < answer.error < 0.58


@pytest.mark.parametrize("options", [{}, {"model": DecisionTreeClassifier()}], ids=["out of bag", "folds"])
def test_copies_of_a_row_do_not_give_its_label_away(options):
    rng = np.random.default_rng(0)
    matrix, codes = rng.normal(size=(300, 4)).astype(np.float32), rng.integers(0, 2, 300)
    answer = out_of_sample(np.tile(matrix, (4, 1)), np.tile(codes, 4), 2, **options)
    assert 0.4 < answer.error < 0.6


@pytest.mark.parametrize("options", [{}, {"model": DecisionTreeClassifier()}, {"cv": 3}])
def test_rows_sum_to_one(options):
    assert np.allclose(out_of_sample(*table(), 3, **options).probs.sum(axis=1), 1)


def test_row_order_changes_nothing():
    matrix, codes = table()
    order = np.random.default_rng(1).permutation(len(codes))
    whole = out_of_sample(matrix, codes, 3).probs
    assert np.array_equal(out_of_sample(matrix[order], codes[order], 3).probs, whole[order])


def test_thread_count_changes_nothing():
    assert np.array_equal(out_of_sample(*table(), 3, n_jobs=1).probs, out_of_sample(*table(), 3, n_jobs=4).probs)


@pytest.fixture
def boosted_table():
    """A table with copies of some rows; with the sizes ``BOOSTED`` boosting takes part in judging it."""
    matrix, codes = table(rows=600)
    matrix[300:360] = matrix[:60]
    return matrix, codes


def test_the_model_says_what_judged(boosted_table):
    name = out_of_sample(*boosted_table, 3, sizes=BOOSTED).model
    assert re.fullmatch(r"(bagged trees|boosted trees|logistic regression) .*\d+%, out of sample, in two rounds", name)


def test_row_order_changes_nothing_in_a_boosted_table(boosted_table):
    matrix, codes = boosted_table
    order = np.random.default_rng(1).permutation(len(codes))
    whole = out_of_sample(matrix, codes, 3, sizes=BOOSTED).probs
    assert np.array_equal(out_of_sample(matrix[order], codes[order], 3, sizes=BOOSTED).probs, whole[order])


def test_thread_count_changes_nothing_in_a_boosted_table(boosted_table):
    one, many = (out_of_sample(*boosted_table, 3, n_jobs=threads, sizes=BOOSTED).probs for threads in (1, 2))
    assert np.array_equal(one, many)


def test_the_label_of_a_row_or_its_copy_says_nothing_of_it_in_a_boosted_table():
    rng = np.random.default_rng(0)
    matrix, codes = rng.normal(size=(300, 4)).astype(np.float32), rng.integers(0, 2, 300)
    answer = out_of_sample(np.tile(matrix, (4, 1)), np.tile(codes, 4), 2, sizes=BOOSTED)
    assert 0.4 < answer.error < 0.6


def test_rows_in_neither_half_are_judged_by_both(boosted_table):
    matrix, codes = boosted_table
    answer = out_of_sample(
        matrix, np.where(np.arange(600) < 30, -1, codes), 3, sizes=replace(BOOSTED, max_boosted_rows=200)
    )
    assert np.allclose(answer.probs.sum(axis=1), 1)
    assert (answer.probs[:30].argmax(axis=1) == codes[:30]).mean() > 0.5


def test_a_half_of_a_single_class_is_left_to_the_trees(boosted_table):
    matrix, codes = boosted_table
    weights = (codes == 0).astype(float)
    weights[1] = 1
    assert "boosted" not in out_of_sample(matrix, codes, 3, sample_weight=weights, sizes=BOOSTED).model


def test_another_seed_gives_another_answer():
    assert not np.array_equal(out_of_sample(*table(), 3).probs, out_of_sample(*table(), 3, random_state=1).probs)


def test_missing_values_are_taken():
    matrix, codes = table()
    matrix[::7, 1] = np.nan
    assert out_of_sample(matrix, codes, 3).error < 0.5


def test_rows_without_a_label_are_judged_and_not_fitted():
    matrix, codes = table()
    hidden = codes.copy()
    hidden[:30] = -1
    answer = out_of_sample(matrix, hidden, 3)
    assert answer.trained_rows == 120
    assert (answer.probs[:30].argmax(axis=1) == codes[:30]).mean() > 0.5


def test_a_large_table_is_fitted_on_a_sample_of_every_class():
    matrix, codes = table(rows=1000)
    codes[:3] = 3
    answer = out_of_sample(matrix, codes, 4, sizes=Sizes(large_rows=200))
    assert 200 <= answer.trained_rows < 400
    assert np.allclose(answer.probs.sum(axis=1), 1)


def test_few_rows_are_each_left_out_at_some_time():
    matrix, codes = table(rows=4, classes=2)
    assert np.allclose(out_of_sample(matrix, codes, 2).probs.sum(axis=1), 1)


def test_one_kind_of_row_cannot_be_judged():
    with pytest.raises(ModelError, match="could not be left out of any tree"):
        out_of_sample(np.zeros((20, 2), dtype=np.float32), np.arange(20) % 2, 2)


def test_no_fold_judges_a_row_it_was_fitted_on():
    out_of_sample(*table(), 3, model=Recorder())
    assert [len(both) for both in Recorder.log] == [0] * 5


def test_groups_are_never_on_both_sides():
    matrix, codes = table()
    matrix[:, 2] = np.arange(150) // 10  # what the recorder knows the group by
    groups = np.arange(150) // 10
    out_of_sample(np.repeat(matrix[:, 2:], 2, axis=1), codes, 3, model=Recorder(), groups=groups)
    assert [len(both) for both in Recorder.log] == [0] * 5


def test_time_folds_judge_each_block_by_those_before_it():
    matrix = np.arange(120, dtype=np.float32)[:, None]
    answer = out_of_sample(matrix, np.arange(120) % 2, 2, model=Recorder(), cv="time")
    assert np.allclose(answer.probs, 0.5)
    assert len(Recorder.log) == 6


def test_a_class_that_a_fold_never_saw_has_probability_0():
    matrix, codes = table()
    codes = codes.copy()
    codes[0] = 3
    assert out_of_sample(matrix, codes, 4, model=LogisticRegression()).probs[0, 3] == 0


def test_a_model_without_probabilities_is_told_what_to_do():
    with pytest.raises(ModelError, match="CalibratedClassifierCV"):
        out_of_sample(*table(), 3, model=RidgeClassifier())


def test_weights_that_the_model_cannot_take_are_refused():
    from sklearn.neighbors import KNeighborsClassifier

    with pytest.raises(ModelError, match="takes no sample_weight"):
        out_of_sample(*table(), 3, model=KNeighborsClassifier(), sample_weight=np.ones(150))


def test_rows_of_no_weight_teach_nothing():
    matrix, codes = table(rows=400, classes=2)
    wrong = codes.copy()
    wrong[:200] = 1 - wrong[:200]
    weights = np.r_[np.zeros(200), np.ones(200)]
    answer = out_of_sample(matrix, wrong, 2, sample_weight=weights)
    assert (answer.probs[200:].argmax(axis=1) == codes[200:]).mean() > 0.7


def test_the_model_given_is_never_fitted():
    model = LogisticRegression()
    out_of_sample(*table(), 3, model=model)
    assert not hasattr(model, "classes_")


def test_progress_is_told_to_a_callable():
    told = []
    out_of_sample(*table(), 3, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (6, 6)  # three learners, twice


def test_progress_can_be_shown(capsys):
    out_of_sample(*table(), 3, progress=True)
    assert "6/6" in capsys.readouterr().err


def test_short_work_shows_nothing(capsys):
    out_of_sample(*table(), 3)
    assert capsys.readouterr().err == ""


def test_rows_alike_judge_each_other_in_a_coarse_table():
    # Two kinds of row, nine labels in ten right: without its kind each row could only be judged by the other kind.
    matrix = np.repeat([0.0, 1.0], 200).astype(np.float32)[:, None]
    codes = np.repeat([0, 1], 200)
    codes[::10] = 1 - codes[::10]
    found = out_of_sample(matrix, codes, 2)
    assert found.coarse
    assert found.error == pytest.approx(0.1)


class Odd(ClassifierMixin, BaseEstimator):
    """Answers what it was made to answer for each row."""

    def __init__(self, answer=(1.0,), fault=None):
        self.answer, self.fault = answer, fault

    def fit(self, X, y):
        if self.fault:
            raise ValueError(self.fault)
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.tile(self.answer, (len(X), 1))


@pytest.mark.parametrize("answer", [[0.5, 0.5], [0.5, 0.5, np.nan]], ids=["two columns", "not finite"])
def test_answers_that_are_no_probabilities_are_refused(answer):
    with pytest.raises(ModelError, match=r"Odd\.predict_proba gave shape \(30, \d\) for 3 classes"):
        out_of_sample(*table(), 3, model=Odd(answer))


def test_answers_that_sum_to_0_are_refused():
    with pytest.raises(ModelError, match="gave rows that sum to 0"):
        out_of_sample(*table(), 3, model=Odd([0.0, 0.0, 0.0]))


@pytest.mark.skipif(sys.version_info < (3, 11), reason="errors take notes from Python 3.11 on")
def test_an_error_of_the_model_says_what_was_being_done():
    with pytest.raises(ValueError, match="no such thing") as raised:
        out_of_sample(*table(), 3, model=Odd(fault="no such thing"))
    assert raised.value.__notes__[0].startswith("while fitting Odd on 120 rows of 3 features")


def test_a_fold_of_a_single_class_is_told_what_to_do():
    codes = np.repeat([0, 1], 75)
    with pytest.raises(ModelError, match="A training fold holds a single class"):
        out_of_sample(table()[0], codes, 2, model=LogisticRegression(), cv=KFold(2))


def test_a_splitter_that_leaves_rows_unjudged_is_refused():
    with pytest.raises(ModelError, match="leave 135 rows unjudged; every row must be in a test fold"):
        out_of_sample(*table(), 3, model=LogisticRegression(), cv=ShuffleSplit(1, test_size=0.1, random_state=0))


def test_a_splitter_is_told_the_groups():
    groups = np.arange(150) // 10
    grouped = out_of_sample(*table(), 3, model=LogisticRegression(), cv=LeaveOneGroupOut(), groups=groups)
    assert grouped.model == "LogisticRegression, 15 folds"


@pytest.mark.parametrize("cv", ["random", 1, True])
def test_folds_that_are_none_are_refused(cv):
    with pytest.raises(OptionError, match="is not known; pass"):
        out_of_sample(*table(), 3, model=LogisticRegression(), cv=cv)


def test_rows_that_are_common_to_most_groups_do_not_tie_them_into_one():
    rng = np.random.default_rng(0)
    matrix = rng.integers(0, 3, (300, 1)).astype(np.float32)
    codes = (matrix[:, 0] > 1).astype(np.int64)
    groups = np.arange(300) // 5
    units = content_units(matrix, codes, groups)[0]
    assert all(np.unique(units[groups == group]).size == 1 for group in range(60))
    assert np.unique(units).size > 10
    assert out_of_sample(matrix, codes, 2, groups=groups).error == 0
