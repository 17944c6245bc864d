"""Whether annotators err independently of each other once the true class is known."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from dqlabels.noise.true_classes import TrueClasses
from dqlabels.statistics.arrays import BoolArray, FloatArray, IntArray
from dqlabels.statistics.votes import Votes

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

# Draws that are checked, and items looked at in each.
CHECKED_DRAWS = 40
CHECKED_ITEMS = 2000
# Pseudo-labels by which an annotator's rate in a class is drawn to the rate in all classes; and the least rate.
POOLED = 2.0
MIN_RATE = 1e-6
# Pairs with less variance than this in common count as if they had it: one coincidence proves nothing.
MIN_VARIANCE = 0.5


@dataclass(slots=True, eq=False)
class IndependenceCheck:
    """Posterior predictive check of independent errors, made while the true classes are drawn.

    Given a draw of the true classes, each annotator errs at some rate in each class, and each pair errs together some
    number of times more or less than independent annotators of these rates would. The squares of these, each over its
    variance, are summed over the pairs, and compared with the same sum for errors drawn anew at these rates. Every
    ``every`` steps a draw is looked at; with fewer than three annotators none is, since nothing shows there who errs.

    Source: posterior predictive p-values as in Gelman, Meng & Stern (1996), Statistica Sinica 6:733-807.
    """

    matrix: csr_matrix
    annotators: int
    classes: int
    every: int
    rng: np.random.Generator
    larger: list[bool] = field(default_factory=list)

    @classmethod
    def of(cls, votes: Votes, annotators: int, every: int, rng: np.random.Generator) -> IndependenceCheck:
        """Begin a check of the first ``annotators`` of the votes; a model that counts as another one is left out.

        Args:
            votes: Items by pattern.
            annotators: How many of the annotators are tested.
            every: Steps from one look to the next.
            rng: Where the new errors are drawn from.
        """
        return cls(votes.matrix[:, : annotators * votes.n_classes], annotators, votes.n_classes, every, rng.spawn(1)[0])

    def look(self, true: TrueClasses) -> None:
        """Compare the errors under a draw of true classes with independent errors."""
        if self.annotators < 3:
            return
        pattern, truth = true.items()
        if pattern.size > CHECKED_ITEMS:
            some = self.rng.choice(pattern.size, CHECKED_ITEMS, replace=False)
            pattern, truth = pattern[some], truth[some]
        labels = self.matrix[pattern].tocoo()
        who, code = labels.col // self.classes, labels.col % self.classes
        right = truth[labels.row]
        observed = code != right
        anew = self.rng.random(observed.size) < self._chances(who, right, observed)
        of_observed, of_anew = (self._together(labels.row, who, right, wrong) for wrong in (observed, anew))
        self.larger.append(of_anew >= of_observed)

    def p_value(self) -> float:
        """Share of the draws in which independent errors coincide as much as those observed; NaN if none was made."""
        return float(np.mean(self.larger)) if self.larger else float("nan")

    def _chances(self, who: IntArray, right: IntArray, wrong: BoolArray) -> FloatArray:
        """Rate at which each label's annotator errs in its true class, drawn to the annotator's rate in all classes."""
        cell = who * self.classes + right
        cells = self.annotators * self.classes
        number, errors = np.bincount(cell, minlength=cells), np.bincount(cell, wrong, cells)
        own = errors.reshape(self.annotators, -1).sum(axis=1) / np.maximum(
            number.reshape(self.annotators, -1).sum(axis=1), 1
        )
        rates = (errors + POOLED * np.repeat(own, self.classes)) / (number + POOLED)
        return np.asarray(np.clip(rates, MIN_RATE, 1 - MIN_RATE)[cell])

    def _together(self, item: IntArray, who: IntArray, right: IntArray, wrong: BoolArray) -> float:
        """Sum over pairs of the squared excess of errors in common over its variance."""
        chance = self._chances(who, right, wrong)
        met = self._pairs(item, who, np.ones(chance.size))
        one, other = np.repeat(np.arange(self.annotators), np.diff(met.indptr)), met.indices
        one, other = one[one != other], other[one != other]
        # Looked up, since a product of sparse matrices leaves out sums that are 0.
        excess, variance = (
            np.asarray(self._pairs(item, who, values)[one, other]).ravel()
            for values in (wrong - chance, chance * (1 - chance))
        )
        return float((excess**2 / np.maximum(variance, MIN_VARIANCE)).sum())

    def _pairs(self, item: IntArray, who: IntArray, values: FloatArray) -> csr_matrix:
        """Sums (J, J) over items of the products of two annotators' values."""
        from scipy.sparse import csr_matrix

        table = csr_matrix((values, (item, who)), shape=(int(item.max(initial=0)) + 1, self.annotators))
        products = (table.T @ table).tocsr()
        products.sort_indices()
        return products
