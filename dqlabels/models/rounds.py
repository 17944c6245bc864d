"""The default judge: bagged trees, boosted trees and a linear model as one, in two rounds.

The first round learns from labels some of which are wrong. In the second each row counts by how likely its label was
right after the first, where the row was judged by models that had not seen it. A row's answer is that of both rounds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from dqlabels.models import boosting, linear
from dqlabels.models.bag import Bag
from dqlabels.models.pool import logarithms, pool_weights, pooled, rows_to_weigh_by
from dqlabels.models.sizes import Sizes
from dqlabels.models.units import FittingRows
from dqlabels.models.weights import right_weights
from dqlabels.progress import Progress, ProgressOption
from dqlabels.statistics.arrays import FloatArray
from dqlabels.threads import one_blas_thread, thread_count

ROUNDS = 2
# Tables of fewer rows are judged on one thread.
MIN_THREADED_ROWS = 3_000
# With more classes than this the trees that judge alone are as few as beside other learners.
MAX_CLASSES_OF_LARGE_BAGS = 200
# Between the seeds of two rounds, more than there are folds.
SEEDS_APART = 1_000
# A learner with less than this share of the pool's weight is not asked again.
MIN_SHARE = 0.05


Learner = Callable[[FloatArray, int, ProgressOption], "FloatArray | None"]


@dataclass(frozen=True, slots=True, eq=False)
class Judges:
    """The learners that a table's rows are judged by, each with its name.

    A learner takes weights (n,), a seed and whom to tell of its progress, and returns probabilities (n, K), or None
    where it cannot be fitted.
    """

    names: tuple[str, ...]
    learners: tuple[Learner, ...]


def judge_in_rounds(
    rows: FittingRows, sizes: Sizes, seed: int, n_jobs: int | None, progress: ProgressOption
) -> tuple[FloatArray, str]:
    """Return probabilities (n, K) of every row, and what judged them in words.

    Args:
        rows: The table, at least one row of it with a label.
        sizes: Sizes of the learners.
        seed: Seeds every draw.
        n_jobs: Threads; the answer does not depend on them.
        progress: As for :func:`dqlabels.audit`; counts learners, twice each, or the trees where only these judge.

    Raises:
        ModelError: Rows that no tree can be grown without.
    """
    with one_blas_thread:
        return _in_rounds(rows, _judges(rows, sizes, n_jobs), seed, progress)


def _in_rounds(rows: FittingRows, judges: Judges, seed: int, progress: ProgressOption) -> tuple[FloatArray, str]:
    few = rows_to_weigh_by(rows.labelled, rows.n_classes)
    codes, base = rows.codes[few], np.ones(len(rows.codes)) if rows.weights is None else rows.weights
    asked, answers = tuple(range(len(judges.names))), list[FloatArray]()
    count, steps, named = Progress(progress), ROUNDS * len(judges.names), ""
    for turn in range(ROUNDS):
        weights = base * right_weights(answers[-1], rows.codes) if answers else base
        logs = {}
        for done, at in enumerate(asked, start=1):
            within: ProgressOption = partial(_count_in_turn, count, turn) if len(judges.names) == 1 else False
            probs = judges.learners[at](weights, seed + turn * SEEDS_APART, within)
            if probs is not None:
                logs[at] = logarithms(probs)
            if within is False:
                count(turn * len(judges.names) + done, steps)
        shares = pool_weights([log[few] for log in logs.values()], codes)
        answers.append(logarithms(pooled(list(logs.values()), shares)))
        weighty = shares >= MIN_SHARE * shares.sum()
        asked = tuple(at for at, needed in zip(logs, weighty.tolist(), strict=True) if needed)
        named = named or _in_words([judges.names[at] for at in asked], shares[weighty])
    if len(asked) < len(judges.names):
        count(steps, steps)
    return pooled(answers, np.full(ROUNDS, 1 / ROUNDS)), named


def _count_in_turn(count: Progress, turn: int, done: int, total: int) -> None:
    """Tell how far a turn is that takes ``total`` steps, as all of them do."""
    count(turn * total + done, ROUNDS * total)


def _judges(rows: FittingRows, sizes: Sizes, n_jobs: int | None) -> Judges:
    fitted, width = rows.labelled.size, rows.matrix.shape[1]
    # Steps on small tables are so short that two threads wait for each other.
    threads = thread_count(n_jobs) if fitted >= MIN_THREADED_ROWS else 1

    asks_boosting = boosting.is_worth_asking(fitted, width, rows.n_classes, sizes.rows_per_class)
    asks_a_line = linear.is_worth_a_line(fitted, width, rows.n_classes)
    # Where trees judge alone they are as many, and as large, as an auditor's, unless the classes make them slow.
    alone = not (asks_boosting or asks_a_line) and rows.n_classes <= MAX_CLASSES_OF_LARGE_BAGS
    bag_sizes = sizes.kept_bag if alone else sizes.bag

    def bag(weights: FloatArray, seed: int, progress: ProgressOption) -> FloatArray:
        drawn = rows.sample(sizes.large_rows, seed)
        weighted = replace(rows, weights=weights)
        per_tree = min(drawn.size, bag_sizes.max_rows_per_tree)
        return Bag(weighted, drawn, per_tree, None).judge(seed, bag_sizes.trees(drawn.size), threads, progress)

    def boosted(weights: FloatArray, seed: int, progress: ProgressOption) -> FloatArray | None:
        return boosting.judge_by_boosting(rows, weights, sizes=sizes, seed=seed, n_threads=threads)

    def line(weights: FloatArray, seed: int, progress: ProgressOption) -> FloatArray | None:
        return linear.judge_by_lines(rows, weights, seed, threads)

    chosen: list[tuple[str, Learner]] = [("bagged trees", bag)]
    if asks_boosting:
        chosen.append(("boosted trees", boosted))
    if asks_a_line:
        chosen.append(("logistic regression", line))
    names, learners = zip(*chosen, strict=True)
    return Judges(names, learners)


def _in_words(names: Sequence[str], shares: FloatArray) -> str:
    parts = [f"{name} {share:.0%}" for name, share in zip(names, shares / (shares.sum() or 1), strict=True)]
    return f"{', '.join(parts)}, out of sample, in two rounds"
