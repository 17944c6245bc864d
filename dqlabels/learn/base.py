"""Base of the estimators: reading X and y, the default classifier, the noise matrix, and predicting."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn import get_config
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    check_array,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from dqlabels.engines.memory import flag
from dqlabels.errors import ModelError, OptionError
from dqlabels.learn.answers import check_complete, missing_rows
from dqlabels.learn.judging import tree_probabilities
from dqlabels.learn.learner import gives_probabilities, params_with_class_positions, weight_name, with_class_positions
from dqlabels.learn.options import check_choice, check_options, seed_of
from dqlabels.learn.rows import Rows, class_probabilities
from dqlabels.learn.types import FloatArray, Folds, Inputs, IntArray, Labels, Noise, RandomState
from dqlabels.models.estimator import Classifier
from dqlabels.noise.anchor import anchor_noise
from dqlabels.noise.joint import confident_noise
from dqlabels.noise.methods import METHODS, default_noise
from dqlabels.noise.mixture import mixture_noise

# No estimator here uses the noise method "default" unless asked to. That method judges whether labels are good;
# where each class is mistaken for one other it can read much noise as none (pair noise of 40% on scikit-learn's digits:
# 0.2% against 39.9% by anchor regions), and that is where a method for training is needed most.
# These methods use out-of-bag trees; "em" and "variational" are part of the training and use its own answers.
BY_TREES = ("default", "anchor", "confident")
# Otherwise a class whose labels are nearly all wrong would get an unreasonable weight.
MAX_WEIGHT = 10.0
# A single column of numbers is a mistake; a single column of texts is what a text pipeline takes.
NUMBERS = tuple(np.dtype(code) for code in np.typecodes["AllInteger"] + "efdFD?")


# A saved model would otherwise grow with the table it was fitted on.
OF_TRAINING_ROWS = ("kept_", "label_quality_", "sample_weight_", "soft_labels_")


@dataclass(frozen=True, slots=True, eq=False)
class NoiseModel:
    """``rate`` in [0, 1], ``matrix`` (K, K) P(given | true), ``inverse`` (K, K) P(true | given), ``prior`` (K,)."""

    rate: float
    matrix: FloatArray
    inverse: FloatArray
    prior: FloatArray


def _decides(estimator: NoisyLabelClassifier) -> bool:
    """Whether the learner, fitted or not, has a decision function; a pair of learners has none in common."""
    learner = estimator.estimator_ if hasattr(estimator, "estimator_") else estimator._classifier()
    return estimator.one_learner and hasattr(learner, "decision_function")


@dataclass(eq=False, repr=False)
class NoisyLabelClassifier(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):
    """Base class of the estimators, which wrap a classifier; ``_learn`` says how it learns.

    The classifier inside is cloned, never fitted itself, and sees class positions 0..K-1 as labels. Rows are
    fitted in the order of their content, so the order in which they are given does not show.
    """

    # Whether ``estimator_`` answers, and not several estimators together.
    one_learner: ClassVar[bool] = True

    estimator: Classifier | None = None
    _: KW_ONLY
    cv: Folds = 5
    random_state: RandomState = 0
    n_jobs: int | None = None

    def fit(
        self,
        X: Inputs,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
        **fit_params: Any,
    ) -> NoisyLabelClassifier:
        """Fit on rows of which some labels are wrong.

        Args:
            X: (n, d) array, sparse matrix, pandas or Polars frame: whatever ``estimator`` takes.
            y: (n,) given labels: strings, numbers or booleans, none missing.
            sample_weight: (n,) weights, not negative.
            groups: (n,) groups, such as customers: no row is judged by a model that saw another of its group.
            fit_params: Options of the learner's ``fit``, such as ``eval_set``, or ``step__name`` for a pipeline. What
                holds one value for each row is taken with the rows; labels in ``eval_set`` are those of ``y``.

        Returns:
            The estimator itself.

        Raises:
            DQLabelsError: An option has no meaning, or the classifier inside cannot be fitted.
            ValueError: X or y cannot be used.
        """
        self._learn(self._read(X, y, sample_weight, groups, fit_params))
        return self

    def _learn(self, rows: Rows) -> None:
        raise NotImplementedError

    def predict_proba(self, X: Inputs) -> FloatArray:
        """Return probabilities (n, K) of the classes, in the order of ``classes_``."""
        rows = self._to_answer(X)
        return class_probabilities(self.estimator_, rows, len(self.classes_))

    def predict(self, X: Inputs) -> Labels:
        """Return the likeliest class (n,) of each row."""
        probs = self.predict_proba(X)
        return np.asarray(self.classes_[probs.argmax(axis=1)])

    def predict_log_proba(self, X: Inputs) -> FloatArray:
        """Return the logarithm of the probabilities (n, K); of a probability of 0 it is minus infinity."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.predict_proba(X)))

    @available_if(_decides)  # type: ignore[untyped-decorator]
    def decision_function(self, X: Inputs) -> FloatArray:
        """Return the fitted classifier's decision values, (n,) of the second of two classes or (n, K)."""
        rows = self._to_answer(X)
        return np.asarray(self.estimator_.decision_function(rows))

    @property
    def feature_importances_(self) -> FloatArray:
        """Importances (d,) of the features, where the fitted classifier has them."""
        return np.asarray(self.estimator_.feature_importances_)

    @property
    def coef_(self) -> FloatArray:
        """Coefficients of the features, where the fitted classifier has them."""
        return np.asarray(self.estimator_.coef_)

    @property
    def intercept_(self) -> FloatArray:
        """Intercepts, where the fitted classifier has them."""
        return np.asarray(self.estimator_.intercept_)

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: not what has a value for each training row, which predicting does without."""
        return {name: value for name, value in super().__getstate__().items() if name not in OF_TRAINING_ROWS}

    def __getattr__(self, name: str) -> Any:
        words = f"{type(self).__name__!r} object has no attribute {name!r}"
        if name in OF_TRAINING_ROWS and "estimator_" in vars(self):
            words += ", which has a value for each training row and is not in pickles or copies; read it before"
        raise AttributeError(words)

    def get_metadata_routing(self) -> MetadataRouter:
        """Return which options of ``fit`` go to the estimator and which to the classifier inside."""
        mapping = MethodMapping().add(caller="fit", callee="fit")
        router = MetadataRouter(owner=type(self).__name__).add_self_request(self)
        return router.add(estimator=self._classifier(), method_mapping=mapping)

    def _to_answer(self, X: Inputs) -> Inputs:
        """X as rows, with the features that the fitted estimator knows."""
        check_is_fitted(self)
        X = _as_rows(X)
        validate_data(self, X, reset=False, skip_check_array=True)
        return X

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = get_tags(self._classifier())
        tags.input_tags.allow_nan = inner.input_tags.allow_nan
        tags.input_tags.sparse = inner.input_tags.sparse
        tags.input_tags.string = inner.input_tags.string
        if inner.classifier_tags is not None:
            tags.classifier_tags.poor_score = inner.classifier_tags.poor_score
        return tags

    def _classifier(self) -> Classifier:
        if self.estimator is not None:
            return self.estimator
        from sklearn.ensemble import HistGradientBoostingClassifier

        classifier: Classifier = HistGradientBoostingClassifier()
        return classifier

    def _read(
        self,
        X: Inputs,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        groups: ArrayLike | None,
        fit_params: dict[str, Any],
    ) -> Rows:
        """Check X and y; sets ``classes_``, and what scikit-learn stores about the features."""
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None. Pass the given labels."
            )
        X = _as_rows(X)
        if not X.shape[0]:
            raise ValueError("Found array with 0 sample(s): there are no rows to learn from.")
        validate_data(self, X, skip_check_array=True)
        check_complete(np.asarray(y), "y")
        labels = column_or_1d(check_array(y, ensure_2d=False, dtype=None, input_name="y"), warn=True)
        check_consistent_length(X, labels)
        check_classification_targets(labels)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        if self.classes_.size < 2:
            raise ModelError(f"y holds one class, {self.classes_[0]}; at least two classes are needed to tell apart.")
        classifier = self._classifier()
        if not gives_probabilities(classifier):
            raise ModelError(
                f"{type(classifier).__name__} gives no probabilities (no predict_proba). Wrap it in "
                "sklearn.calibration.CalibratedClassifierCV."
            )
        options = self._routed(fit_params)
        name = weight_name(classifier)
        if sample_weight is None and name in options:
            sample_weight = options.pop(name)
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, labels, dtype=np.float64, ensure_non_negative=True)
        check_options(self)
        seed = seed_of(self.random_state)
        classifier = with_class_positions(classifier, self.classes_)
        rows = Rows.of(X, codes.astype(np.int64), self.classes_.size, weights, classifier, self.cv, seed, self.n_jobs)
        rows = replace(rows, fit_params=params_with_class_positions(options, self.classes_))
        return rows if groups is None else rows.grouped(group_codes(groups, labels.size))

    def _routed(self, fit_params: dict[str, Any]) -> dict[str, Any]:
        """Return the options that go to the learner's ``fit``."""
        if not fit_params or not get_config()["enable_metadata_routing"]:
            return dict(fit_params)
        return dict(process_routing(self, "fit", **fit_params).estimator.fit)


