"""What must be known of the wrapped classifier: how it takes weights, names classes, and whether it splits its rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import has_fit_parameter

from dqlabels.errors import OptionError
from dqlabels.learn.types import FitParams, Inputs, IntArray, Labels
from dqlabels.models.estimator import Classifier

# HistGradientBoosting stops early by itself above this many rows.
AUTO_EARLY_STOPPING = 10_000


def weight_name(estimator: Classifier) -> str | None:
    """Return the fit parameter for sample weights, also that of a pipeline's last step or of a search's estimator.

    None where there is none.
    """
    from sklearn.model_selection._search import BaseSearchCV

    if has_fit_parameter(estimator, "sample_weight"):
        return "sample_weight"
    if isinstance(estimator, BaseSearchCV):
        return weight_name(estimator.estimator)
    steps = getattr(estimator, "steps", None)
    if not steps:
        return None
    name, last = steps[-1]
    inner = weight_name(last)
    return f"{name}__{inner}" if inner else None


def gives_probabilities(estimator: Classifier) -> bool:
    """Return whether a classifier that isn't fitted will give probabilities, as far as can be known.

    A stack that ends in the default, a logistic regression, does, but says so only once it is fitted.
    """
    return hasattr(estimator, "predict_proba") or getattr(estimator, "final_estimator", estimator) is None


def request_weights(estimator: Classifier) -> None:
    """Ask, under scikit-learn's metadata routing, for sample weights in the last step of a pipeline and in no other.

    Changes the estimator in place. A step that says itself what it wants keeps its word.
    """
    steps = list(getattr(estimator, "steps", []))
    for at, (_, step) in enumerate(steps):
        if hasattr(step, "steps"):
            request_weights(step)
        elif (
            hasattr(step, "set_fit_request")
            and has_fit_parameter(step, "sample_weight")
            and step.get_metadata_routing().fit.requests.get("sample_weight") is None
        ):
            step.set_fit_request(sample_weight=at == len(steps) - 1)


def with_class_positions(estimator: Classifier, classes: Labels) -> Classifier:
    """Return the estimator with each ``class_weight`` by class name rewritten to class positions, where it has any.

    Args:
        estimator: Any classifier, such as a pipeline with one at its end.
        classes: (K,) names in the order of their positions.

    Raises:
        OptionError: A name is no class of y.
    """
    changed: dict[str, dict[int, float]] = {}
    for name, value in sorted(estimator.get_params().items()):  # type: ignore[attr-defined]
        if name.rpartition("__")[2] == "class_weight" and isinstance(value, Mapping):
            known = classes.tolist()
            unknown = [each for each in value if each not in known]
            if unknown:
                raise OptionError(
                    f"{name} names {unknown[0]!r}, which is no class of y; the classes are "
                    f"{', '.join(map(repr, known[:10]))}{' …' if len(known) > 10 else ''}. Use these names."
                )
            # Every class is named, since a fold or a pruned table may lack one.
            changed[name] = {at: float(value.get(each, 1.0)) for at, each in enumerate(known)}
    if not changed:
        return estimator
    copy: Classifier = clone(estimator).set_params(**changed)
    return copy


def splits_inside(estimator: Classifier, n_rows: int) -> bool:
    """Return whether a classifier sets aside rows of its own: an inner cross-validation or early stopping.

    Copies of a row would then be on both sides of the split.

    Args:
        estimator: Any classifier.
        n_rows: The rows that it would be fitted on.
    """
    params: dict[str, Any] = estimator.get_params()  # type: ignore[attr-defined]
    for name, value in params.items():
        prefix, _, last = name.rpartition("__")
        if last == "cv" and not (isinstance(value, str) and value == "prefit"):
            return True
        if last == "early_stopping" and (value is True or (value == "auto" and n_rows > AUTO_EARLY_STOPPING)):
            return True
        stops = f"{prefix}__early_stopping" if prefix else "early_stopping"
        if last == "n_iter_no_change" and value is not None and stops not in params:  # GradientBoostingClassifier
            return True
    return False


def params_for_rows(params: FitParams, rows: IntArray, n_rows: int) -> dict[str, Any]:
    """Return fit parameters for some of the rows: those with one value for each of ``n_rows`` are taken row by row.

    >>> params_for_rows({"weeks": [1, 2, 3], "verbose": 0}, np.array([2, 2, 0]), 3)
    {'weeks': [3, 3, 1], 'verbose': 0}
    """
    return {name: _safe_indexing(value, rows) if _has_rows(value, n_rows) else value for name, value in params.items()}


def _has_rows(value: Any, n_rows: int) -> bool:
    if hasattr(value, "shape"):
        return bool(len(value.shape)) and value.shape[0] == n_rows
    return isinstance(value, (list, tuple)) and len(value) == n_rows


def params_with_class_positions(params: FitParams, classes: Labels) -> dict[str, Any]:
    """Return fit parameters in which the labels of evaluation sets are class positions, as the learner's labels are.

    Those are the second parts of ``eval_set`` (LightGBM, XGBoost, CatBoost), and ``y_val`` and ``eval_y`` (scikit-learn
    and LightGBM), also for a step of a pipeline.

    Raises:
        OptionError: A label is no class of y.

    >>> params_with_class_positions({"eval_set": [([[0.5]], ["yes"])]}, np.array(["no", "yes"]))
    {'eval_set': [([[0.5]], array([1]))]}
    """
    found = dict(params)
    for name, value in params.items():
        last = name.rpartition("__")[2]
        if last == "eval_set" and isinstance(value, tuple):
            found[name] = _evaluated(value, classes, name)
        elif last == "eval_set" and isinstance(value, list):
            found[name] = [_evaluated(pair, classes, name) for pair in value]
        elif last in ("y_val", "eval_y") and value is not None:
            many = isinstance(value, tuple)
            found[name] = (
                tuple(_positions(each, classes, name) for each in value) if many else _positions(value, classes, name)
            )
    return found


def _evaluated(pair: tuple[Inputs, ...], classes: Labels, name: str) -> tuple[Inputs, ...]:
    X, y, *rest = pair
    return (X, _positions(y, classes, name), *rest)


def _positions(y: Inputs, classes: Labels, name: str) -> IntArray:
    labels, known = np.asarray(y), set(classes.tolist())
    unknown = [each for each in labels.tolist() if each not in known]
    if unknown:
        raise OptionError(
            f"{name} holds the label {unknown[0]!r}, which is no class of y. Leave its rows out of {name}."
        )
    return np.searchsorted(classes, labels).astype(np.int64)
