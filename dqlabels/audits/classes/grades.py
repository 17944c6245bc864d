"""Grades: classes in an order, where two grades off is worse than one.

K grades are K - 1 questions, "is it above grade k?", each audited as two classes by the rules of confident learning;
a label is wrong where one of its answers is, and the more answers are wrong, the further off it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from dqlabels.audits.options import Options
from dqlabels.engines.memory import flag, judge
from dqlabels.engines.passes import ClassJudge, find_judge
from dqlabels.engines.task import Blocks, Observe, State
from dqlabels.errors import LabelColumnError, OptionError
from dqlabels.frames.columns import Column
from dqlabels.statistics.arrays import BoolArray, FloatArray, IntArray, RealArray
from dqlabels.statistics.classes import ClassTally, JointTally, Judgement, calibrate, take
from dqlabels.statistics.ordinal import (
    GRADE_SCORES,
    expected_distances,
    grade_quality,
    nearest_grade,
    nearness_joint,
    nearness_tally,
)
from dqlabels.statistics.scores import logit_units


def check_grades(column: Column, options: Options) -> None:
    """Refuse labels whose order is not known, and options that only unordered classes have.

    Raises:
        LabelColumnError: Strings, or a categorical that says no order.
        OptionError: Naming the option and the way out.
    """
    dtype = column.dtype
    if dtype in (nw.String, nw.Categorical, nw.Object) and not isinstance(dtype, nw.Enum):
        values = ", ".join(map(repr, sorted(map(str, column.drop_nulls().unique().to_list()))[:5]))
        held = f"{dtype} ({values})" if values else f"{dtype}"
        raise LabelColumnError(
            f"Column {column.name!r} holds {held}, whose order is not known: by name it would be guessed. "
            "Make it a pl.Enum([...]) or an ordered pd.Categorical with the grades from the lowest up, or numbers."
        )
    if options.score not in GRADE_SCORES:
        raise OptionError(
            f"score={options.score!r} knows no order of classes; for task='ordinal' take one of "
            f"{', '.join(map(repr, GRADE_SCORES))}, or audit with task='classes'."
        )
    if options.adjust or options.compat is not None:
        option = "adjust=True" if options.adjust else f"compat={options.compat!r}"
        raise OptionError(f"{option} has no form for ordered classes. Leave it out, or audit with task='classes'.")


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
        yield _answers(codes, at_most, k)


def _answers(codes: IntArray, at_most: FloatArray, k: int) -> tuple[IntArray, FloatArray]:
    return (codes > k).astype(np.int64), np.column_stack([at_most[:, k], 1 - at_most[:, k]])


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


@dataclass(frozen=True, slots=True, eq=False)
class GradeJudge:
    """What the passes over blocks found of K grades, which is enough to judge any block by itself.

    ``cuts`` are the judges of the K - 1 questions; the rest is as in :class:`~dqlabels.engines.passes.ClassJudge`.
    """

    cuts: tuple[ClassJudge, ...]
    class_counts: IntArray
    thresholds: FloatArray
    counts: IntArray
    joint: FloatArray
    frozen: BoolArray

    def judge(self, codes: IntArray, probs: RealArray) -> tuple[BoolArray, IntArray]:
        """Return flag (b,) and nearest grade (b,) of the labelled rows of a block."""
        best, flagged = self.likely(probs), np.zeros(codes.size, dtype=bool)
        for cut, (above, two) in zip(self.cuts, _questions(codes, probs), strict=True):
            flagged |= cut.judge(above, two)[0]
        return flagged & (best != codes) & ~self.frozen.take(codes), best

    @staticmethod
    def likely(probs: RealArray) -> IntArray:
        """The grade (b,) of least expected distance."""
        return np.asarray(expected_distances(probs).argmin(axis=1))


@dataclass(frozen=True, slots=True, eq=False)
class CutBlocks:
    """Judged rows as answers to "is it above grade ``cut``?"."""

    blocks: Blocks
    cut: int

    def reduce(self, make: Callable[[], State], observe: Observe[State]) -> State:
        """Merge a statistic over all rows that have a label."""
        cut = self.cut

        def observe_cut(state: State, codes: IntArray, probs: RealArray) -> None:
            at_most = np.clip(np.cumsum(probs[:, : cut + 1], axis=1, dtype=np.float64), 0.0, 1.0)
            observe(state, *_answers(codes, at_most, cut))

        return self.blocks.reduce(make, observe_cut)


def find_grade_judge(
    blocks: Blocks,
    tally: ClassTally,
    *,
    filter_by: str,
    least_rows: int = 0,
    trusted: ClassTally | None = None,
    bars: GradeBars | None = None,
) -> GradeJudge:
    """Read the rows until every cut of every question is known, and how near grades are to each other.

    Args:
        blocks: The rows.
        tally: Sums over all rows, observed while they were judged.
        filter_by: The rule that flags at each cut.
        least_rows: Grades with fewer rows are never flagged.
        trusted: Tally of trusted rows, whose grades may be too small; by default these rows are.
        bars: What trusted rows say of grades; by default these rows do.
    """
    k = tally.rows.size
    cuts = []
    for cut in range(k - 1):
        answers = CutBlocks(blocks, cut)
        both = answers.reduce(
            lambda: ClassTally.empty(2), lambda state, above, two: state.update(above, take(two, above))
        )
        cuts.append(find_judge(answers, both, filter_by=filter_by, trusted=None if bars is None else bars.cuts[cut]))
    near = _near(blocks, k) if bars is None else bars.near

    def observe(state: JointTally, codes: IntArray, probs: RealArray) -> None:
        state.update(codes, nearest_grade(expected_distances(probs), near))

    counts = blocks.reduce(lambda: JointTally.empty(k), observe).finish()
    joint = calibrate(counts, tally.rows) / max(int(tally.rows.sum()), 1)
    few = (tally if trusted is None else trusted).rows < least_rows
    return GradeJudge(tuple(cuts), tally.rows, tally.finish(), counts, joint, few)


def _near(blocks: Blocks, k: int) -> ClassTally:
    """Rows of each grade, and how near they are to it."""

    def observe(state: ClassTally, codes: IntArray, probs: RealArray) -> None:
        state.add_sums(nearness_tally(codes, expected_distances(probs)).sums())

    return blocks.reduce(lambda: ClassTally.empty(k), observe)
