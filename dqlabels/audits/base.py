"""What the tables of every kind of audit share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from dqlabels.frames.columns import Frame


class Flagging:
    """The part of an audit that every kind of label shares; it holds nothing of its own."""

    __slots__ = ()

    audited: int
    flagged: int
    if TYPE_CHECKING:

        def summary(self) -> str: ...  # noqa: D102

    @property
    def flagged_share(self) -> float:
        """Flagged rows over audited rows, in [0, 1]; not the share of wrong labels."""
        return self.flagged / self.audited if self.audited else 0.0

    def __str__(self) -> str:
        return self.summary()


def issue_rows(
    table: Frame, label: str, names: tuple[str, str, str], positions: NDArray[np.int64], kinds: Sequence[str]
) -> Any:
    """Rows (m,) of the audited table, each with its number and kind, label and answer first; in the caller's library.

    Args:
        table: The audited frame, with the three columns ``names``.
        label: The label column.
        names: Quality, suggestion and flag; the flag, true in all of them, is left out.
        positions: (m,) row numbers, in the order to show.
        kinds: (m,) of each.
    """
    rows = table[positions.tolist()]
    quality, suggested, _ = names
    first = [label, suggested, quality]
    taken = {*rows.columns}
    row, kind = free_name("row", taken), free_name("kind", taken)
    backend = rows.implementation
    rows = rows.with_columns(
        nw.new_series(row, positions, backend=backend),
        nw.new_series(kind, list(kinds), nw.String, backend=backend),
    )
    rest = [name for name in table.columns if name not in {*first, *names}]
    return rows.select(row, *first, kind, *rest).to_native()


def free_name(name: str, taken: set[str]) -> str:
    """A column name that is not taken: underscores are added until it is none of these."""
    while name in taken:
        name += "_"
    return name
