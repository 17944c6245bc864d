"""However a library stores numbers, texts and moments: they are read as such, and come back as they were."""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Callable
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from dateutil import tz
from numpy.testing import assert_array_equal
from pyarrow import compute
from support.frames import WIDE_NUMBERS, column

import dqlabels
from dqlabels.errors import OptionError
from dqlabels.frames.columns import choose_features, read_labels
from dqlabels.frames.features import FeatureEncoder
from dqlabels.frames.outputs import to_callers_kind
from dqlabels.frames.reading import read_frame
from dqlabels.models.units import row_weights

ROWS = 40
NUMBERS = [at * 7 % 5 for at in range(ROWS)]
HALVES = [number / 2 for number in NUMBERS]
TEXTS = [f"v{number}" for number in NUMBERS]
DAYS = [dt.date(2024, 1, 1 + number) for number in NUMBERS]
PROBS = np.tile([0.9, 0.025, 0.025, 0.025, 0.025], (ROWS, 1))
OFFSET = dt.timezone(dt.timedelta(hours=5, minutes=30))


def decimals(scale: int = 1) -> list[decimal.Decimal]:
    return [decimal.Decimal(number).scaleb(-scale) * 5 for number in NUMBERS]


def moments(unit: str = "ns", zone: Any = None) -> pd.Series:
    """Hours apart, in the middle of a winter and of a summer."""
    stamps = pd.to_datetime([f"2024-0{1 + number}-15 2{number % 3}:30" for number in NUMBERS]).as_unit(unit)
    return pd.Series(stamps.tz_localize("UTC").tz_convert(zone) if zone is not None else stamps)


def of_arrow(name: str) -> Callable[[], pa.Array]:
    """An Arrow column of a type that PyArrow may lack."""

    def make() -> pa.Array:
        if not hasattr(pa, name):
            pytest.skip(f"this PyArrow has no {name}")
        return pa.array(decimals(), getattr(pa, name)(9, 1))

    return make


# By name: how a column is stored, and the same values in plain storage.
PANDAS: dict[str, tuple[Callable[[], Any], Any]] = {
    "big-endian int": (lambda: np.array(NUMBERS, dtype=">i4"), NUMBERS),
    "big-endian unsigned": (lambda: np.array(NUMBERS, dtype=">u8"), NUMBERS),
    "big-endian float": (lambda: np.array(HALVES, dtype=">f8"), HALVES),
    "longdouble": (lambda: np.array(HALVES, dtype=np.longdouble), HALVES),
    "float16": (lambda: np.array(HALVES, dtype=np.float16), HALVES),
    "sparse int": (lambda: pd.arrays.SparseArray(NUMBERS), NUMBERS),
    "sparse float": (lambda: pd.arrays.SparseArray(HALVES, fill_value=0.0), HALVES),
    "sparse float16": (lambda: pd.arrays.SparseArray(np.array(HALVES, dtype=np.float16), fill_value=0.0), HALVES),
}
ZONES = {
    "America/New_York": "America/New_York",
    "Etc/GMT-2": "Etc/GMT-2",
    "+05:30": OFFSET,
    "a name of one's own": dt.timezone(dt.timedelta(hours=5, minutes=30), "mine"),
    **({"dateutil": tz.gettz("Europe/Berlin")} if pd.__version__ >= "3" else {}),  # older pandas cannot convert to it
    "dateutil offset": tz.tzoffset("mine", 3600),
}
ARROW: dict[str, tuple[Callable[[], pa.Array], Any]] = {
    "decimal256": (lambda: pa.array(decimals(), pa.decimal256(50, 1)), decimals()),
    "decimal32": (of_arrow("decimal32"), decimals()),
    "decimal64": (of_arrow("decimal64"), decimals()),
    "float16": (lambda: pa.array(np.array(HALVES, dtype=np.float16), pa.float16()), HALVES),
    "run-end int": (lambda: compute.run_end_encode(pa.array(NUMBERS)), NUMBERS),
    "run-end text": (lambda: compute.run_end_encode(pa.array(TEXTS)), TEXTS),
    "string_view": (lambda: pa.array(TEXTS, pa.string_view()), TEXTS),
    "large_string": (lambda: pa.array(TEXTS, pa.large_string()), TEXTS),
    "date64": (lambda: pa.array(DAYS, pa.date64()), DAYS),
    "integers by code": (lambda: pa.array(NUMBERS).dictionary_encode(), None),
    "large_binary": (lambda: pa.array([text.encode() for text in TEXTS], pa.large_binary()), None),
    "fixed binary": (lambda: pa.array([text.encode() for text in TEXTS], pa.binary(2)), None),
}


