"""The Polars engine: a lazy frame read in blocks, what a model said of them kept narrow on disk between the passes.

Its two verbs are ``reduce``, which merges a statistic over all blocks, and ``map``, which adds columns to each;
memory is bounded by a block a thread, whatever the length of the table.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import narwhals as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from dqlabels.engines.task import Kept, Learnt, Rule, Task
from dqlabels.errors import LabelColumnError
from dqlabels.frames.sampling import ContentSample, Sample
from dqlabels.statistics.arrays import IntArray

State = TypeVar("State")

# Rows of a block as it is read; a Parquet scan reads the row groups that hold them, and no others.
READ_ROWS = 131_072


def read_blocks(frame: pl.LazyFrame, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
    """A lazy frame's rows in order, in blocks; only a few blocks are in memory at a time."""
    if columns is not None:
        frame = frame.select(columns)
    if _is_parquet_scan(frame):
        # Each slice is a query of its own: Polars holds no more than its row groups, however many its threads.
        for start in range(0, frame.select(pl.len()).collect().item(), READ_ROWS):
            yield frame.slice(start, READ_ROWS).collect()
    elif hasattr(frame, "collect_batches"):
        for block in frame.collect_batches(chunk_size=READ_ROWS, maintain_order=True, engine="streaming"):
            yield from (block.slice(start, READ_ROWS) for start in range(0, len(block), READ_ROWS))
    else:  # Polars before 1.34 cannot hand out a query's rows as they come
        yield from frame.collect().iter_slices(READ_ROWS)


def _is_parquet_scan(frame: pl.LazyFrame) -> bool:
    """Whether a query is a scan of one Parquet source and nothing else, so that a slice of it costs a slice."""
    plan = frame.explain().strip().splitlines()
    nodes = [line for line in plan if not line.strip().startswith(("PROJECT", "ESTIMATED"))]
    return len(nodes) == 1 and nodes[0].startswith("Parquet SCAN")


def collect(frame: pl.LazyFrame) -> pl.DataFrame:
    """A query's rows, by Polars' streaming engine where that can hand out batches, so from 1.34 on."""
    streams = hasattr(frame, "collect_batches")
    return frame.collect(engine="streaming") if streams else frame.collect()


def label_counts(frame: pl.LazyFrame, label: str) -> tuple[pl.Series, IntArray]:
    """The different values of a column, and how many rows hold each."""
    counted = collect(frame.group_by(label).agg(pl.len().alias("rows of it")))
    return counted[label], counted["rows of it"].to_numpy().astype(np.int64)


class Spill:
    """What is kept of each row between the passes, on disk.

    The file has no name once it is open, so that it is gone with the process, however that ends.
    """

    def __init__(self, kept: Kept, n_jobs: int) -> None:
        self.kept, self.n_jobs = kept, n_jobs
        self.sizes: list[int] = []
        self.starts: list[int] = []
        with tempfile.TemporaryFile() as file:
            self._file = os.dup(file.fileno())
        self.close = weakref.finalize(self, os.close, self._file)

    @property
    def rows(self) -> int:
        """Rows held."""
        return sum(self.sizes)

    def append(self, given: NDArray[Any], said: NDArray[np.float32]) -> None:
        """Write a block's labels (b,) and what the model said (b, width).

        Raises:
            OSError: The disk is full; the message names the folder.
        """
        start = self.rows * self.kept.bytes_a_row
        data = given.astype(self.kept.dtype).tobytes() + np.ascontiguousarray(said, dtype=np.float32).tobytes()
        written = 0
        try:
            while written < len(data):
                written += os.pwrite(self._file, data[written:], start + written)
        except OSError as error:
            reason = (
                f"{error.strerror}, while keeping {self.kept.bytes_a_row} bytes a row between passes; set TMPDIR to a "
                "folder with more room"
            )
            raise OSError(error.errno, reason, tempfile.gettempdir()) from error
        self.starts.append(start)
        self.sizes.append(given.size)

    def block(self, at: int) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """A block's labels (b,) and what the model said (b, width)."""
        size, dtype = self.sizes[at], np.dtype(self.kept.dtype)
        data = os.pread(self._file, size * self.kept.bytes_a_row, self.starts[at])
        given = np.frombuffer(data, dtype=dtype, count=size)
        said = np.frombuffer(data, dtype=np.float32, offset=dtype.itemsize * size).reshape(size, self.kept.width)
        return (given.astype(np.int64) if dtype.kind == "i" else given), said

    def reduce(self, make: Callable[[], State], observe: Callable[[State, Any, NDArray[Any]], None]) -> State:
        """Merge a statistic over all rows with a label."""

        def run(worker: int) -> State:
            state = make()
            for at in range(worker, len(self.sizes), self.n_jobs):
                given, said = self.block(at)
                known = self.kept.known(given)
                everyone = bool(known.all())
                observe(state, given if everyone else given[known], said if everyone else said[known])
            return state

        with ThreadPoolExecutor(self.n_jobs) as pool:
            whole, *others = pool.map(run, range(min(self.n_jobs, max(len(self.sizes), 1))))
        for other in others:
            whole.merge(other)  # type: ignore[attr-defined]
        return whole


@contextmanager
def closing(spill: Spill) -> Iterator[Spill]:
    """The spill, given back however the work ends."""
    try:
        yield spill
    finally:
        spill.close()


def draw_sample(frame: pl.LazyFrame, task: Task, on_rows: Callable[[int], None]) -> Sample:
    """The sample of a lazy frame; ``on_rows`` is called with the rows read so far."""
    sample, done = ContentSample.empty(task.quotas), 0
    for native in read_blocks(frame, [*task.columns, task.label]):
        block = nw.from_native(native, eager_only=True)
        given = task.given(block[task.label])
        sample.update(block, task.strata(given), task.hashes(block, given))
        done += len(block)
        on_rows(done)
    return sample.finish()


def judge_rows(frame: pl.LazyFrame, task: Task, learnt: Learnt, spill: Spill, on_rows: Callable[[int], None]) -> Any:
    """Judge every row into the spill; gives the statistic that is made on the way."""
    first, done = learnt.first(), 0
    for native in read_blocks(frame, [*learnt.columns, task.label]):
        block = nw.from_native(native, eager_only=True)
        given = task.given(block[task.label])
        said, known = learnt.judge(block, given, spill.n_jobs), task.kept.known(given)
        learnt.observe(first, given[known], said[known])
        spill.append(given, said)
        done += len(block)
        on_rows(done)
    return first


def add_columns(frame: pl.LazyFrame, task: Task, rule: Rule, spill: Spill) -> Iterator[pl.DataFrame]:
    """The frame's blocks in order with three more columns.

    Raises:
        LabelColumnError: The rows are not those of the passes before.
    """
    changed = (
        f"Column {task.label!r} changed while it was read: a query that gives other rows, or another order, each time "
        "it runs cannot be audited in passes. Write it to a file first."
    )
    done = 0
    for at, native in enumerate(read_blocks(frame)):
        if at >= len(spill.sizes) or spill.sizes[at] != len(native):
            raise LabelColumnError(changed)
        given, said = spill.block(at)
        block = nw.from_native(native, eager_only=True)
        now = task.given(block[task.label])
        if not np.array_equal(now, given, equal_nan=given.dtype.kind == "f"):
            raise LabelColumnError(changed)
        done += len(native)
        yield rule.add_columns(block, given, said).to_native()
    if done != spill.rows:
        raise LabelColumnError(changed)
