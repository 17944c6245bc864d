"""Options that several commands take, as they are written on a command line."""

from __future__ import annotations

from typing import Any


def split(listed: str | None) -> list[str] | None:
    """Names with commas between."""
    return None if listed is None else [name.strip() for name in listed.split(",") if name.strip()]


def folds(cv: str | None) -> Any:
    """A number of folds, or the name of a way to split."""
    return int(cv) if cv is not None and cv.isdecimal() else cv


def as_labels(table: Any, label: str, classes: list[str]) -> list[Any]:
    """The classes as the label column holds them, found by how they are written."""
    if label not in table.columns:
        return list(classes)
    written = {str(value): value for value in table[label].unique().to_list()}
    return [written.get(name, name) for name in classes]
