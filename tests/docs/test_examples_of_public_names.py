"""Whoever looks up a public name finds an example that runs, and the meaning of each argument where there are many."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import pytest
from support.frames import ROOT

# Where these are not installed their packages cannot be walked.
pytest.importorskip("great_expectations")
pytest.importorskip("pandera")

PACKAGES = (
    "dqlabels",
    "dqlabels.integrations.great_expectations",
    "dqlabels.integrations.pandera",
    "dqlabels.learn",
    "dqlabels.learn.research",
    "dqlabels.noise",
)
LISTED = re.compile(r"^   (dqlabels[\w.]+)$", flags=re.M)  # by autosummary
TORCH = "needs PyTorch, which the tests do without; tests/learn/research runs it where it is installed"
SPARK = "needs a Spark session, which takes seconds to start; tests/engines/test_spark.py and docs/spark.md run it"
LARGE = "needs more than 200,000 rows; tests/engines/test_streaming.py and docs/streaming.md run it"
# Public names without an example, each with the reason.
WITHOUT_EXAMPLE = {
    **dict.fromkeys((f"dqlabels.spark.{verb}" for verb in ("audit", "local_session")), SPARK),
    **dict.fromkeys((f"dqlabels.StreamedAudit{verb}" for verb in ("", ".report_facts")), LARGE),
    **dict.fromkeys((f"dqlabels.StreamedValueAudit{verb}" for verb in ("", ".fdr", ".predictions")), LARGE),
    **dict.fromkeys(
        (
            f"dqlabels.learn.research.{method}Network"
            for method in ("CoTeaching", "Decoupling", "JointOptimization", "LossCorrection", "Mentor", "Plain")
        ),
        TORCH,
    ),
    **dict.fromkeys(
        (f"dqlabels.ReviewSession.{verb}" for verb in ("serve", "wait")),
        "waits until somebody interrupts it; tests/review does",
    ),
    "dqlabels.ReviewSession.open_browser": "opens a browser; tests/review does",
    "dqlabels.integrations.great_expectations.store.ExpectationsStore": "is named in a YAML file, not called",
}
# Verbs of many classes that have an example elsewhere.
NOT_HERE = {
    **dict.fromkeys(
        (
            "fit",
            "predict",
            "predict_proba",
            "predict_log_proba",
            "decision_function",
            "coef_",
            "intercept_",
            "feature_importances_",
            "get_metadata_routing",
            "score",
            "set_fit_request",
            "set_score_request",
        ),
        "the verbs of scikit-learn's interface; the example of the class calls them",
    ),
    **dict.fromkeys(
        ("audited_rows", "check_details", "overview", "without_frame"),
        "what reports and suites ask an audit for; the example is on dqlabels.Audit",
    ),
}
# Great Expectations configures its classes by fields and calls their methods itself.
CONFIGURED = "dqlabels.integrations.great_expectations."


class Public(NamedTuple):
    """A public name, and the docstrings in which its example may be."""

    name: str
    docstrings: tuple[str, ...]


def public_names() -> Iterator[Public]:
    """Yield what the packages export and the page of the Python interface lists, and the verbs of its classes."""
    exported = [f"{name}.{each}" for name in PACKAGES for each in importlib.import_module(name).__all__]
    page = LISTED.findall((ROOT / "docs" / "api.md").read_text(encoding="utf-8"))
    seen: set[int] = set()
    for name in dict.fromkeys([*exported, *page]):
        value = lookup(name)
        is_error = inspect.isclass(value) and issubclass(value, (Exception, Warning))
        if id(value) in seen or is_error or not (inspect.isclass(value) or inspect.isfunction(value)):
            continue
        seen.add(id(value))
        bases = [one for one in getattr(value, "__mro__", [value]) if one.__module__.startswith("dqlabels.")]
        yield Public(name, (value.__doc__ or "",))
        if inspect.isclass(value) and not name.startswith(CONFIGURED):
            yield from verbs(name, bases)


def verbs(name: str, bases: list[type]) -> Iterator[Public]:
    """Yield the public methods and properties of a class, those of its bases in the package included."""
    for verb in sorted({verb for base in bases for verb in vars(base) if not verb.startswith("_")}):
        found = next(vars(base)[verb] for base in bases if verb in vars(base))
        if inspect.isfunction(found) or isinstance(found, (classmethod, staticmethod)):
            yield Public(f"{name}.{verb}", (found.__doc__ or "",))
        elif isinstance(found, (property, cached_property)):
            # Read and not called, so the example of the class may show it.
            shown = (base.__doc__ or "" for base in bases if shows(base.__doc__ or "", verb))
            yield Public(f"{name}.{verb}", (found.__doc__ or "", *shown))


def shows(docstring: str, verb: str) -> bool:
    """Whether a line of an example reads an attribute of this name."""
    return any(line.lstrip().startswith(">>>") and f".{verb}" in line for line in docstring.splitlines())


def lookup(name: str) -> object:
    """Return what stands under a dotted name."""
    parts = name.split(".")
    for at in range(len(parts), 0, -1):
        try:
            value: object = importlib.import_module(".".join(parts[:at]))
        except ModuleNotFoundError:
            continue
        for part in parts[at:]:
            value = getattr(value, part)
        return value
    raise LookupError(name)


def shows_block(public: Public) -> bool:
    return any(re.search(r"::\n\n +\S", text) for text in public.docstrings)


def has_example(public: Public) -> bool:
    return any(">>>" in text for text in public.docstrings)


def test_every_public_name_has_an_example():
    names = [public for public in public_names() if public.name.rpartition(".")[2] not in NOT_HERE]
    assert len(names) > 200
    assert {public.name for public in names if not has_example(public)} == set(WITHOUT_EXAMPLE)


def test_a_name_whose_example_cannot_run_shows_it_all_the_same():
    silent = [public.name for public in public_names() if public.name in WITHOUT_EXAMPLE and not shows_block(public)]
    assert [name for name in silent if not name.startswith("dqlabels.Streamed")] == []
