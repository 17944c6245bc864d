"""Labels that people gave: which are missing, and whether the answers of a review name classes that there are."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

import numpy as np

from dqlabels.errors import LabelColumnError, OptionError
from dqlabels.learn.types import BoolArray, Labels


def missing_rows(labels: Labels) -> BoolArray:
    """Return where (n,) labels are missing: None or any kind of NaN.

    >>> missing_rows(np.array(["a", None, float("nan")], dtype=object)).tolist()
    [False, True, True]
    """
    if labels.dtype.kind in "biuSU":
        return np.zeros(labels.shape, dtype=bool)
    if labels.dtype.kind in "fcmM":
        return np.asarray(np.isnan(labels) if labels.dtype.kind in "fc" else np.isnat(labels))
    return np.array([_missing(value) for value in labels], dtype=bool)


def _missing(value: object) -> bool:
    return value is None or (not isinstance(value, str) and str(value) in ("nan", "<NA>", "NaT"))


def check_complete(labels: Labels, name: str) -> None:
    """Raise where labels (n,) are missing.

    Raises:
        LabelColumnError: Saying how many, the first of them, and what to do.
    """
    missing = missing_rows(labels)
    if missing.any():
        raise LabelColumnError(
            f"{name} contains NaN or None: {int(missing.sum()):,} of {labels.size:,} labels are missing, the first in "
            f"row {int(missing.argmax())}. Leave them out: known = pandas.notna({name}), then the rows X[known] "
            f"and {name}[known]."
        )


def check_same_types(columns: Sequence[tuple[str, Labels]]) -> None:
    """Raise where two columns of labels write one class as values of two types, such as 0 and "0".

    They would never be equal, and every row would count as wrong.

    Raises:
        OptionError: Naming the columns, the values and their types.
    """
    seen: dict[str, tuple[str, object]] = {}
    for name, values in columns:
        for value in sorted(set(values[~missing_rows(values)].tolist()), key=str):
            before, other = seen.setdefault(str(value), (name, value))
            if other != value:
                raise OptionError(
                    f"{other!r} ({type(other).__name__}) in {before} and {value!r} ({type(value).__name__}) in {name} "
                    "are never equal. Convert one, such as "
                    f"numpy.asarray({name}).astype({type(other).__name__}) where no row is empty."
                )


def check_answers(name: str, answers: Labels, classes: Sequence[object], way_out: str) -> None:
    """Raise where an answer of a review (n,) is no class, such as a typing error; missing ones are no answers.

    Args:
        name: What to call the answers.
        answers: (n,) the classes answered, None or NaN where there is none.
        classes: What may be answered.
        way_out: What to do where the answer is right all the same.

    Raises:
        OptionError: Naming the answer, the rows and the class it looks like.
    """
    check_same_types([("the classes", np.array(list(classes), dtype=object)), (name, answers)])
    known = set(classes)
    wrong = [at for at in np.flatnonzero(~missing_rows(answers)) if answers[at] not in known]
    if not wrong:
        return
    answer = answers[wrong[0]]
    alike = get_close_matches(str(answer), [str(each) for each in classes], n=1)
    empty = "None written as text: such rows take None itself. " if str(answer) in ("None", "nan", "") else ""
    raise OptionError(
        f"{name}: {len(wrong):,} answers are none of the classes, the first is {answer!r} in row {int(wrong[0])}"
        f"{f', which looks like {alike[0]!r}' if alike else ''}. {empty}{way_out}"
    )
