"""Reviews of labels that are no classes: numbers, moments, durations and lists of labels."""

from __future__ import annotations

import datetime
import json

import narwhals as nw
import polars as pl
import pytest
from support.command import run
from support.frames import column, eager
from support.other_labels import TAG_PROBS, prices, tagged, ticked
from support.review import Client, queue_of

import dqlabels
from dqlabels.errors import OptionError
from dqlabels.review.answers import FreeAnswers
from dqlabels.review.decisions import DecisionFile

DAY, TIME = datetime.date(2026, 1, 31), datetime.datetime(2026, 1, 31, 12, 30)
LONG = datetime.timedelta(days=1, hours=2, minutes=30)


def numbers(make_frame):
    return dqlabels.audit(make_frame(prices(0.05)), "price", task="regression")


@pytest.mark.parametrize(
    ("values", "typed"),
    [
        (pl.Series([1.5, 2.0]), "7.25"),
        (pl.Series([1, 2], dtype=pl.Int16), "12"),
        (pl.Series([DAY, DAY]), "2026-02-01"),
        (pl.Series([TIME, TIME]), "2026-02-01 08:15:00"),
        (pl.Series([TIME, TIME]).dt.replace_time_zone("Europe/Berlin"), "2026-02-01 08:15:00+01:00"),
        (pl.Series([LONG, LONG]), "3:00:00"),
    ],
)
def test_an_answer_is_written_in_the_dtype_of_the_column(values, typed):
    made = nw.from_native(values, series_only=True)
    answers = FreeAnswers.of(made)
    given = [answers.text(value) for value in values.to_list()]
    assert [answers.read(text) for text in given] == given
    changed = answers.column(made, {0: answers.read(typed), 1: given[1]})
    assert changed.dtype == made.dtype
    assert [answers.text(value) for value in changed.to_list()] == [typed, given[1]]


@pytest.mark.parametrize(
    ("answers", "typed"),
    [
        (FreeAnswers("number"), "many"),
        (FreeAnswers("number"), "nan"),
        (FreeAnswers("number", 1.0), "7.5"),
        (FreeAnswers("moment"), "31.1.2026"),
        (FreeAnswers("zoned moment"), "2026-01-31 12:00:00"),
        (FreeAnswers("duration"), "two hours"),
        (FreeAnswers("list", tags=("cat", "owl")), "cat, dog"),
        (FreeAnswers("list", tags=("cat", "owl")), "cat, cat"),
    ],
)
def test_what_the_column_cannot_hold_is_no_answer(answers, typed):
    with pytest.raises(ValueError, match="."):
        answers.read(typed)


def test_a_label_with_a_comma_in_its_name_is_one_label():
    answers = FreeAnswers("list", tags=("a, b", "c"))
    assert answers.read(answers.text(["a, b", "c"])) == answers.text(["a, b", "c"])


def test_numbers_are_accepted_kept_typed_and_applied(make_frame, tmp_path):
    audit = numbers(make_frame)
    with audit.review(tmp_path / "d", start=False) as session:
        rows, shown = session.queue.rows, session.queue.items([0, 1, 2, 3])
        assert len(rows) == audit.flagged
        assert "90% of right values lie between" in shown[0]["said"]
        for place, (verdict, typed) in enumerate([("accept", ""), ("keep", ""), ("choose", "101.5"), ("unclear", "")]):
            meant, answer = session.queue.answer_for(rows[place], verdict, -1, typed)
            session.decisions.record(rows[place], verdict, meant, answer=answer)
        done = session.queue.progress(session.decisions.standing)
        assert (done["decided"], done["wrong"], done["unclear"]) == (4, 2, 1)
    frame = make_frame(prices(0.05))
    applied = dqlabels.apply_decisions(frame, tmp_path / "d")
    assert type(applied) is type(frame)
    before, after = column(frame, "price"), column(applied, "price")
    assert {row for row in range(len(before)) if before[row] != after[row]} == {rows[0], rows[2]}
    assert after[rows[2]] == 101.5
    assert after[rows[0]] == pytest.approx(float(shown[0]["suggested"]), rel=1e-4)
    assert column(applied, "price_original") == before


