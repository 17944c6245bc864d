"""The expectations on real batches: verdicts, results, fields, and what Great Expectations does around them."""

from __future__ import annotations

import importlib
import json
import sys
import warnings

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from support.gx_runs import PROBS, Column, clean, dirtied, gx, noisy, pydantic, validate

import dqlabels
from dqlabels.integrations.great_expectations import (
    ExpectClassLabelNoiseRatesToBeAtMost,
    ExpectLabelNoiseIncreaseToBeAtMost,
    ExpectLabelNoiseRateToBeAtMost,
    ExpectLabelQualityToBeAtLeast,
    as_gx_dataframe,
    metric,
)

Rate = ExpectLabelNoiseRateToBeAtMost
Classes = ExpectClassLabelNoiseRatesToBeAtMost
Increase = ExpectLabelNoiseIncreaseToBeAtMost
Quality = ExpectLabelQualityToBeAtLeast
KINDS = ["rate", "classes", "increase", "quality"]
TRAINED = {"features": ["x", "z"]}
LABEL = {"column": "label", **PROBS}


def audit(frame, **options):
    return dqlabels.audit(frame, "label", **(options or PROBS))


@pytest.fixture
def reference(tmp_path):
    path = tmp_path / "trusted.json"
    path.write_text(json.dumps(audit(clean()).profile()))
    return str(path)


@pytest.fixture
def audits(monkeypatch):
    """The labels that were audited, one entry an audit."""
    seen = []
    made = metric.audit

    def counted(frame, label, **options):
        seen.append(label)
        return made(frame, label, **options)

    monkeypatch.setattr(metric, "audit", counted)
    return seen


def expectations(reference, **options):
    options = {"column": "label", **(options or PROBS)}
    return {
        "rate": Rate(max_value=0.1, **options),
        "classes": Classes(max_value=0.1, **options),
        "increase": Increase(max_value=0.1, reference=reference, **options),
        "quality": Quality(**options),
    }


@pytest.mark.parametrize("which", KINDS)
@pytest.mark.parametrize(("frame", "success"), [(clean, True), (dirtied, False)])
def test_clean_labels_pass_and_dirtied_ones_fail(which, frame, success, reference):
    (result,) = validate(frame(), expectations(reference)[which])
    assert result.success is success
    assert result.exception_info["raised_exception"] is False


@pytest.mark.parametrize("options", [PROBS, TRAINED], ids=["probabilities", "model"])
def test_the_rate_is_that_of_the_audit(options):
    (result,) = validate(noisy(), Rate(column="label", max_value=0.5, **options))
    assert result.result["observed_value"] == audit(noisy(), **options).noise_rate.estimate


def test_the_message_is_the_gates():
    (result,) = validate(dirtied(), Rate(**LABEL, max_value=0.05))
    gate = audit(dirtied()).gate(max_noise_rate=0.05)
    assert result.result["details"]["message"] == gate.message


def test_a_class_may_have_a_limit_of_its_own():
    frame = clean()
    wrong = frame.index[(frame.label == "no") & (frame.index % 5 == 2)]
    frame.loc[wrong, "label"] = "yes"
    strict = {"yes": 0.05}
    assert not validate(frame, Classes(**LABEL, max_value=strict))[0].success
    assert validate(frame, Classes(**LABEL, max_value={"no": 0.06}))[0].success


def test_classes_that_are_numbers_are_found_by_how_they_are_written():
    frame = clean()
    frame["label"] = frame["label"].map({"no": 0, "yes": 1})
    (result,) = validate(frame, Classes(**LABEL, classes=[0, 1], max_value={0: 0.5, 1: 0.5}))
    assert result.success


def test_a_class_that_does_not_exist_is_an_error():
    (result,) = validate(clean(), Classes(**LABEL, max_value={"maybe": 0.1}))
    assert not result.success
    assert "'maybe' is no class of 'label'" in result.exception_info["exception_message"]


def test_the_increase_is_held_against_the_reference(reference):
    (result,) = validate(dirtied(), Increase(**LABEL, max_value=0.05, reference=reference))
    details = result.result["details"]
    assert details["estimator"] == "reference"
    assert details["what"] == "the increase of the noise rate"
    assert details["limit"] == 0.05


def test_a_reference_that_is_not_there_is_an_error_that_names_it():
    (result,) = validate(clean(), Increase(**LABEL, max_value=0.05, reference="gone.json"))
    assert not result.success
    assert "reference='gone.json' cannot be read" in result.exception_info["exception_message"]