def group_codes(groups: ArrayLike, n_rows: int) -> IntArray:
    """Return the groups (n,) as positions among their sorted names.

    Raises:
        OptionError: They are not one for each row, or one is missing.

    >>> group_codes(["b", "a", "b"], 3).tolist()
    [1, 0, 1]
    """
    names = np.asarray(groups, dtype=object)
    if names.shape != (n_rows,):
        raise OptionError(f"groups has shape {names.shape}; one group for each of {n_rows:,} rows is needed.")
    missing = missing_rows(names)
    if missing.any():
        raise OptionError(
            f"groups is missing in {int(missing.sum()):,} of {n_rows:,} rows, first in row {int(missing.argmax())}. "
            "Give each of these rows a group of its own."
        )
    return np.unique(names.astype(str), return_inverse=True)[1].astype(np.int64)


def _as_rows(X: Inputs) -> Inputs:
    """X itself where rows can be taken from it; lists as an array."""
    if hasattr(X, "collect_schema") and hasattr(X, "collect"):
        raise OptionError("X is a lazy frame, whose rows have no fixed order to match y. Collect it first.")
    if hasattr(X, "tocsr"):
        return X.tocsr()
    if isinstance(X, (list, tuple)) or not hasattr(X, "shape"):
        X = np.asarray(X)
    if len(X.shape) == 0 or (len(X.shape) == 1 and getattr(X, "dtype", np.dtype(object)) in NUMBERS):
        raise ValueError(
            f"Expected 2D array, got an array of shape {X.shape} instead. Reshape your data: X.reshape(-1, 1) if it "
            "has a single feature, X.reshape(1, -1) if it is a single row."
        )
    if len(X.shape) > 1 and X.shape[1] == 0:
        raise ValueError(f"Found array with 0 feature(s) (shape={X.shape}) while a minimum of 1 is required.")
    return X


