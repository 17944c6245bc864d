"""Confident learning as mergeable statistics, which give the same answer whatever the order of the rows.

Every function takes a block of rows. What depends on all rows is a state with ``update`` (add a block), ``merge``
(add another state) and ``finish``. Sums are integers and rows are selected by value, so no answer depends on the
size, order or number of the blocks.

Source: Northcutt, Jiang & Chuang (2021), JAIR 70:1373-1411 (arXiv 1911.00068).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from dqlabels.errors import ProbabilityError
from dqlabels.statistics.arrays import BoolArray, FloatArray, IntArray, NarrowArray, RealArray
from dqlabels.statistics.selection import UNIT

PRUNE_RULES = (
    "prune_by_noise_rate",
    "prune_by_class",
    "both",
    "confident_learning",
    "predicted_neq_given",
    "low_self_confidence",
    "low_normalized_margin",
)

# Up to this many classes numpy is fastest down the columns of a transposed block, above it along the rows. Row sums
# are faster along the rows already from a few classes on.
FEW_CLASSES, FEW_SUMMANDS = 16, 4
# Blocks that are read twice are split into parts of this many bytes, which stay in a core's own cache.
CACHE_BYTES = 1024 * 1024
# With more cells per row than this, rows are counted by sorting them.
CELLS_A_ROW = 8
# How far a row's sum may be from 1.
SUM_TOLERANCE = 1e-3
# The unsigned integer as wide as each float type.
WHOLE: dict[np.dtype[np.floating], np.dtype[np.unsignedinteger]] = {
    np.dtype(np.float32): np.dtype(np.uint32),
    np.dtype(np.float64): np.dtype(np.uint64),
}


def take(probs: RealArray, classes: NarrowArray) -> RealArray:
    """Probability of one class (m,) in each row, shape (m,)."""
    k = probs.shape[1]
    if not probs.flags.c_contiguous:
        return np.asarray(probs[np.arange(len(probs)), classes])
    return np.asarray(probs.ravel().take(np.arange(0, probs.size, k) + classes))


def pick(probs: RealArray, rows: IntArray, classes: IntArray) -> RealArray:
    """Probability of one class (m,) in each of the given rows (m,), shape (m,)."""
    if not probs.flags.c_contiguous:
        return np.asarray(probs[rows, classes])
    return np.asarray(probs.ravel().take(rows * probs.shape[1] + classes))


def replaced_at(rows: IntArray, codes: IntArray, others: NarrowArray) -> IntArray:
    """A copy of the classes (n,) in which these rows (m,) have those of ``others`` (n,).

    >>> replaced_at(np.array([2]), np.array([0, 0, 0]), np.array([1, 1, 1])).tolist()
    [0, 0, 1]
    """
    replaced: IntArray = codes.copy()
    replaced[rows] = others[rows]
    return replaced


def in_units(probs: RealArray) -> RealArray:
    """Round probabilities to whole multiples of 2**-24; the float type stays, and holds them exactly."""
    units = np.multiply(probs, probs.dtype.type(UNIT))
    return np.asarray(np.rint(units, out=units))


def likeliest(probs: RealArray) -> tuple[IntArray, RealArray]:
    """Likeliest class of each row (m,), the lowest of those that tie, and its probability (m,).

    >>> [part.tolist() for part in likeliest(np.array([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8]]))]
    [[0, 0, 1], [0.9, 0.5, 0.8]]
    """
    if probs.shape[1] > FEW_CLASSES:
        likely = probs.argmax(axis=1)
        return likely, take(probs, likely)
    few, top = _likeliest_down(np.ascontiguousarray(probs.T))
    return few.astype(np.int64), top


def _highest_of(probs: RealArray) -> RealArray:
    """Highest probability (m,) of each row."""
    if probs.shape[1] > FEW_CLASSES:
        return likeliest(probs)[1]  # the place of a maximum is found faster than the maximum
    return np.asarray(np.ascontiguousarray(probs.T).max(axis=0))


def model_error(codes: IntArray, likely: IntArray) -> float:
    """Share of rows whose likeliest class (m,) is not the given one (m,).

    >>> model_error(np.array([0, 1, 1, 0]), np.array([0, 1, 0, 0]))
    0.25
    """
    return float((likely != codes).mean())


def _likeliest_down(columns: RealArray) -> tuple[NDArray[np.uint8], RealArray]:
    """``likeliest`` for a transposed block (K, m)."""
    k = len(columns)
    top = columns.max(axis=0)
    # Classes count as K, K - 1, ... 1, so the maximum over those that tie is the lowest class.
    marks = (columns == top).view(np.uint8)
    marks *= np.arange(k, 0, -1, dtype=np.uint8)[:, None]
    return np.subtract(k, marks.max(axis=0), dtype=np.uint8), top


def likeliest_checked(
    probs: RealArray, first_row: int = 0, *, codes: IntArray | None = None, rivals: RealArray | None = None
) -> tuple[NarrowArray, RealArray]:
    """Check every row and return ``likeliest``, with the classes in as few bytes as numpy needs.

    Args:
        probs: (m, K) a block of rows.
        first_row: The number of its first row, for messages.
        codes: (m,) labels of the rows.
        rivals: (m,) takes their :func:`strongest_rival`, while the rows are in cache.

    Raises:
        ProbabilityError: NaN, infinity, a negative value, or a row that does not sum to 1.
    """
    wide = probs.shape[1] > FEW_CLASSES
    likely: NarrowArray = np.empty(len(probs), dtype=np.intp if wide else np.uint8)
    top, sums = np.empty((2, len(probs)), dtype=probs.dtype)
    # Read as unsigned integers, negative values and NaN exceed every allowed probability, so the maximum gives them
    # away. It gives -0 away too, which is allowed.
    bits = WHOLE[probs.dtype]
    for part in in_cache(probs):
        rows = probs[part]
        if wide:
            rows.view(bits).argmax(axis=1, out=likely[part])
            top[part], sums[part] = take(rows, likely[part]), row_sums(rows)
            if codes is not None and rivals is not None:
                rivals[part] = _rivals_along(rows, codes[part], likely[part], top[part])
        else:
            columns = np.array(rows.T, order="C")
            likely[part], top.view(bits)[part] = _likeliest_down(columns.view(bits))
            columns.sum(axis=0, out=sums[part])
            if codes is not None and rivals is not None:
                rivals[part] = _rivals_down(columns, codes[part])
    if len(probs) and not (sum_to_one(sums) and top.view(bits).max() <= _highest(probs.dtype).view(bits)):
        check_block(probs, first_row)
        clean = probs + probs.dtype.type(0)  # without the sign of -0
        return likeliest_checked(clean, first_row, codes=codes, rivals=rivals)
    return likely, top


def _rivals_along(rows: RealArray, codes: IntArray, likely: NarrowArray, top: RealArray) -> RealArray:
    """``strongest_rival`` of rows (m, K): the likeliest class where that is not the given one, else the next."""
    rivals: RealArray = top.copy()
    agreeing = np.flatnonzero(codes == likely)
    rivals[agreeing] = likeliest(_without(rows.take(agreeing, axis=0), codes.take(agreeing)))[1]
    return rivals


def _rivals_down(columns: RealArray, codes: IntArray) -> RealArray:
    """``strongest_rival`` of a transposed block (K, m), which is overwritten."""
    columns[codes, np.arange(codes.size)] = -1
    return np.asarray(columns.max(axis=0))


def in_cache(probs: RealArray, n_rows: int | None = None) -> list[slice]:
    """Split a block into parts that stay in a core's own cache while they are read more than once.

    Args:
        probs: (m, K) the block, or any rows like its own.
        n_rows: How many rows to split, by default those of ``probs``.
    """
    rows, step = len(probs) if n_rows is None else n_rows, max(1, CACHE_BYTES // (probs.shape[1] * probs.itemsize))
    return [slice(start, min(start + step, rows)) for start in range(0, rows, step)]


def strongest_rival(codes: IntArray, probs: RealArray) -> RealArray:
    """Probability of the likeliest class other than the given one, shape (m,)."""
    if probs.shape[1] == 2:
        return take(probs, 1 - codes)
    rivals: RealArray = np.empty(codes.size, dtype=probs.dtype)
    for part in in_cache(probs):
        if probs.shape[1] > FEW_CLASSES:
            rivals[part] = likeliest(_without(probs[part].copy(), codes[part]))[1]
        else:
            rivals[part] = _rivals_down(np.array(probs[part].T, order="C"), codes[part])
    return rivals


def _without(probs: RealArray, classes: NarrowArray) -> RealArray:
    """Set one class (m,) of each row to -1 in place, so that it is never the likeliest, and return the rows."""
    probs.ravel()[np.arange(0, probs.size, probs.shape[1]) + classes] = -1
    return probs


def row_sums(probs: RealArray) -> RealArray:
    """Row sums, shape (m,)."""
    if probs.shape[1] > FEW_SUMMANDS:
        return np.asarray(np.einsum("ij->i", probs))  # unlike sum(axis=1) without a call for each row
    sums = probs[:, 0] + probs[:, 1]
    for k in range(2, probs.shape[1]):
        sums += probs[:, k]
    return np.asarray(sums)


def check_block(probs: RealArray, first_row: int = 0) -> None:
    """Raise unless the rows (m, K) are probabilities; ``first_row`` is the number of the block's first row.

    Raises:
        ProbabilityError: NaN, infinity, a negative value, or a row that does not sum to 1.
    """
    for part in in_cache(probs):
        # If no value is below 0 and every sum is near 1, no value can be above 1; NaN fails the comparisons.
        if not (probs[part].min() >= 0 and sum_to_one(row_sums(probs[part]))):
            _refuse(probs, first_row)


def sum_to_one(sums: RealArray) -> bool:
    """Whether all row sums (m,) are near enough to 1."""
    return bool(sums.min() >= 1 - SUM_TOLERANCE and sums.max() <= _highest(sums.dtype))


def _highest(dtype: np.dtype[np.floating]) -> np.floating:
    """Highest probability and row sum allowed, in the float type of the matrix."""
    highest: np.floating = dtype.type(1 + SUM_TOLERANCE)
    return highest


def _refuse(probs: RealArray, first_row: int) -> NoReturn:
    bad, fault, advice = fault_of(probs)
    first = int(np.argmax(bad))
    raise ProbabilityError(
        f"pred_probs: {int(bad.sum()):,} of the {len(probs):,} rows from row {first_row} on {fault} "
        f"(row {first_row + first}: {shown_probs(probs[first])}). {advice}"
    )


def fault_of(probs: RealArray) -> tuple[BoolArray, str, str]:
    """Return which rows (m, K) are no probabilities, what is wrong with them, and what to do, both in words."""
    sums = row_sums(probs)
    if not np.isfinite(probs).all():
        bad = np.asarray(~np.isfinite(probs).all(axis=1))
        return bad, "hold NaN or infinity", "Predict for every row, or drop the rows that have no prediction."
    if (probs < 0).any():
        bad = np.asarray((probs < 0).any(axis=1))
        return bad, "hold negative values", "Pass probabilities, not scores; for logits apply softmax first."
    if (probs > 1 + SUM_TOLERANCE).any():
        bad = np.asarray((probs > 1 + SUM_TOLERANCE).any(axis=1))
        return bad, "hold values above 1", "Pass probabilities between 0 and 1, not percentages or scores."
    bad = (sums < 1 - SUM_TOLERANCE) | (sums > 1 + SUM_TOLERANCE)
    return bad, "do not sum to 1", "Pass probabilities, not scores; for logits apply softmax first."


def shown_probs(row: RealArray) -> str:
    """Return a row (K,) of probabilities as a message shows it.

    >>> shown_probs(np.array([0.5, 0.25]))
    '0.5, 0.25; sum 0.75'
    """
    values = ", ".join(f"{value:.4g}" for value in row[:6].tolist())
    return f"{values}{', …' if row.size > 6 else ''}; sum {float(row_sums(row[None])[0]):.4g}"


@dataclass(slots=True, eq=False)
class ClassTally:
    """Rows (K,) and summed self-confidence (K,) of each class, in units of 2**-24 so that sums are exact."""

    rows: IntArray
    confidence: IntArray

    @classmethod
    def empty(cls, n_classes: int) -> ClassTally:
        """Return a state without rows."""
        return cls(np.zeros(n_classes, dtype=np.int64), np.zeros(n_classes, dtype=np.int64))

    def update(self, codes: IntArray, given: RealArray) -> None:
        """Add the self-confidence (m,) of a block's rows; blocks of fewer than 2**29 rows stay exact in float64."""
        k, units = self.rows.size, in_units(given)
        if k == 2:  # sums of whole numbers are exact in any order, and faster than counting by class
            second, summed_second = codes.sum(), (units * codes).sum(dtype=np.float64)
            rows = np.array([codes.size - second, second])
            summed = np.array([units.sum(dtype=np.float64) - summed_second, summed_second])
        else:
            rows, summed = np.bincount(codes, minlength=k), np.bincount(codes, weights=units, minlength=k)
        self.rows += rows
        # NaN and infinity are refused by check_block, which names the row.
        self.confidence += np.where(np.isfinite(summed), summed, 0).astype(np.int64)

    def merge(self, other: ClassTally) -> None:
        """Add the sums of another state."""
        self.rows += other.rows
        self.confidence += other.confidence

    def sums(self) -> IntArray:
        """Return integers that can be added to those of other parts of the table."""
        return np.asarray(np.concatenate([self.rows, self.confidence]))

    def add_sums(self, sums: IntArray) -> None:
        """Add the ``sums`` of other parts of the table."""
        rows, confidence = np.split(sums, 2)
        self.rows += rows
        self.confidence += confidence

    def finish(self) -> FloatArray:
        """Threshold of each class, shape (K,): mean self-confidence of the rows carrying it, NaN without rows.

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
        """Smallest probability that reaches each threshold, shape (K,); infinite for a class without rows.

        In units a row reaches its threshold when q >= ceil(sum / count). Since q = rint(p * 2**24), that holds for
        every p more than half a unit below, and at exactly half a unit where rint rounds up to an even number.
        """
        units = -(-self.confidence // np.maximum(self.rows, 1))
        bars = (units - 0.5) / UNIT
        bars = np.where(units % 2 == 0, bars, np.nextafter(bars, 2.0))
        return np.where(self.rows > 0, bars, np.inf)


def confident_class(probs: RealArray, likely: NarrowArray, top: RealArray, bars: FloatArray) -> NarrowArray:
    """Likeliest class among those whose bar the row reaches, shape (m,); -1 where it reaches none.

    Args:
        probs: (m, K) probabilities.
        likely: (m,) likeliest class of each row, whatever its bar.
        top: (m,) its probability.
        bars: (K,) as :meth:`ClassTally.bars` gives them.

    Source: the set X_{ỹ=i,y*=j} of Northcutt et al. (2021), equation 1.
    """
    reaches, lowest_bar = top >= bars.take(likely), bars.min()
    confident = likely.astype(np.int8 if probs.shape[1] <= FEW_CLASSES else np.int64)
    confident += 1
    confident *= reaches
    confident -= 1
    # A row whose likeliest class is below every bar reaches none, and where that class leaves less than the lowest
    # bar no other class can reach its own. Other classes matter in the remaining rows alone.
    open_to_others = top >= lowest_bar
    open_to_others &= top <= 1 + SUM_TOLERANCE - lowest_bar
    open_to_others &= ~reaches
    unsure = np.flatnonzero(open_to_others)
    step = max(1, CACHE_BYTES // (probs.shape[1] * probs.itemsize))
    for start in range(0, unsure.size, step):
        part = unsure[start : start + step]
        rows, classes = _next_confident(part, probs, likely, bars)
        confident[rows] = classes
    return confident


def _next_confident(
    rows: IntArray, probs: RealArray, likely: NarrowArray, bars: FloatArray
) -> tuple[IntArray, IntArray]:
    """Select the rows that reach the bar of a class other than the likeliest, and that class."""
    rest = _without(probs.take(rows, axis=0), likely.take(rows))
    near = np.flatnonzero(_highest_of(rest) >= bars.min())
    rows, rest = rows[near], rest[near]
    reached = np.flatnonzero(rest >= bars)
    if not reached.size:
        return reached, reached
    at, values = reached // probs.shape[1], rest.ravel().take(reached)
    starts = np.flatnonzero(np.diff(at, prepend=-1))
    best = np.repeat(np.maximum.reduceat(values, starts), np.diff(starts, append=at.size))
    # Backwards, so that the lowest of classes that tie is written last.
    chosen = np.flatnonzero(values == best)[::-1]
    return rows.take(at[chosen]), reached[chosen] % probs.shape[1]


@dataclass(slots=True, eq=False)
class JointTally:
    """Confident joint: ``counts`` (K, K) by given and confident class; cells in ``waiting`` are not counted yet."""

    counts: IntArray
    waiting: list[IntArray]
    waiting_rows: int
    counted_rows: int

    @classmethod
    def empty(cls, n_classes: int) -> JointTally:
        """Return a state without rows."""
        return cls(np.zeros((n_classes, n_classes), dtype=np.int64), [], 0, 0)

    def update(self, codes: IntArray, confident: NarrowArray) -> None:
        """Count a block's rows; those without a confident class (-1) are left out."""
        # -1 has a column of its own, so no row has to be filtered out.
        k = self.counts.shape[0]
        cells = np.arange(1, k * (k + 1), k + 1, dtype=np.int16 if k <= FEW_CLASSES else np.int64).take(codes)
        cells += confident
        self._wait([cells])

    def add(self, counts: IntArray, rows: int) -> None:
        """Add counts (K, K) of this many rows."""
        self.counts += counts
        self.counted_rows += rows

    def merge(self, other: JointTally) -> None:
        """Add the sums of another state."""
        if other.counted_rows:
            self.add(other.counts, other.counted_rows)
        self._wait(other.waiting)

    def sums(self) -> IntArray:
        """Return integers that can be added to those of other parts of the table."""
        return np.array(self.finish()).ravel()

    def add_sums(self, sums: IntArray) -> None:
        """Add the ``sums`` of other parts of the table."""
        self.add(sums.reshape(self.counts.shape), int(sums.sum()))

    def _wait(self, parts: list[IntArray]) -> None:
        self.waiting += parts
        self.waiting_rows += sum(part.size for part in parts)
        # Many classes have more cells than a block has rows: counting is worth a pass over them later.
        if self.waiting_rows >= self.counts.size:
            self.finish()

    def finish(self) -> IntArray:
        """Return the confident joint, shape (K, K).

        >>> joint = JointTally.empty(2)
        >>> joint.update(np.array([0, 1, 1]), np.array([0, -1, 0]))
        >>> joint.finish().tolist()
        [[1, 0], [1, 0]]
        """
        if self.waiting:
            k = self.counts.shape[0]
            cells = np.concatenate(self.waiting) if len(self.waiting) > 1 else self.waiting[0]
            if cells.size * CELLS_A_ROW >= self.counts.size:
                self.counts += np.bincount(cells, minlength=k * (k + 1)).reshape(k, k + 1)[:, 1:]
            else:
                places, rows = np.unique(cells[cells % (k + 1) > 0], return_counts=True)
                self.counts[places // (k + 1), places % (k + 1) - 1] += rows
            self.counted_rows += self.waiting_rows
            self.waiting, self.waiting_rows = [], 0
        return self.counts


def pairs_in(counts: IntArray) -> tuple[IntArray, IntArray]:
    """Row and column indices of the counts (K, K) that are not 0; with many classes most pairs never occur."""
    cells = np.flatnonzero(counts.ravel() != 0)  # many times faster than nonzero in two dimensions
    return cells // counts.shape[1], cells % counts.shape[1]


def calibrate(counts: IntArray, label_counts: IntArray) -> FloatArray:
    """Rescale the confident joint (K, K) so that rows sum to the label counts; an empty row is put on the diagonal.

    Source: Northcutt et al. (2021), equation 3.

    >>> calibrate(np.array([[3, 1], [0, 0]]), np.array([8, 2])).tolist()
    [[6.0, 2.0], [0.0, 2.0]]
    """
    totals = counts.sum(axis=1)
    empty = np.flatnonzero(totals == 0)
    scale = label_counts / np.where(totals == 0, 1, totals)
    given, likely = pairs_in(counts)
    joint = np.zeros(counts.shape)
    joint[given, likely] = counts[given, likely] * scale[given]
    joint[empty, empty] = label_counts[empty]
    return joint


def prune_counts(counts: IntArray, label_counts: IntArray) -> IntArray:
    """Rows to prune from each given → likely cell, shape (K, K): the calibrated joint rounded to whole rows."""
    prune = np.zeros(counts.shape, dtype=np.int64)
    given, likely, number = pairs_to_prune(counts, label_counts)
    prune[given, likely] = number
    return prune


def pairs_to_prune(counts: IntArray, label_counts: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """``prune_counts`` of the cells that are not empty: given class, likely class and number, each (C,), ascending."""
    given, likely = pairs_in(counts)
    rows, total = counts[given, likely], counts.sum(axis=1)[given]
    # In integers, halves rounded up: the same on every machine, and for every order of the classes.
    return given, likely, (2 * rows * label_counts[given] + total) // (2 * total)


@dataclass(frozen=True, slots=True, eq=False)
class Flags:
    """The flags of n rows, and the statistics of K classes that they follow from.

    ``flagged`` (n,) bool; ``label_counts`` (K,); ``thresholds`` (K,); ``counts`` (K, K) raw confident joint;
    ``joint`` (K, K) calibrated, sums to 1.
    """

    flagged: BoolArray
    label_counts: IntArray
    thresholds: FloatArray
    counts: IntArray
    joint: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """Result of confident learning for n rows and K classes; arrays are read-only.

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
