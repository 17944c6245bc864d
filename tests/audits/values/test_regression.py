"""Numbers as labels: planted errors are found, right ones left alone, and nothing but the rows decides."""

from __future__ import annotations

import datetime as dt
import warnings
from functools import cache

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.amounts import WRONG, prices
from support.frames import MAKERS, WIDE_NUMBERS, column, eager

import dqlabels
from dqlabels.errors import FeatureError, LabelColumnError, LabelNoiseError, OptionError, OutputColumnError
from dqlabels.models.value_rounds import predict_in_rounds
from dqlabels.statistics.residuals import (
    ResidualTally,
    SizeCounts,
    cell_edges,
    judge_values,
    size_cells,
)
from dqlabels.statistics.value_scale import ValueScale


def audit(frame, label="price", **options):
    return dqlabels.audit(frame, label, task="regression", **options)


@cache
def audited(library: str = "polars"):
    """The audit of the prices, which no test changes."""
    return audit(MAKERS[library](prices()))


def with_price(values):
    return {**prices(len(values)), "price": values}


def flagged(found) -> list[int]:
    return np.flatnonzero(column(found.frame, "is_label_issue")).tolist()


def test_planted_errors_are_flagged(library):
    assert flagged(audited(library)) == WRONG


def test_the_frame_comes_back_with_three_columns(library):
    found = audited(library).frame
    assert type(found) is type(MAKERS[library]({}))
    assert eager(found).columns == ["x", "z", "price", "label_quality", "suggested_label", "is_label_issue"]
    assert column(found, "price") == prices()["price"]


def test_a_suggestion_is_near_the_right_value(library):
    suggested = column(audited(library).frame, "suggested_label")
    assert [abs(suggested[row] - prices()["price"][row] / 10) < 20 for row in WRONG] == [True] * 3


def test_an_unflagged_value_is_its_own_suggestion(library):
    found = audited(library).frame
    same = [a == b for a, b in zip(column(found, "price"), column(found, "suggested_label"), strict=True)]
    assert same == [not flag for flag in column(found, "is_label_issue")]


def test_quality_is_a_share_and_lowest_where_flagged(library):
    quality = np.array(column(audited(library).frame, "label_quality"))
    assert (quality >= 0).all()
    assert (quality <= 1).all()
    assert sorted(np.argsort(quality)[:3].tolist()) == WRONG


def test_issues_say_on_which_side_a_value_lies(library):
    issues = eager(audited(library).issues)
    assert issues.columns[:5] == ["row", "price", "suggested_label", "label_quality", "kind"]
    assert issues["kind"].to_list() == ["high"] * 3


def test_every_library_finds_the_same(library):
    assert column(audited(library).frame, "label_quality") == column(audited().frame, "label_quality")


def test_row_order_does_not_show():
    frame, order = pl.DataFrame(prices()), np.random.default_rng(1).permutation(200)
    plain, mixed = audited(), audit(frame[order.tolist()])
    assert (np.array(column(plain.frame, "label_quality"))[order] == column(mixed.frame, "label_quality")).all()


def test_threads_do_not_show():
    data = prices(seed=3)
    matrix = np.column_stack([data["x"], data["z"]]).astype(np.float32)
    one, many = (predict_in_rounds(matrix, np.array(data["price"]), n_jobs=threads) for threads in (1, 5))
    assert (one.mean == many.mean).all()
    assert (one.spread == many.spread).all()


@pytest.mark.parametrize(("times", "plus"), [(4.0, 0.0), (-1.0, 0.0), (0.25, 64.0)])
def test_another_unit_of_the_value_changes_no_flag(times, plus):
    data = prices()
    other = {**data, "price": [value * times + plus for value in data["price"]]}
    assert flagged(audit(pl.DataFrame(other))) == WRONG


def test_a_row_is_not_judged_by_its_copy():
    data = {name: [*values, values[5]] for name, values in prices().items()}
    assert {5, 200} <= set(flagged(audit(pl.DataFrame(data))))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-50, 50), min_size=1, max_size=40), st.integers(0, 40))
def test_residuals_of_parts_add_up_to_the_whole(values, cut):
    residuals, whole, left, right = np.array(values), ResidualTally(), ResidualTally(), ResidualTally()
    whole.update(residuals, residuals + 1)
    left.update(residuals[:cut], residuals[:cut] + 1)
    right.update(residuals[cut:], residuals[cut:] + 1)
    left.merge(right)
    assert left == whole


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=50))
def test_cells_keep_the_order_of_sizes_and_begin_at_their_edge(sizes):
    sizes = np.sort(np.array(sizes))
    cells = size_cells(sizes)
    assert (np.diff(cells) >= 0).all()
    assert ((cells > 0) == (sizes > 0)).all()
    inside = (cells > 1) & (cells < cells.max())
    assert (cell_edges(cells)[inside] <= sizes[inside]).all()
    assert (sizes[inside] < cell_edges(cells + 1)[inside]).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 6))
