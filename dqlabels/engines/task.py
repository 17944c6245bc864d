"""What a kind of label hands to the engines out of memory: a task that samples, learns, judges and adds columns.

An engine knows rows and blocks, but no kind of label. It draws the rows that the :class:`Task` wants to learn from, has
the :class:`FittedTask` judge every row, feeds labels and outputs to statistics as often as the rule needs, and has the
:class:`Rule` add columns to each block by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from dqlabels.frames.columns import Column, Frame
from dqlabels.frames.sampling import Sample
from dqlabels.progress import ProgressOption
from dqlabels.statistics.arrays import BoolArray, IntArray, RealArray

if TYPE_CHECKING:
    from typing_extensions import Self

# Class positions, int64, -1 where missing; or amounts, float64, NaN where missing.
LabelArray = NDArray[Any]
# What the model says of each row, (b, width): the probabilities of the classes, or the mean and spread of an amount.
Outputs = RealArray


class Statistic(Protocol):
    """What is observed block by block and merged, on threads or by a cluster."""

    def merge(self, other: Self) -> None:
        """Add what ``other`` observed."""

    def sums(self) -> IntArray:
        """Return whole numbers that add up with those of other parts of the table."""

    def add_sums(self, sums: IntArray) -> None:
        """Add the summed numbers of other parts of the table."""


class Gathered(Protocol):
    """A few rows that are drawn block by block and merged, on threads or by a cluster."""

    def merge(self, other: Self) -> None:
        """Add the rows that ``other`` drew."""

    def columns(self) -> tuple[NDArray[np.uint64], IntArray, NDArray[np.uint32], IntArray]:
        """Return what the rows hold: hashes (m,), labels (m,), whole numbers (m, width), and how often each occurs."""

    def accept(
        self, hashes: NDArray[np.uint64], labels: IntArray, units: NDArray[np.uint32], counts: IntArray, /
    ) -> None:
        """Add what the ``columns`` of another hold.

        Args:
            hashes: (m,) by which rows are drawn.
            labels: (m,) their labels.
            units: (m, width) whole numbers of each.
            counts: (m,) how often each occurs.
        """


State = TypeVar("State", bound=Statistic)
Rows = TypeVar("Rows", bound=Gathered)
Observe = Callable[[State, LabelArray, Outputs], None]


@dataclass(frozen=True, slots=True)
class RowLayout:
    """What is stored of each row between the passes: its label as one ``dtype``, and ``width`` float32 of the model."""

    dtype: type[np.int32] | type[np.float64]
    width: int

    def known(self, labels: LabelArray) -> BoolArray:
        """Return which of these labels (b,) are not missing.

        >>> RowLayout(np.int32, 2).known(np.array([1, -1])).tolist()
        [True, False]
        """
        return np.asarray(labels >= 0 if self.dtype is np.int32 else ~np.isnan(labels))

    @property
    def bytes_a_row(self) -> int:
        """Bytes that the label and the outputs of one row take."""
        return int(np.dtype(self.dtype).itemsize + 4 * self.width)


class Reduced(Protocol):
    """Judged rows of which statistics can be merged, again and again."""

    def reduce(self, make: Callable[[], State], observe: Observe[State]) -> State:
        """Merge a statistic over all rows that have a label: ``observe(state, labels (b,), outputs (b, width))``."""


class Blocks(Reduced, Protocol):
    """Judged rows that can be read again and again, block by block."""

    def gather(self, make: Callable[[], Rows], observe: Callable[[Rows, LabelArray, Outputs], None]) -> Rows:
        """Merge what is drawn of all rows that have a label."""


class Rule(Protocol):
    """What the passes found. It decides on any block by itself, and holds nothing per row."""

    def add_columns(self, block: Frame, labels: LabelArray, outputs: Outputs, /) -> Frame:
        """Return the block (b rows) with its quality, suggestion and flag."""


class FittedTask(Protocol):
    """What was learnt from the sample. It is sent to wherever the rows are."""

    @property
    def columns(self) -> list[str]:
        """The columns it judges by."""

    def encode(self, block: Frame, labels: LabelArray, /) -> Any:
        """Return what a block is judged by, as arrays that need no frame any more."""

    def judge(self, encoded: Any, n_jobs: int | None, /) -> NDArray[np.float32]:
        """Return the outputs (b, width) of an encoded block, each row judged by models that did not see it."""

    def first(self) -> Any:
        """Return the empty statistic that is observed while the rows are judged."""

    @property
    def observe(self) -> Callable[[Any, LabelArray, Outputs], None]:
        """The function that updates that statistic; it holds no more than it needs, since it is sent to the rows."""

    def rule(self, blocks: Blocks, first: Any) -> Rule:
        """Go over the judged rows until the rule is found."""


class Task(Protocol):
    """A kind of label: which rows to sample, and how to learn from them.

    ``columns`` may be features; ``quotas`` (S,) is how many rows to sample of each stratum, ``strata_rows`` (S,) how
    many rows it has.
    """

    label: str
    columns: list[str]
    layout: RowLayout
    quotas: IntArray
    strata_rows: IntArray

    def learn(self, sample: Sample, n_jobs: int | None, progress: ProgressOption = False) -> FittedTask:
        """Fit the model on a sample."""

    def read_labels(self, column: Column) -> LabelArray:
        """Return the labels (b,) of a block, as they are stored."""

    def strata(self, labels: LabelArray, /) -> IntArray:
        """Return the stratum (b,) that each row counts for, -1 for none."""

    def hashes(self, block: Frame, labels: LabelArray, /) -> NDArray[np.uint64]:
        """Return a hash (b,) of what each row holds: the rows that hash lowest are sampled."""


@dataclass(frozen=True, slots=True, eq=False)
class ArrayBlocks:
    """Judged rows in memory: labels (n,) and outputs (n, width), fed as one block."""

    layout: RowLayout
    labels: LabelArray
    outputs: NDArray[np.float32]

    def reduce(self, make: Callable[[], State], observe: Observe[State]) -> State:
        """Merge a statistic over all rows that have a label."""
        state, known = make(), self.layout.known(self.labels)
        observe(state, self.labels[known], self.outputs[known])
        return state

    def gather(self, make: Callable[[], Rows], observe: Callable[[Rows, LabelArray, Outputs], None]) -> Rows:
        """Merge what is drawn of all rows that have a label."""
        rows, known = make(), self.layout.known(self.labels)
        observe(rows, self.labels[known], self.outputs[known])
        return rows
