"""Audits of lazy Polars frames that may be larger than memory: planned at once, run when their rows are asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from dqlabels.audits.base import free_name
from dqlabels.audits.beside import are_names, is_several
from dqlabels.audits.options import Options
from dqlabels.audits.request import KindModule
from dqlabels.engines.task import Task
from dqlabels.errors import OptionError, OutputColumnError, warn_all
from dqlabels.frames.columns import Column, check_columns, require_names
from dqlabels.models import large
from dqlabels.progress import Progress
from dqlabels.statistics.arrays import IntArray
from dqlabels.threads import thread_count

if TYPE_CHECKING:
    import polars as pl
    from polars._typing import PolarsDataType

    from dqlabels.engines.polars import Spill

# The worst rows that a report names and shows; all of them are in its frame.
MAX_WORST = 1_000
SAMPLE = "frame.gather_every(20).collect()"
NOT_HERE = (
    "needs all rows in memory, and this audit streamed them. Audit every 20th row in memory: "
    f"{SAMPLE}.labels.report({{label!r}})."
)
NO_CHECKUP = (
    "compares rows with each other, and this audit left the rows where they are. Check every 20th row: "
    f"{SAMPLE}.labels.checkup({{label!r}})."
)
IN_THE_QUERY = (
    "is a column of a frame in memory, and this audit streamed its rows. Say it in the query: "
    'pl.when("is_label_issue").then(pl.when(pl.col("label_quality") < 0.5).then(pl.lit("likely wrong"))'
    '.otherwise(pl.lit("could be either"))).'
)
# Options that need all rows in one memory, with what they are.
IN_MEMORY_ONLY = {
    "model": "a model of your own",
    "cv": "cross-validation",
    "groups": "groups that stay together",
    "sample_weight": "weights by row",
    "pred_probs": "probabilities of your own",
    "embed": "columns to turn into vectors",
    "compat": "another library's numbers",
}


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What was asked of a lazy frame, checked against its schema alone; ``source`` are the columns of the frame."""

    frame: pl.LazyFrame
    label: str
    options: Options
    source: Mapping[str, PolarsDataType]

    @property
    def schema(self) -> dict[str, PolarsDataType]:
        """The columns of the answer."""
        import polars as pl

        names = self.options.names
        return {**self.source, names[0]: pl.Float64, names[1]: self.source[self.label], names[2]: pl.Boolean}

    @property
    def label_of_no_rows(self) -> Column:
        """The label column without rows, whose type can be checked before any row is read."""
        import polars as pl

        return nw.from_native(pl.Series(self.label, [], dtype=self.source[self.label]), series_only=True)

    @property
    def columns(self) -> list[str]:
        """The columns that may be features."""
        return large.sampled_columns(self.source, self.label, self.options.features, self.options.exclude)

    def blocks(self, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """The rows in order, in blocks of these columns, or of all."""
        from dqlabels.engines.polars import read_blocks

        return read_blocks(self.frame, self.options.sizes.read_rows, columns)


@dataclass(frozen=True, slots=True, eq=False)
class Streamed:
    """What the passes over a large lazy frame found; ``spill`` holds the model's output for each row.

    ``task``, ``fitted`` and ``rule`` are the three steps of :mod:`dqlabels.engines.task`, for this kind of label.
    """

    plan: Plan
    task: Any
    fitted: Any
    spill: Spill
    rule: Any
    notes: tuple[str, ...]
    seconds: float

    def blocks(self) -> Iterator[pl.DataFrame]:
        """The frame's blocks with three more columns."""
        from dqlabels.engines.polars import add_columns

        progress, done = Progress(self.plan.options.progress, "Writing"), 0
        for block in add_columns(self.plan.blocks, self.task, self.rule, self.spill):
            yield block
            done += len(block)
            progress(done, self.spill.rows)


def plan_of(frame: pl.LazyFrame, label: str, options: Options) -> Plan:
    """Check what can be checked without reading a row.

    Raises:
        DQLabelsError: The label or a feature is not there, or an output column is.
    """
    schema = frame.collect_schema()
    check_columns(list(schema))
    require_names(list(schema), [label], "label")
    there = [name for name in options.names if name in schema]
    if there:
        raise OutputColumnError(
            f"Column{'s' if len(there) > 1 else ''} {', '.join(map(repr, there))} already in the frame, and would be "
            f"overwritten by the audit of {label!r}. Drop them, or choose others with names=."
        )
    plan = Plan(frame, label, options, schema)
    _ = plan.columns
    return plan


def refuse_in_memory_options(options: Options, where: str) -> None:
    """Raise where an option is set that needs all rows in memory.

    Raises:
        OptionError: Naming it.
    """
    for name in options.not_default(IN_MEMORY_ONLY):
        if name == "pred_probs" and are_names(options.pred_probs):
            continue
        if name == "pred_probs" and is_several(options.pred_probs):
            raise OptionError(
                f"pred_probs= of several models needs all rows in memory, and is not there {where}. Write one column "
                "for each class first, such as the mean of the models' probabilities of it, and pass the names of "
                "those, or audit a collected frame."
            )
        if name == "pred_probs":
            raise OptionError(
                f"pred_probs= needs all rows in memory, and is not there {where}. Write the probabilities into columns "
                "of the frame and pass their names, or audit a collected frame."
            )
        raise OptionError(
            f"{name}= ({IN_MEMORY_ONLY[name]}) needs all rows in memory, and is not there {where}. Leave it out, or "
            "audit a collected frame."
        )


def row_count(frame: pl.LazyFrame) -> int:
    """How many rows a lazy frame has."""
    import polars as pl

    from dqlabels.engines.polars import collect

    return int(collect(frame.select(pl.len())).item())


def stream(plan: Plan, module: KindModule, notes: Sequence[str], rows: int) -> Streamed:
    """Sample, fit, judge every row into the spill, and find the rule that flags.

    Args:
        plan: What was asked.
        module: The module of the kind of label.
        notes: What a reader should know beforehand.
        rows: How many there are.

    Raises:
        DQLabelsError: As :func:`dqlabels.audit`.
    """
    from dqlabels.engines.polars import Spill, draw_sample, judge_rows

    refuse_in_memory_options(plan.options, "for a lazy frame this large")
    started, options = time.monotonic(), plan.options
    task: Task = module.stream_task(plan)

    def rows_of(step: str) -> Callable[[int], None]:
        progress = Progress(options.progress, step)
        return lambda done: progress(done, rows)

    spill = Spill(task.layout, thread_count(options.n_jobs))
    try:
        # Where nothing is learnt, nothing is sampled.
        sample: Any = draw_sample(plan.blocks, task, rows_of("Sampling")) if task.quotas.any() else None
        fitted: Any = task.learn(sample, options.n_jobs, options.progress)
        del sample
        first = judge_rows(plan.blocks, task, fitted, spill, rows_of("Judging"))
        rule: Any = fitted.rule(spill, first)
    except BaseException:
        spill.close()
        raise
    seconds = time.monotonic() - started
    return Streamed(plan, task, fitted, spill, rule, (*notes, *fitted.notes, *rule.notes), seconds)


def streamed_blocks(streamed: Streamed) -> Iterator[pl.DataFrame]:
    """Yield the blocks of a frame without an audit to keep: what lies on disk goes with the last block."""
    with closing(streamed.spill):
        warn_all(streamed.notes, stacklevel=3)
        yield from streamed.blocks()


def blocks_when_asked(plan: Plan, blocks: Callable[[], Iterator[pl.DataFrame]]) -> pl.LazyFrame:
    """A lazy frame of the audited columns, whose ``blocks`` are made each time that its rows are asked for."""
    from polars.io.plugins import register_io_source

    def run(
        columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, _size: int | None
    ) -> Iterator[pl.DataFrame]:
        left = n_rows
        for block in blocks():
            part = block if left is None else block.head(left)
            left = None if left is None else left - len(part)
            part = part if predicate is None else part.filter(predicate)
            yield part if columns is None else part.select(columns)
            if left == 0:
                return

    return register_io_source(run, schema=plan.schema)


def lazily(streamed: Streamed | None) -> pl.LazyFrame:
    """The audited rows of what was streamed, as a lazy frame.

    Raises:
        OptionError: The audit was left with its counts alone.
    """
    if streamed is None:
        raise OptionError("This audit was kept without its frame, so its rows cannot be read again.")
    return blocks_when_asked(streamed.plan, streamed.blocks)


def issues_of(
    frame: pl.LazyFrame,
    label: str,
    names: tuple[str, str, str],
    positions: IntArray,
    said: Mapping[str, Sequence[str]],
) -> pl.DataFrame:
    """Rows of an audited lazy frame: number, label and answer first, then what is said.

    Args:
        frame: The audited frame.
        label: Its label column.
        names: Quality, suggestion and flag.
        positions: (m,) row numbers, in the order to show.
        said: What is said of each row (m,), by the name of the column.
    """
    import polars as pl

    from dqlabels.engines.polars import collect

    quality, suggested, flag = names
    columns = set(frame.collect_schema().names())
    row = free_name("row", columns)
    words = {free_name(name, {*columns, row}): values for name, values in said.items()}
    numbers = pl.Series(row, positions, dtype=pl.get_index_type())
    numbered = pl.DataFrame([numbers, *(pl.Series(name, values, dtype=pl.String) for name, values in words.items())])
    rows = collect(frame.with_row_index(row).filter(pl.col(row).is_in(numbers.implode())))
    joined = numbered.join(rows, on=row, how="left", maintain_order="left")
    first = [row, label, suggested, quality, *words]
    return joined.select(*first, pl.exclude(*first, flag))


@dataclass(slots=True, eq=False)
class Lowest:
    """The rows with the ``most`` lowest keys, in the order of key and then of row."""

    most: int
    parts: list[dict[str, NDArray[Any]]]
    waiting: int

    @classmethod
    def empty(cls, most: int) -> Lowest:
        """Nothing seen yet."""
        return cls(most, [], 0)

    def offer(self, keys: NDArray[Any], columns: dict[str, NDArray[Any]]) -> None:
        """Take in a block's rows with their keys (b,) and what is to be known of each, (b, ...) a name."""
        if self.parts and keys.size and "bar" in self.parts[0]:
            near = keys <= self.parts[0]["bar"][0]
            keys, columns = keys[near], {name: values[near] for name, values in columns.items()}
        self.parts.append({"key": keys, **columns})
        self.waiting += keys.size
        if self.waiting > 2 * self.most:
            lowest = self.finish()
            self.parts, self.waiting = [{**lowest, "bar": lowest["key"][-1:]}], lowest["key"].size

    def finish(self) -> dict[str, NDArray[Any]]:
        """The columns of the rows kept, their keys among them as ``key``."""
        names = [name for name in self.parts[0] if name != "bar"]
        joined = {name: np.concatenate([part[name] for part in self.parts]) for name in names}
        order = np.argsort(joined["key"], kind="stable")[: self.most]
        return {name: values[order] for name, values in joined.items()}
