"""The pages that tests run, and what each needs beyond the library itself."""

from __future__ import annotations

import importlib.util
import os
import shutil

import pytest

from support.frames import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# What a page needs beyond the library itself.
NEEDS = {
    "annotators.md": "pandera",
    "from-cleanlab.md": "cleanlab",
    "great-expectations.md": "great_expectations",
    "images.md": "PIL",
    "pandera.md": "pandera.backends.narwhals",  # a pandera that writes Polars schemas
    "spark.md": "pyspark",
    "streaming.md": "duckdb",
    "spark_job.py": "pyspark",
}


def skip_unless_there(needed: str | None) -> None:
    if needed == "pyspark" and os.environ.get("DQLABELS_REQUIRE_SPARK") == "1":
        return
    if needed and not importlib.util.find_spec(needed):
        pytest.skip(f"{needed} is not installed")
    if needed == "pyspark" and shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.skip("Spark needs Java, and there is none on this machine")
