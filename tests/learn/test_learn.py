"""Estimators that learn from wrong labels: what they learn, and how they behave as scikit-learn estimators."""

from __future__ import annotations

import pickle
from functools import cache, partial
from inspect import signature

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_blobs
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from dqlabels import learn
from dqlabels.errors import DQLabelsError, ModelError, OptionError
from dqlabels.learn import research
from dqlabels.learn.base import deconvolve, noise_model, posterior
from dqlabels.learn.correction import backward_labels

CLASSES = [
    getattr(module, name) for module in (learn, research) for name in module.__all__ if name.endswith("Classifier")
]
# They look for wrong labels; decoupling only looks for disagreement, and soft bootstrapping changes 5% of a label.
CLEANING = [
    learn.ConfidentLearningClassifier,
    research.CoTeachingClassifier,
    partial(learn.LossCorrectionClassifier, correction="forward"),
    partial(learn.LossCorrectionClassifier, correction="backward"),
    partial(learn.LossCorrectionClassifier, correction="importance"),
    partial(research.BootstrappingClassifier, kind="hard", beta=0.3),
    partial(research.BootstrappingClassifier, kind="self_training"),
    partial(learn.MentorNetClassifier, percentile=65.0),
    research.JointOptimizationClassifier,
]
every_class = pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)


def quick(kind):
    """Options with which it fits fewest models, for what does not depend on who judges the rows."""
    return {name: value for name, value in (("judge", "folds"), ("cv", 2)) if name in signature(kind).parameters}


def names(kind):
    options = getattr(kind, "keywords", {})
    return "-".join([getattr(kind, "func", kind).__name__, *map(str, options.values())])


def blobs(rows=600, share=0.3, classes=2, seed=0):
    """Features, true labels, and labels of which ``share`` of class 1 (of each class, where three) became the next."""
    X, truth = make_blobs(rows, centers=classes, cluster_std=1.0, center_box=(-5, 5), random_state=3)
    rng = np.random.default_rng(seed)
    wrong = rng.random(rows) < (share * (truth == 1) if classes == 2 else share)
    return X, truth, np.where(wrong, (truth + 1) % classes, truth)


class Wrapper(ClassifierMixin, BaseEstimator):
    def fit(self, X, y, sample_weight=None):
        self.inner_ = GaussianNB().fit(X, y, sample_weight)
        self.classes_ = self.inner_.classes_
        return self

    def predict_proba(self, X):
        return self.inner_.predict_proba(X)

    def predict(self, X):
        return self.inner_.predict(X)


class Silent(Wrapper):
    """Its ``fit`` returns nothing."""

    def fit(self, X, y, sample_weight=None):
        super().fit(X, y, sample_weight)


@every_class
def test_a_classifier_whose_fit_returns_nothing_learns_as_one_that_returns_itself(kind):
    X, _, noisy = blobs(rows=200)
    assert (
        kind(Silent(), **quick(kind)).fit(X, noisy).predict(X)
        == kind(Wrapper(), **quick(kind)).fit(X, noisy).predict(X)
    ).all()


class Bayes(GaussianNB):
    """Takes no sample weights."""

    def fit(self, X, y):
        return super().fit(X, y)


@pytest.mark.skipif(
    tuple(map(int, sklearn.__version__.split(".")[:2])) < (1, 7),
    reason="forests of older scikit-learn draw otherwise, and one table of one seed is told apart by two points",
)
@pytest.mark.parametrize("kind", CLEANING, ids=names)
def test_wrong_labels_teach_less_than_they_do_the_plain_classifier(kind):
    # Fully grown trees learn every label by heart: what they gain is what was put right.
    X, truth, noisy = blobs(share=0.3)
    plain = RandomForestClassifier(20, random_state=0)
    learnt = kind(plain).fit(X[:400], noisy[:400])
    assert learnt.score(X[400:], truth[400:]) > plain.fit(X[:400], noisy[:400]).score(X[400:], truth[400:]) + 0.02


@pytest.mark.parametrize("kind", [*CLEANING, research.DecouplingClassifier], ids=names)
def test_clean_labels_are_learnt_as_well_as_by_the_plain_classifier(kind):
    X, truth, _ = blobs()
    plain = LogisticRegression()
    learnt = kind(plain).fit(X[:400], truth[:400])
    assert learnt.score(X[400:], truth[400:]) >= plain.fit(X[:400], truth[:400]).score(X[400:], truth[400:]) - 0.015


@every_class
def test_labels_may_be_strings(kind):
    X, truth, _ = blobs(300)
    learnt = kind(LogisticRegression(), **quick(kind)).fit(X, np.array(["no", "yes"])[truth])
    assert learnt.classes_.tolist() == ["no", "yes"]
    assert set(learnt.predict(X)) == {"no", "yes"}


