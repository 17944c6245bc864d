"""Every recipe of docs/recipes.md runs where its package is installed, and stops on labels that it must not pass."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from support.command import run as run_command
from support.frames import ROOT

from dqlabels import LabelAuditor

PAGE = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+) (\w+)\n(.*?)^```", PAGE, flags=re.M | re.S)
SCRIPTS = ("dagster", "dataframely", "pointblank")  # dbt's blocks are files of a project
# What makes a recipe's labels, or its limit, such that it must not pass.
STOPPED_BY = {
    "dagster": ("return table[600:]", 'return table[600:].with_columns(pl.col("risk").reverse())'),
    "dataframely": ("max_noise_rate=0.10", "max_noise_rate=0.01"),
    "pointblank": ("max_noise_rate=0.10", "max_noise_rate=0.01"),
}


def block(language: str, package: str) -> str:
    return "\n".join(code for form, name, code in BLOCKS if (form, name) == (language, package))


def test_the_page_has_its_recipes():
    assert sorted({name for form, name, _ in BLOCKS if form == "python"}) == sorted([*SCRIPTS, "dbt"])


@pytest.fixture(params=SCRIPTS)
def recipe(request: pytest.FixtureRequest) -> tuple[str, str]:
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed; the stage 'Recipes' of .ci/run has it")
    return request.param, block("python", request.param)


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_recipe_runs(recipe):
    done = run(recipe[1])
    assert done.returncode == 0, done.stderr


def test_a_recipe_stops_on_bad_labels(recipe):
    name, code = recipe
    before, after = STOPPED_BY[name]
    assert code.count(before) == 1
    done = run(code.replace(before, after))
    assert done.returncode == 1
    assert "FAIL: the label" in done.stdout + done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a job: an auditor, a night as good as the trusted rows, and one of shuffled labels."""
    folder, table = tmp_path_factory.mktemp("job"), pl.read_csv(ROOT / "examples/data/german_credit.csv")
    LabelAuditor("risk").fit(table[:600]).save(folder / "risk.dqlabels")
    (folder / "loans").mkdir()
    table[600:].write_parquet(folder / "loans/good.parquet")
    table[600:].with_columns(pl.col("risk").reverse()).write_parquet(folder / "loans/bad.parquet")
    return folder


def airflow_command(folder: Path, night: str) -> list[str]:
    """The command that Airflow would run, with its template filled in."""
    operator = block("text", "airflow")
    (parts,) = re.findall(r'bash_command=((?:\s*"[^"]*")+)', operator)
    command = "".join(re.findall(r'"([^"]*)"', parts))
    return shlex.split(command.replace("{{ ds }}", night).replace("/data", folder.as_posix()))


@pytest.mark.parametrize(("night", "status"), [("good", 0), ("bad", 1)])
def test_the_command_of_the_airflow_recipe_answers_by_its_status(folder, night, status):
    program, *arguments = airflow_command(folder, night)
    assert program == "dqlabels"
    assert run_command(*arguments).returncode == status


def test_a_retry_takes_its_former_place(folder):
    _, *arguments = airflow_command(folder, "good")
    history = folder / "risk.history.jsonl"
    run_command(*arguments)
    lines = len(history.read_text(encoding="utf-8").splitlines())
    run_command(*arguments)
    assert len(history.read_text(encoding="utf-8").splitlines()) == lines


@pytest.mark.parametrize(("night", "status"), [("good", 0), ("bad", 1)])
def test_the_dbt_model_stops_a_run_on_bad_labels(folder, tmp_path, night, status):
    if importlib.util.find_spec("dbt") is None:
        pytest.skip("dbt is not installed; the stage 'Recipes' of .ci/run has it")
    files = {
        "dbt_project.yml": "name: loans\nprofile: loans\nmodel-paths: [models]\n",
        "profiles.yml": "loans: {target: dev, outputs: {dev: {type: duckdb, path: loans.duckdb}}}\n",
        "models/loans.sql": f"from '{(folder / 'loans' / night).as_posix()}.parquet'\n",
        "models/loans_audited.py": block("python", "dbt"),
        "models/properties.yml": f"version: 2\n{block('yaml', 'dbt')}",
    }
    (tmp_path / "models").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "job").mkdir()
    (tmp_path / "job/risk.dqlabels").write_bytes((folder / "risk.dqlabels").read_bytes())
    command = [sys.executable, "-c", "from dbt.cli.main import cli; cli()", "run", "--profiles-dir", "."]
    environment = os.environ | {"LABELS_FOLDER": str(tmp_path / "job"), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    assert ("have become noisier since they were trusted: +" in done.stdout) == (night == "bad")
