"""Rows as every page lists them, whatever their kind of label, and the same rows as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from dqlabels.frames.columns import Frame
from dqlabels.frames.spreadsheet import csv_line
from dqlabels.report.explanations import shown_value
from dqlabels.statistics.arrays import IntArray

# Values of a row, besides those in its explanation.
MAX_VALUES = 24
# The CSV in a page holds as many of the worst rows as fit, so that the page does not grow with the table.
MAX_SAVED_ROWS, MAX_SAVED_COLUMNS, MAX_SAVED_LENGTH, MAX_SAVED_VALUE = 1_000, 200, 150_000, 500

Values = list[tuple[str, str]]


class ListedRow(TypedDict):
    """One of the worst rows: its number, label and suggestion as text, quality and kind.

    ``chips`` are a few columns that speak, with what they say; ``says`` is a sentence on the row; ``values`` are its
    other values.
    """

    row: int
    given: str
    suggested: str
    quality: float
    kind: str
    chips: Values
    says: str
    values: Values
    more_values: int


class Saved(TypedDict):
    """A CSV of the worst flagged rows, and how many of them it holds."""

    text: str
    rows: int


def row_values(table: Frame, positions: IntArray, left_out: Sequence[str]) -> list[Values]:
    """Return the first values of each row at these positions (s,), as text, without some columns.

    >>> import narwhals as nw
    >>> import numpy as np
    >>> import polars as pl
    >>> row_values(nw.from_native(pl.DataFrame({"x": [1, 2], "y": ["a", None]})), np.array([1]), ["x"])
    [[('y', '')]]
    """
    names = [name for name in table.columns if name not in left_out][:MAX_VALUES]
    part = table[positions.tolist()]
    columns = {name: [shown_value(value) for value in part[name].to_list()] for name in names}
    return [[(name, columns[name][at]) for name in names] for at in range(positions.size)]


def saved_rows(
    heads: Sequence[str],
    answers: Sequence[Sequence[object]],
    table: Frame,
    positions: IntArray,
    left_out: Sequence[str],
) -> Saved:
    """Return the worst rows as CSV, in which a spreadsheet runs nothing, as many as fit into a page.

    Args:
        heads: Names of what was found of each row.
        answers: (s,) what was found of each, the worst first.
        table: n rows.
        positions: (s,) their numbers in it.
        left_out: Columns to leave out.
    """
    positions = positions[:MAX_SAVED_ROWS]
    names = [name for name in table.columns if name not in left_out][:MAX_SAVED_COLUMNS]
    part = table[positions.tolist()]
    columns = [[shown_value(v, max_length=MAX_SAVED_VALUE) for v in part[name].to_list()] for name in names]
    lines, length = [csv_line([*heads, *names])], 0
    for at in range(positions.size):
        line = csv_line([*answers[at], *(values[at] for values in columns)])
        length += len(line)
        if length > MAX_SAVED_LENGTH:
            break
        lines.append(line)
    return {"text": "".join(lines), "rows": len(lines) - 1}
