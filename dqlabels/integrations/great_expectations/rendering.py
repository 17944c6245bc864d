"""How the expectations read in Data Docs. Everything that came from data is a parameter, which is escaped there."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

from great_expectations.core import ExpectationValidationResult
from great_expectations.expectations.expectation import BatchExpectation, render_suite_parameter_string
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
from great_expectations.render import (
    CollapseContent,
    LegacyDiagnosticRendererType,
    LegacyRendererType,
    RenderedStringTemplateContent,
)
from great_expectations.render.renderer.renderer import renderer
from great_expectations.render.renderer_configuration import RendererConfiguration, RendererValueType
from great_expectations.render.util import parse_row_condition_string

from dqlabels.integrations.great_expectations.fields import is_parameter
from dqlabels.integrations.great_expectations.tables import Block, Row, Table, detail_tables, text
from dqlabels.report.text import likely_wrong

# Great Expectations hands it to a renderer by name, beside others that these do not need.
Result: TypeAlias = ExpectationValidationResult | None
CLASSES = {"pass": ["text-muted"], "fail": ["text-danger"], "inconclusive": ["alert-warning", "p-1"]}


@dataclass(frozen=True, slots=True)
class Sentence:
    """What must hold, as words with ``$names``, and the strings that stand for them."""

    words: str
    params: dict[str, str] = field(default_factory=dict)


class AuditRenderers(BatchExpectation, ABC):
    """The renderers of every expectation on labels."""

    # What must hold of one $limit; of $limits by part, each of which is so much "of_part" its name; and what a part is.
    sentence: ClassVar[str] = ""
    sentence_by_part: ClassVar[str] = ""
    of_part: ClassVar[str] = ""
    part: ClassVar[str] = ""
    # How the details' tables are shown, and which are open where the expectation failed; others are folded away.
    tables: ClassVar[Mapping[str, Table]] = {}
    open_tables: ClassVar[tuple[str, ...]] = ()
    # What the listed rows are, and on which side of the limit a failing interval lies, in words.
    counted: ClassVar[str] = "flagged"
    beyond: ClassVar[str] = "above"

    @classmethod
    def value_name(cls) -> str:
        """The field that holds the limit."""
        return "min_value" if "min_value" in cls.__fields__ else "max_value"

    @classmethod
    def _sentence(cls, kwargs: Mapping[str, object]) -> Sentence:
        """What must hold; any field may be absent, or a parameter that has no value yet."""
        name = cls.value_name()
        limit = kwargs.get(name)
        if not isinstance(limit, dict) or is_parameter(limit):
            return Sentence(cls.sentence, {"limit": number(limit) if name == "min_value" else percent(limit)})
        params: dict[str, str] = {}
        parts = []
        for at, (name, share) in enumerate(limit.items()):
            params |= {f"name_{at}": str(name), f"limit_{at}": percent(share)}
            parts.append(f"$limit_{at} {cls.of_part} $name_{at}")
        return Sentence(cls.sentence_by_part.replace("$limits", ", ".join(parts)), params)

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
        cls,
        configuration: ExpectationConfiguration | None = None,
        result: Result = None,
        runtime_configuration: Mapping[str, Any] | None = None,
        **_: object,
    ) -> list[RenderedStringTemplateContent]:
        runtime = runtime_configuration or {}
        kwargs = configuration.kwargs if configuration else {}
        statement = cls._statement(kwargs, with_column=runtime.get("include_column_name") is not False)
        return [text(statement.words, statement.params, styling=runtime.get("styling"))]

    @classmethod
    @renderer(renderer_type=LegacyDiagnosticRendererType.OBSERVED_VALUE)
    def _diagnostic_observed_value_renderer(cls, *_: object, result: Result = None, **__: object) -> str:
        details = _details(result)
        return str(details["observed"]) if details else "--"

    @classmethod
    @renderer(renderer_type=LegacyDiagnosticRendererType.UNEXPECTED_STATEMENT)
    def _diagnostic_unexpected_statement_renderer(cls, *_: object, result: Result = None, **__: object) -> list[Block]:
        details = _details(result)
        if result is None or not details:
            return _exception(result.exception_info) if result and result.exception_info else []
        words, params = "$headline", {"headline": str(details["headline"])}
        if details.get("rows_to_review"):
            words += " Reviewing about $rows rows by hand, drawn by review_sample, would decide it."
            params["rows"] = f"{details['rows_to_review']:,}"
        headline = text(words, params, classes=CLASSES[details["verdict"]], tag="strong")
        return [text("\n\n", {}), headline, _counted(result.result, details)]

    @classmethod
    @renderer(renderer_type=LegacyDiagnosticRendererType.UNEXPECTED_TABLE)
    def _diagnostic_unexpected_table_renderer(
        cls, *_: object, result: Result = None, **__: object
    ) -> list[Block] | None:
        details = _details(result)
        if not details:
            return None
        opened = cls.open_tables if details["verdict"] != "pass" else ()
        tables = detail_tables(cls.tables, details)
        blocks = [block for name in opened for block in tables.pop(name)]
        folded = [block for table in tables.values() for block in table]
        if folded:
            link = "Show what else was found" if blocks else "Show what was found"
            blocks.append(CollapseContent(collapse_toggle_link=link, collapse=folded))
        return [*blocks, CollapseContent(collapse_toggle_link="Show how this was found", collapse=_notes(details))]


def percent(value: object, unit: str = "%") -> str:
    """A share in percent, or the name of the parameter that will give it."""
    return f"{100 * value:g}{unit}" if isinstance(value, (int, float)) else text_or_parameter(value)


def number(value: object) -> str:
    """A number, or the name of the parameter that will give it."""
    return f"{value:g}" if isinstance(value, (int, float)) else text_or_parameter(value)


def text_or_parameter(value: object) -> str:
    """A text, or the name of the parameter that will give it."""
    return f"${value['$PARAMETER']}" if is_parameter(value) else "?" if value is None else str(value)


def _details(result: Result) -> Row:
    return ((result.result if result else None) or {}).get("details") or {}


def _exception(info: Mapping[str, Any]) -> list[Block]:
    """What was raised. Great Expectations' own words for it take the traceback, and the data in it, for markup."""
    # By the metric where it was raised by one, else flat.
    raised = [one for one in ([info] if "raised_exception" in info else info.values()) if one["raised_exception"]]
    if not raised:
        return []
    first = {key: str(raised[0][key] or "") for key in ("exception_message", "exception_traceback")}
    message = text("\n\nraised an exception: $exception_message", first, classes=["text-danger"], tag="strong")
    traceback = text("$exception_traceback", first, tag="div", styling={"styles": {"white-space": "pre-wrap"}})
    return [message, CollapseContent(collapse_toggle_link="Show exception traceback...", collapse=[traceback])]


