"""What an audit of one class per row gives: its tables, its gate, its review, and the rows where they are in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, cast

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from dqlabels.audits.base import (
    Audit,
    AuditedRows,
    CheckDetails,
    Checked,
    Mask,
    NativeFrame,
    Overview,
    detached,
    free_name,
    fresh_index,
    fresh_rows,
    issue_rows,
    rows_to_review,
)
from dqlabels.audits.classes.overview import class_overview
from dqlabels.audits.gate import DECIDING, Deciding, GateResult, Grounds, Limits
from dqlabels.audits.measured import (
    Measured,
    class_limits,
    drift_limits,
    increase_limit,
    pair_limits,
    rate_limit,
    single_class_limit,
    unseen_limit,
)
from dqlabels.audits.options import documented_fields
from dqlabels.audits.segments import RowDoubt, Segments
from dqlabels.errors import OptionError, warn_all
from dqlabels.frames.columns import ColumnKind, Frame
from dqlabels.frames.names import Form
from dqlabels.frames.outputs import table_of, to_callers_kind, with_quality
from dqlabels.noise.anchor import anchor_noise
from dqlabels.noise.joint import confident_noise
from dqlabels.noise.methods import METHODS
from dqlabels.noise.mixture import mixture_noise
from dqlabels.noise.planted import PlantedRecall, plant_and_find
from dqlabels.noise.probability import Calibration, Expected
from dqlabels.noise.rate import NoiseRate
from dqlabels.noise.reference import (
    PROFILE_FORMAT,
    comparison_caution,
    read_profile,
    reference_level,
    reference_noise,
)
from dqlabels.noise.reviewed import (
    ReviewAnswers,
    ReviewPlan,
    answer_in,
    check_sample,
    draw_sample,
    plan_review,
    read_answers,
    reviewed_noise,
    row_number,
    rows_stood_for,
)
from dqlabels.noise.support import with_support_of
from dqlabels.report import html, text
from dqlabels.report.charts import Charts
from dqlabels.report.data import check_rows, class_lead, quality_histogram, report_facts, shown_rows
from dqlabels.report.draw import quality_bars
from dqlabels.report.evidence import Evidence, index_values, plain
from dqlabels.report.explanations import usable_kinds
from dqlabels.report.marks import Marks
from dqlabels.report.reading import curve_data
from dqlabels.report.summary import expected_data

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from dqlabels.audits.classes.pipeline import Again
    from dqlabels.audits.trusted.drift import Drift
    from dqlabels.checks.result import Checkup
    from dqlabels.report.data import ReportData
    from dqlabels.report.summary import ClassSummary
    from dqlabels.review.decisions import Head
    from dqlabels.review.queue import ReviewQueue

# What tells the profile of one trusted table from that of another.
PROFILE_KEYS = ("rows", "classes", "class_rows", "model_error")
MAX_ROWS_IN_DICT = 10
# A notebook view must be there at once, so it explains rows by fewer columns and rows than a report does.
MAX_FEATURES_IN_NOTEBOOK, MAX_COMPARED_IN_NOTEBOOK = 60, 500
MAX_PAIRS_IN_DICT = 20
MAX_PAIRS_IN_DETAILS = 10
LIMITS = (
    "max_noise_rate", "max_class_noise_rate", "max_pair_share", "max_increase", "max_segment_noise_rate", "max_drift",
    "max_unseen_share", "by", "reference", "method", *DECIDING,
)  # fmt: skip


class ClassLimits(Deciding, total=False):
    """The limits of labels of one class per row, for editors and type checkers."""

    max_noise_rate: float | None
    max_class_noise_rate: float | Mapping[Any, float] | None
    max_pair_share: float | Mapping[tuple[Any, Any], float] | None
    max_increase: float | None
    max_segment_noise_rate: float | Mapping[Any, float] | None
    max_drift: float | None
    max_unseen_share: float | None
    by: str | None
    reference: object
    method: str | None


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class ClassAudit(Audit):
    """What an audit of one class per row knows, wherever its rows are.

    ``model_error`` is the share of audited rows whose likeliest class, out of sample, is not the given one.

    >>> import dqlabels, polars as pl
    >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
    >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
    >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
    >>> audit.classes[["class", "rows", "flagged"]].rows()
    [('ham', 2, 1), ('spam', 2, 0)]
    >>> audit.confusions.rows()
    [('ham', 'spam', 1, 0.5)]
    >>> audit.joint.rows()
    [('ham', 'ham', 1, 0.25), ('ham', 'spam', 1, 0.25), ('spam', 'spam', 1, 0.5)]
    >>> audit.noise_matrix.columns
    ['true', 'given', 'given_if_true', 'true_if_given']
    """

    model: str
    model_error: float
    evidence: Evidence
    calibration: Calibration
    modelled: NoiseRate
    reviewed: NoiseRate | None = None

    audited_as: ClassVar[str] = "classes"
    limits: ClassVar[tuple[str, ...]] = LIMITS
    settled: ClassVar[tuple[str, ...]] = (
        "filter_by", "min_precision", "score", "adjust", "compat", "random_state", "task",
    )  # fmt: skip

    @property
    def noise_rate(self) -> NoiseRate:
        """The estimated share of wrong labels, with its interval and its assumption."""
        return self.modelled if self.reviewed is None else self.reviewed

    @property
    def expected_wrong(self) -> Expected:
        """How many of the flagged labels are likely wrong: ``estimate`` with an interval, ``low`` to ``high``.

        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1] * 50, "spam": [0.1, 0.9] * 50}
        >>> mail = pl.DataFrame({"label": ["ham", "spam"] * 45 + ["spam", "ham"] * 5, **probs})
        >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
        >>> audit.flagged, 0 < audit.expected_wrong.estimate <= 10
        (10, True)
        """
        return self.calibration.expected_wrong()

    @property
    def review_curve(self) -> NativeFrame:
        """Rows to read, worst first, and how many wrong labels to expect among them, with its interval.

        A row for 10, 20, 50, 100 and so on rows, for the flagged rows, and for all: ``rows``, ``wrong``, ``low``,
        ``high`` and ``share``, the share of the rows read that is expected to be wrong.

        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1] * 50, "spam": [0.1, 0.9] * 50}
        >>> mail = pl.DataFrame({"label": ["ham", "spam"] * 45 + ["spam", "ham"] * 5, **probs})
        >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
        >>> audit.review_curve["rows"].to_list(), audit.review_curve["wrong"].is_sorted()
        ([10, 20, 50, 100], True)
        """
        return table_of(self.calibration.review_curve(), self.table.implementation).to_native()

    @property
    def classes(self) -> NativeFrame:
        """A row per class: rows, flagged, flagged share, noise rate with interval, threshold, mean quality."""
        numbers = self._class_numbers()
        return self._table({"class": np.arange(len(self.evidence.classes))}, numbers)

    @property
    def confusions(self) -> NativeFrame:
        """A row per given → suggested pair that was flagged, commonest first, with its share of the given class."""
        given, suggested, rows, share = self.evidence.pairs()
        return self._table({"given": given, "suggested": suggested}, {"rows": rows, "share": share})

    @property
    def joint(self) -> NativeFrame:
        """Calibrated joint of given and likely label, a row per cell that is not empty; ``share`` sums to 1."""
        given, likely = np.nonzero(self.evidence.joint)
        numbers = {"rows": self.evidence.counts[given, likely], "share": self.evidence.joint[given, likely]}
        return self._table({"given": given, "likely": likely}, numbers)

    @property
    def noise_matrix(self) -> NativeFrame:
        """P(given | true) and P(true | given) under the method of ``noise_rate``, a row per pair of classes."""
        return self._by_pair(self.noise_rate)

    def estimate_noise(
        self, method: str = "variational", *, confidence: float = 0.90, reference: object = None
    ) -> NoiseRate:
        """The noise rate by another method or at another confidence.

        Args:
            method: One of ``dqlabels.noise.METHODS``, or ``"reference"``: the change against trusted data.
            confidence: Confidence of the interval, in (0, 1).
            reference: For that: an audit of trusted data, what its ``profile()`` gave, or the path of its JSON
                or of a saved auditor. For a batch that a fitted auditor judged, the default is its trusted table.

        Raises:
            OptionError: An unknown method, a reference that is not a profile, or a confidence outside (0, 1).

        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
        >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
        >>> audit.estimate_noise("confident", confidence=0.95).method
        'confident'
        """
        evidence, seed = self.evidence, self.options.random_state
        options: Any = {"confidence": confidence, "random_state": seed}
        if method == "reference":
            return self._change(reference, confidence)
        if method in ("variational", "em"):
            rate = mixture_noise(
                evidence.codes, evidence.probs, method=method, counts=evidence.counts, confidence=confidence
            )
        elif method == "anchor":
            rate = anchor_noise(evidence.codes, evidence.probs, **options)
        elif method == "confident":
            rate = confident_noise(evidence.counts, evidence.class_rows, **options)
        else:
            raise OptionError(f"method={method!r} is none of {', '.join(map(repr, (*METHODS, 'reference')))}.")
        return with_support_of(self.modelled, rate)

    def _change(self, reference: object, confidence: float) -> NoiseRate:
        profile = self._profile_of(reference)
        classes = [str(value) for value in self.evidence.classes]
        unknown = sorted(set(classes) - set(map(str, profile.get("classes", classes))))
        if unknown:
            raise OptionError(
                f"Classes {', '.join(map(repr, unknown[:10]))} of {self.label!r} are not in the reference, so the two "
                "cannot be compared. Take a reference that holds all classes."
            )
        own = self._measured_change(profile, confidence)
        if own is not None:
            return own
        change = reference_noise(self.model_error, self.audited, profile, self.noise_rate, confidence=confidence)
        caution = comparison_caution(profile, self.model, self.audited)
        return replace(change, supported=False, caution=caution) if caution else change

    def _measured_change(self, profile: Mapping[str, Any], confidence: float) -> NoiseRate | None:
        """The increase as an auditor measured it, where it is the profile's own that judged; else None."""
        return None

    def _profile_of(self, reference: object) -> Mapping[str, Any]:
        return read_profile(self._reference if reference is None else reference)

    @property
    def _reference(self) -> Mapping[str, object] | None:
        """The reference of a change where the caller names none."""
        return None

    def profile(self) -> dict[str, Any]:
        """What later audits compare themselves with: plain values, to keep as JSON beside trusted data.

        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
        >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
        >>> audit.profile()["classes"]
        ['ham', 'spam']
        """
        summary = self.to_dict()
        keys = ("label", "model", "model_error", "settings", "version", "noise_rate")
        return {
            "format": PROFILE_FORMAT,
            "rows": self.audited,
            "classes": [str(value) for value in self.evidence.classes],
            "class_rows": self.evidence.class_rows.tolist(),
            **{key: summary[key] for key in keys},
        }

    def noise_rates(self, by: str = "method") -> NativeFrame:
        """Every method that needs no further input, and the one in use: estimate, interval and assumption, a row each.

        Args:
            by: ``"method"`` for one row per method; ``"class"`` for one per method and class: the share of the rows
                given that class whose label is wrong, with its interval; ``"pair"`` for one per method and pair of
                classes: P(given | true) and P(true | given).

        Raises:
            OptionError: ``by`` is none of these.

        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
        >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
        >>> audit.noise_rates()["method"].to_list()
        ['variational', 'em', 'anchor', 'confident']
        """
        rates = {method: self.estimate_noise(method) for method in METHODS}
        own = self.noise_rate
        rates = rates if own.method in rates else {own.method: own} | rates
        rates[own.method] = own
        if by == "method":
            listed = [dict(rate.to_dict()) for rate in rates.values()]
            columns = {key: [rate[key] for rate in listed] for key in listed[0]}
            return table_of(columns, self.table.implementation).to_native()
        if by not in ("class", "pair"):
            raise OptionError(f"by={by!r} is none of 'method', 'class', 'pair'.")
        tables = [
            nw.from_native(self._by_class(rate) if by == "class" else self._by_pair(rate), eager_only=True)
            for rate in rates.values()
        ]
        named = [
            table.select(nw.lit(method).alias("method"), nw.all()) for method, table in zip(rates, tables, strict=True)
        ]
        return fresh_rows(nw.concat(named)).to_native()

    def _by_class(self, rate: NoiseRate) -> NativeFrame:
        numbers = {"noise_rate": rate.by_given_class, "low": rate.class_low, "high": rate.class_high}
        return self._table({"class": np.arange(len(self.evidence.classes))}, numbers)

    def _by_pair(self, rate: NoiseRate) -> NativeFrame:
        k = len(self.evidence.classes)
        true, given = (cells.ravel() for cells in np.indices((k, k)))
        numbers = {"given_if_true": rate.matrix[true, given], "true_if_given": rate.inverse[given, true]}
        return self._table({"true": true, "given": given}, numbers)

    def _class_numbers(self) -> dict[str, NDArray[np.generic]]:
        rate = self.noise_rate
        return self.evidence.class_facts(rate.by_given_class, rate.class_low, rate.class_high)

    @documented_fields(Limits, LIMITS)
    def gate(self, **limits: Unpack[ClassLimits]) -> GateResult:
        """Hold what was found against limits, shares of rows in [0, 1].

        Args:
            {options}

        Raises:
            OptionError: No limit, one outside [0, 1], an unknown class or choice, or no reference.

        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3] * 50, "spam": [0.1, 0.9, 0.8, 0.7] * 50}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"] * 50, **probs})
        >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
        >>> audit.gate(max_noise_rate=0.5, max_class_noise_rate={"ham": 0.6}).verdict
        'pass'
        """
        return self._gate(limits)

    def _measured(self, limits: Limits) -> tuple[Grounds, list[Measured]]:
        rate = self._rate_for(limits.method, limits.decide, limits.reference)
        evidence = self.evidence
        by_class = self.noise_rate if rate.method == "reference" else rate
        measured = []
        if limits.max_noise_rate is not None:
            measured.append(rate_limit("max_noise_rate", "the label-noise rate", rate, limits.max_noise_rate))
        if limits.max_increase is not None:
            change = self._change(limits.reference, rate.confidence)
            measured.append(increase_limit(change, self._profile_of(limits.reference), limits.max_increase))
        classes, rows = evidence.classes, evidence.class_rows
        measured += class_limits(by_class, self.label, classes, rows, limits.max_class_noise_rate)
        measured += pair_limits(rate, self.label, classes, evidence.pairs(), limits.max_pair_share)
        measured += self._batch_limits(limits)
        grounds = Grounds.of(rate, self.label, flags=self._flags())
        if [one.name for one in measured] == ["max_increase"]:
            # The increase has an assumption of its own, which is not the one of the level.
            grounds = replace(grounds, method=change.method, assumption=change.assumption)
        return grounds, measured

    def _doubt(self) -> RowDoubt:
        self._check_probable()
        return RowDoubt(self.evidence.positions, 1 - self.evidence.quality, self.evidence.flagged)

    def _batch_limits(self, limits: Limits) -> list[Measured]:
        """What only a batch has that a fitted auditor judged."""
        for name in ("max_drift", "max_unseen_share"):
            if getattr(limits, name) is not None:
                raise OptionError(
                    f"{name}= compares a batch with a trusted table: dqlabels.LabelAuditor(label).fit(trusted)"
                    f".audit(batch).gate({name}=...)."
                )
        return []

    def _unjudged(self, limits: Limits) -> list[Measured]:
        present = np.flatnonzero(self.evidence.class_rows)
        found = super()._unjudged(limits)
        if present.size != 1:
            return found
        value, trusted = self.evidence.classes[present[0]], None
        if limits.reference is not None or self._reference is not None:
            profile = self._profile_of(limits.reference)
            shares = dict(zip(map(str, profile["classes"]), profile["class_rows"], strict=True))
            trusted = shares.get(str(value), 0) / int(profile["rows"])
        return [*found, single_class_limit(plain(value), self.audited, trusted)]

    def _flags(self) -> str:
        """How many labels are flagged, and how many of them are likely wrong, as a sentence."""
        return f"{self.flagged:,} flagged{text.likely_wrong(self.flagged, expected_data(self.expected_wrong))}."

    def _gate_details(self) -> list[str]:
        shown = self.to_dict()
        lines = [*text.class_lines(shown["classes"]), *text.confusion_lines(shown["confusions"])]
        return lines + text.worst_lines(shown["worst"], text.quality_meaning(shown["settings"]))

    def _rate_for(self, method: str | None, decide: str, reference: object) -> NoiseRate:
        """The rate that a gate compares with its limit: by a review or a reference, where there is one."""
        if method is not None:
            return self.estimate_noise(method, reference=reference)
        if decide != "confident" or reference is None or self.noise_rate.method == "reviewed":
            return self.noise_rate
        return reference_level(self._change(reference, self.noise_rate.confidence), read_profile(reference))

    def review_plan(
        self, *, width: float | None = None, max_noise_rate: float | None = None, confidence: float = 0.90
    ) -> ReviewPlan:
        """Return how many rows of :meth:`review_sample` to review, if the present estimate is right.

        Args:
            width: The width of the interval that you want, high minus low, in (0, 1).
            max_noise_rate: Instead of a width, the limit that the interval should exclude.
            confidence: Confidence of the interval, in (0, 1).

        Raises:
            OptionError: Neither or both of width and limit, or a number outside (0, 1).

        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
        >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
        >>> audit.review_plan(width=0.2).population
        4
        """
        return plan_review(
            self.noise_rate.estimate, self.audited, width=width, limit=max_noise_rate, confidence=confidence
        )

    def summary(self) -> str:
        """The audit in about a dozen lines of text.

        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
        >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
        >>> audit.summary().partition(";")[0]
        "Labels in 'label': 4 rows audited, 1 flagged (25.0%)"
        """
        return text.summary(cast("ClassSummary", self.to_dict()))

    def overview(self) -> Overview:
        """The audit as a terminal shows it."""
        return class_overview(cast("ClassSummary", self.to_dict()))

    def _own_values(self) -> dict[str, object]:
        numbers = {name: values.tolist() for name, values in self._class_numbers().items()}
        classes = [plain(value) for value in self.evidence.classes]
        pairs = zip(*(part[:MAX_PAIRS_IN_DICT].tolist() for part in self.evidence.pairs()), strict=True)
        return {
            "noise_rate": self.noise_rate.to_dict(),
            "expected_wrong": expected_data(self.expected_wrong),
            "classes": [
                {"class": value, **{name: plain(numbers[name][k]) for name in numbers}}
                for k, value in enumerate(classes)
            ],
            "confusions": [
                {"given": classes[given], "suggested": classes[likely], "rows": rows, "share": share}
                for given, likely, rows, share in pairs
            ],
            "worst": self.evidence.worst_facts(MAX_ROWS_IN_DICT, index_values(self.table)),
        }

    def _page(self, rows: int, gate: GateResult | None, checkup: Checkup | None, segments: Segments | None) -> str:
        from dqlabels.report.page import page
        from dqlabels.report.sections import segments_section

        shown = self.report_facts(rows=rows)
        if checkup is not None:
            shown["notes"] += [f"Check-up, {one.check}: {one.says}" for one in checkup.all_findings if one.found]
        section = None if segments is None else segments_section(segments.name, segments.to_list())
        return page(cast("ReportData", shown), gate, section)

    def report_facts(self, *, rows: int = 60) -> dict[str, Any]:
        """Return what the HTML report shows as plain values."""
        self._refuse("to_html")

    def _repr_html_(self) -> str:
        summary = cast("ClassSummary", self.to_dict())
        lead = class_lead(summary, curve_data(self.calibration.review_curve()))
        heading = f"Labels in {html.escape_data(self.label)}"
        return html.notebook_view(
            heading, lead, sections=html.class_sections(summary), rate=summary["noise_rate"], notes=self.warnings,
            report=False,
        )  # fmt: skip

    @property
    def parts(self) -> tuple[object, ...]:
        """The classes."""
        return tuple(self.evidence.classes)

    def check_details(self) -> CheckDetails:
        """The classes, the noisiest first, and the commonest confusions."""
        shown = self.to_dict()
        judged = f"Judged by {self.model}, which disagrees with {self.model_error:.1%} of the labels"
        classes = sorted(shown["classes"], key=lambda row: -row["noise_rate"])
        return CheckDetails(
            "labels", judged, {"classes": classes},
            {"confusions": shown["confusions"][:MAX_PAIRS_IN_DETAILS], "expected_wrong": shown["expected_wrong"]},
        )  # fmt: skip

    def audited_rows(self) -> AuditedRows:
        """The rows that were judged, for those who list or count rows."""
        evidence = self.evidence

        def concerning(parts: Iterable[object]) -> Mask:
            rows = np.zeros_like(evidence.flagged)
            for part in parts:
                values = part if isinstance(part, tuple) else [part]
                given, *suggested = (evidence.classes.index(value) for value in values)
                rows |= (evidence.codes == given) & (not suggested or evidence.suggested == suggested[0])
            return evidence.flagged & rows

        return AuditedRows(
            evidence.positions, evidence.quality, evidence.quality, evidence.flagged,
            lambda at: [plain(evidence.classes[code]) for code in evidence.codes[at].tolist()],
            lambda at: [plain(evidence.classes[code]) for code in evidence.suggested[at].tolist()],
            concerning,
        )  # fmt: skip

    def _table(self, labels: dict[str, NDArray[np.int64]], numbers: Mapping[str, NDArray[np.generic]]) -> NativeFrame:
        columns = {name: fresh_index(self.evidence.labels.values(codes, name)) for name, codes in labels.items()}
        return self._listing({**columns, **numbers})

    def __repr__(self) -> str:
        shown = f"{self.flagged:,} of {self.audited:,} rows flagged"
        return f"<{type(self).__name__} of {self.label!r}: {shown}, noise rate {self.noise_rate}>"


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class LabelAudit(ClassAudit):
    """What was found in one label column of a table in memory.

    ``frame`` is the caller's frame with three more columns; ``rows`` counts all its rows, ``audited`` those
    with a label, ``flagged`` those suspected; ``model_error`` is the share of audited rows whose likeliest
    class, out of sample, is not the given one. Of a batch judged by a fitted auditor, ``moved`` holds how far it
    is from the trusted table, and ``unseen`` counts the rows of classes that this did not hold.

    >>> import dqlabels, polars as pl
    >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
    >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
    >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
    >>> audit.issues[["row", "label", "suggested_label", "how_sure"]].rows()
    [(1, 'ham', 'spam', 'could be either')]
    """

    again: Again | None = None
    unseen: int = 0

    @property
    def issues(self) -> NativeFrame:
        """Flagged rows, worst first: row number, label, suggestion, quality, how sure, then the other columns.

        ``how_sure`` is ``likely wrong`` where the probability that the label is right is below one half, else ``could
        be either``; with ``compat`` the qualities are no probabilities, and it is ``model disagrees``. Ordered classes
        have a ``kind`` as well: ``slip`` where the next grade is suggested, else ``gross``.
        """
        order, sure = self.evidence.worst()
        steps = self.evidence.steps(order)
        said = {"how_sure": sure} if steps is None else {"how_sure": sure, "kind": steps}
        return issue_rows(self.table, self.label, self.names, self.evidence.positions[order], said)

    def _drifted(self) -> Drift | None:
        return None if self.moved is None else self.moved.with_rate(self.modelled, self.audited)

    @property
    def probabilities(self) -> NativeFrame:
        """Out-of-sample probabilities of the audited rows: row number, then a column per class."""
        columns: dict[str, NDArray[np.generic]] = {"row": self.evidence.positions}
        for k, value in enumerate(self.evidence.classes):
            columns[free_name(str(value), set(columns))] = self.evidence.probs[:, k]
        return self._listing(columns)

    @property
    def _reference(self) -> Mapping[str, object] | None:
        return None if self.moved is None else self.moved.profile

    def _batch_limits(self, limits: Limits) -> list[Measured]:
        if self.moved is None:
            return super()._batch_limits(limits)
        measured = []
        if limits.max_drift is not None:
            measured += drift_limits(self.moved.columns(), limits.max_drift)
        if limits.max_unseen_share is not None:
            labels = self.audited + self.unseen
            measured.append(unseen_limit(self.unseen, labels, self.noise_rate.confidence, limits.max_unseen_share))
        return measured

    def _measured_change(self, profile: Mapping[str, Any], confidence: float) -> NoiseRate | None:
        if self.moved is None or any(profile.get(key) != self.moved.profile[key] for key in PROFILE_KEYS):
            return None
        return self.moved.change(self.noise_rate, self.audited, confidence)

    def review_sample(self, rows: int = 100, *, random_state: int | None = None) -> NativeFrame:
        """Rows to review by hand, stratified by quality, in random order, with an empty ``reviewed_label`` column.

        Fill it with the right label, or ``"unclear"``, and hand the frame to :meth:`with_review`. The quality,
        suggestion and flag are left out, so that they cannot sway the reviewer.

        Raises:
            OptionError: ``rows`` is not a whole number of at least 1.

        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
        >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
        >>> sorted(audit.review_sample(4)["row"])
        [0, 1, 2, 3]
        """
        seed = self.options.random_state if random_state is None else random_state
        return rows_to_review(self, self.evidence.positions[draw_sample(self.evidence.quality, rows, seed)])

    def with_review(self, reviewed: NativeFrame, *, answer: str = "reviewed_label", confidence: float = 0.90) -> Self:
        """The audit with the noise rate that a reviewed sample gives: unbiased, with an interval, no assumption.

        The qualities are recalibrated on the answers, and add up to that rate; the flags stay as they are.

        Args:
            reviewed: The frame of :meth:`review_sample` in its order, with ``answer`` filled in; rows left empty are
                ignored. If the last row is empty the review is not finished: the interval is then one that holds
                however often one looks, for which rows are answered from the first on.
            answer: The column of the right labels, written as the label column has them, or ``"unclear"``.
            confidence: Confidence of the interval, in (0, 1).

        Raises:
            OptionError: Rows that are not of this audit or repeat, labels that are not this table's, or too few
                answers.

        Warns:
            LabelWarning: Answers that are no class of the label column; each counts as a wrong label.

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
        frame = nw.from_native(reviewed, eager_only=True)
        row = free_name("row", {*self.table.columns})
        missing = [name for name in (row, answer) if name not in frame.columns]
        if missing:
            raise OptionError(
                f"The review has no column {', '.join(map(repr, missing))}; pass a frame of review_sample()."
            )
        answered = zip(frame[row].to_list(), frame[answer].to_list(), strict=True)
        # An empty cell is None in Polars and NaN in pandas.
        evidence, read = self.evidence, [(row_number(at), answer_in(it)) for at, it in answered]
        answers = read_answers(read, evidence.positions, evidence.classes)
        if self.label in frame.columns:
            given = zip(frame[row].to_list(), frame[self.label].to_list(), strict=True)
            check_sample(
                {row_number(at): value for at, value in given},
                evidence.positions,
                evidence.codes,
                evidence.classes,
                self.label,
            )
        rate = reviewed_noise(evidence.quality, evidence.codes, len(evidence.classes), answers, confidence=confidence)
        warn_all(answers.notes, stacklevel=3)
        noted = replace(self, reviewed=rate, warnings=(*self.warnings, *answers.notes))
        return noted if self.options.compat is not None else noted._recalibrated(answers, rate)

    def _recalibrated(self, answers: ReviewAnswers, rate: NoiseRate) -> Self:
        """The audit with the qualities that the answers support; the flags stay."""
        evidence, clear = self.evidence, np.flatnonzero(answers.codes >= 0)
        at = answers.positions[clear]
        wrong = answers.codes[clear] != evidence.codes[at]
        stood_for = rows_stood_for(evidence.quality, at)
        calibration = self.calibration.reviewed(evidence.units[at], wrong, stood_for, rate)
        quality = calibration.probability.quality(evidence.units)
        whole = np.full(len(self.table), np.nan)
        whole[evidence.positions] = quality
        table = with_quality(self.table, self.options.names[0], whole)
        return replace(
            self, calibration=calibration, evidence=replace(evidence, quality=quality), table=table,
            frame=to_callers_kind(table, Form.between(self.table, self.frame)),
        )  # fmt: skip

    def planted_recall(self, *, share: float = 0.03, repeats: int = 3) -> PlantedRecall:
        """The share of uniformly planted errors that this audit finds on this table, run again ``repeats`` times.

        Raises:
            OptionError: The audit trained no model (``pred_probs=``), or a share or number that means nothing.

        >>> import dqlabels, polars as pl
        >>> frame = pl.DataFrame({"x": [at / 10 for at in range(100)], "y": ["low"] * 50 + ["high"] * 50})
        >>> dqlabels.audit(frame, "y").planted_recall(repeats=1).planted
        3
        """
        if self.again is None:
            raise OptionError(
                "Planted errors need a model to be trained again, and this audit trained none: it was given "
                "pred_probs=, or is of a batch. Audit the trusted table with dqlabels.audit."
            )
        evidence = self.evidence
        return plant_and_find(
            evidence.codes, len(evidence.classes), self.again, share, repeats, self.options.random_state
        )

    def report_facts(self, *, rows: int = 60) -> dict[str, Any]:
        """What the HTML report shows, as plain values: ``to_dict()`` with histogram, matrix and worst rows explained.

        Args:
            rows: How many of the worst rows, at least 1.

        Raises:
            OptionError: ``rows`` is not a whole number from 1 to 1000.

        >>> import dqlabels, polars as pl
        >>> probs = {"ham": [0.9, 0.1, 0.2, 0.3], "spam": [0.1, 0.9, 0.8, 0.7]}
        >>> mail = pl.DataFrame({"label": ["ham", "ham", "spam", "spam"], **probs})
        >>> audit = dqlabels.audit(mail, "label", pred_probs=["ham", "spam"])
        >>> audit.report_facts(rows=5)["flagged"]
        1
        """
        check_rows(rows)
        table, kinds = self._features()
        summary, curve = cast("ClassSummary", self.to_dict()), self.calibration.review_curve()
        data = report_facts(summary, self.evidence, curve, table, kinds, rows=rows)
        return {**data, "seconds": self.seconds}

    @property
    def plot(self) -> Charts:
        """Charts as altair objects: ``plot.quality()``, ``review()``, ``confusions()``, ``classes()``, ``noise()``."""
        marks, curve = Marks(str(self.label), self.table.implementation), self.calibration.review_curve()
        return Charts(marks, cast("ClassSummary", self.to_dict()), self.evidence, curve, self.noise_rates)

    def _review_queue(self, sample: int | None, limit: float | None) -> tuple[ReviewQueue, Head]:
        from dqlabels.review.decisions import head_of
        from dqlabels.review.queue import sample_queue, suspicious_queue

        table, kinds = self._features()
        if sample is None:
            queue = suspicious_queue(self.evidence, table, kinds, probable=self.options.compat is None)
            return queue, head_of(self.evidence.labels)
        seed = self.options.random_state
        queue = sample_queue(self.evidence, table, kinds, rows=sample, random_state=seed, limit=limit)
        return queue, head_of(self.evidence.labels)

    def _checked(self) -> Checked:
        return Checked(self.evidence, chosen=self.again is not None)

    def _features(self) -> tuple[Frame, Mapping[str, ColumnKind]]:
        """The caller's table, without what the audit added, and its features."""
        table = self.table.drop(*self.names)
        return table, usable_kinds(table, self.features, chosen=self.again is not None)

    def without_frame(self) -> Self:
        """The audit with what its gate and its rows are made from, and nothing else, to be cached."""
        column: Any = None
        labels = replace(self.evidence.labels, column=column)
        evidence = replace(self.evidence, labels=labels)
        return detached(self, table=column, again=None, evidence=evidence)

    def _repr_html_(self) -> str:
        summary, (table, kinds) = cast("ClassSummary", self.to_dict()), self._features()
        few = dict(list(kinds.items())[:MAX_FEATURES_IN_NOTEBOOK])
        places = np.arange(min(self.flagged, MAX_ROWS_IN_DICT))
        rows = shown_rows(self.evidence, table, few, places, max_rows_per_class=MAX_COMPARED_IN_NOTEBOOK)
        bars = quality_bars(quality_histogram(self.evidence.quality, self.evidence.flagged))
        return html.notebook_view(
            f"Labels in {html.escape_data(self.label)}",
            class_lead(summary, curve_data(self.calibration.review_curve())),
            rows=rows, sections=html.class_sections(summary), rate=summary["noise_rate"],
            drawings=[bars], notes=self.warnings,
        )  # fmt: skip
