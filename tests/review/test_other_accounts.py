"""What other programs and accounts of this machine can see of a review, and how they cannot stop it."""

from __future__ import annotations

import fcntl
import os
import socket
import stat
import time
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import polars as pl
import pytest
from support.review import DATA, HEAD, Client, queue_of

import dqlabels
from dqlabels.review.decisions import DecisionFile
from dqlabels.review.session import ReviewSession


@pytest.fixture(scope="module")
def audit():
    return dqlabels.audit(pl.DataFrame(DATA), "label")


def impatient(audit, path: Path) -> ReviewSession:
    """A session that waits for nobody longer than a fraction of a second."""
    template = audit.review(path, start=False)
    file = DecisionFile(path, HEAD, max_wait=0.2)
    template.stop()
    return ReviewSession(template.queue, file, "label", max_wait=0.5)


def test_the_browser_is_passed_no_token(audit, tmp_path, monkeypatch):
    passed: list[str] = []
    monkeypatch.setattr("webbrowser.open", passed.append)
    with audit.review(tmp_path / "d", open_browser=True) as session:
        token = session.url.partition("token=")[2]
        (address,) = passed
        leading = Path(url2pathname(urlsplit(address).path))
        assert token not in address
        assert token in leading.read_text()
        assert stat.S_IMODE(leading.stat().st_mode) == 0o600
        assert stat.S_IMODE(leading.parent.stat().st_mode) == 0o700
    assert not leading.parent.exists()


def is_closed(connection: socket.socket) -> bool:
    """Wait until the server closes a connection, without an answer."""
    try:
        return connection.recv(100) == b""
    except ConnectionError:
        return True


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: 127", b"POST /api/decide HTTP/1.1\r\n"], ids=len)
def test_a_connection_that_asks_nothing_is_closed(audit, tmp_path, sent):
    with impatient(audit, tmp_path / "d").start(open_browser=False) as session:
        with socket.create_connection(("127.0.0.1", session.port), timeout=20) as idle:
            idle.sendall(sent)
            began = time.monotonic()
            assert is_closed(idle)
        assert time.monotonic() - began < 10


def test_a_request_whose_body_never_comes_is_closed(audit, tmp_path):
    with impatient(audit, tmp_path / "d").start(open_browser=False) as session:
        client = Client(session.url).enter()
        head = (
            f"POST /api/decide HTTP/1.1\r\nHost: {client.host}\r\nCookie: {client.cookie}\r\n"
            f"Origin: http://{client.host}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"
        )
        with socket.create_connection(("127.0.0.1", session.port), timeout=20) as idle:
            idle.sendall(head.encode())
            assert is_closed(idle)


def test_a_stuck_lock_is_told_and_stops_no_other_request(audit, tmp_path):
    with impatient(audit, tmp_path / "d").start(open_browser=False) as session:
        client = Client(session.url).enter()
        row = queue_of(client)[0]
        stuck = os.open(tmp_path / "d", os.O_RDWR)
        fcntl.flock(stuck, fcntl.LOCK_EX)
        status, answer = client.decide(row["row"], "accept", row["suggested_code"])
        assert (status, "another program has held this file" in answer["error"]) == (507, True)
        assert client.ask("/api/state?since=0")[0] == 500
        assert [client.ask(path)[0] for path in ("/", "/review.js", "/api/about", "/api/rows")] == [200] * 4
        os.close(stuck)
        assert client.decide(row["row"], "accept", row["suggested_code"])[0] == 200


def test_what_was_read_can_be_looked_at_while_another_waits(tmp_path):
    file = DecisionFile(tmp_path / "d", HEAD, max_wait=0.2)
    file.record(3, "choose", 1)
    stuck = os.open(tmp_path / "d", os.O_RDWR)
    fcntl.flock(stuck, fcntl.LOCK_EX)
    with pytest.raises(TimeoutError, match="another program has held this file for 0.2 s"):
        file.refresh()
    assert list(file.standing) == [3]
    os.close(stuck)
