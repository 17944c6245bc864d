"""Any classifier with scikit-learn's interface: fitted, asked, and said what went wrong with."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dqlabels.errors import ModelError
from dqlabels.models.forest import FittedModel, Forest

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class EstimatorModel:
    """A fitted classifier with scikit-learn's interface, for ``n_classes`` classes of ``width`` features."""

    estimator: Any
    width: int
    n_classes: int

    @property
    def name(self) -> str:
        """As a reader knows it."""
        return f"{type(self.estimator).__name__}, fitted"

    def predict_proba(self, matrix: NDArray[np.float32], *, n_threads: int | None = None) -> FloatArray:
        """Its probabilities (n, K); a class it never saw has probability 0. Threads are its own affair."""
        return aligned(self.estimator, matrix, self.n_classes)


def for_others(
    model: Any, matrix: NDArray[np.float32], codes: IntArray, n_classes: int, weights: FloatArray | None, seed: int
) -> FittedModel:
    """The model fitted on all rows that have a label."""
    fitted = seeded(model, seed)
    fit(fitted, matrix, codes, weights)
    forest = Forest.of_classifier(fitted, matrix.shape[1], n_classes)
    return forest if forest is not None else EstimatorModel(fitted, matrix.shape[1], n_classes)


def seeded(model: Any, seed: int) -> Any:
    """A clone, whose choices are settled by ``seed`` unless it has one of its own."""
    from sklearn.base import clone

    fresh = clone(model)
    params = fresh.get_params(deep=False)
    if "random_state" in params and params["random_state"] is None:
        fresh.set_params(random_state=seed)
    return fresh


def fit(model: Any, matrix: NDArray[np.float32], codes: IntArray, weights: FloatArray | None) -> None:
    """Fit on rows (m, d) with codes (m,).

    Raises:
        ModelError: All rows are of one class.
    """
    if np.unique(codes).size < 2:
        raise ModelError("A training fold holds a single class. Use fewer folds, or stratified ones (cv=5).")
    with noted(f"fitting {type(model).__name__} on {len(codes):,} rows of {matrix.shape[1]} features"):
        model.fit(matrix, codes) if weights is None else model.fit(matrix, codes, sample_weight=weights)


def aligned(model: Any, matrix: NDArray[np.float32], n_classes: int) -> FloatArray:
    """Its probabilities (n, K) in the order of all classes; a class it never saw has probability 0.

    Raises:
        ModelError: Not probabilities.
    """
    with noted(f"predicting {len(matrix):,} rows of {matrix.shape[1]} features with {type(model).__name__}"):
        given = np.asarray(model.predict_proba(matrix), dtype=np.float64)
    probs = np.zeros((len(matrix), n_classes))
    seen = np.asarray(getattr(model, "classes_", np.arange(n_classes))).astype(np.int64)
    if given.ndim != 2 or given.shape[1] != seen.size or not np.isfinite(given).all():
        raise ModelError(
            f"{type(model).__name__}.predict_proba gave shape {given.shape} for {seen.size} classes, or values that "
            "are not finite."
        )
    probs[:, seen] = given
    total = probs.sum(axis=1, keepdims=True)
    if not (total > 0).all():
        raise ModelError(f"{type(model).__name__}.predict_proba gave rows that sum to 0.")
    return np.asarray(probs / total)


@contextmanager
def noted(doing: str) -> Iterator[None]:
    """Say what was being done, and the commonest cause, on an error of the caller's model."""
    try:
        yield
    except (ValueError, TypeError, RuntimeError) as error:
        if sys.version_info >= (3, 11):
            error.add_note(
                f"while {doing}; missing values are NaN in them, so a model that takes none needs a SimpleImputer "
                "before it"
            )
        raise
