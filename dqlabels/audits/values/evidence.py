"""What an audit of numbers found, as arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dqlabels.audits.values.columns import ValueJudge
from dqlabels.frames.targets import Targets


@dataclass(frozen=True, slots=True, eq=False)
class ValueEvidence:
    """What the tables of a :class:`ValueAudit` are made from; arrays are over the m audited rows.

    ``positions`` (m,) row numbers in the frame, ``predicted`` (m,) amounts that the label's dtype holds, ``scores``
    (m,) residuals over what is usual for the row, signed, ``quality`` (m,) P(right) in [0, 1], ``flagged`` (m,);
    ``outputs`` (m, 2) mean and spread of the trees, from which ``judge`` has all of these; ``places`` (m,) are the rows
    of ``targets`` that they are of.
    """

    targets: Targets
    positions: NDArray[np.int64]
    predicted: NDArray[np.float64]
    scores: NDArray[np.float64]
    quality: NDArray[np.float64]
    flagged: NDArray[np.bool_]
    judge: ValueJudge
    outputs: NDArray[np.float64]
    places: NDArray[np.int64]

    def worst(self) -> tuple[NDArray[np.int64], list[str]]:
        """Audited positions of the flagged rows, worst first, and whether each is too ``high`` or too ``low``."""
        flagged = np.flatnonzero(self.flagged)
        # Rounding may give neighbours one probability; their scores still tell them apart.
        order = flagged[np.lexsort((-np.abs(self.scores[flagged]), self.quality[flagged]))]
        return order, ["high" if score > 0 else "low" for score in self.scores[order].tolist()]
