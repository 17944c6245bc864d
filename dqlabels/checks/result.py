"""The result of a check-up, with tables in the caller's frame library."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any, TypedDict

import narwhals as nw
import numpy as np

from dqlabels.checks.finding import Finding, Verdict
from dqlabels.checks.pipeline import ALPHA, MAX_ROWS, Subject, chosen_checks, run_checks, time_values
from dqlabels.errors import OptionError, OutputColumnError
from dqlabels.frames.columns import Column, Frame, as_list, require
from dqlabels.frames.media import Embedding, embed_columns
from dqlabels.frames.names import EAGER, Form
from dqlabels.frames.outputs import new_column, table_of, to_callers_kind
from dqlabels.report.evidence import Evidence, plain
from dqlabels.report.explanations import usable_kinds
from dqlabels.report.summary import Plain

MAX_DETAILS_IN_DICT = 20
# Columns that can be added to the frame, with the check that knows them.
COLUMNS = {
    "is_blank": "features",
    "is_rare_class": "classes",
    "is_duplicate": "duplicates",
    "duplicate_group": "duplicates",
    "is_conflicting_duplicate": "duplicates",
    "is_outlier": "outliers",
    "outlier_score": "outliers",
    "failing_group": "groups",
}
DTYPES: dict[str, type[nw.Int64 | nw.String | nw.Float64]] = {
    "duplicate_group": nw.Int64,
    "failing_group": nw.String,
    "outlier_score": nw.Float64,
}


class FindingData(TypedDict):
    """A finding as plain values, with the first rows of its table."""

    check: str
    verdict: Verdict
    says: str
    rows: int
    share: float
    details: list[dict[str, Plain]]
    details_in_all: int


class CheckupData(TypedDict):
    """A check-up as plain values."""

    label: str
    rows: int
    alpha: float
    findings: list[FindingData]
    columns: dict[str, str]
    version: str


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Checkup:
    """What the checks of one audited table found.

    ``all_findings`` holds one :class:`~dqlabels.checks.finding.Finding` per check; ``alpha`` is the significance level
    of their tests; ``columns`` says which columns ``frame`` has in addition to those of the audit, and their names.

    >>> import dqlabels, polars as pl
    >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
    >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], "empty": [""] * 4, **probs})
    >>> checkup = dqlabels.checkup(mail, "label", checks="features", pred_probs=["ham", "spam"])
    >>> checkup.found, checkup.findings["verdict"].to_list(), checkup.available
    (('features',), ['found'], ('is_blank',))
    >>> checkup.frame.columns[-3:]
    ['label_quality', 'suggested_label', 'is_label_issue']
    """

    label: str
    rows: int
    alpha: float
    all_findings: tuple[Finding, ...]
    columns: Mapping[str, str]
    table: Frame
    form: Form = EAGER

    @property
    def found(self) -> tuple[str, ...]:
        """The checks that found something."""
        return tuple(finding.check for finding in self.all_findings if finding.found)

    @property
    def findings(self) -> Any:
        """One row per check: verdict (``found``, ``clear`` or ``not run``), rows concerned, share, and what it says."""
        columns = {
            key: [getattr(one, key) for one in self.all_findings]
            for key in ("check", "verdict", "rows", "share", "says")
        }
        return table_of(columns, self.table.implementation).to_native()

    def details(self, check: str) -> Any:
        """Return the table of one check: its columns, classes, groups of rows, rows, rules or series, worst first.

        Raises:
            OptionError: The check was not asked for, or could not run.

        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], "empty": [""] * 4, **probs})
        >>> checkup = dqlabels.checkup(mail, "label", checks="features", pred_probs=["ham", "spam"])
        >>> checkup.details("features")["column"][0]
        'empty'
        """
        finding = self._finding(check)
        if not finding.details:
            raise OptionError(f"The check {check!r} has no table: {finding.says}")
        backend = self.table.implementation
        series = [_series(name, values, backend) for name, values in finding.details.items()]
        return table_of({column.name: column for column in series}, backend).to_native()

    @property
    def frame(self) -> Any:
        """The audited frame, with the same type, rows and index, and the columns that were asked for."""
        available = {name: finding.columns[name] for finding in self.all_findings for name in finding.columns}
        added = [
            new_column(self.table, self.columns[name], available[name], DTYPES.get(name, nw.Boolean))
            for name in self.columns
        ]
        whole = self.table.with_columns(*added) if added else self.table
        return to_callers_kind(whole, self.form)

    @property
    def available(self) -> tuple[str, ...]:
        """The columns that :meth:`with_columns` can add to the frame: those of the checks that ran."""
        return tuple(name for finding in self.all_findings for name in finding.columns)

    def with_columns(self, columns: Iterable[str] | Mapping[str, str]) -> Checkup:
        """Return the same check-up with more columns in its ``frame``; no check runs again.

        Args:
            columns: Some of ``available``, or a mapping from these to new names.

        Raises:
            OptionError: There is no such column, or its check did not run.
            OutputColumnError: A name is already in the frame.

        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], "text": ["hi", "", "buy", "buy"], **probs})
        >>> checkup = dqlabels.checkup(mail, "label", checks="features", pred_probs=["ham", "spam"])
        >>> checkup.with_columns({"is_blank": "no_text"}).frame.columns[-1]
        'no_text'
        """
        check_options(None, columns, self.alpha, 1)
        wanted = wanted_columns(columns, self.table, self._names())
        for name in wanted:
            if name not in self.available:
                raise OptionError(f"Column {name!r} is not known. {self._finding(COLUMNS[name]).says}")
        return replace(self, columns=wanted)

    def _finding(self, check: str) -> Finding:
        for finding in self.all_findings:
            if finding.check == check:
                return finding
        raise OptionError(f"{check!r} is none of the checks that ran: {', '.join(map(repr, self._names()))}.")

    def _names(self) -> list[str]:
        return [finding.check for finding in self.all_findings]

    def summary(self) -> str:
        """Return one line per check, starting with those that found something.

        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], "empty": [""] * 4, **probs})
        >>> checkup = dqlabels.checkup(mail, "label", checks="features", pred_probs=["ham", "spam"])
        >>> checkup.summary().splitlines()[0]
        "Check-up of 4 rows labelled by 'label': 1 of 1 checks found something."
        """
        ranked = sorted(self.all_findings, key=lambda one: ("found", "not run", "clear").index(one.verdict))
        head = f"Check-up of {self.rows:,} rows labelled by {self.label!r}: {len(self.found)} of "
        lines = [f"{head}{len(self.all_findings)} checks found something."]
        return "\n".join([*lines, *(f"  {one.check} ({one.verdict}): {one.says}" for one in ranked)])

    def to_dict(self) -> CheckupData:
        """Return plain values, ready for JSON: verdict, sentence and counts of each check, and 20 rows of its table.

        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], "empty": [""] * 4, **probs})
        >>> checkup = dqlabels.checkup(mail, "label", checks="features", pred_probs=["ham", "spam"])
        >>> checkup.to_dict()["findings"][0]["verdict"]
        'found'
        """
        from dqlabels.version import __version__

        return {
            "label": str(self.label),
            "rows": self.rows,
            "alpha": self.alpha,
            "findings": [_finding_data(finding) for finding in self.all_findings],
            "columns": dict(self.columns),
            "version": __version__,
        }

    def __repr__(self) -> str:
        return f"<Checkup of {self.label!r}: {', '.join(self.found) or 'nothing'} found in {self.rows:,} rows>"

    def __str__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        cells = [
            f"<tr><td>{one.check}</td><td>{one.verdict}</td><td style='text-align:right'>{one.rows:,}</td>"
            f"<td style='text-align:left'>{escape(_visible(one.says))}</td></tr>"
            for one in self.all_findings
        ]
        head = "<tr><th>check</th><th>verdict</th><th>rows</th><th style='text-align:left'>what it says</th></tr>"
        return f"<div class='dqlabels'><table><thead>{head}</thead><tbody>{''.join(cells)}</tbody></table></div>"


def _visible(text: str) -> str:
    return "".join(letter if letter.isprintable() else "�" for letter in text)


def _finding_data(finding: Finding) -> FindingData:
    details = {name: list(values) for name, values in finding.details.items()}
    lines = len(next(iter(details.values()), []))
    return {
        "check": finding.check,
        "verdict": finding.verdict,
        "says": finding.says,
        "rows": finding.rows,
        "share": finding.share,
        "details": [
            {name: plain(values[at]) for name, values in details.items()}
            for at in range(min(lines, MAX_DETAILS_IN_DICT))
        ],
        "details_in_all": lines,
    }


def _series(name: str, values: Sequence[object], backend: Any) -> Column:
    """A column of strings, integers, numbers or booleans, typed even if it has no rows."""
    first = next((value for value in values if value is not None), None)
    kinds = ((bool, nw.Boolean), (int, nw.Int64), (float, nw.Float64))
    dtype = next((dtype for kind, dtype in kinds if isinstance(first, kind)), nw.String)
    listed = [value.item() if isinstance(value, np.generic) else value for value in values]
    return nw.new_series(name, listed, dtype, backend=backend)


def check_up(
    table: Frame,
    label: str,
    names: tuple[str, str, str],
    features: Sequence[str],
    evidence: Evidence,
    *,
    chosen: bool,
    checks: str | Iterable[str] | None = None,
    time: str | None = None,
    columns: Iterable[str] | Mapping[str, str] = (),
    alpha: float = ALPHA,
    most_rows: int = MAX_ROWS,
    embed: Mapping[str, Embedding] | None = None,
    n_jobs: int | None = None,
    form: Form = EAGER,
) -> Checkup:
    """Run the checks on an audited table; the options are those of :meth:`dqlabels.LabelAudit.checkup`.

    Args:
        table: n rows, with the three columns of the audit.
        label: The label column.
        names: The columns of the audit.
        features: The columns that the labels were judged by.
        evidence: The m audited rows.
        chosen: Whether a model has seen these features; if not, columns that identify rows are left out.
        checks: The checks to run, by default all.
        time: The column that orders the rows.
        columns: The columns to add to ``frame``, or a mapping from these to new names.
        alpha: The significance level of the tests.
        most_rows: The largest number of rows to compare with each other.
        embed: Columns to turn into vectors first.
        n_jobs: Number of threads.
        form: The form of the caller's frame, which the result has too.

    Raises:
        OptionError: An option has no meaning here.
        OutputColumnError: A column is already in the frame.
        FeatureError: ``time`` is not a column.
    """
    check_options(checks, columns, alpha, most_rows)
    original = table.drop(*names)
    require(original, [] if time is None else [time], "time")
    embedded = embed_columns(original, embed, [label])
    kinds = usable_kinds(embedded, features, chosen=chosen)
    subject = Subject(embedded, label, kinds, evidence, alpha, most_rows, time, n_jobs)
    chosen_names = chosen_checks(checks, subject.too_many, subject.no_graph if subject.too_many else "")
    if time is not None:
        time_values(embedded, time)
    wanted = wanted_columns(columns, table, chosen_names)  # before any work is done
    findings = run_checks(subject, chosen_names)
    return Checkup(label, len(table), float(alpha), findings, {}, table, form).with_columns(wanted)


def check_options(
    checks: str | Iterable[str] | None, columns: Iterable[str] | Mapping[str, str], alpha: float, most_rows: int
) -> None:
    """Raise on options that have no meaning for any table, before any work is done.

    Args:
        checks: Which checks to run, or None for all.
        columns: The columns to add, or a mapping from what to its name.
        alpha: How often a test may be wrong where there is nothing to find.
        most_rows: The largest number of rows that are compared with each other.

    Raises:
        OptionError: The message names the choices.
    """
    chosen_checks(checks, too_many=False, why="")
    unknown = [name for name in (columns if isinstance(columns, Mapping) else as_list(columns)) if name not in COLUMNS]
    if unknown:
        raise OptionError(f"columns={unknown!r}: a check-up can add {', '.join(map(repr, COLUMNS))}.")
    if not isinstance(alpha, (int, float, np.floating)) or not 0 < alpha < 1:
        raise OptionError(
            f"alpha={alpha!r} is not a share between 0 and 1; for one false alarm in a hundred pass 0.01."
        )
    if isinstance(most_rows, bool) or not isinstance(most_rows, (int, np.integer)) or most_rows < 1:
        raise OptionError(f"most_rows={most_rows!r} is not a whole number of at least 1.")


def wanted_columns(columns: Iterable[str] | Mapping[str, str], table: Frame, chosen: Sequence[str]) -> dict[str, str]:
    """Return which columns to add, and their names.

    Raises:
        OptionError: A column belongs to a check that was not asked for, or two columns have the same name.
        OutputColumnError: A column is already in the frame.
    """
    wanted = dict(columns) if isinstance(columns, Mapping) else {name: name for name in as_list(columns)}
    if other := [name for name in wanted if COLUMNS[name] not in chosen]:
        needed = ", ".join(repr(COLUMNS[name]) for name in other)
        raise OptionError(f"columns={other!r} need the checks {needed}, which checks= leaves out.")
    named = list(wanted.values())
    if len(set(named)) < len(named):
        raise OptionError(f"columns= gives several columns the same name: {', '.join(map(repr, named))}.")
    if there := [name for name in named if name in table.columns]:
        raise OutputColumnError(
            f"Column{'s' if len(there) > 1 else ''} {', '.join(map(repr, there))} already in the frame, and would be "
            f"overwritten. Drop them, or choose other names: columns={{{next(iter(wanted))!r}: 'another_name'}}."
        )
    return wanted
