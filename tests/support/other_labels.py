"""Small tables of every kind of label, right and with labels made wrong."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from support.frames import two_classes

ANNOTATORS = ["core", "warehouse", "agency"]
TAGS = ["cat", "dog", "owl"]
# With these an audit trains no model.
TAG_PROBS = {"pred_probs": [f"p_{tag}" for tag in TAGS], "classes": TAGS}
SPAN_TAGS = ["B-LOC", "B-PER", "I-LOC", "I-PER", "O"]
TOKEN_PROBS: dict[str, Any] = {"task": "tokens", "pred_probs": "probs", "classes": SPAN_TAGS}
GRADE_PROBS = {"pred_probs": [f"p_{grade}" for grade in range(4)], "classes": [0, 1, 2, 3]}


@cache
def prices(wrong: float = 0.0, rows: int = 200) -> dict[str, list[Any]]:
    """A price that follows ``x`` to within 3; a share of them is ten times too high."""
    rng = np.random.default_rng(0)
    x = rng.permutation(np.linspace(-2, 2, rows))
    price = 100 + 20 * x + rng.uniform(-3, 3, size=rows)
    price[: round(wrong * rows)] *= 10
    return {"x": x.tolist(), "z": rng.normal(size=rows).tolist(), "price": price.tolist()}


@cache
def rated(wrong: float = 0.0, rows: int = 120) -> dict[str, list[Any]]:
    """Three systems that say good or bad of the same rows; the last errs in a share of them."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, rows)
    slips = rng.random((rows, 3)) < [0.01, 0.01, max(wrong, 0.01)]
    said = np.where(slips, 1 - truth[:, None], truth[:, None])
    return {name: [("bad", "good")[k] for k in said[:, j]] for j, name in enumerate(ANNOTATORS)}


@cache
def rated_long(wrong: float = 0.0, rows: int = 120) -> dict[str, list[Any]]:
    """The same, a row a label."""
    wide = rated(wrong, rows)
    items = [row for row in range(rows) for _ in ANNOTATORS]
    return {
        "item": items,
        "who": ANNOTATORS * rows,
        "said": [wide[name][item] for item, name in zip(items, ANNOTATORS * rows, strict=True)],
    }


@cache
def tagged(wrong: float = 0.0, rows: int = 150) -> dict[str, list[Any]]:
    """Rows with some of three tags, and how likely each is; of ``owl`` a share is flipped."""
    rng = np.random.default_rng(0)
    true = rng.random((rows, 3)) < [0.3, 0.5, 0.4]
    probs = 1 / (1 + np.exp(-(true * 8 - 4 + rng.normal(0, 1, (rows, 3)))))
    given = true.copy()
    given[:, 2] ^= rng.random(rows) < wrong
    tags = [[name for name, has in zip(TAGS, row, strict=True) if has] for row in given]
    return {f"p_{name}": probs[:, j].tolist() for j, name in enumerate(TAGS)} | {"tags": tags}


@cache
def ticked(wrong: float = 0.0, rows: int = 150) -> dict[str, list[Any]]:
    """The same, a yes/no column a tag."""
    table = dict(tagged(wrong, rows))
    tags = table.pop("tags")
    return table | {name: [name in row for row in tags] for name in TAGS}


@cache
def graded(wrong: float = 0.0, rows: int = 200) -> dict[str, list[Any]]:
    """Grades 0 to 3 that follow ``x``, and how likely each is; a share is as far off as can be."""
    rng = np.random.default_rng(0)
    true = rng.integers(0, 4, rows)
    given = np.where(rng.random(rows) < wrong, np.where(true < 2, 3, 0), true)
    x = true + 0.2 * rng.normal(size=rows)
    near = np.exp(-3 * (x[:, None] - np.arange(4)) ** 2)
    probs = near / near.sum(axis=1, keepdims=True)
    return {f"p_{k}": probs[:, k].tolist() for k in range(4)} | {"x": x.tolist(), "grade": given.tolist()}


@cache
def sentences(wrong: float = 0.0, rows: int = 80) -> dict[str, list[Any]]:
    """Sentences of 2 to 10 words with tags of places and people; of a share of the tokens the tag is another one."""
    rng = np.random.default_rng(0)
    parts = (["O"], ["O", "B-PER", "I-PER"], ["B-LOC", "I-LOC", "O"])
    table: dict[str, list[Any]] = {"words": [], "tags": [], "probs": [], "vectors": [], "topic": []}
    for row in range(rows):
        true = [tag for part in rng.integers(0, 3, rng.integers(1, 4)) for tag in parts[part]]
        codes = np.array([SPAN_TAGS.index(tag) for tag in [*true, "O"]])
        given = np.where(rng.random(codes.size) < wrong, rng.integers(0, 5, codes.size), codes)
        likely = np.exp(4 * np.eye(5)[codes] + 0.5 * rng.normal(size=(codes.size, 5)))
        table["words"].append([f"w{row}_{at}" for at in range(codes.size)])
        table["tags"].append([SPAN_TAGS[code] for code in given])
        table["probs"].append((likely / likely.sum(axis=1, keepdims=True)).tolist())
        table["vectors"].append((np.eye(5)[codes] * 5 + rng.normal(size=(codes.size, 5))).tolist())
        table["topic"].append("news" if row % 2 else "sport")
    return table


# By kind of label: what makes a table, the label column or columns, and options of an audit.
TABLES: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "classes": (two_classes, "label", {}),
    "ordinal": (graded, "grade", {"task": "ordinal"}),
    "regression": (prices, "price", {"task": "regression"}),
    "annotators": (rated, ANNOTATORS, {}),
    "multilabel": (tagged, "tags", TAG_PROBS),
    "tokens": (sentences, "tags", TOKEN_PROBS),
}
