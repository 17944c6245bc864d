"""What an audit of any kind says row by row, for the results and failure cases of the test suites."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dqlabels.audits.annotators.result import AnnotatorAudit
from dqlabels.audits.classes.result import LabelAudit
from dqlabels.audits.tags.result import MultilabelAudit
from dqlabels.audits.values.result import ValueAudit
from dqlabels.report.evidence import plain

IntArray = NDArray[np.int64]
Mask = NDArray[np.bool_]
Values = Callable[[IntArray], list[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class AuditedRows:
    """The m rows that an audit judged.

    ``positions`` (m,) are their numbers in the frame, ``quality`` (m,), ``rank`` (m,) lowest for the worst, and
    ``suspect`` (m,) true for the rows to list. ``given`` and ``suggested`` take positions among the m and answer with
    plain values; ``concerning`` gives the suspect rows (m,) that a class, a pair, an annotator or a tag is about.
    """

    positions: IntArray
    quality: NDArray[np.float64]
    rank: NDArray[Any]
    suspect: Mask
    given: Values
    suggested: Values
    concerning: Callable[[Iterable[Any]], Mask]

    def worst_first(self, chosen: Mask) -> IntArray:
        """Positions among the m of the chosen rows (m,)."""
        found = np.flatnonzero(chosen)
        return found[np.argsort(self.rank[found], kind="stable")]


@singledispatch
def audited_rows(audit: Any) -> AuditedRows:
    """The rows of an audit; reads its arrays, and of its table the columns of labels and suggestions alone."""
    raise TypeError(f"{type(audit).__name__} is no audit")


@audited_rows.register
def _of_classes(audit: LabelAudit) -> AuditedRows:
    found = audit.evidence

    def concerning(parts: Iterable[Any]) -> Mask:
        rows = np.zeros_like(found.flagged)
        for part in parts:
            given, *suggested = (found.classes.index(value) for value in (part if isinstance(part, tuple) else [part]))
            rows |= (found.codes == given) & (not suggested or found.suggested == suggested[0])
        return found.flagged & rows

    return AuditedRows(
        found.positions, found.quality, found.quality, found.flagged,
        lambda at: [plain(found.classes[code]) for code in found.codes[at].tolist()],
        lambda at: [plain(found.classes[code]) for code in found.suggested[at].tolist()],
        concerning,
    )  # fmt: skip


@audited_rows.register
def _of_numbers(audit: ValueAudit) -> AuditedRows:
    found = audit.evidence
    # The p-values of the very worst may all be 0; their scores still tell them apart.
    order = np.lexsort((-np.abs(found.scores), found.quality))
    rank = np.empty(order.size, dtype=np.int64)
    rank[order] = np.arange(order.size)
    return AuditedRows(
        found.positions, found.quality, rank, found.flagged, _column(audit, audit.label, found.positions),
        _column(audit, audit.names[1], found.positions), lambda _: found.flagged,
    )  # fmt: skip


@audited_rows.register
def _of_annotators(audit: AnnotatorAudit) -> AuditedRows:
    """Every row with a label that is not the consensus is suspect, few as they may be among its labels."""
    found, names = audit.findings, audit.findings.reading.names
    quality, _, _, judged = found.row_facts()
    positions = np.flatnonzero(judged)
    columns = [_column(audit, name, positions) for name in names]

    def given(at: IntArray) -> list[Any]:
        rows = zip(*(column(at) for column in columns), strict=True)
        return [dict(zip(names, row, strict=True)) for row in rows]

    def concerning(parts: Iterable[Any]) -> Mask:
        return _dissent(audit, [found.reading.annotators.index(part) for part in parts])[judged]

    return AuditedRows(
        positions, quality[judged], quality[judged],
        _dissent(audit, range(len(found.reading.annotators)))[judged],
        given, _column(audit, audit.names[1], positions), concerning,
    )  # fmt: skip


def _dissent(audit: AnnotatorAudit, annotators: Iterable[int]) -> Mask:
    """(n,) true for rows of the frame with a label by one of these that is not the consensus of its item."""
    found = audit.findings
    votes, reading = found.reading.votes, found.reading
    wrong = (votes.code != found.consensus[votes.item]) & np.isin(votes.who, list(annotators))
    rows = np.zeros(audit.rows, dtype=bool)
    # A row of a wide frame is an item; of a long one each row with a label is a vote, in the order of the rows.
    at = votes.item if reading.given is None else np.flatnonzero(reading.given >= 0)
    rows[at[wrong]] = True
    return rows


@audited_rows.register
def _of_tags(audit: MultilabelAudit) -> AuditedRows:
    tags, verdict = audit.evidence.tags, audit.evidence.verdict
    positions = np.flatnonzero(tags.known)
    quality = verdict.row_quality[positions]

    def listed(has: Mask) -> list[Any]:
        return [[plain(tags.values[tag]) for tag in np.flatnonzero(row)] for row in has]

    def concerning(parts: Iterable[Any]) -> Mask:
        return np.asarray(verdict.flagged[positions][:, [tags.values.index(part) for part in parts]].any(axis=1))

    return AuditedRows(
        positions, quality, quality, verdict.row_flagged[positions],
        lambda at: listed(tags.codes[positions[at]] == 1),
        lambda at: listed(audit.evidence.suggested()[positions[at]]),
        concerning,
    )  # fmt: skip


def _column(audit: Any, name: str, positions: IntArray) -> Values:
    return lambda at: [plain(value) for value in audit.table[name][positions[at].tolist()].to_list()]
