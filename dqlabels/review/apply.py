"""Review decisions applied to a copy of the table, with the original labels in another column."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dqlabels.errors import OutputColumnError
from dqlabels.frames.columns import Column, Frame, read_labels, require
from dqlabels.frames.outputs import aligned, to_callers_kind
from dqlabels.frames.reading import read_frame
from dqlabels.review.answers import FreeAnswers
from dqlabels.review.decisions import DecisionFile, head_of, read_head, text_head_of


def apply_decisions(frame: Any, decisions: str | Path, *, original: str | None = None) -> Any:
    """Return the frame with the reviewed labels in place, and the original labels in another column at the end.

    Args:
        frame: The table that was reviewed, in the same order: pandas, Polars (a lazy one is collected) or PyArrow.
        decisions: The file that the review wrote. Rows kept, unclear or not reviewed stay as they are.
        original: Name of the column for the original labels, by default the name of the label with ``_original``.

    Returns:
        The same kind of frame, the same rows and index; ``frame`` itself is not changed.

    Raises:
        OptionError: The file holds no decisions, or decisions on other labels.
        OutputColumnError: ``original`` is already a column of the frame.
        LabelColumnError: The frame does not hold the label column.
        OSError: The file cannot be read.

    >>> import dqlabels, polars as pl, tempfile
    >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
    >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
    >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with audit.review(f"{folder}/mail.jsonl", start=False) as session:
    ...         _ = session.decisions.record(1, "choose", 1)  # what a click on "spam" does
    ...     apply_decisions(mail, f"{folder}/mail.jsonl")["label"].to_list()
    ['ham', 'spam', 'spam', 'spam']
    """
    form, table = read_frame(frame)
    label = read_head(decisions)["label"]
    name = f"{label}_original" if original is None else original
    if name in table.columns:
        raise OutputColumnError(
            f"Column {name!r} is already in the frame. Choose another name for the original labels with original=."
        )
    require(table, [label], "label")
    column, decided = _decided(table, label, decisions)
    changed = aligned(decided, table)
    whole = table.with_columns(column.alias(name), changed.alias(label))
    form = form.rewritten(name, label, column, column).rewritten(label, label, column, changed)
    return to_callers_kind(whole, form)


def _decided(table: Frame, label: str, decisions: str | Path) -> tuple[Column, Column]:
    """The label column as it was, and as it was decided."""
    answers = FreeAnswers.in_head(read_head(decisions))
    if answers is not None:
        standing = DecisionFile(decisions, text_head_of(table[label], answers)).standing
        made = {row: one.label for row, one in standing.items() if one.code >= 0}
        return table[label], answers.column(table[label], made)
    labels = read_labels(table, label)
    standing = DecisionFile(decisions, head_of(labels)).standing
    source = np.arange(len(table))
    for row, decision in standing.items():
        if decision.code >= 0 and decision.code != labels.codes[row]:
            source[row] = labels.first_rows[decision.code]
    # The labels are taken from rows that carry them, so dtype, categories and missing values stay as they are.
    return labels.column, labels.column[source.tolist()]
