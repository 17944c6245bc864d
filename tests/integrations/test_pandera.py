"""pandera checks: what they answer, on pandas and Polars schemas and in models."""

from __future__ import annotations

import copy
import inspect
import json
import pickle
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from support.real_tables import DIRTY, digits, tumours

pytest.importorskip("pandera")
import pandera.pandas as pa
import pandera.polars as pp
from pandera.errors import SchemaError, SchemaErrors, SchemaWarning

import dqlabels
from dqlabels import LabelWarning
from dqlabels.errors import OptionError
from dqlabels.integrations import sharing
from dqlabels.integrations.pandera import (
    class_label_noise_at_most,
    label_noise_at_most,
    label_noise_increase_at_most,
    label_pair_share_at_most,
    label_quality_at_least,
    validate,
)

LIBRARIES = {"pandas": (pa, pd.DataFrame), "polars": (pp, pl.DataFrame), "lazy": (pp, pl.LazyFrame)}


@pytest.fixture(params=list(LIBRARIES))
def library(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    return LIBRARIES[request.param]


def failed(library: tuple[Any, Any], *checks: Any, table: Any = None, lazy: bool = True) -> Any:
    module, frame = library
    with pytest.raises((SchemaError, SchemaErrors)) as found:
        validate(module.DataFrameSchema(checks=list(checks)), frame(table or tumours(DIRTY)), lazy=lazy)
    return found.value


def cases(error: Any) -> list[dict[str, Any]]:
    """The failure cases of a report, whichever library holds it, in the order of the rows."""
    frame = error.failure_cases
    rows = frame.to_dicts() if isinstance(frame, pl.DataFrame) else frame.to_dict("records")
    return sorted(rows, key=lambda row: row["index"])


@cache
def reference_audit(share: float) -> Any:
    return dqlabels.audit(pl.DataFrame(tumours(share)), "diagnosis")


CHECKS = {
    "label_noise_at_most": lambda: label_noise_at_most("diagnosis", 0.05),
    "class_label_noise_at_most": lambda: class_label_noise_at_most("diagnosis", 0.1),
    "label_pair_share_at_most": lambda: label_pair_share_at_most("diagnosis", 0.05),
    "label_noise_increase_at_most": lambda: label_noise_increase_at_most(
        "diagnosis", 0.05, reference=reference_audit(0.0)
    ),
    "label_quality_at_least": lambda: label_quality_at_least("diagnosis", 0.2, mostly=0.95),
}


@pytest.mark.parametrize("name", CHECKS)
def test_each_check_passes_a_clean_table_and_fails_a_dirty_one(library, name):
    module, frame = library
    schema = module.DataFrameSchema(checks=[CHECKS[name]()])
    clean = frame(tumours())
    assert type(validate(schema, clean)) is type(clean)
    with pytest.raises(SchemaError, match=f"{name}: FAIL"):
        validate(schema, frame(tumours(DIRTY)))


def test_the_failure_cases_are_the_flagged_rows(library):
    error = failed(library, label_noise_at_most("diagnosis", 0.05))
    issues = reference_audit(DIRTY).issues.sort("row")
    found = cases(error)
    assert [row["index"] for row in found] == issues["row"].to_list()
    listed = [json.loads(row["failure_case"]) for row in found]
    assert [case["given"] for case in listed] == issues["diagnosis"].to_list()
    assert [case["suggested"] for case in listed] == issues["suggested_label"].to_list()
    assert [case["quality"] for case in listed] == pytest.approx(issues["label_quality"].to_list(), abs=1e-4)


@pytest.mark.parametrize("index", ["strings", "levels"])
def test_the_failure_cases_carry_the_pandas_index(index):
    frame = pd.DataFrame(tumours(DIRTY))
    names = [f"case-{row}" for row in range(len(frame))]
    frame.index = pd.Index(names) if index == "strings" else pd.MultiIndex.from_arrays([names, range(len(frame))])
    with pytest.raises(SchemaErrors) as found:
        pa.DataFrameSchema(checks=[label_noise_at_most("diagnosis", 0.05)]).validate(frame, lazy=True)
    rows = reference_audit(DIRTY).issues["row"].to_list()
    expected = {names[row] if index == "strings" else str((names[row], row)) for row in rows}
    assert set(found.value.failure_cases["index"]) == expected


def test_the_error_says_what_the_gate_says(library):
    message = reference_audit(DIRTY).gate(max_noise_rate=0.05).message
    text = str(failed(library, label_noise_at_most("diagnosis", 0.05), lazy=False))
    for line in message.splitlines():
        assert line in text


def test_only_what_is_likely_wrong_is_listed_where_the_precision_is_high(library):
    sure = dqlabels.audit(pl.DataFrame(tumours(DIRTY)), "diagnosis", min_precision=0.95)
    found = cases(failed(library, label_noise_at_most("diagnosis", 0.05, min_precision=0.95)))
    assert [row["index"] for row in found] == sure.issues["row"].sort().to_list()
    assert len(found) < reference_audit(DIRTY).flagged


def test_the_report_says_what_the_gate_says(library):
    message = reference_audit(DIRTY).gate(max_noise_rate=0.05).message
    report = failed(library, label_noise_at_most("diagnosis", 0.05)).message["DATA"]["DATAFRAME_CHECK"][0]
    assert report["check"] == "label_noise_at_most"
    assert message.replace("\n", " ") in report["error"]


def test_a_class_limit_lists_the_rows_of_the_failing_class_alone(library):
    found = cases(failed(library, class_label_noise_at_most("diagnosis", {"malignant": 0.05, "benign": 0.9})))
    assert {json.loads(row["failure_case"])["given"] for row in found} == {"malignant"}


def test_a_pair_limit_lists_the_rows_of_the_failing_pair_alone(library):
    limits = {("benign", "malignant"): 0.01, ("malignant", "benign"): 0.9}
    found = cases(failed(library, label_pair_share_at_most("diagnosis", limits)))
    pairs = {tuple(json.loads(row["failure_case"]).values())[:2] for row in found}
    assert pairs == {("benign", "malignant")}


def test_labels_that_are_numbers_are_listed_as_numbers():
    for library in (LIBRARIES["pandas"], LIBRARIES["polars"]):
        found = cases(failed(library, class_label_noise_at_most("digit", {3: 0.02}), table=digits(DIRTY)))
        assert {json.loads(row["failure_case"])["given"] for row in found} == {3}


def test_a_quality_limit_lists_the_rows_below_it(library):
    found = cases(failed(library, label_quality_at_least("diagnosis", 0.3, mostly=0.99)))
    quality = reference_audit(DIRTY).frame["label_quality"].to_numpy()
    assert [row["index"] for row in found] == np.flatnonzero(quality < 0.3).tolist()


@pytest.mark.parametrize("allowed", [-1, 0])
def test_mostly_counts_rows(allowed):
    below = int((reference_audit(DIRTY).frame["label_quality"] < 0.3).sum())
    mostly = 1 - (below + allowed) / 569
    schema = pp.DataFrameSchema(checks=[label_quality_at_least("diagnosis", 0.3, mostly=mostly)])
    if allowed == 0:
        schema.validate(pl.DataFrame(tumours(DIRTY)))
    else:
        with pytest.raises(SchemaError, match=f"{below} of 569 labels"):
            schema.validate(pl.DataFrame(tumours(DIRTY)))


def test_rows_without_a_label_are_neither_counted_nor_listed(library):
    table = dict(tumours(DIRTY))
    table["diagnosis"] = [None, None, *table["diagnosis"][2:]]
    found = cases(failed(library, label_quality_at_least("diagnosis", 1.0), table=table))
    assert not {0, 1} & {row["index"] for row in found}


def test_no_more_failure_cases_than_asked_for(library):
    found = cases(failed(library, label_noise_at_most("diagnosis", 0.05, n_failure_cases=3)))
    assert [row["index"] for row in found] == reference_audit(DIRTY).issues["row"].sort().to_list()[:3]


def test_a_failure_without_a_flagged_row_is_still_a_failure(library):
    # Probabilities that know nothing flag nothing, and leave any rate possible.
    table = {"x": [0.0, 1.0] * 30, "y": ["a", "b", "b", "a"] * 15}
    check = label_noise_at_most("y", 0.001, decide="confident", on_inconclusive="fail", classes=["a", "b"],
                                pred_probs=np.tile([0.5, 0.5], (60, 1)))  # fmt: skip
    error = failed(library, check, table=table)
    assert len(error.failure_cases) == 1


def test_the_middle_answer_warns_and_passes_unless_told_otherwise():
    frame = pl.DataFrame(tumours())
    rate = reference_audit(0.0).noise_rate
    limit = (rate.low + rate.high) / 2
    warns, fails, passes = (
        pp.DataFrameSchema(checks=[label_noise_at_most("diagnosis", limit, decide="confident", on_inconclusive=choice)])
        for choice in ("warn", "fail", "pass")
    )
    with pytest.warns(LabelWarning, match="INCONCLUSIVE"):
        warns.validate(frame)
    with pytest.raises(SchemaError, match="INCONCLUSIVE"):
        fails.validate(frame)
    passes.validate(frame)


def test_another_method_of_the_rate_is_used():
    schema = pp.DataFrameSchema(checks=[label_noise_at_most("diagnosis", 0.05, method="confident")])
    with pytest.raises(SchemaError, match="method 'confident'"):
        schema.validate(pl.DataFrame(tumours(DIRTY)))


def test_the_increase_is_held_against_the_reference(library):
    check = label_noise_increase_at_most("diagnosis", 0.05, reference=reference_audit(DIRTY))
    module, frame = library
    validate(module.DataFrameSchema(checks=[check]), frame(tumours(DIRTY)))


def test_a_warning_instead_of_an_error(library):
    module, frame = library
    schema = module.DataFrameSchema(checks=[label_noise_at_most("diagnosis", 0.05, raise_warning=True)])
    with pytest.warns(SchemaWarning, match="the label-noise rate"):
        validate(schema, frame(tumours(DIRTY)))


def test_an_error_of_the_users_own(library):
    text = str(failed(library, label_noise_at_most("diagnosis", 0.05, error="ask the lab"), lazy=False))
    assert "ask the lab" in text


def test_options_reach_the_audit():
    check = label_noise_at_most("diagnosis", 0.05, features=["mean radius"], random_state=3)
    with pytest.raises(SchemaErrors) as found:
        pp.DataFrameSchema(checks=[check]).validate(pl.DataFrame(tumours(DIRTY)), lazy=True)
    audit = dqlabels.audit(pl.DataFrame(tumours(DIRTY)), "diagnosis", features=["mean radius"], random_state=3)
    assert len(found.value.failure_cases) == audit.flagged


@pytest.mark.parametrize("module", [pa, pp])
def test_a_model_names_the_checks_in_its_config(module):
    class Tumours(module.DataFrameModel):
        diagnosis: str

        class Config:
            label_noise_at_most = ("diagnosis", 0.05)
            label_quality_at_least = {"label": "diagnosis", "min_value": 0.2, "mostly": 0.95}  # noqa: RUF012

    make = pd.DataFrame if module is pa else pl.DataFrame
    validate(Tumours, make(tumours()))
    with pytest.raises(SchemaErrors) as found:
        Tumours.validate(make(tumours(DIRTY)), lazy=True)
    assert len(found.value.schema_errors) == 2


def test_one_check_serves_schemas_of_both_libraries():
    check = label_noise_at_most("diagnosis", 0.05)
    for module, frame in ((pa, pd.DataFrame), (pp, pl.DataFrame)):
        with pytest.raises(SchemaError, match="label_noise_at_most: FAIL"):
            module.DataFrameSchema(checks=[check]).validate(frame(tumours(DIRTY)))


def test_the_callers_frame_is_not_touched(library):
    module, frame = library
    given, same = frame(tumours()), frame(tumours())
    validate(module.DataFrameSchema(checks=[label_noise_at_most("diagnosis", 0.05)]), given)
    if isinstance(given, pl.LazyFrame):
        given, same = given.collect(), same.collect()
    assert given.equals(same)


@pytest.fixture
def audits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The audits run, by label."""
    sharing.forget_audits()
    run: list[str] = []
    real = sharing.audit

    def counted(frame: Any, label: str, **options: Any) -> Any:
        run.append(label)
        return real(frame, label, **options)

    monkeypatch.setattr(sharing, "audit", counted)
    return run


def test_checks_of_one_frame_share_one_audit(library, audits):
    failed(library, *(make() for name, make in CHECKS.items() if "increase" not in name))
    assert audits == ["diagnosis"]


def test_other_options_are_another_audit(audits):
    checks = [label_noise_at_most("diagnosis", 0.05, random_state=seed) for seed in (0, 1)]
    pp.DataFrameSchema(checks=checks).validate(pl.DataFrame(tumours()))
    assert len(audits) == 2


def test_a_frame_changed_in_place_is_audited_again(audits):
    frame = pd.DataFrame(tumours())
    schema = pa.DataFrameSchema(checks=[label_noise_at_most("diagnosis", 0.05)])
    schema.validate(frame)
    frame["diagnosis"] = tumours(DIRTY)["diagnosis"]
    with pytest.raises(SchemaError):
        schema.validate(frame)
    assert len(audits) == 2


def test_few_audits_are_kept_and_no_frame_with_them(audits):
    schema = pp.DataFrameSchema(checks=[label_noise_at_most("diagnosis", 0.5)])
    for seed in range(sharing.MAX_CACHED + 2):
        schema.validate(pl.DataFrame(tumours()).sample(60, seed=seed))
    assert len(sharing._cached) == sharing.MAX_CACHED
    for kept in sharing._cached.values():
        assert (kept.frame, kept.table, kept.evidence.labels.column, kept.again) == (None, None, None, None)


def test_an_option_that_cannot_be_compared_costs_an_audit_a_check_and_nothing_else(audits):
    checks = [label_noise_at_most("diagnosis", limit, progress=lambda done, total: None) for limit in (0.05, 0.06)]
    pp.DataFrameSchema(checks=checks).validate(pl.DataFrame(tumours()))
    assert len(audits) == 2


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: label_noise_at_most("y", 5), "for 5% pass 0.05"),
        (lambda: label_noise_at_most("y", True), "max_value=True is not a share"),
        (lambda: label_noise_at_most("y", 0.05, decide="sure"), "'estimate', 'confident'"),
        (lambda: label_noise_at_most("y", 0.05, on_inconclusive="shrug"), "'warn', 'fail', 'pass'"),
        (lambda: label_noise_at_most("y", 0.05, modle=None), "no option 'modle'. Did you mean model="),
        (lambda: label_noise_at_most("y", 0.05, seed=1), "no option 'seed'. Did you mean random_state="),
        (lambda: label_noise_at_most("y", 0.05, n_jobs=0), "n_jobs=0 is not a whole number"),
        (lambda: label_noise_at_most("y", 0.05, adjust="no"), "adjust='no' is neither True nor False"),
        (lambda: label_noise_at_most("y", 0.05, names="abc"), "names='abc' must be three different names"),
        (lambda: label_noise_at_most(3, 0.05), "label=3 is no column name"),
        (lambda: class_label_noise_at_most("y", {"a": 7}), "max_value=7"),
        (lambda: class_label_noise_at_most("y", []), "neither a limit nor"),
        (lambda: label_pair_share_at_most("y", [("a", 0.1)]), r"\(given, suggested, limit\)"),
        (lambda: label_quality_at_least("y", 0.2, mostly=95), "mostly=95"),
    ],
)
def test_a_mistake_is_said_when_the_check_is_made(make, words):
    with pytest.raises(OptionError, match=words):
        make()


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_survives_copying_and_pickling_and_having_failed(name):
    check, fresh = CHECKS[name](), CHECKS[name]()
    with pytest.raises(SchemaError):
        pp.DataFrameSchema(checks=[check]).validate(pl.DataFrame(tumours(DIRTY)))
    for other in (check, copy.copy(check), copy.deepcopy(check), pickle.loads(pickle.dumps(check))):  # noqa: S301
        assert other == fresh


def test_checks_that_differ_in_anything_differ():
    checks = [
        label_noise_at_most("y", 0.05),
        label_noise_at_most("z", 0.05),
        label_noise_at_most("y", 0.06),
        label_noise_at_most("y", 0.05, decide="confident"),
        label_noise_at_most("y", 0.05, random_state=1),
        class_label_noise_at_most("y", 0.05),
    ]
    assert all(a != b for k, a in enumerate(checks) for b in checks[:k])


def test_a_check_shows_the_options_that_it_takes_and_no_others():
    shown = inspect.signature(label_noise_at_most).parameters
    assert {"filter_by", "sample_rows", "method", "decide", "task", "n_failure_cases"} <= set(shown)
    assert not {"fdr", "annotator", "consensus", "options"} & set(shown)
    assert "filter_by: The rule that flags rows" in inspect.getdoc(label_noise_at_most)
