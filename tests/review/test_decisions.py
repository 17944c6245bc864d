"""The file of decisions: what was recorded survives, and nothing else is taken for it."""

from __future__ import annotations

import json
import os
import threading

import narwhals as nw
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.review import DATA, HEAD

from dqlabels import DQLabelsError
from dqlabels.frames.columns import read_labels
from dqlabels.review.decisions import ConflictError, DecisionFile, NewDecision, head_of


def test_a_decision_is_in_the_file_when_it_is_recorded(tmp_path):
    DecisionFile(tmp_path / "d", HEAD).record(3, "choose", 1)
    again = DecisionFile(tmp_path / "d", HEAD)
    assert [(one.row, one.code, one.label) for one in again.standing.values()] == [(3, 1, "yes")]


def test_undo_brings_the_former_decision_back(tmp_path):
    file = DecisionFile(tmp_path / "d", HEAD)
    file.record(3, "choose", 1, window="w")
    file.record(3, "unclear", -1, window="w")
    file.undo("w")
    assert file.standing[3].code == 1
    file.undo("w")
    assert (file.standing, file.undo("w")) == ({}, None)


def test_undo_leaves_what_other_windows_decided(tmp_path):
    file = DecisionFile(tmp_path / "d", HEAD)
    file.record(3, "choose", 1, window="one")
    file.record(4, "choose", 1, window="two")
    file.undo("one")
    assert list(file.standing) == [4]


def test_a_decision_on_a_row_that_changed_is_a_conflict(tmp_path):
    one, two = DecisionFile(tmp_path / "d", HEAD), DecisionFile(tmp_path / "d", HEAD)
    first = one.record(3, "choose", 1, seen=0)
    with pytest.raises(ConflictError) as caught:
        two.record(3, "keep", 0, seen=0)
    assert caught.value.decision == first
    two.record(3, "keep", 0, seen=first.id)
    one.refresh()
    assert one.standing[3].verdict == "keep"


def test_a_line_torn_by_a_crash_is_cut_off_and_the_rest_kept(tmp_path):
    file = DecisionFile(tmp_path / "d", HEAD)
    file.record(1, "choose", 1)
    file.record(2, "choose", 1)
    content = file.path.read_bytes()
    file.path.write_bytes(content[:-7])
    again = DecisionFile(file.path, HEAD)
    assert list(again.standing) == [1]
    again.record(5, "keep", 0)
    assert list(DecisionFile(file.path, HEAD).standing) == [1, 5]


def test_threads_of_two_files_lose_nothing(tmp_path):
    files = [DecisionFile(tmp_path / "d", HEAD) for _ in range(4)]

    def decide(worker: int) -> None:
        for row in range(worker, 100, 4):
            files[worker].record(row, "keep", 0, window=str(worker))

    threads = [threading.Thread(target=decide, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    again = DecisionFile(tmp_path / "d", HEAD)
    assert (sorted(again.standing), again.last) == (list(range(100)), 100)


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("decide"), st.integers(0, 4), st.integers(-1, 1), st.sampled_from("ab")),
        st.tuples(st.just("undo"), st.just(0), st.just(0), st.sampled_from("ab")),
    ),
    max_size=30,
)


@settings(max_examples=40, deadline=None)
@given(ACTIONS)
def test_a_file_read_again_says_the_same(tmp_path_factory, actions):
    file = DecisionFile(tmp_path_factory.mktemp("d") / "d", HEAD)
    for kind, row, code, window in actions:
        if kind == "undo":
            file.undo(window)
        else:
            file.record(row, "unclear" if code < 0 else "choose", code, window=window)
    again = DecisionFile(file.path, HEAD)
    assert (again.standing, again.last) == (file.standing, file.last)


def test_several_decisions_are_written_together_or_not_at_all(tmp_path, monkeypatch):
    file = DecisionFile(tmp_path / "d", HEAD)
    made, passed_over = file.record_all([NewDecision(1, "keep", 0), NewDecision(2, "choose", 1)], window="w")
    assert ([one.row for one in made], passed_over) == ([1, 2], [])
    before = file.path.read_bytes()
    write = os.write
    monkeypatch.setattr("os.write", lambda descriptor, data: write(descriptor, data[:-3]))
    with pytest.raises(OSError, match="No space left"):
        file.record_all([NewDecision(3, "keep", 0), NewDecision(4, "keep", 0)])
    assert file.path.read_bytes() == before
    assert {*DecisionFile(file.path, HEAD).standing} == {1, 2}


