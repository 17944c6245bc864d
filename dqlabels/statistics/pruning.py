"""Prune by noise rate: of each given → likely cell the rows with the largest margins, as a statistic that merges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dqlabels.statistics.arrays import BoolArray, FloatArray, IntArray, NarrowArray, RealArray
from dqlabels.statistics.classes import CACHE_BYTES, SUM_TOLERANCE, in_units, pairs_to_prune, pick, take
from dqlabels.statistics.selection import UNIT, VALUE_BITS, Selection

# In units: a row is pruned for another class only where that one is likelier than the given one.
MIN_MARGIN = 1
# Where more than this share of all cells want rows, whole rows are compared instead of pairing row and cell.
DENSE_SHARE = 0.1


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

    @classmethod
    def to_prune(cls, counts: IntArray, label_counts: IntArray) -> Cells:
        """What a confident joint (K, K) says to prune: the cells off its diagonal, calibrated to whole rows."""
        k = len(counts)
        given, likely, number = pairs_to_prune(counts, label_counts)
        off = (given != likely) & (number > 0)
        return cls.of(k, (given * k + likely)[off], number[off])

    def by_label(self) -> IntArray:
        """(K,) what the cells of each label want together."""
        return np.diff(np.concatenate([[0], np.cumsum(self.limits)]).take(self.starts))

    @property
    def n_classes(self) -> int:
        """K."""
        return self.starts.size - 1

    @property
    def dense(self) -> bool:
        """Whether so many cells want rows that comparing whole rows beats picking values out of them."""
        return self.codes.size >= DENSE_SHARE * self.n_classes**2


@dataclass(frozen=True, slots=True, eq=False)
class Disagreeing:
    """Rows (m,) of which another class is likelier than the given one: its code, that class, and both in units."""

    rows: IntArray
    codes: IntArray
    likely: IntArray
    given: IntArray
    top: IntArray

    def take(self, places: IntArray) -> Disagreeing:
        """Some of the rows."""
        return Disagreeing(*(getattr(self, name).take(places) for name in self.__slots__))


@dataclass(slots=True, eq=False)
class Rivals:
    """The rows that disagree, as the blocks they come in, in as few bytes as hold them.

    A block's arrays (m,) are the rows' numbers, their cells, which are given * K + likeliest class, and the
    probabilities of the two in units.
    """

    blocks: list[tuple[NarrowArray, NarrowArray, NarrowArray, NarrowArray]]

    @classmethod
    def empty(cls) -> Rivals:
        """Nothing seen yet."""
        return cls([])

    def update(self, rows: IntArray, cells: IntArray, given: RealArray, top: RealArray, n_cells: int) -> None:
        """Add the rows of a block, ascending, with their probabilities, not in units yet."""
        if not rows.size:
            return
        narrow = rows.astype(np.min_scalar_type(int(rows[-1]))), cells.astype(np.min_scalar_type(n_cells))
        self.blocks.append((*narrow, in_units(given).astype(np.uint32), in_units(top).astype(np.uint32)))

    def merge(self, other: Rivals) -> None:
        """Add what another state saw."""
        self.blocks += other.blocks

    def parts(self, n_classes: int) -> Iterator[Disagreeing]:
        """The blocks one after the other, in whole numbers of full width."""
        for block in self.blocks:
            rows, cells, given, top = (narrow.astype(np.int64) for narrow in block)
            codes = cells // n_classes
            yield Disagreeing(rows, codes, cells - codes * n_classes, given, top)


@dataclass(slots=True, eq=False)
class Margins:
    """The largest positive margins p_j - p_given of each of the ``cells``, in units: what prune by noise rate selects.

    Where many cells want rows, ``floors`` (K, K) is a margin that none of the rows each still takes lies below,
    in shares of 1 and infinite in the cells that want none, and ``keys`` (K * K,) what turns a margin into a key
    of ``chosen``; otherwise both are empty.

    Source: Northcutt et al. (2021), section 3.2.
    """

    cells: Cells
    chosen: Selection
    floors: RealArray
    keys: FloatArray
    settled: int

    @classmethod
    def empty(cls, cells: Cells, dtype: np.dtype[np.floating], cutoffs: FloatArray | None = None) -> Margins:
        """Nothing seen yet, of probabilities of this float type; margins below known ``cutoffs`` (C,) do not count."""
        k = cells.n_classes if cells.dense else 0
        margins = cls(cells, Selection.empty(cells.limits), np.full((k, k), np.inf, dtype), np.zeros(k * k), 0)
        np.maximum(margins.chosen.cutoffs, MIN_MARGIN if cutoffs is None else cutoffs, out=margins.chosen.cutoffs)
        if k:
            margins.keys[cells.codes] = np.arange(cells.codes.size) * float(1 << VALUE_BITS) + UNIT
            margins._lay_floors()
        return margins

    def _lay_floors(self) -> None:
        # Two units lower: one for the rounding of two probabilities, one for that of their difference.
        self.floors.ravel()[self.cells.codes] = (self.chosen.cutoffs - 2) / UNIT

    def update_likeliest(self, part: Disagreeing) -> None:
        """Offer the margins of the likeliest class of each row; there must be many cells."""
        keys, margins = self.keys.take(part.codes * len(self.floors) + part.likely), part.top - part.given
        near = np.flatnonzero((margins >= MIN_MARGIN) & (keys > 0))
        self.chosen.accept(part.rows.take(near), keys.take(near) + margins.take(near), settle=False)

    def update_others(self, part: Disagreeing, probs: RealArray) -> None:
        """Offer the margins of all classes but the likeliest, of rows of all probs (n, K); there must be many cells."""
        # No other class has more than these two leave it. Most rows have none that can lead by enough.
        room = int((1 + 2 * SUM_TOLERANCE[probs.dtype]) * UNIT) - part.top - 2 * part.given
        part = part.take(np.flatnonzero(room >= (self.floors.min(axis=1) * UNIT).take(part.codes)))
        step = max(1, CACHE_BYTES // (probs.shape[1] * probs.itemsize))
        for start in range(0, part.rows.size, step):
            self._offer_others(part.take(np.arange(start, min(start + step, part.rows.size))), probs)

    def _offer_others(self, part: Disagreeing, probs: RealArray) -> None:
        """Compare all classes of a row with the floors of its label."""
        k, rows, codes = probs.shape[1], part.rows, part.codes
        margins = probs.take(rows, axis=0)
        given = take(margins, codes)
        margins -= given[:, None]
        margins.ravel()[np.arange(0, margins.size, k) + part.likely] = -1
        found = np.flatnonzero(margins >= self.floors.take(codes, axis=0))
        at = found // k
        found += ((codes - np.arange(codes.size)) * k).take(at)  # now the cells' numbers
        offered = in_units(pick(probs, rows.take(at), found - codes.take(at) * k))
        offered -= part.given.take(at)
        near = np.flatnonzero(offered >= MIN_MARGIN)
        keys = self.keys.take(found.take(near)) + offered.take(near)
        self.chosen.accept(rows.take(at.take(near)), keys)
        if self.chosen.settled != self.settled:
            self.settled = self.chosen.settled
            np.maximum(self.chosen.cutoffs, MIN_MARGIN, out=self.chosen.cutoffs)
            self._lay_floors()

    def update_pairs(self, part: Disagreeing, probs: RealArray) -> None:
        """Pair each row with each of the few cells that its label wants, and offer their margins."""
        cells, k, codes = self.cells, probs.shape[1], part.codes
        wanted = np.diff(cells.starts).take(codes)
        paired = part.rows.repeat(wanted)
        places = np.arange(paired.size) - np.repeat(np.cumsum(wanted) - wanted - cells.starts.take(codes), wanted)
        margins = in_units(pick(probs, paired, cells.codes.take(places) % k))
        margins -= part.given.repeat(wanted)
        near = np.flatnonzero(margins >= MIN_MARGIN)
        self.chosen.update(paired[near], places[near], margins[near])

    def merge(self, other: Margins) -> None:
        """Take in what another state saw."""
        self.chosen.merge(other.chosen)

    def finish(self) -> BoolArray:
        """Cells (C,) that are full."""
        return self.chosen.finish()
