"""The layout is part of the product: rooms import downwards alone, and functions do one thing."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from support.frames import ROOT

PACKAGE = ROOT / "dqlabels"
FILES = sorted(PACKAGE.rglob("*.py"))
# They load what a user asks for when it is asked for, so they may name any room.
LAZY = {"__init__", "__main__", "accessor", "spark"}
KINDS = {"classes", "values", "tags", "annotators"}


def test_the_import_contracts_hold():
    done = subprocess.run(["lint-imports"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_no_rooms_import_each_other_in_a_circle():
    assert circle(room_of) == []


def test_no_rooms_inside_audits_import_each_other_in_a_circle():
    assert circle(room_inside_audits) == []


def test_kinds_of_label_do_not_import_each_other():
    pairs = {
        (str(path.relative_to(ROOT)), target)
        for path in FILES
        for target in imports(path)
        if {room_inside_audits(module_of(path)), room_inside_audits(target)} <= KINDS
        and room_inside_audits(module_of(path)) != room_inside_audits(target)
    }
    assert pairs == set()


def test_at_most_nine_modules_stand_at_the_root():
    assert len(list(PACKAGE.glob("*.py"))) <= 9


def circle(room) -> list[str]:
    """The rooms of one circle of imports, those inside functions included; none is an empty list."""
    graph: dict[str, set[str]] = {}
    for path in FILES:
        here = room(module_of(path))
        there = {room(target) for target in imports(path)} - {here, ""}
        if here and here not in LAZY:
            graph.setdefault(here, set()).update(there - LAZY)
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        return list(error.args[1])
    return []


def room_of(module: str) -> str:
    """The folder or root module below ``dqlabels`` that a module is in."""
    return module.split(".")[1] if "." in module else "__init__"


def room_inside_audits(module: str) -> str:
    """The folder or module below ``dqlabels.audits`` that a module is in; elsewhere an empty string."""
    parts = module.split(".")
    return parts[2] if parts[1:2] == ["audits"] and len(parts) > 2 else ""


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[str]:
    """Modules of the package that a file imports at run time, anywhere in it."""
    yield from _imports(ast.parse(path.read_text(encoding="utf-8")))


def _imports(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        for child in node.orelse:
            yield from _imports(child)
        return
    if isinstance(node, ast.Import):
        yield from (name.name for name in node.names if name.name.split(".")[0] == "dqlabels")
    if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "dqlabels":
        for name in node.names:
            inside = PACKAGE.parent / f"{node.module}.{name.name}".replace(".", "/")
            is_module = inside.with_suffix(".py").exists() or inside.is_dir()
            yield f"{node.module}.{name.name}" if is_module else str(node.module)
    for child in ast.iter_child_nodes(node):
        yield from _imports(child)
