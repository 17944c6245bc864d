"""An audit as the result of an expectation: plain values, as many as the result format asks for."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, TypeAlias

import narwhals as nw
import numpy as np
from great_expectations.expectations.expectation_configuration import parse_result_format

from dqlabels.audits.base import Audit, AuditedRows, Mask, NativeFrame
from dqlabels.frames.columns import require
from dqlabels.integrations.great_expectations.tables import MAX_ROWS
from dqlabels.report.evidence import plain
from dqlabels.version import __version__ as version

# Fields of an expectation, or of its result, as Great Expectations has them: by name, ready for JSON.
Fields: TypeAlias = dict[str, Any]

MAX_TABLE_ROWS = 20


def audit_facts(audit: Audit) -> Fields:
    """What a reader of the result wants to know of an audit, bounded in size."""
    details = audit.check_details()
    facts: Fields = {
        "column": audit.label,
        "columns": list(audit.label_columns),
        "notes": list(audit.warnings),
        "dqlabels_version": version,
        "unit": details.unit,
        "judged": details.judged,
    }
    counts = ("audited", "flagged", "flagged_share", "model", "model_error", "settings")
    facts |= {name: getattr(audit, name) for name in counts}
    for name, rows in details.tables.items():
        facts |= {name: rows[:MAX_TABLE_ROWS], f"{name}_left_out": max(len(rows) - MAX_TABLE_ROWS, 0)}
    facts.update(details.facts)
    return facts


def format_result(
    audit: Audit,
    judged: AuditedRows,
    chosen: Mask,
    observed: float | None,
    details: Fields,
    result_format: str | Fields,
) -> Fields:
    """Return the result in one of the formats of Great Expectations, which itself empties it for BOOLEAN_ONLY.

    Args:
        audit: The audit of the batch.
        judged: The m rows that it judged.
        chosen: (m,) bool, the rows to list.
        observed: The number that was held against the limit, or None.
        details: Plain values, which get the rows to list.
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
    details["rows"] = listed.rows(MAX_ROWS)
    if wanted.get("unexpected_index_column_names"):
        result["unexpected_index_column_names"] = listed.id_columns
    if not wanted.get("exclude_unexpected_values"):
        result |= listed.values(level, few)
        if wanted.get("include_unexpected_rows"):
            result["unexpected_rows"] = listed.frame(few)
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

    def __init__(self, audit: Audit, judged: AuditedRows, chosen: Mask, wanted: Fields) -> None:
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
            texts = [json.dumps(value) for value in given]  # a list of labels cannot be a key
            written, counted = dict(zip(texts, given, strict=True)), Counter(texts).most_common(few)
            values["partial_unexpected_counts"] = [{"value": written[text], "count": rows} for text, rows in counted]
        if level == "COMPLETE":
            values["unexpected_list"] = given
        return values

    def index(self, most: int | None) -> list[object]:
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
        rows = zip(
            self.index(most), self._judged.labels(order), self._judged.suggestions(order),
            self._judged.quality[order].tolist(), strict=True,
        )  # fmt: skip
        return [dict(zip(("index", "given", "suggested", "quality"), row, strict=True)) for row in rows]

    def frame(self, few: int) -> NativeFrame:
        """A few of the rows with all their columns, those of the audit among them, as JSON can hold their values."""
        import pandas as pd

        rows = self._audit.frame.iloc[self._positions[:few]]
        written = {
            at: pd.Series([plain(value) for value in rows[name].tolist()], index=rows.index, dtype=object)
            for at, name in enumerate(rows.columns)
            if not _is_json(rows[name])
        }
        parts = [written.get(at, rows[name]) for at, name in enumerate(rows.columns)]
        return pd.concat(parts, axis=1, keys=rows.columns) if written else rows


def _is_json(column: NativeFrame) -> bool:
    """Whether Great Expectations writes every value of this pandas column as JSON: finite numbers and flags."""
    kind = getattr(column.dtype, "kind", "O")
    return kind in "biu" or (kind == "f" and not np.isinf(column.to_numpy(dtype=float, na_value=np.nan)).any())


def _name(value: object) -> object:
    return [plain(part) for part in value] if isinstance(value, tuple) else plain(value)
