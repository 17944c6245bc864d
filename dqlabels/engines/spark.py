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

from dqlabels.engines.task import Kept, Learnt, Rule, Task
from dqlabels.frames.sampling import ContentSample, Sample
from dqlabels.models.large import BLOCK_ROWS
from dqlabels.statistics.arrays import IntArray

State = TypeVar("State")
Batches = Iterator[pa.RecordBatch]
Tables = Iterator[pa.Table]

# What is kept beside a row's own columns between the passes.
GIVEN, SAID = "dqlabels_given", "dqlabels_said"
STRATUM, HASH, COUNT = "dqlabels_stratum", "dqlabels_hash", "dqlabels_count"
# Rows that hash above this many times the expected bar are not sent to the driver at first.
SLACK = 1.5


def column_of_none(frame: Any, name: str) -> Any:
    """A column of no rows, as it comes to the workers: what can be said of its type is said before a job runs."""
    from pyspark.sql.pandas.types import to_arrow_type

    kind = to_arrow_type(frame.schema[name].dataType)
    return nw.from_native(pa.table({name: pa.array([], kind)}), eager_only=True)[name]


def tally_column(frame: Any, name: str, make: Callable[[], Any], observe: Callable[[Any, Any], None]) -> Any:
    """Merge a small statistic over a column as it is, before anything is known of it; it has ``numbers``, float64."""

    def partial(tables: Tables) -> Batches:
        state = make()
        for table in tables:
            observe(state, nw.from_native(table, eager_only=True)[name])
        yield pa.RecordBatch.from_arrays([pa.array([state.numbers().tolist()], pa.list_(pa.float64()))], ["numbers"])

    parts = map_in_arrow(frame.select(_quoted(name)), partial, "numbers array<double>").toArrow()
    whole = make()
    for numbers in parts["numbers"].to_pylist():
        whole.merge(type(whole).of(np.array(numbers)))
    return whole


def draw_sample(frame: Any, task: Task) -> Sample:
    """The sample of a Spark frame, drawn on the workers and joined on the driver."""
    wanted = frame.select(*[_quoted(name) for name in (*task.columns, task.label)])
    share = task.quotas / np.maximum(task.strata_rows, 1)
    for bars in (np.minimum(share * SLACK, 1.0), np.ones_like(share)):
        schema = _schema(wanted, [(STRATUM, "long"), (HASH, "long"), (COUNT, "long")])
        found = map_in_arrow(wanted, _drawing(task, bars), schema).toArrow()
        sample = ContentSample.empty(task.quotas)
        sample.accept(
            nw.from_native(found.drop_columns([STRATUM, HASH, COUNT]), eager_only=True),
            _numbers(found[STRATUM]),
            _numbers(found[HASH]).view(np.uint64),
            _numbers(found[COUNT]),
        )
        sample.settle()
        held = np.bincount(sample.codes[0], minlength=share.size)
        # Where rows repeat there are fewer kinds of row than rows, and the first bar was too low.
        if (held >= sample.quotas).all():
            break
    return sample.finish()


def _drawing(task: Task, bars: NDArray[np.float64]) -> Callable[[Tables], Batches]:
    limits = np.minimum(bars * 2.0**64, np.nextafter(2.0**64, 0)).astype(np.uint64)
    limits[bars >= 1] = np.iinfo(np.uint64).max

    def draw(tables: Tables) -> Batches:
        sample = ContentSample.empty(task.quotas)
        sample.bars = limits.copy()
        for table in tables:
            block = nw.from_native(table, eager_only=True)
            given = task.given(block[task.label])
            sample.update(block, task.strata(given), task.hashes(block, given))
        sample.settle()
        if sample.frames:
            kept = sample.frames[0].to_native()
            kept = kept.append_column(STRATUM, pa.array(sample.codes[0]))
            kept = kept.append_column(HASH, pa.array(sample.hashes[0].view(np.int64)))
            yield from kept.append_column(COUNT, pa.array(sample.counts[0])).to_batches()

    return draw


