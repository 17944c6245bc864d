"""``compat="cleanlab"`` against cleanlab 2.9 on the same probabilities, and where the default departs from it."""

from __future__ import annotations

import warnings

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from support.frames import ROOT

import dqlabels
from dqlabels.engines.memory import judge
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
    """K from 2 to 60, class shares from even to steep, classes absent, sharp to vague models."""
    rng = np.random.default_rng(seed)
    k, n = int(rng.integers(2, 61)), int(rng.integers(40, 1500))
    shares = rng.dirichlet(np.ones(k) * rng.choice([0.3, 1, 10]))
    truth = rng.choice(k, n, p=shares)
    codes = np.where(rng.random(n) < 0.15, rng.integers(0, k, n), truth)
    scores = rng.normal(size=(n, k)) * rng.choice([0.5, 1, 2])
    scores[np.arange(n), truth] += rng.choice([1, 2, 4])
    probs = np.exp(scores)
    probs /= probs.sum(axis=1, keepdims=True)
    codes[:2] = [0, 1]
    return codes, probs.astype(np.float32 if seed % 4 == 0 else np.float64)


def shipped(name: str):
    table = pq.read_table(ROOT / f"examples/data/{name}_test_pred_probs.parquet")
    return np.asarray(table["label"]).astype(np.int64), np.column_stack([table[f"p{k}"] for k in range(10)])


CASES = list(range(100))
REAL = ["cifar10", "mnist"]


def rows_of(case):
    return shipped(case) if isinstance(case, str) else generated(case)


@pytest.mark.parametrize("case", CASES + REAL)
def test_masks_are_cleanlabs(case):
    from cleanlab.filter import find_label_issues

    codes, probs = rows_of(case)
    for rule in PRUNE_RULES:
        ours = judge(codes, probs, filter_by=rule, compat="cleanlab").flagged
        theirs = find_label_issues(codes, probs, filter_by=rule, n_jobs=1)
        assert np.array_equal(ours, theirs), rule


@pytest.mark.parametrize("case", CASES[:60])
def test_masks_of_frames_are_cleanlabs_where_classes_have_no_row(case):
    from cleanlab.filter import find_label_issues

    codes, probs = rows_of(case)
    kept = codes != probs.shape[1] - 1
    codes, probs = codes[kept], probs[kept]
    if probs.shape[1] == 2 or (np.bincount(codes) == 1).any():
        return  # single rows are never flagged in frames
    frame, classes = pl.DataFrame({"y": codes}), range(probs.shape[1])
    for rule in ("prune_by_noise_rate", "confident_learning"):
        options = {"pred_probs": probs, "classes": classes, "compat": "cleanlab", "filter_by": rule, "task": "classes"}
        ours = dqlabels.audit(frame, "y", **options).frame["is_label_issue"].to_numpy()
        assert np.array_equal(ours, find_label_issues(codes, probs, filter_by=rule, n_jobs=1)), rule


@pytest.mark.parametrize("case", CASES + REAL)
def test_thresholds_and_joints_are_cleanlabs(case):
    from cleanlab.count import compute_confident_joint, estimate_joint, get_confident_thresholds

    codes, probs = rows_of(case)
    ours = judge(codes, probs, compat="cleanlab")
    assert np.array_equal(ours.thresholds, get_confident_thresholds(codes, probs))
    assert np.array_equal(ours.confident_joint, compute_confident_joint(codes, probs, calibrate=False))
    assert np.array_equal(ours.joint, estimate_joint(codes, probs))


@pytest.mark.parametrize("case", CASES + REAL)
def test_scores_are_cleanlabs(case):
    from cleanlab.rank import get_label_quality_scores

    codes, probs = rows_of(case)
    for score in SCORES[1:]:  # cleanlab has no logit margin
        for adjust in (False, True):
            if adjust and score == "confidence_weighted_entropy":
                continue
            ours = judge(codes, probs, score=score, adjust=adjust, compat="cleanlab").quality
            theirs = get_label_quality_scores(codes, probs, method=score, adjust_pred_probs=adjust)
            tolerance = 1e-6 if probs.dtype == np.float32 else 1e-12
            assert np.allclose(ours, theirs, rtol=0, atol=tolerance), (score, adjust)


@pytest.mark.parametrize("name", REAL)
def test_a_class_tables_label_noise_is_cleanlabs(name):
    from cleanlab.dataset import rank_classes_by_label_quality

    codes, probs = shipped(name)
    joint = judge(codes, probs, compat="cleanlab").joint
    theirs = rank_classes_by_label_quality(codes, probs).set_index("Class Index").sort_index()
    noise = 1 - np.diagonal(joint) / joint.sum(axis=1)
    assert np.allclose(noise, theirs["Label Noise"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", REAL)
def test_the_default_flags_nearly_what_cleanlab_flags(name):
    codes, probs = shipped(name)
    ours, theirs = judge(codes, probs).flagged, judge(codes, probs, compat="cleanlab").flagged
    assert (ours & theirs).sum() >= 0.9 * max(ours.sum(), theirs.sum())


def test_tied_rows_at_a_cut_share_their_fate_where_cleanlab_picks():
    codes = np.array([0] * 30 + [1] * 30)
    probs = np.array([[0.9, 0.1]] * 24 + [[0.3, 0.7]] * 6 + [[0.2, 0.8]] * 30)
    flags = judge(codes, probs, compat="cleanlab").flagged
    assert len(set(flags[24:30].tolist())) == 1
