"""A column of numbers with three gross errors."""

from __future__ import annotations

import numpy as np

WRONG = [5, 77, 140]


def prices(rows: int = 200, seed: int = 0) -> dict[str, list[float]]:
    """A price that follows ``x`` to within 3, ten times too high in the rows WRONG; ``z`` says nothing."""
    rng = np.random.default_rng(seed)
    x = rng.permutation(np.linspace(-2, 2, rows))
    price = 100 + 20 * x + rng.uniform(-3, 3, size=rows)
    price[WRONG] *= 10
    return {"x": x.tolist(), "z": rng.normal(size=rows).tolist(), "price": price.tolist()}