def test_a_note_is_kept_and_a_decision_without_one_is_written_as_before(tmp_path):
    file = DecisionFile(tmp_path / "d", HEAD)
    file.record(1, "keep", 0, note='it says "äh"')
    file.record(2, "keep", 0)
    with_note, without = map(json.loads, file.path.read_text().splitlines()[1:])
    assert with_note["note"] == DecisionFile(file.path, HEAD).standing[1].note == 'it says "äh"'
    assert "note" not in without


def test_a_note_that_is_no_text_is_refused(tmp_path):
    file = DecisionFile(tmp_path / "d", HEAD)
    file.record(1, "keep", 0, note="x")
    file.path.write_text(file.path.read_text().replace('"note": "x"', '"note": 7'))
    with pytest.raises(DQLabelsError, match="no text"):
        DecisionFile(file.path, HEAD)


@pytest.mark.parametrize("content", ["hello\n", '{"a": 1}\n', "no end", '{"dqlabels_review": 99}\n'])
def test_a_file_of_something_else_is_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "d"
    path.write_text(content)
    with pytest.raises(DQLabelsError, match="not a file of review decisions|newer dqlabels"):
        DecisionFile(path, HEAD)
    assert path.read_text() == content


def test_a_file_on_other_labels_is_refused(tmp_path):
    DecisionFile(tmp_path / "d", HEAD)
    other = pl.DataFrame({**DATA, "label": DATA["label"][::-1]})
    with pytest.raises(DQLabelsError, match="decisions on other labels"):
        DecisionFile(tmp_path / "d", head_of(read_labels(nw.from_native(other, eager_only=True), "label")))


@pytest.mark.parametrize(
    ("row", "verdict", "code"), [(120, "keep", 0), (0, "luck", 0), (0, "keep", 2), (0, "keep", -1)]
)
def test_a_decision_that_means_nothing_is_refused(tmp_path, row, verdict, code):
    file = DecisionFile(tmp_path / "d", HEAD)
    with pytest.raises(DQLabelsError):
        file.record(row, verdict, code)
    assert file.last == 0


def test_a_last_line_whose_end_an_editor_took_away_is_kept(tmp_path):
    path = tmp_path / "d"
    DecisionFile(path, HEAD).record(3, "choose", 1)
    DecisionFile(path, HEAD).record(4, "choose", 0)
    path.write_bytes(path.read_bytes().rstrip())
    again = DecisionFile(path, HEAD)
    assert sorted(again.standing) == [3, 4]
    again.record(5, "choose", 1)
    assert sorted(DecisionFile(path, HEAD).standing) == [3, 4, 5]


def test_a_head_without_its_line_end_is_kept(tmp_path):
    path = tmp_path / "d"
    DecisionFile(path, HEAD)
    path.write_bytes(path.read_bytes().rstrip())
    DecisionFile(path, HEAD).record(3, "choose", 1)
    assert sorted(DecisionFile(path, HEAD).standing) == [3]


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_a_cut_anywhere_drops_no_decision_before_it(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("cut") / "d"
    file = DecisionFile(path, HEAD)
    ends = []
    for row in range(4):
        file.record(row, "choose", row % 2)
        ends.append(path.stat().st_size - 1)  # all but the line end
    whole = path.read_bytes()
    cut = data.draw(st.integers(ends[0], len(whole)))
    path.write_bytes(whole[:cut])
    assert sorted(DecisionFile(path, HEAD).standing) == [row for row, end in enumerate(ends) if end <= cut]


@pytest.mark.parametrize("row", [-1, 10**9, 1.5, None, "3", True, [1]])
def test_a_row_that_is_none_of_the_table_is_refused(tmp_path, row):
    path = tmp_path / "d"
    DecisionFile(path, HEAD).record(3, "choose", 1)
    head, line = path.read_text().splitlines()
    path.write_text(f"{head}\n{json.dumps({**json.loads(line), 'row': row})}\n")
    with pytest.raises(DQLabelsError, match="line 2, is not a review decision"):
        DecisionFile(path, HEAD)
