"""A daily job: fit on Monday's table, which is trusted, then audit and gate each later batch without training.

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


def audit_batch(batch: pl.DataFrame, path: Path) -> bool:
    """The job of every other day: load, audit, gate; true where the batch may pass."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dqlabels.LabelWarning)  # audit.warnings holds the same
        audit = dqlabels.load(path).audit(batch)
    print(
        audit.drift.filter(pl.col("what") != "feature").select("what", "name", "trusted", "batch", "change", "drifted")
    )
    for note in audit.warnings:
        print("Note:", note)
    gate = audit.gate(max_increase=0.10)
    print(gate.message.splitlines()[0])
    return gate.passed


with tempfile.TemporaryDirectory() as folder:
    saved = Path(folder) / "risk.dqlabels"
    fit_once(monday, saved)
    for day, batch in (("Tuesday", tuesday), ("Wednesday", wednesday)):
        print(f"--- {day}")
        print(f"{day}'s batch {'passes' if audit_batch(batch, saved) else 'is held back'}.\n")
