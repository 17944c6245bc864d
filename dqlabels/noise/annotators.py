"""How many of the labels are wrong, by what several annotators said of the same items."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from dqlabels.noise.rate import NoiseRate, check_confidence, noise_rate
from dqlabels.statistics.arrays import FloatArray, IntArray
from dqlabels.statistics.consensus import ibcc, prior_counts, softmax
from dqlabels.statistics.votes import Votes, shares

WITH_MODEL = " The model's likeliest class, out of sample, counts as one more annotator that errs independently."
OF_TWO = (
    " Two annotators alone do not show whose labels are wrong where they differ, nor what both miss: a few percent "
    "wrong in each class is taken to be the rule, and the interval of each annotator is wide."
)
# More items say little more about a rate, and a chain over them moves more slowly; drawn at random, seeded.
MAX_ITEMS = 5000
# Cells (patterns x classes) sampled in all: few patterns take many steps, so that weakly determined rates are explored.
SAMPLED_CELLS = 4_000_000
MIN_STEPS, MAX_STEPS = 200, 1200
# Error of the method itself, measured on simulated labels (docs/benchmarks.md); widens the interval at both ends.
METHOD_ERROR = 0.005
# Of each chain, left out as the way from its start.
BURN_IN = 0.25
KEPT = 1000
# How strongly a matrix is drawn towards that of all annotators together, in labels.
POOLED_LABELS = 20.0
# Two annotators can both miss a class unseen: the rows of each matrix are drawn towards one chance to be right, with
# so many labels; that chance has pseudo-labels of its own, of which a share is wrong.
TWO_POOLED = 60.0
TWO_LABELS, TWO_WRONG = 10.0, 0.10


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """R draws from the posterior of what is true: wrong labels and true classes.

    ``wrong`` (R, J) shares of each annotator's labels that are wrong, NaN where one has none; ``all_wrong`` (R,) of all
    labels; ``consensus_wrong`` (R,) of the items; ``matrices`` (J, K, K) mean P(label | true); ``joint`` (K, K) mean
    share of labels by true and given class, ``consensus_joint`` (K, K) of items by true and consensus class; ``given``
    (J, K) and ``consensus`` (K,) count classes in the whole table; ``judged`` where a model took part.
    """

    wrong: FloatArray
    all_wrong: FloatArray
    consensus_wrong: FloatArray
    matrices: FloatArray
    joint: FloatArray
    consensus_joint: FloatArray
    given: IntArray
    consensus: IntArray
    judged: bool


def draw_truth(votes: Votes, label: IntArray, *, model: IntArray | None = None, random_state: int = 0) -> Draws:
    """Sample true classes and annotators' matrices in turn (Gibbs), from the Dawid-Skene model with a prior.

    With three annotators or more, or two and a model, each one's rate is determined by the others; with two only
    their mean is, and the draws say so: chains begin where the first is right, where the second is, and between.

    Args:
        votes: N items, at least one with two labels.
        label: (N,) the consensus whose errors are counted, -1 where there is none.
        model: (N,) a model's likeliest class, out of sample: one more annotator, of whom nothing is reported.
        random_state: Seeds the draws.

    Source: the model of Dawid & Skene (1979) under Dirichlet priors, sampled as in Kim & Ghahramani (2012). Each
    row's prior is 20 pseudo-labels spread as all annotators' labels of that class are; with two annotators
    as one chance to be right, the same for all classes, has it.
    """
    rng = np.random.default_rng(random_state)
    j, whole = votes.n_annotators, votes if model is None else _with_model(votes, model)
    labelled = np.where((votes.labels_an_item() > 0)[votes.pattern], label, -1)
    agreed, items = _consensus_counts(whole, labelled)
    sample = replace(whole, sizes=_some_items(items, rng))
    steps = int(np.clip(SAMPLED_CELLS // max(1, items.size * votes.n_classes), MIN_STEPS, MAX_STEPS))
    two = j == 2
    chains = [_chain(sample, start, agreed, steps, rng, j, two=two) for start in _starts(sample, two=two)]
    wrong, consensus_wrong = (np.concatenate([chain[at] for chain in chains]) for at in (0, 1))
    counts, settled = (np.mean([chain[at] for chain in chains], axis=0) for at in (2, 3))
    number, totals = votes.labels_an_annotator, counts.sum(axis=(1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        by_annotator = np.where(totals > 0, wrong / totals, np.nan)
    everyone = np.nansum(by_annotator * number, axis=1) / number.sum()
    given = np.bincount(votes.who * votes.n_classes + votes.code, minlength=j * votes.n_classes).reshape(j, -1)
    return Draws(
        by_annotator, everyone, consensus_wrong, shares(counts + prior_counts(votes.n_classes)),
        counts.sum(axis=0) / counts.sum(), settled / settled.sum(), given,
        np.bincount(labelled[labelled >= 0], minlength=votes.n_classes), judged=model is not None,
    )  # fmt: skip


def _with_model(votes: Votes, model: IntArray) -> Votes:
    items = np.arange(votes.n_items)
    item, who, code = (
        np.concatenate(both)
        for both in (
            (votes.item, items), (votes.who, np.full(items.size, votes.n_annotators)), (votes.code, model),
        )
    )  # fmt: skip
    return Votes.of(item, who, code, n_items=items.size, n_annotators=votes.n_annotators + 1, n_classes=votes.n_classes)


def _some_items(sizes: IntArray, rng: np.random.Generator) -> IntArray:
    """(P,) items taken of each pattern, of ``sizes`` (P,) with labels."""
    if sizes.sum() <= MAX_ITEMS:
        return sizes
    method: Literal["marginals", "count"] = "marginals" if sizes.sum() < 10**9 else "count"
    return np.asarray(rng.multivariate_hypergeometric(sizes, MAX_ITEMS, method=method))


def _consensus_counts(votes: Votes, label: IntArray) -> tuple[FloatArray, IntArray]:
    """(P, K) shares of a pattern's labelled items by consensus, which a model can part, and (P,) how many they are."""
    k = votes.n_classes
    known = label >= 0
    cells = np.bincount(votes.pattern[known] * k + label[known], minlength=votes.sizes.size * k).reshape(-1, k)
    return shares(cells.astype(np.float64)), cells.sum(axis=1)


