"""Classes with few rows, and classes that are one class spelled in two ways."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dqlabels.checks.finding import Finding, counted
from dqlabels.frames.look_alikes import TWO_WAYS, look_alikes, pairs_in_words
from dqlabels.statistics.arrays import IntArray

# A class is rare below this share of an even one, as in cleanlab's Datalab.
RARE = 0.1
# With fewer rows than cross-validation has folds, some folds would have none of them.
MIN_ROWS = 5
MAX_LISTED = 5


def check_classes(names: Sequence[str], codes: IntArray, counts: IntArray, *, words: bool = True) -> Finding:
    """Find rare classes, and class names that look like another.

    A class is rare if it has fewer than 5 rows, or less than a tenth of an even share (1/K) of the labelled rows. Two
    names look alike as :func:`~dqlabels.frames.look_alikes.look_alikes` says. These are facts about
    the table, not tests.

    Args:
        names: The names of the K classes.
        codes: (n,) class of each row, -1 where it has no label.
        counts: (K,) number of rows of each class.
        words: Whether the labels are words; numbers and dates that look alike are different classes.

    >>> check_classes(["No", "no ", "yes"], np.array([0] * 9 + [1] * 5 + [2] * 9), np.array([9, 5, 9])).says
    "'no␣' (5 rows) looks like 'No' (9 rows): one class written in two ways?"
    """
    total, k = int(counts.sum()), len(names)
    rare = (counts < MIN_ROWS) | (counts < RARE * total / k)
    like = look_alikes(names, counts) if words else {}
    concerned = rare.copy()
    concerned[list(like)] = True
    parts = [f"{pair}: {TWO_WAYS}" for pair in pairs_in_words(names, counts, like)]
    few = [at for at in np.argsort(counts, kind="stable").tolist() if rare[at] and at not in like]
    if few:
        shown = ", ".join(f"{names[at]!r} ({int(counts[at]):,})" for at in few[:MAX_LISTED])
        more = f" and {len(few) - MAX_LISTED:,} more" if len(few) > MAX_LISTED else ""
        parts.append(f"{counted(len(few), 'class has', 'classes have')} few rows of {total:,}: {shown}{more}.")
    rows = concerned[codes] & (codes >= 0)
    return Finding(
        "classes",
        "found" if parts else "clear",
        " ".join(parts) or "No class is rare, and no two are written alike.",
        rows=int(rows.sum()),
        share=float(rows.mean()),
        details={
            "class": list(names),
            "rows": counts.tolist(),
            "share": (counts / max(total, 1)).tolist(),
            "rare": rare.tolist(),
            "looks_like": [names[like[at]] if at in like else None for at in range(k)],
        },
        columns={"is_rare_class": rare[codes] & (codes >= 0)},
    )
