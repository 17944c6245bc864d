"""Out-of-sample class probabilities of a table's rows: from a model trained here, or as the caller gives them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dqlabels.audits.beside import are_names, is_several
from dqlabels.audits.options import Options
from dqlabels.errors import OptionError, ProbabilityError
from dqlabels.frames.beside import NamedColumns, columns_of
from dqlabels.frames.class_columns import column_order, with_unused_classes
from dqlabels.frames.columns import Frame, Labels, choose_features, require, row_values
from dqlabels.frames.features import Encoded, FeatureEncoder, without_leaks
from dqlabels.frames.hashing import hash_words
from dqlabels.frames.media import embed_columns
from dqlabels.models import large
from dqlabels.models.boosting import is_worth_boosting
from dqlabels.models.folds import FOLDS
from dqlabels.models.halves import HalvesModel, answer_of, fit_halves
from dqlabels.models.out_of_sample import OutOfSample, out_of_sample
from dqlabels.models.several import pool_probabilities
from dqlabels.statistics.arrays import IntArray
from dqlabels.statistics.classes import check_block

Probs = NDArray[np.float32] | NDArray[np.float64]
MIN_ROWS_PER_CLASS = 2


@dataclass(frozen=True, slots=True, eq=False)
class ClassProbabilities:
    """Probabilities (n, K) of every row, out of sample where it has a label, and how they came about.

    Where a model was trained: the fitted ``encoder``, the ``encoded`` rows and the model's ``answer``; where the caller
    gave them: the ``labels`` with the classes that only the probabilities know.
    """

    probs: Probs
    model: str
    notes: tuple[str, ...]
    features: tuple[str, ...]
    encoder: FeatureEncoder | None = None
    encoded: Encoded | None = None
    answer: OutOfSample | None = None
    labels: Labels | None = None

    @property
    def independent(self) -> float:
        """Share of the rows that count as independent: copies, and rows of one group, count once if they are known."""
        if self.answer is None or self.answer.coarse:
            return 1.0
        return self.answer.distinct_rows / max(len(self.probs), 1)


@dataclass(frozen=True, slots=True, eq=False)
class Training:
    """What a model is trained on and how: the table with its media as vectors, and options resolved row by row.

    ``exclude`` holds the columns that judge nothing, those of groups and weights among them; ``keep_model`` asks for a
    model that can judge other rows later.
    """

    table: Frame
    label: str
    options: Options
    exclude: tuple[str, ...]
    groups: NDArray[np.generic] | None
    sample_weight: NDArray[np.float64] | None
    keep_model: bool = False

    @classmethod
    def of(
        cls,
        table: Frame,
        label: str,
        options: Options,
        exclude: Sequence[str] = (),
        rows: IntArray | None = None,
        *,
        keep_model: bool = False,
    ) -> Training:
        """Resolve the options that name columns or hold a value for each row.

        Args:
            table: n rows.
            label: The label column.
            options: What the caller asks for.
            exclude: Further columns that judge nothing.
            rows: (n,) the rows of the caller's frame that ``table`` holds; by default all, in order.
            keep_model: Whether the model is to judge other rows later.

        Raises:
            OptionError: Not one value for each row.
            FeatureError: A column that does not exist.
        """
        values = {name: _values_of(table, getattr(options, name), name, rows) for name in ("groups", "sample_weight")}
        named = [name for name in (options.groups, options.sample_weight) if isinstance(name, str)]
        left_out = [*options.exclude, *exclude]
        seen = embed_columns(table, options.embed, [label, *left_out, *(named if rows is not None else ())])
        return cls(seen, label, options, (*left_out, *named), **values, keep_model=keep_model)

    @property
    def is_plain(self) -> bool:
        """Whether the default model is trained on all rows alike, so that a sample may stand for them."""
        special = (self.options.model, self.options.cv, self.groups, self.sample_weight)
        return all(value is None for value in special)


def _values_of(table: Frame, given: Any, name: str, rows: IntArray | None) -> NDArray[Any] | None:
    if rows is None or given is None or isinstance(given, str):
        return row_values(table, given, name)
    return row_values(table, np.asarray(given)[rows], name)


def class_probabilities(
    table: Frame,
    labels: Labels,
    label: str,
    options: Options,
    exclude: Sequence[str] = (),
    rows: IntArray | None = None,
) -> tuple[ClassProbabilities, Training | None]:
    """Probabilities as the options ask for them, and what a model was trained on, where one was.

    Args:
        table: n rows.
        labels: Their labels.
        label: The label column.
        options: What the caller asks for.
        exclude: Further columns that judge nothing.
        rows: (n,) the rows of the caller's frame that ``table`` holds; by default all, in order.

    Raises:
        DQLabelsError: One of its subclasses, by what is wrong.
    """
    if options.pred_probs is not None and is_several(options.pred_probs):
        return _of_several_models(table, labels, label, options, rows), None
    if options.pred_probs is not None:
        probs = options.pred_probs
        return given_probabilities(table, labels, label, of_rows(probs, rows), options.classes), None
    if options.classes is not None:
        raise OptionError("classes= names the columns of pred_probs=, which was not given.")
    training = Training.of(table, label, options, exclude, rows)
    return trained_probabilities(training, labels), training


def trained_probabilities(training: Training, labels: Labels) -> ClassProbabilities:
    """Choose and encode the features, train, and judge every row by what was trained without it.

    Raises:
        FeatureError: No feature is left, or one cannot be used.
        ModelError: The model cannot be fitted.
    """
    table, options = training.table, training.options
    if training.is_plain and len(table) > options.sizes.large_rows:
        return _from_a_sample(training, labels)
    kinds, notes = choose_features(table, training.label, options.features, training.exclude)
    encoder, encoded = FeatureEncoder.fit_encode(table, kinds)
    encoder, encoded, leaks = without_leaks(encoder, encoded, kinds, labels.codes, f"the label {training.label!r}")
    notes, matrix = [*notes, *leaks], encoded.matrix
    answer = _halves_to_keep(matrix, labels, training)
    if answer is None:
        answer = out_of_sample(
            matrix, labels.codes, len(labels.classes), model=options.model, cv=options.cv, groups=training.groups,
            sample_weight=training.sample_weight, random_state=options.random_state, n_jobs=options.n_jobs,
            progress=options.progress, keep_model=training.keep_model, sizes=options.sizes,
        )  # fmt: skip
    if answer.coarse:
        notes.append(
            f"The features tell only {answer.distinct_rows:,} kinds of row apart in {len(table):,}: each row is judged "
            "by the others of its kind, so a copy of a row can vouch for it. Add features, or name what repeats in "
            "groups=."
        )
    notes += _few_for_folds(labels, options)
    return ClassProbabilities(answer.probs, answer.model, tuple(notes), encoder.names, encoder, encoded, answer)


def _halves_to_keep(matrix: NDArray[np.float32], labels: Labels, training: Training) -> OutOfSample | None:
    """Boosted trees alone, where an auditor keeps the model of a table with many rows per class.

    They find more wrong labels there than a bag does, in less time.
    """
    n_classes, options = len(labels.classes), training.options
    if not (training.is_plain and training.keep_model):
        return None
    if not is_worth_boosting(int(labels.known.sum()), matrix.shape[1], n_classes, options.sizes.rows_per_class):
        return None
    return fit_halves(
        matrix, labels.codes, n_classes, random_state=options.random_state, n_jobs=options.n_jobs,
        progress=options.progress, sizes=options.sizes.halves,
    )  # fmt: skip


def _few_for_folds(labels: Labels, options: Options) -> list[str]:
    """Name the classes with fewer rows than there are folds: some folds are judged by models that know none of them."""
    folds = FOLDS if options.cv is None else options.cv
    if (options.model is None and options.cv is None) or not isinstance(folds, int):
        return []
    rows = labels.counts
    few = [f"{value!r} ({rows[k]})" for k, value in enumerate(labels.classes) if MIN_ROWS_PER_CLASS <= rows[k] < folds]
    if not few:
        return []
    return [f"Classes with fewer rows than the {folds} folds, so less surely judged: {', '.join(few)}."]


def _from_a_sample(training: Training, labels: Labels) -> ClassProbabilities:
    """A large table, by the rule that holds on every engine."""
    table, options = training.table, training.options
    probs, fitted = large.learn_in_memory(
        table, training.label, labels.codes, labels.classes, options.sample_rows, features=options.features,
        exclude=training.exclude, random_state=options.random_state, n_jobs=options.n_jobs,
        sizes=options.sizes, progress=options.progress,
    )  # fmt: skip
    encoder = fitted.encoder
    if not training.keep_model:
        return ClassProbabilities(probs, fitted.model, fitted.notes, encoder.names)
    model = HalvesModel(fitted.halves, encoder.width)
    answer = answer_of(model, probs, labels.codes, len(table), len(table))
    return ClassProbabilities(probs, fitted.model, fitted.notes, encoder.names, encoder, encoder.encode(table), answer)


def of_rows(pred_probs: Any, rows: IntArray | None) -> Any:
    """Probabilities of these rows (m,) of the caller's frame; the names of columns stay as they are."""
    if rows is None or are_names(pred_probs):
        return pred_probs
    return pred_probs.at(rows) if isinstance(pred_probs, NamedColumns) else np.asarray(pred_probs)[rows]


