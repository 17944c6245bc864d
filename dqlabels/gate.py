"""Limits -> a verdict with three answers, and a message a colleague can act on."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

from dqlabels.errors import LabelNoiseError, LabelWarning, OptionError
from dqlabels.noise import NoiseRate

Verdict = Literal["pass", "fail", "inconclusive"]
Decide = Literal["estimate", "confident"]
OnInconclusive = Literal["warn", "fail", "pass"]
DECIDE: tuple[str, ...] = ("estimate", "confident")
ON_INCONCLUSIVE: tuple[str, ...] = ("warn", "fail", "pass")


@dataclass(frozen=True, slots=True)
class GateResult:
    """A verdict on one label column. ``passed`` is what a pipeline acts on."""

    verdict: Verdict
    passed: bool
    message: str
    limit: float
    decide: Decide
    noise_rate: NoiseRate

    def raise_if_failed(self) -> GateResult:
        """Raise when the gate did not pass, else return itself.

        Raises:
            LabelNoiseError: Carries this result as ``.result``.
        """
        if not self.passed:
            raise LabelNoiseError(self.message, self)
        return self

    def to_dict(self) -> dict[str, object]:
        """Plain values, ready for JSON."""
        return {
            "verdict": self.verdict,
            "passed": self.passed,
            "message": self.message,
            "limit": self.limit,
            "decide": self.decide,
            "noise_rate": self.noise_rate.to_dict(),
        }


def decide_gate(
    noise_rate: NoiseRate,
    *,
    max_noise_rate: float,
    decide: Decide = "estimate",
    on_inconclusive: OnInconclusive = "warn",
    label: str = "label",
    details: Sequence[str] = (),
) -> GateResult:
    """Hold a noise rate against a limit.

    ``decide="estimate"`` fails when the estimate exceeds the limit. ``decide="confident"`` fails when the
    whole interval does, passes when none of it does, and is otherwise inconclusive.

    Args:
        noise_rate: The estimate with its interval.
        max_noise_rate: The limit, a share of rows in [0, 1].
        decide: What must exceed the limit.
        on_inconclusive: Whether an inconclusive gate warns and passes, fails, or passes.
        label: The column's name, for the message.
        details: Further lines of the message: worst classes, commonest confusions, first rows.

    Raises:
        OptionError: A limit outside [0, 1] or an unknown choice.
    """
    if isinstance(max_noise_rate, bool) or not 0 <= max_noise_rate <= 1:
        raise OptionError(
            f"max_noise_rate={max_noise_rate!r} is not a share of rows between 0 and 1; for 5% pass 0.05."
        )
    _check_choice("decide", decide, DECIDE)
    _check_choice("on_inconclusive", on_inconclusive, ON_INCONCLUSIVE)
    verdict = _verdict(noise_rate, max_noise_rate, decide)
    passed = verdict == "pass" or (verdict == "inconclusive" and on_inconclusive != "fail")
    message = _message(noise_rate, max_noise_rate, verdict, label, details)
    if verdict == "inconclusive" and on_inconclusive == "warn":
        warnings.warn(message, LabelWarning, stacklevel=3)
    return GateResult(verdict, passed, message, float(max_noise_rate), decide, noise_rate)


def _check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise OptionError(f"{name}={value!r} is none of {', '.join(map(repr, choices))}.")


def _verdict(rate: NoiseRate, limit: float, decide: Decide) -> Verdict:
    if decide == "estimate":
        return "fail" if rate.estimate > limit else "pass"
    if rate.low > limit:
        return "fail"
    return "pass" if rate.high <= limit else "inconclusive"


def _message(rate: NoiseRate, limit: float, verdict: Verdict, label: str, details: Sequence[str]) -> str:
    words = {"pass": "is within", "fail": "exceeds", "inconclusive": "cannot be told from"}
    lines = [
        f"{verdict.upper()}: the label-noise rate of {label!r}, {rate}, {words[verdict]} the limit of {limit:.1%}."
    ]
    if verdict == "inconclusive":
        lines.append(f"Reviewing about {rows_to_review(rate, limit):,} randomly chosen rows by hand would decide it.")
    lines.append(rate.assumption)
    return "\n".join([*lines, *details])


def rows_to_review(rate: NoiseRate, limit: float) -> int:
    """Randomly drawn rows whose review would tell the estimate from the limit, at the interval's confidence.

    At least 50, at most all rows: below 50 the normal approximation of a share means little.
    """
    z = NormalDist().inv_cdf(0.5 + rate.confidence / 2)
    share = min(max(rate.estimate, 0.01), 0.99)
    distance = max(abs(rate.estimate - limit), 1e-6)
    needed = math.ceil(z**2 * share * (1 - share) / distance**2)
    return min(max(needed, 50), rate.rows)
