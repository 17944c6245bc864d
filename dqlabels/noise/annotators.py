"""The noise rate from the labels of several annotators on the same items."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from dqlabels.noise.independent_annotators import CHECKED_DRAWS, IndependenceCheck
from dqlabels.noise.rate import NoiseRate, check_confidence, noise_rate, normalise_rows
from dqlabels.noise.resampling import percentile_interval
from dqlabels.noise.true_classes import ByPattern, OneByOne, TrueClasses
from dqlabels.statistics.arrays import FloatArray, IntArray
from dqlabels.statistics.consensus import ibcc, prior_counts, softmax
from dqlabels.statistics.votes import Votes, shares

ASSUMPTION = (
    "Assumes that annotators (or columns) err independently of each other given the true class, and are right more "
    "often than wrong. If they copy from each other, or all fail on the same hard items, more labels are wrong than "
    "this says."
)
WITH_MODEL = " The model's likeliest class, out of sample, counts as one more annotator who errs independently."
OF_TWO = (
    " Two annotators alone do not show who is wrong where they differ, nor what both miss: a few percent of wrong "
    "labels in each class is assumed to be usual, and the interval of each annotator is wide."
)
# Items sampled at random: more add little to a rate, and the chain moves more slowly over them.
MAX_ITEMS = 5000
# Cells (patterns x classes) sampled in all: with few patterns there are many steps, to explore weakly determined rates.
SAMPLED_CELLS = 4_000_000
MIN_STEPS, MAX_STEPS = 200, 1200
# With very many cells, of items or of annotators' matrices, there are fewer steps, as many as take a few seconds.
MOST_CELLS = 40_000_000
FEWEST_STEPS = 100
# Error of the method itself, measured on simulated labels (docs/benchmarks.md); widens the interval at both ends.
METHOD_ERROR = 0.005
# Fewer items than this to a pattern, on average, are drawn one by one.
SHARED = 2
# Independent errors are doubted at p-values up to this: where none of the draws looked at has as many in common.
MIN_P_VALUE = 0.01
# Share of each chain left out as burn-in, and the number of draws kept of the rest.
BURN_IN = 0.25
MAX_DRAWS = 1000
# Pseudo-labels by which each annotator's matrix is pulled towards that of all annotators together.
POOLED_LABELS = 20.0
# Two annotators may both miss a class, and nobody would see it. So the rows of each matrix are pulled towards a single
# probability of being right by this many pseudo-labels; that probability has pseudo-labels of its own, some wrong.
TWO_POOLED = 60.0
TWO_LABELS, TWO_WRONG = 10.0, 0.10


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """R draws from the posterior of the true classes.

    Shares of wrong labels are ``wrong`` (R, J) for each annotator, NaN for one without labels, ``all_wrong`` (R,) for
    all labels, and ``consensus_wrong`` (R,) for the consensus. ``matrices`` (J, K, K) are mean P(label | true class).
    ``joint`` (K, K) is the mean share of labels by true and given class, ``consensus_joint`` (K, K) that of items by
    true and consensus class. ``given`` (J, K) and ``consensus`` (K,) count classes in the whole table;
    ``with_model`` says whether a model took part.

    ``independence`` is the posterior predictive p-value of annotators who err independently, NaN if fewer than three
    leave it untested. ``least`` and ``most`` (J + 2,) are the shares of wrong labels of each annotator, of all labels
    and of the consensus if one of the two commonest labels of each item is right.
    """

    wrong: FloatArray
    all_wrong: FloatArray
    consensus_wrong: FloatArray
    matrices: FloatArray
    joint: FloatArray
    consensus_joint: FloatArray
    given: IntArray
    consensus: IntArray
    with_model: bool
    independence: float
    least: FloatArray
    most: FloatArray


def draw_truth(votes: Votes, label: IntArray, *, model: IntArray | None = None, random_state: int = 0) -> Draws:
    """Sample true classes and annotators' matrices by turns (Gibbs), from the Dawid-Skene model with a prior.

    With three or more annotators, or two and a model, the rate of each is determined by the others. With two alone only
    their mean is, and the draws show it: there is one chain that starts where the first is always right, one where the
    second is, and one in between.

    Args:
        votes: N items, at least one with two labels.
        label: (N,) consensus whose errors are counted, -1 where there is none.
        model: (N,) a model's likeliest class, out of sample, which counts as one more annotator but is not reported.
        random_state: Seed of the draws.

    Source: the model of Dawid & Skene (1979) under Dirichlet priors, sampled as in Kim & Ghahramani (2012). The prior
    of each row has 20 pseudo-labels in the proportions of all annotators' labels; with two annotators, in those of a
    single probability of being right for all classes.
    """
    rng = np.random.default_rng(random_state)
    j, whole = votes.n_annotators, votes if model is None else _with_model(votes, model)
    labelled = np.where((votes.labels_an_item() > 0)[votes.pattern], label, -1)
    consensus_shares, items = _consensus_counts(whole, labelled)
    sample, rows = _sampled(whole, _some_items(items, rng))
    consensus_shares = consensus_shares[rows]
    steps = _steps(items.size * votes.n_classes, j * votes.n_classes**2)
    two = j == 2
    chains = [_chain(sample, start, consensus_shares, steps, rng, j, two=two) for start in _starts(sample, two=two)]
    least, most = _contested(votes, labelled)
    wrong = np.concatenate([chain.wrong for chain in chains])
    consensus_wrong = np.concatenate([chain.consensus_wrong for chain in chains])
    counts = np.mean([chain.counts for chain in chains], axis=0)
    consensus_counts = np.mean([chain.consensus_counts for chain in chains], axis=0)
    number, totals = votes.labels_an_annotator, counts.sum(axis=(1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        by_annotator = np.where(totals > 0, wrong / totals, np.nan)
    everyone = np.nansum(by_annotator * number, axis=1) / number.sum()
    given = np.bincount(votes.who * votes.n_classes + votes.code, minlength=j * votes.n_classes).reshape(j, -1)
    return Draws(
        by_annotator, everyone, consensus_wrong, shares(counts + prior_counts(votes.n_classes)),
        counts.sum(axis=0) / counts.sum(), consensus_counts / consensus_counts.sum(), given,
        np.bincount(labelled[labelled >= 0], minlength=votes.n_classes), with_model=model is not None,
        independence=chains[0].independence, least=least, most=most,
    )  # fmt: skip


def _steps(item_cells: int, matrix_cells: int) -> int:
    """How many steps a chain makes."""
    steps = np.clip(SAMPLED_CELLS // max(1, item_cells), MIN_STEPS, MAX_STEPS)
    return int(max(min(steps, MOST_CELLS // max(1, item_cells, matrix_cells)), FEWEST_STEPS))


def _contested(votes: Votes, label: IntArray) -> tuple[FloatArray, FloatArray]:
    """The least and the most that is wrong if one of the two commonest labels of each item is right.

    Args:
        votes: N items.
        label: (N,) consensus, -1 where there is none.

    Returns:
        Shares (J + 2,) of the labels of each annotator, of all labels and of the consensus.
    """
    counts, number = votes.class_counts(), votes.labels_an_annotator
    rows = np.arange(len(counts))
    first = counts.argmax(axis=1)
    rest = counts.copy()
    rest[rows, first] = 0
    second = np.where(rest.max(axis=1) > 0, rest.argmax(axis=1), first)
    one, other = np.eye(votes.n_classes)[first], np.eye(votes.n_classes)[second]
    shares_wrong = []
    for right in (np.maximum(one, other), other):
        wrong = number - votes.by_annotator(right).sum(axis=1)
        shares_wrong.append(np.append(wrong / np.maximum(number, 1), wrong.sum() / number.sum()))
    known = label >= 0
    differs = float((label != second[votes.pattern])[known].mean())
    return np.append(shares_wrong[0], 0.0), np.append(shares_wrong[1], differs)


def _with_model(votes: Votes, model: IntArray) -> Votes:
    items = np.arange(votes.n_items)
    item = np.concatenate([votes.item, items])
    who = np.concatenate([votes.who, np.full(items.size, votes.n_annotators)])
    code = np.concatenate([votes.code, model])
    return Votes.of(item, who, code, n_items=items.size, n_annotators=votes.n_annotators + 1, n_classes=votes.n_classes)


def _some_items(sizes: IntArray, rng: np.random.Generator) -> IntArray:
    """Draw at most ``MAX_ITEMS`` items from patterns with ``sizes`` (P,) items, and count them by pattern (P,)."""
    if sizes.sum() <= MAX_ITEMS:
        return sizes
    method: Literal["marginals", "count"] = "marginals" if sizes.sum() < 10**9 else "count"
    return np.asarray(rng.multivariate_hypergeometric(sizes, MAX_ITEMS, method=method))


def _sampled(votes: Votes, sizes: IntArray) -> tuple[Votes, IntArray]:
    """The sampled items, ``sizes`` (P,) of each pattern, as votes to draw from, and the pattern of each of its rows.

    Where few items share a pattern each item gets a row of its own: classes are then drawn one by one, which is faster
    than drawing how many items of a pattern are of each class.
    """
    rows = np.flatnonzero(sizes)
    if sizes.sum() < SHARED * rows.size:
        rows = np.repeat(rows, sizes[rows])
        return replace(votes, pattern=np.arange(rows.size), sizes=np.ones_like(rows), matrix=votes.matrix[rows]), rows
    return replace(votes, pattern=np.arange(rows.size), sizes=sizes[rows], matrix=votes.matrix[rows]), rows


def _consensus_counts(votes: Votes, label: IntArray) -> tuple[FloatArray, IntArray]:
    """Shares of the labelled items of each pattern by consensus class (P, K), and their number (P,).

    With a model the items of a pattern may have different consensus classes.
    """
    k = votes.n_classes
    known = label >= 0
    cells = np.bincount(votes.pattern[known] * k + label[known], minlength=votes.sizes.size * k).reshape(-1, k)
    return shares(cells.astype(np.float64)), cells.sum(axis=1)


def _starts(votes: Votes, *, two: bool) -> list[FloatArray]:
    """Probabilities (P, K) to start chains from: with two annotators the middle and both ends of what is possible."""
    middle = ibcc(votes).posterior
    if not two:
        return [middle]
    k = votes.n_classes
    one_sided = []
    for trusted in range(2):
        cells = np.zeros((votes.n_annotators, k, k))
        cells[trusted] = np.eye(k)
        counts = np.asarray(votes.matrix @ cells.transpose(0, 2, 1).reshape(-1, k))
        one_sided.append(np.where(counts.sum(axis=1, keepdims=True) > 0, shares(counts), middle))
    return [middle, *one_sided]


def _two_annotator_prior(counts: FloatArray) -> FloatArray:
    """Pseudo-labels (J, K, K) for two annotators, each with a single probability of being right.

    Unrestricted matrices would explain even labels on which both agree as errors.
    """
    k = counts.shape[1]
    right, total = np.trace(counts, axis1=1, axis2=2), counts.sum(axis=(1, 2))
    wrong = (1 - (right + TWO_LABELS * (1 - TWO_WRONG)) / (total + TWO_LABELS))[:, None, None]
    return np.asarray(TWO_POOLED * (wrong / (k - 1) + (1 - wrong - wrong / (k - 1)) * np.eye(k)))


@dataclass(frozen=True, slots=True, eq=False)
class _Chain:
    """R draws of one chain: wrong labels of each annotator (R, J) and the wrong share of the consensus (R,).

    ``counts`` (J, K, K) are mean labels by true and given class, ``consensus_counts`` (K, K) mean items by true and
    consensus class. ``independence`` is a p-value, NaN if not tested.
    """

    wrong: FloatArray
    consensus_wrong: FloatArray
    counts: FloatArray
    consensus_counts: FloatArray
    independence: float


def _chain(
    votes: Votes,
    start: FloatArray,
    consensus_shares: FloatArray,
    steps: int,
    rng: np.random.Generator,
    j: int,
    *,
    two: bool,
) -> _Chain:
    """Run one chain from the probabilities ``start`` (P, K), and report the first ``j`` annotators."""
    k, few = votes.n_classes, prior_counts(votes.n_classes)
    posterior, skipped, draw = start, int(steps * BURN_IN), _drawing(votes)
    every = max(1, (steps - skipped) // MAX_DRAWS)
    wrong, consensus_wrong, sums, consensus_sums, draws = [], [], np.zeros((j, k, k)), np.zeros((k, k)), 0
    check = IndependenceCheck.of(votes, j, every * max(1, (steps - skipped) // every // CHECKED_DRAWS), rng)
    for step in range(steps):
        true, counts = draw(posterior, rng)
        if step >= skipped and (step - skipped) % every == 0:
            wrong.append((counts.sum(axis=(1, 2)) - np.trace(counts, axis1=1, axis2=2))[:j])
            items = true.by_consensus(consensus_shares)
            consensus_wrong.append(1 - np.trace(items) / items.sum())
            sums, consensus_sums, draws = sums + counts[:j], consensus_sums + items, draws + 1
            if (step - skipped) % check.every == 0:
                check.look(true)
        prior = _two_annotator_prior(counts) if two else POOLED_LABELS * shares(counts.sum(axis=0) + few)
        drawn = rng.standard_gamma(counts + prior)
        matrices = np.maximum(drawn, 1e-300)
        matrices /= matrices.sum(axis=2, keepdims=True)
        class_log = np.log(np.maximum(rng.standard_gamma(true.totals() + 1), 1e-300))
        posterior = softmax(class_log + votes.log_likelihood(np.log(matrices)))
    means = sums / draws, consensus_sums / draws
    return _Chain(np.array(wrong), np.array(consensus_wrong), *means, check.p_value())


def _drawing(votes: Votes) -> Callable[[FloatArray, np.random.Generator], tuple[TrueClasses, FloatArray]]:
    """Return what draws true classes by probabilities (P, K), and labels (J, K, K) by annotator, true, given."""
    j, k, entries = votes.n_annotators, votes.n_classes, votes.matrix.tocoo()
    transposed = votes.matrix.T  # once: making it costs more than the product with it
    who_given, row, often = entries.col.astype(np.int64), entries.row, entries.data

    def one_by_one(posterior: FloatArray, rng: np.random.Generator) -> tuple[TrueClasses, FloatArray]:
        heights = np.cumsum(posterior, axis=1)
        drawn = (heights < rng.random((len(heights), 1)) * heights[:, -1:]).sum(axis=1)
        cells = np.bincount(who_given * k + drawn[row], weights=often, minlength=j * k * k).reshape(j, k, k)
        return OneByOne(drawn, k), cells.transpose(0, 2, 1)

    def by_pattern(posterior: FloatArray, rng: np.random.Generator) -> tuple[TrueClasses, FloatArray]:
        true = rng.multinomial(votes.sizes, posterior).astype(np.float64)
        return ByPattern(true), np.asarray(transposed @ true).reshape(j, k, k).transpose(0, 2, 1)

    return one_by_one if (votes.sizes == 1).all() else by_pattern


def annotators_noise(draws: Draws, *, of: str | int = "labels", confidence: float = 0.90) -> NoiseRate:
    """Summarise draws as a noise rate.

    Args:
        draws: Draws from :func:`draw_truth`.
        of: ``"labels"`` for the share of all labels that is wrong, ``"consensus"`` for that of the consensus, or the
            number of an annotator.
        confidence: Confidence of the interval, in (0, 1).

    Returns:
        A rate whose ``rows`` counts these labels, or the items of the consensus; ``matrix``, ``inverse`` and the rates
        by class are theirs too.

    Raises:
        OptionError: ``confidence`` is outside (0, 1).
    """
    check_confidence(confidence)
    if of == "labels":
        drawn, joint, given, place = draws.all_wrong, draws.joint, draws.given.sum(axis=0), -2
    elif of == "consensus":
        drawn, joint, given, place = draws.consensus_wrong, draws.consensus_joint, draws.consensus, -1
    else:
        drawn, given, place = draws.wrong[:, int(of)], draws.given[int(of)], int(of)
        joint = draws.matrices[int(of)] * draws.joint.sum(axis=1)[:, None]
    estimate = float(drawn.mean())
    low, high = percentile_interval(drawn, estimate, confidence)
    interval = (estimate, max(low - METHOD_ERROR, 0.0), min(high + METHOD_ERROR, 1.0))
    doubted = draws.independence <= MIN_P_VALUE
    if doubted:
        # Shared errors hide each other, so more labels are wrong than drawn; of one annotator fewer may be.
        _, low, high = interval
        low = low if place < 0 else min(low, float(draws.least[place]))
        interval = (estimate, low, max(high, float(draws.most[place])))
    matrix, inverse = normalise_rows(joint), normalise_rows(joint.T)
    assumption = ASSUMPTION + _more_assumed(draws)
    rate = noise_rate(interval, confidence, "annotators", given, matrix, inverse, assumption)
    return replace(rate, supported=False, caution=_caution(rate, draws, one=place >= 0)) if doubted else rate


def _caution(rate: NoiseRate, draws: Draws, *, one: bool) -> str:
    known = (
        f"Between {rate.low:.1%} and {rate.high:.1%} are wrong, and where between"
        if one
        else f"At least {rate.low:.1%} are wrong, and how many more"
    )
    return (
        f"{known} cannot be told from the labels: the annotators err on "
        "the same items more often than they would if they erred independently (posterior predictive p = "
        f"{draws.independence:.2f}). The upper end is what is wrong if, wherever they disagree, the second most common "
        "label is right. Review a sample of items."
    )


def _more_assumed(draws: Draws) -> str:
    if draws.with_model:
        return WITH_MODEL
    return OF_TWO if len(draws.matrices) == 2 else ""
