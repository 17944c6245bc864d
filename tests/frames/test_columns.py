"""Labels are read as they would be by sorting them, in any range of numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from narwhals import from_native

from dqlabels.frames.columns import distinct_numbers, encode, read_labels, rows_by_class
from dqlabels.frames.values import python_value, value_codes

WIDTHS = {"int8": 2**7, "uint8": 2**8, "int64": 2**63, "uint64": 2**64}


@given(st.data(), st.sampled_from(sorted(WIDTHS)), st.sampled_from([3, 60, 10**9]))
def test_different_numbers_are_those_of_sorting(data, dtype, spread):
    high = WIDTHS[dtype] - 1
    low = 0 if dtype.startswith("u") else -high - 1
    start = data.draw(st.integers(low, high))
    values = st.integers(max(low, start - spread), min(high, start + spread))
    numbers = np.array(data.draw(st.lists(values, min_size=1, max_size=50)), dtype=dtype)
    values, places = distinct_numbers(numbers)
    expected, inverse = np.unique(numbers, return_inverse=True)
    assert values.dtype == expected.dtype
    assert values.tolist() == expected.tolist()
    assert places.tolist() == inverse.tolist()


@given(
    st.lists(st.one_of(st.none(), st.integers(0, 3)), min_size=30, max_size=60).filter(lambda v: len({*v} - {None}) > 1)
)
def test_rows_are_counted_and_the_first_of_each_class_is_found(values):
    labels = read_labels(from_native(pl.DataFrame({"y": values}), eager_only=True), "y")
    assert [values[row] for row in labels.first_rows.tolist()] == list(labels.classes)
    assert labels.first_rows.tolist() == [values.index(value) for value in labels.classes]
    assert labels.counts.tolist() == [values.count(value) for value in labels.classes]
    codes, _ = encode(labels.column)
    assert rows_by_class(codes, len(labels.classes)).tolist() == labels.counts.tolist()


def test_a_class_that_comes_late_has_its_first_row():
    values = [0] * 50_000 + [1] * 3
    assert read_labels(from_native(pl.DataFrame({"y": values}), eager_only=True), "y").first_rows.tolist() == [
        0,
        50_000,
    ]


def test_lists_of_equal_values_have_one_code():
    lists = pd.Series([np.array([1, 2]), np.array([1, 2]), np.array([3, 4])])
    assert value_codes(from_native(lists, series_only=True)).tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    "value", [pd.Timestamp(np.datetime64("20000-01-01", "s")), pd.Timedelta(np.timedelta64(10**15, "s"))], ids=str
)
def test_a_time_that_python_does_not_have_stays_what_it_was(value):
    assert python_value(value) == value
