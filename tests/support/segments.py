"""Tables of segments whose noise rates are known, with the probabilities of who knows how the labels come about."""

from __future__ import annotations

from typing import Any

import numpy as np

PROBS = ("p_no", "p_yes")


def judged(
    rows: int = 3000, segments: int = 5, bad: float = 0.03, rate: float = 0.03, seed: int = 0
) -> dict[str, list[Any]]:
    """Labels of two classes in segments that are alike but for r00, whose noise rate is ``bad``."""
    rng = np.random.default_rng(seed)
    segment = rng.integers(0, segments, rows)
    p = 1 / (1 + np.exp(-6 * rng.normal(size=rows)))
    true = rng.random(rows) < p
    label = true ^ (rng.random(rows) < np.where(segment == 0, bad, rate))
    return {
        "label": [("no", "yes")[int(value)] for value in label],
        "region": [f"r{value:02}" for value in segment],
        PROBS[0]: (1 - p).tolist(),
        PROBS[1]: p.tolist(),
    }
