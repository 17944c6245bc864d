"""Two boosted models on halves of a sample, quick enough to judge hundreds of millions of rows.

Each round fits one tree to the gradients of all classes at once, so a row costs one descent a round however many
classes there are. Every row is judged by models that saw neither it nor a row alike: those of one half by the
other half's model, those outside by the mean of both,
unless the first is sure.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from dqlabels.errors import ModelError
from dqlabels.frames.hashing import hash_features
from dqlabels.models.sizes import BoostingSizes
from dqlabels.models.symmetric import Bins, Question, grow, leaves, sums_by_cell
from dqlabels.models.weights import right_weights
from dqlabels.statistics.arrays import FloatArray, IntArray, Matrix
from dqlabels.threads import thread_count

# A tree is grown on this share of the rows, but at least on so many; its steps are computed on all rows.
ROWS_SHARE, MIN_ROWS = 0.25, 5_000
RIDGE = 5.0
MAX_STEP = 4.0
# Gradients of more classes than this are projected at random before a tree is grown on them.
SKETCH = 8
# Where one model is this sure of a row outside the sample, the other model is not asked.
SURE = 0.9
# Rows that are judged together: a tree takes a dozen calls, whatever their number. They are read across in parts.
BLOCK_ROWS, PART_ROWS = 131_072, 4_096
# With fewer classes the steps of a judging thread are so short that two wait for each other, and are slower than one.
MIN_THREADED_CLASSES = 20
# Of the first of two fits: its steps are so many times as large, and half as many.
QUICKER = 1.5
MIN_PROBABILITY = 1e-12
SEEDS_APART = 1_000
UNIT = 2**24


@dataclass(frozen=True, slots=True, eq=False)
class BoostedTrees:
    """One model of K classes: a prior (K,) and T symmetric trees of D questions, in plain arrays.

    ``features``, ``thresholds`` and ``above`` (T, D) are the questions; ``steps`` (T, 2**D, K) what a row in each leaf
    gains. Prior and steps are log-odds.
    """

    prior: Matrix
    features: NDArray[np.int32]
    thresholds: Matrix
    above: NDArray[np.uint8]
    steps: Matrix

    @classmethod
    def fit(
        cls,
        matrix: Matrix,
        codes: IntArray,
        n_classes: int,
        weights: FloatArray,
        seed: int,
        on_tree: Callable[[], None] = lambda: None,
        sizes: BoostingSizes | None = None,
    ) -> BoostedTrees:
        """Fit on rows in the order of their content.

        Args:
            matrix: (n, d) float32, NaN where missing.
            codes: (n,) class positions, all known.
            n_classes: K.
            weights: (n,) how often each row occurs.
            seed: Seeds every draw.
            on_tree: Called after each tree.
            sizes: By default those of large tables.

        Source: gradient boosting with Newton steps in the leaves (Friedman 2001; Chen & Guestrin 2016) on symmetric
        trees (Prokhorenkova et al. 2018) of many outputs, grown on a random sketch of the gradients (Iosipoi &
        Vakhrushev 2022).
        """
        sizes = sizes or BoostingSizes()
        rng, bins = np.random.default_rng([seed, 0xB005]), Bins.of(matrix, sizes.bins)
        truth = np.zeros((len(codes), n_classes), dtype=np.float32)
        truth[np.arange(len(codes)), codes] = 1
        shares = np.bincount(codes, weights=weights, minlength=n_classes) / weights.sum()
        prior = np.log(shares + 1e-6).astype(np.float32)
        scores = np.tile(prior, (len(codes), 1))
        share = max(ROWS_SHARE, MIN_ROWS / max(len(codes), 1))
        trees, steps = [], []
        for _ in range(sizes.trees):
            likely = softmax(scores)
            slopes = truth - likely
            drawn = np.flatnonzero(rng.random(len(codes)) < share)
            target = _sketch(slopes[drawn], rng) * weights[drawn, None]
            tree = grow(bins, drawn, np.ascontiguousarray(target.T), weights[drawn], rng, sizes.depth)
            on_tree()
            if not tree:  # no feature varies, so the prior is all there is
                continue
            leaf = bins.leaves(tree)
            steps.append(_steps(leaf, 2 ** len(tree), slopes, likely, weights, sizes.rate))
            scores += steps[-1].take(leaf, axis=0)
            trees.append(tree)
        return cls._of(prior, trees, steps, sizes.depth)

    @classmethod
    def _of(cls, prior: Matrix, trees: list[list[Question]], steps: list[Matrix], depth: int) -> BoostedTrees:
        asked = [question for tree in trees for question in tree]
        return cls(
            prior,
            np.array([question.feature for question in asked], dtype=np.int32).reshape(-1, depth),
            np.array([question.threshold for question in asked], dtype=np.float32).reshape(-1, depth),
            np.array([question.above for question in asked], dtype=np.uint8).reshape(-1, depth),
            np.array(steps, dtype=np.float32).reshape(-1, 2**depth, prior.size),
        )

    def scores(self, matrix: Matrix) -> Matrix:
        """Return the log-odds (n, K) to the last class of rows (n, d), summed tree by tree, each row by itself."""
        n, others = len(matrix), self.prior.size - 1
        # Steps of 4, 8, 16 or 32 bytes are moved as one number each, so those of few classes are filled up to that.
        width = 1 << (others - 1).bit_length() if others <= 8 else others
        padded = np.zeros((*self.steps.shape[:2], width), dtype=np.float32)
        padded[:, :, :others] = self.steps[:, :, :-1] - self.steps[:, :, -1:]
        scores = np.zeros((n, width), dtype=np.float32)
        scores[:, :others] = self.prior[:-1] - self.prior[-1]
        columns, step = np.empty(matrix.shape[::-1], dtype=matrix.dtype), np.empty_like(scores)
        for part in _in_parts(n):
            columns[:, part] = matrix[part].T
        for features, thresholds, above, steps in zip(self.features, self.thresholds, self.above, padded, strict=True):
            steps.take(leaves(columns, features, thresholds, above), axis=0, out=step, mode="clip")
            scores += step
        whole = np.zeros((n, self.prior.size), dtype=np.float32)
        whole[:, :others] = scores[:, :others]
        return whole


def _sketch(slopes: Matrix, rng: np.random.Generator) -> Matrix:
    """Gradients (m, K) as they are, of two classes the first's, and of many mixed at random into (m, S)."""
    k = slopes.shape[1]
    if k > SKETCH:
        return np.asarray(slopes @ rng.normal(size=(k, SKETCH)).astype(np.float32))
    return slopes[:, :1] * np.float32(2**0.5) if k == 2 else slopes


