"""What no gate passes, no test suite passes; and limits by segment in both suites."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import polars as pl
import pytest
from support.gx_runs import PROBS, gx, validate

pytest.importorskip("pandera")
import pandera.pandas as pa
import pandera.polars as pp
from pandera.errors import SchemaError

from dqlabels.errors import OptionError
from dqlabels.integrations.great_expectations import (
    ExpectLabelNoiseRateToBeAtMost,
    ExpectLabelQualityToBeAtLeast,
    ExpectSegmentLabelNoiseRatesToBeAtMost,
)
from dqlabels.integrations.pandera import label_noise_at_most, segment_label_noise_at_most

SUITES = {"pandas": (pa, pd.DataFrame), "polars": (pp, pl.DataFrame)}
NAMES = ["ham", "spam"]


def mail(rows: int = 600, *, spoilt: bool = False, labelled: int = 1) -> dict[str, Any]:
    """Mail that is told apart well; where it is spoilt a third of the labels of box a are wrong."""
    truth = [row % 2 for row in range(rows)]
    boxes = ["abc"[row // 2 % 3] for row in range(rows)]
    wrong = [row % 40 == 3 or (spoilt and boxes[row] == "a" and row % 3 == 0) for row in range(rows)]
    label = [
        NAMES[kind ^ bad] if row % labelled == 0 else None
        for row, (kind, bad) in enumerate(zip(truth, wrong, strict=True))
    ]
    spam = [0.95 - row % 7 / 100 if kind else 0.05 + row % 7 / 100 for row, kind in enumerate(truth)]
    return {"label": label, "box": boxes, "ham": [1 - p for p in spam], "spam": spam}


@pytest.fixture(params=list(SUITES))
def suite(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    return SUITES[request.param]


def test_a_schema_fails_a_frame_of_which_few_rows_have_a_label(suite):
    module, make = suite
    schema = module.DataFrameSchema(checks=[label_noise_at_most("label", 0.5, pred_probs=NAMES)])
    with pytest.raises(SchemaError, match="falls short of the minimum of 80.0%"):
        schema.validate(make(mail(labelled=15)))


def test_a_schema_fails_a_spoilt_segment_and_lists_its_rows(suite):
    module, make = suite
    schema = module.DataFrameSchema(checks=[segment_label_noise_at_most("label", 0.15, by="box", pred_probs=NAMES)])
    schema.validate(make(mail()))
    with pytest.raises(SchemaError, match="the noise rate where 'box' is 'a'"):
        schema.validate(make(mail(spoilt=True)))


def test_a_schema_limits_a_segment_alone(suite):
    module, make = suite
    check = segment_label_noise_at_most("label", [("b", 0.15)], by="box", pred_probs=NAMES)
    module.DataFrameSchema(checks=[check]).validate(make(mail(spoilt=True)))


@pytest.mark.parametrize("by", [None, 5, ""])
def test_a_check_of_segments_needs_the_name_of_a_column(by):
    with pytest.raises(OptionError, match="by="):
        segment_label_noise_at_most("label", 0.1, by=by)


LABEL = {"column": "label", "pred_probs": NAMES}


def test_an_expectation_fails_a_batch_of_which_few_rows_have_a_label():
    (result,) = validate(pd.DataFrame(mail(labelled=15)), ExpectLabelNoiseRateToBeAtMost(max_value=0.5, **LABEL))
    assert not result.success
    assert result.result["details"]["verdict"] == "inconclusive"
    assert result.result["details"]["headline"].startswith("INCONCLUSIVE: the share of rows whose label was judged")


@pytest.mark.parametrize(("spoilt", "success"), [(False, True), (True, False)])
def test_an_expectation_holds_each_segment_against_its_limit(spoilt, success):
    expectation = ExpectSegmentLabelNoiseRatesToBeAtMost(by="box", max_value=0.15, **LABEL)
    (result,) = validate(pd.DataFrame(mail(spoilt=spoilt)), expectation)
    assert result.success is success


def test_an_expectation_limits_a_segment_alone():
    expectation = ExpectSegmentLabelNoiseRatesToBeAtMost(by="box", max_value={"b": 0.15}, **LABEL)
    (result,) = validate(pd.DataFrame(mail(spoilt=True)), expectation)
    assert result.success


def with_parameter(expectation: Any, value: Any) -> Any:
    context = gx.get_context(mode="ephemeral")
    batch = context.data_sources.pandas_default.read_dataframe(pd.DataFrame(mail()))
    return batch.validate(expectation, expectation_parameters={"limit": value})


@pytest.mark.parametrize("value", ["5%", math.nan, math.inf, True, None, [0.1], -0.1, 1.5])
@pytest.mark.parametrize("kind", [ExpectLabelNoiseRateToBeAtMost, ExpectLabelQualityToBeAtLeast])
def test_a_parameter_of_the_wrong_type_is_no_success(kind, value):
    name = "max_value" if kind is ExpectLabelNoiseRateToBeAtMost else "min_value"
    expectation = kind(**{name: {"$PARAMETER": "limit"}}, **LABEL)
    try:
        result = with_parameter(expectation, value)
    except Exception as error:  # noqa: BLE001 - whatever Great Expectations makes of it, it is not a success
        assert "limit" in str(error) or name in str(error)  # noqa: PT017
    else:
        assert not result.success


def test_a_parameter_of_the_right_type_is_a_success():
    assert PROBS is not None
    assert with_parameter(ExpectLabelNoiseRateToBeAtMost(max_value={"$PARAMETER": "limit"}, **LABEL), 0.2).success
