"""Label columns that hold amounts: numbers, dates and durations, as floats and back in their own dtype."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import narwhals as nw
import numpy as np

from dqlabels.errors import LabelColumnError
from dqlabels.frames.arrays import BoolArray, FloatArray, IntArray
from dqlabels.frames.columns import Column, Frame, floats, require
from dqlabels.frames.outputs import palette

DAY = 86_400e6  # microseconds
# The step between values of a dtype, in microseconds; nanoseconds are rounded to those.
UNITS = {"s": 1e6, "ms": 1e3, "us": 1.0, "ns": 1.0}


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """A label column as amounts: ``values`` (n,), NaN where missing, with dates and durations in microseconds.

    The dtype can hold multiples of ``step``, or any amount if that is 0. ``least`` and ``largest`` are the extremes of
    the whole table, of which these rows may be a block.
    """

    column: Column
    values: FloatArray
    step: float
    least: float
    largest: float

    @property
    def known(self) -> BoolArray:
        """True (n,) where the row has a value."""
        return ~np.isnan(self.values)

    def possible(self, amounts: FloatArray) -> FloatArray:
        """Round amounts (n,) to those that the dtype can hold, and clip them to the range of the table."""
        return np.asarray(np.clip(_in_steps(amounts, self.step), self.least, self.largest))

    def replaced(self, rows: IntArray, amounts: FloatArray) -> Column:
        """Return the label column with these amounts (m,) in these rows (m,); the dtype stays."""
        if not rows.size:
            return self.column
        name, source = self.column.name, np.arange(len(self.column))
        source[rows] = source.size + np.arange(rows.size)
        written = self.written(amounts)
        both: Frame = nw.concat([self.column.to_frame(), written.to_frame()])
        column: Column = both[name][source.tolist()]
        return column

    def written(self, amounts: FloatArray) -> Column:
        """Make a column of these amounts (m,), with the name and dtype of the label."""
        name, dtype, backend = self.column.name, self.column.dtype, self.column.implementation
        if dtype == nw.Decimal:
            places = round(-math.log10(self.step))
            return palette(self.column, [Decimal(round(at / self.step)).scaleb(-places) for at in amounts.tolist()])
        if not dtype.is_temporal():
            listed: Any = amounts if dtype.is_float() else [int(amount) for amount in amounts.tolist()]
            return nw.new_series(name, listed, dtype, backend=backend)
        # Counted in the unit of the dtype, since Python does not know every zone that a library does.
        counts = np.rint(amounts / self.step).astype(np.int64)
        if getattr(dtype, "time_unit", None) == "ns":
            counts *= 1_000
        whole = nw.new_series(name, counts, nw.Int32 if dtype == nw.Date else nw.Int64, backend=backend)
        if backend.is_pandas_like():
            native = whole.to_native().astype(self.column.to_native().dtype)
            return nw.from_native(native, series_only=True)
        column: Column = whole.cast(dtype)
        return column


def read_targets(frame: Frame, label: str) -> Targets:
    """Read the label column as amounts.

    Raises:
        LabelColumnError: It does not exist, holds no amounts, infinity or no values, or fewer than 3 different ones.

    >>> import polars as pl
    >>> read_targets(nw.from_native(pl.DataFrame({"y": [3, None, 1, 2]})), "y").values.tolist()
    [3.0, nan, 1.0, 2.0]
    """
    require(frame, [label], "label")
    column = frame[label]
    values, step = amounts(column)
    tally = AmountTally()
    tally.update(values)
    tally.check(label)
    return Targets(column, values, step, tally.least, tally.largest)


@dataclass(slots=True)
class AmountTally:
    """Mergeable summary of a column of amounts, taken before it is audited.

    It counts all ``rows``, and those that are ``missing`` or ``infinite``. ``least`` and ``largest`` are the extremes,
    and ``between`` is some value between them, NaN if there is none.
    """

    rows: int = 0
    missing: int = 0
    infinite: int = 0
    least: float = np.inf
    largest: float = -np.inf
    between: float = np.nan

    @property
    def known(self) -> int:
        """Number of rows with a value."""
        return self.rows - self.missing

    def update(self, values: FloatArray) -> None:
        """Add amounts (n,), NaN where missing."""
        finite = values[np.isfinite(values)]
        self.rows += values.size
        self.missing += int(np.isnan(values).sum())
        self.infinite += int(np.isinf(values).sum())
        if finite.size:
            self._extend(finite)

    def merge(self, other: AmountTally) -> None:
        """Add the summary of other rows."""
        self.rows += other.rows
        self.missing += other.missing
        self.infinite += other.infinite
        values = np.array([other.least, other.largest, other.between])
        if np.isfinite(values).any():
            self._extend(values[np.isfinite(values)])

    def numbers(self) -> FloatArray:
        """Return the summary as (6,) numbers, from which :meth:`of` restores it."""
        return np.array([self.rows, self.missing, self.infinite, self.least, self.largest, self.between])

    @classmethod
    def of(cls, numbers: FloatArray) -> AmountTally:
        """Restore a summary from its ``numbers`` (6,)."""
        rows, missing, infinite = map(int, numbers[:3])
        return cls(rows, missing, infinite, *numbers[3:].tolist())

    def _extend(self, finite: FloatArray) -> None:
        before = [self.least, self.largest, self.between]
        self.least = min(self.least, float(finite.min()))
        self.largest = max(self.largest, float(finite.max()))
        inside = finite[(finite > self.least) & (finite < self.largest)]
        candidates = [*(value for value in before if self.least < value < self.largest), *inside[:1].tolist()]
        self.between = candidates[0] if candidates else np.nan

    def check(self, label: str) -> None:
        """Raise if the column cannot be audited as amounts.

        Raises:
            LabelColumnError: It holds infinity, no values, or fewer than 3 different ones.
        """
        if self.infinite:
            raise LabelColumnError(
                f"Column {label!r} holds infinity in {self.infinite:,} rows, which is not an amount. Replace it with "
                "null where the value is unknown."
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
    """Values (n,) of a column, NaN where missing, and the step between values of its dtype, 0 for floats.

    Raises:
        LabelColumnError: The dtype does not hold amounts.
    """
    dtype = column.dtype
    if dtype.is_integer():
        return floats(column), 1.0
    if dtype.is_float():
        return floats(column), 0.0
    if dtype == nw.Decimal:
        native = getattr(column.to_native(), "dtype", None) or column.to_native().type
        step = 10.0 ** -getattr(native, "pyarrow_dtype", native).scale
        return _in_steps(floats(column), step), step
    if isinstance(dtype, nw.Duration):
        return floats(column.dt.total_microseconds()), UNITS[dtype.time_unit]
    if dtype == nw.Date:
        return floats(column.dt.timestamp("us")), DAY
    if isinstance(dtype, nw.Datetime):
        return floats(column.dt.timestamp("us")), UNITS[dtype.time_unit]
    advice = {
        nw.Boolean: "It has two classes: leave task= out",
        nw.Time: "Turn it into a duration since midnight",
        nw.Object: "Turn it into a column of numbers or dates",
    }
    advice |= dict.fromkeys((nw.String, nw.Categorical), "Turn it into numbers, or audit it as classes: task='classes'")
    enum = "Audit it as classes, task='classes', or as grades, task='ordinal'"
    way_out = enum if isinstance(dtype, nw.Enum) else advice.get(type(dtype), "Turn it into numbers")
    raise LabelColumnError(
        f"Column {column.name!r} holds {dtype}; task='regression' takes numbers, dates and durations. {way_out}."
    )


def _in_steps(amounts: FloatArray, step: float) -> FloatArray:
    """Round amounts (n,) to the nearest multiples of a step, 0 for any amount.

    Parts of 1 are divided, so that equal ones are equal floats: PyArrow reads the decimal 520.3 as 520.3000000000001.
    """
    if not step:
        return amounts
    if step >= 1:
        return np.asarray(np.rint(amounts / step) * step)
    return np.asarray(np.rint(amounts * round(1 / step)) / round(1 / step))
