"""How an audit grows with its table, from Parquet to Parquet: ``python tests/benchmarks/scale.py``.

Each size runs in a process of its own, which reports wall and CPU seconds by step and its peak resident memory;
beside it the same table is scanned and written by Polars alone. ``--kinds spark spark_copy`` runs it on Spark,
``local[2]``, and copies it there.
``--plot`` draws the growth into docs/.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

SIZES = (100_000, 300_000, 1_000_000, 3_000_000, 10_000_000)
ROW_GROUP = 131_072
CLASSES = np.array(list("abcde"))
CITIES = np.array(["Lyon", "Porto", "Gent", "Bern"])


def make(rows: int, path: str) -> None:
    """20 columns (18 doubles, a city, a flag), five overlapping classes, 10% of the labels wrong."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    centres = np.random.default_rng(0).normal(size=(15, 8)) * 1.9
    writer = None
    for start in range(0, rows, ROW_GROUP):
        size, rng = min(ROW_GROUP, rows - start), np.random.default_rng([1, start])
        cluster = rng.integers(0, 15, size)
        matrix = np.empty((size, 18))
        matrix[:, :8] = centres[cluster] + rng.normal(size=(size, 8)) * 1.6
        matrix[:, 8:12] = matrix[:, 4:8] / 2 + rng.normal(size=(size, 4))
        matrix[:, 12:] = rng.normal(size=(size, 6))
        truth, wrong = cluster % 5, rng.random(size) < 0.1
        label = np.where(wrong, (truth + rng.integers(1, 5, size)) % 5, truth)
        columns: dict[str, Any] = {f"x{at}": matrix[:, at] for at in range(18)}
        columns["city"] = pa.array(CITIES[(cluster + rng.integers(0, 2, size)) % 4])
        columns["member"] = pa.array(rng.random(size) < 0.5)
        table = pa.table(columns | {"label": pa.array(CLASSES[label])})
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    writer.close()


