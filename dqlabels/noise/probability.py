"""The probability that a label is wrong, from its score.

For a row with score s, P(wrong | s) = rate × f1(s) / f(s): f is the density of the scores of all rows, f1 that of wrong
labels. No wrong label has to be known for that. Each row is given other labels, as the noise matrix says they occur,
and these are scored on the same out-of-sample probabilities, which costs no fit. Both densities are counts of whole
numbers, so every engine finds the same probabilities.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dqlabels.noise.rate import NoiseRate
from dqlabels.statistics.arrays import BoolArray, FloatArray, IntArray, RealArray
from dqlabels.statistics.classes import PRUNE_RULES, in_cache
from dqlabels.statistics.scores import MAX_BIN, N_BINS, OFFSET_BITS, SCORE_UNIT, ScoreTally, bins_of, places_of

# Groups of rows hold at least so many, and at least this share of the rows that are worse.
MIN_GROUP_ROWS = 10
GROUP_SHARE = 0.05
# Rows whose scores are a factor of two apart and more are not of one group.
GAP_BINS = SCORE_UNIT >> OFFSET_BITS
# No group is surer than this, since the worst rows of a small table say little.
MAX_WRONG = 0.98
MIN_WRONG = 1e-7
# Beyond the groups at either end the log-odds go on with this slope per factor of two, and everywhere they fall by at
# least the second, so that no two scores give the same probability.
END_SLOPE = 0.25
LEAST_SLOPE = 1e-3
# Times that the rows are weighted by how likely their labels are right before they stand for right ones.
ROUNDS = 2
# Weights of the drawn labels become whole numbers of these.
WEIGHT_UNIT = 2**20
# A rate of 0 would leave all rows alike; half a row is less than anything that can be estimated.
MIN_ROWS_WRONG = 0.5
# Numbers of wrong labels that differ by less than this share are the same.
SAME = 1e-9
# Scores at the edges of the bins, in factors of two.
EDGES = ((np.arange(N_BINS + 1) - MAX_BIN) << OFFSET_BITS) / SCORE_UNIT
# Standard deviations of the prior on what a review changes: of the logarithm of the slope, and of the shift.
SLOPE_SPREAD, SHIFT_SPREAD = 0.5, 3.0

# No label is flagged by default that is less likely wrong than this: without it tables that are only hard had a third
# of their rows flagged (docs/benchmarks.md).
MIN_DOUBT = 0.1

# Rules that flag rows: by default the set of worst rows whose expected F1 is largest.
FILTERS = ("expected_f1", *PRUNE_RULES)

# Bounds of a shift of the log-odds. A step of Newton's method that moves it by less than this is the last one.
SHIFTS = (-60.0, 60.0)
SAME_SHIFT = 1e-9
MAX_STEPS = 100
TINY = 1e-300
BLOCK_ROWS = 16_384


class Score(Protocol):
    """Scores labels by the probabilities of their rows, in whole units."""

    @property
    def by_rival(self) -> bool:
        """Whether the score is the logit margin of the probabilities as they are."""

    def __call__(self, codes: IntArray, probs: RealArray) -> FloatArray:
        """Return the scores (m,) of labels (m,) by probabilities (m, K)."""

    def of_every_class(self, probs: RealArray) -> FloatArray:
        """Return the scores (m, K) that each class would have as the label."""


@dataclass(frozen=True, slots=True, eq=False)
class WrongProbability:
    """P(wrong) by score: ``edges`` (bins + 1,) are its falling values at the edges of the bins, linear between them.

    They follow from ``nodes`` (m, 2), scores in factors of two with their log-odds: linear between these, and falling
    beyond. The sum over the rows that it was made from is their noise rate times their number.
    """

    nodes: FloatArray
    edges: FloatArray

    @classmethod
    def of(cls, nodes: FloatArray) -> WrongProbability:
        """Return the probabilities that follow from the nodes (m, 2), their scores rising."""
        return cls(nodes, _shares(_between(nodes, EDGES)))

    def wrong(self, units: FloatArray) -> FloatArray:
        """Return P(wrong) of labels with these scores (m,), in whole units."""
        return self._wrong(units, np.diff(self.edges))

    def _wrong(self, units: FloatArray, slopes: FloatArray) -> FloatArray:
        places, offsets = bins_of(units)
        wrong = _inside(offsets)
        wrong *= slopes.take(places)
        wrong += self.edges.take(places)
        return wrong

    def quality(self, units: FloatArray) -> FloatArray:
        """Return P(right) of labels with these scores (m,), in [0, 1], strictly rising with the score."""
        quality, slopes = np.empty(units.size), np.diff(self.edges)
        for start in range(0, units.size, BLOCK_ROWS):  # small enough to stay in cache
            block = slice(start, start + BLOCK_ROWS)
            np.subtract(1, self._wrong(units[block], slopes), out=quality[block])
        return quality

    def expected(self, tally: ScoreTally) -> float:
        """Return how many of the rows of a tally are expected to be wrong."""
        return float(self.by_bin(tally).sum())

    def by_bin(self, tally: ScoreTally) -> FloatArray:
        """Return how many of the rows in each bin are expected to be wrong."""
        return np.asarray(tally.counts * self.edges[:-1] + np.diff(self.edges) * _inside(tally.offsets))

    def at_rate(self, rate: float, tally: ScoreTally) -> WrongProbability:
        """Return the same judgement under another noise rate: all log-odds move by one number."""
        wanted = rate * float(tally.counts.sum())
        if abs(self.expected(tally) - wanted) <= SAME * wanted:
            return self
        return _moved(self.nodes, rate, tally)

    def stretched(self, slope: float) -> WrongProbability:
        """Return the probabilities whose log-odds at the nodes are so many times as large."""
        return WrongProbability.of(self.nodes * np.array([1.0, slope]))


def _inside(offsets: IntArray) -> FloatArray:
    return np.asarray(offsets / (1 << OFFSET_BITS))


def wrong_probability(
    tally: ScoreTally, codes: IntArray, probs: RealArray, matrix: FloatArray, rate: float, score: Score
) -> WrongProbability:
    """Find P(wrong) by score.

    Args:
        tally: The scores of all n rows.
        codes: (m,) class positions of a sample of the rows, drawn by content.
        probs: (m, K) their out-of-sample probabilities.
        matrix: (K, K) P(given label | true class).
        rate: The noise rate, in [0, 1].
        score: Scores labels (m,) by probabilities (m, K).

    Source: the two-groups model of Efron (2004, 2008), with the density of the non-null group found by giving the rows
    other labels; monotone by pooling adjacent violators (Ayer et al. 1955), which is ours to interpolate.
    """
    bins = _other_bins(codes, probs, score)
    own, right = score(codes, probs), np.ones(codes.size)
    found = _by_ratio(tally, _wrong_counts(bins, codes, matrix, right), rate)
    for _ in range(ROUNDS - 1):
        found = _by_ratio(tally, _wrong_counts(bins, codes, matrix, found.quality(own)), rate)
    return found


def by_scores(tally: ScoreTally, drawn: ScoreTally, rate: float) -> WrongProbability:
    """Find P(wrong) by score where what wrong labels score is known.

    Args:
        tally: The scores of all rows.
        drawn: Scores of labels that are wrong.
        rate: The noise rate, in [0, 1].
    """
    return _by_ratio(tally, drawn.counts, rate)


def _other_bins(codes: IntArray, probs: RealArray, score: Score) -> IntArray:
    """Bins (m, K) of the scores that each class would get as the label of a row; N_BINS for the label that it has."""
    bins = np.empty(probs.shape, dtype=np.int64)
    for part in in_cache(probs):
        bins[part] = places_of(score.of_every_class(probs[part]))
    bins[np.arange(codes.size), codes] = N_BINS
    return bins


def _wrong_counts(bins: IntArray, codes: IntArray, matrix: FloatArray, right: FloatArray) -> IntArray:
    """Wrong labels in each bin: each row gives its other classes as often as the matrix (K, K) says."""
    scaled, counts = WEIGHT_UNIT * matrix, np.zeros(N_BINS + 1)
    for part in in_cache(matrix, codes.size):
        weights = scaled.take(codes[part], axis=0)
        weights *= right[part, None]
        np.rint(weights, out=weights)
        # Sums of whole numbers are exact, whatever the parts.
        counts += np.bincount(bins[part].ravel(), weights=weights.ravel(), minlength=N_BINS + 1)
    return np.asarray(counts[:N_BINS].astype(np.int64))


def _by_ratio(tally: ScoreTally, wrong: IntArray, rate: float) -> WrongProbability:
    rows, drawn = int(tally.counts.sum()), int(wrong.sum())
    starts = _groups(tally.counts)
    counts = np.add.reduceat(tally.counts, starts)
    expected = np.add.reduceat(wrong, starts) * (max(rate * rows, MIN_ROWS_WRONG) / max(drawn, 1))
    lower = (np.arange(N_BINS) - MAX_BIN) << OFFSET_BITS
    centres = np.add.reduceat(tally.counts * lower + tally.offsets, starts) / np.maximum(counts, 1)
    scores, shares = _pool_violators(counts.astype(np.float64), expected, centres)
    nodes = np.column_stack([scores / SCORE_UNIT, _log_odds(shares.clip(MIN_WRONG, MAX_WRONG))])
    return _moved(nodes, rate, tally)


def _groups(counts: IntArray) -> IntArray:
    """First bin of each group, worst first: groups grow with the rows before them, and end at gaps between scores."""
    total, before, ends = int(counts.sum()), 0.0, []
    while before + 2 * MIN_GROUP_ROWS <= total:
        before += max(MIN_GROUP_ROWS, GROUP_SHARE * before)
        ends.append(before)
    starts = np.searchsorted(counts.cumsum(), np.array(ends[:-1])) + 1
    filled = np.flatnonzero(counts)
    wide = np.flatnonzero(np.diff(filled) > GAP_BINS)
    middles = (filled[wide] + filled[wide + 1]) // 2
    return np.unique(np.concatenate([[0], starts[starts < counts.size], middles])).astype(np.int64)


def _pool_violators(counts: FloatArray, expected: FloatArray, centres: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Centre and share of wrong labels of each group, once groups are pooled until the shares fall."""
    pooled: list[tuple[float, float, float]] = []  # rows, wrong, centre times rows
    for group in zip(counts.tolist(), expected.tolist(), (centres * counts).tolist(), strict=True):
        pooled.append(group)
        while len(pooled) > 1 and pooled[-1][1] * pooled[-2][0] >= pooled[-2][1] * pooled[-1][0]:
            last, before = pooled.pop(), pooled.pop()
            pooled.append((last[0] + before[0], last[1] + before[1], last[2] + before[2]))
    table = np.array([group for group in pooled if group[0] > 0])
    return table[:, 2] / table[:, 0], table[:, 1] / table[:, 0]


