"""Cross-validation: a clone of a classifier per fold, each judging the rows of its fold."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np

from dqlabels.errors import ModelError, OptionError
from dqlabels.models.bag import MIN_LEAF_ROWS
from dqlabels.models.estimator import (
    Classifier,
    FoldsModel,
    aligned,
    fit,
    fit_for_others,
    model_for_others,
    seeded,
)
from dqlabels.models.forest import FittedModel
from dqlabels.models.sizes import MAX_TREES
from dqlabels.models.units import FittingRows, content_folds, folds_of_rows, mean_of_folds
from dqlabels.progress import Progress, ProgressOption
from dqlabels.statistics.arrays import FloatArray, IntArray, RealArray

FOLDS = 5
Fold = tuple[IntArray, IntArray]


class Splitter(Protocol):
    """A splitter with scikit-learn's interface."""

    def split(self, X: FloatArray, y: IntArray, groups: IntArray | None = None) -> Iterator[Fold]:
        """Positions of the rows to train on and of those to judge, fold by fold."""


def cross_validate(
    rows: FittingRows,
    model: Classifier | None,
    cv: int | str | Splitter | None,
    *,
    grouped: bool,
    seed: int,
    n_jobs: int | None,
    progress: ProgressOption,
    kept: list[tuple[FittedModel, int]] | None = None,
) -> tuple[FloatArray, str, IntArray]:
    """Judge every row by a clone that was fitted without it; rows without a label by the mean of all clones.

    Args:
        rows: The table.
        model: What to clone; by default extra-trees.
        cv: A number of folds, a splitter, ``"time"``, or None for five folds.
        grouped: Whether a splitter gets the units as groups.
        seed: Seeds the folds, and the clones where they have no seed of their own.
        n_jobs: Threads of the default model.
        progress: As for :func:`dqlabels.audit`.
        kept: Gets the clone of each fold, and how many rows it judged.

    Returns:
        Probabilities (n, K), the model's name, and the rows (m,) it was fitted on.

    Raises:
        ModelError: The model cannot be fitted, or gives no probabilities, or the folds leave rows out.
        OptionError: ``cv`` cannot be used.
    """
    model = default_model(seed, n_jobs) if model is None else model
    check_classifier(model, weighted=rows.weights is not None)
    known = np.flatnonzero(rows.codes >= 0)
    folds = _folds(rows, known, grouped, cv, seed)
    n_rows = len(rows.codes)
    sums, votes = np.zeros((n_rows, rows.n_classes)), np.zeros(n_rows, dtype=np.int64)
    unlabelled = np.flatnonzero(rows.codes < 0)
    for train, test in Progress(progress).follow(folds, len(folds)):
        clone = seeded(model, seed)
        fit(clone, rows.matrix[train], rows.codes[train], None if rows.weights is None else rows.weights[train])
        asked = np.concatenate([test, unlabelled])
        sums[asked] += aligned(clone, rows.matrix[asked], rows.n_classes)
        votes[asked] += 1
        if kept is not None:
            kept.append((model_for_others(clone, rows.matrix.shape[1], rows.n_classes), test.size))
    if (votes == 0).any():
        unjudged = int((votes == 0).sum())
        raise ModelError(
            f"The folds of cv={cv!r} leave {unjudged:,} rows unjudged; every row must be in a test fold. For rows in "
            "time order pass cv='time', which judges the first of them by those after."
        )
    return sums / votes[:, None], f"{type(model).__name__}, {len(folds)} folds", known


def judge_in_folds(
    rows: FittingRows,
    fitted: IntArray,
    weights: FloatArray,
    *,
    n_folds: int,
    seed: int,
    n_threads: int,
    judge: Callable[[int, IntArray, IntArray], RealArray],
) -> FloatArray | None:
    """Return probabilities (n, K) of every row by models that did not see it; None where a fold has a single class.

    Args:
        rows: The table.
        fitted: (m,) rows to fit on; the others, unless they belong with one of these, are judged by all models.
        weights: (n,) how much each row counts; rows of no weight are fitted on by nobody.
        n_folds: How many models to fit.
        seed: Seeds the folds.
        n_threads: With two or more folds are fitted side by side; the answer does not depend on it.
        judge: Takes the number of a fold, the rows to fit on and the rows (b,) to judge, and returns their
            probabilities (b, K).
    """
    folds = folds_of_rows(fitted, rows.codes, rows.units, n_folds, seed)
    counted = fitted[weights[fitted] > 0]
    trains = [counted[folds[counted] != fold] for fold in range(n_folds)]
    if any(np.unique(rows.codes[train]).size < 2 for train in trains):
        return None

    def answer(fold: int, tests: IntArray) -> RealArray:
        return judge(fold, trains[fold], tests)

    return mean_of_folds(folds, n_folds, n_threads, answer, rows.n_classes)


