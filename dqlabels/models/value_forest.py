"""Extra-trees that predict numbers in tables of any size, each row by the trees that were grown without it.

The bits of a row's hash say which trees may be grown on it, so copies of a row are on the same side of every tree. A
table in memory judges its own rows while its trees grow. Of a large one the trees are grown on a sample and kept; they
judge rows of the sample and rows outside it alike, about half of the trees each, and nobody has to remember which rows
were drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from dqlabels.errors import ModelError
from dqlabels.frames.arrays import Hashes
from dqlabels.frames.hashing import hash_columns
from dqlabels.models.bag import fit_tree, unjudged_rows
from dqlabels.models.forest import Descent, Forest, GrownTree
from dqlabels.statistics.arrays import FloatArray, IntArray, Matrix
from dqlabels.threads import thread_count

# Leaf values become whole numbers, so that neither trees nor threads show their order in the sums: their squares over
# 400 trees still fit 63 bits up to the largest target.
UNIT = 2**21
MAX_TARGET = 64.0
# Rows that are judged together: they and a tree's nodes stay in the cache.
BLOCK_ROWS = 8192
# A round of a table in memory: each tree sees half of the rows, and 150 of these find as much as 200 bootstrapped trees
# (docs/benchmarks.md). Rows x trees are bounded, so larger tables take fewer trees.
MAX_TREES, MIN_TREES, TREE_ROWS, MAX_ROWS_PER_TREE = 75, 32, 1_100_000, 30_000


@dataclass(frozen=True, slots=True)
class ForestSizes:
    """How many trees to grow, on how many rows each, and the rows of their smallest leaves.

    The defaults are those of a large table, chosen for average precision per second (docs/benchmarks.md): the forest
    travels with each task of a cluster.
    """

    trees: int = 64
    max_rows_per_tree: int = 15_000
    min_leaf_rows: int = 5

    @classmethod
    def in_memory(cls, n_rows: int) -> ForestSizes:
        """Return the sizes of a round for a table of ``n_rows`` fitted rows, whose trees are not stored.

        >>> ForestSizes.in_memory(500).trees, ForestSizes.in_memory(100_000).trees
        (75, 32)
        """
        trees = int(np.clip(TREE_ROWS // max(n_rows, 1), MIN_TREES, MAX_TREES))
        return cls(trees, MAX_ROWS_PER_TREE, 2)


@dataclass(frozen=True, slots=True, eq=False)
class ValueTree:
    """One tree, and for each of its nodes (nodes, 2) the mean target in units of 2**-21 and the square of that."""

    descent: Descent
    values: IntArray

    def predict(self, matrix: Matrix) -> IntArray:
        """Return the mean and its square (n, 2) in the leaf of each row."""
        return np.asarray(self.values.take(self.descent.apply(matrix), axis=0))


@dataclass(frozen=True, slots=True, eq=False)
class ValueForest:
    """The trees of a large table; None in place of a tree that no row may be grown on."""

    trees: tuple[ValueTree | None, ...]

    @classmethod
    def fit(
        cls,
        matrix: Matrix,
        targets: FloatArray,
        hashes: Hashes,
        weights: FloatArray,
        *,
        seed: int = 0,
        n_jobs: int | None = None,
        on_tree: Callable[[], None] = lambda: None,
        sizes: ForestSizes | None = None,
    ) -> ValueForest:
        """Fit on a sample in the order of its content.

        Args:
            matrix: (n, d) float32, NaN where missing.
            targets: (n,) on the value scale, all known.
            hashes: (n,) of what makes rows alike: those are on the same side of each tree.
            weights: (n,) how often each row occurs.
            seed: Seeds every draw.
            n_jobs: Threads; the answer does not depend on them.
            on_tree: Called after each tree, from any thread.
            sizes: Sizes of the forest; by default those of a large table.

        Source: Geurts, Ernst & Wehenkel (2006), Machine Learning 63:3-42.

        >>> matrix = np.linspace(0, 1, 400, dtype=np.float32)[:, None]
        >>> hashes = np.random.default_rng(0).integers(0, 2**63, 400, dtype=np.uint64)
        >>> forest = ValueForest.fit(matrix, np.repeat([0.0, 1.0], 200), hashes, np.ones(400))
        >>> forest.judge(matrix[[10, 390]], hashes[[10, 390]])[:, 0].round().tolist()
        [0.0, 1.0]
        """
        sizes = sizes or ForestSizes()
        sample = _Sample(matrix, targets, hashes, weights, sizes, seed)

        def grow(at: int) -> ValueTree | None:
            tree = sample.grow(at)
            on_tree()
            return tree

        with ThreadPoolExecutor(thread_count(n_jobs)) as pool:
            return cls(tuple(pool.map(grow, range(sizes.trees))))

    def to_arrays(self, width: int) -> dict[str, NDArray[np.generic]]:
        """Return arrays to save; ``from_arrays`` reads them back.

        Args:
            width: Features of a row.
        """
        trees = [tree for tree in self.trees if tree is not None]
        none = np.empty(0, dtype=np.int64)
        grown = [
            GrownTree(
                tree.descent.__getstate__()["nodes"], np.zeros(len(tree.values), dtype=np.int64),
                none.astype(np.int32), none.astype(np.uint32),
            )
            for tree in trees
        ]  # fmt: skip
        return {
            **Forest.of(grown, width, 1).to_arrays(),
            "grown": np.array([tree is not None for tree in self.trees], dtype=np.uint8),
            "values": np.concatenate([tree.values for tree in trees]).astype(np.int64),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]], width: int) -> ValueForest:
        """Read what ``to_arrays`` gave, checked so that no descent leaves its tree and no prediction is out of bounds.

        Args:
            arrays: By name.
            width: Features of a row.

        Raises:
            ModelError: The arrays are not such trees.
        """
        absent = [name for name in ("grown", "values") if name not in arrays]
        if absent:
            raise ModelError(f"The saved trees lack {', '.join(absent)}.")
        forest, values, grown = Forest.from_arrays(arrays, width, 1), arrays["values"], arrays["grown"]
        if values.shape != (forest.left.size, 2) or values.dtype != np.int64:
            raise ModelError(
                f"The saved trees' values are {values.shape}, {values.dtype}, instead of two for each node."
            )
        largest = int(MAX_TARGET * UNIT)
        means: IntArray = values.view(np.int64)
        if (np.abs(means[:, 0]) > largest).any() or (means[:, 1] < 0).any() or (means[:, 1] > largest**2).any():
            raise ModelError("The saved trees predict values beyond the scale.")
        if grown.ndim != 1 or grown.dtype != np.uint8 or np.count_nonzero(grown) != forest.n_trees:
            raise ModelError(f"The saved trees are {forest.n_trees}, and their places are not as many.")
        starts, made, descents = forest.offsets, iter(range(forest.n_trees)), forest.descents()
        trees = []
        for place in grown.tolist():
            at = next(made) if place else None
            own = None if at is None else ValueTree(descents[at], means[int(starts[at]) : int(starts[at + 1])])
            trees.append(own)
        return cls(tuple(trees))

    def judge(self, matrix: Matrix, hashes: Hashes, *, block_rows: int = BLOCK_ROWS) -> Matrix:
        """Return the mean of the trees that cannot have seen each row, and their standard deviation (n, 2), float32."""
        parts = [slice(at, at + block_rows) for at in range(0, len(matrix), block_rows)]
        judged = [self._block(matrix[part], hashes[part]) for part in parts]
        return np.concatenate(judged) if judged else np.empty((0, 2), dtype=np.float32)

    def _block(self, matrix: Matrix, hashes: Hashes) -> Matrix:
        votes = _Votes.empty(len(matrix))
        for at, tree in enumerate(self.trees):
            if tree is not None:
                rows = np.flatnonzero(~may_see(hashes, at))
                votes.add(rows, tree.predict(matrix[rows]))
        return np.column_stack(votes.mean_and_spread()).astype(np.float32)


def judge_out_of_bag(
    matrix: Matrix,
    targets: FloatArray,
    fitted: IntArray,
    units: IntArray,
    weights: FloatArray,
    *,
    sizes: ForestSizes,
    seed: int = 0,
    n_jobs: int | None = None,
    on_tree: Callable[[], None] = lambda: None,
) -> tuple[FloatArray, FloatArray]:
    """Return the mean (n,) and the standard deviation (n,) of the trees that saw neither a row nor its unit.

    Args:
        matrix: (n, d) float32, NaN where missing.
        targets: (n,) on a scale of about 1, clipped to 64 either way; those of the fitted rows count.
        fitted: (m,) rows that trees may be grown on, in the order of their content.
        units: (n,) which rows stay together, numbered by content.
        weights: (n,) how much each row counts.
        sizes: Sizes of the forest.
        seed: Seeds every draw.
        n_jobs: Threads; the answer does not depend on them, nor on the order of the rows, bit for bit.
        on_tree: Called after each tree, from any thread.

    Raises:
        ModelError: Rows that no tree can be grown without.

    Source: Geurts, Ernst & Wehenkel (2006), Machine Learning 63:3-42, for the trees; Breiman (1996), Out-of-bag
    estimation, for the judging.

    >>> matrix = np.concatenate([np.linspace(0, 1, 30), np.linspace(2, 3, 30)]).astype(np.float32)[:, None]
    >>> rows, sizes = np.arange(60), ForestSizes.in_memory(60)
    >>> mean, spread = judge_out_of_bag(matrix, np.repeat([0.0, 1.0], 30), rows, rows, np.ones(60), sizes=sizes)
    >>> mean.round().tolist() == [0.0] * 30 + [1.0] * 30
    True
    """
    hashes = hash_columns([units.astype(np.uint64), np.full(units.size, seed, dtype=np.uint64)], units.size)
    sample = _Sample(matrix[fitted], targets[fitted], hashes[fitted], weights[fitted], sizes, seed)
    votes, lock = _Votes.empty(len(targets)), Lock()

    def vote(at: int) -> None:
        if (tree := sample.grow(at)) is not None:
            rows = np.flatnonzero(~may_see(hashes, at))
            found = tree.predict(matrix[rows])
            with lock:
                votes.add(rows, found)
        on_tree()

    with ThreadPoolExecutor(thread_count(n_jobs)) as pool:
        list(pool.map(vote, range(sizes.trees)))
    if (votes.numbers == 0).any():
        raise ModelError(unjudged_rows(int((votes.numbers == 0).sum())))
    return votes.mean_and_spread()


def may_see(hashes: Hashes, tree: int) -> NDArray[np.bool_]:
    """Return which rows (n,) a tree may be grown on: about half of them, copies alike."""
    if tree >= 64:  # a hash has 64 bits; further trees take those of a hash of it
        hashes = hash_columns([hashes, np.full(hashes.size, tree // 64, dtype=np.uint64)], hashes.size)
    return np.asarray((hashes >> np.uint64(tree % 64)) & np.uint64(1) == 1)


@dataclass(frozen=True, slots=True, eq=False)
class _Sample:
    """The rows (m,) that trees are grown on, and how."""

    matrix: Matrix
    targets: FloatArray
    hashes: Hashes
    weights: FloatArray
    sizes: ForestSizes
    seed: int

    def grow(self, at: int) -> ValueTree | None:
        """The tree at this place; None where it may see no row."""
        from sklearn.tree import ExtraTreeRegressor

        rng = np.random.default_rng([self.seed, 0xF0, at])
        rows: IntArray = np.flatnonzero(may_see(self.hashes, at) & (self.weights > 0))
        if rows.size > self.sizes.max_rows_per_tree:
            rows = rows[np.sort(rng.choice(rows.size, self.sizes.max_rows_per_tree, replace=False))]
        if not rows.size:
            return None
        # Few rows get smaller leaves, or there would be hardly any leaves.
        min_leaf_rows = min(self.sizes.min_leaf_rows, max(2, 1 + rows.size // 40))
        tree = ExtraTreeRegressor(min_samples_leaf=min_leaf_rows, random_state=int(rng.integers(2**31)))
        targets = np.clip(self.targets[rows], -MAX_TARGET, MAX_TARGET)
        fit_tree(tree, self.matrix[rows], targets, self.weights[rows])
        means = np.rint(tree.tree_.value[:, 0, 0] * UNIT).astype(np.int64)
        return ValueTree(tree.tree_, np.column_stack([means, means * means]))


@dataclass(frozen=True, slots=True, eq=False)
class _Votes:
    """Sums (n, 2) of the trees' means and of their squares, and the number (n,) of trees behind them."""

    sums: IntArray
    numbers: IntArray

    @classmethod
    def empty(cls, n_rows: int) -> _Votes:
        return cls(np.zeros((n_rows, 2), dtype=np.int64), np.zeros(n_rows, dtype=np.int64))

    def add(self, rows: IntArray, found: IntArray) -> None:
        # Sums of whole numbers do not depend on the order in which trees finish.
        self.sums[rows] += found
        self.numbers[rows] += 1

    def mean_and_spread(self) -> tuple[FloatArray, FloatArray]:
        mean, square = (self.sums / np.maximum(self.numbers, 1)[:, None]).T
        mean = mean / UNIT
        return mean, np.sqrt(np.maximum(square / UNIT**2 - mean**2, 0.0))
