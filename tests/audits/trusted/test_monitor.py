"""A monitor of batches: its verdicts, its history file, and what it says."""

from __future__ import annotations

import json
import multiprocessing

import numpy as np
import pandas as pd
import polars as pl
import pytest

import dqlabels
from dqlabels import LabelAuditor, LabelMonitor, LabelNoiseError, LabelWarning
from dqlabels.errors import AuditorFileError, FeatureError, OptionError


def batch(seed: int, rows: int = 400, noise: float = 0.0, only: str | None = None) -> dict[str, object]:
    """Rows of three classes in two regions; noise can be in one region only."""
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=rows), rng.normal(size=rows)
    region = rng.choice(["north", "south"], rows)
    label = np.where(x + 0.4 * rng.normal(size=rows) > 0.5, "yes", np.where(z > 0, "no", "maybe"))
    wrong = (rng.random(rows) < noise) & ((region == only) if only else True)
    label = np.where(wrong, rng.permutation(label), label)
    return {"x": x.tolist(), "z": z.tolist(), "region": region.tolist(), "label": label.tolist()}


@pytest.fixture(scope="module")
def auditor() -> LabelAuditor:
    return LabelAuditor("label", features=["x", "z"], n_jobs=1).fit(pl.DataFrame(batch(0, 2000)))


@pytest.fixture
def history(tmp_path):
    return tmp_path / "label.history.jsonl"


@pytest.fixture
def monitor(auditor, history) -> LabelMonitor:
    return LabelMonitor(auditor, history=history)


@pytest.fixture(
    params=[pd.DataFrame, pl.DataFrame, lambda data: pl.DataFrame(data).lazy()], ids=["pandas", "polars", "lazy"]
)
def make_frame(request):
    return request.param


def test_a_clean_batch_passes(monitor, make_frame):
    result = monitor.check(make_frame(batch(1)))
    assert (result.verdict, result.passed) == ("pass", True)
    assert result.raise_if_failed() is result


def test_noise_in_a_batch_fails_it(monitor, make_frame):
    result = monitor.check(make_frame(batch(1, noise=0.4)))
    assert (result.verdict, result.passed) == ("fail", False)
    assert result.low > 0.1
    with pytest.raises(LabelNoiseError, match="have become noisier") as caught:
        result.raise_if_failed()
    assert caught.value.result is result


def test_a_little_noise_is_found_in_a_few_batches(monitor):
    for night in range(8):
        assert monitor.check(pl.DataFrame(batch(10 + night))).passed
    verdicts = [monitor.check(pl.DataFrame(batch(30 + night, noise=0.08))).verdict for night in range(8)]
    assert "fail" in verdicts


def test_clean_nights_of_any_size_pass(auditor, tmp_path):
    for rows in (60, 300, 1500):
        monitor = LabelMonitor(auditor, history=tmp_path / f"{rows}.jsonl")
        assert [monitor.check(pl.DataFrame(batch(50 + night, rows))).verdict for night in range(6)] == ["pass"] * 6


def test_a_batch_of_one_class_is_no_pass(monitor):
    constant = pl.DataFrame(batch(1)).filter(pl.col("label") == "yes")
    result = monitor.check(constant)
    assert (result.verdict, result.passed) == ("inconclusive", False)
    assert "All labels are 'yes'" in result.message


def test_a_column_overwritten_with_one_class_is_no_pass(monitor):
    assert not monitor.check(pl.DataFrame(batch(1)).with_columns(label=pl.lit("yes"))).passed


@pytest.mark.parametrize("value", [None, "unheard of"])
def test_a_batch_of_which_little_could_be_judged_is_no_pass(monitor, value):
    rows = pl.DataFrame(batch(1)).with_row_index()
    spoilt = rows.with_columns(label=pl.when(pl.col("index") < 300).then(pl.lit(value)).otherwise("label")).drop(
        "index"
    )
    result = monitor.check(spoilt)
    assert (result.verdict, result.passed) == ("inconclusive", False)
    assert "Only 100 of 400 rows could be judged" in result.message


def test_a_few_rows_are_no_pass_but_kept(monitor):
    result = monitor.check(pl.DataFrame(batch(1, rows=10)))
    assert (result.verdict, result.passed) == ("inconclusive", False)
    assert len(monitor.history) == 1


def test_an_inconclusive_batch_can_be_let_through_with_a_warning(auditor, history):
    monitor = LabelMonitor(auditor, history=history, on_inconclusive="warn")
    with pytest.warns(LabelWarning, match="10 rows say too little"):
        assert monitor.check(pl.DataFrame(batch(1, rows=10))).passed


