"""Suites on disk: loaded in a new process, ready to copy, whole or refused; and those that gate an audit's columns."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer
from support.frames import ROOT
from support.gx_runs import PROBS, dirtied, gx, noisy, validate
from support.real_tables import DIRTY, diabetes, three_systems

import dqlabels
from dqlabels.integrations.great_expectations import (
    ExpectLabelNoiseRateToBeAtMost,
    SuiteIncompleteError,
    assert_suite_complete,
    materialised_suite,
)

PROJECT = ROOT / "expectations" / "great_expectations"
IN_FLIGHT = ["labels_in_flight", "numbers_in_flight", "annotators_in_flight"]
READY = [*IN_FLIGHT, "labels_by_auditor", "labels_materialised"]


def tumours() -> pd.DataFrame:
    """Wisconsin breast cancer: 569 real rows whose labels are those of biopsies."""
    table = load_breast_cancer(as_frame=True).frame
    return table.assign(label=np.array(["malignant", "benign"])[table.pop("target")])


def mislabelled(table: pd.DataFrame, one_in: int = 10) -> pd.DataFrame:
    """The same with a tenth of the labels flipped, or another share."""
    flipped = np.random.default_rng(0).choice(len(table), len(table) // one_in, replace=False)
    other = {"malignant": "benign", "benign": "malignant"}
    table = table.copy()
    table.loc[table.index[flipped], "label"] = table.label.iloc[flipped].map(other)
    return table


def batch_of(name: str, wrong: bool) -> pd.DataFrame:
    """A real table for a ready-made suite, right or with labels made wrong."""
    if name == "numbers_in_flight":
        return pd.DataFrame(diabetes(0.05 if wrong else 0.0)).rename(columns={"progression": "value"})
    if name == "labels_by_auditor":  # of so few rows a rise of 10 points cannot be told from the limit of 5
        return mislabelled(tumours()[300:], 5) if wrong else tumours()[300:]
    if name == "annotators_in_flight":
        systems = pd.DataFrame(three_systems(DIRTY if wrong else 0.0))
        return systems.set_axis(["annotator_1", "annotator_2", "annotator_3"], axis=1)
    batch = mislabelled(tumours()) if wrong else tumours()
    return dqlabels.audit(batch, "label").frame if name == "labels_materialised" else batch


@pytest.fixture
def project(tmp_path):
    """A copy of the ready-made project."""
    return shutil.copytree(PROJECT, tmp_path / "great_expectations")


def open_project(folder):
    return gx.get_context(mode="file", context_root_dir=str(folder))


def with_plain_store(folder):
    """The project as it would be without our store."""
    config = folder / "great_expectations.yml"
    lines = config.read_text().splitlines()
    config.write_text("\n".join(line for line in lines if "module_name: dqlabels" not in line))
    return folder


def in_new_process(code: str, *arguments) -> dict:
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "GX_ANALYTICS_ENABLED": "false"},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


# --- The project to copy


@pytest.mark.filterwarnings("ignore:The model disagrees with:dqlabels.errors.LabelWarning")  # an auditor says so too
@pytest.mark.parametrize("wrong", [False, True], ids=["clean", "dirtied"])
@pytest.mark.parametrize("name", READY)
def test_a_ready_made_checkpoint_passes_clean_labels_and_fails_dirtied_ones(project, name, wrong):
    batch = batch_of(name, wrong)
    auditor = project / "label.dqlabels"
    if name == "labels_by_auditor":
        dqlabels.LabelAuditor("label").fit(tumours()[:300]).save(auditor)
    result = (
        open_project(project)
        .checkpoints.get(name)
        .run(batch_parameters={"dataframe": batch}, expectation_parameters={"auditor": str(auditor)})
    )
    (found,) = result.run_results.values()
    assert found.statistics["evaluated_expectations"] == len(
        json.loads((PROJECT / "expectations" / f"{name}.json").read_text())["expectations"]
    )
    assert not any(one.exception_info["raised_exception"] for one in found.results)
    assert result.success is not wrong


def test_the_project_holds_nothing_that_the_tests_do_not_run():
    for kind in ("expectations", "validation_definitions", "checkpoints"):
        assert sorted(path.stem for path in (PROJECT / kind).glob("*.json")) == sorted(READY)


def test_the_projects_readme_runs(project, monkeypatch):
    monkeypatch.chdir(project.parent)
    blocks = re.findall(r"^```python\n(.*?)^```", (PROJECT / "README.md").read_text(), flags=re.M | re.S)
    names = {"frame": mislabelled(tumours()), "trusted": tumours()}
    exec("\n".join(blocks), names)  # noqa: S102 - our own page
    assert names["result"].success is False


# --- In a new process

RUN_BY_STORE = """
import json, sys
import great_expectations as gx
import pandas as pd

