"""Confident learning as statistics that merge: numpy in, numpy out, the same answer whatever the row order.

Every function here sees a block of rows; what must be known of all rows is a state with ``update`` (one
block), ``merge`` (another state) and ``finish``. Sums are integers and selections are by value, so no
answer depends on the size, order or number of the blocks.

Source: Northcutt, Jiang & Chuang (2021), JAIR 70:1373-1411 (arXiv 1911.00068).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dqlabels.errors import ProbabilityError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

FILTERS = (
    "prune_by_noise_rate",
    "prune_by_class",
    "both",
    "confident_learning",
    "predicted_neq_given",
    "low_self_confidence",
    "low_normalized_margin",
)
SCORES = ("normalized_margin", "self_confidence", "confidence_weighted_entropy")

# A probability becomes a whole number of these units, so that its sums are exact in any order.
UNIT = 2**24
# A selection sorts out what was offered once this many values wait.
SELECT_EVERY = 1 << 18
# Up to this many classes a block is turned on its side: numpy runs along columns of thousands of rows.
FEW_CLASSES = 24
# Rounding that a row's sum may show, by the precision of the matrix.
SUM_TOLERANCE = {np.dtype(np.float32): 1e-3, np.dtype(np.float64): 1e-3}
# Entropy over a smaller self-confidence is no longer told apart (cleanlab's constant).
LEAST_CONFIDENCE = 1e-6


def take(probs: NDArray[Any], classes: NDArray[Any]) -> NDArray[Any]:
    """(m,) the probability of one class (m,) in each row."""
    k = probs.shape[1]
    if not probs.flags.c_contiguous:
        return np.asarray(probs[np.arange(len(probs)), classes])
    return np.asarray(probs.ravel().take(np.arange(0, probs.size, k) + classes))


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """What each of m rows says, ties going to the lower class.

    ``given`` (m,) p of its label, ``rival`` (m,) the likeliest other class, ``top`` (m,) p of that class.
    """

    given: NDArray[Any]
    rival: IntArray
    top: NDArray[Any]

    def disagree(self) -> BoolArray:
        """(m,) true where another class is likelier than the given one."""
        disagree: BoolArray = self.top > self.given
        return disagree

    def likely(self, codes: IntArray) -> IntArray:
        """(m,) the likeliest of all classes."""
        return np.where(self.wins(codes), self.rival, codes)

    def wins(self, codes: IntArray) -> BoolArray:
        """(m,) true where the rival is the likeliest of all classes."""
        wins: BoolArray = (self.top > self.given) | ((self.top == self.given) & (self.rival < codes))
        return wins


def read_rows(codes: IntArray, probs: NDArray[Any], first_row: int = 0) -> Rows:
    """Check one block of probabilities and compare each row's label with its strongest rival.

    Args:
        codes: (m,) class positions.
        probs: (m, K) float32 or float64, K >= 2.
        first_row: Row number of the block's first row, for messages.

    Raises:
        ProbabilityError: A value that is not a probability, or a row that does not sum to 1.

    >>> rows = read_rows(np.array([0, 1]), np.array([[0.9, 0.1], [0.7, 0.3]]))
    >>> rows.disagree().tolist()
    [False, True]
    """
    at = np.arange(codes.size)
    given = take(probs, codes)
    if probs.shape[1] <= FEW_CLASSES:
        columns = np.array(probs.T, order="C")  # a copy always: it is written to below
        sums, least = columns.sum(axis=0), columns.min(initial=0)
        _check_block(probs, sums, least, first_row)
        columns[codes, at] = -1
        top = columns[0].copy()
        rival = np.zeros(codes.size, dtype=np.int64)
        for k in range(1, columns.shape[0]):
            np.putmask(rival, columns[k] > top, k)
            np.maximum(top, columns[k], out=top)
        return Rows(given, rival, top)
    _check_block(probs, probs.sum(axis=1), probs.min(initial=0), first_row)
    others = probs.copy()
    others[at, codes] = -1
    rival = others.argmax(axis=1)
    return Rows(given, rival, others[at, rival])


def _check_block(probs: NDArray[Any], sums: NDArray[Any], least: Any, first_row: int) -> None:
    # With no value below 0 and every sum near 1 no value can be above 1; NaN fails both comparisons.
    tolerance = SUM_TOLERANCE[probs.dtype]
    if least >= 0 and bool((np.abs(sums - 1) <= tolerance).all()):
        return
    if not np.isfinite(probs).all():
        bad = ~np.isfinite(probs).all(axis=1)
        fault, advice = "hold NaN or infinity", "Predict for every row, or drop the rows that have no prediction."
    elif (probs < 0).any():
        bad = (probs < 0).any(axis=1)
        fault, advice = "hold negative values", "Pass probabilities, not scores; for logits apply softmax first."
    elif (probs > 1 + tolerance).any():
        bad = (probs > 1 + tolerance).any(axis=1)
        fault, advice = "hold values above 1", "Pass probabilities between 0 and 1, not percentages or scores."
    else:
        bad = np.abs(sums - 1) > tolerance
        fault, advice = "do not sum to 1", "Pass probabilities, not scores; for logits apply softmax first."
    first = int(np.argmax(bad))
    seen = ", ".join(f"{value:.4g}" for value in probs[first, :6].tolist())
    raise ProbabilityError(
        f"pred_probs: {int(bad.sum()):,} of the {len(probs):,} rows from row {first_row} on {fault} "
        f"(row {first_row + first}: {seen}{', …' if probs.shape[1] > 6 else ''}; sum {float(sums[first]):.4g}). "
        + advice
    )


@dataclass(slots=True, eq=False)
class ClassTally:
    """Rows and summed self-confidence of each class; ``confidence`` is in units of 2**-24, so exact."""

    rows: IntArray
    confidence: IntArray

    @classmethod
    def empty(cls, n_classes: int) -> ClassTally:
        """Nothing seen yet."""
        return cls(np.zeros(n_classes, dtype=np.int64), np.zeros(n_classes, dtype=np.int64))

    def update(self, codes: IntArray, given: NDArray[Any]) -> None:
        """Add the self-confidence (m,) of a block; a block of under 2**29 rows stays exact in float64."""
        units = np.rint(given.astype(np.float64) * UNIT)
        k = self.rows.size
        self.rows += np.bincount(codes, minlength=k)
        self.confidence += np.bincount(codes, weights=units, minlength=k).astype(np.int64)

    def merge(self, other: ClassTally) -> None:
        """Add what another state saw."""
        self.rows += other.rows
        self.confidence += other.confidence

    def finish(self) -> FloatArray:
        """Thresholds (K,): mean self-confidence of the rows carrying each label, NaN for a class without rows.

        Source: the threshold t_j of Northcutt et al. (2021), equation 2.

        >>> tally = ClassTally.empty(2)
        >>> tally.update(np.array([0, 0, 1]), np.array([1.0, 0.5, 0.25]))
        >>> tally.finish().tolist()
        [0.75, 0.25]
        """
        thresholds: FloatArray = np.full(self.rows.size, np.nan)
        np.divide(self.confidence, self.rows * np.float64(UNIT), out=thresholds, where=self.rows > 0)
        return thresholds

    def bars(self) -> FloatArray:
        """(K,) the least probability that reaches each threshold; infinite for a class without rows.

        In units a row reaches it when q >= ceil(sum / count). With q = rint(p * 2**24) that is p above half a
        unit below the bar, at which rint goes to the even neighbour.
        """
        least = -(-self.confidence // np.maximum(self.rows, 1))
        bars = (least - 0.5) / UNIT
        bars = np.where(least % 2 == 0, bars, np.nextafter(bars, 2.0))
        return np.where(self.rows > 0, bars, np.inf)


def confident_class(codes: IntArray, probs: NDArray[Any], rows: Rows, bars: FloatArray) -> IntArray:
    """(m,) the likeliest class among those whose bar the row reaches; -1 where it reaches none.

    Source: the set X_{ỹ=i,y*=j} of Northcutt et al. (2021), equation 1.
    """
    likely = rows.likely(codes)
    strongest = np.maximum(rows.given, rows.top)
    sure = strongest >= bars[likely]
    # A row whose strongest class is below every bar reaches none: no need to look at its other classes.
    unreached = strongest < bars.min()
    likely[unreached] = -1
    unsure = np.flatnonzero(~(sure | unreached))
    if not unsure.size:
        return likely
    rest = probs[unsure]
    if rest.shape[1] > FEW_CLASSES:
        reached = rest >= bars
        some = reached.any(axis=1)
        likely[unsure[~some]] = -1
        likely[unsure[some]] = np.where(reached[some], rest[some], -1).argmax(axis=1)
        return likely
    top = np.full(unsure.size, -1.0)
    best = np.full(unsure.size, -1)
    for k in range(rest.shape[1]):
        column = rest[:, k]
        better = (column >= bars[k]) & (column > top)
        np.putmask(best, better, k)
        np.putmask(top, better, column)
    likely[unsure] = best
    return likely


@dataclass(slots=True, eq=False)
class JointTally:
    """Counts (K, K) of given x confident class: the confident joint."""

    counts: IntArray

    @classmethod
    def empty(cls, n_classes: int) -> JointTally:
        """Nothing seen yet."""
        return cls(np.zeros((n_classes, n_classes), dtype=np.int64))

    def update(self, codes: IntArray, confident: IntArray) -> None:
        """Count a block's rows; those with no confident class (-1) count nowhere."""
        k = self.counts.shape[0]
        counted = confident >= 0
        self.counts += np.bincount(codes[counted] * k + confident[counted], minlength=k * k).reshape(k, k)

    def merge(self, other: JointTally) -> None:
        """Add what another state saw."""
        self.counts += other.counts


