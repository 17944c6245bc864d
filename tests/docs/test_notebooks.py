"""The notebooks are their pages, run from top to bottom, with what they print today."""

from __future__ import annotations

import importlib.util
import json
import re

import pytest
from support.frames import ROOT

spec = importlib.util.spec_from_file_location("notebooks", ROOT / "docs/notebooks.py")
assert spec
assert spec.loader
notebooks = importlib.util.module_from_spec(spec)
spec.loader.exec_module(notebooks)

AGAIN = "python docs/notebooks.py writes them again"
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")


def outputs(cells: list[dict]) -> list[str]:
    """What the code cells show as text."""
    shown = [output for cell in cells for output in cell.get("outputs", ())]
    return ["".join(output.get("text") or output["data"]["text/plain"]) for output in shown]


@pytest.fixture(scope="module", params=notebooks.NOTEBOOKS)
def pair(request, tmp_path_factory):
    """A notebook as it is stored, and as its page gives it now."""
    stored = json.loads((ROOT / request.param).read_text(encoding="utf-8"))
    page = ROOT / notebooks.NOTEBOOKS[request.param]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT / "examples")
        return stored, notebooks.notebook(page.read_text(encoding="utf-8"))


def test_a_notebook_holds_the_text_and_the_code_of_its_page(pair):
    stored, now = ([cell["source"] for cell in made["cells"]] for made in pair)
    assert stored == now, AGAIN


def test_a_notebook_shows_what_its_cells_print(pair):
    stored, now = ("\n".join(outputs(made["cells"])) for made in pair)
    words, words_now = (re.split(r"[\s│─┄…]+", NUMBER.sub("#", text)) for text in (stored, now))
    assert words == words_now, AGAIN
    numbers, numbers_now = ([float(number) for number in NUMBER.findall(text)] for text in (stored, now))
    assert numbers == pytest.approx(numbers_now, rel=0.05, abs=0.02), AGAIN  # as printed by other versions of libraries


@pytest.mark.parametrize("name", notebooks.NOTEBOOKS)
def test_a_link_of_a_notebook_leads_to_a_file(name):
    notebook = ROOT / name
    links = re.findall(r"\]\(([^)#:\\]+)", notebook.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (notebook.parent / link).exists()] == []


@pytest.mark.parametrize("name", notebooks.NOTEBOOKS)
def test_a_notebook_is_small_enough_to_be_read_as_a_file(name):
    assert (ROOT / name).stat().st_size < 100_000
