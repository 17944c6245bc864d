"""The README and docs/ hold together, and the examples run; test_only_extras.py runs the blocks of the pages."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from support.frames import ROOT
from support.pages import NEEDS, PAGES, skip_unless_there

import dqlabels.learn
import dqlabels.learn.research

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Runs a script from the checkout's root in this process, which spares the imports; a warning is an error."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("GX_ANALYTICS_ENABLED", "false")
    monkeypatch.setattr(sys, "argv", ["script.py"])
    main = ModuleType("__main__")  # where what pickles a function of the script finds it
    monkeypatch.setitem(sys.modules, "__main__", main)
    return lambda code: exec(compile(code, "script.py", "exec", dont_inherit=True), vars(main))  # noqa: S102


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_runs(example: Path, run):
    skip_unless_there(NEEDS.get(example.name))
    run(example.read_text(encoding="utf-8"))


@pytest.mark.parametrize("heading", ["Run it", "Test it"])
def test_the_readme_has_its_two_commands(heading: str):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(rf"^## {heading}\n+```\w*\n(.*?)```", text, flags=re.M | re.S)
    assert len(block.strip().splitlines()) == 1


def public_paths() -> list[str]:
    """The path by which people import each name that a public module offers."""
    learn, testing = dqlabels.learn, importlib.import_module("dqlabels.testing")
    offered = {
        "dqlabels": dqlabels.__all__,
        "dqlabels.learn": learn.__all__,
        "dqlabels.learn.research": learn.research.__all__,
        "dqlabels.testing": testing.__all__,
    }
    for module in ("great_expectations", "pandera"):
        folder = ROOT / "dqlabels/integrations" / module
        source = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
        tree = ast.parse(source.read_text(encoding="utf-8"))
        (names,) = (node for node in tree.body if isinstance(node, ast.Assign) and node.targets[0].id == "__all__")
        offered[f"dqlabels.integrations.{module}"] = ast.literal_eval(names.value)
    return sorted(f"{module}.{name}" for module, names in offered.items() for name in names if name != "__version__")


@pytest.mark.parametrize("path", public_paths())
def test_a_public_name_is_on_the_page_of_the_interface(path: str):
    page = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    errors = (ROOT / "dqlabels/errors.py").read_text(encoding="utf-8")  # documented whole, by automodule
    name = path.rpartition(".")[2]
    listed = re.search(rf"^(?:   |\.\. py:data:: ){re.escape(path)}$", page, flags=re.M)  # of autosummary, or by hand
    assert listed or re.search(rf"^class {name}\b", errors, flags=re.M)


def test_every_page_has_its_place_in_the_order_of_the_site():
    index = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    trees = re.findall(r"^```\{toctree\}\n(.*?)^```", index, flags=re.M | re.S)
    placed = [line for tree in trees for line in tree.splitlines() if line and not line.startswith(":")]
    assert sorted(placed) == sorted(page.stem for page in PAGES[1:] if page.stem != "index")


def test_the_page_on_the_layout_lists_the_rooms_there_are():
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    rooms = page.partition("## Rooms")[2].partition("\n## ")[0]
    listed = re.findall(r"^\| `(\w+)` \|", rooms, flags=re.M)
    assert sorted(listed) == sorted(path.parent.name for path in (ROOT / "dqlabels").glob("*/__init__.py"))


def test_the_page_on_the_layout_has_the_layers_of_the_contract():
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```text\n(.*?)^```", page, flags=re.M | re.S)
    contract = (ROOT / "pyproject.toml").read_text(encoding="utf-8").partition('type = "layers"')[2].partition("]")[0]
    layers = re.findall(r'"(.*)"', contract)
    assert shown.splitlines() == [layer.replace("dqlabels.", "") for layer in layers]


def test_the_page_on_the_layout_names_the_hooks_that_a_kind_fills_in():
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    hooks = {name for row in re.findall(r"^\| (`.*?) \|", page, flags=re.M) for name in re.findall(r"`(\w+)`", row)}
    assert dqlabels.Audit.__abstractmethods__ <= hooks


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_file_that_a_page_names_is_there(page: Path):
    named = re.findall(r"`((?:\w+/)+\w+\.py)`", page.read_text(encoding="utf-8"))
    assert [path for path in named if not any((ROOT / part / path).exists() for part in ("", "dqlabels"))] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_name_in_the_package_that_a_page_writes_is_there(page: Path):
    skip_unless_there(NEEDS.get(page.name))
    named = set(re.findall(r"\bdqlabels(?:\.\w+)+", page.read_text(encoding="utf-8")))
    assert sorted(name for name in named if importable(name) and not resolves(name)) == []


def importable(name: str) -> bool:
    """Whether what an integration adds itself to is installed."""
    needed = re.match(r"dqlabels\.integrations\.(\w+)", name)
    return needed is None or importlib.util.find_spec(needed[1]) is not None


def resolves(name: str) -> bool:
    """Whether a dotted name leads to a module of the package, or to something in one."""
    parts, found = name.split(".")[1:], importlib.import_module("dqlabels")
    for at, part in enumerate(parts):
        if not hasattr(found, part) and importlib.util.find_spec(".".join(["dqlabels", *parts[: at + 1]])):
            importlib.import_module(".".join(["dqlabels", *parts[: at + 1]]))
        if not hasattr(found, part):
            return False
        found = getattr(found, part)
    return True


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#:]+)\)", (ROOT / "README.md").read_text(encoding="utf-8")))
def test_a_link_of_the_readme_leads_to_a_file(link: str):
    assert (ROOT / link).exists()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_writes_unread_suggestions_over_the_labels(page: Path):
    text = page.read_text(encoding="utf-8")
    assert not re.findall(
        r"""^.*\w\S*\s*=(?!=)\s*(?:\w+|pl\.col\()?[\[(]?["']suggested_label["'].*$""", text, flags=re.M
    )
