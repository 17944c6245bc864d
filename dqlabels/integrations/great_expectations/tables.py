"""Tables of the details of a result, as Great Expectations shows them; it escapes the cells, which are parameters."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from great_expectations.render import RenderedStringTemplateContent, RenderedTableContent
from great_expectations.render.view.view import DefaultJinjaView

MAX_ROWS = 10
# Earlier versions put parameters into the page as they are.
ESCAPED_THERE = hasattr(DefaultJinjaView, "_escape_template_param_value")

Row: TypeAlias = Mapping[str, Any]
Cell: TypeAlias = Callable[[Row], str]
# Part of a page: text, a table, or something folded away. Great Expectations' own annotations allow only some.
Block: TypeAlias = Any


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the details: its title, its columns by their heading, and how many rows are shown."""

    title: str
    columns: Mapping[str, Cell]
    max_rows: int = 5

    def blocks(self, rows: Sequence[Row]) -> list[Block]:
        """The table under its title; nothing where there are no rows."""
        if not rows:
            return []
        cells = [
            [text("$value", {"value": cell(row)}) for cell in self.columns.values()] for row in rows[: self.max_rows]
        ]
        styling = {"body": {"classes": ["table-bordered", "table-sm", "mt-1", "mb-3"]}}
        heading = text(self.title, {}, classes=["mt-3", "font-weight-bold"], tag="div")
        header = [text(head, {}, classes=["px-1"]) for head in self.columns]
        return [heading, RenderedTableContent(table=cells, header_row=header, styling=styling)]


def shown(name: str) -> Cell:
    """A column of labels or other values."""
    return lambda row: value_text(row[name])


def count(name: str) -> Cell:
    """A column of whole numbers."""
    return lambda row: f"{row[name]:,}"


def share(name: str) -> Cell:
    """A column of shares, in percent; a dash where one is not known."""
    return lambda row: "–" if row[name] is None else f"{row[name]:.1%}"


def value_text(value: object) -> str:
    """A label, or several: the labels of a list separated by commas, those of several people after who gave them."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {value_text(label)}" for name, label in value.items())
    if isinstance(value, list):
        return ", ".join(map(value_text, value)) or "none"
    return "–" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


ROWS = Table(
    "Most suspicious rows",
    {
        "Row": shown("index"),
        "Given": shown("given"),
        "Suggested": shown("suggested"),
        "Quality": lambda row: f"{row['quality']:.3f}",
    },
    MAX_ROWS,
)


def detail_tables(tables: Mapping[str, Table], details: Row) -> dict[str, list[Block]]:
    """The blocks of each table, and of the rows, which are named by columns other than those of their labels."""
    rows = [{**row, "index": _row_name(row["index"], details["columns"])} for row in details["rows"]]
    found = {name: table.blocks(details[name]) for name, table in tables.items() if name in details}
    return {**found, "rows": ROWS.blocks(rows)}


def _row_name(index: object, labels: Sequence[str]) -> str:
    if not isinstance(index, dict):
        return str(index)
    return ", ".join(f"{name} {value}" for name, value in index.items() if name not in labels)


def text(
    words: str,
    params: Mapping[str, str],
    *,
    classes: Sequence[str] = (),
    tag: str = "span",
    styling: Mapping[str, object] | None = None,
) -> RenderedStringTemplateContent:
    """Words with ``$names`` and the strings that stand for them.

    Args:
        words: Text with ``$names`` in it.
        params: The string that stands for each name.
        classes: CSS classes of the element.
        tag: The HTML element.
        styling: Styling in place of ``classes``.
    """
    safe = {name: value if ESCAPED_THERE else html.escape(value, quote=False) for name, value in params.items()}
    template: dict[str, object] = {"template": words, "params": safe, "tag": tag}
    if styling is not None:
        template["styling"] = dict(styling)
    elif classes:
        template["styling"] = {"classes": list(classes)}
    return RenderedStringTemplateContent(content_block_type="string_template", string_template=template)
