"""Wrong numbers: how far a value lies from what the other rows predict, and how far is too far.

numpy in, numpy out. A value is compared on a scale that is linear near the middle of the column and logarithmic
far from it, so that one wild value neither bends the predictions nor hides the others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dqlabels.errors import OptionError
from dqlabels.statistics.arrays import BoolArray, FloatArray, IntArray
from dqlabels.statistics.multiple_testing import first_flagged

# The expected share of right values among the flagged.
FDR = 0.10
# Of the mean residual: what is added to the trees' spread, so that agreement by chance makes no error of a ripple.
FLOOR = 0.5
# Residuals are summed as whole numbers of this unit, so that no order of the rows shows in the sum.
UNIT = 2**22
# Quantiles of the scores' sizes that the tail of right values is fitted to (docs/regression.md has what others gave).
MIDDLE, OUTER = 0.50, 0.90
MIN_FREEDOM, MAX_FREEDOM = 1.0, 200.0  # degrees of freedom
MAX_ROUNDS = 20
# Sizes are counted in cells a thousandth wide, between a size that is as good as 0 and one that is as good as infinite:
# a double's bits without its last ones, less those of the first cell.
KEY_SHIFT = 52 - 10
FIRST_KEY = (1023 - 24) << 10
CELLS = 1 + (48 << 10)


@dataclass(frozen=True, slots=True)
class ValueScale:
    """``asinh((value - center) / unit)``: the scale on which values are fitted and compared."""

    center: float
    unit: float

    @classmethod
    def of(cls, values: FloatArray, counts: IntArray | None = None) -> ValueScale:
        """The median, and the distance of the quartiles, or where they coincide of the typical other value.

        Args:
            values: (n,).
            counts: (n,) how often each occurs, where that is not once.

        >>> ValueScale.of(np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
        ValueScale(center=3.0, unit=2.0)
        """
        low, center, high = _quantiles(values, (0.25, 0.5, 0.75), counts)
        if high > low:
            return cls(center, high - low)
        other = values != center
        off = np.abs(values[other] - center)
        return cls(center, _quantiles(off, (0.5,), None if counts is None else counts[other])[0] if off.size else 1.0)

    def apply(self, values: FloatArray) -> FloatArray:
        """(n,) values on the scale."""
        scaled: FloatArray = np.arcsinh((values - self.center) / self.unit)
        return scaled

    def undo(self, scaled: FloatArray) -> FloatArray:
        """(n,) values from the scale."""
        values: FloatArray = self.center + self.unit * np.sinh(scaled)
        return values


def _quantiles(values: FloatArray, shares: tuple[float, ...], counts: IntArray | None) -> list[float]:
    if counts is None:
        found: list[float] = np.quantile(values, shares).tolist()
        return found
    order = np.argsort(values, kind="stable")
    upto = counts[order].cumsum()
    places = np.searchsorted(upto, np.ceil(np.array(shares) * int(upto[-1])).astype(np.int64))
    found = values[order[places]].tolist()
    return found


@dataclass(slots=True)
class ResidualTally:
    """Rows, and sums in ``UNIT`` of how far values lie from their prediction (``total``) and from 0 (``around``).

    Mergeable, the same in any order; 0 is the median of the scale.
    """

    rows: int = 0
    total: int = 0
    around: int = 0

    def update(self, residuals: FloatArray, scaled: FloatArray) -> None:
        """Add rows with these residuals (n,) and values on the scale (n,)."""
        self.rows += residuals.size
        self.total += _summed(residuals)
        self.around += _summed(scaled)

    def merge(self, other: ResidualTally) -> None:
        """Add what ``other`` saw."""
        self.add_sums(other.sums())

    def sums(self) -> IntArray:
        """Whole numbers that add up with those of another part of the table."""
        return np.array([self.rows, self.total, self.around], dtype=np.int64)

    def add_sums(self, sums: IntArray) -> None:
        """Add what ``sums`` of other parts, added up, say."""
        rows, total, around = sums.tolist()
        self.rows += rows
        self.total += total
        self.around += around

    def finish(self) -> float:
        """The mean absolute residual, 0 without rows."""
        return self.total / self.rows / UNIT if self.rows else 0.0

    def error(self) -> float:
        """The mean distance of the values from their prediction over that from the median: 0 predicts every value."""
        return self.total / self.around if self.around else 0.0


def _summed(values: FloatArray) -> int:
    return int(np.rint(np.abs(values) * UNIT).astype(np.int64).sum())


def residual_scores(residuals: FloatArray, spread: FloatArray, mean_residual: float) -> FloatArray:
    """Residuals over what is usual for their row: the spread of its trees, and half the table's mean residual.

    Args:
        residuals: (n,) value less prediction, on the value scale.
        spread: (n,) standard deviation of the single trees' predictions, at least 0.
        mean_residual: Of the whole table, as :class:`ResidualTally` gives it.

    Returns:
        (n,) with the sign of the residual; 0 where the prediction is right, however certain.

    >>> residual_scores(np.array([1.0, -3.0]), np.array([0.0, 0.5]), 2.0).tolist()
    [1.0, -2.0]
    """
    usual = spread + FLOOR * mean_residual
    scores: FloatArray = residuals / np.where(usual > 0, usual, 1.0)
    return scores


@dataclass(frozen=True, slots=True)
class Tail:
    """Student's t of right values' scores: its ``width`` and ``freedom`` (degrees of freedom)."""

    width: float
    freedom: float

    def p_values(self, sizes: FloatArray) -> FloatArray:
        """(n,) in [0, 1]: how often a right value's score is at least of this size (n,), 1 where that is 0."""
        from scipy.special import stdtr

        if self.width <= 0:
            return np.where(sizes > 0, 0.0, 1.0)
        p: FloatArray = 2 * stdtr(self.freedom, -sizes / self.width)
        return np.clip(p, 0.0, 1.0)

    def size_of(self, p: float) -> float:
        """The size that a right value's score reaches in this share of the rows, in (0, 1]."""
        from scipy.special import stdtrit

        return -self.width * float(stdtrit(self.freedom, p / 2))


# The tail of a table whose values are all predicted exactly.
NO_TAIL = Tail(0.0, MAX_FREEDOM)


def fit_tail(middle: float, outer: float) -> Tail:
    """Student's t through the median and the upper decile of the sizes of scores.

    What lies beyond is not looked at, so a tenth of the values may be as wrong as they like.

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
    """The cell (n,) of each size on a grid of cells that grow with the size; cell 0 holds exact zeros alone."""
    keys = (np.ascontiguousarray(sizes, dtype=np.float64).view(np.int64) >> KEY_SHIFT) - FIRST_KEY
    cells: IntArray = np.where(sizes > 0, np.clip(keys + 1, 1, CELLS - 1), 0)
    return cells


def cell_edges(cells: IntArray) -> FloatArray:
    """The least size (m,) of each of these cells (m,)."""
    edges = ((cells - 1 + FIRST_KEY) << KEY_SHIFT).astype(np.int64).view(np.float64)
    return np.where(cells > 0, edges, 0.0)


@dataclass(slots=True, eq=False)
class SizeCounts:
    """How many scores are of about each size, from which the tail and the cutoff are found: mergeable, in any order.

    ``counts`` (CELLS,) rows a cell of :func:`size_cells`.
    """

    counts: IntArray

    @classmethod
    def empty(cls) -> SizeCounts:
        """Nothing seen yet."""
        return cls(np.zeros(CELLS, dtype=np.int64))

    def update(self, sizes: FloatArray) -> None:
        """Count scores of these sizes (n,)."""
        self.counts += np.bincount(size_cells(sizes), minlength=CELLS)

    def merge(self, other: SizeCounts) -> None:
        """Add what ``other`` saw."""
        self.counts += other.counts

    def sums(self) -> IntArray:
        """Whole numbers that add up with those of another part of the table."""
        return np.array(self.counts)

    def add_sums(self, sums: IntArray) -> None:
        """Add what ``sums`` of other parts, added up, say."""
        self.counts += sums

    def finish(self, fdr: float) -> tuple[Tail, float]:
        """The tail of right values, and the least size that is flagged at this rate; infinite where none is.

        The tail goes through the middle of the sizes, and is fitted again without those flagged until the flags stay.

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
    """The tail through these cells (m,) of ``counts`` (m,) rows. Values predicted exactly shape none."""
    astray = cells > 0
    cells, counts = cells[astray], counts[astray]
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
    """What the passes over a table found: enough to judge any row alone.

    ``mean_residual`` of the table; ``tail`` of right values; scores of at least ``cutoff`` are flagged.
    """

    mean_residual: float
    tail: Tail
    cutoff: float

    def judge(self, residuals: FloatArray, spread: FloatArray) -> ValueVerdict:
        """Of rows (n,): scores, p-values and flags."""
        scores = residual_scores(residuals, spread, self.mean_residual)
        sizes = np.abs(scores)
        return ValueVerdict(scores, self.tail.p_values(sizes), sizes >= self.cutoff)

    def reach(self, spread: FloatArray, p: float) -> FloatArray:
        """How far (n,) from its prediction a right value strays in this share of the rows, by the row's spread."""
        reach: FloatArray = (spread + FLOOR * self.mean_residual) * self.tail.size_of(p)
        return reach


@dataclass(frozen=True, slots=True, eq=False)
class ValueVerdict:
    """``scores`` (n,) signed, ``p`` (n,) in [0, 1], low is suspicious, and ``flagged`` (n,)."""

    scores: FloatArray
    p: FloatArray
    flagged: BoolArray


def judge_values(residuals: FloatArray, spread: FloatArray, fdr: float) -> tuple[ValueRule, ValueVerdict]:
    """Flag values at a false-discovery rate, against a distribution of right scores learnt from the table itself.

    Out-of-bag scores are exchangeable, so the score of one right value among right values has a conformal p-value.
    Which values are right is what is asked: so the reference is the t through the middle of the scores.

    Args:
        residuals: (n,) value less prediction, on the value scale.
        spread: (n,) as of :func:`residual_scores`.
        fdr: Expected share of right values among the flagged, in (0, 1).

    Raises:
        OptionError: ``fdr`` is not between 0 and 1.

    Source: conformal p-values under a false-discovery rate, Bates et al. (2023), Ann. Statist. 51:149-178.

    >>> residuals = np.append(np.random.default_rng(0).normal(size=200), 12.0)
    >>> np.flatnonzero(judge_values(residuals, np.zeros(201), 0.1)[1].flagged).tolist()
    [200]
    """
    check_fdr(fdr)
    tally, sizes = ResidualTally(), SizeCounts.empty()
    tally.update(residuals, residuals)
    sizes.update(np.abs(residual_scores(residuals, spread, tally.finish())))
    rule = ValueRule(tally.finish(), *sizes.finish(fdr))
    return rule, rule.judge(residuals, spread)


def check_fdr(fdr: float) -> None:
    """Refuse a rate that is none.

    Raises:
        OptionError: ``fdr`` is not a number between 0 and 1.
    """
    if isinstance(fdr, bool) or not isinstance(fdr, (int, float, np.floating)) or not 0 < fdr < 1:
        raise OptionError(f"fdr={fdr!r} is not a share between 0 and 1; for one false flag in ten pass 0.10.")
