"""A label check of pandera runs, or says that it did not; and it survives being written to YAML and JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import narwhals.stable.v1 as nw
import pandas as pd
import polars as pl
import pytest
from support.pandera_backends import NEWER, narwhals_backend
from support.real_tables import DIRTY, tumours

pytest.importorskip("pandera")
import pandera.config
import pandera.pandas as pa
import pandera.polars as pp
from pandera.config import ValidationDepth, config_context
from pandera.errors import SchemaDefinitionError, SchemaError, SchemaErrorReason, SchemaErrors

from dqlabels import LabelWarning
from dqlabels.errors import GateNotRunError, LabelColumnError, OptionError
from dqlabels.integrations.pandera import (
    class_label_noise_at_most,
    label_noise_at_most,
    label_noise_increase_at_most,
    label_pair_share_at_most,
    label_quality_at_least,
    validate,
)


def schema(module: Any, **options: Any) -> Any:
    return module.DataFrameSchema(checks=[label_noise_at_most("diagnosis", 0.05)], **options)


EAGER = {"pandas": (pa, pd.DataFrame), "polars": (pp, pl.DataFrame)}
eager = pytest.mark.parametrize(("module", "frame"), EAGER.values(), ids=EAGER)


# A LazyFrame


def test_pandera_alone_skips_the_data_of_a_lazy_frame():
    """What all this is against; where pandera stops doing so, the guard may go."""
    ran = []
    pp.DataFrameSchema(checks=[pp.Check(lambda data: ran.append(data) or False)]).validate(pl.LazyFrame({"x": [1]}))
    assert ran == []


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("share", [0.0, DIRTY])
def test_a_schema_given_a_lazy_frame_refuses_rather_than_passes(share, lazy):
    with pytest.raises(GateNotRunError, match="would not run: given a LazyFrame") as refused:
        schema(pp).validate(pl.LazyFrame(tumours(share)), lazy=lazy)
    assert "label_noise_at_most('diagnosis')" in str(refused.value)


def test_a_model_given_a_lazy_frame_refuses_too():
    class Tumours(pp.DataFrameModel):
        diagnosis: str

        class Config:
            label_noise_at_most = ("diagnosis", 0.05)

    with pytest.raises(GateNotRunError):
        Tumours.validate(pl.LazyFrame(tumours()))


def test_validate_runs_on_a_lazy_frame_and_gives_it_back():
    assert isinstance(validate(schema(pp), pl.LazyFrame(tumours())), pl.LazyFrame)
    with pytest.raises(SchemaError, match="FAIL: the label-noise rate"):
        validate(schema(pp), pl.LazyFrame(tumours(DIRTY)))


def test_a_lazy_frame_is_checked_where_pandera_is_told_to():
    with config_context(validation_depth=ValidationDepth.SCHEMA_AND_DATA):
        schema(pp).validate(pl.LazyFrame(tumours()))
        with pytest.raises(SchemaError):
            schema(pp).validate(pl.LazyFrame(tumours(DIRTY)))


def test_a_schema_without_label_checks_is_validated_as_ever():
    pp.DataFrameSchema({"x": pp.Column(pl.Int64, pp.Check.gt(5))}).validate(pl.LazyFrame({"x": [1]}))


# pandera told to skip checks


@eager
def test_a_skipped_check_is_said(monkeypatch, module, frame):
    monkeypatch.setattr(pandera.config.CONFIG, "validation_depth", ValidationDepth.SCHEMA_ONLY)
    with (
        config_context(validation_depth=ValidationDepth.SCHEMA_ONLY),
        pytest.warns(LabelWarning, match=r"label_noise_at_most\('diagnosis'\) did not run"),
    ):
        schema(module).validate(frame(tumours(DIRTY)))


@eager
@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"validation_depth": ValidationDepth.SCHEMA_ONLY}, "validation_depth=SCHEMA_ONLY"),
        ({"validation_enabled": False}, "validation_enabled=False"),
    ],
)
def test_validate_refuses_where_pandera_would_skip(module, frame, setting, words):
    with config_context(**setting), pytest.raises(GateNotRunError, match=words):
        validate(schema(module), frame(tumours(DIRTY)))


@eager
def test_validate_refuses_a_schema_without_a_label_check(module, frame):
    with pytest.raises(OptionError, match="holds no label check"):
        validate(module.DataFrameSchema(), frame({"x": [1]}))


def test_validate_says_which_check_did_not_run():
    class Skips(pp.DataFrameSchema):
        def validate(self, check_obj, *args, **kwargs):
            return check_obj

    with pytest.raises(GateNotRunError, match=r"label_noise_at_most\('diagnosis'\) did not run"):
        validate(Skips(checks=schema(pp).checks), pl.DataFrame(tumours()))


# A check that raises


@eager
@pytest.mark.parametrize("options", [{}, {"drop_invalid_rows": True}], ids=["plain", "drop_invalid_rows"])
def test_a_check_that_cannot_run_is_an_error(module, frame, options):
    broken = module.DataFrameSchema(checks=[label_noise_at_most("diagnosys", 0.05)], **options)
    with pytest.raises((SchemaError, SchemaErrors)) as found:
        broken.validate(frame(tumours()), lazy=True)
    assert "LabelColumnError" in str(found.value)
    assert "Did you mean 'diagnosis'?" in str(found.value)


@eager
def test_the_error_is_the_cause_and_its_message_is_short(module, frame):
    with pytest.raises(SchemaError) as found:
        module.DataFrameSchema(checks=[label_noise_at_most("diagnosys", 0.05)]).validate(frame(tumours()))
    assert isinstance(found.value.__cause__, LabelColumnError)
    assert found.value.reason_code is SchemaErrorReason.CHECK_ERROR
    assert "auditor.py" not in str(found.value)  # nor where inside the audit it arose


@eager
def test_rows_are_dropped_where_the_schema_says_so(module, frame):
    kept = schema(module, drop_invalid_rows=True).validate(frame(tumours(DIRTY)), lazy=True)
    assert 420 < len(kept) < 500


@eager
def test_a_failure_that_names_no_row_cannot_be_dropped(module, frame):
    table = {"x": [0.0, 1.0] * 30, "y": ["a", "b", "b", "a"] * 15, "p_a": [0.5] * 60, "p_b": [0.5] * 60}
    check = label_noise_at_most("y", 0.0, decide="confident", on_inconclusive="fail", pred_probs=["p_a", "p_b"])
    with pytest.raises((SchemaError, SchemaErrors)):
        module.DataFrameSchema(checks=[check], drop_invalid_rows=True).validate(frame(table), lazy=True)


@eager
def test_a_check_of_a_column_is_told_where_it_belongs(module, frame):
    misplaced = module.DataFrameSchema({"diagnosis": module.Column(str, label_noise_at_most("diagnosis", 0.05))})
    with pytest.raises((SchemaError, SchemaDefinitionError), match=r"Move it from Column\(checks"):
        misplaced.validate(frame(tumours()))


def test_a_spark_frame_is_refused_by_name():
    frame = type("DataFrame", (), {"__module__": "pyspark.sql.dataframe"})()
    with pytest.raises(SchemaDefinitionError, match="Spark"):
        label_noise_at_most("diagnosis", 0.05)(frame)


@pytest.mark.parametrize("wrap", [pd.DataFrame, pl.LazyFrame])
def test_the_narwhals_back_end_is_answered_in_its_own_frames(wrap):
    """As pandera's PANDERA_USE_NARWHALS_BACKEND hands a frame over."""
    answer = label_noise_at_most("diagnosis", 0.05)(nw.from_native(wrap(tumours(DIRTY))))
    listed = answer.failure_cases.lazy().collect()
    assert listed.columns == ["given", "suggested", "quality"]
    assert answer.check_passed.lazy().collect().to_native().to_dict()["check_output"][0] == False  # noqa: E712