def _between(nodes: FloatArray, edges: FloatArray) -> FloatArray:
    """Log-odds at the ``edges`` (bins + 1,): linear between the nodes, falling with a slope of their own beyond."""
    inner = np.interp(edges, nodes[:, 0], nodes[:, 1])
    beyond = np.maximum(nodes[0, 0] - edges, 0) - np.maximum(edges - nodes[-1, 0], 0)
    return np.asarray(inner + END_SLOPE * beyond - LEAST_SLOPE * edges)


def _moved(nodes: FloatArray, rate: float, tally: ScoreTally) -> WrongProbability:
    """Shift the log-odds until the rows of a tally are expected to hold ``rate`` times their number of wrong labels."""
    wanted = max(rate * float(tally.counts.sum()), MIN_ROWS_WRONG)
    shift = _shift(_between(nodes, EDGES), _edge_rows(tally), wanted)
    return WrongProbability.of(nodes + np.array([0.0, shift]))


def _edge_rows(tally: ScoreTally) -> FloatArray:
    """Rows (bins + 1,) by edge: each counts for the two edges of its bin, the more the nearer it lies."""
    upper = _inside(tally.offsets)
    rows = np.append(tally.counts - upper, 0.0)
    rows[1:] += upper
    return rows


def _shift(log_odds: FloatArray, rows: FloatArray, wanted: float) -> float:
    """The number that moves log-odds (b,) so far that the ``rows`` (b,) with them are expected to hold ``wanted``.

    Newton's method on the log-odds of the sum, which are nearly a straight line; bisection where a step leaves the
    bracket.
    """
    held = np.flatnonzero(rows)
    log_odds, rows = log_odds[held], rows[held]
    total, (low, high), at = float(rows.sum()), SHIFTS, 0.0
    if wanted >= total:
        return high
    goal = np.log(wanted) - np.log(total - wanted)
    for _ in range(MAX_STEPS):
        shares = _shares(log_odds + at)
        right = rows * (1 - shares)
        n_right, n_wrong = float(right.sum()), float((rows * shares).sum())
        low, high = (at, high) if n_wrong < wanted else (low, at)
        slope = float((right * shares).sum()) * total / max(n_right * n_wrong, TINY)
        step = (goal - np.log(max(n_wrong, TINY)) + np.log(max(n_right, TINY))) / max(slope, TINY)
        if abs(step) <= SAME_SHIFT:
            return float(at + step)
        at = float(at + step) if low < at + step < high else (low + high) / 2
    return at


