"""The one path from a frame to a :class:`LabelAudit`."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from dqlabels.audits.classes.grades import judge_grades
from dqlabels.audits.classes.result import LabelAudit
from dqlabels.audits.kinds import check_grades, kind_of_label
from dqlabels.audits.tasks import SEVERAL, audit_task, choose_task, streamed_task
from dqlabels.audits.values.pipeline import audit_values
from dqlabels.audits.values.result import ValueAudit
from dqlabels.engines.memory import judge
from dqlabels.errors import LabelWarning, OptionError, ProbabilityError
from dqlabels.frames.class_columns import check_order, column_order
from dqlabels.frames.columns import (
    AUDIT_COLUMNS,
    Frame,
    Labels,
    as_list,
    choose_features,
    read_labels,
    require,
    row_values,
)
from dqlabels.frames.features import Encoded, FeatureEncoder, without_leaks
from dqlabels.frames.media import Embedding, embed_columns
from dqlabels.frames.outputs import check_outputs, to_callers_kind, with_columns
from dqlabels.frames.reading import read_frame
from dqlabels.models import large
from dqlabels.models.boosting import is_worth_boosting
from dqlabels.models.halves import HalvesModel, answer_of, fit_halves
from dqlabels.models.out_of_sample import FOLDS, OutOfSample, out_of_sample
from dqlabels.noise.methods import default_noise
from dqlabels.progress import ProgressOption
from dqlabels.report.evidence import Evidence
from dqlabels.statistics.classes import FILTERS, SCORES, Judgement, check_block, model_error
from dqlabels.statistics.residuals import FDR

FEWEST_ROWS_A_CLASS = 2

Audited = TypeVar("Audited", LabelAudit, ValueAudit)


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Probabilities (n, K) of every row, out of sample where it has a label, and how they came about.

    Where a model was trained: the fitted ``encoder``, what it made of the rows, and the model's ``answer``.
    """

    probs: NDArray[Any]
    model: str
    notes: tuple[str, ...]
    features: tuple[str, ...]
    encoder: FeatureEncoder | None = None
    encoded: Encoded | None = None
    answer: OutOfSample | None = None


