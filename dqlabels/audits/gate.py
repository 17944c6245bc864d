"""Limits -> a verdict with three answers, and a message a colleague can act on."""

from __future__ import annotations

import numbers
import warnings
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import numpy as np
from numpy.typing import NDArray

from dqlabels.audits.options import check_fields, checked, choice, option, refuse_unknown
from dqlabels.errors import LabelNoiseError, LabelWarning, OptionError
from dqlabels.noise.rate import NoiseRate, share_interval
from dqlabels.noise.reviewed import rows_to_decide
from dqlabels.statistics.arrays import IntArray

if TYPE_CHECKING:
    from typing_extensions import Self


Verdict = Literal["pass", "fail", "inconclusive"]
Decide = Literal["estimate", "confident"]
Measure = Literal["share", "agreement"]
OnInconclusive = Literal["warn", "fail", "pass"]
WORST_FIRST: tuple[str, ...] = ("fail", "inconclusive", "pass")
MOST_FURTHER_CHECKS = 5


def _limit(name: str, value: object) -> float:
    return _between_0_and_1(name, value, "a share of rows between 0 and 1; for 5% pass 0.05")


def _agreement(name: str, value: object) -> float:
    return _between_0_and_1(name, value, "an agreement between 0 and 1")


def _between_0_and_1(name: str, value: object, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, numbers.Real)) or not 0 <= float(value) <= 1:
        raise OptionError(f"{name}={value!r} is not {what}.")
    return float(value)


def _limits(name: str, value: object) -> float | dict[Hashable, float]:
    if isinstance(value, Mapping):
        return {of: checked(_limit, name, limit) for of, limit in value.items()}
    return _limit(name, value)


def _text(name: str, value: object) -> str:
    if isinstance(value, str):
        return value
    raise OptionError(f"{name}={value!r} is not the name of a method of estimating the noise rate.")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Limits:
    """What a gate holds an audit against, and how; every value was checked when this was made.

    Raises:
        OptionError: A limit that is not a share, or an unknown choice.

    >>> Limits(max_noise_rate="5%")
    Traceback (most recent call last):
    dqlabels.errors.OptionError: max_noise_rate='5%' is not a share of rows between 0 and 1; for 5% pass 0.05.
    """

    max_noise_rate: float | None = option(None, "The largest noise rate of the table, as in 0.05.", _limit)
    max_class_noise_rate: float | Mapping[Any, float] | None = option(
        None,
        "The largest noise rate of the rows given each class or tag: one limit for all, or a limit by class.",
        _limits,
    )
    max_pair_share: float | Mapping[tuple[Any, Any], float] | None = option(
        None,
        "The largest share of a class's rows that may be flagged as one other class: one limit for all pairs, or a "
        "limit by (given, suggested).",
        _limits,
    )
    max_increase: float | None = option(None, "The largest increase of the noise rate over reference.", _limit)
    max_flagged_share: float | None = option(
        None, "The largest share of numbers that may be flagged, as in 0.01.", _limit
    )
    min_agreement: float | None = option(
        None, "The least that Krippendorff's alpha of several people's labels may be.", _agreement
    )
    max_annotator_noise_rate: float | Mapping[Any, float] | None = option(
        None, "The largest noise rate of each annotator's labels: one limit for all, or a limit by annotator.", _limits
    )
    reference: Any = option(
        None,
        "Trusted data to compare with: an audit of them, what its profile() gave, or the path of its JSON or of a "
        "saved auditor.",
    )
    method: str | None = option(
        None, "The method of estimating the noise rate; by default that of audit.noise_rate.", _text
    )
    decide: Decide = option(
        "estimate",
        "'estimate' holds the estimate against the limit; 'confident' the whole interval, which relies on a review, "
        "else on reference, where there is one.",
        choice(Decide),
    )
    on_inconclusive: OnInconclusive = option(
        "warn", "What an inconclusive gate does: 'warn' and pass, 'fail', or 'pass'.", choice(OnInconclusive)
    )

    def __post_init__(self) -> None:
        check_fields(self)

    @classmethod
    def of(cls, values: Mapping[str, Any], call: str, only: Collection[str]) -> Limits:
        """Check what a caller passed by keyword.

        Args:
            values: Values by the name that the caller wrote.
            call: What was called, for the message.
            only: The limits that this kind of label has.

        Raises:
            OptionError: A value that means nothing here, or no limit at all.
            UnknownOptionError: A limit that this kind of label does not have.

        >>> Limits.of({"max_noise_rate": 0.05}, "dqlabels.LabelAudit.gate", ["max_noise_rate"]).max_noise_rate
        0.05
        """
        refuse_unknown(values, only, call)
        limits = cls(**values)
        if all(getattr(limits, name) is None for name in LIMIT_NAMES):
            raise OptionError(
                f"The gate has no limit. Set {' or '.join(f'{name}=' for name in only if name in LIMIT_NAMES)}."
            )
        return limits


