"""Draws the pictures of noise-rate.md: ``python docs/pictures.py``, from the repository's root."""

from __future__ import annotations

from pathlib import Path

import altair as alt
import numpy as np
import polars as pl
from sklearn.datasets import load_digits

import dqlabels

IMAGES = Path(__file__).parent / "images"
METHODS = ["variational", "anchor", "confident"]
SHARES = [0.0, 0.05, 0.10, 0.15, 0.20]
SEEDS = 3
# Told apart without colour too: by shape in the first picture, by dashes in the second.
COLOURS = ["#0b5cad", "#6b7280", "#b3450f"]


def two_stories() -> alt.Chart:
    """One table of two overlapping classes, read twice: what crosses the border is wrong, or nothing is."""
    rng = np.random.default_rng(4)
    label = np.repeat(["good", "bad"], 60)
    x = np.where(label == "good", 1.0, -1.0) + rng.normal(0, 0.9, label.size)
    y = rng.normal(0, 1, label.size)
    crossed = (x > 0) != (label == "good")
    stories = {
        f"Story A: {crossed.mean():.0%} of the labels are wrong": crossed,
        "Story B: no label is wrong, the classes overlap": np.zeros_like(crossed),
    }
    rows = pl.concat(
        pl.DataFrame({"x": x, "y": y, "label": label, "wrong": wrong, "story": [story] * label.size})
        for story, wrong in stories.items()
    )
    axes = {"x": alt.X("x:Q", axis=None), "y": alt.Y("y:Q", axis=None)}
    points = (
        alt.Chart()
        .mark_point(filled=True, size=55, opacity=0.85)
        .encode(
            **axes,
            color=alt.Color("label:N", scale=alt.Scale(domain=["good", "bad"], range=[COLOURS[0], COLOURS[2]])),
            shape=alt.Shape("label:N", scale=alt.Scale(domain=["good", "bad"], range=["circle", "triangle-up"])),
        )
    )
    rings = (
        alt.Chart()
        .transform_filter("datum.wrong")
        .mark_point(size=190, filled=False, strokeWidth=1.6, color="black")
        .encode(**axes)
    )
    panel = alt.layer(points, rings, data=rows).properties(width=330, height=210)
    return panel.facet(column=alt.Column("story:N", title=None, header=alt.Header(labelFontSize=13)))


def planted(name: str, frame: pl.DataFrame, label: str) -> pl.DataFrame:
    """What the methods read after a known share of the labels was changed, each to another class at random.

    Returns:
        Columns ``table``, ``method``, ``planted`` and ``estimate``; the last is the mean of ``SEEDS`` draws.
    """
    found = []
    classes = frame[label].unique().sort()
    codes = frame[label].replace_strict(classes, range(classes.len()), return_dtype=pl.Int64).to_numpy()
    for share in SHARES:
        for seed in range(SEEDS if share else 1):
            rng = np.random.default_rng(seed)
            wrong = rng.choice(codes.size, round(share * codes.size), replace=False)
            changed = codes.copy()
            changed[wrong] = (changed[wrong] + rng.integers(1, classes.len(), wrong.size)) % classes.len()
            audit = dqlabels.audit(frame.with_columns(classes[changed].alias(label)), label)
            rates = audit.noise_rates().filter(pl.col("method").is_in(METHODS))
            found.append(rates.select("method", "estimate", table=pl.lit(name), planted=pl.lit(share)))
    return pl.concat(found).group_by("table", "method", "planted").agg(pl.col("estimate").mean())


def known_noise() -> alt.Chart:
    """Planted against estimated noise, on a table that a model tells apart and on one where it cannot."""
    digits = load_digits()
    pixels = pl.DataFrame(digits.data).with_columns(digit=digits.target)
    loans = pl.read_csv(IMAGES.parents[1] / "examples/data/german_credit.csv")
    rows = pl.concat(
        [
            planted("Digits: the model is right on 97%", pixels, "digit"),
            planted("Loans: the model is right on 75%", loans, "risk"),
        ]
    ).sort("table", "method", "planted")
    scale, stroke = alt.Scale(domain=[0, 0.4]), alt.Legend(symbolType="stroke", symbolSize=300)
    axes = {"x": alt.X("planted:Q", axis=alt.Axis(format="%", values=SHARES), title="labels changed on purpose")}
    lines = (
        alt.Chart()
        .mark_line(point=True, strokeWidth=2)
        .encode(
            **axes,
            y=alt.Y("estimate:Q", axis=alt.Axis(format="%"), scale=scale, title="estimated noise rate"),
            color=alt.Color("method:N", scale=alt.Scale(domain=METHODS, range=COLOURS), legend=stroke),
            strokeDash=alt.StrokeDash(
                "method:N", scale=alt.Scale(domain=METHODS, range=[[1, 0], [6, 4], [2, 2]]), legend=stroke
            ),
        )
    )
    truth = alt.Chart().mark_line(color="#bbbbbb", strokeWidth=5, opacity=0.6).encode(**axes, y="planted:Q")
    panel = alt.layer(truth, lines, data=rows).properties(width=300, height=230)
    return panel.facet(column=alt.Column("table:N", title=None, header=alt.Header(labelFontSize=13)))


if __name__ == "__main__":
    for name, chart in {"noise-or-overlap": two_stories(), "known-noise": known_noise()}.items():
        chart.configure(background="white", font="sans-serif").save(IMAGES / f"{name}.svg")
