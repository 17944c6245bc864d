"""Find planted errors, against cleanlab: ``python tests/benchmarks/detection.py``.

Ours is ``dqlabels.audit`` end to end, cleanlab's ``CleanLearning`` with HistGradientBoosting in 5 folds, both
on the same frame; they alternate in one process. Rows are ranked by label quality. Average precision of a
ranking at random is the share of planted errors, 0.10. F1 is that of the flags.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tables import LARGE, NOISES, SMALL, load, numeric, plant

SHARE = 0.10
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Run:
    """One side on one table with one noise."""

    average_precision: float
    f1: float
    seconds: float


Found = tuple[FloatArray, NDArray[np.bool_]]


def ours(frame: pd.DataFrame, seed: int) -> Found:
    import dqlabels

    audited = dqlabels.audit(frame, "label", random_state=seed, progress=False).frame
    return audited["label_quality"].to_numpy(float), audited["is_label_issue"].to_numpy(bool)


def cleanlab(frame: pd.DataFrame, seed: int) -> Found:
    from cleanlab.classification import CleanLearning
    from sklearn.ensemble import HistGradientBoostingClassifier

    matrix, categories = numeric(frame)
    model = HistGradientBoostingClassifier(categorical_features=categories, random_state=seed)
    codes = pd.factorize(frame["label"], sort=True)[0]
    found = CleanLearning(model, cv_n_folds=5, seed=seed).find_label_issues(matrix, codes)
    return found["label_quality"].to_numpy(float), found["is_label_issue"].to_numpy(bool)


def measure(judge: Callable[[pd.DataFrame, int], Found], frame: pd.DataFrame, planted: NDArray, seed: int) -> Run:
    from sklearn.metrics import average_precision_score, f1_score

    start = time.perf_counter()
    quality, flagged = judge(frame, seed)
    spent = time.perf_counter() - start
    return Run(float(average_precision_score(planted, -quality)), float(f1_score(planted, flagged)), spent)


def compare(name: str, noises: list[str], seeds: int, sides: dict[str, Callable]) -> dict[tuple[str, str], list[Run]]:
    frame = load(name)
    runs: dict[tuple[str, str], list[Run]] = {}
    for noise in noises:
        for seed in range(seeds):
            noisy, planted = plant(frame, noise, SHARE, seed)
            for side, judge in sides.items():
                runs.setdefault((noise, side), []).append(measure(judge, noisy, planted, seed))
    cells = [f"{name} ({len(frame):,} × {frame.shape[1] - 1}, {frame['label'].nunique()} classes)"]
    for field in ("average_precision", "f1"):
        for noise in noises:
            cells.append(" / ".join(f"{mean(runs[noise, side], field):.3f}" for side in sides))
    spent = [statistics.median(run.seconds for noise in noises for run in runs[noise, side]) for side in sides]
    cells += [" / ".join(f"{value:.1f}" for value in spent), f"{spent[-1] / spent[0]:.1f}×"]
    print("| " + " | ".join(cells) + " |", flush=True)
    return runs


def mean(runs: list[Run], field: str) -> float:
    return statistics.fmean(getattr(run, field) for run in runs)


def main() -> None:
    """Print a table in Markdown: ours / cleanlab's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", nargs="*", default=[*SMALL, *LARGE])
    parser.add_argument("--noises", nargs="*", default=list(NOISES), choices=NOISES)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--ours-only", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    import sklearn

    print(
        f"Python {platform.python_version()}, numpy {np.__version__}, scikit-learn {sklearn.__version__}, "
        f"{os.cpu_count()} cores, {options.seeds} seed(s), {SHARE:.0%} planted; each cell is ours / cleanlab\n"
    )
    sides = {"ours": ours} if options.ours_only else {"ours": ours, "cleanlab": cleanlab}
    heads = ["table"] + [f"{what} {noise}" for what in ("AP", "F1") for noise in options.noises] + ["seconds", "ratio"]
    print("| " + " | ".join(heads) + " |\n|" + "---|" * len(heads))
    everything = [compare(name, options.noises, options.seeds, sides) for name in options.tables]
    cells = ["mean"]
    for field in ("average_precision", "f1"):
        for noise in options.noises:
            values = (statistics.fmean(mean(runs[noise, side], field) for runs in everything) for side in sides)
            cells.append(" / ".join(f"{value:.3f}" for value in values))
    print("| " + " | ".join(cells) + " | | |")


if __name__ == "__main__":
    main()
