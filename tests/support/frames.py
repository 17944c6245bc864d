"""The frame libraries that tests run on, tables made for them, and reading columns back from any library."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

ROOT = Path(__file__).parents[2]
WIDE_NUMBERS = pytest.mark.skipif(
    tuple(map(int, pl.__version__.split(".")[:2])) < (1, 34),
    reason="older Polars makes 128-bit integers and decimals of its own kind",
)
MAKERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "pandas": pd.DataFrame,
    "polars": pl.DataFrame,
    "lazy": pl.LazyFrame,
    "pyarrow": pa.table,
}


def eager(frame: Any) -> nw.DataFrame[Any]:
    known = nw.from_native(frame)
    return known.collect() if isinstance(known, nw.LazyFrame) else known


def column(frame: Any, name: str) -> list[Any]:
    return eager(frame)[name].to_list()


def two_classes(rows: int = 120, seed: int = 0) -> dict[str, list[Any]]:
    """Two classes told apart by ``x``, with every 20th label wrong; ``z`` says nothing."""
    rng = np.random.default_rng(seed)
    truth = np.arange(rows) % 2
    wrong = np.arange(rows) % 20 == 7
    label = np.where(wrong, 1 - truth, truth)
    return {
        "x": (truth * 4 + rng.normal(size=rows)).tolist(),
        "z": rng.normal(size=rows).tolist(),
        "label": [("no", "yes")[k] for k in label],
    }


def planted(rows: int = 120) -> list[bool]:
    return [row % 20 == 7 for row in range(rows)]
