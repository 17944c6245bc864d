"""Labels that could not be judged are never a pass, whatever the estimate of the rest says."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from support.frames import MAKERS, ROOT, two_classes
from support.other_labels import rated

import dqlabels
from dqlabels.audits.gate import GateCheck, Grounds, decide_gate
from dqlabels.audits.measured import Measured, coverage_limit, rate_limit, too_few
from dqlabels.errors import LabelNoiseError, LabelWarning, OptionError
from dqlabels.noise.mixture import mixture_noise

pytestmark = [
    pytest.mark.filterwarnings("ignore:Columns? .* (is|are) spread over other values:dqlabels.errors.LabelWarning"),
    pytest.mark.filterwarnings("ignore:The (shares of the classes|model disagrees):dqlabels.errors.LabelWarning"),
    pytest.mark.filterwarnings("ignore:Classes the auditor was not fitted on:dqlabels.errors.LabelWarning"),
]
WITH_NULLS = ("pandas", "polars")


def credit() -> pl.DataFrame:
    return pl.read_csv(ROOT / "examples/data/german_credit.csv")


@pytest.fixture(scope="module")
def auditor() -> dqlabels.LabelAuditor:
    return dqlabels.LabelAuditor("risk").fit(credit()[:600])


@pytest.fixture(scope="module", params=WITH_NULLS)
def batch(request) -> Any:
    """Make a batch of trusted rows' kind with other labels: by a list, or by one for all rows."""

    def make(labels: Any = None, rows: int = 400) -> Any:
        frame = credit()[600 : 600 + rows]
        if labels is not None:
            frame = frame.with_columns(risk=pl.Series(labels, dtype=pl.String))
        return frame.to_pandas() if request.param == "pandas" else frame

    return make


def constant(rows: int = 400) -> list[str]:
    return ["good"] * rows


def test_a_batch_of_one_class_is_no_pass(auditor, batch):
    gate = auditor.audit(batch(constant())).gate(max_increase=0.02, on_inconclusive="fail")
    assert (gate.verdict, gate.passed) == ("fail", False)
    assert "all 400 labels are 'good', so wrong ones cannot be told from right ones" in gate.message
    assert "of the trusted labels are of other classes" in gate.message


@pytest.mark.parametrize("on_inconclusive", ["warn", "fail", "pass"])
def test_a_batch_of_one_class_that_chance_cannot_give_fails_whatever_is_said(auditor, batch, on_inconclusive):
    gate = auditor.audit(batch(constant())).gate(max_noise_rate=0.5, on_inconclusive=on_inconclusive)
    assert gate.verdict == "fail"


def test_a_few_rows_of_one_class_are_undecided_and_do_not_pass_with_a_warning(auditor, batch):
    gate = auditor.audit(batch(constant(5), rows=5)).gate(max_noise_rate=0.5)
    assert (gate.verdict, gate.passed) == ("inconclusive", False)
    with pytest.raises(LabelNoiseError, match="all 5 labels are 'good'"):
        gate.raise_if_failed()


def test_a_reference_tells_a_batch_of_one_class_too(auditor):
    audit = auditor.audit(credit()[600:].with_columns(risk=pl.lit("good")))
    without = dqlabels.LabelAuditor.audit(auditor, credit()[600:])
    assert without.gate(max_increase=0.9, reference=auditor).verdict == "pass"
    assert audit.gate(max_increase=0.9, reference=auditor.profile()).verdict == "fail"


@pytest.mark.parametrize("make", [MAKERS[name] for name in WITH_NULLS])
def test_a_table_of_which_few_rows_have_a_label_is_no_pass(make):
    data = two_classes(2000)
    data["label"] = [label if row % 20 < 2 else None for row, label in enumerate(data["label"])]
    gate = dqlabels.audit(make(data), "label").gate(max_noise_rate=0.5)
    assert (gate.verdict, gate.passed) == ("inconclusive", False)
    assert "10.0%, falls short of the minimum of 80.0%: 1,800 of 2,000 rows have no label" in gate.message
    assert "it passes under on_inconclusive='pass' alone" in gate.message


