"""Labels of tokens: how long an audit takes beside cleanlab, and whether intervals allow for sentences tagged badly.

    python tests/benchmarks/tokens.py --sentences 50000 --tables 200

Probabilities are those of a softmax over a normal score of each class, higher by 4 for the true one (by 3 in the second
part). In the second part's tables 5% of the labels are wrong: each by itself, or half of those of a tenth of the
sentences.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import polars as pl
from cleanlab.token_classification.filter import find_label_issues

import dqlabels
from dqlabels.audits.options import Options
from dqlabels.audits.tokens.verdict import judge_tokens
from dqlabels.noise.rate import share_interval

CONFIDENCE, WRONG = 0.90, 0.05


class Tokens(NamedTuple):
    """Labels (t,), probabilities (t, K), sentences (t,), and which labels are wrong (t,)."""

    codes: np.ndarray
    probs: np.ndarray
    sentences: np.ndarray
    wrong: np.ndarray


def drawn(seed: int, sentences: int, classes: int, lead: float, share: Callable[..., np.ndarray]) -> Tokens:
    """Sentences of 5 to 30 tokens, most of them of the first class."""
    rng = np.random.default_rng(seed)
    rows = np.repeat(np.arange(sentences), rng.integers(5, 31, sentences))
    common = np.array([0.6, *[0.4 / (classes - 1)] * (classes - 1)])
    truth = rng.choice(classes, rows.size, p=common)
    wrong = rng.random(rows.size) < share(rng, sentences)[rows]
    codes = np.where(wrong, (truth + rng.integers(1, classes, rows.size)) % classes, truth)
    scores = np.exp(lead * np.eye(classes)[truth] + rng.normal(size=(rows.size, classes)))
    return Tokens(codes, scores / scores.sum(axis=1, keepdims=True), rows, wrong)


def alone(_: np.random.Generator, sentences: int) -> np.ndarray:
    return np.full(sentences, WRONG)


def together(rng: np.random.Generator, sentences: int) -> np.ndarray:
    return np.where(rng.random(sentences) < 0.1, 10 * WRONG, 0.0)


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def print_times(sentences: int) -> None:
    """Print the seconds of an audit of lists and of flat columns, and of cleanlab's flags alone."""
    found = drawn(0, sentences, 9, 4.0, alone)
    cuts = np.flatnonzero(np.diff(found.sentences)) + 1
    labels, probs = [part.tolist() for part in np.split(found.codes, cuts)], np.split(found.probs, cuts)
    classes = list(range(9))
    frame = pl.DataFrame({"tags": labels, "probs": [part.tolist() for part in probs]})
    flat = pl.DataFrame({"tag": found.codes})
    lists = seconds(lambda: dqlabels.audit(frame, "tags", task="tokens", pred_probs="probs", classes=classes))
    rows = seconds(lambda: dqlabels.audit(flat, "tag", task="classes", pred_probs=found.probs, classes=classes))
    theirs = seconds(lambda: find_label_issues(labels, probs, n_jobs=1))
    print(f"{found.codes.size:,} tokens: lists {lists:.1f} s, flat {rows:.1f} s, cleanlab's flags {theirs:.1f} s")


def print_coverage(tables: int) -> None:
    """Print how often intervals around the share of wrong labels hold the rate by which they were drawn."""
    for name, share in (("alone", alone), ("together", together)):
        hits = []
        for seed in range(tables):
            found = drawn(seed, 150, 4, 3.0, share)
            verdict = judge_tokens(found.codes, found.probs, found.sentences, Options(n_jobs=1))
            rate, mean, effect = verdict.tokens.calibration.rate, float(found.wrong.mean()), verdict.effect
            intervals = [share_interval(mean, mean_of, CONFIDENCE) for mean_of in (rate.rows, rate.rows / effect)]
            hits.append([low <= WRONG <= high for low, high in (*intervals, (rate.low, rate.high))] + [effect])
        one_by_one, by_sentence, reported, effect = np.mean(hits, axis=0)
        print(
            f"wrong {name}: design effect {effect:.1f}; sampling interval of tokens {one_by_one:.3f}, "
            f"of sentences {by_sentence:.3f}; noise_rate {reported:.3f}"
        )


def main() -> None:
    """Print both parts."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sentences", type=int, default=50_000)
    parser.add_argument("--tables", type=int, default=200)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    print_times(given.sentences)
    print_coverage(given.tables)


if __name__ == "__main__":
    main()
