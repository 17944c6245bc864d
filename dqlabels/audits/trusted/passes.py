"""A batch of a fitted auditor as a task of the engines out of memory: nothing is learned, and the rest is the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from dqlabels.audits.base import Names
from dqlabels.audits.classes.task import ScorePass, observe_scores
from dqlabels.audits.classes.verdict import scoring
from dqlabels.audits.options import Options
from dqlabels.audits.probabilities import MIN_ROWS_PER_CLASS
from dqlabels.audits.trusted.fitted import BatchLabels, Fitted, batch_matrix, batch_probs
from dqlabels.audits.verdict import ScoreRule, kernel_rule
from dqlabels.engines.passes import ClassJudge, find_judge
from dqlabels.engines.task import Blocks, LabelArray, Observe, Outputs, RowLayout, Rows, State
from dqlabels.frames.columns import Column, Frame, LabelSet
from dqlabels.frames.outputs import with_columns
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
        """The class, and K probabilities of 64 bits."""
        return RowLayout(np.int32, HALVES_OF_DOUBLE * self.n_classes)

    def read_labels(self, column: Column) -> IntArray:
        """The labels (b,) of a block, as they are stored."""
        return self.stored[self.seen.codes(column)]


@dataclass(frozen=True, slots=True, eq=False)
class FittedBatch:
    """An auditor that judges blocks of a batch, and finds what flags."""

    fitted: Fitted
    palette: Column
    options: Options

    @property
    def columns(self) -> list[str]:
        """The columns it judges by."""
        return list(self.fitted.encoder.names)

    def judge(self, block: Frame, labels: IntArray, n_jobs: int | None) -> NDArray[np.float32]:
        """Probabilities (b, K), each as two float32 numbers that hold its bits."""
        probs, _ = batch_probs(self.fitted, batch_matrix(self.fitted, block).matrix, np.maximum(labels, -1), n_jobs)
        return np.ascontiguousarray(probs, dtype=np.float64).view(np.float32)

    def first(self) -> ClassTally:
        """Return the empty tally of the batch's classes."""
        return ClassTally.empty(len(self.fitted.classes))

    @property
    def observe(self) -> Callable[[ClassTally, IntArray, RealArray], None]:
        """Adds the self-confidence of labelled rows."""
        return lambda state, given, outputs: state.update(given, take(doubles(outputs), given))

    def rule(self, blocks: Blocks, first: ClassTally) -> BatchRule:
        """The passes of confident learning by the trusted thresholds, then those of the scores."""
        options, rows, fitted = self.options, DoubleBlocks(blocks), self.fitted
        judge = find_judge(
            rows, first, filter_by=kernel_rule(options), least_rows=MIN_ROWS_PER_CLASS, trusted=fitted.tally
        )
        score = scoring(options, judge.thresholds)
        scores = rows.reduce(ScorePass.empty, partial(observe_scores, score))
        drawn, probs = rows.gather(partial(RowSample, rows_drawn(len(fitted.classes))), RowSample.update).finish()
        basis = RateBasis(drawn, probs, judge.class_counts, judge.counts, scores.errors / max(scores.rows, 1))
        rule = ScoreRule.of(scores.tally, basis, judge.joint, score, options, fitted.wrong)
        return BatchRule(judge, rule, score, self.palette, fitted.names)


@dataclass(frozen=True, slots=True, eq=False)
class BatchRule:
    """What the passes found of a batch. ``palette`` (K + U,) holds its classes, those that are not known last."""

    rule: ClassJudge
    scores: ScoreRule
    score: Score
    palette: Column
    names: Names

    notes: ClassVar[tuple[str, ...]] = ()

    def add_columns(self, block: Frame, labels: IntArray, outputs: RealArray) -> Frame:
        """The block with quality, suggestion and flag; a label of no known class is its own suggestion."""
        known, probs = labels >= 0, doubles(outputs)
        quality, flag, suggested = np.full(labels.size, np.nan), np.zeros(labels.size, dtype=bool), -1 - labels
        codes = labels[known]
        units = self.score(codes, probs[known])
        flagged, likely = self.rule.judge(codes, probs[known])
        flagged &= units < self.scores.cutoff
        quality[known], flag[known] = self.scores.probability.quality(units), flagged
        suggested[known] = np.where(flagged, likely, codes)
        missing = labels == -1
        suggested[missing] = probs[missing].argmax(axis=1)
        return with_columns(block, self.names, quality, self.palette[suggested.tolist()], flag, known)


@dataclass(frozen=True, slots=True, eq=False)
class DoubleBlocks:
    """Judged rows whose probabilities are stored as two float32 numbers each, read as what they are."""

    blocks: Blocks

    def reduce(self, make: Callable[[], State], observe: Observe[State]) -> State:
        """Merge a statistic over all rows that have a known label."""
        return self.blocks.reduce(make, lambda state, labels, outputs: observe(state, labels, doubles(outputs)))

    def gather(self, make: Callable[[], Rows], observe: Callable[[Rows, LabelArray, Outputs], None]) -> Rows:
        """Merge what is drawn of all rows that have a known label."""
        return self.blocks.gather(make, lambda rows, labels, outputs: observe(rows, labels, doubles(outputs)))


def doubles(outputs: RealArray) -> FloatArray:
    """Return probabilities (b, K) from the float32 numbers (b, 2 K) that hold their bits.

    >>> doubles(np.array([[0.25, 0.75]]).view(np.float32)).tolist()
    [[0.25, 0.75]]
    """
    return np.ascontiguousarray(outputs, dtype=np.float32).view(np.float64)
