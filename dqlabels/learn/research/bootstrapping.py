"""Mix the labels with the model's answers: bootstrapping and self-training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dqlabels.learn.base import NoisyLabelClassifier
from dqlabels.learn.options import one_of, within
from dqlabels.learn.rows import Rows, one_hot
from dqlabels.learn.types import FloatArray, IntArray

KINDS = ("soft", "hard", "self_training")
# Reed et al. (2015), section 4.
BETAS = {"soft": 0.95, "hard": 0.8}


@dataclass(kw_only=True, eq=False, repr=False)
class BootstrappingClassifier(NoisyLabelClassifier):
    """Fit labels mixed with the answers of models that did not see the row.

    * ``"soft"``: beta t + (1 - beta) q with the probabilities q, Reed et al. (2015, arXiv 1412.6596), equation 6;
    * ``"hard"``: beta t + (1 - beta) 1[k = argmax q], equation 7;
    * ``"self_training"``: the rows whose label the models hold unlikely, below ``trust``, lose it; each then takes the
      class that the models reach with ``threshold`` or more, or takes no part (Scudder 1965).

    Args:
        estimator: Any classifier with probabilities; default histogram gradient boosting.
        kind: One of the three.
        beta: Weight of the given label, in [0, 1]; None for the paper's 0.95 (soft) and 0.8 (hard).
        trust: Self-training keeps a label of this probability, in [0, 1].
        threshold: Self-training takes an answer of this probability, in [0, 1].
        n_rounds: How often the answers are taken from models of the mixed labels.
        cv: Folds that judge the rows: a number or a scikit-learn splitter.
        random_state: Seeds folds, and the classifier where it has no seed of its own.
        n_jobs: Folds fitted at a time.

    After ``fit``: ``estimator_``, ``classes_``, ``soft_labels_`` (n, K); a row of zeros takes no part.

    The paper mixes in the network's answer on its own training batch; a model that fits its training rows well would
    only repeat their labels, so here the answers are out of fold.

    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.linear_model import LogisticRegression
    >>> X, y = make_blobs(200, centers=[[0, 0], [4, 4]], cluster_std=1.5, random_state=0)
    >>> noisy = np.where(np.arange(200) % 5 == 0, 0, y)
    >>> BootstrappingClassifier(LogisticRegression(), kind="hard").fit(X, noisy).score(X, y) > 0.9
    True
    """

    kind: str = one_of("soft", KINDS)
    beta: float | None = within(None, 0, 1)
    trust: float = within(0.2, 0, 1)
    threshold: float = within(0.8, 0, 1)
    n_rounds: int = within(2, 1, 100)

    def _learn(self, rows: Rows) -> None:
        soft = one_hot(rows.codes, rows.n_classes)
        for _ in range(self.n_rounds):
            answers = rows.out_of_fold(soft=soft)
            if self.kind == "self_training":
                soft = pseudo_labels(rows.codes, answers, self.trust, self.threshold)
            else:
                soft = mixed_labels(rows.codes, answers, self.kind, self.beta)
        self.soft_labels_ = soft
        self.estimator_ = rows.fit_soft(soft)


def mixed_labels(codes: IntArray, probs: FloatArray, kind: str, beta: float | None) -> FloatArray:
    """Return labels (n, K): beta times the given label plus 1 - beta times the model's answer.

    Args:
        codes: (n,) given labels as class positions.
        probs: (n, K) the model's probabilities.
        kind: ``"soft"`` to mix in the probabilities, ``"hard"`` the likeliest class.
        beta: Share of the given label, in [0, 1]; None for the default of the kind.

    >>> mixed_labels(np.array([0]), np.array([[0.25, 0.75]]), "hard", 0.8).round(2).tolist()
    [[0.8, 0.2]]
    """
    share = BETAS[kind] if beta is None else beta
    answer = probs if kind == "soft" else one_hot(probs.argmax(axis=1), probs.shape[1])
    return share * one_hot(codes, probs.shape[1]) + (1 - share) * answer


def pseudo_labels(codes: IntArray, probs: FloatArray, trust: float, threshold: float) -> FloatArray:
    """Return labels (n, K): the given one where it is trusted, else the model's where it is sure, else zeros.

    Args:
        codes: (n,) given labels as class positions.
        probs: (n, K) the model's probabilities.
        trust: Least probability of a given label that is trusted.
        threshold: Least probability of a class that the model is sure of.

    >>> pseudo_labels(np.array([0, 0, 0]), np.array([[0.5, 0.5], [0.1, 0.9], [0.4, 0.6]]), 0.45, 0.8).tolist()
    [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]
    """
    k = probs.shape[1]
    trusted = probs[np.arange(codes.size), codes] >= trust
    sure = probs.max(axis=1) >= threshold
    labels = one_hot(np.where(trusted, codes, probs.argmax(axis=1)), k)
    labels[~trusted & ~sure] = 0
    # A class that would vanish keeps its given labels.
    for lost in np.flatnonzero(labels.sum(axis=0) == 0):
        labels[codes == lost] = np.eye(k)[lost]
    return labels
