"""Groups of rows on which the model fails, described by readable rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dqlabels.checks.finding import Finding, counted
from dqlabels.frames.columns import ColumnKind, Frame
from dqlabels.frames.encoders import MAX_ONE_HOT, CategoryEncoder, DateEncoder
from dqlabels.frames.features import FeatureEncoder
from dqlabels.statistics.arrays import BoolArray, FloatArray, IntArray
from dqlabels.statistics.multiple_testing import holm

# At most this many conditions per rule, and this many groups.
DEPTH, MAX_GROUPS = 3, 5
# Smaller groups, or smaller shares of the searched half, are not considered.
MIN_ROWS, MIN_SHARE = 15, 0.02
# A group matters if its error is this many times that of all other rows, and larger by this much.
TIMES, POINTS = 1.5, 0.10
# A larger share is not a group but the usual case: in most tables some third of the rows is harder than the rest.
MAX_SHARE = 0.3
# A group that shares more of its rows than this with a worse one adds nothing.
MAX_OVERLAP = 0.5
DATE_PARTS = ("", "month of ", "weekday of ", "hour of ")


@dataclass(frozen=True, slots=True)
class Question:
    """A condition that a rule can hold: ``name`` is at most some bound, or ``name`` is ``value``."""

    name: str
    value: str | None = None
    date: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Questions:
    """What rules can ask: ``matrix`` (n, q) with NaN where missing, and what each of its q columns asks."""

    matrix: FloatArray
    asked: tuple[Question, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ModelErrors:
    """How often the model differs from the label, out of sample, and how often it expected to.

    ``wrong`` (m,) is true where the likeliest class is not the label, ``expected`` (m,) is 1 less the probability of
    the likeliest class.
    """

    wrong: BoolArray
    expected: FloatArray


def readable(table: Frame, kinds: Mapping[str, ColumnKind]) -> Questions:
    """Return the features of n rows as questions that a readable rule can ask; texts and vectors have none."""
    parts: list[FloatArray] = []
    asked: list[Question] = []
    for name, kind in kinds.items():
        if kind in ("text", "vector"):
            continue
        encoder, encoded = FeatureEncoder.fit_encode(table.select(name), {name: kind})
        rule, part = encoder.encoders[name], encoded.matrix.astype(np.float64)
        if isinstance(rule, CategoryEncoder):
            part, values = _common_values(part, rule)
            asked += [Question(name, value) for value in values]
        elif isinstance(rule, DateEncoder) and rule.form in ("date", "datetime"):
            asked += [Question(f"{DATE_PARTS[at]}{name}", date=at == 0) for at in range(part.shape[1])]
        elif kind == "boolean":
            asked.append(Question(name, "true"))
        else:
            asked.append(Question(name))
        parts.append(part)
    return Questions(np.hstack(parts) if parts else np.zeros((len(table), 0)), tuple(asked))


def _common_values(part: FloatArray, encoder: CategoryEncoder) -> tuple[FloatArray, list[str]]:
    """One column (n, v) for each of the most common values."""
    values = [*(["missing"] if encoder.missing else []), *(repr(value) for value in encoder.values)]
    if part.shape[1] == len(values):
        return part, values
    counts = np.array([*([encoder.missing] if encoder.missing else []), *encoder.counts])
    common = np.argsort(-counts, kind="stable")[:MAX_ONE_HOT]
    if len(values) == 2:
        common = np.array([1])
    return (part[:, :1] == common).astype(np.float64), [values[at] for at in common.tolist()]


def check_groups(
    questions: Questions, marks: NDArray[np.uint64], errors: ModelErrors, rows: IntArray, n: int, alpha: float
) -> Finding:
    """Find rules under which the model differs from the label far more often than elsewhere.

    A tree of three levels proposes groups on one half of the rows and the other half tests them (Fisher's exact test,
    one-sided), and vice versa; all tests together are corrected with Holm's method. The half that a row belongs to
    follows from its content, so rows that are alike are in the same half, and the order of the rows does not matter.
    Rates are those of the half that tested.

    Args:
        questions: What rules can ask about the m rows with a label.
        marks: (m,) mark of each row, equal where rows are alike.
        errors: Where the model is wrong.
        rows: (m,) places of these rows among all n rows.
        n: Number of rows.
        alpha: Chance that any group is named if errors have nothing to do with the features.

    Source: Slices by a decision tree as in Chung et al. (2019), ICDE; halves make the test independent of the search.
    """
    half = _halves(marks)
    found = [*_proposed(questions, errors, half), *_proposed(questions, errors, ~half)]
    if found:
        kept = holm(np.array([group.p for group in found]), alpha)
        found = [group for group, significant in zip(found, kept, strict=True) if significant and group.matters]
    groups = _worst_first(found)
    inside = np.zeros(n, dtype=bool)
    named = np.full(n, None, dtype=object)
    for group in reversed(groups):
        inside[rows[group.rows]] = True
        named[rows[group.rows]] = group.rule
    return Finding(
        "groups",
        "found" if groups else "clear",
        _message(groups) or "No group of rows was found on which the model fails more often than elsewhere.",
        rows=int(inside.sum()),
        share=float(inside.mean()),
        details={
            "rule": [group.rule for group in groups],
            "rows": [int(group.rows.sum()) for group in groups],
            "error": [group.error for group in groups],
            "error_elsewhere": [group.elsewhere for group in groups],
            "expected_error": [group.expected for group in groups],
            "tested_rows": [group.tested for group in groups],
            "p_value": [group.p for group in groups],
        },
        columns={"failing_group": named},
    )


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """A rule, its rows (m,), and its figures in the half of the rows that did not propose it."""

    rule: str
    rows: BoolArray
    tested: int
    error: float
    elsewhere: float
    expected: float
    p: float

    @property
    def matters(self) -> bool:
        """Whether the error is so much larger that it is worth mentioning."""
        return self.error >= TIMES * self.elsewhere and self.error - self.elsewhere >= POINTS


def _halves(marks: NDArray[np.uint64]) -> BoolArray:
    """The half (m,) that each row is in: distinct rows, in the order of their marks, are dealt out at random."""
    different, at = np.unique(marks, return_inverse=True)
    dealt = np.random.default_rng(0xD91).permutation(different.size) % 2 == 0
    return np.asarray(dealt[at.ravel()])


def _proposed(questions: Questions, errors: ModelErrors, search: BoolArray) -> list[Group]:
    """Nodes with an error above the mean of a tree grown on the rows ``search`` (m,), tested on the other rows."""
    from scipy.stats import hypergeom
    from sklearn.tree import DecisionTreeRegressor

    test, wrong = ~search, errors.wrong
    min_rows = max(MIN_ROWS, int(np.ceil(MIN_SHARE * search.sum())))
    if not questions.matrix.shape[1] or min(search.sum(), test.sum()) < 2 * min_rows or not wrong[search].any():
        return []
    tree = DecisionTreeRegressor(max_depth=DEPTH, min_samples_leaf=min_rows, random_state=0)
    matrix = questions.matrix.astype(np.float32)
    tree.fit(matrix[search], wrong[search])
    inside = tree.decision_path(matrix).toarray().astype(bool)
    groups = []
    for node in range(1, tree.tree_.node_count):
        rows = inside[:, node]
        here, there = rows & test, ~rows & test
        large = rows[search].mean() > MAX_SHARE
        if large or wrong[rows & search].mean() <= wrong[search].mean() or not here.any() or not there.any():
            continue
        p = hypergeom.sf(wrong[here].sum() - 1, test.sum(), wrong[test].sum(), here.sum())
        rule, expected = _rule(tree.tree_, node, questions, inside), float(errors.expected[here].mean())
        error, elsewhere = float(wrong[here].mean()), float(wrong[there].mean())
        groups.append(Group(rule, rows, int(here.sum()), error, elsewhere, expected, float(p)))
    return groups


def _worst_first(found: Sequence[Group]) -> list[Group]:
    """The most significant groups, without those that a more significant one covers, largest error first."""
    chosen: list[Group] = []
    for group in sorted(found, key=lambda one: (one.p, one.rule)):
        shared = [(group.rows & other.rows).sum() / min(group.rows.sum(), other.rows.sum()) for other in chosen]
        if max(shared, default=0.0) <= MAX_OVERLAP and len(chosen) < MAX_GROUPS:
            chosen.append(group)
    return sorted(chosen, key=lambda one: (-one.error, one.rule))


def _rule(tree: Any, node: int, questions: Questions, inside: BoolArray) -> str:
    """The conditions that lead to a node, one per column."""
    parents = {
        int(child): (at, side)
        for at in range(tree.node_count)
        for side, child in (("low", tree.children_left[at]), ("high", tree.children_right[at]))
        if child >= 0
    }
    bounds: dict[int, dict[str, float]] = {}
    missing: dict[int, bool] = {}
    at = node
    while at:
        above, side = parents[at]
        feature, cut = int(tree.feature[above]), float(tree.threshold[above])
        mine = bounds.setdefault(feature, {})
        mine.setdefault(side, cut)  # from the bottom up: the first is the tightest
        missing[feature] = bool((np.isnan(questions.matrix[:, feature]) & inside[:, node]).any())
        at = above
    return " and ".join(_condition(questions.asked[f], bounds[f], missing[f]) for f in sorted(bounds))


def _condition(question: Question, bounds: Mapping[str, float], or_missing: bool) -> str:
    """The part of a rule about one column; values are at most ``low`` and above ``high``."""
    missing = " (or missing)" if or_missing else ""
    if question.value is not None:
        sign = "=" if "high" in bounds else "≠"
        return f"{question.name} {sign} {question.value}{missing}"
    say = _day if question.date else _number
    if len(bounds) == 2:
        return f"{say(bounds['high'])} < {question.name} ≤ {say(bounds['low'])}{missing}"
    (side, cut), *_ = bounds.items()
    return f"{question.name} {'≤' if side == 'low' else '>'} {say(cut)}{missing}"


def _number(value: float) -> str:
    return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"


def _day(value: float) -> str:
    return str(np.datetime64(int(np.floor(value)), "D"))


def _message(groups: Sequence[Group]) -> str:
    if not groups:
        return ""
    worst = groups[0]
    more = f" {counted(len(groups) - 1, 'more group')} in the table." if len(groups) > 1 else ""
    return (
        f"The model's answer differs from the label in {worst.error:.0%} of the {worst.tested:,} rows tested where "
        f"{worst.rule}, against {worst.elsewhere:.0%} elsewhere (the model expected {worst.expected:.0%} here): these "
        f"rows are harder, or their labels worse.{more}"
    )
