"""Prune by noise rate: of each given → likely cell the rows with the largest margins, as a statistic that merges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dqlabels.confident import CACHE_BYTES, in_units, pick, take
from dqlabels.selection import UNIT, VALUE_BITS, BoolArray, FloatArray, IntArray, Selection

# In units: a row is pruned for another class only where that one is likelier than the given one.
LEAST_MARGIN = 1
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

    Where many cells want rows, ``floors`` (K, K) is a margin that none of the rows each still takes lies below,
    in shares of 1 and infinite in the cells that want none, and ``keys`` (K * K,) what turns a margin into a key
    of ``chosen``; otherwise both are empty.

    Source: Northcutt et al. (2021), section 3.2.
    """

    cells: Cells
    chosen: Selection
    floors: NDArray[Any]
    keys: FloatArray
    settled: int

    @classmethod
    def empty(cls, cells: Cells, dtype: Any, cuts: FloatArray | None = None) -> Margins:
        """Nothing seen yet, of probabilities of this float type; margins below known ``cuts`` (C,) do not count."""
        k = cells.n_classes if cells.dense else 0
        margins = cls(cells, Selection.empty(cells.limits), np.full((k, k), np.inf, dtype), np.zeros(k * k), 0)
        np.maximum(margins.chosen.cuts, LEAST_MARGIN if cuts is None else cuts, out=margins.chosen.cuts)
        if k:
            margins.keys[cells.codes] = np.arange(cells.codes.size) * float(1 << VALUE_BITS) + UNIT
            margins._lay_floors()
        return margins

    def _lay_floors(self) -> None:
        # Two units lower: one for the rounding of two probabilities, one for that of their difference.
        self.floors.ravel()[self.cells.codes] = (self.chosen.cuts - 2) / UNIT

    def update(self, rows: IntArray, codes: IntArray, probs: NDArray[Any], first_row: int = 0) -> None:
        """Offer the margins of ``rows`` (m,), ascending, of a block with labels (b,) and probs (b, K)."""
        if not self.cells.dense:
            self._offer_pairs(rows, codes.take(rows), probs, first_row)
            return
        step = max(1, CACHE_BYTES // (probs.shape[1] * probs.itemsize))
        for start in range(0, rows.size, step):
            part = rows[start : start + step]
            self._offer_whole_rows(part, codes.take(part), probs, first_row)

    def update_likeliest(
        self, rows: IntArray, codes: IntArray, likely: NDArray[Any], probs: NDArray[Any], first_row: int = 0
    ) -> None:
        """Offer the margin of the likeliest class alone; there must be many cells. Of two classes that is all."""
        codes, likely = codes.take(rows), likely.take(rows).astype(np.int64)
        margins = in_units(pick(probs, rows, likely))
        margins -= in_units(pick(probs, rows, codes))
        keys = self.keys.take(codes * probs.shape[1] + likely)
        near = np.flatnonzero((margins >= LEAST_MARGIN) & (keys > 0))
        self.chosen.accept(rows.take(near) + first_row, keys.take(near) + margins.take(near))

    def _offer_whole_rows(self, rows: IntArray, codes: IntArray, probs: NDArray[Any], first_row: int) -> None:
        """Compare all classes of a row with the floors of its label."""
        k = probs.shape[1]
        margins = probs.take(rows, axis=0)
        given = take(margins, codes)
        margins -= given[:, None]
        found = np.flatnonzero(margins >= self.floors.take(codes, axis=0))
        at = found // k
        found += ((codes - np.arange(codes.size)) * k).take(at)  # now the cells' numbers
        offered = in_units(pick(probs, rows.take(at), found - codes.take(at) * k))
        offered -= in_units(given).take(at)
        near = np.flatnonzero(offered >= LEAST_MARGIN)
        keys = self.keys.take(found.take(near)) + offered.take(near)
        self.chosen.accept(rows.take(at.take(near)) + first_row, keys)
        if self.chosen.settled != self.settled:
            self.settled = self.chosen.settled
            np.maximum(self.chosen.cuts, LEAST_MARGIN, out=self.chosen.cuts)
            self._lay_floors()

    def _offer_pairs(self, rows: IntArray, codes: IntArray, probs: NDArray[Any], first_row: int) -> None:
        """Pair each row with each of the few cells that its label wants."""
        cells, k = self.cells, probs.shape[1]
        wanted = np.diff(cells.starts).take(codes)
        paired = rows.repeat(wanted)
        places = np.arange(paired.size) - np.repeat(np.cumsum(wanted) - wanted - cells.starts.take(codes), wanted)
        margins = in_units(pick(probs, paired, cells.codes.take(places) % k))
        margins -= in_units(pick(probs, rows, codes)).repeat(wanted)
        near = np.flatnonzero(margins >= LEAST_MARGIN)
        self.chosen.update(paired[near] + first_row, places[near], margins[near])

    def merge(self, other: Margins) -> None:
        """Take in what another state saw."""
        self.chosen.merge(other.chosen)

    def finish(self) -> BoolArray:
        """Cells (C,) that are full."""
        return self.chosen.finish()
