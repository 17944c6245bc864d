"""The report of a lazy frame larger than memory: the same tables and gates, made from counts instead of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from dqlabels.audits.classes.result import LabelAudit
from dqlabels.audits.streaming import Streamed, blocks_when_asked, go_through, plan_of, read_task
from dqlabels.errors import OptionError
from dqlabels.frames.columns import Labels
from dqlabels.frames.hashing import hash_words
from dqlabels.models import large
from dqlabels.noise.methods import default_noise
from dqlabels.noise.mixture import MAX_ROWS
from dqlabels.report.evidence import AMBIGUOUS_MARGIN, Evidence
from dqlabels.statistics.classes import likeliest
from dqlabels.statistics.selection import UNIT
from dqlabels.threads import thread_count

if TYPE_CHECKING:
    import polars as pl

IntArray = NDArray[np.int64]

# The worst rows that a report names and shows; all of them are in its frame.
MOST_WORST = 1_000
# Rows, and rows x classes, from which the noise rate is read; drawn by content.
NOISE_ROWS = 50_000
NOISE_VALUES = 4_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Tallied(Evidence):
    """Evidence of which only counts are kept, with a sample of the rows for the noise rate and the worst of them.

    ``codes`` and ``probs`` are of the sample; ``positions``, ``quality`` and ``suggested`` of the worst rows, worst
    first, whose labels are ``worst_codes``; ``rows``, ``flags``, ``quality_units`` (K,) are by class, ``pair_counts``
    (K, K) of flagged rows by given and suggested class.
    """

    worst_codes: IntArray
    kinds: tuple[str, ...]
    rows: IntArray
    quality_units: IntArray
    pair_counts: IntArray

    @property
    def class_rows(self) -> IntArray:
        """(K,) audited rows that carry each label."""
        return self.rows

    def worst(self) -> tuple[IntArray, list[str]]:
        """Places of the worst rows among the worst, so in order, with the kind of each."""
        return np.arange(self.positions.size), list(self.kinds)

    def class_facts(
        self, noise_rates: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]
    ) -> dict[str, NDArray[Any]]:
        """Columns (K,) of the class table; ``noise_rates`` (K,) by given class, between ``low`` and ``high`` (K,)."""
        rows = np.maximum(self.rows, 1)
        flagged = self.pair_counts.sum(axis=1)
        return {
            "rows": self.rows,
            "flagged": flagged,
            "flagged_share": flagged / rows,
            "noise_rate": noise_rates,
            "noise_rate_low": low,
            "noise_rate_high": high,
            "threshold": self.thresholds,
            "mean_quality": self.quality_units / UNIT / rows,
        }

    def pairs(self) -> tuple[IntArray, IntArray, IntArray, NDArray[np.float64]]:
        """Flagged given → suggested pairs, commonest first: given, suggested, rows, share of the given class."""
        found = np.flatnonzero(self.pair_counts)
        rows = self.pair_counts.ravel()[found]
        order = np.lexsort((found, -rows))
        given, suggested = found[order] // len(self.classes), found[order] % len(self.classes)
        return given, suggested, rows[order], rows[order] / self.rows[given]

    def worst_facts(self, most: int, index: Any = None) -> list[dict[str, Any]]:
        """The ``most`` most suspicious rows as plain values."""
        from dqlabels.report.evidence import plain

        return [
            {
                "row": int(self.positions[at]),
                "given": plain(self.classes[self.worst_codes[at]]),
                "suggested": plain(self.classes[self.suggested[at]]),
                "quality": float(self.quality[at]),
                "kind": self.kinds[at],
            }
            for at in range(min(most, self.positions.size))
        ]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class StreamedAudit(LabelAudit):
    """A :class:`~dqlabels.LabelAudit` whose rows stay where they are.

    ``frame`` is lazy; ``issues`` are the 1,000 worst rows (all of them: ``audit.frame.filter("is_label_issue")``);
    what needs the probabilities of all rows at once is refused by name.
    """

    streamed: Streamed | None = None

    @property
    def issues(self) -> Any:
        """The worst 1,000 flagged rows, worst first, as in memory; their columns are read from the source again."""
        assert isinstance(self.evidence, Tallied)  # noqa: S101
        return issues_of(self.frame, self.label, self.names, self.evidence.positions, self.evidence.kinds)

    @property
    def probabilities(self) -> Any:
        """Not kept of a table this large.

        Raises:
            OptionError: Always.
        """
        raise OptionError(f"probabilities {NOT_HERE}")

    def review_sample(self, rows: int = 100, *, random_state: int | None = None) -> Any:
        """Not drawn from a table this large.

        Raises:
            OptionError: Always.
        """
        raise OptionError(f"review_sample() {NOT_HERE}")

    def with_review(self, reviewed: Any, *, answer: str = "reviewed_label", confidence: float = 0.90) -> LabelAudit:
        """Not done for a table this large.

        Raises:
            OptionError: Always.
        """
        raise OptionError(f"with_review() {NOT_HERE}")

    def report_facts(self, *, rows: int = 60) -> dict[str, Any]:
        """Not gathered of a table this large, so that there is no ``to_html()`` either.

        Raises:
            OptionError: Always.
        """
        raise OptionError(f"to_html() {NOT_HERE}")

    @property
    def plot(self) -> Any:
        """Not drawn of a table this large.

        Raises:
            OptionError: Always.
        """
        raise OptionError(f"plot {NOT_HERE}")

    def review(self, *_: Any, **__: Any) -> Any:
        """Not offered of a table this large.

        Raises:
            OptionError: Always.
        """
        raise OptionError(f"review() {NOT_HERE}")

    def checkup(self, *_: Any, **__: Any) -> Any:
        """Refused: a check-up compares rows with each other.

        Raises:
            OptionError: Always.
        """
        raise OptionError(
            "A check-up compares rows with each other, which the memory engine alone does, and a streamed audit leaves "
            "them where they are. Check a sample: frame.collect().sample(50_000, seed=0).labels.checkup(label)."
        )

    def planted_recall(self, *, share: float = 0.03, repeats: int = 3) -> Any:
        """Not done on a table this large.

        Raises:
            OptionError: Always.
        """
        raise OptionError(f"planted_recall() {NOT_HERE}")


def issues_of(
    frame: pl.LazyFrame, label: str, names: tuple[str, str, str], positions: IntArray, kinds: Sequence[str]
) -> pl.DataFrame:
    """The rows at ``positions`` (m,) of an audited lazy frame, in that order, with their ``kinds`` (m,)."""
    import polars as pl

    from dqlabels.audits.base import free_name
    from dqlabels.engines.polars import collect

    quality, suggested, flag = names
    taken = set(frame.collect_schema().names())
    row = free_name("row", taken)
    kind = free_name("kind", {*taken, row})
    numbers = pl.Series(row, positions, dtype=pl.get_index_type())
    asked = pl.DataFrame([numbers, pl.Series(kind, kinds, dtype=pl.String)])
    rows = collect(frame.with_row_index(row).filter(pl.col(row).is_in(numbers.implode())))
    found = asked.join(rows, on=row, how="left", maintain_order="left")
    first = [row, label, suggested, quality, kind]
    return found.select(*first, pl.exclude(*first, flag))


NOT_HERE = "needs all rows in memory, and this audit streamed them. Audit a collected part of the table."


def report_lazily(frame: pl.LazyFrame, label: str, **options: Any) -> LabelAudit | None:
    """The audit of a lazy frame of more than 200,000 rows; None of a smaller one, which belongs in memory.

    Raises:
        DQLabelsError: As :func:`dqlabels.audit`.
    """
    streamed = streamed_lazily(frame, label, options)
    return None if streamed is None else _report(streamed)


def streamed_lazily(frame: pl.LazyFrame, label: str, options: dict[str, Any]) -> Streamed | None:
    """All passes over a lazy frame of more than 200,000 rows; None of a smaller one.

    Raises:
        DQLabelsError: As :func:`dqlabels.audit`.
    """
    from dqlabels.engines.polars import Spill

    plan = plan_of(frame, label, **options)
    task, size = read_task(plan)
    if task is None:
        return None
    large.refuse_options(options, "for a lazy frame this large")
    spill = Spill(task.kept, thread_count(plan.n_jobs))
    try:
        return go_through(plan, task, spill, size)
    except BaseException:
        spill.close()
        raise


def _report(streamed: Streamed) -> StreamedAudit:
    plan, rule, labels = streamed.plan, streamed.rule.found, streamed.task.labels
    evidence, errors = _tally(streamed)
    rows = int(rule.class_counts.sum())
    return StreamedAudit(
        label=plan.label,
        frame=blocks_when_asked(plan, streamed.blocks),
        rows=streamed.spill.rows,
        audited=rows,
        flagged=int(evidence.pair_counts.sum()),
        noise_rate=default_noise(evidence.codes, evidence.probs, rule.counts, random_state=plan.random_state),
        model=streamed.learnt.model,
        model_error=errors / rows,
        warnings=streamed.notes,
        names=plan.names,
        settings={**plan.ruling, "compat": None, "random_state": plan.random_state, "task": "classes"},
        evidence=evidence,
        table=nw.from_native(labels.values.to_frame().to_native(), eager_only=True),
        streamed=streamed,
    )


def _tally(streamed: Streamed) -> tuple[Tallied, int]:
    """One more pass over the spill: counts by class and pair, the worst rows, and a sample for the noise rate."""
    labels = streamed.task.labels
    rule, spill, k = streamed.rule.found, streamed.spill, len(labels.classes)
    units, pairs, errors, start = np.zeros(k, dtype=np.int64), np.zeros(k * k, dtype=np.int64), 0, 0
    worst = Lowest.empty(MOST_WORST)
    drawn = Lowest.empty(max(min(NOISE_ROWS, NOISE_VALUES // k), min(MAX_ROWS, NOISE_VALUES // k)))
    for at in range(len(spill.sizes)):
        codes, probs = spill.block(at)
        rows = np.flatnonzero(codes >= 0)
        codes, probs = codes[rows], probs[rows]
        quality, flagged, suggested = rule.judge(codes, probs)
        units += np.bincount(codes, weights=np.rint(quality * UNIT), minlength=k).astype(np.int64)
        pairs += np.bincount(codes[flagged] * k + suggested[flagged], minlength=k * k)
        errors += int((likeliest(probs)[0] != codes).sum())
        found = np.flatnonzero(flagged)
        facts = {"row": rows[found] + start, "code": codes[found], "suggested": suggested[found]}
        top = np.partition(probs[found], -2, axis=1)[:, -2:]
        worst.offer(quality[found], {**facts, "close": (top[:, 1] - top[:, 0]) < AMBIGUOUS_MARGIN})
        words = np.column_stack([codes, np.rint(probs * 2**24)]).astype(np.uint32)
        drawn.offer(hash_words(words), {"code": codes, "probs": probs})
        start += spill.sizes[at]
    last, some = worst.finish(), drawn.finish()
    evidence = Tallied(
        Labels(labels.values, np.empty(0, dtype=np.int64), labels.classes, labels.places),
        last["row"], some["code"], some["probs"], last["suggested"], last["key"],
        np.ones(last["row"].size, dtype=bool), rule.thresholds, rule.counts, rule.joint,
        last["code"], tuple("ambiguous" if close else "error" for close in last["close"]),
        rule.class_counts, units, pairs.reshape(k, k),
    )  # fmt: skip
    return evidence, errors


@dataclass(slots=True, eq=False)
class Lowest:
    """The rows with the ``most`` lowest keys, in the order of key and then of row."""

    most: int
    parts: list[dict[str, NDArray[Any]]]
    waiting: int

    @classmethod
    def empty(cls, most: int) -> Lowest:
        """Nothing seen yet."""
        return cls(most, [], 0)

    def offer(self, keys: NDArray[Any], facts: dict[str, NDArray[Any]]) -> None:
        """Take in a block's rows with their keys (b,) and what is to be known of each, (b, ...) a name."""
        if self.parts and keys.size and "bar" in self.parts[0]:
            near = keys <= self.parts[0]["bar"][0]
            keys, facts = keys[near], {name: values[near] for name, values in facts.items()}
        self.parts.append({"key": keys, **facts})
        self.waiting += keys.size
        if self.waiting > 2 * self.most:
            kept = self.finish()
            self.parts, self.waiting = [{**kept, "bar": kept["key"][-1:]}], kept["key"].size

    def finish(self) -> dict[str, NDArray[Any]]:
        """The facts of the rows kept, their keys among them as ``key``."""
        names = [name for name in self.parts[0] if name != "bar"]
        joined = {name: np.concatenate([part[name] for part in self.parts]) for name in names}
        order = np.argsort(joined["key"], kind="stable")[: self.most]
        return {name: values[order] for name, values in joined.items()}
