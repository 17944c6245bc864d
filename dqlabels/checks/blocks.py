"""Find the block of rows in a row where a value is commoner, or higher, than elsewhere: a scan statistic."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dqlabels.statistics.arrays import FloatArray, IntArray

# Windows of this many rows and more are looked at, each length this many times the one before, and this many of one
# length begin within its own length.
MIN_ROWS, GROWTH, STARTS = 8, 1.5, 4


@dataclass(frozen=True, slots=True)
class Block:
    """The rows ``start`` to ``stop`` (exclusive) of a series, which differ from the others, with the p-value of that.

    ``effect`` is the difference between the mean ranks inside and outside, as a share of the range of the ranks: of a
    yes or no the difference between the shares.
    """

    start: int
    stop: int
    p: float
    effect: float


def find_block(ranks: IntArray, ends: IntArray) -> Block:
    """Find the block of a series whose ranks differ most from the others, and test it.

    The windows are of lengths that grow to half the rows, and overlap by three quarters. The p-value is that of the
    block's count (exact) or sum (a bound), times the number of windows of its length, lengths and directions: if every
    order is equally likely, it falls below ``a`` with probability ``a`` at most. Then the borders are moved to where
    they fit best, which the p-value does not count on.

    Args:
        ranks: (n,) with sum zero, in the order to scan; two different ones where the series is a yes or no.
        ends: (k,) ascending positions at which a block may begin and end: 0, n, and where moments change.

    Source: Kulldorff (1997), Commun. Statist. 26:1481-1496, for the likelihood ratio; Neill & Moore (2004), KDD, for
        windows of few lengths. Bennett (1962), JASA 57:33-45, whose bound holds without replacement by Hoeffding
        (1963), JASA 58:13-30, section 6.

    >>> block = find_block(np.repeat([-1, 4, -1], [40, 20, 40]), np.arange(101))
    >>> block.start, block.stop, block.p < 1e-9, block.effect
    (40, 60, True, 1.0)
    """
    scan = _Scan(ranks, ends)
    best, count, lengths = (-np.inf, 0, ranks.size // 2), 1, 0
    for length, starts in scan.windows():
        lengths += 1
        begins, stops = scan.within(starts, starts + length)
        gain = scan.gain(begins, stops)
        at = int(np.argmax(gain))
        if gain[at] - np.log(starts.size) > best[0]:
            best, count = (float(gain[at] - np.log(starts.size)), int(begins[at]), int(stops[at])), starts.size
    p = min(1.0, 2 * count * lengths * scan.tail(*best[1:]))
    start, stop = scan.fitted(*best[1:])
    return Block(start, stop, p, scan.effect(start, stop))


class _Scan:
    """Sums and likelihood ratios of blocks of a series of n ranks."""

    def __init__(self, ranks: IntArray, ends: IntArray) -> None:
        self.n, self.sums = ranks.size, np.concatenate([[0], np.cumsum(ranks)])
        self.low, self.high = int(ranks.min()), int(ranks.max())
        self.squares = float((ranks.astype(np.float64) ** 2).sum())
        high = ranks == self.high
        self.yes = int(high.sum()) if (high | (ranks == self.low)).all() else None
        self.ends = ends

    def windows(self) -> Iterator[tuple[int, IntArray]]:
        """Lengths, each with the starts of the windows that have it."""
        length = MIN_ROWS
        while length <= self.n // 2:
            yield length, np.arange(0, self.n - length + 1, max(1, length // STARTS))
            length = int(length * GROWTH)

    def within(self, starts: IntArray, stops: IntArray) -> tuple[IntArray, IntArray]:
        """Widen blocks to where they may begin and end."""
        if self.ends.size == self.n + 1:
            return starts, stops
        return (
            self.ends[np.searchsorted(self.ends, starts, "right") - 1],
            self.ends[np.searchsorted(self.ends, stops, "left")],
        )

    def gain(self, starts: IntArray, stops: IntArray) -> FloatArray:
        """Log likelihood ratio (w,) of blocks against no block, Bernoulli for a yes or no and normal otherwise."""
        from scipy.special import xlogy

        rows = (stops - starts).astype(np.float64)
        total = (self.sums[stops] - self.sums[starts]).astype(np.float64)
        others = np.maximum(self.n - rows, 1e-9)
        if self.yes is None:
            between = total**2 * (1 / rows + 1 / others)
            return np.asarray(between / self.squares * self.n / 2)
        inside = (total - rows * self.low) / (self.high - self.low)
        parts = ((inside, rows), (self.yes - inside, others))
        fit = sum(xlogy(k, k / size) + xlogy(size - k, 1 - k / size) for k, size in parts)
        share = self.yes / self.n
        return np.asarray(fit - xlogy(self.yes, share) - xlogy(self.n - self.yes, 1 - share))

    def tail(self, start: int, stop: int) -> float:
        """P-value of the sum in one block: hypergeometric of a yes or no, else Bennett's bound."""
        from scipy.stats import hypergeom

        rows, total = stop - start, int(self.sums[stop] - self.sums[start])
        if self.yes is not None:
            inside = (total - rows * self.low) // (self.high - self.low)
            law = hypergeom(self.n, self.yes, rows)
            return float(law.sf(inside - 1) if total > 0 else law.cdf(inside))
        rows = min(rows, self.n - rows)
        far = max(self.high, -self.low)
        variance = self.squares / self.n * rows
        beyond = far * abs(total) / variance
        return float(np.exp(-variance / far**2 * ((1 + beyond) * np.log1p(beyond) - beyond)))

    def fitted(self, start: int, stop: int) -> tuple[int, int]:
        """Move the borders of a block, in steps that become shorter, to where the likelihood ratio is largest."""
        step = stop - start
        while step := step // 2:
            moves = np.array([-step, 0, step])
            starts, stops = (start + np.repeat(moves, 3)).clip(0, self.n), (stop + np.tile(moves, 3)).clip(0, self.n)
            starts, stops = self.within(starts[starts < stops], stops[starts < stops])
            inner = stops - starts < self.n
            if not inner.any():
                break
            starts, stops = starts[inner], stops[inner]
            gain = self.gain(starts, stops)
            start, stop = int(starts[gain.argmax()]), int(stops[gain.argmax()])
        return start, stop

    def effect(self, start: int, stop: int) -> float:
        """Difference between the means inside and outside, as a share of the range of the ranks."""
        total, rows = int(self.sums[stop] - self.sums[start]), stop - start
        return float(total * (1 / rows + 1 / (self.n - rows)) / (self.high - self.low))