def fit_on_all(
    rows: FittingRows, model: Classifier | None, seed: int, n_jobs: int | None, parts: list[tuple[FittedModel, int]]
) -> FittedModel:
    """Fit a clone on all rows with a label, to judge other rows by, beside the clones of the folds.

    Args:
        rows: What to fit on; rows without a label are left out.
        model: A classifier, which is cloned; None for the default one.
        seed: Seeds every choice that the model does not settle itself.
        n_jobs: Number of threads of the default model.
        parts: The clone of each fold, and how many rows it judged.
    """
    known = np.flatnonzero(rows.codes >= 0)
    model = default_model(seed, n_jobs) if model is None else model
    weights = None if rows.weights is None else rows.weights[known]
    whole = fit_for_others(model, rows.matrix[known], rows.codes[known], rows.n_classes, weights, seed)
    judged = sum(size for _, size in parts)
    return FoldsModel(whole, tuple(part for part, _ in parts), tuple(size / judged for _, size in parts))


def check_classifier(model: Classifier, *, weighted: bool) -> None:
    """Raise unless the model can be cloned, gives probabilities, and takes weights where there are any.

    Raises:
        ModelError: Saying what to pass instead.
    """
    if isinstance(model, type):
        raise ModelError(f"model={model.__name__} is a class. Pass an instance of it, as in {model.__name__}().")
    if not hasattr(model, "predict_proba"):
        raise ModelError(
            f"{type(model).__name__} gives no probabilities (no predict_proba). Wrap it in "
            "sklearn.calibration.CalibratedClassifierCV, or pass your own pred_probs=."
        )
    if weighted and "sample_weight" not in inspect.signature(model.fit).parameters:
        raise ModelError(f"{type(model).__name__}.fit takes no sample_weight. Leave the weights out.")


def default_model(seed: int, n_jobs: int | None) -> Classifier:
    """Extra-trees, as many as a bag has."""
    from sklearn.ensemble import ExtraTreesClassifier

    model: Classifier = ExtraTreesClassifier(
        MAX_TREES, min_samples_leaf=MIN_LEAF_ROWS, random_state=seed, n_jobs=n_jobs
    )
    return model


def _folds(rows: FittingRows, known: IntArray, grouped: bool, cv: int | str | Splitter | None, seed: int) -> list[Fold]:
    if isinstance(cv, str):
        if cv != "time":
            raise OptionError(f"cv={cv!r} is not known; pass a number of folds, a scikit-learn splitter, or 'time'.")
        return _time_folds(known)
    if cv is not None and hasattr(cv, "split"):
        groups = rows.units[known] if grouped else None
        splits = cv.split(np.zeros((known.size, 1)), rows.codes[known], groups)
        return [(known[train], known[test]) for train, test in splits]
    n_folds = FOLDS if cv is None else cv
    if isinstance(n_folds, bool) or not isinstance(n_folds, (int, np.integer)) or n_folds < 2:
        raise OptionError(f"cv={cv!r} is not known; pass at least 2 folds, a scikit-learn splitter, or 'time'.")
    fold = content_folds(known, rows.codes, rows.units, int(n_folds), seed)
    parts = [(known[fold != at], known[fold == at]) for at in range(int(n_folds))]
    return [(train, test) for train, test in parts if test.size]


def _time_folds(known: IntArray) -> list[Fold]:
    blocks = np.array_split(known, FOLDS + 1)
    later = [(np.concatenate(blocks[:at]), blocks[at]) for at in range(1, len(blocks))]
    return [(np.concatenate(blocks[1:]), blocks[0]), *later]
