"""Classifiers of the caller's own: fitting them, asking them, and saying what went wrong with them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from dqlabels.errors import ModelError
from dqlabels.frames.hashing import hash_matrix
from dqlabels.models.forest import FittedModel, Forest
from dqlabels.statistics.arrays import FloatArray, IntArray, Matrix


class Classifier(Protocol):
    """A classifier with scikit-learn's interface, which ``sklearn.base.clone`` can copy."""

    # Arrays and options are of whatever types the classifier takes.
    def fit(self, X: Any, y: Any, **options: Any) -> Any:
        """Fit on rows (n, d) with class positions (n,)."""

    def predict_proba(self, X: Any) -> Any:
        """Probabilities (n, K) in the order of ``classes_``."""


@dataclass(frozen=True, slots=True, eq=False)
class EstimatorModel:
    """A fitted classifier with scikit-learn's interface, for ``n_classes`` classes of ``width`` features."""

    estimator: Classifier
    width: int
    n_classes: int

    @property
    def name(self) -> str:
        """Name shown to users."""
        return f"{type(self.estimator).__name__}, fitted"

    def predict_proba(self, matrix: Matrix, *, n_threads: int | None = None) -> FloatArray:
        """Its probabilities (n, K); a class it never saw has probability 0. Threads are its own affair."""
        return aligned(self.estimator, matrix, self.n_classes)

    def cross_fitted(self, matrix: Matrix, *, n_threads: int | None = None) -> FloatArray:
        """The same, since it has no parts; :class:`FoldsModel` has."""
        return self.predict_proba(matrix, n_threads=n_threads)


@dataclass(frozen=True, slots=True, eq=False)
class FoldsModel:
    """A model fitted on all rows, and ``parts``, its clones that each left a fold out.

    ``shares`` are the shares of the rows that each part judged when it was fitted; they sum to 1.
    """

    whole: FittedModel
    parts: tuple[FittedModel, ...]
    shares: tuple[float, ...]

    @property
    def name(self) -> str:
        """Name shown to users."""
        return self.whole.name

    @property
    def width(self) -> int:
        """Features of a row."""
        return self.whole.width

    @property
    def n_classes(self) -> int:
        """Number of classes, K."""
        return self.whole.n_classes

    def predict_proba(self, matrix: Matrix, *, n_threads: int | None = None) -> FloatArray:
        """Probabilities (n, K) of the rows (n, width), by the model fitted on all rows."""
        return self.whole.predict_proba(matrix, n_threads=n_threads)

    def cross_fitted(self, matrix: Matrix, *, n_threads: int | None = None) -> FloatArray:
        """Probabilities (n, K) of new rows, each by one part, drawn by what the row holds."""
        drawn = (hash_matrix(matrix) >> np.uint64(11)) * 2.0**-53
        part = np.minimum(np.searchsorted(np.cumsum(self.shares), drawn, side="right"), len(self.parts) - 1)
        probs = np.empty((len(matrix), self.n_classes))
        for at, model in enumerate(self.parts):
            rows = np.flatnonzero(part == at)
            if rows.size:
                probs[rows] = model.predict_proba(matrix[rows], n_threads=n_threads)
        return probs


def fit_for_others(
    model: Classifier, matrix: Matrix, codes: IntArray, n_classes: int, weights: FloatArray | None, seed: int
) -> FittedModel:
    """Fit a clone of the model to judge other rows by.

    Args:
        model: What to clone.
        matrix: (m, d) rows with a label.
        codes: (m,) class positions.
        n_classes: K.
        weights: (m,) not negative.
        seed: Seeds the clone, unless it has a seed of its own.
    """
    fitted = seeded(model, seed)
    fit(fitted, matrix, codes, weights)
    return model_for_others(fitted, matrix.shape[1], n_classes)


def model_for_others(fitted: Classifier, width: int, n_classes: int) -> FittedModel:
    """Return a fitted classifier as a model of an auditor: as plain trees, where it is a forest of scikit-learn."""
    forest = Forest.of_classifier(fitted, width, n_classes)
    return forest if forest is not None else EstimatorModel(fitted, width, n_classes)


def seeded(model: Classifier, seed: int) -> Classifier:
    """Return a clone whose choices are settled by ``seed``, also those of the models inside, where they have no seed.

    The models inside a pipeline, search or ensemble get seeds of their own, in the order of their names.
    """
    from sklearn.base import clone

    fresh = clone(model)
    params = fresh.get_params(deep=True)
    if "random_state" in params and params["random_state"] is None:
        fresh.set_params(random_state=seed)
    inner = sorted(name for name, value in params.items() if name.endswith("__random_state") and value is None)
    if inner:
        seeds = np.random.default_rng([seed, 0x5EED]).integers(2**31 - 1, size=len(inner))
        fresh.set_params(**{name: int(each) for name, each in zip(inner, seeds, strict=True)})
    for name in sorted(params):
        splitter = params[name]
        if hasattr(splitter, "split") and getattr(splitter, "random_state", seed) is None:
            splitter.random_state = seed  # one that shuffles; the clone has a copy of its own
    copy: Classifier = fresh
    return copy


def fit(model: Classifier, matrix: Matrix, codes: IntArray, weights: FloatArray | None) -> None:
    """Fit on rows (m, d) with codes (m,) and weights (m,).

    Args:
        model: Not fitted yet.
        matrix: (m, d), NaN where missing.
        codes: (m,) class positions.
        weights: (m,) not negative; None where the model takes none.

    Raises:
        ModelError: All rows are of one class.
    """
    if np.unique(codes).size < 2:
        raise ModelError("A training fold holds a single class. Use fewer folds, or stratified ones (cv=5).")
    options: dict[str, FloatArray] = {} if weights is None else {"sample_weight": weights}
    with noted(f"fitting {type(model).__name__} on {len(codes):,} rows of {matrix.shape[1]} features"):
        model.fit(matrix, codes, **options)


def aligned(model: Classifier, matrix: Matrix, n_classes: int) -> FloatArray:
    """Return its probabilities (n, K) in the order of all classes; a class it never saw has probability 0.

    Raises:
        ModelError: Not probabilities.
    """
    with noted(f"predicting {len(matrix):,} rows of {matrix.shape[1]} features with {type(model).__name__}"):
        outputs = np.asarray(model.predict_proba(matrix), dtype=np.float64)
    probs = np.zeros((len(matrix), n_classes))
    present: IntArray = np.asarray(getattr(model, "classes_", np.arange(n_classes))).astype(np.int64)
    if outputs.ndim != 2 or outputs.shape[1] != present.size or not np.isfinite(outputs).all():
        raise ModelError(
            f"{type(model).__name__}.predict_proba gave shape {outputs.shape} for {present.size} classes, or values "
            "that are not finite."
        )
    probs[:, present] = outputs
    total = probs.sum(axis=1, keepdims=True)
    if not (total > 0).all():
        raise ModelError(f"{type(model).__name__}.predict_proba gave rows that sum to 0.")
    return np.asarray(probs / total)


@contextmanager
def noted(doing: str) -> Iterator[None]:
    """Add what was being done, and the commonest cause, to an error of the caller's model."""
    try:
        yield
    except (ValueError, TypeError, RuntimeError) as error:
        if sys.version_info >= (3, 11):
            error.add_note(
                f"while {doing}; missing values are NaN in them, so a model that takes none needs a SimpleImputer "
                "before it"
            )
        raise
