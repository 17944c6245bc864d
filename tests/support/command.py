"""The command line, in a process of its own and in this one."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import pytest

from dqlabels.__main__ import main
from dqlabels.models.sizes import Sizes


def process(*arguments: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "dqlabels", *arguments],
        input=stdin,
        capture_output=True,
        check=False,
        env={**os.environ, "COLUMNS": "120"},
    )


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: bytes
    stderr: bytes


def run(*arguments: Any, stdin: bytes = b"", columns: int = 120, sizes: Sizes | None = None) -> Done:
    """The command in this process, which spares two seconds each; a few tests start it as a shell does.

    With ``sizes`` a small file counts as a large one.
    """
    from dqlabels import cli  # in a function: it needs what the extra of the command line brings

    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with (
        patch.object(sys, "argv", ["dqlabels", *map(str, arguments)]),
        patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")),
        patch.dict(os.environ, {"COLUMNS": str(columns)}),
        redirect_stdout(out),
        redirect_stderr(err),
        pytest.raises(SystemExit) as left,
    ):
        main() if sizes is None else cli.run(sizes)
    return Done(int(left.value.code or 0), out.buffer.getvalue(), err.buffer.getvalue())  # type: ignore[attr-defined]