def test_lists_of_labels_are_reviewed_row_by_row(make_frame, tmp_path):
    frame = make_frame(tagged(0.1))
    audit = dqlabels.audit(frame, "tags", **TAG_PROBS)
    with audit.review(tmp_path / "d", start=False) as session:
        rows = session.queue.rows
        assert len(rows) == audit.flagged
        for place, (verdict, typed) in enumerate([("accept", ""), ("choose", "owl, cat"), ("choose", "")]):
            meant, answer = session.queue.answer_for(rows[place], verdict, -1, typed)
            session.decisions.record(rows[place], verdict, meant, answer=answer)
    applied = dqlabels.apply_decisions(frame, tmp_path / "d")
    after = [list(tags) for tags in column(applied, "tags")]
    suggested = [list(tags) for tags in column(audit.frame, "suggested_label")]
    assert after[rows[0]] == suggested[rows[0]]
    assert (after[rows[1]], after[rows[2]]) == (["owl", "cat"], [])
    assert eager(applied).schema["tags"] == eager(frame).schema["tags"]
    untouched = [row for row in range(len(after)) if row not in rows[:3]]
    assert [after[row] for row in untouched] == [list(column(frame, "tags")[row]) for row in untouched]


def test_the_page_is_told_what_was_typed(tmp_path):
    audit = numbers(pl.DataFrame)
    with audit.review(tmp_path / "d", open_browser=False) as session:
        client = Client(session.url).enter()
        assert json.loads(client.ask("/api/about")[2])["free"] is True
        first, second = queue_of(client)[:2]
        said = {"row": first["row"], "verdict": "choose", "code": -2, "answer": " 99 ", "seen": 0, "window": "w"}
        assert json.loads(client.ask("/api/decide", said)[2])["decision"]["label"] == "99"
        status, _, body = client.ask("/api/decide", {**said, "row": second["row"], "answer": "a lot"})
        assert status == 400
        assert "is not a number such as 12.5" in json.loads(body)["error"]
        kept = {"rows": [[second["row"], 0]], "verdict": "keep", "code": -1, "window": "w"}
        assert json.loads(client.ask("/api/decide_all", kept)[2])["made"] == 1


def test_decisions_on_other_numbers_are_refused(tmp_path):
    with numbers(pl.DataFrame).review(tmp_path / "d", start=False):
        pass
    other = pl.DataFrame(prices(0.05)).with_columns(pl.col("price") + 1)
    with pytest.raises(OptionError, match="holds decisions on other labels"):
        dqlabels.apply_decisions(other, tmp_path / "d")


def test_a_line_that_holds_no_such_answer_is_refused(tmp_path):
    audit = numbers(pl.DataFrame)
    with audit.review(tmp_path / "d", start=False) as session:
        made = session.decisions.record(session.queue.rows[0], "choose", 0, answer="12")
        head = session.decisions.head
    text = (tmp_path / "d").read_text(encoding="ascii")
    (tmp_path / "d").write_text(text.replace('"label": "12"', '"label": "twelve"'), encoding="ascii")
    with pytest.raises(OptionError, match="is not a review decision"):
        DecisionFile(tmp_path / "d", head)
    assert made.label == "12"


def test_yes_no_columns_have_a_way_out():
    audit = dqlabels.audit(pl.DataFrame(ticked()), ["cat", "dog", "owl"], task="multilabel", **TAG_PROBS)
    with pytest.raises(OptionError, match="column that lists the names of those that say yes"):
        audit.review()


def test_a_sample_of_numbers_is_refused_with_the_reason():
    with pytest.raises(OptionError, match="how far off a number must be"):
        numbers(pl.DataFrame).review(sample=10)


def test_decisions_on_numbers_are_applied_on_the_command_line(tmp_path):
    frame = pl.DataFrame(prices(0.05))
    frame.write_parquet(tmp_path / "table.parquet")
    with numbers(pl.DataFrame).review(tmp_path / "d", start=False) as session:
        row = session.queue.rows[0]
        session.decisions.record(row, "choose", 0, answer="100")
    done = run("apply", tmp_path / "table.parquet", "--decisions", tmp_path / "d", "-o", tmp_path / "out.parquet")
    assert done.returncode == 0, done.stderr
    assert pl.read_parquet(tmp_path / "out.parquet")["price"][row] == 100
