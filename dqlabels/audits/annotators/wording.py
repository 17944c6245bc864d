"""An audit of several annotators, from its dict, as lines of text and as HTML; values from data are escaped."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from dqlabels.report.html import table

MOST_LINES = 5
COLUMNS = ("annotator", "labels", "quality", "agreement_with_consensus", "noise_rate", "worst_class")


def summary(facts: Mapping[str, Any]) -> str:
    """How many labels, how far they agree, how many are wrong, whose, and what to label next."""
    rate, missing = facts["noise_rate"], f", {facts['missing']:,} without one" if facts["missing"] else ""
    lines = [
        f"Labels in {facts['label']!r}: {facts['labels']:,} of {facts['items']:,} items by "
        f"{len(facts['annotators']):,} annotators; {facts['audited']:,} rows with a label{missing}, "
        f"{facts['flagged']:,} flagged ({facts['flagged_share']:.1%}).",
        agreement_line(facts),
        f"Estimated share of wrong labels {rate['estimate']:.1%} ({rate['confidence']:.0%} interval {rate['low']:.1%} "
        f"to {rate['high']:.1%}); of the consensus ({facts['settings']['consensus']}) "
        f"{facts['consensus_noise_rate']['estimate']:.1%}.",
        rate["assumption"],
    ]
    if facts["model"] is not None:
        lines.append(f"Judged beside {facts['model']}; it disagrees with {facts['model_error']:.1%} of the consensus.")
    lines += annotator_lines(facts)
    lines += [f"Note: {note}" for note in facts["warnings"]]
    return "\n".join(lines)


def details(facts: Mapping[str, Any]) -> list[str]:
    """What a gate's message adds."""
    return [agreement_line(facts), *annotator_lines(facts)]


def agreement_line(facts: Mapping[str, Any]) -> str:
    """Krippendorff's alpha with its interval."""
    found = facts["agreement"]
    return (
        f"Agreement: Krippendorff's alpha {found['alpha']:.3f} ({found['confidence']:.0%} interval {found['low']:.3f} "
        f"to {found['high']:.3f}) over {found['items']:,} items; {found['observed']:.1%} of pairs of labels agree."
    )


def annotator_lines(facts: Mapping[str, Any]) -> list[str]:
    """The worst annotators, one line."""
    known = [row for row in facts["annotators"] if row["noise_rate"] is not None][:MOST_LINES]
    said = ", ".join(f"{row['annotator']!r} {row['noise_rate']:.1%} of {row['labels']:,} labels" for row in known)
    return [f"Least trusted annotators, with their share of wrong labels: {said}."] if said else []


def fragment(facts: Mapping[str, Any]) -> str:
    """The audit for a notebook."""
    rate = facts["noise_rate"]
    parts = [
        f"<h4>Labels in <code>{escape(facts['label'])}</code> by {len(facts['annotators']):,} annotators</h4>",
        f"<p><b>{facts['flagged']:,}</b> of {facts['audited']:,} rows flagged ({facts['flagged_share']:.1%}). "
        f"Estimated share of wrong labels <b>{rate['estimate']:.1%}</b> ({rate['confidence']:.0%} interval "
        f"{rate['low']:.1%} to {rate['high']:.1%}).</p><p>{escape(agreement_line(facts))}</p>",
        f"<p><small>{escape(rate['assumption'])}</small></p>",
        table(COLUMNS, facts["annotators"]),
        "<p>To label next:</p>",
        table(("item", "consensus", "quality", "labels", "score"), facts["worst"]),
    ]
    parts += [f"<p><small>Note: {escape(note)}</small></p>" for note in facts["warnings"]]
    return "<div class='dqlabels'>" + "".join(parts) + "</div>"
