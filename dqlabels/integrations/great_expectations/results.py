"""An audit as the result of an expectation: plain values, as many as the result format asks for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import narwhals as nw
import numpy as np
from great_expectations.expectations.expectation_configuration import parse_result_format
from numpy.typing import NDArray

from dqlabels.evidence import plain
from dqlabels.frames.columns import require
from dqlabels.result import LabelAudit

MOST_CLASSES = 20
MOST_ROWS = 10
MOST_PAIRS = 10


def audit_facts(audit: LabelAudit) -> dict[str, Any]:
    """What a reader of the result wants to know of the audit, bounded in size."""
    facts = audit.to_dict()
    classes = sorted(facts["classes"], key=lambda row: -row["noise_rate"])
    return {
        "column": facts["label"],
        "audited": facts["audited"],
        "flagged": facts["flagged"],
        "flagged_share": facts["flagged_share"],
        "classes": classes[:MOST_CLASSES],
        "classes_left_out": max(len(classes) - MOST_CLASSES, 0),
        "confusions": facts["confusions"][:MOST_PAIRS],
        "model": facts["model"],
        "model_error": facts["model_error"],
        "notes": facts["warnings"],
        "settings": facts["settings"],
        "dqlabels_version": facts["version"],
    }


def format_result(
    audit: LabelAudit,
    chosen: NDArray[np.bool_],
    observed: float | None,
    details: dict[str, Any],
    result_format: str | dict[str, Any],
) -> dict[str, Any]:
    """The result in one of the four formats of Great Expectations, which takes all of it away for BOOLEAN_ONLY.

    Args:
        audit: Of the batch.
        chosen: (m,) bool, the audited rows to list, m of them.
        observed: The rate, or None.
        details: Plain values.
        result_format: As a Checkpoint has it; ``unexpected_index_column_names`` are columns that name a row.

    Raises:
        FeatureError: A column that should name rows is not in the batch.
    """
    wanted = parse_result_format(result_format)
    level = wanted["result_format"]
    rows, missing = audit.rows, audit.rows - audit.audited
    count = int(chosen.sum())
    result: dict[str, Any] = {
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
    listed = Listed(audit, chosen, wanted)
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

    def __init__(self, audit: LabelAudit, chosen: NDArray[np.bool_], wanted: Mapping[str, Any]) -> None:
        evidence = audit.evidence
        found = np.flatnonzero(chosen)
        self._audit = audit
        self._order = found[np.argsort(evidence.quality[found], kind="stable")]
        self._positions = evidence.positions[self._order]
        names = wanted.get("unexpected_index_column_names") or []
        self.id_columns: list[str] = [names] if isinstance(names, str) else list(names)
        require(nw.from_native(audit.frame, eager_only=True), self.id_columns, "unexpected_index_column_names")

    def given(self, most: int | None = None) -> list[Any]:
        """Labels that the rows carry."""
        classes = self._audit.evidence.labels.classes
        return [plain(classes[code]) for code in self._audit.evidence.codes[self._order[:most]].tolist()]

    def values(self, level: str, few: int) -> dict[str, Any]:
        """The given labels as the format wants them: a few, counted, or all."""
        given = self.given()
        values: dict[str, Any] = {"partial_unexpected_list": given[:few]}
        if level in ("SUMMARY", "COMPLETE"):
            counted = Counter(given).most_common(few)
            values["partial_unexpected_counts"] = [{"value": value, "count": rows} for value, rows in counted]
        if level == "COMPLETE":
            values["unexpected_list"] = given
        return values

    def index(self, most: int | None) -> list[Any]:
        """What names each row: its index, or the label with the columns that were asked for."""
        frame, positions = self._audit.frame, self._positions[:most]
        if not self.id_columns:
            return [_name(value) for value in frame.index[positions].tolist()]
        names = [self._audit.label, *(name for name in self.id_columns if name != self._audit.label)]
        columns = [frame[name].iloc[positions].tolist() for name in names]
        return [
            {name: plain(value) for name, value in zip(names, row, strict=True)} for row in zip(*columns, strict=True)
        ]

    def rows(self, most: int) -> list[dict[str, Any]]:
        """The worst rows with what the audit says of each."""
        evidence, classes = self._audit.evidence, self._audit.evidence.labels.classes
        return [
            {
                "index": name,
                "given": given,
                "suggested": plain(classes[evidence.suggested[at]]),
                "quality": float(evidence.quality[at]),
            }
            for at, name, given in zip(self._order[:most], self.index(most), self.given(most), strict=True)
        ]

    def frame(self) -> Any:
        """The rows with all their columns, those of the audit among them."""
        return self._audit.frame.iloc[self._positions]


def _name(value: Any) -> Any:
    return [plain(part) for part in value] if isinstance(value, tuple) else plain(value)
