"""Review samples: what is drawn, what answers mean, and the rate that follows from them without an assumption."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.frames import MAKERS, column, eager, two_classes

import dqlabels
from dqlabels.errors import LabelWarning, OptionError
from dqlabels.noise.reviewed import (
    WRONG_USUALLY,
    ReviewAnswers,
    draw_sample,
    plan_review,
    read_answers,
    reviewed_noise,
    rows_to_decide,
    strata,
)

LIBRARIES = list(MAKERS)


@pytest.fixture(scope="module")
def made() -> dict[str, dqlabels.LabelAudit]:
    return {name: dqlabels.audit(make(two_classes(400)), "label") for name, make in MAKERS.items()}


def right(row: int) -> str:
    return ("no", "yes")[row % 2]


def answered(sample, answers):
    frame = eager(sample)
    backend = frame.implementation
    import narwhals as nw

    return frame.with_columns(nw.new_series("reviewed_label", answers, nw.String, backend=backend)).to_native()


def test_the_strata_are_a_tenth_a_fifth_and_the_rest():
    assert np.bincount(strata(np.random.default_rng(0).random(1000))).tolist() == [100, 200, 700]


def test_the_worst_stratum_is_the_lowest_quality():
    quality = np.random.default_rng(0).random(200)
    of_row = strata(quality)
    assert quality[of_row == 0].max() < quality[of_row == 1].min() < quality[of_row == 2].min()


def test_a_sample_is_drawn_28_24_48():
    quality = np.linspace(0, 1, 1000)
    drawn = draw_sample(quality, 100, 0)
    assert np.bincount(strata(quality)[drawn]).tolist() == [28, 24, 48]


@given(rows=st.integers(1, 300), wanted=st.integers(1, 400), seed=st.integers(0, 9))
@settings(max_examples=50, deadline=None)
def test_a_sample_holds_each_row_once_and_as_many_as_asked_or_there_are(rows, wanted, seed):
    drawn = draw_sample(np.random.default_rng(seed).random(rows), wanted, seed)
    assert len(set(drawn.tolist())) == drawn.size == min(rows, wanted)


@pytest.mark.parametrize("rows", [0, -1, 2.5, True, "10"])
def test_a_sample_of_no_number_is_refused(rows):
    with pytest.raises(OptionError, match="pass a whole number of at least 1"):
        draw_sample(np.linspace(0, 1, 10), rows, 0)


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_sample_names_its_rows_and_hides_the_verdict(made, library):
    sample = eager(made[library].review_sample(20))
    assert sample.columns == ["row", "label", "reviewed_label", "x", "z"]


@pytest.mark.parametrize("library", LIBRARIES)
def test_answers_come_back_as_a_rate(made, library):
    sample = made[library].review_sample(100)
    rate = made[library].with_review(answered(sample, [right(row) for row in column(sample, "row")])).noise_rate
    assert rate.method == "reviewed"
    assert rate.low <= 0.05 <= rate.high


def test_a_review_of_every_row_is_the_truth(made):
    audit = made["polars"]
    sample = audit.review_sample(400)
    rate = audit.with_review(answered(sample, [right(row) for row in sample["row"]])).noise_rate
    assert (rate.estimate, rate.low, rate.high) == pytest.approx((0.05, 0.05, 0.05), abs=0.003)


def test_a_review_of_every_row_gives_the_truth_of_each_class(made):
    audit = made["polars"]
    sample = audit.review_sample(400)
    rate = audit.with_review(answered(sample, [right(row) for row in sample["row"]])).noise_rate
    given_no = [row for row, label in enumerate(two_classes(400)["label"]) if label == "no"]
    wrong = sum(right(row) != "no" for row in given_no)
    assert rate.by_given_class[0] == pytest.approx(wrong / len(given_no))


def test_class_rates_add_up_to_that_of_the_table(made):
    audit = made["polars"]
    sample = audit.review_sample(120)
    rate = audit.with_review(answered(sample, [right(row) for row in sample["row"]])).noise_rate
    assert (rate.by_given_class * audit.evidence.class_rows).sum() / 400 == pytest.approx(rate.estimate)


def test_a_class_that_few_answers_reach_has_no_interval():
    quality = np.random.default_rng(0).random(1000)
    codes = np.where(np.arange(1000) < 20, 1, 0)
    rows = draw_sample(quality, 60, 0)
    rate = reviewed_noise(quality, codes, 2, ReviewAnswers(rows, codes[rows]))
    assert (rate.class_low[1], rate.class_high[1]) == (0, 1)


def test_unclear_answers_count_neither_way(made):
    audit = made["polars"]
    sample = audit.review_sample(100)
    answers = [right(row) if at % 3 else "unclear" for at, row in enumerate(sample["row"])]
    kept = sample.with_columns(reviewed_label=pl.Series(answers))
    clear = kept.filter(pl.col("reviewed_label") != "unclear")
    both = audit.with_review(kept).noise_rate, audit.with_review(clear).noise_rate
    assert both[0].estimate == both[1].estimate
    assert "34 of 100 answers were unclear" in both[0].assumption


def test_rows_left_empty_are_ignored(made):
    audit = made["pandas"]
    sample = audit.review_sample(100)
    sample["reviewed_label"] = [right(row) if at < 90 else None for at, row in enumerate(sample["row"])]
    assert audit.with_review(sample).noise_rate.method == "reviewed"


def test_capitals_and_spaces_do_not_make_a_label_wrong(made):
    audit = made["polars"]
    sample = audit.review_sample(100)
    plain = answered(sample, [right(row) for row in sample["row"]])
    loud = answered(sample, [f" {right(row).upper()} " for row in sample["row"]])
    assert audit.with_review(loud).noise_rate.estimate == audit.with_review(plain).noise_rate.estimate


def test_classes_that_differ_in_capitals_alone_are_told_apart():
    said = read_answers([(0, "a"), (1, "A")], np.arange(2), ["A", "a"])
    assert said.codes.tolist() == [1, 0]


def test_numbers_and_booleans_are_read_as_they_are_written():
    assert read_answers([(0, 3), (1, "true")], np.arange(2), [3, 4]).codes.tolist()[0] == 0
    assert read_answers([(0, "true")], np.arange(1), [False, True]).codes.tolist() == [1]


def test_an_answer_that_is_no_class_is_said(made):
    audit = made["polars"]
    sample = audit.review_sample(100)
    answers = [right(row) for row in sample["row"]]
    answers[4] = "maybe"
    with pytest.warns(LabelWarning, match=r"'maybe' of the review are no class .* in 1 rows"):
        reviewed = audit.with_review(answered(sample, answers))
    assert reviewed.warnings[-1].startswith("Answers 'maybe'")


def test_a_sample_of_another_table_is_refused(made):
    sample = made["polars"].review_sample(50)
    swapped = sample.with_columns(label=pl.col("label").replace({"no": "yes", "yes": "no"}))
    with pytest.raises(OptionError, match="change only the answers"):
        made["polars"].with_review(answered(swapped, ["no"] * 50))


def test_rows_that_are_not_there_are_refused(made):
    frame = pl.DataFrame({"row": [5000], "reviewed_label": ["no"]})
    with pytest.raises(OptionError, match=r"rows that this audit does not have \(\[5000\]\)"):
        made["polars"].with_review(frame)


def test_a_row_that_is_answered_twice_is_refused(made):
    frame = pl.DataFrame({"row": [5, 5], "reviewed_label": ["no", "yes"]})
    with pytest.raises(OptionError, match=r"rows more than once \(\[5\]\)"):
        made["polars"].with_review(frame)


def test_a_review_of_the_worst_rows_alone_is_refused(made):
    audit = made["polars"]
    worst = audit.evidence.positions[strata(audit.evidence.quality) == 0]
    frame = pl.DataFrame({"row": worst, "reviewed_label": ["no"] * len(worst)})
    with pytest.raises(OptionError, match="has no answer in 2 of the 3 strata"):
        audit.with_review(frame)


def test_a_frame_without_the_answers_is_refused(made):
    with pytest.raises(OptionError, match="no column 'reviewed_label'"):
        made["polars"].with_review(pl.DataFrame({"row": [1]}))


def test_the_rate_is_unbiased_and_its_interval_honest_on_a_ranking_that_tells_nothing():
    rng = np.random.default_rng(0)
    quality, truth = rng.random(2000), rng.integers(0, 2, 2000)
    codes = np.where(rng.random(2000) < 0.10, 1 - truth, truth)
    true_rate = (codes != truth).mean()
    estimates, covered = [], []
    for seed in range(300):
        rows = draw_sample(quality, 150, seed)
        rate = reviewed_noise(quality, codes, 2, ReviewAnswers(rows, truth[rows]))
        estimates.append(rate.estimate)
        covered.append(rate.low <= true_rate <= rate.high)
    assert np.mean(estimates) == pytest.approx(true_rate, abs=0.006)  # three standard errors
    assert np.mean(covered) >= 0.87  # 0.90, less two standard errors


@given(width=st.floats(0.01, 0.3), rate=st.floats(0.01, 0.5), rows=st.integers(1, 100_000))
@settings(max_examples=60, deadline=None)
def test_a_plan_never_asks_for_more_rows_than_there_are(width, rate, rows):
    assert 1 <= plan_review(rate, rows, width=width).rows <= rows


def test_a_narrower_interval_takes_more_rows():
    needed = [plan_review(0.05, 1_000_000, width=width).rows for width in (0.08, 0.04, 0.02)]
    assert needed == sorted(needed)


def as_planned(rows: int, noise: float):
    """Quality, given and true classes of a table whose wrong labels lie as a plan expects them."""
    quality, truth = np.linspace(0, 1, rows), np.zeros(rows, dtype=np.int64)
    codes, of_row = truth.copy(), strata(quality)
    for stratum, share in enumerate(WRONG_USUALLY):
        codes[np.flatnonzero(of_row == stratum)[: round(share * noise * rows)]] = 1
    return quality, codes, truth


def test_a_plan_for_a_width_keeps_its_word():
    quality, codes, truth = as_planned(10_000, 0.05)
    planned, widths = plan_review(0.05, 10_000, width=0.04).rows, []
    for seed in range(40):
        rows = draw_sample(quality, planned, seed)
        rate = reviewed_noise(quality, codes, 2, ReviewAnswers(rows, truth[rows]))
        widths.append(rate.high - rate.low)
    assert np.mean(widths) == pytest.approx(0.04, rel=0.1)


@pytest.mark.parametrize(("noise", "limit"), [(0.02, 0.05), (0.09, 0.05)])
def test_a_plan_for_a_limit_decides_as_often_as_not(noise, limit):
    quality, codes, truth = as_planned(10_000, noise)
    planned, decided = rows_to_decide(noise, limit, population=10_000), []
    for seed in range(60):
        rows = draw_sample(quality, planned, seed)
        rate = reviewed_noise(quality, codes, 2, ReviewAnswers(rows, truth[rows]))
        decided.append(rate.low > limit if noise > limit else rate.high <= limit)
    assert np.mean(decided) >= 0.35  # a half, less two standard errors


def test_a_rate_near_its_limit_takes_more_rows_to_tell():
    needed = [rows_to_decide(rate, 0.05, population=100_000) for rate in (0.01, 0.03, 0.04)]
    assert needed == sorted(needed)
    assert needed[0] < needed[2]


@pytest.mark.parametrize("library", LIBRARIES)
def test_an_audit_plans_its_own_review(made, library):
    plan = made[library].review_plan(width=0.05)
    assert 50 <= plan.rows <= plan.rows_at_worst <= 400
    assert "rows drawn by review_sample for an interval 5.0% wide" in str(plan)


@pytest.mark.parametrize("options", [{}, {"width": 0.04, "max_noise_rate": 0.05}])
def test_a_plan_is_for_a_width_or_for_a_limit(made, options):
    with pytest.raises(OptionError, match=r"width=, or for a limit, max_noise_rate="):
        made["polars"].review_plan(**options)


@pytest.mark.parametrize("width", [0, 1, -0.1, 2])
def test_a_width_that_is_none_is_refused(width):
    with pytest.raises(OptionError, match="is not between 0 and 1"):
        plan_review(0.05, 1000, width=width)


def test_a_review_keeps_the_callers_index_out_of_it():
    frame = pd.DataFrame(two_classes(), index=[f"r{i}" for i in range(120)])
    sample = dqlabels.audit(frame, "label").review_sample(30)
    assert sample.index.tolist() == list(range(30))
