"""A check-up finds what was planted, is silent where nothing was, and gives the frame back as it was."""

from __future__ import annotations

import datetime
import json
import re
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from support.frames import column, eager
from support.real_tables import tumours

import dqlabels
from dqlabels.audits.options import Options
from dqlabels.checks.duplicates import find_copies, near_pairs
from dqlabels.checks.groups import ModelErrors, Question, Questions, check_groups
from dqlabels.checks.order import QUALITY, Series, check_order, follow
from dqlabels.checks.outliers import far_out, min_score, outlier_scores
from dqlabels.checks.result import COLUMNS
from dqlabels.checks.space import STEP, as_points, find_neighbours
from dqlabels.frames.hashing import row_marks
from dqlabels.frames.values import value_codes

ROWS = 300


def table(rows: int = ROWS, seed: int = 0) -> dict[str, list[Any]]:
    """Independent rows: numbers, a category and a label that follows one of them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 4))
    return {
        **{f"x{k}": x[:, k].tolist() for k in range(4)},
        "city": [("Bonn", "Jena", "Ulm")[k] for k in rng.integers(0, 3, rows)],
        "label": [("no", "yes")[int(value > 0)] for value in x[:, 0] + rng.normal(size=rows)],
    }


def report(frame: Any, **options: Any) -> Any:
    """An audit without a model: the probabilities follow the first number."""
    x = np.array(column(frame, "x0"), dtype=float)
    yes = 1 / (1 + np.exp(-1.5 * np.nan_to_num(x)))
    return dqlabels.audit(frame, "label", pred_probs=np.column_stack([1 - yes, yes]), classes=["no", "yes"], **options)


def by_labels(frame: Any, label: str) -> Any:
    """An audit whose probabilities agree with the labels."""
    given = column(frame, label)
    classes = sorted(set(given))
    agreed = np.array([[value == one for one in classes] for value in given], dtype=float)
    probs = (agreed + 0.2) / (1 + 0.2 * len(classes))
    return dqlabels.audit(frame, label, pred_probs=probs, classes=classes)


def with_rows(data: dict[str, list[Any]], *more: dict[str, Any]) -> dict[str, list[Any]]:
    return {name: values + [row[name] for row in more] for name, values in data.items()}


def row(data: dict[str, list[Any]], at: int, **changed: Any) -> dict[str, Any]:
    return {name: values[at] for name, values in data.items()} | changed


def finding(checkup: Any, check: str) -> Any:
    return next(one for one in checkup.all_findings if one.check == check)


def test_nothing_is_found_in_independent_rows(make_frame):
    checks = ["features", "classes", "duplicates", "outliers", "order"]
    assert report(make_frame(table())).checkup(checks).found == ()


def test_empty_constant_and_mostly_missing_columns_are_named(make_frame):
    data = table() | {"one": ["a"] * ROWS, "none": [None] * ROWS, "few": [1.5] * 20 + [None] * (ROWS - 20)}
    checkup = report(make_frame(data)).checkup("features")
    details = checkup.details("features")
    kinds = dict(zip(column(details, "column"), column(details, "kind"), strict=True))
    assert {name: kind for name, kind in kinds.items() if kind} == {
        "one": "constant",
        "none": "empty",
        "few": "mostly missing",
    }


def test_rows_without_any_feature_are_marked(make_frame):
    data = table()
    for name in ("x0", "x1", "x2", "x3", "city"):
        data[name] = [None, None, *data[name][2:]]
    marked = column(report(make_frame(data)).checkup("features", columns=["is_blank"]).frame, "is_blank")
    assert marked == [True, True] + [False] * (ROWS - 2)


@pytest.mark.filterwarnings("ignore:.*one class written in two ways")
@pytest.mark.parametrize(("written", "meant"), [("Yes ", "yes"), ("not_sure", "Not sure"), ("benigm", "benign")])
def test_a_class_written_in_two_ways_is_named(written: str, meant: str):
    labels = [meant] * 140 + ["other"] * 155 + [written] * 5
    frame = pl.DataFrame({"x": np.arange(300) % 7, "y": labels})
    classes = by_labels(frame, "y").checkup("classes").details("classes")
    assert classes.filter(pl.col("class") == written)["looks_like"].to_list() == [meant]


def test_numbers_that_differ_in_sign_are_not_one_class():
    frame = pl.DataFrame({"x": np.arange(100) % 9, "y": [-1, 1] * 50})
    assert by_labels(frame, "y").checkup("classes").found == ()


def test_rare_classes_are_marked(make_frame):
    data = table()
    data["label"] = ["rare"] * 3 + data["label"][3:]
    marked = column(by_labels(make_frame(data), "label").checkup(columns="is_rare_class").frame, "is_rare_class")
    assert [at for at, is_rare in enumerate(marked) if is_rare] == [0, 1, 2]


def test_copies_with_different_labels_come_first(make_frame):
    data = table()
    other = {"no": "yes", "yes": "no"}[data["label"][7]]
    data = with_rows(data, row(data, 5), row(data, 7, label=other))
    checkup = report(make_frame(data)).checkup("duplicates", columns=["duplicate_group", "is_conflicting_duplicate"])
    details = checkup.details("duplicates")
    assert column(details, "conflicting") == [True, False]
    assert column(details, "kind") == ["copy", "copy"]
    assert (column(details, "first_row"), column(details, "last_row")) == ([7, 5], [301, 300])
    groups = column(checkup.frame, "duplicate_group")
    assert groups[5] == groups[300] != groups[7] == groups[301]
    assert [at for at, group in enumerate(groups) if group is not None and not pd.isna(group)] == [5, 7, 300, 301]
    assert [at for at, mixed in enumerate(column(checkup.frame, "is_conflicting_duplicate")) if mixed] == [7, 301]


def test_a_column_that_numbers_the_rows_hides_no_copy(make_frame):
    data = with_rows(table(), row(table(), 5))
    found = report(make_frame(data | {"id": list(range(ROWS + 1))})).checkup("duplicates").details("duplicates")
    assert (column(found, "first_row"), column(found, "last_row")) == ([5], [300])


def test_near_copies_of_a_real_table_are_found_and_nothing_else():
    data = pd.DataFrame(tumours())
    numbers = data.drop(columns="diagnosis")
    spread = numbers.quantile(0.75) - numbers.quantile(0.25)
    noise = np.random.default_rng(0).normal(size=(10, numbers.shape[1])) * 0.01
    near = numbers.iloc[:10] + noise * spread.to_numpy()
    whole = pd.concat([data, near.assign(diagnosis=data["diagnosis"].iloc[:10])], ignore_index=True)
    checkup = dqlabels.checkup(whole, "diagnosis", checks="duplicates", columns=["is_duplicate"])
    assert np.flatnonzero(checkup.frame["is_duplicate"]).tolist() == [*range(10), *range(569, 579)]
    assert set(checkup.details("duplicates")["kind"]) == {"near copy"}


def test_rows_that_coarse_features_make_alike_are_not_called_copies():
    rng = np.random.default_rng(0)
    columns = {f"c{k}": rng.integers(0, 4, 400) for k in range(4)}
    copies = find_copies({name: values.astype(np.int64) for name, values in columns.items()}, 0.01)
    assert copies.pairs > 100
    assert copies.by_chance


def test_copies_are_told_from_chance_beside_a_text():
    # Rows of one category that differ in the text alone are many; rows alike in both are still copies.
    texts = np.concatenate([np.arange(400), np.arange(10)])
    codes = {"text": texts, "category": texts % 3}
    assert not find_copies(codes, 0.01).by_chance


def test_far_rows_are_found_with_the_column_that_is_off(make_frame):
    data = table()
    data["x2"][40] = 60.0
    checkup = report(make_frame(data)).checkup("outliers", columns={"is_outlier": "far", "outlier_score": "how_far"})
    details = checkup.details("outliers")
    assert column(details, "row") == [40]
    assert column(details, "column") == ["x2"]
    assert column(details, "value") == ["60"]
    assert [at for at, far in enumerate(column(checkup.frame, "far")) if far] == [40]
    assert int(np.argmax(column(checkup.frame, "how_far"))) == 40


def test_rows_of_a_region_with_bad_labels_are_a_failing_group(make_frame):
    data = table(900)
    north = [value > 0.8 for value in data["x3"]]
    flip = {"no": "yes", "yes": "no"}
    data["label"] = [flip[given] if bad else given for given, bad in zip(data["label"], north, strict=True)]
    checkup = report(make_frame(data)).checkup("groups", columns=["failing_group"])
    rules = column(checkup.details("groups"), "rule")
    assert len(rules) == 1
    assert rules[0].startswith("x3 > 0.")
    named = [isinstance(rule, str) for rule in column(checkup.frame, "failing_group")]
    assert np.mean(np.array(named) == np.array(north)) > 0.97


def test_a_rule_names_a_category_and_missing_values():
    rng = np.random.default_rng(0)
    bad = rng.uniform(size=2000) < 0.2
    x = np.where(bad, np.nan, rng.normal(size=2000))
    wrong = rng.uniform(size=2000) < np.where(bad, 0.6, 0.1)
    asked = Questions(np.column_stack([x]), (Question("age"),))
    answers = ModelErrors(wrong, np.full(2000, 0.2))
    details = check_groups(asked, np.arange(2000, dtype=np.uint64), answers, np.arange(2000), 2000, 0.01).details
    assert "missing" in details["rule"][0]
    assert 0.5 < details["error"][0] < 0.7


@pytest.mark.parametrize("arranged", ["sorted", "in runs"])
def test_labels_that_follow_the_order_of_rows_are_noticed(make_frame, arranged: str):
    data = pd.DataFrame(table(400)).sort_values("label", kind="stable")
    if arranged == "in runs":
        runs = np.random.default_rng(0).permutation(len(data) // 5)
        data = data.iloc[(runs[:, None] * 5 + np.arange(5)).ravel()]
    checkup = report(make_frame(data.to_dict("list"))).checkup("order")
    details = checkup.details("order")
    changing = {
        kind for kind, changes in zip(column(details, "kind"), column(details, "changes"), strict=True) if changes
    }
    assert "labels" in changing
    assert "labels" in finding(checkup, "order").says


def test_time_orders_the_rows_whatever_order_they_are_in(make_frame):
    data = table(400)
    day = np.repeat(np.arange(40), 10)
    late = np.random.default_rng(1).uniform(size=400) < day / 40
    data |= {"label": np.where(late, "yes", "no").tolist()}
    data |= {"day": [np.datetime64("2026-01-01") + int(at) for at in day]}
    data["day"] = [value.astype(object) for value in data["day"]]
    order = np.random.default_rng(0).permutation(400)
    mixed = {name: [values[at] for at in order] for name, values in data.items()}
    found = [report(make_frame(one)).checkup("order", time="day") for one in (data, mixed)]
    assert "'day'" in finding(found[0], "order").says
    first, second = (
        eager(checkup.details("order")).select("name", "value", "shift", "p_value", "changes").rows()
        for checkup in found
    )
    assert sorted(first, key=str) == sorted(second, key=str)


def test_a_shift_of_independent_values_is_called_at_its_rate():
    rng = np.random.default_rng(0)
    p = np.array([[one.shift_p, one.correlation_p] for one in (follow(rng.normal(size=200)) for _ in range(800))])
    rates = (p <= 0.05).mean(axis=0)
    assert (rates <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 800)).all()
    assert (rates >= 0.02).all()


def test_errors_that_follow_no_feature_make_a_failing_group_at_most_at_the_rate():
    rng = np.random.default_rng(0)
    found = 0
    for _ in range(60):
        asked = Questions(rng.normal(size=(400, 5)), tuple(Question(f"x{k}") for k in range(5)))
        answers = ModelErrors(rng.uniform(size=400) < 0.2, np.full(400, 0.2))
        marks = rng.integers(0, 2**62, 400).astype(np.uint64)
        found += check_groups(asked, marks, answers, np.arange(400), 400, 0.2).found
    assert found <= 12 + 3 * np.sqrt(60 * 0.2 * 0.8)


@pytest.mark.parametrize("dimensions", [2, 6])
def test_points_of_one_law_are_near_copies_at_most_at_the_rate(dimensions: int):
    found = 0
    for seed in range(60):
        points = np.random.default_rng(seed).normal(size=(200, dimensions))
        space = find_neighbours(points, {f"x{k}": slice(k, k + 1) for k in range(dimensions)})
        found += len(near_pairs(space, 0.10)) > 0
    assert found <= 6 + 3 * np.sqrt(60 * 0.1 * 0.9)


@pytest.mark.parametrize("dimensions", [1, 2, 5])
def test_rows_of_one_law_are_hardly_ever_outliers(dimensions: int):
    far = 0
    for seed in range(30):
        points = np.random.default_rng(seed).normal(size=(300, dimensions))
        space = find_neighbours(points, {"x": slice(0, dimensions)})
        far += int(far_out(outlier_scores(space), 0.01, min_score(space)).sum())
    assert far <= 0.0005 * 30 * 300


@pytest.mark.parametrize("rows", [60, 1_000, 10_000])
@pytest.mark.parametrize("share", [0.01, 0.10])
def test_values_without_a_pattern_have_a_block_at_most_at_the_rate(rows: int, share: float):
    rng = np.random.default_rng(0)
    changes = [follow((rng.random(rows) < share).astype(float)) for _ in range(60)]
    assert sum(one is not None and one.block.p <= 0.05 for one in changes) <= 3


def test_skewed_numbers_without_a_pattern_have_a_block_at_most_at_the_rate():
    rng = np.random.default_rng(0)
    p = [follow(np.round(rng.exponential(size=300) ** 3)).block.p for _ in range(100)]
    assert np.mean(np.array(p) <= 0.05) <= 0.05


@pytest.mark.parametrize("start", [0, 150, 4_000, 19_200])
@pytest.mark.parametrize(("inside", "outside"), [(0.31, 0.02), (0.02, 0.31)])
def test_a_block_is_found_wherever_it_lies(start: int, inside: float, outside: float):
    shares = np.full(20_000, outside)
    shares[start : start + 800] = inside
    change = follow((np.random.default_rng(1).random(20_000) < shares).astype(float))
    assert change.block.p < 1e-9
    assert abs(change.block.start - start) + abs(change.block.stop - start - 800) < 80
    assert abs(change.inside - inside) < 0.04
    assert abs(change.outside - outside) < 0.01


def test_a_block_of_numbers_is_found():
    values = np.random.default_rng(0).normal(size=2_000)
    values[900:1_000] += 1.5
    block = follow(values).block
    assert block.p < 1e-9
    assert abs(block.start - 900) + abs(block.stop - 1_000) < 20


def test_a_block_begins_and_ends_where_moments_change():
    days = np.repeat(np.arange(100), 20)
    values = np.random.default_rng(0).random(2_000) < np.where((days >= 40) & (days < 50), 0.5, 0.02)
    orders = [np.random.default_rng(seed).permutation(20) for seed in (1, 2)]
    blocks = [follow(values.reshape(100, 20)[:, order].ravel().astype(float), days).block for order in orders]
    assert blocks[0] == blocks[1]
    assert (blocks[0].start, blocks[0].stop) == (800, 1_000)


def of_series(values, moments=None):
    series = [Series(QUALITY, "label_quality", values.astype(float), "a flagged label")]
    return check_order(series, "the order of the rows", 0.01, np.arange(len(values)), moments).says


def test_the_message_has_the_rows_of_a_block_in_the_middle():
    flagged = np.zeros(4_000, dtype=bool)
    flagged[::80] = True
    flagged[2_000:2_200:2] = True
    assert re.search(r"a flagged label is (49|50|51)% of rows 2,000 to 2,19\d and 1% of the others", of_series(flagged))


def test_the_message_has_the_fifths_of_a_slow_drift():
    rng = np.random.default_rng(0)
    says = of_series(rng.random(4_000) < np.linspace(0.02, 0.30, 4_000))
    assert re.search(r"is \d+% of the first fifth and \d+% of the last", says)
    assert says.count("along the order of the rows") == 1


def test_flags_in_a_block_are_named_with_its_rows(make_frame):
    data = table(400)
    yes = np.array(data["x0"]) > 0
    data["x0"] = np.where(yes, 4.0, -4.0).tolist()
    yes[180:220:2] = ~yes[180:220:2]
    data["label"] = np.where(yes, "yes", "no").tolist()
    says = finding(report(make_frame(data)).checkup("order"), "order").says
    assert re.search(r"a flagged label is 5\d% of rows 180 to 21\d and 0% of the others", says)


def test_a_single_value_that_differs_has_no_neighbours_to_compare():
    assert follow(np.eye(1, 60, 7)[0]).p == 1.0


def test_runs_of_a_rare_value_are_called_at_their_rate():
    rng = np.random.default_rng(0)
    p = np.array([follow((rng.uniform(size=300) < 0.04).astype(float)).correlation_p for _ in range(600)])
    assert (p <= 0.01).mean() <= 0.01 + 3 * np.sqrt(0.01 * 0.99 / 600)


def test_the_order_of_the_rows_changes_no_mark():
    data = pd.DataFrame(table(250))
    data = pd.concat([data, data.iloc[:5], data.iloc[5:10].assign(x1=9.0)], ignore_index=True)
    order = np.random.default_rng(3).permutation(len(data))
    wanted = ["is_duplicate", "is_conflicting_duplicate", "is_outlier", "outlier_score", "failing_group"]
    plain = report(data).checkup(columns=wanted).frame[wanted]
    mixed = report(data.iloc[order].reset_index(drop=True)).checkup(columns=wanted).frame[wanted]
    pd.testing.assert_frame_equal(plain.iloc[order].reset_index(drop=True), mixed, check_exact=True)


def test_every_frame_library_gives_the_same_findings(make_frame):
    data = with_rows(table(), row(table(), 3), row(table(), 4, x1=80.0), row(table(), 9, city=None))
    data |= {"day": [datetime.date(2026, 1, 1) + datetime.timedelta(days=at % 50) for at in range(ROWS + 3)]}
    ours = report(make_frame(data)).checkup(time="day", n_jobs=1).to_dict()
    assert ours == report(pl.DataFrame(data)).checkup(time="day", n_jobs=1).to_dict()


def test_the_frame_comes_back_with_the_columns_asked_for(make_frame):
    frame = make_frame(table())
    audit = report(frame)
    checkup = audit.checkup(columns=list(COLUMNS))
    assert type(checkup.frame) is type(frame)
    assert eager(checkup.frame).columns == [*eager(audit.frame).columns, *COLUMNS]
    assert [column(checkup.frame, name) == column(frame, name) for name in table()] == [True] * len(table())
    assert eager(report(frame).checkup("classes").frame).columns == eager(audit.frame).columns


def test_a_pandas_index_is_kept():
    frame = pd.DataFrame(table()).set_index(pd.Index([f"r{at}" for at in range(ROWS)]))
    made = report(frame).checkup(columns=["is_outlier", "duplicate_group", "failing_group"]).frame
    assert made.index.equals(frame.index)


def test_columns_can_be_asked_for_afterwards():
    checkup = report(pl.DataFrame(table())).checkup(["classes", "outliers"])
    assert checkup.available == ("is_rare_class", "is_outlier", "outlier_score")
    assert "is_outlier" in checkup.with_columns(["is_outlier"]).frame.columns
    assert "is_outlier" not in checkup.frame.columns


def test_an_existing_column_is_not_overwritten():
    frame = pl.DataFrame(table()).with_columns(is_outlier=True)
    with pytest.raises(dqlabels.DQLabelsError, match="'is_outlier' already in the frame"):
        report(frame).checkup(columns=["is_outlier"])


def test_the_global_random_state_is_left_alone():
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    report(pl.DataFrame(table())).checkup()
    assert (np.random.get_state()[1] == before).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"checks": "outlier"}, "the checks are 'features'"),
        ({"checks": []}, "the checks are 'features'"),
        ({"columns": "outlier"}, "a check-up can add"),
        ({"checks": "order", "columns": "is_outlier"}, "need the checks 'outliers'"),
        ({"columns": {"is_outlier": "far", "is_duplicate": "far"}}, "the same name"),
        ({"alpha": 1}, "alpha=1"),
        ({"most_rows": 0}, "most_rows=0"),
        ({"checks": "outliers", "most_rows": 10}, "300 rows are more than the 10"),
        ({"most_rows": 10, "columns": "is_outlier"}, "300 rows are more than the 10"),
        ({"time": "dya"}, "no column 'dya'"),
        ({"time": "city"}, "does not order the rows"),
    ],
)
def test_what_means_nothing_is_refused(options: dict[str, Any], message: str):
    with pytest.raises(dqlabels.DQLabelsError, match=message):
        report(pl.DataFrame(table())).checkup(**options)


def test_too_many_rows_are_said_not_to_be_compared():
    checkup = report(pl.DataFrame(table())).checkup(most_rows=100)
    assert finding(checkup, "outliers").verdict == "not run"
    assert "Near copies were not looked for: 300 rows" in finding(checkup, "duplicates").says


def test_numbers_are_refused_by_name():
    with pytest.raises(dqlabels.DQLabelsError, match="was audited as numbers: .* Say task=.classes. if"):
        dqlabels.checkup(pl.DataFrame(table()), "x0", task="regression")


def test_a_lazy_frame_that_would_be_streamed_is_refused_before_any_work():
    frame = pl.LazyFrame({"x": [0.0], "label": ["no"]}).select(pl.all().repeat_by(200_001).explode())
    with pytest.raises(dqlabels.DQLabelsError, match="The lazy frame has 200,001 rows"):
        frame.labels.checkup("label")


def test_a_spark_frame_is_refused_by_name():
    class Frame:
        __module__ = "pyspark.sql.classic.dataframe"

    with pytest.raises(dqlabels.DQLabelsError, match="the memory engine alone does. Check a sample of the Spark"):
        dqlabels.checkup(Frame(), "label")


def test_a_streamed_audit_says_why_it_has_no_check_up():
    from dqlabels.audits.classes.streamed import StreamedAudit

    audit = object.__new__(StreamedAudit)
    object.__setattr__(audit, "label", "label")
    object.__setattr__(audit, "options", Options(task="classes"))
    with pytest.raises(dqlabels.DQLabelsError, match="compares rows with each other"):
        audit.checkup()


def test_the_accessor_and_the_function_do_the_same():
    frame = pl.DataFrame(table())
    ours = frame.labels.checkup("label", checks=["classes", "outliers"], n_jobs=1)
    same = dqlabels.checkup(frame, "label", checks=["classes", "outliers"], n_jobs=1)
    assert ours.to_dict() == same.to_dict()


def test_the_facts_are_plain_values():
    data = with_rows(table(), row(table(), 3), row(table(), 4, x1=80.0))
    checkup = report(pl.DataFrame(data)).checkup()
    facts = json.loads(json.dumps(checkup.to_dict(), allow_nan=False))
    assert [one["check"] for one in facts["findings"]] == [
        "features", "classes", "duplicates", "outliers", "groups", "order",
    ]  # fmt: skip
    assert {"duplicates", "outliers"} <= set(checkup.found)


@pytest.mark.filterwarnings("ignore:.*one class written in two ways")
def test_a_notebook_shows_names_of_classes_escaped():
    labels = ["<b>no</b>", "yes"] * 100 + ["<B>no</b>"] * 4
    frame = pl.DataFrame({"x": np.arange(204) % 11, "y": labels})
    page = by_labels(frame, "y").checkup("classes")._repr_html_()
    assert "<b>no" not in page.lower()
    assert "&lt;b&gt;no" in page


def test_values_of_any_kind_have_codes(make_frame):
    frame = eager(make_frame({"list": [[1, 2], [1, 2], [3, 4]], "text": ["a", None, "a"], "number": [1.0, None, -0.0]}))
    assert value_codes(frame["list"]).tolist() == [0, 0, 1]
    assert value_codes(frame["text"]).tolist() == [0, -1, 0]
    assert value_codes(frame["number"]).tolist() == [1, -1, 0]


def test_marks_less_a_column_tell_rows_that_differ_in_it_alone():
    marks = row_marks({"a": np.array([0, 0, 1]), "b": np.array([2, 3, 3])})
    without_b = marks.sum(axis=1, dtype=np.uint64) - marks[:, 1]
    assert without_b[0] == without_b[1] != without_b[2]


def test_a_missing_number_is_a_step_from_those_that_are_there():
    frame = eager(pl.DataFrame({"x": [1.0, 2.0, 3.0, 4.0, None]}))
    points, _ = as_points(frame, {"x": "number"})
    assert points[:4, 1].tolist() == [0.0] * 4
    assert points[4, 1] == pytest.approx(np.arcsinh(1))


def test_the_report_has_what_was_found_among_its_notes():
    data = with_rows(table(), row(table(), 3))
    audit = report(pl.DataFrame(data))
    page = audit.to_html(checkup=audit.checkup("duplicates"))
    assert "Check-up, duplicates: 2 rows (0.7%) repeat one another" in page


def test_a_column_without_a_number_takes_no_part():
    frame = eager(pl.DataFrame({"x": [None, None, None]}, schema={"x": pl.Float64}))
    assert as_points(frame, {"x": "number"})[0].shape == (3, 0)


def test_rows_without_a_column_have_no_neighbours():
    assert find_neighbours(np.zeros((300, 0)), {}) is None


def test_texts_are_a_step_apart_in_the_root_mean_square():
    words = ("red", "green", "blue", "white")
    frame = eager(pl.DataFrame({"x": [f"{words[i % 4]} {words[i // 4 % 4]} {i}" for i in range(64)]}))
    points, _ = as_points(frame, {"x": "text"})
    assert 2 * points.var(axis=0).sum() == pytest.approx(STEP**2, rel=1e-5)


def test_many_categories_are_about_a_step_apart():
    frame = eager(pl.DataFrame({"x": [f"c{i % 500}" for i in range(1000)]}))
    points, _ = as_points(frame, {"x": "category"})
    assert np.array_equal(points[:500], points[500:])
    assert 2 * points.var(axis=0).sum() == pytest.approx(STEP**2, rel=0.1)


def test_nothing_is_far_out_where_all_scores_are_one():
    assert not far_out(np.ones(300), 0.01).any()
