"""What the checks of both test suites share: what they are about, and one audit for several checks of the same rows."""

from __future__ import annotations

import hashlib
import os
import pickle
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Literal

import narwhals as nw

from dqlabels.audits.audit import audit
from dqlabels.audits.base import Audit, NativeFrame
from dqlabels.audits.gate import Limits
from dqlabels.audits.kinds import KINDS, Kind
from dqlabels.audits.options import SETTLED, Options, checked_field, choice, option
from dqlabels.audits.trusted.label_auditor import auditor_of
from dqlabels.audits.trusted.saved import read_fitted
from dqlabels.errors import OptionError
from dqlabels.frames.reading import read_frame

if TYPE_CHECKING:
    from dqlabels.audits.base import Names
    from dqlabels.audits.trusted.fitted import Fitted
    from dqlabels.frames.columns import Column, Frame

# The checks of one schema run one after the other, and seldom judge more than a few label columns.
MAX_CACHED = 4
# A limit on label quality unless the caller sets another: so many labels are to be more likely right than not. It told
# tables as they are from the same with 10% of the labels wrong at random: all ten on which the model disagrees with
# fewer than a fifth of the labels, and one of five others (docs/pandera.md).
MIN_QUALITY, MOSTLY = 0.5, 0.95
ClassTask = Literal["classes", "ordinal"]


def _class_task(name: str, value: object) -> object:
    try:
        return choice(ClassTask)(name, value)
    except OptionError as error:
        kind = KINDS.get(str(value))
        why = "other kinds of label have checks of their own."
        if kind is not None and kind.subject is None:
            why = f"there is none of {kind.words}. {kind.cannot['pandera']}"
        raise OptionError(f"{error} This check is for one class per row; {why}") from None


