"""Run the Python blocks of a page, or a script, as if no more were installed than dqlabels with some extras.

``python tests/support/only_extras.py "cli,pandas" docs/quickstart.md``: every other package cannot be imported.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, packages_distributions, requires
from pathlib import Path
from types import ModuleType
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def installed_with(extras: Iterable[str]) -> set[str]:
    """The distributions that ``pip install dqlabels[...]`` brings, by their canonical names."""
    found: set[tuple[str, str]] = set()
    waiting = [("dqlabels", "")] + [("dqlabels", extra) for extra in extras]
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
    return {name for name, _ in found}


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


def hide_all_but(extras: Iterable[str]) -> None:
    """From now on import only what dqlabels with these extras brings."""
    there = installed_with(extras)
    packages = packages_distributions().items()
    hidden = {name for name, dists in packages if not {canonicalize_name(dist) for dist in dists} & there}
    sys.meta_path[:] = [Only(hidden, there)]
    for name in list(sys.modules):
        if name.partition(".")[0] in hidden:
            del sys.modules[name]


def code_of(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    return text if path.suffix == ".py" else "\n".join(re.findall(r"^```python\n(.*?)^```", text, flags=re.M | re.S))


if __name__ == "__main__":
    page = Path(sys.argv[2])
    hide_all_but(filter(None, sys.argv[1].split(",")))
    main = ModuleType("__main__")
    sys.modules["__main__"] = main
    exec(compile(code_of(page), str(page), "exec", dont_inherit=True), vars(main))  # noqa: S102
