"""The Spark engine: Arrow batches on the workers, statistics summed by Spark, no rows on the driver but the sample.

``draw_sample``, ``judge_rows`` and ``add_columns`` map Arrow batches; ``SparkBlocks.reduce`` has each worker observe a
statistic and Spark add up its sums.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

import narwhals as nw
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dqlabels.engines.task import FittedTask, LabelArray, Observe, Outputs, RowLayout, Rows, Rule, State, Task
from dqlabels.frames.columns import Column
from dqlabels.frames.sampling import ContentSample, Sample
from dqlabels.models.sizes import Sizes
from dqlabels.statistics.arrays import IntArray

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructType
    from typing_extensions import Self

Batches = Iterator[pa.RecordBatch]
Tables = Iterator[pa.Table]

# Columns that stand beside a row's own between the passes.
LABELS, OUTPUTS = "dqlabels_labels", "dqlabels_outputs"
STRATUM, HASH, COUNT = "dqlabels_stratum", "dqlabels_hash", "dqlabels_count"
# Rows whose hash is above this many times the expected bar are not sent to the driver at first.
SLACK = 1.5


class ColumnStatistic(Protocol):
    """What can be observed of a column before anything is known of it, and sent as numbers."""

    @classmethod
    def of(cls, numbers: NDArray[np.float64], /) -> Self:
        """Return the statistic with these numbers."""

    def numbers(self) -> NDArray[np.float64]:
        """Return the numbers that say what was observed."""

    def merge(self, other: Self) -> None:
        """Add what ``other`` observed."""


Tally = TypeVar("Tally", bound=ColumnStatistic)


def column_of_none(frame: DataFrame, name: str) -> Column:
    """Return an empty column of the type that reaches the workers, to check the type before a job runs."""
    from pyspark.sql.pandas.types import to_arrow_type

    kind = to_arrow_type(frame.schema[name].dataType)
    column: Column = nw.from_native(pa.table({name: pa.array([], kind)}), eager_only=True)[name]
    return column


def tally_column(
    frame: DataFrame, name: str, make: Callable[[], Tally], observe: Callable[[Tally, Column], None]
) -> Tally:
    """Merge a small statistic over a column as it is, before anything is known of it.

    Args:
        frame: n rows.
        name: The column.
        make: Returns an empty statistic.
        observe: Adds a block of the column to it.
    """

    def partial(tables: Tables) -> Batches:
        state = make()
        for table in tables:
            observe(state, nw.from_native(table, eager_only=True)[name])
        yield pa.RecordBatch.from_arrays([pa.array([state.numbers().tolist()], pa.list_(pa.float64()))], ["numbers"])

    parts = map_in_arrow(frame.select(quoted(name)), partial, "numbers array<double>").toArrow()
    whole = make()
    for numbers in parts["numbers"].to_pylist():
        whole.merge(type(whole).of(np.array(numbers)))
    return whole


def draw_sample(frame: DataFrame, task: Task) -> Sample:
    """Draw the sample of a Spark frame on the workers, and join its parts on the driver."""
    wanted = frame.select(*[quoted(name) for name in (*task.columns, task.label)])
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
        # Repeated rows are one kind, so there are fewer kinds than rows, and the first bar may have been too low.
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
            labels = task.read_labels(block[task.label])
            sample.update(block, task.strata(labels), task.hashes(block, labels))
        sample.settle()
        if sample.frames:
            drawn = sample.frames[0].to_native()
            drawn = drawn.append_column(STRATUM, pa.array(sample.codes[0]))
            drawn = drawn.append_column(HASH, pa.array(sample.hashes[0].view(np.int64)))
            yield from drawn.append_column(COUNT, pa.array(sample.counts[0])).to_batches()

    return draw


def judge_rows(frame: DataFrame, task: Task, fitted: FittedTask) -> DataFrame:
    """Return the Spark frame with the label and the outputs of each row; the model is sent along with the job."""

    def judged(tables: Tables) -> Batches:
        for table in tables:
            block = nw.from_native(table, eager_only=True)
            labels = task.read_labels(block[task.label])
            outputs = fitted.judge(fitted.encode(block, labels), 1)
            labelled = table.append_column(LABELS, pa.array(labels))
            yield from labelled.append_column(OUTPUTS, _packed(outputs)).to_batches()

    kind = "long" if task.layout.dtype is np.int32 else "double"
    return map_in_arrow(frame, judged, _schema(frame, [(LABELS, kind), (OUTPUTS, "binary")]))


@dataclass(frozen=True, slots=True, eq=False)
class SparkBlocks:
    """Judged rows of a Spark frame, which can be read again and again."""

    judged: DataFrame
    layout: RowLayout

    def reduce(self, make: Callable[[], State], observe: Observe[State]) -> State:
        """Sum a statistic over all rows that have a label; Spark adds up the counts of its tasks."""
        layout = self.layout

        def partial(tables: Tables) -> Batches:
            state = make()
            for labels, outputs in _labelled(tables, layout):
                observe(state, labels, outputs)
            sums = state.sums()
            places = np.flatnonzero(sums)
            yield pa.RecordBatch.from_arrays([pa.array(places), pa.array(sums[places])], names=["place", "number"])

        parts = map_in_arrow(self.judged.select(LABELS, OUTPUTS), partial, "place long, number long")
        added = parts.groupBy("place").sum("number").toArrow()
        state = make()
        sums = np.zeros_like(state.sums())
        sums[_numbers(added["place"])] = _numbers(added["sum(number)"])
        state.add_sums(sums)
        return state

    def gather(self, make: Callable[[], Rows], observe: Callable[[Rows, LabelArray, Outputs], None]) -> Rows:
        """Merge what is drawn of all rows that have a label: each task sends the rows it drew."""
        layout = self.layout

        def partial(tables: Tables) -> Batches:
            drawn = make()
            for labels, outputs in _labelled(tables, layout):
                observe(drawn, labels, outputs)
            hashes, labels, units, counts = drawn.columns()
            if hashes.size:
                columns = [pa.array(hashes.view(np.int64)), pa.array(labels), pa.array(counts)]
                yield pa.RecordBatch.from_arrays(
                    [*columns, _packed(units.view(np.float32))], names=[HASH, LABELS, COUNT, OUTPUTS]
                )

        schema = f"{HASH} long, {LABELS} long, {COUNT} long, {OUTPUTS} binary"
        found = map_in_arrow(self.judged.select(LABELS, OUTPUTS), partial, schema).toArrow()
        rows = make()
        for part in found.to_batches():
            table = pa.Table.from_batches([part])
            units = _unpacked(table[OUTPUTS], None).view(np.uint32)
            rows.accept(_numbers(table[HASH]).view(np.uint64), _numbers(table[LABELS]), units, _numbers(table[COUNT]))
        return rows


def _labelled(tables: Tables, layout: RowLayout) -> Iterator[tuple[LabelArray, NDArray[np.float32]]]:
    """Yield the labels (b,) and outputs (b, width) of the rows of each table that have a label."""
    for table in tables:
        labels, outputs = _numpy(table[LABELS]), _unpacked(table[OUTPUTS], layout.width)
        known = layout.known(labels)
        yield labels[known], outputs[known]


def add_columns(judged: DataFrame, schema: StructType, layout: RowLayout, rule: Rule) -> DataFrame:
    """Return the Spark frame with quality, suggestion and flag.

    Args:
        judged: What ``judge_rows`` gave.
        schema: The schema of the answer.
        layout: What is stored of each row.
        rule: What the passes found.
    """

    def final(tables: Tables) -> Batches:
        for table in tables:
            labels, outputs = _numpy(table[LABELS]), _unpacked(table[OUTPUTS], layout.width)
            block = nw.from_native(table.drop_columns([LABELS, OUTPUTS]), eager_only=True)
            yield from rule.add_columns(block, labels, outputs).to_native().to_batches()

    return map_in_arrow(judged, final, schema)


def map_in_arrow(frame: DataFrame, function: Callable[[Tables], Batches], schema: StructType | str) -> DataFrame:
    """Call ``frame.mapInArrow`` with larger blocks, and without its warning about pandas functions.

    Args:
        frame: n rows.
        function: From tables to batches.
        schema: The schema of the batches.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
        return frame.mapInArrow(lambda batches: function(_blocks(batches)), schema)


