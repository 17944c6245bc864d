"""Whatever a label, an index or a column of names holds, Great Expectations can write the result as JSON."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import json
import uuid
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.gx_runs import PROBS, dirtied, validate

from dqlabels.integrations.great_expectations import ExpectLabelQualityToBeAtLeast


class Kind(enum.Enum):
    A, B = 1, 2


# Two values of each scalar type, the lesser one first.
PAIRS: dict[str, tuple[Any, Any]] = {
    "timedelta": (pd.Timedelta(days=1), pd.Timedelta(days=2)),
    "period": (pd.Period("2024-01"), pd.Period("2024-02")),
    "interval": (pd.Interval(0, 1), pd.Interval(1, 2)),
    "bytes": (b"a\xff", b"b"),
    "decimal": (decimal.Decimal("1.5"), decimal.Decimal("2.50")),
    "timestamp": (pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-02")),
    "time zone": (pd.Timestamp("2024-01-01", tz="Asia/Tokyo"), pd.Timestamp("2024-01-02", tz="Asia/Tokyo")),
    "datetime": (dt.datetime(3024, 1, 1), dt.datetime(3024, 1, 2)),
    "date": (dt.date(2024, 1, 1), dt.date(2024, 1, 2)),
    "time": (dt.time(1), dt.time(2)),
    "uuid": (uuid.UUID(int=1), uuid.UUID(int=2)),
    "enum": (Kind.A, Kind.B),
    "boolean": (False, True),
    "whole": (1, 2),
    "fraction": (0.5, 1.5),
    "infinity": (-np.inf, np.inf),
    "missing": (pd.NaT, pd.NA),
}


LABELS = [kind for kind in PAIRS if kind not in ("infinity", "missing")]


def written(frame: pd.DataFrame, probs: dict[str, Any], **wanted: Any) -> dict[str, Any]:
    """The result with all that it can list, once it has gone through JSON as a whole and without the rows."""
    check = ExpectLabelQualityToBeAtLeast(column="label", **probs, min_value=0.2)
    wanted |= {"result_format": "COMPLETE", "include_unexpected_rows": True}
    (result,) = validate(frame, check, result_format=wanted)
    assert not result.exception_info["raised_exception"], result.exception_info
    found: dict[str, Any] = json.loads(json.dumps(result.to_json_dict(), allow_nan=False))["result"]
    json.dumps({name: part for name, part in result.result.items() if name != "unexpected_rows"}, allow_nan=False)
    return found


@pytest.mark.parametrize("kind", LABELS)
def test_a_result_about_labels_of_a_type_is_json(kind):
    pair, frame = PAIRS[kind], dirtied(40)
    frame["label"] = pd.Series([pair[value == "yes"] for value in frame.label])
    names = [str(value) for value in pair]
    frame = frame.rename(columns=dict(zip(("p_no", "p_yes"), names, strict=True)))
    found = written(frame, {"pred_probs": names})
    assert len(found["unexpected_list"]) == len(found["unexpected_rows"]) > 0


@pytest.mark.parametrize("place", ["columns", "categories", "index", "names of rows"])
def test_a_result_of_a_frame_with_values_of_every_type_is_json(place):
    values = pd.DataFrame({kind: pd.Series([pair[row % 2] for row in range(40)]) for kind, pair in PAIRS.items()})
    frame, names = dirtied(40), {}
    if place == "index":
        frame.index = pd.MultiIndex.from_frame(values)
    else:
        frame = frame.join(values.astype("category") if place == "categories" else values)
    if place == "names of rows":
        names = {"unexpected_index_column_names": list(PAIRS)}
    found = written(frame, PROBS, **names)
    assert len(found["unexpected_index_list"]) == len(found["unexpected_rows"]) > 0


@pytest.mark.parametrize("kind", ["timedelta", "period", "bytes", "timestamp", "date", "uuid"])
def test_classes_that_a_suite_cannot_store_are_refused(kind):
    with pytest.raises(ValueError, match="which a suite cannot store. Name the probability columns after the classes"):
        ExpectLabelQualityToBeAtLeast(column="label", **PROBS, classes=list(PAIRS[kind]), min_value=0.2)
