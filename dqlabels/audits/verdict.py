"""What scores mean: the noise rate, P(wrong) by score, and which rows are flagged, for every kind that has classes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from dqlabels.audits.options import Options
from dqlabels.engines.memory import MAX_ROWS_FEW_CLASSES, MemoryEngine, Pairs, judge
from dqlabels.noise.increase import MIN_ROWS
from dqlabels.noise.methods import default_rate
from dqlabels.noise.mixture import RateBasis
from dqlabels.noise.probability import (
    Calibration,
    Score,
    WrongProbability,
    doubtful_cutoff,
    flag_rate,
    largest_f1,
    precise_cutoff,
    wrong_probability,
)
from dqlabels.noise.rate import NoiseRate
from dqlabels.noise.sample import RowSample, hash_pairs, rows_drawn
from dqlabels.statistics.arrays import BoolArray, FloatArray, IntArray, RealArray
from dqlabels.statistics.classes import ClassTally, Judgement, in_units, model_error, replaced_at
from dqlabels.statistics.scores import (
    ScoreTally,
    adjust_probs,
    every_logit_margin,
    margin_of,
    own_and_rival,
    score_units,
)

# What a noise rate that the rows alone give becomes by what is known beside them.
Correction = Callable[[NoiseRate], NoiseRate]


@dataclass(frozen=True, slots=True, eq=False)
class ClassVerdict:
    """What was found of n rows.

    ``judgement`` holds the flags and suggestions, and as its quality P(right), or the score of another library that was
    asked for; ``units`` (n,) are the scores, and ``calibration`` what turns them into probabilities.
    """

    judgement: Judgement
    units: FloatArray
    calibration: Calibration


def confident_learning(
    codes: IntArray,
    probs: RealArray,
    options: Options,
    pairs: Pairs | None = None,
    *,
    frozen_classes: BoolArray | None = None,
    trusted: ClassTally | None = None,
) -> Judgement:
    """Return what confident learning finds in unordered classes.

    Its quality is filled in later, unless another library's numbers are wanted.

    Args:
        codes: (n,) class positions, none missing.
        probs: (n, K) out-of-sample probabilities.
        options: The rule, the score and what else the caller asks for.
        pairs: Filled in on the way, for those who go on with them.
        frozen_classes: (K,) true for classes that are never flagged.
        trusted: Tally of trusted rows that gives the thresholds; by default these rows do.
    """
    return judge(
        codes, probs, filter_by=kernel_rule(options), score=options.score if options.compat else None,
        adjust=options.adjust, compat=options.compat, frozen_classes=frozen_classes, trusted=trusted,
        pairs=pairs, n_threads=options.n_jobs,
    )  # fmt: skip


def verdict_of(
    codes: IntArray,
    probs: RealArray,
    found: Judgement,
    score: Score,
    options: Options,
    pairs: Pairs | None = None,
    shape: WrongProbability | None = None,
    independent: float = 1.0,
    corrected: Correction | None = None,
) -> ClassVerdict:
    """Score the labels of a table in memory, and say what follows from the scores.

    Args:
        codes: (n,) class positions, none missing.
        probs: (n, K) out-of-sample probabilities.
        found: What confident learning finds; its quality is filled in, unless another library's numbers are wanted.
        score: Scores labels (m,) by probabilities (m, K).
        options: The rule and the precision asked for.
        pairs: The probabilities of each row's label and its strongest rival, where they are known.
        shape: P(wrong) by score of a trusted table, which is moved to the noise rate of these rows.
        independent: Share of the rows that count as independent, in (0, 1].
        corrected: What trusted rows make of the noise rate of these.
    """
    scored = _Scored.of(codes, probs, score, pairs, options.n_jobs)
    units, tally = scored.units, scored.tally
    error = model_error(codes, found.likely)
    basis = RateBasis(*scored.sample.finish(), found.class_counts, found.confident_joint, error, independent)
    rule = ScoreRule.of(tally, basis, found.joint, score, options, shape, corrected)
    if options.compat is not None:
        return ClassVerdict(found, units, rule.calibration(tally, tally_of(units[found.flagged])))
    flagged = found.flagged & (units < rule.cutoff)
    suggested = replaced_at(np.flatnonzero(flagged), codes, found.suggested)
    judgement = replace(found, quality=rule.probability.quality(units), flagged=flagged, suggested=suggested)
    return ClassVerdict(judgement, units, rule.calibration(tally, tally_of(units[flagged])))


@dataclass(frozen=True, slots=True, eq=False)
class _Scored:
    """What one pass over the rows finds: their scores (n,), the tally of these, and a sample by content."""

    units: FloatArray
    tally: ScoreTally
    sample: RowSample

    @classmethod
    def of(cls, codes: IntArray, probs: RealArray, score: Score, pairs: Pairs | None, n_threads: int | None) -> _Scored:
        units, hashes = np.empty(codes.size), np.empty(codes.size, dtype=np.uint64)

        def observe(tally: ScoreTally, block: slice) -> None:
            labels, part = codes[block], probs[block]
            if pairs is None:
                own, rival = own_and_rival(labels, part)
            else:
                own, rival = in_units(pairs.own[block]), in_units(pairs.rival[block])
            units[block] = margin_of(own, rival) if score.by_rival else score(labels, part)
            hashes[block] = hash_pairs(own, rival)
            tally.update(units[block])

        engine = MemoryEngine.over_whole_rows(probs, n_threads, None)
        if pairs is not None and score.by_rival:  # the calls are too short for more than one thread
            engine = MemoryEngine(codes.size, MAX_ROWS_FEW_CLASSES, 1)
        tally = engine.reduce(ScoreTally.empty, observe)
        sample = RowSample(rows_drawn(probs.shape[1]))
        sample.draw(hashes, codes, probs)
        return cls(units, tally, sample)


def tally_of(units: FloatArray) -> ScoreTally:
    """Return the tally of scores (n,)."""
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
    def of(
        cls,
        tally: ScoreTally,
        basis: RateBasis,
        joint: FloatArray,
        score: Score,
        options: Options,
        shape: WrongProbability | None = None,
        corrected: Correction | None = None,
    ) -> ScoreRule:
        """Find the rule of a table, wherever its rows are.

        Args:
            tally: The scores of all rows.
            basis: What the noise rate is read from.
            joint: (K, K) the calibrated confident joint, given x likely.
            score: Scores labels (m,) by probabilities (m, K).
            options: The rule and the precision asked for.
            shape: P(wrong) by score of a trusted table, moved to the noise rate of these rows unless they are too few
                to have one; by default it is found from these rows.
            corrected: What trusted rows make of the noise rate of these.
        """
        rate = default_rate(basis) if corrected is None else corrected(default_rate(basis))
        if shape is None:
            probability = wrong_probability(tally, basis.codes, basis.probs, rate.matrix, rate.estimate, score)
        else:
            probability = shape.at_rate(rate.estimate, tally)
        cutoff = np.inf
        if options.min_precision is not None:
            cutoff = precise_cutoff(probability, tally, options.min_precision)
        elif options.filter_by == "expected_f1":
            chosen = probability.at_rate(flag_rate(rate.estimate, joint, basis.model_error), tally)
            cutoff = min(largest_f1(chosen, tally), doubtful_cutoff(probability))
        if shape is not None and int(tally.counts.sum()) < MIN_ROWS:
            probability = shape  # so few rows have no noise rate of their own to move it to
        return cls(probability, cutoff, rate)

    def calibration(self, tally: ScoreTally, flagged: ScoreTally) -> Calibration:
        """Return what turns the scores of the table into probabilities and expected numbers."""
        return Calibration(self.probability, tally, flagged, self.rate)


def kernel_rule(options: Options) -> str:
    """Return the rule of confident learning that flags; the expected F1 chooses among the rows that disagree."""
    return "predicted_neq_given" if options.filter_by == "expected_f1" else options.filter_by


@dataclass(frozen=True, slots=True, eq=False)
class PlainScore:
    """Scores labels of unordered classes by one of ``SCORES``.

    The ``thresholds`` (K,) are subtracted from the probabilities first, where they are not empty.
    """

    name: str
    thresholds: FloatArray

    @property
    def by_rival(self) -> bool:
        """Whether the score follows from the probabilities of the label and of the likeliest other class alone."""
        return self.name == "logit_margin" and not self.thresholds.size

    def __call__(self, codes: IntArray, probs: RealArray) -> FloatArray:
        """Return the scores (m,) of labels (m,) by probabilities (m, K)."""
        return score_units(codes, self._adjusted(probs), self.name)

    def of_every_class(self, probs: RealArray) -> FloatArray:
        """Return the scores (m, K) that each class would have as the label."""
        return every_logit_margin(self._adjusted(probs)) if self.name == "logit_margin" else in_turn(self, probs)

    def _adjusted(self, probs: RealArray) -> RealArray:
        return adjust_probs(probs, self.thresholds) if self.thresholds.size else probs


def plain_scoring(options: Options, thresholds: FloatArray) -> PlainScore:
    """Return what scores labels by probabilities, given the thresholds (K,) of the classes."""
    return PlainScore(options.score, thresholds if options.adjust else np.empty(0))


def in_turn(score: Score, probs: RealArray) -> FloatArray:
    """Return the scores (m, K) that each class would have as the label, one class after the other."""
    return np.column_stack([score(np.full(len(probs), other), probs) for other in range(probs.shape[1])])
