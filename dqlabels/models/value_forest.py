"""The model of large tables of numbers: trees on a sample, each row judged by those that may not have seen it.

Which trees may see a row is said by the bits of its content's hash, one a tree. So rows of the sample and rows outside
it are judged alike, by about half of the trees, and nobody has to remember which rows were drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dqlabels.models.value_bag import LARGEST_TARGET, UNIT
from dqlabels.statistics.arrays import FloatArray, IntArray
from dqlabels.threads import thread_count

Matrix = NDArray[np.float32]
Hashes = NDArray[np.uint64]

# One a bit of a hash.
TREES = 64
# Chosen for average precision a second (docs/benchmarks.md): the model travels with each task of a cluster.
ROWS_A_TREE = 15_000
SMALLEST_LEAF = 5
# Rows that are judged together: they and a tree's nodes stay in the cache.
BLOCK_ROWS = 8192


@dataclass(frozen=True, slots=True, eq=False)
class ValueForest:
    """Trees, None where no row may be seen, each with its nodes' mean target and the square of it (nodes, 2)."""

    trees: tuple[Any, ...]
    leaves: tuple[IntArray, ...]

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
    ) -> ValueForest:
        """Fit on a sample in the order of its content.

        Args:
            matrix: (n, d) float32, NaN where missing.
            targets: (n,) on the value scale, all known.
            hashes: (n,) of what makes rows alike: those are on the same side of each tree.
            weights: (n,) how often each row occurs.
            seed: Seeds every draw.
            n_jobs: Threads; the answer does not depend on them.
            on_tree: Called after each tree.

        Source: Geurts, Ernst & Wehenkel (2006), Machine Learning 63:3-42.

        >>> matrix = np.linspace(0, 1, 400, dtype=np.float32)[:, None]
        >>> hashes = np.random.default_rng(0).integers(0, 2**63, 400, dtype=np.uint64)
        >>> forest = ValueForest.fit(matrix, np.repeat([0.0, 1.0], 200), hashes, np.ones(400))
        >>> forest.judge(matrix[[10, 390]], hashes[[10, 390]])[:, 0].round().tolist()
        [0.0, 1.0]
        """
        clipped = np.clip(targets, -LARGEST_TARGET, LARGEST_TARGET)

        def grow(at: int) -> tuple[Any, IntArray]:
            rows = np.flatnonzero(may_see(hashes, at))
            found = _grow(matrix, clipped, weights, rows, np.random.default_rng([seed, 0xF0, at]))
            on_tree()
            return found

        with ThreadPoolExecutor(thread_count(n_jobs)) as pool:
            grown = list(pool.map(grow, range(TREES)))
        return cls(tuple(tree for tree, _ in grown), tuple(leaves for _, leaves in grown))

    def judge(self, matrix: Matrix, hashes: Hashes) -> Matrix:
        """(n, 2) float32: the mean of the trees that may not have seen each row, and their standard deviation."""
        parts = [slice(at, at + BLOCK_ROWS) for at in range(0, len(matrix), BLOCK_ROWS)]
        judged = [self._block(matrix[part], hashes[part]) for part in parts]
        return np.concatenate(judged) if judged else np.empty((0, 2), dtype=np.float32)

    def _block(self, matrix: Matrix, hashes: Hashes) -> Matrix:
        sums, votes = np.zeros((len(matrix), 2), dtype=np.int64), np.zeros(len(matrix), dtype=np.int64)
        for at, (tree, leaves) in enumerate(zip(self.trees, self.leaves, strict=True)):
            if tree is not None:
                rows = np.flatnonzero(~may_see(hashes, at))
                sums[rows] += leaves.take(tree.apply(matrix[rows]), axis=0)
                votes[rows] += 1
        mean, square = (sums / np.maximum(votes, 1)[:, None]).T
        mean = mean / UNIT
        spread = np.sqrt(np.maximum(square / UNIT**2 - mean**2, 0.0))
        return np.column_stack([mean, spread]).astype(np.float32)


def may_see(hashes: Hashes, tree: int) -> NDArray[np.bool_]:
    """(n,) which rows a tree may be grown on: about half of them, copies alike."""
    seen: NDArray[np.bool_] = (hashes >> np.uint64(tree)) & np.uint64(1) == 1
    return seen


def _grow(
    matrix: Matrix, targets: FloatArray, weights: FloatArray, rows: IntArray, rng: np.random.Generator
) -> tuple[Any, IntArray]:
    from sklearn.tree import ExtraTreeRegressor

    if rows.size > ROWS_A_TREE:
        rows = rows[np.sort(rng.choice(rows.size, ROWS_A_TREE, replace=False))]
    if not rows.size:
        return None, np.zeros((1, 2), dtype=np.int64)
    fewest = min(SMALLEST_LEAF, 1 + rows.size // 40)
    tree = ExtraTreeRegressor(min_samples_leaf=fewest, random_state=int(rng.integers(2**31)))
    grown = tree.fit(matrix[rows], targets[rows], sample_weight=weights[rows]).tree_
    means = np.rint(grown.value[:, 0, 0] * UNIT).astype(np.int64)
    return grown, np.column_stack([means, means * means])
