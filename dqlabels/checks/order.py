"""Whether labels, label quality or features change along the rows or over time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from dqlabels.checks.blocks import Block, find_block
from dqlabels.checks.finding import Finding, counted, listed
from dqlabels.statistics.arrays import BoolArray, FloatArray, IntArray
from dqlabels.statistics.multiple_testing import holm

# Smaller changes are not worth mentioning, however certain: the largest difference between the shares before and after
# a row, the difference between a block and the other rows, and the correlation of each row with the next.
MIN_SHIFT, MIN_BLOCK, MIN_CORRELATION = 0.05, 0.05, 0.10
# A block counts beside a change that is more certain where its own p-value is no larger.
CERTAIN = 0.01
# The tests do not hold for shorter series.
MIN_VALUES = 50
PARTS = 5
# If fewer neighbouring rows with a rare value are expected than this, their number is far from normal.
FEW_PAIRS = 10
LABELS, QUALITY, FEATURE = "labels", "quality", "feature"


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One series to follow: ``values`` (n,), NaN where missing, for a subject such as a column.

    If the subject is a category, ``values`` is 1 where the row has ``value`` and 0 elsewhere.
    """

    kind: str
    name: str
    values: FloatArray
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """How one series changes: ``shift`` in [0, 1], ``correlation`` of neighbours and a ``block``, with their p-values.

    ``first`` and ``last`` are the means of the first and the last fifth, ``inside`` and ``outside`` those of the block
    and of the other rows; the block counts the rows that have a value.
    """

    shift: float
    shift_p: float
    correlation: float
    correlation_p: float
    first: float
    last: float
    block: Block
    inside: float
    outside: float

    @property
    def p(self) -> float:
        """P-value of the three tests together."""
        return min(1.0, 3 * min(self.shift_p, self.correlation_p, self.block.p))

    @property
    def matters(self) -> bool:
        """Whether the change is large enough to be worth mentioning."""
        return self.shift >= MIN_SHIFT or self.correlation >= MIN_CORRELATION or self._has_block(CERTAIN)

    @property
    def differs(self) -> bool:
        """Whether parts of the rows differ, and not each row from the next alone."""
        least = max(self.correlation_p, 1e-12)
        return (self.shift >= MIN_SHIFT and self.shift_p <= least) or self._has_block(least)

    def _has_block(self, p: float) -> bool:
        return abs(self.block.effect) >= MIN_BLOCK and self.block.p <= p

    @property
    def difference(self) -> float:
        """The largest difference between parts of the rows, in the unit of the values."""
        return max(abs(self.last - self.first), abs(self.inside - self.outside))


def follow(values: FloatArray, moments: IntArray | None = None) -> Change | None:
    """Test a series (n,), in its order, for a shift, a block and alike neighbours; None if it cannot be tested.

    The shift is the largest distance of the running sum of ranks from a straight line; if every order is equally likely
    it follows Kolmogorov's distribution. The neighbours are tested by the correlation of each rank with the next, and
    of the last with the first; its mean and variance under that hypothesis are known exactly, and it is treated as
    normal. For a rare value, the number of neighbouring rows that both have it is compared with a Poisson distribution.
    :func:`~dqlabels.checks.blocks.find_block` has the test for a block, which may lie in the middle, where the sum that
    tests for a shift sees little.

    Args:
        values: (n,), NaN where missing; such rows are skipped.
        moments: (n,) non-decreasing. Rows with the same moment have no order among themselves, so the shift is measured
            between moments only, and neighbours are not compared if moments repeat.

    Source: The cumulative-sum test of ranks, Bhattacharyya & Johnson (1968), Ann. Math. Statist. 39:1731-1743; serial
        correlation, Wald & Wolfowitz (1943), Ann. Math. Statist. 14:378-388.

    >>> change = follow(np.repeat([0.0, 1.0], 100))
    >>> round(change.shift, 2), change.shift_p < 1e-9
    (0.5, True)
    """
    from scipy.special import kolmogorov
    from scipy.stats import rankdata

    known = ~np.isnan(values)
    n = int(known.sum())
    if n < MIN_VALUES:
        return None
    # Twice the rank less its mean: whole numbers, whose sums do not depend on the order.
    ranks = np.rint(2 * rankdata(values[known])).astype(np.int64) - (n + 1)
    different, times = np.unique(ranks, return_counts=True)
    squares = float((different.astype(np.float64) ** 2 * times).sum())
    if squares == 0:
        return None
    there = np.arange(n) if moments is None else moments[known]
    ends = np.append(there[1:] != there[:-1], True)
    shift = float(np.abs(np.cumsum(ranks)[ends]).max() / np.sqrt(squares * n))
    fourth = float((different.astype(np.float64) ** 4 * times).sum()) / squares**2
    correlation, correlation_p = _serial(ranks, squares, fourth) if ends.all() else (0.0, 1.0)
    if different.size == 2 and ends.all():
        correlation_p = max(correlation_p, _in_pairs(ranks == different[np.argmin(times)]))
    first, last = _ends(values[known], there)
    block = find_block(ranks, np.concatenate([[0], np.flatnonzero(ends) + 1]))
    inside, outside = _apart(values[known], block)
    return Change(
        shift=shift,
        shift_p=float(kolmogorov(shift * np.sqrt(n))),
        correlation=correlation,
        correlation_p=correlation_p,
        first=first,
        last=last,
        block=block,
        inside=inside,
        outside=outside,
    )


