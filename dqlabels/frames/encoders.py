"""One column -> float32 features by a fitted rule: what a value becomes depends on that value and the rule alone.

Each kind of column has an encoder (frozen; ``encode`` turns any later column into features, ``to_dict`` gives
plain values to keep) and, where it must know all rows, a tally of them that merges.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import repeat
from typing import Any, Literal, Protocol

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from dqlabels.errors import FeatureError
from dqlabels.frames.columns import Column, ColumnKind, string_codes
from dqlabels.frames.conversion import (
    as_floats,
    as_moments,
    as_texts,
    as_truth,
    as_vectors,
    is_vector,
    refuse,
)

FloatMatrix = NDArray[np.float32]
DateForm = Literal["date", "datetime", "duration", "time"]

# Up to this many values a category becomes one column each; a tree then isolates a value in one split.
MAX_ONE_HOT = 16
# Hashed words keep a text column's width fixed and need no vocabulary to carry to a later batch.
TEXT_COLUMNS = 256
# Short of the largest float32, so that sums of a million such values stay finite in float32 too.
MAX_NUMBER = 2.0**100
SECONDS_PER_DAY = 86_400.0
DATE_WIDTHS: dict[str, int] = {"date": 3, "datetime": 4, "duration": 1, "time": 1}


class ColumnEncoder(Protocol):
    """A fitted rule for one column: ``dtype`` is what it was fitted on, ``width`` the features it gives."""

    @property
    def dtype(self) -> str:
        """The dtype that the column had, for messages."""

    @property
    def width(self) -> int:
        """Features (columns of the matrix) that one value becomes."""

    @property
    def blank(self) -> FloatMatrix:
        """(width,) what a missing value becomes."""

    def encode(self, column: Column) -> tuple[FloatMatrix, int]:
        """Features (n, width) of n values, and how many of these were not seen when fitting."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""


