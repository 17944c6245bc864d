"""Is ``label_quality`` a probability? ``python tests/benchmarks/probability.py``

The 15 tables of detection.py with 10%, 3% or none of their labels changed in three ways. Of the flagged rows, the share
that the audit expects to be wrong against the share that is, and whether the interval of the number of wrong labels
among them holds the truth; the share of rows flagged, and the estimated noise rate. Then the same by steps of P(wrong)
over all rows, and where ``--chart calibration.svg`` asks for it a picture of both. Then the real ones, where
``DQLABELS_DATA`` names the folder that holds them: people's labels drawn from CIFAR-10H, by given probabilities.
"""

from __future__ import annotations

import argparse
import os
import statistics
import warnings
from dataclasses import astuple, dataclass
from pathlib import Path

import calibration
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tables import LARGE, NOISES, SMALL, load, plant

SHARES = (0.10, 0.03, 0.0)


@dataclass(frozen=True)
class Cell:
    """One table with one noise: shares of rows, but ``held`` which is 1 where the interval holds the truth."""

    flagged: float
    expected: float
    true: float
    error: float
    held: float
    rate: float


def measure(audit: object, wrong: NDArray[np.bool_]) -> Cell:
    """What an audit says of its flagged rows, against which labels are wrong (n,)."""
    flagged = audit.evidence.flagged  # type: ignore[attr-defined]
    number, expected = int(flagged.sum()), audit.expected_wrong  # type: ignore[attr-defined]
    true = int(wrong[flagged].sum())
    shares = (expected.estimate / max(number, 1), true / max(number, 1))
    held = expected.low <= true <= expected.high
    rate = audit.noise_rate.estimate  # type: ignore[attr-defined]
    return Cell(number / flagged.size, *shares, abs(shares[0] - shares[1]), float(held), rate)


def planted(names: list[str], shares: list[float], chart: Path | None) -> None:
    import dqlabels

    cells: dict[tuple[float, str], list[Cell]] = {}
    steps: list[calibration.Step] = []
    for name in names:
        frame = load(name)
        for share in shares:
            for noise in NOISES if share else ("none",):
                noisy, wrong = plant(frame, noise, share, 0) if share else (frame, np.zeros(len(frame), dtype=bool))
                audit = dqlabels.audit(noisy, "label", progress=False)
                cell = measure(audit, wrong)
                doubt = 1 - audit.frame["label_quality"].to_numpy(float)
                steps += calibration.steps(noise.replace("_", "-"), share, doubt, wrong)
                cells.setdefault((share, noise), []).append(cell)
                row(f"{name}, {noise} {share:.0%}", cell)
    for (share, noise), found in cells.items():
        means = [statistics.fmean(values) for values in zip(*map(astuple, found), strict=True)]
        row(f"**mean, {noise} {share:.0%}**", Cell(*means))
    calibration.print_table(steps)
    if chart is not None:
        most = max(shares)
        flagged = [
            {"noise": noise.replace("_", "-"), "expected": cell.expected, "true": cell.true}
            for (share, noise), found in cells.items()
            for cell in found
            if share == most
        ]
        calibration.draw(steps, pd.DataFrame(flagged), chart)


def people(folder: Path) -> None:
    """One label a row drawn from what people said of the CIFAR-10 test set, judged by given probabilities."""
    import dqlabels

    table = pd.read_parquet(folder / "cifar10_test_pred_probs.parquet")
    counts = pd.read_csv(folder / "cifar10h_counts.csv.gz", header=None).to_numpy()
    probs = table[[f"p{k}" for k in range(10)]].to_numpy()
    rng = np.random.default_rng(0)
    drawn = (counts.cumsum(axis=1) > rng.random((len(counts), 1)) * counts.sum(axis=1, keepdims=True)).argmax(axis=1)
    audit = dqlabels.audit(pd.DataFrame({"label": drawn}), "label", pred_probs=probs)
    row(f"CIFAR-10H, {(drawn != table['label']).mean():.1%} wrong", measure(audit, drawn != table["label"].to_numpy()))


def row(name: str, cell: Cell) -> None:
    print("| " + " | ".join([name, *(f"{value:.3f}" for value in astuple(cell))]) + " |", flush=True)


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", nargs="*", default=[*SMALL, *LARGE])
    parser.add_argument("--shares", nargs="*", type=float, default=list(SHARES))
    parser.add_argument("--chart", type=Path, help="an .svg, .png or .html file")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print("| table | flagged | expected wrong of flagged | wrong of flagged | difference | held | noise rate |")
    print("|" + "---|" * 7)
    planted(options.tables, options.shares, options.chart)
    if folder := os.environ.get("DQLABELS_DATA"):
        people(Path(folder))


if __name__ == "__main__":
    main()
