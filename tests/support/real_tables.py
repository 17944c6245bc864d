"""Real tables, as they are and with labels made wrong on purpose."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits

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


@cache
def diabetes(share: float = 0.0) -> dict[str, list[Any]]:
    """442 patients, 10 measurements, and how far the disease went in a year; ``share`` of these are ten times that."""
    data = load_diabetes()
    progression = data.target.astype(np.float64)
    rows = np.random.default_rng(0).choice(progression.size, round(share * progression.size), replace=False)
    progression[rows] *= 10
    columns = {str(name): data.data[:, k].tolist() for k, name in enumerate(data.feature_names)}
    return {**columns, "progression": progression.tolist()}


@cache
def three_systems(share: float = 0.0) -> dict[str, list[Any]]:
    """The 569 diagnoses as three systems have them: each errs at random in 1%, the last in ``share`` more."""
    codes, names = load_breast_cancer(return_X_y=True)[1], ("malignant", "benign")
    slips = np.random.default_rng(0).random((codes.size, 3)) < [0.01, 0.01, 0.01 + share]
    said = np.where(slips, 1 - codes[:, None], codes[:, None])
    return {system: [names[code] for code in said[:, j]] for j, system in enumerate(("core", "warehouse", "agency"))}
