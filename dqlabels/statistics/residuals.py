"""Wrong numbers: how far a value lies from what the other rows predict, and how far is too far.

Values are compared on a scale that is linear near the middle of the column and logarithmic far from it, so that a
single outlier neither distorts the predictions nor hides other wrong values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dqlabels.statistics.arrays import BoolArray, FloatArray, IntArray
from dqlabels.statistics.cutoffs import Counts
from dqlabels.statistics.multiple_testing import first_flagged

# Share of the mean residual added to the spread of the trees: where they agree by chance, a small residual is no error.
FLOOR = 0.5
# Residuals are summed as whole numbers of 1 / UNIT, so that the sum does not depend on the order of the rows.
UNIT = 2**22
# Quantiles of the absolute scores to which the tail of right values is fitted (docs/regression.md compares others).
MIDDLE, OUTER = 0.50, 0.90
MIN_FREEDOM, MAX_FREEDOM = 1.0, 200.0  # degrees of freedom
MAX_ROUNDS = 20
# Absolute scores are counted in cells about a thousandth of their size wide, from 2**-24 to 2**24: the number of a
# cell is a double's leading bits minus those of the first cell.
KEY_SHIFT = 52 - 10
FIRST_KEY = (1023 - 24) << 10
CELLS = 1 + (48 << 10)


@dataclass(slots=True)
class ResidualTally:
    """Mergeable sums of how far values lie from their prediction (``total``) and from the median (``around``).

    Both are integers in units of 1 / ``UNIT``; ``rows`` counts the values.
    """

    rows: int = 0
    total: int = 0
    around: int = 0

    def update(self, residuals: FloatArray, scaled: FloatArray) -> None:
        """Add rows by their residuals (n,) and their values on the scale (n,), where 0 is the median."""
        self.rows += residuals.size
        self.total += _summed(residuals)
        self.around += _summed(scaled)

    def merge(self, other: ResidualTally) -> None:
        """Add the sums of another state."""
        self.add_sums(other.sums())

    def sums(self) -> IntArray:
        """Return integers that can be added to those of other parts of the table."""
        return np.array([self.rows, self.total, self.around], dtype=np.int64)

    def add_sums(self, sums: IntArray) -> None:
        """Add the ``sums`` of other parts of the table."""
        rows, total, around = sums.tolist()
        self.rows += rows
        self.total += total
        self.around += around

    def finish(self) -> float:
        """Return the mean absolute residual, 0 without rows."""
        return self.total / self.rows / UNIT if self.rows else 0.0

    def error(self) -> float:
        """Model error: mean distance from the prediction over mean distance from the median; 0 if all are predicted."""
        return self.total / self.around if self.around else 0.0


def _summed(values: FloatArray) -> int:
    return int(np.rint(np.abs(values) * UNIT).astype(np.int64).sum())


def residual_scores(residuals: FloatArray, spread: FloatArray, mean_residual: float) -> FloatArray:
    """Divide residuals by what is usual for their row: the spread of its trees plus half the table's mean residual.

    Args:
        residuals: (n,) value less prediction, on the value scale.
        spread: (n,) standard deviation of the single trees' predictions, at least 0.
        mean_residual: Mean absolute residual of the whole table, as :class:`ResidualTally` gives it.

    Returns:
        (n,) scores with the sign of the residual; 0 where the prediction is exact.

    >>> residual_scores(np.array([1.0, -3.0]), np.array([0.0, 0.5]), 2.0).tolist()
    [1.0, -2.0]
    """
    usual = spread + FLOOR * mean_residual
    return np.asarray(residuals / np.where(usual > 0, usual, 1.0))


@dataclass(frozen=True, slots=True)
class Tail:
    """Student's t distribution of the scores of right values: its scale ``width`` and degrees of ``freedom``."""

    width: float
    freedom: float

    def p_values(self, sizes: FloatArray) -> FloatArray:
        """Probability that a right value's score is at least this large, for absolute scores (n,); 1 for 0."""
        from scipy.special import stdtr

        if self.width <= 0:
            return np.where(sizes > 0, 0.0, 1.0)
        p: FloatArray = 2 * stdtr(self.freedom, -sizes / self.width)
        return np.clip(p, 0.0, 1.0)

    def size_of(self, p: float) -> float:
        """Absolute score that right values reach with probability ``p``, in (0, 1]."""
        from scipy.special import stdtrit

        return -self.width * float(stdtrit(self.freedom, p / 2))


# Tail of a table whose values are all predicted exactly.
NO_TAIL = Tail(0.0, MAX_FREEDOM)


def fit_tail(middle: float, outer: float) -> Tail:
    """Fit Student's t to the median and the upper decile of the absolute scores.

    Larger scores play no part, so up to a tenth of the values may be arbitrarily wrong.

    >>> from scipy.special import stdtrit
    >>> tail = fit_tail(*(-2 * stdtrit(5.0, np.array([0.25, 0.05]))).tolist())
    >>> round(tail.width, 1), round(tail.freedom)
    (2.0, 5)
    """
    from scipy.special import stdtrit

    at_middle, at_outer = (1 + MIDDLE) / 2, (1 + OUTER) / 2

    def ratio(freedom: float) -> float:
        return float(stdtrit(freedom, at_outer) / stdtrit(freedom, at_middle))

    low, high = MIN_FREEDOM, MAX_FREEDOM
    wanted = outer / middle if middle > 0 else np.inf
    for _ in range(50):
        between = float(np.sqrt(low * high))
        low, high = (between, high) if ratio(between) > wanted else (low, between)
    return Tail(outer / float(stdtrit(high, at_outer)), high)


