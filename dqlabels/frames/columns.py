"""Which columns take part, and labels of any dtype as codes and back."""

from __future__ import annotations

import datetime
import decimal
import difflib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from dqlabels.errors import FeatureError, LabelColumnError, OptionError

Frame = nw.DataFrame[Any]
Column = nw.Series[Any]
ColumnKind = Literal["number", "boolean", "category", "text", "date", "vector"]

# What an audit adds: quality, suggestion, flag.
AUDIT_COLUMNS = ("label_quality", "suggested_label", "is_label_issue")
# Below this many rows "no value repeats" is no sign of an identifier or of a continuous label.
MIN_ROWS_TO_JUDGE = 20
# Strings with at most this many values are categories; so is any string column whose values repeat.
MAX_CATEGORIES = 50
# A label whose values hardly repeat names rows, not classes.
MAX_CLASSES_PER_ROW = 0.5
AMOUNTS = (int, float, datetime.date, datetime.timedelta)


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """A label column as class positions.

    ``codes`` is (n,) int64, -1 where the label is missing; ``classes`` holds the K values in order
    (sorted, or the category order of a categorical); ``first_rows`` is (K,) int64, a row carrying each
    class, from which values of the column's own dtype are taken back.
    """

    column: Column
    codes: NDArray[np.int64]
    classes: tuple[Any, ...]
    first_rows: NDArray[np.int64]

    @property
    def known(self) -> NDArray[np.bool_]:
        """(n,) true where the row has a label."""
        return self.codes >= 0

    @property
    def counts(self) -> NDArray[np.int64]:
        """(K,) rows carrying each class."""
        return np.bincount(self.codes[self.known], minlength=len(self.classes))

    def values(self, codes: NDArray[np.int64], name: str) -> Column:
        """The labels of ``codes``, in the dtype of the label column."""
        values: Column = self.column[self.first_rows[codes].tolist()].alias(name)
        return values


def check_columns(names: Iterable[Any]) -> None:
    """Refuse column names that repeat or are not strings: such columns cannot be named in options and results.

    Raises:
        FeatureError: Naming them.
    """
    names = list(names)
    odd = [name for name in names if not isinstance(name, str)]
    if odd:
        raise FeatureError(
            f"Column names are not strings: {', '.join(map(repr, odd[:10]))}. Rename them, as with "
            "frame.columns = frame.columns.astype(str) in pandas."
        )
    repeated = sorted(str(name) for name, times in Counter(names).items() if times > 1)
    if repeated:
        raise FeatureError(
            f"Column names repeat: {', '.join(map(repr, repeated))}. Rename them so that each column has its own."
        )


def require(frame: Frame, names: Iterable[str], role: str) -> None:
    """Raise where a named column is not in the frame, with the names nearest to it."""
    require_names(frame.columns, names, role)


def require_names(columns: Sequence[str], names: Iterable[str], role: str) -> None:
    """As ``require``, of a frame of which only the columns are known."""
    for name in names:
        if name not in columns:
            near = difflib.get_close_matches(str(name), [str(c) for c in columns], n=3, cutoff=0.5)
            hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
            listed = ", ".join(map(repr, columns[:20]))
            error = LabelColumnError if role == "label" else FeatureError
            raise error(f"There is no column {name!r} (given as {role}).{hint} The columns are: {listed}.")


def as_list(names: Iterable[str]) -> list[str]:
    """Names, of which there may be a single one."""
    return [names] if isinstance(names, str) else list(names)


def row_values(table: Frame, given: Any, role: str) -> NDArray[Any] | None:
    """Values (n,) of an option that names a column or holds them.

    Raises:
        OptionError: Not one value a row.
        FeatureError: A column that does not exist.
    """
    if given is None:
        return None
    if isinstance(given, str):
        require(table, [given], role)
        return np.asarray(table[given].to_numpy())
    values = np.asarray(given)
    if values.shape != (len(table),):
        raise OptionError(f"{role} has shape {values.shape}; one value for each of the {len(table):,} rows is needed.")
    return values


