"""The summary of an audit as lines of plain text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dqlabels.noise.rate import RateData
from dqlabels.report.summary import ClassRow, ClassSummary, Confusion, ExpectedData

MAX_LINES = 5
MAX_CLASSES = 3
MAX_VALUE_LENGTH = 40


def summary(audit: ClassSummary) -> str:
    """Return an audit of classes in a dozen lines: how many labels are wrong, how sure that is, and which rows."""
    rate = audit["noise_rate"]
    missing = f", {audit['missing']:,} without a label" if audit["missing"] else ""
    lines = [
        f"Labels in {audit['label']!r}: {audit['audited']:,} rows audited{missing}, {audit['flagged']:,} flagged "
        f"({audit['flagged_share']:.1%}){likely_wrong(audit['flagged'], audit['expected_wrong'])}.",
        f"Estimated noise rate {rate['estimate']:.1%} ({rate['confidence']:.0%} interval {rate['low']:.1%} to "
        f"{rate['high']:.1%}, method {rate['method']!r}).",
        *([rate["caution"]] if rate["caution"] else []),
        rate["assumption"],
        f"Judged by {audit['model']}; it disagrees with {audit['model_error']:.1%} of the given labels.",
    ]
    lines += confusion_lines(audit["confusions"])
    lines += worst_lines(audit["worst"], quality_meaning(audit["settings"]))
    lines += [f"Note: {note}" for note in audit["warnings"]]
    return "\n".join(lines)


def likely_wrong(flagged: int, expected: ExpectedData) -> str:
    """Return how many of the flagged labels are likely wrong, to follow their number; nothing where none is flagged.

    >>> likely_wrong(124, {"estimate": 31.2, "low": 12.4, "high": 50.1})
    '; about 31 (12 to 50) of them are likely wrong'
    >>> likely_wrong(1, {"estimate": 0.84, "low": 0.1, "high": 1.0})
    '; it is wrong with a probability of 84%'
    """
    if not flagged:
        return ""
    if flagged == 1:
        return f"; it is wrong with a probability of {expected['estimate']:.0%}"
    wrong, low, high = (round(expected[end]) for end in ("estimate", "low", "high"))
    about = f"about {wrong:,}" if wrong else "fewer than 1"
    return f"; {about} ({low:,} to {high:,}) of them {'are' if wrong > 1 else 'is'} likely wrong"


def first_sentence(text: str) -> tuple[str, str]:
    """Return the first sentence of a text, and the rest.

    >>> first_sentence("Assumes that rows differ. Noise of 1.5% is missed.")
    ('Assumes that rows differ.', 'Noise of 1.5% is missed.')
    """
    first, stop, rest = text.partition(". ")
    return (f"{first}.", rest) if stop else (text, "")


def rate_verdict(rate: RateData, what: str = "labels") -> str:
    """Return how many labels are wrong, or that the table does not tell.

    >>> rate_verdict({"supported": True, "estimate": 0.048, "low": 0.0, "high": 0.133, "confidence": 0.9})
    'About 4.8% of the labels are wrong (90% interval 0.0% to 13.3%).'
    """
    if not rate["supported"]:
        return f"This table does not tell how many {what} are wrong."
    interval = f"{rate['confidence']:.0%} interval {rate['low']:.1%} to {rate['high']:.1%}"
    return f"About {rate['estimate']:.1%} of the {what} are wrong ({interval})."


def rate_advice(rate: RateData, others: Sequence[str]) -> str:
    """Return which rate to use: the noise rate and none of the others, or none at all where it is not supported.

    >>> rate_advice({"supported": True}, ["the 9.0% of rows that are flagged", "the 20.0% of hard rows"])
    'Judge the table by this rate, not by the 9.0% of rows that are flagged or the 20.0% of hard rows.'
    """
    if rate["supported"]:
        return f"Judge the table by this rate, not by {' or '.join(others)}."
    why = rate["caution"].removeprefix("This table cannot support an estimate: ")
    guess = f"{rate['estimate']:.1%} ({rate['low']:.1%} to {rate['high']:.1%})"
    return f"{why[:1].upper()}{why[1:]} Do not quote the model's guess, {guess}."


def quality_meaning(settings: Mapping[str, object]) -> str:
    """Return what ``label_quality`` is under these settings, in words.

    >>> quality_meaning({"compat": None})
    'the probability that the label is right'
    """
    if settings.get("compat") is None:
        return "the probability that the label is right"
    return f"{settings['score']} as in {settings['compat']}, from 0 (suspicious) to 1"


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


def worst_lines(worst: Sequence[Mapping[str, object]], quality: str = "") -> list[str]:
    """Return the most suspicious rows, one per line, under a heading that says what their ``quality`` means."""
    if not worst:
        return []
    shown = []
    for row in worst[:MAX_LINES]:
        change = f"{_short(row['given'])} → {_short(row['suggested'])}"
        where = f"row {row['row']}" + (f" (index {_short(row['index'])})" if "index" in row else "")
        shown.append(f"  {where}: {change}, quality {row['quality']:.3f}, {row.get('how_sure') or row['kind']}")
    return [f"Worst rows (quality: {quality}):" if quality else "Worst rows:", *shown]


def _short(value: object) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= MAX_VALUE_LENGTH else text[: MAX_VALUE_LENGTH - 1] + "…"
