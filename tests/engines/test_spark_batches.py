"""Batches that an auditor judges on Spark: the columns that it gives in memory, to the last bit."""

from __future__ import annotations

import pandas as pd
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression
from support.large_tables import ADDED, table

import dqlabels
from dqlabels import LabelAuditor, LabelMonitor
from dqlabels.errors import FeatureError, LabelColumnError, OptionError, OutputColumnError

NOTES = "trusted table|model disagrees|not fitted on|copy rows|shares of the classes"
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings(f"ignore:.*({NOTES}):dqlabels.errors.LabelWarning"),
]
KINDS = {
    "forest": {},
    "thresholds": {"filter_by": "both", "score": "self_confidence", "adjust": True},
    "estimator": {"model": LogisticRegression(), "features": ["n"]},
}


def rows(number: int = 600) -> pl.DataFrame:
    return table(number).with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))


@pytest.fixture(scope="module", params=list(KINDS))
def auditor(request: pytest.FixtureRequest) -> LabelAuditor:
    return fitted_auditor(**KINDS[request.param])


def fitted_auditor(**options) -> LabelAuditor:
    options = options if "features" in options else {**options, "exclude": "row"}
    return LabelAuditor("label", **options).fit(rows().head(400))


def in_spark(spark, frame: pl.DataFrame):
    return spark.createDataFrame(frame.to_arrow())


def collected(frame) -> pl.DataFrame:
    return pl.from_arrow(frame.toArrow()).sort("row")


def batch() -> pl.DataFrame:
    """Rows the auditor knows and others, with a missing label and a class that it does not know."""
    label = pl.when(pl.col("row") == 450).then(None).when(pl.col("row") == 451).then(pl.lit("new"))
    return rows().tail(300).with_columns(label=label.otherwise(pl.col("label").cast(pl.String)))


def test_every_row_gets_what_it_gets_in_memory(spark, auditor):
    found = auditor.audit(in_spark(spark, batch()).repartition(3))
    assert found.columns == [*batch().columns, *ADDED]
    assert collected(found).equals(auditor.audit(batch()).frame)


def test_every_row_gets_what_it_gets_in_pandas(spark):
    auditor = fitted_auditor()
    frame = batch().to_pandas()
    here = auditor.audit(frame).frame
    found = collected(auditor.audit(in_spark(spark, batch()))).to_pandas()
    for name in ADDED[:2]:
        pd.testing.assert_series_equal(found[name], here[name], check_exact=True, check_dtype=False)


def test_a_saved_auditor_is_named_by_its_path(spark, tmp_path):
    fitted_auditor().save(tmp_path / "label.dqlabels")
    found = dqlabels.spark.audit(in_spark(spark, batch()), auditor=str(tmp_path / "label.dqlabels"))
    assert collected(found).equals(fitted_auditor().audit(batch()).frame)


def test_a_batch_of_one_class_is_judged(spark):
    frame = batch().with_columns(label=pl.lit("mid"))
    auditor = fitted_auditor()
    assert collected(auditor.audit(in_spark(spark, frame))).equals(auditor.audit(frame).frame)


def test_new_classes_are_named(spark):
    with pytest.warns(dqlabels.LabelWarning, match=r"not fitted on: 'new' \(1 row\)"):
        fitted_auditor().audit(in_spark(spark, batch()))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"label": "city"}, OptionError, "label='city' is not the column that the auditor judges, which is 'label'"),
        ({"features": ["n"]}, OptionError, "features= together with auditor=: settled"),
    ],
)
def test_what_the_auditor_settled_is_refused(spark, options, error, message):
    with pytest.raises(error, match=message):
        dqlabels.spark.audit(in_spark(spark, batch()), auditor=fitted_auditor(), **options)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda frame: frame.drop("n"), FeatureError, "lacks 1 of"),
        (lambda frame: frame.with_columns(label_quality=pl.lit(1.0)), OutputColumnError, "already in the frame"),
        (lambda frame: frame.with_columns(label=pl.lit("new")), LabelColumnError, "no label of the batch is one of"),
    ],
)
def test_what_cannot_be_judged_is_named_before_a_worker_runs(spark, change, error, message):
    with pytest.raises(error, match=message):
        fitted_auditor().audit(in_spark(spark, change(batch())))


def test_new_classes_may_be_refused(spark):
    with pytest.raises(LabelColumnError, match="holds 'new', which the auditor was not fitted on"):
        fitted_auditor().audit(in_spark(spark, batch()), new_classes="error")


def test_without_an_auditor_the_label_must_be_named(spark):
    with pytest.raises(OptionError, match="Only an auditor= knows its own"):
        dqlabels.spark.audit(in_spark(spark, batch()))


def test_grades_get_what_they_get_in_memory(spark):
    graded = rows().with_columns(pl.col("label").replace_strict({"low": 1, "mid": 2, "top": 3}))
    auditor = LabelAuditor("label", task="ordinal", exclude="row").fit(graded.head(400))
    found = auditor.audit(in_spark(spark, graded.tail(300)).repartition(3))
    assert collected(found).equals(auditor.audit(graded.tail(300)).frame)


def test_a_spark_frame_is_not_watched_by_a_monitor(spark, tmp_path):
    auditor = fitted_auditor()
    with pytest.raises(OptionError, match="is judged on its workers, for its columns alone"):
        LabelMonitor(auditor, history=tmp_path / "h").check(spark.createDataFrame(rows().to_arrow()))


def test_a_stream_is_judged_batch_by_batch_as_in_memory(spark, tmp_path):
    auditor, parts = fitted_auditor(), [batch()[first : first + 100] for first in (0, 100, 200)]
    incoming, audited = tmp_path / "incoming", tmp_path / "audited"
    incoming.mkdir()
    for number, part in enumerate([*parts, batch().clear()]):
        part.to_pandas().to_parquet(incoming / f"{number}.parquet")
    numbers = []

    def audit(frame, number):
        if not frame.isEmpty():
            numbers.append(number)
            auditor.audit(frame).write.mode("overwrite").parquet(str(audited / f"batch={number}"))

    schema = spark.read.parquet(str(incoming / "0.parquet")).schema
    stream = spark.readStream.schema(schema).option("maxFilesPerTrigger", 1).parquet(str(incoming))
    with pytest.raises(OptionError, match="is a stream.*foreachBatch"):
        auditor.audit(stream)
    writer = stream.writeStream.foreachBatch(audit).option("checkpointLocation", str(tmp_path / "state"))
    writer.trigger(availableNow=True).start().awaitTermination()
    assert len(numbers) == len(parts)
    found = {
        str(part["row"].to_list()): part
        for part in (collected(spark.read.parquet(str(at))) for at in audited.iterdir())
    }
    for part in parts:
        assert found[str(part["row"].to_list())].equals(auditor.audit(part).frame)
