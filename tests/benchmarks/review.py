"""Coverage and width of reviewed noise rates: ``python tests/benchmarks/review.py``.

Tables of 1,000 and 5,000 rows with 0.5 to 20% wrong labels, ranked by a quality that is good, usual or useless;
samples of 50 to 400 rows are drawn and answered rightly. Nominal coverage is 0.90. The last columns are the width of
the interval and how many rows drawn at random give the same standard error.
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray

from dqlabels.noise.reviewed import STRATA_ROWS, WRONG_USUALLY, ReviewAnswers, draw_sample, reviewed_noise, strata

NOISES = (0.005, 0.01, 0.02, 0.05, 0.10, 0.20)
SAMPLES = (50, 100, 200, 400)
POPULATIONS = (1000, 5000)
# The share of the wrong labels in each stratum of quality, worst first.
RANKINGS = {"good": (0.95, 0.04, 0.01), "usual": WRONG_USUALLY, "useless": STRATA_ROWS}
CLASSES = 3
CONFIDENCE = 0.90


def table(rows: int, noise: float, ranking: tuple[float, ...]) -> tuple[NDArray, NDArray, NDArray]:
    """Quality, given and true classes of a table whose wrong labels lie in the strata as the ranking says."""
    rng = np.random.default_rng(0)
    quality = rng.permutation(rows) / rows
    of_row = strata(quality)
    truth = rng.choice(CLASSES, rows, p=(0.6, 0.3, 0.1))
    given = truth.copy()
    wanted = np.diff(np.rint(np.cumsum((0.0, *ranking)) * noise * rows)).astype(int)
    full = 0  # what a stratum has no room for goes to the next
    for stratum, number in enumerate(wanted):
        inside = np.flatnonzero(of_row == stratum)
        wrong = rng.choice(inside, min(number + full, inside.size), replace=False)
        given[wrong] = (given[wrong] + rng.integers(1, CLASSES, wrong.size)) % CLASSES
        full += number - wrong.size
    return quality, given, truth


def measure(rows: int, noise: float, ranking: str, sample: int, repeats: int) -> tuple[float, float, float, float]:
    """Coverage, coverage of the classes that have an interval, mean width and worth in random rows."""
    quality, given, truth = table(rows, noise, RANKINGS[ranking])
    true_rate = (given != truth).mean()
    of_class = np.array([(truth[given == k] != k).mean() for k in range(CLASSES)])
    covered, by_class, widths, estimates = [], [], [], []
    for seed in range(repeats):
        drawn = draw_sample(quality, sample, seed)
        rate = reviewed_noise(quality, given, CLASSES, ReviewAnswers(drawn, truth[drawn]), confidence=CONFIDENCE)
        covered.append(rate.low - 1e-12 <= true_rate <= rate.high + 1e-12)
        told = rate.class_high - rate.class_low < 1
        inside = (rate.class_low - 1e-12 <= of_class) & (of_class <= rate.class_high + 1e-12)
        by_class.extend(inside[told].tolist())
        widths.append(rate.high - rate.low)
        estimates.append(rate.estimate)
    left = (rows - sample) / (rows - 1)
    worth = true_rate * (1 - true_rate) * left / max(np.var(estimates), 1e-12) / sample
    return float(np.mean(covered)), float(np.mean(by_class or [1.0])), float(np.mean(widths)), float(worth)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=400)
    repeats = parser.parse_args().repeats
    print("| ranking | noise | rows reviewed: coverage, of classes, width, worth of a row |\n|---|---|---|")
    everything, of_classes, worths = [], [], {}
    for ranking in RANKINGS:
        for noise in NOISES:
            cells = []
            for sample in SAMPLES:
                found = [measure(rows, noise, ranking, sample, repeats) for rows in POPULATIONS]
                everything += [coverage for coverage, *_ in found]
                of_classes += [coverage for _, coverage, *_ in found]
                worths.setdefault(ranking, []).append(found[-1][-1])
                coverage, by_class, width, worth = np.mean(found, axis=0)
                cells.append(f"{sample}: {coverage:.2f}, {by_class:.2f}, {width:.3f}, {worth:.1f}")
            print(f"| {ranking} | {noise:.1%} | " + "; ".join(cells) + " |", flush=True)
    error = (CONFIDENCE * (1 - CONFIDENCE) / repeats) ** 0.5
    print(f"\nleast coverage {min(everything):.3f}, mean {np.mean(everything):.3f} (standard error of one {error:.3f})")
    print(f"of classes: least {min(of_classes):.3f}, mean {np.mean(of_classes):.3f}")
    print("worth of a row: " + ", ".join(f"{name} {np.median(values):.1f}" for name, values in worths.items()))


if __name__ == "__main__":
    main()
