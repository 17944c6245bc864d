"""The options that hold a value for each row, brought into the order of the rows before one is read by position."""

from __future__ import annotations

from typing import Any

from dqlabels.audits.options import Options
from dqlabels.frames.beside import in_row_order, named_columns
from dqlabels.frames.columns import Frame

BY_ROW = ("pred_probs", "groups", "sample_weight")


def options_in_row_order(options: Options, table: Frame) -> tuple[Options, tuple[str, ...]]:
    """Return the options with what was passed beside the frame in its order, and notes on what was moved.

    Args:
        options: What the caller asks for.
        table: n rows.

    Raises:
        OptionError: A pandas object whose index does not say which rows its values belong to.
        ProbabilityError: A column of a frame of probabilities holds no numbers.
    """
    changed: dict[str, Any] = {}
    notes: list[str] = []
    for name in BY_ROW:
        values, note = in_row_order(getattr(options, name), table, name)
        if name == "pred_probs" and (named := named_columns(values, name)) is not None:
            values = named
        if values is not getattr(options, name):
            changed[name] = values
        notes += [note] if note else []
    return (options.changed(**changed) if changed else options), tuple(notes)
