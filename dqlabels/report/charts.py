"""Charts as altair objects. Each draws a table of the caller's frame library, which is its ``data``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw

from dqlabels.errors import MissingExtraError
from dqlabels.report.data import confusion_matrix, quality_histogram, ranked_classes
from dqlabels.report.evidence import Evidence
from dqlabels.report.summary import ClassSummary

if TYPE_CHECKING:
    import altair

# More classes cannot be read in a chart: the worst are drawn, and the title says so.
MAX_CLASSES = 40
WIDTH = 480
Columns = Mapping[str, Sequence[object]]
KEPT, FLAGGED = "#5b7fa6", "#b3470b"


@dataclass(frozen=True, slots=True, eq=False)
class Charts:
    """Charts of one audit. ``chart.data`` is the table drawn; ``chart.save("x.png")`` or ``.svg`` writes a picture.

    ``summary`` is what the audit's ``to_dict`` returns, ``rates`` makes the table of its noise rates by method, and
    ``backend`` names the frame library.
    """

    summary: ClassSummary
    evidence: Evidence
    rates: Callable[[], Any]
    backend: Any

    def quality(self) -> altair.Chart:
        """Rows by label quality, flagged and not: columns from, to, rows, flagged."""
        alt, drawn = _altair(), quality_histogram(self.evidence)
        edges = drawn["edges"]
        columns: Columns = {
            "from": edges[:-1] * 2,
            "to": edges[1:] * 2,
            "rows": drawn["kept"] + drawn["flagged"],
            "flagged": [False] * len(drawn["kept"]) + [True] * len(drawn["flagged"]),
        }
        chart = alt.Chart(self._table(columns), title=self._title("label quality"), width=WIDTH).mark_bar()
        coded: altair.Chart = chart.encode(
            x=alt.X("from:Q", bin="binned", title="label quality"),
            x2="to:Q",
            y=alt.Y("rows:Q", title="rows"),
            color=alt.Color("flagged:N", scale=alt.Scale(domain=[False, True], range=[KEPT, FLAGGED])),
            tooltip=["from:Q", "to:Q", "rows:Q", "flagged:N"],
        )
        return coded

    def confusions(self) -> altair.Chart:
        """Flagged rows by given and suggested class: columns given, suggested, rows, share (of the given class)."""
        alt, drawn = _altair(), confusion_matrix(self.evidence)
        names = _distinct(drawn["classes"])
        found = [
            (given, suggested, drawn["cells"][i][j], drawn["shares"][i][j])
            for i, given in enumerate(names)
            for j, suggested in enumerate(names)
            if i != j and drawn["cells"][i][j]
        ]
        heads = ("given", "suggested", "rows", "share")
        columns: Columns = {head: [cell[at] for cell in found] for at, head in enumerate(heads)}
        some = f"flagged rows, {len(names)} of {drawn['all_classes']:,} classes"
        title = self._title(some if drawn["left_out"] else "flagged rows")
        axes = {"sort": names, "scale": alt.Scale(domain=names)}
        chart: altair.Chart = (
            alt.Chart(self._table(columns), title=title)
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
        """Flagged share of each class: columns class, rows, flagged, flagged_share, noise_rate; worst first."""
        alt, ranked = _altair(), ranked_classes(self.summary)[:MAX_CLASSES]
        names = _distinct([str(one["class"]) for one in ranked])
        columns: Columns = {
            "rows": [one["rows"] for one in ranked],
            "flagged": [one["flagged"] for one in ranked],
            "flagged_share": [one["flagged_share"] for one in ranked],
            "noise_rate": [one["noise_rate"] for one in ranked],
        }
        table = self._table({"class": names, **columns})
        every = len(self.evidence.classes)
        title = self._title(f"the worst {len(names)} of {every:,} classes" if every > len(names) else "classes")
        chart: altair.Chart = (
            alt.Chart(table, title=title, width=WIDTH)
            .mark_bar(color=FLAGGED)
            .encode(
                x=alt.X("flagged_share:Q", title="flagged share", axis=alt.Axis(format="%")),
                y=alt.Y("class:N", sort=names, title=None),
                tooltip=["class:N", *(f"{head}:Q" for head in columns)],
            )
        )
        return chart

    def noise(self) -> altair.LayerChart:
        """Noise rate by every method that needs no further input: columns method, estimate, low, high, used."""
        alt = _altair()
        rate: Mapping[str, object] = dict(self.summary["noise_rate"])
        listed = nw.from_native(self.rates(), eager_only=True).select("method", "estimate", "low", "high").to_dict()
        columns = {name: values.to_list() for name, values in listed.items()}
        if rate["method"] not in columns["method"]:
            for name, values in columns.items():
                values.insert(0, rate[name])
        columns["used"] = [method == rate["method"] for method in columns["method"]]
        # One mark with an interval and one with a point would each repeat the table: a layer shares it.
        chart = alt.Chart(self._table(columns), title=self._title("noise rate by method"), width=WIDTH)
        y = alt.Y("method:N", sort=columns["method"], title=None)
        color = alt.Color(
            "used:N", scale=alt.Scale(domain=[False, True], range=[KEPT, FLAGGED]), title="used by the audit"
        )
        x = alt.X("low:Q", title="share of labels that are wrong", axis=alt.Axis(format="%"))
        interval = chart.mark_bar(height=8, opacity=0.5).encode(x=x, x2="high:Q", y=y, color=color)
        point = chart.mark_point(filled=True, size=90, opacity=1).encode(
            x="estimate:Q", y=y, color=color, tooltip=["method:N", "estimate:Q", "low:Q", "high:Q"]
        )
        layered: altair.LayerChart = interval + point
        return layered

    def _title(self, what: str) -> str:
        return f"{self.summary['label']}: {what}"

    def _table(self, columns: Columns) -> Any:
        return nw.from_dict(columns, backend=self.backend).to_native()


def _distinct(names: list[str]) -> list[str]:
    """Names made distinct: shortened names may be alike, and a chart would add them up."""
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return found


def _altair() -> Any:
    try:
        import altair
    except ImportError as error:
        raise MissingExtraError('Charts need altair: pip install "dqlabels[report]"') from error
    return altair
