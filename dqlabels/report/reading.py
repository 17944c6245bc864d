"""How many rows to read, worst first: the wrong labels to expect among them, and what the page says first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from dqlabels.noise.probability import with_chance
from dqlabels.noise.rate import RateData
from dqlabels.report.text import first_sentence, rate_advice, rate_verdict
from dqlabels.statistics.arrays import FloatArray

# Reading pays while at least every second row is wrong.
WORTH_READING = 0.5


class ReviewCurve(TypedDict):
    """Rows read, worst first (P points), and the wrong labels to expect among them, with the ends of the interval.

    ``share`` is the share of the rows read that is expected to be wrong. ``low`` and ``high`` are empty where no
    interval is known.
    """

    rows: list[int]
    wrong: list[float]
    low: list[float]
    high: list[float]
    share: list[float]


class Lead(TypedDict):
    """What a page says first: the verdict, which rate to use, what to read, and what all of it assumes."""

    verdict: str
    advice: str
    read: str
    assumption: str
    more: str


def curve_data(curve: Mapping[str, NDArray[np.generic]]) -> ReviewCurve:
    """Return the columns of a review curve as plain values."""
    rows, wrong, low, high, share = (curve[name].tolist() for name in ("rows", "wrong", "low", "high", "share"))
    return {"rows": rows, "wrong": wrong, "low": low, "high": high, "share": share}


def curve_of(
    wrong: FloatArray, flagged: int, ends: tuple[FloatArray, FloatArray] | None = None, confidence: float = 0.90
) -> ReviewCurve:
    """Return the curve that probabilities of being wrong (m,) add up to, at 10, 20, 50 rows and so on.

    Args:
        wrong: (m,) how likely each row is wrong.
        flagged: How many rows are flagged.
        ends: The same (m,) by the low and the high end of the noise rate's interval; without, the curve has none.
        confidence: That of the interval.

    >>> curve_of(np.array([0.2, 0.9, 0.7]), 2)["wrong"]
    [1.6, 1.8]
    """
    total = wrong.size
    steps = [n * 10**power for power in range(1, 10) for n in (1, 2, 5)]
    rows = sorted({n for n in [*steps, flagged, total] if 0 < n <= total})
    order, counts = np.argsort(-wrong, kind="stable"), np.array(rows, dtype=np.int64)
    summed, *both = (one[order].cumsum()[counts - 1] for one in (wrong, *(ends or ())))
    expected = [round(float(one), 6) for one in summed]
    low, high = with_chance(summed, both[0], both[1], counts, confidence) if both else (np.empty(0), np.empty(0))
    return {
        "rows": rows,
        "wrong": expected,
        "low": low.tolist(),
        "high": high.tolist(),
        "share": [one / n for one, n in zip(expected, rows, strict=True)],
    }


def first_to_read(curve: ReviewCurve, flagged: int) -> int:
    """Return how many rows to read first: as many flagged ones as keep every second row a wrong one.

    >>> first_to_read({"rows": [10, 20, 50], "wrong": [9, 12, 15], "low": [], "high": [], "share": [0.9, 0.6, 0.3]}, 50)
    20
    """
    within = [at for at, rows in enumerate(curve["rows"]) if rows <= flagged]
    worth = [at for at in within if curve["share"][at] >= WORTH_READING]
    return curve["rows"][worth[-1]] if worth else min(curve["rows"][0], flagged) if within else flagged


def reading_words(
    curve: ReviewCurve, flagged: int, likely_wrong: str = "", *, what: str = "rows", wrong: str = "are wrong"
) -> str:
    """Return which rows to read and how many of them are likely wrong.

    Args:
        curve: What to expect; without points, nothing is known.
        flagged: How many rows are flagged.
        likely_wrong: What follows the number of flagged rows; by default what the curve says of them.
        what: What is flagged, in the plural.
        wrong: What is expected of them, as a verb in the plural.

    >>> curve = {"rows": [10, 20], "wrong": [9.0, 12.0], "low": [8.0, 9.0], "high": [10.0, 15.0], "share": [0.9, 0.6]}
    >>> reading_words(curve, 40, "; about 15 of them are wrong")
    'Read the worst 20 rows first: about 12 (9 to 15) are wrong. 40 rows are flagged; about 15 of them are wrong.'
    >>> reading_words(curve_of(np.array([0.9, 0.8]), 2), 2)
    'Read the flagged rows first: 2 rows are flagged, of which about 2 are wrong.'
    """
    if not flagged:
        return "No row is flagged, so there is none to read first. That does not prove every label right."
    first = first_to_read(curve, flagged)
    of_which = _expected_among(curve, flagged, wrong)
    likely = likely_wrong or (f", of which {of_which}" if of_which else "")
    one = what.removesuffix("s") if flagged == 1 else what
    flags = f"{flagged:,} {one} {'is' if flagged == 1 else 'are'} flagged{likely}."
    among = _expected_among(curve, first, wrong) if first < flagged else ""
    what_first = f"worst {first:,} rows first: {among}." if among else f"flagged {one} first:"
    return f"Read the {what_first} {flags}"


def _expected_among(curve: ReviewCurve, rows: int, wrong: str) -> str:
    """How many of the rows read are likely wrong; nothing where the curve does not say it."""
    if rows not in curve["rows"]:
        return ""
    at = curve["rows"].index(rows)
    interval = f" ({round(curve['low'][at]):,} to {round(curve['high'][at]):,})" if curve["low"] else ""
    expected = round(curve["wrong"][at])
    return f"about {expected:,}{interval} {wrong}" if expected else f"fewer than 1{interval} {wrong}"


def lead_of(rate: RateData, others: Sequence[str], read: str, what: str = "labels") -> Lead:
    """Return what a page says first where there is a noise rate.

    Args:
        rate: The noise rate.
        others: The other rates on the page, each as in "the 9.0% of rows that are flagged".
        read: What to read.
        what: What is wrong or right, in the plural.
    """
    assumption, more = first_sentence(rate["assumption"])
    return {
        "verdict": rate_verdict(rate, what),
        "advice": rate_advice(rate, others),
        "read": read,
        "assumption": assumption,
        "more": more,
    }
