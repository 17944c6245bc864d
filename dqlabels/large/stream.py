"""Audits of lazy Polars frames that may be larger than memory: planned at once, run when their rows are asked for."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from dqlabels.confident import ClassTally, take
from dqlabels.engines.passes import Rule, find_rule
from dqlabels.errors import LabelWarning, OutputColumnError
from dqlabels.frames.columns import AUDIT_COLUMNS, LabelSet, check_columns, require_names
from dqlabels.large import judge as large
from dqlabels.large.sampling import content_hashes

if TYPE_CHECKING:
    import polars as pl

    from dqlabels.engines.polars import Spill

IntArray = NDArray[np.int64]
FEWEST_ROWS_A_CLASS = 2
SILENT_SECONDS = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What was asked for, checked against the schema alone."""

    frame: pl.LazyFrame
    label: str
    features: Sequence[str] | None
    exclude: tuple[str, ...]
    filter_by: str
    score: str
    adjust: bool
    names: tuple[str, str, str]
    random_state: int
    n_jobs: int | None
    progress: bool | Callable[[int, int], None] | None

    @property
    def schema(self) -> dict[str, Any]:
        """The columns of the answer."""
        import polars as pl

        schema = dict(self.frame.collect_schema())
        return schema | {self.names[0]: pl.Float64, self.names[1]: schema[self.label], self.names[2]: pl.Boolean}


@dataclass(frozen=True, slots=True, eq=False)
class Streamed:
    """What the passes over a large lazy frame found; ``spill`` holds what was said of each row."""

    plan: Plan
    labels: LabelSet
    learnt: large.Learnt
    spill: Spill
    rule: Rule

    @property
    def notes(self) -> tuple[str, ...]:
        """What the reader should know."""
        few = self.rule.frozen & (self.rule.class_counts > 0)
        if not few.any():
            return self.learnt.notes
        named = ", ".join(repr(value) for value, tiny in zip(self.labels.classes, few, strict=True) if tiny)
        return (*self.learnt.notes, f"Classes with a single row cannot be judged and are never flagged: {named}.")

    def blocks(self) -> Iterator[pl.DataFrame]:
        """The frame's blocks with three more columns."""
        from dqlabels.engines.polars import add_columns

        def codes_of(column: pl.Series) -> IntArray:
            return self.labels.codes(nw.from_native(column, series_only=True))

        told = Progress.of(self.plan.progress, "Writing")
        done = 0
        for block in add_columns(self.plan.frame, self.spill, self.plan.label, codes_of, self._columns):
            yield block
            done += len(block)
            told(done, self.spill.rows)

    def _columns(self, codes: IntArray, probs: NDArray[Any]) -> list[pl.Series]:
        import polars as pl

        known = codes >= 0
        quality, flag = np.full(codes.size, np.nan), np.zeros(codes.size, dtype=bool)
        suggested = codes.copy()
        quality[known], flag[known], suggested[known] = self.rule.judge(codes[known], probs[known])
        suggested[~known] = probs[~known].argmax(axis=1)
        values: pl.Series = self.labels.values.to_native()
        names = self.plan.names
        asked = values.gather(self.labels.places[suggested])
        columns = [pl.Series(quality), asked, pl.Series(flag)]
        if not known.all():
            there = pl.Series(known)
            columns[::2] = [pl.select(pl.when(there).then(column)).to_series() for column in columns[::2]]
        return [column.alias(name) for column, name in zip(columns, names, strict=True)]


