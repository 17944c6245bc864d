"""The rows that the noise rate is read from: few, drawn by what they hold, and the same on every engine."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dqlabels.frames.hashing import hash_columns, hash_words
from dqlabels.statistics.arrays import FloatArray, IntArray, RealArray
from dqlabels.statistics.classes import in_units, strongest_rival, take
from dqlabels.statistics.selection import UNIT

Hashes = NDArray[np.uint64]

# More rows cost more than they add.
MAX_ROWS = 4000
MAX_VALUES = 500_000
# Rows wait until they are this many times the limit before all but the lowest are dropped.
SLACK = 4


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
    bar: int = 2**64 - 1
    waiting: int = 0

    @classmethod
    def of(cls, codes: IntArray, probs: RealArray) -> RowSample:
        """Return the sample of a table: labels (n,) and probabilities (n, K)."""
        sample = cls(rows_drawn(probs.shape[1]))
        sample.update(codes, probs)
        return sample

    def update(self, codes: IntArray, probs: RealArray) -> None:
        """Add a block: labels (b,) and probabilities (b, K)."""
        own, rival = in_units(take(probs, codes)), in_units(strongest_rival(codes, probs))
        hashes = hash_columns([own.astype(np.uint64), rival.astype(np.uint64)], codes.size)
        bar = np.uint64(self.bar)
        if codes.size > SLACK * self.limit:
            lowest = np.partition(hashes, SLACK * self.limit)[SLACK * self.limit]
            if np.unique(hashes[hashes <= lowest]).size > self.limit:
                bar = min(bar, lowest)
        rows = np.flatnonzero(hashes <= bar)
        units = in_units(probs[rows]).astype(np.uint32)
        self.accept(hashes[rows], codes[rows], units, np.ones(rows.size, dtype=np.int64))

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
        kinds = np.unique(hashes)
        if kinds.size > self.limit:
            self.bar = int(kinds[self.limit - 1])
            near = np.flatnonzero(hashes <= np.uint64(self.bar))
            hashes, codes, units, counts = hashes[near], codes[near], units[near], counts[near]
        exact = hash_words(np.column_stack([codes.astype(np.uint32), units]))
        first, place = np.unique(exact, return_index=True, return_inverse=True)[1:]
        added = np.bincount(place, weights=counts, minlength=first.size).astype(np.int64)
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
        own = units[np.arange(codes.size), codes]
        alike = hash_words(np.column_stack([own, np.sort(units, axis=1)]))
        order = np.lexsort((hash_words(np.column_stack([codes.astype(np.uint32), units])), alike, hashes))
        total = int(counts.sum())
        kept = min(total, self.limit)
        ends = counts[order].cumsum() * kept // max(total, 1)
        rows = np.repeat(order, np.diff(ends, prepend=0))
        return codes[rows], units[rows] / np.float64(UNIT)
