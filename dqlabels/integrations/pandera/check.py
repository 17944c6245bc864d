"""A pandera check that audits labels: what it asks of the audit, and how it answers each back end."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
from numpy.typing import NDArray
from pandera.api.base.checks import CheckResult
from pandera.api.checks import Check
from pandera.constants import CHECK_OUTPUT_KEY
from pandera.errors import SchemaDefinitionError

from dqlabels.audits.base import Audit, AuditedRows, Mask
from dqlabels.audits.gate import DECIDE, ON_INCONCLUSIVE
from dqlabels.audits.kinds import KINDS
from dqlabels.errors import DQLabelsError, OptionError
from dqlabels.integrations.sharing import (
    AnnotatorOptions,
    ClassOptions,
    TagOptions,
    ValueOptions,
    check_names,
    shared_audit,
)

if TYPE_CHECKING:
    from dqlabels.audits.gate import GateResult


class CheckUseError(OptionError, SchemaDefinitionError):
    """A label check where it cannot run. pandera raises errors in a schema's definition and records all others."""


class PanderaOptions(TypedDict, total=False):
    """Those of any pandera check."""

    name: str | None
    error: str | None
    title: str | None
    description: str | None
    raise_warning: bool
    n_failure_cases: int | None


class CheckOptions(ClassOptions, PanderaOptions, total=False):
    """Of a check of classes."""


class ValueCheckOptions(ValueOptions, PanderaOptions, total=False):
    """Of a check of numbers."""


class AnnotatorCheckOptions(AnnotatorOptions, PanderaOptions, total=False):
    """Of a check of several annotators."""


class TagCheckOptions(TagOptions, PanderaOptions, total=False):
    """Of a check of several labels a row."""


PANDERA_OPTIONS = tuple(PanderaOptions.__annotations__)

# The checks that have answered, where someone wants to know: see ``run.validate``.
answered: ContextVar[list[Check] | None] = ContextVar("answered", default=None)


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """Whether the labels pass, in words, and the failing rows: ``rows`` is (m,) over the audited rows."""

    passed: bool
    message: str
    rows: Mask


class LabelCheck(Check):
    """A check of labels that keeps pandera's interface and answers with rows and the gate's message.

    ``label`` is the column that holds them, or the columns of annotators or tags. ``str(check)`` is what it
    last said in this thread where it failed: pandera writes it into its errors.
    """

    __slots__ = ("_said",)  # not in __dict__: a check that has run equals one that has not

    def __init__(
        self,
        made_by: Callable[..., Check],
        label: str | Sequence[str],
        value: Any,
        limits: Mapping[str, Any],
        settings: Mapping[str, Any],
        options: Mapping[str, Any],
        *,
        task: str = "classes",
    ) -> None:
        of_pandera = {name: options[name] for name in PANDERA_OPTIONS if name in options}
        self.options = {name: options[name] for name in options if name not in PANDERA_OPTIONS}
        check_names(task, self.options)
        for name, choices in (("decide", DECIDE), ("on_inconclusive", ON_INCONCLUSIVE)):
            if name in settings and settings[name] not in choices:
                raise OptionError(f"{name}={settings[name]!r} is none of {', '.join(map(repr, choices))}.")
        self.task = task
        self.label = _column_or_columns(label, several=KINDS[task].several)
        self.limits = dict(limits)
        self.settings = dict(settings)
        self._said: dict[int, str] = {}
        # Written to YAML and JSON. pandera looks a check up by the name of its function, so that is the maker.
        value_name = "min_value" if any(name.startswith("min_") for name in limits) else "max_value"
        told = {name: given for name, given in settings.items() if name not in UNSAID or given != UNSAID[name]}
        super().__init__(
            made_by,
            ignore_na=False,
            statistics={"label": self.label, value_name: value, **told, **self.options},
            **of_pandera,
        )

    def judge(self, audit: Audit, rows: AuditedRows) -> Judgement:
        """Hold the audit, of these rows, against the limit."""
        raise NotImplementedError

    def __call__(self, check_obj: Any, column: str | None = None) -> CheckResult:
        """Audit the frame and answer as pandera's back end of its library wants to be answered.

        Raises:
            CheckUseError: Not a check of a whole pandas or Polars frame.
            DQLabelsError: The audit cannot be run; pandera reports it as a check that failed by an error.
        """
        if (said := answered.get()) is not None:
            said.append(self)
        self._said.pop(threading.get_ident(), None)
        if column is not None or type(check_obj).__name__ in ("Series", "Index"):
            raise CheckUseError(
                f"{self.name} judges {self.label!r} by the other columns, so it is a check of the whole "
                "frame. Move it from Column(checks=...) to DataFrameSchema(checks=...)."
            )
        wrapped, frame = _native(check_obj)
        try:
            audit = shared_audit(frame, self.label, self.task, self.options)
            rows = audit.audited_rows()
            judgement = self.judge(audit, rows)
        except DQLabelsError as error:
            raise error.with_traceback(None) from None  # pandera prints the traceback: the message says it all
        if not judgement.passed:
            self._said[threading.get_ident()] = judgement.message
        return _answer(self, wrapped, frame, audit.rows, rows, judgement)

    def __str__(self) -> str:
        said = self._said.get(threading.get_ident())
        if said is None or self.error is not None:
            return repr(self)
        # The blanks stay where pandera takes the line breaks out of a report.
        return f"{self.name}: " + said.replace("\n", " \n") + " \n"

    def __deepcopy__(self, memo: dict[int, Any]) -> LabelCheck:
        return self._copy()

    def __copy__(self) -> LabelCheck:
        return self._copy()

    def _copy(self) -> LabelCheck:
        copied: LabelCheck = self.__class__.__new__(self.__class__)
        copied.__dict__.update(self.__dict__)
        copied._said = {}
        return copied

    def __reduce__(self) -> Any:
        return (_from_state, (self.__class__, dict(self.__dict__)))


