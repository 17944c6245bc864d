"""The review server: it answers its own page alone, and keeps what it is told."""

from __future__ import annotations

import http.client
import json
import sys
from threading import Timer

import numpy as np
import polars as pl
import pytest
from support.command import run
from support.review import DATA, Client, queue_of

import dqlabels
from dqlabels import DQLabelsError


@pytest.fixture(scope="module")
def audit():
    return dqlabels.audit(pl.DataFrame(DATA), "label")


@pytest.fixture
def session(audit, tmp_path):
    with audit.review(tmp_path / "d.jsonl", open_browser=False) as started:
        yield started


@pytest.fixture
def client(session):
    return Client(session.url).enter()


def test_the_token_becomes_a_strict_cookie(session):
    client = Client(session.url)
    _, headers, body = client.ask(f"/?token={client.token}")
    assert 'content="0;url=/"' in body
    assert client.token not in body
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
     ({"row": 0, "verdict": "keep", "code": 0, "seen": 0}, 400), ({"window": "x" * 20_000}, 413),
     ({"row": 10**400, "verdict": "keep", "code": 0, "seen": 0}, 400), ({"row": "\ud800"}, 400)],
)  # fmt: skip
def test_what_is_no_decision_is_refused(client, session, said, status):
    assert client.ask("/api/decide", said)[0] == status
    assert session.decisions.last == 0


@pytest.mark.parametrize("text", ["[" * 9_000, '{"a":' * 1_500, "1" * 9_000, "\x00", '{"row": NaN', ""])
def test_what_is_no_json_is_refused(client, session, text):
    headers = {"Host": client.host, "Cookie": client.cookie, "Origin": f"http://{client.host}"}
    server = http.client.HTTPConnection("127.0.0.1", client.port, timeout=20)
    server.request("POST", "/api/decide", text, {**headers, "Content-Type": "application/json"})
    assert server.getresponse().status == 400
    server.close()
    assert session.decisions.last == 0


def test_a_form_cannot_decide(client):
    assert client.ask("/api/decide", {}, Content_Type="text/plain")[0] == 415


def test_errors_come_first_and_the_worst_of_them(audit, client):
    items = queue_of(client)
    keys = [item["quality"] for item in items]
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


def shown_while_answering(client: Client, rows: int) -> list[dict]:
    """What the page is told after each of so many right answers."""
    told = []
    for item in queue_of(client, rows):
        code = item["row"] % 2
        verdict = "keep" if code == item["given_code"] else "choose"
        told.append(client.decide(item["row"], verdict, code)[1]["progress"])
    return told


def test_a_review_that_is_not_finished_shows_a_running_interval(audit, tmp_path):
    with audit.review(tmp_path / "d", sample=60, open_browser=False) as session:
        shown = shown_while_answering(Client(session.url).enter(), 40)[-1]
        rate = audit.with_review(session.answers()).noise_rate
    assert not shown["finished"]
    assert (shown["rate"]["low"], shown["rate"]["high"]) == (rate.low, rate.high)
    assert "however often" in shown["note"]


def test_the_answers_are_the_sample_in_its_order(audit, tmp_path):
    with audit.review(tmp_path / "d", sample=20, open_browser=False) as session:
        client = Client(session.url).enter()
        rows = [item["row"] for item in queue_of(client, 20)]
        client.decide(rows[1], "unclear", -1)
        answers = session.answers()
    assert answers["row"].to_list() == rows
    assert answers["reviewed_label"].to_list() == [None, "unclear", *[None] * 18]


def test_the_page_says_when_enough_rows_are_read(audit, tmp_path):
    with audit.review(tmp_path / "d", sample=60, max_noise_rate=0.4, open_browser=False) as session:
        told = [progress["conclusion"] for progress in shown_while_answering(Client(session.url).enter(), 50)]
        conclusion = session.conclusion()
    enough = "Enough rows read to say: below the limit of 40.0%."
    assert "Not enough rows read" in told[5]
    assert told[-1] == enough
    assert conclusion.endswith(enough)


def test_without_a_limit_nothing_is_concluded(audit, tmp_path):
    with audit.review(tmp_path / "d", sample=20, open_browser=False) as session:
        assert shown_while_answering(Client(session.url).enter(), 20)[-1]["conclusion"] == ""


@pytest.mark.parametrize(("sample", "limit"), [(None, 0.05), (50, 0.0), (50, 5)])
def test_a_limit_that_no_sample_can_be_held_against_is_refused(audit, tmp_path, sample, limit):
    with pytest.raises(DQLabelsError, match="max_noise_rate="):
        audit.review(tmp_path / "d", sample=sample, max_noise_rate=limit, start=False)


def test_decisions_of_an_earlier_sample_still_count(audit, tmp_path):
    with audit.review(tmp_path / "d", sample=90, open_browser=False) as session:
        shown_while_answering(Client(session.url).enter(), 90)
    with audit.review(tmp_path / "d", sample=60, open_browser=False) as session:
        progress = session.queue.progress(session.decisions.standing)
        known = set(session.queue.rows) & set(session.decisions.standing)
    assert progress["decided"] == len(known) > 30


def test_suspicious_rows_give_no_noise_rate(session, client):
    row = queue_of(client)[0]
    _, answer = client.decide(row["row"], "accept", row["suggested_code"])
    assert answer["progress"]["rate"] is None
    with pytest.raises(DQLabelsError, match="sample="):
        session.answers()


def test_a_port_that_is_taken_is_named(audit, session, tmp_path):
    with pytest.raises(DQLabelsError, match=f"Port {session.port}"):
        audit.review(tmp_path / "other", port=session.port, open_browser=False)


def test_a_missing_server_is_said_before_the_work(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    done = run("review", "none.csv", "-y", "y")
    assert done.returncode == 2
    assert done.stderr == b'dqlabels: The review page needs uvicorn: pip install "dqlabels[review]"\n'


def test_the_column_of_row_numbers_gets_another_name_where_the_table_has_one(tmp_path):
    audit = dqlabels.audit(pl.DataFrame(DATA).with_row_index("row"), "label", exclude="row")
    with audit.review(tmp_path / "d", sample=20, open_browser=False) as session:
        assert session.answers().columns == ["row_", "reviewed_label"]


def test_waiting_ends_when_the_server_stops(session):
    Timer(0.05, session.stop).start()
    session.wait()
    with pytest.raises(ConnectionRefusedError):
        Client(session.url).enter()


def test_a_session_shows_where_it_is(session):
    assert repr(session) == f"<ReviewSession at {session.url}, decisions in {session.decisions.path}>"