def noise_of(noise: Noise, rows: Rows, probs: FloatArray) -> NoiseModel:
    """Estimate the noise as :func:`noise_model` does, from out-of-bag trees where they can read the features.

    The mistakes of a weak classifier are not noise, yet from its own answers ``probs`` (n, K) they would be counted as
    noise. Trees would mix the groups of rows, so where there are groups ``probs`` is used all the same.
    """
    if isinstance(noise, str) and noise in BY_TREES and rows.groups is None:
        by_trees = tree_probabilities(rows)
        probs = probs if by_trees is None else by_trees
    return noise_model(noise, rows.codes, probs, rows.seed)


def noise_model(noise: Noise, codes: IntArray, probs: FloatArray, seed: int) -> NoiseModel:
    """Return the noise of the labels, estimated by a method of :mod:`dqlabels.noise` or from a given matrix.

    Args:
        noise: "default", one of ``dqlabels.noise.METHODS``, or (K, K) P(given | true), rows summing to 1.
        codes: (n,) given labels.
        probs: (n, K) out-of-fold probabilities.
        seed: Seeds the interval of the estimate.

    Raises:
        OptionError: Neither a method nor such a matrix.
    """
    k = probs.shape[1]
    if isinstance(noise, str):
        check_choice("noise", noise, ("default", *METHODS))
        if noise == "default":
            found = default_noise(codes, probs)
        elif noise == "anchor":
            found = anchor_noise(codes, probs, random_state=seed)
        elif noise == "confident":
            found = confident_noise(flag(codes, probs).counts, np.bincount(codes, minlength=k), random_state=seed)
        else:
            found = mixture_noise(codes, probs, method=noise)
        given = np.bincount(codes, minlength=k) / codes.size
        if (np.diagonal(found.matrix) < found.matrix.max(axis=1)).any():
            return _model_of_matrix(dominant(found.matrix), given)
        return NoiseModel(found.estimate, found.matrix, found.inverse, given @ found.inverse)
    matrix = np.asarray(noise, dtype=np.float64)
    if matrix.shape != (k, k) or (matrix < 0).any() or not np.allclose(matrix.sum(axis=1), 1, atol=1e-3):
        raise OptionError(
            f"noise is an array of shape {matrix.shape}; pass the name of a method, or a ({k}, {k}) matrix of "
            "P(given | true) in the order of the sorted classes, whose rows sum to 1."
        )
    if np.trace(matrix) <= 1:
        raise OptionError(
            f"The noise matrix has a trace of {np.trace(matrix):.3g}, so its labels are no better than ones drawn at "
            "random. Rows are the true classes and columns the given ones, both in the order of the sorted classes; "
            "check that it is not in another order."
        )
    return _model_of_matrix(matrix, np.bincount(codes, minlength=k) / codes.size)


