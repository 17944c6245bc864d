"""The rows that the noise rate is read from: few, drawn by what they hold, and the same on every engine."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dqlabels.frames.hashing import hash_columns, hash_words
from dqlabels.statistics.arrays import FloatArray, IntArray, RealArray
from dqlabels.statistics.classes import in_units
from dqlabels.statistics.scores import own_and_rival
from dqlabels.statistics.selection import UNIT

Hashes = NDArray[np.uint64]

# More rows cost more than they add.
MAX_ROWS = 4000
MAX_VALUES = 500_000
# Rows wait until they are this many times the limit before all but the lowest are dropped.
SLACK = 4
MAX_HASH = 2**64 - 1


def rows_drawn(n_classes: int) -> int:
    """Return how many rows are drawn of a table of so many classes.

    >>> rows_drawn(2), rows_drawn(1_000)
    (4000, 500)
    """
    return min(MAX_ROWS, max(1, MAX_VALUES // n_classes))


@dataclass(slots=True, eq=False)
class RowSample:
    """The ``limit`` kinds of row whose hash is lowest, with how often each occurs.

    A kind is known by its ``hashes`` (m,), which follow from the probabilities of its label and of the strongest rival,
    so that they depend neither on the order of the rows nor on that of the classes. ``codes`` (m,), ``units`` (m, K),
    the probabilities in whole units of 2**-24, and ``counts`` (m,).
    """

    limit: int
    hashes: list[Hashes] = field(default_factory=list)
    codes: list[IntArray] = field(default_factory=list)
    units: list[NDArray[np.uint32]] = field(default_factory=list)
    counts: list[IntArray] = field(default_factory=list)
    bar: int = MAX_HASH
    waiting: int = 0

    @classmethod
    def of(cls, codes: IntArray, probs: RealArray) -> RowSample:
        """Return the sample of a table: labels (n,) and probabilities (n, K)."""
        sample = cls(rows_drawn(probs.shape[1]))
        sample.update(codes, probs)
        return sample

    def update(self, codes: IntArray, probs: RealArray) -> None:
        """Add a block: labels (b,) and probabilities (b, K)."""
        self.draw(hash_pairs(*own_and_rival(codes, probs)), codes, probs)

    def draw(self, hashes: Hashes, codes: IntArray, probs: RealArray) -> None:
        """Add a block whose hashes (b,) are known: labels (b,) and probabilities (b, K)."""
        rows = np.flatnonzero(hashes <= np.uint64(min(self.bar, self._bar_of(hashes))))
        units = in_units(probs[rows]).astype(np.uint32)
        self.accept(hashes[rows], codes[rows], units, np.ones(rows.size, dtype=np.int64))

    def _bar_of(self, hashes: Hashes) -> int:
        """Hash that no row of a block can exceed and be kept; the highest there is where the block is too small."""
        if hashes.size <= SLACK * self.limit:
            return MAX_HASH
        near = hashes[hashes <= np.uint64(MAX_HASH * 2 * self.limit // hashes.size)]
        return _highest_kept(near, self.limit)

    def accept(self, hashes: Hashes, codes: IntArray, units: NDArray[np.uint32], counts: IntArray) -> None:
        """Add kinds of row.

        Args:
            hashes: (m,) by which they are drawn.
            codes: (m,) their labels.
            units: (m, K) their probabilities, in whole units.
            counts: (m,) how often each occurs.
        """
        self.hashes.append(hashes)
        self.codes.append(codes)
        self.units.append(units)
        self.counts.append(counts)
        self.waiting += hashes.size
        if self.waiting > SLACK * self.limit:
            self.settle()

    def merge(self, other: RowSample) -> None:
        """Add the rows of another sample."""
        for part in zip(other.hashes, other.codes, other.units, other.counts, strict=True):
            self.accept(*part)

    def settle(self) -> None:
        """Count rows that are alike once, and drop those beyond the limit."""
        hashes, codes = np.concatenate(self.hashes), np.concatenate(self.codes)
        units, counts = np.concatenate(self.units), np.concatenate(self.counts)
        highest = _highest_kept(hashes, self.limit)
        if highest < MAX_HASH:
            self.bar = highest
            near = np.flatnonzero(hashes <= np.uint64(self.bar))
            hashes, codes, units, counts = hashes[near], codes[near], units[near], counts[near]
        first, added = _once(hashes, codes, units, counts)
        self.hashes, self.codes, self.units, self.counts = [hashes[first]], [codes[first]], [units[first]], [added]
        self.waiting = 0

    def columns(self) -> tuple[Hashes, IntArray, NDArray[np.uint32], IntArray]:
        """Return hashes (m,), labels (m,), units (m, K) and how often each occurs (m,), each kind of row once."""
        if not self.hashes:
            none = np.empty(0, dtype=np.int64)
            return none.view(np.uint64), none, np.empty((0, 0), dtype=np.uint32), none
        self.settle()
        return self.hashes[0], self.codes[0], self.units[0], self.counts[0]

    def finish(self) -> tuple[IntArray, FloatArray]:
        """Return labels (m,) and probabilities (m, K) of about ``limit`` rows at most, in an order of their own.

        Where rows repeat, each kind is there as often as its share of the table says.
        """
        hashes, codes, units, counts = self.columns()
        order = _settled_order(hashes, codes, units)
        total = int(counts.sum())
        kept = min(total, self.limit)
        ends = counts[order].cumsum() * kept // max(total, 1)
        rows = np.repeat(order, np.diff(ends, prepend=0))
        return codes[rows], units[rows] / np.float64(UNIT)


def _settled_order(hashes: Hashes, codes: IntArray, units: NDArray[np.uint32]) -> IntArray:
    """Order (m,) of kinds of row by their hash, and where hashes tie by what the rows hold."""
    tied = _shared(hashes)
    if not tied.size:
        return np.argsort(hashes)
    alike, exact = np.zeros((2, codes.size), dtype=np.uint64)
    alike[tied] = hash_words(np.column_stack([units[tied, codes[tied]], np.sort(units[tied], axis=1)]))
    exact[tied] = _exact(codes[tied], units[tied])
    return np.lexsort((exact, alike, hashes))


def _highest_kept(hashes: Hashes, limit: int) -> int:
    """The ``limit``-th lowest of the different hashes; MAX_HASH where there are no more than that."""
    ordered = np.sort(hashes)  # many times faster than np.unique, which counts by hashing once more
    firsts = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    return int(ordered[firsts[limit - 2]] if limit > 1 else ordered[0]) if firsts.size >= limit else MAX_HASH


def hash_pairs(own: RealArray, rival: RealArray) -> Hashes:
    """Hash (b,) of each row: of the probabilities of its label and of the strongest rival, in whole units."""
    return hash_columns([units.astype(np.int64).view(np.uint64) for units in (own, rival)], own.size)


def _exact(codes: IntArray, units: NDArray[np.uint32]) -> Hashes:
    """Hash (m,) of all that a kind of row is."""
    return hash_words(np.column_stack([codes.astype(np.uint32), units]))


def _shared(hashes: Hashes) -> IntArray:
    """Places (s,) of the hashes that occur more than once: only among these can rows be alike."""
    ordered = np.sort(hashes)
    if (ordered[1:] != ordered[:-1]).all():
        return np.empty(0, dtype=np.int64)
    order = np.argsort(hashes)
    same = np.flatnonzero(np.diff(hashes[order]) == 0)
    return np.asarray(order[np.union1d(same, same + 1)])


def _once(hashes: Hashes, codes: IntArray, units: NDArray[np.uint32], counts: IntArray) -> tuple[IntArray, IntArray]:
    """Places (m,) of one row of each kind, and how often each occurs (m,)."""
    shared = _shared(hashes)
    if not shared.size:
        return np.arange(hashes.size), counts
    single = np.ones(hashes.size, dtype=bool)
    single[shared] = False
    first, place = np.unique(_exact(codes[shared], units[shared]), return_index=True, return_inverse=True)[1:]
    added = np.bincount(place, weights=counts[shared], minlength=first.size).astype(np.int64)
    return np.concatenate([np.flatnonzero(single), shared[first]]), np.concatenate([counts[single], added])