def read_labels(frame: Frame, label: str) -> Labels:
    """Turn the label column into codes, or say why it cannot be audited.

    Raises:
        LabelColumnError: Missing, empty, constant, continuous, or (nearly) unique per row.

    >>> import polars as pl
    >>> read_labels(nw.from_native(pl.DataFrame({"y": ["b", "a", None]})), "y").codes.tolist()
    [1, 0, -1]
    """
    require(frame, [label], "label")
    column = frame[label]
    if isinstance(column.dtype, (nw.List, nw.Array, nw.Struct)):
        raise LabelColumnError(
            f"Column {label!r} holds {column.dtype}: one label a row is needed. "
            "Explode it, or turn it into one column per label."
        )
    if len(column) == 0:
        raise LabelColumnError(f"The frame has no rows, so column {label!r} has no labels to audit.")
    codes, classes = encode(column)
    if not classes:
        raise LabelColumnError(f"Column {label!r}: all {len(column):,} labels are missing. Nothing can be audited.")
    _check_classes(label, int((codes >= 0).sum()), classes)
    first_rows = np.full(len(classes), -1, dtype=np.int64)
    known = np.flatnonzero(codes >= 0)[::-1]
    first_rows[codes[known]] = known
    return Labels(column, codes, classes, first_rows)


@dataclass(frozen=True, slots=True, eq=False)
class LabelSet:
    """The labels of a table that comes in blocks: ``values`` holds each once, ``rows`` (K,) how often it occurs.

    ``classes`` are the K values in order, at ``places`` (K,) of ``values``; ``missing`` rows have no label.
    """

    values: Column
    classes: tuple[Any, ...]
    places: NDArray[np.int64]
    rows: NDArray[np.int64]
    missing: int

    @classmethod
    def of(cls, values: Column, rows: NDArray[np.int64]) -> LabelSet:
        """From the different values (m,) of a label column, one of them perhaps missing, and their rows (m,).

        Raises:
            LabelColumnError: As :func:`read_labels`.
        """
        label = values.name
        if not rows.sum():
            raise LabelColumnError(f"The frame has no rows, so column {label!r} has no labels to audit.")
        codes, classes = encode(values)
        if not classes:
            raise LabelColumnError(f"Column {label!r}: all {int(rows.sum()):,} labels are missing.")
        known = codes >= 0
        counts = np.bincount(codes[known], weights=rows[known], minlength=len(classes)).astype(np.int64)
        _check_classes(label, int(counts.sum()), classes)
        places = np.full(len(classes), -1, dtype=np.int64)
        places[codes[known]] = np.flatnonzero(known)
        return cls(values, classes, places, counts, int(rows.sum() - counts.sum()))

    def codes(self, column: Column) -> NDArray[np.int64]:
        """The class positions (b,) of a block's labels, -1 where missing.

        Raises:
            LabelColumnError: A label that was not there when the table was first read.
        """
        return label_codes(column, self.classes)


def label_codes(column: Column, classes: Sequence[Any]) -> NDArray[np.int64]:
    """The positions (n,) of labels in ``classes``, -1 where missing.

    Raises:
        LabelColumnError: A label that is none of them.
    """
    codes, found = encode(column)
    place = {value: at for at, value in enumerate(classes)}
    new = [value for value in found if value not in place]
    if new:
        raise LabelColumnError(
            f"Column {column.name!r} changed while it was read: it now holds {', '.join(map(repr, new[:5]))}, "
            "which was not there at first. Read from a source that stays as it is, such as a file."
        )
    places = np.array([*(place[value] for value in found), -1], dtype=np.int64)
    return places[codes]


def encode(column: Column) -> tuple[NDArray[np.int64], tuple[Any, ...]]:
    """Codes (n,) int64, -1 where missing (null or NaN), and the values in order."""
    dtype = column.dtype
    missing = column.is_null().to_numpy().astype(bool)
    codes = np.full(len(column), -1, dtype=np.int64)
    if dtype.is_float():
        values = column.cast(nw.Float64).to_numpy().astype(np.float64)
        missing |= np.isnan(values)
        if np.isinf(values).any():
            raise LabelColumnError(
                f"Column {column.name!r} holds infinity in {int(np.isinf(values).sum()):,} rows, which is no class. "
                "Replace it with null where the label is unknown."
            )
    present = np.flatnonzero(~missing)
    if not present.size:
        return codes, ()
    known = column if present.size == len(column) else column.filter((~missing).tolist())
    if dtype.is_integer() or dtype.is_float() or dtype == nw.Boolean:
        if dtype in (nw.Int128, nw.UInt128):
            known = _narrowed(known)
        values, inverse = np.unique(known.to_numpy(), return_inverse=True)
        codes[present] = inverse.astype(np.int64)
        return codes, tuple(value.item() for value in values)
    if dtype == nw.String and (coded := string_codes(known)) is not None:
        order = sorted(coded[1])
        lookup = {value: position for position, value in enumerate(order)}
        codes[present] = np.array([lookup[value] for value in coded[1]], dtype=np.int64)[coded[0]]
        return codes, tuple(order)
    found, order = _distinct(known)
    lookup = {value: position for position, value in enumerate(order)}
    codes[present] = np.fromiter((lookup[value] for value in found), dtype=np.int64, count=len(found))
    return codes, tuple(order)


