"""Coverage and width of reviewed noise rates: ``python tests/benchmarks/review.py``.

Tables of 1,000 and 5,000 rows with 0.5 to 20% wrong labels, ranked by a quality that is good, usual or useless;
samples of 50 to 400 rows are drawn and answered rightly. Nominal coverage is 0.90. The last columns are the width of
the interval and how many rows drawn at random give the same standard error.

``--running`` measures the interval that is shown after every answer: how often it holds at all looks, its width at a
quarter, half and the whole of the sample over that of a finished sample of as many rows, and, against a limit, how many
rows are read until it tells on which side of the limit the rate is.
"""

from __future__ import annotations

import argparse
from functools import cache

import numpy as np
from numpy.typing import NDArray

from dqlabels.noise.reviewed import STRATA_ROWS, WRONG_USUALLY, ReviewAnswers, draw_sample, reviewed_noise, strata
from dqlabels.noise.running import AnswersInOrder, running_interval

NOISES = (0.005, 0.01, 0.02, 0.05, 0.10, 0.20)
SAMPLES = (50, 100, 200, 400)
POPULATIONS = (1000, 5000)
# The share of the wrong labels in each stratum of quality, worst first.
RANKINGS = {"good": (0.95, 0.04, 0.01), "usual": WRONG_USUALLY, "useless": STRATA_ROWS}
# Noise rates and limits, and the most rows that are read.
LIMITS = ((0.01, 0.05), (0.02, 0.05), (0.03, 0.05), (0.05, 0.05), (0.08, 0.05), (0.10, 0.05), (0.20, 0.05))
MOST_ROWS = (200, 400)
CLASSES = 3
CONFIDENCE = 0.90


@cache
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
    quality = strata(quality).astype(np.int8)  # the same strata, sorted in a fraction of the time
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


class Review:
    """A sample of a table, answered rightly in its order."""

    def __init__(self, rows: int, noise: float, ranking: str, sample: int, seed: int) -> None:
        quality, self.given, self.truth = table(rows, noise, RANKINGS[ranking])
        self.quality = strata(quality).astype(np.int8)
        self.rate = float((self.given != self.truth).mean())
        self.of_row = strata(self.quality)
        self.sizes = np.bincount(self.of_row)
        self.drawn = draw_sample(self.quality, sample, seed)
        self.wrong = self.truth[self.drawn] != self.given[self.drawn]

    def interval(self, answered: int) -> tuple[float, float]:
        """What is shown after so many answers."""
        of_row = self.of_row[self.drawn]
        waiting = np.bincount(of_row[answered:], minlength=self.sizes.size)
        known = of_row[:answered], self.wrong[:answered]
        return running_interval(AnswersInOrder.of(*known, waiting, self.sizes, self.drawn.size), CONFIDENCE)

    def finished(self, rows: int) -> tuple[float, float]:
        """The interval of a sample of so many rows, chosen beforehand."""
        drawn = self.drawn[:rows]
        rate = reviewed_noise(self.quality, self.given, CLASSES, ReviewAnswers(drawn, self.truth[drawn]))
        return rate.low, rate.high

    def rows_to_tell(self, limit: float) -> tuple[int, str]:
        """Rows read until the interval is on one side of the limit, all if it never is, and the side.

        An end of the interval never moves back, so that bisection finds the first such look.
        """
        total = self.drawn.size
        if not side(*self.interval(total), limit):
            return total, side(*self.finished(total), limit)
        silent, tells = 0, total
        while tells - silent > 1:
            middle = (silent + tells) // 2
            silent, tells = (silent, middle) if side(*self.interval(middle), limit) else (middle, tells)
        return tells, side(*self.interval(tells), limit)


def side(low: float, high: float, limit: float) -> str:
    return "above" if low > limit else "below" if high <= limit else ""


def running(repeats: int) -> None:
    """Print coverage over all looks and widths, then the rows saved."""
    print("| ranking | noise | of rows | holds at all looks | width over a finished sample's at 1/4, 1/2, 1 |")
    print("|---|---|---|---|---|")
    for ranking in RANKINGS:
        for noise in NOISES:
            for sample in (100, 400):
                held, ratios = [], []
                for seed in range(repeats):
                    review = Review(5000, noise, ranking, sample, seed)
                    low, high = review.interval(sample)  # both ends are the tightest of all looks
                    held.append(low - 1e-4 <= review.rate <= high + 1e-4)
                    if seed < repeats // 10:
                        looks = [sample // 4, sample // 2, sample]
                        widths = [
                            [np.subtract(*ends(at))[()] for at in looks] for ends in (review.interval, review.finished)
                        ]
                        ratios.append(np.divide(*widths))
                print(
                    f"| {ranking} | {noise:.1%} | {sample} | {np.mean(held):.3f} | "
                    + ", ".join(f"{r:.2f}" for r in np.mean(ratios, axis=0))
                    + " |",
                    flush=True,
                )
    print("\n| noise | limit | most rows | rows read: mean, 90% | fixed: tells | running: tells | wrongly |")
    print("|---|---|---|---|---|---|---|")
    for noise, limit in LIMITS:
        for most in MOST_ROWS:
            reviews = [Review(5000, noise, "usual", most, seed) for seed in range(repeats)]
            told = [review.rows_to_tell(limit) for review in reviews]
            rows = [read for read, _ in told]
            right = "above" if reviews[0].rate > limit else "below"
            fixed = np.mean([side(*review.finished(most), limit) == right for review in reviews])
            tells = np.mean([answer == right for _, answer in told])
            wrongly = np.mean([answer not in (right, "") for _, answer in told])
            read = f"{np.mean(rows):.0f}, {np.quantile(rows, 0.9):.0f}"
            print(
                f"| {noise:.0%} | {limit:.0%} | {most} | {read} | {fixed:.0%} | {tells:.0%} | {wrongly:.1%} |",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=400)
    parser.add_argument("--running", action="store_true")
    options = parser.parse_args()
    repeats = options.repeats
    if options.running:
        return running(repeats)
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
