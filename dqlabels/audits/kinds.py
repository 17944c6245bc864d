"""The kinds of label, and which of them a label column holds: as the caller says, or as the column shows.

A new kind of label is one line in :data:`KINDS`, a file in ``statistics/`` and a folder in ``audits/``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import narwhals as nw
import numpy as np

from dqlabels.audits import abilities
from dqlabels.audits.options import OPTION_NAMES, Options, Task
from dqlabels.errors import LabelColumnError, OptionError
from dqlabels.frames.columns import MIN_ROWS_TO_JUDGE, Column, Frame, floats, require, require_names
from dqlabels.frames.values import entries_of

if TYPE_CHECKING:
    import polars as pl

# Fractional numbers with more different values than both this number and this share of the rows are amounts.
MAX_FRACTIONAL_CLASSES, MAX_FRACTIONAL_SHARE = 20, 0.02
# Whole numbers of at least this many values may be codes of classes, grades or counts.
MIN_VALUES_TO_ASK = 5
# More whole numbers than the first, with fewer rows each than the second, are no codes: those repeat.
MAX_RARE_CODES, MIN_ROWS_PER_CODE = 20, 10
# Hours, weeks, states and minutes are at most so many, counted from 0 or 1. More codes have as many rows as classes
# of fractional numbers, and leave gaps; ages, years and scores fill at least this share of their range.
MAX_CODES, MIN_ROWS_PER_MANY, FILLED_SHARE = 60, int(1 / MAX_FRACTIONAL_SHARE), 0.5
# In sets of labels none is there twice but by mistake; in labels of tokens most sentences repeat one.
REPEATING_SHARE, MAX_SHOWN = 0.5, 6
# Options that only labels of one class per row have, so that giving one says that the label is such.
CLASS_OPTIONS = (
    "pred_probs",
    "classes",
    "model",
    "cv",
    "compat",
    "sample_rows",
    "filter_by",
    "min_precision",
    "score",
    "adjust",
)


# Options of the kinds of label that a caller's model may judge, of those flagged by a rule, and of several annotators.
MODEL_OPTIONS = ("pred_probs", "classes", "model", "cv", "compat")
RULE_OPTIONS = ("filter_by", "min_precision", "score", "adjust")
ANNOTATOR_OPTIONS = ("annotator", "item", "consensus")
# What is not listed is an option of every kind.
COMMON_OPTIONS = tuple(
    name
    for name in OPTION_NAMES
    if name not in {*MODEL_OPTIONS, *RULE_OPTIONS, *ANNOTATOR_OPTIONS, "task", "sample_rows", "fdr"}
)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of label: its name as ``task=``, the module that audits it, and what it is called in messages.

    ``options`` are those of an audit that mean something for it. ``subject`` is the word that the checks of test suites
    have in their names for it; grades are checked as classes are. ``several`` where a row, or an item, has several
    labels; ``cannot`` has the reason for each of :data:`dqlabels.audits.abilities.ABILITIES` that it does not have.
    """

    name: Task
    module: str
    words: str
    options: tuple[str, ...]
    subject: str | None = None
    several: bool = False
    cannot: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def streams(self) -> bool:
        """Whether its statistics merge, so that a lazy frame larger than memory is audited in passes."""
        return "streams" not in self.cannot

    def refuse(self, ability: str, what: str) -> NoReturn:
        """Say why this kind of label has no such ability.

        Args:
            ability: One of :data:`dqlabels.audits.abilities.ABILITIES` that it cannot.
            what: What was asked for, in words.

        Raises:
            OptionError: Always.
        """
        raise OptionError(f"{what} is not there for {self.words}: {self.cannot[ability]}")


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "classes", "dqlabels.audits.classes.pipeline", "one class per row",
            (*COMMON_OPTIONS, *MODEL_OPTIONS, *RULE_OPTIONS, "sample_rows"), "label", cannot=abilities.CLASSES,
        ),
        Kind(
            "ordinal", "dqlabels.audits.classes.pipeline", "classes in an order",
            (*COMMON_OPTIONS, *MODEL_OPTIONS, *RULE_OPTIONS, "sample_rows"), cannot=abilities.CLASSES,
        ),
        Kind(
            "regression", "dqlabels.audits.values.pipeline", "numbers",
            (*COMMON_OPTIONS, "fdr"), "value", cannot=abilities.NUMBERS,
        ),
        Kind(
            "annotators", "dqlabels.audits.annotators.pipeline", "several annotators",
            (*COMMON_OPTIONS, *MODEL_OPTIONS, *ANNOTATOR_OPTIONS), "annotator", several=True,
            cannot=abilities.PEOPLE,
        ),
        Kind(
            "multilabel", "dqlabels.audits.tags.pipeline", "several labels per row",
            (*COMMON_OPTIONS, *MODEL_OPTIONS, *RULE_OPTIONS), "tag", several=True,
            cannot=abilities.TAGS,
        ),
        Kind(
            "tokens", "dqlabels.audits.tokens.pipeline", "a label for each token",
            (*COMMON_OPTIONS, *MODEL_OPTIONS, *RULE_OPTIONS), cannot=abilities.SENTENCES,
        ),
    )
}  # fmt: skip


