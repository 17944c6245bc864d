"""A user's script of plain functions and results: mypy and pyright agree on its types, and it runs."""

from __future__ import annotations

import runpy
import subprocess
import sys

import pytest
from support.frames import ROOT

SCRIPT = "tests/typing/plain_functions.py"
# As for a user, whose configuration is not ours and who is told nothing of what is inside dqlabels.
CHECKERS = {
    "mypy": ["mypy", "--strict", "--config-file=", "--follow-imports=silent"],
    "pyright": ["pyright", "--pythonpath", sys.executable],
}


@pytest.mark.parametrize("checker", CHECKERS)
def test_a_users_script_has_the_types_that_it_asserts(checker):
    pytest.importorskip(checker, reason=f"{checker} is not installed")
    command = [sys.executable, "-m", *CHECKERS[checker], SCRIPT]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.filterwarnings("ignore::dqlabels.LabelWarning")
def test_a_users_script_runs():
    runpy.run_path(str(ROOT / SCRIPT), run_name="__main__")
