"""A sample of a table by what its rows hold: the same rows whatever their order, the blocks or the engine."""

from __future__ import annotations

from dataclasses import dataclass

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from dqlabels.frames.columns import Frame
from dqlabels.frames.hashing import Hashes

IntArray = NDArray[np.int64]

# A block's keepers wait until this many times the wanted rows are there; then the surplus is let go.
SURPLUS = 2
EVERY_HASH = np.uint64(2**64 - 1)


@dataclass(slots=True, eq=False)
class ContentSample:
    """Of each of K classes the ``quotas`` (K,) kinds of row whose content hashes lowest, each with its count.

    Rows that are alike are one kind: kept once, in ``frames``, with how often they occur in ``counts``.
    ``bars`` (K,) is the highest hash still in the running.
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
        """Nothing seen yet."""
        return cls(quotas, np.full(quotas.size, EVERY_HASH), [], [], [], [], 0)

    def update(self, frame: Frame, codes: IntArray, hashes: Hashes) -> None:
        """Offer a block's rows with their classes (b,), -1 for none, and content hashes (b,)."""
        rows = np.flatnonzero((codes >= 0) & (hashes <= self.bars.take(np.maximum(codes, 0))))
        if rows.size:
            self.accept(frame[rows.tolist()], codes[rows], hashes[rows], np.ones(rows.size, dtype=np.int64))

    def accept(self, frame: Frame, codes: IntArray, hashes: Hashes, counts: IntArray) -> None:
        """Take in kinds of row (m,) with their counts (m,)."""
        self.frames.append(frame)
        self.codes.append(codes)
        self.hashes.append(hashes)
        self.counts.append(counts)
        self.waiting += codes.size
        if self.waiting > SURPLUS * int(self.quotas.sum()):
            self.settle()
            self.waiting = 0

    def merge(self, other: ContentSample) -> None:
        """Take in what another state kept."""
        np.minimum(self.bars, other.bars, out=self.bars)
        for parts in zip(other.frames, other.codes, other.hashes, other.counts, strict=True):
            self.accept(*parts)

    def settle(self) -> None:
        """Join what waits, ordered by class and content, each kind once, and let go of those beyond the quotas."""
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
        kept = np.arange(codes.size) - starts.take(codes) < self.quotas.take(codes)
        ends = np.searchsorted(codes, np.arange(self.quotas.size), side="right")
        full = np.flatnonzero((ends - starts >= self.quotas) & (self.quotas > 0))
        self.bars[full] = hashes[(starts + self.quotas - 1)[full]]
        frame = self.frames[0] if len(self.frames) == 1 else nw.concat(self.frames)
        self.frames = [frame[order[first[kept]].tolist()]]
        self.codes, self.hashes, self.counts = [codes[kept]], [hashes[kept]], [counts[kept]]

    def finish(self) -> Sample:
        """The sample, in the order of its content."""
        self.settle()
        order = np.argsort(self.hashes[0], kind="stable")
        codes, counts, hashes = self.codes[0][order], self.counts[0][order], self.hashes[0]
        held = np.bincount(codes, minlength=self.quotas.size)
        # The share of all hashes below a full class's bar is the share of its kinds that were kept.
        below = np.maximum(self.bars.astype(np.float64) / 2**64, 1e-12)
        kinds = np.where(held < self.quotas, held, held / below)
        return Sample(self.frames[0][order.tolist()], codes, counts, hashes[order], float(kinds.sum()))


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """m kinds of row: frame, classes (m,), how often each occurs (m,), hashes (m,), and an estimate of all kinds."""

    frame: Frame
    codes: IntArray
    counts: IntArray
    hashes: Hashes
    kinds: float


def quotas(class_rows: IntArray, most_rows: int, fewest: int = 50) -> IntArray:
    """(K,) rows to draw of each class: its share of ``most_rows``, but 50 of a rare class or all that it has.

    >>> quotas(np.array([900, 90, 10]), 100).tolist()
    [90, 50, 10]
    """
    share = min(1.0, most_rows / max(int(class_rows.sum()), 1))
    return np.asarray(np.maximum(np.ceil(share * class_rows), np.minimum(class_rows, fewest)), dtype=np.int64)
