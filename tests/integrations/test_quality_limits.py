"""The recommended limits on label quality: each passes on a real table as it is, and fails with a tenth of it wrong."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.frames import ROOT
from support.gx_runs import gx
from support.real_tables import digits, tumours

pytest.importorskip("pandera")
import pandera.pandas as pa
from pandera.errors import SchemaError

import dqlabels
from dqlabels.integrations.great_expectations import ExpectLabelQualityToBeAtLeast, materialised_suite
from dqlabels.integrations.pandera import label_quality_at_least

FLIPPED = 0.10
DATA = ROOT / "examples" / "data"
RECOMMENDED = {"min_value": 0.5, "mostly": 0.95}
# The model disagrees with a quarter of these labels as they are.
OF_A_HARD_TABLE = {"min_value": 0.8, "mostly": 0.93}


@dataclass(frozen=True)
class Real:
    """A real table, the limits for it, and the options of its audit."""

    read: Callable[[], pd.DataFrame]
    label: str
    limits: dict[str, float] = field(default_factory=lambda: RECOMMENDED)
    options: dict[str, Any] = field(default_factory=dict)


PROBABILITIES = {"pred_probs": [f"p{k}" for k in range(10)]}
TABLES = {
    "tumours": Real(lambda: pd.DataFrame(tumours()), "diagnosis"),
    "digits": Real(lambda: pd.DataFrame(digits()).astype({"digit": str}), "digit"),
    "photos": Real(
        lambda: pd.read_parquet(DATA / "cifar10_test_pred_probs.parquet"), "label", RECOMMENDED, PROBABILITIES
    ),
    "loans": Real(lambda: pd.read_csv(DATA / "german_credit.csv"), "risk", OF_A_HARD_TABLE),
}
EACH = pytest.mark.parametrize("name", TABLES)
BOTH = pytest.mark.parametrize("share", [0.0, FLIPPED], ids=["as it is", "flipped"])


@cache
def table(name: str, share: float) -> pd.DataFrame:
    """The table with this share of its labels, drawn at random, changed to another class."""
    frame, label = TABLES[name].read(), TABLES[name].label
    classes, rng = np.unique(frame[label]), np.random.default_rng(0)
    rows = rng.choice(len(frame), round(share * len(frame)), replace=False)
    codes = np.searchsorted(classes, frame[label])
    codes[rows] = (codes[rows] + rng.integers(1, classes.size, rows.size)) % classes.size
    return frame.assign(**{label: classes[codes]})


@cache
def audited(name: str, share: float) -> pd.DataFrame:
    return dqlabels.audit(table(name, share), TABLES[name].label, **TABLES[name].options).frame


def checkpoint_passes(suite: Any, frame: pd.DataFrame) -> bool:
    context = gx.get_context(mode="ephemeral")
    asset = context.data_sources.add_pandas("source").add_dataframe_asset("frame")
    definition = gx.ValidationDefinition(
        name="labels", data=asset.add_batch_definition_whole_dataframe("all"), suite=context.suites.add(suite)
    )
    definition = context.validation_definitions.add(definition)
    checkpoint = context.checkpoints.add(gx.Checkpoint(name="labels", validation_definitions=[definition]))
    result = checkpoint.run(batch_parameters={"dataframe": frame})
    (found,) = result.run_results.values()
    assert not any(one.exception_info["raised_exception"] for one in found.results)
    return bool(result.success)


@EACH
@BOTH
def test_great_expectations_tells_them_apart(name, share):
    real = TABLES[name]
    expectation = ExpectLabelQualityToBeAtLeast(column=real.label, **real.limits, **real.options)
    suite = gx.ExpectationSuite(name="labels", expectations=[expectation])
    assert checkpoint_passes(suite, table(name, share)) is (share == 0)


@EACH
@BOTH
def test_a_materialised_suite_tells_them_apart(name, share):
    limits = TABLES[name].limits
    suite = materialised_suite("labels", min_quality=limits["min_value"], mostly=limits["mostly"])
    assert checkpoint_passes(suite, audited(name, share)) is (share == 0)


@EACH
def test_a_pandera_schema_tells_them_apart(name):
    real = TABLES[name]
    schema = pa.DataFrameSchema(checks=[label_quality_at_least(real.label, **real.limits, **real.options)])
    schema.validate(table(name, 0.0))
    with pytest.raises(SchemaError, match="Quality is the probability that the label is right"):
        schema.validate(table(name, FLIPPED))


@EACH
@BOTH
def test_a_rule_in_sql_tells_them_apart(name, share):
    """What docs/recipes.md writes as a singular test of dbt: the test fails where it selects a row."""
    limits = TABLES[name].limits
    with sqlite3.connect(":memory:") as database:
        audited(name, share)[["label_quality"]].to_sql("audited", database, index=False)
        selected = database.execute(
            "select low from (select avg(case when label_quality < ? then 1.0 else 0.0 end) as low from audited "
            "where label_quality is not null) as shares where low > ?",
            (limits["min_value"], 1 - limits["mostly"]),
        ).fetchall()
    assert bool(selected) is (share > 0)


def test_the_recommended_limits_are_the_defaults():
    check, expectation = label_quality_at_least("risk"), ExpectLabelQualityToBeAtLeast(column="risk")
    assert {name: check.statistics[name] for name in RECOMMENDED} == RECOMMENDED
    assert {name: getattr(expectation, name) for name in RECOMMENDED} == RECOMMENDED
