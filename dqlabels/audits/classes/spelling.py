"""Classes whose names look like another's: what a reader is told, what is suggested, and what is flagged."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dqlabels.audits.options import Options
from dqlabels.audits.verdict import ClassVerdict, tally_of
from dqlabels.frames.look_alikes import look_alike_note
from dqlabels.statistics.arrays import BoolArray, IntArray

SINGLE = "A class of one row that looks like another is flagged, with that class as its suggestion."


@dataclass(frozen=True, slots=True, eq=False)
class Spelling:
    """What to suggest in place of each of K classes: ``meant`` (K,), the class that it looks like, itself where none.

    ``small`` (K,) is true of those that look like another and are too small to be judged: their rows are flagged.
    """

    meant: IntArray
    small: BoolArray

    @classmethod
    def of(cls, like: Mapping[int, int], rows: IntArray, least_rows: int, options: Options) -> Spelling:
        """Read what looks like what.

        Args:
            like: The class that a class looks like.
            rows: (K,) rows of each class.
            least_rows: Classes with fewer cannot be judged.
            options: With another library's numbers, or where classes have an order, no class is taken for another.
        """
        meant = np.arange(rows.size)
        if options.compat is None and options.task != "ordinal":
            meant[list(like)] = list(like.values())
        return cls(meant, (meant != np.arange(rows.size)) & (rows < least_rows))

    def respell(self, codes: IntArray, suggested: IntArray) -> tuple[BoolArray, IntArray]:
        """Return flags (n,) and suggestions (n,), none of which is a class that looks like another.

        Args:
            codes: (n,) class positions of the labels.
            suggested: (n,) class positions, those of the labels unless flagged without looking at names.

        >>> spelling = Spelling(np.array([0, 1, 0]), np.array([False, False, True]))
        >>> flags, classes = spelling.respell(np.array([0, 2, 0, 1]), np.array([2, 2, 0, 2]))
        >>> flags.tolist(), classes.tolist()
        ([False, True, False, True], [0, 0, 0, 0])
        """
        meant = np.where((suggested != codes) | self.small[codes], self.meant[suggested], suggested)
        return meant != codes, meant

    def with_meant(self, verdict: ClassVerdict, codes: IntArray) -> ClassVerdict:
        """Return the verdict on labels (n,) with the classes that are meant."""
        if (self.meant == np.arange(self.meant.size)).all():
            return verdict
        judgement, units = verdict.judgement, verdict.units
        flagged, suggested = self.respell(codes, judgement.suggested)
        calibration = replace(verdict.calibration, flagged=tally_of(units[flagged]))
        judgement = replace(judgement, flagged=flagged, suggested=suggested)
        return replace(verdict, judgement=judgement, calibration=calibration)


def class_notes(
    classes: Sequence[Hashable], rows: IntArray, tiny: BoolArray, like: dict[int, int], spelling: Spelling
) -> list[str]:
    """Return what a reader should know of the classes: which look alike, and which are too small to be judged.

    Args:
        classes: The K classes.
        rows: (K,) rows of each.
        tiny: (K,) true for those of a single row.
        like: The class that a class looks like.
        spelling: What is suggested in their place.
    """
    notes = []
    if like:
        notes.append(look_alike_note(classes, rows, like) + (f" {SINGLE}" if spelling.small.any() else ""))
    alone = tiny & ~spelling.small
    if alone.any():
        named = ", ".join(repr(value) for value, few in zip(classes, alone, strict=True) if few)
        notes.append(f"Classes with a single row cannot be judged and are never flagged: {named}.")
    return notes
