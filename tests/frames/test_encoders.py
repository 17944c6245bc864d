"""Encoders fitted once: later rows become what the fitted ones would, one by one, or are refused by name."""

from __future__ import annotations

import datetime
import json
from typing import Any
from unittest.mock import Mock

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pytest
from support.frames import eager

from dqlabels.errors import FeatureError
from dqlabels.frames.features import FeatureEncoder

DAYS = [datetime.date(2024, 1, 31), None, datetime.date(2024, 2, 29), datetime.date(1999, 12, 31)]
TRUSTED: dict[str, list[Any]] = {
    "x": [1.5, None, 3.0, 4.0],
    "i": [1, 2, 3, 4],
    "b": [True, False, None, True],
    "c": ["a", "b", None, "c"],
    "t": ["red car", "blue car", None, "red bike"],
    "d": DAYS,
    "m": [None if day is None else datetime.datetime(day.year, day.month, day.day, 7) for day in DAYS],
    "v": [[1.0, 2.0], [3.0, 4.0], None, [5.0, 6.0]],
}
KINDS = {
    "x": "number", "i": "number", "b": "boolean", "c": "category", "t": "text", "d": "date", "m": "date", "v": "vector",
}  # fmt: skip


def wrap(frame: Any) -> Any:
    return nw.from_native(frame, eager_only=True)


def fit(**columns: list[Any]) -> FeatureEncoder:
    data = {name: TRUSTED[name] for name in columns} | columns
    return FeatureEncoder.fit(wrap(pl.DataFrame(data)), {name: KINDS[name] for name in data})


def features(encoder: FeatureEncoder, **columns: Any) -> list[list[Any]]:
    matrix = encoder.transform(wrap(pl.DataFrame(columns)))
    return [[None if np.isnan(value) else value for value in row] for row in matrix.tolist()]


@pytest.fixture
def trusted(make_frame):
    return eager(make_frame(TRUSTED))


def test_a_rows_features_do_not_depend_on_the_rows_beside_it(trusted):
    encoder = FeatureEncoder.fit(trusted, KINDS)
    whole = encoder.transform(trusted)
    rows = np.vstack([encoder.transform(trusted[at : at + 1]) for at in range(4)])
    np.testing.assert_array_equal(rows, whole)


def test_fitting_and_encoding_at_once_is_the_same(trusted):
    encoder, encoded = FeatureEncoder.fit_encode(trusted, KINDS)
    np.testing.assert_array_equal(encoded.matrix, encoder.transform(trusted))


def test_every_frame_library_gives_the_same_features(trusted):
    encoder = FeatureEncoder.fit(wrap(pl.DataFrame(TRUSTED)), KINDS)
    expected = encoder.transform(wrap(pl.DataFrame(TRUSTED)))
    np.testing.assert_array_equal(encoder.transform(trusted), expected)


def test_what_is_kept_as_json_encodes_the_same(trusted):
    encoder = FeatureEncoder.fit(trusted, KINDS)
    again = FeatureEncoder.from_dict(json.loads(json.dumps(encoder.to_dict())))
    np.testing.assert_array_equal(again.transform(trusted), encoder.transform(trusted))


def test_columns_are_found_by_name(trusted):
    encoder = FeatureEncoder.fit(trusted, KINDS)
    turned = trusted.select(*reversed(trusted.columns)).with_columns(nw.lit(1).alias("further"))
    np.testing.assert_array_equal(encoder.transform(turned), encoder.transform(trusted))


def test_missing_columns_are_all_named(trusted):
    encoder = FeatureEncoder.fit(trusted, KINDS)
    with pytest.raises(FeatureError, match=r"lacks 2 of the 8 columns .* 'c', 'x'"):
        encoder.transform(trusted.drop("x", "c"))


def test_an_unseen_category_has_no_column():
    encoder = fit(c=["a", "b", "c"])
    assert features(encoder, c=["b", "z"]) == [[0, 1, 0], [0, 0, 0]]


def test_an_unseen_value_of_two_is_missing():
    assert features(fit(c=["a", "b", "b"]), c=["b", "z", None]) == [[1], [None], [None]]


def test_an_unseen_value_of_many_has_no_place_and_no_rows():
    encoder = fit(c=[f"v{at:02}" for at in range(20)] * 2)
    assert features(encoder, c=["v03", "z"]) == [[3, 2], [None, 0]]


def test_unseen_categories_are_counted():
    encoded = fit(c=["a", "b", None]).encode(wrap(pl.DataFrame({"c": ["a", "z", "y", None]})))
    assert encoded.unseen == {"c": 2}


@pytest.mark.parametrize(
    ("name", "given", "as_was"),
    [
        ("x", ["1.5", " 2e3", None], [1.5, 2000.0, None]),
        ("x", [True, False, None], [1.0, 0.0, None]),
        ("i", [1.0, 2.0, None], [1, 2, None]),
        ("b", [1, 0, None], [True, False, None]),
        ("b", ["true", "False", None], [True, False, None]),
        ("d", ["2024-01-31", None, "1999-12-31"], [DAYS[0], None, DAYS[3]]),
        ("d", [datetime.datetime(2024, 1, 31), None, datetime.datetime(1999, 12, 31)], [DAYS[0], None, DAYS[3]]),
        ("m", ["2024-01-31 07:00", None, "1999-12-31T07:00:00"], [TRUSTED["m"][0], None, TRUSTED["m"][3]]),
        ("m", [DAYS[0], None, DAYS[3]], [datetime.datetime(2024, 1, 31), None, datetime.datetime(1999, 12, 31)]),
    ],
)
def test_another_dtype_that_loses_nothing_is_converted(name, given, as_was):
    encoder = fit(**{name: TRUSTED[name]})
    assert features(encoder, **{name: given}) == features(encoder, **{name: as_was})


