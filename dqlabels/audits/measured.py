"""What an audit found, beside the limit that it is held against: a share, an index or a count, with its interval."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dqlabels.errors import OptionError
from dqlabels.noise.rate import NoiseRate, share_interval
from dqlabels.noise.reference import change_scale
from dqlabels.noise.shares import fewest_rows
from dqlabels.statistics.arrays import IntArray

Verdict = Literal["pass", "fail", "inconclusive"]
Measure = Literal["share", "agreement", "coverage", "classes", "index"]
# A batch of one class is no accident where the trusted shares give as much less often than this.
CHANCE = 0.001
# The lines of the drift table that hold a population stability index.
INDEXED = ("classes", "feature")


@dataclass(frozen=True, slots=True)
class TooFew:
    """So few ``rows`` that no pass could be told from chance; ``needed`` says how many it takes, None where none do.

    ``low`` is the low end of the estimate by what chance does to these rows alone.
    """

    rows: int
    needed: int | None
    low: float

    def __str__(self) -> str:
        rows = "1 row is" if self.rows == 1 else f"{self.rows:,} rows are"
        if self.needed is None:
            return "no number of rows shows that none of them is wrong, so set a limit above 0"
        return f"{rows} too few, at least {self.needed:,} are needed, so gate several batches as one"


def too_few(estimate: float, rows: int, limit: float, confidence: float) -> TooFew | None:
    """Say that these are too few rows to tell a share from the limit; None where they suffice.

    Args:
        estimate: The share that was estimated.
        rows: The rows that it is a share of.
        limit: The most that it may be.
        confidence: Confidence of intervals, in (0, 1).

    >>> str(too_few(0.0, 20, 0.05, 0.90))
    '20 rows are too few, at least 52 are needed, so gate several batches as one'
    """
    needed = fewest_rows(limit, confidence)
    if needed is not None and rows >= needed:
        return None
    return TooFew(rows, needed, share_interval(estimate, rows, confidence)[0] if rows else 0.0)


@dataclass(frozen=True, slots=True)
class Measured:
    """A share with its interval, and the most it may be, or an agreement and the least; ``name`` is the limit's option.

    ``rows`` counts what it is a share of, None where no review can decide it; ``table`` the rows that a review draws.
    Where it is not ``supported``, or of ``too_few`` rows, it decides little or nothing. ``verdict`` is there where
    something else than the numbers has decided, and ``reason`` says what. ``chance_low`` is, of one part among many,
    the low end by chance over them all, which is to exceed the limit as well for the estimate to fail.
    """

    name: str
    what: str
    estimate: float
    low: float
    high: float
    limit: float
    rows: int | None = None
    table: int = 0
    supported: bool = True
    measure: Measure = "share"
    of: object = None
    too_few: TooFew | None = None
    verdict: Verdict | None = None
    reason: str = ""
    chance_low: float | None = None


def rate_limit(name: str, what: str, rate: NoiseRate, limit: float) -> Measured:
    """A noise rate that a review of the rows would tell, or its increase.

    Args:
        name: The option of the limit.
        what: What the rate is of, for the message.
        rate: The noise rate.
        limit: The most it may be.
    """
    numbers = (rate.estimate, rate.low, rate.high, limit, rate.rows, rate.rows)
    # A review of all rows of a small table leaves nothing to chance, and its interval says so.
    few = None if rate.method == "reviewed" else too_few(rate.estimate, rate.rows, limit, rate.confidence)
    return Measured(name, what, *numbers, supported=rate.supported, too_few=few)


def increase_limit(change: NoiseRate, profile: Mapping[str, Any], limit: float) -> Measured:
    """The increase of the noise rate since a trusted profile, which a review of the rows would tell.

    Args:
        change: The increase, by method ``"reference"``.
        profile: The trusted data's.
        limit: The most it may be.
    """
    needed = fewest_rows(limit, change.confidence, change_scale(profile))
    few = None if needed is not None and change.rows >= needed else TooFew(change.rows, needed, change.low)
    numbers = (change.estimate, change.low, change.high, limit, change.rows, change.rows)
    what = "the increase of the noise rate"
    return Measured("max_increase", what, *numbers, supported=change.supported, too_few=few, reason=change.caution)


def share_limit(name: str, what: str, rate: NoiseRate, limit: float, *, of: object = None) -> Measured:
    """A noise rate that no review of rows tells: of answers or of labels.

    Args:
        name: The option of the limit.
        what: What the rate is of, for the message.
        rate: The noise rate.
        limit: The most it may be.
        of: What has the limit where it is not the whole table.
    """
    few = too_few(rate.estimate, rate.rows, limit, rate.confidence) if of is None else None
    numbers = (rate.estimate, rate.low, rate.high, limit)
    return Measured(name, what, *numbers, supported=rate.supported, of=of, too_few=few)


def class_limits(
    rate: NoiseRate,
    label: str,
    classes: Sequence[Hashable],
    class_rows: IntArray,
    limits: float | Mapping[Any, float] | None,
) -> list[Measured]:
    """The noise rate of each limited class.

    Args:
        rate: The noise rate, with that of each class.
        label: The label column, for the message.
        classes: The K classes.
        class_rows: (K,) audited rows that carry each.
        limits: One for all classes, a limit by class, or None for no limit.

    Raises:
        OptionError: A limit for a class that the label column does not hold.
    """
    if limits is None:
        return []
    limit_of = limit_by_part(limits, classes, f"is no class of {label!r}; the classes are")
    shares, low, high = (part.tolist() for part in (rate.by_given_class, rate.class_low, rate.class_high))
    measured = []
    for k, value in enumerate(classes):
        if value in limit_of:
            rows, limit = int(class_rows[k]), limit_of[value]
            few = None if rate.method == "reviewed" else too_few(shares[k], rows, limit, rate.confidence)
            numbers = (shares[k], low[k], high[k], limit, rows, rate.rows, rate.supported and high[k] - low[k] < 1)
            what = f"the noise rate of class {value!r}"
            measured.append(Measured("max_class_noise_rate", what, *numbers, of=value, too_few=few))
    return measured


def coverage_limit(audited: int, rows: int, limit: float) -> list[Measured]:
    """The share of the rows whose label was judged, where it is too small for the gate to pass.

    Args:
        audited: Rows that were judged.
        rows: All rows.
        limit: The least that their share may be.
    """
    share = audited / rows if rows else 0.0
    if share >= limit:
        return []
    reason = (
        f"{rows - audited:,} of {rows:,} rows have no label, or none that could be judged (min_judged={limit:g} allows "
        "fewer)"
    )
    return [
        Measured(
            "min_judged", "the share of rows whose label was judged", share, share, share, limit, measure="coverage",
            verdict="inconclusive", reason=reason,
        )
    ]  # fmt: skip


def single_class_limit(value: object, rows: int, trusted: float | None) -> Measured:
    """The number of classes among the labels where it is 1, so that no label can be told to be wrong.

    Args:
        value: The one class.
        rows: How many rows have it.
        trusted: Its share of the trusted labels, where there are any.
    """
    reason = "the only label is" if rows == 1 else f"all {rows:,} labels are"
    reason += f" {value!r}, so wrong ones cannot be told from right ones"
    by_chance = 1.0 if trusted is None else trusted**rows
    if trusted is not None:
        reason += f"; {1 - trusted:.1%} of the trusted labels are of other classes"
    verdict: Verdict = "fail" if by_chance < CHANCE else "inconclusive"
    return Measured(
        "classes", "the number of classes among the labels", 1, 1, 1, 2, measure="classes", verdict=verdict,
        reason=reason,
    )  # fmt: skip


def same_answers_limit(rows: int) -> Measured:
    """The number of answers to each question where it is 1, so that none can be told to be wrong.

    Args:
        rows: How many rows have it.
    """
    reason = "there is only one row" if rows == 1 else f"each label is on all {rows:,} rows or on none"
    reason += ", so wrong ones cannot be told from right ones"
    return Measured(
        "classes", "the number of answers for each label", 1, 1, 1, 2, measure="classes", verdict="inconclusive",
        reason=reason,
    )  # fmt: skip


def pair_limits(
    rate: NoiseRate,
    label: str,
    classes: Sequence[Hashable],
    pairs: tuple[NDArray[np.generic], ...],
    limits: float | Mapping[tuple[Any, Any], float] | None,
) -> list[Measured]:
    """The flagged share of each limited given → suggested pair of classes.

    Args:
        rate: The noise rate, whose confidence the intervals take.
        label: The label column, for the message.
        classes: The K classes.
        pairs: Given and suggested positions, rows, and share of the given class, of each pair that was flagged.
        limits: One for all pairs, a limit by (given, suggested), or None for no limit.

    Raises:
        OptionError: A limit for a class that the label column does not hold.
    """
    if limits is None:
        return []
    if isinstance(limits, Mapping):
        _check_parts(
            (value for pair in limits for value in pair), classes, f"is no class of {label!r}; the classes are"
        )
    measured = []
    for given, suggested, rows, share in zip(*(part.tolist() for part in pairs), strict=True):
        pair = (classes[given], classes[suggested])
        limit = limits.get(pair) if isinstance(limits, Mapping) else limits
        if limit is not None:
            low, high = share_interval(share, rows / share, rate.confidence)
            what = f"the share of {pair[0]!r} flagged as {pair[1]!r}"
            measured.append(Measured("max_pair_share", what, share, low, high, limit, of=pair))
    none = Measured("max_pair_share", "the share flagged in any limited pair", 0.0, 0.0, 0.0, 0.0)
    return measured or [none]


def limit_by_part(
    limits: float | Mapping[Any, float], parts: Sequence[Hashable], wrong: str, before: str = ""
) -> dict[Any, float]:
    """Return the limit of each limited part: a class, an annotator or a tag.

    Args:
        limits: One for all parts, or a limit by part.
        parts: What may be limited.
        wrong: What is wrong with a part that is not there, and what follows, for the message.
        before: How the message begins.

    Raises:
        OptionError: A limit for a part that is not there.
    """
    limit_of = dict(limits) if isinstance(limits, Mapping) else dict.fromkeys(parts, limits)
    _check_parts(limit_of, parts, wrong, before)
    return limit_of


def _check_parts(values: Iterable[Hashable], parts: Sequence[Hashable], wrong: str, before: str = "") -> None:
    unknown = [value for value in values if value not in parts]
    if unknown:
        listed, known = (", ".join(map(repr, some)) for some in (unknown[:10], parts[:20]))
        raise OptionError(f"{before}{listed} {wrong} {known}.")


def drift_limits(shifts: Mapping[str, Sequence[Any]], limit: float) -> list[Measured]:
    """The population stability indices of the classes and the features of a batch that are beyond the limit.

    Where none is, the largest. One beyond the limit that chance could give as well decides nothing.

    Args:
        shifts: The columns of ``audit.drift``.
        limit: The most that an index may be.
    """
    rows = zip(*(shifts[name] for name in ("what", "name", "change", "drifted")), strict=True)
    indices = [(float(change), what, name, bool(moved)) for what, name, change, moved in rows if what in INDEXED]
    found: list[Measured] = []
    for index, what, name, moved in sorted(indices, key=lambda one: -one[0]):
        if index > limit or not found:
            of = f"the {what}" if what == "classes" else f"column {name!r}"
            verdict: Verdict | None = "inconclusive" if index > limit and not moved else None
            found.append(
                Measured(
                    "max_drift", f"the stability index of {of}", index, index, index, limit, measure="index",
                    verdict=verdict,
                )
            )  # fmt: skip
    return found


def unseen_limit(unseen: int, labels: int, confidence: float, limit: float) -> Measured:
    """The share of a batch's labels of classes that its auditor does not know.

    Args:
        unseen: Labels of unknown classes.
        labels: All labels that are there.
        confidence: Confidence of the interval, in (0, 1).
        limit: The most that the share may be.
    """
    share = unseen / labels
    numbers = (share, *share_interval(share, labels, confidence), limit)
    return Measured("max_unseen_share", "the share of labels of classes that the auditor does not know", *numbers)
