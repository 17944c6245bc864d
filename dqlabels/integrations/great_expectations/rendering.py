"""How the expectations read in Data Docs. Everything that came from data is a parameter, which is escaped there."""

from __future__ import annotations

import html
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from great_expectations.core.suite_parameters import is_suite_parameter
from great_expectations.expectations.expectation import BatchExpectation, render_suite_parameter_string
from great_expectations.render import (
    CollapseContent,
    LegacyDiagnosticRendererType,
    LegacyRendererType,
    RenderedStringTemplateContent,
    RenderedTableContent,
)
from great_expectations.render.renderer.renderer import renderer
from great_expectations.render.renderer_configuration import RendererConfiguration, RendererValueType
from great_expectations.render.util import parse_row_condition_string
from great_expectations.render.view.view import DefaultJinjaView

MOST_CLASSES = 5
MOST_PAIRS = 5
MOST_ROWS = 10
# Earlier versions put parameters into the page as they are.
ESCAPED_THERE = hasattr(DefaultJinjaView, "_escape_template_param_value")
CLASSES = {"pass": ["text-muted"], "fail": ["text-danger"], "inconclusive": ["alert-warning", "p-1"]}


@dataclass(frozen=True, slots=True)
class Sentence:
    """What must hold, as words with ``$names``, and the strings that stand for them."""

    words: str
    params: dict[str, str] = field(default_factory=dict)


class AuditRenderers(BatchExpectation, ABC):
    """The renderers of every expectation on labels."""

    # Shown where the expectation failed, and folded away elsewhere: names of TABLES.
    open_tables: ClassVar[tuple[str, ...]] = ()
    # What the listed rows are, and on which side of the limit a failing interval lies, in words.
    counted: ClassVar[str] = "flagged"
    beyond: ClassVar[str] = "above"

    @classmethod
    @abstractmethod
    def _sentence(cls, kwargs: Mapping[str, Any]) -> Sentence:
        """What must hold; any field may be absent, or a parameter that has no value yet."""

    @classmethod
    def _statement(cls, kwargs: Mapping[str, Any], *, with_column: bool) -> Sentence:
        sentence = cls._sentence(kwargs)
        # Several columns have no heading of their own on a page.
        columns, column = kwargs.get("column_list"), str(kwargs.get("column"))
        named = column if columns is None else ", ".join(map(str, columns))
        words, params = sentence.words, {"column": named, **sentence.params}
        words = f"$column: {words}" if with_column or columns is not None else words[0].upper() + words[1:]
        if kwargs.get("decide") == "confident":
            words += f", failing only where the whole interval lies {cls.beyond} that"
        if kwargs.get("row_condition") is not None:
            params["condition"] = parse_row_condition_string(kwargs["row_condition"])
            words += ", of the rows where $condition"
        return Sentence(f"{words}.", params)

    @classmethod
    def _prescriptive_template(cls, renderer_configuration: RendererConfiguration[Any]) -> RendererConfiguration[Any]:
        statement = cls._statement(
            renderer_configuration.kwargs or {}, with_column=renderer_configuration.include_column_name
        )
        for name, value in statement.params.items():
            renderer_configuration.add_param(name=name, param_type=RendererValueType.STRING, value=value)
        renderer_configuration.template_str = statement.words
        return renderer_configuration

    @classmethod
    @renderer(renderer_type=LegacyRendererType.PRESCRIPTIVE)
    @render_suite_parameter_string
    def _prescriptive_renderer(
        cls, configuration: Any = None, result: Any = None, runtime_configuration: Any = None, **_: Any
    ) -> list[RenderedStringTemplateContent]:
        runtime = runtime_configuration or {}
        kwargs = configuration.kwargs if configuration else {}
        statement = cls._statement(kwargs, with_column=runtime.get("include_column_name") is not False)
        return [_text(statement.words, statement.params, styling=runtime.get("styling"))]

    @classmethod
    @renderer(renderer_type=LegacyDiagnosticRendererType.OBSERVED_VALUE)
    def _diagnostic_observed_value_renderer(
        cls, configuration: Any = None, result: Any = None, runtime_configuration: Any = None, **_: Any
    ) -> str:
        details = ((result.result if result else None) or {}).get("details")
        return str(details["observed"]) if details else "--"

    @classmethod
    @renderer(renderer_type=LegacyDiagnosticRendererType.UNEXPECTED_STATEMENT)
    def _diagnostic_unexpected_statement_renderer(
        cls, configuration: Any = None, result: Any = None, runtime_configuration: Any = None, **_: Any
    ) -> list[Any]:
        details = ((result.result if result else None) or {}).get("details")
        if not details:
            return _exception(result.exception_info) if result and result.exception_info else []
        words, params = "$headline", {"headline": str(details["headline"])}
        if details.get("rows_to_review"):
            words += " Reviewing about $rows rows by hand, drawn by review_sample, would decide it."
            params["rows"] = f"{details['rows_to_review']:,}"
        headline = _text(words, params, classes=CLASSES[details["verdict"]], tag="strong")
        return [_text("\n\n", {}), headline, _counted(result.result, details)]

    @classmethod
    @renderer(renderer_type=LegacyDiagnosticRendererType.UNEXPECTED_TABLE)
    def _diagnostic_unexpected_table_renderer(
        cls, configuration: Any = None, result: Any = None, runtime_configuration: Any = None, **_: Any
    ) -> list[Any] | None:
        details = ((result.result if result else None) or {}).get("details")
        if not details:
            return None
        shown = cls.open_tables if details["verdict"] != "pass" else ()
        tables = _tables(details)
        blocks = [block for name in shown for block in tables.pop(name)]
        folded = [block for table in tables.values() for block in table]
        if folded:
            link = "Show what else was found" if blocks else "Show what was found"
            blocks.append(CollapseContent(collapse_toggle_link=link, collapse=folded))
        return [*blocks, CollapseContent(collapse_toggle_link="Show how this was found", collapse=_ways(details))]


