"""Every recipe of docs/recipes.md runs where its package is installed, and stops on a limit that is too strict."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys

import pytest
from support.frames import ROOT

PAGE = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python (\w+)\n(.*?)^```", PAGE, flags=re.M | re.S)
PACKAGES = sorted({package for package, _ in BLOCKS})


def test_the_page_has_its_recipes():
    assert PACKAGES == ["dagster", "dataframely", "pointblank"]


@pytest.fixture(params=PACKAGES)
def recipe(request: pytest.FixtureRequest) -> str:
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed; the stage 'Recipes' of .ci/run has it")
    return "\n".join(code for package, code in BLOCKS if package == request.param)


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_recipe_runs(recipe):
    done = run(recipe)
    assert done.returncode == 0, done.stderr


def test_a_recipe_stops_on_bad_labels(recipe):
    assert "max_noise_rate=0.10" in recipe
    done = run(recipe.replace("max_noise_rate=0.10", "max_noise_rate=0.01"))
    assert done.returncode == 1
    assert "FAIL: the label-noise rate" in done.stdout + done.stderr
