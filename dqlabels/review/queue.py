"""Which rows a reviewer sees, in which order, and what the decisions so far say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dqlabels.errors import OptionError
from dqlabels.frames.columns import ColumnKind, Frame
from dqlabels.noise.rate import RateData
from dqlabels.noise.reviewed import ReviewAnswers, draw_sample, reviewed_noise, side_of_limit, strata
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


@dataclass(frozen=True, eq=False)
class ReviewQueue:
    """The rows of an audit to review. ``order`` holds audited positions; ``blind`` hides what the model thinks.

    ``table`` is the caller's table without the columns of the audit, ``kinds`` are its features, and ``row_kinds`` are
    the kinds of the rows in ``order``. ``strata`` (m,) are the strata of the sample; ranking rows by them gives the
    same strata as ranking by quality, in a fraction of the time. ``limit`` is what the noise rate is held against.
    """

    evidence: Evidence
    table: Frame
    kinds: Mapping[str, ColumnKind]
    order: IntArray
    row_kinds: tuple[str, ...]
    blind: bool
    strata: NDArray[np.int8]
    limit: float | None = None

    def __len__(self) -> int:
        return int(self.order.size)

    @cached_property
    def rows(self) -> list[int]:
        """Row numbers in the frame, in the order of the queue."""
        return [int(row) for row in self.evidence.positions[self.order]]

    @cached_property
    def places(self) -> dict[int, int]:
        """Place in the queue of each row number."""
        return {row: place for place, row in enumerate(self.rows)}

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
        answers, verdicts = self._answers(standing)
        clear = answers.codes >= 0
        rate, note = self._rate(answers)
        return {
            "total": len(self),
            "decided": len(verdicts),
            "unclear": int((~clear).sum()),
            "wrong": int((answers.codes[clear] != self.evidence.codes[answers.positions[clear]]).sum()),
            "accept": verdicts.count("accept"),
            "keep": verdicts.count("keep"),
            "choose": verdicts.count("choose"),
            "rate": rate,
            "finished": answers.finished,
            "note": note,
            "conclusion": self._conclusion(answers, rate),
        }

    def conclude(self, standing: Mapping[int, Decision]) -> str:
        """Say what the sample tells so far: the noise rate, and on which side of the limit it is."""
        answers, _ = self._answers(standing)
        rate, note = self._rate(answers)
        if rate is None:
            return f"{note} {self._conclusion(answers, rate)}".strip()
        interval = f"{rate['confidence']:.0%} interval {rate['low']:.1%} to {rate['high']:.1%}"
        so_far = "" if answers.finished else " so far"
        return f"Noise rate{so_far} {rate['estimate']:.1%} ({interval}). {self._conclusion(answers, rate)}".strip()

    def _answers(self, standing: Mapping[int, Decision]) -> tuple[ReviewAnswers, list[str]]:
        """The decisions on rows of the queue, in its order, and their verdicts."""
        decided = sorted(self.places[row] for row in standing if row in self.places)
        made = [standing[self.rows[place]] for place in decided]
        codes = np.array([one.code for one in made], dtype=np.int64)
        waiting = self.order[decided[-1] + 1 if decided else 0 :]
        return ReviewAnswers(self.order[decided], codes, waiting=waiting), [one.verdict for one in made]

    def _rate(self, answers: ReviewAnswers) -> tuple[RateData | None, str]:
        """The noise rate of a sample with its assumption, or None and why there is none."""
        if not self.blind:
            return None, SUSPICIOUS
        evidence = self.evidence
        try:
            rate = reviewed_noise(self.strata, evidence.codes, len(evidence.classes), answers)
        except OptionError:  # a stratum without an answer
            return None, TOO_FEW
        return rate.to_dict(), rate.assumption

    def _conclusion(self, answers: ReviewAnswers, rate: RateData | None) -> str:
        """Say whether enough rows are read to tell the noise rate from the limit; nothing where there is none."""
        if self.limit is None:
            return ""
        side = side_of_limit(self.strata, self.evidence.codes, answers, rate, self.limit) if rate is not None else ""
        limit = f"the limit of {self.limit:.1%}"
        if side:
            return f"Enough rows read to say: {side} {limit}."
        if answers.finished:
            return f"All rows are read, and the noise rate may be on either side of {limit}: draw a larger sample."
        return f"Not enough rows read to say whether it is above or below {limit}."


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
    evidence: Evidence,
    table: Frame,
    kinds: Mapping[str, ColumnKind],
    *,
    rows: int,
    random_state: int,
    limit: float | None = None,
) -> ReviewQueue:
    """Queue a stratified sample in random order, for a noise rate that assumes nothing; suggestions are not shown.

    Args:
        evidence: The m audited rows.
        table: The caller's table.
        kinds: Its features.
        rows: Number of rows to review.
        random_state: Seeds the draw.
        limit: What the noise rate is held against; default nothing.

    Raises:
        OptionError: ``rows`` is not a positive whole number.
    """
    order = draw_sample(evidence.quality, rows, random_state)
    return ReviewQueue(evidence, table, kinds, order, (), True, strata(evidence.quality).astype(np.int8), limit)


def check_limit(limit: float, sample: int | None) -> None:
    """Raise unless a review of ``sample`` rows can be held against the limit.

    Raises:
        OptionError: There is no sample, or the limit is outside (0, 1).
    """
    if sample is None:
        raise OptionError(
            f"max_noise_rate={limit!r} needs a sample: suspicious rows say nothing about the others. Give sample= too, "
            "the most rows you would read; audit.review_plan(max_noise_rate=...) says how many."
        )
    if not 0 < limit < 1:
        raise OptionError(f"max_noise_rate={limit!r} is not between 0 and 1; for 5% pass 0.05.")