def _serial(ranks: IntArray, squares: float, fourth: float) -> tuple[float, float]:
    """Circular correlation of neighbours, and its p-value if every order is equally likely.

    ``ranks`` (n,) have mean 0 and the sum of squares ``squares``; ``fourth`` is the sum of their fourth powers over
    the square of that. The mean of the correlation is -1 / (n - 1).
    """
    from scipy.special import ndtr

    n = ranks.size
    variance = (1 - fourth) / (n - 1) + (1 - 2 * fourth) / ((n - 1) * (n - 2)) - 1 / (n - 1) ** 2
    x = ranks.astype(np.float64)
    correlation = float((x * np.roll(x, -1)).sum() / squares)
    if variance <= 1e-12:  # one row differs from all others, and every order has the same correlation
        return correlation, 1.0
    return correlation, float(ndtr(-(correlation + 1 / (n - 1)) / np.sqrt(variance)))


def _in_pairs(marked: BoolArray) -> float:
    """P-value of the number of marked rows (n,) next to each other: Poisson if few are expected, else 0."""
    from scipy.special import pdtrc

    n, m = marked.size, int(marked.sum())
    expected = m * (m - 1) / (n - 1)
    beside = int((marked & np.roll(marked, -1)).sum())
    return float(pdtrc(beside - 1, expected)) if expected < FEW_PAIRS and beside else float(expected < FEW_PAIRS)


