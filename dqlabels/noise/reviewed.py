"""Review samples: rows to judge by hand, and the noise rate that the answers give without assumptions about a model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any, Literal

import numpy as np

from dqlabels.errors import OptionError
from dqlabels.frames.values import python_value
from dqlabels.noise.rate import NoiseRate, RateData, check_confidence, normalise_rows
from dqlabels.noise.running import AnswersInOrder, running_interval
from dqlabels.statistics.arrays import BoolArray, FloatArray, IntArray, NarrowArray, RealArray

# Strata by label quality, worst first: the share of the rows in each, and the share of the sample drawn from it.
STRATA_ROWS = (0.10, 0.20, 0.70)
STRATA_SAMPLE = (0.28, 0.24, 0.48)
# Share of the wrong labels in each stratum that a plan expects: the mean over tables with known noise
# (docs/benchmarks.md), and that of a ranking which says nothing about labels.
WRONG_USUALLY = (0.73, 0.17, 0.10)
WRONG_AT_WORST = STRATA_ROWS
# A class gets an interval of its own if it has this many answers, and this share of its rows lies in strata with one.
MIN_CLASS_ANSWERS = 10
MIN_CLASS_REACH = 0.9
# With fewer rows than this the normal approximation of a share is poor.
MIN_ROWS = 50
# Plans treat rates nearer to 0 or 1 as this far from them.
MIN_RATE = 0.01
UNCLEAR = "unclear"
ASSUMPTION = (
    "Rests on the reviewers' answers alone, on a stratified random sample; the interval is the sampling error. "
)
RUNNING = (
    "Rests on the reviewers' answers so far, on a stratified random sample in random order. The interval holds however "
    "often one looks at it, and is wider for that; it narrows when the last row is answered. "
)
UNCLEAR_ASSUMPTION = "Rows answered 'unclear' are assumed to be wrong as often as the others of their stratum."


def strata(quality: RealArray | NarrowArray) -> IntArray:
    """Stratum of each row (n,) by its quality, 0 for the worst tenth; ties are broken by the position of the row.

    >>> strata(np.linspace(0, 1, 10)).tolist()
    [0, 1, 1, 2, 2, 2, 2, 2, 2, 2]
    """
    order = np.argsort(quality, kind="stable")
    ends = np.rint(np.cumsum(STRATA_ROWS) * quality.size).astype(np.int64)
    numbers = np.zeros(quality.size, dtype=np.int64)
    numbers[order] = np.searchsorted(ends, np.arange(quality.size), side="right").clip(max=len(STRATA_ROWS) - 1)
    return numbers


def rows_stood_for(quality: FloatArray, reviewed: IntArray) -> FloatArray:
    """Return how many rows of the table each of the ``reviewed`` ones (r,) stands for: those of its stratum, shared.

    >>> rows_stood_for(np.linspace(0, 1, 10), np.array([0, 1, 2])).tolist()
    [1.0, 1.0, 1.0]
    """
    of_row = strata(quality)
    rows, answered = (np.bincount(of_row[at], minlength=len(STRATA_ROWS)) for at in (slice(None), reviewed))
    return np.asarray((rows / np.maximum(answered, 1))[of_row[reviewed]])


def draw_sample(quality: FloatArray, rows: int, random_state: int) -> IntArray:
    """Draw the positions (m,) of the rows to review, in random order; small strata are drawn whole.

    Raises:
        OptionError: ``rows`` is not a positive whole number.

    >>> draw_sample(np.linspace(0, 1, 1000), 10, 0).size
    10
    """
    if isinstance(rows, bool) or not isinstance(rows, (int, np.integer)) or rows < 1:
        raise OptionError(f"A review sample cannot have {rows!r} rows; pass a whole number of at least 1.")
    of_row = strata(quality)
    sizes = np.bincount(of_row, minlength=len(STRATA_ROWS))
    wanted = _allot(min(int(rows), quality.size), sizes)
    rng = np.random.default_rng([random_state, 0x4E1])
    drawn = [rng.choice(np.flatnonzero(of_row == s), wanted[s], replace=False) for s in range(sizes.size)]
    return np.asarray(rng.permutation(np.concatenate(drawn)))


def _allot(rows: int, sizes: IntArray) -> IntArray:
    """Rows to draw from each stratum: its share, at most all it has; what is left over goes to the other strata."""
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
    """Reviewers' answers for m rows: ``positions`` (m,) and the right class ``codes`` (m,), -1 where unclear.

    They are in the order of the sample. ``waiting`` (w,) are the positions of its rows after the last answer, which are
    still to be answered; none if the review is finished. The code of a class that no row of the table carries is K;
    ``notes`` name such answers.
    """

    positions: IntArray
    codes: IntArray
    notes: tuple[str, ...] = ()
    waiting: IntArray = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    @property
    def finished(self) -> bool:
        """Whether the last row of the sample is answered."""
        return not self.waiting.size


def read_answers(answers: Sequence[tuple[int, object]], audited: IntArray, classes: Sequence[object]) -> ReviewAnswers:
    """Read answers, each a row number of the frame and a label, for the rows ``audited`` (m,), in the sample's order.

    A row without an answer has None; such rows after the last answer are still to come, others are left out. A label is
    looked up as it is written, then without regard to capitals and surrounding spaces. If an answer is no class of the
    table, the given label counts as wrong, and a note says so.

    Raises:
        OptionError: A row was not audited, or is answered twice.

    >>> read = read_answers([(7, "no"), (9, "unclear"), (8, None)], np.array([7, 8, 9]), ["no", "yes"])
    >>> read.codes.tolist(), read.waiting.tolist()
    ([0, -1], [1])
    """
    place = {int(at): here for here, at in enumerate(audited.tolist())}
    last = max((at for at, (_, value) in enumerate(answers) if value is not None), default=-1)
    waiting = [place[at] for at, _ in answers[last + 1 :] if at in place]
    answers = [(at, value) for at, value in answers if value is not None]
    rows = [at for at, _ in answers]
    strange = [at for at in rows if at not in place]
    if strange or len(set(rows)) < len(rows):
        twice = sorted({at for at in rows if rows.count(at) > 1})
        what = (
            f"rows that this audit does not have ({strange[:5]})" if strange else f"rows more than once ({twice[:5]})"
        )
        raise OptionError(f"The review holds {what}. Pass a sample drawn from this audit, each row once.")
    code = _written(classes)
    codes = [code.get(str(value), code.get(_folded(value), len(classes))) for _, value in answers]
    other = sorted({str(value) for (_, value), k in zip(answers, codes, strict=True) if k == len(classes)})
    notes = [
        f"Answers {', '.join(map(repr, other[:5]))} of the review are no class of the label column: in "
        f"{codes.count(len(classes))} rows the given label counts as wrong. Correct them if they are misspelt."
    ]
    at_rows = np.array([place[at] for at in rows], dtype=np.int64)
    said, to_come = np.array(codes, dtype=np.int64), np.array(waiting, dtype=np.int64)
    return ReviewAnswers(at_rows, said, tuple(notes) if other else (), to_come)


def row_number(value: object) -> int:
    """Return the row number in a cell of a review; a whole number that a table made a fraction counts.

    Raises:
        OptionError: Missing, a text, or a fraction.

    >>> row_number(7.0)
    7
    """
    number = python_value(value)
    if isinstance(number, bool) or not isinstance(number, (int, float)) or number % 1 != 0:
        raise OptionError(
            f"The review has {value!r} in place of a row number. Change only the answers in a sample, and leave its "
            "rows as they are."
        )
    return int(number)


def answer_in(value: Any) -> Any:
    """Return the answer in a cell of a review, None where there is none: missing, or nothing but blanks.

    >>> answer_in("yes"), answer_in("  "), answer_in(float("nan"))
    ('yes', None, None)
    """
    value = python_value(value)
    blank = isinstance(value, str) and not value.strip()
    return None if blank or (isinstance(value, float) and not np.isfinite(value)) else value


def _folded(value: object) -> str:
    return str(value).strip().casefold()


def _written(classes: Sequence[object]) -> dict[str, int]:
    """Position of each class by its spelling, and by its folded spelling if only one class has that."""
    exact = {str(value): k for k, value in enumerate(classes)}
    spellings = [_folded(value) for value in classes]
    loose = {name: k for k, name in enumerate(spellings) if spellings.count(name) == 1}
    return {UNCLEAR: -1} | loose | exact


def check_sample(
    sample: Mapping[int, object], audited: IntArray, codes: IntArray, classes: Sequence[object], label: str
) -> None:
    """Raise unless the given labels of a sample are those of the audited table.

    Args:
        sample: The given label of each row, by row number.
        audited: (m,) row numbers of the audited rows.
        codes: (m,) class positions of their given labels.
        classes: The K classes.
        label: Name of the label column.

    Raises:
        OptionError: Naming the first such row.
    """
    place = {int(at): here for here, at in enumerate(audited.tolist())}
    for at, value in sample.items():
        if (here := place.get(int(at))) is None:
            continue
        audited_label = classes[codes[here]]
        if str(value) != str(audited_label) and _folded(value) != _folded(audited_label):
            raise OptionError(
                f"Row {at} of the review has the {label!r} {value!r}, but {audited_label!r} in this table. Pass a "
                "sample drawn from this table, and change only the answers in it."
            )


def reviewed_noise(
    quality: RealArray | NarrowArray,
    given: IntArray,
    n_classes: int,
    answers: ReviewAnswers,
    *,
    confidence: float = 0.90,
) -> NoiseRate:
    """Estimate the noise rate of the table and of each class from the answers on a stratified sample.

    The estimate is unbiased. The interval is Student's around shares with half a wrong and half a right answer added
    in each stratum, with the finite-population correction; where answers are still to come it is one that holds at
    every look, :func:`dqlabels.noise.running.running_interval`. The rate of a class is estimated from its own rows in
    each stratum; a class with too few answers gets the interval [0, 1].

    Args:
        quality: (n,) label quality by which the sample was stratified.
        given: (n,) class positions of the given labels.
        n_classes: K.
        answers: The reviewers' answers.
        confidence: Confidence of the interval, in (0, 1).

    Raises:
        OptionError: A stratum has no answer, or ``confidence`` is outside (0, 1).

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
            f"The review has no answer in {silent} of the {sizes.size} strata of label quality. Answer more rows of "
            "the sample, which was drawn from all of them."
        )
    wrong = codes != given[rows]
    in_order = None if answers.finished else _in_order(of_row, given, answers)
    errors = np.bincount(of_row[rows], weights=wrong, minlength=sizes.size)
    estimate, low, high = _with_interval(in_order, errors, answered, sizes, confidence)
    # Each answer stands for the rows of its stratum.
    stands_for = (sizes / np.maximum(answered, 1))[of_row[rows]]
    known = codes < n_classes
    cells = codes[known] * n_classes + given[rows][known]
    joint = np.bincount(cells, weights=stands_for[known], minlength=n_classes**2).reshape(n_classes, n_classes)
    by_class = _by_class(of_row, given, n_classes, rows, wrong, stands_for, in_order, confidence)
    assumption = (ASSUMPTION if answers.finished else RUNNING) + UNCLEAR_ASSUMPTION
    unclear = f" {int((~clear).sum()):,} of {clear.size:,} answers were unclear." if not clear.all() else ""
    return NoiseRate(
        estimate, low, high, confidence, "reviewed", assumption + unclear, int(sizes.sum()),
        normalise_rows(joint), normalise_rows(joint.T), *by_class,
    )  # fmt: skip


def _with_interval(
    in_order: AnswersInOrder | None,
    wrong: RealArray | IntArray,
    answered: IntArray,
    sizes: IntArray,
    confidence: float,
) -> tuple[float, float, float]:
    """Estimate, low and high: as of a finished sample, or if answers are still to come, as of those ``in_order``."""
    estimate, low, high = _stratified(wrong, answered, sizes, confidence)
    if in_order is None:
        return estimate, low, high
    low, high = running_interval(in_order, confidence)
    return estimate, min(low, estimate), max(high, estimate)


def side_of_limit(
    quality: RealArray | NarrowArray, given: IntArray, answers: ReviewAnswers, rate: RateData, limit: float
) -> Literal["above", "below", ""]:
    """Say on which side of a limit the noise rate is; nothing if that cannot be told yet.

    What could be told at one look can be told at all later ones, the last included.

    Args:
        quality: (n,) label quality by which the sample was stratified.
        given: (n,) class positions of the given labels.
        answers: The reviewers' answers, at least one in each stratum.
        rate: The rate that they give.
        limit: In (0, 1).
    """
    intervals = [running_interval(_in_order(strata(quality), given, answers), rate["confidence"])]
    if answers.finished:
        intervals.append((rate["low"], rate["high"]))
    for low, high in intervals:
        if low > limit or high <= limit:
            return "above" if low > limit else "below"
    return ""


def _in_order(of_row: IntArray, given: IntArray, answers: ReviewAnswers) -> AnswersInOrder:
    """The clear answers as a sequence, on rows whose strata are ``of_row`` (n,) and whose labels are ``given`` (n,)."""
    clear, sizes = answers.codes >= 0, np.bincount(of_row, minlength=len(STRATA_ROWS))
    rows, waiting = answers.positions[clear], np.bincount(of_row[answers.waiting], minlength=sizes.size)
    planned = answers.positions.size + answers.waiting.size
    return AnswersInOrder.of(of_row[rows], answers.codes[clear] != given[rows], waiting, sizes, planned)


def _stratified(
    wrong: RealArray | IntArray, answered: IntArray, sizes: IntArray, confidence: float
) -> tuple[float, float, float]:
    """Estimate, low and high of the share of wrong labels, from counts per stratum; some may have no answers."""
    share, answers = sizes / sizes.sum(), np.maximum(answered, 1)
    has_answer = answered > 0
    estimate = float((share * wrong / answers)[has_answer].sum() / share[has_answer].sum())
    shrunk = (wrong + 0.5) / (answered + 1)
    left = 1 - answered / np.maximum(sizes, 1)
    # What was read is known; only what is left is drawn towards a half.
    centre = float((share * (left * shrunk + (1 - left) * wrong / answers)).sum())
    freedom = np.maximum(answered - 1, 1)
    variance = share**2 * shrunk * (1 - shrunk) / freedom * left
    half = _student(confidence, variance, freedom) * math.sqrt(float(variance.sum()))
    return estimate, max(min(centre - half, estimate), 0.0), min(max(centre + half, estimate), 1.0)


