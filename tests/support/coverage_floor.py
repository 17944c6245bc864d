"""Holds each file of the package to 95% of its lines and branches: ``coverage json -o FILE``, then this on FILE.

``tests/coverage-exceptions.txt`` names the files below it, each with the reason; one that reaches it leaves the list.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

FLOOR = 95.0
EXCEPTIONS = Path(__file__).parents[1] / "coverage-exceptions.txt"


def exceptions(text: str) -> dict[str, str]:
    """The reason of each file: ``path: reason`` a line; lines that begin with # are comments."""
    lines = (line for line in text.splitlines() if line.strip() and not line.startswith("#"))
    return {path.strip(): reason.strip() for path, reason in (line.split(":", 1) for line in lines)}


def faults(covered: dict[str, float], reasons: dict[str, str]) -> list[str]:
    """What is wrong with the files' coverage in percent, given the ``reasons`` why some are below the floor."""
    low = [
        f"{path}: {percent:.1f}% is below {FLOOR:.0f}%. Test what it does, or say in {EXCEPTIONS.name} why not."
        for path, percent in sorted(covered.items())
        if percent < FLOOR and not reasons.get(path)
    ]
    high = [
        f"{path}: no longer below {FLOOR:.0f}%, or gone. Take it off {EXCEPTIONS.name}."
        for path in reasons
        if covered.get(path, 100.0) >= FLOOR
    ]
    return low + high


def main() -> None:
    report = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    covered = {path: facts["summary"]["percent_covered"] for path, facts in report["files"].items()}
    found = faults(covered, exceptions(EXCEPTIONS.read_text(encoding="utf-8")))
    sys.exit("\n".join(found))


if __name__ == "__main__":
    main()
