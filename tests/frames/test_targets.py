"""Amounts of any dtype are written as their column has them: decimals, moments in any unit and zone, durations."""

from __future__ import annotations

import datetime as dt
import decimal
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqlabels.frames.outputs import to_callers_kind
from dqlabels.frames.reading import read_frame
from dqlabels.frames.targets import read_targets

HOURS = [0, 5, 1, 4, 2, 3]
# Seconds reach further than nanoseconds, whose last year is 2262.
FAR = 17_000_000_000
UNITS = ("s", "ms", "us", "ns")
ZONES = (None, "UTC", "America/New_York", "+05:30", "Etc/GMT-2")


def seconds(unit: str) -> np.ndarray:
    return np.array(HOURS) * 3600 + (FAR if unit == "s" else 1_700_000_000)


def of_pandas(unit: str, zone: str | None) -> pd.DataFrame:
    column = pd.Series(seconds(unit).astype("M8[s]").astype(f"M8[{unit}]"))
    return pd.DataFrame({"y": column if zone is None else column.dt.tz_localize("UTC").dt.tz_convert(zone)})


def of_arrow(unit: str, zone: str | None) -> pa.Table:
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    return pa.table({"y": pa.array(seconds(unit) * per_second, pa.timestamp(unit, tz=zone))})


FRAMES: dict[str, Any] = {
    f"{library} {unit} {zone}": lambda make=make, unit=unit, zone=zone: make(unit, zone)
    for library, make in (("pandas", of_pandas), ("pyarrow", of_arrow))
    for unit in UNITS
    for zone in ZONES
}
FRAMES |= {
    f"polars {unit} {zone}": lambda unit=unit, zone=zone: pl.DataFrame(
        {"y": pl.Series([dt.datetime(2024, 1, 1, hour) for hour in HOURS]).cast(pl.Datetime(unit, zone))}
    )
    for unit in UNITS[1:]
    for zone in ("UTC", "America/New_York", None)
}
FRAMES |= {
    f"{library} duration {unit}": lambda make=make, unit=unit: make(unit)
    for unit in UNITS
    for library, make in (
        ("pandas", lambda unit: pd.DataFrame({"y": (np.array(HOURS) * 3600).astype("m8[s]").astype(f"m8[{unit}]")})),
        ("pyarrow", lambda unit: pa.table({"y": pa.array(np.array(HOURS) * 10**10).cast(pa.duration(unit))})),
    )
}
FRAMES |= {
    f"{library} {name}": lambda make=make, values=values, dtype=dtype: make(pa.array(values, dtype))
    for name, values, dtype in (
        ("decimal", [decimal.Decimal(hour).scaleb(-2) for hour in HOURS], pa.decimal128(9, 2)),
        ("decimal256", [decimal.Decimal(hour).scaleb(-1) for hour in HOURS], pa.decimal256(60, 1)),
        ("thousands", [decimal.Decimal(hour * 1000) for hour in HOURS], pa.decimal128(9, -3)),
        ("days", [dt.date(2024, 1, 1 + hour) for hour in HOURS], pa.date32()),
        ("days in milliseconds", [dt.date(2024, 1, 1 + hour) for hour in HOURS], pa.date64()),
        ("uint8", HOURS, pa.uint8()),
        ("float32", HOURS, pa.float32()),
        ("half", np.array(HOURS, dtype=np.float16), pa.float16()),
    )
    for library, make in (
        ("pyarrow", lambda array: pa.table({"y": array})),
        ("pandas Arrow", lambda array: pd.DataFrame({"y": pd.arrays.ArrowExtensionArray(pa.chunked_array([array]))})),
    )
}


@pytest.mark.parametrize("make", FRAMES.values(), ids=FRAMES)
def test_an_amount_is_written_as_the_column_has_it(make):
    """The first row takes the amount of the second; read again, every row has the amount that was meant."""
    form, table = read_frame(make())
    targets = read_targets(table, "y")
    changed = targets.replaced(np.array([0]), targets.possible(targets.values[1:2]))
    again = read_targets(table.with_columns(changed), "y")
    assert again.values.tolist() == [targets.values[1], *targets.values[1:]]
    assert changed.dtype == table["y"].dtype
    form = form.rewritten("y", "y", table["y"], changed)
    written = nw.from_native(to_callers_kind(table.with_columns(changed), form))
    assert str(written.to_native()["y"][:0]) == str(make()["y"][:0])
    assert written["y"].to_list()[0] == written["y"].to_list()[1]


@given(st.integers(-(10**12), 10**12), st.integers(1, 6))
def test_a_decimal_is_the_float_that_it_is_read_as(number, places):
    """Otherwise a row would be flagged whose suggestion is the value that it has."""
    values = [decimal.Decimal(at).scaleb(-places) for at in (-(10**13), number, 10**13)]
    targets = read_targets(nw.from_native(pa.table({"y": pa.array(values, pa.decimal128(30, places))})), "y")
    assert targets.possible(targets.values[1:2]).tolist() == targets.values[1:2].tolist()