def test_a_batch_of_which_few_rows_have_a_label_is_no_pass(auditor, batch):
    labels = [label if row % 20 == 0 else None for row, label in enumerate(credit()[600:]["risk"])]
    gate = auditor.audit(batch(labels)).gate(max_increase=0.9)
    assert (gate.verdict, gate.passed) == ("inconclusive", False)


def test_a_batch_of_classes_that_the_auditor_does_not_know_is_no_pass(auditor, batch):
    labels = [label if row % 10 == 0 else "unknown" for row, label in enumerate(credit()[600:]["risk"])]
    gate = auditor.audit(batch(labels)).gate(max_increase=0.9)
    assert (gate.verdict, gate.passed) == ("inconclusive", False)


def test_how_many_rows_must_be_judged_is_the_callers_to_say():
    data = two_classes(400)
    data["label"] = [label if row % 4 else None for row, label in enumerate(data["label"])]
    audit = dqlabels.audit(pl.DataFrame(data), "label")
    verdicts = [audit.gate(max_noise_rate=0.5, min_judged=least).verdict for least in (0.75, 0.76)]
    assert verdicts == ["pass", "inconclusive"]


@pytest.mark.parametrize("least", [-0.1, 1.1, math.nan, "0.8", True, None])
def test_a_share_of_rows_to_judge_that_is_none_is_refused(least):
    with pytest.raises(OptionError, match="min_judged="):
        dqlabels.Limits(max_noise_rate=0.1, min_judged=least)


@pytest.mark.filterwarnings("ignore:100 items have no label:dqlabels.errors.LabelWarning")
def test_annotators_who_labelled_few_rows_are_no_pass():
    votes = {
        name: [value if row < 20 else None for row, value in enumerate(values)] for name, values in rated().items()
    }
    gate = dqlabels.audit(pl.DataFrame(votes), list(votes), task="annotators").gate(min_agreement=0.0)
    assert (gate.verdict, gate.passed) == ("inconclusive", False)


def test_unjudged_labels_pass_where_the_caller_says_so_outright():
    measured = coverage_limit(10, 100, 0.8)
    for choice, passed in (("pass", True), ("warn", False), ("fail", False)):
        assert decide_gate(GROUNDS, measured, on_inconclusive=choice).passed is passed


def test_a_broken_limit_is_a_failure_even_where_few_rows_were_judged():
    broken = Measured("max_noise_rate", "the label-noise rate", 0.5, 0.4, 0.6, 0.05)
    assert decide_gate(GROUNDS, [*coverage_limit(10, 100, 0.8), broken]).verdict == "fail"


def rate_of(rows: int, wrong: int = 0) -> Any:
    codes = np.arange(rows) % 2
    probs = np.where(np.eye(2)[codes] == 1, 0.99, 0.01)
    codes[:wrong] = 1 - codes[:wrong]
    return mixture_noise(codes, probs)


GROUNDS = Grounds.of(rate_of(1000), "label")


@pytest.mark.parametrize("place", [2, 3, 4])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("decide", ["estimate", "confident"])
def test_a_number_that_is_none_is_no_pass(place, value, decide):
    numbers = [0.01, 0.0, 0.02]
    numbers[place - 2] = value
    measured = Measured("max_noise_rate", "the label-noise rate", *numbers, 0.05)
    gate = decide_gate(GROUNDS, [measured], decide=decide)
    assert (gate.verdict, gate.passed) == ("inconclusive", False)
    json.dumps(gate.to_dict(), allow_nan=False)


def test_a_number_that_is_none_is_called_unknown():
    assert "nan" not in str(GateCheck("the rate", math.nan, math.nan, 1.0, 0.05, "inconclusive"))


def one_row_batches(auditor: dqlabels.LabelAuditor, number: int) -> list[Any]:
    rows = credit()[600 : 600 + number]
    return [auditor.audit(rows[at]).gate(max_increase=0.02, on_inconclusive="pass") for at in range(number)]


