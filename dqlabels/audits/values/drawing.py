"""The picture of given against predicted values as SVG; the words of its ticks are escaped."""

from __future__ import annotations

import math
from html import escape
from typing import TypedDict

from dqlabels.report.draw import WIDTH, svg

# In SVG units: the side of the square, its left and top edge; and the number of shades of a cell.
CLOUD, CLOUD_LEFT, CLOUD_TOP, SHADES = 432, 104, 14, 5
# The margin has room for this many letters of a tick.
MAX_TICK_LENGTH = 13


class Cloud(TypedDict):
    """Filled cells of a grid of ``side`` by ``side``: predicted and given step, and rows, not flagged and flagged.

    ``ticks`` are amounts at equal steps along both axes.
    """

    side: int
    ticks: list[str]
    kept: list[tuple[int, int, int]]
    flagged: list[tuple[int, int, int]]


def value_cloud(cloud: Cloud) -> str:
    """Draw rows by predicted (across) and given value (up): on the diagonal they agree, darker cells hold more rows."""
    side, last = cloud["side"], len(cloud["ticks"]) - 1
    step, bottom = CLOUD / side, CLOUD_TOP + CLOUD
    parts = []
    layers = {"kept": cloud["kept"], "flagged": cloud["flagged"]}
    for name, layer in layers.items():
        largest = max((rows for *_, rows in layer), default=1)
        shaded: dict[int, list[str]] = {}
        for across, up, rows in layer:
            shade = math.ceil(SHADES * math.log1p(rows) / math.log1p(largest))
            x, y = CLOUD_LEFT + across * step, bottom - (up + 1) * step
            shaded.setdefault(shade, []).append(f"M{x:.1f} {y:.1f}h{step:.1f}v{step:.1f}h-{step:.1f}z")
        for shade, cells in sorted(shaded.items()):
            opacity = 0.25 + 0.75 * shade / SHADES if name == "kept" else 0.55 + 0.45 * shade / SHADES
            parts.append(f'<path class="{name}" fill-opacity="{opacity:.2f}" d="{"".join(cells)}"/>')
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
    kept, flagged = (sum(rows for *_, rows in layer) for layer in layers.values())
    description = f"Given against predicted values of {kept:,} rows not flagged and {flagged:,} flagged"
    return svg(WIDTH, bottom + 40, description, parts)
