"""Hashes of what rows hold, word by word down the columns: quick enough to be taken of every value of a large table."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

SEED = np.uint64(0x9E3779B97F4A7C15)
# Odd, so that a step is one to one in the hash and in the word; the finish is that of splitmix64 (Vigna 2015).
STEP = np.uint64(0xD6E8FEB86659FD93)
MIXERS = ((np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)), (np.uint64(27), np.uint64(0x94D049BB133111EB)))


def hash_columns(words: Iterable[NDArray[np.uint64]], n_rows: int) -> Hashes:
    """A 64-bit hash (n,) of each row's words, given as columns (n,) of 64 bits.

    >>> same = hash_columns([np.array([1, 1, 2], np.uint64), np.array([3, 3, 3], np.uint64)], 3)
    >>> bool(same[0] == same[1]), bool(same[0] == same[2])
    (True, False)
    """
    hashes = np.full(n_rows, SEED)
    for word in words:
        hashes ^= word
        hashes *= STEP
        hashes ^= hashes >> np.uint64(32)
    for shift, factor in MIXERS:
        hashes ^= hashes >> shift
        hashes *= factor
    hashes ^= hashes >> np.uint64(31)
    return hashes


def hash_features(matrix: NDArray[np.float32]) -> Hashes:
    """A hash (n,) of each row of a feature matrix; one missing value is like another, and -0 like 0."""
    n, width = matrix.shape
    clean = np.zeros((n, width + width % 2), dtype=np.float32)
    np.add(matrix, np.float32(0), out=clean[:, :width])
    absent = np.isnan(clean)
    if absent.any():
        clean[absent] = np.nan
    return hash_columns(clean.view(np.uint64).T, n)