def test_the_details_say_how_many_flags_are_likely_wrong():
    (result,) = validate(noisy(), Rate(**LABEL, max_value=0.5))
    expected = audit(noisy()).expected_wrong
    told = result.result["details"]["expected_wrong"]
    assert told == {"estimate": expected.estimate, "low": expected.low, "high": expected.high}


def test_only_what_is_likely_wrong_is_listed_where_the_precision_is_high():
    (result,) = validate(dirtied(), Rate(**LABEL, max_value=0.5, min_precision=0.95), result_format="COMPLETE")
    assert result.result["unexpected_count"] == audit(dirtied(), min_precision=0.95, **PROBS).flagged
    assert result.result["unexpected_count"] < audit(dirtied()).flagged


def test_quality_lists_the_rows_below_the_limit():
    frame = noisy()
    audited = audit(frame).frame
    below = audited[audited.label_quality < 0.2].sort_values("label_quality")
    (result,) = validate(frame, Quality(**LABEL, min_value=0.2), result_format="COMPLETE")
    assert 0 < len(below) == result.result["unexpected_count"]
    assert set(result.result["unexpected_index_list"]) == set(below.index)


def test_mostly_is_met_by_exactly_that_share():
    frame = noisy()
    below = int((audit(frame).frame.label_quality < 0.2).sum())
    share = (120 - below) / 120
    assert validate(frame, Quality(**LABEL, min_value=0.2, mostly=share))[0].success
    assert not validate(frame, Quality(**LABEL, min_value=0.2, mostly=share + 1e-9))[0].success


# --- One audit


def test_several_expectations_share_one_audit(audits, reference):
    results = validate(dirtied(), *expectations(reference).values())
    assert len(results) == 4
    assert audits == ["label"]


def test_the_order_of_the_features_makes_no_second_audit(audits):
    one = Rate(column="label", max_value=0.1, features=["x", "z"])
    two = Quality(column="label", min_value=0.1, features=["z", "x"])
    validate(clean(), one, two)
    assert audits == ["label"]


def test_a_batch_that_cannot_be_audited_is_tried_once_and_leaves_its_siblings_alone(audits):
    bad, good = validate(clean(), Rate(column="lable", max_value=0.1, **PROBS), Quality(**LABEL, min_value=0.0))
    assert sorted(audits) == ["label", "lable"]
    assert good.success
    assert not bad.success


@pytest.mark.parametrize("which", KINDS)
def test_an_exception_is_reported_as_one_and_never_as_success(which, reference):
    frame = clean()
    frame["label"] = "no"
    (result,) = validate(frame, expectations(reference)[which])
    assert result.success is False
    assert result.exception_info["raised_exception"] is True
    assert "Column 'label': all 120 labels are 'no'" in result.exception_info["exception_message"]


# --- Fields


EVERY_FIELD = {
    "features": ["x"],
    "exclude": ["z"],
    "pred_probs": ["p_no", "p_yes"],
    "classes": ["no", "yes"],
    "groups": "g",
    "sample_weight": "w",
    "cv": 3,
    "filter_by": "both",
    "min_precision": 0.8,
    "score": "self_confidence",
    "adjust": True,
    "compat": "cleanlab",
    "sample_rows": 100,
    "random_state": 7,
    "task": "ordinal",
}


def test_every_field_of_the_audit_reaches_it(monkeypatch):
    reached = {}

    def record(frame, label, **options):
        reached.update(options)
        raise dqlabels.DQLabelsError("recorded")

    monkeypatch.setattr(metric, "audit", record)
    validate(clean(), Rate(column="label", max_value=0.1, **EVERY_FIELD))
    assert {key: reached[key] for key in EVERY_FIELD} == EVERY_FIELD
    assert set(EVERY_FIELD) == set(metric.metric_keys("label")) - {"column", "auditor"}


@pytest.mark.parametrize("kind", [Rate, Classes, Increase, Quality])
def test_no_field_is_missing_from_the_keys_that_carry_it(kind):
    own = set(kind.__fields__) - set(gx.expectations.ExpectTableRowCountToEqual.__fields__) - {"row_condition"}
    assert own <= {*kind.success_keys, *kind.domain_keys, "condition_parser"}


def test_limits_are_no_part_of_the_metric():
    assert not {"max_value", "min_value", "mostly", "reference", "method", "decide"} & set(metric.metric_keys("label"))


