"""Drawings as SVG, made of numbers only."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from dqlabels.noise.rate import RateData
from dqlabels.report.data import Histogram
from dqlabels.report.reading import ReviewCurve, first_to_read

# In SVG units; the page scales them.
WIDTH, MARGIN = 640, 12


def noise_scale(rate: RateData, limit: float | None = None) -> str:
    """Draw the estimate and its interval on a scale from 0, with the limit if there is one."""
    top = round_up(max(rate["high"] * 1.15, rate["estimate"] * 1.3, (limit or 0) * 1.15, 0.05))
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
    """Draw rows by label quality: those not flagged upwards, flagged ones downwards, on one scale of logarithms.

    On a linear scale one flagged row beside a thousand others would not be seen.
    """
    up, down = histogram["kept"], histogram["flagged"]
    bars, left, half, top = len(up), 64, 84, 32
    right, base = WIDTH - MARGIN, top + half
    step = (right - left) / bars
    most = _next_power(max([*up, *down, 1]))
    depth = half if any(down) else 0

    def tall(rows: int) -> float:
        return half * math.log10(1 + rows) / math.log10(1 + most)

    def tick(rows: int, y: float) -> str:
        word = f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{_short(rows)}</text>'
        # 1 is too close to 0 for a word of its own.
        return f'<line class="grid" x1="{left}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}"/>' + (word if rows != 1 else "")

    ticks = [0, *(10**power for power in range(round(math.log10(most)) + 1))]
    parts = [tick(rows, base - tall(rows)) for rows in ticks]
    parts += [tick(rows, base + tall(rows)) for rows in ticks[1:]] if depth else []
    for at in range(bars):
        for counts, name, sign in ((up, "kept", -1), (down, "flagged", 1)):
            if counts[at]:
                y = base - tall(counts[at]) if sign < 0 else base
                what = "not flagged" if sign < 0 else "flagged"
                tip = f"<title>quality {at / bars:.3g} to {(at + 1) / bars:.3g}: {counts[at]:,} {what}</title>"
                place = f'x="{left + at * step:.1f}" y="{y:.1f}" width="{step - 1:.1f}" height="{tall(counts[at]):.1f}"'
                parts.append(f'<rect class="{name}" {place}>{tip}</rect>')
    parts.append(f'<line class="axis" x1="{left}" y1="{base}" x2="{right}" y2="{base}"/>')
    parts.append(f'<text x="{left + 4}" y="{top - 8}">rows not flagged ↑{" and flagged ↓" if any(down) else ""}</text>')
    bottom = base + depth
    if histogram["cut"] is not None:
        x = left + (right - left) * histogram["cut"]
        parts.append(f'<line class="limit" x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{bottom}"/>')
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        anchor = {0.0: "start", 1.0: "end"}.get(share, "middle")
        x = left + (right - left) * share
        parts.append(f'<text x="{x:.1f}" y="{bottom + 22}" text-anchor="{anchor}">{share:g}</text>')
    parts.append(f'<text x="{(left + right) / 2:.1f}" y="{bottom + 42}" text-anchor="middle">label quality</text>')
    description = f"Label quality of {sum(up):,} rows not flagged and {sum(down):,} flagged, from 0 to 1"
    return svg(WIDTH, bottom + 48, description, parts)


def review_curve(curve: ReviewCurve, marked: Mapping[int, str]) -> str:
    """Draw the wrong labels to expect against the rows read, worst first, with their band.

    The rows are on a scale of logarithms, since the first hundred matter as much as the last ten thousand.

    Args:
        curve: At least one point.
        marked: Numbers of rows to mark, with a word for each.
    """
    left, right, top, base = 64, WIDTH - 40, 46, 202
    least, last, most = min(curve["rows"]), max(curve["rows"]), max([*curve["wrong"], *curve["high"]])

    def x(rows: int) -> float:
        return left + (right - left) * (math.log(rows / least) / math.log(last / least) if last > least else 1.0)

    def y(wrong: float) -> float:
        return base - (base - top) * (wrong / most if most else 0.0)

    def points(wrong: Sequence[float]) -> list[str]:
        return [f"{x(rows):.1f},{y(one):.1f}" for rows, one in zip(curve["rows"], wrong, strict=True)]

    parts = []
    if curve["low"]:
        band = " ".join([*points(curve["low"]), *reversed(points(curve["high"]))])
        parts.append(f'<polygon class="interval" points="{band}"/>')
    parts.append(f'<polyline class="curve" points="{" ".join(points(curve["wrong"]))}"/>')
    for at, (rows, word) in enumerate(marked.items()):
        if rows in curve["rows"]:
            wrong = y(curve["wrong"][curve["rows"].index(rows)])
            anchor = "end" if x(rows) > WIDTH - 160 else "start"
            shift = -5 if anchor == "end" else 5
            parts.append(f'<line class="limit" x1="{x(rows):.1f}" y1="{top}" x2="{x(rows):.1f}" y2="{base}"/>')
            parts.append(f'<circle class="estimate" cx="{x(rows):.1f}" cy="{wrong:.1f}" r="5"/>')
            # Two words may stand close together, so each has a line of its own.
            parts.append(f'<text x="{x(rows) + shift:.1f}" y="{18 + 20 * at}" text-anchor="{anchor}">{word}</text>')
    parts.append(f'<line class="axis" x1="{left}" y1="{base}" x2="{right}" y2="{base}"/>')
    for share in (0.0, 0.5, 1.0):
        shown = _short(round(share * most)) if most >= 2 else f"{share * most:.1f}"
        parts.append(f'<text x="{left - 6}" y="{y(share * most) + 4:.1f}" text-anchor="end">{shown}</text>')
    for rows in (10**power for power in range(10) if least <= 10**power <= last):
        parts.append(f'<line class="axis" x1="{x(rows):.1f}" y1="{base}" x2="{x(rows):.1f}" y2="{base + 5}"/>')
        parts.append(f'<text x="{x(rows):.1f}" y="{base + 20}" text-anchor="middle">{_short(rows)}</text>')
    parts.append(f'<text x="{WIDTH / 2}" y="{base + 40}" text-anchor="middle">rows read, worst first</text>')
    description = f"Wrong labels to expect, up to {most:,.0f}, among the rows read, worst first"
    return svg(WIDTH, base + 46, description, parts)


def reading_marks(curve: ReviewCurve, flagged: int) -> dict[int, str]:
    """Return the numbers of rows to mark on a review curve: what to read first, and what is flagged."""
    first = first_to_read(curve, flagged)
    marks = {first: f"read {first:,} first"} if 0 < first < flagged else {}
    return {**marks, flagged: f"{flagged:,} flagged"} if flagged else marks


def _short(rows: int) -> str:
    """A number that fits beside an axis: 950, 1.2k, 10k, 3M."""
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if rows >= size:
            return f"{rows / size:.3g}{unit}"
    return str(rows)


def _next_power(rows: int) -> int:
    """The next power of ten, at least 10."""
    power = 10
    while power < rows:
        power *= 10
    return power


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


def round_up(share: float) -> float:
    """Return the next round percentage, at most 100%.

    >>> round_up(0.13)
    0.15
    """
    steps = (0.05, 0.10, 0.15, 0.20, 0.25, 0.30, 0.40, 0.50, 0.60, 0.75, 1.0)
    return next((step for step in steps if share <= step), 1.0)


def _percent(share: float) -> str:
    percent = round(share * 100, 1)
    return f"{percent:.0f}%" if math.isclose(percent, round(percent)) else f"{percent:.1f}%"
