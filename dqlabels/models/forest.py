"""The bag's trees as plain arrays, which can be saved, checked and predicted from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dqlabels.errors import ModelError
from dqlabels.frames.arrays import Hashes
from dqlabels.frames.hashing import hash_matrix, hash_words
from dqlabels.statistics.arrays import FloatArray, IntArray
from dqlabels.threads import thread_count

FloatMatrix = NDArray[np.float32]

# Class shares are whole numbers in units of 2**-24, so that sums over trees are exact in any order.
UNIT = 2**24
# Class shares are kept as tables between calls up to this size; larger ones are spread out tree by tree in each call.
MAX_TABLE_BYTES = 256 * 2**20
MIN_BLOCK_ROWS = 8_192
# Share of the trees that do not see a row, where each is grown on as many draws as there are rows.
LEFT_OUT = math.exp(-1)
ARRAYS = {
    "offsets": "i8",
    "left": "i4",
    "right": "i4",
    "feature": "i4",
    "threshold": "f4",
    "missing_left": "u1",
    "leaf_starts": "i8",
    "leaf_classes": "i4",
    "leaf_shares": "u4",
}


class Descent(Protocol):
    """A fitted tree of scikit-learn (``sklearn.tree._tree.Tree``)."""

    value: FloatArray

    def apply(self, matrix: FloatMatrix) -> IntArray:
        """Leaf (n,) of each row (n, d)."""

    def __getstate__(self) -> dict[str, NDArray[np.void]]:
        """The nodes, as a structured array, among other things."""


class FittedModel(Protocol):
    """A model that judges rows of later batches."""

    @property
    def name(self) -> str:
        """Name shown to users."""

    @property
    def width(self) -> int:
        """Features of a row."""

    @property
    def n_classes(self) -> int:
        """Number of classes, K."""

    def predict_proba(self, matrix: FloatMatrix, *, n_threads: int | None = None) -> FloatArray:
        """Probabilities (n, K) of the rows (n, width) float32; each row's depend on that row alone."""

    def cross_fitted(self, matrix: FloatMatrix, *, n_threads: int | None = None) -> FloatArray:
        """Probabilities (n, K) of new rows, each by as much of the model as judges a row that it was fitted on.

        The whole model knows more than the part that judges a fitted row out of sample. Rows that are compared with
        fitted ones must be judged by as little, or clean rows look cleaner than they are.
        """


@dataclass(frozen=True, slots=True, eq=False)
class GrownTree:
    """One tree that scikit-learn grew: its nodes (N,), and of these the leaves' class shares above 0."""

    nodes: NDArray[np.void]
    leaf_sizes: IntArray
    leaf_classes: NDArray[np.int32]
    leaf_shares: NDArray[np.uint32]

    @classmethod
    def of(cls, tree: Descent, shares: IntArray) -> GrownTree:
        """From a ``sklearn.tree._tree.Tree`` and the class shares (N, K) of its nodes, in units of 2**-24."""
        nodes = tree.__getstate__()["nodes"]
        leaves = np.flatnonzero(nodes["left_child"] < 0)
        at, classes = np.nonzero(shares[leaves])
        held = shares[leaves[at], classes].astype(np.uint32)
        sizes = np.bincount(leaves[at], minlength=len(nodes))
        return cls(nodes, sizes, classes.astype(np.int32), held)

    @classmethod
    def of_rows(
        cls, tree: Descent, leaves: IntArray, codes: IntArray, weights: FloatArray, n_classes: int
    ) -> GrownTree:
        """Count the classes of the rows that the tree was grown on, leaf by leaf.

        Args:
            tree: scikit-learn's tree.
            leaves: (m,) the leaf of each row.
            codes: (m,) their classes.
            weights: (m,) their weights.
            n_classes: K.
        """
        nodes = tree.__getstate__()["nodes"]
        cells, place = np.unique(leaves * n_classes + codes, return_inverse=True)
        at, held = cells // n_classes, np.bincount(place, weights=weights)
        total = np.bincount(at, weights=held, minlength=len(nodes))[at]
        shares = np.rint(np.divide(held, total, out=np.zeros_like(held), where=total > 0) * UNIT).astype(np.uint32)
        sizes = np.bincount(at, minlength=len(nodes))
        return cls(nodes, sizes, (cells % n_classes).astype(np.int32), shares)


