"""The bag's trees as plain arrays: the same probabilities as scikit-learn's, and nothing unsound is believed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier

from dqlabels.errors import ModelError
from dqlabels.models.bag import Bag, DenseVotes, SparseVotes
from dqlabels.models.forest import UNIT, Forest, GrownTree
from dqlabels.models.units import FittingRows


def table(rows=300, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    codes = np.arange(rows) % classes
    matrix = (rng.normal(size=(rows, 4)) + codes[:, None]).astype(np.float32)
    matrix[rng.random(matrix.shape) < 0.1] = np.nan
    return matrix, codes


MATRIX, CODES = table()


@pytest.fixture(scope="module")
def forest() -> Forest:
    made = Forest.of_classifier(ExtraTreesClassifier(7, random_state=0).fit(MATRIX, CODES), 4, 3)
    assert made is not None
    return made


def by_hand(forest: Forest, row) -> list[float]:
    """The descent as docs/auditor-format.md describes it."""
    sums = [0] * forest.n_classes
    for first in forest.offsets[:-1].tolist():
        node = first
        while forest.left[node] >= 0:
            value = row[forest.feature[node]]
            goes_left = bool(forest.missing_left[node]) if np.isnan(value) else value <= forest.threshold[node]
            node = first + int(forest.left[node] if goes_left else forest.right[node])
        for at in range(int(forest.leaf_starts[node]), int(forest.leaf_starts[node + 1])):
            sums[forest.leaf_classes[at]] += int(forest.leaf_shares[at])
    return [share / sum(sums) for share in sums]


def test_a_descent_by_hand_gives_the_same(forest):
    matrix, _ = table(rows=40, seed=1)
    assert forest.predict_proba(matrix).tolist() == [by_hand(forest, row) for row in matrix]


@pytest.mark.parametrize(
    "classifier",
    [
        ExtraTreesClassifier(20, random_state=0),
        RandomForestClassifier(20, random_state=0),
        DecisionTreeClassifier(random_state=0),
        ExtraTreeClassifier(random_state=0),
    ],
)
def test_the_probabilities_are_scikit_learns(classifier):
    fitted = classifier.fit(MATRIX, CODES)
    matrix, _ = table(seed=1)
    found = Forest.of_classifier(fitted, 4, 3).predict_proba(matrix)
    np.testing.assert_allclose(found, fitted.predict_proba(matrix), atol=1e-6)


def test_a_class_the_trees_never_saw_has_no_share():
    some = CODES != 1
    found = Forest.of_classifier(ExtraTreesClassifier(5, random_state=0).fit(MATRIX[some], CODES[some]), 4, 3)
    assert found.predict_proba(MATRIX)[:, 1].max() == 0


def test_other_classifiers_are_no_forest():
    assert Forest.of_classifier(LogisticRegression(), 4, 3) is None


@pytest.mark.parametrize("threads", [1, 3])
def test_blocks_and_threads_change_nothing(forest, threads):
    found = forest.predict_proba(MATRIX, n_threads=threads, min_block_rows=7)
    np.testing.assert_array_equal(found, [by_hand(forest, row) for row in MATRIX])


def test_class_shares_too_large_to_keep_spread_out_give_the_same(forest):
    again = replace(forest, max_table_bytes=0)
    np.testing.assert_array_equal(again.predict_proba(MATRIX), forest.predict_proba(MATRIX))


def test_no_rows_have_no_probabilities(forest):
    assert forest.predict_proba(MATRIX[:0]).shape == (0, 3)


def test_a_matrix_of_another_width_is_refused(forest):
    with pytest.raises(ModelError, match=r"judges by 4 features; the matrix has shape \(300, 3\)"):
        forest.predict_proba(MATRIX[:, :3])


def test_arrays_make_the_same_forest(forest):
    again = Forest.from_arrays(forest.to_arrays(), 4, 3)
    np.testing.assert_array_equal(again.predict_proba(MATRIX), forest.predict_proba(MATRIX))


def changed(forest: Forest, name: str, at: int, value: float) -> dict:
    arrays = {key: array.copy() for key, array in forest.to_arrays().items()}
    arrays[name][at] = value
    return arrays


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("child", [0, -1, -5, 10**6])
def test_a_child_outside_its_tree_or_before_its_parent_is_refused(forest, side, child):
    with pytest.raises(ModelError, match=f"a node whose child {child} is outside its tree"):
        Forest.from_arrays(changed(forest, side, 0, child), 4, 3)


def test_a_child_in_the_next_tree_is_refused(forest):
    size = int(forest.offsets[1])
    with pytest.raises(ModelError, match=f"a node whose child {size} is outside its tree"):
        Forest.from_arrays(changed(forest, "right", 0, size), 4, 3)


@pytest.mark.parametrize("feature", [-1, 4, 10**6])
def test_a_feature_beyond_the_width_is_refused(forest, feature):
    with pytest.raises(ModelError, match="ask for a feature beyond the 4"):
        Forest.from_arrays(changed(forest, "feature", 0, feature), 4, 3)


@pytest.mark.parametrize(
    ("name", "at", "value", "why"),
    [
        ("threshold", 0, np.nan, "a threshold that is not finite"),
        ("threshold", 0, np.inf, "a threshold that is not finite"),
        ("missing_left", 0, 2, "neither left nor right"),
        ("offsets", 0, 1, "do not divide their nodes into trees"),
        ("offsets", 1, 0, "do not divide their nodes into trees"),
        ("offsets", -1, 10**9, "do not divide their nodes into trees"),
        ("leaf_starts", 5, 10**9, "do not belong to their leaves"),
        ("leaf_starts", 0, -1, "do not belong to their leaves"),
        ("leaf_starts", -1, 0, "do not belong to their leaves"),
        ("leaf_classes", 0, 3, "name a class beyond the 3"),
        ("leaf_classes", 0, -1, "name a class beyond the 3"),
        ("leaf_shares", 0, UNIT + 1, "share of a class is above 1"),
    ],
)
def test_what_would_read_elsewhere_or_mean_nothing_is_refused(forest, name, at, value, why):
    with pytest.raises(ModelError, match=why):
        Forest.from_arrays(changed(forest, name, at, value), 4, 3)


@pytest.mark.parametrize("name", ["left", "feature", "leaf_starts", "leaf_shares"])
def test_an_array_cut_short_is_refused(forest, name):
    arrays = dict(forest.to_arrays())
    arrays[name] = arrays[name][:-1]
    with pytest.raises(ModelError):
        Forest.from_arrays(arrays, 4, 3)


def test_a_missing_array_is_named(forest):
    arrays = dict(forest.to_arrays())
    del arrays["threshold"]
    with pytest.raises(ModelError, match="lack threshold"):
        Forest.from_arrays(arrays, 4, 3)


def test_an_array_of_another_type_is_refused(forest):
    arrays = {**forest.to_arrays(), "left": forest.left.astype(np.int64)}
    with pytest.raises(ModelError, match="left is int64 instead of int32"):
        Forest.from_arrays(arrays, 4, 3)


def many_classes(classes=250, seed=0):
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(classes), 4)
    centres = rng.normal(size=(classes, 5)) * 3
    return (centres[codes] + rng.normal(size=(codes.size, 5))).astype(np.float32), codes


def bag_of_many(matrix, codes, grown=None):
    n = codes.size
    rows = FittingRows(matrix, codes, int(codes.max()) + 1, np.arange(n), np.arange(n), None)
    return Bag(rows, np.arange(n), n, grown).judge(0, 12, 2, False)


def test_trees_of_many_classes_hold_the_shares_of_their_leaves():
    matrix, codes = many_classes()
    grown: dict[tuple[int, int], GrownTree] = {}
    probs = bag_of_many(matrix, codes, grown)
    assert probs.sum(axis=1) == pytest.approx(1)
    assert (probs.argmax(axis=1) == codes).mean() > 0.1  # by chance 0.004
    for tree in grown.values():
        leaves = np.repeat(np.arange(tree.leaf_sizes.size), tree.leaf_sizes)
        sums = np.bincount(leaves, weights=tree.leaf_shares / UNIT)
        assert sums[sums > 0] == pytest.approx(1, abs=1e-5)


def test_the_names_of_many_classes_play_no_part():
    matrix, codes = many_classes()
    turned = 249 - codes
    assert (bag_of_many(matrix, turned)[:, ::-1] == bag_of_many(matrix, codes)).all()


def test_sparse_votes_add_what_dense_ones_do():
    rng = np.random.default_rng(1)
    shares = rng.integers(0, 3, (9, 6)) * 100
    held = np.argwhere(shares)
    sizes = np.bincount(held[:, 0], minlength=9)
    tree = GrownTree(np.empty(9), sizes, held[:, 1].astype(np.int32), shares[shares > 0].astype(np.uint32))
    rows, leaves = np.array([0, 2, 3, 7]), np.array([8, 1, 1, 4])
    sums = np.zeros((2, 10, 6), dtype=np.int64)
    DenseVotes(rows, leaves, shares).add_to(sums[0])
    SparseVotes(rows, leaves, tree).add_to(sums[1])
    assert (sums[0] == sums[1]).all()
