"""A pandera check that audits labels: what it asks of the audit, and how it answers each back end."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pandera.api.base.checks import CheckResult
from pandera.api.checks import Check
from pandera.constants import CHECK_OUTPUT_KEY
from pandera.errors import SchemaDefinitionError

from dqlabels.errors import DQLabelsError, OptionError
from dqlabels.evidence import plain
from dqlabels.gate import DECIDE, ON_INCONCLUSIVE
from dqlabels.integrations.sharing import AUDIT_OPTIONS, AuditOptions, check_names, shared_audit

if TYPE_CHECKING:
    from dqlabels.gate import GateResult
    from dqlabels.result import LabelAudit

Mask = NDArray[np.bool_]


class CheckUseError(OptionError, SchemaDefinitionError):
    """A label check where it cannot run. pandera raises errors in a schema's definition and records all others."""


class CheckOptions(AuditOptions, total=False):
    """The audit's options, and those of any pandera check."""

    name: str | None
    error: str | None
    title: str | None
    description: str | None
    raise_warning: bool
    n_failure_cases: int | None


PANDERA_OPTIONS = tuple(name for name in CheckOptions.__annotations__ if name not in AUDIT_OPTIONS)

# The checks that have answered, where someone wants to know: see ``pandera_run.validate``.
answered: ContextVar[list[Check] | None] = ContextVar("answered", default=None)


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """Whether the labels pass, in words, and the failing rows: ``rows`` is (m,) over the audited rows."""

    passed: bool
    message: str
    rows: Mask


class LabelCheck(Check):
    """A check of one label column that keeps pandera's interface and answers with rows and the gate's message.

    ``str(check)`` is what it last said in this thread where it failed: pandera writes it into its errors.
    """

    __slots__ = ("_said",)  # not in __dict__: a check that has run equals one that has not

    def __init__(
        self,
        made_by: Callable[..., Check],
        label: str,
        value: Any,
        limits: Mapping[str, Any],
        settings: Mapping[str, Any],
        options: Mapping[str, Any],
    ) -> None:
        of_pandera = {name: options[name] for name in PANDERA_OPTIONS if name in options}
        self.options = {name: options[name] for name in options if name not in PANDERA_OPTIONS}
        check_names(self.options)
        for name, choices in (("decide", DECIDE), ("on_inconclusive", ON_INCONCLUSIVE)):
            if name in settings and settings[name] not in choices:
                raise OptionError(f"{name}={settings[name]!r} is none of {', '.join(map(repr, choices))}.")
        if not isinstance(label, str):
            raise OptionError(f"label={label!r} is no column name; give the name of the column that holds the labels.")
        self.label = label
        self.limits = dict(limits)
        self.settings = dict(settings)
        self._said: dict[int, str] = {}
        # Written to YAML and JSON. pandera looks a check up by the name of its function, so that is the maker.
        value_name = "min_value" if "min_value" in limits else "max_value"
        told = {name: given for name, given in settings.items() if name not in UNSAID or given != UNSAID[name]}
        super().__init__(
            made_by,
            ignore_na=False,
            statistics={"label": label, value_name: value, **told, **self.options},
            **of_pandera,
        )

    def judge(self, audit: LabelAudit) -> Judgement:
        """Hold the audit against the limit."""
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
                f"{self.name} judges the column {self.label!r} by the other columns, so it is a check of the whole "
                "frame. Move it from Column(checks=...) to DataFrameSchema(checks=...)."
            )
        wrapped, frame = _native(check_obj)
        try:
            audit = shared_audit(frame, self.label, self.options)
            judgement = self.judge(audit)
        except DQLabelsError as error:
            raise error.with_traceback(None) from None  # pandera prints the traceback: the message says it all
        if not judgement.passed:
            self._said[threading.get_ident()] = judgement.message
        return _answer(self, wrapped, frame, audit, judgement)

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
    """Passes where ``audit.gate(...)`` does; the failing rows are the flagged ones beyond the limits."""

    def judge(self, audit: LabelAudit) -> Judgement:
        """Run the gate."""
        settings = dict(self.settings)
        if (method := settings.pop("method", None)) is not None:
            audit = replace(audit, noise_rate=audit.estimate_noise(method))
        gate = audit.gate(**self.limits, **settings)
        rows = audit.evidence.flagged if gate.passed else self._beyond(audit, gate)
        return Judgement(gate.passed, gate.message, rows)

    def _beyond(self, audit: LabelAudit, gate: GateResult) -> Mask:
        """The flagged rows of the classes or pairs that fail, where the limit is theirs; else all flagged rows."""
        evidence = audit.evidence
        choice: Any = {"decide": gate.decide, "on_inconclusive": "fail" if gate.verdict == "inconclusive" else "pass"}
        kept = np.zeros_like(evidence.flagged)
        if "max_class_noise_rate" in self.limits:
            limits = self.limits["max_class_noise_rate"]
            limits = limits if isinstance(limits, Mapping) else dict.fromkeys(evidence.classes, limits)
            for value, limit in limits.items():
                if not audit.gate(max_class_noise_rate={value: limit}, **choice).passed:
                    kept |= evidence.codes == evidence.classes.index(value)
        elif "max_pair_share" in self.limits:
            limits = self.limits["max_pair_share"]
            for given, suggested, _, _ in zip(*(part.tolist() for part in evidence.pairs()), strict=True):
                pair = (evidence.classes[given], evidence.classes[suggested])
                limit = limits.get(pair) if isinstance(limits, Mapping) else limits
                if limit is not None and not audit.gate(max_pair_share={pair: limit}, **choice).passed:
                    kept |= (evidence.codes == given) & (evidence.suggested == suggested)
        else:
            kept[:] = True
        return evidence.flagged & kept


class QualityCheck(LabelCheck):
    """Passes where enough labels are of sufficient quality; the failing rows are those that are not."""

    def judge(self, audit: LabelAudit) -> Judgement:
        """Count the rows below the limit."""
        limit, mostly = self.limits["min_value"], self.settings["mostly"]
        low = audit.evidence.quality < limit
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


def _answer(check: LabelCheck, wrapped: bool, frame: Any, audit: LabelAudit, judgement: Judgement) -> CheckResult:
    """The rows that fail, as pandera wants them: by position and, in the order of the rows, with what was found."""
    evidence = audit.evidence
    found = np.flatnonzero(judgement.rows & (not judgement.passed))
    right = np.ones(audit.rows, dtype=bool)
    right[evidence.positions[found]] = False
    listed = found[: check.n_failure_cases]
    cases = {
        "given": [plain(evidence.classes[code]) for code in evidence.codes[listed]],
        "suggested": [plain(evidence.classes[code]) for code in evidence.suggested[listed]],
        "quality": [round(float(value), 4) for value in evidence.quality[listed]],
    }
    if _is_pandas(frame) and not wrapped:
        return _pandas_answer(check.label, frame, right, evidence.positions[listed], cases, judgement.passed)
    return _frames_answer(wrapped, frame, right, cases, judgement.passed)


def _is_pandas(frame: Any) -> bool:
    return hasattr(frame, "iloc")


def _pandas_answer(
    label: str, frame: Any, right: Mask, positions: NDArray[np.int64], cases: dict[str, list[Any]], passed: bool
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
    listed = pd.DataFrame({"column": label, "failure_case": texts, "index": index, **cases})
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
