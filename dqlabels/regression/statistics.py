"""Wrong numbers: how far a value lies from what the other rows predict, and how far is too far.

numpy in, numpy out. A value is compared on a scale that is linear near the middle of the column and logarithmic
far from it, so that one wild value neither bends the predictions nor hides the others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dqlabels.errors import OptionError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

# The expected share of right values among the flagged.
FDR = 0.10
# Of the mean residual: what is added to the trees' spread, so that agreement by chance makes no error of a ripple.
FLOOR = 0.5
# Residuals are summed as whole numbers of this unit, so that no order of the rows shows in the sum.
UNIT = 2**22
# Quantiles of the scores' sizes that the tail of right values is fitted to (docs/regression.md has what others gave).
MIDDLE, OUTER = 0.50, 0.90
HEAVIEST, LIGHTEST = 1.0, 200.0  # degrees of freedom
MOST_ROUNDS = 20


@dataclass(frozen=True, slots=True)
class ValueScale:
    """``asinh((value - center) / unit)``: the scale on which values are fitted and compared."""

    center: float
    unit: float

    @classmethod
    def of(cls, values: FloatArray) -> ValueScale:
        """The median, and the distance of the quartiles, or where they coincide of the typical other value.

        >>> ValueScale.of(np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
        ValueScale(center=3.0, unit=2.0)
        """
        low, center, high = np.quantile(values, (0.25, 0.5, 0.75)).tolist()
        if high > low:
            return cls(center, high - low)
        off = np.abs(values[values != center] - center)
        return cls(center, float(np.median(off)) if off.size else 1.0)

    def apply(self, values: FloatArray) -> FloatArray:
        """(n,) values on the scale."""
        scaled: FloatArray = np.arcsinh((values - self.center) / self.unit)
        return scaled

    def undo(self, scaled: FloatArray) -> FloatArray:
        """(n,) values from the scale."""
        values: FloatArray = self.center + self.unit * np.sinh(scaled)
        return values


@dataclass(slots=True)
class ResidualTally:
    """Rows, and the sum of their absolute residuals in ``UNIT``: mergeable, the same in any order."""

    rows: int = 0
    total: int = 0

    def update(self, residuals: FloatArray) -> None:
        """Add rows with these residuals (n,)."""
        self.rows += residuals.size
        self.total += int(np.rint(np.abs(residuals) * UNIT).astype(np.int64).sum())

    def merge(self, other: ResidualTally) -> None:
        """Add what ``other`` saw."""
        self.rows += other.rows
        self.total += other.total

    def finish(self) -> float:
        """The mean absolute residual, 0 without rows."""
        return self.total / self.rows / UNIT if self.rows else 0.0


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
        """(n,) in [0, 1]: how often a right value's score is at least of this size (n,)."""
        from scipy.special import stdtr

        if self.width <= 0:
            return np.where(sizes > 0, 0.0, 1.0)
        p: FloatArray = 2 * stdtr(self.freedom, -sizes / self.width)
        return p


def fit_tail(sizes: FloatArray) -> Tail:
    """Student's t through the median and the upper decile of the sizes (n,) of scores.

    What lies beyond is not looked at, so a tenth of the values may be as wrong as they like.

    >>> from scipy.special import stdtrit
    >>> sizes = -2 * stdtrit(5.0, np.linspace(0.0001, 0.4999, 5000))
    >>> tail = fit_tail(sizes)
    >>> round(tail.width, 1), round(tail.freedom)
    (2.0, 5)
    """
    from scipy.special import stdtrit

    middle, outer = np.quantile(sizes, (MIDDLE, OUTER)).tolist()
    at_middle, at_outer = (1 + MIDDLE) / 2, (1 + OUTER) / 2

    def ratio(freedom: float) -> float:
        return float(stdtrit(freedom, at_outer) / stdtrit(freedom, at_middle))

    low, high = HEAVIEST, LIGHTEST
    wanted = outer / middle if middle > 0 else np.inf
    for _ in range(50):
        between = float(np.sqrt(low * high))
        low, high = (between, high) if ratio(between) > wanted else (low, between)
    return Tail(outer / float(stdtrit(high, at_outer)), high)


def row_p_values(scores: FloatArray, among: BoolArray) -> FloatArray:
    """(n,) p-value of each row's score, whatever its sign, by the scores of the rows ``among`` (n,).

    Values predicted exactly say nothing of how far right values stray: they are 1 and shape no tail.
    """
    sizes = np.abs(scores)
    astray = sizes > 0
    p = np.ones(scores.size)
    if (astray & among).any():
        p[astray] = fit_tail(sizes[astray & among]).p_values(sizes[astray])
    return np.clip(p, 0.0, 1.0)


def benjamini_hochberg(p: FloatArray, fdr: float) -> BoolArray:
    """The rows to flag, so that the expected share of right values among them is at most ``fdr``.

    Args:
        p: (n,) p-values, uniform or larger where a value is right, independent or positively dependent.
        fdr: In (0, 1).

    Source: Benjamini & Hochberg (1995), J. R. Statist. Soc. B 57:289-300.

    >>> benjamini_hochberg(np.array([0.01, 0.9, 0.04, 0.3]), 0.1).tolist()
    [True, False, True, False]
    """
    if not p.size:
        return np.zeros(0, dtype=bool)
    ranked = np.sort(p)
    reached = np.flatnonzero(ranked <= fdr * np.arange(1, p.size + 1) / p.size)
    if not reached.size:
        return np.zeros(p.size, dtype=bool)
    flagged: BoolArray = p <= ranked[reached[-1]]
    return flagged


@dataclass(frozen=True, slots=True, eq=False)
class ValueVerdict:
    """``p`` (n,) in [0, 1], low is suspicious, and ``flagged`` (n,)."""

    p: FloatArray
    flagged: BoolArray


def judge_values(scores: FloatArray, fdr: float) -> ValueVerdict:
    """Flag scores at a false-discovery rate, against a distribution of right scores learnt from the table itself.

    Out-of-bag scores are exchangeable, so the score of one right value among right values has a conformal p-value.
    Which values are right is what is asked: so the reference is the t through the middle of the scores, fitted again
    without the rows flagged until the flags stay.

    Args:
        scores: (n,) as :func:`residual_scores` gives them.
        fdr: Expected share of right values among the flagged, in (0, 1).

    Raises:
        OptionError: ``fdr`` is not between 0 and 1.

    Source: conformal p-values under a false-discovery rate, Bates et al. (2023), Ann. Statist. 51:149-178; a null
    fitted to the middle, Efron (2004), JASA 99:96-104.

    >>> scores = np.append(np.random.default_rng(0).normal(size=200), 12.0)
    >>> np.flatnonzero(judge_values(scores, 0.1).flagged).tolist()
    [200]
    """
    check_fdr(fdr)
    flagged = np.zeros(scores.size, dtype=bool)
    for _ in range(MOST_ROUNDS):
        p = row_p_values(scores, ~flagged)
        again = benjamini_hochberg(p, fdr) & (p < 1)
        if np.array_equal(again, flagged):
            break
        flagged = again
    return ValueVerdict(p, flagged)


def check_fdr(fdr: float) -> None:
    """Refuse a rate that is none.

    Raises:
        OptionError: ``fdr`` is not a number between 0 and 1.
    """
    if isinstance(fdr, bool) or not isinstance(fdr, (int, float, np.floating)) or not 0 < fdr < 1:
        raise OptionError(f"fdr={fdr!r} is not a share between 0 and 1; for one false flag in ten pass 0.10.")
