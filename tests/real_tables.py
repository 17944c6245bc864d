"""Real tables, as they are and with labels made wrong on purpose."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_digits

DIRTY = 0.20


def flip(codes: NDArray[Any], share: float, classes: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The codes with ``share`` of them moved to another class, and the rows that were."""
    rng = np.random.default_rng(0)
    rows = np.sort(rng.choice(codes.size, round(share * codes.size), replace=False))
    flipped = codes.copy()
    flipped[rows] = (flipped[rows] + rng.integers(1, classes, rows.size)) % classes
    return flipped, rows


@cache
def tumours(share: float = 0.0) -> dict[str, list[Any]]:
    """569 tumours, 30 measurements, benign or malignant."""
    data = load_breast_cancer()
    codes, _ = flip(data.target, share, 2)
    columns = {str(name): data.data[:, k].tolist() for k, name in enumerate(data.feature_names)}
    return {**columns, "diagnosis": [str(data.target_names[code]) for code in codes]}


@cache
def digits(share: float = 0.0) -> dict[str, list[Any]]:
    """1,797 images of 64 pixels, ten digits."""
    data = load_digits()
    codes, _ = flip(data.target, share, 10)
    return {**{f"pixel_{k}": data.data[:, k].tolist() for k in range(64)}, "digit": codes.tolist()}
