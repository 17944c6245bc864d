"""Whether a table supports an estimate of its noise rate, and in which words it says that it does not."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from support.real_tables import tumours

import dqlabels
from dqlabels.noise.anchor import anchor_noise
from dqlabels.noise.methods import default_noise, default_rate
from dqlabels.noise.mixture import RateBasis, mixture_noise
from dqlabels.noise.support import explained, with_support_of

Codes, Probs = NDArray[np.int64], NDArray[np.float64]


def drawn(probs: Probs, seed: int = 99) -> Codes:
    """Labels drawn from what the model says: nothing is wrong, and the model is right about how unsure it is."""
    rng = np.random.default_rng(seed)
    below = probs.cumsum(axis=1) < rng.random((len(probs), 1))
    return below.sum(axis=1).clip(max=probs.shape[1] - 1)


def sure(truth: Codes, k: int, least: float = 0.7, seed: int = 0) -> Probs:
    """A model that gives the true class a probability of ``least`` to 0.98."""
    rng = np.random.default_rng(seed)
    own = rng.uniform(least, 0.98, truth.size)
    probs = np.repeat((1 - own)[:, None] / (k - 1), k, axis=1)
    probs[np.arange(truth.size), truth] = own
    return probs


def learned_as_one_other(rows_per_class: int, k: int, share: float) -> tuple[Codes, Probs]:
    """The share of each class is labelled as the next class, and the model has learned just that."""
    rng = np.random.default_rng(0)
    truth = np.arange(rows_per_class * k) % k
    other = (truth + 1) % k
    codes = np.where(rng.random(truth.size) < share, other, truth)
    probs = np.full((truth.size, k), 0.01 / k)
    probs[np.arange(truth.size), other] += 0.99 * share
    probs[np.arange(truth.size), truth] += 0.99 * (1 - share)
    blurred = probs * rng.uniform(0.9, 1.1, probs.shape)
    return codes, blurred / blurred.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("classes", "rows", "common"), [(2, 200, 0.5), (2, 600, 0.9), (5, 400, 0.5)])
def test_random_features_support_no_estimate(classes, rows, common, seed):
    rng = np.random.default_rng(seed)
    shares = np.append(common, np.full(classes - 1, (1 - common) / (classes - 1)))
    columns = {"x": rng.normal(size=rows), "y": rng.normal(size=rows), "z": rng.choice(list("abc"), rows)}
    frame = pl.DataFrame({**columns, "label": np.array(list("ABCDE"))[rng.choice(classes, rows, p=shares)]})
    assert not frame.labels.report("label").noise_rate.supported


def test_a_model_that_knows_only_the_class_shares_says_so():
    codes = np.arange(1000) % 3
    found = default_noise(codes, np.full((1000, 3), 1 / 3))
    assert not found.supported
    assert "the model predicts the labels no better than the share of each class does" in found.caution


def test_a_model_that_knows_little_says_how_little():
    rng = np.random.default_rng(0)
    own = rng.uniform(0.36, 0.64, 4000)
    probs = np.column_stack([own, 1 - own])
    found = default_noise(drawn(probs), probs)
    assert not found.supported
    assert "of what features could tell about the labels, and may know as little as" in found.caution


def test_overlap_that_leaves_most_errors_unexplained_supports_no_estimate():
    probs = np.random.default_rng(0).dirichlet(np.full(5, 0.6), 2000)
    found = default_noise(drawn(probs), probs)
    assert not found.supported
    assert found.caution.startswith("This table cannot support an estimate: the model disagrees with 4")


@pytest.mark.parametrize("noise", [0.0, 0.1, 0.2])
def test_a_model_that_can_tell_supports_an_estimate(noise):
    rng = np.random.default_rng(1)
    truth = np.arange(1000) % 3
    codes = np.where(rng.random(1000) < noise, (truth + rng.integers(1, 3, 1000)) % 3, truth)
    found = default_noise(codes, sure(truth, 3))
    assert (found.supported, found.caution) == (True, "")


def test_a_model_that_is_too_sure_of_itself_still_supports_an_estimate():
    truth = np.arange(1000) % 2
    codes = truth.copy()
    codes[:150] = 1 - codes[:150]  # the log loss of these alone is above that of the class shares
    probs = np.where(np.eye(2)[truth] == 1, 1 - 1e-6, 1e-6)
    assert default_noise(codes, probs).supported


def test_a_rare_class_told_apart_supports_an_estimate_under_noise():
    # Most of the labels of the rare class are wrong, so that little is left to explain, and the model explains it.
    rng = np.random.default_rng(0)
    truth = (np.arange(3000) % 30 == 0).astype(np.int64)
    codes = np.where(rng.random(3000) < 0.08, 1 - truth, truth)
    assert default_noise(codes, sure(truth, 2, least=0.85)).supported


def test_copies_of_rows_make_the_model_no_surer():
    rng = np.random.default_rng(0)
    own = rng.uniform(0.2, 0.8, 60)
    probs = np.repeat(np.column_stack([own, 1 - own]), 20, axis=0)
    codes = drawn(probs)
    basis = RateBasis.of(codes, probs)
    rate = default_rate(basis)
    alone, copied = explained(basis, rate), explained(replace(basis, independent=1 / 20), rate)
    assert copied.share == alone.share
    assert copied.high - copied.low == pytest.approx((alone.high - alone.low) * 20**0.5)


def test_rows_of_one_group_count_once_in_an_audit():
    rng = np.random.default_rng(0)
    x = rng.normal(size=40)
    label = np.where(x + rng.normal(size=40) > 0, "yes", "no")
    visits = {"x": np.repeat(x, 6) + rng.normal(scale=0.01, size=240), "person": np.repeat(np.arange(40), 6)}
    audit = dqlabels.audit(pl.DataFrame(visits | {"label": np.repeat(label, 6)}), "label", groups="person")
    as_if_independent = default_noise(audit.evidence.codes, audit.evidence.probs)
    assert "no better than the share of each class" in audit.noise_rate.caution
    assert "no better than the share of each class" not in as_if_independent.caution


@pytest.mark.parametrize(("rows_per_class", "classes"), [(200, 4), (40, 12)])
def test_labels_that_became_one_other_class_support_no_estimate(rows_per_class, classes):
    codes, probs = learned_as_one_other(rows_per_class, classes, 0.25)
    found = default_noise(codes, probs)
    assert found.estimate < 0.1  # the method's known failure
    assert not found.supported
    assert "methods disagree: 'variational' reads" in found.caution
    assert "labelled as one other class" in found.caution


def test_where_methods_disagree_the_interval_holds_them_all():
    codes, probs = learned_as_one_other(200, 4, 0.25)
    found = default_noise(codes, probs)
    anchor = anchor_noise(codes, probs).estimate
    assert found.low <= found.estimate < anchor <= found.high
    assert found.high >= (codes != np.arange(800) % 4).mean() - 0.01


def test_the_anchor_region_of_a_small_class_is_no_larger_than_the_class():
    truth = np.arange(300) % 30
    assert anchor_noise(truth, sure(truth, 30)).estimate == pytest.approx(0.0, abs=1e-9)


def test_a_rate_taken_from_the_joint_is_named_so():
    found = dqlabels.audit(pl.DataFrame(tumours(0.2)), "diagnosis")
    assert found.noise_rate.method == "confident"
    assert found.noise_rate.estimate == found.estimate_noise("confident").estimate
    rows = {row["method"]: row for row in found.noise_rates().iter_rows(named=True)}
    assert (rows["confident"]["low"], rows["confident"]["high"]) == (found.noise_rate.low, found.noise_rate.high)


def test_the_joint_is_not_taken_where_classes_overlap():
    rng = np.random.default_rng(0)
    own = rng.beta(0.7, 0.7, 4000)
    probs = np.column_stack([own, 1 - own])
    codes = drawn(probs)
    found = default_noise(codes, probs)
    assert found.method == "variational"
    assert found.estimate == mixture_noise(codes, probs).estimate


@pytest.mark.parametrize("seed", range(3))
def test_few_clean_rows_have_an_interval_that_holds_what_many_say(seed):
    rng = np.random.default_rng(seed)
    own = rng.beta(0.6, 0.6, 20_000)
    probs = np.column_stack([own, 1 - own])
    codes = drawn(probs)
    many = default_noise(codes, probs)
    few = default_noise(codes[:200], probs[:200])
    assert few.low <= many.estimate <= few.high


def test_other_methods_are_doubted_where_the_default_is():
    codes = np.arange(600) % 3
    doubtful = default_noise(codes, np.full((600, 3), 1 / 3))
    found = with_support_of(doubtful, anchor_noise(codes, np.full((600, 3), 1 / 3)))
    assert (found.supported, found.caution) == (False, doubtful.caution)


def test_what_is_not_supported_says_so_in_print_and_in_the_dict():
    doubtful = default_noise(np.arange(600) % 3, np.full((600, 3), 1 / 3))
    assert "cannot support an estimate" in str(doubtful)
    assert json.loads(json.dumps(doubtful.to_dict()))["supported"] is False


def test_probabilities_of_wrong_labels_add_up_to_the_rate_of_a_doubtful_table():
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"x": rng.normal(size=500), "label": rng.choice(["a", "b", "c"], 500)})
    audit = frame.labels.report("label")
    wrong = float((1 - audit.frame["label_quality"]).sum())
    assert wrong == pytest.approx(audit.noise_rate.estimate * 500, rel=0.01)
