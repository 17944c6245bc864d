"""How plausible values are by their residuals: as weights, and as a likelihood that chooses between two descriptions.

A share of the values may be anything, so that wrong ones decide nothing.
"""

from __future__ import annotations

import numpy as np

from dqlabels.statistics.arrays import FloatArray
from dqlabels.statistics.residuals import Usual
from dqlabels.statistics.value_scale import ValueScale

# Multiples of the residuals' spread at which a value counts half, and beyond which it is moved nearer for a fit.
HALF, FAR = 2.0, 6.0
# The median of a normal distribution's sizes times this is its standard deviation.
TO_DEVIATION = 1.4826
# Right residuals are taken to follow Student's t with so many degrees of freedom; of the values this share is anything.
FREEDOM, ANYTHING = 5.0, 0.05
# Widths of the t that are tried, as multiples of the residuals' spread.
WIDTHS = (0.7, 0.85, 1.0, 1.2, 1.45, 1.8)
# Units of the scale that are tried, as multiples of the quartiles' distance: the last is all but linear.
UNITS = (1.0, 2.0, 4.0, 16.0)
# Another unit than the first must be likelier by so many standard errors.
SURE = 2.0
# What is tried as the floor of a usual residual, in multiples of the typical one; without end, the trees' spread counts
# nothing.
FLOORS = (0.25, 0.5, 1.0, 2.0, np.inf)


def robust_spread(residuals: FloatArray) -> float:
    """Standard deviation by the median size; by the mean where half are exact, and 1 where all are."""
    sizes = np.abs(residuals)
    for spread in (TO_DEVIATION * float(np.median(sizes)), float(sizes.mean())):
        if spread > 0:
            return spread
    return 1.0


def plausible_weights(residuals: FloatArray) -> FloatArray:
    """Return how much each value counts in a second fit, (n,) in (0, 1]: half at twice the spread, less beyond.

    >>> plausible_weights(np.array([-1.0, 1.0, 0.0, 2.9652])).round(2).tolist()
    [0.9, 0.9, 1.0, 0.5]
    """
    return np.asarray(1 / (1 + (residuals / (HALF * robust_spread(residuals))) ** 2))


def pulled_in(residuals: FloatArray) -> FloatArray:
    """Residuals (n,) of which none is larger than ``FAR`` times their spread."""
    reach = FAR * robust_spread(residuals)
    return np.asarray(np.clip(residuals, -reach, reach))


def likeliest_scale(values: FloatArray, predicted: FloatArray, first: ValueScale) -> ValueScale:
    """Return the scale on which the distance from the prediction varies least from row to row.

    Args:
        values: (n,) values.
        predicted: (n,) their predictions.
        first: The scale to keep unless another with a larger unit is clearly likelier.

    Source: the profile likelihood of a transformation, Box & Cox (1964), J. R. Statist. Soc. B 26:211-252, with a share
    of values that may be anything.

    >>> rng = np.random.default_rng(0)
    >>> right = np.linspace(0, 100, 500)
    >>> likeliest_scale(right + rng.normal(size=500), right, ValueScale(50.0, 10.0)).unit > 10
    True
    """
    elsewhere, one = _density_anywhere(values, first), np.ones(values.size)
    likelihoods, scales = [], [ValueScale(first.center, first.unit * times) for times in UNITS]
    for scale in scales:
        residuals = scale.apply(values) - scale.apply(predicted)
        likelihoods.append(_log_likelihoods(residuals, one, scale.log_slopes(values), elsewhere))
    gains = [likelihood - likelihoods[0] for likelihood in likelihoods]
    errors = [gain.std() / np.sqrt(gain.size) for gain in gains]
    return scales[int(np.argmax([gain.mean() - SURE * error for gain, error in zip(gains, errors, strict=True)]))]


def likeliest_usual(values: FloatArray, residuals: FloatArray, spread: FloatArray, scale: ValueScale) -> Usual:
    """Return how far the spread of a row's trees says how far its value usually lies from the prediction.

    Args:
        values: (n,) values.
        residuals: (n,) value less prediction, on the scale.
        spread: (n,) standard deviation of the single trees' predictions, at least 0.
        scale: The scale of residuals and spread.
    """
    typical = robust_spread(residuals)
    choices = [Usual(0.0, typical) if np.isinf(floor) else Usual(1.0, floor * typical) for floor in FLOORS]
    slopes, elsewhere = scale.log_slopes(values), _density_anywhere(values, scale)
    likelihoods = [_log_likelihoods(residuals, usual.sizes(spread), slopes, elsewhere).mean() for usual in choices]
    return choices[int(np.argmax(likelihoods))]


def _density_anywhere(values: FloatArray, scale: ValueScale) -> FloatArray:
    """Density (n,) of values that may be anything: Cauchy's, on the scale."""
    return np.asarray(np.exp(scale.log_slopes(values)) / (np.pi * (1 + scale.apply(values) ** 2)))


def _log_likelihoods(residuals: FloatArray, usual: FloatArray, slopes: FloatArray, elsewhere: FloatArray) -> FloatArray:
    """Log-likelihood (n,) of values under the likeliest width.

    Args:
        residuals: (n,) on a scale.
        usual: (n,) what is usual for the row, above 0.
        slopes: (n,) logarithm of the slope of the scale at the value.
        elsewhere: (n,) density of the value if it may be anything.
    """
    from scipy.special import gammaln

    scores, height = residuals / usual, gammaln((FREEDOM + 1) / 2) - gammaln(FREEDOM / 2)
    spread = robust_spread(scores)
    found = []
    for times in WIDTHS:
        width = times * spread
        logs = slopes - np.log(width * usual) + height - np.log(FREEDOM * np.pi) / 2
        logs -= (FREEDOM + 1) / 2 * np.log1p((scores / width) ** 2 / FREEDOM)
        found.append(np.log((1 - ANYTHING) * np.exp(logs) + ANYTHING * elsewhere))
    return np.asarray(found[int(np.argmax([one.mean() for one in found]))])
