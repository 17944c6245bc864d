"""The one way from a frame to an audit: options checked once, the kind of label resolved once, then its pipeline."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from narwhals.dependencies import is_polars_lazyframe

from dqlabels.audits.arrow import audit_stream
from dqlabels.audits.beside import options_in_row_order
from dqlabels.audits.kinds import Kind, kind_of_lazy_frame, kind_of_schema, kind_of_table
from dqlabels.audits.options import Options, documented
from dqlabels.audits.request import KindModule, Request
from dqlabels.audits.streaming import Plan, Streamed, blocks_when_asked, plan_of, row_count, stream, streamed_blocks
from dqlabels.errors import warn_all
from dqlabels.frames.arrow import arrow_source
from dqlabels.frames.names import label_names
from dqlabels.frames.reading import read_frame

if TYPE_CHECKING:
    import polars as pl
    from typing_extensions import Unpack

    from dqlabels.audits.base import Audit
    from dqlabels.audits.options import AuditOptions


@documented()
def audit(frame: Any, label: str | Sequence[str], **options: Unpack[AuditOptions]) -> Audit:
    """Audit one label column, or several columns that label the same rows.

    Args:
        frame: pandas or Polars DataFrame, Polars LazyFrame, or PyArrow table; n rows. A lazy frame is read at once, in
            memory up to 200,000 rows and in passes beyond, where the kind of label allows it; the audit's own
            ``frame`` is lazy again. So is whatever hands out an Arrow stream (a DuckDB relation, an Ibis table, a
            reader or dataset of PyArrow), in the order in which it gives its rows, once. To plan an audit that is run
            when its rows are asked for, use ``lf.labels.audit(label)``.
        label: The column that holds the given labels; rows where it is missing are kept, not estimated from. A list
            of columns: the labels that several people gave, or with ``task="multilabel"`` one yes/no column per tag.
        {options}

    Returns:
        The audit; ``.frame`` is the caller's frame, same type, rows and index, with three more columns. One class per
        row gives a :class:`dqlabels.LabelAudit` (a :class:`dqlabels.StreamedAudit` where the rows were streamed),
        numbers a :class:`dqlabels.ValueAudit`, several labels per row a :class:`dqlabels.MultilabelAudit`, labels of
        tokens a :class:`dqlabels.TokenAudit`, several people's labels a :class:`dqlabels.AnnotatorAudit`; all have the
        same verbs, and say so where one is not theirs.

    Raises:
        DQLabelsError: One of its subclasses, by what is wrong: the label column, the features, the
            probabilities, an output column that exists, an option, or the model.

    Source: Northcutt, Jiang & Chuang (2021), JAIR 70:1373-1411, for the flags and scores.

    >>> import polars as pl
    >>> labels = ["low"] * 20 + ["high"] + ["low"] * 29 + ["high"] * 50
    >>> frame = pl.DataFrame({"x": [i / 10 + 9 * (i > 49) for i in range(100)], "y": labels})
    >>> audit(frame, "y").issues["row"].to_list()
    [20]
    """
    result = run_audit(frame, label, Options.of(options, "dqlabels.audit"))
    warn_all(result.warnings, stacklevel=3)
    return result


def run_audit(frame: Any, label: str | Sequence[str], options: Options) -> Audit:
    """Return the audit without issuing its warnings, which are in its ``warnings``.

    Raises:
        DQLabelsError: As :func:`audit`.
    """
    label = label_names(label)
    if (source := arrow_source(frame)) is not None:
        one = label if isinstance(label, str) else label[0]
        return audit_stream(source, one, options, lambda rows: run_audit(rows, label, options))
    if is_polars_lazyframe(frame) and (streamed := _streamed(frame, label, options)) is not None:
        return streamed
    form, table = read_frame(frame)
    kind, notes = kind_of_table(table, label, options)
    options, moved = options_in_row_order(options, table)
    request = Request(table, label, kind, options.changed(task=kind.name), form, (*notes, *moved))
    return module_of(kind).audit_table(request)


def audit_lazily(frame: pl.LazyFrame, label: str, options: Options) -> pl.LazyFrame:
    """Return a lazy frame with three more columns; no row is read before the rows of the answer are asked for.

    Args:
        frame: n rows, in the same order each time they are read.
        label: Its label column.
        options: What the caller asks for.

    Raises:
        DQLabelsError: At once where the schema shows the fault; otherwise when rows are asked for.
    """
    shown = kind_of_schema(frame, label, options)
    plan = plan_of(frame, label, options)
    if shown is not None and shown.streams:
        module_of(shown).check_schema(plan.label_of_no_rows, options)
    return blocks_when_asked(plan, lambda: _blocks(plan, shown))


def module_of(kind: Kind) -> KindModule:
    """The module that audits a kind of label, loaded when it is first needed."""
    return cast("KindModule", importlib.import_module(kind.module))


def _blocks(plan: Plan, shown: Kind | None) -> Iterator[pl.DataFrame]:
    """Yield the audited frame in blocks, by the rule for its size."""
    if (passes := _passes(plan, shown)) is not None:
        yield from streamed_blocks(passes[1])
        return
    result = run_audit(plan.frame.collect(), plan.label, plan.options)
    warn_all(result.warnings, stacklevel=3)
    yield result.frame


def _streamed(frame: pl.LazyFrame, label: str | Sequence[str], options: Options) -> Audit | None:
    """Audit a large lazy frame whose kind of label streams; return None for any other, which is audited in memory."""
    if not isinstance(label, str):
        return None
    shown = kind_of_schema(frame, label, options)
    if shown is not None and not shown.streams:
        return None
    passes = _passes(plan_of(frame, label, options), shown)
    return None if passes is None else passes[0].streamed_audit(passes[1])


def _passes(plan: Plan, shown: Kind | None) -> tuple[KindModule, Streamed] | None:
    """Judge the rows of a large frame in passes; return None for one that is small, or whose kind does not stream.

    Args:
        plan: What was asked.
        shown: What the schema says of the kind of label.
    """
    if (rows := row_count(plan.frame)) <= plan.options.sizes.large_rows:
        return None
    kind, notes = kind_of_lazy_frame(plan.frame, plan.label, plan.options, shown)
    if not kind.streams:
        return None
    module, chosen = module_of(kind), replace(plan, options=plan.options.changed(task=kind.name))
    module.check_schema(chosen.label_of_no_rows, chosen.options)
    return module, stream(chosen, module, notes, rows)
