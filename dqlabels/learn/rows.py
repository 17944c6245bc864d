"""The rows a classifier learns from: dealt into folds by content, fitted with weights or soft labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from sklearn import get_config
from sklearn.utils import _safe_indexing
from sklearn.utils.parallel import Parallel, delayed

from dqlabels.errors import ModelError, OptionError
from dqlabels.frames.hashing import hash_inputs
from dqlabels.learn.learner import params_for_rows, request_weights, splits_inside, weight_name
from dqlabels.learn.types import BoolArray, FitParams, FloatArray, Folds, Inputs, IntArray
from dqlabels.models.estimator import Classifier, seeded
from dqlabels.models.folds import Fold

# Copies of a row for classes less probable than this are not worth fitting.
MIN_SHARE = 1e-3
# A row is fitted under so many classes at most; under 50 it would be fitted 50 times.
MAX_COPIES = 5
MIN_PROBABILITY = 1e-6


def class_probabilities(model: Classifier, X: Inputs, n_classes: int) -> FloatArray:
    """Return a model's probabilities (n, K) for all classes; a class it never saw has probability 0.

    Raises:
        ModelError: They are not finite, or not one column for each class it saw.
    """
    outputs = np.asarray(model.predict_proba(X), dtype=np.float64)
    present = np.asarray(getattr(model, "classes_", np.arange(outputs.shape[-1])))
    if outputs.ndim != 2 or outputs.shape[1] != present.size or not np.isfinite(outputs).all():
        raise ModelError(
            f"{type(model).__name__}.predict_proba gave shape {outputs.shape} for {present.size} classes, or values "
            "that are not finite."
        )
    probs = np.zeros((len(outputs), n_classes))
    probs[:, present.astype(np.int64)] = np.clip(outputs, 0.0, None)
    total = probs.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(probs, total, out=np.full_like(probs, 1 / n_classes), where=total > 0))


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """n rows with labels of K classes, and the classifier to be fitted on them.

    ``codes`` (n,) are the given labels as class positions; ``weights`` (n,) the caller's or None; ``order`` (n,)
    the rows by content, in which they are always fitted, so that the caller's order does not show. Rows of one of the
    ``groups`` (n,) judge one another no more than copies do; ``fit_params`` go to the classifier's ``fit``; ``judged``
    (n, K) are the caller's probabilities, by which rows are judged in place of ours.
    """

    X: Inputs
    codes: IntArray
    n_classes: int
    weights: FloatArray | None
    estimator: Classifier
    cv: Folds
    seed: int
    n_jobs: int | None
    order: IntArray
    groups: IntArray | None = None
    fit_params: FitParams = field(default_factory=dict)
    judged: FloatArray | None = None

    @classmethod
    def of(
        cls,
        X: Inputs,
        codes: IntArray,
        n_classes: int,
        weights: FloatArray | None,
        estimator: Classifier,
        cv: Folds,
        seed: int,
        n_jobs: int | None,
    ) -> Rows:
        """Order rows by their content.

        Args:
            X: The n rows.
            codes: (n,) class positions.
            n_classes: K.
            weights: (n,) not negative, or None.
            estimator: The classifier to fit.
            cv: Folds.
            seed: Seeds every draw.
            n_jobs: Folds fitted at a time.
        """
        order = np.lexsort((codes, hash_inputs(X)))
        return cls(X, codes, n_classes, weights, estimator, cv, seed, n_jobs, order)

    def grouped(self, groups: IntArray) -> Rows:
        """Return rows of which no two of one group (n,) are on both sides of a fold.

        The folds are settled at once: a judge that would mix the rows otherwise must not.
        """
        rows = replace(self, groups=groups)
        return replace(rows, cv=rows.folds())

    def folds(self) -> list[Fold]:
        """Return (train, test) rows of a splitter, or dealt out class by class; copies of a row stay together."""
        if self.cv is not None and hasattr(self.cv, "split"):
            return self._covering([*self.cv.split(self.X, self.codes, self.groups)])
        if not isinstance(self.cv, (int, np.integer, type(None))):
            return self._covering([*self.cv])
        n_folds = 5 if self.cv is None else int(self.cv)
        if isinstance(self.cv, bool) or n_folds < 2:
            raise OptionError(f"cv={self.cv!r} is not known; pass at least 2 folds or a scikit-learn splitter.")
        fold = self.deal(n_folds)
        parts = [(np.flatnonzero(fold != at), np.flatnonzero(fold == at)) for at in range(n_folds)]
        return [(train, test) for train, test in parts if train.size and test.size]

    def _covering(self, splits: Sequence[Fold]) -> list[Fold]:
        judged = np.zeros(self.codes.size, dtype=bool)
        for _, test in splits:
            judged[test] = True
        if not judged.all():
            raise OptionError(
                f"cv={self.cv!r} leaves {int((~judged).sum()):,} rows in no test fold; every row must be in one."
            )
        return list(splits)

    def deal(self, n_parts: int) -> IntArray:
        """Return the part (n,) of each row, dealt out class by class; identical rows, or a group, go to one part."""
        if self.groups is not None:
            return self._deal_groups(self.groups, n_parts)
        hashes = hash_inputs(self.X)[self.order]
        starts = np.append(True, hashes[1:] != hashes[:-1])
        unit = np.cumsum(starts) - 1
        lowest = self.codes[self.order][starts]
        rank = np.random.default_rng([self.seed, 0xF01D]).permutation(lowest.size)
        dealt = np.zeros(lowest.size, dtype=np.int64)
        if lowest.size * 20 < self.codes.size:
            # In a coarse table identical rows form a cell, and are the best judges of each other.
            parts = np.zeros(self.codes.size, dtype=np.int64)
            parts[self.order] = np.random.default_rng([self.seed, 0xF01E]).permutation(self.codes.size) % n_parts
            return parts
        dealt[np.lexsort((rank, lowest))] = np.arange(lowest.size) % n_parts
        parts = np.zeros(self.codes.size, dtype=np.int64)
        parts[self.order] = dealt[unit]
        return parts

    def _deal_groups(self, groups: IntArray, n_parts: int) -> IntArray:
        _, unit = np.unique(groups, return_inverse=True)
        lowest = np.full(int(unit.max()) + 1, self.n_classes)
        np.minimum.at(lowest, unit, self.codes)
        if lowest.size < 2:
            raise OptionError("groups holds a single group; rows are judged by models of other groups. Pass several.")
        rank = np.random.default_rng([self.seed, 0xF01D]).permutation(lowest.size)
        dealt = np.zeros(lowest.size, dtype=np.int64)
        dealt[np.lexsort((rank, lowest))] = np.arange(lowest.size) % n_parts
        return np.asarray(dealt[unit])

    def fit(self, codes: IntArray, weights: FloatArray | None = None, rows: IntArray | None = None) -> Classifier:
        """Fit a new model on ``rows`` (by default all) with labels (n,); ``weights`` (n,) multiply the caller's.

        Where the classifier takes no weights, rows are drawn in proportion to them, each at its share of places.

        Raises:
            ModelError: Fewer than two classes are left.
        """
        chosen = self.order if rows is None else self.order[_mask(rows, codes.size)[self.order]]
        total = _product(self.weights, weights)
        if total is not None:
            chosen = chosen[total[chosen] > 0]
        return self._fit(chosen, codes[chosen], None if total is None else total[chosen])

    def fit_soft(self, soft: FloatArray, weights: FloatArray | None = None, rows: IntArray | None = None) -> Classifier:
        """Fit a new model on soft labels (n, K): each row once for each possible class, weighted by its share.

        That is the cross-entropy between ``soft`` and the model, for any classifier that takes weights. A classifier
        that sets rows aside for itself, by early stopping or an inner cross-validation, would have copies of a row on
        both sides, so it gets each row once, under its likeliest class.
        """
        chosen = self.order if rows is None else self.order[_mask(rows, len(soft))[self.order]]
        soft = likeliest(soft, MAX_COPIES)
        at, codes = np.nonzero(soft[chosen] > MIN_SHARE)
        if splits_inside(self.estimator, at.size):
            at, codes = np.arange(chosen.size), soft[chosen].argmax(axis=1)
        repeated = chosen[at]
        shares = soft[repeated, codes]
        total = _product(self.weights, weights)
        if total is not None:
            shares = shares * total[repeated]
        counted = shares > 0
        return self._fit(repeated[counted], codes[counted], shares[counted])

    def _fit(self, rows: IntArray, codes: IntArray, weights: FloatArray | None) -> Classifier:
        if np.unique(codes).size < 2:
            raise ModelError(
                "A single class is left to fit on. Use fewer folds, a milder setting, or more rows of each class."
            )
        model = seeded(self.estimator, self.seed)
        name = weight_name(model)
        if weights is not None and name is None:
            rows, codes, weights = _in_proportion(rows, codes, weights, once=splits_inside(model, rows.size))
        part = _safe_indexing(self.X, rows)
        options = params_for_rows(self.fit_params, rows, self.codes.size)
        if weights is not None and name is not None:
            if get_config()["enable_metadata_routing"] and name != "sample_weight":
                request_weights(model)
                name = "sample_weight"
            options[name] = weights
        model.fit(part, codes, **options)  # a wrapper may return nothing
        return model

    def out_of_fold(
        self, codes: IntArray | None = None, *, soft: FloatArray | None = None, weights: FloatArray | None = None
    ) -> FloatArray:
        """Return probabilities (n, K) of every row from models that saw neither it nor a copy of it.

        Args:
            codes: (n,) labels to fit on; default the given ones.
            soft: (n, K) soft labels to fit on instead.
            weights: (n,) weights beside the caller's.
        """
        labels = self.codes if codes is None else codes

        def judge(train: IntArray, test: IntArray) -> FloatArray:
            model = self.fit(labels, weights, train) if soft is None else self.fit_soft(soft, weights, train)
            return class_probabilities(model, _safe_indexing(self.X, test), self.n_classes)

        folds = self.folds()
        answers = Parallel(n_jobs=self.n_jobs, prefer="threads")(delayed(judge)(*split) for split in folds)
        sums, votes = np.zeros((labels.size, self.n_classes)), np.zeros(labels.size)
        for (_, test), probs in zip(folds, answers, strict=True):
            sums[test] += probs
            votes[test] += 1
        return np.asarray(sums / votes[:, None])


def one_hot(codes: IntArray, n_classes: int) -> FloatArray:
    """Return (n, K) with 1 at each row's class and 0 elsewhere.

    >>> one_hot(np.array([1, 0]), 2).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    return np.asarray(np.eye(n_classes)[codes])