def _student(confidence: float, variance: FloatArray, freedom: IntArray) -> float:
    """Quantile of Student's t for a sum of variances (Satterthwaite's degrees of freedom), by Cornish and Fisher."""
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    if not variance.any():
        return z
    return z + (z**3 + z) / 4 * float((variance**2 / freedom).sum()) / float(variance.sum()) ** 2


def _by_class(
    of_row: IntArray,
    given: IntArray,
    n_classes: int,
    rows: IntArray,
    wrong: BoolArray,
    stands_for: FloatArray,
    in_order: AnswersInOrder | None,
    confidence: float,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Rates, lows and highs of the classes (K,); the rates add up to that of the table."""
    n_strata = len(STRATA_ROWS)

    def by_cell(at: IntArray, weights: BoolArray | None = None) -> RealArray | IntArray:
        return np.bincount(at, weights=weights, minlength=n_classes * n_strata).reshape(n_classes, n_strata)

    cell_of_row = given * n_strata + of_row
    sizes, answered, errors = by_cell(cell_of_row), by_cell(cell_of_row[rows]), by_cell(cell_of_row[rows], wrong)
    class_rows = np.maximum(sizes.sum(axis=1), 1)
    rate = np.clip(np.bincount(given[rows], weights=wrong * stands_for, minlength=n_classes) / class_rows, 0, 1)
    low, high = np.zeros(n_classes), np.ones(n_classes)
    for k in range(n_classes):
        covered = sizes[k, answered[k] > 0].sum()
        if answered[k].sum() >= MIN_CLASS_ANSWERS and covered >= MIN_CLASS_REACH * class_rows[k]:
            own = in_order.within(given[rows] == k, sizes[k]) if in_order is not None else None
            _, below, above = _with_interval(own, errors[k], answered[k], sizes[k], confidence)
            low[k], high[k] = min(below, rate[k]), max(above, rate[k])
    return rate, low, high


@dataclass(frozen=True, slots=True)
class ReviewPlan:
    """How many rows of ``review_sample`` to review: ``rows`` if label quality ranks wrong labels as well as usual.

    ``rows_at_worst`` is enough even if the ranking says nothing about labels. ``purpose`` is what the review is for,
    ``rate`` the noise rate expected, ``population`` the number of audited rows.

    >>> import dqlabels, polars as pl
    >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
    >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
    >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
    >>> plan = audit.review_plan(width=0.2)
    >>> plan.rows, plan.population
    (4, 4)
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
            f"{self.rate:.1%} ({self.confidence:.0%} confidence); {self.rows_at_worst:,} if the label quality said "
            "nothing about which labels are wrong."
        )


