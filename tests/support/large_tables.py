"""Tables of a few thousand rows that tests take for large ones."""

from __future__ import annotations

import numpy as np
import polars as pl

ADDED = ["label_quality", "suggested_label", "is_label_issue"]


def table(rows: int = 3_000, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, rows)
    label = np.where(rng.random(rows) < 0.1, rng.integers(0, 3, rows), truth)
    names = pl.Series(["low", "mid", "top"])
    return pl.DataFrame(
        {
            "x": truth * 1.5 + rng.normal(size=rows),
            "n": rng.integers(0, 40, rows),
            "city": np.array(["Gent", "Bern", "Lyon"])[(truth + rng.integers(0, 2, rows)) % 3],
            "when": pl.Series(rng.integers(0, 900, rows)).cast(pl.Date),
        }
    ).with_columns(
        x=pl.when(pl.int_range(rows) % 31 == 0).then(None).otherwise("x"),
        label=pl.when(pl.int_range(rows) % 97 == 5).then(None).otherwise(names.gather(label)),
    )


def large_prices(rows: int = 3_000, seed: int = 0) -> pl.DataFrame:
    """A price by ``x`` and ``city``, every hundredth ten times too high, every 97th missing."""
    rng = np.random.default_rng(seed)
    x, city = rng.uniform(-2, 2, rows), rng.integers(0, 3, rows)
    price = 100 + 20 * x + 5 * city + rng.normal(size=rows)
    at = pl.int_range(rows)
    names = pl.Series(["Gent", "Bern", "Lyon"])
    return pl.DataFrame(
        {"x": x, "n": rng.integers(0, 40, rows), "city": names.gather(city), "price": price}
    ).with_columns(
        x=pl.when(at % 31 == 0).then(None).otherwise("x"),
        price=pl.when(at % 97 == 5).then(None).when(at % 100 == 7).then(pl.col("price") * 10).otherwise("price"),
    )
