"""What every audit can do, whatever its kind of label, and what a kind says where it cannot do something."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, NoReturn, TypeAlias, TypeVar

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from dqlabels.audits.gate import Grounds, Limits, decide_gate
from dqlabels.audits.kinds import KINDS, Kind
from dqlabels.audits.measured import Measured, coverage_limit
from dqlabels.audits.options import Options
from dqlabels.audits.segments import RowDoubt, Segments, segments_of
from dqlabels.errors import OptionError
from dqlabels.frames.atomic import replacing
from dqlabels.frames.columns import Column, Frame
from dqlabels.frames.names import Form
from dqlabels.frames.outputs import new_column, table_of, to_callers_kind
from dqlabels.frames.reading import read_frame
from dqlabels.report.evidence import Evidence, how_sure, plain
from dqlabels.statistics.arrays import IntArray

if TYPE_CHECKING:
    from typing_extensions import Self

    from dqlabels.audits.gate import GateResult
    from dqlabels.audits.trusted.drift import Drift
    from dqlabels.checks.result import Checkup
    from dqlabels.frames.media import Embedding
    from dqlabels.noise.planted import PlantedRecall
    from dqlabels.noise.rate import NoiseRate
    from dqlabels.noise.reviewed import ReviewPlan
    from dqlabels.review.decisions import Head
    from dqlabels.review.queue import ReviewQueue
    from dqlabels.review.session import ReviewSession

Mask = NDArray[np.bool_]
Names = tuple[str, str, str]
Values = Callable[[IntArray], list[object]]
Tone = Literal["plain", "headline", "caution", "assumption"]
# A frame of the caller's library: pandas, Polars, PyArrow or Spark, none of which is imported to say so.
NativeFrame: TypeAlias = Any
AnyAudit = TypeVar("AnyAudit", bound="Audit")
# Verbs that are read, not called.
PROPERTIES = ("noise_rate", "probabilities", "predictions", "plot", "how_sure", "drift", "review_curve")


@dataclass(frozen=True, slots=True, eq=False)
class AuditedRows:
    """The m rows that an audit judged, for those who list or count rows.

    ``positions`` (m,) are their numbers in the frame, ``quality`` (m,), ``rank`` (m,) lowest for the worst, and
    ``suspect`` (m,) true for the rows to list. ``labels`` and ``suggestions`` take positions among the m and return
    plain values; ``concerning`` returns the suspect rows (m,) that a class, a pair, an annotator or a tag is about.
    """

    positions: IntArray
    quality: NDArray[np.float64]
    rank: NDArray[np.float64] | IntArray
    suspect: Mask
    labels: Values
    suggestions: Values
    concerning: Callable[[Iterable[object]], Mask]

    def worst_first(self, chosen: Mask) -> IntArray:
        """Positions among the m of the chosen rows (m,), the worst first."""
        places = np.flatnonzero(chosen)
        return places[np.argsort(self.rank[places], kind="stable")]


@dataclass(frozen=True, slots=True)
class CheckDetails:
    """What a kind of label tells a check of a test suite beside counts and verdict, as plain values.

    ``unit`` is what is counted, in the plural, and ``judged`` says in words who judged. ``tables`` are whole, by name,
    the rows that matter most first; ``facts`` are whatever else there is to tell.
    """

    unit: str
    judged: str
    tables: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)
    facts: Mapping[str, object] = field(default_factory=dict)


class Checked(NamedTuple):
    """What a check-up begins with: the audited rows, and whether a model was trained on their features."""

    evidence: Evidence
    chosen: bool


@dataclass(frozen=True, slots=True)
class Overview:
    """An audit as a terminal shows it: lines of text, each with its tone, then tables by title.

    ``lists_issues`` where the worst rows follow as a table; ``notes`` are warnings that the lines do not name.
    """

    lines: tuple[tuple[Tone, str], ...]
    tables: Mapping[str, Sequence[Mapping[str, object]]] = field(default_factory=dict)
    lists_issues: bool = False
    notes: tuple[str, ...] = ()


# No slots: what is costly and not always wanted, such as the noise rate, is computed when first asked for and cached.
@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Audit(abc.ABC):
    """What was found in one label column, or in several that label the same rows.

    ``frame`` is the caller's frame with three more columns; ``rows`` counts all its rows, ``audited`` those with a
    label, ``flagged`` those suspected. ``model`` describes what judged, ``model_error`` how far it differs from the
    labels; both are None where no model judged. ``table`` is the audited frame as narwhals knows it. Of a batch judged
    by a fitted auditor, ``moved`` holds how far it is from the trusted table.

    >>> import dqlabels, polars as pl
    >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
    >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
    >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
    >>> audit.flagged, audit.audited, audit.flagged_share, audit.missing
    (1, 4, 0.25, 0)
    >>> audit.issues["row"].to_list(), audit.probabilities["ham"].to_list()
    ([1], [0.9, 0.1, 0.2, 0.3])
    >>> audit.noise_rate.method, audit.settings["score"]
    ('variational', 'logit_margin')
    >>> audit.parts, audit.label_columns, audit.names
    (('ham', 'spam'), ('label',), ('label_quality', 'suggested_label', 'is_label_issue'))
    >>> audit.review_curve["rows"].to_list()
    [1, 4]
    >>> audit.plot.confusions().data["suggested"].to_list()
    ['spam']
    """

    label: str
    frame: NativeFrame
    rows: int
    audited: int
    flagged: int
    model: str | None
    model_error: float | None
    warnings: tuple[str, ...]
    options: Options
    table: Frame
    features: tuple[str, ...] = ()
    seconds: float | None = None
    moved: Drift | None = None

    #: What the labels were audited as, in messages.
    audited_as: ClassVar[str] = "labels"
    #: The limits that a gate can hold this kind of label against.
    limits: ClassVar[tuple[str, ...]] = ()
    #: The verbs that need rows which this audit left where they are, with the way out.
    needs_rows: ClassVar[Mapping[str, str]] = {}
    #: The options that shaped the answer, for ``settings``.
    settled: ClassVar[tuple[str, ...]] = ()

    @property
    def kind(self) -> Kind:
        """The kind of label that it is of.

        >>> import dqlabels, polars as pl
        >>> votes = {"ann": list("aabbab"), "bob": list("aabbab"), "cid": list("aabbaa")}
        >>> dqlabels.audit(pl.DataFrame(votes), ["ann", "bob", "cid"]).kind.words
        'several annotators'
        """
        return KINDS[str(self.options.task)]

    @property
    def cannot(self) -> frozenset[str]:
        """The verbs that this audit has no answer for.

        >>> import dqlabels, polars as pl
        >>> votes = {"ann": list("aabbab"), "bob": list("aabbab"), "cid": list("aabbaa")}
        >>> "checkup" in dqlabels.audit(pl.DataFrame(votes), ["ann", "bob", "cid"]).cannot
        True
        """
        return frozenset({*self.kind.cannot, *self.needs_rows})

    @property
    def settings(self) -> dict[str, object]:
        """The options that shaped the answer, as plain values."""
        return {name: getattr(self.options, name) for name in self.settled}

    @property
    def names(self) -> Names:
        """The three columns that the audit added."""
        return self.options.names

    @property
    def flagged_share(self) -> float:
        """Flagged rows over audited rows, in [0, 1]; not the share of wrong labels."""
        return self.flagged / self.audited if self.audited else 0.0

    @property
    def missing(self) -> int:
        """Rows without a label."""
        return self.rows - self.audited

    @property
    def label_columns(self) -> tuple[str, ...]:
        """The columns of the frame that hold the labels."""
        return (self.label,)

    @property
    def parts(self) -> tuple[object, ...]:
        """What may have a limit of its own: the classes, the tags or whoever gave the labels, as these name them."""
        return ()

    @property
    @abc.abstractmethod
    def issues(self) -> NativeFrame:
        """What is suspicious, worst first, as a frame of the caller's library."""

    @property
    def noise_rate(self) -> NoiseRate:
        """The estimated share of wrong labels, with its interval and its assumption; estimated when first asked for."""
        self._refuse("noise_rate")

    @property
    def probabilities(self) -> NativeFrame:
        """Out-of-sample probabilities of the audited rows: row number, then a column per class."""
        self._refuse("probabilities")

    @property
    def review_curve(self) -> NativeFrame:
        """Rows to read, worst first, and how many wrong ones to expect among them, with its interval."""
        self._refuse("review_curve")

    @property
    def drift(self) -> NativeFrame:
        """A batch against the trusted table: noise rate, model error, shares of classes, each feature; a row each.

        ``change`` of ``classes``, ``values`` and of a ``feature`` is a population stability index; ``drifted`` says
        whether a change is large, or beyond what sampling explains.

        Raises:
            OptionError: This audit is not of a batch that a fitted auditor judged.

        >>> import dqlabels, polars as pl
        >>> trusted = pl.DataFrame({"x": [at / 10 for at in range(100)], "y": ["low"] * 50 + ["high"] * 50})
        >>> auditor = dqlabels.LabelAuditor("y").fit(trusted)
        >>> batch = trusted.with_columns(pl.col("x") + 0.05)
        >>> auditor.audit(batch).drift["drifted"].any()
        False
        """
        if "drift" in self.cannot:
            self._refuse("drift")
        moved = self._drifted()
        if moved is None:
            raise OptionError(
                "Drift is measured between a trusted table and a batch: dqlabels.LabelAuditor(label).fit(trusted)"
                ".audit(batch).drift."
            )
        numbers = dict.fromkeys(("trusted", "batch", "change", "low", "high"), nw.Float64)
        backend = self.table.implementation
        series = [nw.new_series(n, v, numbers[n], backend=backend) if n in numbers else
                  nw.new_series(n, v, backend=backend) for n, v in moved.columns().items()]  # fmt: skip
        return table_of({column.name: column for column in series}, backend).to_native()

    def _drifted(self) -> Drift | None:
        """How far a batch moved from the trusted table, its noise rate first; None where it is no batch."""
        return None if self.moved is None else self.moved.with_rate(None, self.audited)

    @property
    def plot(self) -> Any:
        """Charts as altair objects, each a method of what is returned; which there are depends on the kind of label."""
        self._refuse("plot")

    def by(self, column: str) -> NativeFrame:
        """The figures of each segment of the table, a row for each value of a column, the worst first.

        ``rows`` that were judged and rows ``unjudged``, the ``noise_rate`` with its interval, the rows ``flagged`` and
        the wrong labels to expect among them, with an interval. A segment's rate is drawn towards the table's as far as
        chance explains that they differ, so that small segments do not stand out by chance. Rows without a value are a
        segment of their own.

        Args:
            column: The column whose values are the segments, at most 1,000.

        Raises:
            OptionError: A column of fractional numbers or of more values, or a kind of label without P(wrong) by row.
            FeatureError: A column that is not there.

        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], "box": ["a", "a", "b", None], **probs})
        >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
        >>> audit.by("box").sort("box")[["box", "rows", "flagged"]].rows()
        [(None, 1, 0), ('a', 2, 1), ('b', 1, 0)]
        """
        segments = self.segments(column)
        order = segments.worst_first
        numbers = {name: values[order] for name, values in segments.columns().items()}
        return self._listing({segments.name: fresh_index(segments.column[order.tolist()]), **numbers})

    def segments(self, column: str) -> Segments:
        """The segments of a column, for those who limit or show them.

        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], "box": ["a", "a", "b", "b"], **probs})
        >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
        >>> audit.segments("box").values
        ('a', 'b')
        """
        return segments_of(self.table, column, self._doubt(), self.noise_rate)

    @property
    def how_sure(self) -> Any:
        """How sure each flag is, as a column of the frame: ``likely wrong``, ``could be either``, null without a flag.

        Raises:
            OptionError: The qualities are no probabilities, or the rows are not in memory.

        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
        >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
        >>> audit.frame.with_columns(audit.how_sure)["how_sure"].to_list()
        [None, 'could be either', None, None]
        """
        if "how_sure" in self.cannot:
            self._refuse("how_sure")
        self._check_probable()
        quality, _, flag = (self.table[name].to_numpy() for name in self.names)
        flagged = np.array([bool(one) if one is not None else False for one in flag.tolist()])
        words = np.full(flagged.size, None, dtype=object)
        words[flagged] = how_sure(np.asarray(quality[flagged], dtype=np.float64))
        return new_column(self.table, "how_sure", words, nw.String).to_native()

    def _doubt(self) -> RowDoubt:
        """P(wrong) of each judged row."""
        self._refuse("by")

    @abc.abstractmethod
    def gate(self, *args: Any, **limits: Any) -> GateResult:
        """Hold what was found against limits, each by name; which there are depends on the kind of label.

        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3] * 50, "spam": [0.1, 0.9, 0.8, 0.7] * 50}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"] * 50, **probs})
        >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
        >>> audit.gate(max_noise_rate=0.5).verdict
        'pass'
        """

    def estimate_noise(self, *args: Any, **options: Any) -> NoiseRate:
        """Estimate the noise rate by another method or at another confidence.

        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
        >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
        >>> audit.estimate_noise("confident", confidence=0.95).method
        'confident'
        """
        self._refuse("estimate_noise")

    def review_sample(self, rows: int = 100, *, random_state: int | None = None) -> NativeFrame:
        """Draw rows to review by hand.

        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
        >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
        >>> sorted(audit.review_sample(4)["row"])
        [0, 1, 2, 3]
        """
        self._refuse("review_sample")

    def review_plan(
        self, *, width: float | None = None, max_noise_rate: float | None = None, confidence: float = 0.90
    ) -> ReviewPlan:
        """Say how many rows to review.

        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
        >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
        >>> audit.review_plan(width=0.2).population
        4
        """
        self._refuse("review_plan")

    def with_review(self, reviewed: NativeFrame, *, answer: str = "reviewed_label", confidence: float = 0.90) -> Self:
        """Return the audit with the noise rate that a reviewed sample gives.

        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
        >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
        >>> sample = audit.review_sample(4)
        >>> right = {0: "ham", 1: "spam", 2: "spam", 3: "spam"}  # what a reader finds
        >>> reviewed = sample.with_columns(reviewed_label=pl.Series([right[row] for row in sample["row"]]))
        >>> audit.with_review(reviewed).noise_rate.estimate
        0.25
        """
        self._refuse("with_review")

    def review(
        self,
        decisions: str | Path | None = None,
        *,
        sample: int | None = None,
        max_noise_rate: float | None = None,
        port: int = 0,
        start: bool = True,
        open_browser: bool = True,
    ) -> ReviewSession:
        """Review rows in a page of this machine's browser; needs the extra ``review``.

        Args:
            decisions: File in which every decision is kept as it is made; a former review in it goes on. Default
                ``LABEL.review.jsonl`` in the folder where Python runs.
            sample: Review so many rows, drawn as by :meth:`review_sample`, for a noise rate; default the flagged rows.
            max_noise_rate: With ``sample``: a limit in (0, 1). The page says when enough rows are read to tell that the
                noise rate is above or below it.
            port: The port to serve on; 0 takes a free one.
            start: Serve at once, beside the caller; else ``.start()`` or ``.serve()`` it.
            open_browser: Open the page in the default browser when it starts.

        Returns:
            The session: ``.url``, ``.answers()`` for :meth:`with_review`, ``.wait()`` and ``.stop()``.

        Raises:
            MissingExtraError: starlette or uvicorn is not installed.
            OptionError: ``decisions`` is a file on other labels, or of something else; a limit without a sample or
                outside (0, 1); or the port is taken.

        >>> import tempfile
        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
        >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
        >>> folder = tempfile.TemporaryDirectory()
        >>> with audit.review(f"{folder.name}/mail.jsonl", open_browser=False) as session:
        ...     session.url.startswith("http://127.0.0.1:")
        True
        >>> folder.cleanup()
        """
        from dqlabels.review.decisions import DecisionFile
        from dqlabels.review.queue import check_limit
        from dqlabels.review.session import ReviewSession

        if max_noise_rate is not None:
            check_limit(max_noise_rate, sample)
        queue, head = self._review_queue(sample, max_noise_rate)
        path = decisions or "".join(c if c.isalnum() else "_" for c in self.label) + ".review.jsonl"
        session = ReviewSession(queue, DecisionFile(path, head), self.label, port=port)
        return session.start(open_browser=open_browser) if start else session

    def planted_recall(self, *, share: float = 0.03, repeats: int = 3) -> PlantedRecall:
        """Plant errors, audit again, and say which share is found.

        >>> import dqlabels, polars as pl
        >>> frame = pl.DataFrame({"x": [at / 10 for at in range(100)], "y": ["low"] * 50 + ["high"] * 50})
        >>> dqlabels.audit(frame, "y").planted_recall(repeats=1).planted
        3
        """
        self._refuse("planted_recall")

    def profile(self) -> dict[str, Any]:
        """Return what later audits compare themselves with.

        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
        >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
        >>> audit.profile()["classes"]
        ['ham', 'spam']
        """
        self._refuse("profile")

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

        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
        >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
        >>> audit.checkup("features").findings["verdict"].to_list()
        ['clear']
        """
        from dqlabels.checks.result import check_up

        checked = self._checked()
        return check_up(
            self.table, self.label, self.names, self.features, checked.evidence, checks=checks, time=time,
            columns=columns, embed=embed, chosen=checked.chosen, alpha=alpha, most_rows=most_rows, n_jobs=n_jobs,
            form=Form.between(self.table, self.frame),
        )  # fmt: skip

    @abc.abstractmethod
    def summary(self) -> str:
        """The audit in about a dozen lines of text.

        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
        >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
        >>> audit.summary().partition(";")[0]
        "Labels in 'label': 4 rows audited, 1 flagged (25.0%)"
        """

    def overview(self) -> Overview:
        """The audit as a terminal shows it; by default its summary.

        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
        >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
        >>> audit.overview().lines[0][1].partition(";")[0]
        'label: 1 of 4 labels flagged (25.0%)'
        """
        return Overview(tuple(("plain", line) for line in self.summary().splitlines()))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON: the counts, what was estimated, and the worst rows.

        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
        >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
        >>> audit.to_dict()["flagged"]
        1
        """
        from dqlabels.version import __version__

        counts = ("rows", "audited", "missing", "flagged", "flagged_share", "model", "model_error")
        return {
            "label": str(self.label),
            **{name: getattr(self, name) for name in counts},
            **self._own_values(),
            **({} if (moved := self._drifted()) is None else {"drift": moved.to_list()}),
            "warnings": list(self.warnings),
            "settings": self.settings,
            "version": __version__,
        }

    def to_html(
        self,
        path: str | Path | None = None,
        *,
        gate: GateResult | None = None,
        rows: int = 60,
        checkup: Checkup | None = None,
        by: str | None = None,
    ) -> str:
        """Return the report as one HTML file that asks the network for nothing; needs the extra ``report``.

        Args:
            path: Written whole or not at all; by default not written.
            gate: A verdict to begin with.
            rows: How many of the worst rows to show, 1 to 1000; each takes 2 to 5 kB.
            checkup: A check-up of this audit, whose findings join the notes about the data.
            by: A column whose values are segments, to show the figures of each as :meth:`by` has them.

        Raises:
            MissingExtraError: jinja2 is not installed.
            OptionError: ``rows`` is out of bounds.
            OSError: The file cannot be written; a former one is as it was.

        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3] * 50, "spam": [0.1, 0.9, 0.8, 0.7] * 50}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"] * 50, **probs})
        >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
        >>> audit.to_html(gate=audit.gate(max_noise_rate=0.5))[:15]
        '<!DOCTYPE html>'
        """
        if "to_html" in self.cannot:
            self._refuse("to_html")
        page = self._page(rows, gate, checkup, None if by is None else self.segments(by))
        if path is not None:
            with replacing(path) as file:
                file.write(page.encode("utf-8", "replace"))
        return page

    @abc.abstractmethod
    def audited_rows(self) -> AuditedRows:
        """The rows that were judged, for those who list or count rows.

        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
        >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
        >>> rows = audit.audited_rows()
        >>> rows.labels(rows.worst_first(rows.suspect))
        ['ham']
        """

    @abc.abstractmethod
    def check_details(self) -> CheckDetails:
        """What a check of a test suite tells of the audit beside counts and verdict.

        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
        >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
        >>> audit.check_details().unit
        'labels'
        """

    @abc.abstractmethod
    def without_frame(self) -> Self:
        """The audit with what its gate and its rows are made from, and nothing else, to be cached.

        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
        >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
        >>> audit.without_frame().flagged
        1
        """

    def with_table(self, frame: NativeFrame) -> Self:
        """The audit with the rows that it is of, where these were taken from it to be cached.

        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], "box": ["a", "a", "b", "b"], **probs})
        >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
        >>> audit.without_frame().with_table(mail).by("box")["rows"].to_list()
        [2, 2]
        """
        return replace(self, table=read_frame(frame)[1])

    def __str__(self) -> str:
        return self.summary()

    @abc.abstractmethod
    def _own_values(self) -> Mapping[str, object]:
        """What ``to_dict`` has for this kind of label alone."""

    @abc.abstractmethod
    def _page(self, rows: int, gate: GateResult | None, checkup: Checkup | None, segments: Segments | None) -> str:
        """The report as HTML."""

    def _review_queue(self, sample: int | None, limit: float | None) -> tuple[ReviewQueue, Head]:
        """The rows to review, all that are suspicious or a sample for a limit, and what their labels are known by."""
        self._refuse("review")

    def _checked(self) -> Checked:
        """What a check-up begins with."""
        self._refuse("checkup")

    @abc.abstractmethod
    def _measured(self, limits: Limits) -> tuple[Grounds, list[Measured]]:
        """What a gate's message says about the estimate, and what is compared with which limit."""

    def _segment_limits(self, limits: Limits) -> list[Measured]:
        if limits.max_segment_noise_rate is None or limits.by is None:
            return []
        return self.segments(limits.by).limits(limits.max_segment_noise_rate, limits.min_judged)

    def _unjudged(self, limits: Limits) -> list[Measured]:
        """What keeps the labels from being judged at all, whatever they are held against; empty where nothing does."""
        return coverage_limit(self.audited, self.rows, limits.min_judged)

    def _gate_details(self) -> list[str]:
        """Further lines of a gate's message."""
        return []

    def _gate(self, given: Mapping[str, object]) -> GateResult:
        if "max_noise_rate" in given and "noise_rate" in self.cannot:
            self._refuse("noise_rate")
        limits = Limits.of(given, f"dqlabels.{type(self).__name__}.gate", self.limits)
        grounds, measured = self._measured(limits)
        measured = [*measured, *self._segment_limits(limits), *self._unjudged(limits)]
        return decide_gate(
            grounds, measured, decide=limits.decide, on_inconclusive=limits.on_inconclusive,
            details=self._gate_details(), stacklevel=4,
        )  # fmt: skip

    def _listing(self, columns: Mapping[str, Column | NDArray[Any]]) -> NativeFrame:
        """Columns of values or numbers, at least one of these, as a frame of the caller's library."""
        numbers = {name: values for name, values in columns.items() if isinstance(values, np.ndarray)}
        others = [values.alias(name) for name, values in columns.items() if not isinstance(values, np.ndarray)]
        table = table_of(numbers, self.table.implementation)
        return table.with_columns(*others).select(*columns).to_native()

    def _check_probable(self) -> None:
        """Raise unless the qualities are probabilities.

        Raises:
            OptionError: They are the scores of another library.
        """
        if self.options.compat is not None:
            raise OptionError(f"compat={self.options.compat!r} gives scores, which are no probabilities. Leave it out.")

    def _refuse(self, verb: str) -> NoReturn:
        """Say why this audit has no such verb.

        Raises:
            OptionError: Always.
        """
        call = verb if verb in PROPERTIES else f"{verb}()"
        if verb not in self.kind.cannot:
            raise OptionError(f"{call} {self.needs_rows[verb].format(label=self.label)}")
        raise OptionError(
            f"{call} is not there for {self.label!r}, which was audited as {self.kind.words}: {self.kind.cannot[verb]}"
        )


