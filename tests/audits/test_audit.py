"""The audit of a frame: what comes back, for every frame library and every kind of label."""

from __future__ import annotations

import datetime
import decimal
import json
import warnings
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.frames import MAKERS, ROOT, column, eager, planted, two_classes

import dqlabels
from dqlabels import DQLabelsError, LabelNoiseError, LabelWarning

ADDED = ["label_quality", "suggested_label", "is_label_issue"]


@cache
def audit_of(library: str) -> Any:
    """The audit, which no test changes."""
    return dqlabels.audit(MAKERS[library](two_classes()), "label")


def audited(library: str) -> Any:
    return audit_of(library).frame


def test_the_same_type_comes_back(library):
    assert type(audited(library)) is type(MAKERS[library]({}))


def test_three_columns_are_added_after_the_others(library):
    assert eager(audited(library)).columns == ["x", "z", "label", *ADDED]


def test_input_columns_come_back_as_they_were(library):
    data = two_classes()
    assert {name: column(audited(library), name) for name in data} == data


def test_the_callers_frame_is_untouched(make_frame):
    frame = make_frame(two_classes())
    before = eager(frame).columns
    dqlabels.audit(frame, "label")
    assert eager(frame).columns == before


def test_planted_errors_are_flagged(library):
    flags = column(audited(library), "is_label_issue")
    found = [flag for flag, wrong in zip(flags, planted(), strict=True) if wrong]
    assert sum(found) >= 5  # of 6


def test_a_row_is_flagged_exactly_where_the_suggestion_differs(library):
    frame = audited(library)
    differs = [a != b for a, b in zip(column(frame, "label"), column(frame, "suggested_label"), strict=True)]
    assert column(frame, "is_label_issue") == differs


def test_every_frame_library_gives_the_same_numbers(library):
    assert column(audited(library), "label_quality") == audited("polars")["label_quality"].to_list()


LABELS = {
    "str": ["no", "yes"],
    "gapped ints": [-7, 1000],
    "bool": [False, True],
    "floats that are whole": [1.0, 3.0],
    "dates": [datetime.date(2020, 1, 1), datetime.date(2021, 1, 1)],
    "decimals": [decimal.Decimal("1.50"), decimal.Decimal("2.50")],
}


@pytest.mark.parametrize("kind", LABELS)
def test_any_label_dtype_is_suggested_in_its_own_dtype(make_frame, kind):
    data = two_classes()
    data["label"] = [LABELS[kind][value == "yes"] for value in data["label"]]
    frame = eager(dqlabels.audit(make_frame(data), "label").frame)
    assert frame["suggested_label"].dtype == frame["label"].dtype
    assert set(frame["suggested_label"].to_list()) == set(LABELS[kind])


@pytest.mark.parametrize(
    "dtype",
    [pl.Enum(["unused", "yes", "no"]), pl.Categorical],
)
def test_polars_categories_survive(dtype):
    frame = pl.DataFrame(two_classes()).with_columns(pl.col("label").cast(dtype))
    assert dqlabels.audit(frame, "label").frame["suggested_label"].dtype == frame["label"].dtype


@pytest.mark.parametrize("dtype", ["category", "string", "string[pyarrow]", "object"])
def test_pandas_label_dtypes_survive(dtype):
    frame = pd.DataFrame(two_classes()).astype({"label": dtype})
    assert dqlabels.audit(frame, "label").frame["suggested_label"].dtype == frame["label"].dtype


@pytest.mark.parametrize("dtype", ["Int64", "boolean", "int64[pyarrow]"])
def test_pandas_nullable_labels_survive(dtype):
    frame = pd.DataFrame(two_classes())
    frame["label"] = (frame["label"] == "yes").astype("int64").astype(dtype)
    assert dqlabels.audit(frame, "label").frame["suggested_label"].dtype == frame["label"].dtype


def test_an_ordered_categorical_keeps_its_order():
    order = pd.CategoricalDtype(["yes", "no"], ordered=True)
    audit = dqlabels.audit(pd.DataFrame(two_classes()).astype({"label": order}), "label")
    assert audit.classes["class"].tolist() == ["yes", "no"]