LIMIT_NAMES = (
    "max_noise_rate", "max_class_noise_rate", "max_pair_share", "max_increase", "max_flagged_share", "min_agreement",
    "max_annotator_noise_rate",
)  # fmt: skip
# How a gate decides, whatever it limits.
DECIDING = ("decide", "on_inconclusive")


class Deciding(TypedDict, total=False):
    """How a gate decides, for editors and type checkers."""

    decide: Decide
    on_inconclusive: OnInconclusive


@dataclass(frozen=True, slots=True)
class GateCheck:
    """One limit compared with one estimate.

    A ``"share"`` of rows, in [0, 1] but for an increase, which may be negative, is to be at most the limit; a
    coefficient of ``"agreement"``, at most 1, at least the limit. ``rows_to_review`` is, where the check is
    inconclusive, about how many rows of ``audit.review_sample`` to review to decide it; None where a review cannot.
    ``of`` is what the limit is about where it is not the whole table: a class, a pair of classes, an annotator, a tag.

    >>> check = GateCheck("the label-noise rate", 0.07, 0.05, 0.09, 0.04, "fail")
    >>> check.requirement, round(check.excess, 3)
    ('the label-noise rate is at most 4.0%', 0.03)
    """

    what: str
    estimate: float
    low: float
    high: float
    limit: float
    verdict: Verdict
    rows_to_review: int | None = None
    measure: Measure = "share"
    of: object = None

    @property
    def excess(self) -> float:
        """How far the estimate lies beyond the limit; negative where it is within it."""
        return self.estimate - self.limit if self.measure == "share" else self.limit - self.estimate

    @property
    def requirement(self) -> str:
        """What must hold."""
        return f"{self.what} is at {'most' if self.measure == 'share' else 'least'} {self.written(self.limit)}"

    def written(self, value: float) -> str:
        """A number of this check as a reader wants it: 4.9% or 0.612.

        >>> GateCheck("the label-noise rate", 0.07, 0.05, 0.09, 0.04, "fail").written(0.07)
        '7.0%'
        """
        return f"{value:.1%}" if self.measure == "share" else f"{value:.3f}"

    def __str__(self) -> str:
        beyond, limit = ("exceeds", "limit") if self.measure == "share" else ("falls short of", "minimum")
        words = {"pass": "reaches" if limit == "minimum" else "is within", "fail": beyond}
        words["inconclusive"] = "cannot be distinguished from"
        estimate, low, high, bound = map(self.written, (self.estimate, self.low, self.high, self.limit))
        return f"{self.what}, {estimate} (interval {low} to {high}), {words[self.verdict]} the {limit} of {bound}"

    def to_dict(self) -> dict[str, object]:
        """Plain values, ready for JSON.

        >>> GateCheck("the label-noise rate", 0.07, 0.05, 0.09, 0.04, "fail").to_dict()["verdict"]
        'fail'
        """
        keys = ("what", "measure", "estimate", "low", "high", "limit", "verdict", "rows_to_review")
        return {key: getattr(self, key) for key in keys}


