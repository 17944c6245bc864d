"""From a frame of several annotators' labels to an :class:`AnnotatorAudit`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dqlabels.audits.annotators.findings import Findings
from dqlabels.audits.annotators.reading import Reading, read_long, read_wide, rows_with_items
from dqlabels.audits.annotators.result import AnnotatorAudit
from dqlabels.errors import FeatureError, OptionError
from dqlabels.frames.columns import Frame, Labels
from dqlabels.frames.outputs import check_outputs, to_callers_kind, with_columns
from dqlabels.noise.annotators import annotators_noise, draw_truth
from dqlabels.statistics.active_learning import activelab_scores, scores_without_model
from dqlabels.statistics.agreement import krippendorff_alpha
from dqlabels.statistics.arrays import FloatArray, IntArray
from dqlabels.statistics.classes import model_error
from dqlabels.statistics.consensus import (
    METHODS,
    agreement_with_others,
    best_or,
    crowdlab,
    dawid_skene,
    ibcc,
    majority,
)
from dqlabels.statistics.votes import shares


class Judged(Protocol):
    """Probabilities (N, K) of every item, and how they came about."""

    @property
    def probs(self) -> NDArray[Any]:
        """(N, K), rows sum to 1."""

    @property
    def model(self) -> str:
        """In words."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know."""


# (item rows, their labels, the label's column, columns that judge nothing, rows of the frame taken) -> probabilities
Judge = Callable[[Frame, Labels, str, Sequence[str], IntArray], Judged]


def audit_annotators(
    table: Frame,
    label: str | Sequence[str],
    *,
    lazy: bool,
    annotator: str | None,
    item: str | None,
    consensus: str | None,
    names: tuple[str, str, str],
    random_state: int,
    compat: str | None,
    judge: Judge,
    judge_given: bool,
) -> AnnotatorAudit:
    """Read the votes, find the consensus, and measure annotators, agreement and noise.

    Args:
        table: n rows: an item each (``label`` names J columns) or a label each (with ``annotator`` and ``item``).
        label: The column or columns of the labels.
        lazy: Whether the result's frame is to be lazy.
        annotator: Of a long frame, the column of who gave the label.
        item: Of a long frame, the column of what it was given to.
        consensus: One of ``METHODS``; None for CROWDLAB where there is a feature to judge by, else IBCC.
        names: The three columns to add.
        random_state: Seeds intervals.
        compat: ``"cleanlab"`` for the scores of what to label next as cleanlab 2.9 has them.
        judge: Gives a model's probabilities for a consensus.
        judge_given: Whether the caller asked for a model, features or probabilities, so that doing without is an error.

    Raises:
        DQLabelsError: One of its subclasses, by what is wrong.
    """
    if consensus is not None and consensus not in METHODS:
        raise OptionError(f"consensus={consensus!r} is none of {', '.join(map(repr, METHODS))}.")
    if isinstance(label, str):
        reading = read_long(table, label, annotator, item)
    elif annotator is None and item is None:
        reading = read_wide(table, label)
    else:
        raise OptionError(
            f"label={list(label)!r} names several columns, and annotator= or item= one label a row. Give one or the "
            "other."
        )
    check_outputs(table, reading.title, names)
    judged, skipped = None, ""
    if consensus in (None, "crowdlab"):
        judged, skipped = _judged(table, reading, judge, required=consensus is not None or judge_given)
    elif judge_given:
        raise OptionError(
            f"consensus={consensus!r} looks at the labels alone; features=, model= and pred_probs= go with 'crowdlab'."
        )
    method = consensus or ("ibcc" if judged is None else "crowdlab")
    findings = _findings(reading, method, judged, random_state, compat)
    notes = [*reading.notes, *([skipped] if skipped else []), *(judged.notes if judged is not None else ())]
    settings = {"consensus": method, "random_state": random_state, "compat": compat}
    return _conclude(table, findings, judged, names, settings, tuple(notes), lazy=lazy)


def _judged(table: Frame, reading: Reading, judge: Judge, *, required: bool) -> tuple[Judged | None, str]:
    """The model's probabilities, or why there are none."""
    rows, differing, taken = rows_with_items(reading, table)
    others = [name for name in table.columns if name not in reading.names and name not in differing]
    if not others and not required:
        return None, ""
    labels = Labels(reading.labels.column, majority(reading.votes), reading.labels.classes, reading.labels.first_rows)
    held = [*reading.names[1:], *differing]
    try:
        return judge(rows, labels, reading.names[0], held, taken), ""
    except FeatureError as error:
        if required:
            raise
        return None, f"No model judges beside the annotators: {error}"


def _findings(reading: Reading, method: str, judged: Judged | None, seed: int, compat: str | None) -> Findings:
    votes = reading.votes
    weights, model_weight = None, None
    if judged is not None:
        first = majority(votes, judged.probs)
        averaged = crowdlab(votes, judged.probs, first)
        label = np.where(first >= 0, best_or(averaged.posterior, first), -1)
        found = crowdlab(votes, judged.probs, label)
        posterior, weights, model_weight = found.posterior, found.annotator_weights, found.model_weight
        consensus = np.where(label >= 0, label, judged.probs.argmax(axis=1))
        active = activelab_scores(votes, judged.probs, compat=compat)
    else:
        by_pattern = _by_labels_alone(reading, method)
        posterior = by_pattern[votes.pattern]
        first = majority(votes)
        consensus = first if method == "majority" else np.where(first >= 0, best_or(posterior, first), -1)
        active = scores_without_model(votes, by_pattern, agreement_with_others(votes))
    model = judged.probs.argmax(axis=1) if judged is not None else None
    return Findings(
        reading, posterior, consensus, weights, model_weight, active,
        krippendorff_alpha(votes, random_state=seed), draw_truth(votes, consensus, model=model, random_state=seed),
    )  # fmt: skip


def _by_labels_alone(reading: Reading, method: str) -> FloatArray:
    votes = reading.votes
    if method == "majority":
        return shares(votes.class_counts(), otherwise=1 / votes.n_classes)
    return (dawid_skene if method == "dawid_skene" else ibcc)(votes).posterior


def _conclude(
    table: Frame,
    findings: Findings,
    judged: Judged | None,
    names: tuple[str, str, str],
    settings: dict[str, Any],
    notes: tuple[str, ...],
    *,
    lazy: bool,
) -> AnnotatorAudit:
    reading = findings.reading
    quality, suggested, flagged, judged_rows = findings.row_facts()
    suggestion = findings.values(suggested, names[1])
    whole = with_columns(table, names, quality, suggestion, flagged, judged_rows)
    error = None
    if judged is not None:
        labelled = findings.labels_an_item > 0
        error = model_error(findings.consensus[labelled], judged.probs[labelled].argmax(axis=1))
    return AnnotatorAudit(
        label=reading.title,
        frame=to_callers_kind(whole, lazy=lazy),
        rows=len(table),
        items=reading.votes.n_items,
        labels=reading.votes.item.size,
        audited=int(judged_rows.sum()),
        flagged=int(flagged.sum()),
        noise_rate=annotators_noise(findings.draws),
        agreement=findings.agreement,
        model=judged.model if judged is not None else None,
        model_error=error,
        warnings=notes,
        names=names,
        settings=settings,
        findings=findings,
        table=whole,
    )
