"""Label columns that hold amounts: numbers, dates and durations as floats, and back in their own dtype."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from dqlabels.errors import LabelColumnError
from dqlabels.frames.columns import MIN_ROWS_TO_JUDGE, Column, Frame, require

FloatArray = NDArray[np.float64]

# Fractional numbers of more different values than both of these are amounts rather than classes.
MAX_FRACTIONAL_CLASSES, MAX_FRACTIONAL_SHARE = 20, 0.02
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
DAY = 86_400e6  # microseconds


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """A label column as amounts: ``values`` (n,) float64, NaN where missing; dates and durations in microseconds.

    Amounts that the dtype can hold are multiples of ``step``, or any where that is 0; ``least`` and ``largest`` are
    those of the whole table, of which these rows may be a block.
    """

    column: Column
    values: FloatArray
    step: float
    least: float
    largest: float

    @property
    def known(self) -> NDArray[np.bool_]:
        """(n,) true where the row has a value."""
        return ~np.isnan(self.values)

    def possible(self, amounts: FloatArray) -> FloatArray:
        """The nearest amounts (n,) that the dtype holds, between the least and the largest value given."""
        held = amounts if self.step == 0 else np.rint(amounts / self.step) * self.step
        inside: FloatArray = np.clip(held, self.least, self.largest)
        return inside

    def replaced(self, rows: NDArray[np.int64], amounts: FloatArray) -> Column:
        """The label column with these amounts (m,) in these rows (m,), dtype unchanged."""
        if not rows.size:
            return self.column
        listed: Any = [_written(amount, self.column) for amount in amounts.tolist()]
        if self.column.implementation.is_pyarrow():  # older ones replace no durations, nor 32-bit numbers by others
            whole = self.column.to_list()
            for row, value in zip(rows.tolist(), listed, strict=True):
                whole[row] = value
            return nw.new_series(self.column.name, whole, self.column.dtype, backend=self.column.implementation)
        written: Any = self.written(amounts) if self.column.dtype.is_float() else listed
        column: Column = self.column.scatter(rows.tolist(), written)
        return column

    def written(self, amounts: FloatArray) -> Column:
        """These amounts (m,) as a column of the label's name and dtype."""
        listed: Any = (
            amounts if self.column.dtype.is_float() else [_written(at, self.column) for at in amounts.tolist()]
        )
        return nw.new_series(self.column.name, listed, self.column.dtype, backend=self.column.implementation)


def _written(amount: float, column: Column) -> Any:
    dtype = column.dtype
    if dtype.is_integer():
        return int(amount)
    if dtype.is_float():
        return amount
    moved = datetime.timedelta(microseconds=round(amount))
    if dtype == nw.Duration:
        return moved
    moment = EPOCH + moved
    if dtype == nw.Date:
        return moment.date()
    zone = getattr(dtype, "time_zone", None)
    return moment.replace(tzinfo=None) if zone is None else moment.astimezone(ZoneInfo(zone))


def looks_continuous(column: Column) -> bool:
    """Whether the column is fractional numbers of so many values that they are amounts, not classes.

    >>> import polars as pl
    >>> looks_continuous(nw.from_native(pl.Series([at / 7 for at in range(100)]), series_only=True))
    True
    """
    if not column.dtype.is_float():
        return False
    values = np.asarray(column.cast(nw.Float64).to_numpy(), dtype=np.float64)
    values = values[np.isfinite(values)]
    if values.size < MIN_ROWS_TO_JUDGE or not (values != np.rint(values)).any():
        return False
    most = max(MAX_FRACTIONAL_CLASSES, MAX_FRACTIONAL_SHARE * values.size)
    return np.unique(values).size > most


def read_targets(frame: Frame, label: str) -> Targets:
    """The label column as amounts, or why it holds none.

    Raises:
        LabelColumnError: Missing, of a dtype that is no amount, infinite, empty, or of fewer than 3 different values.

    >>> import polars as pl
    >>> read_targets(nw.from_native(pl.DataFrame({"y": [3, None, 1, 2]})), "y").values.tolist()
    [3.0, nan, 1.0, 2.0]
    """
    require(frame, [label], "label")
    column = frame[label]
    values, step = amounts(column)
    seen = AmountTally()
    seen.update(values)
    seen.check(label)
    return Targets(column, values, step, seen.least, seen.largest)