def test_the_cut_is_the_same_from_any_parts(seed, parts):
    rng = np.random.default_rng(seed)
    sizes = np.abs(rng.standard_t(4, size=300)) * np.where(rng.random(300) < 0.03, 9, 1)
    whole, first, *others = (SizeCounts.empty() for _ in range(parts + 1))
    whole.update(sizes)
    for at, state in enumerate([first, *others]):
        state.update(sizes[at::parts])
    for other in others:
        first.merge(other)
    assert first.finish(0.1) == whole.finish(0.1)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=50))
def test_the_scale_goes_back(values):
    values = np.array(values)
    scale = ValueScale.of(values)
    assert np.allclose(scale.undo(scale.apply(values)), values, rtol=1e-9, atol=1e-6 * (1 + scale.unit))


def scored(scores, fdr):
    return judge_values(scores, np.zeros(scores.size), fdr)[1]


def test_few_right_scores_are_flagged():
    rng = np.random.default_rng(0)
    shares = [scored(rng.standard_t(6, size=1000), 0.1).flagged.mean() for _ in range(40)]
    assert np.mean(shares) < 0.002


@pytest.mark.parametrize("fdr", [0.05, 0.2])
def test_the_share_of_false_flags_keeps_to_the_rate(fdr):
    rng = np.random.default_rng(1)
    wrong = np.arange(1000) < 50
    false = []
    for _ in range(40):
        found = scored(rng.normal(size=1000) + np.where(wrong, rng.choice([-7, 7], 1000), 0), fdr).flagged
        false.append((found & ~wrong).sum() / max(found.sum(), 1))
    assert np.mean(false) < fdr + 0.03
    assert found[wrong].mean() > 0.9


def test_a_higher_rate_flags_no_fewer():
    counts = [audit(pl.DataFrame(prices(seed=2)), fdr=fdr).flagged for fdr in (0.01, 0.1, 0.5)]
    assert counts == sorted(counts)


def test_missing_values_stay_and_are_predicted(make_frame):
    data = prices()
    data["price"][9] = None
    found = audit(make_frame(data))
    assert (found.rows, found.audited, found.flagged) == (200, 199, 3)
    quality, suggested = column(found.frame, "label_quality")[9], column(found.frame, "suggested_label")[9]
    assert pd.isna(quality)
    assert 50 < suggested < 150


DAY = dt.date(2020, 1, 1)
NOON = dt.datetime(2020, 1, 1, 12)
KINDS = {
    "Int32": lambda v: round(v),
    "Float32": lambda v: v,
    "Date": lambda v: DAY + dt.timedelta(days=round(v)),
    "Datetime": lambda v: NOON + dt.timedelta(hours=v),
    "Duration": lambda v: dt.timedelta(hours=v),
}


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("library", ["polars", "pandas", "pyarrow"])
def test_every_amount_keeps_its_type(dtype, library):
    frame = pl.DataFrame(prices()).with_columns(pl.Series("price", [KINDS[dtype](v) for v in prices()["price"]]))
    if dtype in ("Int32", "Float32"):
        frame = frame.with_columns(pl.col("price").cast(getattr(pl, dtype)))
    arrow = frame.to_arrow()
    native = {"polars": frame, "pyarrow": arrow, "pandas": arrow.to_pandas(types_mapper=pd.ArrowDtype)}[library]
    found = audit(native)
    table = eager(found.frame)
    assert flagged(found) == WRONG
    assert table["suggested_label"].dtype == table["price"].dtype


def test_a_time_zone_stays():
    stamps = pl.Series("price", [NOON + dt.timedelta(hours=v) for v in prices()["price"]]).dt.replace_time_zone(
        "Asia/Tokyo"
    )
    found = audit(pl.DataFrame(prices()).with_columns(stamps))
    assert flagged(found) == WRONG
    assert found.frame["suggested_label"].dtype == stamps.dtype


def test_a_pandas_index_stays():
    frame = pd.DataFrame(prices(), index=[f"r{at}" for at in range(200)])
    assert audit(frame).frame.index.equals(frame.index)