class Resolved(NamedTuple):
    """A kind of label, and what a reader should know of how it was chosen."""

    kind: Kind
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LabelLook:
    """What must be known of a label column to find its kind: counts that do not depend on where its rows lie.

    ``finite`` rows hold a finite number, ``distinct`` of which differ (Spark counts no further than decides it);
    ``least`` and ``largest`` are the ends of their range, ``fractional`` where one is no whole number; ``ordered``
    where the column is a categorical that says its categories have an order.
    """

    name: str
    dtype: nw.dtypes.DType
    rows: int = 0
    finite: int = 0
    distinct: int = 0
    least: float = 0.0
    largest: float = 0.0
    fractional: bool = False
    ordered: bool = False


def kind_of_table(table: Frame, label: str | Sequence[str], options: Options) -> Resolved:
    """The kind of label in a table that is in memory.

    Args:
        table: n rows.
        label: The label column or columns.
        options: What the caller asks for.

    Raises:
        OptionError: An option that contradicts the label or another option.
        LabelColumnError: A column that is not there, or whole numbers that may be amounts.

    >>> import polars as pl
    >>> kind_of_table(nw.from_native(pl.DataFrame({"tags": [["a"], []]})), "tags", Options()).kind.name
    'multilabel'
    >>> kind_of_table(nw.from_native(pl.DataFrame({"y": [at / 7 for at in range(99)]})), "y", Options()).kind.name
    'regression'
    """
    columns = [label] if isinstance(label, str) else list(label)
    if len(columns) == len(table) > 1 and not set(columns) & set(table.columns):
        raise LabelColumnError(
            f"label= is the name of a column, and {len(columns):,} values were passed, as many as the frame has rows. "
            "Put them into the frame and name their column."
        )
    require(table, columns, "label")
    _refuse_one_hot(table, columns, options)
    lists = len(columns) == 1 and holds_lists(table[columns[0]])
    if lists and options.task is None and options.annotator is None:
        _refuse_tokens(table[columns[0]])
    all_boolean = all(table[name].dtype == nw.Boolean for name in columns)
    kind = _said_or_shown(label, options, lists=lists, all_boolean=all_boolean)
    return kind_of_look(lambda: look_at(table[columns[0]]), options) if kind is None else Resolved(kind)


def kind_of_lazy_frame(frame: pl.LazyFrame, label: str, options: Options, shown: Kind | None) -> Resolved:
    """The same for a lazy Polars frame, with the same answer; its labels are read only where the schema is not enough.

    Args:
        frame: n rows.
        label: The label column.
        options: What the caller asks for.
        shown: What :func:`kind_of_schema` says.

    >>> import polars as pl
    >>> kind_of_lazy_frame(pl.LazyFrame({"y": [at / 7 for at in range(99)]}), "y", Options(), None).kind.name
    'regression'
    """
    return kind_of_look(lambda: look_at_lazily(frame, label), options) if shown is None else Resolved(shown)


