"""Has the noise rate risen, asked every night: a cumulative sum with a stated number of false alarms a year.

Each night gives an increase over trusted rows with its standard error. The sum adds up how much likelier the night is
under a rise than under none, and starts again from 0 where it would fall below; there is one for a rise of the size
worth knowing and one each for larger rises, and the largest counts. An alarm is a sum above a limit, and the limit is
found by simulating years of nights of these sizes without a rise, the error of the zero included, so that it gives as
many false alarms as were asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from dqlabels.statistics.arrays import BoolArray, FloatArray

# Trusted rows and nights need not come from quite the same table: as if their noise rates differed by so much.
BETWEEN_TABLES = 0.003
# Nights vary more than chance allows where days differ; the prior of that ratio counts as so many nights of none.
PRIOR_NIGHTS = 10
# A night that is further from the one before than by chance once in seventy times, squared in standard errors, may be
# the rise itself.
MOST_APART = 6.0
# Sums are kept for the rise worth knowing and for rises so many times as large, but no larger than the second number.
TIMES, LARGEST_RISE = (1.0, 3.0, 10.0), 0.9
# The sum goes at most so far beyond its limit that clean nights bring it back soon.
CAP = 1.25
YEARS, MAX_NIGHTS = 500, 1_000
# Quantiles of the nights' standard errors that stand for their sizes.
SIZES = (0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95)
# A rise counts from so many standard errors above the zero, so that few trusted rows that read too low do not cry wolf
# all year; and the limit gives this share of the false alarms that are allowed, since real nights are no simulation.
SLACK, MARGIN = 1.0, 0.7
# Sums are compared with limits between these; the second gives less than one false alarm in a thousand years.
LIMITS = (0.2, 20.0)
STEPS = 20


@dataclass(frozen=True, slots=True)
class Plan:
    """What to detect, and how often to be wrong.

    ``rise`` is the increase of the noise rate worth knowing, a share in (0, 1); ``learned`` how many first nights
    correct the zero.
    """

    false_alarms_per_year: float = 1.0
    batches_per_year: float = 365.0
    rise: float = 0.02
    learned: int = 14


@dataclass(frozen=True, slots=True, eq=False)
class Chart:
    """The nights (n,) so far.

    ``sums`` are the cumulative sums, ``alarms`` true where they are above ``limit``; ``zeros`` what each night's
    increase was measured from, and ``zero_errors`` its standard error. ``spread`` is how many times as much nights
    vary as chance would have it, at least 1; ``starts`` the first night of the run that each sum adds up.
    """

    sums: FloatArray
    alarms: BoolArray
    limit: float
    zeros: FloatArray
    zero_errors: FloatArray
    spread: float
    starts: tuple[int, ...]


def chart(increases: FloatArray, errors: FloatArray, zero_error: float, skewness: float, plan: Plan) -> Chart:
    """Return the chart of the nights so far.

    Args:
        increases: (n,) over the trusted rows, in the order of the nights.
        errors: (n,) their standard errors by chance alone.
        zero_error: Standard error of the trusted rows' zero.
        skewness: That of what a row adds to an increase, over its ``rows`` in error; 0 for large nights.
        plan: What to detect.

    Source: Page (1954), Biometrika 41:100-115; the limit by simulation instead of the approximation of Siegmund (1985).

    >>> quiet, rise = np.zeros(20), np.full(10, 0.04)
    >>> found = chart(np.concatenate([quiet, rise]), np.full(30, 0.01), 0.004, 0.0, Plan())
    >>> int(np.flatnonzero(found.alarms)[0]) - 20 + 1  # nights that the rise took to be found
    1
    """
    spread = _spread(increases, errors)
    wide = errors * spread
    limit = alarm_limit(wide, zero_error, skewness, plan)
    by_rise, zeros, zero_errors = _run(increases[None, :], wide, zero_error, limit, plan)
    sums = by_rise[:, 0, :].max(axis=0)
    largest = by_rise[:, 0, :].argmax(axis=0)
    starts, begun = [], np.zeros(len(by_rise), dtype=np.int64)
    for night, totals in enumerate(by_rise[:, 0, :].T):
        begun[totals <= 0] = night + 1
        starts.append(min(int(begun[largest[night]]), night))
    return Chart(sums, sums > limit, limit, zeros[0], zero_errors, spread, tuple(starts))


def alarm_limit(errors: FloatArray, zero_error: float, skewness: float, plan: Plan) -> float:
    """Return the limit of the sums under which quiet years give as many false alarms as the plan allows.

    Args:
        errors: (n,) standard errors of nights, whose sizes the simulated nights take.
        zero_error: Standard error of the zero.
        skewness: Of a night's increase.
        plan: What to detect.
    """
    # A few numbers, and rounded, so that a night like those before asks for no new simulation.
    sizes = np.quantile(errors, SIZES, method="nearest")
    rounded = tuple(float(f"{error:.2g}") for error in sizes)
    return _simulated_limit(rounded, float(f"{zero_error:.2g}"), round(skewness, 1), plan)


@lru_cache(maxsize=64)
def _simulated_limit(errors: Sequence[float], zero_error: float, skewness: float, plan: Plan) -> float:
    nights = int(np.clip(round(plan.batches_per_year), 30, MAX_NIGHTS))
    allowed = MARGIN * plan.false_alarms_per_year * nights / plan.batches_per_year
    rng = np.random.default_rng(0)
    sizes = np.asarray(errors)[rng.integers(0, len(errors), nights)]
    noise = rng.standard_normal((YEARS, nights))
    noise += skewness / 6 * (noise**2 - 1)
    offsets = _prior_error(zero_error) * rng.standard_normal((YEARS, 1))
    years = offsets + noise * sizes
    low, high = LIMITS
    for _ in range(STEPS):
        limit = (low + high) / 2
        alarms = _run(years, sizes, zero_error, limit, plan)[0].max(axis=0) > limit
        begun = alarms[:, 0].sum() + (alarms[:, 1:] & ~alarms[:, :-1]).sum()
        low, high = (limit, high) if begun > allowed * YEARS else (low, limit)
        if high - low < 0.02:
            break
    return high


def _prior_error(zero_error: float) -> float:
    return float(np.hypot(zero_error, BETWEEN_TABLES))


def _run(
    increases: FloatArray, errors: FloatArray, zero_error: float, limit: float, plan: Plan
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Sums (R, r, n) by rise and zeros (r, n) of r years of n nights, and the standard errors (n,) of the zeros."""
    runs, nights = increases.shape
    rises = np.minimum(plan.rise * np.array(TIMES), LARGEST_RISE)[:, None]
    sums, zeros, zero_errors = np.empty((nights, len(rises), runs)), np.empty((nights, runs)), np.empty(nights)
    total, zero, seen = np.zeros((len(rises), runs)), np.zeros(runs), np.zeros(runs)
    variance = np.full(runs, _prior_error(zero_error) ** 2)
    for night, (values, error) in enumerate(zip(np.ascontiguousarray(increases.T), errors, strict=True)):
        zeros[night], zero_errors[night] = zero, float(variance.mean()) ** 0.5
        beyond = values - zero - SLACK * np.sqrt(variance)
        total += rises / (error**2 + variance) * (beyond - rises / 2)
        np.clip(total, 0.0, CAP * limit, out=total)
        sums[night] = total
        quiet = (seen < plan.learned) & (total.max(axis=0) <= limit)
        if quiet.any():
            gain = np.where(quiet, variance / (variance + error**2), 0.0)
            zero = zero + gain * (values - zero)
            variance, seen = variance * (1 - gain), seen + quiet
    return sums.transpose(1, 2, 0), zeros.T, zero_errors


