"""Text that other libraries cannot hold: an error that names the column, from every entry, and never a panic."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from support.frames import two_classes

import dqlabels
from dqlabels import DQLabelsError, LabelAuditor
from dqlabels.errors import FeatureError

HALF = "\ud83d"
ENTRIES = {
    "audit": lambda frame: dqlabels.audit(frame, "label"),
    "fit": lambda frame: LabelAuditor("label").fit(frame),
    "tags": lambda frame: dqlabels.audit(frame, "tags"),
    "values": lambda frame: dqlabels.audit(frame, "x", task="regression"),
}


def frame_with(bad: str, name: str) -> pd.DataFrame:
    """A frame of Python strings; row 5 of one column holds ``bad``, alone or in a list, or all its categories do."""
    data = two_classes()
    label = data["label"]
    data |= {"kind": ["a", "b", "c"] * 40, "text": [f"some words {at % 7} of {at}" for at in range(120)]}
    data |= {"tags": [[value] for value in label], "unused": ["u"] * 120}
    frame = pd.DataFrame({key: pd.Series(values, dtype=object) for key, values in data.items()})
    frame = frame.astype({"x": float, "z": float})
    frame.at[5, name] = [bad] if name == "tags" else f"{frame.at[5, name]}{bad}"
    return frame


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("name", ["label", "kind", "text", "tags", "unused"])
def test_half_of_a_character_is_refused_by_the_name_of_its_column(entry, name):
    with pytest.raises(FeatureError, match=rf"Column '{name}', row 5: .* holds half of a character"):
        ENTRIES[entry](frame_with(HALF, name))


def test_half_of_a_character_in_a_category_is_refused():
    frame = frame_with(HALF, "kind")
    categories = pd.Index(["a", HALF], dtype=object)
    frame["kind"] = pd.Categorical.from_codes([0, 1] * 60, categories=categories)
    with pytest.raises(FeatureError, match="Column 'kind', category 1"):
        dqlabels.audit(frame, "label")


def test_the_way_out_that_the_message_gives_leads_out():
    frame = frame_with(HALF, "text")
    frame["text"] = frame["text"].map(
        lambda text: text.encode("utf-8", "replace").decode() if isinstance(text, str) else text
    )
    assert dqlabels.audit(frame.drop(columns="tags"), "label").audited == 120


@pytest.mark.parametrize("name", ["label", "kind", "text", "tags", "unused"])
@pytest.mark.filterwarnings("ignore")
def test_whole_characters_and_nul_in_values_are_text(name):
    frame = frame_with("\U0001f600\x00é", name)
    if name == "label":
        frame["label"] = np.where(frame["label"] == "no", "no\x00", "yes\U0001f600").astype(object)
    audit = dqlabels.audit(frame.drop(columns="tags"), "label")
    assert "</html>" in audit.to_html()


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pl.LazyFrame, pa.table])
@pytest.mark.parametrize("name", ["x", "z", "label"])
def test_a_name_with_nul_is_refused_before_a_library_panics(make, name):
    data = two_classes()
    data[name + "\0"] = data.pop(name)
    with pytest.raises(DQLabelsError, match=rf"Column names hold NUL .*'{name}\\x00'"):
        dqlabels.audit(make(data), "label\0" if name == "label" else "label")


def test_a_name_with_half_of_a_character_is_refused():
    frame = pd.DataFrame(two_classes())
    frame.columns = pd.Index(["x", HALF, "label"], dtype=object)
    with pytest.raises(FeatureError, match="half of a character"):
        dqlabels.audit(frame, "label")