def test_whole_numbers_get_whole_suggestions_within_their_range():
    rng = np.random.default_rng(0)
    rate = rng.uniform(0.5, 8, size=300)
    counts = rng.poisson(rate)
    counts[3] = 90
    found = audit(pl.DataFrame({"rate": rate, "count": counts}), "count")
    assert 3 in flagged(found)
    assert 0 <= found.frame["suggested_label"][3] < 20


@pytest.mark.parametrize("shape", ["zero-inflated", "skewed", "bounded"])
def test_odd_shapes_are_left_alone_where_right(shape):
    rng = np.random.default_rng(5)
    x = rng.normal(size=400)
    price = {
        "zero-inflated": np.where(rng.random(400) < 1 / (1 + np.exp(x)), 0, np.exp(x + 0.3 * rng.normal(size=400))),
        "skewed": np.exp(1.5 * x + 0.3 * rng.normal(size=400)),
        "bounded": np.clip(0.5 + 0.3 * x + 0.1 * rng.normal(size=400), 0, 1),
    }[shape]
    found = audit(pl.DataFrame({"x": x, "price": price}))
    assert found.flagged_share <= 0.01
    assert price.min() <= min(found.frame["suggested_label"])


def test_a_gross_error_shows_in_a_skewed_column():
    rng = np.random.default_rng(5)
    x = rng.normal(size=400)
    price = np.exp(1.5 * x + 0.1 * rng.normal(size=400))
    price[[3, 8]] *= [1000, 0.001]
    assert {3, 8} <= set(flagged(audit(pl.DataFrame({"x": x, "price": price}))))


def test_fractional_numbers_are_taken_for_amounts_and_a_note_says_so(make_frame):
    with pytest.warns(dqlabels.LabelWarning, match=r"'price' holds fractional numbers .* task='regression'"):
        found = dqlabels.audit(make_frame(prices()), "price")
    assert isinstance(found, dqlabels.ValueAudit)


