"""Several models as one: each with the weight under which, with the others, the given labels are likeliest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dqlabels.errors import ModelError
from dqlabels.models.estimator import Classifier
from dqlabels.models.folds import Splitter, cross_validate
from dqlabels.models.pool import logarithms, pool_weights, pooled, rows_to_weigh_by
from dqlabels.models.units import FittingRows
from dqlabels.progress import ProgressOption
from dqlabels.statistics.arrays import FloatArray, IntArray, RealArray


def as_models(model: Any) -> tuple[Classifier, ...]:
    """The models to ask, of one or a list.

    Raises:
        ModelError: The list is empty.

    >>> as_models(["a classifier"])
    ('a classifier',)
    """
    models = tuple(model) if isinstance(model, (list, tuple)) else (model,)
    if not models:
        raise ModelError("model=[] is a list without a model. Pass at least one, or leave it out.")
    return models


def judge_by_several(
    rows: FittingRows,
    models: Sequence[Classifier],
    cv: int | str | Splitter | None,
    *,
    grouped: bool,
    seed: int,
    n_jobs: int | None,
    progress: ProgressOption,
) -> tuple[FloatArray, str, IntArray]:
    """Return probabilities (n, K) by all models together, what judged them in words, and the rows (m,) fitted on.

    Every model judges each row in the same folds; a logarithmic pool makes one of their answers.

    Args:
        rows: What to fit on and judge.
        models: Classifiers, which are cloned.
        cv: As for one model.
        grouped: Whether a splitter gets the units as groups.
        seed: Seeds the folds, and the models without a seed of their own.
        n_jobs: Threads of the default model.
        progress: As for :func:`dqlabels.audit`, of each model in turn.

    Raises:
        ModelError: A model cannot be fitted, or gives no probabilities.
        OptionError: ``cv`` cannot be used.
    """
    answers, names, known = [], [], rows.labelled
    for model in models:
        probs, name, known = cross_validate(
            rows, model, cv, grouped=grouped, seed=seed, n_jobs=n_jobs, progress=progress
        )
        answers.append(probs)
        names.append(name)
    probs, shares = pool_probabilities(answers, rows.codes, rows.labelled)
    named = [f"{name.rpartition(', ')[0]} {share:.0%}" for name, share in zip(names, shares.tolist(), strict=True)]
    return probs, f"{', '.join(named)}, {names[0].rpartition(', ')[2]}", known


def pool_probabilities(
    answers: Sequence[RealArray], codes: IntArray, labelled: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Return one (n, K) of several models' probabilities, and the share (models,) that each has in it.

    Args:
        answers: Out-of-sample probabilities (n, K), one for each model.
        codes: (n,) class positions, -1 where the label is missing.
        labelled: (m,) the rows that have a label, in an order that follows from what they hold.

    >>> sure, lost = np.array([[0.9, 0.1], [0.2, 0.8]] * 30), np.full((60, 2), 0.5)
    >>> _, shares = pool_probabilities([sure, lost], np.tile([0, 1], 30), np.arange(60))
    >>> bool(shares[0] > shares[1])
    True
    """
    logs = [logarithms(np.asarray(one, dtype=np.float64)) for one in answers]
    few = rows_to_weigh_by(labelled, logs[0].shape[1])
    weights = pool_weights([one[few] for one in logs], codes[few])
    total = weights.sum()
    equal = np.full(len(logs), 1 / len(logs))
    return pooled(logs, weights if total else equal), weights / total if total else equal
