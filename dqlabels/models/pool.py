"""A logarithmic opinion pool: several learners' probabilities as one, each learner with the weight it deserves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dqlabels.statistics.arrays import FloatArray, IntArray

# Trees give some classes no probability at all; a logarithm needs some.
MIN_PROBABILITY = 1e-4
# Share of labels that are taken to be any class, whatever the row: without it one wrong label that every learner is
# sure of would soften all of them.
ANY_LABEL = 0.1
# Pulls the weights towards equal ones, which matters on tables of a few dozen rows.
RIDGE = 0.002
# The weights of three learners need no more rows, nor more probabilities where there are many classes.
MAX_ROWS = 20_000
MAX_VALUES = 2_000_000
STEPS = 60
# Weights are rounded to this, so that the last bits of a sum play no part.
RESOLUTION = 1 / 1024


def logarithms(probs: FloatArray) -> FloatArray:
    """Logarithms of probabilities (n, K), none below that of ``MIN_PROBABILITY``."""
    logs = np.maximum(probs, MIN_PROBABILITY)
    return np.asarray(np.log(logs, out=logs))


def pooled(logs: Sequence[FloatArray], weights: Sequence[float] | FloatArray) -> FloatArray:
    """Return the product of the learners' probabilities, each to the power of its weight, rescaled to sum to 1.

    Args:
        logs: Logarithms of the probabilities (n, K), one per learner.
        weights: One number per learner.

    >>> pooled([np.log([[0.9, 0.1]]), np.log([[0.5, 0.5]])], [1.0, 1.0]).round(3).tolist()
    [[0.9, 0.1]]
    """
    scores = weights[0] * logs[0]
    for weight, other in zip(weights[1:], logs[1:], strict=True):
        scores += weight * other
    scores -= scores.max(axis=1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=1, keepdims=True)
    return np.asarray(scores)


def rows_to_weigh_by(rows: IntArray, n_classes: int) -> IntArray:
    """Return those of the rows (m,), in an order that follows from what they hold, that :func:`pool_weights` takes.

    >>> rows_to_weigh_by(np.arange(8_000), 1_000).size
    2000
    """
    return rows[:: -(-rows.size // max(1, min(MAX_ROWS, MAX_VALUES // n_classes)))]


def pool_weights(logs: Sequence[FloatArray], codes: IntArray) -> FloatArray:
    """Return the weights under which the given labels are likeliest, shape (learners,), none negative.

    Args:
        logs: Logarithms of out-of-sample probabilities (n, K), one per learner.
        codes: (n,) class positions, in an order that follows from what the rows hold.

    Source: the logarithmic pool of Genest & Zidek (1986), its weights by maximum likelihood as in stacking (Wolpert
    1992; Satopää et al. 2014), with a share of labels that no learner can explain.

    >>> right, lost = np.log([[0.9, 0.1], [0.2, 0.8]] * 30), np.log([[0.5, 0.5]] * 60)
    >>> weights = pool_weights([right, lost], np.tile([0, 1], 30))
    >>> bool(weights[0] > 1 > weights[1])
    True
    """
    from scipy.optimize import minimize

    parts = [np.ascontiguousarray(one) for one in logs]
    rows, learners, k = np.arange(codes.size), len(parts), parts[0].shape[1]
    own = np.stack([one[rows, codes] for one in parts])

    def loss(weights: FloatArray) -> tuple[float, FloatArray]:
        probs = pooled(parts, weights)
        right = probs[rows, codes]
        likelihood = (1 - ANY_LABEL) * right + ANY_LABEL / k
        share = (1 - ANY_LABEL) * right / likelihood
        slopes = [((own[at] - (probs * part).sum(axis=1)) * share).mean() for at, part in enumerate(parts)]
        apart = weights - 1 / learners
        return (
            float(RIDGE * (apart**2).sum() - np.log(likelihood).mean()),
            np.asarray(2 * RIDGE * apart - np.array(slopes)),
        )

    found = minimize(
        loss, np.full(learners, 1 / learners), jac=True, bounds=[(0, None)] * learners, method="L-BFGS-B",
        options={"maxiter": STEPS},
    )  # fmt: skip
    return np.asarray(np.rint(found.x / RESOLUTION) * RESOLUTION)
