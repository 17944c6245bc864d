"""A neural network as a classifier on PyTorch, and the training loop that the methods for wrong labels share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from dqlabels.errors import ModelError, needing
from dqlabels.learn.answers import check_complete
from dqlabels.learn.base import OF_TRAINING_ROWS, NoiseModel, noise_model
from dqlabels.learn.options import check_options, seed_of, within
from dqlabels.learn.types import (
    FloatArray,
    Inputs,
    IntArray,
    Labels,
    Network,
    NetworkMaker,
    Noise,
    RandomState,
    Tensor,
    Torch,
)


def load_torch() -> Torch:
    """Return the module torch.

    Raises:
        MissingExtraError: It is not installed.
    """
    with needing('PyTorch is not installed: pip install "dqlabels[torch]"'):
        import torch
    return torch


@dataclass(slots=True, eq=False)
class Run:
    """One training: rows (n, ...), labels (n,) and weights (n,) on the device, and the method's own ``state``."""

    X: Tensor
    codes: Tensor
    weights: Tensor
    n_classes: int
    seed: int
    networks: list[Network]
    # What the method knows beforehand, and then what its _begin makes of it.
    state: Any = None


@dataclass(eq=False, repr=False)
class PlainNetwork(ClassifierMixin, BaseEstimator):
    """A network fitted on the given labels, the baseline for the methods that follow.

    Args:
        module: Makes the network: ``module(shape, n_classes)`` with the shape of one row gives a ``torch.nn.Module``
            that returns logits (b, K); default a multilayer perceptron. A class or function of a module of yours can
            be pickled, and a ``functools.partial`` of one; a lambda cannot.
        hidden: Units of its layers.
        epochs: Passes over the rows.
        batch_size: Rows of a step.
        learning_rate: Adam's step size.
        weight_decay: Adam's weight decay.
        standardize: Bring each feature to mean 0 and deviation 1 first.
        device: "cpu", "cuda" or another; None takes a GPU where there is one at the time of ``fit``.
        random_state: Seeds weights, batches and dropout; torch's own generators are put back afterwards.

    X may have any number of dimensions, as (n, channels, height, width) for images.

    Example::

        model = PlainNetwork(epochs=30).fit(X, y)
        model.predict_proba(X_new)
    """

    n_networks = 1

    module: NetworkMaker | None = None
    _: KW_ONLY
    hidden: tuple[int, ...] = (128, 128)
    epochs: int = within(30, 1, 10**6)
    batch_size: int = within(64, 1, 10**9)
    learning_rate: float = within(1e-3, 0, 100)
    weight_decay: float = 0.0
    standardize: bool = True
    device: str | None = None
    random_state: RandomState = 0

    def fit(self, X: Inputs, y: ArrayLike, sample_weight: ArrayLike | None = None) -> PlainNetwork:
        """Train on (n, ...) numbers and (n,) labels of any type; ``sample_weight`` (n,) weighs the loss of each row.

        Raises:
            MissingExtraError: PyTorch is not installed.
            DQLabelsError: An option has no meaning.
        """
        self._fit(X, y, sample_weight)
        return self

    def _fit(self, X: Inputs, y: ArrayLike, sample_weight: ArrayLike | None, state: object = None) -> None:
        torch = load_torch()
        check_options(self)
        if y is not None:
            check_complete(np.asarray(y), "y")
        matrix, labels = validate_data(self, X, y, dtype=np.float32, allow_nd=True)
        check_classification_targets(labels)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        if self.classes_.size < 2:
            raise ModelError(f"y holds one class, {self.classes_[0]}; at least two classes are needed to tell apart.")
        weights = np.ones(codes.size)
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, matrix, dtype=np.float64, ensure_non_negative=True)
            weights = weights * (codes.size / weights.sum())
        self.shift_, self.scale_ = matrix.mean(axis=0), matrix.std(axis=0)
        if not self.standardize:
            self.shift_, self.scale_ = np.zeros_like(self.shift_), np.ones_like(self.scale_)
        self.scale_[self.scale_ == 0] = 1
        seed = seed_of(self.random_state)
        where = torch.device(self.device or ("cuda" if torch.cuda.is_available() else "cpu"))
        with _own_generators(torch, seed):
            networks = [self._network(matrix.shape[1:]).to(where) for _ in range(self.n_networks)]
            run = Run(
                torch.as_tensor((matrix - self.shift_) / self.scale_, device=where),
                torch.as_tensor(codes.astype(np.int64), device=where),
                torch.as_tensor(weights, dtype=torch.float32, device=where),
                self.classes_.size, seed, networks, state,
            )  # fmt: skip
            self._begin(run, matrix, codes.astype(np.int64))
            self._train(torch, run)
        self.networks_ = [network.eval() for network in run.networks]

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: not what has a value for each training row, which predicting does without."""
        return {name: value for name, value in super().__getstate__().items() if name not in OF_TRAINING_ROWS}

    def _network(self, shape: tuple[int, ...]) -> Network:
        if self.module is not None:
            return self.module(shape, self.classes_.size)
        nn = load_torch().nn
        sizes = [int(np.prod(shape)), *self.hidden]
        layers = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.ReLU())]
        return nn.Sequential(nn.Flatten(), *layers, nn.Linear(sizes[-1], self.classes_.size))

    def _train(self, torch: Torch, run: Run) -> None:
        optimizers = [
            torch.optim.Adam(parameters, lr=self.learning_rate, weight_decay=self.weight_decay)
            for parameters in self._parameters(run)
        ]
        for epoch in range(self.epochs):
            for network in run.networks:
                network.train()
            order = torch.randperm(len(run.codes)).to(run.codes.device)
            for rows in _batches(order, self.batch_size):
                logits = [network(run.X[rows]) for network in run.networks]
                found = self._losses(run, logits, rows, epoch)
                for optimizer, loss in zip(optimizers, found, strict=True):
                    if loss is not None:
                        optimizer.zero_grad()
                        loss.backward()
                        optimizer.step()
            self._end_epoch(run, epoch)

    def _parameters(self, run: Run) -> list[list[Tensor]]:
        """Parameters that each network's optimizer updates."""
        return [list(network.parameters()) for network in run.networks]

    def _begin(self, run: Run, matrix: NDArray[np.float32], codes: IntArray) -> None:
        """Set up the state of a method."""

    def _losses(self, run: Run, logits: list[Tensor], rows: Tensor, epoch: int) -> list[Tensor]:
        """Return the loss of each network on a batch of rows (b,), or None where it is not to be updated."""
        return [weighed(cross_entropy(logits[0], run.codes[rows]), run.weights[rows])]

    def _end_epoch(self, run: Run, epoch: int) -> None:
        """Update the state of a method after an epoch."""

    def predict_proba(self, X: Inputs) -> FloatArray:
        """Return probabilities (n, K) in the order of ``classes_``, the mean over networks where there are two."""
        check_is_fitted(self)
        torch = load_torch()
        matrix = validate_data(self, X, reset=False, dtype=np.float32, allow_nd=True)
        rows = torch.as_tensor((matrix - self.shift_) / self.scale_)
        probs = np.mean([probabilities(network, rows) for network in self.networks_], axis=0)
        return np.asarray(probs / probs.sum(axis=1, keepdims=True), dtype=np.float64)

    def predict(self, X: Inputs) -> Labels:
        """Return the likeliest class (n,) of each row."""
        probs = self.predict_proba(X)
        return np.asarray(self.classes_[probs.argmax(axis=1)])


