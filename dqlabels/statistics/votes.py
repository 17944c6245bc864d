"""The labels that annotators gave to items, as counts that no order of rows can change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dqlabels.statistics.arrays import FloatArray, IntArray

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


@dataclass(frozen=True, slots=True, eq=False)
class Votes:
    """V labels of N items by J annotators, in K classes.

    ``item``, ``who`` and ``code`` are (V,) int64, the position of the item, the annotator and the class.
    Items that got the same labels from the same annotators share a pattern: ``pattern`` (N,) is its number,
    ``sizes`` (P,) how many items have it, and ``matrix`` (P, J * K), sparse, how often annotator j gave class
    k to such an item in column ``j * K + k``. Patterns are numbered by what they hold.
    """

    item: IntArray
    who: IntArray
    code: IntArray
    n_annotators: int
    n_classes: int
    pattern: IntArray
    sizes: IntArray
    matrix: csr_matrix

    @classmethod
    def of(
        cls, item: IntArray, who: IntArray, code: IntArray, *, n_items: int, n_annotators: int, n_classes: int
    ) -> Votes:
        """Count labels; items that nobody labelled are a pattern of their own.

        >>> votes = Votes.of(np.array([0, 0, 1]), np.array([0, 1, 0]), np.array([1, 1, 0]), n_items=3, n_annotators=2,
        ...                  n_classes=2)
        >>> votes.class_counts()[votes.pattern].tolist()
        [[0.0, 2.0], [1.0, 0.0], [0.0, 0.0]]
        """
        from scipy.sparse import csr_matrix

        cells = who * n_classes + code
        marks = np.zeros(n_items, dtype=np.uint64)
        np.add.at(marks, item, _mixed(cells.astype(np.uint64)))
        _, first, pattern, sizes = np.unique(marks, return_index=True, return_inverse=True, return_counts=True)
        shape = (n_items, n_annotators * n_classes)
        whole = csr_matrix((np.ones(item.size), (item, cells)), shape=shape)
        return cls(item, who, code, n_annotators, n_classes, pattern.astype(np.int64), sizes, whole[first])

    @classmethod
    def of_columns(cls, codes: IntArray, n_classes: int) -> Votes:
        """Labels (N, J) side by side, -1 where an annotator gave none."""
        item, who = np.nonzero(codes >= 0)
        n_items, n_annotators = codes.shape
        return cls.of(item, who, codes[item, who], n_items=n_items, n_annotators=n_annotators, n_classes=n_classes)

    @property
    def n_items(self) -> int:
        """Items, labelled or not."""
        return self.pattern.size

    @property
    def labels_an_annotator(self) -> IntArray:
        """(J,) labels that each annotator gave."""
        return np.bincount(self.who, minlength=self.n_annotators)

    def class_counts(self) -> FloatArray:
        """(P, K) labels of each class that an item of the pattern got."""
        return np.asarray(self.matrix @ np.tile(np.eye(self.n_classes), (self.n_annotators, 1)))

    def labels_an_item(self) -> FloatArray:
        """(P,) labels that an item of the pattern got."""
        return np.asarray(self.class_counts().sum(axis=1))

    def by_annotator(self, values: FloatArray) -> FloatArray:
        """(J, K) sums over items: the values (P, K) of an item, at the class it got, times how often it got it."""
        weighted = values * self.sizes[:, None]
        given = np.tile(np.arange(self.n_classes), self.n_annotators)
        sums = np.asarray(self.matrix.T @ weighted)[np.arange(given.size), given]
        return np.asarray(sums.reshape(self.n_annotators, self.n_classes))

    def confusion(self, weights: FloatArray) -> FloatArray:
        """(J, K, K) labels by annotator, true class and given class, where an item's true class weighs (P, K)."""
        sums = np.asarray(self.matrix.T @ (weights * self.sizes[:, None]))
        return np.asarray(sums.reshape(self.n_annotators, self.n_classes, self.n_classes).transpose(0, 2, 1))

    def log_likelihood(self, matrices: FloatArray) -> FloatArray:
        """(P, K) log-probability of an item's labels for each true class, under matrices (J, K, K) of logarithms."""
        cells = matrices.transpose(0, 2, 1).reshape(self.n_annotators * self.n_classes, self.n_classes)
        return np.asarray(self.matrix @ cells)


def _mixed(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Words (m,) spread over 64 bits (splitmix64), so that sums of them tell sets of labels apart."""
    mixed = words + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)), dtype=np.uint64)


def repeated(votes: Votes) -> int:
    """How many labels an annotator gave to an item that had one by the same annotator already."""
    pairs = votes.item * votes.n_annotators + votes.who
    return int(pairs.size - np.unique(pairs).size)


def shares(counts: FloatArray, axis: int = -1, otherwise: Sequence[float] | FloatArray | float = 0.0) -> FloatArray:
    """Counts over their sum along ``axis``; ``otherwise`` where there are none."""
    total = counts.sum(axis=axis, keepdims=True)
    return np.asarray(np.where(total > 0, counts / np.where(total > 0, total, 1), otherwise))