def _starts(votes: Votes, *, two: bool) -> list[FloatArray]:
    """(P, K) probabilities to begin chains from; the ends of what two annotators leave open, and the middle."""
    middle = ibcc(votes).posterior
    if not two:
        return [middle]
    k = votes.n_classes
    one_sided = []
    for trusted in range(2):
        cells = np.zeros((votes.n_annotators, k, k))
        cells[trusted] = np.eye(k)
        said = np.asarray(votes.matrix @ cells.transpose(0, 2, 1).reshape(-1, k))
        one_sided.append(np.where(said.sum(axis=1, keepdims=True) > 0, shares(said), middle))
    return [middle, *one_sided]


def _of_two(counts: FloatArray) -> FloatArray:
    """(J, K, K) pseudo-labels where two annotators cannot check each other: for each one chance to be right.

    Free matrices would explain even what both agree on as errors.
    """
    k = counts.shape[1]
    right, total = np.trace(counts, axis1=1, axis2=2), counts.sum(axis=(1, 2))
    wrong = (1 - (right + TWO_LABELS * (1 - TWO_WRONG)) / (total + TWO_LABELS))[:, None, None]
    return np.asarray(TWO_POOLED * (wrong / (k - 1) + (1 - wrong - wrong / (k - 1)) * np.eye(k)))


def _chain(
    votes: Votes, start: FloatArray, agreed: FloatArray, steps: int, rng: np.random.Generator, j: int, *, two: bool
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Of the first j annotators wrong labels (R, j) and mean counts (j, K, K); of the consensus its wrong share (R,).

    In this order: wrong labels, wrong share, mean counts, and mean items (K, K) by true and consensus class.
    """
    k, few = votes.n_classes, prior_counts(votes.n_classes)
    posterior, skipped = start, int(steps * BURN_IN)
    every = max(1, (steps - skipped) // KEPT)
    wrong, off, mean, settled, kept = [], [], np.zeros((j, k, k)), np.zeros((k, k)), 0
    for step in range(steps):
        true = rng.multinomial(votes.sizes, posterior).astype(np.float64)
        cells = np.asarray(votes.matrix.T @ true).reshape(votes.n_annotators, k, k)
        counts = cells.transpose(0, 2, 1)  # by annotator, true, given
        if step >= skipped and (step - skipped) % every == 0:
            wrong.append((counts.sum(axis=(1, 2)) - np.trace(counts, axis1=1, axis2=2))[:j])
            cells_of_items = true.T @ agreed
            off.append(1 - np.trace(cells_of_items) / cells_of_items.sum())
            mean, settled, kept = mean + counts[:j], settled + cells_of_items, kept + 1
        prior = _of_two(counts) if two else POOLED_LABELS * shares(counts.sum(axis=0) + few)
        drawn = rng.standard_gamma(counts + prior)
        log = np.log(np.maximum(drawn, 1e-300)) - np.log(np.maximum(drawn.sum(axis=2, keepdims=True), 1e-300))
        class_log = np.log(np.maximum(rng.standard_gamma(true.sum(axis=0) + 1), 1e-300))
        posterior = softmax(class_log + votes.log_likelihood(log))
    return np.array(wrong), np.array(off), mean / kept, settled / kept


def annotators_noise(draws: Draws, *, of: str | int = "labels", confidence: float = 0.90) -> NoiseRate:
    """The share of wrong labels as a noise rate: of all labels, of the consensus, or of annotator number ``of``.

    ``rows`` counts the labels, or the items of the consensus, that it is a share of; ``matrix``, ``inverse`` and the
    rates by class are those of the same labels.

    Raises:
        OptionError: ``confidence`` is outside (0, 1).
    """
    check_confidence(confidence)
    if of == "labels":
        drawn, joint, given = draws.all_wrong, draws.joint, draws.given.sum(axis=0)
    elif of == "consensus":
        drawn, joint, given = draws.consensus_wrong, draws.consensus_joint, draws.consensus
    else:
        drawn, given = draws.wrong[:, int(of)], draws.given[int(of)]
        joint = draws.matrices[int(of)] * draws.joint.sum(axis=1)[:, None]
    tail = (1 - confidence) / 2
    estimate = float(drawn.mean())
    low, high = (float(value) for value in np.quantile(drawn, [tail, 1 - tail]))
    interval = (estimate, max(min(low, estimate) - METHOD_ERROR, 0.0), min(max(high, estimate) + METHOD_ERROR, 1.0))
    matrix, inverse = (_sure_rows(cells) for cells in (joint, joint.T))
    rate = noise_rate(interval, confidence, "annotators", given, matrix, inverse)
    return replace(rate, assumption=rate.assumption + _more_assumed(draws))


def _more_assumed(draws: Draws) -> str:
    if draws.judged:
        return WITH_MODEL
    return OF_TWO if len(draws.matrices) == 2 else ""


def _sure_rows(cells: FloatArray) -> FloatArray:
    """Rows as shares; a class that nothing is known of is taken to be labelled right."""
    return np.where(cells.sum(axis=1, keepdims=True) > 0, shares(cells), np.eye(len(cells)))
