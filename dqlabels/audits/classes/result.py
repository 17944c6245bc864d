"""The result of an audit: frozen, complete, and every number in it a table in the caller's frame library."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from dqlabels.audits.base import Flagging, free_name, issue_rows
from dqlabels.audits.gate import (
    Decide,
    GateResult,
    OnInconclusive,
    class_limits,
    decide_gate,
    increase_limit,
    pair_limits,
    table_limit,
)
from dqlabels.audits.trusted.drift import Drift
from dqlabels.audits.views import AuditViews
from dqlabels.errors import LabelWarning, OptionError
from dqlabels.frames.columns import Frame
from dqlabels.noise.anchor import anchor_noise
from dqlabels.noise.joint import confident_noise
from dqlabels.noise.methods import METHODS, default_noise
from dqlabels.noise.mixture import mixture_noise
from dqlabels.noise.planted import PlantedRecall, plant_and_find
from dqlabels.noise.rate import NoiseRate, with_support
from dqlabels.noise.reference import PROFILE_FORMAT, read_profile, reference_level, reference_noise
from dqlabels.noise.reviewed import ReviewPlan, check_sample, draw_sample, plan_review, read_answers, reviewed_noise
from dqlabels.report import text
from dqlabels.report.evidence import Evidence, index_values, plain

MOST_ROWS_IN_DICT = 10
MOST_PAIRS_IN_DICT = 20


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LabelAudit(AuditViews, Flagging):
    """What was found in one label column.

    ``frame`` is the caller's frame with three more columns; ``rows`` counts all its rows, ``audited`` those
    with a label, ``flagged`` those suspected; ``model_error`` is the share of audited rows whose likeliest
    class, out of sample, is not the given one. Of a batch judged by a fitted auditor, ``moved`` holds how far it
    is from the trusted table.
    """

    label: str
    frame: Any
    rows: int
    audited: int
    flagged: int
    noise_rate: NoiseRate
    model: str
    model_error: float
    warnings: tuple[str, ...]
    names: tuple[str, str, str]
    settings: dict[str, Any]
    evidence: Evidence
    table: Frame
    again: Callable[[NDArray[np.int64]], NDArray[np.bool_]] | None = None
    features: tuple[str, ...] = ()
    seconds: float | None = None
    moved: Drift | None = None

    @property
    def issues(self) -> Any:
        """Flagged rows, worst first: row number, label, suggestion, quality, kind, then the other columns.

        ``kind`` is ``error`` where the model is sure of another class and ``ambiguous`` where its two
        likeliest classes are close; of ordered classes ``slip`` where the next grade is suggested, else ``error``.
        """
        order, kinds = self.evidence.worst()
        return issue_rows(self.table, self.label, self.names, self.evidence.positions[order], kinds)

    @property
    def classes(self) -> Any:
        """A row per class: rows, flagged, flagged share, noise rate with interval, threshold, mean quality."""
        facts = self._class_facts()
        return self._table({"class": np.arange(len(self.evidence.classes))}, facts)

    @property
    def confusions(self) -> Any:
        """A row per given → suggested pair that was flagged, commonest first, with its share of the given class."""
        given, suggested, rows, share = self.evidence.pairs()
        return self._table({"given": given, "suggested": suggested}, {"rows": rows, "share": share})

    @property
    def joint(self) -> Any:
        """Calibrated joint of given and likely label, a row per cell that is not empty; ``share`` sums to 1."""
        given, likely = np.nonzero(self.evidence.joint)
        facts = {"rows": self.evidence.counts[given, likely], "share": self.evidence.joint[given, likely]}
        return self._table({"given": given, "likely": likely}, facts)

    @property
    def noise_matrix(self) -> Any:
        """P(given | true) and P(true | given) under the method of ``noise_rate``, a row per pair of classes."""
        return self._by_pair(self.noise_rate)

    @property
    def drift(self) -> Any:
        """A batch against the trusted table: noise rate, model error, class shares, each feature; a row each.

        ``change`` of ``classes`` and of a ``feature`` is a population stability index; ``drifted`` says whether
        a change is large, or beyond what sampling explains.

        Raises:
            OptionError: This audit is not of a batch that a fitted auditor judged.
        """
        if self.moved is None:
            raise OptionError(
                "Drift is measured between a trusted table and a batch: dqlabels.LabelAuditor(label).fit(trusted)"
                ".audit(batch).drift."
            )
        columns = self.moved.columns()
        numbers = dict.fromkeys(("trusted", "batch", "change", "low", "high"), nw.Float64)
        backend = self.table.implementation
        series = [nw.new_series(n, v, numbers[n], backend=backend) if n in numbers else
                  nw.new_series(n, v, backend=backend) for n, v in columns.items()]  # fmt: skip
        return nw.from_dict({column.name: column for column in series}, backend=backend).to_native()

    @property
    def probabilities(self) -> Any:
        """Out-of-sample probabilities of the audited rows: row number, then a column per class."""
        columns: dict[str, Any] = {"row": self.evidence.positions}
        for k, value in enumerate(self.evidence.classes):
            columns[free_name(str(value), set(columns))] = self.evidence.probs[:, k]
        return nw.from_dict(columns, backend=self.table.implementation).to_native()

    def estimate_noise(
        self, method: str = "variational", *, confidence: float = 0.90, reference: Any = None
    ) -> NoiseRate:
        """The noise rate by another method or at another confidence.

        Args:
            method: One of ``dqlabels.noise.METHODS``, or ``"reference"``: the change against trusted data.
            confidence: Of the interval, in (0, 1).
            reference: For that: an audit of trusted data, what its ``profile()`` gave, or the path of its JSON
                or of a saved auditor. Of a batch that a fitted auditor judged, the default is its trusted table.

        Raises:
            OptionError: An unknown method, a reference that is none, or a confidence outside (0, 1).
        """
        evidence, seed = self.evidence, self.settings["random_state"]
        options: Any = {"confidence": confidence, "random_state": seed}
        if method == "reference":
            return self._change(reference, confidence)
        if method in ("variational", "em"):
            rate = mixture_noise(evidence.codes, evidence.probs, method=method, counts=evidence.counts, **options)
        elif method == "anchor":
            rate = anchor_noise(evidence.codes, evidence.probs, **options)
        elif method == "confident":
            rate = confident_noise(evidence.counts, evidence.class_rows, **options)
        else:
            raise OptionError(f"method={method!r} is none of {', '.join(map(repr, (*METHODS, 'reference')))}.")
        return with_support(rate, self.model_error, self._modelled())

    def _modelled(self) -> NoiseRate:
        """The default rate, whatever a review has put in its place."""
        if self.noise_rate.method != "reviewed":
            return self.noise_rate
        evidence = self.evidence
        return default_noise(
            evidence.codes, evidence.probs, evidence.counts, random_state=self.settings["random_state"]
        )

    def _change(self, reference: Any, confidence: float) -> NoiseRate:
        if reference is None and self.moved is not None:
            reference = self.moved.profile
        profile = read_profile(reference)
        classes = [str(value) for value in self.evidence.classes]
        unknown = sorted(set(classes) - set(map(str, profile.get("classes", classes))))
        if unknown:
            raise OptionError(
                f"Classes {', '.join(map(repr, unknown[:10]))} of {self.label!r} are not in the reference, so the two "
                "cannot be compared. Take a reference that holds all classes."
            )
        return reference_noise(self.model_error, self.audited, profile, self.noise_rate, confidence=confidence)

    def profile(self) -> dict[str, Any]:
        """What later audits compare themselves with: plain values, to keep as JSON beside trusted data."""
        facts = self.to_dict()
        keys = ("label", "model", "model_error", "settings", "version", "noise_rate")
        return {
            "format": PROFILE_FORMAT,
            "rows": self.audited,
            "classes": [str(value) for value in self.evidence.classes],
            "class_rows": self.evidence.class_rows.tolist(),
            **{key: facts[key] for key in keys},
        }

    def noise_rates(self, by: str = "method") -> Any:
        """Every method that needs no further input, and the one in use: estimate, interval and assumption, a row each.

        Args:
            by: ``"method"`` for a row a method; ``"class"`` for a row a method and class: the share of the rows
                given that class whose label is wrong, with its interval; ``"pair"`` for a row a method and pair of
                classes: P(given | true) and P(true | given).

        Raises:
            OptionError: ``by`` is none of these.
        """
        rates = {method: self.estimate_noise(method) for method in METHODS}
        rates = {self.noise_rate.method: self.noise_rate} | rates
        if by == "method":
            listed = [dict(rate.to_dict()) for rate in rates.values()]
            columns = {key: [rate[key] for rate in listed] for key in listed[0]}
            return nw.from_dict(columns, backend=self.table.implementation).to_native()
        if by not in ("class", "pair"):
            raise OptionError(f"by={by!r} is none of 'method', 'class', 'pair'.")
        tables = [
            nw.from_native(self._by_class(rate) if by == "class" else self._by_pair(rate), eager_only=True)
            for rate in rates.values()
        ]
        named = [
            table.select(nw.lit(method).alias("method"), nw.all()) for method, table in zip(rates, tables, strict=True)
        ]
        return self._fresh_table(nw.concat(named)).to_native()

    def _by_class(self, rate: NoiseRate) -> Any:
        facts = {"noise_rate": rate.by_given_class, "low": rate.class_low, "high": rate.class_high}
        return self._table({"class": np.arange(len(self.evidence.classes))}, facts)

    def _by_pair(self, rate: NoiseRate) -> Any:
        k = len(self.evidence.classes)
        true, given = (cells.ravel() for cells in np.indices((k, k)))
        facts = {"given_if_true": rate.matrix[true, given], "true_if_given": rate.inverse[given, true]}
        return self._table({"true": true, "given": given}, facts)

    def _fresh_table(self, table: Frame) -> Frame:
        if not table.implementation.is_pandas_like():
            return table
        return nw.from_native(table.to_native().reset_index(drop=True), eager_only=True)

    def _class_facts(self) -> dict[str, NDArray[Any]]:
        rate = self.noise_rate
        return self.evidence.class_facts(rate.by_given_class, rate.class_low, rate.class_high)

    def gate(
        self,
        *,
        max_noise_rate: float | None = None,
        max_class_noise_rate: float | Mapping[Any, float] | None = None,
        max_pair_share: float | Mapping[tuple[Any, Any], float] | None = None,
        max_increase: float | None = None,
        reference: Any = None,
        method: str | None = None,
        decide: Decide = "estimate",
        on_inconclusive: OnInconclusive = "warn",
    ) -> GateResult:
        """Hold what was found against limits, shares of rows in [0, 1]; see :func:`dqlabels.audits.gate.decide_gate`.

        Args:
            max_noise_rate: Of the table.
            max_class_noise_rate: Of the rows given each class: one limit for all, or a limit by class.
            max_pair_share: Flagged given → suggested rows, of the rows of the given class: one limit for all
                pairs, or a limit by ``(given, suggested)``.
            max_increase: Of the change against ``reference``.
            reference: As in ``estimate_noise``.
            method: Of the rate; default that of ``noise_rate``.
            decide: ``"estimate"`` or ``"confident"``, which relies on a review, else on ``reference``, where there
                is one.
            on_inconclusive: ``"warn"``, ``"fail"`` or ``"pass"``.

        Raises:
            OptionError: No limit, one outside [0, 1], an unknown class or choice, or no reference.
        """
        rate = self._rate_for(method, decide, reference)
        evidence = self.evidence
        by_class = self.noise_rate if rate.method == "reference" else rate
        measured = table_limit(rate, max_noise_rate)
        if max_increase is not None:
            measured += increase_limit(self._change(reference, rate.confidence), max_increase)
        measured += class_limits(by_class, self.label, evidence.classes, evidence.class_rows, max_class_noise_rate)
        measured += pair_limits(rate, self.label, evidence.classes, evidence.pairs(), max_pair_share)
        facts = self.to_dict()
        details = [*text.class_lines(facts["classes"]), *text.confusion_lines(facts["confusions"])]
        details += text.worst_lines(facts["worst"])
        return decide_gate(
            rate, measured, decide=decide, on_inconclusive=on_inconclusive, label=self.label, details=details
        )

    def _rate_for(self, method: str | None, decide: str, reference: Any) -> NoiseRate:
        """The rate that a gate holds against its limit: a review or a reference, where one is at hand, settles it."""
        if method is not None:
            return self.estimate_noise(method, reference=reference)
        if decide != "confident" or reference is None or self.noise_rate.method == "reviewed":
            return self.noise_rate
        return reference_level(self._change(reference, self.noise_rate.confidence), read_profile(reference))

    def review_sample(self, rows: int = 100, *, random_state: int | None = None) -> Any:
        """Rows to review by hand, stratified by quality, in random order, with an empty ``reviewed_label`` column.

        Fill it with the right label, or ``"unclear"``, and hand the frame to :meth:`with_review`. The quality,
        suggestion and flag are left out, so that they cannot sway the reviewer.

        Raises:
            OptionError: ``rows`` is not a whole number of at least 1.
        """
        seed = self.settings["random_state"] if random_state is None else random_state
        positions = self.evidence.positions[draw_sample(self.evidence.quality, rows, seed)]
        drawn = self.table[positions.tolist()]
        taken = {*drawn.columns}
        numbers = nw.new_series(free_name("row", taken), positions, backend=drawn.implementation)
        empty = nw.new_series("reviewed_label", [None] * positions.size, nw.String, backend=drawn.implementation)
        if drawn.implementation.is_pandas_like():
            drawn = nw.from_native(drawn.to_native().reset_index(drop=True), eager_only=True)
        drawn = drawn.with_columns(numbers, empty)
        rest = [name for name in self.table.columns if name not in {self.label, *self.names}]
        return drawn.select(numbers.name, self.label, "reviewed_label", *rest).to_native()

    def review_plan(
        self, *, width: float | None = None, max_noise_rate: float | None = None, confidence: float = 0.90
    ) -> ReviewPlan:
        """How many rows of :meth:`review_sample` to review, at the noise rate that is estimated now.

        Args:
            width: Of the interval wanted, high less low, in (0, 1).
            max_noise_rate: Or a limit from which the rate is to be told.
            confidence: Of the interval, in (0, 1).

        Raises:
            OptionError: Neither or both of width and limit, or a number outside (0, 1).
        """
        return plan_review(
            self.noise_rate.estimate, self.audited, width=width, limit=max_noise_rate, confidence=confidence
        )

    def with_review(self, reviewed: Any, *, answer: str = "reviewed_label", confidence: float = 0.90) -> LabelAudit:
        """The audit with the noise rate that a reviewed sample gives: unbiased, with an interval, no assumption.

        Args:
            reviewed: The frame of :meth:`review_sample` with ``answer`` filled in; rows left empty are ignored.
            answer: The column of the right labels, written as the label column has them, or ``"unclear"``.
            confidence: Of the interval, in (0, 1).

        Raises:
            OptionError: Rows that are not of this audit or repeat, labels that are not this table's, or too few
                answers.

        Warns:
            LabelWarning: Answers that are no class of the label column; each counts as a wrong label.
        """
        frame = nw.from_native(reviewed, eager_only=True)
        row = free_name("row", {*self.table.columns})
        missing = [name for name in (row, answer) if name not in frame.columns]
        if missing:
            raise OptionError(
                f"The review has no column {', '.join(map(repr, missing))}; pass a frame of review_sample()."
            )
        said = zip(frame[row].to_list(), frame[answer].to_list(), strict=True)
        # An empty cell is None in Polars and NaN in pandas.
        evidence, told = self.evidence, [(int(at), value) for at, value in said if plain(value) is not None]
        answers = read_answers(told, evidence.positions, evidence.classes)
        if self.label in frame.columns:
            given = zip(frame[row].to_list(), frame[self.label].to_list(), strict=True)
            check_sample(dict(given), evidence.positions, evidence.codes, evidence.classes, self.label)
        rate = reviewed_noise(evidence.quality, evidence.codes, len(evidence.classes), answers, confidence=confidence)
        for note in answers.notes:
            warnings.warn(note, LabelWarning, stacklevel=2)
        return replace(self, noise_rate=rate, warnings=(*self.warnings, *answers.notes))

    def planted_recall(self, *, share: float = 0.03, repeats: int = 3) -> PlantedRecall:
        """The share of uniformly planted errors that this audit finds on this table, run again ``repeats`` times.

        Raises:
            OptionError: The audit trained no model (``pred_probs=``), or a share or number that means nothing.
        """
        if self.again is None:
            raise OptionError(
                "Planted errors need a model to be trained again, and this audit trained none: it was given "
                "pred_probs=, or is of a batch. Audit the trusted table with dqlabels.audit."
            )
        evidence = self.evidence
        return plant_and_find(
            evidence.codes, len(evidence.classes), self.again, share, repeats, self.settings["random_state"]
        )

    def summary(self) -> str:
        """The audit in about a dozen lines of text."""
        return text.summary(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON: the counts, rates, classes, commonest confusions and worst rows."""
        from dqlabels.version import __version__

        facts = {name: values.tolist() for name, values in self._class_facts().items()}
        classes = [plain(value) for value in self.evidence.classes]
        pairs = zip(*(part[:MOST_PAIRS_IN_DICT].tolist() for part in self.evidence.pairs()), strict=True)
        return {
            "label": str(self.label),
            "rows": self.rows,
            "audited": self.audited,
            "missing": self.rows - self.audited,
            "flagged": self.flagged,
            "flagged_share": self.flagged_share,
            "noise_rate": self.noise_rate.to_dict(),
            "model": self.model,
            "model_error": self.model_error,
            "classes": [
                {"class": value, **{name: plain(facts[name][k]) for name in facts}} for k, value in enumerate(classes)
            ],
            "confusions": [
                {"given": classes[given], "suggested": classes[likely], "rows": rows, "share": share}
                for given, likely, rows, share in pairs
            ],
            "worst": self.evidence.worst_facts(MOST_ROWS_IN_DICT, index_values(self.table)),
            **({} if self.moved is None else {"drift": self.moved.to_list()}),
            "warnings": list(self.warnings),
            "settings": dict(self.settings),
            "version": __version__,
        }

    def _table(self, labels: dict[str, NDArray[np.int64]], facts: dict[str, NDArray[Any]]) -> Any:
        backend = self.table.implementation
        columns = {name: self._fresh(self.evidence.labels.values(codes, name)) for name, codes in labels.items()}
        table = nw.from_dict(dict(facts), backend=backend)
        table = table.with_columns(*columns.values())
        return table.select(*labels, *facts).to_native()

    def _fresh(self, column: nw.Series[Any]) -> nw.Series[Any]:
        """The values under a new index, where the frame library has one."""
        if not column.implementation.is_pandas_like():
            return column
        return nw.from_native(column.to_native().reset_index(drop=True), series_only=True)

    def __repr__(self) -> str:
        found = f"{self.flagged:,} of {self.audited:,} rows flagged"
        return f"<LabelAudit of {self.label!r}: {found}, noise rate {self.noise_rate}>"
