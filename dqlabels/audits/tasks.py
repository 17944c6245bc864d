"""Which kind of label an audit is of, and the pipeline of each kind but the plain one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import narwhals as nw

from dqlabels.errors import OptionError
from dqlabels.frames.columns import Column, Frame, require

# Tasks of one label a row, and those of several.
SINGLE, SEVERAL = ("classes", "ordinal", "regression"), ("annotators", "multilabel")
TASKS = (*SINGLE, *SEVERAL)
# Those whose statistics merge, so that they run on every engine.
STREAMED = ("classes", "regression")


def choose_task(
    table: Frame,
    label: str | Sequence[str],
    task: str | None,
    *,
    annotator: str | None = None,
    item: str | None = None,
    consensus: str | None = None,
) -> str:
    """The task that was asked for, or that the label shows; what could be two things is asked about.

    Raises:
        OptionError: An unknown task, or one that the label or another option contradicts.
        LabelColumnError: A column that is not there.

    >>> import polars as pl
    >>> choose_task(nw.from_native(pl.DataFrame({"tags": [["a"], []]})), "tags", None)
    'multilabel'
    """
    if task is not None and task not in TASKS:
        raise OptionError(f"task={task!r} is none of {', '.join(map(repr, TASKS))}.")
    columns = [label] if isinstance(label, str) else list(label)
    require(table, columns, "label")
    long = annotator is not None or item is not None
    found = task or _task_of([table[name] for name in columns], columns, long=long, one=isinstance(label, str))
    if long and found != "annotators":
        raise OptionError(f"annotator= and item= belong to task='annotators', not to {found!r}.")
    if consensus is not None and found != "annotators":
        raise OptionError(f"consensus={consensus!r} is for several annotators; {label!r} is audited as {found!r}.")
    if found in SINGLE and not isinstance(label, str):
        raise OptionError(f"label={columns!r} names several columns; task={found!r} takes one.")
    return found


def _task_of(values: Sequence[Column], columns: Sequence[str], *, long: bool, one: bool) -> str:
    if long:
        return "annotators"
    if one:
        return "multilabel" if holds_lists(values[0]) else "classes"
    if all(column.dtype == nw.Boolean for column in values):
        raise OptionError(
            f"Columns {', '.join(map(repr, columns[:10]))} are all Boolean: several annotators of one yes/no label, or "
            "one tag each? Say task='annotators' or task='multilabel'."
        )
    return "annotators"


def streamed_task(
    frame: Any, label: str | Sequence[str], task: str | None, annotator: str | None, item: str | None
) -> str | None:
    """The task of a lazy Polars frame if it is one that streams, as far as the schema tells; no rows are read.

    >>> import polars as pl
    >>> streamed_task(pl.LazyFrame({"tags": [["a"], []]}), "tags", None, None, None)
    >>> streamed_task(pl.LazyFrame({"price": [1.5, 2.5]}), "price", "regression", None, None)
    'regression'
    """
    if type(frame).__name__ != "LazyFrame" or not isinstance(label, str) or annotator is not None or item is not None:
        return None
    if task is not None:
        return task if task in STREAMED else None
    dtype = nw.from_native(frame).collect_schema().get(label)
    return None if isinstance(dtype, nw.List) and not dtype.inner.is_float() else "classes"


def holds_lists(column: Column) -> bool:
    """Whether a label column holds a list of labels a row.

    Arrays of a fixed length, such as embeddings, are none.
    """
    if isinstance(column.dtype, nw.List):
        return not column.dtype.inner.is_float()
    if column.dtype != nw.Object:
        return False
    present = column.drop_nulls()
    return len(present) > 0 and isinstance(present[0], (list, tuple, set, frozenset))


def audit_task(
    task: str,
    table: Frame,
    label: str | Sequence[str],
    given: dict[str, Any],
    judge_items: Callable[..., Any],
    *,
    lazy: bool,
) -> Any:
    """Run the pipeline of a task; ``given`` are the options of :func:`dqlabels.audit`."""
    if task == "multilabel":
        from dqlabels.audits.tags.pipeline import audit_multilabel

        return audit_multilabel(table, label, lazy=lazy, names=given["names"], given=given)
    from dqlabels.audits.annotators.pipeline import audit_annotators

    asked = ("features", "pred_probs", "model", "cv", "groups", "sample_weight")
    return audit_annotators(
        table, label, lazy=lazy, names=given["names"], random_state=given["random_state"], compat=given["compat"],
        annotator=given["annotator"], item=given["item"], consensus=given["consensus"],
        judge=partial(judge_items, given=given), judge_given=any(given[name] is not None for name in asked),
    )  # fmt: skip
