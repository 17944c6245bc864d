"""Which rows a reviewer sees, in which order, and what the decisions so far say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dqlabels.errors import OptionError
from dqlabels.frames.columns import ColumnKind, Frame
from dqlabels.noise.rate import RateData
from dqlabels.noise.reviewed import ReviewAnswers, draw_sample, reviewed_noise, strata
from dqlabels.report.data import row_data
from dqlabels.report.evidence import Evidence
from dqlabels.report.explanations import explain, shown_value
from dqlabels.review.decisions import Decision
from dqlabels.statistics.arrays import IntArray

MAX_VALUE_LENGTH = 2_000
MAX_COLUMNS = 200
SUSPICIOUS = (
    "These rows were chosen because they look wrong, so the share of wrong labels among them is not the noise rate of "
    "the table. Review a sample for that."
)
TOO_FEW = "Review a few more rows for a noise rate: each range of label quality needs one."


@dataclass(frozen=True, slots=True, eq=False)
class ReviewQueue:
    """The rows of an audit to review. ``order`` holds audited positions; ``blind`` hides what the model thinks.

    ``table`` is the caller's table without the columns of the audit, ``kinds`` are its features, and ``row_kinds`` are
    the kinds of the rows in ``order``. ``strata`` (m,) are the strata of the sample; ranking rows by them gives the
    same strata as ranking by quality, in a fraction of the time.
    """

    evidence: Evidence
    table: Frame
    kinds: Mapping[str, ColumnKind]
    order: IntArray
    row_kinds: tuple[str, ...]
    blind: bool
    strata: NDArray[np.int8]

    def __len__(self) -> int:
        return int(self.order.size)

    def items(self, start: int, count: int) -> list[dict[str, object]]:
        """Return the rows ``start`` to ``start + count`` of the queue, as the page shows them."""
        chosen = self.order[max(start, 0) : max(start, 0) + count]
        if not chosen.size:
            return []
        part = self.table[self.evidence.positions[chosen].tolist()]
        names = [name for name in part.columns if name != self.evidence.labels.column.name][:MAX_COLUMNS]
        values = {name: [shown_value(v, max_length=MAX_VALUE_LENGTH) for v in part[name].to_list()] for name in names}
        explanations = [] if self.blind else explain(self.table, self.kinds, self.evidence, chosen)
        found: list[dict[str, object]] = []
        for at, row in enumerate(chosen.tolist()):
            data, place = row_data(self.evidence, row), max(start, 0) + at
            blind: dict[str, object] = {
                "at": place,
                "row": data["row"],
                "given": data["given"],
                "given_code": data["given_code"],
                "values": [(name, values[name][at]) for name in names],
            }
            if self.blind:
                found.append(blind)
            else:
                found.append({**blind, **data, "kind": self.row_kinds[place], "explanation": explanations[at]})
        return found

    def progress(self, standing: Mapping[int, Decision]) -> Mapping[str, object]:
        """Count the decisions by verdict, and estimate the noise rate if the rows are a sample."""
        made = [standing[row] for row in sorted(standing)]
        places = np.searchsorted(self.evidence.positions, np.array([one.row for one in made], dtype=np.int64))
        here = np.isin(places, self.order)
        made, places = [one for one, inside in zip(made, here, strict=True) if inside], places[here]
        codes = np.array([one.code for one in made], dtype=np.int64)
        clear = codes >= 0
        verdicts = [one.verdict for one in made]
        rate, note = self._rate(places, codes)
        return {
            "total": len(self),
            "decided": len(made),
            "unclear": int((~clear).sum()),
            "wrong": int((codes[clear] != self.evidence.codes[places[clear]]).sum()),
            "accept": verdicts.count("accept"),
            "keep": verdicts.count("keep"),
            "choose": verdicts.count("choose"),
            "rate": rate,
            "note": note,
        }

    def _rate(self, places: IntArray, codes: IntArray) -> tuple[RateData | None, str]:
        """The noise rate of a sample with its assumption, or None and why there is none."""
        if not self.blind:
            return None, SUSPICIOUS
        evidence = self.evidence
        try:
            answers = ReviewAnswers(places, codes)
            rate = reviewed_noise(self.strata, evidence.codes, len(evidence.classes), answers)
        except OptionError:  # a stratum without an answer
            return None, TOO_FEW
        return rate.to_dict(), rate.assumption


def suspicious_queue(evidence: Evidence, table: Frame, kinds: Mapping[str, ColumnKind]) -> ReviewQueue:
    """Queue all flagged rows: clear errors first, worst quality first, and ambiguous rows last.

    A decision most likely changes the label where the model is sure of another class.
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
    """Queue a stratified sample in random order, for a noise rate that assumes nothing; suggestions are not shown.

    Args:
        evidence: The m audited rows.
        table: The caller's table.
        kinds: Its features.
        rows: Number of rows to review.
        random_state: Seeds the draw.

    Raises:
        OptionError: ``rows`` is not a positive whole number.
    """
    order = draw_sample(evidence.quality, rows, random_state)
    return ReviewQueue(evidence, table, kinds, order, (), True, strata(evidence.quality).astype(np.int8))
