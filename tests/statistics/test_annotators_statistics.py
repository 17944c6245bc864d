"""Consensus, agreement and noise of several annotators: laws, worked examples, and the data of the first paper."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from support.frames import ROOT

from dqlabels.errors import OptionError
from dqlabels.noise.annotators import annotators_noise, draw_truth
from dqlabels.statistics.agreement import krippendorff_alpha, pair_agreements
from dqlabels.statistics.consensus import crowdlab, dawid_skene, ibcc, majority
from dqlabels.statistics.votes import Votes

LAWS = settings(max_examples=40, deadline=None)


@st.composite
def codes(draw, fewest_items=3):
    """Labels (N, J) of K classes, some missing, at least one item with two."""
    n, j, k = draw(st.integers(fewest_items, 25)), draw(st.integers(2, 5)), draw(st.integers(2, 4))
    given_labels = draw(arrays(np.int64, (n, j), elements=st.integers(-1, k - 1)))
    given_labels[0, :2] = [0, draw(st.integers(0, k - 1))]
    return given_labels, k


def votes_of(labels_and_classes):
    return Votes.of_columns(*labels_and_classes)


def simulated(n, errors, k=3, seed=0):
    """Truth (n,), and labels (n, J) that are wrong with these chances."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, k, n)
    wrong = rng.random((n, len(errors))) < errors
    return truth, np.where(wrong, (truth[:, None] + rng.integers(1, k, wrong.shape)) % k, truth[:, None])


def anaesthetists() -> Votes:
    """Table 1 of Dawid & Skene (1979); the first anaesthetist rated each patient three times."""
    with (ROOT / "examples/data/anaesthetists.csv").open(encoding="utf-8") as file:
        rows = [[int(value) - 1 for value in row.values()] for row in csv.DictReader(file)]
    item, who, code = np.array(rows).T
    return Votes.of(item, who, code, n_items=45, n_annotators=5, n_classes=4)


@LAWS
@given(codes())
def test_votes_count_every_label_once(drawn):
    labels, k = drawn
    counts = votes_of(drawn).class_counts()[votes_of(drawn).pattern]
    assert counts.tolist() == [[float((row == c).sum()) for c in range(k)] for row in labels]


def from_rows(rows, k):
    """One string an observer, a letter or digit a unit, a dot where there is none."""
    values = sorted({letter for row in rows for letter in row} - {"."})
    lookup = {letter: at for at, letter in enumerate(values)} | {".": -1}
    assert len(values) == k
    return Votes.of_columns(np.array([[lookup[letter] for letter in row] for row in rows]).T, k)


@pytest.mark.parametrize(
    ("rows", "k", "alpha"),
    [
        (["0100000010", "1110010000"], 2, 0.095),
        (["aabbdcccedda", "babbbccceddd"], 5, 0.692),
        (["123321412...", "1233224125.3", ".3332342251.", "12332441251."], 5, 0.743),
    ],
    ids=["binary, two observers", "nominal, two observers", "nominal, four observers, missing"],
)
def test_alpha_is_krippendorffs_own(rows, k, alpha):
    # Krippendorff (2011), Computing Krippendorff's Alpha-Reliability, sections A, B and C.
    assert krippendorff_alpha(from_rows(rows, k)).alpha == pytest.approx(alpha, abs=5e-4)


@LAWS
@given(codes())
def test_alpha_is_the_same_whatever_the_order_of_items_and_annotators(drawn):
    labels, k = drawn
    turned = labels[::-1, ::-1]
    assert krippendorff_alpha(Votes.of_columns(turned, k)).alpha == pytest.approx(
        krippendorff_alpha(Votes.of_columns(labels, k)).alpha
    )


@LAWS
@given(codes())
def test_alpha_is_the_same_whatever_the_classes_are_called(drawn):
    labels, k = drawn
    renamed = np.where(labels < 0, -1, (k - 1) - labels)
    assert krippendorff_alpha(Votes.of_columns(renamed, k)).alpha == pytest.approx(
        krippendorff_alpha(Votes.of_columns(labels, k)).alpha
    )


@LAWS
@given(arrays(np.int64, 10, elements=st.integers(0, 2)))
def test_alpha_is_1_where_all_agree(column):
    agreement = krippendorff_alpha(Votes.of_columns(np.column_stack([column] * 3), 3))
    assert (agreement.alpha, agreement.low, agreement.high, agreement.observed) == (1, 1, 1, 1)


def test_alpha_is_near_0_for_labels_by_chance():
    labels = np.random.default_rng(0).integers(0, 3, (4000, 3))
    agreement = krippendorff_alpha(Votes.of_columns(labels, 3))
    assert agreement.low < 0 < agreement.high
    assert abs(agreement.alpha) < 0.03


def test_kappa_of_a_pair_is_scikit_learns():
    from sklearn.metrics import cohen_kappa_score

    _, labels = simulated(200, [0.1, 0.3, 0.2])
    pairs = pair_agreements(Votes.of_columns(labels, 3))
    expected = [cohen_kappa_score(labels[:, a], labels[:, b]) for a, b in ((0, 1), (0, 2), (1, 2))]
    assert pairs.kappa.tolist() == pytest.approx(expected)


def test_dawid_skene_gives_the_class_shares_of_its_paper():
    # Dawid & Skene (1979), Table 4: the estimated marginal probabilities of the four classes.
    fit = dawid_skene(anaesthetists())
    assert fit.class_shares.round(2).tolist() == [0.40, 0.42, 0.11, 0.07]


def test_dawid_skene_is_sure_where_all_seven_ratings_agree():
    votes = anaesthetists()
    posterior = dawid_skene(votes).posterior[votes.pattern]
    assert posterior[[0, 10]].round(3).tolist() == [[1, 0, 0, 0], [0, 0, 0, 1]]


@pytest.mark.parametrize("method", [dawid_skene, ibcc])
def test_the_likelihood_finds_who_is_right_where_the_majority_is_not(method):
    truth, good = simulated(600, [0.03, 0.03], seed=1)
    rng = np.random.default_rng(2)
    spam = rng.integers(0, 3, (600, 3))
    votes = Votes.of_columns(np.hstack([good, spam]), 3)
    right = (method(votes).posterior[votes.pattern].argmax(axis=1) == truth).mean()
    assert right > (majority(votes) == truth).mean() + 0.1


@pytest.mark.parametrize("method", [dawid_skene, ibcc])
@LAWS
@given(drawn=codes(fewest_items=8))
def test_posteriors_are_probabilities(method, drawn):
    posterior = method(votes_of(drawn)).posterior
    assert np.isfinite(posterior).all()
    assert np.allclose(posterior.sum(axis=1), 1)


@pytest.mark.parametrize("method", [dawid_skene, ibcc])
def test_a_consensus_is_the_same_whatever_the_order_of_annotators_and_classes(method):
    _, labels = simulated(300, [0.1, 0.2, 0.3])
    votes, turned = Votes.of_columns(labels, 3), Votes.of_columns(2 - labels[:, ::-1], 3)
    here, there = method(votes).posterior[votes.pattern], method(turned).posterior[turned.pattern]
    assert np.allclose(here, there[:, ::-1], atol=1e-5)


@pytest.mark.parametrize("method", [dawid_skene, ibcc])
def test_a_consensus_is_bitwise_the_same_whatever_the_order_of_rows(method):
    _, labels = simulated(300, [0.1, 0.2, 0.3])
    order = np.random.default_rng(0).permutation(300)
    votes, turned = Votes.of_columns(labels, 3), Votes.of_columns(labels[order], 3)
    here, there = method(votes).posterior[votes.pattern], method(turned).posterior[turned.pattern]
    assert (here[order] == there).all()


def test_ibcc_is_not_sure_of_an_annotator_with_one_label():
    _, labels = simulated(200, [0.1, 0.1, 0.1])
    few = np.full((200, 1), -1)
    few[0] = labels[0, 0]
    matrices = ibcc(Votes.of_columns(np.hstack([labels, few]), 3)).matrices
    assert 0.5 < matrices[3, labels[0, 0], labels[0, 0]] < 0.9


@LAWS
@given(codes(), st.integers(0, 10**6))
def test_crowdlab_gives_probabilities(drawn, seed):
    votes = votes_of(drawn)
    probs = np.random.default_rng(seed).dirichlet(np.ones(drawn[1]), votes.n_items)
    posterior = crowdlab(votes, probs, majority(votes, probs)).posterior
    assert np.allclose(posterior.sum(axis=1), 1)
    assert (posterior >= 0).all()


def test_crowdlab_leaves_an_item_without_labels_to_the_model():
    labels = np.array([[0, 0], [1, 1], [0, 1], [-1, -1]])
    probs = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]])
    votes = Votes.of_columns(labels, 2)
    assert crowdlab(votes, probs, majority(votes, probs)).posterior[3] == pytest.approx([0.3, 0.7])


def test_majority_ties_go_to_the_model_then_to_the_rarer_class():
    labels = np.array([[0, 0], [0, 0], [1, 1], [0, 1]])
    votes = Votes.of_columns(labels, 2)
    sure = np.full((4, 2), 0.5)
    sure[3] = [0.9, 0.1]
    assert majority(votes)[3] == 1
    assert majority(votes, sure)[3] == 0


@pytest.mark.parametrize("errors", [[0.05, 0.10, 0.20], [0.02, 0.02], [0.3, 0.2, 0.1, 0.2]])
def test_the_noise_rate_is_near_the_share_of_wrong_labels(errors):
    truth, labels = simulated(1500, errors, seed=3)
    votes = Votes.of_columns(labels, 3)
    rate = annotators_noise(draw_truth(votes, majority(votes)))
    assert rate.estimate == pytest.approx((labels != truth[:, None]).mean(), abs=0.015)


def test_three_annotators_each_get_their_own_rate():
    truth, labels = simulated(2000, [0.02, 0.10, 0.30], seed=4)
    votes = Votes.of_columns(labels, 3)
    draws = draw_truth(votes, majority(votes))
    rates = [annotators_noise(draws, of=j) for j in range(3)]
    expected = (labels != truth[:, None]).mean(axis=0).tolist()
    assert [rate.estimate for rate in rates] == pytest.approx(expected, abs=0.03)
    assert [rate.rows for rate in rates] == [2000] * 3


def test_two_annotators_leave_open_whose_labels_are_wrong():
    _, labels = simulated(2000, [0.01, 0.15], seed=5)
    votes = Votes.of_columns(labels, 3)
    draws = draw_truth(votes, majority(votes))
    each, both = annotators_noise(draws, of=1), annotators_noise(draws)
    assert each.high - each.low > 4 * (both.high - both.low)
    assert "Two annotators alone" in both.assumption


def test_a_model_tells_two_annotators_apart():
    truth, labels = simulated(2000, [0.01, 0.15, 0.10], seed=6)
    votes = Votes.of_columns(labels[:, :2], 3)
    draws = draw_truth(votes, majority(votes), model=labels[:, 2])
    rates = [annotators_noise(draws, of=j).estimate for j in range(2)]
    assert rates == pytest.approx((labels[:, :2] != truth[:, None]).mean(axis=0).tolist(), abs=0.02)


def test_annotators_who_always_agree_are_hardly_wrong():
    truth, _ = simulated(500, [0.0])
    votes = Votes.of_columns(np.column_stack([truth] * 3), 3)
    assert annotators_noise(draw_truth(votes, majority(votes))).estimate < 0.002


def test_the_noise_rate_is_bitwise_the_same_whatever_the_order_of_rows():
    _, labels = simulated(400, [0.1, 0.2, 0.1])
    votes, turned = Votes.of_columns(labels, 3), Votes.of_columns(labels[::-1], 3)
    here, there = (annotators_noise(draw_truth(v, majority(v))) for v in (votes, turned))
    assert (here.estimate, here.low, here.high) == (there.estimate, there.low, there.high)


def test_large_tables_are_sampled_and_small_ones_are_not():
    truth, labels = simulated(40_000, [0.05, 0.1], k=2)
    votes = Votes.of_columns(labels, 2)
    rate = annotators_noise(draw_truth(votes, majority(votes)))
    assert rate.rows == 80_000
    assert rate.estimate == pytest.approx((labels != truth[:, None]).mean(), abs=0.015)


@pytest.mark.parametrize("confidence", [0, 1, 90])
def test_a_confidence_that_is_none_is_refused(confidence):
    votes = Votes.of_columns(np.array([[0, 0], [1, 1]]), 2)
    with pytest.raises(OptionError, match="not between 0 and 1"):
        krippendorff_alpha(votes, confidence=confidence)
    with pytest.raises(OptionError, match="not between 0 and 1"):
        annotators_noise(replace(draw_truth(votes, majority(votes))), confidence=confidence)
