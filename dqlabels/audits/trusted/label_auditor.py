"""Train once on a table you trust, then audit every batch by what was learned: :class:`LabelAuditor`."""

from __future__ import annotations

from collections.abc import Hashable, Sequence, Sized
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, overload
from typing import TypeVar as TypingTypeVar

from narwhals.dependencies import is_pyspark_connect_dataframe, is_pyspark_dataframe

from dqlabels.audits.beside import options_in_row_order
from dqlabels.audits.classes.grades import GradeBars, check_grades
from dqlabels.audits.classes.pipeline import conclude
from dqlabels.audits.classes.result import LabelAudit
from dqlabels.audits.kinds import KINDS, check_whole_numbers, class_options, look_at
from dqlabels.audits.options import FDR, FITTING, Options, checked_field, documented
from dqlabels.audits.probabilities import ClassProbabilities, Training, trained_probabilities
from dqlabels.audits.request import Request
from dqlabels.audits.trusted.drift import Baseline
from dqlabels.audits.trusted.fitted import (
    Fitted,
    FittedRows,
    GradedTask,
    batch_options,
    embedded_columns,
    judge_batch,
    read_batch_labels,
    refuse_foreign,
    trusted_tally,
    trusted_zero,
)
from dqlabels.audits.trusted.numbers import FittedValues, fit_values, judge_values_batch, value_options
from dqlabels.audits.trusted.saved import Learned, read_saved, write_fitted, write_tags, write_values
from dqlabels.audits.trusted.saved_classes import check_classes
from dqlabels.audits.trusted.tags import FittedTags, fit_tags, judge_tags_batch, tag_options
from dqlabels.errors import OptionError, warn_all
from dqlabels.frames.columns import Labels, read_labels, require
from dqlabels.frames.media import Embedding
from dqlabels.frames.names import label_name, label_names
from dqlabels.frames.outputs import check_outputs
from dqlabels.frames.reading import read_frame

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from typing_extensions import Self, TypeVar, Unpack

    from dqlabels.audits.base import Audit
    from dqlabels.audits.options import FittingOptions
    from dqlabels.audits.tags.result import MultilabelAudit
    from dqlabels.audits.values.result import ValueAudit

NewClasses = Literal["keep", "error"]
if TYPE_CHECKING:
    # An auditor is one of classes or grades unless it is said to judge numbers or several labels per row.
    Result = TypeVar("Result", bound="Audit", default="LabelAudit")
else:
    Result = TypingTypeVar("Result")


class LazyFrame(Protocol):
    """A lazy Polars frame."""

    def collect_schema(self) -> Any:
        """Its columns."""


class SparkFrame(Protocol):
    """A Spark DataFrame, of a classic session or of Spark Connect."""

    @property
    def sparkSession(self) -> Any:  # noqa: N802 - Spark's name
        """The session that it belongs to."""


def is_spark(frame: object) -> bool:
    """Whether this is a Spark DataFrame."""
    return bool(is_pyspark_dataframe(frame) or is_pyspark_connect_dataframe(frame))


