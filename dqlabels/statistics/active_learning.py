"""Which item to label next: those whose consensus another label would change most."""

from __future__ import annotations

import numpy as np

from dqlabels.statistics.arrays import FloatArray, RealArray
from dqlabels.statistics.consensus import CLIP, Crowdlab, best_or, crowdlab, majority
from dqlabels.statistics.votes import Votes, shares

# cleanlab's grid for the temperature, and its floor under a probability.
COARSE = (0.1, 0.2, 0.5, 0.8, 1, 2, 3, 5, 8)
BETWEEN = 4
FLOOR = 1e-30


def activelab_scores(votes: Votes, probs: RealArray, *, compat: str | None = None) -> FloatArray:
    """(N,) in [0, 1], low for items to label (again) next, labelled or not.

    The model's probabilities are calibrated by one temperature; the score is the quality of the consensus,
    averaged with ignorance (1 / K) as if one more average annotator were asked.

    Args:
        votes: N items, at least one with labels of two annotators.
        probs: (N, K) out-of-sample probabilities.
        compat: ``"cleanlab"`` fits the temperature as cleanlab 2.9 does, to labels counted from the first class on
            whatever their classes are.

    Source: Goh & Mueller (2023, arXiv 2301.11856); but for the temperature number for number cleanlab 2.9's
    ``get_active_learning_scores``.
    """
    counts = votes.class_counts()
    if compat == "cleanlab":
        counts = np.take_along_axis(counts, np.argsort(counts == 0, axis=1, kind="stable"), axis=1)
    probs = scaled(probs, temperature(votes, probs, shares(counts)))
    first = majority(votes, probs)
    averaged = crowdlab(votes, probs, first)
    label = np.where(first >= 0, best_or(averaged.posterior, first), -1)
    found = crowdlab(votes, probs, label)
    quality = np.where(label >= 0, found.posterior[np.arange(label.size), np.maximum(label, 0)], probs.max(axis=1))
    return _with_one_more(votes, quality, found)


def _with_one_more(votes: Votes, quality: FloatArray, found: Crowdlab) -> FloatArray:
    weights = np.repeat(found.annotator_weights, votes.n_classes)
    total = np.asarray(votes.matrix @ weights)[votes.pattern] + found.model_weight
    spare = float(found.annotator_weights.mean())
    return np.asarray((quality * total + spare / votes.n_classes) / (total + spare))


def scores_without_model(votes: Votes, posterior: FloatArray, trust: FloatArray) -> FloatArray:
    """(N,) the same where there is no model: ``posterior`` (P, K) by the labels alone, ``trust`` (J,) as weights.

    An item without labels has the score of ignorance, 1 / K.
    """
    quality = posterior.max(axis=1)[votes.pattern]
    return _with_one_more(votes, quality, Crowdlab(posterior, np.maximum(trust, CLIP), 0.0))


def temperature(votes: Votes, probs: RealArray, said: FloatArray) -> float:
    """The temperature at which the model's probabilities best fit the labels' shares (P, K), on cleanlab's grid."""
    labelled = (votes.labels_an_item() > 0)[votes.pattern]
    given = said[votes.pattern][labelled]
    known = probs[labelled]

    def best(grid: FloatArray) -> int:
        return int(np.argmin([-(given * np.log(np.clip(scaled(known, t), FLOOR, None))).sum() for t in grid]))

    coarse = np.array(COARSE, dtype=np.float64)
    at = best(coarse)
    fine = []
    if at < coarse.size - 1:
        fine.append(np.linspace(coarse[at], coarse[at + 1], BETWEEN + 1))
    if at > 0:
        fine.insert(0, np.linspace(coarse[at - 1], coarse[at], BETWEEN, endpoint=False))
    grid = np.concatenate(fine)
    return float(grid[best(grid)])


def scaled(probs: RealArray, temperature: float) -> FloatArray:
    """Probabilities (n, K) to the power of 1 / temperature, rescaled to sum to 1."""
    log = np.log(np.clip(probs, FLOOR, None)) / temperature
    powers = np.exp(log - log.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
