"""The scale on which numbers are fitted and compared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dqlabels.statistics.arrays import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class ValueScale:
    """``asinh((value - center) / unit)``: the scale on which values are fitted and compared."""

    center: float
    unit: float

    @classmethod
    def of(cls, values: FloatArray, counts: IntArray | None = None) -> ValueScale:
        """Scale around the median, in units of the interquartile range.

        If the quartiles coincide, the unit is the median distance of the values that differ from the median.

        Args:
            values: (n,) values.
            counts: (n,) how often each value occurs; default once.

        >>> ValueScale.of(np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
        ValueScale(center=3.0, unit=2.0)
        """
        low, center, high = _quantiles(values, (0.25, 0.5, 0.75), counts)
        if high > low:
            return cls(center, high - low)
        other = values != center
        off = np.abs(values[other] - center)
        return cls(center, _quantiles(off, (0.5,), None if counts is None else counts[other])[0] if off.size else 1.0)

    def apply(self, values: FloatArray) -> FloatArray:
        """Transform values (n,) to the scale."""
        return np.asarray(np.arcsinh((values - self.center) / self.unit))

    def log_slopes(self, values: FloatArray) -> FloatArray:
        """Logarithm of the slope of the scale at the values (n,)."""
        return np.asarray(-np.log(np.hypot(1.0, (values - self.center) / self.unit)) - np.log(self.unit))

    def undo(self, scaled: FloatArray) -> FloatArray:
        """Transform values (n,) back from the scale."""
        return np.asarray(self.center + self.unit * np.sinh(scaled))


def _quantiles(values: FloatArray, shares: tuple[float, ...], counts: IntArray | None) -> list[float]:
    if counts is None:
        quantiles: list[float] = np.quantile(values, shares).tolist()
        return quantiles
    order = np.argsort(values, kind="stable")
    upto = counts[order].cumsum()
    places = np.searchsorted(upto, np.ceil(np.array(shares) * int(upto[-1])).astype(np.int64))
    quantiles = values[order[places]].tolist()
    return quantiles
