"""``drop_invalid_rows=True`` drops the rows that a label check names, whatever names them in the frame, or refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from support.pandera_backends import NEWER, narwhals_backend

pytest.importorskip("pandera")
import pandera.pandas as pa
import pandera.polars as pp

from dqlabels.integrations.pandera import label_quality_at_least, validate
from dqlabels.integrations.pandera.answers import CheckUseError

ROWS, WRONG = 60, [3, 4, 17, 40]


def table() -> dict[str, Any]:
    """Sure probabilities, and labels of which a few are wrong."""
    high = np.arange(ROWS) % 2 == 0
    given = high.copy()
    given[WRONG] = ~given[WRONG]
    return {
        "row": np.arange(ROWS), "y": np.where(given, "high", "low").tolist(),
        "p_high": np.where(high, 0.99, 0.01), "p_low": np.where(high, 0.01, 0.99),
    }  # fmt: skip


def check(**options: Any) -> Any:
    return label_quality_at_least("y", 0.5, pred_probs=["p_high", "p_low"], **options)


def right(rows: Any) -> list[int]:
    return [row for row in rows if row not in WRONG]


def kept(schema: Any, frame: Any) -> list[int]:
    validated = validate(schema, frame, lazy=True)
    assert type(validated) is type(frame)
    return list((validated.collect() if isinstance(validated, pl.LazyFrame) else validated)["row"])


INDEXES = {
    "range": pd.RangeIndex(ROWS),
    "all alike": pd.Index([0] * ROWS),
    "in pairs": pd.Index(np.arange(ROWS) // 2),
    "missing": pd.Index([np.nan, np.nan, *range(2, ROWS)]),
    "of two types": pd.Index([row if row % 2 else str(row) for row in range(ROWS)], dtype=object),
    "moments": pd.date_range("2026-01-01", periods=ROWS, tz="UTC"),
    "levels": pd.MultiIndex.from_product([["a", "b"], range(ROWS // 2)]),
    "levels of moments": pd.MultiIndex.from_product([["a"], pd.date_range("2026-01-01", periods=ROWS)]),
    "levels that repeat": pd.MultiIndex.from_arrays([["a"] * ROWS, np.arange(ROWS) // 2]),
    "levels with missing": pd.MultiIndex.from_arrays([["a"] * ROWS, [np.nan, *range(1, ROWS)]]),
}


@pytest.mark.parametrize("index", INDEXES.values(), ids=INDEXES)
def test_the_rows_that_fail_are_dropped_whatever_the_index(index):
    frame = pd.DataFrame(table(), index=index)
    validated = pa.DataFrameSchema(checks=[check()], drop_invalid_rows=True).validate(frame, lazy=True)
    pd.testing.assert_frame_equal(validated, frame.iloc[right(range(ROWS))])


FRAMES = {"pandas": (pa, pd.DataFrame), "polars": (pp, pl.DataFrame), "polars lazy": (pp, pl.LazyFrame)}
every_frame = pytest.mark.parametrize(("module", "make"), FRAMES.values(), ids=FRAMES)


@every_frame
@pytest.mark.parametrize("options", [{}, {"n_failure_cases": 1}], ids=["all", "one listed"])
def test_rows_are_dropped_whether_listed_or_not(module, make, options):
    schema = module.DataFrameSchema(checks=[check(**options)], drop_invalid_rows=True)
    assert kept(schema, make(table())) == right(range(ROWS))


@every_frame
def test_rows_that_fail_another_check_are_dropped_too(module, make):
    late = {"row": module.Column(checks=module.Check.lt(50))}
    schema = module.DataFrameSchema(late, checks=[check()], drop_invalid_rows=True)
    assert kept(schema, make(table())) == right(range(50))


@every_frame
@pytest.mark.parametrize("part", [{"head": 30}, {"tail": 30}, {"sample": ROWS}], ids=["head", "tail", "sample"])
def test_a_part_of_the_rows_is_refused(module, make, part):
    schema = module.DataFrameSchema(checks=[check()], drop_invalid_rows=True)
    with pytest.raises(CheckUseError, match=f"with {next(iter(part))}=.*Validate the whole frame"):
        schema.validate(make(table()), lazy=True, **part)


def test_another_check_that_fails_on_an_index_that_repeats_is_refused():
    late = {"row": pa.Column(checks=pa.Check.lt(50))}
    schema = pa.DataFrameSchema(late, checks=[check()], drop_invalid_rows=True)
    with pytest.raises(CheckUseError, match=r"less_than.*reset_index"):
        schema.validate(pd.DataFrame(table(), index=INDEXES["all alike"]), lazy=True)


@pytest.mark.skipif(not NEWER, reason="an older pandera, which drops no rows for a column")
@pytest.mark.parametrize("make", [pl.DataFrame, pl.LazyFrame])
def test_rows_that_a_column_has_dropped_before_are_refused(make):
    late = {"row": pp.Column(checks=pp.Check.lt(50), drop_invalid_rows=True)}
    with pytest.raises(CheckUseError, match="judged 60 rows, of which 50 are left"):
        validate(pp.DataFrameSchema(late, checks=[check()], drop_invalid_rows=True), make(table()), lazy=True)


@pytest.mark.skipif(not NEWER, reason="an older pandera")
def test_the_narwhals_back_end_drops_the_same_rows():
    done = narwhals_backend(
        """
import pandas as pd, polars as pl, pandera.pandas as pa, pandera.polars as pp
from dqlabels.integrations.pandera import label_quality_at_least, validate

table = {"y": ["b", "b", *["a", "b"] * 29], "p_a": [0.99, 0.01] * 30, "p_b": [0.01, 0.99] * 30}
check = label_quality_at_least("y", 0.5, mostly=1.0, pred_probs=["p_a", "p_b"])
repeats = pd.DataFrame(table, index=[0] * 60)
for module, frame in ((pa, repeats), (pp, pl.DataFrame(table)), (pp, pl.LazyFrame(table))):
    schema = module.DataFrameSchema(checks=[check], drop_invalid_rows=True)
    dropped = validate(schema, frame, lazy=True)
    dropped = dropped.collect() if isinstance(dropped, pl.LazyFrame) else dropped
    print(len(dropped), list(dropped["y"])[:2], ",".join(dropped.columns))
"""
    )
    assert done.stdout.splitlines() == ["59 ['b', 'a'] y,p_a,p_b"] * 3, done.stderr
