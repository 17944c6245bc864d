"""What an audit of several labels per row gives: its tables, its gate, its report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from dqlabels.audits.base import Audit, AuditedRows, CheckDetails, Mask, NativeFrame, detached, free_name, records
from dqlabels.audits.gate import DECIDING, Deciding, GateResult, Grounds, Limits
from dqlabels.audits.measured import Measured, coverage_limit, limit_by_part, same_answers_limit, share_limit
from dqlabels.audits.options import documented_fields
from dqlabels.audits.segments import RowDoubt, Segments
from dqlabels.audits.tags.charts import TagCharts
from dqlabels.audits.tags.report_data import reading_curve, tag_facts
from dqlabels.audits.tags.tags import Tags
from dqlabels.audits.tags.verdict import TagVerdict
from dqlabels.errors import OptionError
from dqlabels.frames.columns import Column
from dqlabels.noise.methods import default_noise
from dqlabels.noise.probability import Expected
from dqlabels.noise.rate import NoiseRate, check_confidence, noise_rate
from dqlabels.noise.segments import told_apart
from dqlabels.report.data import check_rows
from dqlabels.report.draw import quality_bars
from dqlabels.report.evidence import how_sure, plain
from dqlabels.report.html import MAX_ROWS, escape_data, notebook_view
from dqlabels.report.marks import Marks
from dqlabels.report.summary import expected_data
from dqlabels.report.text import likely_wrong
from dqlabels.statistics.arrays import FloatArray

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from dqlabels.audits.trusted.drift import Drift
    from dqlabels.checks.result import Checkup
    from dqlabels.review.decisions import Head
    from dqlabels.review.queue import ReviewQueue

MAX_IN_DICT = 10
LIMITS = ("max_noise_rate", "max_class_noise_rate", "max_segment_noise_rate", "by", *DECIDING)


class TagLimits(Deciding, total=False):
    """The limits of several labels per row, for editors and type checkers."""

    max_noise_rate: float | None
    max_class_noise_rate: float | Mapping[Any, float] | None
    max_segment_noise_rate: float | Mapping[Any, float] | None
    by: str | None


@dataclass(frozen=True, slots=True, eq=False)
class TagEvidence:
    """Tags (n, L) as given, the probability (n, L) of each, and what was found.

    ``alike`` has the tag that a tag looks like, which is suggested in its place.
    """

    tags: Tags
    probs: FloatArray
    verdict: TagVerdict
    alike: Mapping[int, int] = field(default_factory=dict)

    @property
    def judged(self) -> NDArray[np.bool_]:
        """(L,) true for tags that some rows carry and some do not, in this table or in the one an auditor trusts."""
        if self.verdict.calibrations:
            return np.array([one is not None for one in self.verdict.calibrations])
        codes = self.tags.codes
        return np.asarray((codes == 1).any(axis=0) & (codes == 0).any(axis=0))

    def tag_rates(self, confidence: float) -> dict[int, NoiseRate]:
        """The noise rate of each judged tag's yes or no."""
        rates = {}
        for tag in np.flatnonzero(self.judged).tolist():
            codes, likely = self.tags.codes[:, tag], self.probs[:, tag]
            known = codes >= 0
            both = np.column_stack([1 - likely[known], likely[known]])
            there = self.verdict.calibrations[tag] if self.verdict.calibrations else None
            rates[tag] = (
                there.rate
                if there is not None and there.rate.confidence == confidence
                else default_noise(codes[known], both, confidence=confidence)
            )
        return rates

    def noise_rate(self, confidence: float = 0.90) -> NoiseRate:
        """The share of wrong answers over all rows and judged tags: the mean of the tags' rates and intervals.

        The error of the method is alike for all tags, so the interval does not narrow with their number. It is not
        supported where those of most tags are not.
        """
        rates = self.tag_rates(confidence)
        if not rates:
            raise OptionError("No label can be codes: each is on every row or on none.")
        weights = np.array([float((self.tags.codes[:, tag] >= 0).sum()) for tag in rates])
        weights /= weights.sum()
        one = next(iter(rates.values()))
        estimate, low, high = (
            float(sum(w * getattr(rate, name) for w, rate in zip(weights, rates.values(), strict=True)))
            for name in ("estimate", "low", "high")
        )
        matrix, inverse = (
            np.einsum("t,tij->ij", weights, [getattr(rate, name) for rate in rates.values()])
            for name in ("matrix", "inverse")
        )
        codes = self.tags.codes[:, list(rates)]
        answers = np.array([(codes == 0).sum(), (codes == 1).sum()])
        rate = noise_rate((estimate, low, high), confidence, one.method, answers, matrix, inverse)
        doubted = [rate.caution for rate in rates.values() if not rate.supported]
        return replace(rate, supported=False, caution=doubted[0]) if len(doubted) > len(rates) / 2 else rate

    def suggested(self) -> NDArray[np.bool_]:
        """(n, L) the tags each row should have: as given unless flagged, the model's answer where not known."""
        codes, flagged = self.tags.codes, self.verdict.flagged
        likely = self.probs >= 0.5
        for tag, meant in self.alike.items():
            likely[:, meant] |= likely[:, tag]
            likely[:, tag] = False
        return np.where(codes < 0, likely, (codes == 1) ^ flagged)

    def suggested_lists(self) -> list[list[object]]:
        """The same as one list per row: the given labels that stay, in their order, then the added ones."""
        values, suggested = self.tags.values, self.suggested()
        lists = []
        for at, row in enumerate(suggested):
            should = [values[tag] for tag in np.flatnonzero(row)]
            given = self.tags.lists[at] if self.tags.lists is not None else None
            if given is not None:
                staying = [value for value in given if value in should]
                should = staying + [value for value in should if value not in staying]
            lists.append(should)
        return lists


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class MultilabelAudit(Audit):
    """What was found where a row may have several labels, or none.

    In ``frame`` ``label_quality`` is the probability that all of the row's labels are right; ``suggested_label`` is
    the list of labels the row should have; ``is_label_issue`` is true where that is not the list it has. ``rows``
    counts all rows, ``audited`` those with known labels, ``flagged`` those with an issue. ``noise_rate`` is the share
    of wrong answers to "has the row this label?" over all rows and labels; ``model_error`` the share where the model
    differs.

    >>> import dqlabels, numpy as np, polars as pl
    >>> photos = pl.DataFrame({"tags": [["cat"], ["cat", "dog"], [], ["dog"]]})
    >>> probs = np.array([[0.9, 0.1], [0.9, 0.8], [0.2, 0.9], [0.1, 0.9]])
    >>> audit = dqlabels.audit(photos, "tags", pred_probs=probs, classes=["cat", "dog"])
    >>> audit.issues[["row", "label", "kind"]].rows()
    [(2, 'dog', 'missing')]
    >>> audit.classes[["label", "rows", "wrong", "missing"]].rows()
    [('dog', 2, 0, 1), ('cat', 2, 0, 0)]
    >>> audit.qualities.columns, audit.probabilities["dog"].to_list()
    (['row', 'cat', 'dog'], [0.1, 0.8, 0.9, 0.9])
    """

    model: str
    model_error: float
    evidence: TagEvidence

    audited_as: ClassVar[str] = "several labels per row"
    limits: ClassVar[tuple[str, ...]] = LIMITS
    settled: ClassVar[tuple[str, ...]] = ("filter_by", "min_precision", "score", "adjust", "compat", "random_state")

    @property
    def label_columns(self) -> tuple[str, ...]:
        """The columns of the frame that hold the labels."""
        return tuple(self.evidence.tags.columns)

    @property
    def parts(self) -> tuple[object, ...]:
        """The tags."""
        return tuple(self.evidence.tags.values)

    @cached_property
    def noise_rate(self) -> NoiseRate:
        """The share of wrong answers over all rows and labels; estimated when first asked for."""
        return self.evidence.noise_rate()

    def _drifted(self) -> Drift | None:
        return None if self.moved is None else self.moved.with_rate(self.noise_rate, self.audited)

    def estimate_noise(self, method: str | None = None, *, confidence: float = 0.90) -> NoiseRate:
        """Estimate the share of wrong answers at another confidence.

        Args:
            method: None, the default of each label by itself; no other has a mean over labels.
            confidence: Confidence of the interval, in (0, 1).

        Raises:
            OptionError: Another method, or a confidence outside (0, 1).

        >>> import dqlabels, numpy as np, polars as pl
        >>> photos = pl.DataFrame({"tags": [["cat"], ["cat", "dog"], [], ["dog"]] * 25})
        >>> probs = np.array([[0.9, 0.1], [0.9, 0.8], [0.2, 0.9], [0.1, 0.9]] * 25)
        >>> audit = dqlabels.audit(photos, "tags", pred_probs=probs, classes=["cat", "dog"])
        >>> audit.estimate_noise(confidence=0.95).confidence
        0.95
        """
        if method is not None:
            raise OptionError(
                f"method={method!r}: the rate of several labels per row is the mean of their own, each by the default "
                "method. For another method audit one of them as a yes/no column."
            )
        check_confidence(confidence)
        return self.evidence.noise_rate(confidence)

    @property
    def expected_wrong(self) -> Expected:
        """How many of the flagged labels, those to add and those to take away, are likely wrong, with an interval.

        The interval adds up those of the labels, whose noise rates err alike.

        Raises:
            OptionError: ``compat=`` asked for another library's scores, which are no probabilities.

        >>> import dqlabels, numpy as np, polars as pl
        >>> photos = pl.DataFrame({"tags": [["cat"], ["cat", "dog"], [], ["dog"]]})
        >>> probs = np.array([[0.9, 0.1], [0.9, 0.8], [0.2, 0.9], [0.1, 0.9]])
        >>> audit = dqlabels.audit(photos, "tags", pred_probs=probs, classes=["cat", "dog"])
        >>> len(audit.issues), 0 < audit.expected_wrong.estimate <= 1
        (1, True)
        """
        found = [one.expected_wrong() for one in self.evidence.verdict.calibrations if one is not None]
        if not found:
            raise OptionError("compat='cleanlab' gives scores, which are no probabilities. Leave it out.")
        estimate, low, high = (sum(getattr(one, name) for one in found) for name in ("estimate", "low", "high"))
        return Expected(estimate, low, high, found[0].confidence)

    @property
    def issues(self) -> NativeFrame:
        """A row per flagged label of a row, worst first: row number, label, ``kind``, how sure, quality, probability.

        ``kind`` is ``missing`` where the row should have the label and has not, ``wrong`` where it has and should not.
        """
        rows, tags, kinds = self._found()
        sure = how_sure(self.evidence.verdict.quality[rows, tags], probable=self.options.compat is None)
        return self._listing(
            {
                "row": rows,
                "label": self._labels(tags),
                "kind": nw.new_series("kind", kinds, nw.String, backend=self.table.implementation),
                "how_sure": nw.new_series("how_sure", sure, nw.String, backend=self.table.implementation),
                "quality": self.evidence.verdict.quality[rows, tags],
                "probability": self.evidence.probs[rows, tags],
            }
        )

    @property
    def qualities(self) -> NativeFrame:
        """Quality of each label's presence or absence: the rows of the frame, one column per label, NaN if unknown."""
        columns: dict[str, Any] = {"row": np.arange(self.rows)}
        for tag, value in enumerate(self.evidence.tags.values):
            columns[free_name(str(value), {*columns})] = self.evidence.verdict.quality[:, tag]
        return self._listing(columns)

    @property
    def probabilities(self) -> NativeFrame:
        """Out-of-sample probability that each row has each label: the rows of the frame, one column per label.

        They do not add up to 1, since a row may have several labels.
        """
        columns: dict[str, Any] = {"row": np.arange(self.rows)}
        for tag, value in enumerate(self.evidence.tags.values):
            columns[free_name(str(value), {*columns})] = self.evidence.probs[:, tag]
        return self._listing(columns)

    @property
    def review_curve(self) -> NativeFrame:
        """Rows to read, worst first, and how many wrong ones to expect among them, with its interval.

        A row for 10, 20, 50, 100 and so on rows, for the flagged rows, and for all.
        """
        self._check_probable()
        curve = reading_curve(self.evidence)
        columns = {name: np.array(curve[name]) for name in ("rows", "wrong", "low", "high", "share")}
        return self._listing(columns)

    @property
    def classes(self) -> NativeFrame:
        """A row per label, the most flagged share first.

        ``rows`` that have it, ``wrong`` of these flagged, ``missing`` rows flagged as lacking it, ``flagged_share`` of
        all rows, and the noise rate of its yes or no with its interval (NaN where it cannot be judged).
        """
        numbers = self._class_numbers()
        order = np.argsort(-numbers["flagged_share"], kind="stable")
        return self._listing(
            {"label": self._labels(order), **{name: values[order] for name, values in numbers.items()}}
        )

    def _class_numbers(self) -> dict[str, NDArray[np.int64] | FloatArray]:
        codes, flagged = self.evidence.tags.codes, self.evidence.verdict.flagged
        known = np.maximum((codes >= 0).sum(axis=0), 1)
        wrong, missing = (flagged & (codes == 1)).sum(axis=0), (flagged & (codes == 0)).sum(axis=0)
        numbers: dict[str, NDArray[np.int64] | FloatArray] = {
            "rows": (codes == 1).sum(axis=0),
            "wrong": wrong,
            "missing": missing,
            "flagged_share": (wrong + missing) / known,
        }
        rates = self._rates()
        for name, statistic in (("noise_rate", "estimate"), ("noise_low", "low"), ("noise_high", "high")):
            numbers[name] = np.array(
                [getattr(rates[tag], statistic) if tag in rates else np.nan for tag in range(codes.shape[1])]
            )
        return numbers

    def _rates(self) -> dict[int, NoiseRate]:
        return self.evidence.tag_rates(self.noise_rate.confidence)

    @documented_fields(Limits, LIMITS)
    def gate(self, **limits: Unpack[TagLimits]) -> GateResult:
        """Hold what was found against limits, shares in [0, 1] of all answers to "has the row this label?".

        Args:
            {options}

        Raises:
            OptionError: No limit, one outside [0, 1], an unknown label or choice.

        >>> import dqlabels, numpy as np, polars as pl
        >>> photos = pl.DataFrame({"tags": [["cat"], ["cat", "dog"], [], ["dog"]] * 25})
        >>> probs = np.array([[0.9, 0.1], [0.9, 0.8], [0.2, 0.9], [0.1, 0.9]] * 25)
        >>> audit = dqlabels.audit(photos, "tags", pred_probs=probs, classes=["cat", "dog"])
        >>> audit.gate(max_noise_rate=0.2, max_class_noise_rate={"cat": 0.2}).verdict
        'pass'
        """
        return self._gate(limits)

    def _measured(self, limits: Limits) -> tuple[Grounds, list[Measured]]:
        measured = []
        if limits.max_noise_rate is not None:
            measured.append(
                share_limit("max_noise_rate", "the label-noise rate", self.noise_rate, limits.max_noise_rate)
            )
        if limits.max_class_noise_rate is not None:
            measured += self._label_limits(limits.max_class_noise_rate)
        return Grounds.of(self.noise_rate, self.label, "answers", self._flags()), measured

    def _doubt(self) -> RowDoubt:
        """The mean P(wrong) of the answers of each row."""
        self._check_probable()
        evidence, judged = self.evidence, self.evidence.judged
        positions = np.flatnonzero((evidence.tags.codes[:, judged] >= 0).any(axis=1))
        wrong = 1 - evidence.verdict.quality[positions][:, judged]
        single = wrong[~np.isnan(wrong)]
        flagged = evidence.verdict.row_flagged[positions]
        return RowDoubt(positions, np.nanmean(wrong, axis=1), flagged, told_apart(single))

    def _flags(self) -> str:
        """How many labels are flagged, and how many of them are likely wrong or missing, as a sentence."""
        flags = int(self.evidence.verdict.flagged.sum())
        likely = "" if self.options.compat else likely_wrong(flags, expected_data(self.expected_wrong))
        return f"{flags:,} answers flagged{likely}."

    def _label_limits(self, limits: float | Mapping[Any, float]) -> list[Measured]:
        rates, values = self._rates(), self.evidence.tags.values
        known = {values[tag]: rate for tag, rate in rates.items()}
        limit_of = limit_by_part(limits, [*known], f"is no label of {self.label!r} that can be judged; these are")
        return [
            share_limit("max_class_noise_rate", f"the noise rate of label {value!r}", known[value], limit, of=value)
            for value, limit in limit_of.items()
        ]

    def _unjudged(self, limits: Limits) -> list[Measured]:
        """What keeps the labels from being judged: rows without any, or with one that is not known.

        A batch in which each label is on every row or on none is no evidence either.
        """
        codes, quality = self.evidence.tags.codes, self.evidence.verdict.quality
        whole = self.evidence.tags.known & ~((codes == 1) & np.isnan(quality)).any(axis=1)
        judged = codes[:, self.evidence.judged]
        varies = (judged == 1).any(axis=0) & (judged == 0).any(axis=0)
        constant = [] if varies.any() else [same_answers_limit(self.audited)]
        return [*coverage_limit(int(whole.sum()), self.rows, limits.min_judged), *constant]

    def _gate_details(self) -> list[str]:
        return self._worst_lines()

    def _found(self) -> tuple[NDArray[np.int64], NDArray[np.int64], list[str]]:
        rows, tags = np.nonzero(self.evidence.verdict.flagged)
        order = np.argsort(self.evidence.verdict.quality[rows, tags], kind="stable")
        rows, tags = rows[order], tags[order]
        has = self.evidence.tags.codes[rows, tags] == 1
        return rows, tags, ["wrong" if there else "missing" for there in has]

    def _labels(self, tags: NDArray[np.int64]) -> Column:
        values = [self.evidence.tags.values[tag] for tag in tags.tolist()]
        return nw.new_series("label", values, backend=self.table.implementation)

    def _worst_lines(self) -> list[str]:
        rows, tags, kinds = self._found()
        values, quality = self.evidence.tags.values, self.evidence.verdict.quality
        lines = [
            f"  row {row}: {values[tag]!r} {kind}, quality {quality[row, tag]:.3f}"
            for row, tag, kind in list(zip(rows.tolist(), tags.tolist(), kinds, strict=True))[:5]
        ]
        return ["Worst rows:", *lines] if lines else []

    def summary(self) -> str:
        """The audit in about a dozen lines of text.

        >>> import dqlabels, numpy as np, polars as pl
        >>> photos = pl.DataFrame({"tags": [["cat"], ["cat", "dog"], [], ["dog"]]})
        >>> probs = np.array([[0.9, 0.1], [0.9, 0.8], [0.2, 0.9], [0.1, 0.9]])
        >>> audit = dqlabels.audit(photos, "tags", pred_probs=probs, classes=["cat", "dog"])
        >>> audit.summary().splitlines()[0]
        "Labels in 'tags': 4 rows audited, 2 labels; 1 rows flagged (25.0%), 0 labels wrong and 1 missing."
        """
        rate, wrong = self.noise_rate, self._found()[2].count("wrong")
        flags = int(self.evidence.verdict.flagged.sum())
        missing = f", {self.missing:,} without" if self.rows > self.audited else ""
        lines = [
            f"Labels in {self.label!r}: {self.audited:,} rows audited{missing}, {len(self.evidence.tags.values):,} "
            f"labels; {self.flagged:,} rows flagged ({self.flagged_share:.1%}), {wrong:,} labels wrong "
            f"and {flags - wrong:,} missing.",
            self._flags(),
            f"Estimated share of wrong answers {rate.estimate:.1%} ({rate.confidence:.0%} interval {rate.low:.1%} to "
            f"{rate.high:.1%}, method {rate.method!r}).",
            rate.assumption,
            f"Judged by {self.model}; it disagrees with {self.model_error:.1%} of the answers.",
        ]
        return "\n".join([*lines, *self._worst_lines(), *(f"Note: {note}" for note in self.warnings)])

    def _own_values(self) -> dict[str, object]:
        return {
            "noise_rate": self.noise_rate.to_dict(),
            **({} if self.options.compat else {"expected_wrong": expected_data(self.expected_wrong)}),
            "classes": records(self.classes),
            "worst": records(self.issues)[:MAX_IN_DICT],
        }

    def report_facts(self, *, rows: int = 60) -> dict[str, Any]:
        """What the HTML report shows, as plain values: ``to_dict()`` with what to do, histogram and worst rows.

        Args:
            rows: How many of the worst rows, at least 1.

        Raises:
            OptionError: ``rows`` is not a whole number from 1 to 1000.

        >>> import dqlabels, numpy as np, polars as pl
        >>> photos = pl.DataFrame({"tags": [["cat"], ["cat", "dog"], [], ["dog"]]})
        >>> probs = np.array([[0.9, 0.1], [0.9, 0.8], [0.2, 0.9], [0.1, 0.9]])
        >>> audit = dqlabels.audit(photos, "tags", pred_probs=probs, classes=["cat", "dog"])
        >>> audit.report_facts()["shown"][0]["chips"]
        [('dog', 'missing, 90.0% likely')]
        """
        check_rows(rows)
        table = self.table.drop(*self.names)
        facts = tag_facts(self.to_dict(), self.evidence, table, flags=self._flags(), rows=rows)
        return {**facts, "features": list(self.features)}

    def _page(self, rows: int, gate: GateResult | None, checkup: Checkup | None, segments: Segments | None) -> str:
        from dqlabels.report.page import labels_page
        from dqlabels.report.sections import segments_section

        section = None if segments is None else segments_section(segments.name, segments.to_list())
        return labels_page(self.report_facts(rows=rows), gate, section)

    @property
    def plot(self) -> TagCharts:
        """Charts as altair objects: ``plot.qualities()``, ``plot.labels()`` and ``plot.noise()``."""
        verdict, known = self.evidence.verdict, self.evidence.tags.known
        marks = Marks(str(self.label), self.table.implementation)
        return TagCharts(marks, records(self.classes), verdict.row_quality[known], verdict.row_flagged[known])

    def audited_rows(self) -> AuditedRows:
        """The rows that were judged, for those who list or count rows."""
        tags, verdict = self.evidence.tags, self.evidence.verdict
        positions = np.flatnonzero(tags.known)
        quality = verdict.row_quality[positions]

        def listed(has: Mask) -> list[object]:
            return [[plain(tags.values[tag]) for tag in np.flatnonzero(row)] for row in has]

        def concerning(parts: Iterable[object]) -> Mask:
            chosen = [tags.values.index(part) for part in parts]
            return np.asarray(verdict.flagged[positions][:, chosen].any(axis=1))

        return AuditedRows(
            positions, quality, quality, verdict.row_flagged[positions],
            lambda at: listed(tags.codes[positions[at]] == 1),
            lambda at: listed(self.evidence.suggested()[positions[at]]),
            concerning,
        )  # fmt: skip

    def check_details(self) -> CheckDetails:
        """The tags, the most flagged first."""
        judged = f"Judged by {self.model}, which disagrees with {self.model_error:.1%} of the answers"
        return CheckDetails("rows", judged, {"tags": records(self.classes)})

    def _review_queue(self, sample: int | None, limit: float | None) -> tuple[ReviewQueue, Head]:
        if sample is not None:
            self._refuse("review_sample")
        if self.evidence.tags.lists is None:
            raise OptionError(
                f"review() puts lists of labels back into one column, and {self.label!r} are yes/no columns. Make a "
                "column that lists the names of those that say yes, and review that."
            )
        from dqlabels.review.answers import FreeAnswers
        from dqlabels.review.decisions import text_head_of
        from dqlabels.review.queue import text_queue

        evidence, table = self.evidence, self.table.drop(*self.names)
        values, quality = evidence.tags.values, evidence.verdict.quality
        rows = np.flatnonzero(evidence.verdict.row_flagged)
        rows = rows[np.argsort(evidence.verdict.row_quality[rows], kind="stable")]
        said = [
            "; ".join(
                f"{values[tag]} is {'wrong' if evidence.tags.codes[row, tag] == 1 else 'missing'}, quality "
                f"{quality[row, tag]:.3f}"
                for tag in np.flatnonzero(evidence.verdict.flagged[row]).tolist()
            )
            for row in rows.tolist()
        ]
        answers = FreeAnswers("list", tags=tuple(map(str, values)))
        suggested = self.table[self.names[1]][rows.tolist()].to_list()
        found = text_queue(table, self.label, answers, rows, suggested, evidence.verdict.row_quality[rows], said)
        return found, text_head_of(table[self.label], answers)

    def without_frame(self) -> Self:
        """The audit with what its gate and its rows are made from, and nothing else, to be cached."""
        table: Any = None
        evidence = replace(self.evidence, tags=replace(self.evidence.tags, lists=None))
        return detached(self, table=table, evidence=evidence)

    def __repr__(self) -> str:
        shown = f"{self.flagged:,} of {self.audited:,} rows flagged"
        return f"<MultilabelAudit of {self.label!r}: {shown}, noise rate {self.noise_rate}>"

    def _repr_html_(self) -> str:
        shown = self.report_facts(rows=MAX_ROWS)
        return notebook_view(
            f"Labels in {escape_data(self.label)}", shown["lead"], rows=shown["shown"], sections=shown["sections"],
            rate=shown["noise_rate"], drawings=[quality_bars(shown["histogram"])], notes=self.warnings,
        )  # fmt: skip
