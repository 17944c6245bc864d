"""The path from a frame to a :class:`ValueAudit`: the task ``regression``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dqlabels.audits.values.columns import ValueJudge
from dqlabels.audits.values.evidence import ValueEvidence
from dqlabels.audits.values.features import value_features
from dqlabels.audits.values.picture import Axis, Picture
from dqlabels.audits.values.result import ValueAudit
from dqlabels.audits.values.task import ValueTask, check_values, poor_notes
from dqlabels.engines.task import ArrayBlocks
from dqlabels.frames.columns import Frame, require
from dqlabels.frames.outputs import check_outputs, to_callers_kind
from dqlabels.frames.sampling import ContentSample
from dqlabels.frames.targets import Targets, read_targets
from dqlabels.models import large
from dqlabels.models.value_forest import predict_out_of_bag
from dqlabels.statistics.arrays import FloatArray
from dqlabels.statistics.residuals import ResidualTally, ValueScale, check_fdr, judge_values


def audit_values(table: Frame, label: str, *, given: Mapping[str, Any], lazy: bool, notes: list[str]) -> ValueAudit:
    """Audit a column of numbers, dates or durations.

    Args:
        table: n rows.
        label: The column.
        given: The options of :func:`dqlabels.audit`, with ``groups`` and ``sample_weight`` as (n,) values; ``seen``
            is the table with its media embedded.
        lazy: Whether the frame came lazily and goes back so.
        notes: What a reader should know beforehand.

    Raises:
        DQLabelsError: One of its subclasses, by what is wrong.
    """
    require(table, [label], "label")
    check_fdr(given["fdr"])
    check_values(table[label], given)
    names: tuple[str, str, str] = given["names"]
    targets = read_targets(table, label)
    check_outputs(table, label, names)
    alone = given["groups"] is None and given["sample_weight"] is None and given["embed"] is None
    judged = _by_sample if alone and len(table) > large.LARGE_ROWS else _by_bag
    judge, said, model, error, features, more = judged(table, targets, label, given)
    found = judge.judge(targets, said[:, 0], said[:, 1])
    known = targets.known
    evidence = ValueEvidence(
        targets, np.flatnonzero(known), found.predicted[known], found.scores[known], found.quality[known],
        found.flagged[known], judge, said[known], np.flatnonzero(known),
    )  # fmt: skip
    picture = Picture.empty(Axis.of(judge, targets))
    picture.update(judge, targets, found)
    whole = judge.add_columns(table, names, targets, found)
    return ValueAudit(
        label=label,
        frame=to_callers_kind(whole, lazy=lazy),
        rows=len(table),
        audited=evidence.positions.size,
        flagged=int(evidence.flagged.sum()),
        fdr=float(given["fdr"]),
        model=model,
        model_error=error,
        warnings=(*notes, *more),
        names=names,
        settings={"task": "regression", "fdr": float(given["fdr"]), "random_state": given["random_state"]},
        evidence=evidence,
        table=whole,
        picture=picture,
        features=features,
    )


# The judge, mean and spread (n, 2), the model and its error, the features, and notes.
Judged = tuple[ValueJudge, FloatArray, str, float, tuple[str, ...], list[str]]


def _by_bag(table: Frame, targets: Targets, label: str, given: Mapping[str, Any]) -> Judged:
    """A table that is fitted whole."""
    encoder, matrix, notes = value_features(given["seen"], label, targets.values, given["features"], given["exclude"])
    known = targets.known
    scale = ValueScale.of(targets.values[known])
    scaled = scale.apply(targets.values)
    fit = {key: given[key] for key in ("groups", "sample_weight", "random_state", "n_jobs", "progress")}
    answer = predict_out_of_bag(matrix, scaled, **fit)
    residuals, tally = scaled[known] - answer.mean[known], ResidualTally()
    tally.update(residuals, scaled[known])
    rule, _ = judge_values(residuals, answer.spread[known], given["fdr"])
    if answer.coarse:
        notes.append(
            f"The features tell only {answer.distinct_rows:,} kinds of row apart in {len(table):,}: each row is judged "
            "by the others of its kind, so a copy of a row can vouch for it. Add features, or name what repeats in "
            "groups=."
        )
    said = np.column_stack([answer.mean, answer.spread])
    notes += poor_notes(tally.error())
    return ValueJudge(scale, rule), said, answer.model, tally.error(), tuple(encoder.names), notes


def _by_sample(table: Frame, targets: Targets, label: str, given: Mapping[str, Any]) -> Judged:
    """A large table, by the rule that holds on every engine."""
    columns = large.sampled_columns(table.columns, label, given["features"], given["exclude"])
    learning = {name: given[name] for name in ("features", "exclude", "random_state")}
    task = ValueTask.of(label, [table[label]], columns, given["names"], learning, given["fdr"])
    sample = ContentSample.empty(task.quotas)
    for rows in large.row_blocks(len(table)):
        block, values = table[rows].select(*columns, label), targets.values[rows]
        sample.update(block, task.strata(values), task.hashes(block, values))
    learnt = task.learn(sample.finish(), given["n_jobs"], given["progress"])
    parts = [learnt.judge(table[at], targets.values[at], given["n_jobs"]) for at in large.row_blocks(len(table))]
    blocks = ArrayBlocks(task.kept, targets.values, np.concatenate(parts))
    ruled = learnt.rule(blocks, blocks.reduce(learnt.first, learnt.observe))
    said = blocks.outputs.astype(np.float64)
    return ruled.judge, said, learnt.model, ruled.error, tuple(learnt.columns), [*learnt.notes, *ruled.notes]
