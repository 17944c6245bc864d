"""The review page: decisions that survive, a server that answers to nobody else, and what is made of it."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import narwhals as nw
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.frames import column, eager, two_classes

import dqlabels
from dqlabels import DQLabelsError
from dqlabels.frames.columns import read_labels
from dqlabels.review.apply import apply_decisions
from dqlabels.review.decisions import ConflictError, DecisionFile, head_of

DATA = two_classes()
HEAD = head_of(read_labels(nw.from_native(pl.DataFrame(DATA), eager_only=True), "label"))


@pytest.fixture(scope="module")
def audit():
    return dqlabels.audit(pl.DataFrame(DATA), "label")


class Client:
    """A browser in short: keeps the cookie, sends what a page of that address would send."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.port, self.token = parts.port, parse_qs(parts.query)["token"][0]
        self.cookie = ""
        self.host = f"127.0.0.1:{self.port}"

    def ask(self, path: str, said: Any = None, **headers: str) -> tuple[int, dict[str, str], str]:
        server = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        sent = {"Host": self.host, "Cookie": self.cookie}
        if said is not None:
            sent |= {"Content-Type": "application/json", "Origin": f"http://{self.host}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        body = None if said is None else json.dumps(said)
        try:
            server.request("GET" if said is None else "POST", path, body, {k: v for k, v in sent.items() if v})
            answer = server.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read().decode()
        finally:
            server.close()

    def enter(self) -> Client:
        status, headers, _ = self.ask(f"/?token={self.token}")
        assert status == 303
        self.cookie = headers["set-cookie"].split(";")[0]
        return self

    def decide(self, row: int, verdict: str, code: int, seen: int = 0, window: str = "w") -> tuple[int, dict]:
        said = {"row": row, "verdict": verdict, "code": code, "seen": seen, "window": window, "since": 0}
        status, _, body = self.ask("/api/decide", said)
        return status, json.loads(body)


@pytest.fixture
def session(audit, tmp_path):
    with audit.review(tmp_path / "d.jsonl", open_browser=False) as started:
        yield started


@pytest.fixture
def client(session):
    return Client(session.url).enter()


def queue_of(client: Client, count: int = 50) -> list[dict]:
    return json.loads(client.ask(f"/api/rows?start=0&count={count}")[2])["items"]


# The file


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


# The server


def test_the_token_becomes_a_strict_cookie(session):
    client = Client(session.url)
    _, headers, _ = client.ask(f"/?token={client.token}")
    assert headers["location"] == "/"
    assert {"HttpOnly", "SameSite=strict"} <= set(headers["set-cookie"].split("; "))


@pytest.mark.parametrize("path", ["/", "/review.js", "/api/about", "/api/rows", "/api/state", "/?token=wrong"])
def test_nothing_is_told_without_the_token(session, path):
    status, headers, body = Client(session.url).ask(path)
    assert (status, "label" in body) == (403, False)
    assert "default-src 'none'" in headers["content-security-policy"]


def test_only_loopback_is_listened_on(session):
    assert session._socket.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1.evil.example:{port}"])
def test_another_name_for_this_machine_is_refused(client, host):
    assert client.ask("/api/about", Host=host.format(port=client.port))[0] == 421


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1:{port}"])
def test_requests_of_other_sites_are_refused(client, session, origin):
    row = queue_of(client)[0]
    said = {"row": row["row"], "verdict": "accept", "code": row["suggested_code"], "seen": 0}
    assert client.ask("/api/decide", said, Origin=origin.format(port=client.port))[0] == 403
    assert client.ask("/api/decide", said, Origin="")[0] == 403
    assert client.ask("/api/decide", said, Sec_Fetch_Site="cross-site")[0] == 403
    assert session.decisions.last == 0


@pytest.mark.parametrize(
    ("said", "status"),
    [([1], 400), ({}, 400), ({"row": True}, 400), ({"row": 7, "verdict": "keep", "code": "0", "seen": 0}, 400),
     ({"row": 0, "verdict": "keep", "code": 0, "seen": 0}, 400), ({"window": "x" * 20_000}, 413)],
)  # fmt: skip
def test_what_is_no_decision_is_refused(client, session, said, status):
    assert client.ask("/api/decide", said)[0] == status
    assert session.decisions.last == 0


def test_a_form_cannot_decide(client):
    assert client.ask("/api/decide", {}, Content_Type="text/plain")[0] == 415


def test_errors_come_first_and_the_worst_of_them(audit, client):
    items = queue_of(client)
    keys = [(item["kind"] == "ambiguous", item["quality"]) for item in items]
    assert (len(items), keys) == (audit.flagged, sorted(keys))


def test_a_decision_is_on_the_disk_when_it_is_answered(client, session):
    row = queue_of(client)[0]
    status, answer = client.decide(row["row"], "accept", row["suggested_code"])
    assert (status, answer["decision"]["verdict"]) == (200, "accept")
    assert json.loads(session.decisions.path.read_text().splitlines()[-1])["row"] == row["row"]


def test_two_windows_lose_nothing(client, session):
    row, other = queue_of(client)[:2]
    _, first = client.decide(row["row"], "accept", row["suggested_code"], window="one")
    status, answer = client.decide(row["row"], "keep", row["given_code"], window="two")
    assert (status, answer["decision"]["id"]) == (409, first["decision"]["id"])
    client.decide(other["row"], "keep", other["given_code"], window="two")
    state = json.loads(client.ask("/api/state?since=0")[2])
    assert {row for row, _ in state["changed"]} == {row["row"], other["row"]}


def test_two_servers_on_one_file_lose_nothing(audit, session, client):
    row, other = queue_of(client)[:2]
    with audit.review(session.decisions.path, open_browser=False) as second:
        there = Client(second.url).enter()
        client.decide(row["row"], "accept", row["suggested_code"])
        assert there.decide(row["row"], "keep", row["given_code"])[0] == 409
        there.decide(other["row"], "keep", other["given_code"])
        assert len(json.loads(client.ask("/api/state?since=0")[2])["changed"]) == 2


def test_a_full_disk_is_told_and_nothing_is_called_saved(client, session, monkeypatch):
    from dqlabels.review import decisions

    def full(descriptor: int, line: bytes) -> int:
        raise OSError(28, "No space left on device")

    row = queue_of(client)[0]
    with monkeypatch.context() as patched:
        patched.setattr(decisions.os, "write", full)
        status, answer = client.decide(row["row"], "accept", row["suggested_code"])
    assert (status, answer["error"]) == (507, "Not saved: No space left on device")
    assert client.decide(row["row"], "accept", row["suggested_code"])[0] == 200


def test_a_sample_hides_what_the_model_thinks_and_gives_the_rate(audit, tmp_path):
    with audit.review(tmp_path / "d", sample=60, open_browser=False) as session:
        client = Client(session.url).enter()
        items = queue_of(client, 60)
        assert not {"suggested", "quality", "explanation", "kind"} & items[0].keys()
        truth = np.arange(120) % 2
        for item in items:
            code = int(truth[item["row"]])
            _, answer = client.decide(item["row"], "keep" if code == item["given_code"] else "choose", code)
        rate = audit.with_review(session.answers()).noise_rate
    shown = answer["progress"]["rate"]
    assert (shown["estimate"], shown["low"], shown["high"]) == (rate.estimate, rate.low, rate.high)
    assert shown["low"] <= 0.05 <= shown["high"]


def test_suspicious_rows_give_no_noise_rate(session, client):
    row = queue_of(client)[0]
    _, answer = client.decide(row["row"], "accept", row["suggested_code"])
    assert answer["progress"]["rate"] is None
    with pytest.raises(DQLabelsError, match="sample="):
        session.answers()


def test_a_port_that_is_taken_is_named(audit, session, tmp_path):
    with pytest.raises(DQLabelsError, match=f"Port {session.port}"):
        audit.review(tmp_path / "other", port=session.port, open_browser=False)


def test_a_missing_server_is_said_before_the_work(tmp_path):
    code = (
        "import sys; sys.modules['uvicorn'] = None; sys.argv = ['dqlabels', 'review', 'none.csv', '-y', 'y']\n"
        "from dqlabels.__main__ import main\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (
        2,
        'dqlabels: The review page needs uvicorn: pip install "dqlabels[review]"\n',
    )


# A server killed by the system, and the command line


@contextmanager
def started(path: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], Client]]:
    command = [sys.executable, "-m", "dqlabels", "review", str(path), "-y", "label", "--no-browser", *arguments]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            address = next(found.group() for line in process.stdout if (found := re.search(r"http://\S+", line)))
            yield process, Client(address).enter()
        finally:
            process.kill()


