"""Weight rows by a curriculum over their losses, predefined or learned from reviewed rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dqlabels.errors import OptionError
from dqlabels.learn.answers import check_answers, missing_rows
from dqlabels.learn.base import NoisyLabelClassifier
from dqlabels.learn.options import one_of, within
from dqlabels.learn.rows import Rows, losses
from dqlabels.learn.types import BoolArray, FloatArray, Inputs, IntArray
from dqlabels.models.estimator import Classifier

CURRICULA = ("predefined", "learned")
# Larger losses are cut off here; the official mentor is trained on losses up to 30.
MAX_LOSS = 30.0
MIN_REVIEWED = 10


@dataclass(kw_only=True, eq=False, repr=False)
class MentorNetClassifier(NoisyLabelClassifier):
    """Fit in rounds, with weights that follow from each row's out-of-fold loss.

    * ``"predefined"``: v = min(max(0, 1 - (loss - lambda_1) / lambda_2), 1), Jiang et al. (2018, arXiv 1712.05055),
      equation 5: 1 where the loss is at most lambda_1, falling to 0 at lambda_1 + lambda_2; with ``slope`` 0 the step
      of self-paced learning. lambda_1 is the moving ``percentile`` of the losses.
    * ``"learned"``: the mentor is a logistic regression that tells, on reviewed rows, right labels from wrong ones by
      loss, its difference to the moving percentile and the label; v is the probability it gives. That is the
      data-driven mentor of section 3.2 with a smaller model than the paper's LSTM, for hundreds of reviewed rows.

    Args:
        estimator: Any classifier with probabilities; default histogram gradient boosting.
        curriculum: One of the two; ``"learned"`` needs ``reviewed`` at ``fit``.
        percentile: Percentile of the losses above which rows count as wrong, in (0, 100).
        slope: lambda_2 in nats, not negative.
        decay: Decay of the moving percentile, in [0, 1).
        n_rounds: Rounds.
        cv: Folds that judge the rows: a number or a scikit-learn splitter.
        random_state: Seeds folds, and the classifier where it has no seed of its own.
        n_jobs: Folds fitted at a time.

    After ``fit``: ``estimator_``, ``classes_``, ``sample_weight_`` (n,), and ``mentor_`` where it was learned.

    In the official code the mentor's last layer adds its bias to the weights instead of to the output, the label it is
    given is always 0, and its moving percentile starts at 0, so that early losses look high; none is repeated.

    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.linear_model import LogisticRegression
    >>> X, y = make_blobs(200, centers=[[0, 0], [4, 4]], cluster_std=1.5, random_state=0)
    >>> noisy = np.where(np.arange(200) % 5 == 0, 0, y)
    >>> MentorNetClassifier(LogisticRegression()).fit(X, noisy).score(X, y) > 0.9
    True
    """

    curriculum: str = one_of("predefined", CURRICULA)
    percentile: float = within(80.0, 1, 99)
    slope: float = within(0.5, 0, MAX_LOSS)
    decay: float = within(0.5, 0, 0.999)
    n_rounds: int = within(3, 1, 1000)

    def fit(
        self,
        X: Inputs,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
        reviewed: ArrayLike | None = None,
        **fit_params: Any,
    ) -> MentorNetClassifier:
        """Fit on rows of which some labels are wrong.

        Args:
            X: (n, d) array, sparse matrix, pandas or Polars frame: whatever ``estimator`` takes.
            y: (n,) given labels.
            sample_weight: (n,) weights, not negative.
            reviewed: (n,) the right label where a row was reviewed, None or NaN elsewhere; for a learned curriculum.
            groups: (n,) groups: no row is judged by a model that saw another of its group.
            fit_params: Options of the learner's ``fit``, as of :class:`LossCorrectionClassifier`.

        Raises:
            OptionError: Too few reviewed rows, none of them right or none wrong, or an answer that is no class of y.
        """
        rows = self._read(X, y, sample_weight, groups, fit_params)
        self._reviewed = None if reviewed is None else self._read_review(reviewed, rows)
        try:
            self._learn(rows)
        finally:
            del self._reviewed
        return self

    def _read_review(self, reviewed: ArrayLike | None, rows: Rows) -> tuple[IntArray, BoolArray]:
        """Positions of the reviewed rows, and whether the label of each is right."""
        values = np.asarray(reviewed, dtype=object)
        if values.shape != rows.codes.shape:
            raise OptionError(f"reviewed has shape {values.shape}; one value for each of {rows.codes.size:,} rows.")
        way_out = "Correct it; for a row of no class, any class other than its label says that the label is wrong."
        check_answers("reviewed", values, self.classes_.tolist(), way_out)
        positions = np.flatnonzero(~missing_rows(values))
        right = np.array([values[at] == self.classes_[rows.codes[at]] for at in positions], dtype=bool)
        if positions.size < MIN_REVIEWED or right.all() or not right.any():
            raise OptionError(
                f"reviewed says of {positions.size:,} rows what is right, {int((~right).sum()):,} of them wrongly "
                f"labelled; the mentor needs at least {MIN_REVIEWED}, some right and some wrong. Review more rows, "
                "as with audit.review_sample()."
            )
        return positions, right

    def _learn(self, rows: Rows) -> None:
        if self.curriculum == "learned" and self._reviewed is None:
            raise OptionError("curriculum='learned' learns from reviewed rows: pass fit(X, y, reviewed=...).")
        weights, moving = None, None
        for _ in range(self.n_rounds):
            loss = np.minimum(losses(rows.codes, rows.out_of_fold(weights=weights)), MAX_LOSS)
            bar = float(np.percentile(loss, self.percentile))
            moving = bar if moving is None else self.decay * moving + (1 - self.decay) * bar
            if self.curriculum == "learned" and self._reviewed is not None:
                features = mentor_features(loss, moving, rows.codes, rows.n_classes)
                self.mentor_ = _mentor(features, *self._reviewed)
                weights = self.mentor_.predict_proba(features)[:, 1]
            else:
                weights = predefined_weights(loss, moving, self.slope)
            weights = _every_class(weights, loss, rows.codes)
        self.sample_weight_ = weights
        self.estimator_ = rows.fit(rows.codes, weights)


def predefined_weights(loss: FloatArray, bar: float, slope: float) -> FloatArray:
    """Return weights (n,): 1 up to ``bar``, falling to 0 over ``slope`` nats.

    >>> predefined_weights(np.array([0.5, 1.0, 1.25, 2.0]), 1.0, 0.5).tolist()
    [1.0, 1.0, 0.5, 0.0]
    """
    if not slope:
        return (loss <= bar).astype(np.float64)
    return np.clip(1 - (loss - bar) / slope, 0.0, 1.0)


def mentor_features(loss: FloatArray, bar: float, codes: IntArray, n_classes: int) -> FloatArray:
    """Return the mentor's features (n, K + 3) of each row: loss, distance to the bar, probability and label.

    Args:
        loss: (n,) loss of each row.
        bar: The loss that parts small losses from large ones.
        codes: (n,) given labels as class positions.
        n_classes: K.
    """
    return np.column_stack([loss, np.tanh(loss - bar), np.exp(-loss), np.eye(n_classes)[codes]])


def _mentor(features: FloatArray, positions: IntArray, right: BoolArray) -> Classifier:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    mentor: Classifier = model.fit(features[positions], right.astype(np.int64))
    return mentor


def _every_class(weights: FloatArray, loss: FloatArray, codes: IntArray) -> FloatArray:
    """Give weight to the rows of smallest loss in each class that would otherwise have none."""
    for k in np.unique(codes):
        of_class = codes == k
        if not weights[of_class].any():
            weights = np.where(of_class & (loss == loss[of_class].min()), 1.0, weights)
    return weights
