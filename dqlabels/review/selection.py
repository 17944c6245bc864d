"""Which rows of a queue a reviewer wants to see, in which order: by class, by pair, by value, by text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypedDict, get_args

import numpy as np

from dqlabels.frames.columns import Frame
from dqlabels.report.evidence import Evidence
from dqlabels.report.explanations import shown_class, shown_value
from dqlabels.statistics.arrays import BoolArray, IntArray

Order = Literal["queue", "quality", "row", "given", "suggested"]
ORDERS: tuple[Order, ...] = get_args(Order)
# Columns with more different values than this are searched as text and not listed value by value.
MAX_VALUES_LISTED = 40
# Rows that tell whether a column has few values, before all of them are read.
LOOK_AT = 1_000
MAX_COLUMNS = 200


class Pair(TypedDict):
    """A given and a suggested class, and the rows of the queue with them."""

    given: int
    suggested: int
    rows: int


class ListedColumn(TypedDict):
    """A column of few values, and these."""

    name: str
    values: list[str]


@dataclass(frozen=True, slots=True)
class Selection:
    """What a reviewer asks for; what is None or empty does not matter."""

    given: int | None = None
    suggested: int | None = None
    column: str = ""
    value: str = ""
    text: str = ""
    order: Order = "queue"


@dataclass(frozen=True, eq=False)
class QueuedRows:
    """The rows of a queue by their values: ``order`` (q,) audited positions, ``table`` the caller's table."""

    evidence: Evidence
    table: Frame
    order: IntArray
    _texts: dict[str, list[str]] = field(default_factory=dict, repr=False)

    def places(self, wanted: Selection) -> list[int]:
        """Return the places in the queue of the rows that are wanted, in the order that is wanted."""
        fits = self._of_classes(wanted)
        if wanted.column in self.names:
            fits = fits & np.array([value == wanted.value for value in self._text(wanted.column)], dtype=bool)
        if wanted.text:
            fits = fits & self._with_text(wanted.text.casefold())
        places: IntArray = np.flatnonzero(fits)
        keys = self._keys(wanted.order)
        return [int(place) for place in (places if keys is None else places[np.argsort(keys[places], kind="stable")])]

    @cached_property
    def names(self) -> list[str]:
        """The columns of the table but for the label."""
        label = self.evidence.labels.column.name
        return [name for name in self.table.columns if name != label][:MAX_COLUMNS]

    @cached_property
    def pairs(self) -> list[Pair]:
        """The given and suggested classes of the queue, the commonest first."""
        classes = len(self.evidence.classes)
        cells, rows = np.unique(self._given * classes + self._suggested, return_counts=True)
        ranked = np.argsort(-rows, kind="stable").tolist()
        return [
            {"given": int(cells[at]) // classes, "suggested": int(cells[at]) % classes, "rows": int(rows[at])}
            for at in ranked
        ]

    @cached_property
    def columns(self) -> list[ListedColumn]:
        """The columns of few values, with which rows can be told apart."""
        head = self.table[self.evidence.positions[self.order[:LOOK_AT]].tolist()]
        found: list[ListedColumn] = []
        for name in self.names:
            if len(set(map(shown_value, head[name].to_list()))) <= MAX_VALUES_LISTED:
                values = sorted(set(self._text(name)))
                # A value for every row names rows, and chooses none of them.
                if 1 < len(values) <= min(MAX_VALUES_LISTED, max(2, self.order.size // 2)):
                    found.append({"name": name, "values": values})
        return found

    @property
    def _given(self) -> IntArray:
        return self.evidence.codes[self.order]

    @property
    def _suggested(self) -> IntArray:
        return self.evidence.suggested[self.order]

    def _of_classes(self, wanted: Selection) -> BoolArray:
        fits = np.ones(self.order.size, dtype=bool)
        for code, codes in ((wanted.given, self._given), (wanted.suggested, self._suggested)):
            if code is not None:
                fits = np.asarray(fits & (codes == code))
        return fits

    def _with_text(self, text: str) -> BoolArray:
        """(q,) true for rows in which a value or the name of a class holds a text, whatever its case."""
        named = np.array([text in shown_class(name).casefold() for name in self.evidence.classes], dtype=bool)
        fits: BoolArray = np.asarray(named[self._given] | named[self._suggested])
        for name in self.names:
            fits |= np.array([text in value.casefold() for value in self._text(name)], dtype=bool)
        return fits

    def _text(self, name: str) -> list[str]:
        if name not in self._texts:
            part = self.table[name][self.evidence.positions[self.order].tolist()]
            self._texts[name] = [shown_value(value, max_length=2_000) for value in part.to_list()]
        return self._texts[name]

    def _keys(self, order: Order) -> IntArray | None:
        keys: Mapping[str, IntArray] = {
            "quality": np.argsort(np.argsort(self.evidence.quality[self.order], kind="stable"), kind="stable"),
            "row": self.evidence.positions[self.order],
            "given": self._given,
            "suggested": self._suggested,
        }
        return keys.get(order)