def judge_rows(frame: Any, task: Task, learnt: Learnt) -> Any:
    """The Spark frame with each row's label and what the model said beside it; the model goes with the task."""

    def judged(tables: Tables) -> Batches:
        for table in tables:
            block = nw.from_native(table, eager_only=True)
            given = task.given(block[task.label])
            said = learnt.judge(block, given, 1)
            yield from table.append_column(GIVEN, pa.array(given)).append_column(SAID, _packed(said)).to_batches()

    kind = "long" if task.kept.dtype is np.int32 else "double"
    return map_in_arrow(frame, judged, _schema(frame, [(GIVEN, kind), (SAID, "binary")]))


@dataclass(frozen=True, slots=True, eq=False)
class SparkBlocks:
    """Judged rows of a Spark frame, to be gone through again and again."""

    judged: Any
    kept: Kept

    def reduce(self, make: Callable[[], State], observe: Callable[[State, Any, NDArray[Any]], None]) -> State:
        """Sum a statistic over all rows with a label: each task's counts go to Spark, which adds them."""
        kept = self.kept

        def partial(tables: Tables) -> Batches:
            state: Any = make()
            for table in tables:
                given, said = _given(table[GIVEN]), _unpacked(table[SAID], kept.width)
                known = kept.known(given)
                observe(state, given[known], said[known])
            sums = state.sums()
            places = np.flatnonzero(sums)
            yield pa.RecordBatch.from_arrays([pa.array(places), pa.array(sums[places])], names=["place", "number"])

        parts = map_in_arrow(self.judged.select(GIVEN, SAID), partial, "place long, number long")
        added = parts.groupBy("place").sum("number").toArrow()
        state: Any = make()
        sums = np.zeros_like(state.sums())
        sums[_numbers(added["place"])] = _numbers(added["sum(number)"])
        state.add_sums(sums)
        whole: State = state
        return whole


def add_columns(judged: Any, schema: Any, kept: Kept, rule: Rule) -> Any:
    """The Spark frame with quality, suggestion and flag."""

    def final(tables: Tables) -> Batches:
        for table in tables:
            given, said = _given(table[GIVEN]), _unpacked(table[SAID], kept.width)
            block = nw.from_native(table.drop_columns([GIVEN, SAID]), eager_only=True)
            yield from rule.add_columns(block, given, said).to_native().to_batches()

    return map_in_arrow(judged, final, schema)


def map_in_arrow(frame: Any, function: Callable[[Tables], Batches], schema: Any) -> Any:
    """``frame.mapInArrow`` of larger blocks, without its warning of pandas functions, of which there are none here."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
        return frame.mapInArrow(lambda batches: function(_blocks(batches)), schema)


def _blocks(batches: Batches) -> Tables:
    """The rows in tables of ``BLOCK_ROWS`` or more, but the last: Spark's ten thousand are too few to be quick."""
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(part.num_rows for part in waiting) >= BLOCK_ROWS:
            yield pa.Table.from_batches(waiting)
            waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting)


def _packed(said: NDArray[np.float32]) -> pa.Array:
    """Each row's numbers as bytes: Spark has no array of fixed length, and lists of floats cost twice as much."""
    n, width = len(said), 4 * said.shape[1]
    offsets = np.arange(0, (n + 1) * width, width, dtype=np.int32)
    data = np.ascontiguousarray(said, dtype=np.float32)
    return pa.Array.from_buffers(pa.binary(), n, [None, pa.py_buffer(offsets), pa.py_buffer(data)])


def _unpacked(column: pa.ChunkedArray, width: int) -> NDArray[np.float32]:
    column = column.combine_chunks()
    _, offsets, data = column.buffers()
    starts = np.frombuffer(offsets, dtype=np.int32, count=column.offset + len(column) + 1)[column.offset :]
    values = np.frombuffer(data, dtype=np.float32)[starts[0] // 4 : starts[-1] // 4]
    return values.reshape(len(column), width)


def _given(column: pa.ChunkedArray) -> NDArray[Any]:
    return np.asarray(column.to_numpy())


def _numbers(column: Any) -> IntArray:
    return _given(column).astype(np.int64)


def _schema(frame: Any, more: Sequence[tuple[str, str]]) -> Any:
    from pyspark.sql.types import BinaryType, DoubleType, LongType, StructField, StructType

    types = {"long": LongType, "double": DoubleType, "binary": BinaryType}
    return StructType([*frame.schema.fields, *(StructField(name, types[kind]()) for name, kind in more)])


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
