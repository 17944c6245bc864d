"""Labels of tokens against cleanlab 2.9's token_classification, on the same labels and probabilities."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
import polars as pl
import pytest

import dqlabels
from dqlabels.statistics.classes import PRUNE_RULES
from dqlabels.statistics.scores import SCORES

THEIR_SCORES = SCORES[1:]  # cleanlab has no logit margin
CASES, FEWER = 100, 15


class Case(NamedTuple):
    """Sentences with labels 0 to K - 1 and probabilities of each token."""

    labels: list[list[int]]
    probs: list[np.ndarray]
    classes: list[int]


@pytest.fixture(autouse=True)
def cleanlabs_own_ways():
    """It warns of small classes and seeds the global generator: neither is ours to judge here."""
    state = np.random.get_state()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    np.random.set_state(state)


def generated(seed: int) -> Case:
    """2 to 7 classes, one of them most tokens; 5% of labels changed; sentences of 1 to 12 tokens."""
    rng = np.random.default_rng(seed)
    k, lengths = int(rng.integers(2, 8)), rng.integers(1, 13, int(rng.integers(20, 60)))
    tokens = int(lengths.sum())
    shares = np.array([0.6, *[0.4 / (k - 1)] * (k - 1)])
    truth = np.concatenate([np.arange(k).repeat(2), rng.choice(k, tokens, p=shares)])[:tokens]
    given = np.where(rng.random(tokens) < 0.05, rng.integers(0, k, tokens), truth)
    given[: 2 * k] = truth[: 2 * k]
    logits = rng.normal(size=(tokens, k)) + rng.choice([1, 2, 4]) * np.eye(k)[truth]
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    ends = np.cumsum(lengths)[:-1]
    return Case([part.tolist() for part in np.split(given, ends)], np.split(probs, ends), list(range(k)))


def audited(case: Case, **options) -> dqlabels.TokenAudit:
    frame = pl.DataFrame({"tags": case.labels, "probs": [part.tolist() for part in case.probs]})
    options = {"compat": "cleanlab", "classes": case.classes, **options}
    return dqlabels.audit(frame, "tags", task="tokens", pred_probs="probs", **options)


def issues(audit: dqlabels.TokenAudit) -> list[tuple[int, int]]:
    return audit.token_issues[["row", "token"]].rows()


def test_issues_and_scores_by_default_are_cleanlabs():
    from cleanlab.token_classification.filter import find_label_issues
    from cleanlab.token_classification.rank import get_label_quality_scores

    for seed in range(CASES):
        case = generated(seed)
        audit = audited(case)
        assert issues(audit) == find_label_issues(case.labels, case.probs, n_jobs=1), seed
        sentences, tokens = get_label_quality_scores(case.labels, case.probs)
        assert np.allclose(audit.frame["label_quality"], sentences, rtol=0, atol=1e-12), seed
        ours = np.concatenate([one.to_numpy() for one in audit.token_quality])
        assert np.allclose(ours, np.concatenate([one.to_numpy() for one in tokens]), rtol=0, atol=1e-12), seed


@pytest.mark.parametrize("rule", PRUNE_RULES)
def test_issues_by_each_rule_are_cleanlabs(rule):
    from cleanlab.token_classification.filter import find_label_issues

    for seed in range(FEWER):
        case = generated(1_000 + seed)
        theirs = find_label_issues(case.labels, case.probs, filter_by=rule, n_jobs=1)
        assert set(issues(audited(case, filter_by=rule))) == set(theirs), seed


@pytest.mark.parametrize("score", THEIR_SCORES)
def test_scores_and_their_order_are_cleanlabs(score):
    from cleanlab.token_classification.filter import find_label_issues
    from cleanlab.token_classification.rank import get_label_quality_scores

    for seed in range(FEWER):
        case = generated(2_000 + seed)
        audit = audited(case, score=score)
        sentences, _ = get_label_quality_scores(case.labels, case.probs, token_score_method=score)
        assert np.allclose(audit.frame["label_quality"], sentences, rtol=0, atol=1e-12), seed
        ranked = find_label_issues(case.labels, case.probs, return_indices_ranked_by=score, n_jobs=1)
        assert issues(audit) == ranked, seed


def test_the_commonest_confusions_are_cleanlabs():
    from cleanlab.token_classification.filter import find_label_issues
    from cleanlab.token_classification.summary import common_label_issues

    for seed in range(FEWER):
        case = generated(3_000 + seed)
        words = [[f"w{row}_{token}" for token in range(len(labels))] for row, labels in enumerate(case.labels)]
        found = find_label_issues(case.labels, case.probs, filter_by="predicted_neq_given", n_jobs=1)
        theirs = common_label_issues(
            found, words, labels=case.labels, pred_probs=case.probs, top=0, verbose=False
        )  # a row for each word, given and predicted label
        audit = audited(case, filter_by="predicted_neq_given")
        ours = {(given, likely): tokens for given, likely, tokens, _ in audit.confusions.rows()}
        counted = theirs.groupby(["given_label", "predicted_label"])["num_label_issues"].sum()
        assert ours == counted.to_dict(), seed