@dataclass(slots=True, eq=False)
class Progress:
    """Tells a caller, or a terminal where the work is long, how far a step is."""

    given: bool | Callable[[int, int], None] | None
    step: str
    started: float

    @classmethod
    def of(cls, given: bool | Callable[[int, int], None] | None, step: str) -> Progress:
        """A step that begins now."""
        return cls(given, step, time.monotonic())

    def __call__(self, done: int, total: int) -> None:
        """``done`` of ``total``, rows or trees."""
        if callable(self.given):
            self.given(done, total)
        elif self.given or (self.given is None and sys.stderr.isatty()):
            spent = time.monotonic() - self.started
            left = spent / max(done, 1) * (total - done)
            if self.given or spent + left > SILENT_SECONDS:
                end = "\n" if done == total else ""
                sys.stderr.write(f"\r{self.step}: {done:,}/{total:,}, about {left:.0f} s left{end}")
                sys.stderr.flush()


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
    return Plan(
        frame, label, options.get("features"), exclude, options.get("filter_by", "prune_by_noise_rate"),
        options.get("score", "normalized_margin"), options.get("adjust", False), names,
        options.get("random_state", 0), options.get("n_jobs"), options.get("progress"),
    )  # fmt: skip


def go_through(plan: Plan, labels: LabelSet, spill: Spill) -> Streamed:
    """Sample, learn, judge every row into the spill, and find the rule that flags."""
    from dqlabels.engines.polars import read_blocks

    columns = large.sampled_columns(plan.frame.collect_schema().names(), plan.label, plan.features, plan.exclude)
    wanted = [*columns, plan.label]
    total = int(labels.rows.sum()) + labels.missing
    sample, done, told = large.empty_sample(labels.rows), 0, Progress.of(plan.progress, "Sampling")
    for native in read_blocks(plan.frame, wanted):
        block = nw.from_native(native, eager_only=True)
        codes = labels.codes(block[plan.label])
        sample.update(block, codes, content_hashes(block, columns, codes))
        done += len(block)
        told(done, total)
    learnt = large.learn(
        sample.finish(labels.rows), labels, features=plan.features, exclude=plan.exclude,
        random_state=plan.random_state, n_jobs=plan.n_jobs, progress=Progress.of(plan.progress, "Learning"),
    )  # fmt: skip
    del sample
    tally, done, told = ClassTally.empty(len(labels.classes)), 0, Progress.of(plan.progress, "Judging")
    for native in read_blocks(plan.frame, [*learnt.judge.encoder.names, plan.label]):
        block = nw.from_native(native, eager_only=True)
        codes, probs = labels.codes(block[plan.label]), learnt.judge.probs(block, plan.n_jobs)
        known = codes >= 0
        tally.update(codes[known], take(probs[known], codes[known]))
        spill.append(codes, probs)
        done += len(block)
        told(done, total)
    rule = find_rule(
        spill, len(labels.classes), filter_by=plan.filter_by, score=plan.score, adjust=plan.adjust, tally=tally,
        least_rows=FEWEST_ROWS_A_CLASS,
    )  # fmt: skip
    return Streamed(plan, labels, learnt, spill, rule)


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
    from polars.io.plugins import register_io_source

    plan = plan_of(frame, label, **options)

    def run(
        columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, _size: int | None
    ) -> Iterator[pl.DataFrame]:
        left = n_rows
        for block in audited_blocks(plan, in_memory, options):
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

    labels, size = read_label_set(plan)
    if labels is None or size <= large.LARGE_ROWS:
        yield in_memory(plan.frame.collect())
        return
    large.refuse_options(options, "for a lazy frame this large")
    with closing(Spill(len(labels.classes), large.threads_of(plan.n_jobs))) as spill:
        streamed = go_through(plan, labels, spill)
        for note in streamed.notes:
            warnings.warn(note, LabelWarning, stacklevel=2)
        yield from streamed.blocks()


def read_label_set(plan: Plan) -> tuple[LabelSet | None, int]:
    """The labels of a large frame, None of a small one, and how many rows it has."""
    import polars as pl

    from dqlabels.engines.polars import collect, label_counts

    size: int = collect(plan.frame.select(pl.len())).item()
    if size <= large.LARGE_ROWS:
        return None, size
    values, rows = label_counts(plan.frame, plan.label)
    return LabelSet.of(nw.from_native(values, series_only=True), rows), size
