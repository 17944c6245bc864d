"""Turn one column into float32 features, by a fitted rule that treats each value on its own.

Each kind of column has a frozen encoder, whose ``encode`` turns any later column into features and whose ``to_dict``
returns plain values to save.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Any, Literal, Protocol

import narwhals as nw
import numpy as np

from dqlabels.errors import FeatureError
from dqlabels.frames.arrays import FloatMatrix, IntArray
from dqlabels.frames.columns import Column, ColumnKind, string_codes
from dqlabels.frames.conversion import (
    as_floats,
    as_moments,
    as_texts,
    as_truth,
    as_vector,
    as_vectors,
    is_vector,
    refuse,
)
from dqlabels.frames.zones import in_zone

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

DateForm = Literal["date", "datetime", "duration", "time"]
# Plain values read from a file, of which nothing is known yet.
Saved = Mapping[str, Any]

# A category with up to this many values gets one column per value, so a tree isolates a value in one split.
MAX_ONE_HOT = 16
# Words are hashed into a fixed number of columns, so no vocabulary has to be saved for a later batch.
TEXT_COLUMNS = 256
# Far below the largest float32, so that sums of a million such values are finite.
MAX_NUMBER = 2.0**100
SECONDS_PER_DAY = 86_400.0
DATE_WIDTHS: dict[str, int] = {"date": 3, "datetime": 4, "duration": 1, "time": 1}


class ColumnEncoder(Protocol):
    """A fitted rule that turns one column into features."""

    @property
    def dtype(self) -> str:
        """Dtype of the column on which it was fitted, for messages."""

    @property
    def width(self) -> int:
        """Number of features (columns of the matrix) per value."""

    @property
    def blank(self) -> FloatMatrix:
        """Features (width,) of a missing value."""

    def encode(self, column: Column) -> tuple[FloatMatrix, int]:
        """Return features (n, width) of n values, and how many values did not occur when it was fitted."""

    def to_dict(self) -> dict[str, object]:
        """Plain values, ready for JSON."""


@dataclass(frozen=True, slots=True)
class _NumberLike:
    """Base of encoders for which missing values become NaN."""

    dtype: str

    width = 1

    @property
    def blank(self) -> FloatMatrix:
        """Features (width,) of a missing value."""
        return np.full(self.width, np.nan, dtype=np.float32)

    def to_dict(self) -> dict[str, object]:
        """Plain values, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class NumberEncoder(_NumberLike):
    """Numbers as they are, NaN where missing."""

    def encode(self, column: Column) -> tuple[FloatMatrix, int]:
        """Return features (n, 1); finite numbers beyond 2**100 are clipped, since float32 would turn them infinite."""
        values = as_floats(column, self.dtype)
        clipped = np.where(np.isfinite(values), np.clip(values, -MAX_NUMBER, MAX_NUMBER), values)
        return clipped.astype(np.float32).reshape(-1, 1), 0


@dataclass(frozen=True, slots=True)
class BooleanEncoder(_NumberLike):
    """1 for true, 0 for false, NaN where missing."""

    def encode(self, column: Column) -> tuple[FloatMatrix, int]:
        """Return features (n, 1)."""
        return as_truth(column, self.dtype).astype(np.float32).reshape(-1, 1), 0