@pytest.mark.parametrize(
    "index",
    [
        pd.Index([f"r{i % 7}" for i in range(120)], name="key"),
        pd.MultiIndex.from_product([range(12), list("abcdefghij")]),
        pd.RangeIndex(1000, 1120),
    ],
    ids=["repeated strings", "multi", "offset"],
)
def test_the_pandas_index_survives(index):
    frame = pd.DataFrame(two_classes(), index=index)
    found = dqlabels.audit(frame, "label").frame
    assert found.index.equals(index)
    assert found["label_quality"].tolist() == audited("pandas")["label_quality"].tolist()


def with_missing() -> dict[str, list[Any]]:
    data = two_classes()
    data["label"][3] = None
    data["label"][50] = None
    return data


@cache
def missing_audited(library: str) -> Any:
    return dqlabels.audit(MAKERS[library](with_missing()), "label")


@pytest.mark.parametrize("name", ["label_quality", "is_label_issue"])
def test_a_missing_label_has_no_quality_and_no_flag(library, name):
    values = eager(missing_audited(library).frame)[name]
    assert np.flatnonzero(values.is_null().to_numpy()).tolist() == [3, 50]


def test_a_missing_label_gets_the_models_answer(library):
    suggested = column(missing_audited(library).frame, "suggested_label")
    assert (suggested[3], suggested[50]) == ("yes", "no")


def test_rows_without_a_label_take_no_part_in_the_counts(library):
    audit = missing_audited(library)
    assert (audit.rows, audit.audited, sum(column(audit.classes, "rows"))) == (120, 118, 118)


def test_row_order_changes_nothing():
    frame = pl.DataFrame(two_classes())
    order = np.random.default_rng(1).permutation(len(frame))
    whole = audited("polars")
    assert dqlabels.audit(frame[order], "label").frame.equals(whole[order])


def test_thread_count_changes_nothing():
    frame = pl.DataFrame(two_classes())
    assert dqlabels.audit(frame, "label", n_jobs=1).frame.equals(dqlabels.audit(frame, "label", n_jobs=5).frame)


def test_renamed_classes_change_only_names():
    renamed = pl.DataFrame(two_classes()).with_columns(pl.col("label").replace({"no": "z", "yes": "a"}))
    flags = audited("polars")["is_label_issue"]
    assert dqlabels.audit(renamed, "label").frame["is_label_issue"].equals(flags)


def test_the_global_generators_are_left_alone():
    before = np.random.get_state()[1].tolist()
    dqlabels.audit(pl.DataFrame(two_classes()), "label")
    assert np.random.get_state()[1].tolist() == before


def test_the_warnings_filters_are_left_alone():
    before = list(warnings.filters)
    dqlabels.audit(pl.DataFrame(two_classes()), "label")
    assert warnings.filters == before


def test_one_audit_leaves_no_trace_in_the_next():
    frame = pl.DataFrame(two_classes())
    first = dqlabels.audit(frame, "label").frame
    dqlabels.audit(pl.DataFrame(two_classes(rows=60, seed=3)), "label", random_state=9)
    assert dqlabels.audit(frame, "label").frame.equals(first)


def test_issues_come_worst_first(library):
    issues = audit_of(library).issues
    assert column(issues, "label_quality") == sorted(column(issues, "label_quality"))


def test_issues_name_the_row_they_are_from(library):
    data, issues = two_classes(), audit_of(library).issues
    assert [data["x"][row] for row in column(issues, "row")] == column(issues, "x")


def test_issues_on_pandas_keep_the_index():
    frame = pd.DataFrame(two_classes(), index=[f"r{i}" for i in range(120)])
    issues = dqlabels.audit(frame, "label").issues
    assert issues.index.tolist() == [f"r{row}" for row in issues["row"]]