def _shares(log_odds: FloatArray) -> FloatArray:
    return np.asarray(1 / (1 + np.exp(-log_odds)))


def _log_odds(shares: FloatArray) -> FloatArray:
    return np.asarray(np.log(shares) - np.log1p(-shares))


def wrong_at(wrong: FloatArray, rate: float) -> FloatArray:
    """Return P(wrong) of labels (n,) under another noise rate: all log-odds move by one number.

    >>> wrong_at(np.array([0.5, 0.1, 0.1]), 0.5).round(2).tolist()
    [0.82, 0.34, 0.34]
    """
    log_odds = _log_odds(wrong.clip(MIN_WRONG, 1 - MIN_WRONG))
    return _shares(log_odds + _shift(log_odds, np.ones(wrong.size), max(rate * wrong.size, MIN_ROWS_WRONG)))


def with_chance(
    estimate: FloatArray, low: FloatArray, high: FloatArray, rows: IntArray, confidence: float
) -> tuple[FloatArray, FloatArray]:
    """Return the ends of the interval of numbers of wrong labels, by that of their rate and by chance.

    Args:
        estimate: (m,) wrong labels to expect.
        low: (m,) the same by the low end of the rate's interval.
        high: (m,) by its high end.
        rows: (m,) how many rows they are of.
        confidence: That of the interval.
    """
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    below, above = (z * np.sqrt(one * np.maximum(1 - one / np.maximum(rows, 1), 0.0)) for one in (low, high))
    least = np.maximum(estimate - np.hypot(estimate - low, below), 0.0)
    return least, np.minimum(estimate + np.hypot(high - estimate, above), rows)


