"""Groups of rows that the model fails on, as rules a person can read."""

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
from dqlabels.statistics.multiple_testing import holm

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

# Rules of so many conditions at most; so many groups at most.
DEPTH, MAX_GROUPS = 3, 5
# Of the searched half: groups of fewer rows are not looked at.
MIN_ROWS, MIN_SHARE = 15, 0.02
# A group matters with this many times the error of all other rows, and so much more of it.
TIMES, POINTS = 1.5, 0.10
# More rows than this are no group but what is usual: of most tables some third is harder than the rest.
MAX_SHARE = 0.3
# A group of which more than this share is in a worse one says nothing new.
MAX_OVERLAP = 0.5
DATE_PARTS = ("", "month of ", "weekday of ", "hour of ")


@dataclass(frozen=True, slots=True)
class Question:
    """What one readable number of a row says: ``name`` at most a bound, or ``name`` being ``value``."""

    name: str
    value: str | None = None
    date: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Questions:
    """``matrix`` (n, q) float64 with NaN where missing, and what each of the q columns asks."""

    matrix: FloatArray
    asked: tuple[Question, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What the model says of m rows, out of sample.

    ``wrong`` (m,) is whether the likeliest class is not the label, ``expected`` (m,) how likely the model thought that:
    1 less that class's probability.
    """

    wrong: BoolArray
    expected: FloatArray


def readable(table: Frame, kinds: Mapping[str, ColumnKind]) -> Questions:
    """The features of n rows as numbers that a rule in words can be made of; texts and vectors have none."""
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
    """(n, v) one column for each of the commonest values."""
    values = [*(["missing"] if encoder.missing else []), *(repr(value) for value in encoder.values)]
    if part.shape[1] == len(values):
        return part, values
    counts = np.array([*([encoder.missing] if encoder.missing else []), *encoder.counts])
    common = np.argsort(-counts, kind="stable")[:MAX_ONE_HOT]
    if len(values) == 2:
        common = np.array([1])
    return (part[:, :1] == common).astype(np.float64), [values[at] for at in common.tolist()]


def check_groups(
    questions: Questions, marks: NDArray[np.uint64], answers: Answers, rows: IntArray, n: int, alpha: float
) -> Finding:
    """Rules under which the model's out-of-sample answer differs from the label far more often than elsewhere.

    A tree of three levels on one half of the rows proposes groups, the other half tests them (Fisher's exact test, one
    side), and the reverse; all tests together are corrected with Holm's method. Which half a row is in follows from
    what it holds, so rows that are alike are never on both sides and the order of the rows does not matter. Rates are
    those of the half that tested.

    Args:
        questions: Of the m rows that have a label.
        marks: (m,) of each row, equal where rows are alike.
        answers: Of the m rows.
        rows: (m,) their place among all n rows.
        n: All rows.
        alpha: The chance that any group is named where errors have nothing to do with the features.

    Source: slices by a decision tree as in Chung et al. (2019), ICDE; halves make the test independent of the search.
    """
    half = _halves(marks)
    found = [*_proposed(questions, answers, half), *_proposed(questions, answers, ~half)]
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
        _says(groups) or "No group of rows was found on which the model fails more often than elsewhere.",
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
    """A rule, its rows (m,), and what the half that did not propose it says of it."""

    rule: str
    rows: BoolArray
    tested: int
    error: float
    elsewhere: float
    expected: float
    p: float

    @property
    def matters(self) -> bool:
        """Whether the error is so much larger that it is worth a word."""
        return self.error >= TIMES * self.elsewhere and self.error - self.elsewhere >= POINTS


def _halves(marks: NDArray[np.uint64]) -> BoolArray:
    """(m,) which half each row is in: the different rows in the order of their marks, dealt out at random."""
    different, at = np.unique(marks, return_inverse=True)
    dealt = np.random.default_rng(0xD91).permutation(different.size) % 2 == 0
    half: BoolArray = dealt[at.ravel()]
    return half


def _proposed(questions: Questions, answers: Answers, search: BoolArray) -> list[Group]:
    """The nodes of a tree grown on the rows ``search`` (m,) whose error is above the mean, tested on the others."""
    from scipy.stats import hypergeom
    from sklearn.tree import DecisionTreeRegressor

    test, wrong = ~search, answers.wrong
    fewest = max(MIN_ROWS, int(np.ceil(MIN_SHARE * search.sum())))
    if not questions.matrix.shape[1] or min(search.sum(), test.sum()) < 2 * fewest or not wrong[search].any():
        return []
    tree = DecisionTreeRegressor(max_depth=DEPTH, min_samples_leaf=fewest, random_state=0)
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
        rule, expected = _rule(tree.tree_, node, questions, inside), float(answers.expected[here].mean())
        error, elsewhere = float(wrong[here].mean()), float(wrong[there].mean())
        groups.append(Group(rule, rows, int(here.sum()), error, elsewhere, expected, float(p)))
    return groups


def _worst_first(found: Sequence[Group]) -> list[Group]:
    """The surest groups, without those that a surer one covers, largest error first."""
    kept: list[Group] = []
    for group in sorted(found, key=lambda one: (one.p, one.rule)):
        shared = [(group.rows & other.rows).sum() / min(group.rows.sum(), other.rows.sum()) for other in kept]
        if max(shared, default=0.0) <= MAX_OVERLAP and len(kept) < MAX_GROUPS:
            kept.append(group)
    return sorted(kept, key=lambda one: (-one.error, one.rule))


def _rule(tree: Any, node: int, questions: Questions, inside: BoolArray) -> str:
    """The conditions that lead to a node, one for each column."""
    parents = {
        int(child): (at, side)
        for at in range(tree.node_count)
        for side, child in (("low", tree.children_left[at]), ("high", tree.children_right[at]))
        if child >= 0
    }
    bounds: dict[int, dict[str, float]] = {}
    gone: dict[int, bool] = {}
    at = node
    while at:
        above, side = parents[at]
        feature, cut = int(tree.feature[above]), float(tree.threshold[above])
        mine = bounds.setdefault(feature, {})
        mine.setdefault(side, cut)  # from the bottom up: the first is the tightest
        gone[feature] = bool((np.isnan(questions.matrix[:, feature]) & inside[:, node]).any())
        at = above
    return " and ".join(_condition(questions.asked[f], bounds[f], gone[f]) for f in sorted(bounds))


def _condition(question: Question, bounds: Mapping[str, float], gone: bool) -> str:
    """One column's part of a rule; ``low`` is the bound that values are at most, ``high`` the one they are above."""
    missing = " (or missing)" if gone else ""
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


def _says(groups: Sequence[Group]) -> str:
    if not groups:
        return ""
    worst = groups[0]
    more = f" {counted(len(groups) - 1, 'more group')} in the table." if len(groups) > 1 else ""
    return (
        f"The model's answer differs from the label in {worst.error:.0%} of the {worst.tested:,} rows tested where "
        f"{worst.rule}, against {worst.elsewhere:.0%} elsewhere (the model expected {worst.expected:.0%} here): these "
        f"rows are harder, or their labels worse.{more}"
    )
