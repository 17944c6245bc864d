"""Charts of an audit of several labels per row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dqlabels.report.marks import Columns, Marks, distinct
from dqlabels.statistics.arrays import BoolArray, FloatArray

if TYPE_CHECKING:
    import altair

QUALITY_BINS = 40
# More labels cannot be read in a chart: the worst are drawn, and the title says so.
MAX_LABELS = 40


@dataclass(frozen=True, slots=True, eq=False)
class TagCharts:
    """Charts of one audit of several labels per row. ``chart.data`` is the table drawn.

    ``classes`` are the rows of the audit's ``classes``, ``quality`` (m,) and ``flagged`` (m,) are of the audited rows.

    >>> import dqlabels, numpy as np, polars as pl
    >>> photos = pl.DataFrame({"tags": [["cat"], ["cat", "dog"], [], ["dog"]]})
    >>> probs = np.array([[0.9, 0.1], [0.9, 0.8], [0.2, 0.9], [0.1, 0.9]])
    >>> audit = dqlabels.audit(photos, "tags", pred_probs=probs, classes=["cat", "dog"])
    >>> audit.plot.labels().data["label"].to_list()
    ['dog', 'cat']
    """

    marks: Marks
    classes: Sequence[Mapping[str, Any]]
    quality: FloatArray
    flagged: BoolArray

    def qualities(self) -> altair.Chart:
        """Rows by label quality, flagged and not: columns from, to, rows, flagged.

        >>> import dqlabels, numpy as np, polars as pl
        >>> photos = pl.DataFrame({"tags": [["cat"], ["cat", "dog"], [], ["dog"]]})
        >>> probs = np.array([[0.9, 0.1], [0.9, 0.8], [0.2, 0.9], [0.1, 0.9]])
        >>> audit = dqlabels.audit(photos, "tags", pred_probs=probs, classes=["cat", "dog"])
        >>> audit.plot.qualities().data["rows"].sum()
        4
        """
        edges = np.linspace(0, 1, QUALITY_BINS + 1)
        kept, flagged = (np.histogram(self.quality[rows], edges)[0].tolist() for rows in (~self.flagged, self.flagged))
        return self.marks.rows_by_quality(edges.tolist(), kept, flagged)

    def labels(self) -> altair.Chart:
        """Flagged share of each label: columns label, rows, wrong, missing, flagged_share; worst first.

        >>> import dqlabels, numpy as np, polars as pl
        >>> photos = pl.DataFrame({"tags": [["cat"], ["cat", "dog"], [], ["dog"]]})
        >>> probs = np.array([[0.9, 0.1], [0.9, 0.8], [0.2, 0.9], [0.1, 0.9]])
        >>> audit = dqlabels.audit(photos, "tags", pred_probs=probs, classes=["cat", "dog"])
        >>> audit.plot.labels().data["missing"].to_list()
        [1, 0]
        """
        shown = self.classes[:MAX_LABELS]
        columns: Columns = {
            "label": distinct([str(one["label"]) for one in shown]),
            **{name: [one[name] for one in shown] for name in ("rows", "wrong", "missing", "flagged_share")},
        }
        every = len(self.classes)
        title = f"the worst {len(shown)} of {every:,} labels" if every > len(shown) else "labels"
        return self.marks.shares(columns, "label", "flagged_share", title)

    def noise(self) -> altair.LayerChart:
        """Noise rate of each label that can be judged: columns label, estimate, low, high; worst first.

        >>> import dqlabels, numpy as np, polars as pl
        >>> photos = pl.DataFrame({"tags": [["cat"], ["cat", "dog"], [], ["dog"]]})
        >>> probs = np.array([[0.9, 0.1], [0.9, 0.8], [0.2, 0.9], [0.1, 0.9]])
        >>> audit = dqlabels.audit(photos, "tags", pred_probs=probs, classes=["cat", "dog"])
        >>> audit.plot.noise().data.columns
        ['label', 'estimate', 'low', 'high']
        """
        rated = sorted(
            (one for one in self.classes if one["noise_rate"] is not None), key=lambda one: -one["noise_rate"]
        )[:MAX_LABELS]
        columns: Columns = {
            "label": distinct([str(one["label"]) for one in rated]),
            "estimate": [one["noise_rate"] for one in rated],
            "low": [one["noise_low"] for one in rated],
            "high": [one["noise_high"] for one in rated],
        }
        return self.marks.intervals(columns, "label", "noise rate by label", "share of wrong answers")
