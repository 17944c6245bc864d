"""Correct the loss by the noise matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dqlabels.learn.base import MAX_WEIGHT, NoiseModel, deconvolve, noise_model, posterior
from dqlabels.learn.judged import JudgedClassifier
from dqlabels.learn.judging import JUDGES, judge_rows
from dqlabels.learn.options import one_of, within
from dqlabels.learn.rows import Rows, losses, one_hot
from dqlabels.learn.types import FloatArray, Folds, Noise

# Standard errors by which the correction must help. Chosen on tables that are not reported, as the default is.
GUARD = 2.0
# A single row for which a model was sure and wrong must not decide.
LEAST = 1e-3
# Those after which the model answers with the true class; after the others still with the given one.
CLEAN = ("forward", "backward", "importance")
CORRECTIONS = ("forward", "backward", "importance", "smoothing", "distillation")


@dataclass(kw_only=True, eq=False, repr=False)
class LossCorrectionClassifier(JudgedClassifier):
    """Correct the labels or the loss by the noise matrix, in one of five ways, and fit.

    * ``"forward"``: maximise sum log sum_k p_k(x) T[k, given], Patrini et al. (2017), theorem 2, for any classifier:
      by expectation-maximisation, fitting each row under every class by its posterior
      q_k = p_k(x) T[k, given] / sum over k, with out-of-sample p.
    * ``"backward"``: the labels e_given @ inverse(T) of theorem 1. They have negative entries, which hardly any
      classifier takes; their expectation given x, p_noisy(x) @ inverse(T), is fitted instead, put back on the simplex.
    * ``"importance"``: weights P_clean(given | x) / P_noisy(given | x), Liu & Tao (2016, arXiv 1411.7718), equation 7.
    * ``"smoothing"``: labels (1 - r) e_given + r / K with the noise rate r (Lukasik et al. 2020, arXiv 2003.02819,
      equation 2).
    * ``"distillation"``: (1 - strength) e_given + strength p(x), with p by models that did not see the row (Li et al.
      2017, arXiv 1703.02391, equation 5).

    Args:
        estimator: Any classifier with probabilities; default histogram gradient boosting.
        correction: One of the five.
        judge: Whose out-of-sample probabilities p are: "audit": the models that judge in an audit and the classifier's
            own folds, in the shares under which the given labels are likeliest; "mixture": trees and the folds;
            "trees" or "folds" alone. Only folds judge where the others cannot read the features (sparse matrices,
            arrays of texts) or where ``cv`` is a splitter.
        suspicious: Rows whose given label is at least this likely to be right by ``forward`` keep it; 1 fits all rows
            under every class.
        guard: Whether the labels stay as they were given where the correction is not seen to help: models of one half
            of the corrected rows must predict the given labels of the other half better than models of the given
            labels do, by twice the standard error, in balanced accuracy and in the likelihood under the noise matrix.
        noise: "default", a method of ``dqlabels.noise`` ("em" and "variational" are fitted anew in each round of
            ``forward``: the noise matrix is then a part of the training), or a (K, K) array P(given | true).
        strength: Share of the model's answer in distillation, in [0, 1].
        n_rounds: Rounds of expectation-maximisation; after the first the classifier's own folds are p.
        cv: Folds that judge the rows, and try the correction: a number or a scikit-learn splitter. With the default of
            2 a fit costs about as much as an audit and three to five fits of the classifier.
        random_state: Seeds folds, and the classifier where it has no seed of its own.
        n_jobs: Folds fitted at a time.

    After ``fit``: ``estimator_``, ``classes_``, ``noise_rate_``, ``noise_matrix_`` (K, K), and of what was fitted
    ``soft_labels_`` (n, K) and ``sample_weight_`` (n,); ``corrected_`` is false where the guard kept the given labels.

    The official code takes one row for each class, that of the largest p_k, as the class's anchor, and its filter of
    outliers zeroes a view of the probabilities that later classes still read. Our matrices come from
    :mod:`dqlabels.noise`, which reads regions or all rows. T-revision (Xia et al. 2019) goes on to learn an additive
    change of T by gradient; its code lets that change accumulate without keeping the rows of T distributions, and
    wraps the weights so that their gradient is cut. "em" and "variational" here are re-estimated over all rows.

    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.linear_model import LogisticRegression
    >>> X, y = make_blobs(200, centers=[[0, 0], [4, 4]], cluster_std=1.5, random_state=0)
    >>> noisy = np.where(np.arange(200) % 5 == 0, 0, y)
    >>> LossCorrectionClassifier(LogisticRegression()).fit(X, noisy).score(X, y) > 0.9
    True
    """

    correction: str = one_of("forward", CORRECTIONS)
    cv: Folds = 2
    judge: str = one_of("audit", JUDGES)
    suspicious: float = within(0.8, 0, 1)
    guard: bool = one_of(True, (True, False))
    noise: Noise = "confident"
    strength: float = within(0.5, 0, 1)
    n_rounds: int = within(1, 1, 100)

    def _learn(self, rows: Rows) -> None:
        by_folds = rows.out_of_fold() if self.guard or self.judge != "trees" else None
        probs = judge_rows(self.judge, rows, by_folds)
        noise = noise_model(self.noise, rows.codes, probs, rows.seed)
        given, ones = one_hot(rows.codes, rows.n_classes), np.ones(rows.codes.size)
        soft, weights = given, ones
        if self.correction == "forward":
            soft, noise = self._by_expectation(rows, probs, noise)
            doubted = (soft * given).sum(axis=1) < self.suspicious
            soft = np.where(doubted[:, None], soft, given)
        elif self.correction == "backward":
            soft = backward_labels(probs, noise.matrix)
        elif self.correction == "importance":
            weights = importance_weights(rows, probs, noise)
        elif self.correction == "smoothing":
            soft = (1 - noise.rate) * given + noise.rate / rows.n_classes
        else:
            soft = (1 - self.strength) * given + self.strength * probs
        self.corrected_ = True
        if self.guard and by_folds is not None:
            answers = noise.matrix if self.correction in CLEAN else np.eye(rows.n_classes)
            self.corrected_ = helps(rows, by_folds, soft, weights, answers)
        if not self.corrected_:
            soft, weights = given, ones
        self.noise_rate_, self.noise_matrix_ = noise.rate, noise.matrix
        self.soft_labels_, self.sample_weight_ = soft, weights
        self.estimator_ = rows.fit_soft(soft, weights)

    def _by_expectation(self, rows: Rows, probs: FloatArray, noise: NoiseModel) -> tuple[FloatArray, NoiseModel]:
        """Return the posteriors of the true class, first from the noisy model, then from models of the posteriors."""
        soft = posterior(deconvolve(probs, noise.matrix), rows.codes, noise.matrix)
        for _ in range(self.n_rounds - 1):
            clean = rows.out_of_fold(soft=soft)
            if isinstance(self.noise, str) and self.noise in ("em", "variational"):
                noise = noise_model(self.noise, rows.codes, clean, rows.seed)
            soft = posterior(clean, rows.codes, noise.matrix)
        return soft, noise


def helps(rows: Rows, before: FloatArray, soft: FloatArray, weights: FloatArray, matrix: FloatArray) -> bool:
    """Whether models of corrected labels predict the given labels of rows they did not see better than before.

    They are compared by balanced accuracy, and by the likelihood of the given labels once the answers went through the
    noise. Wrong labels among those that are predicted cost both sides alike, so no clean label is needed.

    Args:
        rows: The n rows with the given labels.
        before: (n, K) out-of-fold probabilities of models of the given labels.
        soft: (n, K) corrected labels.
        weights: (n,) weights of the correction.
        matrix: (K, K) P(given | answer of the corrected models).
    """
    after = rows.out_of_fold(soft=soft, weights=weights)
    own = np.ones(rows.codes.size) if rows.weights is None else rows.weights
    # Each class counts alike.
    share = own / np.bincount(rows.codes, own, rows.n_classes).clip(1e-12)[rows.codes]
    right, was = (probs.argmax(axis=1) == rows.codes for probs in (after, before))
    gains = (
        share * (right.astype(np.int64) - was),
        own * (losses(rows.codes, before, LEAST) - losses(rows.codes, after @ matrix, LEAST)),
    )
    # In the order of content, since these are sums of floats.
    return all(gain[rows.order].sum() > GUARD * np.sqrt((gain[rows.order] ** 2).sum()) for gain in gains)


def backward_labels(probs: FloatArray, matrix: FloatArray) -> FloatArray:
    """Return ``probs @ inverse(matrix)`` (n, K) without its negative part, by the pseudo-inverse where need be.

    >>> backward_labels(np.array([[0.8, 0.2], [0.4, 0.6]]), np.array([[0.8, 0.2], [0.4, 0.6]])).round(6).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    labels = np.maximum(probs @ np.linalg.pinv(matrix), 0)
    total = labels.sum(axis=1, keepdims=True)
    return np.asarray(np.where(total > 0, labels / np.where(total > 0, total, 1), probs))


def importance_weights(rows: Rows, probs: FloatArray, noise: NoiseModel) -> FloatArray:
    """Return P_clean(given | x) / P_noisy(given | x) of each row (n,), at most 10."""
    at = np.arange(rows.codes.size)
    clean = deconvolve(probs, noise.matrix)
    noisy = clean @ noise.matrix
    return np.asarray(np.minimum(clean[at, rows.codes] / np.maximum(noisy[at, rows.codes], 1e-12), MAX_WEIGHT))
