"""Score a model whose test labels are partly wrong, with an interval: against suggested or against reviewed labels."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from dqlabels.errors import OptionError
from dqlabels.learn.answers import check_answers, check_complete, check_same_types, missing_rows
from dqlabels.learn.types import Labels
from dqlabels.noise.reviewed import strata

METRICS = ("accuracy", "balanced_accuracy")
REPLICATES = 500
ASSUMPTIONS = {
    "suggested": (
        "Assumes that the suggested labels are right. They come from a model too: where it errs as the scored model "
        "does, the score reads high. The interval holds the sampling error of the rows alone."
    ),
    "reviewed": (
        "Rests on the reviewers' answers alone: rows of a random sample stand for those of their stratum of quality "
        "that the model answered as given, or otherwise."
    ),
}


@dataclass(frozen=True, slots=True)
class CleanScore:
    """A score in [0, 1] on corrected labels, beside the one on the labels as ``given``.

    ``low`` and ``high`` bound ``estimate`` at ``confidence`` under ``assumption``; ``method`` is "suggested" or
    "reviewed"; ``rows`` were scored, ``changed`` of them have another label than the given one.

    >>> score = CleanScore(0.9, 0.85, 0.95, 0.8, 0.90, "accuracy", "reviewed", "Rows were drawn at random.", 200, 12)
    >>> print(score)
    accuracy 0.900 (90% interval 0.850 to 0.950, reviewed labels, 12 of 200 changed); 0.800 on the given labels
    """

    estimate: float
    low: float
    high: float
    given: float
    confidence: float
    metric: str
    method: str
    assumption: str
    rows: int
    changed: int

    def __str__(self) -> str:
        return (
            f"{self.metric} {self.estimate:.3f} ({self.confidence:.0%} interval {self.low:.3f} to {self.high:.3f}, "
            f"{self.method} labels, {self.changed:,} of {self.rows:,} changed); {self.given:.3f} on the given labels"
        )


def score_with_labels(
    predicted: ArrayLike,
    given: ArrayLike,
    suggested: ArrayLike,
    *,
    classes: ArrayLike = (),
    metric: str = "accuracy",
    confidence: float = 0.90,
    random_state: int = 0,
) -> CleanScore:
    """Score predictions against labels that replace the given ones, such as ``suggested_label`` of an audit.

    Args:
        predicted: (n,) what the model answers.
        given: (n,) the labels of the test rows.
        suggested: (n,) the labels to score against: an audit's suggestions, or labels reviewed in full.
        classes: Classes that neither the predictions nor the given labels hold, where ``suggested`` may name one.
        metric: "accuracy" or "balanced_accuracy" (the mean over classes of the share answered right).
        confidence: Confidence of the interval, in (0, 1).
        random_state: Seeds the bootstrap over rows.

    Raises:
        OptionError: Lengths differ, labels of one column never equal those of another (0 and "0"), a suggestion is no
            class, or an option means nothing.
        LabelColumnError: A label is missing.

    >>> found = score_with_labels(["a", "b", "b"], ["a", "a", "b"], ["a", "b", "b"])
    >>> found.estimate, round(found.given, 3), found.changed
    (1.0, 0.667, 1)
    """
    answers, old, new = _columns(predicted, given, suggested)
    check_complete(new, "suggested")
    _check_classes(answers, old, "suggested", new, classes)
    _check(metric, confidence)
    score = _SCORES[metric]
    rng = np.random.default_rng([random_state, 0x5C0])
    draws = (rng.integers(0, new.size, new.size) for _ in range(REPLICATES))
    drawn = [score(answers[rows], new[rows]) for rows in draws]
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    estimate = score(answers, new)
    if metric == "accuracy":
        # Where all rows are right a bootstrap has no width; Wilson's interval does.
        low, high = _wilson(estimate, new.size, confidence)
    return CleanScore(
        estimate, min(float(low), estimate), max(float(high), estimate), score(answers, old), confidence, metric,
        "suggested", ASSUMPTIONS["suggested"], int(new.size), int((old != new).sum()),
    )  # fmt: skip


def score_with_review(
    predicted: ArrayLike,
    given: ArrayLike,
    quality: ArrayLike,
    reviewed: ArrayLike,
    *,
    classes: ArrayLike = (),
    confidence: float = 0.90,
) -> CleanScore:
    """Estimate the accuracy on the true labels from a reviewed sample of the rows.

    Each reviewed row stands for those of its stratum of label quality (worst 10%, next 20%, rest) that the model
    answered as given, or answered otherwise: six cells, in each of which the share of right answers is estimated.

    Args:
        predicted: (n,) what the model answers.
        given: (n,) the labels of the test rows.
        quality: (n,) label quality by which the sample was drawn (``audit.frame["label_quality"]``).
        reviewed: (n,) the right label where a row of ``audit.review_sample()`` was reviewed, None or NaN elsewhere.
        classes: Classes that neither the predictions nor the given labels hold, where a review may name one.
        confidence: Confidence of the interval, in (0, 1).

    Raises:
        OptionError: Lengths differ, labels of one column never equal those of another (0 and "0"), an answer is no
            class (a typing error), a cell has rows and no answer, or an option means nothing.
        LabelColumnError: A prediction or given label is missing.

    Source: post-stratified estimator of a proportion, Cochran (1977), chapter 5A; half an answer of each kind is added
    in each cell for the interval, as in Agresti & Coull (1998).

    >>> given = np.array(["a", "b"] * 50)
    >>> reviewed = np.where(np.arange(100) % 5 == 0, given, None)
    >>> score_with_review(given, given, np.linspace(0, 1, 100), reviewed).estimate
    1.0
    """
    answers, old, asked = _columns(predicted, given, reviewed)
    _check("accuracy", confidence)
    _check_classes(answers, old, "reviewed", asked, classes)
    known = ~missing_rows(asked)
    cell = strata(np.asarray(quality, dtype=np.float64)) * 2 + (answers == old)
    sizes = np.bincount(cell, minlength=6)
    counts = np.bincount(cell[known], minlength=6)
    # A cell without reviewed rows is joined with the other one of its stratum.
    for at in range(3):
        if counts[2 * at : 2 * at + 2].min() == 0 and sizes[2 * at : 2 * at + 2].sum():
            cell[cell // 2 == at] = 2 * at
    sizes, counts = np.bincount(cell, minlength=6), np.bincount(cell[known], minlength=6)
    silent = int(((sizes > 0) & (counts == 0)).sum())
    if silent:
        raise OptionError(
            f"The review says nothing of {silent} of the strata of quality. Answer more rows of "
            "audit.review_sample(), which draws from the best and the worst alike."
        )
    right = np.bincount(cell[known], weights=answers[known] == asked[known], minlength=6)
    share, number = sizes / sizes.sum(), np.maximum(counts, 1)
    estimate = float((share * right / number).sum())
    shrunk = np.where(sizes > 0, (right + 0.5) / (counts + 1), 0)
    left = 1 - counts / np.maximum(sizes, 1)
    spread = math.sqrt(float((share**2 * shrunk * (1 - shrunk) / number * left).sum()))
    half = NormalDist().inv_cdf(0.5 + confidence / 2) * spread
    centre = float((share * shrunk).sum())
    return CleanScore(
        estimate, max(min(centre - half, estimate), 0.0), min(max(centre + half, estimate), 1.0),
        float((answers == old).mean()), confidence, "accuracy", "reviewed", ASSUMPTIONS["reviewed"],
        int(old.size), int((old[known] != asked[known]).sum()),
    )  # fmt: skip


def _columns(*parts: ArrayLike) -> list[Labels]:
    columns: list[Labels] = [np.asarray(values, dtype=object) for values in parts]
    sizes = {column.shape for column in columns}
    if len(sizes) != 1 or columns[0].ndim != 1 or not columns[0].size:
        raise OptionError(f"The columns have shapes {sorted(map(str, sizes))}; one value for each row is needed.")
    return columns


def _check_classes(answers: Labels, old: Labels, name: str, new: Labels, classes: ArrayLike) -> None:
    check_complete(answers, "predicted")
    check_complete(old, "given")
    check_same_types([("predicted", answers), ("given", old)])
    known = {*answers.tolist(), *old.tolist(), *np.asarray(classes, dtype=object).tolist()}
    check_answers(name, new, sorted(known, key=str), "Correct it; a class of its own is named in classes=.")


def _check(metric: str, confidence: float) -> None:
    if metric not in METRICS:
        raise OptionError(f"metric={metric!r} is none of {', '.join(map(repr, METRICS))}.")
    if not 0 < confidence < 1:
        raise OptionError(f"confidence={confidence!r} is not between 0 and 1; for a 90% interval pass 0.90.")


def _accuracy(answers: Labels, labels: Labels) -> float:
    return float((answers == labels).mean())


def _balanced(answers: Labels, labels: Labels) -> float:
    right = (answers == labels).astype(np.float64)
    classes = np.unique(labels.astype(str), return_inverse=True)[1]
    return float((np.bincount(classes, weights=right) / np.bincount(classes)).mean())


_SCORES: dict[str, Callable[[Labels, Labels], float]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced,
}


def _wilson(share: float, rows: int, confidence: float) -> tuple[float, float]:
    from dqlabels.noise.rate import share_interval

    return share_interval(share, rows, confidence)