def _counted(found: Mapping[str, Any], details: Row) -> RenderedStringTemplateContent:
    missing = found.get("missing_count", 0)
    wrong = likely_wrong(found["unexpected_count"], details["expected_wrong"]) if _all_flagged(details) else ""
    words = f"\n$count of $audited $unit $counted ($share){wrong}" + (
        ", $missing rows without a $one." if missing else "."
    )
    params = {
        "count": f"{found['unexpected_count']:,}",
        "audited": f"{details['audited']:,}",
        "counted": str(details["counted"]),
        "unit": str(details["unit"]),
        "one": "value" if details["unit"] == "values" else "label",
        "share": f"{found['unexpected_percent']:.1f}%",
        "missing": f"{missing:,}",
    }
    return text(words, params)


def _all_flagged(details: Row) -> bool:
    """Whether the counted rows are those that are flagged, and it is known how many of them are likely wrong."""
    return details["counted"] == AuditRenderers.counted and "expected_wrong" in details


def _notes(details: Row) -> list[RenderedStringTemplateContent]:
    """Model, estimator, assumption and notes, a paragraph each."""
    judged = {"judged": str(details["judged"]), "method": str(details["method"])}
    lines = [text("$judged; method $method.", judged, tag="p")]
    notes = [details.get("assumption"), *details["notes"]]
    return [*lines, *(text("$note", {"note": note}, tag="p") for note in notes if note)]
