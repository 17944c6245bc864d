"""Drawings as SVG, made of numbers alone; the few words that came from data are escaped here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

# Drawn units; the page scales them.
WIDTH, MARGIN = 640, 12
# The cloud: a square of so many units a side, beside it the words of its ticks; shades of a cell, by its rows.
CLOUD, CLOUD_LEFT, CLOUD_TOP, SHADES = 432, 104, 14, 5


def noise_scale(rate: Mapping[str, Any], limit: float | None = None) -> str:
    """The estimate and its interval on a scale from 0, with a limit where there is one."""
    top = _round_up(max(rate["high"] * 1.15, rate["estimate"] * 1.3, (limit or 0) * 1.15, 0.05))
    inner = WIDTH - 2 * MARGIN

    def x(share: float) -> float:
        return MARGIN + inner * min(max(share / top, 0), 1)

    said = (
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
        said += f", limit {limit:.1%}"
        parts.append(f'<line class="limit" x1="{x(limit):.1f}" y1="8" x2="{x(limit):.1f}" y2="44"/>')
        anchor = "end" if x(limit) > WIDTH - 90 else "start"
        shift = -5 if anchor == "end" else 5
        parts.append(f'<text x="{x(limit) + shift:.1f}" y="15" text-anchor="{anchor}">limit {limit:.1%}</text>')
    return _svg(WIDTH, 66, said, parts)


def quality_bars(histogram: Mapping[str, Any]) -> str:
    """Rows by label quality: those not flagged upwards, flagged ones downwards, each on its own scale."""
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
    parts.append(f'<text x="{left}" y="20">not flagged, up to {max(up, default=0):,} rows a bar</text>')
    if any(down):
        said = f"flagged, up to {max(down):,} rows a bar"
        parts.append(f'<text x="{WIDTH - MARGIN}" y="186" text-anchor="end">{said}</text>')
    if histogram["cut"] is not None:
        at = left + (WIDTH - left - MARGIN) * histogram["cut"]
        parts.append(f'<line class="limit" x1="{at:.1f}" y1="24" x2="{at:.1f}" y2="188"/>')
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        anchor = {0.0: "start", 1.0: "end"}.get(share, "middle")
        x = left + (WIDTH - left - MARGIN) * share
        parts.append(f'<text x="{x:.1f}" y="212" text-anchor="{anchor}">{share:g}</text>')
    said = f"Label quality of {sum(up):,} rows not flagged and {sum(down):,} flagged, from 0 to 1"
    return _svg(WIDTH, 218, said, parts)


def value_cloud(cloud: Mapping[str, Any]) -> str:
    """Rows by predicted (across) and given value (up): on the diagonal the two agree; the darker, the more rows."""
    side, last = cloud["side"], len(cloud["ticks"]) - 1
    step, bottom = CLOUD / side, CLOUD_TOP + CLOUD
    parts = []
    for name in ("kept", "flagged"):
        most = max((rows for *_, rows in cloud[name]), default=1)
        shaded: dict[int, list[str]] = {}
        for across, up, rows in cloud[name]:
            shade = math.ceil(SHADES * math.log1p(rows) / math.log1p(most))
            x, y = CLOUD_LEFT + across * step, bottom - (up + 1) * step
            shaded.setdefault(shade, []).append(f"M{x:.1f} {y:.1f}h{step:.1f}v{step:.1f}h-{step:.1f}z")
        for shade, cells in sorted(shaded.items()):
            seen = 0.25 + 0.75 * shade / SHADES if name == "kept" else 0.55 + 0.45 * shade / SHADES
            parts.append(f'<path class="{name}" fill-opacity="{seen:.2f}" d="{"".join(cells)}"/>')
    right = CLOUD_LEFT + CLOUD
    parts.append(f'<path class="axis" fill="none" d="M{CLOUD_LEFT} {CLOUD_TOP}V{bottom}H{right}"/>')
    parts.append(f'<line class="limit" x1="{CLOUD_LEFT}" y1="{bottom}" x2="{right}" y2="{CLOUD_TOP}"/>')
    for at, tick in enumerate(cloud["ticks"]):
        word = escape(tick if len(tick) <= MAX_TICK_LENGTH else tick[: MAX_TICK_LENGTH - 1] + "…", quote=True)
        x, y = CLOUD_LEFT + CLOUD * at / last, bottom - CLOUD * at / last
        anchor = "start" if at == 0 else "end" if at == last else "middle"
        parts.append(f'<text x="{CLOUD_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{word}</text>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 18 + 15 * (at % 2)}" text-anchor="{anchor}">{word}</text>')
    parts.append(f'<text x="{right + 8}" y="{bottom}">predicted</text>')
    parts.append(f'<text x="{CLOUD_LEFT + 6}" y="{CLOUD_TOP + 10}">given</text>')
    kept, flagged = (sum(rows for *_, rows in cloud[name]) for name in ("kept", "flagged"))
    said = f"Given against predicted values of {kept:,} rows not flagged and {flagged:,} flagged"
    return _svg(WIDTH, bottom + 40, said, parts)


# Letters of a tick that the margin has room for.
MAX_TICK_LENGTH = 13


def _height(counts: Sequence[int], at: int, most: int) -> float:
    # A bar of a few rows beside one of a million is still drawn.
    return max(most * counts[at] / max(counts), 1.5) if counts[at] else 0.0


def _svg(width: int, height: int, said: str, parts: Sequence[str]) -> str:
    head = f'<svg class="drawn" viewBox="0 0 {width} {height}" role="img" aria-label="{said}">'
    return head + "".join(parts) + "</svg>"


def _round_up(share: float) -> float:
    """The next round number of percent, at most all."""
    steps = (0.05, 0.10, 0.15, 0.20, 0.25, 0.30, 0.40, 0.50, 0.60, 0.75, 1.0)
    return next((step for step in steps if share <= step), 1.0)


def _percent(share: float) -> str:
    percent = round(share * 100, 1)
    return f"{percent:.0f}%" if math.isclose(percent, round(percent)) else f"{percent:.1f}%"
