"""A daily job: fit on Monday's table, which is trusted, then check each later batch without training.

The batches are parts of the German credit table. Every third label of Wednesday's is flipped, as a broken join would.

Run from the repository's root: python examples/daily_batch.py
"""

import tempfile
import warnings
from pathlib import Path

import polars as pl

import dqlabels

loans = pl.read_csv("examples/data/german_credit.csv").sample(fraction=1.0, shuffle=True, seed=0)
monday, tuesday, wednesday = loans[:600], loans[600:800], loans[800:]
flipped = pl.col("risk").replace({"good": "bad", "bad": "good"})
wednesday = wednesday.with_columns(risk=pl.when(pl.int_range(pl.len()) % 3 == 0).then(flipped).otherwise("risk"))


def fit_once(trusted: pl.DataFrame, path: Path) -> None:
    """Monday's job: train, and save what was learned in one file that holds no code."""
    auditor = dqlabels.LabelAuditor("risk").fit(trusted)
    auditor.save(path)
    print(f"{auditor}\nsaved in {path.stat().st_size / 1024:,.0f} KiB\n")


def check_batch(batch: pl.DataFrame, day: str, folder: Path) -> bool:
    """The job of every other day: load, audit, compare with all days so far; true where the batch may pass."""
    monitor = dqlabels.LabelMonitor(folder / "risk.dqlabels", history=folder / "risk.history.jsonl")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dqlabels.LabelWarning)  # result.audit.warnings holds the same
        result = monitor.check(batch, batch_id=day)
    drift = result.audit.drift.filter(pl.col("what") != "feature")
    print(drift.select("what", "name", "trusted", "batch", "change", "drifted"))
    for note in result.audit.warnings:
        print("Note:", note)
    print(result.message)
    return result.passed


with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    fit_once(monday, folder / "risk.dqlabels")
    for day, batch in (("Tuesday", tuesday), ("Wednesday", wednesday)):
        print(f"--- {day}")
        print(f"{day}'s batch {'passes' if check_batch(batch, day, folder) else 'is held back'}.\n")
    print(dqlabels.LabelMonitor(folder / "risk.dqlabels", history=folder / "risk.history.jsonl").history)
