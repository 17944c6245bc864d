"""From a frame with several labels per row to a :class:`MultilabelAudit`."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np

from dqlabels.audits.options import Options
from dqlabels.audits.probabilities import Training, probability_columns
from dqlabels.audits.request import Request
from dqlabels.audits.tags.result import MultilabelAudit, TagEvidence
from dqlabels.audits.tags.tags import Tags, read_tags
from dqlabels.audits.tags.verdict import TagVerdict, judge_tags, likely_wrong_tags
from dqlabels.errors import OptionError, ProbabilityError
from dqlabels.frames.class_columns import check_contradiction, classes_by_name
from dqlabels.frames.columns import Frame, choose_features
from dqlabels.frames.features import Encoded, FeatureEncoder, without_leaks
from dqlabels.frames.look_alikes import look_alike_notes
from dqlabels.frames.outputs import check_outputs, dtype_of_lists, with_columns
from dqlabels.models.out_of_sample import OutOfSample, out_of_sample
from dqlabels.statistics.arrays import FloatArray

if TYPE_CHECKING:
    from narwhals.typing import IntoDType

# Beyond rounding.
SLACK = 1e-6


def audit_table(request: Request) -> MultilabelAudit:
    """Judge every tag of every row by a model that did not see the row, or by given probabilities.

    Raises:
        DQLabelsError: One of its subclasses, by what is wrong.
    """
    request = replace(request, options=request.options.with_defaults_of_compat())
    table, options = request.table, request.options
    tags = read_tags(table, request.label)
    check_outputs(table, tags.title, options.names)
    if options.pred_probs is not None:
        tags = with_unused_tags(table, tags, options.pred_probs, options.classes)
        probs, model, notes = _given_probs(table, tags, options.pred_probs, options.classes)
    else:
        if options.classes is not None:
            raise OptionError("classes= names the columns of pred_probs=, which was not given.")
        models = learn_tags(table, tags, options)
        probs, model, notes = models.probs, models.name, [*models.notes]
    alike = {} if options.compat else tags.like
    evidence = TagEvidence(tags, probs, _judged(tags, probs, options), alike)
    check_judged(evidence)
    return audit_of(request, evidence, model, (*notes, *tag_notes(tags)))


def check_judged(evidence: TagEvidence) -> None:
    """Refuse tags of which none can be judged.

    Raises:
        OptionError: Each is on every row or on none.
    """
    if not evidence.judged.any():
        raise OptionError("No label can be judged: each is on every row or on none.")


def audit_of(request: Request, evidence: TagEvidence, model: str, notes: Sequence[str]) -> MultilabelAudit:
    """Return the audit that follows from what was found.

    Args:
        request: What was asked for.
        evidence: What was found.
        model: What judged the tags, in words.
        notes: What a reader should know.
    """
    table, options = request.table, request.options
    tags, verdict = evidence.tags, evidence.verdict
    whole = _with_columns(table, evidence, options.names)
    known = (tags.codes >= 0) & ~np.isnan(verdict.quality)
    return MultilabelAudit(
        label=tags.title,
        frame=request.returned(whole),
        rows=len(table),
        audited=int(tags.known.sum()),
        flagged=int(verdict.row_flagged.sum()),
        model=model,
        model_error=float(((evidence.probs >= 0.5) != (tags.codes == 1))[known].mean()),
        warnings=(*request.notes, *notes),
        options=options,
        evidence=evidence,
        table=whole,
        seconds=request.seconds(),
    )


def _judged(tags: Tags, probs: FloatArray, options: Options) -> TagVerdict:
    if options.compat is None:
        return likely_wrong_tags(tags.codes, probs, options, tags.like)
    return judge_tags(
        tags.codes, probs, filter_by=options.filter_by, score=options.score, adjust=options.adjust,
        compat=options.compat, n_threads=options.n_jobs,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class TagModels:
    """A model for each of L tags, and what they say of n rows.

    ``probs`` (n, L) are those of each tag, out of sample; ``answers`` (L,) what was learned of each, None where it is
    on every row or on none. ``seen`` is the table with its media as vectors, ``encoded`` its rows by the ``encoder``.
    """

    probs: FloatArray
    answers: tuple[OutOfSample | None, ...]
    encoder: FeatureEncoder
    encoded: Encoded
    seen: Frame
    notes: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name shown to users."""
        names = [answer.model for answer in self.answers if answer is not None]
        return f"{names[-1]}, a model per tag" if names else "no model: no tag varies"