class _NoBlank:
    """Missing values become NaN."""

    __slots__ = ()
    width = 1

    @property
    def blank(self) -> FloatMatrix:
        return np.full(self.width, np.nan, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class NumberEncoder(_NoBlank):
    """A number as it is, NaN where missing."""

    dtype: str

    def encode(self, column: Column) -> tuple[FloatMatrix, int]:
        """Features (n, 1); a finite double beyond 2**100 stays that instead of turning infinite."""
        values = as_floats(column, self.dtype)
        clipped = np.where(np.isfinite(values), np.clip(values, -MAX_NUMBER, MAX_NUMBER), values)
        return clipped.astype(np.float32).reshape(-1, 1), 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {"dtype": self.dtype}


@dataclass(frozen=True, slots=True)
class BooleanEncoder(_NoBlank):
    """1 for true, 0 for false, NaN where missing."""

    dtype: str

    def encode(self, column: Column) -> tuple[FloatMatrix, int]:
        """Features (n, 1)."""
        return as_truth(column, self.dtype).astype(np.float32).reshape(-1, 1), 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {"dtype": self.dtype}


@dataclass(frozen=True, slots=True)
class DateEncoder(_NoBlank):
    """Days since 1970, and the parts of the calendar that people's habits follow."""

    dtype: str
    form: DateForm
    zone: str | None

    @property
    def width(self) -> int:  # type: ignore[override]
        """Features of one value."""
        return DATE_WIDTHS[self.form]

    def encode(self, column: Column) -> tuple[FloatMatrix, int]:
        """Features (n, width): days, month, weekday and, of a date with a time, the hour; or a duration in days."""
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
        parts = [as_floats(moments.dt.month(), self.dtype), as_floats(moments.dt.weekday(), self.dtype)]
        if self.form == "datetime":
            gone = np.isnan(days)
            none = np.where(gone, np.nan, 0.0)
            parts.append(as_floats(moments.dt.hour(), self.dtype) if moments.dtype == nw.Datetime else none)
        elif (broken := np.flatnonzero(~np.isnan(days) & (days != np.trunc(days)))).size:
            refuse(column, self.dtype, f"row {broken[0]:,} holds a time of day, which a date cannot")
        return np.column_stack([days, *parts]).astype(np.float32), 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {"dtype": self.dtype, "form": self.form, "zone": self.zone}


def _seconds(value: str | None) -> float:
    if value is None:
        return float("nan")
    hours, minutes, seconds = value.split(":")
    return 3600 * float(hours) + 60 * float(minutes) + float(seconds)


@dataclass(frozen=True, slots=True, eq=False)
class CategoryEncoder:
    """The value's place in the order of names, and beside it one column a value while they are few.

    Where they are many, how often the value occurred. A missing category is a value of its own: that it is
    missing may well say something about the label. A value not seen when fitting has no column, no place (NaN)
    and a count of 0, so a tree sends it where most rows went.
    """

    dtype: str
    values: tuple[str, ...]  # in order
    counts: tuple[int, ...]
    missing: int
    places: Mapping[str, int]

    @classmethod
    def of(cls, dtype: str, counts: Mapping[str, int], missing: int) -> CategoryEncoder:
        """From how often each value occurred."""
        values = tuple(sorted(counts))
        first = int(missing > 0)  # a missing value comes before all others
        places = {value: place for place, value in enumerate(values, start=first)}
        return cls(dtype, values, tuple(counts[value] for value in values), missing, places)

    @property
    def _distinct(self) -> int:
        return len(self.values) + int(self.missing > 0)

    @property
    def width(self) -> int:
        """Features of one value."""
        if self._distinct > MAX_ONE_HOT:
            return 2
        return 1 if self._distinct == 2 else self._distinct

    @property
    def blank(self) -> FloatMatrix:
        """(width,) what a missing value becomes."""
        blank: FloatMatrix = self._features(np.array([0 if self.missing else -1]))[0]
        return blank

    def encode(self, column: Column) -> tuple[FloatMatrix, int]:
        """Features (n, width), and how many values were not seen when fitting."""
        if column.dtype == nw.String and (coded := string_codes(column)) is not None:
            place = [*(self.places.get(value, -2) for value in coded[1]), 0 if self.missing else -1]
            found = np.array(place, dtype=np.int64)[coded[0]]
            return self._features(np.maximum(found, -1)), int((found == -2).sum())
        texts, gone = as_texts(column, self.dtype)
        places = np.fromiter(map(self.places.get, texts, repeat(-1)), dtype=np.int64, count=len(texts))
        places[gone] = 0 if self.missing else -1
        return self._features(places), int((places[~gone] < 0).sum())

    def _features(self, places: NDArray[np.int64]) -> FloatMatrix:
        """(n, width) for places (n,), -1 for a value not seen."""
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

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "dtype": self.dtype,
            "values": list(self.values),
            "counts": list(self.counts),
            "missing": self.missing,
        }


@dataclass(slots=True, eq=False)
class CategoryTally:
    """How often each value of a category occurs."""

    dtype: str
    counts: Counter[str]
    missing: int

    def update(self, column: Column) -> None:
        """Count a block's values."""
        if column.dtype == nw.String and (coded := string_codes(column)) is not None:
            *rows, missing = np.bincount(coded[0] % (len(coded[1]) + 1), minlength=len(coded[1]) + 1).tolist()
            self.counts.update(dict(zip(coded[1], rows, strict=True)))
            self.missing += missing
            return
        texts, gone = as_texts(column, self.dtype)
        counts: Counter[Any] = Counter(texts)
        n_gone = int(gone.sum())
        if n_gone:
            counts = Counter(text for text, missing in zip(texts, gone.tolist(), strict=True) if not missing)
        self.counts.update(counts)
        self.missing += n_gone

    def merge(self, other: CategoryTally) -> None:
        """Add what another tally saw."""
        self.counts.update(other.counts)
        self.missing += other.missing

    def finish(self) -> CategoryEncoder:
        """The encoder of all that was seen."""
        return CategoryEncoder.of(self.dtype, self.counts, self.missing)


