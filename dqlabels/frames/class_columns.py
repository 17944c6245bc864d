"""Match probability columns to classes, as the caller says or by the names of the columns, never by guessing."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import narwhals as nw
import numpy as np

from dqlabels.errors import ProbabilityError
from dqlabels.frames.arrays import FloatArray, IntArray
from dqlabels.frames.columns import Column, Labels
from dqlabels.frames.outputs import palette

# If another order of the probability columns agrees with the labels in so many more rows, the order is wrong.
ORDER_GAIN = 0.20
# An order is called wrong where its gain on rows that did not choose it would come of luck less often than this.
ORDER_P = 0.001
ORDER_PARTS = 5


def column_order(
    labels: Labels, label: str, columns: Sequence[Hashable], width: int, classes: Sequence[object] | None
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
    named = classes_by_name(carried, columns, width)
    if classes is None:
        classes = named
    if classes is None:
        raise ProbabilityError(_not_known(carried, columns, width))
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
    check_contradiction(listed, columns, carried)
    return [listed.index(value) for value in carried], [value for value in listed if value not in carried]


def with_unused_classes(labels: Labels, extra: Sequence[Any]) -> tuple[Labels, list[int]]:
    """Return the labels with further classes, which no row carries, each at its place in the order of the classes.

    Args:
        labels: K classes.
        extra: E further ones.

    Returns:
        The labels, and for each of their K + E classes its place among the K classes followed by the further ones.

    Raises:
        LabelColumnError: The dtype of the labels cannot hold one of them.
    """
    together = [*labels.classes, *extra]
    places = _in_order(together, labels.column)
    classes = tuple(together[at] for at in places)
    place = {at: new for new, at in enumerate(places)}
    renumbered = np.array([*(place[at] for at in range(len(labels.classes))), -1], dtype=np.int64)
    column = palette(labels.column, classes).alias(labels.column.name)
    return Labels(column, renumbered[labels.codes], classes, np.arange(len(classes))), places


def _in_order(values: Sequence[Any], column: Column) -> list[int]:
    """Places of the classes in their order: of the categories where the dtype lists them, else of their values."""
    places = list(range(len(values)))
    listed = list(column.dtype.categories) if isinstance(column.dtype, nw.Enum) else []
    try:
        return sorted(places, key=lambda at: listed.index(values[at]) if listed else values[at])
    except (TypeError, ValueError):
        return places


def check_contradiction(listed: Sequence[object], columns: Sequence[Hashable], carried: Sequence[object]) -> None:
    """Raise where ``classes=`` says something else of a column than the class whose very name it has.

    Raises:
        ProbabilityError: Naming the first such column.
    """
    if _is_count(columns):
        return
    for said, column in zip(listed, columns, strict=False):
        own = _exactly(column, carried)
        if own is not None and own[0] != said:
            raise ProbabilityError(
                f"classes= says that the probability column {column!r} is of the class {said!r}, but {own[0]!r} is a "
                "class too. Leave classes= out to go by the names of the columns, or pass an array without names."
            )


def classes_by_name(carried: Sequence[object], columns: Sequence[Hashable], width: int) -> list[object] | None:
    """Read the classes off the names of the columns; an array, or one that only counts them, has those of 0..K-1 alone.

    Args:
        carried: The classes.
        columns: Names that are classes, or end in them (``p_good``, ``proba0``); empty for an array.
        width: Number of columns.

    >>> classes_by_name(["cat", "dog"], ["dog", "cat"], 2), classes_by_name(["no", "yes"], ["p_no", "p_yes"], 2)
    (['dog', 'cat'], ['no', 'yes'])
    >>> classes_by_name(["cat", "dog"], [0, 1], 2)
    """
    if not columns or _is_count(columns):
        numbered = all(type(value) is int for value in carried) and list(carried) == list(range(width))
        return list(carried) if numbered else None
    named: list[object] = []
    # Where every class has a column of its very name, the other columns are those of classes that no row carries.
    exact = len(columns) > len(carried) == sum(_exactly(column, carried) is not None for column in columns)
    for column in columns:
        matches = _exactly(column, carried) or [value for value in carried if str(column).endswith(str(value))]
        if not matches and exact:
            matches = [column]
        if not matches:
            return None
        named.append(max(matches, key=lambda value: len(str(value))))
    return named if len(set(map(str, named))) == len(columns) else None


def _exactly(column: Hashable, carried: Sequence[object]) -> list[object] | None:
    """The class that has the very name of a column, in a list; None if there is none."""
    same = [value for value in carried if type(value) is type(column) and value == column]
    return (same or [value for value in carried if str(value) == str(column)])[:1] or None


def _is_count(columns: Sequence[Hashable]) -> bool:
    """Whether the names of the columns are 0, 1, 2 and so on, as pandas gives them to an array."""
    return all(isinstance(name, (int, np.integer)) for name in columns) and list(columns) == list(range(len(columns)))


def _not_known(carried: Sequence[object], columns: Sequence[Hashable], width: int) -> str:
    """The message where the classes of the columns are not known; columns with names get no order to copy unread."""
    start = f"It is not known which class each of the {width} probability columns stands for. "
    if not columns or _is_count(columns):
        return f"{start}Name the classes in the order of the columns, as in classes={list(carried[:20])!r}."
    return (
        f"{start}They are named {', '.join(map(repr, columns[:20]))}, the classes are "
        f"{', '.join(map(repr, carried[:20]))}. Name the columns after the classes, or say the class of each in their "
        "order with classes=."
    )


def check_order(likely: IntArray, codes: IntArray, labels: Labels, label: str) -> None:
    """Raise if another order of the probability columns agrees with the labels far better, on other rows too.

    With few rows and many classes some order always agrees better by chance. So an order found on four fifths of the
    rows is tried on the last fifth, and rows in which answers that know nothing would agree too are taken off.

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
    if best - as_given > ORDER_GAIN and best > 2 * as_given and _order_gain_p(agreed) < ORDER_P:
        swapped = [(labels.classes[g], labels.classes[c]) for g, c in zip(given, column, strict=True) if g != c]
        pairs = ", ".join(f"{a!r} ↔ {b!r}" for a, b in swapped[:5])
        raise ProbabilityError(
            f"The probability columns look out of order: they agree with {label!r} in {as_given:.0%} of the rows, but "
            f"in another order in {best:.0%} ({pairs}). Compare the order of classes= with the model's classes_."
        )


