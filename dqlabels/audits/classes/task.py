"""Classes as a task of the engines out of memory: the three steps of confident learning over blocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dqlabels.audits.classes.grades import GradeBars, GradeJudge, find_grade_judge
from dqlabels.audits.classes.spelling import Spelling, class_notes
from dqlabels.audits.classes.verdict import scoring
from dqlabels.audits.options import Options
from dqlabels.audits.probabilities import MIN_ROWS_PER_CLASS
from dqlabels.audits.verdict import ScoreRule, kernel_rule
from dqlabels.engines import passes
from dqlabels.engines.task import Blocks, RowLayout
from dqlabels.frames.columns import Column, Frame, LabelSet
from dqlabels.frames.hashing import content_hashes
from dqlabels.frames.look_alikes import class_look_alikes
from dqlabels.frames.outputs import with_columns
from dqlabels.frames.sampling import Sample
from dqlabels.models import large
from dqlabels.noise.mixture import RateBasis
from dqlabels.noise.probability import Score
from dqlabels.noise.sample import RowSample, rows_drawn
from dqlabels.progress import ProgressOption
from dqlabels.statistics.arrays import BoolArray, FloatArray, IntArray, NarrowArray, RealArray
from dqlabels.statistics.classes import ClassTally, take
from dqlabels.statistics.scores import ScoreTally

Names = tuple[str, str, str]


class Judge(Protocol):
    """What says how likely the classes of a block's rows are."""

    @property
    def columns(self) -> list[str]:
        """The columns that it reads."""

    @property
    def model(self) -> str:
        """What it is, in words."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the reader should know."""

    def encode(self, block: Frame) -> NDArray[np.float32]:
        """What the rows of a block are judged by (b, d)."""

    def probs(self, encoded: NDArray[np.float32], n_jobs: int | None = None) -> NDArray[np.float32]:
        """Probabilities (b, K) of encoded rows."""


@dataclass(frozen=True, slots=True, eq=False)
class ClassTask:
    """K classes in a table whose ``columns`` may be features; the options say what to learn from and how to flag."""

    labels: LabelSet
    columns: list[str]
    options: Options

    @property
    def label(self) -> str:
        """The label column."""
        return self.labels.values.name

    @property
    def layout(self) -> RowLayout:
        """The class, and K probabilities."""
        return RowLayout(np.int32, len(self.labels.classes))

    @property
    def quotas(self) -> IntArray:
        """(K,) rows to sample of each class."""
        return large.empty_sample(self.labels.rows, self.options.sample_rows, self.options.sizes.large_rows).quotas

    @property
    def strata_rows(self) -> IntArray:
        """(K,) rows of each class."""
        return self.labels.rows

    def read_labels(self, column: Column) -> IntArray:
        """The class positions (b,), -1 where missing."""
        return self.labels.codes(column)

    def strata(self, given: IntArray) -> IntArray:
        """(b,) each class is sampled by its share."""
        return given

    def hashes(self, block: Frame, given: IntArray) -> NDArray[np.uint64]:
        """(b,) of class and features."""
        return content_hashes(block, self.columns, given)

    def learn(self, sample: Sample, n_jobs: int | None, progress: ProgressOption = False) -> FittedClassTask:
        """Fit encoders and model."""
        options = self.options
        fitted = large.learn(
            sample, self.labels, features=options.features, exclude=options.exclude, random_state=options.random_state,
            n_jobs=n_jobs, sizes=options.sizes.halves, progress=progress,
        )  # fmt: skip
        return FittedClassTask(fitted, self.labels, options)


@dataclass(frozen=True, slots=True, eq=False)
class FittedClassTask:
    """A fitted judge, and the rule that flags."""

    fitted: Judge
    labels: LabelSet
    options: Options

    @property
    def columns(self) -> list[str]:
        """The columns that it judges by."""
        return self.fitted.columns

    @property
    def model(self) -> str:
        """What the model is."""
        return self.fitted.model

    @property
    def notes(self) -> tuple[str, ...]:
        """What the reader should know."""
        return self.fitted.notes

    def encode(self, block: Frame, given: IntArray) -> NDArray[np.float32]:
        """What the rows of a block are judged by (b, d)."""
        return self.fitted.encode(block)

    def judge(self, encoded: NDArray[np.float32], n_jobs: int | None) -> NDArray[np.float32]:
        """Probabilities (b, K)."""
        return self.fitted.probs(encoded, n_jobs)

    def first(self) -> ClassTally:
        """Return the empty tally from which the thresholds follow."""
        return ClassTally.empty(len(self.labels.classes))

    @property
    def observe(self) -> Callable[[ClassTally, IntArray, RealArray], None]:
        """Adds the self-confidence of labelled rows."""
        return lambda state, given, outputs: state.update(given, take(outputs, given))

    def rule(self, blocks: Blocks, first: ClassTally) -> ClassRule:
        """The passes of confident learning, then those of the scores."""
        options, k = self.options, len(self.labels.classes)
        judge = found_in_passes(blocks, first, options)
        score = scoring(options, judge.thresholds)
        scores = blocks.reduce(ScorePass.empty, partial(observe_scores, score, judge.likely))
        drawn, probs = blocks.gather(partial(RowSample, rows_drawn(k)), RowSample.update).finish()
        basis = RateBasis(drawn, probs, judge.class_counts, judge.counts, scores.errors / max(scores.rows, 1))
        rule = ScoreRule.of(scores.tally, basis, judge.joint, score, options)
        like = class_look_alikes(self.labels.classes, self.labels.rows)
        spelling = Spelling.of(like, self.labels.rows, MIN_ROWS_PER_CLASS, options)
        return ClassRule(judge, rule, score, scores.tally, self.labels, options.names, like, spelling)


