"""Gates: three answers, four kinds of limit, and a message that a colleague can act on."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.frames import two_classes
from support.other_labels import prices

import dqlabels
from dqlabels.audits.gate import GateCheck, Grounds, decide_gate
from dqlabels.audits.measured import Measured
from dqlabels.errors import LabelNoiseError, LabelWarning, OptionError
from dqlabels.noise.mixture import mixture_noise


def rate_of_a_table():
    codes = np.arange(1000) % 2
    probs = np.where(np.eye(2)[codes] == 1, 0.9, 0.1)
    codes[:50] = 1 - codes[:50]
    return mixture_noise(codes, probs)


RATE = rate_of_a_table()
DOUBTFUL = replace(RATE, supported=False, caution="This table cannot support an estimate: it says nothing.")
GROUNDS = Grounds.of(RATE, "label")


def held(estimate: float, low: float, high: float, limit: float, decide: str, **more):
    measured = [Measured("max_noise_rate", "the label-noise rate", estimate, low, high, limit, 1000, 1000)]
    return decide_gate(
        Grounds.of(RATE, "label"), measured, decide=decide, on_inconclusive=more.pop("on_inconclusive", "pass"), **more
    )


@pytest.fixture(scope="module")
def audit():
    return dqlabels.audit(pl.DataFrame(two_classes(400)), "label")


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.06, 0.10, "fail"), (0.01, 0.05, "pass"), (0.01, 0.06, "inconclusive"), (0.05, 0.05, "pass")],
)
def test_a_confident_gate_decides_where_the_whole_interval_lies(low, high, verdict):
    assert held((low + high) / 2, low, high, 0.05, "confident").verdict == verdict


@pytest.mark.parametrize(("estimate", "verdict"), [(0.051, "fail"), (0.05, "pass"), (0.0, "pass")])
def test_a_gate_on_the_estimate_fails_above_its_limit(estimate, verdict):
    assert held(estimate, 0.0, 0.5, 0.05, "estimate").verdict == verdict


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3), st.floats(0, 1), st.floats(0, 1))
def test_a_higher_limit_is_never_stricter(numbers, one, other):
    low, estimate, high = sorted(numbers)
    lax, strict = max(one, other), min(one, other)
    order = ["pass", "inconclusive", "fail"]
    for decide in ("estimate", "confident"):
        verdicts = [held(estimate, low, high, limit, decide).verdict for limit in (lax, strict)]
        assert order.index(verdicts[0]) <= order.index(verdicts[1])


@pytest.mark.parametrize(("choice", "passed"), [("pass", True), ("fail", False)])
def test_an_inconclusive_gate_passes_or_fails_as_was_asked(choice, passed):
    assert held(0.05, 0.01, 0.10, 0.05, "confident", on_inconclusive=choice).passed is passed


def test_an_inconclusive_gate_warns_unless_told_otherwise():
    with pytest.warns(LabelWarning, match="INCONCLUSIVE: the label-noise rate, 5.0%"):
        assert held(0.05, 0.01, 0.10, 0.05, "confident", on_inconclusive="warn").passed


@pytest.mark.parametrize("decide", ["estimate", "confident"])
def test_what_the_table_cannot_support_is_inconclusive(decide):
    measured = [Measured("max_noise_rate", "the label-noise rate", 0.0, 0.0, 0.01, 0.05, 1000, 1000, False)]
    gate = decide_gate(Grounds.of(DOUBTFUL, "label"), measured, decide=decide, on_inconclusive="fail")
    assert (gate.verdict, gate.passed) == ("inconclusive", False)


def test_what_the_table_cannot_support_says_why_and_what_to_do():
    measured = [Measured("max_noise_rate", "the label-noise rate", 0.0, 0.0, 0.01, 0.05, 1000, 1000, False)]
    message = decide_gate(Grounds.of(DOUBTFUL, "label"), measured, on_inconclusive="pass").message
    assert DOUBTFUL.caution in message
    assert re.search(r"Reviewing about \d+ rows by hand", message)


def test_the_number_of_rows_to_review_is_that_of_the_sample_to_draw():
    gate = held(0.03, 0.01, 0.06, 0.05, "confident")
    needed = gate.checks[0].rows_to_review
    assert f"Reviewing about {needed:,} rows" in gate.message
    assert f"review_sample({needed})" in gate.message


def test_a_gate_that_decided_asks_for_no_review():
    gate = held(0.03, 0.01, 0.04, 0.05, "confident")
    assert gate.checks[0].rows_to_review is None
    assert "review" not in gate.message.splitlines()[1]


def test_the_worst_verdict_is_the_gates():
    measured = [
        Measured("max_noise_rate", "one", 0.01, 0.0, 0.02, 0.05, 1000, 1000),
        Measured("max_class_noise_rate", "two", 0.2, 0.1, 0.3, 0.05, 10, 1000),
    ]
    gate = decide_gate(GROUNDS, measured)
    assert gate.verdict == "fail"
    assert gate.message.startswith("FAIL: two, 20.0% (interval 10.0% to 30.0%), exceeds the limit of 5.0%")


@pytest.mark.parametrize("limit", [-0.1, 1.5, True, 5])
def test_a_limit_that_is_no_share_is_refused(audit, limit):
    with pytest.raises(OptionError, match="is not a share of rows between 0 and 1; for 5% pass 0.05"):
        audit.gate(max_noise_rate=limit)


def test_a_gate_without_a_limit_is_refused(audit):
    with pytest.raises(OptionError, match="The gate has no limit"):
        audit.gate()


@pytest.mark.parametrize("option", ["decide", "on_inconclusive", "method"])
def test_an_unknown_choice_is_refused(audit, option):
    with pytest.raises(OptionError, match="'maybe' is none of"):
        audit.gate(max_noise_rate=0.05, **{option: "maybe"})


@pytest.mark.parametrize("limits", [{"max_class_noise_rate": {"nope": 0.1}}, {"max_pair_share": {("no", "nope"): 0.1}}])
def test_a_limit_for_a_class_that_is_not_there_is_refused(audit, limits):
    with pytest.raises(OptionError, match="'nope' is no class of 'label'; the classes are 'no', 'yes'"):
        audit.gate(**limits)


def test_one_limit_holds_for_every_class(audit):
    checks = audit.gate(max_class_noise_rate=0.9).checks
    assert [check.what for check in checks] == ["the noise rate of class 'no'", "the noise rate of class 'yes'"]


def test_a_limit_by_class_holds_for_that_class_alone(audit):
    gate = audit.gate(max_class_noise_rate={"yes": 0.001})
    assert [check.what for check in gate.checks] == ["the noise rate of class 'yes'"]
    assert gate.verdict == "fail"


def test_the_rate_of_a_class_is_that_of_the_audit(audit):
    check = audit.gate(max_class_noise_rate={"no": 0.9}).checks[0]
    row = audit.noise_rates("class").filter((pl.col("method") == "variational") & (pl.col("class") == "no"))
    assert (check.estimate, check.low, check.high) == row.select("noise_rate", "low", "high").row(0)


def test_a_limit_by_pair_counts_the_rows_flagged_so(audit):
    check = audit.gate(max_pair_share={("no", "yes"): 0.9}).checks[0]
    pair = audit.confusions.filter((pl.col("given") == "no") & (pl.col("suggested") == "yes"))
    assert check.estimate == pair["share"].item()


def test_a_pair_that_was_never_flagged_passes():
    x = [i / 10 for i in range(50)] + [20 + i / 10 for i in range(50)]
    frame = pl.DataFrame({"x": x, "label": ["a"] * 50 + ["b"] * 50})
    assert dqlabels.audit(frame, "label").gate(max_pair_share={("a", "b"): 0.0}).verdict == "pass"


def test_an_increase_is_held_against_a_reference(audit):
    data = two_classes(400)
    data["label"] = [("no", "yes")[row % 2] for row in range(400)]
    trusted = dqlabels.audit(pl.DataFrame(data), "label")
    assert audit.gate(max_increase=0.02, reference=trusted).verdict == "fail"
    assert trusted.gate(max_increase=0.02, reference=trusted.profile()).verdict == "pass"


def test_an_increase_without_a_reference_is_an_error_and_no_pass(audit):
    with pytest.raises(OptionError, match="reference= is needed"):
        audit.gate(max_increase=0.02)


def test_a_reference_settles_a_confident_gate(audit):
    data = two_classes(400)
    data["label"] = [("no", "yes")[row % 2] for row in range(400)]
    trusted = dqlabels.audit(pl.DataFrame(data), "label")
    gate = audit.gate(max_noise_rate=0.5, decide="confident", reference=trusted)
    assert gate.noise_rate.method == "reference"
    assert "The trusted labels are taken to be right" in gate.message
    assert gate.noise_rate.low <= 0.05 <= gate.noise_rate.high


def test_a_reference_of_another_size_decides_nothing(audit):
    trusted = dqlabels.audit(pl.DataFrame(two_classes(4000)), "label")
    gate = audit.gate(max_increase=0.5, reference=trusted, on_inconclusive="fail")
    assert (gate.verdict, gate.passed) == ("inconclusive", False)
    assert "4,000 rows, this table by one of 400, which knows less and errs more often" in gate.message


def test_a_reviewed_reference_lends_its_own_rate(audit):
    profile = audit.profile()
    profile["noise_rate"] |= {"method": "reviewed", "estimate": 0.05, "low": 0.04, "high": 0.07}
    gate = audit.gate(max_noise_rate=0.5, decide="confident", reference=profile)
    assert gate.noise_rate.estimate == pytest.approx(0.05)
    assert gate.noise_rate.high >= 0.07


def test_a_review_goes_before_a_reference(audit):
    sample = audit.review_sample(200)
    sample = sample.with_columns(reviewed_label=pl.Series([("no", "yes")[row % 2] for row in sample["row"]]))
    gate = audit.with_review(sample).gate(max_noise_rate=0.5, decide="confident", reference=audit)
    assert gate.noise_rate.method == "reviewed"


def test_a_class_without_a_reviewed_rate_decides_nothing():
    data = two_classes(400)
    data["label"] = ["rare" if row in (40, 80, 120) else label for row, label in enumerate(data["label"])]
    audit = dqlabels.audit(pl.DataFrame(data), "label")
    sample = audit.review_sample(60)
    reviewed = audit.with_review(sample.with_columns(reviewed_label=pl.col("label")))
    gate = reviewed.gate(max_class_noise_rate={"rare": 0.5}, on_inconclusive="fail")
    assert gate.verdict == "inconclusive"


def test_a_failed_gate_raises_with_its_result(audit):
    gate = audit.gate(max_noise_rate=0.0)
    with pytest.raises(LabelNoiseError) as caught:
        gate.raise_if_failed()
    assert caught.value.result is gate


def test_the_message_has_the_numbers_the_classes_the_pairs_and_the_rows(audit):
    message = audit.gate(max_noise_rate=0.0).message
    rate = audit.noise_rate
    assert f"{rate.estimate:.1%} (interval {rate.low:.1%} to {rate.high:.1%})" in message
    for part in ("Worst classes: 'no' ", "Commonest: 'no' → 'yes'", "Worst rows (quality: ", "  row "):
        assert part in message


def test_rows_of_an_indexed_frame_are_named_by_their_index():
    frame = pd.DataFrame(two_classes(), index=[f"loan-{i}" for i in range(120)])
    message = dqlabels.audit(frame, "label").gate(max_noise_rate=0.0).message
    rows = re.findall(r"row (\d+) \(index 'loan-(\d+)'\)", message)
    assert rows
    assert all(row == index for row, index in rows)


@pytest.mark.parametrize(
    "index", [pd.RangeIndex(1000, 1120), pd.date_range("2026-01-01", periods=120), pd.Index(range(120), name="id")]
)
def test_the_index_is_in_the_dict_as_plain_values(index):
    audit = dqlabels.audit(pd.DataFrame(two_classes(), index=index), "label")
    worst = json.loads(json.dumps(audit.to_dict()["worst"]))
    shown = [str(index[row["row"]])[:10] for row in worst]
    assert [str(row["index"])[:10] for row in worst] == shown


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
def test_rows_of_a_plain_frame_are_named_by_number_alone(make):
    worst = dqlabels.audit(make(two_classes()), "label").to_dict()["worst"]
    assert all("index" not in row for row in worst)


def test_a_gate_is_plain_values_as_json(audit):
    gate = audit.gate(max_noise_rate=0.05, max_class_noise_rate=0.5, on_inconclusive="pass")
    facts = json.loads(json.dumps(gate.to_dict(), allow_nan=False))
    assert facts["verdict"] == gate.verdict
    assert len(facts["checks"]) == 3


def test_a_check_reads_as_a_sentence():
    check = GateCheck("the label-noise rate", 0.08, 0.06, 0.10, 0.05, "fail")
    assert str(check) == "the label-noise rate, 8.0% (interval 6.0% to 10.0%), exceeds the limit of 5.0%"


def test_a_check_of_agreement_reads_as_one():
    check = GateCheck("the agreement", 0.58, 0.5, 0.66, 0.6, "fail", measure="agreement")
    assert str(check) == "the agreement, 0.580 (interval 0.500 to 0.660), falls short of the minimum of 0.600"
    assert check.requirement == "the agreement is at least 0.600"


@pytest.mark.parametrize(
    ("agreement", "low", "high", "decide", "verdict"),
    [
        (0.7, 0.5, 0.8, "estimate", "pass"),
        (0.6, 0.5, 0.8, "estimate", "pass"),
        (0.59, 0.5, 0.8, "estimate", "fail"),
        (0.59, 0.5, 0.8, "confident", "inconclusive"),
        (0.7, 0.6, 0.8, "confident", "pass"),
        (0.5, 0.4, 0.59, "confident", "fail"),
    ],
)
def test_an_agreement_is_to_reach_its_limit(agreement, low, high, decide, verdict):
    measured = [Measured("min_agreement", "the agreement", agreement, low, high, 0.6, measure="agreement")]
    gate = decide_gate(GROUNDS, measured, decide=decide, on_inconclusive="pass")
    assert gate.verdict == verdict
    assert RATE.assumption not in gate.message  # which the agreement does not rest on


def test_the_excess_says_how_far_a_limit_is_broken():
    share = GateCheck("a", 0.08, 0.0, 1.0, 0.05, "fail")
    agreement = GateCheck("b", 0.5, 0.0, 1.0, 0.6, "fail", measure="agreement")
    assert (share.excess, agreement.excess) == pytest.approx((0.03, 0.1))


def value_audit(wrong: float, features: tuple[str, ...] = ("x", "z")):
    return dqlabels.audit(pl.DataFrame(prices(wrong)), "price", task="regression", features=features)


@pytest.mark.parametrize(
    ("limit", "decide", "verdict"),
    [
        (0.05, "estimate", "pass"),
        (0.04, "estimate", "fail"),
        (0.02, "confident", "fail"),
        (0.04, "confident", "inconclusive"),
        (0.10, "confident", "pass"),
    ],
)
def test_a_gate_on_numbers_has_three_answers(limit, decide, verdict):
    gate = value_audit(0.05).gate(max_flagged_share=limit, decide=decide, on_inconclusive="pass")
    assert gate.verdict == verdict
    assert gate.check.estimate == 0.05


def test_an_undecided_gate_on_numbers_warns_and_passes_or_fails():
    audit = value_audit(0.05)
    with pytest.warns(dqlabels.LabelWarning, match="INCONCLUSIVE"):
        assert audit.gate(max_flagged_share=0.04, decide="confident").passed
    assert not audit.gate(max_flagged_share=0.04, decide="confident", on_inconclusive="fail").passed


@pytest.mark.filterwarnings("ignore:The features hardly predict:dqlabels.LabelWarning")
def test_numbers_that_nothing_predicts_pass_no_gate_but_can_fail_one():
    blind = value_audit(0.0, features=("z",))
    gate = blind.gate(max_flagged_share=0.02, on_inconclusive="pass")
    assert gate.verdict == "inconclusive"
    assert "hardly predict this column" in gate.message
    frame = pl.DataFrame(prices()).with_columns(price=pl.when(pl.col("x") > 1.9).then(1e6).otherwise("price"))
    gross = dqlabels.audit(frame, "price", task="regression", features=["z"])
    assert gross.model_error > 0.9
    assert gross.gate(max_flagged_share=0.001).verdict == "fail"


def test_a_gate_on_numbers_is_plain_values_as_json():
    gate = value_audit(0.05).gate(max_flagged_share=0.02)
    facts = json.loads(json.dumps(gate.to_dict(), allow_nan=False))
    assert (facts["verdict"], facts["limit"], facts["checks"][0]["measure"]) == ("fail", 0.02, "share")
