"""Has the noise risen since we trusted the labels, asked of every batch: :class:`LabelMonitor`."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from dqlabels.audits.base import Audit
from dqlabels.audits.gate import GateCheck, GateResult, OnInconclusive
from dqlabels.audits.measured import Verdict
from dqlabels.audits.options import checked, choice
from dqlabels.audits.trusted.drift import Drift
from dqlabels.audits.trusted.history import History, Night, head_of, pairs_of
from dqlabels.audits.trusted.label_auditor import LabelAuditor, load
from dqlabels.errors import AuditorFileError, LabelNoiseError, OptionError, warn_all
from dqlabels.frames.columns import Frame, require
from dqlabels.frames.outputs import table_of
from dqlabels.noise.increase import MIN_GAIN, MIN_ROWS, Measured, Zero
from dqlabels.noise.sequential import Chart, Plan, chart, nights_to_find
from dqlabels.report.evidence import plain
from dqlabels.statistics.arrays import FloatArray, IntArray
from dqlabels.statistics.multiple_testing import benjamini_hochberg

if TYPE_CHECKING:
    import altair
    from narwhals.typing import EagerAllowed
    from typing_extensions import Self

    from dqlabels.report.monitor import BatchFacts

CONFIDENCE = 0.90
# Of the classes, pairs and segments that an alarm names as risen, about this share is named by chance.
FALSE_NAMES = 0.05
MOST_NAMED = 5
MAX_SEGMENTS = 1_000
# A rise that messages speak of, in shares.
EXAMPLE_RISE = 0.03
# The standard error of an increase that is no evidence, and how seldom chance gives what is odd.
NO_EVIDENCE, ODD = 10.0, 0.001
# What a segment was before, where it had few rows, is drawn to the zero as by so many rows of it.
PRIOR_ROWS = 60


@dataclass(frozen=True, slots=True)
class Risen:
    """What an alarm names: a ``"class"``, a ``"pair"`` of given and likelier class, or a ``"segment"``.

    ``increase`` is that of the share of wrong labels among its rows, for a pair of the rows given the first class that
    are likelier of the second; ``low`` to ``high`` is its 90% interval.

    >>> print(Risen("class", "'high'", 120, 0.051, 0.02, 0.082))
    'high' +5.1 points (+2.0 to +8.2)
    """

    what: Literal["class", "pair", "segment"]
    name: str
    rows: int
    increase: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.name} {_points(self.increase)} ({_from_to(self.low, self.high)})"


@dataclass(frozen=True, slots=True, eq=False)
class MonitorResult:
    """What a monitor says of a batch.

    ``increase`` is how much the noise rate rose since the labels were trusted, over the ``batches`` since it began to,
    and ``low`` to ``high`` its 90% interval, all shares of rows. ``evidence`` is the cumulative sum that alarms above
    ``limit``; ``rise`` is the increase that the monitor was set to find. ``risen`` names what rose most, where the
    verdict is ``"fail"``; ``audit`` is that of the batch.

    >>> import tempfile
    >>> import dqlabels, polars as pl
    >>> trusted = pl.DataFrame({"x": [at / 10 for at in range(200)], "y": ["low"] * 100 + ["high"] * 100})
    >>> night = pl.DataFrame({"x": [at / 3 + 0.03 for at in range(60)], "y": ["low", "high"] * 30})
    >>> auditor = dqlabels.LabelAuditor("y").fit(trusted)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     result = dqlabels.LabelMonitor(auditor, history=f"{folder}/y.history.jsonl").check(night)
    >>> result.passed, result.low > 0.3, result.evidence > result.limit
    (False, True, True)
    """

    verdict: Verdict
    passed: bool
    message: str
    batch_id: str
    increase: float
    low: float
    high: float
    batches: int
    evidence: float
    limit: float
    rise: float
    risen: tuple[Risen, ...]
    audit: Audit

    def raise_if_failed(self) -> Self:
        """Raise when the batch did not pass, else return itself.

        Raises:
            LabelNoiseError: Carries this result as ``.result``.

        >>> import tempfile
        >>> import dqlabels, polars as pl
        >>> trusted = pl.DataFrame({"x": [at / 10 for at in range(200)], "y": ["low"] * 100 + ["high"] * 100})
        >>> night = pl.DataFrame({"x": [at / 3 + 0.03 for at in range(60)], "y": ["low"] * 30 + ["high"] * 30})
        >>> auditor = dqlabels.LabelAuditor("y").fit(trusted)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     monitor = dqlabels.LabelMonitor(auditor, history=f"{folder}/y.history.jsonl")
        ...     result = monitor.check(night, batch_id="monday")
        >>> result.raise_if_failed().passed
        True
        """
        if not self.passed:
            raise LabelNoiseError(self.message, self)
        return self

    @property
    def gate(self) -> GateResult:
        """The same as a gate's answer, for what shows those.

        >>> import tempfile
        >>> import dqlabels, polars as pl
        >>> trusted = pl.DataFrame({"x": [at / 10 for at in range(200)], "y": ["low"] * 100 + ["high"] * 100})
        >>> night = pl.DataFrame({"x": [at / 3 + 0.03 for at in range(60)], "y": ["low"] * 30 + ["high"] * 30})
        >>> auditor = dqlabels.LabelAuditor("y").fit(trusted)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     monitor = dqlabels.LabelMonitor(auditor, history=f"{folder}/y.history.jsonl")
        ...     result = monitor.check(night, batch_id="monday")
        >>> result.gate.check.what
        'the rise of the noise rate since the labels were trusted'
        """
        what = "the rise of the noise rate since the labels were trusted"
        check = GateCheck(what, self.increase, self.low, self.high, self.rise, self.verdict)
        return GateResult(self.verdict, self.passed, self.message, "confident", (check,), confidence=CONFIDENCE)

    def to_dict(self) -> dict[str, object]:
        """Plain values, ready for JSON.

        >>> import tempfile
        >>> import dqlabels, polars as pl
        >>> trusted = pl.DataFrame({"x": [at / 10 for at in range(200)], "y": ["low"] * 100 + ["high"] * 100})
        >>> night = pl.DataFrame({"x": [at / 3 + 0.03 for at in range(60)], "y": ["low"] * 30 + ["high"] * 30})
        >>> auditor = dqlabels.LabelAuditor("y").fit(trusted)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     monitor = dqlabels.LabelMonitor(auditor, history=f"{folder}/y.history.jsonl")
        ...     result = monitor.check(night, batch_id="monday")
        >>> result.to_dict()["batch_id"]
        'monday'
        """
        names = (
            "verdict", "passed", "message", "batch_id", "increase", "low", "high", "batches", "evidence", "limit",
            "rise",
        )  # fmt: skip
        risen = [{name: getattr(one, name) for name in Risen.__slots__} for one in self.risen]
        return {**{name: getattr(self, name) for name in names}, "risen": risen}


class LabelMonitor:
    """Checks every batch for whether its labels have become noisier since the auditor's were trusted.

    One batch against one limit cannot have few false alarms and a short delay. A monitor keeps a history and adds up
    what its batches say: a cumulative sum that alarms once they are much likelier under a rise than under none. Its
    zero is cross-fitted on the trusted rows by the model that judges the batches, so clean batches read 0 on average,
    whatever their size; the first batches correct what the trusted rows left uncertain.

    Args:
        auditor: A fitted :class:`~dqlabels.LabelAuditor`, or the path of a saved one.
        history: The file of JSON lines that keeps the batches; it is made with the first.
        false_alarms_per_year: How many alarms to expect in a year in which nothing changes, on average at most.
        batches_per_year: How often it is asked.
        rise: The increase of the noise rate worth knowing, a share in (0, 1); smaller rises are found later.
        min_judged: A batch of which a smaller share of the rows could be judged is inconclusive.
        by: A column whose segments an alarm may name, such as a region.
        on_inconclusive: ``"fail"`` does not pass an inconclusive batch, ``"warn"`` warns and passes, or ``"pass"``.

    Raises:
        AuditorFileError: An auditor of an earlier version, which measured no zero.
        OptionError: The auditor is not fitted, an option means nothing, or the history is another auditor's.
        OSError: A file cannot be read.

    Source: cumulative sums, Page (1954), Biometrika 41:100-115; docs/benchmarks.md has false alarms and delays.

    >>> import tempfile
    >>> import dqlabels, polars as pl
    >>> trusted = pl.DataFrame({"x": [at / 10 for at in range(200)], "y": ["low"] * 100 + ["high"] * 100})
    >>> auditor = dqlabels.LabelAuditor("y").fit(trusted)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     monitor = dqlabels.LabelMonitor(auditor, history=f"{folder}/y.history.jsonl")
    ...     night = pl.DataFrame({"x": [at / 3 + 0.03 for at in range(60)], "y": ["low"] * 30 + ["high"] * 30})
    ...     clean = monitor.check(night, batch_id="monday")
    ...     shuffled = monitor.check(night.with_columns(y=pl.Series(["low", "high"] * 30)), batch_id="tuesday")
    >>> clean.verdict, shuffled.verdict
    ('pass', 'fail')
    """

    def __init__(
        self,
        auditor: LabelAuditor | str | Path,
        *,
        history: str | Path,
        false_alarms_per_year: float = 1.0,
        batches_per_year: float = 365.0,
        rise: float = 0.02,
        min_judged: float = 0.8,
        by: str | None = None,
        on_inconclusive: OnInconclusive = "fail",
    ) -> None:
        self.auditor = auditor if isinstance(auditor, LabelAuditor) else load(auditor)
        fitted = self.auditor.learned
        if fitted.zero is None:
            raise AuditorFileError(
                "The auditor was saved by an earlier version of dqlabels, which measured no zero for a monitor. Fit it "
                "again on the trusted data."
            )
        if not fitted.zero.is_telling:
            raise OptionError(
                f"The auditor's model hardly tells the trusted labels of {fitted.label!r} from others drawn at random, "
                "so no monitor can see noise in them. Fit it on columns that say more about the label."
            )
        for name, value in (("false_alarms_per_year", false_alarms_per_year), ("batches_per_year", batches_per_year)):
            _positive(name, value)
        self.plan = Plan(
            false_alarms_per_year=float(false_alarms_per_year), batches_per_year=float(batches_per_year),
            rise=_share("rise", rise),
        )  # fmt: skip
        self.min_judged = _share("min_judged", min_judged)
        self.by = by
        self.on_inconclusive = checked(choice(OnInconclusive), "on_inconclusive", on_inconclusive)
        self._zero = fitted.zero
        self._names = fitted.class_names
        self._history = History(history, head_of(fitted.label, self._names, self._zero))
        self._backend: EagerAllowed | None = None

    @property
    def history(self) -> Any:
        """A row per batch: its id, rows, increase with interval, evidence against the limit, and the verdict it got.

        The frame is of the library of the last batch, else of Polars or pandas, whichever is installed.

        >>> import tempfile
        >>> import dqlabels, polars as pl
        >>> trusted = pl.DataFrame({"x": [at / 10 for at in range(200)], "y": ["low"] * 100 + ["high"] * 100})
        >>> night = pl.DataFrame({"x": [at / 3 + 0.03 for at in range(60)], "y": ["low"] * 30 + ["high"] * 30})
        >>> auditor = dqlabels.LabelAuditor("y").fit(trusted)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     monitor = dqlabels.LabelMonitor(auditor, history=f"{folder}/y.history.jsonl")
        ...     result = monitor.check(night, batch_id="monday")
        ...     history = monitor.history
        >>> history[["batch_id", "rows", "verdict"]].rows()
        [('monday', 60, 'pass')]
        """
        return table_of(self._columns(self._history.nights()), self._backend or _installed()).to_native()

    def check(self, batch: Any, *, batch_id: str | None = None) -> MonitorResult:
        """Audit a batch, add its line to the history, and say whether the labels have become noisier.

        Args:
            batch: As :meth:`dqlabels.LabelAuditor.audit` takes it.
            batch_id: Names the batch, as its date would. A batch that is checked again takes its former place in the
                history; without a name it is known by what it holds.

        Returns:
            The verdict; ``"inconclusive"`` where too few rows could be judged, or the batch holds one class alone.

        Raises:
            DQLabelsError: The batch cannot be audited, or the history is damaged; no line is written.
            OSError: The history cannot be written.

        >>> import tempfile
        >>> import dqlabels, polars as pl
        >>> trusted = pl.DataFrame({"x": [at / 10 for at in range(200)], "y": ["low"] * 100 + ["high"] * 100})
        >>> night = pl.DataFrame({"x": [at / 3 + 0.03 for at in range(60)], "y": ["low"] * 30 + ["high"] * 30})
        >>> auditor = dqlabels.LabelAuditor("y").fit(trusted)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     monitor = dqlabels.LabelMonitor(auditor, history=f"{folder}/y.history.jsonl")
        ...     result = monitor.check(night, batch_id="monday")
        >>> result.verdict, result.passed, result.audit.audited
        ('pass', True, 60)
        """
        audit = self.auditor.judge(batch)
        moved = audit.moved
        if moved is None or moved.measured is None:
            raise AuditorFileError("The auditor measured nothing of the batch. Fit it again on the trusted data.")
        self._backend = audit.table.implementation
        night = self._night(audit, moved, moved.measured, batch_id)
        with self._history.exclusive() as nights:
            at = next((at for at, one in enumerate(nights) if one.batch_id == night.batch_id), len(nights))
            nights[at : at + 1] = [night]
            charted = self._chart(nights)
            result = self._result(audit, moved, nights, charted, at)
            nights[at] = replace(night, verdict=result.verdict, message=result.message)
        if result.verdict == "inconclusive" and self.on_inconclusive == "warn":
            warn_all([result.message], stacklevel=3)
        return result

    def plot(self) -> altair.VConcatChart:
        """Draw the batches: the increase of each with its interval, and the evidence against the alarm line.

        Raises:
            MissingExtraError: altair is not installed.
            OptionError: The history is empty.

        >>> import tempfile
        >>> import dqlabels, polars as pl
        >>> trusted = pl.DataFrame({"x": [at / 10 for at in range(200)], "y": ["low"] * 100 + ["high"] * 100})
        >>> night = pl.DataFrame({"x": [at / 3 + 0.03 for at in range(60)], "y": ["low"] * 30 + ["high"] * 30})
        >>> auditor = dqlabels.LabelAuditor("y").fit(trusted)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     monitor = dqlabels.LabelMonitor(auditor, history=f"{folder}/y.history.jsonl")
        ...     result = monitor.check(night, batch_id="monday")
        ...     drawn = monitor.plot()
        >>> len(drawn.vconcat)
        2
        """
        from dqlabels.report.monitor import chart_of_batches

        return chart_of_batches(self.auditor.label, self._facts(), self._backend or _installed())

    def to_html(self, path: str | Path | None = None) -> str | None:
        """Write a page with the chart of the batches, their figures, and what changed; or return it.

        Args:
            path: Where to write it; None returns the page.

        Raises:
            MissingExtraError: jinja2 is not installed.
            OptionError: The history is empty.
            OSError: The file cannot be written.

        >>> import tempfile
        >>> import dqlabels, polars as pl
        >>> trusted = pl.DataFrame({"x": [at / 10 for at in range(200)], "y": ["low"] * 100 + ["high"] * 100})
        >>> night = pl.DataFrame({"x": [at / 3 + 0.03 for at in range(60)], "y": ["low"] * 30 + ["high"] * 30})
        >>> auditor = dqlabels.LabelAuditor("y").fit(trusted)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     monitor = dqlabels.LabelMonitor(auditor, history=f"{folder}/y.history.jsonl")
        ...     result = monitor.check(night, batch_id="monday")
        ...     page = monitor.to_html()
        >>> "Batch by batch" in page
        True
        """
        from dqlabels.frames.atomic import replacing
        from dqlabels.report.monitor import monitor_page

        page = monitor_page(self.auditor.label, self._facts())
        if path is None:
            return page
        with replacing(path) as file:
            file.write(page.encode("utf-8", "replace"))
        return None

    def __repr__(self) -> str:
        return f"<LabelMonitor of {self.auditor.label!r}: {len(self._history.nights()):,} batches>"

    def _facts(self) -> list[BatchFacts]:
        """The batches as plain values, with the message of each."""
        nights = self._history.nights()
        if not nights:
            raise OptionError("The monitor has checked no batch yet, so there is nothing to show. Call check(batch).")
        columns = {**self._columns(nights), "message": [night.message for night in nights]}
        facts = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        return cast("list[BatchFacts]", facts)

    def _columns(self, nights: Sequence[Night]) -> dict[str, list[object]]:
        """The columns of a history of these batches."""
        charted = self._chart(nights) if nights else None
        z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
        return {
            "batch_id": [night.batch_id for night in nights],
            "checked_at": [night.checked_at for night in nights],
            "rows": [night.rows for night in nights],
            "judged": [night.judged for night in nights],
            "increase": [night.increase for night in nights],
            "low": [max(night.increase - z * night.error, -1.0) for night in nights],
            "high": [min(night.increase + z * night.error, 1.0) for night in nights],
            "evidence": [] if charted is None else charted.sums.tolist(),
            "limit": [] if charted is None else [charted.limit] * len(nights),
            "verdict": [night.verdict for night in nights],
        }

    def _night(self, audit: Audit, moved: Drift, measured: Measured, batch_id: str | None) -> Night:
        increase = self._zero.increase(measured.sums)
        name = _digest(audit.rows, measured) if batch_id is None else str(batch_id)
        return Night(
            batch_id=name,
            checked_at=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            rows=audit.rows,
            judged=audit.audited,
            increase=increase.estimate,
            error=increase.error,
            verdict="inconclusive",
            message="",
            class_rows=measured.sums.rows.tolist(),
            class_doubt=measured.sums.doubt.tolist(),
            pairs=pairs_of(measured.sums),
            segments=[] if self.by is None else segments_of(audit.table, self.by, measured, self._zero),
            drifted=[f"{one.what} {one.name}".strip() for one in moved.shifts if one.drifted],
        )

    def _chart(self, nights: Sequence[Night]) -> Chart:
        zero = self._zero
        typical = float(np.median([night.measured for night in nights]))
        increases = np.array([night.increase for night in nights])
        # One class alone is measured too uncertainly, and too odd, to be evidence of anything.
        errors = np.array([NO_EVIDENCE if self._constant(night) else night.error for night in nights])
        return chart(increases, errors, zero.zero_error, zero.skewness / max(typical, 1.0) ** 0.5, self.plan)

    def _result(self, audit: Audit, moved: Drift, nights: Sequence[Night], charted: Chart, at: int) -> MonitorResult:
        first = charted.starts[at]
        run = nights[first : at + 1]
        increase, error = _mean_increase(run, charted, at)
        half = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2) * error
        low, high = max(increase - half, -1.0), min(increase + half, 1.0)
        reasons = self._reasons(audit, nights[at])
        verdict: Verdict = "fail" if charted.alarms[at] else "inconclusive" if reasons else "pass"
        risen = self._risen(run, nights[:first], charted.spread) if verdict == "fail" else []
        passed = verdict == "pass" or (verdict == "inconclusive" and self.on_inconclusive != "fail")
        lines = [self._headline(verdict, nights[at], charted, at, (increase, low, high), len(run))]
        lines += reasons
        lines += [f"Risen most: {'; '.join(map(str, risen))}."] if risen else []
        lines += moved.notes() if verdict == "fail" else []
        return MonitorResult(
            verdict, passed, "\n".join(lines), nights[at].batch_id, increase, low, high, len(run),
            float(charted.sums[at]), charted.limit, self.plan.rise, tuple(risen), audit,
        )  # fmt: skip

    def _headline(
        self, verdict: Verdict, night: Night, charted: Chart, at: int, rose: tuple[float, float, float], batches: int
    ) -> str:
        label, (increase, low, high) = self.auditor.label, rose
        interval = f"90% interval {_from_to(low, high)}"
        if verdict == "fail":
            over = "this batch" if batches == 1 else f"the last {batches:,} batches"
            return (
                f"FAIL: the labels of {label!r} have become noisier since they were trusted: {_points(increase)} "
                f"({interval}) over {over}. While nothing changes, at most {self.plan.false_alarms_per_year:g} "
                f"alarm{'' if self.plan.false_alarms_per_year == 1 else 's'} a year should be expected."
            )
        z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
        own = float(np.hypot(night.error * charted.spread, charted.zero_errors[at])) * z
        here = night.increase - float(charted.zeros[at])
        wait = nights_to_find(
            night.error * charted.spread, float(charted.zero_errors[at]), charted.limit, EXAMPLE_RISE, self.plan
        )
        batches = max(round(wait), 1) if np.isfinite(wait) else 0
        found = f"about {batches:,} batch{'es' * (batches > 1)} of this size" if batches else "too long"
        sign = "no sign" if charted.sums[at] < charted.limit / 2 else "not enough evidence yet"
        word = "INCONCLUSIVE" if verdict == "inconclusive" else "PASS"
        around = _from_to(max(here - own, -1.0), min(here + own, 1.0))
        return (
            f"{word}: {sign} that the labels of {label!r} have become noisier since they were trusted: "
            f"{_points(here)} in this batch (90% interval {around}), evidence {charted.sums[at]:.1f} where "
            f"{charted.limit:.1f} alarms. A rise of {_points(EXAMPLE_RISE)} takes {found} to be found."
        )

    def _reasons(self, audit: Audit, night: Night) -> list[str]:
        """Why a batch cannot pass, whatever its evidence."""
        reasons = []
        if night.judged < self.min_judged * night.rows:
            reasons.append(
                f"Only {night.judged:,} of {night.rows:,} rows could be judged; min_judged={self.min_judged:g} asks "
                "for more. The labels of the others are missing, or of classes that the auditor does not know."
            )
        if night.measured < MIN_ROWS:
            reasons.append(
                f"{night.measured:,} rows say too little by themselves; the history keeps them, and adds them up. At "
                f"least {MIN_ROWS} are needed in a batch."
            )
        if only := self._constant(night):
            reasons.append(
                f"All labels are {only}, where the trusted rows hold other classes too: a constant column is no proof "
                "of good labels, and no evidence against them."
            )
        return reasons

    def _risen(self, run: Sequence[Night], before: Sequence[Night], spread: float) -> list[Risen]:
        """What rose in a run of batches, of each kind the surest first: classes, pairs of classes, segments."""
        zero = self._zero
        sums = run[0].sums()
        for night in run[1:]:
            sums = sums + night.sums()
        classes = self._names
        found = []
        if len(classes) > 1:
            found = _named("class", [repr(name) for name in classes], sums.rows, *zero.by_class(sums), spread)
        shifts, errors = zero.by_pair(sums)
        given, likely = np.nonzero(sums.pairs)
        names = [f"given {classes[g]!r}, likelier {classes[k]!r}" for g, k in zip(given, likely, strict=True)]
        found += _named("pair", names, sums.pairs[given, likely], shifts[given, likely], errors[given, likely], spread)
        if self.by is None:  # lines of the history may have segments of a column that was named then
            return found
        return found + _named("segment", *_segment_rises(self.by, run, before, zero), spread)

    def _constant(self, night: Night) -> str:
        """The class of each question that a batch holds alone, where chance gives that less than once in a thousand."""
        rows, trusted, chance, names = np.array(night.class_rows), self._zero.sums.rows, 1.0, []
        for part in self._zero.parts:
            here, there = rows[part], trusted[part]
            only = int(here.argmax())
            if here.size < 2 or here[only] < here.sum():
                return ""
            chance *= float((there[only] + 1) / (there.sum() + 2)) ** int(here[only])
            names.append(repr(self._names[part.start + only]))
        return ", ".join(names) if chance < ODD else ""


def segments_of(table: Frame, by: str, measured: Measured, zero: Zero) -> list[list[Any]]:
    """Return each segment of a batch: its value as text, measured rows, and their doubt beyond the trusted rows'.

    Args:
        table: The batch.
        by: The column of the segments.
        measured: Its rows that were measured.
        zero: What they are measured from.

    Raises:
        FeatureError: There is no such column.
        OptionError: It has too many values.
    """
    require(table, [by], "by")
    values = [plain(value) for value in table[by][measured.rows.tolist()].to_list()]
    names, place = np.unique(["(missing)" if value is None else str(value) for value in values], return_inverse=True)
    if names.size > MAX_SEGMENTS:
        raise OptionError(
            f"by={by!r} has {names.size:,} values; a monitor follows at most {MAX_SEGMENTS:,} segments. Name a column "
            "of fewer values, or bin it first."
        )
    beyond = np.bincount(place, weights=measured.doubt - zero.means[measured.codes])
    return [[str(n), int(r), float(b)] for n, r, b in zip(names, np.bincount(place), beyond, strict=True)]


def _segment_rises(
    by: str, run: Sequence[Night], before: Sequence[Night], zero: Zero
) -> tuple[list[str], IntArray, FloatArray, FloatArray]:
    """Names, rows, increases and errors of the segments of a run, over what they were before or else the zero."""
    now, then = _added(run), _added(before)
    names = sorted(now)
    rows = np.array([now[name][0] for name in names], dtype=np.int64)
    increases, errors = np.zeros(len(names)), np.ones(len(names))
    for at, name in enumerate(names):
        n, beyond = now[name]
        m, earlier = then.get(name, (0, 0.0))
        level = earlier / (m + PRIOR_ROWS)  # few rows before are drawn to the zero
        increases[at] = np.clip((beyond / n - level) / max(zero.gain, MIN_GAIN), -1, 1)
        errors[at] = zero.error_of_a_row * (1 / n + 1 / (m + PRIOR_ROWS)) ** 0.5
    return [f"{by}={name!r}" for name in names], rows, increases, errors


def _added(nights: Sequence[Night]) -> Mapping[str, tuple[int, float]]:
    totals: dict[str, tuple[int, float]] = {}
    for night in nights:
        for name, rows, beyond in night.segments:
            before = totals.get(name, (0, 0.0))
            totals[name] = (before[0] + rows, before[1] + beyond)
    return totals


def _named(
    what: Literal["class", "pair", "segment"],
    names: Sequence[str],
    rows: IntArray,
    increases: FloatArray,
    errors: FloatArray,
    spread: float,
) -> list[Risen]:
    """Those that rose beyond chance, however many there are to choose among; the surest first."""
    if not len(names):
        return []
    normal, z = NormalDist(), NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
    scores = increases / (errors * spread)
    sure = benjamini_hochberg(np.array([1 - normal.cdf(float(score)) for score in scores]), FALSE_NAMES)
    order = [int(at) for at in np.argsort(-scores, kind="stable") if sure[at] and increases[at] > 0][:MOST_NAMED]
    half = z * errors * spread
    return [
        Risen(
            what, names[at], int(rows[at]), float(increases[at]), float(max(increases[at] - half[at], -1.0)),
            float(min(increases[at] + half[at], 1.0)),
        )
        for at in order
    ]  # fmt: skip


def _mean_increase(run: Sequence[Night], charted: Chart, at: int) -> tuple[float, float]:
    """The mean increase of a run of batches over the zero learned by then, and its standard error."""
    weights = np.array([1 / night.error**2 for night in run])
    mean = float(weights @ [night.increase for night in run] / weights.sum()) - float(charted.zeros[at])
    own = charted.spread / float(weights.sum()) ** 0.5
    return float(np.clip(mean, -1, 1)), float(np.hypot(own, charted.zero_errors[at]))


def _digest(rows: int, measured: Measured) -> str:
    """A name of a batch by what it holds, in whatever order."""
    order = np.lexsort((measured.doubt, measured.codes))
    digest = hashlib.sha256(str(rows).encode())
    digest.update(measured.codes[order].astype("<i8").tobytes())
    digest.update(measured.doubt[order].astype("<f8").tobytes())
    return digest.hexdigest()[:16]


def _installed() -> EagerAllowed:
    """The frame library to show a history with where no batch has come yet."""
    from importlib.util import find_spec

    return "polars" if find_spec("polars") is not None else "pandas" if find_spec("pandas") is not None else "pyarrow"


def _from_to(low: float, high: float) -> str:
    """An interval in points."""
    return f"{100 * low:+.1f} to {100 * high:+.1f}"


def _points(share: float) -> str:
    """A difference of shares, in points: percent of the rows."""
    return f"{100 * share:+.1f} points"


def _share(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1:
        raise OptionError(f"{name}={value!r} is not a share between 0 and 1; for 2% pass 0.02.")
    return float(value)


def _positive(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e6:
        raise OptionError(f"{name}={value!r} is not a number above 0.")
