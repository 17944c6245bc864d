"""Confident learning over blocks that can be read several times, for every engine out of memory.

An engine gives :class:`~dqlabels.engines.task.Blocks`, whose ``reduce`` merges a statistic over all labelled rows. The
passes find a :class:`ClassJudge`, which flags the rows of any block by itself and holds nothing per row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dqlabels.engines.task import Reduced
from dqlabels.statistics.arrays import BoolArray, FloatArray, IntArray, NarrowArray, RealArray
from dqlabels.statistics.classes import (
    ClassTally,
    JointTally,
    calibrate,
    confident_class,
    in_units,
    likeliest_checked,
    prune_counts,
    take,
)
from dqlabels.statistics.cutoffs import CutoffCounts, find_cutoffs


@dataclass(frozen=True, slots=True, eq=False)
class ClassJudge:
    """What the passes found, which is enough to judge any block by itself.

    ``class_counts`` (K,) are the labelled rows, ``thresholds`` (K,) NaN for a class without rows, ``bars`` (K,) the
    smallest probability that reaches them, ``counts`` (K, K) the raw confident joint, ``joint`` (K, K) the calibrated
    one, which sums to 1, and ``frozen`` (K,) true for classes that are never flagged.

    Rows are flagged from a cut on, in units of 2**-24: ``margins`` (K, K) by given and other class, ``own`` (K,) for
    the negative self-confidence, ``top`` for the largest margin. A cut that the rule does not use is minus infinity.
    """

    filter_by: str
    class_counts: IntArray
    thresholds: FloatArray
    bars: FloatArray
    counts: IntArray
    joint: FloatArray
    frozen: BoolArray
    margins: FloatArray
    own: FloatArray
    top: float

    def judge(self, codes: IntArray, probs: RealArray) -> tuple[BoolArray, NarrowArray]:
        """Return flag (b,) and likeliest class (b,) of the labelled rows of a block."""
        known, (likely, top) = take(probs, codes), likeliest_checked(probs)
        return self._flag(codes, probs, known, likely, top) & ~self.frozen.take(codes), likely

    @staticmethod
    def likely(probs: RealArray) -> NarrowArray:
        """The likeliest class (b,)."""
        return likeliest_checked(probs)[0]

    def _flag(
        self, codes: IntArray, probs: RealArray, known: RealArray, likely: NarrowArray, top: RealArray
    ) -> BoolArray:
        flagged: BoolArray = top > known
        if self.filter_by == "confident_learning":
            confident = confident_class(probs, likely, top, self.bars)
            return np.asarray(flagged & (confident >= 0) & (confident != codes))
        units = in_units(known)
        flagged &= -units >= self.own.take(codes)
        flagged &= in_units(top) - units >= self.top
        if self.filter_by in ("prune_by_noise_rate", "both"):
            rows = np.flatnonzero(flagged)
            margins = in_units(probs.take(rows, axis=0)) - units[rows, None]
            flagged[rows] = (margins >= self.margins.take(codes[rows], axis=0)).any(axis=1)
        return flagged


def find_judge(
    blocks: Reduced,
    tally: ClassTally,
    *,
    filter_by: str,
    least_rows: int = 0,
    trusted: ClassTally | None = None,
) -> ClassJudge:
    """Read the rows until every cut is known: once for the joint, twice or more for the cuts.

    Args:
        blocks: The rows.
        tally: Sums over all rows, observed while they were judged.
        filter_by: The rule that flags rows, one of ``dqlabels.statistics.classes.FILTERS``.
        least_rows: Classes with fewer rows are never flagged.
        trusted: Tally of trusted rows that gives the thresholds, and whose classes may be too small; by default these
            rows do.

    Raises:
        ProbabilityError: Some rows are not probabilities.
    """
    bar = tally if trusted is None else trusted
    bars = bar.bars()

    def observe(state: JointTally, codes: IntArray, probs: RealArray) -> None:
        likely, top = likeliest_checked(probs)
        state.update(codes, confident_class(probs, likely, top, bars))

    counts = blocks.reduce(lambda: JointTally.empty(bars.size), observe).finish()
    rows = int(tally.rows.sum())
    margins, own, top = _cuts(blocks, filter_by, prune_counts(counts, tally.rows))
    joint = calibrate(counts, tally.rows) / max(rows, 1)
    return ClassJudge(
        filter_by, tally.rows, bar.finish(), bars, counts, joint, bar.rows < least_rows,
        margins, own, top,
    )  # fmt: skip


def _cuts(blocks: Reduced, filter_by: str, prune: IntArray) -> tuple[FloatArray, FloatArray, float]:
    """Find where each selection of a rule begins; minus infinity where the rule has no such selection."""
    k = len(prune)
    margins, own, top = np.full((k, k), -np.inf), np.full(k, -np.inf), -np.inf
    number = np.array([prune.sum() - np.trace(prune)])
    if filter_by == "low_normalized_margin":
        top = float(find_cutoffs(number, lambda step: blocks.reduce(step.fresh, _observe_top))[0])
    elif filter_by == "low_self_confidence":
        own[:] = find_cutoffs(number, lambda step: blocks.reduce(step.fresh, _observe_own))
    if filter_by in ("prune_by_class", "both"):
        wanted = prune.sum(axis=1) - np.diagonal(prune)
        own = find_cutoffs(wanted, lambda step: blocks.reduce(step.fresh, _observe_own))
    if filter_by in ("prune_by_noise_rate", "both"):
        margins = _margin_cuts(blocks, prune)
    return margins, own, top


def _observe_top(state: CutoffCounts, codes: IntArray, probs: RealArray) -> None:
    """Count the margin of the likeliest class, for rows where it is not the given one."""
    known, (_, top) = take(probs, codes), likeliest_checked(probs)
    rows = np.flatnonzero(top > known)
    state.update(np.zeros_like(rows), in_units(top[rows]) - in_units(known[rows]))


def _observe_own(state: CutoffCounts, codes: IntArray, probs: RealArray) -> None:
    """Count the negative self-confidence: by class, or over all rows where the state has one cell."""
    state.update(codes if state.limits.size > 1 else np.zeros_like(codes), -in_units(take(probs, codes)))


def _margin_cuts(blocks: Reduced, prune: IntArray) -> FloatArray:
    """Smallest margin (K, K) over the given class that is pruned for each other class; infinite where none is."""
    k = len(prune)
    given, other = np.nonzero(prune - np.diag(np.diagonal(prune)))
    cell_of = np.full((k, k), -1, dtype=np.int64)
    cell_of[given, other] = np.arange(given.size)

    def observe(state: CutoffCounts, codes: IntArray, probs: RealArray) -> None:
        known, (_, top) = take(probs, codes), likeliest_checked(probs)
        rows = np.flatnonzero(top > known)
        margins = in_units(probs.take(rows, axis=0)) - in_units(known[rows])[:, None]
        cells = cell_of.take(codes[rows], axis=0)
        near = (margins >= 1) & (cells >= 0)
        state.update(cells[near], margins[near])

    margins = np.full((k, k), np.inf)
    if given.size:
        found = find_cutoffs(prune[given, other], lambda step: blocks.reduce(step.fresh, observe))
        margins[given, other] = np.maximum(found, 1)
    return margins
