"""Cutoffs found by counting alone: the value at which the largest values of a cell end.

:class:`dqlabels.statistics.selection.Selection` keeps the rows it selects; here only counts are kept, so memory does
not grow with the table, and the counts of parts of a table add up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from dqlabels.statistics.arrays import FloatArray, IntArray, RealArray
from dqlabels.statistics.selection import UNIT, VALUE_BITS

if TYPE_CHECKING:
    from typing_extensions import Self

# Counters held in one pass: with many cells a pass looks at fewer bits, and there are more passes.
MAX_COUNTERS = 1 << 19
MAX_BITS = 13


@dataclass(slots=True, eq=False)
class Counts:
    """Mergeable ``counts`` of any shape."""

    counts: IntArray

    def merge(self, other: Self) -> None:
        """Add the counts of another state."""
        self.counts += other.counts

    def sums(self) -> IntArray:
        """Return integers that can be added to those of other parts of the table."""
        return np.array(self.counts).ravel()

    def add_sums(self, sums: IntArray) -> None:
        """Add the ``sums`` of other parts of the table."""
        self.counts += sums.reshape(self.counts.shape)


@dataclass(slots=True, eq=False)
class CutoffCounts(Counts):
    """One pass of the search: how many values of each of C cells begin with the bits known so far.

    ``heads`` (C,) are the known leading bits of the cutoffs. ``shift`` bits follow them, of which this pass looks at
    the first ``bits``. ``above`` (C,) counts the values known to be larger; ``counts`` is (C, 2**bits).
    """

    limits: IntArray
    heads: IntArray
    above: IntArray
    shift: int
    bits: int

    @classmethod
    def first(cls, limits: IntArray) -> CutoffCounts:
        """First pass of the search for the ``limits`` (C,) largest values of each cell."""
        return cls._pass(limits, np.zeros_like(limits), np.zeros_like(limits), VALUE_BITS)

    @classmethod
    def _pass(cls, limits: IntArray, heads: IntArray, above: IntArray, shift: int) -> CutoffCounts:
        room = (MAX_COUNTERS // max(limits.size, 1)).bit_length() - 1
        bits = min(shift, max(1, min(room, MAX_BITS)))
        return cls(np.zeros((limits.size, 1 << bits), dtype=np.int64), limits, heads, above, shift, bits)

    def fresh(self) -> CutoffCounts:
        """Return the same pass with nothing counted."""
        return replace(self, counts=np.zeros_like(self.counts))

    def update(self, cells: IntArray, values: RealArray) -> None:
        """Count values (m,), whole numbers in [-UNIT, UNIT], in their cells (m,)."""
        keys = values.astype(np.int64) + UNIT
        near = (keys >> self.shift) == self.heads.take(cells)
        following = (keys[near] >> (self.shift - self.bits)) & ((1 << self.bits) - 1)
        places = (cells[near] << self.bits) + following
        self.counts += np.bincount(places, minlength=self.counts.size).reshape(self.counts.shape)

    def next_pass(self) -> CutoffCounts:
        """Return the next pass, over the bits that follow."""
        beyond = self.counts[:, ::-1].cumsum(axis=1) + self.above[:, None]
        reached = beyond >= self.limits[:, None]
        place = np.where(reached.any(axis=1), reached.argmax(axis=1), beyond.shape[1] - 1)
        cells = np.arange(self.limits.size)
        bins = beyond.shape[1] - 1 - place
        above = beyond[cells, place] - self.counts[cells, bins]
        return self._pass(self.limits, (self.heads << self.bits) + bins, above, self.shift - self.bits)


def find_cutoffs(limits: IntArray, count: Callable[[CutoffCounts], CutoffCounts]) -> FloatArray:
    """Smallest value selected in each of C cells, shape (C,); values that tie with it are selected too.

    A cell with fewer values than its limit selects all of them (its cutoff is -UNIT); one whose limit is 0 selects
    none (its cutoff is infinite).

    Args:
        limits: (C,) how many of the largest values each cell selects.
        count: Counts all values in one pass of the search.

    >>> def count(state):
    ...     state.update(np.array([0, 0, 0, 1]), np.array([1, 3, 2, 5]))
    ...     return state
    >>> find_cutoffs(np.array([2, 9]), count).tolist()
    [2.0, -16777216.0]
    """
    step = CutoffCounts.first(limits)
    while step.shift:
        step = count(step).next_pass()
    return np.where(limits > 0, step.heads.astype(np.float64) - UNIT, np.inf)
