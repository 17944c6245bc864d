"""Types of what users hand to the estimators."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dqlabels.models.folds import Fold, Splitter

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
BoolArray: TypeAlias = NDArray[np.bool_]
# Labels or answers of any one type.
Labels: TypeAlias = NDArray[Any]

# Rows of whatever type the classifier takes: an (n, d) array, a sparse matrix, a frame, texts.
Inputs: TypeAlias = Any
# A number of folds, a splitter with scikit-learn's interface, or the (train, test) rows themselves.
Folds: TypeAlias = int | Splitter | Iterable[Fold] | None
# The name of a method that estimates the noise matrix, or the matrix (K, K).
Noise: TypeAlias = str | ArrayLike
RandomState: TypeAlias = int | np.random.RandomState | None
# What the caller hands to the fit of the learner, by name.
FitParams: TypeAlias = Mapping[str, Any]
# PyTorch is not installed with the package, so its objects have no type of their own here.
Tensor: TypeAlias = Any
Network: TypeAlias = Any
Torch: TypeAlias = Any
NetworkMaker: TypeAlias = Callable[[tuple[int, ...], int], Network]
