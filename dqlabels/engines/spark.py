"""The Spark engine: Arrow batches on the workers, statistics summed by Spark, no row on the driver but the sample.

Its two verbs are ``reduce``, whose partial sums Spark adds up, and ``map``, which adds columns to each batch.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import narwhals as nw
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dqlabels.confident import ClassTally, JointTally
from dqlabels.cuts import CutCounts
from dqlabels.engines.passes import Rule
from dqlabels.frames.columns import label_codes
from dqlabels.large.judge import Judge, empty_sample
from dqlabels.large.sampling import ContentSample, content_hashes
from dqlabels.selection import IntArray

State = TypeVar("State")
Batches = Iterator[pa.RecordBatch]

# What is kept beside a row's own columns between the passes.
CODE, PROBS = "dqlabels_code", "dqlabels_probs"
HASH, COUNT = "dqlabels_hash", "dqlabels_count"
# Rows that hash above this many times the expected bar are not sent to the driver at first.
SLACK = 1.5


def sample_rows(
    frame: Any, columns: Sequence[str], label: str, classes: tuple[Any, ...], class_rows: IntArray
) -> ContentSample:
    """The sample of a Spark frame, drawn on the workers and joined on the driver."""
    wanted = frame.select(*[_quoted(name) for name in (*columns, label)])
    wants = empty_sample(class_rows).quotas
    share = wants / np.maximum(class_rows, 1)
    for bars in (np.minimum(share * SLACK, 1.0), np.ones_like(share)):
        draw = _drawing(columns, label, classes, wants, bars)
        schema = _schema(wanted, [(CODE, "long"), (HASH, "long"), (COUNT, "long")])
        found = map_in_arrow(wanted, draw, schema).toArrow()
        sample = ContentSample.empty(wants)
        sample.accept(
            nw.from_native(found.drop_columns([CODE, HASH, COUNT]), eager_only=True),
            _numbers(found[CODE]),
            _numbers(found[HASH]).view(np.uint64),
            _numbers(found[COUNT]),
        )
        sample.settle()
        held = np.bincount(sample.codes[0], minlength=class_rows.size)
        # Where rows repeat there are fewer kinds of row than rows, and the first bar was too low.
        if (held >= sample.quotas).all():
            break
    return sample


def _drawing(
    columns: Sequence[str], label: str, classes: tuple[Any, ...], wants: IntArray, bars: NDArray[np.float64]
) -> Callable[[Batches], Batches]:
    limits = np.minimum(bars * 2.0**64, np.nextafter(2.0**64, 0)).astype(np.uint64)
    limits[bars >= 1] = np.iinfo(np.uint64).max

    def draw(batches: Batches) -> Batches:
        sample = ContentSample.empty(wants)
        sample.bars = limits.copy()
        for batch in batches:
            block = nw.from_native(pa.Table.from_batches([batch]), eager_only=True)
            codes = label_codes(block[label], classes)
            sample.update(block, codes, content_hashes(block, columns, codes))
        sample.settle()
        if sample.frames:
            kept = sample.frames[0].to_native()
            kept = kept.append_column(CODE, pa.array(sample.codes[0]))
            kept = kept.append_column(HASH, pa.array(sample.hashes[0].view(np.int64)))
            yield from kept.append_column(COUNT, pa.array(sample.counts[0])).to_batches()

    return draw


def judge_rows(frame: Any, judge: Judge) -> Any:
    """The Spark frame with each row's class and probabilities beside it; the model goes with the task."""

    def judged(batches: Batches) -> Batches:
        for batch in batches:
            table = pa.Table.from_batches([batch])
            block = nw.from_native(table, eager_only=True)
            codes, probs = judge.codes(block[judge.label]), judge.probs(block, 1)
            table = table.append_column(CODE, pa.array(codes))
            yield from table.append_column(PROBS, _packed(probs)).to_batches()

    return map_in_arrow(frame, judged, _schema(frame, [(CODE, "long"), (PROBS, "binary")]))