@dataclass(frozen=True, slots=True)
class GateResult:
    """A verdict on the labels of one audit, with the noise rate that it rests on, where this kind of label has one.

    ``passed`` is what a pipeline acts on; ``checks`` are the limits one by one, worst first; ``confidence`` is that of
    their intervals, and ``assumption`` what the estimate rests on.

    >>> import dqlabels, polars as pl
    >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
    >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
    >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
    >>> result = audit.gate(max_noise_rate=0.01)
    >>> result.verdict, result.passed, result.limit, result.check.what
    ('fail', False, 0.01, 'the label-noise rate')
    """

    verdict: Verdict
    passed: bool
    message: str
    decide: Decide
    checks: tuple[GateCheck, ...]
    noise_rate: NoiseRate | None = None
    confidence: float = 0.90
    assumption: str = ""

    @property
    def check(self) -> GateCheck:
        """The worst check."""
        return self.checks[0]

    @property
    def limit(self) -> float:
        """The limit of the worst check."""
        return self.check.limit

    def raise_if_failed(self) -> Self:
        """Raise when the gate did not pass, else return itself.

        Raises:
            LabelNoiseError: Carries this result as ``.result``.

        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
        >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
        >>> audit.gate(max_noise_rate=0.5).raise_if_failed().passed
        True
        """
        if not self.passed:
            raise LabelNoiseError(self.message, self)
        return self

    def to_dict(self) -> dict[str, object]:
        """Plain values, ready for JSON.

        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
        >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
        >>> audit.gate(max_noise_rate=0.5).to_dict()["passed"]
        True
        """
        keys = ("verdict", "passed", "message", "limit", "decide")
        shown = {key: getattr(self, key) for key in keys} | {"checks": [check.to_dict() for check in self.checks]}
        return shown if self.noise_rate is None else shown | {"noise_rate": self.noise_rate.to_dict()}