def of_pandas(values: Any) -> pd.DataFrame:
    return pd.DataFrame({"column": values, "other": range(ROWS)}, index=range(100, 100 + ROWS))


def as_extension(array: pa.Array) -> pd.arrays.ArrowExtensionArray:
    return pd.arrays.ArrowExtensionArray(pa.chunked_array([array]))


STORED = (
    [
        pytest.param(lambda make=make: of_pandas(make()), plain, id=f"pandas {name}")
        for name, (make, plain) in PANDAS.items()
    ]
    + [
        pytest.param(lambda zone=zone: of_pandas(moments(zone=zone).array), None, id=f"pandas zone {name}")
        for name, zone in ZONES.items()
    ]
    + [
        pytest.param(lambda make=make: of_pandas(as_extension(make())), plain, id=f"pandas Arrow {name}")
        for name, (make, plain) in ARROW.items()
    ]
    + [
        pytest.param(lambda make=make: pa.table({"column": make(), "other": range(ROWS)}), plain, id=f"pyarrow {name}")
        for name, (make, plain) in ARROW.items()
    ]
    + [
        pytest.param(
            lambda dtype=dtype: pl.DataFrame({"column": pl.Series(NUMBERS).cast(dtype), "other": range(ROWS)}),
            NUMBERS,
            id=f"polars {dtype}",
            marks=WIDE_NUMBERS,
        )
        for dtype in (pl.Int128, pl.Decimal(30, 1))
    ]
)  # fmt: skip


def stored(frame: Any, name: str) -> tuple[Any, list[Any]]:
    """Return how a column is stored, and its values."""
    if isinstance(frame, pa.Table):
        return frame.schema.field(name).type, frame[name].to_pylist()
    values = frame[name]
    return values.dtype, values.to_list()


def same(found: Any, frame: Any) -> None:
    """Assert that the columns of a frame are stored as they were, in a frame that may have more."""
    assert all(stored(found, name) == stored(frame, name) for name in ("column", "other"))
    assert not isinstance(frame, pd.DataFrame) or found.index.equals(frame.index)


@pytest.mark.parametrize(("make", "plain"), [one for one in STORED if one.values[1] is not None])
def test_numbers_and_texts_are_the_features_that_plain_ones_are(make, plain):
    wanted = pl.DataFrame({"column": pl.Series(plain, strict=False), "other": range(ROWS)})
    tables = [read_frame(frame)[1] for frame in (make(), wanted)]
    kinds = [choose_features(table, "other", None, [])[0] for table in tables]
    found, wanted = (
        FeatureEncoder.fit_encode(table, kind)[1].matrix for table, kind in zip(tables, kinds, strict=True)
    )
    assert kinds[0] == kinds[1]
    assert_array_equal(found, wanted)