@pytest.mark.skipif(not NEWER, reason="an older pandera")
def test_the_narwhals_back_end_fails_passes_and_refuses_alike():
    done = narwhals_backend(
        """
import pandas as pd, polars as pl, pandera.pandas as pa, pandera.polars as pp
from pandera.errors import SchemaErrors
from support.real_tables import DIRTY, tumours
from dqlabels.errors import GateNotRunError
from dqlabels.integrations.pandera import label_noise_at_most, validate

for module, frame in ((pa, pd.DataFrame), (pp, pl.DataFrame), (pp, pl.LazyFrame)):
    schema = module.DataFrameSchema(checks=[label_noise_at_most("diagnosis", 0.05)])
    validate(schema, frame(tumours()))
    try:
        validate(schema, frame(tumours(DIRTY)), lazy=True)
    except SchemaErrors as error:
        print(frame.__name__, len(error.failure_cases), "FAIL: the label-noise rate" in str(error))
try:
    schema.validate(pl.LazyFrame(tumours()))
except GateNotRunError:
    print("refused")
"""
    )
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["DataFrame", "DataFrame", "LazyFrame", "refused"], done.stderr
    assert len({line.split(" ", 1)[1] for line in lines[:3]}) == 1
    assert lines[0].endswith("True")


# YAML and JSON

