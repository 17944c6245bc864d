"""An auditor of several labels per row: a model, thresholds and P(wrong) by score for each tag of a trusted table."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from dqlabels.audits.classes.verdict import judge_classes
from dqlabels.audits.options import Options
from dqlabels.audits.probabilities import MIN_ROWS_PER_CLASS
from dqlabels.audits.request import Request
from dqlabels.audits.tags.pipeline import TagModels, audit_of, check_judged, learn_tags, tag_notes
from dqlabels.audits.tags.result import MultilabelAudit, TagEvidence
from dqlabels.audits.tags.tags import Tags, read_batch_flags, read_batch_tags, read_tags
from dqlabels.audits.tags.verdict import TagVerdict, likely_wrong_tags, never_missing
from dqlabels.audits.trusted.drift import Baseline, Drift, Shift, error_shift, share_shift
from dqlabels.audits.trusted.fitted import (
    FittedRows,
    batch_matrix,
    batch_notes,
    batch_probs,
    correction,
    embedded_columns,
    measured_batch,
    rows_of_each,
    trusted_tally,
    trusted_zero,
)
from dqlabels.audits.trusted.saved_classes import check_classes
from dqlabels.audits.verdict import ClassVerdict
from dqlabels.errors import LabelColumnError, OptionError
from dqlabels.frames.features import FeatureEncoder
from dqlabels.frames.look_alikes import class_look_alikes, new_class_notes
from dqlabels.frames.media import Embedding
from dqlabels.frames.outputs import check_outputs
from dqlabels.models.forest import FittedModel
from dqlabels.noise.increase import DoubtSums, Measured, Zero
from dqlabels.noise.probability import WrongProbability
from dqlabels.statistics.arrays import FloatArray, IntArray
from dqlabels.statistics.classes import ClassTally

# What is kept of the noise rate of the trusted rows.
RATE_KEYS = ("estimate", "low", "high", "supported", "caution")


@dataclass(frozen=True, slots=True, eq=False)
class FittedTag:
    """What judges one tag, whose classes are no and yes.

    ``tally`` holds the trusted rows and self-confidence of both, so their thresholds; ``wrong`` is P(wrong) by score,
    and ``zero`` what increases of the noise rate are measured from, beginning at ``noise_rate``.
    """

    model: FittedModel
    fitted_rows: FittedRows
    tally: ClassTally
    wrong: WrongProbability
    zero: Zero
    noise_rate: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class FittedTags:
    """All that judging a batch of several labels per row needs.

    ``values`` (L,) are the tags that can be judged, and ``tags`` (L,) what judges each; ``encoder`` makes the features
    of all, after the columns in ``embed`` were turned into vectors. ``rows`` were fitted, and ``baseline`` is how their
    features were spread; files of earlier versions lack it. ``flags`` where the tags are yes/no columns of these names.
    """

    label: str
    values: tuple[Hashable, ...]
    tags: tuple[FittedTag, ...]
    encoder: FeatureEncoder
    embed: Mapping[str, Embedding]
    rows: int
    settings: Mapping[str, Any]
    names: tuple[str, str, str]
    baseline: Baseline | None = None
    flags: bool = False

    @cached_property
    def zero(self) -> Zero:
        """What increases of the share of wrong answers are measured from: no and yes to each tag."""
        return Zero.beside([tag.zero for tag in self.tags])

    @property
    def columns(self) -> str | list[str]:
        """The label column, or the yes/no columns."""
        return [str(value) for value in self.values] if self.flags else self.label

    @property
    def class_names(self) -> tuple[str, ...]:
        """What no and yes to each tag are called in messages."""
        return tuple(f"{word} {value}" for value in self.values for word in ("without", "with"))

    @property
    def tag_rows(self) -> IntArray:
        """(L,) trusted rows that have each tag."""
        return np.array([tag.tally.rows[1] for tag in self.tags])

    @property
    def wrong_share(self) -> float:
        """The share of the trusted rows' answers that is estimated to be wrong."""
        rows = np.array([tag.tally.rows.sum() for tag in self.tags])
        return float(np.average([tag.noise_rate["estimate"] for tag in self.tags], weights=rows))

    @property
    def model(self) -> str:
        """Name of the models, shown to users."""
        return f"{self.tags[0].model.name} on {self.rows:,} trusted rows, a model per tag"


