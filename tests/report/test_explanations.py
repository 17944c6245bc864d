"""Why a suggestion is made: what tells for it, and the nearest rows that carry it."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from support.frames import two_classes

import dqlabels
from dqlabels.report.explanations import MAX_ROWS_PER_CLASS, explain, shown_value, usable_kinds


def told(data: dict, max_rows_per_class: int = MAX_ROWS_PER_CLASS, **options) -> tuple[dqlabels.LabelAudit, list[dict]]:
    found = dqlabels.audit(pl.DataFrame(data), "label", **options)
    order, _ = found.evidence.worst()
    kinds = usable_kinds(found.table, found.features, chosen=True)
    return found, explain(found.table, kinds, found.evidence, order, max_rows_per_class=max_rows_per_class)


def test_a_ratio_is_of_smoothed_shares_without_the_row_itself():
    # Of 40 rows labelled no, 2 are blue, one of them the row itself; of 40 labelled yes, 36 are blue.
    colour = ["blue", "blue", *["red"] * 38, *["blue"] * 36, *["red"] * 4]
    data = {"colour": colour, "x": [*[5.0], *[0.0] * 39, *[5.0] * 40], "label": ["no"] * 40 + ["yes"] * 40}
    found, reasons = told(data, pred_probs=np.array([[0.02, 0.98], *[[0.9, 0.1]] * 39, *[[0.1, 0.9]] * 40]),
                          classes=["no", "yes"])  # fmt: skip
    assert found.evidence.worst()[0].tolist() == [0]
    line = next(line for line in reasons[0]["toward"] if line["column"] == "colour")
    assert line["ratio"] == pytest.approx(((36 + 1) / (40 + 2)) / ((1 + 1) / (39 + 2)))
    assert (line["suggested_share"], line["given_share"]) == (36 / 40, 1 / 39)


def test_nearest_rows_carry_the_suggested_label():
    found, reasons = told(two_classes())
    label = found.table["label"].to_list()
    order, _ = found.evidence.worst()
    for at, reason in zip(order, reasons, strict=True):
        suggested = found.evidence.classes[found.evidence.suggested[at]]
        assert [label[near["row"]] for near in reason["nearest"]] == [suggested] * 3


def test_the_nearest_row_is_the_least_gower_distance():
    data = two_classes()
    found, reasons = told(data)
    row = int(found.evidence.positions[found.evidence.worst()[0][0]])
    suggested = found.table["suggested_label"][row]
    scale = {name: np.subtract(*np.quantile(np.float32(data[name]), [0.95, 0.05])) for name in ("x", "z")}

    def distance(other: int) -> float:
        return sum(min(abs(data[name][row] - data[name][other]) / scale[name], 1) for name in scale) / 2

    others = [at for at in range(120) if data["label"][at] == suggested]
    near = reasons[0]["nearest"][0]
    assert near["distance"] == pytest.approx(min(map(distance, others)), rel=0.05)


@pytest.mark.parametrize("kinds_of_probs", [400, 3])
def test_reasons_do_not_depend_on_the_order_of_the_rows(kinds_of_probs):
    data = two_classes(400)
    order = np.random.default_rng(1).permutation(400)
    probs = np.random.default_rng(2).dirichlet([1, 1], kinds_of_probs)[np.arange(400) % kinds_of_probs]
    shuffled = {name: [values[at] for at in order] for name, values in data.items()}
    given = {"classes": ["no", "yes"], "max_rows_per_class": 60}
    _, here = told(data, pred_probs=probs, **given)
    _, there = told(shuffled, pred_probs=probs[order], **given)
    rows, other = _worst_rows(data, probs), order[_worst_rows(shuffled, probs[order])]
    told_of = dict(zip(other.tolist(), there, strict=True))
    assert rows.size > 20
    for row, one in zip(rows.tolist(), here, strict=True):
        assert one["toward"] == told_of[row]["toward"]
        near = [int(order[near["row"]]) for near in told_of[row]["nearest"]]
        assert [near["row"] for near in one["nearest"]] == near


def _worst_rows(data: dict, probs: np.ndarray) -> np.ndarray:
    found = dqlabels.audit(pl.DataFrame(data), "label", pred_probs=probs, classes=["no", "yes"])
    return found.evidence.positions[found.evidence.worst()[0]]


def test_a_word_of_a_text_is_named():
    words = [["good", "fine"], ["broken", "refund"]]
    rng = np.random.default_rng(0)
    text = [f"{words[k % 2][0]} {words[k % 2][1]} {' '.join(map(str, rng.integers(0, 9999, 5)))}" for k in range(200)]
    label = [("praise", "complaint")[k % 2] for k in range(200)]
    label[3] = "praise"
    probs = np.array([(0.1, 0.9) if k % 2 == 0 else (0.9, 0.1) for k in range(200)])
    _, reasons = told({"text": text, "label": label}, pred_probs=probs, classes=["complaint", "praise"])
    assert reasons[0]["toward"][0]["value"] in ("broken", "refund")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (float("nan"), ""),
        (0.1 + 0.2, "0.3"),
        ("two\nlines", "two lines"),
        ("a\x00b\x1b[31m", "a�b�[31m"),
        ([1.0, 2.0, 3.0, 4.0], "[1, 2, 3, … 4 in all]"),
        ("x" * 100, "x" * 79 + "…"),
    ],
)
def test_a_value_is_shown_short_and_on_one_line(value, text):
    assert shown_value(value) == text
