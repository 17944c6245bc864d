"""Several annotators and several labels a row against cleanlab and crowd-kit, on the same data in one run.

``python tests/benchmarks/annotators.py``; needs ``pip install crowd-kit``. Votes are simulated on real tables: the
truth is the table's label, annotators of unequal skill err, most on rows that a model finds hard. All sides see the
same votes and, where they take them, the same out-of-sample probabilities; sides alternate, times are medians.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dqlabels.audits.tags.verdict import judge_tags
from dqlabels.noise.annotators import annotators_noise, draw_truth
from dqlabels.statistics.active_learning import activelab_scores
from dqlabels.statistics.consensus import best_or, crowdlab, dawid_skene, ibcc, majority
from dqlabels.statistics.votes import Votes

Codes = NDArray[np.int64]
Probs = NDArray[np.float64]


def table(name: str) -> tuple[Codes, Probs, int]:
    """Truth (n,), out-of-sample probabilities (n, K) of trees fitted on labels with 10% noise, and K."""
    from sklearn.datasets import load_breast_cancer, load_digits
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.model_selection import cross_val_predict

    data = load_digits() if name == "digits" else load_breast_cancer()
    truth, k = data.target.astype(np.int64), int(data.target.max()) + 1
    rng = np.random.default_rng(0)
    noisy = np.where(rng.random(truth.size) < 0.1, (truth + rng.integers(1, k, truth.size)) % k, truth)
    model = ExtraTreesClassifier(200, random_state=0)
    return truth, cross_val_predict(model, data.data, noisy, method="predict_proba"), k


def votes_on(truth: Codes, probs: Probs, k: int, annotators: int, an_item: float, seed: int) -> Codes:
    """Labels (n, J), -1 where none: each annotator's errors fall twice as often on the harder half."""
    rng = np.random.default_rng(seed)
    n = truth.size
    hard = probs[np.arange(n), truth] < np.median(probs[np.arange(n), truth])
    error = rng.beta(2, 8, annotators)[None] * np.where(hard, 4 / 3, 2 / 3)[:, None]
    wrong = rng.random((n, annotators)) < error
    codes = np.where(wrong, (truth[:, None] + rng.integers(1, k, wrong.shape)) % k, truth[:, None])
    asked = rng.random((n, annotators)) < an_item / annotators
    asked[np.arange(n), rng.integers(0, annotators, n)] = True
    return np.where(asked, codes, -1)


def as_long(codes: Codes) -> pd.DataFrame:
    item, who = np.nonzero(codes >= 0)
    return pd.DataFrame({"task": item, "worker": who, "label": codes[item, who]})


