"""One label per item out of several: majority, Dawid-Skene, its Bayesian form, and CROWDLAB.

All but the majority give the probability of every class for every item. CROWDLAB weighs the annotators against a model
that saw the features; the others look at the labels alone and work on patterns of labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum

import numpy as np

from dqlabels.statistics.arrays import BoolArray, FloatArray, IntArray, RealArray
from dqlabels.statistics.classes import model_error
from dqlabels.statistics.votes import Votes, shares

METHODS = ("crowdlab", "ibcc", "dawid_skene", "majority")
# EM stops once no probability moves by more than this, or after this many steps.
CONVERGED = 1e-7
MAX_STEPS = 2000
# Pseudo-labels in each row of an annotator's matrix, and the share of them that is right.
PRIOR_LABELS = 2.0
PRIOR_RIGHT = 0.7
MIN_PROBABILITY = 1e-300
# cleanlab's lower bound on errors and weights.
CLIP = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class AnnotatorFit:
    """Estimated true classes and annotators.

    ``posterior`` (P, K) are the probabilities of the true class of each pattern; row k of ``matrices`` (J, K, K) is
    P(label | true class k); ``class_shares`` (K,) are the shares of the true classes.
    """

    posterior: FloatArray
    matrices: FloatArray
    class_shares: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Crowdlab:
    """``posterior`` (N, K): labels and model averaged by ``annotator_weights`` (J,) and ``model_weight``."""

    posterior: FloatArray
    annotator_weights: FloatArray
    model_weight: float


def majority(votes: Votes, probs: RealArray | None = None) -> IntArray:
    """Most common label of each item, shape (N,); -1 where it has none.

    Ties go to the class that is likelier by the model, then to the rarer class, then to the class whose annotators
    agree more often with the majority of the items without a tie, then to the first class.

    Args:
        votes: N items.
        probs: (N, K) out-of-sample probabilities of a model; default no model.

    Source: Goh, Tkachenko & Mueller (2022, arXiv 2210.06812), as in cleanlab 2.9, which draws lots at the end.

    >>> majority(Votes.of_columns(np.array([[0, 1, 1], [0, 0, -1], [-1, -1, -1]]), 2)).tolist()
    [1, 0, -1]
    """
    counts = votes.class_counts()
    tops = counts == counts.max(axis=1, keepdims=True)
    clear = (tops.sum(axis=1) == 1) & (counts.sum(axis=1) > 0)
    trust = _agreement_with(votes, np.where(clear, tops.argmax(axis=1), -1))
    given = np.tile(np.eye(votes.n_classes), (votes.n_annotators, 1)) * np.repeat(trust, votes.n_classes)[:, None]
    trusted = np.asarray(votes.matrix @ given) / np.maximum(counts, 1)
    rarity = np.broadcast_to(-(counts * votes.sizes[:, None]).sum(axis=0), counts.shape)
    # The tie-breakers without the model are the same for a pattern's items.
    if probs is None:
        left = _keep_best(_keep_best(tops, rarity), trusted)
        chosen = left.argmax(axis=1)[votes.pattern]
    else:
        left = _keep_best(tops[votes.pattern], probs)
        left = _keep_best(left, rarity[votes.pattern])
        chosen = _keep_best(left, trusted[votes.pattern]).argmax(axis=1)
    return np.where(counts.sum(axis=1)[votes.pattern] > 0, chosen, -1)


def _keep_best(candidates: BoolArray, scores: RealArray) -> BoolArray:
    eligible = np.where(candidates, scores, -np.inf)
    return np.asarray(candidates & (eligible == eligible.max(axis=1, keepdims=True)))


def _agreement_with(votes: Votes, label: IntArray) -> FloatArray:
    """Share of each annotator's labels that equal the item's ``label`` (P,), shape (J,); items with -1 are left out.

    An annotator without such items gets the mean of the others.
    """
    right = votes.by_annotator(np.eye(votes.n_classes)[label] * (label >= 0)[:, None]).sum(axis=1)
    total = votes.by_annotator(np.repeat((label >= 0)[:, None], votes.n_classes, axis=1)).sum(axis=1)
    return _with_mean(right, total)


def _with_mean(right: FloatArray, total: FloatArray) -> FloatArray:
    known = total > 0
    share = right / np.where(known, total, 1)
    return np.asarray(np.where(known, share, share[known].mean() if known.any() else 1.0))


def dawid_skene(votes: Votes) -> AnnotatorFit:
    """A confusion matrix for each annotator and the class of each item, by maximum likelihood (EM).

    EM starts from the shares of each item's labels. With two annotators the two matrices cannot be told apart; with
    few labels per annotator use :func:`ibcc`, since without a prior a few labels are trusted too much.

    Source: Dawid & Skene (1979), Applied Statistics 28:20-28, equations 2.3 to 2.5.

    >>> votes = Votes.of_columns(np.array([[0, 0, 1], [1, 1, 1], [0, 0, 0]]), 2)
    >>> fit = dawid_skene(votes)
    >>> fit.posterior[votes.pattern].argmax(axis=1).tolist(), fit.matrices[0].round(3).tolist()
    ([0, 1, 0], [[1.0, 0.0], [0.0, 1.0]])
    """
    labelled = _labelled(votes)
    posterior = shares(votes.class_counts(), otherwise=1 / votes.n_classes)
    for _ in range(MAX_STEPS):
        matrices = shares(votes.confusion(posterior))
        class_shares = shares(labelled @ posterior)
        log = np.log(np.maximum(class_shares, MIN_PROBABILITY)) + votes.log_likelihood(
            np.log(np.maximum(matrices, MIN_PROBABILITY))
        )
        updated = softmax(log)
        moved = float(np.abs(updated - posterior).max())
        posterior = updated
        if moved < CONVERGED:
            break
    matrices = shares(votes.confusion(posterior), otherwise=np.nan)
    return AnnotatorFit(posterior, matrices, class_shares)


def ibcc(votes: Votes) -> AnnotatorFit:
    """Dawid-Skene with a prior: independent Bayesian classifier combination, by variational inference.

    Each row of an annotator's matrix has a Dirichlet prior of 2 pseudo-labels, 70% of them right, and the class shares
    one of 1 pseudo-item per class. So an annotator with few labels counts as neither perfect nor useless.

    Source: Kim & Ghahramani (2012), AISTATS; the variational updates of Simpson, Roberts, Psorakis & Smith (2013,
    arXiv 1206.1831).

    >>> votes = Votes.of_columns(np.array([[0, 0, 1], [1, 1, 1], [0, 0, 0]]), 2)
    >>> ibcc(votes).posterior[votes.pattern].argmax(axis=1).tolist()
    [0, 1, 0]
    """
    from scipy.special import digamma

    labelled, prior = _labelled(votes), prior_counts(votes.n_classes)
    posterior = shares(votes.class_counts(), otherwise=1 / votes.n_classes)
    for _ in range(MAX_STEPS):
        counts = votes.confusion(posterior) + prior
        items = labelled @ posterior + 1
        matrices = digamma(counts) - digamma(counts.sum(axis=2, keepdims=True))
        updated = softmax(digamma(items) - digamma(items.sum()) + votes.log_likelihood(matrices))
        moved = float(np.abs(updated - posterior).max())
        posterior = updated
        if moved < CONVERGED:
            break
    return AnnotatorFit(posterior, shares(votes.confusion(posterior) + prior), shares(labelled @ posterior + 1))


def prior_counts(n_classes: int) -> FloatArray:
    """Pseudo-labels of an annotator's matrix, shape (K, K)."""
    prior = np.full((n_classes, n_classes), PRIOR_LABELS * (1 - PRIOR_RIGHT) / (n_classes - 1))
    np.fill_diagonal(prior, PRIOR_LABELS * PRIOR_RIGHT)
    return prior


