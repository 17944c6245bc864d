"""Answers that are no choice among classes: numbers, moments, durations and lists of labels, as text and back."""

from __future__ import annotations

import csv
import datetime
import io
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import narwhals as nw
import numpy as np

from dqlabels.frames.columns import Column
from dqlabels.frames.outputs import palette
from dqlabels.frames.targets import Targets, amounts
from dqlabels.frames.values import python_value

Family = Literal["number", "moment", "zoned moment", "duration", "list"]
EXAMPLES = {
    "number": "a number such as 12.5",
    "moment": "a date or time such as 2026-01-31 or 2026-01-31 12:30:00",
    "zoned moment": "a time with its distance from UTC, such as 2026-01-31 12:30:00+01:00",
    "duration": "a duration such as 1 day, 2:30:00",
}
DURATION = re.compile(r"(?:(-?\d+) days?, )?(\d+):(\d\d):(\d\d(?:\.\d{1,6})?)")
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
MICROSECOND = datetime.timedelta(microseconds=1)
# Beyond this a float is no whole number that was meant.
MAX_WHOLE = 2.0**53


@dataclass(frozen=True, slots=True)
class FreeAnswers:
    """What a reviewer may answer: amounts that are multiples of ``step``, 0 for any, or lists of ``tags``.

    >>> FreeAnswers("number").read(" 7.50 "), FreeAnswers("list", tags=("cat", "owl")).read("owl,cat")
    ('7.5', 'owl, cat')
    """

    family: Family
    step: float = 0.0
    tags: tuple[str, ...] = ()

    @classmethod
    def of(cls, column: Column) -> FreeAnswers:
        """Return the answers for a column of amounts.

        Raises:
            LabelColumnError: The dtype does not hold amounts.
        """
        _, step = amounts(column)
        dtype = column.dtype
        zoned = isinstance(dtype, nw.Datetime) and dtype.time_zone is not None
        moment: Family = "zoned moment" if zoned else "moment"
        family: Family = "duration" if dtype == nw.Duration else moment if dtype.is_temporal() else "number"
        return cls(family, step)

    @classmethod
    def in_head(cls, head: Mapping[str, Any]) -> FreeAnswers | None:
        """Return the answers that the first line of a file of decisions is about; None where they are classes."""
        family: Any = head.get("answers")
        if family not in get_args(Family):
            return None
        return cls(family, float(head.get("step", 0.0)), tuple(map(str, head["classes"])))

    def text(self, value: object) -> str:
        """Return a value of the column as text that :meth:`read` takes; empty where it is missing."""
        value = python_value(value)
        if self.family == "list":
            return _line([] if value is None else [str(one) for one in value])  # type: ignore[attr-defined]
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return ""
        if isinstance(value, (datetime.datetime, datetime.date, datetime.timedelta)):
            return str(value)
        return _number(float(value)) if not isinstance(value, int) else str(value)  # type: ignore[arg-type]

    def read(self, text: str) -> str:
        """Return what was typed as :meth:`text` writes it.

        Raises:
            ValueError: It is no such answer.
        """
        if self.family == "list":
            names = [one.strip() for one in next(csv.reader([text], skipinitialspace=True), [])]
            unknown = [one for one in names if one not in self.tags]
            if unknown or len(set(names)) < len(names):
                what = f"{unknown[0]!r} is none of" if unknown else "a label is named twice; these are"
                raise ValueError(f"{what} {', '.join(self.tags[:20])}, with commas between them")
            return _line(names)
        amount = self._amount(text.strip())
        if not math.isfinite(amount) or (self.step and abs(amount / self.step - round(amount / self.step)) > 1e-6):
            raise ValueError(f"the column cannot hold {text.strip()!r}")
        return _number(amount) if self.family == "number" else text.strip()

    def column(self, column: Column, answers: Mapping[int, str]) -> Column:
        """Return the column with these answers, by row; the dtype stays."""
        rows = [row for row, text in answers.items() if text != self.text(_value(column, row))]
        if not rows:
            return column
        if self.family == "list":
            return self._lists(column, {row: answers[row] for row in rows})
        values, step = amounts(column)
        targets = Targets(column, values, step, -math.inf, math.inf)
        wanted = np.array([self._amount(answers[row]) for row in rows])
        return targets.replaced(np.array(rows), targets.possible(wanted))

    def _lists(self, column: Column, answers: Mapping[int, str]) -> Column:
        lists = [python_value(value) for value in column.to_list()]
        known = {str(tag): tag for row in lists if row is not None for tag in row}
        for row, text in answers.items():
            names = [one for one in next(csv.reader([text], skipinitialspace=True), []) if one]
            lists[row] = [known.get(name, name) for name in names]
        if column.implementation.is_pandas_like():
            return nw.new_series(column.name, lists, nw.Object(), backend=column.implementation)
        return palette(column, lists)

    def _amount(self, text: str) -> float:
        try:
            if self.family == "number":
                return float(text)
            if self.family == "duration":
                return _duration(text) / MICROSECOND
            moment = datetime.datetime.fromisoformat(text)
            if (moment.tzinfo is None) == (self.family == "zoned moment"):
                raise ValueError(text)
            return ((moment if moment.tzinfo else moment.replace(tzinfo=datetime.timezone.utc)) - EPOCH) / MICROSECOND
        except (ValueError, OverflowError) as error:
            raise ValueError(f"{text!r} is not {EXAMPLES[self.family]}") from error


def _duration(text: str) -> datetime.timedelta:
    found = DURATION.fullmatch(text)
    if found is None:
        raise ValueError(text)
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return datetime.timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < MAX_WHOLE else repr(value)


def _line(names: list[str]) -> str:
    """Names with commas between them; one that holds a comma itself in quotes."""
    written = io.StringIO()
    csv.writer(written, lineterminator="").writerow(names)
    return written.getvalue() if any("," in name or '"' in name for name in names) else ", ".join(names)


def _value(column: Column, row: int) -> object:
    return column[[row]].to_list()[0]