def _steps(leaves: IntArray, n_nodes: int, slopes: Matrix, likely: Matrix, weights: FloatArray, rate: float) -> Matrix:
    """Newton step (nodes, K) of each leaf, times the rate."""
    k, cells = slopes.shape[1], leaves[None].astype(np.int32)
    slope = sums_by_cell(cells, slopes, n_nodes, weights)
    bend = sums_by_cell(cells, likely.astype(np.float64) * (1 - likely), n_nodes, weights)
    steps = rate * (k - 1) / k * slope / (bend + RIDGE)
    return np.asarray(np.clip(steps, -MAX_STEP, MAX_STEP), dtype=np.float32)


def softmax(scores: Matrix) -> Matrix:
    """Return the probabilities (n, K) that belong to log-odds, each row by itself."""
    top = scores[:, 0].copy()
    for k in range(1, scores.shape[1]):  # many times faster than the maximum of short rows
        np.maximum(top, scores[:, k], out=top)
    shifted = scores - top[:, None]
    np.exp(shifted, out=shifted)
    return _rescaled(shifted)


def _rescaled(values: Matrix) -> Matrix:
    total = values[:, 0].copy()
    for k in range(1, values.shape[1]):  # one after the other, so that the sum does not depend on the block
        total += values[:, k]
    values /= total[:, None]
    return values


