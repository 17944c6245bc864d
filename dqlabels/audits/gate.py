"""Limits -> a verdict with three answers, and a message a colleague can act on."""

from __future__ import annotations

import math
import numbers
import warnings
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from dqlabels.audits.measured import Measure, Measured, Verdict
from dqlabels.audits.options import check_fields, checked, choice, option, refuse_unknown
from dqlabels.errors import LabelNoiseError, LabelWarning, OptionError
from dqlabels.noise.rate import NoiseRate
from dqlabels.noise.reviewed import rows_to_decide

if TYPE_CHECKING:
    from typing_extensions import Self


Decide = Literal["estimate", "confident"]
OnInconclusive = Literal["warn", "fail", "pass"]
WORST_FIRST: tuple[str, ...] = ("fail", "inconclusive", "pass")
MOST_FURTHER_CHECKS = 5
BLOCKED = "The table could not be judged, so it passes under on_inconclusive='pass' alone."
# What is to be at least its limit; all else is to be at most.
AT_LEAST: tuple[str, ...] = ("agreement", "coverage", "classes")
# Counts, which have no interval.
COUNTED: tuple[str, ...] = ("coverage", "classes", "index")
# On fewer rows no estimate exceeds a limit: one label is a tenth of them.
MIN_ROWS_TO_FAIL = 10


def _limit(name: str, value: object) -> float:
    return _between_0_and_1(name, value, "a share of rows between 0 and 1; for 5% pass 0.05")


def _agreement(name: str, value: object) -> float:
    return _between_0_and_1(name, value, "an agreement between 0 and 1")


def _index(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= float(value) < math.inf:
        raise OptionError(
            f"{name}={value!r} is not a population stability index, a number of at least 0; by convention 0.1 is a "
            "small shift and 0.25 a large one."
        )
    return float(value)


def _between_0_and_1(name: str, value: object, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, numbers.Real)) or not 0 <= float(value) <= 1:
        raise OptionError(f"{name}={value!r} is not {what}.")
    return float(value)


def _limits(name: str, value: object) -> float | dict[Hashable, float]:
    if isinstance(value, Mapping):
        return {of: checked(_limit, name, limit) for of, limit in value.items()}
    return _limit(name, value)


