"""Labels that are wrong together, and the interval of their noise rate."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dqlabels.noise.clusters import Clusters, within_clusters
from dqlabels.noise.mixture import mixture_noise


def drawn(seed: int, together: bool) -> tuple[np.ndarray, np.ndarray]:
    """Errors of 400 clusters of 8: 10% of the clusters, or 10% of the rows."""
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(400), 8)
    errors = (rng.random(400) < 0.1)[clusters] if together else rng.random(3_200) < 0.1
    return errors, clusters


def design_effect(errors: np.ndarray, clusters: np.ndarray) -> float:
    return Clusters.of(errors, clusters).effect(float(errors.mean()))


def test_errors_that_fill_clusters_count_once_for_each():
    effects = [design_effect(*drawn(seed, together=True)) for seed in range(10)]
    assert 7.5 < np.mean(effects) < 8.5


def test_errors_at_random_count_one_by_one():
    effects = [design_effect(*drawn(seed, together=False)) for seed in range(10)]
    assert max(effects) < 1.3


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_neither_order_nor_names_of_clusters_matter(seed):
    errors, clusters = drawn(0, together=True)
    rng = np.random.default_rng(seed)
    order, names = rng.permutation(errors.size), rng.permutation(400)
    assert np.isclose(design_effect(errors[order], names[clusters[order]]), design_effect(errors, clusters))


def test_no_errors_and_one_cluster_widen_nothing():
    assert design_effect(np.zeros(9, dtype=bool), np.arange(9)) == 1
    assert design_effect(np.array([True, False]), np.zeros(2, dtype=np.int64)) == 1


def test_the_interval_grows_with_the_effect_and_stays_one():
    codes = np.arange(400) % 2
    rate = mixture_noise(codes, np.where(np.eye(2)[codes] == 1, 0.9, 0.1))
    rows = np.array([200, 200])
    same, wide, wider = (within_clusters(rate, effect, rows, "Words of one line") for effect in (1.0, 4.0, 100.0))
    assert np.isclose(same.low, rate.low)
    assert np.allclose(same.class_high, rate.class_high)
    assert rate.high < wide.high < wider.high <= 1
    assert (wide.class_low <= rate.class_low).all()
    assert 0 <= wider.low <= wide.low <= rate.estimate


def test_independent_errors_of_the_model_hide_no_clusters_of_wrong_labels():
    wrong, clusters = drawn(0, together=True)
    disagree = wrong | (np.random.default_rng(1).random(wrong.size) < 0.05)
    share = float(wrong.mean())
    assert 0.8 * design_effect(wrong, clusters) < Clusters.of(disagree, clusters).effect(share) <= 8


def test_no_rate_is_more_clustered_than_whole_clusters():
    assert Clusters.of(*drawn(0, together=True)).effect(1e-9) == 8
