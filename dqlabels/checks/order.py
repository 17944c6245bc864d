"""Whether labels, label quality or features change along the rows or over time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dqlabels.checks.finding import Finding, counted, listed
from dqlabels.statistics.arrays import BoolArray, FloatArray, IntArray
from dqlabels.statistics.multiple_testing import holm

# Smaller changes are not worth mentioning, however certain: the largest difference between the shares before and after
# a row, and the correlation of each row with the next.
MIN_SHIFT, MIN_CORRELATION = 0.05, 0.10
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
    """How one series changes: ``shift`` in [0, 1] and ``correlation`` of neighbours, with their p-values.

    ``first`` and ``last`` are the means of the first and the last fifth.
    """

    shift: float
    shift_p: float
    correlation: float
    correlation_p: float
    first: float
    last: float

    @property
    def p(self) -> float:
        """P-value of both tests together."""
        return min(1.0, 2 * min(self.shift_p, self.correlation_p))

    @property
    def matters(self) -> bool:
        """Whether the change is large enough to be worth mentioning."""
        shifts = self.shift_p <= self.correlation_p or self.shift >= MIN_SHIFT
        return (shifts and self.shift >= MIN_SHIFT) or self.correlation >= MIN_CORRELATION


def follow(values: FloatArray, moments: IntArray | None = None) -> Change | None:
    """Test a series (n,), in its order, for a shift and for neighbours that are alike; None if it cannot be tested.

    The shift is the largest distance of the running sum of ranks from a straight line; if every order is equally likely
    it follows Kolmogorov's distribution. The neighbours are tested by the correlation of each rank with the next, and
    of the last with the first; its mean and variance under that hypothesis are known exactly, and it is treated as
    normal. For a rare value, the number of neighbouring rows that both have it is compared with a Poisson distribution.

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
    return Change(
        shift=shift,
        shift_p=float(kolmogorov(shift * np.sqrt(n))),
        correlation=correlation,
        correlation_p=correlation_p,
        first=first,
        last=last,
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


def check_order(
    series: Sequence[Series], along: str, alpha: float, order: IntArray, moments: IntArray | None = None
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
    message = _message(known, changes, along)
    return Finding(
        "order",
        "found" if message else "clear" if known else "not run",
        message
        or (
            f"Neither the labels, their quality nor the features change along {along}."
            if known
            else f"There are fewer than {MIN_VALUES} rows, too few to follow along {along}."
        ),
        details=_details(known, p_of, changes),
    )


def _details(
    known: Sequence[tuple[Series, Change]], p_of: dict[int, float], changes: Sequence[bool]
) -> dict[str, list[object]]:
    order = sorted(range(len(known)), key=lambda at: (not changes[at], p_of[at]))
    ranked = [known[at] for at in order]
    return {
        "kind": [one.kind for one, _ in ranked],
        "name": [one.name for one, _ in ranked],
        "value": [one.value for one, _ in ranked],
        "first_fifth": [change.first for _, change in ranked],
        "last_fifth": [change.last for _, change in ranked],
        "shift": [change.shift for _, change in ranked],
        "neighbour_correlation": [change.correlation for _, change in ranked],
        "p_value": [p_of[at] for at in order],
        "changes": [changes[at] for at in order],
    }


def _message(known: Sequence[tuple[Series, Change]], changes: Sequence[bool], along: str) -> str:
    parts = []
    found = [pair for pair, changing in zip(known, changes, strict=True) if changing]
    for kind, what in ((LABELS, "labels"), (QUALITY, "quality of the labels")):
        if of_kind := [pair for pair in found if pair[0].kind == kind]:
            one, change = max(of_kind, key=lambda pair: max(pair[1].shift, pair[1].correlation))
            verb = "change" if kind == LABELS else "changes"
            parts.append(f"The {what} {verb} along {along}: {_in_words(one, change)}.")
    columns = list(dict.fromkeys(one.name for one, _ in found if one.kind == FEATURE))
    if columns:
        parts.append(f"{counted(len(columns), 'feature changes', 'features change')} along {along}: {listed(columns)}.")
    if parts:
        parts.append("Folds, and samples of the first rows, should not be cut along it.")
    return " ".join(parts)


def _in_words(one: Series, change: Change) -> str:
    if change.shift >= MIN_SHIFT and change.shift_p <= max(change.correlation_p, 1e-12):
        if one.value is None:
            return f"its mean is {change.first:.3f} in the first fifth and {change.last:.3f} in the last"
        return f"{one.value} is {change.first:.0%} of the first fifth and {change.last:.0%} of the last"
    which = f"{one.value} comes" if one.value is not None else "it comes"
    return f"{which} in runs, each row being like the next (correlation {change.correlation:.2f})"
