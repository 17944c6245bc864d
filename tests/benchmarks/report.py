"""Size and time of the report by rows, and rows decided a minute by script: python tests/benchmarks/report.py"""

from __future__ import annotations

import http.client
import json
import resource
import statistics
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import polars as pl

import dqlabels

COLUMNS = 20
REPEATS = 3
DECISIONS = 500


def table(rows: int) -> tuple[pl.DataFrame, np.ndarray]:
    """15 numbers, 5 categories, two classes, 3% of the labels wrong; with probabilities, so that nothing is fitted."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, rows)
    columns = {f"number {k}": (truth * (k % 3) + rng.normal(size=rows)) for k in range(COLUMNS - 5)}
    columns |= {f"category {k}": np.array(list("abcdefgh"))[rng.integers(0, 8, rows)] for k in range(5)}
    label = np.where(rng.random(rows) < 0.03, 1 - truth, truth)
    sure = np.clip(rng.beta(8, 1, rows), 1e-6, 1 - 1e-6)
    right = np.where(truth == 1, sure, 1 - sure)
    return pl.DataFrame({**columns, "label": label}), np.column_stack([1 - right, right])


def report() -> None:
    for rows in (1_000, 100_000, 1_000_000):
        frame, probs = table(rows)
        audit = dqlabels.audit(frame, "label", pred_probs=probs, classes=[0, 1])
        times = []
        for _ in range(REPEATS):
            started = time.perf_counter()
            page = audit.to_html()
            times.append(time.perf_counter() - started)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        size = len(page.encode()) / 1000
        print(f"{rows:>9,} rows: {statistics.median(times):5.2f} s, {size:4.0f} kB, peak of the process {peak:,.0f} MB")


def review() -> None:
    frame, probs = table(100_000)
    audit = dqlabels.audit(frame, "label", pred_probs=probs, classes=[0, 1])
    with tempfile.TemporaryDirectory() as folder:
        for sample in (None, DECISIONS):
            path = Path(folder) / f"{sample}.jsonl"
            with audit.review(path, sample=sample, open_browser=False) as session:
                parts = urlsplit(session.url)
                server = http.client.HTTPConnection("127.0.0.1", parts.port)
                server.request("GET", f"/?{parts.query}")
                answer = server.getresponse()
                answer.read()
                headers = {"Cookie": answer.headers["set-cookie"].split(";")[0]}
                server.request("GET", "/api/rows?count=1", headers=headers)
                server.getresponse().read()
                rows = audit.evidence.positions[session.queue.order][:DECISIONS].tolist()
                codes = audit.evidence.codes[session.queue.order][:DECISIONS].tolist()
                headers |= {"Content-Type": "application/json", "Origin": f"http://127.0.0.1:{parts.port}"}
                started = time.perf_counter()
                for at, (row, code) in enumerate(zip(rows, codes, strict=True)):
                    said = {"row": row, "verdict": "keep", "code": code, "seen": 0, "window": "w", "since": at}
                    server.request("POST", "/api/decide", json.dumps(said), headers)
                    answer = server.getresponse()
                    assert answer.status == 200, answer.read()
                    answer.read()
                spent = time.perf_counter() - started
                kind = "suspicious" if sample is None else "sample"
                each = 1000 * spent / len(rows)
                print(f"{kind}: {60 * len(rows) / spent:,.0f} rows decided a minute, {each:.1f} ms each")


if __name__ == "__main__":
    report()
    review()
