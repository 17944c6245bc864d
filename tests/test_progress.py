"""Progress: a bar on terminals and in notebooks, nothing elsewhere."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr
from types import ModuleType, SimpleNamespace

import polars as pl
import pytest
from support.frames import two_classes
from threadpoolctl import threadpool_info

import dqlabels
from dqlabels.progress import Progress
from dqlabels.threads import one_blas_thread


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def notebook(monkeypatch):
    """What a kernel gives: a shell that says so, and a display whose handle updates what it showed."""
    shown: list[dict[str, str]] = []

    def display(bundle, *, raw, display_id):
        shown.append(bundle)
        return SimpleNamespace(update=lambda bundle, raw: shown.append(bundle))

    ipython, displays = ModuleType("IPython"), ModuleType("IPython.display")
    ipython.get_ipython = lambda: SimpleNamespace(config={"IPKernelApp": {}})
    displays.display = display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", displays)
    return shown


def test_a_terminal_shows_a_line_that_ends():
    with redirect_stderr(Terminal()) as terminal:
        bar = Progress(True)
        for done in range(1, 5):
            bar(done, 4)
    lines = terminal.getvalue().split("\r")[1:]
    assert [line.count("#") for line in lines] == [7, 14, 21, 28]
    assert lines[-1].endswith("\n")


def test_short_work_is_silent():
    with redirect_stderr(Terminal()) as terminal:
        Progress(None)(1, 2)
    assert terminal.getvalue() == ""


def test_long_work_shows_itself():
    with redirect_stderr(Terminal()) as terminal:
        bar = Progress(None)
        bar._started -= 1  # a second for one of a hundred steps
        bar(1, 100)
    assert "1/100, about" in terminal.getvalue()


def test_no_terminal_no_line():
    with redirect_stderr(io.StringIO()) as stream:
        bar = Progress(None)
        bar._started -= 1
        bar(1, 100)
    assert stream.getvalue() == ""


def test_a_notebook_shows_one_bar_that_moves(notebook):
    bar = Progress(True)
    bar(1, 2)
    bar(2, 2)
    assert ['value="1" max="2"' in notebook[0]["text/html"], 'value="2" max="2"' in notebook[1]["text/html"]] == [
        True
    ] * 2


def test_an_audit_shows_its_bar_in_a_notebook(notebook):
    dqlabels.audit(pl.DataFrame(two_classes()), "label", progress=True)
    assert notebook[-1]["text/plain"].startswith("Judging labels: 6 of 6")


def test_an_audit_told_not_to_shows_nothing(notebook):
    with redirect_stderr(Terminal()) as terminal:
        dqlabels.audit(pl.DataFrame(two_classes()), "label", progress=False)
    assert (notebook, terminal.getvalue()) == ([], "")


def test_linear_algebra_stays_on_one_thread_until_the_last_user_leaves():
    with one_blas_thread, one_blas_thread:
        pass
    with one_blas_thread:
        assert {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"} <= {1}
