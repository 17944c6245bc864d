"""The options that hold a value for each row, brought into the order of the rows before one is read by position."""

from __future__ import annotations

from typing import Any

from dqlabels.audits.options import Options
from dqlabels.frames.beside import NamedColumns, in_row_order, named_columns
from dqlabels.frames.columns import Frame

BY_ROW = ("pred_probs", "groups", "sample_weight")


def is_several(given: object) -> bool:
    """Whether these are probabilities of several models: tables, or lists of the names of columns.

    >>> is_several([["a_ham", "a_spam"], ["b_ham", "b_spam"]]), is_several(["ham", "spam"]), is_several([[0.1, 0.9]])
    (True, False, False)
    """
    if not isinstance(given, (list, tuple)) or not given:
        return False
    return all(_is_table(one) for one in given)


def are_names(given: object) -> bool:
    """Whether probabilities are given by the names of their columns.

    >>> are_names(["ham", "spam"]), are_names([[0.1, 0.9]])
    (True, False)
    """
    return isinstance(given, (list, tuple)) and all(isinstance(name, str) for name in given)


def _is_table(given: Any) -> bool:
    if isinstance(given, (list, tuple)):
        return bool(given) and are_names(given)
    return isinstance(given, NamedColumns) or len(getattr(given, "shape", ())) == 2


def _of_rows(given: Any, table: Frame, name: str) -> tuple[Any, str | None]:
    """What was passed beside the frame in the order of its rows, and a note where it was moved."""
    values, note = in_row_order(given, table, name)
    if name == "pred_probs" and (named := named_columns(values, name)) is not None:
        return named, note
    return values, note


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
        given = getattr(options, name)
        several = list(given) if is_several(given) else [given]
        found = [_of_rows(one, table, name) for one in several]
        if any(values is not one for (values, _), one in zip(found, several, strict=True)):
            changed[name] = [values for values, _ in found] if is_several(given) else found[0][0]
        notes += dict.fromkeys(note for _, note in found if note)
    return (options.changed(**changed) if changed else options), tuple(notes)
