"""Expectations on numbers, annotators, several labels a row and grades: verdicts, results, fields and pages."""

from __future__ import annotations

import json
from copy import copy
from typing import Any

import pandas as pd
import pytest
from support.gx_runs import Column, gx, page_of, pydantic, validate, words
from support.other_labels import (
    ANNOTATORS,
    GRADE_PROBS,
    TAG_PROBS,
    TAGS,
    graded,
    prices,
    rated,
    rated_long,
    tagged,
    ticked,
)

import dqlabels
from dqlabels.integrations.great_expectations import (
    ExpectAnnotatorAgreementToBeAtLeast,
    ExpectAnnotatorNoiseRateToBeAtMost,
    ExpectClassLabelNoiseRatesToBeAtMost,
    ExpectEachAnnotatorNoiseRateToBeAtMost,
    ExpectEachTagNoiseRateToBeAtMost,
    ExpectFlaggedValueShareToBeAtMost,
    ExpectLabelNoiseRateToBeAtMost,
    ExpectTagNoiseRateToBeAtMost,
    metric,
)

Share = ExpectFlaggedValueShareToBeAtMost
Agreement = ExpectAnnotatorAgreementToBeAtLeast
Noise = ExpectAnnotatorNoiseRateToBeAtMost
Each = ExpectEachAnnotatorNoiseRateToBeAtMost
Tags = ExpectTagNoiseRateToBeAtMost
EachTag = ExpectEachTagNoiseRateToBeAtMost
KINDS = [Share, Agreement, Noise, Each, Tags, EachTag]

LONG = {"column": "said", "annotator": "who", "item": "item"}
WIDE = {"column_list": ANNOTATORS}
LISTED = {"column": "tags", **TAG_PROBS}
TICKED = {"column_list": TAGS, **TAG_PROBS}
GRADED = {"column": "grade", "task": "ordinal", **GRADE_PROBS}
# A table, an expectation that holds of it as it is, and the share of wrong labels that it does not allow.
CASES: dict[str, tuple[Any, Any, float]] = {
    "values": (prices, Share(column="price", max_value=0.02), 0.05),
    "agreement": (rated, Agreement(**WIDE, min_value=0.8), 0.3),
    "agreement, a row a label": (rated_long, Agreement(**LONG, min_value=0.8), 0.3),
    "annotators": (rated, Noise(**WIDE, max_value=0.05), 0.3),
    "each annotator": (rated, Each(**WIDE, max_value=0.1), 0.3),
    "each annotator, a row a label": (rated_long, Each(**LONG, max_value={"agency": 0.1}), 0.3),
    "tags": (tagged, Tags(**LISTED, max_value=0.03), 0.3),
    "yes/no columns": (ticked, Tags(**TICKED, max_value=0.03), 0.3),
    "each tag": (tagged, EachTag(**LISTED, max_value={"owl": 0.05}), 0.3),
    "grades": (graded, ExpectLabelNoiseRateToBeAtMost(**GRADED, max_value=0.05), 0.3),
}


def case(name: str) -> tuple[Any, Any, float]:
    """With a copy of the expectation: Great Expectations ties one to the suite that it was in."""
    table, expectation, wrong = CASES[name]
    return table, copy(expectation), wrong


@pytest.mark.parametrize("name", CASES)
def test_right_labels_pass_and_wrong_ones_fail(name):
    table, expectation, wrong = case(name)
    wanted = {"result_format": "COMPLETE", "include_unexpected_rows": True}
    (right,), (failed,) = (
        validate(pd.DataFrame(table(share)), copy(expectation), result_format=wanted) for share in (0.0, wrong)
    )
    assert (right.success, failed.success) == (True, False)
    assert not right.exception_info["raised_exception"]
    assert not failed.exception_info["raised_exception"]
    assert failed.result["details"]["headline"].startswith("FAIL: ")
    json.dumps(failed.to_json_dict(), allow_nan=False)