def detached(audit: AnyAudit, **changes: object) -> AnyAudit:
    """The audit without its frame, with other fields changed."""
    return replace(audit, frame=None, **changes)  # type: ignore[arg-type]


def issue_rows(
    table: Frame, label: str, names: Names, positions: IntArray, said: Mapping[str, Sequence[str]]
) -> NativeFrame:
    """Rows (m,) of the audited table: number, label and answer first, then what is said; in the caller's library.

    Args:
        table: The audited frame, with the three columns ``names``.
        label: The label column.
        names: Quality, suggestion and flag; the flag, true in all of them, is left out.
        positions: (m,) row numbers, in the order to show.
        said: What is said of each row (m,), by the name of the column.
    """
    rows = table[positions.tolist()]
    quality, suggested, _ = names
    first = [label, suggested, quality]
    columns, backend = {*rows.columns}, rows.implementation
    row, words = free_name("row", columns), {free_name(name, columns): values for name, values in said.items()}
    rows = rows.with_columns(
        nw.new_series(row, positions, backend=backend),
        *(nw.new_series(name, list(values), nw.String, backend=backend) for name, values in words.items()),
    )
    rest = [name for name in table.columns if name not in {*first, *names}]
    return rows.select(row, *first, *words, *rest).to_native()


def rows_to_review(audit: Audit, positions: IntArray) -> NativeFrame:
    """Rows (s,) of an audit with an empty column for the answers, without what was found of them.

    Args:
        audit: Of a table in memory, with one label column.
        positions: Their numbers, in the order to show.
    """
    drawn = audit.table[positions.tolist()]
    columns = {*drawn.columns}
    numbers = nw.new_series(free_name("row", columns), positions, backend=drawn.implementation)
    empty = nw.new_series("reviewed_label", [None] * positions.size, nw.String, backend=drawn.implementation)
    drawn = fresh_rows(drawn).with_columns(numbers, empty)
    rest = [name for name in audit.table.columns if name not in {audit.label, *audit.names}]
    chosen = drawn.select(numbers.name, audit.label, "reviewed_label", *rest)
    return to_callers_kind(chosen, replace(Form.between(audit.table, audit.frame), lazy=False, stored={}))


def free_name(name: str, taken: set[str]) -> str:
    """Return the name, with underscores added until it is not taken."""
    while name in taken:
        name += "_"
    return name


def column_values(table: Frame, name: str, positions: IntArray) -> Values:
    """Return a function from places among ``positions`` to the plain values of a column."""
    return lambda at: [plain(value) for value in table[name][positions[at].tolist()].to_list()]


def fresh_index(column: Column) -> Column:
    """The values under a new index, where the frame library has one."""
    if not column.implementation.is_pandas_like():
        return column
    return nw.from_native(column.to_native().reset_index(drop=True), series_only=True)


def fresh_rows(table: Frame) -> Frame:
    """The rows under a new index, where the frame library has one."""
    if not table.implementation.is_pandas_like():
        return table
    return nw.from_native(table.to_native().reset_index(drop=True), eager_only=True)


def records(native: NativeFrame) -> list[dict[str, Any]]:
    """A frame's rows as plain values."""
    frame = nw.from_native(native, eager_only=True)
    return [{name: plain(value) for name, value in row.items()} for row in frame.iter_rows(named=True)]
