"""Write the table of kinds.md, kinds of label by what each can do: ``python docs/kinds.py``."""

from __future__ import annotations

from pathlib import Path

from dqlabels.audits.abilities import ABILITIES
from dqlabels.audits.kinds import KINDS

DOCS = Path(__file__).parent
PAGE = DOCS / "kinds.md"
BEGIN, END = "<!-- made by docs/kinds.py -->\n", "<!-- end -->\n"


def table() -> str:
    """The table, a row for each ability and a column for each kind, with the reasons of its noes as footnotes."""
    numbers: dict[str, int] = {}
    rows = [
        ["", *map(heading, KINDS)],
        ["---"] * (1 + len(KINDS)),
        *([words, *(cell(kind, ability, numbers) for kind in KINDS)] for ability, words in ABILITIES.items()),
    ]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    notes = [f"[^{number}]: {reason}" for reason, number in numbers.items()]
    return "\n".join([*lines, "", *notes]) + "\n"


def heading(kind: str) -> str:
    """The name of a kind, linked to its page."""
    page = f"{kind}.md" if (DOCS / f"{kind}.md").exists() else "audit.md"
    return f"[{kind}]({page})"


def cell(kind: str, ability: str, numbers: dict[str, int]) -> str:
    """Yes, or no with the number of its reason, which is added to ``numbers``."""
    reason = KINDS[kind].cannot.get(ability)
    return "yes" if reason is None else f"no[^{numbers.setdefault(reason, len(numbers) + 1)}]"


def with_table(page: str) -> str:
    """The page with the table as the code has it now."""
    before, rest = page.split(BEGIN)
    return before + BEGIN + "\n" + table() + "\n" + END + rest.split(END)[1]


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
