"""Time the kernel against cleanlab 2.9: ``python tests/benchmarks/kernel.py``.

``flag`` stands against ``find_label_issues``; ``judge``, which also scores every label, against
``find_label_issues`` and ``get_label_quality_scores``. All take the same matrix in the same process and
alternate, cleanlab with its default number of processes; each has one warm run first, and a pause before
each run, so that neither pays for what the other left behind. Extra memory is the
peak that numpy asked for during one ``flag``, the mask it returns included, in a run that is not timed.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import statistics
import sys
import time
import tracemalloc
import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dqlabels.engines.memory import flag, judge

# (rows, classes, timed runs)
SHAPES = ((1_000_000, 2, 9), (1_000_000, 10, 7), (200_000, 100, 9), (50_000, 1000, 7))
NOISE = 0.10
PAUSE_SECONDS = 0.5


def generated(rows: int, classes: int, seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Labels with 10% flipped uniformly, and what a model of about 85% accuracy says of the true class."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, rows)
    probs = np.empty((rows, classes))
    for start in range(0, rows, 10_000):
        part = slice(start, min(start + 10_000, rows))
        gammas = rng.standard_gamma(0.3, (part.stop - part.start, classes)) * (2.0 / 0.3 / classes)
        gammas[np.arange(len(gammas)), truth[part]] += rng.gamma(3.0, 1.0, len(gammas))
        probs[part] = gammas / gammas.sum(axis=1, keepdims=True)
    flipped = rng.random(rows) < NOISE
    codes = np.where(flipped, (truth + rng.integers(1, classes, rows)) % classes, truth)
    return codes, probs


def seconds(work: Callable[[], object]) -> float:
    # The processes that cleanlab forked are still being torn down when it returns.
    gc.collect()
    time.sleep(PAUSE_SECONDS)
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def extra_bytes(work: Callable[[], object]) -> int:
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def line(rows: int, classes: int, runs: int, dtype: str) -> str:
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    codes, probs = generated(rows, classes)
    probs = probs.astype(dtype)
    pairs = (
        (lambda: flag(codes, probs), lambda: find_label_issues(codes, probs)),
        (
            lambda: judge(codes, probs),
            lambda: (find_label_issues(codes, probs), get_label_quality_scores(codes, probs)),
        ),
    )
    cells = []
    for ours, theirs in pairs:
        ours(), theirs()
        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(runs):
            times[1].append(seconds(theirs))
            times[0].append(seconds(ours))
        fast, slow = (statistics.median(side) for side in times)
        cells.append(f"{slow:.2f} | {fast:.3f} | {slow / fast:.1f}×")
    extra = extra_bytes(pairs[0][0])
    same = (flag(codes, probs, compat="cleanlab").flagged == pairs[0][1]()).mean()
    return (
        f"| {rows:,} × {classes:,} {dtype} | {cells[0]} | {cells[1]} "
        f"| {extra / 2**20:.1f} MiB | {extra / probs.nbytes:.2f} | {same:.4%} |"
    )


def main() -> None:
    """Print a table in Markdown, with versions."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", type=int, help="number of classes of the one shape to run")
    parser.add_argument("--dtype", default="float64", choices=["float32", "float64"])
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    import cleanlab

    print(
        f"Python {platform.python_version()}, numpy {np.__version__}, cleanlab {cleanlab.__version__}, "
        f"{os.cpu_count()} cores, {sys.platform}; medians, alternating\n"
    )
    print(
        "| rows × classes | find_label_issues, s | flag, s | ratio | with scores, s | judge, s | ratio "
        "| extra memory | of matrix | same mask in compat |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for rows, classes, runs in SHAPES:
        if options.only in (None, classes):
            print(line(rows, classes, runs, options.dtype), flush=True)


if __name__ == "__main__":
    main()
