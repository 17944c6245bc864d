"""A calibration table and its plot: of labels that are wrong with a probability of so much, how many are wrong?"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

# Ends of the steps of P(wrong).
STEPS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
# A step of a table counts if it has so many rows.
MIN_ROWS = 20
# Told apart by shape, too.
COLOURS, SHAPES = ("#0b5cad", "#6b7280", "#b3450f"), ("circle", "square", "triangle-up")
SIDE = 300


@dataclass(frozen=True)
class Step:
    """Labels of one table whose P(wrong) lies in one step: how many, and the expected and true share of wrong ones."""

    noise: str
    share: float
    at: int
    rows: int
    expected: float
    true: float


def steps(noise: str, share: float, doubt: NDArray[np.float64], wrong: NDArray[np.bool_]) -> list[Step]:
    """The steps of one table.

    Args:
        noise: How labels were changed.
        share: How many of them.
        doubt: (n,) P(wrong).
        wrong: (n,) which are.
    """
    places = np.clip(np.searchsorted(STEPS, doubt, side="right") - 1, 0, len(STEPS) - 2)
    found = []
    for at in np.unique(places):
        rows = places == at
        found.append(Step(noise, share, int(at), int(rows.sum()), float(doubt[rows].mean()), float(wrong[rows].mean())))
    return found


def table(found: Sequence[Step]) -> pd.DataFrame:
    """Return means over the tables, by noise, share and step, as columns of these names and the number of tables."""
    rows = pd.DataFrame([vars(step) for step in found if step.rows >= MIN_ROWS])
    grouped = rows.groupby(["noise", "share", "at"], as_index=False)
    return grouped.agg(
        tables=("rows", "size"), rows=("rows", "sum"), expected=("expected", "mean"), true=("true", "mean")
    )


def print_table(found: Sequence[Step]) -> None:
    """Print expected / true shares in Markdown, a row for each step and a column for each noise."""
    means = table(found)
    kinds = list(dict.fromkeys((step.noise, step.share) for step in found))
    print("\n| P(wrong) | " + " | ".join(f"{noise} {share:.0%}" for noise, share in kinds) + " |")
    print("|" + "---|" * (len(kinds) + 1))
    for at, (low, high) in enumerate(itertools.pairwise(STEPS)):
        cells = []
        for noise, share in kinds:
            cell = means[(means["noise"] == noise) & (means["share"] == share) & (means["at"] == at)]
            cells.append(f"{cell['expected'].item():.3f} / {cell['true'].item():.3f}" if len(cell) else "")
        print(f"| {low:g} to {high:g} | " + " | ".join(cells) + " |")


def draw(found: Sequence[Step], flagged: pd.DataFrame, path: Path) -> None:
    """Draw both pictures side by side as SVG.

    Args:
        found: The steps of all tables.
        flagged: Of each table and noise the share of wrong labels among the flagged: columns noise, expected, true.
        path: Where to.
    """
    means = table(found)
    by_step = means[means["share"] == means["share"].max()]
    points = _panel(flagged, "The flagged rows of each table").mark_point(filled=True, size=50, opacity=0.8)
    lines = _panel(by_step, "All rows, by P(wrong): mean over the tables").mark_line(
        point=alt.OverlayMarkDef(filled=True, size=50)
    )
    diagonal = (
        alt.Chart(pd.DataFrame({"expected": [0, 1], "true": [0, 1]}))
        .mark_line(color="black", strokeDash=[4, 4], strokeWidth=1)
        .encode(x="expected:Q", y="true:Q")
    )
    alt.hconcat(diagonal + points, diagonal + lines).configure_title(fontSize=13).save(str(path))


def _panel(shares: pd.DataFrame, title: str) -> alt.Chart:
    kinds = list(dict.fromkeys(shares["noise"]))
    scale = alt.Scale(domain=[0, 1])
    return alt.Chart(shares, title=title, width=SIDE, height=SIDE).encode(
        x=alt.X("expected:Q", scale=scale, title="expected share of wrong labels"),
        y=alt.Y("true:Q", scale=scale, title="true share"),
        color=alt.Color("noise:N", scale=alt.Scale(domain=kinds, range=COLOURS[: len(kinds)]), title="noise"),
        shape=alt.Shape("noise:N", scale=alt.Scale(domain=kinds, range=SHAPES[: len(kinds)]), title="noise"),
    )
