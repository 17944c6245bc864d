"""Prune by noise rate, as a mergeable statistic: the rows with the largest margins of each given → likely cell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dqlabels.statistics.arrays import FloatArray, IntArray, NarrowArray, RealArray
from dqlabels.statistics.classes import CACHE_BYTES, SUM_TOLERANCE, in_units, pairs_to_prune, pick, take
from dqlabels.statistics.selection import UNIT, VALUE_BITS, Selection

# In units: a row is pruned for another class only if that class is likelier than the given one.
MIN_MARGIN = 1
# If more than this share of all cells want rows, whole rows are compared instead of pairing rows with cells.
DENSE_SHARE = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """The C given → likely cells, of all K x K, from which rows are to be pruned, in ascending order.

    ``codes`` (C,) are their numbers, given * K + likely; ``starts`` (K + 1,) is where the cells of each given class
    begin; ``limits`` (C,) is how many rows to prune from each.
    """

    codes: IntArray
    starts: IntArray
    limits: IntArray

    @classmethod
    def of(cls, n_classes: int, codes: IntArray, limits: IntArray) -> Cells:
        """Cells by their number, in ascending order, each with its limit."""
        return cls(codes, np.searchsorted(codes, np.arange(n_classes + 1) * n_classes), limits)

    @classmethod
    def to_prune(cls, counts: IntArray, label_counts: IntArray) -> Cells:
        """Cells off the diagonal of a confident joint (K, K), with its calibrated counts as limits."""
        k = len(counts)
        given, likely, number = pairs_to_prune(counts, label_counts)
        off = (given != likely) & (number > 0)
        return cls.of(k, (given * k + likely)[off], number[off])

    def by_label(self) -> IntArray:
        """Rows to prune from each given class, shape (K,)."""
        return np.diff(np.concatenate([[0], np.cumsum(self.limits)]).take(self.starts))

    @property
    def n_classes(self) -> int:
        """Number of classes, K."""
        return self.starts.size - 1

    @property
    def dense(self) -> bool:
        """Whether so many cells want rows that comparing whole rows is faster than picking values out of them."""
        return self.codes.size >= DENSE_SHARE * self.n_classes**2


@dataclass(frozen=True, slots=True, eq=False)
class Disagreeing:
    """Rows whose likeliest class is not the given one.

    ``rows``, ``codes`` and ``likely`` (m,) are row numbers, given classes and likeliest classes; ``given`` and ``top``
    (m,) are the probabilities of these two classes in units.
    """

    rows: IntArray
    codes: IntArray
    likely: IntArray
    given: IntArray
    top: IntArray

    def take(self, places: IntArray) -> Disagreeing:
        """Select the rows at these places."""
        return Disagreeing(*(getattr(self, name).take(places) for name in self.__slots__))


@dataclass(slots=True, eq=False)
class Rivals:
    """Blocks of rows whose likeliest class is not the given one, in as few bytes as hold them.

    The arrays (m,) of a block are row numbers, cells (given * K + likeliest class), and the probabilities of the given
    and the likeliest class in units.
    """

    blocks: list[tuple[NarrowArray, NarrowArray, NarrowArray, NarrowArray]]

    def update(self, rows: IntArray, cells: IntArray, given: RealArray, top: RealArray, n_cells: int) -> None:
        """Add a block.

        Args:
            rows: (m,) row numbers, in ascending order.
            cells: (m,) given * K + likeliest class.
            given: (m,) probability of the given class, not in units yet.
            top: (m,) probability of the likeliest class, not in units yet.
            n_cells: K * K.
        """
        if not rows.size:
            return
        narrow = rows.astype(np.min_scalar_type(int(rows[-1]))), cells.astype(np.min_scalar_type(n_cells))
        self.blocks.append((*narrow, in_units(given).astype(np.uint32), in_units(top).astype(np.uint32)))

    def merge(self, other: Rivals) -> None:
        """Add the blocks of another state."""
        self.blocks += other.blocks

    def parts(self, n_classes: int) -> Iterator[Disagreeing]:
        """Yield the blocks one by one, as 64-bit integers."""
        for block in self.blocks:
            rows, cells, given, top = (narrow.astype(np.int64) for narrow in block)
            codes = cells // n_classes
            yield Disagreeing(rows, codes, cells - codes * n_classes, given, top)


@dataclass(slots=True, eq=False)
class Margins:
    """Selection by prune by noise rate: the largest positive margins p_j - p_given of each of the ``cells``, in units.

    If many cells want rows, ``floors`` (K, K) holds a lower bound of the margins that each cell still accepts
    (as probabilities, not units; infinite in cells that want no rows), and ``keys`` (K * K,) is added to a margin to
    make a key of ``chosen``. Otherwise both are empty.

    Source: Northcutt et al. (2021), section 3.2.
    """

    cells: Cells
    chosen: Selection
    floors: RealArray
    keys: FloatArray
    settled: int

    @classmethod
    def empty(cls, cells: Cells, dtype: np.dtype[np.floating], cutoffs: FloatArray | None = None) -> Margins:
        """Return a state without rows; margins below ``cutoffs`` (C,), if these are known, are never selected."""
        k = cells.n_classes if cells.dense else 0
        margins = cls(cells, Selection.empty(cells.limits), np.full((k, k), np.inf, dtype), np.zeros(k * k), 0)
        np.maximum(margins.chosen.cutoffs, MIN_MARGIN if cutoffs is None else cutoffs, out=margins.chosen.cutoffs)
        if k:
            margins.keys[cells.codes] = np.arange(cells.codes.size) * float(1 << VALUE_BITS) + UNIT
            margins._lay_floors()
        return margins

    def _lay_floors(self) -> None:
        # Two units lower: one for rounding the two probabilities, one for rounding their difference.
        self.floors.ravel()[self.cells.codes] = (self.chosen.cutoffs - 2) / UNIT

    def update_likeliest(self, part: Disagreeing) -> None:
        """Offer the margin of each row's likeliest class; only if the cells are ``dense``."""
        keys, margins = self.keys.take(part.codes * len(self.floors) + part.likely), part.top - part.given
        near = np.flatnonzero((margins >= MIN_MARGIN) & (keys > 0))
        self.chosen.accept(part.rows.take(near), keys.take(near) + margins.take(near), settle=False)

    def update_others(self, part: Disagreeing, probs: RealArray) -> None:
        """Offer the margins of the other classes, from all rows' probs (n, K); only if the cells are ``dense``."""
        # No other class can have more than these two leave. In most rows that is too little to reach a floor.
        room = int((1 + 2 * SUM_TOLERANCE) * UNIT) - part.top - 2 * part.given
        part = part.take(np.flatnonzero(room >= (self.floors.min(axis=1) * UNIT).take(part.codes)))
        step = max(1, CACHE_BYTES // (probs.shape[1] * probs.itemsize))
        for start in range(0, part.rows.size, step):
            self._offer_others(part.take(np.arange(start, min(start + step, part.rows.size))), probs)

    def _offer_others(self, part: Disagreeing, probs: RealArray) -> None:
        """Compare all classes of each row with the floors of its given class."""
        k, rows, codes = probs.shape[1], part.rows, part.codes
        margins = probs.take(rows, axis=0)
        given = take(margins, codes)
        margins -= given[:, None]
        margins.ravel()[np.arange(0, margins.size, k) + part.likely] = -1
        reached = np.flatnonzero(margins >= self.floors.take(codes, axis=0))
        at = reached // k
        numbers = reached + ((codes - np.arange(codes.size)) * k).take(at)  # of the cells
        offered = in_units(pick(probs, rows.take(at), numbers - codes.take(at) * k))
        offered -= part.given.take(at)
        near = np.flatnonzero(offered >= MIN_MARGIN)
        keys = self.keys.take(numbers.take(near)) + offered.take(near)
        self.chosen.accept(rows.take(at.take(near)), keys)
        if self.chosen.settled != self.settled:
            self.settled = self.chosen.settled
            np.maximum(self.chosen.cutoffs, MIN_MARGIN, out=self.chosen.cutoffs)
            self._lay_floors()

    def update_pairs(self, part: Disagreeing, probs: RealArray) -> None:
        """Pair each row with each cell of its given class, and offer the margins; for few cells."""
        cells, k, codes = self.cells, probs.shape[1], part.codes
        wanted = np.diff(cells.starts).take(codes)
        paired = part.rows.repeat(wanted)
        places = np.arange(paired.size) - np.repeat(np.cumsum(wanted) - wanted - cells.starts.take(codes), wanted)
        margins = in_units(pick(probs, paired, cells.codes.take(places) % k))
        margins -= part.given.repeat(wanted)
        near = np.flatnonzero(margins >= MIN_MARGIN)
        self.chosen.update(paired[near], places[near], margins[near])