def found_in_passes(
    blocks: Blocks,
    tally: ClassTally,
    options: Options,
    trusted: ClassTally | None = None,
    bars: GradeBars | None = None,
) -> passes.ClassJudge | GradeJudge:
    """Read the rows until the judge of their classes is found, by their order where they have one.

    Args:
        blocks: The rows.
        tally: Sums over all rows, observed while they were judged.
        options: The rule.
        trusted: Tally of trusted rows that gives the thresholds; by default these rows do.
        bars: What trusted rows say of grades, likewise.
    """
    rule = kernel_rule(options)
    if options.task == "ordinal":
        return find_grade_judge(
            blocks, tally, filter_by=rule, least_rows=MIN_ROWS_PER_CLASS, trusted=trusted, bars=bars
        )
    return passes.find_judge(blocks, tally, filter_by=rule, least_rows=MIN_ROWS_PER_CLASS, trusted=trusted)


@dataclass(slots=True, eq=False)
class ScorePass:
    """What one pass observes of the scores: their ``tally``, and how many ``rows`` the model disagrees with."""

    tally: ScoreTally
    errors: int

    @classmethod
    def empty(cls) -> ScorePass:
        """Nothing seen yet."""
        return cls(ScoreTally.empty(), 0)

    @property
    def rows(self) -> int:
        """Rows seen."""
        return int(self.tally.counts.sum())

    def merge(self, other: ScorePass) -> None:
        """Add what ``other`` observed."""
        self.tally.merge(other.tally)
        self.errors += other.errors

    def sums(self) -> IntArray:
        """Return integers that can be added to those of other parts of the table."""
        return np.append(self.tally.sums(), self.errors)

    def add_sums(self, sums: IntArray) -> None:
        """Add the ``sums`` of other parts of the table."""
        self.tally.add_sums(sums[:-1])
        self.errors += int(sums[-1])


def observe_scores(
    score: Score,
    likely: Callable[[RealArray], IntArray | NarrowArray],
    state: ScorePass,
    codes: IntArray,
    probs: RealArray,
) -> None:
    """Add the scores of the labels of a block.

    Args:
        score: Scores labels (b,) by probabilities (b, K).
        likely: What the model takes each row (b,) for.
        state: What has been observed so far.
        codes: (b,) class positions.
        probs: (b, K).
    """
    state.tally.update(score(codes, probs))
    state.errors += int((likely(probs) != codes).sum())


@dataclass(frozen=True, slots=True, eq=False)
class ClassRule:
    """What the passes found: who is flagged, what the scores mean, and the classes that it is about."""

    rule: passes.ClassJudge | GradeJudge
    scores: ScoreRule
    score: Score
    tally: ScoreTally
    labels: LabelSet
    names: Names
    like: dict[int, int]
    spelling: Spelling

    @property
    def notes(self) -> tuple[str, ...]:
        """Which classes look alike, and which are too small to be judged."""
        few = self.rule.frozen & (self.rule.class_counts > 0)
        return tuple(class_notes(self.labels.classes, self.labels.rows, few, self.like, self.spelling))

    def judge(self, codes: IntArray, probs: RealArray) -> tuple[FloatArray, FloatArray, BoolArray, IntArray]:
        """The scores (b,), qualities (b,), flags (b,) and suggested classes (b,) of the labelled rows of a block."""
        units = self.score(codes, probs)
        flagged, likely = self.rule.judge(codes, probs)
        flagged &= units < self.scores.cutoff
        suggested = np.where(flagged, likely, codes)
        flagged, suggested = self.spelling.respell(codes, suggested)
        return units, self.scores.probability.quality(units), flagged, suggested

    def add_columns(self, block: Frame, given: IntArray, outputs: RealArray) -> Frame:
        """The block with quality, suggestion and flag."""
        known = given >= 0
        quality, flag, suggested = np.full(given.size, np.nan), np.zeros(given.size, dtype=bool), given.copy()
        _, quality[known], flag[known], suggested[known] = self.judge(given[known], outputs[known])
        suggested[~known] = self.spelling.meant[outputs[~known].argmax(axis=1)]
        suggestions = self.labels.values[self.labels.places[suggested].tolist()]
        return with_columns(block, self.names, quality, suggestions, flag, known)
