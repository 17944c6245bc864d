"""What one check found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Verdict = Literal["found", "clear", "not run"]
Details = Mapping[str, Sequence[object]]


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """What one check found in a table of n rows.

    ``verdict`` is ``"found"``, ``"clear"`` or ``"not run"``, and ``says`` gives the numbers in a sentence. ``rows``
    counts the rows concerned, 0 if it is about columns or the whole table, and ``share`` is their share of all rows.
    ``details`` are the columns of a table; ``columns`` (n,) can be added to the frame by name, and hold None or NaN
    where they do not apply.

    >>> Finding("outliers", "clear", "No row lies far from all others.").found
    False
    """

    check: str
    verdict: Verdict
    says: str
    rows: int = 0
    share: float = 0.0
    details: Details = field(default_factory=dict)
    columns: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)

    @property
    def found(self) -> bool:
        """Whether there is something to look at."""
        return self.verdict == "found"


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun.

    >>> counted(1, "row"), counted(1200, "row")
    ('1 row', '1,200 rows')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def listed(names: Sequence[str], most: int = 5) -> str:
    """Return the first names, and how many more there are.

    >>> listed(["a", "b", "c"], most=2)
    "'a', 'b' and 1 more"
    """
    shown = ", ".join(map(repr, names[:most]))
    return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"
