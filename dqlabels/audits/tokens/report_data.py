"""What the report of labels of tokens shows, as plain values whose size does not grow with the table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dqlabels.audits.tokens.sentences import Sentences
from dqlabels.frames.columns import Column, Frame
from dqlabels.report.data import made_with, quality_histogram
from dqlabels.report.evidence import Evidence
from dqlabels.report.explanations import shown_class
from dqlabels.report.listed_rows import MAX_SAVED_ROWS, MAX_VALUES, ListedRow, Saved, Values, row_values, saved_rows
from dqlabels.report.reading import Lead, ReviewCurve, curve_data, lead_of, reading_words
from dqlabels.report.sections import How, Section, section_of
from dqlabels.report.text import likely_wrong, quality_meaning
from dqlabels.statistics.arrays import BoolArray, FloatArray, IntArray

METHOD = (
    "A sentence is listed if the label of one of its tokens is likely wrong: another class is likelier for it by a "
    "model that did not see the sentence. Its quality is that of its worst token. Tokens are counted from 0."
)
# Tokens in the line of a sentence.
MAX_TOKENS = 4
CLASSES: list[tuple[str, str, How]] = [
    ("class", "Class", "head"),
    ("tokens", "Tokens", "count"),
    ("flagged", "Flagged", "count"),
    ("flagged_share", "Flagged share", "bar"),
    ("noise_rate", "Estimated noise", "rate"),
]
PAIRS: list[tuple[str, str, How]] = [
    ("given", "Given", "head"),
    ("suggested", "Suggested", "text"),
    ("tokens", "Tokens", "count"),
    ("share", "Share of the given class", "bar"),
]


@dataclass(frozen=True, slots=True, eq=False)
class WorstSentences:
    """The flagged sentences ``order`` (s,), the worst first, the quality (n,) of all, and what their tokens show.

    ``words`` (t,) are the tokens, where a column has them.
    """

    sentences: Sentences
    evidence: Evidence
    quality: FloatArray
    order: IntArray
    words: Column | None = None

    @classmethod
    def of(
        cls,
        sentences: Sentences,
        evidence: Evidence,
        quality: FloatArray,
        flagged: BoolArray,
        words: Column | None = None,
    ) -> WorstSentences:
        """Order the flagged sentences.

        Args:
            sentences: n sentences.
            evidence: What was found of their tokens.
            quality: (n,) of each.
            flagged: (n,) true for those to list.
            words: (t,) what the tokens are, where that is known.
        """
        rows = np.flatnonzero(flagged)
        return cls(sentences, evidence, quality, rows[np.argsort(quality[rows], kind="stable")], words)

    def tokens(self, row: int) -> IntArray:
        """Places among the judged tokens of those of a sentence that are flagged."""
        first = int(self.sentences.starts[row])
        places = np.searchsorted(self.evidence.positions, [first, first + int(self.sentences.lengths[row])])
        return np.arange(*places)[self.evidence.flagged[slice(*places)]]

    def named(self, codes: IntArray) -> str:
        """Names of classes, as a page lists them."""
        names = [shown_class(self.evidence.classes[code]) for code in codes[:MAX_TOKENS].tolist()]
        return ", ".join(names) + (", …" if codes.size > MAX_TOKENS else "")

    def found(self, row: int) -> Values:
        """What is wrong with a sentence: each flagged token with its labels, and how likely the suggested one is."""
        shown: Values = []
        for at in self.tokens(row)[:MAX_TOKENS].tolist():
            given, suggested = (
                self.evidence.classes[codes[at]] for codes in (self.evidence.codes, self.evidence.suggested)
            )
            likely = self.evidence.probs[at, self.evidence.suggested[at]]
            token = int(self.evidence.positions[at])
            word = "" if self.words is None else f", {shown_class(self.words[token])}"
            place = token - int(self.sentences.starts[row])
            shown.append(
                (f"token {place}{word}", f"{shown_class(given)} → {shown_class(suggested)}, {likely:.1%} likely")
            )
        return shown


def token_facts(
    summary: Mapping[str, Any],
    worst: WorstSentences,
    curve: Mapping[str, NDArray[np.generic]],
    table: Frame,
    *,
    rows: int,
) -> dict[str, Any]:
    """The summary with what a page draws: what to do, histogram, worst sentences, tables of classes, origin.

    Args:
        summary: As ``TokenAudit.to_dict`` gives it.
        worst: The flagged sentences.
        curve: The columns of the review curve.
        table: The n rows, without what the audit added.
        rows: How many of the worst sentences to list.
    """
    read, evidence = curve_data(curve), worst.evidence
    return {
        **summary,
        "histogram": quality_histogram(evidence.quality, evidence.flagged),
        "review_curve": read,
        "lead": _lead(summary, read),
        "counted": "tokens",
        "listable": summary["flagged"],
        "shown": _listed_rows(worst, table, worst.order[:rows]),
        "saved": _saved(worst, table, worst.order[:MAX_SAVED_ROWS], summary["label"]),
        "sections": _sections(summary),
        "quality_meaning": f"{quality_meaning(summary['settings'])}; tokens are counted",
        "method": METHOD,
        "notes": list(summary["warnings"]),
        "made": made_with(table),
    }


def _lead(summary: Mapping[str, Any], curve: ReviewCurve) -> Lead:
    flagged, others = summary["flagged_tokens"], [f"the {summary['model_error']:.1%} on which the model disagrees"]
    if flagged:
        others.insert(0, f"the {flagged / summary['tokens']:.1%} of tokens that are flagged")
    read = reading_words(curve, flagged, likely_wrong(flagged, summary["expected_wrong"]), what="tokens")
    return lead_of(summary["noise_rate"], others, read)


def _sections(summary: Mapping[str, Any]) -> list[Section]:
    classes = sorted(summary["classes"], key=lambda one: -one["flagged_share"])
    caption = "Classes with the largest flagged share first. Rates are of tokens."
    sections = [section_of("classes", "Which classes", CLASSES, classes, caption=caption)]
    if summary["confusions"]:
        sections.append(section_of("pairs", "Which confusions", PAIRS, summary["confusions"]))
    return sections


def _listed_rows(worst: WorstSentences, table: Frame, order: IntArray) -> list[ListedRow]:
    listed = row_values(table, order, ())
    more = max(len(table.columns) - MAX_VALUES, 0)
    return [
        {
            "row": row,
            "given": worst.named(worst.evidence.codes[worst.tokens(row)]),
            "suggested": worst.named(worst.evidence.suggested[worst.tokens(row)]),
            "quality": float(worst.quality[row]),
            "kind": "",
            "chips": worst.found(row),
            "says": "",
            "values": listed[at],
            "more_values": more,
        }
        for at, row in enumerate(order.tolist())
    ]


def _saved(worst: WorstSentences, table: Frame, order: IntArray, label: str) -> Saved:
    answers = [
        (row, "; ".join(f"{name}: {what}" for name, what in worst.found(row)), f"{worst.quality[row]:.6f}")
        for row in order.tolist()
    ]
    return saved_rows(("row", "found", "label_quality"), answers, table, order, [label])
