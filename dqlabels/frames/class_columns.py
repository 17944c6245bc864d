"""Match probability columns to classes, as the caller says or by the names of the columns, never by guessing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dqlabels.errors import ProbabilityError
from dqlabels.frames.arrays import IntArray
from dqlabels.frames.columns import Labels

# If another order of the probability columns agrees with the labels in so many more rows, the order is wrong.
ORDER_GAIN = 0.20


def column_order(
    labels: Labels, label: str, columns: Sequence[str], width: int, classes: Sequence[object] | None
) -> tuple[list[int], list[object]]:
    """Find the probability column of each class.

    Args:
        labels: The label column.
        label: Its name, for messages.
        columns: Names of the probability columns; empty for an array.
        width: Number of probability columns.
        classes: Class of each column, if the caller names them.

    Returns:
        The position of each class's column, and the classes of further columns, which no row carries.

    Raises:
        ProbabilityError: The classes of the columns are not known or repeat, or one that rows carry has no column.
    """
    carried = list(labels.classes)
    if classes is None:
        classes = _classes_by_name(carried, columns, width)
    if classes is None:
        raise ProbabilityError(
            f"It is not known which class each of the {width} probability columns stands for. Name the classes in the "
            f"order of the columns, as in classes={carried[:20]!r}."
        )
    listed = [value.item() if isinstance(value, np.generic) else value for value in classes]
    if len(listed) != width or len(set(listed)) != width:
        raise ProbabilityError(
            f"classes= names {len(set(listed))} different classes for {width} probability columns. Name one for each."
        )
    absent = [value for value in carried if value not in listed]
    if absent:
        raise ProbabilityError(
            f"No probability column for {', '.join(map(repr, absent[:10]))}, which rows of {label!r} carry. "
            f"Pass one column for each of the {len(carried)} classes."
        )
    return [listed.index(value) for value in carried], [value for value in listed if value not in carried]


def _classes_by_name(carried: list[object], columns: Sequence[str], width: int) -> list[object] | None:
    """Read the classes off names that end in them (``p_good``, ``proba0``); an array has those of 0..K-1 alone."""
    if not columns:
        numbered = all(type(value) is int for value in carried) and carried == list(range(width))
        return carried if numbered else None
    named: list[object] = []
    for column in columns:
        matches = [value for value in carried if column.endswith(str(value))]
        if not matches:
            return None
        named.append(max(matches, key=lambda value: len(str(value))))
    return named if len(set(map(str, named))) == len(columns) else None


def check_order(likely: IntArray, codes: IntArray, labels: Labels, label: str) -> None:
    """Raise if another order of the probability columns agrees with the labels far better.

    Args:
        likely: (m,) likeliest class of each row by the probabilities.
        codes: (m,) class positions of the given labels.
        labels: The label column.
        label: Its name, for messages.

    Raises:
        ProbabilityError: Some columns look swapped; the message names their classes.
    """
    from scipy.optimize import linear_sum_assignment

    if np.count_nonzero(codes == likely) >= (1 - ORDER_GAIN) * codes.size:
        return
    k = len(labels.classes)
    agreed = np.bincount(codes * k + likely, minlength=k * k).reshape(k, k)
    given, column = linear_sum_assignment(-agreed)
    as_given, best = np.trace(agreed) / codes.size, agreed[given, column].sum() / codes.size
    if best - as_given > ORDER_GAIN and best > 2 * as_given:
        swapped = [(labels.classes[g], labels.classes[c]) for g, c in zip(given, column, strict=True) if g != c]
        pairs = ", ".join(f"{a!r} ↔ {b!r}" for a, b in swapped[:5])
        raise ProbabilityError(
            f"The probability columns look out of order: they agree with {label!r} in {as_given:.0%} of the rows, but "
            f"in another order in {best:.0%} ({pairs}). Compare the order of classes= with the model's classes_."
        )
