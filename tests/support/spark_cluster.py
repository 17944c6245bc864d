"""Loses an executor through Spark Connect and prints what came of it; ``test_spark.py`` runs it as a process.

A Connect server is started on a cluster of two executors on this machine, each a process of its own. One is killed
while it works, and every row of the answer is compared with the audit in memory.
"""

from __future__ import annotations

import json
import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from dqlabels.audits.audit import run_audit
from dqlabels.audits.options import Options
from dqlabels.audits.spark import audit_on_spark
from dqlabels.models.sizes import BoostingSizes, Sizes

ROWS = 2_000


def table() -> pl.DataFrame:
    """A number and a city that tell two classes apart, a tenth of whose labels are wrong."""
    rng = np.random.default_rng(0)
    kind, wrong = rng.integers(0, 2, ROWS), rng.random(ROWS) < 0.1
    x, city = kind + rng.normal(0, 0.4, ROWS), np.array(["Lyon", "Porto", "Gent"])[rng.integers(0, 3, ROWS)]
    label = np.array(["no", "yes"])[kind ^ wrong]
    return pl.DataFrame({"row": np.arange(ROWS), "x": x, "city": city, "label": label})


def killing(flag: Path) -> Callable[[Iterator[Any]], Iterator[Any]]:
    """Passes batches on; the first worker to be asked kills the executor that it belongs to."""

    def kill_once(batches: Iterator[Any]) -> Iterator[Any]:
        for batch in batches:
            if not flag.exists():
                pid = os.getppid()
                while Path(f"/proc/{pid}/comm").read_text().strip() != "java":
                    pid = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
                flag.write_text(str(pid))
                os.kill(pid, signal.SIGKILL)
            yield batch

    return kill_once


def main() -> None:
    """Print a line of JSON: the kind of session, the executor that was killed, and whether every row is right."""
    from pyspark.sql import SparkSession

    # So small that the rows are judged on the workers.
    options = Options(exclude="row", sizes=Sizes(large_rows=500, halves=BoostingSizes(trees=6)))
    builder = SparkSession.builder.remote("local-cluster[2,1,1024]").config("spark.executor.memory", "512m")
    builder = builder.config("spark.executor.extraJavaOptions", os.environ.get("SPARK_SUBMIT_OPTS", ""))
    spark = builder.config("spark.ui.enabled", "false").config("spark.sql.shuffle.partitions", "2").getOrCreate()
    frame = table()
    with tempfile.TemporaryDirectory() as folder:
        flag = Path(folder) / "killed"
        source = spark.createDataFrame(frame.to_arrow())
        source = source.mapInArrow(killing(flag), source.schema)
        audited = audit_on_spark(source, "label", options)
        found = pl.from_arrow(audited.toArrow()).sort("row")
        expected = run_audit(frame, "label", options).frame
        killed = flag.read_text() if flag.exists() else None
    spark.stop()
    print(json.dumps({"session": type(spark).__module__, "killed": killed, "equal": found.equals(expected)}))


if __name__ == "__main__":
    main()
