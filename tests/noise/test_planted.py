"""Planted errors: the share of known ones that the audit finds."""

from __future__ import annotations

import numpy as np
import pytest
from support.frames import two_classes

import dqlabels
from dqlabels.errors import OptionError
from dqlabels.noise.planted import plant_and_find

CODES = np.arange(400) % 4


def test_a_detector_that_finds_all_has_a_recall_of_one():
    found = plant_and_find(CODES, 4, lambda noisy: noisy != CODES, 0.03, 3, 0)
    assert (found.recall, found.spread, found.planted) == (1.0, 0.0, 12)


def test_a_detector_that_finds_nothing_has_a_recall_of_zero():
    assert plant_and_find(CODES, 4, lambda noisy: np.zeros(noisy.size, dtype=bool), 0.03, 3, 0).recall == 0.0


def test_every_planted_label_is_changed_to_another_class():
    seen = []
    plant_and_find(CODES, 4, lambda noisy: seen.append(noisy) or noisy != CODES, 0.10, 2, 0)
    assert [int((noisy != CODES).sum()) for noisy in seen] == [40, 40]
    assert all(((noisy >= 0) & (noisy < 4)).all() for noisy in seen)


def test_rows_are_planted_uniformly():
    hits = np.zeros(CODES.size)

    def again(noisy):
        hits[noisy != CODES] += 1
        return noisy != CODES

    plant_and_find(CODES, 4, again, 0.25, 200, 0)
    # 200 repeats of a quarter: 50 each, give or take five standard deviations of 6.1.
    assert abs(hits - 50).max() < 31


def test_repeats_differ_and_their_spread_is_told():
    rng = np.random.default_rng(0)
    weak = rng.random(CODES.size) < 0.5
    found = plant_and_find(CODES, 4, lambda noisy: (noisy != CODES) & weak, 0.05, 5, 0)
    assert len(set(found.by_repeat)) > 1
    assert found.spread == pytest.approx(np.std(found.by_repeat, ddof=1))


def test_the_callers_labels_are_left_alone():
    codes = CODES.copy()
    plant_and_find(codes, 4, lambda noisy: noisy != CODES, 0.10, 1, 0)
    assert (codes == CODES).all()


def test_an_audit_finds_what_is_planted_in_classes_that_are_apart(make_frame):
    found = dqlabels.audit(make_frame(two_classes(200)), "label").planted_recall(repeats=1)
    assert found.recall >= 0.5


def test_the_caveat_is_printed():
    found = plant_and_find(CODES, 4, lambda noisy: noisy != CODES, 0.03, 1, 0)
    assert "says nothing about how many labels are wrong" in str(found)


@pytest.mark.parametrize("options", [{"share": 0}, {"share": 0.6}, {"repeats": 0}, {"share": 0.0001}])
def test_what_cannot_be_planted_is_refused(options):
    choice = {"share": 0.03, "repeats": 3} | options
    with pytest.raises(OptionError, match="share"):
        plant_and_find(CODES, 4, lambda noisy: noisy != CODES, choice["share"], choice["repeats"], 0)


def test_an_audit_that_trained_no_model_plants_nothing():
    import polars as pl

    frame = pl.DataFrame(two_classes()).with_columns(p_no=0.5, p_yes=0.5)
    audit = dqlabels.audit(frame, "label", pred_probs=["p_no", "p_yes"])
    with pytest.raises(OptionError, match="need a model to be trained again"):
        audit.planted_recall()
