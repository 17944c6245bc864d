"""Suites that judge batches by a saved auditor: in this process, and in a fresh one that knows nothing but its file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest
from support.frames import two_classes
from support.gx_runs import gx, validate

pytest.importorskip("pandera")
import pandera.pandas as pa
import pandera.polars as pp
from pandera.errors import SchemaError

from dqlabels import LabelAuditor
from dqlabels.errors import OptionError
from dqlabels.integrations import sharing
from dqlabels.integrations.great_expectations import ExpectLabelNoiseIncreaseToBeAtMost, ExpectLabelNoiseRateToBeAtMost
from dqlabels.integrations.pandera import label_noise_at_most, label_noise_increase_at_most

SCHEMAS = {"pandas": (pa, pd.DataFrame), "polars": (pp, pl.DataFrame)}


@pytest.fixture(params=list(SCHEMAS))
def library(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    return SCHEMAS[request.param]


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("auditors") / "label.dqlabels"
    LabelAuditor("label").fit(pl.DataFrame(two_classes(400))).save(path)
    return str(path)


@pytest.fixture(autouse=True)
def nothing_shared():
    sharing.forget_audits()
    yield
    sharing.forget_audits()


def batch(every: int = 20) -> dict[str, list[object]]:
    """120 rows, each ``every``-th of which has the wrong label."""
    table = two_classes(seed=5)
    right = [("no", "yes")[row % 2] for row in range(120)]
    other = {"no": "yes", "yes": "no"}
    return {**table, "label": [other[one] if row % every == 3 else one for row, one in enumerate(right)]}


def audited_by(saved: str, table: dict[str, list[object]]) -> Any:
    import dqlabels

    return dqlabels.load(saved).audit(pd.DataFrame(table))


def test_an_expectation_observes_what_the_auditor_finds(saved):
    (result,) = validate(
        pd.DataFrame(batch()), ExpectLabelNoiseRateToBeAtMost(column="label", max_value=0.2, auditor=saved)
    )
    assert result.result["observed_value"] == audited_by(saved, batch()).noise_rate.estimate


@pytest.mark.parametrize(("every", "success"), [(1000, True), (4, False)])
def test_an_expectation_on_the_increase_needs_no_reference(saved, every, success):
    expectation = ExpectLabelNoiseIncreaseToBeAtMost(column="label", max_value=0.1, auditor=saved)
    (result,) = validate(pd.DataFrame(batch(every)), expectation)
    assert result.success is success


def test_expectations_of_one_run_share_the_loaded_auditor(saved, monkeypatch):
    read, made = [], sharing.read_fitted
    monkeypatch.setattr(sharing, "read_fitted", lambda path, types: read.append(path) or made(path, types))
    rate = ExpectLabelNoiseRateToBeAtMost(column="label", max_value=0.2, auditor=saved)
    increase = ExpectLabelNoiseIncreaseToBeAtMost(column="label", max_value=0.2, auditor=saved)
    validate(pd.DataFrame(batch()), rate, increase)
    assert read == [saved]


def test_an_auditor_that_was_fitted_anew_is_read_anew(saved, tmp_path):
    path = tmp_path / "label.dqlabels"
    path.write_bytes(Path(saved).read_bytes())
    sharing.audit_by_auditor(pd.DataFrame(batch()), "label", {"auditor": str(path)})
    LabelAuditor("label", features=["x"]).fit(pl.DataFrame(two_classes(400))).save(path)
    assert sharing.auditor_columns({"auditor": str(path)}) == ("x",)


@pytest.mark.parametrize("options", [{"features": ["x"]}, {"cv": 5}, {"score": "self_confidence"}, {"task": "ordinal"}])
def test_an_expectation_refuses_by_name_what_the_auditor_settled(saved, options):
    (name,) = options
    with pytest.raises(ValueError, match=f"{name}= together with auditor=: settled when the auditor was fitted"):
        ExpectLabelNoiseRateToBeAtMost(column="label", max_value=0.1, auditor=saved, **options)


def test_an_increase_over_nothing_is_refused():
    with pytest.raises(ValueError, match="An increase needs something to compare with: auditor="):
        ExpectLabelNoiseIncreaseToBeAtMost(column="label", max_value=0.1)


def test_an_auditor_of_another_column_is_an_error_of_the_expectation(saved):
    table = pd.DataFrame({**batch(), "other": batch()["label"]})
    (result,) = validate(table, ExpectLabelNoiseRateToBeAtMost(column="other", max_value=0.1, auditor=saved))
    assert "judges 'label'" in json.dumps(result.exception_info)


def test_a_batch_that_was_audited_before_is_judged_too(saved):
    before = audited_by(saved, batch()).frame
    (result,) = validate(before, ExpectLabelNoiseRateToBeAtMost(column="label", max_value=0.2, auditor=saved))
    assert result.success


def test_a_stored_expectation_holds_the_path_and_nothing_that_the_auditor_settled(saved):
    expectation = ExpectLabelNoiseRateToBeAtMost(column="label", max_value=0.1, auditor=saved)
    kwargs = expectation.configuration.to_json_dict()["kwargs"]
    assert kwargs["auditor"] == saved
    assert {"score", "filter_by", "random_state", "task"}.isdisjoint(kwargs)


def test_a_file_that_is_not_there_is_an_error_of_the_expectation(tmp_path):
    expectation = ExpectLabelNoiseRateToBeAtMost(column="label", max_value=0.1, auditor=str(tmp_path / "none"))
    (result,) = validate(pd.DataFrame(batch()), expectation)
    assert "cannot be read: No such file" in json.dumps(result.exception_info)


@pytest.mark.filterwarnings("ignore:The model disagrees with:dqlabels.errors.LabelWarning")
@pytest.mark.parametrize(("every", "passes"), [(1000, True), (4, False)])
def test_a_check_on_the_increase_needs_no_reference(library, saved, every, passes):
    module, frame = library
    schema = module.DataFrameSchema(checks=[label_noise_increase_at_most("label", 0.1, auditor=saved)])
    if passes:
        schema.validate(frame(batch(every)))
    else:
        with pytest.raises(SchemaError, match="label_noise_increase_at_most: FAIL"):
            schema.validate(frame(batch(every)))


@pytest.mark.parametrize("options", [{"features": ["x"]}, {"model": object()}, {"names": ("a", "b", "c")}])
def test_a_check_refuses_by_name_what_the_auditor_settled(saved, options):
    (name,) = options
    with pytest.raises(OptionError, match=f"{name}= together with auditor=: settled when the auditor was fitted"):
        label_noise_at_most("label", 0.1, auditor=saved, **options)


def test_reference_and_auditor_are_not_taken_together(saved):
    with pytest.raises(OptionError, match="leave reference= out"):
        label_noise_increase_at_most("label", 0.1, auditor=saved, reference=saved)


def test_a_schema_that_filters_columns_judges_by_those_it_takes_out(library, saved):
    module, frame = library
    check = label_noise_at_most("label", 0.001, auditor=saved)
    schema = module.DataFrameSchema({"label": module.Column(str)}, strict="filter", checks=[check])
    with pytest.raises(SchemaError) as found:
        schema.validate(frame(batch()))
    assert audited_by(saved, batch()).gate(max_noise_rate=0.001).message.splitlines()[0] in str(found.value)


def test_a_schema_that_filters_columns_says_which_were_never_there(library, saved):
    module, frame = library
    check = label_noise_at_most("label", 0.5, auditor=saved)
    schema = module.DataFrameSchema({"label": module.Column(str)}, strict="filter", checks=[check])
    with pytest.raises(SchemaError, match="lacks 1 of the 2 columns that its labels are judged by: 'x'"):
        schema.validate(frame({name: values for name, values in batch().items() if name != "x"}))


def test_rows_that_a_parser_may_have_changed_get_no_columns_of_others(saved):
    def last_first(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.iloc[::-1].reset_index(drop=True)

    check = label_noise_at_most("label", 0.5, auditor=saved)
    schema = pa.DataFrameSchema(
        {"label": pa.Column(str)}, strict="filter", checks=[check], parsers=pa.Parser(last_first)
    )
    with pytest.raises(SchemaError, match="lacks 2 of the 2 columns"):
        schema.validate(pd.DataFrame(batch()))


@pytest.mark.parametrize("some", [{"head": 60}, {"sample": 120, "random_state": 0}], ids=["fewer", "in another order"])
def test_rows_that_are_sampled_get_no_columns_of_others(saved, some):
    check = label_noise_at_most("label", 0.5, auditor=saved)
    schema = pa.DataFrameSchema({"label": pa.Column(str)}, strict="filter", checks=[check])
    with pytest.raises(SchemaError, match="lacks 2 of the 2 columns"):
        schema.validate(pd.DataFrame(batch()), **some)


def test_a_model_of_few_columns_judges_by_all(saved):
    check = {"label": "label", "max_value": 0.2, "auditor": saved}

    class Labels(pa.DataFrameModel):
        label: str

        class Config:
            label_noise_at_most = check

    assert Labels.validate(pd.DataFrame(batch())).shape == (120, 3)


def test_pandera_checks_with_one_auditor_share_an_audit(saved, monkeypatch):
    judged, made = [], sharing.audit_by_auditor
    monkeypatch.setattr(sharing, "audit_by_auditor", lambda *given: judged.append(1) or made(*given))
    checks = [check("label", 0.2, auditor=saved) for check in (label_noise_at_most, label_noise_increase_at_most)]
    pa.DataFrameSchema(checks=checks).validate(pd.DataFrame(batch()))
    assert judged == [1]


@pytest.fixture
def nights(tmp_path) -> list[str]:
    """Files of a night of right labels and of one of which every fourth is wrong."""
    paths = [str(tmp_path / f"{name}.parquet") for name in ("right", "wrong")]
    for path, every in zip(paths, (1000, 4), strict=True):
        pd.DataFrame(batch(every)).to_parquet(path)
    return paths


def verdicts_of_a_fresh_process(program: str, *arguments: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "GX_ANALYTICS_ENABLED": "false"},
    )
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.splitlines() if line.startswith("verdict")]


CHECKPOINT = """
    import sys
    import great_expectations as gx, pandas as pd
    import dqlabels.integrations.great_expectations

    folder, *tables = sys.argv[1:]
    context = gx.get_context(mode="file", project_root_dir=folder)
    for table in tables:
        result = context.checkpoints.get("labels").run(batch_parameters={"dataframe": pd.read_parquet(table)})
        print("verdict", result.success)