def probability_columns(table: Frame, pred_probs: Any) -> tuple[NDArray[Any], tuple[Hashable, ...]]:
    """The caller's probabilities by row, and the names of their columns; an array has none.

    Args:
        table: n rows.
        pred_probs: Names of its columns, a frame's columns, or an array.

    Raises:
        FeatureError: A column that is not there.
        ProbabilityError: No numbers.
    """
    if isinstance(pred_probs, NamedColumns):
        return pred_probs.values, pred_probs.names
    if are_names(pred_probs):
        require(table, pred_probs, "pred_probs")
        named = columns_of(table, pred_probs, "pred_probs")
        return named.values, named.names
    try:
        probs = np.asarray(pred_probs)
        return (probs if probs.dtype in (np.float32, np.float64) else probs.astype(np.float64)), ()
    except (TypeError, ValueError) as error:
        raise ProbabilityError(
            f"pred_probs holds something else than one number in each place ({error}). Pass one row of K probabilities "
            "for each row of the frame."
        ) from error


def given_probabilities(
    table: Frame, labels: Labels, label: str, pred_probs: Any, classes: Sequence[object] | None
) -> ClassProbabilities:
    """The caller's own probabilities, checked, in the order of the classes.

    Args:
        table: n rows.
        labels: Their labels, K classes.
        label: The label column.
        pred_probs: K names of its columns, a frame of K columns, or an (n, K) array.
        classes: The class of each column, where the names do not say it.

    Raises:
        ProbabilityError: No probabilities, of another shape, or of classes that are not known.
    """
    probs, columns = probability_columns(table, pred_probs)
    if probs.ndim != 2 or probs.shape[0] != len(table):
        raise ProbabilityError(
            f"pred_probs has shape {probs.shape}; one row for each of the {len(table):,} rows of the frame and one "
            f"column per class are needed.{' Pass pred_probs.T.' * (probs.shape[1:] == (len(table),))}"
        )
    order, extra = column_order(labels, label, columns, probs.shape[1], classes)
    if extra:
        labels, places = with_unused_classes(labels, extra)
        order = [[*order, *_rest(order, probs.shape[1])][at] for at in places]
    probs = probs.copy() if order == list(range(probs.shape[1])) else probs[:, order]
    known = labels.known
    if not known.all():
        check_block(probs[~known])  # the judge checks the others
    own = set(pred_probs) if are_names(pred_probs) else set()
    others = tuple(name for name in table.columns if name != label and name not in own)
    notes = (_unused(label, extra),) if extra else ()
    return ClassProbabilities(probs, f"your probabilities ({probs.shape[1]} classes)", notes, others, labels=labels)


