"""From a frame with a list of labels per row, one for each token, to a :class:`~dqlabels.TokenAudit`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import narwhals as nw
import numpy as np

from dqlabels.audits.options import DEFAULTS, Options
from dqlabels.audits.probabilities import MIN_ROWS_PER_CLASS, ClassProbabilities
from dqlabels.audits.request import Request
from dqlabels.audits.tokens.probabilities import token_probabilities
from dqlabels.audits.tokens.result import TokenAudit
from dqlabels.audits.tokens.sentences import MAX_NAMED, Sentences
from dqlabels.audits.tokens.verdict import TokenVerdict, any_of_each, corrected, judge_tokens, worst_of_each
from dqlabels.frames.class_columns import check_order
from dqlabels.frames.columns import Labels
from dqlabels.frames.look_alikes import look_alike_notes
from dqlabels.frames.outputs import check_outputs, dtype_of_lists, with_columns
from dqlabels.report.evidence import Evidence
from dqlabels.statistics.arrays import IntArray
from dqlabels.statistics.classes import model_error
from dqlabels.statistics.spans import broken_spans, span_tags


def audit_table(request: Request) -> TokenAudit:
    """Judge every token of every sentence by a model that did not see the sentence, or by given probabilities.

    Raises:
        DQLabelsError: One of its subclasses, by what is wrong.
    """
    request = replace(request, options=_with_defaults_of_compat(request.options))
    table, label, options = request.table, request.column, request.options
    check_outputs(table, label, options.names)
    judged = token_probabilities(table, label, options)
    sentences, answers = judged.sentences, judged.answers
    labels = answers.labels or sentences.labels
    known = np.flatnonzero(labels.known)
    codes, probs, rows = labels.codes[known], answers.probs[known], sentences.rows[known]
    verdict = judge_tokens(codes, probs, rows, options)
    if options.pred_probs is not None:
        check_order(verdict.tokens.judgement.likely, codes, labels, label)
    broken = _broken(labels, codes, rows)
    sentences = replace(sentences, labels=labels)
    return _audit_of(request, sentences, answers, verdict, known, broken)


def _with_defaults_of_compat(options: Options) -> Options:
    """The options, with the score by which cleanlab ranks tokens where its numbers are asked for."""
    if options.compat is not None and options.score == DEFAULTS["score"]:
        options = options.changed(score="self_confidence")
    return options.with_defaults_of_compat()


def _broken(labels: Labels, codes: IntArray, rows: IntArray) -> IntArray:
    tags = span_tags(labels.classes)
    return np.empty(0, dtype=np.int64) if tags is None else np.flatnonzero(broken_spans(tags, codes, rows))


def _audit_of(
    request: Request,
    sentences: Sentences,
    answers: ClassProbabilities,
    verdict: TokenVerdict,
    known: IntArray,
    broken: IntArray,
) -> TokenAudit:
    """The result that follows from what was found of the m tokens ``known``, of which some are ``broken``."""
    table, options, found = request.table, request.options, verdict.tokens.judgement
    labels, rows = sentences.labels, sentences.rows[known]
    codes, probs = labels.codes[known], answers.probs[known]
    evidence = Evidence(
        labels, known, codes, probs, found.suggested, found.quality, found.flagged, found.thresholds,
        found.confident_joint, found.joint, verdict.tokens.units, probable=options.compat is None,
    )  # fmt: skip
    quality = worst_of_each(found.quality, rows, len(table))
    flagged, judged = any_of_each(found.flagged, rows, len(table)), ~np.isnan(quality)
    lists = _suggested(sentences, evidence, answers.probs.argmax(axis=1))
    dtype = dtype_of_lists(table[request.column].dtype, labels.classes)
    suggested = nw.new_series(options.names[1], lists, dtype, backend=table.implementation)
    whole = with_columns(table, options.names, quality, suggested, flagged, judged)
    notes = [*request.notes, *answers.notes, *_notes(sentences, evidence, options)]
    return TokenAudit(
        label=request.column,
        frame=request.returned(whole),
        rows=len(table),
        audited=int(judged.sum()),
        flagged=int(flagged.sum()),
        model=answers.model,
        model_error=model_error(codes, found.likely),
        warnings=tuple(notes),
        options=options,
        evidence=evidence,
        calibration=verdict.tokens.calibration,
        effect=verdict.effect,
        sentences=sentences,
        broken=broken,
        table=whole,
        features=answers.features if options.pred_probs is None else (),
        seconds=request.seconds(),
    )


def _suggested(sentences: Sentences, evidence: Evidence, likely: IntArray) -> list[list[Any] | None]:
    """The labels that each sentence should have; of one without labels the likeliest class (t,) of each token."""
    lists, starts, classes = corrected(sentences, evidence), sentences.starts, evidence.labels.classes
    for row in np.flatnonzero(~sentences.labelled & (sentences.lengths > 0)).tolist():
        own = likely[starts[row] : starts[row] + sentences.lengths[row]]
        lists[row] = [classes[code] for code in own.tolist()]
    return lists


def _notes(sentences: Sentences, evidence: Evidence, options: Options) -> list[str]:
    """What a reader should know of the classes and the sentences."""
    labels, rows = sentences.labels, evidence.class_rows
    notes = _look_alikes(labels, rows)
    alone = [repr(value) for value, n in zip(labels.classes, rows.tolist(), strict=True) if 0 < n < MIN_ROWS_PER_CLASS]
    if alone and options.compat is None:
        notes.append(f"Classes with a single token cannot be judged and are never flagged: {', '.join(alone[:10])}.")
    empty = np.flatnonzero(sentences.labelled & (sentences.lengths == 0))
    if empty.size:
        named = ", ".join(map(str, empty[:MAX_NAMED].tolist())) + (", …" if empty.size > MAX_NAMED else "")
        notes.append(f"{empty.size:,} sentences have no tokens, so there is nothing to judge: rows {named}.")
    nulls = np.flatnonzero((labels.codes < 0) & sentences.labelled[sentences.rows])
    if nulls.size:
        notes.append(f"{nulls.size:,} tokens have no label and were left out: {sentences.names(nulls)}.")
    return notes


def _look_alikes(labels: Labels, rows: IntArray) -> list[str]:
    """Name the classes that look alike; of tags of spans the spans, since B-LOC and I-LOC are two classes."""
    tags = span_tags(labels.classes)
    if tags is None:
        return look_alike_notes(labels.classes, rows)
    inside = tags.kinds >= 0
    counts = np.bincount(tags.kinds[inside], weights=rows[inside], minlength=len(tags.names))
    return look_alike_notes(tags.names, counts.astype(np.int64))