def probabilities(network: Network, rows: Tensor) -> FloatArray:
    """Return the softmax (n, K) of the network's logits, computed in blocks on the network's device."""
    torch = load_torch()
    where = next(network.parameters()).device
    network.eval()
    with torch.no_grad():
        parts = [torch.softmax(network(part.to(where)), dim=1).cpu() for part in rows.split(4096)]
    return np.asarray(torch.cat(parts).numpy(), dtype=np.float64)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the loss (b,) of each row; labels are classes (b,) or shares (b, K)."""
    return load_torch().nn.functional.cross_entropy(logits, labels, reduction="none")


def weighed(loss: Tensor, weights: Tensor) -> Tensor:
    """Return the mean of a batch's losses (b,), each times its weight (b,)."""
    return (loss * weights).mean()


def table_noise(noise: Noise, matrix: NDArray[np.float32], codes: IntArray, seed: int) -> NoiseModel:
    """Estimate the noise of the labels from out-of-bag trees, or take it from a matrix.

    Args:
        noise: A method of ``dqlabels.noise``, or a (K, K) matrix P(given | true).
        matrix: (n, ...) the rows.
        codes: (n,) class positions.
        seed: Seeds trees and interval.
    """
    from dqlabels.models.out_of_sample import out_of_sample

    flat = np.ascontiguousarray(matrix.reshape(len(matrix), -1))
    n_classes = int(codes.max()) + 1
    if not isinstance(noise, str):
        return noise_model(noise, codes, np.eye(n_classes)[codes], seed)
    probs = out_of_sample(flat, codes, n_classes, random_state=seed, progress=False, keep_model=True).probs
    return noise_model(noise, codes, np.asarray(probs, dtype=np.float64), seed)


def _batches(order: Tensor, size: int) -> Iterator[Tensor]:
    """Split rows into batches; a last batch of one row joins the one before, as batch normalisation needs two."""
    parts = list(order.split(size))
    if len(parts) > 1 and len(parts[-1]) == 1:
        parts[-2:] = [load_torch().cat(parts[-2:])]
    return iter(parts)


@contextmanager
def _own_generators(torch: Torch, seed: int) -> Iterator[None]:
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield
