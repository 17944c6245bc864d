"""Rows that repeat another row exactly or nearly, and whether their labels agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dqlabels.checks.finding import Details, Finding, counted
from dqlabels.checks.space import Space, dimension, log_ratios
from dqlabels.frames.hashing import groups_alike, row_marks
from dqlabels.statistics.arrays import BoolArray, IntArray
from dqlabels.statistics.multiple_testing import benjamini_hochberg

# Near copies differ in no column by more than this share of its interquartile range, or of the usual distance between
# two texts or vectors.
NEAR = 0.1
# Copies must be this many times as common as chance predicts, since columns that depend on each other agree more often.
TIMES_CHANCE = 2.0
MAX_LABELS_LISTED = 4


@dataclass(frozen=True, slots=True, eq=False)
class Copies:
    """Rows that are alike in every feature.

    ``groups`` (n,) is the group of each row, ``pairs`` the number of pairs of such rows, and ``expected`` how many
    pairs are alike by chance with features this coarse; ``by_chance`` says whether that explains the pairs.
    """

    groups: IntArray
    pairs: int
    expected: float
    by_chance: bool


def find_copies(codes: Mapping[str, IntArray], alpha: float) -> Copies:
    """Find rows that are alike in every one of these columns, and say whether chance explains them.

    If a column is independent of the others, then a share c of the pairs that are alike in all others are alike in it
    too, where c is the chance that two rows share its value. So the number of pairs that differ in that column only,
    times c / (1 - c), is the number of pairs that chance makes alike in all columns; the largest such number over the
    columns is expected. Rows are copies if there are twice as many pairs, and more than a Poisson distribution with
    that mean exceeds with probability ``alpha``.

    Args:
        codes: (n,) codes of each column, as ``value_codes`` returns them.
        alpha: Chance of calling rows copies that chance explains, in (0, 1).

    >>> rows = np.arange(50) % 49
    >>> copies = find_copies({"a": rows, "b": rows**2}, 0.01)
    >>> copies.pairs, copies.by_chance
    (1, False)
    """
    from scipy.special import pdtrc

    marks = row_marks(codes)
    total = marks.sum(axis=1, dtype=np.uint64)
    pairs, expected = _pairs(total), 0.0
    every = len(total) * (len(total) - 1) / 2
    for at, column in enumerate(codes.values()):
        shared = _pairs(column) / every if every else 1.0
        if shared < 1:
            expected = max(expected, (_pairs(total - marks[:, at]) - pairs) * shared / (1 - shared))
    many = pairs > 0 and pairs >= TIMES_CHANCE * expected and float(pdtrc(pairs - 1, expected)) <= alpha
    return Copies(groups_alike(marks), pairs, expected, by_chance=pairs > 0 and not many)


def _pairs(keys: NDArray[np.integer]) -> int:
    """Number of pairs that share a key."""
    counts = np.unique(keys, return_counts=True)[1].astype(np.int64)
    return int((counts * (counts - 1) // 2).sum())


def near_pairs(space: Space, alpha: float) -> IntArray:
    """Return the pairs (m, 2) of points that are closer to each other than chance explains.

    If points lie evenly around a point in D dimensions, (distance to the nearest / to the k-th nearest)**D follows
    Beta(1, k - 1). D is estimated from the table; the nearest distances are tested against that distribution with
    Benjamini and Hochberg's correction at ``alpha``, and the pair must also be near in every column (``NEAR``).

    Source: The distribution is that of distances in a Poisson process, as used by Levina & Bickel (2004), NeurIPS 17,
    and Facco et al. (2017), Scientific Reports 7:12140, to estimate D.
    """
    k = space.distances.shape[1]
    p = -np.expm1((k - 1) * np.log1p(-np.minimum(np.exp(dimension(space) * log_ratios(space)), 1 - 1e-16)))
    found = benjamini_hochberg(p[:, 0], alpha)
    if not found.any():
        return np.zeros((0, 2), dtype=np.int64)
    first, place = np.nonzero(p <= p[found, 0].max())
    second = space.neighbours[first, place]
    close = np.ones(first.size, dtype=bool)
    for block in space.blocks.values():
        off = space.points[first, block] - space.points[second, block]
        close &= (off**2).sum(axis=1) <= NEAR**2
    return np.column_stack([first[close], second[close]])


def check_duplicates(
    copies: Copies, near: IntArray | None, space: Space | None, labels: IntArray, names: Sequence[str], why: str = ""
) -> Finding:
    """Report groups of copies and near copies, those with different labels first.

    Args:
        copies: The copies among n rows.
        near: (m, 2) pairs of points of ``space``, or None if near copies were not looked for.
        space: The n rows as points.
        labels: (n,) class of each row, -1 where it has no label.
        names: The names of the K classes.
        why: Why near copies were not looked for, if they were not.
    """
    group, kinds = _groups(copies, near, space)
    n_groups = len(kinds)
    found = group >= 0
    low, high = _extremes(group, labels)
    conflicts = (high >= 0) & (low != high)
    details = _details(group, kinds, conflicts, labels, names)
    mixed = np.zeros(group.size, dtype=bool)
    mixed[found] = conflicts[group[found]]
    return Finding(
        "duplicates",
        "found" if n_groups else "clear",
        " ".join(part for part in (_message(copies, found, conflicts, mixed), why) if part),
        rows=int(found.sum()),
        share=float(found.mean()),
        details=details,
        columns={
            "is_duplicate": found,
            "duplicate_group": np.array([at if at >= 0 else None for at in group.tolist()], dtype=object),
            "is_conflicting_duplicate": mixed,
        },
    )


def _groups(copies: Copies, near: IntArray | None, space: Space | None) -> tuple[IntArray, list[str]]:
    """Group (n,) of each row that repeats another, else -1, numbered by first row; and the kind of each group."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    n = copies.groups.size
    first_of = np.full(int(copies.groups.max(initial=-1)) + 1, n)
    np.minimum.at(first_of, copies.groups, np.arange(n))
    rows = np.arange(n)
    links = [np.zeros((0, 2), dtype=np.int64)]
    if not copies.by_chance:
        links.append(np.column_stack([rows, first_of[copies.groups]]))
    if space is not None and near is not None:
        row_of = np.full(len(space.points), n)
        np.minimum.at(row_of, space.point, rows)
        links.append(row_of[near])
        # All rows at a point of a near pair belong to the group, whatever made them alike.
        same = np.isin(space.point, near) if copies.by_chance else np.ones(n, dtype=bool)
        links.append(np.column_stack([rows[same], row_of[space.point[same]]]))
    joined = np.concatenate(links)
    graph = coo_matrix((np.ones(len(joined), dtype=np.int8), (joined[:, 0], joined[:, 1])), shape=(n, n))
    component = connected_components(graph, directed=False)[1]
    several = np.bincount(component)[component] > 1
    group = np.full(n, -1, dtype=np.int64)
    _, first, inverse = np.unique(component[several], return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first, kind="stable"), kind="stable")
    group[several] = rank[inverse.ravel()]
    low, high = _extremes(group, copies.groups)
    return group, ["copy" if same else "near copy" for same in (low == high).tolist()]