def string_codes(column: Column) -> tuple[NDArray[np.int64], list[str]] | None:
    """The place (n,) of each string among the different ones, -1 where missing, and these; None without PyArrow.

    Eight times as fast as a Python object for each row.
    """
    try:
        array: Any = column.to_arrow()
    except ModuleNotFoundError:
        return None
    if hasattr(array, "combine_chunks"):
        array = array.combine_chunks()
    coded = array.dictionary_encode()
    codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return codes.astype(np.int64), coded.dictionary.to_pylist()


def _narrowed(column: Column) -> Column:
    """A column of 128-bit integers, which NumPy has not, as 64-bit ones.

    Raises:
        LabelColumnError: A value that 64 bits do not hold.
    """
    least, most = column.min(), column.max()
    if least < -(2**63) or most >= 2**63:
        raise LabelColumnError(
            f"Column {column.name!r} holds whole numbers of more than 64 bits (from {least} to {most}). Turn its "
            "labels into strings."
        )
    return column.cast(nw.Int64)


def _distinct(known: Column) -> tuple[list[Any], list[Any]]:
    values = known.to_list()
    try:
        distinct = set(values)
    except TypeError as error:
        raise LabelColumnError(
            f"Column {known.name!r} holds values that cannot be compared ({type(values[0]).__name__}). "
            "Turn them into strings or numbers."
        ) from error
    if isinstance(known.dtype, nw.Enum):
        return values, [value for value in known.dtype.categories if value in distinct]
    try:
        return values, sorted(distinct)
    except TypeError:
        return values, sorted(distinct, key=lambda value: (type(value).__name__, str(value)))


def _check_classes(label: str, rows: int, classes: Sequence[Any]) -> None:
    if len(classes) == 1:
        raise LabelColumnError(
            f"Column {label!r}: all {rows:,} labels are {classes[0]!r}. "
            "At least two classes are needed to tell a right label from a wrong one."
        )
    if rows < MIN_ROWS_TO_JUDGE:
        return
    fractional = isinstance(classes[0], float) and any(value != int(value) for value in classes if np.isfinite(value))
    if fractional and len(classes) > max(20, 0.02 * rows):
        raise LabelColumnError(
            f"Column {label!r} looks continuous: {len(classes):,} different numbers in {rows:,} rows "
            f"(such as {classes[0]!r} and {classes[1]!r}). As classes it cannot be audited; a number is a regression "
            "target: say task='regression', without options of classes. Or bin it into classes first."
        )
    if len(classes) > MAX_CLASSES_PER_ROW * rows:
        raise LabelColumnError(
            f"Column {label!r} has {len(classes):,} different values in {rows:,} rows, so it names rows rather "
            "than classes (or is a continuous number). Choose the column that holds the class, or group its values"
            + (
                ", or say task='regression' where each value is a number or a date."
                if isinstance(classes[0], AMOUNTS)
                else "."
            )
        )


def choose_features(
    frame: Frame, label: str, features: Sequence[str] | None, exclude: Iterable[str]
) -> tuple[dict[str, ColumnKind], list[str]]:
    """The feature columns with their kind, and what a reader should know about those left out.

    Columns named in ``features`` are taken whatever they look like, unless they hold nothing.

    Raises:
        FeatureError: A named column does not exist, or no column is left.
    """
    left_out = {exclude} if isinstance(exclude, str) else set(exclude)
    require(frame, left_out, "exclude")
    if features is not None:
        features = [features] if isinstance(features, str) else list(features)
        require(frame, features, "feature")
        if label in features:
            raise FeatureError(f"Column {label!r} is the label and cannot be a feature too. Remove it from features=.")
        if not features:
            raise FeatureError("features=[] names no column to judge by. Name some, or leave it out to use all.")
    names = [name for name in (features or frame.columns) if name != label and name not in left_out]
    kinds: dict[str, ColumnKind] = {}
    unusable: dict[str, list[str]] = {}
    earlier = earlier_audit(frame, label) if features is None else []
    if earlier:
        # They follow from the label: with them no label would look wrong.
        names = [name for name in names if name not in earlier]
        unusable["audit"] = earlier
    for name in names:
        kind = column_kind(frame[name], named=features is not None)
        if kind in ("identifier", "empty", "constant", "unsupported"):
            unusable.setdefault(kind, []).append(name)
        else:
            kinds[name] = kind  # type: ignore[assignment]
    if not kinds:
        reasons = "; ".join(f"{kind}: {', '.join(map(repr, which))}" for kind, which in unusable.items())
        raise FeatureError(
            f"No feature column is left besides the label {label!r}{f' ({reasons})' if reasons else ''}. "
            "Name the columns to use in features=, or pass pred_probs= from your own model."
        )
    return kinds, _notes(unusable)