def _blocks(batches: Batches, min_rows: int = Sizes().block_rows) -> Tables:
    """Yield tables of at least ``min_rows`` rows, except the last; batches of Spark's 10,000 rows are slower."""
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(part.num_rows for part in waiting) >= min_rows:
            yield pa.Table.from_batches(waiting)
            waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting)


def _packed(outputs: NDArray[np.float32]) -> pa.Array:
    """The outputs of each row as bytes: Spark has no fixed-length arrays, and lists of floats cost twice as much."""
    n, width = len(outputs), 4 * outputs.shape[1]
    offsets = np.arange(0, (n + 1) * width, width, dtype=np.int32)
    data = np.ascontiguousarray(outputs, dtype=np.float32)
    return pa.Array.from_buffers(pa.binary(), n, [None, pa.py_buffer(offsets), pa.py_buffer(data)])


def _unpacked(column: pa.ChunkedArray, width: int | None) -> NDArray[np.float32]:
    """Return the numbers (b, width) of each row; without a width, as many as there are of each of some rows."""
    column = column.combine_chunks()
    _, offsets, data = column.buffers()
    starts = np.frombuffer(offsets, dtype=np.int32, count=column.offset + len(column) + 1)[column.offset :]
    values = np.frombuffer(data, dtype=np.float32)[starts[0] // 4 : starts[-1] // 4]
    return values.reshape(len(column), values.size // max(len(column), 1) if width is None else width)


def _numpy(column: pa.ChunkedArray) -> LabelArray:
    return np.asarray(column.to_numpy())


def _numbers(column: pa.ChunkedArray) -> IntArray:
    return _numpy(column).astype(np.int64)


def _schema(frame: DataFrame, more: Sequence[tuple[str, str]]) -> StructType:
    from pyspark.sql.types import BinaryType, DoubleType, LongType, StructField, StructType

    types = {"long": LongType, "double": DoubleType, "binary": BinaryType}
    return StructType([*frame.schema.fields, *(StructField(name, types[kind]()) for name, kind in more)])


def quoted(name: str) -> str:
    """Return a column name quoted for Spark.

    >>> quoted("a.b")
    '`a.b`'
    """
    return "`" + name.replace("`", "``") + "`"