@dataclass(frozen=True, slots=True, eq=False)
class Halves:
    """Two models and the hashes (m,), ascending, of the rows they saw; one model where a table is ``coarse``."""

    models: tuple[BoostedTrees, ...]
    seen: NDArray[np.uint64]

    @property
    def n_classes(self) -> int:
        """Number of classes, K."""
        return self.models[0].prior.size

    @classmethod
    def fit(
        cls,
        matrix: Matrix,
        codes: IntArray,
        n_classes: int,
        weights: FloatArray,
        *,
        coarse: bool,
        seed: int = 0,
        n_jobs: int | None = None,
        on_tree: Callable[[], None] = lambda: None,
        sizes: BoostingSizes | None = None,
    ) -> Halves:
        """Fit on a sample in the order of its content.

        Args:
            matrix: (n, d) float32, NaN where missing.
            codes: (n,) class positions, all known.
            n_classes: K.
            weights: (n,) how often each row occurs.
            coarse: Rows alike are too common to be left out: one model of all rows judges all.
            seed: Seeds every draw.
            n_jobs: 1 fits the halves one after the other; the answer is the same.
            on_tree: Called after each tree, from any thread.
            sizes: By default those of large tables.

        Raises:
            ModelError: All rows look alike, so that there are no two halves.
        """
        hashes = hash_features(matrix)
        if coarse:
            one = BoostedTrees.fit(matrix, codes, n_classes, weights, seed, on_tree, sizes)
            return cls((one,), np.empty(0, dtype=np.uint64))
        half = (hashes & np.uint64(1)).astype(np.int64)
        if not 0 < half.sum() < half.size:
            raise ModelError("All rows of the sample look alike, so no model can judge them. Add features.")

        def fit(at: int) -> BoostedTrees:
            rows = half == at
            return BoostedTrees.fit(matrix[rows], codes[rows], n_classes, weights[rows], seed + at, on_tree, sizes)

        if n_jobs == 1:
            return cls((fit(0), fit(1)), np.unique(hashes))
        with ThreadPoolExecutor(2) as pool:
            first, second = pool.map(fit, (0, 1))
        return cls((first, second), np.unique(hashes))

    @classmethod
    def fit_twice(
        cls,
        matrix: Matrix,
        codes: IntArray,
        n_classes: int,
        weights: FloatArray,
        *,
        seed: int = 0,
        n_jobs: int | None = None,
        on_tree: Callable[[], None] = lambda: None,
        sizes: BoostingSizes | None = None,
    ) -> Halves:
        """Fit, judge each half by the other's model, and fit again, each row counting as its label is likely right.

        The first fit has half of the trees, in larger steps.

        Args:
            matrix: As for :meth:`fit`, and so are the others.
            codes: (n,) class positions, all known.
            n_classes: K.
            weights: (n,) how often each row occurs.
            seed: Seeds every draw.
            n_jobs: 1 fits the halves one after the other.
            on_tree: Called after each tree; there are three times as many as in ``sizes``.
            sizes: By default those of large tables.
        """
        sizes = sizes or BoostingSizes()
        quick = replace(sizes, trees=max(sizes.trees // 2, 1), rate=QUICKER * sizes.rate)
        first = cls.fit(
            matrix, codes, n_classes, weights, coarse=False, seed=seed, n_jobs=n_jobs, on_tree=on_tree, sizes=quick
        )
        probs = first.judge(matrix, n_jobs)[0].astype(np.float64) ** 2  # they were softened by a square root
        again = weights * right_weights(np.log(np.maximum(probs, MIN_PROBABILITY)), codes)
        return cls.fit(
            matrix, codes, n_classes, again, coarse=False, seed=seed + SEEDS_APART, n_jobs=n_jobs, on_tree=on_tree,
            sizes=sizes,
        )  # fmt: skip

    def judge(
        self, matrix: Matrix, n_jobs: int | None = 1, *, by_one: bool = False
    ) -> tuple[Matrix, NDArray[np.bool_]]:
        """Judge each row by the models that did not see it.

        Args:
            matrix: (n, d) float32, NaN where missing.
            n_jobs: Threads; they are used for many classes only. The answer does not depend on them.
            by_one: Judge rows that neither model saw by one of them too, the one that would judge them had they been
                fitted on.

        Returns:
            Probabilities (n, K) float32 in whole units of 2**-24, and which rows (n,) a model saw, or a row alike, so
            that the other one alone could judge it; none where all rows are judged by one model.
        """
        threads = thread_count(n_jobs) if self.n_classes >= MIN_THREADED_CLASSES else 1
        parts = np.array_split(matrix, max(1, min(threads, len(matrix) // 1024)))
        if len(parts) == 1:
            return self._judge(matrix, by_one)
        with ThreadPoolExecutor(threads) as pool:
            probs, inside = zip(*pool.map(self._judge, parts, repeat(by_one)), strict=True)
        return np.concatenate(probs), np.concatenate(inside)

    def _judge(self, matrix: Matrix, by_one: bool) -> tuple[Matrix, NDArray[np.bool_]]:
        blocks = [self._block(matrix[at : at + BLOCK_ROWS], by_one) for at in range(0, len(matrix), BLOCK_ROWS)]
        if not blocks:
            return np.empty((0, self.n_classes), dtype=np.float32), np.empty(0, dtype=bool)
        return np.concatenate([probs for probs, _ in blocks]), np.concatenate([inside for _, inside in blocks])

    def _block(self, matrix: Matrix, by_one: bool) -> tuple[Matrix, NDArray[np.bool_]]:
        if len(self.models) == 1:
            return softened(softmax(self.models[0].scores(matrix))), np.zeros(len(matrix), dtype=bool)
        hashes = np.concatenate([hash_features(matrix[part]) for part in _in_parts(len(matrix))])
        at = np.minimum(np.searchsorted(self.seen, hashes), self.seen.size - 1)
        inside = self.seen[at] == hashes
        own = (hashes & np.uint64(1)).astype(np.int64)
        probs = np.empty((len(matrix), self.n_classes), dtype=np.float32)
        for which, model in enumerate(self.models):
            rows = np.flatnonzero(own != which)
            probs[rows] = softmax(model.scores(matrix[rows]))
        unsure = ~inside & (probs.max(axis=1) < SURE) & (not by_one)
        for which, model in enumerate(self.models):
            rows = np.flatnonzero(unsure & (own == which))
            probs[rows] = (probs[rows] + softmax(model.scores(matrix[rows]))) / 2
        return softened(probs), inside


def _in_parts(n_rows: int) -> list[slice]:
    """Split rows that are read across into parts that stay in a core's own cache."""
    return [slice(start, start + PART_ROWS) for start in range(0, n_rows, PART_ROWS)]


def softened(probs: Matrix) -> Matrix:
    """Make probabilities (n, K) less sure of themselves, in whole units, which float32 holds exactly.

    The mean of two boosted models is overconfident; its square root ranks errors better, and more of what it flags is
    wrong (docs/benchmarks.md).
    """
    soft = _rescaled(np.sqrt(probs))
    units = np.rint(soft * np.float32(UNIT))
    return np.asarray(units / np.float32(UNIT), dtype=np.float32)
