"""The schemas of expectations/pandera: each passes on a real table and fails on it with labels made wrong."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest
from support.frames import ROOT
from support.real_tables import DIRTY, diabetes, digits, three_systems, tumours

pytest.importorskip("pandera")
import pandera.pandas as pa
import pandera.polars as pp
from pandera.errors import SchemaErrors

import dqlabels

FOLDER = ROOT / "expectations" / "pandera"
# Older ones write no Polars schemas, and need more than pyyaml for those of pandas.
stores_schemas = pytest.mark.skipif(
    importlib.util.find_spec("pandera.backends.narwhals") is None, reason="an older pandera"
)


def load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def nightly(tmp_path: Path) -> Any:
    auditor = tmp_path / "diagnosis.dqlabels"
    dqlabels.LabelAuditor("diagnosis").fit(pl.DataFrame(tumours())[:300]).save(auditor)
    return load("nightly").schema(str(auditor))


CASES: dict[str, tuple[Callable[[Path], Any], Callable[..., Any], Callable[..., Any]]] = {
    "tumours_pandas.py": (lambda _: load("tumours_pandas").schema, tumours, pd.DataFrame),
    "tumours_polars.py": (lambda _: load("tumours_polars").schema, tumours, pl.DataFrame),
    "digits_model.py": (lambda _: load("digits_model").Digits, digits, pl.DataFrame),
    "progression_pandas.py": (lambda _: load("progression_pandas").schema, diabetes, pd.DataFrame),
    "systems_polars.py": (lambda _: load("systems_polars").schema, three_systems, pl.DataFrame),
    "nightly.py": (nightly, tumours, pl.DataFrame),
    "tumours_pandas.yaml": (lambda _: pa.DataFrameSchema.from_yaml(FOLDER / "tumours_pandas.yaml"), tumours,
                            pd.DataFrame),
    "tumours_polars.yaml": (lambda _: pp.DataFrameSchema.from_yaml(FOLDER / "tumours_polars.yaml"), tumours,
                            pl.DataFrame),
}  # fmt: skip
NAMES = [pytest.param(name, marks=stores_schemas) if name.endswith(".yaml") else name for name in CASES]


def test_every_file_is_run_here():
    assert {path.name for path in FOLDER.iterdir() if path.suffix in (".py", ".yaml")} == set(CASES)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore:INCONCLUSIVE:dqlabels.LabelWarning")  # nightly.py asks for that warning
@pytest.mark.filterwarnings("ignore:.* copy rows the auditor was fitted on:dqlabels.LabelWarning")
def test_a_clean_table_passes(name, tmp_path):
    make, table, frame = CASES[name]
    make(tmp_path).validate(frame(table()), lazy=True)


@pytest.mark.parametrize("name", NAMES)
def test_a_table_with_wrong_labels_fails_every_check(name, tmp_path):
    make, table, frame = CASES[name]
    schema = make(tmp_path)
    with pytest.raises(SchemaErrors) as failed:
        schema.validate(frame(table(DIRTY)), lazy=True)
    checks = {check.name for check in (schema.to_schema() if isinstance(schema, type) else schema).checks}
    assert {error.check.name for error in failed.value.schema_errors} == checks


@pytest.mark.parametrize("kind", [pl.DataFrame, pl.LazyFrame])
def test_the_function_for_lazy_frames_checks_the_data(kind):
    check = load("tumours_polars").check
    assert isinstance(check(kind(tumours())), kind)
    with pytest.raises(SchemaErrors):
        check(kind(tumours(DIRTY)))


@stores_schemas
def test_the_blocks_of_the_readme_run():
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"^```python\n(.*?)^```", text, flags=re.M | re.S))
    # PySpark says so wherever pandas 3 is installed, and pandera imports it where it is there.
    allowed = "ignore:PySpark does not yet fully support pandas:FutureWarning"
    command = [sys.executable, "-W", "error", "-W", allowed, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
