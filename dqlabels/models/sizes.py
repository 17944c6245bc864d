"""How much a model is given: rows, trees, blocks. Tests pass small sizes, so that a small table counts as a large one.

Nothing heavy is imported here, since the options of an audit carry the sizes.
"""

from __future__ import annotations

from dataclasses import dataclass

# Beyond this many rows a stratified sample is fitted; the rest are out of sample by construction.
MAX_FITTED_ROWS = 200_000
# Measured over real tables (docs/benchmarks.md): more trees add little, fewer cost precision.
MAX_TREES = 200


@dataclass(frozen=True, slots=True)
class BagSizes:
    """How many trees to grow, on how many rows each.

    Rows x trees are bounded by ``tree_rows``: larger tables take fewer trees, from ``max_trees`` down to ``min_trees``,
    each row still judged by dozens. A fully grown tree on ``max_rows_per_tree`` rows is as good as one on more, and its
    leaves stay in cache.
    """

    max_trees: int = MAX_TREES
    min_trees: int = 32
    tree_rows: int = 1_800_000
    max_rows_per_tree: int = 30_000

    def trees(self, n_rows: int) -> int:
        """Return the number of trees for so many fitted rows.

        >>> BagSizes().trees(1_000), BagSizes().trees(100_000)
        (200, 32)
        """
        return min(max(self.tree_rows // max(n_rows, 1), self.min_trees), self.max_trees)


@dataclass(frozen=True, slots=True)
class BoostingSizes:
    """How many trees of how many questions to fit, in how large steps, and into how many quantiles values fall.

    The defaults are those of large tables, chosen for average precision per second (docs/benchmarks.md). ``depth`` is
    at most 8, since the number of a leaf fits in a byte; ``rate`` scales each tree's steps; ``bins`` are the quantiles
    of each feature while trees are grown, at most 254.
    """

    trees: int = 128
    depth: int = 6
    rate: float = 0.2
    bins: int = 32


@dataclass(frozen=True, slots=True)
class FoldSizes:
    """Boosted trees of tables of at most ``max_rows`` rows (None: any number), fitted in so many ``folds``."""

    max_rows: int | None
    folds: int
    sizes: BoostingSizes


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """When a table is large, and how many rows, trees and steps its models take; the defaults were measured.

    ``large_rows``: a table of more rows is judged by models fitted on a sample of about as many. ``halves`` are those
    models, and an auditor's of a table of ``rows_per_class`` rows and more per class; of a smaller one it keeps
    ``kept_bag``. ``bag`` and the boosted trees are each round's of the default judge. ``block_rows`` are encoded and
    judged at a time; ``read_rows`` are read at a time from a lazy frame: a Parquet scan reads the row groups that hold
    them, and no others.
    """

    large_rows: int = MAX_FITTED_ROWS
    halves: BoostingSizes = BoostingSizes()
    kept_bag: BagSizes = BagSizes()
    rows_per_class: int = 5_000
    # Each of two rounds; more trees add little to the other learners.
    bag: BagSizes = BagSizes(max_trees=64, min_trees=16, tree_rows=450_000, max_rows_per_tree=15_000)
    # Boosted trees of small tables are few and shallow, since larger ones learn the wrong labels; those of large ones
    # take fewer, larger steps and four times as many quantiles than ``halves``, which found more per second
    # (docs/benchmarks.md).
    boosting: tuple[FoldSizes, ...] = (
        FoldSizes(1_500, 3, BoostingSizes(trees=24, depth=3, rate=0.3, bins=64)),
        FoldSizes(15_000, 3, BoostingSizes(trees=40, depth=5, rate=0.3, bins=64)),
        FoldSizes(None, 2, BoostingSizes(trees=56, depth=6, rate=0.33, bins=128)),
    )
    # Beyond this many rows boosting is fitted on a sample; it judges the rest.
    max_boosted_rows: int = 100_000
    block_rows: int = 65_536
    read_rows: int = 131_072

    def boosting_of(self, n_rows: int) -> FoldSizes:
        """Return the boosted trees for so many fitted rows.

        >>> Sizes().boosting_of(1_000).folds, Sizes().boosting_of(100_000).folds
        (3, 2)
        """
        return next(one for one in self.boosting if one.max_rows is None or n_rows <= one.max_rows)