def fit_tags(request: Request) -> tuple[FittedTags, tuple[str, ...]]:
    """Learn from a trusted table, and return what a reader should know of it.

    Raises:
        OptionError: An option that several labels per row do not have, or no tag that can be judged.
        DQLabelsError: As an audit of the same table.
    """
    table, options = request.table, request.options
    if options.not_default(["sample_rows"]):
        raise OptionError("sample_rows= is for one class per row. Leave it out, or fit on a sample of the rows.")
    tags = read_tags(table, request.label)
    check_classes(tags.title, tags.values)
    check_outputs(table, tags.title, options.names)
    models = learn_tags(table, tags, options, keep_model=True)
    evidence = TagEvidence(tags, models.probs, likely_wrong_tags(tags.codes, models.probs, options, tags.like))
    check_judged(evidence)
    judged = np.flatnonzero(evidence.judged).tolist()
    embed = embedded_columns(table, models.seen, options.embed or {})
    fitted = FittedTags(
        tags.title,
        tuple(tags.values[tag] for tag in judged),
        tuple(_fitted_tag(tag, evidence, models) for tag in judged),
        models.encoder,
        {name: how for name, how in embed.items() if name in models.encoder.names},
        int(tags.known.sum()),
        {name: getattr(options, name) for name in MultilabelAudit.settled},
        options.names,
        Baseline.of(models.encoded.matrix, models.encoder),
        tags.lists is None,
    )
    return fitted, (*request.notes, *models.notes, *tag_notes(tags))


def _fitted_tag(tag: int, evidence: TagEvidence, models: TagModels) -> FittedTag:
    answer, calibration = models.answers[tag], evidence.verdict.calibrations[tag]
    if answer is None or answer.fitted is None or calibration is None:
        raise OptionError("The auditor trained no model, so it has nothing to judge batches by.")
    codes, matrix, seen = np.ascontiguousarray(evidence.tags.codes[:, tag]), models.encoded.matrix, answer.seen
    known = codes >= 0
    return FittedTag(
        answer.fitted,
        FittedRows.of(matrix[seen], codes[seen], answer.probs[seen].astype(float), by_label=answer.coarse),
        trusted_tally(codes[known], answer.probs[known], 2),
        calibration.probability,
        trusted_zero(codes, answer, matrix),
        {name: getattr(calibration.rate, name) for name in RATE_KEYS},
    )


def tag_options(fitted: FittedTags, n_jobs: int | None) -> Options:
    """Return the options of a batch's audit: those of the fit, with the number of threads asked for now."""
    return Options(task="multilabel", names=fitted.names, n_jobs=n_jobs, **fitted.settings)


