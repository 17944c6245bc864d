"""Which rows a reviewer sees, in which order, and what the decisions so far say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from dqlabels.errors import OptionError
from dqlabels.frames.columns import ColumnKind, Frame, Labels
from dqlabels.noise.rate import RateData
from dqlabels.noise.reviewed import ReviewAnswers, draw_sample, reviewed_noise, side_of_limit, strata
from dqlabels.report.data import row_data, row_labels
from dqlabels.report.evidence import Evidence, how_sure
from dqlabels.report.explanations import Explanation, Line, explain
from dqlabels.review.answers import FreeAnswers
from dqlabels.review.cells import cell_of, image_type
from dqlabels.review.decisions import UNCLEAR_CODE, Decision
from dqlabels.review.selection import MAX_VALUES_LISTED, QueuedRows
from dqlabels.statistics.arrays import FloatArray, IntArray

SUSPICIOUS = (
    "These rows were chosen because they look wrong, so the share of wrong labels among them is not the noise rate of "
    "the table. Review a sample for that."
)
TOO_FEW = "Review a few more rows for a noise rate: each range of label quality needs one."


class Expectation(TypedDict):
    """Wrong labels to expect among the ``read`` rows that are decided clearly, and among those that are ``left``."""

    decided: float
    read: int
    open: float
    left: int


@dataclass(frozen=True, eq=False)
class ReviewQueue:
    """The rows of an audit to review. ``order`` holds audited positions; ``blind`` hides what the model thinks.

    ``table`` is the caller's table without the columns of the audit, ``kinds`` are its features, and ``how_sure``
    says so of each row in ``order``. ``strata`` (m,) are the strata of the sample; ranking rows by them gives the
    same strata as ranking by quality, in a fraction of the time. ``limit`` is what the noise rate is held against.
    ``probable`` is false where the quality is no probability. Where the labels are no classes ``free`` is what may be
    answered, the classes of the evidence are the texts that are given and suggested, and ``said`` tells of each row why
    it is here.
    """

    evidence: Evidence
    table: Frame
    kinds: Mapping[str, ColumnKind]
    order: IntArray
    how_sure: tuple[str, ...]
    blind: bool
    strata: NDArray[np.int8]
    limit: float | None = None
    probable: bool = True
    free: FreeAnswers | None = None
    said: tuple[str, ...] = ()

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

    @cached_property
    def queued(self) -> QueuedRows:
        """The rows by their values, to choose from."""
        return QueuedRows(self.evidence, self.table, self.order)

    def facets(self) -> dict[str, object]:
        """Return what the rows can be chosen by: their pairs of classes, and columns of few values.

        Rows of a sample come as they were drawn, so they are not chosen from.
        """
        if self.blind:
            return {}
        pairs = self.queued.pairs
        listed = pairs if self.free is None or len(pairs) <= MAX_VALUES_LISTED else []
        return {"pairs": listed, "columns": self.queued.columns}

    def items(self, places: Sequence[int]) -> list[dict[str, object]]:
        """Return the rows at these places of the queue, as the page shows them; each value once."""
        places = [place for place in places if 0 <= place < len(self)]
        if not places:
            return []
        chosen = self.order[places]
        part = self.table[self.evidence.positions[chosen].tolist()]
        values = {name: part[name].to_list() for name in self.queued.names}
        explained_by_classes = not self.blind and self.free is None
        explanations = explain(self.table, self.kinds, self.evidence, chosen) if explained_by_classes else []
        found: list[dict[str, object]] = []
        for at, (place, row) in enumerate(zip(places, chosen.tolist(), strict=True)):
            data: Mapping[str, object] = row_labels(self.evidence, row)
            explained = _explained(explanations[at]) if explanations else set()
            cells = [cell_of(name, column[at]) for name, column in values.items() if name not in explained]
            shown: dict[str, object] = {
                "at": place,
                "row": data["row"],
                "given": data["given"],
                "given_code": data["given_code"],
                "values": cells,
            }
            if explanations:
                data = row_data(self.evidence, row)
                shown |= {**data, "how_sure": self.how_sure[place], "explanation": explanations[at]}
            elif not self.blind:
                shown |= {**data, "how_sure": self.how_sure[place], "said": self.said[place]}
            found.append(shown)
        return found

    def image(self, place: int, name: str) -> tuple[bytes, str] | None:
        """Return the bytes and the media type of an image, None where there is none that a browser shows."""
        if not 0 <= place < len(self) or name not in self.queued.names:
            return None
        (value,) = self.table[name][[int(self.evidence.positions[self.order[place]])]].to_list()
        kind = image_type(value)
        return (bytes(value), kind) if kind else None

    def code_for(self, row: int, verdict: str, code: int) -> int:
        """Return the class that a verdict on a row means, and the one that was chosen where it means none.

        Raises:
            OptionError: The row is not in the queue.
        """
        if row not in self.places:
            raise OptionError(f"Row {row} is not among the rows to review.")
        at = self.order[self.places[row]]
        meant = {"accept": self.evidence.suggested[at], "keep": self.evidence.codes[at], "unclear": UNCLEAR_CODE}
        return int(meant.get(verdict, code))

    def answer_for(self, row: int, verdict: str, code: int, typed: str = "") -> tuple[int, str]:
        """Return the position and the text of the label that a verdict on a row means.

        Args:
            row: Its number in the frame.
            verdict: What was decided.
            code: The class that was chosen, -1 where something else was typed.
            typed: What was typed.

        Raises:
            OptionError: The row is not in the queue.
        """
        meant = self.code_for(row, verdict, code)
        if self.free is None or verdict == "unclear":
            return meant, ""
        listed = 0 <= meant < len(self.evidence.classes)
        return 0, str(self.evidence.classes[meant]) if listed else typed

    def progress(self, standing: Mapping[int, Decision]) -> Mapping[str, object]:
        """Count the decisions by verdict, and estimate the noise rate if the rows are a sample."""
        answers, verdicts = self._answers(standing)
        clear = answers.codes >= 0
        rate, note = self._rate(answers)
        expected = self._expected(answers)
        return {
            "total": len(self),
            "expected": expected,
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
        codes = np.array([self._code_of(one) for one in made], dtype=np.int64)
        waiting = self.order[decided[-1] + 1 if decided else 0 :]
        return ReviewAnswers(self.order[decided], codes, waiting=waiting), [one.verdict for one in made]

    def _code_of(self, decision: Decision) -> int:
        """The class that a decision is for; where the labels are none, one beyond those known for what was typed."""
        if self.free is None or decision.code < 0:
            return decision.code
        return self._places_of_texts.get(decision.label, len(self.evidence.classes))

    @cached_property
    def _places_of_texts(self) -> dict[str, int]:
        return {str(text): place for place, text in enumerate(self.evidence.classes)}

    def _expected(self, answers: ReviewAnswers) -> Expectation | None:
        """How many labels are likely wrong among the rows that are decided, and among those that are open."""
        if self.blind or not self.probable:
            return None
        wrong = 1 - self.evidence.quality
        clear = answers.positions[answers.codes >= 0]
        decided = float(wrong[clear].sum())
        return {
            "decided": decided,
            "read": int(clear.size),
            "open": float(wrong[self.order].sum() - wrong[answers.positions].sum()),
            "left": len(self) - int(answers.positions.size),
        }

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


def suspicious_queue(
    evidence: Evidence, table: Frame, kinds: Mapping[str, ColumnKind], *, probable: bool = True
) -> ReviewQueue:
    """Queue all flagged rows, worst quality first: there a decision most likely changes the label.

    Args:
        evidence: The m audited rows.
        table: The caller's table.
        kinds: Its features.
        probable: Whether the quality is a probability.
    """
    order, sure = evidence.worst()
    nothing = np.empty(0, np.int8)
    return ReviewQueue(evidence, table, kinds, order, tuple(sure), False, nothing, probable=probable)


def text_queue(
    table: Frame,
    label: str,
    answers: FreeAnswers,
    positions: IntArray,
    suggested: Sequence[object],
    quality: FloatArray,
    said: Sequence[str],
) -> ReviewQueue:
    """Queue rows whose labels are no classes, in the order given.

    Args:
        table: The caller's table.
        label: Its label column.
        answers: What may be answered.
        positions: (m,) row numbers, the worst first.
        suggested: (m,) what is suggested in place of their labels.
        quality: (m,) of the labels.
        said: (m,) why each row is here.
    """
    given = [answers.text(value) for value in table[label][positions.tolist()].to_list()]
    wanted = [answers.text(value) for value in suggested]
    texts = tuple(dict.fromkeys([*given, *wanted]))
    places = {text: place for place, text in enumerate(texts)}
    codes, likely = (np.array([places[text] for text in part], dtype=np.int64) for part in (given, wanted))
    nothing, rows = np.empty(0), np.arange(positions.size)
    evidence = Evidence(
        Labels(table[label], codes, texts, np.empty(0, np.int64)), positions, codes, np.empty((positions.size, 0)),
        likely, quality, np.ones(positions.size, dtype=bool), nothing, np.empty((0, 0), np.int64), np.empty((0, 0)),
        nothing,
    )  # fmt: skip
    return ReviewQueue(
        evidence, table, {}, rows, tuple(how_sure(quality)), False, np.empty(0, np.int8), free=answers, said=tuple(said)
    )


def _explained(explanation: Explanation) -> set[str]:
    """The columns that an explanation shows with their values; of a text it shows words alone."""
    return {line["column"] for line in (*explanation["toward"], *explanation["against"]) if not _is_word(line)}


def _is_word(line: Line) -> bool:
    return line["where"] == f"the word {line['value']}"


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