@cache
def answers_on_an_array(kind):
    X, _, noisy = blobs(300)
    return kind(make_pipeline(StandardScaler(), LogisticRegression())).fit(X, noisy).predict_proba(X)


@every_class
@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
def test_frames_give_what_arrays_give(kind, frame):
    X, _, noisy = blobs(300)
    table = frame({"a": X[:, 0], "b": X[:, 1]})
    learnt = kind(make_pipeline(StandardScaler(), LogisticRegression())).fit(table, noisy)
    assert learnt.feature_names_in_.tolist() == ["a", "b"]
    assert np.allclose(learnt.predict_proba(table), answers_on_an_array(kind))


@every_class
def test_columns_of_strings_reach_a_pipeline_that_encodes_them(kind):
    X, truth, noisy = blobs(300)
    frame = pd.DataFrame({"x": X[:, 0], "y": X[:, 1], "colour": np.where(truth == 1, "red", "blue")})
    encode = make_column_transformer((OneHotEncoder(), ["colour"]), (StandardScaler(), ["x", "y"]))
    learnt = kind(make_pipeline(encode, LogisticRegression()), **quick(kind)).fit(frame, noisy)
    assert learnt.score(frame, truth) > 0.9


@every_class
def test_the_order_of_the_rows_does_not_show(kind):
    X, _, noisy = blobs(300)
    order = np.random.default_rng(1).permutation(300)
    whole = kind(LogisticRegression()).fit(X, noisy).predict_proba(X)
    assert np.array_equal(kind(LogisticRegression()).fit(X[order], noisy[order]).predict_proba(X), whole)


@every_class
def test_a_seed_fixes_everything_and_leaves_the_global_generator_alone(kind):
    X, _, noisy = blobs(200)
    forest = RandomForestClassifier(5)
    np.random.seed(1)
    before = np.random.get_state()[1].copy()
    answers = [kind(forest, random_state=seed).fit(X, noisy).predict_proba(X) for seed in (0, 0, 1)]
    assert np.array_equal(answers[0], answers[1])
    assert not np.array_equal(answers[0], answers[2])
    assert np.array_equal(np.random.get_state()[1], before)


@every_class
def test_they_work_in_searches_pipelines_and_cross_validation(kind):
    X, _, noisy = blobs(200)
    pipeline = make_pipeline(StandardScaler(), kind(LogisticRegression(), **quick(kind)))
    name = kind.__name__.lower()
    search = GridSearchCV(pipeline, {f"{name}__estimator__C": [0.1, 1.0]}, cv=2).fit(X, noisy)
    assert search.best_params_[f"{name}__estimator__C"] in (0.1, 1.0)
    assert cross_val_score(search.best_estimator_, X, noisy, cv=2).min() > 0.5


@every_class
def test_they_can_be_cloned_and_pickled(kind):
    X, _, noisy = blobs(200)
    learnt = clone(kind(LogisticRegression(), **quick(kind))).fit(X, noisy)
    assert np.array_equal(pickle.loads(pickle.dumps(learnt)).predict_proba(X), learnt.predict_proba(X))  # noqa: S301


@every_class
def test_rows_of_no_weight_teach_nothing(kind):
    X, truth, _ = blobs(400)
    upside_down = np.where(np.arange(400) < 200, 1 - truth, truth)
    weights = (np.arange(400) >= 200).astype(float)
    learnt = kind(make_pipeline(StandardScaler(), LogisticRegression())).fit(X, upside_down, sample_weight=weights)
    assert learnt.score(X, truth) > 0.8


@every_class
@pytest.mark.parametrize("model", [KNeighborsClassifier(), Bayes()], ids=["neighbours", "bayes"])
def test_a_classifier_without_weights_is_taken(kind, model):
    X, truth, noisy = blobs(400, share=0.2)
    assert kind(model, **quick(kind)).fit(X, noisy).score(X, truth) > 0.8


@every_class
def test_texts_go_to_a_text_pipeline(kind):
    rng = np.random.default_rng(0)
    truth = np.arange(200) % 2
    words = np.array([["rain", "cloud", "storm"], ["goal", "match", "team"]])
    texts = np.array([" ".join(rng.choice(words[k], 4)) for k in truth], dtype=object)
    learnt = kind(make_pipeline(TfidfVectorizer(), LogisticRegression())).fit(texts, truth)
    assert learnt.score(texts, truth) > 0.95


@every_class
def test_three_classes(kind):
    X, truth, noisy = blobs(600, share=0.2, classes=3)
    assert kind(LogisticRegression()).fit(X, noisy).score(X, truth) > 0.9


