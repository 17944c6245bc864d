"""Review samples: rows to judge by hand, and the noise rate that their answers give without any assumption."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dqlabels.errors import OptionError
from dqlabels.noise.rate import NoiseRate, check_confidence

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Strata by label quality: the share of the rows in each, worst first, and the share of the sample drawn there.
STRATA_ROWS = (0.10, 0.20, 0.70)
STRATA_SAMPLE = (0.40, 0.30, 0.30)
# The share of the wrong labels in each stratum that a plan counts on: means over tables of known noise
# (docs/benchmarks.md); and of a ranking that tells nothing.
WRONG_USUALLY = (0.73, 0.17, 0.10)
WRONG_AT_WORST = STRATA_ROWS
# A class is given a rate of its own from this many answers, and where this share of its rows was in reach of one.
MIN_CLASS_ANSWERS = 10
MIN_CLASS_REACH = 0.9
# Below this many rows the normal approximation of a share means little.
MIN_ROWS = 50
# Rates nearer 0 or 1 are planned for as this.
MIN_RATE = 0.01
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
    share = np.array(STRATA_SAMPLE)
    wanted: IntArray = np.minimum(np.floor(share * rows).astype(np.int64), sizes)
    while (left := rows - int(wanted.sum())) > 0:
        weight = np.where(wanted < sizes, share, 0.0)
        more = np.minimum(np.floor(weight / weight.sum() * left).astype(np.int64), sizes - wanted)
        if not more.any():
            more[int(np.argmax(weight))] = 1
        wanted += more
    return wanted


@dataclass(frozen=True, slots=True, eq=False)
class ReviewAnswers:
    """What reviewers said of m rows: ``positions`` (m,), ``codes`` (m,) the right class, -1 where unclear.

    A class that no row of the table carries is K; ``notes`` say which answers were that.
    """

    positions: IntArray
    codes: IntArray
    notes: tuple[str, ...] = ()


def read_answers(said: Sequence[tuple[int, Any]], audited: IntArray, classes: Sequence[Any]) -> ReviewAnswers:
    """Answers, each a row number of the frame and a label, for the rows ``audited`` (m,).

    A label counts as it is written; failing that, capitals and the spaces around it aside. An answer that is no
    class makes the label a wrong one, and a note.

    Raises:
        OptionError: Rows that were not audited, or that repeat.
    """
    place = {int(at): here for here, at in enumerate(audited.tolist())}
    rows = [at for at, _ in said]
    strange = [at for at in rows if at not in place]
    if strange or len(set(rows)) < len(rows):
        twice = sorted({at for at in rows if rows.count(at) > 1})
        what = f"rows that are not of this audit ({strange[:5]})" if strange else f"rows more than once ({twice[:5]})"
        raise OptionError(f"The review holds {what}. Pass the sample of this very table, each row once.")
    code = _written(classes)
    codes = [code.get(str(value), code.get(_folded(value), len(classes))) for _, value in said]
    other = sorted({str(value) for (_, value), k in zip(said, codes, strict=True) if k == len(classes)})
    notes = [
        f"Answers {', '.join(map(repr, other[:5]))} of the review are no class of the label column: in "
        f"{codes.count(len(classes))} rows the given label counts as wrong. Mend them if they are misspelt."
    ]
    at_rows = np.array([place[at] for at in rows], dtype=np.int64)
    return ReviewAnswers(at_rows, np.array(codes, dtype=np.int64), tuple(notes) if other else ())


def _folded(value: Any) -> str:
    return str(value).strip().casefold()


def _written(classes: Sequence[Any]) -> dict[str, int]:
    """The position of each class by how it is written, and by its folded spelling where only one class has that."""
    exact = {str(value): k for k, value in enumerate(classes)}
    spellings = [_folded(value) for value in classes]
    loose = {name: k for k, name in enumerate(spellings) if spellings.count(name) == 1}
    return {UNCLEAR: -1} | loose | exact


def check_sample(
    given: Mapping[Any, Any], audited: IntArray, codes: IntArray, classes: Sequence[Any], label: str
) -> None:
    """Refuse a sample whose given labels, by row number, are not those of the rows ``audited`` (m,).

    Raises:
        OptionError: Naming the first such row.
    """
    place = {int(at): here for here, at in enumerate(audited.tolist())}
    for at, value in given.items():
        if (here := place.get(int(at))) is None:
            continue
        kept = classes[codes[here]]
        if str(value) != str(kept) and _folded(value) != _folded(kept):
            raise OptionError(
                f"Row {at} of the review has the {label!r} {value!r}, but {kept!r} in this table. Pass the sample of "
                "this very table, and change nothing in it but the answers."
            )


def reviewed_noise(
    quality: FloatArray, given: IntArray, n_classes: int, answers: ReviewAnswers, *, confidence: float = 0.90
) -> NoiseRate:
    """The noise rate of all rows, and of each class, from the answers on a stratified sample of them.

    The estimate is unbiased. The interval is Student's around shares with half a wrong and half a right answer
    added in each stratum, with the finite-population correction. The rate of a class is that of its own
    rows in each stratum; a class with too few answers has the interval [0, 1].

    Args:
        quality: (n,) label quality by which the strata were made.
        given: (n,) class positions of the given labels.
        n_classes: K.
        answers: Of the reviewers.
        confidence: Of the interval, in (0, 1).

    Raises:
        OptionError: A stratum without an answer, or ``confidence`` outside (0, 1).

    Source: Cochran (1977), Sampling Techniques, chapters 5 and 5A; half-counts as in Agresti & Coull (1998).
    """
    check_confidence(confidence)
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
    estimate, low, high = _stratified(wrong, answered, sizes, confidence)
    # Each answer stands for the rows of its stratum.
    stands_for = (sizes / np.maximum(answered, 1))[of_row[rows]]
    known = codes < n_classes
    cells = codes[known] * n_classes + given[rows][known]
    joint = np.bincount(cells, weights=stands_for[known], minlength=n_classes**2).reshape(n_classes, n_classes)
    by_class = _by_class(of_row, given, n_classes, rows, codes != given[rows], stands_for, confidence)
    unclear = f" {int((~clear).sum()):,} of {clear.size:,} answers were unclear." if not clear.all() else ""
    return NoiseRate(
        estimate, low, high, confidence, "reviewed", ASSUMPTION + unclear, int(sizes.sum()),
        _shares(joint), _shares(joint.T), *by_class,
    )  # fmt: skip


def _stratified(
    wrong: NDArray[Any], answered: IntArray, sizes: IntArray, confidence: float
) -> tuple[float, float, float]:
    """Estimate, low and high of the wrong share; of a stratum without answers nothing is known."""
    share, asked = sizes / sizes.sum(), np.maximum(answered, 1)
    seen = answered > 0
    estimate = float((share * wrong / asked)[seen].sum() / share[seen].sum())
    shrunk = (wrong + 0.5) / (answered + 1)
    centre = float((share * shrunk).sum())
    left = 1 - answered / np.maximum(sizes, 1)
    freedom = np.maximum(answered - 1, 1)
    variance = share**2 * shrunk * (1 - shrunk) / freedom * left
    half = _student(confidence, variance, freedom) * math.sqrt(float(variance.sum()))
    return estimate, max(min(centre - half, estimate), 0.0), min(max(centre + half, estimate), 1.0)


def _student(confidence: float, variance: FloatArray, freedom: IntArray) -> float:
    """Student's quantile for a sum of variances (Satterthwaite's degrees of freedom), by Cornish and Fisher."""
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    if not variance.any():
        return z
    return z + (z**3 + z) / 4 * float((variance**2 / freedom).sum()) / float(variance.sum()) ** 2


def _by_class(
    of_row: IntArray,
    given: IntArray,
    n_classes: int,
    rows: IntArray,
    wrong: NDArray[np.bool_],
    stands_for: FloatArray,
    confidence: float,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(K,) rates, which add up to that of the table, and lows and highs, every class a table of its own strata."""
    n_strata = len(STRATA_ROWS)

    def by_cell(at: IntArray, weights: NDArray[np.bool_] | None = None) -> NDArray[Any]:
        return np.bincount(at, weights=weights, minlength=n_classes * n_strata).reshape(n_classes, n_strata)

    cell_of_row = given * n_strata + of_row
    sizes, answered, errors = by_cell(cell_of_row), by_cell(cell_of_row[rows]), by_cell(cell_of_row[rows], wrong)
    class_rows = np.maximum(sizes.sum(axis=1), 1)
    rate = np.clip(np.bincount(given[rows], weights=wrong * stands_for, minlength=n_classes) / class_rows, 0, 1)
    low, high = np.zeros(n_classes), np.ones(n_classes)
    for k in range(n_classes):
        reach = sizes[k, answered[k] > 0].sum()
        if answered[k].sum() >= MIN_CLASS_ANSWERS and reach >= MIN_CLASS_REACH * class_rows[k]:
            _, below, above = _stratified(errors[k], answered[k], sizes[k], confidence)
            low[k], high[k] = min(below, rate[k]), max(above, rate[k])
    for array in (rate, low, high):
        array.setflags(write=False)
    return rate, low, high