@dataclass(frozen=True, slots=True)
class Expected:
    """A number of wrong labels to expect, ``estimate``, with an interval that holds at ``confidence``."""

    estimate: float
    low: float
    high: float
    confidence: float

    def __str__(self) -> str:
        return f"{self.estimate:,.0f} ({self.confidence:.0%} interval {self.low:,.0f} to {self.high:,.0f})"


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """What turns the scores of a table into probabilities, and counts of rows into wrong labels to expect.

    ``tally`` are the scores of all judged rows, ``flagged`` those of the flagged ones.
    """

    probability: WrongProbability
    tally: ScoreTally
    flagged: ScoreTally
    rate: NoiseRate

    def expected_wrong(self) -> Expected:
        """Return how many of the flagged rows are expected to be wrong."""

        def wrong(probability: WrongProbability) -> FloatArray:
            return np.array([probability.expected(self.flagged)])

        numbers = self._expected(wrong, self.flagged.counts.sum(keepdims=True))
        estimate, low, high = (float(one[0]) for one in numbers)
        return Expected(estimate, low, high, self.rate.confidence)

    def review_curve(self) -> dict[str, NDArray[np.generic]]:
        """Return rows read, worst first, against the wrong labels to expect among them, as columns.

        The numbers of rows are 10, 20, 50, 100 and so on, the flagged rows, and all rows.
        """
        total, flagged = int(self.tally.counts.sum()), int(self.flagged.counts.sum())
        steps = [n * 10**power for power in range(1, 10) for n in (1, 2, 5)]
        rows = np.array(sorted({n for n in [*steps, flagged, total] if 0 < n <= total}), dtype=np.int64)
        read = self.tally.counts.cumsum()

        def wrong(probability: WrongProbability) -> FloatArray:
            by_rows = np.interp(rows, np.append(0, read), np.append(0, probability.by_bin(self.tally).cumsum()))
            return np.asarray(by_rows)

        expected, low, high = self._expected(wrong, rows)
        return {"rows": rows, "wrong": expected, "low": low, "high": high, "share": expected / np.maximum(rows, 1)}

    def _expected(
        self, count: Callable[[WrongProbability], FloatArray], rows: IntArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The numbers to expect (m,) among so many rows (m,), with low and high, by the rate's interval and chance."""
        estimate = count(self.probability)
        ends = [count(self.probability.at_rate(rate, self.tally)) for rate in (self.rate.low, self.rate.high)]
        return estimate, *with_chance(estimate, ends[0], ends[1], rows, self.rate.confidence)

    def reviewed(self, units: FloatArray, wrong: BoolArray, weights: FloatArray, rate: NoiseRate) -> Calibration:
        """Return the calibration that the answers of a review support.

        Args:
            units: (r,) scores of the reviewed rows.
            wrong: (r,) whether their labels were wrong.
            weights: (r,) rows of the table that each of them stands for.
            rate: The reviewed noise rate.

        Source: recalibration of the log-odds by a straight line (Platt 1999), here with a prior that leaves them as
        they are.
        """
        odds = _log_odds(self.probability.wrong(units).clip(1e-12, 1 - 1e-12))
        slope = _refitted_slope(odds, wrong, weights * (units.size / max(float(weights.sum()), 1e-12)))
        stretched = self.probability.stretched(slope).at_rate(rate.estimate, self.tally)
        return replace(self, probability=stretched, rate=rate)


def _refitted_slope(odds: FloatArray, wrong: BoolArray, weights: FloatArray) -> float:
    """The factor by which log-odds are stretched to fit the answers, near 1 while these are few."""
    from scipy.optimize import minimize

    def loss(line: FloatArray) -> float:
        moved = line[0] + np.exp(line[1]) * odds
        likelihood = weights * (np.logaddexp(0, moved) - wrong * moved)
        return float(likelihood.sum() + (line[1] / SLOPE_SPREAD) ** 2 / 2 + (line[0] / SHIFT_SPREAD) ** 2 / 2)

    return float(np.exp(minimize(loss, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-4}).x[1]))


