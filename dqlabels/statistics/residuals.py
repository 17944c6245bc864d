"""Wrong numbers: how far a value lies from what the other rows predict, and how far is too far.

Values are compared on a scale that is linear near the middle of the column and logarithmic far from it, so that a
single outlier neither distorts the predictions nor hides other wrong values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dqlabels.statistics.arrays import BoolArray, FloatArray, IntArray
from dqlabels.statistics.cutoffs import Counts
from dqlabels.statistics.local_rate import RightProbability, right_probability

# Share of the mean residual added to the spread of the trees: where they agree by chance, a small residual is no error.
FLOOR = 0.5
# Residuals are summed as whole numbers of 1 / UNIT, so that the sum does not depend on the order of the rows.
UNIT = 2**22
# Share of the absolute scores, smallest first, that the distribution of right values is fitted to, and in how many
# points they are taken (docs/regression.md compares other shares).
INNER, POINTS = 0.95, 200
# Share of the scores, smallest first, whose values are all taken to be right.
CERTAIN = 0.9
# Most right values that are taken to lie beyond them: with less, noise in small tables would decide.
MAX_BEYOND = 1.5 * (1 - INNER)
# Degrees of freedom. Fewer are seldom those of right values, and leave next to no score too large to be right.
MIN_FREEDOM, MAX_FREEDOM, FREEDOMS = 4.0, 200.0, 12
# Right values stray by at least a tenth of what is usual: models of an all but exact relation err most at its ends.
MIN_WIDTH = 0.1
# Widths that are tried: logarithms of the multiple of the scores' median, and the step between them.
WIDTHS, WIDTH_STEP = (-1.0, 1.5), 0.05
# Share of right values that lie in the interval around their prediction.
COMMON = 0.90
# A flagged value is at most this likely right, unless a higher false-discovery rate is asked for.
MOST_RIGHT = 0.5
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


@dataclass(frozen=True, slots=True)
class Usual:
    """What is usual for a row: ``share`` of the spread of its trees, plus ``floor``, the same for all rows."""

    share: float
    floor: float

    @classmethod
    def of(cls, mean_residual: float) -> Usual:
        """The spread of a row's trees plus half the mean absolute residual of the table."""
        return cls(1.0, FLOOR * mean_residual)

    def sizes(self, spread: FloatArray) -> FloatArray:
        """Distance (n,) from the prediction that is usual for rows of this spread (n,)."""
        return np.asarray(self.share * spread + self.floor)

    def scores(self, residuals: FloatArray, spread: FloatArray) -> FloatArray:
        """Divide residuals by what is usual for their row.

        Args:
            residuals: (n,) value less prediction, on the value scale.
            spread: (n,) standard deviation of the single trees' predictions, at least 0.

        Returns:
            (n,) scores with the sign of the residual; 0 where the prediction is exact.

        >>> Usual.of(2.0).scores(np.array([1.0, -3.0]), np.array([0.0, 0.5])).tolist()
        [1.0, -2.0]
        """
        usual = self.sizes(spread)
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


# Tail of a table whose values are all predicted exactly.
NO_TAIL = Tail(0.0, MAX_FREEDOM)


def fit_tail(sizes: FloatArray, cut: float) -> Tail:
    """Fit Student's t to the absolute scores up to ``cut``, where they end although right ones go on.

    Larger scores play no part, so they may be arbitrarily wrong; how many there are plays no part either.

    Args:
        sizes: (m,) absolute scores above 0 and at most ``cut``.
        cut: Where the fitted scores end.

    Source: maximum likelihood under truncation, as the null of Efron (2004), JASA 99:96-104, is fitted to the middle.

    >>> from scipy.special import stdtrit
    >>> sizes = -2 * stdtrit(5.0, np.linspace(0.025, 0.5, 300, endpoint=False))
    >>> tail = fit_tail(sizes, float(sizes.max()))
    >>> round(tail.width), 4 < tail.freedom < 7
    (2, True)
    """
    freedoms = np.exp(np.linspace(np.log(MIN_FREEDOM), np.log(MAX_FREEDOM), FREEDOMS))
    middle = float(np.median(sizes))
    coarse = middle * np.exp(np.arange(*WIDTHS, WIDTH_STEP))
    width, freedom = _likeliest(sizes, cut, coarse, freedoms)
    fine = width * np.exp(np.linspace(-WIDTH_STEP, WIDTH_STEP, 21))
    return Tail(max(_likeliest(sizes, cut, fine, np.array([freedom]))[0], MIN_WIDTH), freedom)


def _likeliest(sizes: FloatArray, cut: float, widths: FloatArray, freedoms: FloatArray) -> tuple[float, float]:
    """The width and the degrees of freedom under which these scores below the cut are likeliest."""
    from scipy.special import gammaln, stdtr

    freedom = freedoms[:, None]
    squares = (sizes / widths[:, None]) ** 2
    bends = np.array([np.log1p(squares / one).mean(axis=1) for one in freedoms.tolist()])
    beyond = 2 * stdtr(freedom, -cut / widths)
    constant = gammaln((freedom + 1) / 2) - gammaln(freedom / 2) - np.log(freedom) / 2
    likelihoods = constant - np.log(widths) - (freedom + 1) / 2 * bends - np.log1p(-beyond)
    likelihoods[beyond > MAX_BEYOND] = -np.inf
    best, at = np.unravel_index(int(likelihoods.argmax()), likelihoods.shape)
    return float(widths[at]), float(freedoms[best])


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

    def finish(self, fdr: float, tail: Tail | None = None) -> SizeRule:
        """Return the rule for scores, which flags at this false-discovery rate.

        The tail is fitted to the inner scores, and then to all that are not flagged by that: the inner ones alone say
        too little of a tail, and all of them would count the wrong ones in.

        Args:
            fdr: The rate.
            tail: The tail of right values, where trusted rows gave it.
        """
        cells = np.flatnonzero(self.counts[1:]) + 1  # cell 0 holds values predicted exactly
        if not cells.size:
            return SizeRule(NO_TAIL, right_probability(np.empty(0), cells, np.empty(0)), np.inf, 0.0)
        counts = self.counts[cells]
        inner = 1 + int(np.searchsorted(counts.cumsum(), INNER * int(counts.sum())))
        if tail is not None:
            return _size_rule(cells, counts, inner, fdr, tail)
        first = _size_rule(cells, counts, inner, fdr)
        return _size_rule(cells, counts, max(inner, int(np.searchsorted(cell_edges(cells), first.cutoff))), fdr)


