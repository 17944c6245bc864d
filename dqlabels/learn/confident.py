"""Prune and re-weight: confident learning as a classifier."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dqlabels.engines.memory import judge
from dqlabels.learn.base import MAX_WEIGHT, noise_model
from dqlabels.learn.judged import JudgedClassifier
from dqlabels.learn.judging import JUDGES, judge_rows
from dqlabels.learn.options import one_of, within
from dqlabels.learn.rows import Rows
from dqlabels.learn.types import Noise
from dqlabels.statistics.classes import PRUNE_RULES


@dataclass(kw_only=True, eq=False, repr=False)
class ConfidentLearningClassifier(JudgedClassifier):
    """Drop the rows whose labels look wrong, weigh the rest by 1 / P(given = k | true = k), and fit again.

    Args:
        estimator: Any classifier with probabilities; default histogram gradient boosting.
        filter_by: The rule that prunes, one of ``dqlabels.statistics.classes.PRUNE_RULES``.
        reweight: Make up for the rows each class lost.
        judge: Whose probabilities decide: "folds" of the classifier itself, "trees" as of an audit, out of the bag, or
            "mixture" of both, in the shares under which the given labels are likeliest. Trees take no part where they
            cannot read the features (sparse matrices, arrays of texts) or where ``cv`` is a splitter.
        noise: The noise matrix: "default", a method of ``dqlabels.noise``, or a (K, K) array P(given | true).
        min_noise: Nothing is pruned where less of the labels is estimated to be wrong, in [0, 1].
        cv: Folds that judge the rows: a number or a scikit-learn splitter.
        random_state: Seeds folds, and the classifier where it has no seed of its own.
        n_jobs: Folds fitted at a time.

    After ``fit``: ``estimator_``, ``classes_``, ``noise_rate_``, ``noise_matrix_`` (K, K), ``kept_`` (n,) bool,
    ``class_weight_`` (K,) and ``label_quality_`` (n,).

    Source: Northcutt, Jiang & Chuang (2021), arXiv 1911.00068, section 3.2 (pruning) and the re-weighting by
    Q_y*[i] / Q[i][i] under it. cleanlab's ``CleanLearning`` does the same, with three differences here: a second
    ``fit`` starts afresh, where it keeps the noise matrix and the issues of the first; the global random
    generators are not seeded; and labels may be strings.

    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.linear_model import LogisticRegression
    >>> X, y = make_blobs(200, centers=[[0, 0], [4, 4]], cluster_std=1.5, random_state=0)
    >>> noisy = np.where(np.arange(200) % 5 == 0, 0, y)
    >>> ConfidentLearningClassifier(LogisticRegression()).fit(X, noisy).score(X, y) > 0.9
    True
    """

    filter_by: str = one_of("prune_by_noise_rate", PRUNE_RULES)
    reweight: bool = True
    judge: str = one_of("mixture", JUDGES)
    noise: Noise = "confident"
    min_noise: float = within(0.0, 0, 1)

    def _learn(self, rows: Rows) -> None:
        probs = judge_rows(self.judge, rows)
        noise = noise_model(self.noise, rows.codes, probs, rows.seed)
        verdict = judge(rows.codes, probs, filter_by=self.filter_by)
        trusted = ~verdict.flagged if noise.rate >= self.min_noise else np.ones(rows.codes.size, dtype=bool)
        # A class without a trusted row would vanish from the model, so it keeps all its rows.
        lost = np.bincount(rows.codes[trusted], minlength=rows.n_classes) == 0
        trusted |= lost[rows.codes]
        self.noise_rate_, self.noise_matrix_ = noise.rate, noise.matrix
        self.label_quality_, self.kept_ = verdict.quality, trusted
        self.class_weight_ = np.ones(rows.n_classes)
        if self.reweight and not trusted.all():
            self.class_weight_ = np.minimum(1 / np.maximum(np.diagonal(noise.matrix), 1 / MAX_WEIGHT), MAX_WEIGHT)
        weights = None if np.all(self.class_weight_ == 1) else self.class_weight_[rows.codes]
        self.estimator_ = rows.fit(rows.codes, weights, np.flatnonzero(trusted))
