"""Agreement between annotators beyond chance: Krippendorff's alpha over all, Cohen's kappa for each pair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dqlabels.errors import OptionError
from dqlabels.statistics.arrays import FloatArray, IntArray
from dqlabels.statistics.votes import Votes

REPLICATES = 400
# Fewer items than this to a pattern, on average, are drawn one by one.
SHARED = 2


@dataclass(frozen=True, slots=True)
class Agreement:
    """Krippendorff's alpha of nominal labels with its interval.

    ``alpha`` is 1 if all agree, 0 if they agree as often as by chance, and below 0 if less often. ``observed`` is the
    share of pairs of labels on the same item that agree, in [0, 1]. ``items`` counts the items with at least two
    labels, ``labels`` their labels.

    >>> import dqlabels, polars as pl
    >>> votes = {"ann": list("aabbab"), "bob": list("aabbab"), "cid": list("aabbaa")}
    >>> found = dqlabels.audit(pl.DataFrame(votes), ["ann", "bob", "cid"]).agreement
    >>> found.items, found.labels, round(found.observed, 2)  # 16 of 18 pairs agree
    (6, 18, 0.89)
    """

    alpha: float
    low: float
    high: float
    confidence: float
    observed: float
    items: int
    labels: int

    def __str__(self) -> str:
        return (
            f"{self.alpha:.3f} ({self.confidence:.0%} interval {self.low:.3f} to {self.high:.3f}, "
            f"{self.observed:.1%} of pairs agree, {self.items:,} items)"
        )

    def to_dict(self) -> dict[str, float]:
        """Plain numbers, ready for JSON.

        >>> Agreement(1.0, 0.8, 1.0, 0.90, 1.0, 20, 40).to_dict()["items"]
        20
        """
        return {name: getattr(self, name) for name in self.__slots__}


def krippendorff_alpha(votes: Votes, *, confidence: float = 0.90, random_state: int = 0) -> Agreement:
    """Krippendorff's alpha for nominal labels, any number of annotators and missing labels.

    Args:
        votes: Labels, with at least one item that has two of them.
        confidence: Confidence of the interval, in (0, 1).
        random_state: Seed of the bootstrap over items.

    Raises:
        OptionError: No item has two labels, or ``confidence`` is outside (0, 1).

    Source: Krippendorff (2011), *Computing Krippendorff's Alpha-Reliability*; (2004) *Content Analysis*, chapter 11.
    If all paired labels are of one class, alpha is 1 by convention.

    >>> ben_gerry = ["aabbdcccedda", "babbbccceddd"]
    >>> codes = np.array([[ord(letter) - 97 for letter in row] for row in ben_gerry]).T
    >>> round(krippendorff_alpha(Votes.of_columns(codes, 5)).alpha, 3)
    0.692
    """
    if not 0 < confidence < 1:
        raise OptionError(f"confidence={confidence!r} is not between 0 and 1; for a 90% interval pass 0.90.")
    counts, number = votes.class_counts(), votes.labels_an_item()
    paired = number > 1
    if not paired.any():
        raise OptionError("No item has labels of two annotators, so their agreement is not known.")
    counts, number, sizes = counts[paired], number[paired], votes.sizes[paired].astype(np.float64)
    same = (counts * (counts - 1)).sum(axis=1) / (number - 1)
    alphas = _alpha(_resampled(sizes, np.random.default_rng(random_state)), counts, same)
    alpha = float(_alpha(sizes[None], counts, same)[0])
    tail = (1 - confidence) / 2
    low, high = np.quantile(alphas, [tail, 1 - tail])
    pairs = float((sizes * number * (number - 1)).sum())
    observed = float((sizes * (counts * (counts - 1)).sum(axis=1)).sum()) / pairs
    return Agreement(
        alpha, min(float(low), alpha), max(float(high), alpha), confidence, observed,
        int(sizes.sum()), int((sizes * number).sum()),
    )  # fmt: skip


def _resampled(sizes: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Items of each pattern (R, P) in samples of as many items with replacement.

    Where few items share a pattern it takes less time to draw them one by one.
    """
    items = int(sizes.sum())
    if items >= SHARED * sizes.size:
        return rng.multinomial(items, sizes / sizes.sum(), size=REPLICATES).astype(np.float64)
    pattern = np.repeat(np.arange(sizes.size), sizes.astype(np.int64))
    drawn = [np.bincount(pattern[rng.integers(items, size=items)], minlength=sizes.size) for _ in range(REPLICATES)]
    return np.array(drawn, dtype=np.float64)


def _alpha(sizes: FloatArray, counts: FloatArray, same: FloatArray) -> FloatArray:
    """Alpha (R,) of R samples with (R, P) items of each pattern: 1 - observed over expected disagreement."""
    by_class = sizes @ counts
    total = by_class.sum(axis=1)
    disagree = 1 - (sizes @ same) / total
    chance = 1 - (by_class * (by_class - 1)).sum(axis=1) / (total * (total - 1))
    return np.asarray(np.where(chance > 0, 1 - disagree / np.where(chance > 0, chance, 1), 1.0))


@dataclass(frozen=True, slots=True, eq=False)
class PairAgreements:
    """How often each of m pairs of annotators agree on the items they have in common.

    ``first`` and ``second`` (m,) number the annotators; ``items`` (m,) counts what they have in common; ``agreement``
    (m,) is the share of it on which they agree, in [0, 1]; ``kappa`` (m,) is Cohen's, at most 1.
    """

    first: IntArray
    second: IntArray
    items: FloatArray
    agreement: FloatArray
    kappa: FloatArray


def pair_agreements(votes: Votes) -> PairAgreements:
    """Agreement of each pair of annotators with items in common; kappa is NaN where chance agreement is certain.

    Source: Cohen (1960), Educational and Psychological Measurement 20:37-46.

    >>> labels = np.array([[0, 0], [1, 1], [0, 1], [1, 0]])
    >>> pair_agreements(Votes.of_columns(labels, 2)).agreement.tolist()
    [0.5]
    """
    k = votes.n_classes
    joint = (votes.matrix.T @ votes.matrix.multiply(votes.sizes[:, None])).tocoo()
    one, two = joint.row // k, joint.col // k
    apart = one < two
    pairs, at = np.unique(one[apart] * votes.n_annotators + two[apart], return_inverse=True)
    tables = np.zeros((pairs.size, k, k))
    tables[at, joint.row[apart] % k, joint.col[apart] % k] = joint.data[apart]
    first, second, items = pairs // votes.n_annotators, pairs % votes.n_annotators, tables.sum(axis=(1, 2))
    tables /= items[:, None, None]
    agreed = np.trace(tables, axis1=1, axis2=2)
    chance = (tables.sum(axis=2) * tables.sum(axis=1)).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        kappa = np.where(chance < 1, (agreed - chance) / (1 - chance), np.nan)
    return PairAgreements(first, second, items, agreed, kappa)
