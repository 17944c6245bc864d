"""The statistics of :mod:`dqlabels.statistics.classes` for two classes, on columns and masks of one byte per row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dqlabels.statistics.arrays import BoolArray, FloatArray, IntArray, RealArray
from dqlabels.statistics.classes import check_block, sum_to_one


def columns_checked(probs: RealArray, first_row: int = 0) -> RealArray:
    """Transpose the probabilities of two classes to (2, m), and check every row.

    Raises:
        ProbabilityError: NaN, infinity, a negative value, or a row that does not sum to 1.
    """
    columns = np.ascontiguousarray(probs.T)
    if not (columns.min() >= 0 and sum_to_one(columns[0] + columns[1])):
        check_block(probs, first_row)
    return columns


@dataclass(frozen=True, slots=True, eq=False)
class TwoClassMasks:
    """Masks (m,) of rows with two classes, one byte per row.

    ``likely`` is true where the second class is likelier; ``disagree`` where the likelier class is not the given one
    and they do not tie; ``off`` where the other class is confident. ``counts`` (2, 2) is what the rows add to the
    confident joint.
    """

    likely: BoolArray
    disagree: BoolArray
    off: BoolArray
    counts: IntArray

    @classmethod
    def of(cls, labelled: BoolArray, columns: RealArray, bars: FloatArray) -> TwoClassMasks:
        """Judge columns (2, m) against the ``bars`` (2,) of the tally; labels (m,) are true for the second class."""
        first, second = columns
        likely, less = second > first, first > second
        as_first, as_second = first >= bars[0], second >= bars[1]
        as_second &= likely | ~as_first
        as_first &= ~as_second
        both, second_rows = np.count_nonzero(as_second & labelled), np.count_nonzero(as_second)
        wrong, first_rows = np.count_nonzero(as_first & labelled), np.count_nonzero(as_first)
        counts = np.array([[first_rows - wrong, second_rows - both], [wrong, both]])
        less &= labelled
        off = as_first & labelled | as_second & ~labelled
        return cls(likely, less | likely & ~labelled, off, counts)
