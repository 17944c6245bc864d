"""Columns -> a float32 matrix, by rules that depend on what a table holds and never on the order of its rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from dqlabels.columns import Column, Frame, Kind
from dqlabels.errors import FeatureError

if TYPE_CHECKING:
    from collections.abc import Callable

FloatMatrix = NDArray[np.float32]

# Up to this many values a category becomes one column each; a tree then isolates a value in one split.
ONE_HOT_AT_MOST = 16
# Hashed words keep a text column's width fixed and need no vocabulary to carry to a later batch.
TEXT_COLUMNS = 256
# Short of the largest float32, so that sums of a million such values stay finite in float32 too.
LARGEST = 2.0**100
SECONDS_PER_DAY = 86_400.0


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """The matrix (n, d) float32, NaN where missing, and how many infinite values became missing, by column."""

    matrix: FloatMatrix
    infinite: Mapping[str, int]
    blocks: Mapping[str, slice]


def encode_features(frame: Frame, kinds: Mapping[str, Kind]) -> Encoded:
    """Encode the chosen columns side by side.

    Args:
        frame: n rows.
        kinds: Column name to kind, as :func:`dqlabels.columns.choose_features` gives them.

    Raises:
        FeatureError: A vector column whose rows differ in length.

    >>> import polars as pl
    >>> frame = nw.from_native(pl.DataFrame({"x": [1, None], "c": ["a", "b"]}))
    >>> encode_features(frame, {"x": "number", "c": "category"}).matrix.shape
    (2, 2)
    """
    infinite: dict[str, int] = {}
    blocks: dict[str, slice] = {}
    parts: list[FloatMatrix] = []
    width = 0
    for name, kind in kinds.items():
        part = _ENCODERS[kind](frame[name])
        bad = np.isinf(part)
        if bad.any():
            infinite[name] = int(bad.any(axis=1).sum())
            part = np.where(bad, np.float32(np.nan), part)
        blocks[name] = slice(width, width + part.shape[1])
        width += part.shape[1]
        parts.append(part)
    matrix = np.empty((len(frame), width), dtype=np.float32)
    for where, part in zip(blocks.values(), parts, strict=True):
        matrix[:, where] = part
    return Encoded(matrix, infinite, blocks)


def _number(column: Column) -> FloatMatrix:
    values = _as_float(column)
    # A finite double beyond that stays the largest value instead of turning infinite.
    clipped = np.where(np.isfinite(values), np.clip(values, -LARGEST, LARGEST), values)
    return clipped.astype(np.float32).reshape(-1, 1)


def _as_float(column: Column) -> NDArray[np.float64]:
    if column.dtype == nw.Object:
        missing = column.is_null().to_numpy().astype(bool)
        values = zip(column.to_list(), missing, strict=True)
        return np.array([np.nan if gone else float(value) for value, gone in values], dtype=np.float64)
    return np.asarray(column.cast(nw.Float64).to_numpy(), dtype=np.float64)


def _boolean(column: Column) -> FloatMatrix:
    return _as_float(column).astype(np.float32).reshape(-1, 1)


def _date(column: Column) -> FloatMatrix:
    """Days since 1970, and the parts of the calendar that people's habits follow."""
    if column.dtype == nw.Duration:
        return (_as_float(column.dt.total_seconds()) / SECONDS_PER_DAY).astype(np.float32).reshape(-1, 1)
    if column.dtype == nw.Time:
        seconds = column.cast(nw.String).to_list()
        return np.array([_seconds(value) for value in seconds], dtype=np.float32).reshape(-1, 1)
    if column.dtype == nw.Object:
        missing = column.is_null().to_numpy().astype(bool)
        stamps = [None if gone else value for value, gone in zip(column.to_list(), missing, strict=True)]
        moments = np.array(stamps, dtype="datetime64[us]")
        column = nw.new_series(column.name, moments, backend=column.implementation)
    parts = [_as_float(column.dt.month()), _as_float(column.dt.weekday())]
    if column.dtype == nw.Datetime:
        parts.append(_as_float(column.dt.hour()))
    days = _as_float(column.dt.timestamp("ms")) / (1000 * SECONDS_PER_DAY)
    return np.column_stack([days, *parts]).astype(np.float32)


def _seconds(value: str | None) -> float:
    if value is None:
        return float("nan")
    hours, minutes, seconds = value.split(":")
    return 3600 * float(hours) + 60 * float(minutes) + float(seconds)


