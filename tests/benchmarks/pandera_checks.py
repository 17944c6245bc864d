"""What further label checks in a pandera schema cost beside one: ``python tests/benchmarks/pandera_checks.py``.

Medians of alternating runs in one process; the audits kept from the run before are dropped each time.
"""

from __future__ import annotations

import statistics
import time
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pandera.polars as pp
import polars as pl

from dqlabels.integrations.pandera import (
    class_label_noise_at_most,
    label_noise_at_most,
    label_pair_share_at_most,
    label_quality_at_least,
)
from dqlabels.integrations.sharing import forget_audits

ROWS, FEATURES, RUNS = 20_000, 20, 5


def table() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 3, ROWS)
    columns = {f"x{k}": rng.normal(size=ROWS) + codes * (k < 5) for k in range(FEATURES)}
    return {**columns, "y": np.array(["a", "b", "c"])[np.where(rng.random(ROWS) < 0.02, (codes + 1) % 3, codes)]}


def checks() -> list[Any]:
    return [
        label_noise_at_most("y", 0.9),
        class_label_noise_at_most("y", 0.9),
        label_pair_share_at_most("y", 0.9),
        label_quality_at_least("y", 0.0),
    ]


def seconds(schema: Any, frame: Any) -> float:
    forget_audits()
    start = time.perf_counter()
    schema.validate(frame)
    return time.perf_counter() - start


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for module, kind in ((pa, pd.DataFrame), (pp, pl.DataFrame)):
        frame = kind(table())
        one, four = (module.DataFrameSchema(checks=checks()[:count]) for count in (1, 4))
        runs = [(seconds(one, frame), seconds(four, frame)) for _ in range(RUNS)]
        first, all_four = (statistics.median(side) for side in zip(*runs, strict=True))
        print(f"{kind.__module__}: one check {first:.2f} s, four {all_four:.2f} s, ratio {all_four / first:.2f}")
