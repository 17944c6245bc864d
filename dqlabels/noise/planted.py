"""Planted errors: flip known labels, audit again, and see which share is found on this very table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dqlabels.errors import OptionError

IntArray = NDArray[np.int64]

CAVEAT = (
    "Of labels flipped at random to any other class. Errors that people or systems make are more systematic and "
    "harder to find, so this is hopeful; and it says nothing about how many labels are wrong."
)


@dataclass(frozen=True, slots=True)
class PlantedRecall:
    """``recall`` is the share of planted errors that were flagged, over all repeats; ``by_repeat`` each of them.

    ``planted`` counts the labels flipped in each repeat.
    """

    recall: float
    by_repeat: tuple[float, ...]
    planted: int
    caveat: str

    @property
    def spread(self) -> float:
        """Standard deviation over the repeats, 0 for one."""
        return float(np.std(self.by_repeat, ddof=1)) if len(self.by_repeat) > 1 else 0.0

    def __str__(self) -> str:
        found = f"{self.recall:.0%} of {self.planted:,} planted errors found (± {self.spread:.0%} over repeats)"
        return f"{found}. {self.caveat}"


def plant_and_find(
    codes: IntArray, n_classes: int, again: Callable[[IntArray], Any], share: float, repeats: int, seed: int
) -> PlantedRecall:
    """Flip a uniform ``share`` of labels (n,) ``repeats`` times and count what ``again(codes)`` flags (n,).

    Raises:
        OptionError: A share outside (0, 0.5], fewer than 1 repeats, or no label to flip.
    """
    if not 0 < share <= 0.5 or repeats < 1:
        raise OptionError(f"share={share!r} must be above 0 and at most 0.5, repeats={repeats!r} at least 1.")
    number = round(share * codes.size)
    if number < 1:
        raise OptionError(f"A share of {share} of {codes.size:,} labels is less than one. Raise share=.")
    found = []
    for repeat in range(repeats):
        rng = np.random.default_rng([seed, 0x91A, repeat])
        flipped = rng.choice(codes.size, number, replace=False)
        noisy = codes.copy()
        noisy[flipped] = (noisy[flipped] + rng.integers(1, n_classes, number)) % n_classes
        found.append(float(np.mean(again(noisy)[flipped])))
    return PlantedRecall(float(np.mean(found)), tuple(found), number, CAVEAT)
