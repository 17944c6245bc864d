"""Charts of an audit of several annotators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dqlabels.report.marks import WIDTH, Columns, Marks, altair_module, distinct

if TYPE_CHECKING:
    import altair

# More annotators cannot be read in a chart: the least trusted are drawn, and the title says so.
MAX_ANNOTATORS = 40


@dataclass(frozen=True, slots=True, eq=False)
class AnnotatorCharts:
    """Charts of one audit of several annotators. ``chart.data`` is the table drawn.

    ``annotators`` and ``pairs`` are the rows of the audit's tables of these names.

    >>> import dqlabels, polars as pl
    >>> votes = {"ann": list("aabbab"), "bob": list("aabbab"), "cid": list("aabbaa")}
    >>> audit = dqlabels.audit(pl.DataFrame(votes), ["ann", "bob", "cid"])
    >>> audit.plot.noise().data["annotator"][0]
    'cid'
    """

    marks: Marks
    annotators: Sequence[Mapping[str, Any]]
    pairs: Sequence[Mapping[str, Any]]

    def noise(self) -> altair.LayerChart:
        """Noise rate of each annotator's labels: columns annotator, estimate, low, high; the least trusted first.

        >>> import dqlabels, polars as pl
        >>> votes = {"ann": list("aabbab"), "bob": list("aabbab"), "cid": list("aabbaa")}
        >>> audit = dqlabels.audit(pl.DataFrame(votes), ["ann", "bob", "cid"])
        >>> sorted(audit.plot.noise().data["annotator"])
        ['ann', 'bob', 'cid']
        """
        rated = [one for one in self.annotators if one["noise_rate"] is not None]
        shown = sorted(rated, key=lambda one: -one["noise_rate"])[:MAX_ANNOTATORS]
        columns: Columns = {
            "annotator": distinct([str(one["annotator"]) for one in shown]),
            "estimate": [one["noise_rate"] for one in shown],
            "low": [one["noise_low"] for one in shown],
            "high": [one["noise_high"] for one in shown],
        }
        every = len(rated)
        title = f"the worst {len(shown)} of {every:,} annotators" if every > len(shown) else "noise rate by annotator"
        return self.marks.intervals(columns, "annotator", title, "share of wrong labels")

    def agreement(self) -> altair.Chart:
        """Share of items on which each pair agrees: columns first, second, items, agreement, kappa.

        >>> import dqlabels, polars as pl
        >>> votes = {"ann": list("aabbab"), "bob": list("aabbab"), "cid": list("aabbaa")}
        >>> audit = dqlabels.audit(pl.DataFrame(votes), ["ann", "bob", "cid"])
        >>> audit.plot.agreement().data[["first", "second"]].rows()
        [('ann', 'bob'), ('ann', 'cid'), ('bob', 'cid')]
        """
        alt = altair_module()
        heads = ("first", "second", "items", "agreement", "kappa")
        columns: Columns = {name: [one[name] for one in self.pairs] for name in heads}
        columns = {**columns, "first": list(map(str, columns["first"])), "second": list(map(str, columns["second"]))}
        chart: altair.Chart = (
            alt.Chart(self.marks.table(columns), title=self.marks.title("agreement of pairs"), width=WIDTH)
            .mark_rect()
            .encode(
                x=alt.X("second:N", title=None, axis=alt.Axis(labelAngle=-40)),
                y=alt.Y("first:N", title=None),
                color=alt.Color("agreement:Q", scale=alt.Scale(scheme="blues"), legend=alt.Legend(format="%")),
                tooltip=["first:N", "second:N", "items:Q", alt.Tooltip("agreement:Q", format=".1%"), "kappa:Q"],
            )
        )
        return chart