@dataclass(frozen=True, slots=True)
class DateEncoder(_NumberLike):
    """Days since 1970, with month, weekday and hour, on which people's habits depend."""

    form: DateForm
    zone: str | None

    @property
    def width(self) -> int:  # type: ignore[override]
        """Number of features per value."""
        return DATE_WIDTHS[self.form]

    def encode(self, column: Column) -> tuple[FloatMatrix, int]:
        """Return features (n, width): days, month, weekday and, for a datetime, hour; or a duration in days."""
        if self.form == "duration":
            if column.dtype != nw.Duration:
                refuse(column, self.dtype, "a duration is needed")
            days = as_floats(column.dt.total_seconds(), self.dtype) / SECONDS_PER_DAY
            return days.astype(np.float32).reshape(-1, 1), 0
        if self.form == "time":
            if column.dtype != nw.Time:
                refuse(column, self.dtype, "a time of day is needed")
            seconds = [_seconds(value) for value in column.cast(nw.String).to_list()]
            return np.array(seconds, dtype=np.float32).reshape(-1, 1), 0
        moments = as_moments(column, self.dtype, self.zone)
        days = as_floats(moments.dt.timestamp("ms"), self.dtype) / (1000 * SECONDS_PER_DAY)
        local = in_zone(moments, self.zone)
        parts = [as_floats(local.dt.month(), self.dtype), as_floats(local.dt.weekday(), self.dtype)]
        if self.form == "datetime":
            midnight = np.where(np.isnan(days), np.nan, 0.0)
            parts.append(as_floats(local.dt.hour(), self.dtype) if moments.dtype == nw.Datetime else midnight)
        elif (with_time := np.flatnonzero(~np.isnan(days) & (days != np.trunc(days)))).size:
            refuse(column, self.dtype, f"row {with_time[0]:,} holds a time of day, which a date cannot")
        return np.column_stack([days, *parts]).astype(np.float32), 0


def _seconds(value: str | None) -> float:
    if value is None:
        return float("nan")
    hours, minutes, seconds = value.split(":")
    return 3600 * float(hours) + 60 * float(minutes) + float(seconds)


@dataclass(frozen=True, slots=True, eq=False)
class CategoryEncoder:
    """Categories: one column per value while there are few, otherwise the value's place by name and its frequency.

    A missing category is a value of its own, since that it is missing may say something about the label. A value that
    did not occur when the encoder was fitted has no column, no place (NaN) and a frequency of 0, so a tree sends it
    where most rows went.
    """

    dtype: str
    values: tuple[str, ...]  # in order
    counts: tuple[int, ...]
    missing: int
    places: Mapping[str, int]

    @classmethod
    def of(cls, dtype: str, counts: Mapping[str, int], missing: int) -> CategoryEncoder:
        """Build it from how often each value occurs."""
        values = tuple(sorted(counts))
        first = int(missing > 0)  # the missing value comes before all others
        places = {value: place for place, value in enumerate(values, start=first)}
        return cls(dtype, values, tuple(counts[value] for value in values), missing, places)

    @property
    def _distinct(self) -> int:
        return len(self.values) + int(self.missing > 0)

    @property
    def width(self) -> int:
        """Number of features per value."""
        if self._distinct > MAX_ONE_HOT:
            return 2
        return 1 if self._distinct == 2 else self._distinct

    @property
    def blank(self) -> FloatMatrix:
        """Features (width,) of a missing value."""
        return np.asarray(self._features(np.array([0 if self.missing else -1]))[0])

    def encode(self, column: Column) -> tuple[FloatMatrix, int]:
        """Return features (n, width), and how many values did not occur when it was fitted."""
        if column.dtype == nw.String and (coded := string_codes(column)) is not None:
            by_value = [*(self.places.get(value, -2) for value in coded[1]), 0 if self.missing else -1]
            rows = np.array(by_value, dtype=np.int64)[coded[0]]
            return self._features(np.maximum(rows, -1)), int((rows == -2).sum())
        texts, absent = as_texts(column, self.dtype)
        places = np.fromiter(map(self.places.get, texts, repeat(-1)), dtype=np.int64, count=len(texts))
        places[absent] = 0 if self.missing else -1
        return self._features(places), int((places[~absent] < 0).sum())

    def _features(self, places: IntArray) -> FloatMatrix:
        """Return features (n, width) for places (n,), which are -1 for values that did not occur."""
        unseen = places < 0
        if self._distinct > MAX_ONE_HOT:
            counts = np.array([*([self.missing] if self.missing else []), *self.counts, 0], dtype=np.float32)
            part = np.column_stack([places.astype(np.float32), counts[places]])
            part[unseen, 0] = np.nan
            return part
        if self._distinct == 2:
            return np.where(unseen, np.float32(np.nan), places.astype(np.float32)).reshape(-1, 1)
        # The last row is that of -1: none of the values.
        one_hot: FloatMatrix = np.eye(self._distinct + 1, self._distinct, dtype=np.float32)
        return one_hot[places]

    def to_dict(self) -> dict[str, object]:
        """Plain values, ready for JSON."""
        return {
            "dtype": self.dtype,
            "values": list(self.values),
            "counts": list(self.counts),
            "missing": self.missing,
        }


