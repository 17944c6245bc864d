"""Rows that lie far from all others."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dqlabels.checks.finding import Finding, counted
from dqlabels.checks.space import Space, dimension
from dqlabels.statistics.multiple_testing import benjamini_hochberg

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

# Rows denser than this quantile count as if they had its density: by a knot of near copies anything else lies far.
DENSEST = 0.25
# Quantiles that the tail of usual rows is fitted through: what lies beyond is not looked at.
INNER, OUTER = 0.75, 0.90
MAX_ROUNDS = 20
# However narrow the usual scores are: a row less than half as far again as its neighbours is not far, nor one about
# which rows lie less than ten times thinner than about these. In D dimensions that is 10**(1 / D) times as far.
MIN_TIMES, THINNER = 1.5, 10.0
MAX_LISTED = 3


def outlier_scores(space: Space) -> FloatArray:
    """(u,) how many times farther a point is from its neighbours than these are from theirs; about 1 is usual.

    Source: the local outlier factor of Breunig et al. (2000), SIGMOD, with the density of the densest quarter of the
    points cut to that of the quartile.
    """
    reach = np.maximum(space.distances, space.distances[space.neighbours][:, :, -1]).mean(axis=1)
    thinned = np.maximum(reach, max(float(np.quantile(reach, DENSEST)), np.finfo(float).tiny))
    scores: FloatArray = reach * (1 / thinned)[space.neighbours].mean(axis=1)
    return scores


def least_score(space: Space) -> float:
    """Below which no row is far."""
    return float(max(MIN_TIMES, THINNER ** (1 / dimension(space))))


def far_out(scores: FloatArray, alpha: float, least: float = MIN_TIMES) -> BoolArray:
    """(u,) scores beyond the tail of usual ones, at a false-discovery rate of ``alpha``.

    The usual scores' upper tail is taken for a power law, fitted through the upper quartile and decile of the table's
    own scores, again without those found until they stay. Scores below ``least`` are never found.

    Source: Benjamini & Hochberg (1995) on the p-values; a power law is the heaviest of the usual tails, so what lies
    beyond one is far out by any of them.

    >>> rng = np.random.default_rng(0)
    >>> np.flatnonzero(far_out(np.append(rng.normal(1, 0.1, 300), 9.0), 0.01)).tolist()
    [300]
    """
    sizes = np.log(np.maximum(scores, np.finfo(float).tiny))
    found = np.zeros(scores.size, dtype=bool)
    enough = scores >= least
    for _ in range(MAX_ROUNDS):
        inner, outer = np.quantile(sizes[~found], (INNER, OUTER)).tolist()
        if outer <= inner:
            break
        rate = np.log((1 - INNER) / (1 - OUTER)) / (outer - inner)
        p = np.where(sizes > inner, (1 - INNER) * np.exp(-rate * np.maximum(sizes - inner, 0.0)), 1.0)
        again = benjamini_hochberg(p, alpha) & enough
        if np.array_equal(again, found):
            break
        found = again
    return found


def check_outliers(space: Space, alpha: float, shown: Callable[[str, int], str]) -> Finding:
    """Rows far from their neighbours, farthest first, each with the column that makes most of the distance.

    Args:
        space: n rows.
        alpha: The expected share of usual rows among those found.
        shown: The value of a column in a row, as a person reads it.
    """
    scores = outlier_scores(space)
    far = far_out(scores, alpha, least_score(space))
    of_rows, found = scores[space.point], far[space.point]
    rows = np.flatnonzero(found)
    rows = rows[np.lexsort((rows, -of_rows[rows]))]
    apart = space.apart(space.point[rows])
    names = list(space.blocks)
    most = apart.argmax(axis=1)
    columns = [names[at] for at in most.tolist()]
    values = [shown(name, row) for name, row in zip(columns, rows.tolist(), strict=True)]
    said = [
        f"row {row} ({score:.1f} times, most in {name!r} = {value})"
        for row, score, name, value in zip(rows.tolist(), of_rows[rows].tolist(), columns, values, strict=True)
    ]
    return Finding(
        "outliers",
        "found" if rows.size else "clear",
        f"{counted(rows.size, 'row')} ({found.mean():.1%}) {'lies' if rows.size == 1 else 'lie'} farther from the "
        f"nearest rows than these from theirs, beyond what is usual here: {', '.join(said[:MAX_LISTED])}"
        + ("." if rows.size <= MAX_LISTED else ", …")
        if rows.size
        else "No row lies unusually far from its nearest ones.",
        rows=int(rows.size),
        share=float(found.mean()),
        details={
            "row": rows.tolist(),
            "score": of_rows[rows].tolist(),
            "column": columns,
            "value": values,
            "column_share": apart.max(axis=1).tolist() if rows.size else [],
        },
        columns={"is_outlier": found, "outlier_score": of_rows},
    )
