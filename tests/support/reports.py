"""Tables whose reports are hard to draw."""

from __future__ import annotations

from functools import cache

import numpy as np
import polars as pl

import dqlabels

HOSTILE = '</script><img src=x onerror="window.hacked=1">\'{{7*7}}'


@cache
def many_classes(classes: int = 1000, rows: int = 4000) -> dqlabels.LabelAudit:
    rng = np.random.default_rng(0)
    truth = np.arange(rows) % classes
    probs = np.full((rows, classes), 0.1 / (classes - 1))
    probs[np.arange(rows), truth] = 0.9
    label = np.where(rng.random(rows) < 0.05, (truth + 1) % classes, truth)
    frame = pl.DataFrame({"x": rng.normal(size=rows), "label": label})
    return dqlabels.audit(frame, "label", pred_probs=probs, classes=list(range(classes)))