@dataclass(frozen=True, slots=True, eq=False)
class TextEncoder:
    """Words hashed into a fixed width, weighed by how rare they are (TF-IDF)."""

    dtype: str
    documents: int
    words: tuple[int, ...]  # documents that hold each hashed word

    width = TEXT_COLUMNS

    @property
    def blank(self) -> FloatMatrix:
        """Features (width,) of a missing value: no words."""
        return np.zeros(TEXT_COLUMNS, dtype=np.float32)

    def encode(self, column: Column) -> tuple[FloatMatrix, int]:
        """Return features (n, 256)."""
        return self.weigh(_hashed_words(column, self.dtype)), 0

    def weigh(self, counts: csr_matrix) -> FloatMatrix:
        """Weigh the sparse counts of :func:`_hashed_words` by 1 + log count and rarity, and scale rows to length 1."""
        from sklearn.preprocessing import normalize

        weighed = counts.copy()
        rarity = np.log((1 + self.documents) / (1 + np.array(self.words, dtype=np.float64))) + 1
        weighed.data = (np.log(weighed.data) + 1) * rarity[weighed.indices]
        return np.asarray(normalize(weighed, copy=False).toarray(), dtype=np.float32)

    def to_dict(self) -> dict[str, object]:
        """Plain values, ready for JSON."""
        return {"dtype": self.dtype, "documents": self.documents, "words": list(self.words)}


def _hashed_words(column: Column, dtype: str) -> csr_matrix:
    """Count the words of each row by their hash, as a sparse matrix (n, 256); missing texts have none."""
    from sklearn.feature_extraction.text import HashingVectorizer

    texts, absent = as_texts(column, dtype)
    texts = ["" if missing else text for text, missing in zip(texts, absent.tolist(), strict=True)]
    return HashingVectorizer(n_features=TEXT_COLUMNS, alternate_sign=False, norm=None).transform(texts)


@dataclass(frozen=True, slots=True)
class VectorEncoder(_NumberLike):
    """A list of numbers, each a feature."""

    size: int

    @property
    def width(self) -> int:  # type: ignore[override]
        """Number of features per value."""
        return self.size

    def encode(self, column: Column) -> tuple[FloatMatrix, int]:
        """Features (n, size)."""
        return as_vectors(column, self.size, self.dtype), 0


def fit_encode(column: Column, kind: ColumnKind) -> tuple[ColumnEncoder, FloatMatrix]:
    """Fit the encoder of a column, and return it with the features (n, width) of the column.

    Raises:
        FeatureError: The vectors of the column differ in length.
    """
    dtype = str(column.dtype)
    if kind == "text":
        counts = _hashed_words(column, dtype)
        documents = np.bincount(counts.indices, minlength=TEXT_COLUMNS)
        text = TextEncoder(dtype, len(column), tuple(documents.tolist()))
        return text, text.weigh(counts)
    encoder: ColumnEncoder
    if kind == "category":
        encoder = _category_encoder(column, dtype)
    elif kind == "date":
        encoder = _date_encoder(column, dtype)
    elif kind == "vector":
        encoder = VectorEncoder(dtype, _vector_size(column))
    else:
        encoder = NumberEncoder(dtype) if kind == "number" else BooleanEncoder(dtype)
    return encoder, encoder.encode(column)[0]


def _category_encoder(column: Column, dtype: str) -> CategoryEncoder:
    if column.dtype == nw.String and (coded := string_codes(column)) is not None:
        *rows, missing = np.bincount(coded[0] % (len(coded[1]) + 1), minlength=len(coded[1]) + 1).tolist()
        return CategoryEncoder.of(dtype, dict(zip(coded[1], rows, strict=True)), missing)
    texts, absent = as_texts(column, dtype)
    present = (text for text, missing in zip(texts, absent.tolist(), strict=True) if not missing)
    return CategoryEncoder.of(dtype, Counter(present), int(absent.sum()))


