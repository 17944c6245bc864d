"""From a frame with one class per row, in an order or without, to a :class:`~dqlabels.LabelAudit`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dqlabels.audits.base import Names
from dqlabels.audits.classes.grades import check_grades
from dqlabels.audits.classes.result import LabelAudit
from dqlabels.audits.classes.spelling import Spelling, class_notes
from dqlabels.audits.classes.streamed import check_schema, spark_task, stream_task, streamed_audit
from dqlabels.audits.classes.verdict import judge_classes
from dqlabels.audits.probabilities import (
    MIN_ROWS_PER_CLASS,
    ClassProbabilities,
    Training,
    class_probabilities,
    judged_again,
)
from dqlabels.audits.request import Request
from dqlabels.audits.verdict import ClassVerdict
from dqlabels.frames.class_columns import check_order
from dqlabels.frames.columns import Column, Frame, Labels, read_labels
from dqlabels.frames.look_alikes import class_look_alikes
from dqlabels.frames.outputs import check_outputs, with_columns
from dqlabels.report.evidence import Evidence
from dqlabels.statistics.arrays import RealArray
from dqlabels.statistics.classes import Judgement, model_error

__all__ = ["audit_table", "check_schema", "spark_task", "stream_task", "streamed_audit"]

IntArray = NDArray[np.int64]


def audit_table(request: Request) -> LabelAudit:
    """Audit one label column of a table in memory.

    Raises:
        DQLabelsError: One of its subclasses, by what is wrong.
    """
    request = replace(request, options=request.options.with_defaults_of_compat())
    table, label, options = request.table, request.column, request.options
    labels = read_labels(table, label)
    if request.kind.name == "ordinal":
        check_grades(labels.column, options)
    check_outputs(table, label, options.names)
    probabilities, training = class_probabilities(table, labels, label, options)
    labels = probabilities.labels or labels
    noted = replace(probabilities, notes=(*request.notes, *probabilities.notes))
    again = None if training is None else Again(training, labels)
    return conclude(request, labels, noted, again)


@dataclass(frozen=True, slots=True, eq=False)
class Again:
    """What is needed to judge the same rows under other labels. It is plain data, so that an audit can be pickled."""

    training: Training
    labels: Labels

    def __call__(self, codes: IntArray) -> NDArray[np.bool_]:
        """Which rows (m,) are flagged if they carry these labels (m,)."""
        probs = judged_again(self.training, self.labels, codes)
        return judge_classes(codes, probs, self.training.options).judgement.flagged


def conclude(
    request: Request, labels: Labels, probabilities: ClassProbabilities, again: Again | None = None
) -> LabelAudit:
    """The result that follows from the rows' probabilities.

    Args:
        request: What was asked for.
        labels: The labels of the n rows.
        probabilities: What a model, or the caller, says of each row.
        again: What it takes to judge the rows under other labels, where a model was trained.
    """
    table, options = request.table, request.options
    known = labels.known
    positions = np.flatnonzero(known)
    everyone = positions.size == known.size
    codes = labels.codes if everyone else labels.codes[positions]
    probs = probabilities.probs if everyone else probabilities.probs[positions]
    tiny = (labels.counts > 0) & (labels.counts < MIN_ROWS_PER_CLASS)
    verdict = judge_classes(
        codes, probs, options, frozen_classes=tiny if tiny.any() else None, independent=probabilities.independent
    )
    like = class_look_alikes(labels.classes, labels.counts)
    spelling = Spelling.of(like, labels.counts, MIN_ROWS_PER_CLASS, options)
    verdict = spelling.with_meant(verdict, codes)
    if options.pred_probs is not None:
        likely = probs.argmax(axis=1) if options.task == "ordinal" else verdict.judgement.likely
        check_order(likely, codes, labels, request.column)
    notes = [*probabilities.notes, *class_notes(labels.classes, labels.counts, tiny, like, spelling)]
    if everyone:
        judged = verdict.judgement
        suggested = labels.values(judged.suggested, options.names[1])
        whole = with_columns(table, options.names, judged.quality, suggested, judged.flagged, known)
    else:
        suggestions = np.full(known.size, -1)
        suggestions[~known] = spelling.meant[probabilities.probs[~known].argmax(axis=1)]
        whole = add_columns(table, options.names, verdict.judgement, positions, suggestions, labels.values)
    audit = audit_of(
        request, Labelled(labels, positions, codes, probs), verdict, whole,
        model=probabilities.model, features=probabilities.features, notes=notes,
    )  # fmt: skip
    return replace(audit, again=again)


class Labelled(NamedTuple):
    """The m rows that are judged: their places in the frame, class positions (m,) and probabilities (m, K)."""

    labels: Labels
    positions: IntArray
    codes: IntArray
    probs: RealArray


def audit_of(
    request: Request,
    rows: Labelled,
    verdict: ClassVerdict,
    whole: Frame,
    *,
    model: str,
    features: tuple[str, ...],
    notes: Sequence[str],
) -> LabelAudit:
    """The audit that a verdict on the rows of a frame gives.

    Args:
        request: What was asked for.
        rows: The rows that were judged.
        verdict: What was found of them.
        whole: The frame with three more columns.
        model: What judged, in words.
        features: The columns that the rows were judged by.
        notes: What a reader should know.
    """
    options, found = request.options, verdict.judgement
    evidence = Evidence(
        *rows, found.suggested, found.quality, found.flagged, found.thresholds, found.confident_joint, found.joint,
        verdict.units, ordered=options.task == "ordinal",
        probable=options.compat is None,
    )  # fmt: skip
    return LabelAudit(
        label=request.column,
        frame=request.returned(whole),
        rows=len(whole),
        audited=rows.positions.size,
        flagged=int(found.flagged.sum()),
        model=model,
        model_error=model_error(rows.codes, found.likely),
        warnings=tuple(notes),
        options=options,
        evidence=evidence,
        calibration=verdict.calibration,
        modelled=verdict.calibration.rate,
        table=whole,
        features=features,
        seconds=request.seconds(),
    )


def add_columns(
    table: Frame,
    names: Names,
    verdict: Judgement,
    positions: IntArray,
    suggestions: IntArray,
    column: Callable[[IntArray, str], Column],
) -> Frame:
    """The frame with three more columns; quality and flag are null where a row was not judged.

    Args:
        table: n rows.
        names: Quality, suggestion and flag.
        verdict: On m of the rows.
        positions: (m,) which these are.
        suggestions: (n,) what to suggest where a row was not judged.
        column: Makes a column of suggestions (n,), under a name.
    """
    quality, flag, judged = np.full(len(table), np.nan), np.zeros(len(table), bool), np.zeros(len(table), bool)
    quality[positions], flag[positions], judged[positions] = verdict.quality, verdict.flagged, True
    suggested = suggestions.copy()
    suggested[positions] = verdict.suggested
    return with_columns(table, names, quality, column(suggested, names[1]), flag, judged)