def percent(value: Any, unit: str = "%") -> str:
    """A share as a reader wants it, or the name of the parameter that will give it."""
    if is_suite_parameter(value):
        return f"${value['$PARAMETER']}"
    if value is None:
        return "?"
    return f"{100 * value:g}{unit if unit == '%' else ' ' + unit}"


def number(value: Any) -> str:
    """A number as a reader wants it, or the name of the parameter that will give it."""
    return f"${value['$PARAMETER']}" if is_suite_parameter(value) else f"{value:g}" if value is not None else "?"


def limits_sentence(limit: Any, one: str, several: str, each: str) -> Sentence:
    """One limit for all in the words of ``one``, or limits by name, each in those of ``each``, within ``several``."""
    if not isinstance(limit, dict) or is_suite_parameter(limit):
        return Sentence(one, {"limit": percent(limit)})
    params: dict[str, str] = {}
    parts = []
    for at, (name, share) in enumerate(limit.items()):
        params |= {f"name_{at}": str(name), f"limit_{at}": percent(share)}
        parts.append(f"$limit_{at} {each} $name_{at}")
    return Sentence(several.replace("$limits", ", ".join(parts)), params)


def _exception(info: Mapping[str, Any]) -> list[Any]:
    """What was raised. Great Expectations' own words for it take the traceback, and the data in it, for markup."""
    # By the metric where it was raised by one, else flat.
    raised = [one for one in ([info] if "raised_exception" in info else info.values()) if one["raised_exception"]]
    if not raised:
        return []
    first = {key: str(raised[0][key] or "") for key in ("exception_message", "exception_traceback")}
    message = _text("\n\nraised an exception: $exception_message", first, classes=["text-danger"], tag="strong")
    traceback = _text("$exception_traceback", first, tag="div", styling={"styles": {"white-space": "pre-wrap"}})
    return [message, CollapseContent(collapse_toggle_link="Show exception traceback...", collapse=[traceback])]


def _counted(found: Mapping[str, Any], details: Mapping[str, Any]) -> RenderedStringTemplateContent:
    missing = found.get("missing_count", 0)
    words = "\n$count of $audited $unit $counted ($share)" + (", $missing rows without a $one." if missing else ".")
    params = {
        "count": f"{found['unexpected_count']:,}",
        "audited": f"{details['audited']:,}",
        "counted": str(details["counted"]),
        "unit": str(details["unit"]),
        "one": "value" if details["unit"] == "values" else "label",
        "share": f"{found['unexpected_percent']:.1f}%",
        "missing": f"{missing:,}",
    }
    return _text(words, params)