@pytest.mark.parametrize("kind", [Rate, Classes])
def test_a_limit_is_required(kind):
    with pytest.raises(pydantic.ValidationError, match="max_value\n  field required"):
        kind(column="label")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"max_value": 5}, "max_value=5 is not a share of rows between 0 and 1; for 5% pass 0.05"),
        ({"max_value": True}, "max_value=True is not a share"),
        ({"max_value": float("nan")}, "max_value=nan is not a share"),
        ({"max_value": 0.1, "decide": "sure"}, "decide='sure' is none of 'estimate', 'confident'"),
        ({"max_value": 0.1, "filter_by": "best"}, "filter_by='best' is none of 'expected_f1'"),
        ({"max_value": 0.1, "method": "guess"}, "method='guess' is none of 'default'"),
        ({"max_value": 0.1, "random_state": -1}, "random_state=-1 is not a whole number"),
        ({"max_value": 0.1, "mostly": 0.9}, "ExpectLabelNoiseRateToBeAtMost has no option 'mostly'"),
        ({"max_value": 0.1, "seed": 1}, "no option 'seed'. Did you mean random_state=?"),
        ({"max_value": 0.1, "adjust": "no"}, "adjust='no' is neither True nor False"),
        ({"max_value": 0.1, "sample_rows": 1.5}, "sample_rows=1.5 is not a whole number"),
        ({"max_value": 0.1, "cv": 1}, "cv=1 is not a whole number of at least 2"),
        ({"max_value": 0.1, "features": 3}, "features=3 is not a list of column names"),
        ({"max_value": 0.1, "task": "regression"}, "This check is for one class per row"),
    ],
)
def test_a_mistake_is_refused_where_it_is_made(options, said):
    with pytest.raises(pydantic.ValidationError) as caught:
        Rate(**LABEL, **options)
    assert said in str(caught.value)


def test_what_fixes_the_meaning_is_stored_though_it_is_the_default():
    stored = Rate(**LABEL, max_value=0.05).configuration.kwargs
    fixed = {"filter_by", "score", "adjust", "random_state", "method", "decide", "on_inconclusive"}
    assert fixed <= set(stored)


def test_an_estimator_is_stored_with_its_version_and_echoed():
    expectation = Rate(**LABEL, max_value=0.5, method="anchor")
    assert expectation.configuration.kwargs["method"] == "anchor/2"
    details = validate(clean(), expectation)[0].result["details"]
    assert (details["method"], details["estimator"]) == ("anchor/2", "anchor")


def test_a_version_that_this_one_does_not_compute_is_refused():
    (result,) = validate(clean(), Rate(**LABEL, max_value=0.5, method="default/1"))
    assert not result.success
    assert "method='default/1': this dqlabels estimates by version 2" in result.exception_info["exception_message"]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (Rate, "expect_label_noise_rate_to_be_at_most"),
        (Classes, "expect_class_label_noise_rates_to_be_at_most"),
        (Increase, "expect_label_noise_increase_to_be_at_most"),
        (Quality, "expect_label_quality_to_be_at_least"),
    ],
)
def test_the_names_in_users_suites_stay(kind, name):
    assert kind.expectation_type == name


def test_parameters_are_given_when_the_suite_is_run():
    fields = {"max_value": {"$PARAMETER": "limit"}, "features": {"$PARAMETER": "judge_by"}}
    loose, strict = (
        validate(dirtied(), Rate(column="label", **fields), parameters={"limit": limit, "judge_by": ["x"]})[0]
        for limit in (0.9, 0.01)
    )
    assert (loose.success, strict.success) == (True, False)
    assert strict.result["details"]["limit"] == 0.01


def test_a_parameter_that_is_no_share_stops_the_run():
    with pytest.raises(pydantic.ValidationError, match="max_value=5 is not a share"):
        validate(clean(), Rate(**LABEL, max_value={"$PARAMETER": "m"}), parameters={"m": 5})


def test_a_parameter_without_a_value_stops_the_run():
    with pytest.raises(gx.exceptions.SuiteParameterError, match="No value found for"):
        validate(clean(), Rate(**LABEL, max_value={"$PARAMETER": "m"}))


