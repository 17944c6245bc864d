"""Several expectations on one batch against one: they share the audit. ``python tests/benchmarks/shared_audit.py``."""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

os.environ["GX_ANALYTICS_ENABLED"] = "false"

import great_expectations as gx
import numpy as np
import pandas as pd

import dqlabels
from dqlabels.integrations.great_expectations import (
    ExpectAnnotatorAgreementToBeAtLeast,
    ExpectAnnotatorNoiseRateToBeAtMost,
    ExpectClassLabelNoiseRatesToBeAtMost,
    ExpectEachAnnotatorNoiseRateToBeAtMost,
    ExpectFlaggedValueShareToBeAtMost,
    ExpectLabelNoiseRateToBeAtMost,
    ExpectLabelQualityToBeAtLeast,
)

REPEATS = 7
SYSTEMS = ["core", "warehouse", "agency"]


def table(rows: int, columns: int = 20) -> pd.DataFrame:
    """Two overlapping classes, 5% of the labels flipped; three systems that err; and a number, 2% of it ten times."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, rows)
    frame = pd.DataFrame(rng.normal(size=(rows, columns)) + 0.7 * truth[:, None] * (np.arange(columns) < 8))
    frame.columns = [f"x{at}" for at in range(columns)]
    frame["label"] = np.where(rng.random(rows) < 0.05, 1 - truth, truth)
    for system, share in zip(SYSTEMS, (0.02, 0.05, 0.10), strict=True):
        frame[system] = np.where(rng.random(rows) < share, 1 - truth, truth)
    frame["price"] = 100 + 10 * frame["x0"] + rng.normal(size=rows)
    frame.loc[rng.random(rows) < 0.02, "price"] *= 10
    return frame


FEATURES = {"features": [f"x{at}" for at in range(20)]}
OF_CLASSES: dict[str, Any] = {"column": "label", **FEATURES}
OF_SYSTEMS: dict[str, Any] = {"column_list": SYSTEMS, "consensus": "ibcc"}
OF_NUMBERS: dict[str, Any] = {"column": "price", **FEATURES}
# What is audited, and the expectations on it: each time new ones, for Great Expectations ties them to a suite.
KINDS: dict[str, tuple[Callable[[pd.DataFrame], Any], Callable[[], list[Any]]]] = {
    "classes": (
        lambda frame: dqlabels.audit(frame, "label", **FEATURES, progress=False),
        lambda: [
            ExpectLabelNoiseRateToBeAtMost(**OF_CLASSES, max_value=0.1),
            ExpectClassLabelNoiseRatesToBeAtMost(**OF_CLASSES, max_value=0.2),
            ExpectLabelQualityToBeAtLeast(**OF_CLASSES, min_value=0.1, mostly=0.9),
        ],
    ),
    "annotators": (
        lambda frame: dqlabels.audit(frame, SYSTEMS, consensus="ibcc"),
        lambda: [
            ExpectAnnotatorAgreementToBeAtLeast(**OF_SYSTEMS, min_value=0.5),
            ExpectAnnotatorNoiseRateToBeAtMost(**OF_SYSTEMS, max_value=0.1),
            ExpectEachAnnotatorNoiseRateToBeAtMost(**OF_SYSTEMS, max_value=0.2),
        ],
    ),
    "numbers": (
        lambda frame: dqlabels.audit(frame, "price", task="regression", **FEATURES, progress=False),
        lambda: [ExpectFlaggedValueShareToBeAtMost(**OF_NUMBERS, max_value=most) for most in (0.03, 0.04, 0.05)],
    ),
}


def measure(kind: str, rows: int) -> None:
    audit, expectations = KINDS[kind]
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas(f"{kind}{rows}").add_dataframe_asset("a")
    frame = table(rows)
    batch = asset.add_batch_definition_whole_dataframe("b").get_batch({"dataframe": frame})
    ways = {
        "audit alone": lambda: audit(frame),
        "one": lambda: batch.validate(gx.ExpectationSuite(name="s", expectations=expectations()[:1])),
        "three": lambda: batch.validate(gx.ExpectationSuite(name="s", expectations=expectations())),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in range(REPEATS + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            if repeat:  # the first warms up
                seconds[name].append(time.perf_counter() - start)
    median = {name: statistics.median(taken) for name, taken in seconds.items()}
    print(f"{kind}, {rows:,} rows: " + ", ".join(f"{name} {taken:.2f} s" for name, taken in median.items()))
    print(
        f"  three / one {median['three'] / median['one']:.2f}, one / audit {median['one'] / median['audit alone']:.2f}"
    )


if __name__ == "__main__":
    for kind in sys.argv[1:] or KINDS:
        for rows in (1_000, 20_000):
            measure(kind, rows)