def learn_tags(table: Frame, tags: Tags, options: Options, *, keep_model: bool = False) -> TagModels:
    """Train a model for each tag, and judge every row by what was trained without it.

    Args:
        table: n rows.
        tags: Their tags.
        options: What the caller asks for.
        keep_model: Whether the models are to judge other rows later.

    Raises:
        FeatureError: No feature is left, or one cannot be used.
        ModelError: A model cannot be fitted.
    """
    training = Training.of(table, tags.columns[0], options, tags.columns[1:])
    seen = training.table
    kinds, notes = choose_features(seen, tags.columns[0], options.features, training.exclude)
    encoder, encoded = FeatureEncoder.fit_encode(seen, kinds)
    encoder, encoded, leaks = without_leaks(encoder, encoded, kinds, tags.codes, f"a tag of {tags.title!r}")
    probs, answers = np.empty(tags.codes.shape), list[OutOfSample | None]()
    for tag, codes in enumerate(tags.codes.T):
        present = np.unique(codes[codes >= 0])
        if present.size < 2:  # all or none of the rows: nothing to learn, nothing to judge
            probs[:, tag] = present[0] if present.size else 0.0
            answers.append(None)
            continue
        answer = out_of_sample(
            encoded.matrix, np.ascontiguousarray(codes), 2, model=options.model, cv=options.cv, groups=training.groups,
            sample_weight=training.sample_weight, random_state=options.random_state, n_jobs=options.n_jobs,
            progress=options.progress, keep_model=keep_model,
        )  # fmt: skip
        probs[:, tag] = answer.probs[:, 1]
        answers.append(answer)
    return TagModels(probs, tuple(answers), encoder, encoded, seen, (*notes, *leaks))


def with_unused_tags(table: Frame, tags: Tags, pred_probs: Any, classes: Sequence[object] | None) -> Tags:
    """The tags of lists, with those that have a probability column but that no list holds.

    Args:
        table: n rows.
        tags: The L tags that the lists hold.
        pred_probs: Names of its columns, a frame's columns, or an array.
        classes: The tag of each column, where the names do not say it.
    """
    if tags.lists is None:
        return tags
    probs, columns = probability_columns(table, pred_probs)
    named = classes if classes is not None else classes_by_name(tags.values, columns, probs.shape[-1])
    unused = [value for value in named or () if value not in tags.values]
    if not unused or len(set(named or ())) != probs.shape[-1]:
        return tags
    absent = np.where(tags.known, 0, -1)[:, None] * np.ones((1, len(unused)), dtype=np.int64)
    return replace(tags, codes=np.hstack([tags.codes, absent]), values=(*tags.values, *unused))


def _given_probs(
    table: Frame, tags: Tags, pred_probs: Any, classes: Sequence[object] | None
) -> tuple[FloatArray, str, list[str]]:
    probs, columns = probability_columns(table, pred_probs)
    probs = probs.astype(np.float64, copy=False)
    n, n_tags = tags.codes.shape
    if probs.shape != (n, n_tags):
        raise ProbabilityError(
            f"pred_probs has shape {probs.shape}; one row for each of the {n:,} rows and one column for each of the "
            f"{n_tags} labels ({', '.join(map(repr, tags.values[:20]))}) are needed. Columns of further labels are "
            "named in classes=."
        )
    listed = _tags_of(tags, columns, classes)
    if sorted(map(repr, listed)) != sorted(map(repr, tags.values)):
        raise ProbabilityError(
            f"Which label each of the {n_tags} probability columns stands for is not known. Say it in their order, as "
            f"in classes={list(tags.values)[:20]!r}."
        )
    bad = ~np.isfinite(probs) | (probs < -SLACK) | (probs > 1 + SLACK)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise ProbabilityError(
            f"pred_probs: {int(bad.sum()):,} values are no probabilities (row {row}, label {listed[column]!r}: "
            f"{probs[row, column]}). Pass probabilities in [0, 1]; for logits apply the logistic function first."
        )
    order = [listed.index(value) for value in tags.values]
    return np.clip(probs[:, order], 0, 1), f"your probabilities ({n_tags} labels)", []


def _tags_of(tags: Tags, columns: Sequence[Hashable], classes: Sequence[object] | None) -> list[object]:
    """The tag of each probability column, as the caller says, by its name, or by the order of the label columns."""
    if classes is not None:
        check_contradiction(classes, columns, tags.values)
        return list(classes)
    named = classes_by_name(tags.values, columns, len(tags.values)) if columns else None
    if named is not None:
        return named
    return list(tags.values) if tags.lists is None else []


def tag_notes(tags: Tags) -> list[str]:
    """Name the tags that look alike, and those that cannot be judged, since every row or no row has them."""
    notes = look_alike_notes(tags.values, tags.rows)
    for number, words in ((0, "no row"), (1, "every row")):
        other = [
            repr(value)
            for value, codes in zip(tags.values, tags.codes.T, strict=True)
            if (codes >= 0).any() and (codes[codes >= 0] == number).all()
        ]
        if other:
            notes.append(f"Labels {', '.join(other[:10])}: {words} has them, so they cannot be judged.")
    return notes


def _with_columns(table: Frame, evidence: TagEvidence, names: tuple[str, str, str]) -> Frame:
    tags, verdict = evidence.tags, evidence.verdict
    backend = table.implementation
    if tags.lists is None:
        dtype: IntoDType | None = nw.Object() if backend.is_pandas_like() else nw.List(nw.String)
    else:
        dtype = dtype_of_lists(table[tags.columns[0]].dtype, tags.values)
    suggested = nw.new_series(names[1], evidence.suggested_lists(), dtype, backend=backend)
    return with_columns(table, names, verdict.row_quality, suggested, verdict.row_flagged, tags.known)
