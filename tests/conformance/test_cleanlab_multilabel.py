"""Several labels a row against cleanlab 2.9's multilabel_classification, on the same labels and probabilities."""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np
import pandas as pd
import pytest

import dqlabels
from dqlabels.audits.tags.verdict import BY_ROW, judge_tags
from dqlabels.statistics.classes import PRUNE_RULES
from dqlabels.statistics.scores import SCORES


@pytest.fixture(autouse=True)
def cleanlabs_own_ways():
    """It warns of small classes and seeds the global generator: neither is ours to judge here."""
    state = np.random.get_state()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    np.random.set_state(state)


def generated(seed: int):
    """2 to 8 tags, rare to common, 5% of answers flipped, sharp to vague probabilities."""
    rng = np.random.default_rng(seed)
    n, tags = int(rng.integers(80, 500)), int(rng.integers(2, 9))
    truth = rng.random((n, tags)) < rng.uniform(0.05, 0.7, tags)
    given = truth ^ (rng.random((n, tags)) < 0.05)
    given[0], given[1] = True, False
    probs = 1 / (1 + np.exp(-(truth * 2 - 1) * rng.choice([1, 2, 4]) - rng.normal(size=(n, tags))))
    return given.astype(np.int64), probs


def as_theirs(codes):
    return [np.flatnonzero(row).tolist() for row in codes]


CASES = list(range(15))


@cache
def rows_flagged_by_cleanlab(seed: int, rule: str):
    from cleanlab.multilabel_classification.filter import find_label_issues

    codes, probs = generated(seed)
    return find_label_issues(as_theirs(codes), probs, filter_by=rule, n_jobs=1)


@pytest.mark.parametrize("seed", CASES)
def test_flags_per_label_are_cleanlabs(seed):
    from cleanlab.multilabel_classification.filter import find_multilabel_issues_per_class

    codes, probs = generated(seed)
    for rule in PRUNE_RULES:
        theirs = find_multilabel_issues_per_class(as_theirs(codes), probs, filter_by=rule, n_jobs=1)
        assert (judge_tags(codes, probs, filter_by=rule, compat="cleanlab").flagged == theirs).all(), rule


@pytest.mark.parametrize("seed", CASES)
def test_flags_per_row_are_cleanlabs(seed):
    codes, probs = generated(seed)
    for rule in PRUNE_RULES:
        theirs = rows_flagged_by_cleanlab(seed, rule)
        assert (judge_tags(codes, probs, filter_by=rule, compat="cleanlab").row_flagged == theirs).all(), rule


@pytest.mark.parametrize(
    ("score", "adjust"),
    [("self_confidence", True), ("normalized_margin", True), ("confidence_weighted_entropy", False)],
)
@pytest.mark.parametrize("rule", BY_ROW)
def test_rules_that_count_rows_flag_the_same_ones_whatever_the_score(rule, score, adjust):
    for seed in CASES:
        codes, probs = generated(seed)
        ours = judge_tags(codes, probs, filter_by=rule, score=score, adjust=adjust, compat="cleanlab")
        assert (ours.row_flagged == rows_flagged_by_cleanlab(seed, rule)).all(), seed


@pytest.mark.parametrize("seed", CASES)
@pytest.mark.parametrize("score", SCORES[1:])  # cleanlab has no logit margin
def test_qualities_are_cleanlabs(seed, score):
    from cleanlab.multilabel_classification.rank import get_label_quality_scores, get_label_quality_scores_per_class

    codes, probs = generated(seed)
    ours = judge_tags(codes, probs, score=score, compat="cleanlab")
    per_class = get_label_quality_scores_per_class(as_theirs(codes), probs, method=score)
    assert np.allclose(ours.quality, per_class, rtol=0, atol=1e-12)
    rows = get_label_quality_scores(as_theirs(codes), probs, method=score)
    assert np.allclose(ours.row_quality, rows, rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", CASES)
def test_the_table_of_labels_is_cleanlabs(seed):
    from cleanlab.multilabel_classification.dataset import common_multilabel_issues

    codes, probs = generated(seed)
    frame = pd.DataFrame({"tags": as_theirs(codes)})
    ours = dqlabels.audit(
        frame, "tags", pred_probs=probs, classes=list(range(probs.shape[1])), compat="cleanlab"
    ).classes.set_index("label")
    theirs = common_multilabel_issues(as_theirs(codes), probs).set_index("Class Index")
    wrong, missing = theirs[theirs["In Given Label"]], theirs[~theirs["In Given Label"]]
    assert ours["wrong"].sort_index().tolist() == wrong["Num Examples"].sort_index().tolist()
    assert ours["missing"].sort_index().tolist() == missing["Num Examples"].sort_index().tolist()
