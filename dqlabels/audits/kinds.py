"""What kind of label a column holds: classes, grades or amounts; asked about where it cannot be told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import narwhals as nw
import numpy as np

from dqlabels.errors import LabelColumnError, OptionError
from dqlabels.frames.columns import MIN_ROWS_TO_JUDGE, Column, Frame
from dqlabels.frames.targets import looks_continuous
from dqlabels.statistics.classes import FILTERS, SCORES
from dqlabels.statistics.ordinal import GRADE_SCORES

# Whole numbers of this many values and more may be codes of classes, grades or counts.
FEWEST_TO_ASK = 5


def kind_of_label(frame: Frame, label: str, task: str | None, given: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """The task, as said or by the column, and what a reader should know of the choice.

    Args:
        frame: The table.
        label: The label column, which need not exist.
        task: One of ``dqlabels.audits.tasks.SINGLE``, or None.
        given: Options of :func:`dqlabels.audit`; those that only audits of classes have say that it is one.

    >>> import polars as pl
    >>> import narwhals as nw
    >>> kind_of_label(nw.from_native(pl.DataFrame({"y": [at / 7 for at in range(99)]})), "y", None, {})[0]
    'regression'
    """
    if task is not None:
        return task, ()
    if label not in frame.columns or class_options(given):
        return "classes", ()
    column = frame[label]
    if looks_continuous(column):
        return "regression", (
            f"Column {label!r} holds fractional numbers of many values and was audited as numbers. Say "
            "task='regression' to keep that without this note, task='classes' if each number is a class.",
        )
    if is_ordered(column):
        return "ordinal", (
            f"Column {label!r} is an ordered categorical and was audited as grades, where distance counts. Say "
            "task='ordinal' to keep that without this note, task='classes' to leave the order out.",
        )
    return "classes", _asked(column)


def class_options(given: Mapping[str, Any]) -> list[str]:
    """Which options of :func:`dqlabels.audit`, of those that only audits of classes have, are not as usual.

    >>> class_options({"model": None, "score": "self_confidence", "n_jobs": 2})
    ['score']
    """
    unset = ("pred_probs", "classes", "model", "cv", "compat", "sample_rows")
    usual = {"score": SCORES[0], "filter_by": FILTERS[0], "adjust": False}
    return [name for name in unset if given.get(name) is not None] + [
        name for name, value in usual.items() if given.get(name, value) != value
    ]


def check_grades(column: Column, score: str, *, adjust: bool, compat: str | None) -> None:
    """Refuse labels whose order is not known, and options that only unordered classes have.

    Raises:
        LabelColumnError: Strings, or a categorical that says no order.
        OptionError: Naming the option and the way out.
    """
    dtype = column.dtype
    if dtype in (nw.String, nw.Categorical, nw.Object) and not isinstance(dtype, nw.Enum):
        values = ", ".join(map(repr, sorted(map(str, column.drop_nulls().unique().to_list()))[:5]))
        raise LabelColumnError(
            f"Column {column.name!r} holds {dtype} ({values}), whose order is not known: by name it would be guessed. "
            "Make it a pl.Enum([...]) or an ordered pd.Categorical with the grades from the lowest up, or numbers."
        )
    if score not in GRADE_SCORES:
        raise OptionError(
            f"score={score!r} knows no order of classes; for task='ordinal' take one of "
            f"{', '.join(map(repr, GRADE_SCORES))}, or audit with task='classes'."
        )
    if adjust or compat is not None:
        option = "adjust=True" if adjust else f"compat={compat!r}"
        raise OptionError(f"{option} has no form for ordered classes. Leave it out, or audit with task='classes'.")


def is_ordered(column: Column) -> bool:
    """Whether a pandas categorical says that its categories have an order, and three of them or more occur.

    A Polars Enum lists its categories in an order too, but does not say whether that means anything.
    """
    if not column.implementation.is_pandas_like():
        return False
    return bool(getattr(column.to_native().dtype, "ordered", False)) and column.drop_nulls().n_unique() > 2


def _asked(column: Column) -> tuple[str, ...]:
    wide = column.dtype in (nw.Int128, nw.UInt128)
    if wide or not column.dtype.is_numeric() or column.dtype.is_decimal() or len(column) < MIN_ROWS_TO_JUDGE:
        return ()
    present = column.drop_nulls()
    values = present.to_numpy()
    distinct = np.unique(values[np.isfinite(values)])  # whole numbers beside missing ones are often floats
    if not FEWEST_TO_ASK <= distinct.size <= len(present) / 2 or not (distinct == np.floor(distinct)).all():
        return ()
    span = f"{int(distinct[0])} to {int(distinct[-1])}"
    return (
        f"Column {column.name!r} holds whole numbers from {span} ({distinct.size} values) and "
        "was audited as classes without order. Say task='ordinal' if they are grades, task='regression' if they are "
        "counts or amounts, task='classes' if they are codes and this is right.",
    )
