"""What scores mean: the noise rate, P(wrong) by score, and which rows are flagged, for every kind that has classes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dqlabels.audits.options import Options
from dqlabels.engines.memory import score_rows
from dqlabels.noise.methods import default_rate
from dqlabels.noise.mixture import RateBasis
from dqlabels.noise.probability import (
    Calibration,
    Score,
    WrongProbability,
    flag_rate,
    largest_f1,
    precise_cutoff,
    wrong_probability,
)
from dqlabels.noise.rate import NoiseRate
from dqlabels.noise.sample import RowSample
from dqlabels.statistics.arrays import FloatArray, IntArray, RealArray
from dqlabels.statistics.classes import Judgement, model_error
from dqlabels.statistics.scores import ScoreTally, adjust_probs, score_units


@dataclass(frozen=True, slots=True, eq=False)
class ClassVerdict:
    """What was found of n rows.

    ``judgement`` holds the flags and suggestions, and as its quality P(right), or the score of another library that was
    asked for; ``units`` (n,) are the scores, and ``calibration`` what turns them into probabilities.
    """

    judgement: Judgement
    units: FloatArray
    calibration: Calibration


def verdict_of(codes: IntArray, probs: RealArray, found: Judgement, score: Score, options: Options) -> ClassVerdict:
    """Score the labels of a table in memory, and say what follows from the scores.

    Args:
        codes: (n,) class positions, none missing.
        probs: (n, K) out-of-sample probabilities.
        found: What confident learning finds; its quality is filled in, unless another library's numbers are wanted.
        score: Scores labels (m,) by probabilities (m, K).
        options: The rule and the precision asked for.
    """
    units = score_rows(codes, probs, score, options.n_jobs)
    tally = _tally_of(units)
    basis = RateBasis(
        *RowSample.of(codes, probs).finish(), found.class_counts, found.confident_joint,
        model_error(codes, found.likely),
    )  # fmt: skip
    rule = ScoreRule.of(tally, basis, found.joint, score, options)
    if options.compat is not None:
        return ClassVerdict(found, units, rule.calibration(tally, _tally_of(units[found.flagged])))
    flagged = found.flagged & (units < rule.cutoff)
    suggested = np.where(flagged, found.suggested, codes)
    judgement = replace(found, quality=rule.probability.quality(units), flagged=flagged, suggested=suggested)
    return ClassVerdict(judgement, units, rule.calibration(tally, _tally_of(units[flagged])))


def _tally_of(units: FloatArray) -> ScoreTally:
    tally = ScoreTally.empty()
    tally.update(units)
    return tally


@dataclass(frozen=True, slots=True, eq=False)
class ScoreRule:
    """What the scores of a table mean: P(wrong) by score, and the score below which rows may be flagged."""

    probability: WrongProbability
    cutoff: float
    rate: NoiseRate

    @classmethod
    def of(cls, tally: ScoreTally, basis: RateBasis, joint: FloatArray, score: Score, options: Options) -> ScoreRule:
        """Find the rule of a table, wherever its rows are.

        Args:
            tally: The scores of all rows.
            basis: What the noise rate is read from.
            joint: (K, K) the calibrated confident joint, given x likely.
            score: Scores labels (m,) by probabilities (m, K).
            options: The rule and the precision asked for.
        """
        rate = default_rate(basis, random_state=options.random_state)
        probability = wrong_probability(tally, basis.codes, basis.probs, rate.matrix, rate.estimate, score)
        cutoff = np.inf
        if options.min_precision is not None:
            cutoff = precise_cutoff(probability, tally, options.min_precision)
        elif options.filter_by == "expected_f1":
            chosen = probability.at_rate(flag_rate(rate.estimate, joint, basis.model_error), tally)
            cutoff = largest_f1(chosen, tally)
        return cls(probability, cutoff, rate)

    def calibration(self, tally: ScoreTally, flagged: ScoreTally) -> Calibration:
        """Return what turns the scores of the table into probabilities and expected numbers."""
        return Calibration(self.probability, tally, flagged, self.rate)


def kernel_rule(options: Options) -> str:
    """Return the rule of confident learning that flags; the expected F1 chooses among the rows that disagree."""
    return "predicted_neq_given" if options.filter_by == "expected_f1" else options.filter_by


def plain_scoring(options: Options, thresholds: FloatArray) -> Score:
    """Return what scores labels (m,) by probabilities (m, K), given the thresholds (K,) of the classes."""

    def score(codes: IntArray, probs: RealArray) -> FloatArray:
        return score_units(codes, adjust_probs(probs, thresholds) if options.adjust else probs, options.score)

    return score