def likeliest(soft: FloatArray, number: int) -> FloatArray:
    """Return soft labels (n, K) of the ``number`` likeliest classes of each row, which share what the others had.

    >>> likeliest(np.array([[0.5, 0.3, 0.2]]), 2).tolist()
    [[0.625, 0.375, 0.0]]
    """
    if soft.shape[1] <= number:
        return soft
    bar = np.partition(soft, -number, axis=1)[:, [-number]]
    top = np.where(soft >= bar, soft, 0.0)
    total = top.sum(axis=1, keepdims=True)
    return np.asarray(top * np.divide(soft.sum(axis=1, keepdims=True), total, out=np.ones_like(total), where=total > 0))


def losses(codes: IntArray, probs: FloatArray, least: float = MIN_PROBABILITY) -> FloatArray:
    """Return the negative log probability (n,) of each row's label, in nats; none counts as less than ``least``."""
    return np.asarray(-np.log(np.maximum(probs[np.arange(codes.size), codes], least)))


def _mask(rows: IntArray, n: int) -> BoolArray:
    mask = np.zeros(n, dtype=bool)
    mask[rows] = True
    return mask


def _product(one: FloatArray | None, other: FloatArray | None) -> FloatArray | None:
    if one is None or other is None:
        return other if one is None else one
    return one * other


def _in_proportion(
    rows: IntArray, codes: IntArray, weights: FloatArray, *, once: bool
) -> tuple[IntArray, IntArray, None]:
    """Repeat rows in proportion to their weights, as many in all as there are different ones (systematic sampling).

    With ``once`` none is repeated, so that the heaviest count for less than their weight.
    """
    ends = np.cumsum(weights) / weights.sum() * np.unique(rows).size
    times = np.diff(np.floor(ends + 0.5), prepend=0.0).astype(np.int64)
    if once:
        times = np.minimum(times, 1)
    return np.repeat(rows, times), np.repeat(codes, times), None
