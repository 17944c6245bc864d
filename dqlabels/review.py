"""Review samples: rows to judge by hand, and the noise rate that their answers give without any assumption."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dqlabels.errors import OptionError
from dqlabels.noise import NoiseRate

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Strata by label quality: the share of the rows in each, worst first, and the share of the sample drawn there.
STRATA_ROWS = (0.10, 0.20, 0.70)
STRATA_SAMPLE = (0.40, 0.30, 0.30)
# About how many random rows a stratified one is worth (docs/benchmarks.md).
WORTH = 2.4
UNCLEAR = "unclear"
ASSUMPTION = (
    "Rests on the reviewers' answers alone: a stratified random sample, whose interval holds the sampling error. "
    "Rows answered 'unclear' are taken to be wrong as often as the others of their stratum."
)


def strata(quality: FloatArray) -> IntArray:
    """(n,) the stratum of each row, 0 the worst tenth by quality; rows that tie are parted by their position."""
    order = np.argsort(quality, kind="stable")
    ends = np.rint(np.cumsum(STRATA_ROWS) * quality.size).astype(np.int64)
    found = np.zeros(quality.size, dtype=np.int64)
    found[order] = np.searchsorted(ends, np.arange(quality.size), side="right").clip(max=len(STRATA_ROWS) - 1)
    return found


def draw_sample(quality: FloatArray, rows: int, random_state: int) -> IntArray:
    """(m,) positions of the rows to review, in random order; a stratum with too few rows gives them all.

    Raises:
        OptionError: ``rows`` is not a positive whole number.

    >>> draw_sample(np.linspace(0, 1, 1000), 10, 0).size
    10
    """
    if isinstance(rows, bool) or not isinstance(rows, (int, np.integer)) or rows < 1:
        raise OptionError(f"A review sample of {rows!r} rows cannot be drawn; pass a whole number of at least 1.")
    of_row = strata(quality)
    sizes = np.bincount(of_row, minlength=len(STRATA_ROWS))
    wanted = _allot(min(int(rows), quality.size), sizes)
    rng = np.random.default_rng([random_state, 0x4E1])
    drawn = [rng.choice(np.flatnonzero(of_row == s), wanted[s], replace=False) for s in range(sizes.size)]
    return np.asarray(rng.permutation(np.concatenate(drawn)))


def _allot(rows: int, sizes: IntArray) -> IntArray:
    """How many rows each stratum gives: its share, but no more than it has; what is left goes to the others."""
    wanted: IntArray = np.minimum(np.floor(np.array(STRATA_SAMPLE) * rows).astype(np.int64), sizes)
    while wanted.sum() < rows:
        wanted[int(np.argmax(np.where(wanted < sizes, np.array(STRATA_SAMPLE) * rows - wanted, -np.inf)))] += 1
    return wanted


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What reviewers said of m rows: ``positions`` (m,), ``codes`` (m,) the right class, -1 where unclear.

    A class that no row of the table carries is K.
    """

    positions: IntArray
    codes: IntArray


def read_answers(said: Sequence[tuple[int, str]], audited: IntArray, classes: Sequence[Any]) -> Answers:
    """Answers, each a row number of the frame and a label as it is written, for the rows ``audited`` (m,).

    Raises:
        OptionError: Rows that were not audited, or that repeat.
    """
    place = {int(at): here for here, at in enumerate(audited.tolist())}
    code = {str(value): k for k, value in enumerate(classes)} | {UNCLEAR: -1}
    strange = [at for at, _ in said if at not in place]
    if strange or len({at for at, _ in said}) < len(said):
        raise OptionError(
            f"The review holds rows that repeat or are not of this audit (rows {strange[:5] or 'twice'}). Pass the "
            "sample of this very table, each row once."
        )
    return Answers(
        np.array([place[at] for at, _ in said], dtype=np.int64),
        np.array([code.get(value, len(classes)) for _, value in said], dtype=np.int64),
    )


def reviewed_noise(
    quality: FloatArray, given: IntArray, n_classes: int, answers: Answers, *, confidence: float = 0.90
) -> NoiseRate:
    """The noise rate of all rows from the answers on a stratified sample of them.

    The estimate is unbiased. The interval is a normal one around shares with half a wrong and half a right
    answer added in each stratum, with the finite-population correction.

    Args:
        quality: (n,) label quality by which the strata were made.
        given: (n,) class positions of the given labels.
        n_classes: K.
        answers: Of the reviewers.
        confidence: Of the interval, in (0, 1).

    Raises:
        OptionError: A stratum without an answer, or ``confidence`` outside (0, 1).

    Source: Cochran (1977), Sampling Techniques, chapter 5; half-counts as in Agresti & Coull (1998).
    """
    if not 0 < confidence < 1:
        raise OptionError(f"confidence={confidence!r} is not between 0 and 1; for a 90% interval pass 0.90.")
    of_row, clear = strata(quality), answers.codes >= 0
    rows, codes = answers.positions[clear], answers.codes[clear]
    sizes = np.bincount(of_row, minlength=len(STRATA_ROWS))
    answered = np.bincount(of_row[rows], minlength=sizes.size)
    silent = int((answered[sizes > 0] == 0).sum())
    if silent:
        raise OptionError(
            f"The review says nothing of {silent} of the {sizes.size} strata of quality. "
            "Answer more rows of the sample; it was drawn from the best and the worst alike."
        )
    wrong = np.bincount(of_row[rows], weights=codes != given[rows], minlength=sizes.size)
    share, asked = sizes / sizes.sum(), np.maximum(answered, 1)
    estimate = float((share * wrong / asked).sum())
    shrunk = (wrong + 0.5) / (asked + 1)
    centre = float((share * shrunk).sum())
    left = 1 - answered / np.maximum(sizes, 1)
    spread = math.sqrt(float((share**2 * shrunk * (1 - shrunk) / asked * left).sum()))
    half = NormalDist().inv_cdf(0.5 + confidence / 2) * spread
    low, high = max(min(centre - half, estimate), 0.0), min(max(centre + half, estimate), 1.0)
    # Each answer stands for the rows of its stratum.
    stands_for = (sizes / asked)[of_row[rows]]
    known = codes < n_classes
    cells = codes[known] * n_classes + given[rows][known]
    joint = np.bincount(cells, weights=stands_for[known], minlength=n_classes**2).reshape(n_classes, n_classes)
    return NoiseRate(
        estimate, low, high, confidence, "reviewed", ASSUMPTION, int(sizes.sum()), _shares(joint), _shares(joint.T)
    )


def _shares(counts: NDArray[Any]) -> FloatArray:
    totals = counts.sum(axis=1, keepdims=True)
    shares: FloatArray = np.where(totals > 0, counts / np.where(totals > 0, totals, 1), np.eye(len(counts)))
    shares.setflags(write=False)
    return shares


def rows_for_width(width: float, *, rate: float = 0.05, confidence: float = 0.90) -> int:
    """How many rows to review, drawn by ``review_sample``, for an interval about ``width`` wide.

    Args:
        width: Of the interval, high less low, in (0, 1).
        rate: The noise rate expected.
        confidence: Of the interval.

    Raises:
        OptionError: A number outside (0, 1).

    >>> rows_for_width(0.04, rate=0.05)
    134
    """
    for name, value in (("width", width), ("rate", rate), ("confidence", confidence)):
        if not 0 < value < 1:
            raise OptionError(f"{name}={value!r} is not between 0 and 1.")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    return math.ceil((2 * z / width) ** 2 * rate * (1 - rate) / WORTH)
