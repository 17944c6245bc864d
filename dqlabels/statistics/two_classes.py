"""Two classes: the same statistics as of many, on columns and masks that take a byte a row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dqlabels.statistics.arrays import BoolArray, FloatArray, IntArray, RealArray
from dqlabels.statistics.classes import check_block, sum_to_one


def columns_checked(probs: RealArray, first_row: int = 0) -> RealArray:
    """(2, m) the rows of two classes by class, checked.

    Raises:
        ProbabilityError: As ``check_block``.
    """
    columns = np.ascontiguousarray(probs.T)
    if not (columns.min() >= 0 and sum_to_one(columns[0] + columns[1])):
        check_block(probs, first_row)
    return columns


@dataclass(frozen=True, slots=True, eq=False)
class OfTwo:
    """What is seen of rows of two classes, as masks (m,) that take a byte a row.

    ``likely`` is the likelier class; ``disagree`` where that is not the given one and they do not tie; ``off``
    where the other class is confident; ``counts`` (2, 2) is what they add to the confident joint.
    """

    likely: BoolArray
    disagree: BoolArray
    off: BoolArray
    counts: IntArray

    @classmethod
    def of(cls, labelled: BoolArray, columns: RealArray, bars: FloatArray) -> OfTwo:
        """``likeliest`` and ``confident_class`` of columns (2, m) with labels (m,), true for the second class."""
        first, second = columns
        likely, less = second > first, first > second
        as_first, as_second = first >= bars[0], second >= bars[1]
        as_second &= likely | ~as_first
        as_first &= ~as_second
        both, seen = np.count_nonzero(as_second & labelled), np.count_nonzero(as_second)
        wrong, others = np.count_nonzero(as_first & labelled), np.count_nonzero(as_first)
        counts = np.array([[others - wrong, seen - both], [wrong, both]])
        less &= labelled
        off = as_first & labelled | as_second & ~labelled
        return cls(likely, less | likely & ~labelled, off, counts)
