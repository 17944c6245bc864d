"""What the report shows, as plain values whose size does not grow with the table; pages and charts only draw it."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Mapping
from importlib import metadata
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from dqlabels.errors import OptionError
from dqlabels.frames.columns import ColumnKind, Frame
from dqlabels.frames.hashing import groups_alike, row_marks
from dqlabels.frames.values import value_codes
from dqlabels.report.evidence import Evidence, plain
from dqlabels.report.explanations import MAX_ROWS_PER_CLASS, METHOD, Explanation, explain, shown_class, shown_value
from dqlabels.report.listed_rows import MAX_SAVED_ROWS, MAX_VALUES, ListedRow, Saved, saved_rows
from dqlabels.report.reading import Lead, ReviewCurve, curve_data, lead_of, reading_words
from dqlabels.report.summary import ClassRow, ClassSummary
from dqlabels.report.text import likely_wrong, quality_meaning
from dqlabels.statistics.arrays import FloatArray, IntArray

QUALITY_BINS = 40
MAX_ROWS_IN_REPORT = 1000
# A heat map of more classes cannot be read: the worst are drawn.
MAX_CLASSES_DRAWN = 20
MAX_CLASSES_LISTED = 30
MAX_PAIRS_LISTED = 30
# Columns that speak, in the line of a row.
MAX_CHIPS = 3
# Rows of each cell of the heat map, besides the worst rows of all, and of all cells together.
ROWS_PER_CELL = 2
MAX_MORE_ROWS = 60


class Origin(TypedDict):
    """With which versions a report was written, and when."""

    python: str
    versions: dict[str, str]
    written: str


class _Bins(TypedDict):
    edges: list[float]
    flagged: list[int]
    kept: list[int]
    cut: float | None


class Histogram(_Bins, total=False):
    """Rows by label quality in equal steps of [0, 1], not flagged (``kept``) and flagged.

    ``cut`` is the highest quality that was flagged, if any. ``clean`` says whether every row below it is flagged, so
    that it is a cutoff and not merely the last flagged row.
    """

    clean: bool


class Matrix(TypedDict):
    """Given by suggested label of C classes.

    ``cells`` (C, C) counts flagged rows, and on the diagonal those not flagged; ``shares`` are of the given class,
    ``strength`` is the same over the largest share; ``left_out`` counts the flagged rows of the other classes.
    """

    codes: list[int]
    classes: list[str]
    cells: list[list[int]]
    shares: list[list[float]]
    strength: list[list[float]]
    all_classes: int
    left_out: int


class Pair(TypedDict):
    """Flagged rows with one given and one suggested label, and their share of the given class."""

    given_code: int
    suggested_code: int
    given: str
    suggested: str
    rows: int
    share: float


class RowLabels(TypedDict):
    """One audited row: its number in the frame, its label and suggestion as text, and the quality."""

    row: int
    given: str
    suggested: str
    given_code: int
    suggested_code: int
    quality: float


class RowData(RowLabels):
    """The same with the probabilities of both classes."""

    given_prob: float
    suggested_prob: float


class ShownRow(RowData, ListedRow):
    """One of the worst rows, with its explanation and its other values."""

    explanation: Explanation


class Drawn(TypedDict):
    """What every page draws, and how many rows are flagged."""

    flagged: int
    histogram: Histogram
    review_curve: ReviewCurve


class ReportData(ClassSummary, Drawn):
    """What the page of an audit of classes shows."""

    lead: Lead
    saved: Saved
    quality_meaning: str
    matrix: Matrix
    pairs: list[Pair]
    features: list[str]
    shown: list[ShownRow]
    method: str
    notes: list[str]
    made: Origin
    most_classes: int


def report_facts(
    summary: ClassSummary,
    evidence: Evidence,
    curve: Mapping[str, NDArray[np.generic]],
    table: Frame,
    kinds: Mapping[str, ColumnKind],
    *,
    rows: int,
) -> ReportData:
    """Add to the summary what a page draws: histogram, review curve, matrix, explained worst rows, notes, origin.

    Args:
        summary: What the audit's ``to_dict`` returns.
        evidence: The m audited rows.
        curve: The columns of the audit's review curve.
        table: n rows.
        kinds: The features and their kind.
        rows: How many of the worst rows to show; up to 60 of the worst rows of each cell of the matrix join them.
    """
    matrix, read = confusion_matrix(evidence), curve_data(curve)
    return {
        **summary,
        "classes": ranked_classes(summary),
        "histogram": quality_histogram(evidence.quality, evidence.flagged),
        "review_curve": read,
        "lead": class_lead(summary, read),
        "saved": _saved(evidence, table),
        "quality_meaning": quality_meaning(summary["settings"]),
        "matrix": matrix,
        "pairs": _pairs(evidence),
        "features": list(kinds),
        "shown": shown_rows(evidence, table, kinds, _chosen(evidence, matrix["codes"], rows)),
        "method": METHOD,
        "notes": [*summary["warnings"], *_conflicts(table, kinds, evidence)],
        "made": made_with(table),
        "most_classes": MAX_CLASSES_LISTED,
    }


def class_lead(summary: ClassSummary, curve: ReviewCurve) -> Lead:
    """Return what a page of classes says first."""
    flagged, likely = summary["flagged"], likely_wrong(summary["flagged"], summary["expected_wrong"])
    others = [f"the {summary['model_error']:.1%} on which the model disagrees"]
    if flagged:
        others.insert(0, f"the {summary['flagged_share']:.1%} of rows that are flagged")
    return lead_of(summary["noise_rate"], others, reading_words(curve, flagged, likely))


def _saved(evidence: Evidence, table: Frame) -> Saved:
    """The worst flagged rows as CSV."""
    label = evidence.labels.column.name
    every, kinds = evidence.worst()
    order, classes = every[:MAX_SAVED_ROWS], evidence.classes
    found = zip(
        evidence.codes[order], evidence.suggested[order], evidence.quality[order], kinds[: order.size], strict=True
    )
    answers = [
        (row, plain(classes[given]), plain(classes[suggested]), f"{quality:.6f}", kind)
        for row, (given, suggested, quality, kind) in zip(evidence.positions[order].tolist(), found, strict=True)
    ]
    heads = ("row", label, "suggested_label", "label_quality", "how_sure")
    return saved_rows(heads, answers, table, evidence.positions[order], [label])


def check_rows(rows: int) -> None:
    """Raise unless ``rows`` can be the number of rows to show.

    Raises:
        OptionError: Not a whole number from 1 to 1000.
    """
    if isinstance(rows, bool) or not isinstance(rows, int) or not 1 <= rows <= MAX_ROWS_IN_REPORT:
        raise OptionError(f"rows={rows!r} is not a whole number from 1 to {MAX_ROWS_IN_REPORT}.")


def ranked_classes(summary: ClassSummary) -> list[ClassRow]:
    """Return the class table with the largest flagged share first, and the class names as text."""
    ranked = sorted(summary["classes"], key=lambda one: (-one["flagged_share"], -one["rows"]))
    return [{**one, "class": shown_class(one["class"])} for one in ranked]


def quality_histogram(quality: FloatArray, is_flagged: NDArray[np.bool_]) -> Histogram:
    """Count rows (m,) by label quality in 40 equal steps of [0, 1]."""
    edges = np.linspace(0, 1, QUALITY_BINS + 1)
    flagged, kept = quality[is_flagged], quality[~is_flagged]
    cut = float(flagged.max()) if flagged.size else None
    return {
        "edges": edges.tolist(),
        "flagged": np.histogram(flagged, edges)[0].tolist(),
        "kept": np.histogram(kept, edges)[0].tolist(),
        "cut": cut,
        "clean": bool(cut is not None and (not kept.size or kept.min() > cut)),
    }


def confusion_matrix(evidence: Evidence) -> Matrix:
    """Count rows by given and suggested label, of all classes or of the 20 in the most common pairs."""
    k = len(evidence.classes)
    given, suggested, rows, _ = evidence.pairs()
    codes = np.arange(k)
    if k > MAX_CLASSES_DRAWN:
        codes = _of_commonest(given.tolist(), suggested.tolist())
    place = np.full(k, -1)
    place[codes] = np.arange(codes.size)
    cells = np.zeros((codes.size, codes.size), dtype=np.int64)
    inside = (place[given] >= 0) & (place[suggested] >= 0)
    cells[place[given[inside]], place[suggested[inside]]] = rows[inside]
    class_rows = evidence.class_rows
    shares = cells / np.maximum(class_rows[codes], 1)[:, None]
    strength = shares / max(float(shares.max(initial=0.0)), 1e-9)
    np.fill_diagonal(cells, (class_rows - evidence.class_flags)[codes])
    return {
        "codes": codes.tolist(),
        "classes": [shown_class(evidence.classes[code]) for code in codes],
        "cells": cells.tolist(),
        "shares": shares.tolist(),
        "strength": strength.tolist(),
        "all_classes": k,
        "left_out": int(rows[~inside].sum()),
    }


def _of_commonest(given: list[int], suggested: list[int]) -> IntArray:
    """The classes of the most common pairs, as many as can be drawn."""
    drawn: set[int] = set()
    for pair in zip(given, suggested, strict=True):
        if len(drawn | {*pair}) <= MAX_CLASSES_DRAWN:
            drawn |= {*pair}
    return np.array(sorted(drawn), dtype=np.int64)


def _pairs(evidence: Evidence) -> list[Pair]:
    parts = (part[:MAX_PAIRS_LISTED].tolist() for part in evidence.pairs())
    return [
        {
            "given_code": given,
            "suggested_code": suggested,
            "given": shown_class(evidence.classes[given]),
            "suggested": shown_class(evidence.classes[suggested]),
            "rows": rows,
            "share": share,
        }
        for given, suggested, rows, share in zip(*parts, strict=True)
    ]


def _chosen(evidence: Evidence, drawn: list[int], rows: int) -> IntArray:
    """Places (s,) among the flagged rows, worst first: the worst of all, then the worst of each cell drawn."""
    order, _ = evidence.worst()
    places = np.arange(order.size)
    rest = places[rows:]
    rest = rest[np.isin(evidence.codes[order[rest]], drawn) & np.isin(evidence.suggested[order[rest]], drawn)]
    cells = evidence.codes[order] * len(evidence.classes) + evidence.suggested[order]
    have: dict[int, int] = {}
    for cell in cells[:rows].tolist():
        have[cell] = have.get(cell, 0) + 1
    more: list[int] = []
    for place in rest.tolist():
        cell = int(cells[place])
        if have.get(cell, 0) < ROWS_PER_CELL and len(more) < MAX_MORE_ROWS:
            have[cell] = have.get(cell, 0) + 1
            more.append(place)
    return np.concatenate([places[:rows], np.array(more, dtype=np.int64)])


def shown_rows(
    evidence: Evidence,
    table: Frame,
    kinds: Mapping[str, ColumnKind],
    places: IntArray,
    *,
    max_rows_per_class: int = MAX_ROWS_PER_CLASS,
) -> list[ShownRow]:
    """Return the flagged rows at these places of the worst-first order, with their values and explanations.

    Args:
        evidence: The m audited rows.
        table: n rows.
        kinds: The features and their kind.
        places: (s,) places in the order.
        max_rows_per_class: How many rows of each class they are compared with at most.
    """
    order, all_kinds = evidence.worst()
    shown = order[places]
    if not shown.size:
        return []
    explanations = explain(table, kinds, evidence, shown, max_rows_per_class=max_rows_per_class)
    names = [name for name in table.columns if name in kinds] + [name for name in table.columns if name not in kinds]
    values = _values(table, evidence, shown, names)
    found: list[ShownRow] = []
    for at, (row, explanation) in enumerate(zip(shown.tolist(), explanations, strict=True)):
        explained = {line["column"] for line in (*explanation["toward"], *explanation["against"])}
        rest = [(name, values[name][at]) for name in names if name in values and name not in explained]
        found.append(
            {
                **row_data(evidence, row),
                "kind": all_kinds[int(places[at])],
                "chips": speaking(explanation),
                "says": "",
                "explanation": explanation,
                "values": rest[:MAX_VALUES],
                "more_values": max(len(rest) - MAX_VALUES, 0),
            }
        )
    return found


def speaking(explanation: Explanation) -> list[tuple[str, str]]:
    """Return the columns that speak most for the suggestion, each with its value and how much commoner that is there.

    >>> line = {"column": "x", "value": "3", "where": "3", "ratio": 2.04, "suggested_share": 0.2, "given_share": 0.1}
    >>> speaking({"toward": [line], "against": [], "nearest": []})
    [('x', '3 ×2.0')]
    """
    return [(line["column"], f"{line['value']} {ratio_words(line['ratio'])}") for line in explanation["toward"]][
        :MAX_CHIPS
    ]


def ratio_words(ratio: float) -> str:
    """Return how many times more common, or ÷ how many times less common.

    >>> ratio_words(12.3), ratio_words(0.5)
    ('×12', '÷2.0')
    """
    sign, times = ("×", ratio) if ratio >= 1 else ("÷", 1 / ratio)
    return f"{sign}{times:.1f}" if times < 10 else f"{sign}{times:.0f}"


def _values(table: Frame, evidence: Evidence, shown: IntArray, names: list[str]) -> dict[str, list[str]]:
    part = table[evidence.positions[shown].tolist()]
    taken = {evidence.labels.column.name}
    return {
        name: [shown_value(value) for value in part[name].to_list()]
        for name in names[: 2 * MAX_VALUES]
        if name not in taken
    }


def row_labels(evidence: Evidence, row: int) -> RowLabels:
    """Return the labels of one audited row as plain values."""
    given, suggested = int(evidence.codes[row]), int(evidence.suggested[row])
    return {
        "row": int(evidence.positions[row]),
        "given": shown_class(evidence.classes[given]),
        "suggested": shown_class(evidence.classes[suggested]),
        "given_code": given,
        "suggested_code": suggested,
        "quality": float(evidence.quality[row]),
    }


def row_data(evidence: Evidence, row: int) -> RowData:
    """Return one audited row as plain values."""
    labels = row_labels(evidence, row)
    given, suggested = (float(evidence.probs[row, code]) for code in (labels["given_code"], labels["suggested_code"]))
    return {**labels, "given_prob": given, "suggested_prob": suggested}


def _conflicts(table: Frame, kinds: Mapping[str, ColumnKind], evidence: Evidence) -> list[str]:
    """A note if rows that are alike in every feature carry different labels."""
    if not kinds:
        return []
    rows = evidence.positions
    codes = {name: value_codes(table[name]) for name in kinds}
    groups = groups_alike(row_marks({name: values[rows] for name, values in codes.items()}))
    labels = np.unique(np.column_stack([groups, evidence.codes]), axis=0)[:, 0]
    split = np.bincount(labels, minlength=1) > 1
    if not split.any():
        return []
    mixed = split[groups]
    return [
        f"{int(split.sum()):,} groups of rows alike in every feature carry different labels: {int(mixed.sum()):,} "
        f"rows, the first of them row {int(rows[mixed].min())}. At most one label of each group is right, unless "
        "the features leave out what tells them apart."
    ]


def made_with(table: Frame) -> Origin:
    """Return with which versions the report is written, and when."""
    library = str(table.implementation.value)
    versions = {name: _version(name) for name in ("numpy", "scikit-learn", "narwhals", library)}
    return {
        "python": platform.python_version(),
        "versions": {name: version for name, version in versions.items() if version},
        "written": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
