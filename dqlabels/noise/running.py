"""An interval that holds while people look at it after every answer of a review."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dqlabels.statistics.arrays import BoolArray, FloatArray, IntArray

# Bets are sized for the interval after the last row of the sample (1), and for earlier ones; the share of the stake.
BETS = ((1.0, 0.50), (2.0, 0.25), (4.0, 0.25))
# Variance of a weighted answer over the noise rate: the rows that a wrong label stands for, over those of a random row,
# where label quality ranks wrong labels as well as usual (docs/benchmarks.md). It sets the size of the bets; the
# interval holds whatever it is.
USUAL_SPREAD = 0.55
# Share of wrong labels expected in the strata before the first answer, and the answers that this is worth.
GUESSES = np.array([0.30, 0.05, 0.01])
GUESSED_ANSWERS = 4.0
# Rates below this are bet against as if they were this.
MIN_RATE = 0.002
# A bet may lose this share of the stake at most.
MAX_LOSS = 0.95
HALVINGS = 14


@dataclass(frozen=True, slots=True, eq=False)
class AnswersInOrder:
    """The t clear answers of a review in the order of the sample, from S = 3 strata.

    ``strata`` (t,) and ``wrong`` (t,) are the stratum of each answered row and whether its label is wrong; ``chances``
    (t, S) are the probabilities that the row came from each stratum, given the rows before it. ``sizes`` (S,) counts
    the rows of the table, ``planned`` the rows of the whole sample.
    """

    strata: IntArray
    wrong: BoolArray
    chances: FloatArray
    sizes: IntArray
    planned: float

    @classmethod
    def of(cls, strata: IntArray, wrong: BoolArray, waiting: IntArray, sizes: IntArray, planned: int) -> AnswersInOrder:
        """Take answers from a sample in random order, some of whose rows are still to come.

        Args:
            strata: (t,) stratum of each clear answer.
            wrong: (t,) whether the given label is wrong.
            waiting: (S,) rows of the sample from each stratum that are still to come.
            sizes: (S,) rows of the table in each stratum.
            planned: Rows of the whole sample.
        """
        wanted = np.bincount(strata, minlength=sizes.size) + waiting
        left = wanted - _before(strata, sizes.size)
        return cls(strata, wrong, left / np.maximum(left.sum(axis=1, keepdims=True), 1), sizes, planned)

    def within(self, member: BoolArray, sizes: IntArray) -> AnswersInOrder:
        """Return the answers (t,) on the rows of a class, of which the table has ``sizes`` (S,)."""
        left = self.sizes - _before(self.strata, self.sizes.size)
        ours = sizes - _before(self.strata, self.sizes.size, member)
        chances = (self.chances * ours / np.maximum(left, 1))[member]
        chances /= np.maximum(chances.sum(axis=1, keepdims=True), 1e-300)
        planned = self.planned * float(sizes.sum() / self.sizes.sum())
        return AnswersInOrder(self.strata[member], self.wrong[member], chances, sizes, planned)


def _before(strata: IntArray, n_strata: int, counted: BoolArray | None = None) -> IntArray:
    """Rows drawn from each stratum before each of the answers, shape (t, S); of those ``counted`` (t,)."""
    drawn = (strata[:, None] == np.arange(n_strata)).astype(np.int64)
    if counted is not None:
        drawn *= counted[:, None]
    return np.asarray(np.cumsum(drawn, axis=0) - drawn)


def running_interval(answers: AnswersInOrder, confidence: float) -> tuple[float, float]:
    """Low and high of the share of wrong labels, right at every look with probability ``confidence``.

    A rate is left out once somebody who bets against it, with stakes fixed beforehand, would have won 2 / (1 - c) times
    the stake at one of the answers so far. Each answer, weighted by the rows it stands for and added to what is known
    already, is right on average; so nobody can expect to win against the true rate, however the table looks.

    Args:
        answers: The answers so far.
        confidence: Confidence c of the whole sequence of intervals, in (0, 1).

    Source: betting as in Waudby-Smith & Ramdas (2023, arXiv 2010.09686); drawing from strata without replacement as in
    Spertus, Sridhar & Stark (2024, arXiv 2409.06680), with random instead of chosen strata, which leaves one rate to
    bet against; Ville's inequality.

    >>> strata, wrong = np.tile([0, 1, 2, 2], 25), np.arange(100) % 20 == 0
    >>> sizes, waiting = np.array([100, 200, 700]), np.array([10, 10, 20])
    >>> answers = AnswersInOrder.of(strata, wrong, waiting, sizes, 140)
    >>> low, high = running_interval(answers, 0.90)
    >>> 0 < low < 0.05 < high < 0.2
    True
    """
    rows, found = int(answers.sizes.sum()), int(answers.wrong.sum())
    first, last = found / rows, 1 - (answers.wrong.size - found) / rows
    values = _WeightedAnswers.of(answers)
    goal = math.log(2 / (1 - confidence))
    low = _turn(first, last, lambda rate: values.most_won_below(rate, goal, answers.planned) >= goal)
    high = _turn(last, first, lambda rate: values.most_won_above(rate, goal, answers.planned) >= goal)
    return low, high


def _turn(refused: float, kept: float, refuses: Callable[[float], bool]) -> float:
    """The last refused rate on the way from one end to the other, by bisection; the first end if that is kept."""
    if not refuses(refused):
        return refused
    for _ in range(HALVINGS):
        middle = (refused + kept) / 2
        refused, kept = (middle, kept) if refuses(middle) else (refused, middle)
    return refused


@dataclass(frozen=True, slots=True, eq=False)
class _WeightedAnswers:
    """Answers (t,) whose mean, given those before, is the noise rate; ``least`` and ``most`` they could have been."""

    values: FloatArray
    least: FloatArray
    most: FloatArray

    @classmethod
    def of(cls, answers: AnswersInOrder) -> _WeightedAnswers:
        rows, n_strata = answers.sizes.sum(), answers.sizes.size
        drawn = _before(answers.strata, n_strata)
        left, possible = answers.sizes - drawn, answers.chances > 0
        weights = np.where(possible, left / np.where(possible, answers.chances, 1) / rows, 0)
        # What is expected of the next row by its stratum is taken off, and added back for all rows left: that removes
        # the variance between strata. It depends on earlier answers alone.
        errors = _before(answers.strata, n_strata, answers.wrong)
        expected = (errors + GUESSED_ANSWERS * GUESSES) / (drawn + GUESSED_ANSWERS)
        base = (np.cumsum(answers.wrong) - answers.wrong + (left * expected).sum(axis=1)) / rows
        at = np.arange(answers.strata.size), answers.strata
        values = base + weights[at] * (answers.wrong - expected[at])
        least = base - (weights * expected).max(axis=1, initial=0)
        most = base + (weights * (1 - expected)).max(axis=1, initial=0)
        # Where rows are left that the next draw cannot reach, its mean is not the rate: no bet.
        fair = (possible | (left <= 0)).all(axis=1)
        return cls(values[fair], least[fair], most[fair])

    def most_won_below(self, rate: float, goal: float, planned: float) -> float:
        """Logarithm of the most that was won by betting that more labels are wrong than ``rate``."""
        limit = MAX_LOSS / np.maximum(rate - self.least, 1e-12)
        return _most_won(self.values - rate, limit, _stakes(rate, goal, planned))

    def most_won_above(self, rate: float, goal: float, planned: float) -> float:
        """Logarithm of the most that was won by betting that fewer labels are wrong than ``rate``."""
        limit = MAX_LOSS / np.maximum(self.most - rate, 1e-12)
        return _most_won(rate - self.values, limit, _stakes(rate, goal, planned))


def _stakes(rate: float, goal: float, planned: float) -> float:
    """The bet that makes the interval after ``planned`` answers narrowest, if their variance is as usual."""
    return math.sqrt(2 * goal / (max(planned, 1.0) * USUAL_SPREAD * max(rate, MIN_RATE)))


def _most_won(gains: FloatArray, limit: FloatArray, base: float) -> float:
    if not gains.size:
        return 0.0
    won = [math.log(share) + np.cumsum(np.log1p(np.minimum(base * size, limit) * gains)) for size, share in BETS]
    return float(np.logaddexp.reduce(won, axis=0).max())
