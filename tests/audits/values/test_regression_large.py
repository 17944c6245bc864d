"""Numbers in tables larger than memory: the same columns in memory and streamed, whatever the blocks."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from support import command
from support.large_tables import ADDED
from support.large_tables import large_prices as table
from support.sized import Sized

from dqlabels import LabelWarning
from dqlabels.errors import DQLabelsError, FeatureError, LabelColumnError, OptionError
from dqlabels.frames.targets import AmountTally
from dqlabels.models.sizes import Sizes

streams = pytest.mark.skipif(
    not hasattr(pl.LazyFrame, "collect_batches"), reason="Polars before 1.34 hands out no batches, so nothing streams"
)
ROWS = 3_000
# What holds beyond 200,000 rows is tested with a few thousand.
SMALL = Sizes(large_rows=1_000, block_rows=700, read_rows=512)
small = Sized(SMALL)


def audited(frame: Any, **options: Any) -> pl.DataFrame:
    return small.columns(frame, "price", task="regression", **options).lazy().collect()


@streams
@pytest.mark.parametrize("options", [{}, {"fdr": 0.3}, {"random_state": 3, "n_jobs": 1, "exclude": "n"}])
def test_a_streamed_table_gets_the_columns_that_it_gets_in_memory(options):
    frame = table()
    assert audited(frame.lazy(), **options).equals(audited(frame, **options))


@streams
@pytest.mark.parametrize("rows", [100, 333, 3_000])
def test_the_size_of_the_blocks_changes_nothing(rows):
    other = Sized(replace(SMALL, read_rows=rows, block_rows=rows + 1))
    for frame in (table(), table().lazy()):
        assert other.columns(frame, "price", task="regression").lazy().collect().equals(audited(table()))


@streams
def test_the_order_of_the_rows_and_the_threads_change_nothing():
    frame = table()
    order = np.random.default_rng(1).permutation(len(frame))
    assert audited(frame[order].lazy(), n_jobs=5).equals(audited(frame, n_jobs=1)[order])


@streams
def test_pandas_gets_the_same_answer():
    frame = table()
    found = small.audit(frame.to_pandas(), "price", task="regression").frame["label_quality"]
    streamed = audited(frame.lazy())["label_quality"].fill_null(np.nan).to_numpy()
    assert np.array_equal(found.to_numpy(float, na_value=np.nan), streamed, equal_nan=True)


@streams
def test_planted_errors_are_flagged_and_repaired():
    frame = table()
    found = audited(frame.lazy())
    wrong = np.flatnonzero((np.arange(ROWS) % 100 == 7) & frame["price"].is_not_null().to_numpy())
    assert found["is_label_issue"][wrong.tolist()].all()
    repaired = found["suggested_label"][wrong.tolist()].to_numpy()
    assert np.abs(repaired - frame["price"][wrong.tolist()].to_numpy() / 10).max() < 25


@streams
@pytest.mark.parametrize("kind", ["int", "date", "datetime", "duration"])
def test_every_amount_streams_in_its_own_type(kind):
    day = dt.datetime(2020, 1, 1)
    made = {
        "int": lambda v: round(v),
        "date": lambda v: (day + dt.timedelta(days=round(v))).date(),
        "datetime": lambda v: day + dt.timedelta(hours=v),
        "duration": lambda v: dt.timedelta(hours=v),
    }[kind]
    values = [None if v is None else made(v) for v in table()["price"].to_list()]
    frame = table().with_columns(price=pl.Series(values))
    found = audited(frame.lazy())
    assert found.equals(audited(frame))
    assert found["suggested_label"].dtype == frame["price"].dtype


@streams
def test_rows_alike_are_left_out_together():
    # Values at random: trees that saw a row would predict it better than its median does.
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"x": rng.normal(size=700), "price": rng.normal(size=700)})
    with pytest.warns(LabelWarning, match="hardly predict"):
        found = small.audit(pl.concat([frame] * 3), "price", task="regression")
    assert 0.95 < found.model_error < 1.3


@streams
def test_a_coarse_table_says_so_and_is_the_same_streamed():
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 4, ROWS)
    frame = pl.DataFrame({"kind": kind.astype(str), "price": 10.0 * kind + rng.normal(size=ROWS)})
    with pytest.warns(LabelWarning, match="about 4 kinds of row"):
        found = small.audit(frame, "price", task="regression")
    assert found.model_error < 0.3
    with pytest.warns(LabelWarning, match="about 4 kinds of row"):
        assert audited(frame.lazy()).equals(found.frame)


@streams
def test_a_lazy_frame_stays_lazy_and_nothing_is_read_until_it_is_asked_for():
    read = []
    watched = table().lazy().map_batches(lambda block: read.append(len(block)) or block, streamable=True)
    planned = small.columns(watched, "price", task="regression")
    assert isinstance(planned, pl.LazyFrame)
    assert (planned.collect_schema().names()[-3:], read) == (ADDED, [])


@streams
@pytest.mark.parametrize("name", ["issues", "flagged", "audited", "rows", "model_error", "flagged_share"])
def test_a_streamed_report_says_what_the_report_in_memory_says(name):
    frame = table()
    streamed, here = (small.audit(each, "price", task="regression") for each in (frame.lazy(), frame))
    found, known = getattr(streamed, name), getattr(here, name)
    assert found.equals(known) if name == "issues" else found == known


@streams
def test_a_streamed_report_has_the_same_summary_and_gate():
    frame = table()
    streamed, here = (small.audit(each, "price", task="regression") for each in (frame.lazy(), frame))
    assert streamed.to_dict() == here.to_dict()
    assert streamed.gate(max_flagged_share=0.02) == here.gate(max_flagged_share=0.02)
    assert streamed.frame.collect().equals(here.frame)
    with pytest.raises(OptionError, match="predictions needs all rows in memory"):
        _ = streamed.predictions
    with pytest.raises(OptionError, match=r"audited_rows\(\) needs all rows in memory"):
        streamed.audited_rows()


@streams
def test_a_streamed_report_has_the_same_page():
    def told(audit):
        facts = audit.report_facts(rows=5)
        return {name: value for name, value in facts.items() if name != "made"}

    frame = table()
    streamed, here = (small.audit(each, "price", task="regression") for each in (frame.lazy(), frame))
    assert told(streamed) == told(here)
    assert "The worst 5 of" in streamed.to_html(rows=5)


@streams
@pytest.mark.parametrize(
    ("change", "options", "error", "message"),
    [
        (lambda lf: lf.with_columns(price=pl.lit("a")), {}, LabelColumnError, "holds String"),
        (lambda lf: lf.with_columns(price=pl.lit(1.5)), {}, LabelColumnError, "1 different value in"),
        (lambda lf: lf.with_columns(price=pl.col("n") % 2), {}, LabelColumnError, "2 different values in"),
        (lambda lf: lf.with_columns(price=1 / (pl.col("n") - 3)), {}, LabelColumnError, "holds infinity"),
        (lambda lf: lf.select("price", cents=pl.col("price") * 100), {}, FeatureError, "copy of the label"),
        (lambda lf: lf, {"fdr": 2}, OptionError, "fdr=2 is not a share"),
        (lambda lf: lf, {"cv": 3}, OptionError, "cv= belong to audits of classes"),
        (lambda lf: lf, {"groups": "city"}, OptionError, "groups="),
    ],
)
def test_bad_tables_and_options_are_refused_in_the_same_words(change, options, error, message):
    with pytest.raises(error, match=message):
        audited(change(table().lazy()), **options)


@streams
def test_a_source_that_changes_between_the_passes_is_noticed():
    rng = np.random.default_rng(0)
    shuffled = table().lazy().map_batches(lambda block: block[rng.permutation(len(block))])
    with pytest.raises(DQLabelsError, match="changed while it was read"):
        audited(shuffled)


def test_a_first_look_is_the_same_from_any_parts():
    values = np.array([3.0, np.nan, 1.0, 2.0, np.inf, 1.0])
    for cut in range(7):
        left, right = AmountTally(), AmountTally()
        left.update(values[:cut])
        right.update(values[cut:])
        left.merge(AmountTally.of(right.numbers()))
        assert (left.rows, left.missing, left.infinite) == (6, 1, 1)
        assert (left.least, left.largest, left.between) == (1.0, 3.0, 2.0)


@streams
def test_the_command_line_streams_a_large_file(tmp_path):
    source, target = tmp_path / "in.parquet", tmp_path / "out.parquet"
    table(2_000).write_parquet(source)
    done = command.run("audit", source, "-y", "price", "--task", "regression", "-o", target, sizes=SMALL)
    assert done.returncode == 0, done.stderr
    assert b"values flagged" in done.stdout
    assert pl.read_parquet(target).drop(ADDED).equals(table(2_000))
