"""Mergeable selection of the largest values in each cell, by which rows are picked for pruning, out of core too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dqlabels.statistics.arrays import BoolArray, FloatArray, IntArray, RealArray

# Row numbers and keys are kept in as few bytes as hold them.
KeyArray = NDArray[np.unsignedinteger]

# A probability becomes a whole number of these units, so that its sums are exact in any order.
UNIT = 2**24
# A selection's values lie in [-UNIT, UNIT]; a key holds the cell above this many bits and the value in them.
VALUE_BITS = 26
# A selection settles once this many candidates wait.
SELECT_EVERY = 1 << 16
# A histogram has about four bins a key, but no more than this many counters unless there are more cells.
COUNTER_BITS = 12


@dataclass(slots=True, eq=False)
class Selection:
    """The rows with the ``limits`` (C,) largest values of each of C cells, and all rows that tie with the last of them.

    Values are whole numbers in [-UNIT, UNIT], held in floats; ``cutoffs`` (C,) is the smallest value that can still be
    selected. ``rows`` and ``keys`` hold the candidates in parts; a key combines cell and value in one number. They are
    thinned out once ``settle_at`` candidates wait.
    """

    limits: IntArray
    cutoffs: FloatArray
    rows: list[KeyArray]
    keys: list[KeyArray]
    waiting: int = 0
    settled: int = 0
    settle_at: int = SELECT_EVERY

    @classmethod
    def empty(cls, limits: IntArray, *, settle_at: int = SELECT_EVERY) -> Selection:
        """Return a selection without candidates; ``limits`` (C,) is how many to select in each cell."""
        return cls(limits, np.where(limits > 0, float(-UNIT), np.inf), [], [], settle_at=settle_at)

    def update(self, rows: IntArray, cells: IntArray, values: RealArray) -> None:
        """Offer the values (m,) of a block's rows (m,), which are in ascending order, each to its cell (m,)."""
        running = np.flatnonzero(values >= self.cutoffs.take(cells))
        self.accept(rows[running], (cells[running] << VALUE_BITS) + values[running] + UNIT)

    def accept(self, rows: IntArray, keys: RealArray | KeyArray, *, settle: bool = True) -> None:
        """Add rows (m,) that reach the cutoffs, with their keys (m,): cell * 2**VALUE_BITS + value + UNIT."""
        if not rows.size:
            return
        self.rows.append(rows.astype(np.min_scalar_type(max(int(rows[-1]), 1 << 16))))
        self.keys.append(keys.astype(np.min_scalar_type(self.limits.size << VALUE_BITS)))
        self.waiting += rows.size
        # Settling is worth its cost once as many candidates wait as were kept the last time.
        if settle and self.waiting > max(self.settle_at, self.settled):
            self.settle()

    def merge(self, other: Selection) -> None:
        """Add the candidates of another selection, and its cutoffs: a row below them was never a candidate there."""
        np.maximum(self.cutoffs, other.cutoffs, out=self.cutoffs)
        self.rows += other.rows
        self.keys += other.keys
        other.rows, other.keys = [], []

    def settle(self) -> BoolArray:
        """Drop candidates beyond the limits, and return (C,) true for the cells that are full.

        The others had fewer values than their limit, so no cutoff.
        """
        if not self.keys:
            return self.limits <= 0
        lowest, full = lowest_selected(self.keys, self.limits)
        self.cutoffs[full] = (lowest[full] & ((1 << VALUE_BITS) - 1)).astype(np.float64) - UNIT
        for at, keys in enumerate(self.keys):
            selected = np.flatnonzero(keys >= lowest.take(_leading(keys, VALUE_BITS, self.limits.size)))
            if selected.size < keys.size:
                self.keys[at], self.rows[at] = keys[selected], self.rows[at][selected]
        self.settled, self.waiting = sum(keys.size for keys in self.keys), 0
        settled = self.limits <= 0
        settled[full] = True
        return settled

    def selected(self, cells: BoolArray) -> KeyArray:
        """Rows selected in those of the ``cells`` (C,) that are true, once the selection is settled.

        >>> chosen = Selection.empty(np.array([2, 1]))
        >>> chosen.update(np.arange(4), np.array([0, 0, 0, 1]), np.array([1, 3, 2, 5]))
        >>> sorted(chosen.selected(chosen.settle()).tolist())
        [1, 2, 3]
        """
        return np.concatenate([np.empty(0, dtype=np.uint8), *self.selected_parts(cells)])

    def selected_parts(self, cells: BoolArray) -> Iterator[KeyArray]:
        """Yield the same rows in parts."""
        for rows, keys in zip(self.rows, self.keys, strict=True):
            yield rows[cells.take(_leading(keys, VALUE_BITS, cells.size))]


def _grouped(parts: list[KeyArray], size: int) -> Iterator[KeyArray]:
    """Yield the same keys in fewer parts: small ones are joined until they hold about ``size`` keys."""
    waiting: list[KeyArray] = []
    for at, keys in enumerate(parts, start=1):
        waiting.append(keys)
        if at == len(parts) or sum(part.size for part in waiting) >= size:
            yield np.concatenate(waiting) if len(waiting) > 1 else keys
            waiting = []


def _leading(keys: KeyArray, shift: int, bound: int) -> KeyArray:
    """Keys (m,) without their last bits, in the narrowest type for numbers below ``bound``."""
    return np.asarray((keys >> keys.dtype.type(shift)).astype(np.min_scalar_type(bound)))


def lowest_selected(parts: list[KeyArray], limits: IntArray) -> tuple[KeyArray, IntArray]:
    """Lowest key selected in each of C cells (0 where a cell has fewer keys than its limit), and the full cells.

    A radix select: a histogram of every cell's leading bits finds the bin of its cutoff, and only the keys in
    those bins are sorted.
    """
    own, room = int(limits.size).bit_length(), sum(keys.size for keys in parts).bit_length()
    shift = VALUE_BITS - max(min(room + 2, COUNTER_BITS) - own, 0)
    n_bins = 1 << (VALUE_BITS - shift)
    size = limits.size * n_bins
    totals = np.zeros(size, dtype=np.int64)
    for keys in _grouped(parts, size):
        totals += np.bincount(_leading(keys, shift, size), minlength=size)
    counts = totals.reshape(limits.size, n_bins)
    beyond = counts[:, ::-1].cumsum(axis=1)  # keys in a bin or above it, the highest bin first
    full = np.flatnonzero((limits > 0) & (beyond[:, -1] >= limits))
    place = (beyond[full] >= limits[full, None]).argmax(axis=1)
    missing = limits[full] - beyond[full, place] + counts[full, n_bins - 1 - place]
    at_cutoff = np.zeros(size, dtype=bool)
    heads = full * n_bins + n_bins - 1 - place
    at_cutoff[heads] = True
    close = np.sort(np.concatenate([keys[at_cutoff.take(_leading(keys, shift, size))] for keys in parts]))
    ends = np.searchsorted(_leading(close, shift, size), heads, side="right")
    lowest = np.zeros(limits.size, dtype=close.dtype)
    lowest[full] = close[ends - missing]
    return lowest, full