def audit(
    frame: Any,
    label: str | Sequence[str],
    *,
    task: str | None = None,
    annotator: str | None = None,
    item: str | None = None,
    consensus: str | None = None,
    features: Sequence[str] | None = None,
    exclude: Iterable[str] = (),
    embed: Mapping[str, Embedding] | None = None,
    pred_probs: Sequence[str] | NDArray[Any] | None = None,
    classes: Sequence[Any] | None = None,
    model: Any = None,
    cv: Any = None,
    groups: str | NDArray[Any] | None = None,
    sample_weight: str | NDArray[Any] | None = None,
    filter_by: str = "prune_by_noise_rate",
    score: str = "normalized_margin",
    adjust: bool = False,
    fdr: float = FDR,
    names: tuple[str, str, str] = AUDIT_COLUMNS,
    compat: str | None = None,
    sample_rows: int | None = None,
    random_state: int = 0,
    n_jobs: int | None = None,
    progress: ProgressOption = None,
) -> LabelAudit:
    """Audit one label column.

    Args:
        frame: pandas or Polars DataFrame, Polars LazyFrame (collected here), or PyArrow table; n rows.
        label: The column that holds the given labels; rows where it is missing are kept, not estimated from. A list
            of columns: the labels of several annotators, or with ``task="multilabel"`` a yes/no column a tag.
        task: ``"classes"``, ``"ordinal"`` for classes whose order counts, ``"regression"`` for numbers, dates and
            durations, ``"annotators"`` or ``"multilabel"``; default by the label: one column is one class a row, or
            numbers where it holds many fractional ones, or ordinal where it is an ordered pandas categorical;
            several columns are annotators, a column of lists is multilabel.
        annotator: Of a frame with a row a label, the column that says who gave it.
        item: Of such a frame, the column that says what it was given to.
        consensus: Of several annotators: ``"crowdlab"`` (default where there are features), ``"ibcc"``,
            ``"dawid_skene"`` or ``"majority"``.
        features: Columns to judge by; default all others. Identifiers and copies of the label are left out.
        exclude: Columns not to judge by.
        embed: Columns to turn into vectors first: name to ``"image"`` (bytes or paths of files), or to a callable
            that takes the values present and gives (m, d) numbers, as a sentence-embedding model's ``encode``.
        pred_probs: Your own out-of-sample probabilities, as K column names or an (n, K) array; then no
            model is trained.
        classes: The class of each probability column, K of them, in the order of the columns.
        model: A classifier with scikit-learn's interface, cross-validated; default bagged extra-trees judged
            out of bag.
        cv: Folds for ``model``: a number, a scikit-learn splitter, or ``"time"``.
        groups: Column name or (n,) values; rows of one group are never on both sides of a split.
        sample_weight: Column name or (n,) non-negative weights for fitting.
        filter_by: The rule that flags rows, one of ``dqlabels.statistics.classes.FILTERS``.
        score: The label quality, one of ``dqlabels.statistics.classes.SCORES``.
        adjust: Subtract each class's mean confidence before scoring, so that hard classes are not all low.
        fdr: Of numbers: the expected share of right values among the flagged, in (0, 1).
        names: The three columns to add: quality, suggestion, flag.
        compat: ``"cleanlab"`` reproduces cleanlab 2.9 where it departs from the paper.
        sample_rows: Of a table of more than 200,000 rows: how many of them the model is fitted on, by default 200,000.
        random_state: Seeds every random choice; the global generators are left alone.
        n_jobs: Threads; the answer does not depend on it.
        progress: Show progress: True, False, a callable ``(done, total)``, or None to decide by the work.

    Returns:
        The audit; ``.frame`` is the caller's frame, same type, rows and index, with three more columns. Several
        annotators give an :class:`~dqlabels.audits.annotators.result.AnnotatorAudit`, several labels a row a
        :class:`~dqlabels.audits.tags.result.MultilabelAudit`, numbers a :class:`dqlabels.ValueAudit`, with the same
        verbs.

    Raises:
        DQLabelsError: One of its subclasses, by what is wrong: the label column, the features, the
            probabilities, an output column that exists, an option, or the model.

    Source: Northcutt, Jiang & Chuang (2021), JAIR 70:1373-1411, for the flags and scores.

    >>> import polars as pl
    >>> labels = ["low"] * 20 + ["high"] + ["low"] * 29 + ["high"] * 50
    >>> frame = pl.DataFrame({"x": [i / 10 for i in range(100)], "y": labels})
    >>> audit(frame, "y").issues["row"].to_list()
    [20]
    """
    started = time.monotonic()
    check_options(filter_by, score, compat, names, random_state)
    given: dict[str, Any] = {"model": model, "cv": cv, "groups": groups, "sample_weight": sample_weight}
    given |= {"features": features, "exclude": exclude, "pred_probs": pred_probs, "classes": classes}
    given |= {"filter_by": filter_by, "score": score, "adjust": adjust, "names": names, "compat": compat}
    given |= {"embed": embed, "random_state": random_state, "n_jobs": n_jobs, "progress": progress}
    given |= {"sample_rows": sample_rows}
    if isinstance(label, str) and (streamed := streamed_task(frame, label, task, annotator, item)):
        from dqlabels.audits.values.streamed import report_task_lazily

        if (found := report_task_lazily(frame, label, task=streamed, fdr=fdr, **given)) is not None:
            return found
    lazy, table = read_frame(frame)
    chosen = choose_task(table, label, task, annotator=annotator, item=item, consensus=consensus)
    if chosen in SEVERAL or not isinstance(label, str):
        given |= {"exclude": as_list(exclude), "annotator": annotator, "item": item, "consensus": consensus}
        other: LabelAudit = audit_task(chosen, table, label, given, _judge_items, lazy=lazy)
        return _warned(other)
    kind, asked = kind_of_label(table, label, task, given)
    if kind == "regression":
        numbers: LabelAudit = _audit_numbers(table, label, {**given, "fdr": fdr}, asked, lazy=lazy)  # its sibling
        return numbers
    labels = read_labels(table, label)
    if kind == "ordinal":
        check_grades(labels.column, score, adjust=adjust, compat=compat)
    check_outputs(table, label, names)
    if pred_probs is not None:
        judged = _given_probs(table, labels, label, pred_probs, classes)
    else:
        if classes is not None:
            raise OptionError("classes= names the columns of pred_probs=, which was not given.")
        fit = {name: given[name] for name in ("model", "cv", "sample_rows", "random_state", "n_jobs", "progress")}
        fit |= {name: row_values(table, given[name], name) for name in ("groups", "sample_weight")}
        held = [name for name in (groups, sample_weight) if isinstance(name, str)]
        seen = embed_columns(table, embed, [label, *as_list(exclude)])
        judged = model_probs(seen, labels, label, features, [*as_list(exclude), *held], fit)
    settings = {"filter_by": filter_by, "score": score, "adjust": adjust, "compat": compat}
    settings |= {"random_state": random_state, "task": kind}
    judged = replace(judged, notes=(*asked, *judged.notes))
    again = None
    if pred_probs is None:
        again = _replay(seen, labels, label, features, [*as_list(exclude), *held], fit, settings, n_jobs)
    result = conclude(table, labels, label, judged, names, settings, n_jobs, lazy=lazy, again=again)
    return _warned(replace(result, seconds=time.monotonic() - started))