def _auditor_path(name: str, value: object) -> str:
    if isinstance(value, (str, PurePath)) and str(value):
        return str(value)
    raise OptionError(
        f"{name}={value!r} is not the path of a saved auditor, as in {name}='income.dqlabels'. A suite keeps the path: "
        "call LabelAuditor.save(path) first, or dqlabels fit."
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassCheckOptions:
    """The options of checks on classes beside those of an audit."""

    task: ClassTask = option("classes", "'classes', or 'ordinal' for grades, where distance counts.", _class_task)
    auditor: str | None = option(
        None,
        "Path of a saved auditor to judge by; nothing is trained, and an increase is one over what it was fitted on.",
        _auditor_path,
    )

    def __post_init__(self) -> None:
        _class_task("task", self.task)
        if self.auditor is not None:
            _auditor_path("auditor", self.auditor)


CLASS_CHECK_OPTIONS = tuple(one.name for one in fields(ClassCheckOptions))


@dataclass(frozen=True, slots=True)
class Subject:
    """What checks are about: a kind of label, with or without the options that checks on classes have."""

    kind: Kind
    of_classes: bool = False

    @property
    def options(self) -> tuple[str, ...]:
        """The options of an audit that such a check takes."""
        return (*self.kind.options, *CLASS_CHECK_OPTIONS) if self.of_classes else self.kind.options

    def check(self, options: Mapping[str, object]) -> None:
        """Refuse values that mean nothing, when a check is made rather than run.

        Args:
            options: Values by name, each name one of ``self.options``.

        Raises:
            OptionError: Naming the option, the value and what it may be.
        """
        own = {name: options[name] for name in CLASS_CHECK_OPTIONS if name in options}
        ClassCheckOptions(**own)  # type: ignore[arg-type]
        chosen = Options(**{name: value for name, value in options.items() if name not in own})  # type: ignore[arg-type]
        if own.get("auditor") is not None:
            _refuse_settled(chosen.changed(task=None if own.get("task") == "classes" else own.get("task")))


def _refuse_settled(options: Options) -> None:
    """Refuse options that were settled when a saved auditor was fitted.

    Raises:
        OptionError: Naming them.
    """
    found = options.not_default(SETTLED)
    if found:
        raise OptionError(
            f"{', '.join(f'{name}=' for name in found)} together with auditor=: settled when the auditor was fitted. "
            "Give it to dqlabels.LabelAuditor, or leave auditor= out."
        )


# By the word that the checks have in their names.
SUBJECTS = {kind.subject: Subject(kind, of_classes=kind.name == "classes") for kind in KINDS.values() if kind.subject}
_cached: OrderedDict[bytes, Audit] = OrderedDict()
# What saved auditors learned, by path, size and time of the file, so that one that was fitted anew is read anew.
FileKey = tuple[str, int, int]
_fitted: OrderedDict[FileKey, Fitted] = OrderedDict()
_lock = threading.Lock()


def checked_share(name: str, value: object) -> float:
    """Return a share as a float.

    Raises:
        OptionError: Not a number in [0, 1].
    """
    share: float | None = checked_field(Limits, "max_noise_rate", value, name)
    if share is None:
        raise OptionError(f"{name}=None is not a share of rows between 0 and 1; for 5% pass 0.05.")
    return share


def task_options(subject: str, options: Mapping[str, object]) -> dict[str, object]:
    """The options of an audit for a check on ``subject``: the kind of label is always named, never guessed."""
    return {"task": SUBJECTS[subject].kind.name, **options}


def shared_audit(frame: NativeFrame, label: str | Sequence[str], subject: str, options: Mapping[str, object]) -> Audit:
    """Return the audit of ``label``, run once for all calls with the same rows and options.

    Rows are compared by content, so a frame that was changed in place is audited again. The audit can be gated and
    read as arrays; it keeps no frame alive beyond, for some kinds of label, the label columns.

    Args:
        frame: As for :func:`dqlabels.audit`; a LazyFrame is collected.
        label: The column that holds the given labels, or the columns.
        subject: What the check is about, one of :data:`SUBJECTS`.
        options: The options of the audit that were given to the check.

    Raises:
        DQLabelsError: What the audit raises.
    """
    _, table = read_frame(frame)
    asked = task_options(subject, options)
    key = _digest(table, label, {**asked, "file": file_key(options["auditor"])} if options.get("auditor") else asked)
    if key is not None:
        with _lock:
            if key in _cached:
                _cached.move_to_end(key)
                return _cached[key]
    if options.get("auditor") is None:
        asked.pop("auditor", None)
        found = audit(table.to_native(), label, **asked).without_frame()  # type: ignore[arg-type]
    else:
        found = audit_by_auditor(table.to_native(), label, options).without_frame()
    if key is not None:
        with _lock:
            _cached[key] = found
            while len(_cached) > MAX_CACHED:
                _cached.popitem(last=False)
    return found


def check_compared(reference: object, auditor: object) -> None:
    """Refuse a limit on an increase that says nothing to compare with, or two things.

    Raises:
        OptionError: Neither or both.
    """
    if reference is None and auditor is None:
        raise OptionError(
            "An increase needs something to compare with: auditor=, the path of a saved auditor, which is best; or "
            "reference=, what audit.profile() gave of trusted data."
        )
    if reference is not None and auditor is not None:
        raise OptionError(
            "reference= together with auditor=: the auditor knows what it was fitted on, so leave reference= out."
        )


def audit_by_auditor(
    frame: NativeFrame, label: str | Sequence[str], options: Mapping[str, object], names: Names | None = None
) -> Audit:
    """Audit a frame by the saved auditor that a check names; the file is read once for all checks of a run.

    Args:
        frame: The batch.
        label: The label column of the check.
        options: The options of the check, ``auditor`` among them.
        names: The three columns to add, in place of the auditor's.

    Raises:
        OptionError: The file is not there, or it judges another column.
        DQLabelsError: What reading the file or the audit raises.
    """
    path = str(options["auditor"])
    fitted = _read_fitted(path)
    if label != fitted.label:
        raise OptionError(
            f"The check is about column {label!r}, and auditor={path!r} judges {fitted.label!r}. Name that column, or "
            "the auditor of this one."
        )
    threads: int | None = checked_field(Options, "n_jobs", options.get("n_jobs"))
    return auditor_of(fitted if names is None else replace(fitted, names=names), n_jobs=threads).audit(frame)


def auditor_columns(options: Mapping[str, object]) -> tuple[str, ...]:
    """Return the columns that the auditor of a check judges by; none where the check names no auditor.

    Raises:
        DQLabelsError: What reading the file raises.
    """
    return () if options.get("auditor") is None else _read_fitted(str(options["auditor"])).encoder.names


def _read_fitted(path: str) -> Fitted:
    """Return what a saved auditor learned, which calls with the same file share."""
    key = file_key(path)
    with _lock:
        if key not in _fitted:
            _fitted[key] = read_fitted(path, ())
        _fitted.move_to_end(key)
        while len(_fitted) > MAX_CACHED:
            _fitted.popitem(last=False)
        return _fitted[key]


def file_key(path: object) -> FileKey:
    """Return what tells the file of an auditor from an earlier one at the same place.

    Raises:
        OptionError: There is no such file, or it cannot be read.
    """
    try:
        found = os.stat(str(path))
    except OSError as error:
        raise OptionError(
            f"auditor={path!r} cannot be read: {error.strerror or error}. Pass the path of a saved auditor; a relative "
            "path is taken from the working directory."
        ) from error
    return os.path.abspath(str(path)), found.st_size, found.st_mtime_ns


def forget_audits() -> None:
    """Empty the cache of audits and auditors."""
    with _lock:
        _cached.clear()
        _fitted.clear()


# Not by the hashes of frames.hashing: those take 1 and 1.0 for the same value and hash a text to 32 bits, which is
# right for drawing rows. Here equal digests let a frame pass unaudited, so they must mean equal values and dtypes.
def _digest(table: Frame, label: str | Sequence[str], options: Mapping[str, object]) -> bytes | None:
    """Digest the rows, the label's name and the options; None where one of them cannot be pickled."""
    digest = hashlib.blake2b(digest_size=32)
    try:
        digest.update(pickle.dumps((label, sorted(options.items()), str(table.implementation), len(table))))
        digest.update(_index_bytes(table))
        for name in table.columns:
            column = table[name]
            digest.update(pickle.dumps((name, str(column.dtype))))
            digest.update(_column_bytes(column))
    except (pickle.PicklingError, TypeError, AttributeError):
        return None  # an object of the caller's own: then each check runs its own audit
    return digest.digest()


def _index_bytes(table: Frame) -> bytes:
    """The index of a pandas frame, which messages name rows by; nothing where it only counts."""
    if not table.implementation.is_pandas_like():
        return b""
    index = table.to_native().index
    return pickle.dumps((index.start, index.step) if hasattr(index, "step") else index.tolist())


def _column_bytes(column: Column) -> bytes:
    """The values of a column: numbers with none missing as they lie in memory, all else as pickled Python objects."""
    if not column.null_count() and (column.dtype.is_numeric() or column.dtype == nw.Boolean):
        values = column.to_numpy()
        if values.dtype.kind in "biuf":
            return bytes(values.tobytes())
    return pickle.dumps(column.to_list())