# Of each table in the details: its title, its heads, how many rows are shown, and what of a row they are.
Cells = Callable[[Mapping[str, Any]], list[str]]
TABLES: dict[str, tuple[str, tuple[str, ...], int, Cells]] = {
    "classes": (
        "Worst classes", ("Label", "Rows", "Flagged", "Estimated wrong"), MOST_CLASSES,
        lambda row: [said(row["class"]), f"{row['rows']:,}", f"{row['flagged']:,}", share(row["noise_rate"])],
    ),
    "confusions": (
        "Commonest confusions", ("Given", "Suggested", "Rows", "Share of the class"), MOST_PAIRS,
        lambda row: [said(row["given"]), said(row["suggested"]), f"{row['rows']:,}", share(row["share"])],
    ),
    "annotators": (
        "Annotators", ("Annotator", "Labels", "Are the consensus", "Estimated wrong", "Most often wrong"), MOST_CLASSES,
        lambda row: [
            said(row["annotator"]), f"{row['labels']:,}", share(row["agreement_with_consensus"]),
            share(row["noise_rate"]), said(row["worst_class"]),
        ],
    ),
    "tags": (
        "Labels", ("Label", "Rows with it", "Wrong", "Missing", "Estimated wrong"), MOST_CLASSES,
        lambda row: [
            said(row["label"]), f"{row['rows']:,}", f"{row['wrong']:,}", f"{row['missing']:,}", share(row["noise_rate"])
        ],
    ),
    "rows": (
        "Most suspicious rows", ("Row", "Given", "Suggested", "Quality"), MOST_ROWS,
        lambda row: [
            said(row["index"]), said(row["given"]), said(row["suggested"]), f"{row['quality']:.3f}"
        ],
    ),
}  # fmt: skip


def said(value: Any) -> str:
    """A label, or several: those of a list one after the other, those of annotators with who gave them."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {said(given)}" for name, given in value.items())
    if isinstance(value, list):
        return ", ".join(map(said, value)) or "none"
    return "–" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def share(value: float | None) -> str:
    """In percent, a dash where it is not known."""
    return "–" if value is None else f"{value:.1%}"


def _tables(details: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The blocks of each table; a row is named by its index, or by columns other than those of its labels."""
    rows = [{**row, "index": _named(row["index"], details["columns"])} for row in details["rows"]]
    shown = {**details, "rows": rows}
    return {
        name: _table(title, heads, [cells(row) for row in shown[name][:most]])
        for name, (title, heads, most, cells) in TABLES.items() if name in shown
    }  # fmt: skip


def _named(index: Any, labels: Sequence[str]) -> str:
    if not isinstance(index, dict):
        return str(index)
    return ", ".join(f"{name} {value}" for name, value in index.items() if name not in labels)


def _table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[Any]:
    if not rows:
        return []
    cells = [[_text("$value", {"value": value}) for value in row] for row in rows]
    styling = {"body": {"classes": ["table-bordered", "table-sm", "mt-1", "mb-3"]}}
    heading = _text(title, {}, classes=["mt-3", "font-weight-bold"], tag="div")
    header = [_text(head, {}, classes=["px-1"]) for head in heads]
    return [heading, RenderedTableContent(table=cells, header_row=header, styling=styling)]


def _ways(details: Mapping[str, Any]) -> list[RenderedStringTemplateContent]:
    """Model, estimator, assumption and notes, a paragraph each."""
    judged = {"judged": str(details["judged"]), "method": str(details["method"])}
    lines = [_text("$judged; method $method.", judged, tag="p")]
    told = [details.get("assumption"), *details["notes"]]
    return [*lines, *(_text("$said", {"said": words}, tag="p") for words in told if words)]


def _text(
    words: str,
    params: Mapping[str, str],
    *,
    classes: Sequence[str] = (),
    tag: str = "span",
    styling: Mapping[str, Any] | None = None,
) -> RenderedStringTemplateContent:
    safe = {name: value if ESCAPED_THERE else html.escape(value, quote=False) for name, value in params.items()}
    template: dict[str, Any] = {"template": words, "params": safe, "tag": tag}
    if styling is not None:
        template["styling"] = dict(styling)
    elif classes:
        template["styling"] = {"classes": list(classes)}
    return RenderedStringTemplateContent(content_block_type="string_template", string_template=template)
