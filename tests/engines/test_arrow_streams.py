"""Tables that hand out an Arrow stream, of the real libraries: read once, in order, and given back as they are."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from support.sized import Sized

import dqlabels
from dqlabels.errors import DQLabelsError, LabelColumnError, OptionError, OutputColumnError
from dqlabels.frames import arrow
from dqlabels.models.sizes import BoostingSizes, Sizes

pa = pytest.importorskip("pyarrow")
pytestmark = [
    pytest.mark.skipif(
        not hasattr(pl.LazyFrame, "collect_batches"),
        reason="Polars before 1.34 hands out no batches, so nothing streams",
    ),
    pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning"),  # Ibis 12 calls it of DuckDB 2
]
JUDGED = {"features": ["x", "place", "paid"]}
ROWS = 1_600
SIZES = {"memory": Sizes(), "passes": Sizes(large_rows=500, block_rows=400, halves=BoostingSizes(trees=4, depth=3))}


def table() -> pa.Table:
    rng = np.random.default_rng(0)
    high = rng.random(ROWS) < 0.5
    return pa.table(
        {
            "row": np.arange(ROWS),
            "x": rng.normal(size=ROWS) + 3 * high,
            "place": pa.array(np.where(rng.random(ROWS) < 0.3, "far", "near")).dictionary_encode(),
            "paid": pa.array([None if at % 9 == 0 else at for at in range(ROWS)], pa.decimal128(12, 2)),
            "y": pa.array(np.where(high ^ (rng.random(ROWS) < 0.03), "high", "low"), pa.large_string()),
        }
    )


def duckdb_relation():
    duckdb = pytest.importorskip("duckdb")
    return duckdb.from_arrow(table())


def ibis_table():
    return pytest.importorskip("ibis").memtable(table())


def dataset():
    import pyarrow.dataset

    return pyarrow.dataset.dataset(table())


class Loans(pd.DataFrame):
    """A frame of pandas by another name, which hands out a stream as all of them do."""

    @property
    def _constructor(self):
        return Loans


def test_a_subclass_of_a_frame_is_a_frame():
    assert arrow.arrow_source(Loans({"x": [1, 2]})) is None


class Capsule:
    """A frame of a library nobody knows, which hands out a stream and nothing else."""

    def __arrow_c_stream__(self, requested_schema=None):
        return table().__arrow_c_stream__(requested_schema)


SOURCES = {
    "duckdb": duckdb_relation,
    "ibis": ibis_table,
    "reader": lambda: table().to_reader(max_chunksize=300),
    "dataset": dataset,
    "scanner": lambda: dataset().scanner(),
    "batch": lambda: table().combine_chunks().to_batches()[0],
    "capsule": Capsule,
}
KINDS = {"duckdb": "DuckDBPyRelation", "ibis": "Table"}


def as_table(frame):
    return pa.RecordBatchReader.from_stream(frame).read_all()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("source", SOURCES)
def test_a_source_comes_back_as_its_own_kind_with_the_columns_of_the_audit(source, size):
    sized = Sized(SIZES[size])
    audit = sized.audit(SOURCES[source](), "y", **JUDGED)
    assert type(audit.frame).__name__ == KINDS.get(source, "RecordBatchReader")
    found = as_table(audit.frame)
    expected = sized.audit(table(), "y", **JUDGED).frame
    assert found["row"].to_pylist() == list(range(ROWS))
    for name in ("label_quality", "suggested_label", "is_label_issue"):
        assert found[name].to_pylist() == expected[name].to_pylist()


@pytest.mark.parametrize("size", SIZES)
def test_the_columns_of_a_reader_keep_their_types(size):
    found = Sized(SIZES[size]).audit(table().to_reader(), "y", **JUDGED).frame
    assert [field.type for field in found.schema][:5] == [field.type for field in table().schema]
    assert found.schema.field("suggested_label").type == pa.large_string()


def test_the_rows_of_a_relation_can_be_read_again():
    relation = Sized(SIZES["passes"]).audit(duckdb_relation(), "y", **JUDGED).frame
    first, second = (relation.filter("is_label_issue").aggregate("count(*)").fetchall() for _ in range(2))
    assert first == second
    assert first[0][0] > 0


def test_what_is_worst_is_listed_in_passes():
    audit = Sized(SIZES["passes"]).audit(duckdb_relation(), "y", **JUDGED)
    assert isinstance(audit, dqlabels.StreamedAudit)
    assert audit.issues["label_quality"].is_sorted()


def test_the_result_of_a_query_is_audited():
    duckdb = pytest.importorskip("duckdb")
    loans = table()  # found by its name
    assert loans.num_rows
    audit = dqlabels.audit(duckdb.sql("select x, y from loans where row < 400"), "y")
    assert audit.frame.columns == ["x", "y", "label_quality", "suggested_label", "is_label_issue"]


def test_a_stream_that_fails_midway_is_named_and_leaves_nothing():
    def batches():
        yield from table().to_batches(max_chunksize=700)[:2]
        raise RuntimeError("the server went away")

    before = set(_files())
    reader = pa.RecordBatchReader.from_batches(table().schema, batches())
    with pytest.raises(OptionError, match="A pyarrow RecordBatchReader could not be read to its end: .*server went"):
        Sized(SIZES["passes"]).audit(reader, "y")
    assert set(_files()) == before


@pytest.mark.parametrize("source", ["duckdb", "reader"])
def test_an_audit_that_fails_in_the_passes_leaves_nothing(source):
    before = set(_files())
    with pytest.raises(OptionError, match="Write one column for each class first"):
        Sized(SIZES["passes"]).audit(SOURCES[source](), "y", pred_probs=[["x", "paid"], ["paid", "x"]])
    assert set(_files()) == before


def test_the_copy_of_the_rows_goes_with_the_audit_and_the_answer_with_its_reader():
    before = set(_files())
    audit = Sized(SIZES["passes"]).audit(table().to_reader(), "y", **JUDGED)
    assert audit.issues.height
    reader = audit.frame
    del audit
    gc.collect()
    assert len(set(_files()) - before) == 1
    assert reader.read_all().num_rows == ROWS
    del reader
    gc.collect()
    assert set(_files()) == before


def test_a_query_on_the_answer_may_outlive_the_audit():
    audit = Sized(SIZES["passes"]).audit(duckdb_relation(), "y", **JUDGED)
    counted = audit.frame.filter("is_label_issue").aggregate("count(*)")
    del audit
    gc.collect()
    assert counted.fetchall()[0][0] > 0


@pytest.mark.parametrize("size", SIZES)
def test_rows_in_another_order_have_the_same_answers_by_their_key(size):
    """A database may give its rows in any order, so answers are joined back by a key that the table has."""
    duckdb = pytest.importorskip("duckdb")
    first, second = table(), table().take(np.random.default_rng(1).permutation(ROWS))
    audited = [Sized(SIZES[size]).audit(duckdb.from_arrow(one), "y", **JUDGED).frame for one in (first, second)]
    one, other = (frame.select("row, label_quality, suggested_label").order("row").fetchall() for frame in audited)
    assert one == other


def _files():
    return [path for folder in arrow._FOLDERS for path in Path(folder).iterdir()]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("label", "more", "error"), [("z", {}, LabelColumnError), ("y", {"label_quality": 0.0}, OutputColumnError)]
)
def test_mistakes_are_named_as_for_any_frame(size, label, more, error):
    given = table()
    for name, value in more.items():
        given = given.append_column(name, pa.array([value] * ROWS))
    with pytest.raises(DQLabelsError) as caught:
        Sized(SIZES[size]).audit(given.to_reader(), label)
    assert isinstance(caught.value, error)


def test_an_empty_stream_is_refused():
    with pytest.raises(LabelColumnError):
        dqlabels.audit(table().slice(0, 0).to_reader(), "y")


def test_an_auditor_says_what_to_pass_for_a_relation():
    auditor = dqlabels.LabelAuditor("y", **JUDGED).fit(table())
    with pytest.raises(OptionError, match=r"Pass relation.pl\(\)"):
        auditor.audit(duckdb_relation())


def test_a_dask_frame_is_refused_with_the_way_that_works():
    dask = pytest.importorskip("dask.dataframe")
    frame = dask.from_pandas(table().to_pandas(), npartitions=2)
    with pytest.raises(OptionError, match=r"Pass frame.compute\(\)"):
        dqlabels.audit(frame, "y")
    assert dqlabels.audit(frame.compute(), "y", **JUDGED).rows == ROWS


# Stood in for: Modin and pandas on Spark ask for pandas 2, and were run by hand; cuDF asks for a GPU.
@pytest.mark.parametrize(
    ("module", "advice"),
    [
        ("modin.pandas", r"Pass frame.modin.to_pandas\(\)"),
        ("cudf", r"Pass frame.to_pandas\(\) or frame.to_arrow\(\)"),
        ("pyspark.pandas.frame", r"Use dqlabels.spark.audit\(frame.to_spark\(\), label\)"),
    ],
)
def test_a_frame_of_another_library_is_refused_with_the_way_that_works(module, advice):
    frame = type("DataFrame", (), {"__module__": module, "columns": pd.Index(["x", "y"])})()
    with pytest.raises(OptionError, match=advice):
        dqlabels.audit(frame, "y")
