"""Drawings as SVG, made of numbers only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from dqlabels.noise.rate import RateData
from dqlabels.report.data import Histogram, ReviewCurve

# In SVG units; the page scales them.
WIDTH, MARGIN = 640, 12


def noise_scale(rate: RateData, limit: float | None = None) -> str:
    """Draw the estimate and its interval on a scale from 0, with the limit if there is one."""
    top = _round_up(max(rate["high"] * 1.15, rate["estimate"] * 1.3, (limit or 0) * 1.15, 0.05))
    inner = WIDTH - 2 * MARGIN

    def x(share: float) -> float:
        return MARGIN + inner * min(max(share / top, 0), 1)

    description = (
        f"Noise rate {rate['estimate']:.1%}, interval {rate['low']:.1%} to {rate['high']:.1%}, "
        f"on a scale from 0% to {top:.0%}"
    )
    parts = [f'<line class="axis" x1="{MARGIN}" y1="44" x2="{WIDTH - MARGIN}" y2="44"/>']
    for step in range(6):
        at, anchor = x(top * step / 5), ("start" if step == 0 else "end" if step == 5 else "middle")
        parts.append(f'<line class="axis" x1="{at:.1f}" y1="44" x2="{at:.1f}" y2="49"/>')
        parts.append(f'<text x="{at:.1f}" y="62" text-anchor="{anchor}">{_percent(top * step / 5)}</text>')
    low, high = x(rate["low"]), x(rate["high"])
    parts.append(f'<rect class="interval" x="{low:.1f}" y="20" width="{max(high - low, 2):.1f}" height="16" rx="8"/>')
    parts.append(f'<circle class="estimate" cx="{x(rate["estimate"]):.1f}" cy="28" r="10"/>')
    if limit is not None:
        description += f", limit {limit:.1%}"
        parts.append(f'<line class="limit" x1="{x(limit):.1f}" y1="8" x2="{x(limit):.1f}" y2="44"/>')
        anchor = "end" if x(limit) > WIDTH - 90 else "start"
        shift = -5 if anchor == "end" else 5
        parts.append(f'<text x="{x(limit) + shift:.1f}" y="15" text-anchor="{anchor}">limit {limit:.1%}</text>')
    return svg(WIDTH, 66, description, parts)


def quality_bars(histogram: Histogram) -> str:
    """Draw rows by label quality: those not flagged upwards, flagged ones downwards, each on a scale of its own."""
    up, down = histogram["kept"], histogram["flagged"]
    bars, left, half = len(up), 12, 80
    step = (WIDTH - left - MARGIN) / bars
    base = 104
    parts = []
    for at in range(bars):
        for counts, name, sign in ((up, "kept", -1), (down, "flagged", 1)):
            tall = _height(counts, at, half)
            if tall:
                top = base - tall if sign < 0 else base
                what = "not flagged" if sign < 0 else "flagged"
                tip = f"<title>quality {at / bars:.3g} to {(at + 1) / bars:.3g}: {counts[at]:,} {what}</title>"
                place = f'x="{left + at * step:.1f}" y="{top:.1f}" width="{step - 1:.1f}" height="{tall:.1f}"'
                parts.append(f'<rect class="{name}" {place}>{tip}</rect>')
    parts.append(f'<line class="axis" x1="{left}" y1="{base}" x2="{WIDTH - MARGIN}" y2="{base}"/>')
    parts.append(f'<text x="{left}" y="20">not flagged, up to {max(up, default=0):,} rows per bar</text>')
    if any(down):
        caption = f"flagged, up to {max(down):,} rows per bar"
        parts.append(f'<text x="{WIDTH - MARGIN}" y="202" text-anchor="end">{caption}</text>')
    if histogram["cut"] is not None:
        x = left + (WIDTH - left - MARGIN) * histogram["cut"]
        parts.append(f'<line class="limit" x1="{x:.1f}" y1="24" x2="{x:.1f}" y2="188"/>')
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        anchor = {0.0: "start", 1.0: "end"}.get(share, "middle")
        x = left + (WIDTH - left - MARGIN) * share
        parts.append(f'<text x="{x:.1f}" y="228" text-anchor="{anchor}">{share:g}</text>')
    description = f"Label quality of {sum(up):,} rows not flagged and {sum(down):,} flagged, from 0 to 1"
    return svg(WIDTH, 234, description, parts)


def review_curve(curve: ReviewCurve, flagged: int) -> str:
    """Draw the wrong labels to expect against the rows read, worst first, with their band and the flagged rows.

    The rows are on a scale of logarithms, since the first hundred matter as much as the last ten thousand.
    """
    left, right, top, base = 64, WIDTH - 40, 16, 176
    least, last, most = min(curve["rows"]), max(curve["rows"]), max(curve["high"])

    def x(rows: int) -> float:
        return left + (right - left) * (math.log(rows / least) / math.log(last / least) if last > least else 1.0)

    def y(wrong: float) -> float:
        return base - (base - top) * (wrong / most if most else 0.0)

    def points(name: Literal["low", "wrong", "high"]) -> list[str]:
        return [f"{x(rows):.1f},{y(wrong):.1f}" for rows, wrong in zip(curve["rows"], curve[name], strict=True)]

    parts = [f'<polygon class="interval" points="{" ".join([*points("low"), *reversed(points("high"))])}"/>']
    parts.append(f'<polyline class="curve" points="{" ".join(points("wrong"))}"/>')
    if flagged in curve["rows"]:
        parts.append(f'<line class="limit" x1="{x(flagged):.1f}" y1="{top}" x2="{x(flagged):.1f}" y2="{base}"/>')
    parts.append(f'<line class="axis" x1="{left}" y1="{base}" x2="{right}" y2="{base}"/>')
    for share in (0.0, 0.5, 1.0):
        parts.append(f'<text x="{left - 6}" y="{y(share * most) + 4:.1f}" text-anchor="end">{share * most:,.0f}</text>')
    for rows in (10**power for power in range(10) if least <= 10**power <= last):
        parts.append(f'<line class="axis" x1="{x(rows):.1f}" y1="{base}" x2="{x(rows):.1f}" y2="{base + 5}"/>')
        parts.append(f'<text x="{x(rows):.1f}" y="{base + 20}" text-anchor="middle">{rows:,}</text>')
    parts.append(f'<text x="{WIDTH / 2}" y="{base + 40}" text-anchor="middle">rows read, worst first</text>')
    description = f"Wrong labels to expect, up to {most:,.0f}, among the rows read, worst first, with their interval"
    return svg(WIDTH, base + 46, description, parts)


def _height(counts: Sequence[int], at: int, most: int) -> float:
    # Even a bar of a few rows next to one of a million is drawn.
    return max(most * counts[at] / max(counts), 1.5) if counts[at] else 0.0


def svg(width: int, height: int, description: str, parts: Sequence[str]) -> str:
    """Return a drawing made of parts.

    Args:
        width: In units of the drawing.
        height: In the same units.
        description: What it shows, for who cannot see it; escaped already.
        parts: SVG elements, the text in them escaped already.

    >>> svg(10, 5, "A line", ['<line x2="10"/>'])[:27]
    '<svg class="drawn" viewBox='
    """
    head = f'<svg class="drawn" viewBox="0 0 {width} {height}" role="img" aria-label="{description}">'
    return head + "".join(parts) + "</svg>"


def _round_up(share: float) -> float:
    """The next round percentage, at most 100%."""
    steps = (0.05, 0.10, 0.15, 0.20, 0.25, 0.30, 0.40, 0.50, 0.60, 0.75, 1.0)
    return next((step for step in steps if share <= step), 1.0)


def _percent(share: float) -> str:
    percent = round(share * 100, 1)
    return f"{percent:.0f}%" if math.isclose(percent, round(percent)) else f"{percent:.1f}%"
