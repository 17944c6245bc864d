"""Train once on a table you trust, then audit every batch by what was learned: :class:`LabelAuditor`."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import narwhals as nw
from numpy.typing import NDArray

from dqlabels.audits.audit import check_options, conclude, model_probs
from dqlabels.audits.classes.result import LabelAudit
from dqlabels.audits.trusted.drift import Baseline
from dqlabels.audits.trusted.fitted import Fitted, Seen, judge_batch, read_batch_labels, trusted_tally
from dqlabels.audits.trusted.saved import read_fitted, write_fitted
from dqlabels.errors import LabelColumnError, LabelWarning, OptionError
from dqlabels.frames.columns import AUDIT_COLUMNS, Column, Frame, Labels, as_list, read_labels, require, row_values
from dqlabels.frames.media import Embedding, embed_columns
from dqlabels.frames.outputs import check_outputs
from dqlabels.frames.reading import read_frame
from dqlabels.models.large import check_sample_rows
from dqlabels.progress import ProgressOption

NewClasses = Literal["keep", "error"]


class LabelAuditor:
    """Audits batches of one label column by a model trained once, on a table you trust.

    ``fit`` trains, estimates and keeps; ``audit`` predicts only. What is kept: the encoders, the model, the
    class thresholds, the classes, and the profile (noise rate, model error, class shares, feature spreads) that
    batches are compared with. A batch is judged by the trusted thresholds; how many of its rows are flagged
    follows from its own rows.

    Args:
        label: The column that holds the given labels.
        features: Columns to judge by; default all others of the trusted table.
        exclude: Columns not to judge by.
        embed: Columns to turn into vectors first, as in :func:`dqlabels.audit`; a callable cannot be saved.
        model: A classifier with scikit-learn's interface; default bagged extra-trees.
        cv: Folds for ``model``, whose answers for the trusted rows are out of fold.
        groups: Column of the trusted table whose groups stay together while fitting.
        sample_weight: Column of the trusted table, or weights, for fitting.
        filter_by: The rule that flags rows, one of ``dqlabels.statistics.classes.FILTERS``.
        score: The label quality, one of ``dqlabels.statistics.classes.SCORES``.
        adjust: Subtract each class's trusted threshold before scoring.
        names: The three columns to add: quality, suggestion, flag.
        compat: Must be None: cleanlab's numbers are of one whole table.
        sample_rows: Of a trusted table of more than 200,000 rows: how many of them to fit on, by default 200,000.
        random_state: Seeds every random choice.
        n_jobs: Threads; the answer does not depend on it.
        progress: Show the progress of fitting, as in :func:`dqlabels.audit`.

    Raises:
        OptionError: An option has a value that means nothing here.

    >>> import polars as pl
    >>> x = [i / 10 for i in range(100)]
    >>> trusted = pl.DataFrame({"x": x, "y": ["low"] * 50 + ["high"] * 50})
    >>> auditor = LabelAuditor("y").fit(trusted)
    >>> batch = pl.DataFrame({"x": [0.52, 1.23, 8.77], "y": ["low", "high", "high"]})
    >>> auditor.audit(batch).frame["is_label_issue"].to_list()
    [False, True, False]
    """

    def __init__(
        self,
        label: str,
        *,
        features: Sequence[str] | None = None,
        exclude: Iterable[str] = (),
        embed: Mapping[str, Embedding] | None = None,
        model: Any = None,
        cv: Any = None,
        groups: str | NDArray[Any] | None = None,
        sample_weight: str | NDArray[Any] | None = None,
        filter_by: str = "prune_by_noise_rate",
        score: str = "normalized_margin",
        adjust: bool = False,
        names: tuple[str, str, str] = AUDIT_COLUMNS,
        compat: None = None,
        sample_rows: int | None = None,
        random_state: int = 0,
        n_jobs: int | None = None,
        progress: ProgressOption = None,
    ) -> None:
        if compat is not None:
            raise OptionError(
                f"compat={compat!r} reproduces numbers of one whole table; a batch has no such. Use dqlabels.audit."
            )
        check_options(filter_by, score, compat, names, random_state)
        check_sample_rows(sample_rows)
        self.label = label
        self.n_jobs = n_jobs
        self._columns = {"features": features, "exclude": exclude, "groups": groups, "sample_weight": sample_weight}
        self._embed = dict(embed or {})
        self._fit = {"model": model, "cv": cv, "random_state": random_state, "n_jobs": n_jobs, "progress": progress}
        self._fit["sample_rows"] = sample_rows
        self._settings = {"filter_by": filter_by, "score": score, "adjust": adjust, "compat": None}
        self._settings["random_state"] = random_state
        self._names = (names[0], names[1], names[2])
        self._fitted: Fitted | None = None

    @property
    def fitted(self) -> Fitted:
        """What was learned.

        Raises:
            OptionError: Nothing was yet.
        """
        if self._fitted is None:
            raise OptionError("The auditor is not fitted. Call fit(trusted) first, or dqlabels.load(path).")
        return self._fitted

    @property
    def classes(self) -> tuple[Any, ...]:
        """The classes it can judge, in order."""
        return self.fitted.classes

    @property
    def features(self) -> tuple[str, ...]:
        """The columns it judges by, which a batch must have."""
        return self.fitted.encoder.names

    def profile(self) -> dict[str, Any]:
        """The trusted table's profile, as ``LabelAudit.profile()`` gives it: a ``reference=`` for other audits."""
        return dict(self.fitted.profile)

    def fit(self, trusted: Any) -> LabelAuditor:
        """Learn from a table; a former fit is forgotten.

        Args:
            trusted: pandas or Polars frame or PyArrow table. Its own wrong labels do less harm the fewer they are.

        Returns:
            Itself.

        Raises:
            DQLabelsError: As :func:`dqlabels.audit` of the same table.
        """
        _, table = read_frame(trusted)
        labels = read_labels(table, self.label)
        check_outputs(table, self.label, self._names)
        fit = dict(self._fit)
        given: dict[str, Any] = self._columns
        for option in ("groups", "sample_weight"):
            fit[option] = row_values(table, given[option], option)
        held = [name for name in (given["groups"], given["sample_weight"]) if isinstance(name, str)]
        exclude = [*as_list(given["exclude"]), *held]
        seen = embed_columns(table, self._embed, [self.label, *as_list(given["exclude"])])
        judged = model_probs(seen, labels, self.label, given["features"], exclude, {**fit, "keep_model": True})
        settings = dict(self._settings)
        result = conclude(table, labels, self.label, judged, self._names, settings, self.n_jobs, lazy=False, again=None)
        self._fitted = _keep(self, labels, judged, result, _embedded(table, seen, self._embed))
        for note in result.warnings:
            warnings.warn(note, LabelWarning, stacklevel=2)
        return self

    def audit(self, batch: Any, *, new_classes: NewClasses = "keep") -> LabelAudit:
        """Audit a batch; nothing is trained.

        Rows with the same features as rows the auditor was fitted on are judged by the trees or folds that had not
        seen those, so the trusted table itself can be audited too.

        Args:
            batch: pandas or Polars frame, LazyFrame (collected here) or PyArrow table, with the label and every
                feature column, in any order. Columns of another dtype are converted where nothing is lost.
            new_classes: Rows whose class the auditor was not fitted on: ``"keep"`` leaves quality and flag null
                and warns, ``"error"`` refuses the batch.

        Returns:
            The audit, with ``.drift`` against the trusted table; ``gate(max_increase=...)`` compares with it too.

        Raises:
            FeatureError: Columns that are not there or not what they were.
            LabelColumnError: No label that can be judged.
            OptionError: Not fitted.
        """
        started = time.monotonic()
        fitted = self.fitted
        if new_classes not in ("keep", "error"):
            raise OptionError(f"new_classes={new_classes!r} is none of 'keep', 'error'.")
        lazy, table = read_frame(batch)
        require(table, [self.label], "label")
        check_outputs(table, self.label, fitted.names)
        labels = read_batch_labels(table[self.label], fitted.classes, fitted.label_dtype)
        foreign = labels.values[len(fitted.classes) :]
        if foreign and new_classes == "error":
            raise LabelColumnError(
                f"Column {self.label!r} holds {', '.join(map(repr, foreign[:10]))}, which the auditor was not fitted "
                f"on; it knows {', '.join(map(repr, fitted.classes[:20]))}. Fit again on data that holds them, or pass "
                "new_classes='keep' to leave their rows unjudged."
            )
        result = judge_batch(fitted, table, labels, self.n_jobs, lazy=lazy)
        result = replace(result, seconds=time.monotonic() - started)
        for note in result.warnings:
            warnings.warn(note, LabelWarning, stacklevel=2)
        return result

    def save(self, path: str | Path) -> None:
        """Write what was learned to one file, whole or not at all; ``dqlabels.load`` reads it, running no code.

        Raises:
            OptionError: Not fitted.
            AuditorFileError: A model or class that the file cannot hold.
            MissingExtraError: A model of your own, and skops is not installed.
            OSError: The disk is full, or the folder cannot be written.
        """
        write_fitted(path, self.fitted)

    def __repr__(self) -> str:
        if self._fitted is None:
            return f"<LabelAuditor of {self.label!r}, not fitted>"
        kept = self._fitted
        return (
            f"<LabelAuditor of {self.label!r}: {len(kept.classes)} classes, {len(kept.encoder.names)} features, "
            f"{kept.model.name} on {kept.profile['rows']:,} rows>"
        )


