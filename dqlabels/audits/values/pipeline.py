"""The path from a frame to a :class:`ValueAudit`: the task ``regression``."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dqlabels.audits.options import Options
from dqlabels.audits.probabilities import Training
from dqlabels.audits.request import Request
from dqlabels.audits.values.columns import ValueJudge
from dqlabels.audits.values.evidence import ValueEvidence
from dqlabels.audits.values.features import value_features
from dqlabels.audits.values.picture import Axis, Picture
from dqlabels.audits.values.result import ValueAudit
from dqlabels.audits.values.streamed import spark_task, stream_task, streamed_audit
from dqlabels.audits.values.task import FittedValueTask, ValueColumns, ValueTask, check_values, poor_notes
from dqlabels.engines.task import ArrayBlocks
from dqlabels.frames.columns import Column, Frame, require
from dqlabels.frames.outputs import check_outputs
from dqlabels.frames.sampling import ContentSample
from dqlabels.frames.targets import Targets, read_targets
from dqlabels.models import large
from dqlabels.models.value_rounds import predict_in_rounds
from dqlabels.statistics.arrays import FloatArray
from dqlabels.statistics.plausibility import likeliest_usual
from dqlabels.statistics.residuals import ResidualTally, judge_values

__all__ = ["audit_table", "check_schema", "spark_task", "stream_task", "streamed_audit"]


def audit_table(request: Request) -> ValueAudit:
    """Audit a column of numbers, dates or durations.

    Raises:
        DQLabelsError: One of its subclasses, by what is wrong.
    """
    table, label, options = request.table, request.column, request.options
    require(table, [label], "label")
    check_values(table[label], options)
    targets = read_targets(table, label)
    check_outputs(table, label, options.names)
    training = Training.of(table, label, options)
    alone = training.is_plain and options.embed is None
    judge_rows = _by_sample if alone and len(table) > options.sizes.large_rows else _by_bag
    judge, outputs, model, error, features, more = judge_rows(training, targets, table)
    return audit_of(
        request, targets, judge, outputs, model=model, error=error, features=features, notes=(*request.notes, *more)
    )


def audit_of(
    request: Request,
    targets: Targets,
    judge: ValueJudge,
    outputs: NDArray[np.float64],
    *,
    model: str,
    error: float,
    features: tuple[str, ...],
    notes: tuple[str, ...],
) -> ValueAudit:
    """The audit that a judge of the n rows gives.

    Args:
        request: What was asked for.
        targets: The values of the rows.
        judge: What tells unusual values.
        outputs: (n, 2) what the model predicts of each row, and how far such rows lie apart.
        model: What judged, in words.
        error: How far the model is from the values.
        features: The columns that the rows were judged by.
        notes: What a reader should know.
    """
    table, options, known = request.table, request.options, targets.known
    judgement = judge.judge(targets, outputs[:, 0], outputs[:, 1])
    evidence = ValueEvidence(
        targets, np.flatnonzero(known), judgement.predicted[known], judgement.scores[known], judgement.quality[known],
        judgement.flagged[known], judge, outputs[known], np.flatnonzero(known),
    )  # fmt: skip
    picture = Picture.empty(Axis.of(judge, targets))
    picture.update(judge, targets, judgement)
    whole = judge.add_columns(table, options.names, targets, judgement)
    return ValueAudit(
        label=request.column,
        frame=request.returned(whole),
        rows=len(table),
        audited=evidence.positions.size,
        flagged=int(evidence.flagged.sum()),
        model=model,
        model_error=error,
        warnings=notes,
        options=options,
        evidence=evidence,
        table=whole,
        picture=picture,
        features=features,
        seconds=request.seconds(),
    )


def check_schema(column: Column, options: Options) -> None:
    """Refuse, before any row is read, a column that cannot hold amounts, and options that only classes have."""
    check_values(column, options)


class ModelAnswer(NamedTuple):
    """How to judge a table, by which model: ``outputs`` (n, 2) are the mean and spread of its trees."""

    judge: ValueJudge
    outputs: FloatArray
    model: str
    error: float
    features: tuple[str, ...]
    notes: list[str]


def _by_bag(training: Training, targets: Targets, table: Frame) -> ModelAnswer:
    """A table that is fitted whole."""
    options, rows = training.options, len(table)
    encoder, matrix, notes = value_features(
        training.table, training.label, targets.values, options.features, training.exclude
    )
    answer = predict_in_rounds(
        matrix, targets.values, groups=training.groups, sample_weight=training.sample_weight,
        random_state=options.random_state, n_jobs=options.n_jobs, progress=options.progress,
    )  # fmt: skip
    known, scale = targets.known, answer.scale
    values, spread = targets.values[known], answer.spread[known]
    scaled, tally = scale.apply(values), ResidualTally()
    residuals = scaled - answer.mean[known]
    tally.update(residuals, scaled)
    rule, _ = judge_values(residuals, spread, options.fdr, likeliest_usual(values, residuals, spread, scale))
    if answer.coarse:
        notes.append(
            f"The features tell only {answer.distinct_rows:,} kinds of row apart in {rows:,}: each row is judged "
            "by the others of its kind, so a copy of a row can vouch for it. Add features, or name what repeats in "
            "groups=."
        )
    outputs = np.column_stack([answer.mean, answer.spread])
    notes += poor_notes(tally.error())
    return ModelAnswer(ValueJudge(scale, rule), outputs, answer.model, tally.error(), encoder.names, notes)


class Learned(NamedTuple):
    """What a sample of a table taught, the rule of the table, and ``outputs`` (n, 2) for each of its rows."""

    fitted: FittedValueTask
    rule: ValueColumns
    outputs: NDArray[np.float32]


def learn_by_sample(table: Frame, label: str, values: FloatArray, options: Options) -> Learned:
    """Learn from a sample of a table, which is all of a small one, and judge each of its rows by the rest.

    Args:
        table: n rows.
        label: The column of amounts.
        values: (n,) its amounts, NaN where missing.
        options: What the caller asks for.
    """
    columns = large.sampled_columns(table.columns, label, options.features, options.exclude)
    task = ValueTask.of(label, [table[label]], columns, options)
    sample = ContentSample.empty(task.quotas)
    places = list(large.row_blocks(len(table), options.sizes.block_rows))
    for rows in places:
        block = table[rows].select(*columns, label)
        sample.update(block, task.strata(values[rows]), task.hashes(block, values[rows]))
    fitted = task.learn(sample.finish(), options.n_jobs, options.progress)
    parts = [fitted.judge(fitted.encode(table[at], values[at]), options.n_jobs) for at in places]
    blocks = ArrayBlocks(task.layout, values, np.concatenate(parts))
    return Learned(fitted, fitted.rule(blocks, blocks.reduce(fitted.first, fitted.observe)), blocks.outputs)


def _by_sample(training: Training, targets: Targets, table: Frame) -> ModelAnswer:
    """A large table, by the rule that holds on every engine."""
    learned = learn_by_sample(table, training.label, targets.values, training.options)
    fitted, rule = learned.fitted, learned.rule
    outputs = learned.outputs.astype(np.float64)
    notes = [*fitted.notes, *rule.notes]
    return ModelAnswer(rule.judge, outputs, fitted.model, rule.error, tuple(fitted.columns), notes)