class Clock:
    """Wall and CPU seconds by step; of steps within steps each has its own time only."""

    def __init__(self, cpu_seconds: Callable[[], float] = time.process_time) -> None:
        self.cpu_seconds = cpu_seconds
        self.wall: dict[str, float] = defaultdict(float)
        self.cpu: dict[str, float] = defaultdict(float)

    def _add(self, step: str, wall: float, cpu: float) -> None:
        self.wall[step] += time.perf_counter() - wall
        self.cpu[step] += self.cpu_seconds() - cpu

    def timed(self, step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **options: Any) -> Any:
            wall, cpu = time.perf_counter(), self.cpu_seconds()
            try:
                return function(*args, **options)
            finally:
                self._add(step, wall, cpu)

        return run

    def timed_blocks(self, step: str, function: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        def run(*args: Any, **options: Any) -> Iterator[Any]:
            blocks = function(*args, **options)
            while True:
                wall, cpu = time.perf_counter(), self.cpu_seconds()
                block = next(blocks, None)
                self._add(step, wall, cpu)
                if block is None:
                    return
                yield block

        return run


def instrument(clock: Clock) -> None:
    from dqlabels.audits.classes import task as classes
    from dqlabels.engines import passes
    from dqlabels.engines import polars as engine
    from dqlabels.frames.features import FeatureEncoder
    from dqlabels.models import large
    from dqlabels.models.boosted import Halves

    engine.read_blocks = clock.timed_blocks("read", engine.read_blocks)
    engine.Spill.append = clock.timed("statistics", engine.Spill.append)
    FeatureEncoder.transform = clock.timed("features", FeatureEncoder.transform)
    classes.content_hashes = clock.timed("sample", classes.content_hashes)
    large.learn = clock.timed("learn", large.learn)
    Halves.judge = clock.timed("predict", Halves.judge)
    passes.find_judge = clock.timed("statistics", passes.find_judge)
    passes.ClassJudge.judge = clock.timed("statistics", passes.ClassJudge.judge)


def run_polars(source: str, target: str) -> dict[str, Any]:
    import polars as pl

    import dqlabels

    clock = Clock()
    instrument(clock)
    wall, cpu = time.perf_counter(), time.process_time()
    pl.scan_parquet(source).labels.audit("label", progress=False).sink_parquet(target)
    return facts(wall, cpu, clock) | {"version": dqlabels.__version__}


def run_copy(source: str, target: str) -> dict[str, Any]:
    import polars as pl

    wall, cpu = time.perf_counter(), time.process_time()
    pl.scan_parquet(source).sink_parquet(target)
    return facts(wall, cpu, Clock())


def run_spark(source: str, target: str, *, audited: bool = True) -> dict[str, Any]:
    """By step: the first count of the judged rows runs the model too, and the last step writes."""
    import dqlabels.spark
    from dqlabels.audits.classes import streamed
    from dqlabels.engines import spark as engine
    from dqlabels.models import large

    session = dqlabels.spark.local_session(2, spark__driver__memory="2g", spark__sql__shuffle__partitions="8")
    session.sparkContext.setLogLevel("ERROR")
    java = session.sparkContext._jvm.java.lang.ProcessHandle.current().pid()
    clock = Clock(lambda: time.process_time() + tree_seconds(java))
    streamed.spark_label_counts = clock.timed("count", streamed.spark_label_counts)
    engine.draw_sample = clock.timed("sample", engine.draw_sample)
    large.learn = clock.timed("learn", large.learn)
    reduce, passes = engine.SparkBlocks.reduce, iter(["judge, first pass"])
    engine.SparkBlocks.reduce = lambda *given: clock.timed(next(passes, "passes"), reduce)(*given)
    engine.SparkBlocks.gather = clock.timed("passes", engine.SparkBlocks.gather)
    wall, cpu = time.perf_counter(), time.process_time()
    rows = session.read.parquet(source)
    answer = dqlabels.spark.audit(rows, "label") if audited else rows
    answer.write.mode("overwrite").parquet(target)
    spent, found = clock.cpu_seconds() - cpu, facts(wall, cpu, clock)
    found["steps"].get("write and rest", {})["cpu"] = spent - sum(clock.cpu.values())
    session.stop()
    return found | {"spark_cpu": spent - found["cpu"]}


def run_spark_copy(source: str, target: str) -> dict[str, Any]:
    return run_spark(source, target, audited=False)


def tree_seconds(pid: int) -> float:
    """CPU seconds of a process, of those it started, and of those of them that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    own = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    children = Path(f"/proc/{pid}/task").glob("*/children")
    return own + sum(tree_seconds(int(child)) for path in children for child in path.read_text().split())


def facts(wall: float, cpu: float, clock: Clock) -> dict[str, Any]:
    total = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    steps = {step: {"wall": clock.wall[step], "cpu": clock.cpu[step]} for step in clock.wall}
    if steps:  # rows are judged beside the reading
        apart = [step for name, step in steps.items() if name != "predict"]
        steps["write and rest"] = {key: total[key] - sum(step[key] for step in apart) for key in total}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return total | {"steps": steps, "peak_mib": peak, "threads": os.cpu_count()}


RUNS = {"polars": run_polars, "copy": run_copy, "spark": run_spark, "spark_copy": run_spark_copy}


SAID = {"polars": "audit, Polars", "spark": "audit, Spark local[2]", "copy": "scan and write alone"}


def plot(results: list[dict[str, Any]], path: Path) -> None:
    """Medians of the runs of each size."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for side, axis, name in (("wall", axes[0], "seconds"), ("peak_mib", axes[1], "peak resident memory, MiB")):
        for kind, said in SAID.items():
            found: dict[int, list[float]] = defaultdict(list)
            for result in results:
                if result["kind"] == kind:
                    found[result["rows"]].append(result[side])
            rows = sorted(found)
            if kind != "spark" or side == "wall":  # its memory is that of the driver alone
                axis.loglog(rows, [np.median(found[at]) for at in rows], marker="o", label=said)
        axis.set(xlabel="rows (20 columns)", ylabel=name)
        axis.grid(visible=True, which="both", alpha=0.3)
        axis.legend()
    axes[1].axhline(1536, color="grey", linestyle="--")
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Print a line of JSON a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="*", type=int, default=list(SIZES))
    parser.add_argument("--kinds", nargs="*", default=["polars", "copy"], choices=RUNS)
    parser.add_argument("--folder", default=tempfile.gettempdir())
    parser.add_argument("--plot", help="SVG to draw, from the lines of JSON in --results")
    parser.add_argument("--results", default="scale.jsonl")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        kind, source, target = options.one
        print(json.dumps(RUNS[kind](source, target)))
        return
    results = Path(options.results)
    if options.plot:
        lines = results.read_text(encoding="utf-8").splitlines()
        plot([json.loads(line) for line in lines], Path(options.plot))
        return
    for rows in options.sizes:
        source = str(Path(options.folder) / f"scale-{rows}.parquet")
        if not Path(source).exists():
            make(rows, source)
        for kind in options.kinds:
            target = str(Path(options.folder) / f"scale-{rows}-{kind}.out.parquet")
            command = [sys.executable, __file__, "--one", kind, source, target]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            found = {"rows": rows, "kind": kind, **json.loads(done.stdout.splitlines()[-1])}
            with results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(found) + "\n")
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