def test_a_batch_checked_again_takes_its_former_place(monitor):
    monitor.check(pl.DataFrame(batch(1)), batch_id="monday")
    monitor.check(pl.DataFrame(batch(2, noise=0.4)), batch_id="tuesday")
    monitor.check(pl.DataFrame(batch(3)), batch_id="wednesday")
    assert monitor.check(pl.DataFrame(batch(2)), batch_id="tuesday").passed
    assert monitor.history["batch_id"].to_list() == ["monday", "tuesday", "wednesday"]
    assert monitor.history["verdict"][1] == "pass"


def test_a_batch_without_a_name_is_known_by_what_it_holds(monitor):
    monitor.check(pl.DataFrame(batch(1)))
    monitor.check(pl.DataFrame(batch(1)).sample(fraction=1, shuffle=True, seed=0))
    monitor.check(pl.DataFrame(batch(2)))
    assert len(monitor.history) == 2


def test_a_monitor_goes_on_where_another_process_left_off(auditor, tmp_path):
    auditor.save(tmp_path / "a.dqlabels")
    path = tmp_path / "h.jsonl"
    LabelMonitor(auditor, history=path).check(pl.DataFrame(batch(1)), batch_id="monday")
    again = LabelMonitor(tmp_path / "a.dqlabels", history=str(path))
    again.check(pl.DataFrame(batch(2)), batch_id="tuesday")
    assert again.history["batch_id"].to_list() == ["monday", "tuesday"]


def _check_many(auditor: str, history: str, first: int) -> None:
    monitor = LabelMonitor(auditor, history=history)
    for night in range(first, first + 3):
        monitor.check(pl.DataFrame(batch(night, rows=50)), batch_id=str(night))


def test_two_processes_on_one_history_lose_nothing(auditor, tmp_path, history):
    auditor.save(tmp_path / "a.dqlabels")
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(target=_check_many, args=(str(tmp_path / "a.dqlabels"), str(history), first))
        for first in (0, 3)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert sorted(LabelMonitor(auditor, history=history).history["batch_id"].to_list()) == [str(at) for at in range(6)]


def test_the_history_is_a_frame_of_the_library_of_the_batches(auditor, tmp_path):
    for make, kind in ((pd.DataFrame, pd.DataFrame), (pl.DataFrame, pl.DataFrame)):
        monitor = LabelMonitor(auditor, history=tmp_path / f"{kind.__module__}.jsonl")
        monitor.check(make(batch(1)))
        assert isinstance(monitor.history, kind)


def test_a_history_holds_no_row_of_the_data(monitor, history):
    data = batch(1)
    monitor.check(pl.DataFrame(data))
    assert not any(repr(value) in history.read_text() for value in data["x"][:20])


def test_an_alarm_names_the_segment_that_rose(auditor, history):
    monitor = LabelMonitor(auditor, history=history, by="region")
    for night in range(6):
        monitor.check(pl.DataFrame(batch(10 + night)))
    results = [monitor.check(pl.DataFrame(batch(40 + night, noise=0.5, only="south"))) for night in range(3)]
    segments = [one.name for one in results[-1].risen if one.what == "segment"]
    assert segments == ["region='south'"]
    without = LabelMonitor(auditor, history=history).check(pl.DataFrame(batch(50, noise=0.5, only="south")))
    assert {one.what for one in without.risen} <= {"class", "pair"}
    assert without.risen


def test_a_rise_that_is_not_sure_yet_is_no_lack_of_signs(auditor, history):
    monitor = LabelMonitor(auditor, history=history, false_alarms_per_year=0.001)
    for night in range(30):
        result = monitor.check(pl.DataFrame(batch(60 + night, noise=0.08)))
        if result.verdict == "fail":
            break
        assert ("not enough evidence yet" in result.message) == (result.evidence >= result.limit / 2)
        assert ("no sign" in result.message) == (result.evidence < result.limit / 2)


def test_a_segment_rises_by_no_more_than_all_of_its_rows(auditor, history):
    rows = pl.DataFrame(batch(1, rows=800)).with_row_index()
    swapped = {"yes": "no", "no": "maybe", "maybe": "yes"}
    wrong = pl.when(pl.col("region") == "south").then(pl.col("label").replace(swapped)).otherwise("label")
    result = LabelMonitor(auditor, history=history, by="region").check(rows.with_columns(label=wrong))
    (south,) = (one for one in result.risen if one.what == "segment")
    assert 0.5 < south.low <= south.increase <= south.high <= 1


def test_an_alarm_names_the_classes_that_rose(monitor):
    data = pl.DataFrame(batch(1, rows=1500))
    noisy = data.with_columns(
        label=pl.when((pl.col("label") == "no") & (pl.col("x").rank() % 3 == 0))
        .then(pl.lit("maybe"))
        .otherwise("label")
    )
    risen = monitor.check(noisy).risen
    assert next(one.name for one in risen if one.what == "class") == "'maybe'"
    assert next(one.name for one in risen if one.what == "pair") == "given 'maybe', likelier 'no'"


