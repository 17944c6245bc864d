"""Time what users type with probabilities of their own: ``python tests/benchmarks/given_probabilities.py``.

``dqlabels.audit(df, "y", pred_probs=p).frame`` against cleanlab's ``find_label_issues``, the sides alternating.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable

import numpy as np
import polars as pl
from cleanlab.filter import find_label_issues

import dqlabels

SHAPES = ((300_000, 2), (300_000, 10), (60_000, 100))
REPEATS = 7


def table(rows: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (n, K) and labels (n,), 10% of them drawn at random."""
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.full(classes, 0.3), rows)
    wrong = rng.random(rows) < 0.1
    return probs, np.where(wrong, rng.integers(0, classes, rows), probs.argmax(axis=1))


def seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def main() -> None:
    warnings.simplefilter("ignore")
    for rows, classes in SHAPES:
        probs, labels = table(rows, classes)
        frame = pl.DataFrame({"x": np.arange(rows), "y": labels})
        ours, theirs = [], []
        for _ in range(REPEATS):
            ours.append(
                seconds(
                    lambda frame=frame, probs=probs, classes=classes: (
                        dqlabels.audit(frame, "y", pred_probs=probs, classes=list(range(classes)), task="classes").frame
                    )
                )
            )
            theirs.append(seconds(lambda labels=labels, probs=probs: find_label_issues(labels, probs)))
        print(f"{rows:,} x {classes}: {np.median(ours):.3f} s, cleanlab {np.median(theirs):.3f} s")


if __name__ == "__main__":
    main()
