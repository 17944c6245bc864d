"""Judging one class per row, by the order of the classes where they have one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from dqlabels.audits.classes.grades import GradeBars, grade_units, judge_grades
from dqlabels.audits.options import Options
from dqlabels.audits.verdict import (
    ClassVerdict,
    Correction,
    confident_learning,
    in_turn,
    kernel_rule,
    plain_scoring,
    verdict_of,
)
from dqlabels.engines.memory import Pairs
from dqlabels.noise.probability import Score, WrongProbability
from dqlabels.statistics.arrays import BoolArray, FloatArray, IntArray, RealArray
from dqlabels.statistics.classes import ClassTally


def judge_classes(
    codes: IntArray,
    probs: RealArray,
    options: Options,
    *,
    frozen_classes: BoolArray | None = None,
    trusted: ClassTally | None = None,
    bars: GradeBars | None = None,
    shape: WrongProbability | None = None,
    independent: float = 1.0,
    corrected: Correction | None = None,
) -> ClassVerdict:
    """Judge the labels of a table in memory.

    Args:
        codes: (n,) class positions, none missing.
        probs: (n, K) out-of-sample probabilities.
        options: The rule, the score and what else the caller asks for.
        frozen_classes: (K,) true for classes that are never flagged.
        trusted: Tally of trusted rows that gives the thresholds; by default these rows do.
        bars: What trusted rows say of grades, likewise.
        shape: P(wrong) by score of the trusted rows; by default it is found from these rows.
        independent: Share of the rows that count as independent of each other, in (0, 1].
        corrected: What trusted rows make of the noise rate of these.
    """
    pairs = None if options.task == "ordinal" else Pairs.to_fill(probs)
    if options.task == "ordinal":
        found = judge_grades(
            codes, probs, filter_by=kernel_rule(options), frozen_classes=frozen_classes, trusted=bars,
            n_threads=options.n_jobs,
        )  # fmt: skip
    else:
        found = confident_learning(codes, probs, options, pairs, frozen_classes=frozen_classes, trusted=trusted)
    score = scoring(options, found.thresholds)
    return verdict_of(codes, probs, found, score, options, pairs, shape, independent, corrected)


@dataclass(frozen=True, slots=True, eq=False)
class GradeScore:
    """Scores grades by one of ``GRADE_SCORES``."""

    name: str
    by_rival: ClassVar[bool] = False

    def __call__(self, codes: IntArray, probs: RealArray) -> FloatArray:
        """Return the scores (m,) of grades (m,) by probabilities (m, K)."""
        return grade_units(codes, probs, self.name)

    def of_every_class(self, probs: RealArray) -> FloatArray:
        """Return the scores (m, K) that each grade would have as the label."""
        return in_turn(self, probs)


def scoring(options: Options, thresholds: FloatArray) -> Score:
    """Return what scores labels (m,) by probabilities (m, K), given the thresholds (K,) of the classes."""
    if options.task == "ordinal":
        return GradeScore(options.score)
    return plain_scoring(options, thresholds)