def judge_tags_batch(fitted: FittedTags, request: Request, *, keep_new: bool) -> MultilabelAudit:
    """The audit of a batch's n rows by what was fitted; nothing is trained.

    Args:
        fitted: What was learned.
        request: The batch.
        keep_new: Whether tags that are not known are left unjudged; otherwise they are refused.

    Raises:
        LabelColumnError: No tag that can be judged, or one that is refused.
        FeatureError: Columns that are not there or not what they were.
    """
    table, options = request.table, request.options
    tags = (
        read_batch_flags(table, fitted.values) if fitted.flags else read_batch_tags(table, fitted.label, fitted.values)
    )
    check_outputs(table, fitted.label, fitted.names)
    unknown = _unknown_note(fitted, tags)
    if unknown and not keep_new:
        raise LabelColumnError(f"Column {fitted.label!r}: {unknown} Or pass new_classes='keep' to leave them unjudged.")
    encoded = batch_matrix(fitted, table)
    probs: FloatArray = (tags.codes == 1).astype(np.float64)
    found, parts, copied = list[ClassVerdict | None](), list[Measured](), 0
    alike = class_look_alikes(fitted.values, fitted.tag_rows)
    for at, (tag, codes) in enumerate(zip(fitted.tags, tags.codes.T, strict=False)):
        both, copies = batch_probs(tag, encoded.matrix, codes, options.n_jobs)
        probs[:, at], copied = both[:, 1], max(copied, copies)
        measured = measured_batch(tag, encoded.matrix, codes, options.n_jobs)
        verdict = _judged(tag, codes, both, options, measured)
        parts += [] if measured is None else [measured]
        found.append(never_missing(verdict, codes[codes >= 0]) if at in alike else verdict)
    found += [None] * (len(tags.values) - len(found))
    evidence = TagEvidence(tags, probs, TagVerdict.of(tags.codes, found, np.nan), alike)
    new = tags.rows[len(fitted.values) :]
    notes = [unknown, *new_class_notes(fitted.values, fitted.tag_rows, tags.values[len(fitted.values) :], new)]
    together = Measured.beside(parts)
    features = fitted.baseline.shifts(encoded.matrix, fitted.encoder) if fitted.baseline is not None else []
    profile = {"noise_rate": {"estimate": fitted.wrong_share}}
    drift = Drift(profile, (*_tag_shifts(fitted, together), *features), fitted.zero, together)
    said = (*filter(None, notes), *batch_notes(encoded, copied), *drift.notes())
    return replace(audit_of(request, evidence, fitted.model, said), moved=drift)


def _tag_shifts(fitted: FittedTags, measured: Measured) -> list[Shift]:
    """The models' error, and the share of rows that have each tag, against those of the trusted rows."""
    before, now = fitted.zero.sums, measured.sums
    shifts = [error_shift(before.error, int(before.rows.sum()), now.error, int(now.rows.sum()))]
    for value, (old, new) in zip(fitted.values, zip(_no_and_yes(before), _no_and_yes(now), strict=True), strict=True):
        shares = [float(rows[1]) / max(int(rows.sum()), 1) for rows in (old, new)]
        known = [int(rows.sum()) for rows in (old, new)]
        shifts.append(share_shift(str(value), shares[0], known[0], shares[1], known[1], len(fitted.values)))
    return shifts


def _no_and_yes(sums: DoubtSums) -> IntArray:
    """(L, 2) rows without and with each tag."""
    return sums.rows.reshape(-1, 2)


def _judged(
    tag: FittedTag, codes: IntArray, probs: FloatArray, options: Options, measured: Measured | None
) -> ClassVerdict:
    """What is found of the rows (n,) whose answer is known, by the trusted thresholds."""
    rows = np.flatnonzero(codes >= 0)
    rare = tag.tally.rows < MIN_ROWS_PER_CLASS
    return judge_classes(
        codes[rows], probs[rows], options, frozen_classes=rare if rare.any() else None, trusted=tag.tally,
        shape=tag.wrong,
        corrected=correction(tag, None if measured is None else measured.sums, np.bincount(codes[rows], minlength=2)),
    )  # fmt: skip


def _unknown_note(fitted: FittedTags, tags: Tags) -> str:
    """What a reader should know of tags that the auditor cannot judge; empty where there are none."""
    others = tags.values[len(fitted.values) :]
    if not others:
        return ""
    listed = rows_of_each(others, (tags.codes[:, len(fitted.values) :] == 1).sum(axis=0))
    return (
        f"Labels the auditor cannot judge: {listed}. They stay where they are given, and quality and flag are of the "
        "other labels. Fit again on data in which some rows have them and some do not."
    )
