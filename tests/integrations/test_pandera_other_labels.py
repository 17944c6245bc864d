"""pandera checks of numbers, annotators, several labels a row and grades."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
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

pytest.importorskip("pandera")
import pandera.pandas as pa
import pandera.polars as pp
from pandera.errors import SchemaError, SchemaErrors

import dqlabels
from dqlabels.errors import OptionError
from dqlabels.integrations import sharing
from dqlabels.integrations.pandera import (
    annotator_agreement_at_least,
    annotator_noise_at_most,
    class_label_noise_at_most,
    each_annotator_noise_at_most,
    each_tag_noise_at_most,
    flagged_value_share_at_most,
    label_noise_at_most,
    tag_noise_at_most,
    validate,
)

LIBRARIES = {"pandas": (pa, pd.DataFrame), "polars": (pp, pl.DataFrame), "lazy": (pp, pl.LazyFrame)}
LONG = {"annotator": "who", "item": "item"}
# A table, a check that holds of it as it is, and the share of wrong labels that it does not allow.
CASES: dict[str, tuple[Any, Any, float]] = {
    "values": (prices, lambda: flagged_value_share_at_most("price", 0.02, fdr=0.05), 0.05),
    "agreement": (rated, lambda: annotator_agreement_at_least(ANNOTATORS, 0.8), 0.3),
    "agreement, a row a label": (rated_long, lambda: annotator_agreement_at_least("said", 0.8, **LONG), 0.3),
    "annotators": (rated, lambda: annotator_noise_at_most(ANNOTATORS, 0.05, consensus="majority"), 0.3),
    "each annotator": (rated, lambda: each_annotator_noise_at_most(ANNOTATORS, {"agency": 0.1}), 0.3),
    "tags": (tagged, lambda: tag_noise_at_most("tags", 0.03, **TAG_PROBS), 0.3),
    "each tag": (ticked, lambda: each_tag_noise_at_most(TAGS, [("owl", 0.05)], **TAG_PROBS), 0.3),
    "grades": (graded, lambda: label_noise_at_most("grade", 0.05, task="ordinal", **GRADE_PROBS), 0.3),
}


@pytest.fixture(params=list(LIBRARIES))
def library(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    return LIBRARIES[request.param]


def failures(library: tuple[Any, Any], table: Any, *checks: Any) -> list[dict[str, Any]]:
    """The failure cases of a schema that fails, in the order of the rows."""
    module, frame = library
    with pytest.raises(SchemaErrors) as found:
        validate(module.DataFrameSchema(checks=list(checks)), frame(table), lazy=True)
    listed = found.value.failure_cases
    rows = listed.to_dicts() if isinstance(listed, pl.DataFrame) else listed.to_dict("records")
    return [{**json.loads(row["failure_case"]), "row": row["index"]} for row in sorted(rows, key=lambda r: r["index"])]


@pytest.mark.parametrize("name", CASES)
def test_right_labels_pass_and_wrong_ones_fail(library, name):
    table, check, wrong = CASES[name]
    module, frame = library
    made = check()
    schema = module.DataFrameSchema(checks=[made])
    right = frame(table())
    assert type(validate(schema, right)) is type(right)
    with pytest.raises(SchemaError, match=f"{made.name}: FAIL"):
        validate(schema, frame(table(wrong)))
    assert made == check() == deepcopy(made)  # having run leaves no trace


def test_the_failure_cases_are_the_flagged_values(library):
    issues = dqlabels.audit(pl.DataFrame(prices(0.05)), "price", task="regression", fdr=0.05).issues.sort("row")
    found = failures(library, prices(0.05), CASES["values"][1]())
    assert [case["row"] for case in found] == issues["row"].to_list()
    assert [case["given"] for case in found] == issues["price"].to_list()
    assert [case["suggested"] for case in found] == issues["suggested_label"].to_list()


def test_the_failure_cases_are_the_rows_where_annotators_differ(library):
    labels = pd.DataFrame(rated(0.3))
    found = failures(library, rated(0.3), annotator_agreement_at_least(ANNOTATORS, 0.8))
    assert [case["row"] for case in found] == labels.index[labels.nunique(axis=1) > 1].tolist()
    assert all(case["given"] == labels.loc[case["row"]].to_dict() for case in found)


def test_a_limit_by_annotator_lists_the_labels_of_those_beyond_it(library):
    found = failures(library, rated_long(0.3), each_annotator_noise_at_most("said", 0.05, **LONG))
    assert {case["given"]["who"] for case in found} == {"agency"}


def test_a_limit_by_tag_lists_the_rows_where_that_tag_is_in_doubt(library):
    audit = dqlabels.audit(pl.DataFrame(tagged(0.3)), "tags", **TAG_PROBS)
    rows = audit.issues.filter(pl.col("label") == "owl")["row"].unique().sort().to_list()
    found = failures(library, tagged(0.3), each_tag_noise_at_most("tags", {"owl": 0.05, "cat": 1.0}, **TAG_PROBS))
    assert [case["row"] for case in found] == rows
    assert all(("owl" in case["given"]) != ("owl" in case["suggested"]) for case in found)


def test_grades_are_judged_by_their_distance():
    schema = pp.DataFrameSchema(checks=[class_label_noise_at_most("grade", 0.01, task="ordinal", **GRADE_PROBS)])
    with pytest.raises(SchemaErrors) as found:
        schema.validate(pl.DataFrame(graded(0.3)), lazy=True)
    audit = dqlabels.audit(pl.DataFrame(graded(0.3)), "grade", task="ordinal", **GRADE_PROBS)
    assert len(found.value.failure_cases) == audit.flagged


def test_checks_of_one_kind_share_one_audit_and_keep_no_frame(library, monkeypatch):
    sharing.forget_audits()
    run: list[Any] = []
    real = sharing.audit

    def counted(frame: Any, label: Any, **options: Any) -> Any:
        run.append(label)
        return real(frame, label, **options)

    monkeypatch.setattr(sharing, "audit", counted)
    module, frame = library
    table = {**rated(), "note": [f"{row % 7}" for row in range(120)]}
    checks = [
        annotator_agreement_at_least(ANNOTATORS, 0.5),
        annotator_noise_at_most(ANNOTATORS, 0.5),
        each_annotator_noise_at_most(ANNOTATORS, 0.5),
    ]
    validate(module.DataFrameSchema(checks=checks), frame(table))
    assert run == [ANNOTATORS]
    (kept,) = sharing._cached.values()
    assert kept.frame is None
    assert "note" not in kept.table.columns


@pytest.mark.parametrize("name", ["values", "each annotator", "agreement, a row a label", "each tag"])
def test_a_gate_of_a_kept_audit_says_what_that_of_the_audit_does(name):
    table, check, wrong = CASES[name]
    made = check()
    frame = pd.DataFrame(table(wrong))
    frame.index = pd.Index([f"r{row}" for row in range(len(frame))])
    audit = dqlabels.audit(frame, made.label, **sharing.task_options(made.form.about, made.options))
    message = audit.gate(**made.gate_options()).message
    with pytest.raises(SchemaErrors) as found:
        pa.DataFrameSchema(checks=[made]).validate(frame, lazy=True)
    assert message.replace("\n", " ") in found.value.message["DATA"]["DATAFRAME_CHECK"][0]["error"]


@pytest.mark.parametrize("name", CASES)
def test_a_schema_survives_yaml(name):
    pytest.importorskip("yaml")
    _, check, _ = CASES[name]
    schema = pa.DataFrameSchema(checks=[check()])
    assert pa.DataFrameSchema.from_yaml(schema.to_yaml()) == schema


def test_a_model_names_the_checks_in_its_config():
    class Rated(pp.DataFrameModel):
        core: str

        class Config:
            annotator_agreement_at_least = (ANNOTATORS, 0.8)
            annotator_noise_at_most = {"label": ANNOTATORS, "max_value": 0.05}  # noqa: RUF012

    validate(Rated, pl.DataFrame(rated()))
    with pytest.raises(SchemaErrors) as found:
        Rated.validate(pl.DataFrame(rated(0.3)), lazy=True)
    assert len(found.value.schema_errors) == 2


@pytest.mark.parametrize(("on_inconclusive", "passes"), [("fail", False), ("pass", True)])
def test_the_middle_answer_does_as_it_was_told(on_inconclusive, passes):
    check = annotator_agreement_at_least(ANNOTATORS, 0.6, decide="confident", on_inconclusive=on_inconclusive)
    schema = pp.DataFrameSchema(checks=[check])
    if passes:
        schema.validate(pl.DataFrame(rated(0.3)))
    else:
        with pytest.raises(SchemaError, match="INCONCLUSIVE"):
            schema.validate(pl.DataFrame(rated(0.3)))


@pytest.mark.parametrize(
    ("table", "check", "words"),
    [
        (prices, flagged_value_share_at_most("prise", 0.1), "There is no column 'prise'"),
        (rated, annotator_agreement_at_least(["core", "agencies"], 0.1), "no column 'agencies'"),
        (rated, each_annotator_noise_at_most(ANNOTATORS, {"nobody": 0.1}), "'nobody' gave no label"),
        (tagged, each_tag_noise_at_most("tags", {"cow": 0.1}, **TAG_PROBS), "'cow' is no label"),
    ],
)
def test_what_cannot_be_checked_fails_with_the_reason(library, table, check, words):
    module, frame = library
    with pytest.raises(SchemaErrors) as found:
        validate(module.DataFrameSchema(checks=[deepcopy(check)]), frame(table()), lazy=True)
    (error,) = found.value.schema_errors
    assert error.reason_code.name == "CHECK_ERROR"
    assert words in str(error)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: flagged_value_share_at_most("y", 5), "for 5% pass 0.05"),
        (
            lambda: flagged_value_share_at_most("y", 0.1, model=None),
            "has no option 'model'",
        ),
        (lambda: flagged_value_share_at_most(["y", "z"], 0.1), "give the name of the column"),
        (lambda: flagged_value_share_at_most("y", 0.1, fdr=2), "fdr=2 is not a share between 0 and 1"),
        (lambda: annotator_agreement_at_least(3, 0.1), "a column, or a list of columns"),
        (lambda: annotator_agreement_at_least(["a", "b"], 0.1, score="x"), "has no option 'score'"),
        (lambda: annotator_noise_at_most(["a", "b"], 0.1, decide="sure"), "'estimate', 'confident'"),
        (lambda: each_annotator_noise_at_most(["a", "b"], {}), "neither a limit nor"),
        (lambda: tag_noise_at_most("y", 0.1, fdr=0.1), "has no option 'fdr'"),
        (lambda: label_noise_at_most("y", 0.1, task="regression"), "This check is for one class per row"),
    ],
)
def test_a_mistake_is_said_when_the_check_is_made(make, words):
    with pytest.raises(OptionError, match=words):
        make()


def test_a_model_of_ones_own_judges_beside_annotators():
    table = {**rated(0.3), "x": np.linspace(0, 1, 120).tolist()}
    probs = np.tile([0.5, 0.5], (120, 1))
    check = annotator_noise_at_most(ANNOTATORS, 0.5, pred_probs=probs, classes=["bad", "good"])
    pp.DataFrameSchema(checks=[check]).validate(pl.DataFrame(table))


def test_rows_are_named_by_the_index_of_the_frame_that_is_validated():
    table, check, wrong = CASES["values"]
    frame = pd.DataFrame(table(wrong))
    schema = pa.DataFrameSchema(checks=[check()])
    said = []
    for letter in "ab":  # the same rows under other names, so that a kept audit would name the first ones
        with pytest.raises(SchemaErrors) as found:
            schema.validate(frame.set_index(pd.Index([f"{letter}{row}" for row in range(len(frame))])), lazy=True)
        said.append(found.value.message["DATA"]["DATAFRAME_CHECK"][0]["error"])
    assert "(index 'a" in said[0]
    assert "(index 'b" in said[1]
