"""Which rows a reviewer sees, in which order, and what the answers so far say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dqlabels.errors import OptionError
from dqlabels.frames.columns import ColumnKind, Frame
from dqlabels.noise.reviewed import ReviewAnswers, draw_sample, reviewed_noise, strata
from dqlabels.report.data import row_data
from dqlabels.report.evidence import Evidence
from dqlabels.report.explanations import explain, shown_value
from dqlabels.review.decisions import Decision

IntArray = NDArray[np.int64]

MAX_VALUE_LENGTH = 2_000
MAX_COLUMNS = 200
SUSPICIOUS = (
    "These rows were chosen because they look wrong, so the share that is wrong among them is not the noise rate of "
    "the table. Review a sample for that."
)
TOO_FEW = "Answer a few more rows for a noise rate: every part of the table's qualities needs one."


@dataclass(frozen=True, slots=True, eq=False)
class ReviewQueue:
    """Rows to review of an audit: ``order`` holds audited positions, ``blind`` hides what the model thinks.

    ``table`` is the caller's, without the audit's columns; ``kinds`` are the features. ``strata`` (m,) are those of the
    sample: ranked by them the rows fall into the same strata as by quality, in a fraction of the time.
    """

    evidence: Evidence
    table: Frame
    kinds: Mapping[str, ColumnKind]
    order: IntArray
    row_kinds: tuple[str, ...]
    blind: bool
    strata: NDArray[Any]

    def __len__(self) -> int:
        return int(self.order.size)

    def items(self, start: int, count: int) -> list[dict[str, Any]]:
        """Rows ``start`` to ``start + count`` of the queue as the page shows them."""
        chosen = self.order[max(start, 0) : max(start, 0) + count]
        if not chosen.size:
            return []
        part = self.table[self.evidence.positions[chosen].tolist()]
        names = [name for name in part.columns if name != self.evidence.labels.column.name][:MAX_COLUMNS]
        values = {name: [shown_value(v, max_length=MAX_VALUE_LENGTH) for v in part[name].to_list()] for name in names}
        explanations = [] if self.blind else explain(self.table, self.kinds, self.evidence, chosen)
        found = []
        for at, row in enumerate(chosen.tolist()):
            facts = row_data(self.evidence, row)
            shown = {"row": facts["row"], "given": facts["given"], "given_code": facts["given_code"]}
            if not self.blind:
                shown = {**facts, "kind": self.row_kinds[max(start, 0) + at], "explanation": explanations[at]}
            found.append({"at": max(start, 0) + at, **shown, "values": [[n, values[n][at]] for n in names]})
        return found

    def progress(self, standing: Mapping[int, Decision]) -> dict[str, Any]:
        """How far the review is: counts by verdict, rows found wrong, and the noise rate where it is a sample."""
        made = [standing[row] for row in sorted(standing)]
        places = np.searchsorted(self.evidence.positions, np.array([one.row for one in made], dtype=np.int64))
        here = np.isin(places, self.order)
        made, places = [one for one, inside in zip(made, here, strict=True) if inside], places[here]
        codes = np.array([one.code for one in made], dtype=np.int64)
        clear = codes >= 0
        counts = {verdict: sum(one.verdict == verdict for one in made) for verdict in ("accept", "keep", "choose")}
        return {
            "total": len(self),
            "decided": len(made),
            "unclear": int((~clear).sum()),
            "wrong": int((codes[clear] != self.evidence.codes[places[clear]]).sum()),
            **counts,
            **self._rate(places, codes),
        }

    def _rate(self, places: IntArray, codes: IntArray) -> dict[str, Any]:
        if not self.blind:
            return {"rate": None, "note": SUSPICIOUS}
        evidence = self.evidence
        try:
            answers = ReviewAnswers(places, codes)
            rate = reviewed_noise(self.strata, evidence.codes, len(evidence.classes), answers)
        except OptionError:  # a stratum without an answer
            return {"rate": None, "note": TOO_FEW}
        said = {"estimate": rate.estimate, "low": rate.low, "high": rate.high, "confidence": rate.confidence}
        return {"rate": said, "note": rate.assumption}


def suspicious_queue(evidence: Evidence, table: Frame, kinds: Mapping[str, ColumnKind]) -> ReviewQueue:
    """All flagged rows by expected gain: clear errors first, worst quality first, ambiguous rows last.

    Where the model is sure of another class, the answer most likely changes a label.
    """
    order, row_kinds = evidence.worst()
    ambiguous = np.array([kind == "ambiguous" for kind in row_kinds], dtype=bool)
    ranked = np.argsort(ambiguous, kind="stable")
    return ReviewQueue(
        evidence, table, kinds, order[ranked], tuple(row_kinds[at] for at in ranked), False, np.empty(0, np.int8)
    )


def sample_queue(
    evidence: Evidence, table: Frame, kinds: Mapping[str, ColumnKind], *, rows: int, random_state: int
) -> ReviewQueue:
    """A stratified sample in random order, for a noise rate without an assumption; the suggestion is not shown.

    Raises:
        OptionError: ``rows`` is not a positive whole number.
    """
    order = draw_sample(evidence.quality, rows, random_state)
    return ReviewQueue(evidence, table, kinds, order, (), True, strata(evidence.quality).astype(np.int8))
