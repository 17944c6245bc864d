"""CROWDLAB and ActiveLab against cleanlab 2.9's multiannotator module, on the same labels and probabilities."""

from __future__ import annotations

import contextlib
import io
import warnings
from functools import cache

import numpy as np
import pandas as pd
import pytest

import dqlabels
from dqlabels.statistics.active_learning import activelab_scores
from dqlabels.statistics.consensus import majority
from dqlabels.statistics.votes import Votes


@pytest.fixture(autouse=True)
def cleanlabs_own_ways():
    """It prints, warns and draws from the global generator: none of it is ours to judge here."""
    state = np.random.get_state()
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
    np.random.set_state(state)


def generated(seed: int):
    """2 to 7 annotators of unequal skill, labels missing, K from 2 to 6, a sharp or a vague model."""
    rng = np.random.default_rng(seed)
    n, j, k = int(rng.integers(60, 400)), int(rng.integers(2, 8)), int(rng.integers(2, 7))
    truth = rng.choice(k, n, p=rng.dirichlet(np.ones(k) * 3))
    wrong = rng.random((n, j)) < rng.uniform(0.02, 0.4, j)
    codes = np.where(wrong, (truth[:, None] + rng.integers(1, k, (n, j))) % k, truth[:, None])
    given = rng.random((n, j)) < rng.uniform(0.3, 1.0)
    given[np.arange(n), rng.integers(0, j, n)] = True
    codes = np.where(given, codes, -1)
    codes[:k, 0], codes[:k, 1] = np.arange(k), np.arange(k)
    scores = rng.normal(size=(n, k))
    scores[np.arange(n), truth] += rng.choice([1, 3])
    probs = np.exp(scores)
    return codes, probs / probs.sum(axis=1, keepdims=True)


def as_theirs(codes):
    return pd.DataFrame(np.where(codes < 0, np.nan, codes), columns=[f"a{j}" for j in range(codes.shape[1])])


@cache
def theirs_and_ours(seed: int):
    """What cleanlab and our audit say of a generated table, which its three tests only read."""
    from cleanlab.multiannotator import get_label_quality_multiannotator

    codes, probs = generated(seed)
    return get_label_quality_multiannotator(as_theirs(codes), probs, verbose=False), audited(codes, probs)


def audited(codes, probs):
    frame = as_theirs(codes)
    return dqlabels.audit(
        frame, list(frame.columns), pred_probs=probs, classes=[float(k) for k in range(probs.shape[1])]
    )


CASES = list(range(12))


@pytest.mark.parametrize("seed", range(60))
def test_majority_is_cleanlabs_where_no_lot_is_drawn(seed):
    from cleanlab.multiannotator import get_majority_vote_label

    codes, probs = generated(seed)
    votes = Votes.of_columns(codes, probs.shape[1])
    theirs = get_majority_vote_label(as_theirs(codes), probs, verbose=False)
    assert majority(votes, probs).tolist() == theirs.tolist()


@pytest.mark.parametrize("seed", CASES)
def test_consensus_and_quality_are_cleanlabs(seed):
    theirs, audit = theirs_and_ours(seed)
    theirs = theirs["label_quality"]
    ours = audit.consensus
    assert ours["consensus"].tolist() == theirs["consensus_label"].tolist()
    assert np.allclose(ours["quality"], theirs["consensus_quality_score"], rtol=0, atol=1e-12)
    assert np.allclose(ours["agreeing"], theirs["annotator_agreement"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", CASES)
def test_annotators_are_cleanlabs(seed):
    theirs, audit = theirs_and_ours(seed)
    theirs = theirs["annotator_stats"]
    ours = audit.annotators.set_index("annotator").loc[theirs.index]
    assert np.allclose(ours["quality"], theirs["annotator_quality"], rtol=0, atol=1e-10)
    assert np.allclose(ours["agreement_with_consensus"], theirs["agreement_with_consensus"], rtol=0, atol=1e-12)
    assert ours["labels"].tolist() == theirs["num_examples_labeled"].tolist()


@pytest.mark.parametrize("seed", CASES)
def test_the_quality_of_each_label_is_cleanlabs(seed):
    theirs, audit = theirs_and_ours(seed)
    theirs = theirs["detailed_label_quality"]
    votes = audit.votes
    ours = votes.pivot(index="item", columns="annotator", values="quality").to_numpy()
    assert np.allclose(ours, theirs.to_numpy(), rtol=0, atol=1e-12, equal_nan=True)


@pytest.mark.parametrize("seed", CASES)
def test_active_learning_scores_are_cleanlabs(seed):
    from cleanlab.multiannotator import get_active_learning_scores

    codes, probs = generated(seed)
    unlabelled = probs[:20][:, ::-1]
    theirs = get_active_learning_scores(as_theirs(codes), probs, unlabelled)
    everyone = np.vstack([codes, np.full((20, codes.shape[1]), -1)])
    ours = activelab_scores(
        Votes.of_columns(everyone, probs.shape[1]), np.vstack([probs, unlabelled]), compat="cleanlab"
    )
    assert np.allclose(ours, np.concatenate(theirs), rtol=0, atol=1e-9)


@pytest.mark.parametrize("seed", CASES)
def test_active_learning_scores_are_cleanlabs_with_probabilities_of_zero(seed):
    from cleanlab.multiannotator import get_active_learning_scores

    codes, probs = generated(seed)
    probs[(np.random.default_rng(seed).random(probs.shape) < 0.3) & (probs < probs.max(axis=1, keepdims=True))] = 0.0
    probs /= probs.sum(axis=1, keepdims=True)
    theirs, _ = get_active_learning_scores(as_theirs(codes), probs)
    ours = activelab_scores(Votes.of_columns(codes, probs.shape[1]), probs, compat="cleanlab")
    assert np.allclose(ours, theirs, rtol=0, atol=1e-9)


@pytest.mark.parametrize("seed", range(16))  # of 12 rows each, so that ties abound
def test_the_worst_class_of_each_annotator_is_cleanlabs_also_of_ties(seed):
    from cleanlab.multiannotator import get_label_quality_multiannotator

    codes, probs = generated(seed)
    codes, probs = codes[:12], probs[:12]
    theirs = get_label_quality_multiannotator(as_theirs(codes), probs, verbose=False)["annotator_stats"]
    ours = audited(codes, probs).annotators.set_index("annotator").loc[theirs.index]
    assert ours["worst_class"].tolist() == theirs["worst_class"].tolist()


def test_temperature_fits_the_labels_where_cleanlab_counts_from_the_first_class():
    codes = np.tile([2, 2], (60, 1))
    codes[:5], codes[5:10] = 0, 1
    probs = np.full((60, 3), 0.1)
    probs[np.arange(60), codes[:, 0]] = 0.8
    votes = Votes.of_columns(codes, 3)
    ours, theirs = (activelab_scores(votes, probs, compat=compat) for compat in (None, "cleanlab"))
    assert ours[30:].min() > theirs[30:].max()
