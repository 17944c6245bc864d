"""How a check answers: the rows that fail, in the form that pandera's back end of each frame library takes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pandera.api.base.checks import CheckResult
from pandera.constants import CHECK_OUTPUT_KEY
from pandera.errors import SchemaDefinitionError

from dqlabels.audits.base import AuditedRows, Mask, NativeFrame
from dqlabels.errors import OptionError
from dqlabels.statistics.arrays import IntArray

if TYPE_CHECKING:
    from dqlabels.integrations.pandera.check import LabelCheck


class CheckUseError(OptionError, SchemaDefinitionError):
    """A label check where it cannot run. pandera raises errors in a schema's definition and records all others."""


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """Whether the labels pass, in words, and the failing rows: ``rows`` is (m,) over the audited rows."""

    passed: bool
    message: str
    rows: Mask


def unwrapped(check_obj: NativeFrame) -> tuple[bool, NativeFrame]:
    """Return whether pandera's narwhals back end asks, and the caller's own frame.

    Raises:
        CheckUseError: It is a Spark frame.
    """
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


def answer(
    check: LabelCheck, wrapped: bool, frame: NativeFrame, n_rows: int, rows: AuditedRows, judgement: Judgement
) -> CheckResult:
    """Return the rows that fail as pandera wants them: by position, in the order of the rows, with what was found.

    Args:
        check: The check that ran.
        wrapped: Whether pandera's narwhals back end asked.
        frame: The caller's frame.
        n_rows: How many rows it has.
        rows: The m rows that were audited.
        judgement: What the check made of them.
    """
    found = np.flatnonzero(judgement.rows & (not judgement.passed))
    right = np.ones(n_rows, dtype=bool)
    right[rows.positions[found]] = False
    listed = found[: check.n_failure_cases]
    cases: dict[str, Sequence[object]] = {
        "given": rows.labels(listed),
        "suggested": rows.suggestions(listed),
        "quality": [round(float(value), 4) for value in rows.quality[listed]],
    }
    if is_pandas(frame) and not wrapped:
        return _pandas_answer(check.label, frame, right, rows.positions[listed], cases, judgement.passed)
    return _frames_answer(wrapped, frame, right, cases, judgement.passed)


def is_pandas(frame: NativeFrame) -> bool:
    """Whether a frame is one of pandas."""
    return hasattr(frame, "iloc")


def _pandas_answer(
    label: str | list[str],
    frame: NativeFrame,
    right: Mask,
    positions: IntArray,
    cases: Mapping[str, Sequence[object]],
    passed: bool,
) -> CheckResult:
    import pandas as pd

    output = pd.Series(right, index=frame.index)
    if not positions.size:
        return CheckResult(output, passed, frame, None)
    index = frame.index[positions]
    if isinstance(index, pd.MultiIndex):
        index = [str(entry) for entry in index]  # as pandera writes them
    rows = zip(*cases.values(), strict=True)
    texts = [json.dumps(dict(zip(cases, row, strict=True)), ensure_ascii=False) for row in rows]
    named = label if isinstance(label, str) else ", ".join(label)
    listed = pd.DataFrame({"column": named, "failure_case": texts, "index": index, **cases})
    return CheckResult(output, passed, frame, listed)


def _frames_answer(
    wrapped: bool, frame: NativeFrame, right: Mask, cases: Mapping[str, Sequence[object]], passed: bool
) -> CheckResult:
    """The answer for Polars, and for the narwhals back end whatever the library."""
    made_of: Callable[[Mapping[str, object]], NativeFrame]
    if is_pandas(frame):
        import pandas as pd

        made_of = pd.DataFrame
    else:
        import polars as pl

        made_of = pl.LazyFrame
    made = [made_of(part) for part in ({CHECK_OUTPUT_KEY: right}, {CHECK_OUTPUT_KEY: [passed]}, cases)]
    if wrapped:
        import narwhals.stable.v1 as nw

        made = [nw.from_native(part) for part in made]
    output, verdict, listed = made
    return CheckResult(output, verdict, frame, listed if cases["given"] else None)
