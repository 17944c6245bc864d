"""The README and pages run where no more is installed than dqlabels with the extras named here."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from support.frames import ROOT

# By page; a page that another package is needed for (cleanlab, Spark, the suites) is tested with all of them.
# One page for each set of extras; tests/support/only_extras.py runs any other by hand.
EXTRAS = {
    "README.md": "cli",
    "docs/etl.md": "polars,skops",
    "docs/guide-data-engineer.md": "polars",
    "docs/quickstart.md": "cli,pandas",
}


@pytest.mark.parametrize("page", EXTRAS)
def test_a_page_runs_with_its_extras_alone(page):
    script = ROOT / "tests/support/only_extras.py"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script), EXTRAS[page], page],
        cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2_000:]