def _warned(result: Audited, stacklevel: int = 3) -> Audited:
    for note in result.warnings:
        warnings.warn(note, LabelWarning, stacklevel=stacklevel)
    return result


def _audit_numbers(table: Frame, label: str, given: dict[str, Any], asked: Sequence[str], *, lazy: bool) -> Any:
    """A :class:`ValueAudit`; ``given`` are the options of :func:`audit` as they were passed."""
    held = [name for name in (given["groups"], given["sample_weight"]) if isinstance(name, str)]
    given = {**given, "exclude": [*as_list(given["exclude"]), *held]}
    given |= {name: row_values(table, given[name], name) for name in ("groups", "sample_weight")}
    given["seen"] = embed_columns(table, given["embed"], [label, *given["exclude"]])
    return _warned(audit_values(table, label, given=given, lazy=lazy, notes=[*asked]), stacklevel=4)


def check_options(filter_by: str, score: str, compat: str | None, names: Sequence[str], random_state: int) -> None:
    """Refuse a choice that does not exist, before any work is done.

    Raises:
        OptionError: Naming the choices.
    """
    for option, value, choices in (
        ("filter_by", filter_by, FILTERS),
        ("score", score, SCORES),
        ("compat", compat, (None, "cleanlab")),
    ):
        if value not in choices:
            raise OptionError(f"{option}={value!r} is none of {', '.join(map(repr, choices))}.")
    if isinstance(random_state, bool) or not isinstance(random_state, (int, np.integer)) or random_state < 0:
        raise OptionError(f"random_state={random_state!r} is not a whole number of at least 0.")
    if len(names) != 3 or len(set(names)) != 3:
        raise OptionError(f"names={tuple(names)!r} must be three different names: quality, suggestion, flag.")


def model_probs(
    table: Frame,
    labels: Labels,
    label: str,
    features: Sequence[str] | None,
    exclude: Sequence[str],
    fit: dict[str, Any],
) -> Judged:
    """Choose and encode the features, train, and judge every row by what was trained without it.

    Raises:
        FeatureError: No feature is left, or one cannot be used.
        ModelError: The model cannot be fitted.
    """
    large.check_sample_rows(fit.get("sample_rows"))
    alone = all(fit[name] is None for name in ("model", "cv", "groups", "sample_weight"))
    if alone and len(table) > large.LARGE_ROWS:
        return _sampled_probs(table, labels, label, features, exclude, fit)
    kinds, notes = choose_features(table, label, features, exclude)
    encoder, encoded = FeatureEncoder.fit_encode(table, kinds)
    encoder, encoded, found = without_leaks(encoder, encoded, kinds, labels.codes, f"the label {label!r}")
    notes, matrix = [*notes, *found], encoded.matrix
    answer = _halves_to_keep(matrix, labels, fit) if alone and fit.get("keep_model") else None
    if answer is None:
        own = {name: value for name, value in fit.items() if name != "sample_rows"}
        answer = out_of_sample(matrix, labels.codes, len(labels.classes), **own)
    if answer.coarse:
        notes.append(
            f"The features tell only {answer.distinct_rows:,} kinds of row apart in {len(table):,}: each row is judged "
            "by the others of its kind, so a copy of a row can vouch for it. Add features, or name what repeats in "
            "groups=."
        )
    notes += _few_for_folds(labels, fit)
    return Judged(answer.probs, answer.model, tuple(notes), encoder.names, encoder, encoded, answer)


