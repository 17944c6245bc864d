"""Who judges the rows of an estimator: out-of-bag trees, its own folds, or both."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier

from dqlabels.errors import OptionError
from dqlabels.learn import ConfidentLearningClassifier, LossCorrectionClassifier
from dqlabels.learn.judging import JUDGES, likeliest_mixture, tree_features
from dqlabels.learn.rows import Rows, losses

every_estimator = pytest.mark.parametrize("kind", [ConfidentLearningClassifier, LossCorrectionClassifier])


def corners(rows=600, share=0.2):
    """Classes in opposite corners, which no line can part, and labels of which ``share`` are wrong."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (rows, 2))
    truth = (X[:, 0] * X[:, 1] > 0).astype(int)
    return X, truth, np.where(rng.random(rows) < share, 1 - truth, truth)


def lines(rows=400, share=0.2):
    """Classes parted by a slanted line through twelve features: hard for trees, easy for a linear model."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(rows, 12))
    truth = (X.sum(axis=1) > 0).astype(int)
    return X, truth, np.where(rng.random(rows) < share, 1 - truth, truth)


def right_share(judge, X, truth, noisy):
    """Share of right labels among the rows kept by pruning."""
    kept = ConfidentLearningClassifier(LogisticRegression(), judge=judge).fit(X, noisy).kept_
    return (noisy == truth)[kept].mean()


@pytest.mark.parametrize(("table", "poor"), [(corners, "folds"), (lines, "trees")])
def test_a_mixture_is_as_good_a_judge_as_the_better_of_the_two(table, poor):
    X, truth, noisy = table()
    right = {judge: right_share(judge, X, truth, noisy) for judge in JUDGES}
    assert right["mixture"] > right[poor] + 0.01
    assert right["mixture"] > max(right.values()) - 0.02


def test_trees_put_right_what_a_linear_model_cannot_judge():
    X, truth, noisy = corners(share=0.3)
    answers = LossCorrectionClassifier(LogisticRegression(), judge="trees", guard=False).fit(X, noisy).soft_labels_
    assert (answers.argmax(axis=1) == truth).mean() > (noisy == truth).mean() + 0.1


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_labels_are_at_least_as_likely_under_a_mixture_as_under_either(seed):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 3, 40)
    one, other = rng.dirichlet(np.ones(3), (2, 40))
    rows = Rows.of(rng.normal(size=(40, 2)), codes, 3, None, LogisticRegression(), 5, 0, None)
    best = min(losses(codes, one).sum(), losses(codes, other).sum())
    assert losses(codes, likeliest_mixture(one, other, rows)).sum() <= best + 1e-9


@every_estimator
@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
def test_trees_judge_columns_of_strings(kind, frame):
    X, _, noisy = corners()
    names = np.array(["low", "high"])
    table = frame({"a": names[(X[:, 0] > 0).astype(int)], "b": names[(X[:, 1] > 0).astype(int)], "c": X[:, 0]})
    model = make_pipeline(make_column_transformer((OneHotEncoder(), ["a", "b"])), LogisticRegression())
    learnt = kind(model, judge="trees").fit(table, noisy)
    assert learnt.noise_rate_ == pytest.approx(0.2, abs=0.06)


@every_estimator
def test_sparse_rows_are_judged_by_the_folds(kind):
    X, _, noisy = corners(200)
    sparse = csr_matrix(X)
    mixed = kind(LogisticRegression()).fit(sparse, noisy).predict_proba(sparse)
    assert np.array_equal(mixed, kind(LogisticRegression(), judge="folds").fit(sparse, noisy).predict_proba(sparse))
    with pytest.raises(OptionError, match="judge='trees' cannot judge these rows"):
        kind(LogisticRegression(), judge="trees").fit(sparse, noisy)


@every_estimator
def test_a_splitter_that_keeps_rows_apart_is_not_gone_round_by_a_bag(kind):
    X, _, noisy = corners(200)
    mixed = kind(LogisticRegression(), cv=KFold(4)).fit(X, noisy).predict_proba(X)
    alone = kind(LogisticRegression(), cv=KFold(4), judge="folds").fit(X, noisy).predict_proba(X)
    assert np.array_equal(mixed, alone)


@pytest.mark.parametrize(
    "unreadable",
    [np.array([["a"], ["b"]], dtype=object), np.array([[np.inf], [0.0]]), pd.DataFrame({0: ["a", "b"]}),
     pd.DataFrame({"x": [None, None]})],
    ids=["texts", "infinite", "unnamed", "empty"],
)  # fmt: skip
def test_what_trees_cannot_read_is_left_to_the_folds(unreadable):
    assert tree_features(unreadable) is None


def test_clean_labels_are_fitted_as_they_are():
    X, truth, _ = corners(share=0.3)
    learner = RandomForestClassifier(20, random_state=0)
    guarded = LossCorrectionClassifier(learner).fit(X, truth)
    assert not guarded.corrected_
    assert (guarded.soft_labels_[np.arange(len(truth)), truth] == 1).all()


def test_wrong_labels_are_corrected_where_that_is_seen_to_help():
    X, truth, noisy = corners(share=0.3)
    guarded = LossCorrectionClassifier(DecisionTreeClassifier(random_state=0)).fit(X, noisy)
    assert guarded.corrected_
    assert (guarded.soft_labels_.argmax(axis=1) == truth).mean() > (noisy == truth).mean() + 0.1


def test_rows_whose_label_is_likely_right_keep_it():
    X, _, noisy = corners(share=0.3)
    some, every = (
        LossCorrectionClassifier(GaussianNB(), guard=False, suspicious=share).fit(X, noisy).soft_labels_
        for share in (0.8, 1.0)
    )
    given = every[np.arange(len(noisy)), noisy]
    assert (some[given >= 0.8] == np.eye(2)[noisy][given >= 0.8]).all()
    assert (some[given < 0.8] == every[given < 0.8]).all()


def test_smoothing_gives_every_other_class_its_share_of_the_noise():
    X, _, noisy = corners(share=0.3)
    smooth = LossCorrectionClassifier(GaussianNB(), correction="smoothing", guard=False).fit(X, noisy)
    other = smooth.soft_labels_[np.arange(len(noisy)), 1 - noisy]
    assert np.allclose(other, smooth.noise_rate_ / 2)


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_distillation_moves_the_labels_towards_the_judge_by_its_strength(strength):
    X, _, noisy = corners(share=0.3)
    whole, part = (
        LossCorrectionClassifier(GaussianNB(), correction="distillation", strength=share, guard=False)
        .fit(X, noisy)
        .soft_labels_
        for share in (1.0, strength)
    )
    assert np.allclose(part, (1 - strength) * np.eye(2)[noisy] + strength * whole)
