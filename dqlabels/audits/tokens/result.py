"""What an audit of the tokens of sentences gives: its tables, its gate, its report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from dqlabels.audits.base import (
    Audit,
    AuditedRows,
    CheckDetails,
    Mask,
    NativeFrame,
    detached,
    free_name,
    fresh_index,
    issue_rows,
    rows_to_review,
)
from dqlabels.audits.gate import DECIDING, Deciding, GateResult, Grounds, Limits
from dqlabels.audits.measured import Measured, class_limits, coverage_limit, share_limit
from dqlabels.audits.options import documented_fields
from dqlabels.audits.segments import RowDoubt, Segments, segments_of
from dqlabels.audits.tokens.report_data import WorstSentences, token_facts
from dqlabels.audits.tokens.sentences import Sentences, exploded, holds_single_values, listed_beside
from dqlabels.audits.tokens.verdict import any_of_each, corrected, sentences_rate, worst_of_each
from dqlabels.frames.columns import Column
from dqlabels.frames.outputs import aligned, table_of
from dqlabels.noise.methods import default_noise
from dqlabels.noise.probability import Calibration, Expected
from dqlabels.noise.rate import NoiseRate
from dqlabels.noise.reviewed import draw_sample
from dqlabels.noise.support import with_support_of
from dqlabels.report import text
from dqlabels.report.charts import Charts
from dqlabels.report.data import check_rows
from dqlabels.report.draw import quality_bars
from dqlabels.report.evidence import Evidence, how_sure, plain
from dqlabels.report.html import MAX_ROWS, escape_data, notebook_view
from dqlabels.report.marks import Marks
from dqlabels.report.summary import expected_data
from dqlabels.statistics.arrays import FloatArray, IntArray

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from dqlabels.checks.result import Checkup

MAX_IN_DICT, MAX_PAIRS = 10, 20
LIMITS = ("max_noise_rate", "max_class_noise_rate", "max_segment_noise_rate", "by", *DECIDING)


class TokenLimits(Deciding, total=False):
    """The limits of labels of tokens, for editors and type checkers."""

    max_noise_rate: float | None
    max_class_noise_rate: float | Mapping[Any, float] | None
    max_segment_noise_rate: float | Mapping[Any, float] | None
    by: str | None


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class TokenAudit(Audit):
    """What was found where each row is a sentence with a label for each token, as in tagging and named entities.

    In ``frame`` ``label_quality`` is that of the sentence's worst token; ``suggested_label`` is the list of labels the
    sentence should have; ``is_label_issue`` is true where that is not the list it has. ``rows`` counts all sentences,
    ``audited`` those with a labelled token, ``flagged`` those with a flagged one; ``tokens`` and ``flagged_tokens``
    count tokens. ``noise_rate`` is the share of wrong labels among the tokens, with an interval that allows for tokens
    of one sentence being wrong together, by the factor ``effect`` in variance; ``model_error`` is the share of tokens
    whose likeliest class is another.

    >>> import dqlabels, polars as pl
    >>> sentences = pl.DataFrame(
    ...     {
    ...         "words": [["Ada", "slept"], ["Bea", "and", "Ada"]],
    ...         "tags": [["PER", "O"], ["PER", "O", "O"]],
    ...         "probs": [[[0.1, 0.9], [0.8, 0.2]], [[0.2, 0.8], [1.0, 0.0], [0.1, 0.9]]],
    ...     }
    ... )
    >>> audit = dqlabels.audit(sentences, "tags", task="tokens", pred_probs="probs", classes=["O", "PER"])
    >>> audit.token_issues[["row", "token", "given", "suggested", "words"]].rows()
    [(1, 2, 'O', 'PER', 'Ada')]
    >>> audit.frame["suggested_label"].to_list()
    [['PER', 'O'], ['PER', 'O', 'PER']]
    >>> audit.tokens, audit.flagged_tokens, audit.token_quality.list.len().to_list()
    (5, 1, [2, 3])
    >>> audit.classes[["class", "tokens", "flagged"]].rows()
    [('O', 3, 1), ('PER', 2, 0)]
    >>> audit.confusions.rows()
    [('O', 'PER', 1, 0.3333333333333333)]
    >>> audit.broken_spans.shape, audit.review_curve["rows"].to_list()
    ((0, 4), [1, 5])
    >>> audit.plot.confusions().data.rows()
    [('O', 'PER', 1, 0.3333333333333333)]
    """

    model: str
    model_error: float
    evidence: Evidence
    calibration: Calibration
    effect: float
    sentences: Sentences
    broken: IntArray

    audited_as: ClassVar[str] = "labels of tokens"
    limits: ClassVar[tuple[str, ...]] = LIMITS
    settled: ClassVar[tuple[str, ...]] = ("filter_by", "min_precision", "score", "adjust", "compat", "random_state")

    @property
    def tokens(self) -> int:
        """Tokens that were judged."""
        return int(self.evidence.codes.size)

    @property
    def flagged_tokens(self) -> int:
        """Tokens whose label is suspected."""
        return int(self.evidence.flagged.sum())

    @property
    def parts(self) -> tuple[object, ...]:
        """The classes of the tokens."""
        return tuple(self.evidence.classes)

    @property
    def noise_rate(self) -> NoiseRate:
        """The share of wrong labels among the tokens, with its interval and its assumption."""
        return self.calibration.rate

    def estimate_noise(self, *, confidence: float = 0.90) -> NoiseRate:
        """The noise rate of the tokens at another confidence.

        Args:
            confidence: Confidence of the interval, in (0, 1).

        Raises:
            OptionError: A confidence outside (0, 1).

        >>> import dqlabels, polars as pl
        >>> probs = [[[0.9, 0.1], [0.2, 0.8]], [[0.3, 0.7], [0.8, 0.2], [0.1, 0.9]]]
        >>> sentences = pl.DataFrame({"tags": [["O", "B"], ["B", "O", "O"]], "probs": probs})
        >>> audit = dqlabels.audit(sentences, "tags", task="tokens", pred_probs="probs", classes=["O", "B"])
        >>> audit.estimate_noise(confidence=0.95).confidence
        0.95
        """
        evidence = self.evidence
        rate = default_noise(evidence.codes, evidence.probs, evidence.counts, confidence=confidence)
        return sentences_rate(with_support_of(self.noise_rate, rate), self.effect, evidence.class_rows)

    @property
    def expected_wrong(self) -> Expected:
        """How many of the flagged tokens' labels are likely wrong: ``estimate`` with an interval, ``low`` to ``high``.

        >>> import dqlabels, polars as pl
        >>> probs = [[[0.9, 0.1], [0.2, 0.8]], [[0.3, 0.7], [0.8, 0.2], [0.1, 0.9]]]
        >>> sentences = pl.DataFrame({"tags": [["O", "B"], ["B", "O", "O"]], "probs": probs})
        >>> audit = dqlabels.audit(sentences, "tags", task="tokens", pred_probs="probs", classes=["O", "B"])
        >>> audit.flagged_tokens, 0 < audit.expected_wrong.estimate <= 1
        (1, True)
        """
        return self.calibration.expected_wrong()

    @property
    def review_curve(self) -> NativeFrame:
        """Tokens to read, worst first, and how many wrong labels to expect among them, with its interval."""
        return table_of(self.calibration.review_curve(), self.table.implementation).to_native()

    @property
    def issues(self) -> NativeFrame:
        """Flagged sentences, worst first: row number, labels, suggestion, quality, how sure, then the other columns."""
        quality, flagged = self._sentence_numbers()
        rows = np.flatnonzero(flagged)
        order = rows[np.argsort(quality[rows], kind="stable")]
        sure = how_sure(quality[order], probable=self.options.compat is None)
        return issue_rows(self.table, self.label, self.names, order, {"how_sure": sure})

    @property
    def token_issues(self) -> NativeFrame:
        """Flagged tokens, worst first: row number, token, given and suggested label, quality, how sure.

        ``token`` is its place in the sentence, from 0. The columns of the frame that have one entry for each token,
        such as the words, follow.
        """
        order, sure = self.evidence.worst()
        numbers = {"quality": self.evidence.quality[order]}
        words = nw.new_series("how_sure", sure, nw.String, backend=self.table.implementation)
        given = {"given": self.evidence.codes[order], "suggested": self.evidence.suggested[order]}
        return self._token_table(order, {**self._labels(given), **numbers, "how_sure": words})

    @property
    def broken_spans(self) -> NativeFrame:
        """Labels that break the rules of BIO, BIOES or BILOU: row number, token, given label, then the words.

        ``I-X`` breaks them where no ``B-X`` or ``I-X`` comes before; where the tags mark the ends of spans, a span that
        is not ended does too. Empty where the classes are no such tags.
        """
        return self._token_table(self.broken, self._labels({"given": self.evidence.codes[self.broken]}))

    @property
    def token_quality(self) -> Any:
        """The quality of each token, as a column of lists to join to the frame; null without a label."""
        quality = np.full(self.sentences.labels.codes.size, np.nan)
        quality[self.evidence.positions] = self.evidence.quality
        known = self.sentences.labels.known
        values = [one if there else None for one, there in zip(quality.tolist(), known.tolist(), strict=True)]
        backend = self.table.implementation
        dtype = None if backend.is_pandas_like() else nw.List(nw.Float64)
        column = nw.new_series("token_quality", self.sentences.folded(values), dtype, backend=backend)
        return aligned(column, self.table).to_native()

    @property
    def probabilities(self) -> NativeFrame:
        """Out-of-sample probabilities of the judged tokens: row number, token, then a column per class."""
        tokens = self.evidence.positions
        columns: dict[str, NDArray[np.generic]] = {
            "row": self.sentences.rows[tokens],
            "token": self.sentences.positions[tokens],
        }
        for k, value in enumerate(self.evidence.classes):
            columns[free_name(str(value), {*columns})] = self.evidence.probs[:, k]
        return self._listing(columns)

    @property
    def classes(self) -> NativeFrame:
        """A row per class: tokens, flagged, flagged share, noise rate with interval, threshold, mean quality."""
        return self._listing(
            {**self._labels({"class": np.arange(len(self.evidence.classes))}), **self._class_numbers()}
        )

    @property
    def confusions(self) -> NativeFrame:
        """A row per given → suggested pair of flagged tokens, commonest first, with its share of the given class."""
        given, suggested, tokens, share = self.evidence.pairs()
        return self._listing(
            {**self._labels({"given": given, "suggested": suggested}), "tokens": tokens, "share": share}
        )

    def _class_numbers(self) -> dict[str, NDArray[np.generic]]:
        rate = self.noise_rate
        facts = self.evidence.class_facts(rate.by_given_class, rate.class_low, rate.class_high)
        return {"tokens": facts.pop("rows"), **facts}

    def _labels(self, codes: Mapping[str, IntArray]) -> dict[str, Column]:
        return {name: fresh_index(self.evidence.labels.values(of, name)) for name, of in codes.items()}

    def _token_table(self, places: IntArray, columns: Mapping[str, Any]) -> NativeFrame:
        """A table of the judged tokens at these places (s,), with their words."""
        tokens, sentences = self.evidence.positions[places], self.sentences
        first = {"row": sentences.rows[tokens], "token": sentences.positions[tokens], **columns}
        words = {name: fresh_index(column[tokens.tolist()]) for name, column in self._words() if name not in first}
        return self._listing({**first, **words})

    def _words(self) -> Iterable[tuple[str, Column]]:
        """The columns with one single value for each token, exploded."""
        names = [name for name in self.table.columns if name not in self.names]
        for name in listed_beside(self.table, self.label, self.sentences, names):
            if holds_single_values(self.table[name]):
                yield name, exploded(self.table[name], self.sentences)

    def _sentence_numbers(self) -> tuple[FloatArray, Mask]:
        """The quality (n,) of each sentence, NaN where none was judged, and whether it is flagged (n,)."""
        rows = self.sentences.rows[self.evidence.positions]
        quality = worst_of_each(self.evidence.quality, rows, self.rows)
        return quality, any_of_each(self.evidence.flagged, rows, self.rows)

    @documented_fields(Limits, LIMITS)
    def gate(self, **limits: Unpack[TokenLimits]) -> GateResult:
        """Hold what was found against limits, shares of tokens in [0, 1].

        Args:
            {options}

        Raises:
            OptionError: No limit, one outside [0, 1], an unknown class or choice.

        >>> import dqlabels, polars as pl
        >>> probs = [[[0.9, 0.1], [0.2, 0.8]], [[0.3, 0.7], [0.8, 0.2], [0.1, 0.9]]]
        >>> sentences = pl.DataFrame({"tags": [["O", "B"], ["B", "O", "O"]] * 50, "probs": probs * 50})
        >>> audit = dqlabels.audit(sentences, "tags", task="tokens", pred_probs="probs", classes=["O", "B"])
        >>> audit.gate(max_noise_rate=0.5).verdict
        'pass'
        """
        return self._gate(limits)

    def _measured(self, limits: Limits) -> tuple[Grounds, list[Measured]]:
        rate, measured = self.noise_rate, list[Measured]()
        if limits.max_noise_rate is not None:
            counted = replace(rate, rows=round(rate.rows / self.effect))
            measured.append(share_limit("max_noise_rate", "the label-noise rate", counted, limits.max_noise_rate))
        if limits.max_class_noise_rate is not None:
            counts = np.rint(self.evidence.class_rows / self.effect).astype(np.int64)
            found = class_limits(rate, self.label, self.evidence.classes, counts, limits.max_class_noise_rate)
            measured += [replace(one, rows=None, table=0) for one in found]  # no review of rows tells it
        return Grounds.of(rate, self.label, "tokens", self._flags()), measured

    def segments(self, column: str) -> Segments:
        """The segments of a column of sentences, with figures that are of tokens.

        >>> import dqlabels, polars as pl
        >>> probs = [[[0.9, 0.1], [0.2, 0.8]], [[0.3, 0.7], [0.8, 0.2], [0.1, 0.9]]]
        >>> sentences = pl.DataFrame({"tags": [["O", "B"], ["B", "O", "O"]], "probs": probs, "source": ["a", "b"]})
        >>> audit = dqlabels.audit(sentences, "tags", task="tokens", pred_probs="probs", classes=["O", "B"])
        >>> audit.by("source").sort("source")[["source", "rows", "flagged"]].rows()
        [('a', 2, 0), ('b', 3, 1)]
        """
        table = self.table
        if column in table.columns:
            table = table.select(column)[self.sentences.rows.tolist()]
        return segments_of(table, column, self._doubt(), self.noise_rate)

    def _doubt(self) -> RowDoubt:
        """P(wrong) of each judged token."""
        self._check_probable()
        evidence = self.evidence
        return RowDoubt(evidence.positions, 1 - evidence.quality, evidence.flagged, effect=self.effect)

    def _unjudged(self, limits: Limits) -> list[Measured]:
        """What keeps the labels from being judged: sentences, other than empty ones, with a token that was not."""
        sentences = self.sentences
        judged = np.bincount(sentences.rows[self.evidence.positions], minlength=self.rows)
        there = ~sentences.labelled | (sentences.lengths > 0)
        whole = there & sentences.labelled & (judged == sentences.lengths)
        return coverage_limit(int(whole.sum()), int(there.sum()), limits.min_judged)

    def _flags(self) -> str:
        """How many tokens are flagged, and how many of them are likely wrong, as a sentence."""
        flags = self.flagged_tokens
        likely = text.likely_wrong(flags, expected_data(self.expected_wrong))
        return f"{flags:,} token{'s' * (flags != 1)} flagged{likely}."

    def _gate_details(self) -> list[str]:
        return [*self._broken_lines(), *self._worst_lines()]

    def _worst_lines(self) -> list[str]:
        worst = self._worst_tokens(text.MAX_LINES)
        lines = [
            f"  row {one['row']}, token {one['token']}: {one['given']!r} → {one['suggested']!r}, quality "
            f"{one['quality']:.3f}, {one['how_sure']}"
            for one in worst
        ]
        return [f"Worst tokens (quality: {text.quality_meaning(self.settings)}):", *lines] if lines else []

    def _worst_tokens(self, most: int) -> list[dict[str, Any]]:
        """The most suspicious tokens as plain values."""
        rows, places = self.sentences.rows, self.sentences.positions
        return [
            {**one, "row": int(rows[token]), "token": int(places[token])}
            for one in self.evidence.worst_facts(most)
            for token in [int(str(one["row"]))]
        ]

    def review_sample(self, rows: int = 100, *, random_state: int | None = None) -> NativeFrame:
        """Draw whole sentences to review by hand, stratified by quality, in random order.

        Their column ``reviewed_label`` is empty. The quality, suggestion and flag are left out, so that they cannot
        sway the reviewer.

        Raises:
            OptionError: ``rows`` is not a whole number of at least 1.

        >>> import dqlabels, polars as pl
        >>> probs = [[[0.9, 0.1], [0.2, 0.8]], [[0.3, 0.7], [0.8, 0.2], [0.1, 0.9]]]
        >>> sentences = pl.DataFrame({"tags": [["O", "B"], ["B", "O", "O"]], "probs": probs})
        >>> audit = dqlabels.audit(sentences, "tags", task="tokens", pred_probs="probs", classes=["O", "B"])
        >>> sorted(audit.review_sample(2)["row"])
        [0, 1]
        """
        seed = self.options.random_state if random_state is None else random_state
        quality, _ = self._sentence_numbers()
        judged = np.flatnonzero(~np.isnan(quality))
        return rows_to_review(self, judged[draw_sample(quality[judged], rows, seed)])

    def summary(self) -> str:
        """The audit in about a dozen lines of text.

        >>> import dqlabels, polars as pl
        >>> probs = [[[0.9, 0.1], [0.2, 0.8]], [[0.3, 0.7], [0.8, 0.2], [0.1, 0.9]]]
        >>> sentences = pl.DataFrame({"tags": [["O", "B"], ["B", "O", "O"]], "probs": probs})
        >>> audit = dqlabels.audit(sentences, "tags", task="tokens", pred_probs="probs", classes=["O", "B"])
        >>> audit.summary().splitlines()[0]
        "Labels of tokens in 'tags': 2 sentences with 5 tokens audited, 1 flagged (50.0%)."
        """
        rate = self.noise_rate
        missing = f", {self.missing:,} sentences without" if self.missing else ""
        pairs = [{**one, "rows": one["tokens"]} for one in self._pairs()]
        lines = [
            f"Labels of tokens in {self.label!r}: {self.audited:,} sentences with {self.tokens:,} tokens audited"
            f"{missing}, {self.flagged:,} flagged ({self.flagged_share:.1%}).",
            self._flags(),
            f"Estimated noise rate of the tokens {rate.estimate:.1%} ({rate.confidence:.0%} interval {rate.low:.1%} to "
            f"{rate.high:.1%}, method {rate.method!r}).",
            *([rate.caution] if rate.caution else []),
            rate.assumption,
            f"Judged by {self.model}; it disagrees with {self.model_error:.1%} of the tokens.",
            *text.confusion_lines(pairs),  # type: ignore[arg-type]
        ]
        lines += self._broken_lines()
        return "\n".join([*lines, *self._worst_lines(), *(f"Note: {note}" for note in self.warnings)])

    def _broken_lines(self) -> list[str]:
        """Which labels break the rules of tags of spans, as a sentence, if any do."""
        if not self.broken.size:
            return []
        where = self.sentences.names(self.evidence.positions[self.broken])
        labels = "1 label breaks" if self.broken.size == 1 else f"{self.broken.size:,} labels break"
        return [f"{labels} the rules of tags of spans ({where}): audit.broken_spans."]

    def _pairs(self) -> list[dict[str, Any]]:
        classes = [plain(value) for value in self.evidence.classes]
        pairs = zip(*(part[:MAX_PAIRS].tolist() for part in self.evidence.pairs()), strict=True)
        return [
            {"given": classes[given], "suggested": classes[likely], "tokens": tokens, "share": share}
            for given, likely, tokens, share in pairs
        ]

    def _class_rows(self) -> list[dict[str, Any]]:
        numbers = {name: values.tolist() for name, values in self._class_numbers().items()}
        return [
            {"class": plain(value), **{name: plain(numbers[name][k]) for name in numbers}}
            for k, value in enumerate(self.evidence.classes)
        ]

    def _own_values(self) -> dict[str, object]:
        return {
            "tokens": self.tokens,
            "flagged_tokens": self.flagged_tokens,
            "noise_rate": self.noise_rate.to_dict(),
            "expected_wrong": expected_data(self.expected_wrong),
            "classes": self._class_rows(),
            "confusions": self._pairs(),
            "broken_spans": int(self.broken.size),
            "worst": self._worst_tokens(MAX_IN_DICT),
        }

    def report_facts(self, *, rows: int = 60) -> dict[str, Any]:
        """What the HTML report shows, as plain values: ``to_dict()`` with what to do, histogram and worst sentences.

        Args:
            rows: How many of the worst sentences, at least 1.

        Raises:
            OptionError: ``rows`` is not a whole number from 1 to 1000.

        >>> import dqlabels, polars as pl
        >>> probs = [[[0.9, 0.1], [0.2, 0.8]], [[0.3, 0.7], [0.8, 0.2], [0.1, 0.9]]]
        >>> sentences = pl.DataFrame({"tags": [["O", "B"], ["B", "O", "O"]], "probs": probs})
        >>> audit = dqlabels.audit(sentences, "tags", task="tokens", pred_probs="probs", classes=["O", "B"])
        >>> audit.report_facts()["shown"][0]["chips"]
        [('token 2', 'O → B, 90.0% likely')]
        """
        check_rows(rows)
        quality, flagged = self._sentence_numbers()
        words = next((column for _, column in self._words() if column.dtype == nw.String), None)
        found = WorstSentences.of(self.sentences, self.evidence, quality, flagged, words)
        table = self.table.drop(*self.names)
        facts = token_facts(self.to_dict(), found, self.calibration.review_curve(), table, rows=rows)
        return {**facts, "notes": [*self._broken_lines(), *facts["notes"]], "features": list(self.features)}

    def _page(self, rows: int, gate: GateResult | None, checkup: Checkup | None, segments: Segments | None) -> str:
        from dqlabels.report.page import labels_page
        from dqlabels.report.sections import segments_section

        section = None if segments is None else segments_section(segments.name, segments.to_list())
        return labels_page(self.report_facts(rows=rows), gate, section)

    @property
    def plot(self) -> Charts:
        """Charts of the tokens as altair objects: ``plot.quality()``, ``review()``, ``confusions()``, ``classes()``."""
        rows = [{"rows": one["tokens"], **one} for one in self._class_rows()]
        summary: Any = {**self.to_dict(), "flagged": self.flagged_tokens, "classes": rows}
        marks, curve = Marks(str(self.label), self.table.implementation), self.calibration.review_curve()
        rate = {name: [value] for name, value in self.noise_rate.to_dict().items()}
        return Charts(marks, summary, self.evidence, curve, lambda: table_of(rate, self.table.implementation))

    def audited_rows(self) -> AuditedRows:
        """The sentences that were judged, for those who list or count rows."""
        quality, flagged = self._sentence_numbers()
        positions, evidence, lists = np.flatnonzero(~np.isnan(quality)), self.evidence, self.sentences.lists
        rows, own = self.sentences.rows[evidence.positions], quality[positions]
        suggested = corrected(self.sentences, evidence)

        def concerning(parts: Iterable[object]) -> Mask:
            codes = [evidence.classes.index(part) for part in parts]
            tokens = evidence.flagged & np.isin(evidence.codes, codes)
            return np.asarray(any_of_each(tokens, rows, self.rows)[positions])

        return AuditedRows(
            positions, own, own, flagged[positions],
            lambda at: [[plain(one) for one in lists[row] or ()] for row in positions[at].tolist()],
            lambda at: [[plain(one) for one in suggested[row] or ()] for row in positions[at].tolist()],
            concerning,
        )  # fmt: skip

    def check_details(self) -> CheckDetails:
        """The classes, the noisiest first, and the commonest confusions."""
        judged = f"Judged by {self.model}, which disagrees with {self.model_error:.1%} of the tokens"
        classes = sorted(self._class_rows(), key=lambda row: -row["noise_rate"])
        return CheckDetails("sentences", judged, {"classes": classes}, {"confusions": self._pairs()})

    def without_frame(self) -> Self:
        """The audit with what its gate and its rows are made from, and nothing else, to be cached."""
        table: Any = None
        labels = replace(self.evidence.labels, column=table)
        evidence = replace(self.evidence, labels=labels)
        return detached(self, table=table, evidence=evidence, sentences=replace(self.sentences, labels=labels))

    def __repr__(self) -> str:
        shown = f"{self.flagged_tokens:,} of {self.tokens:,} tokens flagged"
        return f"<TokenAudit of {self.label!r}: {shown}, noise rate {self.noise_rate}>"

    def _repr_html_(self) -> str:
        shown = self.report_facts(rows=MAX_ROWS)
        return notebook_view(
            f"Labels of tokens in {escape_data(self.label)}", shown["lead"], rows=shown["shown"],
            sections=shown["sections"], rate=shown["noise_rate"], drawings=[quality_bars(shown["histogram"])],
            notes=shown["notes"],
        )  # fmt: skip