def timed(sides: dict[str, Callable[[], Codes]], repeats: int) -> dict[str, tuple[Codes, float]]:
    """Each side's answer and the median of its seconds; sides alternate."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    answers: dict[str, Codes] = {}
    for _ in range(repeats):
        for name, side in sides.items():
            started = time.perf_counter()
            with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                answers[name] = side()
            times[name].append(time.perf_counter() - started)
    return {name: (answers[name], statistics.median(times[name])) for name in sides}


def consensus_sides(codes: Codes, probs: Probs, k: int) -> dict[str, Callable[[], Codes]]:
    """A consensus (n,) by each method of each library, from the labels as that library takes them."""
    from cleanlab.multiannotator import get_label_quality_multiannotator
    from crowdkit.aggregation import GLAD, DawidSkene, MajorityVote, OneCoinDawidSkene

    frame, wide = as_long(codes), pd.DataFrame(np.where(codes < 0, np.nan, codes))

    def by_labels(method: Callable[[Votes], object]) -> Codes:
        votes = Votes.of_columns(codes, k)
        return method(votes).posterior[votes.pattern].argmax(axis=1)

    def with_model() -> Codes:
        votes = Votes.of_columns(codes, k)
        first = majority(votes, probs)
        return best_or(crowdlab(votes, probs, first).posterior, first)

    return {
        "majority, ours": lambda: majority(Votes.of_columns(codes, k)),
        "majority, crowd-kit": lambda: MajorityVote().fit_predict(frame).sort_index().to_numpy(),
        "Dawid-Skene, ours": lambda: by_labels(dawid_skene),
        "Dawid-Skene, crowd-kit": lambda: DawidSkene(n_iter=100).fit_predict(frame).sort_index().to_numpy(),
        "IBCC, ours": lambda: by_labels(ibcc),
        "one coin, crowd-kit": lambda: OneCoinDawidSkene(n_iter=100).fit_predict(frame).sort_index().to_numpy(),
        "GLAD, crowd-kit": lambda: GLAD(n_iter=50, silent=True).fit_predict(frame).sort_index().to_numpy(),
        "CROWDLAB, ours": with_model,
        "CROWDLAB, cleanlab": lambda: get_label_quality_multiannotator(wide, probs, verbose=False)["label_quality"][
            "consensus_label"
        ].to_numpy(),
    }


def noise(truth: Codes, codes: Codes, probs: Probs, k: int) -> str:
    """The share of wrong labels: true, by labels alone, with the model, and 1 - agreement with the majority."""
    votes = Votes.of_columns(codes, k)
    wrong = float((codes != truth[:, None])[codes >= 0].mean())
    label = majority(votes, probs)
    alone = annotators_noise(draw_truth(votes, majority(votes)))
    helped = annotators_noise(draw_truth(votes, label, model=probs.argmax(axis=1)))
    naive = float((votes.code != label[votes.item]).mean())
    return f"true {wrong:.4f}; labels alone {alone}; with model {helped}; disagreeing with majority {naive:.4f}"


def coverage(repeats: int) -> None:
    """How often the 90% interval holds the true share, on votes whose errors are independent."""
    cases = ((500, 2, (0.05, 0.15)), (500, 3, (0.05, 0.1, 0.2)), (500, 4, (0.15,) * 8), (300, 10, (0.1,) * 5))
    for n, k, skills in cases:
        error, hits, widths = [], 0, []
        for seed in range(repeats):
            rng = np.random.default_rng(seed)
            truth = rng.choice(k, n, p=rng.dirichlet(np.ones(k) * 5))
            wrong = rng.random((n, len(skills))) < skills
            codes = np.where(wrong, (truth[:, None] + rng.integers(1, k, wrong.shape)) % k, truth[:, None])
            votes = Votes.of_columns(codes, k)
            rate = annotators_noise(draw_truth(votes, majority(votes)))
            error.append(rate.estimate - float(wrong.mean()))
            hits += rate.low <= float(wrong.mean()) <= rate.high
            widths.append(rate.high - rate.low)
        print(
            f"{n} items, {len(skills)} annotators, {k} classes: mean error {np.mean(error):+.4f}, absolute "
            f"{np.mean(np.abs(error)):.4f}, coverage {hits / repeats:.2f}, width {np.mean(widths):.4f}"
        )


def crowds(folder: Path) -> None:
    """The rate of two real crowds whose truth is known, and whether their errors are taken for independent."""
    for name in ("duck", "face"):
        answers_at, truth_at = (folder / f"crowd_{name}_{part}" for part in ("answers.csv.gz", "truth.csv"))
        if not answers_at.exists():
            print(f"crowd {name}: skipped, {answers_at} is not here")
            continue
        answers, truth = pd.read_csv(answers_at), pd.read_csv(truth_at).set_index("question")["truth"]
        right = answers["question"].map(truth)
        wrong = float((answers["answer"] != right)[right.notna()].mean())
        item, who, code = (pd.factorize(answers[column])[0] for column in ("question", "worker", "answer"))
        votes = Votes.of(item, who, code, n_items=item.max() + 1, n_annotators=who.max() + 1, n_classes=code.max() + 1)
        draws = draw_truth(votes, majority(votes))
        print(f"crowd {name}: true {wrong:.4f}; p {draws.independence:.2f}; {annotators_noise(draws)}")


def doubts(repeats: int) -> None:
    """How often annotators are doubted who err independently, and who all err more on the same half of the items."""
    cases = ((500, 2, 3, 3), (500, 4, 8, 8), (300, 10, 5, 5), (400, 2, 20, 5), (108, 2, 39, 39), (584, 4, 27, 9))
    for n, k, annotators, an_item in cases:
        shares = []
        for hard in (0.0, 0.6):
            doubted = 0
            for seed in range(repeats):
                rng = np.random.default_rng(seed)
                truth = rng.integers(0, k, n)
                error = np.linspace(0.05, 0.35, annotators) * np.where(rng.random(n) < 0.5, 1 + hard, 1 - hard)[:, None]
                wrong = rng.random((n, annotators)) < error
                codes = np.where(wrong, (truth[:, None] + rng.integers(1, k, wrong.shape)) % k, truth[:, None])
                codes[rng.random(codes.shape) >= an_item / annotators] = -1
                votes = Votes.of_columns(codes, k)
                doubted += not annotators_noise(draw_truth(votes, majority(votes), random_state=seed)).supported
            shares.append(f"{doubted / repeats:.0%}")
        print(f"{n} items, {k} classes, {annotators} annotators, {an_item} an item: doubted {', '.join(shares)}")


def labels_a_row(repeats: int) -> None:
    """Flags per label and row qualities, ours and cleanlab's, on 20,000 rows and 20 labels."""
    from cleanlab.multilabel_classification.filter import find_multilabel_issues_per_class
    from cleanlab.multilabel_classification.rank import get_label_quality_scores

    rng = np.random.default_rng(0)
    truth = rng.random((20_000, 20)) < rng.uniform(0.02, 0.5, 20)
    codes = (truth ^ (rng.random(truth.shape) < 0.03)).astype(np.int64)
    probs = 1 / (1 + np.exp(-(truth * 4.0 - 2) - rng.normal(size=truth.shape)))
    lists = [np.flatnonzero(row).tolist() for row in codes]

    def theirs() -> Codes:
        get_label_quality_scores(lists, probs)
        return find_multilabel_issues_per_class(lists, probs, n_jobs=1)

    sides = {
        "multilabel, ours": lambda: judge_tags(codes, probs, n_threads=1).flagged,
        "multilabel, ours, compat": lambda: judge_tags(codes, probs, compat="cleanlab", n_threads=1).flagged,
        "multilabel, cleanlab": theirs,
    }
    found = timed(sides, repeats)
    wrong = codes != truth
    for name, (flagged, seconds) in found.items():
        same = float((flagged == found["multilabel, cleanlab"][0]).mean())
        share = (flagged & wrong).sum() / flagged.sum(), (flagged & wrong).sum() / wrong.sum()
        print(f"{name:28} {seconds:8.3f} s  precision {share[0]:.3f}  recall {share[1]:.3f}  as cleanlab {same:.5f}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--crowds", type=Path, help="folder of the crowds: measures these and doubts, and ends")
    given = options.parse_args()
    repeats = given.repeats
    if given.crowds is not None:
        crowds(given.crowds)
        doubts(10 * repeats)
        return
    cases = (("breast cancer", 5, 3.0), ("digits", 5, 3.0), ("digits", 50, 3.0), ("digits", 2, 2.0))
    for name, annotators, an_item in cases:
        truth, probs, k = table(name)
        right: dict[str, list[float]] = {}
        seconds: dict[str, list[float]] = {}
        for seed in range(repeats):
            codes = votes_on(truth, probs, k, annotators, an_item, seed)
            for side, (answer, took) in timed(consensus_sides(codes, probs, k), 1).items():
                right.setdefault(side, []).append(float((answer == truth).mean()))
                seconds.setdefault(side, []).append(took)
        print(f"\n{name}: {truth.size:,} items, {annotators} annotators, about {an_item:g} labels an item, {k} classes")
        for side, shares in right.items():
            print(f"{side:28} right {np.mean(shares):.4f}  {statistics.median(seconds[side]):8.3f} s")
        print(noise(truth, codes, probs, k))
        votes = Votes.of_columns(codes, k)
        started = time.perf_counter()
        activelab_scores(votes, probs)
        print(f"ActiveLab, ours {time.perf_counter() - started:.3f} s")
    print()
    labels_a_row(repeats)
    print()
    coverage(10 * repeats)


if __name__ == "__main__":
    main()
