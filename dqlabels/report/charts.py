"""Charts of an audit of classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from dqlabels.report.data import confusion_matrix, quality_histogram, ranked_classes
from dqlabels.report.evidence import Evidence
from dqlabels.report.marks import Columns, Marks, altair_module, distinct
from dqlabels.report.summary import ClassSummary

if TYPE_CHECKING:
    import altair
    from narwhals.typing import IntoDataFrame

# More classes cannot be read in a chart: the worst are drawn, and the title says so.
MAX_CLASSES = 40


@dataclass(frozen=True, slots=True, eq=False)
class Charts:
    """Charts of one audit. ``chart.data`` is the table drawn; ``chart.save("x.png")`` or ``.svg`` writes a picture.

    ``summary`` is what the audit's ``to_dict`` returns, ``curve`` holds the columns of its review curve, and ``rates``
    makes the table of its noise rates by method.

    >>> import dqlabels, polars as pl
    >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
    >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
    >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
    >>> audit.plot.classes().data["class"].to_list()
    ['ham', 'spam']
    """

    marks: Marks
    summary: ClassSummary
    evidence: Evidence
    curve: Mapping[str, NDArray[np.generic]]
    rates: Callable[[], IntoDataFrame]

    def quality(self) -> altair.Chart:
        """Rows by label quality, flagged and not: columns from, to, rows, flagged.

        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
        >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
        >>> audit.plot.quality().data["rows"].sum()
        4
        """
        histogram = quality_histogram(self.evidence.quality, self.evidence.flagged)
        return self.marks.rows_by_quality(histogram["edges"], histogram["kept"], histogram["flagged"])

    def review(self) -> altair.LayerChart:
        """Wrong labels to expect among the rows read, worst first: columns rows, wrong, low, high, share, flagged.

        The row for all flagged labels is marked in ``flagged``; low and high are the ends of the interval.

        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
        >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
        >>> audit.plot.review().data[["rows", "flagged"]].rows()
        [(1, True), (4, False)]
        """
        columns = {name: values.tolist() for name, values in self.curve.items()}
        flagged = (self.curve["rows"] == self.summary["flagged"]).tolist()
        return self.marks.wrong_by_rows_read({**columns, "flagged": flagged})

    def confusions(self) -> altair.Chart:
        """Flagged rows by given and suggested class: columns given, suggested, rows, share (of the given class).

        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
        >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
        >>> audit.plot.confusions().data.rows()
        [('ham', 'spam', 1, 0.5)]
        """
        alt, matrix = altair_module(), confusion_matrix(self.evidence)
        names = distinct(matrix["classes"])
        cells = [
            (given, suggested, matrix["cells"][i][j], matrix["shares"][i][j])
            for i, given in enumerate(names)
            for j, suggested in enumerate(names)
            if i != j and matrix["cells"][i][j]
        ]
        heads = ("given", "suggested", "rows", "share")
        columns: Columns = {head: [cell[at] for cell in cells] for at, head in enumerate(heads)}
        some = f"flagged rows, {len(names)} of {matrix['all_classes']:,} classes"
        title = self.marks.title(some if matrix["left_out"] else "flagged rows")
        axes = {"sort": names, "scale": alt.Scale(domain=names)}
        chart: altair.Chart = (
            alt.Chart(self.marks.table(columns), title=title)
            .mark_rect()
            .encode(
                x=alt.X("suggested:N", axis=alt.Axis(labelAngle=-40), **axes),
                y=alt.Y("given:N", **axes),
                color=alt.Color("share:Q", title="share of given", scale=alt.Scale(scheme="blues")),
                tooltip=["given:N", "suggested:N", "rows:Q", alt.Tooltip("share:Q", format=".1%")],
            )
        )
        return chart

    def classes(self) -> altair.Chart:
        """Flagged share of each class: columns class, rows, flagged, flagged_share, noise_rate; worst first.

        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
        >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
        >>> audit.plot.classes().data["flagged_share"].to_list()
        [0.5, 0.0]
        """
        worst, every = ranked_classes(self.summary)[:MAX_CLASSES], len(self.evidence.classes)
        columns: Columns = {
            "class": distinct([str(one["class"]) for one in worst]),
            "rows": [one["rows"] for one in worst],
            "flagged": [one["flagged"] for one in worst],
            "flagged_share": [one["flagged_share"] for one in worst],
            "noise_rate": [one["noise_rate"] for one in worst],
        }
        title = f"the worst {len(worst)} of {every:,} classes" if every > len(worst) else "classes"
        return self.marks.shares(columns, "class", "flagged_share", title)

    def noise(self) -> altair.LayerChart:
        """Noise rate by every method that needs no further input: columns method, estimate, low, high, used.

        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
        >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
        >>> audit.plot.noise().data.filter("used")["method"].to_list()
        ['variational']
        """
        rate: Mapping[str, object] = dict(self.summary["noise_rate"])
        listed = nw.from_native(self.rates(), eager_only=True).select("method", "estimate", "low", "high").to_dict()
        columns = {name: values.to_list() for name, values in listed.items()}
        columns["used"] = [method == rate["method"] for method in columns["method"]]
        return self.marks.intervals(columns, "method", "noise rate by method", "share of labels that are wrong")