def _order_gain_p(agreed: IntArray) -> float:
    """Chance that the gain of a better order of the columns is luck, from orders that are found on other rows.

    Args:
        agreed: (K, K) rows by given label and likeliest class.
    """
    from scipy.optimize import linear_sum_assignment
    from scipy.stats import norm

    k, left = len(agreed), agreed.ravel().copy()
    rng = np.random.default_rng([k, int(agreed.sum())])
    gain = rows = 0.0
    for part in range(ORDER_PARTS, 0, -1):
        # Rows are drawn from the counts, so that their order in the table does not show.
        drawn = rng.multivariate_hypergeometric(left, int(left.sum()) // part, method="marginals")
        left = left - drawn
        tried = drawn.reshape(k, k)
        given, column = linear_sum_assignment(-_beyond_chance(agreed - tried))
        moved = given != column
        beyond = _beyond_chance(tried)
        gain += float(beyond[given, column][moved].sum() - np.diagonal(beyond)[moved].sum())
        rows += float(tried[given, column][moved].sum() + np.diagonal(tried)[moved].sum())
    return float(norm.sf(gain / np.sqrt(rows))) if rows else 1.0


def _beyond_chance(rows: IntArray) -> FloatArray:
    """Rows (K, K) by label and answer, less those that there would be if the answers did not depend on the labels."""
    return np.asarray(rows - np.outer(rows.sum(axis=1), rows.sum(axis=0)) / max(int(rows.sum()), 1))