def _labelled(votes: Votes) -> FloatArray:
    """Number of labelled items of each pattern, shape (P,)."""
    return np.where(votes.labels_an_item() > 0, votes.sizes, 0).astype(np.float64)


def softmax(log: FloatArray) -> FloatArray:
    """Turn rows (m, K) of logarithms into probabilities."""
    values = np.exp(log - log.max(axis=1, keepdims=True))
    return np.asarray(values / values.sum(axis=1, keepdims=True))


def crowdlab(votes: Votes, probs: RealArray, label: IntArray) -> Crowdlab:
    """Average the labels and a model, each weighted by how well it agrees with a consensus.

    An item that nobody labelled gets the model's probabilities.

    Args:
        votes: N items, at least one with labels of two annotators.
        probs: (N, K) out-of-sample probabilities.
        label: (N,) consensus so far, -1 where an item has no label.

    Source: Goh, Tkachenko & Mueller (2022, arXiv 2210.06812); number for number cleanlab 2.9's
    ``get_label_quality_multiannotator``.
    """
    k = votes.n_classes
    counts, number = votes.class_counts()[votes.pattern], votes.labels_an_item()[votes.pattern]
    several, given = number > 1, np.maximum(label, 0)
    agreement = counts[np.arange(label.size), given] / np.maximum(number, 1)
    right = fsum(agreement[several].tolist()) / int(several.sum())  # exact, whatever the order of rows
    commonest = np.bincount(label[several], minlength=k).argmax()
    chance = max(float((label[several] != commonest).mean()), CLIP)
    weights = np.maximum(1 - (1 - agreement_with_others(votes)) / chance, CLIP)
    error = model_error(label[several], probs[several].argmax(axis=1))
    model_weight = max(1 - error / chance, CLIP) * float(np.sqrt(number[number > 0].mean()))
    wrong = (1 - right) / (k - 1)
    likelihood = np.tile(np.full((k, k), wrong) + (right - wrong) * np.eye(k), (votes.n_annotators, 1))
    each = np.repeat(weights, k)
    sums = np.asarray(votes.matrix @ (likelihood * each[:, None]))[votes.pattern]
    total = np.asarray(votes.matrix @ each)[votes.pattern]
    posterior = (probs * model_weight + sums) / (total + model_weight)[:, None]
    return Crowdlab(np.asarray(posterior, dtype=np.float64), weights, model_weight)


def agreement_with_others(votes: Votes) -> FloatArray:
    """Share of the other annotators' labels on the same items that agree with an annotator's labels, shape (J,).

    An annotator who shares no item with another gets the mean of the rest.
    """
    counts, number = votes.class_counts(), votes.labels_an_item()
    same = votes.by_annotator(counts - 1).sum(axis=1)
    others = votes.by_annotator(np.repeat((number - 1)[:, None], votes.n_classes, axis=1)).sum(axis=1)
    return _with_mean(same, others)


def best_or(posterior: FloatArray, otherwise: IntArray) -> IntArray:
    """Likeliest class (N,); where several tie, the one in ``otherwise`` (N,)."""
    best = posterior == posterior.max(axis=1, keepdims=True)
    return np.where(best.sum(axis=1) == 1, best.argmax(axis=1), otherwise)
