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
from dqlabels.frames.columns import FEWEST_ROWS_TO_JUDGE, Column, Frame, require

FloatArray = NDArray[np.float64]

# Fewer different values than this are classes, whatever they are written as.
FEWEST_VALUES = 3
# Fractional numbers of more different values than both of these are amounts rather than classes.
MOST_FRACTIONAL_CLASSES, MOST_FRACTIONAL_SHARE = 20, 0.02
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
DAY = 86_400e6  # microseconds


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """A label column as amounts: ``values`` (n,) float64, NaN where missing; dates and durations in microseconds.

    Amounts that the dtype can hold are multiples of ``step``, or any where that is 0.
    """

    column: Column
    values: FloatArray
    step: float

    @property
    def known(self) -> NDArray[np.bool_]:
        """(n,) true where the row has a value."""
        return ~np.isnan(self.values)

    def possible(self, amounts: FloatArray) -> FloatArray:
        """The nearest amounts (n,) that the dtype holds, between the least and the largest value given."""
        held = amounts if self.step == 0 else np.rint(amounts / self.step) * self.step
        inside: FloatArray = np.clip(held, np.nanmin(self.values), np.nanmax(self.values))
        return inside

    def replaced(self, rows: NDArray[np.int64], amounts: FloatArray) -> Column:
        """The label column with these amounts (m,) in these rows (m,), dtype unchanged."""
        if not rows.size:
            return self.column
        written: Any = [_written(amount, self.column) for amount in amounts.tolist()]
        if self.column.dtype.is_float():
            written = nw.new_series("written", amounts, self.column.dtype, backend=self.column.implementation)
        if self.column.implementation.is_pyarrow():  # older ones replace no durations, nor 32-bit numbers by others
            values = self.column.to_list()
            for row, value in zip(rows.tolist(), written, strict=True):
                values[row] = value
            return nw.new_series(self.column.name, values, self.column.dtype, backend=self.column.implementation)
        column: Column = self.column.scatter(rows.tolist(), written)
        return column


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
    if values.size < FEWEST_ROWS_TO_JUDGE or not (values != np.rint(values)).any():
        return False
    most = max(MOST_FRACTIONAL_CLASSES, MOST_FRACTIONAL_SHARE * values.size)
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
    values, step = _amounts(column)
    if np.isinf(values).any():
        raise LabelColumnError(
            f"Column {label!r} holds infinity in {int(np.isinf(values).sum()):,} rows, which is no amount. Replace it "
            "with null where the value is unknown."
        )
    present = np.unique(values[~np.isnan(values)])
    if not present.size:
        raise LabelColumnError(f"Column {label!r}: all {len(column):,} values are missing. Nothing can be audited.")
    if present.size < FEWEST_VALUES:
        raise LabelColumnError(
            f"Column {label!r} holds {present.size} different value{'s' if present.size > 1 else ''} in "
            f"{len(column):,} rows, too few for task='regression'. Audit it as classes: task='classes'."
        )
    return Targets(column, values, step)


def _amounts(column: Column) -> tuple[FloatArray, float]:
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
