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

    >>> import dqlabels, polars as pl
    >>> prices = [3.0 * at for at in range(100)]
    >>> prices[50] = 1500.0  # one zero too many
    >>> homes = pl.DataFrame({"size": [at / 10 for at in range(100)], "price": prices})
    >>> audit = dqlabels.audit(homes, "price", task="regression")
    >>> audit.plot.values().data["rows"].sum()
    100
    """

    marks: Marks
    picture: Picture
    amounts: list[float]

    def quality(self) -> altair.Chart:
        """Rows by label quality, flagged and not: columns from, to, rows, flagged.

        >>> import dqlabels, polars as pl
        >>> prices = [3.0 * at for at in range(100)]
        >>> prices[50] = 1500.0  # one zero too many
        >>> homes = pl.DataFrame({"size": [at / 10 for at in range(100)], "price": prices})
        >>> audit = dqlabels.audit(homes, "price", task="regression")
        >>> audit.plot.quality().data.filter("flagged")["rows"].sum()
        1
        """
        edges = np.linspace(0, 1, QUALITY_BINS + 1).tolist()
        kept, flagged = self.picture.quality.tolist()
        return self.marks.rows_by_quality(edges, kept, flagged)

    def values(self) -> altair.Chart:
        """Rows by predicted and given value: columns predicted, given, rows, flagged, one row per filled cell.

        >>> import dqlabels, polars as pl
        >>> prices = [3.0 * at for at in range(100)]
        >>> prices[50] = 1500.0  # one zero too many
        >>> homes = pl.DataFrame({"size": [at / 10 for at in range(100)], "price": prices})
        >>> audit = dqlabels.audit(homes, "price", task="regression")
        >>> audit.plot.values().data.filter("flagged")["rows"].to_list()
        [1]
        """
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
