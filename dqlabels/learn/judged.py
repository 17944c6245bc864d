"""Estimators whose rows are judged once before they learn: by models of theirs, or by the caller's probabilities."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dqlabels.errors import ProbabilityError
from dqlabels.frames.class_columns import classes_by_name
from dqlabels.learn.base import NoisyLabelClassifier
from dqlabels.learn.types import FloatArray, Inputs, Labels
from dqlabels.statistics.classes import check_block


@dataclass(kw_only=True, eq=False, repr=False)
class JudgedClassifier(NoisyLabelClassifier):
    """Base of the estimators with a ``judge``."""

    def fit(
        self,
        X: Inputs,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
        pred_probs: ArrayLike | None = None,
        **fit_params: Any,
    ) -> JudgedClassifier:
        """Fit on rows of which some labels are wrong.

        Args:
            X: (n, d) array, sparse matrix, pandas or Polars frame: whatever ``estimator`` takes.
            y: (n,) given labels: strings, numbers or booleans, none missing.
            sample_weight: (n,) weights, not negative.
            groups: (n,) groups, such as customers: no row is judged by a model that saw another of its group.
            pred_probs: (n, K) probabilities of each row by a model that did not see it, a column for each class in the
                order of ``classes_``, or a frame whose columns are named by the classes; nobody else judges then.
            fit_params: Options of the learner's ``fit``, such as ``eval_set``, or ``step__name`` for a pipeline. What
                holds one value for each row is taken with the rows; labels in ``eval_set`` are those of ``y``.

        Returns:
            The estimator itself.

        Raises:
            ProbabilityError: ``pred_probs`` are none, or of other rows or classes.
            DQLabelsError: An option has no meaning, or the classifier inside cannot be fitted.
            ValueError: X or y cannot be used.
        """
        rows = self._read(X, y, sample_weight, groups, fit_params)
        if pred_probs is not None:
            rows = replace(rows, judged=given_probabilities(pred_probs, self.classes_, rows.codes.size))
        self._learn(rows)
        return self


def given_probabilities(pred_probs: Any, classes: Labels, n_rows: int) -> FloatArray:
    """Return the caller's probabilities (n, K) in the order of the classes (K,).

    Args:
        pred_probs: An array, or a frame whose columns are named by the classes.
        classes: The classes in ascending order.
        n_rows: n.

    Raises:
        ProbabilityError: They are none, or of other rows or classes.

    >>> given_probabilities([[0.25, 0.75]], np.array(["no", "yes"]), 1).tolist()
    [[0.25, 0.75]]
    """
    names, carried = list(getattr(pred_probs, "columns", ())), classes.tolist()
    try:
        probs = np.asarray(pred_probs, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ProbabilityError(f"pred_probs holds something else than one number in each place ({error}).") from error
    if probs.shape != (n_rows, classes.size):
        raise ProbabilityError(
            f"pred_probs has shape {probs.shape}; one row for each of the {n_rows:,} rows of X and one column for each "
            f"of the {classes.size} classes of y are needed."
        )
    named = classes_by_name(carried, names, classes.size) if names else None
    if named is not None:
        probs = probs[:, [named.index(value) for value in carried]]
    elif names and names != list(range(classes.size)):
        raise ProbabilityError(
            f"The columns of pred_probs are named {', '.join(map(repr, names[:20]))}, the classes of y are "
            f"{', '.join(map(repr, carried[:20]))}. Name the columns after the classes, or pass an array in "
            "their order."
        )
    check_block(probs)
    return probs
