"""Intervals of shares that hold on few rows, and how many rows it takes to hold a share against a limit."""

from __future__ import annotations

import math
from statistics import NormalDist


def difference_interval(
    share: float, rows: float, before: float, rows_before: float, confidence: float
) -> tuple[float, float]:
    """Interval of ``share`` less ``before``, the shares of two independent groups of rows.

    It lies in [-1, 1] and holds on few rows: two rows are added to each group, one of which counts. Of the intervals
    tried, that and Newcombe's, it called the fewest unchanged batches of under 30 rows risen.

    Args:
        share: Share of the ``rows``, in [0, 1].
        rows: How many rows it is a share of, at least 1.
        before: Share of the ``rows_before``, in [0, 1].
        rows_before: How many rows that is a share of, at least 1.
        confidence: Confidence of the interval, in (0, 1).

    Source: Agresti & Caffo (2000), The American Statistician 54:280-288.

    >>> low, high = difference_interval(0.8, 70, 0.6, 80, 0.95)
    >>> round(low, 3), round(high, 3)
    (0.052, 0.336)
    """
    now, then = ((some * of + 1) / (of + 2) for some, of in ((share, rows), (before, rows_before)))
    error = math.sqrt(now * (1 - now) / (rows + 2) + then * (1 - then) / (rows_before + 2))
    half = NormalDist().inv_cdf(0.5 + confidence / 2) * error
    # At low confidence the added rows can move the interval off the change itself.
    low, high = min(now - then - half, share - before), max(now - then + half, share - before)
    return max(low, -1.0), min(high, 1.0)


def fewest_rows(limit: float, confidence: float, scale: float = 1.0) -> int | None:
    """Return the fewest rows that could show a share of wrong labels to be at most ``limit``; None if none could.

    On fewer rows the interval would reach beyond the limit even if not one label were wrong: Wilson's interval of none
    among n rows ends at z² / (n + z²).

    Args:
        limit: The most that the share may be, in [0, 1].
        confidence: Confidence of the interval, in (0, 1).
        scale: How many labels disagree with the model for each that is wrong, in (0, 1].

    >>> fewest_rows(0.05, 0.90), fewest_rows(0.02, 0.90), fewest_rows(0.0, 0.90)
    (52, 133, None)
    """
    if limit <= 0:
        return None
    z2 = NormalDist().inv_cdf(0.5 + confidence / 2) ** 2
    return max(math.ceil(z2 * (1 / (limit * scale) - 1)), 1)
