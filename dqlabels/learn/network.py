"""A neural network as a classifier on PyTorch, and the training loop that the methods for wrong labels share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from dqlabels.errors import MissingExtraError, ModelError
from dqlabels.learn.base import NoiseModel, check_number, noise_model

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Module = Callable[[tuple[int, ...], int], Any]


def load_torch() -> Any:
    """The module torch.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError('PyTorch is not installed: pip install "dqlabels[torch]"') from error
    return torch


@dataclass(slots=True, eq=False)
class Run:
    """One training: rows (n, ...) and labels (n,) on the device, and what a method keeps from batch to batch."""

    X: Any
    codes: Any
    weights: Any
    n_classes: int
    seed: int
    networks: list[Any]
    kept: dict[str, Any] = field(default_factory=dict)


# A dataclass writes the explicit constructor that scikit-learn reads parameters from, those of the base included;
# how an estimator is shown and compared stays scikit-learn's.
@dataclass(eq=False, repr=False)
class PlainNetwork(ClassifierMixin, BaseEstimator):
    """A network fitted on the labels as given: what the methods for wrong labels are compared with.

    Args:
        module: Makes the network: ``module(shape, n_classes)`` with the shape of one row gives a ``torch.nn.Module``
            that returns logits (b, K); default a multilayer perceptron.
        hidden: Units of its layers.
        epochs: Passes over the rows.
        batch_size: Rows of a step.
        learning_rate: Of Adam.
        weight_decay: Of Adam.
        standardize: Bring each feature to mean 0 and deviation 1 first.
        device: "cpu", "cuda" or another; None takes a GPU where there is one at the time of ``fit``.
        random_state: Seeds weights, batches and dropout; torch's own generators are put back afterwards.

    X may have any number of dimensions, as (n, channels, height, width) for images.
    """

    n_networks = 1

    module: Module | None = None
    _: KW_ONLY
    hidden: tuple[int, ...] = (128, 128)
    epochs: int = 30
    batch_size: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    standardize: bool = True
    device: str | None = None
    random_state: Any = 0

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> PlainNetwork:
        """Train on (n, ...) numbers and (n,) labels of any type; ``sample_weight`` (n,) weighs the loss of each row.

        Raises:
            MissingExtraError: PyTorch is not installed.
            DQLabelsError: An option has no meaning.
        """
        self._fit(X, y, sample_weight, {})
        return self

    def _fit(self, X: Any, y: Any, sample_weight: Any, kept: dict[str, Any]) -> None:
        torch = load_torch()
        self._check_options()
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
        seed = self._seed()
        where = torch.device(self.device or ("cuda" if torch.cuda.is_available() else "cpu"))
        with _own_generators(torch, seed):
            networks = [self._network(matrix.shape[1:]).to(where) for _ in range(self.n_networks)]
            run = Run(
                torch.as_tensor((matrix - self.shift_) / self.scale_, device=where),
                torch.as_tensor(codes.astype(np.int64), device=where),
                torch.as_tensor(weights, dtype=torch.float32, device=where),
                self.classes_.size, seed, networks, kept,
            )  # fmt: skip
            self._begin(run, matrix, codes.astype(np.int64))
            self._train(torch, run)
        self.networks_ = [network.eval() for network in run.networks]

    def _seed(self) -> int:
        if self.random_state is None:
            return int(np.random.default_rng().integers(2**31))
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _check_options(self) -> None:
        check_number("epochs", self.epochs, 1, 10**6)
        check_number("batch_size", self.batch_size, 1, 10**9)
        check_number("learning_rate", self.learning_rate, 0, 100)

    def _network(self, shape: tuple[int, ...]) -> Any:
        if self.module is not None:
            return self.module(shape, self.classes_.size)
        nn = load_torch().nn
        sizes = [int(np.prod(shape)), *self.hidden]
        layers = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.ReLU())]
        return nn.Sequential(nn.Flatten(), *layers, nn.Linear(sizes[-1], self.classes_.size))

    def _train(self, torch: Any, run: Run) -> None:
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

    def _parameters(self, run: Run) -> list[list[Any]]:
        """What each network's optimizer moves."""
        return [list(network.parameters()) for network in run.networks]

    def _begin(self, run: Run, matrix: NDArray[np.float32], codes: IntArray) -> None:
        """Set up what a method keeps."""

    def _losses(self, run: Run, logits: list[Any], rows: Any, epoch: int) -> list[Any]:
        """The loss of each network on a batch of rows (b,), None where it is not to be updated."""
        return [weighed(cross_entropy(logits[0], run.codes[rows]), run.weights[rows])]

    def _end_epoch(self, run: Run, epoch: int) -> None:
        """Look at what an epoch left."""

    def predict_proba(self, X: Any) -> FloatArray:
        """(n, K) probabilities in the order of ``classes_``, the mean over networks where there are two."""
        check_is_fitted(self)
        torch = load_torch()
        matrix = validate_data(self, X, reset=False, dtype=np.float32, allow_nd=True)
        rows = torch.as_tensor((matrix - self.shift_) / self.scale_)
        probs = np.mean([probabilities(network, rows) for network in self.networks_], axis=0)
        return np.asarray(probs / probs.sum(axis=1, keepdims=True), dtype=np.float64)

    def predict(self, X: Any) -> NDArray[Any]:
        """(n,) the likeliest class of each row."""
        probs = self.predict_proba(X)
        return np.asarray(self.classes_[probs.argmax(axis=1)])


def probabilities(network: Any, rows: Any) -> FloatArray:
    """(n, K) softmax of the network's logits, in blocks, on the device that it lies on."""
    torch = load_torch()
    where = next(network.parameters()).device
    network.eval()
    with torch.no_grad():
        parts = [torch.softmax(network(part.to(where)), dim=1).cpu() for part in rows.split(4096)]
    return np.asarray(torch.cat(parts).numpy(), dtype=np.float64)


def cross_entropy(logits: Any, labels: Any) -> Any:
    """(b,) the loss of each row; labels (b,) classes or (b, K) shares."""
    return load_torch().nn.functional.cross_entropy(logits, labels, reduction="none")


def weighed(loss: Any, weights: Any) -> Any:
    """The mean of a batch's losses (b,), each times its weight (b,)."""
    return (loss * weights).mean()


def table_noise(noise: Any, matrix: NDArray[np.float32], codes: IntArray, seed: int) -> NoiseModel:
    """The noise of the labels, by a method of ``dqlabels.noise`` on out-of-bag trees, or a matrix as given."""
    from dqlabels.models.out_of_sample import out_of_sample

    flat = np.ascontiguousarray(matrix.reshape(len(matrix), -1))
    n_classes = int(codes.max()) + 1
    if not isinstance(noise, str):
        return noise_model(noise, codes, np.eye(n_classes)[codes], seed)
    probs = out_of_sample(flat, codes, n_classes, random_state=seed, progress=False).probs
    return noise_model(noise, codes, np.asarray(probs, dtype=np.float64), seed)


def _batches(order: Any, size: int) -> Iterator[Any]:
    """Batches of rows; a last one of a single row, which batch normalisation cannot take, joins the one before."""
    parts = list(order.split(size))
    if len(parts) > 1 and len(parts[-1]) == 1:
        parts[-2:] = [load_torch().cat(parts[-2:])]
    return iter(parts)


@contextmanager
def _own_generators(torch: Any, seed: int) -> Iterator[None]:
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield
