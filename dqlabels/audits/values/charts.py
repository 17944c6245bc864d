"""Charts of an audit of numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dqlabels.audits.values.picture import QUALITY_BINS, SIDE, Picture
from dqlabels.report.marks import WIDTH, Columns, Marks, altair_module, two_colors

if TYPE_CHECKING:
    import altair


@dataclass(frozen=True, slots=True, eq=False)
class ValueCharts:
    """Charts of one audit of numbers. ``chart.data`` is the table drawn; ``chart.save("x.png")`` writes a picture.

    ``amounts`` (SIDE,) are the values in the middle of the picture's cells, from the least to the largest.
    """

    marks: Marks
    picture: Picture
    amounts: list[float]

    def quality(self) -> altair.Chart:
        """Rows by label quality, flagged and not: columns from, to, rows, flagged."""
        edges = np.linspace(0, 1, QUALITY_BINS + 1).tolist()
        kept, flagged = self.picture.quality.tolist()
        return self.marks.rows_by_quality(edges, kept, flagged)

    def values(self) -> altair.Chart:
        """Rows by predicted and given value: columns predicted, given, rows, flagged, one row per filled cell."""
        alt = altair_module()
        flagged, predicted, given = np.nonzero(self.picture.values)
        columns: Columns = {
            "predicted": [self.amounts[at] for at in predicted.tolist()],
            "given": [self.amounts[at] for at in given.tolist()],
            "rows": self.picture.values[flagged, predicted, given].tolist(),
            "flagged": (flagged == 1).tolist(),
        }
        scale = alt.Scale(type="symlog", zero=False)
        chart: altair.Chart = (
            alt.Chart(self.marks.table(columns), title=self.marks.title("given and predicted"), width=WIDTH)
            .mark_square(size=2 * (WIDTH / SIDE) ** 2 / 3)
            .encode(
                x=alt.X("predicted:Q", scale=scale, title="predicted"),
                y=alt.Y("given:Q", scale=scale, title="given"),
                color=two_colors("flagged"),
                opacity=alt.Opacity("rows:Q", scale=alt.Scale(type="log", range=[0.35, 1]), legend=None),
                tooltip=["predicted:Q", "given:Q", "rows:Q", "flagged:N"],
            )
        )
        return chart
