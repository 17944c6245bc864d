"""The check-up against cleanlab's Datalab: problems planted in real tables, false alarms on untouched ones, and time.

    pip install "cleanlab[datalab]==2.9.0"
    KEEL_WHEEL=... python tests/benchmarks/checkup.py planted   # found and time, both sides
    KEEL_WHEEL=... python tests/benchmarks/checkup.py untouched # what is flagged of the same tables as they are
    python tests/benchmarks/checkup.py simulated                # how often independent rows are called odd
    python tests/benchmarks/checkup.py order                    # blocks of flags along the rows, none and planted

Both sides get the same out-of-sample probabilities. Datalab takes a matrix: numbers standardised, missing ones as the
mean, categories as columns of 0 and 1.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tables import load

import dqlabels
from dqlabels.checks.order import follow

TABLES = ("german", "crx", "contraceptive", "vehicle", "pima", "phoneme", "magic", "satimage", "letter")
MAX_ROWS = 5_000
SHARE = 0.02
BoolArray = NDArray[np.bool_]
Planted = tuple[pd.DataFrame, BoolArray]


def shuffled(name: str, seed: int = 0) -> pd.DataFrame:
    """A table of at most 5,000 rows in random order, without its own copies."""
    frame = load(name)
    frame = frame.drop_duplicates(subset=frame.columns.drop("label"))
    return frame.sample(min(len(frame), MAX_ROWS), random_state=seed).reset_index(drop=True)


def numbers_of(frame: pd.DataFrame) -> list[str]:
    return [key for key in frame.columns.drop("label") if pd.api.types.is_numeric_dtype(frame[key])]


def fine_numbers(frame: pd.DataFrame) -> list[str]:
    """Those of more than 20 values, or all where there are none."""
    return [key for key in numbers_of(frame) if frame[key].nunique() > 20] or numbers_of(frame)


def added(frame: pd.DataFrame, more: pd.DataFrame, of: NDArray[np.int64]) -> Planted:
    """The table with more rows at its end, which repeat the rows ``of``; both are marked."""
    whole = pd.concat([frame, more], ignore_index=True)
    marked = np.zeros(len(whole), dtype=bool)
    marked[of] = True
    marked[len(frame) :] = True
    order = np.random.default_rng(1).permutation(len(whole))
    return whole.iloc[order].reset_index(drop=True), marked[order]


def drawn(frame: pd.DataFrame, rng: np.random.Generator) -> NDArray[np.int64]:
    return rng.choice(len(frame), max(5, round(SHARE * len(frame))), replace=False)


def copies(frame: pd.DataFrame, rng: np.random.Generator) -> Planted:
    """2% of the rows once more."""
    rows = drawn(frame, rng)
    return added(frame, frame.iloc[rows].copy(), rows)


def near_copies(frame: pd.DataFrame, rng: np.random.Generator) -> Planted:
    """2% of the rows once more, each number moved by a hundredth of its quartile distance."""
    rows = drawn(frame, rng)
    more = frame.iloc[rows].copy()
    for key in numbers_of(frame):
        low, high = frame[key].quantile([0.25, 0.75])
        more[key] = more[key].astype(float) + 0.01 * (high - low) * rng.normal(size=rows.size)
    return added(frame, more, rows)


def far_rows(frame: pd.DataFrame, rng: np.random.Generator) -> Planted:
    """2% of the rows with every number moved by three quartile distances, up or down."""
    rows = drawn(frame, rng)
    frame = frame.copy()
    for key in numbers_of(frame):
        low, high = frame[key].quantile([0.25, 0.75])
        step = 3 * ((high - low) or frame[key].std())
        frame[key] = frame[key].astype(float)
        frame.loc[rows, key] += step * rng.choice([-1, 1], rows.size)
    return frame, np.isin(np.arange(len(frame)), rows)


def ten_times(frame: pd.DataFrame, rng: np.random.Generator) -> Planted:
    """2% of the rows with one number ten times as large."""
    rows = drawn(frame, rng)
    frame = frame.copy()
    keys = rng.choice(numbers_of(frame), rows.size)
    for row, key in zip(rows, keys, strict=True):
        frame[key] = frame[key].astype(float)
        frame.loc[row, key] *= 10
    return frame, np.isin(np.arange(len(frame)), rows)


def bad_region(frame: pd.DataFrame, rng: np.random.Generator) -> Planted:
    """In the upper fifth of one number half of the labels are replaced by any."""
    frame = frame.copy()
    values = frame[rng.choice(fine_numbers(frame))].rank(method="first")
    region = (values > 0.8 * len(frame)).to_numpy()
    wrong = region & (rng.uniform(size=len(frame)) < 0.5)
    frame.loc[wrong, "label"] = rng.choice(frame["label"].unique(), int(wrong.sum()))
    return frame, region


def by_label(frame: pd.DataFrame, rng: np.random.Generator) -> Planted:
    """Rows in the order of a noisy rank of their label."""
    noisy = pd.factorize(frame["label"], sort=True)[0] + 2 * rng.normal(size=len(frame)) * frame["label"].nunique() / 2
    return frame.iloc[np.argsort(noisy, kind="stable")].reset_index(drop=True), np.zeros(len(frame), dtype=bool)


def by_feature(frame: pd.DataFrame, rng: np.random.Generator) -> Planted:
    """Rows in the order of a noisy rank of one number."""
    key = rng.choice(fine_numbers(frame))
    noisy = frame[key].rank() / len(frame) + 0.5 * rng.normal(size=len(frame))
    return frame.iloc[np.argsort(noisy, kind="stable")].reset_index(drop=True), np.zeros(len(frame), dtype=bool)


def in_runs(frame: pd.DataFrame, rng: np.random.Generator) -> Planted:
    """Runs of five rows of one class, the runs in random order."""
    place = frame.groupby("label").cumcount() // 5
    runs = pd.factorize(pd.MultiIndex.from_arrays([frame["label"], place]))[0]
    order = rng.permutation(runs.max() + 1)[runs]
    return frame.iloc[np.argsort(order, kind="stable")].reset_index(drop=True), np.zeros(len(frame), dtype=bool)


PLANTS: dict[str, tuple[Callable[..., Planted], str, str, str]] = {
    # our check and column, and Datalab's check
    "copies": (copies, "duplicates", "is_duplicate", "near_duplicate"),
    "near copies": (near_copies, "duplicates", "is_duplicate", "near_duplicate"),
    "far rows": (far_rows, "outliers", "is_outlier", "outlier"),
    "one number times ten": (ten_times, "outliers", "is_outlier", "outlier"),
    "region of bad labels": (bad_region, "groups", "failing_group", "underperforming_group"),
    "ordered by label": (by_label, "order", "", "non_iid"),
    "ordered by a feature": (by_feature, "order", "", "non_iid"),
    "runs of one label": (in_runs, "order", "", "non_iid"),
}


def matrix_of(frame: pd.DataFrame) -> NDArray[np.float64]:
    wide = pd.get_dummies(frame.drop(columns="label")).astype(float)
    wide = (wide - wide.mean()) / wide.std().replace(0, 1)
    return wide.fillna(0).to_numpy()


def by_datalab(frame: pd.DataFrame, probs: NDArray[np.float64]) -> tuple[dict[str, BoolArray], float]:
    """What each check of Datalab flags, and its seconds."""
    from cleanlab import Datalab

    started = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lab = Datalab({"label": frame["label"].tolist()}, label_name="label", verbosity=0)
        kinds = ("near_duplicate", "outlier", "underperforming_group", "non_iid", "null", "class_imbalance")
        lab.find_issues(pred_probs=probs, features=matrix_of(frame), issue_types={kind: {} for kind in kinds})
    issues = lab.get_issues()
    found = {kind: issues[f"is_{kind}_issue"].to_numpy() for kind in kinds if f"is_{kind}_issue" in issues}
    return found, time.perf_counter() - started


def by_checkup(audit: dqlabels.LabelAudit, columns: list[str]) -> tuple[Any, pd.DataFrame, float]:
    started = time.perf_counter()
    checkup = audit.checkup(columns=columns, n_jobs=1)
    return checkup, checkup.frame, time.perf_counter() - started


def both(frame: pd.DataFrame) -> tuple[dict[str, BoolArray], dict[str, BoolArray], float, float]:
    """What each side flags, by our checks and by Datalab's, and the seconds of each beyond the model."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        audit = dqlabels.audit(frame, "label", n_jobs=1)
    probs = audit.probabilities.drop(columns="row").to_numpy()
    checkup, columns, ours = by_checkup(audit, ["is_duplicate", "is_outlier", "failing_group"])
    flags = {
        "duplicates": columns["is_duplicate"].to_numpy(bool),
        "outliers": columns["is_outlier"].to_numpy(bool),
        "groups": columns["failing_group"].notna().to_numpy(),
        "order": np.full(len(frame), "order" in checkup.found),
    }
    theirs, seconds = by_datalab(frame, probs)
    return flags, theirs, ours, seconds