def _size_rule(cells: IntArray, counts: IntArray, fitted: int, fdr: float, known: Tail | None = None) -> SizeRule:
    """The rule by the rows (m,) in these cells (m,), to the first ``fitted`` of which a tail is fitted if not known."""
    edges, ends, upto = cell_edges(cells), cell_edges(cells + 1), counts.cumsum()
    centers, rows, inside, cut = (edges + ends) / 2, int(upto[-1]), int(upto[fitted - 1]), float(ends[fitted - 1])
    points = centers[np.searchsorted(upto, (np.arange(POINTS) + 0.5) / POINTS * inside)]
    tail = fit_tail(points, cut) if known is None else known
    beyond, at_cut = tail.p_values(edges), float(tail.p_values(np.array([cut]))[0])
    expected = min(inside / (1 - at_cut), float(rows)) * (beyond - np.append(beyond[1:], 0.0))
    # Wrong values among the inner scores cannot be told, so all of these count as right.
    right = right_probability(centers, counts, np.where(upto <= CERTAIN * rows, counts, expected))
    each = right.of(centers)
    inside_common = (counts * each).cumsum()
    common = float(centers[np.searchsorted(inside_common, COMMON * inside_common[-1])])
    return SizeRule(tail, right, _cutoff(edges, counts, each, fdr), common)


def _cutoff(edges: FloatArray, counts: IntArray, right: FloatArray, fdr: float) -> float:
    """Smallest edge (m,) above which the mean P(right) is at most ``fdr``, each cell's being at most even."""
    beyond = (counts * right)[::-1].cumsum()[::-1] / counts[::-1].cumsum()[::-1]
    flagged = np.flatnonzero((beyond <= fdr) & (right <= max(fdr, MOST_RIGHT)))
    return float(edges[flagged[0]]) if flagged.size else np.inf


@dataclass(frozen=True, slots=True)
class SizeRule:
    """What absolute scores mean: the ``tail`` of right values, P(``right``), and the ``cutoff`` of flagged ones.

    ``cutoff`` is infinite where none is flagged; ``common`` is the size that ``COMMON`` of the right values' scores do
    not exceed.
    """

    tail: Tail
    right: RightProbability
    cutoff: float
    common: float


@dataclass(frozen=True, slots=True)
class ValueRule:
    """What is known of a table after all passes, enough to judge any of its rows alone."""

    usual: Usual
    sizes: SizeRule

    def judge(self, residuals: FloatArray, spread: FloatArray) -> ValueVerdict:
        """Return scores, P(right) and flags of rows (n,)."""
        scores = self.usual.scores(residuals, spread)
        sizes = np.abs(scores)
        return ValueVerdict(scores, self.sizes.right.of(sizes), sizes >= self.sizes.cutoff)

    def reach(self, spread: FloatArray) -> FloatArray:
        """Distance (n,) from the prediction within which ``COMMON`` of right values lie, by each row's spread."""
        return np.asarray(self.usual.sizes(spread) * self.sizes.common)


@dataclass(frozen=True, slots=True, eq=False)
class ValueVerdict:
    """Signed ``scores`` (n,), P(``right``) (n,) in [0, 1], and ``flagged`` (n,)."""

    scores: FloatArray
    right: FloatArray
    flagged: BoolArray


def judge_values(
    residuals: FloatArray, spread: FloatArray, fdr: float, usual: Usual | None = None
) -> tuple[ValueRule, ValueVerdict]:
    """Flag values at a false-discovery rate, against a distribution of right scores learnt from the table itself.

    It is not known which values are right, so the distribution of right scores is Student's t fitted to the inner
    scores. Together with the counts of all scores it says how likely a value is right.

    Args:
        residuals: (n,) value less prediction, on the value scale.
        spread: (n,) standard deviation of the single trees' predictions, at least 0.
        fdr: Expected share of right values among the flagged, in (0, 1).
        usual: What is usual for a row; by default :meth:`Usual.of` the mean residual.

    Source: the two-groups model with an empirical null, Efron (2004), JASA 99:96-104.

    >>> from scipy.special import ndtri
    >>> residuals = np.append(ndtri(np.linspace(0.005, 0.995, 199)), 12.0)
    >>> np.flatnonzero(judge_values(residuals, np.zeros(200), 0.1)[1].flagged).tolist()
    [199]
    """
    if usual is None:
        tally = ResidualTally()
        tally.update(residuals, residuals)
        usual = Usual.of(tally.finish())
    sizes = SizeCounts.empty()
    sizes.update(np.abs(usual.scores(residuals, spread)))
    rule = ValueRule(usual, sizes.finish(fdr))
    return rule, rule.judge(residuals, spread)