@pytest.mark.parametrize("kind", KINDS)
def test_the_names_in_users_suites_stay(kind):
    names = {
        Share: "expect_flagged_value_share_to_be_at_most",
        Agreement: "expect_annotator_agreement_to_be_at_least",
        Noise: "expect_annotator_noise_rate_to_be_at_most",
        Each: "expect_each_annotator_noise_rate_to_be_at_most",
        Tags: "expect_tag_noise_rate_to_be_at_most",
        EachTag: "expect_each_tag_noise_rate_to_be_at_most",
    }
    assert kind.expectation_type == names[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_reaches_the_audit_or_the_gate(kind):
    own = set(kind.__fields__) - set(gx.expectations.ExpectTableRowCountToEqual.__fields__) - {"row_condition"}
    assert own <= {*kind.success_keys, *kind.domain_keys, "condition_parser"}
    of_audits = {field for about in metric.METRICS for field in metric.metric_keys(about)}
    (made,) = [one for one in metric.METRICS.values() if one.metric_name == kind.metric_dependencies[0]]
    assert own & of_audits == set(made.value_keys)


# --- What an audit says of the batch


def test_the_false_discovery_rate_is_the_audits():
    frame = pd.DataFrame(prices(0.05))
    frame.loc[100:109, "price"] += [5 + 2 * at for at in range(10)]  # the scatter is 3
    loose, strict = (validate(frame, Share(column="price", max_value=1.0, fdr=fdr))[0].result for fdr in (0.4, 0.001))
    assert loose["unexpected_count"] == dqlabels.audit(frame, "price", task="regression", fdr=0.4).flagged
    assert strict["unexpected_count"] < loose["unexpected_count"]
    assert loose["details"]["fdr"] == 0.4


def test_the_flagged_values_are_listed_worst_first_with_their_prediction():
    frame = pd.DataFrame(prices(0.05))
    issues = dqlabels.audit(frame, "price", task="regression").issues
    (result,) = validate(frame, Share(column="price", max_value=0.02))
    rows = result.result["details"]["rows"]
    assert [row["index"] for row in rows] == issues["row"].tolist()[:10]
    assert [row["suggested"] for row in rows] == issues["suggested_label"].tolist()[:10]


def test_the_agreement_is_krippendorffs_alpha():
    frame = pd.DataFrame(rated(0.3))
    agreement = dqlabels.audit(frame, ANNOTATORS).agreement
    (result,) = validate(frame, Agreement(**WIDE, min_value=0.8))
    details = result.result["details"]
    assert result.result["observed_value"] == agreement.alpha
    assert (details["low"], details["high"]) == (agreement.low, agreement.high)
    assert details["assumption"] is None


def test_both_forms_of_a_table_have_the_same_agreement():
    wide, long = (
        validate(pd.DataFrame(table(0.3)), Agreement(**form, min_value=0.8))[0].result["observed_value"]
        for table, form in ((rated, WIDE), (rated_long, LONG))
    )
    assert wide == pytest.approx(long)


def test_rows_where_annotators_differ_are_listed_though_most_of_them_agree():
    frame = pd.DataFrame(rated(0.3))
    differ = frame.index[frame.nunique(axis=1) > 1]
    (result,) = validate(frame, Agreement(**WIDE, min_value=0.8), result_format="COMPLETE")
    assert sorted(result.result["unexpected_index_list"]) == differ.tolist()
    assert set(result.result["unexpected_list"][0]) == set(ANNOTATORS)


def test_an_annotator_may_have_a_limit_of_his_own():
    frame = pd.DataFrame(rated(0.3))
    assert validate(frame, Each(**WIDE, max_value={"core": 0.05}))[0].success
    (result,) = validate(frame, Each(**WIDE, max_value=0.05))
    assert result.result["details"]["what"] == "the share of wrong labels by 'agency'"


def test_annotators_that_are_numbers_are_found_by_how_they_are_written():
    frame = pd.DataFrame(rated_long(0.3))
    frame["who"] = frame["who"].map({name: at for at, name in enumerate(ANNOTATORS)})
    (result,) = validate(frame, Each(**LONG, max_value={2: 0.05}))
    assert not result.success
    assert result.exception_info["raised_exception"] is False


def test_a_tag_may_have_a_limit_of_its_own():
    frame = pd.DataFrame(tagged(0.3))
    assert validate(frame, EachTag(**LISTED, max_value={"cat": 0.05}))[0].success


def test_grades_are_judged_by_their_distance():
    frame = pd.DataFrame(graded(0.1))
    expectation = ExpectClassLabelNoiseRatesToBeAtMost(**GRADED, max_value=0.5)
    (result,) = validate(frame, expectation)
    assert result.result["details"]["settings"]["task"] == "ordinal"
    assert result.result["unexpected_count"] == dqlabels.audit(frame, "grade", task="ordinal", **GRADE_PROBS).flagged


@pytest.fixture
def audits(monkeypatch):
    seen = []
    made = metric.audit

    def counted(frame, label, **options):
        seen.append(label)
        return made(frame, label, **options)

    monkeypatch.setattr(metric, "audit", counted)
    return seen


def test_expectations_on_the_same_annotators_share_one_audit(audits):
    expectations = Agreement(**WIDE, min_value=0.8), Noise(**WIDE, max_value=0.1), Each(**WIDE, max_value=0.1)
    assert len(validate(pd.DataFrame(rated()), *expectations)) == 3
    assert audits == [ANNOTATORS]


def test_kinds_of_label_are_audited_apart_in_one_batch(audits):
    frame = pd.DataFrame(prices(rows=120)).assign(**rated())
    frame["label"] = ["no" if x < 0 else "yes" for x in frame.x]
    results = validate(
        frame,
        Share(column="price", max_value=0.1, features=["x", "z"]),
        Agreement(**WIDE, min_value=0.5),
        ExpectLabelNoiseRateToBeAtMost(column="label", max_value=0.1, features=["x", "z"]),
    )
    assert [result.success for result in results] == [True] * 3
    assert sorted(map(str, audits)) == sorted(map(str, ["price", ANNOTATORS, "label"]))


# --- Three answers, and errors


@pytest.mark.parametrize(
    ("table", "expectation"),
    [
        (prices, Share(column="price", max_value=0.05, decide="confident", on_inconclusive="fail")),
        (rated, Agreement(**WIDE, min_value=0.6, decide="confident", on_inconclusive="fail")),
        (rated, Noise(**WIDE, max_value=0.11, decide="confident", on_inconclusive="fail")),
        (tagged, Tags(**LISTED, max_value=0.1, decide="confident", on_inconclusive="fail")),
    ],
)
def test_a_limit_within_the_interval_is_inconclusive(table, expectation):
    frame = pd.DataFrame(table(0.05 if table is prices else 0.3))
    (result,) = validate(frame, copy(expectation))
    assert (result.success, result.result["details"]["verdict"]) == (False, "inconclusive")


def test_an_undecided_gate_warns_and_passes_unless_told_otherwise():
    with pytest.warns(dqlabels.LabelWarning, match="INCONCLUSIVE"):
        (result,) = validate(pd.DataFrame(prices(0.05)), Share(column="price", max_value=0.05, decide="confident"))
    assert result.success


@pytest.mark.parametrize(
    ("table", "expectation", "said"),
    [
        (prices, Share(column="prise", max_value=0.05), "There is no column 'prise'"),
        (graded, Share(column="grade", max_value=0.05, features=["z"]), "no column 'z'"),
        (rated, Agreement(column_list=["core", "agencies"], min_value=0.5), "no column 'agencies'"),
        (rated, Each(**WIDE, max_value={"nobody": 0.1}), "'nobody' gave no label here"),
        (tagged, EachTag(**LISTED, max_value={"cow": 0.1}), "'cow' is no label of 'tags'"),
        (rated, Tags(column_list=ANNOTATORS, max_value=0.5), "says yes or no"),
    ],
)
def test_what_cannot_be_checked_is_an_error_and_no_success(table, expectation, said):
    (result,) = validate(pd.DataFrame(table()), expectation)
    assert not result.success
    assert said in result.exception_info["exception_message"]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Share(column="price", max_value=2), "max_value=2 is not a share"),
        (lambda: Share(column="price", max_value=0.1, fdr=10), "fdr=10 is not a share between 0 and 1"),
        (lambda: Share(column="price", max_value=0.1, method="anchor"), "method='anchor' is none of 'default'"),
        (lambda: Agreement(min_value=0.5), "Name the label columns"),
        (lambda: Agreement(column_list=["a"], min_value=0.5), "two or more different columns"),
        (lambda: Agreement(column="a", annotator="b", min_value=0.5), "annotator and item must name"),
        (lambda: Agreement(column_list=["a", "b"], item="c", min_value=0.5), "Give one or the other"),
        (lambda: Agreement(**WIDE, min_value=0.5, consensus="vote"), "consensus='vote' is none of"),
        (lambda: Each(**WIDE, max_value={}), "names no annotator"),
        (lambda: Tags(max_value=0.5), "one or the other"),
        (lambda: Tags(column="a", column_list=["b", "c"], max_value=0.5), "one or the other"),
        (
            lambda: ExpectLabelNoiseRateToBeAtMost(column="a", max_value=0.5, task="regression"),
            "have checks of their own",
        ),
    ],
)
def test_a_mistake_is_refused_where_it_is_made(make, said):
    with pytest.raises(pydantic.ValidationError) as caught:
        make()
    assert said in str(caught.value)