def _spread(increases: FloatArray, errors: FloatArray) -> float:
    """How many times as much nights vary as chance would have it, by what differs from one night to the next.

    Differences of neighbours leave out what rises slowly, and a step counts once, as no more than ``MOST_APART``.

    Source: von Neumann et al. (1941), the mean square successive difference, Annals of Mathematical Statistics 12.
    """
    apart = np.minimum(np.diff(increases) ** 2 / (errors[1:] ** 2 + errors[:-1] ** 2), MOST_APART)
    return float(max((PRIOR_NIGHTS + apart.sum()) / (PRIOR_NIGHTS + apart.size), 1.0) ** 0.5)


def nights_to_find(error: float, zero_error: float, limit: float, rise: float, plan: Plan) -> float:
    """Return about how many nights a rise takes to be found, infinite where it is too small.

    Args:
        error: Standard error of a night.
        zero_error: That of the zero, after it was learned.
        limit: Of the sum.
        rise: The rise, a share.
        plan: What the chart is made to detect.
    """
    sizes = np.minimum(plan.rise * np.array(TIMES), LARGEST_RISE)
    drift = float((sizes / (error**2 + zero_error**2) * (rise - SLACK * zero_error - sizes / 2)).max())
    return max(limit / drift, 1.0) if drift > 0 else float("inf")
