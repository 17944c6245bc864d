"""Read a label column of any dtype as class positions, and choose the feature columns."""

from __future__ import annotations

import datetime
import decimal
import difflib
import numbers
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from dqlabels.errors import FeatureError, LabelColumnError, OptionError
from dqlabels.frames.arrays import BoolArray, FloatArray, IntArray

Frame = nw.DataFrame[Any]
Column = nw.Series[Any]
ColumnKind = Literal["number", "boolean", "category", "text", "date", "vector"]

# Columns that an audit adds: quality, suggestion, flag.
AUDIT_COLUMNS = ("label_quality", "suggested_label", "is_label_issue")
# In tables with fewer rows than this, values that never repeat do not make an identifier or a continuous label.
MIN_ROWS_TO_JUDGE = 20
# String columns with at most this many values are categories; so are those whose values repeat.
MAX_CATEGORIES = 50
# A label column with more classes per row than this names rows, not classes.
MAX_CLASSES_PER_ROW = 0.5
# Rows that are read at first to find one of each class.
MIN_FIRST_ROWS = 4096
# Whole numbers are counted instead of sorted where they span no more than so many values, or one for each row.
MAX_SPAN = 65_536
AMOUNTS = (int, float, datetime.date, datetime.timedelta)


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """A label column as class positions.

    ``codes`` (n,) are positions in ``classes``, -1 where the label is missing. ``classes`` holds the K values in order:
    sorted, or in the order of an enum. ``first_rows`` (K,) is a row carrying each class, from which labels of the
    column's own dtype are taken.
    """

    column: Column
    codes: IntArray
    classes: tuple[Any, ...]
    first_rows: IntArray

    @property
    def known(self) -> BoolArray:
        """True (n,) where the row has a label."""
        return self.codes >= 0

    @property
    def counts(self) -> IntArray:
        """Number of rows carrying each class, shape (K,)."""
        return rows_by_class(self.codes, len(self.classes))

    def values(self, codes: IntArray, name: str) -> Column:
        """Labels of these ``codes`` in the dtype of the label column."""
        distinct = self.column[self.first_rows.tolist()]
        values: Column = distinct[codes].alias(name)
        return values


def check_columns(names: Iterable[object]) -> None:
    """Raise if column names repeat, are not strings or hold what others cannot: columns are referred to by name.

    Raises:
        FeatureError: The message names these columns.

    >>> check_columns(["age", "income"])
    """
    names = list(names)
    odd = [name for name in names if not isinstance(name, str)]
    if odd:
        raise FeatureError(
            f"Column names are not strings: {', '.join(map(repr, odd[:10]))}. Rename them, as with "
            "frame.columns = frame.columns.astype(str) in pandas."
        )
    broken = [name for name in names if "\0" in str(name) or (not str(name).isprintable() and _is_broken(str(name)))]
    if broken:
        raise FeatureError(
            f"Column names hold NUL or half of a character (a lone surrogate), which other libraries cannot hold: "
            f"{', '.join(map(repr, broken[:10]))}. Rename them."
        )
    repeated = sorted(str(name) for name, times in Counter(names).items() if times > 1)
    if repeated:
        raise FeatureError(
            f"Column names repeat: {', '.join(map(repr, repeated))}. Rename them so that each column has its own."
        )


