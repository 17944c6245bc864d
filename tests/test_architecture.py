"""The layout is part of the product: rooms import downwards alone, and functions do one thing."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from support.frames import ROOT

PACKAGE = ROOT / "dqlabels"
FILES = sorted(PACKAGE.rglob("*.py"))
# They load what a user asks for when it is asked for, so they may name any room.
LAZY = {"__init__", "__main__", "accessor", "spark"}
KINDS = {"classes", "values", "tags", "annotators", "tokens"}
TEST_FOLDER = ROOT / "tests"
TESTS = sorted(path for path in TEST_FOLDER.rglob("test_*.py") if path != Path(__file__))
# A kind's own files: its room, its statistics, and those called after it. Others that name it should be four at most.
OWN_FILES = {
    "regression": ("audits/values/", "audits/trusted/numbers.py", "statistics/residuals.py", "models/value_"),
    "annotators": (
        "audits/annotators/",
        "statistics/votes.py",
        "statistics/consensus.py",
        "statistics/agreement.py",
        "annotators.py",
        "annotator.py",
    ),
    "multilabel": ("audits/tags/", "tags.py", "tag.py"),
    "tokens": ("audits/tokens/",),
}
STILL_NAME: dict[str, set[str]] = {
    "regression": {
        "audits/kinds.py",
        "audits/options.py",
        "audits/signature.py",
        "audits/trusted/label_auditor.py",
    },
    "annotators": {
        "__init__.py",
        "audits/kinds.py",
        "audits/options.py",
        "audits/signature.py",
        "cli/__init__.py",
        "noise/rate.py",
    },
    "multilabel": {
        "audits/kinds.py",
        "audits/options.py",
        "audits/signature.py",
        "audits/trusted/label_auditor.py",
    },
    "tokens": {"__init__.py", "audits/kinds.py", "audits/options.py", "audits/signature.py"},
}

# Public functions of four or more arguments say what each is. Of a command typer shows that beside each option.
STILL_WITHOUT_ARGS = {
    "cli/annotators.py",
    "cli/apply.py",
    "cli/audit.py",
    "cli/checkup.py",
    "cli/fit.py",
    "cli/gate.py",
    "cli/monitor.py",
    "cli/review.py",
    "cli/review_sample.py",
}


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


def test_no_test_file_imports_another():
    found = re.compile(r"^\s*(from|import) +(tests\b|test_)", flags=re.M)
    assert [path.name for path in TESTS if found.search(path.read_text(encoding="utf-8"))] == []


def test_what_a_test_makes_small_is_a_parameter_and_no_patched_constant():
    patched = r"""setattr\(([\w.]+, "|"dqlabels[\w.]+\.)[A-Z][A-Z_]+","""
    assigned = r"""\b[a-z_]+\.[A-Z][A-Z_]+\b[^()"=]* = """
    found = re.compile(f"{patched}|{assigned}")
    files = [*TESTS, *(TEST_FOLDER / "support").glob("*.py")]
    assert [path.name for path in files if found.search(path.read_text("utf-8"))] == []


def test_at_most_nine_modules_stand_at_the_root():
    assert len(list(PACKAGE.glob("*.py"))) <= 9


def test_nothing_outside_audits_asks_which_kind_a_result_is():
    asking = {inside(path) for path in FILES if not inside(path).startswith("audits/") and asks_the_kind(path)}
    assert asking == set()


@pytest.mark.parametrize("kind", OWN_FILES)
def test_few_files_outside_its_own_name_a_kind_of_label(kind):
    naming = {inside(path) for path in FILES if kind in words(path)}
    others = {name for name in naming if not any(own in name for own in OWN_FILES[kind])}
    assert others <= STILL_NAME[kind]


def test_public_functions_of_four_or_more_arguments_say_what_each_is():
    silent = {inside(path) for path in FILES for function in public_functions(path) if not says_its_arguments(function)}
    assert silent <= STILL_WITHOUT_ARGS


def test_no_docstring_begins_with_of():
    begin = {
        f"{inside(path)}: {node.name}"
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and (ast.get_docstring(node) or "").startswith("Of ")
    }
    assert begin == set()


def public_functions(path: Path) -> Iterator[ast.FunctionDef]:
    """The public functions of a module and the public methods of its public classes."""
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        for node in ast.iter_child_nodes(waiting.pop()):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
                if isinstance(node, ast.FunctionDef):
                    yield node
                else:
                    waiting.append(node)


def says_its_arguments(function: ast.FunctionDef) -> bool:
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    several = sum(one.arg not in ("self", "cls") for one in arguments) >= 4
    overloaded = any("overload" in ast.unparse(decorator) for decorator in function.decorator_list)
    return overloaded or not several or "Args:" in (ast.get_docstring(function) or "")


def inside(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def asks_the_kind(path: Path) -> bool:
    """Whether a file has ``isinstance(…, …Audit)``, compares a ``task``, or asks what a result has."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            called, *arguments = map(ast.unparse, [node.func, *node.args])
            if called == "isinstance" and re.search(r"Audit\b", arguments[1]):
                return True
            if called == "hasattr" and re.search(r"\b(result|audit|audited)\b", arguments[0]):
                return True
        if isinstance(node, ast.Compare) and re.search(r"(^|\.)task$", ast.unparse(node.left)):
            return True
    return False


def words(path: Path) -> set[str]:
    """The words of a file's code: of its names, its imports, and its texts that are single words; not of its prose."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        texts = [value for _, value in ast.iter_fields(node) if isinstance(value, str) and " " not in value]
        found.update(word.lower() for text in texts for word in re.split(r"[^A-Za-z]+", text))
    return found


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