def dominant(matrix: FloatArray) -> FloatArray:
    """Shrink the noise so that each class's own label is its commonest; otherwise no label could be judged.

    >>> dominant(np.array([[0.2, 0.8], [0.1, 0.9]])).tolist()
    [[0.5, 0.5], [0.1, 0.9]]
    """
    others = matrix * (1 - np.eye(len(matrix)))
    scale = 1 / np.maximum(others.sum(axis=1) + others.max(axis=1), 1)
    scaled = others * scale[:, None]
    return np.asarray(scaled + np.diag(1 - scaled.sum(axis=1)))


def _model_of_matrix(matrix: FloatArray, given: FloatArray) -> NoiseModel:
    """Find the clean class shares under which the given ones are likeliest, by expectation-maximisation."""
    prior = given.copy()
    for _ in range(500):
        prior = prior * (matrix @ np.divide(given, prior @ matrix, out=np.zeros_like(given), where=given > 0))
        prior /= prior.sum()
    joint = (prior[:, None] * matrix).T
    totals = joint.sum(axis=1, keepdims=True)
    inverse = np.divide(joint, totals, out=np.eye(len(given)), where=totals > 0)
    return NoiseModel(float(1 - prior @ np.diagonal(matrix)), matrix, inverse, prior)


def deconvolve(probs: FloatArray, matrix: FloatArray, steps: int = 20) -> FloatArray:
    """Find the clean posteriors (n, K) under which the noisy ``probs`` are likeliest, ``clean @ matrix`` being theirs.

    Richardson-Lucy steps from the noisy posterior: unlike ``probs @ inverse(matrix)`` they never leave the simplex.

    >>> matrix = np.array([[0.8, 0.2], [0.4, 0.6]])
    >>> deconvolve(np.array([[0.8, 0.2]]), matrix, steps=2000).round(2).tolist()
    [[1.0, 0.0]]
    """
    clean = probs.copy()
    for _ in range(steps):
        expected = np.maximum(clean @ matrix, 1e-12)
        clean = clean * ((probs / expected) @ matrix.T)
        clean /= clean.sum(axis=1, keepdims=True)
    return np.asarray(clean)


def posterior(clean: FloatArray, codes: IntArray, matrix: FloatArray) -> FloatArray:
    """Return P(true = k | x, given) (n, K): the model's probabilities times the chance of the label under each class.

    >>> posterior(np.array([[0.5, 0.5]]), np.array([0]), np.array([[0.9, 0.1], [0.3, 0.7]])).round(2).tolist()
    [[0.75, 0.25]]
    """
    shared = clean * matrix[:, codes].T
    total = shared.sum(axis=1, keepdims=True)
    # No class could have got this label under the matrix, so the model alone decides.
    return np.asarray(np.where(total > 1e-12, shared / np.maximum(total, 1e-12), clean))
