"""Several learners' predictions of numbers as one, each learner with the weight it deserves."""

from __future__ import annotations

import numpy as np

from dqlabels.statistics.arrays import FloatArray
from dqlabels.statistics.plausibility import plausible_weights

# Pulls the weights towards equal ones, which matters on tables of a few dozen rows.
RIDGE = 0.02
# The weights of four learners need no more rows.
MAX_ROWS = 20_000
STEPS = 8
# Weights are rounded to this, so that the last bits of a sum play no part.
RESOLUTION = 1 / 1024
# Share of the values' squares that a residual is taken to have at least, so that exact learners can be weighed.
EXACT = 1e-8
# How strongly the weights are made to sum to 1.
TOGETHER = 1e3


def pool_weights(predictions: FloatArray, values: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the weights (learners,) whose mean prediction is nearest to the values; they sum to 1, none is negative.

    Args:
        predictions: (m, learners) out of sample.
        values: (m,) in an order that follows from what the rows hold.
        weights: (m,) how much each row counts.

    Source: stacking with weights that are not negative, Breiman (1996), Machine Learning 24:49-64; by least squares
    in which values far off count less.

    >>> values = np.linspace(0, 1, 50)
    >>> pool_weights(np.column_stack([values, 1 - values]), values, np.ones(50)).round(1).tolist()
    [1.0, 0.0]
    """
    from scipy.optimize import nnls

    step = -(-values.size // MAX_ROWS)
    predictions, values, weights = predictions[::step], values[::step], weights[::step]
    learners = predictions.shape[1]
    shares = np.full(learners, 1 / learners)
    for _ in range(STEPS):
        residuals = values - predictions @ shares
        counted = weights * plausible_weights(residuals)
        scale = max(float(counted @ residuals**2), EXACT * float(counted @ values**2)) or 1.0
        gram = (predictions * counted[:, None]).T @ predictions / scale + RIDGE * np.eye(learners) + TOGETHER
        moment = (predictions * counted[:, None]).T @ values / scale + RIDGE / learners + TOGETHER
        root = np.linalg.cholesky(gram)
        shares = nnls(root.T, np.linalg.solve(root, moment))[0]
    rounded = np.rint(shares / RESOLUTION)
    return np.asarray(rounded / rounded.sum())
