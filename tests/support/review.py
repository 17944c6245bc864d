"""Decisions on a small table, and a browser in short that asks the review server."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import narwhals as nw
import polars as pl

from dqlabels.frames.columns import read_labels
from dqlabels.review.decisions import head_of
from support.frames import two_classes

DATA = two_classes()
HEAD = head_of(read_labels(nw.from_native(pl.DataFrame(DATA), eager_only=True), "label"))


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
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read().decode(errors="replace")
        finally:
            server.close()

    def enter(self) -> Client:
        status, headers, _ = self.ask(f"/?token={self.token}")
        assert status == 200
        self.cookie = headers["set-cookie"].split(";")[0]
        return self

    def decide(self, row: int, verdict: str, code: int, seen: int = 0, window: str = "w") -> tuple[int, dict]:
        said = {"row": row, "verdict": verdict, "code": code, "seen": seen, "window": window, "since": 0}
        status, _, body = self.ask("/api/decide", said)
        return status, json.loads(body)


def queue_of(client: Client, count: int = 50) -> list[dict]:
    return json.loads(client.ask(f"/api/rows?start=0&count={count}")[2])["items"]
