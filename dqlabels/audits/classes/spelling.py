"""Classes whose names look like another's: what a reader is told, and what becomes of those of a single row."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from dqlabels.audits.options import Options
from dqlabels.audits.verdict import ClassVerdict, tally_of
from dqlabels.frames.look_alikes import look_alike_note
from dqlabels.statistics.arrays import BoolArray, IntArray

SINGLE = "A class of one row that looks like another is flagged, with that class as its suggestion."


def respelled_classes(like: Mapping[int, int], rows: IntArray, least_rows: int, options: Options) -> IntArray | None:
    """Return the class (K,) that each class too small to be judged looks like, -1 for others; None where there is none.

    Args:
        like: The class that a class looks like.
        rows: (K,) rows of each class.
        least_rows: Classes with fewer cannot be judged.
        options: With another library's numbers, or where classes have an order, no class is taken for another.
    """
    to = np.full(rows.size, -1, dtype=np.int64)
    if options.compat is None and options.task != "ordinal":
        for at, other in like.items():
            to[at] = other if rows[at] < least_rows else -1
    return to if (to >= 0).any() else None


def class_notes(
    classes: Sequence[Hashable], rows: IntArray, tiny: BoolArray, like: dict[int, int], respelled: IntArray | None
) -> list[str]:
    """Return what a reader should know of the classes: which look alike, and which are too small to be judged.

    Args:
        classes: The K classes.
        rows: (K,) rows of each.
        tiny: (K,) true for those of a single row.
        like: The class that a class looks like.
        respelled: (K,) the class that a tiny one is taken for, -1 for others; None where there is none.
    """
    notes = []
    if like:
        notes.append(look_alike_note(classes, rows, like) + ("" if respelled is None else f" {SINGLE}"))
    alone = tiny if respelled is None else tiny & (respelled < 0)
    if alone.any():
        named = ", ".join(repr(value) for value, few in zip(classes, alone, strict=True) if few)
        notes.append(f"Classes with a single row cannot be judged and are never flagged: {named}.")
    return notes


def respell(codes: IntArray, suggested: IntArray, to: IntArray) -> tuple[BoolArray, IntArray]:
    """Return flags (n,) and suggestions (n,) in which a class too small to be judged is one that it looks like.

    Its rows are flagged, and other rows are not moved to it.

    Args:
        codes: (n,) class positions of the labels.
        suggested: (n,) class positions, those of the labels unless flagged without looking at names.
        to: (K,) the class that such a class looks like, -1 for others.

    >>> flags, classes = respell(np.array([0, 2, 0]), np.array([2, 2, 0]), np.array([-1, -1, 0]))
    >>> flags.tolist(), classes.tolist()
    ([False, True, False], [0, 0, 0])
    """
    meant = np.where(to[suggested] >= 0, to[suggested], suggested)
    return meant != codes, meant


def with_respelled(verdict: ClassVerdict, codes: IntArray, to: IntArray | None) -> ClassVerdict:
    """Return the verdict on labels (n,) with the classes (K,) that small ones look like, if any."""
    if to is None:
        return verdict
    judgement, units = verdict.judgement, verdict.units
    flagged, suggested = respell(codes, judgement.suggested, to)
    calibration = replace(verdict.calibration, flagged=tally_of(units[flagged]))
    return replace(verdict, judgement=replace(judgement, flagged=flagged, suggested=suggested), calibration=calibration)
