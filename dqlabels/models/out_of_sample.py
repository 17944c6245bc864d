"""Out-of-sample class probabilities: every row judged only by models that did not see it, nor a copy of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from dqlabels.models import boosting
from dqlabels.models.bag import Bag, Seed
from dqlabels.models.estimator import Classifier
from dqlabels.models.folds import Splitter, cross_validate, fit_on_all
from dqlabels.models.forest import FittedModel, Forest, GrownTree
from dqlabels.models.sizes import Sizes
from dqlabels.models.units import FittingRows, GroupNames, content_folds, content_units, row_weights
from dqlabels.progress import ProgressOption
from dqlabels.statistics.arrays import FloatArray, IntArray, Matrix, RealArray
from dqlabels.statistics.classes import model_error
from dqlabels.threads import thread_count

# Share of the bag in the mixture with boosting.
BAG_SHARE = 0.4


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
    model: Classifier | None = None,
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

    By default bagged extra-trees, each row judged by the trees that left it out (out of bag): one fit instead
    of five; on tables of many rows per class the mean of these and boosted trees that saw only the half without the
    row. With ``model`` (or ``cv``), cross-validation. Neither depends on the order of the rows.

    Args:
        matrix: (n, d) float32, NaN where missing.
        codes: (n,) class positions; rows of -1 have no label: never fitted, judged by every model.
        n_classes: K.
        model: A classifier with scikit-learn's interface; it is cloned, never fitted itself.
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

    >>> matrix = np.concatenate([np.linspace(0, 1, 30), np.linspace(2, 3, 30)]).astype(np.float32)[:, None]
    >>> out_of_sample(matrix, np.repeat([0, 1], 30), 2).error
    0.0
    """
    weights = row_weights(sample_weight, len(codes))
    units, order, distinct, coarse = content_units(matrix, codes, groups)
    rows = FittingRows(matrix, codes, n_classes, units, order, weights)
    fitted: FittedModel | None
    if model is None and cv is None:
        probs, name, seen, fitted = _out_of_bag(
            rows, sizes or Sizes(), random_state, n_jobs, progress, keep_model=keep_model
        )
    else:
        probs, name, seen = cross_validate(
            rows, model, cv, grouped=groups is not None, seed=random_state, n_jobs=n_jobs, progress=progress
        )
        fitted = fit_on_all(rows, model, random_state, n_jobs) if keep_model else None
    known = codes >= 0
    error = model_error(codes[known], probs[known].argmax(axis=1))
    return OutOfSample(probs, name, error, len(seen), distinct, coarse, fitted, seen)


def _out_of_bag(
    rows: FittingRows, sizes: Sizes, seed: int, n_jobs: int | None, progress: ProgressOption, *, keep_model: bool
) -> tuple[FloatArray, str, IntArray, Forest | None]:
    """Probabilities (n, K), the model's name, the rows it was fitted on, and the bag where it is to be kept.

    Rows are fitted in the order of their content, so that neither the draws nor the trees depend on the caller's order.
    """
    fitted = rows.sample(sizes.large_rows, seed)
    width, boosted = rows.matrix.shape[1], None
    # An auditor keeps the bag alone, so the thresholds must come from the bag's answers.
    if not keep_model and boosting.is_worth_boosting(rows.labelled.size, width, rows.n_classes, sizes.rows_per_class):
        boosted = _by_halves(rows, sizes, seed, n_jobs)
    bag_sizes = sizes.bag if boosted is None else sizes.bag_beside_boosting
    trees = bag_sizes.trees(len(fitted))
    grown: dict[Seed, GrownTree] | None = {} if keep_model else None
    probs = Bag(rows, fitted, min(len(fitted), bag_sizes.max_rows_per_tree), grown).judge(seed, trees, n_jobs, progress)
    name = f"extra-trees, {trees} trees, out of bag"
    if boosted is not None:
        return BAG_SHARE * probs + (1 - BAG_SHARE) * boosted, f"{name}, and boosting in halves", fitted, None
    if grown is None:
        return probs, name, fitted, None
    return probs, name, fitted, Forest.of([grown[key] for key in sorted(grown)], width, rows.n_classes)


def _by_halves(rows: FittingRows, sizes: Sizes, seed: int, n_jobs: int | None) -> FloatArray | None:
    """Probabilities (n, K) by boosting; a unit's rows, labelled or not, are judged by the half without it."""
    fitted = rows.sample(sizes.max_boosted_rows, seed)
    half_of_unit = np.full(rows.n_units, -1, dtype=np.int64)
    half_of_unit[rows.units[fitted]] = content_folds(fitted, rows.codes, rows.units, 2, seed)
    return boosting.judge_by_halves(
        rows, fitted=fitted, halves=half_of_unit[rows.units], seed=seed, n_threads=thread_count(n_jobs),
        sizes=sizes.boosting,
    )  # fmt: skip
