"""Runs of Great Expectations that its tests share: one context, a suite a call."""

from __future__ import annotations

import importlib
import os
import re
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from support.frames import two_classes

os.environ["GX_ANALYTICS_ENABLED"] = "false"
# Its other names come from here, so that files that use them are skipped where it is not installed.
gx = pytest.importorskip("great_expectations")
pydantic = importlib.import_module("great_expectations.compatibility.pydantic")
Column = importlib.import_module("great_expectations.expectations.row_conditions").Column

_names = (f"run {at}" for at in count())


# What ``x`` says of the class of ``two_classes``: two normals four apart. With them an audit trains no model.
PROBS = {"pred_probs": ["p_no", "p_yes"]}


def noisy(rows: int = 120) -> pd.DataFrame:
    """Two classes with every 20th label wrong: 5%."""
    frame = pd.DataFrame(two_classes(rows))
    frame["p_yes"] = 1 / (1 + np.exp(8 - 4 * frame.x))
    return frame.assign(p_no=1 - frame.p_yes)


def clean(rows: int = 120) -> pd.DataFrame:
    frame = noisy(rows)
    frame["label"] = [("no", "yes")[row % 2] for row in range(rows)]
    return frame


def dirtied(rows: int = 120) -> pd.DataFrame:
    """Every fifth label wrong: 20%."""
    frame = clean(rows)
    wrong = frame.index[frame.index % 5 == 2]
    frame.loc[wrong, "label"] = frame.loc[wrong, "label"].map({"no": "yes", "yes": "no"})
    return frame


def validate(
    frame: Any, *expectations: Any, result_format: Any = "SUMMARY", parameters: dict[str, Any] | None = None
) -> list[Any]:
    """The results of expectations on one batch, in the order of the expectations' types as given."""
    context = gx.get_context(mode="ephemeral")
    source = context.data_sources.add_pandas(next(_names))
    batch = source.add_dataframe_asset("frame").add_batch_definition_whole_dataframe("whole")
    suite = context.suites.add(gx.ExpectationSuite(name=next(_names), expectations=list(expectations)))
    definition = context.validation_definitions.add(gx.ValidationDefinition(name=next(_names), data=batch, suite=suite))
    result = definition.run(
        batch_parameters={"dataframe": frame}, result_format=result_format, expectation_parameters=parameters
    )
    types = [expectation.expectation_type for expectation in expectations]
    return sorted(result.results, key=lambda found: types.index(found.expectation_config.type))


def page_of(
    folder: Path, frame: Any, *expectations: Any, result_format: Any = "SUMMARY", parameters: Any = None
) -> str:
    """The page of a checkpoint's result, made in a folder of its own, as text with tags."""
    context = gx.get_context(mode="file", project_root_dir=str(folder))
    batch = context.data_sources.add_pandas("p").add_dataframe_asset("a").add_batch_definition_whole_dataframe("b")
    suite = context.suites.add(gx.ExpectationSuite(name="labels", expectations=list(expectations)))
    definition = gx.ValidationDefinition(name="labels", data=batch, suite=suite)
    definition = context.validation_definitions.add(definition)
    checkpoint = gx.Checkpoint(
        name="labels",
        validation_definitions=[definition],
        actions=[gx.checkpoint.UpdateDataDocsAction(name="docs")],
        result_format=result_format,
    )
    context.checkpoints.add(checkpoint).run(batch_parameters={"dataframe": frame}, expectation_parameters=parameters)
    (found,) = (folder / "gx" / "uncommitted" / "data_docs" / "local_site" / "validations").rglob("*.html")
    return found.read_text(encoding="utf-8")


def words(page: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())
