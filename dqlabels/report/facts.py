"""What the report shows, as one plain dict whose size does not grow with the table."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Mapping
from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dqlabels.errors import OptionError
from dqlabels.frames.columns import ColumnKind, Frame
from dqlabels.frames.hashing import groups_alike, row_marks
from dqlabels.frames.values import codes_of
from dqlabels.report.evidence import Evidence
from dqlabels.report.explanations import METHOD, explain, shown_value

IntArray = NDArray[np.int64]

QUALITY_BINS = 40
MOST_ROWS_IN_REPORT = 1000
# A heat map of more classes cannot be read: the worst are drawn.
MOST_CLASSES_DRAWN = 20
MOST_CLASSES_LISTED = 30
MOST_PAIRS_LISTED = 30
# Of a row, beside those that tell; of a cell of the heat map, beside the worst rows of all.
MOST_VALUES = 24
ROWS_A_CELL = 2
MOST_MORE_ROWS = 60


def report_facts(
    summary: Mapping[str, Any], evidence: Evidence, table: Frame, kinds: Mapping[str, ColumnKind], *, rows: int
) -> dict[str, Any]:
    """The summary with what a page draws: histogram, matrix, worst rows with reasons, notes on the data, origin.

    Args:
        summary: As ``LabelAudit.to_dict`` gives it.
        evidence: Of the m audited rows.
        table: n rows.
        kinds: The features and their kind.
        rows: How many of the worst rows; the worst of each cell of the matrix join them, 60 at most.
    """
    matrix = confusion_matrix(evidence)
    return {
        **summary,
        "classes": ranked_classes(summary),
        "histogram": quality_histogram(evidence),
        "matrix": matrix,
        "pairs": _pairs(evidence),
        "features": list(kinds),
        "shown": shown_rows(evidence, table, kinds, _chosen(evidence, matrix["codes"], rows)),
        "method": METHOD,
        "notes": [*summary["warnings"], *_conflicts(table, kinds, evidence)],
        "made": made_with(table),
        "most_classes": MOST_CLASSES_LISTED,
    }


def check_rows(rows: int) -> None:
    """Refuse a number of rows to show that is none.

    Raises:
        OptionError: Not a whole number from 1 to 1000.
    """
    if isinstance(rows, bool) or not isinstance(rows, int) or not 1 <= rows <= MOST_ROWS_IN_REPORT:
        raise OptionError(f"rows={rows!r} is not a whole number from 1 to {MOST_ROWS_IN_REPORT}.")


def ranked_classes(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The class table with the largest flagged share first, its names as a person reads them."""
    ranked = sorted(summary["classes"], key=lambda one: (-one["flagged_share"], -one["rows"]))
    return [{**one, "class": shown_value(one["class"])} for one in ranked]


def quality_histogram(evidence: Evidence) -> dict[str, Any]:
    """Rows by label quality in 40 equal steps of [0, 1], flagged and not, and the highest quality that was flagged.

    ``clean`` says whether every row below that quality is flagged, so that it is a cut and not a mere edge.
    """
    edges = np.linspace(0, 1, QUALITY_BINS + 1)
    flagged, kept = evidence.quality[evidence.flagged], evidence.quality[~evidence.flagged]
    cut = float(flagged.max()) if flagged.size else None
    return {
        "edges": edges.tolist(),
        "flagged": np.histogram(flagged, edges)[0].tolist(),
        "kept": np.histogram(kept, edges)[0].tolist(),
        "cut": cut,
        "clean": bool(cut is not None and (not kept.size or kept.min() > cut)),
    }


def confusion_matrix(evidence: Evidence) -> dict[str, Any]:
    """Given → suggested rows of all classes, or of the 20 in the commonest pairs; ``left_out`` counts the others.

    The diagonal of ``cells`` holds the rows that were not flagged. ``shares`` are of the given class, ``strength``
    the same over the largest of them.
    """
    k = len(evidence.classes)
    given, suggested, rows, _ = evidence.pairs()
    codes = np.arange(k)
    if k > MOST_CLASSES_DRAWN:
        codes = _of_commonest(given.tolist(), suggested.tolist())
    place = np.full(k, -1)
    place[codes] = np.arange(codes.size)
    cells = np.zeros((codes.size, codes.size), dtype=np.int64)
    inside = (place[given] >= 0) & (place[suggested] >= 0)
    cells[place[given[inside]], place[suggested[inside]]] = rows[inside]
    class_rows = evidence.class_rows
    flagged = np.bincount(evidence.codes[evidence.flagged], minlength=k)
    shares = cells / np.maximum(class_rows[codes], 1)[:, None]
    strength = shares / max(float(shares.max(initial=0.0)), 1e-9)
    np.fill_diagonal(cells, (class_rows - flagged)[codes])
    return {
        "codes": codes.tolist(),
        "classes": [shown_value(evidence.classes[code]) for code in codes],
        "cells": cells.tolist(),
        "shares": shares.tolist(),
        "strength": strength.tolist(),
        "all_classes": k,
        "left_out": int(rows[~inside].sum()),
    }


