"""Tables of a page that are alike for every kind of label: the parts of the labels, and segments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict

from dqlabels.report.draw import round_up

How = Literal["head", "text", "count", "share", "bar", "rate", "number"]
# The least share that a full bar stands for, so that 2.9% do not fill it.
MIN_FULL_BAR = 0.10
MAX_SEGMENTS_LISTED = 100


class SectionColumn(TypedDict):
    """A column of a section: the key of its values, its heading, and how they are shown.

    ``rate`` is a share with the ends of its interval under the same key with ``_low`` and ``_high``.
    """

    name: str
    head: str
    how: How


class Section(TypedDict):
    """A table with a title, of which the first ``most`` rows are shown; bars end at the share ``full``."""

    id: str
    title: str
    caption: str
    columns: list[SectionColumn]
    rows: list[dict[str, object]]
    full: float
    most: int


def section_of(
    name: str,
    title: str,
    columns: Sequence[tuple[str, str, How]],
    rows: Sequence[Mapping[str, object]],
    *,
    caption: str = "",
    most: int = MAX_SEGMENTS_LISTED,
) -> Section:
    """Return a section.

    Args:
        name: Its anchor.
        title: Its heading.
        columns: The key of each column, its heading, and how it is shown.
        rows: The values.
        caption: A sentence above the table.
        most: How many rows to show.

    >>> section_of("tags", "Which tags", [("tag", "Tag", "head"), ("share", "Share", "bar")], [{"share": 0.02}])["full"]
    0.1
    """
    bars = [key for key, _, how in columns if how == "bar"]
    full = full_bar([row[key] for row in rows for key in bars])
    if bars:
        caption = f"{caption} A full bar is {full:.0%}.".strip()
    listed: list[SectionColumn] = [{"name": key, "head": head, "how": how} for key, head, how in columns]
    return {
        "id": name, "title": title, "caption": caption, "columns": listed, "rows": [dict(row) for row in rows],
        "full": full, "most": most,
    }  # fmt: skip


def full_bar(shares: Sequence[object]) -> float:
    """Return the share that fills a bar: a round one above the largest, one for all bars of a table.

    >>> full_bar([0.029, None]), full_bar([0.307])
    (0.1, 0.4)
    """
    return max(round_up(max((share for share in shares if isinstance(share, float)), default=0.0)), MIN_FULL_BAR)


def segments_section(by: str, segments: Sequence[Mapping[str, object]]) -> Section:
    """Return the section of the segments of a column.

    Args:
        by: The column.
        segments: Plain values of each, the worst first.
    """
    columns: list[tuple[str, str, How]] = [
        (by, "Value", "head"),
        ("rows", "Rows", "count"),
        ("flagged", "Flagged", "count"),
        ("noise_rate", "Estimated noise", "rate"),
        ("expected_wrong", "Wrong among the flagged", "number"),
    ]
    caption = (
        f"Values of {by} with the highest noise rate first. Each rate is drawn towards the table's as far as chance "
        "explains that they differ."
    )
    return section_of("segments", "Which segments", columns, segments, caption=caption)
