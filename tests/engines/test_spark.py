"""Spark: the columns that the audit in memory gives, whatever the partitions, and through a lost worker."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from support.frames import ROOT
from support.large_tables import ADDED, table
from support.large_tables import large_prices as prices
from support.sized import Sized

import dqlabels
from dqlabels.audits.spark import audit_on_spark
from dqlabels.errors import FeatureError, LabelColumnError, MissingExtraError, OptionError, OutputColumnError
from dqlabels.frames.reading import read_frame
from dqlabels.models.sizes import BoostingSizes, Sizes

OPTIONS = {"exclude": "row"}
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")


small = Sized(Sizes(large_rows=500, halves=BoostingSizes(trees=6, depth=4)))


def on_spark(frame, label: str, **options):
    """As ``dqlabels.spark.audit``."""
    return audit_on_spark(frame, label, small.options(**options))


def rows() -> pl.DataFrame:
    return table(1_500).with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))


def in_spark(spark, frame: pl.DataFrame):
    return spark.createDataFrame(frame.to_arrow())


def collected(frame) -> pl.DataFrame:
    return pl.from_arrow(frame.toArrow()).sort("row")


@pytest.mark.parametrize("partitions", [3])
def test_every_row_gets_what_it_gets_in_memory_and_streamed(spark, partitions):
    frame = rows()
    found = on_spark(in_spark(spark, frame).repartition(partitions), "label", **OPTIONS)
    assert found.columns == [*frame.columns, *ADDED]
    here = small.audit(frame, "label", **OPTIONS).frame
    assert collected(found).equals(here)
    assert small.columns(frame.lazy(), "label", **OPTIONS).collect().equals(here)


def test_another_rule_and_score_are_the_same_too(spark):
    frame, options = rows(), {**OPTIONS, "filter_by": "both", "score": "self_confidence", "adjust": True}
    found = on_spark(in_spark(spark, frame), "label", **options)
    assert collected(found).equals(small.audit(frame, "label", **options).frame)


def test_grades_get_what_they_get_in_memory(spark):
    frame = rows().with_columns(pl.col("label").replace_strict({"low": 1, "mid": 2, "top": 3}))
    found = on_spark(in_spark(spark, frame).repartition(3), "label", task="ordinal", **OPTIONS)
    assert collected(found).equals(small.audit(frame, "label", task="ordinal", **OPTIONS).frame)


def test_strings_say_no_order_of_grades(spark):
    with pytest.raises(LabelColumnError, match="whose order is not known"):
        on_spark(in_spark(spark, rows()), "label", task="ordinal")


def test_rows_that_repeat_are_sampled_as_in_memory(spark):
    frame = pl.concat([table(500).select("n", "city", "label")] * 4).with_row_index("row")
    frame = frame.with_columns(pl.col("row").cast(pl.Int64))
    found = on_spark(in_spark(spark, frame).repartition(3), "label", **OPTIONS)
    assert collected(found).equals(small.audit(frame, "label", **OPTIONS).frame)


def test_a_small_frame_is_judged_by_the_rule_for_small_tables(spark):
    frame = rows().head(400)
    found = dqlabels.spark.audit(in_spark(spark, frame), "label", **OPTIONS)
    assert collected(found).equals(dqlabels.audit(frame, "label", **OPTIONS).frame)


def test_numbers_get_what_they_get_in_memory_and_streamed(spark):
    frame = prices(1_500).with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
    found = on_spark(in_spark(spark, frame).repartition(3), "price", task="regression", **OPTIONS)
    assert found.columns == [*frame.columns, *ADDED]
    here = small.audit(frame, "price", task="regression", **OPTIONS).frame
    assert collected(found).equals(here)
    assert small.columns(frame.lazy(), "price", task="regression", **OPTIONS).collect().equals(here)


def test_probabilities_in_columns_are_judged_as_in_memory(spark):
    sure = pl.Series("sure", np.random.default_rng(0).uniform(0.02, 0.98, 1_500).astype(np.float32))
    frame = pl.DataFrame({"row": range(1_500), "no": 1 - sure, "yes": sure, "y": pl.Series([True, False] * 750)})
    frame = frame.with_columns(y=pl.when(pl.col("y")).then(pl.lit("yes")).otherwise(pl.lit("no")))
    found = on_spark(in_spark(spark, frame).repartition(3), "y", pred_probs=["no", "yes"])
    assert collected(found).equals(small.audit(frame, "y", pred_probs=["no", "yes"]).frame)


def test_a_column_of_fractions_is_audited_as_numbers_here_too(spark):
    frame = prices(1_500).with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
    with pytest.warns(dqlabels.LabelWarning, match="was audited as numbers"):
        found = on_spark(in_spark(spark, frame), "price", **OPTIONS)
    assert collected(found).equals(small.audit(frame, "price", task="regression", **OPTIONS).frame)


@pytest.mark.parametrize(
    ("label", "options", "error", "message"),
    [
        ("price", {"task": "multilabel"}, OptionError, "task='multilabel' on Spark is not there for"),
        ("city", {"task": "regression"}, LabelColumnError, "'city' holds String"),
        ("price", {"task": "regression", "fdr": 3}, OptionError, "fdr=3 is not a share"),
        ("price", {"task": "regression", "adjust": True}, OptionError, "adjust= belong to audits of classes"),
    ],
)
def test_mistakes_with_numbers_are_named_before_a_job_runs(spark, label, options, error, message):
    with pytest.raises(error, match=message):
        dqlabels.spark.audit(in_spark(spark, prices(600)), label, **options)


def test_a_killed_worker_is_replaced_and_nothing_is_lost(spark, tmp_path):
    frame, killed = rows(), tmp_path / "killed"

    def kill_once(batches):
        for batch in batches:
            if not Path(killed).exists():
                Path(killed).touch()
                os.kill(os.getpid(), signal.SIGKILL)
            yield batch

    source = in_spark(spark, frame)
    found = collected(on_spark(source.mapInArrow(kill_once, source.schema), "label", **OPTIONS))
    assert killed.exists()
    assert found.equals(small.audit(frame, "label", **OPTIONS).frame)


def test_through_connect_a_lost_executor_is_replaced_and_nothing_is_lost(java):
    script = ROOT / "tests/support/spark_cluster.py"
    done = subprocess.run([sys.executable, script], check=False, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["killed"]
    assert said == {"session": "pyspark.sql.connect.session", "killed": said["killed"], "equal": True}


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"label": "y"}, LabelColumnError, "no column 'y'"),
        ({"exclude": "z"}, FeatureError, "no column 'z'"),
        ({"names": ("x", "s", "f")}, OutputColumnError, "'x'"),
        ({"filter_by": "best"}, OptionError, "filter_by='best'"),
    ],
)
def test_mistakes_are_named_before_a_job_runs(spark, options, error, message):
    with pytest.raises(error, match=message):
        dqlabels.spark.audit(in_spark(spark, rows()), options.pop("label", "label"), **options)


def test_a_frame_of_another_library_is_refused():
    pytest.importorskip("pyspark")
    import dqlabels.spark

    with pytest.raises(OptionError, match="pass a Spark DataFrame"):
        dqlabels.spark.audit(rows(), "label")


def test_without_java_the_error_says_how_to_get_it(monkeypatch):
    pytest.importorskip("pyspark")
    import dqlabels.spark

    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(MissingExtraError, match="needs Java 17"):
        dqlabels.spark.local_session()


def test_without_pyspark_the_error_says_how_to_get_it():
    code = (
        "import sys; sys.modules['pyspark'] = None; import dqlabels.spark as s\n"
        "try: s.audit(None, 'y')\n"
        "except dqlabels.DQLabelsError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", "import dqlabels; " + code], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert 'pip install "dqlabels[spark]"' in done.stdout, done.stderr


def test_a_column_without_a_number_has_nothing_to_audit(spark):
    frame = spark.createDataFrame([(1.0, None), (2.0, None)], "x double, y double")
    with pytest.raises(LabelColumnError, match="missing"):
        on_spark(frame, "y")


def test_a_spark_frame_is_not_audited_in_memory(spark):
    with pytest.raises(OptionError, match=r"lazy pyspark.* frame is not audited in memory. Use dqlabels.spark.audit"):
        read_frame(spark.range(3))


def test_a_spark_frame_is_not_turned_into_pandas_for_great_expectations(spark):
    as_gx_dataframe = pytest.importorskip("dqlabels.integrations.great_expectations").as_gx_dataframe
    with pytest.raises(OptionError, match="lazy .* frame is not read here; collect it into pandas first"):
        as_gx_dataframe(spark.range(3))
