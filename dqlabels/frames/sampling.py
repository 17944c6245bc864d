"""Sample a table by the content of its rows: the same sample whatever the order of rows, the blocks or the engine."""

from __future__ import annotations

from dataclasses import dataclass

import narwhals as nw
import numpy as np

from dqlabels.frames.arrays import Hashes, IntArray
from dqlabels.frames.columns import Frame

# Candidates wait until there are this many times the rows wanted; then the surplus is dropped.
SURPLUS = 2
EVERY_HASH = np.uint64(2**64 - 1)


@dataclass(slots=True, eq=False)
class ContentSample:
    """The distinct rows with the lowest content hashes in each of K classes, ``quotas`` (K,) of them.

    A distinct row is kept once, in ``frames``, and ``counts`` say how often it occurs. ``bars`` (K,) is the highest
    hash that can still be sampled.
    """

    quotas: IntArray
    bars: Hashes
    hashes: list[Hashes]
    codes: list[IntArray]
    counts: list[IntArray]
    frames: list[Frame]
    waiting: int

    @classmethod
    def empty(cls, quotas: IntArray) -> ContentSample:
        """Return a sample without rows."""
        return cls(quotas, np.full(quotas.size, EVERY_HASH), [], [], [], [], 0)

    def update(self, frame: Frame, codes: IntArray, hashes: Hashes) -> None:
        """Offer a block's rows with their classes (b,), -1 for none, and content hashes (b,)."""
        rows = np.flatnonzero((codes >= 0) & (hashes <= self.bars.take(np.maximum(codes, 0))))
        if rows.size:
            self.accept(frame[rows.tolist()], codes[rows], hashes[rows], np.ones(rows.size, dtype=np.int64))

    def accept(self, frame: Frame, codes: IntArray, hashes: Hashes, counts: IntArray) -> None:
        """Add distinct rows (m,) with their counts (m,).

        Args:
            frame: m distinct rows.
            codes: (m,) positions of their classes.
            hashes: (m,) hashes of what they hold.
            counts: (m,) how many rows of the table are like each.
        """
        self.frames.append(frame)
        self.codes.append(codes)
        self.hashes.append(hashes)
        self.counts.append(counts)
        self.waiting += codes.size
        if self.waiting > SURPLUS * int(self.quotas.sum()):
            self.settle()
            self.waiting = 0

    def settle(self) -> None:
        """Join the candidates, each distinct row once, by class and content, and drop those beyond the quotas."""
        if not self.codes:
            return
        codes, hashes = np.concatenate(self.codes), np.concatenate(self.hashes)
        counts = np.concatenate(self.counts)
        order = np.lexsort((hashes, codes))
        codes, hashes, counts = codes[order], hashes[order], counts[order]
        first = np.flatnonzero(np.r_[True, (codes[1:] != codes[:-1]) | (hashes[1:] != hashes[:-1])])
        counts = np.add.reduceat(counts, first)
        codes, hashes = codes[first], hashes[first]
        starts = np.searchsorted(codes, np.arange(self.quotas.size))
        sampled = np.arange(codes.size) - starts.take(codes) < self.quotas.take(codes)
        ends = np.searchsorted(codes, np.arange(self.quotas.size), side="right")
        full = np.flatnonzero((ends - starts >= self.quotas) & (self.quotas > 0))
        self.bars[full] = hashes[(starts + self.quotas - 1)[full]]
        frame = self.frames[0] if len(self.frames) == 1 else nw.concat(self.frames)
        self.frames = [frame[order[first[sampled]].tolist()]]
        self.codes, self.hashes, self.counts = [codes[sampled]], [hashes[sampled]], [counts[sampled]]

    def finish(self) -> Sample:
        """Return the sample, in the order of its hashes."""
        self.settle()
        order = np.argsort(self.hashes[0], kind="stable")
        codes, counts, hashes = self.codes[0][order], self.counts[0][order], self.hashes[0]
        sizes = np.bincount(codes, minlength=self.quotas.size)
        # The share of all hashes below the bar of a full class is the share of its distinct rows that were sampled.
        below = np.maximum(self.bars.astype(np.float64) / 2**64, 1e-12)
        kinds = np.where(sizes < self.quotas, sizes, sizes / below)
        return Sample(self.frames[0][order.tolist()], codes, counts, hashes[order], float(kinds.sum()))


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A sample of m distinct rows.

    ``frame`` holds the rows; ``codes``, ``counts`` and ``hashes`` (m,) are their classes, how often they occur, and
    their content hashes; ``kinds`` estimates the number of distinct rows in the whole table.
    """

    frame: Frame
    codes: IntArray
    counts: IntArray
    hashes: Hashes
    kinds: float


def quotas(class_rows: IntArray, max_rows: int, min_rows: int = 50) -> IntArray:
    """Rows to draw from each class (K,): its share of ``max_rows``, but at least ``min_rows`` (or all it has).

    >>> quotas(np.array([900, 90, 10]), 100).tolist()
    [90, 50, 10]
    """
    share = min(1.0, max_rows / max(int(class_rows.sum()), 1))
    return np.asarray(np.maximum(np.ceil(share * class_rows), np.minimum(class_rows, min_rows)), dtype=np.int64)
