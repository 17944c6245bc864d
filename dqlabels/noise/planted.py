"""Planted errors: flip some labels of a table, audit it again, and measure the share of them that is flagged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dqlabels.errors import OptionError
from dqlabels.noise.corrupt import number_to_change, wrong_labels
from dqlabels.statistics.arrays import BoolArray, IntArray

CAVEAT = (
    "The labels were flipped at random to any other class. Errors that people or systems make are more systematic and "
    "harder to find, so expect less; and this says nothing about how many labels are wrong."
)


@dataclass(frozen=True, slots=True)
class PlantedRecall:
    """Share of planted errors that were flagged: ``recall`` over all repeats, ``by_repeat`` in each of them.

    ``planted`` counts the labels flipped in each repeat.

    >>> found = PlantedRecall(0.75, (0.7, 0.8), 30, "Planted errors are easier to find than real ones.")
    >>> round(found.spread, 3)
    0.071
    """

    recall: float
    by_repeat: tuple[float, ...]
    planted: int
    caveat: str

    @property
    def spread(self) -> float:
        """Standard deviation over the repeats, 0 for a single one."""
        return float(np.std(self.by_repeat, ddof=1)) if len(self.by_repeat) > 1 else 0.0

    def __str__(self) -> str:
        spread = f"± {self.spread:.0%} over repeats"
        return f"{self.recall:.0%} of {self.planted:,} planted errors found ({spread}). {self.caveat}"


def plant_and_find(
    codes: IntArray, n_classes: int, again: Callable[[IntArray], BoolArray], share: float, repeats: int, seed: int
) -> PlantedRecall:
    """Flip a random ``share`` of the labels, audit them again, and measure the share of flipped labels flagged.

    Args:
        codes: (n,) class positions of the given labels.
        n_classes: K.
        again: Audits labels (n,) and returns the flags (n,).
        share: Share of the labels to flip in each repeat, in (0, 0.5].
        repeats: How often to do so.
        seed: Seed of the choice of labels and classes.

    Raises:
        OptionError: A share outside (0, 0.5], fewer than 1 repeats, or no label to flip.

    >>> def flag_all(codes):
    ...     return np.ones(codes.size, dtype=bool)
    >>> plant_and_find(np.zeros(100, dtype=np.int64), 2, flag_all, 0.1, 1, 0).recall
    1.0
    """
    if not 0 < share <= 0.5 or repeats < 1:
        raise OptionError(f"share={share!r} must be above 0 and at most 0.5, repeats={repeats!r} at least 1.")
    recalls, number = [], number_to_change(codes.size, n_classes, share)
    for repeat in range(repeats):
        rng = np.random.default_rng([seed, 0x91A, repeat])
        noisy, flipped = wrong_labels(codes, n_classes, share, "symmetric", rng)
        recalls.append(float(np.mean(again(noisy)[flipped])))
    return PlantedRecall(float(np.mean(recalls)), tuple(recalls), number, CAVEAT)
