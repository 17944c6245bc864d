"""Classes whose names look alike are named with the class that they look like, in memory and streamed."""

from __future__ import annotations

import time
import unicodedata
from typing import Any

import numpy as np
import polars as pl
import pytest
from support.frames import column
from support.sized import Sized

import dqlabels
from dqlabels.frames.look_alikes import look_alikes
from dqlabels.models.sizes import Sizes

ROWS = 240
MEANT = "Adélie"
ALIKE = {
    "blank": "Adélie ",
    "case": "adélie",
    "no-break space": "Adélie\u00a0",
    "zero width": "Adé\u200blie",
    "form": unicodedata.normalize("NFD", MEANT),
    "full width": "Ａdélie",
    "one letter": "Adélle",
}


def table(other: str, number: int, rows: int = ROWS) -> dict[str, list[Any]]:
    """Two classes that follow ``x``; some rows of the first carry another name."""
    labels = [MEANT, "Gentoo"] * (rows // 2)
    labels[: 2 * number : 2] = [other] * number
    x = np.random.default_rng(0).normal(size=rows) + np.tile([0.0, 6.0], rows // 2)
    return {"x": x.tolist(), "label": labels}


def audit(frame: Any, **options: Any) -> Any:
    names = sorted(set(column(frame, "label")))
    near = np.array(column(frame, "x"))[:, None] < 3
    gentoo = np.array([name == "Gentoo" for name in names])
    probs = np.where(near != gentoo, 0.9, 0.02) * np.array(
        [1.0 if name in (MEANT, "Gentoo") else 0.1 for name in names]
    )
    return dqlabels.audit(frame, "label", pred_probs=probs / probs.sum(axis=1, keepdims=True), classes=names, **options)


@pytest.mark.parametrize("number", [1, 10])
@pytest.mark.parametrize("kind", ALIKE)
def test_a_name_that_looks_like_another_is_named_with_it(make_frame, kind, number):
    with pytest.warns(dqlabels.LabelWarning, match="one class written in two ways"):
        found = audit(make_frame(table(ALIKE[kind], number)))
    rows = "1 row" if number == 1 else "10 rows"
    (note,) = [one for one in found.warnings if "looks like" in one]
    assert f"({rows}) looks like 'Adélie' ({120 - number} rows)" in note
    single = column(found.frame, "suggested_label")[0], column(found.frame, "is_label_issue")[0]
    assert (single == (MEANT, True)) or number > 1
    assert found.flagged == sum(column(found.frame, "is_label_issue"))


@pytest.mark.parametrize("other", ["A1 A2", "10-20 20-30", "cat bat", "A- A", "a A", "north south"])
def test_codes_that_differ_are_no_look_alikes(other):
    assert look_alikes(other.split(), np.array([1, 90])) == {}


def test_two_frequent_names_that_differ_in_a_letter_are_two_classes():
    assert look_alikes(["Gambia", "Zambia"], np.array([30, 90])) == {}


def test_a_chain_of_names_ends_at_the_most_frequent():
    assert look_alikes(["Adelie", "Adelle", "adelle "], np.array([200, 2, 1])) == {1: 0, 2: 0}


def test_the_rule_of_another_library_flags_as_before():
    frame = pl.DataFrame(table("adélie", 1))
    with pytest.warns(dqlabels.LabelWarning):
        found = audit(frame, compat="cleanlab")
    assert any("looks like" in note for note in found.warnings)
    assert not found.frame["is_label_issue"][0]


def test_a_streamed_audit_says_and_flags_the_same():
    data = pl.DataFrame(table("adélie ", 1, rows=1_200))
    with pytest.warns(dqlabels.LabelWarning):
        found = Sized(Sizes(large_rows=1_000)).audit(data.lazy(), "label")
    (note,) = [one for one in found.warnings if "looks like" in one]
    assert "'adélie␣' (1 row) looks like 'Adélie' (599 rows)" in note
    row = found.frame.collect().row(0, named=True)
    assert (row["suggested_label"], row["is_label_issue"]) == (MEANT, True)


def test_the_report_shows_blanks():
    with pytest.warns(dqlabels.LabelWarning):
        page = audit(pl.DataFrame(table("Adélie ", 10))).to_html()
    assert "Adélie␣" in page


def test_thousands_of_classes_take_little_time():
    rng = np.random.default_rng(0)
    names = ["".join(rng.choice(list("abcdefgh"), 20)) for _ in range(5_000)]
    start = time.perf_counter()
    look_alikes(names, rng.integers(1, 1_000, 5_000))
    assert time.perf_counter() - start < 5
