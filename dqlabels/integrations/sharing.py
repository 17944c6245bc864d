"""One audit for several checks of the same rows: kept by content, few at a time, and without a frame."""

from __future__ import annotations

import hashlib
import pickle
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypedDict

import narwhals as nw

from dqlabels.auditor import audit, read_frame
from dqlabels.errors import OptionError

if TYPE_CHECKING:
    from dqlabels.frames.columns import Column, Frame
    from dqlabels.result import LabelAudit

# Audits kept: the checks of one schema run one after the other, and seldom judge more than a few label columns.
MOST_KEPT = 4


class AuditOptions(TypedDict, total=False):
    """What a check hands on to :func:`dqlabels.audit`, under the same names."""

    features: Any
    exclude: Any
    pred_probs: Any
    classes: Any
    model: Any
    cv: Any
    groups: Any
    sample_weight: Any
    filter_by: str
    score: str
    adjust: bool
    names: Any
    compat: str | None
    random_state: int
    n_jobs: int | None
    progress: Any


AUDIT_OPTIONS = tuple(AuditOptions.__annotations__)

_kept: OrderedDict[bytes, LabelAudit] = OrderedDict()
_lock = threading.Lock()


def check_names(options: Mapping[str, Any]) -> None:
    """Refuse an option that :func:`dqlabels.audit` does not know, when the check is made rather than run.

    Raises:
        OptionError: Naming the options there are.
    """
    unknown = [name for name in options if name not in AUDIT_OPTIONS]
    if unknown:
        raise OptionError(
            f"{', '.join(map(repr, unknown))} is no option of dqlabels.audit; the options are "
            f"{', '.join(AUDIT_OPTIONS)}."
        )


def shared_audit(frame: Any, label: str, options: Mapping[str, Any]) -> LabelAudit:
    """The audit of ``label``, run once for all calls with the same rows and options.

    Rows are compared by content, so a frame that was changed in place is audited again. What is returned can be
    gated and read as arrays; its ``frame`` and ``table`` are None, so that no frame is held alive.

    Args:
        frame: As for :func:`dqlabels.audit`; a LazyFrame is collected.
        label: The column that holds the given labels.
        options: Of :func:`dqlabels.audit`.

    Raises:
        DQLabelsError: What the audit raises.
    """
    _, table = read_frame(frame)
    key = _digest(table, label, options)
    if key is not None:
        with _lock:
            if key in _kept:
                _kept.move_to_end(key)
                return _kept[key]
    found = _without_frame(audit(table.to_native(), label, **as_classes(options)))
    if key is not None:
        with _lock:
            _kept[key] = found
            while len(_kept) > MOST_KEPT:
                _kept.popitem(last=False)
    return found


def as_classes(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options with the task said: a check holds classes against limits, whatever the column looks like.

    Raises:
        OptionError: ``task="regression"``, which has no noise rate.
    """
    if options.get("task") == "regression":
        raise OptionError(
            "Checks of the noise rate are for classes; numbers have none. Gate them with "
            "dqlabels.audit(frame, label, task='regression').gate(max_flagged_share=0.01)."
        )
    return {"task": "classes", **options}


def forget_audits() -> None:
    """Drop the kept audits."""
    with _lock:
        _kept.clear()


def _without_frame(found: LabelAudit) -> LabelAudit:
    evidence = found.evidence
    column: Any = None
    labels = replace(evidence.labels, column=column)
    return replace(found, frame=None, table=column, again=None, evidence=replace(evidence, labels=labels))


def _digest(table: Frame, label: str, options: Mapping[str, Any]) -> bytes | None:
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