@pytest.mark.parametrize("kind", [int, float])
def test_small_whole_numbers_are_asked_about(make_frame, kind):
    grades = {"x": list(range(60)), "y": [0.5] * 60, "stars": [kind(at // 12 + 1) for at in range(60)]}
    message = r"'stars' holds whole numbers from 1 to 5 \(5 values\).*task='ordinal'.*task='regression'.*task='classes'"
    with pytest.warns(dqlabels.LabelWarning, match=message):
        dqlabels.audit(make_frame(grades), "stars", features="x")


@pytest.mark.parametrize("task", ["classes", "ordinal", "regression"])
def test_a_task_that_was_said_is_not_asked_about(task):
    rng = np.random.default_rng(0)
    stars = pl.Series([at // 20 + 1 for at in range(100)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dqlabels.audit(pl.DataFrame({"x": stars + rng.normal(size=100), "stars": stars}), "stars", task=task)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["a", "b"] * 100, r"'price' holds String; .* task='classes'"),
        ([True, False] * 100, r"holds Boolean; .*two classes"),
        ([1.5, 2.5] * 100, r"2 different values in 200 rows"),
        ([1.0, float("inf")] * 100, r"infinity in 100 rows"),
        ([[1.0], [2.0]] * 100, r"holds List"),
    ],
)
def test_what_is_no_amount_is_refused_by_name(values, message):
    with pytest.raises(LabelColumnError, match=message):
        audit(pl.DataFrame(with_price(values)))


@WIDE_NUMBERS
def test_decimals_are_audited_as_the_numbers_they_are():
    prices_of = pl.DataFrame(prices()).with_columns(pl.col("price").round(2))
    decimals = prices_of.with_columns(pl.col("price").cast(pl.Decimal(12, 2)))
    found, same = audit(decimals), audit(prices_of)
    assert found.flagged == same.flagged > 0
    assert found.frame["suggested_label"].dtype == pl.Decimal(12, 2)
    assert column(found.frame, "is_label_issue") == column(same.frame, "is_label_issue")


@pytest.mark.parametrize("option", [{"cv": 3}, {"score": "self_confidence"}, {"adjust": True}, {"classes": [1]}])
def test_options_of_classes_are_refused(option):
    with pytest.raises(OptionError, match=f"{next(iter(option))}= belong to audits of classes"):
        audit(pl.DataFrame(prices()), **option)


@pytest.mark.parametrize("fdr", [0, 1, 5, True, "0.1"])
def test_a_rate_that_is_none_is_refused(fdr):
    with pytest.raises(OptionError, match="fdr=.* is not a share between 0 and 1"):
        audit(pl.DataFrame(prices()), fdr=fdr)


def test_an_unknown_task_is_refused():
    with pytest.raises(OptionError, match=r"task='regress' is none of 'classes', 'ordinal', 'regression'"):
        dqlabels.audit(pl.DataFrame(prices()), "price", task="regress")


def test_a_copy_in_another_unit_is_left_out():
    frame = pl.DataFrame(prices()).with_columns(cents=pl.col("price") * 100 + 7)
    with pytest.warns(dqlabels.LabelWarning, match="'cents' copy the label"):
        assert flagged(audit(frame)) == WRONG
    with pytest.raises(FeatureError, match="Every feature is a copy"):
        audit(frame, features="cents")


def test_an_output_column_that_exists_is_refused():
    with pytest.raises(OutputColumnError, match="'is_label_issue' already in the frame"):
        audit(pl.DataFrame(prices()).with_columns(is_label_issue=pl.lit(1)))


def test_groups_stay_together_and_are_no_feature():
    frame = pl.DataFrame(prices()).with_columns(shop=pl.Series([at % 40 for at in range(200)]))
    assert set(WRONG) <= set(flagged(audit(frame, groups="shop")))


def test_the_gate_holds_the_flagged_share():
    found = audited()
    assert found.gate(max_flagged_share=0.02).passed
    with pytest.raises(LabelNoiseError, match=r"FAIL: .*1\.5% .* limit of 1\.0% \(column 'price'"):
        found.gate(max_flagged_share=0.01).raise_if_failed()


@pytest.mark.parametrize(
    ("limits", "message"),
    [({}, "no limit"), ({"max_flagged_share": 5}, "not a share of rows"), ({"max_noise_rate": 0.1}, "no noise rate")],
)
def test_a_limit_that_means_nothing_is_refused(limits, message):
    with pytest.raises(OptionError, match=message):
        audited().gate(**limits)


def test_the_result_shows_itself():
    found = audit(pl.DataFrame(prices()).rename({"price": "<b>"}), "<b>")
    assert repr(found) == "<ValueAudit of '<b>': 3 of 200 values flagged at a false-discovery rate of 10%>"
    assert "<b>price" not in found._repr_html_()
    assert "&lt;b&gt;" in found._repr_html_()
    assert found.to_dict()["worst"][0]["row"] in WRONG
    assert "3 flagged (1.5%)" in str(found)


def test_the_page_says_what_the_audit_found(library):
    found = audited(library)
    page = found.to_html(gate=found.gate(max_flagged_share=0.001))
    assert "3 of 200 values are flagged (1.5%); about 10% of them are expected to be right." in page
    assert "The gate failed" in page
    for row in found.to_dict()["worst"]:
        assert f'data-sort="{row["row"]}"' in page
    assert set(WRONG) == {row["row"] for row in found.to_dict()["worst"]}


def test_the_page_counts_every_audited_row_once():
    data = prices()
    data["price"][9] = None
    facts = audit(pl.DataFrame(data)).report_facts()
    assert sum(facts["histogram"]["kept"]) + sum(facts["histogram"]["flagged"]) == 199
    assert sum(rows for name in ("kept", "flagged") for *_, rows in facts["cloud"][name]) == 199
    assert sum(facts["histogram"]["flagged"]) == sum(rows for *_, rows in facts["cloud"]["flagged"]) == 3


@pytest.mark.parametrize("dtype", KINDS)
def test_a_page_of_every_amount_can_be_written(tmp_path, dtype):
    frame = pl.DataFrame(prices()).with_columns(pl.Series("price", [KINDS[dtype](v) for v in prices()["price"]]))
    audit(frame).to_html(tmp_path / "page.html")
    assert "The worst 3 of 3 flagged rows" in (tmp_path / "page.html").read_text()


def test_the_size_of_a_page_does_not_grow_with_the_table():
    small, large = (len(audit(pl.DataFrame(prices(rows))).to_html()) for rows in (250, 2_000))
    assert large < 2 * small
    assert large < 120_000


@pytest.mark.parametrize("rows", [0, 1001, True, "10"])
def test_a_number_of_rows_to_show_that_is_none_is_refused(rows):
    with pytest.raises(OptionError, match="rows="):
        audited().to_html(rows=rows)


def test_nine_in_ten_right_values_lie_in_their_interval():
    frame = pl.DataFrame(prices(2_000, seed=4))
    expected = audit(frame).predictions
    inside = (frame["price"] >= expected["low"]) & (frame["price"] <= expected["high"])
    assert 0.86 < inside.mean() < 0.94
    assert (expected["low"] <= expected["prediction"]).all()
    assert (expected["prediction"] <= expected["high"]).all()
