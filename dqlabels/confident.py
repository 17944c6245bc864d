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
from dqlabels.selection import UNIT, VALUE_BITS, BoolArray, FloatArray, IntArray, Selection

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

# Up to this many classes numpy is fastest down the columns of a block, above it along the rows.
FEW_CLASSES = 4
# Where more rows than this need a look at all their classes, picking them out is not worth it.
OPEN_SHARE = 0.5
# Where more than this share of all cells want rows, whole rows are compared instead of pairing row and cell.
DENSE_SHARE = 0.1
# Rounding that a row's sum may show, by the precision of the matrix.
SUM_TOLERANCE = {np.dtype(np.float32): 1e-3, np.dtype(np.float64): 1e-3}
# Entropy over a smaller self-confidence is no longer told apart (cleanlab's constant).
LEAST_CONFIDENCE = 1e-6
# In units: a row is pruned for another class only where that one is likelier than the given one.
LEAST_MARGIN = 1


def take(probs: NDArray[Any], classes: NDArray[Any]) -> NDArray[Any]:
    """(m,) the probability of one class (m,) in each row."""
    k = probs.shape[1]
    if not probs.flags.c_contiguous:
        return np.asarray(probs[np.arange(len(probs)), classes])
    at = np.arange(0, probs.size, k)
    at += classes
    return np.asarray(probs.ravel().take(at))


def in_units(probs: NDArray[Any]) -> NDArray[Any]:
    """Probabilities as whole numbers of 2**-24, in their own float type, which holds them exactly."""
    units = np.multiply(probs, probs.dtype.type(UNIT))
    return np.asarray(np.rint(units, out=units))


def likeliest(probs: NDArray[Any]) -> tuple[IntArray, NDArray[Any]]:
    """(m,) the likeliest class of each row, the lowest of those that tie, and (m,) its probability.

    >>> [found.tolist() for found in likeliest(np.array([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8]]))]
    [[0, 0, 1], [0.9, 0.5, 0.8]]
    """
    if probs.shape[1] > FEW_CLASSES:
        likely = probs.argmax(axis=1)
        return likely, take(probs, likely)
    top, likely = probs[:, 0].copy(), np.zeros(len(probs), dtype=np.int64)
    for k in range(1, probs.shape[1]):
        np.putmask(likely, probs[:, k] > top, k)
        np.maximum(top, probs[:, k], out=top)
    return likely, top


def likeliest_beside(codes: IntArray, given: NDArray[Any], probs: NDArray[Any]) -> tuple[IntArray, NDArray[Any]]:
    """As ``likeliest``, for rows (m, K) that sum to 1 and whose labels' probability (m,) is known.

    Where that is above one half no other class can be likelier, so those rows are not looked at.
    """
    open_rows = np.flatnonzero(given <= (1 + SUM_TOLERANCE[probs.dtype]) / 2)
    if probs.shape[1] <= FEW_CLASSES or open_rows.size > OPEN_SHARE * codes.size:
        return likeliest(probs)
    likely, top = codes.copy(), given.copy()
    likely[open_rows], top[open_rows] = likeliest(probs.take(open_rows, axis=0))
    return likely, top


def strongest_rival(codes: IntArray, probs: NDArray[Any]) -> NDArray[Any]:
    """(m,) the probability of the likeliest class other than the given one."""
    if probs.shape[1] == 2:
        return take(probs, 1 - codes)
    others = probs.copy()
    others.ravel()[np.arange(0, probs.size, probs.shape[1]) + codes] = -1
    return likeliest(others)[1]


def row_sums(probs: NDArray[Any]) -> NDArray[Any]:
    """(m,) sums of the rows."""
    if probs.shape[1] > FEW_CLASSES:
        return np.asarray(np.einsum("ij->i", probs))  # unlike sum(axis=1) without a call for each row
    sums = probs[:, 0] + probs[:, 1]
    for k in range(2, probs.shape[1]):
        sums += probs[:, k]
    return np.asarray(sums)


def check_block(probs: NDArray[Any], first_row: int = 0) -> None:
    """Refuse rows (m, K) that are not probabilities; ``first_row`` numbers the block's first row in messages.

    Raises:
        ProbabilityError: NaN, infinity, a negative value, or a row that does not sum to 1.
    """
    tolerance = SUM_TOLERANCE[probs.dtype]
    sums = row_sums(probs)
    # With no value below 0 and every sum near 1 no value can be above 1; NaN fails the comparisons.
    if probs.min(initial=0) >= 0 and sums.min(initial=1) >= 1 - tolerance and sums.max(initial=1) <= 1 + tolerance:
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
        bad = (sums < 1 - tolerance) | (sums > 1 + tolerance)
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
        k = self.rows.size
        self.rows += np.bincount(codes, minlength=k)
        summed = np.bincount(codes, weights=in_units(given), minlength=k)
        # What is no number here is refused by check_block, which names the row.
        self.confidence += np.nan_to_num(summed, nan=0, posinf=0, neginf=0).astype(np.int64)

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


