"""An audit's dict as lines of plain text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MAX_LINES = 5
MAX_CLASSES = 3
MAX_VALUE_LENGTH = 40


def summary(facts: Mapping[str, Any]) -> str:
    """The audit in a dozen lines: how much, how sure, which classes, which rows."""
    rate = facts["noise_rate"]
    missing = f", {facts['missing']:,} without a label" if facts["missing"] else ""
    lines = [
        f"Labels in {facts['label']!r}: {facts['audited']:,} rows audited{missing}, {facts['flagged']:,} flagged "
        f"({facts['flagged_share']:.1%}).",
        f"Estimated noise rate {rate['estimate']:.1%} ({rate['confidence']:.0%} interval {rate['low']:.1%} to "
        f"{rate['high']:.1%}, method {rate['method']!r}).",
        *([rate["caution"]] if rate["caution"] else []),
        rate["assumption"],
        f"Judged by {facts['model']}; it disagrees with {facts['model_error']:.1%} of the given labels.",
    ]
    lines += confusion_lines(facts["confusions"])
    lines += worst_lines(facts["worst"])
    lines += [f"Note: {note}" for note in facts["warnings"]]
    return "\n".join(lines)


def value_summary(facts: Mapping[str, Any]) -> str:
    """An audit of numbers in a dozen lines: how many, at what rate of false flags, which rows."""
    missing = f", {facts['missing']:,} without a value" if facts["missing"] else ""
    lines = [
        f"Values in {facts['label']!r}: {facts['audited']:,} rows audited{missing}, {facts['flagged']:,} flagged "
        f"({facts['flagged_share']:.1%}) at a false-discovery rate of {facts['fdr']:.0%}.",
        facts["assumption"],
        f"Judged by {facts['model']}; the values lie {facts['model_error']:.0%} as far from their prediction as from "
        "the column's median.",
    ]
    lines += worst_lines(facts["worst"])
    lines += [f"Note: {note}" for note in facts["warnings"]]
    return "\n".join(lines)


def class_lines(classes: Sequence[Mapping[str, Any]]) -> list[str]:
    """The classes whose labels are wrong most often, one line."""
    ranked = sorted(classes, key=lambda c: -c["noise_rate"])[:MAX_CLASSES]
    shown = [
        f"{_short(c['class'])} {c['noise_rate']:.1%} ({c['noise_rate_low']:.1%} to {c['noise_rate_high']:.1%})"
        for c in ranked
    ]
    return ["Worst classes: " + ", ".join(shown) + "."]


def confusion_lines(confusions: Sequence[Mapping[str, Any]]) -> list[str]:
    """The commonest given -> suggested pairs, one line."""
    if not confusions:
        return []
    pairs = [f"{_short(c['given'])} → {_short(c['suggested'])} ({c['rows']:,})" for c in confusions[:MAX_LINES]]
    return ["Commonest: " + ", ".join(pairs) + "."]


def worst_lines(worst: Sequence[Mapping[str, Any]]) -> list[str]:
    """The most suspicious rows, one a line."""
    if not worst:
        return []
    shown = []
    for row in worst[:MAX_LINES]:
        change = f"{_short(row['given'])} → {_short(row['suggested'])}"
        where = f"row {row['row']}" + (f" (index {_short(row['index'])})" if "index" in row else "")
        shown.append(f"  {where}: {change}, quality {row['quality']:.3f}, {row['kind']}")
    return ["Worst rows:", *shown]


def _short(value: object) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= MAX_VALUE_LENGTH else text[: MAX_VALUE_LENGTH - 1] + "…"
