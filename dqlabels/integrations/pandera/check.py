"""A pandera check that audits labels: what it asks of the audit, and what it says of the answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar

from pandera.api.base.checks import CheckResult
from pandera.api.checks import Check

from dqlabels.audits.base import Audit, AuditedRows, NativeFrame
from dqlabels.audits.gate import Limits
from dqlabels.audits.options import checked_field, refuse_unknown
from dqlabels.errors import DQLabelsError, OptionError
from dqlabels.integrations.pandera.answers import CheckUseError, Judgement, answer, unwrapped
from dqlabels.integrations.pandera.forms import FORMS, PANDERA_OPTIONS
from dqlabels.integrations.pandera.handed import with_handed_columns
from dqlabels.integrations.sharing import auditor_columns, checked_share, shared_audit
from dqlabels.report.text import quality_meaning

# The checks that have answered, where someone wants to know: see ``run.validate``.
answered: ContextVar[list[Check] | None] = ContextVar("answered", default=None)


class LabelCheck(Check):
    """A check of labels that keeps pandera's interface and answers with rows and the gate's message.

    ``label`` is the column that holds them, or the columns of people or tags. ``str(check)`` is its last message in
    this thread where it failed: pandera writes it into its errors.
    """

    __slots__ = ("_messages",)  # not in __dict__: a check that has run equals one that has not

    def __init__(
        self,
        made_by: Callable[..., Check],
        label: str | Sequence[str],
        value: object,
        options: Mapping[str, object],
        *,
        stored: Mapping[str, object] | None = None,
    ) -> None:
        """Check the options and say what is stored.

        Args:
            made_by: The public function that makes the check; pandera looks a stored check up by its name.
            label: The label column or columns.
            value: The limit.
            options: What else was given, by name.
            stored: What is stored beside label, limit and options.

        Raises:
            OptionError: A value that means nothing here, or an unknown option.
        """
        form = self.form = FORMS[made_by.__name__]
        refuse_unknown(options, form.options, made_by.__name__)
        self.label = _column_or_columns(label, several=form.subject.kind.several)
        self.value = form.checked_limit(value)
        self.options = {name: given for name, given in options.items() if name in form.subject.options}
        form.subject.check(self.options)
        usual = form.defaults()
        self.settings = {name: options.get(name, default) for name, default in usual.items()}
        Limits(**self.settings)  # type: ignore[arg-type]
        changed = {name: given for name, given in self.settings.items() if given != usual[name]}
        self._messages: dict[int, str] = {}
        super().__init__(
            made_by,
            ignore_na=False,
            statistics={"label": self.label, form.value_name: self.value, **(stored or {}), **changed, **self.options},
            **{name: options[name] for name in PANDERA_OPTIONS if name in options},  # type: ignore[arg-type]
        )

    def audited(self, frame: NativeFrame) -> Audit:
        """Return the audit of a frame, which checks with the same options share."""
        judged_by = auditor_columns(self.options)
        return shared_audit(with_handed_columns(frame, judged_by), self.label, self.form.about, self.options)

    def judge(self, audit: Audit, rows: AuditedRows) -> Judgement:
        """Hold the audit, of these rows, against the limit."""
        raise NotImplementedError

    def __call__(self, check_obj: NativeFrame, column: str | None = None) -> CheckResult:
        """Audit the frame and answer as pandera's back end of its library wants to be answered.

        Raises:
            CheckUseError: The check is one of a column, or of a Spark frame.
            DQLabelsError: What the audit or the gate raises.
        """
        if (ran := answered.get()) is not None:
            ran.append(self)
        self._messages.pop(threading.get_ident(), None)
        if column is not None or type(check_obj).__name__ in ("Series", "Index"):
            raise CheckUseError(
                f"{self.name} judges {self.label!r} by the other columns, so it is a check of the whole "
                "frame. Move it from Column(checks=...) to DataFrameSchema(checks=...)."
            )
        wrapped, frame = unwrapped(check_obj)
        try:
            audit = self.audited(frame)
            rows = audit.audited_rows()
            judgement = self.judge(audit, rows)
        except DQLabelsError as error:
            raise error.with_traceback(None) from None  # pandera prints the traceback: the message says it all
        if not judgement.passed:
            self._messages[threading.get_ident()] = judgement.message
        return answer(self, wrapped, frame, audit.rows, rows, judgement)

    def __str__(self) -> str:
        message = self._messages.get(threading.get_ident())
        if message is None or self.error is not None:
            return repr(self)
        # The blanks stay where pandera takes the line breaks out of a report.
        return f"{self.name}: " + message.replace("\n", " \n") + " \n"

    def __deepcopy__(self, memo: dict[int, object]) -> LabelCheck:
        return _from_state(self.__class__, self.__dict__)

    def __copy__(self) -> LabelCheck:
        return _from_state(self.__class__, self.__dict__)

    def __reduce__(self) -> tuple[Callable[..., LabelCheck], tuple[object, ...]]:
        return (_from_state, (self.__class__, dict(self.__dict__)))


def _from_state(cls: type[LabelCheck], state: Mapping[str, object]) -> LabelCheck:
    made: LabelCheck = cls.__new__(cls)
    made.__dict__.update(state)
    made._messages = {}
    return made


class LimitCheck(LabelCheck):
    """A check that passes where ``audit.gate(...)`` does; the failing rows are the suspect ones beyond the limit."""

    def gate_options(self) -> dict[str, object]:
        """What the gate is asked, by keyword."""
        given = {name: value for name, value in self.settings.items() if value is not None}
        return {self.form.limit: self.form.gate_limit(self.value), **given}

    def judge(self, audit: Audit, rows: AuditedRows) -> Judgement:
        """Run the gate."""
        gate = audit.gate(**self.gate_options())
        # Where limits are set one by one, the rows of the parts that fail.
        beyond = [check.of for check in gate.checks if check.verdict == gate.verdict and check.of is not None]
        listed = rows.suspect if gate.passed or not beyond else rows.concerning(beyond)
        return Judgement(gate.passed, gate.message, listed)


class SegmentCheck(LimitCheck):
    """A check of the segments of a frame; the failing rows are the suspect ones of the segments beyond their limit."""

    def __init__(
        self, made_by: Callable[..., Check], label: str, value: object, options: Mapping[str, object], *, by: str
    ) -> None:
        """As any label check, with ``by``: the column whose values are the segments."""
        self.by = str(checked_field(Limits, "by", by or ""))
        super().__init__(made_by, label, value, options, stored={"by": self.by})

    def gate_options(self) -> dict[str, object]:
        """What the gate is asked, by keyword."""
        return {**super().gate_options(), "by": self.by}

    def audited(self, frame: NativeFrame) -> Audit:
        """Return the audit with the frame, in which the segments are."""
        return super().audited(frame).with_table(frame)

    def judge(self, audit: Audit, rows: AuditedRows) -> Judgement:
        """Run the gate."""
        gate = audit.gate(**self.gate_options())
        beyond = [check.of for check in gate.checks if check.verdict == gate.verdict and check.measure == "share"]
        of_segments = audit.segments(self.by).concerning(beyond)
        return Judgement(gate.passed, gate.message, rows.suspect & of_segments if beyond else rows.suspect)


class QualityCheck(LabelCheck):
    """A check that passes where enough labels are of sufficient quality; the failing rows are those that are not."""

    def __init__(
        self,
        made_by: Callable[..., Check],
        label: str,
        value: object,
        options: Mapping[str, object],
        *,
        mostly: float,
    ) -> None:
        """As any label check, with ``mostly``: the share of the labels that must reach the quality."""
        self.min_quality, self.mostly = checked_share("min_value", value), checked_share("mostly", mostly)
        super().__init__(made_by, label, value, options, stored={"mostly": self.mostly})

    def judge(self, audit: Audit, rows: AuditedRows) -> Judgement:
        """Count the labels below the limit."""
        low = rows.quality < self.min_quality
        below, share = int(low.sum()), float(low.mean())
        passed = below <= (1 - self.mostly) * audit.audited
        allowed = f"{1 - self.mostly:.1%} may" if self.mostly < 1 else "none may"
        message = (
            f"{'PASS' if passed else 'FAIL'}: {below:,} of {audit.audited:,} labels ({share:.1%}) of column "
            f"{self.label!r} have a quality below {self.min_quality:g}; {allowed}. Quality is "
            f"{quality_meaning(audit.settings)}."
        )
        return Judgement(passed, message, low)


def _column_or_columns(label: object, *, several: bool) -> str | list[str]:
    if isinstance(label, str):
        return label
    if several and isinstance(label, (list, tuple)) and all(isinstance(name, str) for name in label):
        return list(label)
    ways = "a column, or a list of columns" if several else "the column that holds the labels"
    raise OptionError(f"label={label!r} is no column name; give the name of {ways}.")
