"""A user's script of plain functions and results: mypy and pyright agree on its types, and it runs."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys

import pytest
from support.frames import ROOT

SCRIPT = "tests/typing/plain_functions.py"


def passes(*command: str) -> None:
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_mypy_finds_the_types_that_a_users_script_and_the_page_on_types_assert(tmp_path):
    pytest.importorskip("mypy", reason="mypy is not installed")
    page = (ROOT / "docs/typing.md").read_text(encoding="utf-8")
    script = tmp_path / "page.py"
    script.write_text("\n".join(re.findall(r"^```python\n(.*?)^```", page, flags=re.M | re.S)), encoding="utf-8")
    # As for a user, whose configuration is not ours and who is told nothing of what is inside dqlabels. Both scripts
    # at once, since reading the libraries is what takes the time.
    passes("mypy", "--strict", "--config-file=", "--follow-imports=silent", SCRIPT, str(script))


def test_pyright_finds_the_types_that_a_users_script_asserts():
    pytest.importorskip("pyright", reason="pyright is not installed")
    passes("pyright", "--pythonpath", sys.executable, SCRIPT)


@pytest.mark.filterwarnings("ignore::dqlabels.LabelWarning")
def test_a_users_script_runs():
    runpy.run_path(str(ROOT / SCRIPT), run_name="__main__")