STORED = [
    lambda: label_noise_at_most("diagnosis", 0.05, decide="confident", on_inconclusive="fail", random_state=2),
    lambda: class_label_noise_at_most("diagnosis", {"benign": 0.05, "malignant": 0.1}, features=["mean radius"]),
    lambda: class_label_noise_at_most("digit", {0: 0.05, 7: 0.1}),
    lambda: label_pair_share_at_most("diagnosis", {("benign", "malignant"): 0.05}),
    lambda: label_noise_increase_at_most("diagnosis", 0.02, reference="reference.json"),
    lambda: label_quality_at_least("diagnosis", 0.2, mostly=0.95, raise_warning=True, n_failure_cases=5),
]


@pytest.fixture(params=[pa, pp], ids=["pandas", "polars"])
def storing(request: pytest.FixtureRequest) -> Any:
    if not NEWER:
        pytest.skip("an older pandera: it writes no Polars schemas, and needs more than pyyaml for those of pandas")
    return request.param


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_a_schema_comes_back_from_yaml_and_json_as_it_was(storing, form):
    stored = storing.DataFrameSchema(checks=[make() for make in STORED], name="stored")
    back = getattr(storing.DataFrameSchema, f"from_{form}")(getattr(stored, f"to_{form}")())
    assert back.checks == [make() for make in STORED]


def test_a_stored_schema_decides_alike(storing):
    frame = pd.DataFrame if storing is pa else pl.DataFrame
    back = storing.DataFrameSchema.from_yaml(schema(storing).to_yaml())
    back.validate(frame(tumours()))
    with pytest.raises(SchemaErrors) as found:
        back.validate(frame(tumours(DIRTY)), lazy=True)
    with pytest.raises(SchemaErrors) as expected:
        schema(storing).validate(frame(tumours(DIRTY)), lazy=True)
    assert found.value.failure_cases.equals(expected.value.failure_cases)


def test_what_a_check_said_is_not_stored(storing):
    frame = pd.DataFrame if storing is pa else pl.DataFrame
    used = schema(storing)
    with pytest.raises(SchemaError):
        used.validate(frame(tumours(DIRTY)))
    assert used.to_yaml() == schema(storing).to_yaml()


def test_a_schema_or_a_model_without_our_module_fails_and_names_the_check(tmp_path):
    for name, module in (("pandas", pa), ("polars", pp)) if NEWER else ():
        (tmp_path / f"{name}.json").write_text(schema(module).to_json(), encoding="utf-8")
    code = """
import pathlib
import pandera.pandas, pandera.polars
def model():
    class Model(pandera.polars.DataFrameModel):
        class Config:
            label_noise_at_most = ("y", 0.05)
    return Model.to_schema()
tries = {"model": model}
for path in pathlib.Path().glob("*.json"):
    of = getattr(pandera, path.stem).DataFrameSchema.from_json
    tries[path.stem] = lambda of=of, path=path: of(path)
for name, attempt in tries.items():
    try:
        attempt()
    except AttributeError as error:
        print(name, error)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    said = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert said.keys() == ({"model", "pandas", "polars"} if NEWER else {"model"}), done.stderr
    assert all("label_noise_at_most" in error for error in said.values())


def test_the_core_loads_without_pandera():
    code = "import sys, dqlabels; dqlabels.audit; print('pandera' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_missing_pandera_is_said_with_its_cure():
    code = (
        "import sys; sys.modules['pandera'] = None\n"
        "try:\n    import dqlabels.integrations.pandera\n"
        "except ImportError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 'pip install "dqlabels[pandera]"' in done.stdout


def test_a_reference_is_read_when_the_check_runs(tmp_path):
    path = tmp_path / "reference.json"
    check = label_noise_increase_at_most("diagnosis", 0.05, reference=path)
    with pytest.raises(SchemaError, match="FileNotFoundError"):
        pp.DataFrameSchema(checks=[check]).validate(pl.DataFrame(tumours()))
    path.write_text(json.dumps({"format": 1}), encoding="utf-8")
    with pytest.raises(SchemaError, match="reference"):
        pp.DataFrameSchema(checks=[check]).validate(pl.DataFrame(tumours()))
