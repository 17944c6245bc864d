"""What an audit of several annotators gives: consensus, trust, agreement, its gate, its report."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from dqlabels.audits.annotators import wording
from dqlabels.audits.annotators.charts import AnnotatorCharts
from dqlabels.audits.annotators.findings import Findings
from dqlabels.audits.annotators.report_data import MAX_NEXT, annotator_facts, reading_curve
from dqlabels.audits.base import (
    Audit,
    AuditedRows,
    CheckDetails,
    Mask,
    NativeFrame,
    column_values,
    detached,
    free_name,
    fresh_index,
    fresh_rows,
    records,
)
from dqlabels.audits.gate import DECIDING, Deciding, GateResult, Grounds, Limits
from dqlabels.audits.measured import Measured, limit_by_part, share_limit
from dqlabels.audits.options import documented_fields
from dqlabels.audits.segments import RowDoubt, Segments
from dqlabels.errors import OptionError
from dqlabels.frames.columns import Column
from dqlabels.noise.annotators import annotators_noise
from dqlabels.noise.rate import NoiseRate
from dqlabels.noise.segments import told_apart
from dqlabels.report.data import check_rows
from dqlabels.report.draw import quality_bars
from dqlabels.report.evidence import how_sure
from dqlabels.report.html import MAX_ROWS, escape_data, notebook_view
from dqlabels.report.marks import Marks
from dqlabels.statistics.agreement import Agreement, krippendorff_alpha, pair_agreements

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from dqlabels.checks.result import Checkup

MAX_ROWS_IN_DICT = 10
LIMITS = ("max_noise_rate", "min_agreement", "max_annotator_noise_rate", *DECIDING)


class AnnotatorLimits(Deciding, total=False):
    """The limits of several annotators, for editors and type checkers."""

    max_noise_rate: float | None
    min_agreement: float | None
    max_annotator_noise_rate: float | Mapping[Any, float] | None


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class AnnotatorAudit(Audit):
    """What was found in the labels that several annotators, systems or extracts gave to the same items.

    In a wide frame a row is an item, with one label column per annotator: ``suggested_label`` is the consensus,
    ``label_quality`` the probability that it is right, and ``is_label_issue`` is true where at least half of the row's
    labels are another one. In a long frame a row is one label: quality and flag are those of that label, and it is
    flagged exactly where it is not the consensus of its item. With one label per item the two are the same.

    ``rows`` counts rows of the frame, ``audited`` those with a label, ``flagged`` those flagged; ``items`` and
    ``labels`` count what was labelled and how often. ``noise_rate`` is the share of the labels that are wrong, by
    method ``"annotators"``. ``model`` and ``model_error`` are None where no model judged.

    >>> import dqlabels, polars as pl
    >>> votes = {"ann": list("aabbab"), "bob": list("aabbab"), "cid": list("aabbaa")}
    >>> audit = dqlabels.audit(pl.DataFrame(votes), ["ann", "bob", "cid"])
    >>> audit.consensus["consensus"].to_list(), audit.annotators["annotator"][0]
    (['a', 'a', 'b', 'b', 'a', 'b'], 'cid')
    >>> audit.votes.filter("is_label_issue")[["item", "annotator", "label"]].rows()
    [(5, 'cid', 'a')]
    >>> audit.pairs[["first", "second", "kappa"]].rows()[0]
    ('ann', 'bob', 1.0)
    >>> audit.confusions.filter(pl.col("consensus") != pl.col("given"))[["annotator", "labels"]].rows()
    [('cid', 1)]
    """

    items: int
    labels: int
    agreement: Agreement
    findings: Findings

    audited_as: ClassVar[str] = "several annotators"
    limits: ClassVar[tuple[str, ...]] = LIMITS
    settled: ClassVar[tuple[str, ...]] = ("consensus", "random_state", "compat")

    @property
    def label_columns(self) -> tuple[str, ...]:
        """The columns of the frame that hold the labels."""
        return tuple(self.findings.reading.names)

    @property
    def parts(self) -> tuple[object, ...]:
        """The annotators."""
        return tuple(self.findings.reading.annotators)

    @cached_property
    def noise_rate(self) -> NoiseRate:
        """The share of the labels that are wrong, by method ``"annotators"``, from the draws that the audit made."""
        return annotators_noise(self.findings.draws)

    @property
    def consensus(self) -> NativeFrame:
        """A row per item: the consensus, its quality, how many labels it has and which share agrees.

        An item is its row number in a wide frame, the value of its column in a long one; ``unsettled`` is true where
        at least half of its labels are not the consensus.
        """
        findings = self.findings
        return self._items(np.arange(findings.consensus.size), {"unsettled": findings.unsettled})

    @property
    def issues(self) -> NativeFrame:
        """Flagged rows of the frame, worst first, with their number in it."""
        quality, _, flagged, _ = self.findings.row_facts()
        rows = np.flatnonzero(flagged)
        rows = rows[np.argsort(quality[rows], kind="stable")]
        picked = self.table[rows.tolist()]
        backend, taken = picked.implementation, {*picked.columns}
        number = nw.new_series(free_name("row", taken), rows, backend=backend)
        sure = nw.new_series(free_name("how_sure", taken), how_sure(quality[rows]), nw.String, backend=backend)
        picked = fresh_rows(picked)
        first = [*self.findings.reading.names, self.names[1], self.names[0]]
        rest = [name for name in self.table.columns if name not in {*first, *self.names}]
        return picked.with_columns(number, sure).select(number.name, *first, sure.name, *rest).to_native()

    @property
    def review_curve(self) -> NativeFrame:
        """Rows to read, worst first, and how many wrong ones to expect among them, with its interval.

        A row for 10, 20, 50, 100 and so on rows, for the flagged rows, and for all.
        """
        curve = reading_curve(self.findings)
        columns = {name: np.array(curve[name]) for name in ("rows", "wrong", "low", "high", "share")}
        return self._listing(columns)

    @property
    def annotators(self) -> NativeFrame:
        """A row per annotator, worst first.

        ``labels`` given; ``quality`` in [0, 1]; shares of agreement with the consensus and with the others' labels;
        ``noise_rate`` of the annotator's labels with its interval; ``weight`` in CROWDLAB; and ``worst_class``, the
        class whose labels by this annotator are least often the consensus.
        """
        findings = self.findings
        numbers = findings.annotator_facts(self.noise_rate.confidence)
        order = np.lexsort((numbers["agreement_with_consensus"], numbers["quality"]))
        return self._listing(
            {
                "annotator": self._annotators(order),
                **{name: values[order] for name, values in numbers.items()},
                "worst_class": self._values(findings.worst_classes()[order]),
            }
        )

    @property
    def confusions(self) -> NativeFrame:
        """A row per annotator, consensus and given class that occurs.

        ``labels`` are counted, ``share`` is of the annotator's labels on items of that consensus; ``given_if_true`` is
        the annotator's probability of giving that class to an item that is truly of the other, by the posterior of
        the noise rate.
        """
        findings = self.findings
        who, true, given, number, share = findings.confusion_cells()
        return self._listing(
            {
                "annotator": self._annotators(who),
                "consensus": self._values(true),
                "given": self._values(given),
                "labels": number,
                "share": share,
                "given_if_true": findings.draws.matrices[who, true, given],
            }
        )

    @property
    def votes(self) -> NativeFrame:
        """A row per label: item, annotator, the label, its quality, and whether it is not the consensus."""
        found = self.findings
        votes = found.reading.votes
        return self._listing(
            {
                "item": self._item_names(votes.item),
                "annotator": self._annotators(votes.who),
                "label": self._values(votes.code),
                "quality": found.vote_quality,
                "is_label_issue": votes.code != found.consensus[votes.item],
            }
        )

    @property
    def pairs(self) -> NativeFrame:
        """A row per pair of annotators with items in common: how many, the share that agrees, and Cohen's kappa."""
        pairs = pair_agreements(self.findings.reading.votes)
        names = {"first": self._annotators(pairs.first), "second": self._annotators(pairs.second)}
        return self._listing({**names, "items": pairs.items, "agreement": pairs.agreement, "kappa": pairs.kappa})

    def next_to_label(self, n: int = 10) -> NativeFrame:
        """The ``n`` items whose consensus another label would change most, most useful first (ActiveLab).

        ``score`` is in [0, 1] and low for these; items without a label are among them.

        Raises:
            OptionError: ``n`` is not a whole number of at least 1.

        Source: Goh & Mueller (2023, arXiv 2301.11856).

        >>> import dqlabels, polars as pl
        >>> votes = {"ann": list("aabbab"), "bob": list("aabbab"), "cid": list("aabbaa")}
        >>> audit = dqlabels.audit(pl.DataFrame(votes), ["ann", "bob", "cid"])
        >>> audit.next_to_label(1)["item"].to_list()
        [5]
        """
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
            raise OptionError(f"next_to_label({n!r}): the number of items must be a whole number of at least 1.")
        score = self.findings.active
        order = np.argsort(score, kind="stable")[: int(n)]
        return self._items(order, {"score": score[order]})

    def measure_agreement(self, *, confidence: float = 0.90) -> Agreement:
        """Krippendorff's alpha at another confidence.

        Raises:
            OptionError: ``confidence`` is outside (0, 1).

        >>> import dqlabels, polars as pl
        >>> votes = {"ann": list("aabbab"), "bob": list("aabbab"), "cid": list("aabbaa")}
        >>> audit = dqlabels.audit(pl.DataFrame(votes), ["ann", "bob", "cid"])
        >>> audit.measure_agreement(confidence=0.95).confidence
        0.95
        """
        seed = self.options.random_state
        return krippendorff_alpha(self.findings.reading.votes, confidence=confidence, random_state=seed)

    def estimate_noise(
        self, method: str = "annotators", *, of: Hashable = "labels", confidence: float = 0.90
    ) -> NoiseRate:
        """Estimate the share of wrong labels among all labels, the ``"consensus"``, or one annotator's labels.

        Args:
            method: ``"annotators"``: several labels per item need no other.
            of: ``"labels"``, ``"consensus"``, or an annotator's name.
            confidence: Confidence of the interval, in (0, 1).

        Raises:
            OptionError: Another method, an annotator who is not there or gave no label, or a confidence outside (0, 1).

        >>> import dqlabels, polars as pl
        >>> votes = {"ann": list("aabbab"), "bob": list("aabbab"), "cid": list("aabbaa")}
        >>> audit = dqlabels.audit(pl.DataFrame(votes), ["ann", "bob", "cid"])
        >>> audit.estimate_noise(of="cid").estimate > audit.estimate_noise(of="ann").estimate
        True
        """
        if method != "annotators":
            raise OptionError(
                f"method={method!r}: several labels an item give the rate by 'annotators'. For methods that take one "
                "label per row audit a single column."
            )
        names = self.findings.reading.annotators
        if of in names:
            of = names.index(of)
            if not self.findings.reading.votes.labels_an_annotator[of]:
                raise OptionError(f"of={names[of]!r}: this annotator gave no label.")
        elif of not in ("labels", "consensus"):
            raise OptionError(f"of={of!r} is none of 'labels', 'consensus', {', '.join(map(repr, names[:20]))}.")
        return annotators_noise(self.findings.draws, of=of, confidence=confidence)

    @documented_fields(Limits, LIMITS)
    def gate(self, **limits: Unpack[AnnotatorLimits]) -> GateResult:
        """Hold what was found against limits.

        Args:
            {options}

        Raises:
            OptionError: No limit, one outside [0, 1], an unknown annotator or choice.

        >>> import dqlabels, polars as pl
        >>> votes = {"ann": list("aabbab"), "bob": list("aabbab"), "cid": list("aabbaa")}
        >>> audit = dqlabels.audit(pl.DataFrame(votes), ["ann", "bob", "cid"])
        >>> audit.gate(min_agreement=0.5, max_annotator_noise_rate={"ann": 0.1}).verdict
        'pass'
        """
        return self._gate(limits)

    def _measured(self, limits: Limits) -> tuple[Grounds, list[Measured]]:
        measured = []
        if limits.max_noise_rate is not None:
            what = "the share of wrong labels"
            rate = _beyond_doubt(self.noise_rate, limits.max_noise_rate)
            measured.append(share_limit("max_noise_rate", what, rate, limits.max_noise_rate))
        if limits.min_agreement is not None:
            measured.append(_agreement(self.agreement, limits.min_agreement))
        if limits.max_annotator_noise_rate is not None:
            measured += self._annotator_limits(limits.max_annotator_noise_rate)
        return Grounds.of(self.noise_rate, self.label, "labels"), measured

    def _gate_details(self) -> list[str]:
        return wording.details(self.to_dict())

    def _annotator_limits(self, limits: float | Mapping[Any, float]) -> list[Measured]:
        reading = self.findings.reading
        counts = reading.votes.labels_an_annotator
        known = [name for name, labels in zip(reading.annotators, counts, strict=True) if labels]
        name = "max_annotator_noise_rate"
        limit_of = limit_by_part(limits, known, "gave no label here; the annotators are", f"{name}: ")
        return [
            share_limit(
                name, f"the share of wrong labels by {who!r}",
                _beyond_doubt(self.estimate_noise(of=who, confidence=self.noise_rate.confidence), limit), limit, of=who,
            )
            for who, limit in limit_of.items()
        ]  # fmt: skip

    def summary(self) -> str:
        """The audit in about a dozen lines of text.

        >>> import dqlabels, polars as pl
        >>> votes = {"ann": list("aabbab"), "bob": list("aabbab"), "cid": list("aabbaa")}
        >>> audit = dqlabels.audit(pl.DataFrame(votes), ["ann", "bob", "cid"])
        >>> audit.summary().splitlines()[0]
        "Labels in 'ann, bob, cid': 18 of 6 items by 3 annotators; 6 rows with a label, 0 flagged (0.0%)."
        """
        return wording.summary(self.to_dict())

    def _own_values(self) -> dict[str, object]:
        return {
            "items": self.items,
            "labels": self.labels,
            "noise_rate": self.noise_rate.to_dict(),
            "consensus_noise_rate": self.estimate_noise(of="consensus").to_dict(),
            "agreement": self.agreement.to_dict(),
            "annotators": records(self.annotators),
            "worst": records(self.next_to_label(MAX_ROWS_IN_DICT)),
        }

    def _items(self, at: NDArray[np.int64], more: dict[str, NDArray[np.generic]]) -> NativeFrame:
        findings = self.findings
        return self._listing(
            {
                "item": self._item_names(at),
                "consensus": self._values(findings.consensus[at]),
                "quality": findings.quality[at],
                "labels": findings.labels_an_item[at],
                "agreeing": findings.agreeing[at],
                **more,
            }
        )

    def _item_names(self, at: NDArray[np.int64]) -> Column:
        items = self.findings.reading.items
        named = at if items is None else [items[item] for item in at.tolist()]
        return nw.new_series("item", named, backend=self.table.implementation)

    def _annotators(self, at: NDArray[np.int64]) -> Column:
        names = self.findings.reading.annotators
        return nw.new_series("annotator", [names[who] for who in at.tolist()], backend=self.table.implementation)

    def _values(self, codes: NDArray[np.int64]) -> Column:
        """Classes in the label's dtype, under a new index; missing where the code is -1."""
        column = fresh_index(self.findings.reading.labels.values(np.maximum(codes, 0), "label"))
        if (codes >= 0).all():
            return column
        known = nw.new_series("known", codes >= 0, backend=column.implementation)
        whole = column.to_frame().with_columns(known)
        return whole.select(nw.when(nw.col("known")).then(nw.col("label")).alias("label"))["label"]

    def report_facts(self, *, rows: int = 60) -> dict[str, Any]:
        """What the HTML report shows, as plain values: ``to_dict()`` with what to do, histogram and worst rows.

        Args:
            rows: How many of the worst rows, at least 1.

        Raises:
            OptionError: ``rows`` is not a whole number from 1 to 1000.

        >>> import dqlabels, polars as pl
        >>> votes = {"ann": list("aabbab"), "bob": list("aabbab"), "cid": list("aabbaa")}
        >>> audit = dqlabels.audit(pl.DataFrame(votes), ["ann", "bob", "cid"])
        >>> audit.report_facts()["sections"][0]["title"]
        'Which annotators'
        """
        check_rows(rows)
        table, to_label = self.table.drop(*self.names), records(self.next_to_label(MAX_NEXT))
        facts = annotator_facts(self.to_dict(), self.findings, table, to_label, rows=rows)
        return {**facts, "features": list(self.features)}

    def _doubt(self) -> RowDoubt:
        """The mean P(wrong) of the labels of each row."""
        wrong, (_, _, flagged, _) = self.findings.row_doubt(), self.findings.row_facts()
        positions = np.flatnonzero(~np.isnan(wrong))
        return RowDoubt(positions, wrong[positions], flagged[positions], told_apart(1 - self.findings.vote_quality))

    def _page(self, rows: int, gate: GateResult | None, checkup: Checkup | None, segments: Segments | None) -> str:
        from dqlabels.report.page import labels_page
        from dqlabels.report.sections import segments_section

        section = None if segments is None else segments_section(segments.name, segments.to_list())
        return labels_page(self.report_facts(rows=rows), gate, section)

    @property
    def plot(self) -> AnnotatorCharts:
        """Charts as altair objects: ``plot.noise()`` and ``plot.agreement()``."""
        marks = Marks(str(self.label), self.table.implementation)
        return AnnotatorCharts(marks, records(self.annotators), records(self.pairs))

    def audited_rows(self) -> AuditedRows:
        """Return the judged rows; every row with a label that is not the consensus is suspect."""
        findings, names = self.findings, self.findings.reading.names
        quality, _, _, judged = findings.row_facts()
        positions = np.flatnonzero(judged)
        columns = [column_values(self.table, name, positions) for name in names]

        def labels(at: NDArray[np.int64]) -> list[object]:
            rows = zip(*(column(at) for column in columns), strict=True)
            return [dict(zip(names, row, strict=True)) for row in rows]

        def concerning(parts: Iterable[object]) -> Mask:
            return self._dissent(findings.reading.annotators.index(part) for part in parts)[judged]

        everyone = range(len(findings.reading.annotators))
        return AuditedRows(
            positions, quality[judged], quality[judged], self._dissent(everyone)[judged],
            labels, column_values(self.table, self.names[1], positions), concerning,
        )  # fmt: skip

    def _dissent(self, annotators: Iterable[int]) -> Mask:
        """(n,) true for rows of the frame with a label by one of these that is not the consensus of its item."""
        findings = self.findings
        votes, reading = findings.reading.votes, findings.reading
        wrong = (votes.code != findings.consensus[votes.item]) & np.isin(votes.who, list(annotators))
        rows = np.zeros(self.rows, dtype=bool)
        # A row of a wide frame is an item; of a long one each row with a label is a vote, in the order of the rows.
        at = votes.item if reading.given is None else np.flatnonzero(reading.given >= 0)
        rows[at[wrong]] = True
        return rows

    def check_details(self) -> CheckDetails:
        """The annotators, how far they agree, and how sure the consensus is."""
        shown = self.to_dict()
        judged = f"The consensus is by {self.settings['consensus']}"
        if self.model is not None:
            judged += f", beside {self.model}, which disagrees with {self.model_error:.1%} of it"
        names = ("items", "labels", "agreement", "consensus_noise_rate")
        facts = {name: shown[name] for name in names}
        return CheckDetails("rows", judged, {"annotators": shown["annotators"]}, facts)

    def without_frame(self) -> Self:
        """The audit with what its gate and its rows are made from, and nothing else, to be cached."""
        columns = [*self.findings.reading.names, *self.names]
        return detached(self, table=self.table.select(*columns))

    def __repr__(self) -> str:
        return (
            f"<AnnotatorAudit of {self.label!r}: {self.labels:,} labels of {self.items:,} items, agreement "
            f"{self.agreement.alpha:.3f}, noise rate {self.noise_rate}>"
        )

    def _repr_html_(self) -> str:
        shown = self.report_facts(rows=MAX_ROWS)
        return notebook_view(
            f"Labels in {escape_data(self.label)}", shown["lead"], rows=shown["shown"], sections=shown["sections"],
            rate=shown["noise_rate"], drawings=[quality_bars(shown["histogram"])], notes=self.warnings,
        )  # fmt: skip


def _beyond_doubt(rate: NoiseRate, limit: float) -> NoiseRate:
    """The rate; supported where at least as many labels are wrong as the limit allows, whatever is doubted."""
    return replace(rate, supported=True) if rate.low > limit else rate


def _agreement(found: Agreement, least: float) -> Measured:
    what = "the annotators' agreement, Krippendorff's alpha"
    return Measured("min_agreement", what, found.alpha, found.low, found.high, least, measure="agreement")
