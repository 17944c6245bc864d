"""What people look at and act on: the page, the charts, the notebook and the review of an audit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from dqlabels.audits.gate import GateResult
from dqlabels.frames.atomic import replacing
from dqlabels.frames.columns import ColumnKind, Frame
from dqlabels.report import html
from dqlabels.report.charts import Charts
from dqlabels.report.data import check_rows, quality_histogram, report_facts
from dqlabels.report.evidence import Evidence
from dqlabels.report.explanations import usable_kinds

if TYPE_CHECKING:
    from dqlabels.checks.result import Checkup
    from dqlabels.frames.media import Embedding
    from dqlabels.report.summary import ClassSummary
    from dqlabels.review.session import ReviewSession


class AuditViews:
    """The part of a :class:`~dqlabels.LabelAudit` that shows it; it holds nothing of its own."""

    __slots__ = ()

    label: str
    frame: Any
    evidence: Evidence
    table: Frame
    names: tuple[str, str, str]
    settings: dict[str, Any]
    again: Callable[..., Any] | None
    features: tuple[str, ...]
    seconds: float | None
    if TYPE_CHECKING:

        def to_dict(self) -> dict[str, Any]: ...  # noqa: D102
        def noise_rates(self, by: str = "method") -> Any: ...  # noqa: D102

    def report_facts(self, *, rows: int = 60) -> dict[str, Any]:
        """What the HTML report shows, as plain values: ``to_dict()`` with histogram, matrix and worst rows explained.

        Args:
            rows: How many of the worst rows, at least 1.

        Raises:
            OptionError: ``rows`` is not a whole number from 1 to 1000.
        """
        check_rows(rows)
        table, kinds = self._seen()
        facts = report_facts(cast("ClassSummary", self.to_dict()), self.evidence, table, kinds, rows=rows)
        return {**facts, "seconds": self.seconds}

    def to_html(
        self,
        path: str | Path | None = None,
        *,
        gate: GateResult | None = None,
        rows: int = 60,
        checkup: Checkup | None = None,
    ) -> str:
        """The report as one HTML file that asks the network for nothing; needs the extra ``report``.

        Args:
            path: Written whole or not at all; default not written.
            gate: A verdict to begin with.
            rows: How many of the worst rows to show, 1 to 1000; each takes 3 to 5 kB.
            checkup: A check-up of this audit, whose findings join the notes about the data.

        Returns:
            The page.

        Raises:
            MissingExtraError: jinja2 is not installed.
            OptionError: ``rows`` is out of bounds.
            OSError: The file cannot be written; a former one is as it was.
        """
        from dqlabels.report.page import page

        facts = self.report_facts(rows=rows)
        if checkup is not None:
            facts["notes"] += [f"Check-up, {one.check}: {one.says}" for one in checkup.all_findings if one.found]
        made = page(facts, gate.to_dict() if gate else None)
        if path is not None:
            with replacing(path) as file:
                file.write(made.encode("utf-8", "replace"))
        return made

    @property
    def plot(self) -> Charts:
        """Charts as altair objects: ``plot.quality()``, ``.confusions()``, ``.classes()`` and ``.noise()``."""
        return Charts(cast("ClassSummary", self.to_dict()), self.evidence, self.noise_rates, self.table.implementation)

    def review(
        self,
        decisions: str | Path | None = None,
        *,
        sample: int | None = None,
        port: int = 0,
        start: bool = True,
        open_browser: bool = True,
    ) -> ReviewSession:
        """Review rows in a page of this machine's browser; needs the extra ``review``.

        Args:
            decisions: File in which every decision is kept as it is made; a former review in it goes on. Default
                ``LABEL.review.jsonl`` in the folder where Python runs.
            sample: Review so many rows, drawn as by :meth:`review_sample`, for a noise rate; default the flagged rows.
            port: Of this machine; 0 takes a free one.
            start: Serve at once, beside the caller; else ``.start()`` or ``.serve()`` it.
            open_browser: Open the page in the default browser when it starts.

        Returns:
            The session: ``.url``, ``.answers()`` for :meth:`with_review`, ``.wait()`` and ``.stop()``.

        Raises:
            MissingExtraError: starlette or uvicorn is not installed.
            OptionError: ``decisions`` is a file on other labels, or of something else; or the port is taken.
        """
        from dqlabels.review.decisions import DecisionFile, head_of
        from dqlabels.review.queue import sample_queue, suspicious_queue
        from dqlabels.review.session import ReviewSession

        table, kinds = self._seen()
        if sample is None:
            queue = suspicious_queue(self.evidence, table, kinds)
        else:
            seed = self.settings["random_state"]
            queue = sample_queue(self.evidence, table, kinds, rows=sample, random_state=seed)
        path = decisions or "".join(c if c.isalnum() else "_" for c in self.label) + ".review.jsonl"
        kept = DecisionFile(path, head_of(self.evidence.labels))
        session = ReviewSession(queue, kept, self.label, port=port)
        return session.start(open_browser=open_browser) if start else session

    def checkup(
        self,
        checks: str | Iterable[str] | None = None,
        *,
        time: str | None = None,
        columns: Iterable[str] | Mapping[str, str] = (),
        alpha: float = 0.01,
        most_rows: int = 50_000,
        embed: Mapping[str, Embedding] | None = None,
        n_jobs: int | None = None,
    ) -> Checkup:
        """What is odd beside single labels: copies, outliers, rare classes, failing groups, drift, empty columns.

        Args:
            checks: Some of ``"features"``, ``"classes"``, ``"duplicates"``, ``"outliers"``, ``"groups"`` and
                ``"order"``; default all.
            time: The column of dates or numbers that orders the rows; default the order they are in.
            columns: What ``.frame`` gets, or a mapping of what to its name: ``is_blank``, ``is_rare_class``,
                ``is_duplicate``, ``duplicate_group``, ``is_conflicting_duplicate``, ``is_outlier``,
                ``outlier_score``, ``failing_group``.
            alpha: How often a test may be wrong where there is nothing to find, in (0, 1).
            most_rows: The most rows that are compared with each other: time grows with the square of their number.
            embed: As in :func:`dqlabels.audit`: columns to turn into vectors first.
            n_jobs: Threads.

        Returns:
            The check-up: ``.findings``, ``.details(check)`` and ``.frame``.

        Raises:
            OptionError: An option that means nothing here, or outliers asked for by name of more than ``most_rows``
                rows.
            OutputColumnError: A column that is already in the frame.
            FeatureError: ``time`` is no column.
        """
        from dqlabels.checks.result import check_up

        lazy = type(self.frame).__name__ == "LazyFrame"
        asked: dict[str, Any] = {"checks": checks, "time": time, "columns": columns, "embed": embed}
        return check_up(
            self.table, self.label, self.names, self.features, self.evidence, **asked,
            chosen=self.again is not None, alpha=alpha, most_rows=most_rows, n_jobs=n_jobs, lazy=lazy,
        )  # fmt: skip

    def _seen(self) -> tuple[Frame, Mapping[str, ColumnKind]]:
        """The caller's table, without what the audit added, and its features."""
        table = self.table.drop(*self.names)
        return table, usable_kinds(table, self.features, chosen=self.again is not None)

    def _repr_html_(self) -> str:
        return html.fragment(self.to_dict(), quality_histogram(self.evidence))
