"""Out-of-sample class probabilities: every row judged only by models that did not see it, nor a copy of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dqlabels.errors import ModelError
from dqlabels.models.bag import Bag, Seed
from dqlabels.models.estimator import Classifier
from dqlabels.models.folds import Splitter, cross_validate, fit_on_all
from dqlabels.models.forest import FittedModel, Forest, GrownTree
from dqlabels.models.rounds import judge_in_rounds
from dqlabels.models.several import as_models, judge_by_several
from dqlabels.models.sizes import Sizes
from dqlabels.models.units import FittingRows, GroupNames, content_units, row_weights
from dqlabels.progress import ProgressOption
from dqlabels.statistics.arrays import FloatArray, IntArray, Matrix, RealArray
from dqlabels.statistics.classes import model_error


@dataclass(frozen=True, slots=True, eq=False)
class OutOfSample:
    """Probabilities of n rows, and where they came from.

    ``probs`` (n, K) rows sum to 1; ``error`` is the share of labelled rows whose likeliest class is not the
    label; ``distinct_rows`` counts the kinds of row, or groups, that were used or left out together, unless
    ``coarse``: then identical rows were treated one by one. Where asked for, ``fitted`` is the model for other
    rows, and ``seen`` (m,) are the rows it was fitted on.
    """

    probs: RealArray
    model: str
    error: float
    trained_rows: int
    distinct_rows: int
    coarse: bool
    fitted: FittedModel | None
    seen: IntArray


def out_of_sample(
    matrix: Matrix,
    codes: IntArray,
    n_classes: int,
    *,
    model: Classifier | Sequence[Classifier] | None = None,
    cv: int | str | Splitter | None = None,
    groups: GroupNames | None = None,
    sample_weight: ArrayLike | None = None,
    random_state: int = 0,
    n_jobs: int | None = None,
    progress: ProgressOption = None,
    keep_model: bool = False,
    sizes: Sizes | None = None,
) -> OutOfSample:
    """Predict the classes of every row from models that were fitted without it and without rows identical to it.

    On coarse tables, where there are more than 20 rows to each kind of row and no groups are given, identical rows
    may judge each other; ``coarse`` says so.

    By default bagged extra-trees, boosted trees and a linear model as one, in two rounds
    (:mod:`dqlabels.models.rounds`). With ``model`` (or ``cv``), cross-validation. Neither depends on the order of the
    rows.

    Args:
        matrix: (n, d) float32, NaN where missing.
        codes: (n,) class positions; rows of -1 have no label: never fitted, judged by every model.
        n_classes: K.
        model: A classifier with scikit-learn's interface, or several, whose answers are made one; they are cloned,
            never fitted themselves.
        cv: Folds: a number, a scikit-learn splitter, or ``"time"``: rows are in time order and each block is
            judged by a model of the blocks before it; the first, which nothing precedes, by one of those after.
        groups: (n,) values; rows of one group are never on both sides.
        sample_weight: (n,) weights, not negative.
        random_state: Seeds every draw.
        n_jobs: Threads of the default model.
        progress: True, False, a callable ``(done, total)``, or None: shown where the work is long.
        keep_model: Keep the bag, or fit the model once more on all rows, to judge other rows by.
        sizes: Sizes of the default model.

    Raises:
        ModelError: The model cannot be fitted, or gives no probabilities.
        OptionError: ``cv`` or ``sample_weight`` cannot be used.

    >>> import numpy as np
    >>> matrix = np.concatenate([np.linspace(0, 1, 30), np.linspace(2, 3, 30)]).astype(np.float32)[:, None]
    >>> out_of_sample(matrix, np.repeat([0, 1], 30), 2).error
    0.0
    """
    weights = row_weights(sample_weight, len(codes))
    units, order, distinct, coarse = content_units(matrix, codes, groups)
    rows = FittingRows(matrix, codes, n_classes, units, order, weights)
    fitted: FittedModel | None
    sizes = sizes or Sizes()
    if model is None and cv is None and keep_model:
        # An auditor keeps the bag alone, so the thresholds must come from the bag's answers.
        probs, name, seen, fitted = _bag_to_keep(rows, sizes, random_state, n_jobs, progress)
    elif model is None and cv is None:
        probs, name = judge_in_rounds(rows, sizes, random_state, n_jobs, progress)
        seen, fitted = rows.sample(sizes.large_rows, random_state), None
        probs = alike_by_mean(rows, probs) if coarse else probs
    else:
        models = as_models(model)
        if len(models) > 1 and keep_model:
            raise ModelError(
                "An auditor keeps one model, and model= lists several. Pass one, such as "
                "sklearn.ensemble.VotingClassifier of them, voting='soft'."
            )
        parts: list[tuple[FittedModel, int]] | None = [] if keep_model else None
        folding: Any = {
            "grouped": groups is not None, "seed": random_state, "n_jobs": n_jobs, "progress": progress,
        }  # fmt: skip
        if len(models) > 1:
            probs, name, seen = judge_by_several(rows, models, cv, **folding)
        else:
            probs, name, seen = cross_validate(rows, models[0], cv, **folding, kept=parts)
        fitted = None if parts is None else fit_on_all(rows, models[0], random_state, n_jobs, parts)
    known = codes >= 0
    error = model_error(codes[known], probs[known].argmax(axis=1))
    return OutOfSample(probs, name, error, len(seen), distinct, coarse, fitted, seen)


def alike_by_mean(rows: FittingRows, probs: FloatArray) -> FloatArray:
    """Return the mean probabilities (n, K) of the rows with the same features and label.

    On a coarse table each row is left out by itself, and which of the rows alike it is must not matter.
    """
    order = rows.order
    same = (rows.matrix[order][1:] == rows.matrix[order][:-1]) | (
        np.isnan(rows.matrix[order][1:]) & np.isnan(rows.matrix[order][:-1])
    )
    apart = ~same.all(axis=1) | (rows.codes[order][1:] != rows.codes[order][:-1])
    starts = np.append(0, np.flatnonzero(apart) + 1)
    number = np.diff(starts, append=order.size)
    means = np.empty_like(probs)
    means[order] = np.repeat(np.add.reduceat(probs[order], starts, axis=0) / number[:, None], number, axis=0)
    return means


def _bag_to_keep(
    rows: FittingRows, sizes: Sizes, seed: int, n_jobs: int | None, progress: ProgressOption
) -> tuple[FloatArray, str, IntArray, Forest]:
    """Probabilities (n, K) out of bag, the model's name, the rows it was fitted on, and the bag itself.

    Rows are fitted in the order of their content, so that neither the draws nor the trees depend on the caller's order.
    """
    fitted, width = rows.sample(sizes.large_rows, seed), rows.matrix.shape[1]
    trees = sizes.kept_bag.trees(len(fitted))
    grown: dict[Seed, GrownTree] = {}
    per_tree = min(len(fitted), sizes.kept_bag.max_rows_per_tree)
    bag = Bag(rows, fitted, per_tree, grown)
    probs = bag.judge(seed, trees, n_jobs, progress)
    forest = Forest.of([grown[key] for key in sorted(grown)], width, rows.n_classes, bag.left_out)
    return probs, f"extra-trees, {trees} trees, out of bag", fitted, forest
