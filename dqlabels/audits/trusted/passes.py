"""A batch of a fitted auditor as a task of the engines out of memory: nothing is learned, and the rest is the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from dqlabels.audits.base import Names
from dqlabels.audits.classes.grades import GradeJudge
from dqlabels.audits.classes.spelling import Spelling
from dqlabels.audits.classes.task import ScorePass, found_in_passes, observe_scores
from dqlabels.audits.classes.verdict import scoring
from dqlabels.audits.options import Options
from dqlabels.audits.trusted.fitted import (
    BatchLabels,
    Fitted,
    batch_matrix,
    batch_probs,
    correction,
    cross_fitted,
    drawn_to_measure,
    fitted_spelling,
)
from dqlabels.audits.verdict import ScoreRule
from dqlabels.engines.passes import ClassJudge
from dqlabels.engines.task import Blocks, LabelArray, Observe, Outputs, RowLayout, Rows, State
from dqlabels.frames.columns import Column, Frame, LabelSet
from dqlabels.frames.outputs import with_columns
from dqlabels.noise.increase import UNIT, DoubtSums, doubt_units
from dqlabels.noise.mixture import RateBasis
from dqlabels.noise.probability import Score
from dqlabels.noise.sample import RowSample, rows_drawn
from dqlabels.statistics.arrays import FloatArray, IntArray, RealArray
from dqlabels.statistics.classes import ClassTally, take

# Float32 numbers that a probability takes: it is stored to its last bit.
HALVES_OF_DOUBLE = 2


@dataclass(frozen=True, slots=True, eq=False)
class BatchTask:
    """A batch by the K classes of an auditor.

    ``seen`` are the m different labels of the batch. ``stored`` (m + 1,) is what stands for each of them, and last for
    a missing one: the class, -1 where the label is missing, -1 less its place in the palette where it is of no known
    class.
    """

    seen: LabelSet
    stored: IntArray
    n_classes: int

    @classmethod
    def of(cls, seen: LabelSet, labels: BatchLabels, n_classes: int) -> BatchTask:
        """Read the different labels of a batch by the classes of an auditor.

        Args:
            seen: The different labels.
            labels: The same, each once, by the classes.
            n_classes: How many the auditor knows.
        """
        return cls(seen, np.append(np.where(labels.foreign >= 0, -1 - labels.foreign, labels.codes), -1), n_classes)

    @property
    def label(self) -> str:
        """The label column."""
        return self.seen.values.name

    @property
    def layout(self) -> RowLayout:
        """The class, and K probabilities and the doubt of the label, of 64 bits each."""
        return RowLayout(np.int32, HALVES_OF_DOUBLE * (self.n_classes + 1))

    @property
    def known_rows(self) -> int:
        """How many rows carry a known class."""
        return int(self.seen.rows[self.stored[:-1] >= 0].sum())

    def read_labels(self, column: Column) -> IntArray:
        """The labels (b,) of a block, as they are stored."""
        return self.stored[self.seen.codes(column)]


@dataclass(frozen=True, slots=True, eq=False)
class FittedBatch:
    """An auditor that judges blocks of a batch, and finds what flags."""

    fitted: Fitted
    palette: Column
    known_rows: int
    options: Options

    @property
    def columns(self) -> list[str]:
        """The columns it judges by."""
        return list(self.fitted.encoder.names)

    def encode(self, block: Frame, labels: IntArray) -> tuple[NDArray[np.float32], IntArray]:
        """Features (b, d) and labels (b,)."""
        return batch_matrix(self.fitted, block).matrix, labels

    def judge(self, encoded: tuple[NDArray[np.float32], IntArray], n_jobs: int | None) -> NDArray[np.float32]:
        """Probabilities (b, K) and doubt (b,), NaN where not measured; each two float32 numbers that hold its bits."""
        fitted, (matrix, labels) = self.fitted, encoded
        probs, _ = batch_probs(fitted, matrix, np.maximum(labels, -1), n_jobs)
        doubt = np.full(len(matrix), np.nan)
        if fitted.zero is not None:
            rows = np.flatnonzero(labels >= 0)
            rows = rows[drawn_to_measure(matrix[rows], self.known_rows)]
            if rows.size:
                asked = cross_fitted(fitted, matrix[rows], labels[rows], n_jobs)
                doubt[rows] = fitted.zero.doubt(labels[rows], asked)
        return np.column_stack([probs, doubt]).astype(np.float64).view(np.float32)

    def first(self) -> BatchTally:
        """Return the empty tally of the batch's classes."""
        return BatchTally.empty(len(self.fitted.classes))

    @property
    def observe(self) -> Callable[[BatchTally, IntArray, RealArray], None]:
        """Adds the self-confidence and the doubt of labelled rows."""
        return BatchTally.observe

    def rule(self, blocks: Blocks, first: BatchTally) -> BatchRule:
        """The passes of confident learning by the trusted thresholds, then those of the scores."""
        options, rows, fitted = self.options, DoubleBlocks(blocks), self.fitted
        judge = found_in_passes(rows, first.classes, options, fitted.tally, fitted.bars)
        score = scoring(options, judge.thresholds)
        scores = rows.reduce(ScorePass.empty, partial(observe_scores, score, judge.likely))
        drawn, probs = rows.gather(partial(RowSample, rows_drawn(len(fitted.classes))), RowSample.update).finish()
        basis = RateBasis(drawn, probs, judge.class_counts, judge.counts, scores.errors / max(scores.rows, 1))
        corrected = correction(fitted, None if fitted.zero is None else first.doubt_sums(), judge.class_counts)
        rule = ScoreRule.of(scores.tally, basis, judge.joint, score, options, fitted.wrong, corrected)
        return BatchRule(judge, rule, score, self.palette, fitted.names, fitted_spelling(fitted, options))


