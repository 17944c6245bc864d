"""Great Expectations where the rows lie in a database: audited in flight up to a bound, or gated by written columns."""

from __future__ import annotations

import importlib.util

import pytest
from support.gx_runs import PROBS, Column, dirtied, gx, noisy

import dqlabels
from dqlabels.integrations.great_expectations import ExpectLabelNoiseRateToBeAtMost, materialised_suite
from dqlabels.integrations.great_expectations.metric import METRICS, outcome_in_database

sqlalchemy = pytest.importorskip("sqlalchemy")
NAMED = {"result_format": "COMPLETE", "unexpected_index_column_names": ["id"]}


@pytest.fixture(params=["sqlite", "duckdb"])
def address(request, tmp_path):
    if request.param == "duckdb" and importlib.util.find_spec("duckdb_engine") is None:
        pytest.skip("duckdb-engine is not installed")
    return f"{request.param}:///{tmp_path / 'labels.db'}"


@pytest.fixture
def context():
    return gx.get_context(mode="ephemeral")


@pytest.fixture
def written(address, context):
    """A function that puts a frame into a table of the database, and gives the batch of it or of a query."""

    def write(frame, query=None):
        engine = sqlalchemy.create_engine(address)
        frame.to_sql("loans", engine, index=False)
        engine.dispose()
        add = context.data_sources.add_sqlite if address.startswith("sqlite") else context.data_sources.add_sql
        source = add("database", connection_string=address)
        asset = source.add_query_asset("asset", query) if query else source.add_table_asset("asset", table_name="loans")
        return asset.add_batch_definition_whole_table("whole")

    return write


def rate(max_value=0.5, **options):
    return ExpectLabelNoiseRateToBeAtMost(column="label", max_value=max_value, **PROBS, **options)


def identified(frame):
    return frame.assign(id=[f"row {at}" for at in range(len(frame))])


@pytest.fixture
def checkpoint(context):
    """A function that runs a checkpoint of one expectation, and gives its result with the rows by their id."""

    def run(batch, expectation):
        suite = context.suites.add(gx.ExpectationSuite(name="labels", expectations=[expectation]))
        definition = gx.ValidationDefinition(name="labels", data=batch, suite=suite)
        definitions = [context.validation_definitions.add(definition)]
        nightly = gx.Checkpoint(name="nightly", validation_definitions=definitions, result_format=NAMED)
        ((result,),) = (one.results for one in context.checkpoints.add(nightly).run().run_results.values())
        return result

    return run


def named(result):
    return [row["id"] for row in result.result["unexpected_index_list"]]


def expected(frame):
    return [str(name) for name in dqlabels.audit(frame, "label", **PROBS).issues["id"]]


def test_a_checkpoint_audits_a_table_of_a_database(written, checkpoint):
    frame = identified(noisy())
    result = checkpoint(written(frame), rate())
    assert result.success is True
    assert named(result) == expected(frame) != []


def test_a_checkpoint_audits_the_result_of_a_query(written, checkpoint):
    frame = identified(noisy())
    result = checkpoint(written(frame, "select * from loans where x > 1"), rate())
    assert named(result) == expected(frame[frame.x > 1].reset_index(drop=True)) != []


def test_a_row_condition_chooses_the_rows_in_the_database(written, checkpoint):
    frame = identified(noisy())
    result = checkpoint(written(frame), rate(row_condition=Column("x") > 1))
    assert named(result) == expected(frame[frame.x > 1].reset_index(drop=True)) != []


def test_a_noisy_table_fails_in_a_database_too(written, checkpoint):
    result = checkpoint(written(identified(dirtied())), rate(0.01))
    assert result.success is False
    assert result.exception_info["raised_exception"] is False


def test_a_query_without_rows_is_an_exception_and_no_success(written, checkpoint):
    result = checkpoint(written(identified(noisy()), "select * from loans where x > 1e9"), rate())
    assert result.success is False
    assert "no rows" in result.exception_info["exception_message"]


@pytest.fixture
def connection(tmp_path):
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'bound.db'}")
    noisy().to_sql("loans", engine, index=False)
    with engine.connect() as open_connection:
        yield open_connection
    engine.dispose()


def in_database(connection, text, **bound):
    asked = {"column": "label", **PROBS}
    return outcome_in_database(connection, sqlalchemy.text(text).columns().subquery(), "label", asked, **bound)


def test_more_rows_than_are_read_are_refused_with_the_ways_out(connection):
    with pytest.raises(dqlabels.DQLabelsError, match=r"more than 119 rows in a database .* materialised_suite\(\)"):
        _ = in_database(connection, "select * from loans", max_rows=119).audit
    assert in_database(connection, "select * from loans", max_rows=120).audit.rows == 120


def test_a_query_that_fails_midway_is_named(connection):
    failing = "select *, json_extract(case when x > 3 then 'no json' else '1' end, '$') as j from loans"
    with pytest.raises(dqlabels.DQLabelsError, match="could not read the batch: .*malformed JSON"):
        _ = in_database(connection, failing).audit


@pytest.mark.parametrize("address", ["sqlite"], indirect=True)  # on DuckDB its own expectations fail: it reads too late
@pytest.mark.parametrize(("make", "success"), [(noisy, True), (dirtied, False)])
def test_the_columns_are_gated_in_a_database(written, make, success):
    batch = written(dqlabels.audit(make(), "label", **PROBS).frame).get_batch()
    assert batch.validate(materialised_suite("labels", max_flagged_share=0.1)).success is success


def test_spark_is_refused_by_name_with_the_way_out():
    with pytest.raises(dqlabels.DQLabelsError, match=r"labels of a Spark frame .* materialised_suite\(\)"):
        _ = METRICS["label"]._spark(METRICS["label"]).audit
