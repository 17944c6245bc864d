"""What each check needs of an audit, and the checks in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from dqlabels.checks.classes import check_classes
from dqlabels.checks.duplicates import check_duplicates, find_copies, near_pairs
from dqlabels.checks.features import check_features
from dqlabels.checks.finding import Finding
from dqlabels.checks.groups import ModelErrors, Questions, check_groups, readable
from dqlabels.checks.order import FEATURE, LABELS, QUALITY, Series, check_order
from dqlabels.checks.outliers import check_outliers
from dqlabels.checks.space import MIN_POINTS, Space, as_points, find_neighbours
from dqlabels.errors import FeatureError, OptionError
from dqlabels.frames.columns import Column, ColumnKind, Frame, require
from dqlabels.frames.conversion import as_floats, as_moments
from dqlabels.frames.hashing import row_marks
from dqlabels.frames.values import value_codes
from dqlabels.report.evidence import Evidence
from dqlabels.report.explanations import shown_value
from dqlabels.statistics.arrays import FloatArray, IntArray

CHECKS = ("features", "classes", "duplicates", "outliers", "groups", "order")
# The time to compare all pairs of rows grows with the square of their number: about 20 s on two cores for this many.
MAX_ROWS = 50_000
ALPHA = 0.01
# Values of a category that are followed along the rows.
MAX_VALUES = 15


@dataclass(frozen=True, eq=False)
class Subject:
    """What the checks look at: n rows without the columns of the audit, and the evidence of the m audited rows.

    ``kinds`` are the features that the labels were judged by; ``time`` is the column that orders the rows, if any.
    """

    table: Frame
    label: str
    kinds: Mapping[str, ColumnKind]
    evidence: Evidence
    alpha: float
    most_rows: int
    time: str | None
    n_jobs: int | None

    @cached_property
    def codes(self) -> dict[str, IntArray]:
        """Codes (n,) of the values of each column except the label."""
        return {name: value_codes(self.table[name]) for name in self.table.columns if name != self.label}

    @cached_property
    def marks(self) -> NDArray[np.uint64]:
        """Mark (n,) of each row, equal where rows are alike in every feature."""
        return np.asarray(row_marks({name: self.codes[name] for name in self.kinds}).sum(1, dtype=np.uint64))

    @cached_property
    def class_names(self) -> list[str]:
        """Names of the K classes as text."""
        return [str(value) for value in self.evidence.classes]

    @cached_property
    def space(self) -> Space | None:
        """The neighbour graph, or None if there are too few distinct rows or too many rows."""
        if self.too_many:
            return None
        return find_neighbours(*as_points(self.table, self.kinds), self.n_jobs)

    @cached_property
    def questions(self) -> Questions:
        """What rules can ask about the n rows."""
        return readable(self.table, self.kinds)

    @property
    def too_many(self) -> bool:
        """Whether there are too many rows to compare with each other."""
        return len(self.table) > self.most_rows

    @property
    def no_graph(self) -> str:
        """Why there is no neighbour graph."""
        if self.too_many:
            return (
                f"{len(self.table):,} rows are more than the {self.most_rows:,} that are compared with each other; "
                "pass most_rows= to compare them all, or check a sample of the rows."
            )
        return f"Fewer than {MIN_POINTS} rows differ in their features."


def run_checks(subject: Subject, checks: Sequence[str]) -> tuple[Finding, ...]:
    """Run these checks in the order of ``CHECKS``."""
    return tuple(_CHECK[name](subject) for name in CHECKS if name in checks)


def chosen_checks(checks: str | Iterable[str] | None, too_many: bool, why: str) -> tuple[str, ...]:
    """Return the checks that were asked for, or all if none were named.

    Raises:
        OptionError: There is no such check, or it cannot run on this many rows.
    """
    if checks is None:
        return CHECKS
    names = (checks,) if isinstance(checks, str) else tuple(checks)
    unknown = [name for name in names if name not in CHECKS]
    if unknown or not names:
        raise OptionError(f"checks={names!r}: the checks are {', '.join(map(repr, CHECKS))}.")
    if too_many and "outliers" in names:
        raise OptionError(f"checks={names!r}: {why}")
    return names


def _features(subject: Subject) -> Finding:
    return check_features(subject.codes, subject.kinds)


def _classes(subject: Subject) -> Finding:
    labels = subject.evidence.labels
    words = all(isinstance(value, str) for value in labels.classes)
    return check_classes(subject.class_names, labels.codes, labels.counts, words=words)


def _duplicates(subject: Subject) -> Finding:
    if not subject.kinds:
        return Finding("duplicates", "not run", "There are no features to compare rows by.")
    copies = find_copies({name: subject.codes[name] for name in subject.kinds}, subject.alpha)
    space = subject.space
    near = None if space is None else near_pairs(space, subject.alpha)
    why = "" if space is not None else f"Near copies were not looked for: {subject.no_graph}"
    return check_duplicates(copies, near, space, subject.evidence.labels.codes, subject.class_names, why)


def _outliers(subject: Subject) -> Finding:
    if subject.space is None:
        return Finding("outliers", "not run", f"Outliers were not looked for: {subject.no_graph}")

    def shown(name: str, row: int) -> str:
        return shown_value(subject.table[name][row], max_length=30) or "missing"

    return check_outliers(subject.space, subject.alpha, shown)


def _groups(subject: Subject) -> Finding:
    evidence = subject.evidence
    rows = evidence.positions
    questions = subject.questions
    wrong = evidence.probs.argmax(axis=1) != evidence.codes
    errors = ModelErrors(wrong, 1 - evidence.probs.max(axis=1))
    if not questions.asked:
        return Finding("groups", "not run", "There are no features that a rule could use.")
    marks = subject.marks[rows]
    of_rows = Questions(questions.matrix[rows], questions.asked)
    return check_groups(of_rows, marks, errors, rows, len(subject.table), subject.alpha)


def _order(subject: Subject) -> Finding:
    series = [*_label_series(subject), *_feature_series(subject)]
    if subject.time is None:
        return check_order(series, "the order of the rows", subject.alpha, np.arange(len(subject.table)))
    times = time_values(subject.table, subject.time)
    order = np.flatnonzero(~np.isnan(times))
    order = order[np.argsort(times[order], kind="stable")]
    moments = np.unique(times[order], return_inverse=True)[1].astype(np.int64)
    column = subject.table[subject.time]
    named = repr(subject.time)
    return check_order(series, named, subject.alpha, order, moments, lambda row: shown_value(column[row]))


def _label_series(subject: Subject) -> list[Series]:
    evidence, n = subject.evidence, len(subject.table)
    codes = evidence.labels.codes
    known = codes >= 0
    found = [
        Series(LABELS, subject.label, np.where(known, codes == k, np.nan), repr(name))
        for k, name in enumerate(subject.class_names)
    ]
    if not known.all():
        found.append(Series(LABELS, subject.label, (~known).astype(float), "a missing label"))
    quality, flagged = np.full((2, n), np.nan)
    quality[evidence.positions], flagged[evidence.positions] = evidence.quality, evidence.flagged
    return [
        *found,
        Series(QUALITY, "label_quality", quality),
        Series(QUALITY, "label_quality", flagged, "a flagged label"),
    ]


def _feature_series(subject: Subject) -> list[Series]:
    found: list[Series] = []
    for name, kind in subject.kinds.items():
        if name == subject.time:
            continue
        codes = subject.codes[name]
        missing = codes < 0
        if missing.any() and not missing.all():
            found.append(Series(FEATURE, name, missing.astype(float), "missing"))
        if kind in ("number", "date"):
            found.append(Series(FEATURE, name, _numbers(subject.questions, name)))
        elif kind in ("category", "boolean"):
            rows = np.bincount(codes[~missing], minlength=1)
            for value in np.argsort(-rows, kind="stable")[:MAX_VALUES].tolist():
                shown = repr(shown_value(subject.table[name][int(np.argmax(codes == value))]))
                found.append(Series(FEATURE, name, np.where(missing, np.nan, codes == value), shown))
    return found


def _numbers(questions: Questions, name: str) -> FloatArray:
    at = next(at for at, question in enumerate(questions.asked) if question.name == name)
    return questions.matrix[:, at]


def time_values(table: Frame, time: str) -> FloatArray:
    """Return the moment (n,) of each row, NaN where it is unknown.

    Raises:
        FeatureError: There is no such column.
        OptionError: It holds no dates or numbers, or all are missing.
    """
    require(table, [time], "time")
    column = table[time]
    try:
        values = as_floats(column, "a number") if column.dtype.is_numeric() else _moments(column)
    except FeatureError as error:
        first = shown_value(column.drop_nulls()[0])
        raise OptionError(
            f"time={time!r} holds {column.dtype}, such as {first}, which does not order the rows. "
            "Name a column of dates, or of numbers that grow with time."
        ) from error
    if np.isnan(values).all():
        raise OptionError(f"time={time!r}: no row has a value, so there is no order. Name another column.")
    return values


def _moments(column: Column) -> FloatArray:
    zone = getattr(column.dtype, "time_zone", None) if column.dtype == nw.Datetime else None
    return as_floats(as_moments(column, "a date or a number", zone).dt.timestamp("us"), "a date")


_CHECK: dict[str, Callable[[Subject], Finding]] = {
    "features": _features,
    "classes": _classes,
    "duplicates": _duplicates,
    "outliers": _outliers,
    "groups": _groups,
    "order": _order,
}
