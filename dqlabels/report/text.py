"""The summary of an audit as lines of plain text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dqlabels.report.summary import ClassRow, ClassSummary, Confusion

MAX_LINES = 5
MAX_CLASSES = 3
MAX_VALUE_LENGTH = 40


def summary(audit: ClassSummary) -> str:
    """Return an audit of classes in a dozen lines: how many labels are wrong, how sure that is, and which rows."""
    rate = audit["noise_rate"]
    missing = f", {audit['missing']:,} without a label" if audit["missing"] else ""
    lines = [
        f"Labels in {audit['label']!r}: {audit['audited']:,} rows audited{missing}, {audit['flagged']:,} flagged "
        f"({audit['flagged_share']:.1%}).",
        f"Estimated noise rate {rate['estimate']:.1%} ({rate['confidence']:.0%} interval {rate['low']:.1%} to "
        f"{rate['high']:.1%}, method {rate['method']!r}).",
        *([rate["caution"]] if rate["caution"] else []),
        rate["assumption"],
        f"Judged by {audit['model']}; it disagrees with {audit['model_error']:.1%} of the given labels.",
    ]
    lines += confusion_lines(audit["confusions"])
    lines += worst_lines(audit["worst"])
    lines += [f"Note: {note}" for note in audit["warnings"]]
    return "\n".join(lines)


def class_lines(classes: Sequence[ClassRow]) -> list[str]:
    """Return one line with the classes whose labels are wrong most often."""
    ranked = sorted(classes, key=lambda c: -c["noise_rate"])[:MAX_CLASSES]
    shown = [
        f"{_short(c['class'])} {c['noise_rate']:.1%} ({c['noise_rate_low']:.1%} to {c['noise_rate_high']:.1%})"
        for c in ranked
    ]
    return ["Worst classes: " + ", ".join(shown) + "."]


def confusion_lines(confusions: Sequence[Confusion]) -> list[str]:
    """Return one line with the most common given -> suggested pairs."""
    if not confusions:
        return []
    pairs = [f"{_short(c['given'])} → {_short(c['suggested'])} ({c['rows']:,})" for c in confusions[:MAX_LINES]]
    return ["Commonest: " + ", ".join(pairs) + "."]


def worst_lines(worst: Sequence[Mapping[str, object]]) -> list[str]:
    """Return the most suspicious rows, one per line."""
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
