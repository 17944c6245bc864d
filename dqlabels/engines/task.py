"""What a kind of label brings to the engines out of memory, in three steps: to sample, to judge, and to rule.

An engine knows rows, blocks and these steps, and no kind of label: it feeds a :class:`Task` the rows to sample, then
what that :class:`Learnt` the rows to judge, and then what both found, as often as its statistics want, until there is
a :class:`Rule` that says of any block alone what its rows get.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from dqlabels.frames.columns import Column, Frame
from dqlabels.frames.sampling import Sample
from dqlabels.progress import ProgressOption
from dqlabels.statistics.arrays import BoolArray, IntArray

State = TypeVar("State")


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of each row between the passes: its label as one ``dtype``, and ``width`` float32 of the model.

    A class position is -1 where the label is missing, an amount NaN.
    """

    dtype: type[np.int32] | type[np.float64]
    width: int

    def known(self, given: NDArray[Any]) -> BoolArray:
        """(b,) which of these labels (b,) are there."""
        there: BoolArray = given >= 0 if self.dtype is np.int32 else ~np.isnan(given)
        return there

    @property
    def bytes_a_row(self) -> int:
        """Of the label and of what the model said."""
        return int(np.dtype(self.dtype).itemsize + 4 * self.width)


class Blocks(Protocol):
    """Judged rows that can be gone through again and again, in blocks."""

    def reduce(self, make: Callable[[], State], observe: Callable[[State, Any, NDArray[Any]], None]) -> State:
        """Merge a statistic over all rows that have a label: ``observe(state, given (b,), said (b, width))``.

        A statistic has ``merge(other)``; ``sums()``, whole numbers that add up with those of other parts; and
        ``add_sums(sums)``.
        """


class Rule(Protocol):
    """What the passes found: it says of any block alone what its rows get, and holds nothing by row."""

    def add_columns(self, block: Frame, given: NDArray[Any], said: NDArray[Any]) -> Frame:
        """The block (b rows) with quality, suggestion and flag."""


class Learnt(Protocol):
    """What a sample taught: it goes to wherever the rows are."""

    @property
    def columns(self) -> list[str]:
        """The columns it judges by."""

    def judge(self, block: Frame, given: NDArray[Any], n_jobs: int | None) -> NDArray[np.float32]:
        """What the model says of a block's rows (b, width), by what did not see them."""

    def first(self) -> Any:
        """An empty statistic that is made on the way of the first pass."""

    @property
    def observe(self) -> Callable[[Any, Any, NDArray[Any]], None]:
        """What updates that statistic with labelled rows; it holds no more than it needs, for it goes to the rows."""

    def rule(self, blocks: Blocks, first: Any) -> Rule:
        """Go through the rows until the rule is found."""


class Task(Protocol):
    """A kind of label: which rows to sample, and how to learn from them."""

    label: str
    columns: list[str]
    kept: Kept
    quotas: IntArray
    strata_rows: IntArray

    def learn(self, sample: Sample, n_jobs: int | None, progress: ProgressOption = False) -> Learnt:
        """Fit the model on a sample."""

    def given(self, column: Column) -> NDArray[Any]:
        """The labels (b,) of a block, as they are kept."""

    def strata(self, given: NDArray[Any]) -> IntArray:
        """(b,) which of the ``quotas`` each row counts for, -1 for none; ``strata_rows`` is how many rows each has."""

    def hashes(self, block: Frame, given: NDArray[Any]) -> NDArray[np.uint64]:
        """A hash (b,) of what each row holds: the rows that hash lowest are sampled."""


@dataclass(frozen=True, slots=True, eq=False)
class ArrayBlocks:
    """Judged rows in memory: labels (n,) and what the model said (n, width), fed as one block."""

    kept: Kept
    given: NDArray[Any]
    said: NDArray[np.float32]

    def reduce(self, make: Callable[[], State], observe: Callable[[State, Any, NDArray[Any]], None]) -> State:
        """Merge a statistic over all rows that have a label."""
        state, known = make(), self.kept.known(self.given)
        observe(state, self.given[known], self.said[known])
        return state