def _extremes(group: IntArray, values: IntArray) -> tuple[IntArray, IntArray]:
    """Smallest and largest of the ``values`` (n,) that are not negative in each group, each (groups,)."""
    rows = np.flatnonzero((group >= 0) & (values >= 0))
    n_groups = int(group.max(initial=-1)) + 1
    low, high = np.full(n_groups, np.iinfo(np.int64).max), np.full(n_groups, -1)
    np.minimum.at(low, group[rows], values[rows])
    np.maximum.at(high, group[rows], values[rows])
    return low, high


def _message(copies: Copies, found: BoolArray, conflicts: BoolArray, mixed: BoolArray) -> str:
    parts = []
    if conflicts.size:
        parts.append(
            f"{counted(int(found.sum()), 'row')} ({found.mean():.1%}) repeat one another exactly or nearly, in "
            f"{counted(conflicts.size, 'group')}"
            + (
                f"; {counted(int(conflicts.sum()), 'group')} ({counted(int(mixed.sum()), 'row')}) "
                f"{'carries' if conflicts.sum() == 1 else 'carry'} different labels, of which at most one can be right."
                if conflicts.any()
                else ", and their labels agree."
            )
        )
    if copies.by_chance:
        parts.append(
            f"{counted(copies.pairs, 'pair')} of rows {'is' if copies.pairs == 1 else 'are'} alike in every feature; "
            f"about {copies.expected:,.0f} are expected by chance with features this coarse, so they are not counted."
        )
    return " ".join(parts) or "No row repeats another."


def _details(
    group: IntArray, kinds: list[str], conflicts: BoolArray, labels: IntArray, names: Sequence[str]
) -> Details:
    rows = np.flatnonzero(group >= 0)
    rows = rows[np.argsort(group[rows], kind="stable")]
    sizes = np.bincount(group[rows], minlength=len(kinds)).astype(np.int64)
    ends = np.cumsum(sizes)
    order = np.lexsort((np.arange(len(kinds)), -sizes, ~conflicts)).tolist()
    members = {at: rows[ends[at] - sizes[at] : ends[at]] for at in order}
    return {
        "group": order,
        "kind": [kinds[at] for at in order],
        "rows": [int(sizes[at]) for at in order],
        "conflicting": [bool(conflicts[at]) for at in order],
        "labels": [_labels_of(labels[members[at]], names) for at in order],
        "first_row": [int(members[at][0]) for at in order],
        "last_row": [int(members[at][-1]) for at in order],
    }


def _labels_of(labels: IntArray, names: Sequence[str]) -> str:
    values, rows = np.unique(labels[labels >= 0], return_counts=True)
    order = np.argsort(-rows, kind="stable")[:MAX_LABELS_LISTED]
    more = ", …" if values.size > MAX_LABELS_LISTED else ""
    return ", ".join(f"{names[values[at]]}: {rows[at]:,}" for at in order) + more
