"""Wrong labels planted in a frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from dqlabels.errors import OptionError
from dqlabels.frames.columns import Labels, choose_features, read_labels
from dqlabels.frames.features import FeatureEncoder
from dqlabels.frames.names import label_name
from dqlabels.frames.outputs import aligned, to_callers_kind
from dqlabels.frames.reading import read_frame
from dqlabels.noise.corrupt import NoiseKind, wrong_labels

if TYPE_CHECKING:
    from dqlabels.frames.columns import Frame
    from dqlabels.statistics.arrays import BoolArray, FloatArray

AnyFrame = TypeVar("AnyFrame")
FOLDS = 3


def corrupt_labels(
    frame: AnyFrame,
    label: str,
    share: float,
    kind: NoiseKind = "symmetric",
    *,
    random_state: int = 0,
) -> tuple[AnyFrame, BoolArray]:
    """Make some labels of a frame wrong, and say which: to see what an audit, a gate or a model does with them.

    Exactly ``share`` of the labels that are there are changed, to the nearest whole number. The labels are taken as
    right before; what was wrong already stays so, and is not told.

    Args:
        frame: pandas or Polars DataFrame, Polars LazyFrame (read at once), or PyArrow table; n rows.
        label: Its column of classes. Missing labels stay missing.
        share: Share of the labels to change, above 0 and below 1.
        kind: ``"symmetric"``: any label, to any other class: the easiest to find. ``"class"``: each class is taken for
            one other, some classes up to four times as often as others. ``"border"``: rows near the border of the
            classes, to the class on the other side, where a logistic regression in three folds sees it: the hardest to
            find. ``"annotator"``: each row is labelled by one of five people, the best of whom errs a quarter as often
            as the mean and the worst twice as often, and each has confusions of their own.
        random_state: Seed of the choice; the same seed and frame give the same labels.

    Returns:
        The same kind of frame with the wrong labels, and a Boolean (n,) that is true where a label was changed.

    Raises:
        LabelColumnError: The column cannot be used as classes: it is missing, constant, or holds numbers or lists.
        FeatureError: ``kind="border"``, and no feature is left to tell the classes by.
        OptionError: The kind is unknown, or the share means nothing or is less than one label.

    Source: for ``class`` and ``border`` noise, Frénay & Verleysen (2014), IEEE TNNLS 25:845-869, who call them noise at
    random and not at random.

    >>> import polars as pl
    >>> frame = pl.DataFrame({"x": range(100), "y": ["low"] * 50 + ["high"] * 50})
    >>> noisy, wrong = corrupt_labels(frame, "y", 0.05)
    >>> int(wrong.sum()), int((noisy["y"] != frame["y"]).sum())
    (5, 5)
    """
    form, table = read_frame(frame)
    column = label_name(label)
    labels = read_labels(table, column)
    known = labels.known
    rng = np.random.default_rng(_seed(random_state))
    probs = _out_of_sample(table, column, labels) if kind == "border" else None
    given, changed = wrong_labels(labels.codes[known], len(labels.classes), share, kind, rng, probs)
    codes, wrong = labels.codes.copy(), np.zeros(known.size, dtype=bool)
    codes[known], wrong[known] = given, changed
    whole = table.with_columns(_with_codes(table, column, labels, codes, wrong))
    return to_callers_kind(whole, form), wrong


def _seed(random_state: int) -> int:
    if isinstance(random_state, bool) or not isinstance(random_state, (int, np.integer)) or random_state < 0:
        raise OptionError(f"random_state={random_state!r} is not a whole number from 0 on.")
    return int(random_state)


def _with_codes(table: Frame, name: str, labels: Labels, codes: Any, wrong: BoolArray) -> Any:
    """The label column with the changed labels, in its own dtype; the others are the very values there were."""
    import narwhals as nw

    changed = labels.values(np.where(labels.known, codes, 0), name)
    mask = nw.new_series("wrong", wrong, nw.Boolean, backend=table.implementation)
    return aligned(changed, table).zip_with(aligned(mask, table), table[name])


def _out_of_sample(table: Frame, name: str, labels: Labels) -> FloatArray:
    """Probabilities (m, K) of the labelled rows by a logistic regression that did not see them."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    known, codes = labels.known, labels.codes[labels.known]
    rows = table.filter(known.tolist())
    kinds, _ = choose_features(rows, name, None, [])
    matrix = np.nan_to_num(FeatureEncoder.fit_encode(rows, kinds)[1].matrix.astype(np.float64))
    if labels.counts.min() < FOLDS:
        scarce = labels.classes[int(labels.counts.argmin())]
        raise OptionError(f"kind='border' needs {FOLDS} rows of each class; {scarce!r} has {labels.counts.min()}.")
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    return np.asarray(cross_val_predict(model, matrix, codes, cv=folds, method="predict_proba"))