"""


def test_a_stored_checkpoint_judges_by_the_auditor_in_a_fresh_process(saved, tmp_path, nights):
    context = gx.get_context(mode="file", project_root_dir=str(tmp_path))
    source = context.data_sources.add_pandas("p").add_dataframe_asset("a").add_batch_definition_whole_dataframe("b")
    expectation = ExpectLabelNoiseIncreaseToBeAtMost(column="label", max_value=0.1, auditor=saved)
    suite = context.suites.add(gx.ExpectationSuite(name="labels", expectations=[expectation]))
    definition = gx.ValidationDefinition(name="labels", data=source, suite=suite)
    definition = context.validation_definitions.add(definition)
    context.checkpoints.add(gx.Checkpoint(name="labels", validation_definitions=[definition]))
    assert verdicts_of_a_fresh_process(CHECKPOINT, str(tmp_path), *nights) == ["verdict True", "verdict False"]


SCHEMAS_OF_ONE_COLUMN = """
    import sys
    import pandas, pandera.pandas, pandera.polars, polars
    from pandera.errors import SchemaError
    from dqlabels.integrations.pandera import label_noise_increase_at_most

    saved, *tables = sys.argv[1:]
    check = label_noise_increase_at_most("label", 0.1, auditor=saved)
    for library, pa in ((pandas, pandera.pandas), (polars, pandera.polars)):
        schema = pa.DataFrameSchema({"label": pa.Column(str)}, strict="filter", checks=[check])
        for table in tables:
            try:
                schema.validate(library.read_parquet(table))
            except SchemaError:
                print("verdict False")
            else:
                print("verdict True")
"""


def test_a_schema_judges_by_the_auditor_in_a_fresh_process(saved, nights):
    verdicts = verdicts_of_a_fresh_process(SCHEMAS_OF_ONE_COLUMN, saved, *nights)
    assert verdicts == ["verdict True", "verdict False"] * 2