def _is_broken(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def require(frame: Frame, names: Iterable[str], role: str) -> None:
    """Raise if the frame lacks a named column; the message suggests similar names.

    Raises:
        LabelColumnError: A column that was named as the label.
        FeatureError: A column that was named as anything else.
    """
    require_names(frame.columns, names, role)


def require_names(columns: Sequence[str], names: Iterable[str], role: str) -> None:
    """``require`` for a frame of which only the columns are known."""
    for name in names:
        if name not in columns:
            near = difflib.get_close_matches(str(name), [str(c) for c in columns], n=3, cutoff=0.5)
            hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
            listed = ", ".join(map(repr, columns[:20]))
            error = LabelColumnError if role == "label" else FeatureError
            raise error(f"There is no column {name!r} (given as {role}).{hint} The columns are: {listed}.")


def as_list(names: Iterable[str]) -> list[str]:
    """Return names as a list, also a single one.

    >>> as_list("age")
    ['age']
    """
    return [names] if isinstance(names, str) else list(names)


def row_values(table: Frame, option: Any, role: str) -> NDArray[Any] | None:
    """Values (n,) of an option that names a column or holds the values themselves.

    Raises:
        OptionError: There is not one value for each row.
        FeatureError: The column does not exist.
    """
    if option is None:
        return None
    if isinstance(option, str):
        require(table, [option], role)
        return np.asarray(table[option].to_numpy())
    values = np.asarray(option)
    if values.shape != (len(table),):
        raise OptionError(f"{role} has shape {values.shape}; one value for each of the {len(table):,} rows is needed.")
    return values


def read_labels(frame: Frame, label: str) -> Labels:
    """Read the label column as class positions.

    Raises:
        LabelColumnError: The column is missing, empty, constant, continuous, or (nearly) unique per row.

    >>> import polars as pl
    >>> read_labels(nw.from_native(pl.DataFrame({"y": ["b", "a", None]})), "y").codes.tolist()
    [1, 0, -1]
    """
    require(frame, [label], "label")
    column = frame[label]
    if isinstance(column.dtype, (nw.List, nw.Array, nw.Struct)):
        raise LabelColumnError(
            f"Column {label!r} holds {column.dtype}, but each row needs one label. "
            "Explode it, turn it into one column per label, or say task='multilabel' if these are lists of labels."
        )
    codes, classes, _ = _checked(column, None)
    return Labels(column, codes, classes, _first_rows(codes, len(classes)))


@dataclass(frozen=True, slots=True, eq=False)
class LabelSet:
    """Classes of a table that is read in blocks.

    ``values`` holds each different label once, perhaps with a missing one. ``classes`` are the K classes in order, each
    at its place (``places``, (K,)) in ``values``, and ``rows`` (K,) counts the rows carrying it; ``missing`` rows have
    no label.
    """

    values: Column
    classes: tuple[Any, ...]
    places: IntArray
    rows: IntArray
    missing: int

    @classmethod
    def of(cls, values: Column, rows: IntArray) -> LabelSet:
        """Build it from the different values (m,) of a label column, missing included, and their number of rows (m,).

        Raises:
            LabelColumnError: The column is empty, constant, continuous, or (nearly) unique per row.
        """
        codes, classes, counts = _checked(values, rows)
        return cls(values, classes, _first_rows(codes, len(classes)), counts, int(rows.sum() - counts.sum()))

    @classmethod
    def of_batch(cls, values: Column, rows: IntArray) -> LabelSet:
        """Build the same of a batch whose classes are known elsewhere: it may hold one class, or none.

        Raises:
            LabelColumnError: Infinite values, or values that cannot be compared.
        """
        codes, classes = encode(values)
        known = codes >= 0
        counts = np.bincount(codes[known], weights=rows[known], minlength=len(classes)).astype(np.int64)
        return cls(values, classes, _first_rows(codes, len(classes)), counts, int(rows.sum() - counts.sum()))

    def codes(self, column: Column) -> IntArray:
        """Class positions (b,) of a block's labels, -1 where missing.

        Raises:
            LabelColumnError: A label did not occur when the table was first read.
        """
        codes, values = encode(column)
        place = {value: at for at, value in enumerate(self.classes)}
        new = [value for value in values if value not in place]
        if new:
            raise LabelColumnError(
                f"Column {column.name!r} changed while it was read: it now holds {', '.join(map(repr, new[:5]))}, "
                "which did not occur at first. Read from a source that does not change, such as a file."
            )
        places = np.array([*(place[value] for value in values), -1], dtype=np.int64)
        return places[codes]


def rows_by_class(codes: IntArray, n_classes: int) -> IntArray:
    """Number of rows (K,) carrying each class, without those whose label is missing (-1).

    >>> rows_by_class(np.array([1, -1, 1, 0]), 3).tolist()
    [1, 2, 0]
    """
    if codes.size and int(codes.min()) >= 0:
        return np.bincount(codes, minlength=n_classes)
    return np.bincount(codes + 1, minlength=n_classes + 1)[1:]


def _checked(column: Column, rows: IntArray | None) -> tuple[IntArray, tuple[Any, ...], IntArray]:
    """Codes (m,) of a label column, the K classes, and the rows (K,) of each.

    Value i stands for ``rows`` (m,) rows, by default for one.
    """
    label, total = column.name, len(column) if rows is None else int(rows.sum())
    if not total:
        raise LabelColumnError(f"The frame has no rows, so column {label!r} has no labels to audit.")
    codes, classes = encode(column)
    if not classes:
        raise LabelColumnError(f"Column {label!r}: all {total:,} labels are missing. Nothing can be audited.")
    if rows is None:
        counts = rows_by_class(codes, len(classes))
    else:
        known = codes >= 0
        counts = np.bincount(codes[known], weights=rows[known], minlength=len(classes)).astype(np.int64)
    _check_classes(label, int(counts.sum()), classes)
    return codes, classes, counts


def _first_rows(codes: IntArray, n_classes: int) -> IntArray:
    """The first row (K,) of each class; most stand near the top, so ever longer parts from there are read."""
    end = min(codes.size, max(MIN_FIRST_ROWS, 4 * n_classes))
    while True:
        first_rows = np.full(n_classes, -1, dtype=np.int64)
        known = np.flatnonzero(codes[:end] >= 0)[::-1]
        first_rows[codes[known]] = known
        if end == codes.size or first_rows.min(initial=0) >= 0:
            return first_rows
        end = min(codes.size, 4 * end)


def floats(column: Column) -> FloatArray:
    """Values (n,) of a column of numbers or booleans, NaN where null."""
    if column.dtype.is_integer():
        array: Any = column.to_native()
        if hasattr(getattr(array, "dtype", None), "pyarrow_dtype"):
            array = array.array.__arrow_array__()
        if hasattr(array, "combine_chunks"):
            # PyArrow takes no whole number to the nearest float unless it is told to.
            return np.asarray(array.cast("float64", safe=False).to_numpy())
    return np.asarray(column.cast(nw.Float64).to_numpy(), dtype=np.float64)


def missing_rows(column: Column) -> BoolArray:
    """True (n,) where there is no value: null, or NaN in a column of floats."""
    missing: BoolArray = column.is_null().to_numpy().astype(bool)
    if column.dtype.is_float():
        missing |= np.isnan(floats(column))
    return missing


def encode(column: Column) -> tuple[IntArray, tuple[Any, ...]]:
    """Position (n,) of each row's value among the different ones, -1 where missing (null or NaN), and these in order.

    Raises:
        LabelColumnError: The values are infinite, cannot be compared, or do not fit into 64 bits.

    >>> import polars as pl
    >>> codes, values = encode(nw.from_native(pl.Series("y", ["b", None, "a"]), series_only=True))
    >>> codes.tolist(), values
    ([1, -1, 0], ('a', 'b'))
    """
    dtype = column.dtype
    missing = missing_rows(column)
    if dtype.is_float() and (infinite := int(np.isinf(floats(column)).sum())):
        raise LabelColumnError(
            f"Column {column.name!r} holds infinity in {infinite:,} rows, which is not a class. "
            "Replace it with null where the label is unknown."
        )
    if missing.all():
        return np.full(len(column), -1, dtype=np.int64), ()
    if not missing.any():
        return _encode_known(column)
    codes, (known, values) = np.full(len(column), -1, dtype=np.int64), _encode_known(column.filter((~missing).tolist()))
    codes[~missing] = known
    return codes, values


def _encode_known(column: Column) -> tuple[IntArray, tuple[Any, ...]]:
    """The same for a column without missing values."""
    dtype = column.dtype
    if dtype.is_integer() or dtype.is_float() or dtype == nw.Boolean:
        numbers = _narrowed(column) if dtype in (nw.Int128, nw.UInt128) else column
        values, codes = distinct_numbers(numbers.to_numpy())
        return codes, tuple(value.item() for value in values)
    if dtype == nw.String and (coded := string_codes(column)) is not None:
        order = sorted(coded[1])
        lookup = {value: position for position, value in enumerate(order)}
        return np.array([lookup[value] for value in coded[1]], dtype=np.int64)[coded[0]], tuple(order)
    listed, order = _distinct(column)
    lookup = {value: position for position, value in enumerate(order)}
    return np.fromiter((lookup[value] for value in listed), dtype=np.int64, count=len(listed)), tuple(order)


def distinct_numbers(numbers: NDArray[Any]) -> tuple[NDArray[Any], IntArray]:
    """The different numbers in order, and the place (n,) of each among them, as ``np.unique`` gives them.

    >>> [part.tolist() for part in distinct_numbers(np.array([7, 3, 7]))]
    [[3, 7], [1, 0, 1]]
    """
    if numbers.dtype.kind in "iu" and numbers.size:
        low, high = int(numbers.min()), int(numbers.max())
        if high - low <= max(MAX_SPAN, numbers.size):
            wide = np.dtype(np.uint64 if numbers.dtype.kind == "u" else np.int64)
            steps = numbers.astype(wide, copy=False)
            if low:
                steps = steps - wide.type(low)
            steps = steps.astype(np.intp, copy=False)
            held = np.bincount(steps, minlength=high - low + 1) > 0
            found = np.flatnonzero(held)
            places = held.cumsum() - 1
            return (found.astype(wide) + wide.type(low)).astype(numbers.dtype), places.take(steps)
    values, inverse = np.unique(numbers, return_inverse=True)
    return values, inverse.astype(np.int64)


def string_codes(column: Column) -> tuple[IntArray, list[str]] | None:
    """Place (n,) of each string among the different ones, -1 where missing, and these; None without PyArrow.

    This is eight times as fast as a Python object for each row.
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
    """Cast a column of 128-bit integers, which NumPy does not have, to 64-bit ones.

    Raises:
        LabelColumnError: A value does not fit into 64 bits.
    """
    low, high = column.min(), column.max()
    if low < -(2**63) or high >= 2**63:
        raise LabelColumnError(
            f"Column {column.name!r} holds whole numbers of more than 64 bits (from {low} to {high}). Turn its "
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
    numbers_of = isinstance(classes[0], (float, decimal.Decimal))
    fractional = numbers_of and any(value != int(value) for value in classes if np.isfinite(float(value)))
    if fractional and len(classes) > max(20, 0.02 * rows):
        raise LabelColumnError(
            f"Column {label!r} looks continuous: {len(classes):,} different numbers in {rows:,} rows "
            f"(such as {classes[0]!r} and {classes[1]!r}), so it cannot be audited as classes. Pass task='regression' "
            "to audit it as numbers, without options for classes, or bin it into classes first."
        )
    if len(classes) > MAX_CLASSES_PER_ROW * rows:
        raise LabelColumnError(
            f"Column {label!r} has {len(classes):,} different values in {rows:,} rows, so it names rows rather "
            "than classes (or is a continuous number). Choose the column that holds the class, or group its values"
            + (", or pass task='regression' if the values are amounts." if isinstance(classes[0], AMOUNTS) else ".")
        )


def choose_features(
    frame: Frame, label: str, features: Sequence[str] | None, exclude: Iterable[str]
) -> tuple[dict[str, ColumnKind], list[str]]:
    """Choose the feature columns, with their kinds, and notes about columns left out.

    Args:
        frame: The table.
        label: Name of the label column.
        features: Columns to use whatever they look like, unless they are empty; default all that qualify.
        exclude: Columns to leave out.

    Raises:
        FeatureError: A named column does not exist, or no column is left.

    >>> import polars as pl
    >>> frame = nw.from_native(pl.DataFrame({"y": ["a", "b"], "age": [30, 40]}))
    >>> choose_features(frame, "y", None, [])
    ({'age': 'number'}, [])
    """
    left_out = set(as_list(exclude))
    require(frame, left_out, "exclude")
    if features is not None:
        features = as_list(features)
        require(frame, features, "feature")
        if label in features:
            raise FeatureError(f"Column {label!r} is the label, so it cannot be a feature. Remove it from features=.")
        if not features:
            raise FeatureError("features=[] names no columns. Name some, or leave the option out to use all.")
    names = [name for name in (features or frame.columns) if name != label and name not in left_out]
    kinds: dict[str, ColumnKind] = {}
    unusable: dict[str, list[str]] = {}
    earlier = earlier_audit(frame, label) if features is None else []
    if earlier:
        # They were computed from the label, so with them no label would look wrong.
        names = [name for name in names if name not in earlier]
        unusable["audit"] = earlier
    for name in names:
        kind = column_kind(frame[name], named=features is not None)
        if kind in ("identifier", "empty", "unsupported"):
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
    """Find columns that an earlier audit of this label added, by their names or by their content.

    An audit adds a quality, a suggestion with the dtype of the label, and a flag side by side; the flag is true exactly
    where the suggestion differs from the label.

    >>> import polars as pl
    >>> frame = pl.DataFrame({"y": [1, 2], "q": [0.1, 0.9], "s": [2, 2], "f": [True, False]})
    >>> earlier_audit(nw.from_native(frame), "y")
    ['q', 's', 'f']
    """
    added = list(AUDIT_COLUMNS) if set(AUDIT_COLUMNS) <= set(frame.columns) else []
    labels, names = frame[label], [name for name in frame.columns if name != label]
    known = ~labels.is_null()
    for quality, suggested, flag in zip(names, names[1:], names[2:], strict=False):
        if frame[flag].dtype != nw.Boolean or frame[suggested].dtype != labels.dtype or quality in added:
            continue
        if frame[quality].dtype.is_float() and ((frame[suggested] != labels) == frame[flag]).filter(known).all():
            added += [quality, suggested, flag]
    return added


def _notes(unusable: dict[str, list[str]]) -> list[str]:
    words = {
        "identifier": "identify rows (no value repeats) and were left out as features; name them in features= to "
        "use them",
        "audit": "were added by an earlier audit and were left out as features",
        "empty": "hold no values and were left out as features",
        "unsupported": "have a dtype that cannot be a feature and were left out",
    }
    return [f"Columns {', '.join(map(repr, which))} {words[kind]}." for kind, which in unusable.items()]


def column_kind(column: Column, *, named: bool = False) -> str:
    """Return the ``ColumnKind`` of a column, or why it is no feature: identifier, empty or unsupported.

    Args:
        column: The column.
        named: The caller asked for it by name, so it is no identifier.

    >>> import polars as pl
    >>> column_kind(nw.from_native(pl.Series([True, False]), series_only=True))
    'boolean'
    """
    dtype = column.dtype
    present = column.drop_nulls()
    if not len(present):
        return "empty"
    holds_lists = dtype == nw.Object and is_list_like(present[0])
    if isinstance(dtype, (nw.List, nw.Array)) or holds_lists:
        filled = any(map(_is_filled, present[:1].to_list())) or any(map(_is_filled, present.to_list()))
        return "vector" if filled else "empty"
    if dtype == nw.Boolean:
        return "boolean"
    if dtype.is_temporal():
        return "date"
    if dtype.is_numeric():
        return _number_kind(column, present, named=named)
    if dtype == nw.Object:
        return _object_kind(present, named=named)
    if isinstance(dtype, (nw.String, nw.Categorical, nw.Enum)):
        return _string_kind(present, named=named)
    return "unsupported"


def is_list_like(value: object) -> bool:
    """Whether a value of an object column is a list: a list, a tuple, or an array with a dimension."""
    return isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.ndim > 0)


def _is_filled(row: Any) -> bool:
    """Whether a value of a column of lists holds something; what is no list does."""
    return bool(row.size) if isinstance(row, np.ndarray) else not hasattr(row, "__len__") or len(row) > 0


def _object_kind(present: Column, *, named: bool) -> str:
    """Return the kind of a pandas object column by the types of its values."""
    types = {type(value) for value in present.to_list()}
    if types <= {bool, np.bool_}:
        return "boolean"
    if all(issubclass(kind, datetime.date) for kind in types):
        return "date"
    if all(issubclass(kind, (numbers.Real, decimal.Decimal)) and not issubclass(kind, bool) for kind in types):
        return "number"
    return _string_kind(present, named=named) if types <= {str, bool, int, float} else "unsupported"


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
    if isinstance(present.dtype, (nw.Categorical, nw.Enum)) or distinct <= max(MAX_CATEGORIES, 0.05 * len(present)):
        return "category"
    words = sum(len(str(value).split()) for value in present.to_list()) / len(present)
    if distinct == len(present) and words < 2 and not named:
        return "identifier"
    return "text"