def _ends(values: FloatArray, moments: IntArray) -> tuple[float, float]:
    """Means of the first and the last fifth, each with all rows of the moments that it reaches into."""
    part = max(1, values.size // PARTS)
    first, last = values[moments <= moments[part - 1]], values[moments >= moments[-part]]
    return math.fsum(first) / first.size, math.fsum(last) / last.size


def _apart(values: FloatArray, block: Block) -> tuple[float, float]:
    """Means inside a block and outside of it."""
    inside = values[block.start : block.stop]
    others = np.concatenate([values[: block.start], values[block.stop :]])
    return math.fsum(inside) / inside.size, math.fsum(others) / others.size


def check_order(
    series: Sequence[Series],
    along: str,
    alpha: float,
    order: IntArray,
    moments: IntArray | None = None,
    name_of: Callable[[int], str] = "{:,}".format,
) -> Finding:
    """Find which of the labels, the label quality and the features change along the rows.

    Each class, the quality and each column are tested; the tests of one subject (all classes, or one column's values)
    are corrected with Bonferroni's method and the subjects with Holm's.

    Args:
        series: What to follow, each of n values.
        along: What the order is, in words: ``the order of the rows``, or a column.
        alpha: Chance that anything is named if every order of the rows is equally likely.
        order: (m,) rows to look at, in their order.
        moments: (m,) moments of these rows, if several can share one.
        name_of: Names a row for users, by its number or its time.
    """
    followed = [(one, follow(one.values[order], moments)) for one in series]
    known = [(one, change) for one, change in followed if change is not None]
    subjects: dict[tuple[str, str], list[int]] = {}
    for at, (one, _) in enumerate(known):
        subjects.setdefault((one.kind, one.name), []).append(at)
    p_of = {at: min(1.0, known[at][1].p * len(among)) for among in subjects.values() for at in among}
    best = np.array([min(p_of[at] for at in among) for among in subjects.values()])
    significant = {
        at for among, rejected in zip(subjects.values(), holm(best, alpha), strict=True) if rejected for at in among
    }
    changes = [at in significant and p_of[at] <= alpha and known[at][1].matters for at in range(len(known))]
    blocks = _block_names(known, order, moments is not None, name_of)
    message = _message(known, changes, blocks, along)
    return Finding(
        "order",
        "found" if message else "clear" if known else "not run",
        message
        or (
            f"Neither the labels, their quality nor the features change along {along}."
            if known
            else f"There are fewer than {MIN_VALUES} rows, too few to follow along {along}."
        ),
        details=_details(known, p_of, changes, blocks),
    )


def _details(
    known: Sequence[tuple[Series, Change]], p_of: dict[int, float], changes: Sequence[bool], blocks: Sequence[str]
) -> dict[str, list[object]]:
    order = sorted(range(len(known)), key=lambda at: (not changes[at], p_of[at]))
    ranked = [known[at] for at in order]
    return {
        "kind": [one.kind for one, _ in ranked],
        "name": [one.name for one, _ in ranked],
        "value": [one.value for one, _ in ranked],
        "first_fifth": [change.first for _, change in ranked],
        "last_fifth": [change.last for _, change in ranked],
        "block": [blocks[at] for at in order],
        "in_block": [change.inside for _, change in ranked],
        "elsewhere": [change.outside for _, change in ranked],
        "shift": [change.shift for _, change in ranked],
        "neighbour_correlation": [change.correlation for _, change in ranked],
        "p_value": [p_of[at] for at in order],
        "changes": [changes[at] for at in order],
    }


def _message(known: Sequence[tuple[Series, Change]], changes: Sequence[bool], blocks: Sequence[str], along: str) -> str:
    parts = []
    found = [(*pair, block) for pair, changing, block in zip(known, changes, blocks, strict=True) if changing]
    for kind, what in ((LABELS, "labels"), (QUALITY, "quality of the labels")):
        if of_kind := [entry for entry in found if entry[0].kind == kind]:
            words = _in_words(*max(of_kind, key=lambda entry: (entry[1].differs, entry[1].difference)))
            verb = "change" if kind == LABELS else "changes"
            parts.append(f"The {what} {verb} along {along}: {words}.")
    columns = list(dict.fromkeys(one.name for one, *_ in found if one.kind == FEATURE))
    if columns:
        parts.append(f"{counted(len(columns), 'feature changes', 'features change')} along {along}: {listed(columns)}.")
    if parts:
        parts.append("Folds, and samples of the first rows, should not be cut along it.")
    return " ".join(parts)


def _in_words(one: Series, change: Change, block: str) -> str:
    """The largest difference between parts of the rows, or that they come in runs."""
    if not change.differs:
        which = f"{one.value} comes" if one.value is not None else "it comes"
        return f"{which} in runs, each row being like the next (correlation {change.correlation:.2f})"
    if abs(change.last - change.first) >= change.difference:
        (one_part, there), (other, elsewhere) = ("the first fifth", change.first), ("the last", change.last)
    else:
        (one_part, there), (other, elsewhere) = (block, change.inside), ("the others", change.outside)
    if one.value is None:
        return f"its mean is {there:.3f} in {one_part} and {elsewhere:.3f} in {other}"
    return f"{one.value} is {there:.0%} of {one_part} and {elsewhere:.0%} of {other}"


def _block_names(
    known: Sequence[tuple[Series, Change]], order: IntArray, along_time: bool, name_of: Callable[[int], str]
) -> list[str]:
    """Name the rows of each block, from its first to its last."""
    names = []
    for one, change in known:
        rows = order[~np.isnan(one.values[order])]
        first, last = name_of(int(rows[change.block.start])), name_of(int(rows[change.block.stop - 1]))
        same = f"the rows at {first}" if along_time else f"row {first}"
        ways = f"the rows from {first} to {last}" if along_time else f"rows {first} to {last}"
        names.append(same if first == last else ways)
    return names
