"""Learn only from rows on which two models disagree."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import check_is_fitted, validate_data

from dqlabels.learn.base import NoisyLabelClassifier, _as_rows
from dqlabels.learn.learner import weight_name
from dqlabels.learn.options import within
from dqlabels.learn.rows import Rows, class_probabilities
from dqlabels.learn.types import BoolArray, Inputs, IntArray
from dqlabels.models.estimator import Classifier


@dataclass(kw_only=True, eq=False, repr=False)
class DecouplingClassifier(NoisyLabelClassifier):
    """Update two models only on the rows that they answer differently.

    A classifier with ``partial_fit`` is updated batch by batch, as in the paper, after warm-up epochs on all rows. Any
    other classifier is fitted anew: two models start from separate halves of a warm-up share of the rows; the other
    rows come in batches, and of each batch those on which the two disagree join what both are fitted on.

    Args:
        estimator: Any classifier with probabilities; default histogram gradient boosting.
        warm_up: Share of the rows that both kinds learn from before they look at disagreement, in (0, 1); of
            the epochs, for a classifier with ``partial_fit``.
        n_batches: Batches of the remaining rows, for a classifier without ``partial_fit``.
        n_epochs: Passes over the rows, for a classifier with ``partial_fit``.
        batch_size: Rows of its batches.
        random_state: Seeds halves and batches, and the classifier where it has no seed of its own.

    After ``fit``: ``estimators_`` (the two), ``classes_``, ``update_shares_``: of each batch (or epoch) the share of
    rows on which they disagreed. Probabilities are the mean of the two.

    Source: Malach & Shalev-Shwartz (2017), arXiv 1706.02613, algorithm 1. The official code weighs the two classes by
    their share of each batch, and divides the loss of the disagreeing rows by no less than a tenth of the batch; both
    belong to its data, and here a batch counts as many rows as it has. Disagreement says nothing of which label is
    right: it lets wrong labels in at the rate of all rows where the models are unsure, and few once they agree.

    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.linear_model import LogisticRegression
    >>> X, y = make_blobs(200, centers=[[0, 0], [4, 4]], cluster_std=1.5, random_state=0)
    >>> noisy = np.where(np.arange(200) % 5 == 0, 0, y)
    >>> DecouplingClassifier(LogisticRegression()).fit(X, noisy).score(X, y) > 0.8
    True
    """

    one_learner: ClassVar[bool] = False

    cv: None = field(default=None, init=False)
    n_jobs: None = field(default=None, init=False)
    warm_up: float = within(0.5, 0.01, 0.99)
    n_batches: int = within(5, 1, 1000)
    n_epochs: int = within(20, 2, 100_000)
    batch_size: int = within(64, 1, 10**9)

    def _learn(self, rows: Rows) -> None:
        self.update_shares_: list[float] = []
        if hasattr(rows.estimator, "partial_fit"):
            self.estimators_ = self._by_updates(rows)
        else:
            self.estimators_ = self._by_refits(rows)

    def _by_refits(self, rows: Rows) -> list[Classifier]:
        parts = rows.deal(2 * self.n_batches)
        n_warm = min(max(round(2 * self.n_batches * self.warm_up), 2), 2 * self.n_batches - 1)
        halves = [np.flatnonzero((parts < n_warm) & (parts % 2 == half)) for half in (0, 1)]
        # A class too rare to reach both halves goes to both.
        halves = [np.union1d(half, _rare(rows.codes, half)) for half in halves]
        models = [rows.fit(rows.codes, rows=half) for half in halves]
        for part in range(n_warm, 2 * self.n_batches):
            batch = np.flatnonzero(parts == part)
            if not batch.size:
                continue
            apart = batch[_disagree(models, _safe_indexing(rows.X, batch), rows.n_classes)]
            self.update_shares_.append(apart.size / batch.size)
            if apart.size:
                halves = [np.union1d(half, apart) for half in halves]
                models = [rows.fit(rows.codes, rows=half) for half in halves]
        return models

    def _by_updates(self, rows: Rows) -> list[Classifier]:
        rng = np.random.default_rng([rows.seed, 0xDEC])
        models = [clone(rows.estimator) for _ in range(2)]
        for model in models:
            if "random_state" in model.get_params(deep=False):
                model.set_params(random_state=int(rng.integers(2**31 - 1)))
        order, everyone = rows.order, np.arange(rows.n_classes)
        for epoch in range(self.n_epochs):
            warm = epoch < max(round(self.n_epochs * self.warm_up), 1)
            updated = 0
            shuffled = [rng.permutation(order) for _ in models] if warm else [rng.permutation(order)] * 2
            for start in range(0, order.size, self.batch_size):
                for at, model in enumerate(models):
                    batch = shuffled[at][start : start + self.batch_size]
                    if not warm and at == 0:
                        chosen = batch[_disagree(models, _safe_indexing(rows.X, batch), rows.n_classes)]
                        updated += chosen.size
                    _update(model, rows, batch if warm else chosen, everyone)
            if not warm:
                self.update_shares_.append(updated / order.size)
        return models

    def predict_proba(self, X: Inputs) -> NDArray[np.float64]:
        """Return the mean of the two models' probabilities (n, K), in the order of ``classes_``."""
        check_is_fitted(self)
        X = _as_rows(X)
        validate_data(self, X, reset=False, skip_check_array=True)
        return np.asarray(np.mean([class_probabilities(m, X, len(self.classes_)) for m in self.estimators_], axis=0))


def _update(model: Any, rows: Rows, batch: IntArray, classes: IntArray) -> None:
    if not batch.size:
        return
    part, codes = _safe_indexing(rows.X, batch), rows.codes[batch]
    takes = rows.weights is not None and weight_name(model) == "sample_weight"
    if takes and rows.weights is not None:
        model.partial_fit(part, codes, classes=classes, sample_weight=rows.weights[batch])
    else:
        model.partial_fit(part, codes, classes=classes)


def _disagree(models: list[Classifier], X: Inputs, n_classes: int) -> BoolArray:
    one, other = (class_probabilities(model, X, n_classes).argmax(axis=1) for model in models)
    return np.asarray(one != other)


def _rare(codes: IntArray, rows: IntArray) -> IntArray:
    """Rows of the classes that are missing from ``rows``."""
    return np.flatnonzero(~np.isin(codes, codes[rows]))