def _segment_column(name: str, value: object) -> str:
    if isinstance(value, str) and value:
        return value
    raise OptionError(f"{name}={value!r} is not the name of a column; pass the column whose values are the segments.")


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
    max_segment_noise_rate: float | Mapping[Any, float] | None = option(
        None,
        "The largest noise rate of each segment of the column by: one limit for all, or a limit by its value.",
        _limits,
    )
    by: str | None = option(
        None, "The column whose values are the segments of max_segment_noise_rate.", _segment_column
    )
    max_drift: float | None = option(
        None,
        "The largest population stability index of the classes and of each feature, as audit.drift has it; for a batch "
        "that a fitted auditor judged.",
        _index,
    )
    max_unseen_share: float | None = option(
        None, "The largest share of a batch's labels that may be of classes that its auditor does not know.", _limit
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
        "warn",
        "What an inconclusive gate does: 'warn' and pass, 'fail', or 'pass'. Labels that could not be judged pass "
        "under 'pass' alone.",
        choice(OnInconclusive),
    )
    min_judged: float = option(
        0.8, "The smallest share of the rows whose label must have been judged; on fewer no gate passes.", _limit
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
        if (limits.by is None) != (limits.max_segment_noise_rate is None):
            raise OptionError(
                "max_segment_noise_rate= limits the segments of a column, which by= names: give both, or neither."
            )
        return limits


LIMIT_NAMES = (
    "max_noise_rate", "max_class_noise_rate", "max_pair_share", "max_increase", "max_flagged_share", "min_agreement",
    "max_annotator_noise_rate", "max_segment_noise_rate", "max_drift", "max_unseen_share",
)  # fmt: skip
# How a gate decides, whatever it limits.
DECIDING = ("decide", "on_inconclusive", "min_judged")


class Deciding(TypedDict, total=False):
    """How a gate decides, for editors and type checkers."""

    decide: Decide
    on_inconclusive: OnInconclusive
    min_judged: float


@dataclass(frozen=True, slots=True)
class GateCheck:
    """One limit compared with one estimate.

    A ``"share"`` of rows, in [0, 1] but for an increase, which may be negative, is to be at most the limit, and so is a
    population stability ``"index"``. A coefficient of ``"agreement"``, at most 1, is to be at least the limit, and so
    are the ``"coverage"``, the share of rows that were judged, and the number of ``"classes"`` among the labels.
    ``rows_to_review`` is, where the check is inconclusive, about how many rows of ``audit.review_sample`` to review to
    decide it; None where a review cannot. ``of`` is what the limit is about where it is not the whole table: a class, a
    pair of classes, an annotator, a tag, a column. ``reason`` says why the estimate cannot be held against the limit,
    and is empty where it can; ``rows_needed`` how many rows it takes, where there are too few.

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
    reason: str = ""
    rows_needed: int | None = None

    @property
    def blocks(self) -> bool:
        """Whether it keeps the table as a whole from being judged, so that the gate does not pass with a warning.

        >>> GateCheck("the share of judged rows", 0.1, 0.1, 0.1, 0.8, "inconclusive", reason="90 of 100 are not").blocks
        True
        """
        return self.verdict == "inconclusive" and bool(self.reason) and self.of is None

    @property
    def excess(self) -> float:
        """How far the estimate lies beyond the limit; negative where it is within it."""
        return self.limit - self.estimate if self.measure in AT_LEAST else self.estimate - self.limit

    @property
    def requirement(self) -> str:
        """What must hold."""
        return f"{self.what} is at {'least' if self.measure in AT_LEAST else 'most'} {self.written(self.limit)}"

    def written(self, value: float) -> str:
        """A number of this check as a reader wants it: 4.9% or 0.612.

        >>> GateCheck("the label-noise rate", 0.07, 0.05, 0.09, 0.04, "fail").written(0.07)
        '7.0%'
        """
        if not math.isfinite(value):
            return "unknown"
        if self.measure in ("share", "coverage"):
            return f"{value:.1%}"
        return f"{value:.0f}" if self.measure == "classes" else f"{value:.3f}"

    @property
    def observed(self) -> str:
        """The estimate with its interval, where it has one.

        >>> GateCheck("the label-noise rate", 0.07, 0.05, 0.09, 0.04, "fail").observed
        '7.0% (interval 5.0% to 9.0%)'
        """
        if self.measure in COUNTED:
            return self.written(self.estimate)
        return f"{self.written(self.estimate)} (interval {self.written(self.low)} to {self.written(self.high)})"

    def __str__(self) -> str:
        least = self.measure in AT_LEAST
        words = {"pass": "reaches" if least else "is within", "fail": "falls short of" if least else "exceeds"}
        words["inconclusive"] = "cannot be distinguished from"
        if self.reason and self.verdict == "inconclusive":
            short = self.measure in ("coverage", "classes")
            words["inconclusive"] = "falls short of" if short else "cannot be held against"
        bound = f"the {'minimum' if least else 'limit'} of {self.written(self.limit)}"
        reason = f": {self.reason}" if self.reason else ""
        return f"{self.what}, {self.observed}, {words[self.verdict]} {bound}{reason}"

    def to_dict(self) -> dict[str, object]:
        """Plain values, ready for JSON.

        >>> GateCheck("the label-noise rate", 0.07, 0.05, 0.09, 0.04, "fail").to_dict()["verdict"]
        'fail'
        """
        keys = ("what", "measure", "limit", "verdict", "reason", "rows_to_review", "rows_needed")
        ends = {key: getattr(self, key) for key in ("estimate", "low", "high")}
        shown = {key: value if math.isfinite(value) else None for key, value in ends.items()}
        return {key: getattr(self, key) for key in keys} | shown


@dataclass(frozen=True, slots=True)
class GateResult:
    """A verdict on the labels of one audit, with the noise rate that it rests on, where this kind of label has one.

    ``passed`` is what a pipeline acts on: true where the verdict is a pass, or is inconclusive and ``on_inconclusive=``
    lets it through, which ``"warn"`` does not where the labels could not be judged at all. ``checks`` are the limits
    one by one, worst first; ``confidence`` is that of their intervals, and ``assumption`` what the estimate rests on.

    >>> import dqlabels, polars as pl
    >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3] * 50, "spam": [0.1, 0.9, 0.8, 0.7] * 50}
    >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"] * 50, **probs})
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
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3] * 50, "spam": [0.1, 0.9, 0.8, 0.7] * 50}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"] * 50, **probs})
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
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3] * 50, "spam": [0.1, 0.9, 0.8, 0.7] * 50}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"] * 50, **probs})
        >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
        >>> audit.gate(max_noise_rate=0.5).to_dict()["passed"]
        True
        """
        keys = ("verdict", "passed", "message", "limit", "decide")
        shown = {key: getattr(self, key) for key in keys} | {"checks": [check.to_dict() for check in self.checks]}
        return shown if self.noise_rate is None else shown | {"noise_rate": self.noise_rate.to_dict()}


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
    interval does, passes when none of any does, and is otherwise inconclusive. What the table cannot support, and what
    is not a number, is inconclusive either way; on too few rows a limit is exceeded beyond chance or it is
    inconclusive. An inconclusive gate whose table could not be judged passes under ``on_inconclusive="pass"`` alone.

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
    checks = tuple(sorted(unsorted, key=lambda check: (WORST_FIRST.index(check.verdict), not check.blocks)))
    message, verdict = _message(grounds, checks, details), checks[0].verdict
    passes_undecided = on_inconclusive == "pass" or (on_inconclusive == "warn" and not checks[0].blocks)
    passed = verdict == "pass" or (verdict == "inconclusive" and passes_undecided)
    if verdict == "inconclusive" and passed and on_inconclusive == "warn":
        warnings.warn(message, LabelWarning, stacklevel=stacklevel)
    return GateResult(
        verdict, passed, message, decide, checks, grounds.noise_rate, grounds.confidence, grounds.assumption
    )


def _check(measured: Measured, decide: Decide, confidence: float) -> GateCheck:
    m, reason = measured, measured.reason
    verdict, rows_to_review, rows_needed = _verdict(m, decide), None, None
    if not _is_finite(m):
        reason = "it could not be estimated"
    elif verdict == "inconclusive":
        if m.too_few is not None:
            reason, rows_needed = str(m.too_few), m.too_few.needed
        if m.rows:
            among = rows_to_decide(m.estimate, m.limit, population=m.rows, confidence=confidence)
            rows_to_review = min(round(among * m.table / m.rows), m.table)
    return GateCheck(
        m.what, m.estimate, m.low, m.high, float(m.limit), verdict, rows_to_review, m.measure, m.of, reason, rows_needed
    )


def _is_finite(measured: Measured) -> bool:
    return all(map(math.isfinite, (measured.estimate, measured.low, measured.high)))


def _verdict(measured: Measured, decide: Decide) -> Verdict:
    if measured.verdict is not None:
        return measured.verdict
    if not measured.supported or not _is_finite(measured):
        return "inconclusive"
    # Of an agreement the low end is the worse one.
    sign = -1 if measured.measure in AT_LEAST else 1
    best, worst = sorted((sign * measured.low, sign * measured.high))
    estimate, limit = sign * measured.estimate, sign * measured.limit
    if measured.too_few is not None:
        few = measured.too_few
        beyond_chance = (best if decide == "confident" else few.low) > limit
        return "fail" if few.rows >= MIN_ROWS_TO_FAIL and beyond_chance else "inconclusive"
    if decide == "estimate":
        beyond_chance = measured.chance_low is None or measured.chance_low > limit
        return "pass" if estimate <= limit else "fail" if beyond_chance else "inconclusive"
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
    lines += [BLOCKED] if worst.blocks else []
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
