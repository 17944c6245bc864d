"""The Polars engine: a lazy frame is read in blocks, and labels and outputs are stored on disk between the passes.

``draw_sample``, ``judge_rows`` and ``add_columns`` each read the frame once; ``Spill.reduce`` reads what was stored as
often as the rule needs. Memory is bounded by one block per thread, whatever the length of the table.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn, TypeVar

import narwhals as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from dqlabels.engines.task import FittedTask, LabelArray, Observe, Outputs, RowLayout, Rows, Rule, State, Task
from dqlabels.errors import LabelColumnError
from dqlabels.frames.sampling import ContentSample, Sample
from dqlabels.statistics.arrays import IntArray

Given = TypeVar("Given")
Made = TypeVar("Made")
# Reads the rows of a lazy frame in order, in blocks of these columns, or of all.
ReadBlocks = Callable[[Sequence[str] | None], Iterator[pl.DataFrame]]


def read_blocks(frame: pl.LazyFrame, block_rows: int, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
    """Yield the rows of a lazy frame in order, in blocks; only a few blocks are in memory at a time.

    >>> [block.height for block in read_blocks(pl.LazyFrame({"a": [1, 2, 3]}), 2)]
    [2, 1]
    """
    if columns is not None:
        frame = frame.select(columns)
    if _is_parquet_scan(frame):
        # Each slice is a query of its own: Polars holds no more than its row groups, however many its threads.
        for start in range(0, frame.select(pl.len()).collect().item(), block_rows):
            yield frame.slice(start, block_rows).collect()
    elif hasattr(frame, "collect_batches"):
        for block in frame.collect_batches(chunk_size=block_rows, maintain_order=True, engine="streaming"):
            yield from (block.slice(start, block_rows) for start in range(0, len(block), block_rows))
    else:  # Polars before 1.34 cannot hand out a query's rows as they come
        yield from frame.collect().iter_slices(block_rows)


def _is_parquet_scan(frame: pl.LazyFrame) -> bool:
    """Whether a query only scans one Parquet source, so that a slice of it costs no more than the slice."""
    plan = frame.explain().strip().splitlines()
    nodes = [line for line in plan if not line.strip().startswith(("PROJECT", "ESTIMATED"))]
    return len(nodes) == 1 and nodes[0].startswith("Parquet SCAN")


def collect(frame: pl.LazyFrame) -> pl.DataFrame:
    """Collect a query, with Polars' streaming engine where that can hand out batches (1.34 or later).

    >>> collect(pl.LazyFrame({"a": [1, 2]})).height
    2
    """
    streams = hasattr(frame, "collect_batches")
    return frame.collect(engine="streaming") if streams else frame.collect()


def label_counts(frame: pl.LazyFrame, label: str) -> tuple[pl.Series, IntArray]:
    """Return the different values of a column, and how many rows hold each.

    >>> values, rows = label_counts(pl.LazyFrame({"a": ["x", "y", "x"]}), "a")
    >>> sorted(zip(values, rows.tolist()))
    [('x', 2), ('y', 1)]
    """
    counted = collect(frame.group_by(label).agg(pl.len().alias("rows of it")))
    return counted[label], counted["rows of it"].to_numpy().astype(np.int64)


class Spill:
    """Labels and outputs of all rows, stored on disk between the passes.

    The file has no name once it is open, so it is gone with the process, however that ends.
    """

    def __init__(self, layout: RowLayout, n_jobs: int) -> None:
        self.layout, self.n_jobs = layout, n_jobs
        self.sizes: list[int] = []
        self.starts: list[int] = []
        with tempfile.TemporaryFile() as file:
            self._file = os.dup(file.fileno())
        self.close = weakref.finalize(self, os.close, self._file)

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "A streamed audit keeps its rows in a file of this process, so it cannot be pickled. Write its frame first "
            '(audit.frame.sink_parquet("audited.parquet")), or hand on audit.to_dict() or audit.without_frame().'
        )

    @property
    def rows(self) -> int:
        """Rows stored."""
        return sum(self.sizes)

    def append(self, labels: LabelArray, outputs: NDArray[np.float32]) -> None:
        """Write the labels (b,) and outputs (b, width) of a block.

        Raises:
            OSError: The disk is full; the message names the folder.
        """
        start = self.rows * self.layout.bytes_a_row
        data = labels.astype(self.layout.dtype).tobytes() + np.ascontiguousarray(outputs, dtype=np.float32).tobytes()
        written = 0
        try:
            while written < len(data):
                written += os.pwrite(self._file, data[written:], start + written)
        except OSError as error:
            reason = (
                f"{error.strerror}, while storing {self.layout.bytes_a_row} bytes per row between passes; set TMPDIR "
                "to a folder with more room"
            )
            raise OSError(error.errno, reason, tempfile.gettempdir()) from error
        self.starts.append(start)
        self.sizes.append(labels.size)

    def block(self, at: int) -> tuple[LabelArray, NDArray[np.float32]]:
        """Return the labels (b,) and outputs (b, width) of a block."""
        size, dtype = self.sizes[at], np.dtype(self.layout.dtype)
        data = os.pread(self._file, size * self.layout.bytes_a_row, self.starts[at])
        labels = np.frombuffer(data, dtype=dtype, count=size)
        outputs = np.frombuffer(data, dtype=np.float32, offset=dtype.itemsize * size).reshape(size, self.layout.width)
        return (labels.astype(np.int64) if dtype.kind == "i" else labels), outputs

    def reduce(self, make: Callable[[], State], observe: Observe[State]) -> State:
        """Merge a statistic over all rows that have a label."""
        merged: State = self._merged(make, observe)
        return merged

    def gather(self, make: Callable[[], Rows], observe: Callable[[Rows, LabelArray, Outputs], None]) -> Rows:
        """Merge what is drawn of all rows that have a label."""
        merged: Rows = self._merged(make, observe)
        return merged

    def _merged(self, make: Callable[[], Any], observe: Callable[[Any, LabelArray, Outputs], None]) -> Any:
        def run(worker: int) -> Any:
            state = make()
            for at in range(worker, len(self.sizes), self.n_jobs):
                labels, outputs = self.block(at)
                known = self.layout.known(labels)
                if not known.all():
                    labels, outputs = labels[known], outputs[known]
                observe(state, labels, outputs)
            return state

        with ThreadPoolExecutor(self.n_jobs) as pool:
            whole, *others = pool.map(run, range(min(self.n_jobs, max(len(self.sizes), 1))))
        for other in others:
            whole.merge(other)
        return whole


def draw_sample(read: ReadBlocks, task: Task, on_rows: Callable[[int], None]) -> Sample:
    """Draw the sample of a lazy frame; ``on_rows`` is called with the number of rows read so far."""
    sample, done = ContentSample.empty(task.quotas), 0
    for native in read([*task.columns, task.label]):
        block = nw.from_native(native, eager_only=True)
        labels = task.read_labels(block[task.label])
        sample.update(block, task.strata(labels), task.hashes(block, labels))
        done += len(block)
        on_rows(done)
    return sample.finish()


def judge_rows(read: ReadBlocks, task: Task, fitted: FittedTask, spill: Spill, on_rows: Callable[[int], None]) -> Any:
    """Judge every row, store labels and outputs, and return the statistic that was observed meanwhile.

    Args:
        read: Reads n rows.
        task: The kind of label.
        fitted: What it learnt from the sample.
        spill: Where labels and outputs are stored.
        on_rows: Called with the number of rows judged so far.
    """
    first, done = fitted.first(), 0

    def encoded() -> Iterator[tuple[LabelArray, Any]]:
        for native in read([*fitted.columns, task.label]):
            block = nw.from_native(native, eager_only=True)
            labels = task.read_labels(block[task.label])
            yield labels, fitted.encode(block, labels)

    def judged(block: tuple[LabelArray, Any]) -> tuple[LabelArray, NDArray[np.float32]]:
        labels, matrix = block
        return labels, fitted.judge(matrix, spill.n_jobs)

    for labels, outputs in behind(encoded(), judged, spill.n_jobs):
        known = task.layout.known(labels)
        fitted.observe(first, labels[known], outputs[known])
        spill.append(labels, outputs)
        done += len(labels)
        on_rows(done)
    return first


def behind(items: Iterator[Given], work: Callable[[Given], Made], n_jobs: int) -> Iterator[Made]:
    """Do the work on each item on another thread while the next one is made on this; what comes out is in order.

    Polars may call us from a thread of its own, and one that waits for another of them can wait for ever. So only this
    thread makes items, by queries, and the work is on arrays alone.

    Args:
        items: What is worked on; one is made ahead.
        work: What to do; it calls nothing of Polars.
        n_jobs: With 1 there is no other thread.

    >>> list(behind(iter([1, 2, 3]), lambda number: 10 * number, 2))
    [10, 20, 30]
    """
    if n_jobs == 1:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(1) as pool:
        waiting = None
        for item in items:
            coming = pool.submit(work, item)
            if waiting is not None:
                yield waiting.result()
            waiting = coming
        if waiting is not None:
            yield waiting.result()


def add_columns(read: ReadBlocks, task: Task, rule: Rule, spill: Spill) -> Iterator[pl.DataFrame]:
    """Yield the blocks of the frame in order, with quality, suggestion and flag.

    Args:
        read: Reads the rows that were judged, in the same order.
        task: The kind of label.
        rule: What the passes found.
        spill: Where labels and outputs are stored.

    Raises:
        LabelColumnError: The frame gave other rows, or another order, than in the passes before.
    """
    changed = (
        f"Column {task.label!r} changed while it was read: a query that gives other rows, or another order, each time "
        "it runs cannot be audited in passes. Write it to a file first."
    )
    done = 0
    for at, native in enumerate(read(None)):
        if at >= len(spill.sizes) or spill.sizes[at] != len(native):
            raise LabelColumnError(changed)
        labels, outputs = spill.block(at)
        block = nw.from_native(native, eager_only=True)
        now = task.read_labels(block[task.label])
        if not np.array_equal(now, labels, equal_nan=labels.dtype.kind == "f"):
            raise LabelColumnError(changed)
        done += len(native)
        yield rule.add_columns(block, labels, outputs).to_native()
    if done != spill.rows:
        raise LabelColumnError(changed)