def kind_of_schema(frame: pl.LazyFrame, label: str | Sequence[str], options: Options) -> Kind | None:
    """The kind of label if the schema settles it; None where the values must be looked at. No row is read."""
    schema = nw.from_native(frame).collect_schema()
    columns = [label] if isinstance(label, str) else list(label)
    require_names(schema.names(), columns, "label")
    lists = len(columns) == 1 and is_list(schema[columns[0]])
    all_boolean = all(schema[name] == nw.Boolean for name in columns)
    return _said_or_shown(label, options, lists=lists, all_boolean=all_boolean)


def kind_of_look(look: Callable[[], LabelLook], options: Options) -> Resolved:
    """The kind of a column with one label per row, from its options or else its values.

    Raises:
        LabelColumnError: Whole numbers that may be amounts as well as classes.

    >>> fractions = LabelLook("y", nw.Float64(), 99, 99, 99, 0.0, 1.0, fractional=True)
    >>> kind_of_look(lambda: fractions, Options()).kind.name
    'regression'
    >>> kind_of_look(lambda: fractions, Options(cv=5)).kind.name
    'classes'
    """
    if options.task is not None:
        return Resolved(KINDS[options.task])
    if class_options(options):
        return Resolved(KINDS["classes"])
    column = look()
    if looks_continuous(column):
        note = (
            f"Column {column.name!r} holds fractional numbers of many values and was audited as numbers. Say "
            "task='regression' to keep that without this note, task='classes' if each number is a class."
        )
        return Resolved(KINDS["regression"], (note,))
    if column.ordered:
        note = (
            f"Column {column.name!r} is an ordered categorical and was audited as grades, where distance counts. Say "
            "task='ordinal' to keep that without this note, task='classes' to leave the order out."
        )
        return Resolved(KINDS["ordinal"], (note,))
    check_whole_numbers(column)
    return Resolved(KINDS["classes"], _questions(column))


def class_options(options: Options) -> list[str]:
    """Which options that only classes have were given a value of their own.

    >>> class_options(Options(score="self_confidence", n_jobs=2))
    ['score']
    """
    return options.not_default(CLASS_OPTIONS)


def looks_continuous(look: LabelLook) -> bool:
    """Whether a column is fractional numbers of so many values that they are amounts rather than classes."""
    if not look.fractional or look.finite < MIN_ROWS_TO_JUDGE:
        return False
    return look.distinct > max_fractional_classes(look.finite)


def check_whole_numbers(look: LabelLook) -> None:
    """Ask about whole numbers that may be amounts, such as ages: as classes, nearly all of them would look wrong.

    Raises:
        LabelColumnError: Naming what to say.

    >>> check_whole_numbers(LabelLook("digit", nw.Int64(), 1_797, 1_797, 10, 0, 9))
    >>> check_whole_numbers(LabelLook("age", nw.Int64(), 9_000, 9_000, 72, 18, 89))
    Traceback (most recent call last):
        ...
    dqlabels.errors.LabelColumnError: Column 'age' holds whole numbers from 18 to 89 (72 values in 9,000 rows): ...
    """
    if may_be_amounts(look):
        raise LabelColumnError(
            f"Column {look.name!r} holds whole numbers from {int(look.least)} to {int(look.largest)} "
            f"({look.distinct:,} values in {look.finite:,} rows): amounts, or a class each? Say task='regression' if "
            "they are ages, counts or other amounts, task='classes' if each is a code, task='ordinal' if they are "
            "grades."
        )