def share(found: BoolArray | None, planted: BoolArray) -> tuple[float, float]:
    """Recall and precision of rows; of what concerns the whole table, whether anything was found."""
    if found is None:
        return 0.0, np.nan
    if not planted.any():
        return float(found.any()), np.nan
    return float(found[planted].mean()), float(planted[found].mean()) if found.any() else np.nan


def planted_lines(names: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    for name in names:
        for what, (plant, ours, _, theirs) in PLANTS.items():
            rng = np.random.default_rng([7, list(PLANTS).index(what)])
            frame, planted = plant(shuffled(name), rng)
            mine, datalab, seconds, their_seconds = both(frame)
            yield {
                "table": name, "planted": what, "rows": len(frame),
                **dict(zip(("recall", "precision"), share(mine[ours], planted), strict=True)),
                **dict(zip(("their_recall", "their_precision"), share(datalab.get(theirs), planted), strict=True)),
                "seconds": seconds, "their_seconds": their_seconds,
            }  # fmt: skip


def untouched_lines(names: tuple[str, ...], repeats: int) -> Iterator[dict[str, Any]]:
    for name in names:
        for seed in range(repeats):
            mine, datalab, seconds, their_seconds = both(shuffled(name, seed))
            yield {
                "table": name,
                **{key: int(flags.sum()) for key, flags in mine.items()},
                **{f"their_{key}": int(flags.sum()) for key, flags in datalab.items()},
                "seconds": seconds, "their_seconds": their_seconds,
            }  # fmt: skip


def simulated(kind: str, rows: int, rng: np.random.Generator) -> pd.DataFrame:
    """Independent rows of one law, with labels that have nothing to do with them."""
    normal = rng.normal(size=(rows, 30))
    cluster = rng.integers(0, 5, rows)
    spreads = np.array([0.5, 1.0, 1.0, 1.5, 2.0])[cluster, None]
    columns: dict[str, Callable[[], Any]] = {
        "normal, 1 column": lambda: normal[:, :1],
        "normal, 2 columns": lambda: normal[:, :2],
        "normal, 8 columns": lambda: normal[:, :8],
        "normal, 30 columns": lambda: normal,
        "uniform, 3 columns": lambda: rng.uniform(size=(rows, 3)),
        "dependent, 10 columns": lambda: (normal[:, :10] * 2.0 ** -np.arange(10)) @ MIXING,
        "5 clusters, 5 columns": lambda: CENTRES[cluster] + spreads * normal[:, :5],
        "log-normal, 6 columns": lambda: np.exp(normal[:, :6]),
        "Student's t(3), 6 columns": lambda: rng.standard_t(3, (rows, 6)),
        "counts, 8 columns": lambda: rng.poisson(3, (rows, 8)),
        "categories and numbers": lambda: normal[:, :5],
        "categories alone": lambda: np.zeros((rows, 0)),
    }
    frame = pd.DataFrame(columns[kind]()).add_prefix("x")
    if kind.startswith("categories"):
        for at, values in enumerate((2, 4, 8, 30)):
            frame[f"c{at}"] = np.array([f"v{k}" for k in range(values)])[rng.integers(0, values, rows)]
        frame["b"] = rng.uniform(size=rows) < 0.05
        frame["gaps"] = np.where(rng.uniform(size=rows) < 0.2, np.nan, rng.poisson(2, rows))
    return frame.assign(label=np.array(["a", "b", "c"])[rng.choice(3, rows, p=(0.5, 0.3, 0.2))])


MIXING = np.random.default_rng(1).normal(size=(10, 10))
CENTRES = 6 * np.random.default_rng(2).normal(size=(5, 5))
KINDS = (
    "normal, 1 column", "normal, 2 columns", "normal, 8 columns", "normal, 30 columns", "uniform, 3 columns",
    "dependent, 10 columns", "5 clusters, 5 columns", "log-normal, 6 columns", "Student's t(3), 6 columns",
    "counts, 8 columns",
    "categories and numbers", "categories alone",
)  # fmt: skip


def simulated_lines(repeats: int, rows: int) -> Iterator[dict[str, Any]]:
    """The share of tables in which each check finds something, at two rates."""
    for kind in KINDS:
        for alpha in (0.01, 0.05):
            found = dict.fromkeys(("duplicates", "outliers", "groups", "order"), 0)
            flagged = 0
            for seed in range(repeats):
                rng = np.random.default_rng([seed, KINDS.index(kind)])
                frame = simulated(kind, rows, rng)
                probs = rng.dirichlet((2, 2, 2), rows)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    audit = dqlabels.audit(frame, "label", pred_probs=probs, classes=["a", "b", "c"], n_jobs=1)
                checkup = audit.checkup([*found], alpha=alpha, n_jobs=1)
                for check in checkup.found:
                    found[check] += 1
                flagged += next(one.rows for one in checkup.all_findings if one.check == "outliers")
            rates = {check: times / repeats for check, times in found.items()}
            yield {"kind": kind, "alpha": alpha, **rates, "outlier_rows": flagged / repeats / rows}


# Rows, rows of the block, and the flagged share inside and outside of it.
BLOCKS = (
    (200, 20, 0.50, 0.05), (1_000, 40, 0.31, 0.02), (1_000, 60, 0.40, 0.10), (20_000, 60, 0.31, 0.02),
    (20_000, 400, 0.20, 0.10),
)  # fmt: skip


def order() -> None:
    """How often flags without a pattern are named, and planted blocks found with and without the scan."""
    rng = np.random.default_rng(1)
    for rows in (60, 1_000, 20_000):
        for share in (0.01, 0.10):
            changes = [follow((rng.random(rows) < share).astype(float)) for _ in range(400)]
            named = np.mean([one is not None and one.p <= 0.01 and one.matters for one in changes])
            print(f"{rows:6,} rows, {share:.0%} flagged: named in {named:.2%}")
    for rows, length, inside, outside in BLOCKS:
        found = np.zeros((100, 2))
        for at in range(100):
            start = int(rng.integers(0, rows - length))
            shares = np.full(rows, outside)
            shares[start : start + length] = inside
            change = follow((rng.random(rows) < shares).astype(float))
            if change is not None:
                found[at] = 3 * change.block.p <= 0.01, 2 * min(change.shift_p, change.correlation_p) <= 0.01
        by_block, before = found.mean(axis=0)
        planted = f"{length:,} of {rows:,} rows at {inside:.0%}, the others at {outside:.0%}"
        print(f"{planted}: {by_block:.0%} by block, {before:.0%} before")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("planted", "untouched", "simulated", "order"))
    parser.add_argument("--tables", default=",".join(TABLES))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rows", type=int, default=500, help="of a simulated table")
    chosen = parser.parse_args()
    names = tuple(chosen.tables.split(","))
    if chosen.what == "order":
        order()
        return
    if chosen.what == "simulated":
        print(pd.DataFrame(simulated_lines(chosen.repeats, chosen.rows)).to_string())
        return
    lines = planted_lines(names) if chosen.what == "planted" else untouched_lines(names, chosen.repeats)
    rows = []
    for line in lines:
        rows.append(line)
        print({key: round(value, 3) if isinstance(value, float) else value for key, value in line.items()}, flush=True)
    table = pd.DataFrame(rows)
    by = "planted" if chosen.what == "planted" else "table"
    print(table.drop(columns=["table"] if by == "planted" else []).groupby(by, sort=False).mean().round(3).to_string())
    print("seconds, theirs over ours, median:", round((table["their_seconds"] / table["seconds"]).median(), 2))


if __name__ == "__main__":
    main()
