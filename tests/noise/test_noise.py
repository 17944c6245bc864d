"""Noise-rate estimators: laws that hold for any of them, and truths that are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.frames import two_classes

import dqlabels
from dqlabels.engines.memory import flag
from dqlabels.errors import OptionError
from dqlabels.noise.anchor import anchor_noise
from dqlabels.noise.joint import confident_noise
from dqlabels.noise.methods import METHODS, default_noise
from dqlabels.noise.mixture import mixture_noise
from dqlabels.noise.rate import NoiseRate, share_interval
from dqlabels.noise.reference import reference_noise

Codes, Probs = NDArray[np.int64], NDArray[np.float64]


def estimate(method: str, codes: Codes, probs: Probs, confidence: float = 0.90) -> NoiseRate:
    if method == "confident":
        rows = np.bincount(codes, minlength=probs.shape[1])
        return confident_noise(flag(codes, probs).counts, rows, confidence=confidence)
    if method == "anchor":
        return anchor_noise(codes, probs, confidence=confidence)
    return mixture_noise(codes, probs, method=method, confidence=confidence)


def separable(n: int, k: int, noise: float, seed: int = 0) -> tuple[Codes, Probs]:
    """Labels of which the share ``noise`` is wrong, and a model that is unsure by different amounts but right."""
    rng = np.random.default_rng(seed)
    truth = np.arange(n) % k
    sure = rng.uniform(0.6, 0.95, n)
    probs = np.repeat((1 - sure)[:, None] / (k - 1), k, axis=1)
    probs[np.arange(n), truth] = sure
    wrong = rng.choice(n, round(noise * n), replace=False)
    codes = truth.copy()
    codes[wrong] = (codes[wrong] + rng.integers(1, k, wrong.size)) % k
    return codes, probs


def overlapping(n: int, seed: int = 0) -> tuple[Codes, Probs]:
    """Labels without any noise drawn from a model that is right about how unsure it is."""
    rng = np.random.default_rng(seed)
    p = rng.beta(0.8, 0.8, n)
    return (rng.random(n) < p).astype(np.int64), np.column_stack([1 - p, p])


@st.composite
def labelled_probabilities(draw: Any, ties: bool = True) -> tuple[Codes, Probs]:
    k, n = draw(st.integers(2, 5)), draw(st.integers(5, 120))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    probs = rng.dirichlet(np.full(k, draw(st.sampled_from([0.5, 1.0, 20.0]))), n)
    probs = (np.round(probs, 2) if ties else probs) + 1e-3
    return rng.integers(0, k, n), probs / probs.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("method", ["variational", "em", "confident"])
@pytest.mark.parametrize("noise", [0.0, 0.05, 0.10, 0.20])
@pytest.mark.parametrize("classes", [2, 6])
def test_the_rate_is_near_the_truth_where_the_model_tells_the_classes_apart(method, noise, classes):
    assert estimate(method, *separable(3000, classes, noise)).estimate == pytest.approx(noise, abs=0.025)


@pytest.mark.parametrize("noise", [0.0, 0.05, 0.10, 0.20])
@pytest.mark.parametrize("classes", [2, 6])
def test_the_anchor_region_is_the_cleanest_of_many_and_reads_low(noise, classes):
    assert noise / 2 <= estimate("anchor", *separable(3000, classes, noise)).estimate <= noise + 0.01


@pytest.mark.parametrize("seed", range(3))
def test_the_interval_of_the_default_holds_the_truth_where_the_classes_are_apart(seed):
    found = default_noise(*separable(2000, 3, 0.10, seed))
    assert found.low <= 0.10 <= found.high


def test_overlap_alone_is_not_noise_to_the_default():
    codes, probs = overlapping(2000)
    assert estimate("confident", codes, probs).estimate > 0.10
    assert estimate("variational", codes, probs).estimate < 0.04


@pytest.mark.parametrize("method", ["variational", "em"])
def test_the_matrix_is_that_by_which_the_labels_were_changed(method):
    rng = np.random.default_rng(1)
    _, probs = separable(6000, 3, 0.0)
    truth = probs.argmax(axis=1)
    matrix = np.array([[0.9, 0.1, 0.0], [0.0, 1.0, 0.0], [0.05, 0.15, 0.8]])
    codes = np.array([rng.choice(3, p=matrix[k]) for k in truth])
    assert np.abs(estimate(method, codes, probs).matrix - matrix).max() < 0.04


def test_the_two_matrices_say_the_same_joint():
    codes, probs = separable(3000, 4, 0.10)
    found = estimate("em", codes, probs)
    given_shares = np.bincount(codes) / codes.size
    true_shares = given_shares @ found.inverse
    assert np.abs(true_shares[:, None] * found.matrix - (given_shares[:, None] * found.inverse).T).max() < 5e-3


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=25, deadline=None)
@given(data=labelled_probabilities())
def test_shares_stay_shares_and_the_interval_holds_the_estimate(method, data):
    found = estimate(method, *data)
    assert 0 <= found.low <= found.estimate <= found.high <= 1
    assert ((found.class_low >= 0) & (found.class_high <= 1)).all()
    assert (found.class_low <= found.by_given_class + 1e-12).all()
    assert (found.by_given_class <= found.class_high + 1e-12).all()


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=25, deadline=None)
@given(data=labelled_probabilities())
def test_rows_of_both_matrices_sum_to_one(method, data):
    found = estimate(method, *data)
    assert found.matrix.sum(axis=1) == pytest.approx(1)
    assert found.inverse.sum(axis=1) == pytest.approx(1)


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=15, deadline=None)
@given(data=labelled_probabilities(), seed=st.integers(0, 99))
def test_row_order_changes_nothing(method, data, seed):
    codes, probs = data
    order = np.random.default_rng(seed).permutation(codes.size)
    assert repr(estimate(method, codes[order], probs[order])) == repr(estimate(method, codes, probs))


@pytest.mark.parametrize("rows", [12_000, 4_500])
def test_row_order_changes_nothing_where_only_some_rows_are_fitted(rows):
    codes, probs = separable(rows, 3, 0.10)
    probs = np.round(probs, 1)
    probs /= probs.sum(axis=1, keepdims=True)
    order = np.random.default_rng(5).permutation(rows)
    assert mixture_noise(codes[order], probs[order]).estimate == mixture_noise(codes, probs).estimate


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=15, deadline=None)
@given(data=labelled_probabilities(ties=False), seed=st.integers(0, 99))
def test_renamed_classes_change_only_the_order_of_the_classes(method, data, seed):
    codes, probs = data
    place = np.random.default_rng(seed).permutation(probs.shape[1])  # class k becomes place[k]
    found, renamed = estimate(method, codes, probs), estimate(method, place[codes], probs[:, np.argsort(place)])
    assert renamed.estimate == pytest.approx(found.estimate, abs=1e-6)
    assert np.abs(renamed.by_given_class[place] - found.by_given_class).max() < 1e-5


@pytest.mark.parametrize("method", METHODS)
def test_relabelling_rows_wrongly_raises_the_rate(method):
    rates = [estimate(method, *separable(2000, 3, noise)).estimate for noise in (0.02, 0.08, 0.16)]
    assert rates == sorted(rates)
    assert rates[2] - rates[0] > 0.10


@pytest.mark.parametrize("method", METHODS)
def test_more_confidence_is_a_wider_interval(method):
    codes, probs = separable(800, 3, 0.10)
    narrow, wide = (estimate(method, codes, probs, confidence) for confidence in (0.5, 0.99))
    assert wide.high - wide.low > narrow.high - narrow.low


@pytest.mark.parametrize("method", ["variational", "em", "confident"])
def test_more_rows_are_a_narrower_interval(method):
    small, large = (estimate(method, *separable(n, 2, 0.10)) for n in (200, 4000))
    assert large.high - large.low < small.high - small.low


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("confidence", [0, 1, 1.5, -0.1])
def test_a_confidence_that_is_none_is_refused(method, confidence):
    with pytest.raises(OptionError, match=r"is not between 0 and 1; for a 90% interval pass 0\.90"):
        estimate(method, *separable(100, 2, 0.1), confidence=confidence)


@pytest.mark.parametrize("rate", [0.0, 0.05, 0.2])
def test_many_classes_are_read_by_one_rate_for_all(rate):
    codes, probs = separable(1300, 65, rate)
    found = default_noise(codes, probs)
    assert found.method == "symmetric"
    assert found.low <= rate <= found.high
    assert found.estimate == pytest.approx(rate, abs=0.03)
    rows = np.bincount(codes, minlength=65)
    assert float(found.by_given_class @ rows) / rows.sum() == pytest.approx(found.estimate)


def test_a_class_that_no_row_carries_adds_no_noise():
    codes, probs = separable(600, 2, 0.05)
    wider = np.column_stack([probs * 0.999, np.full(600, 0.001)])
    assert mixture_noise(codes, wider).estimate == pytest.approx(mixture_noise(codes, probs).estimate, abs=0.02)


def test_small_classes_have_wide_intervals():
    codes, probs = separable(2000, 2, 0.05)
    kept = np.flatnonzero((codes == 0) | (np.arange(2000) < 60))
    found = mixture_noise(codes[kept], probs[kept])
    width = found.class_high - found.class_low
    assert width[1] > width[0]


@pytest.mark.parametrize(("share", "rows"), [(0.0, 20), (0.1, 50), (1.0, 7)])
def test_wilsons_interval_solves_its_equation(share, rows):
    z = 1.6448536269514722
    for end in share_interval(share, rows, 0.90):
        assert (end - share) ** 2 == pytest.approx(z**2 * end * (1 - end) / rows, abs=1e-12)


def profile(error: float, rows: int = 5000, classes: int = 2, **more: Any) -> dict[str, Any]:
    return {"format": 1, "model_error": error, "rows": rows, "classes": ["x"] * classes, **more}


@pytest.mark.parametrize("noise", [0.0, 0.05, 0.2])
@pytest.mark.parametrize("error", [0.0, 0.1, 0.25])
def test_the_change_is_what_symmetric_noise_does_to_the_error(noise, error):
    # Of two classes a wrong label turns a hit into a miss and a miss into a hit.
    noisy = error * (1 - noise) + (1 - error) * noise
    base = default_noise(*separable(500, 2, 0.05))
    assert reference_noise(noisy, 5000, profile(error), base).estimate == pytest.approx(noise)


def test_a_change_of_a_model_that_guesses_is_not_supported():
    base = default_noise(*separable(500, 2, 0.05))
    assert not reference_noise(0.48, 5000, profile(0.47), base).supported


def test_a_table_compared_with_itself_has_not_changed():
    import pandas as pd

    audit = dqlabels.audit(pd.DataFrame(two_classes()), "label")
    assert audit.estimate_noise("reference", reference=audit).estimate == 0


@pytest.fixture(scope="module")
def made() -> dict[str, dqlabels.LabelAudit]:
    from support.frames import MAKERS

    return {name: dqlabels.audit(make(two_classes()), "label") for name, make in MAKERS.items()}


LIBRARIES = ["pandas", "polars", "lazy", "pyarrow"]


@pytest.mark.parametrize("library", LIBRARIES)
def test_every_method_is_a_row(made, library):
    from support.frames import column

    assert column(made[library].noise_rates(), "method") == list(METHODS)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(("by", "rows"), [("class", 8), ("pair", 16)])
def test_classes_and_pairs_of_every_method_are_rows(made, library, by, rows):
    from support.frames import eager

    assert len(eager(made[library].noise_rates(by))) == rows


def test_the_table_by_class_holds_the_numbers_of_the_rate(made):
    table = made["polars"].noise_rates("class")
    rate = made["polars"].estimate_noise("anchor")
    anchor = table.filter(table["method"] == "anchor")
    assert anchor["noise_rate"].to_list() == rate.by_given_class.tolist()
    assert anchor["high"].to_list() == rate.class_high.tolist()


def test_tables_by_something_else_are_refused(made):
    with pytest.raises(OptionError, match="by='row' is none of"):
        made["polars"].noise_rates("row")


def test_arrays_of_a_rate_are_read_only(made):
    with pytest.raises(ValueError, match="read-only"):
        made["polars"].noise_rate.matrix[0, 0] = 1
