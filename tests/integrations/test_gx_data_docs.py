"""What a reader sees in Data Docs: words, numbers and tables, and nothing that came from data obeyed as markup."""

from __future__ import annotations

import re
from functools import partial

import pytest
from support.gx_runs import PROBS, Column, clean, dirtied, noisy, page_of, words

import dqlabels
from dqlabels.integrations.great_expectations import (
    ExpectClassLabelNoiseRatesToBeAtMost,
    ExpectLabelNoiseIncreaseToBeAtMost,
    ExpectLabelNoiseRateToBeAtMost,
    ExpectLabelQualityToBeAtLeast,
)

KINDS = [
    ExpectLabelNoiseRateToBeAtMost,
    ExpectClassLabelNoiseRatesToBeAtMost,
    ExpectLabelNoiseIncreaseToBeAtMost,
    ExpectLabelQualityToBeAtLeast,
]
MARKUP = "<script>alert(1)</script>"


@pytest.fixture
def page(tmp_path):
    """A function that runs a checkpoint and gives the page of its result as text with tags."""
    return partial(page_of, tmp_path)


def rate(**options):
    return ExpectLabelNoiseRateToBeAtMost(column="label", **{"max_value": 0.05, **PROBS, **options})


def test_a_failure_says_what_was_asked_found_and_where(page):
    said = words(page(dirtied(), rate()))
    assert "At most 5% of the labels may be wrong." in said
    assert "FAIL: the label-noise rate, " in said
    assert "exceeds the limit of 5.0%" in said
    assert re.search(r"\d+ of 120 labels flagged \(\d+\.\d%\); about \d+ \(\d+ to \d+\) of them are likely wrong", said)
    assert "Worst classes Label Rows Flagged Estimated wrong" in said
    assert "Commonest confusions Given Suggested Rows Share of the class" in said
    assert "Most suspicious rows Row Given Suggested Quality" in said


def test_rows_below_a_quality_are_not_called_flags(page):
    said = words(page(dirtied(), ExpectLabelQualityToBeAtLeast(column="label", **PROBS)))
    assert "labels have a quality below 0.5" in said
    assert "Quality is the probability that the label is right." in said
    assert "likely wrong" not in said


def test_the_observed_value_is_a_rate_with_its_interval(page):
    assert re.search(r"\d+\.\d% \(90% interval \d+\.\d% to \d+\.\d%\)", words(page(dirtied(), rate())))


@pytest.mark.parametrize("frame", [clean, noisy, dirtied])
def test_nothing_is_called_an_unexpected_value(page, frame):
    quality = ExpectLabelQualityToBeAtLeast(column="label", min_value=0.3, **PROBS)
    text = page(frame(), rate(), quality, result_format="COMPLETE").lower()
    assert "unexpected value" not in text
    assert "% unexpected" not in text


def test_an_undecided_gate_is_seen_though_it_passed(page):
    said = words(page(noisy(), rate(decide="confident", on_inconclusive="pass")))
    assert "INCONCLUSIVE: the label-noise rate, " in said
    assert re.search(r"Reviewing about \d+ rows by hand, drawn by review_sample, would decide it", said)
    assert "Status: Succeeded" in said


def test_the_assumption_is_there(page):
    assumption = dqlabels.audit(clean(), "label", **PROBS).noise_rate.assumption
    assert assumption in words(page(clean(), rate()))


def test_an_exception_is_shown_as_one(page):
    said = words(page(clean(), ExpectLabelNoiseRateToBeAtMost(column="lable", max_value=0.05)))
    assert "raised an exception" in said
    assert "There is no column 'lable'" in said
    assert "Status: Failed" in said


def test_rows_are_shown_by_the_columns_that_name_them(page):
    frame = dirtied().assign(id=[f"p{row}" for row in range(120)])
    wanted = {"result_format": "SUMMARY", "unexpected_index_column_names": ["id"]}
    assert re.search(r"id p\d+ (no|yes) (no|yes) 0\.\d{3}", words(page(frame, rate(), result_format=wanted)))


def test_markup_in_data_is_text(page):
    frame = dirtied()
    frame["label"] = frame["label"].map({"no": "no", "yes": MARKUP})
    frame.index = [f"{MARKUP}{row}" for row in range(120)]
    options = {"column": "label", "classes": ["no", MARKUP], **PROBS}
    text = page(
        frame,
        ExpectLabelNoiseRateToBeAtMost(max_value=0.05, **options),
        ExpectClassLabelNoiseRatesToBeAtMost(max_value={MARKUP: 0.01}, **options),
        ExpectLabelQualityToBeAtLeast(min_value=0.3, row_condition=Column("label") != MARKUP[1:], **options),
        ExpectLabelNoiseIncreaseToBeAtMost(max_value=0.3, reference=MARKUP, **options),
        result_format="COMPLETE",
    )
    assert "&lt;script&gt;alert(1)" in text
    assert MARKUP not in text


def test_markup_in_an_error_is_text(page):
    frame = clean()
    frame["label"] = MARKUP
    text = page(frame, rate())
    assert "all 120 labels are '&lt;script&gt;" in text
    assert MARKUP not in text


def test_a_parameter_is_shown_with_the_value_it_took(page):
    said = words(page(dirtied(), rate(max_value={"$PARAMETER": "most"}), parameters={"most": 0.07}))
    assert "exceeds the limit of 7.0%" in said


def test_a_row_condition_is_shown(page):
    frame = dirtied().assign(split="new")
    said = words(page(frame, rate(row_condition=Column("split") == "new")))
    assert "of the rows where" in said
    assert "split == new" in said


def test_the_suite_has_a_page_of_its_own(page, tmp_path):
    page(clean(), rate(max_value={"$PARAMETER": "most"}), parameters={"most": 0.07})
    site = tmp_path / "gx" / "uncommitted" / "data_docs" / "local_site" / "expectations"
    assert "At most $most of the labels may be wrong" in words((site / "labels.html").read_text(encoding="utf-8"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_statement_is_rendered_of_nothing_at_all(kind):
    assert kind._prescriptive_renderer()
    assert kind._diagnostic_observed_value_renderer() == "--"
    assert kind._diagnostic_unexpected_table_renderer() is None


@pytest.mark.parametrize("kind", KINDS)
def test_the_form_and_the_atomic_text_exist(kind):
    options = {"max_value": 0.05} if "max_value" in kind.__fields__ else {"min_value": 0.2}
    if "reference" in kind.__fields__:
        options["reference"] = "trusted.json"
    expectation = kind(column="label", **options)
    expectation.render()
    assert "label" in str(expectation.rendered_content[0].to_json_dict())
    assert kind.schema()["title"] == expectation.expectation_type.replace("_", " ").capitalize()
