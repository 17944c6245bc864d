"""Wrong labels of a known kind and number, planted among labels that are taken as right."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from dqlabels.errors import OptionError
from dqlabels.statistics.arrays import BoolArray, FloatArray, IntArray, RealArray

NoiseKind = Literal["symmetric", "class", "border", "annotator"]

# How often each of the people who label the rows errs, beside the mean.
PEOPLE = (0.25, 0.5, 1.0, 1.25, 2.0)
# How many of an annotator's errors go to the class that this one mixes up with the right one.
OWN_CONFUSION = 0.7
# How fast errors become rare away from the border, by the difference of the two likeliest probabilities.
BORDER_DECAY = 4.0


def wrong_labels(
    codes: IntArray,
    n_classes: int,
    share: float,
    kind: NoiseKind,
    rng: np.random.Generator,
    probs: RealArray | None = None,
) -> tuple[IntArray, BoolArray]:
    """Give another class to ``share`` of the labels, to the nearest whole number of rows.

    Args:
        codes: (n,) class positions.
        n_classes: K, at least 2.
        share: Share of the labels to change, in (0, 1).
        kind: ``symmetric``: any label, to any other class. ``class``: each class is taken for one other, some classes
            up to four times as often as others. ``border``: rows whose two likeliest classes are close, to the
            likeliest other class. ``annotator``: each row is labelled by one of five people, who err .25 to 2 times as
            often as the mean and each mix up classes of their own.
        rng: Draws the rows and the classes.
        probs: (n, K) of the classes, for ``border``, of models that saw neither the row nor a wrong label.

    Returns:
        The labels (n,), and (n,) true where they were changed.

    Raises:
        OptionError: The kind, or the share, means nothing for these labels.

    >>> import numpy as np
    >>> codes, wrong = wrong_labels(np.zeros(10, dtype=np.int64), 3, 0.2, "symmetric", np.random.default_rng(0))
    >>> int(wrong.sum()), bool((codes[wrong] > 0).all())
    (2, True)
    """
    number = number_to_change(codes.size, n_classes, share)
    if kind == "symmetric":
        weights, targets = None, _other(codes, n_classes, rng)
    elif kind == "class":
        # Each class is mistaken for one other, some classes up to four times as often as others.
        confused = _other(np.arange(n_classes), n_classes, rng)
        weights, targets = rng.uniform(0.5, 2.0, n_classes)[codes], confused[codes]
    elif kind == "border":
        weights, targets = _near_the_border(codes, probs)
    elif kind == "annotator":
        weights, targets = _by_people(codes, n_classes, rng)
    else:
        kinds = ", ".join(map(repr, get_args(NoiseKind)))
        raise OptionError(f"kind={kind!r} is none of {kinds}.")
    chance = None if weights is None else weights / weights.sum()
    changed = rng.choice(codes.size, number, replace=False, p=chance)
    wrong = np.zeros(codes.size, dtype=bool)
    wrong[changed] = True
    return np.where(wrong, targets, codes), wrong


def number_to_change(rows: int, n_classes: int, share: float) -> int:
    """How many of so many labels are to be changed.

    Raises:
        OptionError: The share is not in (0, 1), or of these rows less than half a row; or there is one class.

    >>> number_to_change(1000, 2, 0.05)
    50
    """
    if isinstance(share, bool) or not isinstance(share, (int, float, np.number)) or not 0 < share < 1:
        raise OptionError(f"share={share!r} is not a share of the labels to change, above 0 and below 1.")
    if n_classes < 2:
        raise OptionError("The labels are all of one class, so there is no other to change them to.")
    number = round(float(share) * rows)
    if number < 1:
        raise OptionError(f"A share of {share} of {rows:,} labels is less than one. Raise share=.")
    return number


def _other(codes: IntArray, n_classes: int, rng: np.random.Generator) -> IntArray:
    """(n,) a class other than each of these, all others being equally likely."""
    return np.asarray((codes + rng.integers(1, n_classes, codes.size)) % n_classes)


def _near_the_border(codes: IntArray, probs: RealArray | None) -> tuple[FloatArray, IntArray]:
    """(n,) weights of rows by how close another class is, and (n,) that class."""
    if probs is None:
        raise OptionError("kind='border' needs probabilities, by which rows are near the border.")
    rows = np.arange(codes.size)
    others = np.array(probs, dtype=np.float64)
    own = others[rows, codes]
    others[rows, codes] = -1
    return np.exp(-BORDER_DECAY * np.abs(own - others.max(axis=1))), others.argmax(axis=1)


def _by_people(codes: IntArray, n_classes: int, rng: np.random.Generator) -> tuple[FloatArray, IntArray]:
    """(n,) weights of rows by who labelled them, and (n,) the class which that person takes them for."""
    who = rng.integers(len(PEOPLE), size=codes.size)
    confusions = np.stack([_other(np.arange(n_classes), n_classes, rng) for _ in PEOPLE])
    own = rng.random(codes.size) < OWN_CONFUSION
    targets = np.where(own, confusions[who, codes], _other(codes, n_classes, rng))
    return np.asarray(PEOPLE)[who], targets
