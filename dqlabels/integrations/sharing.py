"""What the checks of both test suites share: what they are about, and one audit for several checks of the same rows."""

from __future__ import annotations

import hashlib
import pickle
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import narwhals as nw

from dqlabels.audits.audit import audit
from dqlabels.audits.base import Audit, NativeFrame
from dqlabels.audits.gate import Limits
from dqlabels.audits.kinds import KINDS, Kind
from dqlabels.audits.options import Options, checked_field, choice, option
from dqlabels.errors import OptionError
from dqlabels.frames.reading import read_frame

if TYPE_CHECKING:
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
        raise OptionError(
            f"{error} This check is for one class per row; other kinds of label have checks of their own."
        ) from None


@dataclass(frozen=True, kw_only=True, slots=True)
class GradeOptions:
    """The option that tells classes in an order from other classes."""

    task: ClassTask = option("classes", "'classes', or 'ordinal' for grades, where distance counts.", _class_task)

    def __post_init__(self) -> None:
        _class_task("task", self.task)


@dataclass(frozen=True, slots=True)
class Subject:
    """What checks are about: a kind of label, with or without the option that says it holds grades."""

    kind: Kind
    grades: bool = False

    @property
    def options(self) -> tuple[str, ...]:
        """The options of an audit that such a check takes."""
        return (*self.kind.options, "task") if self.grades else self.kind.options

    def check(self, options: Mapping[str, object]) -> None:
        """Refuse values that mean nothing, when a check is made rather than run.

        Args:
            options: Values by name, each name one of ``self.options``.

        Raises:
            OptionError: Naming the option, the value and what it may be.
        """
        task = {"task": options["task"]} if "task" in options else {}
        GradeOptions(**task)  # type: ignore[arg-type]
        Options(**{name: value for name, value in options.items() if name != "task"})  # type: ignore[arg-type]


# By the word that the checks have in their names.
SUBJECTS = {kind.subject: Subject(kind, grades=kind.name == "classes") for kind in KINDS.values() if kind.subject}
_cached: OrderedDict[bytes, Audit] = OrderedDict()
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
    key = _digest(table, label, asked)
    if key is not None:
        with _lock:
            if key in _cached:
                _cached.move_to_end(key)
                return _cached[key]
    found = audit(table.to_native(), label, **asked).without_frame()  # type: ignore[arg-type]
    if key is not None:
        with _lock:
            _cached[key] = found
            while len(_cached) > MAX_CACHED:
                _cached.popitem(last=False)
    return found


def forget_audits() -> None:
    """Empty the cache of audits."""
    with _lock:
        _cached.clear()


# Not by the hashes of frames.hashing: those take 1 and 1.0 for the same value and hash a text to 32 bits, which is
# right for drawing rows. Here equal digests let a frame pass unaudited, so they must mean equal values and dtypes.
def _digest(table: Frame, label: str | Sequence[str], options: Mapping[str, object]) -> bytes | None:
    """Digest the rows, the label's name and the options; None where one of them cannot be pickled."""
    digest = hashlib.blake2b(digest_size=32)
    try:
        digest.update(pickle.dumps((label, sorted(options.items()), str(table.implementation), len(table))))
        for name in table.columns:
            column = table[name]
            digest.update(pickle.dumps((name, str(column.dtype))))
            digest.update(_column_bytes(column))
    except (pickle.PicklingError, TypeError, AttributeError):
        return None  # an object of the caller's own: then each check runs its own audit
    return digest.digest()


def _column_bytes(column: Column) -> bytes:
    """The values of a column: numbers with none missing as they lie in memory, all else as pickled Python objects."""
    if not column.null_count() and (column.dtype.is_numeric() or column.dtype == nw.Boolean):
        values = column.to_numpy()
        if values.dtype.kind in "biuf":
            return bytes(values.tobytes())
    return pickle.dumps(column.to_list())
