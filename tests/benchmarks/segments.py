"""How often a limit on the noise rate of segments raises a false alarm, and how often it finds a spoilt segment.

    python tests/benchmarks/segments.py --tables 100

Two classes, 3% of the labels wrong in every segment but r00, whose rate is that of the row; the probabilities are those
by which the labels came about. A false alarm is a segment other than r00 that fails. The last column counts tables in
which the plain mean P(wrong) of a segment other than r00 is above the limit of 6%, which no gate of ours uses.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path
from typing import Any

import polars as pl

sys.path.append(str(Path(__file__).parents[1]))
from support.segments import PROBS, judged

import dqlabels

LIMITS = (0.04, 0.05, 0.06, 0.10)
TABLES = ((50, 100, 0.03), (50, 400, 0.03), (50, 100, 0.25), (50, 400, 0.15), (5, 200, 0.15))


def verdicts(audit: Any) -> list[tuple[str, bool]]:
    """The verdict on r00 at each limit, and whether another segment fails."""
    found = []
    for limit in LIMITS:
        checks = audit.gate(max_segment_noise_rate=limit, by="region", on_inconclusive="pass").checks
        verdict = {check.of: check.verdict for check in checks}
        found.append((verdict.pop("r00"), "fail" in verdict.values()))
    return found


def plain_mean(audit: Any) -> float:
    """The largest mean P(wrong) of the segments but r00."""
    means = audit.frame.group_by("region").agg((1 - pl.col("label_quality")).mean().alias("mean"))
    return float(means.filter(pl.col("region") != "r00")["mean"].max())


def main() -> None:
    """Print a line for each kind of table and limit."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tables", type=int, default=100)
    number = parser.parse_args().tables
    warnings.simplefilter("ignore")
    print("segments  rows each  rate of r00  limit  r00 fails  r00 undecided  false alarms  plain mean")
    for segments, rows, bad in TABLES:
        data = [judged(rows * segments, segments, bad, seed=seed) for seed in range(number)]
        audits = [dqlabels.audit(pl.DataFrame(one), "label", pred_probs=list(PROBS)) for one in data]
        found = [verdicts(audit) for audit in audits]
        plain = sum(plain_mean(audit) > 0.06 for audit in audits)
        for at, limit in enumerate(LIMITS):
            of_first = [one[at][0] for one in found]
            alarms = sum(one[at][1] for one in found)
            counts = of_first.count("fail"), of_first.count("inconclusive")
            print(
                f"{segments:8} {rows:10} {bad:12.0%} {limit:6.0%} {counts[0]:10} {counts[1]:14} {alarms:13} {plain:11}"
            )


if __name__ == "__main__":
    main()
