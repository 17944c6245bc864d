"""The Python blocks of the README and of docs/ run where no more is installed than the page says, without a warning.

Pages that say the same share a process, which spares the imports. What a page says is its first ``pip install``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import defaultdict

import pytest
from support.frames import ROOT
from support.only_extras import code_of, install_line
from support.pages import NEEDS, PAGES, skip_unless_there

TOGETHER: dict[tuple[str, str | None], list[str]] = defaultdict(list)
for page in PAGES:
    if code_of(page):
        TOGETHER[install_line(page), NEEDS.get(page.name)].append(str(page.relative_to(ROOT)))


@pytest.mark.parametrize(("line", "needed"), TOGETHER, ids=[line for line, _ in TOGETHER])
def test_pages_run_with_what_they_say_to_install(line: str, needed: str | None):
    skip_unless_there(needed)
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests/support/only_extras.py"), *TOGETHER[line, needed]],
        cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4_000:]
