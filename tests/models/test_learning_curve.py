"""Of large tables: whether a larger sample would help, and how to ask for one."""

from __future__ import annotations

import warnings

import numpy as np
import polars as pl
import pytest
from support.sized import Sized

import dqlabels
from dqlabels import LabelAuditor, LabelWarning
from dqlabels.errors import OptionError
from dqlabels.frames.hashing import hash_features
from dqlabels.models.boosted import Halves
from dqlabels.models.learning_curve import LearningCurve, learning_curve
from dqlabels.models.sizes import BoostingSizes, Sizes

ROWS = 16_000
# Tables of so many rows are large.
small = Sized(Sizes(large_rows=4_500, halves=BoostingSizes(trees=24, depth=5)))


def table(cells: int) -> pl.DataFrame:
    """Two numbers; the label is that of one of ``cells`` x ``cells`` fields, half of them drawn to be yes."""
    rng = np.random.default_rng(7)
    fields = rng.permutation(np.arange(cells**2) % 2).reshape(cells, cells)
    x, y = rng.random((2, ROWS))
    label = fields[(x * cells).astype(int), (y * cells).astype(int)] ^ (rng.random(ROWS) < 0.05)
    return pl.DataFrame({"x": x, "y": y, "label": [("no", "yes")[k] for k in label]})


def test_a_table_that_more_rows_would_help_says_so_and_how():
    with pytest.warns(LabelWarning, match=r"a sample of 9,\d\d\d rows would likely help .* Pass sample_rows=9\d\d\d "):
        found = small.audit(table(12), "label")
    assert "would likely help" in found.model


def test_a_table_that_more_rows_would_hardly_help_is_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = small.audit(table(2), "label")
    assert "would hardly help" in found.model
    assert "would hardly help" in found.summary()


@pytest.mark.parametrize(("cells", "trees", "helps"), [(12, 64, True), (2, 24, False)])
def test_the_prediction_comes_true(cells, trees, helps):
    """The held-out log-loss of twice the rows is lower by a hundredth, or is not."""
    sizes = BoostingSizes(trees=trees, depth=5)
    frame = table(cells)
    matrix, codes = frame.select("x", "y").to_numpy().astype(np.float32), (frame["label"] == "yes").to_numpy()
    curves = []
    for rows in (4_500, 9_000):
        order = np.argsort(hash_features(matrix[:rows]))
        drawn, labels, weights = matrix[:rows][order], codes[:rows][order].astype(np.int64), np.ones(rows)
        halves = Halves.fit(drawn, labels, 2, weights, coarse=False, sizes=sizes)
        curves.append(learning_curve(halves, drawn, labels, weights, seed=0, n_jobs=1, sizes=sizes))
    assert curves[0].more_would_help == helps
    assert (curves[0].losses[2] - curves[1].losses[2] >= 0.01) == helps


@pytest.mark.parametrize("options", [{}, {"sample_rows": 900}])
def test_a_lazy_frame_is_judged_by_the_same_sample(options):
    frame = table(2)
    in_memory = small.audit(frame, "label", **options)
    lazy = small.audit(frame.lazy(), "label", **options)
    assert lazy.frame.collect().equals(in_memory.frame)
    assert lazy.model == in_memory.model


def test_too_few_rows_to_say_are_not_spoken_of():
    assert "help" not in small.audit(table(2), "label", sample_rows=900).model


def test_a_sample_that_is_the_whole_table_is_not_spoken_of():
    assert "help" not in small.audit(table(2), "label", sample_rows=ROWS).model


def test_an_auditor_takes_the_option_too():
    auditor = small.auditor("label", sample_rows=900).fit(table(2))
    assert "halves of 901 kinds of row" in auditor.fitted.model.name  # of each class its share, rounded up


@pytest.mark.parametrize("rows", [0, 99, 2.5, True, "many"])
def test_a_number_that_no_model_can_be_fitted_on_is_refused(rows):
    with pytest.raises(OptionError, match="sample_rows="):
        dqlabels.audit(table(2), "label", sample_rows=rows)
    with pytest.raises(OptionError, match="sample_rows="):
        LabelAuditor("label", sample_rows=rows)


@pytest.mark.parametrize(
    ("losses", "gain"),
    [
        ((0.70, 0.60, 0.52), 0.064),  # falls on as it fell
        ((0.70, 0.60, 0.59), 0.005),  # at least half as much as in the last doubling
        ((0.70, 0.69, 0.60), 0.090),  # at most as much
        ((0.60, 0.65, 0.60), 0.050),
        ((0.60, 0.59, 0.60), 0.0),
    ],
)
def test_what_twice_the_rows_would_gain(losses, gain):
    curve = LearningCurve((1, 2, 4), losses)
    assert curve.gain == pytest.approx(gain)
    assert curve.more_would_help == (gain >= 0.01)