def test_clean_batches_of_one_row_are_neither_passed_nor_failed(auditor):
    gates = one_row_batches(auditor, 60)
    assert {gate.verdict for gate in gates} == {"inconclusive"}
    increases = [check for gate in gates for check in gate.checks if "increase" in check.what]
    assert all(-1 <= check.low <= check.estimate <= check.high <= 1 for check in increases)
    assert all("1 row is too few, at least" in check.reason for check in increases)


@pytest.mark.parametrize("decide", ["estimate", "confident"])
def test_on_too_few_rows_a_gate_is_undecided_and_says_how_many_it_needs(decide):
    gate = decide_gate(GROUNDS, [rate_limit("max_noise_rate", "the rate", rate_of(50), 0.05)], decide=decide)
    assert (gate.verdict, gate.passed, gate.check.rows_needed) == ("inconclusive", False, 52)
    assert "50 rows are too few, at least 52 are needed" in gate.message


def test_enough_rows_are_decided_by_the_estimate():
    gate = decide_gate(GROUNDS, [rate_limit("max_noise_rate", "the rate", rate_of(52), 0.05)])
    assert gate.verdict == "pass"


def test_few_rows_of_which_far_too_many_are_wrong_fail():
    few = too_few(0.5, 40, 0.05, 0.90)
    measured = Measured("max_noise_rate", "the label-noise rate", 0.5, 0.3, 0.7, 0.05, 40, 40, too_few=few)
    assert decide_gate(GROUNDS, [measured]).verdict == "fail"


def test_a_rare_class_is_undecided_and_keeps_no_table_from_passing():
    data = two_classes(400)
    data["label"] = ["rare" if row % 40 == 0 else label for row, label in enumerate(data["label"])]
    data["x"] = [50.0 if row % 40 == 0 else x for row, x in enumerate(data["x"])]
    audit = dqlabels.audit(pl.DataFrame(data), "label")
    with pytest.warns(LabelWarning, match="the noise rate of class 'rare'"):
        gate = audit.gate(max_class_noise_rate=0.2)
    assert (gate.verdict, gate.passed) == ("inconclusive", True)


def test_no_number_of_rows_passes_a_limit_of_none():
    gate = decide_gate(GROUNDS, [rate_limit("max_noise_rate", "the rate", rate_of(1000), 0.0)], on_inconclusive="pass")
    assert gate.verdict != "pass"


def test_labels_of_unknown_classes_are_limited(auditor, batch):
    labels = [label if row % 10 else "unknown" for row, label in enumerate(credit()[600:]["risk"])]
    audit = auditor.audit(batch(labels))
    verdicts = [audit.gate(max_unseen_share=limit).verdict for limit in (0.05, 0.10)]
    assert verdicts == ["fail", "pass"]
    assert (
        "the share of labels of classes that the auditor does not know, 10.0%" in audit.gate(max_unseen_share=0).message
    )


def test_drift_is_limited(auditor, batch):
    calm = auditor.audit(batch())
    assert calm.gate(max_drift=0.25).verdict == "pass"
    frame = credit()[600:].with_columns(duration_months=pl.col("duration_months") * 5)
    gate = auditor.audit(frame).gate(max_drift=0.25)
    assert gate.verdict == "fail"
    assert "the stability index of column 'duration_months'" in gate.message


def test_drift_that_chance_may_give_is_undecided(auditor):
    gate = auditor.audit(credit()[600:612]).gate(max_drift=0.25, on_inconclusive="pass")
    assert gate.verdict == "inconclusive"


@pytest.mark.parametrize("limit", [-1, math.nan, math.inf, "0.25", True])
def test_a_limit_of_drift_that_is_no_index_is_refused(limit):
    with pytest.raises(OptionError, match="max_drift=.* is not a population stability index"):
        dqlabels.Limits(max_drift=limit)


@pytest.mark.parametrize("limit", ["max_drift", "max_unseen_share"])
def test_what_only_a_batch_has_is_refused_for_a_table_that_was_not_compared(limit):
    audit = dqlabels.audit(pl.DataFrame(two_classes()), "label")
    with pytest.raises(OptionError, match=rf"{limit}= compares a batch with a trusted table"):
        audit.gate(**{limit: 0.1})