def test_a_column_of_segments_that_is_not_there_is_named(auditor, history):
    with pytest.raises(FeatureError, match="regoin"):
        LabelMonitor(auditor, history=history, by="regoin").check(pl.DataFrame(batch(1)))
    assert not history.exists()


def test_the_result_is_plain_values(monitor):
    result = monitor.check(pl.DataFrame(batch(1, noise=0.4)))
    assert json.loads(json.dumps(result.to_dict()))["verdict"] == "fail"
    assert result.gate.checks[0].verdict == "fail"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("false_alarms_per_year", 0),
        ("false_alarms_per_year", "1"),
        ("batches_per_year", -3),
        ("rise", 2),
        ("rise", "2%"),
        ("min_judged", True),
        ("on_inconclusive", "stop"),
    ],
)
def test_an_option_that_means_nothing_is_refused_by_name(auditor, history, name, value):
    with pytest.raises(OptionError, match=f"{name}="):
        LabelMonitor(auditor, history=history, **{name: value})


def test_an_auditor_of_an_earlier_version_is_refused(history):
    with pytest.raises(AuditorFileError, match="Fit it again"):
        LabelMonitor("tests/data/auditor-2.dqlabels", history=history)


def test_a_history_of_another_auditor_is_refused(monitor, history):
    monitor.check(pl.DataFrame(batch(1)))
    other = LabelAuditor("label", features=["x", "z"], n_jobs=1).fit(pl.DataFrame(batch(99, 500)))
    with pytest.raises(OptionError, match="history of another auditor"):
        LabelMonitor(other, history=history)


@pytest.mark.parametrize(
    "content",
    ["a,b\n1,2\n", "{}\n", '{"dqlabels_review": 1}\n', "[1]\n", "\x00\x01", '{"dqlabels_monitor": "1"}\n'],
)
def test_a_file_that_is_no_history_is_left_alone(auditor, history, content):
    history.write_text(content)
    with pytest.raises(OptionError, match="is not the history of a monitor"):
        LabelMonitor(auditor, history=history)
    assert history.read_text() == content


@pytest.mark.parametrize(
    "change",
    [
        {"increase": float("nan")},
        {"error": 0},
        {"class_rows": [1]},
        {"class_rows": [0, 0, 0]},
        {"pairs": [[0, 9, 1]]},
        {"rows": -1},
        {"verdict": 3},
        {"segments": [["a", 0, 1.0]]},
    ],
)
def test_a_line_that_was_altered_is_named(monitor, history, change):
    monitor.check(pl.DataFrame(batch(1)))
    head, line = history.read_text().splitlines()
    history.write_text("\n".join([head, json.dumps(json.loads(line) | change)]) + "\n")
    with pytest.raises(OptionError, match="line 2, is not the line of a batch"):
        monitor.check(pl.DataFrame(batch(2)))


def test_a_model_that_knows_nothing_of_the_labels_makes_no_monitor(history):
    rng = np.random.default_rng(0)
    noise = pl.DataFrame({"x": rng.normal(size=300), "label": rng.choice(["a", "b"], 300)})
    with pytest.raises(OptionError, match="hardly tells the trusted labels"):
        LabelMonitor(LabelAuditor("label", n_jobs=1).fit(noise), history=history)


def test_the_page_shows_the_last_verdict_and_escapes_what_came_from_data(auditor, history):
    pytest.importorskip("jinja2", reason="the extra report is not installed")
    monitor = LabelMonitor(auditor, history=history)
    monitor.check(pl.DataFrame(batch(1)), batch_id="<script>alert(1)</script>")
    page = monitor.to_html()
    assert "<script>alert(1)" not in page
    assert "have become noisier since they were trusted" in page


def test_a_page_reads_the_history_once_so_that_a_batch_that_comes_meanwhile_does_no_harm(monitor, monkeypatch):
    pytest.importorskip("jinja2", reason="the extra report is not installed")
    monitor.check(pl.DataFrame(batch(1)))
    looks, nights = [], monitor._history.nights
    monkeypatch.setattr(monitor._history, "nights", lambda: looks.append(1) or nights())
    monitor.to_html()
    assert len(looks) == 1


def test_a_page_before_the_first_batch_says_so(monitor):
    with pytest.raises(OptionError, match="has checked no batch yet"):
        monitor.to_html()


def test_the_chart_draws_every_batch(monitor):
    pytest.importorskip("altair", reason="the extra plot is not installed")
    for night in range(3):
        monitor.check(pl.DataFrame(batch(night)))
    assert monitor.plot().to_dict()["vconcat"][0]["layer"]
    assert [len(rows) for rows in monitor.plot().to_dict()["datasets"].values()] == [3]


