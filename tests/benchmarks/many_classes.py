"""Time tables of many classes and of many columns: ``python tests/benchmarks/many_classes.py``.

Classes are clouds of points in eight dimensions. Every table is audited in a process of its own, so that its memory is
known; the time is that of ``dqlabels.audit`` after a first small audit, which imports what there is to import.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
import warnings

import numpy as np
import polars as pl

import dqlabels

# Classes, rows of each, columns; 10,000 classes take a minute and 9 GiB.
SHAPES = ((250, 4, 8), (1_000, 4, 8), (2, 500, 5_000), (5_000, 2, 8), (10_000, 2, 8))


def clouds(classes: int, rows: int, columns: int) -> pl.DataFrame:
    """A table of ``classes`` x ``rows`` rows, of which eight columns say something."""
    rng = np.random.default_rng(0)
    codes = np.repeat(np.arange(classes), rows)
    matrix = rng.normal(size=(codes.size, columns))
    matrix[:, :8] += 3 * rng.normal(size=(classes, 8))[codes]
    frame = pl.DataFrame({f"x{at}": matrix[:, at] for at in range(columns)})
    return frame.with_columns(label=pl.Series([f"class {code:05d}" for code in codes]))


def measure(classes: int, rows: int, columns: int) -> None:
    """Print the time and the memory of one table."""
    warnings.simplefilter("ignore")
    dqlabels.audit(clouds(300, 4, 8), "label", progress=False)
    frame, started = clouds(classes, rows, columns), time.perf_counter()
    audit = dqlabels.audit(frame, "label", progress=False)
    seconds, memory = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{classes:,} classes x {rows} rows, {columns:,} columns: {seconds:.1f} s, {memory:.1f} GiB, {audit.model}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("shape", nargs="*", type=int, help="classes, rows of each, columns")
    if shape := parser.parse_args().shape:
        measure(*shape)
        return
    for shape in SHAPES:
        subprocess.run([sys.executable, __file__, *map(str, shape)], check=True)


if __name__ == "__main__":
    main()
