"""Rows that are far from all others."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dqlabels.checks.finding import Finding, counted
from dqlabels.checks.space import Space, dimension
from dqlabels.statistics.arrays import BoolArray, FloatArray
from dqlabels.statistics.multiple_testing import benjamini_hochberg

# Denser rows count as if they had the density at this quantile; next to a knot of near copies, anything looks far.
DENSEST = 0.25
# The tail of usual rows is fitted through these quantiles; scores beyond them have no influence on it.
INNER, OUTER = 0.75, 0.90
MAX_ROUNDS = 20
# However similar the usual scores are, a row is not far unless it is half as far again as its neighbours, and rows are
# ten times sparser around it than around them. In D dimensions that is 10**(1 / D) times as far.
MIN_TIMES, THINNER = 1.5, 10.0
MAX_LISTED = 3


def outlier_scores(space: Space) -> FloatArray:
    """Score how many times farther each point (u,) is from its neighbours than they are from theirs; about 1 is usual.

    Source: The local outlier factor of Breunig et al. (2000), SIGMOD, with the density of the densest quarter of the
    points capped at the quartile.
    """
    reach = np.maximum(space.distances, space.distances[space.neighbours][:, :, -1]).mean(axis=1)
    thinned = np.maximum(reach, max(float(np.quantile(reach, DENSEST)), np.finfo(float).tiny))
    return np.asarray(reach * (1 / thinned)[space.neighbours].mean(axis=1))


def min_score(space: Space) -> float:
    """Return the score below which no row is far."""
    return float(max(MIN_TIMES, THINNER ** (1 / dimension(space))))


def far_out(scores: FloatArray, alpha: float, min_score: float = MIN_TIMES) -> BoolArray:
    """Find the scores (u,) beyond the tail of usual ones, at a false-discovery rate of ``alpha``.

    The upper tail of the usual scores is assumed to be a power law. It is fitted through the upper quartile and decile
    of the scores, repeatedly without those found, until the same ones are found. Scores below ``min_score`` are never
    found.

    Source: Benjamini & Hochberg (1995) on the p-values. A power law is the heaviest of the usual tails, so what lies
    beyond it lies beyond any of them.

    >>> rng = np.random.default_rng(0)
    >>> np.flatnonzero(far_out(np.append(rng.normal(1, 0.1, 300), 9.0), 0.01)).tolist()
    [300]
    """
    sizes = np.log(np.maximum(scores, np.finfo(float).tiny))
    found = np.zeros(scores.size, dtype=bool)
    enough = scores >= min_score
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
    """Report rows that are far from their neighbours, farthest first, each with the column that contributes most.

    Args:
        space: n rows as points.
        alpha: The expected share of usual rows among those found.
        shown: Returns the value of a column in a row as text.
    """
    scores = outlier_scores(space)
    far = far_out(scores, alpha, min_score(space))
    of_rows, found = scores[space.point], far[space.point]
    rows = np.flatnonzero(found)
    rows = rows[np.lexsort((rows, -of_rows[rows]))]
    apart = space.apart(space.point[rows])
    names = list(space.blocks)
    most = apart.argmax(axis=1)
    columns = [names[at] for at in most.tolist()]
    values = [shown(name, row) for name, row in zip(columns, rows.tolist(), strict=True)]
    examples = [
        f"row {row} ({score:.1f} times, most in {name!r} = {value})"
        for row, score, name, value in zip(rows.tolist(), of_rows[rows].tolist(), columns, values, strict=True)
    ]
    return Finding(
        "outliers",
        "found" if rows.size else "clear",
        f"{counted(rows.size, 'row')} ({found.mean():.1%}) {'is' if rows.size == 1 else 'are'} farther from the "
        f"nearest rows than these are from theirs, beyond what is usual here: {', '.join(examples[:MAX_LISTED])}"
        + ("." if rows.size <= MAX_LISTED else ", …")
        if rows.size
        else "No row is unusually far from its nearest rows.",
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
