"""Optimise the labels together with the model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from dqlabels.learn.base import NoisyLabelClassifier, noise_of
from dqlabels.learn.options import within
from dqlabels.learn.rows import Rows, one_hot
from dqlabels.learn.types import FloatArray, Noise

SOLVER_STEPS = 50
MIN_PROBABILITY = 1e-8


@dataclass(kw_only=True, eq=False, repr=False)
class JointOptimizationClassifier(NoisyLabelClassifier):
    """Alternate between fitting the labels and replacing them by the answers of models that did not see them.

    The objective of the paper, equation 2, is KL(y : s) + alpha KL(prior : mean s) + beta H(s), with the labels y
    (n, K) and the model's probabilities s. Its optimum over y is y = s, so for a classifier whose loss cannot be
    changed the two other terms are put on the labels: y minimises mean KL(y : s) + alpha KL(prior : mean y) + beta
    mean H(y), where s is the mean of the out-of-fold answers of the last ``memory`` rounds.

    Args:
        estimator: Any classifier with probabilities; default histogram gradient boosting.
        alpha: Weight of the prior term, not negative.
        beta: Weight of the entropy term, in [0, 1): it drives labels to one class.
        prior: "estimated" for the clean shares that the noise matrix gives, "uniform" as in the paper, "given" for
            the labels' own shares, or (K,) shares.
        noise: The noise matrix of the estimated prior: "default", a method of ``dqlabels.noise``, or (K, K).
        n_rounds: Rounds, each of which replaces the labels.
        n_warm_up: Rounds before, on the given labels; their answers enter the first mean.
        memory: The rounds whose answers are averaged (the paper: 10 epochs).
        cv: Folds that judge the rows: a number or a scikit-learn splitter.
        random_state: Seeds folds, and the classifier where it has no seed of its own.
        n_jobs: Folds fitted at a time.

    After ``fit``: ``estimator_``, ``classes_``, ``prior_`` (K,), ``soft_labels_`` (n, K).

    Source: Tanaka et al. (2018), arXiv 1803.11364, equations 2-4 and 8. The official code takes a uniform prior, which
    moves labels between classes that truly differ in size, and averages ten stored answers even where fewer were made
    (with ``begin`` below 10 the labels sum to less than 1); neither is repeated.

    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.linear_model import LogisticRegression
    >>> X, y = make_blobs(200, centers=[[0, 0], [4, 4]], cluster_std=1.5, random_state=0)
    >>> noisy = np.where(np.arange(200) % 5 == 0, 0, y)
    >>> JointOptimizationClassifier(LogisticRegression()).fit(X, noisy).score(X, y) > 0.9
    True
    """

    alpha: float = within(1.0, 0, 1e6)
    beta: float = within(0.3, 0, 0.99)
    prior: str | ArrayLike = "estimated"
    noise: Noise = "anchor"
    n_rounds: int = within(2, 1, 1000)
    n_warm_up: int = within(1, 1, 1000)
    memory: int = within(10, 1, 1000)

    def _learn(self, rows: Rows) -> None:
        soft = one_hot(rows.codes, rows.n_classes)
        answers: list[FloatArray] = []
        self.prior_ = None
        for at in range(self.n_warm_up + self.n_rounds - 1):
            answers = [*answers, rows.out_of_fold(soft=soft)][-self.memory :]
            if self.prior_ is None:
                self.prior_ = self._prior(rows, answers[0])
            if at + 1 >= self.n_warm_up:
                # In the order of content, since the mean over rows is a sum of floats.
                mean = np.mean(answers, axis=0)[rows.order]
                soft = np.empty_like(mean)
                soft[rows.order] = joint_labels(mean, self.prior_, self.alpha, self.beta)
        self.soft_labels_ = soft
        self.estimator_ = rows.fit_soft(soft)

    def _prior(self, rows: Rows, probs: FloatArray) -> FloatArray:
        from dqlabels.errors import OptionError

        k = rows.n_classes
        if isinstance(self.prior, str) and self.prior == "uniform":
            return np.full(k, 1 / k)
        if isinstance(self.prior, str) and self.prior == "given":
            return np.bincount(rows.codes, minlength=k) / rows.codes.size
        if isinstance(self.prior, str) and self.prior == "estimated":
            return noise_of(self.noise, rows, probs).prior
        shares = np.asarray(self.prior, dtype=np.float64) if not isinstance(self.prior, str) else np.empty(0)
        if shares.shape != (k,) or (shares < 0).any() or not np.isclose(shares.sum(), 1, atol=1e-3):
            raise OptionError(
                f"prior={self.prior!r} is none of 'estimated', 'uniform' and 'given', and not {k} shares that sum to 1."
            )
        return shares


def joint_labels(probs: FloatArray, prior: FloatArray, alpha: float, beta: float) -> FloatArray:
    """Return the labels y (n, K) that minimise mean KL(y : probs) + alpha KL(prior : mean y) + beta mean H(y).

    At the optimum y is in proportion to (probs * exp(alpha prior / mean y)) ** (1 / (1 - beta)): damped fixed-point
    steps from there.

    Args:
        probs: (n, K) the model's probabilities.
        prior: (K,) shares that the classes should have.
        alpha: Weight of the distance from the prior, at least 0.
        beta: Weight of the entropy, in [0, 1).

    >>> joint_labels(np.array([[0.6, 0.4], [0.2, 0.8]]), np.array([0.5, 0.5]), 0.0, 0.0).round(2).tolist()
    [[0.6, 0.4], [0.2, 0.8]]
    """
    logs = np.log(np.maximum(probs, MIN_PROBABILITY))
    pull = np.ones(prior.size)
    labels = probs
    for _ in range(SOLVER_STEPS if alpha else 1):
        powers = (logs + alpha * pull) / (1 - beta)
        powers -= powers.max(axis=1, keepdims=True)
        labels = np.exp(powers)
        labels /= labels.sum(axis=1, keepdims=True)
        pull = 0.7 * pull + 0.3 * prior / np.maximum(labels.mean(axis=0), MIN_PROBABILITY)
    return labels