def ended(process: subprocess.Popen[str], how: int) -> str:
    process.send_signal(how)
    text, _ = process.communicate(timeout=30)
    return text


def test_a_killed_server_loses_nothing(tmp_path):
    path = tmp_path / "t.csv"
    pl.DataFrame(two_classes(400)).write_csv(path)
    with started(path) as (process, client):
        items = queue_of(client)[:5]
        for item in items:
            assert client.decide(item["row"], "accept", item["suggested_code"])[0] == 200
        ended(process, signal.SIGKILL)
    with started(path) as (process, client):
        standing = {row: one["verdict"] for row, one in json.loads(client.ask("/api/state?since=0")[2])["changed"]}
        text = ended(process, signal.SIGINT)
    assert standing == {item["row"]: "accept" for item in items}
    assert (process.returncode, "5 rows decided" in text) == (0, True)


def test_the_command_applies_decisions_to_a_copy(tmp_path, audit):
    source, target, kept = tmp_path / "t.csv", tmp_path / "out.parquet", tmp_path / "d"
    pl.DataFrame(DATA).write_csv(source)
    before = source.read_bytes()
    DecisionFile(kept, HEAD).record(7, "accept", 1)  # no, wrong by construction
    command = [sys.executable, "-m", "dqlabels", "apply", str(source), "--decisions", str(kept), "-o", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "1 of 120 labels of label changed.\n"
    copy = pl.read_parquet(target)
    assert (copy["label"][7], copy["label_original"].to_list()) == ("yes", DATA["label"])
    assert source.read_bytes() == before


def test_the_reviewed_file_itself_is_not_overwritten(tmp_path):
    source = tmp_path / "t.csv"
    pl.DataFrame(DATA).write_csv(source)
    DecisionFile(tmp_path / "d", HEAD)
    command = ["apply", str(source), "-d", str(tmp_path / "d"), "-o", str(source)]
    done = subprocess.run([sys.executable, "-m", "dqlabels", *command], capture_output=True, text=True, check=False)
    assert (done.returncode, "Name a copy" in done.stderr) == (2, True)


# Applying


@pytest.fixture
def decided(tmp_path):
    file = DecisionFile(tmp_path / "d", HEAD)
    file.record(7, "accept", 1)  # no, wrong by construction
    file.record(1, "keep", 1)
    file.record(2, "unclear", -1)
    return file.path


def test_only_other_labels_change(make_frame, decided):
    frame = make_frame(DATA)
    applied = apply_decisions(frame, decided)
    changed = [at for at, (a, b) in enumerate(zip(column(applied, "label"), DATA["label"], strict=True)) if a != b]
    assert (type(applied), changed) == (type(frame), [7])
    assert column(applied, "label_original") == DATA["label"]
    assert eager(frame).columns == ["x", "z", "label"]


def test_dtype_missing_labels_and_index_stay(tmp_path):
    import pandas as pd

    values = pd.Categorical(["b", "a", None, "a"] * 10, categories=["b", "a", "never"])
    frame = pd.DataFrame({"x": range(40), "y": values}, index=range(100, 140))
    kept = DecisionFile(tmp_path / "d", head_of(read_labels(nw.from_native(frame, eager_only=True), "y")))
    kept.record(0, "choose", kept.head["classes"].index("a"))
    applied = apply_decisions(frame, tmp_path / "d", original="was")
    assert (applied["y"].iloc[0], applied["y"].dtype, list(applied.index)) == ("a", frame["y"].dtype, list(frame.index))
    assert applied["y"].isna().equals(frame["y"].isna())
    assert applied["was"].equals(frame["y"].rename("was"))


def test_decisions_on_other_labels_are_not_applied(make_frame, decided):
    frame = make_frame({**DATA, "label": DATA["label"][::-1]})
    with pytest.raises(DQLabelsError, match="other labels"):
        apply_decisions(frame, decided)


def test_a_column_that_exists_is_not_overwritten(make_frame, decided):
    with pytest.raises(DQLabelsError, match="already in the frame"):
        apply_decisions(make_frame(DATA), decided, original="x")