@dataclass(slots=True)
class AmountTally:
    """What must be known of a column of amounts before it is audited: mergeable, the same in any order.

    ``rows`` of them ``missing`` and ``infinite``; the ``least`` and the ``largest`` value, and one ``between`` them,
    NaN where there is none.
    """

    rows: int = 0
    missing: int = 0
    infinite: int = 0
    least: float = np.inf
    largest: float = -np.inf
    between: float = np.nan

    @property
    def known(self) -> int:
        """Rows with a value."""
        return self.rows - self.missing

    def update(self, values: FloatArray) -> None:
        """Take in amounts (n,), NaN where missing."""
        finite = values[np.isfinite(values)]
        self.rows += values.size
        self.missing += int(np.isnan(values).sum())
        self.infinite += int(np.isinf(values).sum())
        if finite.size:
            self._see(finite)

    def merge(self, other: AmountTally) -> None:
        """Take in what ``other`` saw."""
        self.rows += other.rows
        self.missing += other.missing
        self.infinite += other.infinite
        seen = np.array([other.least, other.largest, other.between])
        if np.isfinite(seen).any():
            self._see(seen[np.isfinite(seen)])

    def numbers(self) -> FloatArray:
        """What it holds as (6,) numbers, from which :meth:`of` makes it again."""
        return np.array([self.rows, self.missing, self.infinite, self.least, self.largest, self.between])

    @classmethod
    def of(cls, numbers: FloatArray) -> AmountTally:
        """The tally that these ``numbers`` (6,) are of."""
        rows, missing, infinite = map(int, numbers[:3])
        return cls(rows, missing, infinite, *numbers[3:].tolist())

    def _see(self, finite: FloatArray) -> None:
        before = [self.least, self.largest, self.between]
        self.least = min(self.least, float(finite.min()))
        self.largest = max(self.largest, float(finite.max()))
        inside = finite[(finite > self.least) & (finite < self.largest)]
        candidates = [*(value for value in before if self.least < value < self.largest), *inside[:1].tolist()]
        self.between = candidates[0] if candidates else np.nan

    def check(self, label: str) -> None:
        """Refuse what cannot be audited as amounts.

        Raises:
            LabelColumnError: Infinite, empty, or of fewer than 3 different values.
        """
        if self.infinite:
            raise LabelColumnError(
                f"Column {label!r} holds infinity in {self.infinite:,} rows, which is no amount. Replace it with null "
                "where the value is unknown."
            )
        if not self.known:
            raise LabelColumnError(f"Column {label!r}: all {self.rows:,} values are missing. Nothing can be audited.")
        if np.isnan(self.between):
            different = 1 + (self.largest > self.least)
            raise LabelColumnError(
                f"Column {label!r} holds {different} different value{'s' if different > 1 else ''} in {self.rows:,} "
                "rows, too few for task='regression'. Audit it as classes: task='classes'."
            )


def amounts(column: Column) -> tuple[FloatArray, float]:
    """The values (n,) of a column, NaN where missing, and the step between those that its dtype holds, 0 for any.

    Raises:
        LabelColumnError: A dtype that is no amount.
    """
    dtype = column.dtype
    if dtype.is_integer():
        return _floats(column), 1.0
    if dtype.is_float():
        return _floats(column), 0.0
    if dtype == nw.Duration:
        return _floats(column.dt.total_microseconds()), 1.0
    if dtype == nw.Date:
        return _floats(column.dt.timestamp("us")), DAY
    if dtype == nw.Datetime:
        return _floats(column.dt.timestamp("us")), 1.0
    cure = {
        nw.Boolean: "It has two classes: leave task= out",
        nw.Time: "Turn it into a duration since midnight",
        nw.Decimal: "Cast it to a float",
        nw.Object: "Turn it into a column of numbers or dates",
    }
    cure |= dict.fromkeys((nw.String, nw.Categorical), "Turn it into numbers, or audit it as classes: task='classes'")
    enum = "Audit it as classes, task='classes', or as grades, task='ordinal'"
    way_out = enum if isinstance(dtype, nw.Enum) else cure.get(type(dtype), "Turn it into numbers")
    raise LabelColumnError(
        f"Column {column.name!r} holds {dtype}; task='regression' takes numbers, dates and durations. {way_out}."
    )


def _floats(column: Column) -> FloatArray:
    return np.asarray(column.cast(nw.Float64).to_numpy(), dtype=np.float64)