def _shares(counts: NDArray[Any]) -> FloatArray:
    totals = counts.sum(axis=1, keepdims=True)
    shares: FloatArray = np.where(totals > 0, counts / np.where(totals > 0, totals, 1), np.eye(len(counts)))
    shares.setflags(write=False)
    return shares


@dataclass(frozen=True, slots=True)
class ReviewPlan:
    """How many rows of ``review_sample`` to review: ``rows`` where the ranking finds wrong labels as it usually does.

    ``rows_at_worst`` counts on a ranking that tells nothing; ``purpose`` says what for; ``rate`` is the noise rate
    expected, ``population`` the audited rows of the table.
    """

    rows: int
    rows_at_worst: int
    purpose: str
    rate: float
    confidence: float
    population: int

    def __str__(self) -> str:
        return (
            f"Review about {self.rows:,} rows drawn by review_sample for {self.purpose} at a noise rate of "
            f"{self.rate:.1%} ({self.confidence:.0%} confidence); {self.rows_at_worst:,} if the quality told nothing "
            "about which labels are wrong."
        )


def plan_review(
    rate: float, population: int, *, width: float | None = None, limit: float | None = None, confidence: float = 0.90
) -> ReviewPlan:
    """The plan for a table of ``population`` rows at an expected noise rate: for a width, or to tell it from a limit.

    Raises:
        OptionError: Neither or both of width and limit, a number outside (0, 1), or no row.

    >>> plan = plan_review(0.05, 10_000, width=0.04)
    >>> plan.rows < plan.rows_at_worst
    True
    """
    if (width is None) == (limit is None):
        raise OptionError("A review is planned either for the width of an interval, width=, or for max_noise_rate=.")
    if population < 1:
        raise OptionError(f"A review needs at least one row; this table has {population}.")
    share = min(max(rate, MIN_RATE), 1 - MIN_RATE)
    if width is not None:
        options: dict[str, Any] = {"rate": share, "population": population, "confidence": confidence}
        usual, worst = (rows_for_width(width, wrong=wrong, **options) for wrong in (WRONG_USUALLY, WRONG_AT_WORST))
        purpose = f"an interval {width:.1%} wide"
    else:
        _check_shares(max_noise_rate=limit, confidence=confidence)
        usual, worst = (
            rows_to_decide(share, limit or 0.0, population=population, confidence=confidence, wrong=wrong)
            for wrong in (WRONG_USUALLY, WRONG_AT_WORST)
        )
        purpose = f"telling it from {limit:.1%}"
    return ReviewPlan(usual, max(usual, worst), purpose, share, confidence, population)


