"""Values of every scalar type go through every view of an audit, and read alike whichever library holds them."""

from __future__ import annotations

import datetime as dt
import decimal
import json
import uuid
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dqlabels
from dqlabels.review.selection import Selection

ROWS = 40
ZONE = dt.timezone(dt.timedelta(hours=5, minutes=30))
UTC = dt.timezone.utc
# Two values of each type, the lesser one first.
VALUES: dict[str, tuple[Any, Any]] = {
    "date": (dt.date(2024, 1, 1), dt.date(2025, 6, 30)),
    "moment": (dt.datetime(2024, 1, 1, 8), dt.datetime(2025, 6, 30, 12, 30, 15)),
    "moment with a time zone": (dt.datetime(2024, 1, 1, tzinfo=UTC), dt.datetime(2025, 6, 30, 12, tzinfo=UTC)),
    "duration": (dt.timedelta(hours=3), dt.timedelta(days=2, seconds=4)),
    "decimal": (decimal.Decimal("1.50"), decimal.Decimal("12.25")),
    "bytes": (b"ab", b"cd"),
    "boolean": (False, True),
    "whole": (3, 17),
    "fraction": (0.25, 1e-7 + 4),
    "text": ("a b", "Ü ← <b>"),
}
PANDAS = {
    "datetime64[s]": lambda: pd.Series(pd.to_datetime(["2024-01-01", None])).astype("datetime64[s]"),
    "datetime64[ns]": lambda: pd.Series(pd.to_datetime(["2024-01-01", None])),
    "nanoseconds": lambda: pd.Series([pd.Timestamp("2024-01-01 00:00:00.000000001"), pd.NaT]),
    "time zone": lambda: pd.Series([pd.Timestamp("2024-01-01", tz="Europe/Berlin"), pd.NaT]),
    "fixed offset": lambda: pd.Series([pd.Timestamp("2024-01-01", tz=ZONE), pd.NaT]),
    "timedelta": lambda: pd.Series([pd.Timedelta(hours=30), pd.NaT]),
    "period": lambda: pd.Series([pd.Period("2024-01"), pd.NaT]),
    "interval": lambda: pd.Series(pd.arrays.IntervalArray.from_tuples([(0, 1), (1, 2)])),
    "Int64": lambda: pd.Series([1, None], dtype="Int64"),
    "Float64": lambda: pd.Series([1.5, None], dtype="Float64"),
    "boolean": lambda: pd.Series([True, None], dtype="boolean"),
    "string": lambda: pd.Series(["a", None], dtype="string"),
    "category of dates": lambda: pd.Series(pd.to_datetime(["2024-01-01", None])).astype("category"),
    "objects": lambda: pd.Series([uuid.UUID(int=1), None], dtype=object),
    "missing of all sorts": lambda: pd.Series([pd.NaT, pd.NA], dtype=object),
    "timestamps as objects": lambda: pd.Series([pd.Timestamp("2024-01-01"), pd.NaT], dtype=object),
    "numpy scalars": lambda: pd.Series([np.datetime64("2024-01-01", "ns"), np.float32(0.5)], dtype=object),
    "zero-dimensional": lambda: pd.Series([np.array(3), np.array(4)], dtype=object),
    "records": lambda: pd.Series([{"a": pd.NaT}, None], dtype=object),
    "arrow": lambda: pd.Series([dt.date(2024, 1, 1), None], dtype=pd.ArrowDtype(pa.date32())),
    "times": lambda: pd.Series([dt.time(8), None], dtype=object),
}
POLARS = {
    "time": pl.Series([dt.time(8), None]),
    "nanoseconds": pl.Series([1, None]).cast(pl.Datetime("ns")),
    "zoned": pl.Series([dt.datetime(2024, 1, 1), None]).dt.replace_time_zone("Asia/Kolkata"),
    "list of dates": pl.Series([[dt.date(2024, 1, 1)], None]),
    "struct": pl.Series([{"a": dt.date(2024, 1, 1)}, None]),
    "array": pl.Series([[1, 2], None], dtype=pl.Array(pl.Int64, 2)),
    "enum": pl.Series(["a", None], dtype=pl.Enum(["a", "b"])),
    "null": pl.Series([None, None]),
    "binary": pl.Series([b"\xff", None]),
    "decimal": pl.Series([decimal.Decimal("1.5"), None]),
    "object": pl.Series([uuid.UUID(int=1), None], dtype=pl.Object),
}
PROBS = np.where(np.arange(ROWS)[:, None] % 2 == np.arange(2), 0.95, 0.05)
WRONG = np.isin(np.arange(ROWS), [6, 15, 20])
LABELS = (np.arange(ROWS) % 2) ^ WRONG