def _halves_to_keep(matrix: NDArray[np.float32], labels: Labels, fit: dict[str, Any]) -> OutOfSample | None:
    """Of a table of many rows a class an auditor keeps boosted trees alone: they find more than a bag, and sooner."""
    n_classes = len(labels.classes)
    if not is_worth_boosting(int(labels.known.sum()), matrix.shape[1], n_classes):
        return None
    options = {name: fit[name] for name in ("random_state", "n_jobs", "progress")}
    return fit_halves(matrix, labels.codes, n_classes, **options)


def _few_for_folds(labels: Labels, fit: dict[str, Any]) -> list[str]:
    """Names the classes of fewer rows than a number of folds: some folds are judged by models that know none."""
    folds = FOLDS if fit["cv"] is None else fit["cv"]
    if (fit["model"] is None and fit["cv"] is None) or not isinstance(folds, int):
        return []
    rows = labels.counts
    few = [f"{value!r} ({rows[k]})" for k, value in enumerate(labels.classes) if FEWEST_ROWS_A_CLASS <= rows[k] < folds]
    if not few:
        return []
    return [f"Classes with fewer rows than the {folds} folds, so less surely judged: {', '.join(few)}."]


def _sampled_probs(
    table: Frame,
    labels: Labels,
    label: str,
    features: Sequence[str] | None,
    exclude: Sequence[str],
    fit: dict[str, Any],
) -> Judged:
    """A large table, by the rule that holds on every engine."""
    options: dict[str, Any] = {"features": features, "exclude": exclude, "random_state": fit["random_state"]}
    options["sample_rows"] = fit.get("sample_rows")
    probs, learnt = large.learn_in_memory(
        table, label, labels.codes, labels.classes, n_jobs=fit["n_jobs"], progress=fit["progress"], **options
    )
    encoder = learnt.judge.encoder
    if not fit.get("keep_model"):
        return Judged(probs, learnt.model, learnt.notes, encoder.names)
    model = HalvesModel(learnt.judge.halves, encoder.width)
    answer = answer_of(model, probs, labels.codes, len(table), len(table))
    return Judged(probs, learnt.model, learnt.notes, encoder.names, encoder, encoder.encode(table), answer)


def _judge_items(
    table: Frame, labels: Labels, label: str, held: Sequence[str], at: NDArray[np.int64], given: dict[str, Any]
) -> Judged:
    """Probabilities of the items in ``table``, the rows ``at`` (N,) of the caller's frame, for these labels of theirs.

    ``held`` are columns that judge nothing; ``given`` the options of :func:`audit`.
    """
    if given["pred_probs"] is not None:
        probs = given["pred_probs"]
        named = isinstance(probs, (list, tuple)) and all(isinstance(name, str) for name in probs)
        return _given_probs(table, labels, label, probs if named else np.asarray(probs)[at], given["classes"])
    if given["classes"] is not None:
        raise OptionError("classes= names the columns of pred_probs=, which was not given.")
    fit = {name: given[name] for name in ("model", "cv", "random_state", "n_jobs", "progress")}
    for name in ("groups", "sample_weight"):
        values = given[name]
        by_name = values is None or isinstance(values, str)
        fit[name] = row_values(table, values if by_name else np.asarray(values)[at], name)
        held = [*held, values] if isinstance(values, str) else held
    seen = embed_columns(table, given["embed"], [label, *given["exclude"], *held])
    return model_probs(seen, labels, label, given["features"], [*given["exclude"], *held], fit)


def _given_probs(table: Frame, labels: Labels, label: str, pred_probs: Any, classes: Sequence[Any] | None) -> Judged:
    if isinstance(pred_probs, (list, tuple)) and all(isinstance(name, str) for name in pred_probs):
        require(table, pred_probs, "pred_probs")
        columns = list(pred_probs)
        probs = np.column_stack([table[name].to_numpy() for name in columns])
    else:
        columns = []
        probs = np.asarray(pred_probs)
    if probs.dtype not in (np.float32, np.float64):
        probs = probs.astype(np.float64)
    n_classes = len(labels.classes)
    if probs.ndim != 2 or probs.shape[0] != len(table):
        raise ProbabilityError(
            f"pred_probs has shape {probs.shape}; one row for each of the {len(table):,} rows of the frame and one "
            "column a class are needed."
        )
    order, extra = column_order(labels, label, columns, probs.shape[1], classes)
    if extra:
        raise ProbabilityError(
            f"pred_probs has columns for {', '.join(map(repr, extra))}, a class no row of {label!r} carries. Drop the "
            f"columns and rescale the rest to sum to 1, or audit with rows of all {probs.shape[1]} classes."
        )
    probs = probs[:, order]
    check_block(probs[~labels.known])  # the judge checks the others
    check_order(probs[labels.known], labels.codes[labels.known], labels, label)
    others = tuple(name for name in table.columns if name not in {label, *columns})
    return Judged(probs, f"your probabilities ({n_classes} classes)", (), others)