class LabelAuditor(Generic[Result]):
    """Audits batches of one label column by a model trained once, on a table you trust.

    ``fit`` trains, estimates and keeps; ``audit`` predicts only. What is kept: the encoders, the model, the
    class thresholds, the classes, and the profile (noise rate, model error, class shares, feature spreads) that
    batches are compared with. A batch is judged by the trusted thresholds; how many of its rows are flagged
    follows from its own rows.

    Args:
        label: The column that holds the given labels; of several labels per row also a yes/no column for each.
        task: ``"classes"``, also by default, where whole numbers that may be amounts are asked about; ``"ordinal"``
            for grades, where distance counts; ``"regression"`` for numbers, dates and durations, which are judged by
            trees and by how far right values strayed in the trusted table; or ``"multilabel"`` for a column of lists
            of labels or yes/no columns, with a model for each label.
        fdr: Numbers only: the expected share of right values among the flagged of the trusted table, in (0, 1).
        **options: The options of :func:`dqlabels.audit` that fit and flag, as the signature lists them. ``groups``
            and ``sample_weight`` are of the trusted table; ``compat`` must be None, since cleanlab's numbers are of
            one whole table; a callable in ``embed`` cannot be saved.

    Raises:
        OptionError: An option has a value that means nothing here.

    >>> import polars as pl
    >>> x = [i / 10 for i in range(100)]
    >>> trusted = pl.DataFrame({"x": x, "y": ["low"] * 50 + ["high"] * 50})
    >>> auditor = LabelAuditor("y").fit(trusted)
    >>> auditor.features, sorted(auditor.classes), auditor.fitted.label
    (('x',), ['high', 'low'], 'y')
    >>> batch = pl.DataFrame({"x": [0.52, 1.23, 8.77], "y": ["low", "high", "high"]})
    >>> auditor.audit(batch).frame["is_label_issue"].to_list()
    [False, True, False]
    """

    @overload
    def __init__(
        self: LabelAuditor[LabelAudit], label: str, *, task: GradedTask | None = None, **options: Unpack[FittingOptions]
    ) -> None: ...

    @overload
    def __init__(
        self: LabelAuditor[ValueAudit],
        label: str,
        *,
        task: Literal["regression"],
        fdr: float = FDR,
        **options: Unpack[FittingOptions],
    ) -> None: ...

    @overload
    def __init__(
        self: LabelAuditor[MultilabelAudit],
        label: str | Sequence[str],
        *,
        task: Literal["multilabel"],
        **options: Unpack[FittingOptions],
    ) -> None: ...

    @documented(FITTING)
    def __init__(
        self,
        label: str | Sequence[str],
        *,
        task: str | None = None,
        fdr: float = FDR,
        **options: Unpack[FittingOptions],
    ) -> None:
        self._asks = task is None
        task = "classes" if task is None else task
        kind = KINDS[checked_field(Options, "task", task)]
        if "auditor" in kind.cannot:
            kind.refuse("auditor", f"An auditor, with task={task!r},")
        if fdr != FDR and task != "regression":
            raise OptionError(f"fdr={fdr!r} is an option of numbers; say task='regression' if {label!r} holds such.")
        chosen = Options.of(options, "dqlabels.LabelAuditor", FITTING).changed(fdr=fdr)
        if chosen.compat is not None:
            raise OptionError(
                f"compat={chosen.compat!r} reproduces numbers of one whole table; a batch has no such. Use "
                "dqlabels.audit."
            )
        self._columns = label_names(label) if task == "multilabel" else label_name(label)
        self.label = self._columns if isinstance(self._columns, str) else ", ".join(self._columns)
        self.options = chosen.changed(task=task)
        self._fitted: Learned | None = None

    @property
    def fitted(self) -> Fitted:
        """What was learned of classes or grades.

        Raises:
            OptionError: Nothing was yet, or it judges numbers or several labels per row.
        """
        return self.fitted_classes("profile", "What is learned of classes, .fitted or .profile(),")

    def fitted_classes(self, ability: str, what: str) -> Fitted:
        """What was learned of classes or grades, for what only these have.

        Args:
            ability: One of :data:`dqlabels.audits.abilities.ABILITIES`, for which other kinds give their reason.
            what: What was asked for, in words.

        Raises:
            OptionError: Nothing was learned yet, or it judges numbers or several labels per row.

        >>> import dqlabels, polars as pl
        >>> trusted = pl.DataFrame({"x": [at / 10 for at in range(100)], "y": ["low"] * 50 + ["high"] * 50})
        >>> dqlabels.LabelAuditor("y").fit(trusted).fitted_classes("monitor", "A monitor").label
        'y'
        """
        found = self.learned
        if not isinstance(found, Fitted):
            KINDS[str(self.options.task)].refuse(ability, what)
        return found

    @property
    def learned(self) -> Learned:
        """What was learned, of whatever kind of label.

        Raises:
            OptionError: Nothing was yet.

        >>> import dqlabels, polars as pl
        >>> trusted = pl.DataFrame({"x": [at / 10 for at in range(100)], "y": ["low"] * 50 + ["high"] * 50})
        >>> dqlabels.LabelAuditor("y").fit(trusted).learned.label
        'y'
        """
        if self._fitted is None:
            raise OptionError("The auditor is not fitted. Call fit(trusted) first, or dqlabels.load(path).")
        return self._fitted

    @property
    def classes(self) -> tuple[Hashable, ...]:
        """The classes it can judge, in order, or the labels that a row may have."""
        return self.learned.values if isinstance(self.learned, FittedTags) else self.fitted.classes

    @property
    def features(self) -> tuple[str, ...]:
        """The columns it judges by, which a batch must have."""
        return self.learned.encoder.names

    def profile(self) -> dict[str, Any]:
        """The trusted table's profile, as ``LabelAudit.profile()`` gives it: a ``reference=`` for other audits.

        >>> import dqlabels, polars as pl
        >>> trusted = pl.DataFrame({"x": [at / 10 for at in range(100)], "y": ["low"] * 50 + ["high"] * 50})
        >>> auditor = dqlabels.LabelAuditor("y").fit(trusted)
        >>> auditor.profile()["rows"]
        100
        """
        return dict(self.fitted.profile)

    def fit(self, trusted: Any) -> Self:
        """Learn from a table, in place of any earlier fit.

        Args:
            trusted: pandas or Polars frame or PyArrow table. The fewer of its labels are wrong, the better.

        Returns:
            Itself.

        Raises:
            DQLabelsError: As :func:`dqlabels.audit` of the same table, and where a class is of a type that no file
                can hold, such as a tuple.

        >>> import dqlabels, polars as pl
        >>> trusted = pl.DataFrame({"x": [at / 10 for at in range(100)], "y": ["low"] * 50 + ["high"] * 50})
        >>> auditor = dqlabels.LabelAuditor("y").fit(trusted)
        >>> auditor.features
        ('x',)
        """
        _, table = read_frame(trusted)
        options, notes = options_in_row_order(self.options, table)
        if options.task in ("regression", "multilabel"):
            fit = fit_values if options.task == "regression" else fit_tags
            request = Request(table, self._columns, KINDS[str(options.task)], options, notes=tuple(notes))
            self._fitted, learned = fit(request)
            warn_all(learned, stacklevel=3)
            return self
        labels = read_labels(table, self.label)
        if self._asks and not class_options(options):
            check_whole_numbers(look_at(labels.column))
        check_classes(self.label, labels.classes)
        kind = KINDS[str(options.task)]
        if kind.name == "ordinal":
            check_grades(labels.column, options)
        check_outputs(table, self.label, options.names)
        training = Training.of(table, self.label, options, keep_model=True)
        probabilities = trained_probabilities(training, labels)
        request = Request(table, self.label, kind, options)
        result = conclude(request, labels, replace(probabilities, notes=(*notes, *probabilities.notes)))
        embed = embedded_columns(table, training.table, options.embed or {})
        self._fitted = _keep(self, labels, probabilities, result, embed)
        warn_all(result.warnings, stacklevel=3)
        return self

    @overload
    def audit(self, batch: Sized | LazyFrame, *, new_classes: NewClasses = "keep") -> Result: ...

    @overload
    def audit(self, batch: SparkFrame, *, new_classes: NewClasses = "keep") -> DataFrame: ...

    def audit(self, batch: Any, *, new_classes: NewClasses = "keep") -> Audit | DataFrame:
        """Audit a batch; nothing is trained.

        Rows with the same features as rows the auditor was fitted on are judged by the trees or folds that had not
        seen those, so the trusted table itself can be audited too.

        Args:
            batch: pandas or Polars frame, LazyFrame, PyArrow table or Spark DataFrame, with the label and every
                feature column, in any order. Columns of another dtype are converted where nothing is lost. A LazyFrame
                is collected here whatever its size, since drift is measured on all its rows at once.
            new_classes: Rows whose class the auditor was not fitted on: ``"keep"`` leaves quality and flag null
                and warns, ``"error"`` refuses the batch. Of several labels per row the one that is not known stays
                unjudged, and the others are judged.

        Returns:
            The audit, with ``.drift`` against the trusted table; ``gate(max_increase=...)`` compares with it too. A
            Spark DataFrame is judged on its workers, and comes back with the three columns alone.

        Raises:
            FeatureError: Columns that are not there or not what they were.
            LabelColumnError: No label that can be judged.
            OptionError: Not fitted.

        >>> import dqlabels, polars as pl
        >>> trusted = pl.DataFrame({"x": [at / 10 for at in range(100)], "y": ["low"] * 50 + ["high"] * 50})
        >>> auditor = dqlabels.LabelAuditor("y").fit(trusted)
        >>> batch = pl.DataFrame({"x": [0.52, 1.23, 8.77], "y": ["low", "high", "high"]})
        >>> auditor.audit(batch).issues["row"].to_list()
        [1]
        """
        if is_spark(batch):
            from dqlabels.audits.spark import audit_batch_on_spark

            _check_new_classes(new_classes)
            fitted = self.fitted_classes("spark_batch", "A Spark batch by an auditor")
            return audit_batch_on_spark(batch, fitted, keep_new_classes=new_classes == "keep")
        result = self.judge(batch, new_classes)
        warn_all(result.warnings, stacklevel=3)
        return result

    def judge(self, batch: Any, new_classes: NewClasses = "keep") -> Audit:
        """Audit a batch in memory without issuing its warnings, which are in its ``warnings``.

        >>> import dqlabels, polars as pl
        >>> trusted = pl.DataFrame({"x": [at / 10 for at in range(100)], "y": ["low"] * 50 + ["high"] * 50})
        >>> auditor = dqlabels.LabelAuditor("y").fit(trusted)
        >>> auditor.judge(pl.DataFrame({"x": [0.52, 1.23], "y": ["low", "high"]})).flagged
        1
        """
        if is_spark(batch):
            KINDS[str(self.options.task)].refuse("spark_gate", "An audit of a Spark batch, beside its columns,")
        fitted, n_jobs = self.learned, self.options.n_jobs
        if isinstance(fitted, Fitted):
            return self._judge(batch, new_classes)
        _check_new_classes(new_classes)
        form, table = read_frame(batch)
        if isinstance(fitted, FittedValues):
            options = value_options(fitted, n_jobs)
            return judge_values_batch(fitted, Request(table, self.label, KINDS["regression"], options, form))
        request = Request(table, self._columns, KINDS["multilabel"], tag_options(fitted, n_jobs), form)
        return judge_tags_batch(fitted, request, keep_new=new_classes == "keep")

    def _judge(self, batch: Any, new_classes: NewClasses) -> LabelAudit:
        """Audit a batch without a warning."""
        fitted = self.fitted
        _check_new_classes(new_classes)
        form, table = read_frame(batch)
        request = Request(table, self.label, KINDS[fitted.task], batch_options(fitted, self.options), form)
        require(table, [self.label], "label")
        check_outputs(table, self.label, fitted.names)
        labels = read_batch_labels(table[self.label], fitted.classes, fitted.label_dtype)
        if new_classes == "error":
            refuse_foreign(fitted, labels)
        return judge_batch(fitted, request, labels)

    def save(self, path: str | Path) -> None:
        """Write what was learned to one file, whole or not at all; ``dqlabels.load`` reads it, running no code.

        Raises:
            OptionError: Not fitted.
            AuditorFileError: A model that the file cannot hold.
            MissingExtraError: A model of your own, and skops is not installed.
            OSError: The disk is full, or the folder cannot be written.

        >>> import tempfile
        >>> import dqlabels, polars as pl
        >>> trusted = pl.DataFrame({"x": [at / 10 for at in range(100)], "y": ["low"] * 50 + ["high"] * 50})
        >>> auditor = dqlabels.LabelAuditor("y").fit(trusted)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     auditor.save(f"{folder}/y.dqlabels")
        ...     dqlabels.load(f"{folder}/y.dqlabels").features
        ('x',)
        """
        if isinstance(self.learned, FittedValues):
            write_values(path, self.learned)
        elif isinstance(self.learned, FittedTags):
            write_tags(path, self.learned)
        else:
            write_fitted(path, self.fitted)

    def summary(self) -> str:
        """What it judges, and by what, in words.

        Raises:
            OptionError: Not fitted.

        >>> import dqlabels, polars as pl
        >>> trusted = pl.DataFrame({"x": [at / 10 for at in range(100)], "y": ["low"] * 50 + ["high"] * 50})
        >>> dqlabels.LabelAuditor("y").fit(trusted).summary().partition(". ")[0]
        "judges 'y' (2 classes) by 1 columns, learned from 100 rows"
        """
        learned, by = self.learned, f"by {len(self.features)} columns, learned from"
        if isinstance(learned, FittedValues):
            return (
                f"judges {self.label!r} (numbers) {by} {learned.rows:,} rows. Their values lie {learned.error:.0%} as "
                "far from their prediction as from the median."
            )
        if isinstance(learned, FittedTags):
            return (
                f"judges {self.label!r} ({len(learned.values)} labels, several per row) {by} {learned.rows:,} rows. "
                f"{learned.wrong_share:.1%} of their answers are estimated to be wrong."
            )
        rate, rows = learned.profile["noise_rate"], learned.profile["rows"]
        return (
            f"judges {self.label!r} ({len(learned.classes)} classes) {by} {rows:,} rows. Their noise rate "
            f"{rate['estimate']:.1%} (interval {rate['low']:.1%} to {rate['high']:.1%}), model error "
            f"{learned.profile['model_error']:.1%}."
        )

    def __repr__(self) -> str:
        if self._fitted is None:
            return f"<LabelAuditor of {self.label!r}, not fitted>"
        fitted = self._fitted
        if isinstance(fitted, FittedValues):
            return (
                f"<LabelAuditor of {self.label!r}: numbers, {len(fitted.encoder.names)} features, extra-trees on "
                f"{fitted.rows:,} rows>"
            )
        if isinstance(fitted, FittedTags):
            return (
                f"<LabelAuditor of {self.label!r}: {len(fitted.values)} labels, several per row, "
                f"{len(fitted.encoder.names)} features, {fitted.model}>"
            )
        return (
            f"<LabelAuditor of {self.label!r}: {len(fitted.classes)} classes, {len(fitted.encoder.names)} features, "
            f"{fitted.model.name} on {fitted.profile['rows']:,} rows>"
        )