def test_the_audit_of_the_batch_comes_with_the_verdict(monitor):
    assert monitor.check(pl.DataFrame(batch(1))).audit.audited == 400


def test_loading_does_not_need_the_library_that_fitted(auditor, tmp_path, history):
    auditor.save(tmp_path / "a.dqlabels")
    monitor = LabelMonitor(dqlabels.load(tmp_path / "a.dqlabels"), history=history)
    assert monitor.check(pd.DataFrame(batch(1))).passed


def test_an_empty_file_is_a_history_without_batches(auditor, history):
    history.touch()
    assert LabelMonitor(auditor, history=history).check(pl.DataFrame(batch(1))).passed


def test_a_history_of_a_newer_version_is_refused(monitor, history):
    monitor.check(pl.DataFrame(batch(1)))
    head, line = history.read_text().splitlines()
    history.write_text("\n".join([json.dumps(json.loads(head) | {"dqlabels_monitor": 99}), line]) + "\n")
    with pytest.raises(OptionError, match=r"written by a newer dqlabels \(format 99\)"):
        monitor.check(pl.DataFrame(batch(2)))


def amounts(seed: int, rows: int, wrong: float) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=rows), rng.normal(size=rows)
    y = 100 + 20 * x + 5 * z + 3 * rng.standard_t(5, size=rows)
    return pl.DataFrame({"x": x, "z": z, "y": np.where(rng.random(rows) < wrong, rng.permutation(y), y)})


def tagged(seed: int, rows: int, wrong: float) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 2))
    has = (x + 0.3 * rng.normal(size=x.shape) > 0.3) ^ (rng.random(x.shape) < wrong)
    tags = [[name for name, one in zip(("cat", "owl"), row, strict=True) if one] for row in has.tolist()]
    return pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "y": tags})


@pytest.fixture(scope="module", params=[("regression", amounts), ("multilabel", tagged)], ids=lambda one: one[0])
def other(request, tmp_path_factory):
    """An auditor of numbers or of several labels per row that was saved and loaded, and what makes its batches."""
    task, make = request.param
    path = tmp_path_factory.mktemp("auditor") / "y.dqlabels"
    LabelAuditor("y", task=task).fit(make(0, 1_000, 0.02)).save(path)
    return dqlabels.load(path), make


def test_a_rise_of_other_labels_is_read_as_what_it_is(other, history):
    auditor, make = other
    monitor = LabelMonitor(auditor, history=history)
    assert [monitor.check(make(night, 300, 0.02)).verdict for night in range(1, 4)] == ["pass"] * 3
    for night in range(10, 13):
        result = monitor.check(make(night, 300, 0.12))
    assert result.verdict == "fail"
    assert result.low > 0
    assert "have become noisier" in result.message
    assert monitor.history["verdict"][-1] == "fail"
    assert "Batch by batch" in monitor.to_html()


def test_a_batch_of_other_labels_has_its_drift(other):
    auditor, make = other
    clean, noisy = auditor.judge(make(1, 300, 0.02)), auditor.judge(make(1, 300, 0.4))
    assert not clean.drift["drifted"].any()
    assert noisy.drift.row(0, named=True)["what"] == "noise rate"
    assert noisy.drift["drifted"][0]
    rise = auditor.judge(make(2, 1_500, 0.12)).drift.row(0, named=True)
    assert abs(rise["change"] - 0.10) < 0.03
    assert noisy.to_dict()["drift"][0]["change"] > 0.2
    assert {"x", "z", "a", "b"} >= set(clean.drift.filter(what="feature")["name"])


def test_a_file_of_other_labels_of_an_earlier_version_still_judges(tmp_path):
    auditor = LabelAuditor("y", task="regression").fit(amounts(0, 200, 0.0))
    object.__setattr__(auditor.learned, "trusted", None)
    auditor.save(tmp_path / "y.dqlabels")
    earlier = dqlabels.load(tmp_path / "y.dqlabels")
    assert earlier.audit(amounts(1, 100, 0.0)).drift["what"].to_list() == ["model error"]
    with pytest.raises(AuditorFileError, match="which measured no zero"):
        LabelMonitor(earlier, history=tmp_path / "history")


def test_tags_that_are_all_on_every_row_are_no_pass(other, history):
    auditor, make = other
    rows = make(1, 100, 0.0)
    if rows["y"].dtype != pl.List:
        pytest.skip("only classes can be constant")
    result = LabelMonitor(auditor, history=history).check(rows.with_columns(y=pl.lit(["cat", "owl"])))
    assert result.verdict == "inconclusive"
    assert "All labels are 'with cat', 'with owl'" in result.message
