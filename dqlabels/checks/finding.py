"""What one check found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from numpy.typing import NDArray

Verdict = Literal["found", "clear", "not run"]


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """What one check found in a table of n rows.

    ``verdict`` is ``"found"``, ``"clear"`` or ``"not run"``; ``says`` has the numbers in a sentence; ``rows`` counts
    the rows concerned, 0 where it is columns or the whole table, and ``share`` is that of all rows; ``details`` are
    the columns of a table, and ``columns`` (n,) what the frame can be given, by name, with None or NaN where it does
    not apply.
    """

    check: str
    verdict: Verdict
    says: str
    rows: int = 0
    share: float = 0.0
    details: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    @property
    def found(self) -> bool:
        """Whether there is something to look at."""
        return self.verdict == "found"


def counted(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun.

    >>> counted(1, "row"), counted(1200, "row")
    ('1 row', '1,200 rows')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def listed(names: Sequence[str], most: int = 5) -> str:
    """The first names, and how many more there are.

    >>> listed(["a", "b", "c"], most=2)
    "'a', 'b' and 1 more"
    """
    shown = ", ".join(map(repr, names[:most]))
    return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"
