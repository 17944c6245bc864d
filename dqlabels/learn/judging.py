"""Judge the rows by an audit's models, by the classifier's own folds, or by both, weighted by how well they predict."""

from __future__ import annotations

from typing import cast, get_args

import numpy as np
from numpy.typing import NDArray

from dqlabels.errors import FeatureError, ModelError, OptionError
from dqlabels.learn.rows import MIN_PROBABILITY, Rows
from dqlabels.learn.types import FloatArray, Inputs

JUDGES = ("audit", "mixture", "trees", "folds")
# Shares of the folds to try in a mixture; finer steps made no measurable difference.
SHARES = np.linspace(0, 1, 11)


def judge_rows(judge: str, rows: Rows, by_folds: FloatArray | None = None) -> FloatArray:
    """Return probabilities (n, K) of every row from models that saw neither it nor a copy of it, or the caller's own.

    Args:
        judge: "folds": the classifier itself, cross-validated; "trees": extra-trees, out of the bag; "mixture": both,
            in the shares under which the given labels are likeliest; "audit": the folds and the models that judge in
            an audit, mixed likewise. Where these cannot read the features (sparse matrices, texts that are no column of
            a frame), or where ``cv`` is a splitter, which may keep rows apart that they would mix, the folds judge
            alone.
        rows: The rows.
        by_folds: (n, K) answers of the folds, where they are known.

    Raises:
        OptionError: Trees alone are asked for and cannot read the features, or may not.
    """
    if rows.judged is not None:
        return rows.judged
    if judge == "trees":
        if (by_trees := _others(judge, rows)) is None:
            raise OptionError(
                "judge='trees' cannot judge these rows: the features are sparse, texts or all alike, or cv= is a "
                "splitter. Take judge='folds'."
            )
        return by_trees
    if by_folds is None:
        by_folds = rows.out_of_fold()
    others = None if judge == "folds" else _others(judge, rows)
    return by_folds if others is None else likeliest_mixture(by_folds, others, rows)


def _others(judge: str, rows: Rows) -> FloatArray | None:
    """What judges beside the folds, (n, K); None where it cannot read the rows, or might mix what a splitter parts."""
    if not isinstance(rows.cv, (int, np.integer, type(None))):
        return None
    matrix = tree_features(rows.X)
    by_trees = None if matrix is None else model_probabilities(rows, matrix)
    if matrix is None or by_trees is None or judge != "audit":
        return by_trees
    every = model_probabilities(rows, matrix, trees_alone=False)
    return by_trees if every is None else likeliest_mixture(by_trees, every, rows)


def likeliest_mixture(one: FloatArray, other: FloatArray, rows: Rows) -> FloatArray:
    """Mix two sets of probabilities (n, K) in the shares, in tenths, under which the labels are likeliest."""
    # In the order of content, since the likelihood is a sum of floats.
    at, codes = rows.order, rows.codes[rows.order]
    weights = np.ones(codes.size) if rows.weights is None else rows.weights[at]
    of_one, of_other = one[at, codes], other[at, codes]
    found = [weights @ np.log(np.maximum(s * of_one + (1 - s) * of_other, MIN_PROBABILITY)) for s in SHARES]
    share = SHARES[int(np.argmax(found))]
    return np.asarray(share * one + (1 - share) * other)


def tree_probabilities(rows: Rows) -> FloatArray | None:
    """Return probabilities (n, K) of an audit's extra-trees, out of bag; None where they cannot read the rows."""
    matrix = tree_features(rows.X)
    return None if matrix is None else model_probabilities(rows, matrix)


def model_probabilities(rows: Rows, matrix: NDArray[np.float32], *, trees_alone: bool = True) -> FloatArray | None:
    """Return out-of-sample probabilities (n, K) of an audit's models; None where all rows look alike.

    Args:
        rows: The rows.
        matrix: (n, d) their features, as :func:`tree_features` reads them.
        trees_alone: Extra-trees, out of the bag, in place of all models of an audit.
    """
    from dqlabels.models.out_of_sample import out_of_sample

    try:
        found = out_of_sample(
            matrix, rows.codes, rows.n_classes, sample_weight=rows.weights, random_state=rows.seed, n_jobs=rows.n_jobs,
            progress=False, keep_model=trees_alone,
        )  # fmt: skip
    except ModelError:
        return None
    return np.asarray(found.probs, dtype=np.float64)


def tree_features(X: Inputs) -> NDArray[np.float32] | None:
    """Return X as (n, d) float32, a frame's columns encoded as in an audit; None where that is not possible."""
    if hasattr(X, "tocsr"):
        return None
    if hasattr(X, "columns"):
        matrix = _frame_features(X)
    else:
        X = np.asarray(X)
        if X.dtype.kind not in "biuf":
            return None
        with np.errstate(over="ignore"):
            matrix = np.ascontiguousarray(X.reshape(len(X), -1), dtype=np.float32)
    return None if matrix is None or np.isinf(matrix).any() else matrix


def _frame_features(X: Inputs) -> NDArray[np.float32] | None:
    import narwhals as nw

    from dqlabels.frames.columns import ColumnKind, column_kind
    from dqlabels.frames.features import FeatureEncoder

    frame = nw.from_native(X, eager_only=True)
    if all(dtype.is_numeric() or dtype == nw.Boolean for dtype in frame.schema.dtypes()):
        with np.errstate(over="ignore"):
            return np.column_stack([column.cast(nw.Float64).to_numpy() for column in frame.iter_columns()]).astype(
                np.float32
            )
    if not all(isinstance(name, str) for name in frame.columns):
        return None
    found = {name: column_kind(frame[name]) for name in frame.columns}
    kinds: dict[str, ColumnKind] = {
        name: cast("ColumnKind", kind) for name, kind in found.items() if kind in get_args(ColumnKind)
    }
    try:
        return FeatureEncoder.fit_encode(frame, kinds)[1].matrix if kinds else None
    except FeatureError:  # such as vectors of several lengths
        return None