def rows_for_width(
    width: float,
    *,
    rate: float = 0.05,
    confidence: float = 0.90,
    population: int = 1_000_000,
    wrong: tuple[float, ...] = WRONG_USUALLY,
) -> int:
    """How many rows to review, drawn by ``review_sample``, for an interval about ``width`` wide.

    Args:
        width: Of the interval, high less low, in (0, 1).
        rate: The noise rate expected.
        confidence: Of the interval.
        population: Rows of the table; never more than these are asked for.
        wrong: The share of the wrong labels expected in each stratum, worst quality first.

    Raises:
        OptionError: A number outside (0, 1).

    >>> rows_for_width(0.04, rate=0.05) < rows_for_width(0.02, rate=0.05)
    True
    """
    _check_shares(width=width, rate=rate, confidence=confidence)
    return _fewest(rate, population, confidence, wrong, lambda low, high: high - low <= width)


def _check_shares(**numbers: float | None) -> None:
    for name, value in numbers.items():
        if value is None or not 0 < value < 1:
            raise OptionError(f"{name}={value!r} is not between 0 and 1.")


def rows_to_decide(
    rate: float,
    limit: float,
    *,
    population: int,
    confidence: float = 0.90,
    wrong: tuple[float, ...] = WRONG_USUALLY,
) -> int:
    """How many rows of ``review_sample`` to review, of ``population``, to tell the rate from the limit.

    If the noise rate is ``rate`` the interval of so many answers lies on one side of the limit. At least 50 rows,
    at most all.

    >>> rows_to_decide(0.02, 0.05, population=10_000) < rows_to_decide(0.04, 0.05, population=10_000)
    True
    """
    share = min(max(rate, MIN_RATE), 1 - MIN_RATE)

    def decided(low: float, high: float) -> bool:
        return low > limit if share > limit else high <= limit

    return _fewest(share, population, confidence, wrong, decided)


def _fewest(
    rate: float,
    population: int,
    confidence: float,
    wrong: tuple[float, ...],
    enough: Callable[[float, float], bool],
) -> int:
    """The fewest answers whose interval, if they are as expected, is ``enough``; found by bisection."""
    sizes = np.diff(np.rint(np.cumsum((0.0, *STRATA_ROWS)) * population)).astype(np.int64)
    share = _spread_out(np.array(wrong) * rate, np.array(STRATA_ROWS))
    too_few, found = 0, population
    while found - too_few > 1:
        middle = (found + too_few) // 2
        asked = _allot(middle, sizes)
        _, low, high = _stratified(share * asked, asked, sizes, confidence)
        too_few, found = (too_few, middle) if enough(low, high) else (middle, found)
    return max(found, min(MIN_ROWS, population))


def _spread_out(wrong: FloatArray, sizes: FloatArray) -> FloatArray:
    """Wrong shares of the strata; what is more than a stratum has room for goes to the next."""
    share = np.minimum(wrong / sizes, 1.0)
    room = (1 - share) * sizes
    return np.asarray(share + (wrong.sum() - (share * sizes).sum()) * room / max(room.sum(), 1e-12) / sizes)