def test_codes_read_as_numbers_are_found_again():
    encoder = fit(c=["1", "2", "30"])
    assert features(encoder, c=[30, 1]) == features(encoder, c=[30.0, 1.0]) == features(encoder, c=["30", "1"])


@pytest.mark.parametrize(
    ("name", "given", "why"),
    [
        ("x", ["1", "many"], r"'x' was Float64 .* is String now: 'many' is not a number"),
        ("x", ["1_000"], "'1_000' is not a number"),
        ("x", [datetime.date(2024, 1, 1)], "'x' was Float64 .* is Date now: a number is needed"),
        ("b", [2], "2 in row 0 is neither true nor false"),
        ("b", ["maybe"], "'maybe' in row 0 is neither true nor false"),
        ("c", [1.5], "'c' was String .* is Float64 now: 1.5 in row 0 is not a whole number"),
        ("d", [datetime.datetime(2024, 1, 1, 5)], "row 0 holds a time of day"),
        ("d", ["31.12.2024"], "'31.12.2024' in row 0 is not a date like 2024-01-31"),
        ("d", ["2024-02-31"], "a date does not exist"),
        ("d", [20240131], "'d' was Date .* is Int64 now: a date is needed"),
        ("t", [[1]], "'t' was String .* strings are needed"),
        ("v", [[1.0, 2.0, 3.0]], "row 0 holds a list of 3 instead of 2 numbers"),
        ("v", ["1,2"], "'1,2' in row 0 is not a list of numbers"),
    ],
)
def test_another_dtype_that_would_lose_something_is_refused(name, given, why):
    with pytest.raises(FeatureError, match=why):
        features(fit(**{name: TRUSTED[name]}), **{name: given})


def test_a_time_zone_that_was_not_there_is_refused():
    batch = pl.DataFrame({"m": TRUSTED["m"]}).with_columns(pl.col("m").dt.replace_time_zone("UTC"))
    with pytest.raises(FeatureError, match="it has a time zone now"):
        fit(m=TRUSTED["m"]).transform(wrap(batch))


def test_another_time_zone_is_the_same_moment():
    zoned = pl.DataFrame({"m": TRUSTED["m"]}).with_columns(pl.col("m").dt.replace_time_zone("UTC"))
    encoder = FeatureEncoder.fit(wrap(zoned), {"m": "date"})
    moved = zoned.with_columns(pl.col("m").dt.convert_time_zone("Asia/Tokyo"))
    np.testing.assert_array_equal(encoder.transform(wrap(moved)), encoder.transform(wrap(zoned)))


@pytest.mark.parametrize("name", KINDS)
def test_a_column_without_values_may_have_any_dtype(name):
    encoder = fit(**{name: TRUSTED[name]})
    nothing = pl.DataFrame(
        {name: pl.Series([None, None], dtype=wrap(pl.DataFrame({name: TRUSTED[name]})).to_native()[name].dtype)}
    )
    for empty in (pl.DataFrame({name: [None, None]}), pd.DataFrame({name: [np.nan, np.nan]})):
        np.testing.assert_array_equal(encoder.transform(wrap(empty)), encoder.transform(wrap(nothing)))


def test_infinite_values_are_missing_and_counted():
    encoded = fit(x=[1.0, 2.0]).encode(wrap(pl.DataFrame({"x": [float("inf"), 5.0]})))
    assert encoded.infinite == {"x": 1}
    assert np.isnan(encoded.matrix[0, 0])


@pytest.mark.parametrize(
    ("kind", "saved"),
    [
        ("number", {}),
        ("spell", {"dtype": "String"}),
        ("category", {"dtype": "String", "values": ["b", "a"], "counts": [1, 1], "missing": 0}),
        ("category", {"dtype": "String", "values": ["a"], "counts": [-1], "missing": 0}),
        ("category", {"dtype": "String", "values": ["a", "b"], "counts": [1], "missing": 0}),
        ("text", {"dtype": "String", "documents": 1, "words": [2] * 256}),
        ("text", {"dtype": "String", "documents": 1, "words": [1]}),
        ("vector", {"dtype": "List", "size": 0}),
        ("vector", {"dtype": "List", "size": 1 << 40}),
        ("date", {"dtype": "Date", "form": "era", "zone": None}),
    ],
)
def test_a_saved_encoder_that_makes_no_sense_is_refused(kind, saved):
    with pytest.raises(FeatureError):
        FeatureEncoder.from_dict({"columns": [{"name": "x", "kind": kind, **saved}]})


def test_the_same_column_twice_is_refused():
    column = {"name": "x", "kind": "number", "dtype": "Float64"}
    with pytest.raises(FeatureError, match="'x', which is repeated"):
        FeatureEncoder.from_dict({"columns": [column, column]})


def test_without_pyarrow_strings_are_encoded_the_same(trusted, monkeypatch):
    fast = FeatureEncoder.fit(trusted, {"c": "category"})
    monkeypatch.setattr(pl.Series, "to_arrow", Mock(side_effect=ModuleNotFoundError("pyarrow")))
    slow = FeatureEncoder.fit(trusted, {"c": "category"})
    assert slow.to_dict() == fast.to_dict()
    batch = eager(pl.DataFrame({"c": ["b", None, "z", "a"]}))
    expected = slow.encode(batch)
    monkeypatch.undo()
    found = fast.encode(batch)
    np.testing.assert_array_equal(found.matrix, expected.matrix)
    assert found.unseen == expected.unseen == {"c": 1}