@dataclass(frozen=True, slots=True, eq=False)
class SparkBlocks:
    """Judged rows of a Spark frame, to be gone through again and again."""

    judged: Any
    n_classes: int

    def reduce(self, make: Callable[[], State], observe: Callable[[State, IntArray, NDArray[Any]], None]) -> State:
        """Sum a statistic over all rows with a label: each task's counts go to Spark, which adds them."""
        k = self.n_classes

        def partial(batches: Batches) -> Batches:
            state = make()
            for batch in batches:
                codes, probs = _numbers(batch[CODE]), _unpacked(batch[PROBS], k)
                known = codes >= 0
                observe(state, codes[known], probs[known])
            sums = to_sums(state)
            places = np.flatnonzero(sums)
            yield pa.RecordBatch.from_arrays([pa.array(places), pa.array(sums[places])], names=["place", "number"])

        parts = map_in_arrow(self.judged.select(CODE, PROBS), partial, "place long, number long")
        added = parts.groupBy("place").sum("number").toArrow()
        state = make()
        sums = to_sums(state)
        sums[_numbers(added["place"])] = _numbers(added["sum(number)"])
        from_sums(state, sums)
        return state


def add_columns(
    judged: Any, schema: Any, n_classes: int, rule: Rule, values: Any, places: IntArray, names: Sequence[str]
) -> Any:
    """The Spark frame with quality, suggestion and flag; ``values`` holds the classes at ``places`` (K,)."""
    by_class = pa.chunked_array(values).combine_chunks().take(pa.array(places))

    def final(batches: Batches) -> Batches:
        for batch in batches:
            codes, probs = _numbers(batch[CODE]), _unpacked(batch[PROBS], n_classes)
            known = codes >= 0
            quality, flag, suggested = np.zeros(codes.size), np.zeros(codes.size, dtype=bool), codes.copy()
            quality[known], flag[known], suggested[known] = rule.judge(codes[known], probs[known])
            suggested[~known] = probs[~known].argmax(axis=1)
            table = pa.Table.from_batches([batch]).drop_columns([CODE, PROBS])
            table = table.append_column(names[0], pa.array(quality, mask=~known))
            table = table.append_column(names[1], by_class.take(pa.array(suggested)))
            yield from table.append_column(names[2], pa.array(flag, mask=~known)).to_batches()

    return map_in_arrow(judged, final, schema)


def map_in_arrow(frame: Any, function: Callable[[Batches], Batches], schema: Any) -> Any:
    """``frame.mapInArrow``, which warns of what PySpark's pandas functions lack; no pandas is used here."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
        return frame.mapInArrow(function, schema)


def to_sums(state: Any) -> IntArray:
    """A statistic as one row of whole numbers that add up with those of another part of the table."""
    if isinstance(state, ClassTally):
        return np.asarray(np.concatenate([state.rows, state.confidence]))
    if isinstance(state, JointTally):
        return np.array(state.finish()).ravel()
    if isinstance(state, CutCounts):
        return np.array(state.counts).ravel()
    raise TypeError(f"{type(state).__name__} is no statistic of sums")


def from_sums(state: Any, sums: IntArray) -> None:
    """Put into an empty statistic what ``to_sums`` gave, added up."""
    if isinstance(state, ClassTally):
        state.rows[:], state.confidence[:] = np.split(sums, 2)
    else:
        state.counts[:] = sums.reshape(state.counts.shape)


def _packed(probs: NDArray[np.float32]) -> pa.Array:
    """Each row's probabilities as bytes: Spark has no array of fixed length, and lists of floats cost twice as much."""
    n, width = len(probs), 4 * probs.shape[1]
    offsets = np.arange(0, (n + 1) * width, width, dtype=np.int32)
    data = np.ascontiguousarray(probs, dtype=np.float32)
    return pa.Array.from_buffers(pa.binary(), n, [None, pa.py_buffer(offsets), pa.py_buffer(data)])


def _unpacked(column: Any, n_classes: int) -> NDArray[np.float32]:
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    _, offsets, data = column.buffers()
    starts = np.frombuffer(offsets, dtype=np.int32, count=column.offset + len(column) + 1)[column.offset :]
    values = np.frombuffer(data, dtype=np.float32)[starts[0] // 4 : starts[-1] // 4]
    return values.reshape(len(column), n_classes)


def _numbers(column: Any) -> IntArray:
    return np.asarray(
        column.to_numpy(zero_copy_only=False) if isinstance(column, pa.Array) else column.to_numpy()
    ).astype(np.int64)


def _schema(frame: Any, more: Sequence[tuple[str, str]]) -> Any:
    from pyspark.sql.types import BinaryType, LongType, StructField, StructType

    types = {"long": LongType, "binary": BinaryType}
    return StructType([*frame.schema.fields, *(StructField(name, types[kind]()) for name, kind in more)])


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
