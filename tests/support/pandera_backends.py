"""The back ends of pandera: whether it has that of narwhals, and code run with it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

from support.frames import ROOT

NEWER = (
    importlib.util.find_spec("pandera") is not None
    and importlib.util.find_spec("pandera.backends.narwhals") is not None
)


def narwhals_backend(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT / "tests",
        env={"PATH": "", "PYTHONPATH": str(ROOT), "PANDERA_USE_NARWHALS_BACKEND": "True"},
        capture_output=True,
        text=True,
        check=False,
    )