def test_a_row_condition_chooses_the_rows_that_are_audited():
    frame = pd.concat([clean().assign(split="old"), dirtied().assign(split="new")], ignore_index=True)
    old, new = (
        validate(
            frame,
            Rate(**LABEL, max_value=0.1, row_condition=Column("split") == split),
            result_format="COMPLETE",
        )[0]
        for split in ("old", "new")
    )
    assert (old.success, new.success) == (True, False)
    assert new.result["element_count"] == 120
    assert min(new.result["unexpected_index_list"]) >= 120


def test_the_severity_is_that_of_the_expectation():
    (result,) = validate(dirtied(), Rate(**LABEL, max_value=0.05, severity="warning"))
    assert result.expectation_config.severity == "warning"


# --- Three answers


UNDECIDED = {**LABEL, "max_value": 0.05, "decide": "confident"}


@pytest.mark.parametrize(("on_inconclusive", "success"), [("pass", True), ("fail", False)])
def test_an_undecided_gate_does_as_it_was_told(on_inconclusive, success):
    (result,) = validate(noisy(), Rate(**UNDECIDED, on_inconclusive=on_inconclusive))
    assert result.result["details"]["verdict"] == "inconclusive"
    assert result.success is success
    assert "rows by hand would decide it" in result.result["details"]["message"]


def test_an_undecided_gate_warns_unless_told_otherwise():
    with pytest.warns(dqlabels.LabelWarning, match="INCONCLUSIVE"):
        (result,) = validate(noisy(), Rate(**UNDECIDED))
    assert result.success


# --- Results


def test_boolean_only_holds_no_result():
    (result,) = validate(dirtied(), Rate(**LABEL, max_value=0.05), result_format="BOOLEAN_ONLY")
    assert (result.success, result.result) == (False, {})


BASIC = {"observed_value", "element_count", "unexpected_count", "unexpected_percent", "partial_unexpected_list"}
SUMMARY = BASIC | {"partial_unexpected_counts", "partial_unexpected_index_list"}
COMPLETE = SUMMARY | {"unexpected_list", "unexpected_index_list"}


@pytest.mark.parametrize(
    ("level", "there", "absent"),
    [("BASIC", BASIC, COMPLETE - BASIC), ("SUMMARY", SUMMARY, COMPLETE - SUMMARY), ("COMPLETE", COMPLETE, set())],
)
def test_a_format_holds_what_it_should(level, there, absent):
    (result,) = validate(dirtied(), Rate(**LABEL, max_value=0.05), result_format=level)
    keys = set(result.result)
    assert there <= keys
    assert not absent & keys


def test_complete_lists_every_flagged_row_by_its_index():
    frame = dirtied(1000).set_index(pd.Index([f"r{row}" for row in range(1000)]))
    audited = audit(frame).frame
    flagged = list(audited.index[audited.is_label_issue])
    (result,) = validate(frame, Rate(**LABEL, max_value=0.05), result_format="COMPLETE")
    assert len(flagged) > 150
    assert sorted(result.result["unexpected_index_list"]) == sorted(flagged)


def test_few_labels_are_listed_where_few_are_asked_for():
    wanted = {"result_format": "SUMMARY", "partial_unexpected_count": 3}
    (result,) = validate(dirtied(), Rate(**LABEL, max_value=0.05), result_format=wanted)
    assert len(result.result["partial_unexpected_list"]) == len(result.result["partial_unexpected_index_list"]) == 3
    assert result.result["unexpected_count"] > 3


def test_rows_are_named_by_columns():
    frame = dirtied().assign(id=[f"p{row}" for row in range(120)])
    wanted = {"result_format": "COMPLETE", "unexpected_index_column_names": ["id"]}
    (result,) = validate(frame, Rate(**LABEL, max_value=0.05), result_format=wanted)
    plain = validate(frame, Rate(**LABEL, max_value=0.05), result_format="COMPLETE")[0]
    assert result.result["unexpected_index_list"] == [
        {"label": frame.label[row], "id": f"p{row}"} for row in plain.result["unexpected_index_list"]
    ]


def test_a_column_that_should_name_rows_must_be_there():
    wanted = {"result_format": "COMPLETE", "unexpected_index_column_names": ["idd"]}
    (result,) = validate(dirtied(), Rate(**LABEL, max_value=0.05), result_format=wanted)
    assert "no column 'idd'" in result.exception_info["exception_message"]


