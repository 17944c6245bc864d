"""Scores on test labels that were put right."""

from __future__ import annotations

import numpy as np
import pytest

from dqlabels.errors import OptionError
from dqlabels.learn import score_with_labels, score_with_review
from dqlabels.noise.reviewed import draw_sample


def test_predictions_are_scored_on_the_suggested_labels():
    found = score_with_labels(list("aabb"), list("abab"), list("aaab"))
    assert (found.given, found.estimate, found.changed) == (0.5, 0.75, 1)
    assert found.low < 0.75 < found.high


def test_balanced_accuracy_is_the_mean_over_classes():
    found = score_with_labels(list("aaab"), list("aaab"), list("aabb"), metric="balanced_accuracy")
    assert found.estimate == pytest.approx((2 / 2 + 1 / 2) / 2)


def test_a_score_says_what_it_assumes():
    found = score_with_labels(list("aabb"), list("abab"), list("aaab"))
    assert "suggested labels are right" in found.assumption
    assert "0.750" in str(found)


def test_rows_that_are_all_right_do_not_make_a_certainty():
    assert score_with_labels(list("abab"), list("abab"), list("abab")).low < 0.8


def world(rng, rows=2000):
    """Labels of which 20% are wrong, a model right on 85% of the true ones, and a quality that half knows."""
    truth = rng.integers(0, 2, rows)
    given = np.where(rng.random(rows) < 0.2, 1 - truth, truth)
    predicted = np.where(rng.random(rows) < 0.15, 1 - truth, truth)
    quality = np.clip(0.7 * (given == truth) + 0.5 * rng.random(rows), 0, 1)
    return truth, given, predicted, quality


def test_a_review_gives_the_accuracy_on_the_true_labels():
    estimates, covered = [], 0
    for seed in range(200):
        truth, given, predicted, quality = world(np.random.default_rng(seed))
        reviewed = np.full(2000, None, dtype=object)
        sample = draw_sample(quality, 100, seed)
        reviewed[sample] = truth[sample]
        found = score_with_review(predicted, given, quality, reviewed)
        right = (predicted == truth).mean()
        estimates.append(found.estimate - right)
        covered += found.low <= right <= found.high
        assert found.given < 0.75  # what the wrong labels say
    assert abs(np.mean(estimates)) < 0.01
    assert covered / 200 > 0.85  # 0.90 nominal, less what 200 draws may show


def test_a_review_of_everything_is_exact():
    truth, given, predicted, quality = world(np.random.default_rng(0), rows=300)
    assert score_with_review(predicted, given, quality, truth).estimate == pytest.approx((predicted == truth).mean())


def test_a_stratum_nobody_reviewed_is_refused():
    truth, given, predicted, quality = world(np.random.default_rng(0), rows=300)
    reviewed = np.where(quality > np.quantile(quality, 0.5), truth.astype(object), None)
    with pytest.raises(OptionError, match="says nothing of"):
        score_with_review(predicted, given, quality, reviewed)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"metric": "f1"}, "metric='f1' is none of"), ({"confidence": 90}, "confidence=90 is not between 0 and 1")],
)
def test_a_mistake_is_named(options, words):
    with pytest.raises(OptionError, match=words):
        score_with_labels([0, 1], [0, 1], [0, 1], **options)


def test_columns_of_different_length_are_refused():
    with pytest.raises(OptionError, match="one value for each row"):
        score_with_labels([0, 1], [0, 1, 1], [0, 1])
