"""Columns that are empty, constant or mostly missing, and rows without a single feature."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from dqlabels.checks.finding import Finding, counted, listed
from dqlabels.statistics.arrays import IntArray

# A column that is missing in at least this share of the rows is worth mentioning.
MOSTLY_MISSING = 0.5


def check_features(codes: Mapping[str, IntArray], features: Iterable[str]) -> Finding:
    """Report columns that are empty, constant or missing in half of the rows, and rows without a single feature.

    These are facts about the table: nothing is tested, so nothing can be a false alarm.

    Args:
        codes: (n,) codes of each column except the label, as ``value_codes`` returns them, n at least 1.
        features: The columns that the labels are judged by.

    >>> check_features({"a": np.array([0, 0]), "b": np.array([0, 1])}, ["a", "b"]).says
    "1 column holds one value in every row: 'a'."
    """
    rows = len(next(iter(codes.values()))) if codes else 0
    missing = {name: int((column < 0).sum()) for name, column in codes.items()}
    distinct = {name: int(np.unique(column[column >= 0]).size) for name, column in codes.items()}
    kinds = {name: _kind(missing[name], distinct[name], rows) for name in codes}
    blank = np.ones(rows, dtype=bool)
    judged = [name for name in features if name in codes]
    for name in judged:
        blank &= codes[name] < 0
    blank &= bool(judged)
    names = sorted(codes, key=lambda name: (not kinds[name], -missing[name]))
    says = _message(kinds, missing, rows, int(blank.sum()))
    return Finding(
        "features",
        "found" if says else "clear",
        says or "No column is empty, constant or missing in half of the rows, and no row lacks every feature.",
        rows=int(blank.sum()),
        share=float(blank.mean()) if rows else 0.0,
        details={
            "column": names,
            "missing": [missing[name] for name in names],
            "missing_share": [missing[name] / max(rows, 1) for name in names],
            "values": [distinct[name] for name in names],
            "kind": [kinds[name] for name in names],
        },
        columns={"is_blank": blank},
    )


def _kind(missing: int, distinct: int, rows: int) -> str:
    if missing == rows:
        return "empty"
    if distinct == 1 and missing == 0:
        return "constant"
    return "mostly missing" if missing >= MOSTLY_MISSING * rows else ""


def _message(kinds: Mapping[str, str], missing: Mapping[str, int], rows: int, blank: int) -> str:
    by_kind = {
        kind: [name for name in kinds if kinds[name] == kind] for kind in ("empty", "constant", "mostly missing")
    }
    parts = []
    if names := by_kind["empty"]:
        parts.append(f"{counted(len(names), 'column')} {_verb(names, 'hold')} no value: {listed(names)}.")
    if names := by_kind["constant"]:
        parts.append(f"{counted(len(names), 'column')} {_verb(names, 'hold')} one value in every row: {listed(names)}.")
    if names := by_kind["mostly missing"]:
        worst = max(names, key=lambda name: missing[name])
        parts.append(
            f"{counted(len(names), 'column')} {'is' if len(names) == 1 else 'are'} missing in half of the rows or "
            f"more: {listed(names)} (at most {missing[worst] / rows:.0%})."
        )
    if blank:
        parts.append(f"{counted(blank, 'row')} {'lacks' if blank == 1 else 'lack'} every feature.")
    return " ".join(parts)


def _verb(names: list[str], verb: str) -> str:
    return f"{verb}s" if len(names) == 1 else verb
