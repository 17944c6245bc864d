"""Every Python block of the README and of docs/ runs, from top to bottom of its page."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# What a page needs beyond the library itself.
NEEDS = {
    "from-cleanlab.md": "cleanlab",
    "great-expectations.md": "great_expectations",
    "pandera.md": "pandera.backends.narwhals",  # a pandera that writes Polars schemas
    "spark.md": "pyspark",
    "spark_job.py": "pyspark",
}
# Great Expectations imports two modules that Python 3.11 deprecates.
IGNORED = [f"ignore:module {name!r} is deprecated:DeprecationWarning" for name in ("sre_constants", "sre_parse")]
# PySpark says so wherever pandas 3 is installed.
IGNORED.append("ignore:PySpark does not yet fully support pandas:FutureWarning")
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def run(code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", *(f"-W{filtered}" for filtered in IGNORED), "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "GX_ANALYTICS_ENABLED": "false"},
    )
    assert done.returncode == 0, done.stderr


def skip_unless_there(needed: str | None) -> None:
    if needed == "pyspark" and os.environ.get("DQLABELS_REQUIRE_SPARK") == "1":
        return
    if needed and not importlib.util.find_spec(needed):
        pytest.skip(f"{needed} is not installed")
    if needed == "pyspark" and shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.skip("Spark needs Java, and there is none on this machine")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_blocks_of_a_page_run(page: Path):
    skip_unless_there(NEEDS.get(page.name))
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    run("\n".join(blocks))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_runs(example: Path):
    skip_unless_there(NEEDS.get(example.name))
    run(example.read_text(encoding="utf-8"))


@pytest.mark.parametrize("heading", ["Run it", "Test it"])
def test_the_readme_has_its_two_commands(heading: str):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(rf"^## {heading}\n+```\w*\n(.*?)```", text, flags=re.M | re.S)
    assert len(block.strip().splitlines()) == 1
