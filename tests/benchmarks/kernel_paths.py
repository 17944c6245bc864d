"""Time the kernel's two passes over the probabilities in NumPy, compiled by numba, and as Polars expressions.

``python tests/benchmarks/kernel_paths.py`` (needs numba and Polars). Each way finds the thresholds and, from them, the
confident joint, checks every row, and says which rows have a likelier class than the given one; the joints must be
equal. What follows, the choice of the rows to prune, is the same for all and not timed. All take the same matrix in the
same process and alternate, after one warm run, in which numba compiles; that run's time is shown too. The ways run on
one thread and on as many as there are cores, Polars on its own.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np
import polars as pl
from kernel import generated
from numpy.typing import NDArray

from dqlabels.engines.memory import MemoryEngine, Pass, _count, _tally
from dqlabels.statistics.classes import FEW_CLASSES, SUM_TOLERANCE, ClassTally
from dqlabels.statistics.selection import UNIT

# (rows, classes, timed runs)
SHAPES = ((1_000_000, 2, 9), (1_000_000, 10, 7), (200_000, 100, 7), (50_000, 1000, 5))
# Wider frames than this take Polars minutes.
MAX_COLUMNS = 100


def numpy_joint(codes: NDArray[np.int64], probs: NDArray[Any], threads: int) -> NDArray[np.int64]:
    likely = np.empty(len(codes) if probs.shape[1] > 2 else 0, dtype=np.min_scalar_type(probs.shape[1] - 1))
    work = Pass.over(MemoryEngine.over(probs, threads), codes, probs, likely)
    return _count(work, _tally(work).bars(), "").joint.finish()


@numba.njit(nogil=True)
def add_to_tally(codes, probs, rows, confidence):
    for i in range(codes.size):
        rows[codes[i]] += 1
        confidence[codes[i]] += np.int64(np.rint(probs[i, codes[i]] * UNIT))


@numba.njit(nogil=True)
def add_few_to_joint(codes, probs, bits, bars, highest, tolerance, counts, disagree):
    """Count rows; false where one is no row of probabilities. One loop, which is fastest with few classes."""
    n, k = probs.shape
    for i in range(n):
        total, least, top, best, confident = 0.0, 0.0, -1.0, -1.0, -1
        for j in range(k):
            p = probs[i, j]
            total += p
            least = min(least, p)
            top = max(top, p)
            if p >= bars[j] and p > best:
                best, confident = p, j
        if not (abs(total - 1) <= tolerance and least >= 0):
            return False
        disagree[i] = top > probs[i, codes[i]]
        if confident >= 0:
            counts[codes[i], confident] += 1
    return True


@numba.njit(nogil=True, fastmath={"reassoc"})
def add_many_to_joint(codes, probs, bits, bars, highest, tolerance, counts, disagree):
    """The same with a first loop that the compiler turns into vectors, which is fastest with many classes."""
    n, k = probs.shape
    for i in range(n):
        total, most = 0.0, bits[i, 0]
        for j in range(k):
            total += probs[i, j]
            # As whole numbers without a sign, values below 0 and NaN lie above all that are allowed.
            most = max(most, bits[i, j])
        if not abs(total - 1) <= tolerance or most > highest:
            return False
        likely = 0
        while bits[i, likely] != most:
            likely += 1
        disagree[i] = probs[i, likely] > probs[i, codes[i]]
        if probs[i, likely] >= bars[likely]:
            counts[codes[i], likely] += 1
            continue
        best, confident = -1.0, -1
        for j in range(k):
            if probs[i, j] >= bars[j] and probs[i, j] > best:
                best, confident = probs[i, j], j
        if confident >= 0:
            counts[codes[i], confident] += 1
    return True


def numba_joint(codes: NDArray[np.int64], probs: NDArray[Any], threads: int) -> NDArray[np.int64]:
    n, k = probs.shape
    disagree = np.empty(n, dtype=bool)
    parts = [slice(n * t // threads, n * (t + 1) // threads) for t in range(threads)]
    rows, confidence = np.zeros((threads, k), dtype=np.int64), np.zeros((threads, k), dtype=np.int64)
    counts = np.zeros((threads, k, k), dtype=np.int64)

    def tally(t: int) -> None:
        add_to_tally(codes[parts[t]], probs[parts[t]], rows[t], confidence[t])

    def joint(t: int) -> None:
        part, tolerance = probs[parts[t]], SUM_TOLERANCE
        highest = np.float64(1 + tolerance).view(np.uint64)
        bits = part.view(np.uint64)
        add = add_few_to_joint if k <= FEW_CLASSES else add_many_to_joint
        assert add(codes[parts[t]], part, bits, bars, highest, tolerance, counts[t], disagree[parts[t]])

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(tally, range(threads)))
        bars = ClassTally(rows.sum(axis=0), confidence.sum(axis=0)).bars()
        list(pool.map(joint, range(threads)))
    return counts.sum(axis=0)


def polars_joint(frame: pl.DataFrame, k: int) -> NDArray[np.int64]:
    columns = [pl.col(f"p{j}") for j in range(k)]
    given = pl.coalesce([pl.when(pl.col("code") == j).then(column) for j, column in enumerate(columns)])
    units = (given * UNIT).round(mode="half_to_even").cast(pl.Int64)
    sums = frame.lazy().group_by("code").agg(pl.len(), units.sum().alias("sum")).collect()
    tally = ClassTally.empty(k)
    tally.rows[sums["code"].to_numpy()] = sums["len"].to_numpy()
    tally.confidence[sums["code"].to_numpy()] = sums["sum"].to_numpy()
    reached = [pl.when(column >= bar).then(column) for column, bar in zip(columns, tally.bars(), strict=True)]
    best = pl.max_horizontal(reached).alias("best")
    confident = pl.coalesce([pl.when(own == pl.col("best")).then(j) for j, own in enumerate(reached)])
    total = pl.sum_horizontal(columns)
    seen = (
        frame.lazy()
        .with_columns(best, ((total - 1).abs() <= 1e-3).alias("sums"), (pl.min_horizontal(columns) >= 0).alias("ok"))
        .with_columns(confident.alias("confident"), (pl.max_horizontal(columns) > given).alias("disagree"))
        .group_by("code", "confident")
        .agg(pl.len(), pl.col("sums", "ok").all(), pl.col("disagree").sum())
        .collect()
    )
    assert seen["sums"].all()
    assert seen["ok"].all()
    seen = seen.drop_nulls("confident")
    counts = np.zeros((k, k), dtype=np.int64)
    counts[seen["code"].to_numpy(), seen["confident"].to_numpy()] = seen["len"].to_numpy()
    return counts


def ways(codes: NDArray[np.int64], probs: NDArray[Any]) -> dict[str, Callable[[], NDArray[np.int64]]]:
    k, cores = probs.shape[1], os.cpu_count() or 1
    found: dict[str, Callable[[], NDArray[np.int64]]] = {
        "numpy, 1 thread": lambda: numpy_joint(codes, probs, 1),
        f"numpy, {cores}": lambda: numpy_joint(codes, probs, cores),
        "numba, 1 thread": lambda: numba_joint(codes, probs, 1),
        f"numba, {cores}": lambda: numba_joint(codes, probs, cores),
    }
    if k <= MAX_COLUMNS:
        frame = pl.DataFrame({"code": codes} | {f"p{j}": probs[:, j] for j in range(k)})
        found["Polars"] = lambda: polars_joint(frame, k)
    return found


def main() -> None:
    """Print one line a shape: medians in milliseconds, and what the first run of numba takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", type=int, help="number of classes of the one shape to run")
    options = parser.parse_args()
    print(f"numpy {np.__version__}, numba {numba.__version__}, Polars {pl.__version__}; medians (least), ms")
    for rows, classes, runs in SHAPES:
        if options.only not in (None, classes):
            continue
        codes, probs = generated(rows, classes)
        sides, first, times = ways(codes, probs), {}, {}
        expected = None
        for name, work in sides.items():
            start = time.perf_counter()
            joint = work()
            first[name], times[name] = time.perf_counter() - start, []
            expected = joint if expected is None else expected
            assert np.array_equal(joint, expected), name
        for _ in range(runs):
            for name, work in sides.items():
                start = time.perf_counter()
                work()
                times[name].append(time.perf_counter() - start)
        cells = [f"{name} {statistics.median(seen) * 1e3:.1f} ({min(seen) * 1e3:.1f})" for name, seen in times.items()]
        print(
            f"{rows:,} × {classes:,}: " + " | ".join(cells) + f" | numba's first run {first['numba, 1 thread']:.1f} s"
        )


if __name__ == "__main__":
    main()