def _of_several_models(
    table: Frame, labels: Labels, label: str, options: Options, rows: IntArray | None
) -> ClassProbabilities:
    """The caller's own probabilities by several models, as one; see :mod:`dqlabels.models.several`."""
    if options.compat is not None:
        raise OptionError(
            f"compat={options.compat!r} takes the probabilities of one model. Pass the mean of yours, as cleanlab does."
        )
    given = [of_rows(one, rows) for one in options.pred_probs or ()]
    answers = [given_probabilities(table, labels, label, one, options.classes) for one in given]
    shapes = {one.probs.shape for one in answers}
    if len(shapes) > 1:
        raise ProbabilityError(f"The models of pred_probs= know different classes: their shapes are {sorted(shapes)}.")
    known = answers[0].labels or labels
    for one in answers:
        check_block(one.probs)
    words = np.column_stack([known.codes, *(np.rint(one.probs * 2**24) for one in answers)]).astype(np.uint32)
    by_content = np.argsort(hash_words(words), kind="stable")
    labelled = by_content[known.codes[by_content] >= 0]
    probs, shares = pool_probabilities([one.probs for one in answers], known.codes, labelled)
    named = ", ".join(f"{share:.0%}" for share in shares.tolist())
    features = tuple(name for name in answers[0].features if all(name in one.features for one in answers))
    return replace(
        answers[0],
        probs=probs,
        model=f"your probabilities by {len(answers)} models, weighed {named}",
        features=features,
    )


def _rest(order: Sequence[int], width: int) -> list[int]:
    """The columns that are not among those chosen."""
    return [at for at in range(width) if at not in set(order)]


def _unused(label: str, extra: Sequence[object]) -> str:
    named = ", ".join(map(repr, extra[:10])) + (", ..." if len(extra) > 10 else "")
    return (
        f"No row of {label!r} carries {named}, which pred_probs has columns for: classes that nobody was given, of "
        "which no noise rate is known."
    )


def judged_again(training: Training, labels: Labels, codes: IntArray) -> Probs:
    """Return the probabilities (m, K) that the rows with a label would get under these labels (m,) instead."""
    changed = labels.codes.copy()
    changed[labels.known] = codes
    other = Labels(labels.column, changed, labels.classes, labels.first_rows)
    quiet = replace(training, options=training.options.changed(progress=False))
    return trained_probabilities(quiet, other).probs[labels.known]
