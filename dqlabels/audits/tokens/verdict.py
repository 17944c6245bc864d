"""Judging tokens as classes, and sentences by their worst token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dqlabels.audits.options import Options
from dqlabels.audits.probabilities import MIN_ROWS_PER_CLASS
from dqlabels.audits.tokens.sentences import Sentences
from dqlabels.audits.verdict import ClassVerdict, confident_learning, plain_scoring, verdict_of
from dqlabels.engines.memory import Pairs
from dqlabels.noise.clusters import Clusters, within_clusters
from dqlabels.noise.rate import NoiseRate
from dqlabels.report.evidence import Evidence
from dqlabels.statistics.arrays import BoolArray, FloatArray, IntArray, RealArray


@dataclass(frozen=True, slots=True, eq=False)
class TokenVerdict:
    """What was found of m tokens, and by how much sentences widen the intervals of their noise rate."""

    tokens: ClassVerdict
    effect: float


def judge_tokens(codes: IntArray, probs: RealArray, sentences: IntArray, options: Options) -> TokenVerdict:
    """Judge the labels of tokens as those of rows, with intervals that allow for tokens being wrong together.

    Args:
        codes: (m,) class positions, none missing.
        probs: (m, K) out-of-sample probabilities.
        sentences: (m,) the sentence of each token.
        options: The rule, the score and what else the caller asks for.
    """
    rows, pairs = np.bincount(codes, minlength=probs.shape[1]), Pairs.to_fill(probs)
    tiny = (rows > 0) & (rows < MIN_ROWS_PER_CLASS)
    found = confident_learning(codes, probs, options, pairs, frozen_classes=tiny if options.compat is None else None)
    errors = found.likely != codes
    clusters = Clusters.of(errors, sentences)

    def widened(rate: NoiseRate) -> NoiseRate:
        return sentences_rate(rate, clusters.effect(rate.estimate), rows)

    independent = 1 / clusters.effect(float(errors.mean()))
    score = plain_scoring(options, found.thresholds)
    verdict = verdict_of(codes, probs, found, score, options, pairs, independent=independent, corrected=widened)
    return TokenVerdict(verdict, clusters.effect(verdict.calibration.rate.estimate))


def sentences_rate(rate: NoiseRate, effect: float, class_tokens: IntArray) -> NoiseRate:
    """Return the noise rate of tokens with the intervals that sentences leave."""
    return within_clusters(rate, effect, class_tokens, "Tokens of one sentence")


def worst_of_each(quality: FloatArray, sentences: IntArray, n_sentences: int) -> FloatArray:
    """Return the lowest quality (n,) of the tokens (m,) of each sentence, NaN for a sentence without judged tokens.

    >>> worst_of_each(np.array([0.9, 0.2, 0.5]), np.array([0, 0, 2]), 3).tolist()
    [0.2, nan, 0.5]
    """
    worst = np.full(n_sentences, np.inf)
    np.minimum.at(worst, sentences, quality)
    worst[np.isinf(worst)] = np.nan
    return worst


def any_of_each(flags: BoolArray, sentences: IntArray, n_sentences: int) -> BoolArray:
    """Return which sentences (n,) have a flagged token among theirs (m,)."""
    return np.asarray(np.bincount(sentences[flags], minlength=n_sentences) > 0)


def corrected(sentences: Sentences, evidence: Evidence) -> list[list[Any] | None]:
    """Return the labels of each sentence with the suggestions for its flagged tokens; None where it has no labels.

    Args:
        sentences: n sentences.
        evidence: What was found of their tokens.
    """
    lists = [None if labels is None else list(labels) for labels in sentences.lists]
    flagged = np.flatnonzero(evidence.flagged)
    tokens, classes = evidence.positions[flagged], evidence.labels.classes
    places = zip(sentences.rows[tokens].tolist(), sentences.positions[tokens].tolist(), strict=True)
    for (row, place), code in zip(places, evidence.suggested[flagged].tolist(), strict=True):
        labels = lists[row]
        if labels is not None:
            labels[place] = classes[code]
    return lists
