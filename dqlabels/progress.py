"""Progress of long work: a line on a terminal, a bar in a notebook, a callable, or nothing where nobody looks."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

Step = TypeVar("Step")
OnProgress = Callable[[int, int], None]
# True shows it at once and wherever standard error leads, None only where the work is long and somebody looks.
ProgressOption = bool | OnProgress | None

# Shorter work shows no progress: it would be gone before it is read.
SILENT_SECONDS = 5.0
BAR = 28


class Progress:
    """Reports how far one step of the work is, to whom the caller's ``progress=`` says.

    It is itself a callable ``(done, total)``, so it can be passed on as ``progress=``.

    >>> Progress(lambda done, total: print(f"{done} of {total}"))(3, 4)
    3 of 4
    """

    def __init__(self, progress: ProgressOption, step: str = "Judging labels") -> None:
        self.step = step
        self._callable = progress if callable(progress) else None
        self._forced, self._silent = progress is True, progress is False
        self._started = time.monotonic()
        self._shown = False
        self._display = None if self._silent or self._callable is not None else _notebook_display()
        self._handle: _Handle | None = None

    def __call__(self, done: int, total: int) -> None:
        """Report that ``done`` of ``total`` rows, trees or folds are finished; ``done`` is at least 1."""
        if self._callable is not None:
            self._callable(done, total)
        elif not self._silent:
            spent = time.monotonic() - self._started
            left = spent / max(done, 1) * (total - done)
            if self._forced or self._shown or spent + left > SILENT_SECONDS:
                self._show(done, total, left)
                self._shown = True

    def counter(self, total: int) -> Callable[[], None]:
        """Return a function to call after each of ``total`` steps, from any thread."""
        steps = itertools.count(1)
        return lambda: self(next(steps), total)

    def follow(self, steps: Iterable[Step], total: int) -> Iterator[Step]:
        """Yield the steps as they come, and report after each."""
        for done, step in enumerate(steps, start=1):
            yield step
            self(done, total)

    def _show(self, done: int, total: int, left: float) -> None:
        if self._display is not None:
            text = f"{self.step}: {done:,} of {total:,}, about {left:.0f} s left"
            markup = f'<label>{text} <progress value="{done}" max="{total}" style="width:20em"></progress></label>'
            bundle = {"text/html": markup, "text/plain": text}
            if self._handle is None:
                self._handle = self._display(bundle, raw=True, display_id=True)
            else:
                self._handle.update(bundle, raw=True)
        elif self._forced or sys.stderr.isatty():
            full = BAR * done // max(total, 1)
            bar = f"[{'#' * full}{'.' * (BAR - full)}]"
            end = "\n" if done == total else ""
            sys.stderr.write(f"\r{self.step} {bar} {done:,}/{total:,}, about {left:.0f} s left{end}")
            sys.stderr.flush()


class _Handle(Protocol):
    """IPython's handle of something displayed, which can be replaced in place."""

    def update(self, bundle: dict[str, str], *, raw: bool) -> None: ...


class _Display(Protocol):
    """IPython's ``display``, as it is called here."""

    def __call__(self, bundle: dict[str, str], *, raw: bool, display_id: bool) -> _Handle: ...


def _notebook_display() -> _Display | None:
    """IPython's ``display`` where a kernel shows what we display, else None; never imports IPython."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None or "IPKernelApp" not in shell.config:
        return None
    from IPython.display import display

    show: _Display = display
    return show
