"""Probabilities that the caller has as columns of a table out of memory: no model is trained, and no row sampled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dqlabels.audits.classes.task import ClassTask, FittedClassTask
from dqlabels.audits.options import Options
from dqlabels.errors import OptionError
from dqlabels.frames.beside import columns_of
from dqlabels.frames.class_columns import column_order
from dqlabels.frames.columns import Frame, LabelSet, require_names
from dqlabels.frames.sampling import Sample
from dqlabels.progress import ProgressOption
from dqlabels.statistics.arrays import IntArray
from dqlabels.statistics.classes import check_block


@dataclass(frozen=True, slots=True, eq=False)
class GivenProbabilities:
    """The columns (K,) that hold the probabilities, in the order of the classes."""

    columns: list[str]

    @property
    def model(self) -> str:
        """What judges, in words."""
        return f"your probabilities ({len(self.columns)} classes)"

    @property
    def notes(self) -> tuple[str, ...]:
        """Nothing."""
        return ()

    def encode(self, block: Frame) -> NDArray[np.float32]:
        """Probabilities (b, K) of the rows of a block, as single precision.

        Raises:
            ProbabilityError: They are none.
        """
        given = columns_of(block, self.columns, "pred_probs").values
        check_block(given)
        return np.ascontiguousarray(given, dtype=np.float32)

    def probs(self, encoded: NDArray[np.float32], n_jobs: int | None = None) -> NDArray[np.float32]:
        """The probabilities as they are."""
        return encoded


@dataclass(frozen=True, slots=True, eq=False)
class GivenTask(ClassTask):
    """K classes in a table whose columns hold their probabilities."""

    given: GivenProbabilities

    @property
    def quotas(self) -> IntArray:
        """(K,) no row is sampled, since nothing is learnt."""
        return np.zeros(len(self.labels.classes), dtype=np.int64)

    def learn(self, sample: Sample | None, n_jobs: int | None, progress: ProgressOption = False) -> FittedClassTask:
        """Take the probabilities as they are."""
        return FittedClassTask(self.given, self.labels, self.options)


def task_of(labels: LabelSet, columns: list[str], options: Options, there: list[str]) -> ClassTask:
    """The task for these classes: to train, or to take the probabilities that the frame holds.

    Args:
        labels: The classes.
        columns: The columns that may be features.
        options: What the caller asks for.
        there: The columns of the frame.

    Raises:
        ProbabilityError: The columns do not say which class each belongs to.
        OptionError: A column holds the probability of a class that no row carries.
    """
    if options.pred_probs is None:
        return ClassTask(labels, columns, options)
    named, label = list(options.pred_probs), labels.values.name
    require_names(there, named, "pred_probs")
    known: Any = labels
    order, extra = column_order(known, label, named, len(named), options.classes)
    if extra:
        raise OptionError(
            f"No row of {label!r} carries {', '.join(map(repr, extra[:10]))}, which pred_probs= has columns for. In a "
            "frame this large leave these columns out, and rescale the others to sum to 1."
        )
    given = GivenProbabilities([named[at] for at in order])
    return GivenTask(labels, sorted(named), options, given)