@dataclass(frozen=True, slots=True)
class Measured:
    """A share with its interval, and the most it may be, or an agreement and the least; ``name`` is the limit's option.

    ``rows`` counts what it is a share of, None where no review can decide it; ``table`` the rows that a review draws.
    Where it is not ``supported``, it decides nothing.
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


def rate_limit(name: str, what: str, rate: NoiseRate, limit: float) -> Measured:
    """A noise rate that a review of the rows would tell, or its increase.

    Args:
        name: The option of the limit.
        what: What the rate is of, for the message.
        rate: The noise rate.
        limit: The most it may be.
    """
    numbers = (rate.estimate, rate.low, rate.high, limit, rate.rows, rate.rows)
    return Measured(name, what, *numbers, supported=rate.supported)


def share_limit(name: str, what: str, rate: NoiseRate, limit: float, *, of: object = None) -> Measured:
    """A noise rate that no review of rows tells: of answers or of labels.

    Args:
        name: The option of the limit.
        what: What the rate is of, for the message.
        rate: The noise rate.
        limit: The most it may be.
        of: What has the limit where it is not the whole table.
    """
    return Measured(name, what, rate.estimate, rate.low, rate.high, limit, supported=rate.supported, of=of)


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
    return [
        Measured("max_class_noise_rate", f"the noise rate of class {value!r}", shares[k], low[k], high[k],
                 limit_of[value], int(class_rows[k]), rate.rows, rate.supported and high[k] - low[k] < 1, of=value)
        for k, value in enumerate(classes) if value in limit_of
    ]  # fmt: skip


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


@dataclass(frozen=True, slots=True)
class Grounds:
    """What a gate's message says about the estimate: ``where`` it was made, by which ``method`` and ``assumption``.

    ``caution`` says why the table cannot support it; ``undecided`` what to do where the gate is inconclusive; ``flags``
    how many rows are flagged, and how many of them are likely wrong.
    """

    where: str
    confidence: float
    assumption: str
    method: str | None = None
    caution: str = ""
    undecided: str = ""
    flags: str = ""
    noise_rate: NoiseRate | None = None

    @classmethod
    def of(cls, rate: NoiseRate, label: str, counted: str = "rows", flags: str = "") -> Grounds:
        """The grounds of a noise rate.

        Args:
            rate: The rate.
            label: The label column.
            counted: What the rate is a share of.
            flags: What is said of the flagged rows, a sentence or nothing.
        """
        where = f"column {label!r}, {rate.rows:,} {counted}"
        return cls(where, rate.confidence, rate.assumption, rate.method, rate.caution, flags=flags, noise_rate=rate)


def decide_gate(
    grounds: Grounds,
    measured: Sequence[Measured],
    *,
    decide: Decide = "estimate",
    on_inconclusive: OnInconclusive = "warn",
    details: Sequence[str] = (),
    stacklevel: int = 2,
) -> GateResult:
    """Compare shares with their limits; the worst verdict is the gate's.

    ``decide="estimate"`` fails when an estimate exceeds its limit. ``decide="confident"`` fails when a whole
    interval does, passes when none of any does, and is otherwise inconclusive. What the table cannot support is
    inconclusive either way.

    Args:
        grounds: What the message says about the estimate.
        measured: What to hold against which limit, at least one.
        decide: What must exceed the limit.
        on_inconclusive: Whether an inconclusive gate warns and passes, fails, or passes.
        details: Further lines of the message: worst classes, commonest confusions, first rows.
        stacklevel: As :func:`warnings.warn` takes it in the caller.

    Raises:
        OptionError: There is nothing to compare with a limit.
    """
    if not measured:
        raise OptionError("The gate has no limit. Set max_noise_rate=, max_class_noise_rate= or another.")
    unsorted = [_check(one, decide, grounds.confidence) for one in measured]
    checks = tuple(sorted(unsorted, key=lambda check: WORST_FIRST.index(check.verdict)))
    message, verdict = _message(grounds, checks, details), checks[0].verdict
    if verdict == "inconclusive" and on_inconclusive == "warn":
        warnings.warn(message, LabelWarning, stacklevel=stacklevel)
    passed = verdict == "pass" or (verdict == "inconclusive" and on_inconclusive != "fail")
    return GateResult(
        verdict, passed, message, decide, checks, grounds.noise_rate, grounds.confidence, grounds.assumption
    )


def _check(measured: Measured, decide: Decide, confidence: float) -> GateCheck:
    verdict, needed, m = _verdict(measured, decide), None, measured
    if verdict == "inconclusive" and m.rows:
        among = rows_to_decide(m.estimate, m.limit, population=m.rows, confidence=confidence)
        needed = min(round(among * m.table / m.rows), m.table)
    return GateCheck(m.what, m.estimate, m.low, m.high, float(m.limit), verdict, needed, m.measure, m.of)


def _verdict(measured: Measured, decide: Decide) -> Verdict:
    if not measured.supported:
        return "inconclusive"
    # Of an agreement the low end is the worse one.
    sign = 1 if measured.measure == "share" else -1
    best, worst = sorted((sign * measured.low, sign * measured.high))
    estimate, limit = sign * measured.estimate, sign * measured.limit
    if decide == "estimate":
        return "fail" if estimate > limit else "pass"
    if best > limit:
        return "fail"
    return "pass" if worst <= limit else "inconclusive"


def _message(grounds: Grounds, checks: Sequence[GateCheck], details: Sequence[str]) -> str:
    worst = checks[0]
    # An agreement is counted, by no method and under no assumption.
    estimated = any(check.measure == "share" for check in checks)
    method = f", method {grounds.method!r}" if estimated and grounds.method else ""
    lines = [f"{worst.verdict.upper()}: {worst} ({grounds.where}{method})."]
    lines += [f"Also: {check}." for check in checks[1:] if check.verdict != "pass"][:MOST_FURTHER_CHECKS]
    needed = max((check.rows_to_review or 0 for check in checks), default=0)
    if needed:
        lines.append(
            f"Reviewing about {needed:,} rows by hand would decide it, if the estimate is right: draw them with "
            f"review_sample({needed})."
        )
    lines += [grounds.undecided] if grounds.undecided and worst.verdict == "inconclusive" else []
    lines += [grounds.flags] if grounds.flags else []
    lines += [grounds.caution] if grounds.caution and estimated else []
    return "\n".join([*lines, *([grounds.assumption] if estimated else []), *details])