@dataclass(frozen=True, slots=True, eq=False)
class TextEncoder:
    """Words hashed into a fixed width, weighed by how rare they are (TF-IDF)."""

    dtype: str
    documents: int
    words: tuple[int, ...]  # documents that hold each hashed word

    width = TEXT_COLUMNS

    @property
    def blank(self) -> FloatMatrix:
        """(width,) what a missing value becomes: no word."""
        return np.zeros(TEXT_COLUMNS, dtype=np.float32)

    def encode(self, column: Column) -> tuple[FloatMatrix, int]:
        """Features (n, 256)."""
        return self.weigh(hashed_words(column, self.dtype)), 0

    def weigh(self, counts: Any) -> FloatMatrix:
        """(n, 256) from the sparse counts of :func:`hashed_words`: 1 + log count, times rarity, of length 1."""
        from sklearn.preprocessing import normalize

        weighed = counts.copy()
        rarity = np.log((1 + self.documents) / (1 + np.array(self.words, dtype=np.float64))) + 1
        weighed.data = (np.log(weighed.data) + 1) * rarity[weighed.indices]
        return np.asarray(normalize(weighed, copy=False).toarray(), dtype=np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {"dtype": self.dtype, "documents": self.documents, "words": list(self.words)}


@dataclass(slots=True, eq=False)
class TextTally:
    """In how many documents each hashed word occurs."""

    dtype: str
    documents: int
    words: NDArray[np.int64]

    def update(self, column: Column) -> None:
        """Count a block's documents."""
        self.take(hashed_words(column, self.dtype))

    def take(self, counts: Any) -> None:
        """Count documents already hashed by :func:`hashed_words`."""
        self.documents += counts.shape[0]
        self.words += np.bincount(counts.indices, minlength=TEXT_COLUMNS)

    def merge(self, other: TextTally) -> None:
        """Add what another tally saw."""
        self.documents += other.documents
        self.words += other.words

    def finish(self) -> TextEncoder:
        """The encoder of all that was seen."""
        return TextEncoder(self.dtype, self.documents, tuple(self.words.tolist()))


def hashed_words(column: Column, dtype: str) -> Any:
    """Sparse (n, 256): how often each row holds a word of each hash; none where the text is missing."""
    from sklearn.feature_extraction.text import HashingVectorizer

    texts, gone = as_texts(column, dtype)
    texts = ["" if missing else text for text, missing in zip(texts, gone.tolist(), strict=True)]
    return HashingVectorizer(n_features=TEXT_COLUMNS, alternate_sign=False, norm=None).transform(texts)


@dataclass(frozen=True, slots=True)
class VectorEncoder(_NoBlank):
    """A list of numbers, each a feature."""

    dtype: str
    size: int

    @property
    def width(self) -> int:  # type: ignore[override]
        """Features of one value."""
        return self.size

    def encode(self, column: Column) -> tuple[FloatMatrix, int]:
        """Features (n, size)."""
        return as_vectors(column, self.size, self.dtype), 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {"dtype": self.dtype, "size": self.size}


@dataclass(slots=True, eq=False)
class FormTally:
    """What a column is, where that alone decides how it is encoded; every block must be the same."""

    encoder: ColumnEncoder

    def update(self, column: Column) -> None:
        """Check a block."""
        self.encoder.encode(column)

    def merge(self, other: FormTally) -> None:
        """Check against what another tally saw.

        Raises:
            FeatureError: The two saw different columns.
        """
        if self.encoder != other.encoder:
            raise FeatureError(f"Parts of a table differ in a column: {self.encoder} and {other.encoder}.")

    def finish(self) -> ColumnEncoder:
        """The encoder."""
        return self.encoder


Tally = FormTally | CategoryTally | TextTally


def tally_of(column: Column, kind: ColumnKind) -> Tally:
    """An empty tally for columns like this one.

    Raises:
        FeatureError: A vector column whose rows differ in length.
    """
    dtype = str(column.dtype)
    if kind == "category":
        return CategoryTally(dtype, Counter(), 0)
    if kind == "text":
        return TextTally(dtype, 0, np.zeros(TEXT_COLUMNS, dtype=np.int64))
    if kind == "date":
        return FormTally(_date_encoder(column, dtype))
    if kind == "vector":
        return FormTally(VectorEncoder(dtype, _vector_size(column)))
    return FormTally(NumberEncoder(dtype) if kind == "number" else BooleanEncoder(dtype))


def _date_encoder(column: Column, dtype: str) -> DateEncoder:
    if column.dtype == nw.Duration:
        return DateEncoder(dtype, "duration", None)
    if column.dtype == nw.Time:
        return DateEncoder(dtype, "time", None)
    if column.dtype == nw.Object:
        return DateEncoder(dtype, "datetime", None)
    if column.dtype == nw.Datetime:
        return DateEncoder(dtype, "datetime", getattr(column.dtype, "time_zone", None))
    return DateEncoder(dtype, "date", None)


def _vector_size(column: Column) -> int:
    sizes = {len(row) for row in column.to_list() if is_vector(row)}
    if len(sizes) != 1:
        raise FeatureError(
            f"Column {column.name!r} holds lists of different lengths ({min(sizes)} to {max(sizes)}). "
            "An embedding has one length; pad the lists, or leave the column out with exclude=."
        )
    (size,) = sizes
    return size


def encoder_from_dict(kind: str, saved: Mapping[str, Any]) -> ColumnEncoder:
    """The encoder that ``to_dict`` gave; every value is checked, since it may come from a file.

    Raises:
        FeatureError: Not an encoder of this kind.
    """
    if kind not in _READERS:
        raise FeatureError(f"{kind!r} is no kind of column; the kinds are {', '.join(_READERS)}.")
    try:
        return _READERS[kind](saved)
    except (KeyError, TypeError, ValueError) as error:
        raise FeatureError(f"Not the encoder of a {kind} column ({error!r}).") from error


def _read_date(saved: Mapping[str, Any]) -> DateEncoder:
    form, zone = saved["form"], saved["zone"]
    if form not in DATE_WIDTHS or not (zone is None or isinstance(zone, str)):
        raise ValueError(f"form {form!r}, zone {zone!r}")
    return DateEncoder(str(saved["dtype"]), form, zone)


def _read_category(saved: Mapping[str, Any]) -> CategoryEncoder:
    values, counts = [str(value) for value in saved["values"]], [_count(count) for count in saved["counts"]]
    if sorted(set(values)) != values:
        raise ValueError("values that repeat or are out of order")
    counted = dict(zip(values, counts, strict=True))
    return CategoryEncoder.of(str(saved["dtype"]), counted, _count(saved["missing"]))


def _read_text(saved: Mapping[str, Any]) -> TextEncoder:
    words, documents = tuple(_count(count) for count in saved["words"]), _count(saved["documents"])
    if len(words) != TEXT_COLUMNS or max(words) > documents:
        raise ValueError(f"{len(words)} word counts, or more of a word than the {documents} documents")
    return TextEncoder(str(saved["dtype"]), documents, words)


def _read_vector(saved: Mapping[str, Any]) -> VectorEncoder:
    if not 1 <= (size := _count(saved["size"])) <= 1 << 24:
        raise ValueError(f"size {size}")
    return VectorEncoder(str(saved["dtype"]), size)


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is no count")
    return value


_READERS: dict[str, Callable[[Mapping[str, Any]], ColumnEncoder]] = {
    "number": lambda saved: NumberEncoder(str(saved["dtype"])),
    "boolean": lambda saved: BooleanEncoder(str(saved["dtype"])),
    "date": _read_date,
    "category": _read_category,
    "text": _read_text,
    "vector": _read_vector,
}