def calibrate(counts: IntArray, label_counts: IntArray) -> FloatArray:
    """The confident joint (K, K) rescaled so that each row sums to its label count; a row of none counts as right.

    Source: Northcutt et al. (2021), equation 3.

    >>> calibrate(np.array([[3, 1], [0, 0]]), np.array([8, 2])).tolist()
    [[6.0, 2.0], [0.0, 2.0]]
    """
    filled = counts.astype(np.float64)
    empty = counts.sum(axis=1) == 0
    filled[empty, empty] = 1.0
    return np.asarray(filled * (label_counts / filled.sum(axis=1))[:, None])


def prune_counts(counts: IntArray, label_counts: IntArray) -> IntArray:
    """(K, K) rows to prune from each given → likely cell: the calibrated joint to the nearest whole number."""
    totals = np.maximum(counts.sum(axis=1, keepdims=True), 1)
    # In whole numbers, half up: the same on every machine, and blind to the order of the classes.
    return np.asarray((2 * counts * label_counts[:, None] + totals) // (2 * totals))


@dataclass(slots=True, eq=False)
class Selection:
    """The rows with the ``limits`` largest values of each cell, and all that tie with the last of them.

    ``rows``, ``cells`` and ``values`` hold what is still in the running; ``cuts`` is the least value selected so
    far, -inf while a cell has fewer values than its limit. ``waiting`` counts those not yet held against a cut.
    """

    limits: IntArray
    rows: IntArray
    cells: IntArray
    values: FloatArray
    cuts: FloatArray
    waiting: list[tuple[IntArray, IntArray, FloatArray]]

    @classmethod
    def empty(cls, limits: IntArray) -> Selection:
        """Nothing seen yet; ``limits`` (C,) is how many to select in each cell."""
        cuts = np.where(limits > 0, -np.inf, np.inf)
        none = np.empty(0, dtype=np.int64)
        return cls(limits, none, none, np.empty(0), cuts, [])

    def update(self, rows: IntArray, cells: IntArray, values: FloatArray) -> None:
        """Offer the values (m,) of a block's rows (m,), each to its cell (m,)."""
        running = values >= self.cuts[cells]
        self.waiting.append((rows[running], cells[running], values[running]))
        # Sorting out is worth its cost once as much is waiting as was kept.
        if sum(part[0].size for part in self.waiting) > max(SELECT_EVERY, self.rows.size):
            self._settle()

    def merge(self, other: Selection) -> None:
        """Offer all that another state kept."""
        other._settle()
        self.update(other.rows, other.cells, other.values)

    def _settle(self) -> None:
        parts = [(self.rows, self.cells, self.values), *self.waiting]
        self.waiting = []
        rows, cells, values = (np.concatenate([part[at] for part in parts]) for at in range(3))
        order = np.argsort(cells.astype(np.min_scalar_type(self.limits.size)), kind="stable")
        rows, cells, values = rows[order], cells[order], values[order]
        sizes = np.bincount(cells, minlength=self.limits.size)
        ends = np.cumsum(sizes)
        for cell in np.flatnonzero((sizes >= self.limits) & (self.limits > 0)):
            found = values[ends[cell] - sizes[cell] : ends[cell]]
            last = found.size - self.limits[cell]
            self.cuts[cell] = np.partition(found, last)[last]
        kept = values >= self.cuts[cells]
        self.rows, self.cells, self.values = rows[kept], cells[kept], values[kept]

    def finish(self) -> FloatArray:
        """Cuts (C,): a value at or above its cell's cut is selected; ``rows`` are then those selected.

        >>> chosen = Selection.empty(np.array([2, 1]))
        >>> chosen.update(np.arange(4), np.array([0, 0, 0, 1]), np.array([0.1, 0.3, 0.2, 0.5]))
        >>> chosen.finish().tolist(), sorted(chosen.rows.tolist())
        ([0.2, 0.5], [1, 2, 3])
        """
        self._settle()
        return self.cuts


def offer_margins(
    selection: Selection,
    rows: IntArray,
    codes: IntArray,
    probs: NDArray[Any],
    given: NDArray[Any],
    wanted: BoolArray,
    *,
    least: float,
) -> None:
    """Offer p_j - p_given of a block to its given → j cells, where ``wanted`` (K, K) and above ``least``.

    Source: the margin of prune by noise rate, Northcutt et al. (2021), section 3.2.
    """
    k = wanted.shape[0]
    if k > FEW_CLASSES:
        margins = probs - given[:, None]
        above = np.flatnonzero(margins > least)
        at, columns = np.divmod(above, k)
        taken = wanted[codes[at], columns]
        at, columns = at[taken], columns[taken]
        selection.update(rows[at], codes[at] * k + columns, margins[at, columns].astype(np.float64))
        return
    for j in range(k):
        margin = probs[:, j] - given
        at = np.flatnonzero(margin > least)
        at = at[wanted[codes[at], j]]
        if at.size:
            selection.update(rows[at], codes[at] * k + j, margin[at].astype(np.float64))


def adjust_probs(probs: NDArray[Any], thresholds: FloatArray) -> FloatArray:
    """Probabilities (m, K) less each class's threshold, shifted to stay positive and rescaled to sum to 1.

    Source: Northcutt et al. (2021), section 4.3; the shift is cleanlab's.
    """
    highest = np.nanmax(thresholds)
    # A class without rows has no threshold; the highest leaves its probability as it is.
    shift = highest - np.where(np.isnan(thresholds), highest, thresholds)
    adjusted: FloatArray = probs + shift
    adjusted /= adjusted.sum(axis=1, keepdims=True)
    return adjusted


def margin_quality(given: NDArray[Any], top: NDArray[Any]) -> FloatArray:
    """Normalized margin (m,): (p_given - p_strongest_rival + 1) / 2, in [0, 1]."""
    quality: FloatArray = (given.astype(np.float64) - top + 1) / 2
    return np.clip(quality, 0.0, 1.0)


def entropy_quality(probs: NDArray[Any], given: NDArray[Any]) -> FloatArray:
    """Confidence-weighted entropy (m,) in [0, 1]: log(1 + e) / e with e = normalized entropy / p_given.

    As e goes to 0 this goes to 1: a row whose label has probability 1 is as good as can be.

    Source: Kuan & Mueller (2022), "Model-agnostic label quality scoring".

    >>> entropy_quality(np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([1.0, 0.5])).round(3).tolist()
    [1.0, 0.549]
    """
    weighed = weighed_entropy(probs, given)
    return np.divide(np.log1p(weighed), weighed, out=np.ones_like(weighed), where=weighed > 0)


def weighed_entropy(probs: NDArray[Any], given: NDArray[Any]) -> FloatArray:
    """(m,) entropy over log K, divided by the self-confidence."""
    p = probs.astype(np.float64)
    logs = np.log(p, out=np.zeros_like(p), where=p > 0)
    entropy = np.maximum(-(p * logs).sum(axis=1) / np.log(probs.shape[1]), 0.0)
    weighed: FloatArray = entropy / np.maximum(given, LEAST_CONFIDENCE)
    return weighed


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """What confident learning says of n rows and K classes; arrays are read-only.

    ``quality`` (n,) in [0, 1]; ``flagged`` (n,) bool; ``suggested`` (n,) codes, the given ones unless flagged;
    ``likely`` (n,) likeliest class; ``class_counts`` (K,); ``thresholds`` (K,), NaN for a class without rows;
    ``confident_joint`` (K, K) raw counts; ``joint`` (K, K) calibrated, sums to 1.
    """

    quality: FloatArray
    flagged: BoolArray
    suggested: IntArray
    likely: IntArray
    class_counts: IntArray
    thresholds: FloatArray
    confident_joint: IntArray
    joint: FloatArray

    def __post_init__(self) -> None:
        for name in self.__slots__:
            getattr(self, name).setflags(write=False)
