"""Grades: classes in an order, where two grades off is worse than one.

K grades are K - 1 questions, "is it above grade k?", each audited as two classes by the rules of confident learning;
a label is wrong where one of its answers is, and the more answers are wrong, the further off it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dqlabels.engines.memory import flag, judge
from dqlabels.statistics.arrays import BoolArray, IntArray
from dqlabels.statistics.classes import ClassTally, Judgement, calibrate, take
from dqlabels.statistics.ordinal import expected_distances, grade_quality, nearness_joint, nearness_tally
from dqlabels.statistics.scores import logit_units


@dataclass(frozen=True, slots=True, eq=False)
class GradeBars:
    """What trusted rows say of K grades: how ``near`` their own rows are, and the tally of each of K - 1 ``cuts``."""

    near: ClassTally
    cuts: tuple[ClassTally, ...]

    @classmethod
    def of(cls, codes: IntArray, probs: NDArray[np.floating]) -> GradeBars:
        """Tally trusted rows: grades (n,) and probabilities (n, K)."""
        cuts = []
        for above, two in _questions(codes, probs):
            tally = ClassTally.empty(2)
            tally.update(above, take(two, above))
            cuts.append(tally)
        return cls(nearness_tally(codes, expected_distances(probs)), tuple(cuts))


def _questions(codes: IntArray, probs: NDArray[np.floating]) -> Iterator[tuple[IntArray, NDArray[np.float64]]]:
    """Yield for each "is it above grade k?" the answers (n,), and the probabilities (n, 2) of no and yes."""
    at_most = np.clip(np.cumsum(probs, axis=1, dtype=np.float64), 0.0, 1.0)
    for k in range(probs.shape[1] - 1):
        yield (codes > k).astype(np.int64), np.column_stack([at_most[:, k], 1 - at_most[:, k]])


def _flag_cuts(
    codes: IntArray, probs: NDArray[np.floating], filter_by: str, n_threads: int | None, trusted: GradeBars | None
) -> BoolArray:
    """(n,) flagged at any cut: each "is it above grade k?" is audited as two classes."""
    flagged = np.zeros(codes.size, dtype=bool)
    cuts = [None] * (probs.shape[1] - 1) if trusted is None else trusted.cuts
    for (above, two), cut in zip(_questions(codes, probs), cuts, strict=True):
        flagged |= judge(above, two, filter_by=filter_by, trusted=cut, n_threads=n_threads).flagged
    return flagged


def grade_units(codes: IntArray, probs: NDArray[np.floating], score: str) -> NDArray[np.float64]:
    """Score (n,) of grades in whole units: the log-odds of the quality that their expected distances give."""
    return logit_units(grade_quality(codes, expected_distances(probs), score))


def judge_grades(
    codes: IntArray,
    probs: NDArray[np.floating],
    *,
    filter_by: str = "prune_by_noise_rate",
    frozen_classes: BoolArray | None = None,
    trusted: GradeBars | None = None,
    n_threads: int | None = None,
) -> Judgement:
    """Confident learning over ordered classes.

    Args:
        codes: (n,) positions of the grades 0..K-1, each carried by some row unless there are trusted ones.
        probs: (n, K) out-of-sample probabilities, grades in order.
        filter_by: The rule that flags at each cut, one of ``FILTERS``.
        frozen_classes: (K,) true for grades that are never flagged.
        trusted: Trusted rows that give the thresholds; by default these rows do.
        n_threads: The answer does not depend on it.

    Returns:
        As of unordered classes, without a quality, but ``likely`` and what is suggested is the grade of least expected
        distance, the median, and the joint is that of confident learning on nearness instead of probability.

    Source: the cuts, Frank & Hall (2001), A simple approach to ordinal classification, ECML; at each cut, Northcutt,
    Jiang & Chuang (2021), JAIR 70:1373-1411. Putting the two together is ours.

    >>> sure = np.array([[.9, .1, 0], [.9, .1, 0], [.1, .8, .1], [.1, .8, .1], [0, .1, .9], [0, .1, .9], [.9, .1, 0]])
    >>> found = judge_grades(np.array([0, 0, 1, 1, 2, 2, 2]), sure)
    >>> found.flagged.nonzero()[0].tolist(), int(found.suggested[6])
    ([6], 0)
    """
    distances = expected_distances(probs)
    best = distances.argmin(axis=1)
    flagged = _flag_cuts(codes, probs, filter_by, n_threads, trusted) & (best != codes)
    if frozen_classes is not None:
        flagged &= ~frozen_classes[codes]
    plain = flag(codes, probs, filter_by="predicted_neq_given", n_threads=n_threads)
    counts = nearness_joint(codes, distances, None if trusted is None else trusted.near)
    joint = calibrate(counts, plain.label_counts) / max(codes.size, 1)
    return Judgement(
        np.empty(0), flagged, np.where(flagged, best, codes), best, plain.label_counts,
        plain.thresholds, counts, joint,
    )  # fmt: skip
