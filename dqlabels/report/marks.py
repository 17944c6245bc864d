"""Building blocks of charts: altair objects, each of which draws a table of the caller's frame library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dqlabels.errors import needing
from dqlabels.frames.outputs import table_of

if TYPE_CHECKING:
    import altair

WIDTH = 480
KEPT, FLAGGED = "#5b7fa6", "#b3470b"
Columns = Mapping[str, Sequence[object]]


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """Draws tables of one audit: ``label`` begins each title, ``backend`` names the frame library of the tables."""

    label: str
    backend: Any

    def rows_by_quality(self, edges: Sequence[float], kept: Sequence[int], flagged: Sequence[int]) -> altair.Chart:
        """Rows in steps of the label quality, flagged and not: columns from, to, rows, flagged.

        Args:
            edges: (B + 1,) ends of the steps.
            kept: (B,) rows that are not flagged.
            flagged: (B,) flagged rows.
        """
        alt = altair_module()
        columns: Columns = {
            "from": [*edges[:-1], *edges[:-1]],
            "to": [*edges[1:], *edges[1:]],
            "rows": [*kept, *flagged],
            "flagged": [False] * len(kept) + [True] * len(flagged),
        }
        chart: altair.Chart = (
            alt.Chart(self.table(columns), title=self.title("label quality"), width=WIDTH)
            .mark_bar()
            .encode(
                x=alt.X("from:Q", bin="binned", title="label quality"),
                x2="to:Q",
                y=alt.Y("rows:Q", title="rows"),
                color=two_colors("flagged"),
                tooltip=["from:Q", "to:Q", "rows:Q", "flagged:N"],
            )
        )
        return chart

    def shares(self, columns: Columns, name: str, share: str, title: str) -> altair.Chart:
        """A bar for each row of a table, as long as a share of it.

        Args:
            columns: The table, in the order to draw.
            name: The column that names the bars.
            share: The column of the shares, in [0, 1].
            title: What the chart shows.
        """
        alt = altair_module()
        others = [f"{head}:Q" for head in columns if head != name]
        chart: altair.Chart = (
            alt.Chart(self.table(columns), title=self.title(title), width=WIDTH)
            .mark_bar(color=FLAGGED)
            .encode(
                x=alt.X(f"{share}:Q", title=share.replace("_", " "), axis=alt.Axis(format="%")),
                y=alt.Y(f"{name}:N", sort=list(columns[name]), title=None),
                tooltip=[f"{name}:N", *others],
            )
        )
        return chart

    def intervals(self, columns: Columns, name: str, title: str, axis: str) -> altair.LayerChart:
        """A point in its interval for each row of a table with the columns estimate, low and high, in [0, 1].

        Rows for which a column ``used`` is true get a color of their own.

        Args:
            columns: The table, in the order to draw.
            name: The column that names the rows.
            title: What the chart shows.
            axis: What the estimate is a share of.
        """
        alt = altair_module()
        # One mark with an interval and one with a point would each repeat the table: a layer shares it.
        chart = alt.Chart(self.table(columns), title=self.title(title), width=WIDTH)
        y = alt.Y(f"{name}:N", sort=list(columns[name]), title=None)
        x = alt.X("low:Q", title=axis, axis=alt.Axis(format="%"))
        color = two_colors("used", title="used by the audit") if "used" in columns else alt.value(KEPT)
        bar = chart.mark_bar(height=8, opacity=0.5).encode(x=x, x2="high:Q", y=y, color=color)
        point = chart.mark_point(filled=True, size=90, opacity=1).encode(
            x="estimate:Q", y=y, color=color, tooltip=[f"{name}:N", "estimate:Q", "low:Q", "high:Q"]
        )
        layered: altair.LayerChart = bar + point
        return layered

    def wrong_by_rows_read(self, columns: Columns) -> altair.LayerChart:
        """The wrong labels to expect among the rows read, worst first, as a line within the band of its interval.

        Args:
            columns: The table: rows, wrong, low, high, share, and flagged, true for the row of all flagged labels.
        """
        alt, title = altair_module(), "wrong labels to expect"
        # On a linear scale all that matters would lie in the first few percent.
        x = alt.X("rows:Q", title="rows read, worst first", scale=alt.Scale(type="log"))
        y = alt.Y("wrong:Q", title=title)
        chart = alt.Chart(self.table(columns), title=self.title(title), width=WIDTH).encode(x=x)
        area = chart.mark_area(color=KEPT, opacity=0.25).encode(y=alt.Y("low:Q", title=title), y2="high:Q")
        line = chart.mark_line(color=KEPT).encode(y=y)
        points = chart.mark_point(filled=True, size=60, opacity=1).encode(
            y=y, color=two_colors("flagged", title="all flagged rows"), tooltip=[f"{name}:Q" for name in columns]
        )
        layered: altair.LayerChart = area + line + points
        return layered

    def title(self, what: str) -> str:
        """The title of a chart."""
        return f"{self.label}: {what}"

    def table(self, columns: Columns) -> Any:
        """A table of the caller's frame library."""
        return table_of(columns, self.backend).to_native()


def two_colors(name: str, *, title: str | None = None) -> altair.Color:
    """One color where a column is true, as ``flagged`` is, and another where it is false."""
    alt = altair_module()
    scale = alt.Scale(domain=[False, True], range=[KEPT, FLAGGED])
    color: altair.Color = alt.Color(f"{name}:N", scale=scale, title=title or name)
    return color


def distinct(names: Sequence[str]) -> list[str]:
    """Names made distinct: shortened names may be alike, and a chart would add them up.

    >>> distinct(["a", "b", "a"])
    ['a', 'b', 'a (2)']
    """
    seen: dict[str, int] = {}
    made = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        made.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return made


def altair_module() -> Any:
    """The module ``altair``.

    Raises:
        MissingExtraError: It is not installed.
    """
    with needing('Charts need altair: pip install "dqlabels[report]"'):
        import altair
    return altair
