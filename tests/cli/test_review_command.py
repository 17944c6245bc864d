"""``dqlabels review`` killed and begun again, and ``dqlabels apply``."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
from support.command import run
from support.frames import two_classes
from support.review import DATA, HEAD, Client, queue_of

from dqlabels.review.decisions import DecisionFile


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


def test_the_command_says_on_which_side_of_a_limit_the_sample_is(tmp_path):
    path = tmp_path / "t.csv"
    pl.DataFrame(two_classes(400)).write_csv(path)
    with started(path, "--sample", "60", "--max-noise-rate", "0.4") as (process, client):
        for item in queue_of(client)[:50]:
            client.decide(item["row"], "keep", item["given_code"])
        text = ended(process, signal.SIGINT)
    assert "Noise rate so far 0.0%" in text
    assert "Enough rows read to say: below the limit of 40.0%." in text


def test_the_command_applies_decisions_to_a_copy(tmp_path):
    source, target, kept = tmp_path / "t.csv", tmp_path / "out.parquet", tmp_path / "d"
    pl.DataFrame(DATA).write_csv(source)
    before = source.read_bytes()
    DecisionFile(kept, HEAD).record(7, "accept", 1)  # no, wrong by construction
    done = run("apply", source, "--decisions", kept, "-o", target)
    said = f"1 of 120 labels of label changed. label_original has all as they were. Wrote {target}.\n"
    assert done.stdout.decode() == said
    copy = pl.read_parquet(target)
    assert (copy["label"][7], copy["label_original"].to_list()) == ("yes", DATA["label"])
    assert source.read_bytes() == before


def test_the_reviewed_file_itself_is_not_overwritten(tmp_path):
    source = tmp_path / "t.csv"
    pl.DataFrame(DATA).write_csv(source)
    DecisionFile(tmp_path / "d", HEAD)
    done = run("apply", source, "-d", tmp_path / "d", "-o", source)
    assert (done.returncode, b"Name a copy" in done.stderr) == (2, True)
