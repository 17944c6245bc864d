"""Write the notebooks in examples/ from pages of docs/: ``python docs/notebooks.py``.

The blocks of a page become cells and are run from top to bottom. What they print or show is stored with them, so that
the notebook reads as it stands on a code host. Nothing is written twice: a notebook is changed by changing its page.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import os
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
NOTEBOOKS = {
    "examples/first_audit.ipynb": "docs/guide-analyst.md",
    "examples/nightly_gate.ipynb": "docs/guide-data-engineer.md",
}
# What tells a notebook where its page speaks of the repository's root.
FROM_HERE = {"examples/data/": "data/", "run from the repository's root": "run where this notebook lies"}
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}

Cell = dict[str, Any]


def cells_of(page: str) -> list[Cell]:
    """The cells of a page, without outputs: a code cell for each Python block, and text between them."""
    for there, here in FROM_HERE.items():
        page = page.replace(there, here)
    # A notebook need not say that it is one.
    page = re.sub(r"\n?[^.\n]*\bis a notebook too[^:]*:\s`[^`]+`\.", "", page)
    page = re.sub(r"\]\((?!https?:)([^)#]+\.md)", r"](../docs/\1", page)
    parts = re.split(r"^```python\n(.*?)^```\n", page, flags=re.M | re.S)
    cells = []
    for at, part in enumerate(parts):
        text = part.strip()
        if not text:
            continue
        cell: Cell = {"cell_type": "markdown", "id": f"cell-{at}", "metadata": {}, "source": lines(text)}
        if at % 2:
            cell |= {"cell_type": "code", "execution_count": at // 2 + 1, "outputs": []}
        cells.append(cell)
    return cells


def lines(text: str) -> list[str]:
    """The lines of a text, as notebooks store it."""
    return text.splitlines(keepends=True)


def run_cell(code: str, names: dict[str, Any]) -> list[Cell]:
    """Run the code of a cell as a notebook does, and return what it prints and the value of its last line."""
    tree = ast.parse(code)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed, value = io.StringIO(), None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, "cell", "exec"), names)  # noqa: S102
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)  # noqa: S307
    outputs: list[Cell] = []
    if printed.getvalue():
        outputs.append({"name": "stdout", "output_type": "stream", "text": lines(printed.getvalue())})
    if value is not None:
        shown = {"text/plain": lines(repr(value))}
        if hasattr(value, "_repr_html_"):
            shown = {"text/html": lines(value._repr_html_()), **shown}
        outputs.append({"data": shown, "metadata": {}, "output_type": "display_data"})
    return outputs


def notebook(page: str) -> Cell:
    """The notebook of a page, with its outputs."""
    names: dict[str, Any] = {"__name__": "__main__"}
    cells = cells_of(page)
    for cell in cells:
        if cell["cell_type"] == "code":
            cell["outputs"] = run_cell("".join(cell["source"]), names)
    metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def write_all() -> None:
    """Write each notebook, run from the folder in which it lies."""
    os.chdir(ROOT / "examples")
    for target, page in NOTEBOOKS.items():
        made = notebook((ROOT / page).read_text(encoding="utf-8"))
        (ROOT / target).write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_all()
