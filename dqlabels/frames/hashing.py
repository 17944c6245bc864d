"""Hashes of what rows hold: whatever tells rows apart, orders them or draws them by content does so here.

Two hashes of 64 bits are in use, and neither may change a bit: :func:`hash_columns` is quick enough for every value of
a large table, and decides which rows are sampled; :func:`hash_words` mixes each word fully, orders the rows that models
are fitted on, and is stored in saved auditors.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from dqlabels.frames.arrays import FloatArray, Hashes, IntArray
from dqlabels.frames.columns import Column, Frame, floats, missing_rows

Floats = TypeVar("Floats", NDArray[np.float32], FloatArray)

SEED = np.uint64(0x9E3779B97F4A7C15)
# Odd, so that a step is one to one in the hash and in the word; the finish is that of splitmix64 (Vigna 2015).
STEP = np.uint64(0xD6E8FEB86659FD93)
MIXERS = ((np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)), (np.uint64(27), np.uint64(0x94D049BB133111EB)))
# Word of a missing text; texts that are there have 32 bits.
MISSING = np.uint64(2**32)


def hash_columns(words: Iterable[NDArray[np.uint64]], n_rows: int) -> Hashes:
    """Return a 64-bit hash (n,) of each row's words, given as columns (n,) of 64 bits.

    >>> same = hash_columns([np.array([1, 1, 2], np.uint64), np.array([3, 3, 3], np.uint64)], 3)
    >>> bool(same[0] == same[1]), bool(same[0] == same[2])
    (True, False)
    """
    hashes = np.full(n_rows, SEED)
    for word in words:
        hashes ^= word
        hashes *= STEP
        hashes ^= hashes >> np.uint64(32)
    _mix(hashes)
    return hashes


def hash_words(words: NDArray[np.uint32]) -> Hashes:
    """Return a 64-bit hash (n,) of each row's words (n, w), by splitmix64 over the columns.

    >>> same = hash_words(np.array([[1, 2], [1, 2], [2, 1]], np.uint32))
    >>> bool(same[0] == same[1]), bool(same[0] == same[2])
    (True, False)
    """
    hashes = np.full(len(words), SEED)
    for column in range(words.shape[1] if len(words) else 0):
        hashes ^= words[:, column].astype(np.uint64) + SEED
        _mix(hashes)
    return hashes


def _mix(hashes: Hashes) -> None:
    for shift, factor in MIXERS:
        hashes ^= hashes >> shift
        hashes *= factor
    hashes ^= hashes >> np.uint64(31)


def canonical(values: Floats) -> Floats:
    """Return a copy in which all NaN have the same bits, and -0 those of 0."""
    clean: Floats = values + values.dtype.type(0)
    _unify_missing(clean)
    return clean


def _unify_missing(values: Floats) -> None:
    absent = np.isnan(values)
    if absent.any():
        values[absent] = np.nan


def hash_features(matrix: NDArray[np.float32]) -> Hashes:
    """Return the quick hash (n,) of each row of a feature matrix."""
    n, width = matrix.shape
    padded = np.zeros((n, width + width % 2), dtype=np.float32)
    np.add(matrix, np.float32(0), out=padded[:, :width])
    _unify_missing(padded)
    return hash_columns(padded.view(np.uint64).T, n)


def hash_matrix(matrix: NDArray[np.float32]) -> Hashes:
    """Return the fully mixed hash (n,) of each row of a feature matrix."""
    return hash_words(np.ascontiguousarray(canonical(matrix)).view(np.uint32))


def content_hashes(frame: Frame, columns: Sequence[str], codes: IntArray) -> Hashes:
    """Return the quick hash (n,) of each row's class and its values in ``columns``, whatever their storage."""
    words = [codes.astype(np.uint64)]
    for name in columns:
        words.append(_long_words(frame[name]))
    return hash_columns(words, len(codes))


def _long_words(column: Column) -> NDArray[np.uint64]:
    """The values (n,) as 64-bit words: numbers by their double, moments by their milliseconds, all else as text."""
    dtype = column.dtype
    if dtype in (nw.Date, nw.Datetime):
        column = column.dt.timestamp("ms")
    elif dtype == nw.Duration:
        column = column.dt.total_microseconds()
    elif not (dtype.is_numeric() or dtype == nw.Boolean):
        return _text_words(column)
    return canonical(floats(column)).view(np.uint64)


def _text_words(column: Column) -> NDArray[np.uint64]:
    if isinstance(column.dtype, (nw.List, nw.Array)):
        texts = [",".join(map(repr, map(float, row))) if row is not None else "" for row in column.to_list()]
    else:
        texts = [str(value) for value in column.to_list()]
    codes = {text: zlib.crc32(text.encode("utf-8", "surrogatepass")) for text in set(texts)}
    hashed = np.fromiter(map(codes.__getitem__, texts), dtype=np.uint64, count=len(texts))
    hashed[missing_rows(column)] = MISSING
    return hashed


def hash_inputs(X: Any) -> Hashes:
    """Return the fully mixed hash (n,) of each row of what scikit-learn takes.

    That is an array of any shape, a sparse matrix, or a frame of any column types.

    >>> hashes = hash_inputs(np.array([[1.0, 2.0], [1.0, 2.0], [2.0, 1.0]]))
    >>> bool(hashes[0] == hashes[1]), bool(hashes[0] == hashes[2])
    (True, False)
    """
    if hasattr(X, "tocoo"):
        entries = X.tocoo()
        stored = entries.data != 0
        words = np.column_stack([entries.col[stored].astype(np.uint32), _short_words(entries.data[stored])])
        sums = np.full(entries.shape[0], SEED)
        np.add.at(sums, entries.row[stored], hash_words(words))
        return sums
    if hasattr(X, "columns"):
        # Not frame[name]: column names may be numbers.
        columns = nw.from_native(X, eager_only=True).iter_columns()
        return hash_words(np.column_stack([_short_words(column.to_numpy()) for column in columns]))
    values = np.asarray(X)
    return hash_words(_short_words(values.reshape(len(values), -1)))


def _short_words(values: NDArray[np.generic]) -> NDArray[np.uint32]:
    """32-bit words (n, w) of a column (n,) or matrix (n, d); numbers by value, anything else by its text."""
    values = values.reshape(len(values), -1)
    if values.dtype.kind in "biuf":
        return np.ascontiguousarray(canonical(values.astype(np.float64))).view(np.uint32)
    texts = (zlib.crc32(repr(value).encode()) for value in values.ravel().tolist())
    return np.fromiter(texts, dtype=np.uint32, count=values.size).reshape(values.shape)


def row_marks(codes: Mapping[str, IntArray]) -> Hashes:
    """Return a 64-bit mark (n, c) of the value in each of c columns; rows whose marks have the same sum are alike.

    So the rows alike in all columns but one are those whose sums less that column's mark are the same. Two rows that
    differ share a sum with a chance of 2**-64.
    """
    marks = []
    for at, column in enumerate(codes.values()):
        rng = np.random.default_rng([0xD91, at])
        drawn = rng.integers(0, 2**64, int(column.max(initial=-1)) + 2, dtype=np.uint64)
        marks.append(drawn[column])
    return np.column_stack(marks)


def groups_alike(marks: Hashes) -> IntArray:
    """Return the number (n,) of the group of rows alike in every column that each row belongs to."""
    return np.asarray(np.unique(marks.sum(axis=1, dtype=np.uint64), return_inverse=True)[1].astype(np.int64))