def flag_rate(estimate: float, joint: FloatArray, model_error: float) -> float:
    """Return the rate under which the flagged set is chosen: halfway to what the confident joint says.

    The estimate misses part of the noise at the border of the classes, and the joint (K, K) counts overlap as noise; of
    the rules tried, the set chosen halfway had the best F1 over tables and kinds of noise (docs/benchmarks.md).
    """
    return (estimate + max(estimate, min(1 - float(np.trace(joint)), model_error))) / 2


def largest_f1(probability: WrongProbability, tally: ScoreTally) -> float:
    """Return the score below which flagging has the largest expected F1, in whole units, at most 0.

    A flagged label is one that another class is likelier than, so the score is below 0. Of the sets of worst rows, the
    one with the largest 2 × expected wrong among the flagged / (flagged + expected wrong in all).

    Source: maximisation of the expected F1 by a threshold on calibrated probabilities, Lipton, Elkan & Naryanaswamy
    (2014), arXiv 1402.1892: the best threshold is half of the F1 that it reaches.
    """
    below = slice(0, MAX_BIN)
    wrong, flagged = probability.by_bin(tally)[below].cumsum(), tally.counts[below].cumsum()
    f1 = 2 * wrong / np.maximum(flagged + probability.expected(tally), MIN_ROWS_WRONG)
    best = int(f1.argmax())
    return float((best + 1 - MAX_BIN) << OFFSET_BITS) if flagged[best] else -np.inf


def doubtful_cutoff(probability: WrongProbability) -> float:
    """Return the score below which a label is wrong with a probability of at least ``MIN_DOUBT``, in whole units."""
    doubtful = int((probability.edges >= MIN_DOUBT).sum())
    return float((doubtful - MAX_BIN) << OFFSET_BITS)


def precise_cutoff(probability: WrongProbability, tally: ScoreTally, min_precision: float) -> float:
    """Return the score below which the flagged labels are expected to be wrong with at least this share.

    Args:
        probability: P(wrong) by score.
        tally: The scores of all rows.
        min_precision: Least share of wrong labels among the flagged, in (0, 1).
    """
    below = slice(0, MAX_BIN)
    wrong, flagged = probability.by_bin(tally)[below].cumsum(), tally.counts[below].cumsum()
    enough = np.flatnonzero((wrong >= min_precision * flagged) & (flagged > 0))
    return float((int(enough[-1]) + 1 - MAX_BIN) << OFFSET_BITS) if enough.size else -np.inf
