"""What is particular to the estimators of the literature; what all estimators share is in tests/learn/test_learn.py."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import make_blobs
from sklearn.linear_model import SGDClassifier
from sklearn.naive_bayes import GaussianNB

from dqlabels.errors import OptionError
from dqlabels.learn import research
from dqlabels.learn.research.joint import joint_labels


def test_a_classifier_that_learns_in_part_is_updated_batch_by_batch():
    X, truth = make_blobs(400, centers=[[0, 0], [4, 4]], cluster_std=1.0, random_state=0)
    noisy = np.where(np.arange(400) % 10 == 0, 1 - truth, truth)
    model = SGDClassifier(loss="log_loss", random_state=0)
    learnt = research.DecouplingClassifier(model, n_epochs=10).fit(X, noisy)
    assert len(learnt.update_shares_) == 5
    assert max(learnt.update_shares_) < 0.3  # once warm the two mostly agree
    assert learnt.score(X, truth) > 0.9


def joint_objective(labels, probs, prior, alpha, beta):
    mean = labels.mean(axis=0)
    fit = (labels * np.log(labels / probs)).sum(axis=1).mean()
    entropy = -(labels * np.log(labels)).sum(axis=1).mean()
    return fit + alpha * (prior * np.log(prior / mean)).sum() + beta * entropy


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.floats(0, 2), st.floats(0, 0.8), st.integers(0, 2**32 - 1))
def test_joint_labels_are_a_minimum_of_the_objective(rows, alpha, beta, seed):
    probs = 0.9 * np.random.default_rng(rows).dirichlet(np.ones(3), 20) + 0.1 / 3
    rng = np.random.default_rng(seed)
    prior = rng.dirichlet(np.full(3, 5.0))
    found = np.clip(joint_labels(probs, prior, alpha, beta), 1e-12, None)
    best = joint_objective(found, probs, prior, alpha, beta)
    for _ in range(5):
        other = 0.99 * found + 0.01 * rng.dirichlet(np.ones(3), len(found))
        assert joint_objective(other, probs, prior, alpha, beta) >= best - 1e-6


@pytest.mark.parametrize("name", ["CoTeachingClassifier", "PlainNetwork"])
def test_a_method_that_is_asked_for_among_the_advised_ones_says_where_it_is(name):
    with pytest.raises(ImportError, match=f"from dqlabels.learn.research import {name}"):
        exec(f"from dqlabels.learn import {name}")  # noqa: S102


@pytest.mark.parametrize(
    ("prior", "shares"), [("uniform", [0.5, 0.5]), ("given", [0.75, 0.25]), ([0.9, 0.1], [0.9, 0.1])]
)
def test_the_prior_of_joint_optimisation_is_the_one_asked_for(prior, shares):
    X, y = make_blobs([75, 25], centers=[[0, 0], [3, 3]], random_state=0)
    assert research.JointOptimizationClassifier(GaussianNB(), prior=prior).fit(X, y).prior_.tolist() == shares


@pytest.mark.parametrize("prior", ["even", [0.5, 0.2], [1.0]])
def test_a_prior_that_is_no_shares_of_the_classes_is_refused(prior):
    X, y = make_blobs(60, centers=2, random_state=0)
    with pytest.raises(OptionError, match="and not 2 shares that sum to 1"):
        research.JointOptimizationClassifier(GaussianNB(), prior=prior).fit(X, y)