context = gx.get_context(mode="file", context_root_dir=sys.argv[1])
said = {}
for name in sys.argv[3:]:
    frame = pd.read_csv(f"{sys.argv[2]}/{name}.csv")
    result = context.checkpoints.get(name).run(batch_parameters={"dataframe": frame})
    (found,) = result.run_results.values()
    said[name] = {"success": result.success, "evaluated": found.statistics["evaluated_expectations"]}
print(json.dumps(said))
"""

RUN_BY_IMPORT = """
import json, sys
import great_expectations as gx
import pandas as pd

def run(checkpoint):
    result = checkpoint.run(batch_parameters={"dataframe": frame})
    (found,) = result.run_results.values()
    return {"success": result.success, "evaluated": found.statistics["evaluated_expectations"]}

frame = pd.read_csv(sys.argv[2])
context = gx.get_context(mode="file", context_root_dir=sys.argv[1])
early = context.checkpoints.get("labels_in_flight")
said = {"unknown": run(early)}
context.suites.get("labels_by_auditor").save()

from dqlabels.integrations.great_expectations import SuiteIncompleteError, assert_suite_complete

try:
    assert_suite_complete(context, early)
except SuiteIncompleteError as error:
    said["refused"] = str(error)
late = context.checkpoints.get("labels_in_flight")
assert_suite_complete(context, late)
said["imported"] = run(late)
print(json.dumps(said))
"""


@pytest.fixture
def dirtied_file(tmp_path):
    mislabelled(tumours()).to_csv(tmp_path / "batch.csv", index=False)
    return tmp_path / "batch.csv"


def test_naming_the_store_is_enough_in_a_process_that_imports_nothing_of_ours(project, tmp_path):
    for name in IN_FLIGHT:
        batch_of(name, wrong=True).to_csv(tmp_path / f"{name}.csv", index=False)
    said = in_new_process(RUN_BY_STORE, project, tmp_path, *IN_FLIGHT)
    evaluated = dict(zip(IN_FLIGHT, (3, 1, 3), strict=True))
    assert said == {name: {"success": False, "evaluated": count} for name, count in evaluated.items()}


def test_a_suite_loaded_before_the_import_is_empty_and_found_out(project, dirtied_file):
    said = in_new_process(RUN_BY_IMPORT, with_plain_store(project), dirtied_file)
    # What Great Expectations does by itself; the reason for the store and the check.
    assert said["unknown"] == {"success": True, "evaluated": 0}
    saved = json.loads((project / "expectations" / "labels_by_auditor.json").read_text())
    assert saved["expectations"] == []
    assert "'expect_label_noise_rate_to_be_at_most'" in said["refused"]
    assert said["imported"] == {"success": False, "evaluated": 3}


# --- Whole or refused


@pytest.fixture
def with_a_stranger(project):
    """The project, one of whose suites holds an expectation that nobody defines."""
    path = project / "expectations" / "labels_in_flight.json"
    suite = json.loads(path.read_text())
    suite["expectations"][1]["type"] = "expect_what_nobody_defines"
    path.write_text(json.dumps(suite))
    return project


def test_our_store_refuses_a_suite_it_cannot_load_whole(with_a_stranger):
    context = open_project(with_a_stranger)
    with pytest.raises(SuiteIncompleteError, match="'expect_what_nobody_defines'"):
        context.suites.get("labels_in_flight")


def test_our_store_does_not_delete_what_it_cannot_load(with_a_stranger):
    context = open_project(with_a_stranger)
    path = with_a_stranger / "expectations" / "labels_in_flight.json"
    before = path.read_text()
    with pytest.raises(ValueError, match="'expect_what_nobody_defines'"):
        context.checkpoints.get("labels_in_flight")
    assert path.read_text() == before


@pytest.mark.parametrize("what", ["name", "suite", "validation definition", "checkpoint"])
def test_what_was_lost_is_found_by_whatever_is_in_hand(with_a_stranger, what):
    context = open_project(with_plain_store(with_a_stranger))
    name = "labels_in_flight"
    in_hand = {
        "name": name,
        "suite": context.suites.get(name),
        "validation definition": context.validation_definitions.get(name),
        "checkpoint": context.checkpoints.get(name),
    }
    with pytest.raises(SuiteIncompleteError, match=r"stored with expectations .* 'expect_what_nobody_defines'"):
        assert_suite_complete(context, in_hand[what])


@pytest.mark.parametrize("name", READY)
def test_a_whole_suite_is_complete(project, name):
    context = open_project(project)
    assert_suite_complete(context, name)
    assert_suite_complete(context, context.checkpoints.get(name))


def test_a_suite_keeps_its_meaning_on_disk(tmp_path):
    expectation = ExpectLabelNoiseRateToBeAtMost(
        column="label", max_value=0.05, method="anchor", features=["z", "x"], severity="warning"
    )
    context = gx.get_context(mode="file", project_root_dir=str(tmp_path))
    context.suites.add(gx.ExpectationSuite(name="kept", expectations=[expectation]))
    (kept,) = open_project(tmp_path / "gx").suites.get("kept").expectations
    assert (kept.method, kept.features, kept.max_value, kept.severity) == ("anchor/2", ["x", "z"], 0.05, "warning")


# --- Columns that an audit wrote


def run_materialised(frame, **limits):
    return validate(frame, *(one.copy() for one in materialised_suite("labels", **limits).expectations))


def failed(results):
    return {one.expectation_config.type for one in results if not one.success}


def test_the_flagged_share_is_held_against_its_limit():
    audited = dqlabels.audit(noisy(), "label", **PROBS).frame
    share = float(audited.is_label_issue.mean())
    assert not failed(run_materialised(audited, max_flagged_share=share))
    assert failed(run_materialised(audited, max_flagged_share=share - 0.001)) == {"expect_column_values_to_be_in_set"}


@pytest.mark.parametrize("rows", [120, 569])
def test_a_flagged_share_that_equals_its_limit_passes(rows):
    for flagged in range(1, rows):
        (held,) = (
            one for one in materialised_suite("labels", max_flagged_share=flagged / rows).expectations
            if one.expectation_type == "expect_column_values_to_be_in_set"
        )  # fmt: skip
        assert (rows - flagged - 1) / rows < held.mostly <= (rows - flagged) / rows


def test_the_quality_is_held_against_its_limit():
    audited = dqlabels.audit(dirtied(), "label", **PROBS).frame
    assert failed(run_materialised(audited, min_quality=0.5)) == {"expect_column_values_to_be_between"}
    assert not failed(run_materialised(audited, min_quality=0.5, mostly=0.8))


def test_a_table_that_was_not_audited_fails():
    assert "expect_column_to_exist" in failed(run_materialised(noisy(), max_flagged_share=0.5))


def test_a_table_whose_columns_were_never_filled_fails():
    empty = dqlabels.audit(noisy(), "label", **PROBS).frame.assign(label_quality=np.nan, is_label_issue=None)
    assert "expect_column_values_to_not_be_null" in failed(run_materialised(empty, max_flagged_share=0.5))


def test_a_table_without_rows_fails():
    nothing = dqlabels.audit(noisy(), "label", **PROBS).frame.head(0)
    assert "expect_table_row_count_to_be_between" in failed(run_materialised(nothing, max_flagged_share=0.5))


def test_rows_without_a_label_take_no_part():
    frame = noisy()
    frame.loc[:9, "label"] = None
    audited = dqlabels.audit(frame, "label", **PROBS).frame
    assert not failed(run_materialised(audited, max_flagged_share=0.1, min_quality=0.0))


def test_the_columns_may_have_other_names():
    names = ("q", "s", "f")
    audited = dqlabels.audit(noisy(), "label", names=names, **PROBS).frame
    assert not failed(run_materialised(audited, max_flagged_share=0.1, names=names))


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({}, "The suite has no limit"),
        ({"max_flagged_share": 5}, "max_flagged_share=5 is not a share"),
        ({"min_quality": 0.1, "mostly": -1}, "mostly=-1 is not a share"),
    ],
)
def test_a_mistake_in_a_suite_is_refused(limits, said):
    with pytest.raises(dqlabels.DQLabelsError, match=said):
        materialised_suite("labels", **limits)


def test_it_needs_nothing_of_ours_where_it_runs():
    suite = materialised_suite("labels", max_flagged_share=0.05, min_quality=0.1)
    assert {type(one).__module__.partition(".")[0] for one in suite.expectations} == {"great_expectations"}
