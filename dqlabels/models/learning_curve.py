"""Would a larger sample help? What a half learns from a quarter, half and all of its rows, asked of the other half."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from dqlabels.frames.hashing import hash_features
from dqlabels.models.boosted import BoostedTrees, Halves, softmax
from dqlabels.models.sizes import BoostingSizes
from dqlabels.statistics.arrays import FloatArray, IntArray, Matrix

# A larger sample is advised from this expected gain on, in nats. Measured (docs/benchmarks.md): doublings that gained
# more raised the average precision of planted errors by .01 to .09, those that gained less by .003 to .03.
WORTH_MORE = 0.01
# Successive doublings gain less and less, by a factor between these.
MIN_FACTOR, MAX_FACTOR = 0.5, 1.0
# How many rows of the other half are judged, and below how many fitted rows there is no curve.
MAX_ASKED, MIN_FITTED = 50_000, 2_000


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """Held-out log-loss (nats a row) of models fitted on a quarter, half and all rows of one half of a sample."""

    rows: tuple[int, int, int]
    losses: tuple[float, float, float]

    @property
    def gain(self) -> float:
        """Expected fall of the log-loss with twice the rows: as much as in the last doubling, or less.

        >>> round(LearningCurve((1, 2, 4), (0.70, 0.60, 0.52)).gain, 3)
        0.064
        """
        before, last = self.losses[0] - self.losses[1], self.losses[1] - self.losses[2]
        if last <= 0:
            return 0.0
        factor = last / before if before > 0 else MAX_FACTOR
        return float(last * np.clip(factor, MIN_FACTOR, MAX_FACTOR))

    @property
    def more_would_help(self) -> bool:
        """Whether twice the rows are worth their time."""
        return self.gain >= WORTH_MORE

    def words(self, sample_rows: int) -> str:
        """Say whether a larger sample than ``sample_rows`` would help.

        >>> LearningCurve((1, 2, 4), (0.70, 0.60, 0.52)).words(200_000)
        'a sample of 400,000 rows would likely help (held-out log-loss .520, about .064 less)'
        """
        verdict = "would likely help" if self.more_would_help else "would hardly help"
        loss, gain = (f"{value:.3f}".removeprefix("0") for value in (self.losses[2], self.gain))
        return f"a sample of {2 * sample_rows:,} rows {verdict} (held-out log-loss {loss}, about {gain} less)"


def learning_curve(
    halves: Halves,
    matrix: Matrix,
    codes: IntArray,
    weights: FloatArray,
    *,
    seed: int,
    n_jobs: int | None,
    sizes: BoostingSizes | None = None,
) -> LearningCurve | None:
    """Measure the curve of two halves; None where one model judges all rows, or there are too few of them.

    Costs about three quarters of fitting one half.

    Args:
        halves: The models fitted on the sample.
        matrix: (n, d) the sample, in the order of its content.
        codes: (n,) its class positions.
        weights: (n,) how often each row occurs.
        seed: The seed of the fit.
        n_jobs: 1 fits one model after the other; the answer is the same.
        sizes: The sizes of the fit.
    """
    hashes, n_classes = hash_features(matrix), halves.n_classes
    half = (hashes & np.uint64(1)).astype(np.int64)
    fitted, asked = np.flatnonzero(half == 0), np.flatnonzero(half == 1)
    if len(halves.models) != 2 or min(fitted.size, asked.size) < MIN_FITTED:
        return None
    asked = asked[np.argsort(hashes[asked], kind="stable")[:MAX_ASKED]]
    rest = hashes[fitted] >> np.uint64(1)
    parts = [fitted[rest % np.uint64(share) == 0] for share in (4, 2)]

    def fit(rows: IntArray) -> BoostedTrees:
        return BoostedTrees.fit(matrix[rows], codes[rows], n_classes, weights[rows], seed, sizes=sizes)

    if n_jobs == 1:
        models = [fit(rows) for rows in parts]
    else:
        with ThreadPoolExecutor(2) as pool:
            models = list(pool.map(fit, parts))
    losses = [_loss(model.scores, matrix[asked], codes[asked], weights[asked]) for model in (*models, halves.models[0])]
    rows = (parts[0].size, parts[1].size, fitted.size)
    return LearningCurve(rows, (losses[0], losses[1], losses[2]))


def _loss(scores: Callable[[Matrix], Matrix], matrix: Matrix, codes: IntArray, weights: FloatArray) -> float:
    likely = softmax(scores(matrix))[np.arange(len(codes)), codes].astype(np.float64)
    return float(-(weights * np.log(np.maximum(likely, 1e-9))).sum() / weights.sum())
