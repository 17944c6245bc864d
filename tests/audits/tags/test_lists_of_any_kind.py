"""A list of labels is one whatever holds it: a list, a tuple, a set, or what a Parquet file makes of it."""

from __future__ import annotations

import io
import json

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.frames import column

import dqlabels
from dqlabels.errors import LabelColumnError

ROWS = 90
RNG = np.random.default_rng(0)
HAS = RNG.random((ROWS, 2)) < 0.5
X = HAS * 4 + RNG.normal(size=(ROWS, 2))
WRONG = np.isin(np.arange(ROWS), [5, 30, 61])
PROBS = np.where(HAS, 0.95, 0.05)
GIVEN = HAS ^ (WRONG[:, None] & [True, False])


def lists(words: tuple[object, object]) -> list[list[object] | None]:
    found: list[list[object] | None] = [[word for word, has in zip(words, row, strict=True) if has] for row in GIVEN]
    found[0] = []
    return found


def frame(words: tuple[object, object]) -> pd.DataFrame:
    return pd.DataFrame({"x": X[:, 0], "z": X[:, 1], "tags": lists(words)})


def through_parquet(table: pd.DataFrame) -> pd.DataFrame:
    file = io.BytesIO()
    table.to_parquet(file)
    return pd.read_parquet(io.BytesIO(file.getvalue()))


WAYS = {
    "parquet": through_parquet,
    "tuples": lambda table: table.assign(tags=table["tags"].map(tuple)),
    "sets": lambda table: table.assign(tags=table["tags"].map(frozenset)),
    "arrays": lambda table: table.assign(tags=table["tags"].map(np.array)),
    "arrow dtype": lambda table: pa.Table.from_pandas(table).to_pandas(types_mapper=pd.ArrowDtype),
    "arrow": lambda table: pa.Table.from_pandas(table),
    "polars": pl.from_pandas,
    "arrow through parquet": lambda table: pq.read_table(io.BytesIO(table.to_parquet())),
}


@pytest.mark.parametrize("words", [("cat", "dog"), (3, 7)])
@pytest.mark.parametrize("way", list(WAYS))
def test_the_flags_are_those_of_plain_lists(words, way):
    expected = dqlabels.audit(frame(words), "tags", pred_probs=PROBS, classes=words)
    assert {5, 30, 61} & set(np.flatnonzero(expected.frame["is_label_issue"]))
    audit = dqlabels.audit(WAYS[way](frame(words)), "tags", pred_probs=PROBS, classes=words)
    assert isinstance(audit, dqlabels.MultilabelAudit)
    assert column(audit.frame, "is_label_issue") == column(expected.frame, "is_label_issue")
    assert json.loads(json.dumps(audit.to_dict(), allow_nan=False))["flagged"] == expected.flagged
    assert audit._repr_html_()


def test_arrays_of_fractions_are_embeddings_and_no_labels():
    table = pd.DataFrame({"x": X[:, 0], "y": list(X)})
    with pytest.raises(dqlabels.DQLabelsError, match="cannot be compared"):
        dqlabels.audit(through_parquet(table), "y")


def test_a_model_is_trained_on_lists_that_went_through_parquet():
    straight, back = (
        dqlabels.audit(table, "tags") for table in (frame(("a", "b")), through_parquet(frame(("a", "b"))))
    )
    assert column(straight.frame, "is_label_issue") == column(back.frame, "is_label_issue")


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA, pd.NaT], ids=["None", "NaN", "NA", "NaT"])
def test_a_row_without_a_list_is_missing_whatever_stands_there(missing):
    table = frame(("a", "b"))
    table.at[3, "tags"] = missing
    audit = dqlabels.audit(table, "tags", pred_probs=PROBS, classes=["a", "b"])
    assert audit.missing == 1
    assert np.isnan(audit.frame["label_quality"][3])


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA, pd.NaT], ids=["None", "NaN", "NA", "NaT"])
def test_a_missing_label_in_a_list_is_refused_whatever_stands_there(missing):
    table = frame(("a", "b"))
    table.at[3, "tags"] = ["a", missing]
    with pytest.raises(LabelColumnError, match="the list in row 3 holds a missing label"):
        dqlabels.audit(table, "tags", pred_probs=PROBS, classes=["a", "b"])
