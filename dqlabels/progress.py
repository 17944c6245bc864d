"""A bar while long work goes on: a line on a terminal, a bar in a notebook, nothing where nobody looks."""

from __future__ import annotations

import sys
import time
from typing import Any

# Shorter work shows no progress: it would be gone before it is read.
SILENT_SECONDS = 5.0
BAR = 28


class ProgressBar:
    """How far ``total`` steps are. ``forced`` shows it at once and wherever standard error leads."""

    def __init__(self, total: int, *, forced: bool = False, what: str = "Judging labels") -> None:
        self.total, self.forced, self.what = total, forced, what
        self.started = time.monotonic()
        self._notebook = _notebook_display()
        self._shown: Any = None
        self._said = False

    def update(self, done: int) -> None:
        """Show that ``done`` steps are finished, in [1, total]."""
        spent = time.monotonic() - self.started
        left = spent / done * (self.total - done)
        if not (self.forced or self._said or spent + left > SILENT_SECONDS):
            return
        if self._notebook is not None:
            self._show_in_notebook(done, left)
        elif self.forced or sys.stderr.isatty():
            full = BAR * done // self.total
            text = f"{self.what} [{'#' * full}{'.' * (BAR - full)}] {done}/{self.total}, about {left:.0f} s left"
            sys.stderr.write(f"\r{text}" + ("\n" if done == self.total else ""))
            sys.stderr.flush()
        self._said = True

    def _show_in_notebook(self, done: int, left: float) -> None:
        text = f"{self.what}: {done} of {self.total}, about {left:.0f} s left"
        markup = f'<label>{text} <progress value="{done}" max="{self.total}" style="width:20em"></progress></label>'
        bundle = {"text/html": markup, "text/plain": text}
        if self._shown is None:
            self._shown = self._notebook(bundle, raw=True, display_id=True)
        else:
            self._shown.update(bundle, raw=True)


def _notebook_display() -> Any:
    """IPython's ``display`` where a kernel shows what we display, else None; never imports IPython."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None or "IPKernelApp" not in shell.config:
        return None
    from IPython.display import display

    return display
