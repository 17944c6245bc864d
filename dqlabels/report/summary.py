"""The typed summary of an audit: the plain values that text, HTML and charts are all made from."""

from __future__ import annotations

from typing import TypedDict

from dqlabels.noise.probability import Expected
from dqlabels.noise.rate import RateData

Plain = str | int | float | bool | None

ClassRow = TypedDict(
    "ClassRow",
    {
        "class": Plain,
        "rows": int,
        "flagged": int,
        "flagged_share": float,
        "noise_rate": float,
        "noise_rate_low": float,
        "noise_rate_high": float,
        "threshold": float | None,
        "mean_quality": float,
    },
)


class Confusion(TypedDict):
    """Flagged rows with one given and one suggested label, and their share of the given class."""

    given: Plain
    suggested: Plain
    rows: int
    share: float


class _WorstRow(TypedDict):
    row: int
    given: Plain
    suggested: Plain
    quality: float
    kind: str


class WorstRow(_WorstRow, total=False):
    """One of the most suspicious rows; ``index`` where the frame has an index that says more than the row number."""

    index: Plain


class Summary(TypedDict):
    """What every audit knows of its column. Shares are in [0, 1]."""

    label: str
    rows: int
    audited: int
    missing: int
    flagged: int
    flagged_share: float
    model: str
    model_error: float
    worst: list[WorstRow]
    warnings: list[str]
    settings: dict[str, Plain]
    version: str


class ExpectedData(TypedDict):
    """How many of the flagged labels are expected to be wrong, with the ends of the interval."""

    estimate: float
    low: float
    high: float


def expected_data(expected: Expected) -> ExpectedData:
    """Return how many flagged labels are expected to be wrong as plain values."""
    return {"estimate": expected.estimate, "low": expected.low, "high": expected.high}


class ClassSummary(Summary):
    """What an audit of classes knows besides: the noise rate, every class, and the most common flagged pairs."""

    noise_rate: RateData
    expected_wrong: ExpectedData
    classes: list[ClassRow]
    confusions: list[Confusion]