def test_what_fixes_the_meaning_is_stored_though_it_is_the_default():
    stored = Share(column="price", max_value=0.05).configuration.kwargs
    assert {"fdr", "random_state", "method", "decide", "on_inconclusive"} <= set(stored)
    assert {"filter_by", "score", "adjust"} <= set(Tags(**LISTED, max_value=0.05).configuration.kwargs)


def test_parameters_are_given_when_the_suite_is_run():
    expectation = Share(column="price", max_value={"$PARAMETER": "most"}, fdr={"$PARAMETER": "fdr"})
    (result,) = validate(pd.DataFrame(prices(0.05)), expectation, parameters={"most": 0.02, "fdr": 0.05})
    details = result.result["details"]
    assert (details["limit"], details["fdr"]) == (0.02, 0.05)


def test_rows_are_named_by_columns():
    wanted = {"result_format": "COMPLETE", "unexpected_index_column_names": ["item"]}
    frame = pd.DataFrame(rated(0.3)).assign(item=[f"i{row}" for row in range(120)])
    (result,) = validate(frame, Agreement(**WIDE, min_value=0.8, exclude=["item"]), result_format=wanted)
    assert set(result.result["unexpected_index_list"][0]) == {*ANNOTATORS, "item"}


# --- Data Docs


PAGES = {
    "values": ["At most 2% of the values may be flagged at a false-discovery rate of 10%", "10 of 200 values flagged"],
    "agreement": [
        "core, warehouse, agency : the annotators must agree with a Krippendorff's alpha of at least 0.8",
        "38 of 120 rows hold a label that is not the consensus",
        "Annotators Annotator Labels Are the consensus Estimated wrong Most often wrong agency 120",
    ],
    "each annotator, a row a label": ["At most 10% of the labels of agency may be wrong"],
    "tags": ["At most 3% of the labels, over all rows, may be wrong or missing"],
    "each tag": [
        "At most 5% of the answers to owl may be wrong or missing",
        "Labels Label Rows with it Wrong Missing Estimated wrong owl",
    ],
    "grades": ["At most 5% of the labels may be wrong"],
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_what_was_asked_and_found(name, tmp_path):
    table, expectation, wrong = case(name)
    page = words(page_of(tmp_path, pd.DataFrame(table(wrong)), expectation))
    for said in (*PAGES[name], "FAIL: ", "Most suspicious rows Row Given Suggested Quality", "; method default/2."):
        assert said in page
    assert "unexpected value" not in page.lower()


def test_markup_in_any_kind_of_label_is_text(tmp_path):
    markup = "<script>alert(1)</script>"
    frame = pd.DataFrame(rated(0.3)).rename(columns={"agency": markup})
    frame[markup] = frame[markup].map({"bad": "bad", "good": markup})
    frame["core"] = frame["core"].map({"bad": "bad", "good": markup})
    frame["tags"] = [[markup, "b"], [markup], []] * 40
    frame["p"] = [0.9, 0.2, 0.1] * 40
    page = page_of(
        tmp_path,
        frame,
        Each(column_list=["core", markup], max_value={markup: 0.01}, exclude=["tags", "warehouse", "p"]),
        EachTag(**LISTED, max_value={markup: 0.01}, features=["x"]),
        result_format="COMPLETE",
    )
    assert "&lt;script&gt;alert(1)" in page
    assert markup not in page


@pytest.mark.parametrize("kind", KINDS)
def test_a_statement_is_rendered_of_nothing_at_all(kind):
    assert kind._prescriptive_renderer()
    assert kind._diagnostic_observed_value_renderer() == "--"
    assert kind._diagnostic_unexpected_table_renderer() is None


@pytest.mark.parametrize("name", CASES)
def test_the_form_and_the_atomic_text_exist(name):
    _, expectation, _ = case(name)
    expectation.render()
    content = str(expectation.rendered_content[0].to_json_dict())
    columns = getattr(expectation, "column_list", None) or [expectation.column]
    assert all(column in content for column in columns)
    assert type(expectation).schema()["title"] == expectation.expectation_type.replace("_", " ").capitalize()


def test_a_row_condition_chooses_the_rows_that_are_audited():
    frame = pd.concat([pd.DataFrame(rated()).assign(split="old"), pd.DataFrame(rated(0.3)).assign(split="new")])
    expectation = Agreement(**WIDE, min_value=0.8, exclude=["split"], row_condition=Column("split") == "old")
    (result,) = validate(frame, expectation)
    assert result.success
    assert result.result["element_count"] == 120
