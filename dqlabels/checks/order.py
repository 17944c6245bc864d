"""Whether labels, their quality or the features change along the rows, or along time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dqlabels.checks.finding import Finding, counted, holm, listed

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

# Changes below these are not worth a word, however certain: the largest distance between the shares before and after a
# row, and the correlation of one row with the next.
FEWEST_SHIFT, FEWEST_CORRELATION = 0.05, 0.10
# A series of fewer values has no known law.
FEWEST_VALUES = 50
PARTS = 5
LABELS, QUALITY, FEATURE = "labels", "quality", "feature"


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One thing to follow: ``values`` (n,) with NaN where there is none, of a subject such as a column.

    Where the subject is a category, ``values`` is 1 where the row has ``value`` and 0 elsewhere.
    """

    kind: str
    name: str
    values: FloatArray
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What one series does: ``shift`` in [0, 1] and its p-value, ``correlation`` of neighbours and its p-value.

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
        """Of both tests together."""
        return min(1.0, 2 * min(self.shift_p, self.correlation_p))

    @property
    def matters(self) -> bool:
        """Whether the change is large enough to be worth a word."""
        shifts = self.shift_p <= self.correlation_p or self.shift >= FEWEST_SHIFT
        return (shifts and self.shift >= FEWEST_SHIFT) or self.correlation >= FEWEST_CORRELATION


def follow(values: FloatArray, moments: NDArray[np.int64] | None = None) -> Change | None:
    """Test one series (n,) in its order for a shift, and for neighbours that are alike; None where it cannot be.

    The shift: the largest distance of the running sum of ranks from a straight line, whose law under any order being
    equally likely is Kolmogorov's. Neighbours: the correlation of each rank with the next, the last with the first,
    whose mean and variance under that hypothesis are known exactly, taken for normal.

    Args:
        values: NaN where there is none: such rows are passed over.
        moments: (n,) non-decreasing; rows of one moment have no order among themselves, so the shift is looked at
            between moments alone, and where moments repeat neighbours are not compared.

    Source: the cumulative-sum test of ranks, Bhattacharyya & Johnson (1968), Ann. Math. Statist. 39:1731-1743; serial
        correlation, Wald & Wolfowitz (1943), Ann. Math. Statist. 14:378-388.

    >>> change = follow(np.repeat([0.0, 1.0], 100))
    >>> round(change.shift, 2), change.shift_p < 1e-9
    (0.5, True)
    """
    from scipy.special import kolmogorov, ndtr
    from scipy.stats import rankdata

    known = ~np.isnan(values)
    n = int(known.sum())
    if n < FEWEST_VALUES:
        return None
    x = rankdata(values[known])
    x -= x.mean()
    spread = float(np.sqrt((x**2).mean()))
    if spread == 0:
        return None
    x /= spread
    ends = np.ones(n, dtype=bool)
    repeated = False
    if moments is not None:
        ends[:-1] = moments[known][1:] != moments[known][:-1]
        repeated = not ends.all()
    line = np.abs(np.cumsum(x)[ends]).max() / n
    correlation, deviation = (0.0, np.inf) if repeated else _serial(x)
    fifths = np.array_split(values[known], PARTS)
    return Change(
        shift=float(line),
        shift_p=float(kolmogorov(line * np.sqrt(n))),
        correlation=correlation,
        correlation_p=float(ndtr(-(correlation + 1 / (n - 1)) / deviation)),
        first=float(fifths[0].mean()),
        last=float(fifths[-1].mean()),
    )


def _serial(x: FloatArray) -> tuple[float, float]:
    """Circular correlation of neighbours, and its standard deviation when every order is equally likely.

    ``x`` (n,) has mean 0 and mean square 1, so the mean of the correlation is -1 / (n - 1).
    """
    n = x.size
    fourth = float((x**4).sum())
    total = float(n)  # the sum of squares
    variance = (total**2 - fourth) / (n - 1) + (total**2 - 2 * fourth) / ((n - 1) * (n - 2)) - (total / (n - 1)) ** 2
    return float((x * np.roll(x, -1)).mean()), float(np.sqrt(variance)) / n


def check_order(
    series: Sequence[Series], along: str, alpha: float, order: IntArray, moments: NDArray[np.int64] | None = None
) -> Finding:
    """Which of the labels, their quality and the features change along the rows.

    Each class, the quality and each column are tested; the tests of one subject (all classes, or one column's values)
    are corrected with Bonferroni's method and the subjects with Holm's.

    Args:
        series: Each of n values.
        along: In words: ``the order of the rows``, or a column.
        alpha: The chance that anything is named where every order of the rows is equally likely.
        order: (m,) rows to look at, in their order.
        moments: (m,) of these, where several may share one.
    """
    followed = [(one, follow(one.values[order], moments)) for one in series]
    known = [(one, change) for one, change in followed if change is not None]
    subjects: dict[tuple[str, str], list[int]] = {}
    for at, (one, _) in enumerate(known):
        subjects.setdefault((one.kind, one.name), []).append(at)
    p_of = {at: min(1.0, known[at][1].p * len(among)) for among in subjects.values() for at in among}
    best = np.array([min(p_of[at] for at in among) for among in subjects.values()])
    bar = holm(best, alpha)
    sure = {at for among, rejected in zip(subjects.values(), bar, strict=True) if rejected for at in among}
    changes = [at in sure and p_of[at] <= alpha and known[at][1].matters for at in range(len(known))]
    says = _says(known, changes, along)
    return Finding(
        "order",
        "found" if says else "clear" if known else "not run",
        says
        or (
            f"Neither the labels, their quality nor the features change along {along}."
            if known
            else f"There are fewer than {FEWEST_VALUES} rows, too few to follow along {along}."
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


def _says(known: Sequence[tuple[Series, Change]], changes: Sequence[bool], along: str) -> str:
    parts = []
    found = [pair for pair, changing in zip(known, changes, strict=True) if changing]
    for kind, what in ((LABELS, "labels"), (QUALITY, "quality of the labels")):
        if of_kind := [pair for pair in found if pair[0].kind == kind]:
            one, change = max(of_kind, key=lambda pair: max(pair[1].shift, pair[1].correlation))
            parts.append(f"The {what} {'change' if kind == LABELS else 'changes'} along {along}: {_said(one, change)}.")
    columns = list(dict.fromkeys(one.name for one, _ in found if one.kind == FEATURE))
    if columns:
        parts.append(f"{counted(len(columns), 'feature changes', 'features change')} along {along}: {listed(columns)}.")
    if parts:
        parts.append("Folds, and samples that take the first rows, should not cut along it.")
    return " ".join(parts)


def _said(one: Series, change: Change) -> str:
    if change.shift >= FEWEST_SHIFT and change.shift_p <= max(change.correlation_p, 1e-12):
        if one.value is None:
            return f"its mean is {change.first:.3f} in the first fifth and {change.last:.3f} in the last"
        return f"{one.value} is {change.first:.0%} of the first fifth and {change.last:.0%} of the last"
    which = f"{one.value} comes" if one.value is not None else "it comes"
    return f"{which} in runs, each row being like the next (correlation {change.correlation:.2f})"