@pytest.mark.parametrize("zone", ZONES.values(), ids=ZONES)
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_moments_in_any_zone_and_unit_are_features_by_its_calendar(unit, zone):
    column = moments(unit, zone)
    own = column.dt.tz_convert("America/New_York").astype(pd.ArrowDtype(pa.timestamp("ns", tz="America/New_York")))
    if isinstance(zone, str) and nw.from_native(own, series_only=True).dtype != nw.Datetime:
        pytest.skip("this narwhals does not know zones by such names, and moments are read in UTC")
    _, table = read_frame(pd.DataFrame({"moment": column, "label": NUMBERS}))
    days, month, _, hour = FeatureEncoder.fit(table, choose_features(table, "label", None, [])[0]).transform(table).T
    assert_array_equal(days, ((column - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(days=1)).astype(np.float32))
    assert_array_equal(month, column.dt.month)
    assert_array_equal(hour, column.dt.hour)


@pytest.mark.parametrize("zone", ZONES.values(), ids=ZONES)
def test_a_batch_of_another_library_has_the_features_of_the_same_moments(zone):
    column = moments(zone=zone)
    tables = [
        read_frame(frame)[1]
        for frame in (
            pd.DataFrame({"moment": column}),
            pl.DataFrame({"moment": pl.Series(column.dt.tz_convert("UTC").tolist())}),
            pa.table({"moment": pa.array(column.dt.tz_convert("Asia/Tokyo"))}),
        )
    ]
    encoder = FeatureEncoder.fit(tables[0], {"moment": "date"})
    for table in tables[1:]:
        assert_array_equal(encoder.transform(table), encoder.transform(tables[0]))


@pytest.mark.parametrize(("make", "plain"), STORED)
def test_a_column_comes_back_as_it_was(make, plain):
    frame = make()
    form, table = read_frame(frame)
    same(to_callers_kind(table, form), frame)


@pytest.mark.parametrize(("make", "plain"), STORED)
def test_labels_are_read_as_the_values_they_are(make, plain):
    labels = read_labels(read_frame(make())[1], "column")
    assert labels.codes.tolist() == NUMBERS
    assert plain is None or all(value == plain[NUMBERS.index(code)] for code, value in enumerate(labels.classes))


@pytest.mark.parametrize(("make", "plain"), STORED)
def test_an_audit_suggests_labels_in_the_storage_of_the_column(make, plain):
    frame = make()
    classes = read_labels(read_frame(frame)[1], "column").classes
    result = dqlabels.audit(frame, "column", pred_probs=PROBS, classes=classes)
    same(result.frame, frame)
    given, suggested, flagged = (column(result.table, name) for name in ("column", "suggested_label", "is_label_issue"))
    assert any(flagged)
    assert [one != other for one, other in zip(given, suggested, strict=True)] == flagged
    assert stored(result.frame, "suggested_label")[0] == stored(frame, "column")[0]


OBJECTS = {
    "NumPy scalars": [np.int64(number) for number in NUMBERS],
    "floats of several sizes": [np.float32(number) if number else float(number) for number in NUMBERS],
    "decimals": [decimal.Decimal(number) for number in NUMBERS],
}


@pytest.mark.parametrize("values", OBJECTS.values(), ids=OBJECTS)
def test_numbers_in_a_column_of_objects_are_numbers(values):
    table = read_frame(pd.DataFrame({"x": pd.Series(values, dtype=object), "y": NUMBERS}))[1]
    kinds = choose_features(table, "y", None, [])[0]
    assert kinds == {"x": "number"}
    assert FeatureEncoder.fit(table, kinds).transform(table).ravel().tolist() == NUMBERS


def test_moments_of_several_offsets_in_a_column_of_objects_are_the_moments_they_are():
    """As JSON and databases hand them over; NumPy alone warns of them."""
    noon = dt.datetime(2024, 1, 1, 12, tzinfo=dt.timezone.utc)
    zones = [dt.timezone(dt.timedelta(hours=hours)) for hours in (0, 2, -5)]
    table = read_frame(pd.DataFrame({"x": pd.Series([noon.astimezone(zone) for zone in zones], dtype=object)}))[1]
    days = FeatureEncoder.fit(table, {"x": "date"}).transform(table)[:, 0]
    assert days.tolist() == [noon.timestamp() / 86_400] * 3


def test_whole_numbers_beyond_those_of_floats_are_the_nearest():
    large = [2**53 + 1, 2**62 - 1, None]
    for frame in (pa.table({"x": large}), pd.DataFrame({"x": pd.array(large, pd.ArrowDtype(pa.int64()))})):
        found = FeatureEncoder.fit(read_frame(frame)[1], {"x": "number"}).transform(read_frame(frame)[1]).ravel()
        assert_array_equal(found, np.array([2**53 + 1, 2**62 - 1, np.nan], dtype=np.float32))


@pytest.mark.parametrize("weights", [["much"] * ROWS, DAYS], ids=["text", "dates"])
def test_weights_that_are_no_numbers_are_refused(weights):
    with pytest.raises(OptionError, match="one number for each row"):
        row_weights(weights, ROWS)


@pytest.mark.parametrize("name", ["pandas sparse", "pyarrow string_view", "pandas zone"])
def test_decisions_are_applied_in_the_storage_of_the_label(tmp_path, name):
    frame = {
        "pandas sparse": lambda: pd.DataFrame({"y": pd.arrays.SparseArray([0, 0, 1, 1])}),
        "pyarrow string_view": lambda: pa.table({"y": pa.array(["a", "a", "b", "b"], pa.string_view())}),
        "pandas zone": lambda: pd.DataFrame({"y": moments("s", "America/New_York")[[0, 5, 1, 6]].array}),
    }[name]()
    classes = read_labels(read_frame(frame)[1], "y").classes
    probs = np.array([[0.9, 0.1], [0.1, 0.9], [0.2, 0.8], [0.3, 0.7]])
    with dqlabels.audit(frame, "y", pred_probs=probs, classes=classes).review(
        tmp_path / "decisions.jsonl", start=False
    ) as session:
        session.decisions.record(1, "choose", 1)
    found = dqlabels.apply_decisions(frame, tmp_path / "decisions.jsonl")
    dtype, values = stored(frame, "y")
    assert stored(found, "y_original") == (dtype, values)
    assert stored(found, "y") == (dtype, [values[0], *values[2:3], *values[2:]])