def confident_class(probs: NDArray[Any], likely: IntArray, top: NDArray[Any], bars: FloatArray) -> IntArray:
    """(m,) the likeliest class among those whose bar the row reaches; -1 where it reaches none.

    ``likely`` and ``top`` (m,) are each row's likeliest class of all and its probability.

    Source: the set X_{ỹ=i,y*=j} of Northcutt et al. (2021), equation 1.
    """
    unsure = np.flatnonzero(top < bars.take(likely))
    if not unsure.size:
        return likely
    confident: IntArray = likely.copy()
    confident[unsure] = -1
    # A row whose strongest class is below every bar reaches none: no need to look at its other classes.
    unsure = unsure[top[unsure] >= bars.min()]
    rest = probs.take(unsure, axis=0)
    reached = np.flatnonzero(rest >= bars)
    if not reached.size:
        return confident
    at, values = reached // probs.shape[1], rest.ravel().take(reached)
    starts = np.flatnonzero(np.diff(at, prepend=-1))
    best = np.repeat(np.maximum.reduceat(values, starts), np.diff(starts, append=at.size))
    # Backwards, so that of classes that tie the lowest is written last.
    chosen = np.flatnonzero(values == best)[::-1]
    confident[unsure.take(at[chosen])] = reached[chosen] % probs.shape[1]
    return confident


@dataclass(slots=True, eq=False)
class JointTally:
    """Counts (K, K) of given x confident class: the confident joint; ``waiting`` holds cells not yet counted."""

    counts: IntArray
    waiting: list[IntArray]
    waiting_rows: int

    @classmethod
    def empty(cls, n_classes: int) -> JointTally:
        """Nothing seen yet."""
        return cls(np.zeros((n_classes, n_classes), dtype=np.int64), [], 0)

    def update(self, codes: IntArray, confident: IntArray) -> None:
        """Count a block's rows; those with no confident class (-1) count nowhere."""
        # With a column of its own for -1 no row need be picked out.
        cells = codes * (self.counts.shape[0] + 1)
        cells += confident
        cells += 1
        self._wait([cells])

    def merge(self, other: JointTally) -> None:
        """Add what another state saw."""
        self.counts += other.counts
        self._wait(other.waiting)

    def _wait(self, parts: list[IntArray]) -> None:
        self.waiting += parts
        self.waiting_rows += sum(part.size for part in parts)
        # Many classes have more cells than a block has rows: counting is worth a pass over them later.
        if self.waiting_rows >= self.counts.size:
            self.finish()

    def finish(self) -> IntArray:
        """The counts (K, K).

        >>> joint = JointTally.empty(2)
        >>> joint.update(np.array([0, 1, 1]), np.array([0, -1, 0]))
        >>> joint.finish().tolist()
        [[1, 0], [1, 0]]
        """
        if self.waiting:
            k = self.counts.shape[0]
            cells = np.bincount(np.concatenate(self.waiting), minlength=k * (k + 1))
            self.counts += cells.reshape(k, k + 1)[:, 1:]
            self.waiting, self.waiting_rows = [], 0
        return self.counts


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
    totals = counts.sum(axis=1)
    given, likely = np.nonzero(counts)  # of many classes few pairs are ever seen
    seen, total = counts[given, likely], totals[given]
    prune = np.zeros_like(counts)
    # In whole numbers, half up: the same on every machine, and blind to the order of the classes.
    prune[given, likely] = (2 * seen * label_counts[given] + total) // (2 * total)
    return prune


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """The given → likely cells that want rows: C of all K x K, in ascending order.

    ``codes`` (C,) number them all; ``starts`` (K + 1,) is where each label's begin; ``limits`` (C,) is what
    they want.
    """

    codes: IntArray
    starts: IntArray
    limits: IntArray

    @classmethod
    def of(cls, n_classes: int, codes: IntArray, limits: IntArray) -> Cells:
        """Cells by their number, ascending, each with its limit."""
        return cls(codes, np.searchsorted(codes, np.arange(n_classes + 1) * n_classes), limits)

    @property
    def n_classes(self) -> int:
        """K."""
        return self.starts.size - 1

    @property
    def dense(self) -> bool:
        """Whether so many cells want rows that comparing whole rows beats picking values out of them."""
        return self.codes.size >= DENSE_SHARE * self.n_classes**2


