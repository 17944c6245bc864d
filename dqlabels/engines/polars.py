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

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dqlabels.errors import LabelColumnError
from dqlabels.selection import IntArray

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
    """Classes and probabilities of rows, on disk: 4 bytes and 4 bytes a class for each row.

    The file has no name once it is open, so that it is gone with the process, however that ends.
    """

    def __init__(self, n_classes: int, n_jobs: int) -> None:
        self.n_classes, self.n_jobs = n_classes, n_jobs
        self.sizes: list[int] = []
        self.starts: list[int] = []
        with tempfile.TemporaryFile() as file:
            self._file = os.dup(file.fileno())
        self.close = weakref.finalize(self, os.close, self._file)

    @property
    def rows(self) -> int:
        """Rows held."""
        return sum(self.sizes)

    @property
    def bytes_a_row(self) -> int:
        """4 for the class, 4 for each probability."""
        return 4 + 4 * self.n_classes

    def append(self, codes: IntArray, probs: NDArray[np.float32]) -> None:
        """Write a block's classes (b,), -1 for none, and probabilities (b, K).

        Raises:
            OSError: The disk is full; the message names the folder.
        """
        start = self.rows * self.bytes_a_row
        data = codes.astype(np.int32).tobytes() + np.ascontiguousarray(probs, dtype=np.float32).tobytes()
        written = 0
        try:
            while written < len(data):
                written += os.pwrite(self._file, data[written:], start + written)
        except OSError as error:
            reason = (
                f"{error.strerror}, while keeping {self.bytes_a_row} bytes a row between passes; set TMPDIR to a "
                "folder with more room"
            )
            raise OSError(error.errno, reason, tempfile.gettempdir()) from error
        self.starts.append(start)
        self.sizes.append(codes.size)

    def block(self, at: int) -> tuple[IntArray, NDArray[np.float32]]:
        """A block's classes (b,) and probabilities (b, K)."""
        size, start = self.sizes[at], self.starts[at]
        data = os.pread(self._file, size * self.bytes_a_row, start)
        codes = np.frombuffer(data, dtype=np.int32, count=size).astype(np.int64)
        return codes, np.frombuffer(data, dtype=np.float32, offset=4 * size).reshape(size, self.n_classes)

    def reduce(self, make: Callable[[], State], observe: Callable[[State, IntArray, NDArray[Any]], None]) -> State:
        """Merge a statistic over all rows with a label."""

        def run(worker: int) -> State:
            state = make()
            for at in range(worker, len(self.sizes), self.n_jobs):
                codes, probs = self.block(at)
                known = codes >= 0
                everyone = bool(known.all())
                observe(state, codes if everyone else codes[known], probs if everyone else probs[known])
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


def add_columns(
    frame: pl.LazyFrame,
    spill: Spill,
    label: str,
    codes_of: Callable[[pl.Series], IntArray],
    judged: Callable[[IntArray, NDArray[Any]], Sequence[pl.Series]],
) -> Iterator[pl.DataFrame]:
    """The frame's blocks in order with the columns that ``judged`` gives for each.

    Raises:
        LabelColumnError: The rows are not those of the passes before.
    """
    changed = (
        f"Column {label!r} changed while it was read: a query that gives other rows, or another order, each time it "
        "runs cannot be audited in passes. Write it to a file first."
    )
    done = 0
    for at, block in enumerate(read_blocks(frame)):
        if at >= len(spill.sizes) or spill.sizes[at] != len(block):
            raise LabelColumnError(changed)
        codes, probs = spill.block(at)
        if not np.array_equal(codes_of(block[label]), codes):
            raise LabelColumnError(changed)
        done += len(block)
        yield block.with_columns(*judged(codes, probs))
    if done != spill.rows:
        raise LabelColumnError(changed)
