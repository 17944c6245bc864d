"""How far each noise rate is from the truth: ``KEEL_WHEEL=... python tests/benchmarks/noise.py``.

Tables with nine settings of planted noise, whose rate is known. The probabilities are those of the default audit;
they are kept in ``--cache``, since they take most of the time. TABLES are those on which the constants of
``dqlabels.noise`` were chosen, FURTHER ones had no part in it. ``--choose`` leaves out each table in turn, chooses
the prior on the others and prints the error on the tables left out; ``--halves`` compares one half of each table,
noisy, with the other, clean.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tables import load, plant

from dqlabels.engines.memory import flag
from dqlabels.noise import mixture
from dqlabels.noise.anchor import anchor_noise
from dqlabels.noise.joint import confident_noise
from dqlabels.noise.methods import default_noise
from dqlabels.noise.mixture import NoisePrior, mixture_noise
from dqlabels.noise.rate import NoiseRate
from dqlabels.noise.reference import reference_noise

# Every table of the first kind in the wheel with 360 rows or more.
TABLES = (
    "australian", "banana", "bands", "chess", "contraceptive", "crx", "german", "led7digit", "letter", "magic",
    "mammographic", "marketing", "monk-2", "movement_libras", "mushroom", "optdigits", "penbased", "phoneme", "pima",
    "ring", "saheart", "satimage", "segment", "spambase", "splice", "texture", "tic-tac-toe", "titanic", "twonorm",
    "vehicle", "vowel", "wdbc", "wisconsin",
)  # fmt: skip
# The smaller ones, and one or two of each kind of imbalanced table.
FURTHER = (
    "ionosphere", "bupa", "breast", "heart", "housevotes", "sonar", "wine", "hayes-roth", "tae", "iris",
    "page-blocks0", "yeast1", "yeast3", "abalone19", "abalone9-18", "car-good", "flare-F", "winequality-red-4",
    "kr-vs-k-three_vs_eleven", "poker-8_vs_6", "ecoli1", "glass1", "shuttle-c0-vs-c4", "kddcup-land_vs_satan",
    "winequality-white-3-9_vs_5", "yeast-0-2-5-6_vs_3-7-8-9", "dermatology-6", "led7digit-0-2-4-5-6-7-8-9_vs_1",
)  # fmt: skip
SETTINGS = (
    ("none", 0.0), ("symmetric", 0.05), ("symmetric", 0.10), ("symmetric", 0.20), ("class_conditional", 0.05),
    ("class_conditional", 0.10), ("class_conditional", 0.20), ("feature_dependent", 0.05), ("feature_dependent", 0.10),
)  # fmt: skip
LIMIT = 0.05
HIGH = 0.0985  # a planted 10% is a little less where rows are few
PRIORS = tuple(NoisePrior(*numbers) for numbers in (
    (30.0, 300.0, 0.08), (60.0, 100.0, 0.05), (60.0, 100.0, 0.08), (60.0, 300.0, 0.05), (60.0, 300.0, 0.06),
    (60.0, 300.0, 0.08), (150.0, 300.0, 0.05), (150.0, 300.0, 0.08),
))  # fmt: skip
TEMPERS = (1.0, 0.3, 0.1)
METHODS: dict[str, Callable[[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]], NoiseRate]] = {
    "variational": lambda codes, probs, counts: default_noise(codes, probs, counts),
    "em": lambda codes, probs, counts: mixture_noise(codes, probs, method="em"),
    "anchor": lambda codes, probs, counts: anchor_noise(codes, probs),
    "confident": lambda codes, probs, counts: confident_noise(counts, np.bincount(codes)),
}


@dataclass(frozen=True)
class Cell:
    """One table with one noise: (n,) labels, (n, K) probabilities, and the share of labels that is wrong."""

    table: str
    noise: str
    share: float
    rate: float
    codes: NDArray[np.int64]
    probs: NDArray[np.float64]


def cells(names: tuple[str, ...], folder: Path) -> Iterator[Cell]:
    for name in names:
        kept = folder / f"{name}.npz"
        if not kept.exists():
            np.savez(kept, **audited(name))
        stored = np.load(kept)
        for at, (kind, share) in enumerate(SETTINGS):
            probs = stored[f"p{at}"].astype(float)
            codes = stored[f"c{at}"].astype(np.int64)
            rate = float((codes != stored["truth"]).mean())
            yield Cell(name, kind, share, rate, codes, probs / probs.sum(axis=1, keepdims=True))


def audited(name: str) -> dict[str, NDArray]:
    """Labels and probabilities of one table in every setting."""
    frame = load(name)
    kept: dict[str, NDArray] = {"truth": pd.factorize(frame["label"], sort=True)[0].astype(np.int16)}
    for at, (kind, share) in enumerate(SETTINGS):
        evidence = audit(frame if kind == "none" else plant(frame, kind, share, 0)[0]).evidence
        kept |= {f"c{at}": evidence.codes.astype(np.int16), f"p{at}": evidence.probs.astype(np.float32)}
    return kept


def audit(frame: pd.DataFrame):
    import dqlabels

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dqlabels.LabelWarning)
        return dqlabels.audit(frame, "label", progress=False)


def measure(names: tuple[str, ...], folder: Path) -> pd.DataFrame:
    """A row a cell and method."""
    rows = []
    for cell in cells(names, folder):
        counts = flag(cell.codes, cell.probs).counts
        error = float((cell.probs.argmax(axis=1) != cell.codes).mean())
        for method, estimate in METHODS.items():
            found = estimate(cell.codes, cell.probs, counts)
            facts = {"table": cell.table, "noise": cell.noise, "share": cell.share, "rate": cell.rate, "error": error}
            facts |= {"rows": len(cell.codes), "classes": cell.probs.shape[1]}
            rows.append({**facts, "method": method, "estimate": found.estimate, "low": found.low, "high": found.high,
                         "supported": found.supported})  # fmt: skip
    return pd.DataFrame(rows)


def print_estimates(found: pd.DataFrame) -> None:
    found = found.assign(
        off=(found.estimate - found.rate).abs(),
        bias=found.estimate - found.rate,
        covered=(found.low <= found.rate + 1e-9) & (found.rate <= found.high + 1e-9),
    )
    print("| noise | " + " | ".join(METHODS) + " |\n|" + "---|" * (1 + len(METHODS)))
    groups = [(f"{kind} {share:.0%}", (found.noise == kind) & (found.share == share)) for kind, share in SETTINGS]
    for name, here in [*groups, ("all", found.rate >= 0)]:
        parts = [found[here & (found.method == method)] for method in METHODS]
        shown = (f"{part.off.mean():.3f}, {part.bias.mean():+.3f}, {part.covered.mean():.0%}" for part in parts)
        print(f"| {name} | " + " | ".join(shown) + " |")
    for kind in dict(SETTINGS):
        part = found[(found.noise == kind) & (found.method == "variational")]
        width = (part.high - part.low).median()
        print(f"coverage of variational, {kind}: {part.covered.mean():.1%}; median width {width:.3f}")


def print_gates(found: pd.DataFrame) -> None:
    supported = found[found.method == "variational"].set_index(["table", "noise", "share"]).supported
    for method in METHODS:
        part = found[found.method == method].set_index(["table", "noise", "share"])
        for decide in ("estimate", "confident"):
            fails = part.estimate > LIMIT if decide == "estimate" else part.low > LIMIT
            passes = part.estimate <= LIMIT if decide == "estimate" else part.high <= LIMIT
            clean, noisy = part.rate == 0, part.rate >= HIGH
            for words, among in (("all", supported | True), ("supported", supported)):
                print(f"gate {method} {decide}, {words}: false alarms {(fails & clean & among).sum()} of "
                      f"{(clean & among).sum()}, misses {(passes & noisy & among).sum()} of {(noisy & among).sum()}, "
                      f"inconclusive {(~fails & ~passes & among).sum()} of {among.sum()}")  # fmt: skip
    print(f"not supported: {(~supported).sum()} of {supported.size} cells")


def print_changes(found: pd.DataFrame) -> None:
    """The change against the same table without noise, and the change of the joint."""
    clean = found[found.noise == "none"].set_index(["table", "method"])
    cells_of = found[found.method == "confident"]
    base = mixture_noise(np.arange(100) % 2, np.full((100, 2), 0.5))
    rows = []
    for cell in cells_of.itertuples():
        trusted = clean.loc[(cell.table, "confident")]
        profile = {"model_error": trusted.error, "rows": cell.rows, "classes": range(cell.classes)}
        change = reference_noise(cell.error, cell.rows, profile, base)
        joint = cell.estimate - trusted.estimate
        rows.append((cell.noise, abs(change.estimate - cell.rate), abs(joint - cell.rate),
                     change.low <= cell.rate <= change.high))  # fmt: skip
    table = pd.DataFrame(rows, columns=["noise", "reference", "joint", "covered"])
    print(table.groupby("noise", sort=False).mean().round(4).to_string())


def print_widths(found: pd.DataFrame) -> None:
    """The constants of the interval chosen on all tables but one, and its coverage on the one left out."""
    from sklearn.linear_model import QuantileRegressor

    for method in ("variational", "em"):
        part = found[found.method == method].reset_index(drop=True)
        unexplained = (part.error - part.estimate).clip(lower=0).to_numpy()[:, None]
        truth = (part.rate - part.estimate).to_numpy()
        covered = np.ones(len(part), dtype=bool)
        for quantile, inside in ((0.05, np.greater_equal), (0.95, np.less_equal)):
            for name in part.table.unique():
                out = (part.table == name).to_numpy()
                model = QuantileRegressor(quantile=quantile, alpha=0).fit(unexplained[~out], truth[~out])
                covered[out] &= inside(truth[out], model.predict(unexplained[out]) - np.sign(0.5 - quantile) * 1e-9)
            whole = QuantileRegressor(quantile=quantile, alpha=0).fit(unexplained, truth)
            print(f"{method}, quantile {quantile}: {whole.intercept_:+.3f} {whole.coef_[0]:+.3f} x unexplained")
        cells_of = {kind: covered[(part.noise == kind).to_numpy()].mean().round(3) for kind in dict(SETTINGS)}
        print(f"{method}, tables left out: coverage {covered.mean():.3f}, {cells_of}")


def choose(names: tuple[str, ...], folder: Path) -> None:
    """Mean absolute error on each table under the prior that is best on the others; the clean cells count twice."""
    tables, clean, off = [], [], []
    fit = mixture._fit
    for cell in cells(names, folder):
        counts = flag(cell.codes, cell.probs).counts
        line = []
        for mixture.PRIOR in PRIORS:
            known: dict[float, mixture._Fit] = {}

            def fit_once(codes, logs, sharpness, prior, start, known=known):
                if sharpness not in known:
                    known[sharpness] = fit(codes, logs, sharpness, prior, start)
                return known[sharpness]

            mixture._fit = fit_once
            for mixture.TEMPER in TEMPERS:
                line.append(abs(default_noise(cell.codes, cell.probs, counts).estimate - cell.rate))
        tables.append(cell.table)
        clean.append(cell.rate == 0)
        off.append(line)
    of, free, error = np.array(tables), np.array(clean), np.array(off)
    left_out = np.empty(len(of))
    for name in names:
        others, here = of != name, of == name
        best = int(np.argmin(error[others].mean(axis=0) + error[others & free].mean(axis=0)))
        left_out[here] = error[here, best]
        print(name, PRIORS[best // len(TEMPERS)], TEMPERS[best % len(TEMPERS)])
    print(f"tables left out of the choice: {left_out.mean():.4f}, without noise {left_out[free].mean():.4f}")


def halves(names: tuple[str, ...]) -> None:
    """The change against a clean half of the same table, and the change of the joint."""
    rows = []
    for name in names:
        frame = load(name)
        order = np.random.default_rng(0).permutation(len(frame))
        parts = [frame.iloc[order[at::2]].reset_index(drop=True) for at in (0, 1)]
        trusted = audit(parts[0])
        for kind, share in SETTINGS:
            noisy = parts[1] if kind == "none" else plant(parts[1], kind, share, 0)[0]
            rate = float((noisy["label"] != parts[1]["label"]).mean())
            tonight = audit(noisy)
            change = tonight.estimate_noise("reference", reference=trusted)
            joint = tonight.estimate_noise("confident").estimate - trusted.estimate_noise("confident").estimate
            rows.append((kind, abs(change.estimate - rate), abs(joint - rate), change.low <= rate <= change.high))
    found = pd.DataFrame(rows, columns=["noise", "reference", "joint", "covered"])
    print(found.groupby("noise", sort=False).mean().round(4).to_string())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "dqlabels-benchmarks" / "noise")
    parser.add_argument("--choose", action="store_true", help="Choose the prior again: about an hour.")
    parser.add_argument("--halves", action="store_true", help="The change against a trusted half.")
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    if options.choose:
        choose(TABLES, options.cache)
    elif options.halves:
        halves(TABLES)
    else:
        for words, names in (("tables", TABLES), ("further tables", FURTHER)):
            found = measure(names, options.cache)
            print(f"\n{len(names)} {words}, {len(found) // len(METHODS)} cells: error, bias, coverage\n")
            print_estimates(found)
            print_gates(found)
            print_changes(found)
            print_widths(found)


if __name__ == "__main__":
    main()