def _date_encoder(column: Column, dtype: str) -> DateEncoder:
    forms: dict[type, DateForm] = {
        nw.Duration: "duration", nw.Time: "time", nw.Object: "datetime", nw.Datetime: "datetime",
    }  # fmt: skip
    return DateEncoder(dtype, forms.get(type(column.dtype), "date"), getattr(column.dtype, "time_zone", None))


def _vector_size(column: Column) -> int:
    sizes = {_length(row, column.name) for row in column.to_list() if is_vector(row)}
    if len(sizes) != 1:
        raise FeatureError(
            f"Column {column.name!r} holds lists of different lengths ({min(sizes)} to {max(sizes)}). "
            "An embedding has one length; pad the lists, or leave the column out with exclude=."
        )
    (size,) = sizes
    return size


def _length(row: Any, name: str) -> int:
    """How many numbers a list holds, those of lists within it included."""
    nested = hasattr(next(iter(row), None), "__len__")
    return as_vector(row, name).size if nested else len(row)


def holds_vectors(column: Column) -> bool:
    """Whether a column of lists holds numbers, as many in each row, so that rows can be compared by it.

    >>> import polars as pl
    >>> holds_vectors(nw.from_native(pl.Series([[1.0, 2.0], None]), series_only=True))
    True
    >>> holds_vectors(nw.from_native(pl.Series([["a"], ["b"]]), series_only=True))
    False
    """
    rows = [row for row in column.to_list() if is_vector(row)]
    try:
        return len({as_vector(row, column.name).size for row in rows}) == 1
    except FeatureError:
        return False


def encoder_from_dict(kind: str, saved: Saved) -> ColumnEncoder:
    """Restore an encoder from ``to_dict``; every value is checked, since it may come from a file.

    Raises:
        FeatureError: ``saved`` is not an encoder of this kind.
    """
    if kind not in _READERS:
        raise FeatureError(f"{kind!r} is not a kind of column; the kinds are {', '.join(_READERS)}.")
    try:
        return _READERS[kind](saved)
    except (KeyError, TypeError, ValueError) as error:
        raise FeatureError(f"This is not the saved encoder of a {kind} column ({error!r}).") from error


def _read_date(saved: Saved) -> DateEncoder:
    form, zone = saved["form"], saved["zone"]
    if form not in DATE_WIDTHS or not (zone is None or isinstance(zone, str)):
        raise ValueError(f"form {form!r}, zone {zone!r}")
    return DateEncoder(str(saved["dtype"]), form, zone)


def _read_category(saved: Saved) -> CategoryEncoder:
    values, counts = [str(value) for value in saved["values"]], [_count(count) for count in saved["counts"]]
    if sorted(set(values)) != values:
        raise ValueError("values that repeat or are out of order")
    counted = dict(zip(values, counts, strict=True))
    return CategoryEncoder.of(str(saved["dtype"]), counted, _count(saved["missing"]))


def _read_text(saved: Saved) -> TextEncoder:
    words, documents = tuple(_count(count) for count in saved["words"]), _count(saved["documents"])
    if len(words) != TEXT_COLUMNS or max(words) > documents:
        raise ValueError(f"{len(words)} word counts, or more of a word than the {documents} documents")
    return TextEncoder(str(saved["dtype"]), documents, words)


def _read_vector(saved: Saved) -> VectorEncoder:
    if not 1 <= (size := _count(saved["size"])) <= 1 << 24:
        raise ValueError(f"size {size}")
    return VectorEncoder(str(saved["dtype"]), size)


def _count(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is not a count")
    return value


_READERS: dict[str, Callable[[Saved], ColumnEncoder]] = {
    "number": lambda saved: NumberEncoder(str(saved["dtype"])),
    "boolean": lambda saved: BooleanEncoder(str(saved["dtype"])),
    "date": _read_date,
    "category": _read_category,
    "text": _read_text,
    "vector": _read_vector,
}
