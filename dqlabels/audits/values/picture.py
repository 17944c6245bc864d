"""What a page draws of an audit of numbers: counts alone, whose size does not grow with the table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dqlabels.audits.values.columns import JudgedValues, ValueJudge
from dqlabels.frames.targets import Targets
from dqlabels.statistics.arrays import FloatArray, IntArray

QUALITY_BINS = 40
# Cells of the picture of given against predicted values, along each side.
SIDE = 48


@dataclass(frozen=True, slots=True)
class Axis:
    """Axis from the least to the largest value of a column, in ``SIDE`` equal steps of the value scale."""

    low: float
    high: float

    @classmethod
    def of(cls, judge: ValueJudge, targets: Targets) -> Axis:
        """The axis of a table's values."""
        low, high = judge.scale.apply(np.array([targets.least, targets.largest])).tolist()
        return cls(low, high)

    def cells(self, scaled: FloatArray) -> IntArray:
        """The step (n,) that each value on the scale lies in."""
        return np.asarray(np.clip((scaled - self.low) / (self.high - self.low) * SIDE, 0, SIDE - 1).astype(np.int64))


@dataclass(slots=True, eq=False)
class Picture:
    """Rows by quality, (2, 40), and by predicted and given value, (2, SIDE, SIDE): first those not flagged."""

    axis: Axis
    quality: IntArray
    values: IntArray

    @classmethod
    def empty(cls, axis: Axis) -> Picture:
        """Nothing seen yet."""
        shapes = ((2, QUALITY_BINS), (2, SIDE, SIDE))
        return cls(axis, *(np.zeros(shape, dtype=np.int64) for shape in shapes))

    def update(self, judge: ValueJudge, targets: Targets, judgement: JudgedValues) -> None:
        """Count the rows (b,) of a block that have a value."""
        known = targets.known
        flagged, quality = judgement.flagged[known].astype(np.int64), judgement.quality[known]
        bins = np.minimum((quality * QUALITY_BINS).astype(np.int64), QUALITY_BINS - 1)
        self.quality += np.bincount(flagged * QUALITY_BINS + bins, minlength=self.quality.size).reshape(2, -1)
        given = self.axis.cells(judge.scale.apply(targets.values[known]))
        predicted = self.axis.cells(judge.scale.apply(judgement.predicted[known]))
        cells = (flagged * SIDE + predicted) * SIDE + given
        self.values += np.bincount(cells, minlength=self.values.size).reshape(self.values.shape)

    @property
    def flagged(self) -> int:
        """Flagged rows."""
        return int(self.quality[1].sum())