def load(path: str | Path, *, trusted_types: Sequence[str] = (), n_jobs: int | None = None) -> LabelAuditor:
    """Read an auditor that was saved, of this or an earlier version; no code in the file is run.

    Args:
        path: What ``LabelAuditor.save`` wrote.
        trusted_types: Only for an auditor with a model of your own: the types in it, as the error lists them, that
            you trust. The default model needs none.
        n_jobs: Threads.

    Raises:
        AuditorFileError: Truncated, tampered with, of a newer version, or holding types you do not trust.
        MissingExtraError: It holds a model of your own, and skops is not installed.
        OSError: The file cannot be read.
    """
    fitted = read_fitted(path, tuple(trusted_types))
    settings = fitted.settings
    auditor = LabelAuditor(
        fitted.label,
        features=fitted.encoder.names,
        embed=fitted.embed,
        filter_by=settings["filter_by"],
        score=settings["score"],
        adjust=settings["adjust"],
        names=fitted.names,
        random_state=settings["random_state"],
        n_jobs=n_jobs,
    )
    auditor._fitted = fitted
    return auditor


def _keep(
    auditor: LabelAuditor, labels: Labels, judged: Any, result: LabelAudit, embed: dict[str, Embedding]
) -> Fitted:
    answer, encoder = judged.answer, judged.encoder
    matrix, codes = judged.encoded.matrix, labels.codes
    seen = answer.seen
    return Fitted(
        auditor.label,
        labels.classes,
        str(labels.column.dtype),
        encoder,
        answer.fitted,
        trusted_tally(codes[labels.known], answer.probs[labels.known], len(labels.classes)),
        Seen.of(matrix[seen], codes[seen], answer.probs[seen], by_label=answer.coarse),
        result.profile(),
        Baseline.of(matrix, encoder),
        dict(result.settings),
        auditor._names,
        {name: how for name, how in embed.items() if name in encoder.names},
    )


def _embedded(table: Frame, seen: Frame, embed: Mapping[str, Embedding]) -> dict[str, Embedding]:
    """The columns that were turned into vectors, and how: as asked, or because their bytes are images."""
    turned = [name for name in table.columns if name in embed or _kind_of(seen[name]) != _kind_of(table[name])]
    return {name: embed.get(name, "image") for name in turned}


def _kind_of(column: Column) -> Any:
    """Its dtype, and of Python objects the type of the first there is."""
    if column.dtype != nw.Object:
        return column.dtype
    present = column.drop_nulls()
    return type(present[0]) if len(present) else None
