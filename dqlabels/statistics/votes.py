"""Labels that annotators gave to items, as counts that do not depend on the order of the rows."""

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

    ``item``, ``who`` and ``code`` (V,) are the positions of the item, the annotator and the class of each label.
    Items with the same labels from the same annotators share a pattern: ``pattern`` (N,) is the number of each item's
    pattern and ``sizes`` (P,) counts its items. Column ``j * K + k`` of the sparse ``matrix`` (P, J * K) is how often
    annotator j gave class k to an item of the pattern. Patterns are numbered by their content.
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
        """Count labels; items that nobody labelled have a pattern of their own.

        Args:
            item: (V,) position of the item of each label.
            who: (V,) position of its annotator.
            code: (V,) position of its class.
            n_items: N.
            n_annotators: J.
            n_classes: K.

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
        """Count labels (N, J) with one column per annotator, -1 where an annotator gave none."""
        item, who = np.nonzero(codes >= 0)
        n_items, n_annotators = codes.shape
        return cls.of(item, who, codes[item, who], n_items=n_items, n_annotators=n_annotators, n_classes=n_classes)

    @property
    def n_items(self) -> int:
        """Number of items, labelled or not."""
        return self.pattern.size

    @property
    def labels_an_annotator(self) -> IntArray:
        """Number of labels each annotator gave, shape (J,)."""
        return np.bincount(self.who, minlength=self.n_annotators)

    def class_counts(self) -> FloatArray:
        """Labels of each class on an item of each pattern, shape (P, K)."""
        return np.asarray(self.matrix @ np.tile(np.eye(self.n_classes), (self.n_annotators, 1)))

    def labels_an_item(self) -> FloatArray:
        """Labels on an item of each pattern, shape (P,)."""
        return np.asarray(self.class_counts().sum(axis=1))

    def by_annotator(self, values: FloatArray) -> FloatArray:
        """Sum the values (P, K) of the items, each at the class it was given, by annotator and class, shape (J, K)."""
        weighted = values * self.sizes[:, None]
        given = np.tile(np.arange(self.n_classes), self.n_annotators)
        sums = np.asarray(self.matrix.T @ weighted)[np.arange(given.size), given]
        return np.asarray(sums.reshape(self.n_annotators, self.n_classes))

    def confusion(self, weights: FloatArray) -> FloatArray:
        """Labels by annotator, true and given class (J, K, K); ``weights`` (P, K) spread an item over true classes."""
        sums = np.asarray(self.matrix.T @ (weights * self.sizes[:, None]))
        return np.asarray(sums.reshape(self.n_annotators, self.n_classes, self.n_classes).transpose(0, 2, 1))

    def log_likelihood(self, matrices: FloatArray) -> FloatArray:
        """Log-likelihood of an item's labels by true class, shape (P, K), under log-probabilities (J, K, K)."""
        cells = matrices.transpose(0, 2, 1).reshape(self.n_annotators * self.n_classes, self.n_classes)
        return np.asarray(self.matrix @ cells)


def _mixed(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread words (m,) over 64 bits (splitmix64), so that their sums tell sets of labels apart."""
    mixed = words + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)), dtype=np.uint64)


def repeated(votes: Votes) -> int:
    """Number of labels given to an item that already had one from the same annotator."""
    pairs = votes.item * votes.n_annotators + votes.who
    return int(pairs.size - np.unique(pairs).size)


def shares(counts: FloatArray, axis: int = -1, otherwise: Sequence[float] | FloatArray | float = 0.0) -> FloatArray:
    """Divide counts by their sum along ``axis``; the result is ``otherwise`` where the sum is 0."""
    total = counts.sum(axis=axis, keepdims=True)
    return np.asarray(np.where(total > 0, counts / np.where(total > 0, total, 1), otherwise))
