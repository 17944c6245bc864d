"""Learn from the rows that a peer finds easy: co-teaching for any classifier."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.utils import _safe_indexing

from dqlabels.learn.base import NoisyLabelClassifier, noise_of
from dqlabels.learn.options import within
from dqlabels.learn.rows import Rows, class_probabilities, losses
from dqlabels.learn.types import BoolArray, FloatArray, IntArray, Noise


@dataclass(kw_only=True, eq=False, repr=False)
class CoTeachingClassifier(NoisyLabelClassifier):
    """Fit models on separate parts of the rows, which choose the rows of small loss for one another.

    The rows are dealt into ``n_parts``. In each round every part is judged by a model of the other parts' kept rows,
    and keeps the share R of smallest loss, R = 1 - forget_rate * min((round / n_gradual) ** exponent, 1). What is kept
    in the end is fitted. With two parts this is the exchange of co-teaching's two networks, each learning from what
    the other chose and never judging a row it has seen; the original on PyTorch is ``CoTeachingNetwork``.

    Args:
        estimator: Any classifier with probabilities; default histogram gradient boosting.
        forget_rate: Share of the rows to drop in the end, in [0, 1); None for the estimated noise rate.
        noise: How that is estimated: "default", a method of ``dqlabels.noise``, or a (K, K) array P(given | true).
        per_class: Drop of each class the share of it that is estimated (or given) to be wrong; otherwise hard classes
            are dropped first, right or wrong.
        n_parts: How many parts; with two, each model sees half of the rows.
        n_rounds: Rounds.
        n_gradual: The rounds until the whole of ``forget_rate`` is dropped (the paper's T_k).
        exponent: The paper's c.
        cv: Folds of the first estimate of the noise.
        random_state: Seeds parts and folds, and the classifier where it has no seed of its own.
        n_jobs: Folds fitted at a time.

    After ``fit``: ``estimator_``, ``classes_``, ``kept_`` (n,) bool, ``forget_rate_`` (K,).

    Source: Han et al. (2018), arXiv 1804.06872, algorithm 1. The official code divides the mean loss of the kept rows
    by their number once more, which shrinks the steps by the batch size, and raises forget_rate, not the epoch, to the
    power c; neither is repeated.

    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.linear_model import LogisticRegression
    >>> X, y = make_blobs(200, centers=[[0, 0], [4, 4]], cluster_std=1.5, random_state=0)
    >>> noisy = np.where(np.arange(200) % 5 == 0, 0, y)
    >>> CoTeachingClassifier(LogisticRegression()).fit(X, noisy).score(X, y) > 0.9
    True
    """

    forget_rate: float | None = within(None, 0, 0.99)
    noise: Noise = "anchor"
    per_class: bool = True
    n_parts: int = within(2, 2, 1000)
    n_rounds: int = within(4, 1, 1000)
    n_gradual: int = within(3, 1, 1000)
    exponent: float = within(1.0, 0, 100)

    def _learn(self, rows: Rows) -> None:
        self.forget_rate_ = self._forget_rates(rows)
        parts = rows.deal(self.n_parts)
        chosen = np.ones(rows.codes.size, dtype=bool)
        for at in range(1, self.n_rounds + 1):
            done = min((at / self.n_gradual) ** self.exponent, 1.0)
            loss = self._peer_losses(rows, parts, chosen)
            for part in np.unique(parts):
                own = np.flatnonzero(parts == part)
                rates = done * self.forget_rate_
                chosen[own] = small_losses(rows.codes[own], loss[own], rates, per_class=self.per_class)
        self.kept_ = chosen
        self.estimator_ = rows.fit(rows.codes, rows=np.flatnonzero(chosen))

    def _forget_rates(self, rows: Rows) -> FloatArray:
        if self.forget_rate is not None:
            return np.full(rows.n_classes, float(self.forget_rate))
        noise = noise_of(self.noise, rows, rows.out_of_fold())
        return 1 - np.diagonal(noise.inverse) if self.per_class else np.full(rows.n_classes, noise.rate)

    def _peer_losses(self, rows: Rows, parts: IntArray, chosen: BoolArray) -> FloatArray:
        """Return the loss (n,) of each row under a model of the rows chosen in the other parts."""
        found = np.zeros(rows.codes.size)
        for part in np.unique(parts):
            own = np.flatnonzero(parts == part)
            model = rows.fit(rows.codes, rows=np.flatnonzero(chosen & (parts != part)))
            probs = class_probabilities(model, _safe_indexing(rows.X, own), rows.n_classes)
            found[own] = losses(rows.codes[own], probs)
        return found


def small_losses(codes: IntArray, loss: FloatArray, rates: FloatArray, *, per_class: bool) -> BoolArray:
    """Return which rows (n,) have the smallest loss: all but ``rates`` (K,) of each class, or of all rows together.

    Rows that tie with the last one are included; every class keeps at least one.

    Args:
        codes: (n,) given labels as class positions.
        loss: (n,) loss of each row.
        rates: (K,) share of each class to leave out, in [0, 1].
        per_class: Whether each class is cut on its own.

    >>> loss, rates = np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.5, 0.5])
    >>> small_losses(np.array([0, 0, 1, 1]), loss, rates, per_class=True).tolist()
    [True, False, True, False]
    >>> small_losses(np.array([0, 0, 0, 1]), loss, rates, per_class=False).tolist()
    [True, True, False, True]
    """
    if not per_class:
        chosen = _smallest(loss, float(rates @ np.bincount(codes, minlength=rates.size) / codes.size))
        for lost in np.setdiff1d(codes, codes[chosen]):
            chosen |= (codes == lost) & (loss == loss[codes == lost].min())
        return chosen
    chosen = np.zeros(codes.size, dtype=bool)
    for k in np.unique(codes):
        of_class = np.flatnonzero(codes == k)
        chosen[of_class] = _smallest(loss[of_class], float(rates[k]))
    return chosen


def _smallest(loss: FloatArray, rate: float) -> BoolArray:
    number = max(round((1 - rate) * loss.size), 1)
    return np.asarray(loss <= np.partition(loss, number - 1)[number - 1])
