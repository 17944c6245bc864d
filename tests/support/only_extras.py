"""Run the Python blocks of pages, or a script, as if no more were installed than their first ``pip install`` names.

``python tests/support/only_extras.py docs/quickstart.md``: every other package cannot be imported, and a warning is an
error. With ``--with "dqlabels[pandas]"`` they run with that in place of what the page names.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import sys
import traceback
import warnings
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, packages_distributions, requires
from pathlib import Path
from types import ModuleType
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# What the blocks of a page need that names nothing: said in docs/quickstart.md.
UNLESS_SAID = '".[polars]"'
# As in pyproject.toml: warnings of other people's imports.
THEIRS = (("module 'sre_", DeprecationWarning), ("PySpark does not yet fully support pandas", FutureWarning))


def install_line(page: Path) -> str:
    """What the page says to install, in the words after ``pip install``."""
    said = re.search(r"\bpip install ([^`\n&]+)", page.read_text(encoding="utf-8"))
    return said[1].strip() if said else UNLESS_SAID


def installed_with(line: str) -> set[str]:
    """The distributions that ``pip install`` brings with these words, by their canonical names."""
    named = [Requirement(re.sub(r"^\.", "dqlabels", word)) for word in shlex.split(line)]
    found: set[tuple[str, str]] = set()
    waiting = [("dqlabels", "")] + [(one.name, extra) for one in named for extra in ("", *one.extras)]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in found:
            continue
        found.add((name, extra))
        try:
            needed = [Requirement(line) for line in requires(name) or ()]
        except PackageNotFoundError:
            continue
        for one in needed:
            if one.marker is None or one.marker.evaluate({"extra": extra}):
                waiting += [(canonicalize_name(one.name), part) for part in ("", *one.extras)]
    return {canonicalize_name(name) for name, _ in found}


class Only:
    """Finds modules as before, but none of the packages that are hidden."""

    def __init__(self, hidden: set[str], there: set[str]) -> None:
        self.hidden, self.there, self.finders = hidden, there, list(sys.meta_path)

    def find_spec(self, name: str, path: Any = None, target: ModuleType | None = None) -> Any:
        if name.partition(".")[0] in self.hidden:
            return None
        return next((spec for finder in self.finders if (spec := finder.find_spec(name, path, target))), None)

    def find_distributions(self, *context: Any) -> Iterator[Distribution]:
        finders = (finder for finder in self.finders if hasattr(finder, "find_distributions"))
        found = (one for finder in finders for one in finder.find_distributions(*context))
        return (one for one in found if canonicalize_name(one.name) in self.there)


def hide_all_but(line: str) -> None:
    """From now on import only what ``pip install`` brings with these words."""
    there = installed_with(line)
    packages = packages_distributions().items()
    hidden = {name for name, dists in packages if not {canonicalize_name(dist) for dist in dists} & there}
    sys.meta_path[:] = [Only(hidden, there)]
    for name in list(sys.modules):
        if name.partition(".")[0] in hidden:
            del sys.modules[name]


def code_of(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    return text if path.suffix == ".py" else "\n".join(re.findall(r"^```python\n(.*?)^```", text, flags=re.M | re.S))


def run(page: Path) -> None:
    main = ModuleType("__main__")  # where what pickles a function of the script finds it
    sys.modules["__main__"] = main
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for words, category in THEIRS:
            warnings.filterwarnings("ignore", words, category)
        exec(compile(code_of(page), str(page), "exec", dont_inherit=True), vars(main))  # noqa: S102


def run_all(pages: Iterable[Path]) -> list[str]:
    """Run pages in turn, and return those that failed, with the error."""
    failed = []
    for page in pages:
        try:
            run(page)
        except Exception:  # noqa: BLE001
            failed.append(f"{page}\n{traceback.format_exc()}")
    return failed


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", nargs="+", type=Path)
    parser.add_argument("--with", dest="line", default=None)
    given = parser.parse_args()
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    sys.argv = ["script.py"]
    hide_all_but(given.line or install_line(given.pages[0]))
    sys.exit("\n".join(run_all(given.pages)) or None)
