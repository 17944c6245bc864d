"""Flags on the tables of MisLaBenchmark: ``MISLA=folder python tests/benchmarks/misla.py``

The folder holds its ``datasetsSample/*.csv.gz`` (github.com/nazaretl/MisLaBenchmark, which names no licence, so nothing
of it is here). Of eleven tables 1,000 rows are drawn, 10% of their labels are changed at random or near the border of
the classes, by our own draws, and the F1 of the flags is compared with cleanlab's in the same run and with the best
column that the benchmark published: .496 and .455, the means over the same tables.
"""

from __future__ import annotations

import os
import statistics
import warnings
import zipfile
from pathlib import Path

import pandas as pd
from detection import cleanlab, ours
from sklearn.metrics import average_precision_score, f1_score
from tables import plant

NAMES = ("Adult", "Chess", "ClinVarArt", "DryBean", "HEPMASS", "IFD", "Magic", "Pokerhand", "RNA0", "RNA1", "RNA2")
ROWS, DRAWS, SHARE = 1_000, 3, 0.10
NOISES = ("symmetric", "feature_dependent")


def table(name: str, draw: int) -> pd.DataFrame:
    """A draw of 1,000 rows of one table, classes of one row left out."""
    path = Path(os.environ["MISLA"]) / f"{name}.csv.gz"
    zipped = zipfile.is_zipfile(path)  # whatever the name says
    frame = pd.read_csv(path, sep="\t", compression="zip" if zipped else "gzip")
    frame = frame.sample(ROWS, random_state=draw).rename(columns={"Label": "label"})
    frame.columns = [str(column) for column in frame.columns]
    common = frame["label"].map(frame["label"].value_counts()) > 2
    return frame[common].assign(label=frame["label"].astype("str")).reset_index(drop=True)


def main() -> None:
    """Print a table in Markdown: F1 of the flags and average precision, ours / cleanlab's."""
    warnings.simplefilter("ignore")
    print("| table | " + " | ".join(f"{what}, {noise}" for noise in NOISES for what in ("F1", "AP")) + " |")
    print("|" + "---|" * (1 + 2 * len(NOISES)))
    every: dict[tuple[str, str, str], list[float]] = {}
    for name in NAMES:
        cells = [name]
        for noise in NOISES:
            runs: dict[tuple[str, str], list[float]] = {}
            for draw in range(DRAWS):
                noisy, wrong = plant(table(name, draw), noise, SHARE, draw)
                for side, judge in (("ours", ours), ("cleanlab", cleanlab)):
                    quality, flagged = judge(noisy, draw)
                    runs.setdefault(("F1", side), []).append(float(f1_score(wrong, flagged)))
                    runs.setdefault(("AP", side), []).append(float(average_precision_score(wrong, -quality)))
            for what in ("F1", "AP"):
                means = {side: statistics.fmean(runs[what, side]) for side in ("ours", "cleanlab")}
                for side, mean in means.items():
                    every.setdefault((noise, what, side), []).append(mean)
                cells.append(f"{means['ours']:.3f} / {means['cleanlab']:.3f}")
        print("| " + " | ".join(cells) + " |", flush=True)
    means = [
        " / ".join(f"{statistics.fmean(every[noise, what, side]):.3f}" for side in ("ours", "cleanlab"))
        for noise in NOISES
        for what in ("F1", "AP")
    ]
    print("| mean | " + " | ".join(means) + " |")


if __name__ == "__main__":
    main()