@dataclass(slots=True, eq=False)
class Margins:
    """The largest positive margins p_j - p_given of each of the ``cells``, in units: what prune by noise rate selects.

    Where many cells want rows, ``floors`` (K, K) is the least margin each still takes, infinite in the cells
    that want none, and ``keys`` (K * K,) what turns a margin into a key of ``chosen``; otherwise both are empty.

    Source: Northcutt et al. (2021), section 3.2.
    """

    cells: Cells
    chosen: Selection
    floors: NDArray[Any]
    keys: FloatArray
    settled: int

    @classmethod
    def empty(cls, cells: Cells, dtype: Any) -> Margins:
        """Nothing seen yet, of probabilities of this float type."""
        k = cells.n_classes if cells.dense else 0
        floors, keys = np.full((k, k), np.inf, dtype), np.zeros(k * k)
        if k:
            floors.ravel()[cells.codes] = LEAST_MARGIN
            keys[cells.codes] = np.arange(cells.codes.size) * float(1 << VALUE_BITS) + UNIT
        return cls(cells, Selection.empty(cells.limits), floors, keys, 0)

    def update(self, rows: IntArray, codes: IntArray, probs: NDArray[Any], first_row: int = 0) -> None:
        """Offer the margins of ``rows`` (m,), ascending, of a block with labels (b,) and probs (b, K)."""
        offer = self._offer_whole_rows if self.cells.dense else self._offer_pairs
        offer(rows, codes.take(rows), probs, first_row)

    def _offer_whole_rows(self, rows: IntArray, codes: IntArray, probs: NDArray[Any], first_row: int) -> None:
        """Compare all classes of a row with the floors of its label."""
        k = probs.shape[1]
        margins = in_units(probs.take(rows, axis=0))
        margins -= take(margins, codes)[:, None]
        found = np.flatnonzero(margins >= self.floors.take(codes, axis=0))
        at = found // k
        keys = self.keys.take(found + ((codes - np.arange(codes.size)) * k).take(at))
        keys += margins.ravel().take(found)
        self.chosen.accept(rows.take(at) + first_row, keys)
        if self.chosen.settled != self.settled:
            self.settled = self.chosen.settled
            self.floors.ravel()[self.cells.codes] = np.maximum(self.chosen.cuts, LEAST_MARGIN)

    def _offer_pairs(self, rows: IntArray, codes: IntArray, probs: NDArray[Any], first_row: int) -> None:
        """Pair each row with each of the few cells that its label wants."""
        cells, k = self.cells, probs.shape[1]
        wanted = np.diff(cells.starts).take(codes)
        paired = rows.repeat(wanted)
        places = np.arange(paired.size) - np.repeat(np.cumsum(wanted) - wanted - cells.starts.take(codes), wanted)
        margins = in_units(probs[paired, cells.codes.take(places) % k])
        margins -= in_units(probs[rows, codes]).repeat(wanted)
        near = np.flatnonzero(margins >= LEAST_MARGIN)
        self.chosen.update(paired[near] + first_row, places[near], margins[near])

    def merge(self, other: Margins) -> None:
        """Take in what another state saw."""
        self.chosen.merge(other.chosen)

    def finish(self) -> BoolArray:
        """Cells (C,) that are full."""
        return self.chosen.finish()


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

    As e goes to 0 this goes to 1: a row whose label has probability 1 is as good as can be. A row that is sure
    of another class has no entropy either, and is as bad as can be: 0.

    Source: Kuan & Mueller (2022), "Model-agnostic label quality scoring".

    >>> entropy_quality(np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([1.0, 0.5])).round(3).tolist()
    [1.0, 0.549]
    """
    weighed = weighed_entropy(probs, given)
    sure = (np.asarray(given) > 0).astype(np.float64)
    return np.divide(np.log1p(weighed), weighed, out=sure, where=weighed > 0)


def weighed_entropy(probs: NDArray[Any], given: NDArray[Any]) -> FloatArray:
    """(m,) entropy over log K, divided by the self-confidence."""
    p = probs.astype(np.float64)
    logs = np.log(p, out=np.zeros_like(p), where=p > 0)
    entropy = np.maximum(-(p * logs).sum(axis=1) / np.log(probs.shape[1]), 0.0)
    weighed: FloatArray = entropy / np.maximum(given, LEAST_CONFIDENCE)
    return weighed


def block_quality(codes: IntArray, probs: NDArray[Any], score: str) -> FloatArray:
    """The quality (m,) of a block's labels by one of ``SCORES``."""
    given = take(probs, codes)
    if score == "self_confidence":
        return np.clip(given.astype(np.float64), 0.0, 1.0)
    if score == "confidence_weighted_entropy":
        return entropy_quality(probs, given)
    return margin_quality(given, strongest_rival(codes, probs))


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
