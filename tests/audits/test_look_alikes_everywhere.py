"""Whatever holds the classes, those that look alike are named, and none that looks like another is suggested."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from support.frames import column
from support.sized import Sized

import dqlabels
from dqlabels.models.sizes import Sizes

pytestmark = pytest.mark.filterwarnings("ignore::dqlabels.LabelWarning")

ROWS = 240
every_spelling = pytest.mark.parametrize("other", ["yes ", "y\u0435s"], ids=["blank", "Cyrillic"])


def features(rows: int = ROWS) -> list[float]:
    return (np.random.default_rng(0).normal(size=rows) + np.tile([0.0, 6.0], rows // 2)).tolist()


def labelled(other: str, rows: int = ROWS) -> dict[str, list[Any]]:
    """Yes and no; a third of the first carry another name, and a tenth of the rows none."""
    names = [("no" if row % 2 else other if row % 6 == 0 else "yes") for row in range(rows)]
    return {"x": features(rows), "label": [None if row % 10 in (0, 1) else name for row, name in enumerate(names)]}


def tagged(other: str) -> dict[str, list[Any]]:
    """The tag yes on every second row, a sixth of them by another name; some rows have no list."""
    lists = [["no"] if row % 2 else [other] if row % 12 == 0 else ["yes"] for row in range(ROWS)]
    return {"x": features(), "tags": [None if row % 20 == 10 else one for row, one in enumerate(lists)]}


def by_people(other: str) -> dict[str, list[Any]]:
    first = ["no" if row % 2 else "yes" for row in range(ROWS)]
    return {"a": first, "b": [other if row % 12 == 0 else name for row, name in enumerate(first)], "c": first}


def in_long_form(other: str) -> dict[str, list[Any]]:
    wide = by_people(other)
    return {
        "item": [row for row in range(ROWS) for _ in wide], "who": list(wide) * ROWS,
        "label": [wide[who][row] for row in range(ROWS) for who in wide],
    }  # fmt: skip


def tag_columns(other: str) -> dict[str, list[Any]]:
    lists = [one or [] for one in tagged(other)["tags"]]
    return {"x": features(), **{name: [int(name in one) for one in lists] for name in ("yes", other, "no")}}


def by_an_auditor(trusted: dict[str, list[Any]], batch: dict[str, list[Any]], label: str, **options: Any) -> Any:
    return dqlabels.LabelAuditor(label, **options).fit(pl.DataFrame(trusted)).audit(pl.DataFrame(batch))


AUDITS = {
    "classes": lambda other: dqlabels.audit(pl.DataFrame(labelled(other)), "label"),
    "streamed": lambda other: Sized(Sizes(large_rows=1_000)).audit(pl.LazyFrame(labelled(other, 1_200)), "label"),
    "lists": lambda other: dqlabels.audit(pl.DataFrame(tagged(other)), "tags", task="multilabel"),
    "yes/no columns": lambda other: dqlabels.audit(
        pl.DataFrame(tag_columns(other)), ["yes", other, "no"], task="multilabel"
    ),
    "annotators": lambda other: dqlabels.audit(pl.DataFrame(by_people(other)), ["a", "b", "c"]),
    "annotators, long": lambda other: dqlabels.audit(
        pl.DataFrame(in_long_form(other)), "label", annotator="who", item="item"
    ),
    "batch": lambda other: by_an_auditor(labelled("yes"), labelled(other), "label"),
    "batch of lists": lambda other: by_an_auditor(tagged("yes"), tagged(other), "tags", task="multilabel"),
}


@pytest.mark.parametrize("kind", AUDITS)
@every_spelling
def test_classes_that_look_alike_are_named_and_only_the_frequent_one_is_suggested(kind: str, other: str):
    audit = AUDITS[kind](other)
    (note,) = [one for one in audit.warnings if "looks like" in one]
    assert "looks like 'yes'" in note
    assert "one class written in two ways?" in note
    frame = audit.frame.lazy().collect()
    suggested = frame["suggested_label"].to_list()
    added = [row for row, one in enumerate(suggested) if one == other or (isinstance(one, list) and other in one)]
    given = frame.select(audit.label_columns).rows()
    assert [row for row in added if not stands(other, given[row], audit.label_columns)] == []


def stands(other: str, given: tuple[Any, ...], names: list[str]) -> bool:
    by_column = [name == other and value == 1 for name, value in zip(names, given, strict=True)]
    return other in given or any(by_column) or any(isinstance(one, list) and other in one for one in given)


@every_spelling
def test_rows_without_a_label_are_given_the_frequent_name_by_an_auditor_too(other: str):
    auditor = dqlabels.LabelAuditor("label").fit(pl.DataFrame(labelled(other)))
    batch = pl.DataFrame({"x": features(20), "label": [None] * 18 + ["yes", "no"]})
    assert set(column(auditor.audit(batch).frame, "suggested_label")) == {"yes", "no"}


@pytest.mark.parametrize("other", ["yes ", "Yes", "y\u0435s", "Y\u0395S", "ｙes"])
def test_a_given_name_that_looks_like_the_suggestion_is_no_fault_of_the_row(other: str):
    probs = np.where(np.array(features())[:, None] > 3, [[0.9, 0.04, 0.06]], [[0.1, 0.5, 0.4]])
    names = ["no", other, "yes"]  # the rarer spelling is the likelier
    audit = dqlabels.audit(pl.DataFrame(labelled(other)), "label", pred_probs=probs, classes=names)
    assert other not in audit.frame.filter(pl.col("label").is_null())["suggested_label"]
    assert other not in audit.frame.filter(pl.col("label") != other)["suggested_label"]
    rows = audit.frame.filter(pl.col("label").is_not_null())
    assert (rows["is_label_issue"] == (rows["label"] != rows["suggested_label"])).all()
    assert audit.flagged == rows["is_label_issue"].sum()


def test_words_of_one_script_keep_their_letters_in_a_note():
    from dqlabels.frames.look_alikes import look_alike_notes

    assert look_alike_notes(["нет ", "нет", "да"], np.array([2, 9, 9])) == [
        "'нет␣' (2 rows) looks like 'нет' (9 rows): one class written in two ways?"
    ]
    assert look_alike_notes(["да", "нет", "том", "дом"], np.array([20, 9, 9, 9])) == []
