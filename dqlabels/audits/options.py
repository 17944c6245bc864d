"""The options of an audit, written down once: their types, defaults, meanings and what each may be.

:class:`Options` is what travels. Signatures, help texts, the command line and the checks of the test suites are made
from it. Nothing heavy is imported here, so that ``help(df.labels.audit)`` shows the options without loading numpy.
"""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import numbers
import sys
import textwrap
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar, cast, get_args

from dqlabels.errors import OptionError, UnknownOptionError
from dqlabels.models.sizes import Sizes

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Self

    from dqlabels.frames.media import Embedding
    from dqlabels.progress import ProgressOption

Task = Literal["classes", "ordinal", "regression", "annotators", "multilabel", "tokens"]
FilterBy = Literal[
    "expected_f1",
    "prune_by_noise_rate",
    "prune_by_class",
    "both",
    "confident_learning",
    "predicted_neq_given",
    "low_self_confidence",
    "low_normalized_margin",
]
Score = Literal["logit_margin", "normalized_margin", "self_confidence", "confidence_weighted_entropy"]
Consensus = Literal["crowdlab", "ibcc", "dawid_skene", "majority"]
Compat = Literal["cleanlab"]

AUDIT_COLUMNS = ("label_quality", "suggested_label", "is_label_issue")
# The rate of false discoveries among flagged numbers where none is asked for.
FDR = 0.10
MIN_SAMPLE_ROWS = 100

# What people type who know the option by another library's name.
OTHER_NAMES = {
    "classifier": "model",
    "clf": "model",
    "estimator": "model",
    "columns": "features",
    "feature_columns": "features",
    "drop": "exclude",
    "ignore": "exclude",
    "filter": "filter_by",
    "method": "filter_by",
    "rule": "filter_by",
    "threshold": "filter_by",
    "folds": "cv",
    "n_splits": "cv",
    "group": "groups",
    "kind": "task",
    "probs": "pred_probs",
    "probabilities": "pred_probs",
    "proba": "pred_probs",
    "quality": "score",
    "rng": "random_state",
    "seed": "random_state",
    "random_seed": "random_state",
    "sample_size": "sample_rows",
    "threads": "n_jobs",
    "workers": "n_jobs",
    "verbose": "progress",
    "weight": "sample_weight",
    "weights": "sample_weight",
    "who": "annotator",
}

# The options by what they are about, for a message that lists them all.
OPTION_GROUPS = {
    "the label": ("task", "annotator", "item", "consensus", "classes"),
    "the columns": ("features", "exclude", "embed", "groups", "sample_weight", "names"),
    "the model": ("model", "cv", "pred_probs", "sample_rows"),
    "the flags": ("filter_by", "min_precision", "score", "adjust", "fdr", "compat"),
    "the run": ("random_state", "n_jobs", "progress"),
}
MAX_IN_ONE_LIST = 8

Check = Callable[[str, Any], Any]
Function = TypeVar("Function", bound=Callable[..., Any])


def option(default: Any, meaning: str, check: Check | None = None) -> Any:
    """Return a field with its meaning, and what turns a value of it into the one to keep or refuses it.

    Where the default is None, None leaves the option out and is not checked.
    """

    def check_given(name: str, value: Any) -> Any:
        return value if check is None or (value is None and default is None) else check(name, value)

    return field(default=default, metadata={"meaning": meaning, "check": check_given})


def checked(check: Check, name: str, value: Any) -> Any:
    """Return the value that a check makes of this one; None is refused."""
    if value is None:
        raise OptionError(f"{name}={value!r} is no limit.")
    return check(name, value)


def checked_field(record: type[Any], name: str, value: Any, written: str = "") -> Any:
    """Return what a dataclass of options makes of a value for one of its fields.

    Args:
        record: A dataclass whose fields were made by :func:`option`.
        name: Its field.
        value: What the caller passed.
        written: What the caller calls it, for the message, where that is another name.

    Raises:
        OptionError: A value that means nothing there.
    """
    (check,) = (one.metadata["check"] for one in fields(record) if one.name == name)
    return check(written or name, value)


def check_fields(record: Any) -> None:
    """Check each field of a dataclass of options that was just made, and keep what the check returns."""
    for one in fields(record):
        object.__setattr__(record, one.name, one.metadata["check"](one.name, getattr(record, one.name)))


