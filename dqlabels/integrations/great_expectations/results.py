"""An audit as the result of an expectation: plain values, as many as the result format asks for."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from functools import singledispatch
from typing import Any

import narwhals as nw
from great_expectations.expectations.expectation_configuration import parse_result_format

from dqlabels.audits.annotators.result import AnnotatorAudit
from dqlabels.audits.base import Audit, AuditedRows, Mask
from dqlabels.audits.classes.result import LabelAudit
from dqlabels.audits.tags.result import MultilabelAudit
from dqlabels.audits.values.result import ValueAudit
from dqlabels.frames.columns import require
from dqlabels.report.evidence import plain

Fields = dict[str, Any]

MOST_CLASSES = 20
MOST_ROWS = 10
MOST_PAIRS = 10


def audit_facts(audit: Any) -> Fields:
    """What a reader of the result wants to know of an audit of any kind, bounded in size."""
    facts = audit.to_dict()
    keys = ("audited", "flagged", "flagged_share", "model", "model_error", "settings")
    told = {key: facts[key] for key in keys}
    names = {
        "column": facts["label"],
        "columns": list(audit.label_columns),
        "notes": facts["warnings"],
        "dqlabels_version": facts["version"],
    }
    return names | told | _facts(audit, facts)


@singledispatch
def _facts(audit: Any, facts: Fields) -> Fields:
    """What only this kind of audit has: its tables, what its rows are, and how it judged, in words."""
    raise TypeError(f"{type(audit).__name__} is no audit")


@_facts.register
def _of_classes(audit: LabelAudit, facts: Fields) -> Fields:
    classes = sorted(facts["classes"], key=lambda row: -row["noise_rate"])
    return {
        "unit": "labels",
        "judged": f"Judged by {audit.model}, which disagrees with {audit.model_error:.1%} of the labels",
        "classes": classes[:MOST_CLASSES],
        "classes_left_out": max(len(classes) - MOST_CLASSES, 0),
        "confusions": facts["confusions"][:MOST_PAIRS],
    }


@_facts.register
def _of_numbers(audit: ValueAudit, facts: Fields) -> Fields:
    far = f"the values lie {audit.model_error:.0%} as far from their prediction as from the median"
    return {"unit": "values", "judged": f"Judged by {audit.model}; {far}", "fdr": audit.fdr}


@_facts.register
def _of_annotators(audit: AnnotatorAudit, facts: Fields) -> Fields:
    judged = f"The consensus is by {audit.settings['consensus']}"
    if audit.model is not None:
        judged += f", beside {audit.model}, which disagrees with {audit.model_error:.1%} of it"
    return {
        "unit": "rows",
        "judged": judged,
        "items": audit.items,
        "labels": audit.labels,
        "agreement": facts["agreement"],
        "consensus_noise_rate": facts["consensus_noise_rate"],
        "annotators": facts["annotators"][:MOST_CLASSES],
        "annotators_left_out": max(len(facts["annotators"]) - MOST_CLASSES, 0),
    }


@_facts.register
def _of_tags(audit: MultilabelAudit, facts: Fields) -> Fields:
    return {
        "unit": "rows",
        "judged": f"Judged by {audit.model}, which disagrees with {audit.model_error:.1%} of the answers",
        "tags": facts["classes"][:MOST_CLASSES],
        "tags_left_out": max(len(facts["classes"]) - MOST_CLASSES, 0),
    }


def format_result(
    audit: Audit,
    judged: AuditedRows,
    chosen: Mask,
    observed: float | None,
    details: Fields,
    result_format: str | Fields,
) -> Fields:
    """The result in one of the four formats of Great Expectations, which takes all of it away for BOOLEAN_ONLY.

    Args:
        audit: Of the batch.
        judged: Its rows.
        chosen: (m,) bool, the audited rows to list, m of them.
        observed: The number that was held against the limit, or None.
        details: Plain values.
        result_format: As a Checkpoint has it; ``unexpected_index_column_names`` are columns that name a row.

    Raises:
        FeatureError: A column that should name rows is not in the batch.
    """
    wanted = parse_result_format(result_format)
    level = wanted["result_format"]
    rows, missing = audit.rows, audit.rows - audit.audited
    count = int(chosen.sum())
    result: Fields = {
        "element_count": rows,
        "missing_count": missing,
        "missing_percent": 100 * missing / rows,
        "unexpected_count": count,
        "unexpected_percent": 100 * count / audit.audited,
        "unexpected_percent_total": 100 * count / rows,
        "unexpected_percent_nonmissing": 100 * count / audit.audited,
        "details": details,
    }
    if observed is not None:
        result["observed_value"] = observed
    listed = Listed(audit, judged, chosen, wanted)
    few = int(wanted["partial_unexpected_count"])
    details["rows"] = listed.rows(MOST_ROWS)
    if wanted.get("unexpected_index_column_names"):
        result["unexpected_index_column_names"] = listed.id_columns
    if not wanted.get("exclude_unexpected_values"):
        result |= listed.values(level, few)
        if wanted.get("include_unexpected_rows"):
            result["unexpected_rows"] = listed.frame().head(few)
    else:
        # The message ends in rows with their labels.
        details |= {"rows": [], "message": details["headline"]}
    if level in ("SUMMARY", "COMPLETE"):
        result["partial_unexpected_index_list"] = listed.index(few)
    if level == "COMPLETE":
        result["unexpected_index_list"] = listed.index(None)
    return result


class Listed:
    """Audited rows of an audit, worst first."""

    def __init__(self, audit: Audit, judged: AuditedRows, chosen: Mask, wanted: Mapping[str, Any]) -> None:
        self._audit, self._judged = audit, judged
        self._order = judged.worst_first(chosen)
        self._positions = judged.positions[self._order]
        names = wanted.get("unexpected_index_column_names") or []
        self.id_columns: list[str] = [names] if isinstance(names, str) else list(names)
        require(nw.from_native(audit.frame, eager_only=True), self.id_columns, "unexpected_index_column_names")

    def values(self, level: str, few: int) -> Fields:
        """The given labels as the format wants them: a few, counted, or all."""
        given = self._judged.labels(self._order)
        values: Fields = {"partial_unexpected_list": given[:few]}
        if level in ("SUMMARY", "COMPLETE"):
            texts = [json.dumps(value) for value in given]  # several labels a row are no key
            written, counted = dict(zip(texts, given, strict=True)), Counter(texts).most_common(few)
            values["partial_unexpected_counts"] = [{"value": written[text], "count": rows} for text, rows in counted]
        if level == "COMPLETE":
            values["unexpected_list"] = given
        return values

    def index(self, most: int | None) -> list[Any]:
        """What names each row: its index, or the labels with the columns that were asked for."""
        frame, positions = self._audit.frame, self._positions[:most]
        if not self.id_columns:
            return [_name(value) for value in frame.index[positions].tolist()]
        own = [name for name in self._audit.label_columns if name not in self.id_columns]
        names = [*own, *self.id_columns]
        columns = [frame[name].iloc[positions].tolist() for name in names]
        return [
            {name: plain(value) for name, value in zip(names, row, strict=True)} for row in zip(*columns, strict=True)
        ]

    def rows(self, most: int) -> list[Fields]:
        """The worst rows with what the audit says of each."""
        order = self._order[:most]
        told = zip(
            self.index(most), self._judged.labels(order), self._judged.suggestions(order),
            self._judged.quality[order].tolist(), strict=True,
        )  # fmt: skip
        return [dict(zip(("index", "given", "suggested", "quality"), row, strict=True)) for row in told]

    def frame(self) -> Any:
        """The rows with all their columns, those of the audit among them."""
        return self._audit.frame.iloc[self._positions]


def _name(value: Any) -> Any:
    return [plain(part) for part in value] if isinstance(value, tuple) else plain(value)
