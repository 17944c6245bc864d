"""Which class each column of given probabilities stands for: said or read off names, never guessed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dqlabels.errors import ProbabilityError
from dqlabels.frames.columns import Labels

# Given in the wrong order, probability columns agree with the labels far less than some other order of them does.
ORDER_GAIN = 0.20


def column_order(
    labels: Labels, label: str, columns: Sequence[str], width: int, classes: Sequence[Any] | None
) -> tuple[list[int], list[Any]]:
    """The column of each class, and the classes that no row carries; never a guess.

    Raises:
        ProbabilityError: The classes of the columns are not known, repeat, or lack one that rows carry.
    """
    known = list(labels.classes)
    if classes is None:
        classes = _classes_by_name(known, columns, width)
    if classes is None:
        raise ProbabilityError(
            f"Which class each of the {width} probability columns stands for is not known. Say it in their order, as "
            f"in classes={known[:20]!r}."
        )
    listed = [value.item() if isinstance(value, np.generic) else value for value in classes]
    if len(listed) != width or len(set(listed)) != width:
        raise ProbabilityError(
            f"classes= names {len(set(listed))} different classes for {width} probability columns; one each is needed."
        )
    absent = [value for value in known if value not in listed]
    if absent:
        raise ProbabilityError(
            f"No probability column for {', '.join(map(repr, absent[:10]))}, which rows of {label!r} carry. "
            f"Pass one column for each of the {len(known)} classes."
        )
    return [listed.index(value) for value in known], [value for value in listed if value not in known]


def _classes_by_name(known: list[Any], columns: Sequence[str], width: int) -> list[Any] | None:
    """Classes read off column names that end in them (``p_good``, ``proba0``), or 0..K-1 of an array."""
    if not columns:
        counted = width == len(known) and all(type(v) is int for v in known) and known == list(range(width))
        return known if counted else None
    named: list[Any] = []
    for column in columns:
        fits = [value for value in known if column.endswith(str(value))]
        if not fits:
            return None
        named.append(max(fits, key=lambda value: len(str(value))))
    return named if len(set(map(str, named))) == len(columns) else None


def check_order(probs: NDArray[Any], codes: NDArray[np.int64], labels: Labels, label: str) -> None:
    """Refuse columns of which another order agrees with the labels far better than the given one.

    Raises:
        ProbabilityError: Naming the classes that look swapped.
    """
    from scipy.optimize import linear_sum_assignment

    if not codes.size or not np.isfinite(probs).all():
        return
    k = probs.shape[1]
    agreed = np.bincount(codes * k + probs.argmax(axis=1), minlength=k * k).reshape(k, k)
    given, column = linear_sum_assignment(-agreed)
    here, best = np.trace(agreed) / codes.size, agreed[given, column].sum() / codes.size
    if best - here > ORDER_GAIN and best > 2 * here:
        swapped = [(labels.classes[g], labels.classes[c]) for g, c in zip(given, column, strict=True) if g != c]
        pairs = ", ".join(f"{a!r} ↔ {b!r}" for a, b in swapped[:5])
        raise ProbabilityError(
            f"The probability columns look out of order: they agree with {label!r} in {here:.0%} of the rows, in "
            f"another order in {best:.0%} ({pairs}). Check the order of classes= against the model's classes_."
        )
