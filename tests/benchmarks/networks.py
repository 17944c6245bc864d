"""Published orders in small: ``python tests/benchmarks/networks.py``, with PyTorch.

Han et al. (2018, arXiv 1804.06872, table 4, MNIST) on scikit-learn's digits, each shifted by a
pixel in four ways, labels wrong independently; accuracy on clean digits that no network saw, mean of the seeds.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

from dqlabels.learn import research

TRAIN, CLASSES = 900, 10


def data(noise: str, share: float, seed: int) -> tuple[Any, ...]:
    """Rows to learn from with noisy and true labels, and rows to test on."""
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(y))
    images, truth = X[order[:TRAIN]].reshape(-1, 8, 8), np.tile(y[order[:TRAIN]], 5)
    shifted = [images, *(np.roll(images, by, axis) for axis in (1, 2) for by in (-1, 1))]
    rng = np.random.default_rng(seed)
    step = rng.integers(1, CLASSES, truth.size) if noise == "symmetric" else 1
    noisy = np.where(rng.random(truth.size) < share, (truth + step) % CLASSES, truth)
    return np.concatenate(shifted).reshape(-1, 64), noisy, truth, X[order[TRAIN:]], y[order[TRAIN:]]


def matrix(noise: str, share: float) -> Any:
    eye = np.eye(CLASSES)
    if noise == "symmetric":
        return (1 - share) * eye + share / (CLASSES - 1) * (1 - eye)
    return (1 - share) * eye + share * np.roll(eye, 1, axis=1)


def networks(noise: str, share: float, seed: int, epochs: int) -> dict[str, Any]:
    options: dict[str, Any] = {"epochs": epochs, "hidden": (256,), "learning_rate": 2e-3, "random_state": seed}
    return {
        "standard": research.PlainNetwork(**options),
        "decoupling": research.DecouplingNetwork(**options),
        "forward, true matrix": research.LossCorrectionNetwork(noise=matrix(noise, share), **options),
        "forward, estimated": research.LossCorrectionNetwork(**options),
        "MentorNet, predefined": research.MentorNetwork(percentile=100 * (1 - share), **options),
        "MentorNet, learned": research.MentorNetwork(curriculum="learned", **options),
        "co-teaching": research.CoTeachingNetwork(forget_rate=share, n_gradual=5, **options),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=25)
    options = parser.parse_args()
    for noise, share in (("symmetric", 0.5), ("pair", 0.45), ("symmetric", 0.2)):
        found: dict[str, list[float]] = {}
        for seed in range(options.seeds):
            X, noisy, truth, test, answers = data(noise, share, seed)
            reviewed = np.full(truth.size, None, dtype=object)
            reviewed[:300] = truth[:300]
            for name, network in networks(noise, share, seed, options.epochs).items():
                more = {"reviewed": reviewed} if "learned" in name else {}
                found.setdefault(name, []).append(network.fit(X, noisy, **more).score(test, answers))
        cells = [f"{name} {np.mean(scores):.3f}" for name, scores in found.items()]
        print(f"{noise} {share:.0%}: " + ", ".join(cells), flush=True)


if __name__ == "__main__":
    main()
