"""Whether annotators err independently, and what is said of the noise rate where they do not."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from support.frames import MAKERS

import dqlabels
from dqlabels.noise.annotators import annotators_noise, draw_truth
from dqlabels.noise.rate import NoiseRate
from dqlabels.statistics.consensus import majority
from dqlabels.statistics.votes import Votes

LIBRARIES = list(MAKERS)


def labels(
    *, hard: float = 0.0, annotators: int = 7, classes: int = 3, items: int = 300
) -> tuple[np.ndarray, np.ndarray]:
    """Labels (items, annotators), and which are wrong; on half of the items all err more often by ``hard``."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, classes, items)
    error = 0.2 * np.where(rng.random(items) < 0.5, 1 + hard, 1 - hard)[:, None]
    wrong = rng.random((items, annotators)) < error
    other = (truth[:, None] + rng.integers(1, classes, wrong.shape)) % classes
    return np.where(wrong, other, truth[:, None]), wrong


def rate_of(codes: np.ndarray, of: str | int = "labels", classes: int = 3) -> NoiseRate:
    votes = Votes.of_columns(codes, classes)
    return annotators_noise(draw_truth(votes, majority(votes)), of=of)


def named(codes: np.ndarray) -> dict[str, list[str]]:
    return {f"person{at}": ["abc"[code] for code in column] for at, column in enumerate(codes.T)}


@pytest.mark.parametrize(("annotators", "classes"), [(4, 2), (7, 3), (5, 10)])
def test_independent_annotators_are_not_doubted(annotators, classes):
    codes, _ = labels(annotators=annotators, classes=classes)
    assert rate_of(codes, classes=classes).supported


def test_annotators_of_unequal_skill_in_many_classes_are_not_doubted():
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 30, 500)
    wrong = rng.random((500, 20)) < rng.beta(2, 10, 20)
    assert rate_of(np.where(wrong, rng.integers(0, 30, wrong.shape), truth[:, None]), classes=30).supported


def test_annotators_who_fail_on_the_same_hard_items_are_doubted():
    rate = rate_of(labels(hard=0.9)[0])
    assert not rate.supported
    assert rate.caution.startswith(f"At least {rate.low:.1%} are wrong")


def test_an_annotator_who_copies_is_found():
    codes, _ = labels()
    codes[:, 1] = codes[:, 0]
    assert not rate_of(codes).supported


def test_the_interval_of_doubted_annotators_reaches_up_to_the_second_most_common_label():
    codes, wrong = labels(hard=0.9)
    counts = (codes[:, :, None] == np.arange(3)).sum(axis=1)
    second = np.sort(counts, axis=1)[:, 1]
    second = np.where(second > 0, second, counts.max(axis=1))
    rate = rate_of(codes)
    assert rate.high == pytest.approx(1 - second.sum() / codes.size)
    assert rate.low <= wrong.mean() <= rate.high


def test_of_one_annotator_neither_end_is_said_to_be_sure():
    assert rate_of(labels(hard=0.9)[0], of=0).caution.startswith("Between")


def test_two_annotators_cannot_be_tested():
    votes = Votes.of_columns(labels(hard=0.9, annotators=2)[0], 3)
    assert np.isnan(draw_truth(votes, majority(votes)).independence)


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_summary_says_at_least(library):
    frame = MAKERS[library](named(labels(hard=0.9)[0]))
    summary = dqlabels.audit(frame, [f"person{at}" for at in range(7)]).summary()
    assert "At least" in summary
    assert "Estimated share" not in summary


@pytest.mark.parametrize(("limit", "verdict"), [(0.3, "inconclusive"), (0.02, "fail")])
def test_a_gate_on_doubted_annotators_fails_only_where_even_the_least_is_too_much(limit, verdict):
    audit = dqlabels.audit(MAKERS["polars"](named(labels(hard=0.9)[0])), [f"person{at}" for at in range(7)])
    assert audit.gate(max_noise_rate=limit, on_inconclusive="pass").verdict == verdict


def test_many_sources_of_many_values_are_estimated():
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 79, 400)
    wrong = rng.random((400, 38)) < 0.15
    codes = np.where(wrong, rng.integers(0, 79, wrong.shape), truth[:, None])
    codes[rng.random(codes.shape) < 0.5] = -1
    rate = rate_of(codes, classes=79)
    assert rate.low - 0.01 <= (codes != truth[:, None])[codes >= 0].mean() <= rate.high + 0.01


def test_annotators_whose_errors_cancel_out_are_compared():
    table = pl.DataFrame({"a": ["x", "y"] * 20, "b": ["x", "y"] * 20, "c": ["x", "y", "y", "y"] * 10})
    assert 0 <= dqlabels.audit(table, ["a", "b", "c"]).noise_rate.estimate <= 1