def size_cells(sizes: FloatArray) -> IntArray:
    """Cell (n,) of each absolute score, on a grid whose cells grow with the score; cell 0 holds exact zeros alone."""
    keys = (np.ascontiguousarray(sizes, dtype=np.float64).view(np.int64) >> KEY_SHIFT) - FIRST_KEY
    return np.asarray(np.where(sizes > 0, np.clip(keys + 1, 1, CELLS - 1), 0))


def cell_edges(cells: IntArray) -> FloatArray:
    """Smallest absolute score (m,) in each of these cells (m,)."""
    edges = ((cells - 1 + FIRST_KEY) << KEY_SHIFT).astype(np.int64).view(np.float64)
    return np.where(cells > 0, edges, 0.0)


@dataclass(slots=True, eq=False)
class SizeCounts(Counts):
    """Mergeable histogram of absolute scores, from which tail and cutoff follow.

    ``counts`` (CELLS,) are the rows in each cell of :func:`size_cells`.
    """

    @classmethod
    def empty(cls) -> SizeCounts:
        """Return a state without rows."""
        return cls(np.zeros(CELLS, dtype=np.int64))

    def update(self, sizes: FloatArray) -> None:
        """Count these absolute scores (n,)."""
        self.counts += np.bincount(size_cells(sizes), minlength=CELLS)

    def finish(self, fdr: float) -> tuple[Tail, float]:
        """Return the tail of right values, and the smallest absolute score flagged at this rate; infinite if none is.

        The tail is fitted to the middle of the scores, then again without the flagged ones until the flags stay.

        Source: Efron (2004), JASA 99:96-104, a null fitted to the middle.
        """
        cells = np.flatnonzero(self.counts)
        counts, edges = self.counts[cells], cell_edges(cells)
        beyond = counts[::-1].cumsum()[::-1]
        tail, cutoff = NO_TAIL, edges.size
        for _ in range(MAX_ROUNDS):
            tail = _tail_among(cells[:cutoff], counts[:cutoff])
            again = first_flagged(tail.p_values(edges), beyond, fdr)
            if again == cutoff:
                break
            cutoff = again
        return tail, float(edges[cutoff]) if cutoff < edges.size else np.inf


def _tail_among(cells: IntArray, counts: IntArray) -> Tail:
    """Fit the tail to these cells (m,) with ``counts`` (m,) rows, leaving out values predicted exactly."""
    inexact = cells > 0
    cells, counts = cells[inexact], counts[inexact]
    if not cells.size:
        return NO_TAIL
    centers = (cell_edges(cells) + cell_edges(cells + 1)) / 2
    upto = counts.cumsum()

    def quantile(share: float) -> float:
        place = share * (int(upto[-1]) - 1)
        low, high = centers[np.searchsorted(upto, [int(place), int(np.ceil(place))], side="right")].tolist()
        return float(low + (place - int(place)) * (high - low))

    return fit_tail(quantile(MIDDLE), quantile(OUTER))


@dataclass(frozen=True, slots=True)
class ValueRule:
    """What is known of a table after all passes, enough to judge any of its rows alone.

    ``mean_residual`` is that of the table, ``tail`` the distribution of right values' scores; absolute scores of at
    least ``cutoff`` are flagged.
    """

    mean_residual: float
    tail: Tail
    cutoff: float

    def judge(self, residuals: FloatArray, spread: FloatArray) -> ValueVerdict:
        """Return scores, p-values and flags of rows (n,)."""
        scores = residual_scores(residuals, spread, self.mean_residual)
        sizes = np.abs(scores)
        return ValueVerdict(scores, self.tail.p_values(sizes), sizes >= self.cutoff)

    def reach(self, spread: FloatArray, p: float) -> FloatArray:
        """Distance (n,) from the prediction that right values exceed with probability ``p``, by each row's spread."""
        return np.asarray((spread + FLOOR * self.mean_residual) * self.tail.size_of(p))


@dataclass(frozen=True, slots=True, eq=False)
class ValueVerdict:
    """Signed ``scores`` (n,), p-values ``p`` (n,) in [0, 1] of which low is suspicious, and ``flagged`` (n,)."""

    scores: FloatArray
    p: FloatArray
    flagged: BoolArray


def judge_values(residuals: FloatArray, spread: FloatArray, fdr: float) -> tuple[ValueRule, ValueVerdict]:
    """Flag values at a false-discovery rate, against a distribution of right scores learnt from the table itself.

    Out-of-bag scores are exchangeable, so among right values each score has a conformal p-value. Since it is not known
    which values are right, the reference distribution is Student's t fitted to the middle of the scores.

    Args:
        residuals: (n,) value less prediction, on the value scale.
        spread: (n,) standard deviation of the single trees' predictions, at least 0.
        fdr: Expected share of right values among the flagged, in (0, 1).

    Source: conformal p-values under a false-discovery rate, Bates et al. (2023), Ann. Statist. 51:149-178.

    >>> residuals = np.append(np.random.default_rng(0).normal(size=200), 12.0)
    >>> np.flatnonzero(judge_values(residuals, np.zeros(201), 0.1)[1].flagged).tolist()
    [200]
    """
    tally, sizes = ResidualTally(), SizeCounts.empty()
    tally.update(residuals, residuals)
    sizes.update(np.abs(residual_scores(residuals, spread, tally.finish())))
    rule = ValueRule(tally.finish(), *sizes.finish(fdr))
    return rule, rule.judge(residuals, spread)