def may_be_amounts(look: LabelLook) -> bool:
    """Whether a column is whole numbers of so many values that they may be amounts as well as codes.

    >>> codes = {"rows": 5_000, "finite": 5_000, "least": 1, "largest": 9_999}
    >>> [may_be_amounts(LabelLook("y", nw.Int64(), distinct=k, **codes)) for k in (50, 90, 120, 600)]
    [False, False, True, True]
    """
    each = look.finite / max(look.distinct, 1)
    if look.fractional or look.rows < MIN_ROWS_TO_JUDGE or each < 2 or look.distinct <= MAX_RARE_CODES:
        return False  # what hardly repeats names rows, which is said where labels are read
    if each < MIN_ROWS_PER_CODE:
        return True
    many, counted = look.distinct > MAX_CODES, look.least in (0, 1)
    if look.distinct >= FILLED_SHARE * (look.largest - look.least + 1):
        return many or not counted
    return many and each < MIN_ROWS_PER_MANY


def max_fractional_classes(finite: int) -> int:
    """The largest number of different fractional values that are still classes, among ``finite`` rows."""
    return int(max(MAX_FRACTIONAL_CLASSES, MAX_FRACTIONAL_SHARE * finite))


def look_at(column: Column) -> LabelLook:
    """Look at a column in memory for its kind.

    >>> import polars as pl
    >>> look_at(nw.from_native(pl.Series("y", [1, 2, 2]), series_only=True)).distinct
    2
    """
    if not holds_numbers(column.dtype):
        return LabelLook(column.name, column.dtype, len(column), ordered=is_ordered(column))
    values = floats(column)
    distinct = np.unique(values[np.isfinite(values)])
    if not distinct.size:
        return LabelLook(column.name, column.dtype, len(column))
    fractional = bool((distinct != np.rint(distinct)).any())
    finite = int(np.isfinite(values).sum())
    least, largest = float(distinct[0]), float(distinct[-1])
    return LabelLook(column.name, column.dtype, len(column), finite, distinct.size, least, largest, fractional)


def look_at_lazily(frame: pl.LazyFrame, label: str) -> LabelLook:
    """Look at a column of a lazy Polars frame for its kind, as :func:`look_at` looks at one in memory."""
    import polars as pl

    dtype = nw.from_native(frame).collect_schema()[label]
    if not holds_numbers(dtype):
        return LabelLook(label, dtype)
    from dqlabels.engines.polars import collect

    values = frame.select(pl.col(label).cast(pl.Float64).alias("value")).filter(pl.col("value").is_finite())
    value = pl.col("value")
    rows = collect(frame.select(pl.len())).item()
    finite, distinct, least, largest, fractional = collect(
        values.select(
            pl.len(),
            value.n_unique().alias("distinct"),
            value.min().alias("least"),
            value.max().alias("largest"),
            (value != value.round()).any().alias("fractional"),
        )
    ).row(0)
    if not finite:
        return LabelLook(label, dtype, rows)
    return LabelLook(label, dtype, rows, finite, distinct, least, largest, bool(fractional))


def holds_numbers(dtype: nw.dtypes.DType) -> bool:
    """Whether a column's values tell whether it holds classes or amounts."""
    return dtype.is_numeric()


def is_ordered(column: Column) -> bool:
    """Whether a pandas categorical says that its categories have an order, and three of them or more occur.

    A Polars Enum lists its categories in an order too, but does not say whether that means anything.
    """
    if not column.implementation.is_pandas_like():
        return False
    return bool(getattr(column.to_native().dtype, "ordered", False)) and column.drop_nulls().n_unique() > 2


def holds_lists(column: Column) -> bool:
    """Whether a label column holds a list of labels per row; numbers with fractions, such as embeddings, are none.

    Lists that went through Parquet come back to pandas as NumPy arrays in an object column.
    """
    if is_list(column.dtype):
        return True
    if column.dtype != nw.Object:
        return False
    present = column.drop_nulls()
    if not len(present):
        return False
    if isinstance(present[0], np.ndarray):
        filled = next((row for row in present.to_list() if np.size(row)), present[0])
        return np.ndim(filled) == 1 and np.asarray(filled).dtype.kind != "f"
    return isinstance(present[0], (list, tuple, set, frozenset))


