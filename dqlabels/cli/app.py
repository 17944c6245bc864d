"""The ``dqlabels`` command itself, and how each of its commands ends.

Exit status 0 done, 1 a gate failed, 2 a usage or data error, 70 a fault of the program, 130 interrupted.
"""

from __future__ import annotations

import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, TextIO

import typer

from dqlabels.errors import DQLabelsError, LabelWarning
from dqlabels.models.sizes import Sizes
from dqlabels.version import __version__

FAILED, UNUSABLE, CRASHED, INTERRUPTED = 1, 2, 70, 130

app = typer.Typer(
    name="dqlabels",
    help="Find wrong labels in a table, estimate how many there are, and gate a pipeline on it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def run(sizes: Sizes | None = None) -> None:
    """Run the command line, by default with the sizes that were measured.

    Every known error becomes one message and an exit status.
    """
    try:
        app(obj=sizes)
    except DQLabelsError as error:
        _leave(str(error), UNUSABLE)
    except OSError as error:
        _leave(f"{error.filename or 'output'}: {error.strerror or error}", UNUSABLE)
    except Exception:  # noqa: BLE001 - Python's own status of a traceback is 1, which means a failed gate here
        traceback.print_exc()
        raise SystemExit(CRASHED) from None


@contextmanager
def interruptible() -> Iterator[None]:
    """Say in words that Ctrl-C was pressed, before typer says "Aborted!"."""
    try:
        yield
    except KeyboardInterrupt:
        _leave("interrupted; nothing was written", INTERRUPTED)


@contextmanager
def working() -> Iterator[list[str]]:
    """Collect what the library warns of, which the commands print as notes; Ctrl-C is said in words."""
    notes: list[str] = []
    with interruptible(), warnings.catch_warnings():
        warnings.simplefilter("always", LabelWarning)
        show = warnings.showwarning

        def collect(
            message: Warning | str, category: type[Warning], filename: str, lineno: int,
            file: TextIO | None = None, line: str | None = None,
        ) -> None:  # fmt: skip
            if issubclass(category, LabelWarning):
                notes.append(str(message))
            else:
                show(message, category, filename, lineno, file, line)

        warnings.showwarning = collect
        yield notes


def _leave(message: str, status: int) -> None:
    sys.stderr.write(f"dqlabels: {message}\n")
    raise SystemExit(status)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dqlabels {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Find wrong labels in a table, estimate how many there are, and gate a pipeline on it."""