def _from_state(cls: type[LabelCheck], state: dict[str, Any]) -> LabelCheck:
    made: LabelCheck = cls.__new__(cls)
    made.__dict__.update(state)
    made._said = {}
    return made


# What a stored check need not say; the method of the noise rate is said wherever it was given.
UNSAID: dict[str, Any] = {"method": None, "decide": "estimate", "on_inconclusive": "warn", "mostly": 1.0}


class GateCheck(LabelCheck):
    """Passes where ``audit.gate(...)`` does; the failing rows are the suspect ones beyond the limits."""

    def judge(self, audit: Audit, rows: AuditedRows) -> Judgement:
        """Run the gate."""
        settings = {name: value for name, value in self.settings.items() if value is not None}
        gate: GateResult = audit.gate(**self.limits, **settings)
        # Where limits are set part by part, the rows of the parts that fail.
        beyond = [check.of for check in gate.checks if check.verdict == gate.verdict and check.of is not None]
        listed = rows.suspect if gate.passed or not beyond else rows.concerning(beyond)
        return Judgement(gate.passed, gate.message, listed)


class QualityCheck(LabelCheck):
    """Passes where enough labels are of sufficient quality; the failing rows are those that are not."""

    def judge(self, audit: Audit, rows: AuditedRows) -> Judgement:
        """Count the rows below the limit."""
        limit, mostly = self.limits["min_value"], self.settings["mostly"]
        low = rows.quality < limit
        below, share = int(low.sum()), float(low.mean())
        passed = below <= (1 - mostly) * audit.audited
        verdict = "PASS" if passed else "FAIL"
        allowed = f"{1 - mostly:.1%} may be" if mostly < 1 else "none may be"
        message = (
            f"{verdict}: {below:,} of {audit.audited:,} labels ({share:.1%}) of column {self.label!r} have a quality "
            f"below {limit:g}; {allowed}."
        )
        return Judgement(passed, message, low)


