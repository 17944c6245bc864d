"""Audits of lazy Polars frames that may be larger than memory: planned at once, run when their rows are asked for."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw

from dqlabels.audits.classes.task import class_task
from dqlabels.audits.values.task import ValueTask, check_values
from dqlabels.errors import LabelWarning, OutputColumnError
from dqlabels.frames.columns import AUDIT_COLUMNS, LabelSet, check_columns, require_names
from dqlabels.models import large
from dqlabels.progress import Progress, ProgressOption
from dqlabels.statistics.residuals import FDR, check_fdr
from dqlabels.threads import thread_count

if TYPE_CHECKING:
    import polars as pl

    from dqlabels.engines.polars import Spill

SILENT_SECONDS = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What was asked for, checked against the schema alone; ``task`` is ``"classes"`` or ``"regression"``.

    ``ruling`` says by what rule rows are flagged: ``filter_by``, ``score`` and ``adjust`` of classes, ``fdr`` of
    numbers.
    """

    frame: pl.LazyFrame
    label: str
    task: str
    features: Sequence[str] | None
    exclude: tuple[str, ...]
    ruling: dict[str, Any]
    names: tuple[str, str, str]
    random_state: int
    sample_rows: int | None
    n_jobs: int | None
    progress: ProgressOption

    @property
    def schema(self) -> dict[str, Any]:
        """The columns of the answer."""
        import polars as pl

        schema = dict(self.frame.collect_schema())
        return schema | {self.names[0]: pl.Float64, self.names[1]: schema[self.label], self.names[2]: pl.Boolean}


@dataclass(frozen=True, slots=True, eq=False)
class Streamed:
    """What the passes over a large lazy frame found; ``spill`` holds what was said of each row.

    ``task``, ``learnt`` and ``rule`` are the three steps of :mod:`dqlabels.engines.task`, of this kind of label.
    """

    plan: Plan
    task: Any
    learnt: Any
    spill: Spill
    rule: Any

    @property
    def notes(self) -> tuple[str, ...]:
        """What the reader should know."""
        return (*self.learnt.notes, *self.rule.notes)

    def blocks(self) -> Iterator[pl.DataFrame]:
        """The frame's blocks with three more columns."""
        from dqlabels.engines.polars import add_columns

        progress, done = Progress(self.plan.progress, "Writing"), 0
        for block in add_columns(self.plan.frame, self.task, self.rule, self.spill):
            yield block
            done += len(block)
            progress(done, self.spill.rows)


def plan_of(frame: pl.LazyFrame, label: str, **options: Any) -> Plan:
    """Check what can be checked without reading a row.

    Raises:
        DQLabelsError: The label or a feature is not there, an output column is, or an option means nothing here.
    """
    schema = frame.collect_schema()
    check_columns(schema.names())
    require_names(schema.names(), [label], "label")
    names = tuple(options.get("names", AUDIT_COLUMNS))
    there = [name for name in names if name in schema]
    if there:
        raise OutputColumnError(
            f"Column{'s' if len(there) > 1 else ''} {', '.join(map(repr, there))} already in the frame, and would be "
            f"overwritten by the audit of {label!r}. Drop them, or choose others with names=."
        )
    exclude: Iterable[str] = options.get("exclude", ())
    exclude = (exclude,) if isinstance(exclude, str) else tuple(exclude)
    large.sampled_columns(schema.names(), label, options.get("features"), exclude)
    large.check_sample_rows(options.get("sample_rows"))
    task = options.get("task") or "classes"
    ruling = {name: options.get(name, default) for name, default in RULING[task].items()}
    if task == "regression":
        check_values(schema_column(frame, label), options)
        check_fdr(ruling["fdr"])
    return Plan(
        frame, label, task, options.get("features"), exclude, ruling, names, options.get("random_state", 0),
        options.get("sample_rows"),
        options.get("n_jobs"), options.get("progress"),
    )  # fmt: skip


# Of each task that streams, the options of its rule.
RULING: dict[str, dict[str, Any]] = {
    "classes": {"filter_by": "prune_by_noise_rate", "score": "normalized_margin", "adjust": False},
    "regression": {"fdr": FDR},
}


def schema_column(frame: pl.LazyFrame, label: str) -> Any:
    """The label column of no rows: what can be said of its type is said before any is read."""
    import polars as pl

    return nw.from_native(pl.Series(label, [], dtype=frame.collect_schema()[label]), series_only=True)


def go_through(plan: Plan, task: Any, spill: Spill, total: int) -> Streamed:
    """Sample, learn, judge every row into the spill, and find the rule that flags."""
    from dqlabels.engines.polars import draw_sample, judge_rows

    def rows_of(step: str) -> Callable[[int], None]:
        progress = Progress(plan.progress, step)
        return lambda done: progress(done, total)

    sample = draw_sample(plan.frame, task, rows_of("Sampling"))
    learnt = task.learn(sample, plan.n_jobs, plan.progress)
    del sample
    first = judge_rows(plan.frame, task, learnt, spill, rows_of("Judging"))
    return Streamed(plan, task, learnt, spill, learnt.rule(spill, first))


def audit_lazily(
    frame: pl.LazyFrame, label: str, in_memory: Callable[[pl.DataFrame], pl.DataFrame], **options: Any
) -> pl.LazyFrame:
    """A lazy frame with three more columns; nothing is read before its rows are asked for.

    Args:
        frame: n rows, in the same order each time they are read.
        label: Its label column.
        in_memory: Audits a table that is small enough.
        **options: Those of :func:`dqlabels.audit`.

    Raises:
        DQLabelsError: At once, what the schema gives away; the rest when rows are asked for.
    """
    plan = plan_of(frame, label, **options)
    return blocks_when_asked(plan, lambda: audited_blocks(plan, in_memory, options))


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


def audited_blocks(
    plan: Plan, in_memory: Callable[[pl.DataFrame], pl.DataFrame], options: dict[str, Any]
) -> Iterator[pl.DataFrame]:
    """The audited frame in blocks, whichever rule its size asks for."""
    from dqlabels.engines.polars import Spill, closing

    task, size = read_task(plan)
    if task is None:
        yield in_memory(plan.frame.collect())
        return
    large.refuse_options(options, "for a lazy frame this large")
    with closing(Spill(task.kept, thread_count(plan.n_jobs))) as spill:
        streamed = go_through(plan, task, spill, size)
        for note in streamed.notes:
            warnings.warn(note, LabelWarning, stacklevel=2)
        yield from streamed.blocks()


def read_task(plan: Plan) -> tuple[Any, int]:
    """The task of a large frame, from a first look at its labels; None of a small one; and how many rows it has."""
    import polars as pl

    from dqlabels.engines.polars import collect, label_counts, read_blocks

    size: int = collect(plan.frame.select(pl.len())).item()
    if size <= large.LARGE_ROWS:
        return None, size
    columns = large.sampled_columns(plan.frame.collect_schema().names(), plan.label, plan.features, plan.exclude)
    learning = {"features": plan.features, "exclude": plan.exclude, "random_state": plan.random_state}
    if plan.task == "regression":
        blocks = (
            nw.from_native(block[plan.label], series_only=True) for block in read_blocks(plan.frame, [plan.label])
        )
        return ValueTask.of(plan.label, blocks, columns, plan.names, learning, plan.ruling["fdr"]), size
    values, rows = label_counts(plan.frame, plan.label)
    labels = LabelSet.of(nw.from_native(values, series_only=True), rows)
    learning["sample_rows"] = plan.sample_rows
    return class_task(labels, columns, plan.names, learning, plan.ruling), size
