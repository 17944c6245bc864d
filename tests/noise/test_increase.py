"""What an increase of the noise rate is measured from, and how far one measurement lies off."""

from __future__ import annotations

import numpy as np
import pytest

from dqlabels.noise.increase import DoubtSums, Zero


def judged(rows: int, seed: int, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """True classes and probabilities of a model that is right about how sure it is."""
    rng = np.random.default_rng(seed)
    probs = rng.dirichlet(np.full(classes, 0.3), rows)
    return (probs.cumsum(axis=1) > rng.random((rows, 1))).argmax(axis=1), probs


def flipped(codes: np.ndarray, share: float, seed: int, classes: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    chosen = rng.random(codes.size) < share
    return np.where(chosen, (codes + rng.integers(1, classes, codes.size)) % classes, codes)


@pytest.fixture(scope="module")
def zero() -> Zero:
    return Zero.of(*judged(5_000, 0))


@pytest.mark.parametrize("share", [0.0, 0.03, 0.10])
def test_the_share_of_labels_that_became_wrong_is_read_off(zero, share):
    codes, probs = judged(20_000, 1)
    increase = zero.increase(zero.measure(flipped(codes, share, 2), probs).sums)
    assert increase.estimate == pytest.approx(share, abs=3 * np.hypot(increase.error, increase.zero_error))


def test_the_stated_error_is_that_of_many_batches(zero):
    increases = [zero.increase(zero.measure(*judged(500, seed)).sums) for seed in range(100, 200)]
    assert np.std([one.estimate for one in increases]) == pytest.approx(increases[0].error, rel=0.3)


def test_a_batch_with_other_shares_of_the_classes_is_no_noisier(zero):
    codes, probs = judged(20_000, 3)
    kept = (codes == 0) | (np.arange(codes.size) % 4 == 0)
    increase = zero.increase(zero.measure(codes[kept], probs[kept]).sums)
    assert abs(increase.estimate) < 3 * np.hypot(increase.error, increase.zero_error)


def test_the_order_of_the_rows_does_not_show(zero):
    codes, probs = judged(500, 4)
    order = np.random.default_rng(0).permutation(500)
    one, other = (zero.measure(codes[at], probs[at]).sums for at in (np.arange(500), order))
    assert np.array_equal(one.doubt, other.doubt)


def test_sums_of_parts_add_up_to_the_whole(zero):
    codes, probs = judged(500, 4)
    parts = [zero.measure(codes[at], probs[at]).sums for at in (slice(0, 200), slice(200, 500))]
    whole = zero.measure(codes, probs).sums
    added = parts[0] + parts[1]
    assert np.array_equal(added.rows, whole.rows)
    assert np.array_equal(added.pairs, whole.pairs)
    assert added.doubt == pytest.approx(whole.doubt)


def test_the_class_that_became_noisy_stands_out(zero):
    codes, probs = judged(20_000, 5)
    rng = np.random.default_rng(6)
    noisy = np.where((codes == 2) & (rng.random(codes.size) < 0.2), 1, codes)  # given 1 where 2 is right
    increases, errors = zero.by_class(zero.measure(noisy, probs).sums)
    assert (increases / errors).argmax() == 1
    assert increases[1] > 4 * errors[1]


def test_the_pair_that_became_common_stands_out(zero):
    codes, probs = judged(20_000, 5)
    rng = np.random.default_rng(6)
    noisy = np.where((codes == 2) & (rng.random(codes.size) < 0.2), 1, codes)
    shifts, errors = zero.by_pair(zero.measure(noisy, probs).sums)
    assert np.unravel_index((shifts / errors).argmax(), shifts.shape) == (1, 2)


def test_intervals_stay_within_what_an_increase_can_be(zero):
    codes, probs = judged(2, 7)
    low, high = zero.increase(zero.measure(codes, probs).sums).interval(0.999)
    assert -1 <= low <= high <= 1


def test_a_model_that_knows_nothing_tells_nothing():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2, 500)
    assert not Zero.of(codes, np.full((500, 2), 0.5)).is_telling


def test_what_was_saved_is_read_back(zero):
    again = Zero.from_dict(zero.to_dict(), 3)
    codes, probs = judged(500, 4)
    assert again.increase(again.measure(codes, probs).sums) == zero.increase(zero.measure(codes, probs).sums)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rows", [1, 2]),
        ("rows", [-1, 2, 3]),
        ("doubt", [0.0, float("nan"), 0.0]),
        ("planted", [0.5, 2.0, 0.5]),
        ("nodes", [[0.0, 0.0], [-1.0, -1.0]]),
        ("nodes", []),
        ("pairs", [[0, 1]]),
        ("variance", 0.0),
        ("skewness", float("inf")),
    ],
)
def test_a_zero_that_was_altered_is_refused(zero, name, value):
    with pytest.raises(ValueError, match="zero has"):
        Zero.from_dict(zero.to_dict() | {name: value}, 3)


def test_a_class_without_rows_has_no_increase(zero):
    sums = DoubtSums(np.array([10, 0, 5]), np.array([1.0, 0.0, 0.5]), np.zeros((3, 3), dtype=np.int64))
    increases, errors = zero.by_class(sums)
    assert (increases[1], errors[1]) == (0.0, 1.0)