def _check_new_classes(new_classes: str) -> None:
    if new_classes not in ("keep", "error"):
        raise OptionError(f"new_classes={new_classes!r} is none of 'keep', 'error'.")


def load(path: str | Path, *, trusted_types: Sequence[str] = (), n_jobs: int | None = None) -> LabelAuditor[Any]:
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

    >>> import tempfile
    >>> import dqlabels, polars as pl
    >>> trusted = pl.DataFrame({"x": [at / 10 for at in range(100)], "y": ["low"] * 50 + ["high"] * 50})
    >>> auditor = dqlabels.LabelAuditor("y").fit(trusted)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     auditor.save(f"{folder}/y.dqlabels")
    ...     loaded = dqlabels.load(f"{folder}/y.dqlabels")
    >>> loaded.audit(pl.DataFrame({"x": [1.23], "y": ["high"]})).flagged
    1
    """
    found = read_saved(path, tuple(trusted_types))
    if isinstance(found, Fitted):
        return auditor_of(found, n_jobs=n_jobs)
    auditor: LabelAuditor[Any]
    if isinstance(found, FittedTags):
        auditor = LabelAuditor(
            found.columns, task="multilabel", features=found.encoder.names, embed=found.embed, names=found.names,
            n_jobs=n_jobs, **found.settings,
        )  # fmt: skip
        auditor._fitted = found
        return auditor
    auditor = LabelAuditor(
        found.label, task="regression", features=found.encoder.names, names=found.names, fdr=found.fdr,
        random_state=found.random_state, n_jobs=n_jobs,
    )  # fmt: skip
    auditor._fitted = found
    return auditor


def auditor_of(fitted: Fitted, *, n_jobs: int | None = None) -> LabelAuditor:
    """Return the auditor that learned this.

    Args:
        fitted: What was learned.
        n_jobs: Threads.
    """
    auditor = LabelAuditor(
        fitted.label, task=fitted.task, features=fitted.encoder.names, embed=fitted.embed, names=fitted.names,
        n_jobs=n_jobs, **fitted.settings,
    )  # fmt: skip
    auditor._fitted = fitted
    return auditor


def _keep(
    auditor: LabelAuditor[Any],
    labels: Labels,
    probabilities: ClassProbabilities,
    result: LabelAudit,
    embed: dict[str, Embedding],
) -> Fitted:
    answer, encoder, encoded = probabilities.answer, probabilities.encoder, probabilities.encoded
    if answer is None or answer.fitted is None or encoder is None or encoded is None:
        raise OptionError("The auditor trained no model, so it has nothing to judge batches by.")
    matrix, codes, seen = encoded.matrix, labels.codes, answer.seen
    return Fitted(
        auditor.label,
        labels.classes,
        str(labels.column.dtype),
        encoder,
        answer.fitted,
        trusted_tally(codes[labels.known], answer.probs[labels.known], len(labels.classes)),
        FittedRows.of(matrix[seen], codes[seen], answer.probs[seen].astype(float), by_label=answer.coarse),
        result.profile(),
        Baseline.of(matrix, encoder),
        {name: value for name, value in result.settings.items() if name != "task"},
        auditor.options.names,
        {name: how for name, how in embed.items() if name in encoder.names},
        result.calibration.probability,
        trusted_zero(codes, answer, matrix),
        GradeBars.of(codes[labels.known], answer.probs[labels.known]) if auditor.options.task == "ordinal" else None,
    )
