"""An audit of several annotators, from its dict, as lines of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dqlabels.noise.rate import RateData

MOST_LINES = 5


def summary(summary: Mapping[str, Any]) -> str:
    """Say how many labels there are, how far they agree, how many are wrong, whose, and what to label next."""
    rate, missing = summary["noise_rate"], f", {summary['missing']:,} without one" if summary["missing"] else ""
    lines = [
        f"Labels in {summary['label']!r}: {summary['labels']:,} of {summary['items']:,} items by "
        f"{len(summary['annotators']):,} annotators; {summary['audited']:,} rows with a label{missing}, "
        f"{summary['flagged']:,} flagged ({summary['flagged_share']:.1%}).",
        agreement_line(summary),
        f"{rate_words(rate)}; of the consensus ({summary['settings']['consensus']}) "
        f"{summary['consensus_noise_rate']['estimate']:.1%}.",
        rate["assumption"],
        *([rate["caution"]] if rate["caution"] else []),
    ]
    if summary["model"] is not None:
        lines.append(
            f"Judged beside {summary['model']}; it disagrees with {summary['model_error']:.1%} of the consensus."
        )
    lines += annotator_lines(summary)
    lines += [f"Note: {note}" for note in summary["warnings"]]
    return "\n".join(lines)


def rate_words(rate: RateData) -> str:
    """The share of wrong labels with its interval, "at least" where no more can be said."""
    interval = f"{rate['confidence']:.0%} interval {rate['low']:.1%} to {rate['high']:.1%}"
    if rate["supported"]:
        return f"Estimated share of wrong labels {rate['estimate']:.1%} ({interval})"
    return f"At least {rate['low']:.1%} of the labels are wrong ({interval})"


def details(summary: Mapping[str, Any]) -> list[str]:
    """What a gate's message adds."""
    return [agreement_line(summary), *annotator_lines(summary)]


def agreement_line(summary: Mapping[str, Any]) -> str:
    """Krippendorff's alpha with its interval."""
    agreement = summary["agreement"]
    interval = f"{agreement['confidence']:.0%} interval {agreement['low']:.3f} to {agreement['high']:.3f}"
    return (
        f"Agreement: Krippendorff's alpha {agreement['alpha']:.3f} ({interval}) over {agreement['items']:,} items; "
        f"{agreement['observed']:.1%} of pairs of labels agree."
    )


def annotator_lines(summary: Mapping[str, Any]) -> list[str]:
    """The annotators whose labels are most often wrong, a line each under a heading."""
    known = [row for row in summary["annotators"] if row["noise_rate"] is not None]
    known.sort(key=lambda row: -row["noise_rate"])
    shown = [
        f"  {row['annotator']}: {row['noise_rate']:.1%} of {row['labels']:,} labels likely wrong"
        for row in known[:MOST_LINES]
    ]
    return ["Annotators, the most often wrong first:", *shown] if shown else []