def plan_review(
    rate: float, population: int, *, width: float | None = None, limit: float | None = None, confidence: float = 0.90
) -> ReviewPlan:
    """Plan a review: for an interval of a given width, or to tell the noise rate from a limit.

    Args:
        rate: The noise rate expected.
        population: Audited rows of the table.
        width: Width of the interval to reach, in (0, 1).
        limit: Limit to tell the rate from, in (0, 1); pass this or ``width``.
        confidence: Confidence of the interval, in (0, 1).

    Raises:
        OptionError: Neither or both of width and limit, a number outside (0, 1), or no rows.

    >>> plan = plan_review(0.05, 10_000, width=0.04)
    >>> plan.rows < plan.rows_at_worst
    True
    """
    if (width is None) == (limit is None):
        raise OptionError("Plan a review either for the width of an interval, width=, or for a limit, max_noise_rate=.")
    if population < 1:
        raise OptionError(f"A review needs at least one row; this table has {population}.")
    share = min(max(rate, MIN_RATE), 1 - MIN_RATE)
    if width is not None:
        _check_shares(width=width, confidence=confidence)
        purpose, enough = f"an interval {width:.1%} wide", _no_wider(width)
    else:
        _check_shares(max_noise_rate=limit, confidence=confidence)
        purpose, enough = f"telling it from {limit:.1%}", _on_its_side(share, limit or 0.0)
    usual, worst = (_fewest(share, population, confidence, wrong, enough) for wrong in (WRONG_USUALLY, WRONG_AT_WORST))
    return ReviewPlan(usual, max(usual, worst), purpose, share, confidence, population)


def rows_for_width(width: float, *, rate: float = 0.05, confidence: float = 0.90, population: int = 1_000_000) -> int:
    """Return how many rows of ``review_sample`` to review for an interval about ``width`` wide.

    Args:
        width: Width of the interval, high minus low, in (0, 1).
        rate: The noise rate expected, in (0, 1).
        confidence: Confidence of the interval, in (0, 1).
        population: Rows of the table; the answer is never more.

    Raises:
        OptionError: A number outside (0, 1).

    >>> rows_for_width(0.04, rate=0.05) < rows_for_width(0.02, rate=0.05)
    True
    """
    _check_shares(width=width, rate=rate, confidence=confidence)
    return _fewest(rate, population, confidence, WRONG_USUALLY, _no_wider(width))


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
) -> int:
    """Return how many rows of ``review_sample`` to review so that the interval lies on one side of ``limit``.

    Args:
        rate: The noise rate expected.
        limit: The limit to tell it from, in (0, 1).
        population: Rows of the table; the answer is at least 50 of them (if it has so many), at most all.
        confidence: Confidence of the interval.

    >>> rows_to_decide(0.02, 0.05, population=10_000) < rows_to_decide(0.04, 0.05, population=10_000)
    True
    """
    share = min(max(rate, MIN_RATE), 1 - MIN_RATE)
    return _fewest(share, population, confidence, WRONG_USUALLY, _on_its_side(share, limit))


def _no_wider(width: float) -> Callable[[float, float], bool]:
    return lambda low, high: high - low <= width


def _on_its_side(rate: float, limit: float) -> Callable[[float, float], bool]:
    """Whether an interval lies on the side of the limit that the rate is on."""
    return (lambda low, high: low > limit) if rate > limit else (lambda low, high: high <= limit)


def _fewest(
    rate: float,
    population: int,
    confidence: float,
    wrong: tuple[float, ...],
    enough: Callable[[float, float], bool],
) -> int:
    """Smallest number of answers whose expected interval is ``enough``, found by bisection."""
    sizes = np.diff(np.rint(np.cumsum((0.0, *STRATA_ROWS)) * population)).astype(np.int64)
    share = _spread_out(np.array(wrong) * rate, np.array(STRATA_ROWS))
    too_few, sufficient = 0, population
    while sufficient - too_few > 1:
        middle = (sufficient + too_few) // 2
        answered = _allot(middle, sizes)
        _, low, high = _stratified(share * answered, answered, sizes, confidence)
        too_few, sufficient = (too_few, middle) if enough(low, high) else (middle, sufficient)
    return max(sufficient, min(MIN_ROWS, population))


def _spread_out(wrong: FloatArray, sizes: FloatArray) -> FloatArray:
    """Share of wrong labels in each stratum; those a stratum has no room for are spread over the others."""
    share = np.minimum(wrong / sizes, 1.0)
    room = (1 - share) * sizes
    return np.asarray(share + (wrong.sum() - (share * sizes).sum()) * room / max(room.sum(), 1e-12) / sizes)
