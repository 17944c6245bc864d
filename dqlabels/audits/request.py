"""One audit as it was asked for: the table, the label, its kind and the options, each resolved once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from dqlabels.audits.kinds import Kind
from dqlabels.audits.options import Options
from dqlabels.frames.columns import Column, Frame
from dqlabels.frames.names import EAGER, Form
from dqlabels.frames.outputs import to_callers_kind

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from dqlabels.audits.base import Audit
    from dqlabels.audits.streaming import Plan, Streamed
    from dqlabels.engines.task import Task


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """What a kind of label is asked to audit.

    ``label`` is a column or the columns; ``form`` is that of the caller's frame and of the result; ``notes`` are what a
    reader should know of how the kind was chosen; ``started`` is a :func:`time.monotonic` reading.
    """

    table: Frame
    label: str | Sequence[str]
    kind: Kind
    options: Options
    form: Form = EAGER
    notes: tuple[str, ...] = ()
    started: float = field(default_factory=time.monotonic)

    @property
    def column(self) -> str:
        """The label column of a kind that has one."""
        return self.label if isinstance(self.label, str) else self.label[0]

    def returned(self, table: Frame) -> Any:
        """The audited table as the caller's library has it, in the form of the caller's frame."""
        suggested, form = self.options.names[1], self.form
        if isinstance(self.label, str) and suggested in table.columns:
            form = form.rewritten(suggested, self.label, table[self.label], table[suggested])
        return to_callers_kind(table, form)

    def seconds(self) -> float:
        """Seconds since the request was made."""
        return time.monotonic() - self.started


class KindModule(Protocol):
    """What the module of a kind of label offers; :data:`dqlabels.audits.kinds.KINDS` names the modules."""

    def audit_table(self, request: Request) -> Audit:
        """Audit a table in memory."""

    def check_schema(self, column: Column, options: Options) -> None:
        """Refuse, before any row is read, a label column whose type cannot hold this kind; for kinds that stream."""

    def stream_task(self, plan: Plan) -> Task:
        """The three steps of the engines out of memory, from a first look at the label column."""

    def spark_task(self, frame: DataFrame, label: str, columns: list[str], options: Options) -> tuple[Task, int]:
        """The same from Spark's first look at the label column, and how many rows the table has.

        Args:
            frame: A Spark DataFrame.
            label: The label column.
            columns: The columns that may be features.
            options: What the caller asks for.
        """

    def streamed_audit(self, streamed: Streamed) -> Audit:
        """The audit that the passes over the rows give."""
