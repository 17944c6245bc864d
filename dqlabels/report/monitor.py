"""The batches of a monitor as a chart and as a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from dqlabels.report.draw import svg
from dqlabels.report.html import escape_text
from dqlabels.report.marks import FLAGGED, KEPT, WIDTH, Marks, altair_module
from dqlabels.report.page import render

if TYPE_CHECKING:
    import altair

# The page draws the last so many batches; the table lists as many, the newest first.
MOST_DRAWN = 400
COLUMNS = ("batch_id", "checked_at", "rows", "judged", "increase", "low", "high", "evidence", "verdict")
WORDS = {"pass": "passed", "fail": "failed", "inconclusive": "is inconclusive"}


class BatchFacts(TypedDict):
    """One batch as plain values: the columns of a monitor's history, and its message."""

    batch_id: str
    checked_at: str
    rows: int
    judged: int
    increase: float
    low: float
    high: float
    evidence: float
    limit: float
    verdict: str
    message: str


def chart_of_batches(label: str, batches: Sequence[BatchFacts], backend: Any) -> altair.VConcatChart:
    """Draw the increase of each batch with its interval, and below it the evidence against the alarm line.

    Args:
        label: The label column, for the titles.
        batches: In order, at least one.
        backend: The frame library of the table that is drawn.

    Raises:
        MissingExtraError: altair is not installed.
    """
    alt, marks = altair_module(), Marks(label, backend)
    columns = {name: [batch[name] for batch in batches] for name in (*COLUMNS, "limit")}  # type: ignore[literal-required]
    table = marks.table({"batch": list(range(1, len(batches) + 1)), **columns})
    base = alt.Chart(table, width=WIDTH).encode(x=alt.X("batch:Q", title="batch"))
    colour = alt.Color(
        "verdict:N", scale=alt.Scale(domain=["pass", "inconclusive", "fail"], range=[KEPT, "#8a8a8a", FLAGGED])
    )
    percent = alt.Axis(format="+.1%")
    interval = base.mark_rule().encode(
        y=alt.Y("low:Q", title="increase of the noise rate", axis=percent), y2="high:Q", color=colour
    )
    points = base.mark_point(filled=True).encode(
        y="increase:Q", color=colour, tooltip=["batch_id:N", "checked_at:N", "rows:Q", "increase:Q", "verdict:N"]
    )
    evidence = base.mark_line(color=KEPT).encode(y=alt.Y("evidence:Q", title="evidence of a rise"))
    line = base.mark_line(color=FLAGGED, strokeDash=[5, 3]).encode(y="limit:Q")
    above = (interval + points).properties(title=marks.title("increase since the labels were trusted"))
    chart: altair.VConcatChart = alt.vconcat(above, (evidence + line).properties(title="Evidence, and the alarm line"))
    return chart


def monitor_page(label: str, batches: Sequence[BatchFacts]) -> str:
    """Return the page of a monitor: the last verdict, the chart of the batches, and their figures, the newest first.

    Args:
        label: The label column.
        batches: In order, at least one.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    from dqlabels.version import __version__

    shown, last = batches[-MOST_DRAWN:], batches[-1]
    alarms = [batch for batch in batches if batch["verdict"] == "fail"]
    report = {
        "label": label,
        "batches": len(batches),
        "alarms": len(alarms),
        "last": last,
        "word": WORDS[last["verdict"]],
        "lines": last["message"].splitlines(),
        "changed": [{"batch_id": batch["batch_id"], "lines": batch["message"].splitlines()} for batch in alarms[-5:]],
        "rows": [{name: batch[name] for name in COLUMNS} for batch in reversed(shown)],  # type: ignore[literal-required]
        "columns": COLUMNS,
        "notes": [],
        "version": __version__,
    }
    return render("monitor.html", report, None, {"nights": _drawn(shown), "evidence": _evidence(shown)})


def _drawn(batches: Sequence[BatchFacts]) -> str:
    """Each batch's increase with its interval."""
    top = max(0.02, *(batch["high"] for batch in batches))
    bottom = min(-0.01, *(batch["low"] for batch in batches))
    left, right, high, low = 64.0, 628.0, 14.0, 190.0

    def y(share: float) -> float:
        return high + (low - high) * (top - min(max(share, bottom), top)) / (top - bottom)

    parts = _axis(left, right, y(0.0))
    for share in (bottom, 0.0, top):
        parts.append(f'<text x="{left - 6}" y="{y(share) + 4:.1f}" text-anchor="end">{100 * share:+.1f}</text>')
    for at, batch in enumerate(batches):
        x, kind = _place(at, len(batches), left, right), "flagged" if batch["verdict"] == "fail" else "kept"
        tip = f"<title>{_tip(batch)}</title>"
        top_end, tall = y(batch["high"]), max(y(batch["low"]) - y(batch["high"]), 1.0)
        parts.append(
            f'<rect class="{kind}" x="{x - 1:.1f}" y="{top_end:.1f}" width="2" height="{tall:.1f}">{tip}</rect>'
        )
        parts.append(f'<circle class="{kind}" cx="{x:.1f}" cy="{y(batch["increase"]):.1f}" r="3.5">{tip}</circle>')
    parts.append(f'<text x="{(left + right) / 2}" y="216" text-anchor="middle">batches, the newest on the right</text>')
    words = f"Increase of the noise rate in points, with its interval, for {len(batches):,} batches"
    return svg(640, 222, words, parts)


def _evidence(batches: Sequence[BatchFacts]) -> str:
    """The cumulative sum against the alarm line."""
    limit = batches[-1]["limit"]
    top = 1.1 * max(limit, *(batch["evidence"] for batch in batches))
    left, right, high, low = 64.0, 628.0, 14.0, 110.0

    def y(value: float) -> float:
        return low - (low - high) * value / top

    places = [
        f"{_place(at, len(batches), left, right):.1f},{y(batch['evidence']):.1f}" for at, batch in enumerate(batches)
    ]
    parts = _axis(left, right, low)
    parts.append(f'<polyline class="evidence" points="{" ".join(places)}"/>')
    parts.append(f'<line class="limit" x1="{left}" y1="{y(limit):.1f}" x2="{right}" y2="{y(limit):.1f}"/>')
    parts.append(f'<text x="{left - 6}" y="{y(limit) + 4:.1f}" text-anchor="end">alarm</text>')
    parts.append(f'<text x="{left - 6}" y="{low + 4:.1f}" text-anchor="end">0</text>')
    words = (
        f"Evidence of a rise, {batches[-1]['evidence']:.1f} for the last batch, and the line at {limit:.1f} that alarms"
    )
    return svg(640, 120, words, parts)


def _axis(left: float, right: float, y: float) -> list[str]:
    return [f'<line class="axis" x1="{left}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}"/>']


def _place(at: int, number: int, left: float, right: float) -> float:
    return left + (right - left) * (at + 0.5) / number


def _tip(batch: Mapping[str, Any]) -> str:
    return escape_text(
        f"{batch['batch_id']}: {100 * batch['increase']:+.1f} points ({100 * batch['low']:+.1f} to "
        f"{100 * batch['high']:+.1f}), {batch['judged']:,} rows, {batch['verdict']}"
    )