@every_class
def test_a_class_of_one_row_stays_a_class(kind):
    X, truth, _ = blobs(200)
    truth = truth.copy()
    truth[0] = 7
    assert kind(LogisticRegression()).fit(X, truth).classes_.tolist() == [0, 1, 7]


class Mistakes:
    """What is refused, and with which words."""

    cases = (
        (learn.ConfidentLearningClassifier, {"filter_by": "prune"}, "filter_by='prune' is none of"),
        (learn.ConfidentLearningClassifier, {"noise": "guess"}, "noise='guess' is none of"),
        (learn.LossCorrectionClassifier, {"noise": [[0.2, 0.8], [0.9, 0.1]]}, "has a trace of 0.3"),
        (learn.ConfidentLearningClassifier, {"noise": np.eye(3)}, r"pass the name of a method, or a \(2, 2\) matrix"),
        (learn.LossCorrectionClassifier, {"correction": "sideways"}, "correction='sideways' is none of"),
        (learn.LossCorrectionClassifier, {"judge": "jury"}, "judge='jury' is none of 'audit', 'mixture', 'trees'"),
        (learn.LossCorrectionClassifier, {"strength": 2.0}, "strength=2.0 is not a number from 0 to 1"),
        (research.BootstrappingClassifier, {"kind": "firm"}, "kind='firm' is none of"),
        (research.CoTeachingClassifier, {"forget_rate": 1.5}, "forget_rate=1.5 is not a number"),
        (research.DecouplingClassifier, {"warm_up": 0}, "warm_up=0 is not a number"),
        (learn.MentorNetClassifier, {"curriculum": "learned"}, r"pass fit\(X, y, reviewed=\.\.\.\)"),
        (learn.MentorNetClassifier, {"percentile": 0.5}, "percentile=0.5 is not a number from 1 to 99"),
        (research.JointOptimizationClassifier, {"prior": "flat"}, "prior='flat' is none of"),
        (research.JointOptimizationClassifier, {"beta": 1.0}, "beta=1.0 is not a number"),
        (learn.LossCorrectionClassifier, {"cv": 1}, "cv=1 is not known"),
    )


@pytest.mark.parametrize(("kind", "options", "words"), Mistakes.cases)
def test_a_mistake_is_named(kind, options, words):
    X, _, noisy = blobs(100)
    with pytest.raises(OptionError, match=words):
        kind(LogisticRegression(), **options).fit(X, noisy)


@every_class
def test_a_classifier_without_probabilities_is_refused(kind):
    X, _, noisy = blobs(100)
    with pytest.raises(ModelError, match="CalibratedClassifierCV"):
        kind(RidgeClassifier()).fit(X, noisy)


def test_one_class_is_refused():
    with pytest.raises(ModelError, match="y holds one class, 0"):
        learn.LossCorrectionClassifier(LogisticRegression()).fit(np.eye(5), np.zeros(5, dtype=int))


def test_a_lazy_frame_is_told_to_be_collected():
    with pytest.raises(DQLabelsError, match="Collect it first"):
        learn.LossCorrectionClassifier(LogisticRegression()).fit(pl.LazyFrame({"x": [1.0, 2.0]}), [0, 1])


def test_folds_that_leave_rows_unjudged_are_refused():
    class Half(KFold):
        def split(self, X, y=None, groups=None):
            yield np.arange(50), np.arange(50, 100)

    X, _, noisy = blobs(100)
    with pytest.raises(OptionError, match="leaves 50 rows in no test fold"):
        learn.LossCorrectionClassifier(LogisticRegression(), cv=Half()).fit(X, noisy)


class Recorder(ClassifierMixin, BaseEstimator):
    """Remembers, in a list shared by its clones, which rows it was fitted on and asked about."""

    log: list = []  # noqa: RUF012

    def fit(self, X, y, sample_weight=None):
        self.classes_ = np.unique(y)
        self.seen_ = {row.tobytes() for row in X}
        return self

    def predict_proba(self, X):
        Recorder.log.append(len(self.seen_ & {row.tobytes() for row in X}))
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))


@pytest.mark.parametrize("kind", [kind for kind in CLASSES if kind is not research.DecouplingClassifier])
def test_no_row_is_judged_by_a_model_that_saw_it_or_a_copy_of_it(kind):
    Recorder.log = []
    X, _, noisy = blobs(60)
    kind(Recorder()).fit(np.tile(X, (2, 1)), np.tile(noisy, 2))
    assert len(Recorder.log) >= 2
    assert set(Recorder.log) == {0}


def test_few_clean_rows_are_pruned_and_none_below_the_least_noise_asked_for():
    X, truth, _ = blobs()
    assert learn.ConfidentLearningClassifier(LogisticRegression()).fit(X, truth).kept_.mean() > 0.97
    assert learn.ConfidentLearningClassifier(LogisticRegression(), min_noise=0.05).fit(X, truth).kept_.all()


