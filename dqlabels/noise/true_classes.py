"""A draw of the true classes of items, item by item or by pattern of labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from dqlabels.statistics.arrays import FloatArray, IntArray


class TrueClasses(Protocol):
    """What a chain asks of a draw of the true classes of items that are grouped by pattern."""

    def totals(self) -> FloatArray:
        """Items of each class, shape (K,)."""

    def by_consensus(self, consensus_shares: FloatArray) -> FloatArray:
        """Items (K, K) by true and consensus class, from each pattern's shares (P, K) of consensus classes."""

    def items(self) -> tuple[IntArray, IntArray]:
        """Pattern and true class of each item."""


@dataclass(frozen=True, slots=True, eq=False)
class OneByOne:
    """The true class of each item, ``codes`` (P,), where each pattern has one item.

    >>> OneByOne(np.array([1, 1, 0]), 2).totals().tolist()
    [1.0, 2.0]
    """

    codes: IntArray
    n_classes: int

    def totals(self) -> FloatArray:
        """Items of each class, shape (K,)."""
        return np.bincount(self.codes, minlength=self.n_classes).astype(np.float64)

    def by_consensus(self, consensus_shares: FloatArray) -> FloatArray:
        """Items (K, K) by true and consensus class."""
        k = self.n_classes
        cells = self.codes[:, None] * k + np.arange(k)
        sums = np.bincount(cells.ravel(), weights=consensus_shares.ravel(), minlength=k * k)
        return np.asarray(sums.reshape(k, k), dtype=np.float64)

    def items(self) -> tuple[IntArray, IntArray]:
        """Pattern and true class of each item."""
        return np.arange(self.codes.size), self.codes


@dataclass(frozen=True, slots=True, eq=False)
class ByPattern:
    """How many items of each pattern are of each class, ``number`` (P, K).

    >>> pattern, truth = ByPattern(np.array([[2.0, 1.0]])).items()
    >>> pattern.tolist(), truth.tolist()
    ([0, 0, 0], [0, 0, 1])
    """

    number: FloatArray

    def totals(self) -> FloatArray:
        """Items of each class, shape (K,)."""
        return np.asarray(self.number.sum(axis=0))

    def by_consensus(self, consensus_shares: FloatArray) -> FloatArray:
        """Items (K, K) by true and consensus class."""
        return np.asarray(self.number.T @ consensus_shares)

    def items(self) -> tuple[IntArray, IntArray]:
        """Pattern and true class of each item."""
        pattern, truth = np.nonzero(self.number)
        often = self.number[pattern, truth].astype(np.int64)
        return np.repeat(pattern, often), np.repeat(truth, often)