def earlier_audit(frame: Frame, label: str) -> list[str]:
    """Columns that an audit of this label added before: known by their names, or by what they say.

    An audit adds a quality, a suggestion of the label's type and a flag side by side, and the flag is true
    exactly where the suggestion is another label.

    >>> import polars as pl
    >>> frame = pl.DataFrame({"y": [1, 2], "q": [0.1, 0.9], "s": [2, 2], "f": [True, False]})
    >>> earlier_audit(nw.from_native(frame), "y")
    ['q', 's', 'f']
    """
    found = list(AUDIT_COLUMNS) if set(AUDIT_COLUMNS) <= set(frame.columns) else []
    given, names = frame[label], [name for name in frame.columns if name != label]
    known = ~given.is_null()
    for quality, suggested, flag in zip(names, names[1:], names[2:], strict=False):
        if frame[flag].dtype != nw.Boolean or frame[suggested].dtype != given.dtype or quality in found:
            continue
        if frame[quality].dtype.is_float() and ((frame[suggested] != given) == frame[flag]).filter(known).all():
            found += [quality, suggested, flag]
    return found


def _notes(unusable: dict[str, list[str]]) -> list[str]:
    words = {
        "identifier": "identify rows (no value repeats) and were left out as features; name them in features= to "
        "use them",
        "audit": "are an earlier audit's answer and were left out as features",
        "empty": "hold no value and were left out as features",
        "unsupported": "have a dtype that cannot be a feature and were left out",
    }
    return [
        f"Columns {', '.join(map(repr, which))} {words[kind]}." for kind, which in unusable.items() if kind in words
    ]


def column_kind(column: Column, *, named: bool = False) -> str:
    """How a column is used: one of ``ColumnKind``, or why it is not: identifier, empty, constant, unsupported."""
    dtype = column.dtype
    present = column.drop_nulls()
    if not len(present):
        return "empty"
    if isinstance(dtype, (nw.List, nw.Array)) or _holds_vectors(present):
        return "vector"
    if dtype == nw.Boolean:
        return "boolean"
    if dtype.is_temporal():
        return "date"
    if dtype.is_numeric():
        return _number_kind(column, present, named=named)
    if dtype == nw.Object:
        return _object_kind(present, named=named)
    if dtype in (nw.String, nw.Categorical) or isinstance(dtype, nw.Enum):
        return _string_kind(present, named=named)
    return "unsupported"


def _object_kind(present: Column, *, named: bool) -> str:
    """The kind of a pandas object column, by what all its values are."""
    types = {type(value) for value in present.to_list()}
    if types == {bool}:
        return "boolean"
    if types <= {datetime.date, datetime.datetime}:
        return "date"
    if types <= {int, float, decimal.Decimal}:
        return "number"
    return _string_kind(present, named=named) if types <= {str, bool, int, float} else "unsupported"


def _holds_vectors(present: Column) -> bool:
    return present.dtype == nw.Object and isinstance(present[0], (list, tuple, np.ndarray))


def _number_kind(column: Column, present: Column, *, named: bool) -> str:
    if column.dtype.is_float():
        values = present.to_numpy()
        if not np.isfinite(values.astype(np.float64)).any():
            return "empty"
    elif (
        column.dtype.is_integer()
        and not named
        and len(present) == len(column) >= MIN_ROWS_TO_JUDGE
        and present.n_unique() == len(present)
    ):
        return "identifier"
    return "number"


def _string_kind(present: Column, *, named: bool) -> str:
    if present.dtype == nw.Object:
        present = present.cast(nw.String)
    distinct = present.n_unique()
    if distinct <= MAX_CATEGORIES or distinct <= 0.05 * len(present) or present.dtype == nw.Categorical:
        return "category"
    if isinstance(present.dtype, nw.Enum):
        return "category"
    words = sum(len(str(value).split()) for value in present.to_list()) / len(present)
    if distinct == len(present) and words < 2 and not named:
        return "identifier"
    return "text"