def conclude(
    table: Frame,
    labels: Labels,
    label: str,
    judged: Judged,
    names: tuple[str, str, str],
    settings: dict[str, Any],
    n_jobs: int | None,
    *,
    lazy: bool,
    again: Callable[[NDArray[np.int64]], NDArray[np.bool_]] | None,
) -> LabelAudit:
    """The result that follows from the rows' probabilities."""
    known = labels.known
    positions = np.flatnonzero(known)
    everyone = positions.size == known.size
    codes = labels.codes if everyone else labels.codes[positions]
    probs = judged.probs if everyone else judged.probs[positions]
    tiny = labels.counts < FEWEST_ROWS_A_CLASS
    verdict = _judge(codes, probs, settings, n_jobs, frozen_classes=tiny if tiny.any() else None)
    notes = [*judged.notes]
    if tiny.any():
        named = ", ".join(repr(value) for value, few in zip(labels.classes, tiny, strict=True) if few)
        notes.append(f"Classes with a single row cannot be judged and are never flagged: {named}.")
    evidence = Evidence(
        labels, positions, codes, probs, verdict.suggested, verdict.quality, verdict.flagged,
        verdict.thresholds, verdict.confident_joint, verdict.joint, ordered=settings.get("task") == "ordinal",
    )  # fmt: skip
    whole = _with_columns(table, labels, judged.probs, evidence, names)
    return LabelAudit(
        label=label,
        frame=to_callers_kind(whole, lazy=lazy),
        rows=len(table),
        audited=positions.size,
        flagged=int(verdict.flagged.sum()),
        noise_rate=default_noise(codes, probs, verdict.confident_joint, random_state=settings["random_state"]),
        model=judged.model,
        model_error=model_error(codes, verdict.likely),
        warnings=tuple(notes),
        names=names,
        settings=settings,
        evidence=evidence,
        table=whole,
        again=again,
        features=judged.features,
    )


def _judge(
    codes: NDArray[np.int64],
    probs: NDArray[Any],
    settings: dict[str, Any],
    n_jobs: int | None,
    frozen_classes: NDArray[np.bool_] | None = None,
) -> Judgement:
    options: dict[str, Any] = {"filter_by": settings["filter_by"], "score": settings["score"]}
    options |= {"frozen_classes": frozen_classes, "n_threads": n_jobs}
    if settings.get("task") == "ordinal":
        return judge_grades(codes, probs, **options)
    return judge(codes, probs, adjust=settings["adjust"], compat=settings["compat"], **options)


def _replay(
    table: Frame,
    labels: Labels,
    label: str,
    features: Sequence[str] | None,
    exclude: Sequence[str],
    fit: dict[str, Any],
    settings: dict[str, Any],
    n_jobs: int | None,
) -> Callable[[NDArray[np.int64]], NDArray[np.bool_]]:
    """The same audit for other labels (m,) of the rows that have one: which of them are flagged."""

    def again(codes: NDArray[np.int64]) -> NDArray[np.bool_]:
        changed = labels.codes.copy()
        changed[labels.known] = codes
        other = Labels(labels.column, changed, labels.classes, labels.first_rows)
        probs = model_probs(table, other, label, features, exclude, {**fit, "progress": False}).probs
        return _judge(codes, probs[labels.known], settings, n_jobs).flagged

    return again


def _with_columns(
    table: Frame, labels: Labels, probs: NDArray[Any], evidence: Evidence, names: tuple[str, str, str]
) -> Frame:
    """The frame with three more columns; quality and flag are null where the label is missing."""
    known = labels.known
    suggested = labels.codes.copy()
    suggested[evidence.positions] = evidence.suggested
    suggested[~known] = probs[~known].argmax(axis=1)
    quality, flag = np.full(known.size, np.nan), np.zeros(known.size, dtype=bool)
    quality[evidence.positions], flag[evidence.positions] = evidence.quality, evidence.flagged
    return with_columns(table, names, quality, labels.values(suggested, names[1]), flag, known)