def choice(choices: Any) -> Check:
    """Return a check that a value is one of a ``Literal``'s."""
    values = get_args(choices)

    def check(name: str, value: object) -> object:
        if isinstance(value, str) and value in values:
            return value
        close = difflib.get_close_matches(str(value), values, 1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise OptionError(f"{name}={value!r} is none of {', '.join(map(repr, values))}.{hint}")

    return check


def _boolean(name: str, value: object) -> bool:
    if isinstance(value, bool) or type(value).__name__ in ("bool_", "bool"):
        return bool(value)
    raise OptionError(f"{name}={value!r} is neither True nor False.")


def _whole(name: str, value: object, least: int, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
        raise OptionError(f"{name}={value!r} is not a whole number of at least {least:,}{what}.")
    return int(value)


def _seed(name: str, value: object) -> int:
    return _whole(name, value, 0, "")


def _sample_rows(name: str, value: object) -> int:
    return _whole(name, value, MIN_SAMPLE_ROWS, ", the rows that the model of a large table is fitted on")


def _threads(name: str, value: object) -> int | None:
    if value == -1 and not isinstance(value, bool):
        return None
    return _whole(name, value, 1, "; leave it out, or pass -1, to use every core")


def _share(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, numbers.Real)) or not 0 < float(value) < 1:
        raise OptionError(f"{name}={value!r} is not a share between 0 and 1; for 5% pass 0.05.")
    return float(value)


def _names(name: str, value: object) -> tuple[str, str, str]:
    listed = () if isinstance(value, str) or not isinstance(value, Iterable) else tuple(value)
    if len(listed) != 3 or len(set(listed)) != 3 or not all(isinstance(one, str) and one for one in listed):
        raise OptionError(f"{name}={value!r} must be three different names: quality, suggestion, flag.")
    return cast("tuple[str, str, str]", listed)


def _columns(name: str, value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    listed = tuple(value) if isinstance(value, Iterable) else None
    if listed is None or not all(isinstance(one, str) or _is_counted(one) for one in listed):
        raise OptionError(f"{name}={value!r} is not a list of column names.")
    return tuple(str(one) for one in listed)


def _is_counted(value: object) -> bool:
    """Whether a column may have this number as its name, as pandas gives them to an array."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _column(name: str, value: object) -> str:
    if isinstance(value, str):
        return value
    raise OptionError(f"{name}={value!r} is not the name of a column.")


def _column_or_values(name: str, value: object) -> Any:
    if isinstance(value, str) or (hasattr(value, "__len__") and not isinstance(value, (dict, set))):
        return value
    raise OptionError(f"{name}={value!r} is neither the name of a column nor one value for each row.")


def _classes(name: str, value: object) -> tuple[object, ...]:
    if isinstance(value, (str, bytes, set, frozenset)) or not isinstance(value, Iterable):
        raise OptionError(f"{name}={value!r} is not a list of classes in the order of the probability columns.")
    return tuple(value)


def _probabilities(name: str, value: object) -> Any:
    if isinstance(value, str):
        return [value]
    if hasattr(value, "__len__") and not isinstance(value, (str, bytes, dict, set)):
        return value
    raise OptionError(f"{name}={value!r} is neither a list of column names nor an array of one row per row.")


def _embeddings(name: str, value: object) -> dict[str, Embedding]:
    if not isinstance(value, Mapping):
        raise OptionError(
            f"{name}={value!r} is not a mapping from columns to 'image' or a callable, as in "
            f"{name}={{'photo': 'image'}}."
        )
    return dict(value)


def _folds(name: str, value: object) -> Any:
    if value == "time" or (hasattr(value, "split") and not isinstance(value, str)):
        return value
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        return _whole(name, value, 2, "; pass at least 2 folds")
    raise OptionError(f"{name}={value!r} is no number of folds of at least 2, no splitter and not 'time'.")


def _progress(name: str, value: object) -> Any:
    if isinstance(value, bool) or callable(value):
        return value
    raise OptionError(f"{name}={value!r} is not True, False, None or a callable that takes (done, total).")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Options:
    """What a caller asks of an audit; every value was checked when this was made.

    Raises:
        OptionError: A value that means nothing here, named with what it may be.

    >>> Options(random_state=3).score
    'logit_margin'
    >>> Options(fdr=2)
    Traceback (most recent call last):
    dqlabels.errors.OptionError: fdr=2 is not a share between 0 and 1; for 5% pass 0.05.
    """

    task: Task | None = option(
        None,
        "What the label holds: 'classes'; 'ordinal' for classes in an order; 'regression' for numbers, dates and "
        "durations; 'annotators' for several people's labels; 'multilabel' for several labels per row; 'tokens' for a "
        "list of labels, one for each token of a sentence. By default it is read off the label: one column is one "
        "class per row, numbers where it holds many fractional ones, ordinal where it is an ordered pandas "
        "categorical; several columns are annotators, a column of lists is multilabel.",
        choice(Task),
    )
    annotator: str | None = option(None, "Long format (one row per label): the column naming the annotator.", _column)
    item: str | None = option(None, "Long format (one row per label): the column naming what was labelled.", _column)
    consensus: Consensus | None = option(
        None,
        "How several annotators' labels become one: 'crowdlab' (the default where there are features), 'ibcc', "
        "'dawid_skene' or 'majority'.",
        choice(Consensus),
    )
    features: Sequence[str] | None = option(
        None,
        "Columns to judge by; by default all others. Identifiers and copies of the label are left out.",
        _columns,
    )
    exclude: Iterable[str] = option((), "Columns not to judge by.", _columns)
    embed: Mapping[str, Embedding] | None = option(
        None,
        "Columns to turn into vectors first: a mapping from the name to 'image' (bytes or paths of files), or to a "
        "callable that takes the values present and returns (m, d) numbers, such as a sentence-embedding model's "
        "encode.",
        _embeddings,
    )
    pred_probs: Sequence[str] | NDArray[Any] | None = option(
        None,
        "Your own out-of-sample probabilities, as K column names or an (n, K) array; no model is trained then. A list "
        "of these, of several models, is made one. For tokens a column of lists of probability vectors.",
        _probabilities,
    )
    classes: Sequence[Any] | None = option(
        None, "The class of each probability column, K of them, in the order of the columns.", _classes
    )
    model: Any = option(
        None,
        "A classifier with scikit-learn's interface, which is cross-validated, or a list of several, whose answers are "
        "made one; by default bagged extra-trees judged out of bag.",
    )
    cv: Any = option(None, "Folds for model: a number, a scikit-learn splitter, or 'time'.", _folds)
    groups: str | NDArray[Any] | None = option(
        None,
        "A column name or (n,) values; rows of one group are never on both sides of a split.",
        _column_or_values,
    )
    sample_weight: str | NDArray[Any] | None = option(
        None, "A column name or (n,) non-negative weights for fitting.", _column_or_values
    )
    filter_by: FilterBy = option(
        "expected_f1",
        "The rule that flags rows, one of dqlabels.FILTERS: by default the worst rows, as many as give the best "
        "expected F1 and are at least 10% likely wrong; with compat='cleanlab' its 'prune_by_noise_rate'.",
        choice(FilterBy),
    )
    min_precision: float | None = option(
        None, "Flag only rows of which at least this share is expected to be wrong, in (0, 1).", _share
    )
    score: Score = option(
        "logit_margin",
        "What ranks the labels, one of dqlabels.SCORES; label_quality is the probability that follows from it. With "
        "compat='cleanlab' label_quality is the score itself, by default its 'normalized_margin'.",
        choice(Score),
    )
    adjust: bool = option(
        False,
        "Subtract each class's mean confidence before scoring, so that the rows of a hard class are not all low.",
        _boolean,
    )
    fdr: float = option(FDR, "Numbers only: the expected share of right values among the flagged, in (0, 1).", _share)
    names: tuple[str, str, str] = option(AUDIT_COLUMNS, "The three columns to add: quality, suggestion, flag.", _names)
    compat: Compat | None = option(
        None, "'cleanlab' reproduces cleanlab 2.9 where it departs from the paper.", choice(Compat)
    )
    sample_rows: int | None = option(
        None,
        "In a table of more than 200,000 rows: how many of them the model is fitted on, by default 200,000.",
        _sample_rows,
    )
    random_state: int = option(0, "Seeds every random choice; the global generators are left alone.", _seed)
    n_jobs: int | None = option(
        None, "Number of threads, by default one for each core; the answer does not depend on it.", _threads
    )
    progress: ProgressOption = option(
        None,
        "Whether to show progress: True, False, a callable that takes (done, total), or None to show it where the work "
        "is long and somebody looks.",
        _progress,
    )
    sizes: Sizes = option(Sizes(), "When a table is large, and what its models take: no option of a user's.")

    def __post_init__(self) -> None:
        check_fields(self)

    @classmethod
    def of(cls, values: Mapping[str, Any], call: str, only: Collection[str] | None = None) -> Self:
        """Check what a caller passed by keyword.

        Args:
            values: Values by the name that the caller wrote.
            call: What was called, as ``help()`` takes it, for the message.
            only: The options that this call takes; by default all.

        Raises:
            OptionError: A value that means nothing here.
            UnknownOptionError: A name that is no option of this call, with the one that was likely meant.

        >>> Options.of({"seed": 1}, "dqlabels.audit")
        Traceback (most recent call last):
        dqlabels.errors.UnknownOptionError: dqlabels.audit has no option 'seed'. Did you mean random_state=?
        """
        refuse_unknown(values, OPTION_NAMES if only is None else only, call)
        return cls(**values)

    def changed(self, **values: Any) -> Self:
        """The same options with other values for some.

        >>> Options(random_state=3).changed(score="self_confidence").random_state
        3
        """
        return dataclasses.replace(self, **values)

    def with_defaults_of_compat(self) -> Self:
        """The same options, with the other library's rule and score where its numbers are asked for and ours are set.

        >>> Options(compat="cleanlab").with_defaults_of_compat().filter_by
        'prune_by_noise_rate'
        """
        if self.compat is None:
            return self
        rule = "prune_by_noise_rate" if self.filter_by == "expected_f1" else self.filter_by
        score = "normalized_margin" if self.score == "logit_margin" else self.score
        return self.changed(filter_by=rule, score=score)

    def not_default(self, names: Iterable[str]) -> list[str]:
        """Those of ``names`` whose value is not the default one.

        >>> Options(random_state=3).not_default(["random_state", "score"])
        ['random_state']
        """
        return [name for name in names if not _same(getattr(self, name), DEFAULTS[name])]


def _same(value: object, default: object) -> bool:
    plain = isinstance(value, (str, float, tuple, bool)) and type(value) is type(default)
    return value is default or (plain and bool(value == default))


DEFAULTS: dict[str, object] = {one.name: one.default for one in fields(Options) if one.name != "sizes"}
OPTION_NAMES = tuple(DEFAULTS)
# By what an auditor is fitted, and by what it flags; what was settled when it was fitted is no option of a batch.
FITTING = (
    "features", "exclude", "embed", "model", "cv", "groups", "sample_weight", "filter_by", "min_precision", "score",
    "adjust", "names",
    "compat", "sample_rows", "random_state", "n_jobs", "progress",
)  # fmt: skip
# What a saved auditor was fitted with; how many threads it takes and what it shows are all there is left to choose.
SETTLED = tuple(name for name in OPTION_NAMES if name not in ("n_jobs", "progress"))
# Options whose meaning is the same on Spark, where no model of the caller's runs.
SPARK = (
    "task", "features", "exclude", "pred_probs", "classes", "filter_by", "min_precision", "score", "adjust", "fdr",
    "names", "sample_rows", "random_state",
)  # fmt: skip


class SharedOptions(TypedDict, total=False):
    """The options of every engine, for editors and type checkers."""

    features: Sequence[str] | None
    exclude: Iterable[str]
    filter_by: FilterBy
    min_precision: float | None
    score: Score
    adjust: bool
    names: tuple[str, str, str]
    sample_rows: int | None
    random_state: int


class FittingOptions(SharedOptions, total=False):
    """The options of :class:`~dqlabels.LabelAuditor`, for editors and type checkers."""

    embed: Mapping[str, Embedding] | None
    model: Any
    cv: Any
    groups: str | NDArray[Any] | None
    sample_weight: str | NDArray[Any] | None
    compat: Compat | None
    n_jobs: int | None
    progress: ProgressOption


class TableOptions(FittingOptions, total=False):
    """The options of an audit that do not say which kind of label it is of."""

    consensus: Consensus | None
    pred_probs: Sequence[str] | NDArray[Any] | None
    classes: Sequence[Any] | None
    fdr: float


class AuditOptions(TableOptions, total=False):
    """The options of :func:`dqlabels.audit`, for editors and type checkers."""

    task: Task | None
    annotator: str | None
    item: str | None


class SparkOptions(SharedOptions, total=False):
    """The options of :func:`dqlabels.spark.audit`, for editors and type checkers."""

    task: Task | None
    fdr: float
    pred_probs: Sequence[str] | None
    classes: Sequence[Any] | None


def refuse_unknown(given: Iterable[str], known: Collection[str], call: str) -> None:
    """Refuse names that a call does not know.

    Raises:
        UnknownOptionError: With the option that was likely meant, or with all there are.

    >>> refuse_unknown(["colour"], ["cv", "fdr"], "suite")
    Traceback (most recent call last):
    dqlabels.errors.UnknownOptionError: suite has no option 'colour'. Its options are cv, fdr. See help(suite).
    """
    unknown = [name for name in given if name not in known]
    if not unknown:
        return
    name = unknown[0]
    meant = OTHER_NAMES.get(name.lower())
    close = difflib.get_close_matches(name, known, 1)
    likely = meant if meant in known else close[0] if close else None
    elsewhere = f" {name}= is an option of dqlabels.audit." if name in OPTION_NAMES else ""
    hint = (
        f" Did you mean {likely}=?" if likely else f"{elsewhere} Its options are {_grouped(known)}. See help({call})."
    )
    raise UnknownOptionError(f"{call} has no option {name!r}.{hint}")


def _grouped(known: Collection[str]) -> str:
    """List the options of a call: a few as they are, many by what they are about, the call's own first."""
    if len(known) <= MAX_IN_ONE_LIST:
        return ", ".join(known)
    groups = [", ".join(name for name in known if name not in OPTION_NAMES)]
    for subject, names in OPTION_GROUPS.items():
        listed = ", ".join(name for name in names if name in known)
        groups.append(f"{listed} (about {subject})" if listed else "")
    return "; ".join(filter(None, groups))


def documented(names: Iterable[str] = OPTION_NAMES) -> Callable[[Function], Function]:
    """Give a function that takes ``**options`` their signature, and a docstring that says what each means.

    In the docstring a line ``{options}`` stands for the options.

    Args:
        names: The options it takes.
    """
    return documented_fields(Options, names)


def documented_fields(
    record: type[Any], names: Iterable[str], marker: str = "{options}"
) -> Callable[[Function], Function]:
    """Give a function that takes fields of ``record`` by keyword their signature and their meanings.

    Args:
        record: A dataclass whose fields were made by :func:`option`.
        names: Those that the function takes.
        marker: The line of the docstring that stands for them.
    """
    chosen = set(names)
    chosen_fields = [one for one in fields(record) if one.name in chosen]

    def decorate(function: Function) -> Function:
        written = inspect.signature(function)
        own = [one for one in written.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
        by_keyword = [
            inspect.Parameter(
                one.name, inspect.Parameter.KEYWORD_ONLY, default=one.default, annotation=_shown(record, one)
            )
            for one in chosen_fields
        ]
        function.__signature__ = written.replace(parameters=[*own, *by_keyword])  # type: ignore[attr-defined]
        if function.__doc__:
            function.__doc__ = _with_meanings(function.__doc__, chosen_fields, marker)
        return function

    return decorate


def _shown(record: type[Any], one: dataclasses.Field[Any]) -> str:
    """A field's type as a reader of ``help()`` wants it: the choices instead of their name."""
    alias, *rest = str(one.type).split(" | ")
    choices = vars(sys.modules[record.__module__]).get(alias)
    return " | ".join([str(choices).replace("typing.", ""), *rest]) if get_args(choices) else str(one.type)


def _with_meanings(text: str, chosen_fields: Iterable[dataclasses.Field[Any]], placeholder: str) -> str:
    marker = next((line for line in text.splitlines() if line.strip() == placeholder), None)
    if marker is None:
        return text
    indent = marker[: len(marker) - len(marker.lstrip())]
    lines = []
    for one in chosen_fields:
        meaning = f"{one.name}: {one.metadata['meaning']}"
        lines += textwrap.wrap(meaning, 116, initial_indent=indent, subsequent_indent=indent + "    ")
    return text.replace(marker, "\n".join(lines), 1)