@dataclass(slots=True, eq=False)
class BatchTally:
    """What is observed while a batch is judged: the self-confidence of its ``classes``, and the doubt of their rows.

    ``measured`` (K,) are the rows whose doubt was measured, ``doubt`` (K,) is its sum in whole units.
    """

    classes: ClassTally
    measured: IntArray
    doubt: IntArray

    @classmethod
    def empty(cls, n_classes: int) -> BatchTally:
        """Nothing seen yet."""
        return cls(ClassTally.empty(n_classes), *np.zeros((2, n_classes), dtype=np.int64))

    def observe(self, codes: IntArray, outputs: RealArray) -> None:
        """Add rows (b,) of known classes by what the model says of them."""
        numbers, k = doubles(outputs), self.measured.size
        self.classes.update(codes, take(numbers[:, :-1], codes))
        some = np.flatnonzero(~np.isnan(numbers[:, -1]))
        self.measured += np.bincount(codes[some], minlength=k)
        units = np.bincount(codes[some], weights=doubt_units(numbers[some, -1]), minlength=k)
        self.doubt += units.astype(np.int64)

    def merge(self, other: BatchTally) -> None:
        """Add what ``other`` observed."""
        self.add_sums(other.sums())

    def sums(self) -> IntArray:
        """Return integers that can be added to those of other parts of the table."""
        return np.concatenate([self.classes.sums(), self.measured, self.doubt])

    def add_sums(self, sums: IntArray) -> None:
        """Add the ``sums`` of other parts of the table."""
        k = self.measured.size
        self.classes.add_sums(sums[: -2 * k])
        self.measured += sums[-2 * k : -k]
        self.doubt += sums[-k:]

    def doubt_sums(self) -> DoubtSums:
        """Return the doubt as an increase is told from it; pairs of classes play no part in that."""
        k = self.measured.size
        pairs = np.zeros((k, k), dtype=np.int64)
        return DoubtSums(self.measured, np.minimum(self.doubt / UNIT, self.measured), pairs)


@dataclass(frozen=True, slots=True, eq=False)
class BatchRule:
    """What the passes found of a batch. ``palette`` (K + U,) holds its classes, those that are not known last."""

    rule: ClassJudge | GradeJudge
    scores: ScoreRule
    score: Score
    palette: Column
    names: Names
    spelling: Spelling

    notes: ClassVar[tuple[str, ...]] = ()

    def add_columns(self, block: Frame, labels: IntArray, outputs: RealArray) -> Frame:
        """The block with quality, suggestion and flag; a label of no known class is its own suggestion."""
        known, probs = labels >= 0, doubles(outputs)[:, :-1]
        quality, flag, suggested = np.full(labels.size, np.nan), np.zeros(labels.size, dtype=bool), -1 - labels
        codes = labels[known]
        units = self.score(codes, probs[known])
        flagged, likely = self.rule.judge(codes, probs[known])
        flagged &= units < self.scores.cutoff
        flagged, meant = self.spelling.respell(codes, np.where(flagged, likely, codes))
        quality[known], flag[known], suggested[known] = self.scores.probability.quality(units), flagged, meant
        missing = labels == -1
        suggested[missing] = self.spelling.meant[probs[missing].argmax(axis=1)]
        return with_columns(block, self.names, quality, self.palette[suggested.tolist()], flag, known)


@dataclass(frozen=True, slots=True, eq=False)
class DoubleBlocks:
    """Judged rows whose probabilities, and doubt behind them, are two float32 numbers each: the probabilities alone."""

    blocks: Blocks

    def reduce(self, make: Callable[[], State], observe: Observe[State]) -> State:
        """Merge a statistic over all rows that have a known label."""
        return self.blocks.reduce(make, lambda state, labels, outputs: observe(state, labels, doubles(outputs)[:, :-1]))

    def gather(self, make: Callable[[], Rows], observe: Callable[[Rows, LabelArray, Outputs], None]) -> Rows:
        """Merge what is drawn of all rows that have a known label."""
        return self.blocks.gather(make, lambda rows, labels, outputs: observe(rows, labels, doubles(outputs)[:, :-1]))


def doubles(outputs: RealArray) -> FloatArray:
    """Return the numbers (b, m) whose bits float32 numbers (b, 2 m) hold.

    >>> doubles(np.array([[0.25, 0.75]]).view(np.float32)).tolist()
    [[0.25, 0.75]]
    """
    return np.ascontiguousarray(outputs, dtype=np.float32).view(np.float64)
