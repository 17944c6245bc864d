"""The noise rate of the segments of a table: shrunk, limited, and refused where it cannot be said."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from support.frames import column, eager
from support.large_tables import table as large_table
from support.other_labels import ANNOTATORS, TAG_PROBS, graded, rated, rated_long, tagged
from support.segments import PROBS, judged
from support.sized import Sized

import dqlabels
from dqlabels.errors import FeatureError, LabelWarning, OptionError
from dqlabels.models.sizes import Sizes

MAKERS = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}


def audited(data: dict[str, Any], make: Any = pl.DataFrame, **options: Any) -> Any:
    return dqlabels.audit(make(data), "label", pred_probs=list(PROBS), **options)


@pytest.fixture(scope="module")
def spoilt() -> Any:
    return audited(judged(bad=0.25))


@pytest.mark.parametrize("library", MAKERS)
def test_the_segments_are_a_frame_of_the_callers_library(library):
    frame = MAKERS[library](judged())
    found = dqlabels.audit(frame, "label", pred_probs=list(PROBS)).by("region")
    assert type(found) is type(frame)
    assert eager(found).columns == [
        "region", "rows", "unjudged", "noise_rate", "noise_rate_low", "noise_rate_high", "flagged", "expected_wrong",
        "expected_wrong_low", "expected_wrong_high",
    ]  # fmt: skip


@pytest.mark.parametrize("library", MAKERS)
def test_every_library_gives_the_same_segments(library):
    found = [audited(judged(bad=0.25), make).by("region") for make in (MAKERS[library], pl.DataFrame)]
    assert column(found[0], "region") == column(found[1], "region")
    assert column(found[0], "noise_rate") == column(found[1], "noise_rate")


def test_the_worst_segment_comes_first_with_a_rate_near_its_own(spoilt):
    worst = spoilt.by("region").row(0, named=True)
    assert worst["region"] == "r00"
    assert worst["noise_rate_low"] <= 0.25 <= worst["noise_rate_high"]
    assert worst["noise_rate"] > 0.15


def test_the_rows_and_the_flags_add_up_to_those_of_the_table(spoilt):
    found = spoilt.by("region")
    assert (found["rows"].sum(), found["flagged"].sum()) == (spoilt.audited, spoilt.flagged)
    assert found["expected_wrong"].sum() == pytest.approx(spoilt.expected_wrong.estimate, rel=1e-6)


def test_a_small_segment_is_drawn_towards_the_table():
    data = judged(rows=3000, segments=30)
    data["region"][:3] = ["tiny"] * 3
    data["label"][:3] = ["no" if p > 0.5 else "yes" for p in data[PROBS[1]][:3]]  # all three most likely wrong
    audit = audited(data)
    tiny = audit.by("region").filter(pl.col("region") == "tiny").row(0, named=True)
    assert tiny["noise_rate"] < 0.5


def test_rows_without_a_value_are_a_segment_of_their_own():
    for make in (pd.DataFrame, pl.DataFrame):
        data = judged()
        data["region"] = [None if value == "r01" else value for value in data["region"]]
        found = eager(audited(data, make).by("region"))
        values = found["region"].to_list()
        assert len(values) == 5
        assert sum(value is None or value != value for value in values) == 1  # noqa: PLR0124 - NaN in pandas


def test_numbers_booleans_and_dates_are_segments():
    data = judged(rows=600)
    day = pl.Series([f"2026-01-0{1 + row % 3}" for row in range(600)]).str.to_date()
    frame = pl.DataFrame(data).with_columns(
        number=pl.Series([row % 4 for row in range(600)]), flag=pl.Series([row % 2 == 0 for row in range(600)]), day=day
    )
    audit = dqlabels.audit(frame, "label", pred_probs=list(PROBS))
    assert [len(audit.by(name)) for name in ("number", "flag", "day")] == [4, 2, 3]
    assert audit.by("day")["day"].dtype == pl.Date


def test_whole_numbers_that_pandas_holds_as_floats_are_segments():
    data = judged(rows=600)
    data["store"] = [None if row % 5 == 0 else row % 5 for row in range(600)]
    assert len(audited(data, pd.DataFrame).by("store")) == 5


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([at / 7 for at in range(1200)], r"holds fractional numbers in 1,0\d\d rows"),
        (list(range(1200)), "has 1,200 different values, and at most 1,000 segments are told apart"),
        ([[at % 2] for at in range(1200)], "a segment is a single value"),
    ],
)
def test_a_column_whose_values_are_no_segments_is_refused(values, message):
    audit = audited(judged(rows=1200) | {"many": values})
    with pytest.raises(OptionError, match=message):
        audit.by("many")


def test_a_column_that_is_not_there_is_named(spoilt):
    with pytest.raises(FeatureError, match="'regoin'"):
        spoilt.by("regoin")


def test_a_column_named_like_a_figure_keeps_both():
    data = judged(rows=600)
    data["rows"] = data.pop("region")
    assert audited(data).by("rows").columns[:2] == ["rows_", "rows"]


def test_a_spoilt_segment_fails_and_is_named(spoilt):
    gate = spoilt.gate(max_segment_noise_rate=0.1, by="region")
    assert (gate.verdict, gate.check.of) == ("fail", "r00")
    assert "the noise rate where 'region' is 'r00'" in gate.message


def test_a_table_whose_segments_are_alike_passes():
    assert audited(judged()).gate(max_segment_noise_rate=0.1, by="region").verdict == "pass"


def test_a_limit_by_segment_holds_for_that_segment_alone(spoilt):
    assert spoilt.gate(max_segment_noise_rate={"r01": 0.1}, by="region").verdict == "pass"


def test_fifty_segments_that_are_alike_are_not_fifty_chances_of_a_false_alarm():
    verdicts = [
        audited(judged(rows=2500, segments=50, seed=seed)).gate(
            max_segment_noise_rate=0.06, by="region", on_inconclusive="pass"
        ).verdict
        for seed in range(20)
    ]  # fmt: skip
    assert verdicts.count("fail") <= 1


def test_a_segment_of_which_few_rows_have_a_label_is_undecided():
    data = judged()
    data["label"] = [
        None if region == "r01" and row % 10 else label
        for row, (label, region) in enumerate(zip(data["label"], data["region"], strict=True))
    ]
    with pytest.warns(LabelWarning, match="the share of judged rows where 'region' is 'r01'"):
        gate = audited(data).gate(max_segment_noise_rate=0.2, by="region", min_judged=0.75)
    assert gate.verdict == "inconclusive"


def test_a_segment_without_any_label_is_shown_as_not_judged():
    data = judged()
    data["label"] = [
        None if region == "r01" else label for label, region in zip(data["label"], data["region"], strict=True)
    ]
    last = audited(data).by("region").row(-1, named=True)
    assert (last["region"], last["rows"]) == ("r01", 0)
    assert last["unjudged"] > 0
    assert np.isnan(last["noise_rate"])


@pytest.mark.parametrize("limits", [{"by": "region", "max_noise_rate": 0.5}, {"max_segment_noise_rate": 0.1}])
def test_a_limit_and_its_column_go_together(spoilt, limits):
    with pytest.raises(OptionError, match="give both, or neither"):
        spoilt.gate(**limits)


def test_a_limit_for_a_segment_that_is_not_there_is_refused(spoilt):
    with pytest.raises(OptionError, match="'r99' is no value of 'region'"):
        spoilt.gate(max_segment_noise_rate={"r99": 0.1}, by="region")


def test_the_verdict_on_segments_is_plain_values_as_json(spoilt):
    gate = spoilt.gate(max_segment_noise_rate=0.1, by="region")
    json.dumps(gate.to_dict(), allow_nan=False)
    json.dumps(spoilt.segments("region").to_list(), allow_nan=False)


def test_the_report_shows_the_segments_where_they_are_asked_for(spoilt):
    assert "Which segments" in spoilt.to_html(by="region")
    assert "Which segments" not in spoilt.to_html()


def test_grades_and_tags_have_segments():
    grades = graded()
    grades["site"] = ["a", "b"] * (len(grades["grade"]) // 2)
    tags = tagged()
    tags["site"] = ["a", "b"] * (len(tags["tags"]) // 2)
    for audit in (
        dqlabels.audit(pl.DataFrame(grades), "grade", task="ordinal"),
        dqlabels.audit(pl.DataFrame(tags), "tags", **TAG_PROBS),
    ):
        assert audit.by("site")["rows"].sum() == audit.audited
        assert audit.gate(max_segment_noise_rate=0.9, by="site").verdict == "pass"
        assert "Segments" in audit.to_html(by="site")


def test_scores_of_another_library_are_no_probabilities():
    with pytest.raises(OptionError, match="compat='cleanlab' gives scores, which are no probabilities"):
        audited(judged(rows=300), compat="cleanlab").by("region")


@pytest.mark.skipif(not hasattr(pl.LazyFrame, "collect_batches"), reason="older Polars hands out no batches")
def test_a_streamed_audit_says_that_it_has_no_rows():
    streamed = Sized(Sizes(large_rows=1_000)).audit(large_table().lazy(), "label")
    with pytest.raises(OptionError, match=r"^by\(\) needs all rows in memory"):
        streamed.by("x")
    with pytest.raises(OptionError, match=r"^by\(\) needs all rows in memory"):
        streamed.gate(max_segment_noise_rate=0.1, by="x")


@pytest.mark.filterwarnings("ignore:No model judges beside the annotators:dqlabels.errors.LabelWarning")
@pytest.mark.parametrize("long", [False, True])
def test_segments_of_annotators_are_those_of_their_labels(long, make_frame):
    data = rated_long(0.3) if long else rated(0.3)
    north = [row % 4 == 0 for row in data["item"]] if long else [row % 4 == 0 for row in range(120)]
    frame = make_frame({**data, "north": north})
    labels = ("said", {"annotator": "who", "item": "item"}) if long else (ANNOTATORS, {})
    audit = dqlabels.audit(frame, labels[0], exclude=["north"], **labels[1])
    found = eager(audit.by("north"))
    assert sum(found["rows"].to_list()) == audit.audited
    rates = zip(
        found["noise_rate"].to_list(),
        found["noise_rate_low"].to_list(),
        found["noise_rate_high"].to_list(),
        strict=True,
    )
    assert all(low <= rate <= high for rate, low, high in rates)
    weights = np.array(found["rows"].to_list()) / audit.audited
    assert weights @ found["noise_rate"].to_list() == pytest.approx(audit.noise_rate.estimate, abs=0.02)
    assert "Segments" in audit.to_html(by="north")


def test_several_labels_per_row_are_estimated_at_another_confidence():
    audit = dqlabels.audit(pl.DataFrame(tagged(0.1)), "tags", **TAG_PROBS)
    narrow, wide = audit.estimate_noise(confidence=0.5), audit.estimate_noise(confidence=0.95)
    assert wide.low <= narrow.low <= narrow.high <= wide.high
    for arguments, message in ((("anchor",), "audit one of them as a yes/no column"), ((None,), "0 and 1")):
        with pytest.raises(OptionError, match=message):
            audit.estimate_noise(*arguments, confidence=0.9 if arguments[0] else 2)