def views(frame: Any, label: str, classes: Any) -> dict[str, str]:
    """The text of every view of an audit; all of it must be text, and what is JSON must be plain."""
    audit = dqlabels.audit(frame, label, pred_probs=PROBS, classes=list(classes))
    queue, _ = audit._review_queue(None, None)
    facts = audit.report_facts()
    assert queue.queued.places(Selection(text="no such text")) == []
    return {
        "notebook": audit._repr_html_(),
        "summary": audit.summary(),
        "json": json.dumps(audit.to_dict(), allow_nan=False, default=_refused),
        "shown": json.dumps(facts["shown"], default=_refused),
        "queue": json.dumps([queue.items(range(9)), queue.facets()], default=_refused),
        "issues": str(audit.issues.shape),
    }


def _refused(value: object) -> str:
    raise AssertionError(f"{value!r} is not plain")


@pytest.mark.parametrize("kind", list(PANDAS))
def test_a_pandas_column_of_any_type_is_shown(kind):
    pair = PANDAS[kind]()
    column = pair.iloc[np.arange(ROWS) // 2 % 2].reset_index(drop=True)
    shown = views(pd.DataFrame({"c": column, "x": np.arange(ROWS) % 7, "y": LABELS}), "y", [0, 1])
    assert "NaT" not in shown["shown"].replace("{'a': NaT}", "")
    assert "<NA>" not in shown["shown"] + shown["queue"]


@pytest.mark.parametrize("kind", list(POLARS))
def test_a_polars_column_of_any_type_is_shown(kind):
    column = POLARS[kind].gather((np.arange(ROWS) // 2 % 2).tolist()) if kind != "object" else None
    if column is None:
        column = pl.Series([uuid.UUID(int=1), None] * (ROWS // 2), dtype=pl.Object)
    views(pl.DataFrame({"c": column, "x": np.arange(ROWS) % 7, "y": LABELS}), "y", [0, 1])


@pytest.mark.parametrize("kind", list(VALUES))
def test_labels_and_values_of_a_type_read_alike_in_every_library(kind):
    pair = VALUES[kind]
    data = {
        "c": [pair[at] for at in np.arange(ROWS) // 2 % 2],
        "x": (np.arange(ROWS) % 7).tolist(),
        "y": LABELS.tolist(),
    }
    labelled = {"x": data["x"], "y": [pair[code] for code in LABELS]}
    for table, classes in ((data, [0, 1]), (labelled, pair)):
        of_polars, of_pandas, of_arrow = (
            views(make(table), "y", classes) for make in (pl.DataFrame, pd.DataFrame, pa.table)
        )
        for name in ("shown", "queue", "json"):
            assert _undated(of_pandas[name]) == _undated(of_polars[name]) == _undated(of_arrow[name])


def _undated(text: str) -> str:
    return text.split('"seconds"', maxsplit=1)[0]


@settings(deadline=None, max_examples=25)
@given(
    st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2200, 1, 1)),
    st.timedeltas(-dt.timedelta(9**5), dt.timedelta(9**5)),
)
def test_a_moment_and_a_duration_are_one_value_in_every_form(moment, length):
    from dqlabels.frames.values import python_value

    for unit in ("ns", "us"):
        assert python_value(np.datetime64(moment, unit)) == moment == python_value(pd.Timestamp(moment).as_unit(unit))
        assert python_value(np.timedelta64(length, unit)) == length == python_value(pd.Timedelta(length).as_unit(unit))
    assert python_value(pa.scalar(moment)) == moment
    assert python_value(pa.scalar(length)) == length


@pytest.mark.parametrize("values", [[["a"], ["b", "c"]], [[1.0], [1.0, 2.0]], [[[1.0, 2.0]], None]])
def test_lists_that_no_model_took_do_not_stop_the_report(values):
    for make in (pd.DataFrame, pl.DataFrame):
        views(make({"c": values * (ROWS // 2), "x": np.arange(ROWS) % 7, "y": LABELS}), "y", [0, 1])
