"""From a frame of several annotators' labels to an :class:`AnnotatorAudit`."""

from __future__ import annotations

import numpy as np

from dqlabels.audits.annotators.findings import Findings
from dqlabels.audits.annotators.reading import Reading, read_long, read_wide, rows_with_items
from dqlabels.audits.annotators.result import AnnotatorAudit
from dqlabels.audits.options import Options
from dqlabels.audits.probabilities import ClassProbabilities, class_probabilities
from dqlabels.audits.request import Request
from dqlabels.errors import FeatureError, OptionError, ProbabilityError
from dqlabels.frames.class_columns import check_order
from dqlabels.frames.columns import Frame, Labels
from dqlabels.frames.look_alikes import look_alike_notes
from dqlabels.frames.outputs import check_outputs, with_columns
from dqlabels.noise.annotators import draw_truth
from dqlabels.statistics.active_learning import activelab_scores, scores_without_model
from dqlabels.statistics.agreement import krippendorff_alpha
from dqlabels.statistics.arrays import FloatArray
from dqlabels.statistics.classes import model_error
from dqlabels.statistics.consensus import (
    agreement_with_others,
    best_or,
    crowdlab,
    dawid_skene,
    ibcc,
    majority,
)
from dqlabels.statistics.votes import shares

JUDGING = ("features", "pred_probs", "model", "cv", "groups", "sample_weight")


def audit_table(request: Request) -> AnnotatorAudit:
    """Read the votes, find the consensus, and measure annotators, agreement and noise.

    The table has one item per row where the label names J columns, and one label per row where ``annotator`` and
    ``item`` name columns.

    Raises:
        DQLabelsError: One of its subclasses, by what is wrong.
    """
    table, label, options = request.table, request.label, request.options
    if isinstance(label, str):
        reading = read_long(table, label, options.annotator, options.item)
    elif options.annotator is None and options.item is None:
        reading = read_wide(table, label)
    else:
        raise OptionError(
            f"label={list(label)!r} names several columns, and annotator= or item= one label per row. Give one or the "
            "other."
        )
    check_outputs(table, reading.title, options.names)
    # Doing without a model is an error where the caller asked for one.
    model_options = options.not_default(JUDGING)
    probabilities, skipped = None, ""
    if options.consensus in (None, "crowdlab"):
        required = options.consensus is not None or bool(model_options)
        probabilities, skipped = _model_probabilities(table, reading, options, required=required)
    elif model_options:
        raise OptionError(
            f"consensus={options.consensus!r} looks at the labels alone; features=, model= and pred_probs= go with "
            "'crowdlab'."
        )
    method = options.consensus or ("ibcc" if probabilities is None else "crowdlab")
    findings = _findings(reading, method, probabilities, options.random_state, options.compat)
    alike = look_alike_notes(reading.labels.classes, reading.class_rows)
    notes = [*reading.notes, *alike, *([skipped] if skipped else [])]
    if probabilities is not None:
        notes += probabilities.notes
    return _conclude(request, findings, probabilities, options.changed(consensus=method), (*request.notes, *notes))


def _model_probabilities(
    table: Frame, reading: Reading, options: Options, *, required: bool
) -> tuple[ClassProbabilities | None, str]:
    """Return the model's probabilities for every item, or the reason why there are none."""
    rows, differing, positions = rows_with_items(reading, table)
    others = [name for name in table.columns if name not in reading.names and name not in differing]
    if not others and not required:
        return None, ""
    labels = Labels(reading.labels.column, majority(reading.votes), reading.labels.classes, reading.labels.first_rows)
    excluded = [*reading.names[1:], *differing]
    try:
        found = class_probabilities(rows, labels, reading.names[0], options, excluded, positions)[0]
    except FeatureError as error:
        if required:
            raise
        return None, f"No model judges beside the annotators: {error}"
    if found.labels is not None and len(found.labels.classes) > len(labels.classes):
        unused = [value for value in found.labels.classes if value not in labels.classes]
        raise ProbabilityError(
            f"pred_probs has columns for {', '.join(map(repr, unused[:10]))}, which no annotator gave. Drop the "
            "columns and rescale the rest to sum to 1."
        )
    if options.pred_probs is not None and np.isfinite(found.probs).all():
        check_order(found.probs[labels.known].argmax(axis=1), labels.codes[labels.known], labels, reading.names[0])
    return found, ""


def _findings(
    reading: Reading, method: str, probabilities: ClassProbabilities | None, seed: int, compat: str | None
) -> Findings:
    votes = reading.votes
    weights, model_weight = None, None
    if probabilities is not None:
        first = majority(votes, probabilities.probs)
        averaged = crowdlab(votes, probabilities.probs, first)
        label = np.where(first >= 0, best_or(averaged.posterior, first), -1)
        crowd = crowdlab(votes, probabilities.probs, label)
        posterior, weights, model_weight = crowd.posterior, crowd.annotator_weights, crowd.model_weight
        consensus = np.where(label >= 0, label, probabilities.probs.argmax(axis=1))
        active = activelab_scores(votes, probabilities.probs, compat=compat)
    else:
        by_pattern = _by_labels_alone(reading, method)
        posterior = by_pattern[votes.pattern]
        first = majority(votes)
        consensus = first if method == "majority" else np.where(first >= 0, best_or(posterior, first), -1)
        active = scores_without_model(votes, by_pattern, agreement_with_others(votes))
    model = probabilities.probs.argmax(axis=1) if probabilities is not None else None
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
    request: Request,
    findings: Findings,
    probabilities: ClassProbabilities | None,
    options: Options,
    notes: tuple[str, ...],
) -> AnnotatorAudit:
    table, names, reading = request.table, options.names, findings.reading
    quality, suggested, flagged, judged = findings.row_facts()
    suggestion = findings.values(suggested, names[1])
    whole = with_columns(table, names, quality, suggestion, flagged, judged)
    error = None
    if probabilities is not None:
        labelled = findings.labels_an_item > 0
        error = model_error(findings.consensus[labelled], probabilities.probs[labelled].argmax(axis=1))
    return AnnotatorAudit(
        label=reading.title,
        frame=request.returned(whole),
        rows=len(table),
        items=reading.votes.n_items,
        labels=reading.votes.item.size,
        audited=int(judged.sum()),
        flagged=int(flagged.sum()),
        agreement=findings.agreement,
        model=probabilities.model if probabilities is not None else None,
        model_error=error,
        warnings=notes,
        options=options,
        findings=findings,
        table=whole,
        seconds=request.seconds(),
    )
