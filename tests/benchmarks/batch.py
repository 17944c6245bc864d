"""Time the audit of a batch by a saved auditor against training again: ``python tests/benchmarks/batch.py``.

Trusted table and batch are drawn from one generated distribution (three classes, 12 numbers, 8 string categories,
5% of the labels wrong), so that the planted errors of the batch are known. The three ways take the same frame in
the same process and alternate; each has one warm run first. ``refit`` is ``dqlabels.audit(batch)``; ``fit and
audit`` trains on the trusted table and audits the batch; ``audit`` does that with an auditor loaded from its file.
Times are medians, wall and CPU; average precision is of the batch's planted errors by quality.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

import dqlabels

WIDTHS = (3, 5, 8, 12, 2, 20, 4, 30)
NOISE = 0.05


def generated(rows: int, seed: int, spread: float) -> tuple[pl.DataFrame, NDArray[np.bool_]]:
    """A table of one distribution, and which of its labels are wrong; ``spread`` is how far classes overlap."""
    rng, fixed = np.random.default_rng(seed), np.random.default_rng(99)
    numbers, codes = rng.normal(size=(rows, 12)), rng.integers(0, WIDTHS, size=(rows, len(WIDTHS)))
    score = numbers @ fixed.normal(size=12) * 0.5 + np.sin(2 * numbers[:, 0]) * numbers[:, 1]
    score += sum(fixed.normal(size=30)[codes[:, j]] for j in range(len(WIDTHS)))
    truth = np.digitize(score + rng.normal(size=rows) * spread, [-1.5, 1.5])
    wrong = rng.random(rows) < NOISE
    labels = np.where(wrong, (truth + rng.integers(1, 3, rows)) % 3, truth)
    table = {f"n{j}": numbers[:, j] for j in range(12)}
    table |= {f"c{j}": [f"value {k}" for k in codes[:, j]] for j in range(len(WIDTHS))}
    return pl.DataFrame(table | {"label": [("low", "middle", "high")[k] for k in labels]}), wrong


def timed(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Seconds of wall and of CPU, and what came of it."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = work()
    return time.perf_counter() - wall, time.process_time() - cpu, found


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--spread", type=float, default=0.7)
    options = parser.parse_args()
    warnings.simplefilter("ignore", dqlabels.LabelWarning)
    trusted, _ = generated(options.rows, 0, options.spread)
    batch, wrong = generated(options.rows, 1, options.spread)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "label.dqlabels"
        dqlabels.LabelAuditor("label").fit(trusted).save(path)
        size, auditor = path.stat().st_size, dqlabels.load(path)
        loading = statistics.median(timed(lambda: dqlabels.load(path))[0] for _ in range(3))
    ways: dict[str, Callable[[], Any]] = {
        "refit": lambda: dqlabels.audit(batch, "label"),
        "fit and audit": lambda: dqlabels.LabelAuditor("label").fit(trusted).audit(batch),
        "audit": lambda: auditor.audit(batch),
    }
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    quality: dict[str, float] = {}
    for run in range(options.runs + 1):
        for name, work in ways.items():
            wall, cpu, found = timed(work)
            quality[name] = float(average_precision_score(wrong, 1 - found.frame["label_quality"].to_numpy()))
            if run:
                seconds[name].append((wall, cpu))
    print(f"{platform.machine()}, {os.cpu_count()} cores, {options.rows:,} rows x 20, {auditor}")
    print(f"file {size / 2**20:.1f} MiB, loaded in {loading:.2f} s")
    medians = {name: [statistics.median(run[k] for run in runs) for k in (0, 1)] for name, runs in seconds.items()}
    for name, (wall, cpu) in medians.items():
        ratio = medians[name][0] / medians["audit"][0], medians[name][1] / medians["audit"][1]
        print(
            f"{name:14} {wall:7.2f} s wall {cpu:7.2f} s CPU   x{ratio[0]:.1f} wall, x{ratio[1]:.1f} CPU   "
            f"average precision {quality[name]:.3f}"
        )


if __name__ == "__main__":
    main()