def _of_commonest(given: list[int], suggested: list[int]) -> IntArray:
    """The classes of the commonest pairs, as many as can be drawn."""
    drawn: set[int] = set()
    for pair in zip(given, suggested, strict=True):
        if len(drawn | {*pair}) <= MOST_CLASSES_DRAWN:
            drawn |= {*pair}
    return np.array(sorted(drawn), dtype=np.int64)


def _pairs(evidence: Evidence) -> list[dict[str, Any]]:
    parts = (part[:MOST_PAIRS_LISTED].tolist() for part in evidence.pairs())
    return [
        {
            "given_code": given,
            "suggested_code": suggested,
            "given": shown_value(evidence.classes[given]),
            "suggested": shown_value(evidence.classes[suggested]),
            "rows": rows,
            "share": share,
        }
        for given, suggested, rows, share in zip(*parts, strict=True)
    ]


def _chosen(evidence: Evidence, drawn: list[int], rows: int) -> IntArray:
    """(s,) places among the flagged rows, worst first: the worst of all, and the worst of each cell drawn."""
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
        if have.get(cell, 0) < ROWS_A_CELL and len(more) < MOST_MORE_ROWS:
            have[cell] = have.get(cell, 0) + 1
            more.append(place)
    return np.concatenate([places[:rows], np.array(more, dtype=np.int64)])


def shown_rows(
    evidence: Evidence, table: Frame, kinds: Mapping[str, ColumnKind], places: IntArray
) -> list[dict[str, Any]]:
    """The flagged rows at these places of the worst-first order, with their values and reasons."""
    order, all_kinds = evidence.worst()
    shown = order[places]
    if not shown.size:
        return []
    reasons = explain(table, kinds, evidence, shown)
    names = [name for name in table.columns if name in kinds] + [name for name in table.columns if name not in kinds]
    values = _values(table, evidence, shown, names)
    found = []
    for at, (row, reason) in enumerate(zip(shown.tolist(), reasons, strict=True)):
        told = {line["column"] for line in (*reason["toward"], *reason["against"])}
        rest = [(name, values[name][at]) for name in names if name in values and name not in told]
        found.append(
            {
                **row_facts(evidence, row),
                "kind": all_kinds[int(places[at])],
                "reason": reason,
                "values": rest[:MOST_VALUES],
                "more_values": max(len(rest) - MOST_VALUES, 0),
            }
        )
    return found


def _values(table: Frame, evidence: Evidence, shown: IntArray, names: list[str]) -> dict[str, list[str]]:
    part = table[evidence.positions[shown].tolist()]
    taken = {evidence.labels.column.name}
    return {
        name: [shown_value(value) for value in part[name].to_list()]
        for name in names[: 2 * MOST_VALUES]
        if name not in taken
    }


def row_facts(evidence: Evidence, row: int) -> dict[str, Any]:
    """One audited row: its number in the frame, its label and suggestion as they read, quality and probabilities."""
    given, suggested = int(evidence.codes[row]), int(evidence.suggested[row])
    return {
        "row": int(evidence.positions[row]),
        "given": shown_value(evidence.classes[given]),
        "suggested": shown_value(evidence.classes[suggested]),
        "given_code": given,
        "suggested_code": suggested,
        "quality": float(evidence.quality[row]),
        "given_prob": float(evidence.probs[row, given]),
        "suggested_prob": float(evidence.probs[row, suggested]),
    }


def _conflicts(table: Frame, kinds: Mapping[str, ColumnKind], evidence: Evidence) -> list[str]:
    """A note where rows that are alike in every feature carry different labels."""
    if not kinds:
        return []
    rows = evidence.positions
    codes = codes_of(table, kinds)
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


def made_with(table: Frame) -> dict[str, Any]:
    """With which versions a report is made, and when."""
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