def test_what_is_pruned_is_mostly_wrong():
    X, truth, noisy = blobs(share=0.3)
    learnt = learn.ConfidentLearningClassifier(LogisticRegression()).fit(X, noisy)
    assert (noisy != truth)[~learnt.kept_].mean() > 0.8
    assert (noisy == truth)[learnt.kept_].mean() > (noisy == truth).mean() + 0.05


def test_classes_are_weighed_by_one_over_the_chance_of_a_right_label():
    X, _, noisy = blobs(share=0.3)
    learnt = learn.ConfidentLearningClassifier(LogisticRegression(), noise=[[1.0, 0.0], [0.25, 0.75]]).fit(X, noisy)
    assert learnt.class_weight_ == pytest.approx([1.0, 1 / 0.75])


def test_a_second_fit_starts_afresh():
    X, truth, noisy = blobs(share=0.3)
    again = learn.ConfidentLearningClassifier(LogisticRegression()).fit(X, noisy).fit(X, truth)
    fresh = learn.ConfidentLearningClassifier(LogisticRegression()).fit(X, truth)
    assert again.noise_rate_ == fresh.noise_rate_ < 0.02
    assert np.array_equal(again.kept_, fresh.kept_)


def test_a_mentor_learns_from_reviewed_rows_which_losses_to_mistrust():
    X, truth, noisy = blobs(600, share=0.4)
    reviewed = np.full(600, None, dtype=object)
    reviewed[:80] = truth[:80]
    learnt = learn.MentorNetClassifier(LogisticRegression(), curriculum="learned").fit(X, noisy, reviewed=reviewed)
    weights, wrong = learnt.sample_weight_[80:], (noisy != truth)[80:]
    assert weights[~wrong].mean() > 0.9
    assert weights[wrong].mean() < weights[~wrong].mean() / 2


@pytest.mark.parametrize("right", [True, False])
def test_a_review_that_finds_only_one_kind_is_refused(right):
    X, truth, _ = blobs(100)
    reviewed = truth if right else 1 - truth
    with pytest.raises(OptionError, match="some right and some wrong"):
        learn.MentorNetClassifier(LogisticRegression(), curriculum="learned").fit(X, truth, reviewed=reviewed)


@pytest.mark.parametrize("method", ["em", "variational"])
def test_the_noise_matrix_is_fitted_inside_the_training(method):
    X, _, noisy = blobs(800, share=0.2)
    learnt = learn.LossCorrectionClassifier(LogisticRegression(), noise=method, n_rounds=3).fit(X, noisy)
    assert learnt.noise_matrix_ == pytest.approx(np.array([[1, 0], [0.2, 0.8]]), abs=0.07)


def probabilities(rows=20, classes=3):
    return st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).dirichlet(np.ones(classes), rows))


def noise_matrices(classes=3):
    def matrix(seed):
        return 0.6 * np.eye(classes) + 0.4 * np.random.default_rng(seed).dirichlet(np.ones(classes), classes)

    return st.integers(0, 2**32 - 1).map(matrix)


@settings(deadline=None, max_examples=30)
@given(probabilities(), noise_matrices())
def test_the_clean_posterior_is_found_again_behind_the_noise(clean, matrix):
    assert deconvolve(clean @ matrix, matrix, steps=3000) == pytest.approx(clean, abs=0.02)


@settings(deadline=None, max_examples=30)
@given(probabilities(), noise_matrices())
def test_backward_labels_are_right_in_expectation(clean, matrix):
    # Theorem 1: over the noisy labels the corrected loss has the mean of the clean one.
    assert backward_labels(clean @ matrix, matrix) == pytest.approx(clean, abs=1e-9)


@settings(deadline=None, max_examples=30)
@given(probabilities(), noise_matrices())
def test_posteriors_of_the_true_class_average_to_the_clean_answer(clean, matrix):
    noisy = clean @ matrix
    labels = (np.full(len(clean), k) for k in range(3))
    mean = sum(noisy[:, [k]] * posterior(clean, codes, matrix) for k, codes in enumerate(labels))
    assert mean == pytest.approx(clean, abs=1e-9)


def test_the_clean_shares_of_a_given_matrix_are_found_by_inverting_it():
    codes = np.repeat([0, 1], [540, 460])
    model = noise_model([[0.9, 0.1], [0.0, 1.0]], codes, np.eye(2)[codes], 0)
    assert model.prior == pytest.approx([0.6, 0.4], abs=1e-3)  # 0.54 = 0.9 * 0.6
    assert model.rate == pytest.approx(0.06, abs=1e-3)
