"""The path from a frame to a :class:`ValueAudit`: the task ``regression``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dqlabels.errors import FeatureError, OptionError
from dqlabels.frames.columns import Frame, Kind, choose_features
from dqlabels.frames.features import Encoded, FeatureEncoder
from dqlabels.frames.outputs import check_outputs, with_columns
from dqlabels.frames.targets import Targets, read_targets
from dqlabels.kinds import class_options
from dqlabels.regression.bag import ValuePredictions, predict_out_of_bag
from dqlabels.regression.result import POOR, ValueAudit, ValueEvidence
from dqlabels.regression.statistics import ResidualTally, ValueScale, check_fdr, judge_values, residual_scores

# A column whose correlation with the label is within this of 1 is the label in another unit; float32 leaves 1e-14.
COPY = 1e-12

FloatArray = NDArray[np.float64]


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
    _check(given)
    names: tuple[str, str, str] = given["names"]
    targets = read_targets(table, label)
    check_outputs(table, label, names)
    matrix, more = _features(label, targets, given)
    scale = ValueScale.of(targets.values[targets.known])
    scaled = scale.apply(targets.values)
    fit = {key: given[key] for key in ("groups", "sample_weight", "random_state", "n_jobs", "progress")}
    answer = predict_out_of_bag(matrix, scaled, **fit)
    evidence, error = _judge(targets, scale, scaled, answer, given["fdr"])
    notes = [*notes, *more, *_notes(answer, error, len(table))]
    whole = _add_columns(table, names, evidence, targets.possible(scale.undo(answer.mean)))
    return ValueAudit(
        label=label,
        frame=whole.lazy().to_native() if lazy else whole.to_native(),
        rows=len(table),
        audited=evidence.positions.size,
        flagged=int(evidence.flagged.sum()),
        fdr=float(given["fdr"]),
        model=answer.model,
        model_error=error,
        warnings=tuple(notes),
        names=names,
        settings={"task": "regression", "fdr": float(given["fdr"]), "random_state": given["random_state"]},
        evidence=evidence,
        table=whole,
    )


def _check(given: Mapping[str, Any]) -> None:
    check_fdr(given["fdr"])
    if not_of_numbers := class_options(given):
        listed = ", ".join(f"{name}=" for name in not_of_numbers)
        raise OptionError(
            f"{listed} belong to audits of classes; task='regression' judges by its own trees, out of bag. Leave them "
            "out, or audit classes with task='classes'."
        )


def _features(label: str, targets: Targets, given: Mapping[str, Any]) -> tuple[NDArray[np.float32], list[str]]:
    kinds, notes = choose_features(given["seen"], label, given["features"], given["exclude"])
    _, encoded = FeatureEncoder.fit_encode(given["seen"], kinds)
    copies = _copies(encoded, kinds, targets)
    kept = [name for name in kinds if name not in copies]
    if not kept:
        raise FeatureError(
            f"Every feature is a copy of the label {label!r} ({', '.join(map(repr, copies))}), so nothing can "
            "judge it. Add columns that were not derived from the label."
        )
    if copies:
        notes.append(f"Columns {', '.join(map(repr, copies))} copy the label {label!r} and were left out.")
    for name, rows in encoded.infinite.items():
        notes.append(f"Column {name!r}: infinite in {rows:,} rows, treated as missing.")
    return np.hstack([encoded.matrix[:, encoded.blocks[name]] for name in kept]), notes


def _copies(encoded: Encoded, kinds: Mapping[str, Kind], targets: Targets) -> list[str]:
    """Columns that are the label, in its own or in another unit."""
    found = []
    for name, kind in kinds.items():
        if kind not in ("number", "date"):
            continue
        feature = encoded.matrix[:, encoded.blocks[name].start].astype(np.float64)
        both = targets.known & ~np.isnan(feature)
        x, y = feature[both], targets.values[both]
        if x.size > 2 and np.ptp(x) > 0 and np.ptp(y) > 0 and abs(np.corrcoef(x, y)[0, 1]) > 1 - COPY:
            found.append(name)
    return found


def _judge(
    targets: Targets, scale: ValueScale, scaled: FloatArray, answer: ValuePredictions, fdr: float
) -> tuple[ValueEvidence, float]:
    """What was found of the rows with a value, and the model's error."""
    positions = np.flatnonzero(targets.known)
    residuals = scaled[positions] - answer.mean[positions]
    tally, around = ResidualTally(), ResidualTally()
    tally.update(residuals)
    around.update(scaled[positions])  # the median is 0 on the scale
    scores = residual_scores(residuals, answer.spread[positions], tally.finish())
    verdict = judge_values(scores, fdr)
    predicted = targets.possible(scale.undo(answer.mean[positions]))
    # A value that the nearest possible one does not differ from is no issue: nothing better could be suggested.
    flagged = verdict.flagged & (predicted != targets.values[positions])
    error = tally.finish() / around.finish() if around.total else 0.0
    return ValueEvidence(targets, positions, predicted, scores, verdict.p, flagged), error


def _notes(answer: ValuePredictions, error: float, rows: int) -> list[str]:
    notes = []
    if answer.coarse:
        notes.append(
            f"The features tell only {answer.distinct_rows:,} kinds of row apart in {rows:,}: each row is judged by "
            "the others of its kind, so a copy of a row can vouch for it. Add features, or name what repeats in "
            "groups=."
        )
    if error > POOR:
        notes.append(
            f"The features hardly predict this column: the values lie {error:.0%} as far from their prediction as from "
            "the median, so only gross errors can be told. Add features that say more of it."
        )
    return notes


def _add_columns(table: Frame, names: tuple[str, str, str], evidence: ValueEvidence, predicted: FloatArray) -> Frame:
    """The frame with three more columns; a row without a value gets the prediction, no quality and no flag."""
    targets, positions = evidence.targets, evidence.positions
    quality, flag = np.full(len(table), np.nan), np.zeros(len(table), dtype=bool)
    quality[positions], flag[positions] = evidence.quality, evidence.flagged
    changed = np.flatnonzero(flag | ~targets.known)
    suggested = targets.replaced(changed, predicted[changed])
    return with_columns(table, names, quality, suggested, flag, targets.known)