@dataclass(frozen=True, slots=True, eq=False)
class Forest:
    """T trees over N nodes and K classes, in flat arrays; those of tree t lie from ``offsets[t]`` on.

    ``left`` and ``right`` (N,) are the children, counted from the tree's first node, -1 in a leaf; a row goes
    left where its ``feature`` is at most ``threshold``, and where it is missing if ``missing_left``. The leaf i
    gives class ``leaf_classes[j]`` a share ``leaf_shares[j]``, in units of 2**-24, for j from
    ``leaf_starts[i]`` to ``leaf_starts[i + 1]``. ``left_out`` is the share of the trees that did not see a row they
    could have seen.
    """

    width: int
    n_classes: int
    offsets: IntArray
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: NDArray[np.float32]
    missing_left: NDArray[np.uint8]
    leaf_starts: IntArray
    leaf_classes: NDArray[np.int32]
    leaf_shares: NDArray[np.uint32]
    left_out: float = LEFT_OUT
    max_table_bytes: int = MAX_TABLE_BYTES
    _trees: list[Descent] = field(default_factory=list, repr=False, init=False)
    _tables: list[NDArray[np.int32]] = field(default_factory=list, repr=False, init=False)

    @classmethod
    def of(cls, trees: Sequence[GrownTree], width: int, n_classes: int, left_out: float = LEFT_OUT) -> Forest:
        """Make a forest of trees that scikit-learn grew.

        Args:
            trees: At least one.
            width: Features of a row.
            n_classes: K.
            left_out: The share of the trees that did not see a row.

        Raises:
            ModelError: No trees.
        """
        if not trees:
            raise ModelError("The model has no tree, so it cannot judge a batch.")
        nodes = np.concatenate([tree.nodes for tree in trees])
        leaf = nodes["left_child"] < 0
        thresholds = np.where(leaf, 0, nodes["threshold"])
        # A float32 feature is at most a double exactly where it is at most the largest float32 below it.
        near = thresholds.astype(np.float32)
        near = np.where(near > thresholds, np.nextafter(near, np.float32(-np.inf)), near)
        return cls(
            width,
            n_classes,
            np.cumsum([0, *(len(tree.nodes) for tree in trees)], dtype=np.int64),
            nodes["left_child"].astype(np.int32),
            nodes["right_child"].astype(np.int32),
            np.where(leaf, -1, nodes["feature"]).astype(np.int32),
            near.astype(np.float32),
            np.where(leaf, 0, nodes["missing_go_to_left"]).astype(np.uint8),
            np.cumsum([0, *np.concatenate([tree.leaf_sizes for tree in trees])], dtype=np.int64),
            np.concatenate([tree.leaf_classes for tree in trees]),
            np.concatenate([tree.leaf_shares for tree in trees]),
            left_out,
        )

    @classmethod
    def of_classifier(cls, classifier: Any, width: int, n_classes: int) -> Forest | None:
        """From a fitted tree or forest of scikit-learn, with the same probabilities; None for any other classifier."""
        from sklearn import ensemble, tree

        if type(classifier) in (ensemble.ExtraTreesClassifier, ensemble.RandomForestClassifier):
            members = classifier.estimators_
        elif type(classifier) in (tree.DecisionTreeClassifier, tree.ExtraTreeClassifier):
            members = [classifier]
        else:
            return None
        grown = []
        for member in members:
            values = member.tree_.value[:, 0, :]
            shares = np.zeros((len(values), n_classes), dtype=np.int64)
            shares[:, classifier.classes_.astype(np.int64)] = np.rint(
                values / np.maximum(values.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny) * UNIT
            )
            grown.append(GrownTree.of(member.tree_, shares))
        return cls.of(grown, width, n_classes)

    @property
    def n_trees(self) -> int:
        """Number of trees, T."""
        return self.offsets.size - 1

    @property
    def name(self) -> str:
        """Name shown to users."""
        return f"extra-trees, {self.n_trees} trees, fitted"

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Arrays to save; ``from_arrays`` reads them back."""
        return {name: getattr(self, name) for name in ARRAYS}

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[np.generic]], width: int, n_classes: int, left_out: float = LEFT_OUT
    ) -> Forest:
        """Read what ``to_arrays`` gave, checked so that no descent leaves its tree or goes in a circle.

        Args:
            arrays: By name.
            width: Features of a row.
            n_classes: K.
            left_out: The share of the trees that did not see a row.

        Raises:
            ModelError: The arrays are not trees of ``width`` features and ``n_classes`` classes.
        """
        if not 0 < left_out <= 1:
            raise ModelError(f"The saved trees left out a share of {left_out} of the rows.")
        absent = [name for name in ARRAYS if name not in arrays]
        if absent:
            raise ModelError(f"The saved trees lack {', '.join(absent)}.")
        for name, dtype in ARRAYS.items():
            if arrays[name].dtype != np.dtype(dtype) or arrays[name].ndim != 1:
                raise ModelError(f"The saved trees' {name} is {arrays[name].dtype} instead of {np.dtype(dtype)}.")
        held: Any = {name: np.ascontiguousarray(arrays[name]) for name in ARRAYS}
        forest = cls(width, n_classes, **held, left_out=left_out)
        _check(forest)
        return forest

    def predict_proba(
        self, matrix: FloatMatrix, *, n_threads: int | None = None, min_block_rows: int = MIN_BLOCK_ROWS
    ) -> FloatArray:
        """Mean class shares (n, K) of the leaves that each row (n, width) falls in.

        Args:
            matrix: (n, width), NaN where missing.
            n_threads: Threads; the answer does not depend on them.
            min_block_rows: Rows that a thread judges together.

        Raises:
            ModelError: A matrix of another width.
        """
        return self._judge(matrix, n_threads, min_block_rows, share=1.0)

    def cross_fitted(self, matrix: FloatMatrix, *, n_threads: int | None = None) -> FloatArray:
        """The same by a share of the trees, drawn for each row by what it holds: as large as those that leave one out.

        Raises:
            ModelError: A matrix of another width.
        """
        return self._judge(matrix, n_threads, MIN_BLOCK_ROWS, self.left_out)

    def _judge(self, matrix: FloatMatrix, n_threads: int | None, min_block_rows: int, share: float) -> FloatArray:
        if matrix.ndim != 2 or matrix.shape[1] != self.width:
            raise ModelError(f"The model judges by {self.width:,} features; the matrix has shape {matrix.shape}.")
        rows = np.ascontiguousarray(matrix, dtype=np.float32)
        hashes = hash_matrix(rows) if share < 1 else None
        threads = thread_count(n_threads)
        trees = self._descents()
        probs: FloatArray = np.empty((len(rows), self.n_classes))
        step = max(min_block_rows, -(-len(rows) // threads))

        def fill(start: int) -> None:
            block = rows[start : start + step]
            sums = np.zeros((len(block), self.n_classes), dtype=np.int64)
            for at, tree in enumerate(trees):
                if hashes is None:
                    sums += self._table(at).take(tree.apply(block), axis=0)
                    continue
                asked = np.flatnonzero(_drawn(hashes[start : start + step], at, len(trees), share))
                sums[asked] += self._table(at).take(tree.apply(block[asked]), axis=0)
            total = sums.sum(axis=1, keepdims=True)
            even = 1 / self.n_classes  # for rows whose leaves hold no class
            np.divide(sums, total, out=probs[start : start + step], where=total > 0)
            probs[start : start + step][total[:, 0] == 0] = even

        starts = range(0, len(rows), step)
        if len(starts) <= 1 or threads == 1:
            for start in starts:
                fill(start)
            return probs
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(fill, starts))
        return probs

    def _table(self, tree: int) -> NDArray[np.int32]:
        if self._tables:
            return self._tables[tree]
        first, last = int(self.offsets[tree]), int(self.offsets[tree + 1])
        starts = self.leaf_starts[first : last + 1]
        table = np.zeros((last - first, self.n_classes), dtype=np.int32)
        held = slice(int(starts[0]), int(starts[-1]))
        nodes = np.repeat(np.arange(last - first), np.diff(starts))
        table[nodes, self.leaf_classes[held]] = self.leaf_shares[held]
        return table

    def descents(self) -> list[Descent]:
        """Return the trees, for those who keep other values of their leaves than class shares."""
        return [self._descent(tree) for tree in range(self.n_trees)]

    def _descents(self) -> list[Descent]:
        """Trees of scikit-learn, made once from the arrays; only their descent is used."""
        if self._trees:
            return self._trees
        if self.left.size * self.n_classes * 4 <= self.max_table_bytes:
            self._tables[:] = [self._table(tree) for tree in range(self.n_trees)]
        self._trees[:] = [self._descent(tree) for tree in range(self.n_trees)]
        return self._trees

    def _descent(self, tree: int) -> Descent:
        from sklearn.tree._tree import NODE_DTYPE, Tree

        where = slice(int(self.offsets[tree]), int(self.offsets[tree + 1]))
        size = where.stop - where.start
        nodes = np.zeros(size, dtype=NODE_DTYPE)
        leaf = self.left[where] < 0
        nodes["left_child"], nodes["right_child"] = self.left[where], self.right[where]
        nodes["feature"] = np.where(leaf, -2, self.feature[where])
        nodes["threshold"] = np.where(leaf, -2, self.threshold[where])
        nodes["missing_go_to_left"] = self.missing_left[where]
        nodes["n_node_samples"], nodes["weighted_n_node_samples"] = 1, 1
        grown = Tree(self.width, np.array([1], dtype=np.intp), 1)
        values = np.zeros((size, 1, 1))
        grown.__setstate__({"max_depth": 0, "node_count": size, "nodes": nodes, "values": values})
        descent: Descent = grown
        return descent


def _drawn(hashes: Hashes, tree: int, n_trees: int, share: float) -> NDArray[np.bool_]:
    """Which rows (m,) a tree is asked of: a ``share`` of them, and of each row at least one of the trees."""
    own = hash_words(np.column_stack([hashes.view(np.uint32).reshape(-1, 2), np.full(hashes.size, tree, np.uint32)]))
    drawn = (own >> np.uint64(40)) < np.uint64(round(share * 2**24))
    return np.asarray(drawn | (hashes % np.uint64(n_trees) == np.uint64(tree)))


def _check(forest: Forest) -> None:
    """Raise where a descent would read outside an array, never end, or give no probability.

    Raises:
        ModelError: Naming the array.
    """
    n, offsets = forest.left.size, forest.offsets
    if offsets.size < 2 or offsets[0] != 0 or offsets[-1] != n or (np.diff(offsets) < 1).any():
        raise ModelError("The saved trees' offsets do not divide their nodes into trees.")
    sizes = [getattr(forest, name).size for name in ("right", "feature", "threshold", "missing_left")]
    if set(sizes) != {n} or forest.leaf_starts.size != n + 1:
        raise ModelError(f"The saved trees' arrays differ in length: {n:,} nodes, {sizes}.")
    place = np.arange(n) - np.repeat(offsets[:-1], np.diff(offsets))
    size = np.repeat(np.diff(offsets), np.diff(offsets))
    leaf = (forest.left == -1) & (forest.right == -1)
    for side in (forest.left, forest.right):
        # A child comes after its parent, so every descent ends.
        bad = ~leaf & ((side <= place) | (side >= size))
        if bad.any():
            raise ModelError(f"The saved trees have a node whose child {int(side[bad][0])} is outside its tree.")
    if (~leaf & ((forest.feature < 0) | (forest.feature >= forest.width))).any():
        raise ModelError(f"The saved trees ask for a feature beyond the {forest.width:,} there are.")
    if not np.isfinite(forest.threshold).all() or (forest.missing_left > 1).any():
        raise ModelError(
            "The saved trees have a threshold that is not finite, or a side that is neither left nor right."
        )
    starts = forest.leaf_starts
    held = forest.leaf_classes.size
    if starts[0] != 0 or starts[-1] != held or forest.leaf_shares.size != held or (np.diff(starts) < 0).any():
        raise ModelError("The saved trees' class shares do not belong to their leaves.")
    if held and not 0 <= int(forest.leaf_classes.min()) <= int(forest.leaf_classes.max()) < forest.n_classes:
        raise ModelError(f"The saved trees name a class beyond the {forest.n_classes} there are.")
    if held and int(forest.leaf_shares.max()) > UNIT:
        raise ModelError("The saved trees have a leaf whose share of a class is above 1.")