def check_share(name: str, value: Any) -> float:
    """A limit, or why it is none.

    Raises:
        OptionError: Not a number in [0, 1].
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise OptionError(f"{name}={value!r} is not a share of rows between 0 and 1; for 5% pass 0.05.")
    return float(value)


def as_listed(value: Any, width: int) -> Any:
    """One limit, or limits by class or pair as lists of ``width``: what YAML and JSON can hold.

    Raises:
        OptionError: Neither, or a limit outside [0, 1].
    """
    if isinstance(value, Mapping):
        value = [[*(keys if width > 2 else [keys]), limit] for keys, limit in value.items()]
    if not isinstance(value, (list, tuple)):
        return check_share("max_value", value)
    listed = [list(entry) if isinstance(entry, (list, tuple)) else [entry] for entry in value]
    if not listed or any(len(entry) != width for entry in listed):
        form = "(class, limit)" if width == 2 else "(given, suggested, limit)"
        raise OptionError(f"max_value={value!r} is neither a limit nor a mapping or list of {form}.")
    for entry in listed:
        entry[-1] = check_share("max_value", entry[-1])
    return listed


def _column_or_columns(label: Any, *, several: bool) -> str | list[str]:
    if isinstance(label, str):
        return label
    if several and isinstance(label, (list, tuple)) and all(isinstance(name, str) for name in label):
        return list(label)
    ways = "a column, or a list of columns" if several else "the column that holds the labels"
    raise OptionError(f"label={label!r} is no column name; give the name of {ways}.")


def _native(check_obj: Any) -> tuple[bool, Any]:
    """Whether pandera's narwhals back end asks, and the caller's own frame."""
    module = type(check_obj).__module__.split(".")[0]
    if module == "narwhals":
        import narwhals.stable.v1 as nw

        return True, nw.to_native(check_obj)
    if module == "pyspark":
        raise CheckUseError(
            "Label checks do not run in a schema for Spark frames: its back end collects errors that nobody has to "
            "read. Validate frame.toPandas(), or audit the frame through dqlabels and raise_if_failed() there."
        )
    return False, check_obj


def _answer(
    check: LabelCheck, wrapped: bool, frame: Any, n_rows: int, rows: AuditedRows, judgement: Judgement
) -> CheckResult:
    """The rows that fail, as pandera wants them: by position and, in the order of the rows, with what was found."""
    found = np.flatnonzero(judgement.rows & (not judgement.passed))
    right = np.ones(n_rows, dtype=bool)
    right[rows.positions[found]] = False
    listed = found[: check.n_failure_cases]
    cases = {
        "given": rows.labels(listed),
        "suggested": rows.suggestions(listed),
        "quality": [round(float(value), 4) for value in rows.quality[listed]],
    }
    if _is_pandas(frame) and not wrapped:
        return _pandas_answer(check.label, frame, right, rows.positions[listed], cases, judgement.passed)
    return _frames_answer(wrapped, frame, right, cases, judgement.passed)


def _is_pandas(frame: Any) -> bool:
    return hasattr(frame, "iloc")


def _pandas_answer(
    label: str | list[str],
    frame: Any,
    right: Mask,
    positions: NDArray[np.int64],
    cases: dict[str, list[Any]],
    passed: bool,
) -> CheckResult:
    import pandas as pd

    output = pd.Series(right, index=frame.index)
    if not positions.size:
        return CheckResult(output, passed, frame, None)
    index = frame.index[positions]
    if isinstance(index, pd.MultiIndex):
        index = [str(entry) for entry in index]  # as pandera writes them, and reads them to drop rows
    rows = zip(*cases.values(), strict=True)
    texts = [json.dumps(dict(zip(cases, row, strict=True)), ensure_ascii=False) for row in rows]
    named = label if isinstance(label, str) else ", ".join(label)
    listed = pd.DataFrame({"column": named, "failure_case": texts, "index": index, **cases})
    return CheckResult(output, passed, frame, listed)


def _frames_answer(wrapped: bool, frame: Any, right: Mask, cases: dict[str, list[Any]], passed: bool) -> CheckResult:
    """For Polars, and for the narwhals back end whatever the library."""
    made: list[Any]
    parts: list[dict[str, Any]] = [{CHECK_OUTPUT_KEY: right}, {CHECK_OUTPUT_KEY: [passed]}, cases]
    if _is_pandas(frame):
        import pandas as pd

        made = [pd.DataFrame(part) for part in parts]
    else:
        import polars as pl

        made = [pl.LazyFrame(part) for part in parts]
    if wrapped:
        import narwhals.stable.v1 as nw

        made = [nw.from_native(part) for part in made]
    output, verdict, listed = made
    return CheckResult(output, verdict, frame, listed if cases["given"] else None)
