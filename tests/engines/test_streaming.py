"""Large tables: the same answer in memory and streamed, whatever the blocks; in bounded memory; nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import command
from support.large_tables import ADDED, table
from support.sized import Sized

import dqlabels
from dqlabels import LabelWarning
from dqlabels.engines import polars as engine
from dqlabels.engines.memory import judge
from dqlabels.engines.passes import find_judge
from dqlabels.engines.task import RowLayout
from dqlabels.errors import DQLabelsError, FeatureError, LabelColumnError, OptionError, OutputColumnError
from dqlabels.frames.hashing import content_hashes
from dqlabels.frames.sampling import ContentSample, quotas
from dqlabels.models.boosted import Halves
from dqlabels.models.sizes import BoostingSizes, Sizes
from dqlabels.statistics.classes import PRUNE_RULES, ClassTally, take
from dqlabels.statistics.cutoffs import find_cutoffs
from dqlabels.statistics.scores import SCORES

pytestmark = pytest.mark.skipif(
    not hasattr(pl.LazyFrame, "collect_batches"), reason="Polars before 1.34 hands out no batches, so nothing streams"
)
ROWS = 3_000
# What holds beyond 200,000 rows is tested with a few thousand.
SMALL = Sizes(large_rows=1_000, block_rows=700, read_rows=512, halves=BoostingSizes(trees=8, depth=4))
small = Sized(SMALL)


def audited(frame: Any, **options: Any) -> pl.DataFrame:
    return small.columns(frame, "label", **options).lazy().collect()


@pytest.mark.parametrize("filter_by", PRUNE_RULES)
def test_a_streamed_table_gets_the_columns_that_it_gets_in_memory(filter_by):
    frame = table()
    assert audited(frame.lazy(), filter_by=filter_by).equals(audited(frame, filter_by=filter_by))


@pytest.mark.parametrize("filter_by", ["expected_f1", "both"])
@pytest.mark.parametrize("score", ["logit_margin", "self_confidence"])
def test_grades_are_streamed_as_they_are_judged_in_memory(filter_by, score):
    frame, options = table().cast({"label": pl.Enum(["low", "mid", "top"])}), {"filter_by": filter_by, "score": score}
    here, streamed = (small.audit(one, "label", task="ordinal", **options) for one in (frame, frame.lazy()))
    assert streamed.frame.collect().equals(here.frame)
    assert streamed.issues.equals(here.issues)
    assert streamed.model_error == here.model_error
    assert streamed.noise_rate.to_dict() == here.noise_rate.to_dict()
    limits = {"max_noise_rate": 0.2, "on_inconclusive": "pass"}
    assert streamed.gate(**limits).to_dict() == here.gate(**limits).to_dict()


def test_strings_of_no_order_are_refused_as_grades_before_a_row_is_read():
    with pytest.raises(LabelColumnError, match="holds String, whose order is not known"):
        table().lazy().labels.audit("label", task="ordinal")


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("adjust", [False, True])
def test_every_score_is_the_same_streamed(score, adjust):
    frame, options = table(), {"score": score, "adjust": adjust}
    assert audited(frame.lazy(), **options).equals(audited(frame, **options))


@pytest.mark.parametrize("rows", [100, 333, 3_000])
def test_the_size_of_the_blocks_changes_nothing(rows):
    other = Sized(replace(SMALL, read_rows=rows, block_rows=rows + 1))
    for frame in (table(), table().lazy()):
        assert other.columns(frame, "label").lazy().collect().equals(audited(table()))


@pytest.mark.parametrize("n_jobs", [1, 2, 5])
def test_the_number_of_threads_changes_nothing(n_jobs):
    assert audited(table().lazy(), n_jobs=n_jobs).equals(audited(table(), n_jobs=1))


def test_a_scan_of_a_file_is_read_in_slices(tmp_path):
    path = tmp_path / "table.parquet"
    table().write_parquet(path, row_group_size=700)
    assert engine._is_parquet_scan(pl.scan_parquet(path))
    assert audited(pl.scan_parquet(path)).equals(audited(table()))


def test_a_query_over_a_file_is_streamed_too(tmp_path):
    path = tmp_path / "table.parquet"
    table(4_000).write_parquet(path)
    query = pl.scan_parquet(path).filter(pl.col("n") > 5).with_columns(m=pl.col("n") * 2)
    assert not engine._is_parquet_scan(query)
    assert audited(query).equals(audited(query.collect()))


def test_pandas_gets_the_same_answer():
    frame = table().drop("when")
    found = small.audit(frame.to_pandas(), "label").frame["label_quality"].to_numpy(float, na_value=np.nan)
    assert np.array_equal(found, audited(frame)["label_quality"].fill_null(np.nan).to_numpy(), equal_nan=True)


def test_the_order_of_the_rows_changes_nothing():
    frame = table()
    order = np.random.default_rng(1).permutation(len(frame))
    assert audited(frame[order].lazy()).equals(audited(frame)[order])


def test_a_lazy_frame_stays_lazy_and_nothing_is_read_until_it_is_asked_for():
    read = []
    watched = table().lazy().map_batches(lambda block: read.append(len(block)) or block, streamable=True)
    planned = small.columns(watched, "label")
    assert isinstance(planned, pl.LazyFrame)
    assert planned.collect_schema().names()[-3:] == ADDED
    assert read == []


def test_the_answer_can_be_filtered_and_cut_and_projected():
    frame, whole = table(), audited(table())
    planned = small.columns(frame.lazy(), "label")
    assert (
        planned.filter("is_label_issue")
        .select("n", "label")
        .collect()
        .equals(whole.filter("is_label_issue").select("n", "label"))
    )
    assert planned.head(700).collect().equals(whole.head(700))


def test_input_columns_come_back_bit_for_bit(tmp_path):
    frame = table(ROWS).with_columns(
        odd=pl.Series([float("nan"), -0.0, float("inf")] * (ROWS // 3)), raw=pl.lit(b"\x00\xff"), nested=pl.lit([1, 2])
    )
    frame.write_parquet(tmp_path / "in.parquet")
    odd = ["odd", "raw", "nested"]
    small.columns(pl.scan_parquet(tmp_path / "in.parquet"), "label", exclude=odd).sink_parquet(tmp_path / "out.parquet")
    back = pl.read_parquet(tmp_path / "out.parquet").drop(ADDED)
    assert back.equals(frame)
    assert np.array_equal(back["odd"].to_numpy().view(np.uint64), frame["odd"].to_numpy().view(np.uint64))


def test_a_small_lazy_frame_is_judged_by_the_rule_for_small_tables():
    frame = table(900)
    assert audited(frame.lazy()).equals(audited(frame))


def test_the_report_of_a_streamed_table_is_the_report_in_memory():
    frame = table()
    here, streamed = small.audit(frame, "label").to_dict(), small.audit(frame.lazy(), "label").to_dict()
    for facts in (here, streamed):
        for row in facts["classes"]:
            row["mean_quality"] = round(row["mean_quality"], 7)  # streamed it is summed in whole units
    assert streamed == here


@pytest.mark.parametrize("name", ["confusions", "joint", "noise_matrix", "issues"])
def test_the_tables_of_a_streamed_report_are_those_in_memory(name):
    frame = table()
    found = getattr(small.audit(frame.lazy(), "label"), name)
    assert found.equals(getattr(small.audit(frame, "label"), name))


def test_a_streamed_audit_shows_its_figures_in_a_notebook():
    streamed = small.audit(table().lazy(), "label")
    shown = streamed._repr_html_()
    assert "of the labels are wrong" in shown or "does not tell how many labels are wrong" in shown
    assert all(f">{name}<" in shown for name in map(str, streamed.classes["class"]))
    assert "to_html" not in shown  # it has no report


def test_a_streamed_report_can_be_gated_and_its_frame_collected():
    found = small.audit(table().lazy(), "label")
    assert not found.gate(max_noise_rate=0.0, on_inconclusive="fail").passed
    assert found.frame.collect().equals(audited(table()))


@pytest.mark.parametrize("verb", dqlabels.StreamedAudit.needs_rows)
def test_what_needs_all_rows_in_memory_is_refused_by_name_with_the_way_out(verb):
    found = small.audit(table().lazy(), "label")
    arguments = {"with_review": ({},), "by": ("x",)}.get(verb, ())
    with pytest.raises(OptionError, match=rf"^{verb}(\(\))? .*: (frame\.gather_every\(20\)|pl\.when\()"):
        getattr(found, verb)(*arguments)


def test_the_way_out_of_a_refusal_works():
    frame = table().lazy()
    assert "could be either" in frame.gather_every(2).collect().labels.report("label").to_html()


@pytest.mark.parametrize("options", [{"cv": 3}, {"groups": "city"}, {"compat": "cleanlab"}])
def test_options_that_need_all_rows_in_memory_are_refused_by_name(options):
    with pytest.raises(OptionError, match=f"{next(iter(options))}="):
        small.audit(table().lazy(), "label", **options)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda lf: lf.rename({"label": "y"}), LabelColumnError, "no column 'label'"),
        (lambda lf: lf.with_columns(label_quality=1), OutputColumnError, "label_quality"),
        (lambda lf: lf.with_columns(label=pl.lit("one")), LabelColumnError, "all .* labels are 'one'"),
        (lambda lf: lf.select("label", nothing=pl.lit(None, pl.Float64)), FeatureError, "No feature column is left"),
    ],
)
def test_bad_tables_are_refused_in_the_same_words(change, error, message):
    with pytest.raises(error, match=message):
        audited(change(table().lazy()))


def test_a_continuous_label_is_refused_as_classes():
    frame = table().with_columns(label=pl.col("x"))
    for each in (frame, frame.lazy()):
        with pytest.raises(LabelColumnError, match="continuous"):
            audited(each, task="classes")


def test_a_source_that_changes_between_the_passes_is_noticed():
    rng = np.random.default_rng(0)

    def shuffled(block: pl.DataFrame) -> pl.DataFrame:
        return block[rng.permutation(len(block))]

    with pytest.raises(DQLabelsError, match="changed while it was read"):
        small.columns(table().lazy().map_batches(shuffled), "label").collect()


def test_progress_is_told_to_a_callable():
    told: list[tuple[int, int]] = []
    audited(table(ROWS).lazy(), progress=lambda done, total: told.append((done, total)))
    assert (ROWS, ROWS) in told
    assert (3 * SMALL.halves.trees, 3 * SMALL.halves.trees) in told  # half as many in the first round, two halves


def test_no_row_is_judged_by_a_model_that_saw_it_or_a_row_alike():
    # Labels at random: a model that saw a row would know its label better than chance.
    rng = np.random.default_rng(0)
    distinct = rng.normal(size=(700, 3))
    matrix = np.tile(distinct, (3, 1)).astype(np.float32)
    codes = np.tile(rng.integers(0, 2, 700), 3)
    halves = Halves.fit(matrix, codes, 2, np.ones(len(codes)), coarse=False, sizes=SMALL.halves)
    assert 0.42 < (halves.judge(matrix)[0].argmax(axis=1) == codes).mean() < 0.58


def test_rows_alike_are_told_apart_where_they_are_nearly_all_alike():
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 4, ROWS)
    label = np.where(rng.random(ROWS) < 0.1, 1, 0) ^ (kind % 2)
    frame = pl.DataFrame({"kind": kind.astype(str), "label": label})
    with pytest.warns(LabelWarning, match="few kinds of row"):
        found = small.audit(frame, "label")
    assert found.model_error == pytest.approx(0.1, abs=0.03)
    with pytest.warns(LabelWarning, match="few kinds of row"):
        assert audited(frame.lazy()).equals(found.frame)


def test_many_classes_are_judged():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 12, ROWS)
    frame = pl.DataFrame({"x": label + rng.normal(0, 0.1, ROWS), "z": rng.normal(size=ROWS), "label": label})
    found = small.audit(frame.lazy(), "label", task="classes")
    assert found.model_error < 0.5
    assert found.frame.collect().equals(audited(frame, task="classes"))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 60), st.integers(2, 6), st.integers(1, 5))
def test_cuts_are_the_kth_largest_values(seed, rows, cells, parts):
    rng = np.random.default_rng(seed)
    cell, value = rng.integers(0, cells, rows), rng.integers(-(2**24), 2**24 + 1, rows) // rng.choice([1, 2**22])
    limits = rng.integers(0, rows, cells)

    def count(state):
        pieces = [state.fresh() for _ in range(parts)]
        for at, piece in enumerate(pieces):
            piece.update(cell[at::parts], value[at::parts])
        for piece in pieces:
            state.merge(piece)
        return state

    for at, cut in enumerate(find_cutoffs(limits, count)):
        ranked = np.sort(value[cell == at])[::-1]
        wanted = ranked[: limits[at]]
        taken = value[(cell == at) & (value >= cut)]
        assert sorted(taken) == sorted(ranked[ranked >= wanted[-1]] if wanted.size else [])


class InTwo:
    """Rows in memory, fed in two parts: the smallest engine there is."""

    def __init__(self, codes, probs, cut):
        self.parts = [(codes[:cut], probs[:cut]), (codes[cut:], probs[cut:])]

    def reduce(self, make, observe):
        states = [make(), make()]
        for state, part in zip(states, self.parts, strict=True):
            observe(state, *part)
        states[0].merge(states[1])
        return states[0]


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.integers(2, 7), st.sampled_from(PRUNE_RULES), st.integers(0, 90))
def test_the_passes_find_what_the_judge_in_memory_finds(seed, k, filter_by, cut):
    rng = np.random.default_rng(seed)
    probs = rng.dirichlet(np.full(k, 0.5), 90).astype(np.float32)
    probs = np.rint(probs * rng.choice([4, 2**24])) + 1
    probs = np.rint(probs / probs.sum(axis=1, keepdims=True) * 2**24).astype(np.float32) / np.float32(2**24)
    codes = rng.integers(0, k, 90)
    tally = ClassTally.empty(k)
    tally.update(codes, take(probs, codes))
    rule = find_judge(InTwo(codes, probs, cut), tally, filter_by=filter_by)
    flagged, likely = rule.judge(codes, probs)
    known = judge(codes, probs, filter_by=filter_by)
    assert np.array_equal(flagged, known.flagged)
    assert np.array_equal(np.where(flagged, likely, codes), known.suggested)
    assert np.array_equal(rule.joint, known.joint)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.integers(1, 6))
def test_the_sample_is_the_same_from_any_parts_in_any_order(seed, parts):
    import narwhals as nw

    rng = np.random.default_rng(seed)
    values = rng.integers(0, 40, 120)
    codes = values % 3
    frame = nw.from_native(pl.DataFrame({"v": values}))
    hashes = content_hashes(frame, ["v"], codes)
    wants = quotas(np.bincount(codes, minlength=3), 12, min_rows=3)

    def draw(*blocks):
        sample = ContentSample.empty(wants)
        for rows in blocks:
            sample.update(frame[rows.tolist()], codes[rows], hashes[rows])
        return sample.finish()

    whole, parted = draw(np.arange(120)), draw(*np.array_split(rng.permutation(120), parts))
    assert parted.frame["v"].to_list() == whole.frame["v"].to_list()
    assert parted.counts.tolist() == whole.counts.tolist()
    kept = {int(v): int((values == v).sum()) for v in whole.frame["v"].to_list()}
    assert whole.counts.tolist() == list(kept.values())


def test_a_spill_gives_back_what_was_put_in():
    rng = np.random.default_rng(0)
    spill = engine.Spill(RowLayout(np.int32, 3), 2)
    codes, probs = rng.integers(-1, 3, 50), rng.dirichlet(np.ones(3), 50).astype(np.float32)
    spill.append(codes[:20], probs[:20])
    spill.append(codes[20:], probs[20:])
    assert np.array_equal(spill.block(1)[0], codes[20:])
    assert np.array_equal(spill.block(1)[1], probs[20:])
    tally = spill.reduce(lambda: ClassTally.empty(3), lambda state, c, p: state.update(c, p[np.arange(len(c)), c]))
    assert tally.rows.sum() == (codes >= 0).sum()
    spill.close()


def test_an_audit_leaves_no_file_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    audited(table().lazy())
    assert list(tmp_path.iterdir()) == []


def test_the_command_line_streams_a_large_file(tmp_path):
    source, target = tmp_path / "in.parquet", tmp_path / "out.parquet"
    table(2_000).write_parquet(source)
    done = command.run("audit", source, "-y", "label", "-o", target, sizes=SMALL)
    assert done.returncode == 0, done.stderr
    assert b"labels flagged" in done.stdout
    assert pl.read_parquet(target).drop(ADDED).equals(table(2_000))
    assert [path.name for path in tmp_path.iterdir()] == ["in.parquet", "out.parquet"] or len(
        list(tmp_path.iterdir())
    ) == 2


def test_polars_with_one_thread_is_never_waited_for(tmp_path):
    """The rows are judged beside the reading: with one thread of Polars, which calls us, nothing may wait for it."""
    path = tmp_path / "table.parquet"
    table().write_parquet(path, row_group_size=700)
    tests = Path(__file__).parents[1]
    code = (
        f"import sys; sys.path[:0] = {[str(tests / name) for name in ('', 'benchmarks', 'engines')]}\n"
        "import polars as pl, scale\n"
        "from test_streaming import small\n"
        "assert pl.thread_pool_size() == 1\n"
        "clock = scale.Clock()\n"
        "scale.instrument(clock)\n"
        f"small.columns(pl.scan_parquet({str(path)!r}), 'label', n_jobs=2).sink_parquet({str(tmp_path / 'out')!r})\n"
        "assert {'read', 'sample', 'learn', 'features', 'predict', 'statistics'} <= set(clock.wall), clock.wall"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"POLARS_MAX_THREADS": "1"}, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert pl.read_parquet(tmp_path / "out").equals(audited(table()))


def test_what_fails_beside_the_reading_is_raised_where_the_rows_are_read():
    def work(number: int) -> float:
        return 1 / (3 - number)

    made = engine.behind(iter(range(10)), work, 2)
    assert [next(made) for _ in range(3)] == [1 / 3, 1 / 2, 1]
    with pytest.raises(ZeroDivisionError):
        next(made)