def test_whole_rows_come_with_what_the_audit_says():
    wanted = {"result_format": "COMPLETE", "include_unexpected_rows": True}
    (result,) = validate(dirtied(), Rate(**LABEL, max_value=0.05), result_format=wanted)
    rows = result.result["unexpected_rows"]
    assert list(rows.columns) == [
        "x",
        "z",
        "label",
        "p_yes",
        "p_no",
        "label_quality",
        "suggested_label",
        "is_label_issue",
    ]
    assert rows.is_label_issue.all()
    assert len(rows) == 20


def test_values_are_left_out_where_that_is_asked_for():
    wanted = {"result_format": "COMPLETE", "exclude_unexpected_values": True}
    (result,) = validate(dirtied(), Rate(**LABEL, max_value=0.05), result_format=wanted)
    assert not {"unexpected_list", "partial_unexpected_list", "partial_unexpected_counts"} & set(result.result)
    assert result.result["details"]["rows"] == []
    assert "→" not in result.result["details"]["message"]


def test_a_result_is_json():
    wanted = {"result_format": "COMPLETE", "include_unexpected_rows": True}
    frame = dirtied().assign(day=pd.date_range("2024-01-01", periods=120)).set_index("day", drop=False)
    results = validate(frame, Rate(**LABEL, max_value=0.05), Quality(**LABEL, min_value=0.2), result_format=wanted)
    for result in results:
        json.dumps(result.to_json_dict(), allow_nan=False)


def test_missing_labels_are_counted_apart():
    frame = clean()
    frame.loc[:9, "label"] = None
    (result,) = validate(frame, Rate(**LABEL, max_value=0.1))
    assert (result.result["element_count"], result.result["missing_count"]) == (120, 10)
    assert result.result["details"]["audited"] == 110


def test_a_note_of_the_audit_is_in_the_details_and_no_warning():
    frame = clean().assign(id=[f"p{row}" for row in range(120)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (result,) = validate(frame, Rate(column="label", max_value=0.1, exclude=["p_no", "p_yes"]))
    assert any("'id'" in note for note in result.result["details"]["notes"])


def test_a_batch_with_columns_of_an_earlier_audit_is_audited_again():
    frame = audit(noisy()).frame
    (result,) = validate(frame, Rate(**LABEL, max_value=0.5))
    assert result.result["observed_value"] == audit(noisy()).noise_rate.estimate


def test_the_batch_is_left_as_it_was():
    frame = dirtied()
    before = frame.copy(deep=True)
    validate(frame, Rate(**LABEL, max_value=0.5))
    pd.testing.assert_frame_equal(frame, before)


# --- Frames of other libraries


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pl.LazyFrame, pa.table])
def test_any_frame_becomes_one_that_can_be_validated(make):
    frame = make(dirtied().to_dict("list"))
    (result,) = validate(as_gx_dataframe(frame), Rate(**LABEL, max_value=0.05))
    assert not result.success
    assert result.exception_info["raised_exception"] is False


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pl.LazyFrame, pa.table])
def test_columns_are_chosen_in_their_order(make):
    assert list(as_gx_dataframe(make({"a": [1], "b": [2], "c": [3]}), columns=["c", "a"]).columns) == ["c", "a"]


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pl.LazyFrame, pa.table])
def test_a_column_that_is_not_there_is_named(make):
    with pytest.raises(dqlabels.DQLabelsError, match="no column 'colour'"):
        as_gx_dataframe(make({"color": [1]}), columns=["colour"])


def test_what_is_no_frame_is_refused():
    with pytest.raises(dqlabels.DQLabelsError, match=r"frame is a builtins\.dict"):
        as_gx_dataframe({"a": [1]})


def test_without_great_expectations_the_cure_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "great_expectations", None)
    monkeypatch.delitem(sys.modules, "dqlabels.integrations.great_expectations")
    with pytest.raises(ImportError, match=r'pip install "dqlabels\[great-expectations\]"'):
        importlib.import_module("dqlabels.integrations.great_expectations")


def test_a_module_that_great_expectations_lacks_is_named(monkeypatch, tmp_path):
    (tmp_path / "great_expectations.py").write_text("import no_such_module")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "great_expectations")
    monkeypatch.delitem(sys.modules, "dqlabels.integrations.great_expectations")
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        importlib.import_module("dqlabels.integrations.great_expectations")


def test_without_what_a_conversion_needs_the_cure_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(dqlabels.DQLabelsError, match=r"pandas is not installed, .* pip install pandas"):
        as_gx_dataframe(pl.DataFrame({"a": [1]}))