def _category(column: Column) -> FloatMatrix:
    """The value's place in the order of names, and beside it one column a value while they are few.

    Where they are many, how often the value occurs. A missing category is a value of its own: that it is
    missing may well say something about the label.
    """
    from sklearn.preprocessing import OneHotEncoder

    codes, distinct = _value_places(column)
    places = codes.reshape(-1, 1)
    if distinct > ONE_HOT_AT_MOST:
        return np.column_stack([codes, np.bincount(codes)[codes]]).astype(np.float32)
    encoder = OneHotEncoder(dtype=np.float32, sparse_output=False, drop="if_binary")
    return np.asarray(encoder.fit_transform(places), dtype=np.float32)


def _value_places(column: Column) -> tuple[NDArray[np.int64], int]:
    """(n,) each value's place in the order of names, missing first, and how many values there are."""
    missing = column.is_null().to_numpy().astype(bool).tolist()
    texts = ["" if gone else f"={text}" for text, gone in zip(column.to_list(), missing, strict=True)]
    place = {text: at for at, text in enumerate(sorted(set(texts)))}
    return np.fromiter(map(place.__getitem__, texts), dtype=np.int64, count=len(texts)), len(place)


def _text(column: Column) -> FloatMatrix:
    """Words hashed into a fixed width, weighed by how rare they are (TF-IDF)."""
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

    missing = column.is_null().to_numpy().astype(bool)
    texts = ["" if gone else str(text) for text, gone in zip(column.to_list(), missing, strict=True)]
    counts = HashingVectorizer(n_features=TEXT_COLUMNS, alternate_sign=False, norm=None).transform(texts)
    weighed = TfidfTransformer(sublinear_tf=True).fit_transform(counts)
    return np.asarray(weighed.toarray(), dtype=np.float32)


def _vector(column: Column) -> FloatMatrix:
    rows = column.to_list()
    sizes = {len(row) for row in rows if _is_vector(row)}
    if len(sizes) != 1:
        raise FeatureError(
            f"Column {column.name!r} holds lists of different lengths ({min(sizes)} to {max(sizes)}). "
            "An embedding has one length; pad the lists, or leave the column out with exclude=."
        )
    (size,) = sizes
    matrix = np.full((len(rows), size), np.nan, dtype=np.float32)
    for position, row in enumerate(rows):
        if _is_vector(row):
            matrix[position] = _floats(row, column.name)
    return matrix


def _is_vector(row: Any) -> bool:
    return row is not None and not isinstance(row, (float, str)) and hasattr(row, "__len__")


def _floats(row: Any, name: str) -> NDArray[np.float32]:
    try:
        return np.asarray(row, dtype=np.float32).ravel()
    except (TypeError, ValueError) as error:
        raise FeatureError(
            f"Column {name!r} holds lists that are not numbers (such as {str(row)[:40]}). "
            "Leave it out with exclude=, or turn it into numbers or a string."
        ) from error


_ENCODERS: dict[Kind, Callable[[Column], FloatMatrix]] = {
    "number": _number,
    "boolean": _boolean,
    "date": _date,
    "category": _category,
    "text": _text,
    "vector": _vector,
}


def leaks(encoded: Encoded, kinds: Mapping[str, Kind], codes: NDArray[np.int64]) -> tuple[list[str], list[str]]:
    """Columns that give the label away: (copies of it, columns that alone determine it).

    A copy has one value per class. A column *determines* the label when no value of it comes with two
    classes and its values repeat often enough (5 rows each) for that not to be chance.

    Args:
        encoded: The feature matrix (n, d).
        kinds: As given to :func:`encode_features`.
        codes: (n,) class positions, -1 where missing.
    """
    known = codes >= 0
    labels, n_classes = codes[known], int(codes.max()) + 1
    copies: list[str] = []
    determining: list[str] = []
    for name, kind in kinds.items():
        if kind in ("text", "vector"):
            continue
        values = _value_codes(encoded.matrix[:, encoded.blocks[name]][known], labels)
        if values is None:
            continue
        distinct = int(values.max()) + 1
        pairs = len(np.unique(values * n_classes + labels))
        if pairs > distinct or distinct * 5 > len(labels):
            continue
        (copies if distinct == len(np.unique(labels)) else determining).append(name)
    return copies, determining


def _value_codes(part: FloatMatrix, labels: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """Codes of the distinct rows of ``part``; None as soon as the first rows rule out that it determines labels."""
    head = slice(0, 2_000)
    for where in (head, slice(None)):
        keys = _row_keys(part[where])
        inverse = np.unique(keys, return_inverse=True)[1].astype(np.int64)
        n_classes = int(labels.max()) + 1
        if len(np.unique(inverse * n_classes + labels[where])) > int(inverse.max()) + 1:
            return None
    return inverse


def _row_keys(part: FloatMatrix) -> NDArray[Any]:
    rows = np.ascontiguousarray(np.where(np.isnan(part), np.float32(np.inf), part) + np.float32(0.0))
    return rows.view(np.dtype((np.void, rows.shape[1] * rows.itemsize))).ravel()