def _refuse_one_hot(table: Frame, columns: list[str], options: Options) -> None:
    """Raise if several columns are the classes of one label, exactly one of them true in each row."""
    if len(columns) < 2 or options.task is not None or options.annotator is not None or not len(table):
        return
    if not all(table[name].dtype.is_numeric() or table[name].dtype == nw.Boolean for name in columns):
        return
    marks = np.column_stack([table[name].cast(nw.Float64).to_numpy() for name in columns])
    if np.isin(marks, (0, 1)).all() and (marks.sum(axis=1) == 1).all():
        raise OptionError(
            f"In each row exactly one of {', '.join(map(repr, columns[:10]))} is true, as in a label that is one-hot "
            "encoded. Make one column of them, as in frame.assign(label=frame[columns].idxmax(axis=1)), and name it. "
            "If they are something else, say task='annotators' or task='multilabel'."
        )


def _refuse_tokens(column: Column) -> None:
    """Raise if most lists of several labels hold one of them twice: they say what each token is, not what a row has."""
    lists = [[*map(str, entries)] for entries in map(entries_of, column.to_list()) if entries is not None]
    several = [labels for labels in lists if len(labels) > 1]
    repeating = [labels for labels in several if len({*labels}) < len(labels)]
    if len(repeating) > REPEATING_SHARE * len(several):
        raise LabelColumnError(
            f"{len(repeating):,} of {len(several):,} lists of several labels in column {column.name!r} hold one of "
            f"them twice, such as {repeating[0][:MAX_SHOWN]}. Say task='tokens' if each entry is the label of a token, "
            "task='multilabel' if a list is the set of a row's labels."
        )


def is_list(dtype: nw.dtypes.DType) -> bool:
    """Whether a dtype is a list of labels."""
    return isinstance(dtype, nw.List) and dtype.inner not in (nw.Float32, nw.Float64)


def _said_or_shown(label: str | Sequence[str], options: Options, *, lists: bool, all_boolean: bool) -> Kind | None:
    """The kind that the options or the number and type of the columns settle; None for one column of single labels."""
    columns = [label] if isinstance(label, str) else list(label)
    one = isinstance(label, str)
    long = options.annotator is not None or options.item is not None
    kind = KINDS[options.task] if options.task is not None else None
    if kind is None and (long or lists or not one):
        if not long and not one and all_boolean:
            raise OptionError(
                f"Columns {', '.join(map(repr, columns[:10]))} are all Boolean: several annotators of one yes/no "
                "label, or one tag each? Say task='annotators' or task='multilabel'."
            )
        kind = KINDS["multilabel" if lists and not long else "annotators"]
    name = kind.name if kind is not None else "classes"
    if long and name != "annotators":
        raise OptionError(f"annotator= and item= belong to task='annotators', not to {name!r}.")
    if options.consensus is not None and name != "annotators":
        raise OptionError(
            f"consensus={options.consensus!r} is for several annotators; {label!r} is audited as {name!r}."
        )
    if not one and kind is not None and not kind.several:
        raise OptionError(f"label={columns!r} names several columns; task={name!r} takes one.")
    return kind


def _questions(look: LabelLook) -> tuple[str, ...]:
    """What to ask about whole numbers of several values, which may be codes, grades or counts."""
    several = MIN_VALUES_TO_ASK <= look.distinct <= look.finite / 2
    if not several or look.fractional or look.rows < MIN_ROWS_TO_JUDGE:
        return ()
    return (
        f"Column {look.name!r} holds whole numbers from {int(look.least)} to {int(look.largest)} ({look.distinct} "
        "values) and was audited as classes without order. Say task='ordinal' if they are grades, task='regression' if "
        "they are counts or amounts, task='classes' if they are codes and this is right.",
    )