@pytest.mark.parametrize("table", ["classes", "confusions", "joint", "noise_matrix", "probabilities", "issues"])
def test_every_table_is_in_the_callers_library(library, table):
    found = getattr(audit_of(library), table)
    assert type(found).__module__.split(".")[0] == type(MAKERS[library]({})).__module__.split(".")[0]


def test_the_joint_sums_to_one(library):
    joint = audit_of(library).joint
    assert sum(column(joint, "share")) == pytest.approx(1)


def test_the_dict_is_json(library):
    audit = audit_of(library)
    assert json.loads(json.dumps(audit.to_dict(), allow_nan=False))["flagged"] == audit.flagged


def test_a_result_is_frozen():
    with pytest.raises(AttributeError):
        audit_of("polars").flagged = 0


def test_the_notebook_view_escapes_what_came_from_data():
    data = two_classes()
    data["label"] = ["<script>alert(1)</script>" if value == "no" else value for value in data["label"]]
    shown = dqlabels.audit(pl.DataFrame(data), "label")._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


def test_other_names_are_used(make_frame):
    frame = dqlabels.audit(make_frame(two_classes()), "label", names=("q", "s", "f")).frame
    assert eager(frame).columns[-3:] == ["q", "s", "f"]


@pytest.mark.parametrize("rule", ["prune_by_class", "both", "confident_learning", "low_normalized_margin"])
def test_other_rules_find_planted_errors(rule):
    flags = dqlabels.audit(pl.DataFrame(two_classes()), "label", filter_by=rule).frame["is_label_issue"]
    assert sum(flag for flag, wrong in zip(flags, planted(), strict=True) if wrong) >= 4


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_any_small_table_is_audited_or_refused_by_name(data):
    rows = data.draw(st.integers(0, 40))
    values = st.one_of(st.none(), st.integers(-3, 3), st.sampled_from([1.5, float("inf"), float("nan")]))
    frame = pl.DataFrame(
        {
            "y": data.draw(st.lists(st.sampled_from(["a", "b", "c", None]), min_size=rows, max_size=rows)),
            "x": pl.Series(data.draw(st.lists(values, min_size=rows, max_size=rows)), dtype=pl.Float64, strict=False),
        },
        schema_overrides={"y": pl.String},
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LabelWarning)
        try:
            audited = dqlabels.audit(frame, "y").frame
        except DQLabelsError:
            return
    assert audited.select("y", "x").equals(frame)
    assert audited["label_quality"].is_null().to_list() == frame["y"].is_null().to_list()


def test_a_gate_passes_within_its_limit():
    gate = audit_of("polars").gate(max_noise_rate=0.5)
    assert gate.raise_if_failed().verdict == "pass"


def test_a_failed_gate_raises_with_its_result():
    gate = audit_of("polars").gate(max_noise_rate=0.001)
    with pytest.raises(LabelNoiseError, match="exceeds the limit of 0.1%") as caught:
        gate.raise_if_failed()
    assert caught.value.result is gate


def test_an_unsure_gate_says_how_many_rows_to_review():
    audit = audit_of("polars")
    limit = (audit.noise_rate.low + audit.noise_rate.high) / 2
    with pytest.warns(LabelWarning, match=r"Reviewing about [\d,]+ rows by hand"):
        gate = audit.gate(max_noise_rate=limit, decide="confident")
    assert gate.verdict == "inconclusive"


def test_untouched_overlapping_classes_read_less_noisy_than_by_the_joint():
    audit = dqlabels.audit(pl.read_csv(ROOT / "examples/data/german_credit.csv"), "risk")
    assert audit.estimate_noise("anchor").estimate < 0.5 * audit.estimate_noise("confident").estimate


def test_an_earlier_audit_under_other_names_is_no_feature(make_frame):
    once = dqlabels.audit(make_frame(two_classes()), "label", names=("q", "s", "f"))
    with pytest.warns(LabelWarning, match="'q', 's', 'f' were added by an earlier audit"):
        twice = dqlabels.audit(once.frame, "label")
    assert column(twice.frame, "label_quality") == column(once.frame, "q")
