"""The boosted halves as the model of an auditor, which can be saved as plain arrays and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dqlabels.errors import ModelError
from dqlabels.frames.hashing import hash_features
from dqlabels.models.boosted import BoostedTrees, Halves
from dqlabels.models.out_of_sample import OutOfSample
from dqlabels.models.sizes import BoostingSizes
from dqlabels.models.units import COARSE
from dqlabels.progress import Progress, ProgressOption
from dqlabels.statistics.arrays import RealArray
from dqlabels.statistics.classes import model_error

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
FloatMatrix = NDArray[np.float32]

# The number of a leaf fits in a byte.
MAX_QUESTIONS = 8
ARRAYS = {"prior": "f4", "features": "i4", "thresholds": "f4", "above": "u1", "steps": "f4"}


@dataclass(frozen=True, slots=True, eq=False)
class HalvesModel:
    """Two boosted models on the halves of a table, or one on all of a coarse one, for rows of ``width`` features."""

    halves: Halves
    width: int

    @property
    def name(self) -> str:
        """Name shown to users."""
        seen = self.halves.seen.size
        return f"boosted trees, two halves of {seen:,} kinds of row" if seen else "boosted trees, all kinds of row"

    @property
    def n_classes(self) -> int:
        """Number of classes, K."""
        return self.halves.n_classes

    def predict_proba(self, matrix: FloatMatrix, *, n_threads: int | None = None) -> FloatArray:
        """Probabilities (n, K) of the rows (n, width), each by models that did not see it.

        Raises:
            ModelError: A matrix of another width.
        """
        return self.judge(matrix, n_threads)[0]

    def judge(self, matrix: FloatMatrix, n_threads: int | None = None) -> tuple[FloatArray, int]:
        """Probabilities (n, K), and how many of the rows one of the halves saw.

        Raises:
            ModelError: A matrix of another width.
        """
        self._check_width(matrix)
        probs, inside = self.halves.judge(matrix, n_threads)
        return probs.astype(np.float64), int(inside.sum())

    def cross_fitted(self, matrix: FloatMatrix, *, n_threads: int | None = None) -> FloatArray:
        """Probabilities (n, K) of the rows (n, width), each by one half, as a row that the other half saw.

        Raises:
            ModelError: A matrix of another width.
        """
        self._check_width(matrix)
        return self.halves.judge(matrix, n_threads, by_one=True)[0].astype(np.float64)

    def _check_width(self, matrix: FloatMatrix) -> None:
        if matrix.ndim != 2 or matrix.shape[1] != self.width:
            raise ModelError(f"The model judges by {self.width:,} features; the matrix has shape {matrix.shape}.")

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Arrays of one or two dimensions, those of the second model after those of the first."""
        arrays: dict[str, NDArray[np.generic]] = {"seen": self.halves.seen}
        for at, model in enumerate(self.halves.models):
            own = {name: getattr(model, name) for name in ARRAYS}
            own["steps"] = own["steps"].reshape(-1, self.n_classes)
            arrays |= {f"{at}.{name}": array for name, array in own.items()}
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]], width: int, n_classes: int) -> HalvesModel:
        """Read what ``to_arrays`` gave; every value is checked, since it may come from a file.

        Raises:
            ModelError: Not such a model of so many features and classes.
        """
        models = [_model(arrays, at, width, n_classes) for at in (0, 1) if f"{at}.prior" in arrays]
        stored = arrays.get("seen", np.empty(0))
        seen = stored.view(np.uint64) if stored.dtype == np.uint64 else np.zeros((1, 1), dtype=np.uint64)
        if not models or seen.ndim != 1 or (seen[1:] <= seen[:-1]).any():
            raise ModelError("The saved halves lack a model, or the hashes of the rows they saw are not in order.")
        if (len(models) == 2) != (seen.size > 0):
            raise ModelError(f"The saved halves are {len(models)}, with {seen.size:,} rows that they saw.")
        return cls(Halves(tuple(models), seen), width)


def fit_halves(
    matrix: FloatMatrix,
    codes: IntArray,
    n_classes: int,
    *,
    random_state: int,
    n_jobs: int | None,
    progress: ProgressOption,
    sizes: BoostingSizes,
) -> OutOfSample | None:
    """Fit the halves of a table in memory, each of which judges the other's rows; None where most rows are alike.

    Args:
        matrix: (n, d), NaN where missing.
        codes: (n,) class positions, -1 where missing.
        n_classes: K.
        random_state: Seeds every draw.
        n_jobs: Threads.
        progress: As for :func:`dqlabels.audit`.
        sizes: Sizes of both models.
    """
    hashes = hash_features(matrix)
    kinds = np.unique(hashes).size
    if kinds * COARSE < len(matrix):
        return None
    order = np.lexsort((codes, hashes))
    rows = order[codes[order] >= 0]
    halves = Halves.fit_twice(
        matrix[rows], codes[rows], n_classes, np.ones(rows.size), seed=random_state, n_jobs=n_jobs,
        on_tree=Progress(progress).counter(3 * sizes.trees), sizes=sizes,
    )  # fmt: skip
    model = HalvesModel(halves, matrix.shape[1])
    return answer_of(model, model.predict_proba(matrix, n_threads=n_jobs), codes, rows.size, kinds)


def answer_of(model: HalvesModel, probs: RealArray, codes: IntArray, trained_rows: int, kinds: int) -> OutOfSample:
    """Describe what an auditor's model says of the rows it was fitted on.

    Args:
        model: It knows itself which rows of a batch it saw.
        probs: (n, K) its probabilities.
        codes: (n,) class positions, -1 where missing.
        trained_rows: How many rows it was fitted on.
        kinds: How many kinds of row there are.
    """
    known = codes >= 0
    error = model_error(codes[known], probs[known].argmax(axis=1))
    none = np.empty(0, dtype=np.int64)
    return OutOfSample(probs, model.name, error, trained_rows, kinds, coarse=False, fitted=model, seen=none)


def _model(arrays: Mapping[str, NDArray[np.generic]], at: int, width: int, n_classes: int) -> BoostedTrees:
    absent = [name for name in ARRAYS if f"{at}.{name}" not in arrays]
    if absent:
        raise ModelError(f"The saved halves lack {', '.join(absent)}.")
    own = {name: np.ascontiguousarray(arrays[f"{at}.{name}"]) for name in ARRAYS}
    for name, dtype in ARRAYS.items():
        if own[name].dtype != np.dtype(dtype) or own[name].ndim != (1 if name == "prior" else 2):
            raise ModelError(f"The saved halves' {name} are {own[name].dtype} of {own[name].ndim} dimensions.")
    trees, depth = own["features"].shape
    if not 1 <= depth <= MAX_QUESTIONS or own["prior"].shape != (n_classes,):
        raise ModelError(f"The saved halves ask {depth} questions a tree, of {own['prior'].size} classes.")
    shapes = {own[name].shape for name in ("features", "thresholds", "above")}
    if shapes != {(trees, depth)} or own["steps"].shape != (trees * 2**depth, n_classes):
        raise ModelError("The saved halves' arrays differ in the number of trees, questions or classes.")
    if trees and not 0 <= int(own["features"].min()) <= int(own["features"].max()) < width:
        raise ModelError(f"The saved halves ask for a feature beyond the {width:,} there are.")
    if not all(np.isfinite(own[name]).all() for name in ("prior", "thresholds", "steps")) or (own["above"] > 1).any():
        raise ModelError(
            "The saved halves have a number that is not finite, or a side that is neither above nor below."
        )
    own["steps"] = own["steps"].reshape(trees, 2**depth, n_classes)
    return BoostedTrees(**own)
