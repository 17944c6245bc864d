"""Three expectations on one batch against one: they share the audit. ``python tests/benchmarks/shared_audit.py``."""

from __future__ import annotations

import os
import statistics
import time

os.environ["GX_ANALYTICS_ENABLED"] = "false"

import great_expectations as gx
import numpy as np
import pandas as pd

import dqlabels
from dqlabels.integrations.great_expectations import (
    ExpectClassLabelNoiseRatesToBeAtMost,
    ExpectLabelNoiseRateToBeAtMost,
    ExpectLabelQualityToBeAtLeast,
)

REPEATS = 7


def table(rows: int, columns: int = 20) -> pd.DataFrame:
    """Two overlapping classes, 5% of the labels flipped."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, rows)
    frame = pd.DataFrame(rng.normal(size=(rows, columns)) + 0.7 * truth[:, None] * (np.arange(columns) < 8))
    frame.columns = [f"x{at}" for at in range(columns)]
    return frame.assign(label=np.where(rng.random(rows) < 0.05, 1 - truth, truth))


def one() -> list:
    return [ExpectLabelNoiseRateToBeAtMost(column="label", max_value=0.1)]


def three() -> list:
    return [
        *one(),
        ExpectClassLabelNoiseRatesToBeAtMost(column="label", max_value=0.2),
        ExpectLabelQualityToBeAtLeast(column="label", min_value=0.1, mostly=0.9),
    ]


def measure(rows: int) -> None:
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas(f"p{rows}").add_dataframe_asset("a")
    frame = table(rows)
    batch = asset.add_batch_definition_whole_dataframe("b").get_batch({"dataframe": frame})
    ways = {
        "audit alone": lambda: dqlabels.audit(frame, "label", progress=False),
        "one": lambda: batch.validate(gx.ExpectationSuite(name="s", expectations=one())),
        "three": lambda: batch.validate(gx.ExpectationSuite(name="s", expectations=three())),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in range(REPEATS + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            if repeat:  # the first warms up
                seconds[name].append(time.perf_counter() - start)
    median = {name: statistics.median(taken) for name, taken in seconds.items()}
    print(f"{rows:,} rows: " + ", ".join(f"{name} {taken:.2f} s" for name, taken in median.items()))
    print(
        f"  three / one {median['three'] / median['one']:.2f}, one / audit {median['one'] / median['audit alone']:.2f}"
    )


if __name__ == "__main__":
    for rows in (1_000, 20_000):
        measure(rows)
