"""What an audit found, as arrays from which its tables, messages and gates are made."""

from __future__ import annotations

import datetime
import math
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dqlabels.frames.columns import Frame, Labels
from dqlabels.frames.values import python_value
from dqlabels.report.summary import Plain
from dqlabels.statistics.arrays import RealArray

# How sure a finding is, by the probability that the label is right. Where the quality is a score, no more is known than
# that the model prefers another class.
LIKELY_WRONG, EITHER, DISAGREES = "likely wrong", "could be either", "model disagrees"
EVEN_ODDS = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What the tables of a :class:`~dqlabels.LabelAudit` are made from; arrays are over the m audited rows.

    ``positions`` (m,) row numbers in the frame, ``codes`` (m,), ``probs`` (m, K), ``suggested`` (m,) codes,
    ``quality`` (m,) in [0, 1], ``flagged`` (m,) bool, ``thresholds`` (K,), ``counts`` (K, K) raw confident
    joint, ``joint`` (K, K) calibrated, sums to 1; ``units`` (m,) the scores behind the quality; ``ordered`` where the
    classes are grades, ``probable`` where the quality is a probability.
    """

    labels: Labels
    positions: NDArray[np.int64]
    codes: NDArray[np.int64]
    probs: RealArray
    suggested: NDArray[np.int64]
    quality: NDArray[np.float64]
    flagged: NDArray[np.bool_]
    thresholds: NDArray[np.float64]
    counts: NDArray[np.int64]
    joint: NDArray[np.float64]
    units: NDArray[np.float64]
    ordered: bool = field(default=False, kw_only=True)
    probable: bool = field(default=True, kw_only=True)

    @property
    def classes(self) -> tuple[Hashable, ...]:
        """The K classes in order."""
        return self.labels.classes

    @property
    def class_rows(self) -> NDArray[np.int64]:
        """(K,) audited rows that carry each label."""
        return np.bincount(self.codes, minlength=len(self.classes))

    @property
    def class_flags(self) -> NDArray[np.int64]:
        """(K,) flagged rows that carry each label."""
        return np.bincount(self.codes[self.flagged], minlength=len(self.classes))

    @property
    def class_quality(self) -> NDArray[np.float64]:
        """(K,) sum of the qualities of the rows that carry each label."""
        return np.bincount(self.codes, weights=self.quality, minlength=len(self.classes)).astype(np.float64)

    @property
    def worst_codes(self) -> NDArray[np.int64]:
        """Labels of the rows among which ``worst`` gives positions."""
        return self.codes

    def worst(self) -> tuple[NDArray[np.int64], list[str]]:
        """Return the audited positions of the flagged rows, worst first, and how sure each finding is."""
        found = np.flatnonzero(self.flagged)
        order = found[np.argsort(self.quality[found], kind="stable")]
        return order, how_sure(self.quality[order], probable=self.probable)

    def steps(self, order: NDArray[np.int64]) -> list[str] | None:
        """Say of grades whether each suggestion (m,) is the next one; None for classes without an order."""
        if not self.ordered:
            return None
        off = np.abs(self.suggested[order] - self.worst_codes[order])
        return ["slip" if grades == 1 else "gross" for grades in off]

    def class_facts(
        self, noise_rates: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]
    ) -> dict[str, NDArray[np.generic]]:
        """Return the columns (K,) of the class table, given the noise rate of each class with its interval."""
        return {
            "rows": self.class_rows,
            "flagged": self.class_flags,
            "flagged_share": self.class_flags / np.maximum(self.class_rows, 1),
            "noise_rate": noise_rates,
            "noise_rate_low": low,
            "noise_rate_high": high,
            "threshold": self.thresholds,
            "mean_quality": self.class_quality / np.maximum(self.class_rows, 1),
        }

    def pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Return flagged pairs, most common first: given, suggested, rows, share of the given class."""
        cells, rows = self._flagged_cells()
        order = np.lexsort((cells, -rows))
        given, suggested = np.divmod(cells[order], len(self.classes))
        return given, suggested, rows[order], rows[order] / self.class_rows[given]

    def _flagged_cells(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Cells of the (K, K) table of given and suggested class that hold flagged rows, and how many each."""
        cells = self.codes[self.flagged] * len(self.classes) + self.suggested[self.flagged]
        return np.unique(cells, return_counts=True)

    def worst_facts(self, most: int, index: Any = None) -> list[dict[str, object]]:
        """Return the ``most`` most suspicious rows as plain values, with their value in ``index``, if any."""
        order, sure = self.worst()
        return [
            {
                "row": int(self.positions[at]),
                **({} if index is None else {"index": plain(index[int(self.positions[at])])}),
                "given": plain(self.classes[self.worst_codes[at]]),
                "suggested": plain(self.classes[self.suggested[at]]),
                "quality": float(self.quality[at]),
                "how_sure": words,
            }
            for at, words in zip(order[:most], sure, strict=False)
        ]


def how_sure(quality: NDArray[np.float64], *, probable: bool = True) -> list[str]:
    """Say how sure a finding is that a label (m,) of this quality is wrong, by the odds.

    Args:
        quality: (m,) of flagged labels.
        probable: Whether the quality is the probability that the label is right.

    >>> how_sure(np.array([0.1, 0.7]))
    ['likely wrong', 'could be either']
    """
    if not probable:
        return [DISAGREES] * quality.size
    return [LIKELY_WRONG if one < EVEN_ODDS else EITHER for one in quality.tolist()]


def index_values(table: Frame | None) -> Any:
    """Return the index of a pandas frame, or None if it says no more than the row number, or if there is no table."""
    if table is None or not table.implementation.is_pandas_like():
        return None
    index = table.to_native().index
    counted = (getattr(index, "start", None), getattr(index, "step", None), index.name) == (0, 1, None)
    return None if counted else index


def plain(value: object) -> Plain:
    """Return a value for JSON: numbers, booleans and strings as they are, what is missing as None, all else as text.

    >>> plain(np.int64(3)), plain(float("nan")), plain(np.datetime64("2026-01-31", "ns"))
    (3, None, '2026-01-31T00:00:00')
    """
    value = python_value(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (datetime.date, datetime.datetime)):
        return value.isoformat()
    return str(value)
