"""Confident learning tag by tag: each tag is a question of yes or no."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dqlabels.audits.options import Options
from dqlabels.audits.verdict import ClassVerdict, kernel_rule, plain_scoring, tally_of, verdict_of
from dqlabels.engines.memory import judge
from dqlabels.noise.probability import Calibration
from dqlabels.statistics.arrays import BoolArray, FloatArray, IntArray

# Weight of the next lower quality when a row's are averaged from the best to the worst: cleanlab's default.
WORST_WEIGHS = 0.8
BY_ROW = ("low_normalized_margin", "low_self_confidence")


@dataclass(frozen=True, slots=True, eq=False)
class TagVerdict:
    """``quality`` (n, L) of each tag's presence or absence, NaN where not known; ``flagged`` (n, L).

    ``row_quality`` (n,) NaN where nothing is known, and ``row_flagged`` (n,); ``thresholds`` (L, 2) for no and yes;
    ``calibrations`` (L,) what makes probabilities of the scores of a tag, None where it cannot be judged.
    """

    quality: FloatArray
    flagged: BoolArray
    row_quality: FloatArray
    row_flagged: BoolArray
    thresholds: FloatArray
    calibrations: tuple[Calibration | None, ...] = ()

    @classmethod
    def of(cls, codes: IntArray, found: Sequence[ClassVerdict | None], unjudged: float) -> TagVerdict:
        """Judge a row by the probability that all of its tags are right.

        Tags are taken to be wrong independently of each other.

        Args:
            codes: (n, L) 1 with the tag, 0 without, -1 not known.
            found: (L,) what was found of the rows for which a tag is known, None where it cannot be judged.
            unjudged: The quality of answers that cannot be judged: 1 where they count as right, NaN as not known.
        """
        n, n_tags = codes.shape
        quality, flagged = np.full((n, n_tags), np.nan), np.zeros((n, n_tags), bool)
        thresholds = np.full((n_tags, 2), np.nan)
        for tag, verdict in enumerate(found):
            known = np.flatnonzero(codes[:, tag] >= 0)
            if verdict is None:
                quality[known, tag] = unjudged
                continue
            judgement = verdict.judgement
            quality[known, tag], flagged[known, tag] = judgement.quality, judgement.flagged
            thresholds[tag] = judgement.thresholds
        nothing = np.isnan(quality).all(axis=1)
        row_quality = np.where(nothing, np.nan, np.nanprod(quality, axis=1))
        calibrations = tuple(None if verdict is None else verdict.calibration for verdict in found)
        return cls(quality, flagged, row_quality, np.asarray(flagged.any(axis=1)), thresholds, calibrations)


def likely_wrong_tags(codes: IntArray, probs: FloatArray, options: Options, alike: Container[int] = ()) -> TagVerdict:
    """Judge each tag by itself, and a row by the probability that all of its tags are right.

    Args:
        codes: (n, L) 1 with the tag, 0 without, -1 not known.
        probs: (n, L) out-of-sample probability of each tag; rows need not sum to 1.
        options: The rule, the score and what else the caller asks for.
        alike: Tags that look like one of more rows; they are never said to be missing.

    A tag that all or none of the rows carry is never flagged, and counts as right. Tags are taken to be wrong
    independently of each other.
    """
    verdicts = list[ClassVerdict | None]()
    for tag in range(codes.shape[1]):
        known = np.flatnonzero(codes[:, tag] >= 0)
        given, likely = codes[known, tag], probs[known, tag].astype(np.float64)
        if not 0 < given.sum() < given.size:
            verdicts.append(None)
            continue
        both = np.column_stack([1 - likely, likely])
        found = judge(given, both, filter_by=kernel_rule(options), score=None, n_threads=options.n_jobs)
        verdict = verdict_of(given, both, found, plain_scoring(options, found.thresholds), options)
        verdicts.append(never_missing(verdict, given) if tag in alike else verdict)
    return TagVerdict.of(codes, verdicts, 1.0)


def never_missing(verdict: ClassVerdict, given: IntArray) -> ClassVerdict:
    """Return the verdict on the answers (n,) of one tag, without the flags of rows that do not have it."""
    judgement = verdict.judgement
    flagged = judgement.flagged & (given == 1)
    kept = replace(judgement, flagged=flagged, suggested=np.where(flagged, 1 - given, given))
    return replace(
        verdict, judgement=kept, calibration=replace(verdict.calibration, flagged=tally_of(verdict.units[flagged]))
    )


def judge_tags(
    codes: IntArray,
    probs: FloatArray,
    *,
    filter_by: str = "prune_by_noise_rate",
    score: str = "normalized_margin",
    adjust: bool = False,
    compat: str | None = None,
    n_threads: int | None = None,
) -> TagVerdict:
    """Judge each tag by itself, and a row by all of its tags, in scores and not in probabilities.

    Args:
        codes: (n, L) 1 with the tag, 0 without, -1 not known.
        probs: (n, L) out-of-sample probability of each tag; rows need not sum to 1.
        filter_by: One of ``dqlabels.statistics.classes.FILTERS``.
        score: One of ``dqlabels.SCORES``.
        adjust: As in :func:`dqlabels.audit`.
        compat: ``"cleanlab"`` for cleanlab 2.9's numbers.
        n_threads: Number of threads.

    A tag that all or none of the rows carry is never flagged. A row is flagged where any of its tags is; with
    ``compat="cleanlab"`` the two rules that count rows, ``low_…``, flag the rows of lowest self-confidence.

    Source: the one-against-rest reduction of cleanlab 2.9's ``multilabel_classification``; a row's quality is the
    exponential moving average of Thyagarajan, Snorrason, Northcutt & Mueller (2022, arXiv 2211.13895).

    >>> codes, probs = np.array([[1, 0]] * 9 + [[0, 0]] * 9 + [[0, 1]] * 9), np.array([[.9, .1]] * 9 + [[.1, .1]] * 9
    ...                                                                            + [[.1, .9]] * 8 + [[.9, .9]])
    >>> np.argwhere(judge_tags(codes, probs).flagged).tolist()
    [[26, 0]]
    """
    n, n_tags = codes.shape
    quality, flagged, thresholds = (
        np.full((n, n_tags), np.nan),
        np.zeros((n, n_tags), bool),
        np.full((n_tags, 2), np.nan),
    )
    for tag in range(n_tags):
        known = codes[:, tag] >= 0
        given, likely = codes[known, tag], probs[known, tag].astype(np.float64)
        if not given.size:
            continue
        both = np.column_stack([1 - likely, likely])
        judgement = judge(
            given, both, filter_by=filter_by, score=score, adjust=adjust, compat=compat, n_threads=n_threads
        )
        quality[known, tag], thresholds[tag] = judgement.quality, judgement.thresholds
        flagged[known, tag] = judgement.flagged & (compat is not None or 0 < given.sum() < given.size)
    row_quality = worst_first(quality)
    row_flagged: BoolArray = np.asarray(flagged.any(axis=1))
    if compat == "cleanlab" and filter_by in BY_ROW:
        # cleanlab ranks by the unadjusted self-confidence, whatever score is asked for.
        ranked = judge_tags(
            codes, probs, filter_by="confident_learning", score="self_confidence", compat=compat, n_threads=n_threads
        )
        row_flagged = np.zeros(n, dtype=bool)
        row_flagged[np.argsort(ranked.row_quality)[: int(ranked.row_flagged.sum())]] = True
    return TagVerdict(quality, flagged, row_quality, row_flagged, thresholds)


def worst_first(quality: FloatArray) -> FloatArray:
    """Mean (n,) of each row's qualities (n, L), in which the worst weigh most; NaN where all of them are.

    From the best to the worst, each counts 0.8 and the mean of those before it 0.2.

    >>> worst_first(np.array([[1.0, 0.5], [np.nan, 0.5]])).round(2).tolist()
    [0.6, 0.5]
    """
    falling = -np.sort(np.where(np.isnan(quality), -np.inf, -quality), axis=1)
    mean = np.full(len(quality), np.nan)
    for column in falling.T:
        stepped = np.where(np.isnan(mean), column, WORST_WEIGHS * column + (1 - WORST_WEIGHS) * mean)
        mean = np.where(np.isinf(column), mean, stepped)
    return mean
