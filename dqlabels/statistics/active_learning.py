"""ActiveLab: which items to label next, those whose consensus another label would change most."""

from __future__ import annotations

import numpy as np

from dqlabels.statistics.arrays import FloatArray, RealArray
from dqlabels.statistics.consensus import CLIP, Crowdlab, best_or, crowdlab, majority, softmax
from dqlabels.statistics.votes import Votes, shares

# cleanlab's grid for the temperature, and its floor under a probability.
COARSE = (0.1, 0.2, 0.5, 0.8, 1, 2, 3, 5, 8)
BETWEEN = 4
FLOOR = 1e-30


def activelab_scores(votes: Votes, probs: RealArray, *, compat: str | None = None) -> FloatArray:
    """Score items (N,) in [0, 1], labelled or not; low scores are the ones to label (again) next.

    The model's probabilities are calibrated by one temperature. The score is the quality of the consensus after one
    more label from an average annotator who picks classes at random (1 / K).

    Args:
        votes: N items, at least one with labels of two annotators.
        probs: (N, K) out-of-sample probabilities.
        compat: ``"cleanlab"`` repeats two quirks of cleanlab 2.9: it fits the temperature to label counts that are
            moved to the first classes, and a probability of exactly 0 stays 0 at every temperature it tries.

    Source: Goh & Mueller (2023, arXiv 2301.11856); but for the temperature number for number cleanlab 2.9's
    ``get_active_learning_scores``.
    """
    counts = votes.class_counts()
    if compat == "cleanlab":
        counts = np.take_along_axis(counts, np.argsort(counts == 0, axis=1, kind="stable"), axis=1)
    floor = 0.0 if compat == "cleanlab" else FLOOR
    probs = scaled(probs, temperature(votes, probs, shares(counts), floor))
    first = majority(votes, probs)
    averaged = crowdlab(votes, probs, first)
    label = np.where(first >= 0, best_or(averaged.posterior, first), -1)
    consensus = crowdlab(votes, probs, label)
    of_label = consensus.posterior[np.arange(label.size), np.maximum(label, 0)]
    quality = np.where(label >= 0, of_label, probs.max(axis=1))
    return _with_one_more(votes, quality, consensus)


def _with_one_more(votes: Votes, quality: FloatArray, consensus: Crowdlab) -> FloatArray:
    weights = np.repeat(consensus.annotator_weights, votes.n_classes)
    total = np.asarray(votes.matrix @ weights)[votes.pattern] + consensus.model_weight
    extra = float(consensus.annotator_weights.mean())
    return np.asarray((quality * total + extra / votes.n_classes) / (total + extra))


def scores_without_model(votes: Votes, posterior: FloatArray, trust: FloatArray) -> FloatArray:
    """Score items (N,) as :func:`activelab_scores` does, without a model.

    Args:
        votes: N items.
        posterior: (P, K) probabilities of each pattern's true class.
        trust: (J,) weights of the annotators.

    Returns:
        (N,) scores in [0, 1]; 1 / K for an item without labels.
    """
    quality = posterior.max(axis=1)[votes.pattern]
    return _with_one_more(votes, quality, Crowdlab(posterior, np.maximum(trust, CLIP), 0.0))


def temperature(votes: Votes, probs: RealArray, label_shares: FloatArray, floor: float = FLOOR) -> float:
    """Temperature, on cleanlab's grid, at which the model's probabilities fit the label shares best.

    Args:
        votes: N items.
        probs: (N, K) out-of-sample probabilities.
        label_shares: (P, K) shares of each pattern's labels.
        floor: The least probability that a temperature is tried on; 0 leaves a probability of 0 as it is.
    """
    labelled = (votes.labels_an_item() > 0)[votes.pattern]
    target = label_shares[votes.pattern][labelled]
    known = probs[labelled]

    def best(grid: FloatArray) -> int:
        return int(np.argmin([-(target * np.log(np.clip(scaled(known, t, floor), FLOOR, None))).sum() for t in grid]))

    coarse = np.array(COARSE, dtype=np.float64)
    at = best(coarse)
    fine = []
    if at < coarse.size - 1:
        fine.append(np.linspace(coarse[at], coarse[at + 1], BETWEEN + 1))
    if at > 0:
        fine.insert(0, np.linspace(coarse[at - 1], coarse[at], BETWEEN, endpoint=False))
    grid = np.concatenate(fine)
    return float(grid[best(grid)])


def scaled(probs: RealArray, temperature: float, floor: float = FLOOR) -> FloatArray:
    """Raise probabilities (n, K), none below ``floor``, to the power of 1 / temperature; they sum to 1."""
    with np.errstate(divide="ignore"):
        return softmax(np.log(np.clip(probs, floor, None)) / temperature)
