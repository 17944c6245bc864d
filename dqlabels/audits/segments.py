"""A table by the values of one of its columns: the noise rate, the flags and the limits of each segment."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dqlabels.audits.measured import Measured, limit_by_part
from dqlabels.errors import OptionError
from dqlabels.frames.columns import Column, Frame, encode, require
from dqlabels.noise.rate import NoiseRate
from dqlabels.noise.segments import SegmentRates, segment_rates
from dqlabels.report.evidence import plain
from dqlabels.statistics.arrays import BoolArray, FloatArray, IntArray

# A column with more values names rows rather than segments.
MAX_SEGMENTS = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class RowDoubt:
    """The m judged rows of a table: their ``positions`` (m,) in it, P(wrong) (m,) of each, and which are ``flagged``.

    ``resolution`` and ``effect`` are as :func:`~dqlabels.noise.segments.segment_rates` takes them.
    """

    positions: IntArray
    wrong: FloatArray
    flagged: BoolArray
    resolution: float | None = None
    effect: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Segments:
    """S segments, the values of the column ``by``, None for rows without one.

    ``rates`` are those of the segments ``judged`` (J,), which have a judged row; ``rows`` (S,) counts all rows of each;
    ``codes`` (m,) are the segments of the judged rows; ``column`` (S,) holds the values in their own dtype.
    """

    by: str
    values: tuple[Hashable, ...]
    column: Column
    rows: IntArray
    codes: IntArray
    judged: IntArray
    rates: SegmentRates
    supported: bool

    def columns(self) -> dict[str, NDArray[np.generic]]:
        """Numbers (S,) by column, a segment without judged rows with NaN for what is estimated."""
        rates, judged = self.rates, np.zeros(len(self.values), dtype=np.int64)
        judged[self.judged] = rates.rows
        flagged = np.zeros_like(judged)
        flagged[self.judged] = rates.flagged
        return {
            "rows": judged,
            "unjudged": self.rows - judged,
            "noise_rate": self._whole(rates.estimate),
            "noise_rate_low": self._whole(rates.low),
            "noise_rate_high": self._whole(rates.high),
            "flagged": flagged,
            "expected_wrong": self._whole(rates.expected),
            "expected_wrong_low": self._whole(rates.expected_low),
            "expected_wrong_high": self._whole(rates.expected_high),
        }

    def _whole(self, values: FloatArray) -> FloatArray:
        whole = np.full(len(self.values), np.nan)
        whole[self.judged] = values
        return whole

    @property
    def worst_first(self) -> IntArray:
        """(S,) the segments by falling noise rate, those that were not judged last."""
        return np.argsort(-self._whole(self.rates.estimate), kind="stable")

    def to_list(self) -> list[dict[str, object]]:
        """Plain values, the worst segment first, ready for JSON; what is not known is None."""
        columns, name = self.columns(), self.name
        return [
            {name: plain(self.values[at]), **{key: _known(values[at].item()) for key, values in columns.items()}}
            for at in self.worst_first.tolist()
        ]

    @property
    def name(self) -> str:
        """The column of the segments in tables of them."""
        return f"{self.by}_" if self.by in self.columns() else self.by

    def concerning(self, values: Iterable[object]) -> BoolArray:
        """(m,) true for the judged rows of these segments."""
        return np.isin(self.codes, [self.values.index(value) for value in values])

    def limits(self, limits: float | Mapping[Any, float], min_judged: float) -> list[Measured]:
        """The noise rate of each limited segment, with an interval that holds for all segments together.

        Args:
            limits: One for all segments, or a limit by segment.
            min_judged: The least share of a segment's rows that must have been judged.

        Raises:
            OptionError: A limit for a value that the column does not hold.
        """
        limit_of = limit_by_part(limits, self.values, f"is no value of {self.by!r}; the values are")
        rates, measured = self.rates, []
        for at, segment in enumerate(self.judged.tolist()):
            value = self.values[segment]
            if value in limit_of:
                ends = (rates.estimate, rates.all_low, rates.all_high, rates.beyond)
                estimate, low, high, beyond = (float(end[at]) for end in ends)
                what, limit = f"the noise rate {self.where(value)}", limit_of[value]
                measured.append(
                    Measured(
                        "max_segment_noise_rate", what, estimate, low, high, limit, supported=self.supported, of=value,
                        chance_low=beyond,
                    )
                )  # fmt: skip
        return measured + self._coverage(limit_of, min_judged)

    def _coverage(self, limited: Mapping[Any, float], least: float) -> list[Measured]:
        columns, measured = self.columns(), []
        for value, judged, rows in zip(self.values, columns["rows"].tolist(), self.rows.tolist(), strict=True):
            share = judged / rows
            if value in limited and share < least:
                what = f"the share of judged rows {self.where(value)}"
                reason = f"{rows - judged:,} of {rows:,} rows have no label, or none that could be judged"
                measured.append(
                    Measured(
                        "min_judged", what, share, share, share, least, measure="coverage", of=value,
                        verdict="inconclusive", reason=reason,
                    )
                )  # fmt: skip
        return measured

    def where(self, value: object) -> str:
        """Name a segment in a sentence."""
        return f"where {self.by!r} is missing" if value is None else f"where {self.by!r} is {value!r}"


def segments_of(table: Frame, by: object, doubt: RowDoubt, rate: NoiseRate) -> Segments:
    """Estimate the noise rate of each segment.

    Args:
        table: n rows.
        by: The column whose values are the segments.
        doubt: The m judged rows.
        rate: The noise rate of the table.

    Raises:
        OptionError: No column name, or one whose values name no segments.
        FeatureError: A column that is not there.
    """
    if not isinstance(by, str):
        raise OptionError(f"by={by!r} is not the name of a column; pass the column whose values are the segments.")
    require(table, [by], "by")
    column = table[by]
    codes, present = _segment_codes(column)
    first_rows = np.unique(codes, return_index=True)[1]
    values = present if first_rows.size == len(present) else (*present, None)
    own = codes[doubt.positions]
    judged, places = np.unique(own, return_inverse=True)
    rates = segment_rates(places, doubt.wrong, doubt.flagged, rate, resolution=doubt.resolution, effect=doubt.effect)
    return Segments(
        by, values, column[first_rows.tolist()], np.bincount(codes, minlength=len(values)), own, judged, rates,
        rate.supported,
    )  # fmt: skip


def _segment_codes(column: Column) -> tuple[IntArray, tuple[Hashable, ...]]:
    """The segment (n,) of each row, the last one where the value is missing, and the values of the others.

    Raises:
        OptionError: The values name no segments: lists, fractions, or too many.
    """
    name, dtype = column.name, column.dtype
    if dtype.is_nested():
        raise OptionError(f"by={name!r}: the column holds {dtype}, and a segment is a single value.")
    if dtype.is_float():
        numbers = column.drop_nulls().to_numpy()
        numbers = numbers[~np.isnan(numbers)]
        fractions = int((~np.isfinite(numbers) | (numbers != np.rint(numbers))).sum())
        if fractions:
            raise OptionError(
                f"by={name!r}: the column holds fractional numbers in {fractions:,} rows, and a segment is a value. "
                "Cut it into ranges first, as with pandas.cut or polars.Series.cut."
            )
    codes, present = encode(column)
    if len(present) > MAX_SEGMENTS:
        raise OptionError(
            f"by={name!r}: the column has {len(present):,} different values, and at most {MAX_SEGMENTS:,} segments are "
            "told apart. Cut it into ranges, or group its values, first."
        )
    return np.where(codes < 0, len(present), codes), present


def _known(value: float) -> float | None:
    return None if value != value else value  # noqa: PLR0124 - NaN alone differs from itself
