"""What an audit of numbers finds for any rows: predictions, scores, qualities and flags, and the three columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dqlabels.frames.columns import Frame
from dqlabels.frames.outputs import with_columns
from dqlabels.frames.targets import Targets
from dqlabels.statistics.arrays import BoolArray, FloatArray
from dqlabels.statistics.residuals import ValueRule
from dqlabels.statistics.value_scale import ValueScale


@dataclass(frozen=True, slots=True, eq=False)
class JudgedValues:
    """Judgement of n rows: ``predicted`` amounts that the label's dtype holds; ``scores``, ``quality`` and ``flagged``.

    ``quality`` is P(right). The last three are NaN, NaN and false where the row has no value.
    """

    predicted: FloatArray
    scores: FloatArray
    quality: FloatArray
    flagged: BoolArray


@dataclass(frozen=True, slots=True)
class ValueJudge:
    """The scale on which values are compared and the rule that flags them: enough to judge any block alone."""

    scale: ValueScale
    rule: ValueRule

    def judge(self, targets: Targets, mean: FloatArray, spread: FloatArray) -> JudgedValues:
        """Rows (n,) by the ``mean`` (n,) of the models, and the ``spread`` (n,) of the trees, that did not see them."""
        known = targets.known
        predicted = targets.possible(self.scale.undo(mean))
        scores, quality = np.full(known.size, np.nan), np.full(known.size, np.nan)
        flagged = np.zeros(known.size, dtype=bool)
        verdict = self.rule.judge(self.scale.apply(targets.values[known]) - mean[known], spread[known])
        scores[known], quality[known] = verdict.scores, verdict.right
        # A value that the nearest possible one does not differ from is no issue: nothing better could be suggested.
        flagged[known] = verdict.flagged & (predicted[known] != targets.values[known])
        return JudgedValues(predicted, scores, quality, flagged)

    def add_columns(
        self, block: Frame, names: tuple[str, str, str], targets: Targets, judgement: JudgedValues
    ) -> Frame:
        """The rows with three more columns; one without a value gets the prediction, no quality and no flag.

        Args:
            block: n rows.
            names: Quality, suggestion and flag.
            targets: Their values.
            judgement: What was found in them.
        """
        changed = np.flatnonzero(judgement.flagged | ~targets.known)
        suggested = targets.replaced(changed, judgement.predicted[changed])
        return with_columns(block, names, judgement.quality, suggested, judgement.flagged, targets.known)

    def interval(self, targets: Targets, mean: FloatArray, spread: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the amounts (n,) between which the value of each row is expected.

        Args:
            targets: The values of the n rows.
            mean: (n,) prediction of the models that did not see the row, on the value scale.
            spread: (n,) spread of the trees that did not see it.
        """
        reach = self.rule.reach(spread)
        return targets.possible(self.scale.undo(mean - reach)), targets.possible(self.scale.undo(mean + reach))
