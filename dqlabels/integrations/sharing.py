"""One audit for several checks of the same rows: kept by content, few at a time, and without a frame."""

from __future__ import annotations

import hashlib
import pickle
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

import narwhals as nw

from dqlabels.audits.audit import audit
from dqlabels.audits.base import Audit
from dqlabels.errors import OptionError
from dqlabels.frames.reading import read_frame

if TYPE_CHECKING:
    from dqlabels.frames.columns import Column, Frame

# Audits kept: the checks of one schema run one after the other, and seldom judge more than a few label columns.
MOST_KEPT = 4


class AuditOptions(TypedDict, total=False):
    """What a check hands on to :func:`dqlabels.audit`, under the same names, of whatever kind the label is."""

    features: Any
    exclude: Any
    groups: Any
    sample_weight: Any
    names: Any
    random_state: int
    n_jobs: int | None
    progress: Any


class ModelOptions(AuditOptions, total=False):
    """Where a model of one's own may judge."""

    pred_probs: Any
    classes: Any
    model: Any
    cv: Any
    compat: str | None


class TagOptions(ModelOptions, total=False):
    """Of several labels a row."""

    filter_by: str
    score: str
    adjust: bool


class ClassOptions(TagOptions, total=False):
    """Of one class a row; ``task`` is ``"classes"``, or ``"ordinal"`` for grades."""

    task: str


class ValueOptions(AuditOptions, total=False):
    """Of numbers."""

    fdr: float


class AnnotatorOptions(ModelOptions, total=False):
    """Of several annotators."""

    annotator: str | None
    item: str | None
    consensus: str | None


# By the task that a check is for.
OPTIONS: dict[str, tuple[str, ...]] = {
    "classes": tuple(ClassOptions.__annotations__),
    "regression": tuple(ValueOptions.__annotations__),
    "annotators": tuple(AnnotatorOptions.__annotations__),
    "multilabel": tuple(TagOptions.__annotations__),
}
CLASS_TASKS = ("classes", "ordinal")
NAMED_TASKS = {"regression": "numbers", "annotators": "several annotators", "multilabel": "several labels a row"}

_kept: OrderedDict[bytes, Audit] = OrderedDict()
_lock = threading.Lock()


def check_names(task: str, options: Mapping[str, Any]) -> None:
    """Refuse an option that an audit of this task does not know, when the check is made rather than run.

    Raises:
        OptionError: Naming the options there are.
    """
    known = OPTIONS[task]
    unknown = [name for name in options if name not in known]
    if unknown:
        of = f" of {NAMED_TASKS[task]}" if task in NAMED_TASKS else ""
        raise OptionError(
            f"{', '.join(map(repr, unknown))} is no option of dqlabels.audit{of}; the options are {', '.join(known)}."
        )
    if (said := options.get("task", "classes")) not in CLASS_TASKS:
        raise OptionError(
            f"task={said!r}: this check is for one class a row, {' or '.join(map(repr, CLASS_TASKS))}. Numbers, "
            "several annotators and several labels a row have checks of their own."
        )


def shared_audit(frame: Any, label: str | Sequence[str], task: str, options: Mapping[str, Any]) -> Audit:
    """The audit of ``label``, run once for all calls with the same rows and options.

    Rows are compared by content, so a frame that was changed in place is audited again. What is returned can be
    gated and read as arrays; no frame is held alive by it, but of some tasks the columns of labels.

    Args:
        frame: As for :func:`dqlabels.audit`; a LazyFrame is collected.
        label: The column that holds the given labels, or the columns.
        task: Of the check; grades are classes whose options say so.
        options: Of :func:`dqlabels.audit`.

    Raises:
        DQLabelsError: What the audit raises.
    """
    _, table = read_frame(frame)
    given = {"task": task, **options}
    key = _digest(table, label, given)
    if key is not None:
        with _lock:
            if key in _kept:
                _kept.move_to_end(key)
                return _kept[key]
    found = audit(table.to_native(), label, **given).without_frame()
    if key is not None:
        with _lock:
            _kept[key] = found
            while len(_kept) > MOST_KEPT:
                _kept.popitem(last=False)
    return found


def forget_audits() -> None:
    """Drop the kept audits."""
    with _lock:
        _kept.clear()


def _digest(table: Frame, label: str | Sequence[str], options: Mapping[str, Any]) -> bytes | None:
    """A digest of the rows, the label's name and the options; None where a value of them cannot be written down."""
    digest = hashlib.blake2b(digest_size=32)
    try:
        digest.update(pickle.dumps((label, sorted(options.items()), str(table.implementation), len(table))))
        for name in table.columns:
            column = table[name]
            digest.update(pickle.dumps((name, str(column.dtype))))
            digest.update(_written(column))
    except (pickle.PicklingError, TypeError, AttributeError):
        return None  # an object of the caller's own: then each check runs its own audit
    return digest.digest()


def _written(column: Column) -> bytes:
    """The values as bytes; numbers without a missing one as they lie in memory, all else as Python objects."""
    if not column.null_count() and (column.dtype.is_numeric() or column.dtype == nw.Boolean):
        values = column.to_numpy()
        if values.dtype.kind in "biuf":
            return bytes(values.tobytes())
    return pickle.dumps(column.to_list())
